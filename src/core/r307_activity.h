/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * What a server does, in memory that all processes share: totals, redirects
 * by the minute, the last decisions, and counts of rules that have no slot
 * because they come and go (.htaccess, rule files). Of fixed size and
 * without pointers. Writers take no lock.
 */
#ifndef R307_ACTIVITY_H
#define R307_ACTIVITY_H

#include "core/r307_counter.h"

#define R307_ACTIVITY_VERSION 1

typedef enum r307_total_t {
    R307_TOTAL_REDIRECT,
    R307_TOTAL_STOP,            /* `-` */
    R307_TOTAL_DRY,             /* dry runs */
    R307_TOTAL_REFUSED,         /* 404, 414 */
    R307_TOTAL_FAILED,          /* 500 */
    R307_TOTAL_UNCOUNTED,       /* in no rule's counts: there was no room */
    R307_TOTALS
} r307_total_t;

/* The name of a total in reports, such as "redirects". Static. */
const char *r307_activity_total_name(r307_total_t total);

/* Minutes that are remembered: an hour is shown, of which the first and the
 * last are incomplete. */
#define R307_MINUTES 64

/* Decisions that are kept, of which R307_RECENT_SHOWN are shown: the others
 * are those that somebody is writing meanwhile. */
#define R307_RECENT 64
#define R307_RECENT_SHOWN 50

/* Decisions noted in a second; the rest of that second only counts. A person
 * sees all, and under load noting costs nothing. */
#define R307_RECENT_A_SECOND 8

/* Statuses that Redirect307OnError can act on: 400 to 599. */
#define R307_CAUSE_FIRST 400
#define R307_CAUSES 200

/* Rules without a slot that are counted each on their own. */
#define R307_LOOSE_BITS 12
#define R307_LOOSE ((apr_uint32_t)1 << R307_LOOSE_BITS)
#define R307_LOOSE_PROBES 16

/* A decision. Texts are cut to their room, and terminated. */
typedef struct r307_recent_t {
    apr_time_t time;
    apr_uint32_t outcome;       /* r307_total_t */
    apr_uint32_t cause;         /* status that it answers to; 0: none */
    char method[16];
    char rule[96];
    char url[256];              /* host and path, without query */
    char location[256];         /* without query; "" for none */
} r307_recent_t;

typedef struct r307_loose_t {
    apr_uint64_t id;            /* 0: free */
    r307_tally_t tally;
    r307_rest_t rest;
    apr_uint32_t named;         /* label can be read */
    char label[188];
} r307_loose_t;

typedef struct r307_note_t {
    apr_uint32_t sequence;      /* odd: being written; 0: never was */
    apr_uint32_t ticket;
    apr_uint64_t sum;           /* of recent: tells a note that two processes
                                 * wrote at the same time */
    r307_recent_t recent;
} r307_note_t;

/* Tables whose last error is remembered. */
#define R307_TROUBLES 64

typedef struct r307_trouble_t {
    apr_time_t time;            /* 0: none */
    char text[504];
} r307_trouble_t;

typedef struct r307_activity_t {
    apr_uint32_t version;
    apr_uint32_t size;
    apr_uint64_t started;       /* seconds since 1970 */
    apr_uint64_t totals[R307_TOTALS];
    apr_uint64_t causes[R307_CAUSES];
    apr_uint64_t minutes[R307_MINUTES]; /* upper half: minute since 1970 */
    apr_uint64_t gate;          /* upper half: second; lower: noted in it */
    apr_uint32_t tickets;
    r307_note_t notes[R307_RECENT];
    r307_trouble_t troubles[R307_TROUBLES]; /* by number of table; written by
                                 * the process that compiles */
    r307_loose_t loose[R307_LOOSE];
} r307_activity_t;

/* Make zeroed memory ready. */
void r307_activity_init(r307_activity_t *activity, apr_time_t now);

/* Was it made by this version of the module? */
int r307_activity_check(const r307_activity_t *activity);

/* The first in that minute. */
void r307_activity_begin_minute(r307_activity_t *activity,
                                apr_uint32_t minute);

/* Count into totals and, for redirects, minutes. When the minute ends in
 * between, the next one has it; nothing is lost. */
static inline void r307_activity_count(r307_activity_t *activity,
                                       r307_total_t total,
                                       apr_uint32_t seconds)
{
    apr_uint32_t minute = seconds / 60;
    apr_uint64_t *word = &activity->minutes[minute % R307_MINUTES];

    __atomic_fetch_add(&activity->totals[total], 1, __ATOMIC_RELAXED);
    if (total != R307_TOTAL_REDIRECT) {
        return;
    }
    if (__atomic_load_n(word, __ATOMIC_RELAXED) >> 32 == minute) {
        __atomic_fetch_add(word, 1, __ATOMIC_RELAXED);
    }
    else {
        r307_activity_begin_minute(activity, minute);
    }
}

/* Redirects in that minute since 1970. */
apr_uint32_t r307_activity_minute(const r307_activity_t *activity,
                                  apr_uint32_t minute);

int r307_activity_claim(r307_activity_t *activity, apr_uint32_t seconds);

/* Is it known that none will be noted in that second any more? */
static inline int r307_activity_is_shut(const r307_activity_t *activity,
                                        apr_uint32_t seconds)
{
    return __atomic_load_n(&activity->gate, __ATOMIC_RELAXED)
           >= ((apr_uint64_t)seconds << 32 | R307_RECENT_A_SECOND);
}

/* May a decision be noted now? */
static inline int r307_activity_gate(r307_activity_t *activity,
                                     apr_uint32_t seconds)
{
    return !r307_activity_is_shut(activity, seconds)
           && r307_activity_claim(activity, seconds);
}

/* Note a decision. */
void r307_activity_note(r307_activity_t *activity,
                        const r307_recent_t *recent);

/* Fill one of r307_recent_t's texts, cut to its room; with path it ends at a
 * '?'. */
void r307_activity_text(char *to, apr_size_t size, const char *s, int path);

/* The last decisions, newest first; at most R307_RECENT_SHOWN. Those that
 * are being written are left out. Returns how many. */
int r307_activity_recent(const r307_activity_t *activity,
                         r307_recent_t *out);

/* Remember what is wrong with a table; text NULL: nothing any more. */
void r307_activity_trouble(r307_activity_t *activity, int table,
                           const char *text, apr_time_t now);

/* Where a rule without a slot is counted, found by its id; label is kept when
 * it is new. NULL: there is no room for more such rules. */
r307_loose_t *r307_activity_loose(r307_activity_t *activity, apr_uint64_t id,
                                  const char *label);

/* The same if it is there already, else NULL. */
r307_loose_t *r307_activity_loose_known(r307_activity_t *activity,
                                        apr_uint64_t id);

#endif
