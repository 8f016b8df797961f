# The harness itself and the shared server: what every other suite relies on.
use strict;
use warnings;

use R307::Live;

my $shared = shared_server();

passes($shared->get('/'), 200, 'the shared server answers');
redirects_to($shared->get('/harness/x?y=1'), 'https://t.example/h/x?y=1',
             'and has the module under test');
redirects_to($shared->request(target => '/harness/x', version => '1.0',
                              host => ''),
             'https://t.example/h/x', 'over HTTP/1.0 without Host');

my $t = configtest("# a comment\nRedirect307 relative oops\n");
ok(!$t->ok, 'a broken configuration is refused');
like($t->message, qr/Syntax error on line 2 of \S+rules\.conf/,
     'with file and line');
ok(configtest("Redirect307 /a https://t.example\n")->ok,
   'a correct one is accepted');

# Policing must see what it is for.
my @lines = R307::Log::parse(<<'EOT');
[Sat Nov 22 14:07:00.1 2025] [redirect307:debug] [pid 1:tid 1] R307-0001: fine
[Sat Nov 22 14:07:00.1 2025] [redirect307:error] [pid 1:tid 1] R307-0002: bad
[Sat Nov 22 14:07:00.1 2025] [core:notice] [pid 1:tid 1] AH00052: child pid 7 exit signal Segmentation fault (11)
*** buffer overflow detected ***
EOT
is(scalar(R307::Log::offending(\@lines)), 3,
   'errors, dead children and foreign lines are seen');
is(scalar(R307::Log::offending(\@lines, 'R307-0002', 'AH00052')), 1,
   'named ids are allowed');

end_suite();
