# The right place for every visitor: who is sent where by which headers
# (data/geo.tsv, which the core is tested with, too), geo rules in every
# context, sites, what caches are told, whom the server believes, mistakes in
# the configuration, weighted splits, and databases of addresses.
use strict;
use warnings;

use POSIX ();
use Time::HiRes qw(sleep);

use R307::Geo;
use R307::Live;
use R307::Mmdb qw(make_mmdb);
use R307::Tables;

use constant BELIEVED => "Redirect307GeoFrom cloudflare\n"
                       . "Redirect307TrustedProxy 127.0.0.0/8 ::1\n";
use constant COUNTRY => 'Header always set X-Country'
                      . " \"%{REDIRECT307_COUNTRY}e\" env=REDIRECT307_COUNTRY\n";

run_selectors('geo.tsv');
run_contexts('geo-contexts.tsv', prelude => BELIEVED
    . "Redirect307Relative On\n"
    . 'Header always set X-Rule "%{REDIRECT307_RULE}e"'
    . " env=REDIRECT307_RULE\n");
run_table('geo-sites.tsv', contexts => [qw(vhost location directory htaccess)],
    prelude => BELIEVED . <<'EOC');
Redirect307Site fra https://fra.example at=50.11,8.68
Redirect307Site iad https://iad.example/base at=39.04,-77.49
Redirect307Site sin https://sin.example at=1.35,103.82
EOC
run_table('geo-vary.tsv', contexts => [qw(vhost location directory htaccess)],
    prelude => BELIEVED . "Redirect307Site fra https://fra.example at=50,8\n"
             . "Redirect307Site sin https://sin.example at=1,103\n",
    vhost => COUNTRY);

# The members of a list in a header, sorted, as one word; "none" without it. A
# star says all that there is to say.
sub members {
    my ($res, $name) = @_;
    my $value = $res->header($name);
    return 'none' if !defined $value;
    my @members = sort map { lc } split /\s*,\s*/, $value;
    return join ',', grep({ $_ eq '*' } @members) ? '*' : @members;
}

# One test: the status, and what Vary and Cache-Control hold.
sub tells {
    my ($res, $want, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is(join(' ', $res->status, members($res, 'Vary'),
                        members($res, 'Cache-Control')), $want, $name);
}

# ---- not modified, and applications that set Vary themselves ----

{
    my $cgi = R307::Env::mpm() eq 'prefork' ? 'cgi' : 'cgid';
    my $srv = server(name => 'applications',
        modules => [grep { has_httpd_module($_) } $cgi, 'filter', 'deflate'],
        files => { 'htdocs/page.html' => "page\n" x 500,
                   'cgi/vary.cgi' => <<'EOP',
#!/bin/sh
printf 'Content-Type: text/plain\r\n'
case $PATH_INFO in
/star) printf 'Vary: *\r\n' ;;
/same) printf 'Vary: cf-ipcountry\r\n' ;;
/store) printf 'Vary: Origin\r\nCache-Control: no-store\r\n' ;;
/gone) printf 'Status: 410 Gone\r\nVary: Origin\r\n' ;;
/302) printf 'Status: 302 Found\r\nLocation: /x\r\nVary: Origin\r\n' ;;
*) printf 'Vary: Origin, Cookie\r\nCache-Control: max-age=5\r\n' ;;
esac
printf '\r\nhello\n'
EOP
        }, config => BELIEVED . <<'EOC');
<IfModule cgid_module>
    ScriptSock "@ROOT@/run/cgid.sock"
</IfModule>
<IfModule deflate_module>
    <Location "/deflated.html">
        SetOutputFilter DEFLATE
    </Location>
</IfModule>
Alias "/deflated.html" "@DOCROOT@/page.html"
Alias "/private.html" "@DOCROOT@/page.html"
ScriptAlias "/cgi" "@ROOT@/cgi/vary.cgi"
ScriptAlias "/behind" "@ROOT@/cgi/vary.cgi"
ProxyPass "/proxied" "http://127.0.0.1:@PORT@/behind"
Redirect307Geo /page.html DE=https://t.example/de
Redirect307Geo /deflated.html DE=https://t.example/de
Redirect307Geo /cgi DE=https://t.example/de
Redirect307Geo /proxied DE=https://t.example/de
<VirtualHost *:@PORT@>
    ServerName plain.test
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName env.test
    Redirect307GeoFrom country=env:GEO
    Redirect307Geo /private.html DE=https://t.example/de
    ScriptAlias "/cgi2" "@ROOT@/cgi/vary.cgi"
    Redirect307Geo /cgi2 DE=https://t.example/de
    Redirect307Geo /private-proxied DE=https://t.example/de
    ProxyPass "/private-proxied" "http://127.0.0.1:@PORT@/behind"
</VirtualHost>
EOC
    chmod 0755, $srv->root . '/cgi/vary.cgi';
    my $ask = sub {
        my ($target, $host, @headers) = @_;
        return $srv->request(target => $target, host => "$host.test",
                             headers => \@headers);
    };

    tells($ask->('/page.html', 'plain', 'If-None-Match: *'),
          '304 cf-ipcountry none', 'not modified');
    tells($ask->('/private.html', 'env', 'If-None-Match: *'),
          '304 none private', 'not modified, private');
    for (['/cgi/', '200 cf-ipcountry,cookie,origin max-age=5'],
         ['/cgi/star', '200 * none'], ['/cgi/same', '200 cf-ipcountry none'],
         ['/cgi/gone', '410 cf-ipcountry,origin none'],
         ['/cgi/302', '302 cf-ipcountry,origin none']) {
        my ($path, $want) = @$_;
        tells($ask->($path, 'plain', 'CF-IPCountry: FR'), $want,
              "CGI: $path");
        tells($ask->($path =~ s{cgi}{proxied}r, 'plain', 'CF-IPCountry: FR'),
              $want, "proxied: $path");
    }
    tells($ask->('/cgi2/', 'env'),
          '200 cookie,origin max-age=5,private', 'CGI: a lifetime, private');
    tells($ask->('/cgi2/store', 'env'),
          '200 origin no-store,private', 'CGI: no-store stays');
    tells($ask->('/private-proxied/', 'env'),
          '200 cookie,origin max-age=5,private', 'proxied: a lifetime, private');
    SKIP: {
        skip('this httpd has no mod_deflate', 1)
            if !has_httpd_module('deflate');
        tells($ask->('/deflated.html', 'plain', 'Accept-Encoding: gzip'),
              '200 accept-encoding,cf-ipcountry none', 'mod_deflate');
    }
    $srv->stop;
}

# ---- whom the server believes ----

# So often the id stands in the log since its mark.
sub how_often {
    my ($srv, $id) = @_;
    return scalar grep { $_->{id} eq $id } $srv->log->since;
}

{
    my $rule = "Redirect307GeoFrom cloudflare\n"
             . "Redirect307Geo / DE=https://t.example/de\n";
    my $srv = server(name => 'spoofed', config => one_process() . <<"EOC");
Redirect307TrustedProxy 192.0.2.0/24
$rule
EOC
    $srv->get('/') for 1 .. 3;
    is(how_often($srv, 'R307-0410'), 0, 'no header, no warning');
    $srv->log->mark;
    my @got = map { $srv->get('/', 'CF-IPCountry: DE')->status } 1 .. 12;
    is("@got", join(' ', (200) x 12), 'a stranger is not believed');
    logged($srv, qr/R307-0410: .*CF-IPCountry.*127\.0\.0\.1/,
           'the log names the header and the address');
    sleep 0.2;
    is(how_often($srv, 'R307-0410'), 1, 'once');
    passes($srv->get('/', 'CF-IPCountry: DE', 'CF-IPCountry: DE'), 200,
           'nor twice');
    $srv->stop;

    $srv = server(name => 'spoofed-children', config => $rule
        . "Redirect307TrustedProxy 192.0.2.0/24\n"
        . "Redirect307Geo /x FR=https://t.example/fr\n");
    is("@{[ everywhere($srv, '/') ]}", '200', 'nobody is sent anywhere');
    $srv->log->mark;
    for (1 .. 30) {
        $srv->get('/', 'CF-IPCountry: DE');
    }
    sleep 0.2;
    my $n = how_often($srv, 'R307-0410');
    my $children = () = children($srv);
    ok($n >= 1 && $n <= $children,
       "at most once in each of $children children ($n)");
    $srv->stop;
}

# [lines of Redirect307TrustedProxy, address of the server, X-Forwarded-For,
# is the country believed, name]
my @peers = (
    ['127.0.0.1', '127.0.0.1', '', 1, 'the address'],
    ['127.0.0.2', '127.0.0.1', '', 0, 'another address'],
    ['127.0.0.0/31', '127.0.0.1', '', 1, 'the last of a network'],
    ['127.0.0.2/31', '127.0.0.1', '', 0, 'the network behind it'],
    ['192.0.2.1 127.0.0.0/8', '127.0.0.1', '', 1, 'the second word'],
    ["192.0.2.1\nRedirect307TrustedProxy 127.0.0.1", '127.0.0.1', '', 1,
     'the second line'],
    ['all', '127.0.0.1', '', 1, 'all'],
    ["all\nRedirect307TrustedProxy 192.0.2.1", '127.0.0.1', '', 1,
     'all, and one of them'],
    ['127.0.0.1', '127.0.0.1', '192.0.2.1', 1,
     'the peer, behind which mod_remoteip sees another client'],
    ['192.0.2.1', '127.0.0.1', '192.0.2.1', 0,
     'not the address that mod_remoteip reads from a header'],
    (map { [$_->[0], '::1', '', @{$_}[1, 2]] } has_ipv6() ? (
        ['::1', 1, 'IPv6'], ['::/127', 1, 'a network of IPv6'],
        ['::2', 0, 'another address of IPv6'],
        ['127.0.0.0/8', 0, 'IPv4 is not IPv6'],
        ['all', 1, 'all, IPv6']) : ()),
);
{
    my $config = <<'EOC';
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.0/8 ::1
Redirect307TrustedProxy 127.0.0.1
EOC
    for my $i (0 .. $#peers) {
        $config .= "<VirtualHost *:\@PORT\@>\nServerName p$i.test\n"
                 . "Redirect307GeoFrom cloudflare\n"
                 . "Redirect307TrustedProxy $peers[$i][0]\n"
                 . "Redirect307Geo / DE=https://t.example/de\n"
                 . "</VirtualHost>\n";
    }
    my $srv = server(name => 'peers', modules => ['remoteip'],
                     config => $config);
    for my $i (0 .. $#peers) {
        my (undef, $address, $client, $believed, $name) = @{ $peers[$i] };
        my $res = $srv->request(target => '/', host => "p$i.test",
            address => $address, headers => ['CF-IPCountry: DE',
                $client ? "X-Forwarded-For: $client" : ()]);
        is($res->status, $believed ? 307 : 200,
           "trusted: $name" . ($believed ? '' : ': no'));
    }
    $srv->stop;
}

# A virtual host has the main server's sources and peers until it names its own.
{
    my $srv = server(name => 'inherited', config => <<'EOC');
Redirect307TrustedProxy 127.0.0.0/8
Redirect307GeoFrom country=header:X-Main
Redirect307Geo / DE=https://t.example/de
<VirtualHost *:@PORT@>
    ServerName nothing.test
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName peers.test
    Redirect307TrustedProxy 192.0.2.1
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName sources.test
    Redirect307GeoFrom country=header:X-Own
</VirtualHost>
EOC
    for (['nothing', 'X-Main', 307], ['nothing', 'X-Own', 200],
         ['peers', 'X-Main', 200], ['sources', 'X-Own', 307],
         ['sources', 'X-Main', 200]) {
        my ($host, $header, $want) = @$_;
        my $res = $srv->request(target => '/', host => "$host.test",
                                headers => ["$header: DE"]);
        is($res->status, $want, "virtual host with its own $host: $header");
    }
    $srv->stop;
}

# ---- mistakes ----

my %seen;               # ids that were provoked here

for my $row (R307::Table::read_table('geo-config.tsv')) {
    my $t = configtest(R307::Table::unescape($row->{config}) . "\n");
    my $message = $t->message;
    my $refused = $row->{verdict} =~ /\A(?:error|refused)\z/;
    my ($line, $file) = ($row->{line}, $t->file);
    my @wrong;

    $seen{$_} = 1 for $message =~ /(R307-\d{4}):/g;
    push @wrong, 'the configuration is ' . ($refused ? 'accepted' : 'refused')
        if $refused != !$t->ok;
    push @wrong, "no id $row->{id}"
        if length $row->{id} && $message !~ /\b(?:$row->{id}): /;
    push @wrong, map { "nothing matches $_" } grep { $message !~ /$_/ }
        split /\\n/, $row->{says};
    push @wrong, 'file and line are missing'
        if length $line && $message !~ /\bline $line of \Q$file\E:/
        && $message !~ /\Q$file\E:$line: /;
    push @wrong, 'something is said'
        if $row->{verdict} eq 'fine' && $message =~ /R307-\d+:/;
    report_in("configuration: $row->{name}", $message, @wrong);
}

# Lists that are too long for a table of cases.
sub long_list {
    my ($id, $name, $config, %files) = @_;
    my $t = configtest("$config\n", files => \%files);

    report_in($name, $t->message,
              !$id || $t->message =~ /\b$id: / ? () : "no $id",
              !$t->ok == !!$id ? () : 'the verdict is wrong');
    $seen{$_} = 1 for $t->message =~ /(R307-\d{4}):/g;
    return;
}

sub choices {
    my ($n) = @_;
    return join ' ', map { "US-$_=https://t.example/$_" } 101 .. 100 + $n;
}

{
    my $members = join ',', 'DE', map { "US-$_" } 101 .. 700;
    my $table = 'Redirect307Table x file:x.rules';
    my @line = map { ('x.rules' => "/a geo $_\n") }
               choices(256), choices(257);
    long_list('R307-0744', 'a list of 601 selectors',
              "Redirect307Geo /a $members=https://t.example/");
    long_list('', '61 choices and a default',
              'Redirect307Geo /a ' . choices(61) . ' default=-');
    long_list('R307-0323', '99 choices in a directive',
              'Redirect307Geo /a ' . choices(99));
    long_list('', '256 choices in a line', $table, @line[0, 1]);
    long_list('R307-0503', '257 choices in a line', $table, @line[2, 3]);
}

{
    my @rows = R307::Table::read_table('geo-htaccess.tsv');
    my %files = (
        'bad-selector.rules' => "/ok https://t.example/\n"
                              . "/x geo QQ=https://t.example/\n",
        'bad-choice.rules'   => "/x geo exact\n",
        'bad-site.rules'     => "/x site:nowhere\n",
    );
    my %all;
    for my $i (0 .. $#rows) {
        $all{"htdocs/d$i/.htaccess"} =
            R307::Table::unescape($rows[$i]{config}) . "\n";
        $all{"htdocs/d$i/x.html"} = "x\n";
        $all{"htdocs/d$i/$_"} = $files{$_} for keys %files;
    }
    my $srv = server(name => 'htaccess-errors', files => \%all,
        config => BELIEVED . "Redirect307Site fra https://fra.example\n"
                . allow_overrides());
    for my $i (0 .. $#rows) {
        my $row = $rows[$i];
        $srv->log->mark;
        my $status = $srv->get("/d$i/x.html")->status;
        my $log = $srv->log->wait_for(qr{/d$i/}, 1);
        my $message = $log ? $log->{text} : '(no log line)';
        report_in(".htaccess: $row->{name}", $message,
               $status == 500 ? () : "status $status, not 500",
               map { "nothing matches $_" } grep { $message !~ /$_/ }
                   split /\\n/, $row->{says});
        $seen{$_} = 1 for $message =~ /(R307-\d{4}):/g;
    }
    $srv->stop;
}

# ---- weighted splits ----

# The log would be longer than everything else, and connections are to stay.
use constant QUIET => "LogLevel redirect307:info\nMaxKeepAliveRequests 0\n"
                    . "KeepAliveTimeout 30\n";
use constant MANY => 100_000;

# One test: the share of an answer is that many percent, within half a point.
sub is_share {
    my ($answers, $answer, $percent, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $n = tally(@$answers);
    my $share = 100 * ($n->{$answer} || 0) / @$answers;
    # half a point of 100,000 is five times the deviation; of fewer it is more
    my $room = 0.5 * sqrt(100_000 / @$answers);
    my $strange = join ' ', grep { $_ ne $answer && $_ ne 'https://t.example/b' }
                            sort keys %$n;

    return ok(abs($share - $percent) <= $room && $strange eq '',
              sprintf '%s: %.3f %% of %d requests', $name, $share,
                      scalar @$answers)
        || diag("other answers: $strange");
}

{
    my $rules = sub {
        my ($before) = @_;
        return QUIET . <<"EOC";
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.0/8
$before
Redirect307 /drawn  https://t.example/a percent=10 exact
Redirect307 /ip     https://t.example/a percent=10 sticky=ip exact name=ip
Redirect307 /cookie https://t.example/a percent=10 sticky=cookie:id exact name=c
Redirect307 /header https://t.example/a percent=10 sticky=header:X-User exact name=h
Redirect307 /other  https://t.example/a percent=10 sticky=cookie:id exact name=o
Redirect307 /some   https://t.example/a percent=0.125 sticky=cookie:id exact name=s
Redirect307 /half   https://t.example/a percent=50 sticky=ip exact
Redirect307 /none   https://t.example/a percent=0 exact
Redirect307 /all    https://t.example/a percent=100 exact
Redirect307Match ^/ https://t.example/b
EOC
    };
    my @modules = ('remoteip');
    my $srv = server(name => 'split', modules => \@modules,
                     config => $rules->(''));
    my $first = 'https://t.example/a';
    my @cookies = map { sprintf "Cookie: a=b; id=%08x\r\n", $_ * 2_654_435_761
                                                        % 4_294_967_296 }
                      1 .. MANY;
    my @addresses = map { "X-Forwarded-For: 10." . join('.',
                          $_ >> 16, $_ >> 8 & 255, $_ & 255) . "\r\n" }
                        1 .. MANY;

    is_share([ask_many($srv, '/drawn', ('') x MANY)], $first, 10, 'drawn');
    my @by_cookie = ask_many($srv, '/cookie', @cookies);
    is_share(\@by_cookie, $first, 10, 'by cookie');
    my @by_ip = ask_many($srv, '/ip', @addresses);
    is_share(\@by_ip, $first, 10, 'by address');
    is_share([ask_many($srv, '/header', map { "X-User: user$_\r\n" }
                                            1 .. 20_000)],
             $first, 10, 'by header');
    is_share([ask_many($srv, '/some', @cookies[0 .. 19_999])], $first, 0.125,
             'an eighth of a percent');
    is_share([ask_many($srv, '/cookie', ("Cookie: other=1\r\n") x 20_000)],
             $first, 10, 'no such cookie: drawn');
    is_share([ask_many($srv, '/header', ('') x 20_000)], $first, 10,
             'no such header: drawn');
    is_deeply(tally(ask_many($srv, '/none', ('') x 2_000)),
              { 'https://t.example/b' => 2_000 }, 'percent=0 is nobody');
    is_deeply(tally(ask_many($srv, '/all', ('') x 2_000)),
              { $first => 2_000 }, 'percent=100 is everybody');

    # Another rule of the same share chooses others.
    my @other = ask_many($srv, '/other', @cookies[0 .. 19_999]);
    my $both = grep { $by_cookie[$_] eq $first && $other[$_] eq $first }
                    0 .. $#other;
    ok($both > 100 && $both < 300,
       "two rules of 10 % have 1 % in common ($both of 20000)");

    # The same visitors again, then after restarts, then elsewhere.
    my @who = (0 .. 1_999);
    my $again = sub {
        my ($srv, $name) = @_;
        local $Test::Builder::Level = $Test::Builder::Level + 1;
        is_deeply([ask_many($srv, '/cookie', @cookies[reverse @who])],
                  [@by_cookie[reverse @who]], "the same by cookie: $name");
        is_deeply([ask_many($srv, '/ip', @addresses[reverse @who])],
                  [@by_ip[reverse @who]], "the same by address: $name");
    };
    my @half = ask_many($srv, '/half', @addresses[@who]);

    $again->($srv, 'asked again');
    my ($in) = grep { $by_cookie[$_] eq $first } @who;
    my @everywhere = map { $srv->connect } 1 .. 6;
    $_->send("GET /cookie HTTP/1.1\r\nHost: localhost\r\n$cookies[$in]"
             . "Connection: close\r\n\r\n") for @everywhere;
    is_deeply(tally(map { $_->response('GET')->header('Location') }
                        @everywhere), { $first => 6 },
              'the same from all children at once');
    my %before = map { $_ => 1 } children($srv);
    $srv->restart_gracefully;
    ok(wait_until(R307::Tables::PATIENCE, sub {
        my @now = children($srv);
        return @now && !grep { $before{$_} } @now;
    }), 'all children are new');
    $again->($srv, 'after a graceful restart');
    is_deeply([ask_many($srv, '/half', @addresses[@who])], \@half,
              'after a graceful restart, without a name');
    $srv->stop;
    $srv = server(name => 'split-fleet', modules => \@modules,
        config => $rules->("# A line more.\nRedirect307 /x https://t.example/x"));
    $again->($srv, 'on another server, with more rules');
    is_deeply([ask_many($srv, '/half', @addresses[@who])], \@half,
              'on another server, without a name');
    $srv->stop;
}

# ---- databases of addresses ----

# Names of a country as the database knows it.
sub database {
    my ($path, $country) = @_;
    my $tsv = "$path.tsv";
    R307::Env::write_file($tsv, "192.0.2.0/24\t"
        . "{\"country\":{\"iso_code\":\"$country\"}}\n");
    make_mmdb($tsv, "$path.made", {});
    rename "$path.made", $path or die "rename to $path: $!\n";
    return;
}

my $dir = R307::Env::scratch('mmdb');
my $data = R307::Env::work() . '/t/data';
database("$dir/probe.mmdb", 'DE');
my $probe = configtest("Redirect307GeoFrom mmdb:$dir/probe.mmdb\n");
$seen{$_} = 1 for $probe->message =~ /(R307-\d{4}):/g;

SKIP: {
    skip('the module was built without libmaxminddb', 1)
        if $probe->message =~ /\bR307-0730: /;
    ok($probe->ok, 'a database is opened') || diag($probe->message);

    R307::Env::write_file("$dir/none.tsv", "192.0.2.0/24\t{\"asn\":\"AS1\"}\n");
    make_mmdb("$dir/none.tsv", "$dir/none.mmdb", {});
    my $t = configtest("Redirect307GeoFrom mmdb:$dir/none.mmdb\n");
    report_in('a database without places', $t->message,
           $t->ok ? 'is accepted' : (),
           $t->message =~ /\bR307-0734: / ? () : 'no R307-0734');
    $seen{'R307-0734'} = 1;

    # What mmdb-cases.tsv says of every address, by selectors.
    make_mmdb("$data/mmdb-networks.tsv", "$dir/$_.mmdb", { ip => $_ })
        for 4, 6;
    my @regions = qw(DE-BE US-WA GB-ENG BR-SP US-CA NZ-AUK);
    my $rule = join ' ', 'Redirect307Geo /r',
        map { "$_=https://t.example/$_" } @regions;
    my $srv = server(name => 'mmdb', modules => ['remoteip'],
        config => COUNTRY . <<"EOC" . join '', map { <<"EOC" } 4, 6);
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.0/8 ::1
EOC
<VirtualHost *:\@PORT\@>
    ServerName v$_.test
    Redirect307GeoFrom mmdb:$dir/$_.mmdb
    Redirect307Site south https://south.example at=-80,0
    Redirect307Site north https://north.example at=80,0
    $rule default=-
    Redirect307Geo /n unknown=- default=site:nearest/n
</VirtualHost>
EOC
    open my $fh, '<', "$data/mmdb-cases.tsv" or die "mmdb-cases.tsv: $!\n";
    my $cases = 0;
    while (my $line = <$fh>) {
        next if $line !~ /\A([46]+)\t(\S+)\t(.*)/;
        my ($in, $address, $facts) = ($1, $2, $3);
        # mod_remoteip takes neither; and what is damaged there is the
        # position, which nobody asks for here.
        next if $address =~ /\A(?:0\.0\.0\.0|::|198\.51\.100\.102)\z/
             || $address =~ /\A::ffff:/i;
        my %fact = $facts =~ /\b(country|region)=(\S+)/g;
        for my $v (split //, $in) {
            my $res = $srv->request(target => '/r', host => "v$v.test",
                headers => ["X-Forwarded-For: $address"]);
            my $got = join ' ', map { defined $_ ? $_ : '-' }
                $res->header('X-Country'), $res->header('Location');
            my $region = $fact{region} || '';
            my $want = join ' ', $fact{country} || '-',
                (grep { $_ eq $region } @regions)
                    ? "https://t.example/$region" : '-';
            is($got, $want, "mmdb of IPv$v: $address");
            $cases++;
        }
    }
    cmp_ok($cases, '>=', 60, 'enough addresses were asked');
    for (['192.0.2.1', 'https://north.example/n'],
         ['192.0.2.230', 'https://south.example/n']) {
        my ($address, $to) = @$_;
        redirects_to($srv->request(target => '/n', host => 'v6.test',
                                   headers => ["X-Forwarded-For: $address"]),
                     $to, "the nearest site of $address");
    }
    tells($srv->request(target => '/r', host => 'v6.test',
                        headers => ['X-Forwarded-For: 192.0.2.1']),
          '307 none private', 'redirected by address: private');
    tells($srv->request(target => '/', host => 'v6.test'),
          '200 none none', 'another path is not');
    $srv->stop;

    live_databases();
}

# The different answers of many connections, so that every child is asked, for
# a visitor that the database of that host knows.
sub asked {
    my ($srv, $host) = @_;
    my @conns = map { $srv->connect } 1 .. 8;
    my %seen;

    $_->send($srv->bytes(target => '/', host => "$host.test",
                         headers => ['X-Forwarded-For: 192.0.2.1'])) for @conns;
    for my $conn (@conns) {
        my $res = eval { $conn->response('GET') };
        my $to = $res && $res->header('Location');
        $seen{ defined $to ? $to =~ s{.*/(\w\w)/?\z}{$1}r
             : $res ? $res->status : 'no answer' } = 1;
    }
    return join ' ', sort keys %seen;
}

# Databases that change while serving, all at once: what is good is noticed by
# every child within ten seconds; what is bad does not take effect, and the log
# says so.
sub live_databases {
    my $put = sub {
        my ($path, $text) = @_;
        R307::Env::write_file("$path.new", $text);
        rename "$path.new", $path or die "rename: $!\n";
    };
    my $bytes = sub {
        open my $fh, '<:raw', $_[0] or die "$_[0]: $!\n";
        local $/;
        return scalar <$fh>;
    };
    my %change = (
        replaced => sub { database($_[0], 'FR') },
        garbage  => sub { $put->($_[0], 'not a database') },
        cut      => sub { $put->($_[0], substr $bytes->($_[0]), 0, -40) },
        empty    => sub { $put->($_[0], '') },
        removed  => sub { unlink $_[0] },
        directory => sub { unlink $_[0]; mkdir $_[0] },
        untouched => sub { },
    );
    my @names = sort keys %change;
    my $config = '';
    for my $name (@names) {
        database("$dir/$name.mmdb", 'DE');
        $config .= <<"EOC";
<VirtualHost *:\@PORT\@>
    ServerName $name.test
    Redirect307GeoFrom mmdb:$dir/$name.mmdb
    Redirect307Geo / DE=https://t.example/de FR=https://t.example/fr JP=https://t.example/jp
</VirtualHost>
EOC
    }
    my $srv = server(name => 'mmdb-live', modules => ['remoteip'],
                     config => steady() . <<"EOC" . $config);
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.0/8
EOC
    my $all = sub {
        my (%want) = @_;
        my %got;
        wait_until($ENV{R307_SLOW} ? 60 : 12, sub {
            %got = map { $_ => asked($srv, $_) } @names;
            return !grep { $got{$_} ne $want{$_} } @names;
        }, 0.25);
        return \%got;
    };
    my %want = map { $_ => 'de' } @names;
    my @bad = grep { !/\A(?:replaced|untouched)\z/ } @names;

    is_deeply($all->(%want), \%want, 'databases as at the start');
    sleep 1.1;
    $srv->log->mark;
    $change{$_}->("$dir/$_.mmdb") for @names;
    $want{replaced} = 'fr';
    is_deeply($all->(%want), \%want,
              'a new database is noticed, and a bad one is not used');
    for my $name (@bad) {
        wait_until(12, sub {
            asked($srv, $name);
            return grep { $_->{text} =~ /R307-0412: .*\b$name\.mmdb/ }
                        $srv->log->since;
        }, 0.25);
        logged($srv, qr/R307-0412: .*\b$name\.mmdb/, "$name: the log says so");
    }
    is_deeply($all->(%want), \%want, 'and still not');
    my $said = how_often($srv, 'R307-0412');
    my $children = () = children($srv);
    cmp_ok($said, '<=', @bad * $children, 'once in each child at most');
    rmdir "$dir/directory.mmdb";
    for my $name (grep { $_ ne 'untouched' } @names) {
        database("$dir/$name.mmdb", 'JP');
        $want{$name} = 'jp';
    }
    is_deeply($all->(%want), \%want, 'good ones after that');
    $srv->stop;
    return;
}

# No configuration error of the sources without a case here.
{
    # A mistake in the module; and what depends on how it was built.
    my %elsewhere = map { ("R307-$_" => 1) } qw(0712 0730);
    my %known;
    for my $file (glob "$ENV{R307_TOP}/src/*/*.c") {
        open my $fh, '<', $file or die "$file: $!\n";
        while (<$fh>) {
            $known{$1} = 1 while /"(R307-0(?:3[23]|7[0-5])\d):/g;
        }
    }
    if ($probe->message =~ /\bR307-0730: /) {
        $elsewhere{"R307-073$_"} = 1 for 1 .. 4;
    }
    cmp_ok(scalar(keys %known), '>=', 35, 'the sources hold messages');
    is_deeply([grep { !$seen{$_} && !$elsewhere{$_} } sort keys %known], [],
              'every one of them was provoked here');
}

end_suite(allow_in => {
    selectors          => ['R307-0410'],
    spoofed            => ['R307-0410'],
    'spoofed-children' => ['R307-0410'],
    peers              => ['R307-0410'],
    inherited          => ['R307-0410'],
    split              => ['AH03490'],
    (map { ("geo-vary_tsv-$_" => ['R307-0331']) }
         qw(vhost location directory htaccess)),
    'htaccess-errors'  => [qr{\.htaccess: |R307-0409: |R307-0640: }],
    'mmdb-live'        => ['R307-0412'],
});
