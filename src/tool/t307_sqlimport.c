/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns `sql import`: a file into a rule set. Must not know formats of files or
 * statements.
 */
#include "tool/t307_sql.h"

#include <string.h>

static const apr_getopt_option_t options[] = {
    T307_SQL_OPTIONS,
    T307_SQL_OPTION_RULESET,
    T307_SQLSOURCE_OPTION_FORMAT,
    { "replace", T307_SQLSOURCE_OPT_REPLACE, 0, "rules of the rule set that "
      "are not in FILE go" },
    T307_SQL_OPTION_DRYRUN,
    { "json", T307_SQL_OPT_JSON, 0, "say what was done as JSON" },
    T307_IMPORT_OPTIONS,
    { NULL, 0, 0, NULL }
};

typedef struct importer_t {
    t307_sql_t s;
    t307_sqlsource_t source;
    t307_sqlwriter_t writer;
} importer_t;

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
        status = i->source.replace ? replace_all(i)
            : t307_sqlsource_walk(&i->source, 0, add, i);
    }
    return status == T307_OK ? t307_sqlwriter_end(&i->writer) : status;
}

static void tell(importer_t *i)
{
    const t307_sqlwriter_t *w = &i->writer;

    if (!i->s.json) {
        fprintf(i->s.t->out, "%s: %" APR_UINT64_T_FMT " rules added, %"
                APR_UINT64_T_FMT " changed, %" APR_UINT64_T_FMT " deleted in "
                "the rule set %s%s\n", i->source.path, w->added, w->changed,
                w->deleted, i->s.ruleset,
                t307_sql_dry(&i->s));
        return;
    }
    t307_sql_print(&i->s, json_pack(
        "{s:s, s:I, s:I, s:I, s:b}", "ruleset", i->s.ruleset, "added",
        (json_int_t)w->added, "changed", (json_int_t)w->changed, "deleted",
        (json_int_t)w->deleted, "dry_run", i->s.dry_run));
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

static int run(t307_t *t, int argc, const char *const *argv)
{
    importer_t i;
    int status;

    memset(&i, 0, sizeof i);
    return t307_sqlsource_options(&i.source, &i.s, t, argc, argv, &status)
        ? import(&i) : status;
}

const t307_command_t t307_sql_import_command = {
    "sql import", run, "--ruleset NAME [option...] FILE",
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
    options
};
