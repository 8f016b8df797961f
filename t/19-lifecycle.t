# Restarts, many requests, many at once: rules survive what a server goes
# through, and nothing is shared by accident.
use strict;
use warnings;

use POSIX qw(_exit);
use Time::HiRes qw(sleep time);

use R307::Live;

my $srv = server(name => 'lifecycle', files => {
        'htdocs/ht/.htaccess' => "Redirect307Match ^/ht/(.*)\$ "
                               . "https://t.example/\$1 name=ht\n",
        'htdocs/ht/x.html' => "x\n",
    }, config => <<'EOC');
Redirect307Match ^/m/(?<what>.*)$ https://t.example/$<what>?q=$1
Redirect307 /file https://t.example/before
<Directory "@DOCROOT@/ht">
    AllowOverride FileInfo
</Directory>
EOC
my $conf = $srv->root . '/httpd.conf';

sub change_config {
    my ($from, $to) = @_;
    open my $in, '<', $conf or die "$conf: $!\n";
    local $/;
    my $text = <$in>;
    $text =~ s/\Q$from\E/$to/ or die "'$from' is not in $conf\n";
    R307::Env::write_file($conf, $text);
    return;
}

# The Location of /file, once it is the wanted one or time is up.
sub eventually {
    my ($want) = @_;
    my $deadline = time + 20;
    my $got = '(none)';
    while (time < $deadline) {
        my $res = eval { $srv->get('/file') };
        $got = $res->header('Location') || '(none)' if $res;
        return $got if $got eq $want;
        sleep 0.05;
    }
    return $got;
}

redirects_to($srv->get('/file'), 'https://t.example/before', 'at first');
for my $signal ('USR1', 'HUP') {
    change_config($signal eq 'USR1' ? '/before' : '/after-USR1',
                  "/after-$signal");
    kill $signal, $srv->pid;
    is(eventually("https://t.example/after-$signal"),
       "https://t.example/after-$signal", "after $signal");
}

# Every child and thread at once, each answer its own.
my @children;
for my $n (1 .. 8) {
    my $pid = fork;
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        my $bad = 0;
        for my $i (1 .. 40) {
            my ($target, $want) = $i % 2
                ? ("/m/$n%20$i", "https://t.example/$n%20$i?q=$n%20$i")
                : ("/ht/$n-$i",  "https://t.example/$n-$i");
            my $res = eval { $srv->get($target) };
            $bad++ if !$res || ($res->header('Location') || '') ne $want;
        }
        _exit($bad ? 1 : 0);
    }
    push @children, $pid;
}
my $bad = 0;
for my $pid (@children) {
    waitpid $pid, 0;
    $bad++ if $?;
}
is($bad, 0, '320 requests at once, each gets its own answer');

end_suite();
