/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Origins: where a page comes from that makes a browser send a request
 * (RFC 6454, and Fetch, "Origin header"), and patterns that name them.
 */
#ifndef R307_ORIGIN_H
#define R307_ORIGIN_H

#include "core/r307_authority.h"

typedef struct r307_origin_t {
    const char *scheme;         /* not terminated; NULL: the origin is `null`,
                                 * which tells nothing about the page */
    apr_size_t scheme_len;
    r307_authority_t authority;
} r307_origin_t;

/* The value of an Origin field: "scheme://host[:port]" or "null". APR_EINVAL
 * for everything else, a list among it; *out is then undefined. The result
 * points into s. */
apr_status_t r307_origin_parse(const char *s, r307_origin_t *out);

typedef enum r307_origin_kind_t {
    R307_ORIGIN_ANY,            /* "*" */
    R307_ORIGIN_NULL,           /* "null" */
    R307_ORIGIN_HOST
} r307_origin_kind_t;

typedef struct r307_origin_pattern_t {
    r307_origin_kind_t kind;
    const char *scheme;         /* of R307_ORIGIN_HOST, as what follows */
    apr_size_t scheme_len;
    int default_port;           /* the scheme's; 0: it has none */
    r307_host_pattern_t host;
} r307_origin_pattern_t;

/* Parse "*", "null", or host[:port] behind a scheme and "://". The host may be
 * "*.name", and then the scheme be left out, which means https; the port may
 * be "*". Copies into pool. Fails with a sentence in err. */
apr_status_t r307_origin_pattern_parse(apr_pool_t *pool, const char *s,
                                       r307_origin_pattern_t *out,
                                       r307_error_t *err);

/* Same scheme, a host that the pattern covers, same port; the scheme's own
 * port may be written or not. */
int r307_origin_pattern_holds(const r307_origin_pattern_t *pattern,
                              const r307_origin_t *origin);

#endif
