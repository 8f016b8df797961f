/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what counts as a host and a port. Must not know rules or requests.
 * Called by target, location, options and by the server side.
 */
#include "core/r307_authority.h"

#include "core/r307_encode.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <arpa/inet.h>
#include <strings.h>

#define HOST_MAX 255            /* RFC 1035 section 3.1 */
#define PORT_MAX 65535

/* s is what stands between the brackets. */
static int is_ipv6(const char *s, apr_size_t len)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;

    if (len == 0 || len >= sizeof text || memchr(s, '\0', len)) {
        return 0;
    }
    apr_cpystrn(text, s, len + 1);
    return inet_pton(AF_INET6, text, &addr) == 1;
}

/* "a..b" and "a.." are names to nobody; some clients mend them. */
static int has_empty_label(const char *s, apr_size_t len)
{
    apr_size_t i;

    for (i = 1; i < len; i++) {
        if (s[i] == '.' && s[i - 1] == '.') {
            return 1;
        }
    }
    return 0;
}

static int is_name(const char *s, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if (!r307_encode_legal((unsigned char)s[i], R307_UNRESERVED)) {
            return 0;
        }
    }
    return s[0] != '.' && !has_empty_label(s, len);
}

/* Length of the host part, or 0 with *why set. */
static apr_size_t host_length(const char *s, apr_size_t len, const char **why)
{
    const char *end;
    apr_size_t n;

    if (len > 0 && s[0] == '[') {
        end = memchr(s, ']', len);
        n = end ? (apr_size_t)(end - s) + 1 : 0;
        if (!end || !is_ipv6(s + 1, n - 2)) {
            *why = "the brackets do not hold an IPv6 address";
            return 0;
        }
        return n;
    }
    end = memchr(s, ':', len);
    n = end ? (apr_size_t)(end - s) : len;
    if (n == 0) {
        *why = "the host is missing";
    }
    else if (n > HOST_MAX) {
        *why = "the host is longer than 255 bytes";
    }
    else if (memchr(s, '@', len)) {
        *why = "user names and passwords have no place in a redirect";
    }
    else if (!is_name(s, n)) {
        *why = "the host has a character that no host name has";
    }
    else {
        return n;
    }
    return 0;
}

/* s begins with ':'. Returns R307_PORT_NONE with *why set on failure. */
static int parse_port(const char *s, apr_size_t len, const char **why)
{
    apr_size_t i;
    int port = 0;

    if (len == 1) {
        *why = "the port is missing after ':'";
        return R307_PORT_NONE;
    }
    for (i = 1; i < len; i++) {
        if (!apr_isdigit(s[i])) {
            *why = "the port is not a number";
            return R307_PORT_NONE;
        }
        port = port * 10 + (s[i] - '0');
        if (port > PORT_MAX) {
            *why = "the port is over 65535";
            return R307_PORT_NONE;
        }
    }
    return port;
}

apr_status_t r307_authority_parse(const char *s, apr_size_t len,
                                  r307_authority_t *out, const char **why)
{
    apr_size_t n = host_length(s, len, why);
    int port = R307_PORT_NONE;

    if (n == 0) {
        return APR_EINVAL;
    }
    if (n < len && s[n] != ':') {
        *why = "something other than ':port' follows the brackets";
        return APR_EINVAL;
    }
    if (n < len) {
        port = parse_port(s + n, len - n, why);
        if (port == R307_PORT_NONE) {
            return APR_EINVAL;
        }
    }
    out->host = s;
    out->host_len = n;
    out->port = port;
    return APR_SUCCESS;
}

int r307_authority_default_port(const char *scheme, apr_size_t len)
{
    static const struct {
        const char *scheme;
        int port;
    } known[] = {
        { "http", 80 }, { "https", 443 }, { "ws", 80 }, { "wss", 443 },
        { "ftp", 21 }
    };
    apr_size_t i;

    for (i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strlen(known[i].scheme) == len
            && strncasecmp(known[i].scheme, scheme, len) == 0) {
            return known[i].port;
        }
    }
    return 0;
}

/* Leave out a final dot, and the brackets of an IPv6 address: servers store
 * such a host without them. */
static apr_size_t bare_host(const char **host, apr_size_t len)
{
    if (len > 2 && (*host)[0] == '[' && (*host)[len - 1] == ']') {
        (*host)++;
        return len - 2;
    }
    return len > 1 && (*host)[len - 1] == '.' ? len - 1 : len;
}

int r307_authority_same_host(const char *a, apr_size_t a_len, const char *b,
                             apr_size_t b_len)
{
    a_len = bare_host(&a, a_len);
    b_len = bare_host(&b, b_len);
    return a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

/* Cut ":*" or ":port" off text; text ends up as the bare host. */
static apr_status_t take_port(char *text, int *port, const char **why)
{
    apr_size_t len = strlen(text);
    r307_authority_t authority;

    *port = R307_PORT_NONE;
    if (len > 2 && strcmp(text + len - 2, ":*") == 0) {
        text[len - 2] = '\0';
        *port = R307_PORT_ANY;
        len -= 2;
    }
    if (r307_authority_parse(text, len, &authority, why) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    if (authority.port != R307_PORT_NONE) {
        if (*port == R307_PORT_ANY) {
            *why = "two ports";
            return APR_EINVAL;
        }
        *port = authority.port;
    }
    text[authority.host_len] = '\0';
    return APR_SUCCESS;
}

apr_status_t r307_host_pattern_parse(apr_pool_t *pool, const char *s,
                                     int with_port, r307_host_pattern_t *out,
                                     r307_error_t *err)
{
    int subdomains = strncmp(s, "*.", 2) == 0, port;
    char *name = apr_pstrdup(pool, s + (subdomains ? 2 : 0));
    const char *why = NULL;

    if (take_port(name, &port, &why) != APR_SUCCESS) {
        return r307_error_set(err, "R307-0110: '%s' is not a host (%s); write "
                              "a name such as www.example.com, or "
                              "*.example.com for every name below it",
                              r307_error_show(err, s, strlen(s)), why);
    }
    if (port != R307_PORT_NONE && !with_port) {
        return r307_error_set(err, "R307-0111: '%s' has a port, and only the "
                              "host name is compared here; write '%s%s'", s,
                              subdomains ? "*." : "", name);
    }
    out->name = name;
    out->len = bare_host(&out->name, strlen(name));
    out->name = apr_pstrmemdup(pool, out->name, out->len);
    out->subdomains = subdomains;
    out->port = port;
    return APR_SUCCESS;
}

static int covers(const r307_host_pattern_t *p, const char *host,
                  apr_size_t len)
{
    len = bare_host(&host, len);
    if (!p->subdomains) {
        return r307_authority_same_host(p->name, p->len, host, len);
    }
    return len > p->len + 1 && host[len - p->len - 1] == '.'
           && strncasecmp(host + len - p->len, p->name, p->len) == 0;
}

int r307_host_pattern_any(const apr_array_header_t *patterns,
                          const char *host, apr_size_t len)
{
    int i;

    for (i = 0; i < patterns->nelts; i++) {
        if (covers(&APR_ARRAY_IDX(patterns, i, r307_host_pattern_t), host,
                   len)) {
            return 1;
        }
    }
    return 0;
}

static int allows_port(const r307_host_pattern_t *p, int port,
                       int default_port)
{
    if (p->port == R307_PORT_ANY) {
        return 1;
    }
    if (port == R307_PORT_NONE) {
        port = default_port;
    }
    return port == (p->port == R307_PORT_NONE ? default_port : p->port);
}

int r307_host_pattern_holds(const r307_host_pattern_t *pattern,
                            const r307_authority_t *authority,
                            int default_port)
{
    return covers(pattern, authority->host, authority->host_len)
           && allows_port(pattern, authority->port, default_port);
}

int r307_host_pattern_allows(const apr_array_header_t *patterns,
                             const r307_authority_t *authority,
                             const char *scheme, apr_size_t scheme_len)
{
    int default_port = r307_authority_default_port(scheme, scheme_len), i;

    for (i = 0; i < patterns->nelts; i++) {
        if (r307_host_pattern_holds(&APR_ARRAY_IDX(patterns, i,
                                                   r307_host_pattern_t),
                                    authority, default_port)) {
            return 1;
        }
    }
    return 0;
}
