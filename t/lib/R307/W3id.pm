# R307::W3id reads real .htaccess files with RewriteRule lines, works out which
# rule mod_rewrite would apply to a path, and writes the rules with [R=307] as
# Redirect307Match lines.  Called by t/70-w3id.t.  It knows nothing about
# httpd; it refuses what it does not understand instead of guessing.
package R307::W3id;

use strict;
use warnings;

use File::Find ();

# The directories below $tree that hold an htaccess file: name => rules.
# A rule is { line, pattern, target, flags => { NAME => value }, conditions }.
sub read_tree {
    my ($tree) = @_;
    my %rules;

    File::Find::find({ no_chdir => 1, wanted => sub {
        return if !m{\A\Q$tree\E/(.+)/htaccess\z};
        $rules{$1} = _read_file($_);
    } }, $tree);
    return \%rules;
}

sub _read_file {
    my ($file) = @_;
    my (@rules, $conditions);

    open my $fh, '<:raw', $file or die "$file: $!\n";
    while (my $line = <$fh>) {
        next if $line =~ /\A\s*(?:#|\z)/;
        $line =~ s/\s+\z//;
        my ($name, @args) = _words($line);
        if (lc $name eq 'rewritecond') {
            $conditions = 1;
            next;
        }
        next if lc $name ne 'rewriterule';
        die "$file:$.: not a RewriteRule of two or three words\n"
            if @args < 2 || @args > 3;
        push @rules, { line => $., pattern => $args[0], target => $args[1],
                       flags => _flags($args[2]), conditions => $conditions };
        $conditions = 0;
    }
    return \@rules;
}

sub _words {
    my ($line) = @_;
    my @words;

    while ($line =~ /\G\s*(?:"((?:[^"\\]|\\.)*)"|(\S+))/gc) {
        push @words, defined $1 ? $1 : $2;
    }
    return @words;
}

my %long_flag = (nc => 'NC', nocase => 'NC', qsa => 'QSA', qsappend => 'QSA',
                 qsd => 'QSD', qsdiscard => 'QSD', l => 'L', last => 'L',
                 ne => 'NE', noescape => 'NE', b => 'B', r => 'R',
                 redirect => 'R', end => 'END');

sub _flags {
    my ($text) = @_;
    my %flags;

    return {} if !defined $text;
    $text =~ /\A\[(.*)\]\z/ or die "not a list of flags: $text\n";
    for my $flag (split /\s*,\s*/, $1) {
        my ($name, $value) = split /=/, $flag, 2;
        my $known = $long_flag{ lc $name } or die "unknown flag: $flag\n";
        $flags{$known} = defined $value ? $value : '';
    }
    $flags{R} = 302 if defined $flags{R} && $flags{R} eq '';
    return \%flags;
}

sub is_convertible {
    my ($rule) = @_;
    return ($rule->{flags}{R} || '') eq '307' && !$rule->{conditions};
}

# The first rule whose pattern holds for the path inside the directory, and
# undef when there is none.  Conditions are taken as true: a rule that has
# some is not convertible, so a path that it could take is not compared.
sub rule_for {
    my ($rules, $rest) = @_;

    for my $rule (@$rules) {
        my $re = $rule->{flags}{NC} ? qr/$rule->{pattern}/i
                                    : qr/$rule->{pattern}/;
        return $rule if $rest =~ $re;
    }
    return;
}

# mod_rewrite matches in .htaccess against the path without the directory,
# Redirect307Match against all of it: "^x" becomes "^/dir/x".  An unanchored
# pattern may begin anywhere behind the directory.
sub _regex {
    my ($rule, $dir) = @_;
    my $pattern = $rule->{pattern};

    die "a pattern with '|' outside groups: $pattern\n"
        if _has_top_level_bar($pattern);
    $pattern =~ s/\A\^// or $pattern = ".*?$pattern";
    return ($rule->{flags}{NC} ? '(?i)' : '')
         . '^/' . quotemeta_path($dir) . "/$pattern";
}

sub quotemeta_path {
    my ($dir) = @_;
    $dir =~ s/([^\w\/-])/\\$1/g;
    return $dir;
}

sub _has_top_level_bar {
    my ($pattern) = @_;
    my $depth = 0;

    while ($pattern =~ /\G(?:\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(.))/gcs) {
        next if !defined $1;
        $depth++ if $1 eq '(';
        $depth-- if $1 eq ')';
        return 1 if $1 eq '|' && $depth == 0;
    }
    return 0;
}

# Flags that need a word here, L, NE, B and END do not: every rule ends the
# search; a target is sent as written, which is NE; and a capture is always
# encoded for its place, which is B.
#
# The request's query: mod_rewrite drops it when the target has one of its own
# and [QSA] is not there, which is query=keep, the default.
sub directive {
    my ($rule, $dir) = @_;
    my $target = $rule->{target};
    my @options;

    die "a target with more than text and captures: $target\n"
        if $target =~ /%\{|%\d|\$\{|\\/;
    push @options, 'query=append' if defined $rule->{flags}{QSA};
    push @options, 'query=drop' if defined $rule->{flags}{QSD};
    return join(' ', 'Redirect307Match', map({ qq("$_") } _regex($rule, $dir),
                $target), @options) . "\n";
}

# For a target with a capture right behind the host, and an answer of
# mod_rewrite in which that capture continues the host name: the answer with
# the host kept.  Else undef.
sub with_host_kept {
    my ($rule, $location) = @_;
    my ($authority) = $rule->{target} =~ m{\A(\w+://[^/?#\$]+)\$\d} or return;

    return if $location !~ m{\A\Q$authority\E[^/?#]};
    return "$authority/" . substr $location, length $authority;
}

# Escapes in their one normal form (RFC 3986 section 6.2.2): hexadecimal
# digits in upper case, unreserved characters without.
sub normal_form {
    my ($url) = @_;
    $url =~ s{%([0-9A-Fa-f]{2})}{
        my $c = chr hex $1;
        $c =~ /[A-Za-z0-9._~-]/ ? $c : '%' . uc $1
    }ge;
    return $url;
}

1;
