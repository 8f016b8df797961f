/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the files of a table as its follower sees them: whether they are those
 * that it has left, the lock, and the word to all processes. Must not know
 * what is written. Called by apply and follow, in a follower's thread.
 *
 * Two processes may follow at once: at a graceful restart, the old one and
 * the new one. Files are put in place under a lock, by whoever finds them as
 * it has left them.
 */
#include "httpd/m307_follow.h"

#include "apr_portable.h"
#include "apr_strings.h"

#include <errno.h>
#include <sys/file.h>

/* Looks after which nobody can be about to open an earlier base's patch. */
#define SWEEP_AFTER 2

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

int m307_place_is_unchanged(const m307_follower_t *f, apr_pool_t *pool)
{
    m307_stamp_t now;

    take_stamp(f->table, f->stamp.id, &now, pool);
    return is_same(&now.base, &f->stamp.base)
           && is_same(&now.patch, &f->stamp.patch);
}

apr_status_t m307_place_lock(m307_follower_t *f, apr_pool_t *pool,
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
    return f->stop || !m307_place_is_unchanged(f, pool) ? APR_EAGAIN
                                                        : APR_SUCCESS;
}

void m307_place_begin(m307_follower_t *f, apr_pool_t *pool)
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

void m307_place_tell(m307_follower_t *f, apr_uint64_t id,
                     const m307_position_t *position, apr_pool_t *pool)
{
    if (id != f->stamp.id) {
        f->sweep = SWEEP_AFTER;
    }
    take_stamp(f->table, id, &f->stamp, pool);
    f->written = apr_time_now();
    f->position = *position;
    f->has_position = 1;
    f->table->next_follow = f->table->follow_pause = 0;
    apr_atomic_inc32(&m307_refresh_generations[f->table->number]);
    m307_table_follow(f->table, f->table->server);
}
