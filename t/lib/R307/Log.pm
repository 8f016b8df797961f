# R307::Log reads an httpd error log as it grows and decides what in it is
# worth failing for: anything at warn or above, and any child that died of a
# signal, unless a test named its id.  Called by R307::Server and R307::Live.
package R307::Log;

use strict;
use warnings;

use Time::HiRes qw(sleep time);

my %serious = map { $_ => 1 } qw(emerg alert crit error warn);

sub new {
    my ($class, $file) = @_;
    return bless { file => $file, mark => 0 }, $class;
}

sub file { $_[0]{file} }

# Everything written so far.
sub text {
    my ($self, $from) = @_;
    open my $fh, '<:raw', $self->{file} or return '';
    seek $fh, $from || 0, 0;
    local $/;
    my $text = <$fh>;
    return defined $text ? $text : '';
}

# Remembers the present end; since() returns the lines after it.
sub mark {
    my ($self) = @_;
    $self->{mark} = -s $self->{file} || 0;
    return;
}

sub since {
    my ($self) = @_;
    return parse($self->text($self->{mark}));
}

sub all {
    my ($self) = @_;
    return parse($self->text(0));
}

# Waits (bounded) for a line after the mark that matches; returns it.
sub wait_for {
    my ($self, $re, $seconds) = @_;
    my $deadline = time + ($seconds || 3);

    while (1) {
        for my $line ($self->since) {
            return $line if $line->{text} =~ $re;
        }
        return if time > $deadline;
        sleep 0.02;
    }
}

# Splits log text into { module, level, id, message, text }.
sub parse {
    my ($text) = @_;
    my @out;

    for my $line (split /\n/, $text) {
        next if $line eq '';
        my %l = (text => $line, module => '', level => '', id => '',
                 message => $line);
        if ($line =~ /\A\[[^\]]*\] \[(\w*):(\w+)\] (.*)\z/) {
            @l{qw(module level message)} = ($1, $2, $3);
        }
        ($l{id}) = $l{message} =~ /\b((?:R307-|AH)\d+):/;
        $l{id} = '' if !defined $l{id};
        push @out, \%l;
    }
    return @out;
}

# The lines that fail a test unless their id is allowed.  An id may be given
# as a plain id ('AH00124', 'R307-0301') or as a regular expression for the
# whole line.
sub offending {
    my ($lines, @allowed) = @_;
    my %id = map { $_ => 1 } grep { !ref } @allowed;
    my @re = grep { ref } @allowed;

    return grep {
        my $l = $_;
        my $bad = $serious{ $l->{level} } || $l->{level} eq ''
               || $l->{message} =~ /exit signal/;
        $bad && !($l->{id} ne '' && $id{ $l->{id} })
             && !grep { $l->{text} =~ $_ } @re;
    } @$lines;
}

1;
