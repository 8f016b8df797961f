# Tables: what they answer in every context (data/live-tables.tsv over the
# tables in data/live-tables-sources.tsv), every mistake and its message
# (data/live-tables-errors.tsv), the safety of the state directory, and when a
# compiled table is used again.
use strict;
use warnings;

use R307::Live;
use R307::Mistakes ();
use R307::Tables;

my ($dir, $tables) = write_sources('live-tables-sources.tsv');

run_table('live-tables.tsv',
    contexts => [qw(vhost directory location if files htaccess)],
    prelude => "Redirect307AllowTo *.allowed.example\n${tables}"
             . "Redirect307Use main\n",
    vhost => "Header always set X-Rule \"%{REDIRECT307_RULE}e\""
           . " env=REDIRECT307_RULE\n" . allow_overrides());

# ---- mistakes ----

my @errors = R307::Table::read_table('live-tables-errors.tsv');
for my $row (grep { $_->{where} ne 'htaccess' } @errors) {
    my $config = $row->{config} || 'Redirect307Table x file:x.rules';
    my $t = configtest(R307::Table::unescape($config) . "\n",
        files => { length $row->{source}
            ? ('x.rules' => R307::Table::unescape($row->{source})) : () });
    my $message = $t->message;
    my @wrong = R307::Mistakes::wrong($message, $row);

    push @wrong, 'the configuration is accepted' if $t->ok;
    push @wrong, 'file and line are missing'
        if length $row->{line}
        && $message !~ /on line $row->{line} of \Q@{[ $t->file ]}\E:/
        && $message !~ /\Q@{[ $t->file ]}\E:$row->{line}: /;
    report_in("refused: $row->{name}", $message, @wrong);
}

R307::Mistakes::run_htaccess([grep { $_->{where} eq 'htaccess' } @errors],
                             allow_overrides());

# Sources that are too long for a table of cases.
sub compiles {
    my ($text, %arg) = @_;
    my $t = configtest('Redirect307Table x file:x.rules' . "\n",
                       files => { 'x.rules' => $text });
    report_in($arg{name}, $t->message,
              R307::Mistakes::wrong($t->message,
                                    { id => '', says => '', %arg }),
              $t->ok == !$arg{id} ? () : 'the verdict is wrong');
    return $t->message;
}

my $good = '/a https://t.example/b';
compiles('#' . 'x' x 65534 . "\n$good\n", name => 'a line of 65535 bytes');
compiles("$good\n#" . 'x' x 65535 . "\n$good\n", id => 'R307-0511',
         says => 'x\.rules:2: \nlonger than 65535 bytes\n1 bad line\b',
         name => 'a line of 65536 bytes, and the next one counts');
compiles("$good\n#" . 'x' x 200_000, id => 'R307-0511',
         says => 'x\.rules:2: \n1 bad line\b',
         name => 'a line that does not end');
compiles("$good/" . 'x' x 16_000 . "\n", name => 'a target of 16,000 bytes');
compiles('/' . 'x' x 8_000 . " https://t.example/\n",
         name => 'a path of 8,000 bytes');
compiles("$good " . join(' ', map { "cache=$_" } 1) . "\n",
         name => 'one option');
my $message = compiles("$good\n" x 3 . "/b\n" x 12, id => 'R307-0516',
    says => '12 bad lines', name => 'twelve bad lines are counted');
is_deeply([$message =~ /x\.rules:(\d+): R307-0502/g], [4 .. 13],
          'and the first ten named');
compiles(join('', map { "/p$_/x https://t.example/$_\n" } 1 .. 20_000),
         name => '20,000 rules');

# No configuration error of the sources without a case here.
{
    # What only a running server or a disk can say; t/91 and t/93 do.
    my %elsewhere = map { ("R307-$_" => 1) }
        qw(0515 0517 0520 0521 0522 0623 0624 0626 0630 0631 0632 0633 0641);
    # Counters: t/86 provokes them, but for 0652 (no shared memory).
    $elsewhere{"R307-$_"} = 1 for qw(0650 0651 0652 0653 0654 0655 0656 0657
                                     0658);
    # Rows of a database: t/unit/test_row.c.
    $elsewhere{"R307-05$_"} = 1 for 50 .. 56;
    # Rows and patches: t/unit/test_patch.c, but for 0530, 0531 and 0537, which
    # need a full table or no memory.
    $elsewhere{"R307-053$_"} = 1 for 0 .. 7;
    # Rows as lines: t/unit/test_row.c.  Tables that follow a database: t/94,
    # which looks whether it has seen all of them.
    $elsewhere{"R307-055$_"} = 1 for 0 .. 6;
    $elsewhere{"R307-06$_"} = 1 for 70 .. 99;
    # Raised by no known path; only ever a reason to compile once more.
    $elsewhere{$_} = 1 for qw(R307-0642 R307-0519);
    my %seen = %{ R307::Mistakes::seen() };
    my %known;
    for my $file (glob "$ENV{R307_TOP}/src/*/*.c") {
        open my $fh, '<', $file or die "$file: $!\n";
        while (<$fh>) {
            $known{$1} = 1 while /"(R307-0[56]\d\d):/g;
        }
    }
    $seen{$_} = 1 for state_directories();
    $seen{$_} = 1 for used_again();
    cmp_ok(scalar(keys %known), '>=', 30, 'the sources hold messages');
    is_deeply([grep { !$seen{$_} && !$elsewhere{$_} } sort keys %known], [],
              'every one that a configuration can provoke was seen');
}

# ---- the state directory ----

sub is_safe {
    my ($state, $want, $name, $warned) = @_;
    my $t = configtest("Redirect307StateDir \"$state\"\n"
                       . 'Redirect307Table x file:x.rules' . "\n",
                       files => { 'x.rules' => "$good\n" });
    my @wrong;

    if ($want) {
        $state =~ s{/\z}{};
        push @wrong, "nothing matches $want" if $t->message !~ /$want/;
        push @wrong, 'it is accepted' if $t->ok && !$warned;
        push @wrong, 'the directory is not named'
            if $t->message !~ m{'\Q$state\E/?'};
    }
    elsif (!$t->ok) {
        push @wrong, 'it is refused';
    }
    report_in("state directory: $name", $t->message, @wrong);
    return $t->message =~ /(R307-\d{4}):/g;
}

# [name, what makes the directory, what the message says or '', whether a
# warning is enough]
sub state_directories {
    my $base = R307::Env::scratch('state');
    my $user = $> == 0 ? getpwnam $ENV{R307_USER} : $>;
    my $dir = sub {
        my ($path, $mode, $uid) = @_;
        mkdir $path or die "$path: $!\n";
        chmod $mode, $path;
        chown defined $uid ? $uid : $user, -1, $path if $> == 0;
    };
    my @cases = (
        ['not there', sub { }, ''],
        ['private', sub { $dir->($_[0], 0700) }, ''],
        ['others may read it', sub { $dir->($_[0], 0755) }, ''],
        ['the group may write', sub { $dir->($_[0], 0770) },
         'R307-0611: .*chmod go-w'],
        ['all may write', sub { $dir->($_[0], 0707) }, 'R307-0611: '],
        ['all may write, sticky', sub { $dir->($_[0], 01777) },
         'R307-0611: '],
        ['a file', sub { R307::Env::write_file($_[0], '') },
         'R307-0611: .*not a directory'],
        ['a link to a good directory', sub {
            $dir->("$_[0].to", 0700);
            symlink "$_[0].to", $_[0];
        }, 'R307-0611: '],
        ['a link to nothing', sub { symlink "$_[0].none", $_[0] },
         'R307-061[01]: '],
        ['a directory in none', sub { $_[0] .= '/below' },
         'R307-0610: .*No such file or directory.*Redirect307StateDir'],
        ['a directory in a file', sub {
            R307::Env::write_file($_[0], '');
            $_[0] .= '/below';
        }, 'R307-0610: .*Not a directory'],
        ['a link, written with a slash', sub {
            $dir->("$_[0].to", 0700);
            symlink "$_[0].to", $_[0];
            $_[0] .= '/';
        }, 'R307-0611: '],
        $> == 0 ? (
            ['of somebody else', sub { $dir->($_[0], 0700, $user - 1) },
             'R307-0611: .*belongs to somebody else.*chown'],
            # Refused or warned of: no refresh could be written there.
            ['of root, which the children cannot write to',
             sub { $dir->($_[0], 0755, 0) }, 'R307-06\d\d: ', 1],
        ) : (
            ['where it cannot be made', sub {
                $dir->($_[0], 0500);
                $_[0] .= '/below';
            }, 'R307-0610: .*Permission denied'],
        ),
    );
    my @ids;
    for my $i (0 .. $#cases) {
        my ($name, $make, $want, $warned) = @{ $cases[$i] };
        my $path = "$base/d$i";
        $make->($path);
        push @ids, is_safe($path, $want, $name, $warned);
    }
    my ($mode, $uid) = (stat "$base/d0")[2, 4];
    is(sprintf('%o %d', $mode & 07777, $uid), "700 $user",
       'the state directory is made private, for httpd\'s User');
    is(sprintf('%o', (stat "$base/d0/x.table")[2] & 07777), '600',
       'and so is what is in it');

    my $t = configtest("Redirect307StateDir run/deeper\n"
                       . 'Redirect307Table x file:x.rules' . "\n",
                       files => { 'x.rules' => "$good\n",
                                  'run/x' => '' });
    (my $root = $t->file) =~ s{/rules\.conf\z}{};
    ok(-e "$root/run/deeper/x.table",
       'a relative state directory is below ServerRoot');
    return @ids;
}

# ---- used again ----

# Every case starts with a table compiled from "$dir/x.rules"; then something
# is changed, and the next start compiles it anew, or does not.
sub used_again {
    my $base  = R307::Env::scratch('again');
    my $state = "$base/state";
    my $file  = "$state/x.table";
    my $source = "$base/x.rules";
    my %ids;

    my $start = sub {
        my ($options, $before) = @_;
        my $t = configtest("Redirect307StateDir $state\n" . ($before || '')
                           . "Redirect307Table x file:$source "
                           . ($options || '') . "\n");
        my @lines = $t->message =~ /R307-0622: table x:/g;
        $ids{$_} = 1 for $t->message =~ /(R307-\d{4}):/g;
        return !$t->ok ? 'refused: ' . $t->message
             : @lines  ? 'compiled' : 'used';
    };
    my $case = sub {
        my ($name, $want, $change, @arg) = @_;
        R307::Tables::put($source, "$good\n");
        my $first = $start->();
        $change->();
        my @got = ($first, $start->(@arg), $start->(@arg));
        is("@got", "compiled $want used", "used again: $name");
    };
    my $nothing = sub { };
    my $damage = sub {
        my ($code) = @_;
        return sub {
            open my $fh, '+<:raw', $file or die "$file: $!\n";
            local $/;
            my $text = <$fh>;
            $code->($text);
            seek $fh, 0, 0;
            truncate $fh, 0;
            print {$fh} $text;
            close $fh or die "$file: $!\n";
        };
    };
    my $size = sub { -s $file };

    $case->('nothing changed', 'used', $nothing);
    for (['other text', 'rename', "$good/c\n"],
         ['in place',   'write',  "$good/c\n"],
         ['same text, new file', 'rename', "$good\n"],
         ['a line more', 'append', "$good/c\n"],
         ['touched',    'touch'],
         ['replaced by an older one', 'earlier', "$good/c\n"]) {
        my ($name, $how, $text) = @$_;
        $case->("source: $name", 'compiled',
                sub { change($how, $source, $text) });
    }
    $case->('match=', 'compiled', $nothing, 'match=exact');
    $case->('match= as it is by default', 'used', $nothing, 'match=prefix');
    $case->('format=', 'compiled', $nothing, 'format=rewritemap');
    $case->('refresh=', 'used', $nothing, 'refresh=3');
    $case->('lines before it', 'used', $nothing, '', "# a\n# b\n");
    $case->('RegexDefaultOptions', 'compiled', $nothing, '',
            "RegexDefaultOptions +ICASE\n");
    $case->('hosts are allowed now', 'compiled', $nothing, '',
            "Redirect307AllowTo x.example\n");

    $case->('removed', 'compiled', sub { unlink $file });
    $case->('zero length', 'compiled', $damage->(sub { $_[0] = '' }));
    $case->('one byte', 'compiled', $damage->(sub { $_[0] = 'R' }));
    $case->('the header only', 'compiled',
            $damage->(sub { $_[0] = substr $_[0], 0, 160 }));
    $case->('the last byte is missing', 'compiled',
            $damage->(sub { chop $_[0] }));
    $case->('a byte more', 'compiled', $damage->(sub { $_[0] .= 'x' }));
    $case->('garbage', 'compiled', $damage->(sub {
        $_[0] = join '', map { chr(($_ * 131) % 251) } 1 .. 5000;
    }));
    $case->('garbage behind the magic', 'compiled', $damage->(sub {
        $_[0] = "R307TBL\n" . "\xff" x 5000;
    }));
    $case->('doubled', 'compiled', $damage->(sub { $_[0] .= $_[0] }));
    for my $at (map { 8 * $_ } 0 .. 21) {
        $case->("byte $at is another", 'compiled', $damage->(sub {
            substr($_[0], $at, 1) = chr(1 ^ ord substr $_[0], $at, 1);
        }));
    }
    $case->('the last byte is another', 'compiled', $damage->(sub {
        substr($_[0], -1, 1) = chr(1 ^ ord substr $_[0], -1, 1);
    }));
    my $victim = "$base/victim";
    R307::Env::write_file($victim, "precious\n");
    $case->('a compile was killed', 'compiled', sub {
        unlink $file;
        R307::Env::write_file("$file.new.$$.0", 'half');
        R307::Env::write_file("$file.news.$$.0", 'of somebody else');
    });
    is(join(' ', glob "$file.new*"), "$file.news.$$.0",
       'what it left is gone, and nothing else');
    $case->('a link where a killed compile left its file', 'compiled', sub {
        unlink $file;
        symlink $victim, "$file.new.$$.0" or die "symlink: $!\n";
    });
    is(-s $victim, 9, 'a link is not followed');
    return keys %ids;
}

# A restart of a running server, and what a damaged table answers then.
for my $signal (qw(USR1 HUP)) {
    my $live = server(name => "restart-$signal", files => {
        'x.rules' => "/x https://t.example/1\n",
        'y.rules' => "/y https://t.example/1\n",
        'z.rules' => "/z https://t.example/1\n",
    }, modules => [R307::Tables::modules()], config => <<'EOC');
Redirect307Table x file:x.rules refresh=0
Redirect307Table y file:y.rules refresh=0
Redirect307Table z file:z.rules refresh=0
Redirect307Use x y z
EOC
    my $compiled = sub {
        return join ' ', map { my $t = $_;
            grep { told($live, $t, 'R307-0622') } $t } qw(x y z);
    };
    is("@{[ map { answer($live, \"/$_\") } qw(x y z) ]}",
       "@{[ ('307 https://t.example/1') x 3 ]}", "before $signal");
    R307::Tables::put($live->root . '/y.rules', "/y https://t.example/2\n");
    # Replaced, not written to: the file is mapped.
    R307::Tables::put(compiled_file($live, 'z'), 'garbage');
    $live->log->mark;
    kill $signal, $live->pid;
    wait_until(R307::Tables::PATIENCE, sub {
        answer($live, '/y') eq '307 https://t.example/2';
    });
    is("@{[ map { answer($live, \"/$_\") } qw(x y z) ]}",
       '307 https://t.example/1 307 https://t.example/2 '
       . '307 https://t.example/1', "after $signal");
    is($compiled->(), 'y z',
       "$signal compiles what has changed and what is damaged");
}

SKIP: {
    skip('mod_watchdog is built into this httpd: it cannot be absent', 2)
        if R307::Env::is_static('watchdog');
    my $alone = server(name => 'no-watchdog', config => <<"EOC");
Redirect307Table one file:$dir/one.rules
Redirect307Use one
EOC
    is(answer($alone, '/u'), '307 https://t.example/one',
       'without mod_watchdog tables work');
    like($alone->output, qr/R307-0631: mod_watchdog is not loaded/,
         'and it is said that they do not follow their sources');
}

end_suite(allow => [qr{\.htaccess: }],
          allow_in => { 'no-watchdog' => ['R307-0631'] });
