/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the entries and reports of an import while they are gathered: what
 * may become an entry, and what is said when it may not. Must not know any
 * format, nor how rules are written. Called by the readers.
 */
#include "tool/t307_import.h"

#include "core/r307_literal.h"
#include "core/r307_regex.h"

#include <apr_strings.h>

#include <stdarg.h>
#include <string.h>

void t307_import_init(t307_import_t *im, apr_pool_t *pool,
                      const t307_import_format_t *format)
{
    memset(im, 0, sizeof *im);
    im->pool = pool;
    apr_pool_create(&im->scratch, pool);
    im->format = format;
    im->file = "-";
    im->seen = apr_hash_make(pool);
    im->entries = apr_array_make(pool, 64, sizeof(t307_import_entry_t));
    im->reports = apr_array_make(pool, 16, sizeof(t307_import_report_t));
}

t307_import_rule_t *t307_import_rule(t307_import_t *im,
                                     r307_rule_kind_t kind, int line)
{
    t307_import_rule_t *rule = apr_pcalloc(im->pool, sizeof *rule);

    rule->kind = kind;
    rule->file = im->file;
    rule->line = line;
    return rule;
}

void t307_import_and(t307_import_t *im, t307_import_rule_t *rule,
                     const char *expr)
{
    rule->expr = rule->expr
        ? apr_pstrcat(im->pool, rule->expr, " && ", expr, NULL) : expr;
}

static void report(t307_import_t *im, const char *file, int line, int loss,
                   const char *text)
{
    t307_import_report_t *r = apr_array_push(im->reports);

    r->file = file;
    r->line = line;
    r->loss = loss;
    r->text = text;
}

void t307_import_warn(t307_import_t *im, int line, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    report(im, im->file, line, 0, apr_pvsprintf(im->pool, fmt, ap));
    va_end(ap);
}

int t307_import_is_new(t307_import_t *im, const char *key, int line)
{
    apr_uintptr_t first =
        (apr_uintptr_t)apr_hash_get(im->seen, key, APR_HASH_KEY_STRING);

    if (first) {
        t307_import_warn(im, line, "left out, for line %d has the same key "
                         "and comes first", (int)first);
        return 0;
    }
    apr_hash_set(im->seen, apr_pstrdup(im->pool, key), APR_HASH_KEY_STRING,
                 (void *)(apr_uintptr_t)line);
    return 1;
}

/* Whether an httpd expression compiles only httpd can tell. */
static const char *take_expr(void *ctx, apr_pool_t *pool, const char *text,
                             int is_string, const void **expr)
{
    (void)ctx;
    (void)pool;
    (void)is_string;
    *expr = text;
    return NULL;
}

/* What is known of an expression; it is kept, for single paths are matched
 * with it. */
static apr_status_t reach_regex(t307_import_t *im, const char *pattern,
                                t307_import_reach_t *reach,
                                r307_error_t *err)
{
    int flags = R307_REGEX_DOTALL | R307_REGEX_DOLLAR_ENDONLY;
    r307_literal_t literal;
    r307_regex_t *regex;
    apr_status_t rv = r307_regex_compile(im->pool, pattern, flags, &regex,
                                         err);

    /* beginnings are compared without case */
    r307_literal_find(im->pool, pattern + (strncmp(pattern, "(?i)^", 5) == 0
                                           ? 4 : 0), flags, &literal);
    reach->regex = regex;
    reach->bytes = literal.bytes;
    reach->len = literal.len;
    reach->whole = literal.len > 0 && strlen(literal.key) == literal.len;
    return rv;
}

static apr_status_t take_reach(t307_import_t *im, const r307_rule_t *made,
                               t307_import_reach_t *reach, r307_error_t *err)
{
    const apr_array_header_t *hosts = made->when ? made->when->hosts : NULL;
    int i;

    memset(reach, 0, sizeof *reach);
    reach->kind = made->kind;
    if (hosts) {
        apr_array_header_t *copy = apr_array_copy(im->pool, hosts);
        for (i = 0; i < copy->nelts; i++) {
            r307_host_pattern_t *p =
                &APR_ARRAY_IDX(copy, i, r307_host_pattern_t);
            p->name = apr_pstrmemdup(im->pool, p->name, p->len);
        }
        reach->hosts = copy;
    }
    if (made->kind == R307_RULE_REGEX) {
        return reach_regex(im, made->path, reach, err);
    }
    reach->bytes = apr_pstrmemdup(im->pool, made->path, made->path_len);
    reach->len = made->path_len;
    reach->whole = 1;
    reach->only = made->kind == R307_RULE_EXACT;
    return APR_SUCCESS;
}

/* Validate a rule. */
static apr_status_t make(t307_import_t *im, const t307_import_rule_t *rule,
                         t307_import_reach_t *reach, int *computed,
                         r307_error_t *err)
{
    r307_rule_env_t env = { im->scratch, R307_REGEX_DOTALL
                                         | R307_REGEX_DOLLAR_ENDONLY,
                            take_expr, NULL };
    const apr_array_header_t *words = t307_import_words(im->scratch, rule);
    r307_rule_spec_t spec;
    r307_rule_t *made;
    apr_status_t rv;

    memset(&spec, 0, sizeof spec);
    spec.kind = rule->kind == R307_RULE_EXACT ? R307_RULE_PREFIX : rule->kind;
    spec.path = rule->path;
    spec.geo = rule->choices != NULL;
    spec.target = spec.geo ? NULL : APR_ARRAY_IDX(words, 0, const char *);
    spec.options = (const char *const *)words->elts + !spec.geo;
    spec.noptions = words->nelts - !spec.geo;
    spec.file = rule->file;
    spec.line = rule->line;
    rv = r307_rule_create(&env, &spec, &made, err);
    if (rv == APR_SUCCESS) {
        *computed = r307_rule_computed_host(made) != NULL;
        rv = take_reach(im, made, reach, err);
    }
    apr_pool_clear(im->scratch);
    return rv;
}

/* Words that no line can hold. */
static const char *bad_byte(const t307_import_rule_t *rule)
{
    const char *const words[] = { rule->path, rule->target, rule->expr,
                                  rule->hosts };
    const char *s;
    int i;

    for (i = 0; i < 4; i++) {
        for (s = words[i]; s && *s; s++) {
            if ((unsigned char)*s < 0x20 || *s == 0x7f) {
                return "it holds a control byte";
            }
        }
        if (words[i] && s - words[i] > T307_IMPORT_LINE_MAX / 8) {
            return "it is too long for a rule";
        }
    }
    return NULL;
}

static void push(t307_import_t *im, t307_import_role_t role,
                 t307_import_rule_t *rule, const t307_import_reach_t *reach)
{
    t307_import_entry_t *e;

    if (im->entries->nelts >= T307_IMPORT_ENTRIES_MAX) {
        im->failed = apr_psprintf(im->pool, "more than %d rules",
                                  T307_IMPORT_ENTRIES_MAX);
        return;
    }
    e = apr_array_push(im->entries);
    e->role = role;
    e->rule = rule;
    e->reach = *reach;
    e->phase = im->phase;
}

/* An entry without target. When its path is none that a rule could have, no
 * request can be told to be one of its. */
static void push_stop(t307_import_t *im, t307_import_role_t role,
                      const t307_import_rule_t *rule)
{
    t307_import_rule_t *stop = apr_pmemdup(im->pool, rule, sizeof *rule);
    r307_error_t err = { im->pool, NULL };
    t307_import_reach_t reach;
    int computed;

    stop->target = NULL;
    stop->choices = NULL;
    stop->query = stop->percent = NULL;
    stop->more = role == T307_IMPORT_STOP ? stop->more : NULL;
    if (!stop->path || bad_byte(stop)
        || make(im, stop, &reach, &computed, &err) != APR_SUCCESS) {
        role = T307_IMPORT_OPAQUE;
        stop->kind = R307_RULE_REGEX;
        stop->path = "^";
        stop->hosts = stop->methods = stop->expr = stop->more = NULL;
        if (make(im, stop, &reach, &computed, &err) != APR_SUCCESS) {
            im->failed = err.text;
            return;
        }
    }
    push(im, role, stop, &reach);
}

void t307_import_lose(t307_import_t *im, t307_import_rule_t *rule, int opaque,
                      int line, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    report(im, im->file, line, 1, apr_pvsprintf(im->pool, fmt, ap));
    va_end(ap);
    if (rule) {
        push_stop(im, opaque || rule->choices || rule->percent || rule->more
                      ? T307_IMPORT_OPAQUE : T307_IMPORT_LOST, rule);
    }
}

/* 1: it may be imported. */
static int judge_status(t307_import_t *im, t307_import_rule_t *rule)
{
    switch (rule->status) {
    case 0:
    case 302:
    case 307:
        return 1;
    case 301:
    case 303:
    case 308:
        if (im->all) {
            t307_import_warn(im, rule->line, "status %d becomes 307: %s",
                             rule->status, rule->status == 303
                             ? "the client repeats its method, where it "
                               "went on with GET"
                             : "it is no longer permanent");
            return 1;
        }
        t307_import_lose(im, rule, 0, rule->line, "status %d is not "
                         "temporary, or changes the method; --all imports "
                         "it as 307", rule->status);
        return 0;
    default:
        t307_import_lose(im, rule, 0, rule->line, "status %d is no redirect "
                         "that could be a 307", rule->status);
        return 0;
    }
}

/* What the core reads as something else than a place to go to. */
static int is_special(const char *target)
{
    return strcmp(target, "-") == 0 || strncmp(target, "site:", 5) == 0;
}

static const char *judge_target(t307_import_t *im,
                                const t307_import_rule_t *rule,
                                t307_import_reach_t *reach)
{
    r307_error_t err = { im->pool, NULL };
    const char *why = bad_byte(rule);
    int computed = 0;

    if (why) {
        return why;
    }
    if (!rule->choices && !rule->own && is_special(rule->target)) {
        return apr_psprintf(im->pool, "the target '%s' is neither a URL nor "
                            "a path", t307_import_show(im, rule->target));
    }
    if (make(im, rule, reach, &computed, &err) != APR_SUCCESS) {
        return err.text;
    }
    return !computed ? NULL
        : "the request decides which host the client is sent to; write the "
          "rule by hand, and name the hosts with Redirect307AllowTo";
}

void t307_import_add(t307_import_t *im, t307_import_rule_t *rule)
{
    t307_import_reach_t reach;
    const char *why;

    if (!rule->target && !rule->choices) {
        push_stop(im, T307_IMPORT_STOP, rule);
        return;
    }
    if (!judge_status(im, rule)) {
        return;
    }
    why = judge_target(im, rule, &reach);
    if (why) {
        t307_import_lose(im, rule, 0, rule->line, "%s", why);
        return;
    }
    push(im, T307_IMPORT_RULE, rule, &reach);
}
