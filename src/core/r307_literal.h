/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * What every subject of a regular expression must begin with, read off the
 * pattern. Nothing is claimed where the pattern leaves a doubt.
 */
#ifndef R307_LITERAL_H
#define R307_LITERAL_H

#include <apr_pools.h>

typedef struct r307_literal_t {
    const char *bytes;          /* every match begins with these; "" when
                                 * nothing is known */
    apr_size_t len;
    const char *key;            /* the whole segments of a path among them,
                                 * without a final slash and without slashes
                                 * in a row: "/shop/item" */
} r307_literal_t;

/* flags: r307_regex_flags_t. Lives in pool. */
void r307_literal_find(apr_pool_t *pool, const char *pattern, int flags,
                       r307_literal_t *out);

#endif
