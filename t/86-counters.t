# What is counted, and that it is exact: for every source of rules, under load,
# while children come and go, while tables change, over graceful restarts and
# over stops.
use strict;
use warnings;

use POSIX qw(_exit);
use Time::HiRes qw(sleep);

use R307::Live;
use R307::Load;
use R307::Status;
use R307::Tables;

use constant CLIENTS  => 4;
use constant REQUESTS => $ENV{R307_SLOW} ? 100 : 250;

my @modules = R307::Tables::modules();
my $refreshes = @modules || R307::Env::is_static('watchdog');
my $dir = R307::Env::scratch('sources');
my $source = "$dir/t.rules";
R307::Tables::put($source, <<'EOC');
# a comment
/t/one https://t.example/one name=t1
/t/two https://t.example/two name=t2
/t/geo geo DE=https://de.example/ default=https://x.example/ name=tgeo
/t/dry https://t.example/dry name=tdry dryrun
EOC

my $config = steady() . R307::Status::config() . <<"EOC";
CustomLog "\@ROOT\@/logs/answers" "%>s %U"
Redirect307GeoFrom country=header:X-Country
Redirect307TrustedProxy all
Redirect307Table t "file:$source" @{[ $refreshes ? 'refresh=1' : 'refresh=0' ]}
Redirect307 /plain https://plain.example/ name=plain
Redirect307 /stop - name=stop
Redirect307 /dry https://dry.example/ dryrun name=dry
Redirect307 /dry https://after.example/ name=after
Redirect307Geo /geo DE,AT=https://de.example/ FR=https://fr.example/ default=- name=geo
Redirect307OnError 404,503 https://fallback.example/ name=fallback
Redirect307OnError 5xx https://other.example/ name=other
Redirect307 /twice https://one.example/ methods=POST
Redirect307 /twice https://two.example/
Redirect307Use t
<Location /gone>
    Redirect 503 /gone
</Location>
<Location /quiet>
    Redirect307Engine DryRun
    Redirect307DryRunHeader On
</Location>
<Location /told>
    Redirect307DryRunHeader On
    Redirect307 https://told.example/ dryrun name=told
    Redirect307 - dryrun name=told-stop
</Location>
Redirect307 /quiet https://quiet.example/ name=quiet
<Directory "\@DOCROOT\@/ht">
    AllowOverride FileInfo
</Directory>
EOC

my %files = (
    'htdocs/ht/.htaccess' => "Redirect307 /ht/a https://ht.example/\n"
                           . "Redirect307File more.rules\n",
    'htdocs/ht/more.rules' => "/ht/b https://file.example/\n",
    map { ("htdocs/$_/index.html" => "$_\n") } qw(told stop geo quiet),
);

my $srv = server(name => 'counters', modules => \@modules, files => \%files,
                 config => $config);

sub ask {
    my ($n, $target, @more) = @_;
    my $res;

    $res = $srv->request(target => $target, @more) for 1 .. $n;
    return $res;
}

# ---- every source of rules ----

ask(3, '/plain/x');
ask(2, '/stop/index.html');
redirects_to(ask(4, '/dry/x'), 'https://after.example//x',
             'a dry run does not stop the rules behind it');
ask(2, '/geo', headers => ['X-Country: AT']);
ask(1, '/geo', headers => ['X-Country: FR']);
ask(1, '/geo/');
ask(2, '/nothing');
ask(3, '/gone/x');
ask(1, '/twice', method => 'POST', body => 'x');
ask(2, '/twice');
ask(5, '/t/one');
ask(1, '/t/geo', headers => ['X-Country: DE']);
ask(2, '/t/dry');               # nothing behind it: 404, so a fallback
ask(2, '/ht/a');
ask(3, '/ht/b');

my %rule = rules_of(status_of($srv));
my %want = (plain => [3, 0], dry => [0, 4], after => [4, 0], geo => [4, 0],
            fallback => [2 + 3 + 2, 0], other => [0, 0], stop => [2, 0]);
for my $name (sort keys %want) {
    is("$rule{$name}{hits} $rule{$name}{dry_runs}", "@{ $want{$name} }",
       "rule $name");
}
is(join(' ', map { "$_->{selectors}:$_->{hits}" }
                 @{ $rule{geo}{choices} }), 'DE,AT:2 FR:1 default:1',
   'a geo rule by choice');
my %cause = map { ($_->{status} => $_->{hits}) } @{ $rule{fallback}{causes} };
is($cause{503}, 3, 'a rule for errors by status');
is($cause{404} + $cause{503}, $rule{fallback}{hits}, 'and by all of them');
my @twice = grep { ($_->{path} // '') eq '/twice' }
            @{ status_of($srv)->{rules}{items} };
is("@{[ map { $_->{hits} } @twice ]}", '1 2',
   'rules for the same path count apart');
like($rule{plain}{last_hit}, qr/\A20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/,
     'with a last hit');
is($rule{other}{last_hit}, undef, 'or none');
is(hits($srv, 't1', table => 't'), 5, 'a rule of a table');
is(hits($srv, 't2', table => 't'), 0, 'another one');
is(dry_runs($srv, 'tdry', table => 't'), 2, 'a dry run in a table');
my %in_table = rules_of(status_of($srv, table => 't'));
is(join(' ', map { "$_->{selectors}:$_->{hits}" }
                 @{ $in_table{tgeo}{choices} }), 'DE:1 default:0',
   'a geo rule of a table by choice');
is(table_of($srv, 't')->{hits}, 6, 'a table as a whole');
is(loose_hits($srv, qr{/ht/\.htaccess:1\z}), 2, 'a rule of .htaccess');
is(loose_hits($srv, qr{/ht/more\.rules:1\z}), 3, 'a rule of a rule file');

my $status = status_of($srv);
is($status->{totals}{redirects},
   3 + 4 + 3 + 7 + 3 + 6 + 5,
   'all redirects together');
is($status->{totals}{dry_runs}, 6, 'all dry runs');
is($status->{totals}{failed} + $status->{totals}{refused}
   + $status->{totals}{uncounted}, 0, 'and nothing else');

# ---- dry runs ----

sub would { join '|', $_[0]->headers('Redirect307-Would') }

my $res = $srv->get('/dry/x');
is(would($res), '', 'a dry run is not told to everybody');
$res = $srv->get('/told/');
is($res->status . ' ' . would($res), '200 told, told-stop',
   'Redirect307DryRunHeader names the rules');
is(dry_runs($srv, 'told'), 1,
   'counted once, though the index is asked about as well');
$srv->log->mark;
$res = $srv->get('/quiet/');
is(would($res), 'quiet', 'Redirect307Engine DryRun is told as well');
logged($srv, qr{R307-0403: dry run: rule quiet .* would send GET /quiet/ },
       'and logged');
is(hits($srv, 'quiet') . dry_runs($srv, 'quiet'), '01', 'and counted apart');
$srv->log->mark;
$srv->get('/told/');
logged($srv, qr{R307-0445: dry run: rule told-stop .* would let GET /told/ },
       'a stop in a dry run');

# ---- exact, whatever happens meanwhile ----

# Requests of several clients, each on its own connection, while $meanwhile
# is done.  Returns how many were answered as they should.
sub crowd {
    my ($target, $location, $meanwhile) = @_;
    my ($good, @pids) = (0);

    for my $client (1 .. CLIENTS) {
        my $pid = fork;
        die "fork: $!\n" if !defined $pid;
        if (!$pid) {
            my $bad = 0;
            for (1 .. REQUESTS) {
                my $got = eval { $srv->get($target) };
                $bad++ if !$got || ($got->header('Location') // '')
                                    ne $location;
            }
            _exit($bad > 255 ? 255 : $bad);
        }
        push @pids, $pid;
    }
    $meanwhile->();
    for my $pid (@pids) {
        waitpid $pid, 0;
        $good += REQUESTS - ($? >> 8);
    }
    return $good;
}

# The count as soon as it is that, or what it is at the end.
sub becomes {
    my ($want, $get) = @_;
    my $got;

    wait_until(TAKEOVER_SECONDS(), sub { ($got = $get->()) == $want });
    return $got;
}
sub TAKEOVER_SECONDS { R307::Tables::TAKEOVER }

my $before = hits($srv, 'plain');
my $all = CLIENTS * REQUESTS;
is(crowd('/plain/x', 'https://plain.example//x', sub { }), $all,
   "$all requests are answered");
is(hits($srv, 'plain'), $before + $all, 'and each is counted');

is(crowd('/plain/x', 'https://plain.example//x', sub {
       for (1 .. 2) {
           sleep 0.3;
           $srv->restart_gracefully;
       }
       sleep 0.5;
   }), $all, "$all during two graceful restarts are answered");
is(becomes($before + 2 * $all, sub { hits($srv, 'plain') }),
   $before + 2 * $all, 'each is counted');
is(hits($srv, 'geo'), 4, 'and what was there is there');
is(loose_hits($srv, qr{/ht/\.htaccess:1\z}), 2, '.htaccess too');
is(hits($srv, 't1', table => 't'), 5, 'and tables');

# Under load.  wrk drops one request on each connection at its end; so what was
# answered is what the access log says.
sub answered {
    open my $fh, '<', $srv->root . '/logs/answers' or die "answers: $!\n";
    return scalar grep { $_ eq "307 /plain/x\n" } <$fh>;
}

SKIP: {
    my @missing = R307::Load::missing();
    skip "not installed: @missing", 5 if @missing;
    my @begin = (answered(), hits($srv, 'plain'),
                 status_of($srv)->{totals}{redirects});
    my $load = R307::Load->start(port => $srv->port, target => '/plain/x',
                                 seconds => 3, connections => CLIENTS);
    my $result = $load->result;
    is_deeply([sort keys %{ $result->{answers} }],
              ['307 https://plain.example//x'], 'every answer is right');
    cmp_ok($result->{total}, '>', 1000, 'there was a load')
        or diag($result->{output});
    my ($answers, $seen) = -1;
    wait_until(5, sub {
        $seen = $answers;
        $answers = answered() - $begin[0];
        return $answers == $seen;
    }, 0.2);
    cmp_ok($answers, '>=', $result->{total}, 'all of it is in the log');
    is(hits($srv, 'plain') - $begin[1], $answers,
       "$answers redirects under load, and each is counted");
    is(status_of($srv)->{totals}{redirects} - $begin[2], $answers,
       'also among all');
}

SKIP: {
    skip 'this httpd has no mod_watchdog: nothing is refreshed', 6
        if !$refreshes;
    my $round = 0;
    my $lines = sub {
        my ($extra) = @_;
        return join('', map { "/t/new$_ https://n.example/\n" } 1 .. $extra)
             . "/t/two https://t.example/two name=t2\n"
             . "/t/one https://t.example/one name=t1\n";
    };
    is(crowd('/t/one', 'https://t.example/one', sub {
           for (1 .. 3) {
               R307::Tables::put($source, $lines->(++$round * 5000));
               sleep 1.2;
           }
       }), $all, "$all while a table changes are answered");
    is(becomes(5 + $all, sub { hits($srv, 't1', table => 't',
                                    q => 't.example/one') }),
       5 + $all, 'and counted by the rule, wherever its line is');
    is(hits($srv, 't2', table => 't', q => 't.example/two'), 0,
       'and by no other');
    is(becomes(5 + $all, sub { table_of($srv, 't')->{hits} }), 5 + $all,
       'what belongs to rules that have gone, has gone');
    my $state = $srv->root . '/run/redirect307';
    # That of the parent process stays until a restart.
    ok(wait_until(TAKEOVER_SECONDS(), sub {
           my @counts = glob "$state/t.counts.*";
           $srv->get('/t/one') for 1 .. 4;      # every child comes along
           return @counts <= 2;
       }, 0.3), 'files of counters that nobody uses are removed');
    is_deeply([glob "$state/*.new"], [], 'and nothing half made');
}

# ---- stops ----

my $t1 = hits($srv, 't1', table => 't', q => 't.example/one');
$srv->stop;
$srv->start_again;
is(hits($srv, 'plain'), 0, 'a stop ends the counts of directives');
is(() = glob($srv->root . '/run/redirect307/t.counts.*'), 1,
   'one file of counters is left');
is(hits($srv, 't1', table => 't', q => 't.example/one'), $t1,
   'those of tables stay with the compiled table');
$srv->stop;

{
    my ($file) = glob $srv->root . '/run/redirect307/t.counts.*';
    R307::Env::write_file($file, 'R307CNT' . "\n" . 'x' x 100);
    $srv->start_again;
    like($srv->output, qr{R307-0656: table t: R307-0651: .* was removed},
         'damaged counters are removed, and that is said');
    $srv->get('/t/one');
    is(hits($srv, 't1', table => 't', q => 't.example/one'), 1,
       'and counting begins anew');
    $srv->stop;
    unlink glob $srv->root . '/run/redirect307/t.counts.*';
    mkdir $file;
    $srv->log->mark;
    $srv->start_again;
    logged($srv, qr{R307-0657: table t serves without counters: R307-0650: },
           'counters that cannot be had do not keep a table from serving');
    redirects_to($srv->get('/t/one'), 'https://t.example/one', 'it serves');
    is(hits($srv, 't1', table => 't', q => 't.example/one'), 0,
       'uncounted');
    $srv->stop;
    rmdir $file;
}

# ---- Redirect307Stats ----

my $stats = $srv->root . '/stats';
my $keeper = server(name => 'stats', files => \%files,
    config => R307::Status::config()
            . "Redirect307Stats \@ROOT\@/stats.counts\n"
            . "Redirect307 /a https://a.example/ name=a\n"
            . "Redirect307 /b https://b.example/ name=b\n"
            . "<Directory \"\@DOCROOT\@/ht\">\nAllowOverride FileInfo\n"
            . "</Directory>\n");
$stats = $keeper->root . '/stats.counts';
$keeper->get('/a') for 1 .. 3;
$keeper->get('/ht/a');
$keeper->restart_gracefully;
sleep 0.5;
$keeper->get('/b');
is(becomes(1, sub { hits($keeper, 'b') }), 1, 'after a graceful restart');
$keeper->stop;
is((stat $stats)[2] & 0777, 0600, 'the file is for httpd alone');
$keeper->start_again;
is(hits($keeper, 'a') . hits($keeper, 'b'), '31',
   'Redirect307Stats keeps counts over a stop');
is(loose_hits($keeper, qr{/ht/\.htaccess:1\z}), 1, 'also of .htaccess');
$keeper->stop;

# Lines of the configuration move, one rule goes, one comes.
my $conf = $keeper->root . '/httpd.conf';
open my $in, '<', $conf or die "$conf: $!\n";
my $text = do { local $/; <$in> };
close $in;
$text =~ s{^Redirect307 /a (.*)$}{Redirect307 /c https://c.example/ name=c}m;
$text =~ s{^(Redirect307 /b .*)$}{$1\nRedirect307 /a https://new.example/ name=a}m;
R307::Env::write_file($conf, $text);
$keeper->start_again;
is(join('', map { hits($keeper, $_) } qw(a b c)), '310',
   'counts follow their rules to other lines and other targets');
$keeper->stop;

# The file is damaged: put aside.  It is something else: not touched.
truncate $stats, 8192 or die "truncate: $!\n";
$keeper->log->mark;
$keeper->start_again;
logged($keeper, qr{R307-0654: the file '\Q$stats\E' .* truncated; it is },
       'a damaged file is put aside');
is(hits($keeper, 'a'), 0, 'and counting begins anew');
is(scalar(() = glob "$stats.damaged-*"), 1, 'it is there to be looked at');
$keeper->stop;

for my $case (['something else', 'R307-0655', sub {
                   R307::Env::write_file($stats, "precious\n");
               }],
              ['a directory', 'R307-0653', sub {
                   unlink $stats;
                   mkdir $stats;
               }]) {
    my ($what, $id, $make) = @$case;
    $make->();
    ok(!eval { $keeper->start_again; 1 }, "$what: the server does not start");
    like($keeper->output, qr/$id: the file '\Q$stats\E'/, 'and says why');
}
ok(-d $stats, 'nothing was removed');

# ---- Off ----

my $off = server(name => 'off', config => R307::Status::config()
    . "Redirect307Counters Off\n"
    . "Redirect307Table t \"file:$source\" refresh=0\n"
    . "Redirect307 /a https://a.example/ name=a\nRedirect307Use t\n");
redirects_to($off->get('/a'), 'https://a.example/', 'Off: rules apply');
redirects_to($off->get('/t/one'), 'https://t.example/one', 'tables too');
$status = status_of($off);
ok(!$status->{server}{counting}, 'nothing is counted');
is($status->{rules}{items}[0]{hits}, 0, 'no rule has hits');
is_deeply([glob $off->root . '/run/redirect307/*.counts.*'], [],
          'no file is made');

end_suite(allow => [map { "R307-$_" } qw(0650 0651 0653 0654 0655 0656 0657)],
          allow_in => { stats => [qr/AH00020: Configuration Failed/,
                                  qr/AH00016/] });
