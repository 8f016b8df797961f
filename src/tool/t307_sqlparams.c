/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns which database a command is for, and that its credentials are seen
 * nowhere. Must not know what is in the database.
 */
#include "tool/t307_sql.h"

#include <apr_file_io.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

/* A line of parameters. */
#define PARAMS_MAX 4096

void t307_sql_init(t307_sql_t *s, t307_t *t)
{
    memset(s, 0, sizeof *s);
    s->t = t;
    s->pool = t->pool;
    s->secrets = apr_array_make(t->pool, 4, sizeof(const char *));
}

int t307_sql_option(t307_sql_t *s, int optch, const char *value)
{
    switch (optch) {
    case T307_SQL_OPT_SQLITE: s->sqlite = value; return 1;
    case T307_SQL_OPT_DRIVER: s->driver = value; return 1;
    case T307_SQL_OPT_DBFILE: s->db_file = value; return 1;
    case T307_SQL_OPT_RULESET: s->ruleset = value; return 1;
    case T307_SQL_OPT_DRYRUN: s->dry_run = 1; return 1;
    case T307_SQL_OPT_JSON: s->json = 1; return 1;
    default: return 0;
    }
}

/* ---- parameters of PostgreSQL: name=value, values may be 'quoted' ---- */

static void skip_space(const char **p)
{
    while (apr_isspace(**p)) {
        ++*p;
    }
}

/* One value; NULL: a quote is open. */
static const char *take_value(const char **p, apr_pool_t *pool)
{
    char *out = apr_palloc(pool, strlen(*p) + 1), *to = out;
    int quoted = **p == '\'';

    for (*p += quoted; **p && (quoted ? **p != '\'' : !apr_isspace(**p));
         ++*p) {
        *p += **p == '\\' && (*p)[1];
        *to++ = **p;
    }
    *to = '\0';
    if (quoted && **p != '\'') {
        return NULL;
    }
    *p += quoted;
    return out;
}

static int is_secret(const char *name, apr_size_t len)
{
    static const char *const names[] = {
        "password", "sslpassword", "scram_client_key", "scram_server_key"
    };
    int i;

    for (i = 0; i < (int)(sizeof names / sizeof names[0]); i++) {
        if (strlen(names[i]) == len && strncmp(names[i], name, len) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Notes the secrets. 0: these are not parameters, whatever they are. */
static int read_params(t307_sql_t *s, const char *p)
{
    for (skip_space(&p); *p; skip_space(&p)) {
        const char *name = p, *value;
        apr_size_t len;

        while (apr_isalnum(*p) || *p == '_') {
            p++;
        }
        len = (apr_size_t)(p - name);
        skip_space(&p);
        if (len == 0 || *p != '=') {
            return 0;
        }
        p++;
        skip_space(&p);
        value = take_value(&p, s->pool);
        if (!value) {
            return 0;
        }
        if (is_secret(name, len) && *value) {
            APR_ARRAY_PUSH(s->secrets, const char *) = value;
        }
    }
    return 1;
}

static int take_params(t307_sql_t *s, const char *params)
{
    if (strncmp(params, "postgres", 8) == 0 || !read_params(s, params)) {
        return t307_usage_error(s->t, "the connection parameters cannot be "
                                "read; write them as host=db.example "
                                "dbname=redirects user=editor password=...");
    }
    /* what comes later counts */
    s->params = apr_pstrcat(s->pool, getenv("PGCONNECT_TIMEOUT")
                            ? "" : "connect_timeout=10 ",
                            "fallback_application_name=redirect307 ", params,
                            NULL);
    return T307_OK;
}

static int read_db_file(t307_sql_t *s)
{
    char line[PARAMS_MAX], why[120];
    apr_finfo_t info;
    apr_file_t *f;
    apr_status_t rv = apr_file_open(&f, s->db_file, APR_FOPEN_READ, 0,
                                    s->pool);

    if (rv == APR_SUCCESS) {
        rv = apr_file_info_get(&info, APR_FINFO_PROT | APR_FINFO_TYPE, f);
    }
    if (rv == APR_SUCCESS
        && (info.protection & (APR_FPROT_GREAD | APR_FPROT_GWRITE
                               | APR_FPROT_WREAD | APR_FPROT_WWRITE))) {
        return t307_fail(s->t, "%s: other users may read it or write to it; "
                         "chmod 600 it", s->db_file);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_file_gets(line, sizeof line, f);
    }
    if (rv != APR_SUCCESS) {
        return t307_fail(s->t, "%s: %s", s->db_file, APR_STATUS_IS_EOF(rv)
                         ? "it is empty" : apr_strerror(rv, why, sizeof why));
    }
    if (strlen(line) == sizeof line - 1) {
        return t307_fail(s->t, "%s: its first line is too long",
                         s->db_file);
    }
    return take_params(s, line);
}

static int settle_pgsql(t307_sql_t *s)
{
    const char *params = getenv("REDIRECT307_DB");

    s->dialect = &t307_pgsql_dialect;
    if (s->db_file) {
        return read_db_file(s);
    }
    if (!params) {
        return t307_usage_error(s->t, "--driver pgsql needs the connection "
                                "parameters, in the environment variable "
                                "REDIRECT307_DB or in a file named by "
                                "--db-file");
    }
    return take_params(s, params);
}

/* SQLite has names that are no files. */
static int settle_sqlite(t307_sql_t *s)
{
    s->dialect = &t307_sqlite_dialect;
    s->params = apr_pstrcat(s->pool, *s->sqlite == '/' ? "" : "./",
                            s->sqlite, NULL);
    return T307_OK;
}

static int settle_database(t307_sql_t *s)
{
    if (s->driver && strcmp(s->driver, "pgsql") != 0) {
        return t307_usage_error(s->t, "--driver is '%s'; write pgsql, or "
                                "--sqlite FILE",
                                t307_sql_shown(s, s->driver));
    }
    if (s->sqlite && (s->driver || s->db_file)) {
        return t307_usage_error(s->t, "--sqlite and --%s are two stores; "
                                "keep one", s->driver ? "driver" : "db-file");
    }
    if (!s->sqlite && !s->driver && !s->db_file
        && !getenv("REDIRECT307_DB")) {
        return t307_usage_error(s->t, "where is the store? Add --sqlite "
                                "FILE, or put the connection parameters of "
                                "PostgreSQL into the environment variable "
                                "REDIRECT307_DB");
    }
    return s->sqlite ? settle_sqlite(s) : settle_pgsql(s);
}

static int is_ruleset(const char *name)
{
    apr_size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz"
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    return n > 0 && n <= 64 && !name[n];
}

int t307_sql_settle(t307_sql_t *s, int needs_ruleset)
{
    if (!s->ruleset) {
        s->ruleset = getenv("REDIRECT307_RULESET");
    }
    if (needs_ruleset && !s->ruleset) {
        return t307_usage_error(s->t, "which rule set? Add --ruleset NAME: "
                                "the one of 'Redirect307Table NAME sql:'");
    }
    if (s->ruleset && !is_ruleset(s->ruleset)) {
        return t307_usage_error(s->t, "'%s' cannot name a rule set; write 1 "
                                "to 64 letters, digits, '.', '_' or '-'",
                                t307_sql_shown(s, s->ruleset));
    }
    return settle_database(s);
}

/* ---- what is shown ---- */

static const char *without(apr_pool_t *pool, const char *text,
                           const char *secret)
{
    const char *at, *out = "";

    while ((at = strstr(text, secret)) != NULL) {
        out = apr_pstrcat(pool, out, apr_pstrmemdup(pool, text, (apr_size_t)
                                                    (at - text)), "***",
                          NULL);
        text = at + strlen(secret);
    }
    return apr_pstrcat(pool, out, text, NULL);
}

const char *t307_sql_shown(const t307_sql_t *s, const char *text)
{
    r307_error_t err = { s->pool, NULL };
    char *line;
    int i;

    for (i = 0; i < s->secrets->nelts; i++) {
        text = without(s->pool, text, APR_ARRAY_IDX(s->secrets, i,
                                                    const char *));
    }
    line = apr_pstrdup(s->pool, text);
    for (i = (int)strlen(line); i > 0 && apr_isspace(line[i - 1]); i--) {
        line[i - 1] = '\0';
    }
    for (i = 0; line[i]; i++) {
        line[i] = apr_isspace(line[i]) ? ' ' : line[i];
    }
    (void)r307_error_set(&err, "%s", line);
    return err.text;
}
