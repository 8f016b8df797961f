/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what can be known of a pattern without running it. Called by regex;
 * the index files expressions by what is found here.
 */
#include "core/r307_literal.h"

#include "core/r307_regex.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

/* The literal that the pattern (behind '^') opens with; *rest is what
 * follows it. The last byte is left out when a quantifier makes it
 * optional. */
static apr_size_t take_literal(const char *pattern, char *out,
                               const char **rest)
{
    const char *s = pattern, *last = pattern;
    apr_size_t n = 0;

    while (*s && (!strchr(".*+?()[]{}|^$\\", *s)
                  || (*s == '\\' && s[1] && !apr_isalnum(s[1])))) {
        last = s;
        s += *s == '\\';
        out[n++] = *s++;
    }
    if (n > 0 && *s && strchr("*?{", *s)) {
        n--;
        s = last;
    }
    *rest = s;
    return n;
}

/* May what follows the literal only go on with a slash, or end? Then the
 * literal's last segment is whole. */
static int ends_segment(const char *rest, int flags)
{
    static const char *const tails[] = {
        "$", "/?$", "(/.*)?$", "(?:/.*)?$", "(/.+)?$", "(?:/.+)?$",
        "(/|$)", "(?:/|$)", "(|/.*)$", "(?:|/.*)$", NULL
    };
    int i;

    for (i = 0; (flags & R307_REGEX_DOLLAR_ENDONLY) && tails[i]; i++) {
        if (strcmp(rest, tails[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

/* A '|' outside of all groups means that the pattern has other
 * beginnings. */
static int has_alternatives(const char *s)
{
    int depth = 0;

    for (; *s; s++) {
        if (*s == '\\' && s[1]) {
            s++;
        }
        else if (*s == '[') {
            s += s[1] == '^';
            s += s[1] == ']';
            while (s[1] && s[1] != ']') {
                s += s[1] == '\\' && s[2] ? 2 : 1;
            }
        }
        else if (*s == '(') {
            depth++;
        }
        else if (*s == ')') {
            depth--;
        }
        else if (*s == '|' && depth <= 0) {
            return 1;
        }
    }
    return 0;
}

/* Keys hold no slashes in a row, nor do the paths that are compared with
 * them. */
static const char *single_slashes(apr_pool_t *pool, const char *s,
                                  apr_size_t len)
{
    char *key = apr_palloc(pool, len + 1);
    apr_size_t i, n = 0;

    for (i = 0; i < len; i++) {
        if (s[i] != '/' || n == 0 || key[n - 1] != '/') {
            key[n++] = s[i];
        }
    }
    key[n] = '\0';
    return key;
}

void r307_literal_find(apr_pool_t *pool, const char *pattern, int flags,
                       r307_literal_t *out)
{
    char *bytes = apr_palloc(pool, strlen(pattern) + 1);
    const char *rest;
    apr_size_t n;

    out->bytes = out->key = "";
    out->len = 0;
    if (pattern[0] != '^' || strstr(pattern, "\\Q")
        || (flags & (R307_REGEX_ICASE | R307_REGEX_EXTENDED
                     | R307_REGEX_MULTILINE))
        || has_alternatives(pattern)) {
        return;
    }
    n = take_literal(pattern + 1, bytes, &rest);
    bytes[n] = '\0';
    out->bytes = bytes;
    out->len = n;
    while (n > 0 && bytes[n - 1] != '/' && !ends_segment(rest, flags)) {
        n--;
    }
    while (n > 0 && bytes[n - 1] == '/') {
        n--;
    }
    if (n > 0 && bytes[0] == '/') {
        out->key = single_slashes(pool, bytes, n);
    }
}
