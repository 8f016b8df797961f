/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns names, values and limits of rule options. Must not know how a request
 * uses them. Called by rule.
 */
#include "core/r307_options.h"

#include "core/r307_authority.h"
#include "core/r307_time.h"

#include <apr_lib.h>
#include <apr_strings.h>

/* A year: longer is not temporary. */
#define SECONDS_MAX 31536000
#define NAME_MAX_LEN 64

typedef struct reader_t {
    const r307_rule_env_t *env;
    r307_rule_t *rule;
    r307_conditions_t *when;    /* created on first use */
    r307_split_t *split;        /* likewise */
    int percent;                /* percent= was given */
    r307_error_t *err;
} reader_t;

typedef struct option_t {
    const char *name;
    int has_value;
    const char *legal;          /* completes "write ..." */
    apr_status_t (*parse)(reader_t *rd, const char *value);
} option_t;

static r307_conditions_t *conditions(reader_t *rd)
{
    if (!rd->when) {
        rd->when = apr_pcalloc(rd->env->pool, sizeof *rd->when);
        rd->rule->when = rd->when;
    }
    return rd->when;
}

static apr_status_t parse_exact(reader_t *rd, const char *value)
{
    (void)value;
    if (rd->rule->kind != R307_RULE_PREFIX) {
        return r307_error_set(rd->err, "R307-0214: 'exact' needs a URL-path; "
                              "for a regular expression write ^...$ instead");
    }
    rd->rule->kind = R307_RULE_EXACT;
    return APR_SUCCESS;
}

/* ---- methods= ---- */

static int is_method(const char *s)
{
    apr_size_t i;

    for (i = 0; s[i]; i++) {
        if (!apr_isupper(s[i]) && !(i && (apr_isdigit(s[i]) || s[i] == '-'
                                          || s[i] == '_'))) {
            return 0;
        }
    }
    return i > 0;
}

static void add_method(apr_array_header_t *methods, const char *name)
{
    APR_ARRAY_PUSH(methods, const char *) = name;
    if (strcmp(name, "GET") == 0) {
        /* RFC 9110 section 9.3.2: HEAD is answered as GET would be. */
        APR_ARRAY_PUSH(methods, const char *) = "HEAD";
    }
}

/* RFC 9110 section 9.2.1. GET brings HEAD along. */
static void add_safe(apr_array_header_t *methods)
{
    add_method(methods, "GET");
    add_method(methods, "OPTIONS");
    add_method(methods, "TRACE");
}

static apr_status_t parse_methods(reader_t *rd, const char *value)
{
    r307_conditions_t *when = conditions(rd);
    apr_array_header_t *methods =
        apr_array_make(rd->env->pool, 4, sizeof(const char *));
    char *list = apr_pstrdup(rd->env->pool, value), *state, *item;
    int negated = -1;

    for (item = apr_strtok(list, ",", &state); item;
         item = apr_strtok(NULL, ",", &state)) {
        int not = *item == '!';
        int safe = strcmp(item + not, "safe") == 0;
        int is_unsafe = strcmp(item + not, "unsafe") == 0;

        if (!safe && !is_unsafe && !is_method(item + not)) {
            return APR_EINVAL;
        }
        if (negated >= 0 && negated != (not ^ is_unsafe)) {
            return r307_error_set(rd->err, "R307-0213: 'methods=%s' both "
                                  "names methods and excludes some; write "
                                  "the ones that are meant, or only those "
                                  "that are not", value);
        }
        negated = not ^ is_unsafe;
        if (safe || is_unsafe) {
            add_safe(methods);
        }
        else {
            add_method(methods, item + not);
        }
    }
    when->methods = methods;
    when->methods_negated = negated == 1;
    return negated < 0 ? APR_EINVAL : APR_SUCCESS;
}

/* ---- other conditions ---- */

static apr_status_t parse_host(reader_t *rd, const char *value)
{
    apr_array_header_t *hosts =
        apr_array_make(rd->env->pool, 2, sizeof(r307_host_pattern_t));
    char *list = apr_pstrdup(rd->env->pool, value), *state, *item;

    for (item = apr_strtok(list, ",", &state); item;
         item = apr_strtok(NULL, ",", &state)) {
        apr_status_t rv =
            r307_host_pattern_parse(rd->env->pool, item, 0,
                                    apr_array_push(hosts), rd->err);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    conditions(rd)->hosts = hosts;
    return hosts->nelts ? APR_SUCCESS : APR_EINVAL;
}

static apr_status_t parse_expr(reader_t *rd, const char *value)
{
    r307_conditions_t *when = conditions(rd);
    const char *why = "expressions are not known here";

    if (!*value) {
        return APR_EINVAL;
    }
    when->expr_text = apr_pstrdup(rd->env->pool, value);
    if (rd->env->compile_expr) {
        why = rd->env->compile_expr(rd->env->ctx, rd->env->pool,
                                    when->expr_text, 0, &when->expr);
    }
    return !why ? APR_SUCCESS
        : r307_error_set(rd->err, "R307-0215: the condition 'expr=%s' cannot "
                         "be used: %s", value, why);
}

static apr_status_t parse_from(reader_t *rd, const char *value)
{
    return r307_time_parse(value, &conditions(rd)->from, rd->err);
}

static apr_status_t parse_until(reader_t *rd, const char *value)
{
    return r307_time_parse(value, &conditions(rd)->until, rd->err);
}

/* ---- splits ---- */

static r307_split_t *split(reader_t *rd)
{
    if (!rd->split) {
        rd->split = apr_pcalloc(rd->env->pool, sizeof *rd->split);
        rd->rule->split = rd->split;
    }
    return rd->split;
}

static apr_status_t parse_percent(reader_t *rd, const char *value)
{
    rd->percent = 1;
    return r307_split_parse_percent(value, split(rd));
}

static apr_status_t parse_sticky(reader_t *rd, const char *value)
{
    return r307_split_parse_sticky(rd->env->pool, value, split(rd));
}

/* ---- what the answer looks like ---- */

static apr_status_t parse_query(reader_t *rd, const char *value)
{
    static const char *const modes[] = { "keep", "append", "drop" };
    int i;

    for (i = 0; i < 3; i++) {
        if (strcmp(value, modes[i]) == 0) {
            rd->rule->query = (r307_query_t)i;
            return APR_SUCCESS;
        }
    }
    return APR_EINVAL;
}

static apr_status_t parse_seconds(const char *value, int *out)
{
    apr_int64_t n;
    char *end;

    if (!apr_isdigit(*value)) {
        return APR_EINVAL;
    }
    n = apr_strtoi64(value, &end, 10);
    if (*end || n > SECONDS_MAX) {
        return APR_EINVAL;
    }
    *out = (int)n;
    return APR_SUCCESS;
}

static apr_status_t parse_cache(reader_t *rd, const char *value)
{
    if (strcmp(value, "no-store") == 0) {
        rd->rule->cache = R307_CACHE_NO_STORE;
        return APR_SUCCESS;
    }
    return parse_seconds(value, &rd->rule->cache);
}

static apr_status_t parse_retry_after(reader_t *rd, const char *value)
{
    return parse_seconds(value, &rd->rule->retry_after);
}

static apr_status_t parse_dryrun(reader_t *rd, const char *value)
{
    (void)value;
    rd->rule->dryrun = 1;
    return APR_SUCCESS;
}

static apr_status_t parse_name(reader_t *rd, const char *value)
{
    const char *s;

    for (s = value; *s; s++) {
        if (!apr_isalnum(*s) && !strchr("._-", *s)) {
            return APR_EINVAL;
        }
    }
    if (s == value || s - value > NAME_MAX_LEN) {
        return APR_EINVAL;
    }
    rd->rule->name = apr_pstrdup(rd->env->pool, value);
    rd->rule->named = 1;
    return APR_SUCCESS;
}

static const option_t options[] = {
    { "exact", 0, "'exact' without a value", parse_exact },
    { "methods", 1, "method names in upper case, 'safe' or 'unsafe', "
      "separated by commas, each with '!' in front to exclude it",
      parse_methods },
    { "host", 1, "host names or *.name, separated by commas", parse_host },
    { "expr", 1, "an httpd expression", parse_expr },
    { "from", 1, "a time such as 2026-12-01T08:00:00Z", parse_from },
    { "until", 1, "a time such as 2026-12-01T08:00:00Z", parse_until },
    { "percent", 1, "a number from 0 to 100 with at most three decimals",
      parse_percent },
    { "sticky", 1, "ip, cookie:NAME or header:NAME", parse_sticky },
    { "query", 1, "keep, append or drop", parse_query },
    { "cache", 1, "no-store, or seconds from 0 to 31536000", parse_cache },
    { "retry-after", 1, "seconds from 0 to 31536000", parse_retry_after },
    { "dryrun", 0, "'dryrun' without a value", parse_dryrun },
    { "name", 1, "1 to 64 letters, digits, '.', '_' or '-'", parse_name }
};

#define NOPTIONS ((int)(sizeof options / sizeof options[0]))

/* Index of the option named by the first len bytes of word, or -1. */
static int find(const char *word, apr_size_t len)
{
    int i;

    for (i = 0; i < NOPTIONS; i++) {
        if (strlen(options[i].name) == len
            && strncmp(options[i].name, word, len) == 0) {
            return i;
        }
    }
    return -1;
}

int r307_options_is_option(const char *word)
{
    apr_size_t n = 0;
    int i;

    while (apr_isalnum(word[n]) || word[n] == '-' || word[n] == '_') {
        n++;
    }
    if (word[n] == '=') {
        return n > 0 && apr_isalpha(word[0]);
    }
    i = word[n] == '\0' ? find(word, n) : -1;
    return i >= 0 && !options[i].has_value;
}

static const char *known_names(apr_pool_t *pool)
{
    const char *names = options[0].name;
    int i;

    for (i = 1; i < NOPTIONS; i++) {
        names = apr_pstrcat(pool, names, i == NOPTIONS - 1 ? " and " : ", ",
                            options[i].name, NULL);
    }
    return names;
}

static apr_status_t apply_one(reader_t *rd, const char *word, unsigned *seen)
{
    apr_size_t len = strcspn(word, "=");
    int i = find(word, len);
    apr_status_t rv = APR_EINVAL;

    if (i < 0) {
        return r307_error_set(rd->err, "R307-0210: unknown option '%s'; the "
                              "options are %s",
                              r307_error_show(rd->err, word, strlen(word)),
                              known_names(rd->err->pool));
    }
    if (*seen & 1u << i) {
        return r307_error_set(rd->err, "R307-0211: the option '%s' is given "
                              "twice; keep one", options[i].name);
    }
    *seen |= 1u << i;
    rd->err->text = NULL;
    if ((word[len] == '=') == options[i].has_value) {
        rv = options[i].parse(rd, word + len + options[i].has_value);
    }
    if (rv != APR_SUCCESS && !rd->err->text) {
        r307_error_set(rd->err, "R307-0212: '%s' is not a value of the "
                       "option '%s'; write %s",
                       r307_error_show(rd->err, word, strlen(word)),
                       options[i].name, options[i].legal);
    }
    return rv;
}

apr_status_t r307_options_apply(const r307_rule_env_t *env, r307_rule_t *rule,
                                int count, const char *const *words,
                                r307_error_t *err)
{
    reader_t rd = { env, rule, NULL, NULL, 0, err };
    unsigned seen = 0;
    int i;

    for (i = 0; i < count; i++) {
        apr_status_t rv = apply_one(&rd, words[i], &seen);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    if (rd.split && !rd.percent) {
        return r307_error_set(err, "R307-0217: sticky= has nothing to hold "
                              "on to; add percent=N, or remove it");
    }
    if (rd.when && rd.when->until && rd.when->from >= rd.when->until) {
        return r307_error_set(err, "R307-0216: from=%s is not before "
                              "until=%s, so the rule could never apply",
                              r307_time_format(err->pool, rd.when->from),
                              r307_time_format(err->pool, rd.when->until));
    }
    return APR_SUCCESS;
}
