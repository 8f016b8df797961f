# A browser asks before it calls an API of another origin. When the backend is
# down, that question is answered, so that the call can be sent on: by the rules
# of Redirect307OnError, to the origins of Redirect307CORS.
use strict;
use warnings;

use R307::Live;

my $closed = R307::Ports::take();
my $allow = 'Redirect307CORS https://a.example';
my $fails = 'Redirect307OnError 503 https://t.example';

# Paths, and what stands in their section; all but "missing" are proxied.
my %section = (
    down    => "$allow\nRedirect307CORS https://c.example credentials\n$fails",
    page    => "$allow\n$fails\nErrorDocument 503 /sorry.html",
    bare    => $fails,
    missing => "$allow\nRedirect307OnError 404 https://t.example",
    other   => "$allow\nRedirect307OnError 502 https://t.example",
    writes  => "$allow\n$fails methods=PUT",
    dry     => "$allow\n$fails\nRedirect307Engine DryRun",
    headers => "$allow\n$fails\n"
             . 'Header always set Access-Control-Allow-Origin https://a.example',
);
my $srv = server(files => { 'htdocs/sorry.html' => "sorry\n" },
    config => join '', map { <<"EOC" } sort keys %section);
@{[ $_ eq 'missing' ? '' : "ProxyPass /$_ http://127.0.0.1:$closed retry=0" ]}
<Location "/$_">
$section{$_}
</Location>
EOC

# What the answer has, as the table names it; "?" is a field that is wrong.
sub seen {
    my ($res, $from, $asked) = @_;
    my @allow = map { [$res->headers("Access-Control-Allow-$_")] }
                qw(Origin Credentials Methods Headers);
    my @want = ("https://$from.example", 'true', $asked, 'x-key');
    my @out;

    for my $name (qw(A C M H)) {
        my ($got, $want) = (shift @allow, shift @want);
        next if !@$got;
        push @out, "@$got" eq $want ? $name : "?$name @$got";
    }
    push @out, 'L' if defined $res->header('Location');
    push @out, 'T' if length $res->body;
    return join ' ', @out;
}

sub try_row {
    my ($name, $request, $from, $status, $fields, $log) = @_;
    my ($method, $target) = split / /, $request;
    my $asked = $method =~ s/\Apre:// ? $method : '';
    my @headers = $from eq 'none' ? () : ("Origin: https://$from.example");

    if ($asked) {
        $method = 'OPTIONS';
        push @headers, "Access-Control-Request-Method: $asked",
                       'Access-Control-Request-Headers: x-key';
    }
    $srv->log->mark;
    my $res = $srv->request(method => $method, target => $target,
                            headers => \@headers);
    is($res->status . ' ' . seen($res, $from, $asked), "$status $fields", $name);
    is($res->defect, undef, "$name: nothing wrong with it");
    like($res->header('Vary') || '', qr/\bOrigin\b/, "$name: it varies")
        if $status =~ /^204|^307/ && $target !~ m{^/(?:bare|headers)/};
    if ($log eq '-') {
        is(join(' ', grep { /R307-04[23]/ } map { $_->{id} } $srv->log->since),
           '', "$name: nothing is logged");
    }
    else {
        logged($srv, qr/\b$log: /, "$name: $log");
    }
    return;
}

open my $table, '<', R307::Env::work() . '/t/data/cors-onerror.tsv'
    or die "cors-onerror.tsv: $!\n";
my $rows = 0;
while (my $line = <$table>) {
    next if $line =~ /\A(?:#|\s*\z)/;
    chomp $line;
    try_row(split /\t/, $line);
    $rows++;
}
cmp_ok($rows, '>=', 15, 'there were enough cases');

# What mod_proxy says of the backend that refuses.
end_suite(allow => [qw(AH00957 AH01114 AH01146)]);
