# R307::SqlStore is a store of rules, on SQLite or PostgreSQL, with the same
# methods for both: what the tool is told to find it, and plain SQL as any
# client would send it.  Called by the suite of `redirect307 sql`.  It knows
# nothing of httpd.
#
#   my $store = R307::SqlStore->sqlite;            # or ->postgres($cluster)
#   my ($exit, $out, $err) = $store->tool('put', '--ruleset', 'r', '/a', '/b');
#   my @lines = $store->sql('SELECT id FROM redirect307_rule');
package R307::SqlStore;

use strict;
use warnings;

use File::Basename qw(dirname);

use R307::Postgres ();
use R307::Sqlite ();
use R307::Tool ();

my $databases = 0;

# Without tables: `init` or create() makes them.
sub sqlite {
    my ($class) = @_;
    my $db = R307::Sqlite->new(create => 0, name => 'tool');
    my $dir = dirname($db->path);

    -d $dir or mkdir $dir or die "$dir: $!\n";
    return bless { kind => 'SQLite', db => $db }, $class;
}

sub postgres {
    my ($class, $cluster) = @_;
    my $name = 'r' . ++$databases;

    $cluster->sql("CREATE DATABASE $name");
    return bless { kind => 'PostgreSQL', db => $cluster, name => $name },
                 $class;
}

sub kind      { $_[0]{kind} }
sub is_sqlite { $_[0]{kind} eq 'SQLite' }
sub db        { $_[0]{db} }
sub dbname    { $_[0]{name} }

sub create {
    my ($self) = @_;
    my ($exit, undef, $err) = $self->tool('init');

    die "init: $err" if $exit;
    return $self;
}

# The options that name the store; parameters with a password are in the
# environment.
sub options {
    my ($self) = @_;
    return $self->is_sqlite ? ('--sqlite', $self->{db}->path)
                            : ('--driver', 'pgsql');
}

sub conninfo {
    my ($self, %arg) = @_;
    return $self->{db}->conninfo(dbname => $self->{name}, %arg);
}

# `redirect307 sql COMMAND OPTIONS @words`.
sub tool {
    my ($self, $command, @words) = @_;

    local $ENV{REDIRECT307_DB} = $self->is_sqlite ? '' : $self->conninfo;
    return R307::Tool::run('sql', $command, $self->options, @words);
}

# Exit status (0: all well), output, errors.  %arg: as R307::Postgres::psql.
sub try_sql {
    my ($self, $sql, %arg) = @_;

    return $self->{db}->try_sql($sql) if $self->is_sqlite;
    return $self->{db}->psql($sql, dbname => $self->{name}, %arg);
}

# Lines, columns separated by '|'.  Dies when it fails.
sub sql {
    my ($self, $sql, %arg) = @_;
    my ($code, $out, $err) = $self->try_sql($sql, %arg);

    die "$self->{kind}: $err\n" if $code != 0;
    return split /\n/, $out;
}

# A value as SQL, any bytes but NUL.
sub quote {
    my ($self, $value) = @_;

    return 'NULL' if !defined $value;
    if ($value =~ /[^\x20-\x7e]/) {
        my $hex = unpack 'H*', $value;
        return $self->is_sqlite ? "CAST(x'$hex' AS TEXT)"
                                : "convert_from('\\x$hex', 'UTF8')";
    }
    $value =~ s/'/''/g;
    return "'$value'";
}

# Every column of every rule, as the comparison of states wants them.
sub state {
    my ($self) = @_;
    return join "\n", $self->sql(
        'SELECT id, ruleset, host, kind, path, target, options, valid_from, '
        . 'valid_until, enabled, note FROM redirect307_rule ORDER BY id');
}

# What the log tells behind $seq: "op id ruleset", a "+" where it was added.
sub log_since {
    my ($self, $seq) = @_;
    return $self->sql(
        "SELECT op || ' ' || rule_id || ' ' || ruleset || "
        . "CASE WHEN added THEN ' +' ELSE '' END "
        . "FROM redirect307_change WHERE seq > $seq ORDER BY seq");
}

sub last_seq {
    my ($self) = @_;
    my ($seq) = $self->sql(
        'SELECT coalesce(max(seq), 0) FROM redirect307_change');
    return $seq;
}

1;
