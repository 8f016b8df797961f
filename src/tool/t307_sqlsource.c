/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns reading the files that come into a store: rule files line by line, and
 * what the importers make rule files of. Must not know databases.
 */
#include "tool/t307_sql.h"

#include "core/r307_lines.h"

#include <apr_file_io.h>
#include <apr_strings.h>

#include <string.h>

/* Bad lines that are told one by one. */
#define TOLD_MAX 10

static int cannot_read(const t307_sqlsource_t *source, apr_status_t rv)
{
    char why[120];

    return t307_fail(source->s->t, "%s: %s", source->path,
                     apr_strerror(rv, why, sizeof why));
}

/* ---- options ---- */

static void take_option(t307_sqlsource_t *source, int optch,
                        const char *value)
{
    if (optch == T307_SQLSOURCE_OPT_FORMAT) {
        source->format = value;
    }
    else if (optch == T307_SQLSOURCE_OPT_REPLACE) {
        source->replace = 1;
    }
    else if (!t307_sql_option(source->s, optch, value)) {
        (void)t307_import_option(&source->im, optch, value);
    }
}

int t307_sqlsource_options(t307_sqlsource_t *source, t307_sql_t *s,
                           t307_t *t, int argc, const char *const *argv,
                           int *status)
{
    const char *value, *const *words;
    t307_args_t args;
    int optch, n;

    memset(source, 0, sizeof *source);
    source->s = s;
    t307_sql_init(s, t);
    t307_import_init(&source->im, t->pool, NULL);
    t307_args_begin(t, &args, argc, argv);
    while ((optch = t307_args_next(t, &args, &value)) != 0) {
        take_option(source, optch, value);
    }
    *status = args.status;
    if (*status == T307_OK && !args.done) {
        words = t307_args_words(&args, &n);
        source->path = words[0];
        *status = n != 1 ? t307_usage_error(t, "it takes one file, not %d", n)
                         : t307_sql_settle(s, 1);
    }
    return *status == T307_OK && !args.done;
}

/* ---- open ---- */

static int open_rules(t307_sqlsource_t *source)
{
    apr_finfo_t info;
    apr_status_t rv = apr_file_open(&source->file, source->path,
                                    APR_FOPEN_READ, 0, source->s->pool);

    if (rv == APR_SUCCESS) {
        rv = apr_file_info_get(&info, APR_FINFO_SIZE | APR_FINFO_TYPE,
                               source->file);
    }
    if (rv == APR_SUCCESS && info.filetype == APR_DIR) {
        rv = APR_FROM_OS_ERROR(EISDIR);
    }
    if (rv != APR_SUCCESS) {
        return cannot_read(source, rv);
    }
    source->size = info.filetype == APR_REG ? (apr_uint64_t)info.size : 0;
    return T307_OK;
}

static int convert(t307_sqlsource_t *source)
{
    int warnings, status = t307_import_check(source->s->t, &source->im);

    if (status != T307_OK) {
        return status;
    }
    source->im.to = T307_IMPORT_TO_RULES;
    status = t307_import_load(source->s->t, &source->im, source->path,
                              &source->losses, &warnings);
    if (status == T307_FAILED) {
        return status;
    }
    source->text = apr_pstrdup(source->s->pool,
                               t307_import_text(&source->im));
    source->size = strlen(source->text);
    return status;
}

int t307_sqlsource_open(t307_sqlsource_t *source)
{
    t307_t *t = source->s->t;

    if (!source->format || strcmp(source->format, "rules") == 0) {
        return open_rules(source);
    }
    source->im.format = t307_import_find(source->format);
    return source->im.format ? convert(source)
        : t307_usage_error(t, "there is no format '%s'; write one of: rules, "
                           "%s", t307_import_show(&source->im, source->format),
                           t307_import_names(t->pool));
}

/* ---- lines ---- */

typedef struct walk_t {
    t307_sqlsource_t *source;
    int (*visit)(void *ctx, const t307_sqlrule_t *rule, const char *line,
                 apr_pool_t *pool);
    void *ctx;
    apr_pool_t *pool;           /* of a line */
    t307_progress_t progress;
    apr_uint32_t number;
} walk_t;

static void tell(walk_t *w, const char *why)
{
    t307_sqlsource_t *source = w->source;

    if (source->bad++ < TOLD_MAX) {
        t307_progress_end(&w->progress);
        fprintf(source->s->t->err, "%s:%u: %s\n", source->path,
                (unsigned)w->number, why);
    }
}

static int take_line(walk_t *w, char *text, apr_size_t len)
{
    r307_error_t err = { w->pool, NULL };
    const char *line;
    r307_line_t parsed;
    t307_sqlrule_t rule;
    apr_status_t rv;

    if (len > R307_RULEFILE_LINE_MAX || memchr(text, '\0', len)) {
        tell(w, len > R307_RULEFILE_LINE_MAX
             ? "the line is longer than 65535 bytes; split it"
             : "the line holds a NUL byte; a rule file is text");
        return T307_OK;
    }
    rv = r307_rulefile_parse(text, R307_RULEFILE_RULES, w->pool, &parsed,
                             &err);
    if (rv == APR_NOTFOUND) {
        return T307_OK;
    }
    if (rv == APR_SUCCESS) {
        t307_sqlrule_of_line(&parsed, w->pool, &rule);
        line = t307_sqlrule_check(&rule, w->pool, &err);
        if (line) {
            /* nothing is written any more, but all bad lines are told */
            return w->source->bad ? T307_OK
                : w->visit(w->ctx, &rule, line, w->pool);
        }
    }
    tell(w, err.text);
    return T307_OK;
}

static int walk_file(walk_t *w)
{
    t307_sqlsource_t *source = w->source;
    r307_lines_t lines;
    apr_pool_t *pool;
    apr_size_t len;
    apr_uint64_t at = 0;
    apr_status_t rv;
    char *text;
    int status = T307_OK;

    apr_pool_create(&pool, source->s->pool);
    r307_lines_begin(&lines, source->file, pool);
    while (status == T307_OK
           && (rv = r307_lines_next(&lines, &text, &len)) == APR_SUCCESS) {
        w->number = lines.number;
        at += len + 1;
        status = take_line(w, text, len);
        apr_pool_clear(w->pool);
        t307_progress_at(&w->progress, source->size ? at : lines.number);
    }
    apr_pool_destroy(pool);
    return status != T307_OK ? status
        : rv == APR_EOF ? T307_OK : cannot_read(source, rv);
}

/* Parsing changes the text. */
static int walk_text(walk_t *w)
{
    t307_sqlsource_t *source = w->source;
    const char *from = source->text;
    int status = T307_OK;

    while (status == T307_OK && *from) {
        apr_size_t len = strcspn(from, "\n");

        w->number++;
        status = take_line(w, apr_pstrmemdup(w->pool, from, len), len);
        apr_pool_clear(w->pool);
        from += len + (from[len] != '\0');
        t307_progress_at(&w->progress, (apr_uint64_t)(from - source->text));
    }
    return status;
}

static int rewind_file(t307_sqlsource_t *source)
{
    apr_off_t begin = 0;
    apr_status_t rv = apr_file_seek(source->file, APR_SET, &begin);

    return rv == APR_SUCCESS ? T307_OK
        : t307_fail(source->s->t, "%s has to be read twice: put it into a "
                    "file", source->path);
}

int t307_sqlsource_walk(t307_sqlsource_t *source, int twice,
                        int (*visit)(void *ctx, const t307_sqlrule_t *rule,
                                     const char *line, apr_pool_t *pool),
                        void *ctx)
{
    walk_t w = { source, visit, ctx, NULL, { NULL, NULL, 0, 0 }, 0 };
    t307_t *t = source->s->t;
    int status = twice && source->file ? rewind_file(source) : T307_OK;

    if (status != T307_OK) {
        return status;
    }
    source->bad = 0;
    apr_pool_create(&w.pool, source->s->pool);
    t307_progress_begin(&w.progress, t, source->path, source->size);
    status = source->file ? walk_file(&w) : walk_text(&w);
    t307_progress_end(&w.progress);
    apr_pool_destroy(w.pool);
    if (status != T307_OK || !source->bad) {
        return status;
    }
    if (source->bad > TOLD_MAX) {
        fprintf(t->err, "... and %u more\n", (unsigned)source->bad
                - TOLD_MAX);
    }
    fprintf(t->err, "%s: %u bad line%s, nothing was changed\n", source->path,
            (unsigned)source->bad, source->bad == 1 ? "" : "s");
    return T307_FOUND;
}
