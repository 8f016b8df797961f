# Rule files next to the content: what they answer (data/rulefile-cases.tsv over
# the files in rulefile-files.tsv), where the directive may stand and what is
# refused at startup (rulefile-errors.tsv), how a process follows a file that
# changes (rulefile-steps.tsv), and what is kept in a process: of many files,
# for many requests at once, and for whom.
use strict;
use warnings;

use POSIX qw(_exit);
use Time::HiRes qw(sleep time);

use R307::Live;
use R307::Tables;

my %seen;               # ids that were provoked here

my (undef, $tables) = write_sources('live-tables-sources.tsv');

run_table('rulefile-cases.tsv', contexts => [qw(directory htaccess)],
    prelude => (grep { /\ARedirect307Table one / } split /^/, $tables)[0],
    files => { source_texts('rulefile-files.tsv') },
    vhost => "Header always set X-Rule \"%{REDIRECT307_RULE}e\""
           . " env=REDIRECT307_RULE\n" . allow_overrides());

# ---- mistakes that httpd or .htaccess are refused for ----

# What a message does not say, although it should.
sub unsaid {
    my ($row, $message) = @_;
    my @wrong;

    push @wrong, "$row->{id} is missing"
        if length $row->{id} && $message !~ /\b$row->{id}: /;
    for my $re (split /\\n/, $row->{says}) {
        push @wrong, "nothing matches $re" if $message !~ /$re/;
    }
    $seen{$_} = 1 for $message =~ /(R307-\d{4}):/g;
    return (@wrong, @wrong ? "in: $message" : ());
}

{
    my @rows = R307::Table::read_table('rulefile-errors.tsv');
    my $config = '';
    my (@htaccess, %files);

    for my $row (@rows) {
        my $text = R307::Table::unescape($row->{config}) . "\n";
        $text =~ s/\@LONG\@/'x' x 5000/e;
        if (length $row->{where}) {
            my $dir = 'd' . @htaccess;
            push @htaccess, $row;
            $files{"htdocs/$dir/.htaccess"} = $text;
            $files{"htdocs/$dir/x.rules"} = "/$dir https://t.example/b\n";
            $config .= "<Directory \"\@DOCROOT\@/$dir\">\n"
                     . "AllowOverride $row->{where}\n</Directory>\n";
            next;
        }
        my $t = configtest($text, files => {
            'htdocs/sub/x' => 'x',
            'htdocs/x.rules' => R307::Table::unescape($row->{source})
                                || "/a https://t.example/b\n" });
        my $message = $t->message;
        report("refused: $row->{name}", unsaid($row, $message),
               $t->ok ? 'it is accepted' : (),
               $message =~ /\bon line $row->{line} of \Q@{[ $t->file ]}\E:/
               || $message =~ /\Q@{[ $t->file ]}\E:$row->{line}: /
                   ? () : "line $row->{line} is not named: $message");
    }
    my $srv = server(name => 'contexts', files => \%files,
                     config => $config);
    for my $i (0 .. $#htaccess) {
        $srv->log->mark;
        my $got  = answer($srv, "/d$i/");
        my $line = $srv->log->wait_for(qr{/d$i/\.htaccess\b});
        report("refused: $htaccess[$i]{name}",
               unsaid($htaccess[$i], $line ? $line->{text} : '(no log line)'),
               $got eq '500' ? () : "answered $got");
    }
    $srv->stop;
}

# ---- a file that changes ----

# The ids that were logged since the mark, at info or above, and how often.
sub ids {
    my ($srv) = @_;
    my %n;
    $n{ $_->{id} }++ for grep { $_->{id} =~ /R307/
                                && $_->{level} !~ /debug|trace/ }
                              $srv->log->since;
    return join ' ', map { "$_*$n{$_}" } sort keys %n;
}

sub walk_steps {
    my ($srv, $name, @rows) = @_;

    for my $row (@rows) {
        my @wrong;
        $srv->log->mark;
        change($row->{how}, $srv->docroot . "/$row->{table}/r.rules",
               R307::Table::unescape($row->{source}));
        my @got = map { answer($srv, $row->{request}) } 1, 2;
        push @wrong, "got  @got", "want $row->{answer}"
            if "@got" ne "$row->{answer} $row->{answer}";
        push @wrong, "logged: " . ids($srv), "want  : $row->{log}"
            if ids($srv) ne $row->{log};
        for my $re (split /\\n/, $row->{says}) {
            push @wrong, "no line says $re"
                if !grep { $_->{text} =~ /$re/ } $srv->log->since;
        }
        ok(!@wrong, "$name, $row->{name}");
        diag("  $_") for @wrong, @wrong
            ? map { $_->{text} } $srv->log->since : ();
    }
    return;
}

my @steps = R307::Table::read_table('rulefile-steps.tsv');
my %table = map { ($_->{table} => 1) } @steps;

for my $where ('.htaccess', '<Directory>') {
    # What is wrong at the start is an error of the configuration.
    my @rows = grep { $where eq '.htaccess' || $_->{table} !~ /worse|missing/ }
                    @steps;
    my %files = map { ("htdocs/$_/x" => 'x') } keys %table;
    my $config = one_process() . allow_overrides()
               . "Redirect307FileMax 1000\n";
    for my $row (@rows) {
        my $dir = $row->{table};
        $files{"htdocs/$dir/r.rules"} = R307::Table::unescape($row->{source})
            if $row->{how} eq 'start';
        next if $files{"htdocs/$dir/.htaccess"};
        $files{"htdocs/$dir/.htaccess"} = "Redirect307File r.rules\n";
        next if $where eq '.htaccess';
        $files{"htdocs/$dir/.htaccess"} = "# empty\n";
        $config .= "<Directory \"\@DOCROOT\@/$dir\">\n"
                 . "Redirect307File r.rules\n</Directory>\n";
    }
    my $srv = server(name => 'steps', files => \%files, config => $config);
    walk_steps($srv, $where, @rows);
    # A file that is gone: the last good version was this process's only.
    if ($where eq '.htaccess') {
        change('remove', $srv->docroot . '/edited/r.rules');
        is(answer($srv, '/edited/x'), '307 https://t.example/10',
           'removed: the last good version serves on');
        $srv->restart_gracefully;
        wait_until(R307::Tables::PATIENCE,
                   sub { answer($srv, '/edited/x') eq '500' });
        is(answer($srv, '/edited/x'), '500', 'until a restart');
    }
    $srv->stop;
}

# ---- several processes ----

{
    my $srv = server(name => 'processes', config => allow_overrides(),
                     files => {
        'htdocs/d/.htaccess' => "Redirect307File r.rules\n",
        'htdocs/d/r.rules' => "/d/x https://t.example/0\n",
    });
    my $path = $srv->docroot . '/d/r.rules';
    my @wrong;

    for my $n (1 .. 10) {
        R307::Tables::put($path, "/d/x https://t.example/$n\n");
        my @got = everywhere($srv, '/d/x');
        push @wrong, "@got, not $n" if "@got" ne "307 https://t.example/$n";
    }
    is("@wrong", '', 'every process serves a new version at once');

    # While readers ask, the file flips.
    my @text = map { my $v = $_;
        join '', map { "/d/x$_ https://t.example/$v/$_ name=$v-$_\n" } 1 .. 50
    } qw(one two);
    R307::Tables::put($path, $text[0]);
    my @readers;
    for my $reader (1 .. 4) {
        my $pid = fork;
        die "fork: $!\n" if !defined $pid;
        if (!$pid) {
            my $bad = 0;
            my $ends = time + 1.5;
            while (time < $ends) {
                my $n = 1 + int rand 50;
                my $got = answer($srv, "/d/x$n");
                $bad++ if $got !~ m{\A307 https://t\.example/(?:one|two)/$n\z};
            }
            _exit($bad ? 1 : 0);
        }
        push @readers, $pid;
    }
    my $flips = 0;
    for (my $ends = time + 1.5; time < $ends; sleep 0.02) {
        R307::Tables::put($path, $text[++$flips % 2]);
    }
    my $bad = 0;
    for my $pid (@readers) {
        waitpid $pid, 0;
        $bad++ if $?;
    }
    is($bad, 0, 'while the file flips every answer is from one of its'
                . ' versions');
    cmp_ok($flips, '>', 20, 'and it does');
    $srv->stop;
}

# ---- more files than a process keeps ----

{
    my $n = 300;                # a process keeps 256
    my %files;
    for my $i (1 .. $n) {
        $files{"htdocs/d$i/.htaccess"} = "Redirect307File r.rules\n";
        $files{"htdocs/d$i/r.rules"} = "/d$i https://t.example/$i name=n$i\n";
    }
    # With a heap for each thread a process grows until each has parsed all.
    local $ENV{MALLOC_ARENA_MAX} = 1;
    my $srv = server(name => 'many', files => \%files,
                     config => one_process() . allow_overrides()
                             . "MaxKeepAliveRequests 0\n");
    # All files, in that order, on a connection of its own; what is wrong.
    my $ask = sub {
        my @order = @_;
        my $conn = $srv->connect;
        my $wrong = 0;
        for my $i (@order) {
            $conn->send($srv->bytes(target => "/d$i/x", keepalive => 1));
            my $res = eval { $conn->response('GET') } or return "$i: $@";
            $wrong++ if ($res->header('Location') || '')
                     ne "https://t.example/$i/x";
        }
        return $wrong;
    };
    my $memory = sub {
        my ($pid) = children($srv);
        open my $fh, '<', "/proc/$pid/status" or return 0;
        my ($kb) = map { /\AVmRSS:\s+(\d+) kB/ ? $1 : () } <$fh>;
        return $kb;
    };

    is($ask->(1 .. $n), 0, 'more files than a process keeps: each is right');
    is($ask->(1 .. $n), 0, 'and each again, parsed anew');
    is($ask->(reverse 1 .. $n), 0, 'in the other order');
    my $before = $memory->();
    $ask->(1 .. $n) for 1 .. 3;
    my $after = $memory->();
    if ($ENV{R307_PRELOAD}) {
        note('a sanitizer keeps what is freed: memory is not compared');
    }
    else {
        cmp_ok($after - $before, '<', 4096,
               "and memory does not grow ($before KB, $after KB)");
    }
    # Several threads at once, each in an order of its own.
    my @pids;
    for my $k (7, 11, 13, 17) {
        my $pid = fork;
        die "fork: $!\n" if !defined $pid;
        if (!$pid) {
            my $wrong = $ask->(map { 1 + ($_ * $k) % $n } 1 .. $n);
            _exit("$wrong" eq '0' ? 0 : 1);
        }
        push @pids, $pid;
    }
    my $bad = 0;
    for my $pid (@pids) {
        waitpid $pid, 0;
        $bad++ if $?;
    }
    is($bad, 0, 'several clients at once, each in its own order');
    R307::Tables::put($srv->docroot . '/d1/r.rules',
                      "/d1 https://t.example/new\n");
    is(answer($srv, '/d1/x'), '307 https://t.example/new/x',
       'a change is seen as before');
    $srv->stop;
}

# ---- which one goes ----

# Whether a process still keeps a file shows when the file turns bad: the last
# good version serves on, or there is none.
{
    my $n = 257;                # one more than a process keeps
    my %files;
    for my $i (1 .. $n) {
        $files{"htdocs/d$i/.htaccess"} = "Redirect307File r.rules\n";
        $files{"htdocs/d$i/r.rules"} = "/d$i https://t.example/$i\n";
    }
    my $srv = server(name => 'oldest', files => \%files,
                     config => one_process() . allow_overrides());
    my $spoil = sub {
        my ($i) = @_;
        R307::Tables::put($srv->docroot . "/d$i/r.rules", "/d$i\n");
    };

    answer($srv, "/d$_") for 1 .. 256;
    answer($srv, '/d1');        # now the second is the oldest
    $spoil->($_) for 1, 256;
    $srv->log->mark;
    is(answer($srv, '/d1'), '307 https://t.example/1', '256 files are kept');
    is(answer($srv, '/d256'), '307 https://t.example/256', 'the last, too');
    is(ids($srv), 'R307-0641*2', 'and the log says that they are bad now');
    answer($srv, '/d257');
    $spoil->($_) for 2, 3;
    $srv->log->mark;
    is(answer($srv, '/d3'), '307 https://t.example/3',
       'one more: those that were used later stay');
    is(answer($srv, '/d1'), '307 https://t.example/1',
       'and the one that was used again');
    is(answer($srv, '/d2'), '500', 'the one not used for longest is gone');
    is(ids($srv), 'R307-0409*1 R307-0641*1', 'and the log says so');
    $srv->stop;
}

# ---- many rules by one line ----

{
    my $n = 10_000;
    my $srv = server(name => 'large', config => one_process()
        . allow_overrides() . "MaxKeepAliveRequests 0\n", files => {
            'htdocs/d/.htaccess' => "Redirect307File r.rules\n",
            'htdocs/d/r.rules' => join('', map {
                "/d/item-$_ https://t.example/$_\n" } 1 .. $n),
        });
    my $conn = $srv->connect;
    my @wrong;
    for my $i (1, 2, (map { 50 * $_ } 1 .. 199), $n - 1, $n) {
        $conn->send($srv->bytes(target => "/d/item-$i/x", keepalive => 1));
        my $got = $conn->response('GET')->header('Location') || 'none';
        push @wrong, "$i: $got" if $got ne "https://t.example/$i/x";
    }
    $conn->close;
    is("@wrong", '', "$n rules by one line in .htaccess");
    is(answer($srv, '/d/item-' . ($n + 1)), '404', 'and nothing else');
    $srv->stop;
}

# ---- links ----

sub link_server {
    my ($outside) = @_;
    my $srv = server(name => "links-$outside", config => one_process()
        . allow_overrides() . "Redirect307FileOutside $outside\n",
        files => {
            'elsewhere/r.rules' => join('', map {
                "/$_/x https://t.example/elsewhere\n"
            } qw(in out dir turned)),
            (map { ("htdocs/$_/.htaccess" => "Redirect307File r.rules\n") }
                 qw(in out turned)),
            'htdocs/dir/.htaccess' => "Redirect307File sub/r.rules\n",
            'htdocs/in/real.rules' => "/in/x https://t.example/in\n",
            'htdocs/turned/r.rules' => "/turned/x https://t.example/1\n",
        });
    my ($root, $docroot) = ($srv->root, $srv->docroot);
    symlink 'real.rules', "$docroot/in/r.rules" or die "symlink: $!\n";
    symlink "$root/elsewhere/r.rules", "$docroot/out/r.rules"
        or die "symlink: $!\n";
    symlink "$root/elsewhere", "$docroot/dir/sub" or die "symlink: $!\n";
    return $srv;
}

for my $case (['Off', '500', '1', 'R307-0641*1'],
              ['On', ('307 https://t.example/elsewhere') x 1, 'elsewhere',
               '']) {
    my ($outside, $want, $turned, $ids) = @$case;
    my $srv = link_server($outside);

    is(answer($srv, '/in/x'), '307 https://t.example/in',
       "FileOutside $outside: a link inside of the directory");
    $srv->log->mark;
    is(answer($srv, '/out/x'), $want, 'a link out of the directory');
    logged($srv, qr{R307-0640: .*/out/r\.rules' lies outside},
           'and the log says so') if $outside eq 'Off';
    is(answer($srv, '/dir/x'), $want, 'a link to a directory elsewhere');
    is(answer($srv, '/turned/x'), '307 https://t.example/1', 'a file');
    my $path = $srv->docroot . '/turned/r.rules';
    unlink $path;
    symlink $srv->root . '/elsewhere/r.rules', $path or die "symlink: $!\n";
    $srv->log->mark;
    is(answer($srv, '/turned/x'), "307 https://t.example/$turned",
       'that is turned into a link to elsewhere');
    is(ids($srv), $ids, 'which is logged when it is refused');
    $srv->stop;
}

# ---- what one may, another may not ----

# Two contexts name the same file, and the one that may not gets nothing of
# what the process keeps for the one that may, nor the other way round.
# [name, config, file of "mine", path, file of "theirs", path]
my $vhosts = <<'EOC';
<VirtualHost *:@PORT@>
    ServerName may.test
    %s
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName maynot.test
    %s
</VirtualHost>
EOC
my @shared = (
    { name => 'a file of the neighbour, who uses it',
      config => '',
      may => ['/b/x', 'localhost'], may_not => ['/a/x', 'localhost'] },
    { name => 'a ceiling of another virtual host',
      config => sprintf($vhosts, '', 'Redirect307FileMax 10'),
      may => ['/b/x', 'may.test'], may_not => ['/b/x', 'maynot.test'] },
    { name => 'FileOutside of another virtual host',
      config => sprintf($vhosts, 'Redirect307FileOutside On', ''),
      may => ['/a/x', 'may.test'], may_not => ['/a/x', 'maynot.test'] },
    # Only what the server itself says may read other files.
    { name => 'expressions of the server\'s own file',
      config => "<Directory \"\@DOCROOT\@/e/sub\">\n"
              . "Redirect307Inherit Off\nRedirect307File r.rules\n"
              . "</Directory>\n",
      may => ['/e/sub/x', 'localhost'], may_not => ['/e/x', 'localhost'] },
    { name => 'hosts that another virtual host allows',
      config => sprintf($vhosts, 'Redirect307AllowTo ok.example', ''),
      may => ['/c/ok.example', 'may.test'],
      may_not => ['/c/ok.example', 'maynot.test'] },
);
for my $case (@shared) {
    for my $first (qw(may may_not)) {
        my $srv = server(name => 'shared',
            config => one_process() . allow_overrides() . $case->{config},
            files => {
                'htdocs/a/.htaccess' => "Redirect307File ../b/r.rules\n",
                'htdocs/b/.htaccess' => "Redirect307File r.rules\n",
                'htdocs/b/r.rules' => "/a/x https://t.example/a\n"
                                    . "/b/x https://t.example/b\n",
                'htdocs/c/.htaccess' => "Redirect307File r.rules\n",
                'htdocs/c/r.rules' => "~^/c/([a-z.]+)\$ https://\$1/\n",
                'htdocs/e/.htaccess' => "Redirect307File sub/r.rules\n",
                'htdocs/e/sub/r.rules' => '/e https://t.example/e'
                    . " \"expr=file('/etc/passwd') =~ /daemon/\"\n",
            });
        my %got;
        for my $who ($first, $first eq 'may' ? 'may_not' : 'may', $first) {
            my ($path, $host) = @{ $case->{$who} };
            my $got = answer($srv, $path, host => "$host:" . $srv->port);
            $got =~ s/ .*//;
            $got{$who} .= "$got ";
        }
        my %want = (may => '307 ', may_not => '500 ');
        $want{$first} x= 2;
        is("may: $got{may} may not: $got{may_not}",
           "may: $want{may} may not: $want{may_not}",
           "$case->{name}: $first first");
        $srv->stop;
    }
}

# ---- a file that is none ----

{
    my $srv = server(name => 'fifo', config => one_process()
        . allow_overrides(), files => {
            'htdocs/fifo/.htaccess' => "Redirect307File r.rules\n",
            'htdocs/good/.htaccess' => "Redirect307File r.rules\n",
            'htdocs/good/r.rules' => "/good/x https://t.example/\n",
        });
    my $fifo = $srv->docroot . '/fifo/r.rules';
    my $ask = sub {
        my ($path) = @_;
        my $conn = $srv->connect(timeout => 3);
        $conn->send($srv->bytes(target => $path));
        my $res = eval { $conn->response('GET') };
        return $res ? $res->status : 'no answer';
    };

    POSIX::mkfifo($fifo, 0666) or die "mkfifo: $!\n";
    is($ask->('/fifo/x'), 500, 'a FIFO is no rule file, and is not waited for');
    is($ask->('/good/x'), 307, 'and holds up nobody else');
    # Whoever waits for a writer goes on now.
    for (1 .. 20) {
        if (sysopen my $fh, $fifo, POSIX::O_WRONLY() | POSIX::O_NONBLOCK()) {
            close $fh;
        }
        sleep 0.05;
    }
    $srv->stop;
}

# ---- the messages ----

# No message about rule files that was not provoked here.
{
    my $file = "$ENV{R307_TOP}/src/httpd/m307_file.c";
    my %known = ('R307-0409' => 1);

    open my $fh, '<', $file or die "$file: $!\n";
    while (<$fh>) {
        $known{$1} = 1 while /"(R307-\d{4}):/g;
    }
    for my $line (map { $_->log_lines } R307::Server::servers()) {
        $seen{$_} = 1 for $line->{text} =~ /(R307-\d{4}):/g;
    }
    cmp_ok(scalar(keys %known), '>=', 5, 'the sources hold messages');
    is_deeply([grep { !$seen{$_} } sort keys %known], [],
              'each was seen');
}

# Those of the case tables are expected line by line.  prefork finds a server
# too small whose only process is busy.
end_suite(allow => [$ENV{R307_MPM} eq 'prefork' ? 'AH00161' : ()], allow_in => {
    contexts  => [qr{/\.htaccess: }],
    steps     => [qw(R307-0409 R307-0641)],
    oldest    => [qw(R307-0409 R307-0641)],
    shared    => [qw(R307-0409)],
    fifo      => [qw(R307-0409)],
    'links-Off' => [qw(R307-0409 R307-0641)],
});
