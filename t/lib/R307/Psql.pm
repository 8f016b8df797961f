# R307::Psql runs psql: for one piece of SQL, or as a session that stays, so
# that a test may hold a transaction open, let another one wait for it, and see
# who waits.  Called by R307::Postgres.  It knows nothing of servers.  Every
# wait is bounded.
#
#   my ($code, $out, $err) = R307::Psql::run($conninfo, 'SELECT 1');
#   my $session = R307::Psql->new($conninfo);
#   my $rows = $session->sql('BEGIN; UPDATE ...');   # dies when it fails
#   $session->send('UPDATE ...');                    # does not wait
#   $session->is_done(0.5) or ...;                   # it waits for a lock
#   my ($out, $err) = $session->result;
package R307::Psql;

use strict;
use warnings;

use IO::Handle ();
use POSIX qw(WNOHANG _exit);
use Time::HiRes qw(sleep time);

use R307::Env ();

use constant PATIENCE => $ENV{R307_SLOW} ? 300 : 90;

sub program {
    my ($found) = grep { -x } map { "$_/psql" } split /:/, $ENV{PATH} || '';
    return $found;
}

# No settings of the user's; unaligned rows without a title; the first error
# ends it.
my @options = ('--no-psqlrc', '--quiet', '--no-align', '--tuples-only',
               '--no-password', '--set', 'VERBOSITY=verbose');

# The connection's parameters are no argument: psql takes them from a file of
# the environment, as passwords have no place in a list of processes.
sub _exec {
    my ($conninfo, $dir, $in, @args) = @_;
    my %of = (host => 'PGHOST', port => 'PGPORT', user => 'PGUSER',
              dbname => 'PGDATABASE', password => 'PGPASSWORD');

    POSIX::setpgid(0, 0);
    delete @ENV{ grep { /\APG/ } keys %ENV };
    while ($conninfo =~ /(\w+)='((?:[^'\\]|\\.)*)'/g) {
        my ($name, $value) = ($1, $2);
        $value =~ s/\\(.)/$1/g;
        $ENV{ $of{$name} } = $value;
    }
    $ENV{PGCONNECT_TIMEOUT} = 20;
    $ENV{PGCLIENTENCODING} = 'UTF8';
    $ENV{LC_ALL} = 'C';
    open STDIN,  '<&', $in;
    open STDOUT, '>', "$dir/out";
    open STDERR, '>', "$dir/err";
    exec {program()} (program(), @options, @args) or _exit(127);
}

# file => PATH instead of $sql; on_error => 'go' goes on after an error.
sub run {
    my ($conninfo, $sql, %arg) = @_;
    my $dir = R307::Env::scratch('psql');
    my $file = $arg{file};

    if (!defined $file) {
        $file = "$dir/in";
        R307::Env::write_file($file, $sql);
    }
    open my $in, '<', $file or die "$file: $!\n";
    my $pid = fork;
    die "fork: $!\n" if !defined $pid;
    _exec($conninfo, $dir, $in, ($arg{on_error} || '') eq 'go' ? ()
          : ('--set', 'ON_ERROR_STOP=1')) if !$pid;
    my $deadline = time + ($arg{seconds} || PATIENCE);
    while (waitpid($pid, WNOHANG) != $pid) {
        if (time > $deadline) {
            kill 'KILL', $pid;
            waitpid $pid, 0;
            return (-1, '', "psql did not end in time\n");
        }
        sleep 0.002;
    }
    my $code = $? & 127 ? 256 + ($? & 127) : $? >> 8;
    return ($code, _slurp("$dir/out"), _slurp("$dir/err"));
}

sub _slurp {
    my ($file, $from) = @_;
    open my $fh, '<:raw', $file or return '';
    seek $fh, $from || 0, 0;
    local $/;
    my $text = <$fh>;
    return defined $text ? $text : '';
}

# ---- a session ----

sub new {
    my ($class, $conninfo) = @_;
    my $dir = R307::Env::scratch('psql');

    pipe my $in, my $to or die "pipe: $!\n";
    my $pid = fork;
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        close $to;
        _exec($conninfo, $dir, $in);
    }
    close $in;
    $to->autoflush(1);
    my $self = bless { owner => $$, dir => $dir, to => $to, pid => $pid,
                       out => 0, err => 0, count => 0 }, $class;
    $self->sql('SELECT 1');
    return $self;
}

# Sends SQL and a mark that comes back when it is done.
sub send {
    my ($self, $sql) = @_;
    my $mark = '-- done ' . ++$self->{count} . ' --';

    local $SIG{PIPE} = 'IGNORE';
    $self->{mark} = $mark;
    $self->{to}->print("$sql\n;\n\\echo $mark\n\\warn $mark\n")
        or die "psql has ended: " . _slurp("$self->{dir}/err") . "\n";
    return;
}

# True when all that was sent is done within so many seconds, or psql is gone.
sub is_done {
    my ($self, $seconds) = @_;
    my $deadline = time + $seconds;

    while (1) {
        return 1 if !grep {
            _slurp("$self->{dir}/$_", $self->{$_}) !~ /^\Q$self->{mark}\E\n/m
        } qw(out err);
        return 1 if $self->_ended;
        return 0 if time > $deadline;
        sleep 0.005;
    }
}

sub _ended {
    my ($self) = @_;
    return 1 if !$self->{pid};
    return 0 if waitpid($self->{pid}, WNOHANG) != $self->{pid};
    delete $self->{pid};
    return 1;
}

# Output and errors of what was sent.
sub result {
    my ($self, $seconds) = @_;
    my @got;

    die "psql does not answer in time\n"
        if !$self->is_done($seconds || PATIENCE);
    for my $name (qw(out err)) {
        my $text = _slurp("$self->{dir}/$name", $self->{$name});
        $self->{$name} += length $text;
        $text =~ s/^-- done \d+ --\n//mg;
        push @got, $text;
    }
    return @got;
}

# Rows as in R307::Postgres::sql.
sub sql {
    my ($self, $sql) = @_;

    $self->send($sql);
    my ($out, $err) = $self->result;
    die "psql: $err" if $err =~ /^(?:\S+ )?(?:ERROR|FATAL|PANIC):/m
                     || $err =~ /connection|psql: error/;
    chomp $out;
    return wantarray ? split(/\n/, $out) : $out;
}

sub end {
    my ($self) = @_;
    return if $self->{owner} != $$;
    local ($?, $!);
    close delete $self->{to} if $self->{to};
    my $deadline = time + 5;
    until ($self->_ended) {
        kill 'KILL', $self->{pid} if time > $deadline;
        sleep 0.01;
    }
    return;
}

sub DESTROY { $_[0]->end }

1;
