# R307::Tables is what the suites of tables and rule files share: sources from
# case tables, changing a source in every way that people do it, walking a
# table of such changes, and looking at the server's processes from outside.
# Called by t/9?-*.t.  It knows nothing of rules.
#
# A source is changed with a modification time in the past, which the server
# takes at its next look; one that was changed less than a second ago is left
# alone, as it may be half written.
package R307::Tables;

use strict;
use warnings;

use Exporter 'import';
use Test::More ();
use Time::HiRes qw(sleep time);

use R307::Env ();
use R307::Log ();
use R307::Table ();

our @EXPORT = qw(change wait_until one_process steady allow_overrides
                 source_texts write_sources children mappings descriptors
                 compiled_file unfinished unfinished_re
                 told answer everywhere settled walk_changes);

# Seconds to wait for what takes one or two looks at the source.
use constant PATIENCE => $ENV{R307_SLOW} ? 60 : 8;

# The same when the child that looks at them was killed.
use constant TAKEOVER => $ENV{R307_SLOW} ? 90 : 25;

# mod_watchdog is built into some httpds and a module of others.
sub modules {
    return !R307::Env::is_static('watchdog')
        && R307::Env::has_module('watchdog') ? ('watchdog') : ();
}

# Directives for a server with a single child, where what is kept in a process
# is the same for every request.
sub one_process {
    return <<'EOC';
StartServers 1
<IfModule mpm_prefork_module>
    MinSpareServers 1
    MaxSpareServers 1
    MaxRequestWorkers 1
</IfModule>
<IfModule !mpm_prefork_module>
    ServerLimit 1
    MinSpareThreads 1
    MaxSpareThreads 8
    MaxRequestWorkers 8
</IfModule>
EOC
}

# Directives for a server whose children stay.  When the one that looks at the
# sources goes, mod_watchdog takes 11 seconds to let another do it.
sub steady {
    return <<'EOC';
<IfModule mpm_prefork_module>
    MaxSpareServers 12
</IfModule>
EOC
}

sub allow_overrides {
    return "<Directory \"\@DOCROOT\@\">\nAllowOverride FileInfo\n"
         . "</Directory>\n";
}

# True as soon as done() is, which is asked every $pause seconds.
sub wait_until {
    my ($seconds, $done, $pause) = @_;
    my $deadline = time + $seconds;

    until ($done->()) {
        return 0 if time > $deadline;
        sleep($pause || 0.05);
    }
    return 1;
}

# ---- sources ----

# name => text of a file with the columns name and source.
sub source_texts {
    my ($file) = @_;
    return map { ($_->{name} => R307::Table::unescape($_->{source})) }
           R307::Table::read_table($file);
}

# Writes the sources of such a file, which here has a column options too.
# Returns the directory and the Redirect307Table lines.
sub write_sources {
    my ($file) = @_;
    my $dir = R307::Env::scratch('sources');
    my $lines = '';

    for my $row (R307::Table::read_table($file)) {
        my $path = "$dir/$row->{name}.rules";
        R307::Env::write_file($path, R307::Table::unescape($row->{source}));
        $lines .= "Redirect307Table $row->{name} \"file:$path\""
                . " $row->{options}\n";
    }
    return ($dir, $lines);
}

my $clock = time - 1_000_000;

# A modification time of long ago, later than all before.
sub _age {
    my ($path, $when) = @_;
    my $t = defined $when ? $when : ++$clock;
    utime $t, $t, $path or die "utime $path: $!\n";
    return;
}

# Write beside, rename: how a source should be replaced.
sub put {
    my ($path, $text, $when) = @_;

    R307::Env::write_file("$path.beside", $text);
    _age("$path.beside", $when) if !defined $when || $when;
    rename "$path.beside", $path or die "rename to $path: $!\n";
    return;
}

sub _remove {
    my ($path) = @_;
    -d $path && !-l $path ? rmdir $path : unlink $path;
    return;
}

my %change = (
    start    => \&put,
    rename   => \&put,
    fresh    => sub { put(@_[0, 1], 0) },
    earlier  => sub { put(@_[0, 1], $clock - 500_000) },
    secret   => sub {           # nobody may read it
        my ($path, $text) = @_;
        R307::Env::write_file("$path.secret", $text);
        _age("$path.secret");
        chmod 0, "$path.secret";
        rename "$path.secret", $path or die "rename to $path: $!\n";
    },
    ahead    => sub { put(@_[0, 1], time + 86_400) },
    write    => sub {           # the same inode
        my ($path, $text) = @_;
        open my $fh, '+<:raw', $path or die "$path: $!\n";
        truncate $fh, 0;
        print {$fh} $text;
        close $fh or die "$path: $!\n";
        _age($path);
    },
    append   => sub {
        my ($path, $text) = @_;
        open my $fh, '>>:raw', $path or die "$path: $!\n";
        print {$fh} $text;
        close $fh or die "$path: $!\n";
        _age($path);
    },
    touch    => sub { _age($_[0]) },
    keep     => sub { },
    remove   => sub { _remove($_[0]) },
    hide     => sub { rename $_[0], "$_[0].hidden" or die "rename: $!\n" },
    reveal   => sub { rename "$_[0].hidden", $_[0] or die "rename: $!\n" },
    unreadable => sub { chmod 0, $_[0] },
    readable   => sub { chmod 0644, $_[0] },
    directory  => sub { _remove($_[0]); mkdir $_[0] },
    link     => sub {           # a link to a file with this text
        my ($path, $text) = @_;
        my $to = $path . '.version' . ++$clock;
        put($to, $text);
        _remove("$path.link");
        symlink $to, "$path.link" or die "symlink: $!\n";
        rename "$path.link", $path or die "rename: $!\n";
    },
    dangling => sub {
        my ($path) = @_;
        _remove($path);
        symlink "$path.nowhere", $path or die "symlink: $!\n";
    },
);

sub change {
    my ($how, $path, $text) = @_;
    my $code = $change{$how} or die "a source cannot be changed by '$how'\n";
    $code->($path, $text);
    return;
}

# ---- the server's processes ----

# Process ids of the children of a server.
sub children {
    my ($srv) = @_;
    my @found;

    for my $file (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $file or next;
        my $stat = <$fh>;
        next if !defined $stat;
        push @found, $1
            if $stat =~ /\A(\d+) \(.*\) [^Z] (\d+) /s && $2 == $srv->pid;
    }
    return sort { $a <=> $b } @found;
}

# How often the process has the table mapped, replaced versions included.
sub mappings {
    my ($pid, $table) = @_;
    open my $fh, '<', "/proc/$pid/maps" or return 0;
    return scalar grep { m{/\Q$table\E\.table\b} } <$fh>;
}

# What the process has open, without its connections.
sub descriptors {
    my ($pid) = @_;
    return grep { defined && !/\A(?:socket|anon_inode):/ }
           map { readlink } glob "/proc/$pid/fd/*";
}

sub compiled_file {
    my ($srv, $table) = @_;
    return $srv->root . "/run/redirect307/$table.table";
}

# Files beside a compiled one that are being written, or were left.
sub unfinished {
    my ($file) = @_;
    return grep { -f && /\.new\.\d+\.\d+\z/ } glob "$file.new.*";
}

# A descriptor of such a file of table t.
sub unfinished_re { return qr{/t\.table\.new\.\d+\.\d+\z} }

# Log lines since the mark that are about tables: name => lines.
sub table_lines {
    my ($srv) = @_;
    my %lines;

    for my $l ($srv->log->since) {
        push @{ $lines{$1} }, $l
            if $l->{message} =~ /R307-\d+: table ([\w-]+)/;
    }
    return \%lines;
}

# How often the id was logged about the table since the mark.
sub told {
    my ($srv, $table, $id) = @_;
    return _count($id, table_lines($srv)->{$table});
}

# At debug the server may say a thing again.
sub _count {
    my ($id, $lines) = @_;
    return scalar grep { $_->{message} =~ /\b$id:/ && $_->{level} ne 'debug' }
                  @{ $lines || [] };
}

# "307 Location", or the status, or why there is no answer.
sub answer {
    my ($srv, $target, %arg) = @_;
    my $res = eval { $srv->request(target => $target, %arg) };
    return "no answer: $@" if !$res;
    return _short($res);
}

sub _short {
    my ($res) = @_;
    my $location = $res->header('Location');
    return defined $location ? $res->status . " $location" : $res->status;
}

# The answers of several connections that are open at once, so that more than
# one child has to answer: each different answer once.
sub everywhere {
    my ($srv, $target, $n) = @_;
    my @conns = map { $srv->connect } 1 .. $n || 6;
    my %seen;

    $_->send($srv->bytes(target => $target)) for @conns;
    for my $conn (@conns) {
        my $res = eval { $conn->response('GET') };
        $seen{ $res ? _short($res) : "no answer: $@" } = 1;
        $conn->close;
    }
    return sort keys %seen;
}

# The same when each process has had the time to notice a new version: while
# one thread maps it, the others still answer from the old one.
sub settled {
    my @args = @_;
    my @got;

    wait_until(PATIENCE, sub { @got = everywhere(@args); return @got == 1 });
    return @got;
}

# ---- tables of changes ----

# Walks rows that change sources while the server serves.  Rows with the same
# "table" are one after the other; the first rows of all tables are done at
# once, then the second ones, and so on.  Columns: name, table, how (see
# %change), source, request, answer ("307 Location" or a status), log (ids that
# must be told about this table, with *N behind: so often; R307-0622 just once),
# says (regular expressions, separated by \n, for those lines).
# path => sub { path of a table's source }
sub walk_changes {
    my ($srv, $rows, %arg) = @_;
    my %left;

    push @{ $left{ $_->{table} } }, $_ for @$rows;
    while (%left) {
        my @now = map { shift @{ $left{$_} } } sort keys %left;
        delete @left{ grep { !@{ $left{$_} } } keys %left };
        $srv->log->mark;
        change($_->{how}, $arg{path}->($_->{table}),
               R307::Table::unescape($_->{source})) for @now;
        _wait_for_all($srv, \@now);
        _judge($srv, $_) for @now;
    }
    return;
}

sub _wait_for_all {
    my ($srv, $rows) = @_;
    my @left = @$rows;

    wait_until(PATIENCE, sub {
        my $lines = table_lines($srv);
        @left = grep { !_is_done($srv, $_, $lines->{ $_->{table} }) } @left;
        return !@left;
    });
    sleep 2.5 if grep { $_->{how} eq 'keep' } @$rows;   # two looks
    return;
}

# id => how often, 0 for any number of times.
sub _wanted {
    my ($row) = @_;
    my %want = map { /\A(.*?)(?:\*(\d+))?\z/ ? ($1 => $2 || 0) : () }
               split ' ', $row->{log};
    $want{'R307-0622'} = 1 if exists $want{'R307-0622'};
    return \%want;
}

sub _is_done {
    my ($srv, $row, $lines) = @_;
    my $want = _wanted($row);
    return !(grep { !_count($_, $lines) } keys %$want)
        && answer($srv, $row->{request}) eq $row->{answer};
}

sub _judge {
    my ($srv, $row) = @_;
    my @got = settled($srv, $row->{request});
    my @lines = @{ table_lines($srv)->{ $row->{table} } || [] };
    my $want = _wanted($row);
    my @wrong;

    push @wrong, "got  @got", "want $row->{answer}"
        if "@got" ne $row->{answer};
    for my $id (sort keys %{ { 'R307-0622' => 0, %$want } }) {
        my $n = _count($id, \@lines);
        my $ok = !exists $want->{$id} ? $n == 0
               : $want->{$id}         ? $n == $want->{$id} : $n > 0;
        push @wrong, "$id is logged $n times" if !$ok;
    }
    push @wrong, map { "logged: $_->{text}" }
                 R307::Log::offending(\@lines, keys %$want);
    for my $re (split /\\n/, $row->{says}) {
        push @wrong, "no line says $re"
            if !grep { $_->{text} =~ /$re/ } @lines;
    }
    Test::More::ok(!@wrong, $row->{name});
    Test::More::diag("  $_") for @wrong, @wrong ? map { $_->{text} } @lines
                                                : ();
    return;
}

1;
