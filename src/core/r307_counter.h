/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Counters of rules: a block of memory that all processes share, anonymous
 * or a mapped file. Counting takes no lock and makes no system call but the
 * first time that a part of the block is touched.
 *
 *     offset  what
 *     0       r307_counter_header_t, padded to 4096
 *     then    ready: a byte for each chunk of slots, padded to 4096
 *     then    ids: an apr_uint64_t for each slot, padded to 4096
 *     then    extra: for whoever made the block, padded to 4096
 *     then    tallies: an r307_tally_t for each slot, padded to 4096
 *     then    rests: an r307_rest_t for each slot
 *
 * A slot is a number; who counts for what in which slot is told by its id
 * (r307_identity.h), so that counts find their rule again when the rules
 * have changed. Tallies and rests of a file are holes until they are used. A
 * write into a hole of a full disk would kill the process, so those of a
 * chunk of slots are allocated before its first use: that is what `ready` is
 * for.
 */
#ifndef R307_COUNTER_H
#define R307_COUNTER_H

#include "core/r307_error.h"
#include "core/r307_tally.h"

#include <apr_time.h>

#define R307_COUNTER_VERSION 2

/* 4096 slots have 8 pages of tallies and 16 of rests. */
#define R307_COUNTER_CHUNK_BITS 12

/* More slots than a table can have lines. */
#define R307_COUNTER_SLOTS_MAX ((apr_uint32_t)1 << 30)

/* A rule that can have no slot: its table has no counters. */
#define R307_SLOT_NONE (~(apr_uint32_t)0)

typedef struct r307_counter_header_t {
    char magic[8];              /* "R307CNT\n" */
    apr_uint32_t version;
    apr_uint32_t byte_order;    /* 0x01020304 */
    apr_uint64_t len;           /* of the whole */
    apr_uint64_t owner;         /* what the block counts for */
    apr_uint64_t created;       /* seconds since 1970 */
    apr_uint64_t extra_len;     /* without padding */
    apr_uint32_t slots;
    apr_uint32_t reserved;
    apr_uint64_t header_sum;    /* of everything before this member */
} r307_counter_header_t;

typedef struct r307_counter_t {
    apr_uint32_t slots;
    unsigned char *ready;
    r307_tally_t *tallies;
    r307_rest_t *rests;
    apr_uint64_t *ids;          /* 0: a slot that nobody has */
    void *extra;
    r307_counter_header_t *header;
    int fd;                     /* of the file; -1 when nothing has to be
                                 * allocated any more */
    apr_uint64_t tallies_at;    /* offsets in the file */
    apr_uint64_t rests_at;
} r307_counter_t;

/* Bytes that a block needs, in whole pages. */
apr_uint64_t r307_counter_len(apr_uint32_t slots, apr_size_t extra);

/* Make zeroed memory of r307_counter_len() bytes an empty block. ready: all
 * of it is there. */
void r307_counter_format(void *memory, apr_uint32_t slots, apr_size_t extra,
                         apr_uint64_t owner, int ready, apr_time_t now);

/* NULL, or what is wrong with a block of that length. *foreign: it is not
 * even one. */
const char *r307_counter_check(const void *memory, apr_uint64_t len,
                               int *foreign);

/* View a block that was checked. It must outlive pool. */
r307_counter_t *r307_counter_over(void *memory, apr_pool_t *pool);

/*
 * Create a file of counters: `fill` writes the ids. It appears whole or not
 * at all, and one that appears meanwhile is left as it is. APR_SUCCESS, or
 * an error with a sentence in err.
 */
apr_status_t r307_counter_create(const char *path, apr_uint32_t slots,
                                 apr_uint64_t owner,
                                 void (*fill)(const void *ctx,
                                              apr_uint64_t *ids,
                                              apr_uint32_t slots),
                                 const void *ctx, apr_pool_t *pool,
                                 r307_error_t *err);

/*
 * Map a file of counters for as long as pool lives. APR_ENOENT without a
 * sentence; other errors with one: APR_EINVAL for a file that is damaged, or
 * of another owner.
 */
apr_status_t r307_counter_open(const char *path, apr_uint64_t owner,
                               apr_pool_t *pool, r307_counter_t **out,
                               r307_error_t *err);

/* Does any process have the file mapped? Then its counts can still grow. */
int r307_counter_is_used(const char *path);

/* Map a file to move its counts away, whoever owns it. *alone: nobody else
 * has it mapped, and who wants to waits until pool is cleared, so that it
 * can be removed without loss. Errors as above, with *alone set too. */
apr_status_t r307_counter_take(const char *path, apr_pool_t *pool,
                               r307_counter_t **out, int *alone,
                               r307_error_t *err);

/* Allocate the slot's chunk. 0: the disk is full. Any thread. */
int r307_counter_prepare(r307_counter_t *counter, apr_uint32_t slot);

/* Was anything counted in the slot's chunk? */
static inline int r307_counter_is_ready(const r307_counter_t *counter,
                                        apr_uint32_t slot)
{
    return slot < counter->slots
           && counter->ready[slot >> R307_COUNTER_CHUNK_BITS];
}

/* Were hits counted in the slot, so that only numbers have to grow? */
static inline int r307_counter_is_begun(const r307_counter_t *counter,
                                        apr_uint32_t slot)
{
    return r307_counter_is_ready(counter, slot)
           && __atomic_load_n(&counter->tallies[slot].hits, __ATOMIC_RELAXED);
}

/* A hit in a slot for which r307_counter_is_begun(). */
static inline void r307_counter_again(r307_counter_t *counter,
                                      apr_uint32_t slot, apr_uint32_t seconds)
{
    r307_tally_again(&counter->tallies[slot], &counter->rests[slot], seconds);
}

/* One hit, or with dry one that would have been. 0: the slot cannot be
 * had. */
static inline int r307_counter_hit(r307_counter_t *counter, apr_uint32_t slot,
                                   int dry, apr_uint32_t seconds)
{
    if (slot >= counter->slots
        || (!r307_counter_is_ready(counter, slot)
            && !r307_counter_prepare(counter, slot))) {
        return 0;
    }
    r307_tally_hit(&counter->tallies[slot], &counter->rests[slot], dry,
                   seconds);
    return 1;
}

/* What was counted in the slot; zeros where there is none. */
r307_count_t r307_counter_read(const r307_counter_t *counter,
                               apr_uint32_t slot);

/* Let the slot, which nobody counts in, begin anew; with prepared chunks. */
void r307_counter_clear(r307_counter_t *counter, apr_uint32_t slot);

/* Make ids and counts of a block those of one with no more slots; extra
 * stays; with prepared chunks. */
void r307_counter_copy(r307_counter_t *to, const r307_counter_t *from);

/*
 * Move all counts to the slots that have the same ids: the first of several
 * with one id to the first, the second to the second. Counts whose id is
 * gone stay behind. Others may count in both meanwhile: nothing is lost and
 * nothing is counted twice. Memory: 24 bytes for each slot with counts, for
 * as long as pool lives. Returns how many slots were moved.
 */
apr_uint32_t r307_counter_carry(r307_counter_t *from, r307_counter_t *to,
                                apr_pool_t *pool);

#endif
