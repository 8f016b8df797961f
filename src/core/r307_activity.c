/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what is remembered of a server's activity. Must not know requests.
 * Called by the server side when a decision is answered, and by reports.
 */
#include "core/r307_activity.h"

#include "core/r307_block.h"

#include <stddef.h>
#include <string.h>

/* A note that has been in writing for so many others was left by a process
 * that died; or that sleeps, and writes on when it wakes: hence the sum. */
#define ABANDONED (R307_RECENT * 4)

const char *r307_activity_total_name(r307_total_t total)
{
    static const char *const names[] = {
        "redirects", "stops", "dry_runs", "refused", "failed", "uncounted"
    };

    return names[total];
}

void r307_activity_init(r307_activity_t *activity, apr_time_t now)
{
    activity->version = R307_ACTIVITY_VERSION;
    activity->size = sizeof *activity;
    activity->started = (apr_uint64_t)apr_time_sec(now);
}

int r307_activity_check(const r307_activity_t *activity)
{
    return activity->version == R307_ACTIVITY_VERSION
           && activity->size == sizeof *activity;
}

/* Count in the lower half of a number whose upper half says what is being
 * counted; begin anew when that has changed. Returns the count before. */
static apr_uint32_t count_for(apr_uint64_t *word, apr_uint32_t what)
{
    apr_uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED);

    for (;;) {
        apr_uint64_t new = old >> 32 == what
            ? old + 1 : (apr_uint64_t)what << 32 | 1;
        if (__atomic_compare_exchange_n(word, &old, new, 1, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED)) {
            return (apr_uint32_t)new - 1;
        }
    }
}

/* A request that began long ago must not push a later minute out. */
void r307_activity_begin_minute(r307_activity_t *activity,
                                apr_uint32_t minute)
{
    apr_uint64_t *word = &activity->minutes[minute % R307_MINUTES];

    if (__atomic_load_n(word, __ATOMIC_RELAXED) >> 32 <= minute) {
        count_for(word, minute);
    }
}

apr_uint32_t r307_activity_minute(const r307_activity_t *activity,
                                  apr_uint32_t minute)
{
    apr_uint64_t word =
        __atomic_load_n(&activity->minutes[minute % R307_MINUTES],
                        __ATOMIC_RELAXED);

    return word >> 32 == minute ? (apr_uint32_t)word : 0;
}

int r307_activity_claim(r307_activity_t *activity, apr_uint32_t seconds)
{
    return count_for(&activity->gate, seconds) < R307_RECENT_A_SECOND;
}

void r307_activity_text(char *to, apr_size_t size, const char *s, int path)
{
    apr_size_t n = s ? strnlen(s, size - 1) : 0;
    const char *query = path && n ? memchr(s, '?', n) : NULL;

    n = query ? (apr_size_t)(query - s) : n;
    memcpy(to, s ? s : "", n);
    to[n] = '\0';
}

/* Whoever turns the sequence odd writes. */
static int begin_note(r307_note_t *note, apr_uint32_t ticket,
                      apr_uint32_t *sequence)
{
    apr_uint32_t old = __atomic_load_n(&note->sequence, __ATOMIC_ACQUIRE);

    if (old & 1 && ticket - note->ticket < ABANDONED) {
        return 0;
    }
    *sequence = (old + 1) | 1;
    return __atomic_compare_exchange_n(&note->sequence, &old, *sequence, 0,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Whole words of a text, as far as it goes. */
static apr_uint64_t add_text(apr_uint64_t sum, const char *s, apr_size_t size)
{
    apr_size_t len = (strnlen(s, size) + 8) & ~(apr_size_t)7;

    return r307_block_sum(sum, s, len < size ? len : size);
}

static apr_uint64_t sum_of(const r307_recent_t *recent)
{
    apr_uint64_t sum = r307_block_sum(1, recent,
                                      offsetof(r307_recent_t, method));

    sum = add_text(sum, recent->method, sizeof recent->method);
    sum = add_text(sum, recent->rule, sizeof recent->rule);
    sum = add_text(sum, recent->url, sizeof recent->url);
    return add_text(sum, recent->location, sizeof recent->location);
}

void r307_activity_note(r307_activity_t *activity,
                        const r307_recent_t *recent)
{
    apr_uint32_t ticket = __atomic_add_fetch(&activity->tickets, 1,
                                             __ATOMIC_RELAXED);
    r307_note_t *note = &activity->notes[ticket % R307_RECENT];
    apr_uint32_t sequence;

    if (begin_note(note, ticket, &sequence)) {
        __atomic_thread_fence(__ATOMIC_RELEASE);
        note->ticket = ticket;
        note->recent = *recent;
        note->sum = sum_of(recent);
        __atomic_store_n(&note->sequence, sequence + 1, __ATOMIC_RELEASE);
    }
}

/* 1 when the copy is whole. */
static int copy_note(const r307_note_t *note, r307_note_t *out)
{
    apr_uint32_t before = __atomic_load_n(&note->sequence, __ATOMIC_ACQUIRE);

    if (before == 0 || before & 1) {
        return 0;
    }
    memcpy(out, note, sizeof *out);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(&note->sequence, __ATOMIC_RELAXED) == before
           && out->sum == sum_of(&out->recent)
           && out->recent.outcome < R307_TOTALS;
}

int r307_activity_recent(const r307_activity_t *activity, r307_recent_t *out)
{
    apr_uint32_t last = __atomic_load_n(&activity->tickets,
                                        __ATOMIC_RELAXED);
    apr_uint32_t back;
    r307_note_t note;
    int n = 0;

    for (back = 0; back < R307_RECENT && n < R307_RECENT_SHOWN; back++) {
        apr_uint32_t ticket = last - back;
        if (copy_note(&activity->notes[ticket % R307_RECENT], &note)
            && note.ticket == ticket) {
            out[n++] = note.recent;
        }
    }
    return n;
}

void r307_activity_trouble(r307_activity_t *activity, int table,
                           const char *text, apr_time_t now)
{
    r307_trouble_t *trouble;

    if (table >= 0 && table < R307_TROUBLES) {
        trouble = &activity->troubles[table];
        r307_activity_text(trouble->text, sizeof trouble->text, text, 0);
        __atomic_store_n(&trouble->time, text ? now : 0, __ATOMIC_RELEASE);
    }
}

static void name_loose(r307_loose_t *loose, const char *label)
{
    r307_activity_text(loose->label, sizeof loose->label, label, 0);
    __atomic_store_n(&loose->named, 1, __ATOMIC_RELEASE);
}

r307_loose_t *r307_activity_loose_known(r307_activity_t *activity,
                                        apr_uint64_t id)
{
    apr_uint32_t i = (apr_uint32_t)(id >> (64 - R307_LOOSE_BITS)), probe;

    for (probe = 0; probe < R307_LOOSE_PROBES; probe++) {
        r307_loose_t *loose = &activity->loose[(i + probe)
                                               & (R307_LOOSE - 1)];
        apr_uint64_t has = __atomic_load_n(&loose->id, __ATOMIC_ACQUIRE);

        if (has == id) {
            return loose;
        }
        if (has == 0) {
            break;
        }
    }
    return NULL;
}

r307_loose_t *r307_activity_loose(r307_activity_t *activity, apr_uint64_t id,
                                  const char *label)
{
    apr_uint32_t i = (apr_uint32_t)(id >> (64 - R307_LOOSE_BITS)), probe;

    for (probe = 0; probe < R307_LOOSE_PROBES; probe++) {
        r307_loose_t *loose = &activity->loose[(i + probe)
                                               & (R307_LOOSE - 1)];
        apr_uint64_t has = __atomic_load_n(&loose->id, __ATOMIC_ACQUIRE);

        if (has == 0
            && __atomic_compare_exchange_n(&loose->id, &has, id, 0,
                                           __ATOMIC_ACQ_REL,
                                           __ATOMIC_ACQUIRE)) {
            name_loose(loose, label);
            return loose;
        }
        if (has == id) {
            return loose;
        }
    }
    return NULL;
}
