/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Sites: the data centres that rules may send to by name, and which of them is
 * nearest to a visitor and can be used.
 */
#ifndef R307_SITE_H
#define R307_SITE_H

#include "core/r307_position.h"
#include "core/r307_selector.h"
#include "core/r307_target.h"

struct r307_rule_env_t;

typedef struct r307_site_t {
    const char *name;
    const r307_target_t *target;        /* the base URL, literal, without a
                                         * query, fragment or final slash */
    int has_position;
    r307_vector_t at;
    const apr_array_header_t *serves;   /* r307_selector_t; NULL: everybody */
    int local;                          /* this server: no redirect */
    const char *while_text;     /* usable while that holds; NULL: always */
    const void *while_expr;     /* the host's compiled form of it */
    const char *balancer;       /* usable while that has a member to send
                                 * to; without "balancer://"; or NULL */
    void *health;               /* what the host keeps for these */
    const char *file;
    int line;
} r307_site_t;

/*
 * Redirect307Site NAME URL [at=LAT,LON] [serves=SELECTOR,...] [while=EXPR]
 * [balancer=NAME] [local]. words: all of them. The base URL is http or https
 * with a literal host, no query, fragment, userinfo or capture. NAME: 1 to 64
 * letters, digits, '.', '_', '-', and not "nearest". env: its pool, and
 * compile_expr for while=. APR_EINVAL with a sentence (R307-0750 and 0780 and
 * following). Whether there is such a balancer is for the host to find out.
 */
apr_status_t r307_site_parse(const struct r307_rule_env_t *env, int nwords,
                             const char *const *words, r307_site_t **out,
                             r307_error_t *err);

/* The site of that name (not terminated), case-sensitive, or NULL. sites:
 * const r307_site_t *; NULL: none. */
const r307_site_t *r307_site_find(const apr_array_header_t *sites,
                                  const char *name, apr_size_t len);

/* The fields, as bits, that r307_site_nearest() looks at. */
unsigned r307_site_fields(const apr_array_header_t *sites);

/* Has it while= or balancer=? All others can be used at any time. */
int r307_site_is_watched(const r307_site_t *site);

/* Who is asked whether a watched site can be used. */
typedef struct r307_site_judge_t {
    int (*usable)(void *ctx, const r307_site_t *site);
    void *ctx;
} r307_site_judge_t;

/*
 * The nearest site that serves the visitor and can be used: by the visitor's
 * position, else by the centroid of their country. Sites without a position
 * are behind all others. Without any position the first in written order; ties
 * likewise. Watched sites are asked about from near to far, until one can be
 * used. judge NULL: all can. NULL when there is none. pool: for the sites that
 * were passed over; nothing is taken from it when there are none.
 */
const r307_site_t *r307_site_nearest(const apr_array_header_t *sites,
                                     const r307_facts_t *facts,
                                     const r307_site_judge_t *judge,
                                     apr_pool_t *pool);

#endif
