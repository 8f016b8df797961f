# Redirect307 and Redirect307Match in every context, and the order in which
# contexts are asked.  The cases are in data/live-contexts.tsv.
use strict;
use warnings;

use R307::Live;

run_table('live-contexts.tsv',
    vhost => "<Directory \"\@DOCROOT\@\">\nAllowOverride FileInfo\n"
           . "</Directory>\n",
    files => { 'sub/index.html' => "sub\n", 'x.php' => "x\n" });

# Server context: rules of the main server hold in virtual hosts, after their
# own, and in the main server itself.
my $srv = server(name => 'server-context', config => <<'EOC');
Redirect307 /main https://t.example/main
Redirect307 /both https://t.example/main-both
Redirect307Match ^/m/(.*)$ https://t.example/mm/$1
<Location "/loc">
    Redirect307 https://t.example/main-location
</Location>
<VirtualHost *:@PORT@>
    ServerName first.test
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName vh.test
    Redirect307 /both https://t.example/vhost-both
    Redirect307 /own https://t.example/own
    <Location "/loc/deeper">
        Redirect307 https://t.example/vhost-location
    </Location>
</VirtualHost>
EOC

sub from {
    my ($host, $target) = @_;
    return $srv->request(target => $target, host => $host);
}

redirects_to(from('vh.test', '/main/x'), 'https://t.example/main/x',
             'a vhost has the rules of the main server');
redirects_to(from('vh.test', '/m/x'), 'https://t.example/mm/x',
             'Redirect307Match of the main server');
redirects_to(from('vh.test', '/both'), 'https://t.example/vhost-both',
             'its own come first');
redirects_to(from('first.test', '/both'), 'https://t.example/main-both',
             'another vhost does not have them');
passes(from('first.test', '/own'), 404, 'nor the ones only it has');
redirects_to(from('vh.test', '/loc/x'), 'https://t.example/main-location',
             'a <Location> of the main server');
redirects_to(from('vh.test', '/loc/deeper'),
             'https://t.example/vhost-location',
             'a <Location> of the vhost comes first');

my $plain = server(name => 'main-server',
                   config => "Redirect307 /a https://t.example/a\n");
redirects_to($plain->get('/a/b?c'), 'https://t.example/a/b?c',
             'a server without virtual hosts');
passes($plain->get('/'), 200, 'and what no rule covers');

end_suite();
