/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* Selectors: their spelling, and whom they hold for. */
#include "tap.h"

#include "core/r307_selector.h"

#define COUNTRY R307_FIELD_BIT(R307_FIELD_COUNTRY)
#define REGION R307_FIELD_BIT(R307_FIELD_REGION)
#define CONTINENT R307_FIELD_BIT(R307_FIELD_CONTINENT)
#define LANGUAGE R307_FIELD_BIT(R307_FIELD_LANGUAGE)

#define CEILING 512

/* ---- spelling ---- */

static const struct {
    const char *list, *want;    /* want: each selector in one spelling */
    unsigned fields;
} good[] = {
    { "DE", "DE", COUNTRY },
    { "de", "DE", COUNTRY },
    { "dE", "DE", COUNTRY },
    { "UK", "GB", COUNTRY },
    { "uk", "GB", COUNTRY },
    { "XK", "XK", COUNTRY },
    { "DE,AT,CH", "DE AT CH", COUNTRY },
    { "CH,AT,DE", "CH AT DE", COUNTRY },
    { "US-CA", "US-CA", REGION },
    { "us-ca", "US-CA", REGION },
    { "UK-eng", "GB-ENG", REGION },
    { "AT-9", "AT-9", REGION },
    { "FR-2A", "FR-2A", REGION },
    { "FR-971", "FR-971", REGION },
    { "US-CA,US-NY", "US-CA US-NY", REGION },
    { "US,US-CA", "US US-CA", COUNTRY | REGION },
    { "continent:EU", "continent:EU", COUNTRY | CONTINENT },
    { "CONTINENT:sa", "continent:SA", COUNTRY | CONTINENT },
    { "continent:AF,continent:AN,continent:AS,continent:NA,continent:OC",
      "continent:AF continent:AN continent:AS continent:NA continent:OC",
      COUNTRY | CONTINENT },
    { "eu", "eu", COUNTRY },
    { "EU", "eu", COUNTRY },
    { "eu,continent:EU", "eu continent:EU", COUNTRY | CONTINENT },
    { "lang:fr", "lang:fr", LANGUAGE },
    { "Lang:pt-BR", "lang:pt-BR", LANGUAGE },
    { "lang:fr,lang:fr-CA", "lang:fr lang:fr-CA", LANGUAGE },
    { "tor", "tor", COUNTRY },
    { "Tor,UNKNOWN", "tor unknown", COUNTRY },
    { "default", "default", 0 },
    { "DEFAULT", "default", 0 },
    { "DE,lang:de,default", "DE lang:de default", COUNTRY | LANGUAGE }
};

static const struct {
    const char *list, *id, *shown;
} bad[] = {
    { "", "R307-0740", "''" },
    { ",", "R307-0740", "''" },
    { "DE,", "R307-0740", "''" },
    { ",DE", "R307-0740", "''" },
    { "DE,,AT", "R307-0740", "''" },
    { "germany", "R307-0740", "'germany'" },
    { "DEU", "R307-0740", "'DEU'" },
    { "USCA", "R307-0740", "'USCA'" },
    { "D", "R307-0740", "'D'" },
    { "DE AT", "R307-0740", "'DE AT'" },
    { "DE, AT", "R307-0740", "' AT'" },
    { "-DE", "R307-0740", "'-DE'" },
    { "!DE", "R307-0740", "'!DE'" },
    { "DE_BY", "R307-0740", "'DE_BY'" },
    { "continent", "R307-0740", "'continent'" },
    { "continent:", "R307-0740", "'continent:'" },
    { "continent:XX", "R307-0740", "'continent:XX'" },
    { "continent:Europe", "R307-0740", "'continent:Europe'" },
    { "country:DE", "R307-0740", "'country:DE'" },
    { "eux", "R307-0740", "'eux'" },
    { "lang", "R307-0740", "'lang'" },
    { "\xc3\x84" "D", "R307-0740", "'\\xc3\\x84D'" },
    { "DE\n", "R307-0740", "'DE\\x0a'" },
    { "XX", "R307-0741", "'XX'" },
    { "zz", "R307-0741", "'zz'" },
    { "T1", "R307-0741", "'T1'" },
    { "AP", "R307-0741", "'AP'" },
    { "DE,AT,QQ", "R307-0741", "'QQ'" },
    { "XX-CA", "R307-0742", "'XX-CA'" },
    { "EU-DE", "R307-0742", "'EU-DE'" },
    { "US-", "R307-0742", "'US-'" },
    { "US-CALI", "R307-0742", "'US-CALI'" },
    { "US-C_", "R307-0742", "'US-C_'" },
    { "US-C A", "R307-0742", "'US-C A'" },
    { "US--", "R307-0742", "'US--'" },
    { "US-\xc3\x84", "R307-0742", "'US-\\xc3\\x84'" },
    { "lang:", "R307-0720", "''" },
    { "lang:*", "R307-0720", "'*'" },
    { "lang:pt_BR", "R307-0720", "'pt_BR'" },
    { "DE,DE", "R307-0743", "'DE'" },
    { "DE,AT,de", "R307-0743", "'de'" },
    { "GB,UK", "R307-0743", "'UK'" },
    { "US-CA,us-ca", "R307-0743", "'us-ca'" },
    { "continent:EU,continent:eu", "R307-0743", "'continent:eu'" },
    { "eu,EU", "R307-0743", "'EU'" },
    { "lang:fr,lang:FR", "R307-0743", "'lang:FR'" },
    { "tor,unknown,tor", "R307-0743", "'tor'" },
    { "default,default", "R307-0743", "'default'" }
};

/* Is a word that begins like this, up to its '=', a choice? */
static const struct {
    const char *text;
    int list;
} shapes[] = {
    { "DE", 1 }, { "de", 1 }, { "DE,AT", 1 }, { "US-CA", 1 }, { "eu", 1 },
    { "continent:EU", 1 }, { "lang:pt-BR", 1 }, { "tor", 1 },
    { "unknown", 1 }, { "Default", 1 }, { "UK-ENG,IE", 1 },
    /* mistakes that selectors explain better than options */
    { "XX", 1 }, { "T1", 1 }, { "DEU", 1 }, { "DE,", 1 }, { ",", 1 },
    { "US-CALIFORNIA", 1 }, { "lang:*", 1 }, { "germany,austria", 1 },
    /* options */
    { "exact", 0 }, { "methods", 0 }, { "host", 0 }, { "expr", 0 },
    { "from", 0 }, { "until", 0 }, { "query", 0 }, { "cache", 0 },
    { "retry-after", 0 }, { "percent", 0 }, { "sticky", 0 }, { "name", 0 },
    { "", 0 }, { "D", 0 }, { "-", 0 }, { "defaults", 0 },
    /* paths and targets that hold a '=' */
    { "/", 0 }, { "/de", 0 }, { "/a,b:c?d", 0 }, { "https://h/?DE", 0 }
};

static const char *spell(const r307_selector_t *s)
{
    switch (s->kind) {
    case R307_SELECT_COUNTRY:
        return s->country->code;
    case R307_SELECT_REGION:
        return s->region;
    case R307_SELECT_CONTINENT:
        return apr_pstrcat(tap_pool, "continent:",
                           r307_continent_code(s->continent), NULL);
    case R307_SELECT_EU:
        return "eu";
    case R307_SELECT_LANGUAGE:
        return apr_pstrcat(tap_pool, "lang:", s->language, NULL);
    case R307_SELECT_TOR:
        return "tor";
    case R307_SELECT_UNKNOWN:
        return "unknown";
    default:
        return "default";
    }
}

/* A copy that ends where a read too far is seen by the sanitizer. */
static apr_status_t parse(const char *text, apr_array_header_t **out,
                          r307_error_t *err)
{
    apr_size_t len = strlen(text);
    apr_pool_t *pool;
    char *exact;

    apr_pool_create(&pool, tap_pool);
    exact = apr_palloc(pool, len + 1);
    memcpy(exact, text, len);
    exact[len] = 'X';
    return r307_selector_parse_list(pool, exact, len, out, err);
}

static void check_good(void)
{
    unsigned i;

    for (i = 0; i < TABLE(good); i++) {
        r307_error_t err = { tap_pool, NULL };
        apr_array_header_t *list = NULL;
        const char *got = "";
        int n;

        if (!ok(parse(good[i].list, &list, &err) == APR_SUCCESS,
                "'%s' is a list", good[i].list)) {
            printf("# %s\n", err.text);
            continue;
        }
        for (n = 0; n < list->nelts; n++) {
            got = apr_pstrcat(tap_pool, got, n ? " " : "",
                              spell(&APR_ARRAY_IDX(list, n,
                                                   r307_selector_t)), NULL);
        }
        is(got, good[i].want, "'%s' means", good[i].list);
        ok(r307_selector_fields(list) == good[i].fields,
           "'%s' looks at its fields and no other", good[i].list);
    }
}

static void check_bad(void)
{
    unsigned i;

    for (i = 0; i < TABLE(bad); i++) {
        r307_error_t err = { tap_pool, NULL };
        apr_array_header_t *list = NULL;

        ok(parse(bad[i].list, &list, &err) == APR_EINVAL && !list,
           "a bad list, row %u", i);
        is_error(err.text, bad[i].id, bad[i].shown, "its sentence");
    }
}

static void check_shapes(void)
{
    unsigned i;

    for (i = 0; i < TABLE(shapes); i++) {
        ok(r307_selector_is_list(shapes[i].text, strlen(shapes[i].text))
           == shapes[i].list, "'%s' is %s", shapes[i].text,
           shapes[i].list ? "a choice" : "none");
    }
    ok(!r307_selector_is_list("name,", 4), "only the length given is read");
}

/* count subdivisions of one country, each another */
static const char *many(int count)
{
    char *text = apr_palloc(tap_pool, (apr_size_t)count * 7 + 1), *o = text;
    int i;

    for (i = 0; i < count; i++) {
        o += apr_snprintf(o, 8, "%sUS-%03d", i ? "," : "", i);
    }
    return text;
}

static void check_ceiling(void)
{
    r307_error_t err = { tap_pool, NULL };
    apr_array_header_t *list = NULL;

    ok(parse(many(CEILING), &list, &err) == APR_SUCCESS
       && list->nelts == CEILING, "%d selectors are a list", CEILING);
    ok(parse(many(CEILING + 1), &list, &err) == APR_EINVAL,
       "one more are not");
    is_error(err.text, "R307-0744", "512", "its sentence");
}

/* ---- visitors ---- */

static const struct {
    const char *name, *country, *region, *continent;
    int tor;
    const char *language;       /* the tag that the visitor prefers */
    const char *holds;          /* of the list below, in its order */
} visitors[] = {
    { "Germany", "DE", "", "", 0, NULL, "DE continent:EU eu default" },
    { "France", "FR", "", "", 0, NULL, "continent:EU eu default" },
    { "Britain", "GB", "", "", 0, NULL, "GB continent:EU default" },
    { "England", "GB", "GB-ENG", "", 0, NULL,
      "GB GB-ENG continent:EU default" },
    { "California", "US", "US-CA", "", 0, NULL,
      "US-CA continent:NA default" },
    { "New York", "US", "US-NY", "", 0, NULL, "continent:NA default" },
    { "the United States, no region", "US", "", "", 0, NULL,
      "continent:NA default" },
    { "Kampong Chhnang, which is KH-4, not US-4", "KH", "KH-4", "", 0, NULL,
      "default" },
    { "Martinique, in America and in the Union", "MQ", "", "", 0, NULL,
      "continent:NA eu default" },
    { "Switzerland, in Europe only", "CH", "", "", 0, NULL,
      "continent:EU default" },
    { "Russia beyond the Urals, as a source says", "RU", "", "NA", 0, NULL,
      "continent:NA default" },
    { "nobody knows where", "", "", "", 0, NULL, "unknown default" },
    { "somewhere in Europe", "", "", "EU", 0, NULL,
      "continent:EU unknown default" },
    { "Tor", "", "", "", 1, NULL, "tor unknown default" },
    { "Germany, French", "DE", "", "", 0, "fr",
      "DE continent:EU eu lang:fr default" },
    { "Canadian French", "CA", "", "", 0, "fr-CA",
      "continent:NA lang:fr-CA default" },
    { "a language that has no selector", "JP", "", "", 0, "ja", "default" },
    { "Tor, French", "", "", "", 1, "fr", "tor unknown lang:fr default" }
};

static const char everything[] =
    "DE,GB,US-CA,GB-ENG,continent:EU,continent:NA,eu,tor,unknown,lang:fr,"
    "lang:fr-CA,default";

/* As r307_language_choose() would name it. */
static const char *own_pointer(const apr_array_header_t *list,
                               const char *tag)
{
    int i;

    for (i = 0; tag && i < list->nelts; i++) {
        const r307_selector_t *s = &APR_ARRAY_IDX(list, i, r307_selector_t);
        if (s->kind == R307_SELECT_LANGUAGE && !strcmp(s->language, tag)) {
            return s->language;
        }
    }
    return tag;
}

static void check_visitors(void)
{
    r307_error_t err = { tap_pool, NULL };
    apr_array_header_t *list;
    unsigned i;

    if (!ok(parse(everything, &list, &err) == APR_SUCCESS, "the list")) {
        return;
    }
    for (i = 0; i < TABLE(visitors); i++) {
        r307_facts_t facts = { 0 };
        const char *got = "";
        int n;

        facts.country = r307_country_find(visitors[i].country);
        facts.continent = r307_continent_find(visitors[i].continent);
        facts.tor = visitors[i].tor;
        apr_cpystrn(facts.region, visitors[i].region, sizeof facts.region);
        for (n = 0; n < list->nelts; n++) {
            const r307_selector_t *s =
                &APR_ARRAY_IDX(list, n, r307_selector_t);
            if (r307_selector_holds(s, &facts,
                                    own_pointer(list,
                                                visitors[i].language))) {
                got = apr_pstrcat(tap_pool, got, *got ? " " : "", spell(s),
                                  NULL);
            }
        }
        is(got, visitors[i].holds, "%s", visitors[i].name);
    }
}

int main(void)
{
    tap_begin();
    check_good();
    check_bad();
    check_shapes();
    check_ceiling();
    check_visitors();
    return tap_end();
}
