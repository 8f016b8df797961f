# R307::Geo is what the suites of geography share: the table of who is sent
# where (t/data/geo.tsv) as virtual hosts, a rule in every context that there
# is (t/data/geo-contexts.tsv), and many requests in a short time.  Called by
# t/95-geo.t and t/96-geocache.t.  It knows nothing of what makes a visitor's
# place known; the tables do.
package R307::Geo;

use strict;
use warnings;

use Exporter 'import';
use IO::Select ();
use IO::Socket::INET ();
use Test::More ();
use Time::HiRes qw(time);

use R307::Env ();
use R307::Server ();
use R307::Table ();

our @EXPORT = qw(run_selectors run_contexts ask_many tally);

# Seconds for what takes two or three: the machine may be busy.
use constant PATIENCE => $ENV{R307_SLOW} ? 300 : 60;

# ---- who is sent where ----

# The rule of geo.tsv, in its order.
my @selectors = split ' ',
    'US-CA CA-ON GB-ENG DE,AT FR GB US BR continent:SA continent:AF JP'
    . ' continent:AS eu tor unknown lang:fr lang:pt-BR lang:pt lang:en'
    . ' continent:EU default';

my %peer = (
    trusted   => 'Redirect307TrustedProxy 127.0.0.0/8 ::1',
    untrusted => 'Redirect307TrustedProxy 192.0.2.0/24',
);

sub _target {
    my ($selector) = @_;
    (my $name = $selector) =~ tr/,:/-./;
    return "https://t.example/$name";
}

# One virtual host for each list of sources and kind of peer, one test for each
# row.
sub run_selectors {
    my ($file) = @_;
    my @rows = R307::Table::read_table($file);
    my $rule = join ' ', 'Redirect307Geo /g',
                    map { "$_=" . _target($_) } @selectors;
    my %known = map { $_ => 1 } @selectors;
    my (%host, $config);

    for my $row (@rows) {
        die "$file:$row->{line}: no such selector: $row->{selector}\n"
            if !$known{ $row->{selector} };
        next if $host{"$row->{from}\t$row->{peer}"};
        my $host = 'h' . keys(%host) . '.test';
        $host{"$row->{from}\t$row->{peer}"} = $host;
        $config .= "<VirtualHost *:\@PORT\@>\nServerName $host\n"
                 . "Redirect307GeoFrom $row->{from}\n$peer{ $row->{peer} }\n"
                 . "$rule\n</VirtualHost>\n";
    }
    my $srv = R307::Server->new(name => 'selectors', config => $config);
    for my $row (@rows) {
        my $got = _ask($srv, $host{"$row->{from}\t$row->{peer}"},
                       split /\n/, R307::Table::unescape($row->{headers}));
        my $want = '307 ' . _target($row->{selector});

        Test::More::is($got, $want, "$file:$row->{line}: $row->{name}");
    }
    $srv->stop;
    return;
}

my %kept;               # name of a server => its connection

sub _ask {
    my ($srv, $host, @headers) = @_;
    my $conn = $kept{ $srv->name };

    $conn = $srv->connect if !$conn || $conn->closed(0);
    $conn->send($srv->bytes(target => '/g', host => $host, keepalive => 1,
                            headers => \@headers));
    my $res = eval { $conn->response('GET') };
    $kept{ $srv->name } =
        $res && ($res->header('Connection') || '') !~ /close/i ? $conn : undef;
    return "no answer: $@" if !$res;
    return join ' ', $res->status,
                grep { defined } $res->header('Location'), $res->defect;
}

# ---- every context ----

# name => [a rule, what stands around the rules of a row, what stands around all
# of them or beside the file, the file].  PATH is the rule's path, RULE the
# words behind it.  Contexts named bare-* have the rule without its path:
# nothing is appended there.
my $override = "<Directory \"\@DOCROOT\@\">\nAllowOverride FileInfo\n"
             . "</Directory>";
my %context = (
    server    => ['Redirect307Geo PATH RULE', '%s', '%s'],
    vhost     => ['Redirect307Geo PATH RULE', '%s', '%s'],
    location  => ['Redirect307Geo PATH RULE', '%s',
                  "<Location \"/\">\n%s</Location>"],
    directory => ['Redirect307Geo PATH RULE', '%s',
                  "<Directory \"\@DOCROOT\@\">\n%s</Directory>"],
    files     => ['Redirect307Geo PATH RULE', '%s',
                  "<Files \"x.html\">\n%s</Files>"],
    if        => ['Redirect307Geo PATH RULE', '%s', "<If \"true\">\n%s</If>"],
    htaccess  => ['Redirect307Geo PATH RULE', '%s', $override, '/.htaccess'],
    table     => ['PATH geo RULE', '%s', 'Redirect307Use geo', '/../geo.rules'],
    rulefile  => ['PATH geo RULE', '%s', "<Directory \"\@DOCROOT\@\">\n"
                  . "Redirect307File .htrules\n</Directory>", '/.htrules'],
    'bare-location'  => ['Redirect307Geo RULE',
                         "<Location \"PATH\">\n%s</Location>\n", '%s'],
    'bare-directory' => ['Redirect307Geo RULE',
                         "<Directory \"\@DOCROOT\@PATH\">\n%s</Directory>\n",
                         '%s'],
    'bare-htaccess'  => ['Redirect307Geo RULE', '%s', $override,
                         'PATH/.htaccess'],
);

# Runs the table in all contexts, one server each.  Columns:
#   name      what the case shows
#   rule      words behind the URL-path; several rules are separated by \n. In
#             a context of lines (table, rulefile), a first word before "| " is
#             put in front of the path: "host.test| DE=..."
#   rest      what the request has behind the rule's path, if not /x.html; "-"
#             for nothing
#   method    if not GET
#   headers   request headers, separated by \n
#   location  expected Location without the rest, which is appended; "=" in
#             front: as it stands; empty: the file is served; a status. PATH
#             is the rule's path
#   also      as in R307::Table
#   contexts  where the case holds, if not everywhere; "-name": not there
sub run_contexts {
    my ($file, %arg) = @_;

    for my $name (sort keys %context) {
        my @rows = R307::Table::read_table($file);
        $rows[$_]{path} = "/r$_" for 0 .. $#rows;
        @rows = grep { _holds_in($_->{contexts}, $name) } @rows;
        Test::More::note("$file in $name");
        _run_context($file, $name, \@rows, $arg{prelude} || '');
    }
    return;
}

sub _holds_in {
    my ($contexts, $name) = @_;
    my @words = split ' ', $contexts;
    my %is = map { $_ => 1 } @words;

    return !$is{"-$name"} && (!(grep { !/\A-/ } @words) || $is{$name});
}

sub _run_context {
    my ($file, $name, $rows, $prelude) = @_;
    my ($line, $each, $around, $into) = @{ $context{$name} };
    my (%files, $text);

    for my $row (@$rows) {
        my $rules = _rules($row, $line, $each);
        $files{"htdocs$row->{path}/x.html"} = "page\n";
        if (defined $into) {
            (my $to = $into) =~ s/PATH/$row->{path}/;
            $files{"htdocs$to"} .= $rules;
        }
        else {
            $text .= $rules;
        }
    }
    my $config = defined $text ? sprintf $around, $text : $around;
    $config = "ServerName host.test\n$config" if $name ne 'server';
    $config = "<VirtualHost *:\@PORT\@>\nServerAlias *.test\n$config\n"
            . "</VirtualHost>" if $name ne 'server';
    $prelude .= "Redirect307Table geo \"file:\@ROOT\@/geo.rules\"\n"
        if $name eq 'table';
    my ($srv, $error) = R307::Server->try_new(
        name => "geo-$name", files => \%files, config => "$prelude$config\n");
    if (!$srv) {
        Test::More::fail("$file in $name: the server starts");
        Test::More::diag($error);
        return;
    }
    _judge($srv, $file, $name, $_) for @$rows;
    $srv->stop;
    return;
}

sub _rules {
    my ($row, $line, $each) = @_;
    my $out = '';

    for my $rule (split /\n/, R307::Table::unescape($row->{rule})) {
        my $before = $rule =~ s/\A(\S+)\| // ? $1 : '';
        (my $made = $line) =~ s/PATH/$before$row->{path}/;
        $made =~ s/RULE/$rule/;
        $out .= "$made\n";
    }
    $each =~ s/PATH/$row->{path}/;
    return sprintf $each, $out;
}

sub _judge {
    my ($srv, $file, $name, $row) = @_;
    my $rest = $row->{rest} eq '' ? '/x.html'
             : $row->{rest} eq '-' ? '' : $row->{rest};
    my $want = _wanted($name, $row->{location} =~ s/PATH/$row->{path}/r, $rest);
    my @problems;

    my $res = eval {
        $srv->request(method => $row->{method} || 'GET',
            target => "$row->{path}$rest", host => 'host.test',
            headers => [split /\n/, R307::Table::unescape($row->{headers})]);
    };
    my $got = !$res ? "no answer: $@"
            : join ' ', $res->status, grep { defined } $res->header('Location'),
                                                       $res->defect;
    push @problems, "got  $got", "want $want" if $got ne $want;
    push @problems, R307::Table::_headers_wrong($res,
        R307::Table::unescape($row->{also})) if $res;
    Test::More::ok(!@problems, "$file:$row->{line}: $name: $row->{name}");
    Test::More::diag("  $_") for @problems;
    return;
}

sub _wanted {
    my ($context, $location, $rest) = @_;

    return $location || 200 if $location !~ m{[:/]};
    return "307 $location"  if $location =~ s/\A=//;
    $rest =~ s{\A[^?]*}{} if $context =~ /\Abare-/;
    return "307 $location$rest";
}

# ---- many requests ----

use constant { CONNECTIONS => 4, BATCH => 250 };

# Sends HEAD requests for the target, pipelined on several connections, one
# for each element of a list: its header lines, each with its line end.
# Returns the answers in that order: Location, or the status without one.
sub ask_many {
    my ($srv, $target, @headers) = @_;
    my @conns = map { _many_connect($srv) } 1 .. CONNECTIONS;
    my $deadline = time + PATIENCE;
    my @answers;

    for (my $i = 0; $i < @headers; $i += BATCH * @conns) {
        my @sizes;
        for my $c (0 .. $#conns) {
            my $from = $i + $c * BATCH;
            my $to   = $from + BATCH - 1;
            $to = $#headers if $to > $#headers;
            push @sizes, $to - $from + 1;
            _write_all($conns[$c], join('', map {
                "HEAD $target HTTP/1.1\r\nHost: localhost\r\n$_\r\n"
            } @headers[$from .. $to]), $deadline) if $to >= $from;
        }
        for my $c (0 .. $#conns) {
            push @answers, _read_heads($conns[$c], $sizes[$c], $deadline)
                if $sizes[$c] > 0;
        }
    }
    close $_ for @conns;
    return @answers;
}

# answer => how often
sub tally {
    my %n;
    $n{$_}++ for @_;
    return \%n;
}

sub _many_connect {
    my ($srv) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', Proto => 'tcp',
                                  PeerPort => $srv->port, Timeout => 10)
        or die "connect: $@\n";
    return $s;
}

# 250 small requests fit in the kernel's buffers, so nobody waits for anybody.
sub _write_all {
    my ($s, $bytes, $deadline) = @_;

    while (length $bytes) {
        IO::Select->new($s)->can_write($deadline - time)
            or die "the server takes no more requests\n";
        my $n = syswrite $s, $bytes;
        die "write: $!\n" if !defined $n;
        substr $bytes, 0, $n, '';
    }
    return;
}

sub _read_heads {
    my ($s, $count, $deadline) = @_;
    my ($in, $seen, @answers) = ('', 0);

    while (($seen = () = $in =~ /\r\n\r\n/g) < $count) {
        IO::Select->new($s)->can_read($deadline - time)
            or die "$seen of $count answers in time\n";
        sysread $s, $in, 262_144, length $in
            or die "the connection ended after $seen of $count answers\n";
    }
    for my $head (split /\r\n\r\n/, $in) {
        push @answers, $head =~ /^Location: (\S+)/m ? $1
                     : $head =~ m{\AHTTP/1\.1 (\d+)} ? $1 : 'nonsense';
    }
    return @answers;
}

1;
