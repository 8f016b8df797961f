# R307::Devtools drives a headless chromium over the pipe of its DevTools
# protocol: open a page, run a script in it, hear what the page complains of.
# Called by t/87-status.t.  It knows nothing of servers.  Every wait is
# bounded, and the browser is ended by its process id.
#
#   my $browser = R307::Devtools->start or skip ...;
#   $browser->open($url);
#   is($browser->eval('document.title'), ...);
package R307::Devtools;

use strict;
use warnings;

use IO::Select ();
use JSON::PP ();
use POSIX qw(WNOHANG _exit dup2);
use Time::HiRes qw(sleep time);

use R307::Env ();

use constant PATIENCE => $ENV{R307_SLOW} ? 120 : 40;

my $json = JSON::PP->new->utf8->allow_nonref;

sub program {
    for my $name (qw(chromium chromium-browser google-chrome)) {
        for my $dir (split /:/, $ENV{PATH} || '') {
            return "$dir/$name" if -x "$dir/$name";
        }
    }
    return;
}

# undef when there is no chromium or it does not come up.
sub start {
    my ($class) = @_;
    my $program = program() or return;
    my $dir = R307::Env::scratch('chromium');

    pipe my $read_by_it, my $to_it or die "pipe: $!\n";
    pipe my $from_it, my $written_by_it or die "pipe: $!\n";
    my $pid = fork;
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        my ($in, $out) = (POSIX::dup(fileno $read_by_it),
                          POSIX::dup(fileno $written_by_it));
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', "$dir/output";
        open STDERR, '>&', \*STDOUT;
        # descriptors over 2 are closed by exec, unless dup2() made them
        my ($safe_in, $safe_out) = (POSIX::dup($in), POSIX::dup($out));
        dup2($safe_in, 3);
        dup2($safe_out, 4);
        $ENV{HOME} = $dir;
        exec {$program} ($program, '--headless=new', '--no-sandbox',
            '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
            '--remote-debugging-pipe', "--user-data-dir=$dir/profile",
            'about:blank') or _exit(127);
    }
    close $read_by_it;
    close $written_by_it;
    my $self = bless {
        pid => $pid, owner => $$, to => $to_it, from => $from_it,
        buffer => '', next => 1, events => [],
    }, $class;
    return $self if eval { $self->_attach; 1 };
    warn "# chromium: $@";
    return;
}

sub _attach {
    my ($self) = @_;
    my $target = $self->call('Target.createTarget', url => 'about:blank');
    my $at = $self->call('Target.attachToTarget', flatten => JSON::PP::true,
                         targetId => $target->{targetId});

    $self->{session} = $at->{sessionId};
    $self->call($_) for 'Page.enable', 'Runtime.enable', 'Log.enable';
    return;
}

sub _message {
    my ($self, $deadline) = @_;

    while ($self->{buffer} !~ /\0/) {
        my $left = $deadline - time;
        die "no answer in time\n"
            if $left <= 0
            || !IO::Select->new($self->{from})->can_read($left);
        sysread $self->{from}, $self->{buffer}, 65_536,
                length $self->{buffer}
            or die "the browser has gone\n";
    }
    $self->{buffer} =~ s/\A([^\0]*)\0//;
    return $json->decode($1);
}

# One call; events that come meanwhile are kept.
sub call {
    my ($self, $method, %params) = @_;
    my $id = $self->{next}++;
    my $deadline = time + PATIENCE;
    local $SIG{PIPE} = 'IGNORE';

    syswrite $self->{to}, $json->encode({
        id => $id, method => $method, params => \%params,
        $self->{session} ? (sessionId => $self->{session}) : (),
    }) . "\0";
    while (1) {
        my $message = $self->_message($deadline);
        if (($message->{id} // 0) == $id) {
            die "$method: $message->{error}{message}\n" if $message->{error};
            return $message->{result};
        }
        push @{ $self->{events} }, $message;
    }
}

# Waits until the page is loaded.
sub open {
    my ($self, $url) = @_;
    my $deadline = time + PATIENCE;

    $self->{events} = [];
    $self->call('Page.navigate', url => $url);
    until (grep { ($_->{method} // '') eq 'Page.loadEventFired' }
           @{ $self->{events} }) {
        push @{ $self->{events} }, $self->_message($deadline);
    }
    return;
}

# The value of an expression of JavaScript; promises are waited for.
sub eval {
    my ($self, $expression) = @_;
    my $got = $self->call('Runtime.evaluate', expression => $expression,
                          returnByValue => JSON::PP::true,
                          awaitPromise => JSON::PP::true);

    die "$expression: $got->{exceptionDetails}{text}\n"
        if $got->{exceptionDetails};
    return $got->{result}{value};
}

# What the page has complained of: errors, and what its policy forbade.
sub complaints {
    my ($self) = @_;
    return map { $_->{params}{entry}{text} // $_->{params}{exceptionDetails}
                 {text} // 'a dialog' }
           grep { ($_->{method} // '') =~ /\A(?:Log\.entryAdded
                  |Runtime\.exceptionThrown|Page\.javascriptDialogOpening)\z/x
           } @{ $self->{events} };
}

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid};
    return if !$pid || $self->{owner} != $$;

    local ($?, $!);
    my $deadline = time + 10;
    kill 'TERM', $pid;
    while (time < $deadline) {
        return if waitpid($pid, WNOHANG) == $pid;
        sleep 0.05;
    }
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return;
}

sub DESTROY { $_[0]->stop }

1;
