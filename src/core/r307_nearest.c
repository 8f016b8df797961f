/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns which site is nearest to a visitor, and which is next when that one
 * cannot be used. Must not know rules, nor how it is found out whether a site
 * can be used. Called by decide for site:nearest.
 */
#include "core/r307_site.h"

#include "core/r307_language.h"

#include <string.h>

/* Of the square of a line in units of the Earth's radius: some metres where
 * the visitor is, micrometres elsewhere. Sites at 180 degrees east and west
 * are the same, though not to the last bit. */
#define TIE 1e-12

/* As farther than any place: r307_position_apart() ends at 4. */
#define NOWHERE 8.0

static const r307_site_t *site_at(const apr_array_header_t *sites, int i)
{
    return APR_ARRAY_IDX(sites, i, const r307_site_t *);
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

static int __attribute__((noinline)) is_among(const r307_site_t *site,
                                              const r307_facts_t *facts)
{
    int i;

    for (i = 0; i < site->serves->nelts; i++) {
        const r307_selector_t *selector =
            &APR_ARRAY_IDX(site->serves, i, r307_selector_t);
        if (r307_selector_holds(selector, facts,
                                language_read(selector, facts))) {
            return 1;
        }
    }
    return 0;
}

static inline int is_served(const r307_site_t *site,
                            const r307_facts_t *facts)
{
    return !site->serves || is_among(site, facts);
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

typedef struct visitor_t {
    const r307_facts_t *facts;
    int placed;
    r307_vector_t at;
} visitor_t;

/* The index of the nearest but those that were passed over; -1 for none. Most
 * sites are just farther than one before them: that is found out first. */
static int nearest_but(const apr_array_header_t *sites,
                       const visitor_t *visitor, const char *passed)
{
    r307_vector_t at = visitor->at;
    int i, placed = visitor->placed, nearest = -1;
    double bound = 2 * NOWHERE; /* what is nearer than that counts */

    for (i = 0; i < sites->nelts; i++) {
        const r307_site_t *site = site_at(sites, i);
        double apart = placed && site->has_position
            ? r307_position_apart(&at, &site->at) : NOWHERE;

        if (apart < bound && !(passed && passed[i])
            && is_served(site, visitor->facts)) {
            nearest = i;
            bound = apart - TIE;
        }
    }
    return nearest;
}

static int is_usable(const r307_site_t *site, const r307_site_judge_t *judge)
{
    return !judge || !r307_site_is_watched(site)
           || judge->usable(judge->ctx, site);
}

const r307_site_t *r307_site_nearest(const apr_array_header_t *sites,
                                     const r307_facts_t *facts,
                                     const r307_site_judge_t *judge,
                                     apr_pool_t *pool)
{
    visitor_t visitor = { facts, 0, { 0, 0, 0 } };
    char *passed = NULL;
    int i;

    if (!sites) {
        return NULL;
    }
    visitor.placed = place(facts, &visitor.at);
    while ((i = nearest_but(sites, &visitor, passed)) >= 0) {
        if (is_usable(site_at(sites, i), judge)) {
            return site_at(sites, i);
        }
        if (!passed) {
            passed = apr_pcalloc(pool, (apr_size_t)sites->nelts);
        }
        passed[i] = 1;
    }
    return NULL;
}
