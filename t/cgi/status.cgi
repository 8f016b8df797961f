#!/usr/bin/perl
# status.cgi answers as its path says: /302 or any other status, with a page of
# its own that names the status, as frameworks do; /302/bare without Location;
# /302/cached with a time to keep it; /location with Location alone, so that
# httpd makes the answer.  Run by the servers of t/72-upgrade.t.
use strict;
use warnings;

binmode STDIN;
1 while read STDIN, my $block, 65_536;

my ($status, $form) = ($ENV{PATH_INFO} || '') =~ m{\A/(\d+)(?:/(\w+))?\z};
$form = '' if !defined $form;

if (!defined $status) {
    print "Location: https://t.example/cgi\r\n\r\n";
    exit 0;
}
print "Status: $status As It Says\r\n", "ETag: \"of-the-page\"\r\n";
print "Location: https://t.example/cgi\r\n" if $form ne 'bare';
print "Cache-Control: max-age=60\r\n" if $form eq 'cached';
print "Content-Type: text/html\r\n\r\n";
print "<title>302 Found</title><h1>Found</h1> 301 Moved Permanently\n" x 4
    if $status != 304;
