/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the threads that follow stores: one for each SQL table, in the process
 * that mod_watchdog chooses. Must not know what they do. Called by hooks and
 * by the watchdog.
 *
 * A database may leave a question unanswered for hours. Its thread cannot be
 * interrupted then; it is left alone: another one takes over, and the end of
 * the process does not wait for it.
 */
#include "httpd/m307_counters.h"
#include "httpd/m307_follow.h"

#include "apr_optional.h"
#include "apr_portable.h"
#include "mod_watchdog.h"

#define WATCHDOG_NAME "_redirect307_sql_"

/* A thread looks this often whether it is to do something. */
#define STEP apr_time_from_msec(100)

/* An answer that takes so long is told of; and so long, is not waited for. */
#define SLOW apr_time_from_sec(10)
#define HANGING apr_time_from_sec(60)

/* Threads of one table that were left waiting. With more, none is added. */
#define LEFT_MAX 8

/* The end of the process waits so long for its threads. */
#define END_MAX apr_time_from_sec(2)

/* All modules have done what they do when a child starts. mod_watchdog may
 * come before mod_dbd there, which has no connections until then. */
static volatile apr_uint32_t ready;

/* ---- a thread ---- */

static void * APR_THREAD_FUNC follow(apr_thread_t *thread, void *data)
{
    m307_follower_t *f = data;

    (void)thread;
    apr_setup_signal_thread();
    while (!f->stop) {
        if (ready) {
            m307_follow_step(f);
        }
        if (!f->stop) {
            apr_sleep(STEP);
        }
    }
    apr_atomic_set32(&f->ended, 1);
    return NULL;
}

static m307_follower_t *start(m307_table_t *table)
{
    apr_threadattr_t *attr;
    m307_follower_t *f;
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create_unmanaged_ex(&pool, NULL, NULL);

    if (rv != APR_SUCCESS) {
        return NULL;
    }
    f = apr_pcalloc(pool, sizeof *f);
    f->table = table;
    f->pool = pool;
    f->changed = f->written = apr_time_now();
    apr_threadattr_create(&attr, pool);
    apr_threadattr_detach_set(attr, 1);
    rv = apr_thread_create(&f->thread, attr, follow, f, pool);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, table->server, "R307-0691: "
                     "table %s: no thread can be had to follow its store",
                     table->name);
        apr_pool_destroy(pool);
        return NULL;
    }
    return f;
}

/* ---- one that hangs ---- */

static int left;                /* threads, in this process */

static void replace(m307_table_t *table)
{
    m307_follower_t *f = table->sql->follower;
    m307_follower_t *next;

    if (left >= LEFT_MAX || (next = start(table)) == NULL) {
        return;
    }
    left++;
    apr_atomic_set32(&f->stop, 1);
    table->sql->follower = next;
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, table->server, "R307-0692: "
                 "table %s: the database is not waited for any longer; it "
                 "is asked anew, over another connection", table->name);
}

static void watch(m307_table_t *table)
{
    m307_follower_t *f = table->sql->follower;
    apr_time_t asking = f->asking, waiting;

    waiting = asking ? apr_time_now() - asking : 0;
    if (waiting < SLOW) {
        f->told_hanging = 0;
        return;
    }
    if (!f->told_hanging) {
        f->told_hanging = 1;
        m307_counters_note_trouble(table, "the database does not answer");
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, table->server,
                     "R307-0693: table %s: the database has not answered "
                     "for %d seconds; the table serves what it has",
                     table->name, (int)apr_time_sec(waiting));
    }
    if (waiting > HANGING) {
        replace(table);
    }
}

/* ---- the watchdog ---- */

static void each(const apr_array_header_t *tables,
                 void (*what)(m307_table_t *table))
{
    int i;

    for (i = 0; i < tables->nelts; i++) {
        m307_table_t *table = APR_ARRAY_IDX(tables, i, m307_table_t *);
        if (table->sql) {
            what(table);
        }
    }
}

static void start_one(m307_table_t *table)
{
    if (!table->sql->follower) {
        table->sql->follower = start(table);
    }
    else {
        watch(table);
    }
}

static void stop_one(m307_table_t *table)
{
    if (table->sql->follower) {
        apr_atomic_set32(&table->sql->follower->stop, 1);
    }
}

static apr_status_t tick(int state, void *data, apr_pool_t *pool)
{
    server_rec *s = data;

    (void)pool;
    each(m307_table_all(s->process->pconf),
         state == AP_WATCHDOG_STATE_STOPPING ? stop_one : start_one);
    return APR_SUCCESS;
}

static int is_needed(const apr_array_header_t *tables)
{
    int i;

    for (i = 0; i < tables->nelts; i++) {
        if (APR_ARRAY_IDX(tables, i, m307_table_t *)->sql) {
            return 1;
        }
    }
    return 0;
}

int m307_follower_setup(apr_pool_t *pconf, apr_pool_t *plog,
                        apr_pool_t *ptemp, server_rec *s)
{
    apr_status_t rv;

    (void)plog;
    (void)ptemp;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG
        || !is_needed(m307_table_all(pconf))) {
        return OK;
    }
    rv = m307_refresh_watch(WATCHDOG_NAME, tick, pconf, s);
    if (rv == APR_ENOTIMPL) {
        return OK;              /* an error of the configuration, told there */
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s, "R307-0694: the watchdog "
                     "that follows stores cannot be started");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

/* ---- the end of a process ---- */

static int is_running(const apr_array_header_t *tables)
{
    int i;

    for (i = 0; i < tables->nelts; i++) {
        const m307_sql_t *sql = APR_ARRAY_IDX(tables, i, m307_table_t *)->sql;
        if (sql && sql->follower && !sql->follower->ended) {
            return 1;
        }
    }
    return 0;
}

/* Before mod_dbd closes connections that a thread may be using. With prefork
 * it can be a signal's handler that gets here: no locks. */
static apr_status_t end(void *data)
{
    const apr_array_header_t *tables = data;
    apr_time_t deadline = apr_time_now() + END_MAX;

    each(tables, stop_one);
    while (is_running(tables) && apr_time_now() < deadline) {
        apr_sleep(apr_time_from_msec(10));
    }
    return APR_SUCCESS;
}

void m307_follower_child_init(apr_pool_t *pchild, server_rec *s)
{
    apr_array_header_t *tables = m307_table_all(s->process->pconf);

    if (is_needed(tables)) {
        apr_pool_pre_cleanup_register(pchild, tables, end);
        apr_atomic_set32(&ready, 1);
    }
}
