# R307::Browser runs t/browser/run.mjs: node, which drives the browsers of this
# machine through playwright-core and prints TAP.  Called by t/85-browsers.t.
# It knows what has to be installed, and nothing of rules.
package R307::Browser;

use strict;
use warnings;

use JSON::PP ();
use POSIX qw(WNOHANG _exit setpgid);
use Time::HiRes qw(sleep time);

use R307::Env ();

# Milliseconds for one thing a browser does, seconds for all of them.
use constant {
    PATIENCE => $ENV{R307_SLOW} ? 60_000 : 20_000,
    TIMEOUT  => $ENV{R307_SLOW} ? 1_800 : 600,
};

# Debian's names of browsers and packages.
my @known = (
    { name => 'chromium', program => 'chromium', package => 'chromium' },
    { name => 'firefox', program => 'firefox-esr', package => 'firefox-esr' },
);

# Where "make browser-modules" puts playwright-core.
sub modules { return "$ENV{R307_BUILD}/browser" }

# Why browsers are not to be tried here at all; undef when they are.
sub not_here {
    return 'a sanitizer build: the other suites look for its reports'
        if $ENV{R307_PRELOAD};
    return 'browsers see no difference between MPMs: with event only'
        if R307::Env::mpm() ne 'event';
    return 'the driver is not installed: make browser-modules'
        if !-d modules() . '/node_modules/playwright-core';
    return;
}

sub which {
    my ($name) = @_;
    for my $dir (split /:/, $ENV{PATH} || '') {
        return "$dir/$name" if -x "$dir/$name" && -f _;
    }
    return;
}

# The browsers that are there, as { name, program }.
sub installed {
    return map {
        my $path = which($_->{program});
        $path ? { name => $_->{name}, program => $path } : ();
    } @known;
}

# Packages of those that are not.
sub missing {
    return map { $_->{package} } grep { !which($_->{program}) } @known;
}

# Runs the cases; calls report(passed, name, details) for each result.  Returns
# undef, or what kept it from running to its end.
sub run {
    my ($config, $report) = @_;
    my $dir = R307::Env::scratch('browser');

    R307::Env::write_file("$dir/config.json", JSON::PP::encode_json({
        %$config, modules => modules(), patience => PATIENCE }));
    my $pid = fork;
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        setpgid(0, 0);
        $ENV{HOME} = $dir;
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', "$dir/out";
        open STDERR, '>', "$dir/err";
        exec 'node', "$ENV{R307_TOP}/t/browser/run.mjs", "$dir/config.json"
            or _exit(127);
    }
    my $late = wait_for($pid);
    my $seen = relay("$dir/out", $report);
    return $late if $late;
    return "node ended with $?: " . slurp("$dir/err") if $?;
    return 'no plan, or not all of its tests' if !$seen;
    return;
}

# Waits for node.  When it takes too long it is asked to end, since it closes
# its browsers then.
sub wait_for {
    my ($pid) = @_;
    my $deadline = time + TIMEOUT;

    for my $signal ('', 'TERM', 'KILL') {
        kill $signal, $signal eq 'KILL' ? -$pid : $pid if $signal;
        while (time < $deadline) {
            return $signal ? 'it took too long' : undef
                if waitpid($pid, WNOHANG) == $pid;
            sleep 0.02;
        }
        $deadline = time + 10;
    }
    return 'it did not end';
}

sub slurp {
    my ($file) = @_;
    open my $fh, '<:raw', $file or return '';
    local $/;
    my $text = <$fh>;
    return defined $text ? $text : '';
}

# Hands on the results; true when there were as many as the plan says.
sub relay {
    my ($file, $report) = @_;
    my ($count, $plan, @last) = (0, -1);

    for my $line (split /\n/, slurp($file)) {
        if ($line =~ /\A(not )?ok \d+ - (.*)/) {
            $report->(@last) if @last;
            @last = (!$1, $2, []);
            $count++;
        }
        elsif ($line =~ /\A# (.*)/ && @last) {
            push @{ $last[2] }, $1;
        }
        elsif ($line =~ /\A1\.\.(\d+)/) {
            $plan = $1;
        }
    }
    $report->(@last) if @last;
    return $count == $plan;
}

1;
