/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Errors of the core: an apr_status_t plus one sentence for the person who
 * has to mend it. A sentence names the bad value, the rule it breaks and what
 * to write instead, and opens with its id ("R307-0101: "), under which
 * docs/messages.md explains it. It does not name file and line: whoever reads
 * the source of the value (httpd, the rule file reader) knows them and adds
 * them.
 */
#ifndef R307_ERROR_H
#define R307_ERROR_H

#include <apr_pools.h>

typedef struct r307_error_t {
    apr_pool_t *pool;           /* where text is allocated; set by the caller */
    const char *text;           /* NULL until something fails */
} r307_error_t;

/* Format the sentence into err->pool and return APR_EINVAL, so that a parser
 * ends with `return r307_error_set(err, ...)`. Values from outside are shown
 * by r307_error_show(), never raw. */
apr_status_t r307_error_set(r307_error_t *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The first bytes of a value made fit for one line of a log: control and
 * non-ASCII bytes as \xNN, cut after 200 bytes with "...". */
const char *r307_error_show(const r307_error_t *err, const char *value,
                            apr_size_t len);

#endif
