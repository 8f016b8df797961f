/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns in which order a store is read and files are put in place: a patch, or
 * a base and then its first patch. Must not know when that is to be done.
 * Called by follow, in a follower's thread.
 */
#include "httpd/m307_follow.h"

#include "core/r307_hash.h"

#include "apr_strings.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* When only other rule sets change, the files say so after this, lest the log
 * be pruned before the next start of the server. */
#define KEEP_UP apr_time_from_sec(3600)

m307_position_t m307_apply_position(const m307_store_state_t *state)
{
    m307_position_t position;

    position.store = r307_hash_mix(m307_sqltable_hash(state->id),
                                   m307_sqltable_hash(state->epoch));
    position.seq = state->seq;
    position.token = m307_sqltable_hash(state->token);
    return position;
}

static apr_status_t put_patch(m307_follower_t *f,
                              const m307_changes_t *changes,
                              const m307_position_t *position,
                              apr_pool_t *pool, r307_error_t *err)
{
    m307_opened_t opened;
    apr_status_t rv = m307_place_lock(f, pool, err);

    if (rv == APR_SUCCESS) {
        rv = m307_sqltable_open(f->table, 0, pool, &opened, err);
    }
    if (rv == APR_SUCCESS) {
        rv = m307_changes_write(f, opened.base, opened.patch, changes,
                                position, pool, err);
    }
    if (rv == APR_SUCCESS) {
        m307_place_tell(f, r307_table_id(opened.base), position, pool);
    }
    return rv;
}

apr_status_t m307_apply_changes(m307_follower_t *f, m307_store_t *store,
                                const m307_store_state_t *state,
                                apr_pool_t *pool, r307_error_t *err)
{
    m307_position_t position = m307_apply_position(state);
    apr_time_t begin = apr_time_now();
    m307_changes_t changes;
    apr_status_t rv = m307_changes_gather(f, store, &f->position, state->seq,
                                          pool, &changes, err);

    if (rv != APR_SUCCESS || f->stop) {
        return rv != APR_SUCCESS ? rv : APR_EAGAIN;
    }
    if (changes.cut) {
        return APR_ENOSPC;
    }
    if (changes.list->nelts == 0 && begin - f->written < KEEP_UP) {
        f->position = position;
        return APR_SUCCESS;
    }
    rv = put_patch(f, &changes, &position, pool, err);
    if (rv == APR_SUCCESS && changes.list->nelts) {
        f->changed = apr_time_now();
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, f->table->server,
                     "R307-0677: table %s: %d rows changed, up to change %"
                     APR_UINT64_T_FMT ", in %" APR_TIME_T_FMT " ms",
                     f->table->name, changes.list->nelts, position.seq,
                     apr_time_as_msec(f->changed - begin));
    }
    return rv;
}

/* ---- all rows ---- */

typedef struct reader_t {
    m307_follower_t *f;
    r307_rows_t *rows;
    apr_pool_t *line;           /* cleared for each row */
    r307_error_t *err;
} reader_t;

/* m307_store_fn */
static apr_status_t take_row(void *ctx, const m307_stored_t *stored)
{
    reader_t *reader = ctx;
    r307_error_t why = { reader->line, NULL };
    const char *line;

    apr_pool_clear(reader->line);
    if (!m307_is_id(stored->id)) {
        m307_badrows_note_id(reader->f, stored->id, reader->line);
        return APR_SUCCESS;
    }
    line = r307_row_line(&stored->row, reader->line, &why);
    if (!line) {
        m307_badrows_note(reader->f, (apr_uint32_t)stored->id, why.text);
        return APR_SUCCESS;
    }
    return r307_rows_add(reader->rows, (apr_uint32_t)stored->id, line,
                         reader->err);
}

static apr_status_t read_all(m307_follower_t *f, m307_store_t *store,
                             r307_rows_t *rows, apr_pool_t *pool,
                             r307_error_t *err)
{
    m307_store_range_t range = { f->table->sql->ruleset, 0, 0, 1 };
    reader_t reader = { f, rows, NULL, err };
    apr_status_t rv = APR_SUCCESS;

    apr_pool_create(&reader.line, pool);
    while (rv == APR_SUCCESS && range.more && !f->stop) {
        rv = m307_store_rows(store, &range, take_row, &reader, pool, err);
    }
    apr_pool_destroy(reader.line);
    return f->stop ? APR_EAGAIN : rv;
}

static apr_uint32_t rules_served(m307_table_t *table)
{
    m307_version_t *version = m307_version_acquire(&table->versions);
    apr_uint32_t n = 0;

    if (version) {
        n = r307_table_count(version->data);
        m307_version_release(version);
    }
    return n;
}

/* A rule set that is empty all at once is more likely a mistake: a new store
 * that nobody has filled, another database, a name that is misspelt. */
static apr_status_t judge_empty(m307_follower_t *f, const r307_rows_t *rows,
                                r307_error_t *err)
{
    apr_uint32_t served = rules_served(f->table);

    if (r307_rows_good(rows) || !served) {
        return APR_SUCCESS;
    }
    return r307_error_set(err, "R307-0680: the store has no rule for the "
                          "rule set '%s' (%u rows are bad), and the table "
                          "has %u: they stay; fill the rule set, or, if "
                          "nothing is to be redirected, remove %s.table and "
                          "restart httpd", f->table->sql->ruleset,
                          (unsigned)r307_rows_bad(rows), (unsigned)served,
                          f->table->sql->stem);
}

static apr_status_t write_base(m307_follower_t *f, m307_store_t *store,
                               const m307_position_t *position,
                               const char *to, apr_uint32_t *good,
                               apr_pool_t *pool, r307_error_t *err)
{
    r307_table_source_t source = m307_sqltable_source(f->table, position);
    r307_rows_t *rows;
    apr_status_t rv = r307_rows_begin(&f->table->spec,
                                      rules_served(f->table), pool,
                                      m307_badrows_note, f, &rows);

    if (rv == APR_SUCCESS) {
        rv = read_all(f, store, rows, pool, err);
    }
    if (rv == APR_SUCCESS) {
        rv = judge_empty(f, rows, err);
    }
    if (rv == APR_SUCCESS) {
        *good = r307_rows_good(rows);
        rv = r307_rows_write(rows, to, &source, err);
    }
    return rv;
}

/* The first patch of a base that is at that position: what has changed since,
 * or, when that is very much, a part of it. APR_ENOENT: the store does not
 * know the position. */
static apr_status_t changes_since(m307_follower_t *f, m307_store_t *store,
                                  const m307_position_t *from,
                                  m307_position_t *to, m307_changes_t *changes,
                                  apr_pool_t *pool, r307_error_t *err)
{
    m307_store_state_t state;
    apr_status_t rv = m307_store_state(store, from->seq, pool, &state, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    *to = m307_apply_position(&state);
    if (to->store != from->store
        || m307_sqltable_hash(state.mine) != from->token) {
        return APR_ENOENT;
    }
    rv = m307_changes_gather(f, store, from, to->seq, pool, changes, err);
    if (rv == APR_SUCCESS && changes->cut) {
        rv = m307_store_state(store, changes->last, pool, &state, err);
        to->seq = changes->last;
        to->token = m307_sqltable_hash(state.mine);
    }
    return rv;
}

/* A new base with its first patch, in place of what is there. */
static apr_status_t put_base(m307_follower_t *f, const char *next,
                             const m307_changes_t *changes,
                             const m307_position_t *position,
                             apr_pool_t *pool, r307_error_t *err)
{
    r307_table_t *base;
    apr_status_t rv = r307_table_open(next, &f->table->spec, 0, pool, &base,
                                      err);

    if (rv == APR_SUCCESS) {
        rv = m307_place_lock(f, pool, err);
    }
    if (rv == APR_SUCCESS) {
        rv = m307_changes_write(f, base, NULL, changes, position, pool, err);
    }
    if (rv == APR_SUCCESS && rename(next, f->table->file) != 0) {
        char why[120];
        rv = APR_FROM_OS_ERROR(errno);
        r307_error_set(err, "R307-0686: '%s' cannot be put in place: %s",
                       next, apr_strerror(rv, why, sizeof why));
    }
    if (rv == APR_SUCCESS) {
        m307_place_tell(f, r307_table_id(base), position, pool);
    }
    return rv;
}

static apr_status_t replace_all(m307_follower_t *f, m307_store_t *store,
                                const m307_store_state_t *state,
                                apr_pool_t *pool, r307_error_t *err)
{
    const char *next = m307_sqltable_file(f->table, ".next", pool);
    m307_position_t from = m307_apply_position(state), to;
    apr_time_t begin = apr_time_now();
    apr_uint32_t good = 0;
    m307_changes_t changes;
    apr_status_t rv = write_base(f, store, &from, next, &good, pool, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = changes_since(f, store, &from, &to, &changes, pool, err);
    if (rv == APR_ENOENT) {
        rv = r307_error_set(err, "R307-0697: the store was replaced while it "
                            "was read; it is read again");
    }
    if (rv == APR_SUCCESS) {
        rv = put_base(f, next, &changes, &to, pool, err);
    }
    if (rv == APR_SUCCESS) {
        f->changed = apr_time_now();
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, f->table->server,
                     "R307-0675: table %s: %u rules read from the store, up "
                     "to change %" APR_UINT64_T_FMT ", in %" APR_TIME_T_FMT
                     " ms", f->table->name, (unsigned)good, to.seq,
                     apr_time_as_msec(f->changed - begin));
    }
    return rv;
}

apr_status_t m307_apply_all(m307_follower_t *f, m307_store_t *store,
                            const m307_store_state_t *state,
                            apr_pool_t *pool, r307_error_t *err)
{
    m307_sqlstatus_t *before = apr_pmemdup(pool, &f->status,
                                           sizeof f->status);
    apr_status_t rv;

    f->before = before;
    f->status.nbad = 0;
    f->status.bad_more = 0;
    rv = replace_all(f, store, state, pool, err);
    f->before = NULL;
    if (rv != APR_SUCCESS) {
        memcpy(f->status.bad, before->bad, sizeof before->bad);
        f->status.nbad = before->nbad;
        f->status.bad_more = before->bad_more;
        unlink(m307_sqltable_file(f->table, ".next", pool));
    }
    return rv;
}

/* ---- a merged base ---- */

apr_status_t m307_apply_merged(m307_follower_t *f, m307_store_t *store,
                               apr_pool_t *pool, r307_error_t *err)
{
    const char *merged = m307_sqltable_file(f->table, ".merged", pool);
    m307_position_t to;
    m307_changes_t changes;
    apr_status_t rv = changes_since(f, store, &f->merger->position, &to,
                                    &changes, pool, err);

    if (rv == APR_SUCCESS) {
        rv = put_base(f, merged, &changes, &to, pool, err);
    }
    if (rv == APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, f->table->server,
                     "R307-0679: table %s: changes are merged into the "
                     "table", f->table->name);
    }
    return APR_STATUS_IS_ENOENT(rv) ? APR_SUCCESS : rv;
}
