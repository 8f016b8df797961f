# Can a client be sent where the configuration never pointed?  Rules of every
# shape (data/open-redirect-shapes.tsv) are attacked with every trick
# (open-redirect-payloads.tsv) in every place of a request
# (open-redirect-slots.tsv), over raw connections and over HTTP/2.  Where an
# answer leads is said by the URL parser of node, which reads a URL as browsers
# do.
#
# An answer passes when it is no 5xx, has no header of the client's making, one
# Location with a 307 and none otherwise, that Location is a reference of RFC
# 3986, and its origin is one that the configuration names.
#
# All combinations are more than 800,000 requests.  Each run takes a share of
# them that is fixed by the MPM; runs with all MPMs together cover the dense
# groups of slots completely.  R307_OPEN_REDIRECT=all runs everything, which
# takes some minutes.
use strict;
use warnings;

use R307::Live;
use R307::OpenRedirect;

use constant {
    DENSE => 3,                 # one of so many, in groups that matter
    THIN  => 36,                # elsewhere
    H2    => 60,                # one of so many of the dense ones over HTTP/2
    SHOWN => 5,                 # faults shown for a shape
};

my $all   = ($ENV{R307_OPEN_REDIRECT} || '') eq 'all';
my %phase = (event => 0, worker => 1, prefork => 2);
my $phase = $phase{ R307::Env::mpm() };
my $h2    = R307::Env::mpm() ne 'prefork' && has_httpd_module('http2');

# ---- the server: one address for each shape ----

my %wrap = (
    vhost     => sub { $_[0] },
    directory => sub { "<Directory \"\@DOCROOT\@/$_[1]\">\n$_[0]\n"
                     . '</Directory>' },
    location  => sub { "<Location \"/\">\n$_[0]\n</Location>" },
    if        => sub { "<If \"true\">\n$_[0]\n</If>" },
    files     => sub { "<Files \"*\">\n$_[0]\n</Files>" },
    htaccess  => sub { '' },
);

# Configurations that do send clients astray: the judge must see it.
my @guilty = (
    { name => 'Redirect 307 to a bare host',
      config => 'Redirect 307 /d/ https://safe.example' },
    { name => 'RedirectMatch 307 behind the host',
      config => 'RedirectMatch 307 ^/d(.*)$ https://safe.example$1' },
    { name => 'RewriteRule behind the host',
      config => "RewriteEngine On\n"
              . 'RewriteRule ^/d(.*)$ https://safe.example$1 [R=307,NE]' },
    { name => 'Location with the path in it',
      config => "MergeSlashes Off\nRewriteEngine On\n"
              . 'RewriteRule ^/d/(.*)$ - [E=to:/$1]' . "\n"
              . 'Header always set Location "%{to}e" env=to' . "\n"
              . 'RedirectMatch 307 ^/d /x' },
);

sub shape_config {
    my ($shape, $i) = @_;
    my $wrapped = $wrap{ $shape->{context} }->($shape->{config}, $i);

    return <<"EOC";
Listen $shape->{address}:\@PORT\@
<VirtualHost $shape->{address}:\@PORT\@>
    ServerName own.test
    DocumentRoot "\@DOCROOT\@/$i"
    <Directory "\@DOCROOT\@/$i">
        AllowOverride FileInfo
    </Directory>
    $shape->{server}
    $wrapped
</VirtualHost>
EOC
}

sub read_tables {
    my @tables = map { [R307::Table::read_table("open-redirect-$_.tsv")] }
                 qw(shapes slots payloads);

    for my $row (map { @$_ } @tables) {
        $_ = R307::Table::unescape($_) for grep { defined } values %$row;
    }
    return @tables;
}

my ($shapes, $slots, $payloads) = read_tables();
push @$shapes, map { {
    context => 'vhost', base => '/d', origins => 'https://safe.example own',
    full => 'host', control => '/d/x', server => 'LogLevel crit', guilty => 1,
    %$_,
} } @guilty;

my $config = <<'EOC';
LogLevel warn
MaxKeepAliveRequests 0
LimitRequestLine 16384
LimitRequestFieldSize 16384
DirectorySlash Off
EOC
$config .= "Protocols h2c http/1.1\nH2Upgrade Off\n" if $h2;

my %files;
for my $i (0 .. $#$shapes) {
    my $shape = $shapes->[$i];
    if ($shape->{context} eq 'main') {
        $shape->{address} = '127.0.0.1';
        $config = "$shape->{config}\n$config";
        next;
    }
    $shape->{address} = '127.0.1.' . (1 + $i);
    $config .= shape_config($shape, $i);
    $files{"htdocs/$i/index.html"} = "index\n";
    $files{"htdocs/$i/.htaccess"} = "$shape->{config}\n"
        if $shape->{context} eq 'htaccess';
}

my $srv = server(name => 'open-redirect', files => \%files,
                 config => $config, modules => $h2 ? ['http2'] : []);
my $port = $srv->port;
my $own  = "own.test:$port";

# ---- the judge ----

my @pages = ("http://$own/page", "https://$own/page");
my @own_origins = map { s{/page\z}{}r } @pages;
my ($judge, $reason) = R307::OpenRedirect->judge(
    R307::Env::work() . '/t/lib/url-judge.mjs', @pages);
if (!$judge) {
    fail($reason);
    end_suite();
    exit 1;
}

# The judge knows the trade.
for my $case (
    ['evil.example' => '//evil.example', '/\\evil.example', '\\\\evil.example',
                       "/\t/evil.example", "\x01 //evil.example",
                       'https:///evil.example', 'http:\\\\evil.example'],
    ['goes to'      => 'https://safe.example.evil.example',
                       'https://safe.example:8443', 'http://safe.example/',
                       "https://safe.example\xe3\x80\x82evil.example",
                       'https://safe.example:99999/', 'javascript:alert(1)',
                       'https://safe.example@evil.example/',
                       'https://user@safe.example/'],
    [''             => 'https://safe.example/', '/path', 'HTTPS://SAFE.example',
                       'https://safe.example?//evil.example',
                       'https://safe.example/@evil.example'],
) {
    my ($verdict, @locations) = @$case;
    for my $location (@locations) {
        my @faults = $judge->faults_of_destination($location,
            R307::OpenRedirect::origins('https://safe.example'),
            \@own_origins);
        my $name = 'the judge on ' . printable($location);
        $verdict eq '' ? is("@faults", '', $name)
                       : like("@faults", qr/\Q$verdict\E/, $name);
    }
}

sub printable {
    my ($text) = @_;
    $text =~ s/([^\x20-\x7e])/sprintf '\\x%02x', ord $1/ge;
    return length $text > 400 ? substr($text, 0, 400) . '...' : $text;
}

# ---- requests ----

my %conn;
my %total = map { $_ => 0 } qw(requests redirects headless);

# Returns the response, 'headless' for one of HTTP/0.9, which has no Location,
# or else a reason.
sub ask {
    my ($address, $bytes) = @_;
    my $alone = R307::OpenRedirect::is_irregular($bytes);
    my $conn = $alone ? undef : delete $conn{$address};

    $conn = $srv->connect(address => $address) if !$conn || $conn->closed(0);
    $conn->send($bytes);
    $conn->shutdown_write if $alone;
    my $res = eval { $conn->response($bytes =~ /\AHEAD / ? 'HEAD' : 'GET') };
    my $error = $@;
    if (!$res) {
        $total{headless}++;
        return $conn->closed(2) ? 'headless' : "no answer: $error";
    }
    my $close = ($res->header('Connection') || '') =~ /close/i;
    $conn{$address} = $conn
        if !$alone && !$close && $res->version eq '1.1';
    return $res;
}

sub faults {
    my ($shape, $res) = @_;

    return $res eq 'headless' ? () : $res if !ref $res;
    my @faults = R307::OpenRedirect::faults_of_answer($res);
    my $location = $res->header('Location');
    push @faults, $judge->faults_of_destination($location, $shape->{allowed},
        $shape->{own} ? \@own_origins : undef) if defined $location;
    return @faults;
}

sub show_answer {
    my ($res) = @_;
    return $res if !ref $res;
    my $location = $res->header('Location');
    return printable($res->status
                     . (defined $location ? " $location" : ''));
}

sub show_request {
    my ($bytes) = @_;
    return printable(substr($bytes, 0, -4) =~ s/\r\n/ | /gr);
}

# 0: not tried now, 1: tried, 2: one of those for HTTP/2 as well.
sub is_wanted {
    my ($shape, $h, $slot, $s, $payload, $p) = @_;
    my $dense = $slot->{group} eq 'path'
             || " $shape->{full} " =~ / \Q$slot->{group}\E /;

    return 0 if $slot->{kind} ne 'both' && $payload->{kind} ne 'both'
             && $slot->{kind} ne $payload->{kind};
    return 2 if $dense && ($h + $s + $p) % H2 == $phase;
    return $all || ($h + $s + $p) % ($dense ? DENSE : THIN) == $phase ? 1 : 0;
}

sub attack {
    my ($shape, $h, $verdicts, $later) = @_;

    for my $s (0 .. $#$slots) {
        for my $p (0 .. $#$payloads) {
            my ($slot, $payload) = ($slots->[$s], $payloads->[$p]);
            my $wanted = is_wanted($shape, $h, $slot, $s, $payload, $p)
                or next;
            my $case = {
                name  => "$slot->{name}, $payload->{name}", shape => $shape,
                bytes => R307::OpenRedirect::request($slot, $payload->{raw},
                                                     $shape->{base}, $own),
            };
            verdict($verdicts, $case, ask($shape->{address}, $case->{bytes}));
            push @$later, $case if $wanted == 2 && !$shape->{guilty};
        }
    }
    delete $conn{ $shape->{address} };
    return;
}

sub verdict {
    my ($verdicts, $case, $res) = @_;
    my @faults = faults($case->{shape}, $res);

    $verdicts->{requests}++;
    $verdicts->{redirects}++ if ref $res && $res->status == 307;
    return if !@faults;
    push @{ $verdicts->{shown} }, "$case->{name}: " . join('; ', @faults),
        '    ' . show_request($case->{bytes}), '    ' . show_answer($res)
        if $verdicts->{guilty}++ < SHOWN;
    return;
}

sub new_verdicts {
    return { requests => 0, redirects => 0, guilty => 0, shown => [] };
}

for my $payload (@$payloads) {
    $payload->{raw} = R307::OpenRedirect::repeat(
        R307::OpenRedirect::fill($payload->{bytes}, own => $own));
}
for my $shape (@$shapes) {
    my @origins = split ' ', $shape->{origins};

    $shape->{own} = grep { $_ eq 'own' } @origins;
    $shape->{allowed} = R307::OpenRedirect::origins(map {
        $_ ne 'own' ? s/\@PORT\@/$port/gr
                    : map { ("http://$_", "http://$_:$port") }
                          'own.test', $shape->{address}
    } @origins);
}

sub test_control {
    my ($shape) = @_;
    my ($target, @headers) = split /\n/, $shape->{control};

    unshift @headers, "Host: $own" if !grep { /\AHost:/ } @headers;
    my $res = ask($shape->{address}, join "\r\n", "GET $target HTTP/1.1",
                                                  @headers, '', '');
    my @faults = $shape->{guilty} ? () : faults($shape, $res);
    return is(join('; ', ref $res && $res->status == 307 ? 'a redirect'
                                                : show_answer($res), @faults),
              'a redirect', "$shape->{name}: a harmless request is redirected");
}

my @over_h2;
for my $h (0 .. $#$shapes) {
    my $shape = $shapes->[$h];
    my $v = new_verdicts();

    test_control($shape);
    attack($shape, $h, $v, \@over_h2);
    my $what = "$shape->{name}: $v->{requests} requests, "
             . "$v->{redirects} redirects";
    $total{$_} += $v->{$_} for qw(requests redirects);
    if ($shape->{guilty}) {
        cmp_ok($v->{guilty}, '>', 0, "$what, $v->{guilty} are convicted");
        next;
    }
    ok(!$v->{guilty}, "$what, none astray");
    diag("$v->{guilty} astray") if $v->{guilty};
    diag("  $_") for @{ $v->{shown} };
}
cmp_ok($total{redirects}, '>', $total{requests} / 4,
       "of $total{requests} requests $total{redirects} were redirected");
cmp_ok($total{headless}, '<', $total{requests} / 50,
       "$total{headless} were no HTTP/1 requests to the server");

# ---- HTTP/2, where there is no request line ----

SKIP: {
    skip('mod_http2 does not work with this MPM', 1) if !$h2;
    my $file = $srv->root . '/run/curl.conf';
    my $text = '';
    my $v = new_verdicts();

    for my $i (0 .. $#over_h2) {
        my $case = $over_h2[$i];
        my $block = R307::OpenRedirect::curl_block($case->{bytes},
            "$case->{shape}{address}:$port", $i);
        $text .= $block if defined $block;
    }
    $text =~ s/next\n\z//;
    R307::Env::write_file($file, $text);
    my ($signal, $answers) = R307::OpenRedirect::curl($file, 60);
    is($signal, 0, 'curl came to an end');
    verdict($v, $over_h2[$_], $answers->{$_})
        for sort { $a <=> $b } keys %$answers;
    ok(!$v->{guilty}, "over HTTP/2: $v->{requests} answers, $v->{redirects} "
                    . 'redirects, none astray');
    diag("  $_") for @{ $v->{shown} };
    cmp_ok($v->{redirects}, '>', 100, 'enough of them were redirects');
}

$judge->stop;

# A computed host that is refused is a warning of ours.  The others are
# httpd's: paths with bad escapes or above the root, names too long for files,
# methods that it does not know.
end_suite(allow => ['R307-0404', 'AH10244', 'AH00036', 'AH00127',
                    'AH00135']);
