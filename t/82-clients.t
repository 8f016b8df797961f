# Programs that people use: what they send through a 307, one that stands in for
# an error, and an upgraded 302, arrives as it was, once; and where a client
# can not do that, it says so.  t/80-end-to-end.t has more requests, of fewer
# clients.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);

use R307::Live;
use R307::Echo;
use R307::Tls;

my $h2 = R307::Tls::is_there() && R307::Echo::curl_has_http2();

my @missing = R307::Echo::missing(curl => 'curl', node => 'nodejs',
                                  wget => 'wget', python3 => 'python3',
                                  openssl => 'openssl');
if (@missing) {
    fail("the clients are there: install the packages @missing");
    end_suite();
    exit 1;
}

my $echo = R307::Echo::server();
my $there = 'http://127.0.0.1:' . $echo->port . '/echo';
my $closed = R307::Ports::take();

my $front = server(name => 'front',
    modules => [$h2 ? R307::Tls::modules() : ()],
    config => ($h2 ? R307::Tls::listen() : '') . <<"EOC");
ProxyPass /echo $there

Redirect307 /plain/here /echo
Redirect307 /plain/there $there

ProxyPass /onerror http://127.0.0.1:$closed retry=0
<Location "/onerror/here">
    Redirect307OnError 503 /echo
</Location>
<Location "/onerror/there">
    Redirect307OnError 503 $there
</Location>

<Location "/upgrade">
    Redirect307Upgrade Unsafe
</Location>
Redirect 302 /upgrade/here /echo
Redirect 302 /upgrade/there $there

Redirect 302 /found/there $there
EOC
my %base = map { $_ => 'http://127.0.0.1:' . $front->port }
               qw(curl wget python urllib node);
$base{'curl-h2'} = 'https://127.0.0.1:' . $front->port2;

# ---- what is sent ----

my $dir = R307::Env::scratch('bodies');
my %content = (
    empty => '',
    form  => 'card=1&name=J%C3%BCrgen+X&note=%0d%0a%26',
    file  => pack('N*', 0 .. 5 * 1024 * 1024 / 4 - 1),
);
R307::Env::write_file("$dir/$_", $content{$_}) for keys %content;

my $bearer = 'Authorization: Bearer abc';
my @curl_form = ('--data-binary', "\@$dir/form");
my @curl_put = ('-T', "$dir/file");
my %curl = (
    form     => [@curl_form],
    put      => [@curl_put],
    chunked  => [@curl_put, '-H', 'Transfer-Encoding: chunked'],
    delete   => ['-X', 'DELETE'],
    bearer   => [@curl_form, '-H', $bearer],
    password => [@curl_form, '-u', 'abc:abc'],
    trusted  => [@curl_form, '-u', 'abc:abc', '--location-trusted'],
);
my @wget_form = ("--post-file=$dir/form");
my %wget = (
    form   => [@wget_form],
    put    => ['--method=PUT', "--body-file=$dir/file"],
    delete => ['--method=DELETE'],
    bearer => [@wget_form, "--header=$bearer"],
);
# Of our own programs: method, file, more.
my $type = 'Content-Type:application/x-www-form-urlencoded';
my %program = (
    form    => ['POST', "$dir/form", $type],
    put     => ['PUT', "$dir/file"],
    chunked => ['PUT', "$dir/file", 'chunked'],
    stream  => ['PUT', "$dir/file", 'stream'],
    delete  => ['DELETE'],
    bearer  => ['POST', "$dir/form", $type, $bearer =~ s/ //r],
);

# curl that reads standard input.
sub piped {
    my ($body, $url, @args) = @_;
    my ($code, $text) = R307::Echo::run('sh', '-c', 'cat "$0" | curl "$@"',
        "$dir/$body", qw(-q -sS -L --noproxy * --max-time 60 -T -), @args, $url);
    return $code ? { error => 'exit ' . ($code >> 8) } : R307::Echo::parse($text);
}

sub curl {
    my ($request, $url, @more) = @_;
    return piped('file', $url) if $request eq 'pipe';
    return piped('form', $url, '-H', 'Expect:') if $request eq 'hasty-pipe';
    return R307::Echo::curl(@more, @{ $curl{$request} }, $url);
}

sub own {
    my ($interpreter, $program, $request, $url) = @_;
    my ($method, @rest) = @{ $program{$request} };
    my ($code, $text) = R307::Echo::run($interpreter,
        "$ENV{R307_TOP}/t/clients/$program", $method, $url, @rest);
    return { %{ R307::Echo::parse($text) }, $code ? (error => "exit $code") : () };
}

my %send = (
    curl => \&curl,
    'curl-h2' => sub { curl(@_, '--insecure') },
    wget => sub {
        my ($request, $url) = @_;
        my ($code, $text) = R307::Echo::run(qw(wget -q --no-config --no-proxy
            -O - --tries=1 --timeout=60), @{ $wget{$request} }, $url);
        return { %{ R307::Echo::parse($text) },
                 $code ? (error => 'exit ' . ($code >> 8)) : () };
    },
    python => sub { own('python3', 'follow.py', @_) },
    urllib => sub {
        my ($request, $url) = @_;
        my (undef, $text) = R307::Echo::run('python3',
            "$ENV{R307_TOP}/t/clients/urllib-post.py", $url, "$dir/$request");
        return R307::Echo::parse($text);
    },
    node => sub { own('node', 'fetch.mjs', @_) },
);

# ---- what arrives ----

my %expected;                           # what the URL says => how often

# What a row says, of its alternatives one, and what arrived, as text.
sub want {
    my ($arrives) = @_;
    my ($method, $body, $auth) = split / /, $arrives;

    return $arrives if !defined $body || !defined $content{$body};
    return join ' ', $method, length $content{$body},
                     sha256_hex($content{$body}), $auth ? 'authorized' : ();
}

sub got {
    my ($said) = @_;
    return $said->{error} if defined $said->{error};
    return 'no answer' if !defined $said->{method};
    return join ' ', @{$said}{qw(method length sha256)},
                     length($said->{authorization} || '') ? 'authorized' : ();
}

sub try_row {
    my ($client, $request, $way, $place, $arrives) = @_;
    my $name = "$client: $request, $way, $place";
    my $key = "$client/$request/$way/$place";
    my $said = $send{$client}->($request, "$base{$client}/$way/$place/$key?x=%26");

    my ($got, @want) = (got($said), map { want($_) } split / or /, $arrives);

    ok((grep { $got eq $_ } @want), $name)
        || diag("got $got, want @want\n",
                map { "  $_: $said->{$_}\n" } sort keys %$said);
    $expected{$key} = defined $said->{method} ? 1 : 0;
    return;
}

open my $table, '<', R307::Env::work() . '/t/data/clients.tsv'
    or die "clients.tsv: $!\n";
while (my $line = <$table>) {
    next if $line =~ /\A(?:#|\s*\z)/;
    chomp $line;
    my ($client, $request, $ways, $places, $arrives) = split /\t/, $line;
  SKIP: {
        skip('no HTTP/2 with this MPM, httpd or curl', 1)
            if $client eq 'curl-h2' && !$h2;
        for my $way (split /,/, $ways) {
            try_row($client, $request, $way, $_, $arrives)
                for split /,/, $places;
        }
    }
}
cmp_ok(scalar keys %expected, '>=', 100, 'there were enough cases');

# Once, and with nothing but the loop guard added to the query.
my $arrived = R307::Echo::arrived($echo);
my %count;
for my $line (keys %$arrived) {
    $line =~ m{/([^/]+/[^/]+/[^/]+/[^/?]+)\?x=%26(?:&[^&]*)?\z}
        or fail("$line arrived as it was asked for") or next;
    $count{$1} += $arrived->{$line};
}
is_deeply([grep { ($count{$_} || 0) != $expected{$_} } sort keys %expected], [],
          'each arrived once, or not at all where it says so');

if ($h2) {
    my @seen = R307::Tls::seen($front);
    cmp_ok(scalar @seen, '>=', 10, 'curl asked over TLS');
    is_deeply([grep { !/^HTTP\/2/ } @seen], [], 'and over HTTP/2');
}

# What mod_proxy says of the backend that refuses.
end_suite(allow => [qw(AH00957 AH01114)]);
