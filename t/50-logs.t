# What is logged and noted: one line for each decision, reasons for near misses
# at trace level, notes and REDIRECT307_RULE for LogFormat and later
# directives; and every id that the sources use is in docs/messages.md.
use strict;
use warnings;

use R307::Live;

my $srv = server(name => 'logs', modules => ['log_debug'], files => {
        'htdocs/sub/.htaccess' => "Redirect307 /sub/h https://t.example/h\n",
        'htdocs/sub/x.html' => "x\n",
    }, config => <<'EOC');
LogFormat "%{Host}i|%r|%>s|%{redirect307-rule}n|%{redirect307-target}n|%{REDIRECT307_RULE}e" facts
CustomLog "@ROOT@/logs/facts" facts
CustomLog "@ROOT@/logs/redirected" "%U" env=REDIRECT307_RULE
Redirect307 /main https://t.example/main
<VirtualHost *:@PORT@>
    ServerName l.test
    Redirect307 /named https://t.example/n name=shop.move-1
    Redirect307 /plain https://t.example/p
    Redirect307 /stop - name=stopped
    Redirect307 /near https://t.example/1 name=near-method methods=POST
    Redirect307 /near https://t.example/2 name=near-host host=other.test
    Redirect307 /near https://t.example/3 name=near-from from=2999-01-01T00:00:00Z
    Redirect307 /near https://t.example/4 name=near-until until=2000-01-01T00:00:00Z
    Redirect307 /near https://t.example/5 name=near-expr "expr=-n %{HTTP:X-A}"
    Redirect307 /near http://l.test:@PORT@/near name=near-self
    Redirect307 /near https://t.example/7 name=taken
    Redirect307 /header https://t.example/h name=headed
    Header always set X-Rule "%{REDIRECT307_RULE}e" env=REDIRECT307_RULE
    <Directory "@DOCROOT@">
        AllowOverride FileInfo
    </Directory>
</VirtualHost>
EOC
my $conf = $srv->root . '/httpd.conf';
my $host = 'l.test:' . $srv->port;

# Line number of the first line of the configuration that matches.
sub line_of {
    my ($file, $re) = @_;
    open my $fh, '<', $file or die "$file: $!\n";
    while (<$fh>) {
        return $. if /$re/;
    }
    die "$file: nothing matches $re\n";
}

sub get {
    my ($target, @headers) = @_;
    $srv->log->mark;
    return $srv->request(target => $target, host => $host,
                         headers => \@headers);
}

# The last line of an access log, once there are $n of them.
sub fact {
    my ($n, $name) = @_;
    for (1 .. 150) {
        if (open my $fh, '<', $srv->root . "/logs/$name") {
            my @lines = <$fh>;
            if (@lines >= $n) {
                chomp @lines;
                return $lines[$n - 1];
            }
        }
        select undef, undef, undef, 0.02;
    }
    return '(no line)';
}

sub messages {
    return grep { $_->{module} eq 'redirect307' } $srv->log->since;
}

# ---- decisions ----
redirects_to(get('/named/x?y'), 'https://t.example/n/x?y', 'a named rule');
my @m = messages();
is(scalar(@m), 1, 'one line for a decision');
is($m[0]{level}, 'debug', 'at debug');
like($m[0]{message}, qr{R307-0401: rule shop\.move-1 sends GET /named/x to https://t\.example/n/x\?y},
     'names rule, request and Location');
is(fact(1, 'facts'), "$host|GET /named/x?y HTTP/1.1|307|shop.move-1|"
 . 'https://t.example/n/x?y|shop.move-1', 'notes and variable in LogFormat');

my $label = "$conf:" . line_of($conf, qr{Redirect307 /plain});
redirects_to(get('/plain'), 'https://t.example/p', 'a rule without a name');
like(($srv->log->since)[-1]{message}, qr{R307-0401: rule \Q$label\E sends},
     'is called by file and line');
is(fact(2, 'facts'), "$host|GET /plain HTTP/1.1|307|$label|"
 . "https://t.example/p|$label", 'also in notes and variable');

redirects_to(get('/main'), 'https://t.example/main', 'a rule of the main server');
$label = "$conf:" . line_of($conf, qr{Redirect307 /main});
like(fact(3, 'facts'), qr{\|\Q$label\E\|}, 'keeps its file and line');

redirects_to(get('/sub/h'), 'https://t.example/h', 'a rule in .htaccess');
like(fact(4, 'facts'), qr{/sub/\.htaccess:1\|https://t\.example/h\|},
     'is called by that file and line');

passes(get('/stop'), 404, 'a stop rule');
like(($srv->log->since)[-1]{message}, qr{R307-0402: rule stopped lets GET /stop pass},
     'is a decision with a line');
like(fact(5, 'facts'), qr{\|404\|stopped\|-\|stopped\z}, 'and with a note');

passes(get('/'), 200, 'a request without a rule');
is(scalar(messages()), 0, 'leaves no line');
like(fact(6, 'facts'), qr{\|200\|-\|-\|-\z}, 'and no note');

my $res = get('/header');
is($res->header('X-Rule'), 'headed', 'the variable is there for Header always');
is(fact(6, 'redirected'), '/header', 'and for CustomLog env=');

# ---- near misses ----
redirects_to(get('/near'), 'https://t.example/7', 'the seventh rule applies');
@m = messages();
is(scalar(grep { $_->{level} eq 'debug' } @m), 1, 'one decision line again');
for my $miss (['near-method', 'trace\d', 'methods='],
              ['near-host',   'trace\d', 'host='],
              ['near-from',   'trace\d', 'from='],
              ['near-until',  'trace\d', 'until='],
              ['near-expr',   'trace\d', 'expr='],
              ['near-self',   'info',    'itself']) {
    my ($rule, $level, $word) = @$miss;
    my ($line) = grep { $_->{message} =~ /rule $rule\b/ } @m;
    ok($line && $line->{level} =~ /\A$level\z/
       && $line->{message} =~ /R307-\d{4}: .*$word/,
       "$rule: the reason is logged at $level") || diag($line && $line->{text});
}

# ---- what the client sent can not write lines of its own ----
get('/named/a%0a[core:emerg]%20b%1b[31m');
ok(!(grep { $_->{text} !~ /\A\[/ || $_->{level} eq 'emerg' } $srv->log->since),
   'a newline in the path does not begin a log line');
unlike($srv->log->text, qr/\x1b/, 'nor does an escape byte reach the log');

# ---- messages.md ----
SKIP: {
    my $doc = "$ENV{R307_TOP}/docs/messages.md";
    skip('docs/messages.md is not there', 4) if !-e $doc;
    my (%used, %documented);
    for my $file (glob "$ENV{R307_TOP}/src/*/*.c") {
        open my $fh, '<', $file or die "$file: $!\n";
        while (<$fh>) {
            $used{$1}++ while /"(R307-\d{4}):/g;
        }
    }
    open my $fh, '<', $doc or die "$doc: $!\n";
    while (<$fh>) {
        $documented{$1} = 1 while /(R307-\d{4})/g;
    }
    cmp_ok(scalar(keys %used), '>', 20, 'the sources use ids');
    is_deeply([grep { !$documented{$_} } sort keys %used], [],
              'every id of the sources is in docs/messages.md');
    is_deeply([grep { !$used{$_} } sort keys %documented], [],
              'docs/messages.md lists no id that the sources do not use');
    is_deeply([grep { $used{$_} > 1 } sort keys %used], [],
              'no id is used at two places');
}

end_suite();
