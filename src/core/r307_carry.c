/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns how counts move from one block to another when rules have changed.
 * Must not know files. Declared in r307_counter.h.
 *
 * Three passes, each in order of slots: which ids have counts; for each of
 * their slots, which of its id it is; and where the one of the same number
 * is in the other block.
 */
#include "core/r307_counter.h"

#define CHUNK ((apr_uint32_t)1 << R307_COUNTER_CHUNK_BITS)

/* A slot with counts. */
typedef struct moving_t {
    apr_uint32_t slot;
    apr_uint32_t nth;           /* of the slots with its id, from 0 */
    apr_uint32_t next;          /* of the same id, plus 1; 0: none */
} moving_t;

/* An id that has such slots. */
typedef struct known_t {
    apr_uint64_t id;            /* 0: free */
    apr_uint32_t seen;          /* slots with this id, so far */
    apr_uint32_t head, tail;    /* of its slots, plus 1 */
} known_t;

typedef struct carry_t {
    r307_counter_t *from;
    r307_counter_t *to;
    known_t *known;             /* open addressing */
    apr_uint32_t mask;
    moving_t *moving;
    apr_uint32_t n;
    /* Counting goes on, so there may be more by now than there were: what
     * does not fit moves the next time. */
    apr_uint32_t room;
} carry_t;

static int has_counts(const r307_counter_t *counter, apr_uint32_t slot)
{
    r307_count_t count = r307_counter_read(counter, slot);

    return count.hits || count.dry;
}

/* Calls for each slot with counts that has an id. */
static apr_uint32_t each_counted(carry_t *c,
                                 void (*call)(carry_t *c, apr_uint32_t slot))
{
    apr_uint32_t slot = 0, n = 0;

    while (slot < c->from->slots) {
        if (!c->from->ready[slot >> R307_COUNTER_CHUNK_BITS]) {
            slot = (slot | (CHUNK - 1)) + 1;
            continue;
        }
        if (c->from->ids[slot] && has_counts(c->from, slot)) {
            n++;
            if (call) {
                call(c, slot);
            }
        }
        slot++;
    }
    return n;
}

/* The place of the id, or the free one where it would be. */
static known_t *find(const carry_t *c, apr_uint64_t id)
{
    apr_uint32_t i = (apr_uint32_t)(id ^ id >> 32) & c->mask;

    while (c->known[i].id && c->known[i].id != id) {
        i = (i + 1) & c->mask;
    }
    return &c->known[i];
}

static void learn(carry_t *c, apr_uint32_t slot)
{
    if (c->n < c->room) {
        apr_uint64_t id = c->from->ids[slot];

        find(c, id)->id = id;
        c->n++;
    }
}

static void number_slots(carry_t *c)
{
    apr_uint32_t slot;

    for (slot = 0; slot < c->from->slots; slot++) {
        apr_uint64_t id = c->from->ids[slot];
        known_t *known = id ? find(c, id) : NULL;
        apr_uint32_t nth;

        if (!known || !known->id) {
            continue;
        }
        nth = known->seen++;
        if (has_counts(c->from, slot) && c->n < c->room) {
            moving_t *m = &c->moving[c->n++];
            m->slot = slot;
            m->nth = nth;
            m->next = 0;
            if (known->tail) {
                c->moving[known->tail - 1].next = c->n;
            }
            else {
                known->head = c->n;
            }
            known->tail = c->n;
        }
    }
}

/* 0: the disk is full. */
static int move_counts(carry_t *c, apr_uint32_t slot, apr_uint32_t target)
{
    if (!r307_counter_is_ready(c->to, target)
        && !r307_counter_prepare(c->to, target)) {
        return 0;
    }
    r307_tally_move(&c->from->tallies[slot], &c->from->rests[slot],
                    &c->to->tallies[target], &c->to->rests[target]);
    return 1;
}

static apr_uint32_t move_slots(carry_t *c)
{
    apr_uint32_t slot, moved = 0;

    for (slot = 0; slot < c->mask + 1; slot++) {
        c->known[slot].seen = 0;
    }
    for (slot = 0; slot < c->to->slots; slot++) {
        apr_uint64_t id = c->to->ids[slot];
        known_t *known = id ? find(c, id) : NULL;

        if (known && known->id && known->head) {
            moving_t *m = &c->moving[known->head - 1];
            if (m->nth == known->seen++) {
                moved += (apr_uint32_t)move_counts(c, m->slot, slot);
                known->head = m->next;
            }
        }
    }
    return moved;
}

apr_uint32_t r307_counter_carry(r307_counter_t *from, r307_counter_t *to,
                                apr_pool_t *pool)
{
    carry_t c = { from, to, NULL, 1, NULL, 0, 0 };

    c.room = each_counted(&c, NULL);
    if (c.room == 0) {
        return 0;
    }
    while (c.mask < c.room * (apr_uint64_t)2) {
        c.mask = c.mask << 1 | 1;
    }
    c.known = apr_pcalloc(pool, (c.mask + (apr_size_t)1) * sizeof *c.known);
    c.moving = apr_palloc(pool, c.room * sizeof *c.moving);
    each_counted(&c, learn);
    c.n = 0;
    number_slots(&c);
    return move_slots(&c);
}
