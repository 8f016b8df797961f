# The lists in Makefile.am name every file there is, and only those; whatever
# git tracks is shipped.
use strict;
use warnings;

use Test::More;
use Check qw(srcdir sources shipped run);

my $top = srcdir();

sub on_disk {
    my ($pattern) = @_;
    return map { substr $_, 1 + length $top } glob "$top/$pattern";
}

sub same_files {
    my ($name, $listed, $there) = @_;
    my %listed = map { $_ => 1 } @$listed;
    my %there = map { $_ => 1 } @$there;

    is(join(' ', grep { !$listed{$_} } @$there), '',
       "$name in Makefile.am names every file");
    is(join(' ', grep { !$there{$_} } @$listed), '',
       "$name in Makefile.am names no other");
    return;
}

my @unit = map { s/\.c$//r } on_disk('t/unit/test_*.c');
same_files('core_sources', [sources('core')],
           [on_disk('src/core/*.c'), on_disk('src/core/*.h')]);
same_files('httpd_sources', [sources('httpd')],
           [on_disk('src/httpd/*.c'), on_disk('src/httpd/*.h')]);
same_files('tool_sources', [sources('tool')],
           [on_disk('src/tool/*.c'), on_disk('src/tool/*.h')]);
same_files('unit_tests', [sources('unit')], \@unit);
my @fuzz = map { s/\.c$//r } on_disk('t/fuzz/fuzz_*.c');
same_files('fuzz_targets', [sources('fuzz')], \@fuzz);
cmp_ok(scalar @fuzz, '>', 0, 'there are fuzz targets');
cmp_ok(scalar @unit, '>', 0, 'there are unit tests');

for my $name (split ' ', $ENV{R307_EXTRA_DIST}) {
    ok(-e "$top/$name", "EXTRA_DIST: $name exists");
}

SKIP: {
    my ($status, $out) = run('git', '-C', $top, 'ls-files', '--full-name');
    my ($where, $root) = run('git', '-C', $top, 'rev-parse', '--show-toplevel');
    chomp $root;
    skip 'not a git checkout', 1
        if $status != 0 || $out eq '' || $root ne $top;
    my %shipped = map { $_ => 1 } shipped();
    my @lost = grep { !$shipped{$_} && -e "$top/$_" } split /\n/, $out;
    is("@lost", '', 'every tracked file is in the tarball');
}

done_testing();
