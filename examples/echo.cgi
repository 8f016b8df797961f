#!/usr/bin/perl
# echo.cgi answers with what it was sent: method, URL, headers, body, and the
# fields of forms.  As text, or as JSON for who accepts that.  Pages of every
# origin may ask.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use JSON::PP ();

use constant {
    SHOWN => 64 * 1024,                 # bytes of the body that are shown
    KEPT  => 32 * 1024 * 1024,          # a larger form is not taken apart
    FIELD => 1024,                      # bytes of a field that are shown
};

sub env { return $ENV{ $_[0] } // '' }

# The body, as long as it is kept; its length; its digest.
sub read_body {
    my $sha = Digest::SHA->new(256);
    my ($body, $total) = ('', 0);

    binmode STDIN;
    while (my $got = read STDIN, my $block, 65_536) {
        $sha->add($block);
        $total += $got;
        $body = '' if $total > KEPT;
        $body .= $block if $total <= KEPT;
    }
    return ($body, $total, $sha->hexdigest);
}

sub decoded { return $_[0] =~ tr/+/ /r =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ger }

sub field {
    my ($name, $value, $file) = @_;
    return { name => $name, length => length $value,
             defined $file ? (file => $file, sha256 => sha256_hex($value))
                           : (value => substr $value, 0, FIELD) };
}

# The fields of a form, in order.
sub fields {
    my ($type, $body) = @_;

    if ($type =~ m{\Aapplication/x-www-form-urlencoded\b}i) {
        return map { field(map { decoded($_ // '') } (split /=/, $_, 2)[0, 1]) }
               split /&/, $body;
    }
    return if $type !~ m{\Amultipart/form-data;.*?boundary="?([^";]+)}i;
    return map {
        my ($head, $value) = split /\r\n\r\n/, $_, 2;
        my ($name) = $head =~ / name="([^"]*)"/;
        my ($file) = $head =~ / filename="([^"]*)"/;
        defined $value && defined $name ? field($name, $value, $file) : ();
    } split /(?:\A|\r\n)--\Q$1\E(?:--)?(?:\r\n|\z)/, $body;
}

# The header fields, as far as CGI tells them.
sub headers {
    return map {
        my $name = join '-', map { ucfirst lc } split /_/, s/^HTTP_//r;
        ($name => $ENV{$_});
    } grep { /^(?:HTTP_|CONTENT_(?:TYPE|LENGTH)$)/ && length $ENV{$_} } keys %ENV;
}

sub as_text {
    my ($said) = @_;
    my $header = $said->{headers};
    my @fields = grep { defined $_->{file} } @{ $said->{fields} };

    return map { "$_\n" } "method: $said->{method}", "url: $said->{url}",
        (map { "header: $_: $header->{$_}" } sort keys %$header),
        "body bytes: $said->{length}",
        $said->{length} ? "body sha256: $said->{sha256}" : (),
        (map { "file: $_->{name}: $_->{file}, $_->{length} bytes,"
             . " sha256 $_->{sha256}" } @fields),
        $said->{length} && !@fields ? "body: $said->{body}" : ();
}

# What every answer says about other origins; "preflight" asks for more.
sub allow {
    my @lines = ('Access-Control-Allow-Origin: *', 'Vary: Accept');
    return @lines if env('REQUEST_METHOD') ne 'OPTIONS';
    return (@lines, 'Access-Control-Allow-Methods: '
                  . env('HTTP_ACCESS_CONTROL_REQUEST_METHOD'),
            'Access-Control-Allow-Headers: '
          . env('HTTP_ACCESS_CONTROL_REQUEST_HEADERS'));
}

my ($body, $total, $sha256) = read_body();
my %said = (
    method => env('REQUEST_METHOD'), url => env('REQUEST_URI'),
    headers => { headers() }, length => $total, sha256 => $sha256,
    body => substr($body, 0, SHOWN), fields => [fields(env('CONTENT_TYPE'), $body)],
);
my $json = env('HTTP_ACCEPT') =~ m{\bapplication/json\b};

binmode STDOUT;
print map { "$_\r\n" } 'Content-Type: ' . ($json ? 'application/json'
                                                 : 'text/plain; charset=utf-8'),
    'X-Content-Type-Options: nosniff', allow(), '';
# The strings hold bytes: what was UTF-8 in the request is UTF-8 in the answer.
print $json ? JSON::PP->new->canonical->encode(\%said)
            : as_text(\%said);
