/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Following a store: what the files that do it offer each other. One process
 * at a time has followers, chosen by mod_watchdog; each SQL table has a
 * thread of its own there, since a database may not answer for hours. What
 * such a thread is in the middle of, nobody waits for: it publishes nothing
 * once it was told to stop.
 */
#ifndef M307_FOLLOW_H
#define M307_FOLLOW_H

#include "httpd/m307_sqlstatus.h"
#include "httpd/m307_store.h"

#include "apr_thread_proc.h"

/* A store that is at an earlier change than we are may be a replica that
 * lags, or one that was restored from a backup. After this it is taken for
 * the truth. */
#define M307_BEHIND_MAX apr_time_from_sec(30)

/* Looks that fail are repeated after the refresh, twice that, up to this. */
#define M307_PAUSE_MAX apr_time_from_sec(60)

/* Changes that are applied at a time: some hundred megabytes. For more, all
 * rows are read, which keeps none of them in memory. */
#define M307_CHANGES_MAX 500000

/* Of bad rows, in the log, at a look. */
#define M307_BAD_LOGGED 20

/* The files of a table, when they were last seen. */
typedef struct m307_stamp_t {
    apr_finfo_t base;
    apr_finfo_t patch;
    apr_uint64_t id;            /* the base's */
} m307_stamp_t;

/* A base that was merged of base and patch, by a thread beside. */
typedef struct m307_merger_t {
    m307_table_t *table;
    apr_pool_t *pool;
    apr_thread_t *thread;
    volatile apr_uint32_t done;
    apr_status_t rv;
    m307_position_t position;
    const char *error;
} m307_merger_t;

typedef struct m307_follower_t {
    m307_table_t *table;
    apr_pool_t *pool;
    apr_thread_t *thread;
    volatile apr_uint32_t stop; /* by whoever started it */
    volatile apr_uint32_t ended;
    volatile apr_time_t asking; /* the database, since; 0: it is not */
    int told_hanging;

    /* its thread's */
    int begun;                  /* files have been looked at */
    int has_position;
    m307_position_t position;   /* of the files, or later when nothing of
                                 * ours has changed since */
    m307_stamp_t stamp;
    apr_time_t next_look;
    apr_interval_time_t pause;
    int sweep;                  /* looks until patches of earlier bases go;
                                 * 0: there are none */
    apr_time_t written;         /* the files, by this process; 0: never */
    apr_time_t changed;         /* the last time that something was applied */
    m307_merger_t *merger;      /* NULL: none */
    m307_sqlstatus_t status;
    const m307_sqlstatus_t *before; /* bad rows that were known, while all are
                                     * read anew; else NULL */
    int bad_logged;             /* at this look */
    char said[400];             /* the error that was logged last */
} m307_follower_t;

/* ---- m307_follow.c ---- */

/* A look at the store, when it is time for one. */
void m307_follow_step(m307_follower_t *f);

/* ---- m307_place.c: the files ---- */

/* Where they stand: position, stamp. */
void m307_place_begin(m307_follower_t *f, apr_pool_t *pool);

/* Are they those that were last seen? */
int m307_place_is_unchanged(const m307_follower_t *f, apr_pool_t *pool);

/* Keep others from replacing files until pool is cleared; other threads too.
 * APR_EAGAIN: somebody has done so already, or f is to stop. */
apr_status_t m307_place_lock(m307_follower_t *f, apr_pool_t *pool,
                             r307_error_t *err);

/* They have been replaced: all processes are to map what is there now, and
 * this one does. id: the base's. */
void m307_place_tell(m307_follower_t *f, apr_uint64_t id,
                     const m307_position_t *position, apr_pool_t *pool);

/* ---- m307_badrows.c ---- */

/* r307_rows_bad_t; ctx: m307_follower_t */
void m307_badrows_note(void *ctx, apr_uint32_t id, const char *why);
/* An id that cannot be one. */
void m307_badrows_note_id(m307_follower_t *f, apr_uint64_t id,
                          apr_pool_t *pool);
/* At the end of a look: how many there are behind those that were logged. */
void m307_badrows_say(m307_follower_t *f);

static inline int m307_is_id(apr_uint64_t id)
{
    return id > 0 && id <= APR_UINT32_MAX;
}

/* ---- m307_changes.c ---- */

typedef struct m307_change_t {
    apr_uint32_t id;
    const char *line;           /* NULL: there is no such rule */
    const char *bad;            /* why not; NULL: it was deleted */
} m307_change_t;

typedef struct m307_changes_t {
    m307_follower_t *f;
    apr_pool_t *pool;
    apr_array_header_t *list;   /* m307_change_t *, one for each id,
                                 * ascending */
    apr_hash_t *by_id;
    apr_uint32_t read;
    apr_uint64_t last;          /* seq of the last one read */
    int cut;                    /* there are more than are taken at a time */
} m307_changes_t;

/* Those of the table's rule set behind a position, up to that seq. APR_ENOENT:
 * the log was cut meanwhile. */
apr_status_t m307_changes_gather(m307_follower_t *f, m307_store_t *store,
                                 const m307_position_t *from,
                                 apr_uint64_t upto, apr_pool_t *pool,
                                 m307_changes_t *out, r307_error_t *err);

/* As a patch of base; old: the one that it has, or NULL. */
apr_status_t m307_changes_write(m307_follower_t *f, const r307_table_t *base,
                                const r307_table_t *old,
                                const m307_changes_t *changes,
                                const m307_position_t *position,
                                apr_pool_t *pool, r307_error_t *err);

/* ---- m307_apply.c: what comes from the store, into files ---- */

/*
 * The changes behind the position, up to that state, as a new patch. Nothing
 * is written when none is of this table. APR_ENOSPC: there are too many.
 * APR_ENOENT: the log was cut while it was read. APR_EAGAIN: another process
 * has written; look again. Other errors have a sentence.
 */
apr_status_t m307_apply_changes(m307_follower_t *f, m307_store_t *store,
                                const m307_store_state_t *state,
                                apr_pool_t *pool, r307_error_t *err);

/* All rows, as a new base. Errors as above. */
apr_status_t m307_apply_all(m307_follower_t *f, m307_store_t *store,
                            const m307_store_state_t *state,
                            apr_pool_t *pool, r307_error_t *err);

/* The merged base, once it is there, in place of base and patch. It is
 * dropped when the store no longer knows where it stands. */
apr_status_t m307_apply_merged(m307_follower_t *f, m307_store_t *store,
                               apr_pool_t *pool, r307_error_t *err);

m307_position_t m307_apply_position(const m307_store_state_t *state);

/* ---- m307_merge.c ---- */

/* Begin to merge base and patch if the patch has grown large, or nothing has
 * changed for a while. */
void m307_merge_consider(m307_follower_t *f);
/* Is a merged base there? */
int m307_merge_is_ready(const m307_follower_t *f);
/* It has been used, or is of no use: remove what is left of it. */
void m307_merge_end(m307_follower_t *f);

/* ---- m307_follower.c ---- */

/* post_config: the watchdog. */
int m307_follower_setup(apr_pool_t *pconf, apr_pool_t *plog,
                        apr_pool_t *ptemp, server_rec *s);
/* child_init: the end of the process waits a little for its threads. */
void m307_follower_child_init(apr_pool_t *pchild, server_rec *s);

#endif
