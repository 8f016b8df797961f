# The examples work as they are: examples/sqlite.conf after redirect307 sql
# init, and examples/fleet, which shows a fleet on PostgreSQL and leaves nothing
# behind.
use strict;
use warnings;

use IO::Handle ();
use POSIX qw(WNOHANG _exit);
use Time::HiRes qw(sleep time);

use R307::Live;
use R307::Fleet;
use R307::Sqlite;
use R307::Tables;
use R307::Tool;

use constant PATIENCE => $ENV{R307_SLOW} ? 120 : 15;
use constant FLEET_SECONDS => $ENV{R307_SLOW} ? 600 : 120;

if (!R307::Fleet::has_modules()) {
    plan(skip_all => 'this httpd has no mod_dbd or no mod_watchdog');
}
if (my @missing = grep { length } R307::Fleet::missing(),
                                 R307::Sqlite::missing()) {
    fail("what the suite needs is there: install the packages @missing");
    end_suite();
    exit 1;
}

# ---- sqlite.conf ----

sub sql {
    my ($command, @args) = @_;
    my ($code, $out, $err) = R307::Tool::run('sql', $command, @args);
    is($code, 0, "redirect307 sql $command") || diag($out, $err);
    return;
}

# The directory is given to httpd's user, as the file says.
sub give_away {
    return if $> != 0;
    chown +(getpwnam $ENV{R307_USER})[2, 3], @_ or die "chown @_: $!\n";
    return;
}

sub arrives {
    my ($srv, $target, $answer, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    wait_until(PATIENCE, sub { answer($srv, $target) eq $answer });
    return is(answer($srv, $target), $answer, $name);
}

my $dir = R307::Env::scratch('sqlite');
my @store = ('--sqlite', "$dir/rules.db");
sql('init', @store);
give_away($dir, glob "$dir/*");
my $srv = server(name => 'sqlite',
                 modules => ['dbd', R307::Tables::modules()],
                 config => <<"EOC");
Define R307_DATABASE $dir/rules.db
Include "$ENV{R307_TOP}/examples/sqlite.conf"
EOC
passes($srv->get('/old'), 404, 'sqlite.conf: no rule yet');
sql('put', @store, '--ruleset', 'shop', '/old', 'https://www.example.org/new');
give_away(glob "$dir/*");
arrives($srv, '/old/a', '307 https://www.example.org/new/a',
        'sqlite.conf: a rule arrives');

# Somebody writes for a while whenever the server may look: it waits, and does
# not complain.
open my $writer, '|-', 'sqlite3', "$dir/rules.db" or die "sqlite3: $!\n";
$writer->autoflush(1);
for my $n (1 .. 6) {
    print {$writer} "BEGIN EXCLUSIVE;\n";
    sleep 0.6;
    print {$writer} "INSERT INTO redirect307_rule (ruleset, path, target)"
        . " VALUES ('shop', '/old$n', '/new'); COMMIT;\n";
    sleep 0.5;
}
close $writer;
is($?, 0, 'sqlite.conf: another client writes');
arrives($srv, '/old6', "307 http://localhost:@{[ $srv->port ]}/new",
        'sqlite.conf: and that arrives');

# ---- fleet ----

my $script = "$ENV{R307_TOP}/examples/fleet";

# Runs it; returns exit status and output.
sub fleet {
    my ($env, @args) = @_;
    my $out = R307::Env::scratch('fleet') . '/out';
    local @ENV{keys %$env} = values %$env;
    my $pid = fork;

    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', $out;
        open STDERR, '>&', \*STDOUT;
        exec {$script} $script, @args or _exit(127);
    }
    my $deadline = time + FLEET_SECONDS;
    my $told = 0;
    while (waitpid($pid, WNOHANG) != $pid) {
        kill 'TERM', $pid if time > $deadline && !$told++;
        if (time > $deadline + 60) {
            kill 'KILL', $pid;
            waitpid $pid, 0;
            last;
        }
        sleep 0.05;
    }
    my $status = $? >> 8;
    open my $fh, '<', $out or return ($status, '');
    local $/;
    return ($status, scalar <$fh>);
}

# Processes of it that still run.
sub left_in {
    my ($place) = @_;
    return grep {
        my $line = '';
        if (open my $fh, '<', $_) {
            local $/;
            $line = <$fh>;
        }
        defined $line && index($line, $place) >= 0
    } glob '/proc/[0-9]*/cmdline /proc/[0-9]*/environ';
}

my $tmp = R307::Env::scratch('tmp');
my ($status, $said) = fleet({ TMPDIR => $tmp });
is($status, 0, 'fleet: it succeeds') || diag($said);
for my $line (split /\n/, <<'EOC') {
1. PostgreSQL gets the schema
    three  http://127.0.0.1:PORT/shop/cart  ->  307 https://shop.example/cart
    one  http://127.0.0.1:PORT/shop/cart  ->  307 https://new.example/cart
4. The database is stopped.
5. The database is back
    two  http://127.0.0.1:PORT/sale/today  ->  307 https://sale.example/today
    four  http://127.0.0.1:PORT/sale/today  ->  307 https://sale.example/today
Everything is stopped.
EOC
    (my $re = quotemeta $line) =~ s/PORT/\\d+/;
    like($said, qr/^$re/m, "fleet: it says: $line");
}
is(join(' ', glob "$tmp/*"), '', 'fleet: no file is left');
is(join(' ', left_in("$tmp/")), '', 'fleet: no process is left');

($status, $said) = fleet({}, '--help');
is($status, 0, 'fleet --help succeeds');
like($said, qr/^Usage: examples\/fleet /, 'fleet --help says how');
($status, $said) = fleet({}, '--more');
is("$status $said", "1 fleet: unknown argument \"--more\"; see examples/fleet"
   . " --help\n", 'fleet: another argument');
($status, $said) = fleet({ R307_BUILD => $tmp, TMPDIR => $tmp });
is("$status $said", "1 fleet: nothing is built in $tmp; run ./quickstart"
   . " first, or set R307_BUILD\n", 'fleet: nothing is built');

end_suite();
