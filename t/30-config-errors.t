# Every mistake in a configuration is found at startup, with file and line, the
# bad value and what to write instead; in .htaccess it answers 500 and the log
# says the same.  The cases are in data/live-config-errors.tsv; "where" is
# server (main server only), htaccess (only there), any (a complete text for
# the main server) or empty for both.
use strict;
use warnings;

use R307::Live;

my @rows = R307::Table::read_table('live-config-errors.tsv');
my %seen;

# True when the message has the id, everything in "says", and the value.
sub wrong {
    my ($message, $row) = @_;
    my @wrong;

    push @wrong, "$row->{id} is missing"
        if length $row->{id} && $message !~ /\b\Q$row->{id}\E: /;
    for my $re (split /\n/, R307::Table::unescape($row->{says})) {
        push @wrong, "nothing matches $re" if $message !~ /$re/;
    }
    $seen{ $row->{id} } = 1 if length $row->{id} && !@wrong;
    return @wrong;
}

sub report {
    my ($name, $message, @wrong) = @_;
    ok(!@wrong, $name);
    diag("  $_") for @wrong;
    diag("  in: $message") if @wrong;
    return;
}

for my $row (@rows) {
    next if $row->{where} eq 'htaccess';
    my $t = configtest(R307::Table::unescape($row->{config}) . "\n");
    my $message = $t->message;
    my @wrong = wrong($message, $row);

    push @wrong, 'the configuration is accepted' if $t->ok;
    # Mistakes that only the whole configuration shows name file:line.
    push @wrong, 'file and line are missing'
        if $message !~ /on line $row->{line} of \Q@{[ $t->file ]}\E:/
        && $message !~ /\Q@{[ $t->file ]}\E:$row->{line}: /;
    report("line $row->{line}: server: $row->{name}", $message, @wrong);
}

my @ht = grep { $_->{where} eq '' || $_->{where} eq 'htaccess' } @rows;
my %files;
for my $i (0 .. $#ht) {
    $files{"htdocs/d$i/.htaccess"} =
        R307::Table::unescape($ht[$i]{config}) . "\n";
    $files{"htdocs/d$i/x.html"} = "x\n";
}
my $srv = server(name => 'htaccess-errors', files => \%files,
    config => "<Directory \"\@DOCROOT\@\">\nAllowOverride FileInfo\n"
            . "</Directory>\n");
for my $i (0 .. $#ht) {
    $srv->log->mark;
    my $res = $srv->get("/d$i/x.html");
    my $log = $srv->log->wait_for(qr{/\.htaccess\b}, 1);
    my $message = $log ? $log->{text} : '(no log line)';
    my @wrong = wrong($message, $ht[$i]);

    push @wrong, 'status ' . $res->status . ', not 500'
        if $res->status != 500;
    push @wrong, 'the file is not named'
        if $message !~ m{/d$i/\.htaccess\b};
    report("htaccess: $ht[$i]{name}", $message, @wrong);
}

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
    $seen{$_} = 1 for $message =~ /(R307-\d{4}):/g;
    report("configtest: $row->{name}", $message, @wrong);
}

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
