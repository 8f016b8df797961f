/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the syntax of lines in rule files. Must not know where lines come
 * from or what rules mean. Called by table.
 */
#include "core/r307_rulefile.h"

#include "core/r307_authority.h"

#include <apr_lib.h>
#include <apr_strings.h>

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

char *r307_rulefile_word(char **s, int *open)
{
    char *from = *s, *to, *word;

    *open = 0;
    while (is_blank(*from)) {
        from++;
    }
    if (!*from) {
        return NULL;
    }
    word = to = from;
    if (*from == '"') {
        for (from++; *from && *from != '"'; *to++ = *from++) {
            from += *from == '\\' && (from[1] == '"' || from[1] == '\\');
        }
        *open = !*from;
        from += *from == '"';
    }
    else {
        while (*from && !is_blank(*from)) {
            from++;
        }
        to = from;
        from += *from != '\0';
    }
    *to = '\0';
    *s = from;
    return *open ? NULL : word;
}

const char *r307_rulefile_quote(apr_pool_t *pool, const char *word)
{
    char *out, *to;

    if (*word && !strpbrk(word, " \t") && *word != '"' && *word != '#') {
        return word;
    }
    to = out = apr_palloc(pool, 2 * strlen(word) + 3);
    *to++ = '"';
    for (; *word; word++) {
        if (*word == '"' || *word == '\\') {
            *to++ = '\\';
        }
        *to++ = *word;
    }
    *to++ = '"';
    *to = '\0';
    return out;
}

static apr_status_t open_quote(r307_error_t *err)
{
    return r307_error_set(err, "R307-0501: a quote is not closed; write \\\" "
                          "for a quote inside of quotes");
}

static apr_status_t no_target(const char *path, r307_error_t *err)
{
    return r307_error_set(err, "R307-0502: '%s' has no target; write what to "
                          "match, a target, then options",
                          r307_error_show(err, path, strlen(path)));
}

static apr_status_t take_options(char **s, r307_line_t *out,
                                 r307_error_t *err)
{
    int max = out->spec.geo ? R307_RULEFILE_WORDS_MAX
                            : R307_RULEFILE_OPTIONS_MAX;
    int open, n = 0;
    char *word;

    while ((word = r307_rulefile_word(s, &open)) != NULL && *word != '#') {
        if (n == max) {
            return r307_error_set(err, "R307-0503: more than %d options",
                                  max);
        }
        out->options[n++] = word;
    }
    out->options[n] = NULL;
    out->spec.options = out->options;
    out->spec.noptions = n;
    return open ? open_quote(err) : APR_SUCCESS;
}

/* "host/path": cut at the slash. */
static apr_status_t take_host(char *word, apr_pool_t *pool, r307_line_t *out,
                              r307_error_t *err)
{
    char *slash = strchr(word, '/'), *host;
    r307_host_pattern_t pattern;

    out->spec.path = word;
    if (!slash || slash == word || strstr(word, "://")) {
        return APR_SUCCESS;     /* judged with the rule */
    }
    host = apr_pstrmemdup(pool, word, (apr_size_t)(slash - word));
    if (r307_host_pattern_parse(pool, host, 0, &pattern, err)
        != APR_SUCCESS) {
        return APR_EINVAL;
    }
    out->host = host;
    for (; *host; host++) {
        *host = (char)apr_tolower(*host);
    }
    out->spec.path = slash;
    return APR_SUCCESS;
}

static apr_status_t parse_rule(char *text, apr_pool_t *pool,
                               r307_line_t *out, r307_error_t *err)
{
    int open, quoted = *text == '"';
    char *word = r307_rulefile_word(&text, &open), *target;

    if (!word) {
        return open ? open_quote(err) : APR_NOTFOUND;
    }
    if (*word == '#' && !quoted) {
        return APR_NOTFOUND;
    }
    if (*word == '~') {
        out->spec.kind = R307_RULE_REGEX;
        out->spec.path = word + 1;
    }
    else if (take_host(word, pool, out, err) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    target = r307_rulefile_word(&text, &open);
    if (!target) {
        return open ? open_quote(err) : no_target(word, err);
    }
    if (strcmp(target, "geo") == 0) {
        out->spec.geo = 1;
    }
    else {
        out->spec.target = target;
    }
    return take_options(&text, out, err);
}

static apr_status_t parse_map(char *text, apr_pool_t *pool, r307_line_t *out,
                              r307_error_t *err)
{
    char *state, *key = apr_strtok(text, " \t", &state), *value;

    if (!key || *key == '#') {
        return APR_NOTFOUND;
    }
    value = apr_strtok(NULL, " \t", &state);
    if (!value) {
        return no_target(key, err);
    }
    out->spec.path = *key == '/' ? key : apr_pstrcat(pool, "/", key, NULL);
    out->spec.target = value;
    out->spec.options = out->options;
    out->exact = 1;
    return APR_SUCCESS;
}

apr_status_t r307_rulefile_parse(char *text, r307_rulefile_format_t format,
                                 apr_pool_t *pool, r307_line_t *out,
                                 r307_error_t *err)
{
    memset(&out->spec, 0, sizeof out->spec);
    out->host = NULL;
    out->exact = 0;
    out->options[0] = NULL;
    while (is_blank(*text)) {
        text++;
    }
    return format == R307_RULEFILE_REWRITEMAP
        ? parse_map(text, pool, out, err) : parse_rule(text, pool, out, err);
}
