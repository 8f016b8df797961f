# The command table against docs/directives.md: every directive has a section
# that states its contexts as the code does, every rule option an entry, and
# every directive a live test.
use strict;
use warnings;

use Test::More;
use Check qw(srcdir slurp bare_code);

my $table = bare_code(slurp(srcdir() . '/src/httpd/m307_directives.c'));
my %where = $table =~ /AP_INIT_\w+\s*\(\s*"(\w+)"\s*,\s*[^,]+,\s*[^,]+,\s*([\w| ]+?)\s*,/g;
cmp_ok(scalar keys %where, '>=', 7, 'the command table has directives');
my @init = $table =~ /\bAP_INIT_\w+/g;
is(scalar keys %where, scalar @init, 'and each was understood');

# Sections: the text below a heading that names one directive.
my (%section, $current);
my $docs = slurp(srcdir() . '/docs/directives.md');
for my $line (split /\n/, $docs) {
    if ($line =~ /^#+\s/) {
        $current = $line =~ /^#+\s+[`*]*(Redirect307\w*)\b/ ? $1 : undef
            if $line =~ /^##?#?\s/;
        $section{$current} //= '' if defined $current;
    }
    $section{$current} .= "$line\n" if defined $current;
}

for my $name (sort keys %where) {
    ok(defined $section{$name}, "$name has a section") or next;
    my ($context) = $section{$name} =~ /\bContext\b[:*|\s]*(.*)/;
    ok(defined $context, "$name: the section states the context") or next;
    my $wide = $where{$name} =~ /\bOR_/ ? 1 : 0;
    is($context =~ /\.htaccess/ ? 1 : 0, $wide, "$name: .htaccess or not");
    is($context =~ /\bdirectory\b/ ? 1 : 0, $wide, "$name: directory or not");
}
is(join(' ', sort grep { !exists $where{$_} } keys %section), '',
   'no section is about a directive that does not exist');

# Options: the table in r307_options.c.
my $options = bare_code(slurp(srcdir() . '/src/core/r307_options.c'));
my ($rows) = $options =~ /option_t\s+options\[\]\s*=\s*\{(.*?)\n\};/s;
my @options = ($rows // '') =~ /\{\s*"([a-z-]+)"\s*,\s*[01]\s*,/g;
cmp_ok(scalar @options, '>=', 10, 'the option table has options');
for my $name (@options) {
    ok($docs =~ /^(?:#+|\||[-*])\s*[`*"]*\Q$name\E(?:=|\b)[^\n]*[`*]/m,
       "option $name has an entry");
}

# A directive nobody tests is a promise nobody keeps.
my $tests = join '', map { slurp($_) } glob(srcdir() . '/t/*.t'),
            glob(srcdir() . '/t/data/*');
for my $name (sort keys %where) {
    ok($tests =~ /\b\Q$name\E\b/, "$name is in a live test");
}

done_testing();
