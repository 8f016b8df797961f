# Sites that can be used only while something holds: an expression (a flag
# file, a variable, a header), a balancer of mod_proxy with a member that takes
# clients. site:nearest goes on to the next one; a rule that names a site does
# not look. Without mod_proxy all but balancer= works.
use strict;
use warnings;

use IO::Socket::INET ();
use Time::HiRes qw(sleep time);

use R307::Live;
use R307::Tables qw(children one_process);

my @balancer = qw(slotmem_shm proxy_balancer lbmethod_byrequests);
my $has_balancer = !grep { !has_httpd_module($_) } @balancer;

# Asks until the Location is the wanted one or time is up; returns the last.
sub eventually {
    my ($srv, $path, $want, @headers) = @_;
    my $deadline = time + ($ENV{R307_SLOW} ? 60 : 20);
    my $got;

    do {
        my $res = eval { $srv->get($path, @headers) };
        $got = !$res ? 'no answer' : $res->header('Location') || $res->status;
        return $got if $got eq $want;
        sleep 0.05;
    } while (time < $deadline);
    return $got;
}

# ---- flags, variables, headers ----

my $srv = server(name => 'flags', files => {
        'htdocs/local/x.html' => "here\n",
    }, config => <<'EOC');
SetEnvIf X-Break . broken=1
Redirect307Site a https://a.example at=50,8 "while=! -f '@ROOT@/run/a-down'"
Redirect307Site b https://b.example at=51,8 "while=-z reqenv('broken')"
Redirect307Site c https://c.example at=1,103 "while=%{HTTP:X-C} != 'down'"
Redirect307Site d https://d.example at=-33,151 serves=AU
<VirtualHost *:@PORT@>
    ServerName main.test
    Redirect307 /near site:nearest
    Redirect307 /a site:a
    Redirect307Match ^/m/(.*)$ site:nearest/$1
    Redirect307GeoFrom country=query:c
    Redirect307Geo /geo FR=site:a/fr US=site:nearest/us default=https://t.example/
    Redirect307 /near https://last.example/
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName local.test
    Redirect307Site a https://local.test local "while=! -f '@ROOT@/run/a-down'"
    Redirect307 /local site:nearest
</VirtualHost>
EOC
my $down = $srv->root . '/run/a-down';

sub ask {
    my ($path, $host, @headers) = @_;
    return $srv->request(target => $path, host => "$host.test",
                         headers => \@headers);
}

sub leads {
    my ($path, $want, $name, @headers) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return redirects_to(ask($path, 'main', @headers), $want, $name);
}

leads('/near/x', 'https://a.example/near/x', 'all are up: the first');
passes(ask('/local/x.html', 'local'), 200, 'a local site that is up stays');
$srv->log->mark;
R307::Env::write_file($down, '');
leads('/near/x', 'https://b.example/near/x', 'a flag file: the next one');
logged($srv, qr/R307-0441: .*passes over the site a: its while= is false/,
       'and the log says why');
leads('/m/x?y=1', 'https://b.example/x?y=1', 'a regular expression too');
leads('/near', 'https://c.example/near', 'an environment variable too',
      'X-Break: 1');
leads('/near', 'https://last.example/', 'all are down: the rule does not apply',
      'X-Break: 1', 'X-C: down');
logged($srv, qr/R307-0408: .*\/near/, 'which is told like any other reason');
leads('/a/x', 'https://a.example/a/x', 'a rule that names a site does not ask');
leads('/geo?c=FR', 'https://a.example/fr?c=FR',
      'a choice that names a site neither');
leads('/geo?c=US', 'https://b.example/us?c=US', 'a choice of the nearest does');
leads('/geo?c=US', 'https://t.example/?c=US',
      'and is left out when all are down', 'X-Break: 1', 'X-C: down');
redirects_to(ask('/local/x.html', 'local'), 'https://b.example/local/x.html',
             'a local site that is down sends everybody away');
unlink $down or die "$down: $!\n";
leads('/near/x', 'https://a.example/near/x', 'the flag is gone: at once');
passes(ask('/local/x.html', 'local'), 200, 'a local site is back');

# What a cache is told: request fields that were looked at, and no more.
for (['all are up', '(none)', 0], ['the third is reached', 'X-C', 1,
                                   'X-Break: 1']) {
    my ($name, $vary, $is_down, @headers) = @$_;
    R307::Env::write_file($down, '') if $is_down;
    my $res = ask('/near', 'main', @headers);
    is($res->header('Vary') || '(none)', $vary, "Vary, when $name");
    is($res->header('Cache-Control') || '(none)', '(none)',
       "Cache-Control, when $name");
}

# A graceful restart: the flag is there before and after.
$srv->restart_gracefully;
is(eventually($srv, '/near', 'https://b.example/near', 'Host: main.test'),
   'https://b.example/near', 'after a graceful restart the site is down');
unlink $down or die "$down: $!\n";
is(eventually($srv, '/near', 'https://a.example/near', 'Host: main.test'),
   'https://a.example/near', 'and up again without the flag');
$srv->stop;

# ---- Redirect307OnError ----

{
    my $err = server(name => 'errors', config => <<'EOC');
Redirect307LoopGuard Off
Redirect307Site a https://a.example at=50,8 "while=! -f '@ROOT@/run/a-down'"
Redirect307Site b https://b.example at=51,8 "while=! -f '@ROOT@/run/b-down'"
Redirect307GeoFrom country=query:c
<Location "/named">
    Redirect 503 /named
    Redirect307OnError 503 site:a
    Redirect307OnError 503 site:b
</Location>
<Location "/nearest">
    Redirect 503 /nearest
    Redirect307OnError 503 site:nearest
</Location>
<Location "/choice">
    Redirect 503 /choice
    Redirect307OnError 503 FR=site:a/fr default=site:b/all
</Location>
EOC
    my $flag = sub { R307::Env::write_file($err->root . "/run/$_[0]", '') };
    my $all = sub {
        my ($name, %want) = @_;
        for my $path (sort keys %want) {
            my $res = $err->get("$path?c=FR");
            my $want = $want{$path};
            $want eq '503' ? passes($res, 503, "OnError, $name: $path")
                : redirects_to($res, "https://$want?c=FR",
                               "OnError, $name: $path");
        }
    };
    $all->('all are up', '/named' => 'a.example/named',
           '/nearest' => 'a.example/nearest', '/choice' => 'a.example/fr/choice');
    $flag->('a-down');
    $err->log->mark;
    $all->('one is down', '/named' => 'b.example/named',
           '/nearest' => 'b.example/nearest', '/choice' => 'b.example/all/choice');
    logged($err, qr/R307-0441: .*the site a: its while= is false/,
           'OnError: the log names who is passed over');
    $flag->('b-down');
    $all->('both are down', '/named' => '503', '/nearest' => '503',
           '/choice' => '503');
    $err->stop;
}

# ---- an expression that fails ----

{
    my $bad = server(name => 'failing', config => one_process() . <<'EOC');
Redirect307Site a https://a.example "while=file('@ROOT@/run/nothing') != 'x'"
Redirect307Site a2 https://a2.example "while=file('@ROOT@/run/none') != 'x'"
Redirect307Site b https://b.example
Redirect307 / site:nearest
EOC
    $bad->log->mark;
    is(join(' ', map { $bad->get('/x')->header('Location') } 1 .. 5),
       join(' ', ('https://b.example/x') x 5), 'it counts as down');
    logged($bad, qr/R307-0440: the site a \(.*httpd\.conf:\d+\) counts as down/,
           'which is an error');
    sleep 0.2;
    is(scalar(grep { $_->{id} eq 'R307-0440' } $bad->log->since), 2,
       'said once for each site');
    R307::Env::write_file($bad->root . '/run/nothing', "up\n");
    redirects_to($bad->get('/x'), 'https://a.example/x',
                 'and it is asked again by every request');
    $bad->stop;
}

# ---- without mod_proxy ----

{
    my @modules = grep { !/\Aproxy/ } R307::Env::common_modules();
    my $without = server(name => 'without-proxy', load => [@modules,
        'redirect307'], config => <<'EOC');
Redirect307Site a https://a.example "while=%{HTTP:X-A} != 'down'"
Redirect307Site b https://b.example
Redirect307 / site:nearest
<IfModule mod_proxy.c>
    Error "mod_proxy is there"
</IfModule>
EOC
    redirects_to($without->get('/x', 'X-A: down'), 'https://b.example/x',
                 'without mod_proxy the module works');
    $without->stop;
}

# ---- configurations ----

my %provoked;
for my $row (R307::Table::read_table('health-config.tsv')) {
    my $name = "configuration: $row->{name}";
    SKIP: {
        skip("this httpd has no mod_proxy_balancer", 1) if !$has_balancer;
        my @common = R307::Env::common_modules();
        my %without = map { $_ => 1 } split ' ', $row->{without};
        my $t = configtest(R307::Table::unescape($row->{config}) . "\n",
            load => [grep({ !$without{$_} } @common, @balancer),
                     'redirect307']);
        my ($message, $file) = ($t->message, $t->file);
        my @wrong = map { "nothing matches $_" }
                    grep { $message !~ /$_/ } split /\\n/, $row->{says};

        push @wrong, 'the verdict is another one'
            if $t->ok != ($row->{verdict} eq 'fine');
        push @wrong, "no id $row->{id}"
            if length $row->{id} && $message !~ /\b$row->{id}: /;
        push @wrong, 'file and line are missing'
            if length $row->{line}
            && $message !~ /\bline $row->{line} of \Q$file\E:/
            && $message !~ /\Q$file\E:$row->{line}: /;
        ok(!@wrong, $name);
        diag("  $_") for @wrong, @wrong ? "in: $message" : ();
        $provoked{$_} = 1 for $message =~ /(R307-\d{4}):/g;
    }
}

# No configuration error of sites' health without a case.
SKIP: {
    skip("this httpd has no mod_proxy_balancer", 1) if !$has_balancer;
    my %known;
    for my $file (glob "$ENV{R307_TOP}/src/*/*.c") {
        open my $fh, '<', $file or die "$file: $!\n";
        while (<$fh>) {
            $known{$1} = 1 while /"(R307-0(?:36[0-2]|78\d)):/g;
        }
    }
    is(join(' ', grep { $provoked{$_} } sort keys %known),
       join(' ', 'R307-0360', 'R307-0361', 'R307-0362', 'R307-0780',
            'R307-0781'), 'every message was provoked here');
    is(join(' ', grep { !$provoked{$_} } sort keys %known), '', 'none is left');
}

# ---- balancers ----

# A backend that takes connections, which is all that a check asks.
sub backend {
    my ($port) = @_;
    return IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port,
                                 Listen => 128, ReuseAddr => 1, Proto => 'tcp')
        || die "port $port: $!\n";
}

SKIP: {
    skip('this httpd has no mod_proxy_balancer', 1) if !$has_balancer;
    my $port = R307::Ports::take();
    my $listener = backend($port);
    my $status = server(name => 'members', modules => \@balancer,
        config => <<"EOC");
<Proxy balancer://fine>
    BalancerMember http://127.0.0.1:$port/1 status=+D
    BalancerMember http://127.0.0.1:$port/2
</Proxy>
<Proxy balancer://disabled>
    BalancerMember http://127.0.0.1:$port/3 status=+D
    BalancerMember http://127.0.0.1:$port/4 status=+S
</Proxy>
<Proxy balancer://drained>
    BalancerMember http://127.0.0.1:$port/5 status=+N
</Proxy>
<Proxy balancer://standby>
    BalancerMember http://127.0.0.1:$port/6 status=+D
    BalancerMember http://127.0.0.1:$port/7 status=+H
</Proxy>
<Proxy balancer://erring>
    BalancerMember http://127.0.0.1:$port/8 status=+E retry=600
</Proxy>
<Proxy balancer://stubborn>
    BalancerMember http://127.0.0.1:$port/9 status=+E+I retry=600
</Proxy>
Redirect307Site z https://z.example at=-80,0
@{[ map { "<VirtualHost *:\@PORT\@>\nServerName $_.test\n"
        . "Redirect307Site near https://$_.example at=50,8 balancer=$_\n"
        . "Redirect307GeoFrom latlong=query:at\n"
        . "Redirect307 / site:nearest\n</VirtualHost>\n" }
    qw(fine disabled drained standby erring stubborn) ]}
EOC
    for (['fine', 1, 'one member of two'], ['disabled', 0, 'none'],
         ['drained', 0, 'one that takes no new clients'],
         ['standby', 1, 'one that stands by'],
         ['stubborn', 1, 'one whose errors are ignored']) {
        my ($name, $up, $text) = @$_;
        my $to = $up ? $name : 'z';
        redirects_to($status->request(target => '/x?at=50,8',
                                      host => "$name.test"),
                     "https://$to.example/x?at=50,8",
                     "a balancer with $text is " . ($up ? 'up' : 'down'));
    }
    $status->stop;
}

# A member that fails when a client is sent to it, and is tried again later.
SKIP: {
    skip('this httpd has no mod_proxy_balancer', 1) if !$has_balancer;
    my $port = R307::Ports::take();
    my $tried = server(name => 'tried', modules => \@balancer,
        config => <<"EOC");
<Proxy balancer://api>
    BalancerMember http://127.0.0.1:$port retry=2
</Proxy>
ProxyPass /api balancer://api
Redirect307Site near https://near.example balancer=api
Redirect307Site far https://far.example
Redirect307 /x site:nearest
EOC
    redirects_to($tried->get('/x'), 'https://near.example/x',
                 'a member that nobody has tried is up');
    passes($tried->get('/api'), 503, 'somebody tries');
    my $since = time;
    redirects_to($tried->get('/x'), 'https://far.example/x',
                 'the member is in error');
    is(eventually($tried, '/x', 'https://near.example/x'),
       'https://near.example/x', 'when it may be tried again, the site is up');
    cmp_ok(time - $since, '>=', 1.5, 'after its retry=');
    $tried->stop;
}

# The balancer manager takes a member out and in.
SKIP: {
    skip('this httpd has no mod_proxy_balancer', 1) if !$has_balancer;
    my $member = 'http://127.0.0.1:' . R307::Ports::take();
    my $managed = server(name => 'managed', modules => \@balancer,
        config => <<"EOC");
<Proxy balancer://api>
    BalancerMember $member
</Proxy>
<Location "/manager">
    SetHandler balancer-manager
</Location>
Redirect307Site near https://near.example balancer=api
Redirect307Site far https://far.example
Redirect307 /x site:nearest
EOC
    my $referer = 'Referer: http://localhost:' . $managed->port . '/manager';
    my $page = $managed->get('/manager', $referer)->body;
    my ($nonce) = $page =~ /nonce=([0-9a-f-]+)/;
    my $set = sub {
        my ($letter, $on) = @_;
        return $managed->request(target => '/manager', method => 'POST',
            headers => ['Content-Type: application/x-www-form-urlencoded',
                        $referer],
            body => "b=api&w=$member&nonce=$nonce&w_status_$letter=$on")
            ->status;
    };
    ok($nonce, 'the balancer manager has a form');
    redirects_to($managed->get('/x'), 'https://near.example/x', 'managed: up');
    for (['D', 'disabled'], ['N', 'draining'], ['S', 'stopped']) {
        my ($letter, $name) = @$_;
        is($set->($letter, 1), 200, "managed: the member is $name");
        is(join(' ', map { $managed->get('/x')->header('Location') } 1 .. 10),
           join(' ', ('https://far.example/x') x 10), 'managed: down');
        is($set->($letter, 0), 200, "managed: the member is not $name");
        redirects_to($managed->get('/x'), 'https://near.example/x',
                     'managed: up again');
    }
    $managed->stop;
}

# A member that mod_proxy_hcheck watches: it dies and returns.
SKIP: {
    skip('this httpd has no mod_proxy_hcheck', 1)
        if !$has_balancer || !has_httpd_module('proxy_hcheck')
        || !has_httpd_module('watchdog');
    my $port = R307::Ports::take();
    my $listener = backend($port);
    my $checked = server(name => 'checked',
        modules => [@balancer, 'watchdog', 'proxy_hcheck'],
        config => <<"EOC");
<Proxy balancer://api>
    BalancerMember http://127.0.0.1:$port hcmethod=TCP hcinterval=1
</Proxy>
Redirect307Site near https://near.example balancer=api
Redirect307Site far https://far.example
Redirect307 /x site:nearest
<VirtualHost *:\@PORT\@>
    ServerName main.test
</VirtualHost>
<VirtualHost *:\@PORT\@>
    ServerName own.test
    ProxyPass /other http://127.0.0.1:$port/
    Redirect307Site near https://own.example balancer=api
</VirtualHost>
EOC
    my @hosts = (['main', 'near'], ['own', 'own']);
    my $all = sub {
        my ($up, $name) = @_;
        for (@hosts) {
            my ($host, $site) = @$_;
            my $want = 'https://' . ($up ? $site : 'far') . '.example/x';
            is(eventually($checked, '/x', $want, "Host: $host.test"), $want,
               "$name ($host)");
        }
    };
    $all->(1, 'the member answers');
    close $listener;
    $all->(0, 'the member has died');
    is(join(' ', map { $checked->get('/x', 'Host: main.test')
                       ->header('Location') } 1 .. 20),
       join(' ', ('https://far.example/x') x 20), 'every process knows');
    $checked->restart_gracefully;
    sleep 1;
    $all->(0, 'and after a graceful restart, too');
    $listener = backend($port);
    $all->(1, 'the member is back');
    $checked->stop;
    close $listener;
}

end_suite(allow => [qr/Evaluation of expression from/, qr/AH00957|AH00959/,
                    qr/AH01114|AH03257/],
          allow_in => { failing => ['R307-0440'] });
