# Vary: every request field that could have changed the choice, on the redirect
# and on the pass-through answer of the same URL, once each.
use strict;
use warnings;

use R307::Live;

run_table('live-vary.tsv', contexts => [qw(vhost location directory htaccess)]);

end_suite();
