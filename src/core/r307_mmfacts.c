/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns which values of a MaxMind DB record become which facts. Must not know
 * the file format. Called by mmdb.
 */
#include "core/r307_mmfacts.h"

#include "core/r307_position.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

#define ASKS(fields, field) ((fields) & R307_FIELD_BIT(R307_FIELD_##field))

#define ASKS_POSITION(fields) (ASKS(fields, LATLONG) \
    || ASKS(fields, LATITUDE) || ASKS(fields, LONGITUDE))

#define BIT(slot) R307_MMRECORD_BIT(R307_MMRECORD_##slot)

unsigned r307_mmfacts_slots(unsigned fields)
{
    unsigned slots = 0;

    if (ASKS(fields, COUNTRY)) {
        slots |= BIT(COUNTRY) | BIT(COUNTRY_CODE) | BIT(REGISTERED);
    }
    if (ASKS(fields, REGION)) {
        slots |= BIT(REGION) | BIT(COUNTRY) | BIT(COUNTRY_CODE);
    }
    if (ASKS(fields, CONTINENT)) {
        slots |= BIT(CONTINENT) | BIT(CONTINENT_CODE);
    }
    if (ASKS(fields, CITY)) {
        slots |= BIT(CITY);
    }
    if (ASKS_POSITION(fields)) {
        slots |= BIT(LATITUDE) | BIT(LONGITUDE);
    }
    return slots;
}

static int is_code(const r307_mmrecord_value_t *value)
{
    return value->type == R307_MMRECORD_TEXT && value->len == 2;
}

/* The first value of two bytes, terminated; "" when none is. */
static const char *code_of(const r307_mmrecord_value_t *first,
                           const r307_mmrecord_value_t *second, char code[3])
{
    if (!is_code(first)) {
        first = second;
    }
    if (is_code(first)) {
        memcpy(code, first->text, 2);
        code[2] = '\0';
        return code;
    }
    return "";
}

/* ISO 3166-2 codes end with one to three letters or digits. */
static void set_region(const r307_country_t *of,
                       const r307_mmrecord_value_t *value, char region[8])
{
    char text[8] = "";
    apr_size_t i;

    if (!of || value->type != R307_MMRECORD_TEXT || value->len < 1
        || value->len > 3) {
        return;
    }
    memcpy(text, of->code, 2);
    text[2] = '-';
    for (i = 0; i < value->len; i++) {
        if (!apr_isascii(value->text[i]) || !apr_isalnum(value->text[i])) {
            return;
        }
        text[3 + i] = (char)apr_toupper(value->text[i]);
    }
    text[3 + i] = '\0';
    memcpy(region, text, sizeof text);
}

/* The bytes of the first character; 0 when it is not well-formed (RFC 3629)
 * or a control. */
static apr_size_t character(const unsigned char *p, apr_size_t left)
{
    static const unsigned least[] = { 0, 0x20, 0xa0, 0x800, 0x10000 };
    apr_size_t n = *p < 0x80 ? 1 : *p < 0xc0 ? 0 : *p < 0xe0 ? 2
        : *p < 0xf0 ? 3 : *p < 0xf8 ? 4 : 0, i;
    unsigned c = n == 1 ? *p : *p & (0xffu >> (n + 1));

    if (n == 0 || n > left) {
        return 0;
    }
    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | (p[i] & 0x3f);
    }
    return c < least[n] || c == 0x7f || (c >= 0xd800 && c <= 0xdfff)
        || c > 0x10ffff ? 0 : n;
}

static int is_name(const r307_mmrecord_value_t *value)
{
    const unsigned char *p = (const unsigned char *)value->text;
    apr_size_t left = value->len, n;

    if (value->type != R307_MMRECORD_TEXT || left == 0
        || left > R307_MMFACTS_CITY_MAX) {
        return 0;
    }
    for (; left; left -= n, p += n) {
        if ((n = character(p, left)) == 0) {
            return 0;
        }
    }
    return 1;
}

/* Some makers write numbers as text. The comparisons are false for NaN. */
static int degrees(const r307_mmrecord_value_t *value, double max,
                   double *out)
{
    if (value->type == R307_MMRECORD_TEXT) {
        return r307_position_parse_degrees(value->text, value->len, max, out)
               == APR_SUCCESS;
    }
    *out = value->number;
    return value->type == R307_MMRECORD_NUMBER && *out >= -max && *out <= max;
}

static void set_position(const r307_mmrecord_value_t *values, unsigned fields,
                         r307_facts_t *facts)
{
    double latitude, longitude;
    int north = degrees(&values[R307_MMRECORD_LATITUDE],
                        R307_POSITION_LATITUDE_MAX, &latitude);
    int east = degrees(&values[R307_MMRECORD_LONGITUDE],
                       R307_POSITION_LONGITUDE_MAX, &longitude);
    int both = north && east && ASKS(fields, LATLONG);

    if (north && east && latitude == 0.0 && longitude == 0.0) {
        return;
    }
    if (both || (north && ASKS(fields, LATITUDE))) {
        facts->latitude = latitude;
        facts->known_position |= 1;
    }
    if (both || (east && ASKS(fields, LONGITUDE))) {
        facts->longitude = longitude;
        facts->known_position |= 2;
    }
}

static void set_country(const r307_mmrecord_value_t *values, unsigned fields,
                        r307_facts_t *facts)
{
    char text[3];
    const char *code = code_of(&values[R307_MMRECORD_COUNTRY],
                               &values[R307_MMRECORD_COUNTRY_CODE], text);
    const r307_country_t *country = r307_country_find(code);

    if (ASKS(fields, REGION)) {
        set_region(country, &values[R307_MMRECORD_REGION], facts->region);
    }
    if (!*code) {
        country = r307_country_find(
            code_of(&values[R307_MMRECORD_REGISTERED],
                    &values[R307_MMRECORD_REGISTERED], text));
    }
    if (ASKS(fields, COUNTRY) && country) {
        facts->country = country;
    }
}

static void set_continent(const r307_mmrecord_value_t *values,
                          r307_facts_t *facts)
{
    char text[3];
    r307_continent_t continent = r307_continent_find(
        code_of(&values[R307_MMRECORD_CONTINENT],
                &values[R307_MMRECORD_CONTINENT_CODE], text));

    if (continent != R307_CONTINENT_NONE) {
        facts->continent = continent;
    }
}

void r307_mmfacts_set(const r307_mmrecord_value_t *values, unsigned fields,
                      r307_facts_t *facts, apr_pool_t *pool)
{
    const r307_mmrecord_value_t *city = &values[R307_MMRECORD_CITY];

    if (ASKS(fields, COUNTRY) || ASKS(fields, REGION)) {
        set_country(values, fields, facts);
    }
    if (ASKS(fields, CONTINENT)) {
        set_continent(values, facts);
    }
    if (ASKS(fields, CITY) && is_name(city)) {
        facts->city = apr_pstrmemdup(pool, city->text, city->len);
    }
    if (ASKS_POSITION(fields)) {
        set_position(values, fields, facts);
    }
}
