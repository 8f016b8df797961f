# `redirect307 import`: the text that it makes of each format and what it says
# of the rest (data/import-FORMAT.tsv); that httpd takes all of that text; what
# imported rules answer (import-answers.tsv); and that the imports of httpd's
# own redirects answer as mod_alias and mod_rewrite do, case by case
# (import-httpd-live.tsv) and for a tree of real files, where that is at hand.
use strict;
use warnings;

use POSIX ();

use R307::Live;
use R307::Import qw(import_text import_path run_tool);
use R307::Table;

plan(skip_all => 'the tool sees no difference between MPMs: with event only')
    if R307::Env::mpm() ne 'event';

use constant {
    MIN_CASES => 15,            # of a format
    MIN_ANSWERS => 500,         # of the 706 answers with 307
};

my %without_csv = map { $_ => 1 } 'an open quote', 'wrong quotes';
my @formats = qw(netlify cloudflare rewritemap nginx-map haproxy-map vercel
                 next httpd);

# What was left out of this build says so.
{
    my $got = import_text('cloudflare', "example.com/a,/b,302\n");
    if ($got->{exit} eq '3') {
        like($got->{says}, qr/built without libcsv.*Debian: libcsv-dev/s,
             'without libcsv there is no cloudflare');
        @formats = grep { $_ ne 'cloudflare' } @formats;
        note('built without libcsv: lists of Cloudflare are not tested');
    }
}

sub unescape { return R307::Table::unescape($_[0]) }

# ---- texts ----

my (@directives, @rules);

for my $format (@formats) {
    my @rows = R307::Table::read_table("import-$format.tsv");

    cmp_ok(scalar @rows, '>=', MIN_CASES, "$format: " . @rows . ' cases');
    for my $row (@rows) {
        my @args = split ' ', $row->{args};
        my $source = unescape($row->{source});
        my $got = import_text($format, $source, @args);
        my $again = import_text($format, $source, @args);
        my @wrong;

        push @wrong, "exit $got->{exit}, not $row->{exit}"
            if $got->{exit} ne $row->{exit};
        for my $what (qw(text says)) {
            push @wrong, "$what got:", split(/\n/, $got->{$what}),
                 "$what want:", split /\n/, unescape($row->{$what})
                if $got->{$what} ne unescape($row->{$what});
        }
        push @wrong, 'a second time it is another text'
            if $again->{text} ne $got->{text};
        report("$format: $row->{name}", @wrong);
        if ($got->{text} =~ /\A(?:#.*\n)*Redirect307/) {
            push @directives, $got->{text};
        }
        elsif (length $got->{text}) {
            push @rules, $got->{text};
        }
    }
}

# What was written is read again by the importer of httpd's files.
{
    my @wrong;
    for my $text (@directives) {
        my $lines = $text =~ s/^#.*\n//mgr;
        my $got = import_text('httpd', $lines);
        push @wrong, $lines, "becomes", $got->{text}, $got->{says}
            if $got->{text} ne $lines || $got->{exit};
    }
    report('directives that are imported again stay as they are', @wrong);
}

# httpd knows whether the expressions are ones.
{
    my $site = "Redirect307Site fra https://fra.example\n";
    my $t = configtest($site . join '', @directives);

    report(@directives . ' texts of directives are a configuration',
           $t->ok ? () : $t->message);
    my $config = "Redirect307Site fra https://fra.example\n"
               . "Redirect307StateDir \@ROOT\@/run/tables\n";
    my %files;
    for my $i (0 .. $#rules) {
        $files{"$i.rules"} = $rules[$i] =~ s/\@/\\x40/gr;
        $config .= "Redirect307Table t$i file:\@ROOT\@/$i.rules\n";
    }
    $t = configtest($config, files => \%files);
    report(@rules . ' texts of rule files are tables',
           $t->ok ? () : $t->message);
}

# ---- the command itself ----

{
    my $dir = R307::Env::scratch('command');
    my @cases = (
        ['no words', 2, qr/takes a format and a file, not 0/, 'import'],
        ['one word', 2, qr/takes a format and a file, not 1/, 'import', 'x'],
        ['no format', 2, qr/no format 'x'; write one of: netlify, cloudflare/,
         'import', 'x', 'y'],
        ['no option', 2, qr/no option '--nonsense'/, 'import', '--nonsense'],
        ['no form', 2, qr/--to is 'x'; write one of: directives rules/,
         'import', '--to=x', 'netlify', 'y'],
        ['no key', 2, qr/--key is 'x'; write one of: path relative lower/,
         'import', '--key=x', 'rewritemap', 'y'],
        ['a key that the format has not', 2, qr/--key is 'path'.*\(none\)/,
         'import', '--key=path', 'netlify', 'y'],
        ['no type', 2, qr/--type is 'map'; write one of: str beg/,
         'import', '--type=map', 'haproxy-map', 'y'],
        ['no query', 2, qr/--query is 'x'; write one of: keep append drop/,
         'import', '--query=x', 'vercel', 'y'],
        ['no suffix', 2, qr/--suffix is 'x'; write one of: preserve drop/,
         'import', '--suffix=x', 'cloudflare', 'y'],
        ['no base', 2, qr/--base is 'x'; write a URL-path/,
         'import', '--base=x', 'httpd', 'y'],
        ['no file', 3, qr/missing: No such file/,
         'import', 'netlify', 'missing'],
        ['a directory', 3, qr/\.: it is no file/, 'import', 'netlify', '.'],
        ['a NUL byte', 3, qr/nul: it holds a NUL byte/,
         'import', 'netlify', 'nul'],
        ['broken JSON', 3, qr/json:2: line 1 from here: /,
         'import', 'vercel', 'json'],
        ['other JSON', 3, qr/other:1: there is no array "redirects"/,
         'import', 'vercel', 'other'],
        ['an open quote', 3, qr/csv:1: a quote is not closed/,
         'import', 'cloudflare', 'csv'],
        ['wrong quotes', 3, qr/csv2:1: the quotation marks are wrong/,
         'import', 'cloudflare', 'csv2'],
        ['no output', 3, qr{/nowhere/x cannot be written},
         'import', '-o', '/nowhere/x', 'netlify', 'good'],
        ['losses', 1, qr/lossy: 1 rules as directives, 1 lines not imported/,
         'import', 'netlify', 'lossy'],
        ['a line that is too long', 1, qr/long:1: not imported: the line is/,
         'import', 'netlify', 'long'],
        ['all well', 0, qr/\Agood: 1 rules as directives, 0 lines not/,
         'import', '-o', 'good.conf', 'netlify', 'good'],
    );
    R307::Env::write_file("$dir/$_->[0]", $_->[1]) for
        ['nul', "/a /b 302\n\0"], ['json', "[\n{\"source\": }]"],
        ['other', '{"a": []}'], ['csv', 'example.com/a,"https://x.example'],
        ['csv2', "\"a\"b,c\n"], ['good', "/a /b 302\n"],
        ['lossy', "/a /b 302\n/c /d 301\n"],
        ['long', '/a /' . 'b' x 70_000 . " 302\n"];
    for my $case (@cases) {
        my ($name, $want, $says, @args) = @$case;
        next if $without_csv{$name} && !grep { $_ eq 'cloudflare' } @formats;
        my ($exit, $out, $err) = run_tool($dir, @args);
        report("import: $name", $exit eq $want ? () : "exit $exit",
               $err =~ $says ? () : "says: $err",
               length $out && $want > 1 ? "prints: $out" : ());
    }
    open my $fh, '<', "$dir/good.conf" or die "good.conf: $!\n";
    like(scalar <$fh>, qr/\ARedirect307Match \^\/a\/\?\$ \/b "expr=!\(-f '%/,
         'the output is in the file');
    my ($exit, $out) = run_tool($dir, 'import', '--help');
    like($out, qr/--same-case.*netlify \(_redirects\)/s, 'help names formats');
    is($exit, 0, 'and is no error');
}

# ---- answers ----

# Status 307 with Location, or '-'; the port is not the point.
sub location {
    my ($srv, $request) = @_;
    my ($method, $target, $headers) = split / /, $request, 3;
    my %arg = (method => $method, target => $target);

    $headers = defined $headers ? $headers : '';
    $arg{host} = $1 if $headers =~ s/\bHost: (\S+)(?: \| )?//;
    $arg{headers} = [split / \| /, $headers];
    my $res = $srv->request(%arg);
    my $to = $res->header('Location');
    return '-' if !defined $to || $res->status !~ /\A30[27]\z/;
    $to =~ s{\Ahttp://[^/]+:\d+/}{/} if $to !~ m{\.example};
    return $to;
}

{
    my %there = map { $_ => 1 } @formats;
    my @rows = grep { $there{ $_->{format} } }
                    R307::Table::read_table('import-answers.tsv');
    my ($config, $n, %files, @cases) = ('', 0);

    for my $row (@rows) {
        my ($p, $h) = ("p$n", "h$n.example");
        my ($source, $requests) = map { unescape($row->{$_})
                                            =~ s/\@P\@/$p/gr =~ s/\@H\@/$h/gr }
                                      qw(source requests);
        my $got = import_text($row->{format}, "$source\n",
                              split ' ', $row->{args});
        my $text = $got->{text};
        my $vhost = "<VirtualHost *:\@PORT\@>\nServerName $p.test\n"
            . "ServerAlias $h *.$h other.example\n";
        if ($text =~ /\A(?:#.*\n)*Redirect307/) {
            $vhost .= $text;
        }
        else {
            $files{"$p.rules"} = $text;
            $config .= "Redirect307Table $p file:\@ROOT\@/$p.rules\n";
            $vhost .= "Redirect307Use $p\n";
        }
        $config .= "$vhost</VirtualHost>\n";
        $files{"htdocs/$p/f.txt"} = "x\n";
        $files{"htdocs/$p/page.html"} = "x\n";
        push @cases, { %$row, vhost => "$p.test", got => $got,
                       requests => [split /\n/, $requests] };
        $n++;
    }
    my $srv = server(name => 'answers', files => \%files,
        config => "Redirect307StateDir \@ROOT\@/run/tables\n"
                . "Redirect307TrustedProxy 127.0.0.1\n"
                . "Redirect307GeoFrom netlify\nRedirect307Relative On\n"
                . $config);
    for my $case (@cases) {
        my @wrong;
        for my $line (@{ $case->{requests} }) {
            my ($request, $want) = split / => /, $line;
            my $ask = $request;
            if ($ask !~ /Host: /) {
                my ($m, $t, $rest) = split / /, $ask, 3;
                $ask = "$m $t Host: $case->{vhost}"
                     . (defined $rest ? " | $rest" : '');
            }
            my $got = location($srv, $ask);
            push @wrong, "$request: $got, not $want" if $got ne $want;
        }
        report($case->{name}, @wrong, @wrong ? ($case->{got}{text},
                                                $case->{got}{says}) : ());
    }
    $srv->stop;
}

# ---- as httpd itself ----

{
    my @rows = R307::Table::read_table('import-httpd-live.tsv');
    my ($n, $dir, $server, %source, %there) = (0, '', "RewriteEngine on\n");

    for my $row (@rows) {
        $dir = 'd' . $n++ if $row->{where} ne 'sub';
        $row->{$_} = unescape($row->{$_}) =~ s/\@D\@/$dir/gr
            for qw(source requests);
        $row->{dir} = $dir;
        if ($row->{where} eq 'server') {
            $server .= "$row->{source}\n";
            next;
        }
        my $below = length $row->{where} ? "/$row->{where}" : '';
        $source{"$dir$below/.htaccess"} = "$row->{source}\n";
        $there{"htdocs/$dir/$_"} = "x\n" for 'there.txt', 'sub/x.txt';
    }
    my $original = server(name => 'original',
        files => { %there, map { ("htdocs/$_" => $source{$_}) }
                           keys %source },
        config => "$server<Directory \"\@DOCROOT\@\">\n"
                . "AllowOverride All\nOptions +FollowSymLinks\n"
                . "</Directory>\n");
    my $tree = import_path('httpd', $original->docroot);
    my $main = import_text('httpd', $server);
    is($main->{says}, '', 'nothing of the server\'s lines is lost');
    my $imported = server(name => 'imported', files => \%there,
                          config => $main->{text} . $tree->{text});
    for my $row (@rows) {
        my @lost = grep { m{/$row->{dir}/[^:]*htaccess:\d+: not imported} }
                        @{ $tree->{says} };
        my $sub = $row->{where} eq 'sub';
        my @wrong = $sub || @lost == $row->{lost} ? ()
            : ("$row->{lost} losses expected", @lost);
        for my $request (split /\n/, $row->{requests}) {
            my $want = location($original, $request);
            my $got  = location($imported, $request);
            push @wrong, "$request: $got, not $want" if $got ne $want;
        }
        report("as httpd: $row->{name}", @wrong);
    }
    $_->stop for $original, $imported;
}

# ---- real files ----

SKIP: {
    my $data = "$ENV{R307_TOP}/../shared/data/w3id";
    skip("no real rules to import: $data is absent", 1)
        if !-d "$data/tree" || !-e "$data/expected.tsv";

    my $got = import_path('httpd', "$data/tree");
    my (%lost, %count, @wrong);
    for my $line (@{ $got->{says} }) {
        $lost{$1}++ if $line =~ m{/tree/(.+)/htaccess:\d+: not imported};
    }
    # The answers are those of a server without mod_dir.
    my $srv = server(name => 'w3id', config => "DirectoryIndex disabled\n"
                     . $got->{text} =~ s/\@/\\x40/gr);
    my $conn;
    open my $fh, '<:raw', "$data/expected.tsv" or die "expected.tsv: $!\n";
    while (my $line = <$fh>) {
        chomp $line;
        next if $line =~ /\A#/;
        my ($dir, $target, $status, $location) = split /\t/, $line;
        next if !defined $location;
        undef $conn if $conn && $conn->closed(0);
        $conn ||= $srv->connect;
        $conn->send($srv->bytes(target => $target, host => 'w3id.org',
                                keepalive => 1));
        my $res = $conn->response('GET');
        undef $conn if ($res->header('Connection') || '') =~ /close/i;
        my $is = $res->status == 307 ? $res->header('Location') : '-';
        my $want = $status == 302 || $status == 307 ? $location : '-';
        if (normal_form($is) eq normal_form($want)) {
            $count{ $want eq '-' ? 'without redirect, as expected'
                                 : 'redirected as expected' }++;
        }
        elsif ($is eq '-' && $lost{$dir}) {
            $count{'not redirected, and the importer said so'}++;
        }
        else {
            push @wrong, "$target: $is, not $want ($status)";
        }
    }
    close $fh;
    splice @wrong, 20 if @wrong > 20;
    report('imported rules answer as the original', @wrong);
    cmp_ok($count{'redirected as expected'} || 0, '>=', MIN_ANSWERS,
           'many were compared');
    diag("w3id: $got->{count}");
    diag("w3id: $count{$_} requests $_") for sort keys %count;
}

# Escapes in their one normal form (RFC 3986 section 6.2.2): with [B]
# mod_rewrite encodes also what needs none.
sub normal_form {
    my ($url) = @_;
    $url =~ s{%([0-9A-Fa-f]{2})}{
        my $c = chr hex $1;
        $c =~ /[A-Za-z0-9._~-]/ ? $c : '%' . uc $1
    }ge;
    return $url;
}

end_suite(allow => ['AH00129', 'AH01276']);
