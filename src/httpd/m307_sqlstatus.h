/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * What is known of an SQL table's store: written by the process that follows
 * it, after each look, to NAME.status, and read by the status page of
 * whichever process is asked. JSON:
 *
 *     { "format": 1, "state": "current", "store": "...", "epoch": "1",
 *       "seq": 17, "token": "...", "store_seq": 17, "last_look": SECONDS,
 *       "last_success": SECONDS, "behind_since": SECONDS,
 *       "error": "..." or null, "bad_rows": 1,
 *       "bad": [ { "id": 4, "why": "..." } ] }
 *
 * For reports only: where a table stands in its log is in its files.
 */
#ifndef M307_SQLSTATUS_H
#define M307_SQLSTATUS_H

#include "httpd/m307_sqltable.h"

#include <jansson.h>

/* Bad rows that are remembered; all are counted. */
#define M307_BAD_KEPT 256
/* Of these, in reports. */
#define M307_BAD_SHOWN 20

typedef struct m307_bad_t {
    apr_uint32_t id;
    char why[236];              /* cut when it is longer */
} m307_bad_t;

typedef enum m307_following_t {
    M307_NEVER,                 /* no rows have ever been read */
    M307_CURRENT,
    M307_READING,               /* all rows are being read anew */
    M307_BEHIND,                /* the store is at an earlier change */
    M307_FAILING
} m307_following_t;

typedef struct m307_sqlstatus_t {
    m307_following_t state;
    char store[80];             /* as the store has them, cut */
    char epoch[24];
    char token[80];
    apr_uint64_t seq;           /* followed up to this change */
    apr_uint64_t store_seq;     /* the store's last, when last looked */
    apr_time_t last_look;
    apr_time_t last_success;    /* the table was what the store had */
    apr_time_t behind_since;    /* 0: it is not */
    char error[400];            /* of the last look; "": none */
    apr_uint32_t bad_more;      /* bad rows behind those of bad[] */
    int nbad;
    m307_bad_t bad[M307_BAD_KEPT];
} m307_sqlstatus_t;

/* For m307_statustext_time(). */
static inline apr_uint32_t m307_sqlstatus_seconds(apr_time_t t)
{
    return (apr_uint32_t)apr_time_sec(t);
}

/* "current", ... */
const char *m307_sqlstatus_name(m307_following_t state);

/* Beside, then renamed. APR_SUCCESS or an error of the system. */
apr_status_t m307_sqlstatus_write(const m307_table_t *table,
                                  const m307_sqlstatus_t *status,
                                  apr_pool_t *pool);

/* What was written last; all 0 when there is nothing that can be read. */
void m307_sqlstatus_read(const m307_table_t *table, m307_sqlstatus_t *out,
                         apr_pool_t *pool);

/* The row is bad; one that is known already is told anew. 1: it was not
 * known to be bad for that reason. */
int m307_sqlstatus_add_bad(m307_sqlstatus_t *status, apr_uint32_t id,
                           const char *why);
/* It is not, or no row. */
void m307_sqlstatus_drop_bad(m307_sqlstatus_t *status, apr_uint32_t id);

#endif
