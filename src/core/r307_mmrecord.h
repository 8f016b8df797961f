/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * One record of a MaxMind DB file, read in one pass.
 *
 * libmaxminddb looks values up one path at a time and reads the record from
 * its start for each: 11,000 to 18,000 instructions for the values below in
 * MaxMind's test database of cities. One pass takes 5,000, and 1,500 for the
 * country alone. Versions of the library before 1.13 also follow nested values
 * as deep as a damaged file says.
 */
#ifndef R307_MMRECORD_H
#define R307_MMRECORD_H

#include <apr.h>

/* Keys, lengths and values that are read before a record counts as damaged.
 * The largest that MaxMind sells have about 200. */
#define R307_MMRECORD_ITEMS_MAX 4096

/* The values that are looked for. Where makers differ, the first path is that
 * of MaxMind and DB-IP, the others are of IPinfo and of flat databases. */
typedef enum r307_mmrecord_slot_t {
    R307_MMRECORD_COUNTRY,      /* country/iso_code; country */
    R307_MMRECORD_COUNTRY_CODE, /* country_code */
    R307_MMRECORD_REGISTERED,   /* registered_country/iso_code */
    R307_MMRECORD_REGION,       /* subdivisions/0/iso_code; region_code */
    R307_MMRECORD_CONTINENT,    /* continent/code; continent */
    R307_MMRECORD_CONTINENT_CODE,   /* continent_code */
    R307_MMRECORD_CITY,         /* city/names/en; city */
    R307_MMRECORD_LATITUDE,     /* location/latitude; latitude; lat */
    R307_MMRECORD_LONGITUDE,    /* location/longitude; longitude; lng */
    R307_MMRECORD_SLOTS
} r307_mmrecord_slot_t;

#define R307_MMRECORD_BIT(slot) (1u << (slot))

typedef enum r307_mmrecord_type_t {
    R307_MMRECORD_ABSENT,       /* or of a type that no place has */
    R307_MMRECORD_TEXT,         /* bytes of the file: not terminated, not
                                 * checked, as long-lived as the mapping */
    R307_MMRECORD_NUMBER        /* double or float; may be NaN */
} r307_mmrecord_type_t;

typedef struct r307_mmrecord_value_t {
    r307_mmrecord_type_t type;
    apr_uint32_t len;           /* of text */
    const char *text;
    double number;
} r307_mmrecord_value_t;

/*
 * Read the record at `offset` of the data section (MaxMind DB file format
 * 2.0, "Output Data Section") into values[R307_MMRECORD_SLOTS], until all of
 * `slots` (R307_MMRECORD_BIT) are found. Others may be found on the way. A
 * country of two bytes stands for country_code and the registered country as
 * well, a continent of two bytes for continent_code. 0: damaged; then values
 * are not to be used. 1: sound as far as it was read; a record that is not a
 * map has no values.
 */
int r307_mmrecord_read(const unsigned char *section, apr_size_t len,
                       apr_size_t offset, unsigned slots,
                       r307_mmrecord_value_t *values);

#endif
