/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns live refresh. One process, chosen by mod_watchdog, looks at the
 * sources; when one has changed it compiles the new table beside the old and
 * raises the table's generation in shared memory. Every process maps the new
 * table at its next request (m307_table_follow).
 *
 * Shared memory: one apr_uint32_t for each table, in the order of
 * definition. Only the watchdog's process adds to them.
 */
#include "httpd/m307_counters.h"

#include "apr_optional.h"
#include "apr_shm.h"
#include "apr_strings.h"
#include "mod_watchdog.h"

#define WATCHDOG_NAME "_redirect307_"

/* A source that was changed less than this ago may be half written. */
#define SETTLE apr_time_from_sec(1)

volatile apr_uint32_t *m307_refresh_generations;
#define generations m307_refresh_generations

static int is_same_source(const r307_table_source_t *a,
                          const r307_table_source_t *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static int is_current(m307_table_t *table, const r307_table_source_t *source)
{
    m307_version_t *version = m307_version_acquire(&table->versions);
    int same = version && r307_table_is_from(version->data, source);

    if (version) {
        m307_version_release(version);
    }
    return same;
}

/* A time in the future says nothing. */
static int is_being_written(const r307_table_source_t *source)
{
    apr_time_t age = apr_time_now() - (apr_time_t)source->mtime;

    return age >= 0 && age < SETTLE;
}

/* A failure is said once for each version of the source; what the system is
 * to blame for is tried again. */
static void compile_source(m307_table_t *table,
                           const r307_table_source_t *source,
                           apr_pool_t *ptemp, server_rec *s)
{
    int level = is_same_source(source, &table->deferred) ? APLOG_DEBUG
                                                         : APLOG_ERR;

    switch (m307_table_compile(table, ptemp, s, level)) {
    case M307_BAD_SOURCE:
        table->refused = *source;
        return;
    case M307_NOT_NOW:
        table->deferred = *source;
        return;
    default:
        memset(&table->refused, 0, sizeof table->refused);
        memset(&table->deferred, 0, sizeof table->deferred);
        apr_atomic_inc32(&generations[table->number]);
        table->next_follow = table->follow_pause = 0;
        m307_table_follow(table, s);
    }
}

static void check_table(m307_table_t *table, apr_pool_t *ptemp, server_rec *s)
{
    r307_table_source_t source;
    apr_status_t rv = r307_table_stat(&table->spec, ptemp, &source);

    m307_table_follow(table, s);
    if (rv != APR_SUCCESS) {
        memset(&source, 0, sizeof source);
        source.settings = (apr_uint64_t)rv;
        if (!is_same_source(&source, &table->refused)) {
            ap_log_error(APLOG_MARK, APLOG_ERR, rv, s, "R307-0630: table %s: "
                         "the source '%s' cannot be read; the last good "
                         "table serves on", table->name, table->spec.path);
            m307_counters_note_trouble(table, "the source cannot be read");
            table->refused = source;
        }
        return;
    }
    if (is_current(table, &source)) {
        m307_counters_note_trouble(table, NULL);
        memset(&table->refused, 0, sizeof table->refused);
        return;
    }
    if (is_same_source(&source, &table->refused)
        || is_being_written(&source)) {
        return;
    }
    compile_source(table, &source, ptemp, s);
}

static void check_tables(const apr_array_header_t *tables, apr_pool_t *pool,
                         server_rec *s)
{
    apr_time_t now = apr_time_now();
    apr_pool_t *ptemp;
    int i;

    apr_pool_create(&ptemp, pool);
    for (i = 0; i < tables->nelts; i++) {
        m307_table_t *table = APR_ARRAY_IDX(tables, i, m307_table_t *);
        if (table->refresh && !table->sql && now >= table->next_check) {
            table->next_check = now + apr_time_from_sec(table->refresh);
            check_table(table, ptemp, s);
            apr_pool_clear(ptemp);
        }
    }
    m307_tablecount_follow(tables, ptemp, now);
    apr_pool_destroy(ptemp);
}

static apr_status_t tick(int state, void *data, apr_pool_t *pool)
{
    server_rec *s = data;

    if (state == AP_WATCHDOG_STATE_RUNNING) {
        check_tables(m307_table_all(s->process->pconf), pool, s);
    }
    return APR_SUCCESS;
}

static int wants_refresh(const apr_array_header_t *tables)
{
    int i;

    for (i = 0; i < tables->nelts; i++) {
        if (APR_ARRAY_IDX(tables, i, m307_table_t *)->refresh) {
            return 1;
        }
    }
    return 0;
}

apr_status_t m307_refresh_watch(const char *name,
                                apr_status_t (*f)(int state, void *s,
                                                  apr_pool_t *pool),
                                apr_pool_t *pconf, server_rec *s)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *add =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    ap_watchdog_t *watchdog;
    apr_status_t rv;

    if (!get || !add) {
        return APR_ENOTIMPL;
    }
    rv = get(&watchdog, name, 0, 1, pconf);
    return rv == APR_SUCCESS ? add(watchdog, apr_time_from_sec(1), s, f) : rv;
}

static void start_watchdog(apr_pool_t *pconf, server_rec *s)
{
    apr_status_t rv = m307_refresh_watch(WATCHDOG_NAME, tick, pconf, s);

    if (rv == APR_ENOTIMPL) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "R307-0631: "
                     "mod_watchdog is not loaded: changed tables are read at "
                     "restart only; load it, or write refresh=0 to say that "
                     "this is meant");
    }
    else if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s, "R307-0632: the watchdog "
                     "that follows changed tables cannot be started");
    }
}

int m307_refresh_setup(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                       server_rec *s)
{
    const apr_array_header_t *tables = m307_table_all(pconf);
    apr_size_t size = (apr_size_t)(tables->nelts + 1) * sizeof *generations;
    apr_shm_t *shm;
    apr_status_t rv;

    (void)plog;
    (void)ptemp;
    generations = NULL;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG
        || !wants_refresh(tables)) {
        return OK;
    }
    rv = apr_shm_create(&shm, size, NULL, pconf);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s, "R307-0633: no shared "
                     "memory for the generations of tables");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    generations = apr_shm_baseaddr_get(shm);
    memset((void *)generations, 0, size);
    start_watchdog(pconf, s);
    return OK;
}
