/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns how rows and lines become each other. Must not know databases, nor
 * what rules mean. Called by whoever reads rows, and by the tool that writes
 * them.
 */
#include "core/r307_row.h"

#include "core/r307_authority.h"
#include "core/r307_buf.h"
#include "core/r307_time.h"

#include <apr_strings.h>

#define YEAR_LEN 4

/* ---- rows to lines ---- */

static const char *text_of(const char *value)
{
    return value ? value : "";
}

static apr_status_t check_column(const char *name, const char *value,
                                 r307_error_t *err)
{
    const char *s;

    for (s = value; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f) {
            return r307_error_set(err, "R307-0550: the %s '%s' of the row "
                                  "has a control character; remove it", name,
                                  r307_error_show(err, value, strlen(value)));
        }
    }
    return APR_SUCCESS;
}

static apr_status_t check_columns(const r307_row_t *row, r307_error_t *err)
{
    const struct {
        const char *name, *value;
        int needed;
    } columns[] = {
        { "host", row->host, 0 },
        { "kind", row->kind, 0 },
        { "path", row->path, 1 },
        { "target", row->target, 1 },
        { "options", row->options, 0 }
    };
    int i;

    for (i = 0; i < (int)(sizeof columns / sizeof columns[0]); i++) {
        const char *value = text_of(columns[i].value);
        if (columns[i].needed && !*value) {
            return r307_error_set(err, "R307-0551: the %s of the row is "
                                  "empty; write one, or delete the row",
                                  columns[i].name);
        }
        if (check_column(columns[i].name, value, err) != APR_SUCCESS) {
            return APR_EINVAL;
        }
    }
    return APR_SUCCESS;
}

/* In a line host and path are one word, cut at the first slash. */
static apr_status_t check_place(const char *host, const char *path,
                                r307_error_t *err)
{
    r307_host_pattern_t pattern;

    if (path[0] != '/') {
        return r307_error_set(err, "R307-0553: the path '%s' of the row does "
                              "not begin with '/'; write the whole "
                              "URL-path, or the kind 'regex'",
                              r307_error_show(err, path, strlen(path)));
    }
    if (!*host) {
        return APR_SUCCESS;
    }
    if (*host == '~' || strstr(path, "://")) {
        return r307_error_set(err, "R307-0554: the host '%s' of the row "
                              "cannot stand in front of the path '%s'; "
                              "leave it empty, and write the option host=",
                              r307_error_show(err, host, strlen(host)),
                              r307_error_show(err, path, strlen(path)));
    }
    return r307_host_pattern_parse(err->pool, host, 0, &pattern, err);
}

/* Behind a word that begins with '#' nothing would count, neither what the
 * writer meant nor what a view appends. */
static apr_status_t check_options(const char *options, r307_error_t *err)
{
    char *rest, *word;
    int open;

    if (!strchr(options, '#')) {
        return APR_SUCCESS;
    }
    rest = apr_pstrdup(err->pool, options);
    while ((word = r307_rulefile_word(&rest, &open)) != NULL) {
        if (*word == '#') {
            return r307_error_set(err, "R307-0555: the options '%s' of the "
                                  "row have a comment; remove it, or write "
                                  "it as the row's note",
                                  r307_error_show(err, options,
                                                  strlen(options)));
        }
    }
    return APR_SUCCESS;
}

static apr_status_t kind_of(const char *name, r307_rule_kind_t *kind,
                            r307_error_t *err)
{
    static const struct {
        const char *name;
        r307_rule_kind_t kind;
    } kinds[] = {
        { "prefix", R307_RULE_PREFIX },
        { "exact", R307_RULE_EXACT },
        { "regex", R307_RULE_REGEX }
    };
    int i;

    for (i = 0; i < (int)(sizeof kinds / sizeof kinds[0]); i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            *kind = kinds[i].kind;
            return APR_SUCCESS;
        }
    }
    return r307_error_set(err, "R307-0552: '%s' is not a kind of rule; write "
                          "prefix, exact or regex",
                          r307_error_show(err, name, strlen(name)));
}

/* A regular expression takes its host as an option. */
static char *line_of(r307_rule_kind_t kind, const char *host,
                     const r307_row_t *row, apr_pool_t *pool)
{
    int regex = kind == R307_RULE_REGEX;
    const char *options = text_of(row->options);
    const char *first = apr_pstrcat(pool, regex ? "~" : host, row->path,
                                    NULL);
    const char *condition = regex && *host
        ? r307_rulefile_quote(pool, apr_pstrcat(pool, "host=", host, NULL))
        : "";

    return apr_pstrcat(pool, r307_rulefile_quote(pool, first), " ",
                       r307_rulefile_quote(pool, row->target),
                       kind == R307_RULE_EXACT ? " exact" : "",
                       *condition ? " " : "", condition,
                       *options ? " " : "", options, NULL);
}

char *r307_row_line(const r307_row_t *row, apr_pool_t *pool,
                    r307_error_t *err)
{
    const char *host = text_of(row->host);
    r307_rule_kind_t kind = R307_RULE_PREFIX;
    char *line;

    if (check_columns(row, err) != APR_SUCCESS
        || kind_of(text_of(row->kind), &kind, err) != APR_SUCCESS
        || check_options(text_of(row->options), err) != APR_SUCCESS
        || (kind != R307_RULE_REGEX
            && check_place(host, row->path, err) != APR_SUCCESS)) {
        return NULL;
    }
    line = line_of(kind, host, row, pool);
    if (strlen(line) > R307_RULEFILE_LINE_MAX) {
        r307_error_set(err, "R307-0556: the row is longer than 65535 bytes "
                       "as a line of a rule file; split it");
        return NULL;
    }
    return line;
}

/* ---- lines to rows ---- */

/* The instant of "from=..." or "until=..." as a column holds it; NULL for
 * another word, and for what a column to the second cannot hold. */
static const char *instant_of(const char *word, const char *name,
                              apr_pool_t *pool)
{
    apr_size_t len = strlen(name);
    r307_error_t err = { pool, NULL };
    const char *text;
    apr_time_t when;

    if (strncmp(word, name, len) != 0
        || r307_time_parse(word + len, &when, &err) != APR_SUCCESS
        || when < 0 || when % APR_USEC_PER_SEC) {
        return NULL;
    }
    text = r307_time_format(pool, when);
    return text[YEAR_LEN] == '-' ? text : NULL;     /* a zone led to 10000 */
}

static int take_instant(const char *word, const char *name, apr_pool_t *pool,
                        const char **out)
{
    if (!*out) {
        *out = instant_of(word, name, pool);
        return *out != NULL;
    }
    return 0;                   /* the second is left to be complained of */
}

void r307_row_from_line(const r307_line_t *line, apr_pool_t *pool,
                        r307_row_t *row, const char **from,
                        const char **until)
{
    const r307_rule_spec_t *spec = &line->spec;
    int regex = spec->kind == R307_RULE_REGEX, exact = line->exact, i;
    r307_buf_t options;

    r307_buf_init(&options, pool, 64, 4 * R307_RULEFILE_LINE_MAX);
    *from = *until = NULL;
    for (i = 0; i < spec->noptions; i++) {
        const char *word = spec->options[i];

        if (!regex && !exact && strcmp(word, "exact") == 0) {
            exact = 1;
        }
        else if (!take_instant(word, "from=", pool, from)
                 && !take_instant(word, "until=", pool, until)) {
            word = r307_rulefile_quote(pool, word);
            r307_buf_add(&options, " ", options.len != 0);
            r307_buf_add(&options, word, strlen(word));
        }
    }
    row->host = line->host ? line->host : "";
    row->kind = regex ? "regex" : exact ? "exact" : "prefix";
    row->path = spec->path;
    row->target = spec->geo ? "geo" : spec->target;
    row->options = r307_buf_string(&options);
}
