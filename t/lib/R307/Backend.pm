# R307::Backend is an application server with every fault that there is: what
# it does is the last segment of the path.  One process for each connection;
# they are ended by process id.  Called by t/97-onerror.t.
#
#   ok         200, and the length of the body
#   again      the same, but hangs up when a connection is used again
#   NNN        that status after the body was read, with fields and a body
#   early-NNN  the same before the body was read
#   long-503   a body of 8 MB
#   refuse     resets when the head is there
#   mid        resets within the head of its answer
#   die        resets when 64 KB of the body are there
#   hang       never answers
#   half       promises 50 bytes, sends 5 and hangs up
package R307::Backend;

use strict;
use warnings;

use IO::Socket::INET ();
use POSIX qw(_exit);
use Socket qw(SOL_SOCKET SO_LINGER);

use R307::Ports ();

use constant LIFETIME => 60;    # seconds of a connection

sub start {
    my ($class) = @_;
    my $port = R307::Ports::take();
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $port, Listen => 50, ReuseAddr => 1, Proto => 'tcp')
        or die "backend: $!\n";
    my $pid = fork;

    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        _serve($listen);
        _exit(0);
    }
    close $listen;
    return bless { port => $port, pid => $pid, owner => $$ }, $class;
}

sub port { $_[0]{port} }

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid};
    return if !$pid || $self->{owner} != $$;
    local ($?, $!);
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return;
}

sub DESTROY { $_[0]->stop }

sub _serve {
    my ($listen) = @_;

    $SIG{CHLD} = 'IGNORE';
    $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP);
    open STDOUT, '>', '/dev/null';      # whose end the caller waits for
    open STDERR, '>&', \*STDOUT;
    alarm 600;
    while (1) {
        my $c = $listen->accept or next;
        my $pid = fork;
        if (defined $pid && !$pid) {
            alarm LIFETIME;
            close $listen;
            _connection($c);
            _exit(0);
        }
        close $c;
    }
    return;
}

sub _reset {
    my ($c) = @_;
    setsockopt $c, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    close $c;
    _exit(0);
}

sub _say {
    my ($c, $bytes) = @_;
    my $off = 0;
    while ($off < length $bytes) {
        my $n = syswrite $c, $bytes, length($bytes) - $off, $off;
        _exit(0) if !defined $n;
        $off += $n;
    }
    return;
}

# Reads on until there are $n bytes; the end of the stream ends the process.
sub _need {
    my ($c, $in, $enough) = @_;
    until ($enough->()) {
        my $n = sysread $c, $$in, 65_536, length $$in;
        _exit(0) if !$n;
    }
    return;
}

# The length of the body, which is taken off $$in.
sub _body {
    my ($c, $in, $head) = @_;
    my $total = 0;

    if ($head =~ /^Transfer-Encoding:/mi) {
        while (1) {
            _need($c, $in, sub { $$in =~ /\A[0-9a-f]+[^\n]*\n/i });
            $$in =~ s/\A([0-9a-f]+)[^\n]*\n//i;
            my $n = hex $1;
            _need($c, $in, sub { length $$in >= $n + 2 });
            substr($$in, 0, $n + 2) = '';
            return $total if !$n;
            $total += $n;
        }
    }
    my ($length) = $head =~ /^Content-Length: *(\d+)/mi;
    return 0 if !$length;
    for ($total = length $$in; $total < $length; $total += length $$in) {
        $$in = '';
        sysread $c, $$in, 65_536 or _exit(0);
    }
    $$in = '';
    return $length;
}

sub _answer {
    my ($status, $body, @headers) = @_;
    return join "\r\n", "HTTP/1.1 $status X", 'Content-Length: '
                . length $body, @headers, '', $body;
}

my @error_headers = ('X-Backend: yes', 'Retry-After: 99', 'ETag: "e"',
                     'Cache-Control: max-age=600', 'Set-Cookie: b=1',
                     'Content-Type: text/plain', 'Location: http://x.example/');

sub _connection {
    my ($c) = @_;
    my $in = '';

    for my $count (1 .. 1000) {
        _need($c, \$in, sub { $in =~ /\r\n\r\n/ });
        $in =~ s/\A(.*?\r\n\r\n)//s;
        my $head = $1;
        my ($what) = $head =~ m{\A\S+ [^ ?]*/([^/ ?]*)};

        _reset($c) if $what eq 'refuse' || ($what eq 'again' && $count > 1);
        if ($what eq 'die') {
            _need($c, \$in, sub { length $in > 65_536 });
            _reset($c);
        }
        if ($what =~ /\Aearly-(\d+)\z/) {
            _say($c, _answer($1, 'early', @error_headers));
            shutdown $c, 1;
            1 while sysread $c, $in, 65_536;
            _exit(0);
        }
        my $length = _body($c, \$in, $head);
        _say($c, _fault($c, $what) // _answer(200, "$length bytes\n"));
    }
    return;
}

sub _fault {
    my ($c, $what) = @_;

    if ($what eq 'hang') {
        sleep LIFETIME;
        _exit(0);
    }
    if ($what eq 'mid') {
        _say($c, "HTTP/1.1 200 OK\r\nX-Half");
        select undef, undef, undef, 0.1;
        _reset($c);
    }
    if ($what eq 'half') {
        _say($c, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
        _exit(0);
    }
    return _answer(503, 'x' x 8_388_608) if $what eq 'long-503';
    return _answer($what, 'sorry', @error_headers) if $what =~ /\A\d+\z/;
    return;
}

1;
