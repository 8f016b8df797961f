# R307::Ports owns the loopback ports of a test run.
#
# A run takes a block of ports below the ephemeral range and holds the first
# port of the block open for as long as it lives: that socket is the lock, so
# two runs on one machine never share a block and nothing is left behind when
# a run is killed.  Called by t/run-live (reserve) and R307::Server (take).
# It knows nothing about httpd.
package R307::Ports;

use strict;
use warnings;

use IO::Socket::INET ();
use IO::Socket::IP ();

use constant {
    FIRST => 20_000,
    LAST  => 31_900,
    BLOCK => 60,
};

my $lock;

# Returns the first port of a block that now belongs to this process and its
# children.
sub reserve {
    my $blocks = int((LAST - FIRST) / BLOCK);
    my $start  = int(rand($blocks));

    for my $try (0 .. $blocks - 1) {
        my $base = FIRST + (($start + $try) % $blocks) * BLOCK;

        $lock = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                      LocalPort => $base,
                                      Listen => 1, Proto => 'tcp')
            or next;
        return $base;
    }
    die "no free block of ports between " . FIRST . " and " . LAST . "\n";
}

# True when nothing listens on the port, on either loopback address.
sub is_free {
    my ($port) = @_;

    my $s4 = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                   LocalPort => $port, Listen => 1,
                                   ReuseAddr => 1, Proto => 'tcp')
        or return 0;
    if (has_ipv6()) {
        my $s6 = IO::Socket::IP->new(LocalHost => '::1', LocalPort => $port,
                                     Listen => 1, ReuseAddr => 1)
            or return 0;
        close $s6;
    }
    close $s4;
    return 1;
}

my $next = 0;

# Returns the next free port of the block in R307_PORT_BASE.  Port base+1
# belongs to the shared server.
sub take {
    $ENV{R307_PORT_BASE} = reserve() if !$ENV{R307_PORT_BASE};

    for (1 .. 2 * BLOCK) {
        my $port = $ENV{R307_PORT_BASE} + 2 + ($next++ % (BLOCK - 2));
        return $port if is_free($port);
    }
    die "every port of the block at $ENV{R307_PORT_BASE} is busy\n";
}

my $ipv6;

# True when ::1 can be used here.
sub has_ipv6 {
    if (!defined $ipv6) {
        my $s = IO::Socket::IP->new(LocalHost => '::1', LocalPort => 0,
                                    Listen => 1);
        $ipv6 = $s ? 1 : 0;
    }
    return $ipv6;
}

1;
