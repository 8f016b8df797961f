/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * What providers write about a visitor, made into facts. Two steps: pick finds
 * the value in the raw text (a header, a variable, a Cookie header, a query
 * string), set understands it. Everything here is what somebody sent:
 * whatever it is, the outcome is a fact or none, never an error.
 *
 * Any thread. Allocates from the given pool only, and for a plain country not
 * at all.
 */
#ifndef R307_GEOVALUE_H
#define R307_GEOVALUE_H

#include "core/r307_facts.h"

#include <apr_pools.h>

typedef enum r307_geo_kind_t {
    R307_GEO_HEADER,
    R307_GEO_ENV,
    R307_GEO_COOKIE,
    R307_GEO_QUERY,
    R307_GEO_MMDB
} r307_geo_kind_t;

/* How the raw text holds the value. */
typedef enum r307_geo_format_t {
    R307_GEO_PLAIN,             /* it is the value */
    R307_GEO_ESCAPED,           /* a city: percent-encoded, or with the bytes
                                 * as \u00XX, or neither */
    R307_GEO_RANGES,            /* a list of language ranges, kept whole */
    R307_GEO_KV,                /* key=value,key=value */
    R307_GEO_JSON,              /* an object, or base64 of one */
    R307_GEO_LIST,              /* value,value,value */
    R307_GEO_COOKIES,           /* a Cookie header (RFC 6265 section 4.2.1) */
    R307_GEO_PARAMETERS,        /* a raw query string */
    R307_GEO_FORMATS
} r307_geo_format_t;

/* One place to look for one field. Made by r307_geofrom.h, constant then. */
typedef struct r307_geosource_t {
    r307_geo_kind_t kind;
    r307_geo_format_t format;
    r307_field_t field;
    const char *name;           /* header, variable, cookie, parameter, or the
                                 * path of a database */
    const char *key;            /* KV: the key; JSON: names joined by dots */
    int number;                 /* LIST: which item, from 1; MMDB: which of
                                 * r307_geofrom_databases() */
    int rank;                   /* of all sources, in the order of words */
    unsigned trusted_only : 1;  /* counts only from a trusted peer */
    unsigned alternative : 1;   /* another name for what the source before it
                                 * in the list may hold */
    const struct r307_geosource_t *partner; /* LATITUDE: its longitude */
} r307_geosource_t;

/* Text inside a longer one: s[len] is readable, but may be any byte. */
typedef struct r307_geotext_t {
    const char *s;
    apr_size_t len;
} r307_geotext_t;

/*
 * Find the value that the source means. raw is NUL-terminated at len; a header
 * that was sent twice is joined with commas, as httpd does it. 1 and *out
 * without blanks around it, or 0 when there is none, when raw is longer than
 * its format may be, when it is no such format, or when it says two different
 * things. *out points into raw or into pool.
 *
 * A cookie or parameter is the first of its name; another one of that name
 * must have the same value. Its percent-encoding is undone.
 */
int r307_geovalue_pick(const r307_geosource_t *source, const char *raw,
                       apr_size_t len, apr_pool_t *pool, r307_geotext_t *out);

/*
 * Understand text as the field and note it in facts: 1 when it says something
 * (that the visitor comes through Tor, too), 0 when it says nothing, and then
 * facts are as before. text[len] must be readable.
 *
 * COUNTRY comes first: a region without its country in it ("CA") belongs to
 * the country that facts has, and a region of another country is not
 * believed; so is any place of a visitor who comes through Tor. A region that
 * names its country ("US-CA") sets the country if none is known. LATITUDE
 * and LONGITUDE count in either order; when both are zero neither does.
 */
int r307_geovalue_set(r307_facts_t *facts, r307_field_t field,
                      const char *text, apr_size_t len, apr_pool_t *pool);

/*
 * The country that a region names by itself: "US-CA", "USCA", and with least
 * 3 also "AT9". least: the shortest region without hyphen in which two
 * letters are taken for a country; with 4, "ENG" and "BAS" never are. NULL
 * when it names none.
 */
const r307_country_t *r307_geovalue_region_country(const char *text,
                                                   apr_size_t len,
                                                   apr_size_t least);

#endif
