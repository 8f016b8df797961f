/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * One value out of a header that is JSON, or base64 of JSON.
 */
#ifndef R307_GEOJSON_H
#define R307_GEOJSON_H

#include "core/r307_geovalue.h"

/* Let the library draw what it draws once in a process (the seed of its
 * hashes, against keys chosen to collide). When the configuration is read;
 * else the first request would do it. */
void r307_geojson_prepare(void);

/* 1 when names can be looked up ("country.code"): at most 8, joined by dots,
 * none empty, 128 bytes together. */
int r307_geojson_path_ok(const char *path);

/*
 * Replace *t, not empty, by what the path leads to in it: text or a number,
 * with six decimals if it is no integer (and then none from 1,000 on). A name
 * that is a number leads into an array. 0 when there is no such value, when
 * *t is neither an object nor base64 of one (RFC 4648 sections 4 and 5,
 * padded or not), when a key comes twice or when it is nested deeper than 16;
 * *t is undefined then. Any thread; the ceiling of its length is the caller's.
 */
int r307_geojson_find(const char *path, r307_geotext_t *t, apr_pool_t *pool);

#endif
