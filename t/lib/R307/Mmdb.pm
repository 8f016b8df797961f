# R307::Mmdb: writes small databases in the MaxMind DB format, version 2.0
# (https://maxmind.github.io/MaxMind-DB/), for tests. The same networks can be
# written with every record size and as a database of IPv4 or of IPv6.
#
#     make_mmdb($tsv, $file, { ip => 6, bits => 28, type => 'Test-City' });
#
# A line of $tsv is a network, a tab and the record in JSON. Lines that begin
# with # are comments. The more specific network wins. A network of IPv6 is
# left out of a database of IPv4. Integers become uint32, other numbers double;
# {"$float": 1.5} is a float, {"$double": 51} a double without fraction,
# {"$bytes": "00ff"} is written as it stands, whether it means something or not;
# {"$deep": 9} is a map in a map in a map, {"$long": 9} a text of so many x, and
# {"$loop": 1} a pointer to itself.
#
# expect_json($json) prints what a database of MaxMind's should answer, from
# the source that it was made of.
package R307::Mmdb;

use strict;
use warnings;

use B ();
use Exporter 'import';
use JSON::PP ();
use Socket qw(AF_INET AF_INET6 inet_ntop inet_pton);

our @EXPORT_OK = qw(make_mmdb expect_json);

use constant {
    TEXT => 2, DOUBLE => 3, UINT16 => 5, UINT32 => 6, MAP => 7, UINT64 => 9,
    ARRAY => 11, BOOLEAN => 14, FLOAT => 15,
};

# So short a text takes no more room than a pointer to it.
use constant SHORT => 3;

sub make_mmdb {
    my ($tsv, $file, $opt) = @_;
    my %opt  = (ip => 6, bits => 24, type => 'Test-City', %{ $opt || {} });
    my $data = { bytes => '', at => {} };
    my @nodes = ([]);
    my %record_at;

    for my $line (sort { $a->{len} <=> $b->{len} } read_lines($tsv, $opt{ip})) {
        my $at = $record_at{ canonical($line->{record}) } //= do {
            my $here = length $data->{bytes};
            add($data, $line->{record});
            $here;
        };
        insert(\@nodes, $line->{address}, $line->{len}, \$at);
    }
    my $out = tree(\@nodes, $opt{bits}) . "\0" x 16 . $data->{bytes}
        . "\xab\xcd\xefMaxMind.com" . metadata(scalar @nodes, \%opt);

    open my $to, '>:raw', "$file.new" or die "$file.new: $!\n";
    print {$to} $out                  or die "$file.new: $!\n";
    close $to                         or die "$file.new: $!\n";
    rename "$file.new", $file         or die "$file: $!\n";
    return;
}

# ---- networks --------------------------------------------------------------

sub read_lines {
    my ($tsv, $ip) = @_;
    my @lines;

    open my $in, '<:encoding(UTF-8)', $tsv or die "$tsv: $!\n";
    while (my $line = <$in>) {
        chomp $line;
        next if $line eq '' || $line =~ /^#/;
        my ($network, $json) = split /\t/, $line, 2;
        my ($bits, $len) = network($network, $ip) or next;
        push @lines, { address => $bits, len => $len,
                       record => JSON::PP->new->allow_nonref->decode($json) };
    }
    die "$tsv: no network\n" if !@lines;
    return @lines;
}

# The bits of the address and how many count. In a database of IPv6, the IPv4
# addresses stand in ::/96.
sub network {
    my ($text, $ip) = @_;
    my ($address, $len) = split m{/}, $text;
    my $v6    = $address =~ /:/;
    my $bytes = inet_pton($v6 ? AF_INET6 : AF_INET, $address);

    die "no network: $text\n" if !defined $bytes;
    return if $v6 && $ip == 4;
    my $bits = unpack 'B*', $bytes;
    $len //= length $bits;
    return ($bits, $len) if $v6 || $ip == 4;
    return ('0' x 96 . $bits, $len + 96);
}

# ---- the search tree -------------------------------------------------------
# A node is an array of two sides: undef, a number (of another node), or a
# reference to the position of a record.

sub insert {
    my ($nodes, $bits, $len, $leaf) = @_;
    my $node = $nodes->[0];

    for my $i (0 .. $len - 2) {
        my $side = substr $bits, $i, 1;
        my $next = $node->[$side];
        if (!defined $next || ref $next) {
            push @$nodes, [$next, $next];
            $node->[$side] = $#$nodes;
        }
        $node = $nodes->[ $node->[$side] ];
    }
    $node->[ substr $bits, $len - 1, 1 ] = $leaf;
    return;
}

sub tree {
    my ($nodes, $bits) = @_;
    my $count = @$nodes;

    return join '', map {
        node($bits, map { !defined $_ ? $count
                          : ref $_    ? $count + 16 + $$_
                          :             $_ } $_->[0], $_->[1])
    } @$nodes;
}

sub node {
    my ($bits, $left, $right) = @_;

    return pack 'NN', $left, $right if $bits == 32;
    my ($l, $r) = map { substr pack('N', $_), 1 } $left, $right;
    return $l . $r if $bits == 24;
    return $l . chr(($left >> 24) << 4 | $right >> 24) . $r;
}

# ---- the data section ------------------------------------------------------

sub canonical { return JSON::PP->new->canonical->allow_nonref->encode($_[0]) }

# Append a value. What was written before is pointed at.
sub add {
    my ($data, $value) = @_;
    my $known = canonical([$value]);

    if (defined $data->{at}{$known}) {
        $data->{bytes} .= pointer($data->{at}{$known});
        return;
    }
    if (ref $value ? !JSON::PP::is_bool($value)
                   : is_text($value) && length $value > SHORT) {
        $data->{at}{$known} = length $data->{bytes};
    }
    if (ref $value eq 'HASH' && keys %$value == 1 && (%$value)[0] =~ /^\$/) {
        $data->{bytes} .= special(%$value, length $data->{bytes});
    }
    elsif (ref $value eq 'HASH') {
        $data->{bytes} .= head(MAP, scalar keys %$value);
        add($data, $_), add($data, $value->{$_}) for sort keys %$value;
    }
    elsif (ref $value eq 'ARRAY') {
        $data->{bytes} .= head(ARRAY, scalar @$value);
        add($data, $_) for @$value;
    }
    else {
        $data->{bytes} .= scalar_value($value);
    }
    return;
}

sub is_text { return B::svref_2object(\$_[0])->FLAGS & B::SVf_POK }

sub special {
    my ($kind, $value, $here) = @_;

    return pointer($here)                      if $kind eq '$loop';
    return scalar_value('x' x $value)          if $kind eq '$long';
    return head(FLOAT, 4) . pack 'f>', $value  if $kind eq '$float';
    return head(DOUBLE, 8) . pack 'd>', $value if $kind eq '$double';
    return pack 'H*', $value                   if $kind eq '$bytes';
    return (head(MAP, 1) . scalar_value('a')) x $value . scalar_value('deep')
                                               if $kind eq '$deep';
    die "no type $kind\n";
}

sub scalar_value {
    my ($value) = @_;

    return head(BOOLEAN, $value ? 1 : 0) if JSON::PP::is_bool($value);
    if (!is_text($value)) {
        return unsigned(UINT32, $value) if $value =~ /^\d+$/;
        return head(DOUBLE, 8) . pack 'd>', $value;
    }
    utf8::encode($value);
    return head(TEXT, length $value) . $value;
}

# Type and size. Types from 8 on stand in a byte of their own.
sub head {
    my ($type, $size) = @_;
    my ($small, $more) = $size < 29    ? ($size, '')
                       : $size < 285   ? (29, pack 'C', $size - 29)
                       : $size < 65821 ? (30, pack 'n', $size - 285)
                       : (31, substr pack('N', $size - 65821), 1);

    return chr($type << 5 | $small) . $more if $type < 8;
    return chr($small) . chr($type - 7) . $more;
}

sub unsigned {
    my ($type, $value) = @_;
    my $bytes = pack 'Q>', $value;

    $bytes =~ s/^\0+//;
    return head($type, length $bytes) . $bytes;
}

sub pointer {
    my ($at) = @_;

    return pack 'n', 0x2000 | $at if $at < 2048;
    $at -= 2048;
    return chr(0x28 | $at >> 16) . pack 'n', $at & 0xffff if $at < 524_288;
    $at -= 524_288;
    return chr(0x30 | $at >> 24) . substr pack('N', $at), 1 if $at < 1 << 27;
    return chr(0x38) . pack 'N', $at + 526_336;
}

# ---- metadata --------------------------------------------------------------

sub metadata {
    my ($count, $opt) = @_;
    my %of = (
        binary_format_major_version => unsigned(UINT16, $opt->{version} // 2),
        binary_format_minor_version => unsigned(UINT16, 0),
        build_epoch   => unsigned(UINT64, 1_767_225_600),
        database_type => scalar_value($opt->{type}),
        description   => head(MAP, 1) . scalar_value('en')
                         . scalar_value('made for a test'),
        ip_version    => unsigned(UINT16, $opt->{ip}),
        languages     => head(ARRAY, 1) . scalar_value('en'),
        node_count    => unsigned(UINT32, $count),
        record_size   => unsigned(UINT16, $opt->{bits}),
    );

    return head(MAP, scalar keys %of)
        . join '', map { scalar_value($_) . $of{$_} } sort keys %of;
}

# ---- expectations ----------------------------------------------------------

# Every network of a list of { network: record }: its first address, a tab and
# the facts in the form of t/data/mmdb-cases.tsv.
sub expect_json {
    my ($file) = @_;
    my $text = do {
        open my $in, '<:raw', $file or die "$file: $!\n";
        local $/ = undef;
        <$in>;
    };
    my %record = map { %$_ } @{ JSON::PP->new->utf8->decode($text) };

    binmode STDOUT, ':encoding(UTF-8)';
    for my $network (sort keys %record) {
        my ($address) = split m{/}, $network;
        print "$address\t", facts($record{$network}), "\n";
    }
    return;
}

sub facts {
    my ($of) = @_;
    my $here    = $of->{country}{iso_code};
    my $country = $here // $of->{registered_country}{iso_code};
    my $region  = ($of->{subdivisions} || [])->[0]{iso_code};
    my @facts;

    push @facts, "country=$country"          if defined $country;
    push @facts, "region=$here-$region" if defined $here && defined $region;
    push @facts, "continent=$of->{continent}{code}" if $of->{continent}{code};
    push @facts, "lat=" . sprintf '%.4f', $of->{location}{latitude}
        if defined $of->{location}{latitude};
    push @facts, "lon=" . sprintf '%.4f', $of->{location}{longitude}
        if defined $of->{location}{longitude};
    push @facts, "city=$of->{city}{names}{en}"
        if defined $of->{city}{names}{en};
    return @facts ? join ' ', @facts : 'nothing';
}

1;
