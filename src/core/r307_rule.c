/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the step from what was written to a rule that can be trusted. Must
 * not know where the words come from. Called by whatever reads rules.
 */
#include "core/r307_rule.h"

#include "core/r307_options.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <strings.h>

int r307_rule_is_status_word(const char *word)
{
    static const char *const words[] = {
        "permanent", "temp", "temporary", "seeother", "gone", NULL
    };
    int i;

    for (i = 0; words[i]; i++) {
        if (strcasecmp(word, words[i]) == 0) {
            return 1;
        }
    }
    return strlen(word) == 3 && apr_isdigit(word[0]) && apr_isdigit(word[1])
           && apr_isdigit(word[2]);
}

static apr_status_t check_path(const char *path, r307_error_t *err)
{
    apr_size_t scheme;
    const char *s;

    if (r307_rule_is_status_word(path)) {
        return r307_error_set(err, "R307-0131: '%s' is a status word of "
                              "Redirect; every rule here answers 307, so "
                              "remove it", path);
    }
    if (r307_target_scheme(path, &scheme)) {
        return r307_error_set(err, "R307-0132: '%s' is a full URL where the "
                              "URL-path to match belongs; write the part "
                              "from the slash on, and the host as host=%.*s",
                              path, (int)strcspn(path + scheme, "/?#:"),
                              path + scheme);
    }
    if (path[0] != '/') {
        return r307_error_set(err, "R307-0130: the URL-path '%s' does not "
                              "begin with '/', so no request can match it; "
                              "write '/%s'",
                              r307_error_show(err, path, strlen(path)),
                              r307_error_show(err, path, strlen(path)));
    }
    for (s = path; *s; s++) {
        if (*s == '?' || *s == '#') {
            return r307_error_set(err, "R307-0133: the URL-path '%s' holds "
                                  "'%c'; only paths are matched, never the "
                                  "query: end it there, and test a query "
                                  "with expr=", path, *s);
        }
    }
    return APR_SUCCESS;
}

static const char *compile_string(const void *ctx, const char *text,
                                  const void **expr)
{
    const r307_rule_env_t *env = ctx;

    return env->compile_expr(env->ctx, env->pool, text, 1, expr);
}

static r307_target_syntax_t syntax_of(const r307_rule_env_t *env,
                                      const r307_rule_t *rule)
{
    r307_target_syntax_t syntax;

    syntax.regex = rule->regex;
    syntax.compile_expr = env->compile_expr ? compile_string : NULL;
    syntax.ctx = env;
    return syntax;
}

static apr_status_t parse_target(const r307_rule_env_t *env,
                                 const char *written, r307_rule_t *rule,
                                 r307_error_t *err)
{
    r307_target_syntax_t syntax = syntax_of(env, rule);
    r307_target_t *target = NULL;
    apr_status_t rv = r307_target_parse(env->pool, written, &syntax, &target,
                                        err);

    rule->target = target;
    return rv;
}

/* Choices and options of a geo rule stand in any order. */
static apr_status_t parse_geo(const r307_rule_env_t *env,
                              const r307_rule_spec_t *spec,
                              r307_rule_t *rule, r307_error_t *err)
{
    r307_target_syntax_t syntax = syntax_of(env, rule);
    const char **words = apr_palloc(env->pool,
                                    ((apr_size_t)spec->noptions + 1)
                                    * sizeof *words);
    int i, nchoices = 0, noptions = 0;
    apr_status_t rv;

    for (i = 0; i < spec->noptions; i++) {
        const char *word = spec->options[i];
        if (r307_selector_is_list(word, strcspn(word, "="))) {
            words[nchoices++] = word;
        }
        else {
            words[spec->noptions - ++noptions] = word;
        }
    }
    /* Options first: a misspelt selector is taken for one. */
    rv = r307_options_apply(env, rule, noptions, words + nchoices, err);
    if (rv == APR_SUCCESS) {
        rv = r307_choice_parse(env->pool, nchoices, words, &syntax,
                               &rule->choices, err);
    }
    if (rv == APR_SUCCESS) {
        rule->target = rule->choices->at[0].target;
    }
    return rv;
}

/* Target i of a rule, from 0; NULL behind the last. */
static const r307_target_t *target_at(const r307_rule_t *rule, int i)
{
    if (rule->choices) {
        return i < rule->choices->n ? rule->choices->at[i].target : NULL;
    }
    return i == 0 ? rule->target : NULL;
}

const r307_target_t *r307_rule_computed_host(const r307_rule_t *rule)
{
    const r307_target_t *target;
    int i;

    for (i = 0; (target = target_at(rule, i)) != NULL; i++) {
        if (target->computed_host) {
            return target;
        }
    }
    return NULL;
}

const char *r307_rule_unknown_site(const r307_rule_t *rule,
                                   const apr_array_header_t *sites)
{
    const r307_target_t *target;
    int i;

    for (i = 0; (target = target_at(rule, i)) != NULL; i++) {
        const char *site = target->site;
        if (site && !(target->nearest
                      ? sites && sites->nelts
                      : r307_site_find(sites, site, strlen(site)) != NULL)) {
            return site;
        }
    }
    return NULL;
}

static int leads_to_nearest(const r307_rule_t *rule)
{
    const r307_target_t *target;
    int i;

    for (i = 0; (target = target_at(rule, i)) != NULL; i++) {
        if (target->nearest) {
            return 1;
        }
    }
    return 0;
}

/* Several slashes in a row stand for one. */
static void set_path(apr_pool_t *pool, const char *path, r307_rule_t *rule)
{
    char *to = apr_palloc(pool, strlen(path) + 1);
    apr_size_t n = 0;

    for (; *path; path++) {
        if (*path != '/' || n == 0 || to[n - 1] != '/') {
            to[n++] = *path;
        }
    }
    to[n] = '\0';
    rule->path = to;
    rule->path_len = n;
}

static apr_status_t compile_path(const r307_rule_env_t *env,
                                 r307_rule_t *rule, r307_error_t *err)
{
    r307_regex_t *regex = NULL;
    apr_status_t rv;

    if (rule->kind == R307_RULE_PREFIX) {
        rv = check_path(rule->path, err);
        set_path(env->pool, rule->path, rule);
        return rv;
    }
    if (rule->kind == R307_RULE_SECTION || rule->kind == R307_RULE_ANY) {
        return APR_SUCCESS;
    }
    if (r307_rule_is_status_word(rule->path)) {
        return check_path(rule->path, err);
    }
    rv = r307_regex_compile(env->pool, rule->path, env->regex_flags, &regex,
                            err);
    rule->regex = regex;
    return rv;
}

/* "file:line" without printf, which would cost more than the redirect. */
const char *r307_rule_name(apr_pool_t *pool, const r307_rule_t *rule)
{
    char digits[12], *d = digits + sizeof digits, *name;
    unsigned line = (unsigned)rule->line;
    apr_size_t len, n;

    if (rule->name) {
        return rule->name;
    }
    *--d = '\0';
    do {
        *--d = (char)('0' + line % 10);
        line /= 10;
    } while (line);
    *--d = ':';
    n = (apr_size_t)(digits + sizeof digits - d);
    len = strlen(rule->file);
    name = apr_palloc(pool, len + n);
    memcpy(name, rule->file, len);
    memcpy(name + len, d, n);
    return name;
}

const char *r307_rule_label(apr_pool_t *pool, const r307_rule_t *rule)
{
    return !rule->named ? r307_rule_name(pool, rule)
        : apr_psprintf(pool, "%s (%s:%u)", rule->name, rule->file,
                       (unsigned)rule->line);
}

static apr_status_t parse_plain(const r307_rule_env_t *env,
                                const r307_rule_spec_t *spec,
                                r307_rule_t *rule, r307_error_t *err)
{
    apr_status_t rv = parse_target(env, spec->target, rule, err);

    return rv != APR_SUCCESS ? rv
        : r307_options_apply(env, rule, spec->noptions, spec->options, err);
}

/* Options may have added conditions of their own. */
static apr_status_t add_statuses(const r307_rule_env_t *env,
                                 const char *words, r307_rule_t *rule,
                                 r307_error_t *err)
{
    r307_conditions_t *when = apr_pcalloc(env->pool, sizeof *when);
    r307_statuses_t *statuses = apr_palloc(env->pool, sizeof *statuses);

    if (rule->when) {
        *when = *rule->when;
    }
    when->statuses = statuses;
    rule->when = when;
    return r307_statuses_parse(words, statuses, err);
}

apr_status_t r307_rule_create(const r307_rule_env_t *env,
                              const r307_rule_spec_t *spec,
                              r307_rule_t **out, r307_error_t *err)
{
    r307_rule_t *rule = apr_pcalloc(env->pool, sizeof *rule);
    apr_status_t rv;

    rule->kind = spec->kind;
    rule->path = spec->path ? apr_pstrdup(env->pool, spec->path) : NULL;
    rule->file = apr_pstrdup(env->pool, spec->file);
    rule->line = spec->line;
    rule->cache = R307_CACHE_UNSET;
    rule->retry_after = R307_RETRY_UNSET;
    *out = rule;
    rv = compile_path(env, rule, err);
    if (rv == APR_SUCCESS) {
        rv = spec->geo ? parse_geo(env, spec, rule, err)
                       : parse_plain(env, spec, rule, err);
    }
    if (rv == APR_SUCCESS && spec->statuses) {
        rv = add_statuses(env, spec->statuses, rule, err);
    }
    if (rv == APR_SUCCESS) {
        rule->nearest = leads_to_nearest(rule);
    }
    return rv;
}
