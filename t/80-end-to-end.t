# From one end to the other: real clients send real bodies, are sent on by a
# 307 and arrive at a second server, which says what it got: the same method,
# the same bytes (by SHA-256), the rest of the path and the query.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use JSON::PP ();

use R307::Live;
use R307::Echo;

use constant LARGE => 20 * 1024 * 1024;

my $h2 = R307::Env::mpm() ne 'prefork' && has_httpd_module('http2');
my @modules = $h2 ? ('http2') : ();
my $protocols = $h2 ? "Protocols h2c http/1.1\n" : '';

my @missing = R307::Echo::missing(curl => 'curl', node => 'nodejs',
                                  $h2 ? (nghttp => 'nghttp2-client') : ());
if (@missing) {
    fail("the clients are there: install the packages @missing");
    end_suite();
    exit 1;
}

my $echo = R307::Echo::server(modules => \@modules, config => $protocols);
my $to = 'http://127.0.0.1:' . $echo->port . '/echo';

# A rule of each kind leads to the echo; /changed is what 307 is not.
my $srv = server(name => 'front', modules => \@modules,
    files => {
        'htdocs/htaccess/.htaccess' => "Redirect307 /htaccess $to\n",
        'htdocs/directory/index.html' => '',
        'htdocs/matched/.htaccess' =>
            "Redirect307Match ^/matched/(.*)\$ $to/\$1\n",
    },
    config => <<"EOC");
${protocols}Redirect307 /vhost $to
Redirect307Match ^/match/(.*)\$ $to/\$1
<Location "/location">
    Redirect307 $to/fixed
</Location>
<Directory "\@DOCROOT\@">
    AllowOverride FileInfo
</Directory>
<Directory "\@DOCROOT\@/directory">
    Redirect307 /directory $to
</Directory>
Redirect307 /twice /vhost
Redirect 302 /changed $to
EOC
my $front = 'http://127.0.0.1:' . $srv->port;

# ---- bodies ----

my $bodies = R307::Env::scratch('bodies');
my %content = (
    'empty' => '',
    'form'  => 'card=1&name=J%C3%BCrgen+X&note=%0d%0a%26',
    'json'  => qq({"op":"replace","path":"/stock","value":"caf\xc3\xa9"}),
    'page'  => join('', map { chr } 0 .. 255) x 80,
    'photo' => join('', map { chr } 0 .. 255) x 1200,
    'large' => pack('N*', 0 .. LARGE / 4 - 1),
);
R307::Env::write_file("$bodies/$_", $content{$_}) for keys %content;

# name, arguments for curl, what must arrive
my $binary = 'application/octet-stream';
my @cases = (
    ['a form', ['--data-binary', "\@$bodies/form"],
     { method => 'POST', type => 'application/x-www-form-urlencoded',
       body => 'form' }],
    ['an empty form', ['-d', ''],
     { method => 'POST', type => 'application/x-www-form-urlencoded',
       body => 'empty' }],
    ['a small multipart form', ['--form-string', 'title=a&b=c;d', '-F',
                                "file=\@$bodies/json;filename=x.json"],
     { method => 'POST', type => 'multipart/form-data',
       'part title' => sha256_hex('a&b=c;d'),
       'part file' => sha256_hex($content{json}) }],
    ['a JSON PATCH', ['-X', 'PATCH', '-H', 'Content-Type: application/json',
                      '--data-binary', "\@$bodies/json"],
     { method => 'PATCH', type => 'application/json', body => 'json' }],
    ['a DELETE', ['-X', 'DELETE'], { method => 'DELETE', body => 'empty' }],
    ['a DELETE with a body', ['-X', 'DELETE', '-H', "Content-Type: $binary",
                              '--data-binary', "\@$bodies/json"],
     { method => 'DELETE', type => $binary, body => 'json' }],
    ['a PUT of 20 kB', ['-T', "$bodies/page"], { method => 'PUT',
                                                 body => 'page' }],
    ['a GET', [], { method => 'GET', body => 'empty' }],
);
# More than Redirect307Drain: answered while the client is still sending.
my $chunked = 'Transfer-Encoding: chunked';
my @large = (
    ['a multipart upload of 300 kB', ['-F', 'title=t', '-F',
                                "file=\@$bodies/photo;filename=p.bin"],
     { method => 'POST', type => 'multipart/form-data',
       'part title' => sha256_hex('t'),
       'part file' => sha256_hex($content{photo}) }],
    ['a PUT of 300 kB', ['-T', "$bodies/photo"], { method => 'PUT',
                                                   body => 'photo' }],
    ['a PUT of 300 kB without Expect', ['-T', "$bodies/photo", '-H',
                                        'Expect:'],
     { method => 'PUT', body => 'photo' }],
    ['a chunked PUT of 20 MB', ['-T', "$bodies/large", '-H', $chunked],
     { method => 'PUT', body => 'large' }],
    ['a chunked POST of 20 MB without Expect',
     ['--data-binary', "\@$bodies/large", '-H', $chunked, '-H', 'Expect:',
      '-H', "Content-Type: $binary"],
     { method => 'POST', type => $binary, body => 'large' }],
);

my @ways = qw(vhost match location htaccess matched directory);

# One test: what is sent through $way arrives.
sub arrives {
    my ($case, $way, $protocol, $said) = @_;
    my ($name, undef, $want) = @$case;
    my %want = (exit => 0, status => 200, redirects => 1, query => 'x=1&y=%26',
                path => '/a b/c', protocol => $protocol, %$want);

    if (my $body = delete $want{body}) {
        $want{length} = length $content{$body};
        $want{sha256} = sha256_hex($content{$body});
    }
    $want{path} = '/fixed' if $way eq 'location';
    $want{redirects} = 2 if $way eq 'twice';
    my %got = map { $_ => $said->{$_} } keys %want;
    my $ok = is_deeply(\%got, \%want, "$name through $way, $protocol");
    diag(map { "  $_: $said->{$_}\n" } sort keys %$said) if !$ok;
    return;
}

sub url { return "$front/$_[0]/a%20b/c?x=1&y=%26" }

sub curl_arrives {
    my ($case, $way, $protocol, @more) = @_;
    return arrives($case, $way, $protocol,
                   R307::Echo::curl(@more, @{ $case->[1] }, url($way)));
}

for my $way (@ways) {
    curl_arrives($_, $way, 'HTTP/1.1') for @cases, @large[0 .. 2];
}
for my $way (qw(vhost location htaccess)) {
    curl_arrives($_, $way, 'HTTP/1.1') for @large[3, 4];
}
curl_arrives($_, 'twice', 'HTTP/1.1') for @cases[0, 3], $large[0];
curl_arrives($_, 'vhost', 'HTTP/1.0', '--http1.0') for @cases[0, 6], $large[1];

# A large body over HTTP/2 ends with a stream that the server closes when it has
# answered (RFC 9113 section 8.1).  Some versions of curl then throw the answer
# away, whichever module it is from; nghttp does not.
my @h2_large = (
    ['a PUT of 300 kB', [['-H', ':method: PUT'], 'photo']],
    ['a PUT of 20 MB', [['-H', ':method: PUT'], 'large']],
    ['a PUT of 20 MB, length unknown',
     [['-H', ':method: PUT', '--no-content-length'], 'large']],
    ['a POST of 20 MB', [['-H', "content-type: $binary"], 'large']],
);

sub nghttp_arrives {
    my ($case, $way) = @_;
    my ($name, $how) = @$case;
    my ($args, $body) = @$how;
    my $method = "@$args" =~ /PUT/ ? 'PUT' : 'POST';

    return arrives([$name, undef, { method => $method, body => $body }], $way,
                   'HTTP/2.0', R307::Echo::nghttp(url($way), @$args,
                                                  '-d', "$bodies/$body"));
}

SKIP: {
    skip('mod_http2 does not work with this MPM', 1) if !$h2;
    skip('this curl has no HTTP/2', 1) if !R307::Echo::curl_has_http2();
    for my $way (@ways) {
        curl_arrives($_, $way, 'HTTP/2.0', '--http2-prior-knowledge')
            for @cases;
    }
    for my $way (qw(vhost htaccess)) {
        nghttp_arrives($_, $way) for @h2_large;
    }
    # Forms that are not there at once: the answer must not overtake them.
    curl_arrives($cases[6], 'vhost', 'HTTP/2.0', '--http2-prior-knowledge')
        for 1 .. 20;
}

# The same clients lose the form on the way when the redirect is a 302, so the
# tests above can fail.
my $lost = R307::Echo::curl('--data-binary', "\@$bodies/form",
                            "$front/changed/x");
is("$lost->{method} $lost->{length}", 'GET 0', 'a 302 makes a POST a GET');

# ---- as a page in a browser ----

# curl keeps the method that -X names whatever the status; fetch follows the
# standard.
my %fetched = (
    form      => ['POST', 'application/x-www-form-urlencoded',
                  sha256_hex('card=1%262&x=%C3%BC')],
    upload    => ['POST', 'image/png', sha256_hex("\x07" x 200_000)],
    put       => ['PUT', 'text/plain', sha256_hex('x' x 70_000)],
    patch     => ['PATCH', 'application/json',
                  sha256_hex(qq({"stock":7,"name":"caf\xc3\xa9"}))],
    delete    => ['DELETE', '', sha256_hex('')],
);
for my $way ('/vhost', '/htaccess') {
    my ($code, $text) = R307::Echo::run('node',
        R307::Env::work() . '/t/data/e2e-fetch.mjs', "$front$way");
    is($code, 0, 'node ran the requests (package nodejs)');
    my %said = map { ($_->{name} => $_) }
               map { JSON::PP::decode_json($_) } split /\n/, $text;
    for my $name (sort keys %fetched) {
        my ($method, $type, $sha) = @{ $fetched{$name} };
        my $said = $said{$name} || { error => 'nothing' };
        my $got = R307::Echo::parse($said->{text} || '');
        is_deeply([@{$got}{qw(method type sha256 path)}, $said->{error}],
                  [$method, $type, $sha, "/$name", undef],
                  "fetch: $name through $way");
    }
}

end_suite();
