/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Hosts and ports: the authority component of RFC 3986 section 3.2 as far as
 * a Location may carry it (no userinfo: Fetch treats one in a redirect as an
 * error, and it exists in practice only to deceive), and the host patterns of
 * Redirect307AllowTo and host=.
 */
#ifndef R307_AUTHORITY_H
#define R307_AUTHORITY_H

#include "core/r307_error.h"

#include <apr_tables.h>

#define R307_PORT_NONE (-1)     /* no ":port" written */
#define R307_PORT_ANY  (-2)     /* patterns only: ":*" */

typedef struct r307_authority_t {
    const char *host;           /* not terminated; with [] for IPv6 */
    apr_size_t host_len;
    int port;                   /* 0..65535 or R307_PORT_NONE */
} r307_authority_t;

/*
 * Parse "host", "host:port", "[v6]", "[v6]:port". Host letters are letters,
 * digits, "-", ".", "_" and "~"; no percent-encoding. Returns APR_SUCCESS, or
 * APR_EINVAL with *why set to a phrase ("the port is over 65535"); *out is
 * then untouched. The result points into s.
 */
apr_status_t r307_authority_parse(const char *s, apr_size_t len,
                                  r307_authority_t *out, const char **why);

/* The port a scheme implies (http 80, https 443, ws, wss, ftp), else 0. */
int r307_authority_default_port(const char *scheme, apr_size_t len);

/* Same host (ASCII case, a final dot and IPv6 brackets ignored). */
int r307_authority_same_host(const char *a, apr_size_t a_len, const char *b,
                             apr_size_t b_len);

typedef struct r307_host_pattern_t {
    const char *name;           /* without "*." */
    apr_size_t len;
    int subdomains;             /* "*.name": every name below, not name */
    int port;                   /* a port, R307_PORT_NONE or R307_PORT_ANY */
} r307_host_pattern_t;

/* Parse "name", "*.name", each with ":port" or ":*" when with_port. Copies
 * into pool. Fails with a sentence in err. */
apr_status_t r307_host_pattern_parse(apr_pool_t *pool, const char *s,
                                     int with_port, r307_host_pattern_t *out,
                                     r307_error_t *err);

/* Does any pattern cover that host, whatever its port? patterns: array of
 * r307_host_pattern_t. */
int r307_host_pattern_any(const apr_array_header_t *patterns,
                          const char *host, apr_size_t len);

/* Does the pattern cover that authority, where default_port is what stands for
 * no port? */
int r307_host_pattern_holds(const r307_host_pattern_t *pattern,
                            const r307_authority_t *authority,
                            int default_port);

/* Does any pattern cover that authority? A pattern without port covers the
 * scheme's default port only, written or not. */
int r307_host_pattern_allows(const apr_array_header_t *patterns,
                             const r307_authority_t *authority,
                             const char *scheme, apr_size_t scheme_len);

#endif
