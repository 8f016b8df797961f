/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what each field's values look like and what stands for "not known".
 * Must not know where a value comes from. r307_geopick.c finds the value,
 * geofrom calls both.
 */
#include "core/r307_geovalue.h"

#include "core/r307_position.h"

#include <apr_strings.h>

#include <string.h>

/* No name of a city comes near. */
#define CITY_MAX 256

static int is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
           || (c >= 'a' && c <= 'z');
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

/* T1 is how Cloudflare writes a Tor exit, as country and as continent. */
static int is_tor(const char *text, apr_size_t len)
{
    return len == 2 && upper(text[0]) == 'T' && text[1] == '1';
}

/* What stands for "not known" in fields that are free text. */
static int is_nothing(const char *text, apr_size_t len)
{
    static const char *const words[] = { "?", "-", "--", "**", "reserved" };
    unsigned i;

    if (len > sizeof "reserved" - 1) {
        return 0;
    }
    for (i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i]) == len
            && strncasecmp(words[i], text, len) == 0) {
            return 1;
        }
    }
    return len == 0;
}

/* ---- country, continent ---- */

static int set_country(r307_facts_t *facts, const char *text, apr_size_t len,
                       apr_pool_t *pool)
{
    const r307_country_t *found;

    (void)pool;
    /* XX, ZZ, A1, A2, AP, EU and "--" are no countries of the table. */
    found = len == 2 ? r307_country_find_two(text) : NULL;
    if (!found && !is_tor(text, len)) {
        return 0;
    }
    facts->country = found;
    facts->tor = !found;
    return 1;
}

static int set_continent(r307_facts_t *facts, const char *text,
                         apr_size_t len, apr_pool_t *pool)
{
    char code[3];
    r307_continent_t found;

    (void)pool;
    if (len != 2 || facts->tor) {
        return 0;
    }
    if (is_tor(text, len)) {
        facts->tor = !facts->country;
        return facts->tor;
    }
    code[0] = text[0];
    code[1] = text[1];
    code[2] = '\0';
    found = r307_continent_find(code);
    if (found == R307_CONTINENT_NONE) {
        return 0;
    }
    facts->continent = found;
    return 1;
}

/* ---- region ---- */

/* Subdivisions of three letters that begin with their country's code. All
 * others of that form are country and one letter ("ARC" is AR-C). From ISO
 * 3166-2. */
static int begins_like_country(const char *code)
{
    static const char odd[][4] = { "COR", "ISA", "KZY", "MAR" };
    unsigned i;

    for (i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        if (strcmp(odd[i], code) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Upper case, only letters and digits but for one hyphen as third; 0 when it
 * is anything else. */
static int region_upper(const char *text, apr_size_t len, char code[8])
{
    apr_size_t i;

    if (len < 1 || len > 6) {
        return 0;
    }
    for (i = 0; i < len; i++) {
        if (!is_alnum(text[i])
            && !(text[i] == '-' && i == 2 && len > 3)) {
            return 0;
        }
        code[i] = upper(text[i]);
    }
    code[len] = '\0';
    return len < 6 || code[2] == '-';
}

/* Where the subdivision begins when the code has its country in front, else
 * 0. home: the visitor's country or NULL. */
static int region_split(const char *code, const r307_country_t *home)
{
    apr_size_t len = strlen(code);

    if (len >= 4) {
        return code[2] == '-' ? 3 : 2;
    }
    return len == 3 && home && strncmp(code, home->code, 2) == 0
           && !begins_like_country(code) ? 2 : 0;
}

static int set_region(r307_facts_t *facts, const char *text, apr_size_t len,
                      apr_pool_t *pool)
{
    char code[8];
    const r307_country_t *of = facts->country;
    const char *sub;
    int at;

    (void)pool;
    if (facts->tor || !region_upper(text, len, code)) {
        return 0;
    }
    at = region_split(code, of);
    sub = code + at;
    if (at) {
        of = r307_country_find_two(code);
    }
    if (!of || (facts->country && facts->country != of)
        || strcmp(sub, "XX") == 0 || strcmp(sub, "ZZ") == 0) {
        return 0;
    }
    facts->country = of;
    apr_cpystrn(facts->region, of->code, 3);
    facts->region[2] = '-';
    apr_cpystrn(facts->region + 3, sub, sizeof facts->region - 3);
    return 1;
}

const r307_country_t *r307_geovalue_region_country(const char *text,
                                                   apr_size_t len,
                                                   apr_size_t least)
{
    char code[8];

    if (!region_upper(text, len, code) || len < 3
        || (code[2] != '-' && len < least)
        || (len == 3 && begins_like_country(code))) {
        return NULL;
    }
    return r307_country_find_two(code);
}

/* ---- city ---- */

/* The length of the UTF-8 sequence (RFC 3629 section 4) at s, or 0 when it is
 * none or a control character. s ends before end. */
static apr_size_t utf8_char(const unsigned char *s, const unsigned char *end)
{
    unsigned c = s[0], code;
    apr_size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4, i;
    static const unsigned least[] = { 0, 0x20, 0xa0, 0x800, 0x10000 };

    if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || (apr_size_t)(end - s) < n) {
        return 0;
    }
    code = n == 1 ? c : c & (0x7fu >> n);
    for (i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (s[i] & 0x3fu);
    }
    return code < least[n] || code == 0x7f || code > 0x10ffff
           || (code >= 0xd800 && code < 0xe000) ? 0 : n;
}

static int set_city(r307_facts_t *facts, const char *text, apr_size_t len,
                    apr_pool_t *pool)
{
    const unsigned char *s = (const unsigned char *)text, *end = s + len;
    apr_size_t n;

    if (facts->tor || len > CITY_MAX || is_nothing(text, len)) {
        return 0;
    }
    while (s < end) {
        n = utf8_char(s, end);
        if (!n) {
            return 0;
        }
        s += n;
    }
    facts->city = apr_pstrmemdup(pool, text, len);
    return 1;
}

/* ---- position ---- */

/* Half of a position: 1 latitude, 2 longitude. */
static int set_degrees(r307_facts_t *facts, const char *text, apr_size_t len,
                       unsigned half)
{
    double value;
    r307_facts_t was = *facts;

    if (facts->tor
        || r307_position_parse_degrees(text, len,
                                       half == 1 ? R307_POSITION_LATITUDE_MAX
                                                 : R307_POSITION_LONGITUDE_MAX,
                                       &value) != APR_SUCCESS) {
        return 0;
    }
    *(half == 1 ? &facts->latitude : &facts->longitude) = value;
    facts->known_position |= half;
    if (facts->known_position == 3 && facts->latitude == 0
        && facts->longitude == 0) {
        /* Nobody lives there: how providers write "not known". */
        *facts = was;
        return 0;
    }
    return 1;
}

static int set_latitude(r307_facts_t *facts, const char *text, apr_size_t len,
                        apr_pool_t *pool)
{
    (void)pool;
    return set_degrees(facts, text, len, 1);
}

static int set_longitude(r307_facts_t *facts, const char *text,
                         apr_size_t len, apr_pool_t *pool)
{
    (void)pool;
    return set_degrees(facts, text, len, 2);
}

static int set_latlong(r307_facts_t *facts, const char *text, apr_size_t len,
                       apr_pool_t *pool)
{
    const char *comma = memchr(text, ',', len);
    r307_facts_t both = *facts;
    apr_size_t n;

    (void)pool;
    if (!comma) {
        return 0;
    }
    n = (apr_size_t)(comma - text);
    both.known_position = 0;
    if (!set_degrees(&both, text, n, 1)
        || !set_degrees(&both, comma + 1, len - n - 1, 2)) {
        return 0;
    }
    *facts = both;
    return 1;
}

/* ---- language ---- */

/* Ranges are judged one by one when a rule asks, whatever bytes they are; see
 * r307_language.h. */
static int set_language(r307_facts_t *facts, const char *text, apr_size_t len,
                        apr_pool_t *pool)
{
    if (is_nothing(text, len)) {
        return 0;
    }
    facts->language = text[len] ? apr_pstrmemdup(pool, text, len) : text;
    return 1;
}

typedef int set_fn(r307_facts_t *facts, const char *text, apr_size_t len,
                   apr_pool_t *pool);

static set_fn *const setters[R307_FIELDS] = {
    [R307_FIELD_COUNTRY] = set_country,
    [R307_FIELD_REGION] = set_region,
    [R307_FIELD_CONTINENT] = set_continent,
    [R307_FIELD_CITY] = set_city,
    [R307_FIELD_LATLONG] = set_latlong,
    [R307_FIELD_LATITUDE] = set_latitude,
    [R307_FIELD_LONGITUDE] = set_longitude,
    [R307_FIELD_LANGUAGE] = set_language
};

int r307_geovalue_set(r307_facts_t *facts, r307_field_t field,
                      const char *text, apr_size_t len, apr_pool_t *pool)
{
    return setters[field](facts, text, len, pool);
}
