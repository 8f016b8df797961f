# Redirect307CORS: redirects that browsers follow from pages of other origins,
# and preflights, which are answered or left to the application, but never
# redirected.  The cases are in data/cors.tsv.
use strict;
use warnings;

use R307::Live;
use R307::Echo;

run_table('cors.tsv',
          contexts => [qw(vhost location if directory files htaccess)]);

end_suite();
