/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * What rows are begun with, all of it. Between rows and patch, and for tests;
 * everybody else includes r307_patch.h.
 */
#ifndef R307_ROWS_H
#define R307_ROWS_H

#include "core/r307_patch.h"

typedef struct r307_rows_setup_t {
    const r307_table_spec_t *spec;
    const r307_table_t *base;   /* they make a patch of it; NULL: a base */
    const r307_table_t *kept;   /* its rows stay unless their ids come; of a
                                 * patch: a patch of the same base, with what
                                 * it changes; NULL: none */
    apr_size_t expected;
    apr_uint32_t hash_mask;     /* ~0; fewer bits in tests of collisions */
    r307_rows_bad_t bad;
    void *ctx;
} r307_rows_setup_t;

/* APR_ENOMEM; APR_EINVAL: kept is a patch of another base. */
apr_status_t r307_rows_create(const r307_rows_setup_t *setup,
                              apr_pool_t *pool, r307_rows_t **out);

/* As r307_rows_write(), to memory, and opened. For few rows. */
apr_status_t r307_rows_write_memory(r307_rows_t *rows,
                                    const r307_table_source_t *source,
                                    apr_pool_t *pool, r307_table_t **out,
                                    r307_error_t *err);

#endif
