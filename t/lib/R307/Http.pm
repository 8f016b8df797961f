# R307::Http is the test client: exact bytes out, parsed answers in.
#
# It never normalises anything: what a test gives as request target is what
# the server sees.  Every read and write has a deadline.  It knows nothing
# about httpd or the module.
#
#   my $c   = R307::Http->connect(port => 20001);
#   $c->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
#   my $res = $c->response('GET');
#   $res->status, $res->header('Location'), $res->headers('Vary'), $res->body
package R307::Http;

use strict;
use warnings;

use Errno qw(EAGAIN EWOULDBLOCK EINTR);
use IO::Select ();
use IO::Socket::IP ();
use Socket qw(SOL_SOCKET SO_SNDBUF);
use Time::HiRes qw(time);

use constant TIMEOUT => $ENV{R307_SLOW} ? 60 : 15;

sub connect {
    my ($class, %arg) = @_;
    my $host = $arg{address} || '127.0.0.1';
    my $sock = IO::Socket::IP->new(PeerHost => $host,
                                   PeerPort => $arg{port},
                                   Timeout => TIMEOUT)
        or die "connect $host:$arg{port}: $@\n";

    # Small buffers bound what the kernel takes before the peer reads.
    setsockopt $sock, SOL_SOCKET, SO_SNDBUF, pack 'i', $arg{send_buffer}
        if $arg{send_buffer};
    $sock->blocking(0);
    return bless {
        sock => $sock, in => '', eof => 0, sent => 0,
        timeout => $arg{timeout} || TIMEOUT,
    }, $class;
}

# Bytes this connection has handed to the kernel so far.
sub sent { $_[0]{sent} }

# True when the peer closed the connection, waiting up to $wait seconds.
sub closed {
    my ($self, $wait) = @_;
    my $deadline = time + (defined $wait ? $wait : 2);

    while (!$self->{eof} && time < $deadline) {
        $self->_fill($deadline) or last;
    }
    return $self->{eof};
}

sub close {
    my ($self) = @_;
    CORE::close($self->{sock});
    return;
}

# Half-close: no more request bytes.
sub shutdown_write {
    my ($self) = @_;
    shutdown($self->{sock}, 1);
    return;
}

# Sends all bytes, or as many as go out before the peer resets.  Returns the
# number sent.
sub send {
    my ($self, $bytes) = @_;
    my $deadline = time + $self->{timeout};
    my $off = 0;
    local $SIG{PIPE} = 'IGNORE';

    while ($off < length $bytes) {
        my $n = syswrite $self->{sock}, $bytes, length($bytes) - $off, $off;
        if (defined $n) {
            $off += $n;
            next;
        }
        last unless $!{EAGAIN} || $!{EWOULDBLOCK} || $!{EINTR};
        last if time >= $deadline;
        IO::Select->new($self->{sock})->can_write($deadline - time);
    }
    $self->{sent} += $off;
    return $off;
}

# Sends up to $total bytes of filler, but stops as soon as the server says
# anything.  Returns the number of bytes sent: how much of a body the server
# took before it answered.  With chunked => 1 the filler is valid chunks.
sub send_until_answer {
    my ($self, $total, %arg) = @_;
    my $block = 'x' x 16_384;
    my $sent  = 0;
    my $deadline = time + $self->{timeout};
    my $sel = IO::Select->new($self->{sock});
    my $out = '';
    local $SIG{PIPE} = 'IGNORE';

    while ($sent < $total && time < $deadline) {
        last if length $self->{in} || $sel->can_read(0);
        if (!length $out) {
            $out = $arg{chunked} ? "4000\r\n$block\r\n" : $block;
        }
        if (!$sel->can_write(0.05)) {
            next;
        }
        my $n = syswrite $self->{sock}, $out;
        if (!defined $n) {
            last unless $!{EAGAIN} || $!{EWOULDBLOCK} || $!{EINTR};
            next;
        }
        substr($out, 0, $n) = '';
        $sent += $n;
        $self->{sent} += $n;
    }
    return $sent;
}

# Reads some bytes; false at the end of the stream or the deadline.
sub _fill {
    my ($self, $deadline) = @_;
    my $wait = $deadline - time;

    return 0 if $self->{eof} || $wait <= 0;
    IO::Select->new($self->{sock})->can_read($wait) or return 0;
    my $n = sysread $self->{sock}, my $buf, 65_536;
    if (!defined $n) {
        return 1 if $!{EAGAIN} || $!{EWOULDBLOCK} || $!{EINTR};
        $self->{error} = "$!";
        $self->{eof} = 1;
        return 0;
    }
    if ($n == 0) {
        $self->{eof} = 1;
        return 0;
    }
    $self->{in} .= $buf;
    return 1;
}

sub _until {
    my ($self, $have, $deadline) = @_;
    until ($have->()) {
        $self->_fill($deadline) or return $have->();
    }
    return 1;
}

# Reads one final response.  Interim responses (1xx) are kept in
# $res->interim.  Dies when none arrives in time.
sub response {
    my ($self, $method, %arg) = @_;
    my $deadline = time + ($arg{timeout} || $self->{timeout});
    my @interim;
    my $res;

    for (1 .. 10) {
        $self->_until(sub { $self->{in} =~ /\r?\n\r?\n/ }, $deadline)
            or die "no complete response head"
                 . ($self->{eof} ? " (connection closed" : " (timeout")
                 . ($self->{error} ? ", $self->{error})" : ")")
                 . ": '" . substr($self->{in}, 0, 200) . "'\n";
        $self->{in} =~ s/\A(.*?\r?\n)\r?\n//s;
        $res = R307::Http::Response->new($1);
        last if $res->status >= 200;
        push @interim, $res->status;
    }
    $res->{interim} = \@interim;
    $res->{body} = $self->_body($res, $method, $deadline);
    return $res;
}

sub _body {
    my ($self, $res, $method, $deadline) = @_;
    my $status = $res->status;
    my ($te)  = $res->headers('Transfer-Encoding');
    my ($len) = $res->headers('Content-Length');

    return '' if ($method || '') eq 'HEAD' || $status == 204 || $status == 304
              || (($method || '') eq 'CONNECT' && $status == 200);
    if ($te && $te =~ /chunked/i) {
        my $body = '';
        for (1 .. 1_000_000) {
            $self->_until(sub { $self->{in} =~ /\n/ }, $deadline) or last;
            $self->{in} =~ s/\A([0-9a-fA-F]+)[^\n]*\n// or last;
            my $n = hex $1;
            $self->_until(sub { length $self->{in} >= $n + 2 }, $deadline)
                or last;
            $body .= substr $self->{in}, 0, $n, '';
            $self->{in} =~ s/\A\r?\n//;
            last if $n == 0;
        }
        return $body;
    }
    if (defined $len) {
        $self->_until(sub { length $self->{in} >= $len }, $deadline);
        return substr $self->{in}, 0, $len, '';
    }
    1 while $self->_fill($deadline);
    my $rest = $self->{in};
    $self->{in} = '';
    return $rest;
}

package R307::Http::Response;

sub new {
    my ($class, $head) = @_;
    my ($line, @lines) = split /\r?\n/, $head;
    my @headers;

    my ($version, $status, $reason) =
        $line =~ m{\AHTTP/(\d\.\d) (\d{3})(?: (.*))?\z}
        or die "not a status line: '$line'\n";
    for (@lines) {
        /\A([^:\s]+):[ \t]*(.*?)[ \t]*\z/s
            ? push(@headers, [$1, $2])
            : push(@headers, ['(malformed)', $_]);
    }
    return bless { version => $version, status => $status,
                   reason => $reason, headers => \@headers,
                   head => $head }, $class;
}

sub status  { $_[0]{status} }
sub version { $_[0]{version} }
sub body    { $_[0]{body} }
sub head    { $_[0]{head} }
sub interim { @{ $_[0]{interim} } }

# All values of a header, in order.
sub headers {
    my ($self, $name) = @_;
    return map { $_->[1] } grep { lc $_->[0] eq lc $name }
           @{ $self->{headers} };
}

# The values of a header joined with ", "; undef when there is none.
sub header {
    my ($self, $name) = @_;
    my @v = $self->headers($name);
    return @v ? join(', ', @v) : undef;
}

# undef when the response is one that a client can take without harm, else
# what is wrong with it: a 307 has one Location of RFC 3986 characters, any
# other answer of these tests has none.
sub defect {
    my ($self) = @_;
    my @loc = $self->headers('Location');
    my $redirect = $self->status =~ /\A3/;

    return "malformed header line" if $self->headers('(malformed)');
    return "a $self->{status} without Location" if $redirect && !@loc;
    return "two Location headers" if @loc > 1;
    return if !@loc;
    return "Location holds a byte that no URI may hold: '$loc[0]'"
        if $loc[0] =~ m{[^!#\$&-;=?-Z_a-z~%\[\]]};
    return "Location holds a broken escape: '$loc[0]'"
        if $loc[0] =~ m{%(?![0-9A-Fa-f]{2})};
    return "Location is empty" if $loc[0] eq '';
    return "Location has a relative authority: '$loc[0]'"
        if $loc[0] =~ m{\A//};
    return;
}

1;
