# What stands in Location, byte by byte: data/live-location.tsv, once from the
# translate hook (virtual host, Location) and once from fixups (Directory,
# .htaccess).
use strict;
use warnings;

use R307::Live;

run_table('live-location.tsv',
          contexts => [qw(vhost location directory htaccess)]);

# ---- bytes that no URI may hold, sent raw ----
my $raw = server(name => 'raw', config => <<'EOC');
HttpProtocolOptions Unsafe
AllowEncodedSlashes NoDecode
Redirect307 /a https://t.example/b
Redirect307Match ^/m/(.*)$ https://t.example/$1?q=$1#$1
Redirect307Match ^/go(.*)$ https://t.example$1
Redirect307Match ^/r(/.*)$ $1 query=drop
Redirect307AllowTo t.example
EOC
for my $case (['/a/x\\y',          'https://t.example/b/x%5Cy'],
              ['/a/\\evil.example', 'https://t.example/b/%5Cevil.example'],
              ['/a/"<>^`{|}',      'https://t.example/b/%22%3C%3E%5E%60%7B%7C%7D'],
              ['/a?"<>^`{|}\\',    'https://t.example/b?%22%3C%3E%5E%60%7B%7C%7D%5C'],
              ['/a?[x]=1',         'https://t.example/b?%5Bx%5D=1'],
              ['/m/\\"',           'https://t.example/%5C%22?q=%5C%22#%5C%22'],
              ['/go\\evil.example', 'https://t.example/%5Cevil.example'],
              ['/go@evil.example',  'https://t.example/@evil.example'],
              ["/a/\xff\xfe",      'https://t.example/b/%FF%FE']) {
    my ($target, $want) = @$case;
    redirects_to($raw->get($target), $want, "raw: $target");
}
for my $target ("/a/x\x01y", "/a/x\ty", "/a/x\x7fy", "/a/x\x0by", '/a/%00b',
                '/a/%zz', '/a/%', '/a/%4', "/a/x\ry", '/m/%00', '/a b c',
                '/a?x y', "/a?x\ty", '/a#frag', '/r/\\evil.example',
                '/r//evil.example', '/r/%2Fevil.example') {
    my $res = $raw->get($target);
    my $loc = $res->header('Location');
    (my $show = $target) =~ s/([^!-~])/sprintf '\\x%02x', ord $1/ge;
    ok(!defined $res->defect && $res->status < 500
       && (!defined $loc || $loc =~ m{\A(?:https://t\.example/b?[/?]?|/(?!/))
                                     [^\s\x00-\x1f\\]*\z}x
           || $loc =~ m{\Ahttp://localhost:\d+/}),
       "raw: $show: refused or harmless") || diag($res->head);
}

# ---- ceilings ----
my $many = '$1' x 400;
my $long = server(name => 'long', config => <<"EOC");
LimitRequestLine 100000
Redirect307Match ^/m/(.*)\$ https://t.example/\$1\$1
Redirect307 /a https://t.example/b
Redirect307Match ^/slow/((a+)+)+\$ https://t.example/
<Directory "\@DOCROOT\@">
    Redirect307Match ^/dir/(.*)\$ https://t.example/$many
</Directory>
EOC
my $x = 'x' x 60_000;
redirects_to($long->get("/a/$x"), "https://t.example/b/$x", '60 KB of path');
passes($long->get("/m/$x"), 414, 'a Location over 64 KB: 414');
logged($long, qr/R307-0405:/, 'with a line');
passes($long->get('/dir/' . 'x' x 200), 414, 'also from a directory');
my $res = $long->get('/slow/' . 'a' x 60 . '!');
passes($res, 404, 'a regular expression that goes on for ever: 404');
logged($long, qr/R307-0404:.*limit/, 'with a line');

# ---- settings that the server shares with us ----
my $icase = server(name => 'regex-options', config => <<'EOC');
RegexDefaultOptions +ICASE
Redirect307Match ^/CASE/(.*)$ https://t.example/$1
EOC
redirects_to($icase->get('/case/x'), 'https://t.example/x',
             'RegexDefaultOptions are honoured');

# ${name} is a capture; httpd, whose own variables look the same, warns that it
# has none of that name, which is why $<name> is the better spelling.
my $braces = server(name => 'braces', config => <<'EOC');
Redirect307Match ^/m/(?<r307id>\d+)/(?<r307rest>.*)$ https://t.example/${r307rest}?i=${r307id}
EOC
redirects_to($braces->get('/m/7/x%20y'), 'https://t.example/x%20y?i=7',
             'captures named in braces');

# ---- expressions that fail ----
my $fail = server(name => 'expr-fails', config => <<'EOC');
Redirect307 /cond https://t.example/ "expr=file('/nonexistent/r307') == 'x'"
Redirect307 /target https://t.example/%{file:/nonexistent/r307}
Redirect307 / https://t.example/never
EOC
for my $path ('/cond', '/target') {
    $fail->log->mark;
    passes($fail->get($path), 500,
           "$path: an expression that fails: 500, not the next rule");
    logged($fail, qr/R307-0406: .*httpd\.conf:\d+/,
           "$path: the log names the rule");
}

end_suite(allow_in => { 'long' => ['R307-0404', 'R307-0405'],
                        'braces' => ['AH00111'],
                        'raw' => ['R307-0404', 'AH10244'],
                        'expr-fails' => ['R307-0406',
                                         qr/Evaluation of expression/] });
