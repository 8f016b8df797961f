/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns reading nginx's maps: a map block, or what stands in one.
 *
 *     map $uri $new {
 *         default     "";
 *         /old        /new;
 *         ~^/x/(.*)$  https://x.example/$1;
 *     }
 *
 * Plain keys come first and their case means nothing; then expressions in
 * their order; then the default. Answers are those of `return 302 $new`,
 * which drops the request's query.
 */
#include "tool/t307_import.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Words of a statement; maps have two. */
#define WORDS_MAX 8

typedef struct reader_t {
    t307_import_t *im;
    char *s;
    int line;
    char *words[WORDS_MAX];
    int quoted[WORDS_MAX];
    int n;
    int at;                     /* line of the statement's first word */
} reader_t;

/* Where an entry stands among all: by what nginx looks at first. */
typedef enum order_t { PLAIN, MASK, EXPRESSION, DEFAULT } order_t;

typedef struct pair_t {
    order_t order;
    const char *key;
    const char *value;
    int line;
} pair_t;

/* ---- words ---- */

static void skip_blanks(reader_t *r)
{
    for (;;) {
        if (*r->s == '#') {
            r->s += strcspn(r->s, "\n");
        }
        else if (*r->s && strchr(" \t\r\n", *r->s)) {
            r->line += *r->s++ == '\n';
        }
        else {
            return;
        }
    }
}

/* Quotes end a word; a backslash keeps the next byte from meaning anything
 * and stays, except in front of quotes, backslashes and blanks. */
static char *next_word(reader_t *r, int *quoted)
{
    char quote = *r->s == '"' || *r->s == '\'' ? *r->s++ : '\0';
    char *from = r->s, *to = r->s, *word = r->s;

    while (*from && (quote ? *from != quote
                           : strchr(" \t\r\n;{", *from) == NULL
                             || (*from == '{' && from > word
                                 && from[-1] == '$'))) {
        if (!quote && *from == '{') {           /* "${name}" */
            while (*from && *from != '}') {
                *to++ = *from++;
            }
            continue;
        }
        if (*from == '\\' && from[1]) {
            if (strchr("\"'\\ \t;", from[1]) && from[1] != '\\') {
                from++;
            }
            else if (from[1] == '\\') {
                *to++ = *from++;
            }
        }
        r->line += *from == '\n';
        *to++ = *from++;
    }
    *quoted = quote != '\0';
    r->s = from + (quote && *from);
    return apr_pstrmemdup(r->im->pool, word, (apr_size_t)(to - word));
}

/* The next statement; what ends it: ';', '{', '}', or 0 at the end. */
static char next_statement(reader_t *r)
{
    r->n = 0;
    skip_blanks(r);
    r->at = r->line;
    while (*r->s && !strchr(";{}", *r->s)) {
        int quoted;
        char *word = next_word(r, &quoted);

        if (r->n < WORDS_MAX) {
            r->quoted[r->n] = quoted;
            r->words[r->n] = word;
        }
        r->n++;
        skip_blanks(r);
    }
    return *r->s ? *r->s++ : '\0';
}

/* ---- values ---- */

static int is_variable(const char *s, apr_size_t len, const char *name)
{
    return strlen(name) == len && strncmp(s, name, len) == 0;
}

/* Does the expression have a group of that name? */
static int has_group(const char *regex, const char *name, apr_size_t len)
{
    const char *s = regex;

    while ((s = strchr(s, '<')) != NULL) {
        s++;
        if (strncmp(s, name, len) == 0 && s[len] == '>') {
            return 1;
        }
    }
    return 0;
}

/* One variable of a value; NULL when it has no counterpart. rest: what
 * follows it. */
static const char *variable(t307_import_t *im, t307_import_rule_t *rule,
                            const char *s, apr_size_t len, const char *rest)
{
    int regex = rule->kind == R307_RULE_REGEX;

    if (len == 1 && apr_isdigit(*s) && regex) {
        return apr_pstrcat(im->pool, "$", apr_pstrmemdup(im->pool, s, 1),
                           NULL);
    }
    if (is_variable(s, len, "uri") || is_variable(s, len, "document_uri")) {
        return "%{REQUEST_URI}";
    }
    if (is_variable(s, len, "request_uri") && !*rest) {
        rule->query = NULL;
        return "%{REQUEST_URI}";
    }
    if (is_variable(s, len, "is_args") && (strcmp(rest, "$args") == 0
                                           || strcmp(rest, "$query_string")
                                              == 0)) {
        rule->query = NULL;
        return "";
    }
    if ((is_variable(s, len, "args") || is_variable(s, len, "query_string"))
        && !*rest) {
        return "";              /* "$is_args" stands before it, or below */
    }
    return regex && has_group(rule->path, s, len)
        ? apr_pstrcat(im->pool, "$<", apr_pstrmemdup(im->pool, s, len), ">",
                      NULL) : NULL;
}

/* The value as target; NULL with a loss. */
static const char *target_of(t307_import_t *im, t307_import_rule_t *rule,
                             const char *value)
{
    const char *out = "", *s = value, *text, *args = strstr(value, "$args");

    args = args ? args : strstr(value, "$query_string");
    if (args && (args - value < 8 || strncmp(args - 8, "$is_args", 8))) {
        return NULL;
    }
    while (*s) {
        apr_size_t len = strcspn(s, "$");
        int braces;

        out = apr_pstrcat(im->pool, out, t307_import_quote_target(
                              im->pool, s, len,
                              rule->kind == R307_RULE_REGEX), NULL);
        s += len;
        if (!*s++) {
            break;
        }
        braces = *s == '{';
        s += braces;
        len = apr_isdigit(*s) ? 1
            : strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
                     "WXYZ0123456789_");
        text = len ? variable(im, rule, s, len, s + len + (braces && s[len]
                                                           == '}')) : NULL;
        if (!text) {
            return NULL;
        }
        out = apr_pstrcat(im->pool, out, text, NULL);
        s += len + (braces && s[len] == '}');
    }
    return out;
}

/* ---- keys ---- */

/* The path of a plain key: whatever its case, unless requests are known to
 * come in that of the key. */
static int take_path(t307_import_t *im, t307_import_rule_t *rule,
                     const char *key)
{
    if (*key != '/') {
        t307_import_lose(im, NULL, 0, rule->line, "the key '%s' is no path, "
                         "so no request has it",
                         t307_import_show(im, key));
        return 0;
    }
    rule->kind = im->same_case ? R307_RULE_EXACT : R307_RULE_REGEX;
    rule->path = im->same_case ? key
        : apr_pstrcat(im->pool, "(?i)^",
                      t307_import_quote_regex(im->pool, key, strlen(key)),
                      "$", NULL);
    return 1;
}

static int take_request_uri(t307_import_t *im, t307_import_rule_t *rule,
                            const char *key)
{
    apr_size_t len = strcspn(key, "?");
    const char *path = t307_import_decode(im->pool, key, len);
    const char *query = t307_import_quote_expr(im->pool,
                                               key[len] ? key + len + 1
                                                        : "");

    if (!path || !query || !im->same_case) {
        t307_import_lose(im, NULL, 0, rule->line, !im->same_case
                         ? "the case of a query cannot be left open; "
                           "--same-case takes it as written"
                         : "the key has bytes that no rule can compare");
        return 0;
    }
    t307_import_and(im, rule, apr_pstrcat(im->pool, "%{QUERY_STRING} == ",
                                          query, NULL));
    return take_path(im, rule, path);
}

static int take_host(t307_import_t *im, t307_import_rule_t *rule,
                     const char *key)
{
    rule->kind = R307_RULE_REGEX;
    rule->path = "^";
    rule->hosts = *key == '.'
        ? apr_pstrcat(im->pool, key + 1, ",*", key, NULL) : key;
    if (!t307_import_is_host(key + (*key == '.' ? 1
                                    : strncmp(key, "*.", 2) ? 0 : 2))) {
        rule->hosts = NULL;
        t307_import_lose(im, rule, 1, rule->line, "the key is neither a host "
                         "name nor '*.name' nor '.name'");
        return 0;
    }
    return 1;
}

static int take_regex(t307_import_t *im, t307_import_rule_t *rule,
                      const char *key)
{
    int nocase = key[1] == '*';

    rule->kind = R307_RULE_REGEX;
    rule->path = apr_pstrcat(im->pool, nocase ? "(?i)" : "",
                             key + 1 + nocase, NULL);
    if (strcmp(im->key, "uri") != 0) {
        rule->path = NULL;
        t307_import_lose(im, rule, 1, rule->line, "expressions are carried "
                         "over for $uri only");
        return 0;
    }
    return 1;
}

static int take_key(t307_import_t *im, t307_import_rule_t *rule,
                    const pair_t *p)
{
    if (p->order == DEFAULT) {
        rule->kind = R307_RULE_REGEX;
        rule->path = "^";
        return 1;
    }
    if (p->order == EXPRESSION) {
        return take_regex(im, rule, p->key);
    }
    return strcmp(im->key, "host") == 0 ? take_host(im, rule, p->key)
        : strcmp(im->key, "uri") == 0 ? take_path(im, rule, p->key)
        : take_request_uri(im, rule, p->key);
}

static void add(t307_import_t *im, const pair_t *p)
{
    t307_import_rule_t *rule = t307_import_rule(im, R307_RULE_REGEX,
                                                p->line);
    const char *query = im->query ? im->query : "drop";

    if (!take_key(im, rule, p)) {
        return;
    }
    if (!*p->value) {
        t307_import_add(im, rule);
        return;
    }
    rule->query = strcmp(query, "keep") == 0 ? NULL : query;
    rule->target = target_of(im, rule, p->value);
    if (!rule->target) {
        t307_import_lose(im, rule, 0, p->line, "the value '%s' has a "
                         "variable without counterpart",
                         t307_import_show(im, p->value));
        return;
    }
    t307_import_add(im, rule);
}

/* ---- the file ---- */

static int in_order(const void *a, const void *b)
{
    const pair_t *x = a, *y = b;
    apr_size_t nx = strlen(x->key), ny = strlen(y->key);

    if (x->order != y->order) {
        return x->order < y->order ? -1 : 1;
    }
    if (x->order == MASK && nx != ny) {
        return nx > ny ? -1 : 1;
    }
    return x->line - y->line;
}

/* nginx refuses plain keys that differ in case alone. */
static const char *seen_as(t307_import_t *im, const pair_t *p)
{
    char *key = apr_psprintf(im->pool, "%d%s", p->order == DEFAULT, p->key);
    char *s;

    for (s = key; *s; s++) {
        *s = (char)apr_tolower(*s);
    }
    return key;
}

/* "hostnames;", "volatile;", "include FILE;", or a pair. */
static void take_statement(reader_t *r, apr_array_header_t *pairs)
{
    t307_import_t *im = r->im;
    const char *key = r->n ? r->words[0] : "";
    pair_t p = { PLAIN, key, NULL, r->at };

    if (r->n == 1 && !r->quoted[0] && t307_import_is_one_of(
            key, "hostnames volatile")) {
        return;
    }
    if (r->n != 2 || (!r->quoted[0] && strcmp(key, "include") == 0)) {
        t307_import_lose(im, NULL, 0, r->at, r->n == 2
                         ? "the file that is included is not looked at; "
                           "import it as well"
                         : "the line is no pair of key and value");
        return;
    }
    p.value = r->words[1];
    if (!r->quoted[0] && strcmp(key, "default") == 0) {
        p.order = DEFAULT;
    }
    else if (!r->quoted[0] && *key == '~') {
        p.order = EXPRESSION;
    }
    else {
        p.key = *key == '\\' ? key + 1 : key;
        p.order = strchr(key, '*') || *key == '.' ? MASK : PLAIN;
    }
    if (p.order == EXPRESSION
        || t307_import_is_new(im, seen_as(im, &p), r->at)) {
        APR_ARRAY_PUSH(pairs, pair_t) = p;
    }
}

/* What the map is asked with, if it says so. */
static void take_map(reader_t *r, int *maps)
{
    t307_import_t *im = r->im;
    const char *name = r->n == 3 ? r->words[1] : "";
    const char *key = strcmp(name, "$uri") == 0
        || strcmp(name, "$document_uri") == 0 ? "uri"
        : strcmp(name, "$request_uri") == 0 ? "request_uri"
        : strcmp(name, "$host") == 0 ? "host" : NULL;

    if (++*maps > 1 || r->n != 3 || strcmp(r->words[0], "map") != 0
        || (!key && !im->key)) {
        im->failed = apr_psprintf(im->pool, "%s:%d: %s", im->file, r->at,
                                  *maps > 1 ? "there is more than one block;"
                                  " import maps one by one"
                                  : "this is no map of $uri, $request_uri or "
                                  "$host; say with --key what it is asked "
                                  "with");
        return;
    }
    im->key = im->key ? im->key : key;
}

static void read_map(t307_import_t *im, char *text, apr_size_t len)
{
    apr_array_header_t *pairs = apr_array_make(im->pool, 64, sizeof(pair_t));
    reader_t r = { im, text, 1, { NULL }, { 0 }, 0, 0 };
    int maps = 0, i;
    char end;

    (void)len;
    while (!im->failed && ((end = next_statement(&r)) != '\0' || r.n)) {
        if (end == '{') {
            take_map(&r, &maps);
        }
        else if (r.n) {
            take_statement(&r, pairs);
        }
    }
    im->key = im->key ? im->key : "uri";
    qsort(pairs->elts, (size_t)pairs->nelts, sizeof(pair_t), in_order);
    for (i = 0; i < pairs->nelts && !im->failed; i++) {
        add(im, &APR_ARRAY_IDX(pairs, i, pair_t));
    }
}

const t307_import_format_t t307_import_nginx = {
    "nginx-map", read_map, NULL, 1, "uri request_uri host", NULL
};
