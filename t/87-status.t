# The status page: its formats, what may be asked, that nothing of a request
# or a rule gets into it as markup, that the box says what httpd does, and in
# a browser sorting, searching and explaining; the health of sites; and that the
# tool reads the JSON.
use strict;
use warnings;

use JSON::PP ();

use R307::Devtools;
use R307::Live;
use R307::Status;
use R307::Tables;
use R307::Tool;

use constant ATTACK => '<script>window.broken=1</script>"\'&]]>';

my @modules = (R307::Tables::modules(),
               has_httpd_module('status') ? ('status') : ());
my $dir = R307::Env::scratch('sources');
R307::Tables::put("$dir/t.rules", join '', map {
    "/t/item/$_ https://t.example/$_" . ($_ == 2 ? " name=t2\n" : "\n")
} 1 .. 300);

my $srv = server(name => 'status', modules => \@modules, files => {
        'htdocs/stop/index.html' => "stop\n",
        'htdocs/ht/.htaccess' => "Redirect307 /ht/a https://ht.example/\n"
                               . "Redirect307File more.rules\n",
        'htdocs/ht/more.rules' => "/ht/b https://file.example/\n",
    }, config => R307::Status::config() . <<"EOC");
Redirect307Table t "file:$dir/t.rules" refresh=0
Redirect307Site here https://here.example at=50,8 local
Redirect307Site west https://west.example "while=-f '\@ROOT\@/run/west-up'"
Redirect307 /plain https://plain.example/ name=plain
Redirect307Geo /geo DE=https://de.example/ default=https://x.example/ name=geo
Redirect307 /methods https://m.example/ methods=POST name=posted
Redirect307 /stop -
Redirect307 /expired https://e.example/ until=2020-01-01T00:00:00Z
Redirect307 /later https://e.example/ from=2099-01-01T00:00:00Z
Redirect307 /dry https://dry.example/ dryrun name=dry
Redirect307 /dry https://after.example/ name=after
Redirect307 "/x<script>window.broken=1</script>\\"'&]]>" https://evil.example/
Redirect307Match "^/m\\"'&amp;<img src=x onerror=window.broken=1>" https://evil2.example/
Redirect307 /cond https://evil3.example/ "expr=%{QUERY_STRING} == '<b>\\"&'"
Redirect307Use t
<Location /section>
    Redirect307 https://section.example/ name=insection
</Location>
<Location /cors>
    Redirect307CORS https://app.example
    Redirect307 https://cors.example/ name=cors
</Location>
<Directory "\@DOCROOT\@/ht">
    AllowOverride FileInfo
</Directory>
<IfModule status_module>
<Location /server-status>
    SetHandler server-status
</Location>
</IfModule>
<VirtualHost *:\@PORT\@>
    ServerName localhost
</VirtualHost>
<VirtualHost *:\@PORT\@>
    ServerName other.example
    Redirect307 /vhost https://vhost.example/
</VirtualHost>
EOC

my $page = R307::Status::PATH;

# ---- what may be asked ----

for my $row (R307::Table::read_table('status-queries.tsv')) {
    my $res = $srv->request(method => $row->{method},
        target => "$page$row->{query}",
        $row->{method} =~ /\AP/ ? (body => 'x') : ());
    my @wrong = $res->status == $row->{status} ? ()
              : ('status ' . $res->status);
    for my $re (split /\n/, R307::Table::unescape($row->{says} // '')) {
        push @wrong, "nothing matches $re" if $res->body !~ /$re/;
    }
    push @wrong, 'a body' if $row->{method} eq 'HEAD' && length $res->body;
    push @wrong, 'it may be stored'
        if $row->{status} == 200
        && ($res->header('Cache-Control') // '') ne 'no-store';
    is(join(', ', @wrong), '', "line $row->{line}: $row->{name}");
}
$srv->log->mark;
$srv->get("$page?format=xml");
logged($srv, qr/R307-0447: .*format= is html, json or openmetrics/,
       'what is wrong with a query is logged');

# ---- the schema ----

my %schema = (
    '' => [qw(errors minutes recent rules schema server sites tables totals
              unlisted)],
    server => [qw(counting restarts since software time)],
    totals => [qw(dry_runs failed redirects refused stops uncounted)],
);
$srv->get('/plain/one');
$srv->request(target => '/geo', headers => ['X-Forwarded-For: ' . ATTACK]);
my $status = status_of($srv);
for my $name (sort keys %schema) {
    my $part = length $name ? $status->{$name} : $status;
    is("@{[ sort keys %$part ]}", "@{ $schema{$name} }",
       'JSON: the members of ' . ($name || 'the document'));
}
is($status->{schema}, 'redirect307-status/1', 'the schema has a name');
my %members = (
    rules => [$status->{rules}{items},
              qw(conditions directive dry_run dry_runs first_hit hits host
                 kind last_hit name path section server source state target)],
    tables => [$status->{tables},
               qw(bytes compiled configured dry_runs error first_hit
                  generation hits last_hit name refresh rules source)],
    sites => [$status->{sites},
              qw(health local name reason server source url)],
    recent => [$status->{recent},
               qw(error location method outcome rule time url)],
    minutes => [$status->{minutes}, qw(redirects time)],
);
for my $name (sort keys %members) {
    my ($items, @want) = @{ $members{$name} };
    my ($first) = grep { !$_->{choices} } @$items;
    is("@{[ sort keys %$first ]}", "@want", "JSON: the members of $name");
}
is(scalar @{ $status->{minutes} }, 60, 'an hour');
is($status->{minutes}[-1]{redirects} + $status->{minutes}[-2]{redirects}, 2,
   'with its redirects');
is($status->{recent}[-1]{url}, 'localhost/plain/one', 'a decision');
my %state = map { ($_->{path} // '' => $_->{state}) }
            @{ $status->{rules}{items} };
is(join(' ', @state{qw(/plain /expired /later)}), 'active expired not yet',
   'whether rules are valid');
my $docs = do {
    open my $fh, '<', "$ENV{R307_TOP}/docs/directives.md" or die $!;
    local $/;
    <$fh>;
};
for my $member (map({ @{ $schema{$_} } } keys %schema),
                map({ @$_[1 .. $#$_] } values %members)) {
    fail("JSON: '$member' is in docs/directives.md")
        if $docs !~ /^\| `(?:[a-z_.]+\[?\]?\.)?\Q$member\E`/m
        && $docs !~ /`\Q$member\E`/;
}

# ---- the box ----

for my $row (R307::Table::read_table('status-explain.tsv')) {
    my $url = ($row->{host} ? "http://$row->{host}" : '') . $row->{target};
    my $res = $srv->request(method => $row->{method},
        target => $row->{target},
        $row->{host} ? (host => $row->{host}) : (),
        $row->{method} eq 'POST' ? (body => 'x') : ());
    my $before = status_of($srv)->{totals}{redirects};
    my $got = status_of($srv, explain => "$row->{method} $url");
    my $e = $got->{explained};
    my $text = JSON::PP->new->canonical->encode($e);
    my @wrong;

    push @wrong, 'httpd answers ' . $res->status
        if $res->status != $row->{status};
    push @wrong, 'Location ' . ($e->{location} // 'none') . ', httpd '
               . ($res->header('Location') // 'none')
        if ($e->{location} // '') ne ($res->header('Location') // '');
    for my $re (split /\n/, R307::Table::unescape($row->{says})) {
        push @wrong, "nothing matches $re" if $text !~ /$re/;
    }
    push @wrong, 'it was counted'
        if status_of($srv)->{totals}{redirects} != $before;
    is(join("\n", @wrong), '', "explain, line $row->{line}: $row->{name}")
        or diag($text);
}
for my $nonsense ('', 'GET', 'GET shop', "GET /a\tb", 'GET http:///x',
                  "GET /\xff") {
    my $e = status_of($srv, explain => $nonsense)->{explained};
    ok(defined $e->{error} && !defined $e->{status},
       'explain: ' . substr(quotemeta $nonsense, 0, 20)
       . " is not explained: $e->{error}");
}

# ---- metrics ----

my $metrics = $srv->get("$page?format=openmetrics");
is($metrics->header('Content-Type'), 'application/openmetrics-text; '
   . 'version=1.0.0; charset=utf-8', 'the type of OpenMetrics');
like($metrics->body, qr/^redirect307_rule_hits_total\{rule="plain",[^}]*\} \d+$/m,
     'a rule');
SKIP: {
    my ($python) = grep {
        -x $_ && system("$_ -c 'import prometheus_client' 2>/dev/null") == 0
    } '/usr/bin/python3', map { "$_/python3" } split /:/, $ENV{PATH} || '';
    skip 'python3-prometheus-client is not installed', 2 if !$python;
    my $file = R307::Env::scratch('metrics') . '/metrics';
    R307::Env::write_file($file, $metrics->body);
    open my $out, '-|', $python, '-c', <<'EOP', $file or die "$python: $!\n";
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
seen, samples = set(), 0
for family in text_string_to_metric_families(open(sys.argv[1]).read()):
    for s in family.samples:
        samples += 1
        key = (s.name, tuple(sorted(s.labels.items())))
        if key in seen:
            raise SystemExit("twice: %r" % (key,))
        seen.add(key)
        if "onerror=" in s.labels.get("rule", ""):
            print("rule", s.labels["rule"])
print("samples", samples)
EOP
    my $said = join '', <$out>;
    ok(close $out, "Prometheus' own parser reads it") or diag($said);
    like($said, qr/^samples (?:[3-9]\d|\d{3,})$/m, 'all of it');
}

# ---- nothing gets in ----

(my $encoded = ATTACK) =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ge;
$srv->request(target => "/plain/$encoded?$encoded",
              headers => ['User-Agent: ' . ATTACK, 'Referer: ' . ATTACK]);
$srv->request(target => '/plain/x', method => 'GET', host => 'localhost');
for my $query ('', "?q=$encoded", "?explain=GET+/$encoded",
               "?explain=$encoded", "?explain=GET+/plain/$encoded",
               "?table=$encoded", "?$encoded=$encoded", '?table=t') {
    my $res = $srv->get("$page$query", 'User-Agent: ' . ATTACK);
    my $body = $res->body;
    my ($nonce) = ($res->header('Content-Security-Policy') // '')
                =~ /script-src 'nonce-([A-Za-z0-9+\/=]{20,})'/;
    my @wrong;

    next if $res->status == 400 && pass("$query is refused");
    push @wrong, 'no policy' if !$nonce;
    my @scripts = $body =~ /<script([^>]*)>/g;
    push @wrong, "scripts: @scripts"
        if @scripts != 1 || $scripts[0] ne qq( nonce="@{[ $nonce // '' ]}");
    push @wrong, 'an inline handler' if $body =~ /<[^>]+\son\w+\s*=/;
    push @wrong, 'markup from outside'
        if $body =~ /<img|<b>"|broken=1<\/script/;
    push @wrong, 'a foreign resource'
        if $body =~ /(?:src|href)="(?:https?:)?\/\//;
    push @wrong, "a style" if $body =~ /<[^>]+\sstyle=/;
    is("@wrong", '', "nothing gets in: $query");
}
my @nonces = map { $srv->get($page)->header('Content-Security-Policy') } 1, 2;
isnt($nonces[0], $nonces[1], 'each page has a nonce of its own');
like($nonces[0], qr/\Adefault-src 'none'; .*frame-ancestors 'none'\z/,
     'and a strict policy');
is($srv->get($page)->header('X-Content-Type-Options'), 'nosniff', 'no type '
   . 'is guessed');
unlike($srv->get("$page?format=json")->body, qr/window\.broken=1\?|%22%27%26%5D%5D%3E"?\?/,
       'query strings of requests are left out');

# ---- mod_status ----

SKIP: {
    skip 'this httpd has no mod_status', 3
        if !has_httpd_module('status') && !R307::Env::is_static('status');
    my $auto = $srv->get('/server-status?auto')->body;
    my $now = status_of($srv)->{totals};
    is(join(' ', $auto =~ /^Redirect307-redirects: (\d+)$/m),
       $now->{redirects}, 'a line of server-status?auto');
    my @lines = $auto =~ /^Redirect307-\w+: \d+$/mg;
    is(scalar @lines, 6, 'six of them');
    like($srv->get('/server-status')->body,
         qr{<h2>Redirects \(mod_redirect307\)</h2>.*<dt>redirects: \d+</dt>}s,
         'a section of server-status');
}

# ---- sites ----

# As JSON has them: "name health reason"; as the page and metrics do.
sub sites_in_json {
    return join ', ', map { "$_->{name} $_->{health} " . ($_->{reason} // '-') }
           @{ status_of($srv)->{sites} };
}
sub sites_in_html {
    my ($rows) = $srv->get($page)->body =~ m{id="sites">.*?<tbody>(.*?)</tbody>}s;
    return join ', ', map { s/<[^>]*>/ /gr =~ s/ +/ /gr }
           $rows =~ m{<tr><td data-label="Site">(.*?)</td><td data-label="URL">}g;
}
sub sites_in_metrics {
    return join ' ', $srv->get("$page?format=openmetrics")->body
        =~ /^redirect307_site_up\{site="([^"]+)",[^}]*\} ([01])$/mg;
}
my $flag = $srv->root . '/run/west-up';
is(sites_in_json(), 'here always -, west down its while= is false',
   'a site is down, another one is not watched');
like(sites_in_html(), qr/\A here this server always , +west down its while= is false/,
     'the page says so');
is(sites_in_metrics(), 'here 1 west 0', 'and the metrics');
R307::Env::write_file($flag, '');
is(sites_in_json(), 'here always -, west up -', 'it comes up');
like(sites_in_html(), qr/, +west up \s*\z/, 'on the page too');
is(sites_in_metrics(), 'here 1 west 1', 'and in the metrics');
unlink $flag or die "$flag: $!\n";
is(sites_in_json(), 'here always -, west down its while= is false',
   'and goes down');

# ---- the tool reads it ----

my $saved = R307::Env::scratch('saved') . '/status.json';
sub save {
    my $res = $srv->get("$page?format=json$_[0]");
    R307::Env::write_file($saved, $res->body);
    return JSON::PP->new->utf8->decode($res->body)->{rules};
}
my $rules = save('');
my @most = sort { $b->{hits} <=> $a->{hits} or $a->{name} cmp $b->{name} }
           @{ $rules->{items} };
my ($code, $top, $err) = R307::Tool::json('top', '-n', 3, '--json', $saved);
is("$code $err", '0 ', 'redirect307 top takes the JSON');
is(join(' ', map { "$_->{name}:$_->{hits}" } @{ $top || [] }),
   join(' ', map { "$_->{name}:$_->{hits}" } @most[0 .. 2]),
   'and finds the most used');
($code, my $out, $err) = R307::Tool::run('top', '-n', 1, $saved);
like("$code $out", qr/\A0 +$most[0]{hits}  \d{4}-\S+Z  \Q$most[0]{name}\E /,
     'as text, with the last hit');
($code, my $unused, $err) = R307::Tool::json('unused', '--json', '--since',
                                            '2000-01-01', $saved);
my @never = map { $_->{source} } grep { !$_->{last_hit} } @{ $rules->{items} };
cmp_ok(scalar @never, '>', 3, 'some rules were never hit');
is($code, 1, 'redirect307 unused finds rules');
is(join(' ', map { $_->{source} } @{ $unused || [] }), "@never",
   'those that nothing has come to, not even a dry run');
like($err, qr/the counters began only at \d{4}-/, 'and says since when');
($code, $unused) = R307::Tool::json('unused', '--json', '--since',
                                    '2999-01-01', $saved);
is(scalar @{ $unused || [] }, scalar @{ $rules->{items} },
   'a date before which all hits lie');
save('&limit=2');
(undef, undef, $err) = R307::Tool::run('top', $saved);
like($err, qr/holds 2 of $rules->{total} rules/, 'a part is said to be one');
$rules = save('&table=t&sort=hits');
($code, $top) = R307::Tool::json('top', '-n', 1, '--json', $saved);
is("$code $top->[0]{name}:$top->[0]{hits}",
   "0 $rules->{items}[0]{name}:$rules->{items}[0]{hits}",
   'the rules of a table likewise');

# ---- in a browser ----

SKIP: {
    my $browser = R307::Devtools->start
        or skip 'no chromium: nothing is tried in a browser', 8;
    $srv->get('/methods') for 1 .. 2;
    $srv->get('/stop/') for 1 .. 3;
    $browser->open('http://127.0.0.1:' . $srv->port . $page);
    ok($browser->eval('document.querySelectorAll("th button").length') > 8,
       'the script runs');
    my $names = '[...document.querySelectorAll("#rules tbody tr")]'
              . '.filter(r => !r.hidden).map(r => r.cells[4].dataset.sort)'
              . '.join(" ")';
    my @before = split ' ', $browser->eval($names);
    my $click = 'document.querySelectorAll("#rules th button")[4].click()';
    $browser->eval($click);
    is($browser->eval($names), join(' ', sort { $b <=> $a } @before),
       'a click sorts by hits');
    $browser->eval($click);
    is($browser->eval($names), join(' ', sort { $a <=> $b } @before),
       'another one the other way');
    $browser->eval('var s = document.querySelector("input[data-filter]");'
        . 's.value = "HTTPS://PLAIN"; s.dispatchEvent(new Event("input"))');
    is($browser->eval('[...document.querySelectorAll("#rules tbody tr")]'
        . '.filter(r => !r.hidden).length'), 1, 'search leaves one rule');
    $browser->eval('document.querySelector("#explain input").value ='
        . '"GET /plain/<script>window.broken=1<\/script>".replace(/[<>]/g,'
        . 'encodeURIComponent);'
        . 'document.querySelector("#explain button").click()');
    my $said = $browser->eval('new Promise(done => { let n = 0; const look ='
        . ' () => { const t = document.getElementById("answer").textContent;'
        . ' if (t || ++n > 100) { done(t) } else { setTimeout(look, 50) } };'
        . ' look() })');
    like($said, qr{307 redirected.*to https://plain\.example//.*by rule plain},
         'the box explains without a reload');
    is($browser->eval('window.broken === undefined'
        . ' && document.querySelectorAll("img").length === 0'),
       JSON::PP::true, 'no attack came through');
    $browser->open('http://127.0.0.1:' . $srv->port
                   . "$page?explain=GET+/x$encoded&q=$encoded");
    is($browser->eval('window.broken === undefined'), JSON::PP::true,
       'nor from the address');
    is(join("\n", $browser->complaints), '', 'and the page complains of '
       . 'nothing');
    $browser->stop;
}

end_suite(allow => [qr{AH10244: invalid URI path}]);
