/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns how a rule is counted. Must not know where its counts are kept.
 * Called by counter and carry, and by the server side.
 */
#include "core/r307_tally.h"

/* Is the one seen now to be replaced by the other? */
typedef int (*better_fn)(apr_uint32_t now, apr_uint32_t then);

static int is_earlier(apr_uint32_t now, apr_uint32_t then)
{
    return then && (!now || then < now);
}

static int is_later(apr_uint32_t now, apr_uint32_t then)
{
    return then > now;
}

static void improve(apr_uint32_t *at, apr_uint32_t then, better_fn better)
{
    apr_uint32_t now = __atomic_load_n(at, __ATOMIC_RELAXED);

    while (better(now, then)
           && !__atomic_compare_exchange_n(at, &now, then, 0,
                                           __ATOMIC_RELAXED,
                                           __ATOMIC_RELAXED)) {
        continue;
    }
}

static void add_hits(r307_tally_t *tally, r307_rest_t *rest, apr_uint64_t n)
{
    apr_uint32_t low = (apr_uint32_t)n, high = (apr_uint32_t)(n >> 32);
    apr_uint32_t sum = __atomic_add_fetch(&tally->hits, low,
                                          __ATOMIC_RELAXED);

    high += sum < low;
    if (high) {
        __atomic_fetch_add(&rest->high, high, __ATOMIC_RELAXED);
    }
}

void r307_tally_hit(r307_tally_t *tally, r307_rest_t *rest, int dry,
                    apr_uint32_t seconds)
{
    if (dry) {
        __atomic_fetch_add(&rest->dry, 1, __ATOMIC_RELAXED);
    }
    else {
        add_hits(tally, rest, 1);
    }
    r307_tally_note_last(tally, seconds);
    if (!__atomic_load_n(&rest->first, __ATOMIC_RELAXED)) {
        improve(&rest->first, seconds, is_earlier);
    }
}

r307_count_t r307_tally_read(const r307_tally_t *tally,
                             const r307_rest_t *rest)
{
    r307_count_t count;
    apr_uint32_t high;

    do {                        /* half of it may be from before a carry */
        high = __atomic_load_n(&rest->high, __ATOMIC_ACQUIRE);
        count.hits = (apr_uint64_t)high << 32
            | __atomic_load_n(&tally->hits, __ATOMIC_ACQUIRE);
    } while (__atomic_load_n(&rest->high, __ATOMIC_RELAXED) != high);
    count.dry = __atomic_load_n(&rest->dry, __ATOMIC_RELAXED);
    count.first = __atomic_load_n(&rest->first, __ATOMIC_RELAXED);
    count.last = __atomic_load_n(&tally->last, __ATOMIC_RELAXED);
    return count;
}

/* Taken away before it is added: in between it is nowhere, but never
 * twice. */
void r307_tally_move(r307_tally_t *from, r307_rest_t *from_rest,
                     r307_tally_t *to, r307_rest_t *to_rest)
{
    apr_uint64_t hits;

    improve(&to_rest->first,
            __atomic_load_n(&from_rest->first, __ATOMIC_RELAXED), is_earlier);
    improve(&to->last, __atomic_load_n(&from->last, __ATOMIC_RELAXED),
            is_later);
    hits = (apr_uint64_t)__atomic_exchange_n(&from_rest->high, 0,
                                             __ATOMIC_RELAXED) << 32;
    hits |= __atomic_exchange_n(&from->hits, 0, __ATOMIC_RELAXED);
    add_hits(to, to_rest, hits);
    __atomic_fetch_add(&to_rest->dry,
                       __atomic_exchange_n(&from_rest->dry, 0,
                                           __ATOMIC_RELAXED),
                       __ATOMIC_RELAXED);
}
