# Targets that are more than a URL: "-", expressions, computed hosts with
# Redirect307AllowTo, path-only targets with Redirect307Relative.
use strict;
use warnings;

use R307::Live;

run_table('live-targets.tsv',
          contexts => [qw(vhost directory location if files htaccess)]);

end_suite();
