# A fleet whose database has a replica: servers connect to what answers, the
# primary or the replica.  A replica that lags makes no server go back; one that
# is promoted is followed; an older backup that nobody writes to is taken after
# half a minute.  Through all of it no request fails.
use strict;
use warnings;

use Time::HiRes qw(sleep time);

use R307::Fleet;
use R307::Live;
use R307::RuleWriter;
use R307::Tables;

use constant {
    SOON   => R307::Fleet::SOON,
    LATER  => R307::Fleet::LATER,
    BEHIND => 30,                       # docs/guide.md says so
};

plan(skip_all => 'replicas see no difference between MPMs: with event only')
    if R307::Env::mpm() ne 'event';
if (!R307::Fleet::has_modules()) {
    plan(skip_all => 'this httpd has no mod_dbd or no mod_watchdog');
}
if (my @missing = R307::Fleet::missing()) {
    fail("what the suite needs is there: install the packages @missing");
    end_suite();
    exit 1;
}

my $fleet = R307::Fleet->new;
my $primary = $fleet->pg;
my $replica = $primary->replica;
$fleet->start($_, $primary->port, $replica->port) for qw(one two);
if (!$fleet->quiet('first sync', LATER)) {
    end_suite();
    exit 1;                             # nothing of what follows can succeed
}
$fleet->load;
$fleet->history(3);
$fleet->quiet('history');

# How often all servers have read all rows.
sub read_all {
    my $n = 0;
    $n += grep { $_->{id} eq 'R307-0675' } $_->log->all for $fleet->servers;
    return $n;
}

# ---- a replica that lags ----

# The primary goes, and what it wrote last is not on the replica yet.
$replica->sql('SELECT pg_wal_replay_pause()');
$fleet->history(2, seconds => 1);
$fleet->quiet('the primary has more than the replica');
my $read = read_all();
my $seq = $fleet->last_seq;
cmp_ok($replica->sql('SELECT max(seq) FROM redirect307_change'), '<', $seq,
       'the replica lags');
ok(wait_until(LATER, sub {
    $replica->sql('SELECT pg_last_wal_receive_lsn() >= '
        . "'@{[ scalar $primary->sql('SELECT pg_current_wal_lsn()') ]}'")
        eq 't'
}), 'it has received what it does not show');
$primary->crash;
$fleet->all_say('a replica that lags', qr/at change \d+.*\b$seq\b/);
is(join("\n", $fleet->differences), '',
   'a replica that lags: all servers keep what they have');

$replica->sql('SELECT pg_wal_replay_resume()');
$fleet->set_pg($replica);
ok(wait_until(LATER, sub {
    !grep { defined R307::Fleet::store_of($_)->{error} } $fleet->servers
}), 'the replica has caught up: nobody complains any more');
$fleet->quiet('the replica has caught up', LATER);
is(read_all(), $read, 'no server has read all rows for that');

# ---- failover ----

$replica->promote;
$fleet->history(3, seconds => 1);
$fleet->model_is_right('failover');
$fleet->quiet('failover');
is(read_all(), $read, 'failover: no server has read all rows for that');

# ---- an older backup, and nobody writes ----

$replica->save('old');
$fleet->quiet('stopped for a backup', LATER);
$fleet->history(3, seconds => 1);
$fleet->quiet('after the backup');
my @before = map { $_ } @{ $fleet->wanted };
$replica->restore('old');
my $restored = time;
$fleet->all_say('an older backup', qr/R307-\d+|at change \d+/);
$_->log->mark for $fleet->servers;
is(join("\n", $fleet->differences(\@before)), '',
   'an older backup: all servers keep what they have');
$fleet->believe;
ok(wait_until(BEHIND + LATER, sub { read_all() >= $read + 2 }, 0.2),
   'an older backup: all servers take it in the end');
cmp_ok(time - $restored, '>', BEHIND - 2,
       sprintf 'an older backup: not before %d seconds', BEHIND);
$fleet->quiet('an older backup');

$fleet->end_load;
end_suite(allow => [qr/R307-06\d\d/, qr/\[dbd:/]);
