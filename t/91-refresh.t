# Tables follow their sources while the server serves: every way in which a
# source changes (data/live-tables-refresh.tsv), compiles that are killed,
# children that are killed, a disk that is full, and a source that is no file.
# Whatever happens, the last good table serves, and the next good version is
# picked up.
#
# When the child that looks at the sources is killed, mod_watchdog takes 11
# seconds to let another one do it.  The suite uses that time: it kills, goes
# on with something else, and comes back.
use strict;
use warnings;

use POSIX ();
use Time::HiRes qw(sleep time);

use R307::Live;
use R307::Tables;

use constant SECONDS => $ENV{R307_SLOW} ? 10 : 2;

my @modules = R307::Tables::modules();
if (!@modules && !R307::Env::is_static('watchdog')) {
    plan(skip_all => 'this httpd has no mod_watchdog: nothing is refreshed');
}

# A server with one table, "t", over a source that is returned too.
sub one_table {
    my ($name, $text, $directives) = @_;
    my $source = R307::Env::scratch('sources') . '/t.rules';

    R307::Tables::put($source, $text);
    my $srv = server(name => $name, modules => \@modules,
        config => steady() . ($directives || '')
                . "Redirect307Table t file:$source refresh=1\n"
                . "Redirect307Use t\n");
    return ($srv, $source);
}

sub version { "/t https://t.example/$_[0]\n" }
sub to      { "307 https://t.example/$_[0]" }

# The version is served in time.
sub arrives {
    my ($srv, $n, $name, $seconds) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    wait_until($seconds || R307::Tables::PATIENCE,
               sub { answer($srv, '/t') eq to($n) });
    return is("@{[ settled($srv, '/t') ]}", to($n), $name);
}

# ---- a compile is killed ----

# So many rules take a while to compile and to write.
my $many = join '', map { "/shop/item-$_ https://t.example/articles/$_\n" }
                        1 .. 150_000;

# Kills the child that has a file open whose name matches; returns its id.
sub kill_who_has {
    my ($srv, $re) = @_;
    my $killed;

    wait_until(R307::Tables::PATIENCE, sub {
        for my $pid (children($srv)) {
            next if !grep { $_ =~ $re } descriptors($pid);
            kill 'KILL', $pid;
            $killed = $pid;
        }
        return $killed;
    }, 0.002);
    return $killed;
}

my @interrupted = map {
    my ($what, $re) = @$_;
    my ($srv, $source) = one_table("killed-$what", version(1));

    answer($srv, '/t');
    R307::Tables::put($source, $many . version(2));
    ok(kill_who_has($srv, $re), "a child is killed while $what");
    is(answer($srv, '/t'), to(1), 'the last good table serves');
    { what => $what, srv => $srv, source => $source };
} ['reading', qr{/t\.rules\z}], ['writing', unfinished_re()];

is(scalar unfinished(compiled_file($interrupted[1]{srv}, 't')), 1,
   'a part of the new table lies there');

# ---- children are killed, again and again ----

my ($tormented, $tormented_source) = one_table('killed-children', version(0));

# The child that compiled last.
sub compiler {
    my ($srv) = @_;
    my ($line) = grep { $_->{id} eq 'R307-0622' } reverse $srv->log->since;
    return $line && $line->{text} =~ /\[pid (\d+)/ ? $1 : 0;
}

$tormented->log->mark;
R307::Tables::put($tormented_source, version(1));
arrives($tormented, 1, 'before anything is killed');

my ($asked, $unanswered, @wrong) = (0, 0);
my $spared = compiler($tormented);
ok($spared, 'the child that compiles is known');
for my $n (2 .. 5) {
    R307::Tables::put($tormented_source, version($n));
    my ($next, $seen, $ends) = (0, 0, time + SECONDS + 1);
    while (time < $ends) {
        my @others = grep { $_ != $spared } children($tormented);
        if (time >= $next && time < $ends - 1 && @others) {
            kill 'KILL', $n % 2 ? @others : $others[ $asked % @others ];
            $next = time + 0.2;
        }
        my $got = answer($tormented, '/t');
        $asked++;
        $unanswered++ if $got =~ /\Ano answer/;     # its child was killed
        $seen = 1 if $got eq to($n);
        push @wrong, "version $n: $got"
            if $got !~ /\Ano answer/ && $got ne to($n)
            && ($seen || $got ne to($n - 1));
        last if $seen && time > $ends - 1;
        sleep 0.01;
    }
    push @wrong, "version $n did not arrive" if !$seen;
}
is(join("\n", grep { defined } @wrong[0 .. 5]), '',
   'while children are killed every answer is from the last or the new table');
cmp_ok($unanswered, '<', $asked / 3,
       "and most requests are answered ($unanswered of $asked are not)");

R307::Tables::put($tormented_source, version(6));
kill 'KILL', children($tormented);
wait_until(R307::Tables::PATIENCE,
           sub { answer($tormented, '/t') !~ /\Ano answer/ });
# The new version may have been seen before the last one was killed.
my ($last, $new) = (to(5), to(6));
like(answer($tormented, '/t'), qr/\A(?:\Q$last\E|\Q$new\E)\z/,
     'all are killed: new ones serve what was served last');

# ---- what happens to sources ----

{
    my @rows = R307::Table::read_table('live-tables-refresh.tsv');
    my $dir  = R307::Env::scratch('sources');
    my $path = sub { "$dir/$_[0].rules" };
    my (%known, @names);
    my $config = steady();

    # A table's first row is how it starts.
    for my $row (grep { !$known{ $_->{table} }++ } @rows) {
        my $refresh = $row->{options} =~ /refresh=/ ? '' : 'refresh=1';
        push @names, $row->{table};
        change($row->{how}, $path->($row->{table}),
               R307::Table::unescape($row->{source}));
        $config .= "Redirect307Table $row->{table} file:"
                 . $path->($row->{table}) . " $row->{options} $refresh\n";
        $row->{how} = 'keep';
    }
    my $srv = server(name => 'refresh', modules => \@modules,
                     config => "${config}Redirect307Use @names\n");
    walk_changes($srv, \@rows, path => $path);
    $srv->stop;
}

# ---- what became of those that were killed ----

for my $case (@interrupted) {
    my ($what, $srv, $source) = @$case{qw(what srv source)};

    arrives($srv, 2, "killed while $what: another child compiles it",
            R307::Tables::TAKEOVER);
    is(answer($srv, '/shop/item-150000'),
       '307 https://t.example/articles/150000', 'all of it');
    is("@{[ unfinished(compiled_file($srv, 't')) ]}", '',
       'and nothing is left over');
}
arrives($tormented, 6, 'all were killed: another child compiles it',
        R307::Tables::TAKEOVER);

{
    my ($srv, $source) = @{ $interrupted[0] }{qw(srv source)};
    my $victim = $srv->root . '/victim';

    R307::Env::write_file($victim, "precious\n");
    chmod 0666, $victim;
    # By whichever child writes it.
    for my $pid (children($srv)) {
        symlink $victim, compiled_file($srv, 't') . ".new.$pid.0"
            or die "symlink: $!\n";
    }
    R307::Tables::put($source, version(3));
    arrives($srv, 3, 'a link where the new table is written');
    is(-s $victim, 9, 'is not followed');
}
$_->stop for $tormented, map { $_->{srv} } @interrupted;

# ---- the disk is full ----

# As one_table(), with httpd started by a line of shell, in which $3 is
# ServerRoot and "$@" are httpd's arguments.  Compiled tables are in disk/state.
sub start_through {
    my ($script, $name, $text) = @_;
    my $path  = R307::Env::scratch('wrapper') . '/httpd';
    my $httpd = R307::Env::httpd();

    R307::Env::write_file($path, "#!/bin/sh\nmkdir \"\$3/disk\"\n$script\n");
    chmod 0755, $path;
    local $ENV{R307_WRAPPED} = $httpd;
    local $ENV{R307_HTTPD} = $path;
    return one_table($name, $text,
                     "Redirect307StateDir \"\@ROOT\@/disk/state\"\n");
}

# How httpd is started, how the disk grows, what the system says.
my %disk = $> == 0 && system('unshare -m true 2>/dev/null') == 0
    # A file system that only the server's processes see; it goes with them.
    ? (start => 'exec unshare -m sh -c \'mount -t tmpfs -o size=300k,mode=0755'
              . ' none "$3/disk" && exec "$R307_WRAPPED" "$@"\' sh "$@"',
       grow => sub {
           my ($srv) = @_;
           return system('nsenter', '-m', '-t', $srv->pid, 'mount', '-o',
                         'remount,size=64m', $srv->root . '/disk');
       },
       says => 'No space left on device')
    # A limit for the size of files.
    : (start => 'exec prlimit --fsize=1000000: "$R307_WRAPPED" "$@"',
       grow => sub {
           my ($srv) = @_;
           my @raise = ('prlimit', '--fsize=unlimited:', '--pid');
           my $failed = system(@raise, $srv->pid);
           # Root may not do it to other users' processes everywhere; a new
           # child has the limit of its parent.
           for my $pid (children($srv)) {
               kill 'KILL', $pid if $> == 0 || system(@raise, $pid) != 0;
           }
           return $failed;
       },
       says => 'File too large');

my $large = join '', map { "/shop/item-$_ https://t.example/articles/$_\n" }
                         1 .. 15_000;
{
    my ($srv, $source) = start_through($disk{start}, 'full-disk', version(1));
    my $file = "/proc/@{[ $srv->pid ]}/root@{[ $srv->root ]}"
             . '/disk/state/t.table';

    $srv->log->mark;
    R307::Tables::put($source, $large . version(2));
    logged($srv, qr{R307-0621: table t is not compiled: .*$disk{says}},
           "a full disk: it is said: $disk{says}");
    is("@{[ settled($srv, '/t') ]}", to(1), 'the last good table serves');
    is("@{[ -e $file, unfinished($file) ]}", 1,
       'nothing is left of the new one');
    R307::Tables::put($source, version(3));
    arrives($srv, 3, 'a smaller version finds room');
    $srv->log->mark;
    R307::Tables::put($source, $large . version(4));
    wait_until(R307::Tables::PATIENCE,
               sub { told($srv, 't', 'R307-0621') });
    is($disk{grow}->($srv), 0, 'the disk grows');
    arrives($srv, 4, 'then the large version is compiled',
            R307::Tables::TAKEOVER);
    $srv->stop;
}

# ---- a source that is no file ----

{
    my ($srv, $source) = one_table('fifo', version(1));
    $srv->log->mark;
    unlink $source;
    POSIX::mkfifo($source, 0666) or die "mkfifo: $!\n";
    logged($srv, qr{R307-06\d\d: table t\b.*\Q$source\E},
           'a FIFO in place of the source: it is said that this is none');
    is(answer($srv, '/t'), to(1), 'the last good table serves');
    # Whoever waits for a writer goes on now.
    my $fh;
    close $fh if sysopen($fh, $source,
                         POSIX::O_WRONLY() | POSIX::O_NONBLOCK());
    R307::Tables::put($source, version(2));
    arrives($srv, 2, 'the next good version is picked up');
    $srv->stop;
}

end_suite(allow => [map { "R307-$_" } qw(0620 0621 0630)]);
