# The one line in README.md that builds the module with plain apxs: its compile
# half, run on a copy of the sources, and the result loaded by httpd.
use strict;
use warnings;

use Test::More;
use Check qw(srcdir builddir build_env run tempdir slurp minimal_config
             httpd_test);

plan skip_all => 'a sanitizer build tests its own module only'
    if build_env('R307_SANITIZERS') ne 'no';

my @lines = grep { /^\s*(?:sudo\s+)?apxs\s.*-c\b/ }
            split /\n/, slurp(srcdir() . '/README.md');
is(scalar @lines, 1, 'README.md has one line with apxs -c') or done_testing(), exit;
my ($line) = $lines[0] =~ /^\s*(?:sudo\s+)?(apxs\s.*\S)/;
like($line, qr/\s-i\s/, 'it installs');
like($line, qr/\s-a\s/, 'it activates');

my $compile = $line =~ s/\s-[ia](?=\s)//gr;
$compile =~ s/^apxs/build_env('R307_APXS')/e;

my $dir = tempdir();
my ($status, $out) = run('sh', '-ec', 'cd "$1" && cp -R mod_redirect307.c src "$2"'
                         . ' && chmod -R u+w "$2" && cd "$2" && '
                         . 'find . -name "*.o" -o -name "*.lo" | xargs rm -f',
                         'sh', srcdir(), $dir);
is($status, 0, 'a copy of the sources') or diag $out;

($status, $out) = run('sh', '-ec', "cd '$dir' && $compile");
is($status, 0, "$compile") or diag $out;
unlike($out, qr/warning:/, 'no warning');
my $module = "$dir/.libs/mod_redirect307.so";
ok(-e $module, 'it makes .libs/mod_redirect307.so') or done_testing(), exit;

($status, $out) = httpd_test($dir, minimal_config($dir, $module)
                             . "Redirect307 /a https://www.example.com\n");
is($status, 0, 'httpd loads it and knows Redirect307') or diag $out;

done_testing();
