# Moving over by renaming: a configuration of mod_alias gives the same answers
# as ours, but for the improvements listed in data/live-drop-in-better.tsv, and
# each of those is seen at least once.
use strict;
use warnings;

use R307::Live;

my @configs = R307::Table::read_table('live-drop-in.tsv');
my @paths   = map { $_->{request} }
              R307::Table::read_table('live-drop-in-paths.tsv');
my @better  = R307::Table::read_table('live-drop-in-better.tsv');
my %count   = (same => 0, better => 0);

sub rename_directives {
    my ($text) = @_;
    $text =~ s/\bRedirect 307\b/Redirect307/g;
    $text =~ s/\bRedirectMatch 307\b/Redirect307Match/g;
    $text =~ s/\bRedirectRelative\b/Redirect307Relative/g;
    return $text;
}

# One server with all configurations in one context; the virtual hosts have
# the same names on both.
sub start {
    my ($name, $context, $rename, @rows) = @_;
    my ($config, $files) = R307::Table::_build($context,
        [map { { %$_, config => $rename->($_->{config}),
                      server => $rename->($_->{server}) } } @rows],
        files => { 'old/a/index.html' => "a\n", 'old/page.html' => "p\n",
                   'old/pic.gif' => "g\n", 'old/s.php' => "s\n" });
    return server(name => $name, config => $config,
                  files => $files);
}

# The answer with the port replaced: the two servers have different ones.
sub answer {
    my ($srv, $host, $request) = @_;
    my ($method, $target, $version) = R307::Table::_request($request);
    my $port = $srv->port;
    my $res = $srv->request(method => $method, target => $target,
                            version => $version, host => "$host:$port");
    my $l = $res->header('Location');
    my $text = $res->status . (defined $l ? " $l" : '');
    $text =~ s/:$port\b/:PORT/;
    return ($text, $res->defect);
}

# Two answers that name the same URL: unreserved octets decoded, hex in
# capitals (RFC 3986 section 6.2.2).
sub same_url {
    my @n = map {
        my $s = $_;
        $s =~ s{%([0-9A-Fa-f]{2})}{
            my $c = chr hex $1;
            $c =~ /[A-Za-z0-9._~-]/ ? $c : '%' . uc $1
        }ge;
        $s;
    } @_;
    return $n[0] eq $n[1];
}

sub improvement {
    my ($name, $request, $alias, $ours) = @_;
    for my $b (@better) {
        return $b if $name =~ /\A(?:$b->{config})\z/
                  && $request =~ /\A(?:$b->{request})\z/
                  && $alias =~ /\A(?:$b->{alias})\z/
                  && ($b->{ours} eq '=encoding'
                        ? same_url($alias, $ours)
                        : $ours =~ /\A(?:$b->{ours})\z/);
    }
    return;
}

for my $context (qw(vhost location directory htaccess)) {
    my @rows = grep {
        !length $_->{contexts}
        || grep { $_ eq $context } split ' ', $_->{contexts}
    } @configs;
    my $alias = start("mod-alias-$context", $context, sub { $_[0] },
                      @rows);
    my $ours  = start("redirect307-$context", $context, \&rename_directives,
                      @rows);

    for my $i (0 .. $#rows) {
        my @problems;
        for my $request (@paths) {
            my ($x) = answer($alias, "c$i.test", $request);
            my ($y, $defect) = answer($ours, "c$i.test", $request);
            push @problems, "$request: $defect" if defined $defect;
            if ($x eq $y) {
                $count{same}++;
                next;
            }
            my $why = improvement($rows[$i]{name}, $request, $x, $y);
            if ($why) {
                $count{better}++;
                $why->{seen} = 1;
                next;
            }
            push @problems, "$request", "  mod_alias: $x", "  ours:      $y";
        }
        ok(!@problems, "$context: $rows[$i]{name}");
        diag("  $_") for @problems;
    }
    $_->stop for $alias, $ours;
}

cmp_ok($count{same}, '>', 5 * $count{better},
       "$count{same} answers are the same, $count{better} better");
for my $b (@better) {
    ok($b->{seen}, "improvement: $b->{why}");
}

# mod_alias' 500 for a CR or LF is also logged.
end_suite(allow_in => {
    map { ("mod-alias-$_" => ['AH02430']) } qw(vhost location directory htaccess)
});
