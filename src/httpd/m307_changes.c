/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the changes of a store: reading them, the last one of each row, and
 * the patch that they make. Must not know which ones are read, and when.
 * Called by apply, in a follower's thread.
 */
#include "httpd/m307_follow.h"

#include "apr_strings.h"

#include <stdlib.h>

static m307_change_t *change_of(m307_changes_t *changes, apr_uint32_t id)
{
    m307_change_t *change = apr_hash_get(changes->by_id, &id, sizeof id);

    if (!change) {
        change = apr_palloc(changes->pool, sizeof *change);
        change->id = id;
        apr_hash_set(changes->by_id, &change->id, sizeof change->id, change);
        APR_ARRAY_PUSH(changes->list, m307_change_t *) = change;
    }
    return change;
}

/* m307_store_fn; the last one of a row counts. */
static apr_status_t take_change(void *ctx, const m307_stored_t *stored)
{
    m307_changes_t *changes = ctx;
    r307_error_t err = { changes->pool, NULL };
    m307_change_t *change;

    if (changes->read++ >= M307_CHANGES_MAX) {
        changes->cut = 1;
        return APR_EOF;
    }
    changes->last = stored->seq;
    if (!m307_is_id(stored->id)) {
        if (stored->live) {
            m307_badrows_note_id(changes->f, stored->id, changes->pool);
        }
        return APR_SUCCESS;
    }
    change = change_of(changes, (apr_uint32_t)stored->id);
    change->line = stored->live
        ? r307_row_line(&stored->row, changes->pool, &err) : NULL;
    change->bad = change->line ? NULL : err.text;
    return APR_SUCCESS;
}

static int by_id(const void *a, const void *b)
{
    const m307_change_t *x = *(m307_change_t *const *)a;
    const m307_change_t *y = *(m307_change_t *const *)b;

    return x->id < y->id ? -1 : x->id > y->id;
}

/* Its oldest changes may be removed from the log at any time, also between two
 * pages: it was whole if the change before the first page is there after the
 * last one. APR_ENOENT: it is not. */
static apr_status_t check_whole(m307_store_t *store,
                                const m307_position_t *from,
                                apr_pool_t *pool, r307_error_t *err)
{
    m307_store_state_t state;
    apr_status_t rv = m307_store_state(store, from->seq, pool, &state, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    return m307_sqltable_hash(state.mine) == from->token ? APR_SUCCESS
                                                         : APR_ENOENT;
}

apr_status_t m307_changes_gather(m307_follower_t *f, m307_store_t *store,
                                 const m307_position_t *from,
                                 apr_uint64_t upto, apr_pool_t *pool,
                                 m307_changes_t *out, r307_error_t *err)
{
    m307_store_range_t range = { f->table->sql->ruleset, from->seq, upto, 1 };
    apr_status_t rv = APR_SUCCESS;

    memset(out, 0, sizeof *out);
    out->f = f;
    out->pool = pool;
    out->list = apr_array_make(pool, 64, sizeof(m307_change_t *));
    out->by_id = apr_hash_make(pool);
    while (rv == APR_SUCCESS && range.more && from->seq < upto && !f->stop) {
        rv = m307_store_changes(store, &range, take_change, out, pool, err);
    }
    qsort(out->list->elts, (apr_size_t)out->list->nelts,
          sizeof(m307_change_t *), by_id);
    if (rv != APR_SUCCESS && !out->cut) {
        return rv;
    }
    return check_whole(store, from, pool, err);
}

static apr_status_t add_changes(m307_follower_t *f, r307_rows_t *rows,
                                const m307_changes_t *changes,
                                r307_error_t *err)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < changes->list->nelts && rv == APR_SUCCESS; i++) {
        const m307_change_t *change = APR_ARRAY_IDX(changes->list, i,
                                                    m307_change_t *);

        if (change->bad) {
            m307_badrows_note(f, change->id, change->bad);
        }
        else if (!change->line) {
            m307_sqlstatus_drop_bad(&f->status, change->id);
        }
        rv = r307_rows_add(rows, change->id, change->line, err);
    }
    return rv;
}

/* Rows that are bad no longer are known by not having been told of. */
static void drop_good(m307_follower_t *f, const m307_changes_t *changes,
                      const m307_sqlstatus_t *before)
{
    int i;

    for (i = 0; i < before->nbad; i++) {
        apr_uint32_t id = before->bad[i].id;
        if (apr_hash_get(changes->by_id, &id, sizeof id)) {
            m307_sqlstatus_drop_bad(&f->status, id);
        }
    }
}

apr_status_t m307_changes_write(m307_follower_t *f, const r307_table_t *base,
                                const r307_table_t *old,
                                const m307_changes_t *changes,
                                const m307_position_t *position,
                                apr_pool_t *pool, r307_error_t *err)
{
    const m307_table_t *table = f->table;
    r307_table_source_t source = m307_sqltable_source(table, position);
    const m307_sqlstatus_t *before = apr_pmemdup(pool, &f->status,
                                                 sizeof f->status);
    r307_rows_t *rows;
    apr_status_t rv;

    drop_good(f, changes, before);
    rv = r307_rows_begin_patch(&table->spec, base, old,
                               (apr_size_t)changes->list->nelts, pool,
                               m307_badrows_note, f, &rows);
    if (rv == APR_SUCCESS) {
        rv = add_changes(f, rows, changes, err);
    }
    if (rv == APR_SUCCESS) {
        rv = r307_rows_write(rows, m307_sqltable_patch(table,
                                                       r307_table_id(base),
                                                       pool), &source, err);
    }
    return rv;
}
