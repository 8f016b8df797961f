# One rule set for a fleet: servers that follow a PostgreSQL server of the
# suite's own.  Several writers make random histories at once: inserts, updates,
# deletes, moves, transactions that are undone, rollbacks to an earlier state.
# A model is replayed from what was committed; whenever it is quiet, every
# process of every server answers for every rule as the model does.
#
# Then the database is killed, paused, restored from an older backup, gives no
# rights and no connections, and has 100,000 changes in one transaction.
# Through all of it every server is asked all the time, and no request fails.
use strict;
use warnings;

use Time::HiRes qw(sleep time);

use R307::Fleet;
use R307::Live;
use R307::RuleWriter;
use R307::Tables;

use constant {
    BULK   => $ENV{R307_SLOW} ? 20_000 : 100_000,
    THEIRS => R307::RuleWriter::THEIRS,
    SOON   => R307::Fleet::SOON,
    LATER  => R307::Fleet::LATER,
    STABLE => R307::Fleet::STABLE,
    STABLE_ANSWER => R307::Fleet::STABLE_ANSWER,
};

if (!R307::Fleet::has_modules()) {
    plan(skip_all => 'this httpd has no mod_dbd or no mod_watchdog');
}
if (my @missing = R307::Fleet::missing()) {
    fail("what the suite needs is there: install the packages @missing");
    end_suite();
    exit 1;
}

my $fleet = R307::Fleet->new;
my $pg = $fleet->pg;
$fleet->start($_) for qw(one two three);
if (!$fleet->quiet('first sync', LATER)) {
    end_suite();
    exit 1;                             # nothing of what follows can succeed
}
$fleet->load;

# ---- random histories ----

$fleet->history(4);
$fleet->model_is_right('history');
$fleet->quiet('history');
$fleet->bad_rows_are_named('history');

# Back to what was, while others write on.  By whom tells the rollback's
# changes from others'.
{
    my $back = $fleet->last_seq;
    my @writers = $fleet->writers(3);
    sleep 0.7;
    $fleet->tool('roller', 'rollback', $back);
    $_->wait for @writers;
    my $at = $pg->sql("SELECT min(seq) FROM redirect307_change"
                      . " WHERE by_whom = 'roller'");
    isnt($at, '', 'the rollback has written changes');
    $fleet->replay(\@writers, $at eq '' ? ()
                   : [$at, ['all', $fleet->model->at($back)]]);
    $fleet->model_is_right('history with a rollback');
    $fleet->quiet('history with a rollback');
}

# The log is cut short all the while: who has not read it reads all rows.
my $cutter = $pg->session;
{
    my @writers = $fleet->writers(3);
    while (grep { $_->is_running } @writers) {
        $cutter->sql('DELETE FROM redirect307_change WHERE seq <'
                     . ' (SELECT max(seq) - 3 FROM redirect307_change)');
        sleep 0.02;
    }
    $fleet->replay(\@writers);
    $fleet->model_is_right('history with a log that is cut short');
    $fleet->quiet('history with a log that is cut short', LATER);
}

# The same between two questions of a server: it has been told which changes
# there are, and when it asks for them, the log has lost its beginning.  A slow
# database makes the time for it.
$pg->sql('CREATE POLICY slow ON redirect307_store FOR SELECT TO reader'
         . " USING (pg_sleep(0.7)::text = '');"
         . 'CREATE POLICY fast ON redirect307_store FOR SELECT TO writer,'
         . ' roller USING (true);'
         . 'ALTER TABLE redirect307_store ENABLE ROW LEVEL SECURITY');
my $cut = 0;
for (1 .. 2) {
    sleep rand 1.5;
    $pg->sql('UPDATE redirect307_rule SET target = target || 1 WHERE '
             . THEIRS . ' AND id % 2 = 0');
    $pg->sql("UPDATE redirect307_rule SET target = target || 2 WHERE kind ="
             . " 'exact'");
    my $now = $pg->sql('SELECT now()');
    wait_until(SOON, sub {
        $pg->sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
                 . " AND usename = 'reader' AND query_start > '$now'"
                 . " AND query ~ 'MAX'") > 0
    }, 0.01) and $cut++;
    $cutter->sql('DELETE FROM redirect307_change WHERE seq <'
                 . ' (SELECT max(seq) FROM redirect307_change)');
}
is($cut, 2, 'the log is cut while servers ask what there is');
$pg->sql('ALTER TABLE redirect307_store DISABLE ROW LEVEL SECURITY');
$fleet->believe;
$fleet->quiet('history with a log that is cut between two questions', LATER);

# ---- the database goes and comes ----

# Killed while writers are at work: what they committed last may be lost, and
# servers may have it. The next ones write others with the same numbers.
{
    my @writers = $fleet->writers(3);
    sleep 1;
    $pg->crash;
    $_->wait(may_fail => 1) for @writers;
    $fleet->all_say('killed', qr/R307-\d+/);
    $fleet->server(2)->restart_gracefully;
    is(join(' ', map { everywhere($_, STABLE) } $fleet->servers),
       join(' ', (STABLE_ANSWER) x 3),
       'killed: all servers answer, one after a restart');
    $pg->start;
    $fleet->write_past($fleet->most_seen);
    $fleet->quiet('killed and started again', LATER);
}

# Paused: it takes connections and does not answer.  A server joins that has
# no table, and one that has is stopped and started.
my $four = $fleet->start('four');
$fleet->quiet('a server joins', LATER);
$pg->sql('UPDATE redirect307_rule SET enabled = NOT enabled WHERE id % 3 = 0'
         . ' AND ' . THEIRS);
$pg->pause;
sleep 2 * R307::Fleet::REFRESH;
{
    my $start = time;
    $four->stop;
    ok(!$four->{killed}, 'paused: a server can be stopped');
    $four->start_again;
    is(answer($four, STABLE), STABLE_ANSWER,
       'paused: it starts with the table that it had');
    cmp_ok(time - $start, '<', LATER / 2, 'paused: and is not held up');
}
$fleet->server(1)->restart_gracefully;
sleep R307::Fleet::REFRESH;
is(join(' ', everywhere($fleet->server(1), STABLE)), STABLE_ANSWER,
   'paused: all processes answer');
$pg->resume;
$fleet->believe;
$fleet->quiet('paused and resumed', LATER);

# ---- no rights, no connections ----

$pg->sql('REVOKE SELECT ON redirect307_follow FROM reader');
$pg->sql('DELETE FROM redirect307_rule WHERE id % 5 = 0 AND ' . THEIRS);
$fleet->all_say('no rights', qr/R307-\d+.*permission denied/);
$pg->sql('GRANT SELECT ON redirect307_follow TO reader');
$fleet->believe;
$fleet->quiet('rights are back', LATER);

$pg->sql('ALTER ROLE reader CONNECTION LIMIT 0');
$pg->sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
         . " WHERE usename = 'reader'");
$pg->sql("UPDATE redirect307_rule SET target = 'https://limit.example'"
         . ' WHERE id % 7 = 0 AND ' . THEIRS);
$fleet->all_say('no connections', qr/R307-\d+/);
$pg->sql('ALTER ROLE reader CONNECTION LIMIT 4');
$fleet->believe;
$fleet->quiet('one connection for each server', LATER);

# ---- much at once ----

# All or nothing: who has the last row has the first.
sub bulk_is {
    my ($status) = @_;
    my @half;

    for my $srv ($fleet->servers) {
        my ($last, $first) = map { answer($srv, "/bulk/$_") } BULK, 1;
        return 0 if $last !~ /\A$status/;
        push @half, $srv->name if $first !~ /\A$status/;
    }
    is("@half", '', "one transaction, $status: no server has a part of it");
    return 1;
}

$pg->sql('INSERT INTO redirect307_rule (ruleset, path, target)'
         . " SELECT '@{[ R307::Fleet::RULESET ]}', '/bulk/' || n,"
         . " 'https://bulk.example/' || n"
         . " FROM generate_series(1, @{[ BULK ]}) n");
my $start = time;
ok(wait_until(LATER, sub { bulk_is(307) }, 0.01),
   BULK . ' changes in one transaction arrive');
$fleet->lap(sprintf 'they have arrived after %.1f s', time - $start);
my @some = map { 1 + int rand BULK } 1 .. 50;
for my $srv ($fleet->servers) {
    is(join(' ', map { answer($srv, "/bulk/$_/x") } @some),
       join(' ', map { "307 https://bulk.example/$_/x" } @some),
       $srv->name . ': has rows of it');
}
$fleet->quiet('much added', LATER);

# So many changes, again and again, that servers merge them into a new base
# while others go on to write.
sub merges {
    my $n = 0;
    $n += grep { $_->{id} eq 'R307-0679' } $_->log->all for $fleet->servers;
    return $n;
}

{
    my $merges = merges();
    my @writers = $fleet->writers(2, seconds => 3);
    my $round = 0;
    while (grep { $_->is_running } @writers) {
        $pg->sql('UPDATE redirect307_rule SET target ='
                 . " 'https://bulk.example/' || id || '/@{[ ++$round ]}'"
                 . " WHERE path LIKE '/bulk/%' AND id % 20 = $round % 20");
        sleep 0.3;
    }
    $fleet->replay(\@writers);
    $fleet->quiet('merged while others write', LATER);
    ok(wait_until(LATER, sub { merges() >= $merges + $fleet->servers }),
       'all servers have merged changes');
    my %now = map { split /\|/ } $pg->sql(
        "SELECT path, target FROM redirect307_rule WHERE path LIKE '/bulk/%'"
        . ' ORDER BY random() LIMIT 200');
    for my $srv ($fleet->servers) {
        is(join(' ', map { answer($srv, $_) } sort keys %now),
           join(' ', map { "307 $now{$_}" } sort keys %now),
           $srv->name . ': and has what was merged');
    }
}

# The children of one server are killed while they apply it.
$pg->sql("DELETE FROM redirect307_rule WHERE path LIKE '/bulk/%'");
for my $wait (1.2, 0.4, 0.8) {
    sleep $wait;
    kill 'KILL', children($four);
}
ok(wait_until(R307::Tables::TAKEOVER, sub { bulk_is(404) }, 0.05),
   'much deleted, and processes killed');
$fleet->quiet('much deleted', R307::Tables::TAKEOVER);

# ---- an older backup ----

$pg->save('old');
$fleet->quiet('stopped for a backup', LATER);
$fleet->history(3, seconds => 1);
$fleet->quiet('after the backup');
my $lost = $fleet->last_seq;
$pg->restore('old');
cmp_ok($fleet->last_seq, '<', $lost,
       'the backup is older than what servers have');
sleep 3 * R307::Fleet::REFRESH;
is(join("\n", $fleet->differences), '',
   'servers keep what they have: a replica may only lag');

# It goes another way from there, past the lost changes.
$fleet->write_past($lost);
$fleet->quiet('restored from an older backup', LATER);

# What no log tells arrives when servers are told to read all.
$pg->sql("SET session_replication_role = replica; UPDATE redirect307_rule"
         . " SET target = 'https://silent.example' WHERE kind = 'prefix'"
         . ' AND ' . THEIRS);
$fleet->tool('owner', 'resync');
$fleet->believe;
sleep R307::Fleet::REFRESH + 1;
$fleet->quiet('told to read all', LATER);

# ---- through all of it ----

$fleet->end_load;

# mod_dbd and the module say what is wrong; httpd, that processes were killed.
end_suite(allow => [qr/R307-06\d\d/, qr/\[dbd:/],
          allow_in => { four => [qw(AH00052 AH10392 AH10393)] });
