# R307::Live is what a live suite loads: Test::More, the test server, case
# tables and the policing of error logs.  See t/run-live on how to add a suite.
#
#   use R307::Live;
#   my $srv = server(config => "Redirect307 /a https://example.org\n");
#   redirects_to($srv->get('/a/b'), 'https://example.org/b', 'prefix');
#   end_suite(allow => ['R307-0123']);
package R307::Live;

use strict;
use warnings;

use Exporter 'import';
use Test::More ();

use R307::Configtest ();
use R307::Env ();
use R307::Http ();
use R307::Log ();
use R307::Ports ();
use R307::Server ();
use R307::Table ();

our @EXPORT = (qw(server shared_server redirects_to passes run_table
                  configtest end_suite same_answer has_httpd_module has_ipv6
                  logged report report_in),
               qw(ok is isnt like unlike is_deeply cmp_ok pass fail diag note
                  subtest plan skip BAIL_OUT));

BEGIN { Test::More->import }

sub server        { return R307::Server->new(@_) }
sub shared_server { return R307::Server->shared }
sub configtest    { return R307::Configtest->run(@_) }
sub run_table     { return R307::Table::run_table(@_) }
sub has_httpd_module { return R307::Env::has_module(@_) }
sub has_ipv6      { return R307::Ports::has_ipv6() }

# One test: a 307 to exactly this Location, and an answer without defects.
sub redirects_to {
    my ($res, $location, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $got = $res->status . ' '
            . (defined $res->header('Location') ? $res->header('Location')
                                                : '(no Location)');
    my $defect = $res->defect;
    $got .= " [$defect]" if defined $defect;
    return is($got, "307 $location", $name);
}

# One test: this status and no Location.
sub passes {
    my ($res, $status, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $got = $res->status;
    $got .= ' ' . $res->header('Location') if defined $res->header('Location');
    return is($got, $status, $name);
}

# One test: two answers have the same status and Location.
sub same_answer {
    my ($x, $y, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is(_answer($x), _answer($y), $name);
}

# One test: nothing is wrong; what is, is told.
sub report {
    my ($name, @wrong) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Test::More::ok(!@wrong, $name);
    Test::More::diag("  $_") for @wrong;
    return;
}

# The same of a message, which is told as well.
sub report_in {
    my ($name, $message, @wrong) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return report($name, @wrong ? (@wrong, "in: $message") : ());
}

sub _answer {
    my ($res) = @_;
    my $l = $res->header('Location');
    return $res->status . (defined $l ? " $l" : '');
}

# One test: since the log's mark a line matches.
sub logged {
    my ($srv, $re, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $line = $srv->log->wait_for($re);
    return pass($name) if $line;
    fail($name);
    diag("no line matches $re in:");
    diag("  $_->{text}") for $srv->log->since;
    return 0;
}

# The last line of every suite.  Polices the log of every server the suite
# used, one test each: a line at warn or above fails, unless its id (or a
# regular expression for it) is in allow.  Ids that a case table expects are
# allowed without being named here.  allow_in => { server name => [...] } allows
# more for one server.
sub end_suite {
    my (%arg) = @_;
    my @allow = (@{ $arg{allow} || [] }, R307::Table::expected_ids());

    for my $srv (R307::Server::servers()) {
        $srv->stop;
        my @lines = $srv->log_lines;
        my $more = ($arg{allow_in} || {})->{ $srv->name } || [];
        my @bad = R307::Log::offending(\@lines, @allow, @$more);
        ok(!@bad, 'log of ' . $srv->name . ' holds only what was expected');
        my $n = 0;
        for my $l (@bad) {
            diag("unexpected: $l->{text}") if $n++ < 10;
        }
        ok(!$srv->{killed}, $srv->name . ' stopped in time');
    }
    Test::More::done_testing();
    return;
}

1;
