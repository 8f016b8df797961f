/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* Weighted splits: options, fixed points, even shares, independent rules. */
#include "tap.h"

#include "core/r307_split.h"

#define KEYS 100000
#define KEY_MAX 64

/* ---- options ---- */

static const struct {
    const char *text;
    int good, everybody;
    apr_uint32_t share;
} percents[] = {
    { "0", 1, 0, 0 },
    { "0.000", 1, 0, 0 },
    { "0.001", 1, 0, 42950 },
    { "0.5", 1, 0, 21474836 },
    { "1", 1, 0, 42949673 },
    { "10", 1, 0, 429496730 },
    { "010", 1, 0, 429496730 },
    { "12.5", 1, 0, 536870912 },
    { "25", 1, 0, 1073741824 },
    { "33.333", 1, 0, 1431641449 },
    { "50", 1, 0, 2147483648u },
    { "50.000", 1, 0, 2147483648u },
    { "99.999", 1, 0, 4294924346u },
    { "100", 1, 1, 4294967295u },
    { "100.000", 1, 1, 4294967295u },
    { "100.001", 0, 0, 0 },
    { "101", 0, 0, 0 },
    { "1000", 0, 0, 0 },
    { "0010", 0, 0, 0 },
    { "999999999999999999999", 0, 0, 0 },
    { "-1", 0, 0, 0 },
    { "+1", 0, 0, 0 },
    { "", 0, 0, 0 },
    { ".", 0, 0, 0 },
    { ".5", 0, 0, 0 },
    { "5.", 0, 0, 0 },
    { "0.0001", 0, 0, 0 },
    { "0,5", 0, 0, 0 },
    { "10%", 0, 0, 0 },
    { " 10", 0, 0, 0 },
    { "10 ", 0, 0, 0 },
    { "1e1", 0, 0, 0 },
    { "0x10", 0, 0, 0 },
    { "nan", 0, 0, 0 },
    { "ten", 0, 0, 0 }
};

static const struct {
    const char *text;
    int good;
    r307_sticky_t sticky;
    const char *name;
} stickies[] = {
    { "ip", 1, R307_STICKY_IP, NULL },
    { "cookie:session", 1, R307_STICKY_COOKIE, "session" },
    { "cookie:__Host-id", 1, R307_STICKY_COOKIE, "__Host-id" },
    { "header:X-User", 1, R307_STICKY_HEADER, "X-User" },
    { "header:a!#$%&'*+-.^_`|~9", 1, R307_STICKY_HEADER,
      "a!#$%&'*+-.^_`|~9" },
    { "", 0, 0, NULL },
    { "IP", 0, 0, NULL },
    { "ip:", 0, 0, NULL },
    { "ip:192.0.2.1", 0, 0, NULL },
    { "cookie", 0, 0, NULL },
    { "cookie:", 0, 0, NULL },
    { "cookie:a b", 0, 0, NULL },
    { "cookie:a=b", 0, 0, NULL },
    { "cookie:a;b", 0, 0, NULL },
    { "cookie: a", 0, 0, NULL },
    { "header:", 0, 0, NULL },
    { "header:X-User:", 0, 0, NULL },
    { "header:X User", 0, 0, NULL },
    { "header:X\r\nUser", 0, 0, NULL },
    { "header:\xc3\xa4", 0, 0, NULL },
    { "Cookie:a", 0, 0, NULL },
    { "query:a", 0, 0, NULL },
    { "env:a", 0, 0, NULL }
};

static void check_percents(void)
{
    unsigned i;

    for (i = 0; i < TABLE(percents); i++) {
        r307_split_t split = { 77, 7, R307_STICKY_IP, "n" };
        apr_status_t rv = r307_split_parse_percent(percents[i].text, &split);

        if (percents[i].good) {
            ok(rv == APR_SUCCESS && split.share == percents[i].share
               && split.everybody == percents[i].everybody, "percent=%s is "
               "%u", percents[i].text, split.share);
        }
        else {
            ok(rv == APR_EINVAL && split.share == 77 && split.everybody == 7,
               "percent=%s is refused", percents[i].text);
        }
        ok(split.sticky == R307_STICKY_IP && split.name, "sticky= stays");
    }
}

static void check_stickies(void)
{
    unsigned i;

    for (i = 0; i < TABLE(stickies); i++) {
        r307_split_t split = { 77, 0, R307_STICKY_NONE, "before" };
        apr_status_t rv = r307_split_parse_sticky(tap_pool, stickies[i].text,
                                                  &split);
        int good = stickies[i].good;

        ok(rv == (good ? APR_SUCCESS : APR_EINVAL)
           && split.sticky == (good ? stickies[i].sticky : R307_STICKY_NONE),
           "sticky, row %u", i);
        is(split.name, good ? stickies[i].name : "before", "its name");
        ok(split.share == 77, "percent= stays");
    }
}

/* ---- fixed points ---- */

/* Computed by another program from the words of docs/directives.md. Where one
 * of these changes, visitors change sides. */
static const struct {
    const char *salt, *key;
    apr_size_t len;
    apr_uint32_t point;
} vectors[] = {
    { "", "", 0, 0xb9034ad3 },
    { "canary", "", 0, 0xe81987f2 },
    { "canary", "192.0.2.1", 9, 0xe7e5614f },
    { "canary", "192.0.2.2", 9, 0x34904700 },
    { "canary", "192.0.2.21", 9, 0x34904700 },
    { "canary", "2001:db8::1", 11, 0x28462271 },
    { "beta", "192.0.2.1", 9, 0x13d2a8bc },
    { "canary", "4f1d3c9ab27e6058", 16, 0xce18a07e },
    { "c", "anary", 5, 0x29765c67 },
    { "canary", "\0", 1, 0x8b0ff9c8 },
    { "beta", "abc123", 6, 0x04395013 },
    { "beta", "v1", 2, 0x4dd43437 },
    { "/shop", "abc123", 6, 0xa7e90767 },
    { "canary", "\xff\x80", 2, 0x86dfe11d }
};

static void check_vectors(void)
{
    unsigned i;

    for (i = 0; i < TABLE(vectors); i++) {
        r307_split_t up_to = { vectors[i].point, 0, R307_STICKY_IP, NULL };
        r307_split_t with = { vectors[i].point + 1, 0, R307_STICKY_IP,
                              NULL };

        ok(!r307_split_holds(&up_to, vectors[i].key, vectors[i].len,
                             vectors[i].salt)
           && r307_split_holds(&with, vectors[i].key, vectors[i].len,
                               vectors[i].salt),
           "row %u lies at %08x", i, vectors[i].point);
    }
}

static void check_ends(void)
{
    r307_split_t none = { 0 }, all = { 0 };
    int i, held_none = 0, held_all = 0;

    r307_split_parse_percent("0", &none);
    r307_split_parse_percent("100", &all);
    for (i = 0; i < 1000; i++) {
        const char *key = apr_itoa(tap_pool, i);
        held_none += r307_split_holds(&none, key, strlen(key), "s");
        held_all += r307_split_holds(&all, key, strlen(key), "s");
    }
    ok(held_none == 0 && held_all == 1000, "0 is nobody, 100 is everybody");
    ok(!r307_split_holds_drawn(&none, 0), "the least number is not in 0");
    ok(r307_split_holds_drawn(&all, 0xffffffff), "the greatest is in 100");
}

static void check_drawn(void)
{
    r307_split_t split = { 0 };

    r307_split_parse_percent("25", &split);
    ok(r307_split_holds_drawn(&split, 0)
       && r307_split_holds_drawn(&split, 0x3fffffff), "a quarter begins at 0");
    ok(!r307_split_holds_drawn(&split, 0x40000000)
       && !r307_split_holds_drawn(&split, 0xffffffff), "and ends at 2^30");
}

/* ---- 100,000 visitors ---- */

static int ipv4_key(char *out, unsigned n)
{
    return apr_snprintf(out, KEY_MAX, "10.%u.%u.%u", n >> 16 & 255,
                        n >> 8 & 255, n & 255);
}

static int far_ipv4_key(char *out, unsigned n)
{
    apr_uint32_t a = n * 2654435761u;

    return apr_snprintf(out, KEY_MAX, "%u.%u.%u.%u", a >> 24, a >> 16 & 255,
                        a >> 8 & 255, a & 255);
}

static int ipv6_key(char *out, unsigned n)
{
    return apr_snprintf(out, KEY_MAX, "2001:db8:%x:%x::1", n >> 8, n & 255);
}

/* A session id, as random hex. */
static int cookie_key(char *out, unsigned n)
{
    apr_uint64_t a = (n + 1) * APR_UINT64_C(0x9e3779b97f4a7c15);

    a = (a ^ a >> 29) * APR_UINT64_C(0xbf58476d1ce4e5b9);
    return apr_snprintf(out, KEY_MAX, "%08x%08x",
                        (unsigned)(a >> 32), (unsigned)a);
}

static int number_key(char *out, unsigned n)
{
    return apr_snprintf(out, KEY_MAX, "%u", n);
}

/* Keys that differ in what stands first only. */
static int long_key(char *out, unsigned n)
{
    return apr_snprintf(out, KEY_MAX,
                        "%u-the-same-end-of-a-long-session-cookie", n);
}

static const struct {
    const char *name;
    int (*make)(char *out, unsigned n);
} kinds[] = {
    { "addresses in a row", ipv4_key },
    { "addresses from everywhere", far_ipv4_key },
    { "IPv6 addresses", ipv6_key },
    { "session cookies", cookie_key },
    { "numbers", number_key },
    { "long cookies", long_key }
};

static const char *const salts[] = {
    "canary", "canarz", "1", "2", "/etc/apache2/sites-enabled/shop.conf:12",
    "/etc/apache2/sites-enabled/shop.conf:13"
};

#define NSALTS TABLE(salts)

/* How many of the keys each salt takes, and each pair of salts. */
static void count_keys(const r307_split_t *split, unsigned kind,
                       int taken[NSALTS][NSALTS])
{
    unsigned n, a, b;

    for (n = 0; n < KEYS; n++) {
        char key[KEY_MAX];
        apr_size_t len = (apr_size_t)kinds[kind].make(key, n);
        int held[NSALTS];

        for (a = 0; a < NSALTS; a++) {
            held[a] = r307_split_holds(split, key, len, salts[a]);
            for (b = 0; b <= a; b++) {
                taken[a][b] += held[a] && held[b];
            }
        }
    }
}

/* 10 % within half a point: five standard deviations. Of two rules, 1 % within
 * 0.16 points, which is five as well. */
static void check_shares(unsigned kind)
{
    r307_split_t split = { 0 };
    int taken[NSALTS][NSALTS] = { { 0 } };
    unsigned a, b;

    r307_split_parse_percent("10", &split);
    count_keys(&split, kind, taken);
    for (a = 0; a < NSALTS; a++) {
        ok(taken[a][a] >= 9500 && taken[a][a] <= 10500,
           "%s, salt %s: %d of 100,000", kinds[kind].name, salts[a],
           taken[a][a]);
        for (b = 0; b < a; b++) {
            ok(taken[a][b] >= 840 && taken[a][b] <= 1160,
               "%s, salts %u and %u: %d in both", kinds[kind].name, b, a,
               taken[a][b]);
        }
    }
}

/* Who is in 10 % is in 20 %, too: a rule can be widened step by step. */
static void check_widening(unsigned kind)
{
    static const char *const steps[] = { "1", "10", "20", "50", "99.9" };
    int before[TABLE(steps)] = { 0 }, lost = 0;
    unsigned n, i;

    for (n = 0; n < 10000; n++) {
        char key[KEY_MAX];
        apr_size_t len = (apr_size_t)kinds[kind].make(key, n);
        int was = 0;

        for (i = 0; i < TABLE(steps); i++) {
            r307_split_t split = { 0 };
            int now;

            r307_split_parse_percent(steps[i], &split);
            now = r307_split_holds(&split, key, len, "canary");
            lost += was && !now;
            before[i] += now;
            was = now;
        }
    }
    ok(!lost, "%s: nobody leaves when a rule is widened", kinds[kind].name);
    ok(before[0] < before[1] && before[1] < before[2]
       && before[2] < before[3] && before[3] < before[4],
       "%s: and somebody comes", kinds[kind].name);
}

int main(void)
{
    unsigned i;

    tap_begin();
    check_percents();
    check_stickies();
    check_vectors();
    check_ends();
    check_drawn();
    for (i = 0; i < TABLE(kinds); i++) {
        check_shares(i);
        check_widening(i);
    }
    return tap_end();
}
