/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Rule sets: the rules of one context, and the one interface by which
 * candidates for a request are found. A set is filled rule by rule and then
 * frozen, or it is a table (r307_table.h); a search does not see the
 * difference.
 */
#ifndef R307_RULESET_H
#define R307_RULESET_H

#include "core/r307_path.h"
#include "core/r307_walk.h"

typedef struct r307_ruleset_t r307_ruleset_t;

/* Sets in the order in which they are asked. A merge of contexts chains
 * pointers to sets and never copies rules. */
typedef struct r307_chain_t {
    const r307_ruleset_t *set;  /* NULL when changing is set */
    void *changing;             /* a set that changes while the server runs;
                                 * the host of the core knows which it is at
                                 * the moment */
    const struct r307_chain_t *next;
} r307_chain_t;

r307_ruleset_t *r307_ruleset_create(apr_pool_t *pool);

/* Append; the rule must live as long as the set. */
void r307_ruleset_add(r307_ruleset_t *set, const r307_rule_t *rule);

/* No more rules will come: file them in an index, kept in the set's pool. A
 * set of few rules is searched faster without and stays as it is, as does
 * one that is never frozen. */
void r307_ruleset_freeze(r307_ruleset_t *set);

/* As r307_ruleset_freeze(), whatever the number of rules, and with a hash
 * cut to mask: for tests. */
void r307_ruleset_freeze_masked(r307_ruleset_t *set, apr_uint32_t mask);

/* A set over an index that lies elsewhere, searched by specificity. make
 * turns a record into a rule: prepared ones are handed out as they are, the
 * others are made in pool. */
r307_ruleset_t *r307_ruleset_over(apr_pool_t *pool, const r307_index_t *index,
                                  const r307_rule_t *(*make)(
                                      const void *ctx,
                                      const r307_record_t *rec,
                                      apr_pool_t *pool),
                                  const void *ctx);

/* From now on the set leaves out the records of its index whose orders are
 * among `hidden` (ascending), and has those of `patch`. make is called for
 * both. All must live as long as the set. */
void r307_ruleset_patch(r307_ruleset_t *set, const r307_index_t *patch,
                        const apr_uint32_t *hidden, apr_uint32_t count);

int r307_ruleset_count(const r307_ruleset_t *set);

/* Rule i, in the order in which rules were added. Not for tables. */
const r307_rule_t *r307_ruleset_at(const r307_ruleset_t *set, int i);

/* The index, NULL for a set that is scanned; and the rule of one of its
 * records, or of its patch's, which may be made in pool: NULL for a damaged
 * one. */
const r307_index_t *r307_ruleset_index(const r307_ruleset_t *set);
const r307_rule_t *r307_ruleset_rule(const r307_ruleset_t *set,
                                     const r307_record_t *rec,
                                     apr_pool_t *pool);

/* Where going through a set stands. */
typedef struct r307_place_t {
    r307_ref_t ref;
    r307_ref_t patch;
    apr_uint32_t hidden;        /* already passed */
} r307_place_t;

#define R307_PLACE_FIRST { 1, 1, 0 }

/* Record after record of a table's set, in ascending order; NULL at the end.
 * at: R307_PLACE_FIRST at first. */
const r307_record_t *r307_ruleset_next(const r307_ruleset_t *set,
                                       r307_place_t *at);

/* a followed by b, neither changed. New links come from pool. */
const r307_chain_t *r307_chain_join(apr_pool_t *pool, const r307_chain_t *a,
                                    const r307_chain_t *b);

/* Is there a link to the same set as that one's? */
int r307_chain_holds(const r307_chain_t *chain, const r307_chain_t *link);

/* A rule whose path covers the request. */
typedef struct r307_match_t {
    const r307_rule_t *rule;
    const r307_target_t *target;    /* of the rule's, by whoever decides */
    const r307_site_t *site;    /* with a target that names one */
    apr_size_t rest;            /* PREFIX: where the remainder begins */
    r307_captures_t captures;   /* REGEX */
} r307_match_t;

/* A search, on the stack. */
typedef struct r307_search_t {
    const r307_ruleset_t *set;
    r307_scratch_t *scratch;    /* shared by the searches of a request */
    const r307_index_t *index;  /* NULL: scan, then merge */
    struct r307_merge_t *merge; /* of a set with a patch */
    int doubled;                /* r307_path_is_doubled(uri), -1: not yet
                                 * known */
    int next;                   /* scan */
    r307_walk_t walk;           /* index; its uri is normalised and
                                 * NUL-terminated */
} r307_search_t;

/* Once for a request. host: lower case, no port, or NULL. Rules and captures
 * that a search hands out live in pool or longer. */
static inline void r307_search_init(r307_search_t *search, const char *host,
                                    const char *uri, apr_size_t uri_len,
                                    r307_scratch_t *scratch,
                                    apr_pool_t *pool)
{
    search->walk.pool = pool;
    search->walk.uri = uri;
    search->walk.uri_len = uri_len;
    search->walk.host = host;
    search->scratch = scratch;
    search->doubled = -1;
}

/* For each set that is asked. Returns 0 when no rule of the set can match;
 * then search must not be used. thorough, with its ctx: are rules for other
 * hosts to be handed out, too, for somebody who wants to know why they do not
 * apply? Asked when a set has such rules; a table's are not looked through.
 * NULL: no. */
int r307_search_begin(r307_search_t *search, const r307_ruleset_t *set,
                      int (*thorough)(void *ctx), void *ctx);

/*
 * The next candidate, in configuration order, or for a table in order of
 * specificity. APR_SUCCESS with *match filled; APR_NOTFOUND at the end;
 * APR_ENOSPC when a regular expression ran into its limit: match->rule is
 * that rule, nothing else of *match is filled. Whether it would match is not
 * known, so a later rule must not answer instead; but whoever looks at what
 * the others would do may go on, each of them has a limit of its own.
 */
apr_status_t r307_search_next(r307_search_t *search, r307_match_t *match);

/* The same of a set with an index, without looking whether the path is
 * covered; NULL at the end. */
const r307_record_t *r307_search_record(r307_search_t *search);

#endif
