/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the files of SQL tables as readers see them, and what their directive
 * says. Must not know databases. Called by table and follow.
 */
#include "httpd/m307_sqltable.h"
#include "httpd/m307_counters.h"
#include "httpd/m307_store.h"

#include "core/r307_hash.h"
#include "core/r307_temp.h"

#include "apr_optional.h"
#include "apr_strings.h"
#include "mod_watchdog.h"

#include <unistd.h>

/* As in m307_table.c. */
#define VERIFY_MAX ((apr_uint64_t)64 << 20)

/* While somebody puts a new base in place, the patch that is found may be
 * that of the other one. */
#define TRIES 5

#define HASH_DIGITS 16

#define RULESET_MAX 64          /* as the schema has it */

/* ---- configuration ---- */

const char *m307_sqltable_define(m307_table_t *table, const char *ruleset,
                                 cmd_parms *cmd)
{
    m307_sql_t *sql = apr_pcalloc(cmd->pool, sizeof *sql);
    apr_size_t n = strspn(ruleset, "abcdefghijklmnopqrstuvwxyz"
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    if (ruleset[n] || n > RULESET_MAX) {
        return apr_psprintf(cmd->temp_pool, "R307-0390: '%s' cannot name a "
                            "rule set; write sql: and 1 to 64 letters, "
                            "digits, '.', '_' or '-', or sql: alone for the "
                            "table's own name", ruleset);
    }
    sql->ruleset = *ruleset ? ruleset : table->name;
    table->sql = sql;
    table->spec.path = apr_pstrcat(cmd->pool, "sql:", sql->ruleset, NULL);
    return NULL;
}

const char *m307_sqltable_judge_option(const m307_table_t *table,
                                       const char *word, apr_pool_t *pool)
{
    if (strncmp(word, "refresh=", 8) != 0) {
        return apr_psprintf(pool, "R307-0391: '%s' is for files; the only "
                            "option of a table with sql: is refresh=", word);
    }
    return table->refresh ? NULL
        : "R307-0392: 'refresh=0' is not for a table with sql:, which would "
          "never be read; write refresh=1 to refresh=86400 (seconds)";
}

int m307_sqltable_check(const m307_table_t *table, apr_pool_t *ptemp,
                        server_rec *s)
{
    const char *missing = m307_store_missing(ptemp);

    if (!missing
        && !APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback)) {
        missing = "R307-0670: a table with sql: needs mod_watchdog, which is "
                  "not loaded; write LoadModule watchdog_module "
                  "modules/mod_watchdog.so";
    }
    if (missing) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, s,
                     "%s:%d: %s", table->config_file, table->config_line,
                     missing);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (m307_store_is_eager(ptemp)) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_WARNING, 0, s,
                     "R307-0695: %s:%d: every child of httpd will connect to "
                     "the database when it starts, and wait for it; write "
                     "DBDPersist Off, or DBDMin 0 if other modules keep "
                     "connections", table->config_file, table->config_line);
    }
    return OK;
}

/* ---- names and marks ---- */

apr_uint64_t m307_sqltable_hash(const char *s)
{
    return r307_hash_bytes(R307_HASH_SEED, s, strlen(s));
}

const char *m307_sqltable_file(const m307_table_t *table, const char *suffix,
                               apr_pool_t *pool)
{
    return apr_pstrcat(pool, table->sql->stem, suffix, NULL);
}

const char *m307_sqltable_patch(const m307_table_t *table, apr_uint64_t id,
                                apr_pool_t *pool)
{
    return r307_patch_path(table->file, id, pool);
}

m307_position_t m307_sqltable_position(const r307_table_header_t *h)
{
    m307_position_t position = {
        h->source.inode, h->source.mtime, h->source.size
    };

    return position;
}

r307_table_source_t m307_sqltable_source(const m307_table_t *table,
                                         const m307_position_t *position)
{
    r307_table_source_t source;

    source.mtime = position->seq;
    source.size = position->token;
    source.inode = position->store;
    source.device = m307_sqltable_hash(table->sql->ruleset);
    source.settings = r307_table_settings(&table->spec);
    return source;
}

int m307_sqltable_is_ours(const m307_table_t *table,
                          const r307_table_header_t *h)
{
    return h->source.settings == r307_table_settings(&table->spec);
}

void m307_sqltable_sweep(const m307_table_t *table, apr_uint64_t id,
                         apr_pool_t *pool)
{
    const char *current = m307_sqltable_patch(table, id, pool);
    const char *base = strrchr(current, '/') + 1;
    apr_size_t stem = strlen(base) - HASH_DIGITS;
    const char *dir = apr_pstrmemdup(pool, current,
                                     (apr_size_t)(base - current));
    apr_finfo_t info;
    apr_dir_t *entries;

    if (apr_dir_open(&entries, dir, pool) != APR_SUCCESS) {
        return;
    }
    while (apr_dir_read(&info, APR_FINFO_NAME, entries) == APR_SUCCESS) {
        apr_size_t len = strlen(info.name);
        if (strncmp(info.name, base, stem) != 0 || len < stem + HASH_DIGITS
            || strncmp(info.name, base, stem + HASH_DIGITS) == 0) {
            continue;
        }
        if (len == stem + HASH_DIGITS) {
            unlink(apr_pstrcat(pool, dir, info.name, NULL));
        }
        else {                  /* its writer may have been killed */
            r307_temp_sweep(apr_pstrcat(pool, dir, apr_pstrmemdup(pool,
                                info.name, stem + HASH_DIGITS), NULL), pool);
        }
    }
    apr_dir_close(entries);
}

/* ---- bases, which versions share ---- */

/* Regular expressions of a base are compiled when it is opened; one row that
 * changes must not cost that again. */
typedef struct m307_base_t {
    apr_pool_t *pool;
    r307_table_t *table;
    apr_finfo_t file;
    volatile apr_uint32_t refs;
} m307_base_t;

static apr_status_t release(void *data)
{
    m307_base_t *base = data;

    if (apr_atomic_dec32(&base->refs) == 0) {
        apr_pool_destroy(base->pool);
    }
    return APR_SUCCESS;
}

#define FILE_FACTS (APR_FINFO_MTIME | APR_FINFO_SIZE | APR_FINFO_IDENT)

static int is_same_file(const apr_finfo_t *a, const apr_finfo_t *b)
{
    return a->inode == b->inode && a->device == b->device
           && a->mtime == b->mtime && a->size == b->size;
}

static apr_status_t judge(const m307_table_t *table, const r307_table_t *base,
                          r307_error_t *err)
{
    const r307_table_header_t *h = r307_table_header(base);

    if (!(h->flags & R307_TABLE_ROWS) || h->flags & R307_TABLE_PATCH
        || h->source.device != m307_sqltable_hash(table->sql->ruleset)) {
        return r307_error_set(err, "R307-0671: the table file '%s' was not "
                              "made of the rule set '%s'", table->file,
                              table->sql->ruleset);
    }
    return APR_SUCCESS;
}

static apr_status_t map_base(const m307_table_t *table, int verify,
                             m307_base_t **out, r307_error_t *err)
{
    m307_base_t *base;
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create_unmanaged_ex(&pool, NULL, NULL);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_tag(pool, "redirect307_base");
    base = apr_pcalloc(pool, sizeof *base);
    base->pool = pool;
    rv = apr_stat(&base->file, table->file, FILE_FACTS, pool);
    if (rv == APR_SUCCESS) {
        verify = verify && (apr_uint64_t)base->file.size <= VERIFY_MAX;
    }
    rv = r307_table_open(table->file, &table->spec, verify, pool,
                         &base->table, err);
    if (rv == APR_SUCCESS) {
        rv = judge(table, base->table, err);
    }
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return rv;
    }
    m307_tablecount_attach(table, base->table, pool, table->server);
    base->refs = 1;
    *out = base;
    return APR_SUCCESS;
}

/* A reference to the base that is in place. Under the lock. */
static apr_status_t current_base(const m307_table_t *table, int verify,
                                 apr_pool_t *ptemp, m307_base_t **out,
                                 r307_error_t *err)
{
    m307_sql_t *sql = table->sql;
    apr_finfo_t now;
    apr_status_t rv = APR_SUCCESS;

    if (!sql->base || verify
        || apr_stat(&now, table->file, FILE_FACTS, ptemp) != APR_SUCCESS
        || !is_same_file(&now, &sql->base->file)) {
        m307_base_t *base;
        rv = map_base(table, verify, &base, err);
        if (rv == APR_SUCCESS) {
            if (sql->base) {
                release(sql->base);
            }
            sql->base = base;
        }
    }
    if (rv == APR_SUCCESS) {
        apr_atomic_inc32(&sql->base->refs);
        *out = sql->base;
    }
    return rv;
}

/* ---- opening ---- */

static apr_status_t open_once(const m307_table_t *table, int verify,
                              apr_pool_t *pool, m307_opened_t *out,
                              r307_error_t *err)
{
    m307_base_t *base;
    const char *path;
    apr_status_t rv;

    apr_thread_mutex_lock(table->sql->lock);
    rv = current_base(table, verify, pool, &base, err);
    apr_thread_mutex_unlock(table->sql->lock);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_cleanup_register(pool, base, release, apr_pool_cleanup_null);
    out->base = base->table;
    path = m307_sqltable_patch(table, r307_table_id(base->table), pool);
    rv = r307_table_open(path, &table->spec, verify, pool, &out->patch, err);
    if (rv == APR_SUCCESS) {
        rv = r307_table_attach_patch(out->base, out->patch, pool, &out->view,
                                     err);
    }
    return rv;
}

apr_status_t m307_sqltable_open(const m307_table_t *table, int verify,
                                apr_pool_t *pool, m307_opened_t *out,
                                r307_error_t *err)
{
    apr_status_t rv = APR_EINVAL;
    apr_pool_t *sub;
    int i;

    for (i = 0; i < TRIES && rv != APR_SUCCESS; i++) {
        if (i) {
            apr_sleep(apr_time_from_msec(1) << i);
        }
        apr_pool_create(&sub, pool);
        rv = open_once(table, verify, sub, out, err);
        if (rv != APR_SUCCESS) {
            apr_pool_destroy(sub);
        }
        if (APR_STATUS_IS_ENOENT(rv) && access(table->file, F_OK) != 0) {
            break;              /* no base: nothing is being replaced */
        }
    }
    return rv;
}

/* ---- at startup ---- */

static apr_status_t drop_base(void *data)
{
    m307_sql_t *sql = data;

    if (sql->base) {
        release(sql->base);
        sql->base = NULL;
    }
    return APR_SUCCESS;
}

void m307_sqltable_begin(m307_table_t *table, const char *dir,
                         apr_pool_t *pconf, apr_pool_t *ptemp)
{
    r307_error_t err = { ptemp, NULL };
    m307_opened_t opened;
    apr_pool_t *pool;

    table->sql->stem = apr_pstrcat(pconf, dir, "/", table->name, NULL);
    apr_thread_mutex_create(&table->sql->lock, APR_THREAD_MUTEX_DEFAULT,
                            pconf);
    apr_pool_cleanup_register(pconf, table->sql, drop_base,
                              apr_pool_cleanup_null);
    if (access(table->file, F_OK) != 0) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, table->server,
                     "R307-0672: table %s has never been read from its "
                     "store: it has no rules until that answers",
                     table->name);
        return;
    }
    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS) {
        return;
    }
    if (m307_sqltable_open(table, 1, pool, &opened, &err) != APR_SUCCESS
        || m307_version_install(&table->versions, opened.view, pool)
           != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_WARNING, 0,
                     table->server, "R307-0673: table %s has no rules until "
                     "its store answers: what was compiled before cannot be "
                     "used: %s", table->name, err.text ? err.text : "");
        apr_pool_destroy(pool);
    }
}
