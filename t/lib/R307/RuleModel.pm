# R307::RuleModel is a second, slow opinion of what a table of SQL rows
# answers: rows as plain hashes, histories of them, and for a request the row
# that wins, found by looking at all of them in the order that
# docs/directives.md gives.  Called by t/94-fleet.t.  It knows nothing of
# databases, patches and tables.
#
#   my $model = R307::RuleModel->new(ruleset => 'shop');
#   $model->replay($seq, ['put', { id => 7, ... }], ['delete', 8]);
#   $model->answer('www.example', '/a/b');     # "307 https://..." or "404"
#   my $then = $model->at($seq);               # the rows at that time
package R307::RuleModel;

use strict;
use warnings;

# Rows with one of these are skipped by servers, and named.
use constant BAD_OPTION => 'nonsense=1';
use constant BAD_PATTERN => '^/r(';

my %rank = (exact => 0, prefix => 1, regex => 2);

sub new {
    my ($class, %arg) = @_;
    return bless { ruleset => $arg{ruleset}, rows => {}, past => [] }, $class;
}

# id => row; the columns are those of redirect307_rule.
sub rows { return $_[0]{rows} }

sub set_rows {
    my ($self, $rows) = @_;
    $self->{rows} = { %$rows };
    delete $self->{sorted};
    return;
}

# What one transaction did, in its order.  Rows are never changed in place, so
# a copy of the hash is enough to remember what was.
sub replay {
    my ($self, $seq, @ops) = @_;
    my $rows = $self->{rows};

    for my $op (@ops) {
        my ($name, $value) = @$op;
        if ($name eq 'put') {
            $rows->{ $value->{id} } = $value;
        }
        elsif ($name eq 'delete') {
            delete $rows->{$value};
        }
        elsif ($name eq 'all') {
            $rows = $self->{rows} = { %$value };
        }
        else {
            die "unknown operation $name\n";
        }
    }
    push @{ $self->{past} }, [$seq, { %$rows }];
    delete $self->{sorted};
    return;
}

# The rows when this change was the last one.
sub at {
    my ($self, $seq) = @_;
    my $found = {};

    for my $then (@{ $self->{past} }) {
        last if $then->[0] > $seq;
        $found = $then->[1];
    }
    return $found;
}

# ---- what servers make of it ----

sub is_bad {
    my ($row) = @_;
    return $row->{options} eq BAD_OPTION || $row->{path} eq BAD_PATTERN;
}

# Ids that servers have to name.
sub bad_ids {
    my ($self) = @_;
    return sort { $a <=> $b } map { $_->{id} }
           grep { $_->{enabled} && $_->{ruleset} eq $self->{ruleset}
                  && is_bad($_) } values %{ $self->{rows} };
}

# The rows that servers have as rules, the most specific first.
sub _sorted {
    my ($self) = @_;
    $self->{sorted} ||= [
        sort { _order($a, $b) }
        grep { $_->{enabled} && $_->{ruleset} eq $self->{ruleset}
               && !is_bad($_) } values %{ $self->{rows} }
    ];
    return $self->{sorted};
}

sub _order {
    my ($x, $y) = @_;
    my $by = $rank{ $x->{kind} } <=> $rank{ $y->{kind} };

    return $by if $by;
    return $x->{id} <=> $y->{id} if $x->{kind} eq 'regex';
    return length $y->{path} <=> length $x->{path}
        || _host_rank($x->{host}) <=> _host_rank($y->{host})
        || length $y->{host} <=> length $x->{host}
        || $x->{id} <=> $y->{id};
}

sub _host_rank {
    my ($host) = @_;
    return $host eq '' ? 2 : $host =~ /\A\*/ ? 1 : 0;
}

# What a GET is answered.
sub answer {
    my ($self, $host, $path) = @_;

    for my $row (@{ $self->_sorted }) {
        next if $row->{host} ne '' && !_is_host($row->{host}, $host);
        next if $row->{options} =~ /methods=POST/;
        next if defined $row->{valid_until};    # tests use the past only
        my $location = _location($row, $path);
        return "307 $location" if defined $location;
    }
    return '404';
}

sub _is_host {
    my ($pattern, $host) = @_;
    return $host eq $pattern if $pattern !~ s/\A\*//;
    return length $host > length $pattern
        && substr($host, -length $pattern) eq $pattern;
}

sub _location {
    my ($row, $path) = @_;
    my ($kind, $target) = @$row{qw(kind target)};

    if ($kind eq 'regex') {
        return if $path !~ /$row->{path}/;
        my $group = defined $1 ? $1 : '';
        $target =~ s/\$1/$group/;
        return $target;
    }
    return if index($path, $row->{path}) != 0;
    my $rest = substr $path, length $row->{path};
    return $target if $rest eq '';
    return if $kind eq 'exact' || $rest !~ m{\A/};
    return $target . $rest;
}

1;
