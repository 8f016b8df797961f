# Message ids: every error and log line opens with one, no two call sites share
# one, and docs/messages.md explains exactly those.
use strict;
use warnings;

use Test::More;
use Check qw(srcdir sources slurp bare_code);

my %sites;                              # id => places
my @nameless;                           # calls whose text opens with no id

for my $name ('mod_redirect307.c', sources('core'), sources('httpd')) {
    my $code = bare_code(slurp(srcdir() . "/$name"));

    while ($code =~ /"R307-(\d{4}): /g) {
        push @{ $sites{"R307-$1"} }, place($name, $code, $-[0]);
    }
    while ($code =~ /R307-(?!\d{4}: )/g) {
        push @nameless, place($name, $code, $-[0]) . ': not R307-nnnn';
    }
    while ($code =~ /\b(ap_log_[a-z]*error|r307_error_set)\s*(\((?:[^()]|(?2))*\))/g) {
        my ($call, $args, $at) = ($1, $2, $-[0]);
        my ($text) = $args =~ /"((?:[^"\\]|\\.)*)"/ or next;
        # A format without a word of its own hands on a text that has an id.
        next if $text =~ s/%[-+#0-9.*lzh]*[a-zA-Z]//gr !~ /[A-Za-z]/;
        push @nameless, place($name, $code, $at) . ": $call without an id"
            if $text !~ /^R307-\d{4}: /;
    }
}

sub place {
    my ($name, $code, $at) = @_;
    return "$name:" . (1 + (substr($code, 0, $at) =~ tr/\n//));
}

cmp_ok(scalar keys %sites, '>=', 20, 'the sources have ids');
is(join("\n", @nameless), '', 'every message opens with its id');
for my $id (sort keys %sites) {
    is(scalar @{ $sites{$id} }, 1, "$id has one call site")
        or diag join "\n", @{ $sites{$id} };
}

# An entry begins a line: a heading, a table row or a list item.
my %entries;
for my $line (split /\n/, slurp(srcdir() . '/docs/messages.md')) {
    $entries{$1}++ if $line =~ /^(?:#+|\||[-*])?\s*[`*]*(R307-\d{4})\b/;
}
cmp_ok(scalar keys %entries, '>=', 20, 'docs/messages.md has entries');
is(join(' ', sort grep { !$entries{$_} } keys %sites), '',
   'every id is in docs/messages.md');
is(join(' ', sort grep { !$sites{$_} } keys %entries), '',
   'docs/messages.md has no id that is not in the sources');
is(join(' ', sort grep { $entries{$_} > 1 } keys %entries), '',
   'no id is explained twice');

done_testing();
