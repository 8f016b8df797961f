# R307::Sqlite is a store of rules in a SQLite file: made of the schema in
# share/, written with the sqlite3 command, as any client would.  Called by the
# suites of SQL tables.  It knows nothing of httpd but the directives that name
# the file.
#
#   plan(skip_all => ...) if R307::Sqlite::missing();
#   my $db = R307::Sqlite->new;
#   my $id = $db->put('shop', '/a', 'https://t.example/1');
#   $db->sql('DELETE FROM redirect307_rule');        # dies when it fails
package R307::Sqlite;

use strict;
use warnings;

use POSIX qw(WNOHANG _exit);
use Time::HiRes qw(sleep time);

use R307::Env ();

use constant PATIENCE => $ENV{R307_SLOW} ? 180 : 60;

# What this machine lacks, for a message; nothing when it has all.
sub missing {
    my @missing;

    push @missing, 'mod_dbd' if !R307::Env::has_module('dbd');
    push @missing, 'mod_watchdog' if !R307::Env::has_module('watchdog');
    push @missing, 'the driver of APR-util for SQLite (libaprutil1-dbd-sqlite3)'
        if !has_driver('sqlite3');
    push @missing, 'sqlite3' if !_program();
    return join ', ', @missing;
}

# Drivers of APR-util lie together, wherever that is.
sub has_driver {
    my ($name) = @_;
    return grep { -e } map { glob "$_/apr-util-1/apr_dbd_$name*.so" }
           '/usr/lib', '/usr/lib64', glob('/usr/lib/*'), '/usr/local/lib',
           '/usr/local/apr/lib', '/opt/*/lib';
}

sub _program {
    my ($program) = grep { -x } map { "$_/sqlite3" }
                    split /:/, $ENV{PATH} || '';
    return $program;
}

# Names for R307::Server: what httpd needs besides.
sub modules {
    return ('dbd', R307::Env::is_static('watchdog') ? () : 'watchdog');
}

# A new file in a directory of its own.  create => 0: neither is there yet.
sub new {
    my ($class, %arg) = @_;
    my $dir = R307::Env::scratch($arg{name} || 'store');
    my $later = exists $arg{create} && !$arg{create};
    my $self = bless { path => $later ? "$dir/later/rules.db"
                                      : "$dir/rules.db" }, $class;

    $self->create if !$later;
    return $self;
}

sub path { return $_[0]{path} }

sub create {
    my ($self) = @_;
    my $file = "$ENV{R307_TOP}/share/redirect307-sqlite.sql";

    open my $fh, '<', $file or die "$file: $!\n";
    local $/;
    $self->sql('BEGIN;' . <$fh> . 'COMMIT;');
    return $self;
}

# The directives of a server that follows it.
sub config {
    my ($self, %arg) = @_;
    my $more = exists $arg{more} ? $arg{more} : "DBDPersist Off\n";
    return "DBDriver sqlite3\nDBDParams \"$self->{path}\"\n$more";
}

# Runs statements; returns what they print.  Dies with what is wrong.
sub sql {
    my ($self, @text) = @_;
    my ($code, $out, $err) = $self->try_sql(@text);

    die "sqlite3: $err\n" if $code != 0 || length $err;
    return $out;
}

# Exit status, standard output, standard error.
sub try_sql {
    my ($self, @text) = @_;
    my $dir = $self->{scratch} ||= R307::Env::scratch('sqlite');
    my $pid;

    R307::Env::write_file("$dir/in", join '',
                          ".timeout 20000\n", map { "$_;\n" } @text);
    $pid = fork;
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDIN,  '<', "$dir/in";
        open STDOUT, '>', "$dir/out";
        open STDERR, '>', "$dir/err";
        exec { _program() } 'sqlite3', '-batch', '-bail', '-noheader',
            $self->{path} or _exit(127);
    }
    my $deadline = time + PATIENCE;
    while (waitpid($pid, WNOHANG) != $pid) {
        if (time > $deadline) {
            kill 'KILL', $pid;
            waitpid $pid, 0;
            return (-1, '', 'it did not end in time');
        }
        sleep 0.002;
    }
    my $code = $?;
    return ($code, map { _slurp("$dir/$_") } qw(out err));
}

sub _slurp {
    my ($file) = @_;
    open my $fh, '<:raw', $file or return '';
    local $/;
    my $text = <$fh>;
    return defined $text ? $text : '';
}

# A value as SQL: bytes that SQL text cannot hold are written as numbers.
sub quote {
    my ($value) = @_;
    return "CAST(x'" . unpack('H*', $value) . "' AS TEXT)"
        if $value =~ /[^\x20-\x7e]/;
    $value =~ s/'/''/g;
    return "'$value'";
}

# Writes a rule; returns its id.  %more: other columns.
sub put {
    my ($self, $ruleset, $path, $target, %more) = @_;
    my %row = (ruleset => $ruleset, path => $path, target => $target, %more);
    my @columns = sort keys %row;
    my $checks = delete $more{unchecked};

    @columns = grep { $_ ne 'unchecked' } @columns;
    my $out = $self->sql(
        $checks ? 'PRAGMA ignore_check_constraints = ON' : (),
        'INSERT INTO redirect307_rule (' . join(', ', @columns) . ') VALUES ('
        . join(', ', map { quote($row{$_}) } @columns) . ')',
        'SELECT last_insert_rowid()');
    chomp $out;
    return $out;
}

# A copy of the file as it is, and the way back.  Nobody may be writing.
sub save {
    my ($self, $name) = @_;
    _copy($self->{path}, "$self->{path}.$name");
    return;
}

sub restore {
    my ($self, $name) = @_;
    _copy("$self->{path}.$name", "$self->{path}.beside");
    rename "$self->{path}.beside", $self->{path} or die "rename: $!\n";
    return;
}

sub _copy {
    my ($from, $to) = @_;
    my $text = _slurp($from);
    die "$from cannot be read\n" if !length $text;
    R307::Env::write_file($to, $text);
    return;
}

sub hide   { rename $_[0]{path}, "$_[0]{path}.hidden" or die "rename: $!\n" }
sub reveal { rename "$_[0]{path}.hidden", $_[0]{path} or die "rename: $!\n" }

1;
