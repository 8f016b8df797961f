# R307::Table walks a live case table: one line is one case, with the
# directives, the request and the expected answer.  Every case gets a virtual
# host of its own, so cases do not see each other's rules; all cases of a table
# share one httpd.
#
# The first line that is not a comment names the columns; they are separated by
# tabs.  Columns:
#   name      what the case shows; unique in the table
#   config    directives, separated by \n
#   server    lines for the virtual host itself, whatever the context
#   htaccess  text of DocumentRoot/.htaccess, besides the context
#   body      request body
#   request   METHOD target [HTTP/1.0]; the method may be left out for GET
#   headers   request headers, separated by \n; Host replaces the default
#   status    expected status
#   location  expected Location, empty for none
#   log       ids that must be logged for this request, separated by spaces;
#             /regex/ for a message without id
#   also      further headers of the answer: "Name: value", "Name: /regex/",
#             or "!Name" for absent; separated by \n
#   contexts  where the case holds, if not in all that the suite asks for
# In every cell \n, \r, \t and \xHH stand for these bytes; other backslashes are
# kept.  @PORT@, @HOST@ (the case's host name) and @DOCROOT@ are replaced.  A
# case whose config, headers or "also" are only `"` takes those of the line above.
package R307::Table;

use strict;
use warnings;

use Test::More ();

use R307::Env ();
use R307::Server ();

# Called in place of the comparison with the table, when set: with the server,
# the case's name, its row, what was asked (method, target, version, host,
# headers) and the answer.
our $on_answer;

my %expected;           # ids that cases name: allowed by end_suite

sub expected_ids { return map { $expected{$_} } sort keys %expected }

sub unescape {
    my ($s) = @_;
    $s =~ s{\\(n|r|t|x[0-9A-Fa-f]{2})}{
        $1 eq 'n' ? "\n" : $1 eq 'r' ? "\r" : $1 eq 't' ? "\t"
                  : chr hex substr $1, 1
    }ge;
    return $s;
}

# Reads t/data/$file; returns the rows as hashes, with the line number.
sub read_table {
    my ($file) = @_;
    my $path = R307::Env::work() . "/t/data/$file";
    my (@cols, @rows, %seen);

    open my $fh, '<:raw', $path or die "$path: $!\n";
    while (my $line = <$fh>) {
        $line =~ s/\r?\n\z//;
        next if $line =~ /\A\s*(?:#|\z)/;
        my @cell = split /\t/, $line, -1;
        if (!@cols) {
            @cols = @cell;
            next;
        }
        die "$path:$.: " . @cell . " cells, but " . @cols . " columns\n"
            if @cell > @cols;
        my %row = (line => $.);
        @row{@cols} = map { defined $_ ? $_ : '' } @cell[0 .. $#cols];
        for my $col (qw(config headers also)) {
            $row{$col} = $rows[-1]{$col}
                if defined $row{$col} && $row{$col} eq '"' && @rows;
        }
        die "$path:$.: the name '$row{name}' is used twice\n"
            if defined $row{name} && $seen{ $row{name} }++;
        push @rows, \%row;
    }
    die "$path holds no case\n" if !@rows;
    return @rows;
}

# How the directives of a case are put into its virtual host.
my %wrap = (
    vhost     => sub { $_[0] },
    directory => sub { "<Directory \"\@DOCROOT\@\">\n$_[0]\n</Directory>" },
    location  => sub { "<Location \"/\">\n$_[0]\n</Location>" },
    if        => sub { "<If \"true\">\n$_[0]\n</If>" },
    files     => sub { "<Files \"*\">\n$_[0]\n</Files>" },
    htaccess  => sub { '' },
);

# Runs a table in one or several contexts.
#   run_table('live-x.tsv', contexts => ['vhost', 'htaccess'],
#             prelude => "server-level config", load => ..., vhost => "lines",
#             files => { 'd/x.html' => "..." })     # in every DocumentRoot
sub run_table {
    my ($file, %arg) = @_;
    my @rows = read_table($file);

    for my $context (@{ $arg{contexts} || ['vhost'] }) {
        my @here = grep {
            !$_->{contexts} || grep { $_ eq $context } split ' ', $_->{contexts}
        } @rows;
        Test::More::note("$file in $context");
        _run_in($file, $context, \@here, %arg);
    }
    return;
}

sub _run_in {
    my ($file, $context, $rows, %arg) = @_;
    my ($srv, $error);

    for (1 .. 30) {
        my ($config, $files, $starts) = _build($context, $rows, %arg);
        (my $name = "$file-$context") =~ s/[^\w-]/_/g;
        ($srv, $error) = R307::Server->try_new(
            name => $name, config => $config, files => $files,
            load => $arg{load});
        last if $srv;
        my $bad = _blame($error, $config, $rows, $starts);
        last if !defined $bad;
        my ($row) = splice @$rows, $bad, 1;
        Test::More::fail("$file:$row->{line}: $context: $row->{name}");
        Test::More::diag($error);
    }
    if (!$srv) {
        Test::More::fail("$file in $context: the server starts");
        Test::More::diag($error);
        return;
    }
    for my $i (0 .. $#$rows) {
        _case($srv, $file, $context, $rows->[$i], "c$i.test");
    }
    $srv->stop;
    return;
}

# Builds the configuration of all cases; returns it with the .htaccess files
# and the line on which each case's virtual host begins.
sub _build {
    my ($context, $rows, %arg) = @_;
    my $config = ($arg{prelude} || '') . "\n";
    my (%files, @starts);
    my %more = %{ $arg{files} || {} };

    for my $i (0 .. $#$rows) {
        my $host = "c$i.test";
        my $rules = _text($rows->[$i]{config}, $host);
        my $dir = "\@ROOT\@/htdocs/$host";
        my $text = $wrap{$context}->($rules);

        push @starts, 1 + ($config =~ tr/\n//);
        my $block = "<VirtualHost *:\@PORT\@>\n"
                  . "ServerName $host\n"
                  . "DocumentRoot \"$dir\"\n"
                  . ($arg{vhost} || '') . _text($rows->[$i]{server}, $host)
                  . "\n"
                  . ($context eq 'htaccess'
                      ? "<Directory \"$dir\">\nAllowOverride FileInfo\n"
                        . "</Directory>\n" : '')
                  . "$text\n</VirtualHost>\n";
        $block =~ s/\@DOCROOT\@/$dir/g;
        $config .= $block;
        $rules =~ s/\@DOCROOT\@/$dir/g;
        $files{"htdocs/$host/index.html"} = "$host\n";
        $files{"htdocs/$host/page.html"}  = "page of $host\n";
        my $htaccess = _text($rows->[$i]{htaccess}, $host);
        $htaccess = "$rules\n$htaccess" if $context eq 'htaccess';
        $files{"htdocs/$host/.htaccess"} = "$htaccess\n"
            if length $htaccess;
        $files{"htdocs/$host/$_"} = $more{$_} for keys %more;
    }
    return ($config, \%files, \@starts);
}

sub _text {
    my ($cell, $host) = @_;
    my $text = unescape(defined $cell ? $cell : '');
    $text =~ s/\@HOST\@/$host/g;
    return $text;
}

# The case in whose virtual host httpd found an error, by line number.
sub _blame {
    my ($error, $config, $rows, $starts) = @_;
    my ($line) = $error =~ /Syntax error on line (\d+)/ or return;
    my $probe = bless { port => 1, port2 => 1, root => '/x',
                        name => 'probe' }, 'R307::Server';
    my $whole = $probe->config_text(config => $config);
    my $offset = substr($whole, 0, index $whole, $config) =~ tr/\n//;
    my $found;

    for my $i (0 .. $#$starts) {
        $found = $i if $line - $offset >= $starts->[$i];
    }
    return $found;
}

sub _case {
    my ($srv, $file, $context, $row, $host) = @_;
    my $name = "$file:$row->{line}: $context: $row->{name}";
    my $port = $srv->port;
    my $fill = sub {
        my $t = _text($_[0], $host);
        $t =~ s/\@PORT\@/$port/g;
        return $t;
    };
    my ($method, $target, $version) = _request($fill->($row->{request}));
    my @headers = split /\n/, $fill->($row->{headers});
    my @problems;

    $srv->log->mark;
    my $res = eval {
        $srv->request(method => $method, target => $target,
                      version => $version, host => "$host:$port",
                      headers => \@headers,
                      length($row->{body} || '')
                          ? (body => $fill->($row->{body})) : ());
    };
    if (!$res) {
        Test::More::fail($name);
        Test::More::diag("no answer: $@");
        return;
    }
    return $on_answer->($srv, $name, $row, { method => $method,
        target => $target, version => $version, host => "$host:$port",
        headers => \@headers }, $res) if $on_answer;
    my $want = $row->{status};
    my $loc  = $fill->($row->{location});
    $want .= " $loc" if length $loc;
    my $got = $res->status;
    $got .= ' ' . $res->header('Location') if defined $res->header('Location');
    push @problems, "got  $got", "want $want" if $got ne $want;
    my $defect = $res->defect;
    push @problems, $defect if defined $defect;
    push @problems, _headers_wrong($res, $fill->($row->{also}));
    push @problems, _log_wrong($srv, $row);
    Test::More::ok(!@problems, $name);
    Test::More::diag("  $_") for @problems;
    Test::More::diag('  log: ' . $_->{text})
        for @problems ? _tail($srv) : ();
    return;
}

sub _tail {
    my ($srv) = @_;
    my @lines = $srv->log->since;
    splice @lines, 0, @lines - 6 if @lines > 6;
    return @lines;
}

# "METHOD target HTTP/x", where only the target must be there.  Spaces may be
# in the target when the version is given.
sub _request {
    my ($text) = @_;
    my $version = $text =~ s{ HTTP/(\d\.\d)\z}{} ? $1 : '1.1';
    my $method  = $text =~ s{\A([A-Z]+) }{} ? $1 : 'GET';
    return ($method, $text, $version);
}

sub _headers_wrong {
    my ($res, $also) = @_;
    my @problems;

    for my $want (split /\n/, $also) {
        if ($want =~ /\A!(\S+)\z/) {
            push @problems, "$1: " . $res->header($1) . ' is there'
                if defined $res->header($1);
            next;
        }
        my ($name, $value) = split /:\s*/, $want, 2;
        my $got = $res->header($name);
        $got = '(none)' if !defined $got;
        my $fits = $value =~ m{\A/(.*)/\z} ? $got =~ /$1/ : $got eq $value;
        push @problems, "$name: $got, but wanted $value" if !$fits;
    }
    return @problems;
}

# Ids that the case names must be there; any other line at warn or above is
# wrong.
sub _log_wrong {
    my ($srv, $row) = @_;
    my @ids = map { m{\A/(.+)/\z} ? qr/$1/ : $_ } split ' ', $row->{log} || '';
    my @problems;

    $expected{$_} = $_ for @ids;
    for my $id (@ids) {
        push @problems, "$id is not in the log"
            if !$srv->log->wait_for(ref $id ? $id : qr/\b\Q$id\E:/, 2);
    }
    for my $l (R307::Log::offending([$srv->log->since], @ids)) {
        push @problems, "logged: $l->{text}";
    }
    return @problems;
}

1;
