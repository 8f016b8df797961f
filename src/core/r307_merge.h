/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Reading an index together with a patch of it: the candidates of one request
 * as an index would have them that had been made anew. Between ruleset and
 * walk; nobody else includes it.
 */
#ifndef R307_MERGE_H
#define R307_MERGE_H

#include "core/r307_walk.h"

/* What lies over an index. */
typedef struct r307_overlay_t {
    const r307_index_t *patch;
    const apr_uint32_t *hidden; /* orders of the index's records that are not
                                 * there any more; ascending */
    apr_uint32_t count;
} r307_overlay_t;

typedef struct r307_merge_t r307_merge_t;

/* walk: its first members filled; of the index. Returns NULL when there are
 * no candidates. In walk->pool, which together with walk must live as
 * long. */
r307_merge_t *r307_merge_begin(r307_walk_t *walk, const r307_index_t *index,
                               const r307_overlay_t *over);

/* As r307_walk_next() in order of specificity; walk->rest is that of what is
 * returned. */
const r307_record_t *r307_merge_next(r307_merge_t *merge);

/* Is it among those orders? */
int r307_merge_hides(const apr_uint32_t *hidden, apr_uint32_t count,
                     apr_uint32_t order);

#endif
