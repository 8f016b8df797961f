/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Origins: a line is the pattern, the next one the field of a client. What
 * holds:
 *  - what is accepted is "null", or scheme, host and port and nothing else:
 *    no blank, comma, slash or control byte that could end a header field
 *  - an origin is named by a pattern with the same text, and by "*", and no
 *    other scheme is
 *  - "*.name" covers the name below it, and not the name
 *  - "null" is named by "*" and "null" only
 */
#include "fuzz.h"

#include "core/r307_origin.h"

const char fuzz_name[] = "origin";

static int holds(fuzz_t *in, const char *pattern, const r307_origin_t *origin)
{
    r307_error_t err = { in->pool, NULL };
    r307_origin_pattern_t p;
    apr_status_t rv = r307_origin_pattern_parse(in->pool, pattern, &p, &err);

    fuzz_check_error(rv, &err);
    return rv == APR_SUCCESS ? r307_origin_pattern_holds(&p, origin) : -1;
}

static void check_null(fuzz_t *in, const char *pattern,
                       const r307_origin_t *origin)
{
    FUZZ_HOLDS(holds(in, "*", origin) == 1);
    FUZZ_HOLDS(holds(in, "null", origin) == 1);
    FUZZ_HOLDS(holds(in, "https://null", origin) == 0);
    if (holds(in, pattern, origin) == 1) {
        FUZZ_HOLDS(!strcmp(pattern, "*") || !strcmp(pattern, "null"));
    }
}

static void check_host(fuzz_t *in, const char *s, const r307_origin_t *origin)
{
    const char *scheme = apr_pstrmemdup(in->pool, s, origin->scheme_len);
    const char *host = s + origin->scheme_len + 3, *p;

    FUZZ_HOLDS(origin->scheme == s && origin->scheme_len > 0);
    FUZZ_HOLDS(origin->authority.host == host);
    for (p = s; *p; p++) {
        FUZZ_HOLDS(*p > ' ' && *p < 0x7f && !strchr(",;@\\?#%\"", *p));
        FUZZ_HOLDS(*p != '/' || (p >= s + origin->scheme_len && p < host));
    }
    FUZZ_HOLDS(holds(in, s, origin) == 1);
    FUZZ_HOLDS(holds(in, "*", origin) == 1);
    FUZZ_HOLDS(holds(in, "null", origin) == 0);
    FUZZ_HOLDS(holds(in, apr_pstrcat(in->pool, "x", s, NULL), origin) == 0);
    if (*host != '[') {
        FUZZ_HOLDS(holds(in, apr_pstrcat(in->pool, scheme, "://*.", host,
                                         NULL), origin) == 0);
    }
}

static void check_below(fuzz_t *in, const r307_origin_t *origin,
                        const char *s)
{
    const char *below = apr_pstrcat(in->pool, "https://x.",
                                    s + origin->scheme_len + 3, NULL);
    const char *pattern = apr_pstrcat(in->pool, "*.",
                                      s + origin->scheme_len + 3, NULL);
    r307_origin_t sub;

    if (r307_origin_parse(below, &sub) == APR_SUCCESS) {
        FUZZ_HOLDS(holds(in, pattern, &sub) == 1);
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    const char *pattern, *s;
    r307_origin_t origin;
    fuzz_t in;

    fuzz_begin(&in, data, size);
    pattern = fuzz_line(&in);
    s = fuzz_line(&in);
    if (r307_origin_parse(s, &origin) != APR_SUCCESS) {
        memset(&origin, 0, sizeof origin);
        holds(&in, pattern, &origin);
        return fuzz_end(&in);
    }
    if (!origin.scheme) {
        FUZZ_HOLDS(strcmp(s, "null") == 0);
        check_null(&in, pattern, &origin);
        return fuzz_end(&in);
    }
    check_host(&in, s, &origin);
    check_below(&in, &origin, s);
    holds(&in, pattern, &origin);
    return fuzz_end(&in);
}
