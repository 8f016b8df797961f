# Request bodies: small ones are read so that the connection survives, large
# or unmeasured ones are answered at once, and nobody is asked for a body with
# 100 Continue.
use strict;
use warnings;

use Time::HiRes qw(time);

use R307::Live;

use constant MB => 1_048_576;

my $config = "Redirect307 /up https://t.example/up\n"
           . "<Directory \"\@DOCROOT\@\">\nRedirect307 /dir "
           . "https://t.example/up\n</Directory>\n";
my $srv = server(name => 'drain', config => $config);

# Sends a request with a body of $size bytes by Content-Length, all of it, and
# asks whether a second request works on the same connection.
sub survives {
    my ($server, $path, $size) = @_;
    my $c = $server->connect;
    $c->send("PUT $path HTTP/1.1\r\nHost: a.test\r\n"
           . "Content-Length: $size\r\n\r\n" . 'x' x $size);
    my $res = $c->response('PUT');
    redirects_to($res, 'https://t.example/up', "$path: $size bytes: redirected");
    my $said_close = ($res->header('Connection') || '') =~ /close/i;
    $c->send("GET $path HTTP/1.1\r\nHost: a.test\r\n\r\n");
    my $again = eval { $c->response('GET')->status } || 'closed';
    $c->close;
    return ($again, $said_close);
}

for my $path (qw(/up /dir)) {
    for my $size (0, 1, 65_535, 65_536) {
        my ($again, $close) = survives($srv, $path, $size);
        is($again, 307, "$path: $size bytes: the connection survives");
        ok(!$close, "$path: $size bytes: and is not announced as closing");
    }
    my ($again, $close) = survives($srv, $path, 65_537);
    is($again, 'closed', "$path: 65537 bytes: the connection is closed");
    ok($close, "$path: 65537 bytes: and said so");
}

# 900 MB: the answer is there after what the kernel's buffers take, far below
# 1 MB; the buffers are kept small on both sides, so that this is measured and
# not the speed of the loopback.  Then the client can read all of it.
my $small = server(name => 'drain-large',
                   config => "ReceiveBufferSize 65536\n$config");
for my $path (qw(/up /dir)) {
    for my $kind ('Content-Length', 'chunked') {
        my $chunked = $kind eq 'chunked';
        my $c = $small->connect(send_buffer => 65_536);
        my $start = time;

        $c->send("PUT $path HTTP/1.1\r\nHost: a.test\r\n"
               . ($chunked ? "Transfer-Encoding: chunked\r\n"
                           : 'Content-Length: ' . 900 * MB . "\r\n")
               . "\r\n");
        my $sent = $c->send_until_answer(900 * MB, chunked => $chunked);
        my $res = eval { $c->response('PUT') };
        ok($res, "$path, $kind: the client can read the answer") || diag($@);
        next if !$res;
        redirects_to($res, 'https://t.example/up', "$path, $kind: redirected");
        cmp_ok($sent, '<', MB, "$path, $kind: $sent bytes were sent before it");
        is($res->header('Connection') || '', 'close',
           "$path, $kind: the connection will be closed");
        cmp_ok(time - $start, '<', 10, "$path, $kind: at once");

        # A client that goes on sending for a while can still read it.
        $c->send('x' x 100_000);
        like($res->body, qr/t\.example/, "$path, $kind: the whole answer came");
        $c->close;
    }
}

# A client that sends everything it has before it reads.
{
    my $c = $srv->connect;
    $c->send("PUT /up HTTP/1.1\r\nHost: a.test\r\n"
           . 'Content-Length: ' . 2 * MB . "\r\n\r\n");
    $c->send('x' x (2 * MB));
    my $res = eval { $c->response('PUT') };
    redirects_to($res, 'https://t.example/up',
                 '2 MB sent before reading: the answer is not lost') if $res;
    ok($res, '2 MB sent before reading: no reset') || diag($@);
    $c->close;
}

# Expect: never a 100, whatever the size.
for my $size (10, 65_536, 900 * MB) {
    my $c = $srv->connect;
    $c->send("PUT /up HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n"
           . "Content-Length: $size\r\n\r\n");
    my $res = $c->response('PUT');
    redirects_to($res, 'https://t.example/up', "Expect, $size bytes");
    is(join(',', $res->interim), '', "Expect, $size bytes: no 100");
    ok($c->closed(5), "Expect, $size bytes: the connection ends");
    $c->close;
}
{
    my $c = $srv->connect;
    $c->send("PUT /up HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n"
           . "Transfer-Encoding: chunked\r\n\r\n");
    my $res = $c->response('PUT');
    is($res->status . join(',', $res->interim), '307', 'Expect, chunked: no 100');
    $c->close;
}

# A small chunked body is of unknown size: answered at once, closed.
{
    my $c = $srv->connect;
    $c->send("POST /up HTTP/1.1\r\nHost: a.test\r\n"
           . "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    redirects_to($c->response('POST'), 'https://t.example/up', 'small chunked body');
    ok($c->closed(5), 'small chunked body: the connection ends');
    $c->close;
}

# The answer does not wait for a small body that never comes.
{
    my $slow = server(name => 'drain-zero', config => <<'EOC');
Redirect307Drain 0
Redirect307 /up https://t.example/up
<VirtualHost *:@PORT@>
    ServerName main.test
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName large.test
    Redirect307Drain 300000
</VirtualHost>
EOC
    my $c = $slow->connect;
    my $start = time;
    $c->send("POST /up HTTP/1.1\r\nHost: main.test\r\n"
           . "Content-Length: 5\r\n\r\n");
    redirects_to($c->response('POST'), 'https://t.example/up',
                 'Drain 0: answered before the body');
    cmp_ok(time - $start, '<', 5, 'Drain 0: without waiting');
    $c->close;

    my $res;
    $c = $slow->connect;
    $c->send("GET /up HTTP/1.1\r\nHost: main.test\r\n\r\n" x 2);
    is(join(' ', map { $c->response('GET')->status } 1, 2), '307 307',
       'Drain 0: requests without body keep the connection');
    $c->close;

    $c = $slow->connect;
    $c->send("POST /up HTTP/1.1\r\nHost: large.test\r\n"
           . "Content-Length: 300000\r\n\r\n" . 'x' x 300_000
           . "GET /up HTTP/1.1\r\nHost: large.test\r\n\r\n");
    is(join(' ', $c->response('POST')->status, $c->response('GET')->status),
       '307 307', 'Drain of the virtual host counts');
    $c->close;
}

# What passes is untouched: its body reaches the handler, 100 included.
{
    my $c = $srv->connect;
    $c->send("POST /other HTTP/1.1\r\nHost: a.test\r\n"
           . "Content-Length: 100000\r\n\r\n" . 'x' x 100_000
           . "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    is(join(' ', $c->response('POST')->status, $c->response('GET')->status),
       '404 200', 'a request that no rule covers keeps its connection');
    $c->close;
}

end_suite();
