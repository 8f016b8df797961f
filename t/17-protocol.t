# HTTP itself: methods, versions, forms of the request target, Host, HTTP/2.
use strict;
use warnings;

use R307::Live;

my $srv = server(name => 'protocol', config => <<'EOC');
ServerName main.test:@PORT@
HttpProtocolOptions LenientMethods
<VirtualHost *:@PORT@>
    ServerName main.test:@PORT@
    ServerAlias a.test
    TraceEnable on
    Redirect307 /all https://t.example
    Redirect307 /path /new
    Redirect307 / https://root.example/
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName other.test
    Redirect307 / https://other.example/
</VirtualHost>
EOC
my $port = $srv->port;

# ---- methods ----
for my $method (qw(GET HEAD POST PUT PATCH DELETE OPTIONS PROPFIND BREW)) {
    my $body = $method =~ /^P|BREW/ ? 'key=value' : undef;
    my $res = $srv->request(method => $method, target => '/all/x?y',
                            host => 'a.test', body => $body);
    redirects_to($res, 'https://t.example/x?y', $method);
    is($res->body, '', 'HEAD has no body') if $method eq 'HEAD';
    like($res->body, qr{https://t\.example/x\?y},
         "$method: the body names the target for people") if $method eq 'GET';
}

# ---- versions and connections ----
my $res = $srv->request(target => '/all/x', version => '1.0', host => 'a.test');
redirects_to($res, 'https://t.example/x', 'HTTP/1.0');
redirects_to($srv->request(target => '/all/x', version => '1.0', host => ''),
             'https://t.example/x', 'HTTP/1.0 without Host');
$res = $srv->request(target => '/path/x', version => '1.0', host => '');
is($res->status, 307, 'HTTP/1.0 without Host, path-only target');
like($res->header('Location'), qr{\A(?:http://main\.test:$port)?/new/x\z},
     'names this server or only the path');

my $c = $srv->connect;
for my $n (1 .. 3) {
    $c->send("GET /all/$n HTTP/1.1\r\nHost: a.test\r\n\r\n");
    redirects_to($c->response('GET'), "https://t.example/$n",
                 "request $n on one connection");
}
$c->send("POST /all/p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\n"
       . "12345");
redirects_to($c->response('POST'), 'https://t.example/p',
             'a body on a kept connection');
$c->send("GET /all/q HTTP/1.1\r\nHost: other.test\r\n\r\n");
redirects_to($c->response('GET'), 'https://other.example/all/q',
             'which is still in step, and changes hosts');
$c->close;

$c = $srv->connect;
$c->send(join '', map { "GET /all/$_ HTTP/1.1\r\nHost: a.test\r\n\r\n" } 1 .. 4);
is(join(' ', map { $c->response('GET')->header('Location') || '-' } 1 .. 4),
   join(' ', map { "https://t.example/$_" } 1 .. 4), 'pipelined requests');
$c->close;

$c = $srv->connect;
$c->send("GET /all/k HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n"
       x 2);
is(join(' ', map { $c->response('GET')->status } 1, 2), '307 307',
   'HTTP/1.0 keep-alive');
$c->close;

# ---- forms of the request target ----
redirects_to($srv->request(target => "http://a.test:$port/all/x?y"),
             'https://t.example/x?y', 'absolute-form');
redirects_to($srv->request(target => "http://other.test:$port/z",
                           host => 'a.test'),
             'https://other.example/z', 'absolute-form wins over Host');
redirects_to($srv->request(target => "HTTP://a.test:$port/all/%41%20"),
             'https://t.example/%41%20', 'absolute-form keeps the encoding');
redirects_to($srv->request(target => "http://a.test:$port"),
             'https://root.example/', 'absolute-form without a path');
redirects_to($srv->request(target => "http://a.test:$port?q"),
             'https://root.example/?q', 'absolute-form with only a query');
redirects_to($srv->request(target => "http://a.test:$port/path/x"),
             "http://a.test:$port/new/x", 'absolute-form, path-only target');

passes($srv->request(method => 'OPTIONS', target => '*', host => 'a.test'),
       200, 'OPTIONS * is not redirected');
for my $target ('a.test:80', 'evil.example:443') {
    $res = $srv->request(method => 'CONNECT', target => $target,
                         host => $target);
    ok($res->status >= 400 && !defined $res->header('Location'),
       "CONNECT $target is not redirected") || diag($res->head);
}
for my $target ('evil.example:80', 'all/x', 'javascript:x', '#f') {
    $res = $srv->request(target => $target, host => 'a.test');
    ok($res->status == 400 && !defined $res->header('Location'),
       "GET $target is not redirected") || diag($res->head);
}
same_answer($srv->request(method => 'TRACE', target => '/all/x',
                          host => 'a.test'),
            $srv->request(target => '/all/x', host => 'a.test'),
            'TRACE is a request as any other');

# ---- Host ----
redirects_to($srv->request(target => '/path/x', host => "a.test:$port"),
             "http://a.test:$port/new/x", 'an own name');
redirects_to($srv->request(target => '/path/x', host => "A.TEST:$port"),
             "http://a.test:$port/new/x", 'an own name in capitals');
redirects_to($srv->request(target => '/path/x', host => "evil.example:$port"),
             '/new/x', 'a foreign Host is never repeated');
redirects_to($srv->request(target => '/path/x', host => 'a.test:99'),
             '/new/x', 'nor a foreign port');
for my $bad ('a.test:65536', 'a.test:99999999999', 'a.test:-1', 'a.test:x',
             'a b', 'a/b', 'a@b', '[::1', 'a.test\\', 'a%0d%0ab', ':80',
             'a.test:80:80', "a\x01b", '<a>', 'a..b', '') {
    $res = $srv->request(target => '/path/x',
                         headers => ["Host: $bad"]);
    my $loc = $res->header('Location');
    (my $show = $bad) =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ge;
    ok($res->status == 400
       || ($res->status == 307 && ($loc eq '/new/x'
                                   || $loc eq "http://main.test:$port/new/x")),
       "Host '$show' never reaches Location")
        || diag($res->head);
}
$c = $srv->connect;
$c->send("GET /path/x HTTP/1.1\r\nHost: a.test\r\nHost: evil.example\r\n"
       . "Connection: close\r\n\r\n");
$res = $c->response('GET');
ok($res->status == 400 || ($res->header('Location') || '') !~ /evil/,
   'two Host lines');
$c->close;

# ---- IPv6 ----
SKIP: {
    skip('there is no IPv6 loopback here', 4) if !has_ipv6();
    redirects_to($srv->request(target => '/all/x', address => '::1',
                               host => "[::1]:$port"),
                 'https://t.example/x', 'over IPv6');
    $res = $srv->request(target => '/path/x', address => '::1',
                         host => "[::1]:$port");
    is($res->status, 307, 'path-only target over IPv6');
    like($res->header('Location'), qr{\A(?:http://\[::1\]:$port)?/new/x\z},
         'with brackets or only the path');
    redirects_to($srv->request(target => '/path/x', address => '::1',
                               host => "[2001:db8::bad]:$port"),
                 '/new/x', 'a foreign IPv6 Host is never repeated');
}

# ---- forward proxy ----
my $proxy = server(name => 'proxy', config => <<"EOC");
ProxyRequests On
AllowCONNECT $port
Redirect307 / https://proxy.example/
Redirect307Match ^(.*)\$ https://proxy.example\$1
EOC
redirects_to($proxy->get('/x'), 'https://proxy.example/x',
             'the proxy itself redirects');
redirects_to($proxy->request(target => "http://127.0.0.1:$port/all/x",
                             host => "127.0.0.1:$port"),
             'https://t.example/x',
             'a proxied request gets the answer of its origin');
$c = $proxy->connect;
$c->send("CONNECT 127.0.0.1:$port HTTP/1.1\r\nHost: 127.0.0.1:$port\r\n\r\n");
is($c->response('CONNECT')->status, 200, 'CONNECT opens the tunnel');
$c->send("GET /all/t HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
redirects_to($c->response('GET'), 'https://t.example/t',
             'and what is in it is the origin\'s');
$c->close;

# ---- HTTP/2 ----

sub h2_frame {
    my ($type, $flags, $stream, $payload) = @_;
    return substr(pack('N', length $payload), 1)
         . pack('CCN', $type, $flags, $stream) . $payload;
}

# Sends a POST whose body of 5 bytes comes half a second after its header;
# returns the types of the frames that answer it.  An answer with
# RST_STREAM(NO_ERROR) before the body was read is legal, but clients that are
# about to send that body lose the answer: curl 7.88 in two runs of three.
sub h2_slow_body {
    my ($port) = @_;
    my $c = R307::Http->connect(port => $port);
    my $header = join '', map {
        pack('C C/a C/a', 0, @$_)
    } [':method', 'POST'], [':scheme', 'http'], [':path', '/all/x'],
      [':authority', "127.0.0.1:$port"], ['content-length', '5'];

    $c->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . h2_frame(4, 0, 0, '')
           . h2_frame(1, 4, 1, $header));
    select undef, undef, undef, 0.5;
    $c->send(h2_frame(0, 1, 1, '12345'));
    $c->closed(1.5);
    my $in = $c->{in};
    my @types;
    while (length $in >= 9) {
        my ($len, $type, $flags, $stream) =
            (unpack('N', "\0" . substr $in, 0, 3),
             unpack 'x3 C C N', $in);
        substr $in, 0, 9 + $len, '';
        push @types, $type == 1 ? 'HEADERS' : $type == 3 ? 'RST_STREAM' : ()
            if $stream == 1;
    }
    $c->close;
    return join ' ', @types;
}

SKIP: {
    skip('mod_http2 does not serve under prefork', 9)
        if R307::Env::mpm() eq 'prefork';
    skip('this httpd has no mod_http2', 9) if !has_httpd_module('http2');
    my $h2 = server(name => 'h2', modules => ['http2'], config => <<'EOC');
Protocols h2c http/1.1
ServerName h2.test:@PORT@
Redirect307 /all https://t.example
Redirect307 /path /new
EOC
    my $base = 'http://127.0.0.1:' . $h2->port;
    my $curl = sub {
        my (@args) = @_;
        open my $fh, '-|', 'curl', '-sS', '--noproxy', '*', '--max-time', 20,
             '--http2-prior-knowledge', '-o', '/dev/null', '-w',
             '%{http_version} %{response_code} %header{location} %{size_upload}',
             @args or return "no curl: $!";
        local $/;
        my $text = <$fh>;
        close $fh or return "curl failed: $text";
        return $text;
    };

    skip('curl with HTTP/2 and nghttp are not both here', 9)
        if (`curl --version 2>/dev/null` || '') !~ /HTTP2/
        || !`nghttp --version 2>/dev/null`;
    like($curl->("$base/all/x?y"), qr{\A2 307 https://t\.example/x\?y },
         'h2: GET');
    like($curl->('-I', "$base/all/x"), qr{\A2 307 https://t\.example/x },
         'h2: HEAD');
    is(join('', map {
           $curl->('-d', 'a=b', "$base/all/x")
               =~ m{\A2 307 https://t\.example/x } ? '.' : 'F'
       } 1 .. 20), '.' x 20, 'h2: POST, twenty times');
    is(h2_slow_body($h2->port), 'HEADERS',
       'h2: a small body is read before the stream ends, not reset');
    # After its answer httpd ends the stream with RST_STREAM(NO_ERROR), as
    # RFC 9113 section 8.1 has it; curl 7.88 takes that for an error.
    my $file = $h2->root . '/body';
    R307::Env::write_file($file, 'x' x 500_000);
    my $put = `nghttp -v -n -H':method: PUT' -d '$file' '$base/all/x' 2>&1`;
    like($put, qr{:status: 307.*location: https://t\.example/x\n}s,
         'h2: PUT with a larger body');
    like($curl->('-X', 'DELETE', "$base/all/%41%2541"),
         qr{\A2 307 https://t\.example/%41%2541 }, 'h2: encoding is kept');
    like($curl->('-H', 'Host: evil.example', "$base/path/x"),
         qr{\A2 307 /new/x }, 'h2: foreign :authority is not repeated');
    like($curl->('-H', 'Host: h2.test:' . $h2->port, "$base/path/x"),
         qr{\A2 307 http://h2\.test:\d+/new/x }, 'h2: own :authority');
    # Two streams of one connection; curl 7.88 fails here by itself.
    my $two = `nghttp -v '$base/all/1' '$base/all/2' 2>&1`;
    is(join(' ', sort $two =~ m{location: (https://t\.example/\d)}g),
       'https://t.example/1 https://t.example/2',
       'h2: two requests on one connection');
}

# Refused request lines are logged by httpd at info; CONNECT and the proxy by
# mod_proxy.
end_suite(allow => [qr/\[proxy/]);
