# R307::Import runs `redirect307 import` on a text and tells what came of it.
# Called by t/84-import.t.  It knows no format.
package R307::Import;

use strict;
use warnings;

use Exporter 'import';

use R307::Env ();

our @EXPORT_OK = qw(import_text import_path run_tool);

use constant SECONDS => 60;

# Runs the tool in $dir; (status, standard output, standard error).
sub run_tool {
    my ($dir, @args) = @_;
    my ($out, $err) = ("$dir/.stdout", "$dir/.stderr");
    my $pid = fork;

    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        alarm($ENV{R307_SLOW} ? 5 * SECONDS : SECONDS);
        chdir $dir or POSIX::_exit(126);
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', $out;
        open STDERR, '>', $err;
        exec {"$ENV{R307_BUILD}/redirect307"} 'redirect307', @args
            or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    my $status = $? & 127 ? 'signal ' . ($? & 127) : $? >> 8;
    return ($status, map { _slurp($_) } $out, $err);
}

sub _slurp {
    my ($file) = @_;
    open my $fh, '<:raw', $file or return '';
    local $/;
    my $text = <$fh>;
    return defined $text ? $text : '';
}

# The text as file "source" of a fresh directory.  Returns { exit, text, says }:
# the rules, and the lines about the source without its name and without the
# last one, which counts.
sub import_text {
    my ($format, $text, @args) = @_;
    my $dir = R307::Env::scratch('import');

    R307::Env::write_file("$dir/source", $text);
    my ($exit, $out, $err) = run_tool($dir, 'import', @args, $format,
                                      'source');
    my ($count) = $err =~ /^source: (.*)\n\z/m;
    $err =~ s/^source: .*\n\z//m;
    $err =~ s/^source://mg;
    $err =~ s/\n\z//;
    return { exit => $exit, text => $out, says => $err, count => $count };
}

# A file or directory; { exit, text, says => [lines], count }.
sub import_path {
    my ($format, $path, @args) = @_;
    my $dir = R307::Env::scratch('import');
    my ($exit, $out, $err) = run_tool($dir, 'import', @args, $format, $path);
    my @lines = split /\n/, $err;
    my $count = pop @lines;

    return { exit => $exit, text => $out, says => \@lines, count => $count };
}

1;
