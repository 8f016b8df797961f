# Text that must not be shipped: leftovers of work, places of one machine,
# functions of C that have better ones, layout the house style forbids.
use strict;
use warnings;

use Test::More;
use Check qw(srcdir shipped slurp bare_code);

# Written so that this file does not match itself.
my @everywhere = (
    [qr{(?<![\w.-])/(?:work|root|home)/}, 'a path of one machine'],
    [qr{/tmp/(?:b)rief}, 'a path of one machine'],
    [qr{(?:T)ODO|(?:F)IXME|\b(?:X)XX\b|\b(?:H)ACK\b}, 'a note to self'],
    [qr{(?:l)orem ipsum}i, 'filler'],
    [qr{deb\.(?:d)ebian\.org|registry\.(?:n)pmjs|(?:s)napshot\.debian},
     'a host of a package registry'],
    [qr{\b(?:i)ssue\s*\#?\d|\bthis (?:i)ssue\b|\b(?:A)I[- ]generated}i,
     'the making of the project'],
    [qr{\b(?:t)he (?:brief|lead|helper)\b|\b(?:i)n this session\b}i,
     'the making of the project'],
    [qr{^(?:<{7}|>{7}|={7})(?: |$)}m, 'a merge conflict'],
    [qr{[ \t]+$}m, 'blanks at the end of a line'],
    [qr{\r}, 'a carriage return'],
);
my @code = (
    [qr{\t}, 'a tab'],
    [qr{//(?![^"\n]*")}, 'a // comment'],
    [qr{^.{81,}$}m, 'a line over 80 columns'],
);
my @calls = (
    [qr{\b(?:strcpy|strcat|sprintf|vsprintf|gets|strtok|alloca)\s*\(},
     'a function without a bound'],
    [qr{\b(?:malloc|calloc|realloc|free|strdup)\s*\(}, 'memory outside pools'],
    [qr{\b(?:printf|puts|abort|exit|system|popen)\s*\(},
     'a function a server module must not call'],
);

# Compiling ten million rules takes a gigabyte for some seconds; pools never
# give memory back.
my %may_malloc = map { $_ => 1 } qw(src/core/r307_block.c
                                    src/core/r307_index.c);

sub is_text { return $_[0] !~ /\0/ }

# What is wrong with a text, as "line: reason" lines.
sub faults {
    my ($text, @rules) = @_;
    my @out;

    for my $rule (@rules) {
        my ($re, $why) = @$rule;
        while ($text =~ /$re/g) {
            my $line = 1 + (substr($text, 0, $-[0]) =~ tr/\n//);
            push @out, "$line: $why: $&";
        }
    }
    return join "\n", @out;
}

my $files = 0;
for my $name (shipped()) {
    next if $name eq 'LICENSE';
    my $text = slurp(srcdir() . "/$name");
    next if !is_text($text);
    $files++;

    # Tables and captured data may hold any byte a client can send.
    my @rules = $name =~ m{^t/(?:data|htdocs|fuzz/corpus)/}
        ? grep { $_->[1] !~ /^(?:blanks|a carriage)/ } @everywhere
        : @everywhere;
    my $bad = faults($text, @rules);
    if ($name =~ /\.[ch]$/) {
        my $bare = bare_code($text);
        $bad .= faults($text, $code[0], $code[2]) . faults($bare, $code[1]);
        $bad .= faults($bare, grep { $_->[1] !~ /pools/ || !$may_malloc{$name} }
                              @calls) if $name !~ m{^t/};
    }
    is($bad, '', $name);
}
cmp_ok($files, '>=', 30, 'there were files to look at');

# The rules find what they are for.
like(faults("x /" . "work/y\n", @everywhere), qr/a path/, 'a path is found');
like(faults("TO" . "DO\n", @everywhere), qr/note/, 'a note is found');
like(faults("    sprintf(a, b);\n", @calls), qr/bound/, 'a call is found');
like(faults("int a; // b\n", @code), qr{//}, 'a comment is found');

done_testing();
