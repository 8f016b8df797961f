# Real browsers: what a page submits, uploads, calls or says at its end is sent
# on by a 307 and has to arrive as it was, once.  The cases are in
# t/data/browsers.tsv, the pages and the receiver in t/browser; here is the
# server in between.
use strict;
use warnings;

use R307::Live;
use R307::Browser;
use R307::Tls;

my $why = R307::Browser::not_here();
plan(skip_all => $why) if defined $why;

if (my @missing = R307::Browser::missing()) {
    fail("the browsers are there: install the packages @missing");
    end_suite();
    exit 1;
}

my ($receiver, $pages, $closed) = map { R307::Ports::take() } 1 .. 3;
my $there = "http://127.0.0.1:$receiver";

# Below each way, /here/ stays on this origin and /there/ leaves it.
my $front = server(name => 'front', modules => [R307::Tls::modules()], files => {
    'htdocs/page/index.html' =>
        '<!DOCTYPE html><meta charset="utf-8"><title>front</title>',
}, config => R307::Tls::listen() . <<"EOC");
# What is on this origin, and an application that answers 302.
ProxyPass /receiver $there
ProxyPass /application $there/app

# The rule that everything is about; pages of another origin may follow it.
Redirect307 /plain/here /receiver
Redirect307 /plain/there $there
<Location "/plain">
    Redirect307CORS http://127.0.0.1:$pages credentials
</Location>

# A backend that refuses.
ProxyPass /onerror http://127.0.0.1:$closed retry=0
<Location "/onerror">
    Redirect307CORS http://127.0.0.1:$pages credentials
</Location>
<Location "/onerror/here">
    Redirect307OnError 503 /receiver
</Location>
<Location "/onerror/there">
    Redirect307OnError 503 $there
</Location>

# A 302 of mod_rewrite and one of an application, made strict.
RewriteEngine On
RewriteRule "^/rewrite/here/(.*)" "/receiver/\$1" [R=302,L]
RewriteRule "^/rewrite/there/(.*)" "$there/\$1" [R=302,L]
<LocationMatch "^/(?:rewrite|application)/">
    Redirect307Upgrade Unsafe
    Redirect307CORS http://127.0.0.1:$pages credentials
</LocationMatch>

# What all of them are to be compared with: no Redirect307CORS; a preflight
# that is redirected, though with every field that a browser could want; 302.
Redirect307 /bare/here /receiver
Redirect307 /bare/there $there
Redirect 307 /alias/here /receiver
Redirect 307 /alias/there $there
<Location "/alias">
    Header always set Access-Control-Allow-Origin "expr=%{HTTP:Origin}"
    Header always set Access-Control-Allow-Methods "PUT, DELETE, OPTIONS"
    Header always set Access-Control-Allow-Headers "content-type"
    Header always set Access-Control-Allow-Credentials "true"
</Location>
Redirect 302 /found/here /receiver
Redirect 302 /found/there $there
EOC

my $stopped = R307::Browser::run({
    file     => R307::Env::scratch('upload') . '/photo.bin',
    cases    => R307::Env::work() . '/t/data/browsers.tsv',
    front    => $front->port + 0, secure => $front->port2 + 0,
    receiver => $receiver, pages => $pages,
    browsers => [R307::Browser::installed()],
}, sub {
    my ($passed, $name, $details) = @_;
    ok($passed, $name) || diag(map { "  $_\n" } @$details);
});
is($stopped, undef, 'the browsers came to the end of the table');

my @secure = R307::Tls::seen($front);
ok((grep { /^HTTP\/2\.0 POST 307$/ } @secure) >= 10, 'a 307 over HTTP/2');
is_deeply([grep { !/^HTTP\/2/ } @secure], [], 'and nothing over HTTP/1 there');

# What mod_proxy says of the backend that refuses.
end_suite(allow => [qw(AH00957 AH01114)]);
