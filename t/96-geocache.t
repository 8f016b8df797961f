# A real cache in front: nothing that it has kept for one visitor is ever served
# to another who must get something else, neither a redirect nor a page.  nginx
# is told to keep every answer that does not forbid it, and mod_cache of a
# second httpd what says how long it may be kept.  To show that this would be
# seen, the same walk goes through a cache that does not look at Vary.
use strict;
use warnings;

use POSIX qw(WNOHANG _exit);
use Time::HiRes qw(sleep time);

use R307::Live;

my ($nginx) = grep { -x } map { "$_/nginx" }
              split(/:/, $ENV{PATH} || ''), qw(/usr/sbin /usr/local/sbin);
plan(skip_all => 'nginx is not installed (Debian: nginx-light)') if !$nginx;

# ---- the servers ----

# Every path is a rule of its own.  /h/ has a rule without cache=: its redirects
# are kept because the cache is told to keep all.
my $rules = <<'EOC';
Redirect307TrustedProxy 127.0.0.0/8 ::1
Redirect307GeoFrom country=cookie:site cloudflare
Redirect307Site fra https://fra.example at=50.11,8.68
Redirect307Site sin https://sin.example at=1.35,103.82
Header set Cache-Control max-age=60 "expr=%{REQUEST_URI} =~ m#^/[a-z]+/page#"
Redirect307Geo /h/ DE,AT=https://de.example/ FR=https://fr.example/
Redirect307Geo /d/ DE,AT=https://de.example/ FR=- default=https://o.example/ cache=60
Redirect307Geo /u/ unknown=https://u.example/ tor=https://tor.example/ cache=60
Redirect307Geo /r/ US-CA=https://ca.example/ US=https://us.example/ cache=60
Redirect307Geo /l/ lang:fr=https://fr.example/ lang:de=https://de.example/ cache=60
Redirect307Geo /n/ default=site:nearest cache=60
Redirect307 /s/ https://s.example/ percent=50 sticky=header:X-User name=s cache=60
EOC

# Nothing that a header expresses: not to be kept by anybody but a browser.
my $unseen = <<'EOC';
Redirect307GeoFrom country=env:GEO
SetEnvIf X-Forwarded-For ^192\.0\.2\. GEO=DE
SetEnvIf X-Forwarded-For ^198\.51\.100\. GEO=FR
Header set Cache-Control max-age=60 "expr=%{REQUEST_URI} =~ m#^/[a-z]+/page#"
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.0/8
Redirect307Geo /e/ DE=https://de.example/ cache=60
Redirect307Geo /f/ FR=https://fr.example/
Redirect307 /i/ https://i.example/ percent=50 sticky=ip name=i
EOC

my %pages = map { ("htdocs/$_/page.html" => "the page\n") }
            qw(h d u r l n s e f i);
my $origin = server(name => 'origin', files => \%pages, config => $rules);
my $hidden = server(name => 'hidden', files => \%pages, config => $unseen,
                    modules => ['remoteip']);

# nginx with three caches: for $origin, for $hidden, and a careless one.
my $dir = R307::Env::scratch('nginx');
my @ports = map { R307::Ports::take() } 1 .. 3;
chmod 0777, $dir;
{
    my $user = $ENV{R307_USER} ? "user $ENV{R307_USER} $ENV{R307_GROUP};\n" : '';
    my @to = ([$origin, ''], [$hidden, ''],
              [$origin, 'proxy_ignore_headers Vary;']);
    my ($zones, $servers) = ('', '');
    for my $i (0 .. 2) {
        my $port = $to[$i][0]->port;
        $zones .= "proxy_cache_path $dir/cache$i keys_zone=z$i:1m"
                . " use_temp_path=off;\n";
        $servers .= <<"EOC";
server {
    listen 127.0.0.1:$ports[$i];
    location / {
        proxy_pass http://127.0.0.1:$port;
        proxy_http_version 1.1;
        proxy_set_header Connection close;
        proxy_redirect off;
        proxy_cache z$i;
        proxy_cache_key \$request_uri;
        proxy_cache_valid any 60s;
        $to[$i][1]
        add_header X-Cache \$upstream_cache_status always;
    }
}
EOC
    }
    my @temp = map { "${_}_temp_path $dir/temp;" }
               qw(client_body proxy fastcgi uwsgi scgi);
    R307::Env::write_file("$dir/nginx.conf", <<"EOC");
daemon off;
${user}pid $dir/nginx.pid;
error_log $dir/error.log warn;
worker_processes 1;
events { worker_connections 256; }
http {
access_log off;
@temp
$zones$servers}
EOC
}

my $pid = fork;
die "fork: $!\n" if !defined $pid;
if (!$pid) {
    open STDIN,  '<', '/dev/null';
    open STDOUT, '>', "$dir/output";
    open STDERR, '>&', \*STDOUT;
    exec {$nginx} $nginx, '-c', "$dir/nginx.conf", '-p', $dir
        or _exit(127);
}
my $owner = $$;

sub stop_nginx {
    return if !$pid || $$ != $owner;
    local ($?, $!);
    kill 'TERM', $pid;
    for my $try (1 .. 200) {
        last if waitpid($pid, WNOHANG) == $pid;
        sleep 0.05;
        kill 'KILL', $pid if $try == 199;
    }
    $pid = 0;
    return;
}
END { stop_nginx() }

{
    my $deadline = time + ($ENV{R307_SLOW} ? 60 : 15);
    my $up = 0;
    until ($up || time > $deadline || waitpid($pid, WNOHANG) == $pid) {
        $up = eval { R307::Http->connect(port => $ports[2]) } ? 1 : 0;
        sleep 0.05 if !$up;
    }
    if (!$up) {
        for my $file ("$dir/output", "$dir/error.log") {
            open my $fh, '<', $file or next;
            diag($_) while <$fh>;
        }
        BAIL_OUT('nginx does not start');
    }
}

# mod_cache: a second httpd in front of $origin, and the server itself, whose
# cache answers before any rule is asked.
my %caching;
if (!grep { !has_httpd_module($_) } qw(cache cache_disk)) {
    my $to = $origin->port;
    my %more = (proxy => "ProxyPass \"/\" \"http://127.0.0.1:$to/\"\n",
                itself => $rules);
    for my $name (sort keys %more) {
        my $root = R307::Env::scratch('cache');
        chmod 0777, $root;
        $caching{$name} = server(name => "mod_cache-$name", files => \%pages,
            modules => [qw(cache cache_disk)],
            config => <<"EOC" . $more{$name});
CacheRoot "$root"
CacheEnable disk "/"
CacheHeader On
CacheQuickHandler On
EOC
    }
}

# ---- visitors ----

# name => header lines
my %seen_by_cdn = (
    Berlin   => ['CF-IPCountry: DE', 'CF-IPLatitude: 52.5',
                 'CF-IPLongitude: 13.4', 'Accept-Language: de, en;q=0.5',
                 'X-User: 10'],
    Vienna   => ['CF-IPCountry: AT', 'Accept-Language: de-AT', 'X-User: 1'],
    Paris    => ['CF-IPCountry: FR', 'Accept-Language: fr', 'X-User: 2'],
    Montreal => ['CF-IPCountry: CA', 'CF-Region-Code: QC',
                 'Accept-Language: fr-CA, en;q=0.8', 'X-User: 3'],
    Oakland  => ['CF-IPCountry: US', 'CF-Region-Code: CA',
                 'Accept-Language: en', 'X-User: 4'],
    Boston   => ['CF-IPCountry: US', 'CF-Region-Code: MA', 'X-User: 5'],
    Tokyo    => ['CF-IPCountry: JP', 'CF-IPLatitude: 35.7',
                 'CF-IPLongitude: 139.7', 'X-User: 6'],
    chose_fr => ['CF-IPCountry: DE', 'Cookie: site=FR', 'X-User: 7'],
    chose_de => ['CF-IPCountry: JP', 'Cookie: site=DE', 'X-User: 8'],
    unknown  => ['CF-IPCountry: XX', 'X-User: 9'],
    Tor      => ['CF-IPCountry: T1', 'X-User: 11'],
    nothing  => ['X-User: 12'],
    twice    => ['CF-IPCountry: DE', 'CF-IPCountry: FR', 'X-User: 13'],
);
my %seen_by_address = map { $_ => ["X-Forwarded-For: $_"] }
    (map { ("192.0.2.$_", "198.51.100.$_") } 1 .. 5), '203.0.113.1', '10.0.0.1';

# status, Location and page of an answer
sub essence {
    my ($res) = @_;
    return join ' ', $res->status,
        grep { defined } $res->header('Location'),
                         $res->status == 200 ? $res->body : undef;
}

sub ask {
    my ($port, $method, $path, $headers) = @_;
    my $conn = R307::Http->connect(port => $port);

    $conn->send(join "\r\n", "$method $path HTTP/1.1", 'Host: localhost',
                @$headers, 'Connection: close', '', '');
    my $res = eval { $conn->response($method) };
    $conn->close;
    die "no answer to $path: $@" if !$res;
    return $res;
}

# Visitors in an order that looks like chance, and is the same each time.
# Returns what was answered otherwise than by the server itself, and how many
# answers came from the cache: redirects and pages.
sub walk {
    my ($port, $srv, $visitors, $paths, $n) = @_;
    my @names = sort keys %$visitors;
    my (%want, @wrong);
    my %hits = (redirects => 0, pages => 0);
    my $x = 307;

    for (1 .. $n) {
        $x = ($x * 1_103_515_245 + 12_345) % 2_147_483_648;
        my $name = $names[($x >> 8) % @names];
        my $path = $paths->[($x >> 16) % @$paths];
        my $method = ($x >> 5) % 8 ? 'GET' : 'HEAD';
        my $key = "$method $path $name";

        $want{$key} ||= essence(ask($srv->port, $method, $path,
                                    $visitors->{$name}));
        my $res = ask($port, $method, $path, $visitors->{$name});
        my $got = essence($res);
        push @wrong, "$key: $got, not $want{$key}" if $got ne $want{$key};
        $hits{ $res->status == 307 ? 'redirects' : 'pages' }++
            if ($res->header('X-Cache') || '') =~ /\AHIT/;
    }
    return (\@wrong, \%hits);
}

sub nobody_is_misled {
    my ($wrong, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    splice @$wrong, 10 if @$wrong > 10;
    return is_deeply($wrong, [], $name);
}

my @paths = map { ("/$_/page.html", "/$_/none.html?q=1") } qw(h d u r l n s);

# What the server says, so that the comparison is one with something right.
for (['/h/page.html', 'Berlin', '307 https://de.example/page.html'],
     ['/h/page.html', 'Tokyo', "200 the page\n"],
     ['/h/page.html', 'chose_fr', '307 https://fr.example/page.html'],
     ['/d/page.html', 'Paris', "200 the page\n"],
     ['/d/page.html', 'twice', '307 https://o.example/page.html'],
     ['/r/page.html', 'Oakland', '307 https://ca.example/page.html'],
     ['/r/page.html', 'Boston', '307 https://us.example/page.html'],
     ['/l/page.html', 'Montreal', '307 https://fr.example/page.html'],
     ['/n/page.html', 'Tokyo', '307 https://sin.example/n/page.html'],
     ['/u/none.html', 'Paris', '404']) {
    my ($path, $name, $want) = @$_;
    is(essence(ask($origin->port, 'GET', $path, $seen_by_cdn{$name})), $want,
       "$name: $path");
}

# ---- nginx ----

my ($wrong, $hits) = walk($ports[0], $origin, \%seen_by_cdn, \@paths, 1_200);
nobody_is_misled($wrong, 'nginx: each visitor gets what is theirs');
cmp_ok($hits->{redirects}, '>=', 150,
       "nginx: redirects came from the cache ($hits->{redirects})");
cmp_ok($hits->{pages}, '>=', 150,
       "nginx: pages and errors came from the cache ($hits->{pages})");

# One visitor after the other, in both orders.
for (['Berlin', 'Tokyo'], ['Tokyo', 'Berlin'], ['Berlin', 'Paris'],
     ['nothing', 'Berlin'], ['Tor', 'Paris'], ['chose_de', 'Tokyo']) {
    my ($first, $then) = @$_;
    my @got = map {
        my $res = ask($ports[0], 'GET', "/h/page.html?$first-$then",
                      $seen_by_cdn{$_});
        join ' ', $res->header('X-Cache') || '-', essence($res);
    } $first, $then, $first, $then;
    my @want = map {
        essence(ask($origin->port, 'GET', "/h/page.html?$first-$then",
                    $seen_by_cdn{$_}))
    } $first, $then;
    is_deeply(\@got, ["MISS $want[0]", "MISS $want[1]", "HIT $want[0]",
                      "HIT $want[1]"], "nginx: $first, then $then");
}

($wrong, $hits) = walk($ports[2], $origin, \%seen_by_cdn, \@paths, 300);
cmp_ok(scalar(@$wrong), '>=', 50,
       'a cache that does not look at Vary misleads many, and this is seen ('
       . @$wrong . ')');

($wrong, $hits) = walk($ports[1], $hidden, \%seen_by_address,
    [map { ("/$_/page.html", "/$_/none.html") } qw(e f i)], 400);
nobody_is_misled($wrong, 'nginx: facts that no header expresses');
is($hits->{redirects} + $hits->{pages}, 0,
   'nginx: what is private is never kept');
is(ask($ports[1], 'GET', '/page.html', [])->header('X-Cache'), 'MISS',
   'nginx: another path');
is(ask($ports[1], 'GET', '/page.html', [])->header('X-Cache'), 'HIT',
   'nginx: is kept');
stop_nginx();

# ---- mod_cache ----

SKIP: {
    skip('this httpd has no mod_cache_disk', 5) if !%caching;
    for my $name (sort keys %caching) {
        ($wrong, $hits) = walk($caching{$name}->port, $origin, \%seen_by_cdn,
                               \@paths, 800);
        nobody_is_misled($wrong,
                         "mod_cache, $name: each visitor gets what is theirs");
        # httpd never keeps a redirect that it makes itself.
        cmp_ok($hits->{redirects}, '>=', 100,
               "redirects came from the cache ($hits->{redirects})")
            if $name eq 'proxy';
        cmp_ok($hits->{pages}, '>=', 40,
               "pages came from the cache ($hits->{pages})");
    }
}

end_suite(allow_in => { hidden => ['R307-0331'] });
