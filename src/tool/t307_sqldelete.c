/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns `sql delete`: rules that go, by id or path, all or none. Must not know
 * the statements that take them away.
 */
#include "tool/t307_sql.h"

#include <apr_strings.h>

#include <string.h>

#define OPT_HOST 0x6302
#define OPT_PATH 0x6306

static const apr_getopt_option_t options[] = {
    T307_SQL_OPTIONS,
    T307_SQL_OPTION_RULESET,
    { "path", OPT_PATH, 1, "PATH: all rules with just this path" },
    { "host", OPT_HOST, 1, "HOST: of these, those for this host" },
    T307_SQL_OPTION_DRYRUN,
    { "json", T307_SQL_OPT_JSON, 0, "say what was done as JSON" },
    { NULL, 0, 0, NULL }
};

typedef struct deleter_t {
    t307_sql_t s;
    const char *path, *host;
    const char *const *ids;
    int nids;
    t307_sqlwriter_t writer;
    json_t *told;
    int missing;
} deleter_t;

/* Told when it is done. */
static int note_and_delete(deleter_t *d, const t307_sqlrule_t *rule,
                           apr_pool_t *pool)
{
    r307_error_t err = { pool, NULL };
    const char *line = t307_sqlrule_line(rule, pool, &err);
    json_t *json = json_pack("{s:I, s:s}", "id",
                             (json_int_t)apr_atoi64(rule->id), "ruleset",
                             rule->ruleset);
    json_t *text = json_string(line ? line : err.text);

    json_object_set_new(json, "rule", text ? text
                                           : json_string("(no UTF-8)"));
    json_array_append_new(d->told, json);
    return t307_sqlwriter_delete(&d->writer, rule->id);
}

static void tell_deleted(deleter_t *d)
{
    size_t i;
    json_t *rule;

    if (d->s.json) {
        t307_sql_print(&d->s, json_pack("{s:O, s:b}", "deleted", d->told,
                                    "dry_run", d->s.dry_run));
        return;
    }
    json_array_foreach(d->told, i, rule) {
        fprintf(d->s.t->out, "rule %" JSON_INTEGER_FORMAT " of %s deleted: "
                "%s%s\n",
                json_integer_value(json_object_get(rule, "id")),
                json_string_value(json_object_get(rule, "ruleset")),
                json_string_value(json_object_get(rule, "rule")),
                t307_sql_dry(&d->s));
    }
}

/* Delete what a query finds. */
static int delete_found(deleter_t *d, const t307_sqlstatement_t *find,
                        const char **args, int *n)
{
    apr_pool_t *pool;
    t307_sqlrule_t rule;
    t307_sqlrows_t rows;
    int status;

    apr_pool_create(&pool, d->s.pool);
    status = t307_sql_select(&d->s, find, args, pool, &rows);
    for (*n = 0; status == T307_OK && t307_sql_next(&rows); ++*n) {
        t307_sqlrule_read(&rows, 0, &rule);
        status = note_and_delete(d, &rule, pool);
    }
    apr_pool_destroy(pool);
    return status;
}

static int prepare_find(deleter_t *d, t307_sqlstatement_t *find)
{
    return t307_sql_prepare(&d->s, find, apr_pstrcat(
        d->s.pool, "SELECT ", t307_sqlrule_columns(&d->s, "id"),
        " FROM redirect307_rule WHERE ruleset = %s AND ",
        !d->path ? "id = %lld" : d->host ? "path = %s AND host = %s"
                                         : "path = %s", NULL));
}

static int delete_path(deleter_t *d, const t307_sqlstatement_t *find)
{
    const char *args[3] = { d->s.ruleset, d->path, d->host };
    int n, status = delete_found(d, find, args, &n);

    if (status == T307_OK && n == 0) {
        fprintf(d->s.t->err, "the rule set %s has no rule with the path "
                "'%s'%s%s\n", d->s.ruleset, t307_sql_shown(&d->s, d->path),
                d->host ? " for the host " : "",
                d->host ? t307_sql_shown(&d->s, d->host) : "");
        d->missing++;
    }
    return status;
}

static int delete_ids(deleter_t *d, const t307_sqlstatement_t *find)
{
    const char *args[2] = { d->s.ruleset, NULL };
    int i, n, status = T307_OK;

    for (i = 0; status == T307_OK && i < d->nids; i++) {
        args[1] = d->ids[i];
        status = delete_found(d, find, args, &n);
        if (status == T307_OK && n == 0) {
            fprintf(d->s.t->err, "the rule set %s has no rule %s\n",
                    d->s.ruleset, d->ids[i]);
            d->missing++;
        }
    }
    return status;
}

static int delete_all(deleter_t *d)
{
    t307_sqlstatement_t find;
    int status = prepare_find(d, &find);

    if (status == T307_OK) {
        status = t307_sqlwriter_begin(&d->s, &d->writer);
    }
    if (status == T307_OK) {
        status = d->path ? delete_path(d, &find) : delete_ids(d, &find);
    }
    if (status == T307_OK && d->missing) {
        fputs("nothing was deleted\n", d->s.t->err);
        return T307_FOUND;
    }
    return status == T307_OK ? t307_sqlwriter_end(&d->writer) : status;
}

static int check_words(deleter_t *d)
{
    const char *bad;
    int i;

    if (!d->path == !d->nids) {
        return t307_usage_error(d->s.t, "it takes ids, or --path");
    }
    if (d->host && !d->path) {
        return t307_usage_error(d->s.t, "--host goes with --path");
    }
    for (i = 0; i < d->nids; i++) {
        bad = t307_sqlrule_bad_id(d->s.pool, d->ids[i]);
        if (bad) {
            return t307_usage_error(d->s.t, "%s", bad);
        }
    }
    return t307_sql_settle(&d->s, 1);
}

static int delete_rules(deleter_t *d)
{
    int status = check_words(d);

    if (status == T307_OK) {
        status = t307_sql_open(&d->s);
    }
    if (status == T307_OK) {
        status = t307_sql_begin(&d->s);
    }
    if (status == T307_OK) {
        d->told = json_array();
        status = t307_sql_end(&d->s, delete_all(d));
        if (status == T307_OK) {
            tell_deleted(d);
        }
        json_decref(d->told);
    }
    return status;
}

static int run(t307_t *t, int argc, const char *const *argv)
{
    const char *value;
    t307_args_t args;
    deleter_t d;
    int optch;

    memset(&d, 0, sizeof d);
    t307_sql_init(&d.s, t);
    t307_args_begin(t, &args, argc, argv);
    while ((optch = t307_args_next(t, &args, &value)) != 0) {
        if (optch == OPT_PATH) {
            d.path = value;
        }
        else if (optch == OPT_HOST) {
            d.host = value;
        }
        else {
            (void)t307_sql_option(&d.s, optch, value);
        }
    }
    if (args.status != T307_OK || args.done) {
        return args.status;
    }
    d.ids = t307_args_words(&args, &d.nids);
    return delete_rules(&d);
}

const t307_command_t t307_sql_delete_command = {
    "sql delete", run, "--ruleset NAME [option...] [ID...]",
    "take rules away",
    "All of them, or none: when one is not there the exit status is 1 and "
    "nothing is\n"
    "deleted.\n"
    "\n"
    "  redirect307 sql delete --sqlite rules.db --ruleset shop 17 18\n"
    "  redirect307 sql delete --sqlite rules.db --ruleset shop --path /sale "
    "--dry-run\n",
    options
};
