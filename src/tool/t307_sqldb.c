/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns talking to the database through apr_dbd: connections, transactions,
 * statements, and what went wrong. Must not know rules.
 */
#include "tool/t307_sql.h"

#include <apr_file_info.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

/* ---- what differs ---- */

static const char sqlite_schema[] =
#include "share/redirect307-sqlite.inc"
;

static const char pgsql_schema[] =
#include "share/redirect307-postgresql.inc"
;

/* The driver tries again, 16 times as long, when another one writes. */
const t307_sqldialect_t t307_sqlite_dialect = {
    "sqlite3", "libaprutil1-dbd-sqlite3", sqlite_schema,
    "PRAGMA cache_size = -65536",
    "BEGIN",
    "BEGIN IMMEDIATE",
    "",
    "", "",
    1, 0
};

/* A writer takes the store's lock with its first statement; here before it
 * reads. */
const t307_sqldialect_t t307_pgsql_dialect = {
    "pgsql", "libaprutil1-dbd-pgsql", pgsql_schema,
    "SET client_encoding = 'UTF8'\n\n"
    "SET standard_conforming_strings = on\n\n"
    "SELECT set_config('lock_timeout', '60s', false) "
    "WHERE current_setting('lock_timeout') = '0'",
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "BEGIN ISOLATION LEVEL READ COMMITTED\n\n"
    "DELETE FROM redirect307_rule WHERE false",
    "ANALYZE redirect307_rule, redirect307_change",
    "replace(to_char(", " AT TIME ZONE 'UTC', "
    "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), '.000000Z', 'Z')",
    500, 1
};

int t307_sql_fail(t307_sql_t *s, const char *what, int error)
{
    const char *why = apr_dbd_error(s->apr, s->handle, error);

    return t307_fail(s->t, "%s: %s", what,
                     t307_sql_shown(s, why && *why ? why
                                    : "the database does not say why"));
}

const char *t307_sql_dry(const t307_sql_t *s)
{
    return s->dry_run ? " (dry run: taken back)" : "";
}

void t307_sql_print(t307_sql_t *s, json_t *json)
{
    json_dumpf(json, s->t->out, 0);
    fputc('\n', s->t->out);
    json_decref(json);
}

/* ---- connections ---- */

typedef struct connection_t {
    const apr_dbd_driver_t *apr;
    apr_dbd_t *handle;
} connection_t;

static apr_status_t disconnect(void *data)
{
    connection_t *c = data;

    apr_dbd_close(c->apr, c->handle);
    return APR_SUCCESS;
}

/* The command's own structure is gone when its pool goes. */
static void disconnect_later(t307_sql_t *s)
{
    connection_t *c = apr_palloc(s->pool, sizeof *c);

    c->apr = s->apr;
    c->handle = s->handle;
    apr_pool_cleanup_register(s->pool, c, disconnect, apr_pool_cleanup_null);
}

/* PRAGMAs of SQLite answer, and only a select takes answers. */
static int tune(t307_sql_t *s)
{
    apr_dbd_results_t *results = NULL;
    int rv;

    if (!s->sqlite) {
        return t307_sql_run(s, s->dialect->open);
    }
    rv = apr_dbd_select(s->apr, s->pool, s->handle, &results,
                        s->dialect->open, 1);
    return rv == 0 ? T307_OK
        : t307_sql_fail(s, "the database cannot be opened", rv);
}

static int load_driver(t307_sql_t *s)
{
    apr_status_t rv = apr_dbd_init(s->pool);
    char why[200];

    if (rv == APR_SUCCESS) {
        rv = apr_dbd_get_driver(s->pool, s->dialect->driver, &s->apr);
    }
    return rv == APR_SUCCESS ? T307_OK
        : t307_fail(s->t, "the driver '%s' of APR-util is not here (%s); "
                    "Debian: %s", s->dialect->driver,
                    apr_strerror(rv, why, sizeof why),
                    s->dialect->package);
}

/* SQLite would make the file. */
static int find_file(t307_sql_t *s)
{
    apr_finfo_t info;
    char why[120];
    apr_status_t rv = apr_stat(&info, s->params, APR_FINFO_TYPE, s->pool);

    return rv == APR_SUCCESS ? T307_OK
        : t307_fail(s->t, "%s: %s; 'redirect307 sql init' makes it",
                    t307_sql_shown(s, s->sqlite),
                    apr_strerror(rv, why, sizeof why));
}

static int refused(t307_sql_t *s, const char *why)
{
    /* libpq repeats what it does not understand */
    if (!why || strstr(why, "connection option")
        || strstr(why, "connection info string")) {
        why = "one of the connection parameters is none";
    }
    return t307_fail(s->t, "the database cannot be opened: %s",
                     t307_sql_shown(s, why));
}

int t307_sql_connect(t307_sql_t *s, int create)
{
    const char *why = NULL;
    int status = load_driver(s);

    if (status == T307_OK && s->sqlite && !create) {
        status = find_file(s);
    }
    if (status != T307_OK) {
        return status;
    }
    if (apr_dbd_open_ex(s->apr, s->pool, s->params, &s->handle, &why)
        != APR_SUCCESS) {
        return refused(s, why);
    }
    disconnect_later(s);
    return tune(s);
}

/* ---- statements that are constants ---- */

/* Without comments in front and lines behind: drivers want a statement, the
 * whole statement and nothing but it. "" when there is none. */
static char *trimmed(char *text)
{
    apr_size_t len = strlen(text);

    while (strncmp(text, "--", 2) == 0) {
        apr_size_t line = strcspn(text, "\n");
        line += text[line] == '\n';
        text += line;
        len -= line;
    }
    while (len && text[len - 1] == '\n') {
        text[--len] = '\0';
    }
    return text;
}

int t307_sql_run(t307_sql_t *s, const char *statements)
{
    char *rest = apr_pstrdup(s->pool, statements), *end, *one;
    int rows, rv = 0;

    while (rv == 0 && *rest) {
        end = strstr(rest, "\n\n");
        if (end) {
            *end = '\0';
        }
        one = trimmed(rest);
        rv = *one ? apr_dbd_query(s->apr, s->handle, &rows, one) : 0;
        rest = end ? end + 2 : rest + strlen(rest);
    }
    return rv == 0 ? T307_OK : t307_sql_fail(s, "the database refuses", rv);
}

/* ---- transactions ---- */

int t307_sql_begin(t307_sql_t *s)
{
    int status = t307_sql_run(s, s->dialect->write);

    s->in_transaction = status == T307_OK;
    return status;
}

int t307_sql_begin_reading(t307_sql_t *s)
{
    int status = t307_sql_run(s, s->dialect->read);

    s->in_transaction = status == T307_OK;
    return status;
}

int t307_sql_end(t307_sql_t *s, int status)
{
    int rows, rv = 0;

    if (s->in_transaction) {
        rv = apr_dbd_query(s->apr, s->handle, &rows,
                           status == T307_OK && !s->dry_run ? "COMMIT"
                                                            : "ROLLBACK");
    }
    s->in_transaction = 0;
    return rv == 0 || status != T307_OK ? status
        : t307_sql_fail(s, "nothing was changed", rv);
}

/* ---- prepared statements ---- */

static int count_parameters(const char *query)
{
    int n = 0;

    for (; (query = strchr(query, '%')) != NULL; query += 2) {
        n += query[1] != '%';
    }
    return n;
}

int t307_sql_prepare(t307_sql_t *s, t307_sqlstatement_t *out,
                     const char *query)
{
    const char *label = apr_psprintf(s->pool, "redirect307_%d",
                                     s->statements++);
    int rv;

    out->prepared = NULL;
    out->nargs = count_parameters(query);
    rv = apr_dbd_prepare(s->apr, s->pool, s->handle, query, label,
                         &out->prepared);
    return rv == 0 ? T307_OK : t307_sql_fail(s, "the database refuses", rv);
}

int t307_sql_change(t307_sql_t *s, const t307_sqlstatement_t *statement,
                    const char **args, int *rows)
{
    apr_pool_t *pool;
    int rv;

    apr_pool_create(&pool, s->pool);
    rv = apr_dbd_pquery(s->apr, pool, s->handle, rows, statement->prepared,
                        statement->nargs, args);
    apr_pool_destroy(pool);
    return rv == 0 ? T307_OK : t307_sql_fail(s, "nothing was changed", rv);
}

int t307_sql_select(t307_sql_t *s, const t307_sqlstatement_t *statement,
                    const char **args, apr_pool_t *pool,
                    t307_sqlrows_t *out)
{
    int rv;

    memset(out, 0, sizeof *out);
    out->s = s;
    out->pool = pool;
    rv = apr_dbd_pselect(s->apr, pool, s->handle, &out->results,
                         statement->prepared, 1, statement->nargs, args);
    if (rv != 0) {
        return t307_sql_fail(s, "the database refuses", rv);
    }
    out->left = apr_dbd_num_tuples(s->apr, out->results);
    return T307_OK;
}

/* Asked for one more row than there are, a driver frees them all. */
int t307_sql_next(t307_sqlrows_t *rows)
{
    return rows->left > 0 && rows->left--
           && apr_dbd_get_row(rows->s->apr, rows->pool, rows->results,
                              &rows->row, -1) == 0;
}

const char *t307_sql_cell(const t307_sqlrows_t *rows, int column)
{
    const char *value = apr_dbd_get_entry(rows->s->apr, rows->row, column);

    return value ? value : "";
}

int t307_sql_ask(t307_sql_t *s, const char *query, const char **args,
                 const char **value)
{
    t307_sqlstatement_t statement;
    t307_sqlrows_t rows;
    int status = t307_sql_prepare(s, &statement, query);

    *value = NULL;
    if (status == T307_OK) {
        status = t307_sql_select(s, &statement, args, s->pool, &rows);
    }
    if (status == T307_OK && t307_sql_next(&rows)) {
        *value = apr_pstrdup(s->pool, t307_sql_cell(&rows, 0));
    }
    return status;
}

/* ---- stores ---- */

const char *t307_sql_version(t307_sql_t *s, const char **why)
{
    apr_dbd_results_t *results = NULL;
    apr_dbd_row_t *row = NULL;
    const char *version = NULL;
    int rv = apr_dbd_select(s->apr, s->pool, s->handle, &results,
                            "SELECT schema_version FROM redirect307_store",
                            1);

    if (rv != 0) {
        *why = t307_sql_shown(s, apr_dbd_error(s->apr, s->handle, rv));
    }
    else if (apr_dbd_get_row(s->apr, s->pool, results, &row, -1) != 0) {
        *why = "redirect307_store has no row";
    }
    else {
        version = apr_dbd_get_entry(s->apr, row, 0);
        version = apr_pstrdup(s->pool, version ? version : "");
    }
    return version;
}

int t307_sql_open(t307_sql_t *s)
{
    const char *why = NULL, *version;
    int status = t307_sql_connect(s, 0);

    if (status != T307_OK) {
        return status;
    }
    version = t307_sql_version(s, &why);
    if (!version) {
        return t307_fail(s->t, "there is no store that can be read (%s); "
                         "'redirect307 sql init' makes one", why);
    }
    if (strcmp(version, T307_SQL_VERSION) != 0) {
        return t307_fail(s->t, "the store has the schema version %s, and "
                         "this program is for version " T307_SQL_VERSION
                         "; use the redirect307 of the release that made it",
                         t307_sql_shown(s, version));
    }
    return T307_OK;
}
