# `redirect307 sql` on SQLite and on PostgreSQL, with the same cases for both:
# every command (data/sql-tool.tsv), what the schema's constraints refuse
# (data/sql-rows.tsv), what its triggers record of plain SQL, that nothing
# gets out of its place into a statement or a line, that credentials are seen
# nowhere, and that what is rolled back or replaced is what it is to be.
use strict;
use warnings;

use Text::ParseWords qw(shellwords);

use R307::Live;
use R307::SqlStore;
use R307::Table;
use R307::Tool;

plan(skip_all => 'the tool sees no difference between MPMs: with event only')
    if R307::Env::mpm() ne 'event';
{
    my @missing = grep { length } R307::Sqlite::missing(),
                  R307::Postgres::missing();
    plan(skip_all => "not here: @missing") if @missing;
}

my $pg = R307::Postgres->new;
my @kinds = (sub { R307::SqlStore->sqlite },
             sub { R307::SqlStore->postgres($pg) });
my $dir = R307::Env::scratch('files');

R307::Env::write_file("$dir/$_->[0]", $_->[1]) for
    ['five.rules', <<'END'],
# comment
/a https://h.example/
/b https://h.example/b exact methods=GET
h.example/c /d from=2026-12-01T09:00:00+01:00 until=2027-01-01T00:00:00Z
"~^/it em/(\\d+)$" https://x.example/?i=$1 "expr=%{QUERY_STRING} =~ /a b/" name=i

/geo geo DE=/de default=-   # choices
END
    ['four.rules', <<'END'],
/new https://n.example/
/a https://h2.example/
h.example/c /d from=2026-12-01T09:00:00+01:00 until=2027-01-01T00:00:00Z
"~^/it em/(\\d+)$" https://x.example/?i=$1 "expr=%{QUERY_STRING} =~ /a b/" name=i
/geo geo DE=/de default=-
END
    ['bad.rules', "/a /b\n/c nowhere\n/d /e\n/f /g nosuch=1\n/h /i\n"],
    ['verybad.rules', "/a\n" x 25],
    ['none.rules', "# nothing\n\n"],
    ['nul.rules', "/a /b\n/c\0 /d\n"],
    ['long.rules', '/a /' . 'x' x 70_000 . "\n"],
    ['latin.rules', "/caf\xe9 /b\n"],
    ['tab.rules', "\"/a\tb\" /c\n"],
    ['map.txt', "/old.html https://x.example/new\n/b https://x.example/b\n"],
    ['_redirects', "/a /b 302\n/c /d 200\n"];

sub report {
    my ($name, @wrong) = @_;
    ok(!@wrong, $name);
    diag("  $_") for @wrong;
    return;
}

sub unescape { return R307::Table::unescape($_[0]) }

# ---- init ----

sub test_init {
    my ($new) = @_;
    my $store = $new->();
    my $kind = $store->kind;
    my $file = "$ENV{R307_TOP}/share/redirect307-" . lc($kind) . '.sql';
    my $nothing = $store->is_sqlite ? qr/No such file.*redirect307 sql init/
                : qr/no store that can be read \(.*\).*redirect307 sql init/;

    for my $command (['export', '--ruleset', 'r'], ['resync'], ['history'],
                     ['put', '--ruleset', 'r', '/a', '/b']) {
        my ($exit, $out, $err) = $store->tool(@$command);
        report("$kind: $command->[0] without a store",
               $exit == 3 ? () : "exit $exit", $err =~ $nothing ? () : $err,
               length $out ? $out : ());
    }
    my ($exit, $out, $err) = $store->tool('init', '--dry-run');
    is($exit, 0, "$kind: init, but dry") or diag $err;
    open my $fh, '<', $file or die "$file: $!\n";
    is($out, join('', <$fh>), "$kind: prints the schema of share/");
    ok(!-e $store->db->path, "$kind: and makes no file") if $store->is_sqlite;
    ($exit, $out, $err) = $store->tool('init');
    is($exit, 0, "$kind: init") or diag $err;
    like($out, qr/: the store is made, schema version 1\n\z/, "$kind: says so");
    is(join(',', $store->sql('SELECT schema_version, epoch FROM '
                             . 'redirect307_store')), '1|1',
       "$kind: one row says which version it is");
    ($exit, $out, $err) = $store->tool('init', '--dry-run');
    report("$kind: init of a store that is there, but dry",
           $exit == 3 ? () : "exit $exit",
           $err =~ /there is a store already/ ? () : $err);
    for my $version (0, 2) {
        $store->sql("UPDATE redirect307_store SET schema_version = $version");
        ($exit, $out, $err) = $store->tool('export', '--ruleset', 'r');
        report("$kind: a store of version $version",
               $exit == 3 ? () : "exit $exit",
               $err =~ /has the schema version $version, and this program is for version 1; use the redirect307 of the release/
                   ? () : $err);
    }
    return;
}

# What is in the way stays, and nothing else is made.
sub test_init_blocked {
    my ($new) = @_;
    my $store = $new->();
    my $kind = $store->kind;

    $store->sql('CREATE TABLE redirect307_change (x integer)');
    my ($exit, undef, $err) = $store->tool('init');
    report("$kind: init where a name is taken", $exit == 3 ? () : "exit $exit",
           $err =~ /already exists/ ? () : $err);
    my ($code) = $store->try_sql('SELECT * FROM redirect307_rule');
    isnt($code, 0, "$kind: it has made nothing");
    is($store->sql('SELECT count(*) FROM redirect307_change'), 1,
       "$kind: what was there is there");
    return;
}

# ---- commands ----

sub rules_of {
    my ($store) = @_;
    my ($exit, $out, $err) = $store->tool('export', '--ruleset', 'shop');

    die "export: $err" if $exit;
    return $out;
}

sub run_case {
    my ($store, $row, $before) = @_;
    (my $text = $row->{run}) =~ s/\@DIR\@/$dir/g;
    my ($exit, $out, $err) = $store->tool(shellwords($text));
    my $after = rules_of($store);
    my @wrong;

    push @wrong, "exit $exit, not $row->{exit}" if $exit ne $row->{exit};
    push @wrong, 'says:', "$out$err" if "$out$err" !~ /$row->{says}/s;
    push @wrong, 'the rules were', $before, 'and are', $after
        if $row->{rules} eq '=' && $after ne $before;
    my $rules = unescape($row->{rules}) . "\n";
    push @wrong, 'the rules are', $after
        if $row->{rules} !~ /\A=?\z/ && $after ne $rules;
    return ($after, @wrong);
}

sub test_commands {
    my ($new) = @_;
    my $store = $new->()->create;
    my $rules = '';

    for my $row (R307::Table::read_table('sql-tool.tsv')) {
        my @wrong;
        ($rules, @wrong) = run_case($store, $row, $rules);
        report($store->kind . ": $row->{name}", @wrong);
    }
    return;
}

# ---- constraints ----

# The row, written with plain SQL; the constraint that refuses it, or "ok".
sub refused_by {
    my ($store, $row) = @_;
    my %value = map { $_ => unescape($row->{$_}) }
                qw(ruleset host kind path target options);
    my @columns = sort keys %value;
    my @values = map { $store->quote($value{$_}) } @columns;
    for my $what (qw(from until)) {
        push @columns, "valid_$what";
        push @values, length $row->{$what} ? $store->quote($row->{$what})
                                           : 'NULL';
    }
    my ($code, undef, $err) = $store->try_sql(
        'INSERT INTO redirect307_rule (' . join(', ', @columns) . ') VALUES ('
        . join(', ', @values) . ')');
    return 'ok' if $code == 0;
    return $1 if $err =~ /constraint(?: failed:)? "?(\w+)/;
    return $err;
}

# The same row through the tool; the id of what it says, or "ok".
sub tool_says {
    my ($store, $row) = @_;
    my %value = map { $_ => unescape($row->{$_}) }
                qw(ruleset host kind path target options);
    my @options = $value{options} =~ /\n/ ? $value{options}
        : map { s/\A"(.*)"\z/$1/r } $value{options} =~ /"[^"]*"|\S+/g;
    push @options, map { length $row->{$_} ? "$_=$row->{$_}" : () }
                   qw(from until);
    my ($exit, undef, $err) = $store->tool('put', '--ruleset',
        $value{ruleset}, '--host', $value{host}, '--kind', $value{kind},
        '--', $value{path}, $value{target}, @options);
    return $exit == 0 ? 'ok' : $err =~ /\b(R307-\d{4}):/ ? $1 : $err;
}

sub test_rows {
    my ($new) = @_;
    my $store = $new->()->create;

    for my $row (R307::Table::read_table('sql-rows.tsv')) {
        my $by = refused_by($store, $row);
        my $says = $row->{tool} eq '-' ? '-' : tool_says($store, $row);
        report($store->kind . ": $row->{name}",
               $by =~ /\A(?:$row->{constraint})\z/ ? () : "refused by: $by",
               $says eq $row->{tool} ? () : "the tool: $says");
    }
    return;
}

# What text cannot hold in one of the databases.
sub test_odd_values {
    my ($new) = @_;
    my $store = $new->()->create;
    my $kind = $store->kind;
    my $insert = 'INSERT INTO redirect307_rule (ruleset, path, target';
    my @bad = (
        ['an id of 0', "$insert, id) VALUES ('r', '/a', '/b', 0)"],
        ['a negative id', "$insert, id) VALUES ('r', '/a', '/b', -1)"],
        ['an id over 32 bits',
         "$insert, id) VALUES ('r', '/a', '/b', 4294967296)"],
        ['no path', "$insert) VALUES ('r', NULL, '/b')"],
        ['no target', "$insert) VALUES ('r', '/a', NULL)"],
        ['no host', "$insert, host) VALUES ('r', '/a', '/b', NULL)"],
        ['65534 bytes', "$insert) VALUES ('r', '/a', '/"
                        . 'b' x 65_531 . "')"],
    );
    push @bad, $store->is_sqlite ? (
        ['a NUL in a path', "$insert) VALUES ('r', '/a' || char(0) || '/x', '/b')"],
        ['a NUL in options', "$insert, options) VALUES ('r', '/a', '/b', 'name=x' || char(0, 10) || 'y')"],
        ['a NUL in a rule set', "$insert) VALUES ('r' || char(0), '/a', '/b')"],
        ['a NUL in a host', "$insert, host) VALUES ('r', '/a', '/b', 'h' || char(0))"],
        ['bytes for text', "$insert) VALUES ('r', x'2f61', '/b')"],
        ['a number for text', "$insert, note) VALUES ('r', '/a', '/b', x'00')"],
        ['enabled 2', "$insert, enabled) VALUES ('r', '/a', '/b', 2)"],
        ['enabled a word', "$insert, enabled) VALUES ('r', '/a', '/b', 'yes')"],
        ['no instant', "$insert, valid_from) VALUES ('r', '/a', '/b', 'soon')"],
        ['31 February', "$insert, valid_from) VALUES ('r', '/a', '/b', '2026-02-31T00:00:00Z')"],
        ['no zone', "$insert, valid_from) VALUES ('r', '/a', '/b', '2026-02-01T00:00:00')"],
        ['another zone', "$insert, valid_until) VALUES ('r', '/a', '/b', '2026-02-01T00:00:00+01:00')"],
        ['a fraction', "$insert, valid_until) VALUES ('r', '/a', '/b', '2026-02-01T00:00:00.5Z')"],
    ) : (
        ['infinity', "$insert, valid_until) VALUES ('r', '/a', '/b', 'infinity')"],
        ['minus infinity', "$insert, valid_from) VALUES ('r', '/a', '/b', '-infinity')"],
        ['the year 10000', "$insert, valid_from) VALUES ('r', '/a', '/b', '10000-01-01')"],
        ['bytes that are not UTF-8', "$insert) VALUES ('r', E'/\\xe9', '/b')"],
    );
    for my $case (@bad) {
        my ($code) = $store->try_sql($case->[1]);
        isnt($code, 0, "$kind: $case->[0] is refused");
    }
    is_deeply([$store->sql('SELECT * FROM redirect307_rule')], [],
              "$kind: nothing came in");
    is($store->last_seq, 0, "$kind: nothing is in the log");
    $store->sql("$insert) VALUES ('r', '/a', '/" . 'b' x 65_530 . "')");
    is(scalar(() = $store->sql('SELECT 1 FROM redirect307_row')), 1,
       "$kind: 65533 bytes are taken");
    return;
}

# ---- the log, of plain SQL ----

# Statements, each in a transaction of its own, and what the log says of it.
my $insert = 'INSERT INTO redirect307_rule (ruleset, path, target) VALUES';
my @histories = (
    ['an insert', "$insert ('r', '/a', '/1')", 'put 1 r +'],
    ['several rows', "$insert ('r', '/b', '/2'), ('s', '/c', '/3')",
     'put 2 r +', 'put 3 s +'],
    ['an insert of a query', 'INSERT INTO redirect307_rule (ruleset, path, '
     . "target) SELECT 'q', path, target FROM redirect307_rule WHERE id < 3",
     'put 4 q +', 'put 5 q +'],
    ['an update', "UPDATE redirect307_rule SET target = '/x' WHERE id = 1",
     'put 1 r'],
    ['an update of several', "UPDATE redirect307_rule SET note = 'n' "
     . "WHERE ruleset = 'q'", 'put 4 q', 'put 5 q'],
    ['an update of none', "UPDATE redirect307_rule SET note = 'n' "
     . 'WHERE id = 99'],
    ['a delete', 'DELETE FROM redirect307_rule WHERE id = 5', 'delete 5 q'],
    ['an upsert', 'INSERT INTO redirect307_rule (id, ruleset, path, target) '
     . "VALUES (1, 'r', '/a', '/y') ON CONFLICT (id) DO UPDATE SET "
     . 'target = excluded.target', 'put 1 r'],
    ['an insert that is not to matter', 'INSERT INTO redirect307_rule '
     . "(id, ruleset, path, target) VALUES (1, 'r', '/a', '/y') "
     . 'ON CONFLICT DO NOTHING'],
    ['disabled', 'UPDATE redirect307_rule SET enabled = CAST(0 AS boolean) '
     . 'WHERE id = 2', 'put 2 r'],
    ['an id that the writer chose', 'INSERT INTO redirect307_rule '
     . "(id, ruleset, path, target) VALUES (100, 'r', '/d', '/4')",
     'put 100 r +'],
    ['the next is behind it', "$insert ('r', '/e', '/5')", 'put 101 r +'],
    ['a transaction', 'BEGIN; DELETE FROM redirect307_rule WHERE id = 101; '
     . "$insert ('r', '/f', '/6'); "
     . "UPDATE redirect307_rule SET target = '/7' WHERE id = 102; COMMIT",
     'delete 101 r', 'put 102 r +', 'put 102 r'],
    ['a transaction that is taken back', 'BEGIN; DELETE FROM '
     . "redirect307_rule; $insert ('r', '/g', '/8'); ROLLBACK"],
    ['a savepoint that is taken back', "BEGIN; $insert ('r', '/g', '/8'); "
     . 'SAVEPOINT p; DELETE FROM redirect307_rule; ROLLBACK TO p; COMMIT',
     qr/\Aput \d+ r \+\z/],
    ['a rule goes away and comes back', 'BEGIN; DELETE FROM redirect307_rule '
     . 'WHERE id = 100; INSERT INTO redirect307_rule (id, ruleset, path, '
     . "target) VALUES (100, 'r', '/d', '/4'); COMMIT",
     'delete 100 r', 'put 100 r +'],
);

# On PostgreSQL a statement's puts come once more behind its moves.
my @moves = (
    ['another id', 'UPDATE redirect307_rule SET id = 200 WHERE id = 100',
     'delete 100 r', 'put 200 r +'],
    ['another rule set', "UPDATE redirect307_rule SET ruleset = 't' "
     . 'WHERE id = 200', 'delete 200 r', 'put 200 t +'],
    ['both of some', 'UPDATE redirect307_rule SET id = id + 1000, '
     . "ruleset = 'u' WHERE ruleset = 'q'", 'delete 4 q', 'put 1004 u +'],
);

sub is_log {
    my ($store, $seq, $name, @want) = @_;
    my @got = $store->log_since($seq);
    my @wrong = map { ref $want[$_] ? ($got[$_] // '') =~ $want[$_]
                      : ($got[$_] // '') eq $want[$_] ? () : $want[$_] }
                grep { !ref $want[$_] || ($got[$_] // '') !~ $want[$_] }
                0 .. $#want;
    report($store->kind . ": the log of $name",
           @got == @want && !@wrong ? () : ('got:', @got, 'want:', @want));
    return;
}

# What servers are told adds up to what is there.
sub is_followed {
    my ($store, $name) = @_;
    my $line = "id || '|' || ruleset || '|' || host || '|' || kind || '|' "
             . "|| path || '|' || target || '|' || options";
    my (%rule, @wrong);

    for my $change ($store->sql("SELECT live || '|' || rule_id || '|' || "
        . ($line =~ s/\bid \|\|/'' ||/r) . ' FROM redirect307_follow '
        . 'ORDER BY seq')) {
        my ($live, $id, $rest) = split /\|/, $change, 3;
        my ($ruleset) = $rest =~ /\A\|([^|]*)/;
        delete $rule{"$ruleset $id"};
        $rule{"$ruleset $id"} = "$id$rest" if $live;
    }
    my @rows = $store->sql("SELECT $line FROM redirect307_row ORDER BY id");
    my $got = join "\n", sort values %rule;
    my $want = join "\n", sort @rows;
    report($store->kind . ": $name: what is told adds up to what is there",
           $got eq $want ? () : ('told:', $got, 'there:', $want));
    return;
}

sub test_log {
    my ($new) = @_;
    my $store = $new->()->create;

    for my $case (@histories, @moves) {
        my ($name, $sql, @want) = @$case;
        my $seq = $store->last_seq;
        $store->sql($sql);
        if (grep { $_ == $case } @moves and !$store->is_sqlite) {
            push @want, map { s/ \+\z//r } grep { / \+\z/ } @want;
        }
        is_log($store, $seq, $name, @want);
    }
    is_followed($store, 'all of it');
    my ($same) = $store->sql('SELECT count(*) - count(DISTINCT token) FROM '
                             . 'redirect307_change');
    is($same, 0, $store->kind . ': every change has a token of its own');
    return;
}

# What only PostgreSQL has.
sub test_log_postgres {
    my $store = R307::SqlStore->postgres($pg)->create;
    my $seq;

    $store->sql("COPY redirect307_rule (ruleset, path, target) FROM STDIN;\n"
                . "r\t/a\t/1\nr\t/b\t/2\n\\.\n");
    is_log($store, 0, 'COPY', 'put 1 r +', 'put 2 r +');
    $seq = $store->last_seq;
    $store->sql("$insert ('r', '/c', '/3'); TRUNCATE redirect307_rule");
    is_log($store, $seq, 'TRUNCATE', 'put 3 r +', 'delete 1 r', 'delete 2 r',
           'delete 3 r');
    my ($code, undef, $err) = $store->try_sql(
        'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; '
        . 'TRUNCATE redirect307_rule; COMMIT');
    isnt($code, 0, 'TRUNCATE that might not see all is refused');
    like($err, qr/needs the isolation level READ COMMITTED/, 'and says so');
    $store->sql("$insert ('r', '/a', '/1'), ('r', '/b', '/2')");
    $seq = $store->last_seq;
    $store->sql('WITH gone AS (DELETE FROM redirect307_rule RETURNING *) '
                . 'INSERT INTO redirect307_rule (ruleset, path, target) '
                . 'SELECT ruleset, path, target FROM gone');
    is_log($store, $seq, 'a query that deletes and inserts', 'delete 4 r',
           'delete 5 r', 'put 6 r +', 'put 7 r +');
    is_followed($store, 'PostgreSQL');
    my $plenty = 60_000;
    $store->sql('INSERT INTO redirect307_rule (ruleset, path, target) SELECT '
                . "'m', '/' || g, '/x' FROM generate_series(1, $plenty) g");
    my ($known) = $store->sql('SELECT reltuples FROM pg_class WHERE relname '
                              . "= 'redirect307_rule'");
    cmp_ok($known, '>=', $plenty, 'after many rows the planner knows of them');
    $seq = $store->last_seq;
    my $began = time;
    $store->sql("UPDATE redirect307_rule SET target = '/y' WHERE id = 6; "
                . "UPDATE redirect307_rule SET target = '/y'");
    cmp_ok(time - $began, '<', 60, 'an update of all behind one of a single '
           . 'row is no slower');
    is($store->last_seq - $seq, $plenty + 3, 'and told whole');
    return;
}

# OR REPLACE deletes without telling.
sub test_log_sqlite {
    my $store = R307::SqlStore->sqlite->create;
    my $seq;

    $store->sql("$insert ('r', '/a', '/1')");
    $seq = $store->last_seq;
    $store->sql('REPLACE INTO redirect307_rule (id, ruleset, path, target) '
                . "VALUES (1, 'r', '/a', '/2')");
    is_log($store, $seq, 'REPLACE', 'put 1 r');
    $seq = $store->last_seq;
    $store->sql('REPLACE INTO redirect307_rule (id, ruleset, path, target) '
                . "VALUES (1, 's', '/a', '/2')");
    is_log($store, $seq, 'REPLACE of another rule set\'s', 'delete 1 r',
           'put 1 s +');
    $seq = $store->last_seq;
    $store->sql('DELETE FROM redirect307_rule');
    is_log($store, $seq, 'DELETE of everything', 'delete 1 s');
    is_followed($store, 'SQLite');
    $store->sql('INSERT INTO redirect307_rule (ruleset, path, target, '
                . "changed_by) VALUES ('r', '/w', '/1', 'ann')");
    $store->sql("UPDATE redirect307_rule SET target = '/2' WHERE path = '/w'");
    $store->sql("UPDATE redirect307_rule SET target = '/3', changed_by = "
                . "'bob' WHERE path = '/w'");
    is(join(',', $store->sql('SELECT by_whom FROM redirect307_change WHERE '
                             . "path = '/w' ORDER BY seq")), 'ann,,bob',
       'who has written is known when the writer says so');
    $store->tool('delete', '--ruleset', 'r', '--path', '/w');
    my ($me) = getpwuid $>;
    is(join(',', $store->sql('SELECT by_whom FROM redirect307_change WHERE '
                             . "op = 'delete' AND path = '/w'")), $me,
       'the tool says so for deletes, too');
    return;
}

# A writer that has not committed holds all others up: seq is in the order of
# commits.
sub test_concurrency {
    my $store = R307::SqlStore->postgres($pg)->create;
    my ($one, $two) = map { $pg->session(dbname => $store->dbname) } 1, 2;
    my $seen = sub { join ',', $store->sql('SELECT path FROM '
        . 'redirect307_change ORDER BY seq') };

    $one->sql("BEGIN; $insert ('r', '/first', '/1');");
    $two->send("$insert ('r', '/second', '/2');");
    ok(!$two->is_done(0.5), 'a second writer waits for the first');
    is($seen->(), '', 'nothing is told of either');
    my @read = $store->sql('SELECT count(*) FROM redirect307_row');
    is("@read", '0', 'readers do not wait');
    $one->sql("$insert ('r', '/third', '/3'); COMMIT;");
    $two->result;
    is($seen->(), '/first,/third,/second', 'the log is in the order of '
       . 'commits');
    $one->sql("BEGIN; $insert ('r', '/lost', '/1');");
    $two->send("DELETE FROM redirect307_rule WHERE path = '/first';");
    ok(!$two->is_done(0.5), 'a delete waits, too');
    $one->sql('ROLLBACK;');
    $two->result;
    is($seen->(), '/first,/third,/second,/first', 'of what was taken back '
       . 'nothing is told');
    is_followed($store, 'two writers');
    return;
}

for my $new (@kinds) {
    test_init($new);
    test_init_blocked($new);
    test_commands($new);
    test_rows($new);
    test_odd_values($new);
    test_log($new);
}
test_log_sqlite();
test_log_postgres();
test_concurrency();

end_suite();
