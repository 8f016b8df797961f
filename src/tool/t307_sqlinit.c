/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns `sql init` and `sql resync`: the store as a whole. Must not know
 * rules.
 */
#include "tool/t307_sql.h"

#include <apr_file_io.h>
#include <apr_strings.h>

#include <jansson.h>

#include <string.h>

static const apr_getopt_option_t init_options[] = {
    T307_SQL_OPTIONS,
    { "dry-run", T307_SQL_OPT_DRYRUN, 0, "print the schema, and make "
      "nothing" },
    { NULL, 0, 0, NULL }
};

static const apr_getopt_option_t resync_options[] = {
    T307_SQL_OPTIONS,
    T307_SQL_OPTION_DRYRUN,
    { NULL, 0, 0, NULL }
};

/* Options only. 0: the command ends with *status. */
static int take_options(t307_sql_t *s, t307_t *t, int argc,
                        const char *const *argv, int *status)
{
    const char *value;
    t307_args_t args;
    int optch, n;

    t307_sql_init(s, t);
    t307_args_begin(t, &args, argc, argv);
    while ((optch = t307_args_next(t, &args, &value)) != 0) {
        (void)t307_sql_option(s, optch, value);
    }
    *status = args.status;
    if (*status == T307_OK && !args.done) {
        (void)t307_args_words(&args, &n);
        *status = n ? t307_usage_error(t, "it takes no words, not %d", n)
                    : t307_sql_settle(s, 0);
    }
    return *status == T307_OK && !args.done;
}

static const char *place(const t307_sql_t *s)
{
    return s->sqlite ? t307_sql_shown(s, s->sqlite) : "the database";
}

/* Is there a file? SQLite makes one on the way. */
static int is_new(const t307_sql_t *s)
{
    apr_finfo_t info;

    return s->sqlite && apr_stat(&info, s->params, APR_FINFO_TYPE, s->pool)
                        != APR_SUCCESS;
}

static int make(t307_sql_t *s)
{
    int status = t307_sql_run(s, s->sqlite ? s->dialect->write : "BEGIN");

    if (status == T307_OK) {
        s->in_transaction = 1;
        status = t307_sql_end(s, t307_sql_run(s, s->dialect->schema));
    }
    if (status == T307_OK) {
        fprintf(s->t->out, "%s: the store is made, schema version "
                T307_SQL_VERSION "\n", place(s));
    }
    return status;
}

static int init(t307_sql_t *s)
{
    int fresh = is_new(s), status;
    const char *version, *why;

    if (fresh && s->dry_run) {
        fputs(s->dialect->schema, s->t->out);
        return T307_OK;
    }
    status = t307_sql_connect(s, 1);
    if (status != T307_OK) {
        return status;
    }
    version = t307_sql_version(s, &why);
    if (version) {
        return t307_fail(s->t, "%s: there is a store already, schema version "
                         "%s; it is left as it is", place(s),
                         t307_sql_shown(s, version));
    }
    if (s->dry_run) {
        fputs(s->dialect->schema, s->t->out);
        return T307_OK;
    }
    status = make(s);
    if (status != T307_OK && fresh) {
        apr_file_remove(s->params, s->pool);
    }
    return status;
}

static int run_init(t307_t *t, int argc, const char *const *argv)
{
    t307_sql_t s;
    int status;

    return take_options(&s, t, argc, argv, &status) ? init(&s) : status;
}

const t307_command_t t307_sql_init_command = {
    "sql init", run_init, "[option...]",
    "make the store: tables, views and triggers",
    "Of SQLite the file is made as well. In PostgreSQL the tables come into "
    "the\n"
    "schema that is first in search_path, and belong to who runs this; the "
    "database\n"
    "has to be there. A store that is there is left as it is. Who needs "
    "which\n"
    "rights stands at the beginning of the schema; --dry-run prints it.\n"
    "\n"
    "  redirect307 sql init --sqlite /var/lib/redirect307/rules.db\n"
    "  redirect307 sql init --db-file /etc/redirect307.db\n"
    "  redirect307 sql init --driver pgsql --dry-run\n",
    init_options
};

/* ---- resync ---- */

static int resync(t307_sql_t *s)
{
    const char *epoch = NULL;
    t307_sqlstatement_t more;
    int rows = 0, status = t307_sql_open(s);

    if (status == T307_OK) {
        status = t307_sql_run(s, "BEGIN");
    }
    if (status != T307_OK) {
        return status;
    }
    s->in_transaction = 1;
    status = t307_sql_prepare(s, &more, "UPDATE redirect307_store "
                              "SET epoch = epoch + 1");
    if (status == T307_OK) {
        status = t307_sql_change(s, &more, NULL, &rows);
    }
    if (status == T307_OK) {
        status = t307_sql_ask(s, "SELECT epoch FROM redirect307_store", NULL,
                              &epoch);
    }
    status = t307_sql_end(s, status);
    if (status == T307_OK) {
        fprintf(s->t->out, "epoch %s: all servers %s read all rules once\n",
                epoch, s->dry_run ? "would" : "will");
    }
    return status;
}

static int run_resync(t307_t *t, int argc, const char *const *argv)
{
    t307_sql_t s;
    int status;

    return take_options(&s, t, argc, argv, &status) ? resync(&s) : status;
}

const t307_command_t t307_sql_resync_command = {
    "sql resync", run_resync, "[option...]",
    "have all servers read all rules once",
    "Servers go by the log of changes. After something that it does not "
    "tell, such\n"
    "as rows that were loaded while triggers were off, have them read "
    "everything.\n"
    "\n"
    "  redirect307 sql resync --sqlite rules.db\n",
    resync_options
};
