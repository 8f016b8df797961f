# The manual page against the tool: every command and every option that --help
# tells is explained in its place, and no other.
use strict;
use warnings;

use Test::More;
use Check qw(srcdir builddir slurp run);

my $tool = builddir() . '/redirect307';
my $page = slurp(srcdir() . '/docs/redirect307.1');
my ($status, $help) = run($tool, '--help');
is($status, 0, 'the tool runs') or done_testing(), exit;
my @commands = $help =~ /^  ([a-z]+) +\S/mg;
cmp_ok(scalar @commands, '>=', 7, 'it has commands');

# Text below a heading, up to the next.
sub section {
    my ($heading) = @_;
    return $page =~ /^\.S[HS] \Q$heading\E(?! [a-z])[^\n]*\n(.*?)(?=^\.S[HS] |\z)/ms
        ? $1 : '';
}

# "--name" of each paragraph that is headed by an option.
sub options_in {
    my ($text) = @_;
    my %seen;
    while ($text =~ /^\.TP\n\.(?:BI?|BR) ([^\n]*)/mg) {
        $seen{$_} = 1 for $1 =~ /(--[a-z-]+)/g;
    }
    return %seen;
}

# Commands of a command.
my $commands = join '|', 'sql';
@commands = map {
    my $command = $_;
    my $inner = (run($tool, $command, '--help'))[1];
    $command !~ /^(?:$commands)$/ ? $command
        : ($command, map { "$command $_" } $inner =~ /^  ([a-z]+) +\S/mg);
} @commands;
cmp_ok(scalar(grep { / / } @commands), '>=', 9, 'one has commands');

# Options that several commands share, and one that tells which do.
my %shared = options_in(section('WHICH RULES'));
my %stores = options_in(section('WHICH STORE'));
my %told;
for my $command (@commands) {
    my $text = section($command);
    ok(length $text, "$command has a section") or next;
    my ($out) = (run($tool, split(/ /, $command), '--help'))[1];
    my %has = map { $_ => 1 } $out =~ /^  (?:-\w, |    )(--[a-z-]+)/mg;
    my %explained = options_in($text);

    delete $has{'--help'};
    if ($has{'--rules'}) {
        delete @has{keys %shared};
        $told{$_} = 1 for keys %shared;
    }
    if ($has{'--sqlite'}) {
        $told{$_} = 1 for grep { $has{$_} } keys %stores;
        delete @has{grep { !$explained{$_} } keys %stores};
    }
    # they stand with the command that they come from
    if ($text =~ /options of\n\.B import\b/) {
        my %import = options_in(section('import'));
        delete @has{keys %import};
    }
    is(join(' ', sort keys %explained), join(' ', sort keys %has),
       "$command: its options are those of --help");
}
is(join(' ', sort keys %told),
   join(' ', sort keys %{ { %shared, %stores } }),
   'the shared options are used');

my @sections = $page =~ /^\.SS (sql [a-z]+|[a-z]+)/mg;
is(join(' ', @sections), join(' ', @commands), 'no other command, same order');

my ($codes) = (run($tool, 'lint', '--help'))[1] =~ /^Codes: ([a-z,\s-]+)\./m;
my $lint = section('lint');
my @codes = split /,\s+/, $codes;
cmp_ok(scalar @codes, '>=', 15, 'lint has codes');
for my $code (@codes) {
    like($lint, qr/^\.B \Q$code\E$/m, "the code $code is explained");
    like(slurp(srcdir() . '/docs/guide.md'), qr/^\| `\Q$code\E` \|/m,
         "in the guide, too");
}

my $exit = section('EXIT STATUS');
is(join(',', $exit =~ /^\.B (\d+)$/mg), '0,1,2,3', 'exit statuses');

done_testing();
