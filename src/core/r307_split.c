/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the arithmetic of weighted splits. Must not know rules or requests.
 * Called by options and by decide.
 *
 * Which visitors a rule takes must never change with a new version: the hash
 * is written down in docs/directives.md, so that others can compute it too.
 */
#include "core/r307_split.h"

#include <apr_strings.h>

#define DECIMALS 3
#define HUNDRED 100000          /* percent, in thousandths */

/* FNV-1a, 64 bits. */
#define FNV_BASIS APR_UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME APR_UINT64_C(0x100000001b3)

/* ---- options ---- */

static int is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* Appends the digits at *p, at most max, to the number. Returns how many
 * there were. */
static int take_digits(const char **p, int max, apr_uint32_t *number)
{
    int n = 0;

    for (; n < max && is_digit(**p); n++, ++*p) {
        *number = *number * 10 + (apr_uint32_t)(**p - '0');
    }
    return n;
}

apr_status_t r307_split_parse_percent(const char *text, r307_split_t *out)
{
    apr_uint32_t thousandths = 0;
    int decimals = 0;

    if (!take_digits(&text, 3, &thousandths)) {
        return APR_EINVAL;
    }
    if (*text == '.') {
        text++;
        decimals = take_digits(&text, DECIMALS, &thousandths);
        if (!decimals) {
            return APR_EINVAL;
        }
    }
    for (; decimals < DECIMALS; decimals++) {
        thousandths *= 10;
    }
    if (*text || thousandths > HUNDRED) {
        return APR_EINVAL;
    }
    out->everybody = thousandths == HUNDRED;
    out->share = out->everybody ? 0xffffffff
        : (apr_uint32_t)((((apr_uint64_t)thousandths << 32) + HUNDRED / 2)
                         / HUNDRED);
    return APR_SUCCESS;
}

/* RFC 9110 section 5.6.2. */
static int is_token(const char *s)
{
    const char *first = s;

    while (is_digit(*s) || (unsigned char)((*s | 0x20) - 'a') < 26
           || (*s && strchr("!#$%&'*+-.^_`|~", *s))) {
        s++;
    }
    return s > first && !*s;
}

apr_status_t r307_split_parse_sticky(apr_pool_t *pool, const char *text,
                                     r307_split_t *out)
{
    static const struct {
        const char *prefix;
        r307_sticky_t sticky;
    } named[] = {
        { "cookie:", R307_STICKY_COOKIE },
        { "header:", R307_STICKY_HEADER }
    };
    int i;

    if (strcmp(text, "ip") == 0) {
        out->sticky = R307_STICKY_IP;
        out->name = NULL;
        return APR_SUCCESS;
    }
    for (i = 0; i < 2; i++) {
        apr_size_t len = strlen(named[i].prefix);
        if (strncmp(text, named[i].prefix, len) == 0
            && is_token(text + len)) {
            out->sticky = named[i].sticky;
            out->name = apr_pstrdup(pool, text + len);
            return APR_SUCCESS;
        }
    }
    return APR_EINVAL;
}

/* ---- requests ---- */

static apr_uint64_t fnv(apr_uint64_t h, const char *s, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        h = (h ^ (unsigned char)s[i]) * FNV_PRIME;
    }
    return h;
}

/*
 * FNV-1a over the salt, a NUL and the key. Its bits are uneven, and the last
 * bytes of a key hardly reach the upper ones; so it is mixed once more, as
 * MurmurHash3 closes its 64-bit hash. The upper half decides.
 */
static apr_uint32_t point(const char *key, apr_size_t len, const char *salt)
{
    apr_uint64_t h = fnv(FNV_BASIS, salt, strlen(salt) + 1);

    h = fnv(h, key, len);
    h = (h ^ h >> 33) * APR_UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * APR_UINT64_C(0xc4ceb9fe1a85ec53);
    return (apr_uint32_t)((h ^ h >> 33) >> 32);
}

int r307_split_holds(const r307_split_t *split, const char *key,
                     apr_size_t key_len, const char *salt)
{
    return r307_split_holds_drawn(split, point(key, key_len, salt));
}

int r307_split_holds_drawn(const r307_split_t *split, apr_uint32_t drawn)
{
    return split->everybody || drawn < split->share;
}
