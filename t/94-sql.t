# Tables whose rules are rows of a SQLite file: what arrives and how soon, rows
# that make no rule, stores that are away, restored, replaced, emptied, pruned
# or of another version, and processes that are killed while they read or
# merge.  Whatever happens, requests get what was read last.  More of what a
# database that is a server does is in t/94-fleet.t.
#
# Looks that fail are repeated after 1, 2, 4 seconds and so on; a child that
# follows and is killed is replaced after 11 seconds.  The suite uses such
# times for other things.
use strict;
use warnings;

use File::Basename qw(dirname);
use POSIX ();
use Time::HiRes qw(sleep time);

use R307::Live;
use R307::Postgres;
use R307::Sqlite;
use R307::Status;
use R307::Tables;
use R307::Tool;

if (my $missing = R307::Sqlite::missing()) {
    plan(skip_all => "there is no $missing");
}

use constant {
    SLOW     => $ENV{R307_SLOW} ? 1 : 0,
    SOON     => $ENV{R307_SLOW} ? 90 : 10,  # a look or some that fail
    TAKEOVER => R307::Tables::TAKEOVER,
    BEHIND   => 30,                         # as documented
};

my @modules = R307::Sqlite::modules();

# A server that follows that store; more of its configuration behind.
sub follower {
    my ($name, $db, %arg) = @_;
    my $table = $arg{table} || 'Redirect307Table shop sql: refresh=1';
    return server(name => $name, modules => \@modules,
                  config => steady() . R307::Status::config()
                          . $db->config(%{ $arg{dbd} || {} })
                          . "$table\nRedirect307Use shop\n"
                          . ($arg{config} || ''));
}

sub state_file {
    my ($srv, $suffix) = @_;
    return $srv->root . "/run/redirect307/shop$suffix";
}

# What the status page says of the store.
sub store_of { return table_of($_[0], 'shop')->{store} }

# True as soon as the answer is that.
sub arrives {
    my ($srv, $target, $want, $name, $seconds) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    wait_until($seconds || SOON, sub { answer($srv, $target) eq $want });
    return is("@{[ settled($srv, $target) ]}", $want, $name);
}

# The table has followed up to the store's last change.
sub caught_up {
    my ($srv, $db, $seconds) = @_;
    my $last = last_change($db);
    return wait_until($seconds || SOON, sub {
        my $store = store_of($srv);
        return $store->{state} eq 'current' && $store->{change} == $last
            && defined $store->{last_success};
    });
}

sub last_change {
    my ($db) = @_;
    my $n = $db->sql('SELECT max(seq) FROM redirect307_change');
    chomp $n;
    return $n;
}

sub says {
    my ($srv, $re, $name, $seconds) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $line = $srv->log->wait_for($re, $seconds || SOON);

    ok($line, $name);
    return $line ? $line->{text} : '';
}

# Writes n rows at once.
sub fill {
    my ($db, $n, $prefix, $options) = @_;
    $options ||= "''";
    $db->sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL
                  SELECT i + 1 FROM n WHERE i < $n)
              INSERT INTO redirect307_rule (ruleset, path, target, options)
              SELECT 'shop', '/$prefix/' || i, 'https://t.example/1/' || i,
                     $options FROM n");
    return;
}

# ---- what takes long begins first: a database that hangs ----

# What is done about it does not depend on the MPM.
my ($hangs_db, $hangs, $hangs_since);
if (R307::Env::mpm() eq 'event' && !R307::Postgres::missing()
    && R307::Sqlite::has_driver('pgsql')) {
    $hangs_db = R307::Postgres->new;
    $hangs_db->sql('', file => "$ENV{R307_TOP}/share/"
                             . 'redirect307-postgresql.sql');
    $hangs_db->sql("INSERT INTO redirect307_rule (ruleset, path, target)
                    VALUES ('shop', '/h', 'https://t.example/1')");
    $hangs = server(name => 'hangs', modules => \@modules, config =>
        steady() . R307::Status::config() . "DBDriver pgsql\nDBDPersist Off\n"
        . 'DBDParams "' . $hangs_db->conninfo . "\"\n"
        . "Redirect307Table shop sql: refresh=1\nRedirect307Use shop\n");
    arrives($hangs, '/h', '307 https://t.example/1', 'hangs: at first');
    $hangs_db->pause;
    $hangs_since = time;
}

# ---- a backup that is restored ----

my $restored_db = R307::Sqlite->new;
my $kept = $restored_db->put('shop', '/kept', 'https://t.example/1');
my $restored = follower('restored', $restored_db);
arrives($restored, '/kept', '307 https://t.example/1', 'restored: at first');
ok(caught_up($restored, $restored_db), 'restored: all is read');
$restored_db->save('backup');
$restored_db->put('shop', '/later', 'https://t.example/later');
$restored_db->sql("UPDATE redirect307_rule SET target = 'https://t.example/2'
                   WHERE id = $kept");
arrives($restored, '/kept', '307 https://t.example/2', 'restored: changes');
$restored->log->mark;
my $restored_at = time;
$restored_db->restore('backup');

# ---- children that are killed ----

# Kills the child that has such a file open.
sub kill_who_has {
    my ($srv, $re) = @_;
    my $killed;

    wait_until(SOON + 20, sub {
        for my $pid (children($srv)) {
            next if !grep { $_ =~ $re } descriptors($pid);
            kill 'KILL', $pid;
            $killed = $pid;
        }
        return $killed;
    }, 0.002);
    return $killed;
}

my $killed_db = R307::Sqlite->new;
$killed_db->put('shop', '/k', 'https://t.example/1');
my $killed = follower('killed', $killed_db);
arrives($killed, '/k', '307 https://t.example/1', 'killed: at first');
ok(caught_up($killed, $killed_db), 'killed: has all');
fill($killed_db, 200_000, 'k');
$killed_db->sql('UPDATE redirect307_store SET epoch = epoch + 1');
ok(kill_who_has($killed, qr{/shop\.(?:next|patch\.[0-9a-f]+)\.new\.}),
   'a child is killed while it writes what it read');
is(answer($killed, '/k'), '307 https://t.example/1',
   'what was read before is served');

# ---- a store that is not there yet ----

my $late_db = R307::Sqlite->new(name => 'late', create => 0);
my $late = follower('late', $late_db);
is(answer($late, '/late'), 404, 'without a store the server starts');
wait_until(SOON, sub { store_of($late)->{state} eq 'failing' });
is(store_of($late)->{state}, 'failing', 'the status page says that it fails');
like(store_of($late)->{error}, qr/R307-0681: the database/, 'and why');
is(table_of($late, 'shop')->{rules}, undef, 'there is no table');
like($late->get(R307::Status::PATH)->body, qr/failing.*Databases/s,
     'also as a page');
my ($code, $out, $err) = R307::Tool::run(
    'explain', '--dump=' . R307::Tool::dump_config($late->root),
    'http://localhost/late');
like($err . $out, qr/table shop: .*has not read it from its database yet/,
     'and explain, that there are none');
mkdir dirname($late_db->path);
$late_db->sql('CREATE TABLE of_something_else (a)');
says($late, qr/R307-0682: the database says: no such table: redirect307_/,
     'a database that is no store', SOON);
$late_db->create;
$late_db->put('shop', '/late', 'https://t.example/late');

# ---- what arrives, and how soon ----

my $db = R307::Sqlite->new;
my $first = $db->put('shop', '/a', 'https://t.example/a');
$db->put('other', '/of-another', 'https://t.example/');
my $srv = follower('follows', $db);
arrives($srv, '/a/b', '307 https://t.example/a/b', 'rows are read at first');
is(answer($srv, '/of-another'), 404, 'those of another rule set are not');
ok(caught_up($srv, $db), 'the status page says so');
is(store_of($srv)->{last_change}, last_change($db), 'with the last change');

# The worst of some changes, in seconds.
sub slowest {
    my ($n, $change) = @_;
    my $most = 0;

    for my $i (1 .. $n) {
        my ($target, $want) = $change->($i);
        my $begin = time;
        wait_until(SOON, sub { answer($srv, $target) eq $want }, 0.01)
            or return 999;
        $most = time - $begin if time - $begin > $most;
    }
    return $most;
}

my @within = (SLOW ? 60 : 2, 'is there within refresh and a second');
cmp_ok(slowest(3, sub {
    $db->put('shop', "/new$_[0]", "https://t.example/new$_[0]");
    return ("/new$_[0]", "307 https://t.example/new$_[0]");
}), '<=', $within[0], "a new row $within[1]");
cmp_ok(slowest(3, sub {
    $db->sql("UPDATE redirect307_rule SET target = 'https://t.example/v$_[0]'
              WHERE id = $first");
    return ('/a', "307 https://t.example/v$_[0]");
}), '<=', $within[0], "a changed row $within[1]");
cmp_ok(slowest(3, sub {
    $db->sql("DELETE FROM redirect307_rule WHERE path = '/new$_[0]'");
    return ("/new$_[0]", 404);
}), '<=', $within[0], "a deleted row $within[1]");

# Several ways to change what is served.
my @ways = (
    ['disabled', "UPDATE redirect307_rule SET enabled = 0 WHERE id = $first",
     '/a', 404],
    ['enabled', "UPDATE redirect307_rule SET enabled = 1 WHERE id = $first",
     '/a', '307 https://t.example/v3'],
    ['moved to another rule set',
     "UPDATE redirect307_rule SET ruleset = 'other' WHERE id = $first",
     '/a', 404],
    ['and back', "UPDATE redirect307_rule SET ruleset = 'shop'
                  WHERE id = $first", '/a', '307 https://t.example/v3'],
    ['another id', "UPDATE redirect307_rule SET id = 4000000000
                    WHERE id = $first", '/a', '307 https://t.example/v3'],
    ['another path', "UPDATE redirect307_rule SET path = '/moved'
                      WHERE id = 4000000000", '/moved',
     '307 https://t.example/v3'],
    ['which is gone', '', '/a', 404],
    ['valid in the future', "UPDATE redirect307_rule
                             SET valid_from = '2999-01-01T00:00:00Z'
                             WHERE id = 4000000000", '/moved', 404],
    ['valid until the future', "UPDATE redirect307_rule SET valid_from = NULL,
                                valid_until = '2999-01-01T00:00:00Z'
                                WHERE id = 4000000000", '/moved',
     '307 https://t.example/v3'],
    ['an expression', "INSERT INTO redirect307_rule (ruleset, kind, path,
                       target) VALUES ('shop', 'regex', '^/item/([0-9]+)\$',
                       'https://t.example/\$1')", '/item/17',
     '307 https://t.example/17'],
    ['exactly', "INSERT INTO redirect307_rule (ruleset, kind, path, target)
                 VALUES ('shop', 'exact', '/item/18', 'https://t.example/x')",
     '/item/18', '307 https://t.example/x'],
    ['a host', "INSERT INTO redirect307_rule (ruleset, host, path, target)
                VALUES ('shop', 'localhost', '/item/17',
                        'https://t.example/host')", '/item/17',
     '307 https://t.example/host'],
    ['as another host', '', '/item/17', '307 https://t.example/17',
     host => 'other.example'],
    ['an expression of httpd',
     "INSERT INTO redirect307_rule (ruleset, path, target)
      VALUES ('shop', '/asked', 'https://t.example/%{REQUEST_METHOD}')",
     '/asked', '307 https://t.example/GET'],
    ['nothing of a transaction that is undone',
     "BEGIN; UPDATE redirect307_rule SET target = 'https://t.example/no';
      ROLLBACK", '/moved', '307 https://t.example/v3'],
    ['quotes and markers of parameters',
     "INSERT INTO redirect307_rule (ruleset, path, target)
      VALUES ('shop', '/it''s %s; \"x\"', 'https://t.example/%25s')",
     '/it%27s%20%25s;%20%22x%22', '307 https://t.example/%25s'],
);
for my $way (@ways) {
    my ($name, $sql, $target, $want, %arg) = @$way;
    $db->sql($sql) if length $sql;
    wait_until(SOON, sub { answer($srv, $target, %arg) eq $want });
    is(answer($srv, $target, %arg), $want, "changed: $name");
}
ok(caught_up($srv, $db), 'all of it is followed');
is(table_of($srv, 'shop')->{rules}, 6, 'and counted');

# ---- rows that make no rule ----

my @bad = R307::Table::read_table('sql-bad-rows.tsv');
my (%bad, @bad_ids);
$srv->log->mark;
for my $row (@bad) {
    my %column = map { $_ => R307::Table::unescape($row->{$_}) }
                 qw(host kind options);
    my $id = $db->put('shop', R307::Table::unescape($row->{path}),
                      R307::Table::unescape($row->{target}), %column,
                      unchecked => 1);
    $bad{$id} = $row;
    push @bad_ids, $id;
    ok(caught_up($srv, $db), 'half of them') if @bad_ids == 15;
}
my $good_id = $db->put('shop', '/good', 'https://t.example/good');
arrives($srv, '/good', '307 https://t.example/good',
        'bad rows do not hold back others');
ok(caught_up($srv, $db), 'they are passed over');
my $log_text = join "\n", map { $_->{text} } $srv->log->since;
for my $id (@bad_ids) {
    my $row = $bad{$id};
    my ($line) = $log_text =~ /R307-0676: table shop: (row $id is .*)/;
    my @wrong = !defined $line ? 'not in the log'
        : map { $line =~ /$_/ ? () : "it lacks /$_/: $line" }
          split /\\n/, $row->{says};
    push @wrong, 'it redirects'
        if answer($srv, R307::Table::unescape($row->{request})) =~ /\A307/;
    ok(!@wrong, "bad row: $row->{name}");
    diag("  $_") for @wrong;
}

my $shown = store_of($srv);
is($shown->{bad_rows}, scalar @bad, 'the status page counts them');
is("@{[ map { $_->{id} } @{ $shown->{bad} } ]}",
   "@{[ (sort { $a <=> $b } @bad_ids)[ 0 .. 19 ] ]}", 'and shows twenty');
my $page = $srv->get(R307::Status::PATH)->body;
like($page, qr{<b>$bad_ids[0]</b>[^<]*kind.*and 7 more}s, 'also as a page');
unlike($page, qr/<b>suffix/, 'as text');
like($srv->get(R307::Status::PATH . '?format=openmetrics')->body,
     qr/^redirect307_store_bad_rows\{table="shop"\} @{[ scalar @bad ]}$/m,
     'and as metrics');

$srv->log->mark;
$db->sql("UPDATE redirect307_rule SET options = '' WHERE path = '/b20'");
arrives($srv, '/b20', '307 https://t.example/', 'a row that is put right');
ok(caught_up($srv, $db), 'is followed');
is(store_of($srv)->{bad_rows}, @bad - 1, 'and is not counted any more');
unlike(join("\n", map { $_->{text} } $srv->log->since), qr/R307-0676/,
       'the others are not told of again');
$db->sql("UPDATE redirect307_rule SET options = 'cache=later'
          WHERE path = '/b20'");
arrives($srv, '/b20', 404, 'a row that was good and is not');
$db->sql('DELETE FROM redirect307_rule WHERE id IN ('
         . join(',', @bad_ids) . ')');
wait_until(SOON, sub { store_of($srv)->{bad_rows} == 0 });
is(store_of($srv)->{bad_rows}, 0, 'rows that are deleted are not bad');

# ---- a child that was killed ----

arrives($killed, '/k/1', '307 https://t.example/1/1',
        'killed: another child reads all', TAKEOVER + SOON + 60);
ok(caught_up($killed, $killed_db, TAKEOVER), 'killed: has all again');
my @left;
wait_until(SOON, sub {
    @left = grep { /\.new\./ } glob state_file($killed, '*');
    return !@left;
});
is("@left", '', 'what was left is removed');

$killed_db->sql("UPDATE redirect307_rule SET target = 'https://t.example/2'
                 WHERE id <= 60000");
my $pid = kill_who_has($killed, qr{/shop\.merged\.new\.});
ok($pid, 'a child is killed while it merges');
is(answer($killed, '/k/17'), '307 https://t.example/2',
   'what was changed is served');

# ---- the tool ----

my $dump = R307::Tool::dump_config($srv->root);
($code, $out, $err) = R307::Tool::run('explain', "--dump=$dump",
                                         'http://localhost/item/18');
like($out, qr{https://t\.example/x}, 'explain sees what was read last');
like($out, qr{sql:shop}, 'and names the row');
($code, $out, $err) = R307::Tool::run('explain', "--dump=$dump",
                                      'http://localhost/moved/on');
like($out, qr{https://t\.example/v3/on}, 'as it was changed since');
($code, $out, $err) = R307::Tool::run('lint', "--dump=$dump");
like($out, qr/^7 rules/m, 'lint reads its rules');
($code, $out, $err) = R307::Tool::run('export', "--dump=$dump");
like($err, qr/table shop: its rules are in a database/,
     'export says where they are');
# ---- a store that comes at last ----

arrives($late, '/late', '307 https://t.example/late',
        'a store that comes late is found', SOON + 10);
says($late, qr/R307-0674: table shop follows its store again/,
     'and it is said');

# ---- counters ----

my $counted_db = R307::Sqlite->new;
my $row = $counted_db->put('shop', '/count', 'https://t.example/1');
$counted_db->put('shop', '/other', 'https://t.example/');
my $counted = follower('counted', $counted_db);
arrives($counted, '/count', '307 https://t.example/1', 'counted: at first');

sub row_hits {
    my ($srv, $id) = @_;
    my ($rule) = grep { $_->{source} eq "sql:shop:$id" }
                 @{ status_of($srv, table => 'shop')->{rules}{items} };
    return $rule ? $rule->{hits} : -1;
}

wait_until(SOON, sub { row_hits($counted, $row) >= 0 });
my $hits = row_hits($counted, $row);
answer($counted, '/count') for 1 .. 5;
is(row_hits($counted, $row), $hits + 5, 'hits of a row are counted');
$counted_db->sql("UPDATE redirect307_rule SET path = '/recount',
                  target = 'https://t.example/2' WHERE id = $row");
wait_until(SOON, sub { answer($counted, '/recount') =~ /2\z/ });
$hits = row_hits($counted, $row);
cmp_ok($hits, '>', 5, 'they follow it through changes');
answer($counted, '/recount') for 1 .. 5;
is(row_hits($counted, $row), $hits + 5, 'and grow');
my $new = $counted_db->put('shop', '/new', 'https://t.example/new');
arrives($counted, '/new', '307 https://t.example/new', 'counted: a new row');
cmp_ok(row_hits($counted, $new), '>', 0, 'has counts too');
$hits = row_hits($counted, $row);
$counted_db->sql('UPDATE redirect307_store SET epoch = epoch + 1');
says($counted, qr/R307-0675: table shop: 3 rules read/,
     'a store can tell servers to read all rows');
wait_until(SOON, sub { row_hits($counted, $row) == $hits });
is(row_hits($counted, $row), $hits, 'counts follow through that as well');

# ---- very much at once ----

my $many = SLOW ? 20_000 : 100_000;
my $mass_db = R307::Sqlite->new;
$mass_db->put('shop', '/alone', 'https://t.example/');
my $mass = follower('mass', $mass_db);
arrives($mass, '/alone', '307 https://t.example/', 'many: at first');

$mass->log->mark;
fill($mass_db, $many, 'm');
arrives($mass, "/m/$many", "307 https://t.example/1/$many",
        "$many changes in one transaction", SOON + 60);
is(answer($mass, '/m/1'), '307 https://t.example/1/1', 'are all there');
says($mass, qr/R307-0677: table shop: $many rows changed/, 'as changes');
says($mass, qr/R307-0679: table shop: changes are merged/,
     'which are merged into the table', SOON + 60);
is(answer($mass, "/m/$many"), "307 https://t.example/1/$many",
   'and are there still');

# ---- stores that change under a server ----

# Not of its version.
for my $version (2, 0) {
    $srv->log->mark;
    $db->sql("UPDATE redirect307_store SET schema_version = $version");
    says($srv, qr/R307-0683: the store has a schema of version $version,/,
         "a schema of version $version is refused");
    is(answer($srv, '/moved'), '307 https://t.example/v3',
       'and what was read is served');
    $db->put('shop', "/unseen$version", 'https://t.example/');
    sleep 2;
    is(answer($srv, "/unseen$version"), 404, 'nothing more is read');
    $db->sql('UPDATE redirect307_store SET schema_version = 1');
    arrives($srv, "/unseen$version", '307 https://t.example/',
            'until it fits', SOON + 10);
}

# Its log is pruned, with changes that were not read.
$srv->log->mark;
$db->sql("BEGIN;
          UPDATE redirect307_rule SET target = 'https://t.example/pruned'
          WHERE path = '/moved';
          INSERT INTO redirect307_rule (ruleset, path, target)
          VALUES ('shop', '/last', 'https://t.example/');
          DELETE FROM redirect307_change
          WHERE seq < (SELECT max(seq) FROM redirect307_change);
          COMMIT");
arrives($srv, '/moved', '307 https://t.example/pruned',
        'a log that was pruned: all rows are read');
says($srv, qr/R307-0689: .*does not reach back to the last change/,
     'and it is said why');

# It is another one, which has no rule; and then some.
$srv->log->mark;
fill($db, 30, 'x', "'nosuch'");
says($srv, qr/R307-0696: table shop: 10 more rows are left out/,
     'of many bad rows some are logged');
$db->sql("DELETE FROM redirect307_rule WHERE path LIKE '/x/%'");
$srv->log->mark;
my $other_db = R307::Sqlite->new(name => 'other');
$db->save('one');
rename $other_db->path, $db->path or die "rename: $!\n";
says($srv, qr/R307-0680: the store has no rule for the rule set 'shop'/,
     'another store without rules does not empty a table');
is(answer($srv, '/moved'), '307 https://t.example/pruned',
   'which serves what it has');
is(store_of($srv)->{state}, 'failing', 'the status page says that it fails');
$db->put('shop', '/moved', 'https://t.example/another', unchecked => 1,
         options => 'nosuch');
sleep 3;
is(answer($srv, '/moved'), '307 https://t.example/pruned',
   'neither does one that has only bad rows');
$db->put('shop', '/moved', 'https://t.example/another');
arrives($srv, '/moved', '307 https://t.example/another',
        'another store with rules is taken', SOON + 10);
is(answer($srv, '/last'), 404, 'whole');
$srv->log->mark;
$db->restore('one');
arrives($srv, '/moved', '307 https://t.example/pruned',
        'and the first one again');

# It was restored, and has gone on from there: what is at the same place in
# its log is something else.
$db->save('two');
$db->put('shop', '/lost', 'https://t.example/lost');
arrives($srv, '/lost', '307 https://t.example/lost', 'before it is restored');
$db->restore('two');
$db->put('shop', '/instead', 'https://t.example/instead');
arrives($srv, '/instead', '307 https://t.example/instead',
        'a store that was restored and has gone on');
is(answer($srv, '/lost'), 404, 'is taken as it is');

# All its rows are deleted: that is in its log.
$db->sql("DELETE FROM redirect307_rule WHERE ruleset = 'shop'");
arrives($srv, '/moved', 404, 'rules that are deleted are gone');
ok(caught_up($srv, $db), 'even all of them');
is(table_of($srv, 'shop')->{rules}, 0, 'none is left');
$db->put('shop', '/moved', 'https://t.example/v4');
arrives($srv, '/moved', '307 https://t.example/v4', 'and one comes again');

# ---- a database that is away, restarts ----

sub restarts_gracefully {
    my ($srv) = @_;
    $srv->log->mark;
    $srv->restart_gracefully;
    return $srv->log->wait_for(qr/AH0\d+: .* resuming normal operations/,
                               SOON);
}

ok(caught_up($srv, $db), 'the server has all before its store goes');
$db->hide;
$srv->stop;
$srv->start_again;
is(answer($srv, '/moved'), '307 https://t.example/v4',
   'a server that starts without its store serves what it read last');
wait_until(SOON, sub { store_of($srv)->{state} eq 'failing' });
is(store_of($srv)->{state}, 'failing', 'and says so');
ok(restarts_gracefully($srv), 'it restarts gracefully');
is("@{[ settled($srv, '/moved') ]}", '307 https://t.example/v4',
   'and serves on');
unlink $db->path;
$db->reveal;
$db->put('shop', '/back', 'https://t.example/back');
arrives($srv, '/back', '307 https://t.example/back',
        'when it is there again it is followed', SOON + 15);
ok(restarts_gracefully($srv), 'with it, the server restarts too');
is("@{[ settled($srv, '/back') ]}", '307 https://t.example/back',
   'and has all that it had');
$db->put('shop', '/on', 'https://t.example/on');
arrives($srv, '/on', '307 https://t.example/on', 'and goes on from there');
$srv->stop;
$srv->start_again;
$srv->log->mark;
is(answer($srv, '/on'), '307 https://t.example/on', 'also when it was stopped');
$db->sql("UPDATE redirect307_rule SET target = 'https://t.example/on2'
          WHERE path = '/on'");
arrives($srv, '/on', '307 https://t.example/on2', 'it goes on from there');
unlike(join("\n", map { $_->{text} } $srv->log->since), qr/R307-0689/,
       'and reads only what is new');

# Its files are damaged, or gone.
$srv->stop;
for my $file (state_file($srv, '.table'), glob state_file($srv, '.patch.*')) {
    R307::Env::write_file($file, 'garbage');
}
$srv->start_again;
like($srv->output, qr/R307-0673: table shop has no rules until its store/,
     'a damaged file is told of');
arrives($srv, '/on', '307 https://t.example/on2', 'and is made anew');
# A child that was never asked has nothing to go on with.
wait_until(SOON, sub {
    everywhere($srv, '/on', 16);
    return !grep { !mappings($_, 'shop') } children($srv);
});
unlink state_file($srv, '.table');
arrives($srv, '/on', '307 https://t.example/on2',
        'a file that goes while it serves is no loss');
wait_until(SOON, sub { -s state_file($srv, '.table') });
ok(-s state_file($srv, '.table'), 'and is made anew');

# ---- what took long ----

{
    my $line = says($restored, qr/R307-0688: table shop: the store is at/,
                    'restored: the server sees that the store is behind', 60);
    my $left = BEHIND - (time - $restored_at);
    is(answer($restored, '/later'), '307 https://t.example/later',
       'and serves what it has') if $left > 3;
    wait_until(60 + SOON, sub { answer($restored, '/later') eq '404' });
    cmp_ok(time - $restored_at, '>', BEHIND - 2, 'for half a minute');
    arrives($restored, '/kept', '307 https://t.example/1',
            'and then takes what the store has');
    is(store_of($restored)->{state}, 'current', 'and is content');
}

$killed_db->put('shop', '/after', 'https://t.example/after');
arrives($killed, '/after', '307 https://t.example/after',
        'another child follows', TAKEOVER + SOON);
says($killed, qr/R307-0679: table shop: changes are merged/,
     'and merges', TAKEOVER + SOON);
is(answer($killed, '/k/17'), '307 https://t.example/2', 'without loss');


SKIP: {
    skip('there is no PostgreSQL, or this is not MPM event', 8) if !$hangs;
    says($hangs, qr/R307-0693: table shop: the database has not answered/,
         'a database that hangs is told of', 30);
    is(answer($hangs, '/h'), '307 https://t.example/1', 'requests are not');
    is(table_of($hangs, 'shop')->{error}{text},
       'the database does not answer', 'the status page says so');
    says($hangs, qr/R307-0692: table shop: the database is not waited for/,
         'after a minute it is asked anew', 90);
    cmp_ok(time - $hangs_since, '>', 58, 'and not before');
    $hangs_db->resume;
    $hangs_db->sql("UPDATE redirect307_rule SET target = 'https://t.example/2'");
    arrives($hangs, '/h', '307 https://t.example/2',
            'when it goes on it is followed', SOON + 10);
    $hangs_db->pause;
    sleep 2.5;
    my $begin = time;
    $hangs->stop;
    cmp_ok(time - $begin, '<', SLOW ? 30 : 6,
           'it does not hold up the end of httpd');
    ok(!$hangs->{killed}, 'which ends by itself');
    $hangs_db->resume;
}

# ---- connections that are kept ----

my $keeps_db = R307::Sqlite->new;
$keeps_db->put('shop', '/p', 'https://t.example/1');
my $keeps = follower('keeps', $keeps_db, dbd => { more => "DBDMin 0\n" });
arrives($keeps, '/p', '307 https://t.example/1',
        'with connections that are kept');
for my $n (2 .. 4) {
    $keeps_db->sql("UPDATE redirect307_rule
                    SET target = 'https://t.example/$n'",
                   "CREATE TABLE of_others_$n (a)");
    arrives($keeps, '/p', "307 https://t.example/$n",
            "changes arrive, whatever else changes ($n)");
}
unlike($keeps->output, qr/R307-0695/, 'no child connects when it starts');

# ---- what a disk can do ----

my $disk_db = R307::Sqlite->new;
$disk_db->put('shop', '/d', 'https://t.example/1');
fill($disk_db, 10_000, 'd');
my $disk = follower('disk', $disk_db);
arrives($disk, '/d/9', '307 https://t.example/1/9', 'disk: at first');

# A byte of the table is another one; that is found out when it is merged.
{
    open my $fh, '+<:raw', state_file($disk, '.table') or die "open: $!\n";
    local $/;
    my $at = index(<$fh>, 'https://t.example/1/777');
    seek $fh, $at + 8, 0;
    print {$fh} 'T';
    close $fh;
    $disk_db->sql("UPDATE redirect307_rule SET target = 'https://t.example/2'
                   WHERE id > 2000 AND id < 8000");
    says($disk, qr/R307-0687: .*R307-0536: /, 'a damaged table is not merged');
    arrives($disk, '/d/777', '307 https://t.example/1/777',
            'and is read anew');
}

unlink state_file($disk, '.lock');
mkdir state_file($disk, '.lock');
$disk_db->sql("UPDATE redirect307_rule SET target = 'https://t.example/3'
               WHERE id < 100");
says($disk, qr/R307-0685: '\S+shop\.lock' cannot be locked: /,
     'files that cannot be locked are not replaced');
is(answer($disk, '/d'), '307 https://t.example/1', 'and serve on');
rmdir state_file($disk, '.lock');
arrives($disk, '/d', '307 https://t.example/3', 'until they can', SOON + 10);
unlink state_file($disk, '.table');
mkdir state_file($disk, '.table');
says($disk, qr/R307-0686: '\S+shop\.next' cannot be put in place: /,
     'a table that cannot be replaced is told of');
rmdir state_file($disk, '.table');
wait_until(SOON + 10, sub { -s state_file($disk, '.table') });
$disk_db->sql('DELETE FROM redirect307_store');
says($disk, qr/R307-0684: the table redirect307_store has no row/,
     'so is a store without its row', SOON + 10);
is(answer($disk, '/d'), '307 https://t.example/3', 'and it serves on');
$disk->stop;
my $conf = $disk->root . '/httpd.conf';
my $text = do { local (@ARGV, $/) = $conf; <> };
$text =~ s/shop sql: /shop sql:another /;
R307::Env::write_file($conf, $text);
$disk->start_again;
like($disk->output, qr/R307-0671: .*was not made of the rule set 'another'/,
     'a table of another rule set is not used');

my $eager = configtest("Redirect307Table shop sql:\n",
                       modules => \@modules,
                       config => $keeps_db->config(more => ''));
ok($eager->ok, 'connections of every child are legal');
like($eager->message, qr/R307-0695: \S+:1: every child .* DBDPersist Off/,
     'and warned of');

# ---- messages ----

# All that the sources hold but those that need a process without threads or
# memory, an httpd without mod_watchdog, or a store that is replaced in the very
# moment.
my %seen = map { $_ => 1 } $eager->message =~ /(R307-\d+)/g;
for my $file (map { glob R307::Env::work() . "/*/$_" }
              'logs/error_log', 'run/output') {
    open my $fh, '<', $file or next;
    while (<$fh>) {
        $seen{$1} = 1 while /(R307-06\d\d):/g;
    }
}
my %elsewhere = map { ("R307-$_" => 1) }
                qw(0670 0690 0691 0694 0697), $hangs ? () : qw(0692 0693);
my @unseen;
for my $file (glob "$ENV{R307_TOP}/src/httpd/*.c") {
    open my $fh, '<', $file or die "$file: $!\n";
    while (<$fh>) {
        push @unseen, /"(R307-06[789]\d):/g;
    }
}
cmp_ok(scalar @unseen, '>=', 20, 'the sources hold messages');
is("@{[ grep { !$seen{$_} && !$elsewhere{$_} } sort @unseen ]}", '',
   'and all of them were seen');

end_suite(
    allow_in => {
        hangs    => [qw(R307-0678 R307-0692 R307-0693 AH00629)],
        restored => ['R307-0688'],
        late     => ['R307-0678', 'AH00629'],
        follows  => [qw(R307-0676 R307-0678 R307-0673 R307-0696 R307-0623
                        AH00629)],
        disk     => [qw(R307-0671 R307-0673 R307-0678 R307-0687)],
        # writers of so much keep readers away for longer than they wait
        map { ($_ => [qr/R307-0682: .*database is locked/]) } qw(mass killed)
    });
