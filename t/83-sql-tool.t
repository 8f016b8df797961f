# `redirect307 sql` on SQLite and on PostgreSQL, with the same cases for both:
# every command (data/sql-tool.tsv), what the schema's constraints refuse
# (data/sql-rows.tsv), what its triggers record of plain SQL, that nothing
# gets out of its place into a statement or a line, that credentials are seen
# nowhere, and that what is rolled back or replaced is what it is to be.
use strict;
use warnings;

use IO::Handle ();
use JSON::PP ();
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

sub test_help {
    my (undef, $help) = R307::Tool::run('sql', '--help');
    my @commands = $help =~ /^  ([a-z]+) +\S/mg;

    is(scalar @commands, 9, 'sql --help names nine commands');
    for my $command (@commands) {
        my ($exit, $out, $err) = R307::Tool::run('sql', $command, '--help');
        report("sql $command --help", $exit == 0 ? () : "exit $exit",
               $out =~ /\AUsage: redirect307 sql $command / ? () : $out,
               $out =~ /^  redirect307 sql $command /m ? () : 'no example',
               $out =~ /--sqlite FILE/ ? () : 'no options',
               length $err ? $err : ());
        ($exit, $out, $err) = R307::Tool::run('sql', $command, '--nosuch');
        report("sql $command: an unknown option",
               $exit == 2 ? () : "exit $exit",
               $err =~ /\Aredirect307 sql $command: there is no option '--nosuch'/
                   ? () : $err);
    }
    my ($exit) = R307::Tool::run('sql');
    is($exit, 2, 'sql without a command');
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

# ---- nothing gets out of its place ----

my @evil = (
    q{'; DROP TABLE redirect307_rule; --}, q{"; DELETE FROM redirect307_rule;},
    q{\\'; DELETE FROM redirect307_rule; --},
    q{' OR '1'='1 %s%n%lld %pDz $1 :a @b}, q{$$; /*`id` $(id)}, "a\nb",
    "a\r\nX: y", "\e[31mred", "\xc3\xa9", "\xff\xfe", q{a "b" c\\}, q{#},
    q{?1},
);

# Where a word can stand: the command's words with the value in it, and the
# column that is to hold it, if it is taken.
my %slots = (
    'a path'      => [sub { ('put', '--ruleset', 'e', "/$_[0]", '/t') },
                      'path', sub { "/$_[0]" }],
    'an expression' => [sub { ('put', '--ruleset', 'e', '--kind', 'regex',
                               '--', "^/\\Q$_[0]", '/t') },
                        'path', sub { "^/\\Q$_[0]" }],
    'a target'    => [sub { ('put', '--ruleset', 'e', '/p', "/t$_[0]") },
                      'target', sub { "/t$_[0]" }],
    'a note'      => [sub { ('put', '--ruleset', 'e', '/p', '/t', '--note',
                             $_[0]) }, 'note', sub { $_[0] }],
    'an option'   => [sub { ('put', '--ruleset', 'e', '/p', '/t',
                             "expr=$_[0]") }],
    'an option alone' => [sub { ('put', '--ruleset', 'e', '/p', '/t',
                                 $_[0]) }],
    'a host'      => [sub { ('put', '--ruleset', 'e', '--host', $_[0], '/p',
                             '/t') }],
    'a kind'      => [sub { ('put', '--ruleset', 'e', '--kind', $_[0], '/p',
                             '/t') }],
    'an id'       => [sub { ('put', '--ruleset', 'e', '--id', $_[0], '/p',
                             '/t') }],
    'a rule set'  => [sub { ('put', '--ruleset', $_[0], '/p', '/t') }],
    'ids to delete' => [sub { ('delete', '--ruleset', 'canary', '--',
                               $_[0]) }],
    'a path to delete' => [sub { ('delete', '--ruleset', 'canary', '--path',
                                  $_[0]) }],
    'a host to delete' => [sub { ('delete', '--ruleset', 'canary', '--path',
                                  '/c', '--host', $_[0]) }],
    'a rule set to write' => [sub { ('export', '--ruleset', $_[0]) }],
    'a format'    => [sub { ('export', '--ruleset', 'e', '--format',
                             $_[0]) }],
    'a format to import' => [sub { ('import', '--ruleset', 'e', '--format',
                                    $_[0], "$dir/five.rules") }],
    'a seq'       => [sub { ('history', '--since', $_[0]) }],
    'a rule of the history' => [sub { ('history', '--id', $_[0]) }],
    'a seq to go back to' => [sub { ('rollback', '--ruleset', 'canary', '--',
                                     $_[0]) }],
);

sub test_slot {
    my ($store, $name, $words, $column, $stored) = @_;
    my @wrong;

    for my $evil ($column ? @evil : @evil[0 .. 3, 5, 7, 9]) {
        my ($exit, $out, $err) = $store->tool($words->($evil));
        my @what = unpack('H*', $evil) . ':';
        push @what, "exit $exit" if $exit > 3;
        push @what, "control bytes: $out$err"
            if "$out$err" =~ /[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]/
               or ($name eq 'a note' ? 0 : "$out$err" =~ /\r(?!\n)/);
        if ($exit == 0 && $column) {
            my ($n) = $store->sql(
                "SELECT count(*) FROM redirect307_rule WHERE $column = "
                . $store->quote($stored->($evil)));
            push @what, "stored $n times" if $n != 1;
        }
        if ($exit == 0 && $name =~ /\Aa(?:n|) (?:path|expression|target|note|option)/) {
            my ($code, $text) = $store->tool('export', '--ruleset', 'e');
            my @rules = grep { !/\A#/ } split /\n/, $text, -1;
            push @what, "as a rule file: $text" if $code || @rules != 2;
            R307::Env::write_file("$dir/again.rules", $text);
            ($code, $text) = $store->tool('diff', '--ruleset', 'e',
                                          "$dir/again.rules");
            push @what, "read again it differs: $text" if $code;
        }
        $store->sql("DELETE FROM redirect307_rule WHERE ruleset = 'e'")
            if $exit == 0;
        push @wrong, "@what" if @what > 1;
    }
    my @there = $store->sql('SELECT ruleset, path, target FROM '
                            . 'redirect307_rule');
    push @wrong, "now there is: @there" if "@there" ne 'canary|/c|/d';
    report($store->kind . ": odd values as $name", @wrong);
    return;
}

sub test_evil {
    my ($new) = @_;
    my $store = $new->()->create;

    $store->sql("$insert ('canary', '/c', '/d')");
    test_slot($store, $_, @{ $slots{$_} }) for sort keys %slots;

    # As lines of a file.
    my @lines = map { my $w = s/(["\\])/\\$1/gr; "\"/$w\" \"/t$w\" # $w\n" }
                grep { !/[\x00-\x1f]|[\x80-\xff]/ } @evil;
    R307::Env::write_file("$dir/evil.rules", join '', @lines);
    my ($exit, undef, $err) = $store->tool('import', '--ruleset', 'f',
                                           "$dir/evil.rules");
    is($exit, 1, $store->kind . ': a file of odd values') or diag $err;
    is(() = $err =~ /R307-0133/g, 2, 'two of them hold # or ?');
    R307::Env::write_file("$dir/evil.rules",
                          join '', grep { !m{\A"/[^"]*[#?]} } @lines);
    ($exit, undef, $err) = $store->tool('import', '--ruleset', 'f',
                                        "$dir/evil.rules");
    is($exit, 0, 'the others are taken') or diag $err;
    ($exit) = $store->tool('diff', '--ruleset', 'f', "$dir/evil.rules");
    is($exit, 0, 'and are what they were');
    return;
}

# Columns that other clients have filled.
sub test_evil_columns {
    my ($new) = @_;
    my $store = $new->()->create;
    my $kind = $store->kind;
    my $note = "x\n/evil https://evil.example/\r\n\e[31m \"%s";
    my $quoted = $store->quote($note);

    $store->sql('INSERT INTO redirect307_rule (ruleset, path, target, note, '
                . "changed_by) VALUES ('n', '/a', '/b', $quoted, $quoted)");
    my ($exit, $out) = $store->tool('export', '--ruleset', 'n');
    is($out, "# x /evil https://evil.example/   [31m \"%s\n/a /b\n",
       "$kind: a note stays a comment of one line");
    ($exit, $out) = $store->tool('history', '--ruleset', 'n');
    is(() = $out =~ /\n/g, 1, "$kind: a change is one line of the history");
    unlike($out, qr/[\r\e]|\nX|^\/evil/m, "$kind: without control bytes");
    for my $format (qw(json csv)) {
        ($exit, $out) = $store->tool('export', '--ruleset', 'n', '--format',
                                     $format);
        is($exit, 0, "$kind: as $format");
        if ($format eq 'json') {
            my $data = JSON::PP->new->utf8->decode($out);
            is($data->[0]{note}, $note, "$kind: JSON has it as it is");
        }
    }
    my (undef, $data) = R307::Tool::json('--help');     # no JSON: undef
    is($data, undef, 'what is no JSON is none');
    ($exit, $out) = $store->tool('history', '--json');
    $data = eval { JSON::PP->new->utf8->decode($out) };
    is(ref $data && $data->[0]{path}, '/a', "$kind: the history as JSON");
    return;
}

# ---- who may what ----

sub as_role {
    my ($store, $role, @words) = @_;
    local $ENV{REDIRECT307_DB} = $store->conninfo(user => $role);
    my ($command, @rest) = @words;
    return R307::Tool::run('sql', $command, '--driver', 'pgsql', @rest);
}

sub test_roles {
    my $store = R307::SqlStore->postgres($pg)->create;
    my $reader = sub { $store->try_sql($_[0], user => 'reader') };
    my $writer = sub { $store->try_sql($_[0], user => 'writer') };

    $store->sql('CREATE ROLE reader LOGIN; CREATE ROLE writer LOGIN; '
        . 'GRANT SELECT ON redirect307_store, redirect307_row, '
        . 'redirect307_follow TO reader; '
        . 'GRANT SELECT ON redirect307_store TO writer; '
        . 'GRANT SELECT, INSERT, UPDATE, DELETE ON redirect307_rule TO '
        . 'writer; GRANT CREATE ON SCHEMA public TO writer');
    $store->sql("$insert ('r', '/a', '/1')");
    for my $allowed (
        'SELECT schema_version, store_id, epoch FROM redirect307_store',
        'SELECT max(seq), max(token) FROM redirect307_follow',
        "SELECT id, host, kind, path, target, options FROM redirect307_row "
        . "WHERE ruleset = 'r'") {
        my ($code, undef, $err) = $reader->($allowed);
        is($code, 0, "a server may $allowed") or diag $err;
    }
    for my $refused (
        "$insert ('r', '/a', '/1')", 'DELETE FROM redirect307_rule',
        'UPDATE redirect307_store SET epoch = 2',
        'SELECT * FROM redirect307_rule', 'SELECT * FROM redirect307_change',
        "UPDATE redirect307_row SET target = '/x'",
        'DELETE FROM redirect307_follow') {
        my ($code, undef, $err) = $reader->($refused);
        report("a server may not $refused", $code ? () : 'it may',
               $err =~ /permission denied/ ? () : $err);
    }
    for my $refused (
        'SELECT * FROM redirect307_change', 'DELETE FROM redirect307_change',
        'INSERT INTO redirect307_change SELECT * FROM redirect307_change',
        'UPDATE redirect307_store SET epoch = 2', 'TRUNCATE redirect307_rule',
        'SELECT 1 FROM redirect307_store FOR UPDATE',
        'CREATE TABLE mine (id bigint); CREATE TRIGGER t AFTER INSERT ON '
        . 'mine FOR EACH STATEMENT EXECUTE FUNCTION redirect307_log()') {
        my ($code, undef, $err) = $writer->($refused);
        report("a writer may not $refused", $code ? () : 'it may',
               $err =~ /permission denied/ ? () : $err);
    }

    # Names of its own do not lead the triggers astray.
    my $seq = $store->last_seq;
    $store->sql('CREATE TEMP TABLE redirect307_change (x integer); '
                . 'CREATE TEMP TABLE redirect307_store (x integer); '
                . "$insert ('r', '/temp', '/1')", user => 'writer');
    is($store->last_seq, $seq + 1, 'a writer\'s own tables are not taken for '
       . 'the log');

    my @writes = (['put', '--ruleset', 'r', '/w', '/2'],
                  ['import', '--ruleset', 'r', "$dir/five.rules"],
                  ['import', '--ruleset', 'r', '--replace',
                   "$dir/four.rules"],
                  ['delete', '--ruleset', 'r', '--path', '/new'],
                  ['export', '--ruleset', 'r'],
                  ['diff', '--ruleset', 'nothing', "$dir/none.rules"]);
    for my $words (@writes) {
        my ($exit, undef, $err) = as_role($store, 'writer', @$words);
        is($exit, 0, "a writer may $words->[0]") or diag $err;
    }
    is_followed($store, 'a writer without rights on the log');
    my ($by) = $store->sql('SELECT by_whom FROM redirect307_change ORDER BY '
                           . 'seq DESC LIMIT 1');
    is($by, 'writer', 'the log knows the writer');
    my @refused = (['writer', 'history'], ['writer', 'rollback', '1'],
                   ['writer', 'resync'], ['reader', 'put', '--ruleset', 'r',
                                          '/a', '/b'],
                   ['reader', 'export', '--ruleset', 'r'],
                   ['writer', 'init']);
    for my $words (@refused) {
        my ($role, @words) = @$words;
        my ($exit, undef, $err) = as_role($store, $role, @words);
        report("a $role may not $words[0]", $exit == 3 ? () : "exit $exit",
               $err =~ /permission denied|store already/ ? () : $err);
    }
    is_followed($store, 'after what was refused');
    return;
}

# ---- credentials ----

sub with_params {
    my ($params, @words) = @_;
    local $ENV{REDIRECT307_DB} = $params;
    delete $ENV{REDIRECT307_DB} if !defined $params;
    return R307::Tool::run('sql', 'history', @words);
}

sub test_credentials {
    my $store = R307::SqlStore->postgres($pg)->create;
    my $good = $store->conninfo(port => 1);
    my $port = $pg->port;
    my @pgsql = ('--driver', 'pgsql');
    my @cases = (
        ['a wrong password', 3, qr/password authentication failed/,
         $store->conninfo(port => 1, password => 'xyzzy'), @pgsql],
        ['a password with blanks and no quotes', 2, qr/cannot be read; write/,
         'host=127.0.0.1 password=xyzzy plugh user=x', @pgsql],
        ['what looks like another parameter', 3,
         qr/one of the connection parameters is none/,
         'host=127.0.0.1 password=xyzzy plugh=1', @pgsql],
        ['an open quote', 2, qr/cannot be read; write/,
         "host=127.0.0.1 password='xyzzy plugh", @pgsql],
        ['no parameters at all', 2, qr/cannot be read; write/, 'xyzzy',
         @pgsql],
        ['a URL', 2, qr/cannot be read; write/,
         "postgresql://user:xyzzy\@127.0.0.1:$port/plugh", @pgsql],
        ['a password where the port belongs', 3, qr/parameters is none/,
         'host=127.0.0.1 port=xyzzy password=xyzzy', @pgsql],
        ['a password that is part of a message', 3, qr/user "\*\*\*plover"/,
         "host=127.0.0.1 port=$port user=xyzzyplover password=xyzzy", @pgsql],
        ['nobody listens', 3, qr/cannot be opened: .*refused/,
         'host=127.0.0.1 port=1 password=xyzzy', @pgsql],
        ['no database', 3, qr/database "nosuch" does not exist/,
         $pg->conninfo(dbname => 'nosuch'), @pgsql],
        ['no parameters', 2, qr/REDIRECT307_DB or in a file named by/, undef,
         @pgsql],
        ['another driver', 2, qr/--driver is 'mysql'; write pgsql/, $good,
         '--driver', 'mysql'],
        ['two stores', 2, qr/are two stores; keep one/, $good, '--sqlite',
         'x', @pgsql],
        ['two stores by a file', 2, qr/are two stores; keep one/, $good,
         '--sqlite', 'x', '--db-file', 'y'],
        ['no store', 2, qr/where is the store\? Add --sqlite/, undef],
        ['an empty name of a file', 3, qr/is a directory|unable to open/i, undef,
         '--sqlite', ''],
    );
    for my $case (@cases) {
        my ($name, $want, $says, $params, @words) = @$case;
        my ($exit, $out, $err) = with_params($params, @words);
        report("credentials: $name", $exit == $want ? () : "exit $exit",
               $err =~ $says ? () : $err,
               "$out$err" =~ /xyzzy|plugh/ ? "it is seen: $err" : ());
    }
    my ($exit, undef, $err) = with_params($good, @pgsql);
    is($exit, 0, 'the password of the environment is good') or diag $err;
    ($exit, undef, $err) = with_params($good);
    is($exit, 0, 'which says that it is PostgreSQL') or diag $err;
    return ($good);
}

sub test_db_file {
    my ($good) = @_;
    my $file = "$dir/db";
    my @words = ('--db-file', $file);
    my $case = sub {
        my ($name, $text, $mode, $want, $says) = @_;
        R307::Env::write_file($file, $text);
        chmod $mode, $file or die "$file: $!\n";
        my ($exit, $out, $err) = with_params(undef, @words);
        report("a file with parameters: $name",
               $exit == $want ? () : "exit $exit",
               $err =~ $says ? () : $err,
               "$out$err" =~ /xyzzy/ ? "it is seen: $err" : ());
    };

    $case->('its first line', "$good\nxyzzy nonsense\n", 0600, 0, qr/\A\z/);
    $case->('without a line end', $good, 0400, 0, qr/\A\z/);
    $case->('for the group', "$good\n", 0640, 3,
            qr/other users may read it or write to it; chmod 600/);
    $case->('for all', "$good\n", 0604, 3, qr/chmod 600/);
    $case->('for all to write', "$good\n", 0602, 3, qr/chmod 600/);
    $case->('empty', '', 0600, 3, qr/it is empty/);
    $case->('too long', 'password=xyzzy' x 1000, 0600, 3, qr/is too long/);
    $case->('nonsense', "xyzzy\n", 0600, 2, qr/cannot be read/);
    unlink $file;
    my ($exit, undef, $err) = with_params(undef, @words);
    report('a file with parameters: missing', $exit == 3 ? () : "exit $exit",
           $err =~ /No such file/ ? () : $err);
    return;
}

# ---- waiting ----

sub test_locked {
    my $store = R307::SqlStore->sqlite->create;
    my $lite = $store->db->path;

    open my $other, '|-', 'sqlite3', $lite or die "sqlite3: $!\n";
    $other->autoflush(1);
    print $other "BEGIN IMMEDIATE;\n.system touch $dir/locked\n";
    for (1 .. 500) {
        last if -e "$dir/locked";
        select undef, undef, undef, 0.02;
    }
    my ($exit, undef, $err) = $store->tool('put', '--ruleset', 'r', '/a',
                                           '/b');
    report('SQLite: another one writes', $exit == 3 ? () : "exit $exit",
           $err =~ /database is locked/ ? () : $err);
    ($exit) = $store->tool('export', '--ruleset', 'r');
    is($exit, 0, 'SQLite: reading goes on');
    print $other "COMMIT;\n";
    close $other;
    ($exit) = $store->tool('put', '--ruleset', 'r', '/a', '/b');
    is($exit, 0, 'SQLite: and afterwards writing');

    $store = R307::SqlStore->postgres($pg)->create;
    my $session = $pg->session(dbname => $store->dbname);
    $session->sql("BEGIN; $insert ('r', '/a', '/b');");
    local $ENV{PGOPTIONS} = '-c lock_timeout=300ms';
    ($exit, undef, $err) = $store->tool('put', '--ruleset', 'r', '/c', '/d');
    report('PostgreSQL: another one writes', $exit == 3 ? () : "exit $exit",
           $err =~ /lock timeout/ ? () : $err);
    $session->sql('COMMIT;');
    ($exit) = $store->tool('put', '--ruleset', 'r', '/c', '/d');
    is($exit, 0, 'PostgreSQL: and afterwards');
    return;
}

sub test_no_database {
    my $store = R307::SqlStore->sqlite;

    R307::Env::write_file($store->db->path, 'this is text ' x 1000);
    for my $command (['init'], ['export', '--ruleset', 'r'],
                     ['put', '--ruleset', 'r', '/a', '/b']) {
        my ($exit, undef, $err) = $store->tool(@$command);
        report("SQLite: $command->[0] with another file",
               $exit == 3 ? () : "exit $exit",
               $err =~ /file is not a database/ ? () : $err);
    }
    return;
}

# ---- what rolls back, what replaces ----

# Something to do: SQL, on few ids, so that they meet again.
sub random_change {
    my ($move) = @_;
    my $id = 1 + int rand 12;
    my $set = (qw(r s))[$id % 2];
    my @what = (
        "$insert ('$set', '/p" . int(rand 5) . "', '/t" . int(rand 9) . "')",
        "INSERT INTO redirect307_rule (id, ruleset, path, target) VALUES ("
        . "$id, '$set', '/i', '/t') ON CONFLICT (id) DO UPDATE SET target = '/u"
        . int(rand 9) . "'",
        "UPDATE redirect307_rule SET target = '/v" . int(rand 9)
        . "', note = 'n" . int(rand 3) . "' WHERE id <= $id",
        "UPDATE redirect307_rule SET valid_from = '2026-01-0"
        . (1 + int rand 9) . "T00:00:00Z', enabled = "
        . 'CAST(' . int(rand 2) . " AS boolean) WHERE id = $id",
        "UPDATE redirect307_rule SET valid_from = NULL WHERE id = $id",
        "DELETE FROM redirect307_rule WHERE id = $id",
        "DELETE FROM redirect307_rule WHERE ruleset = '$set' AND id > $id",
    );
    push @what, "UPDATE redirect307_rule SET ruleset = '$set' WHERE id = $id",
                "UPDATE redirect307_rule SET id = id + 50 WHERE id = $id"
        if $move;
    return $what[rand @what];
}

# The state of one rule set.
sub state_of {
    my ($store, $ruleset) = @_;
    return join "\n", grep { /\A\d+\|$ruleset\|/ } split /\n/, $store->state;
}

sub test_rollback {
    my ($new, $move) = @_;
    my $store = $new->()->create;
    my (%state, @wrong);

    # what the database gives lies behind what random_change() chooses
    $store->sql('INSERT INTO redirect307_rule (id, ruleset, path, target) '
                . "VALUES (12, 'r', '/i', '/t')");
    $store->sql('DELETE FROM redirect307_rule');
    $state{0} = '';
    for (1 .. 40) {
        $store->try_sql(random_change($move));  # may meet an id: no change
        $state{$store->last_seq} = $store->state;
    }
    my @known = sort { $a <=> $b } keys %state;
    for (1 .. 12) {
        my $seq = $known[rand @known];
        my @words = $move ? () : ('--ruleset', 'r');
        my $other = state_of($store, 's');
        my ($exit, $out, $err) = $store->tool('rollback', @words, $seq);
        my $want = $move ? $state{$seq}
            : join "\n", grep { /\A\d+\|r\|/ } split /\n/, $state{$seq};
        my $got = $move ? $store->state : state_of($store, 'r');
        push @wrong, "to $seq: exit $exit $err", 'got:', $got, 'want:', $want
            if $exit || $got ne $want;
        push @wrong, "to $seq: another rule set has changed"
            if !$move && state_of($store, 's') ne $other;
        last if @wrong;
        $state{$store->last_seq} = $store->state;
        @known = sort { $a <=> $b } keys %state;
    }
    report($store->kind . ': random histories rolled back, '
           . ($move ? 'all rule sets' : 'one rule set'), @wrong);
    is_followed($store, 'after rollbacks');
    return;
}

# An id that another rule set has now.
sub test_rollback_taken {
    my ($new) = @_;
    my $store = $new->()->create;

    $store->sql("$insert ('r', '/a', '/1')");
    $store->sql("UPDATE redirect307_rule SET ruleset = 's'");
    my $before = $store->state;
    my ($exit, undef, $err) = $store->tool('rollback', '--ruleset', 'r', 1);
    report($store->kind . ': rollback of what another rule set has',
           $exit == 3 ? () : "exit $exit",
           $err =~ /the rule 1 belongs to another rule set now/ ? () : $err,
           $store->state eq $before ? () : 'it is changed');
    ($exit) = $store->tool('rollback', 1);
    is(state_of($store, 'r'), $store->state, 'of all rule sets it goes');
    return;
}

# A log that was cut says what it does not know.
sub test_rollback_cut {
    my ($new) = @_;
    my $store = $new->()->create;
    my $kind = $store->kind;
    my ($exit, $out, $err);

    $store->sql("$insert ('r', '/a$_', '/1')") for 1 .. 4;
    $store->sql("UPDATE redirect307_rule SET target = '/2'");
    my $last = $store->last_seq;
    $store->sql('DELETE FROM redirect307_change WHERE seq <= 4');
    ($exit, undef, $err) = $store->tool('rollback', 3);
    report("$kind: rollback to what is no more in the log",
           $exit == 3 ? () : "exit $exit",
           $err =~ /the log does not reach back to 3: it begins with 5/
               ? () : $err);
    ($exit, undef, $err) = $store->tool('rollback', 5);
    report("$kind: rollback to half of it", $exit == 3 ? () : "exit $exit",
           $err =~ /what the rule \d was at 5 is not in the log any more/
               ? () : $err);
    is($store->last_seq, $last, "$kind: nothing was changed");
    $store->sql("UPDATE redirect307_rule SET target = '/3'");
    ($exit, undef, $err) = $store->tool('rollback', $last);
    is($exit, 0, "$kind: what is in the log still can be had") or diag $err;
    is(join(',', $store->sql('SELECT DISTINCT target FROM redirect307_rule')),
       '/2', "$kind: and is it");
    ($exit, undef, $err) = $store->tool('rollback', 0);
    is($exit, 0, "$kind: and nothing, before the log began") or diag $err;
    is($store->state, '', "$kind: is nothing");
    return;
}

sub random_line {
    my $host = ('', '', 'a.example', '*.example')[rand 4];
    my $path = ('/a', '/a/', '/b', '//b', '/c/d')[rand 5];
    my $to = 'https://t.example/' . int rand 6;
    my $more = ('', '', ' exact', ' methods=POST',
                ' from=2026-01-01T00:00:00Z')[rand 5];
    return int rand 4 ? "$host$path $to$more" : '~^/r' . int(rand 4) . " $to";
}

# The lines of each class, in their order.
sub classes {
    my (@lines) = @_;
    my %class;

    for my $line (@lines) {
        my ($first) = $line =~ /\A(\S+)/;
        my $key = $first =~ /\A~/ ? '~'
                : ($line =~ / exact/ ? 'exact ' : '')
                  . ($first =~ s{/+}{/}gr =~ s{(?<=.)/\z}{}r);
        $class{$key} .= "$line\n";
    }
    return join "\n", map { "$_:\n$class{$_}" } sort keys %class;
}

sub test_replace {
    my ($new) = @_;
    my $store = $new->()->create;
    my (@wrong, @lines);

    for my $round (1 .. 15) {
        my $n = 1 + int rand 20;
        my $from = int rand 1 + @lines;
        splice @lines, $from, int(rand 4), map { random_line() } 1 .. $n / 4;
        @lines = map { random_line() } 1 .. $n if $round % 5 == 1;
        push @lines, '/last https://t.example/';
        R307::Env::write_file("$dir/random.rules", join '', map { "$_\n" }
                              @lines);
        my ($exit, $out, $err) = $store->tool('import', '--ruleset', 'r',
                                              '--replace', "$dir/random.rules");
        push @wrong, "exit $exit: $err" if $exit;
        (undef, $out) = $store->tool('export', '--ruleset', 'r');
        my ($got, $want) = (classes(split /\n/, $out), classes(@lines));
        push @wrong, 'got:', $got, 'want:', $want if $got ne $want;
        ($exit, $out) = $store->tool('import', '--ruleset', 'r', '--replace',
                                     "$dir/random.rules");
        push @wrong, "again: $out"
            if $out !~ / 0 rules added, 0 changed, 0 deleted/;
        last if @wrong;
    }
    report($store->kind . ': random files replace each other', @wrong);
    is_followed($store, 'after replacing');
    return;
}

# A line more or less is one change.
sub test_replace_little {
    my ($new) = @_;
    my $store = $new->()->create;
    my @lines = map { ("/p$_ /t", "~^/r$_ /t") } 1 .. 2000;
    my $replace = sub {
        R307::Env::write_file("$dir/many.rules", join '', map { "$_\n" } @_);
        my ($exit, $out, $err) = $store->tool(
            'import', '--ruleset', 'r', '--replace', "$dir/many.rules");
        return $exit ? $err : $out;
    };
    my $says = sub {
        my ($name, $want, @now) = @_;
        my $got = $replace->(@now);
        report($store->kind . ": $name", $got =~ $want ? () : $got);
    };

    $says->('4,000 rules', qr/: 4000 rules added, 0 changed, 0 deleted/,
            @lines);
    $store->sql("UPDATE redirect307_rule SET note = 'kept' WHERE id > 3");
    $says->('one line less', qr/: 0 rules added, 0 changed, 1 deleted/,
            @lines[0 .. 999, 1001 .. 3999]);
    $says->('one expression less', qr/: 0 rules added, 0 changed, 1 deleted/,
            @lines[0 .. 998, 1001 .. 3999]);
    $says->('another order of paths', qr/: 0 rules added, 0 changed, 0 del/,
            reverse(grep { m{^/} } @lines[0 .. 998, 1001 .. 3999]),
            grep { !m{^/} } @lines[0 .. 998, 1001 .. 3999]);
    $says->('one line more', qr/: 1 rules added, 0 changed, 0 deleted/,
            '/new /t', @lines[0 .. 998, 1001 .. 3999]);
    $says->('one line another', qr/: 0 rules added, 1 changed, 0 deleted/,
            '/new /u', @lines[0 .. 998, 1001 .. 3999]);
    my ($n) = $store->sql("SELECT count(*) FROM redirect307_rule WHERE "
                          . "note = 'kept'");
    is($n, 3995, $store->kind . ': notes stay');
    return;
}

# ---- size ----

sub test_large {
    my ($new) = @_;
    my $store = $new->()->create;
    my $kind = $store->kind;
    my $n = $ENV{R307_SLOW} ? 5_000 : 30_000;

    R307::Env::write_file("$dir/large.rules",
        join('', map { "/p/$_ https://t.example/$_\n" } 1 .. $n)
        . "/bad nowhere\n");
    my ($exit, $out, $err) = $store->tool('import', '--ruleset', 'r',
                                          "$dir/large.rules");
    is($exit, 1, "$kind: a bad line behind $n good ones");
    is($store->state, '', "$kind: and nothing is there");
    is($err =~ tr/\r//, 0, "$kind: no bar where there is no terminal");
    R307::Env::write_file("$dir/large.rules",
        join '', map { "/p/$_ https://t.example/$_\n" } 1 .. $n);
    ($exit, $out, $err) = $store->tool('import', '--ruleset', 'r',
                                       "$dir/large.rules");
    like($out, qr/: $n rules added/, "$kind: $n rules") or diag $err;
    ($exit, $out) = $store->tool('export', '--ruleset', 'r');
    open my $fh, '<', "$dir/large.rules" or die $!;
    is(length $out, -s "$dir/large.rules", "$kind: as many bytes come back");
    ok($out eq join('', <$fh>), "$kind: the same, in their order");
    R307::Env::write_file("$dir/large.rules", "/only https://t.example/\n");
    ($exit, $out) = $store->tool('import', '--ruleset', 'r', '--replace',
                                 "$dir/large.rules");
    like($out, qr/: 1 rules added, 0 changed, $n deleted/,
         "$kind: and are replaced");
    return;
}

sub test_progress {
    my ($script) = grep { -x } map { "$_/script" } split /:/, $ENV{PATH};
    SKIP: {
        skip 'no script(1): the bar is not looked at', 2 if !$script;
        my $store = R307::SqlStore->sqlite->create;
        R307::Env::write_file("$dir/bar.rules",
                              join '', map { "/$_ /x\n" } 1 .. 2000);
        my $tool = R307::Tool::path();
        my $file = $store->db->path;
        my $out = `TERM=xterm $script -qec "$tool sql import --sqlite $file --ruleset r $dir/bar.rules" /dev/null </dev/null`;
        like($out, qr/\r\S*bar\.rules \[#* *\] +\d+%/, 'a bar on a terminal');
        like($out, qr/\r\e\[K.*2000 rules added/s, 'which goes away');
    }
    return;
}

srand($ENV{R307_SEED} || 307);
for my $new (@kinds) {
    test_init($new);
    test_init_blocked($new);
    test_commands($new);
    test_rows($new);
    test_odd_values($new);
    test_log($new);
    test_evil($new);
    test_evil_columns($new);
    test_rollback($new, 0);
    test_rollback($new, 1);
    test_rollback_cut($new);
    test_rollback_taken($new);
    test_replace($new);
    test_replace_little($new);
    test_large($new);
}
test_help();
test_log_sqlite();
test_log_postgres();
test_concurrency();
test_roles();
test_db_file(test_credentials());
test_locked();
test_no_database();
test_progress();

end_suite();
