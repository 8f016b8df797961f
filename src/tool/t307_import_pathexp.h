/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Path expressions of Vercel and Next.js ("/blog/:slug/:rest*"), as the
 * regular expressions that they stand for. Called by the JSON reader.
 */
#ifndef T307_IMPORT_PATHEXP_H
#define T307_IMPORT_PATHEXP_H

#include "tool/t307_import.h"

typedef struct t307_import_param_t {
    const char *name;           /* NULL: none was given */
    int group;                  /* the value */
    int outer;                  /* the value with its prefix, "" when it is
                                 * missing; 0: it cannot be missing */
    char prefix;                /* '/' or '.', 0: none */
    int repeats;
} t307_import_param_t;

typedef struct t307_import_pathexp_t {
    const char *regex;          /* without ^ and $ */
    t307_import_param_t params[T307_IMPORT_CAPTURES_MAX];
    int nparams;
    int ngroups;
} t307_import_pathexp_t;

/* Returns NULL, or why the source cannot be carried over. drops: a missing
 * value takes its prefix along in the target. */
const char *t307_import_pathexp_parse(apr_pool_t *pool, const char *source,
                                      int drops, t307_import_pathexp_t *out);

/* The destination as target; NULL with *why. */
const char *t307_import_pathexp_fill(apr_pool_t *pool,
                                     const t307_import_pathexp_t *exp,
                                     const char *destination, int drops,
                                     const char **why);

#endif
