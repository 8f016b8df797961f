/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Selectors: the words by which a geo rule or a site says whom it is for.
 */
#ifndef R307_SELECTOR_H
#define R307_SELECTOR_H

#include "core/r307_error.h"
#include "core/r307_facts.h"

#include <apr_tables.h>

typedef enum r307_selector_kind_t {
    R307_SELECT_COUNTRY,        /* "DE" */
    R307_SELECT_REGION,         /* "US-CA" */
    R307_SELECT_CONTINENT,      /* "continent:EU" */
    R307_SELECT_EU,             /* "eu": a member state */
    R307_SELECT_LANGUAGE,       /* "lang:pt-BR" */
    R307_SELECT_TOR,            /* "tor" */
    R307_SELECT_UNKNOWN,        /* "unknown": no country is known */
    R307_SELECT_DEFAULT         /* "default": everybody */
} r307_selector_kind_t;

typedef struct r307_selector_t {
    r307_selector_kind_t kind;
    const r307_country_t *country;      /* COUNTRY */
    char region[8];                     /* REGION: upper case */
    r307_continent_t continent;         /* CONTINENT */
    const char *language;               /* LANGUAGE: the tag as written */
} r307_selector_t;

/* Can the word be a list of selectors, by its shape? Says whether `DE,AT=...`
 * in a rule is a choice rather than an option: no option is named like
 * that. len: up to '='. */
int r307_selector_is_list(const char *text, apr_size_t len);

/*
 * A comma list into an array of r307_selector_t from pool. APR_EINVAL with a
 * sentence (R307-0740 and following) that names the bad word and what is
 * legal; an empty list or member is bad, and so is a selector given twice.
 */
apr_status_t r307_selector_parse_list(apr_pool_t *pool, const char *text,
                                      apr_size_t len,
                                      apr_array_header_t **out,
                                      r307_error_t *err);

/* The fields, as bits, that the selectors of the list look at. */
unsigned r307_selector_fields(const apr_array_header_t *selectors);

/* Does it hold for the visitor? language: the tag that the visitor prefers
 * among all tags of the rule, as r307_language_choose() found it; NULL:
 * none. LANGUAGE holds when it is the same pointer. */
int r307_selector_holds(const r307_selector_t *selector,
                        const r307_facts_t *facts, const char *language);

#endif
