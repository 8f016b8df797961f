/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Where facts about a visitor come from: the words of Redirect307GeoFrom as
 * lists of sources, one for each field, in order of preference. Built when the
 * configuration is read; frozen, it is constant and any thread may read it.
 */
#ifndef R307_GEOFROM_H
#define R307_GEOFROM_H

#include "core/r307_error.h"
#include "core/r307_geovalue.h"

/* Sources for one field. More would be asked for every visitor whose place is
 * not known. */
#define R307_GEOFROM_SOURCES_MAX 32

/* Databases, of all words together. Each is a mapping in every process. */
#define R307_GEOFROM_DATABASES_MAX 8

/* LIST: the largest item that can be asked for. */
#define R307_GEOFROM_ITEMS_MAX 32

#define R307_GEOFROM_ALL_FIELDS (R307_FIELD_BIT(R307_FIELDS) - 1)

typedef struct r307_geofrom_t r307_geofrom_t;

/*
 * Make the path of a database absolute, in pool; NULL when it is no path. NULL
 * instead of a function: paths are taken as they are.
 */
typedef const char *r307_geofrom_resolve_fn(void *ctx, apr_pool_t *pool,
                                            const char *path);

r307_geofrom_t *r307_geofrom_create(apr_pool_t *pool,
                                    r307_geofrom_resolve_fn *resolve,
                                    void *ctx);

/*
 * One word: a preset, field=source, or mmdb:PATH. APR_EINVAL with a sentence
 * (R307-0701 to 0712); the list is of no use then.
 */
apr_status_t r307_geofrom_add(r307_geofrom_t *from, const char *word,
                              r307_error_t *err);

/*
 * No word follows. Puts latitudes and longitudes in pairs (R307-0713), and
 * Accept-Language behind the other sources of the language. Without any word
 * that is all there is.
 */
apr_status_t r307_geofrom_freeze(r307_geofrom_t *from, r307_error_t *err);

/* ---- a frozen list ---- */

/*
 * The fields that decide about the given ones, themselves included: every
 * place depends on the country, and a position is one field, LATLONG.
 */
unsigned r307_geofrom_needs(unsigned fields);

/*
 * The sources of a field, the preferred first. In the list of COUNTRY may be
 * sources whose own field is REGION: those of which the country is read off
 * the region. LATITUDE and LONGITUDE are empty: their pairs are in LATLONG.
 */
const r307_geosource_t *r307_geofrom_sources(const r307_geofrom_t *from,
                                             r307_field_t field, int *count);

/*
 * The only source of all the given fields, though it tell but one of them: a
 * header that holds nothing but the value, or a database; NULL when there is
 * more to it. Of the header,
 * r307_geovalue_set() takes the value then, if it is at most
 * R307_GEOFROM_ONLY_MAX bytes long.
 */
#define R307_GEOFROM_ONLY_MAX 1024
const r307_geosource_t *r307_geofrom_only(const r307_geofrom_t *from,
                                          unsigned fields);

/* Paths of the databases, each once; a source's number is the index. */
const char *const *r307_geofrom_databases(const r307_geofrom_t *from,
                                          int *count);

/*
 * The value of Vary for answers that depend on the fields: the names of all
 * headers that sources of the needed fields read, each once, joined by ", ";
 * "Cookie" for cookies. "" for none: a parameter is part of the URL.
 */
const char *r307_geofrom_vary(const r307_geofrom_t *from, unsigned fields,
                              apr_pool_t *pool);

/* What sources of the needed fields are like, r307_geofrom_uses(). */
#define R307_GEOFROM_TRUSTED 1u /* headers that only trusted peers may send */
#define R307_GEOFROM_VISITOR 2u /* cookies and parameters: the visitor says */
#define R307_GEOFROM_UNSEEN  4u /* variables and databases: no header tells a
                                 * cache what the answer depends on */

unsigned r307_geofrom_uses(const r307_geofrom_t *from, unsigned fields);

/* The same for one source. */
unsigned r307_geosource_uses(const r307_geosource_t *source);

/* Kind and name: "header:CF-IPCountry". */
const char *r307_geosource_text(const r307_geosource_t *source,
                                apr_pool_t *pool);

/* "country", "latlong": the name of a field. */
const char *r307_geofield_name(r307_field_t field);

/* ---- spelling, for r307_geofrom.c ---- */

/* A field by name, in any case; R307_FIELDS for none. */
r307_field_t r307_geofield_find(const char *name, apr_size_t len);

/* All names of fields, joined for a sentence. */
const char *r307_geofield_names(apr_pool_t *pool);

/* The words that a preset stands for, NULL-terminated; NULL for no preset.
 * '|' in front of a word: another name for what the word before it names. */
const char *const *r307_geopreset_find(const char *name);

const char *r307_geopreset_names(apr_pool_t *pool);

/*
 * "header:NAME[:FORMAT]" and so on, for the field (R307-0703 to 0708). Strings
 * of *source are in pool; rank and number of a database are left to the caller.
 */
apr_status_t r307_geosource_parse(r307_field_t field, const char *text,
                                  apr_pool_t *pool, r307_geosource_t *source,
                                  r307_error_t *err);

#endif
