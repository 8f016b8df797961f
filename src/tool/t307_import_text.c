/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what several readers need: lines, and writing bytes so that they mean
 * themselves. Must not know any format.
 */
#include "tool/t307_import.h"

#include "core/r307_buf.h"
#include "core/r307_encode.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>
#include <strings.h>

char *t307_import_line(t307_import_t *im, char **s, int *n)
{
    while (**s && !im->failed) {
        char *line = *s, *end = strchr(line, '\n');

        *s = end ? end + 1 : line + strlen(line);
        end = end ? end : *s;
        end -= end > line && end[-1] == '\r';
        *end = '\0';
        ++*n;
        if (end - line <= T307_IMPORT_LINE_MAX) {
            return line;
        }
        t307_import_lose(im, t307_import_rule(im, R307_RULE_REGEX, *n), 1,
                         *n, "the line is longer than %d bytes",
                         T307_IMPORT_LINE_MAX);
    }
    return NULL;
}

const char *t307_import_quote_regex(apr_pool_t *pool, const char *s,
                                    apr_size_t len)
{
    char *out = apr_palloc(pool, 2 * len + 1), *to = out;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if (strchr(".*+?()[]{}|^$\\", s[i])) {
            *to++ = '\\';
        }
        *to++ = s[i];
    }
    *to = '\0';
    return out;
}

const char *t307_import_quote_target(apr_pool_t *pool, const char *s,
                                     apr_size_t len, int regex)
{
    char *out = apr_palloc(pool, 3 * len + 1), *to = out;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if (s[i] == '%' && i + 1 < len && s[i + 1] == '{') {
            memcpy(to, "%25", 3);
            to += 3;
            continue;
        }
        if (regex && (s[i] == '\\'
                      || (s[i] == '$' && i + 1 < len
                          && (apr_isdigit(s[i + 1]) || s[i + 1] == '{'
                              || s[i + 1] == '<')))) {
            *to++ = '\\';
        }
        *to++ = s[i];
    }
    *to = '\0';
    return out;
}

const char *t307_import_decode(apr_pool_t *pool, const char *s,
                               apr_size_t len)
{
    char *out = apr_palloc(pool, len + 1), *to = out;
    apr_size_t i = 0;

    while (i < len) {
        unsigned char c = (unsigned char)s[i];
        int octet = r307_encode_is_octet(s + i, len - i);

        if (octet) {
            c = r307_encode_octet(s + i);
        }
        if (c < 0x20 || c == 0x7f || (octet && c == '/')) {
            return NULL;
        }
        *to++ = (char)c;
        i += octet ? 3 : 1;
    }
    *to = '\0';
    return out;
}

const char *t307_import_quote_expr(apr_pool_t *pool, const char *s)
{
    char *out = apr_palloc(pool, 2 * strlen(s) + 3), *to = out;

    *to++ = '\'';
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f) {
            return NULL;
        }
        if (strchr("'\"\\%$", *s)) {
            *to++ = '\\';
        }
        *to++ = *s;
    }
    *to++ = '\'';
    *to = '\0';
    return out;
}

const char *t307_import_expr_regex(apr_pool_t *pool, const char *regex,
                                   int nocase)
{
    const char *d = "#,;_!%:";

    while (*d && strchr(regex, *d)) {
        d++;
    }
    if (!*d || strpbrk(regex, "\r\n")) {
        return NULL;
    }
    return apr_psprintf(pool, "m%c%s%c%s", *d, regex, *d, nocase ? "i" : "");
}

int t307_import_is_host(const char *name)
{
    const char *s = name;

    while (apr_isalnum(*s) || *s == '.' || *s == '-' || *s == '_') {
        s++;
    }
    return !*s && s > name;
}

int t307_import_is_one_of(const char *word, const char *list)
{
    apr_size_t len = strlen(word);
    const char *at = list;

    while (len && (at = strstr(at, word)) != NULL) {
        if ((at == list || at[-1] == ' ') && (!at[len] || at[len] == ' ')) {
            return 1;
        }
        at += len;
    }
    return 0;
}

const char *t307_import_show(t307_import_t *im, const char *s)
{
    r307_error_t err = { im->pool, NULL };

    return r307_error_show(&err, s, strlen(s));
}

int t307_import_split_url(apr_pool_t *pool, const char *url,
                          const char **scheme, const char **host,
                          const char **rest)
{
    apr_size_t skip = strncasecmp(url, "http://", 7) == 0 ? 7
        : strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
    apr_size_t len = strcspn(url + skip, "/?#");

    *scheme = skip == 7 ? "http" : skip ? "https" : NULL;
    *host = apr_pstrmemdup(pool, url + skip, len);
    *rest = url + skip + len;
    return skip > 0;
}
