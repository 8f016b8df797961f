/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Reading an index: the candidates of one request, in order.
 */
#ifndef R307_WALK_H
#define R307_WALK_H

#include "core/r307_index.h"

/* The records of one key that the request falls under. */
typedef struct r307_walk_list_t {
    const r307_record_t *first; /* of the key */
    const r307_record_t *next;  /* not yet returned; NULL at the end */
    apr_uint32_t end;           /* of the key in uri */
} r307_walk_list_t;

#define R307_WALK_LISTS 8       /* more are allocated */

typedef enum r307_order_t {
    R307_ORDER_FIRST,           /* ascending record.order */
    R307_ORDER_SPECIFIC         /* exact, then longest prefix, then regular
                                 * expressions; within each ascending */
} r307_order_t;

/* Stands on the stack. The first members are the caller's to fill, once for
 * all indexes that a request is looked up in; the others are private but for
 * rest. */
typedef struct r307_walk_t {
    apr_pool_t *pool;
    const char *uri;            /* decoded, begins with '/'; need not be
                                 * terminated */
    apr_size_t uri_len;
    const char *host;           /* lower case, no port, or NULL */

    const r307_index_t *index;
    r307_walk_list_t *lists;    /* deepest last */
    int nlists;
    int room;                   /* of lists */
    int at;                     /* SPECIFIC: list being read */
    int phase;                  /* SPECIFIC: exact, prefix, regex */
    apr_uint32_t last;          /* order of what was returned last, plus 1 */
    int doubled;                /* uri holds slashes in a row, as deep as
                                 * keys go */
    apr_size_t rest;            /* of what was returned last: where its path
                                 * ends in uri, 0 when that must be found
                                 * out */
    r307_walk_list_t few[R307_WALK_LISTS];
} r307_walk_t;

/* Returns 0 when there are no candidates; then walk must not be asked. */
int r307_walk_begin(r307_walk_t *walk, const r307_index_t *index);

/* The next candidate, NULL at the end. Candidates share the key's segments
 * with the request; whether they cover it is for the caller to test. */
const r307_record_t *r307_walk_next(r307_walk_t *walk, r307_order_t order);

#endif
