# R307::Server starts an httpd of its own for one test: any configuration, any
# LoadModule order, free loopback ports, a private ServerRoot.  It waits until
# the server answers, gives access to its error log, and stops it by process
# id.  Every wait is bounded.
#
#   my $srv = R307::Server->new(
#       config => "Redirect307 /a https://example.org\n",
#       load   => 'last',                 # or 'first': the LoadModule order
#       files  => { 'htdocs/d/.htaccess' => "..." });
#   my $res = $srv->get('/a/b', 'X-Test: 1');
#   $srv->stop;
#
# In config and files @PORT@, @PORT2@ (two free ports; only the first is
# listened on unless the text says Listen), @ROOT@ (the private directory) and
# @DOCROOT@ (htdocs in it) are replaced.
package R307::Server;

use strict;
use warnings;

use POSIX qw(WNOHANG _exit setpgid);
use Time::HiRes qw(sleep time);

use R307::Env ();
use R307::Http ();
use R307::Log ();
use R307::Ports ();

my @started;            # every server this process started, for END

# All servers of this test, started or shared, for the policing of their logs.
sub servers { return @started }

sub new {
    my ($class, %arg) = @_;
    my $self = bless { owner => $$, name => $arg{name} || 'server' }, $class;
    my $error = $self->_try(%arg);

    die $error if $error;
    return $self;
}

# As new(), but gives (undef, text) when the server does not start.
sub try_new {
    my ($class, %arg) = @_;
    my $self = bless { owner => $$, name => $arg{name} || 'server' }, $class;
    my $error = $self->_try(%arg);

    return $error ? (undef, $error) : ($self, '');
}

# The server that t/TEST started for all suites.
sub shared {
    my ($class) = @_;
    my $root = R307::Env::work() . '/t';
    my $self = bless {
        owner => 0, name => 'shared', port => $ENV{R307_SHARED_PORT},
        root => $root, log => R307::Log->new("$root/logs/error_log"),
    }, $class;

    $self->{log}->mark;
    $self->{start} = $self->{log}{mark};
    push @started, $self;
    return $self;
}

sub port    { $_[0]{port} }
sub port2   { $_[0]{port2} }
sub root    { $_[0]{root} }
sub docroot { $_[0]{docroot} || "$_[0]{root}/htdocs" }
sub log     { $_[0]{log} }
sub name    { $_[0]{name} }
sub pid     { $_[0]{pid} }

# Log lines of this test, from its first request on.
sub log_lines {
    my ($self) = @_;
    return R307::Log::parse($self->{log}->text($self->{start} || 0));
}

sub _try {
    my ($self, %arg) = @_;
    my $root = R307::Env::scratch($self->{name});

    $self->{root} = $root;
    for (1 .. 5) {
        $self->{port}  = R307::Ports::take();
        $self->{port2} = R307::Ports::take();
        my $conf = $self->_write(%arg);
        my $error = $self->_spawn($conf);
        if (!$error) {
            push @started, $self;
            return '';
        }
        return $error if $error !~ /Address already in use/;
    }
    return "no free port for $self->{name}\n";
}

sub _vars {
    my ($self) = @_;
    return (PORT => $self->{port}, PORT2 => $self->{port2},
            ROOT => $self->{root}, DOCROOT => $self->docroot,
            WORK => R307::Env::work());
}

# The complete text of a configuration file.
sub config_text {
    my ($self, %arg) = @_;
    my @modules = R307::Env::common_modules();

    @modules = (@modules, @{ $arg{modules} }) if $arg{modules};
    my $load = $arg{load} || 'last';
    if (ref $load) {
        @modules = @$load;
    }
    elsif ($load eq 'first') {
        @modules = ('mpm', 'redirect307', grep { $_ ne 'mpm' } @modules);
    }
    elsif ($load eq 'last') {
        push @modules, 'redirect307';
    }
    my $listen = "Listen 127.0.0.1:$self->{port}\n";
    $listen .= "Listen [::1]:$self->{port}\n" if R307::Ports::has_ipv6();

    return R307::Env::load_modules(@modules)
         . R307::Env::process_config()
         . $listen . <<"EOC" . ($arg{config} || '') . "\n";
ServerRoot "$self->{root}"
DefaultRuntimeDir "$self->{root}/run"
PidFile "$self->{root}/run/httpd.pid"
ErrorLog "$self->{root}/logs/error_log"
LogLevel warn redirect307:trace8
CoreDumpDirectory "$self->{root}/run"
ServerName localhost
DocumentRoot "@{[ $self->docroot ]}"
TypesConfig /dev/null
AddType text/html .html
Timeout 20
KeepAliveTimeout 5
GracefulShutdownTimeout 2
<Directory "/">
    Require all granted
    AllowOverride None
</Directory>
EOC
}

sub _write {
    my ($self, %arg) = @_;
    my $root = $self->{root};
    my $conf = "$root/httpd.conf";

    for my $dir (qw(run logs htdocs)) {
        mkdir "$root/$dir";
    }
    R307::Env::write_file("$root/htdocs/index.html", "index\n")
        if !$arg{files} || !exists $arg{files}{'htdocs/index.html'};
    my %file = %{ $arg{files} || {} };
    for my $path (keys %file) {
        R307::Env::write_file("$root/$path",
                              R307::Env::expand($file{$path}, $self->_vars));
    }
    my $text = $self->config_text(%arg);
    R307::Env::write_file($conf, R307::Env::expand($text, $self->_vars));
    return $conf;
}

sub _spawn {
    my ($self, $conf) = @_;
    my $out = "$self->{root}/run/output";
    my $pid = fork;

    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        setpgid(0, 0);
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', $out;
        open STDERR, '>&', \*STDOUT;
        my @cmd = (R307::Env::httpd(), '-DFOREGROUND', '-d', $self->{root},
                   '-f', $conf);
        exec {$cmd[0]} @cmd or _exit(127);
    }
    $self->{pid} = $pid;
    $self->{log} = R307::Log->new("$self->{root}/logs/error_log");

    my $deadline = time + ($ENV{R307_SLOW} ? 90 : 30);
    while (time < $deadline) {
        if (waitpid($pid, WNOHANG) == $pid) {
            delete $self->{pid};
            return "httpd did not start: " . $self->output . "\n";
        }
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                      PeerPort => $self->{port},
                                      Proto => 'tcp', Timeout => 2);
        if ($s && -s "$self->{root}/run/httpd.pid") {
            return '';
        }
        sleep 0.02;
    }
    $self->stop;
    return "httpd did not answer in time: " . $self->output . "\n";
}

# What httpd wrote to stdout, stderr and, before it could serve, to its log.
sub output {
    my ($self) = @_;
    my $text = '';
    for my $file ("$self->{root}/run/output",
                  "$self->{root}/logs/error_log") {
        open my $fh, '<', $file or next;
        local $/;
        my $part = <$fh>;
        $text .= $part if defined $part;
    }
    return $text;
}

# Stops the server by its process id; its process group is killed only when it
# does not obey in time.
sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid};
    return if !$pid || $self->{owner} != $$;

    local ($?, $!);
    # MPM event closes the sockets of its threads as they are: one that has
    # just answered may be through with its own, and the child crashes.
    sleep 0.05;
    kill 'TERM', $pid;
    my $deadline = time + 15;
    while (time < $deadline) {
        return if waitpid($pid, WNOHANG) == $pid;
        sleep 0.02;
    }
    $self->{killed} = 1;
    kill 'KILL', -$pid;
    waitpid $pid, 0;
    return;
}

# As it was before it was stopped.
sub start_again {
    my ($self) = @_;
    my $error = $self->_spawn("$self->{root}/httpd.conf");

    die $error if $error;
    return;
}

sub restart_gracefully {
    my ($self) = @_;
    kill 'USR1', $self->{pid};
    return;
}

sub DESTROY { $_[0]->stop }
END { $_->stop for @started }

for my $sig (qw(INT TERM HUP)) {
    $SIG{$sig} = sub { exit 1 };
}

# ---- requests -------------------------------------------------------------

sub connect {
    my ($self, %arg) = @_;
    return R307::Http->connect(port => $self->{port}, %arg);
}

# One request on a connection of its own.  Named arguments:
#   method, target, version    as they stand in the request line
#   headers    list of "Name: value"; Host is added unless one is there
#   host       the Host value (default localhost:PORT); '' for none
#   body       adds Content-Length
#   keepalive  do not add "Connection: close"
sub request {
    my ($self, %arg) = @_;
    my $conn = $self->connect(
        $arg{address} ? (address => $arg{address}) : ());
    my $method = $arg{method} || 'GET';

    $conn->send($self->bytes(%arg));
    my $res = $conn->response($method);
    $conn->close;
    return $res;
}

sub bytes {
    my ($self, %arg) = @_;
    my $method  = $arg{method} || 'GET';
    my $version = $arg{version} || '1.1';
    my @headers = @{ $arg{headers} || [] };

    if (!grep { /\Ahost:/i } @headers) {
        my $host = defined $arg{host} ? $arg{host}
                                      : "localhost:$self->{port}";
        unshift @headers, "Host: $host" if length $host;
    }
    push @headers, 'Content-Length: ' . length $arg{body}
        if defined $arg{body};
    push @headers, 'Connection: close' if !$arg{keepalive};
    return join("\r\n", "$method $arg{target} HTTP/$version", @headers)
         . "\r\n\r\n" . (defined $arg{body} ? $arg{body} : '');
}

sub get {
    my ($self, $target, @headers) = @_;
    return $self->request(target => $target, headers => \@headers);
}

1;
