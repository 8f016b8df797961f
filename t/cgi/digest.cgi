#!/usr/bin/perl
# digest.cgi says what arrived: method, path, query and type of the request,
# length and SHA-256 of its body, Authorization, and of each part when it is
# multipart.  One "name: value" a line.  Run by the server of R307::Echo.
use strict;
use warnings;

use Digest::SHA ();

use constant PARTS_MAX => 4 * 1024 * 1024;  # a larger body is not taken apart

my $sha = Digest::SHA->new(256);
my ($length, $body) = (0, '');

binmode STDIN;
while (my $got = read STDIN, my $block, 65_536) {
    $sha->add($block);
    $length += $got;
    $body .= $block if $length <= PARTS_MAX;
}

sub env { return defined $ENV{ $_[0] } ? $ENV{ $_[0] } : '' }

my $type = env('CONTENT_TYPE');
my @lines = (
    'method: ' . env('REQUEST_METHOD'), 'path: ' . env('PATH_INFO'),
    'query: ' . env('QUERY_STRING'), 'protocol: ' . env('SERVER_PROTOCOL'),
    'type: ' . $type =~ s/;.*//r, "length: $length",
    'sha256: ' . $sha->hexdigest,
    'authorization: ' . env('HTTP_AUTHORIZATION'),
);

if ($type =~ m{\Amultipart/form-data;.*?boundary="?([^";]+)}i) {
    my @parts = split /(?:\A|\r\n)--\Q$1\E(?:--)?(?:\r\n|\z)/, $body;
    for my $part (@parts) {
        my ($head, $content) = split /\r\n\r\n/, $part, 2;
        next if !defined $content || $head !~ /\bname="([^"]*)"/i;
        push @lines, "part $1: " . Digest::SHA::sha256_hex($content);
    }
}

binmode STDOUT;
print "Content-Type: text/plain\r\n\r\n", map { "$_\n" } @lines;
