# R307::Mistakes looks at what is said of mistakes in configurations.  Called by
# the suites that hold tables of them; columns: name, where, config, id (of the
# message), says (regular expressions, separated by \n).
#
#   my @wrong = R307::Mistakes::wrong($message, $row);
#   R307::Mistakes::run_htaccess(\@rows, $config);
#   my $seen = R307::Mistakes::seen();      # ids of all messages until now
package R307::Mistakes;

use strict;
use warnings;

use R307::Live ();
use R307::Server ();
use R307::Table ();

my %seen;

sub seen { return \%seen }

sub see {
    my ($message) = @_;
    $seen{$_} = 1 for $message =~ /(R307-\d{4}):/g;
    return;
}

# What the message lacks.
sub wrong {
    my ($message, $row) = @_;
    my @wrong;

    see($message);
    push @wrong, "$row->{id} is missing"
        if length $row->{id} && $message !~ /\b\Q$row->{id}\E: /;
    for my $re (split /\n/, R307::Table::unescape($row->{says})) {
        push @wrong, "nothing matches $re" if $message !~ /$re/;
    }
    return @wrong;
}

# One test for each mistake: in .htaccess it answers 500, and the log says why.
sub run_htaccess {
    my ($rows, $config) = @_;
    my (%files, $i);

    for my $row (@$rows) {
        my $dir = 'htdocs/d' . $i++;
        $files{"$dir/.htaccess"} = R307::Table::unescape($row->{config}) . "\n";
        $files{"$dir/x.html"} = "x\n";
    }
    my $srv = R307::Server->new(name => 'htaccess-errors', files => \%files,
                                config => $config);
    $i = 0;
    for my $row (@$rows) {
        my $dir = 'd' . $i++;
        $srv->log->mark;
        my $status = $srv->get("/$dir/x.html")->status;
        my $log = $srv->log->wait_for(qr{/\.htaccess\b}, 1);
        my $message = $log ? $log->{text} : '(no log line)';
        my @wrong = wrong($message, $row);

        push @wrong, "status $status, not 500" if $status != 500;
        push @wrong, 'the file is not named'
            if $message !~ m{/$dir/\.htaccess\b};
        R307::Live::report_in("htaccess: $row->{name}", $message, @wrong);
    }
    $srv->stop;
    return;
}

1;
