/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what a site is and which one is nearest. Must not know rules, nor how a
 * Location is made of a site. Called when Redirect307Site is read, when rules
 * are created, and when a choice says site:nearest.
 */
#include "core/r307_site.h"

#include "core/r307_language.h"

#include <apr_strings.h>

#include <strings.h>

#define NAME_MAX_LEN 64

/* Of the square of a line in units of the Earth's radius: some metres where
 * the visitor is, micrometres elsewhere. Sites at 180 degrees east and west
 * are the same, though not to the last bit. */
#define TIE 1e-12

/* As farther than any place: r307_position_apart() ends at 4. */
#define NOWHERE 8.0

typedef struct parser_t {
    apr_pool_t *pool;
    r307_site_t *site;
    r307_error_t *err;
} parser_t;

/* ---- Redirect307Site: name and URL ---- */

static int is_name(const char *s)
{
    apr_size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-"
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    return len > 0 && len <= NAME_MAX_LEN && !s[len]
           && strcasecmp(s, "nearest") != 0;
}

static apr_status_t parse_name(parser_t *ps, const char *word)
{
    ps->site->name = apr_pstrdup(ps->pool, word);
    return is_name(word) ? APR_SUCCESS
        : r307_error_set(ps->err, "R307-0751: '%s' cannot be the name of a "
                         "site; write 1 to %d letters, digits, '.', '_' or "
                         "'-', and not 'nearest', which means the nearest of "
                         "all", r307_error_show(ps->err, word, strlen(word)),
                         NAME_MAX_LEN);
}

/* Would it mean something that depends on the request, were it a target? */
static int is_computed(const char *s)
{
    for (; *s; s++) {
        if ((s[0] == '%' && s[1] == '{')
            || (s[0] == '$' && s[1] && strchr("0123456789{<", s[1]))) {
            return 1;
        }
    }
    return 0;
}

static int is_http(const char *s)
{
    return strncasecmp(s, "http://", 7) == 0
           || strncasecmp(s, "https://", 8) == 0;
}

/* A request path, which begins with a slash, is put behind it. Without query
 * and fragment, a literal URL is one part. */
static void cut_slashes(apr_pool_t *pool, r307_target_t *target)
{
    r307_part_t *part = apr_pmemdup(pool, target->parts, sizeof *part);

    while (part->len > target->authority_len
           && part->text[part->len - 1] == '/') {
        part->len--;
    }
    part->text = apr_pstrmemdup(pool, part->text, part->len);
    target->parts = part;
}

static apr_status_t parse_url(parser_t *ps, const char *word)
{
    static const r307_target_syntax_t literal = { NULL, NULL, NULL };
    r307_target_t *target;
    apr_status_t rv;

    if (!is_http(word) || is_computed(word)) {
        return r307_error_set(ps->err, "R307-0752: '%s' is not the base URL "
                              "of a site; write http:// or https://, the "
                              "host, and a path if there is one, without "
                              "captures and expressions",
                              r307_error_show(ps->err, word, strlen(word)));
    }
    rv = r307_target_parse(ps->pool, word, &literal, &target, ps->err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (target->query_at < target->nparts) {
        return r307_error_set(ps->err, "R307-0753: the base URL '%s' has a "
                              "query or a fragment, and the request's path "
                              "has to follow it; end it with host or path",
                              r307_error_show(ps->err, word, strlen(word)));
    }
    cut_slashes(ps->pool, target);
    ps->site->target = target;
    return APR_SUCCESS;
}

/* ---- Redirect307Site: options ---- */

static apr_status_t parse_at(parser_t *ps, const char *value)
{
    double latitude, longitude;

    if (r307_position_parse(value, &latitude, &longitude) != APR_SUCCESS) {
        return r307_error_set(ps->err, "R307-0754: 'at=%s' is not a place; "
                              "write latitude and longitude in degrees, "
                              "north and east positive, separated by a comma "
                              "only: at=50.11,8.68",
                              r307_error_show(ps->err, value,
                                              strlen(value)));
    }
    ps->site->at = r307_position_vector(latitude, longitude);
    ps->site->has_position = 1;
    return APR_SUCCESS;
}

static apr_status_t parse_serves(parser_t *ps, const char *value)
{
    apr_array_header_t *list;
    apr_status_t rv = r307_selector_parse_list(ps->pool, value,
                                               strlen(value), &list, ps->err);

    ps->site->serves = rv == APR_SUCCESS ? list : NULL;
    return rv;
}

static apr_status_t parse_local(parser_t *ps, const char *value)
{
    (void)value;
    ps->site->local = 1;
    return APR_SUCCESS;
}

static const struct {
    const char *name;           /* with "=" when it has a value */
    apr_status_t (*parse)(parser_t *ps, const char *value);
} options[] = {
    { "at=", parse_at },
    { "serves=", parse_serves },
    { "local", parse_local }
};

#define NOPTIONS ((int)(sizeof options / sizeof options[0]))

static int find_option(const char *word)
{
    int i;

    for (i = 0; i < NOPTIONS; i++) {
        apr_size_t len = strlen(options[i].name);
        if (strncmp(word, options[i].name, len) == 0
            && (options[i].name[len - 1] == '=' || !word[len])) {
            return i;
        }
    }
    return -1;
}

static apr_status_t parse_option(parser_t *ps, const char *word,
                                 unsigned *seen)
{
    int i = find_option(word);

    if (i < 0) {
        return r307_error_set(ps->err, "R307-0755: '%s' is not an option of "
                              "Redirect307Site; write at=LAT,LON, "
                              "serves=SELECTOR,... or local",
                              r307_error_show(ps->err, word, strlen(word)));
    }
    if (*seen & 1u << i) {
        return r307_error_set(ps->err, "R307-0756: the site '%s' has '%s' "
                              "twice; keep one", ps->site->name,
                              options[i].name);
    }
    *seen |= 1u << i;
    return options[i].parse(ps, word + strlen(options[i].name));
}

apr_status_t r307_site_parse(apr_pool_t *pool, int nwords,
                             const char *const *words, r307_site_t **out,
                             r307_error_t *err)
{
    parser_t ps = { pool, apr_pcalloc(pool, sizeof(r307_site_t)), err };
    unsigned seen = 0;
    apr_status_t rv;
    int i;

    if (nwords < 2) {
        return r307_error_set(err, "R307-0750: Redirect307Site needs a name "
                              "and a URL; write Redirect307Site NAME "
                              "https://host");
    }
    rv = parse_name(&ps, words[0]);
    if (rv == APR_SUCCESS) {
        rv = parse_url(&ps, words[1]);
    }
    for (i = 2; i < nwords && rv == APR_SUCCESS; i++) {
        rv = parse_option(&ps, words[i], &seen);
    }
    if (rv == APR_SUCCESS) {
        *out = ps.site;
    }
    return rv;
}

/* ---- choosing ---- */

static const r307_site_t *site_at(const apr_array_header_t *sites, int i)
{
    return APR_ARRAY_IDX(sites, i, const r307_site_t *);
}

const r307_site_t *r307_site_find(const apr_array_header_t *sites,
                                  const char *name, apr_size_t len)
{
    int i;

    for (i = 0; sites && i < sites->nelts; i++) {
        const r307_site_t *site = site_at(sites, i);
        if (strlen(site->name) == len
            && memcmp(site->name, name, len) == 0) {
            return site;
        }
    }
    return NULL;
}

unsigned r307_site_fields(const apr_array_header_t *sites)
{
    unsigned fields = 0;
    int i;

    for (i = 0; sites && i < sites->nelts; i++) {
        const r307_site_t *site = site_at(sites, i);
        if (site->serves) {
            fields |= r307_selector_fields(site->serves);
        }
        if (site->has_position && sites->nelts > 1) {
            fields |= R307_FIELD_BIT(R307_FIELD_LATLONG)
                | R307_FIELD_BIT(R307_FIELD_COUNTRY);
        }
    }
    return fields;
}

/* serves= is whom a site can serve, not what a visitor likes best: a language
 * that they read at all is enough. */
static const char *language_read(const r307_selector_t *selector,
                                 const r307_facts_t *facts)
{
    if (selector->kind != R307_SELECT_LANGUAGE || !facts->language) {
        return NULL;
    }
    return r307_language_choose(facts->language, strlen(facts->language),
                                &selector->language, 1) == 0
        ? selector->language : NULL;
}

static int is_served(const r307_site_t *site, const r307_facts_t *facts)
{
    int i;

    for (i = 0; site->serves && i < site->serves->nelts; i++) {
        const r307_selector_t *selector =
            &APR_ARRAY_IDX(site->serves, i, r307_selector_t);
        if (r307_selector_holds(selector, facts,
                                language_read(selector, facts))) {
            return 1;
        }
    }
    return !site->serves;
}

/* 0 when nothing is known of where the visitor is. */
static int place(const r307_facts_t *facts, r307_vector_t *out)
{
    if (facts->known_position == 3) {
        *out = r307_position_vector(facts->latitude, facts->longitude);
        return 1;
    }
    if (facts->country) {
        *out = r307_position_vector(facts->country->latitude,
                                    facts->country->longitude);
        return 1;
    }
    return 0;
}

const r307_site_t *r307_site_nearest(const apr_array_header_t *sites,
                                     const r307_facts_t *facts)
{
    const r307_site_t *nearest = NULL;
    r307_vector_t visitor;
    int placed = place(facts, &visitor), i;
    double least = 0;

    for (i = 0; sites && i < sites->nelts; i++) {
        const r307_site_t *site = site_at(sites, i);
        double apart = placed && site->has_position
            ? r307_position_apart(&visitor, &site->at) : NOWHERE;

        if ((!nearest || apart < least - TIE) && is_served(site, facts)) {
            nearest = site;
            least = apart;
        }
    }
    return nearest;
}
