# R307::Tool runs the command-line tool of the build tree.  Called by the suites
# that look at it; knows no command.
package R307::Tool;

use strict;
use warnings;

use JSON::PP ();
use POSIX qw(WNOHANG _exit);
use Time::HiRes qw(sleep time);

use R307::Env ();

use constant TIMEOUT => $ENV{R307_SLOW} ? 300 : 60;

sub path { return "$ENV{R307_BUILD}/redirect307" }

# Runs it; returns its exit status, standard output and standard error.  A
# status over 255 is a signal.
sub run { return _capture(path(), @_) }

# What httpd prints of the configuration of a server's root, into a file
# there.  Returns its name.
sub dump_config {
    my ($root) = @_;
    my ($code, $out, $err) = _capture(R307::Env::httpd(), '-t', '-D',
        'DUMP_REDIRECT307', '-d', $root, '-f', "$root/httpd.conf");

    die "no dump: $err\n" if $code != 0;
    R307::Env::write_file("$root/dump", $out);
    return "$root/dump";
}

sub _capture {
    my (@cmd) = @_;
    my $dir = R307::Env::scratch('tool');
    my $pid = fork;

    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', "$dir/out";
        open STDERR, '>', "$dir/err";
        exec {$cmd[0]} @cmd or _exit(127);
    }
    my $deadline = time + TIMEOUT;
    while (waitpid($pid, WNOHANG) != $pid) {
        if (time > $deadline) {
            kill 'KILL', $pid;
            waitpid $pid, 0;
            return (-1, '', "$cmd[0] did not end in time\n");
        }
        sleep 0.002;
    }
    my $code = $? & 127 ? 256 + ($? & 127) : $? >> 8;
    return ($code, _slurp("$dir/out"), _slurp("$dir/err"));
}

# The same, for a command that writes JSON: status, what it holds, error.
sub json {
    my (@args) = @_;
    my ($code, $out, $err) = run(@args);
    my $data = eval { JSON::PP->new->utf8->decode($out) };

    return ($code, $data, defined $data ? $err : "$err\nno JSON: $out");
}

sub _slurp {
    my ($file) = @_;
    open my $fh, '<:raw', $file or return '';
    local $/;
    my $text = <$fh>;
    return defined $text ? $text : '';
}

1;
