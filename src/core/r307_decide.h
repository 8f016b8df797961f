/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The decision: given a request and the rules that apply, what is answered
 * and why. Pure: no input or output, no state kept, everything allocated from
 * the request's pool.
 */
#ifndef R307_DECIDE_H
#define R307_DECIDE_H

#include "core/r307_path.h"
#include "core/r307_ruleset.h"
#include "core/r307_trace.h"

/* The URL that the client itself asked for; later rewriting inside the
 * server does not change it. */
typedef struct r307_self_t {
    const char *scheme;         /* "http", "https" */
    const char *host;           /* lower case, no port; NULL when unknown */
    int port;                   /* as written by the client, or the scheme's
                                 * default */
    const char *path;           /* raw; ends at '?', '#' or NUL */
    const char *query;          /* raw; NULL for none */
} r307_self_t;

struct r307_decision_t;

/* What only the host of the core can tell; called when needed, with
 * r307_request_t.ctx. */
typedef struct r307_host_t {
    const r307_self_t *(*self)(void *ctx);
    /* "scheme://host[:port]" to put before a path-only target, NULL to send
     * the path alone: it means the same to the client, and nobody else's
     * host name can slip in. */
    const char *(*base)(void *ctx);
    /* Evaluate a compiled expression. APR_SUCCESS or an error that makes the
     * decision R307_FAILED. NULL: every expression fails. match: the captures
     * that a string expression may name ($1). */
    apr_status_t (*eval_bool)(void *ctx, const void *expr, int *result);
    apr_status_t (*eval_string)(void *ctx, const void *expr,
                                const r307_match_t *match,
                                const char **result);
    /* The set that a link's `changing` stands for at the moment; it must stay
     * as it is until the decision has been used. NULL: no rules, or when
     * *reason is set, which is NULL before, the decision is R307_FAILED. */
    const r307_ruleset_t *(*current)(void *ctx, void *changing,
                                     const char **reason);
    r307_trace_fn trace;        /* NULL: nobody listens */
    /* What is known of the visitor: the fields given as bits. *chosen: those
     * that the visitor chose, rather than where they are; with measured set
     * the visitor's choice is left out. *facts comes with anything in it.
     * Whoever is asked sees to Vary. NULL: nothing is known of anybody. */
    void (*facts)(void *ctx, unsigned fields, int measured,
                  r307_facts_t *facts, unsigned *chosen);
    /* What sticky= of that split stands for in this request, any bytes; NULL
     * when the request has no such thing. NULL: never. */
    const char *(*sticky)(void *ctx, const r307_split_t *split,
                          apr_size_t *len);
    /* An even 32 bit number, another one for each call. NULL: 0. */
    apr_uint32_t (*draw)(void *ctx);
    /* Why a site with while= or balancer= cannot be used at the moment: a
     * static phrase, or one in the request's pool. NULL: it can. NULL as the
     * function: all can. */
    const char *(*site_down)(void *ctx, const r307_site_t *site);
    /* Is trace to hear of rules for other hosts, too? NULL: no. */
    int (*thorough)(void *ctx);
    /* A rule with `dryrun` would have decided so. The search goes on as if
     * the rule were not there. NULL: nobody listens. */
    void (*would)(void *ctx, const struct r307_decision_t *decision);
} r307_host_t;

typedef struct r307_request_t {
    apr_pool_t *pool;
    r307_path_t path;
    const char *query;          /* raw, without '?'; NULL for none */
    const char *method;
    const char *host;           /* as r307_self_t.host */
    apr_time_t now;
    int status;                 /* of the answer that a rule for errors would
                                 * replace; other rules do not look at it */
    const apr_array_header_t *allowed_hosts;  /* r307_host_pattern_t; NULL:
                                 * computed hosts are never allowed */
    const apr_array_header_t *sites;    /* const r307_site_t *; NULL: none */
    unsigned site_fields;       /* r307_site_fields(sites) */
    const r307_host_t *server;
    void *ctx;
    r307_scratch_t scratch;     /* zero it */

    /* Sets that were asked before with this path. Only their rules with
     * expr= are asked again, since more may be known by now. */
    const r307_chain_t *asked;
} r307_request_t;

typedef enum r307_outcome_t {
    R307_NONE,                  /* no rule applies */
    R307_STOP,                  /* a rule says: no redirect here */
    R307_REDIRECT,
    R307_REFUSED,               /* the request asks for what the rule must
                                 * not give: a foreign host, endless
                                 * backtracking. The client's fault: 404 */
    R307_TOO_LONG,              /* Location over its limit: 414 */
    R307_FAILED                 /* the rule cannot be computed: 500 */
} r307_outcome_t;

typedef struct r307_decision_t {
    r307_outcome_t outcome;
    const r307_rule_t *rule;    /* NULL with R307_NONE, and with R307_FAILED
                                 * when a whole set cannot be had */
    const r307_target_t *target;    /* which of the rule's; may be NULL when
                                 * it does not redirect */
    const char *location;       /* R307_REDIRECT: a valid URI reference */
    const char *reason;         /* REFUSED, TOO_LONG, FAILED: for the log */
} r307_decision_t;

/* First rule of the chain whose path and conditions hold. */
void r307_decide(r307_request_t *req, const r307_chain_t *chain,
                 r307_decision_t *out);

/*
 * How the rule of a decision matched, for somebody who explains it: target,
 * site, remainder, captures. The chain is asked once more, with all callbacks,
 * so that deciding need not keep it. Captures are good until the next match. 0
 * when the rule is not found, or has no target for this request.
 */
int r307_decide_match(r307_request_t *req, const r307_chain_t *chain,
                      const r307_rule_t *rule, r307_match_t *match);

/*
 * Seconds that the answer of a rule may be cached, R307_CACHE_NO_STORE or
 * R307_CACHE_UNSET. Never beyond the rule's own until=.
 */
int r307_decide_cache(const r307_rule_t *rule, apr_time_t now);

#endif
