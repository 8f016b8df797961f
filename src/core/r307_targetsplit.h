/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The first of two passes over a target.
 */
#ifndef R307_TARGETSPLIT_H
#define R307_TARGETSPLIT_H

#include "core/r307_target.h"

#include <apr_tables.h>

/*
 * Split a target into texts, which are not yet encoded, captures and
 * expressions, in order: *pieces, r307_part_t without `in`. Errors of
 * references and expressions as of r307_target_parse().
 */
apr_status_t r307_target_split(apr_pool_t *pool, const char *written,
                               const r307_target_syntax_t *syntax,
                               apr_array_header_t **pieces,
                               r307_error_t *err);

#endif
