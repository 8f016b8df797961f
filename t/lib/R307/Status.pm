# R307::Status reads the status page of a server and finds in it what suites
# ask for.  Called by t/86-counters.t and t/87-status.t.
#
#   my $srv = server(config => R307::Status::config() . "...");
#   is(hits($srv, 'shop'), 3, 'the rule shop was hit three times');
package R307::Status;

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();

our @EXPORT = qw(status_of rules_of hits dry_runs table_of loose_hits);

use constant PATH => '/redirects';

# The directives for the page.
sub config {
    return "<Location @{[ PATH ]}>\nSetHandler redirect307-status\n"
         . "</Location>\n";
}

# The JSON document.  %query: what the query string asks for.
sub status_of {
    my ($srv, %query) = @_;
    my $args = join '&', 'format=json',
               map { "$_=" . _escape($query{$_}) } sort keys %query;
    my $res = $srv->get(PATH . "?$args");

    die 'status ' . $res->status . " for $args\n" if $res->status != 200;
    return JSON::PP->new->utf8->decode($res->body);
}

sub _escape {
    my ($s) = @_;
    $s =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ge;
    return $s;
}

# name => rule
sub rules_of {
    my ($status) = @_;
    return map { ($_->{name} => $_) } @{ $status->{rules}{items} };
}

sub _rule {
    my ($srv, $name, %query) = @_;
    my %rules = rules_of(status_of($srv, %query));

    die "there is no rule $name\n" if !$rules{$name};
    return $rules{$name};
}

# Of the rule with that name; %query as above.
sub hits     { return _rule(@_)->{hits} }
sub dry_runs { return _rule(@_)->{dry_runs} }

sub table_of {
    my ($srv, $name) = @_;
    my ($table) = grep { $_->{name} eq $name } @{ status_of($srv)->{tables} };

    die "there is no table $name\n" if !$table;
    return $table;
}

# Of a rule of .htaccess or a rule file whose label matches.
sub loose_hits {
    my ($srv, $re) = @_;
    my ($rule) = grep { $_->{name} =~ $re } @{ status_of($srv)->{unlisted} };

    return $rule ? $rule->{hits} : 0;
}

1;
