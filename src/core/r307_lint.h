/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Lint: what is legal and still hardly meant. A rule is looked at on its own
 * (r307_lint.c), for its regular expression (r307_lintregex.c), beside the
 * rules of its set (r307_lintset.c), and by following where it leads
 * (r307_lintfollow.c). Every finding has a code word that never changes.
 */
#ifndef R307_LINT_H
#define R307_LINT_H

#include "core/r307_geofrom.h"
#include "core/r307_ruleset.h"

typedef struct r307_finding_t {
    const char *code;           /* "shadowed" */
    const r307_rule_t *rule;    /* file and line are its */
    const char *happens;        /* what it comes to */
    const char *instead;        /* what to write */
} r307_finding_t;

/* Regular expressions that are tried out, milliseconds each. */
#define R307_LINT_TRIED_MAX 2000

/* Redirects that are followed from a rule: what browsers follow. */
#define R307_LINT_HOPS_MAX 20

/* Matches of regular expressions, in all, while following rules. Beyond it
 * rules are not followed any more, and not_followed counts them. */
#define R307_LINT_MATCHES_MAX 50000000

typedef struct r307_lint_t {
    apr_pool_t *pool;           /* for findings, and for all else; the caller
                                 * clears it between rules */
    apr_time_t now;
    const apr_array_header_t *allowed_hosts;    /* as in r307_request_t */
    const apr_array_header_t *sites;
    const r307_geofrom_t *geofrom;      /* frozen; NULL: not known */
    const apr_array_header_t *own_hosts;    /* r307_host_pattern_t: names of
                                             * this server; NULL: none known */
    const r307_chain_t *chain;  /* what a request to this server is asked,
                                 * for following; NULL: do not follow */
    /* As in r307_host_t. */
    const r307_ruleset_t *(*current)(void *ctx, void *changing,
                                     const char **reason);
    void (*found)(void *ctx, const r307_finding_t *finding);
    void *ctx;

    /* counted here; zero them */
    apr_uint64_t regexes;       /* seen */
    apr_uint64_t tried;
    apr_uint64_t matches;       /* of R307_LINT_MATCHES_MAX */
    apr_uint64_t not_followed;
} r307_lint_t;

/* The cheap half: the rule by itself, without trying anything out. */
void r307_lint_rule(r307_lint_t *lint, const r307_rule_t *rule);

/* Does its expression explode? Tries it on paths made for it. */
void r307_lint_regex(r307_lint_t *lint, const r307_rule_t *rule);

/* Is rule number i of a frozen set (in a table: the record) ever asked? */
void r307_lint_order(r307_lint_t *lint, const r307_ruleset_t *set,
                     const r307_rule_t *rule, apr_uint32_t order);

/* Where does it lead, and where does that lead? */
void r307_lint_follow(r307_lint_t *lint, const r307_rule_t *rule);

/*
 * All of this for all rules of a set. each: called before each rule with its
 * number, for progress; lint->pool is cleared by it or after it. NULL.
 */
void r307_lint_set(r307_lint_t *lint, const r307_ruleset_t *set,
                   void (*each)(void *ctx, apr_uint64_t done));

/* ---- for the files of lint ---- */

void r307_lint_tell(r307_lint_t *lint, const r307_rule_t *rule,
                    const char *code, const char *happens,
                    const char *instead);

/* The rule's path for a sentence. */
const char *r307_lint_path(apr_pool_t *pool, const r307_rule_t *rule);

/* The first byte of a pattern, from there on, that is neither escaped nor in a
 * class; its end when there is none. */
const char *r307_lint_syntax(const char *s);

/* Where group n of a pattern begins, behind its '(' and its name; NULL. */
const char *r307_lint_group(const char *pattern, int n);

#endif
