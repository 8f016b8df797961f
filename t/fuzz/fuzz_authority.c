/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Hosts, ports and host patterns. Input: a switch, then the text. What holds:
 *  - what is accepted is nothing but host and port: it has no '@', slash,
 *    blank or control byte, and put together again it means the same
 *  - what is refused has a reason
 *  - a host is the same as itself, and the same with a final dot
 *  - a pattern without port covers itself; "*.name" covers a name below name
 *    and not name
 */
#include "fuzz.h"

#include "core/r307_authority.h"

const char fuzz_name[] = "authority";

static void check_same(fuzz_t *in, const r307_authority_t *a)
{
    const char *dotted = apr_pstrcat(in->pool,
                                     apr_pstrmemdup(in->pool, a->host,
                                                    a->host_len), ".", NULL);
    apr_size_t last = a->host_len - 1;

    FUZZ_HOLDS(r307_authority_same_host(a->host, a->host_len, a->host,
                                        a->host_len));
    if (a->host[last] != ']' && a->host[last] != '.') {
        FUZZ_HOLDS(r307_authority_same_host(a->host, a->host_len, dotted,
                                            a->host_len + 1));
    }
}

static void check_parsed(fuzz_t *in, const char *s, apr_size_t len,
                         const r307_authority_t *a)
{
    const char *why = NULL, *again;
    r307_authority_t b;
    apr_size_t i;

    FUZZ_HOLDS(a->host == s && a->host_len > 0 && a->host_len <= len);
    FUZZ_HOLDS(a->port == R307_PORT_NONE
               || (a->port >= 0 && a->port <= 65535));
    FUZZ_HOLDS((a->port == R307_PORT_NONE) == (a->host_len == len));
    for (i = 0; i < len; i++) {
        FUZZ_HOLDS(s[i] > ' ' && s[i] < 0x7f && !strchr("@/\\?#%", s[i]));
    }
    again = apr_pstrmemdup(in->pool, a->host, a->host_len);
    if (a->port != R307_PORT_NONE) {
        again = apr_psprintf(in->pool, "%s:%d", again, a->port);
    }
    FUZZ_HOLDS(r307_authority_parse(again, strlen(again), &b, &why)
               == APR_SUCCESS);
    FUZZ_HOLDS(b.host_len == a->host_len && b.port == a->port);
    check_same(in, a);
}

static void check_pattern(fuzz_t *in, const char *s, int with_port)
{
    r307_error_t err = { in->pool, NULL };
    apr_array_header_t *all = apr_array_make(in->pool, 1,
                                             sizeof(r307_host_pattern_t));
    r307_host_pattern_t *p = apr_array_push(all);
    apr_status_t rv = r307_host_pattern_parse(in->pool, s, with_port, p,
                                              &err);
    r307_authority_t a;
    const char *below;

    fuzz_check_error(rv, &err);
    if (rv != APR_SUCCESS) {
        return;
    }
    FUZZ_HOLDS(p->len > 0 && strlen(p->name) == p->len);
    FUZZ_HOLDS(with_port || p->port == R307_PORT_NONE);
    FUZZ_HOLDS(p->subdomains == (strncmp(s, "*.", 2) == 0));
    FUZZ_HOLDS(r307_host_pattern_any(all, p->name, p->len)
               == !p->subdomains);
    below = apr_pstrcat(in->pool, "x.", p->name, NULL);
    FUZZ_HOLDS(r307_host_pattern_any(all, below, p->len + 2)
               == p->subdomains);
    a.host = p->subdomains ? below : p->name;
    a.host_len = strlen(a.host);
    a.port = p->port == R307_PORT_ANY ? 81 : p->port;
    FUZZ_HOLDS(r307_host_pattern_allows(all, &a, "https", 5));
    a.port = 82;
    FUZZ_HOLDS(r307_host_pattern_allows(all, &a, "https", 5)
               == (p->port == R307_PORT_ANY || p->port == 82));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    const char *why = NULL, *text;
    r307_authority_t a;
    apr_size_t len;
    fuzz_t in, line;
    int with_port;

    fuzz_begin(&in, data, size);
    with_port = fuzz_byte(&in) & 1;
    line = in;
    text = fuzz_rest(&in, &len);
    if (r307_authority_parse(text, len, &a, &why) == APR_SUCCESS) {
        check_parsed(&in, text, len, &a);
    }
    else {
        FUZZ_HOLDS(why && *why);
    }
    check_pattern(&in, fuzz_line(&line), with_port);
    return fuzz_end(&in);
}
