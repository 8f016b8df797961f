/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns reading the redirects of vercel.json and of Next.js: an object with
 * an array "redirects", or the array alone. The first entry that applies
 * wins. Values are parsed by jansson, one entry at a time, so that each has
 * the number of its first line.
 *
 * Both have the same form. Vercel compares case, Next.js does not and takes a
 * final slash as well.
 */
#include "tool/t307_import_pathexp.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <jansson.h>

#include <string.h>

typedef struct reader_t {
    t307_import_t *im;
    const char *text;
    const char *s;
    const char *end;
    const char *counted;        /* lines are counted up to here */
    int line;
    int next;                   /* Next.js, not Vercel */
} reader_t;

/* ---- conditions ---- */

static int is_plain(const char *s)
{
    for (; *s; s++) {
        if (!apr_isalnum(*s) && !strchr("_-", *s)) {
            return 0;
        }
    }
    return 1;
}

static const char *get(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* "(^|SEP)KEY=VALUE(SEP|$)" over a variable. */
static const char *pair_expr(apr_pool_t *pool, const char *variable,
                             const char *separator, const char *key,
                             const char *value)
{
    if (!key || !*key || !is_plain(key) || (value && !is_plain(value))) {
        return NULL;
    }
    return apr_psprintf(pool, "%%{%s} =~ m#(^|%s)%s=%s(%s|$)#", variable,
                        separator, key, value ? value : "[^;&]*", *separator
                        == ';' ? ";" : separator);
}

static const char *host_expr(apr_pool_t *pool, const char *value)
{
    const char *regex = value && *value
        ? apr_psprintf(pool, "^(?:%s)(?::[0-9]+)?$", value) : NULL;
    const char *match = regex ? t307_import_expr_regex(pool, regex, 1) : NULL;

    return match ? apr_pstrcat(pool, "%{HTTP_HOST} =~ ", match, NULL) : NULL;
}

static const char *header_expr(apr_pool_t *pool, const char *key,
                               const char *value)
{
    const char *match;

    if (!key || !*key || !is_plain(key)) {
        return NULL;
    }
    if (!value) {
        return apr_psprintf(pool, "-n %%{HTTP:%s}", key);
    }
    match = t307_import_expr_regex(pool, apr_psprintf(pool, "^(?:%s)$",
                                                      value), 0);
    return match ? apr_psprintf(pool, "%%{HTTP:%s} =~ %s", key, match) : NULL;
}

/* One item of has or missing; NULL when it cannot be said. */
static const char *condition(apr_pool_t *pool, const json_t *item)
{
    const char *type = get(item, "type"), *key = get(item, "key");
    const char *value = get(item, "value");

    if (!type || (json_object_get(item, "value") && !value)) {
        return NULL;
    }
    return strcmp(type, "host") == 0 ? host_expr(pool, value)
        : strcmp(type, "header") == 0 ? header_expr(pool, key, value)
        : strcmp(type, "cookie") == 0
        ? pair_expr(pool, "HTTP_COOKIE", "; *", key, value)
        : strcmp(type, "query") == 0
        ? pair_expr(pool, "QUERY_STRING", "&", key, value) : NULL;
}

/* "www\.example\.com" as name; NULL for other expressions. */
static const char *host_name(apr_pool_t *pool, const json_t *item)
{
    const char *type = get(item, "type"), *s = get(item, "value");
    char *out, *to;

    if (!type || strcmp(type, "host") != 0 || !s || !*s) {
        return NULL;
    }
    to = out = apr_palloc(pool, strlen(s) + 1);
    for (; *s; s++) {
        s += *s == '\\' && s[1] == '.';
        if (!apr_isalnum(*s) && !strchr(".-", *s)) {
            return NULL;
        }
        *to++ = *s;
    }
    *to = '\0';
    return out;
}

/* has: all hold; missing: none does. 0: something cannot be said. */
static int take_conditions(t307_import_t *im, t307_import_rule_t *rule,
                           const json_t *entry)
{
    const json_t *has = json_object_get(entry, "has");
    const json_t *missing = json_object_get(entry, "missing");
    apr_size_t i;
    int good = (!has || json_is_array(has))
               && (!missing || json_is_array(missing));

    for (i = 0; i < json_array_size(has); i++) {
        const json_t *item = json_array_get(has, i);
        const char *name = rule->hosts ? NULL : host_name(im->pool, item);
        const char *expr = name ? NULL : condition(im->pool, item);

        rule->hosts = name ? name : rule->hosts;
        if (expr) {
            t307_import_and(im, rule, expr);
        }
        good &= name || expr;
    }
    for (i = 0; i < json_array_size(missing); i++) {
        const char *expr = condition(im->pool, json_array_get(missing, i));

        if (expr) {
            t307_import_and(im, rule, apr_pstrcat(im->pool, "!(", expr, ")",
                                                  NULL));
        }
        good &= expr != NULL;
    }
    return good;
}

/* ---- entries ---- */

static int status_of(const reader_t *r, const json_t *entry)
{
    const json_t *status = json_object_get(entry, "statusCode");
    const json_t *permanent = json_object_get(entry, "permanent");

    if (json_is_integer(status)) {
        json_int_t n = json_integer_value(status);
        return n > 0 && n < 1000 ? (int)n : -1;
    }
    if (status || (permanent && !json_is_boolean(permanent))
        || (!permanent && r->next)) {
        return -1;
    }
    return json_is_false(permanent) ? 307 : 308;
}

static const char *with_base(const reader_t *r, const json_t *entry,
                             const char *path)
{
    const char *base = r->im->base;
    apr_size_t len = base ? strlen(base) : 0;

    len -= len && base[len - 1] == '/';
    if (!r->next || !len || *path != '/'
        || json_is_false(json_object_get(entry, "basePath"))) {
        return path;
    }
    return apr_pstrcat(r->im->pool, apr_pstrmemdup(r->im->pool, base, len),
                       strcmp(path, "/") == 0 ? "" : path, NULL);
}

/* Next.js takes no redirects of its own files, and a final slash. */
static const char *anchor(const reader_t *r, const char *source,
                          const char *regex)
{
    int may_be_own = strchr(":({_", source[1]) != NULL;

    if (!r->next) {
        return apr_pstrcat(r->im->pool, "^", regex, "$", NULL);
    }
    return apr_pstrcat(r->im->pool, r->im->same_case ? "" : "(?i)", "^",
                       may_be_own ? "(?!/_next)" : "", regex, "(?:/)?$",
                       NULL);
}

/* The target, with what becomes of the query; or why not. */
static const char *take_target(reader_t *r, t307_import_rule_t *rule,
                               const t307_import_pathexp_t *exp,
                               const char *destination)
{
    const char *why, *query = r->im->query;

    rule->target = t307_import_pathexp_fill(r->im->pool, exp, destination,
                                            r->next, &why);
    if (why) {
        return why;
    }
    if (!query && strchr(rule->target, '?')) {
        return "the destination has a query, which is merged with the "
               "request's; choose with --query";
    }
    rule->query = query && strcmp(query, "keep") ? query : NULL;
    return NULL;
}

static const char *take_path(reader_t *r, t307_import_rule_t *rule,
                             const json_t *entry, t307_import_pathexp_t *exp)
{
    const char *source = get(entry, "source"), *why;
    const json_t *locale = json_object_get(entry, "locale");

    if (!source) {
        return "the entry has no source";
    }
    source = with_base(r, entry, source);
    why = t307_import_pathexp_parse(r->im->pool, source, r->next, exp);
    if (why) {
        return apr_psprintf(r->im->pool, "the source '%s': %s",
                            t307_import_show(r->im, source), why);
    }
    rule->path = anchor(r, source, exp->regex);
    return locale && !json_is_false(locale)
        ? "a locale in the path has no counterpart" : NULL;
}

static void take_entry(reader_t *r, const json_t *entry, int line)
{
    t307_import_rule_t *rule = t307_import_rule(r->im, R307_RULE_REGEX,
                                                line);
    const char *destination = get(entry, "destination");
    t307_import_pathexp_t exp;
    const char *why = take_path(r, rule, entry, &exp);
    int opaque = why != NULL;
    int good = take_conditions(r->im, rule, entry);

    rule->status = status_of(r, entry);
    if (!why && !good) {
        why = "a condition in has or missing has no counterpart";
    }
    if (why || rule->status < 0 || !destination) {
        t307_import_lose(r->im, rule, opaque || !good, line, "%s", why ? why
                         : !destination ? "the entry has no destination"
                         : "statusCode or permanent is missing or no value "
                           "of it");
        return;
    }
    why = take_target(r, rule, &exp, with_base(r, entry, destination));
    if (why) {
        t307_import_lose(r->im, rule, 0, line, "%s", why);
        return;
    }
    t307_import_add(r->im, rule);
}

/* ---- the file ---- */

static int fail(reader_t *r, const char *why)
{
    for (; r->counted < r->s; r->counted++) {
        r->line += *r->counted == '\n';
    }
    r->im->failed = apr_psprintf(r->im->pool, "%s:%d: %s", r->im->file,
                                 r->line, why);
    return 0;
}

static void skip_blanks(reader_t *r)
{
    while (r->s < r->end && strchr(" \t\r\n", *r->s)) {
        r->s++;
    }
}

/* Past c, if that is next. */
static int take(reader_t *r, char c)
{
    skip_blanks(r);
    if (r->s < r->end && *r->s == c) {
        r->s++;
        return 1;
    }
    return 0;
}

/* The next value, whatever it is; *line: where it begins. */
static json_t *take_value(reader_t *r, int *line)
{
    json_error_t error;
    json_t *value;

    skip_blanks(r);
    for (; r->counted < r->s; r->counted++) {
        r->line += *r->counted == '\n';
    }
    *line = r->line;
    value = json_loadb(r->s, (size_t)(r->end - r->s),
                       JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY
                       | JSON_REJECT_DUPLICATES, &error);
    if (!value) {
        fail(r, apr_psprintf(r->im->pool, "line %d from here: %s",
                             error.line, error.text));
        return NULL;
    }
    r->s += error.position;
    return value;
}

static int take_entries(reader_t *r)
{
    if (!take(r, '[')) {
        return fail(r, "the redirects are no array");
    }
    if (take(r, ']')) {
        return 1;
    }
    do {
        int line;
        json_t *entry = take_value(r, &line);

        if (!entry) {
            return 0;
        }
        take_entry(r, entry, line);
        json_decref(entry);
    } while (!r->im->failed && take(r, ','));
    return !r->im->failed && (take(r, ']')
                              || fail(r, "a comma or ']' is missing"));
}

static int take_member(reader_t *r, int *found)
{
    int line, is_it;
    json_t *key = take_value(r, &line), *value;

    if (!key || !json_is_string(key) || !take(r, ':')) {
        json_decref(key);
        return r->im->failed ? 0 : fail(r, "a name and ':' are missing");
    }
    is_it = strcmp(json_string_value(key), "redirects") == 0;
    json_decref(key);
    if (is_it) {
        *found = 1;
        return take_entries(r);
    }
    value = take_value(r, &line);
    json_decref(value);
    return value != NULL;
}

static int take_object(reader_t *r)
{
    int found = 0;

    if (!take(r, '}')) {
        do {
            if (!take_member(r, &found)) {
                return 0;
            }
        } while (take(r, ','));
        if (!take(r, '}')) {
            return fail(r, "a comma or '}' is missing");
        }
    }
    return found || fail(r, "there is no array \"redirects\"");
}

static void read_json(t307_import_t *im, char *text, int next)
{
    reader_t r = { im, text, text, text + strlen(text), text, 1, next };

    if (take(&r, '{') ? take_object(&r) : take_entries(&r)) {
        skip_blanks(&r);
        if (r.s < r.end) {
            fail(&r, "there is something behind the end");
        }
    }
}

static void read_vercel(t307_import_t *im, char *text, apr_size_t len)
{
    (void)len;
    read_json(im, text, 0);
}

static void read_next(t307_import_t *im, char *text, apr_size_t len)
{
    (void)len;
    read_json(im, text, 1);
}

const t307_import_format_t t307_import_vercel = {
    "vercel", read_vercel, NULL, 0, NULL, NULL
};

const t307_import_format_t t307_import_next = {
    "next", read_next, NULL, 0, NULL, NULL
};
