# Errors become redirects that keep method and body: for every status, target,
# option and context (data/onerror.tsv), whoever made the error
# (data/onerror-sources.tsv), over HTTP/1.1 and HTTP/2, with what the client
# sent arriving at the other site; never after the answer has begun, never
# twice, and without taking a body that nobody will read.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);

use R307::Backend;
use R307::Echo;
use R307::Live;

my $prelude = R307::Env::load_modules(grep { has_httpd_module($_) } 'asis')
            . "Redirect307Site fra https://fra.example/base\n"
            . "AddHandler send-as-is .asis\n";

run_table('onerror.tsv', prelude => $prelude,
    contexts => [qw(vhost directory location if files htaccess)],
    files => {
        'down.asis' => "Status: 503 Down\nX-Down: yes\nRetry-After: 99\n"
                     . "ETag: \"d\"\nCache-Control: max-age=99\n"
                     . "Set-Cookie: d=1\nContent-Type: text/plain\n\nsorry\n",
        'well.asis' => "Status: 200 Well\nContent-Type: text/plain\n\nwell\n",
    });

# ---- who makes the error ----

my $backend = R307::Backend->start;
my $dead = R307::Ports::take();
my $cgi = R307::Env::mpm() eq 'prefork' ? 'cgi' : 'cgid';
my $program = R307::Env::scratch('cgi') . '/fault.cgi';
my $to_backends = <<"EOC";
ProxyPass "/dead" "http://127.0.0.1:$dead" retry=0
ProxyPass "/fresh" "http://127.0.0.1:@{[ $backend->port ]}/fresh" retry=0
ProxyPass "/b" "http://127.0.0.1:@{[ $backend->port ]}" retry=0
ProxyTimeout 1
ScriptAlias "/cgi" "$program"
EOC
my $applications = R307::Env::load_modules($cgi) . <<'EOC';
<IfModule cgid_module>
    ScriptSock "@ROOT@/run/cgid.sock"
</IfModule>
EOC

{
    my $source = R307::Env::top() . '/t/cgi/fault.cgi';
    open my $fh, '<:raw', $source or die "$source: $!\n";
    R307::Env::write_file($program, do { local $/; <$fh> });
    chmod 0755, $program or die "$program: $!\n";
}
run_table('onerror-sources.tsv', prelude => $applications,
          vhost => $to_backends);

# ---- what arrives at the other site ----

my $h2 = R307::Env::mpm() ne 'prefork' && has_httpd_module('http2');
my @h2 = $h2 ? ('http2') : ();
my $protocols = $h2 ? "Protocols h2c http/1.1\n" : '';
my @missing = R307::Echo::missing(curl => 'curl',
                                  $h2 ? (nghttp => 'nghttp2-client') : ());
if (@missing) {
    fail("the clients are there: install the packages @missing");
    end_suite();
    exit 1;
}

my %content = (
    form  => 'card=1&name=J%C3%BCrgen+X&note=%0d%0a%26',
    page  => join('', map { chr } 0 .. 255) x 80,
    large => pack('N*', 0 .. 2_000_000),
);
my $bodies = R307::Env::scratch('bodies');
R307::Env::write_file("$bodies/$_", $content{$_}) for keys %content;

my $echo = R307::Echo::server(modules => \@h2, config => $protocols);
my $to = 'http://127.0.0.1:' . $echo->port . '/echo';
my $front = server(name => 'front', modules => [@h2, $cgi],
    files => { 'htdocs/ht/.htaccess' => "Redirect307OnError 404,405 $to\n",
               'htdocs/sorry.html' => "sorry\n" },
    config => $protocols . <<"EOC" . $to_backends);
<IfModule cgid_module>
    ScriptSock "\@ROOT\@/run/cgid.sock"
</IfModule>
Redirect307OnError 5xx $to
<Directory "\@DOCROOT\@">
    AllowOverride FileInfo
</Directory>
<Location "/page">
    Redirect307OnError 404,405 $to
    ErrorDocument 404 /sorry.html
    ErrorDocument 405 /sorry.html
</Location>
EOC
my @ways = qw(/dead/x /b/503 /b/refuse /b/mid /b/early-503 /cgi/read/504
              /cgi/503 /ht/x /page/x);

# One test: the client got to the echo, with all that it has sent.
sub arrives {
    my ($said, $path, $method, $body, $name) = @_;
    my %want = (exit => 0, status => 200, redirects => 1, path => $path,
                query => 'x=1&y=%26&_r307=1', method => $method,
                length => length $content{$body},
                sha256 => sha256_hex($content{$body}));
    my %got = map { $_ => $said->{$_} } keys %want;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return is_deeply(\%got, \%want, $name)
        || diag(map { "  $_: $said->{$_}\n" } sort keys %$said);
}

for my $path (@ways) {
    my $url = 'http://127.0.0.1:' . $front->port . "$path?x=1&y=%26";
    arrives(R307::Echo::curl('--data-binary', "\@$bodies/form", $url), $path,
            'POST', 'form', "$path: a form");
    arrives(R307::Echo::curl('-T', "$bodies/page", $url), $path, 'PUT',
            'page', "$path: a PUT");
    for my $more (['with Expect'], ['without Expect', '-H', 'Expect:'],
                  ['chunked', '-H', 'Transfer-Encoding: chunked']) {
        my ($how, @args) = @$more;
        arrives(R307::Echo::curl(@args, '-T', "$bodies/large", $url), $path,
                'PUT', 'large', "$path: 8 MB, $how");
    }
    SKIP: {
        skip('no HTTP/2 here', 3) if !$h2;
        arrives(R307::Echo::nghttp($url, '-d', "$bodies/form"), $path, 'POST',
                'form', "$path: a form, HTTP/2");
        arrives(R307::Echo::nghttp($url, '-d', "$bodies/page"), $path, 'POST',
                'page', "$path: 20 kB, HTTP/2");
        arrives(R307::Echo::nghttp($url, '-d', "$bodies/large"), $path,
                'POST', 'large', "$path: 8 MB, HTTP/2");
    }
}

# ---- connections ----

# Requests in a row on one connection: status and the start of Location or
# body of each, until it is closed.
sub in_a_row {
    my ($srv, @requests) = @_;
    my $c = $srv->connect;
    my @got;

    for my $request (@requests) {
        $c->send($request);
        my ($method) = $request =~ /\A(\S+)/;
        my $res = eval { $c->response($method) } or last;
        push @got, $res->status . ' '
                 . ($res->header('Location') // substr $res->body, 0, 9);
        last if ($res->header('Connection') // '') =~ /close/i;
    }
    $c->close;
    return join ', ', @got;
}

sub post {
    my ($path, $body) = @_;
    return "POST $path HTTP/1.1\r\nHost: a.test\r\nContent-Length: "
         . length($body) . "\r\n\r\n$body";
}

# A body that looks like a request is never taken for one.
my $evil = "GET /dead/evil HTTP/1.1\r\nHost: a.test\r\n\r\n";
my $last = "GET /sorry.html HTTP/1.1\r\nHost: a.test\r\n\r\n";
for my $path (@ways) {
    my $got = in_a_row($front, post($path, $evil), $last);
    is($got =~ s/, 200 sorry\n\z//r, "307 $to$path?_r307=1",
       "$path: what follows on the connection");
}
is(in_a_row($front, post('/ht/x', 'a=b'), post('/page/x', 'a=b'), $last),
   "307 $to/ht/x?_r307=1, 307 $to/page/x?_r307=1, 200 sorry\n",
   'a small body: the connection survives');
is(in_a_row($front, post('/b/503', 'a=b'), $last),
   "307 $to/b/503?_r307=1, 200 sorry\n",
   'a body that the backend has taken: the connection survives');

# httpd would hang up, since the backend does.
is(in_a_row($front, (post('/fresh/again', 'a=b')) x 2),
   "200 3 bytes\n, 307 $to/fresh/again?_r307=1",
   'a backend that hangs up on a connection that was used before');

# ---- never after the answer has begun ----

for my $version ('1.0', '1.1') {
    my $c = $front->connect;
    $c->send("GET /b/half HTTP/$version\r\nHost: a.test\r\n\r\n");
    my $res = $c->response('GET');
    is($res->status . ' ' . $res->body, '200 hello',
       "begun, HTTP/$version: what was sent, and nothing after it");
    ok($c->closed(5), "begun, HTTP/$version: the connection ends");
    $c->close;
}

# ---- what a large body costs ----

use constant MB => 1_048_576;

my $small = server(name => 'drain', modules => [$cgi],
    files => { 'htdocs/sorry.html' => "sorry\n" },
    config => <<"EOC" . $to_backends);
<IfModule cgid_module>
    ScriptSock "\@ROOT\@/run/cgid.sock"
</IfModule>
ReceiveBufferSize 65536
Redirect307OnError 403,502,503 https://t.example
<Location "/denied">
    Require all denied
</Location>
<Location "/denied/page">
    ErrorDocument 403 /sorry.html
</Location>
EOC
for my $path (qw(/dead/x /b/refuse /denied/x /denied/page/x)) {
    for my $kind ('Content-Length', 'chunked', 'Expect') {
        my $chunked = $kind eq 'chunked';
        my $c = $small->connect(send_buffer => 65_536);

        $c->send("PUT $path HTTP/1.1\r\nHost: a.test\r\n"
               . ($chunked ? "Transfer-Encoding: chunked\r\n"
                           : 'Content-Length: ' . 900 * MB . "\r\n")
               . ($kind eq 'Expect' ? "Expect: 100-continue\r\n" : '')
               . "\r\n");
        my $sent = $kind eq 'Expect' ? 0
            : $c->send_until_answer(900 * MB, chunked => $chunked);
        my $res = eval { $c->response('PUT') };
        ok($res, "$path, $kind: the client can read the answer") || diag($@);
        next if !$res;
        redirects_to($res, "https://t.example$path?_r307=1",
                     "$path, $kind: redirected");
        # The backend's buffers are not ours.
        cmp_ok($sent, '<', $path =~ /refuse/ ? 20 * MB : 2 * MB, "$path, $kind: $sent bytes of 900 MB were"
                                   . ' sent before the answer');
        is($res->header('Connection') || '', 'close',
           "$path, $kind: the connection will be closed");
        $c->close;
    }
}

# ---- two sites that fall back to each other ----

for my $guard ('query', 'cookie example.test', 'cookie') {
    my $srv = server(name => 'pair', config => <<"EOC");
Redirect307LoopGuard $guard
<VirtualHost *:\@PORT\@>
    ServerName a.example.test
    ProxyPass "/" "http://127.0.0.1:$dead/" retry=0
    Redirect307OnError 503 http://b.example.test:\@PORT\@
</VirtualHost>
<VirtualHost *:\@PORT\@>
    ServerName b.example.test
    ProxyPass "/" "http://127.0.0.1:$dead/" retry=0
    Redirect307OnError 503 http://a.example.test:\@PORT\@
</VirtualHost>
EOC
    my ($host, $target, @way) = ('a', '/form?x=1');
    my %jar;        # "host name" or "domain name" => value
    for (1 .. 6) {
        my @cookies = map { /\A(\S+) (\S+)\z/ && ($1 eq $host || $1 eq '*')
                            ? $2 : () } sort keys %jar;
        my $res = $srv->request(method => 'POST', target => $target,
            body => 'a=b', host => "$host.example.test",
            headers => [map { "Cookie: $_" } @cookies ? "@cookies" : ()]);
        push @way, "$host " . $res->status;
        $jar{(/Domain=example\.test/ ? '*' : $host) . ' ' . s/;.*//r} = 1
            for $res->headers('Set-Cookie');
        ($host, $target) = ($res->header('Location') // '')
            =~ m{\Ahttp://(\w)\.example\.test:\d+(/.*)\z} or last;
    }
    # A cookie without domain is known to the site that has set it only.
    is(join(', ', @way), $guard eq 'cookie' ? 'a 307, b 307, a 503'
                                            : 'a 307, b 503',
       "both sites are down, $guard: the error ends it");
    $srv->stop;
}

# ---- with Redirect307Upgrade and Redirect307CORS ----

{
    my $srv = server(name => 'together',
        files => { 'htdocs/sorry.html' => "sorry\n" },
        config => <<"EOC" . $to_backends);
Redirect307LoopGuard Off
Redirect307OnError 503,404 https://t.example methods=!GET
Redirect307Upgrade All
Redirect 302 /moved https://other.example
<Location "/dead">
    Redirect307CORS https://app.example max-age=60
</Location>
<Location "/dead/page">
    ErrorDocument 503 /sorry.html
</Location>
<Location "/dead/url">
    ErrorDocument 503 https://sorry.example/
</Location>
EOC
    my %preflight = (method => 'OPTIONS', headers => [
        'Origin: https://app.example', 'Access-Control-Request-Method: PUT']);
    my %put = (method => 'PUT', body => 'x',
               headers => ['Origin: https://app.example']);
    my %wrong = (%preflight, headers => [
        'Origin: https://evil.example', 'Access-Control-Request-Method: PUT']);
    my %get = (%preflight, headers => [
        'Origin: https://app.example', 'Access-Control-Request-Method: GET']);
    my $allowed = 'https://app.example';
    for my $path (qw(/dead/x /dead/page/x /dead/url/x)) {
        my $other = $path =~ /url/ ? '307 https://sorry.example/' : '503';
        my $by = $path =~ /url/ ? $allowed : 'none';
        for (['a PUT', \%put, "307 https://t.example$path", $allowed],
             ['its preflight', \%preflight, '204', $allowed],
             ['a preflight of another origin', \%wrong, $other, 'none'],
             ['a preflight for another method', \%get, $other, $by]) {
            my ($name, $request, $want, $allow) = @$_;
            my $res = $srv->request(%$request, target => $path);
            is(join(' ', $res->status, $res->header('Location') // (),
                    $res->header('Access-Control-Allow-Origin') // 'none'),
               "$want $allow", "$path: $name");
        }
    }
    my $res = $srv->request(%put, target => '/dead/url/x');
    is($res->header('Vary'), 'Origin', 'Vary names Origin once');
    is($srv->get('/dead/url/x')->status, 307, 'what is not replaced is upgraded');
    redirects_to($srv->request(method => 'POST', target => '/moved/x'),
                 'https://other.example/x', 'nor are redirects errors');
    $srv->stop;
}

# ---- contexts among each other ----

{
    my $srv = server(name => 'merge',
        files => {
            'htdocs/page.shtml' => qq(<!--#include virtual="/none" -->\n),
            'htdocs/d/.htaccess' => "Redirect307OnError 404 https://ht.example\n",
            'htdocs/d/cut/.htaccess' => "Redirect307Inherit Off\n",
        },
        config => <<'EOC');
Redirect307LoopGuard Off
Redirect307OnError 404 https://main.example methods=!PUT
AddOutputFilter INCLUDES .shtml
<Directory "@DOCROOT@">
    Options +Includes
    AllowOverride FileInfo
    Redirect307OnError 4xx https://dir.example methods=POST
</Directory>
<VirtualHost *:@PORT@>
    ServerName plain.test
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName own.test
    Redirect307OnError 404 https://own.example methods=!DELETE
    <Location "/in">
        Redirect307OnError 404 https://in.example methods=GET
    </Location>
    <Location "/cut">
        Redirect307Inherit Off
    </Location>
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName cut.test
    Redirect307Inherit Off
</VirtualHost>
EOC
    for (['plain.test', 'GET /x' => '307 https://main.example/x'],
         ['plain.test', 'PUT /x' => '405'],
         ['plain.test', 'POST /x' => '307 https://dir.example/x'],
         ['plain.test', 'GET /d/x' => '307 https://ht.example/d/x'],
         ['plain.test', 'GET /d/cut/x' => '404'],
         ['plain.test', 'GET /page.shtml' => '200'],
         ['own.test', 'GET /x' => '307 https://own.example/x'],
         ['own.test', 'GET /in/x' => '307 https://in.example/in/x'],
         ['own.test', 'HEAD /in/x' => '307 https://in.example/in/x'],
         ['own.test', 'POST /in/x' => '307 https://dir.example/in/x'],
         ['own.test', 'GET /cut/x' => '404'],
         ['cut.test', 'GET /x' => '404']) {
        my ($host, $request, $want) = @$_;
        my ($method, $target) = split / /, $request;
        my $res = $srv->request(method => $method, target => $target,
                                host => $host);
        my $got = join ' ', $res->status, $res->header('Location') // ();
        is($got, $want, "$host: $request");
    }
    $srv->stop;
}

$backend->stop;
end_suite(allow => [qr/AH0|AH1/, qr/unable to include/]);
