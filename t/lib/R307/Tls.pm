# R307::Tls gives a test server a second port that speaks TLS, and HTTP/2 if it
# can, with a key that nobody else has.  Called by suites whose clients do not
# speak HTTP/2 otherwise.
package R307::Tls;

use strict;
use warnings;

use R307::Echo ();
use R307::Env ();

# Modules that listen() needs.
sub modules { return qw(ssl http2) }

# True when this httpd can.  mod_http2 does not work with prefork.
sub is_there {
    return R307::Env::mpm() ne 'prefork'
        && !grep { !R307::Env::has_module($_) } modules();
}

# Configuration: a virtual host on the second port of the server.  Rules of the
# main server hold there as well.  logs/secure has "protocol method status".
sub listen {
    my $pem = R307::Env::scratch('tls') . '/server';
    my ($code) = R307::Echo::run(qw(openssl req -x509 -newkey rsa:2048 -nodes
        -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1),
        '-keyout', "$pem.key", '-out', "$pem.crt");

    die "openssl makes no certificate (package openssl)\n" if $code != 0;
    return <<"EOC";
Listen 127.0.0.1:\@PORT2\@
LogLevel ssl:error
<VirtualHost 127.0.0.1:\@PORT2\@>
    Protocols h2 http/1.1
    CustomLog "\@ROOT\@/logs/secure" "%H %m %>s"
    SSLEngine On
    SSLCertificateFile "$pem.crt"
    SSLCertificateKeyFile "$pem.key"
    <IfModule rewrite_module>
        RewriteEngine On
        RewriteOptions Inherit
    </IfModule>
</VirtualHost>
EOC
}

# What was asked there so far.
sub seen {
    my ($srv) = @_;
    open my $fh, '<', $srv->root . '/logs/secure' or return;
    chomp(my @lines = <$fh>);
    return @lines;
}

1;
