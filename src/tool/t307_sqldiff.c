/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns `sql diff`: what a file would change in a rule set. Must not know how
 * that is found out.
 */
#include "tool/t307_sql.h"

#include <apr_strings.h>

#include <string.h>

static const apr_getopt_option_t options[] = {
    T307_SQL_OPTIONS,
    T307_SQL_OPTION_RULESET,
    T307_SQLSOURCE_OPTION_FORMAT,
    { "json", T307_SQL_OPT_JSON, 0, "JSON" },
    T307_IMPORT_OPTIONS,
    { NULL, 0, 0, NULL }
};

typedef struct differ_t {
    t307_sql_t s;
    t307_sqlsource_t source;
    t307_sqlstatement_t old;    /* the rule with an id */
    apr_uint64_t differences;
} differ_t;

/* The rule as it is now, as a line. */
static int old_line(differ_t *d, const char *id, apr_pool_t *pool,
                    const char **line)
{
    r307_error_t err = { pool, NULL };
    t307_sqlrule_t rule;
    t307_sqlrows_t rows;
    int status = t307_sql_select(&d->s, &d->old, &id, pool, &rows);

    *line = NULL;
    if (status == T307_OK && t307_sql_next(&rows)) {
        t307_sqlrule_read(&rows, 0, &rule);
        *line = t307_sqlrule_line(&rule, pool, &err);
        if (!*line) {
            *line = apr_pstrcat(pool, "# ", err.text, NULL);
        }
    }
    return status;
}

static int tell_difference(differ_t *d, const char *op, const char *id,
                           const char *before, const char *after)
{
    FILE *out = d->s.t->out;
    json_t *json;

    if (!d->s.json) {
        if (before) {
            fprintf(out, "- %s %s\n", id, before);
        }
        if (after) {
            fprintf(out, "+ %s %s\n", id ? id : "new", after);
        }
        d->differences++;
        return T307_OK;
    }
    json = json_pack("{s:s}", "op", op);
    if (id) {
        json_object_set_new(json, "id", json_integer(
            (json_int_t)apr_atoi64(id)));
    }
    if (before) {
        json_object_set_new(json, "before", json_string(before));
    }
    if (after) {
        json_object_set_new(json, "after", json_string(after));
    }
    fputs(d->differences++ ? ",\n" : "\n", out);
    json_dumpf(json, out, 0);
    json_decref(json);
    return T307_OK;
}

static int tell_added(void *ctx, const t307_sqlrule_t *rule,
                      const char *line, apr_pool_t *pool)
{
    (void)rule;
    (void)pool;
    return tell_difference(ctx, "add", NULL, NULL, line);
}

static int tell_changed(void *ctx, const t307_sqlrule_t *to,
                        const char *line, apr_pool_t *pool)
{
    const char *before;
    int status = old_line(ctx, to->id, pool, &before);

    return status != T307_OK ? status
        : tell_difference(ctx, "change", to->id, before, line);
}

static int tell_removed(void *ctx, const char *id, apr_pool_t *pool)
{
    const char *before;
    int status = old_line(ctx, id, pool, &before);

    return status != T307_OK ? status
        : tell_difference(ctx, "delete", id, before, NULL);
}

static const t307_sqlplan_visitor_t telling = {
    tell_removed, tell_changed, tell_added
};

static int compare(differ_t *d)
{
    t307_sqlplan_t *plan;
    int status = t307_sql_prepare(&d->s, &d->old, apr_pstrcat(
        d->s.pool, "SELECT ", t307_sqlrule_columns(&d->s, "id"),
        " FROM redirect307_rule WHERE id = %lld", NULL));

    if (status == T307_OK) {
        status = t307_sqlplan_make(&d->s, &d->source, &plan);
    }
    if (status != T307_OK) {
        return status == T307_FOUND ? T307_FAILED : status;
    }
    if (d->s.json) {
        fputc('[', d->s.t->out);
    }
    status = t307_sqlplan_walk(plan, &telling, d);
    if (d->s.json) {
        fputs(d->differences ? "\n]\n" : "]\n", d->s.t->out);
    }
    return status;
}

static int diff(differ_t *d)
{
    int status = t307_sqlsource_open(&d->source);

    if (status == T307_FOUND) {
        status = T307_OK;       /* what is lost has been told */
    }
    if (status == T307_OK) {
        status = t307_sql_open(&d->s);
    }
    if (status == T307_OK) {
        status = t307_sql_begin_reading(&d->s);
    }
    if (status == T307_OK) {
        status = t307_sql_end(&d->s, compare(d));
    }
    return status == T307_OK && d->differences ? T307_FOUND : status;
}

static int run(t307_t *t, int argc, const char *const *argv)
{
    differ_t d;
    int status;

    memset(&d, 0, sizeof d);
    return t307_sqlsource_options(&d.source, &d.s, t, argc, argv, &status)
        ? diff(&d) : status;
}

const t307_command_t t307_sql_diff_command = {
    "sql diff", run, "--ruleset NAME [option...] FILE",
    "what a file would change in a rule set",
    "Compares FILE with the rules that are enabled, as 'redirect307 sql "
    "import\n"
    "--replace' would. The exit status is 0 when they are the same, 1 when "
    "not, 3\n"
    "when FILE has bad lines. Each line has a sign, the rule's id and the "
    "rule.\n"
    "\n"
    "  redirect307 sql diff --sqlite rules.db --ruleset shop shop.rules\n"
    "  - 17 /old https://www2.example/\n"
    "  + 17 /old https://www3.example/\n"
    "  + new /sale https://sale.example/\n",
    options
};
