/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* Sites: how they are written, and which one is nearest to a visitor. */
#include "tap.h"

#include "core/r307_rule.h"

#include <math.h>

#define WORDS_MAX 10
#define SITES_MAX 8

#define COUNTRY R307_FIELD_BIT(R307_FIELD_COUNTRY)
#define LATLONG R307_FIELD_BIT(R307_FIELD_LATLONG)
#define LANGUAGE R307_FIELD_BIT(R307_FIELD_LANGUAGE)

/* ---- Redirect307Site ---- */

static const struct {
    const char *line, *name, *base;
    int has_position, serves, local;
} good[] = {
    { "fra https://fra.example", "fra", "https://fra.example", 0, -1, 0 },
    { "fra https://fra.example/", "fra", "https://fra.example", 0, -1, 0 },
    { "fra https://fra.example//", "fra", "https://fra.example", 0, -1, 0 },
    { "fra https://fra.example/a/b", "fra", "https://fra.example/a/b", 0, -1,
      0 },
    { "fra https://fra.example/a/b/", "fra", "https://fra.example/a/b", 0,
      -1, 0 },
    { "fra http://fra.example:8080/a/", "fra", "http://fra.example:8080/a",
      0, -1, 0 },
    { "fra HTTPS://fra.example", "fra", "HTTPS://fra.example", 0, -1, 0 },
    { "v6 https://[2001:db8::1]:8443/", "v6", "https://[2001:db8::1]:8443",
      0, -1, 0 },
    { "fra https://fra.example/%7Ea/%2F/", "fra",
      "https://fra.example/%7Ea/%2F", 0, -1, 0 },
    { "fra https://fra.example/\xc3\xa4", "fra",
      "https://fra.example/%C3%A4", 0, -1, 0 },
    { "A.b_c-9 https://h.example at=50.11,8.68", "A.b_c-9",
      "https://h.example", 1, -1, 0 },
    { "syd https://h.example at=-33.87,151.21 serves=AU,NZ local", "syd",
      "https://h.example", 1, 2, 1 },
    { "syd https://h.example local serves=default at=0,0", "syd",
      "https://h.example", 1, 1, 1 },
    { "n https://h.example serves=lang:fr", "n", "https://h.example", 0, 1,
      0 },
    { "1234567890123456789012345678901234567890123456789012345678901234 "
      "https://h.example",
      "1234567890123456789012345678901234567890123456789012345678901234",
      "https://h.example", 0, -1, 0 }
};

static const struct {
    const char *line, *id, *shown;
} bad[] = {
    { "", "R307-0750", "Redirect307Site NAME" },
    { "fra", "R307-0750", "Redirect307Site NAME" },
    { "nearest https://h.example", "R307-0751", "'nearest'" },
    { "Nearest https://h.example", "R307-0751", "'Nearest'" },
    { "a/b https://h.example", "R307-0751", "'a/b'" },
    { "a:b https://h.example", "R307-0751", "'a:b'" },
    { "a,b https://h.example", "R307-0751", "'a,b'" },
    { "\xc3\xa4 https://h.example", "R307-0751", "'\\xc3\\xa4'" },
    { "12345678901234567890123456789012345678901234567890123456789012345 "
      "https://h.example", "R307-0751", "1 to 64" },
    { "fra fra.example", "R307-0752", "'fra.example'" },
    { "fra /path", "R307-0752", "'/path'" },
    { "fra -", "R307-0752", "'-'" },
    { "fra //fra.example", "R307-0752", "'//fra.example'" },
    { "fra ftp://fra.example", "R307-0752", "'ftp://fra.example'" },
    { "fra javascript:alert(1)", "R307-0752", "'javascript:alert(1)'" },
    { "fra site:syd", "R307-0752", "'site:syd'" },
    { "fra at=1,2", "R307-0752", "'at=1,2'" },
    { "fra https://%{HTTP_HOST}", "R307-0752", "'https://%{HTTP_HOST}'" },
    { "fra https://h.example%{REQUEST_URI}", "R307-0752", "%{REQUEST_URI}" },
    { "fra https://$1.example", "R307-0752", "'https://$1.example'" },
    { "fra https://h.example/${a}", "R307-0752", "${a}" },
    { "fra https://h.example/$<a>", "R307-0752", "$<a>" },
    { "fra https://h.example/?a=b", "R307-0753", "?a=b" },
    { "fra https://h.example?", "R307-0753", "'https://h.example?'" },
    { "fra https://h.example/a#b", "R307-0753", "#b" },
    { "fra https://h.example#", "R307-0753", "'https://h.example#'" },
    { "fra https://", "R307-0104", "'https://'" },
    { "fra https:///a", "R307-0104", "'https:///a'" },
    { "fra https://user@h.example/", "R307-0104", "user" },
    { "fra https://h.example:99999", "R307-0104", "99999" },
    { "fra https://h.example\\a", "R307-0104", "backslash" },
    { "fra https://h.example/\x01", "R307-0105", "\\x01" },
    { "fra https://h.example at=", "R307-0754", "'at='" },
    { "fra https://h.example at=50.11", "R307-0754", "'at=50.11'" },
    { "fra https://h.example at=50.11;8.68", "R307-0754", "50.11;8.68" },
    { "fra https://h.example at=91,0", "R307-0754", "'at=91,0'" },
    { "fra https://h.example at=0,181", "R307-0754", "'at=0,181'" },
    { "fra https://h.example at=north,east", "R307-0754", "north,east" },
    { "fra https://h.example serves=", "R307-0740", "''" },
    { "fra https://h.example serves=DE,XX", "R307-0741", "'XX'" },
    { "fra https://h.example serves=lang:*", "R307-0720", "'*'" },
    { "fra https://h.example at", "R307-0755", "'at'" },
    { "fra https://h.example serves", "R307-0755", "'serves'" },
    { "fra https://h.example locally", "R307-0755", "'locally'" },
    { "fra https://h.example local=yes", "R307-0755", "'local=yes'" },
    { "fra https://h.example At=1,2", "R307-0755", "'At=1,2'" },
    { "fra https://h.example weight=3", "R307-0755", "'weight=3'" },
    { "fra https://h.example local local", "R307-0756", "'local'" },
    { "fra https://h.example while=a while=b", "R307-0756", "'while='" },
    { "fra https://h.example balancer=a balancer=a", "R307-0756",
      "'balancer='" },
    { "fra https://h.example while=", "R307-0780", "'while='" },
    { "fra https://h.example while=bad", "R307-0780", "of syntax" },
    { "fra https://h.example while", "R307-0755", "'while'" },
    { "fra https://h.example balancer=", "R307-0781", "'balancer='" },
    { "fra https://h.example balancer=balancer://", "R307-0781",
      "'balancer=balancer://'" },
    { "fra https://h.example balancer=balancer://api/", "R307-0781",
      "'balancer=balancer://api/'" },
    { "fra https://h.example balancer=http://api", "R307-0781",
      "<Proxy balancer://NAME>" },
    { "fra https://h.example at=1,2 at=1,2", "R307-0756", "'at='" },
    { "fra https://h.example serves=DE local serves=AT", "R307-0756",
      "'serves='" }
};

/* The expression is its text; what says "bad" does not compile. */
static const char *compile_expr(void *ctx, apr_pool_t *pool, const char *text,
                                int is_string, const void **expr)
{
    (void)pool;
    *expr = text;
    return !is_string && !ctx && !strstr(text, "bad") ? NULL : "of syntax";
}

static r307_site_t *parse(const char *line, r307_error_t *err)
{
    r307_rule_env_t env = { tap_pool, 0, compile_expr, NULL };
    const char *words[WORDS_MAX];
    char *copy = apr_pstrdup(tap_pool, line), *state, *word;
    r307_site_t *site = NULL;
    int n = 0;

    for (word = apr_strtok(copy, " ", &state); word && n < WORDS_MAX;
         word = apr_strtok(NULL, " ", &state)) {
        words[n++] = word;
    }
    if (r307_site_parse(&env, n, words, &site, err) != APR_SUCCESS) {
        ok(!site, "no site when there is an error");
        return NULL;
    }
    return site;
}

static void check_good(void)
{
    unsigned i;

    for (i = 0; i < TABLE(good); i++) {
        r307_error_t err = { tap_pool, NULL };
        r307_site_t *site = parse(good[i].line, &err);
        const r307_target_t *t;

        if (!ok(site != NULL, "row %u is a site", i)) {
            printf("# %s\n", err.text);
            continue;
        }
        t = site->target;
        is(site->name, good[i].name, "its name");
        ok(t->kind == R307_TARGET_URL && t->nparts == 1 && !t->computed_host
           && t->query_at == 1 && t->fragment_at == 1
           && t->parts[0].kind == R307_PART_TEXT
           && t->parts[0].len == strlen(t->parts[0].text)
           && t->parts[0].len >= t->authority_len, "its target is literal");
        is(t->parts[0].text, good[i].base, "its base URL");
        ok(site->has_position == good[i].has_position
           && site->local == good[i].local
           && (site->serves ? site->serves->nelts : -1) == good[i].serves,
           "its options");
    }
}

static void check_bad(void)
{
    unsigned i;

    for (i = 0; i < TABLE(bad); i++) {
        r307_error_t err = { tap_pool, NULL };

        ok(parse(bad[i].line, &err) == NULL, "a bad site, row %u", i);
        is_error(err.text, bad[i].id, bad[i].shown, "its sentence");
    }
}

/* ---- while= and balancer= ---- */

static const struct {
    const char *line, *while_text, *balancer;
} watched[] = {
    { "fra https://h.example", NULL, NULL },
    { "fra https://h.example at=1,2 serves=DE local", NULL, NULL },
    { "fra https://h.example while=-f'/run/x'", "-f'/run/x'", NULL },
    { "fra https://h.example balancer=api-1.eu", NULL, "api-1.eu" },
    { "fra https://h.example balancer=balancer://api", NULL, "api" },
    { "fra https://h.example balancer=BALANCER://API", NULL, "API" },
    { "fra https://h.example balancer=api while=balancer=x", "balancer=x",
      "api" }
};

static void check_watched(void)
{
    unsigned i;

    for (i = 0; i < TABLE(watched); i++) {
        r307_error_t err = { tap_pool, NULL };
        const r307_site_t *site = parse(watched[i].line, &err);

        if (!ok(site != NULL, "%s", watched[i].line)) {
            printf("# %s\n", err.text);
            continue;
        }
        is(site->while_text, watched[i].while_text, "its while=");
        is(site->balancer, watched[i].balancer, "its balancer=");
        ok(site->while_expr == (const void *)site->while_text,
           "compiled by the host");
        ok(r307_site_is_watched(site)
           == (watched[i].while_text || watched[i].balancer),
           "watched only if it has one of them");
    }
}

static void check_no_expressions(void)
{
    static const char *const words[] = { "fra", "https://h.example",
                                         "while=a" };
    r307_rule_env_t env = { tap_pool, 0, NULL, NULL };
    r307_error_t err = { tap_pool, NULL };
    r307_site_t *site;

    ok(r307_site_parse(&env, 2, words, &site, &err) == APR_SUCCESS,
       "a host without expressions has sites");
    ok(r307_site_parse(&env, 3, words, &site, &err) == APR_EINVAL,
       "but none with while=");
    is_error(err.text, "R307-0780", "not known here", "and says so");
}

static void check_position(void)
{
    r307_error_t err = { tap_pool, NULL };
    const r307_site_t *site = parse("a https://a.example at=0,90", &err);

    ok(site && fabs(site->at.x) < 1e-9 && fabs(site->at.y - 1) < 1e-9
       && fabs(site->at.z) < 1e-9, "latitude comes first");
}

/* ---- choosing ---- */

static const char *const world[] = {
    "fra https://fra.example at=50.11,8.68",
    "iad https://iad.example at=38.94,-77.45",
    "sin https://sin.example at=1.35,103.99",
    "gru https://gru.example at=-23.43,-46.47", NULL
};
static const char *const served[] = {
    "us https://us.example at=38.94,-77.45 serves=US,CA",
    "eu https://eu.example at=50.11,8.68 serves=eu,GB",
    "ca https://ca.example at=43.68,-79.63 serves=US-NY,CA",
    "fr https://fr.example at=46.2,6.1 serves=lang:fr",
    "tor https://tor.example serves=tor", NULL
};
static const char *const half[] = {
    "nowhere https://n.example", "fra https://fra.example at=50.11,8.68",
    "other https://o.example", NULL
};
static const char *const placeless[] = {
    "at https://at.example serves=AT", "b https://b.example",
    "c https://c.example", NULL
};
static const char *const twins[] = {
    "west https://w.example at=0,-180", "east https://e.example at=0,180",
    NULL
};
static const char *const mirrored[] = {
    "south https://s.example at=-10,20", "north https://n.example at=10,20",
    NULL
};
static const char *const languages[] = {
    "fr https://fr.example serves=lang:fr,lang:de-CH",
    "en https://en.example serves=lang:en", NULL
};
static const char *const with_default[] = {
    "de https://de.example at=52.5,13.4 serves=DE",
    "all https://all.example at=-33.9,151.2 serves=default", NULL
};
static const char *const alone[] = {
    "one https://one.example at=50,8", NULL
};
static const char *const none[] = { NULL };

static const struct {
    const char *const *sites;
    unsigned fields;
} looks_at[] = {
    { world, COUNTRY | LATLONG },
    { served, COUNTRY | R307_FIELD_BIT(R307_FIELD_REGION) | LATLONG
              | LANGUAGE },
    { placeless, COUNTRY },
    { languages, LANGUAGE },
    { alone, 0 },
    { none, 0 }
};

static const struct {
    const char *const *sites;
    const char *country;        /* "tor": Tor */
    unsigned known;
    double latitude, longitude;
    const char *language, *want, *name;
} visitors[] = {
    /* by position */
    { world, "GB", 3, 51.5, -0.1, NULL, "fra", "London" },
    { world, "US", 3, 37.8, -122.4, NULL, "iad", "San Francisco" },
    { world, "AU", 3, -33.9, 151.2, NULL, "sin", "Sydney" },
    { world, "AR", 3, -34.6, -58.4, NULL, "gru", "Buenos Aires" },
    { world, "US", 3, 21.3, -157.9, NULL, "iad", "Honolulu" },
    { world, "NZ", 3, -36.8, 174.8, NULL, "sin", "Auckland" },
    { world, "FJ", 3, -18.1, -178.4, NULL, "sin", "beyond the date line" },
    { world, "ZA", 3, -33.9, 18.4, NULL, "gru", "Cape Town" },
    { world, NULL, 3, 51.5, -0.1, NULL, "fra", "a position alone" },
    { world, "DE", 3, 40.7, -74, NULL, "iad",
      "the position comes before the country" },
    { world, NULL, 3, 90, 0, NULL, "fra", "the North Pole" },
    { world, NULL, 3, -90, 0, NULL, "gru", "the South Pole" },
    /* by country */
    { world, "DE", 0, 0, 0, NULL, "fra", "Germany" },
    { world, "CA", 0, 0, 0, NULL, "iad", "Canada" },
    { world, "JP", 0, 0, 0, NULL, "sin", "Japan" },
    { world, "BR", 0, 0, 0, NULL, "gru", "Brazil" },
    { world, "BR", 1, 51.5, 0, NULL, "gru", "half a position is none" },
    { world, "BR", 2, 0, 8.7, NULL, "gru", "neither is the other half" },
    /* by order */
    { world, NULL, 0, 0, 0, NULL, "fra", "nothing is known" },
    { world, "tor", 0, 0, 0, NULL, "fra", "Tor" },
    { half, NULL, 0, 0, 0, NULL, "nowhere", "nothing known, some placed" },
    { half, "JP", 0, 0, 0, NULL, "fra", "any place before none" },
    { half, NULL, 3, -50.11, -171.32, NULL, "fra", "even the antipodes" },
    { placeless, "DE", 0, 0, 0, NULL, "b", "no site has a place" },
    { placeless, "AT", 3, 48.2, 16.4, NULL, "at", "and the first serves" },
    { twins, NULL, 3, 10, 170, NULL, "west", "one place, two spellings" },
    { twins, NULL, 3, -10, -170, NULL, "west", "seen from the east" },
    { twins, NULL, 3, 0, 90, NULL, "west", "seen from far away" },
    { twins, NULL, 3, 0, -90, NULL, "west", "seen from the other side" },
    { mirrored, NULL, 3, 0, 20, NULL, "south", "a tie" },
    { mirrored, NULL, 3, 0, 100, NULL, "south", "a tie from afar" },
    { mirrored, NULL, 3, 0.001, 20, NULL, "north", "100 metres decide" },
    /* among those that serve the visitor */
    { served, "US", 0, 0, 0, NULL, "us", "the United States" },
    { served, "CA", 3, 43.7, -79.4, NULL, "ca", "Toronto, served twice" },
    { served, "CA", 3, 38.9, -77.4, NULL, "us", "nearer to the other" },
    { served, "US", 3, 43.7, -79.4, NULL, "us", "nearest does not serve" },
    { served, "GB", 3, 40.7, -74, NULL, "eu", "served far away only" },
    { served, "FR", 0, 0, 0, NULL, "eu", "France, no language" },
    { served, "FR", 0, 0, 0, "fr-FR, en;q=0.5", "fr", "France, French" },
    { served, "JP", 0, 0, 0, NULL, NULL, "nobody serves Japan" },
    { served, "JP", 0, 0, 0, "ja, fr;q=0.1", "fr", "but those who read" },
    { served, "JP", 0, 0, 0, "ja, fr;q=0", NULL, "and not who refuse" },
    { served, "tor", 0, 0, 0, NULL, "tor", "Tor has a site" },
    { served, NULL, 0, 0, 0, NULL, NULL, "nobody serves the unknown" },
    { served, NULL, 3, 50.1, 8.7, NULL, NULL, "wherever they are" },
    { languages, NULL, 0, 0, 0, "de-CH", "fr", "the second language" },
    { languages, NULL, 0, 0, 0, "en, fr;q=0.1", "fr",
      "able to read, not fond of" },
    { languages, NULL, 0, 0, 0, "en", "en", "English" },
    { languages, NULL, 0, 0, 0, "ja", NULL, "neither" },
    { languages, NULL, 0, 0, 0, "", NULL, "an empty Accept-Language" },
    { with_default, "DE", 0, 0, 0, NULL, "de", "Germany has its own" },
    { with_default, "AT", 0, 0, 0, NULL, "all", "Austria has the rest" },
    { alone, "JP", 0, 0, 0, NULL, "one", "one site is always nearest" },
    { none, "DE", 0, 0, 0, NULL, NULL, "no sites" }
};

static const char *const mixed[] = {
    "fra https://fra.example at=50.11,8.68 while=up-fra",
    "iad https://iad.example at=38.94,-77.45",
    "sin https://sin.example at=1.35,103.99 balancer=up-sin",
    "ams https://ams.example at=52.3,4.76 while=up-ams",
    "any https://any.example while=up-any", NULL
};
static const char *const all_watched[] = {
    "a https://a.example at=50,8 while=up-a",
    "b https://b.example at=51,8 while=up-b serves=DE",
    "c https://c.example while=up-c", NULL
};

static const apr_array_header_t *make(const char *const *lines)
{
    apr_array_header_t *sites =
        apr_array_make(tap_pool, SITES_MAX, sizeof(const r307_site_t *));
    r307_error_t err = { tap_pool, NULL };

    for (; *lines; lines++) {
        const r307_site_t *site = parse(*lines, &err);
        if (!site) {
            ok(0, "%s: %s", *lines, err.text);
            continue;
        }
        APR_ARRAY_PUSH(sites, const r307_site_t *) = site;
    }
    return sites;
}

static void check_visitors(void)
{
    unsigned i;

    for (i = 0; i < TABLE(visitors); i++) {
        r307_facts_t facts = { 0 };
        const r307_site_t *site;

        facts.country = r307_country_find(visitors[i].country);
        facts.tor = visitors[i].country && !facts.country;
        facts.known_position = visitors[i].known;
        facts.latitude = visitors[i].latitude;
        facts.longitude = visitors[i].longitude;
        facts.language = visitors[i].language;
        site = r307_site_nearest(make(visitors[i].sites), &facts, NULL,
                                 tap_pool);
        is(site ? site->name : NULL, visitors[i].want, "%s",
           visitors[i].name);
    }
}

/* Visitors while some sites are down: who is taken, and who was asked, in
 * order. */
static const struct {
    const char *const *sites;
    const char *country, *down, *want, *asked, *name;
} health[] = {
    { mixed, "DE", "", "fra", "fra", "all are up: the nearest is asked only" },
    { mixed, "DE", "fra", "ams", "fra ams", "the next is asked" },
    { mixed, "DE", "fra ams", "iad", "fra ams",
      "who has no condition is not asked" },
    { mixed, "US", "fra ams sin any", "iad", "",
      "the nearest has no condition" },
    { mixed, "SG", "sin", "fra", "sin fra", "a balancer is asked for, too" },
    { mixed, NULL, "fra", "iad", "fra", "by order: the second" },
    { all_watched, "DE", "a", "b", "b", "nearer than the one that is down" },
    { all_watched, "DE", "a b", "c", "b a c", "without a place: the last" },
    { all_watched, "DE", "a b c", NULL, "b a c", "none is left" },
    { all_watched, "FR", "a", "c", "a c", "who does not serve is not asked" },
    { all_watched, NULL, "a b c", NULL, "a c", "none is left, by order" }
};

typedef struct census_t {
    const char *down;
    const char *asked;
} census_t;

static int is_up(void *ctx, const r307_site_t *site)
{
    census_t *census = ctx;

    census->asked = apr_pstrcat(tap_pool, census->asked,
                                *census->asked ? " " : "", site->name, NULL);
    return !strstr(census->down, site->name);
}

static void check_health(void)
{
    unsigned i;

    for (i = 0; i < TABLE(health); i++) {
        r307_facts_t facts = { 0 };
        census_t census = { health[i].down, "" };
        r307_site_judge_t judge = { is_up, &census };
        const r307_site_t *site;

        facts.country = r307_country_find(health[i].country);
        site = r307_site_nearest(make(health[i].sites), &facts, &judge,
                                 tap_pool);
        is(site ? site->name : NULL, health[i].want, "%s", health[i].name);
        is(census.asked, health[i].asked, "asked in this order");
    }
}

static void check_fields(void)
{
    unsigned i;

    for (i = 0; i < TABLE(looks_at); i++) {
        ok(r307_site_fields(make(looks_at[i].sites)) == looks_at[i].fields,
           "what the nearest of list %u depends on", i);
    }
}

static void check_find(void)
{
    const apr_array_header_t *sites = make(world);
    r307_facts_t facts = { 0 };
    const r307_site_t *site = r307_site_find(sites, "sin/path", 3);

    is(site ? site->name : NULL, "sin", "a site by its name");
    ok(!r307_site_find(sites, "si", 2) && !r307_site_find(sites, "sinn", 4)
       && !r307_site_find(sites, "", 0) && !r307_site_find(sites, "sin\0", 4),
       "by the whole name");
    ok(!r307_site_find(sites, "SIN", 3), "case matters");
    ok(!r307_site_find(NULL, "sin", 3) && !r307_site_fields(NULL)
       && !r307_site_nearest(NULL, &facts, NULL, tap_pool),
       "no list of sites");
}

int main(void)
{
    tap_begin();
    check_good();
    check_bad();
    check_watched();
    check_no_expressions();
    check_position();
    check_visitors();
    check_health();
    check_fields();
    check_find();
    return tap_end();
}
