/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns reading the text files of mod_rewrite's RewriteMap, txt: and rnd:. A
 * line is a key, blanks, a value; what follows is ignored, as are lines that
 * begin with '#' or a blank. The map does not say what it is asked with, nor
 * with which status and flags its values are sent.
 */
#include "tool/t307_import.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

/* mod_rewrite reads no longer ones. */
#define LINE_MAX_BYTES 1022

/* Alternatives of a rnd: value. */
#define ALTERNATIVES_MAX 100

static int has_upper(const char *s)
{
    while (*s && !apr_isupper(*s)) {
        s++;
    }
    return *s != '\0';
}

/* The rule's path, or a loss. */
static int take_key(t307_import_t *im, t307_import_rule_t *rule,
                    const char *key)
{
    int slash = *key == '/';

    if (strcmp(im->key, "relative") == 0 ? slash : !slash) {
        t307_import_lose(im, NULL, 0, rule->line, "no request has the key "
                         "'%s' where the map is asked with a path %s; see "
                         "--key", t307_import_show(im, key),
                         slash ? "that has no slash in front"
                               : "from the slash on");
        return 0;
    }
    rule->path = slash ? key : apr_pstrcat(im->pool, "/", key, NULL);
    if (strcmp(im->key, "lower") != 0) {
        return 1;
    }
    if (has_upper(key)) {
        t307_import_lose(im, NULL, 0, rule->line, "the key '%s' has capital "
                         "letters, and the map is asked in lower case",
                         t307_import_show(im, key));
        return 0;
    }
    rule->kind = R307_RULE_REGEX;
    rule->path = apr_pstrcat(im->pool, "(?i)^", t307_import_quote_regex(
                                 im->pool, rule->path, strlen(rule->path)),
                             "$", NULL);
    return 1;
}

static void add_value(t307_import_t *im, const t307_import_rule_t *like,
                      const char *value, const char *percent)
{
    t307_import_rule_t *rule = apr_pmemdup(im->pool, like, sizeof *like);

    rule->target = t307_import_quote_target(im->pool, value, strlen(value),
                                            like->kind == R307_RULE_REGEX);
    rule->percent = percent;
    t307_import_add(im, rule);
}

/* weight of total as percent=; NULL when three decimals do not do. */
static const char *share(apr_pool_t *pool, int weight, int total)
{
    int n = weight * 100000 / total;

    return weight * 100000 % total ? NULL
        : n % 1000 ? apr_psprintf(pool, "%d.%03d", n / 1000, n % 1000)
        : apr_psprintf(pool, "%d", n / 1000);
}

/* "a|b|b": each rule takes its share of what those before it have left. */
static void add_random(t307_import_t *im, t307_import_rule_t *rule,
                       char *value)
{
    const char *names[ALTERNATIVES_MAX], *percent[ALTERNATIVES_MAX];
    int weights[ALTERNATIVES_MAX], n = 0, total = 0, i;
    char *state, *one;

    for (one = apr_strtok(value, "|", &state); one;
         one = apr_strtok(NULL, "|", &state)) {
        for (i = 0; i < n && strcmp(names[i], one) != 0; i++) {
            continue;
        }
        if (i == ALTERNATIVES_MAX) {
            t307_import_lose(im, rule, 0, rule->line, "more than %d "
                             "alternatives", ALTERNATIVES_MAX);
            return;
        }
        if (i == n) {
            names[n] = one;
            weights[n++] = 0;
        }
        weights[i]++;
        total++;
    }
    for (i = 0; i < n; total -= weights[i++]) {
        percent[i] = share(im->pool, weights[i], total);
        if (!percent[i]) {
            t307_import_lose(im, rule, 0, rule->line, "%d of %d is no "
                             "percentage with three decimals", weights[i],
                             total);
            return;
        }
    }
    for (i = 0; i < n; i++) {
        add_value(im, rule, names[i], i == n - 1 ? NULL : percent[i]);
    }
}

static void take_line(t307_import_t *im, char *text, int line)
{
    t307_import_rule_t *rule = t307_import_rule(im, R307_RULE_EXACT, line);
    apr_size_t len = strlen(text);
    char *state, *key, *value;

    if (!*text || *text == '#') {
        return;
    }
    if (apr_isspace(*text)) {
        if (text[strspn(text, " \t\v\f\r")] && text[strspn(text, " \t")]
            != '#') {
            t307_import_warn(im, line, "left out, as mod_rewrite does with "
                             "lines that begin with a blank");
        }
        return;
    }
    key = apr_strtok(text, " \t\v\f\r", &state);
    value = apr_strtok(NULL, " \t\v\f\r", &state);
    if (!value || len > LINE_MAX_BYTES) {
        t307_import_lose(im, NULL, 0, line, value
                         ? "mod_rewrite cuts lines of this length in two"
                         : "the key has no value");
        return;
    }
    if (!im->key) {
        im->key = *key == '/' ? "path" : "relative";
    }
    if (!take_key(im, rule, key) || !t307_import_is_new(im, key, line)) {
        return;
    }
    rule->query = im->query && strcmp(im->query, "keep") ? im->query : NULL;
    if (im->type && strcmp(im->type, "rnd") == 0) {
        add_random(im, rule, value);
        return;
    }
    add_value(im, rule, value, NULL);
}

static void read_map(t307_import_t *im, char *text, apr_size_t len)
{
    char *line;
    int n = 0;

    (void)len;
    while ((line = t307_import_line(im, &text, &n)) != NULL) {
        take_line(im, line, n);
    }
}

const t307_import_format_t t307_import_rewritemap = {
    "rewritemap", read_map, NULL, 1, "path relative lower", "txt rnd"
};
