/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the form of error sentences. Knows nothing of what is being parsed.
 * Called by every parser of the core.
 */
#include "core/r307_error.h"

#include <apr_strings.h>

#include <stdarg.h>

#define SHOWN_MAX 200           /* enough to recognise a value in a log line */

apr_status_t r307_error_set(r307_error_t *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    err->text = apr_pvsprintf(err->pool, fmt, ap);
    va_end(ap);
    return APR_EINVAL;
}

const char *r307_error_show(const r307_error_t *err, const char *value,
                            apr_size_t len)
{
    static const char hex[] = "0123456789abcdef";
    apr_size_t n = len > SHOWN_MAX ? SHOWN_MAX : len, i;
    char *out = apr_palloc(err->pool, 4 * n + 4);
    char *o = out;

    for (i = 0; i < n; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c >= 0x20 && c < 0x7f) {
            *o++ = (char)c;
            continue;
        }
        *o++ = '\\';
        *o++ = 'x';
        *o++ = hex[c >> 4];
        *o++ = hex[c & 15];
    }
    apr_cpystrn(o, n < len ? "..." : "", 4);
    return out;
}
