/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * What is counted of one rule, in memory that processes share. It is in two
 * parts that lie apart: the tally is what every hit changes, and is small,
 * so that those of many rules share lines of the processor's caches, and
 * pages; the rest is touched by the first hit, by dry runs, and once in
 * 4,294,967,296 hits.
 */
#ifndef R307_TALLY_H
#define R307_TALLY_H

#include <apr.h>

typedef struct r307_tally_t {
    apr_uint32_t hits;          /* the lower half of the number */
    apr_uint32_t last;          /* seconds since 1970; 0: never */
} r307_tally_t;

typedef struct r307_rest_t {
    apr_uint64_t dry;           /* hits that were none, but for a dry run */
    apr_uint32_t first;         /* seconds since 1970; 0: never */
    apr_uint32_t high;          /* the upper half of the number of hits */
} r307_rest_t;

/* Both, to read. */
typedef struct r307_count_t {
    apr_uint64_t hits;
    apr_uint64_t dry;
    apr_uint32_t first;
    apr_uint32_t last;
} r307_count_t;

static inline void r307_tally_note_last(r307_tally_t *tally,
                                        apr_uint32_t seconds)
{
    if (seconds > __atomic_load_n(&tally->last, __ATOMIC_RELAXED)) {
        __atomic_store_n(&tally->last, seconds, __ATOMIC_RELAXED);
    }
}

/* A hit where hits were counted before. */
static inline void r307_tally_again(r307_tally_t *tally, r307_rest_t *rest,
                                    apr_uint32_t seconds)
{
    if (__atomic_add_fetch(&tally->hits, 1, __ATOMIC_RELAXED) == 0) {
        __atomic_fetch_add(&rest->high, 1, __ATOMIC_RELAXED);
    }
    r307_tally_note_last(tally, seconds);
}

/* One hit, or with dry one that would have been. */
void r307_tally_hit(r307_tally_t *tally, r307_rest_t *rest, int dry,
                    apr_uint32_t seconds);

/* A copy, while others count. */
r307_count_t r307_tally_read(const r307_tally_t *tally,
                             const r307_rest_t *rest);

/* Move all counts, while others count in both: nothing is lost, and nothing
 * is counted twice. Times stay, too. */
void r307_tally_move(r307_tally_t *from, r307_rest_t *from_rest,
                     r307_tally_t *to, r307_rest_t *to_rest);

#endif
