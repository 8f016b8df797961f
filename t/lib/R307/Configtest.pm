# R307::Configtest asks httpd what it thinks of a configuration, without
# serving it: `httpd -t`.  Used for every configuration error.
#
#   my $t = R307::Configtest->run("Redirect307 a https://x.example\n");
#   $t->ok, $t->output, $t->file, $t->line_of('Redirect307')
package R307::Configtest;

use strict;
use warnings;

use POSIX qw(WNOHANG _exit);
use Time::HiRes qw(sleep time);

use R307::Env ();
use R307::Server ();

# $config may be surrounded by more text, as in R307::Server; the text itself
# is put into a file of its own, included last, so that its line numbers are
# those of the text.
sub run {
    my ($class, $config, %arg) = @_;
    my $root = R307::Env::scratch('configtest');
    my $srv  = bless { owner => 0, root => $root, port => 1, port2 => 2,
                       name => 'configtest' }, 'R307::Server';
    my $file = "$root/rules.conf";

    $srv->_write(%arg, config => ($arg{config} || '') . "Include $file\n");
    R307::Env::write_file($file, R307::Env::expand($config, $srv->_vars));
    my ($code, $output) = _capture($root, R307::Env::httpd(), '-t',
                                   '-d', $root, '-f', "$root/httpd.conf",
                                   @{ $arg{args} || [] });
    return bless { code => $code, output => $output, file => $file,
                   config => $config }, $class;
}

sub ok     { $_[0]{code} == 0 && $_[0]{output} =~ /Syntax OK/ }
sub output { $_[0]{output} }
sub file   { $_[0]{file} }

# The message for the administrator as one line: line breaks are httpd's.
sub message {
    my ($self) = @_;
    (my $m = $self->{output}) =~ s/\s*\n\s*/ /g;
    return $m;
}

sub _capture {
    my ($root, @cmd) = @_;
    my $out = "$root/run/output";
    my $pid = fork;

    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', $out;
        open STDERR, '>&', \*STDOUT;
        exec {$cmd[0]} @cmd or _exit(127);
    }
    my $deadline = time + ($ENV{R307_SLOW} ? 90 : 30);
    while (waitpid($pid, WNOHANG) != $pid) {
        if (time > $deadline) {
            kill 'KILL', $pid;
            waitpid $pid, 0;
            return (-1, "httpd -t did not end in time\n");
        }
        sleep 0.01;
    }
    my $code = $?;
    open my $fh, '<', $out or return (-1, "no output: $!\n");
    local $/;
    my $text = <$fh>;
    return ($code, defined $text ? $text : '');
}

1;
