# Check.pm: what the static checks share: where the sources and the build are,
# which files are ours, how to run a command and how to ask httpd about a
# configuration.  It knows nothing about any single check.  The lists of files
# come from Makefile.am through the environment; "make check-static" sets it.
package Check;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Find ();
use File::Temp ();

our @EXPORT_OK = qw(srcdir builddir build_env sources shipped slurp spew
                    lines_of run tempdir httpd_test minimal_config bare_code);

sub _need {
    my ($name) = @_;
    return $ENV{$name} if defined $ENV{$name} && length $ENV{$name};
    die "$name is not set: run this check through make check-static\n";
}

sub srcdir   { return _need('R307_SRCDIR') }
sub builddir { return _need('R307_BUILDDIR') }

# A value of t/conf/build.env.
sub build_env {
    my ($name) = @_;
    my $text = slurp(builddir() . '/t/conf/build.env');
    return $text =~ /^\Q$name\E='(.*)'$/m
        ? $1 : die "$name is not in t/conf/build.env\n";
}

# The paths, relative to srcdir, in one of the lists of Makefile.am: core,
# httpd, unit, fuzz.
sub sources {
    my ($list) = @_;
    my %name = (core => 'R307_CORE_SOURCES', httpd => 'R307_HTTPD_SOURCES',
                tool => 'R307_TOOL_SOURCES',
                unit => 'R307_UNIT_TESTS', fuzz => 'R307_FUZZ_TARGETS');
    return split ' ', _need($name{$list});
}

# Every file we wrote and ship, relative to srcdir.
sub shipped {
    my @list = (qw(Makefile.am configure.ac m4/r307.m4 mod_redirect307.c),
                sources('core'), sources('httpd'), sources('tool'),
                split ' ', _need('R307_EXTRA_DIST'));
    my %seen;

    for my $name (@list) {
        my $path = srcdir() . "/$name";
        next if !-e $path;              # t/check/lists.t complains
        File::Find::find({ no_chdir => 1, wanted => sub {
            return if !-f $_ || is_made($_);
            $seen{substr $_, 1 + length srcdir()} = 1;
        } }, $path);
    }
    return sort keys %seen;
}

# True for what a build in the source directory leaves among our files.
sub is_made {
    my ($path) = @_;
    return 1 if $path =~ m{/\.(?:libs|deps)/|/\.dirstamp$|\.l?o$|~$|/t/conf/build\.env$};
    return $path =~ m{/t/unit/test_\w+$};
}

sub slurp {
    my ($path) = @_;
    open my $fh, '<:raw', $path or die "$path: $!\n";
    local $/;
    my $text = <$fh>;
    return defined $text ? $text : '';
}

sub spew {
    my ($path, $text) = @_;
    open my $fh, '>:raw', $path or die "$path: $!\n";
    print {$fh} $text or die "$path: $!\n";
    close $fh or die "$path: $!\n";
    return $path;
}

# The lines of a file of the source directory.
sub lines_of {
    my ($name) = @_;
    return split /\n/, slurp(srcdir() . "/$name");
}

# C text with comments blanked; strings stay, line numbers too.
sub bare_code {
    my ($text) = @_;
    $text =~ s{("(?:[^"\\\n]|\\.)*")|(/\*.*?\*/)}
              { defined $1 ? $1 : ($2 =~ tr/\n//cdr) }gse;
    return $text;
}

# Runs a command without a shell; returns its exit status (signals above 255)
# and its output, both streams.
sub run {
    my (@cmd) = @_;
    my $pid = open my $fh, '-|';

    die "fork: $!\n" if !defined $pid;
    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDERR, '>&', \*STDOUT;
        no warnings 'exec';
        exec { $cmd[0] } @cmd;
        print "exec $cmd[0]: $!\n";
        require POSIX;
        POSIX::_exit(127);
    }
    local $/;
    my $out = <$fh>;
    close $fh;
    my $status = $? > 255 ? $? >> 8 : $? << 8;
    return ($status, defined $out ? $out : '');
}

sub tempdir {
    return abs_path(File::Temp::tempdir('r307-check-XXXXXX', TMPDIR => 1,
                                        CLEANUP => 1));
}

# The lines every httpd needs, and the module from $module.
sub minimal_config {
    my ($dir, $module) = @_;
    my $libexec = build_env('R307_LIBEXECDIR');
    my $conf = "ServerRoot \"$dir\"\nServerName localhost\n"
             . "Listen 127.0.0.1:8307\nErrorLog \"$dir/error_log\"\n"
             . "PidFile \"$dir/pid\"\n";

    if (-e "$libexec/mod_mpm_event.so") {
        $conf .= "LoadModule mpm_event_module \"$libexec/mod_mpm_event.so\"\n";
    }
    return $conf . "LoadModule redirect307_module \"$module\"\n";
}

# Asks httpd about a configuration; returns exit status and output.
sub httpd_test {
    my ($dir, $conf, @args) = @_;
    my $file = spew("$dir/test.conf", $conf);
    my $preload = build_env('R307_PRELOAD');

    local $ENV{LD_PRELOAD} = $preload if length $preload;
    local $ENV{ASAN_OPTIONS} = 'detect_leaks=0' if length $preload;
    return run(build_env('R307_HTTPD'), '-f', $file, '-t', @args);
}

1;
