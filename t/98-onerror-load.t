# A site whose application dies and comes back every second, and 200 visitors
# who post all the while: every POST arrives once, at the application or at the
# fallback, or its sender gets an error; none becomes a GET, none arrives
# with another body. R307_ONERROR_SECONDS is how long (10).
#
# The rule is for 503, which mod_proxy answers when it could not connect: then
# the application has seen nothing. After 502 it may have.
use strict;
use warnings;

use POSIX qw(WNOHANG _exit);
use Time::HiRes qw(sleep time);

use R307::Echo;
use R307::Live;

use constant SECONDS => $ENV{R307_ONERROR_SECONDS} || 10;
use constant VISITORS => 200;

if (my @missing = R307::Echo::missing(node => 'nodejs')) {
    fail("the client is there: install the packages @missing");
    end_suite();
    exit 1;
}

my $program = R307::Env::work() . '/t/data/onerror-load.mjs';
my $dir = R307::Env::scratch('load');
my %pid;            # of what was started, by name

sub start {
    my ($name, @args) = @_;
    my $pid = fork;

    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$dir/$name.out";
        open STDERR, '>&', \*STDOUT;
        exec 'node', $program, @args or _exit(127);
    }
    $pid{$name} = $pid;
    return;
}

sub end {
    my ($name) = @_;
    my $pid = delete $pid{$name} or return;
    local ($?, $!);
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return;
}

END { end($_) for keys %pid }

sub lines_of {
    my ($file) = @_;
    open my $fh, '<', "$dir/$file" or return ();
    return map { [split ' '] } <$fh>;
}

sub answers {
    my ($port) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
                                  Proto => 'tcp', Timeout => 1);
    return defined $s;
}

sub wait_for_port {
    my ($port) = @_;
    my $deadline = time + 20;
    until (answers($port)) {
        return 0 if time > $deadline;
        sleep 0.05;
    }
    return 1;
}

my ($application, $fallback) = (R307::Ports::take(), R307::Ports::take());
my $srv = server(name => 'load', config => <<"EOC");
LogLevel redirect307:info
<IfModule mpm_prefork_module>
    ServerLimit 210
    MaxRequestWorkers 210
</IfModule>
<IfModule !mpm_prefork_module>
    ServerLimit 8
    ThreadsPerChild 32
    MaxRequestWorkers 256
    MinSpareThreads 32
    MaxSpareThreads 256
</IfModule>
ProxyPass "/" "http://127.0.0.1:$application/" retry=0
Redirect307OnError 503 http://127.0.0.1:$fallback
EOC

start('fallback', 'serve', $fallback, "$dir/fallback");
start('application', 'serve', $application, "$dir/application");
ok(wait_for_port($fallback) && wait_for_port($application),
   'both ends are there');
start('load', 'load', 'http://127.0.0.1:' . $srv->port . '/form?x=1',
      VISITORS, SECONDS, "$dir/sent");

# Down for half a second, then up for about as long.
my $deadline = time + SECONDS + 60;
my $restarts = 0;
while ($pid{load} && time < $deadline) {
    sleep 0.5;
    if (waitpid($pid{load}, WNOHANG) == $pid{load}) {
        delete $pid{load};
        is($?, 0, 'the visitors have ended by themselves');
        last;
    }
    if ($pid{application}) {
        end('application');
        $restarts++;
    }
    else {
        start('application', 'serve', $application, "$dir/application");
    }
}
ok(!$pid{load}, 'and in time');
end($_) for keys %pid;

# ---- what came of it ----

my (%arrived, @strange, %outcome, %where);
for my $where (qw(application fallback)) {
    for (lines_of($where)) {
        my ($id, $method, $length, $sum) = @$_;
        push @{ $arrived{$id} }, "$method $length $sum";
        $where{$where}++;
    }
}
my @sent = lines_of('sent');
my %known = map { $_->[0] => 1 } @sent;
for (@sent) {
    my ($id, $length, $sum, $outcome, $hops) = @$_;
    my @got = @{ $arrived{$id} || [] };

    $outcome{$outcome}++;
    push @strange, "$id arrived " . @got . " times" if @got > 1;
    push @strange, "$id was answered 200 and has not arrived"
        if $outcome eq '200' && !@got;
    push @strange, "$id arrived as $got[0], not POST $length $sum"
        if @got && $got[0] ne "POST $length $sum";
    push @strange, "$id ended with $outcome after $hops redirects"
        if $outcome !~ /\A(?:200|50[0234]|E[A-Z]+)\z/;
}
push @strange, map { "$_ arrived and was never sent" }
               grep { !$known{$_} } keys %arrived;

my $tally = join ', ', map { "$_: $outcome{$_}" } sort keys %outcome;
is(scalar @strange, 0, scalar(@sent) . ' POSTs arrived once, unchanged, or'
   . " their senders know ($tally)");
diag("  $_") for splice @strange, 0, 20;
cmp_ok($restarts, '>=', SECONDS / 3, "the application died $restarts times");
cmp_ok($where{$_} || 0, '>', 20, "the $_ got " . ($where{$_} || 0))
    for qw(application fallback);
# Only those that are underway when it dies.
cmp_ok(@sent - ($outcome{200} || 0), '<=', ($restarts + 1) * VISITORS,
       'not more got an error than were underway');

end_suite(allow => [qr/AH0|AH1/, qr/AH00484/]);
