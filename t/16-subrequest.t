# Subrequests and internal redirects: as mod_alias does it, and never to the
# URL the client itself asked for.  The same server runs twice, once with
# Redirect 307 of mod_alias and once with Redirect307.
use strict;
use warnings;

use R307::Live;

my %files = (
    'htdocs/ssi.shtml'       => "a<!--#include virtual=\"/inc/x.html\" -->b\n",
    'htdocs/inc/x.html'      => "included\n",
    'htdocs/plain.shtml'     => "a<!--#include virtual=\"/page.html\" -->b\n",
    'htdocs/page.html'       => "page\n",
    'htdocs/d/index.html'    => "d\n",
    'htdocs/e/start.html'    => "e\n",
    'htdocs/list/gone.html'  => "gone\n",
    'htdocs/list/here.html'  => "here\n",
    'htdocs/err/404.html'    => "not found page\n",
    'htdocs/vary.var'        => "URI: page.html\nContent-Type: text/html\n",
);

sub config {
    my ($word) = @_;
    my $match = $word =~ /307$/ && $word ne 'Redirect 307'
              ? 'Redirect307Match' : 'RedirectMatch 307';
    return <<"EOC";
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
<Directory "\@DOCROOT\@">
    Options +Includes +FollowSymLinks +Indexes
</Directory>
<VirtualHost *:\@PORT\@>
    ServerName server.test
    $word /inc https://t.example/inc
    $word /d/index.html https://t.example/d-index
    DirectoryIndex start.html index.html
    $word /list/gone.html https://t.example/gone
    ErrorDocument 404 /err/404.html
    <Location "/nope-redirected">
        ErrorDocument 404 /inc/error
    </Location>
    $word /from-location https://t.example/fl
    <Directory "\@DOCROOT\@">
        RewriteEngine On
        RewriteRule ^rw/(.*)\$ /inc/\$1 [L]
        RewriteRule ^self\$ /page.html [L]
    </Directory>
</VirtualHost>
<VirtualHost *:\@PORT\@>
    ServerName dir.test
    DirectoryIndex start.html index.html
    ErrorDocument 404 /err/404.html
    <Directory "\@DOCROOT\@">
        $word /inc https://t.example/inc
        $word /d/index.html https://t.example/d-index
        $word /list/gone.html https://t.example/gone
        RewriteEngine On
        RewriteRule ^rw/(.*)\$ /inc/\$1 [L]
    </Directory>
</VirtualHost>
EOC
}

my @load = (load => 'last', modules => [qw(autoindex)]);
my $alias = server(name => 'mod-alias', @load, files => \%files,
                   config => config('Redirect 307'));
my $ours = server(name => 'redirect307', @load, files => \%files,
                  config => config('Redirect307'));

sub both {
    my ($host, $target, $want) = @_;
    my ($x, $y) = map {
        $_->request(target => $target, host => $host)
    } $alias, $ours;
    same_answer($y, $x, "$host $target: as mod_alias");
    my $got = $y->status;
    $got .= ' ' . $y->header('Location') if defined $y->header('Location');
    is($got, $want, "$host $target: $want");
    is($y->defect, undef, "$host $target: sound");
    return ($x, $y);
}

for my $host (qw(server.test dir.test)) {
    both($host, '/inc/x.html?q', '307 https://t.example/inc/x.html?q');

    # A page stays a page when what it includes is redirected.
    my ($x, $y) = both($host, '/ssi.shtml', 200);
    is($y->body, $x->body, "$host: SSI include of a redirected path");
    unlike($y->body, qr/included/, "$host: the content is not included");
    ($x, $y) = both($host, '/plain.shtml', 200);
    is($y->body, "apage\nb\n", "$host: SSI include of another path");

    # DirectoryIndex asks by subrequest; its redirect is the answer.
    both($host, '/d/?q=1', '307 https://t.example/d-index?q=1');
    both($host, '/e/', 200);

    # A listing goes on naming files that are redirected.
    ($x, $y) = both($host, '/list/', 200);
    like($y->body, qr/gone\.html/, "$host: a redirected file is listed");
    is($y->body, $x->body, "$host: the listing is mod_alias' listing");
    both($host, '/list/gone.html', '307 https://t.example/gone');

    # ErrorDocument and per-directory rewriting redirect inside the server.
    ($x, $y) = both($host, '/nothing-here', 404);
    is($y->body, "not found page\n", "$host: ErrorDocument is served");
    both($host, '/rw/a%20b?q', '307 https://t.example/inc/a%20b?q');
}

# An error page that is itself redirected: the error stays the answer.
both('server.test', '/nope-redirected/x', 404);

# Never to the URL the client asked for, also not from a subrequest or after
# an internal redirect; mod_alias sends the client in circles here.
my $self = server(name => 'self', files => \%files, config => <<'EOC');
<VirtualHost *:@PORT@>
    ServerName self.test
    DirectoryIndex index.html
    Redirect307 /d/index.html /d/
    Redirect307 /inc /elsewhere
    Redirect307 /page.html http://self.test:@PORT@/self
    <Directory "@DOCROOT@">
        Options FollowSymLinks
        RewriteEngine On
        RewriteRule ^self$ /page.html [L]
        RewriteRule ^rw/(.*)$ /inc/$1 [L]
    </Directory>
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName selfdir.test
    DirectoryIndex index.html
    <Directory "@DOCROOT@">
        Redirect307 /d/index.html /d/
    </Directory>
</VirtualHost>
EOC
for my $host (qw(self.test selfdir.test)) {
    my $h = "$host:" . $self->port;
    $self->log->mark;
    my $res = $self->request(target => '/d/', host => $h);
    passes($res, 200, "$host: DirectoryIndex that is sent to its directory");
    is($res->body, "d\n", "$host: its content is served");
    logged($self, qr/R307-0407:/, "$host: and the log says why");
    redirects_to($self->request(target => '/d/index.html', host => $h),
                 "http://$h/d/", "$host: asked for by name it is redirected");
}
my $h = 'self.test:' . $self->port;
passes($self->request(target => '/self', host => $h), 200,
       'rewritten inside the server to a path whose rule leads back');
redirects_to($self->request(target => '/page.html', host => $h),
             "http://$h/self", 'asked for directly it leads there');

redirects_to($self->request(target => '/rw/x', host => $h),
             "http://$h/elsewhere/x",
             'a path-only target names the port that the client used');

# What mod_include says about an include that was answered with 307.
end_suite(allow => [qr{unable to include "/inc/x\.html"}]);
