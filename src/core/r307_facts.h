/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * What is known of a visitor: where they are and which language they read.
 * Filled from the sources that Redirect307GeoFrom names (r307_geofrom.h),
 * asked by the selectors of geo rules (r307_choice.h).
 */
#ifndef R307_FACTS_H
#define R307_FACTS_H

#include "core/r307_country.h"

/* The fields of Redirect307GeoFrom. */
typedef enum r307_field_t {
    R307_FIELD_COUNTRY,
    R307_FIELD_REGION,
    R307_FIELD_CONTINENT,
    R307_FIELD_CITY,
    R307_FIELD_LATLONG,         /* both in one value */
    R307_FIELD_LATITUDE,
    R307_FIELD_LONGITUDE,
    R307_FIELD_LANGUAGE,
    R307_FIELDS
} r307_field_t;

/* A set of fields. */
#define R307_FIELD_BIT(field) (1u << (field))

typedef struct r307_facts_t {
    const r307_country_t *country;  /* NULL: not known */
    int tor;                    /* a Tor exit; then country is NULL */
    char region[8];             /* "US-CA": upper case, ISO 3166-2; "": not
                                 * known */
    r307_continent_t continent; /* R307_CONTINENT_NONE: not known */
    const char *city;           /* UTF-8 without control bytes; NULL */
    unsigned known_position;    /* 1: latitude, 2: longitude, 3: both */
    double latitude;            /* degrees, north positive, -90 to 90 */
    double longitude;           /* degrees, east positive, -180 to 180 */
    const char *language;       /* what Accept-Language says, or a source of
                                 * the same form; NULL: nothing */
} r307_facts_t;

#endif
