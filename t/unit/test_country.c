/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* Countries: codes, continents, the European Union, places. */
#include "tap.h"

#include "core/r307_country.h"
#include "core/r307_position.h"

/* ISO 3166-1, copied from another place (tzdata's iso3166.tab) than the table
 * under test; XK; UK, which is GB. */
static const char codes[] =
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG "
    "BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI "
    "CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH "
    "ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ "
    "GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT "
    "JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS "
    "LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU "
    "MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG "
    "PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG "
    "SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK "
    "TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU "
    "WF WS YE YT ZA ZM ZW "
    "XK UK ";

static const char union_codes[] =
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT "
    "RO SE SI SK "
    "AX GF GP MF MQ RE YT ";

static const char *const no_codes[] = {
    "", "D", "DEU", "DE ", " DE", "12", "D1", "1D", "d{", "@A", "[A",
    "\xc3\x84", "--", "**", "??", "T1", "A1", "A2", "AP", "EU", "XX", "ZZ",
    "reserved"
};

/* Continents of those that lie between two, or far from the others. */
static const struct {
    const char *code, *continent;
} between[] = {
    { "RU", "EU" }, { "TR", "AS" }, { "CY", "EU" }, { "EG", "AF" },
    { "GE", "AS" }, { "AM", "AS" }, { "AZ", "AS" }, { "KZ", "AS" },
    { "IL", "AS" }, { "IS", "EU" }, { "GL", "NA" }, { "MX", "NA" },
    { "PA", "NA" }, { "TT", "NA" }, { "CO", "SA" }, { "GF", "SA" },
    { "FK", "SA" }, { "HI", NULL }, { "GU", "OC" }, { "ID", "AS" },
    { "PG", "OC" }, { "RE", "AF" }, { "CV", "AF" }, { "SH", "AF" },
    { "GS", "AN" }, { "AQ", "AN" }, { "SJ", "EU" }, { "XK", "EU" },
    { "uk", "EU" }, { "us", "NA" }, { "jP", "AS" }, { "Au", "OC" }
};

/* Boxes around the continents; Oceania's crosses the date line. */
static const struct {
    const char *code;
    double south, north, west, east;
} boxes[] = {
    { "AF", -48, 38, -26, 64 },         /* with SH, CV, MU, SC */
    { "AN", -90, -37, -180, 180 },      /* with TF and GS */
    { "AS", -13, 56, 26, 147 },         /* with CX */
    { "EU", 34, 81, -32, 60 },
    { "NA", 7, 84, -180, -11 },
    { "OC", -55, 21, 110, -120 },
    { "SA", -56, 14, -93, -28 }
};

/* Where a person would put a finger on the map. */
static const struct {
    const char *code;
    double latitude, longitude, km;
} places[] = {
    { "FR", 46.5, 2.5, 100 },           /* in Europe, not in the Atlantic */
    { "US", 39.5, -98.5, 200 },         /* without Alaska and Hawaii */
    { "GB", 53, -2, 150 },
    { "DE", 51, 10.5, 100 },
    { "NL", 52.2, 5.5, 100 },           /* without Bonaire */
    { "PT", 39.5, -8, 100 },            /* without the Azores */
    { "RU", 56, 45, 900 },              /* where most people live */
    { "NO", 63, 11, 200 },              /* without Svalbard */
    { "EC", -1.5, -78.5, 150 },         /* without the Galapagos */
    { "FJ", -17.8, 178, 150 },          /* on both sides of 180 degrees */
    { "CL", -34.1, -70.9, 100 },        /* the mainland, half way down */
    { "CA", 60, -98, 300 },
    { "AU", -25.5, 134, 200 },
    { "GF", 4, -53, 100 },
    { "RE", -21.1, 55.5, 50 },
    { "GP", 16.2, -61.5, 50 },
    { "SJ", 78.5, 16, 150 },
    { "TK", -9.2, -171.8, 100 },
    { "CC", -12.2, 96.8, 50 },
    { "BV", -54.4, 3.4, 50 },
    { "XK", 42.6, 20.9, 50 },
    { "VA", 41.9, 12.45, 5 },
    { "SG", 1.35, 103.8, 30 }
};

static int listed(const char *list, const char *code)
{
    return strstr(list, apr_pstrcat(tap_pool, code, " ", NULL)) != NULL;
}

static const char *continent_of(const char *code)
{
    const r307_country_t *country = r307_country_find(code);

    return country ? r307_continent_code(country->continent) : NULL;
}

static int in_box(const r307_country_t *country)
{
    const char *continent = r307_continent_code(country->continent);
    unsigned i;

    for (i = 0; i < TABLE(boxes); i++) {
        if (continent && strcmp(boxes[i].code, continent) == 0) {
            double lat = country->latitude, lon = country->longitude;
            int east = lon <= boxes[i].east, west = lon >= boxes[i].west;
            return lat >= boxes[i].south && lat <= boxes[i].north
                && (boxes[i].west < boxes[i].east ? east && west
                                                  : east || west);
        }
    }
    return 0;
}

/* A pair of letters, in the four mixtures of case, is what the lists say. */
static void check_pair(const char *code)
{
    const char *want = strcmp(code, "UK") == 0 ? "GB" : code;
    const r307_country_t *country = r307_country_find(code);
    int lower;

    for (lower = 1; lower < 4; lower++) {
        char mixed[3] = { code[0] | (lower & 1 ? 0x20 : 0),
                          code[1] | (lower & 2 ? 0x20 : 0), '\0' };

        ok(r307_country_find(mixed) == country, "%s is %s", mixed, code);
    }
    if (!listed(codes, code)) {
        ok(!country, "%s is no country", code);
    }
    else if (is(country ? country->code : NULL, want, "%s", code)) {
        ok(country->eu == listed(union_codes, want),
           "%s: membership of the Union", code);
        ok(in_box(country), "%s: %.2f,%.2f is on its continent", code,
           country->latitude, country->longitude);
    }
}

static void check_pairs(void)
{
    char code[3] = "AA";

    for (code[0] = 'A'; code[0] <= 'Z'; code[0]++) {
        for (code[1] = 'A'; code[1] <= 'Z'; code[1]++) {
            check_pair(code);
        }
    }
}

static void check_places(void)
{
    unsigned i;

    for (i = 0; i < TABLE(places); i++) {
        const r307_country_t *country = r307_country_find(places[i].code);
        double km = country
            ? r307_position_km(country->latitude, country->longitude,
                               places[i].latitude, places[i].longitude)
            : -1;

        ok(km >= 0 && km <= places[i].km, "%s is where it is (%.0f km off)",
           places[i].code, km);
    }
}

static void check_continents(void)
{
    static const char *const all[] = {
        "AF", "AN", "AS", "EU", "NA", "OC", "SA"
    };
    static const char *const none[] = {
        "", "E", "EUR", "T1", "XX", "AA", "SE", "E5", "--", "\xc5\xd5"
    };
    unsigned i;

    for (i = 0; i < TABLE(all); i++) {
        char lower[3] = { all[i][0] | 0x20, all[i][1] | 0x20, '\0' };

        is(r307_continent_code(r307_continent_find(all[i])), all[i], "%s",
           all[i]);
        is(r307_continent_code(r307_continent_find(lower)), all[i], "%s",
           lower);
    }
    for (i = 0; i < TABLE(none); i++) {
        ok(r307_continent_find(none[i]) == R307_CONTINENT_NONE,
           "'%s' is no continent", none[i]);
    }
    ok(r307_continent_find(NULL) == R307_CONTINENT_NONE, "nothing is none");
    is(r307_continent_code(R307_CONTINENT_NONE), NULL, "none has no code");
    is(r307_continent_code(R307_CONTINENT_SA + 1), NULL, "there is no eighth");
}

int main(void)
{
    unsigned i;

    tap_begin();
    check_pairs();
    for (i = 0; i < TABLE(no_codes); i++) {
        ok(!r307_country_find(no_codes[i]), "'%s' is no country", no_codes[i]);
    }
    ok(!r307_country_find(NULL), "nothing is no country");
    for (i = 0; i < TABLE(between); i++) {
        is(continent_of(between[i].code), between[i].continent,
           "the continent of %s", between[i].code);
    }
    check_places();
    check_continents();
    return tap_end();
}
