/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns how text from rules and requests becomes harmless. Must not know what
 * it means. Called by whatever writes the status page.
 */
#include "httpd/m307_status.h"

#include "core/r307_time.h"

#include "apr_strings.h"

/* Length of the UTF-8 sequence at s (RFC 3629); 0: there is none. */
static int sequence(const unsigned char *s)
{
    static const struct {
        unsigned char mask, lead;
        int len;
        unsigned long first;
    } forms[] = {
        { 0x80, 0x00, 1, 0 }, { 0xe0, 0xc0, 2, 0x80 },
        { 0xf0, 0xe0, 3, 0x800 }, { 0xf8, 0xf0, 4, 0x10000 }
    };
    unsigned long code;
    int i, n;

    for (i = 0; i < 4 && (*s & forms[i].mask) != forms[i].lead; i++) {
        continue;
    }
    if (i == 4) {
        return 0;
    }
    code = *s & (unsigned char)~forms[i].mask;
    for (n = 1; n < forms[i].len; n++) {
        if ((s[n] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (s[n] & 0x3f);
    }
    return code < forms[i].first || code > 0x10ffff
           || (code >= 0xd800 && code < 0xe000) ? 0 : forms[i].len;
}

const char *m307_statustext_utf8(apr_pool_t *pool, const char *s)
{
    static const char replacement[] = "\xef\xbf\xbd";
    char *out = apr_palloc(pool, strlen(s) * 3 + 1), *to = out;

    while (*s) {
        int n = sequence((const unsigned char *)s);

        if (n == 0 || (*s > 0 && *s < ' ' && *s != '\t') || *s == 0x7f) {
            memcpy(to, replacement, 3);
            to += 3;
            s++;
            continue;
        }
        memcpy(to, s, (apr_size_t)n);
        to += n;
        s += n;
    }
    *to = '\0';
    return out;
}

/* ap_escape_html() leaves the single quote alone, so attributes must be
 * written with double quotes. */
const char *m307_statustext_html(apr_pool_t *pool, const char *s)
{
    return s ? ap_escape_html(pool, m307_statustext_utf8(pool, s)) : "";
}

const char *m307_statustext_time(apr_pool_t *pool, apr_uint32_t seconds)
{
    return seconds ? r307_time_format(pool, apr_time_from_sec(seconds))
                   : NULL;
}
