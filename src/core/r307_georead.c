/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the order in which sources are asked and which of them are believed.
 * Must not know how values look or where headers are kept. Called when a rule
 * asks for a fact.
 */
#include "core/r307_georead.h"

#include <string.h>

/* The raw text of the source, NULL: absent or not to be believed. */
static const char *raw_text(const r307_geosource_t *source,
                            r307_georead_t *rd)
{
    switch (source->kind) {
    case R307_GEO_HEADER:
        if (source->trusted_only && !rd->trusted) {
            if (!rd->disbelieved && rd->header(rd->ctx, source->name)) {
                rd->disbelieved = source->name;
            }
            return NULL;
        }
        return rd->header(rd->ctx, source->name);
    case R307_GEO_ENV:
        return rd->env(rd->ctx, source->name);
    case R307_GEO_COOKIE:
        return rd->header(rd->ctx, "Cookie");
    case R307_GEO_QUERY:
        return rd->query;
    default:
        return NULL;
    }
}

/* ---- databases ---- */

static int copy_region(r307_facts_t *facts, const r307_facts_t *from)
{
    /* A region needs its country; another source may have given that. */
    if (!from->region[0] || facts->tor || !facts->country
        || strncmp(from->region, facts->country->code, 2) != 0) {
        return 0;
    }
    memcpy(facts->region, from->region, sizeof facts->region);
    return 1;
}

static int copy_field(r307_facts_t *facts, const r307_facts_t *from,
                      r307_field_t field)
{
    switch (field) {
    case R307_FIELD_COUNTRY:
        facts->country = from->country;
        return from->country != NULL;
    case R307_FIELD_REGION:
        return copy_region(facts, from);
    case R307_FIELD_CONTINENT:
        facts->continent = from->continent;
        return from->continent != R307_CONTINENT_NONE;
    case R307_FIELD_CITY:
        facts->city = from->city;
        return from->city != NULL;
    default:
        facts->known_position = from->known_position == 3 ? 3 : 0;
        facts->latitude = from->latitude;
        facts->longitude = from->longitude;
        return facts->known_position == 3;
    }
}

static int ask_database(const r307_geosource_t *source, r307_georead_t *rd,
                        r307_facts_t *facts)
{
    unsigned bit = 1u << source->number;
    r307_facts_t *found = &rd->found[source->number];

    if (!(rd->asked & bit)) {
        rd->asked |= bit;
        memset(found, 0, sizeof *found);
        if (!rd->mmdb
            || !rd->mmdb(rd->ctx, source->number, rd->needs, found)) {
            memset(found, 0, sizeof *found);
        }
    }
    return copy_field(facts, found, source->field);
}

/* ---- one source ---- */

static int set_text(const r307_geosource_t *source, r307_field_t field,
                    const r307_geotext_t *text, r307_georead_t *rd,
                    r307_facts_t *facts)
{
    if (field == R307_FIELD_COUNTRY && source->field == R307_FIELD_REGION) {
        int visitor =
            (r307_geosource_uses(source) & R307_GEOFROM_VISITOR) != 0;
        /* A visitor's "BAS" is rather a region of their own country. */
        facts->country =
            r307_geovalue_region_country(text->s, text->len, visitor ? 4 : 3);
        return facts->country != NULL;
    }
    return r307_geovalue_set(facts, source->field, text->s, text->len,
                             rd->pool);
}

static int ask_half(const r307_geosource_t *source, r307_field_t field,
                    r307_georead_t *rd, r307_facts_t *facts)
{
    r307_geotext_t text;
    const char *raw = raw_text(source, rd);
    apr_size_t len;

    if (!raw) {
        return 0;
    }
    len = strlen(raw);
    /* Mostly it is a header with nothing but the value. */
    if (source->format == R307_GEO_PLAIN && len == 2 && raw[0] > ' '
        && raw[1] > ' ') {
        text.s = raw;
        text.len = len;
    }
    else if (!r307_geovalue_pick(source, raw, len, rd->pool, &text)) {
        return 0;
    }
    return set_text(source, field, &text, rd, facts);
}

/* 1 when the source says something of the field. */
static int ask(const r307_geosource_t *source, r307_field_t field,
               r307_georead_t *rd, r307_facts_t *facts)
{
    r307_facts_t was;

    if (r307_geosource_uses(source) & rd->without) {
        return 0;
    }
    if (source->kind == R307_GEO_MMDB) {
        return ask_database(source, rd, facts);
    }
    if (!source->partner) {
        return ask_half(source, field, rd, facts);
    }
    was = *facts;
    if (!ask_half(source, field, rd, facts)) {
        return 0;
    }
    if (!ask_half(source->partner, field, rd, facts)) {
        *facts = was;
        return 0;
    }
    return 1;
}

/* ---- one field ---- */

static int same(const r307_facts_t *a, const r307_facts_t *b)
{
    return a->country == b->country && a->tor == b->tor
           && strcmp(a->region, b->region) == 0
           && a->continent == b->continent
           && a->known_position == b->known_position
           && a->latitude == b->latitude && a->longitude == b->longitude
           && (a->city ? b->city && strcmp(a->city, b->city) == 0
                       : !b->city);
}

/*
 * Do the alternatives that follow source i say the same or nothing? *next is
 * set behind them. before: the facts without what source i said.
 */
static int agree(const r307_geosource_t *list, int count, int *next,
                 r307_field_t field, r307_georead_t *rd,
                 const r307_facts_t *before, const r307_facts_t *facts)
{
    int good = 1;

    for (; *next < count && list[*next].alternative; ++*next) {
        r307_facts_t other = *before;
        if (ask(&list[*next], field, rd, &other) && !same(&other, facts)) {
            good = 0;
        }
    }
    return good;
}

static void read_field(const r307_geofrom_t *from, r307_field_t field,
                       r307_georead_t *rd, r307_facts_t *facts)
{
    int count, i, next;
    const r307_geosource_t *list = r307_geofrom_sources(from, field, &count);
    unsigned chosen_country = rd->chosen & R307_FIELD_BIT(R307_FIELD_COUNTRY);

    for (i = 0; i < count; i = next) {
        unsigned visitor =
            r307_geosource_uses(&list[i]) & R307_GEOFROM_VISITOR;
        r307_facts_t before;

        next = i + 1;
        if (chosen_country && !visitor && field != R307_FIELD_LANGUAGE) {
            continue;
        }
        if (next == count || !list[next].alternative) {
            if (ask(&list[i], field, rd, facts)) {
                rd->said[field] = &list[i];
                rd->chosen |= visitor ? R307_FIELD_BIT(field) : 0;
                return;
            }
            continue;
        }
        before = *facts;
        if (!ask(&list[i], field, rd, facts)) {
            continue;
        }
        if (agree(list, count, &next, field, rd, &before, facts)) {
            rd->chosen |= visitor ? R307_FIELD_BIT(field) : 0;
            rd->said[field] = &list[i];
            return;
        }
        *facts = before;
    }
}

void r307_georead_facts(const r307_geofrom_t *from, unsigned fields,
                        r307_georead_t *rd, r307_facts_t *facts)
{
    unsigned needs = r307_geofrom_needs(fields);
    int field;

    memset(facts, 0, sizeof *facts);
    rd->needs = needs;
    rd->asked = 0;
    rd->chosen = 0;
    rd->disbelieved = NULL;
    for (; needs; needs &= needs - 1) {
        field = __builtin_ctz(needs);
        if ((facts->tor && field != R307_FIELD_LANGUAGE)
            || (field == R307_FIELD_REGION && !facts->country)) {
            continue;
        }
        read_field(from, (r307_field_t)field, rd, facts);
    }
}
