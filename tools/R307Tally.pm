# R307Tally: a TAP::Harness that also appends one line "passed failed skipped"
# to the file named by R307_TALLY.  ./quickstart test selects it through
# HARNESS_SUBCLASS, so that its closing line counts real results of every
# prove and Apache::Test below it.  A skipped test counts as skipped only; a
# test program that breaks without a failed test counts as one failure.
package R307Tally;

use strict;
use warnings;

use parent 'TAP::Harness';

# The one method that prove and Test::Harness both go through.
sub aggregate_tests {
    my ($self, $aggregate, @tests) = @_;

    $self->SUPER::aggregate_tests($aggregate, @tests);
    note_results($ENV{R307_TALLY}, $aggregate) if $ENV{R307_TALLY};
    return;
}

sub note_results {
    my ($file, $aggregate) = @_;
    my ($passed, $failed, $skipped) = (0, 0, 0);

    for my $parser ($aggregate->parsers($aggregate->descriptions)) {
        # Each of these is a list of test numbers.
        my @passed  = $parser->passed;
        my @failed  = $parser->failed;
        my @skipped = $parser->skipped;
        my @todo    = $parser->todo;
        $passed  += @passed - @skipped - @todo;
        $failed  += @failed;
        $skipped += @skipped;
        $skipped++ if defined $parser->skip_all;
        $failed++ if !@failed && $parser->has_problems;
    }
    open my $fh, '>>', $file or die "$file: $!\n";
    print {$fh} "$passed $failed $skipped\n" or die "$file: $!\n";
    close $fh or die "$file: $!\n";
    return;
}

1;
