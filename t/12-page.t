# The page of a redirect is the one that httpd would send, but for the document
# type, of which versions of httpd have several; and ErrorDocument goes before
# it: each configuration is asked for a path of ours and for one of mod_alias
# with the same target.
use strict;
use warnings;

use R307::Live;

my $target = 'https://t.example/n?a=1&b=2';
my @servers = (
    ['as it is', ''],
    ['ServerSignature On', 'ServerSignature On'],
    ['ServerSignature EMail', "ServerSignature EMail\nServerAdmin a\@t.example"],
    ['suppress-error-charset', 'SetEnv suppress-error-charset 1'],
    ['ErrorDocument, a text', 'ErrorDocument 307 "moved for now"'],
    ['ErrorDocument, an expression',
     'ErrorDocument 307 "%{REQUEST_METHOD} %{HTTP_HOST}"'],
    ['ErrorDocument, a page', 'ErrorDocument 307 /moved.html'],
    ['ErrorDocument, default', "ErrorDocument 307 \"x\"\n"
     . "<Location />\n ErrorDocument 307 default\n</Location>"],
    ['ErrorDocument of another status', 'ErrorDocument 404 "other"'],
    ['Header always', 'Header always set X-Always "yes"'],
    ['Header', 'Header set X-Success "yes"'],
    ['a filter for text/html', "Header always set X-F 1\n"
     . "AddOutputFilterByType DEFLATE text/html"],
);
my @requests = (
    ['GET', ''], ['HEAD', ''], ['POST', ''], ['GET', '', '1.0'],
    # mod_alias puts these behind the query of a target, or escapes otherwise
    map { ['GET', $_, '1.1', 'plain'] } '/x', '/x/%20y', '?q=1&r=2',
);

my $n = 0;
my $config = join '', map { $n++; <<"EOC" } @servers;
<VirtualHost *:\@PORT\@>
    ServerName p$n.test
    DocumentRoot "\@DOCROOT\@"
    Redirect307 "/ours" "$target"
    Redirect 307 "/httpd" "$target"
    Redirect307 "/plain/ours" "https://t.example/plain"
    Redirect 307 "/plain/httpd" "https://t.example/plain"
    $_->[1]
</VirtualHost>
EOC
my $srv = server(
    name => 'page', config => $config,
    modules => [grep { has_httpd_module($_) } qw(deflate filter)],
    files => {
        'htdocs/moved.html' => "a page of our own\n",
        'htdocs/dir/.htaccess' => "Redirect307 /dir/ours $target\n"
                                . "Redirect 307 /dir/httpd $target\n",
    });

# Everything that the client gets, but for what no two answers share.
sub answer {
    my ($host, $place, $request) = @_;
    my ($method, $rest, $version) = @$request;
    my $res = $srv->request(method => $method, target => "$place$rest",
                            version => $version || '1.1', host => $host,
                            $method eq 'POST' ? (body => 'a=b') : ());
    my $page = $res->body =~ s/\A<!DOCTYPE [^>]*>/<!DOCTYPE>/r;
    return join "\n", $res->status,
           (map { my $v = $res->header($_); defined $v ? "$_: $v" : () }
            qw(Location Content-Type Content-Length Vary X-Always X-Success
               X-F Allow Connection)), '', $page;
}

for my $i (1 .. @servers) {
    for my $place ('', '/plain', '/dir') {
        for my $request (@requests) {
            next if $request->[3] && $place ne '/plain';
            is(answer("p$i.test", "$place/ours", $request),
               answer("p$i.test", "$place/httpd", $request),
               "$servers[$i - 1][0]: @$request[0, 1], in $place/");
        }
    }
}
like(answer('p1.test', '/ours', ['GET', '']),
     qr{\A307\nLocation: \S+&b=2\n.*<a href="\S+&amp;b=2">here</a>}s,
     'a page with a link, escaped');
like(answer('p5.test', '/ours', ['GET', '']), qr{\n\nmoved for now\z},
     'ErrorDocument, a text: that text');
like(answer('p7.test', '/ours', ['GET', '']), qr{\n\na page of our own\n\z},
     'ErrorDocument, a page: that page');
like(answer('p1.test', '/ours', ['HEAD', '']), qr{\n\n\z}, 'HEAD: no page');

end_suite();
