/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * MaxMind databases: what they answer, what is refused, what damage does, and
 * that a replaced file is noticed. The databases are written by
 * t/lib/R307/Mmdb.pm from t/data/mmdb-networks.tsv. Where ../shared/data/mmdb
 * exists, those of MaxMind are compared with their sources as well.
 */
#include "tap.h"

#include "core/r307_mmdb.h"
#include "core/r307_mmfacts.h"

#include <apr_file_io.h>

#include <stdlib.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define ALL_FIELDS ((1u << R307_FIELDS) - 1)

/* libmaxminddb before 1.12 forgets memory when it refuses damaged metadata.
 * Asked by the sanitizer's runtime; tools/valgrind.supp says the same. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libmaxminddb\n";
}

static const char *top, *dir;

static const char *in_dir(const char *name)
{
    return apr_pstrcat(tap_pool, dir, "/", name, NULL);
}

static apr_status_t open_db(apr_pool_t *pool, const char *path,
                            r307_mmdb_t **db, r307_error_t *err)
{
    err->pool = pool;
    err->text = NULL;
    return r307_mmdb_open(pool, path, db, err);
}

static void open_fails(const char *path, const char *id, const char *value,
                       const char *name)
{
    r307_error_t err;
    r307_mmdb_t *db;

    ok(open_db(tap_pool, path, &db, &err) == APR_EINVAL && !db,
       "%s: not opened", name);
    is_error(err.text, id, value, name);
}

#ifndef HAVE_MAXMINDDB

int main(void)
{
    tap_begin();
    (void)top, (void)in_dir;
    open_fails("x.mmdb", "R307-0730", "x.mmdb", "built without the library");
    printf("ok %d # SKIP built without libmaxminddb\n", ++tap_run);
    return tap_end();
}

#else

/* The function of R307::Mmdb; arguments are Perl, output goes to a file. */
static int perl(const char *call, const char *out)
{
    return system(apr_psprintf(tap_pool, "perl -I'%s/t/lib' -MR307::Mmdb="
                               "make_mmdb,expect_json -e '%s' >'%s'", top,
                               call, out)) == 0;
}

static int make(const char *tsv, const char *name, const char *options)
{
    return perl(apr_psprintf(tap_pool, "make_mmdb(\"%s\", \"%s\", {%s})", tsv,
                             in_dir(name), options), "/dev/null");
}

static char *read_file(const char *path, apr_size_t *len)
{
    apr_file_t *f;
    apr_finfo_t info;
    char *text;

    if (apr_file_open(&f, path, APR_FOPEN_READ, 0, tap_pool) != APR_SUCCESS) {
        return NULL;
    }
    apr_file_info_get(&info, APR_FINFO_SIZE, f);
    text = apr_pcalloc(tap_pool, (apr_size_t)info.size + 1);
    apr_file_read_full(f, text, (apr_size_t)info.size, len);
    apr_file_close(f);
    return text;
}

static void write_file(const char *path, const char *bytes, apr_size_t len)
{
    apr_file_t *f;

    apr_file_open(&f, path, APR_FOPEN_WRITE | APR_FOPEN_CREATE
                  | APR_FOPEN_TRUNCATE, APR_FPROT_OS_DEFAULT, tap_pool);
    apr_file_write_full(f, bytes, len, NULL);
    apr_file_close(f);
}

/* ---- what databases answer ---------------------------------------------- */

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage out;
    struct sockaddr_in *v4 = (void *)&out;
    struct sockaddr_in6 *v6 = (void *)&out;

    memset(&out, 0, sizeof out);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
    }
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
    }
    return out;
}

static const char *facts_text(const r307_facts_t *facts, apr_pool_t *pool)
{
    const char *text = "";

    if (facts->country) {
        text = apr_pstrcat(pool, " country=", facts->country->code, NULL);
    }
    if (*facts->region) {
        text = apr_pstrcat(pool, text, " region=", facts->region, NULL);
    }
    if (facts->continent) {
        text = apr_pstrcat(pool, text, " continent=",
                           r307_continent_code(facts->continent), NULL);
    }
    if (facts->known_position & 1) {
        text = apr_psprintf(pool, "%s lat=%.4f", text, facts->latitude);
    }
    if (facts->known_position & 2) {
        text = apr_psprintf(pool, "%s lon=%.4f", text, facts->longitude);
    }
    if (facts->city) {
        text = apr_pstrcat(pool, text, " city=", facts->city, NULL);
    }
    return *text ? text + 1 : "nothing";
}

static const char *answer(const r307_mmdb_t *db, const char *addr,
                          unsigned fields, apr_pool_t *pool)
{
    struct sockaddr_storage ss = address(addr);
    r307_facts_t facts;
    int found;

    memset(&facts, 0, sizeof facts);
    found = r307_mmdb_facts(db, (struct sockaddr *)&ss, fields, &facts, pool);
    return found ? facts_text(&facts, pool)
        : strcmp(facts_text(&facts, pool), "nothing") == 0 ? "none"
        : "facts without a record";
}

static r307_mmdb_t *opened(const char *path)
{
    r307_error_t err;
    r307_mmdb_t *db;

    if (!ok(open_db(tap_pool, path, &db, &err) == APR_SUCCESS, "%s opens",
            path)) {
        printf("# %s\n", err.text);
    }
    return db;
}

/* Rows of mmdb-cases.tsv that are for one version of IP. */
static int check_cases(const char *name, char ip)
{
    apr_size_t len;
    char *text = read_file(apr_pstrcat(tap_pool, top, "/t/data/mmdb-cases.tsv",
                                       NULL), &len);
    char *row, *state, *cell, *dbs, *addr;
    const r307_mmdb_t *db = opened(in_dir(name));
    int n = 0;

    if (!db) {
        return 0;
    }
    for (row = apr_strtok(text, "\n", &state); row;
         row = apr_strtok(NULL, "\n", &state)) {
        if (*row == '#' || !(dbs = apr_strtok(row, "\t", &cell))
            || !strchr(dbs, ip)) {
            continue;
        }
        addr = apr_strtok(NULL, "\t", &cell);
        is(answer(db, addr, ALL_FIELDS, tap_pool), cell, "%s: %s", name,
           addr);
        n++;
    }
    return n;
}

static void test_cases(void)
{
    static const char *const dbs[] = { "4-24", "4-28", "4-32", "6-24", "6-28",
                                       "6-32" };
    const char *tsv = apr_pstrcat(tap_pool, top, "/t/data/mmdb-networks.tsv",
                                  NULL);
    size_t i;

    for (i = 0; i < TABLE(dbs); i++) {
        const char *name = apr_pstrcat(tap_pool, dbs[i], ".mmdb", NULL);

        ok(make(tsv, name, apr_psprintf(tap_pool, "ip => %c, bits => %s",
                                        *dbs[i], dbs[i] + 2)),
           "%s is written", name);
        ok(check_cases(name, *dbs[i]) > 50, "%s: enough cases", name);
    }
}

static void test_fields(void)
{
    static const struct {
        unsigned fields;
        const char *want;
    } rows[] = {
        { 0, "nothing" },
        { R307_FIELD_BIT(R307_FIELD_COUNTRY), "country=DE" },
        { R307_FIELD_BIT(R307_FIELD_REGION), "region=DE-BE" },
        { R307_FIELD_BIT(R307_FIELD_CONTINENT), "continent=EU" },
        { R307_FIELD_BIT(R307_FIELD_CITY), "city=Berlin" },
        { R307_FIELD_BIT(R307_FIELD_LATITUDE), "lat=52.5196" },
        { R307_FIELD_BIT(R307_FIELD_LONGITUDE), "lon=13.4069" },
        { R307_FIELD_BIT(R307_FIELD_LATLONG), "lat=52.5196 lon=13.4069" },
        { R307_FIELD_BIT(R307_FIELD_LANGUAGE), "nothing" },
    };
    const r307_mmdb_t *db = opened(in_dir("6-24.mmdb"));
    size_t i;

    for (i = 0; db && i < TABLE(rows); i++) {
        is(answer(db, "192.0.2.1", rows[i].fields, tap_pool), rows[i].want,
           "asked for %#x: only that", rows[i].fields);
    }
    if (db) {
        is(answer(db, "198.51.100.84", R307_FIELD_BIT(R307_FIELD_LATLONG),
                  tap_pool), "nothing", "half a position is no position");
    }
}

static void test_untouched(void)
{
    const r307_mmdb_t *db = opened(in_dir("6-24.mmdb"));
    struct sockaddr_storage none = address("10.0.0.1");
    struct sockaddr_storage empty = address("192.0.2.240");
    /* as IPv4, its bytes would be 192.0.2.1 */
    struct sockaddr_un local = { AF_UNIX, { 'r', '3', '\xc0', 0, 2, 1 } };
    r307_facts_t facts, before;

    memset(&facts, 0, sizeof facts);
    facts.country = r307_country_find("FR");
    facts.city = "Lyon";
    memcpy(facts.region, "FR-69", 6);
    before = facts;
    ok(!r307_mmdb_facts(db, (void *)&none, ALL_FIELDS, &facts, tap_pool)
       && memcmp(&facts, &before, sizeof facts) == 0,
       "an unknown address leaves facts alone");
    ok(r307_mmdb_facts(db, (void *)&empty, ALL_FIELDS, &facts, tap_pool)
       && memcmp(&facts, &before, sizeof facts) == 0,
       "an empty record leaves facts alone");
    ok(!r307_mmdb_facts(db, (void *)&local, ALL_FIELDS, &facts, tap_pool),
       "a Unix socket has no place");
}

/* Behind the text, the file goes on with what would complete the character. */
static void test_cut_name(void)
{
    r307_mmrecord_value_t values[R307_MMRECORD_SLOTS];
    r307_mmrecord_value_t *city = &values[R307_MMRECORD_CITY];
    r307_facts_t facts;
    char *text = malloc(3);     /* without NUL, as in a file */

    memcpy(text, "\xe4\xba\xac", 3);
    memset(values, 0, sizeof values);
    memset(&facts, 0, sizeof facts);
    city->type = R307_MMRECORD_TEXT;
    city->text = text;
    city->len = 2;
    r307_mmfacts_set(values, ALL_FIELDS, &facts, tap_pool);
    is(facts.city, NULL, "a name that ends within a character");
    city->len = 3;
    r307_mmfacts_set(values, ALL_FIELDS, &facts, tap_pool);
    is(facts.city, "\xe4\xba\xac", "the same name, whole");
    free(text);
}

/* ---- what is refused ---------------------------------------------------- */

static void test_refused(void)
{
    const char *asn = in_dir("asn.tsv"), *v3 = in_dir("v3.mmdb");
    static const char asn_tsv[] =
        "192.0.2.0/24\t{\"autonomous_system_number\":64496}\n";
    static const char marker[] = "\xab\xcd\xefMaxMind.com";
    char page[4096];

    open_fails(in_dir("missing.mmdb"), "R307-0731", "missing.mmdb",
               "missing file");
    open_fails(in_dir("4-24.mmdb/x"), "R307-0731", "4-24.mmdb/x",
               "below a file");
    open_fails(dir, "R307-0732", dir, "directory");
    ok(mkfifo(in_dir("fifo.mmdb"), 0600) == 0, "a FIFO");
    alarm(60);
    open_fails(in_dir("fifo.mmdb"), "R307-0732", "fifo.mmdb", "FIFO");
    alarm(0);
    write_file(in_dir("empty.mmdb"), "", 0);
    open_fails(in_dir("empty.mmdb"), "R307-0733", "empty.mmdb", "empty file");
    write_file(in_dir("short.mmdb"), "MaxMind", 7);
    open_fails(in_dir("short.mmdb"), "R307-0733", "short.mmdb", "short file");
    memset(page, 'x', sizeof page);
    write_file(in_dir("text.mmdb"), page, sizeof page);
    open_fails(in_dir("text.mmdb"), "R307-0733", "text.mmdb", "other file");
    memcpy(page + sizeof page - strlen(marker), marker, strlen(marker));
    write_file(in_dir("bare.mmdb"), page, sizeof page);
    open_fails(in_dir("bare.mmdb"), "R307-0733", "metadata is missing",
               "a page that ends with the marker");
    write_file(asn, asn_tsv, sizeof asn_tsv - 1);
    ok(make(asn, "asn.mmdb", "ip => 4, type => \"Test-ASN\"")
       && make(asn, "v3.mmdb", "ip => 4, version => 3"), "written");
    open_fails(in_dir("asn.mmdb"), "R307-0734", "Test-ASN", "no places");
    open_fails(v3, "R307-0733", "v3.mmdb", "another version of the format");
}

/* A count of nodes of which the product with 6 is 2^32 - 10: the search tree
 * seems to end before it begins. */
static void test_wrapped(void)
{
    apr_size_t len, i;
    char *bytes = read_file(in_dir("4-24.mmdb"), &len), *out;
    static const char key[] = "node_count";
    static const char count[] = "\xc4\x2a\xaa\xaa\xa9";
    apr_size_t klen = sizeof key - 1, n;

    for (i = 0; i + klen < len && memcmp(bytes + i, key, klen) != 0; i++) {
        continue;
    }
    ok(i + klen < len, "the file has a count of nodes");
    i += klen;
    n = (unsigned char)bytes[i] & 31;
    out = apr_palloc(tap_pool, len + 8);
    memcpy(out, bytes, i);
    memcpy(out + i, count, 5);
    memcpy(out + i + 5, bytes + i + 1 + n, len - i - 1 - n);
    write_file(in_dir("wrapped.mmdb"), out, len + 4 - n);
    open_fails(in_dir("wrapped.mmdb"), "R307-0733", "wrapped.mmdb",
               "a tree of 4 GB in a small file");
}

/* ---- damage ------------------------------------------------------------- */

typedef struct damage_t {
    int files, refused, bad;
} damage_t;

static int well_formed(const r307_facts_t *f)
{
    return (!f->country || r307_country_find(f->country->code) == f->country)
        && memchr(f->region, '\0', sizeof f->region)
        && (!*f->region || (f->region[2] == '-' && strlen(f->region) > 3))
        && f->continent <= R307_CONTINENT_SA
        && (!f->city || *f->city)
        && (!(f->known_position & 1)
            || (f->latitude >= -90 && f->latitude <= 90))
        && (!(f->known_position & 2)
            || (f->longitude >= -180 && f->longitude <= 180));
}

/* Addresses all over: 192.0.2.x and 198.51.100.x by steps, some of IPv6. */
static int ask_everything(const r307_mmdb_t *db, apr_pool_t *pool)
{
    static const char *const v6[] = { "2001:db8::1", "2001:db8:0:1::",
                                      "::1", "ffff::" };
    int i, bad = 0;
    r307_facts_t facts;
    struct sockaddr_storage ss;

    for (i = 0; i < 132; i++) {
        ss = address(i < 4 ? v6[i] : apr_psprintf(
                         pool, i & 1 ? "192.0.2.%d" : "198.51.100.%d",
                         (i - 4) * 2 % 256));
        memset(&facts, 0, sizeof facts);
        r307_mmdb_facts(db, (void *)&ss, ALL_FIELDS, &facts, pool);
        bad += !well_formed(&facts);
    }
    return bad;
}

static void try_damaged(const char *bytes, apr_size_t len, damage_t *d)
{
    const char *path = in_dir("damaged.mmdb");
    r307_error_t err;
    r307_mmdb_t *db;
    apr_pool_t *pool;

    apr_pool_create(&pool, tap_pool);
    write_file(path, bytes, len);
    d->files++;
    if (open_db(pool, path, &db, &err) == APR_SUCCESS) {
        d->bad += ask_everything(db, pool);
    }
    else {
        d->refused++;
        d->bad += db != NULL || !err.text
            || strncmp(err.text, "R307-073", 8) != 0;
    }
    apr_pool_destroy(pool);
}

static void test_truncated(const char *bytes, apr_size_t len)
{
    damage_t d = { 0, 0, 0 };
    apr_size_t i;

    for (i = 0; i < len; i += 64) {
        try_damaged(bytes, i, &d);
    }
    ok(d.files > 40 && d.refused == d.files && d.bad == 0,
       "truncated at %d places: always refused (%d)", d.files, d.refused);
}

static apr_size_t metadata_at(const char *bytes, apr_size_t len)
{
    apr_size_t i = len - 11;

    while (i > 0 && memcmp(bytes + i, "MaxMind.com", 11) != 0) {
        i--;
    }
    return i;
}

/* Behind the first 16 bytes that are zero. No node has so many. */
static apr_size_t section_at(const char *bytes, apr_size_t len)
{
    static const char zeros[16];
    apr_size_t i = 0;

    while (i < len - 16 && memcmp(bytes + i, zeros, 16) != 0) {
        i++;
    }
    return i + 16;
}

static void test_flipped_metadata(char *bytes, apr_size_t len)
{
    static const unsigned char masks[] = { 0xff, 0x01, 0x10, 0x80 };
    damage_t d = { 0, 0, 0 };
    apr_size_t i, m;

    for (i = metadata_at(bytes, len) - 3; i < len; i++) {
        for (m = 0; m < sizeof masks; m++) {
            bytes[i] = (char)(bytes[i] ^ masks[m]);
            try_damaged(bytes, len, &d);
            bytes[i] = (char)(bytes[i] ^ masks[m]);
        }
    }
    ok(d.files > 800 && d.refused > d.files / 3 && d.bad == 0,
       "metadata flipped, %d files: %d refused, no nonsense from others",
       d.files, d.refused);
}

static apr_uint32_t dice = 307;

static apr_uint32_t roll(apr_uint32_t sides)
{
    dice = dice * 1664525u + 1013904223u;
    return (apr_uint32_t)(((apr_uint64_t)dice * sides) >> 32);
}

static void test_flipped_body(char *bytes, apr_size_t len)
{
    apr_uint32_t body = (apr_uint32_t)metadata_at(bytes, len) - 3;
    damage_t d = { 0, 0, 0 };
    int n;

    for (n = 0; n < 500; n++) {
        apr_uint32_t at = roll(body);
        char was = bytes[at];

        bytes[at] = (char)(was ^ (1 + roll(255)));
        try_damaged(bytes, len, &d);
        bytes[at] = was;
    }
    ok(d.files == 500 && d.refused < 500 && d.bad == 0,
       "body flipped, %d files: %d refused, no nonsense from others", d.files,
       d.refused);
}

/* Is a text outside of the section? */
static int read_outside(const unsigned char *section, apr_size_t len,
                        apr_size_t at, unsigned slots, long *sound)
{
    r307_mmrecord_value_t values[R307_MMRECORD_SLOTS];
    int i, outside = 0;

    if (!r307_mmrecord_read(section, len, at, slots, values)) {
        return 0;
    }
    ++*sound;
    for (i = 0; i < R307_MMRECORD_SLOTS; i++) {
        const unsigned char *p = (const void *)values[i].text;

        outside += values[i].type == R307_MMRECORD_TEXT
            && (p < section || values[i].len > len
                || p + values[i].len > section + len);
    }
    return outside;
}

/* Cut at every byte, the memory ends there, so that a reader behind it is
 * caught. Records are looked for in front of the cut, and sometimes all over.
 */
static void test_every_offset(const char *bytes, apr_size_t len)
{
    static const unsigned slots[] = {
        ~0u, R307_MMRECORD_BIT(R307_MMRECORD_COUNTRY),
        R307_MMRECORD_BIT(R307_MMRECORD_CITY),
        R307_MMRECORD_BIT(R307_MMRECORD_LONGITUDE)
    };
    apr_size_t cut, at;
    long sound = 0, outside = 0, s;

    for (cut = len; cut > 100; cut--) {
        unsigned char *section = malloc(cut);

        memcpy(section, bytes, cut);
        for (at = cut % 512 && cut > 250 ? cut - 250 : 0; at <= cut; at++) {
            for (s = 0; s < 4; s++) {
                outside += read_outside(section, cut, at, slots[s], &sound);
            }
        }
        free(section);
    }
    ok(sound > 0 && outside == 0, "records cut at every byte: nothing is read "
       "outside (%ld are sound)", sound);
}

static void test_damage(void)
{
    apr_size_t len = 0;
    const char *tsv = in_dir("small.tsv");
    char *text = read_file(apr_pstrcat(tap_pool, top,
                                       "/t/data/mmdb-networks.tsv", NULL),
                           &len), *deep;
    apr_size_t at;
    char *bytes;

    /* Without what is large: there would be little else to damage. */
    while ((deep = strstr(text, "{\"$deep\"")) != NULL
           || (deep = strstr(text, "{\"$long\"")) != NULL) {
        memset(deep, ' ', strcspn(deep, "}") + 1);
        memcpy(deep, "\"xxxx\"", 6);
    }
    write_file(tsv, text, len);
    ok(make(tsv, "small.mmdb", "ip => 6, bits => 24"), "small.mmdb");
    bytes = read_file(in_dir("small.mmdb"), &len);
    test_truncated(bytes, len);
    test_flipped_metadata(bytes, len);
    test_flipped_body(bytes, len);
    at = section_at(bytes, len);
    test_every_offset(bytes + at, metadata_at(bytes, len) - 3 - at);
}

/* ---- replaced files ----------------------------------------------------- */

static void test_replaced(void)
{
    static const char old_tsv[] = "192.0.2.0/24\t{\"country_code\":\"DE\"}\n";
    static const char new_tsv[] = "192.0.2.0/24\t{\"country_code\":\"FR\"}\n";
    const char *path = in_dir("live.mmdb"), *tsv = in_dir("live.tsv");
    r307_table_source_t now;
    r307_mmdb_t *old, *new;
    apr_size_t size = sizeof now;

    write_file(tsv, old_tsv, sizeof old_tsv - 1);
    ok(make(tsv, "live.mmdb", ""), "the old file");
    old = opened(path);
    ok(r307_mmdb_stat(path, tap_pool, &now) == APR_SUCCESS
       && memcmp(&now, r307_mmdb_source(old), size) == 0,
       "the file is the one that was opened");
    write_file(tsv, new_tsv, sizeof new_tsv - 1);
    ok(make(tsv, "live.mmdb", ""), "renamed over it: the new file");
    ok(r307_mmdb_stat(path, tap_pool, &now) == APR_SUCCESS
       && memcmp(&now, r307_mmdb_source(old), size) != 0,
       "it is another file now");
    is(answer(old, "192.0.2.1", ALL_FIELDS, tap_pool), "country=DE",
       "the old handle answers as before");
    new = opened(path);
    is(answer(new, "192.0.2.1", ALL_FIELDS, tap_pool), "country=FR",
       "a new handle answers anew");
    unlink(path);
    ok(APR_STATUS_IS_ENOENT(r307_mmdb_stat(path, tap_pool, &now)),
       "a file that is gone is told");
    is(answer(new, "192.0.2.1", ALL_FIELDS, tap_pool), "country=FR",
       "and still answers");
}

/* ---- MaxMind's own test databases ---------------------------------------- */

static void check_official(const char *base)
{
    const char *out = in_dir("expected.tsv");
    char *text, *row, *state, *cell, *addr;
    const r307_mmdb_t *db = opened(apr_pstrcat(tap_pool, base, ".mmdb",
                                               NULL));
    apr_size_t len;
    int n = 0;

    ok(perl(apr_psprintf(tap_pool, "expect_json(\"%s.json\")", base), out),
       "%s: expectations", base);
    text = read_file(out, &len);
    for (row = apr_strtok(text, "\n", &state); db && row;
         row = apr_strtok(NULL, "\n", &state)) {
        addr = apr_strtok(row, "\t", &cell);
        is(answer(db, addr, ALL_FIELDS, tap_pool), cell, "%s: %s",
           strrchr(base, '/') + 1, addr);
        n++;
    }
    ok(n > 200, "%s: %d networks", base, n);
}

static void test_official(void)
{
    const char *there = apr_pstrcat(tap_pool, top, "/../shared/data/mmdb",
                                    NULL);

    if (access(there, R_OK) != 0) {
        printf("ok %d # SKIP MaxMind's test databases are not in %s\n",
               ++tap_run, there);
        return;
    }
    check_official(apr_pstrcat(tap_pool, there, "/GeoIP2-City-Test", NULL));
    check_official(apr_pstrcat(tap_pool, there, "/GeoIP2-Country-Test",
                               NULL));
}

static void remove_dir(void)
{
    apr_dir_t *d;
    apr_finfo_t info;

    if (apr_dir_open(&d, dir, tap_pool) != APR_SUCCESS) {
        return;
    }
    while (apr_dir_read(&info, APR_FINFO_NAME, d) == APR_SUCCESS) {
        if (*info.name != '.') {
            unlink(in_dir(info.name));
        }
    }
    apr_dir_close(d);
    rmdir(dir);
}

int main(void)
{
    const char *temp;
    char *made;

    tap_begin();
    top = getenv("R307_SRCDIR");
    top = top ? top : ".";
    apr_temp_dir_get(&temp, tap_pool);
    made = apr_pstrcat(tap_pool, temp, "/r307-mmdb-XXXXXX", NULL);
    dir = mkdtemp(made);
    if (!ok(dir != NULL, "a directory")) {
        return tap_end();
    }
    test_cases();
    test_fields();
    test_untouched();
    test_cut_name();
    test_refused();
    test_wrapped();
    test_damage();
    test_replaced();
    test_official();
    remove_dir();
    return tap_end();
}

#endif
