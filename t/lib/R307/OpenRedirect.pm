# R307::OpenRedirect decides whether an answer lets a client be sent astray.
# It owns the judge (url-judge.mjs, a URL parser that thinks like a browser),
# the rules for a harmless answer, and the raw bytes of the requests that
# t/60-open-redirect.t combines from its tables.  It knows nothing of httpd.
package R307::OpenRedirect;

use strict;
use warnings;

use IO::Select ();
use IPC::Open2 ();
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use R307::Http ();

use constant JUDGE_TIMEOUT => $ENV{R307_SLOW} ? 120 : 30;

# ---- the judge --------------------------------------------------------------

# Starts node with the base URLs.  Returns (judge, '') or (undef, reason).
sub judge {
    my ($class, $program, @bases) = @_;
    my ($node) = grep { -x } map { ("$_/node", "$_/nodejs") }
                             split /:/, $ENV{PATH} || '';

    return (undef, 'node is not installed, and without its URL parser nobody '
          . 'can say where a browser would go: install the package nodejs')
        if !$node;
    my ($out, $in);
    my $pid = eval { IPC::Open2::open2($out, $in, $node, $program, @bases) };
    return (undef, "$node does not start: $@") if !$pid;
    my $self = bless { pid => $pid, in => $in, out => $out, buffer => '',
                       owner => $$, bases => scalar @bases }, $class;
    $in->autoflush(1);
    my @where = eval { $self->lead('https://t.example/') };
    return (undef, "$node cannot judge URLs: " . ($@ || "it says '@where'"))
        if "@where" ne join ' ', ('https://t.example') x @bases;
    return ($self, '');
}

# Where this Location leads, once for each base.
sub lead {
    my ($self, $location) = @_;
    my $deadline = time + JUDGE_TIMEOUT;
    local $SIG{PIPE} = 'IGNORE';

    print { $self->{in} } unpack('H*', $location), "\n"
        or die "the judge is gone: $!\n";
    until ($self->{buffer} =~ /\n/) {
        my $wait = $deadline - time;
        die "the judge gave no verdict in time\n"
            if $wait <= 0
            || !IO::Select->new($self->{out})->can_read($wait);
        sysread $self->{out}, $self->{buffer}, 65_536, length $self->{buffer}
            or die "the judge is gone\n";
    }
    $self->{buffer} =~ s/\A([^\n]*)\n//;
    return split /\t/, $1, -1;
}

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid};
    return if !$pid || $self->{owner} != $$;

    local ($?, $!);
    close $self->{in};
    for (1 .. 100) {
        return if waitpid($pid, WNOHANG) == $pid;
        sleep 0.02;
    }
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return;
}

sub DESTROY { $_[0]->stop }

# ---- answers ----------------------------------------------------------------

my $pct   = qr/%[0-9A-Fa-f]{2}/;
my $pchar = qr/[A-Za-z0-9._~!\$&'()*+,;=:\@-]|$pct/;
my $uri   = qr{
    \A (?: [A-Za-z][A-Za-z0-9+.-]* ://
           (?: [A-Za-z0-9._~-]+ | \[ [0-9A-Fa-f:.]+ \] )
           (?: : [0-9]+ )?
           (?: / (?: $pchar | / )* )?
         | / (?! / ) (?: $pchar | / )* )
       (?: \? (?: $pchar | [/?] )* )?
       (?: \# (?: $pchar | [/?] )* )? \z
}x;

# Every header that httpd gives of its own accord.
my %usual = map { lc $_ => 1 }
    qw(Date Server Location Content-Type Content-Length Connection Keep-Alive
       Transfer-Encoding Allow Vary Accept-Ranges Last-Modified ETag Upgrade);

# What is wrong with the answer in itself; the empty list when nothing is.
sub faults_of_answer {
    my ($res) = @_;
    my $status = $res->status;
    my @location = $res->headers('Location');
    my @strange = grep { !$usual{ lc $_->[0] } } @{ $res->{headers} };
    my @faults;

    push @faults, "status $status"
        if ($status >= 500 && $status != 501 && $status != 505)
        || ($status >= 300 && $status < 400 && $status != 307);
    push @faults, 'header ' . join(': ', @$_) for @strange;
    push @faults, scalar(@location) . " Location lines with a $status"
        if @location != ($status == 307);
    push @faults, 'Location is no RFC 3986 reference'
        if @location && $location[0] !~ $uri;
    push @faults, 'the body has markup of the client'
        if $res->body =~ /<script>alert/;
    return @faults;
}

# What is wrong with where it leads.  $allowed is a regular expression for
# origins; a path stays on the server that was asked, which is $own.
sub faults_of_destination {
    my ($self, $location, $allowed, $own) = @_;
    my @lead = $self->lead($location);
    my @faults;

    for my $i (0 .. $#lead) {
        my $where = $lead[$i];
        next if $where =~ $allowed;
        next if $own && $location =~ m{\A/} && $where eq $own->[$i];
        push @faults, "a browser goes to $where";
        last;
    }
    push @faults, 'no verdict' if @lead != $self->{bases};
    return @faults;
}

# ("https://a.example", "https://*.b.example") as a regular expression.  A
# final dot names the same host.
sub origins {
    my (@origins) = @_;
    my $star = '(?:[^/:\@\[\]]+|\[[0-9a-f:]+\])';
    my @re = map { join $star, map { quotemeta } split /\*/, $_, -1 }
             map { ($_, m{\A(\w+://[^\[:*]*[a-z])(:.*)?\z}
                            ? "$1." . ($2 // '') : ()) } @origins;
    my $any = join '|', @re;
    return qr/\A(?:$any)\z/;
}

# ---- requests ---------------------------------------------------------------

# "{A*3}" is AAA; "{own}" and the like are replaced by what is known.
sub fill {
    my ($text, %var) = @_;
    $text =~ s/\{(own|d|p)\}/defined $var{$1} ? $var{$1} : "{$1}"/ge;
    return $text;
}

sub repeat {
    my ($text) = @_;
    $text =~ s/\{([^{}]+)\*(\d+)\}/$1 x $2/ge;
    return $text;
}

# The bytes of a request.  Headers "-" means none at all; no headers means the
# server's own Host.
sub request {
    my ($slot, $payload, $base, $own) = @_;
    my $line = $slot->{line};
    my $headers = length $slot->{headers} ? $slot->{headers} : "Host: {own}";

    $headers = "Host: {own}\n$headers"
        if $headers !~ /^host/mi && $headers ne '-';
    my @lines = ($line, $headers eq '-' ? () : split /\n/, $headers);
    return join('', map {
        fill($_, p => $payload, d => $base, own => $own) . "\r\n"
    } @lines) . "\r\n";
}

# A request with line ends of the payload's own may be two for the server, or
# none: it gets a connection of its own.
sub is_irregular {
    my ($bytes) = @_;
    my $head = substr $bytes, 0, -4;
    return $head =~ /\r(?!\n)|(?<!\r)\n|\r\n\r\n|\A\r?\n|\0/;
}

# ---- HTTP/2 -----------------------------------------------------------------

# The same request for curl's configuration file, over HTTP/2 to the server at
# $address; nothing when it is not a GET that HTTP/2 can carry.  Each goes to a
# host of its own for curl, and so gets a connection: some versions cannot use
# a cleartext one twice.
sub curl_block {
    my ($bytes, $address, $id) = @_;
    my ($line, @headers) = split /\r\n/, $bytes;
    my ($target) = $line =~ m{\AGET (/.*) HTTP/1\.1\z}s or return;

    return if is_irregular($bytes) || grep { /\A(?:[ \t]|[^:]*\z)/ } @headers;
    return if 1 != grep { /\Ahost:/i } @headers;
    return join("\n", 'http2-prior-knowledge', 'silent', 'max-time = 20',
        "url = \"http://r$id.test/\"", "connect-to = \"r$id.test:80:$address\"",
        'request-target = ' . _quote($target),
        map({ 'header = ' . _quote($_) } @headers),
        'dump-header = "-"', 'output = "/dev/null"',
        "write-out = \"\\n=== $id ===\\n\"", 'next', '');
}

sub _quote {
    my ($text) = @_;
    $text =~ s/(["\\])/\\$1/g;
    $text =~ s/\t/\\t/g;
    $text =~ s/\x0b/\\v/g;
    return qq("$text");
}

# Runs curl on blocks; returns the answers by id.  What has no answer was
# refused before it was a request.
sub curl {
    my ($file, $seconds) = @_;
    my (%answers, $text);
    my $pid = open my $fh, '-|';

    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDERR, '>', '/dev/null';
        # Perl's alarm outlives exec: curl ends by it if by nothing else.
        alarm $seconds;
        exec 'curl', '-q', '-K', $file or POSIX::_exit(127);
    }
    binmode $fh;
    { local $/; $text = <$fh>; }
    close $fh;
    my $signal = $? & 127;
    while ($text =~ /\G(.*?)\n=== (\d+) ===\n/gcs) {
        my ($head, $id) = ($1, $2);
        $head =~ s{\AHTTP/2 }{HTTP/2.0 } or next;
        $head =~ s/\r\n\r\n.*\z/\r\n/s;
        my $res = R307::Http::Response->new($head);
        $res->{body} = '';
        $answers{$id} = $res;
    }
    return ($signal, \%answers);
}

1;
