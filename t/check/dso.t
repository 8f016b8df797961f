# The module as a file: it exports its record and nothing else, lacks nothing
# of its own, and httpd loads it.
use strict;
use warnings;

use Test::More;
use Check qw(build_env run tempdir minimal_config httpd_test);

my $module = build_env('R307_MODULE');
my $nm = build_env('R307_NM');

my ($status, $out) = run($nm, '-D', '--defined-only', $module);
is($status, 0, "nm reads $module") or diag $out;
my @defined = map { (split ' ')[-1] } split /\n/, $out;
is("@defined", 'redirect307_module', 'exactly one symbol is exported');

($status, $out) = run($nm, '-D', '--undefined-only', $module);
my @undefined = map { s/\@.*//r } map { (split ' ')[-1] } split /\n/, $out;
cmp_ok(scalar(grep { /^ap_/ } @undefined), '>', 0,
       'symbols of httpd are left to httpd');
is(join(' ', grep { /^[rm]307_/ } @undefined), '',
   'no function of ours is missing');

my $dir = tempdir();
my $conf = minimal_config($dir, $module);
($status, $out) = httpd_test($dir, $conf);
is($status, 0, 'httpd accepts a configuration that loads it') or diag $out;
($status, $out) = httpd_test($dir, $conf, '-D', 'DUMP_MODULES');
like($out, qr/^\s*redirect307_module \(shared\)/m, 'and lists it');

done_testing();
