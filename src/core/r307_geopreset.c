/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the names of presets and fields, and what each preset stands for: the
 * same words that anybody could write. Must not know how sources are read.
 * Called by geofrom.
 */
#include "core/r307_geofrom.h"

#include <apr_strings.h>

#include <string.h>

static const char *const fields[R307_FIELDS] = {
    [R307_FIELD_COUNTRY] = "country",
    [R307_FIELD_REGION] = "region",
    [R307_FIELD_CONTINENT] = "continent",
    [R307_FIELD_CITY] = "city",
    [R307_FIELD_LATLONG] = "latlong",
    [R307_FIELD_LATITUDE] = "latitude",
    [R307_FIELD_LONGITUDE] = "longitude",
    [R307_FIELD_LANGUAGE] = "language"
};

typedef struct preset_t {
    const char *name;
    const char *words[11];      /* NULL behind the last */
} preset_t;

/*
 * fastly, google-lb and azure: the site chooses the names of the headers, and
 * these are names that sites have chosen. Only one of several names is what the
 * provider sends; the others a client could send, which is why sources that
 * contradict each other do not count (r307_georead.c).
 */
static const preset_t presets[] = {
    { "cloudflare",
      { "country=header:CF-IPCountry", "region=header:CF-Region-Code",
        "continent=header:CF-IPContinent", "city=header:CF-IPCity",
        "latitude=header:CF-IPLatitude",
        "longitude=header:CF-IPLongitude" } },
    { "cloudfront",
      { "country=header:CloudFront-Viewer-Country",
        "region=header:CloudFront-Viewer-Country-Region",
        "city=header:CloudFront-Viewer-City",
        "latitude=header:CloudFront-Viewer-Latitude",
        "longitude=header:CloudFront-Viewer-Longitude" } },
    { "fastly",
      { "country=header:Client-Geo-Country", "|country=header:X-Country",
        "|country=header:Fastly-GeoIP-Country-Code",
        "region=header:Client-Geo-Region",
        "continent=header:Client-Geo-Continent",
        "city=header:Client-Geo-City",
        "latitude=header:Client-Geo-Latitude",
        "longitude=header:Client-Geo-Longitude" } },
    { "akamai",
      { "country=header:X-Akamai-Edgescape:kv:country_code",
        "region=header:X-Akamai-Edgescape:kv:region_code",
        "continent=header:X-Akamai-Edgescape:kv:continent",
        "city=header:X-Akamai-Edgescape:kv:city",
        "latitude=header:X-Akamai-Edgescape:kv:lat",
        "longitude=header:X-Akamai-Edgescape:kv:long" } },
    { "google-lb",
      { "country=header:X-Client-Region",
        "|country=header:X-Client-Geo-Location:list:1",
        "region=header:X-Client-Region-Subdivision",
        "city=header:X-Client-City",
        "|city=header:X-Client-Geo-Location:list:2",
        "latlong=header:X-Client-City-Lat-Long",
        "|latlong=header:X-Client-Lat-Long" } },
    { "appengine",
      { "country=header:X-Appengine-Country",
        "region=header:X-Appengine-Region",
        "city=header:X-Appengine-City",
        "latlong=header:X-Appengine-CityLatLong" } },
    { "vercel",
      { "country=header:X-Vercel-IP-Country",
        "region=header:X-Vercel-IP-Country-Region",
        "continent=header:X-Vercel-IP-Continent",
        "city=header:X-Vercel-IP-City",
        "latitude=header:X-Vercel-IP-Latitude",
        "longitude=header:X-Vercel-IP-Longitude" } },
    { "netlify",
      { "country=header:X-Country",
        "country=header:X-NF-Geo:json:country.code",
        "region=header:X-NF-Geo:json:subdivision.code",
        "city=header:X-NF-Geo:json:city",
        "latitude=header:X-NF-Geo:json:latitude",
        "longitude=header:X-NF-Geo:json:longitude" } },
    { "azure", { "country=header:X-Azure-Geo-Country" } }
};

#define NPRESETS (sizeof presets / sizeof presets[0])

const char *r307_geofield_name(r307_field_t field)
{
    return fields[field];
}

r307_field_t r307_geofield_find(const char *name, apr_size_t len)
{
    int i;

    for (i = 0; i < R307_FIELDS; i++) {
        if (strlen(fields[i]) == len
            && strncasecmp(fields[i], name, len) == 0) {
            return (r307_field_t)i;
        }
    }
    return R307_FIELDS;
}

const char *r307_geofield_names(apr_pool_t *pool)
{
    const char *names = fields[0];
    int i;

    for (i = 1; i < R307_FIELDS; i++) {
        names = apr_pstrcat(pool, names,
                            i == R307_FIELDS - 1 ? " and " : ", ", fields[i],
                            NULL);
    }
    return names;
}

const char *const *r307_geopreset_find(const char *name)
{
    unsigned i;

    for (i = 0; i < NPRESETS; i++) {
        if (strcasecmp(presets[i].name, name) == 0) {
            return presets[i].words;
        }
    }
    return NULL;
}

const char *r307_geopreset_names(apr_pool_t *pool)
{
    const char *names = presets[0].name;
    unsigned i;

    for (i = 1; i < NPRESETS; i++) {
        names = apr_pstrcat(pool, names, i == NPRESETS - 1 ? " and " : ", ",
                            presets[i].name, NULL);
    }
    return names;
}
