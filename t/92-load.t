# Tables are refreshed under load: one flips between two versions while wrk
# asks for it, and graceful restarts come in between; of another one's server
# children are killed.  No request fails (but those whose child was killed),
# every answer is from one of the two versions, and neither mappings nor
# descriptors grow.  What was killed leaves nothing behind.
#
# When the child that looks at the sources is killed alone, mod_watchdog takes
# 11 seconds to let another one do it.  So the suite begins with the kills,
# goes on with the other server, and comes back.
#
# R307_LOAD_SECONDS is how long the load lasts, in all.
use strict;
use warnings;

use Time::HiRes qw(sleep time);

use R307::Live;
use R307::Load;
use R307::Tables;

use constant SECONDS => $ENV{R307_LOAD_SECONDS} || 20;

# The source is replaced this often, twice for each look at it.
use constant FLIP => 0.5;

if (my @missing = R307::Load::missing()) {
    fail("the load generator is there: install the packages @missing");
    end_suite();
    exit 1;
}
my @modules = R307::Tables::modules();
if (!@modules && !R307::Env::is_static('watchdog')) {
    plan(skip_all => 'this httpd has no mod_watchdog: nothing is refreshed');
}

# ---- a server with a table that flips ----

# Rules that differ in every line from version to version.
sub text {
    my ($version, $rules) = @_;
    return join '', "~^/t/regex/(\\d+)\$ https://t.example/$version/\$1\n",
        map { "/t/item-$_ https://t.example/$version/item-$_"
              . " name=$version-$_\n" } 1 .. $rules;
}

my @versions = qw(one two);

# Puts the other version into the source, or the one with this number.
sub flip {
    my ($site, $to) = @_;
    $site->{now} = defined $to ? $to : 1 - $site->{now};
    R307::Tables::put($site->{source}, $site->{text}[ $site->{now} ]);
    $site->{flips}++;
    return;
}

# The other version than the one that is served.  So each look at the source
# finds a table that has to change; were the versions just put in turn, it
# could find the same one every time.
sub turn {
    my ($site) = @_;
    my $got = answer($site->{srv}, '/t/item-1');
    return flip($site, $got =~ m{/two/} ? 0 : 1);
}

# What /t/item-1 is answered when the table is the source's.
sub last_version {
    return "307 https://t.example/$versions[ $_[0]{now} ]/item-1";
}

sub site {
    my ($name, $rules, $directives) = @_;
    my $source = R307::Env::scratch('sources') . '/t.rules';
    my $site = { source => $source, flips => 0, now => 0,
                 text => [map { text($_, $rules) } @versions] };

    flip($site);
    $site->{srv} = server(name => $name, modules => \@modules,
                          config => steady() . $directives . <<"EOC");
Redirect307Table t file:$source refresh=1
<VirtualHost *:\@PORT\@>
    ServerName load.test
    LogLevel redirect307:info
    Header always set X-Rule "%{REDIRECT307_RULE}e" env=REDIRECT307_RULE
    Redirect307Use t
</VirtualHost>
EOC
    return $site;
}

# ---- load ----

# Every child has more threads than there are connections: one whose threads
# are all busy closes idle connections, and wrk would count those.

# A part of the time that the load lasts.
sub seconds { return int($_[0] * SECONDS + 0.5) || 1 }

sub start_load {
    my ($site, %arg) = @_;

    $site->{srv}->log->mark;
    $site->{flips_before} = $site->{flips};
    return R307::Load->start(port => $site->{srv}->port, connections => 8,
                             target => '/t/item-1000/x', %arg);
}

sub result_of {
    my ($site, $load) = @_;
    my $result = $load->result;

    $result->{flips} = $site->{flips} - $site->{flips_before};
    $result->{refreshed} = told($site->{srv}, 't', 'R307-0622');
    return $result;
}

# Asks and flips until time is up, and calls each() all the while.  Returns
# what came back.
sub load {
    my ($site, $each, %arg) = @_;
    my $load = start_load($site, %arg);
    my $next = time;

    while ($load->is_running && time < $load->{deadline}) {
        if (time >= $next) {
            turn($site);
            $next = time + FLIP;
        }
        $each->();
        sleep 0.05;
    }
    return result_of($site, $load);
}

# What happened to wrk's requests, but for read errors; what it says of errors
# is there at all.
sub failures {
    my ($r) = @_;
    my @kinds = qw(connect write timeout read);
    return ('no result', $r->{output})
        if $r->{total} < 100 || grep { !defined $r->{errors}{$_} } @kinds;
    return map { "$_: $r->{errors}{$_}" }
           grep { $r->{errors}{$_} } @kinds[0 .. 2];
}

# Three tests of what came back.  With $lost, so many requests may have come
# to nothing after they were sent.
sub judge {
    my ($name, $r, $lost) = @_;
    my %want = map { ("307 https://t.example/$_/item-1000/x $_-1000" => 1) }
                   @versions;
    my @failed = failures($r);
    my @other = grep { !$want{$_} } sort keys %{ $r->{answers} };

    push @failed, "read: $r->{errors}{read}"
        if !@failed && $r->{errors}{read} > ($lost || 0);
    note("$name: $r->{total} answers, $r->{flips} flips, $r->{refreshed}"
         . ' refreshes' . (defined $lost ? ", $r->{errors}{read} lost" : ''));
    is(join("\n", @failed), '', "$name: no request fails"
       . (defined $lost ? ' but those whose child is killed' : ''));
    is("@other", '', "$name: every answer is from one of the two versions");
    is(scalar(grep { $r->{answers}{$_} } keys %want), 2,
       "$name: and both are served");
    return;
}

# ---- children are killed ----

# Several children, so that some are left when one is killed; so many rules
# that a compile can be met.
my $tormented = site('killed', 40_000, <<"EOC");
LogLevel mpm_$ENV{R307_MPM}:notice
<IfModule mpm_prefork_module>
    StartServers 8
    MinSpareServers 8
    MaxSpareServers 24
    MaxRequestWorkers 24
</IfModule>
<IfModule !mpm_prefork_module>
    ServerLimit 8
    ThreadsPerChild 16
    StartServers 4
    MinSpareThreads 64
    MaxSpareThreads 128
    MaxRequestWorkers 128
</IfModule>
EOC

my ($kills, @unanswered) = (0);

# The child that compiled last, if it lives.
sub compiler {
    my ($srv) = @_;
    my ($line) = grep { $_->{id} eq 'R307-0622' } reverse $srv->log->since;
    my $pid = $line && $line->{text} =~ /\[pid (\d+)/ ? $1 : 0;
    return grep { $_ == $pid } children($srv);
}

# Kills children, waits until they are gone, and asks: somebody has to answer.
sub kill_and_ask {
    my ($srv, @pids) = @_;
    my %killed = map { $_ => 1 } @pids;

    kill 'KILL', @pids;
    $kills += @pids;
    wait_until(R307::Tables::PATIENCE,
               sub { !grep { $killed{$_} } children($srv) });
    my $got = answer($srv, '/t/item-1');
    push @unanswered, $got
        if $got !~ m{\A307 https://t\.example/(?:one|two)/item-1\z};
    return;
}

# Flips and waits until a child writes a table: its process id.
sub wait_for_writer {
    my ($site) = @_;
    my $srv = $site->{srv};
    my $writer;

    for (1 .. 10) {
        flip($site);
        my @watched = compiler($srv);
        wait_until(R307::Tables::PATIENCE / 4, sub {
            @watched = children($srv) if !@watched;
            ($writer) = grep {
                grep { $_ =~ unfinished_re() } descriptors($_)
            } @watched;
            return $writer;
        }, 0.001);
        return $writer if $writer;
    }
    return;
}

# Flips and waits until the new version is served and it is known who compiled
# it; meanwhile one after the other of those who did not is killed.
sub refresh_and_kill {
    my ($site) = @_;
    my $srv  = $site->{srv};
    my $next = 0;

    flip($site);
    return wait_until(R307::Tables::TAKEOVER, sub {
        my ($spared) = compiler($srv) or return 0;
        my @others = grep { $_ != $spared } children($srv);
        if (time >= $next && @others > 1) {
            kill_and_ask($srv, $others[ $kills % @others ]);
            $next = time + 0.3;
        }
        return answer($srv, '/t/item-1') eq last_version($site);
    });
}

# The table that a process has mapped: its inode, once for each.
sub inodes_mapped {
    my ($pid) = @_;
    my %inode;
    open my $fh, '<', "/proc/$pid/maps" or return;
    for my $line (<$fh>) {
        $inode{$1} = 1 if $line =~ m{ (\d+)\s+\S*/t\.table\b};
    }
    return sort keys %inode;
}

# Children that do not have the table in the state directory mapped, or have
# another one.
sub behind {
    my ($srv) = @_;
    my $inode = (stat compiled_file($srv, 't'))[1] || 0;
    return map {
        my @has = inodes_mapped($_);
        "@has" eq $inode ? () : "$_: @has, not $inode"
    } children($srv);
}

{
    my $srv  = $tormented->{srv};
    my $load = start_load($tormented, seconds => 300);
    my $rounds = seconds(0.1);
    my ($arrived, $caught) = (0, 0);

    # All are killed while one writes a table: then a new one takes over at
    # once.
    for (1 .. $rounds) {
        $arrived += refresh_and_kill($tormented);
        $caught++ if wait_for_writer($tormented);
        kill_and_ask($srv, children($srv));
    }
    is("$arrived $caught", "$rounds $rounds", 'the table is refreshed while'
       . ' children are killed, and while it is written all are');

    # Only the one that writes is killed: the others live on.  It may have
    # ended when the signal comes; then there is another one.
    ok(refresh_and_kill($tormented), 'and it is refreshed again');
    my $left;
    for (1 .. 20) {
        my $writer = wait_for_writer($tormented) or last;
        kill_and_ask($srv, $writer);
        last if $left = unfinished(compiled_file($srv, 't'));
    }
    ok($left, 'a child that writes is killed: a part of the table lies there');
    flip($tormented);
    $load->finish;
    judge('kills', result_of($tormented, $load), 8 * $kills);
    cmp_ok($kills, '>=', 6, "children are killed again and again ($kills)");
    is(join("\n", @unanswered), '',
       'after each kill the next request is answered');
}

# ---- refresh under load ----

my $site = site('load', 2000, <<'EOC');
<IfModule mpm_prefork_module>
    MaxSpareServers 24
    MaxRequestWorkers 24
</IfModule>
<IfModule !mpm_prefork_module>
    ServerLimit 8
    ThreadsPerChild 16
    MinSpareThreads 16
    MaxSpareThreads 128
    MaxRequestWorkers 64
</IfModule>
EOC
my $srv = $site->{srv};

# What the server answers when it had the time to come to rest; each child has
# been asked for the last version then.
sub at_rest {
    my @got;
    wait_until(R307::Tables::PATIENCE, sub {
        @got = everywhere($srv, '/t/item-1');
        return "@got" eq last_version($site);
    });
    return "@got";
}

# What processes have open besides connections, as one line each. Each version
# of the table is counted in a file of its own.
sub open_files {
    return map {
        join ' ', map { s/\[\d+\]\z//r =~ s/\.counts\.\K[0-9a-f]{16}\z//r }
                  sort { $a cmp $b } descriptors($_)
    } @_;
}

# The last flip may still be compiled: what is open then is closed soon.
sub no_more_files {
    my @before = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my %before = map { $_ => 1 } @before;
    my @more;

    wait_until(R307::Tables::PATIENCE, sub {
        @more = grep { !$before{$_} } open_files(children($srv));
        return !@more;
    });
    return is_deeply(\@more, [], 'no process has more files open than before')
        || diag(join "\n", 'before:', @before);
}

# Nor more than one version of the table mapped; which ones have.
sub with_old_versions {
    my @pids;
    wait_until(R307::Tables::PATIENCE, sub {
        @pids = grep { mappings($_, 't') > 1 } children($srv);
        return !@pids;
    });
    return @pids;
}

# The largest number of mappings that a process has of the table.
my $most = 0;
sub count_mappings {
    for my $pid (children($srv)) {
        my $n = mappings($pid, 't');
        $most = $n if $n > $most;
    }
    return;
}

is(at_rest(), last_version($site), 'the table serves');
my @before = open_files(children($srv));
my $seconds = seconds(0.35);
my $result = load($site, \&count_mappings, seconds => $seconds);
judge('keep-alive', $result);
cmp_ok($result->{refreshed}, '>=', $seconds / 4,
       'the table is refreshed again and again');
cmp_ok($most, '<=', 4, 'no process holds more versions than are in use');

is(at_rest(), last_version($site), 'at rest the last version serves');
is_deeply([with_old_versions()], [], 'and no process holds another one');
no_more_files(@before);

# ---- the same with graceful restarts ----

# A connection for each request: one that a restart closes between two of
# them is no failed request, but wrk would count it.
my ($restarts, $next_restart) = (0, time + 1);
$most = 0;
$result = load($site, sub {
    if (time >= $next_restart) {
        $srv->restart_gracefully;
        $restarts++;
        $next_restart = time + 2;
    }
    count_mappings();
}, seconds => seconds(0.3), close => 1, pause => 1);
judge('with restarts', $result);
cmp_ok($restarts, '>=', seconds(0.3) / 4, "there are restarts ($restarts)");
cmp_ok($most, '<=', 4, 'no process holds more versions than are in use');

is(at_rest(), last_version($site), 'at rest the last version serves again');
is_deeply([with_old_versions()], [], 'and no child holds an old one');
is(mappings($srv->pid, 't'), 1, 'nor does the parent');
no_more_files(@before);

# ---- what became of the killed ----

{
    my $srv = $tormented->{srv};
    my $last = last_version($tormented);

    wait_until(R307::Tables::TAKEOVER,
               sub { answer($srv, '/t/item-1') eq $last });
    is(answer($srv, '/t/item-1'), $last,
       'another child has compiled the last version');
    # Each child turns to it when it is asked.
    wait_until(R307::Tables::PATIENCE, sub {
        everywhere($srv, '/t/item-1', 32);
        return !behind($srv);
    });
    is(join("\n", behind($srv)), '', 'all children have it');
    is("@{[ everywhere($srv, '/t/item-1', 32) ]}", $last, 'and serve it');
    opendir my $dh, $srv->root . '/run/redirect307' or die "opendir: $!\n";
    is_deeply([sort grep { !/\A\.\.?\z|\At\.counts\.[0-9a-f]{16}\z/ }
                         readdir $dh],
              ['t.table'],
              'nothing but counters is left over in the state directory');
    cmp_ok(scalar(@{[ children($srv) ]}), '>=',
           $ENV{R307_MPM} eq 'prefork' ? 8 : 4,
           'those that were killed have been replaced');
}

# ---- a restart while a child writes ----

{
    my $srv = $tormented->{srv};

    ok(wait_for_writer($tormented), 'a child writes a table');
    $srv->restart_gracefully;
    $srv->log->mark;
    ok($srv->log->wait_for(qr{AH0\d+: .* resuming normal operations},
                           R307::Tables::PATIENCE),
       'and httpd restarts all the same');
    my $last = last_version($tormented);
    wait_until(R307::Tables::PATIENCE,
               sub { answer($srv, '/t/item-1') eq $last });
    is(answer($srv, '/t/item-1'), $last, 'with the last version');
}

# httpd finds it strange that so many are killed.
end_suite(allow_in => { killed => [qw(AH10392 AH10393)] });
