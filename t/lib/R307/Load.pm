# R307::Load puts a server under load with wrk and says what came back: every
# answer is looked at, not only its status.  Called by t/92-load.t.  It knows
# nothing of tables.
package R307::Load;

use strict;
use warnings;

use POSIX qw(WNOHANG _exit);
use Time::HiRes qw(sleep time);

use R307::Env ();

# The names of Debian packages whose programs are missing.
sub missing {
    return grep {
        my $name = $_;
        !grep { -x "$_/$name" } split /:/, $ENV{PATH} || '';
    } 'wrk';
}

# wrk runs this in each of its threads; done() runs in another state, which
# gets at what a thread counted through thread:get().
my $script = <<'EOC';
local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    seen = {}
end

function response(status, headers, body)
    local key = status .. " " .. (headers["Location"] or "") .. " "
                .. (headers["X-Rule"] or "")
    seen[key] = (seen[key] or 0) + 1
end

function done(summary, latency, requests)
    for _, thread in ipairs(threads) do
        for key, n in pairs(thread:get("seen")) do
            io.write("answer ", n, " ", key, "\n")
        end
    end
    for _, kind in ipairs({"connect", "read", "write", "timeout"}) do
        io.write("error ", kind, " ", summary.errors[kind], "\n")
    end
end
EOC

# Starts the load in the background.
#   seconds, target, port
#   close   a connection for each request
#   pause   milliseconds before each request
sub start {
    my ($class, %arg) = @_;
    my $dir  = R307::Env::scratch('load');
    my $self = bless { out => "$dir/out", seconds => $arg{seconds} }, $class;
    my @cmd  = ('wrk', '-t', 2, '-c', $arg{connections} || 8,
                '-d', "$arg{seconds}s", '--timeout', '10s',
                '-s', "$dir/script.lua",
                $arg{close} ? ('-H', 'Connection: close') : (),
                "http://127.0.0.1:$arg{port}$arg{target}");

    R307::Env::write_file("$dir/script.lua", $script . ($arg{pause}
        ? "function delay()\n    return $arg{pause}\nend\n" : ''));
    my $pid = fork;
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', $self->{out};
        open STDERR, '>&', \*STDOUT;
        exec {$cmd[0]} @cmd or _exit(127);
    }
    $self->{pid} = $pid;
    $self->{deadline} = time + $arg{seconds} + 30;
    return $self;
}

sub is_running {
    my ($self) = @_;

    if ($self->{pid} && waitpid($self->{pid}, WNOHANG) == $self->{pid}) {
        $self->{status} = $?;
        delete $self->{pid};
    }
    return defined $self->{pid};
}

# Ends the load before its time; what came back until then is the result.
sub finish {
    my ($self) = @_;
    kill 'INT', $self->{pid} if $self->is_running;
    $self->{deadline} = time + 30;
    return;
}

# Waits for the end; returns { answers => { "307 Location X-Rule" => n },
# errors => { kind => n }, total => n, output => text }.
sub result {
    my ($self) = @_;

    while ($self->is_running) {
        if (time > $self->{deadline}) {
            $self->stop;
            last;
        }
        sleep 0.05;
    }
    open my $fh, '<', $self->{out} or die "$self->{out}: $!\n";
    my %result = (answers => {}, errors => {}, total => 0, output => '');
    while (my $line = <$fh>) {
        $result{output} .= $line;
        if ($line =~ /\Aanswer (\d+) (.*?)\s*\z/) {
            $result{answers}{$2} += $1;
            $result{total} += $1;
        }
        $result{errors}{$1} = $2 if $line =~ /\Aerror (\w+) (\d+)/;
    }
    return \%result;
}

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    local $?;
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return;
}

sub DESTROY { $_[0]->stop }

1;
