/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns finding regular expressions that explode. Must not know rules beyond
 * their expression. Declared in r307_lint.h.
 *
 * Whether an expression can need exponential time is hard to read off it, and
 * a wrong alarm costs trust. So those that repeat a group are tried on paths
 * made of their own characters, with the limit of backtracking that the
 * server has: what runs into it here does so there, too.
 */
#include "core/r307_lint.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

/* Repetitions in a path that is tried: 2^30 steps if each doubles them, and
 * a cubic expression over 250,000, too, with a path that a browser sends. */
#define REPEATS 120

#define FILLS_MAX 24            /* different characters that are tried */

/* Does a group in it have an unbounded repetition behind it? */
static int repeats_group(const char *pattern)
{
    const char *s = r307_lint_syntax(pattern);

    for (; *s; s = r307_lint_syntax(s + 1)) {
        if (*s == ')' && (s[1] == '*' || s[1] == '+' || s[1] == '{')) {
            return 1;
        }
    }
    return 0;
}

/* Characters that the pattern names, and some for its classes. */
static const char *fills(apr_pool_t *pool, const char *pattern)
{
    static const char usual[] = "a0/-_.";
    char *set = apr_pcalloc(pool, FILLS_MAX + 1);
    apr_size_t n = sizeof usual - 1;
    const char *s;

    memcpy(set, usual, n);
    for (s = pattern; *s && n < FILLS_MAX; s++) {
        if (apr_isalnum(*s) && !strchr(set, *s)) {
            set[n++] = *s;
        }
    }
    return set;
}

/* "/" and the literal beginning, the fill over and over, and what no
 * expression for paths ends in. */
static int explodes_on(r307_lint_t *lint, const r307_rule_t *rule,
                       const char *fill, char **path)
{
    const r307_literal_t *literal = r307_regex_literal(rule->regex);
    apr_size_t head = literal->len, len = strlen(fill), i;
    r307_scratch_t scratch = { NULL, 0 };
    r307_captures_t captures;
    char *s;

    *path = s = apr_palloc(lint->pool, head + 1 + len * REPEATS + 2);
    memcpy(s, head ? literal->bytes : "/", head ? head : 1);
    s += head ? head : 1;
    for (i = 0; i < REPEATS; i++) {
        memcpy(s, fill, len);
        s += len;
    }
    *s++ = '\n';
    *s = '\0';
    return r307_regex_match(rule->regex, *path, (apr_size_t)(s - *path),
                            &captures, &scratch, lint->pool) == APR_ENOSPC;
}

static void tell(r307_lint_t *lint, const r307_rule_t *rule, char *path,
                 const char *fill)
{
    const r307_literal_t *literal = r307_regex_literal(rule->regex);

    path[literal->len ? literal->len : 1] = '\0';
    r307_lint_tell(lint, rule, "explodes", apr_psprintf(
        lint->pool, "a path of '%s' and %d times '%s' makes it reach the "
        "limit of backtracking: the request costs milliseconds and is "
        "answered 404", path, REPEATS, fill),
        "let only one of the nested repetitions be unbounded, or make the "
        "inner one possessive: (?:a++)+");
}

void r307_lint_regex(r307_lint_t *lint, const r307_rule_t *rule)
{
    char one[2] = "", two[3] = "", *path;
    const char *set;

    if (rule->kind != R307_RULE_REGEX || !repeats_group(rule->path)
        || lint->tried >= R307_LINT_TRIED_MAX) {
        return;
    }
    lint->tried++;
    for (set = fills(lint->pool, rule->path); *set; set++) {
        one[0] = two[0] = *set;
        two[1] = '/';
        if (explodes_on(lint, rule, one, &path)) {
            tell(lint, rule, path, one);
            return;
        }
        if (explodes_on(lint, rule, two, &path)) {
            tell(lint, rule, path, two);
            return;
        }
    }
}
