/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* What is remembered of a server's activity. */
#include "tap.h"

#include "core/r307_activity.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static r307_activity_t *fresh(void)
{
    r307_activity_t *a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    r307_activity_init(a, apr_time_from_sec(1000));
    return a;
}

static void test_minutes(void)
{
    r307_activity_t *a = fresh();
    apr_uint32_t minute = 1000;

    ok(r307_activity_check(a) && a->started == 1000, "made by this version");
    r307_activity_count(a, R307_TOTAL_REDIRECT, minute * 60);
    r307_activity_count(a, R307_TOTAL_REDIRECT, minute * 60 + 59);
    r307_activity_count(a, R307_TOTAL_REDIRECT, minute * 60 + 60);
    r307_activity_count(a, R307_TOTAL_STOP, minute * 60 + 60);
    ok(r307_activity_minute(a, minute) == 2
       && r307_activity_minute(a, minute + 1) == 1,
       "redirects count in their minute, others do not");
    ok(a->totals[R307_TOTAL_REDIRECT] == 3 && a->totals[R307_TOTAL_STOP] == 1,
       "and all in the totals");
    r307_activity_count(a, R307_TOTAL_REDIRECT,
                        (minute + R307_MINUTES) * 60);
    ok(r307_activity_minute(a, minute) == 0
       && r307_activity_minute(a, minute + R307_MINUTES) == 1,
       "a later minute takes the place");
    r307_activity_count(a, R307_TOTAL_REDIRECT, minute * 60);
    ok(r307_activity_minute(a, minute + R307_MINUTES) == 1,
       "and keeps it");
    a->version++;
    ok(!r307_activity_check(a), "another version is another thing");
}

static void test_gate(void)
{
    r307_activity_t *a = fresh();
    int i, n = 0;

    for (i = 0; i < 100; i++) {
        n += r307_activity_gate(a, 50);
    }
    ok(n == R307_RECENT_A_SECOND, "%d of 100 in a second are noted", n);
    ok(r307_activity_gate(a, 51), "the next second has room");
    ok(!r307_activity_gate(a, 50), "the one before has none");
}

static void note(r307_activity_t *a, unsigned i)
{
    r307_recent_t recent;

    memset(&recent, 0, sizeof recent);
    recent.time = (apr_time_t)i;
    r307_activity_text(recent.method, sizeof recent.method, "POST", 0);
    r307_activity_text(recent.url, sizeof recent.url,
                       apr_psprintf(tap_pool, "/p%u?secret=1", i), 1);
    r307_activity_note(a, &recent);
}

static void test_recent(void)
{
    r307_activity_t *a = fresh();
    r307_recent_t out[R307_RECENT_SHOWN];
    char text[8];
    unsigned i;

    ok(r307_activity_recent(a, out) == 0, "nothing at first");
    for (i = 1; i <= 3; i++) {
        note(a, i);
    }
    ok(r307_activity_recent(a, out) == 3, "three notes");
    is(out[0].url, "/p3", "newest first, without its query");
    for (; i <= 1000; i++) {
        note(a, i);
    }
    ok(r307_activity_recent(a, out) == R307_RECENT_SHOWN
       && out[0].time == 1000 && out[49].time == 951, "the last 50 of 1000");
    r307_activity_text(text, sizeof text, "0123456789", 0);
    is(text, "0123456", "what is too long is cut");
    r307_activity_text(text, sizeof text, NULL, 0);
    is(text, "", "and nothing is nothing");

    /* a process died while it wrote */
    i = a->tickets % R307_RECENT;
    a->notes[i].sequence |= 1;
    ok(r307_activity_recent(a, out) == 50 && out[0].time == 999,
       "half a note is left out");
    for (i = 0; i < R307_RECENT * 6; i++) {
        note(a, 2000 + i);
    }
    ok(r307_activity_recent(a, out) == 50
       && out[0].time == 2000 + R307_RECENT * 6 - 1
       && out[49].time == 2000 + R307_RECENT * 6 - 50,
       "and its place is used again");
    memset(a->notes[a->tickets % R307_RECENT].recent.url, 'x',
           sizeof out[0].url);
    a->notes[a->tickets % R307_RECENT].recent.outcome = 99;
    ok(r307_activity_recent(a, out) == 50
       && out[0].time == 2000 + R307_RECENT * 6 - 2,
       "what is damaged is left out");
}

/* Notes are whole while several processes write them. */
static void test_recent_meanwhile(void)
{
    r307_activity_t *a = fresh();
    r307_recent_t recent, out[R307_RECENT_SHOWN];
    unsigned torn = 0, read = 0, rounds, p, i;
    pid_t pids[3];

    for (p = 0; p < 3; p++) {
        fflush(stdout);         /* valgrind flushes for a child again */
        pids[p] = fork();
        if (pids[p] == 0) {
            for (i = 0; i < 100000; i++) {
                memset(&recent, 'a' + (int)(i + p) % 26, sizeof recent);
                recent.outcome = R307_TOTAL_STOP;
                r307_activity_note(a, &recent);
                if (i % 100 == 0) {
                    usleep(50);
                }
            }
            _exit(0);
        }
    }
    for (rounds = 0; rounds < 2001; rounds++) {
        int n, k;
        for (p = 0; rounds == 2000 && p < 3; p++) {
            waitpid(pids[p], NULL, 0);
        }
        n = r307_activity_recent(a, out);
        for (k = 0; k < n; k++) {
            read++;
            torn += out[k].method[0] != out[k].location[200]
                    || out[k].method[0] != out[k].rule[50];
        }
    }
    ok(read >= R307_RECENT_SHOWN && torn == 0,
       "%u notes read while 300,000 are written, %u torn", read, torn);
    ok(a->tickets == 300000, "every writer had a ticket");
}

static void test_loose(void)
{
    r307_activity_t *a = fresh();
    r307_loose_t *none = r307_activity_loose_known(a, 5);
    r307_loose_t *place = r307_activity_loose(a, 5, "f:1"), *other;
    apr_uint64_t id;
    unsigned had = 0;

    ok(!none && place && place == r307_activity_loose_known(a, 5),
       "known once it is there");
    ok(place && place == r307_activity_loose(a, 5, "f:1"), "found again");
    other = r307_activity_loose(a, 6, "f:2");
    ok(other && other != place, "another id has another place");
    is(a->loose[0].label, "f:1", "it is named");
    for (id = 100; id < 100 + 4 * R307_LOOSE; id++) {
        had += r307_activity_loose(a, id * APR_UINT64_C(0x9fb21c651e98df25),
                                   "x") != NULL;
    }
    ok(had > R307_LOOSE * 3 / 4 && had <= R307_LOOSE,
       "%u of %u find room, the others are told so", had, 4 * R307_LOOSE);
    ok(r307_activity_loose(a, 5, "f:1") == place, "the first are still there");
}

int main(void)
{
    tap_begin();
    test_minutes();
    test_gate();
    test_recent();
    test_recent_meanwhile();
    test_loose();
    return tap_end();
}
