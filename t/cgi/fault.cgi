#!/usr/bin/perl
# fault.cgi fails in the way that the path behind it names; "read" before it
# takes the whole body first.  Run by t/97-onerror.t.
use strict;
use warnings;

$| = 1;
my $what = $ENV{PATH_INFO} || '';
if ($what =~ s{\A/read\b}{}) {
    1 while read STDIN, my $block, 65_536;
}
if ($what =~ m{\A/(\d+)\z}) {
    print "Status: $1 Fault\r\nRetry-After: 99\r\nETag: \"c\"\r\n",
          "WWW-Authenticate: Basic realm=\"x\"\r\n",
          "Cache-Control: max-age=600\r\nExpires: 0\r\nSet-Cookie: c=1\r\n",
          "X-Fault: yes\r\nContent-Type: text/plain\r\n\r\nsorry\n";
}
elsif ($what eq '/crash') {
    kill 'KILL', $$;
}
else {
    print "Content-Type: text/plain\r\n\r\n$ENV{REQUEST_METHOD}\n";
}
