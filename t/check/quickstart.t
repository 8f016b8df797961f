# ./quickstart as a user meets it: it serves, the commands it prints work, it
# stops without a trace, and what goes wrong is one sentence and a non-zero
# exit.  It uses the build that is under test.
use strict;
use warnings;

use Test::More;
use IO::Socket::INET ();
use JSON::PP ();
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);
use Check qw(srcdir builddir build_env run tempdir slurp spew);

plan skip_all => 'a sanitizer build runs the live tests instead'
    if build_env('R307_SANITIZERS') ne 'no';
plan skip_all => 'curl is not installed' if (run('curl', '--version'))[0] != 0;

my $dir = tempdir();
chmod 0755, $dir;                       # httpd's user must pass
mkdir "$dir/tmp" or die $!;
chmod 0755, "$dir/tmp";
my $script = srcdir() . '/quickstart';
my ($port, $echo_port) = free_ports();

delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL CC CFLAGS)};
$ENV{TMPDIR} = "$dir/tmp";
$ENV{R307_BUILD} = builddir();
$ENV{R307_PORT} = $port;
$ENV{R307_ECHO_PORT} = $echo_port;

# Two ports that nobody listens on.
sub free_ports {
    my @socket = map {
        IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1,
                              ReuseAddr => 1) || die "no free port: $!\n"
    } 1 .. 2;
    return map { $_->sockport } @socket;
}

# A file that may not be there yet.
sub peek {
    my ($path) = @_;
    return -e $path ? slurp($path) : '';
}

# Starts quickstart; returns its process id.
sub start {
    my ($name) = @_;
    my $pid = fork;

    die "fork: $!\n" if !defined $pid;
    if ($pid == 0) {
        # Below a job in the background SIGINT would be ignored for good.
        $SIG{INT} = 'DEFAULT';
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/$name.out";
        open STDERR, '>', "$dir/$name.err";
        exec $script or POSIX::_exit(127);
    }
    return $pid;
}

# Waits until the condition holds; false after that many seconds.
sub wait_for {
    my ($seconds, $condition) = @_;
    my $end = time + $seconds;

    while (time < $end) {
        return 1 if $condition->();
        sleep 0.05;
    }
    return 0;
}

# The exit status of a process that ends within the time, else undef.
sub reap {
    my ($pid, $seconds) = @_;
    my $status;

    wait_for($seconds, sub {
        return 0 if waitpid($pid, WNOHANG) != $pid;
        $status = $?;
        return 1;
    });
    return $status;
}

# All processes below one, itself excluded.
sub descendants {
    my ($top) = @_;
    my %parent;

    for my $file (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $file or next;
        my $stat = <$fh> // next;
        $parent{$1} = $2 if $stat =~ /^(\d+) \(.*\) \S (\d+)/s;
    }
    my %below = ($top => 1);
    for (1 .. 5) {
        $below{$_} = 1 for grep { $below{$parent{$_}} } keys %parent;
    }
    delete $below{$top};
    return sort { $a <=> $b } keys %below;
}

# Runs quickstart to its end with other environment variables.
sub quickstart {
    my ($env, @args) = @_;
    local @ENV{keys %$env} = values %$env;
    my ($status) = run('sh', '-c', 'exec "$0" "$@" >"$OUT" 2>"$ERR"',
                       $script, @args);
    return ($status, slurp("$dir/once.out"), slurp("$dir/once.err"));
}
$ENV{OUT} = "$dir/once.out";
$ENV{ERR} = "$dir/once.err";

sub one_sentence {
    my ($err, $like, $name) = @_;
    like($err, qr/\Aquickstart: [^\n]+\n\z/, "$name: one line on stderr");
    like($err, $like, "$name: it says what");
}

for my $signal (qw(TERM INT)) {
    my $pid = start($signal);
    my $up = wait_for(60, sub {
        return 1 if peek("$dir/$signal.out") =~ /decides \(log/;
        return kill(0, $pid) == 0 || -s "$dir/$signal.err";
    });
    my $out = peek("$dir/$signal.out");
    ok($up && $out =~ /^\s+curl /m, "SIG$signal: it starts")
        or diag $out, peek("$dir/$signal.err");

    if ($signal eq 'TERM') {
        my @commands = $out =~ /^\s+(curl .*)$/gm;
        is(scalar @commands, 3, 'it prints three commands');
        try_commands(@commands);
        try_page();

        my ($status, undef, $err) = quickstart({});
        isnt($status, 0, 'a busy port is an error');
        one_sentence($err, qr/\bport $port\b.*R307_PORT/, 'busy port');
        ($status, undef, $err) = quickstart({ R307_PORT => (free_ports())[0] });
        isnt($status, 0, 'so is a busy second port');
        one_sentence($err, qr/\bport $echo_port\b.*R307_ECHO_PORT/,
                     'busy second port');
    }

    my @below = descendants($pid);
    cmp_ok(scalar @below, '>=', 3, "SIG$signal: httpd has processes");
    kill $signal, $pid;
    my $status = reap($pid, 20);
    is($status, 0, "SIG$signal: exit status 0");
    is(join(' ', grep { kill 0, $_ } @below), '', 'no process is left');
    is(join(' ', glob "$dir/tmp/*"), '', 'no scratch directory is left');
    is(slurp("$dir/$signal.err"), '', 'nothing on stderr');
    kill 'KILL', $pid, @below if !defined $status;
}

# The commands as printed.
sub try_commands {
    my (@commands) = @_;
    my @answer = map { (run('sh', '-c', "$_ --silent --max-time 10"))[1] }
                 @commands;

    like($answer[0], qr/^method: POST$/m, 'the form arrives as a POST');
    like($answer[0], qr{^url: /fallback/pay\?x=1$}m, 'at the fallback');
    like($answer[0], qr/^body: card=1$/m, 'with its body');
    like($answer[0], qr{^header: Content-Type: application/x-www-form-url}m,
         'and its type');
    like($answer[1], qr{^HTTP/1\.1 307 }, 'the PUT is answered by a 307');
    like($answer[1], qr{^Location: http://127\.0\.0\.1:$echo_port/api/v2/items/42\r$}m,
         'to the new API');
    like($answer[2], qr{^Location: http://\S+/manual/a%2Fb/caf%C3%A9\r$}m,
         'what the client encoded stays as it was');
    like($answer[2], qr{^Cache-Control: max-age=60\r$}m, 'with its lifetime');
    my (undef, $page) = run('curl', '-s', "http://127.0.0.1:$port/");
    like($page, qr{<form method="post" action="/checkout}, 'the page is served');
    my (undef, $head) = run('curl', '-sI', "http://127.0.0.1:$port/");
    like($head, qr{^Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self';}m,
         'and allows itself no more than it needs');
    return;
}

# What a visitor with a browser sees, on a desk and on a phone.
sub try_page {
    my $modules = builddir() . '/browser';
    my ($chromium) = grep { -x } map { "$_/chromium" } split /:/, $ENV{PATH};

  SKIP: {
        skip 'no driver for browsers: make browser-modules', 1
            if !-d "$modules/node_modules/playwright-core";
        ok($chromium, 'chromium is there') or return;
        my ($status, $out) = run('timeout', 120, 'node',
            srcdir() . '/t/browser/page.mjs', "http://127.0.0.1:$port/",
            $modules, $chromium);
        is($status, 0, 'a browser visits the page') or diag $out;
        my @seen = map { JSON::PP::decode_json($_) } grep { /^\{/ }
                   split /\n/, $out;
        is(join(' ', map { $_->{window} } @seen), 'desk phone', 'in two windows');
        seen_by_visitor($_) for @seen;
    }
    return;
}

sub seen_by_visitor {
    my ($seen) = @_;
    my $window = $seen->{window};

    is_deeply($seen->{verdicts}, [
        '307 Arrived as it was sent', '302 Arrived as a GET, empty',
        '307 Arrived as it was sent', '302 Arrived as a GET, empty',
        '307 Arrived as it was sent', '302 Did not arrive',
    ], "$window: what a 307 keeps, and a 302 loses");
    is($seen->{told}, '307: Arrived as it was sent. 302: Arrived as a GET, empty.',
       "$window: also for those who can not see it");
    like($seen->{arrived}, qr/^method: POST$/m, "$window: a form without script");
    like($seen->{arrived}, qr/^body: name=Zo%C3%AB\+J%C3%BCrgens&card=/m,
         "$window: with its fields");
    ok(!$seen->{wide}, "$window: nothing stands out at the side");
    is(join("\n", @{ $seen->{complaints} }), '', "$window: no complaints");
    return;
}

# ---- what goes wrong

my ($status, $out, $err) = quickstart({}, '--help');
is($status, 0, '--help');
like($out, qr/^Usage: /, '--help prints the usage');
($status, undef, $err) = quickstart({}, 'nonsense');
isnt($status, 0, 'an unknown argument is an error');
one_sentence($err, qr/nonsense.*--help/, 'unknown argument');
($status, undef, $err) = quickstart({ R307_PORT => '80x' });
isnt($status, 0, 'a port that is no number is an error');
one_sentence($err, qr/80x/, 'port');

mkdir "$dir/build" or die $!;
my %broken = (R307_BUILD => "$dir/build", CC => 'false');
($status, undef, $err) = quickstart(\%broken);
isnt($status, 0, 'a failed build is an error');
my ($log) = $err =~ /the build failed: .+; see (\S+)$/;
one_sentence($err, qr/the build failed/, 'failed build');
ok(defined $log && -s $log, 'and names a log that exists');

# A machine on which one program is missing: a PATH of our own.
mkdir "$dir/bin" or die $!;
for my $name (qw(sh bash env dirname basename nproc perl mkdir sed grep cat tr
                 rm head tail make gcc nm pkg-config prove curl setsid
                 apache2 apxs apr-1-config apu-1-config pcre2-config autoreconf
                 automake)) {
    my ($path) = grep { -x } map { "$_/$name" }
                 split(/:/, $ENV{PATH}), '/usr/sbin';
    symlink $path, "$dir/bin/$name" if $path;
}

# Programs that tell what they were called with.
sub stand_in {
    my ($name, $body) = @_;
    chmod 0755, spew("$dir/bin/$name", "#!/bin/sh\n$body\n");
    return;
}
stand_in('apt-get', "echo \"\$*\" >>'$dir/apt'; exit 0");
stand_in('id', 'echo 1000');
my %missing = (%broken, PATH => "$dir/bin");

($status, undef, $err) = quickstart(\%missing);
isnt($status, 0, 'a missing package, and no way to install it, is an error');
one_sentence($err, qr/run as root: apt-get install libtool$/, 'no root');
ok(!-e "$dir/apt", 'apt-get was not run');

stand_in('id', 'echo 0');
quickstart(\%missing);
like(slurp("$dir/apt"), qr/\A[^\n]*install[^\n]* libtool\n\z/,
     'root installs what is missing, and fetches no lists for it');

unlink "$dir/apt";
stand_in('apt-get', "echo \"\$*\" >>'$dir/apt'; exit 100");
($status, undef, $err) = quickstart(\%missing);
isnt($status, 0, 'apt-get that fails is an error');
one_sentence($err, qr/could not install libtool; see \S+\.log$/, 'apt-get');
like(slurp("$dir/apt"), qr/install.*\n.* update\n/, 'after fetching the lists');

done_testing();
