/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns tables: their directives, their compiled files, and the version that
 * this process uses. Must not know when a source has changed while serving
 * (m307_refresh.c). Called by directives, check and requests.
 */
#include "httpd/m307_counters.h"
#include "httpd/m307_sqltable.h"

#include "apr_lib.h"
#include "apr_strings.h"
#include "unixd.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <unistd.h>

/* Tables up to this size are read through and compared with their checksum
 * at startup; larger ones would hold up a restart. */
#define VERIFY_MAX ((apr_uint64_t)64 << 20)

#define TABLE_NAME_MAX 64

/* A process that cannot map a new table tries again after this, or when there
 * is another one. */
#define RETRY apr_time_from_sec(10)

apr_array_header_t *m307_table_all(apr_pool_t *pconf)
{
    return m307_config_list(pconf, "mod_redirect307:tables");
}

m307_table_t *m307_table_find(apr_pool_t *pconf, const char *name)
{
    const apr_array_header_t *tables = m307_table_all(pconf);
    int i;

    for (i = 0; i < tables->nelts; i++) {
        m307_table_t *table = APR_ARRAY_IDX(tables, i, m307_table_t *);
        if (strcmp(table->name, name) == 0) {
            return table;
        }
    }
    return NULL;
}

/* ---- Redirect307Table ---- */

static const char *set_match(m307_table_t *table, const char *value)
{
    if (strcmp(value, "exact") != 0 && strcmp(value, "prefix") != 0) {
        return "prefix or exact";
    }
    table->spec.exact = *value == 'e';
    return NULL;
}

static const char *set_format(m307_table_t *table, const char *value)
{
    if (strcmp(value, "rules") == 0) {
        table->spec.format = R307_RULEFILE_RULES;
    }
    else if (strcmp(value, "rewritemap") == 0) {
        table->spec.format = R307_RULEFILE_REWRITEMAP;
    }
    else {
        return "rules or rewritemap";
    }
    return NULL;
}

static const char *set_refresh(m307_table_t *table, const char *value)
{
    char *end;
    apr_int64_t n = apr_strtoi64(value, &end, 10);

    if (!apr_isdigit(*value) || *end || n > 86400) {
        return "seconds from 0 (at restart only) to 86400";
    }
    table->refresh = (int)n;
    return NULL;
}

static const char *set_option(cmd_parms *cmd, m307_table_t *table,
                              const char *word)
{
    static const struct {
        const char *name;
        const char *(*set)(m307_table_t *table, const char *value);
    } options[] = {
        { "match=", set_match }, { "format=", set_format },
        { "refresh=", set_refresh }
    };
    apr_size_t i;

    for (i = 0; i < sizeof options / sizeof options[0]; i++) {
        apr_size_t len = strlen(options[i].name);
        const char *legal;
        if (strncmp(word, options[i].name, len) != 0) {
            continue;
        }
        legal = options[i].set(table, word + len);
        return !legal
            ? table->sql ? m307_sqltable_judge_option(table, word,
                                                      cmd->temp_pool) : NULL
            : apr_psprintf(cmd->temp_pool, "R307-0601: '%s' is not a value "
                           "of '%s'; write %s", word, options[i].name,
                           legal);
    }
    return apr_psprintf(cmd->temp_pool, "R307-0602: Redirect307Table has no "
                        "option '%s'; the options are match=, format= and "
                        "refresh=", word);
}

static int is_table_name(const char *s)
{
    apr_size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz"
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return n > 0 && s[n] == '\0' && n <= TABLE_NAME_MAX;
}

static const char *set_source(cmd_parms *cmd, m307_table_t *table,
                              const char *source)
{
    if (strncmp(source, "sql:", 4) == 0) {
        return m307_sqltable_define(table, source + 4, cmd);
    }
    if (strncmp(source, "file:", 5) != 0 || !source[5]) {
        return apr_psprintf(cmd->temp_pool, "R307-0606: '%s' is not a source "
                            "of a table; write file:PATH or sql:RULESET",
                            source);
    }
    table->spec.path = ap_server_root_relative(cmd->pool, source + 5);
    return NULL;
}

const char *m307_table_define(cmd_parms *cmd, int argc, char *const argv[])
{
    m307_table_t *table = apr_pcalloc(cmd->pool, sizeof *table);
    apr_array_header_t *tables = m307_table_all(cmd->pool);
    const char *err = NULL;
    int i;

    if (argc < 2) {
        return "R307-0603: Redirect307Table needs a name and a source; write "
               "Redirect307Table NAME file:PATH or "
               "Redirect307Table NAME sql:RULESET";
    }
    if (!is_table_name(argv[0])) {
        return apr_psprintf(cmd->temp_pool, "R307-0604: '%s' cannot name a "
                            "table; write 1 to 64 letters, digits, '_' or "
                            "'-'", argv[0]);
    }
    if (m307_table_find(cmd->pool, argv[0])) {
        return apr_psprintf(cmd->temp_pool, "R307-0605: there is a table "
                            "'%s' already; choose another name", argv[0]);
    }
    table->name = argv[0];
    err = set_source(cmd, table, argv[1]);
    table->spec.regex_flags = m307_config_regex_flags(1);
    table->spec.compile_expr = m307_expr_compile;
    table->refresh = M307_REFRESH_DEFAULT;
    table->server = cmd->server;
    table->config_file = cmd->directive->filename;
    table->config_line = cmd->directive->line_num;
    table->number = tables->nelts;
    for (i = 2; i < argc && !err; i++) {
        err = set_option(cmd, table, argv[i]);
    }
    APR_ARRAY_PUSH(tables, m307_table_t *) = table;
    return err;
}

const char *m307_table_use(cmd_parms *cmd, m307_rules_t *rules,
                           const char *name)
{
    apr_pool_t *pconf = cmd->server->process->pconf;
    m307_table_t *table = m307_table_find(pconf, name);

    if (!table) {
        return apr_psprintf(cmd->temp_pool, "R307-0607: there is no table "
                            "'%s' yet; define it with Redirect307Table "
                            "before it is used", name);
    }
    m307_config_add_source(cmd, rules, &table->source);
    return NULL;
}

/* ---- compiling and loading ---- */

static void log_report(const m307_table_t *table,
                       const r307_table_report_t *report,
                       const r307_error_t *err, server_rec *s, int level)
{
    int i;

    for (i = 0; i < report->nerrors; i++) {
        ap_log_error(APLOG_MARK, level, 0, s, "R307-0620: table %s: %s",
                     table->name, report->errors[i]);
    }
    ap_log_error(APLOG_MARK, level, 0, s, "R307-0621: table %s is not "
                 "compiled: %s", table->name, err->text);
}

/* Compiled by root (at startup, by configtest), mapped by children. */
static void give_to_children(const char *file, server_rec *s)
{
    if (geteuid() == 0
        && lchown(file, ap_unixd_config.user_id, ap_unixd_config.group_id)
           != 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, APR_FROM_OS_ERROR(errno),
                     s, "R307-0626: the table file '%s' cannot "
                     "be given to httpd's User", file);
    }
}

/* What compiling took goes back to the system now: this process may serve
 * for weeks. */
static void give_memory_back(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

m307_compiled_t m307_table_compile(m307_table_t *table, apr_pool_t *ptemp,
                                   server_rec *s, int level)
{
    r307_table_report_t report;
    r307_error_t err = { ptemp, NULL };
    apr_time_t begin = apr_time_now();

    apr_status_t rv = r307_table_compile(&table->spec, table->file, ptemp,
                                         &report, &err);

    give_memory_back();
    m307_counters_note_trouble(table, rv == APR_SUCCESS ? NULL
                               : report.nerrors ? report.errors[0]
                               : err.text);
    if (rv != APR_SUCCESS) {
        log_report(table, &report, &err, s, level);
        return report.bad_lines ? M307_BAD_SOURCE : M307_NOT_NOW;
    }
    give_to_children(table->file, s);
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, s, "R307-0622: table %s: %u "
                 "rules compiled from %s in %" APR_TIME_T_FMT " ms",
                 table->name, (unsigned)report.rules, table->spec.path,
                 apr_time_as_msec(apr_time_now() - begin));
    return M307_COMPILED;
}

static int open_version(m307_table_t *table, int verify, apr_pool_t *pool,
                        r307_table_t **out, r307_error_t *err)
{
    r307_table_t *opened;

    if (table->sql) {
        m307_opened_t both;
        int good = m307_sqltable_open(table, verify, pool, &both, err)
                   == APR_SUCCESS;
        *out = good ? both.view : NULL;
        return good;
    }
    if (r307_table_open(table->file, &table->spec, verify, pool, &opened, err)
        != APR_SUCCESS) {
        return 0;
    }
    *out = opened;
    return 1;
}

int m307_table_load(m307_table_t *table, int verify, server_rec *s)
{
    r307_table_t *opened;
    r307_error_t err;
    apr_pool_t *pool;

    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS) {
        return 0;
    }
    apr_pool_tag(pool, "redirect307_table");
    err.pool = pool;
    err.text = NULL;
    if (!open_version(table, verify, pool, &opened, &err)) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "R307-0623: table %s: %s",
                     table->name, err.text);
        m307_counters_note_trouble(table, err.text);
        apr_pool_destroy(pool);
        return 0;
    }
    if (!table->sql) {          /* its base is counted */
        m307_tablecount_attach(table, opened, pool, s);
    }
    if (m307_version_install(&table->versions, opened, pool)
        != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return 0;
    }
    return 1;
}

/* Every request comes here; one of them does the work. */
void m307_table_follow(m307_table_t *table, server_rec *s)
{
    apr_uint32_t generation = m307_refresh_generation(table);

    if (generation == table->generation
        || apr_atomic_cas32(&table->busy, 1, 0) != 0) {
        return;
    }
    if (generation != table->generation
        && (generation != table->tried
            || apr_time_now() >= table->next_try)) {
        if (m307_table_load(table, 0, s)) {
            ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, s, "R307-0624: table %s: "
                         "generation %u is in use", table->name,
                         (unsigned)generation);
            table->generation = generation;
        }
        else {
            table->tried = generation;
            table->next_try = apr_time_now() + RETRY;
        }
    }
    apr_atomic_set32(&table->busy, 0);
}

static apr_status_t close_table(void *data)
{
    m307_version_clear(&((m307_table_t *)data)->versions);
    return APR_SUCCESS;
}

/* Is the compiled file from the source as it is? Then it becomes current. */
static int reuse(m307_table_t *table, const r307_table_source_t *source,
                 apr_pool_t *ptemp)
{
    apr_pool_t *pool;
    r307_table_t *opened;
    r307_error_t err = { ptemp, NULL };
    apr_finfo_t info;
    int verify;

    if (apr_stat(&info, table->file, APR_FINFO_SIZE, ptemp) != APR_SUCCESS
        || apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS) {
        return 0;
    }
    verify = (apr_uint64_t)info.size <= VERIFY_MAX;
    if (!open_version(table, verify, pool, &opened, &err)
        || !r307_table_is_from(opened, source)) {
        apr_pool_destroy(pool);
        return 0;
    }
    m307_tablecount_attach(table, opened, pool, table->server);
    if (m307_version_install(&table->versions, opened, pool)
        != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return 0;
    }
    return 1;
}

static int open_table(m307_table_t *table, const char *dir, apr_pool_t *pconf,
                      apr_pool_t *ptemp, server_rec *s)
{
    r307_table_source_t source;
    apr_status_t rv;

    table->file = apr_pstrcat(pconf, dir, "/", table->name, ".table", NULL);
    table->spec.allowed_hosts =
        m307_config_server(table->server)->allowed_hosts;
    table->spec.sites = m307_config_server(table->server)->sites;
    apr_pool_cleanup_register(pconf, table, close_table,
                              apr_pool_cleanup_null);
    if (table->sql) {
        m307_sqltable_begin(table, dir, pconf, ptemp);
        return 1;
    }
    rv = r307_table_stat(&table->spec, ptemp, &source);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, rv, s,
                     "R307-0625: %s:%d: the source '%s' of table %s cannot "
                     "be read", table->config_file, table->config_line,
                     table->spec.path, table->name);
        return 0;
    }
    return reuse(table, &source, ptemp)
           || (m307_table_compile(table, ptemp, s,
                                  APLOG_STARTUP | APLOG_CRIT)
               == M307_COMPILED
               && m307_table_load(table, 0, s));
}

int m307_table_open_all(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s)
{
    const apr_array_header_t *tables = m307_table_all(pconf);
    const char *error, *dir;
    int i, result = OK;

    if (tables->nelts == 0) {
        return OK;
    }
    dir = m307_state_dir(m307_config_server(s)->state_dir, pconf, &error);
    if (!dir) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, s, "%s",
                     error);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    for (i = 0; i < tables->nelts; i++) {
        m307_table_t *table = APR_ARRAY_IDX(tables, i, m307_table_t *);
        if ((table->sql && m307_sqltable_check(table, ptemp, s) != OK)
            || !open_table(table, dir, pconf, ptemp, s)) {
            result = HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return result;
}
