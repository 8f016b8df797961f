/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Countries: which codes there are, and the continent, the membership in the
 * European Union and the place of each, for providers that send the code only.
 * Constant data; every function may be called by any thread.
 */
#ifndef R307_COUNTRY_H
#define R307_COUNTRY_H

/* The seven that address databases use. Antarctica has its nearby islands. */
typedef enum r307_continent_t {
    R307_CONTINENT_NONE,
    R307_CONTINENT_AF,
    R307_CONTINENT_AN,
    R307_CONTINENT_AS,
    R307_CONTINENT_EU,
    R307_CONTINENT_NA,
    R307_CONTINENT_OC,
    R307_CONTINENT_SA
} r307_continent_t;

/*
 * ISO 3166-1 alpha-2, and XK for Kosovo.
 *
 * eu: the 27 member states of 2026, and the parts of them that have codes of
 * their own and in which the law of the Union holds, data protection
 * included: GF, GP, MF, MQ, RE, YT and AX. Not the overseas countries and
 * territories (NC, PF, PM, BL, GL, AW ...), which are outside the Union, nor
 * the other states of the European Economic Area (IS, LI, NO).
 *
 * latitude, longitude: a place to measure from when nothing better is known:
 * the centroid of the largest piece of land. For FR it lies in Europe, for US
 * between the two oceans. RU is cut at 60 degrees east, since most of its
 * people live west of that.
 */
typedef struct r307_country_t {
    char code[3];               /* upper case */
    unsigned char continent;    /* an r307_continent_t, never NONE */
    unsigned char eu;           /* 0 or 1 */
    float latitude;             /* degrees, north positive */
    float longitude;            /* degrees, east positive */
} r307_country_t;

/*
 * The country of a code in either case; UK is GB. NULL for everything else,
 * NULL included: XX, ZZ, T1, EU and three letters are no countries. One look
 * into a table, whatever the code.
 */
const r307_country_t *r307_country_find(const char *code);

/* The same for two bytes. */
const r307_country_t *r307_country_find_two(const char *bytes);

/* All countries, numbered from 0; more than there will ever be. */
#define R307_COUNTRIES_MAX 256
unsigned r307_country_number(const r307_country_t *country);
/* NULL behind the last. */
const r307_country_t *r307_country_at(unsigned number);

/* The continent of a code in either case; NONE for everything else. */
r307_continent_t r307_continent_find(const char *code);

/* "EU" for R307_CONTINENT_EU; NULL for NONE and for no member of the enum. */
const char *r307_continent_code(r307_continent_t continent);

#endif
