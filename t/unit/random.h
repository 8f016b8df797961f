/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* Random rules, paths and hosts, and what a set finds for them. The same
 * ones at every run. */
#ifndef RANDOM_H
#define RANDOM_H

#include "core/r307_authority.h"
#include "core/r307_ruleset.h"

static apr_uint32_t random_state = 307;

static inline unsigned dice(unsigned sides)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % sides;
}

static inline const char *pick(const char *const *of, unsigned n)
{
    return of[dice(n)];
}

/* Few, so that prefixes are shared; odd, so that nothing is taken for
 * granted. */
static inline const char *segment(void)
{
    static const char *const words[] = {
        "a", "b", "ab", "shop", "item", "1", "2", "\xc3\xa9", "x.y", "a+b",
        "%20", "-", "~", "longer-than-eight", "exactly8", "\x01\x7f", ";p=1",
        "a b", "A", "=", "a-very-long-segment-over-sixteen-bytes"
    };

    return pick(words, TABLE(words));
}

/* merge: no doubled slashes */
static inline char *random_path(apr_pool_t *pool, int merge)
{
    unsigned n = dice(8) ? dice(6) : dice(70), i;
    char *path = apr_pstrdup(pool, "/");

    for (i = 0; i < n; i++) {
        path = apr_pstrcat(pool, path, segment(),
                           i + 1 < n || dice(4) == 0 ? "/" : "",
                           !merge && dice(20) == 0 ? "//" : "", NULL);
    }
    return path;
}

static inline const char *random_host(int pattern)
{
    static const char *const hosts[] = {
        "a.example", "b.a.example", "c.b.a.example", "example", "b.example"
    };
    static const char *const patterns[] = {
        "*.a.example", "*.example", "*.b.a.example"
    };

    return pattern && dice(2) ? pick(patterns, TABLE(patterns))
                              : pick(hosts, TABLE(hosts));
}

/* A regular expression near the paths. */
static inline const char *random_regex(apr_pool_t *pool)
{
    static const char *const tails[] = {
        "/(.*)$", "$", "(/.*)?$", "/?$", "", ".", "/[ab]", "(/|$)", "*",
        "/a|/b", "/(?:a|b)"
    };
    const char *s = random_path(pool, 1);
    char *out = apr_pstrdup(pool, dice(5) ? "^" : "");
    apr_size_t n = strlen(s);

    for (n -= n > 1 && s[n - 1] == '/'; n > 0; n--, s++) {
        const char byte[3] = { '\\', *s, '\0' };
        out = apr_pstrcat(pool, out, strchr(".+*", *s) ? byte : byte + 1,
                          NULL);
    }
    return apr_pstrcat(pool, out, pick(tails, TABLE(tails)), NULL);
}

/* One line of a rule file. Blanks are quoted. */
static inline const char *random_line(apr_pool_t *pool)
{
    unsigned kind = dice(10);

    if (kind < 2) {
        return apr_pstrcat(pool, "\"~", random_regex(pool),
                           "\" https://t.example/", NULL);
    }
    return apr_pstrcat(pool, "\"", dice(4) ? "" : random_host(1),
                       random_path(pool, dice(10) != 0),
                       "\" https://t.example/",
                       kind < 4 ? " exact" : "", NULL);
}

static inline int host_holds(const r307_rule_t *rule, const char *host)
{
    return !rule->when || !rule->when->hosts
           || (host && r307_host_pattern_any(rule->when->hosts, host,
                                             strlen(host)));
}

/* The lines of all candidates whose host holds, in order. */
static inline int lines_of(const r307_ruleset_t *set, const char *host,
                           const char *path, apr_pool_t *pool, int *lines,
                           r307_match_t *matches)
{
    r307_scratch_t scratch = { NULL, 0 };
    r307_search_t search;
    r307_match_t match;
    int n = 0;

    r307_search_init(&search, host, path, strlen(path), &scratch, pool);
    if (!r307_search_begin(&search, set, NULL, NULL)) {
        return 0;
    }
    while (r307_search_next(&search, &match) == APR_SUCCESS) {
        if (host_holds(match.rule, host)) {
            if (matches) {
                matches[n] = match;
            }
            lines[n++] = match.rule->line;
        }
    }
    return n;
}

#endif
