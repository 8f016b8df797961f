# Real rules: the .htaccess files of a public service of permanent identifiers,
# and what mod_rewrite answers with them.  Their [R=307] rules without
# condition, written as Redirect307Match, give the same answers.
#
# The files are not part of this project.  They are looked for beside the
# source directory; without them the suite is skipped.
use strict;
use warnings;

use R307::Live;
use R307::W3id;

use constant {
    MIN_COMPARED => 500,        # of the 706 answers with 307
    HOST => 'w3id.org',
};

my $data = "$ENV{R307_TOP}/../shared/data/w3id";
plan(skip_all => "no real rules to compare with: $data is absent")
    if !-d "$data/tree" || !-e "$data/expected.tsv";

my $rules = R307::W3id::read_tree("$data/tree");
my %files;
my $converted = 0;

for my $dir (sort keys %$rules) {
    my @lines = map { R307::W3id::directive($_, $dir) }
                grep { R307::W3id::is_convertible($_) } @{ $rules->{$dir} };
    $converted += @lines;
    # What R307::Server would take for one of its own tokens.
    $files{"htdocs/$dir/.htaccess"} = join '', map { s/\@/\\x40/gr } @lines;
}

my $srv = server(name => 'w3id', files => \%files, config => <<'EOC');
# The answers are those of a server without mod_dir: no look for an index file,
# which a rule could redirect as well.
DirectoryIndex disabled
<Directory "@DOCROOT@">
    AllowOverride FileInfo
</Directory>
EOC
my $conn;

# Keep-alive: hundreds of requests, each of which reads an .htaccess file.
sub answer {
    my ($target) = @_;

    $conn = $srv->connect if !$conn || $conn->closed(0);
    $conn->send($srv->bytes(target => $target, host => HOST, keepalive => 1));
    my $res = $conn->response('GET');
    undef $conn if ($res->header('Connection') || '') =~ /close/i;
    return $res;
}

my %count = map { $_ => 0 } qw(redirects none other);
my (%wrong, %fired, %compared, @extended);

open my $fh, '<:raw', "$data/expected.tsv" or die "expected.tsv: $!\n";
while (my $line = <$fh>) {
    chomp $line;
    next if $line =~ /\A#/;
    my ($dir, $target, $status, $location) = split /\t/, $line;
    my ($path) = $target =~ /\A([^?]*)/;
    my $own = $rules->{$dir};
    # The sample paths have no escapes, so they are their own decoded form.
    if (!$own || $path =~ /%/ || $path !~ m{\A/\Q$dir\E/(.*)\z}s) {
        $count{other}++;
        next;
    }
    my $rule = R307::W3id::rule_for($own, $1);
    if ($rule && !R307::W3id::is_convertible($rule)) {
        $count{other}++;
        next;
    }
    # Where no rule fires at all there is no redirect.
    $count{ $rule ? 'redirects' : 'none' }++;
    compare($dir, $target, $rule, $status, $location);
}
close $fh;

# With [B] mod_rewrite encodes also what needs no encoding in a query ("-" as
# "%2d"), and a capture as the client sent it is the same octets; so these are
# compared in the normal form of RFC 3986 section 6.2.2.  All others are
# compared byte by byte.
#
# "https://rml.io$1" lets the client choose the end of the host name in
# mod_rewrite.  Here what follows the authority is always path.
sub compare {
    my ($dir, $target, $rule, $status, $location) = @_;
    my $res = answer($target);
    my $got  = defined $res->header('Location') ? $res->header('Location')
                                                : '-';
    my $want = $location;
    my $id = $rule ? "$dir/.htaccess:$rule->{line}" : '(no rule)';
    my $defect = $res->defect;

    $fired{$id}++;
    $compared{$dir}++;
    my $safe = $rule && R307::W3id::with_host_kept($rule, $want);
    if (defined $safe) {
        push @extended, "$target: $want";
        $want = $safe;
    }
    if ($rule && defined $rule->{flags}{B}) {
        $_ = R307::W3id::normal_form($_) for $got, $want;
    }
    push @{ $wrong{$dir} }, "$target ($id)", "got  " . $res->status . " $got",
         "want $status $want", $defect ? $defect : ()
        if $res->status != $status || $got ne $want || $defect;
    return;
}

for my $dir (sort keys %compared) {
    ok(!$wrong{$dir}, "$dir: $compared{$dir} answers as of mod_rewrite");
    my @lines = @{ $wrong{$dir} || [] };
    splice @lines, 20 if @lines > 20;
    diag("  $_") for @lines;
}

my @idle = grep { !$fired{$_} } map {
    my $dir = $_;
    map { "$dir/.htaccess:$_->{line}" }
        grep { R307::W3id::is_convertible($_) } @{ $rules->{$dir} }
} sort keys %$rules;

note("$converted rules converted, " . ($converted - @idle) . " of them fired");
note("$count{redirects} redirects compared, $count{none} requests without "
   . "one, $count{other} left out: they depend on a condition, another status "
   . "or an internal rewrite");
note("no sample request for $_") for @idle;
cmp_ok($count{redirects}, '>=', MIN_COMPARED,
       "$count{redirects} redirects were compared");
cmp_ok(scalar @extended, '>', 0, @extended . ' of them were to another host '
   . 'with mod_rewrite and are not here');
note("  $_") for @extended;
cmp_ok($count{none}, '>', 0, "$count{none} requests had no rule");

# A directory without index is an error in httpd's log.
end_suite(allow => ['AH00129']);
