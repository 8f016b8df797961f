/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what counts as an origin. Must not know requests, or what an origin is
 * allowed. Called by the server's CORS.
 */
#include "core/r307_origin.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>
#include <strings.h>

/* What stands in front of "://" (RFC 3986 section 3.1); 0: it is missing. */
static apr_size_t scheme_length(const char *s)
{
    apr_size_t n = 0;

    if (!apr_isalpha(s[0])) {
        return 0;
    }
    while (apr_isalnum(s[n]) || s[n] == '+' || s[n] == '-' || s[n] == '.') {
        n++;
    }
    return strncmp(s + n, "://", 3) == 0 ? n : 0;
}

apr_status_t r307_origin_parse(const char *s, r307_origin_t *out)
{
    const char *authority, *why;

    if (strcmp(s, "null") == 0) {
        memset(out, 0, sizeof *out);
        return APR_SUCCESS;
    }
    out->scheme = s;
    out->scheme_len = scheme_length(s);
    if (out->scheme_len == 0) {
        return APR_EINVAL;
    }
    authority = s + out->scheme_len + 3;
    return r307_authority_parse(authority, strlen(authority),
                                &out->authority, &why);
}

static apr_status_t not_an_origin(r307_error_t *err, const char *s)
{
    return r307_error_set(err, "R307-0770: '%s' is not an origin; write "
                          "scheme, host and port as browsers send them, such "
                          "as https://app.example or http://localhost:3000; "
                          "*.app.example for every host below it with https; "
                          "*; or null", r307_error_show(err, s, strlen(s)));
}

apr_status_t r307_origin_pattern_parse(apr_pool_t *pool, const char *s,
                                       r307_origin_pattern_t *out,
                                       r307_error_t *err)
{
    apr_size_t scheme_len = scheme_length(s), n;
    const char *host = scheme_len ? s + scheme_len + 3 : s;

    memset(out, 0, sizeof *out);
    if (strcmp(s, "*") == 0 || strcmp(s, "null") == 0) {
        out->kind = *s == '*' ? R307_ORIGIN_ANY : R307_ORIGIN_NULL;
        return APR_SUCCESS;
    }
    if (!scheme_len && strncmp(s, "*.", 2) != 0) {
        return not_an_origin(err, s);
    }
    n = strcspn(host, "/?#");
    if (host[n]) {
        n += (apr_size_t)(host - s);
        return r307_error_set(err, "R307-0771: the origin '%s' has more than "
                              "scheme, host and port, and no page is known by "
                              "more; write '%s'",
                              r307_error_show(err, s, strlen(s)),
                              r307_error_show(err, s, n));
    }
    out->kind = R307_ORIGIN_HOST;
    out->scheme = scheme_len ? apr_pstrmemdup(pool, s, scheme_len) : "https";
    out->scheme_len = strlen(out->scheme);
    out->default_port = r307_authority_default_port(out->scheme,
                                                    out->scheme_len);
    return r307_host_pattern_parse(pool, host, 1, &out->host, err);
}

int r307_origin_pattern_holds(const r307_origin_pattern_t *pattern,
                              const r307_origin_t *origin)
{
    if (pattern->kind != R307_ORIGIN_HOST) {
        return pattern->kind == R307_ORIGIN_ANY || !origin->scheme;
    }
    return origin->scheme && origin->scheme_len == pattern->scheme_len
           && strncasecmp(origin->scheme, pattern->scheme,
                          pattern->scheme_len) == 0
           && r307_host_pattern_holds(&pattern->host, &origin->authority,
                                      pattern->default_port);
}
