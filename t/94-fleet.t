# One rule set for a fleet: servers that follow a PostgreSQL server of the
# suite's own.  Several writers make random histories at once: inserts, updates,
# deletes, moves, transactions that are undone, rollbacks to an earlier state.
# A model is replayed from what was committed; whenever it is quiet, every
# process of every server answers for every rule as the model does.
#
# Then the database is killed, paused, restored from an older backup, gives no
# rights and no connections, and has 100,000 changes in one transaction.
# Through all of it every server is asked all the time, and no request fails.
#
# R307_FLEET_SEED repeats a history.
use strict;
use warnings;

use JSON::PP ();
use Time::HiRes qw(sleep time);

use R307::Live;
use R307::Load;
use R307::Postgres;
use R307::RuleModel;
use R307::RuleWriter;
use R307::Status;
use R307::Tables;
use R307::Tool;

use constant REFRESH => 1;
use constant {
    RULESET  => 'shop',
    BULK     => $ENV{R307_SLOW} ? 20_000 : 100_000,
    THEIRS   => R307::RuleWriter::THEIRS,
    # after a change, and after an outage, when a server asks less often
    SOON     => REFRESH + 1 + ($ENV{R307_SLOW} ? 30 : 3),
    LATER    => $ENV{R307_SLOW} ? 120 : 20,
    READER   => 'reads only',
};

my @missing = (R307::Load::missing(), R307::Postgres::missing());
if (@missing) {
    fail("what the suite needs is there: install the packages @missing");
    end_suite();
    exit 1;
}
if (!has_httpd_module('dbd') || !has_httpd_module('watchdog')) {
    plan(skip_all => 'this httpd has no mod_dbd or no mod_watchdog');
}

my $seed = $ENV{R307_FLEET_SEED} || int rand 1_000_000;
note("R307_FLEET_SEED=$seed");
srand $seed;

my $began = time;
sub lap { note(sprintf '%5.1f s: %s', time - $began, $_[0]) }

# ---- the database ----

my $pg = R307::Postgres->new;
$pg->sql('', file => "$ENV{R307_TOP}/share/redirect307-postgresql.sql");
$pg->sql(<<"EOC");
CREATE ROLE reader LOGIN PASSWORD '@{[ READER ]}';
GRANT SELECT ON redirect307_store, redirect307_row, redirect307_follow
    TO reader;
CREATE ROLE writer LOGIN;
CREATE ROLE roller LOGIN;
GRANT SELECT, INSERT, UPDATE, DELETE ON redirect307_rule TO writer, roller;
GRANT SELECT ON redirect307_change, redirect307_store TO writer, roller;
INSERT INTO redirect307_rule (ruleset, path, target)
    VALUES ('@{[ RULESET ]}', '/stable', 'https://t.example/stable');
EOC

my $json = JSON::PP->new->canonical;
my $model = R307::RuleModel->new(ruleset => RULESET);

sub last_seq { return scalar $pg->sql('SELECT max(seq) FROM redirect307_change') }

# id => row, as they are in the database.
sub rows_of_database {
    return { map { my $row = $json->decode($_); ($row->{id} => $row) }
             $pg->sql('SELECT row_to_json(r) FROM redirect307_rule r'
                      . " WHERE path NOT LIKE '/bulk/%'") };
}

# What it is not known to have committed, the model takes from it.
sub model_from_database {
    $model->replay(last_seq(), ['all', rows_of_database()]);
    return;
}
model_from_database();

# ---- the servers ----

my $reader = $pg->conninfo(port => 1, user => 'reader', password => READER);

sub start_server {
    my ($name) = @_;
    return server(name => $name, modules => ['dbd', R307::Tables::modules()],
                  config => steady() . R307::Status::config() . <<"EOC");
LogLevel redirect307:info
# room for the children that a graceful restart leaves
<IfModule !mpm_prefork_module>
    ServerLimit 4
</IfModule>
DBDriver pgsql
DBDParams "$reader"
DBDPersist Off
MaxKeepAliveRequests 0
Redirect307Table moved sql:@{[ RULESET ]} refresh=@{[ REFRESH ]}
Redirect307Use moved
EOC
}

my @servers = map { start_server($_) } qw(one two three);
# ---- what servers answer, and what the model says ----

my @requests = map {
    my $host = $_;
    map { [$host, $_] } '/stable/x', R307::RuleWriter::asked_paths()
} @R307::RuleWriter::ASKED_HOSTS;

# The answers of one connection, some requests at a time.
sub answers {
    my ($srv, $conn) = @_;
    my @left = @requests;
    my @got;

    while (my @some = splice @left, 0, 40) {
        $conn->send(join '', map {
            $srv->bytes(target => $_->[1], host => $_->[0], keepalive => 1)
        } @some);
        for (@some) {
            my $res = $conn->response('GET');
            my $to = $res->header('Location');
            push @got, defined $to ? $res->status . " $to" : $res->status;
        }
    }
    return @got;
}

# What is wrong with the answers of a server, over connections that are open
# at once, so that several processes are asked.
sub differences {
    my ($srv, $want) = @_;
    my @wrong;

    for my $conn (map { $srv->connect } 1 .. 3) {
        my @got = eval { answers($srv, $conn) };
        return $srv->name . ": $@" if $@;
        push @wrong, map {
            $srv->name . ": $requests[$_][0]$requests[$_][1]: $got[$_], not"
                . " $want->[$_]"
        } grep { $got[$_] ne $want->[$_] } 0 .. $#requests;
        $conn->close;
    }
    return @wrong;
}

# What the status page says of the store that a server follows.
sub store_of { return table_of($_[0], 'moved')->{store} || {} }

# Servers that do not have the last change yet.
sub behind {
    my ($seq) = @_;
    return map {
        my $got = store_of($_)->{change};
        (defined $got ? $got : -1) == $seq ? () : $_->name
    } @servers;
}

# Nobody writes any more: one test.  Every server has the last change in time,
# and answers as the model does.
sub quiet {
    my ($name, $patience) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $seq = last_seq();
    my @want = map { $model->answer(@$_) } @requests;
    my @wrong;
    my $start = time;

    wait_until($patience || SOON, sub { @wrong = behind($seq); !@wrong });
    my $took = time - $start;
    @wrong = map { "$_ does not have change $seq" } @wrong;
    wait_until(SOON, sub {
        @wrong = map { differences($_, \@want) } @servers;
        return !@wrong;
    }, 0.2) if !@wrong;
    splice @wrong, 10;
    lap(sprintf '%s: change %d, %d rules, %d answers differ from 404, after'
        . ' %.1f s', $name, $seq, scalar keys %{ $model->rows },
        scalar(grep { $_ ne '404' } @want), $took);
    return ok(!@wrong, "$name: all servers answer as the model")
        || !diag(join "\n", @wrong);
}

# The rows that the module refuses are named, and no others.
sub bad_rows_are_named {
    my ($name) = @_;
    my @want = $model->bad_ids;
    my @got = map {
        join ' ', sort { $a <=> $b } map { $_->{id} } @{ store_of($_)->{bad} }
    } @servers;
    is_deeply(\@got, [("@want") x @servers],
              "$name: bad rows are named: " . scalar @want);
    return;
}

# ---- random histories ----

my $wrote = 0;

sub writers {
    my ($n, %arg) = @_;
    return map {
        R307::RuleWriter->start($pg, seconds => 2, user => 'writer',
                                ruleset => RULESET, seed => $seed + ++$wrote,
                                %arg)
    } 1 .. $n;
}

sub replay {
    my @transactions = @_;
    $model->replay(@$_) for @transactions;
    note(scalar(@transactions) . ' transactions');
    return;
}

# What the writers noted is what the database has: so much for the model.
sub model_is_right {
    my ($name) = @_;
    my @columns = qw(id ruleset host kind path target options enabled);
    my ($got, $want) = map {
        my $rows = $_;
        join "\n", map { my $r = $rows->{$_}; join '|', @$r{@columns} }
                   sort { $a <=> $b } keys %$rows
    } rows_of_database(), $model->rows;
    is($got, $want, "$name: the model has the rows of the database");
    return;
}

sub tool {
    my ($command, @args) = @_;
    local $ENV{REDIRECT307_DB} = $pg->conninfo(user => 'roller');
    my ($code, $out, $err) = R307::Tool::run('sql', $command, '--driver',
                                             'pgsql', @args);
    is($code, 0, "redirect307 sql $command succeeds") || diag($out, $err);
    return;
}

if (!quiet('first sync', LATER)) {
    end_suite();
    exit 1;                             # nothing of what follows can succeed
}
my @load = map {
    R307::Load->start(port => $_->port, connections => 2, seconds => 600,
                      target => '/stable/x', close => 1, pause => 10)
} @servers;

my @writers = writers(4);
$_->wait for @writers;
replay(R307::RuleWriter::committed(@writers));
model_is_right('history');
quiet('history');
bad_rows_are_named('history');
my $back = last_seq();

# Back to what was, while others write on.  By whom tells the rollback's
# changes from others'.
@writers = writers(3);
sleep 0.7;
tool('rollback', $back);
$_->wait for @writers;
my $rolled = $pg->sql("SELECT min(seq) FROM redirect307_change"
                      . " WHERE by_whom = 'roller'");
replay(sort { $a->[0] <=> $b->[0] }
       R307::RuleWriter::committed(@writers),
       $rolled eq '' ? () : [$rolled, ['all', $model->at($back)]]);
isnt($rolled, '', 'the rollback has written changes');
model_is_right('history with a rollback');
quiet('history with a rollback');

# The log is cut short all the while: who has not read it reads all rows.
@writers = writers(3);
my $cutter = $pg->session;
while (grep { $_->is_running } @writers) {
    $cutter->sql('DELETE FROM redirect307_change WHERE seq <'
                 . ' (SELECT max(seq) - 3 FROM redirect307_change)');
    sleep 0.02;
}
$_->wait for @writers;
replay(R307::RuleWriter::committed(@writers));
model_is_right('history with a log that is cut short');
quiet('history with a log that is cut short', LATER);

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
model_from_database();
quiet('history with a log that is cut between two questions', LATER);

# ---- the database goes and comes ----

# All servers answer from what they have, and say what is wrong.
sub all_say {
    my ($name, $re) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @silent;
    wait_until(LATER, sub {
        @silent = grep { (store_of($_)->{error} || '') !~ $re } @servers;
        return !@silent;
    });
    is(join(' ', map { $_->name } @silent), '', "$name: all servers say so");
    return;
}

# Killed while writers are at work: what they committed last may be lost, and
# servers may have it.
@writers = writers(3);
sleep 1;
$pg->crash;
$_->wait(may_fail => 1) for @writers;
all_say('killed', qr/R307-\d+/);
$servers[2]->restart_gracefully;
is(join(' ', map { everywhere($_, '/stable/x') } @servers),
   join(' ', ('307 https://t.example/stable/x') x 3),
   'killed: all servers answer, one after a restart');
$pg->start;
model_from_database();
quiet('killed and started again', LATER);

# Paused: it takes connections and does not answer.  A server joins that has
# no table, and one that has is stopped and started.
push @servers, start_server('four');
quiet('a server joins', LATER);
$pg->sql('UPDATE redirect307_rule SET enabled = NOT enabled WHERE id % 3 = 0'
         . ' AND ' . THEIRS);
$pg->pause;
sleep 2 * REFRESH;
my $start = time;
$servers[3]->stop;
ok(!$servers[3]{killed}, 'paused: a server can be stopped');
$servers[3]->start_again;
is(answer($servers[3], '/stable/x'), '307 https://t.example/stable/x',
   'paused: it starts with the table that it had');
cmp_ok(time - $start, '<', LATER / 2, 'paused: and is not held up');
$servers[1]->restart_gracefully;
sleep REFRESH;
is(join(' ', everywhere($servers[1], '/stable/x')),
   '307 https://t.example/stable/x', 'paused: all processes answer');
$pg->resume;
model_from_database();
quiet('paused and resumed', LATER);

# ---- no rights, no connections ----

$pg->sql('REVOKE SELECT ON redirect307_follow FROM reader');
$pg->sql('DELETE FROM redirect307_rule WHERE id % 5 = 0 AND '
         . THEIRS);
all_say('no rights', qr/R307-\d+.*permission denied/);
$pg->sql('GRANT SELECT ON redirect307_follow TO reader');
model_from_database();
quiet('rights are back', LATER);

$pg->sql('ALTER ROLE reader CONNECTION LIMIT 0');
$pg->sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
         . " WHERE usename = 'reader'");
$pg->sql("UPDATE redirect307_rule SET target = 'https://limit.example'"
         . ' WHERE id % 7 = 0 AND ' . THEIRS);
all_say('no connections', qr/R307-\d+/);
$pg->sql('ALTER ROLE reader CONNECTION LIMIT 4');
model_from_database();
quiet('one connection for each server', LATER);

# ---- much at once ----

# All or nothing: who has the last row has the first.
sub bulk_is {
    my ($status) = @_;
    my @half;

    for my $srv (@servers) {
        my ($last, $first) = map { answer($srv, "/bulk/$_") } BULK, 1;
        return 0 if $last !~ /\A$status/;
        push @half, $srv->name if $first !~ /\A$status/;
    }
    is("@half", '', "one transaction, $status: no server has a part of it");
    return 1;
}

sub bulk {
    my ($name, $status, $sql) = @_;
    $pg->sql($sql);
    my $at = time;
    ok(wait_until(LATER, sub { bulk_is($status) }, 0.01),
       sprintf '%s: %d changes in one transaction arrive', $name, BULK);
    lap(sprintf '%s after %.1f s', $name, time - $at);
    return;
}

bulk('added', 307, 'INSERT INTO redirect307_rule (ruleset, path, target)'
     . " SELECT '@{[ RULESET ]}', '/bulk/' || n,"
     . " 'https://bulk.example/' || n FROM generate_series(1, @{[ BULK ]}) n");
my @some = map { 1 + int rand BULK } 1 .. 50;
for my $srv (@servers) {
    is(join(' ', map { answer($srv, "/bulk/$_/x") } @some),
       join(' ', map { "307 https://bulk.example/$_/x" } @some),
       $srv->name . ': has rows of it');
}
quiet('much added', LATER);

# The children of one server are killed while they apply it.
$pg->sql("DELETE FROM redirect307_rule WHERE path LIKE '/bulk/%'");
for my $wait (1.2, 0.4, 0.8) {
    sleep $wait;
    kill 'KILL', children($servers[3]);
}
ok(wait_until(R307::Tables::TAKEOVER, sub { bulk_is(404) }, 0.05),
   'much deleted, and processes killed');
quiet('much deleted', R307::Tables::TAKEOVER);

# ---- an older backup ----

$pg->save('old');
quiet('stopped for a backup', LATER);
@writers = writers(3, seconds => 1);
$_->wait for @writers;
replay(R307::RuleWriter::committed(@writers));
quiet('after the backup');
my $lost = last_seq();
my %old = %{ $model->rows };
$pg->restore('old');
cmp_ok(last_seq(), '<', $lost, 'the backup is older than what servers have');
sleep 3 * REFRESH;
{
    my @want = map { $model->answer(@$_) } @requests;
    is(join("\n", map { differences($_, \@want) } @servers), '',
       'servers keep what they have: a replica may only lag');
}

# It goes another way from there, past the lost changes.
do {
    @writers = writers(3, seconds => 1);
    $_->wait for @writers;
} while (last_seq() <= $lost && time < $began + 300);
model_from_database();
quiet('restored from an older backup', LATER);

# What no log tells arrives when servers are told to read all.
$pg->sql("SET session_replication_role = replica; UPDATE redirect307_rule"
         . " SET target = 'https://silent.example' WHERE kind = 'prefix'"
         . ' AND ' . THEIRS);
{
    local $ENV{REDIRECT307_DB} = $pg->conninfo;
    my ($code, $out, $err) = R307::Tool::run(qw(sql resync --driver pgsql));
    is($code, 0, 'redirect307 sql resync succeeds') || diag($out, $err);
}
model_from_database();
sleep REFRESH + 1;
quiet('told to read all', LATER);

# ---- through all of it ----

for my $i (0 .. $#load) {
    my $name = $servers[$i]->name;
    $load[$i]->finish;
    my $r = $load[$i]->result;
    my %error = %{ $r->{errors} };
    note("$name: $r->{total} answers");
    is(join(' ', keys %error ? map { $error{$_} ? "$_: $error{$_}" : () }
                               sort keys %error : $r->{output}),
       '', "$name: no request failed through all of it");
    is(join("\n", sort keys %{ $r->{answers} }),
       '307 https://t.example/stable/x', "$name: every answer was right");
    cmp_ok($r->{total}, '>', 1000, "$name: there were requests");
}

# mod_dbd and the module say what is wrong; httpd, that processes were killed.
end_suite(allow => [qr/R307-06\d\d/, qr/\[dbd:/],
          allow_in => { four => [qw(AH00052 AH10392 AH10393)] });
