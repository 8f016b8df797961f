/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The facts about one visitor: the sources of each field are asked in their
 * order until one says something.
 *
 * What comes together stays together. A country that the visitor chose, by
 * cookie or parameter, is not mixed with where they are: region, continent,
 * city and position count only if the visitor chose them too. A visitor who
 * comes through Tor is nowhere. A region of another country than the
 * visitor's does not count.
 */
#ifndef R307_GEOREAD_H
#define R307_GEOREAD_H

#include "core/r307_geofrom.h"

/* How this request is asked. The strings that the callbacks return are
 * NUL-terminated and last as long as the facts. */
typedef struct r307_georead_t {
    apr_pool_t *pool;           /* of the request */
    void *ctx;
    /* A header's value, of several fields joined with ", "; NULL: absent. */
    const char *(*header)(void *ctx, const char *name);
    const char *(*env)(void *ctx, const char *name);
    /* What a database (index of r307_geofrom_databases()) says of the
     * visitor's address, at least the fields given as bits: 1 found, 0 not.
     * *facts comes empty. Called at most once for each database. NULL: no
     * databases. */
    int (*mmdb)(void *ctx, int database, unsigned fields,
                r307_facts_t *facts);
    const char *query;          /* raw query string; NULL: none */
    int trusted;                /* the connecting peer may send facts */
    unsigned without;           /* R307_GEOFROM_* bits: leave those out */

    /* Set by r307_georead_facts() */
    unsigned chosen;            /* fields, as bits, that the visitor chose */
    const char *disbelieved;    /* the first header that is there but counts
                                 * only from a trusted peer; NULL: none */

    /* By field: the source that said it. Who wants to know zeroes it before;
     * the members of what is not known are left alone. */
    const r307_geosource_t *said[R307_FIELDS];

    /* For r307_georead.c only: what databases said. */
    unsigned needs, asked;
    r307_facts_t found[R307_GEOFROM_DATABASES_MAX];
} r307_georead_t;

/* Fill *facts with the fields (bits) and those that they need. Whatever is
 * not known is left empty. */
void r307_georead_facts(const r307_geofrom_t *from, unsigned fields,
                        r307_georead_t *rd, r307_facts_t *facts);

#endif
