/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Weighted splits: percent=N, and sticky= so that the same visitor always
 * gets the same answer, from every child, after every restart, and from
 * every server of a fleet.
 */
#ifndef R307_SPLIT_H
#define R307_SPLIT_H

#include "core/r307_error.h"

typedef enum r307_sticky_t {
    R307_STICKY_NONE,           /* each request is drawn */
    R307_STICKY_IP,             /* the client's address */
    R307_STICKY_COOKIE,
    R307_STICKY_HEADER
} r307_sticky_t;

typedef struct r307_split_t {
    apr_uint32_t share;         /* of 2^32: percent * 2^32 / 100, rounded;
                                 * 100 % is kept apart */
    int everybody;              /* percent=100 */
    r307_sticky_t sticky;
    const char *name;           /* of the cookie or header */
} r307_split_t;

/* "10", "0.5": 0 to 100 with at most three decimals; no locale. APR_EINVAL
 * without a sentence: the option's own says what is legal. */
apr_status_t r307_split_parse_percent(const char *text, r307_split_t *out);

/* "ip", "cookie:NAME", "header:NAME" (RFC 9110 tokens). Likewise. */
apr_status_t r307_split_parse_sticky(apr_pool_t *pool, const char *text,
                                     r307_split_t *out);

/* Is that visitor in the share? key: any bytes; salt: the rule's name, so
 * that two rules of 10 % do not choose the same visitors. Stable for ever:
 * documented in docs/directives.md with a test vector. */
int r307_split_holds(const r307_split_t *split, const char *key,
                     apr_size_t key_len, const char *salt);

/* Is this request, by a number that is drawn evenly from 0 to 2^32-1? */
int r307_split_holds_drawn(const r307_split_t *split, apr_uint32_t drawn);

#endif
