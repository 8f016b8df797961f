/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the form of error sentences. Knows nothing of what is being parsed.
 * Called by every parser of the core.
 */
#include "core/r307_error.h"

#include <apr_strings.h>

#include <stdarg.h>

#define SHOWN_MAX 200           /* enough to recognise a value in a log line */

/* n bytes made fit for a line of a log, and a tail that is so already. */
static char *escaped(apr_pool_t *pool, const char *s, apr_size_t n,
                     const char *tail)
{
    static const char hex[] = "0123456789abcdef";
    apr_size_t room = strlen(tail) + 1, i;
    char *out = apr_palloc(pool, 4 * n + room);
    char *o = out;

    for (i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c < 0x7f) {
            *o++ = (char)c;
            continue;
        }
        *o++ = '\\';
        *o++ = 'x';
        *o++ = hex[c >> 4];
        *o++ = hex[c & 15];
    }
    apr_cpystrn(o, tail, room);
    return out;
}

/* What stands in the sentence as it was given is escaped here, too: a value
 * that a caller forgot to show must not break the log's line. */
apr_status_t r307_error_set(r307_error_t *err, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = apr_pvsprintf(err->pool, fmt, ap);
    va_end(ap);
    err->text = escaped(err->pool, text, strlen(text), "");
    return APR_EINVAL;
}

const char *r307_error_show(const r307_error_t *err, const char *value,
                            apr_size_t len)
{
    apr_size_t n = len > SHOWN_MAX ? SHOWN_MAX : len;

    return escaped(err->pool, value, n, n < len ? "..." : "");
}
