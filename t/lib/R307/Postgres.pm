# R307::Postgres starts a PostgreSQL server of its own for one test: a fresh
# cluster in a scratch directory, on a Unix socket and a free port of loopback,
# as an unprivileged user when the test runs as root.  The test may stop, kill,
# pause, save and restore it.  It uses no other cluster of this machine, and
# it needs none.  Every wait is bounded, and what was started is stopped by its
# process id, also when the test dies.  It knows nothing of httpd and of rules.
#
#   plan(skip_all => ...) if R307::Postgres::missing();
#   my $pg = R307::Postgres->new(settings => { max_connections => 20 });
#   $pg->sql('CREATE TABLE t (n integer)');          # dies when it fails
#   my ($code, $out, $err) = $pg->psql('SELECT 1', user => 'reader');
#   my $other = $pg->session;                        # holds a transaction open
#   $other->sql('BEGIN; INSERT INTO t VALUES (1)');
#   $pg->pause; $pg->resume; $pg->crash; $pg->start;
#
# The owner is "owner", without a password on the socket.  On the port everybody
# needs one (SCRAM); the owner's is password().
package R307::Postgres;

use strict;
use warnings;

use File::Temp ();
use POSIX qw(WNOHANG _exit);
use Time::HiRes qw(sleep time);

use R307::Env ();
use R307::Ports ();
use R307::Psql ();

use constant {
    OWNER    => 'owner',
    PASSWORD => 'a test\'s "own" word',
    PATIENCE => $ENV{R307_SLOW} ? 180 : 60,

    # What is left of the 108 bytes of a socket's address for its directory.
    MAX_SOCKET_DIR => 108 - length('/.s.PGSQL.65535') - 1,
};

my @started;            # every cluster this process made, for END

# ---- what this machine has ----

# The directory of the server's programs, the newest version's; undef when
# there is none.  Debian keeps them out of PATH.
sub bindir {
    my @dirs = (split(/:/, $ENV{PATH} || ''), _asked(),
                sort { _version($b) <=> _version($a) }
                     glob('/usr/lib/postgresql/*/bin'));
    for my $dir (@dirs) {
        return $dir if length $dir
            && !grep { !-x "$dir/$_" } qw(postgres initdb pg_basebackup);
    }
    return;
}

sub _version { return $_[0] =~ m{/(\d+(?:\.\d+)?)/bin\z} ? $1 : 0 }

# What pg_config says, where there is one.
sub _asked {
    my ($program) = grep { -x } map { "$_/pg_config" }
                    split /:/, $ENV{PATH} || '';
    return if !$program;
    open my $fh, '-|', $program, '--bindir' or return;
    my $dir = <$fh>;
    close $fh;
    return if !defined $dir;
    chomp $dir;
    return $dir;
}

# The names of Debian packages whose programs are missing.
sub missing { return bindir() && R307::Psql::program() ? () : 'postgresql' }

# ---- the cluster ----

# settings: more lines of postgresql.conf
sub new {
    my ($class, %arg) = @_;
    my $self = $class->_prepare($arg{settings} || {});

    $self->_initdb;
    $self->start;
    return $self;
}

# A server that follows this one, by streaming, and can be read; promote()
# makes it one that can be written.
sub replica {
    my ($self) = @_;
    my $new = (ref $self)->_prepare({ %{ $self->{settings} },
        primary_conninfo => $self->conninfo,
    });

    $new->_run('pg_basebackup', '-D', $new->{data}, '-d', $self->conninfo,
               '-X', 'stream', '-c', 'fast', '--no-sync');
    R307::Env::write_file("$new->{data}/standby.signal", '');
    $new->_own("$new->{data}/standby.signal");
    $new->start;
    return $new;
}

sub _prepare {
    my ($class, $settings) = @_;
    my $dir = R307::Env::scratch('postgres');
    my $self = bless { owner => $$, dir => $dir, data => "$dir/data",
                       settings => $settings }, $class;

    $self->{user} = _unprivileged();
    die "no PostgreSQL: install the package postgresql\n" if !bindir();
    push @started, $self;
    $self->_make_socket_dir;
    mkdir $self->{data} or die "$self->{data}: $!\n";
    chmod 0700, $self->{data};
    $self->_own($self->{data});
    R307::Env::write_file("$dir/log", '');
    return $self;
}

sub port       { $_[0]{port} }
sub socket_dir { $_[0]{socket_dir} }
sub data       { $_[0]{data} }
sub pid        { $_[0]{pid} }
sub password   { return PASSWORD }

# PostgreSQL refuses root.
sub _unprivileged {
    return if $> != 0;
    for my $name ($ENV{R307_USER} || (), qw(nobody daemon)) {
        my ($uid, $gid) = (getpwnam $name)[2, 3];
        return { uid => $uid, gid => $gid } if $uid;
    }
    die "run as root, but there is no unprivileged user\n";
}

sub _own {
    my ($self, @paths) = @_;
    my $user = $self->{user} or return;
    chown $user->{uid}, $user->{gid}, @paths or die "chown @paths: $!\n";
    return;
}

sub _make_socket_dir {
    my ($self) = @_;
    my $dir = "$self->{dir}/socket";

    if (length $dir > MAX_SOCKET_DIR) {
        $dir = $self->{short} = File::Temp->newdir('/tmp/r307-XXXXXX');
        $dir = "$dir";
    }
    else {
        mkdir $dir or die "$dir: $!\n";
    }
    chmod 0755, $dir;
    $self->_own($dir);
    $self->{socket_dir} = $dir;
    return;
}

sub _initdb {
    my ($self) = @_;
    my $word = "$self->{dir}/password";

    R307::Env::write_file($word, PASSWORD . "\n");
    $self->_own($word);
    $self->_run('initdb', '-D', $self->{data}, '-U', OWNER,
        "--pwfile=$word", '--auth-local=trust', '--auth-host=scram-sha-256',
        '--encoding=UTF8', '--locale=C', '--no-sync');
    unlink $word;
    return;
}

# Nothing here has to outlive the machine.
sub _write_settings {
    my ($self) = @_;
    my %setting = (
        listen_addresses => '127.0.0.1', port => $self->{port},
        unix_socket_directories => $self->{socket_dir},
        fsync => 'off', synchronous_commit => 'off', full_page_writes => 'off',
        max_connections => 40, shared_buffers => '64MB', max_wal_size => '1GB',
        log_min_messages => 'warning',
        %{ $self->{settings} },
    );
    my $text = '';
    for my $name (sort keys %setting) {
        (my $value = $setting{$name}) =~ s/'/''/g;
        $text .= "$name = '$value'\n";
    }
    R307::Env::write_file("$self->{data}/postgresql.auto.conf", $text);
    $self->_own("$self->{data}/postgresql.auto.conf");
    return;
}

# Starts a program of the server's as the unprivileged user, and has it ended
# when this process is killed.  Returns its process id.
sub _spawn {
    my ($self, $name, @args) = @_;
    my $program = bindir() . "/$name";
    my $user = $self->{user};
    my @cmd = ('setpriv', '--pdeathsig', 'QUIT',
               $user ? ('--reuid', $user->{uid}, '--regid', $user->{gid},
                        '--clear-groups') : (), $program, @args);
    my $pid = fork;

    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        POSIX::setsid();
        chdir $self->{dir};
        delete @ENV{ grep { /\APG/ } keys %ENV };
        $ENV{LC_ALL} = 'C';
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>>', "$self->{dir}/log";
        open STDERR, '>&', \*STDOUT;
        exec {$cmd[0]} @cmd or _exit(127);
    }
    return $pid;
}

sub _run {
    my ($self, $name, @args) = @_;
    my $pid = $self->_spawn($name, @args);
    my $deadline = time + PATIENCE;

    while (waitpid($pid, WNOHANG) != $pid) {
        if (time > $deadline) {
            kill 'KILL', $pid;
            waitpid $pid, 0;
            die "$name did not end in time: " . $self->output;
        }
        sleep 0.01;
    }
    die "$name failed: " . $self->output if $? != 0;
    return;
}

# What its programs have written so far.
sub output {
    my ($self) = @_;
    open my $fh, '<', "$self->{dir}/log" or return '';
    local $/;
    my $text = <$fh>;
    return defined $text ? $text : '';
}

# ---- its life ----

# Starts it, on the port it had before.
sub start {
    my ($self) = @_;

    return if $self->{pid};
    for (1 .. 5) {
        my $port = $self->{port};
        $self->{port} = R307::Ports::take() if !$port;
        $self->_write_settings;
        my $from = length $self->output;
        $self->{pid} = $self->_spawn('postgres', '-D', $self->{data});
        return if $self->_wait_until_ready;
        $self->stop('immediate');
        my $said = substr $self->output, $from;
        die "PostgreSQL did not start: $said\n"
            if $port || $said !~ /could not bind|could not create any TCP/;
        delete $self->{port};
    }
    die "no free port for PostgreSQL\n";
}

# The last line of its pid file says so; a replica's, that it can be read.
sub _wait_until_ready {
    my ($self) = @_;
    my $deadline = time + PATIENCE;

    while (time < $deadline) {
        if (waitpid($self->{pid}, WNOHANG) == $self->{pid}) {
            delete $self->{pid};
            return 0;
        }
        if (open my $fh, '<', "$self->{data}/postmaster.pid") {
            my @lines = <$fh>;
            return 1 if @lines >= 8 && $lines[0] == $self->{pid}
                        && $lines[7] =~ /\A(?:ready|standby)/;
        }
        sleep 0.02;
    }
    return 0;
}

# Of a replica: it goes on by itself.
sub promote {
    my ($self) = @_;
    $self->sql('SELECT pg_promote()') eq 't' or die "it is not promoted\n";
    return;
}

my %signal = (smart => 'TERM', fast => 'INT', immediate => 'QUIT');

# Stops it as an administrator does; connections are closed ('fast').
sub stop {
    my ($self, $mode) = @_;
    my $pid = $self->{pid};
    return if !$pid || $self->{owner} != $$;

    local ($?, $!);
    $self->resume if $self->{paused};
    kill $signal{ $mode || 'fast' }, $pid;
    return if $self->_gone($pid, PATIENCE / 3);
    return $self->crash;
}

sub _gone {
    my ($self, $pid, $seconds) = @_;
    my $deadline = time + $seconds;

    while (time < $deadline) {
        if (waitpid($pid, WNOHANG) == $pid) {
            delete @$self{qw(pid paused)};
            return 1;
        }
        sleep 0.02;
    }
    return 0;
}

# The processes of the server; each is a session of its own, so a signal to
# a group would not reach them.
sub processes {
    my ($self) = @_;
    my $pid = $self->{pid} or return;
    my @children;

    for my $file (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $file or next;
        my $stat = <$fh>;
        push @children, $1 if defined $stat
            && $stat =~ /\A(\d+) \(.*\) [^Z] (\d+) /s && $2 == $pid;
    }
    return ($pid, @children);
}

# Kills every process of it, as if the power were cut.
sub crash {
    my ($self) = @_;
    my $pid = $self->{pid};
    return if !$pid || $self->{owner} != $$;

    local ($?, $!);
    kill 'STOP', $pid;                  # so that it starts no more
    my @all = $self->processes;
    kill 'KILL', @all;
    waitpid $pid, 0;
    delete @$self{qw(pid paused)};
    my $deadline = time + PATIENCE;
    sleep 0.01 while time < $deadline && grep { _lives($_) } @all;
    return;
}

sub _lives {
    my ($pid) = @_;
    open my $fh, '<', "/proc/$pid/stat" or return 0;
    my $stat = <$fh>;
    return defined $stat && $stat =~ /\A\d+ \(.*\) [^ZX] /s;
}

# Stops every process of it without ending it: connections are still accepted
# by the kernel, and nobody answers.
sub pause {
    my ($self) = @_;
    kill 'STOP', $self->{pid};
    $self->{paused} = 1;
    kill 'STOP', $self->processes;
    return;
}

sub resume {
    my ($self) = @_;
    delete $self->{paused};
    kill 'CONT', reverse $self->processes;
    return;
}

sub is_running { return defined $_[0]{pid} }

# Stops it, copies its files under a name, and starts it again.
sub save {
    my ($self, $name) = @_;
    $self->stop;
    _copy($self->{data}, "$self->{dir}/saved-$name");
    $self->start;
    return;
}

# Puts back the files as they were saved, and starts it.
sub restore {
    my ($self, $name) = @_;
    my $away = "$self->{dir}/away-" . ++$self->{aways};

    $self->stop;
    rename $self->{data}, $away or die "rename to $away: $!\n";
    _copy("$self->{dir}/saved-$name", $self->{data});
    $self->start;
    return;
}

sub _copy {
    my ($from, $to) = @_;
    system('cp', '-a', $from, $to) == 0 or die "cp -a $from $to failed\n";
    return;
}

sub DESTROY { $_[0]->stop('immediate') }
END { $_->stop('immediate') for @started }

# ---- clients ----

# What libpq needs to know to connect.  user, dbname, password; on the socket
# unless port => 1.
sub conninfo {
    my ($self, %arg) = @_;
    my %value = (
        host   => $arg{port} ? '127.0.0.1' : $self->{socket_dir},
        port   => $self->{port},
        user   => $arg{user} || OWNER,
        dbname => $arg{dbname} || 'postgres',
        $arg{port} ? (password => defined $arg{password} ? $arg{password}
                                                         : PASSWORD) : (),
    );
    return join ' ', map {
        (my $v = $value{$_}) =~ s/(['\\])/\\$1/g;
        "$_='$v'"
    } sort keys %value;
}

# Runs SQL, or what psql has besides.  Returns exit status, output (a line a
# row, columns separated by |) and errors.  file => PATH runs a file.
sub psql {
    my ($self, $sql, %arg) = @_;
    return R307::Psql::run($self->conninfo(%arg), $sql, %arg);
}

# The same for statements that must not fail: the rows, in list context as a
# list of lines.
sub sql {
    my ($self, $sql, %arg) = @_;
    my ($code, $out, $err) = $self->psql($sql, %arg);

    die "psql failed ($code): $err" if $code != 0;
    chomp $out;
    return wantarray ? split(/\n/, $out) : $out;
}

# A psql that stays.
sub session {
    my ($self, %arg) = @_;
    return R307::Psql->new($self->conninfo(%arg));
}

1;
