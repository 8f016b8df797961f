/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * From what a provider sends to a fact: t/data/geovalues.tsv, the ceilings,
 * and what must hold for any bytes.
 */
#include "tap.h"

#include "core/r307_geofrom.h"

#include <apr_file_io.h>
#include <apr_lib.h>

#include <stdlib.h>

#define ENOUGH 200
#define COLUMNS 5

/* A malformed source is the table's fault. */
static int source_of(const char *word, r307_geosource_t *source)
{
    r307_error_t err = { tap_pool, NULL };
    apr_size_t len = strcspn(word, "=");
    r307_field_t field = r307_geofield_find(word, len);

    return field != R307_FIELDS && word[len]
           && r307_geosource_parse(field, word + len + 1, tap_pool, source,
                                   &err) == APR_SUCCESS;
}

/* The fact as the table writes it. */
static const char *fact(const r307_facts_t *facts, r307_field_t field)
{
    switch (field) {
    case R307_FIELD_COUNTRY:
        return facts->tor ? "tor" : facts->country->code;
    case R307_FIELD_REGION:
        return facts->region;
    case R307_FIELD_CONTINENT:
        return facts->tor ? "tor" : r307_continent_code(facts->continent);
    case R307_FIELD_CITY:
        return facts->city;
    case R307_FIELD_LANGUAGE:
        return facts->language;
    case R307_FIELD_LATITUDE:
        return apr_psprintf(tap_pool, "%.4f", facts->latitude);
    case R307_FIELD_LONGITUDE:
        return apr_psprintf(tap_pool, "%.4f", facts->longitude);
    default:
        return apr_psprintf(tap_pool, "%.4f,%.4f", facts->latitude,
                            facts->longitude);
    }
}

/* What the source makes of raw for a visitor from that country: "-" nothing. */
static const char *made(const r307_geosource_t *source, const char *home,
                        const char *raw, apr_size_t len)
{
    r307_facts_t facts, before;
    r307_geotext_t text;

    memset(&facts, 0, sizeof facts);
    if (strcmp(home, "tor") == 0) {
        facts.tor = 1;
    }
    else {
        facts.country = *home ? r307_country_find(home) : NULL;
    }
    before = facts;
    if (!r307_geovalue_pick(source, raw, len, tap_pool, &text)) {
        return "-";
    }
    if (!r307_geovalue_set(&facts, source->field, text.s, text.len,
                           tap_pool)) {
        return memcmp(&facts, &before, sizeof facts) == 0
            ? "-" : "nothing, but facts were changed";
    }
    return apr_pstrdup(tap_pool, fact(&facts, source->field));
}

/* ---- the table ---- */

/* \n, \r, \t and \xHH in place; other backslashes stay. The new length. */
static apr_size_t decode(char *s)
{
    char *out = s, *start = s;

    for (; *s; s++, out++) {
        if (s[0] == '\\' && s[1] && strchr("nrt", s[1])) {
            *out = s[1] == 'n' ? '\n' : s[1] == 'r' ? '\r' : '\t';
            s++;
        }
        else if (s[0] == '\\' && s[1] == 'x') {
            char hex[3] = { s[2], s[3], '\0' };
            *out = (char)strtol(hex, NULL, 16);
            s += 3;
        }
        else {
            *out = *s;
        }
    }
    *out = '\0';
    return (apr_size_t)(out - start);
}

static int test_row(char *line, int number)
{
    char *cell[COLUMNS];
    r307_geosource_t source;
    apr_size_t len;
    int i;

    for (i = 0; i < COLUMNS; i++) {
        cell[i] = line;
        line += strcspn(line, "\t");
        if (*line) {
            *line++ = '\0';
        }
        else if (i < COLUMNS - 1) {
            return ok(0, "line %d has %d columns", number, COLUMNS);
        }
    }
    if (!source_of(cell[1], &source)) {
        return ok(0, "line %d: %s is a source", number, cell[1]);
    }
    len = decode(cell[3]);
    decode(cell[4]);
    return is(made(&source, cell[2], cell[3], len), cell[4], "line %d: %s",
              number, cell[0]);
}

static void test_table(void)
{
    const char *dir = getenv("R307_SRCDIR");
    const char *path = apr_pstrcat(tap_pool, dir ? dir : ".",
                                   "/t/data/geovalues.tsv", NULL);
    apr_file_t *f;
    char line[2048];
    int number = 0, rows = 0, head = 0;

    if (apr_file_open(&f, path, APR_FOPEN_READ | APR_FOPEN_BUFFERED, 0,
                      tap_pool) != APR_SUCCESS) {
        ok(0, "%s can be read", path);
        return;
    }
    while (apr_file_gets(line, sizeof line, f) == APR_SUCCESS) {
        number++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || line[0] == '\0' || !head++) {
            continue;
        }
        test_row(line, number);
        rows++;
    }
    apr_file_close(f);
    ok(rows >= ENOUGH, "the table has %d rows", rows);
}

/* ---- ceilings ---- */

/* before, then fill bytes c, then after */
static const char *padded(const char *before, char c, apr_size_t fill,
                          const char *after)
{
    apr_size_t n = strlen(before), m = strlen(after);
    char *s = apr_palloc(tap_pool, n + fill + m + 1);

    memcpy(s, before, n);
    memset(s + n, c, fill);
    memcpy(s + n + fill, after, m + 1);
    return s;
}

static void test_ceilings(void)
{
    const char *deep = padded(padded("{\"c\":\"DE\",\"x\":", '[', 15, "1"),
                              ']', 15, "}");
    const char *deeper = padded(padded("{\"c\":\"DE\",\"x\":", '[', 16, "1"),
                                ']', 16, "}");
    const struct {
        const char *word, *raw, *want, *name;
    } rows[] = {
        { "country=header:A", padded("DE", ' ', 1022, ""), "DE",
          "1,024 bytes are read" },
        { "country=header:A", padded("DE", ' ', 1023, ""), "-",
          "1,025 bytes are not" },
        { "country=header:A", padded("", 'D', 5000, ""), "-",
          "5,000 bytes are no country" },
        { "region=header:A", padded("US-", 'C', 900, ""), "-",
          "900 bytes are no region" },
        { "latlong=header:A", padded("1.", '0', 900, ",1"), "-",
          "900 digits are no position" },
        { "city=header:A", padded("", 'a', 256, ""),
          padded("", 'a', 256, ""), "a city has 256 bytes" },
        { "city=header:A", padded("", 'a', 257, ""), "-", "and not 257" },
        { "country=header:A:list:2", padded("", ' ', 1021, ",DE"), "DE",
          "a list of 1,024 bytes" },
        { "country=header:A:list:2", padded("", ' ', 1022, ",DE"), "-",
          "a list of 1,025 bytes" },
        { "country=header:A:kv:c", padded("x=", 'y', 4089, ",c=DE"), "DE",
          "pairs of 4,096 bytes" },
        { "country=header:A:kv:c", padded("x=", 'y', 4090, ",c=DE"), "-",
          "pairs of 4,097 bytes" },
        { "country=header:A:json:c",
          padded("{\"x\":\"", 'y', 4079, "\",\"c\":\"DE\"}"), "DE",
          "JSON of 4,096 bytes" },
        { "country=header:A:json:c",
          padded("{\"x\":\"", 'y', 4080, "\",\"c\":\"DE\"}"), "-",
          "JSON of 4,097 bytes" },
        { "country=header:A:json:c", padded("", '[', 4000, ""), "-",
          "4,000 open brackets" },
        { "country=header:A:json:c", padded("{\"c\":", '[', 4000, ""), "-",
          "4,000 open brackets in an object" },
        { "country=header:A:json:c", deep, "DE", "16 levels" },
        { "country=header:A:json:c", deeper, "-", "17 levels" },
        { "country=header:A:json:c", padded("", 'A', 4096, ""), "-",
          "base64 of zeros" },
        { "country=cookie:c", padded("x=", 'y', 16376, "; c=DE"), "DE",
          "cookies of 16,384 bytes" },
        { "country=cookie:c", padded("x=", 'y', 16377, "; c=DE"), "-",
          "cookies of 16,385 bytes" },
        { "country=query:c", padded("", '&', 16380, "c=DE"), "DE",
          "a query of 16,384 bytes" },
        { "country=query:c", padded("", '&', 16381, "c=DE"), "-",
          "a query of 16,385 bytes" },
        { "language=header:A", padded("fr", ' ', 4094, ""), "fr",
          "languages of 4,096 bytes" },
        { "language=header:A", padded("fr", ' ', 4095, ""), "-",
          "languages of 4,097 bytes" }
    };
    unsigned i;

    for (i = 0; i < TABLE(rows); i++) {
        r307_geosource_t source;
        ok(source_of(rows[i].word, &source), "%s is a source", rows[i].word);
        is(made(&source, "", rows[i].raw, strlen(rows[i].raw)), rows[i].want,
           "ceiling: %s", rows[i].name);
    }
}

/* ---- pairs ---- */

static void test_degrees(void)
{
    static const struct {
        const char *latitude, *longitude;
        unsigned known;
    } rows[] = {
        { "1.5", "2.5", 3 }, { "0", "2.5", 3 }, { "1.5", "0", 3 },
        { "0", "0", 1 }, { "0.000000", "-0.0", 1 }, { "?", "2.5", 2 },
        { "91", "2.5", 2 }, { "1.5", "181", 1 }
    };
    unsigned i;

    for (i = 0; i < TABLE(rows); i++) {
        r307_facts_t facts;

        memset(&facts, 0, sizeof facts);
        r307_geovalue_set(&facts, R307_FIELD_LATITUDE, rows[i].latitude,
                          strlen(rows[i].latitude), tap_pool);
        r307_geovalue_set(&facts, R307_FIELD_LONGITUDE, rows[i].longitude,
                          strlen(rows[i].longitude), tap_pool);
        ok(facts.known_position == rows[i].known, "%s and %s",
           rows[i].latitude, rows[i].longitude);
    }
}

static void test_region_country(void)
{
    static const struct {
        const char *region;
        apr_size_t least;
        const char *want;
    } rows[] = {
        { "US-CA", 4, "US" }, { "us-ca", 3, "US" }, { "USCA", 4, "US" },
        { "GBENG", 4, "GB" }, { "UK-ENG", 4, "GB" }, { "AT-9", 4, "AT" },
        { "AT9", 3, "AT" }, { "ARC", 3, "AR" }, { "AT9", 4, NULL },
        { "ENG", 4, NULL }, { "BAS", 4, NULL }, { "COR", 3, NULL },
        { "CA", 3, NULL }, { "C", 3, NULL }, { "", 3, NULL },
        { "XX-CA", 3, NULL }, { "XXCA", 3, NULL }, { "US-", 3, NULL },
        { "US--CA", 3, NULL }, { "US-CALI", 3, NULL }, { "USCALI", 3, NULL }
    };
    unsigned i;

    for (i = 0; i < TABLE(rows); i++) {
        const r307_country_t *found = r307_geovalue_region_country(
            rows[i].region, strlen(rows[i].region), rows[i].least);
        is(found ? found->code : NULL, rows[i].want,
           "country of the region '%s', from %u", rows[i].region,
           (unsigned)rows[i].least);
    }
}

/* ---- any bytes ---- */

/* Every two bytes, and every byte in a city: only what is allowed counts. */
static void test_all_bytes(void)
{
    int a, b, countries = 0, cities = 0, wrong = 0;

    for (a = 0; a < 256; a++) {
        for (b = 0; b < 256; b++) {
            char raw[3] = { (char)a, (char)b, '\0' };
            r307_facts_t facts;
            memset(&facts, 0, sizeof facts);
            if (r307_geovalue_set(&facts, R307_FIELD_COUNTRY, raw, 2,
                                  tap_pool)) {
                countries++;
                wrong += !(apr_isalpha(a) && (apr_isalpha(b) || b == '1'));
            }
        }
    }
    ok(!wrong, "a country is two letters, or T1");
    /* 250 codes and UK, each in four spellings, and T1 in two */
    ok(countries == 4 * 251 + 2, "%d spellings of countries", countries);
    for (a = 0; a < 256; a++) {
        char raw[4] = { 'x', (char)a, 'x', '\0' };
        r307_facts_t facts;
        memset(&facts, 0, sizeof facts);
        cities += r307_geovalue_set(&facts, R307_FIELD_CITY, raw, 3,
                                    tap_pool);
    }
    ok(cities == 95, "%d bytes may stand alone in a city", cities);
}

int main(void)
{
    tap_begin();
    test_table();
    test_ceilings();
    test_degrees();
    test_region_country();
    test_all_bytes();
    return tap_end();
}
