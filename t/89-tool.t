# The command-line tool: each command with what it prints, its exit status and
# its errors (data/tool.tsv), lint over a corpus with the exact findings
# (data/lint), and the dump that httpd makes of its configuration.
use strict;
use warnings;

use JSON::PP ();
use R307::Live;
use R307::Tool;

plan(skip_all => 'the tool sees no difference between MPMs: with event only')
    if R307::Env::mpm() ne 'event';

my $data = "$ENV{R307_TOP}/t/data";
my $work = R307::Env::scratch('files');

sub slurp {
    my ($file) = @_;
    open my $fh, '<:raw', $file or die "$file: $!\n";
    local $/;
    return scalar <$fh>;
}

# What a text lacks of regular expressions, one a line.
sub lacks {
    my ($what, $text, $says) = @_;
    return map { $text =~ /$_/m ? () : "$what lacks /$_/: $text" }
           split /\\n/, $says;
}

# ---- help ----

my ($code, $help) = R307::Tool::run('--help');
is($code, 0, '--help: exit status');
my @commands = $help =~ /^  ([a-z]+) +\S/mg;
cmp_ok(scalar @commands, '>=', 7, 'commands are listed');
for my $command (@commands) {
    my ($status, $out, $err) = R307::Tool::run($command, '--help');
    report("$command --help", $status ? "exit status $status" : (),
           length $err ? "said $err" : (),
           lacks('it', $out, "^Usage: redirect307 $command \\n^Options:\\n"
                 . '^  .*redirect307 \n--help'));
    ($status, $out, $err) = R307::Tool::run($command, '--no-such-option');
    report("$command: unknown option", $status != 2 ? "status $status" : (),
           length $out ? "printed $out" : (),
           lacks('it', $err, "there is no option '--no-such-option'"));
}
($code, undef, my $err) = R307::Tool::run();
report('no command', $code != 2 ? "status $code" : (),
       lacks('it', $err, '^Usage: '));

# ---- the table ----

# Files that rows name as FILE:NAME; TOP is t/data, DIR the scratch directory.
for my $row (R307::Table::read_table('tool-files.tsv')) {
    my $text = R307::Table::unescape($row->{text});
    $text =~ s/\bDOCS\b/$work\/docs/g;
    R307::Env::write_file("$work/$row->{name}", $text);
}
mkdir "$work/docs";
mkdir "$work/docs/app";
R307::Env::write_file("$work/docs/app/.htaccess",
                      "# here\nRedirect307 /app/x https://t.example/\n");
for my $row (R307::Table::read_table('tool.tsv')) {
    my $args = R307::Table::unescape($row->{args});
    $args =~ s{\@DIR\@}{$work}g;
    $args =~ s{\@TOP\@}{$data}g;
    my ($status, $out, $said) = R307::Tool::run(
        map { s/\A'(.*)'\z/$1/sr } $args =~ /('[^']*'|\S+)/g);
    my @wrong = $status != $row->{status}
        ? "exit status $status, not $row->{status}" : ();
    push @wrong, lacks('output', $out, $row->{out});
    push @wrong, lacks('standard error', $said, $row->{err});
    push @wrong, "standard error: $said"
        if !length $row->{err} && length $said;
    push @wrong, "output has /$_/: $out"
        for grep { length && $out =~ /$_/m } split /\\n/, $row->{not};
    push @wrong, "no JSON: $out"
        if $args =~ /--json|--format json/ && $status < 2
           && !eval { JSON::PP->new->utf8->decode($out) };
    report("tool.tsv:$row->{line}: $row->{name}", @wrong);
}

# ---- lint ----

my %options = (
    order  => ['--at', '2026-06-01T00:00:00Z'],
    rule   => ['--at', '2026-06-01T00:00:00Z'],
    follow => ['--host', 'www.t.test'],
);
my %codes;
my @corpus = map { m{/([^/]+)\.rules\z} } glob "$data/lint/*.rules";
cmp_ok(scalar @corpus, '>=', 4, 'there is a corpus');
for my $name (@corpus) {
    my ($status, $found, $said) = R307::Tool::json('lint', '--json',
        @{ $options{$name} || [] }, "$data/lint/$name.rules");
    my @found = $found ? sort { $a->[0] <=> $b->[0] or $a->[1] cmp $b->[1] }
                         map { [$_->{line}, $_->{code}] }
                         @{ $found->{findings} } : ();
    my @want = grep { length } split /\n/, slurp("$data/lint/$name.expected");
    $codes{ $_->[1] } = 1 for @found;
    is_deeply([map { "@$_" } @found], \@want, "lint: $name.rules")
        or diag($said);
    is($status, @want ? 1 : 0, "lint: $name.rules, exit status");
    for my $finding ($found ? @{ $found->{findings} } : ()) {
        report("lint: $name.rules:$finding->{line}: is explained",
               map { length $finding->{$_} > 5 ? () : "no $_" }
                   qw(file happens instead));
    }
}
my ($listed) = (R307::Tool::run('lint', '--help'))[1]
    =~ /^Codes: ([a-z,\s-]+)\./m;
my @listed = split /,\s+/, $listed;
cmp_ok(scalar @listed, '>=', 15, 'lint --help lists its codes');
for my $row (R307::Table::read_table('tool.tsv')) {
    $codes{$_} = 1 for $row->{out} =~ /\b([a-z]+(?:-[a-z]+)+): /g;
}
is(join(' ', grep { !$codes{$_} } @listed), '', 'each was provoked here');

# A million rules, with chains and rules that are never asked.
{
    my $file = "$work/million.rules";
    open my $fh, '>', $file or die "$file: $!\n";
    for my $i (0 .. 999_999) {
        print {$fh} $i % 10 < 6 ? "/item/@{[ $i % 997 ]}/$i https://t.example/$i\n"
            : $i % 10 < 9 ? "/old/$i /new/$i\n"
            : "/new/@{[ $i - 1 ]} https://t.example/n/$i\n";
    }
    close $fh or die "$file: $!\n";
    my @before = times;
    my ($status, $out) = R307::Tool::run('lint', $file);
    my @after = times;
    my $cpu = $after[2] + $after[3] - $before[2] - $before[3];
    like($out, qr/^1000000 rules, 100000 findings$/m, 'lint: a million rules');
    note(sprintf 'in %.1f s', $cpu);
    cmp_ok($cpu, '<', $ENV{R307_SLOW} ? 200 : 10, 'in at most 10 s');
    unlink $file;
}

# ---- the dump ----

my $srv = server(name => 'dump', files => {
    'x.rules' => "/t https://t.example/table\n" }, config => <<'EOC');
Redirect307Table tab file:x.rules
Redirect307Counters On
Redirect307Stats @ROOT@/stats.counts
Redirect307 /main https://t.example/main
RegexDefaultOptions +ICASE
<Directory "@DOCROOT@">
    AllowOverride FileInfo
    Redirect307Match "^/d/(.*)$" https://t.example/d/$1 name=of-dir
</Directory>
<VirtualHost *:@PORT@>
    ServerName first.test
    ServerAlias *.alias.test
    Redirect307Engine DryRun
    Redirect307 "/with blank" "https://t.example/\"quoted\"" "expr=%{HTTP:X} == 'a b'"
    <Location "/loc">
        Redirect307 https://t.example/loc
        <If "-n %{HTTP:X}">
            Redirect307 https://t.example/if
        </If>
    </Location>
    Redirect307Use tab
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName second.test
    Redirect307Inherit Off
    Redirect307OnError 503 https://t.example
    Redirect307GeoFrom cloudflare
    Redirect307TrustedProxy 127.0.0.0/8
    Redirect307DryRunHeader On
    Redirect307 /try https://t.example/try dryrun name=try
    Redirect307 /try https://t.example/now
    Redirect307Geo /g DE,AT=https://t.example/de default=-
    <IfModule mod_proxy.c>
        ProxyPass /app http://127.0.0.1:1/
    </IfModule>
</VirtualHost>
EOC
my $root = $srv->root;
my $apachectl = R307::Env::httpd() . " -d $root -f $root/httpd.conf";
my $dump = slurp(R307::Tool::dump_config($root));
my $at = "# \Q$root\E/httpd\\.conf:\\d+\$";
report("the dump: $_->[0]", $dump =~ /$_->[1]/m ? () : "not in $dump") for (
    ['format', qr/^\@format 1$/m],
    ['regex', qr/^\@regex icase dotall dollar_endonly$/m],
    ['table', qr{^\@table tab file:\Q$root\E/x\.rules match=prefix format=rules refresh=10 rules=1 compiled=\S+/tab\.table $at}m],
    ['main server', qr{^\@server main\n(?:  \@.*\n)*  /main https://t\.example/main $at}m],
    ['section', qr{^  \@section Directory "?\Q$root\E/htdocs"? $at\n    ~\^/d/\(\.\*\)\$ https://t\.example/d/\$1 name=of-dir $at}m],
    ['virtual host', qr{^\@server virtual $at\n  \@name first\.test\n}m],
    ['alias', qr{^  \@alias \*\.alias\.test$}m],
    ['engine', qr{^  \@Redirect307Engine DryRun $at}m],
    ['quotes', qr{^  "/with blank" "https://t\.example/\\"quoted\\"" "expr=%\{HTTP:X\} == 'a b'" $at}m],
    ['location', qr{^  \@section Location /loc $at\n    \* https://t\.example/loc $at}m],
    ['section in a section', qr{^    \@section If "-n %\{HTTP:X\}" $at\n      \* https://t\.example/if $at}m],
    ['use', qr{^  \@Redirect307Use tab $at}m],
    ['errors', qr{^  \@Redirect307OnError 503 https://t\.example $at}m],
    ['dry run', qr{^  /try https://t\.example/try dryrun name=try $at}m],
    ['inherit', qr{^  \@Redirect307Inherit Off $at}m],
    ['geo', qr{^  /g geo DE,AT=https://t\.example/de default=- $at}m],
    ['proxy', qr{^  \@proxied /app$}m],
    ['overrides', qr{^  \@overrides \Q$root\E/htdocs/ on$}m],
);
cmp_ok(index($dump, 'first.test'), '<', index($dump, 'second.test'),
       'virtual hosts are in their order');

my $base = 'http://first.test:' . $srv->port;
my (undef, $told) = R307::Tool::json('explain', '--json', '--server',
    '--apachectl', $apachectl, '-H', 'CF-IPCountry: AT',
    "$base/t", "$base/loc/x", "$base/D/x", "$base/main", "$base/with%20blank",
    (map { 'http://second.test:' . $srv->port . $_ } '/g/x', '/main', '/try/x'));
my @location = map { $_->{location} } @{ $told || [] };
is_deeply(\@location, [
    'https://t.example/table', 'https://t.example/loc',
    'https://t.example/d/x', 'https://t.example/main', undef,
    'https://t.example/de/x', undef, 'https://t.example/now/x' ],
    'explain --server, whatever else is configured');
is_deeply([map { $_->{dry_run} ? 1 : 0 } @{ $told || [] }],
          [1, 1, 1, 1, 1, 0, 0, 0], 'DryRun is seen');
is($told->[7]{rules}[0]{why},
   'would redirect to https://t.example/try/x (dry run)',
   'and that of a single rule');
like(join("\n", map { @{ $_->{not_covered} } } $told->[1]),
     qr/^<If -n %\{HTTP:X\}> at .*:\d+$/, 'and <If> is said to be left out');
is(join(',', map { @{ $_->{not_covered} } } $told->[0]), '',
   'where it could matter only');
is($told->[5]{facts}{country}{source}, 'header:CF-IPCountry',
   'facts have a source');

R307::Env::write_file("$root/bad.conf", "Redirect307 nonsense\n");
($code, my $out, $err) = R307::Tool::run('explain', '--apachectl',
    R307::Env::httpd() . " -d $root -f $root/bad.conf", '/a');
report('a configuration that httpd refuses', $code != 3 ? "status $code" : (),
       lacks('it', $err, 'has failed; \nbad\\.conf'));
($code, undef, $err) = R307::Tool::run('lint', '--apachectl',
                                       "$root/no-such-program");
report('no apachectl', $code != 3 ? "status $code" : (),
       lacks('it', $err, 'with --apachectl'));

# With a dump nothing is served, and without the word nothing is printed.
my $quiet = configtest("Redirect307 /a https://t.example/b\n");
unlike($quiet->output, qr/\@server/, 'no dump without being asked');

end_suite();
