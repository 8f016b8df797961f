# Redirect307Upgrade: 302 and 301 of other modules, of programs and of backends
# become 307 and 308, and nothing else changes.  Who answers, by which method
# and with which status is in data/upgrade.tsv; contexts in
# data/live-upgrade.tsv.
use strict;
use warnings;

use IO::Uncompress::Gunzip qw(gunzip);

use R307::Live;
use R307::Echo;
use R307::Tables ();

run_table('live-upgrade.tsv',
          contexts => [qw(vhost directory location if files htaccess)]);

my $cgi = R307::Env::mpm() eq 'prefork' ? 'cgi' : 'cgid';
my $h2 = R307::Env::mpm() ne 'prefork' && has_httpd_module('http2');
my @modules = ($cgi, 'userdir', 'deflate', 'filter',
               $h2 ? ('http2') : ());
my @hosts = qw(off unsafe all);

# What both servers have: a program, redirects of modules, a directory.
my $sources = <<'EOC';
ScriptAlias "/cgi" "@ROOT@/cgi/status.cgi"
Redirect 302 /alias/302 https://t.example/alias
Redirect 301 /alias/301 https://t.example/alias
Redirect 303 /alias/303 https://t.example/alias
Redirect 307 /alias/307 https://t.example/alias
Redirect 308 /alias/308 https://t.example/alias
Redirect 404 /alias/404
EOC

my $common = $sources . <<'EOC';
RedirectMatch 302 ^/aliasmatch/(.*) https://t.example/$1
Redirect 302 /worded/302 https://t.example/worded
Redirect 302 /headers https://t.example/headers
<Location "/headers">
    Header always set Location https://t.example/changed
</Location>
<Location "/tagged.html">
    Header always set Location https://t.example/tagged
</Location>
<Location "/worded">
    ErrorDocument 302 "302 Found is what the administrator writes"
</Location>
RewriteEngine on
RewriteRule ^/rewrite/query https://t.example/rewrite?x=1 [R,QSA]
RewriteRule ^/rewrite/301 https://t.example/rewrite [R=301]
RewriteRule ^/rewrite/302 https://t.example/rewrite [R=302]
RewriteRule ^/rewrite/303 https://t.example/rewrite [R=303]
RewriteRule ^/p/(.*) http://127.0.0.1:@BACKEND@/$1 [P]
RewriteRule ^/broken - [R=410]
UserDir https://t.example/*/home
ErrorDocument 404 https://t.example/not-found
ErrorDocument 403 https://t.example/denied
ErrorDocument 410 /cgi/302
<Location "/alias/404">
    ErrorDocument 404 default
</Location>
<Location "/denied">
    Require all denied
</Location>
ProxyPass "/proxied" "http://127.0.0.1:@BACKEND@"
Redirect307 /rule https://t.example/rule
EOC

sub with_program {
    my ($srv) = @_;
    open my $fh, '<:raw', R307::Env::top() . '/t/cgi/status.cgi'
        or die "status.cgi: $!\n";
    my $path = $srv->root . '/cgi/status.cgi';

    R307::Env::write_file($path, do { local $/; <$fh> });
    chmod 0755, $path or die "$path: $!\n";
    return $srv;
}

my $socket = <<'EOC';
<IfModule cgid_module>
    ScriptSock "@ROOT@/run/cgid.sock"
</IfModule>
EOC
my $backend = with_program(server(name => 'backend', modules => [$cgi],
    files => { 'htdocs/dir/index.html' => "x\n" },
    config => "$socket$sources"));
$common =~ s/\@BACKEND\@/$backend->port/ge;

my $vhosts = join '', map { <<"EOC" } @hosts;
<VirtualHost *:\@PORT\@>
    ServerName $_.test
$common    Redirect307Upgrade $_
</VirtualHost>
EOC
my $protocols = $h2 ? "Protocols h2c http/1.1\n" : '';
my $srv = with_program(server(name => 'front', modules => \@modules,
    files => {
        'htdocs/dir/index.html' => "x\n",
        'htdocs/ht/.htaccess' => "Redirect 302 /ht/moved https://t.example/\n",
        'htdocs/tagged.html' => "tagged\n",
        'htdocs/include.shtml' => '<!--#include virtual="/cgi/302" -->',
    }, config => <<"EOC"));
$socket${protocols}LogFormat "%m %U %>s %{redirect307-upgraded}n" notes
CustomLog "\@ROOT\@/logs/notes" notes
<Directory "\@DOCROOT\@">
    AllowOverride FileInfo
    Options +Includes
    AddOutputFilter INCLUDES .shtml
</Directory>
$vhosts<VirtualHost *:\@PORT\@>
    ServerName zip.test
    Redirect307Upgrade All
    SetOutputFilter DEFLATE
    DeflateBufferSize 8096
$sources</VirtualHost>
EOC

# ---- the table ----

sub ask {
    my ($host, $request) = @_;
    my ($method, $target, $version) =
        $request =~ m{\A(\w+) (\S+)(?: HTTP/(\S+))?\z} or die $request;

    return $srv->request(method => $method, target => $target,
        version => $version || '1.1', host => $host,
        $method =~ /\A(?:POST|PUT|PATCH)\z/ ? (body => 'a=b') : ());
}

my %reason = (301 => 'Moved Permanently', 302 => 'Found',
              307 => 'Temporary Redirect', 308 => 'Permanent Redirect');

# What is wrong with an answer, given the one that Off gives.
sub wrong {
    my ($res, $plain, $status, $page) = @_;
    my @wrong;

    push @wrong, 'status ' . $res->status . ", not $status"
        if $res->status != $status;
    for my $field (qw(Location ETag Content-Type Vary)) {
        my ($got, $want) = map {
            ($_->header($field) // '(none)') =~ s{//\w+\.test/}{//us.test/}r
        } $res, $plain;
        push @wrong, "$field: $got, not $want" if $got ne $want;
    }
    push @wrong, "reason '$res->{reason}'"
        if $res->status != $plain->status
        && $res->{reason} ne $reason{$status};
    push @wrong, 'the page is another one: ' . $res->body
        if $page ne 'own' && $res->body ne $plain->body;
    push @wrong, 'there is a page' if $page eq 'none' && length $res->body;
    push @wrong, 'there is no page' if $page ne 'none' && !length $res->body;
    if ($page eq 'own') {
        my ($title) = $res->body =~ m{<title>(.*?)</title>};
        my ($h1) = $res->body =~ m{<h1>(.*?)</h1>};
        push @wrong, "the page has '$title' and '$h1'"
            if "$res->{status} $h1" ne $title
            || $title ne "$res->{status} $res->{reason}";
        push @wrong, 'the page names the status that was'
            if $status != $plain->status
            && index($res->body, $reason{ $plain->status }) >= 0;
    }
    my $length = $res->header('Content-Length');
    push @wrong, "Content-Length: $length"
        if defined $length && length $res->body
        && $length != length $res->body;
    return @wrong;
}

for my $row (R307::Table::read_table('upgrade.tsv')) {
    my $plain = ask('off.test', $row->{request});

    for my $host (@hosts) {
        my $res = ask("$host.test", $row->{request});
        my @wrong = wrong($res, $plain, $row->{$host}, $row->{page});
        ok(!@wrong, "line $row->{line}: $host: $row->{name}");
        diag("  $_") for @wrong;
    }
}

# ---- where it may be written ----

# Answers of others are looked at only if the configuration says that somebody
# may want it; here nothing but .htaccess does, or the main server.
for my $case (['AllowOverride FileInfo', 'AllowOverride FileInfo'],
              ['AllowOverrideList', 'AllowOverrideList Redirect '
                                  . 'Redirect307Upgrade Redirect307CORS']) {
    my ($name, $allow) = @$case;
    my $one = server(name => "only-htaccess", files => {
            'htdocs/.htaccess' => "Redirect307Upgrade All\n"
                . "Redirect307CORS *\nRedirect 302 /a https://t.example/a\n",
        }, config => "<Directory \"\@DOCROOT\@\">\n$allow\n</Directory>\n");
    my $res = $one->get('/a');
    is($res->status . ' ' . ($res->header('Access-Control-Allow-Origin')
                             // '-'), '307 *', "$name is enough");
}
{
    my $main = server(name => 'main-server', config => <<'EOC');
Redirect307Upgrade Unsafe
Redirect307CORS *
<VirtualHost *:@PORT@>
    ServerName a.test
    Redirect 302 /a https://t.example/a
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName b.test
    Redirect307Upgrade Off
    Redirect 302 /a https://t.example/a
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName c.test
    Redirect307Engine On
    Redirect 302 /a https://t.example/a
</VirtualHost>
EOC
    my $post = sub {
        my $res = $main->request(method => 'POST', target => '/a',
                                 host => $_[0], body => 'x');
        return $res->status . ' '
            . ($res->header('Access-Control-Allow-Origin') // '-');
    };
    is($post->('a.test'), '307 *', 'the main server speaks for virtual hosts');
    is($post->('b.test'), '302 -', 'and they may differ');
    is($post->('c.test'), '307 *', 'in what they say themselves');
    $main->log->mark;
    $main->restart_gracefully;
    is(R307::Tables::wait_until(10, sub {
           grep { $_->{text} =~ /resuming normal operations/ }
               $main->log->since
       }) ? $post->('a.test') : 'no restart', '307 *',
       'after a graceful restart');
}

# ---- connections ----

# A proxied answer, an upgraded one, and what follows on the same connection.
{
    my $conn = $srv->connect;
    my @got;

    for my $target (qw(/proxied/alias/302 /alias/302 /cgi/302 /proxied/cgi/302
                       /alias/302)) {
        $conn->send($srv->bytes(method => 'POST', target => $target,
            host => 'unsafe.test', body => 'x' x 5_000, keepalive => 1));
        my $res = eval { $conn->response('POST') };
        push @got, $res ? $res->status : "none: $@";
    }
    is("@got", '307 307 307 307 307', 'five answers on one connection');
    $conn->close;
}

# The client sends its body again, so httpd need not have it: what is longer
# than Redirect307Drain is not waited for when httpd makes the answer.
for my $host (qw(off unsafe)) {
    my $size = 40 * 1024 * 1024;
    my $conn = $srv->connect(send_buffer => 65_536);

    $conn->send("PUT /alias/302 HTTP/1.1\r\nHost: $host.test\r\n"
              . "Content-Length: $size\r\n\r\n");
    my $sent = $conn->send_until_answer($size);
    my $res = eval { $conn->response('PUT') };
    is(($res ? $res->status : "none: $@") . ($sent < $size / 2 ? ' at once'
                                                               : ' late'),
       $host eq 'off' ? '302 late' : '307 at once', "a large body, $host");
    $conn->close;
}

# What mod_deflate has compressed is passed on as it is.
{
    my $res = $srv->request(method => 'POST', target => '/cgi/302',
        host => 'zip.test', body => 'a', headers => ['Accept-Encoding: gzip']);
    my $page;

    is($res->status . ' ' . ($res->header('Content-Encoding') || 'plain'),
       '307 gzip', 'a compressed page');
    gunzip(\$res->body, \$page);
    is($page, ask('off.test', 'POST /cgi/302')->body, 'is the program\'s own');
    $res = $srv->request(method => 'POST', target => '/alias/302',
        host => 'zip.test', body => 'a', headers => ['Accept-Encoding: gzip']);
    like($res->body, qr{<title>307 Temporary Redirect</title>},
         'httpd does not compress the page that it writes');
    is($res->header('Content-Length'), length $res->body, 'its length is right');
}

SKIP: {
    skip('HTTP/2 needs mod_http2, another MPM than prefork, and curl with it',
         2) if !$h2 || R307::Echo::missing(curl => 'curl')
               || !R307::Echo::curl_has_http2();
    for my $target (qw(/alias/302 /proxied/cgi/301)) {
        my ($code, $text) = R307::Echo::run('curl', '-q', '-sS', '-o',
            '/dev/null', '--noproxy', '*', '--max-time', 20,
            '--http2-prior-knowledge', '-d', 'a=b', '-H', 'Host: unsafe.test',
            '-w', '%{http_version} %{http_code} %{redirect_url}',
            'http://127.0.0.1:' . $srv->port . $target);
        my $want = $target =~ /301/ ? '2 308 https://t.example/cgi'
                                    : '2 307 https://t.example/alias';
        is($text, $want, "HTTP/2: $target");
    }
}

# ---- what mod_cache keeps is upgraded when it is sent ----

SKIP: {
    skip('this httpd has no mod_cache_disk', 2)
        if grep { !has_httpd_module($_) } qw(cache cache_disk);
    my $root = R307::Env::scratch('cache');
    chmod 0777, $root;
    my $caching = with_program(server(name => 'caching',
        modules => [$cgi, qw(cache cache_disk)], config => <<"EOC"));
$socket${sources}CacheRoot "$root"
CacheEnable disk "/"
CacheHeader On
Redirect307Upgrade All
EOC
    my @got = map {
        my $res = $caching->get('/cgi/302/cached');
        my ($from) = ($res->header('X-Cache') || '-') =~ /\A(\w+)/;
        $res->status . " $from";
    } 1, 2;
    is($got[0], '307 MISS', 'an answer that mod_cache keeps');
    is($got[1], '307 HIT', 'and the one that it gives');
}

# ---- a forward proxy says what the servers behind it say ----

{
    my $forward = server(name => 'forward', config => <<'EOC');
ProxyRequests On
Redirect307Upgrade All
Redirect 302 /own https://t.example/own
EOC
    my $to = 'http://127.0.0.1:' . $backend->port . '/cgi/302';
    is($forward->get($to)->status, 302, 'a forward proxy changes nothing');
    is($forward->get('/own')->status, 307, 'but answers of its own');
}

# ---- notes ----

{
    open my $fh, '<', $srv->root . '/logs/notes' or die "notes: $!\n";
    my %lines = map { $_ => 1 } map { s/\n\z//r } <$fh>;
    for my $line ('POST /alias/302 307 302', 'POST /cgi/301 308 301',
                  'POST /rule/x 307 -', 'POST /alias/303 303 -',
                  'POST /alias/302 302 -', 'GET /cgi/302 307 302') {
        ok($lines{$line}, "access log: $line");
    }
}

end_suite(allow_in => { map { $_ => [qr{AH01630: client denied}] }
                        'front' });
