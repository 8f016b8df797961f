/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Counters: slots, files, what is refused, who has a file open, and that
 * counts follow their rules wherever these go.
 */
#include "tap.h"

#include "core/r307_identity.h"

#include <apr_file_io.h>

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *dir;
static unsigned seed = 307;

static unsigned any(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % n;
}

static r307_counter_t *memory(apr_uint32_t slots)
{
    void *block = apr_pcalloc(tap_pool,
                              (apr_size_t)r307_counter_len(slots, 100));

    r307_counter_format(block, slots, 100, 7, 1, apr_time_now());
    return r307_counter_over(block, tap_pool);
}

static const char *path_of(const char *name)
{
    return apr_pstrcat(tap_pool, dir, "/", name, NULL);
}

static void number_ids(const void *ctx, apr_uint64_t *ids, apr_uint32_t slots)
{
    apr_uint32_t i;

    for (i = 0; i < slots; i++) {
        ids[i] = i + *(const unsigned *)ctx;
    }
}

/* ---- slots ---- */

static void test_slots(void)
{
    r307_counter_t *c = memory(5000);
    r307_count_t count = r307_counter_read(c, 4999);

    ok(sizeof(r307_tally_t) == 8 && sizeof(r307_rest_t) == 16,
       "a slot has 24 bytes, of which a hit touches 8");
    ok(count.hits == 0 && count.first == 0 && !r307_counter_is_begun(c, 4999),
       "a slot begins empty");
    r307_counter_hit(c, 4999, 0, 1000);
    r307_counter_hit(c, 4999, 0, 1005);
    r307_counter_again(c, 4999, 1003);
    r307_counter_hit(c, 4999, 1, 1004);
    count = r307_counter_read(c, 4999);
    ok(count.hits == 3 && count.dry == 1, "hits and dry hits are two things");
    ok(count.first == 1000 && count.last == 1005,
       "first and last, whatever the order in which requests end");
    ok(!r307_counter_hit(c, 5000, 0, 1)
       && !r307_counter_hit(c, R307_SLOT_NONE, 0, 1)
       && r307_counter_read(c, 5000).hits == 0,
       "there is no slot behind the last");
    memset(c->extra, 0xff, 100);
    ok(c->ids[4999] == 0 && r307_counter_read(c, 0).hits == 0
       && r307_counter_read(c, 4999).hits == 3,
       "what is extra touches neither ids nor counts");
    r307_counter_clear(c, 4999);
    ok(r307_counter_read(c, 4999).hits == 0
       && r307_counter_read(c, 4999).first == 0, "it can begin anew");
}

/* The number of hits is in two halves. */
static void test_many_hits(void)
{
    static const apr_uint64_t numbers[] = {
        0xfffffffeu, 0xffffffffu, 0x100000000u, 0x1ffffffffu
    };
    r307_counter_t *c = memory(10), *to = memory(10);
    apr_size_t i;

    for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        apr_uint64_t n = numbers[i];

        r307_counter_clear(c, 1);
        r307_counter_hit(c, 1, 0, 1000);
        c->tallies[1].hits = (apr_uint32_t)n;
        c->rests[1].high = (apr_uint32_t)(n >> 32);
        r307_counter_again(c, 1, 1001);
        r307_counter_hit(c, 1, 0, 1002);
        ok(r307_counter_read(c, 1).hits == n + 2
           && r307_counter_read(c, 1).first == 1000
           && r307_counter_read(c, 1).last == 1002,
           "two more than %lu", (unsigned long)n);
        r307_counter_clear(to, 1);
        to->tallies[1].hits = 0xffffffffu;
        r307_tally_move(&c->tallies[1], &c->rests[1], &to->tallies[1],
                        &to->rests[1]);
        ok(r307_counter_read(to, 1).hits == n + 2 + 0xffffffffu
           && r307_counter_read(c, 1).hits == 0, "they move to others");
    }
}

/* ---- files ---- */

static apr_status_t open_it(const char *name, apr_uint64_t owner,
                            apr_pool_t *pool, r307_counter_t **out,
                            r307_error_t *err)
{
    err->pool = tap_pool;
    err->text = NULL;
    return r307_counter_open(path_of(name), owner, pool, out, err);
}

static void test_file(void)
{
    unsigned first = 10;
    r307_error_t err = { tap_pool, NULL };
    r307_counter_t *a = NULL, *b = NULL;
    apr_pool_t *pool, *other;
    apr_finfo_t info;

    apr_pool_create(&pool, tap_pool);
    apr_pool_create(&other, tap_pool);
    ok(open_it("f", 1, pool, &a, &err) == APR_ENOENT && !err.text,
       "a missing file is no error to be told");
    ok(r307_counter_create(path_of("f"), 1000000, 1, number_ids, &first,
                           tap_pool, &err) == APR_SUCCESS,
       "a file of a million slots (%s)", err.text ? err.text : "");
    apr_stat(&info, path_of("f"), APR_FINFO_SIZE | APR_FINFO_CSIZE, tap_pool);
    ok(info.size > 32000000 && info.csize < 9000000,
       "has 32 MB, of which %ld KB are there", (long)info.csize / 1024);
    ok(open_it("f", 1, pool, &a, &err) == APR_SUCCESS
       && open_it("f", 1, other, &b, &err) == APR_SUCCESS, "two map it");
    ok(!r307_counter_is_ready(a, 999999)
       && r307_counter_read(a, 999999).hits == 0,
       "what was never counted is not read");
    r307_counter_hit(a, 999999, 0, 5);
    ok(b->ids[999999] == 1000009 && r307_counter_read(b, 999999).hits == 1,
       "what one counts, the other sees");
    apr_stat(&info, path_of("f"), APR_FINFO_CSIZE, tap_pool);
    ok(info.csize < 9100000, "one hit takes less than 100 KB");
    first = 99;
    ok(r307_counter_create(path_of("f"), 10, 1, number_ids, &first, tap_pool,
                           &err) == APR_SUCCESS, "made once more");
    apr_stat(&info, path_of("f"), APR_FINFO_SIZE, tap_pool);
    ok(info.size > 32000000, "the first stays");
    ok(r307_counter_is_used(path_of("f")), "it is in use");
    apr_pool_destroy(other);
    ok(r307_counter_is_used(path_of("f")), "by the second still");
    apr_pool_destroy(pool);
    ok(!r307_counter_is_used(path_of("f")), "and by nobody");
    ok(!r307_counter_is_used(path_of("none")), "nor is what is not there");
}

static void test_inherited(void)
{
    r307_error_t err;
    r307_counter_t *c = NULL;
    apr_pool_t *pool;
    pid_t pid;
    int status = 1, i, hold[2], seen;
    char byte;

    apr_pool_create(&pool, tap_pool);
    open_it("f", 1, pool, &c, &err);
    fflush(stdout);             /* valgrind flushes for a child again */
    if (pipe(hold) != 0 || (pid = fork()) < 0) {
        ok(0, "no second process");
        return;
    }
    if (pid == 0) {
        close(hold[1]);
        for (i = 0; i < 1000; i++) {
            r307_counter_hit(c, 3, 0, 9);
        }
        seen = read(hold[0], &byte, 1) == 0;
        _exit(!seen);
    }
    close(hold[0]);
    for (i = 0; i < 1000; i++) {
        r307_counter_hit(c, 3, 0, 9);
    }
    apr_pool_destroy(pool);
    ok(r307_counter_is_used(path_of("f")),
       "a child that inherited it has it still");
    close(hold[1]);
    ok(waitpid(pid, &status, 0) == pid && status == 0, "the child ends");
    ok(!r307_counter_is_used(path_of("f")), "and with it its use");
    apr_pool_create(&pool, tap_pool);
    open_it("f", 1, pool, &c, &err);
    ok(r307_counter_read(c, 3).hits == 2000, "both counts are in it");
    apr_pool_destroy(pool);
}

/* A byte of a fresh file becomes another one, or the file gets shorter. */
static void test_refused(void)
{
    static const struct {
        const char *what;
        long at;                /* -1: cut to len */
        long len;
        const char *says;
    } cases[] = {
        { "another magic", 0, 0, "R307-0651: .*not a file of counters" },
        { "another version", 8, 0, "another version" },
        { "another byte order", 12, 0, "another byte order" },
        { "another length", 16, 0, "header is damaged" },
        { "another owner", 24, 0, "header is damaged" },
        { "another number of slots", 48, 0, "header is damaged" },
        { "no header", -1, 20, "too short" },
        { "half of it", -1, 8192, "truncated" }
    };
    unsigned first = 1;
    r307_error_t err = { tap_pool, NULL };
    r307_counter_t *c;
    apr_size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *name = apr_psprintf(tap_pool, "bad%lu",
                                        (unsigned long)i);
        FILE *f;

        r307_counter_create(path_of(name), 100, 1, number_ids, &first,
                            tap_pool, &err);
        if (cases[i].at < 0) {
            ok(truncate(path_of(name), cases[i].len) == 0, "cut");
        }
        else if ((f = fopen(path_of(name), "r+")) != NULL) {
            fseek(f, cases[i].at, SEEK_SET);
            fputc(0x7e, f);
            fclose(f);
        }
        ok(open_it(name, 1, tap_pool, &c, &err) != APR_SUCCESS && err.text
           && strstr(err.text, strrchr(cases[i].says, '*')
                     ? strrchr(cases[i].says, '*') + 1 : cases[i].says),
           "%s: %s", cases[i].what, err.text ? err.text : "(no sentence)");
    }
    r307_counter_create(path_of("owned"), 100, 1, number_ids, &first,
                        tap_pool, &err);
    ok(open_it("owned", 2, tap_pool, &c, &err) != APR_SUCCESS
       && strstr(err.text, "something else"), "somebody else's counts");
    ok(r307_counter_create(path_of("no/dir"), 5, 1, number_ids, &first,
                           tap_pool, &err) != APR_SUCCESS
       && strstr(err.text, "R307-0650"), "nowhere to be made: %s", err.text);
}

/* ---- counts follow their rules ---- */

#define SLOTS 9000              /* three chunks */

/* The slot of the nth with that id, or SLOTS. */
static apr_uint32_t nth_of(const r307_counter_t *c, apr_uint64_t id,
                           unsigned nth)
{
    apr_uint32_t slot;

    for (slot = 0; slot < c->slots; slot++) {
        if (c->ids[slot] == id && nth-- == 0) {
            return slot;
        }
    }
    return SLOTS;
}

static unsigned rank_of(const r307_counter_t *c, apr_uint32_t slot)
{
    apr_uint32_t i;
    unsigned n = 0;

    for (i = 0; i < slot; i++) {
        n += c->ids[i] == c->ids[slot];
    }
    return n;
}

static apr_uint64_t sum(const r307_counter_t *c)
{
    apr_uint64_t n = 0;
    apr_uint32_t i;

    for (i = 0; i < c->slots; i++) {
        n += r307_counter_read(c, i).hits + r307_counter_read(c, i).dry;
    }
    return n;
}

/* Sources with repeated lines, gaps, and lines that come and go. */
static void fill_some(r307_counter_t *c, unsigned different)
{
    apr_uint32_t i;

    for (i = 0; i < c->slots; i++) {
        c->ids[i] = any(8) ? 1 + any(different) : 0;
    }
}

static int carried_right(unsigned round)
{
    r307_counter_t *from = memory(SLOTS), *to = memory(SLOTS), *before;
    unsigned different = round % 3 == 0 ? 50 : round % 3 == 1 ? 3000 : 200000;
    apr_uint64_t total, gone = 0;
    apr_uint32_t i, slot;
    int right = 1;

    fill_some(from, different);
    fill_some(to, different);
    for (i = 0; i < 400; i++) {
        r307_counter_hit(from, any(SLOTS), (int)any(2), 1 + any(90));
    }
    for (i = 0; i < SLOTS; i++) {
        if (!from->ids[i]) {    /* a line without a rule is never counted */
            r307_counter_clear(from, i);
        }
    }
    r307_counter_hit(to, 5, 0, 44);
    before = memory(SLOTS);
    r307_counter_copy(before, from);
    total = sum(from) + 1;
    r307_counter_carry(from, to, tap_pool);
    for (i = 0; i < SLOTS && right; i++) {
        const r307_count_t had = r307_counter_read(before, i);
        if (!had.hits && !had.dry) {
            continue;
        }
        slot = nth_of(to, before->ids[i], rank_of(before, i));
        if (slot == SLOTS) {
            gone += had.hits + had.dry;
            right = r307_counter_read(from, i).hits == had.hits;
        }
        else {
            const r307_count_t has = r307_counter_read(to, slot);
            right = has.hits - (slot == 5) == had.hits
                    && has.dry == had.dry
                    && r307_counter_read(from, i).hits == 0
                    && (slot == 5 || (has.first == had.first
                                      && has.last == had.last));
        }
    }
    return right && sum(to) + gone == total && sum(from) == gone;
}

static void test_carry(void)
{
    unsigned round, right = 0;
    r307_counter_t *from = memory(10), *to = memory(10);
    r307_count_t count;

    for (round = 0; round < 60; round++) {
        right += (unsigned)carried_right(round);
    }
    ok(right == 60, "counts follow their rules in %u of 60 sources", right);
    from->ids[1] = to->ids[9] = 77;
    ok(r307_counter_carry(from, to, tap_pool) == 0, "without counts, none");
    r307_counter_hit(from, 1, 0, 50);
    r307_counter_hit(to, 9, 0, 60);
    ok(r307_counter_carry(from, to, tap_pool) == 1, "one slot is moved");
    count = r307_counter_read(to, 9);
    ok(count.hits == 2 && count.first == 50 && count.last == 60,
       "counts and times of both are joined");
    ok(r307_counter_carry(from, to, tap_pool) == 0
       && r307_counter_read(to, 9).hits == 2,
       "once more: nothing comes twice");
    r307_counter_hit(from, 1, 0, 70);
    ok(r307_counter_carry(from, to, tap_pool) == 1
       && r307_counter_read(to, 9).hits == 3, "a late one follows");
}

/* One process counts while another moves. */
static void test_carry_meanwhile(void)
{
    unsigned first = 1, i;
    r307_error_t err = { tap_pool, NULL };
    r307_counter_t *from = NULL, *to = NULL;
    int status;
    pid_t pid;

    r307_counter_create(path_of("from"), 50, 1, number_ids, &first, tap_pool,
                        &err);
    r307_counter_create(path_of("to"), 50, 1, number_ids, &first, tap_pool,
                        &err);
    open_it("from", 1, tap_pool, &from, &err);
    open_it("to", 1, tap_pool, &to, &err);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        for (i = 0; i < 300000; i++) {
            r307_counter_hit(from, i % 50, 0, i + 1);
        }
        _exit(0);
    }
    while (waitpid(pid, &status, WNOHANG) == 0) {
        r307_counter_carry(from, to, tap_pool);
    }
    r307_counter_carry(from, to, tap_pool);
    ok(sum(to) == 300000 && sum(from) == 0,
       "300,000 counted while they move: %lu arrive",
       (unsigned long)sum(to));
}

/* ---- identities ---- */

static r307_rule_t *rule(r307_rule_kind_t kind, const char *path,
                         const char *option)
{
    const char *options[1] = { option };
    r307_rule_spec_t spec = { kind, path, "https://x.example/",
                              option != NULL, options, "f", 1, 0 };
    r307_rule_env_t env = { tap_pool, 0, NULL, NULL };
    r307_error_t err = { tap_pool, NULL };
    r307_rule_t *out = NULL;

    r307_rule_create(&env, &spec, &out, &err);
    return out;
}

static void test_identity(void)
{
    apr_uint64_t a = r307_identity_rule(rule(R307_RULE_PREFIX, "/a", NULL));

    ok(a == r307_identity_rule(rule(R307_RULE_PREFIX, "/a", "cache=9")),
       "options do not make another rule");
    ok(a != r307_identity_rule(rule(R307_RULE_PREFIX, "/b", NULL)),
       "a path does");
    ok(a != r307_identity_rule(rule(R307_RULE_REGEX, "/a", NULL)),
       "a pattern does");
    ok(a != r307_identity_rule(rule(R307_RULE_PREFIX, "/a", "exact")),
       "exact does");
    ok(a != r307_identity_rule(rule(R307_RULE_PREFIX, "/a", "host=h")),
       "a host does");
    ok(a != r307_identity_rule(rule(R307_RULE_PREFIX, "/a", "name=n")),
       "a name does");
    ok(r307_identity_part(a, "DE", 2) != r307_identity_part(a, "AT", 2)
       && r307_identity_part(a, "DE", 2) != a, "choices are told apart");
}

/* ---- tables ---- */

static r307_table_t *table(const char *text)
{
    r307_table_spec_t spec;
    r307_table_report_t report;
    r307_error_t err = { tap_pool, NULL };
    r307_table_t *out = NULL;
    apr_file_t *f;

    memset(&spec, 0, sizeof spec);
    spec.path = path_of("source");
    apr_file_open(&f, spec.path, APR_FOPEN_WRITE | APR_FOPEN_CREATE
                  | APR_FOPEN_TRUNCATE, APR_FPROT_OS_DEFAULT, tap_pool);
    apr_file_puts(text, f);
    apr_file_close(f);
    if (r307_table_compile_memory(&spec, tap_pool, &out, &report, &err)
        != APR_SUCCESS) {
        printf("# %s\n", err.text);
    }
    return out;
}

static r307_counter_t *count_table(r307_table_t *t)
{
    apr_uint32_t slots = r307_identity_slots(t);
    r307_counter_t *c = memory(slots);

    r307_identity_fill(t, c->ids, slots);
    r307_table_count_in(t, c, tap_pool);
    return c;
}

static const char *big_table(unsigned lines)
{
    char *text = apr_palloc(tap_pool, lines * 80 + 1), *to = text;
    unsigned i;

    for (i = 0; i < lines; i++) {
        to += apr_snprintf(to, 80, "/section/of/some/length/%06u "
                           "https://target.example/of/some/length/%u\n", i,
                           i);
    }
    return text;
}

static void test_table(void)
{
    r307_table_t *t = table("# a comment\n"
                            "/a https://x.example/\n"
                            "h.example/b https://x.example/ name=n\n"
                            "~^/r$ https://x.example/r\n"
                            "/g geo DE=https://de.example/ "
                            "default=https://x.example/\n"
                            "/a https://y.example/ methods=POST\n");
    r307_counter_t *c = count_table(t);
    const r307_record_t *rec;
    const r307_place_t first = R307_PLACE_FIRST;
    r307_place_t at = first;
    unsigned n = 0;

    ok(c->slots == 9, "six lines, the line that is none, two choices");
    ok(c->ids[0] == 0 && c->ids[1] == 0, "a comment has no id");
    ok(c->ids[2] && c->ids[2] == c->ids[6] && c->ids[3] != c->ids[2],
       "two rules for one path have one");
    ok(c->ids[7] && c->ids[8] && c->ids[7] != c->ids[8], "choices have one");
    while ((rec = r307_table_next(t, &at)) != NULL) {
        const r307_rule_t *r = r307_table_rule(t, rec, tap_pool);
        n++;
        ok(r->counter == c && r->slot == rec->order,
           "the rule of line %u counts in its slot", (unsigned)rec->order);
        if (r->choices) {
            ok(r->choice_slots[0] == 7 && r->choice_slots[1] == 8,
               "its choices behind the last line");
        }
    }
    ok(n == 5, "five rules");
    r307_table_count_in(t, NULL, tap_pool);
    at = first;
    rec = r307_table_next(t, &at);
    ok(r307_table_rule(t, rec, tap_pool)->slot == R307_SLOT_NONE,
       "without counters there is no slot");

    /* more than one block of records */
    t = table(big_table(60000));
    at = first;
    for (n = 0; (rec = r307_table_next(t, &at)) != NULL; n++) {
        if (rec->order != n + 1) {
            break;
        }
    }
    ok(n == 60000, "60,000 records, one after the other: %u", n);
}

int main(void)
{
    const char *base = getenv("TMPDIR");
    char *made;

    tap_begin();
    made = apr_pstrcat(tap_pool, base ? base : "/tmp", "/r307counterXXXXXX",
                       NULL);
    dir = mkdtemp(made);
    test_slots();
    test_many_hits();
    test_file();
    test_inherited();
    test_refused();
    test_carry();
    test_carry_meanwhile();
    test_identity();
    test_table();
    if (system(apr_pstrcat(tap_pool, "rm -rf '", dir, "'", NULL)) != 0) {
        return 1;
    }
    return tap_end();
}
