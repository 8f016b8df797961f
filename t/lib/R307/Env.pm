# R307::Env knows what t/run-live found out about this machine: the server
# binary, the module under test, the modules around it, the scratch directory.
# It turns that into LoadModule lines.  Called by every other R307:: module.
package R307::Env;

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp ();

sub _need {
    my ($name) = @_;
    return $ENV{$name} if defined $ENV{$name} && length $ENV{$name};
    die "$name is not set: run this test through t/run-live\n";
}

sub httpd   { _need('R307_HTTPD') }
sub module  { _need('R307_MODULE') }
sub mpm     { _need('R307_MPM') }
sub work    { _need('R307_WORK') }
sub top     { _need('R307_TOP') }
sub libexec { _need('R307_LIBEXECDIR') }

# True when httpd has the module built in.
sub is_static {
    my ($name) = @_;
    return " $ENV{R307_STATIC} " =~ / mod_\Q$name\E /;
}

# True when this httpd can have the module, built in or loaded.
sub has_module {
    my ($name) = @_;
    return is_static($name) || -e libexec() . "/mod_$name.so";
}

# LoadModule lines for names such as "rewrite"; "redirect307" stands for the
# module under test and "mpm" for the MPM of this run.  The order is kept.
sub load_modules {
    my (@names) = @_;
    my $out = '';

    for my $name (@names) {
        my $mod = $name eq 'mpm' ? 'mpm_' . mpm() : $name;
        next if is_static($mod);
        my $file = $name eq 'redirect307' ? module()
                                          : libexec() . "/mod_$mod.so";
        $out .= "LoadModule ${mod}_module \"$file\"\n";
    }
    return $out;
}

# What the servers of the tests load, without the module under test.  mod_http2
# is not among them: it warns under prefork, so who needs it asks for it.
sub common_modules {
    return grep { $_ eq 'mpm' || has_module($_) }
           qw(mpm log_config version unixd authz_core authz_host dir mime
              setenvif env headers include alias rewrite proxy proxy_http
              proxy_connect);
}

# The MPM settings and the unprivileged user.  Small, so that a server starts
# fast; more than one child, so that state shared by accident shows.
sub process_config {
    my $out = <<'EOC';
<IfModule mpm_prefork_module>
    StartServers 2
    MinSpareServers 1
    MaxSpareServers 4
    MaxRequestWorkers 12
</IfModule>
<IfModule !mpm_prefork_module>
    StartServers 2
    ServerLimit 2
    ThreadsPerChild 8
    MaxRequestWorkers 16
    MinSpareThreads 8
    MaxSpareThreads 16
</IfModule>
EOC
    $out .= "User $ENV{R307_USER}\nGroup $ENV{R307_GROUP}\n"
        if $ENV{R307_USER};
    return $out;
}

# A fresh directory below the scratch directory that the server's unprivileged
# user can read.
sub scratch {
    my ($name) = @_;
    my $dir = File::Temp::tempdir("$name-XXXXXX", DIR => work());
    chmod 0755, $dir or die "chmod $dir: $!\n";
    return $dir;
}

sub write_file {
    my ($path, $text) = @_;
    make_path(dirname($path), { mode => 0755 });
    open my $fh, '>:raw', $path or die "$path: $!\n";
    print {$fh} $text or die "$path: $!\n";
    close $fh or die "$path: $!\n";
    return;
}

# Replaces @NAME@ by the value of NAME; an unknown name is an error.
sub expand {
    my ($text, %var) = @_;
    $text =~ s{\@([A-Z][A-Z0-9_]*)\@}{
        defined $var{$1} ? $var{$1} : die "unknown token \@$1\@ in: $text\n"
    }ge;
    return $text;
}

1;
