# Real browsers: what a page submits, uploads, calls or says at its end is sent
# on by a 307 and has to arrive as it was, once.  The cases are in
# t/data/browsers.tsv, the pages and the receiver in t/browser; here is the
# server in between.
use strict;
use warnings;

use R307::Live;
use R307::Browser;

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
my $front = server(name => 'front', files => {
    'htdocs/page/index.html' => '<!DOCTYPE html><meta charset="utf-8"><title>front</title>',
}, config => <<"EOC");
ProxyPass /receiver $there
RewriteEngine On

# What the module is for.
Redirect307 /plain/here /receiver
Redirect307 /plain/there $there

# What it is to be compared with.
Redirect 302 /found/here /receiver
Redirect 302 /found/there $there
EOC

R307::Browser::run({
    file     => R307::Env::scratch('upload') . '/photo.bin',
    cases    => R307::Env::work() . '/t/data/browsers.tsv',
    front    => $front->port + 0, receiver => $receiver, pages => $pages,
    browsers => [map { { %$_, ways => [qw(plain found)] } }
                 R307::Browser::installed()],
}, sub {
    my ($passed, $name, $details) = @_;
    ok($passed, $name) || diag(map { "  $_\n" } @$details);
});

end_suite();
