# Redirect307CORS: redirects that browsers follow from pages of other origins,
# and preflights, which are answered or left to the application, but never
# redirected.  The cases are in data/cors.tsv.
use strict;
use warnings;

use R307::Live;
use R307::Echo;

run_table('cors.tsv',
          contexts => [qw(vhost location if directory files htaccess)]);

# ---- HTTP/2 ----

my $h2 = R307::Env::mpm() ne 'prefork' && has_httpd_module('http2');
my $srv = server(name => 'h2', modules => $h2 ? ['http2'] : [],
                 config => ($h2 ? "Protocols h2c http/1.1\n" : '') . <<'EOC');
LogFormat "%m %>s %{redirect307-preflight}n" notes
CustomLog "@ROOT@/logs/notes" notes
Redirect307 /a https://t.example/a name=moved
Redirect307CORS https://app.example credentials max-age=60
EOC

# Status and the fields of an answer that matter here, sorted.
sub by_curl {
    my (@args) = @_;
    my ($code, $text) = R307::Echo::run('curl', '-q', '-sS', '-i', '-o', '-',
        '--noproxy', '*', '--max-time', 20, '--http2-prior-knowledge', @args,
        'http://127.0.0.1:' . $srv->port . '/a/x');
    my ($status) = $text =~ m{\AHTTP/2 (\d+)};
    my @fields = sort $text =~ /^((?:access|vary|location)[^:]*: .*?)\r?$/mg;

    return $code == 0 ? [$status, @fields] : ["curl: $code"];
}

SKIP: {
    skip('HTTP/2 needs mod_http2, another MPM than prefork, and curl with it',
         2) if !$h2 || R307::Echo::missing(curl => 'curl')
               || !R307::Echo::curl_has_http2();
    my @origin = ('-H', 'Origin: https://app.example');
    is_deeply(by_curl('-X', 'OPTIONS', @origin,
                      '-H', 'Access-Control-Request-Method: PUT'),
        [204, 'access-control-allow-credentials: true',
         'access-control-allow-methods: PUT',
         'access-control-allow-origin: https://app.example',
         'access-control-max-age: 60',
         'vary: Origin,Access-Control-Request-Method,'
         . 'Access-Control-Request-Headers'], 'HTTP/2: a preflight');
    is_deeply(by_curl('-X', 'PUT', '-d', 'x', @origin),
        [307, 'access-control-allow-credentials: true',
         'access-control-allow-origin: https://app.example',
         'location: https://t.example/a/x', 'vary: Origin'],
        'HTTP/2: the request');
}

# ---- the connection, and the note ----

{
    my $conn = $srv->connect;
    my @got;

    for my $method (qw(OPTIONS PUT OPTIONS)) {
        $conn->send($srv->bytes(method => $method, target => '/a',
            keepalive => 1, headers => ['Origin: https://app.example',
                                        'Access-Control-Request-Method: PUT']));
        my $res = eval { $conn->response($method) };
        push @got, $res ? $res->status . length $res->body : "none: $@";
    }
    like("@got", qr/\A2040 307\d+ 2040\z/, 'three answers on one connection');
    $conn->close;
    open my $fh, '<', $srv->root . '/logs/notes' or die "notes: $!\n";
    my %lines = map { $_ => 1 } map { s/\n\z//r } <$fh>;
    ok($lines{'OPTIONS 204 moved'}, 'the note names the rule');
    ok($lines{'PUT 307 -'}, 'and only a preflight has it');
}

end_suite();
