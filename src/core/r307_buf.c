/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns growth and the ceiling of r307_buf_t. Knows nothing of what is stored.
 * Called by whatever builds strings from request data.
 */
#include "core/r307_buf.h"

void r307_buf_init(r307_buf_t *buf, apr_pool_t *pool, apr_size_t first,
                   apr_size_t max)
{
    buf->pool = pool;
    buf->max = max;
    buf->size = first < max ? first : max;
    buf->data = apr_palloc(pool, buf->size + 1);
    buf->len = 0;
    buf->overflow = 0;
}

int r307_buf_reserve(r307_buf_t *buf, apr_size_t n)
{
    apr_size_t size = buf->size;
    char *data;

    if (buf->overflow || n > buf->max - buf->len) {
        buf->overflow = 1;
        return 0;
    }
    if (n <= buf->size - buf->len) {
        return 1;
    }
    while (size - buf->len < n) {
        size = size * 2 + 16;
    }
    size = size < buf->max ? size : buf->max;
    data = apr_palloc(buf->pool, size + 1);
    memcpy(data, buf->data, buf->len);
    buf->data = data;
    buf->size = size;
    return 1;
}

char *r307_buf_string(r307_buf_t *buf)
{
    if (buf->overflow) {
        return NULL;
    }
    buf->data[buf->len] = '\0';
    return buf->data;
}
