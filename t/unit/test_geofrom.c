/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Redirect307GeoFrom: words, what caches are told, in which order sources are
 * believed; and t/data/geo.tsv, what whole requests come to.
 */
#include "tap.h"

#include "core/r307_georead.h"
#include "core/r307_language.h"

#include <apr_file_io.h>

#include <stdlib.h>
#include <strings.h>

#define ENOUGH 150
#define COLUMNS 5

static const char *resolve(void *ctx, apr_pool_t *pool, const char *path)
{
    return strcmp(path, "bad") == 0 ? NULL
        : *path == '/' ? path : apr_pstrcat(pool, ctx, path, NULL);
}

/* NULL when a word fails; then err says why. */
static r307_geofrom_t *from_words(const char *words, r307_error_t *err)
{
    static char root[] = "/srv/";
    r307_geofrom_t *from = r307_geofrom_create(tap_pool, resolve, root);
    char *copy = apr_pstrdup(tap_pool, words), *state, *word;

    for (word = apr_strtok(copy, " ", &state); word;
         word = apr_strtok(NULL, " ", &state)) {
        if (r307_geofrom_add(from, word, err) != APR_SUCCESS) {
            return NULL;
        }
    }
    return r307_geofrom_freeze(from, err) == APR_SUCCESS ? from : NULL;
}

/* ---- words ---- */

static const struct {
    const char *words, *id, *value;
} errors[] = {
    { "cloudfare", "R307-0701", "cloudfare" },
    { "cloudfare", "R307-0701", "cloudfront, fastly" },
    { "", "", "" },
    { "header:X-Country", "R307-0701", "header:X-Country" },
    { "cloudflare geo", "R307-0701", "'geo'" },
    { "coutry=header:A", "R307-0702", "coutry=header:A" },
    { "coutry=header:A", "R307-0702", "longitude and language" },
    { "=header:A", "R307-0702", "=header:A" },
    { "geo=mmdb:/a", "R307-0702", "geo=mmdb:/a" },
    { "country=", "R307-0703", "header:NAME" },
    { "country=X-Country", "R307-0703", "X-Country" },
    { "country=header", "R307-0703", "'header'" },
    { "country=file:/a", "R307-0703", "file:/a" },
    { "country=header:", "R307-0704", "header" },
    { "country=header::kv:a", "R307-0704", "header" },
    { "country=env:", "R307-0704", "variable" },
    { "country=cookie:", "R307-0704", "cookie" },
    { "country=query:", "R307-0704", "parameter" },
    { "country=mmdb:", "R307-0704", "database" },
    { "mmdb:", "R307-0704", "database" },
    { "country=header:X\xc3\xa4", "R307-0705", "X\\xc3\\xa4" },
    { "country=header:X(Y)", "R307-0705", "X(Y)" },
    { "country=header:X\tY", "R307-0705", "X\\x09Y" },
    { "country=cookie:a;b", "R307-0705", "a;b" },
    { "country=cookie:a:kv:b", "R307-0705", "no format" },
    { "country=query:a&b", "R307-0705", "a&b" },
    { "country=query:a:list:1", "R307-0705", "no format" },
    { "country=env:a=b", "R307-0705", "a=b" },
    { "country=header:A:", "R307-0706", "''" },
    { "country=header:A:xml:a", "R307-0706", "xml:a" },
    { "country=header:A:kv", "R307-0706", "kv:KEY" },
    { "country=env:A:json", "R307-0706", "json:PATH" },
    { "country=header:A:kv:", "R307-0707", "kv:KEY" },
    { "country=header:A:kv:a,b", "R307-0707", "a,b" },
    { "country=header:A:json:", "R307-0707", "json:country.code" },
    { "country=header:A:json:a..b", "R307-0707", "a..b" },
    { "country=header:A:json:.a", "R307-0707", "json:.a" },
    { "country=header:A:json:a.", "R307-0707", "json:a." },
    { "country=header:A:json:a.b.c.d.e.f.g.h.i", "R307-0707", "8 names" },
    { "country=header:A:list:0", "R307-0707", "list:0" },
    { "country=header:A:list:33", "R307-0707", "1 to 32" },
    { "country=header:A:list:", "R307-0707", "1 to 32" },
    { "country=header:A:list:-1", "R307-0707", "list:-1" },
    { "country=header:A:list:1x", "R307-0707", "list:1x" },
    { "country=header:A:list:001", "R307-0707", "list:001" },
    { "language=mmdb:/a", "R307-0708", "/a" },
    { "latitude=mmdb:/a", "R307-0708", "latlong=" },
    { "longitude=mmdb:/a", "R307-0708", "latlong=" },
    { "country=mmdb:bad", "R307-0709", "bad" },
    { "mmdb:/1 mmdb:/2 mmdb:/3 mmdb:/4 mmdb:/5 mmdb:/6 mmdb:/7 mmdb:/8 "
      "mmdb:/9", "R307-0711", "/9" },
    { "latitude=header:A", "R307-0713", "1 sources of latitude and 0" },
    { "longitude=header:A", "R307-0713", "0 sources of latitude and 1" },
    { "cloudflare latitude=header:A", "R307-0713", "write both" }
};

static void test_errors(void)
{
    char *many = apr_pstrdup(tap_pool, "");
    r307_error_t err = { tap_pool, NULL };
    r307_geofrom_t *from;
    unsigned i;

    for (i = 0; i < TABLE(errors); i++) {
        err.text = NULL;
        from = from_words(errors[i].words, &err);
        if (!*errors[i].words) {
            ok(from != NULL, "no words at all are fine");
            continue;
        }
        is_error(from ? "" : err.text, errors[i].id, errors[i].value,
                 errors[i].words);
    }
    for (i = 0; i < 33; i++) {
        many = apr_psprintf(tap_pool, "%s city=header:A%u", many, i);
    }
    from_words(many, &err);
    is_error(err.text, "R307-0710", "header:A32", "33 sources of a field");
    from = from_words("cloudflare", &err);
    ok(r307_geofrom_add(from, "fastly", &err) != APR_SUCCESS
       && strncmp(err.text, "R307-0712: 'fastly'", 19) == 0,
       "no word follows freezing");
    ok(from_words("CloudFlare COUNTRY=Header:x-a:KV:b MMDB:/a", &err) != NULL,
       "words in any case");
}

/* ---- what caches are told ---- */

#define T R307_GEOFROM_TRUSTED
#define V R307_GEOFROM_VISITOR
#define U R307_GEOFROM_UNSEEN
#define BIT(field) R307_FIELD_BIT(R307_FIELD_##field)

static const struct {
    const char *words;
    unsigned fields;
    const char *vary;
    unsigned uses;
} varies[] = {
    { "", BIT(COUNTRY), "", 0 },
    { "", BIT(LANGUAGE), "Accept-Language", 0 },
    { "", R307_GEOFROM_ALL_FIELDS, "Accept-Language", 0 },
    { "cloudflare", 0, "", 0 },
    { "cloudflare", BIT(COUNTRY), "CF-IPCountry", T },
    { "cloudflare", BIT(LANGUAGE), "Accept-Language", 0 },
    { "cloudflare", BIT(REGION), "CF-IPCountry, CF-Region-Code", T },
    { "cloudflare", BIT(CONTINENT), "CF-IPCountry, CF-IPContinent", T },
    { "cloudflare", BIT(LATITUDE),
      "CF-IPCountry, CF-IPLatitude, CF-IPLongitude", T },
    { "cloudflare", BIT(LATLONG),
      "CF-IPCountry, CF-IPLatitude, CF-IPLongitude", T },
    { "cloudflare", R307_GEOFROM_ALL_FIELDS,
      "CF-IPCountry, CF-Region-Code, CF-IPContinent, CF-IPCity, "
      "CF-IPLatitude, CF-IPLongitude, Accept-Language", T },
    { "akamai", R307_GEOFROM_ALL_FIELDS,
      "X-Akamai-Edgescape, Accept-Language", T },
    { "netlify", BIT(COUNTRY), "X-Country, X-NF-Geo", T },
    { "fastly", BIT(COUNTRY),
      "Client-Geo-Country, X-Country, Fastly-GeoIP-Country-Code", T },
    { "google-lb", BIT(COUNTRY), "X-Client-Region, X-Client-Geo-Location",
      T },
    { "country=cookie:cc cloudflare", BIT(COUNTRY), "Cookie, CF-IPCountry",
      T | V },
    { "country=cookie:a country=cookie:b", BIT(COUNTRY), "Cookie", V },
    { "country=query:cc cloudflare", BIT(COUNTRY), "CF-IPCountry", T | V },
    { "region=cookie:r cloudflare", BIT(COUNTRY), "Cookie, CF-IPCountry",
      T | V },
    { "region=header:R", BIT(COUNTRY), "R", T },
    { "country=header:C region=header:R", BIT(COUNTRY), "C", T },
    { "mmdb:/a", BIT(COUNTRY), "", U },
    { "region=mmdb:/a", BIT(COUNTRY), "", U },
    { "country=env:GEOIP_COUNTRY_CODE", BIT(COUNTRY), "", U },
    { "cloudflare mmdb:/a", BIT(COUNTRY), "CF-IPCountry", T | U },
    { "cloudflare mmdb:/a", BIT(LANGUAGE), "Accept-Language", 0 },
    { "country=header:x-a country=header:X-A", BIT(COUNTRY), "x-a", T },
    { "language=cookie:l", BIT(LANGUAGE), "Cookie, Accept-Language", V },
    { "language=header:X-Lang", BIT(LANGUAGE), "X-Lang, Accept-Language", T },
    { "language=header:accept-language", BIT(LANGUAGE), "accept-language",
      0 },
    { "country=header:Accept-Language", BIT(COUNTRY), "Accept-Language", T }
};

static void test_vary(void)
{
    r307_error_t err = { tap_pool, NULL };
    unsigned i;

    for (i = 0; i < TABLE(varies); i++) {
        r307_geofrom_t *from = from_words(varies[i].words, &err);
        is(r307_geofrom_vary(from, varies[i].fields, tap_pool),
           varies[i].vary, "Vary of '%s' for %#x", varies[i].words,
           varies[i].fields);
        ok(r307_geofrom_uses(from, varies[i].fields) == varies[i].uses,
           "what it uses");
    }
}

/* ---- one source that tells everything ---- */

static const struct {
    const char *words;
    unsigned fields;
    const char *name;           /* of the header, "" of a database; NULL:
                                 * there is more to it */
} onlys[] = {
    { "country=header:C", BIT(COUNTRY), "C" },
    { "country=header:C country=header:D", BIT(COUNTRY), NULL },
    { "country=header:C:kv:cc", BIT(COUNTRY), NULL },
    { "country=cookie:c", BIT(COUNTRY), NULL },
    { "country=mmdb:/a", BIT(COUNTRY), "" },
    { "country=header:C", BIT(COUNTRY) | BIT(LATLONG), "C" },
    { "latlong=header:P", BIT(COUNTRY) | BIT(LATLONG), "P" },
    { "latlong=header:P", BIT(LATLONG), "P" },
    { "latlong=header:P country=header:C", BIT(LATLONG), NULL },
    { "latlong=mmdb:/a", BIT(LATLONG), NULL },
    { "latitude=header:A longitude=header:B", BIT(LATLONG), NULL },
    { "continent=header:K", BIT(CONTINENT), "K" },
    { "region=header:R", BIT(REGION), NULL },
    { "region=header:R", BIT(COUNTRY), NULL },
    { "latlong=header:P", BIT(LATLONG) | BIT(LANGUAGE), NULL },
    { "latlong=header:P", BIT(COUNTRY), NULL },
    { "latlong=header:P", BIT(LANGUAGE), "Accept-Language" },
    { "latlong=header:P", BIT(COUNTRY) | BIT(LANGUAGE), "Accept-Language" }
};

static void test_only(void)
{
    r307_error_t err = { tap_pool, NULL };
    unsigned i;

    for (i = 0; i < TABLE(onlys); i++) {
        r307_geofrom_t *from = from_words(onlys[i].words, &err);
        const r307_geosource_t *only =
            r307_geofrom_only(from, onlys[i].fields);
        is(!only ? NULL : only->kind == R307_GEO_MMDB ? "" : only->name,
           onlys[i].name, "the only source of '%s' for %#x", onlys[i].words,
           onlys[i].fields);
    }
}

static void test_databases(void)
{
    r307_error_t err = { tap_pool, NULL };
    r307_geofrom_t *from =
        from_words("mmdb:/a country=mmdb:b city=mmdb:/a", &err);
    int count;
    const char *const *paths = r307_geofrom_databases(from, &count);

    ok(count == 2, "each database is there once");
    is(paths[0], "/a", "an absolute path");
    is(paths[1], "/srv/b", "a path that was resolved");
}

/* ---- one request ---- */

typedef struct visitor_t {
    char *headers;              /* "Name: value" lines */
    const char *env;            /* the value of every variable */
    const char *places[2];      /* what the databases know, see found() */
    int lookups;
} visitor_t;

static const char *header(void *ctx, const char *name)
{
    const visitor_t *visitor = ctx;
    apr_size_t len = strlen(name);
    const char *line = visitor->headers, *all = NULL;

    while (line && *line) {
        apr_size_t n = strcspn(line, "\n");
        if (n > len && strncasecmp(line, name, len) == 0
            && line[len] == ':') {
            apr_size_t blanks = strspn(line + len + 1, " ");
            char *value = apr_pstrmemdup(tap_pool, line + len + 1 + blanks,
                                         n - len - 1 - blanks);
            all = all ? apr_pstrcat(tap_pool, all, ", ", value, NULL) : value;
        }
        line += n + (line[n] == '\n');
    }
    return all;
}

static const char *env(void *ctx, const char *name)
{
    return strcmp(name, "ABSENT") == 0 ? NULL : ((visitor_t *)ctx)->env;
}

/* "DE", "US-CA", with "@" behind: a position too */
static int found(void *ctx, int database, unsigned fields,
                 r307_facts_t *facts)
{
    visitor_t *visitor = ctx;
    const char *place = visitor->places[database];

    visitor->lookups++;
    if (!place || !(fields & BIT(COUNTRY))) {
        return 0;
    }
    r307_geovalue_set(facts, R307_FIELD_COUNTRY, place, 2, tap_pool);
    if (place[2] == '-') {
        r307_geovalue_set(facts, R307_FIELD_REGION, place, 5, tap_pool);
    }
    if (strchr(place, '@')) {
        facts->known_position = 3;
        facts->latitude = 1;
        facts->longitude = 2;
    }
    return 1;
}

/* All facts in one line. */
static const char *told(const r307_facts_t *facts, const r307_georead_t *rd)
{
    const char *s = facts->tor ? "tor"
                  : facts->country ? facts->country->code : "-";

    if (facts->region[0]) {
        s = apr_pstrcat(tap_pool, s, " ", facts->region, NULL);
    }
    if (facts->continent) {
        s = apr_pstrcat(tap_pool, s, " continent:",
                        r307_continent_code(facts->continent), NULL);
    }
    if (facts->city) {
        s = apr_pstrcat(tap_pool, s, " ", facts->city, NULL);
    }
    if (facts->known_position) {
        s = apr_psprintf(tap_pool, "%s %d,%d", s, (int)facts->latitude,
                         (int)facts->longitude);
    }
    if (facts->language) {
        s = apr_pstrcat(tap_pool, s, " lang:", facts->language, NULL);
    }
    return apr_pstrcat(tap_pool, s, rd->chosen ? " chosen" : "",
                       rd->disbelieved ? " not " : "", rd->disbelieved, NULL);
}

static const struct {
    const char *words;
    int trusted;
    const char *headers, *query, *env, *place;
    const char *told;
} reads[] = {
    { "cloudflare", 1, "CF-IPCountry: DE\nCF-IPCity: Berlin\n"
      "CF-IPLatitude: 52\nCF-IPLongitude: 13\nCF-Region-Code: BE\n"
      "CF-IPContinent: EU\nAccept-Language: de", NULL, NULL, NULL,
      "DE DE-BE continent:EU Berlin 52,13 lang:de" },
    { "cloudflare", 0, "CF-IPCountry: DE\nAccept-Language: de", NULL, NULL,
      NULL, "- lang:de not CF-IPCountry" },
    { "cloudflare", 0, "Accept-Language: de", NULL, NULL, NULL, "- lang:de" },
    { "cloudflare", 1, "CF-IPCountry: T1\nCF-IPCity: Berlin\n"
      "CF-IPLatitude: 52\nCF-IPLongitude: 13\nAccept-Language: de", NULL,
      NULL, NULL, "tor lang:de" },
    { "cloudflare", 1, "CF-IPLatitude: 52\nCF-IPLongitude: 13", NULL, NULL,
      NULL, "- 52,13" },
    { "cloudflare", 1, "CF-IPLatitude: 52", NULL, NULL, NULL, "-" },
    { "cloudflare", 1, "CF-IPLatitude: 52\nCF-IPLongitude: x", NULL, NULL,
      NULL, "-" },
    { "cloudflare latlong=header:P", 1, "CF-IPLatitude: 52\nP: 1,2", NULL,
      NULL, NULL, "- 1,2" },
    { "latlong=header:P cloudflare", 1,
      "CF-IPLatitude: 52\nCF-IPLongitude: 13\nP: 1,2", NULL, NULL, NULL,
      "- 1,2" },
    { "cloudflare", 1, "CF-Region-Code: BE", NULL, NULL, NULL, "-" },
    /* order of preference */
    { "cloudflare country=header:C", 1, "CF-IPCountry: DE\nC: FR", NULL,
      NULL, NULL, "DE" },
    { "country=header:C cloudflare", 1, "CF-IPCountry: DE\nC: FR", NULL,
      NULL, NULL, "FR" },
    { "country=header:C cloudflare", 1, "CF-IPCountry: DE\nC: XX", NULL,
      NULL, NULL, "DE" },
    { "country=header:C cloudflare", 1, "CF-IPCountry: DE\nC: FR, FR", NULL,
      NULL, NULL, "DE" },
    { "cloudflare mmdb:/a", 1, "CF-IPCountry: DE", NULL, NULL, "FR", "DE" },
    { "cloudflare mmdb:/a", 0, "CF-IPCountry: DE", NULL, NULL, "FR",
      "FR not CF-IPCountry" },
    { "cloudflare mmdb:/a", 1, "CF-IPCountry: XX", NULL, NULL, "US-CA@",
      "US US-CA 1,2" },
    { "mmdb:/a cloudflare", 1, "CF-IPCountry: DE", NULL, NULL, "US-CA@",
      "US US-CA 1,2" },
    { "region=mmdb:/a", 1, "", NULL, NULL, "US-CA@", "US US-CA" },
    { "mmdb:/a", 1, "", NULL, NULL, NULL, "-" },
    { "country=env:E", 0, "", NULL, "us", NULL, "US" },
    { "country=env:ABSENT country=env:E", 0, "", NULL, "us", NULL, "US" },
    { "country=env:E", 0, "", NULL, NULL, NULL, "-" },
    /* another country's region */
    { "country=header:C region=header:R", 1, "C: DE\nR: US-CA", NULL, NULL,
      NULL, "DE" },
    { "country=header:C region=header:R region=header:S", 1,
      "C: DE\nR: US-CA\nS: BE", NULL, NULL, NULL, "DE DE-BE" },
    { "country=header:C mmdb:/a", 1, "C: DE", NULL, NULL, "US-CA@",
      "DE 1,2" },
    { "country=header:C region=header:R", 1, "C: XX\nR: US-CA", NULL, NULL,
      NULL, "-" },
    { "region=header:R", 1, "R: USCA", NULL, NULL, NULL, "US US-CA" },
    { "region=header:R", 1, "R: AT9", NULL, NULL, NULL, "AT AT-9" },
    { "region=header:R", 1, "R: CA", NULL, NULL, NULL, "-" },
    /* the visitor's own word */
    { "country=cookie:c cloudflare", 1,
      "Cookie: c=JP\nCF-IPCountry: DE\nCF-Region-Code: BE\n"
      "CF-IPContinent: EU\nCF-IPCity: Berlin\nCF-IPLatitude: 52\n"
      "CF-IPLongitude: 13", NULL, NULL, NULL, "JP chosen" },
    { "country=cookie:c cloudflare", 1,
      "Cookie: c=nowhere\nCF-IPCountry: DE\nCF-Region-Code: BE", NULL, NULL,
      NULL, "DE DE-BE" },
    { "country=cookie:c cloudflare", 0, "Cookie: c=JP\nCF-IPCountry: DE",
      NULL, NULL, NULL, "JP chosen" },
    { "cloudflare country=cookie:c", 1, "Cookie: c=JP\nCF-IPCountry: DE",
      NULL, NULL, NULL, "DE" },
    { "cloudflare country=cookie:c", 1, "Cookie: c=JP\nCF-IPCountry: XX",
      NULL, NULL, NULL, "JP chosen" },
    { "country=query:c country=cookie:c cloudflare", 1,
      "Cookie: c=JP\nCF-IPCountry: DE", "c=FR", NULL, NULL, "FR chosen" },
    { "region=cookie:r cloudflare", 1,
      "Cookie: r=US-CA\nCF-IPCountry: DE\nCF-Region-Code: BE", NULL, NULL,
      NULL, "US US-CA chosen" },
    { "region=cookie:r cloudflare", 1,
      "Cookie: r=NY\nCF-IPCountry: US\nCF-Region-Code: CA", NULL, NULL, NULL,
      "US US-NY chosen" },
    { "region=cookie:r cloudflare", 1,
      "Cookie: r=BAS\nCF-IPCountry: GB", NULL, NULL, NULL,
      "GB GB-BAS chosen" },
    { "cloudflare region=cookie:r", 1, "Cookie: r=US-CA\nCF-IPCountry: DE",
      NULL, NULL, NULL, "DE" },
    { "language=cookie:l", 1, "Cookie: l=fr\nAccept-Language: de", NULL,
      NULL, NULL, "- lang:fr chosen" },
    { "language=cookie:l", 1, "Accept-Language: de", NULL, NULL, NULL,
      "- lang:de" },
    { "language=header:X-Lang", 0, "X-Lang: fr\nAccept-Language: de", NULL,
      NULL, NULL, "- lang:de not X-Lang" },
    /* several names, of which only one is the provider's */
    { "fastly", 1, "X-Country: DE", NULL, NULL, NULL, "DE" },
    { "fastly", 1, "X-Country: DE\nClient-Geo-Country: de", NULL, NULL, NULL,
      "DE" },
    { "fastly", 1, "X-Country: DE\nClient-Geo-Country: FR", NULL, NULL, NULL,
      "-" },
    { "fastly", 1, "X-Country: DE\nFastly-GeoIP-Country-Code: FR", NULL,
      NULL, NULL, "-" },
    { "fastly", 1, "X-Country: DE\nFastly-GeoIP-Country-Code: T1", NULL,
      NULL, NULL, "-" },
    { "fastly", 1, "X-Country: **\nFastly-GeoIP-Country-Code: FR", NULL,
      NULL, NULL, "FR" },
    { "fastly country=header:C", 1,
      "X-Country: DE\nClient-Geo-Country: FR\nC: BR", NULL, NULL, NULL,
      "BR" },
    { "google-lb", 1, "X-Client-Region: US\n"
      "X-Client-Geo-Location: USCA, Mountain View\n"
      "X-Client-Region-Subdivision: USCA", NULL, NULL, NULL,
      "US US-CA Mountain View" },
    { "google-lb", 1, "X-Client-City-Lat-Long: 1,2\nX-Client-Lat-Long: 1,3",
      NULL, NULL, NULL, "-" }
};

static void test_reads(void)
{
    r307_error_t err = { tap_pool, NULL };
    unsigned i;

    for (i = 0; i < TABLE(reads); i++) {
        r307_geofrom_t *from = from_words(reads[i].words, &err);
        visitor_t visitor = { apr_pstrdup(tap_pool, reads[i].headers),
                              reads[i].env, { reads[i].place, NULL }, 0 };
        r307_georead_t rd = { .pool = tap_pool, .ctx = &visitor,
                              .header = header, .env = env, .mmdb = found,
                              .query = reads[i].query,
                              .trusted = reads[i].trusted };
        r307_facts_t facts;

        r307_georead_facts(from, R307_GEOFROM_ALL_FIELDS, &rd, &facts);
        is(told(&facts, &rd), reads[i].told, "row %u: %s", i, reads[i].words);
        ok(visitor.lookups <= 1, "a database is asked once");
    }
}

/* The visitor's choice can be left out, to see what there is without it. */
static void test_without(void)
{
    r307_error_t err = { tap_pool, NULL };
    r307_geofrom_t *from = from_words("country=cookie:c cloudflare", &err);
    visitor_t visitor = {
        apr_pstrdup(tap_pool, "Cookie: c=JP\nCF-IPCountry: DE"), NULL,
        { NULL, NULL }, 0
    };
    r307_georead_t rd = { .pool = tap_pool, .ctx = &visitor,
                          .header = header, .env = env, .trusted = 1,
                          .without = R307_GEOFROM_VISITOR };
    r307_facts_t facts;

    r307_georead_facts(from, BIT(COUNTRY), &rd, &facts);
    is(told(&facts, &rd), "DE", "without what the visitor chose");
    rd.without = 0;
    r307_georead_facts(from, BIT(COUNTRY), &rd, &facts);
    is(told(&facts, &rd), "JP chosen", "and with it");
}

/* ---- t/data/geo.tsv ---- */

/* The rule of the table; languages that follow each other are one choice. */
static const char *const selectors[] = {
    "US-CA", "CA-ON", "GB-ENG", "DE,AT", "FR", "GB", "US", "BR",
    "continent:SA", "continent:AF", "JP", "continent:AS", "eu", "tor",
    "unknown", "lang:fr", "lang:pt-BR", "lang:pt", "lang:en", "continent:EU",
    "default"
};

static int is_country(const char *selector, const r307_facts_t *facts)
{
    const char *code = facts->country ? facts->country->code : "-";

    return strcmp(selector, code) == 0 || strcmp(selector, facts->region) == 0
           || (strcmp(selector, "DE,AT") == 0
               && (strcmp(code, "DE") == 0 || strcmp(code, "AT") == 0));
}

static int is_continent(const char *selector, const r307_facts_t *facts)
{
    r307_continent_t continent = facts->continent;

    if (!continent && facts->country) {
        continent = (r307_continent_t)facts->country->continent;
    }
    return strncmp(selector, "continent:", 10) == 0
           && continent == r307_continent_find(selector + 10);
}

static const char *language(const r307_facts_t *facts)
{
    static const char *const tags[] = { "fr", "pt-BR", "pt", "en" };
    int i = !facts->language ? -1
        : r307_language_choose(facts->language, strlen(facts->language),
                               tags, 4);

    return i < 0 ? NULL : apr_pstrcat(tap_pool, "lang:", tags[i], NULL);
}

static const char *selected(const r307_facts_t *facts)
{
    unsigned i;

    for (i = 0; i < TABLE(selectors); i++) {
        const char *s = selectors[i];
        if (is_country(s, facts) || is_continent(s, facts)
            || (strcmp(s, "eu") == 0 && facts->country && facts->country->eu)
            || (strcmp(s, "tor") == 0 && facts->tor)
            || (strcmp(s, "unknown") == 0 && !facts->country && !facts->tor)
            || strcmp(s, "default") == 0) {
            return s;
        }
        if (strcmp(s, "lang:fr") == 0 && language(facts)) {
            return language(facts);
        }
    }
    return NULL;
}

/* \n, \r, \t and \xHH in place; other backslashes stay. */
static char *decode(char *s)
{
    char *out = s, *start = s;

    for (; *s; s++, out++) {
        if (s[0] == '\\' && s[1] && strchr("nrt", s[1])) {
            *out = s[1] == 'n' ? '\n' : s[1] == 'r' ? '\r' : '\t';
            s++;
        }
        else if (s[0] == '\\' && s[1] == 'x') {
            char hex[3] = { s[2], s[3], '\0' };
            *out = (char)strtol(hex, NULL, 16);
            s += 3;
        }
        else {
            *out = *s;
        }
    }
    *out = '\0';
    return start;
}

static int test_row(char *line, int number)
{
    r307_error_t err = { tap_pool, NULL };
    r307_geofrom_t *from;
    visitor_t visitor = { NULL, NULL, { NULL, NULL }, 0 };
    r307_georead_t rd = { .pool = tap_pool, .ctx = &visitor,
                          .header = header, .env = env };
    r307_facts_t facts;
    char *cell[COLUMNS];
    int i;

    for (i = 0; i < COLUMNS; i++) {
        cell[i] = line;
        line += strcspn(line, "\t");
        if (*line) {
            *line++ = '\0';
        }
        else if (i < COLUMNS - 1) {
            return ok(0, "line %d has %d columns", number, COLUMNS);
        }
    }
    from = from_words(cell[1], &err);
    if (!from) {
        return ok(0, "line %d: %s", number, err.text);
    }
    visitor.headers = decode(cell[3]);
    rd.trusted = strcmp(cell[2], "trusted") == 0;
    r307_georead_facts(from, BIT(COUNTRY) | BIT(REGION) | BIT(CONTINENT)
                       | BIT(LANGUAGE), &rd, &facts);
    return is(selected(&facts), cell[4], "line %d: %s", number, cell[0]);
}

static void test_table(void)
{
    const char *dir = getenv("R307_SRCDIR");
    const char *path = apr_pstrcat(tap_pool, dir ? dir : ".",
                                   "/t/data/geo.tsv", NULL);
    static char line[16384];
    apr_file_t *f;
    int number = 0, rows = 0, head = 0;

    if (apr_file_open(&f, path, APR_FOPEN_READ | APR_FOPEN_BUFFERED, 0,
                      tap_pool) != APR_SUCCESS) {
        ok(0, "%s can be read", path);
        return;
    }
    while (apr_file_gets(line, sizeof line, f) == APR_SUCCESS) {
        number++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || line[0] == '\0' || !head++) {
            continue;
        }
        test_row(line, number);
        rows++;
    }
    apr_file_close(f);
    ok(rows >= ENOUGH, "the table has %d rows", rows);
}

int main(void)
{
    tap_begin();
    test_errors();
    test_vary();
    test_only();
    test_databases();
    test_reads();
    test_without();
    test_table();
    return tap_end();
}
