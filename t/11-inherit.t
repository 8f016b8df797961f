# Who inherits rules from whom, Redirect307Inherit, and Redirect307Engine in
# every context.  The cases are in data/live-inherit.tsv.
use strict;
use warnings;

use R307::Live;

run_table('live-inherit.tsv',
    prelude => "Redirect307 /main https://t.example/main\n",
    vhost => "<Directory \"\@DOCROOT\@\">\nAllowOverride FileInfo\n"
           . "</Directory>\n",
    files => { 'sub/index.html' => "sub\n" });

# The main server's Engine is the default of all virtual hosts.
my $srv = server(name => 'engine-main', config => <<'EOC');
Redirect307Engine Off
Redirect307 /a https://t.example/a
<VirtualHost *:@PORT@>
    ServerName off.test
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName on.test
    Redirect307Engine On
</VirtualHost>
EOC

passes($srv->request(target => '/a', host => 'off.test'), 404,
       'Engine Off in the main server holds in a vhost');
redirects_to($srv->request(target => '/a', host => 'on.test'),
             'https://t.example/a', 'until the vhost says On');

# DryRun leaves no trace on the answer.
my $dry = server(name => 'dry', config => <<'EOC');
Redirect307Engine DryRun
Redirect307 / https://t.example/ cache=60 retry-after=5
EOC
my $res = $dry->get('/');
is($res->body, "index\n", 'DryRun lets the content through');
is_deeply([grep { defined $res->header($_) }
           qw(Location Cache-Control Retry-After)], [],
          'without any header of the redirect');
logged($dry, qr{R307-0403: dry run: rule \S+ would send GET / to https://t\.example/},
       'and the log says what would have been');

end_suite();
