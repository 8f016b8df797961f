# Every rule option, in server-side and per-directory contexts.  The cases are
# in data/live-options.tsv; what depends on the clock is here.
use strict;
use warnings;

use POSIX qw(strftime);

use R307::Live;

run_table('live-options.tsv', contexts => [qw(vhost directory htaccess)]);

sub at {
    my ($offset) = @_;
    return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + $offset));
}

my ($soon, $later) = (at(2), at(60));
my $srv = server(name => 'clock', config => <<"EOC");
Redirect307 /cached https://t.example/c cache=3600 until=$later
Redirect307 /short  https://t.example/s until=$soon
Redirect307 /coming https://t.example/k from=$soon
EOC

my $cc = $srv->get('/cached')->header('Cache-Control') || '';
my ($age) = $cc =~ /\Amax-age=(\d+)\z/;
ok(defined $age && $age > 30 && $age <= 60,
   "cache= never reaches beyond until= ($cc)");

my @before = map { $srv->get($_)->status } qw(/short /coming);
select undef, undef, undef, 3.1;
my @after = map { $srv->get($_)->status } qw(/short /coming);
is("@before", '307 404', 'before the moment');
is("@after", '404 307', 'after the moment: rules start and stop while serving');

end_suite();
