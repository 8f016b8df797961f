# R307::RuleWriter is a client of a store that writes rules at random with
# plain SQL, in a process of its own, so that several write at once.  It notes
# what it has committed and at which change, for a model to be replayed from.
# Called by t/94-fleet.t.  It knows nothing of servers.
#
#   my $writer = R307::RuleWriter->start($pg, seed => 7, seconds => 3,
#                                        user => 'writer', ruleset => 'shop');
#   $model->replay(@$_) for R307::RuleWriter::committed(@writers);
#
# Writers know nothing of each other: they change, move and delete each other's
# rows.
package R307::RuleWriter;

use strict;
use warnings;

use JSON::PP ();
use POSIX qw(WNOHANG _exit);
use Time::HiRes qw(sleep time);

use R307::Env ();
use R307::RuleModel ();

my $json = JSON::PP->new->canonical->allow_nonref;

# Few places, so that rules compete for them; and what asks for each.
our @PATHS = (map { my $p = $_; ("/p$p", map { "/p$p/q$_" } 0 .. 2) } 0 .. 7);
our @HOSTS = ('', '', '', '', 'h.test', '*.test', '*.w.test');
our @ASKED_HOSTS = ('h.test', 'a.w.test', 'other.example');
our $REGEXES = 4;

# The paths that requests ask for.
sub asked_paths {
    return (map { ($_, "$_/x") } @PATHS), map { "/r$_/17" } 0 .. $REGEXES - 1;
}

# ---- the process ----

sub start {
    my ($class, $pg, %arg) = @_;
    my $dir  = R307::Env::scratch('writer');
    my $self = bless { owner => $$, notes => "$dir/notes",
                       errors => "$dir/errors" }, $class;
    my $pid  = fork;

    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        my $code = eval { _work($self, $pg, %arg); 1 } ? 0 : 1;
        _note($self->{errors}, $@) if $code;
        _exit($code);
    }
    $self->{pid} = $pid;
    $self->{deadline} = time + $arg{seconds} + 60;
    return $self;
}

sub _note {
    my ($file, $line) = @_;
    open my $fh, '>>', $file or _exit(2);
    print {$fh} $line;
    close $fh;
    return;
}

sub _work {
    my ($self, $pg, %arg) = @_;
    my $session = $pg->session(user => $arg{user}, dbname => $arg{dbname});
    my $end = time + $arg{seconds};

    srand $arg{seed};
    for my $n (1 .. $arg{transactions} || 1_000_000) {
        last if time > $end;
        my $version = "$arg{seed}-$n";
        $session->send(_transaction($version, $arg{ruleset}));
        my ($out, $err) = $session->result;
        # The row is there already: what was done is undone, or from the
        # savepoint on.
        die $err if grep { !/ERROR:  (?:23505|25P02|3B001):/ }
                    $err =~ /^\S*(?:ERROR|FATAL|PANIC):.*|.*connection.*/mg;
        _note($self->{notes}, $json->encode([split /\n/, $out]) . "\n");
        sleep rand(0.02);
    }
    $session->end;
    return;
}

sub is_running {
    my ($self) = @_;
    if (defined $self->{pid} && waitpid($self->{pid}, WNOHANG) != 0) {
        delete $self->{pid};
    }
    return defined $self->{pid};
}

# Waits for the end; dies with what a writer died of.
sub wait {
    my ($self, %arg) = @_;

    while ($self->is_running) {
        if (time > $self->{deadline}) {
            $self->stop;
            die "a writer did not end in time\n";
        }
        sleep 0.01;
    }
    open my $fh, '<', $self->{errors} or return;
    local $/;
    my $text = <$fh>;
    die "a writer failed: $text" if !$arg{may_fail};
    return $text;
}

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid};
    return if !defined $pid || $self->{owner} != $$;
    local ($?, $!);
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return;
}

sub DESTROY { $_[0]->stop }

# What writers have committed, as [seq, operation...], in the order of changes.
sub committed {
    my @all;

    for my $writer (@_) {
        open my $fh, '<', $writer->{notes} or next;
        push @all, map { _read(@{ $json->decode($_) }) } <$fh>;
    }
    return sort { $a->[0] <=> $b->[0] } @all;
}

# The lines of a transaction's output.  One that was undone has no seq.
sub _read {
    my @lines = @_;
    my ($seq, @ops);

    for my $line (@lines) {
        my ($what, $rest) = $line =~ /\A(\w+) (.*)\z/ or die "what: $line\n";
        if ($what eq 'put') {
            push @ops, ['put', $json->decode($rest)];
        }
        elsif ($what eq 'delete') {
            push @ops, ['delete', $rest];
        }
        elsif ($what eq 'move') {
            my ($old, $row) = $rest =~ /\A(\d+) (.*)\z/;
            push @ops, ['delete', $old], ['put', $json->decode($row)];
        }
        elsif ($what eq 'seq') {
            $seq = $rest;
        }
    }
    return defined $seq && @ops ? [$seq, @ops] : ();
}

# ---- what it writes ----

sub _one_of { return $_[rand @_] }

sub _text {
    my ($text) = @_;
    $text =~ s/'/''/g;
    return "'$text'";
}

# Values of the columns for what a row says, but for id and ruleset.
sub _columns {
    my ($version) = @_;
    my $kind = _one_of(qw(prefix prefix prefix exact exact regex));
    my $path = $kind eq 'regex' ? '^/r' . int(rand $REGEXES) . '/(\d+)$'
                                : _one_of(@PATHS);
    my $target = "https://t.example/$version"
               . ($kind eq 'regex' ? '/$1' : '');
    my $options = _one_of('', '', '', '', 'cache=60', 'methods=POST',
                          'query=drop name=n');
    my $until = rand() < 0.05 ? "'2020-01-01 00:00:00+00'" : 'NULL';

    $options = R307::RuleModel::BAD_OPTION if rand() < 0.02;
    $path = R307::RuleModel::BAD_PATTERN if $kind eq 'regex' && rand() < 0.05;
    return (host => _text(_one_of(@HOSTS)), kind => _text($kind),
            path => _text($path), target => _text($target),
            options => _text($options), valid_until => $until,
            enabled => rand() < 0.9 ? 'true' : 'false');
}

use constant PUT => q{RETURNING 'put ' || row_to_json(redirect307_rule)};

# Rows of writers; other rows are left alone.
use constant THEIRS => "(path LIKE '/p%' OR kind = 'regex')";

# Some row that may be there, and an id that may be free.
use constant SOME => '(SELECT id FROM redirect307_rule WHERE ' . THEIRS
                   . ' ORDER BY random() LIMIT 1)';
sub _some_id { return 1000 + int rand 300 }

my @statement = (
    (sub {
        my ($version, $ruleset) = @_;
        my %c = (id => _some_id(), ruleset => "'$ruleset'",
                 _columns($version));
        my @names = sort keys %c;
        my $set = join ', ', map { "$_ = EXCLUDED.$_" } @names;
        return 'INSERT INTO redirect307_rule (' . join(', ', @names)
             . ') VALUES (' . join(', ', @c{@names})
             . ") ON CONFLICT (id) DO UPDATE SET $set " . PUT;
    }) x 3,
    (sub {                              # the database gives the ids
        my ($version, $ruleset) = @_;
        my %c = _columns($version);
        my @names = sort keys %c;
        return 'INSERT INTO redirect307_rule (ruleset, '
             . join(', ', @names) . ") SELECT '$ruleset', "
             . join(', ', @c{@names}) . ' FROM generate_series(1, '
             . (1 + int rand 3) . ') ' . PUT;
    }) x 3,
    (sub {                              # may be there already
        my ($version, $ruleset) = @_;
        my %c = (id => _some_id(), ruleset => "'$ruleset'",
                 _columns($version));
        my @names = sort keys %c;
        return 'INSERT INTO redirect307_rule (' . join(', ', @names)
             . ') VALUES (' . join(', ', @c{@names}) . ') ' . PUT;
    }),
    (sub {
        my %c = _columns($_[0]);
        return 'UPDATE redirect307_rule SET '
             . join(', ', map { "$_ = $c{$_}" } sort keys %c)
             . ' WHERE id = ' . SOME . ' ' . PUT;
    }) x 4,
    (sub {
        return 'UPDATE redirect307_rule SET enabled = NOT enabled WHERE id = '
             . SOME . ' ' . PUT;
    }) x 2,
    sub {                               # many at once
        return "UPDATE redirect307_rule SET target = 'https://m.example/$_[0]'"
             . " WHERE kind <> 'regex' AND @{[ THEIRS ]} AND id % 11 = "
             . int(rand 11) . ' ' . PUT;
    },
    sub {                               # another id: another place in line
        my ($from, $to) = (_some_id(), _some_id());
        return "UPDATE redirect307_rule SET id = $to WHERE id = $from"
             . " RETURNING 'move $from ' || row_to_json(redirect307_rule)";
    },
    sub {                               # away, or back
        return "UPDATE redirect307_rule SET ruleset = CASE ruleset"
             . " WHEN '$_[1]' THEN 'elsewhere' ELSE '$_[1]' END"
             . ' WHERE id = ' . SOME . ' ' . PUT;
    },
    (sub {
        return 'DELETE FROM redirect307_rule WHERE id = ' . SOME
             . " RETURNING 'delete ' || id";
    }) x 3,
    sub {
        return 'DELETE FROM redirect307_rule WHERE id % 13 = ' . int(rand 13)
             . " AND @{[ THEIRS ]} RETURNING 'delete ' || id";
    },
);

# A few statements; some are undone, as a whole or from a savepoint on.
sub _transaction {
    my ($version, $ruleset) = @_;
    my @do = map { _one_of(@statement)->("$version.$_", $ruleset) . ';' }
             1 .. 1 + int rand 3;
    my $end = rand() < 0.1 ? 'ROLLBACK' : 'COMMIT';

    if (rand() < 0.1) {
        push @do, 'SAVEPOINT s;', _one_of(@statement)->("$version.s", $ruleset)
                  . ';';
        $do[-1] =~ s/RETURNING .*;/;/;
        push @do, 'ROLLBACK TO s;';
    }
    push @do, "SELECT 'seq ' || max(seq) FROM redirect307_change;"
        if $end eq 'COMMIT';
    return join "\n", 'BEGIN;', @do, "$end;";
}

1;
