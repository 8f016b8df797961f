/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the syntax of one source: kind, name, format, and what each may hold.
 * Must not know of lists and presets. Declared in r307_geofrom.h; called by
 * geofrom.
 */
#include "core/r307_geofrom.h"
#include "core/r307_geojson.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

#define KEY_MAX 64

static const char legal_source[] =
    "write header:NAME, env:NAME, cookie:NAME, query:NAME or mmdb:PATH";

/* ---- what may stand in names ---- */

/* RFC 9110 section 5.6.2: header names, and RFC 6265: names of cookies. */
static int is_token(const char *s)
{
    for (; *s; s++) {
        if (!apr_isascii(*s)
            || (!apr_isalnum(*s) && !strchr("!#$%&'*+-.^_`|~", *s))) {
            return 0;
        }
    }
    return 1;
}

static int has_none_of(const char *s, const char *bytes)
{
    for (; *s; s++) {
        if ((unsigned char)*s <= ' ' || *s == 0x7f || strchr(bytes, *s)) {
            return 0;
        }
    }
    return 1;
}

static int is_variable(const char *s)
{
    return has_none_of(s, "=:");
}

static int is_parameter(const char *s)
{
    return has_none_of(s, "=:&#");
}

static int is_path(const char *s)
{
    (void)s;                    /* the file system knows better */
    return 1;
}

static const struct kind_t {
    const char *name;           /* with the colon */
    const char *what;
    int formats;                /* may a format follow? */
    r307_geo_format_t format;   /* when none does */
    int (*is_name)(const char *s);
    const char *legal;
} kinds[] = {
    [R307_GEO_HEADER] = { "header:", "header", 1, R307_GEO_PLAIN, is_token,
                          "letters, digits and !#$%&'*+-.^_`|~" },
    [R307_GEO_ENV] = { "env:", "variable", 1, R307_GEO_PLAIN, is_variable,
                       "no blanks, '=' or ':'" },
    [R307_GEO_COOKIE] = { "cookie:", "cookie", 0, R307_GEO_COOKIES, is_token,
                          "letters, digits and !#$%&'*+-.^_`|~, and no "
                          "format" },
    [R307_GEO_QUERY] = { "query:", "parameter", 0, R307_GEO_PARAMETERS,
                         is_parameter, "its decoded name without blanks, "
                         "'=', '&', '#' or ':', and no format" },
    [R307_GEO_MMDB] = { "mmdb:", "database", 0, R307_GEO_PLAIN, is_path,
                        "a path" }
};

#define NKINDS ((int)(sizeof kinds / sizeof kinds[0]))

/* ---- formats ---- */

static int parse_key(r307_geosource_t *source)
{
    apr_size_t len = strlen(source->key);

    return len > 0 && len <= KEY_MAX && has_none_of(source->key, ",=");
}

static int parse_path(r307_geosource_t *source)
{
    r307_geojson_prepare();
    return r307_geojson_path_ok(source->key);
}

static int parse_number(r307_geosource_t *source)
{
    const char *s = source->key;
    apr_size_t len = strlen(s);

    source->key = NULL;
    if (len < 1 || len > 2 || strspn(s, "0123456789") != len) {
        return 0;
    }
    source->number = (int)apr_strtoi64(s, NULL, 10);
    return source->number >= 1 && source->number <= R307_GEOFROM_ITEMS_MAX;
}

static const struct format_t {
    const char *name;           /* with the colon */
    r307_geo_format_t format;
    int (*parse)(r307_geosource_t *source);     /* key: what follows */
    const char *legal;
} formats[] = {
    { "kv:", R307_GEO_KV, parse_key,
      "kv:KEY with at most 64 bytes without blanks, '=' or ','" },
    { "json:", R307_GEO_JSON, parse_path,
      "json:PATH with at most 8 names joined by dots, as in "
      "json:country.code" },
    { "list:", R307_GEO_LIST, parse_number, "list:N with N from 1 to 32" }
};

#define NFORMATS ((int)(sizeof formats / sizeof formats[0]))

static apr_status_t parse_format(const char *text, r307_geosource_t *source,
                                 r307_error_t *err)
{
    int i;

    for (i = 0; i < NFORMATS; i++) {
        apr_size_t len = strlen(formats[i].name);
        if (strncasecmp(formats[i].name, text, len) == 0) {
            source->format = formats[i].format;
            source->key = text + len;
            return formats[i].parse(source) ? APR_SUCCESS
                : r307_error_set(err, "R307-0707: the format '%s' is not "
                                 "complete or not legal; write %s",
                                 r307_error_show(err, text, strlen(text)),
                                 formats[i].legal);
        }
    }
    return r307_error_set(err, "R307-0706: unknown format '%s'; write kv:KEY, "
                          "json:PATH or list:N, or nothing for a value that "
                          "stands alone",
                          r307_error_show(err, text, strlen(text)));
}

/* How a value is written that stands alone. */
static void plain_format(r307_geosource_t *source)
{
    if (source->format == R307_GEO_PLAIN) {
        source->format =
            source->field == R307_FIELD_CITY ? R307_GEO_ESCAPED
            : source->field == R307_FIELD_LANGUAGE ? R307_GEO_RANGES
            : R307_GEO_PLAIN;
    }
}

/* ---- the whole source ---- */

/* Everybody sends Accept-Language, and may. */
static int is_from_proxy(const r307_geosource_t *source)
{
    return source->kind == R307_GEO_HEADER
           && (source->field != R307_FIELD_LANGUAGE
               || strcasecmp(source->name, "Accept-Language") != 0);
}

static int kind_of(const char *text)
{
    int i;

    for (i = 0; i < NKINDS; i++) {
        if (strncasecmp(kinds[i].name, text, strlen(kinds[i].name)) == 0) {
            return i;
        }
    }
    return -1;
}

static apr_status_t check_name(const r307_geosource_t *source,
                               r307_error_t *err)
{
    const struct kind_t *kind = &kinds[source->kind];

    if (!*source->name) {
        return r307_error_set(err, "R307-0704: '%s' names no %s; write its "
                              "name behind the colon", kind->name,
                              kind->what);
    }
    if (!kind->is_name(source->name)) {
        return r307_error_set(err, "R307-0705: '%s' is not the name of a %s; "
                              "write %s",
                              r307_error_show(err, source->name,
                                              strlen(source->name)),
                              kind->what, kind->legal);
    }
    return APR_SUCCESS;
}

static apr_status_t check_database(r307_field_t field, const char *text,
                                   r307_error_t *err)
{
    if (field == R307_FIELD_LANGUAGE || field == R307_FIELD_LATITUDE
        || field == R307_FIELD_LONGITUDE) {
        return r307_error_set(err, "R307-0708: no database has the field of "
                              "'%s'; write country=, region=, continent=, "
                              "city= or latlong=, or nothing before mmdb: "
                              "for all of them",
                              r307_error_show(err, text, strlen(text)));
    }
    return APR_SUCCESS;
}

apr_status_t r307_geosource_parse(r307_field_t field, const char *text,
                                  apr_pool_t *pool, r307_geosource_t *source,
                                  r307_error_t *err)
{
    int kind = kind_of(text);
    char *name, *format = NULL;
    apr_status_t rv;

    memset(source, 0, sizeof *source);
    if (kind < 0) {
        return r307_error_set(err, "R307-0703: '%s' is not a source; %s",
                              r307_error_show(err, text, strlen(text)),
                              legal_source);
    }
    name = apr_pstrdup(pool, text + strlen(kinds[kind].name));
    if (kinds[kind].formats && (format = strchr(name, ':')) != NULL) {
        *format++ = '\0';
    }
    source->kind = (r307_geo_kind_t)kind;
    source->format = kinds[kind].format;
    source->field = field;
    source->name = name;
    rv = check_name(source, err);
    if (rv == APR_SUCCESS && kind == R307_GEO_MMDB) {
        rv = check_database(field, text, err);
    }
    if (rv == APR_SUCCESS && format) {
        rv = parse_format(format, source, err);
    }
    plain_format(source);
    source->trusted_only = is_from_proxy(source) ? 1 : 0;
    return rv;
}

const char *r307_geosource_text(const r307_geosource_t *source,
                                apr_pool_t *pool)
{
    return apr_pstrcat(pool, kinds[source->kind].name, source->name, NULL);
}
