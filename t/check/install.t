# make install and uninstall: where the file goes, that httpd loads it from
# there, and what activation writes.  Nothing outside a scratch directory is
# touched.
use strict;
use warnings;

use Test::More;
use Check qw(builddir build_env run tempdir slurp spew minimal_config
             httpd_test);

my $dir = tempdir();
my $moduledir = build_env('R307_MODULEDIR');
my $apxs = build_env('R307_APXS');

sub make {
    my (@args) = @_;
    local @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};
    delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};
    return run($ENV{MAKE} || 'make', '-C', builddir(), @args);
}

my ($status, $out) = make('install', "DESTDIR=$dir/stage");
is($status, 0, 'make install DESTDIR=...') or diag $out;
my $file = "$dir/stage$moduledir/mod_redirect307.so";
ok(-f $file, 'puts the module in the module directory');
is(sprintf('%o', (stat $file)[2] & 07777), '644', 'readable for all');
($status, $out) = run('sh', '-c', 'find "$1" -type f', 'sh', "$dir/stage");
my ($tool, @schemas) = grep { $_ ne $file } sort split /\n/, $out;
my ($manual, @others) = grep { !m{/share/[^/]+/redirect307-(?:postgresql|sqlite)\.sql$} }
                        @schemas;
like($tool, qr{/bin/redirect307$}, 'puts the tool into a bin directory');
like($manual, qr{/man/man1/redirect307\.1$}, 'and its manual page');
is(scalar @schemas - 1 - @others, 2, 'the schemas of SQL stores');
is("@others", '', 'and nothing else anywhere');
($status, $out) = run($tool, '--help');
is($status, 0, 'the installed tool runs') or diag $out;
($status, $out) = httpd_test($dir, minimal_config($dir, $file));
is($status, 0, 'httpd loads the installed file') or diag $out;

($status, $out) = make('uninstall', "DESTDIR=$dir/stage");
is($status, 0, 'make uninstall') or diag $out;
ok(!-e $file && !-e $tool && !-e $manual, 'takes them away');

SKIP: {
    my $debian = slurp($apxs) =~ /a2enmod/;
    skip 'this apxs edits httpd.conf itself', 6 if !$debian;

    # A stand-in for a2enmod notes how it was called.
    mkdir "$dir/bin" or die $!;
    spew("$dir/bin/a2enmod", "#!/bin/sh\necho \"\$@\" >'$dir/enabled'\n");
    chmod 0755, "$dir/bin/a2enmod";
    run('mkdir', '-p', "$dir/etc/mods-available");
    local $ENV{PATH} = "$dir/bin:$ENV{PATH}";
    my @where = ("moduledir=$dir/modules",
                 "APXS_FLAGS=-S SYSCONFDIR=$dir/etc");

    ($status, $out) = make('install', @where, 'ACTIVATE=no');
    is($status, 0, 'make install without activation') or diag $out;
    ok(!-e "$dir/etc/mods-available/redirect307.load", 'writes no LoadModule');

    ($status, $out) = make('install', @where, 'ACTIVATE=yes');
    is($status, 0, 'make install ACTIVATE=yes') or diag $out;
    like(slurp("$dir/etc/mods-available/redirect307.load"),
         qr{^LoadModule\s+redirect307_module\s+\Q$dir\E/modules/mod_redirect307\.so$},
         'writes the LoadModule line');
    is(slurp("$dir/enabled"), "redirect307\n", 'and calls a2enmod');

    unlink "$dir/enabled";
    ($status, $out) = make('install', @where, 'ACTIVATE=yes',
                           "DESTDIR=$dir/stage2");
    ok($status == 0 && !-e "$dir/enabled", 'a staged install is not activated');
}

done_testing();
