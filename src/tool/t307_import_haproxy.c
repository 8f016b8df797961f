/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns reading HAProxy's map files. A line is a key and, behind blanks, the
 * rest of the line as value. What a key means is not in the file: --type is
 * the converter (map_beg: "beg") that asks it, --key what it is asked with.
 * Answers are those of `redirect location %[...,map(file)] ignore-empty`,
 * which drops the request's query.
 */
#include "tool/t307_import.h"

#include <apr_lib.h>
#include <apr_network_io.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

typedef struct line_t {
    const char *key;
    const char *value;
    int line;
    int weight;                 /* of trees: the longest match wins */
} line_t;

/* Split "10.0.0.0/8"; its prefix length, -1 when it is none. */
static int prefix_of(apr_pool_t *pool, const char *key)
{
    char *address = apr_pstrdup(pool, key);
    char *slash = strchr(address, '/');
    apr_ipsubnet_t *net;

    if (slash) {
        *slash++ = '\0';
    }
    if (!strpbrk(address, ".:")
        || apr_ipsubnet_create(&net, address, slash, pool) != APR_SUCCESS) {
        return -1;
    }
    return slash && !strchr(slash, '.') ? atoi(slash) : slash ? -1 : 128;
}

static const char *regex_of(t307_import_t *im, const char *key)
{
    const char *path = t307_import_decode(im->pool, key, strlen(key));
    const char *q = path ? t307_import_quote_regex(im->pool, path,
                                                   strlen(path)) : NULL;

    if (!q) {
        return NULL;
    }
    switch (*im->type) {
    case 'b': return apr_pstrcat(im->pool, "^", q, NULL);
    case 'e': return apr_pstrcat(im->pool, q, "$", NULL);
    case 'd': return apr_pstrcat(im->pool, "(?:^|/)", q, "(?:/|$)", NULL);
    default: return q;
    }
}

/* "dir" compares whole segments, and slashes around the key mean nothing. */
static const char *without_slashes(apr_pool_t *pool, const char *key)
{
    apr_size_t len;

    key += strspn(key, "/");
    len = strlen(key);
    while (len && key[len - 1] == '/') {
        len--;
    }
    return apr_pstrmemdup(pool, key, len);
}

static int take_path(t307_import_t *im, t307_import_rule_t *rule,
                     const char *key)
{
    rule->kind = R307_RULE_REGEX;
    if (strncmp(im->type, "reg", 3) == 0) {
        rule->path = strchr(key, '%') ? NULL : key;
    }
    else if (strcmp(im->type, "str") == 0) {
        rule->kind = R307_RULE_EXACT;
        rule->path = t307_import_decode(im->pool, key, strlen(key));
    }
    else {
        rule->path = regex_of(im, *im->type == 'd'
                              ? without_slashes(im->pool, key) : key);
    }
    if (!rule->path) {
        t307_import_lose(im, rule, 1, rule->line, "the key '%s' is compared "
                         "with the path before it is decoded",
                         t307_import_show(im, key));
    }
    return rule->path != NULL;
}

static int take_host(t307_import_t *im, t307_import_rule_t *rule,
                     const char *key)
{
    rule->kind = R307_RULE_REGEX;
    rule->path = "^";
    if (strcmp(im->type, "str") == 0 && t307_import_is_host(key)) {
        rule->hosts = key;
        return 1;
    }
    if (strcmp(im->type, "end") == 0 && *key == '.'
        && t307_import_is_host(key + 1)) {
        rule->hosts = apr_pstrcat(im->pool, "*", key, NULL);
        return 1;
    }
    t307_import_lose(im, rule, 1, rule->line, "of hosts, only whole names "
                     "(str) and '.name' (end) can be carried over");
    return 0;
}

static int take_address(t307_import_t *im, t307_import_rule_t *rule,
                        const char *key)
{
    rule->kind = R307_RULE_REGEX;
    rule->path = "^";
    if (prefix_of(im->pool, key) < 0) {
        t307_import_lose(im, rule, 1, rule->line, "'%s' is no address and "
                         "no network", t307_import_show(im, key));
        return 0;
    }
    t307_import_and(im, rule, apr_psprintf(im->pool, "-R '%s'", key));
    return 1;
}

/* "\1" of regm is "$1" here. */
static const char *captures(apr_pool_t *pool, const char *value)
{
    char *out = apr_palloc(pool, 3 * strlen(value) + 1), *to = out;

    for (; *value; value++) {
        if (*value == '\\' && apr_isdigit(value[1])) {
            *to++ = '$';
            *to++ = *++value;
            continue;
        }
        value += *value == '\\' && value[1] == '\\';
        if (*value == '%' && value[1] == '{') {
            memcpy(to, "%25", 3);
            to += 3;
            continue;
        }
        if (*value == '$' || *value == '\\') {
            *to++ = '\\';
        }
        *to++ = *value;
    }
    *to = '\0';
    return out;
}

static void add(t307_import_t *im, const line_t *from)
{
    t307_import_rule_t *rule = t307_import_rule(im, R307_RULE_EXACT,
                                                from->line);
    const char *query = im->query ? im->query : "drop";
    int good = strcmp(im->type, "ip") == 0
        ? take_address(im, rule, from->key)
        : im->key && strcmp(im->key, "host") == 0
        ? take_host(im, rule, from->key) : take_path(im, rule, from->key);

    if (!good) {
        return;
    }
    rule->query = strcmp(query, "keep") == 0 ? NULL : query;
    if (!*from->value) {
        rule->query = NULL;
        t307_import_add(im, rule);      /* ignore-empty */
        return;
    }
    rule->target = strcmp(im->type, "regm") == 0
        ? captures(im->pool, from->value)
        : t307_import_quote_target(im->pool, from->value,
                                   strlen(from->value),
                                   rule->kind == R307_RULE_REGEX);
    t307_import_add(im, rule);
}

static void take_line(t307_import_t *im, apr_array_header_t *lines,
                      char *text, int line)
{
    apr_size_t len;
    line_t *l;

    text += strspn(text, " \t");
    if (!*text || *text == '#') {
        return;
    }
    len = strcspn(text, " \t");
    l = apr_array_push(lines);
    l->key = apr_pstrmemdup(im->pool, text, len);
    text += len + strspn(text + len, " \t");
    len = strlen(text);
    while (len && apr_isspace(text[len - 1])) {
        len--;
    }
    l->value = apr_pstrmemdup(im->pool, text, len);
    l->line = line;
    l->weight = 0;
    if (strcmp(im->type, "beg") == 0) {
        l->weight = (int)strlen(l->key);
    }
    else if (strcmp(im->type, "ip") == 0) {
        l->weight = prefix_of(im->pool, l->key);
    }
    if (!t307_import_is_new(im, l->key, line)) {
        apr_array_pop(lines);
    }
}

static int longest_first(const void *a, const void *b)
{
    const line_t *x = a, *y = b;

    return x->weight != y->weight ? y->weight - x->weight
        : x->line - y->line;
}

static void read_map(t307_import_t *im, char *text, apr_size_t len)
{
    apr_array_header_t *lines = apr_array_make(im->pool, 64, sizeof(line_t));
    char *line;
    int n = 0, i;

    (void)len;
    im->type = im->type ? im->type : "str";
    while ((line = t307_import_line(im, &text, &n)) != NULL) {
        take_line(im, lines, line, n);
    }
    qsort(lines->elts, (size_t)lines->nelts, sizeof(line_t), longest_first);
    for (i = 0; i < lines->nelts && !im->failed; i++) {
        add(im, &APR_ARRAY_IDX(lines, i, line_t));
    }
}

const t307_import_format_t t307_import_haproxy = {
    "haproxy-map", read_map, NULL, 1, "path host",
    "str beg end sub dir reg regm ip"
};
