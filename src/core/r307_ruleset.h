/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Rule sets: the rules of one context in order, and the one interface by
 * which candidates for a path are found. How they are found (today a scan,
 * later an index) is nobody else's business.
 */
#ifndef R307_RULESET_H
#define R307_RULESET_H

#include "core/r307_path.h"
#include "core/r307_rule.h"

typedef struct r307_ruleset_t r307_ruleset_t;

/* Sets in the order in which they are asked. A merge of contexts chains
 * pointers to sets and never copies rules. */
typedef struct r307_chain_t {
    const r307_ruleset_t *set;
    const struct r307_chain_t *next;
} r307_chain_t;

r307_ruleset_t *r307_ruleset_create(apr_pool_t *pool);

/* Append; the rule must live as long as the set. */
void r307_ruleset_add(r307_ruleset_t *set, const r307_rule_t *rule);

int r307_ruleset_count(const r307_ruleset_t *set);

/* Rule i, in the order in which rules were added. */
const r307_rule_t *r307_ruleset_at(const r307_ruleset_t *set, int i);

/* a followed by b, neither changed. New links come from pool. */
const r307_chain_t *r307_chain_join(apr_pool_t *pool, const r307_chain_t *a,
                                    const r307_chain_t *b);

int r307_chain_holds(const r307_chain_t *chain, const r307_ruleset_t *set);

/* A rule whose path covers the request. */
typedef struct r307_match_t {
    const r307_rule_t *rule;
    apr_size_t rest;            /* PREFIX: where the remainder begins */
    r307_captures_t captures;   /* REGEX */
} r307_match_t;

typedef struct r307_search_t {
    const r307_ruleset_t *set;
    const char *uri;            /* decoded, normalised, NUL-terminated */
    apr_size_t uri_len;
    apr_pool_t *pool;           /* for captures */
    int next;                   /* private; 0 to begin */
} r307_search_t;

/*
 * The next candidate in configuration order. APR_SUCCESS with *match filled;
 * APR_NOTFOUND at the end; APR_ENOSPC when a regular expression ran into its
 * limit (match->rule is that rule, the search cannot go on).
 */
apr_status_t r307_search_next(r307_search_t *search, r307_match_t *match);

#endif
