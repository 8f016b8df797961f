/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Sites: the data centres that rules may send to by name, and which of them is
 * nearest to a visitor.
 */
#ifndef R307_SITE_H
#define R307_SITE_H

#include "core/r307_position.h"
#include "core/r307_selector.h"
#include "core/r307_target.h"

typedef struct r307_site_t {
    const char *name;
    const r307_target_t *target;        /* the base URL, literal, without a
                                         * query, fragment or final slash */
    int has_position;
    r307_vector_t at;
    const apr_array_header_t *serves;   /* r307_selector_t; NULL: everybody */
    int local;                          /* this server: no redirect */
    const char *file;
    int line;
} r307_site_t;

/*
 * Redirect307Site NAME URL [at=LAT,LON] [serves=SELECTOR,...] [local]. words:
 * all of them. The base URL is http or https with a literal host, no query,
 * fragment, userinfo or capture. NAME: 1 to 64 letters, digits, '.', '_', '-',
 * and not "nearest". APR_EINVAL with a sentence (R307-0750 and following).
 */
apr_status_t r307_site_parse(apr_pool_t *pool, int nwords,
                             const char *const *words, r307_site_t **out,
                             r307_error_t *err);

/* The site of that name (not terminated), case-sensitive, or NULL. sites:
 * const r307_site_t *; NULL: none. */
const r307_site_t *r307_site_find(const apr_array_header_t *sites,
                                  const char *name, apr_size_t len);

/* The fields, as bits, that r307_site_nearest() looks at. */
unsigned r307_site_fields(const apr_array_header_t *sites);

/*
 * The nearest site that serves the visitor: by the visitor's position, else by
 * the centroid of their country. Sites without a position are behind all
 * others. Without any position the first in written order; ties likewise.
 * NULL when no site serves the visitor.
 */
const r307_site_t *r307_site_nearest(const apr_array_header_t *sites,
                                     const r307_facts_t *facts);

#endif
