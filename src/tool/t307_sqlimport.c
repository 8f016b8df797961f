/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns `sql import` and `sql diff`: a file into a rule set, and what it would
 * change there. Must not know formats of files or statements.
 */
#include "tool/t307_sql.h"

#include <apr_strings.h>

#include <jansson.h>

#include <string.h>

#define OPT_FORMAT 0x6101
#define OPT_REPLACE 0x6102

static const apr_getopt_option_t import_options[] = {
    T307_SQL_OPTIONS,
    T307_SQL_OPTION_RULESET,
    { "format", OPT_FORMAT, 1, "NAME: rules, or a format of 'redirect307 "
      "import'" },
    { "replace", OPT_REPLACE, 0, "rules of the rule set that are not in FILE "
      "go" },
    T307_SQL_OPTION_DRYRUN,
    { "json", T307_SQL_OPT_JSON, 0, "say what was done as JSON" },
    T307_IMPORT_OPTIONS,
    { NULL, 0, 0, NULL }
};

static const apr_getopt_option_t diff_options[] = {
    T307_SQL_OPTIONS,
    T307_SQL_OPTION_RULESET,
    { "format", OPT_FORMAT, 1, "NAME: rules, or a format of 'redirect307 "
      "import'" },
    { "json", T307_SQL_OPT_JSON, 0, "JSON" },
    T307_IMPORT_OPTIONS,
    { NULL, 0, 0, NULL }
};

typedef struct importer_t {
    t307_sql_t s;
    t307_import_t im;
    t307_sqlsource_t source;
    int replace;
    t307_sqlwriter_t writer;
    /* diff */
    t307_sqlstatement_t old;    /* the rule with an id */
    apr_uint64_t differences;
} importer_t;

/* 0: the command ends with *status. */
static int take_options(importer_t *i, t307_t *t, int argc,
                        const char *const *argv, int *status)
{
    const char *value, *const *words;
    t307_args_t args;
    int optch, n;

    memset(i, 0, sizeof *i);
    t307_sql_init(&i->s, t);
    t307_import_init(&i->im, t->pool, NULL);
    i->source.s = &i->s;
    i->source.im = &i->im;
    t307_args_begin(t, &args, argc, argv);
    while ((optch = t307_args_next(t, &args, &value)) != 0) {
        if (optch == OPT_FORMAT) {
            i->source.format = value;
        }
        else if (optch == OPT_REPLACE) {
            i->replace = 1;
        }
        else if (!t307_sql_option(&i->s, optch, value)) {
            (void)t307_import_option(&i->im, optch, value);
        }
    }
    *status = args.status;
    if (*status == T307_OK && !args.done) {
        words = t307_args_words(&args, &n);
        i->source.path = words[0];
        *status = n != 1 ? t307_usage_error(t, "it takes one file, not %d", n)
                         : t307_sql_settle(&i->s, 1);
    }
    return *status == T307_OK && !args.done;
}

/* ---- import ---- */

static int add(void *ctx, const t307_sqlrule_t *rule, const char *line,
               apr_pool_t *pool)
{
    (void)line;
    (void)pool;
    return t307_sqlwriter_add(&((importer_t *)ctx)->writer, rule);
}

static int change(void *ctx, const t307_sqlrule_t *to, const char *line,
                  apr_pool_t *pool)
{
    (void)line;
    (void)pool;
    return t307_sqlwriter_update(&((importer_t *)ctx)->writer, to);
}

static int remove_one(void *ctx, const char *id, apr_pool_t *pool)
{
    (void)pool;
    return t307_sqlwriter_delete(&((importer_t *)ctx)->writer, id);
}

static const t307_sqlplan_visitor_t writing = { remove_one, change, add };

/* A job that has written nothing is no wish to have no rules. */
static int replace_all(importer_t *i)
{
    t307_sqlplan_t *plan;
    int status = t307_sqlplan_make(&i->s, &i->source, &plan);

    if (status == T307_OK && t307_sqlplan_empties(plan)) {
        return t307_fail(i->s.t, "%s has no rules, and the rule set %s has "
                         "%d; nothing was changed ('redirect307 sql delete' "
                         "takes rules away)", i->source.path, i->s.ruleset,
                         t307_sqlplan_empties(plan));
    }
    return status != T307_OK ? status
        : t307_sqlplan_walk(plan, &writing, i);
}

static int write_rules(importer_t *i)
{
    int status = t307_sqlwriter_begin(&i->s, &i->writer);

    if (status == T307_OK) {
        status = i->replace ? replace_all(i)
            : t307_sqlsource_walk(&i->source, 0, add, i);
    }
    return status == T307_OK ? t307_sqlwriter_end(&i->writer) : status;
}

static void tell(const importer_t *i)
{
    const t307_sqlwriter_t *w = &i->writer;
    json_t *json;

    if (!i->s.json) {
        fprintf(i->s.t->out, "%s: %" APR_UINT64_T_FMT " rules added, %"
                APR_UINT64_T_FMT " changed, %" APR_UINT64_T_FMT " deleted in "
                "the rule set %s%s\n", i->source.path, w->added, w->changed,
                w->deleted, i->s.ruleset,
                i->s.dry_run ? " (dry run: taken back)" : "");
        return;
    }
    json = json_pack("{s:s, s:I, s:I, s:I, s:b}", "ruleset", i->s.ruleset,
                     "added", (json_int_t)w->added, "changed",
                     (json_int_t)w->changed, "deleted",
                     (json_int_t)w->deleted, "dry_run", i->s.dry_run);
    json_dumpf(json, i->s.t->out, 0);
    fputc('\n', i->s.t->out);
    json_decref(json);
}

static int import(importer_t *i)
{
    int opened = t307_sqlsource_open(&i->source), status;

    if (opened != T307_OK && opened != T307_FOUND) {
        return opened;
    }
    status = t307_sql_open(&i->s);
    if (status == T307_OK) {
        status = t307_sql_begin(&i->s);
    }
    if (status != T307_OK) {
        return status;
    }
    status = t307_sql_end(&i->s, write_rules(i));
    if (status == T307_OK) {
        tell(i);
    }
    return status == T307_OK ? opened : status;
}

static int run_import(t307_t *t, int argc, const char *const *argv)
{
    importer_t i;
    int status;

    return take_options(&i, t, argc, argv, &status) ? import(&i) : status;
}

const t307_command_t t307_sql_import_command = {
    "sql import", run_import, "--ruleset NAME [option...] FILE",
    "bring the rules of a file into a rule set",
    "FILE is a rule file, or with --format what 'redirect307 import' reads: "
    "netlify,\n"
    "cloudflare, rewritemap, nginx-map, haproxy-map, vercel, next or httpd.\n"
    "Everything is written in one transaction: servers see all of it or "
    "none. Every\n"
    "bad line is named; then nothing is written and the exit status is 1.\n"
    "\n"
    "Without --replace the rules are added. With it the rule set becomes "
    "what FILE\n"
    "says, with as few changes as that takes; rules that stay keep their "
    "ids, notes\n"
    "and counts. Rules that are not enabled are left alone. A file without "
    "rules\n"
    "replaces nothing.\n"
    "\n"
    "  redirect307 sql import --sqlite rules.db --ruleset shop shop.rules\n"
    "  redirect307 sql import --ruleset shop --replace "
    "shop.rules\n"
    "  redirect307 sql import --ruleset old \\\n"
    "      --format rewritemap --key path pages.txt\n",
    import_options
};

/* ---- diff ---- */

/* The rule as it is now, as a line. */
static int old_line(importer_t *i, const char *id, apr_pool_t *pool,
                    const char **line)
{
    r307_error_t err = { pool, NULL };
    t307_sqlrule_t rule;
    t307_sqlrows_t rows;
    int status = t307_sql_select(&i->s, &i->old, &id, pool, &rows);

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

static int tell_difference(importer_t *i, const char *op, const char *id,
                           const char *before, const char *after)
{
    FILE *out = i->s.t->out;
    json_t *json;

    if (!i->s.json) {
        if (before) {
            fprintf(out, "- %s %s\n", id, before);
        }
        if (after) {
            fprintf(out, "+ %s %s\n", id ? id : "new", after);
        }
        i->differences++;
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
    fputs(i->differences++ ? ",\n" : "\n", out);
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

static int compare(importer_t *i)
{
    t307_sqlplan_t *plan;
    int status = t307_sql_prepare(&i->s, &i->old, apr_pstrcat(
        i->s.pool, "SELECT ", t307_sqlrule_columns(&i->s, "id"),
        " FROM redirect307_rule WHERE id = %lld", NULL));

    if (status == T307_OK) {
        status = t307_sqlplan_make(&i->s, &i->source, &plan);
    }
    if (status != T307_OK) {
        return status == T307_FOUND ? T307_FAILED : status;
    }
    if (i->s.json) {
        fputc('[', i->s.t->out);
    }
    status = t307_sqlplan_walk(plan, &telling, i);
    if (i->s.json) {
        fputs(i->differences ? "\n]\n" : "]\n", i->s.t->out);
    }
    return status;
}

static int diff(importer_t *i)
{
    int status = t307_sqlsource_open(&i->source);

    if (status == T307_FOUND) {
        status = T307_OK;       /* what is lost has been told */
    }
    if (status == T307_OK) {
        status = t307_sql_open(&i->s);
    }
    if (status == T307_OK) {
        status = t307_sql_begin_reading(&i->s);
    }
    if (status == T307_OK) {
        status = t307_sql_end(&i->s, compare(i));
    }
    return status == T307_OK && i->differences ? T307_FOUND : status;
}

static int run_diff(t307_t *t, int argc, const char *const *argv)
{
    importer_t i;
    int status;

    return take_options(&i, t, argc, argv, &status) ? diff(&i) : status;
}

const t307_command_t t307_sql_diff_command = {
    "sql diff", run_diff, "--ruleset NAME [option...] FILE",
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
    diff_options
};
