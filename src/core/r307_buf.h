/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * A growing string with a ceiling. Everything the core builds from request
 * data is built in one of these, so that no input can make it grow without
 * bound. Running over the ceiling is remembered: callers append freely and
 * ask once, at the end.
 */
#ifndef R307_BUF_H
#define R307_BUF_H

#include <apr_pools.h>

#include <string.h>

typedef struct r307_buf_t {
    apr_pool_t *pool;
    char *data;                 /* not terminated until r307_buf_string() */
    apr_size_t len;
    apr_size_t size;
    apr_size_t max;             /* bytes that data may hold at most */
    int overflow;               /* something did not fit; nothing was added */
} r307_buf_t;

/* first: bytes to reserve at once; max: the ceiling, 1 or more. */
void r307_buf_init(r307_buf_t *buf, apr_pool_t *pool, apr_size_t first,
                   apr_size_t max);

/* Room for n more bytes; 0 and overflow set when the ceiling forbids it. */
int r307_buf_reserve(r307_buf_t *buf, apr_size_t n);

static inline void r307_buf_add(r307_buf_t *buf, const char *s, apr_size_t n)
{
    if (buf->size - buf->len >= n || r307_buf_reserve(buf, n)) {
        memcpy(buf->data + buf->len, s, n);
        buf->len += n;
    }
}

static inline void r307_buf_addc(r307_buf_t *buf, char c)
{
    r307_buf_add(buf, &c, 1);
}

/* The terminated string, or NULL when the ceiling was hit. Lives in pool. */
char *r307_buf_string(r307_buf_t *buf);

#endif
