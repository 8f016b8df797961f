# R307::Echo is the far end of a redirect: a second httpd whose CGI program
# says what arrived (t/cgi/digest.cgi), and the clients that are sent there.
# Called by t/80-end-to-end.t and t/82-clients.t.  It knows nothing of rules.
package R307::Echo;

use strict;
use warnings;

use POSIX qw(WNOHANG _exit);
use Time::HiRes qw(sleep time);

use R307::Env ();
use R307::Server ();

use constant TIMEOUT => $ENV{R307_SLOW} ? 180 : 60;

# The server; everything below /echo is the program's.
sub server {
    my (%arg) = @_;
    my $cgi = R307::Env::mpm() eq 'prefork' ? 'cgi' : 'cgid';
    my $source = R307::Env::top() . '/t/cgi/digest.cgi';

    open my $fh, '<:raw', $source or die "$source: $!\n";
    my $program = do { local $/; <$fh> };
    my $srv = R307::Server->new(
        name => 'echo', modules => [$cgi, @{ $arg{modules} || [] }],
        config => ($arg{config} || '') . <<'EOC');
<IfModule cgid_module>
    ScriptSock "@ROOT@/run/cgid.sock"
</IfModule>
ScriptAlias "/echo" "@ROOT@/cgi/digest.cgi"
CustomLog "@ROOT@/logs/arrived" "%m %U%q"
<Location "/echo">
    CGIPassAuth On
</Location>
EOC
    R307::Env::write_file($srv->root . '/cgi/digest.cgi', $program);
    chmod 0755, $srv->root . '/cgi/digest.cgi';
    return $srv;
}

# How often each "method URL" arrived.
sub arrived {
    my ($srv) = @_;
    my %count;

    open my $fh, '<', $srv->root . '/logs/arrived' or return {};
    while (my $line = <$fh>) {
        chomp $line;
        $count{$line}++;
    }
    return \%count;
}

# "name: value" lines as a hash.
sub parse {
    my ($text) = @_;
    return { map { /\A([^:]+): (.*)\z/ ? ($1 => $2) : () } split /\n/, $text };
}

# Runs a program; returns its exit status and standard output.
sub run {
    my (@cmd) = @_;
    my $out = R307::Env::scratch('client') . '/out';
    my $pid = fork;

    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', $out;
        open STDERR, '>', "$out.err";
        exec {$cmd[0]} @cmd or _exit(127);
    }
    my $deadline = time + TIMEOUT;
    while (waitpid($pid, WNOHANG) != $pid) {
        if (time > $deadline) {
            kill 'KILL', $pid;
            waitpid $pid, 0;
            return (-1, "$cmd[0] did not end in time\n");
        }
        sleep 0.005;
    }
    my $code = $?;
    open my $fh, '<:raw', $out or return ($code, '');
    local $/;
    my $text = <$fh>;
    return ($code, defined $text ? $text : '');
}

# curl, following redirects.  Returns what the far end says, with exit, status
# and redirects (how many were followed).
sub curl {
    my (@args) = @_;
    my ($code, $text) = run('curl', '-q', '-sS', '-L', '--max-redirs', 5,
        '--noproxy', '*', '--max-time', TIMEOUT, '-w',
        "\nexit: %{exitcode}\nstatus: %{http_code}\n"
        . "redirects: %{num_redirects}\n", @args);
    my $said = parse($text);

    $said->{exit} = "curl $code" if !defined $said->{exit};
    return $said;
}

# nghttp, which sends one request over HTTP/2: by hand what curl -L does, one
# redirect at most.  Returns the same.
sub nghttp {
    my ($url, @args) = @_;
    my ($code, $text) = run('nghttp', '-v', '-t', TIMEOUT, @args, $url);
    my ($status) = $text =~ /^.*recv \(stream_id=\d+\) :status: (\d+)$/m;
    my ($to) = $text =~ /^.*recv \(stream_id=\d+\) location: (\S+)$/m;

    return { exit => $code >> 8, status => $status || 'none', redirects => 0 }
        if $code != 0 || !defined $to || ($status || '') ne '307';
    ($code, $text) = run('nghttp', '-t', TIMEOUT, @args, $to);
    return { %{ parse($text) }, exit => $code >> 8, redirects => 1,
             status => $code == 0 ? 200 : 'none' };
}

# Packages of programs (program => package) that are not installed.
sub missing {
    my (%package) = @_;
    my @path = split /:/, $ENV{PATH} || '';

    return map { $package{$_} } grep {
        my $program = $_;
        !grep { -x "$_/$program" } @path;
    } sort keys %package;
}

# True when this curl speaks HTTP/2.
sub curl_has_http2 {
    my ($code, $text) = run('curl', '-q', '-V');
    return $code == 0 && $text =~ /^Features:.*\bHTTP2\b/m;
}

1;
