# What `redirect307 explain` says and what httpd does are the same: the case
# tables of other suites once more, each request through both.  What only a
# running server can know is not explained, and must be said not to be.
use strict;
use warnings;

use R307::Live;
use R307::Tables;
use R307::Tool;

plan(skip_all => 'the tool sees no difference between MPMs: with event only')
    if R307::Env::mpm() ne 'event';

# What other directives of httpd do before rules are asked is beyond a tool
# that knows the rules only; so are requests that are not one for a path.
my $beyond = qr{\b(?:AllowEncodedSlashes|Rewrite\w+|ProxyPass\w*|Alias\w*
                 |SetEnv\w*|DirectoryIndex|RequestHeader|SSI|Include
                 |ErrorDocument|HttpProtocolOptions|UseCanonicalName\s+DNS
                 |MergeSlashes|Define)\b
                 |\bHeader\s+always\s+\w+\s+(?:Vary|Cache-Control)\b}x;

my (%dump, %count);
my %logged;             # what the tables say is logged; their suites look

# What httpd prints of the server's configuration, in a file.
sub dump_of {
    my ($srv) = @_;
    return $dump{ $srv->root } ||= R307::Tool::dump_config($srv->root);
}

sub explain {
    my ($srv, $ask, @more) = @_;
    my @headers = @{ $ask->{headers} };

    push @headers, "Host: $ask->{host}" if !grep { /\AHost:/i } @headers;
    my ($code, $data, $err) = R307::Tool::json('explain', '--json',
        '--dump', dump_of($srv), '-X', $ask->{method},
        (map { ('-H', $_) } @headers), @more, $ask->{target});
    return $code == 0 && $data ? $data->[0] : { error => "$code $err" };
}

sub field { return defined $_[0] ? $_[0] : '(none)' }

# The members of a list, sorted: their order means nothing.
sub members {
    return join ',', sort map { lc } split /\s*,\s*/, field($_[0]);
}

# How the two differ; nothing when they do not.
sub differences {
    my ($told, $res) = @_;
    my $status = $told->{status};
    my @wrong;

    return "explain: $told->{error}" if $told->{error};
    if (!defined $status) {
        return $res->status == 307 ? 'httpd redirects, explain does not' : ();
    }
    push @wrong, "status: httpd " . $res->status . ", explain $status"
        if $res->status != $status;
    return @wrong if $status != 307 || @wrong;
    for my $name (qw(Location Retry-After Cache-Control)) {
        my ($httpd, $tool) = (field($res->header($name)),
                              field($told->{headers}{$name}));
        push @wrong, "$name: httpd $httpd, explain $tool" if $httpd ne $tool;
    }
    push @wrong, 'Vary: httpd ' . field($res->header('Vary')) . ', explain '
        . field($told->{headers}{Vary})
        if members($res->header('Vary')) ne members($told->{headers}{Vary})
           && !@{ $told->{assumed} };
    my $joined = join '', map { $_->{text} } @{ $told->{pieces} };
    push @wrong, "pieces make $joined"
        if defined $told->{location} && $joined ne $told->{location};
    return @wrong;
}

# The rules whose expressions explain did not know.
sub assumed_rules {
    my ($told) = @_;
    return map { /\Aexpr= of rule (\S+)/ ? $1 : () } @{ $told->{assumed} };
}

# Whatever httpd found the expressions to be, one of all cases must be its
# answer.
sub with_assumptions {
    my ($srv, $ask, $told, $res) = @_;
    my @rules = assumed_rules($told);
    my @wrong = 'more rules than can be tried';

    for my $case (1 .. 2 ** @rules - 1) {
        my @true = grep { $case & 1 << $_ } 0 .. $#rules;
        $told = explain($srv, $ask,
                        map { ('--assume', "$rules[$_]=true") } @true);
        @wrong = differences($told, $res);
        return if !@wrong;
        push @rules, grep { my $r = $_; !grep { $_ eq $r } @rules }
                     assumed_rules($told);
        last if @rules > 4;
    }
    return @wrong;
}

sub compare {
    my ($srv, $name, $row, $ask, $res) = @_;
    $logged{$_} = m{\A/(.+)/\z} ? qr/$1/ : $_ for split ' ', $row->{log} || '';
    my $text = R307::Table::unescape(join "\n",
        map { defined $row->{$_} ? $row->{$_} : '' }
            qw(config server htaccess));

    if ($ask->{target} !~ m{\A/} || $text =~ $beyond
        || $ask->{version} ne '1.1') {
        $count{beyond}++;
        return;
    }
    my $told = explain($srv, $ask);
    my @wrong = differences($told, $res);
    @wrong = with_assumptions($srv, $ask, $told, $res)
        if @wrong && @{ $told->{assumed} || [] };
    if (@wrong && @{ $told->{assumed} || [] }
        && grep { /\Aonly httpd knows/ } @{ $told->{assumed} }) {
        $count{expression}++;
        return;
    }
    if (@wrong && @{ $told->{not_covered} || [] }) {
        $count{not_covered}++;
        return;
    }
    $count{same}++ if !@wrong;
    ok(!@wrong, $name);
    diag("  $_") for @wrong;
    return;
}

# A rule where the tool does not look: that must be said, whatever the answer.
sub is_told {
    my ($srv, $name, $row, $ask, $res) = @_;

    $logged{$_} = m{\A/(.+)/\z} ? qr/$1/ : $_ for split ' ', $row->{log} || '';
    return if $ask->{target} !~ m{\A/} || $res->status != 307;
    my $told = explain($srv, $ask);
    return if $told->{error};
    $count{told}++;
    ok(scalar @{ $told->{not_covered} }, "$name: said to be not covered");
    return;
}

my (undef, $tables) = write_sources('live-tables-sources.tsv');
my $believed = "Redirect307GeoFrom cloudflare\n"
             . "Redirect307TrustedProxy 127.0.0.0/8 ::1\n";
my $overrides = "<Directory \"\@DOCROOT\@\">\nAllowOverride FileInfo\n"
              . "</Directory>\n";
my $sites = "Redirect307Site fra https://fra.example at=50.11,8.68\n"
          . "Redirect307Site iad https://iad.example/base at=39.04,-77.49\n"
          . "Redirect307Site sin https://sin.example at=1.35,103.82\n";

{
    local $R307::Table::on_answer = \&compare;
    run_table('live-options.tsv', contexts => [qw(vhost directory)]);
    run_table('live-targets.tsv', contexts => [qw(vhost directory location)]);
    run_table('live-location.tsv', contexts => [qw(vhost location)]);
    run_table('live-vary.tsv', contexts => ['vhost']);
    run_table('live-contexts.tsv', vhost => $overrides,
        files => { 'sub/index.html' => "sub\n", 'x.php' => "x\n" });
    run_table('live-inherit.tsv', vhost => $overrides,
        prelude => "Redirect307 /main https://t.example/main\n",
        files => { 'sub/index.html' => "sub\n" });
    run_table('live-tables.tsv', contexts => [qw(vhost directory)],
        prelude => "Redirect307AllowTo *.allowed.example\n$tables"
                 . "Redirect307Use main\n");
    run_table('rulefile-cases.tsv', contexts => ['directory'],
        prelude => (grep { /\ARedirect307Table one / } split /^/, $tables)[0],
        files => { source_texts('rulefile-files.tsv') });
    run_table('geo-sites.tsv', contexts => [qw(vhost location)],
              prelude => $believed . $sites);
    run_table('geo-vary.tsv', contexts => [qw(vhost directory)],
              prelude => $believed . $sites);
}
{
    local $R307::Table::on_answer = \&is_told;
    run_table('live-targets.tsv', contexts => [qw(if files htaccess)]);
}

note("$_: $count{$_}") for sort keys %count;
cmp_ok($count{same}, '>=', 700, 'so many answers were the same');
cmp_ok(($count{beyond} || 0) + ($count{not_covered} || 0)
       + ($count{expression} || 0), '<', $count{same} / 4,
       'and few could not be compared');
cmp_ok($count{told}, '>=', 20, 'what is not covered was provoked');

# The sources of geography, with the rule and the hosts of their own suite.
my @rows = R307::Table::read_table('geo.tsv');
my @selectors = split ' ',
    'US-CA CA-ON GB-ENG DE,AT FR GB US BR continent:SA continent:AF JP'
    . ' continent:AS eu tor unknown lang:fr lang:pt-BR lang:pt lang:en'
    . ' continent:EU default';
my %peers = (trusted => 'Redirect307TrustedProxy 127.0.0.0/8 ::1',
             untrusted => 'Redirect307TrustedProxy 192.0.2.0/24');
my (%host, $config);
for my $row (@rows) {
    next if $host{"$row->{from}\t$row->{peer}"};
    my $host = $host{"$row->{from}\t$row->{peer}"} = 'h' . keys(%host)
                                                   . '.test';
    $config .= "<VirtualHost *:\@PORT\@>\nServerName $host\n"
        . "Redirect307GeoFrom $row->{from}\n$peers{ $row->{peer} }\n"
        . 'Redirect307Geo /g ' . join(' ', map {
              (my $name = $_) =~ tr/,:/-./; "$_=https://t.example/$name"
          } @selectors) . "\n</VirtualHost>\n";
}
my $srv = server(name => 'geo', config => $config);
for my $row (@rows) {
    (my $name = $row->{selector}) =~ tr/,:/-./;
    my $told = explain($srv, {
        method => 'GET', target => '/g',
        host => $host{"$row->{from}\t$row->{peer}"},
        headers => [split /\n/, R307::Table::unescape($row->{headers})] });
    is(field($told->{headers}{Location}), "https://t.example/$name",
       "geo.tsv:$row->{line}: $row->{name}") or diag($told->{error} || '');
}
$srv->stop;

end_suite(allow => ['R307-0331', values %logged]);
