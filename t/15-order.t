# Order among modules: a Redirect307 comes before mod_rewrite, mod_proxy and
# mod_alias, whatever the order of LoadModule.
use strict;
use warnings;

use R307::Live;

# The backend of the proxy answers 200 to everything: a request that reaches
# it was not redirected.
my $backend = server(name => 'backend', load => 'last',
    config => "AliasMatch \"^/.*\" \"\@DOCROOT\@/index.html\"\n");
my $to = 'http://127.0.0.1:' . $backend->port;

my $config = <<"EOC";
<VirtualHost *:\@PORT\@>
    ServerName proxy.test
    ProxyPass "/" "$to/"
    Redirect307 /r https://t.example/r
    Redirect307Match ^/m/(.*)\$ https://t.example/m/\$1
</VirtualHost>
<VirtualHost *:\@PORT\@>
    ServerName proxymatch.test
    ProxyPassMatch "^/(.*)\$" "$to/\$1"
    Redirect307 /r https://t.example/r
</VirtualHost>
<VirtualHost *:\@PORT\@>
    ServerName proxylocation.test
    <Location "/">
        ProxyPass "$to/"
    </Location>
    <Location "/r">
        Redirect307 https://t.example/fixed
    </Location>
</VirtualHost>
<VirtualHost *:\@PORT\@>
    ServerName proxyexempt.test
    ProxyPass "/r" "!"
    ProxyPass "/" "$to/"
    Redirect307 /r https://t.example/r
</VirtualHost>
<VirtualHost *:\@PORT\@>
    ServerName rewrite.test
    RewriteEngine On
    RewriteRule ^ - [F]
    Redirect307 /r https://t.example/r
</VirtualHost>
<VirtualHost *:\@PORT\@>
    ServerName rewriteproxy.test
    RewriteEngine On
    RewriteRule ^/(.*)\$ $to/\$1 [P]
    Redirect307 /r https://t.example/r
</VirtualHost>
<VirtualHost *:\@PORT\@>
    ServerName rewriteredirect.test
    RewriteEngine On
    RewriteRule ^/ https://rewrite.example/ [R=302,L]
    Redirect307 /r https://t.example/r
</VirtualHost>
<VirtualHost *:\@PORT\@>
    ServerName rewritepath.test
    RewriteEngine On
    RewriteRule ^/r/(.*)\$ /changed/\$1 [PT]
    RewriteRule ^/plain\$ /index.html [L]
    Redirect307 /r https://t.example/r
</VirtualHost>
<VirtualHost *:\@PORT\@>
    ServerName alias.test
    Alias "/r" "\@DOCROOT\@"
    AliasMatch "^/al" "\@DOCROOT\@/index.html"
    Redirect307 /r https://t.example/r
</VirtualHost>
<VirtualHost *:\@PORT\@>
    ServerName redirect.test
    Redirect 302 / https://alias.example/
    Redirect307 /r https://t.example/r
</VirtualHost>
<VirtualHost *:\@PORT\@>
    ServerName stop.test
    Redirect 302 / https://alias.example/
    Redirect307 /r/stop -
    Redirect307 /r https://t.example/r
</VirtualHost>
<VirtualHost *:\@PORT\@>
    ServerName directory.test
    <Directory "\@DOCROOT\@">
        Options FollowSymLinks
        RewriteEngine On
        RewriteRule ^r - [F]
        RewriteRule ^toother\$ /other [L]
        Redirect 302 /r https://alias.example/r
        Redirect307 /r https://t.example/r
        Redirect307 /other https://t.example/other
    </Directory>
</VirtualHost>
<VirtualHost *:\@PORT\@>
    ServerName htaccess.test
    DocumentRoot "\@DOCROOT\@/ht"
    <Directory "\@DOCROOT\@/ht">
        Options FollowSymLinks
        AllowOverride FileInfo
    </Directory>
</VirtualHost>
EOC

my %files = ('htdocs/ht/.htaccess' => <<'EOC', 'htdocs/ht/x.html' => "x\n");
RewriteEngine On
RewriteRule ^r - [F]
Redirect 302 /r https://alias.example/r
Redirect307 /r https://t.example/r
EOC

# host, request target, expected answer
my @cases = (
    ['proxy.test',           '/r/x?q',     '307 https://t.example/r/x?q'],
    ['proxy.test',           '/m/y',       '307 https://t.example/m/y'],
    ['proxy.test',           '/other',     '200'],
    ['proxymatch.test',      '/r/x',       '307 https://t.example/r/x'],
    ['proxymatch.test',      '/other',     '200'],
    ['proxylocation.test',   '/r/x',       '307 https://t.example/fixed'],
    ['proxylocation.test',   '/other',     '200'],
    ['proxyexempt.test',     '/r/x',       '307 https://t.example/r/x'],
    ['rewrite.test',         '/r/x',       '307 https://t.example/r/x'],
    ['rewrite.test',         '/other',     '403'],
    ['rewriteproxy.test',    '/r/x',       '307 https://t.example/r/x'],
    ['rewriteproxy.test',    '/other',     '200'],
    ['rewriteredirect.test', '/r/x',       '307 https://t.example/r/x'],
    ['rewriteredirect.test', '/other',     '302 https://rewrite.example/'],
    ['rewritepath.test',     '/r/x',       '307 https://t.example/r/x'],
    ['rewritepath.test',     '/plain',     '200'],
    ['alias.test',           '/r/index.html',
                                       '307 https://t.example/r/index.html'],
    ['alias.test',           '/alx',       '200'],
    ['redirect.test',        '/r/x',       '307 https://t.example/r/x'],
    ['redirect.test',        '/other',     '302 https://alias.example/other'],
    ['stop.test',            '/r/x',       '307 https://t.example/r/x'],
    ['stop.test',            '/r/stop',    '302 https://alias.example/r/stop'],
    ['directory.test',       '/r/x',       '307 https://t.example/r/x'],
    ['directory.test',       '/toother',   '307 https://t.example/other'],
    ['htaccess.test',        '/r/x',       '307 https://t.example/r/x'],
    ['htaccess.test',        '/x.html',    '200'],
);

for my $load (qw(first last)) {
    my $srv = server(name => "order-$load", load => $load, config => $config,
                     files => \%files);
    for my $case (@cases) {
        my ($host, $target, $want) = @$case;
        my $res = $srv->request(target => $target, host => $host);
        my $got = $res->status;
        $got .= ' ' . $res->header('Location')
            if defined $res->header('Location');
        is($got, $want, "loaded $load: $host $target");
    }
    $srv->stop;
}

end_suite();
