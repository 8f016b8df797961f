# R307::Fleet is a PostgreSQL store, servers that follow it, writers at work,
# and a model of what the servers should answer.  Called by the suites of
# fleets (t/94-fleet.t, t/94-replica.t), which say what befalls them.
#
#   my $fleet = R307::Fleet->new;
#   $fleet->start($_) for qw(one two);
#   $fleet->history(3);                 # three writers for a while
#   $fleet->quiet('a history');         # one test: all answer as the model
package R307::Fleet;

use strict;
use warnings;

use JSON::PP ();
use Test::More ();
use Time::HiRes qw(sleep time);

use R307::Env ();
use R307::Load ();
use R307::Postgres ();
use R307::RuleModel ();
use R307::RuleWriter ();
use R307::Server ();
use R307::Sqlite ();
use R307::Status ();
use R307::Tables ();
use R307::Tool ();

use constant {
    REFRESH => 1,
    RULESET => 'shop',
    WORD    => 'reads only',
};

# Seconds: after a change; after an outage, when a server asks less often.
use constant SOON  => REFRESH + 1 + ($ENV{R307_SLOW} ? 30 : 3);
use constant LATER => $ENV{R307_SLOW} ? 120 : 20;

# A rule that nobody changes.
use constant STABLE => '/stable/x';
use constant STABLE_ANSWER => '307 https://t.example/stable/x';

my $json = JSON::PP->new->canonical;

# Why there can be no fleet on this machine: packages that are missing, or an
# httpd without the modules.
sub missing {
    return (R307::Load::missing(), R307::Postgres::missing(),
            R307::Sqlite::has_driver('pgsql') ? () : 'libaprutil1-dbd-pgsql');
}
sub has_modules {
    return !grep { !R307::Env::has_module($_) } qw(dbd watchdog);
}

# R307_FLEET_SEED repeats what writers do, but not when.
sub new {
    my ($class) = @_;
    my $seed = $ENV{R307_FLEET_SEED} || int rand 1_000_000;
    my $self = bless {
        began => time, seed => $seed, writers => 0, servers => [], load => {},
        pg    => R307::Postgres->new,
        model => R307::RuleModel->new(ruleset => RULESET),
    }, $class;

    Test::More::note("R307_FLEET_SEED=$seed");
    srand $seed;
    $self->_make_store;
    $self->believe;
    return $self;
}

# Servers may read what they need, and writers write rules.
sub _make_store {
    my ($self) = @_;
    my $pg = $self->{pg};

    $pg->sql('', file => "$ENV{R307_TOP}/share/redirect307-postgresql.sql");
    $pg->sql(<<"EOC");
CREATE ROLE reader LOGIN PASSWORD '@{[ WORD ]}';
GRANT SELECT ON redirect307_store, redirect307_row, redirect307_follow
    TO reader;
CREATE ROLE writer LOGIN;
CREATE ROLE roller LOGIN;
GRANT SELECT, INSERT, UPDATE, DELETE ON redirect307_rule TO writer, roller;
GRANT SELECT ON redirect307_change, redirect307_store TO writer, roller;
INSERT INTO redirect307_rule (ruleset, path, target)
    VALUES ('@{[ RULESET ]}', '/stable', 'https://t.example/stable');
EOC
    return;
}

sub pg      { return $_[0]{pg} }
sub model   { return $_[0]{model} }
sub servers { return @{ $_[0]{servers} } }
sub server  { my ($self, $n) = @_; return $self->{servers}[$n] }

# The database that is written from now on.
sub set_pg { my ($self, $pg) = @_; $self->{pg} = $pg; return }

sub lap {
    my ($self, $text) = @_;
    Test::More::note(sprintf '%5.1f s: %s', time - $self->{began}, $text);
    return;
}

# ---- the database and its model ----

sub last_seq {
    my ($self) = @_;
    return scalar $self->{pg}->sql('SELECT max(seq) FROM redirect307_change');
}

# id => row, as they are in the database.
sub rows {
    my ($self) = @_;
    return { map { my $row = $json->decode($_); ($row->{id} => $row) }
             $self->{pg}->sql('SELECT row_to_json(r) FROM redirect307_rule r'
                              . " WHERE path NOT LIKE '/bulk/%'") };
}

# What it is not known to have committed, the model takes from the database.
sub believe {
    my ($self) = @_;
    $self->{model}->replay($self->last_seq, ['all', $self->rows]);
    return;
}

# What writers noted is what the database has: so much for the model.
sub model_is_right {
    my ($self, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @columns = qw(id ruleset host kind path target options enabled);
    my ($got, $want) = map {
        my $rows = $_;
        join "\n", map { my $r = $rows->{$_}; join '|', @$r{@columns} }
                   sort { $a <=> $b } keys %$rows
    } $self->rows, $self->{model}->rows;

    return Test::More::is($got, $want,
                          "$name: the model has the rows of the database");
}

# ---- writers ----

# Starts some.
sub writers {
    my ($self, $n, %arg) = @_;
    return map {
        R307::RuleWriter->start($self->{pg}, seconds => 2, user => 'writer',
                                ruleset => RULESET,
                                seed => $self->{seed} + ++$self->{writers},
                                %arg)
    } 1 .. $n;
}

# Waits for them, and replays what they did.  also: transactions of others.
sub replay {
    my ($self, $writers, @also) = @_;

    $_->wait for @$writers;
    my @done = sort { $a->[0] <=> $b->[0] }
               R307::RuleWriter::committed(@$writers), @also;
    $self->{model}->replay(@$_) for @done;
    Test::More::note(scalar(@done) . ' transactions');
    return;
}

sub history {
    my ($self, $n, %arg) = @_;
    $self->replay([$self->writers($n, %arg)]);
    return;
}

# Of a store that went back: others write until it has more changes than that.
sub write_past {
    my ($self, $seq) = @_;
    for (1 .. 50) {
        last if $self->last_seq > $seq;
        $_->wait for $self->writers(3, seconds => 1);
    }
    $self->believe;
    return;
}

# One test: redirect307 sql succeeds.
sub tool {
    my ($self, $user, $command, @args) = @_;
    local $ENV{REDIRECT307_DB} = $self->{pg}->conninfo(user => $user);
    my ($code, $out, $err) = R307::Tool::run('sql', $command, '--driver',
                                             'pgsql', @args);
    return Test::More::is($code, 0, "redirect307 sql $command succeeds")
        || !Test::More::diag($out, $err);
}

# ---- servers ----

# What a server connects with.  ports: several, to be tried in turn.
sub conninfo {
    my ($self, @ports) = @_;
    my $info = $self->{pg}->conninfo(port => 1, user => 'reader',
                                     password => WORD);
    return $info if !@ports;
    my ($hosts, $list) = (join(',', ('127.0.0.1') x @ports), join ',', @ports);
    $info =~ s/\bhost='[^']*'/host='$hosts'/;
    $info =~ s/\bport='[^']*'/port='$list'/;
    return $info;
}

sub start {
    my ($self, $name, @ports) = @_;
    my $srv = R307::Server->new(
        name => $name, modules => ['dbd', R307::Tables::modules()],
        config => R307::Tables::steady() . R307::Status::config() . <<"EOC");
LogLevel redirect307:info
# room for the children that a graceful restart leaves
<IfModule !mpm_prefork_module>
    ServerLimit 4
</IfModule>
DBDriver pgsql
DBDParams "@{[ $self->conninfo(@ports) ]}"
DBDPersist Off
MaxKeepAliveRequests 0
Redirect307Table moved sql:@{[ RULESET ]} refresh=@{[ REFRESH ]}
Redirect307Use moved
EOC
    push @{ $self->{servers} }, $srv;
    return $srv;
}

# What the status page says of the store that a server follows.
sub store_of {
    my ($srv) = @_;
    return R307::Status::table_of($srv, 'moved')->{store} || {};
}

# The last change that one of the servers has.
sub most_seen {
    my ($self) = @_;
    my ($most) = sort { $b <=> $a }
                 map { store_of($_)->{change} || 0 } $self->servers;
    return $most;
}

# ---- what they answer ----

my @requests = map {
    my $host = $_;
    map { [$host, $_] } STABLE, R307::RuleWriter::asked_paths()
} @R307::RuleWriter::ASKED_HOSTS;

# The answers of one connection, some requests at a time.
sub _answers {
    my ($srv, $conn) = @_;
    my @left = @requests;
    my @got;

    while (my @some = splice @left, 0, 40) {
        $conn->send(join '', map {
            $srv->bytes(target => $_->[1], host => $_->[0], keepalive => 1)
        } @some);
        for (@some) {
            my $res = $conn->response('GET');
            my $to = $res->header('Location');
            push @got, defined $to ? $res->status . " $to" : $res->status;
        }
    }
    return @got;
}

# What is wrong with the answers of a server, over connections that are open
# at once, so that several processes are asked.
sub _differences {
    my ($srv, $want) = @_;
    my @wrong;

    for my $conn (map { $srv->connect } 1 .. 3) {
        my @got = eval { _answers($srv, $conn) };
        return $srv->name . ": $@" if $@;
        push @wrong, map {
            $srv->name . ": $requests[$_][0]$requests[$_][1]: $got[$_], not"
                . " $want->[$_]"
        } grep { $got[$_] ne $want->[$_] } 0 .. $#requests;
        $conn->close;
    }
    return @wrong;
}

# What the model says to all requests.
sub wanted {
    my ($self) = @_;
    return [map { $self->{model}->answer(@$_) } @requests];
}

# What of it servers do not answer, now.
sub differences {
    my ($self, $want) = @_;
    return map { _differences($_, $want || $self->wanted) } $self->servers;
}

# Servers that do not have the last change yet.
sub _behind {
    my ($self, $seq) = @_;
    return map {
        my $got = store_of($_)->{change};
        (defined $got ? $got : -1) == $seq ? () : $_->name
    } $self->servers;
}

# Nobody writes any more: one test.  Every server has the last change in time,
# and answers as the model does.
sub quiet {
    my ($self, $name, $patience) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $seq  = $self->last_seq;
    my $want = $self->wanted;
    my $start = time;
    my @wrong;

    R307::Tables::wait_until($patience || SOON, sub {
        @wrong = $self->_behind($seq);
        return !@wrong;
    });
    my $took = time - $start;
    @wrong = map { "$_ does not have change $seq" } @wrong;
    R307::Tables::wait_until(SOON, sub {
        @wrong = $self->differences($want);
        return !@wrong;
    }, 0.2) if !@wrong;
    splice @wrong, 10;
    $self->lap(sprintf '%s: change %d, %d rows, %d redirects, after %.1f s',
               $name, $seq, scalar keys %{ $self->{model}->rows },
               scalar(grep { $_ ne '404' } @$want), $took);
    return Test::More::ok(!@wrong, "$name: all servers answer as the model")
        || !Test::More::diag(join "\n", @wrong);
}

# One test: every server says what is wrong with its store.
sub all_say {
    my ($self, $name, $re) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @silent;

    R307::Tables::wait_until(LATER, sub {
        @silent = grep { (store_of($_)->{error} || '') !~ $re }
                       $self->servers;
        return !@silent;
    });
    return Test::More::is(join(' ', map { $_->name } @silent), '',
                          "$name: all servers say so");
}

# One test: the rows that the module refuses are named, and no others.
sub bad_rows_are_named {
    my ($self, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @want = $self->{model}->bad_ids;
    my @got = map {
        join ' ', sort { $a <=> $b } map { $_->{id} } @{ store_of($_)->{bad} }
    } $self->servers;

    return Test::More::is_deeply(\@got, [("@want") x $self->servers],
                                 "$name: " . @want . ' bad rows are named');
}

# ---- load ----

# Asks the servers for the rule that nobody changes, from now on.
sub load {
    my ($self) = @_;
    for my $srv ($self->servers) {
        $self->{load}{ $srv->name } = R307::Load->start(
            port => $srv->port, connections => 2, seconds => 600,
            target => STABLE, close => 1, pause => 10);
    }
    return;
}

# Three tests for each server: no request failed all the while.
sub end_load {
    my ($self) = @_;

    for my $name (sort keys %{ $self->{load} }) {
        my $load = $self->{load}{$name};
        $load->finish;
        my $r = $load->result;
        my %error = %{ $r->{errors} };
        Test::More::note("$name: $r->{total} answers");
        Test::More::is(
            join(' ', keys %error ? map { $error{$_} ? "$_: $error{$_}" : () }
                                    sort keys %error : $r->{output}),
            '', "$name: no request failed through all of it");
        Test::More::is(join("\n", sort keys %{ $r->{answers} }),
                       STABLE_ANSWER, "$name: every answer was right");
        Test::More::cmp_ok($r->{total}, '>', 500, "$name: there were requests");
    }
    return;
}

1;
