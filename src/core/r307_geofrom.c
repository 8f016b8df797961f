/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the lists of sources: how words fill them, how they are completed, and
 * what an answer that depends on them has to tell caches. Must not know what
 * values look like. Called by the directive and, frozen, by georead.
 */
#include "core/r307_geofrom.h"

#include <apr_strings.h>
#include <apr_tables.h>

#include <stdlib.h>
#include <string.h>

struct r307_geofrom_t {
    apr_pool_t *pool;
    r307_geofrom_resolve_fn *resolve;
    void *ctx;
    apr_array_header_t *sources[R307_FIELDS];   /* of r307_geosource_t */
    apr_array_header_t *databases;              /* of const char * */
    int ranks;
    int frozen;
};

#define SOURCE(list, i) APR_ARRAY_IDX(list, i, r307_geosource_t)

r307_geofrom_t *r307_geofrom_create(apr_pool_t *pool,
                                    r307_geofrom_resolve_fn *resolve,
                                    void *ctx)
{
    r307_geofrom_t *from = apr_pcalloc(pool, sizeof *from);
    int i;

    from->pool = pool;
    from->resolve = resolve;
    from->ctx = ctx;
    for (i = 0; i < R307_FIELDS; i++) {
        from->sources[i] = apr_array_make(pool, 2, sizeof(r307_geosource_t));
    }
    from->databases = apr_array_make(pool, 1, sizeof(const char *));
    return from;
}

/* ---- words ---- */

/* Give the source the absolute path and the number of its database. */
static apr_status_t add_database(r307_geofrom_t *from,
                                 r307_geosource_t *source, r307_error_t *err)
{
    const char *path = source->name;
    int i;

    if (from->resolve) {
        path = from->resolve(from->ctx, from->pool, path);
    }
    if (!path) {
        return r307_error_set(err, "R307-0709: '%s' cannot be made a path of "
                              "a database; write an absolute path, or one "
                              "below ServerRoot",
                              r307_error_show(err, source->name,
                                              strlen(source->name)));
    }
    for (i = 0; i < from->databases->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(from->databases, i, const char *), path)
            == 0) {
            break;
        }
    }
    if (i == R307_GEOFROM_DATABASES_MAX) {
        return r307_error_set(err, "R307-0711: '%s' is one database too many; "
                              "at most %d can be named",
                              r307_error_show(err, path, strlen(path)),
                              R307_GEOFROM_DATABASES_MAX);
    }
    if (i == from->databases->nelts) {
        APR_ARRAY_PUSH(from->databases, const char *) = path;
    }
    source->name = path;
    source->number = i;
    return APR_SUCCESS;
}

static apr_status_t add_source(r307_geofrom_t *from, r307_field_t field,
                               const char *text, int alternative,
                               r307_error_t *err)
{
    apr_array_header_t *list = from->sources[field];
    r307_geosource_t source;
    apr_status_t rv =
        r307_geosource_parse(field, text, from->pool, &source, err);

    if (rv == APR_SUCCESS && source.kind == R307_GEO_MMDB) {
        rv = add_database(from, &source, err);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (list->nelts == R307_GEOFROM_SOURCES_MAX) {
        return r307_error_set(err, "R307-0710: '%s' is one source too many; a "
                              "field can have %d, the preset's included",
                              r307_error_show(err, text, strlen(text)),
                              R307_GEOFROM_SOURCES_MAX);
    }
    source.rank = from->ranks++;
    source.alternative = alternative ? 1 : 0;
    APR_ARRAY_PUSH(list, r307_geosource_t) = source;
    return APR_SUCCESS;
}

/* "field=source", from a preset with '|' in front. */
static apr_status_t add_assignment(r307_geofrom_t *from, const char *word,
                                   int alternative, r307_error_t *err)
{
    apr_size_t len = strcspn(word, "=");
    r307_field_t field = r307_geofield_find(word, len);

    if (field == R307_FIELDS) {
        return r307_error_set(err, "R307-0702: unknown field in '%s'; the "
                              "fields are %s",
                              r307_error_show(err, word, strlen(word)),
                              r307_geofield_names(err->pool));
    }
    return add_source(from, field, word + len + 1, alternative, err);
}

static apr_status_t add_preset(r307_geofrom_t *from,
                               const char *const *words, r307_error_t *err)
{
    apr_status_t rv = APR_SUCCESS;

    for (; *words && rv == APR_SUCCESS; words++) {
        int alternative = **words == '|';
        rv = add_assignment(from, *words + alternative, alternative, err);
    }
    return rv;
}

/* A database for whatever it has. */
static apr_status_t add_all(r307_geofrom_t *from, const char *text,
                            r307_error_t *err)
{
    static const r307_field_t fields[] = {
        R307_FIELD_COUNTRY, R307_FIELD_REGION, R307_FIELD_CONTINENT,
        R307_FIELD_CITY, R307_FIELD_LATLONG
    };
    apr_status_t rv = APR_SUCCESS;
    unsigned i;

    for (i = 0; i < sizeof fields / sizeof fields[0] && rv == APR_SUCCESS;
         i++) {
        rv = add_source(from, fields[i], text, 0, err);
    }
    return rv;
}

apr_status_t r307_geofrom_add(r307_geofrom_t *from, const char *word,
                              r307_error_t *err)
{
    const char *const *preset = r307_geopreset_find(word);

    if (from->frozen) {
        return r307_error_set(err, "R307-0712: '%s' comes after the sources "
                              "have been put in order; name all of them "
                              "before",
                              r307_error_show(err, word, strlen(word)));
    }
    if (preset) {
        return add_preset(from, preset, err);
    }
    if (strncasecmp(word, "mmdb:", 5) == 0) {
        return add_all(from, word, err);
    }
    if (strchr(word, '=')) {
        return add_assignment(from, word, 0, err);
    }
    return r307_error_set(err, "R307-0701: '%s' is neither a preset nor "
                          "field=source nor mmdb:PATH; the presets are %s, "
                          "the fields are %s, and a source is header:NAME, "
                          "env:NAME, cookie:NAME, query:NAME or mmdb:PATH",
                          r307_error_show(err, word, strlen(word)),
                          r307_geopreset_names(err->pool),
                          r307_geofield_names(err->pool));
}

/* ---- completing ---- */

static int by_rank(const void *a, const void *b)
{
    return ((const r307_geosource_t *)a)->rank
           - ((const r307_geosource_t *)b)->rank;
}

static void sort(apr_array_header_t *list)
{
    qsort(list->elts, (size_t)list->nelts, (size_t)list->elt_size, by_rank);
}

/* Latitudes, each with its longitude, go among the sources of both at once. A
 * latitude of one place with the longitude of another would be a third. */
static apr_status_t pair_degrees(r307_geofrom_t *from, r307_error_t *err)
{
    apr_array_header_t *latitudes = from->sources[R307_FIELD_LATITUDE];
    apr_array_header_t *longitudes = from->sources[R307_FIELD_LONGITUDE];
    int i;

    if (latitudes->nelts != longitudes->nelts) {
        return r307_error_set(err, "R307-0713: there are %d sources of "
                              "latitude and %d of longitude; write both, in "
                              "the same order, since the first belongs to "
                              "the first", latitudes->nelts,
                              longitudes->nelts);
    }
    for (i = 0; i < latitudes->nelts; i++) {
        r307_geosource_t pair = SOURCE(latitudes, i);
        pair.partner = apr_pmemdup(from->pool, &SOURCE(longitudes, i),
                                   sizeof(r307_geosource_t));
        APR_ARRAY_PUSH(from->sources[R307_FIELD_LATLONG], r307_geosource_t) =
            pair;
    }
    apr_array_clear(latitudes);
    apr_array_clear(longitudes);
    sort(from->sources[R307_FIELD_LATLONG]);
    return APR_SUCCESS;
}

/*
 * A region may name its country. One that the visitor chose speaks for the
 * country where the visitor's word counts; others do when no source gives the
 * country at all, so that answers do not vary by region for nothing.
 */
static void add_regions_to_countries(r307_geofrom_t *from)
{
    apr_array_header_t *regions = from->sources[R307_FIELD_REGION];
    apr_array_header_t *countries = from->sources[R307_FIELD_COUNTRY];
    int alone = countries->nelts == 0, i;

    for (i = 0; i < regions->nelts; i++) {
        r307_geosource_t region = SOURCE(regions, i);
        if (region.kind == R307_GEO_MMDB) {
            region.field = R307_FIELD_COUNTRY;
        }
        if (alone || r307_geosource_uses(&region) & R307_GEOFROM_VISITOR) {
            APR_ARRAY_PUSH(countries, r307_geosource_t) = region;
        }
    }
    sort(countries);
}

static void add_accept_language(r307_geofrom_t *from)
{
    apr_array_header_t *list = from->sources[R307_FIELD_LANGUAGE];
    r307_geosource_t source;
    int i;

    for (i = 0; i < list->nelts; i++) {
        if (SOURCE(list, i).kind == R307_GEO_HEADER
            && !SOURCE(list, i).trusted_only) {
            return;
        }
    }
    memset(&source, 0, sizeof source);
    source.kind = R307_GEO_HEADER;
    source.format = R307_GEO_RANGES;
    source.field = R307_FIELD_LANGUAGE;
    source.name = "Accept-Language";
    source.rank = from->ranks++;
    APR_ARRAY_PUSH(list, r307_geosource_t) = source;
}

apr_status_t r307_geofrom_freeze(r307_geofrom_t *from, r307_error_t *err)
{
    apr_status_t rv;

    if (from->frozen) {
        return APR_SUCCESS;
    }
    rv = pair_degrees(from, err);
    if (rv == APR_SUCCESS) {
        add_regions_to_countries(from);
        add_accept_language(from);
        from->frozen = 1;
    }
    return rv;
}

/* ---- a frozen list ---- */

#define DEGREES \
    (R307_FIELD_BIT(R307_FIELD_LATLONG) | R307_FIELD_BIT(R307_FIELD_LATITUDE) \
     | R307_FIELD_BIT(R307_FIELD_LONGITUDE))

unsigned r307_geofrom_needs(unsigned fields)
{
    if (fields & DEGREES) {
        fields = (fields & ~DEGREES) | R307_FIELD_BIT(R307_FIELD_LATLONG);
    }
    if (fields & ~R307_FIELD_BIT(R307_FIELD_LANGUAGE)) {
        fields |= R307_FIELD_BIT(R307_FIELD_COUNTRY);
    }
    return fields;
}

const r307_geosource_t *r307_geofrom_sources(const r307_geofrom_t *from,
                                             r307_field_t field, int *count)
{
    *count = from->sources[field]->nelts;
    return (const r307_geosource_t *)from->sources[field]->elts;
}

const r307_geosource_t *r307_geofrom_only(const r307_geofrom_t *from,
                                          unsigned fields)
{
    unsigned needs = r307_geofrom_needs(fields), left;
    const r307_geosource_t *only = NULL;

    for (left = needs; left; left &= left - 1) {
        r307_field_t field = (r307_field_t)__builtin_ctz(left);
        int count;
        const r307_geosource_t *list = r307_geofrom_sources(from, field,
                                                            &count);

        if (count > 1 || (count && (only || list->field != field))) {
            return NULL;
        }
        only = count ? list : only;
    }
    if (!only || only->partner) {
        return NULL;
    }
    /* A database knows more than it may be asked for. A region does not
     * count without its country. */
    return (only->kind == R307_GEO_MMDB && !(needs & (needs - 1)))
           || (only->kind == R307_GEO_HEADER
               && only->field != R307_FIELD_REGION
               && (only->format == R307_GEO_PLAIN
                   || only->format == R307_GEO_RANGES)) ? only : NULL;
}

const char *const *r307_geofrom_databases(const r307_geofrom_t *from,
                                          int *count)
{
    *count = from->databases->nelts;
    return (const char *const *)from->databases->elts;
}

unsigned r307_geosource_uses(const r307_geosource_t *source)
{
    switch (source->kind) {
    case R307_GEO_COOKIE:
    case R307_GEO_QUERY:
        return R307_GEOFROM_VISITOR;
    case R307_GEO_ENV:
    case R307_GEO_MMDB:
        return R307_GEOFROM_UNSEEN;
    default:
        return source->trusted_only ? R307_GEOFROM_TRUSTED : 0;
    }
}

typedef void visit_fn(const r307_geosource_t *source, void *ctx);

/* Every source that could matter for the fields, partners included. */
static void each_source(const r307_geofrom_t *from, unsigned fields,
                        visit_fn *visit, void *ctx)
{
    unsigned needs = r307_geofrom_needs(fields);
    int field, i;

    for (field = 0; field < R307_FIELDS; field++) {
        const apr_array_header_t *list = from->sources[field];
        for (i = 0; needs & R307_FIELD_BIT(field) && i < list->nelts; i++) {
            visit(&SOURCE(list, i), ctx);
            if (SOURCE(list, i).partner) {
                visit(SOURCE(list, i).partner, ctx);
            }
        }
    }
}

static void collect_uses(const r307_geosource_t *source, void *ctx)
{
    *(unsigned *)ctx |= r307_geosource_uses(source);
}

unsigned r307_geofrom_uses(const r307_geofrom_t *from, unsigned fields)
{
    unsigned uses = 0;

    each_source(from, fields, collect_uses, &uses);
    return uses;
}

static void collect_header(const r307_geosource_t *source, void *ctx)
{
    apr_array_header_t *names = ctx;
    const char *name = source->kind == R307_GEO_HEADER ? source->name
                     : source->kind == R307_GEO_COOKIE ? "Cookie" : NULL;
    int i;

    for (i = 0; name && i < names->nelts; i++) {
        if (strcasecmp(APR_ARRAY_IDX(names, i, const char *), name) == 0) {
            return;
        }
    }
    if (name) {
        APR_ARRAY_PUSH(names, const char *) = name;
    }
}

const char *r307_geofrom_vary(const r307_geofrom_t *from, unsigned fields,
                              apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 4, sizeof(const char *));
    const char *vary = "";
    int i;

    each_source(from, fields, collect_header, names);
    for (i = 0; i < names->nelts; i++) {
        vary = apr_pstrcat(pool, vary, i ? ", " : "",
                           APR_ARRAY_IDX(names, i, const char *), NULL);
    }
    return vary;
}
