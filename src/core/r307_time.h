/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* Instants in configuration: from= and until=. */
#ifndef R307_TIME_H
#define R307_TIME_H

#include "core/r307_error.h"

#include <apr_time.h>

/*
 * Parse an RFC 3339 date-time ("2026-12-01T08:00:00Z",
 * "2026-12-01T09:00:00.5+01:00"). The zone is required: a time without one
 * would mean another instant on every server of a fleet. On failure APR_EINVAL
 * and a sentence in err; *out is untouched.
 */
apr_status_t r307_time_parse(const char *s, apr_time_t *out,
                             r307_error_t *err);

/* The instant in UTC in the same form, to the second. */
const char *r307_time_format(apr_pool_t *pool, apr_time_t t);

#endif
