# Every mistake in a configuration is found at startup, with file and line, the
# bad value and what to write instead; in .htaccess it answers 500 and the log
# says the same.  The cases are in data/live-config-errors.tsv; "where" is
# server (main server only), htaccess (only there), any (a complete text for
# the main server) or empty for both.
use strict;
use warnings;

use R307::Live;
use R307::Mistakes ();

my @rows = R307::Table::read_table('live-config-errors.tsv');

for my $row (@rows) {
    next if $row->{where} eq 'htaccess';
    my $t = configtest(R307::Table::unescape($row->{config}) . "\n");
    my $message = $t->message;
    my @wrong = R307::Mistakes::wrong($message, $row);

    push @wrong, 'the configuration is accepted' if $t->ok;
    # Mistakes that only the whole configuration shows name file:line.
    push @wrong, 'file and line are missing'
        if $message !~ /on line $row->{line} of \Q@{[ $t->file ]}\E:/
        && $message !~ /\Q@{[ $t->file ]}\E:$row->{line}: /;
    report_in("line $row->{line}: server: $row->{name}", $message, @wrong);
}

R307::Mistakes::run_htaccess(
    [grep { $_->{where} eq '' || $_->{where} eq 'htaccess' } @rows],
    "<Directory \"\@DOCROOT\@\">\nAllowOverride FileInfo\n</Directory>\n");

# What is legal and hardly meant is a warning of configtest, with file and
# line; what is fine is none.
for my $row (R307::Table::read_table('configtest-warnings.tsv')) {
    my $text = R307::Table::unescape($row->{config});
    $text =~ s{\@MANY\@}{
        join "\n", map { "Redirect307Match old$_ https://t.example/" } 1 .. 25
    }e;
    my $t = configtest("$text\n");
    my $message = $t->message;
    my @wrong = map { $message =~ /$_/ ? () : "nothing matches $_" }
                split /\\n/, $row->{says};

    push @wrong, 'it is refused' if !$t->ok;
    push @wrong, 'something is said'
        if !length $row->{says} && $message =~ /R307-/;
    R307::Mistakes::see($message);
    report_in("configtest: $row->{name}", $message, @wrong);
}

my %seen = %{ R307::Mistakes::seen() };

# Those of geography are provoked by t/95-geo.t, those of sites' health by
# t/76-health.t.
for my $row (map { R307::Table::read_table($_) }
             'geo-config.tsv',
             'health-config.tsv') {
    my $text = join "\t", map { $_ // '' } values %$row;
    $seen{$_} = 1 for $text =~ /(R307-0[123]\d\d)/g;
}

# No configuration error of the sources without a case here.
my %known;
for my $file (glob "$ENV{R307_TOP}/src/core/*.c $ENV{R307_TOP}/src/httpd/*.c") {
    open my $fh, '<', $file or die "$file: $!\n";
    while (<$fh>) {
        $known{$1} = 1 while /"(R307-0[123]\d\d):/g;
    }
}
ok(scalar(keys %known) >= 20, 'the sources hold configuration errors');
is_deeply([grep { !$seen{$_} } sort keys %known], [],
          'every one of them was provoked here');

end_suite(allow => [qr{\.htaccess: }]);
