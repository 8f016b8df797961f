/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * A host of the core that knows no server: for targets that let rules
 * decide. Every expression has the value, or as a condition the truth, that
 * the input gives it.
 */
#ifndef FUZZ_SERVER_H
#define FUZZ_SERVER_H

#include "fuzz.h"

#include "core/r307_decide.h"
#include "core/r307_location.h"

/* The only host that a computed target may name. */
#define FUZZ_ALLOWED "allowed.example"

static const char *fuzz_value;  /* of every expression; NULL: it fails */

static inline const char *fuzz_compile_expr(void *ctx, apr_pool_t *pool,
                                            const char *text, int is_string,
                                            const void **expr)
{
    (void)ctx;
    (void)pool;
    (void)is_string;
    *expr = text;
    return strstr(text, "bad") ? "it is bad" : NULL;
}

static inline apr_status_t fuzz_eval_bool(void *ctx, const void *expr,
                                          int *result)
{
    (void)ctx;
    (void)expr;
    *result = fuzz_value && *fuzz_value != '0';
    return fuzz_value ? APR_SUCCESS : APR_EGENERAL;
}

static inline apr_status_t fuzz_eval_string(void *ctx, const void *expr,
                                            const r307_match_t *match,
                                            const char **result)
{
    (void)ctx;
    (void)expr;
    (void)match;
    *result = fuzz_value;
    return fuzz_value ? APR_SUCCESS : APR_EGENERAL;
}

static inline const char *fuzz_base(void *ctx)
{
    (void)ctx;
    return NULL;
}

static inline const r307_self_t *fuzz_self(void *ctx)
{
    static const r307_self_t self = { "http", "self.example", 80, "/self",
                                      NULL };

    (void)ctx;
    return &self;
}

static inline const apr_array_header_t *fuzz_allowed(apr_pool_t *pool)
{
    apr_array_header_t *hosts = apr_array_make(pool, 1,
                                               sizeof(r307_host_pattern_t));
    r307_error_t err = { pool, NULL };

    r307_host_pattern_parse(pool, FUZZ_ALLOWED ":*", 1,
                            apr_array_push(hosts), &err);
    return hosts;
}

/* What the set answers to a path as a client sends it, or to a decoded path
 * that no client sent. */
static inline void fuzz_ask(fuzz_t *in, const r307_ruleset_t *set,
                            const char *path, const char *query,
                            r307_decision_t *out)
{
    static const r307_host_t server = { fuzz_self, fuzz_base, fuzz_eval_bool,
                                        fuzz_eval_string, NULL, NULL };
    r307_chain_t chain = { set, NULL, NULL };
    r307_request_t req;

    memset(&req, 0, sizeof req);
    if (r307_path_from_raw(&req.path, in->pool, path, R307_SLASHES_MERGE)
        != APR_SUCCESS) {
        memset(&req.path, 0, sizeof req.path);
        req.path.uri = path[0] == '/' ? path : "/";
        req.path.uri_len = strlen(req.path.uri);
    }
    req.pool = in->pool;
    req.query = query;
    req.method = "POST";
    req.host = "self.example";
    req.now = APR_USEC_PER_SEC;
    req.allowed_hosts = fuzz_allowed(in->pool);
    req.server = &server;
    r307_decide(&req, &chain, out);
}

/* A URI reference by its bytes (RFC 3986 appendix A); brackets only in the
 * authority. */
static inline void fuzz_check_reference(const char *s)
{
    apr_size_t head = s[0] == '/' ? 0 : strcspn(s, ":");
    apr_size_t n;

    FUZZ_HOLDS(strlen(s) <= R307_LOCATION_MAX);
    FUZZ_HOLDS(s[0] != '/' || (s[1] != '/' && s[1] != '\\'));
    if (head) {
        FUZZ_HOLDS(strncmp(s + head, "://", 3) == 0);
        s += head + 3;
        s += strcspn(s, "/?#");
    }
    n = strcspn(s, "?#");
    fuzz_check_encoded(s, n, R307_IN_PATH);
    s += n;
    if (*s == '?') {
        n = strcspn(++s, "#");
        fuzz_check_encoded(s, n, R307_IN_QUERY);
        s += n;
    }
    fuzz_check_encoded(*s ? s + 1 : s, strlen(*s ? s + 1 : s),
                       R307_IN_FRAGMENT);
}

/* The host of a computed target is an allowed one. */
static inline void fuzz_check_allowed(fuzz_t *in, const char *location)
{
    apr_size_t scheme = strcspn(location, ":"), len;
    r307_authority_t a;
    const char *why;

    if (location[0] == '/') {
        return;
    }
    len = strcspn(location + scheme + 3, "/?#");
    FUZZ_HOLDS(r307_authority_parse(location + scheme + 3, len, &a, &why)
               == APR_SUCCESS);
    FUZZ_HOLDS(r307_host_pattern_allows(fuzz_allowed(in->pool), &a, location,
                                        scheme));
}

/* Location leads where the rule's own text says. */
static inline void fuzz_check_host(fuzz_t *in, const r307_target_t *t,
                                   const char *location)
{
    apr_size_t n = t->authority_len;

    if (t->computed_host) {
        fuzz_check_allowed(in, location);
    }
    else if (t->kind == R307_TARGET_PATH) {
        FUZZ_HOLDS(location[0] == '/');
    }
    else {
        FUZZ_HOLDS(strncmp(location, t->parts[0].text, n) == 0);
        FUZZ_HOLDS(strchr("/?#", location[n]) != NULL);
    }
}

#endif
