# What becomes of bodies that nobody needs, where others than the client and
# httpd have a say: clients that are slow, HTTP/2, a mod_proxy before us.
# t/18-drain.t has the rest.
use strict;
use warnings;

use POSIX qw(_exit);
use Time::HiRes qw(sleep time);

use R307::H2;
use R307::Live;

use constant MB => 1_048_576;
use constant TO => 'https://t.example/up';

my $rule = "Redirect307 /up https://t.example/up\n";

# ---- slow clients ----

{
    my $srv = server(name => 'slow', config => $rule);

    # Over the limit: the answer is there before most of the body is sent. The
    # client goes on sending for five seconds and reads it only then.
    for my $line ("Content-Length: @{[ MB ]}", 'Transfer-Encoding: chunked') {
        my ($framing) = $line =~ /(.*):/;
        my $c = $srv->connect;
        my $chunk = $line =~ /chunked/ ? "400\r\n" . 'x' x 1024 . "\r\n"
                                          : 'x' x 1024;
        my ($start, $answered, $sent) = (time, undef, 0);

        $c->send("PUT /up HTTP/1.1\r\nHost: a.test\r\n$line\r\n\r\n");
        for (1 .. 50) {
            $sent += $c->send($chunk);
            sleep 0.1;
            $c->closed(0.01);
            $answered //= time - $start if length $c->{in};
        }
        cmp_ok($answered // 99, '<', 2,
               "slow client, $framing: the answer does not wait");
        is($sent, 50 * length $chunk,
           "slow client, $framing: sending goes on for five seconds");
        my $res = eval { $c->response('PUT') };
        ok($res, "slow client, $framing: and the answer is not lost") || diag($@);
        redirects_to($res, TO, "slow client, $framing: redirected") if $res;
        like($res->body, qr/t\.example/, "slow client, $framing: all of it")
            if $res;
        $c->close;
    }

    # Up to the limit: the answer waits for it, and the connection survives.
    my $c = $srv->connect;
    my $early;
    $c->send("PUT /up HTTP/1.1\r\nHost: a.test\r\nContent-Length: 20\r\n\r\n");
    for (1 .. 10) {
        $c->closed(0.1);
        $early ||= length $c->{in};
        $c->send('xx');
    }
    ok(!$early, 'small slow body: it is waited for');
    redirects_to($c->response('PUT'), TO, 'small slow body: redirected');
    $c->send("GET /up HTTP/1.1\r\nHost: a.test\r\n\r\n");
    redirects_to($c->response('GET'), TO, 'small slow body: the next request');
    $c->close;
    $srv->stop;
}

# ---- HTTP/2 ----

sub put {
    my ($h2, $stream, @more) = @_;
    return $h2->headers($stream, ':method' => 'PUT', ':scheme' => 'http',
                        ':path' => '/up', ':authority' => 'a.test', @more);
}

# Sends up to $size bytes, but not after the answer has begun; returns how many.
sub send_body {
    my ($h2, $stream, $size, $pause) = @_;
    my $deadline = time + 15;
    my $sent = 0;

    while ($sent < $size && time < $deadline
           && !$h2->all_frames($stream, $pause)) {
        my $room = $h2->window($stream);
        my $n = $size - $sent;
        $n = $room if $n > $room;
        $n = 8192 if $n > 8192;
        next if $n <= 0;
        $h2->data($stream, 'x' x $n, end => $sent + $n == $size);
        $sent += $n;
    }
    return $sent;
}

SKIP: {
    skip('mod_http2 does not serve under prefork', 1)
        if R307::Env::mpm() eq 'prefork';
    skip('this httpd has no mod_http2', 1) if !has_httpd_module('http2');
    my $srv = server(name => 'h2', modules => ['http2'],
                     config => "Protocols h2c http/1.1\n$rule");
    my $fields = sub { ('content-length' => $_[0]) };

    for (['over the limit', 200 * MB, 0.01, $fields->(200 * MB)],
         ['over the limit, a slow client', MB, 0.3, $fields->(MB)],
         ['of unknown length', 200 * MB, 0.01],
         ['of unknown length, a slow client', MB, 0.3]) {
        my ($name, $size, $pause, @fields) = @$_;
        my $h2 = R307::H2->connect(port => $srv->port);
        put($h2, 1, @fields);
        my $sent = send_body($h2, 1, $size, $pause);
        my @got = $h2->all_frames(1, 1);

        is("@got", 'HEADERS DATA end RST_STREAM 0',
           "h2, $name: the whole answer, then a reset without error");
        like($h2->text(1), qr{https://t\.example/up}, "h2, $name: redirected");
        cmp_ok($sent, '<=', R307::H2::WINDOW, "h2, $name: $sent bytes were sent");

        # The connection lives on, with room for bodies that are wanted.
        put($h2, 3, $fields->(5));
        $h2->data(3, '12345', end => 1);
        is(join(' ', $h2->all_frames(3, 0.5)), 'HEADERS DATA end',
           "h2, $name: the next stream");
        $h2->close;
    }

    # Ten of them on one connection: the window of the connection is given
    # back, or the last ones could not be sent.
    my $h2 = R307::H2->connect(port => $srv->port);
    my %seen;
    for my $i (0 .. 9) {
        put($h2, 2 * $i + 1, $fields->(MB));
        send_body($h2, 2 * $i + 1, 50_000, 0.005);
        $seen{ join ' ', $h2->all_frames(2 * $i + 1, 0.3) }++;
    }
    put($h2, 21, $fields->(40_000));
    is(send_body($h2, 21, 40_000, 0.01), 40_000,
       'h2: a small body after ten that were not taken');
    is(join(' ', $h2->frames(21, 5)), 'HEADERS DATA end',
       'h2: it is read, and the stream is not reset');
    is(join(', ', sort keys %seen), 'HEADERS DATA end RST_STREAM 0',
       'h2: each of the ten had its answer');
    $h2->close;

    # Expect: no 100 (it would be HEADERS as well), and no body.
    $h2 = R307::H2->connect(port => $srv->port);
    put($h2, 1, $fields->(MB), expect => '100-continue');
    is(join(' ', $h2->all_frames(1, 1)), 'HEADERS DATA end RST_STREAM 0',
       'h2, Expect: the answer at once');
    $h2->close;
    $srv->stop;
}

# ---- behind mod_proxy ----

# The body is sent to its end before anything is read, as simple clients do.
sub send_all {
    my ($c, $path, $size, $chunked) = @_;
    my $block = 'x' x 65_536;

    $c->send("PUT $path HTTP/1.1\r\nHost: a.test\r\n"
           . ($chunked ? 'Transfer-Encoding: chunked' : "Content-Length: $size")
           . "\r\n\r\n");
    for (1 .. $size / length $block) {
        $c->send($chunked ? "10000\r\n$block\r\n" : $block);
    }
    $c->send("0\r\n\r\n") if $chunked;
    return $c->response('PUT');
}

{
    my $logio = has_httpd_module('logio');
    my $srv = server(name => 'behind-proxy', modules => $logio ? ['logio'] : [],
                     config => <<"EOC");
Listen 127.0.0.1:\@PORT2\@
<VirtualHost *:\@PORT\@>
    ServerName front.test
    ProxyPass "/plain/" "http://127.0.0.1:\@PORT2\@/"
    ProxyPass "/ping/" "http://localhost:\@PORT2\@/" ping=5
</VirtualHost>
<VirtualHost *:\@PORT2\@>
    ServerName back.test
    $rule
    <IfModule logio_module>
        CustomLog "\@ROOT\@/logs/received" "%I"
    </IfModule>
</VirtualHost>
EOC
    # The bytes that the last requests to the backend had.
    my $received = sub {
        my ($want) = @_;
        my @lines;
        for (1 .. 100) {
            open my $fh, '<', $srv->root . '/logs/received' or next;
            chomp(@lines = <$fh>);
            last if @lines >= $want;
            sleep 0.05;
        }
        return @lines;
    };
    my $requests = 0;

    # 35 seconds: longer than httpd lingers, which is fixed in httpd.
    my $slow;
    if ($ENV{R307_LONG}) {
        $slow = fork;
        die "fork: $!\n" if !defined $slow;
        if (!$slow) {
            my $c = $srv->connect;
            $c->send("PUT /ping/up HTTP/1.1\r\nHost: a.test\r\n"
                   . "Content-Length: 358400\r\n\r\n");
            for (1 .. 350) {
                $c->send('x' x 1024);
                sleep 0.1;
            }
            my $res = eval { $c->response('PUT') };
            _exit($res && $res->status == 307 ? 0 : 1);
        }
        $requests++;
    }

    for my $way ('plain', 'ping') {
        for my $size (65_536, MB, 100 * MB) {
            for my $chunked (0, 1) {
                my $name = "$way, " . ($chunked ? 'chunked' : 'length')
                         . ", $size bytes";
                my $c = $srv->connect;
                my $res = eval { send_all($c, "/$way/up", $size, $chunked) };
                $requests++;
                ok($res, "behind mod_proxy, $name: an answer") || diag($@);
                redirects_to($res, TO, "behind mod_proxy, $name") if $res;
                $c->send("GET /$way/up HTTP/1.1\r\nHost: a.test\r\n\r\n");
                $requests++;
                is(eval { $c->response('GET')->status } || 'none', 307,
                   "behind mod_proxy, $name: the connection survives");
                $c->close;
            }
        }
    }

    # With ping= mod_proxy expects 100 Continue, and is told 307 instead.
    SKIP: {
        skip('this httpd has no mod_logio', 1) if !$logio;
        my @bytes = $received->($requests);
        is(scalar(grep { $_ < 2000 } @bytes[-12 .. -1]), 12,
           "behind mod_proxy with ping=: the body is not passed on (@bytes)");
    }
    SKIP: {
        skip('set R307_LONG for an upload of 35 seconds', 1) if !$slow;
        waitpid $slow, 0;
        is($?, 0, 'behind mod_proxy with ping=: an upload of 35 seconds');
    }
    $srv->stop;
}

end_suite();
