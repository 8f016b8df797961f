/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The store of an SQL table, as a server sees it: a connection of mod_dbd's,
 * and the three things that are asked: its state, its rows, and what has
 * changed. They come from redirect307_store, redirect307_row and
 * redirect307_follow (share/redirect307-*.sql).
 *
 * All of it may wait for the database, for as long as that takes, and belongs
 * into a thread that nobody waits for. One thread at a time uses a store.
 */
#ifndef M307_STORE_H
#define M307_STORE_H

#include "httpd/m307.h"

#include "core/r307_row.h"

#define M307_STORE_VERSION 1    /* redirect307_store.schema_version */

typedef struct m307_store_t m307_store_t;

/* When all directives have been read. NULL, or why there can be no SQL
 * tables. */
const char *m307_store_missing(apr_pool_t *pool);

/* Likewise. Does mod_dbd open connections in every child, when that starts? */
int m307_store_is_eager(apr_pool_t *pool);

/*
 * Connect. asking is when the database was asked, while it has not answered,
 * else 0: for another thread that wonders. Errors: a sentence; mod_dbd has
 * logged what the driver says.
 */
apr_status_t m307_store_open(server_rec *s, volatile apr_time_t *asking,
                             apr_pool_t *pool, m307_store_t **out,
                             r307_error_t *err);
void m307_store_close(m307_store_t *store);

/* The store at one moment. */
typedef struct m307_store_state_t {
    const char *id;             /* another one for each store ever made */
    const char *epoch;          /* another one when servers are to read all */
    apr_uint64_t seq;           /* of the last change; 0: none is recorded */
    const char *token;          /* of that change; "" */
    const char *mine;           /* token of the change asked about; "": it
                                 * is not there (any more) */
} m307_store_state_t;

/* Strings are in pool. APR_EINVAL: a schema of another version. */
apr_status_t m307_store_state(m307_store_t *store, apr_uint64_t mine,
                              apr_pool_t *pool, m307_store_state_t *out,
                              r307_error_t *err);

/* A row, or a change of one. */
typedef struct m307_stored_t {
    apr_uint64_t seq;           /* of a change; else 0 */
    apr_uint64_t id;            /* as the store has it: may be no id */
    int live;                   /* 0: the rule is gone */
    r307_row_t row;
} m307_stored_t;

/* Strings last until it returns. An error ends the reading. */
typedef apr_status_t (*m307_store_fn)(void *ctx, const m307_stored_t *stored);

/* What is read at a time. */
typedef struct m307_store_range_t {
    const char *ruleset;
    apr_uint64_t after;         /* id or seq; moved on to the last one read */
    apr_uint64_t upto;          /* seq; of changes only */
    int more;                   /* there may be more behind it */
} m307_store_range_t;

/* A page of rows by id, or of changes by seq. */
apr_status_t m307_store_rows(m307_store_t *store, m307_store_range_t *range,
                             m307_store_fn fn, void *ctx, apr_pool_t *pool,
                             r307_error_t *err);
apr_status_t m307_store_changes(m307_store_t *store,
                                m307_store_range_t *range, m307_store_fn fn,
                                void *ctx, apr_pool_t *pool,
                                r307_error_t *err);

#endif
