# R307::H2 is a client of HTTP/2 that sends exactly the frames it is told to,
# as slowly as the test wants. Header fields are sent without compression and
# those of answers are not decoded: what a test sees are frames.
#
#   my $h2 = R307::H2->connect(port => 20001);
#   $h2->headers(1, ':method' => 'PUT', ':path' => '/a', ...);
#   $h2->data(1, 'xxx', end => 1);
#   my @frames = $h2->frames(1, 2);      # of stream 1, for 2 seconds at most
#   $h2->text(1)                         # the DATA of an answer
package R307::H2;

use strict;
use warnings;

use Time::HiRes qw(sleep time);

use R307::Http ();

use constant { DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4,
               PING => 6, GOAWAY => 7, WINDOW_UPDATE => 8 };
use constant { END_STREAM => 1, ACK => 1, END_HEADERS => 4 };

# What a stream may send before the server grants more (RFC 9113 6.9.2).
use constant WINDOW => 65_535;

my %name = (DATA() => 'DATA', HEADERS() => 'HEADERS',
            RST_STREAM() => 'RST_STREAM', GOAWAY() => 'GOAWAY');

sub connect {
    my ($class, %arg) = @_;
    my $http = R307::Http->connect(%arg);
    my $self = bless { http => $http, window => {}, log => [], text => {},
                       connection => WINDOW }, $class;

    $http->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
              . _frame(SETTINGS, 0, 0, ''));
    return $self;
}

sub _frame {
    my ($type, $flags, $stream, $payload) = @_;
    return substr(pack('N', length $payload), 1)
         . pack('CCN', $type, $flags, $stream) . $payload;
}

# Opens a stream. end => 1 among the fields: there is no body.
sub headers {
    my ($self, $stream, @fields) = @_;
    my ($block, $flags) = ('', END_HEADERS);

    while (my ($field, $value) = splice @fields, 0, 2) {
        $field eq 'end' ? ($flags |= END_STREAM)
            : ($block .= pack('C', 0) . _string($field) . _string($value));
    }
    $self->{window}{$stream} = WINDOW;
    return $self->{http}->send(_frame(HEADERS, $flags, $stream, $block));
}

# A string of RFC 7541, section 5.2; short ones only.
sub _string {
    my ($text) = @_;
    die "too long: $text\n" if length $text > 126;
    return pack 'C/a', $text;
}

# Sends a piece of a body, at most 16,384 bytes.
sub data {
    my ($self, $stream, $bytes, %arg) = @_;

    $self->{window}{$stream} -= length $bytes;
    $self->{connection} -= length $bytes;
    return $self->{http}->send(_frame(DATA, $arg{end} ? END_STREAM : 0,
                                      $stream, $bytes));
}

# Bytes that the server allows to be sent now.
sub window {
    my ($self, $stream) = @_;
    my $own = $self->{window}{$stream};
    return $own < $self->{connection} ? $own : $self->{connection};
}

# Names of the frames of the stream so far, as HEADERS, DATA, "DATA end",
# "RST_STREAM 0" (the error code), "GOAWAY 0". Waits until the stream has
# ended with one of the last three, or is reset, or that many seconds.
sub frames {
    my ($self, $stream, $seconds) = @_;
    my $deadline = time + $seconds;
    my $over = sub { grep { /end|RST|GOAWAY/ } $self->_of($stream) };

    do { $self->_read } while (!$over->() && time < $deadline && sleep 0.02);
    return $self->_of($stream);
}

# As frames(), but waits the whole time for what may follow.
sub all_frames {
    my ($self, $stream, $seconds) = @_;
    my $deadline = time + $seconds;

    while (time < $deadline) {
        $self->_read;
        sleep 0.02;
    }
    return $self->_of($stream);
}

sub _of {
    my ($self, $stream) = @_;
    return map { $_->[1] }
           grep { $_->[0] == $stream || $_->[1] =~ /GOAWAY/ } @{ $self->{log} };
}

sub text { return $_[0]{text}{ $_[1] } // '' }

sub close { $_[0]{http}->close; return }

# Takes what is there.
sub _read {
    my ($self) = @_;
    my $http = $self->{http};

    $http->closed(0.01);
    while (length $http->{in} >= 9) {
        my $len = unpack 'N', "\0" . substr $http->{in}, 0, 3;
        last if length $http->{in} < 9 + $len;
        my ($type, $flags, $stream) = unpack 'x3 C C N', $http->{in};
        $self->_take($type, $flags, $stream,
                     substr substr($http->{in}, 0, 9 + $len, ''), 9);
    }
    return;
}

sub _take {
    my ($self, $type, $flags, $stream, $payload) = @_;

    if (($type == SETTINGS || $type == PING) && !($flags & ACK)) {
        $self->{http}->send(_frame($type, ACK, 0,
                                   $type == PING ? $payload : ''));
    }
    elsif ($type == WINDOW_UPDATE) {
        my $more = unpack 'N', $payload;
        $stream ? ($self->{window}{$stream} += $more)
                : ($self->{connection} += $more);
    }
    elsif ($name{$type}) {
        my $code = $type == RST_STREAM ? ' ' . unpack('N', $payload)
                 : $type == GOAWAY ? ' ' . unpack('x4 N', $payload)
                 : $flags & END_STREAM ? ' end' : '';
        push @{ $self->{log} }, [$stream, $name{$type} . $code];
        $self->{text}{$stream} .= $payload if $type == DATA;
    }
    return;
}

1;
