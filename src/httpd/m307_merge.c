/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns when base and patch are merged, and the thread that does it: with ten
 * million rows that takes a while, in which changes still have to arrive.
 * What comes out is put in place by apply. Called by follow.
 */
#include "httpd/m307_follow.h"

#include "apr_portable.h"
#include "apr_strings.h"

#include <unistd.h>

/* A patch over this many rows, and over this part of the base, costs requests
 * and every change more than merging does. */
#define ROWS_MAX 4096
#define PART_MAX 64

/* However large the base: each change writes the whole patch again. */
#define ROWS_ALWAYS 65536

/* A smaller one is merged when nothing has changed for a minute, and longer
 * for a large base, which has to be written whole. */
#define QUIET apr_time_from_sec(60)
#define QUIET_ROWS 10000        /* one more second for each */

static apr_status_t merge(m307_merger_t *m, r307_error_t *err)
{
    r307_table_source_t source;
    m307_opened_t opened;
    apr_status_t rv = m307_sqltable_open(m->table, 0, m->pool, &opened, err);

    if (rv == APR_SUCCESS) {
        m->position = m307_sqltable_position(
            r307_table_header(opened.patch));
        source = m307_sqltable_source(m->table, &m->position);
        rv = r307_patch_compact(opened.view,
                                m307_sqltable_file(m->table, ".merged",
                                                   m->pool),
                                &source, m->pool, err);
    }
    return rv;
}

static void * APR_THREAD_FUNC run(apr_thread_t *thread, void *data)
{
    m307_merger_t *m = data;
    r307_error_t err = { m->pool, NULL };

    (void)thread;
    apr_setup_signal_thread();
    m->rv = merge(m, &err);
    m->error = err.text;
    apr_atomic_set32(&m->done, 1);
    return NULL;
}

static void start(m307_follower_t *f)
{
    apr_pool_t *pool;
    m307_merger_t *m;

    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS) {
        return;
    }
    m = apr_pcalloc(pool, sizeof *m);
    m->table = f->table;
    m->pool = pool;
    if (apr_thread_create(&m->thread, NULL, run, m, pool) != APR_SUCCESS) {
        apr_pool_destroy(pool); /* another time */
        return;
    }
    f->merger = m;
}

static int is_large(apr_uint32_t patched, apr_uint32_t rows)
{
    return patched > ROWS_MAX
           && (patched > rows / PART_MAX || patched > ROWS_ALWAYS);
}

void m307_merge_consider(m307_follower_t *f)
{
    m307_version_t *version;
    apr_uint32_t patched, rows;
    apr_time_t quiet = apr_time_now() - f->changed;

    if (f->merger
        || (version = m307_version_acquire(&f->table->versions)) == NULL) {
        return;
    }
    patched = r307_table_patched(version->data);
    rows = r307_table_header(version->data)->index.rules;
    m307_version_release(version);
    if (is_large(patched, rows)
        || (patched && quiet > QUIET + apr_time_from_sec(rows
                                                         / QUIET_ROWS))) {
        start(f);
    }
}

int m307_merge_is_ready(const m307_follower_t *f)
{
    return f->merger && apr_atomic_read32(&f->merger->done)
           && f->merger->rv == APR_SUCCESS;
}

void m307_merge_end(m307_follower_t *f)
{
    m307_merger_t *m = f->merger;
    apr_status_t rv;

    if (!m || !apr_atomic_read32(&m->done)) {
        return;
    }
    apr_thread_join(&rv, m->thread);
    if (m->rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, m->rv, f->table->server,
                     "R307-0687: table %s: changes could not be merged into "
                     "the table, which serves as it is: %s", f->table->name,
                     m->error ? m->error : "");
        f->changed = apr_time_now();    /* not again at once */
        if (m->rv == APR_EINVAL) {
            f->has_position = 0;        /* damaged: all is read anew */
        }
    }
    unlink(m307_sqltable_file(f->table, ".merged", m->pool));
    apr_pool_destroy(m->pool);
    f->merger = NULL;
}
