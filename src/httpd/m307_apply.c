/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns how rows of a store become files, and how these are put in place: a
 * patch, or a base with its first patch, and then the word to all processes.
 * Must not know when. Called by follow, in a follower's thread.
 *
 * Two processes may do this at once: at a graceful restart, the old one and
 * the new one. Files are put in place under a lock, by whoever finds them as
 * it has left them.
 */
#include "httpd/m307_counters.h"
#include "httpd/m307_follow.h"

#include "core/r307_hash.h"

#include "apr_portable.h"
#include "apr_strings.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* Looks after which nobody can be about to open an earlier base's patch. */
#define SWEEP_AFTER 2

/* When only other rule sets change, the files say so after this, lest the log
 * be pruned before the next start of the server. */
#define KEEP_UP apr_time_from_sec(3600)

/* ---- bad rows ---- */

static int is_known(const m307_sqlstatus_t *before, apr_uint32_t id,
                    const char *why)
{
    int i;

    for (i = 0; before && i < before->nbad; i++) {
        if (before->bad[i].id == id) {
            return strncmp(before->bad[i].why, why,
                           sizeof before->bad[i].why - 1) == 0;
        }
    }
    return 0;
}

/* r307_rows_bad_t */
static void note_bad(void *ctx, apr_uint32_t id, const char *why)
{
    m307_follower_t *f = ctx;
    int is_new = m307_sqlstatus_add_bad(&f->status, id, why);

    if (!is_new || is_known(f->before, id, why)) {
        return;
    }
    if (f->bad_logged++ < M307_BAD_LOGGED) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, f->table->server,
                     "R307-0676: table %s: row %u is left out: %s",
                     f->table->name, (unsigned)id, why);
    }
}

/* An id that cannot be one. */
static void note_no_id(m307_follower_t *f, apr_uint64_t id, apr_pool_t *pool)
{
    note_bad(f, 0, apr_psprintf(pool, "its id, %" APR_UINT64_T_FMT ", is not "
                                "from 1 to 4294967295", id));
}

static int is_id(apr_uint64_t id)
{
    return id > 0 && id <= APR_UINT32_MAX;
}

/* ---- files ---- */

#define FILE_FACTS (APR_FINFO_MTIME | APR_FINFO_SIZE | APR_FINFO_IDENT)

static void look_at(apr_finfo_t *info, const char *path, apr_pool_t *pool)
{
    if (apr_stat(info, path, FILE_FACTS, pool) != APR_SUCCESS) {
        memset(info, 0, sizeof *info);
    }
}

static void take_stamp(const m307_table_t *table, apr_uint64_t id,
                       m307_stamp_t *out, apr_pool_t *pool)
{
    memset(out, 0, sizeof *out);
    out->id = id;
    look_at(&out->base, table->file, pool);
    look_at(&out->patch, m307_sqltable_patch(table, id, pool), pool);
}

static int is_same(const apr_finfo_t *a, const apr_finfo_t *b)
{
    return a->inode == b->inode && a->mtime == b->mtime && a->size == b->size;
}

int m307_apply_is_unchanged(const m307_follower_t *f, apr_pool_t *pool)
{
    m307_stamp_t now;

    take_stamp(f->table, f->stamp.id, &now, pool);
    return is_same(&now.base, &f->stamp.base)
           && is_same(&now.patch, &f->stamp.patch);
}

/* Held until pool is cleared. The lock is the descriptor's, so it is one
 * among threads too. */
static apr_status_t lock_files(m307_follower_t *f, apr_pool_t *pool,
                               r307_error_t *err)
{
    const char *path = m307_sqltable_file(f->table, ".lock", pool);
    apr_os_file_t fd = -1;
    apr_file_t *file;
    apr_status_t rv = apr_file_open(&file, path, APR_FOPEN_WRITE
                                    | APR_FOPEN_CREATE,
                                    APR_FPROT_UREAD | APR_FPROT_UWRITE, pool);

    if (rv == APR_SUCCESS) {
        apr_os_file_get(&fd, file);
        while (flock(fd, LOCK_EX) != 0 && rv == APR_SUCCESS) {
            rv = errno == EINTR ? APR_SUCCESS : APR_FROM_OS_ERROR(errno);
        }
    }
    if (rv != APR_SUCCESS) {
        char why[120];
        r307_error_set(err, "R307-0685: '%s' cannot be locked: %s", path,
                       apr_strerror(rv, why, sizeof why));
        return rv;
    }
    return f->stop || !m307_apply_is_unchanged(f, pool) ? APR_EAGAIN
                                                        : APR_SUCCESS;
}

void m307_apply_begin(m307_follower_t *f, apr_pool_t *pool)
{
    r307_error_t err = { pool, NULL };
    m307_opened_t opened;
    apr_pool_t *sub;

    f->has_position = 0;
    f->sweep = SWEEP_AFTER;
    apr_pool_create(&sub, pool);
    if (m307_sqltable_open(f->table, 0, sub, &opened, &err) == APR_SUCCESS) {
        const r307_table_header_t *h = r307_table_header(opened.patch);
        f->has_position = m307_sqltable_is_ours(f->table, h)
            && m307_sqltable_is_ours(f->table,
                                     r307_table_header(opened.base));
        f->position = m307_sqltable_position(h);
        take_stamp(f->table, r307_table_id(opened.base), &f->stamp, pool);
    }
    else {
        take_stamp(f->table, 0, &f->stamp, pool);
    }
    apr_pool_destroy(sub);
}

/* All processes are to map what is there now; this one does. */
static void tell(m307_follower_t *f, apr_uint64_t id,
                 const m307_position_t *position, apr_pool_t *pool)
{
    take_stamp(f->table, id, &f->stamp, pool);
    f->written = apr_time_now();
    f->position = *position;
    f->has_position = 1;
    f->table->next_follow = f->table->follow_pause = 0;
    apr_atomic_inc32(&m307_refresh_generations[f->table->number]);
    m307_table_follow(f->table, f->table->server);
}

/* ---- changes ---- */

typedef struct change_t {
    apr_uint32_t id;
    const char *line;           /* NULL: there is no such rule */
    const char *bad;            /* why not; NULL: it was deleted */
} change_t;

typedef struct changes_t {
    m307_follower_t *f;
    apr_pool_t *pool;
    apr_array_header_t *list;   /* change_t *, one for each id */
    apr_hash_t *by_id;
    apr_uint32_t read;
    apr_uint64_t last;          /* seq of the last one read */
    int cut;                    /* there are more than are taken at a time */
} changes_t;

static change_t *change_of(changes_t *changes, apr_uint32_t id)
{
    change_t *change = apr_hash_get(changes->by_id, &id, sizeof id);

    if (!change) {
        change = apr_palloc(changes->pool, sizeof *change);
        change->id = id;
        apr_hash_set(changes->by_id, &change->id, sizeof change->id, change);
        APR_ARRAY_PUSH(changes->list, change_t *) = change;
    }
    return change;
}

/* m307_store_fn; the last one of a row counts. */
static apr_status_t take_change(void *ctx, const m307_stored_t *stored)
{
    changes_t *changes = ctx;
    r307_error_t err = { changes->pool, NULL };
    change_t *change;

    if (changes->read++ >= M307_CHANGES_MAX) {
        changes->cut = 1;
        return APR_EOF;
    }
    changes->last = stored->seq;
    if (!is_id(stored->id)) {
        if (stored->live) {
            note_no_id(changes->f, stored->id, changes->pool);
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
    const change_t *x = *(change_t *const *)a, *y = *(change_t *const *)b;

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

static apr_status_t gather(m307_follower_t *f, m307_store_t *store,
                           const m307_position_t *from, apr_uint64_t upto,
                           apr_pool_t *pool, changes_t *out,
                           r307_error_t *err)
{
    m307_store_range_t range = { f->table->sql->ruleset, from->seq, upto, 1 };
    apr_status_t rv = APR_SUCCESS;

    memset(out, 0, sizeof *out);
    out->f = f;
    out->pool = pool;
    out->list = apr_array_make(pool, 64, sizeof(change_t *));
    out->by_id = apr_hash_make(pool);
    while (rv == APR_SUCCESS && range.more && from->seq < upto && !f->stop) {
        rv = m307_store_changes(store, &range, take_change, out, pool, err);
    }
    qsort(out->list->elts, (apr_size_t)out->list->nelts,
          sizeof(change_t *), by_id);
    if (rv != APR_SUCCESS && !out->cut) {
        return rv;
    }
    return check_whole(store, from, pool, err);
}

static apr_status_t add_changes(m307_follower_t *f, r307_rows_t *rows,
                                const changes_t *changes, r307_error_t *err)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < changes->list->nelts && rv == APR_SUCCESS; i++) {
        const change_t *change = APR_ARRAY_IDX(changes->list, i, change_t *);

        if (change->bad) {
            note_bad(f, change->id, change->bad);
        }
        else if (!change->line) {
            m307_sqlstatus_drop_bad(&f->status, change->id);
        }
        rv = r307_rows_add(rows, change->id, change->line, err);
    }
    return rv;
}

/* Rows that are bad no longer are known by not having been told of. */
static void drop_good(m307_follower_t *f, const changes_t *changes,
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

static apr_status_t write_patch(m307_follower_t *f, const r307_table_t *base,
                                const r307_table_t *old,
                                const changes_t *changes,
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
                               note_bad, f, &rows);
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

m307_position_t m307_apply_position(const m307_store_state_t *state)
{
    m307_position_t position;

    position.store = r307_hash_mix(m307_sqltable_hash(state->id),
                                   m307_sqltable_hash(state->epoch));
    position.seq = state->seq;
    position.token = m307_sqltable_hash(state->token);
    return position;
}

static apr_status_t put_patch(m307_follower_t *f, const changes_t *changes,
                              const m307_position_t *position,
                              apr_pool_t *pool, r307_error_t *err)
{
    m307_opened_t opened;
    apr_status_t rv = lock_files(f, pool, err);

    if (rv == APR_SUCCESS) {
        rv = m307_sqltable_open(f->table, 0, pool, &opened, err);
    }
    if (rv == APR_SUCCESS) {
        rv = write_patch(f, opened.base, opened.patch, changes, position,
                         pool, err);
    }
    if (rv == APR_SUCCESS) {
        tell(f, r307_table_id(opened.base), position, pool);
    }
    return rv;
}

apr_status_t m307_apply_changes(m307_follower_t *f, m307_store_t *store,
                                const m307_store_state_t *state,
                                apr_pool_t *pool, r307_error_t *err)
{
    m307_position_t position = m307_apply_position(state);
    apr_time_t begin = apr_time_now();
    changes_t changes;
    apr_status_t rv = gather(f, store, &f->position, state->seq, pool,
                             &changes, err);

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
    if (!is_id(stored->id)) {
        note_no_id(reader->f, stored->id, reader->line);
        return APR_SUCCESS;
    }
    line = r307_row_line(&stored->row, reader->line, &why);
    if (!line) {
        note_bad(reader->f, (apr_uint32_t)stored->id, why.text);
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
                                      rules_served(f->table), pool, note_bad,
                                      f, &rows);

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
                                  m307_position_t *to, changes_t *changes,
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
    rv = gather(f, store, from, to->seq, pool, changes, err);
    if (rv == APR_SUCCESS && changes->cut) {
        rv = m307_store_state(store, changes->last, pool, &state, err);
        to->seq = changes->last;
        to->token = m307_sqltable_hash(state.mine);
    }
    return rv;
}

/* A new base with its first patch, in place of what is there. */
static apr_status_t put_base(m307_follower_t *f, const char *next,
                             const changes_t *changes,
                             const m307_position_t *position,
                             apr_pool_t *pool, r307_error_t *err)
{
    r307_table_t *base;
    apr_status_t rv = r307_table_open(next, &f->table->spec, 0, pool, &base,
                                      err);

    if (rv == APR_SUCCESS) {
        rv = lock_files(f, pool, err);
    }
    if (rv == APR_SUCCESS) {
        rv = write_patch(f, base, NULL, changes, position, pool, err);
    }
    if (rv == APR_SUCCESS && rename(next, f->table->file) != 0) {
        char why[120];
        rv = APR_FROM_OS_ERROR(errno);
        r307_error_set(err, "R307-0686: '%s' cannot be put in place: %s",
                       next, apr_strerror(rv, why, sizeof why));
    }
    if (rv == APR_SUCCESS) {
        tell(f, r307_table_id(base), position, pool);
        f->sweep = SWEEP_AFTER;
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
    changes_t changes;
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
    changes_t changes;
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
