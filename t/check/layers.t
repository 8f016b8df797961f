# Core and tool never need httpd: they are compiled without httpd's headers, and
# none of their objects may have an undefined ap_ symbol, nor one of the httpd side.
use strict;
use warnings;

use Test::More;
use Check qw(builddir sources build_env run lines_of);

# The object of a source; its name depends on per-library flags and libtool.
sub object_of {
    my ($source) = @_;
    my ($dir, $name) = $source =~ m{^(.*)/([^/]+)\.c$};
    my @found = grep { -e } map { glob builddir() . "/$dir/${_}$name.o" }
                    ('.libs/', '.libs/*-', '', '*-');
    return @found == 1 ? $found[0] : undef;
}

sub undefined_symbols {
    my ($object) = @_;
    my ($status, $out) = run(build_env('R307_NM'), '-u', $object);
    die "nm -u $object failed: $out\n" if $status != 0;
    return $out =~ /^\s*U\s+(\S+)/gm;
}

my @core = grep { /\.c$/ } sources('core');
cmp_ok(scalar @core, '>=', 10, 'there are core sources to check');

for my $source (@core, grep { /\.c$/ } sources('tool')) {
    my $object = object_of($source);
    ok(defined $object, "$source has one object")
        or next;
    my @bad = grep { /^(?:ap_|m307_|redirect307_)/ } undefined_symbols($object);
    is("@bad", '', "$source needs nothing of httpd");
}

# The same look at the other side must find something, or it sees nothing.
my @seen = map { grep { /^ap_/ } undefined_symbols($_) }
           grep { defined } map { object_of($_) }
           grep { /\.c$/ } sources('httpd');
cmp_ok(scalar @seen, '>', 0, 'nm shows the ap_ symbols of the httpd side');

# The module loads and runs in an httpd without mod_proxy.
my @proxy = map { grep { /proxy/ } undefined_symbols($_) }
            grep { defined } map { object_of($_) }
            grep { /\.c$/ } sources('httpd');
is("@proxy", '', 'the httpd side needs no symbol of mod_proxy');

for my $source (sources('core'), sources('tool')) {
    my @bad = grep { m{^\s*#\s*include\s+[<"](?:httpd/|m307|httpd\.h|http_|ap_|util_)} }
              lines_of($source);
    is("@bad", '', "$source includes no header of httpd or of the httpd side");
}

done_testing();
