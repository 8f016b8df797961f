/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the spelling of selectors and when they hold. Must not know targets,
 * nor where facts come from. Called by rules, choices and sites.
 */
#include "core/r307_selector.h"

#include "core/r307_language.h"

#include <apr_strings.h>

#include <strings.h>

/* Every country and as many subdivisions. */
#define SELECTORS_MAX 512
#define SUBDIVISION_MAX 3       /* ISO 3166-2, behind the hyphen */

typedef struct parser_t {
    apr_pool_t *pool;
    const char *text;           /* the member, terminated */
    r307_selector_t *out;
    r307_error_t *err;
} parser_t;

/* ---- words ---- */

static const struct {
    const char *word;
    r307_selector_kind_t kind;
} words[] = {
    { "eu", R307_SELECT_EU },
    { "tor", R307_SELECT_TOR },
    { "unknown", R307_SELECT_UNKNOWN },
    { "default", R307_SELECT_DEFAULT }
};

#define NWORDS ((int)(sizeof words / sizeof words[0]))

/* Not ctype.h: its answers depend on the locale. */
static int is_letter(char c)
{
    return (unsigned char)((c | 0x20) - 'a') < 26;
}

static int is_alnum(char c)
{
    return is_letter(c) || (unsigned char)(c - '0') < 10;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static int find_word(const char *text, apr_size_t len)
{
    int i;

    for (i = 0; i < NWORDS; i++) {
        if (strlen(words[i].word) == len
            && strncasecmp(words[i].word, text, len) == 0) {
            return i;
        }
    }
    return -1;
}

/* What a code is, or was meant to be: DE, DEU, T1, US-CA. */
static int is_code_like(const char *text, apr_size_t len)
{
    if (len < 2 || !is_letter(text[0]) || !is_alnum(text[1])) {
        return 0;
    }
    return len == 2 || text[2] == '-' || (len == 3 && is_alnum(text[2]));
}

/* Options have neither comma nor colon in their names and at least four
 * letters, URL-paths and URLs have a slash. */
int r307_selector_is_list(const char *text, apr_size_t len)
{
    if (memchr(text, '/', len)) {
        return 0;
    }
    return memchr(text, ',', len) || memchr(text, ':', len)
           || is_code_like(text, len) || find_word(text, len) >= 0;
}

/* ---- one selector ---- */

static apr_status_t parse_country(parser_t *ps)
{
    ps->out->kind = R307_SELECT_COUNTRY;
    ps->out->country = r307_country_find(ps->text);
    return ps->out->country ? APR_SUCCESS
        : r307_error_set(ps->err, "R307-0741: '%s' is not the code of a "
                         "country; write two letters of ISO 3166-1 such as "
                         "DE, 'unknown' for visitors whose country is not "
                         "known, 'tor' for those who come through Tor",
                         r307_error_show(ps->err, ps->text, 2));
}

/* The text has a hyphen behind two characters. The country's code is taken
 * from the table, so that UK-ENG is GB-ENG. */
static apr_status_t parse_region(parser_t *ps)
{
    char code[3] = { ps->text[0], ps->text[1], '\0' };
    const r307_country_t *country = r307_country_find(code);
    const char *sub = ps->text + 3;
    char *o = ps->out->region;
    apr_size_t len = strlen(sub), i = 0;

    while (i < len && i < SUBDIVISION_MAX && is_alnum(sub[i])) {
        i++;
    }
    if (!country || len == 0 || i < len) {
        return r307_error_set(ps->err, "R307-0742: '%s' is not a "
                              "subdivision of a country; write the "
                              "country's code, a hyphen and 1 to 3 letters "
                              "or digits of ISO 3166-2, such as US-CA",
                              r307_error_show(ps->err, ps->text,
                                              strlen(ps->text)));
    }
    ps->out->kind = R307_SELECT_REGION;
    *o++ = country->code[0];
    *o++ = country->code[1];
    *o++ = '-';
    while (*sub) {
        *o++ = upper(*sub++);
    }
    *o = '\0';
    return APR_SUCCESS;
}

static apr_status_t parse_language(parser_t *ps, const char *tag)
{
    ps->out->kind = R307_SELECT_LANGUAGE;
    ps->out->language = tag;
    return r307_language_tag_check(tag, ps->err);
}

static apr_status_t unknown_selector(parser_t *ps)
{
    return r307_error_set(ps->err, "R307-0740: '%s' is not a selector; write "
                          "a country (DE), a subdivision (US-CA), "
                          "continent:CODE with AF, AN, AS, EU, NA, OC or SA, "
                          "lang:TAG, eu, tor, unknown or default, several of "
                          "them separated by commas without blanks",
                          r307_error_show(ps->err, ps->text,
                                          strlen(ps->text)));
}

static apr_status_t parse_continent(parser_t *ps, const char *code)
{
    ps->out->kind = R307_SELECT_CONTINENT;
    ps->out->continent = r307_continent_find(code);
    return ps->out->continent ? APR_SUCCESS : unknown_selector(ps);
}

static apr_status_t parse_one(parser_t *ps)
{
    const char *s = ps->text;
    apr_size_t len = strlen(s);
    int word = find_word(s, len);

    if (word >= 0) {
        ps->out->kind = words[word].kind;
        return APR_SUCCESS;
    }
    if (strncasecmp(s, "continent:", 10) == 0) {
        return parse_continent(ps, s + 10);
    }
    if (strncasecmp(s, "lang:", 5) == 0) {
        return parse_language(ps, s + 5);
    }
    if (!is_code_like(s, len) || (len == 3 && s[2] != '-')) {
        return unknown_selector(ps);
    }
    return len == 2 ? parse_country(ps) : parse_region(ps);
}

/* ---- lists ---- */

static int same_selector(const r307_selector_t *a, const r307_selector_t *b)
{
    return a->kind == b->kind && a->country == b->country
           && strcmp(a->region, b->region) == 0
           && a->continent == b->continent
           && (!a->language || strcasecmp(a->language, b->language) == 0);
}

/* Is the last selector one of those before it, or one too many? */
static apr_status_t check_last(const parser_t *ps,
                               const apr_array_header_t *list)
{
    int last = list->nelts - 1, i;

    for (i = 0; i < last; i++) {
        if (same_selector(&APR_ARRAY_IDX(list, i, r307_selector_t),
                          &APR_ARRAY_IDX(list, last, r307_selector_t))) {
            return r307_error_set(ps->err, "R307-0743: the selector '%s' is "
                                  "given twice in one list; keep one",
                                  ps->text);
        }
    }
    return list->nelts <= SELECTORS_MAX ? APR_SUCCESS
        : r307_error_set(ps->err, "R307-0744: the list of selectors has more "
                         "than %d members; use continent:CODE, eu or "
                         "default, or make several lists", SELECTORS_MAX);
}

apr_status_t r307_selector_parse_list(apr_pool_t *pool, const char *text,
                                      apr_size_t len,
                                      apr_array_header_t **out,
                                      r307_error_t *err)
{
    apr_array_header_t *list =
        apr_array_make(pool, 4, sizeof(r307_selector_t));
    const char *s = apr_pstrmemdup(pool, text, len), *comma;

    do {
        parser_t ps = { pool, s, apr_array_push(list), err };
        apr_status_t rv;

        memset(ps.out, 0, sizeof *ps.out);
        comma = strchr(s, ',');
        if (comma) {
            ps.text = apr_pstrmemdup(pool, s, (apr_size_t)(comma - s));
            s = comma + 1;
        }
        rv = parse_one(&ps);
        if (rv == APR_SUCCESS) {
            rv = check_last(&ps, list);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
    } while (comma);
    *out = list;
    return APR_SUCCESS;
}

/* ---- visitors ---- */

unsigned r307_selector_fields(const apr_array_header_t *selectors)
{
    static const unsigned looks_at[] = {
        [R307_SELECT_COUNTRY] = R307_FIELD_BIT(R307_FIELD_COUNTRY),
        [R307_SELECT_REGION] = R307_FIELD_BIT(R307_FIELD_REGION),
        [R307_SELECT_CONTINENT] = R307_FIELD_BIT(R307_FIELD_CONTINENT)
            | R307_FIELD_BIT(R307_FIELD_COUNTRY),
        [R307_SELECT_EU] = R307_FIELD_BIT(R307_FIELD_COUNTRY),
        [R307_SELECT_LANGUAGE] = R307_FIELD_BIT(R307_FIELD_LANGUAGE),
        [R307_SELECT_TOR] = R307_FIELD_BIT(R307_FIELD_COUNTRY),
        [R307_SELECT_UNKNOWN] = R307_FIELD_BIT(R307_FIELD_COUNTRY),
        [R307_SELECT_DEFAULT] = 0
    };
    unsigned fields = 0;
    int i;

    for (i = 0; i < selectors->nelts; i++) {
        fields |= looks_at[APR_ARRAY_IDX(selectors, i, r307_selector_t).kind];
    }
    return fields;
}

/* What a source says comes before what the country implies. */
static r307_continent_t continent(const r307_facts_t *facts)
{
    if (facts->continent == R307_CONTINENT_NONE && facts->country) {
        return (r307_continent_t)facts->country->continent;
    }
    return facts->continent;
}

int r307_selector_holds(const r307_selector_t *selector,
                        const r307_facts_t *facts, const char *language)
{
    switch (selector->kind) {
    case R307_SELECT_COUNTRY:
        return facts->country == selector->country;
    case R307_SELECT_REGION:
        return strcmp(facts->region, selector->region) == 0;
    case R307_SELECT_CONTINENT:
        return continent(facts) == selector->continent;
    case R307_SELECT_EU:
        return facts->country && facts->country->eu;
    case R307_SELECT_LANGUAGE:
        return language == selector->language;
    case R307_SELECT_TOR:
        return facts->tor;
    case R307_SELECT_UNKNOWN:
        return !facts->country;
    case R307_SELECT_DEFAULT:
        return 1;
    }
    return 0;
}
