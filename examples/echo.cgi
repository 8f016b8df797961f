#!/usr/bin/perl
# echo.cgi answers with what it was sent: method, URL, headers and body.
use strict;
use warnings;

use constant SHOWN => 64 * 1024;        # bytes of the body that are shown

my ($body, $total) = ('', 0);
binmode STDIN;
while (my $got = read STDIN, my $block, 65_536) {
    $total += $got;
    $body .= substr $block, 0, SHOWN - length $body if length $body < SHOWN;
}

my %header = map {
    my $name = join '-', map { ucfirst lc } split /_/, s/^HTTP_//r;
    ($name => $ENV{$_});
} grep { /^(?:HTTP_|CONTENT_(?:TYPE|LENGTH)$)/ && length $ENV{$_} } keys %ENV;

binmode STDOUT;
print "Content-Type: text/plain\r\nX-Content-Type-Options: nosniff\r\n\r\n";
print "method: $ENV{REQUEST_METHOD}\n";
print "url: $ENV{REQUEST_URI}\n";
print "header: $_: $header{$_}\n" for sort keys %header;
print "body bytes: $total\n";
print "body: $body\n" if length $body;
