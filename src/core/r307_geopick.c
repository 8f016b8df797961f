/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the forms in which a value is wrapped: lists, cookies, query strings,
 * escapes; JSON is r307_geojson.h. Must not know what the value means.
 * Declared in r307_geovalue.h; called by georead.
 */
#include "core/r307_geovalue.h"

#include "core/r307_encode.h"
#include "core/r307_geojson.h"

#include <apr_strings.h>

#include <string.h>

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Without blanks around it; 0 when nothing is left. */
static int trim(r307_geotext_t *t)
{
    while (t->len && is_blank(*t->s)) {
        t->s++;
        t->len--;
    }
    while (t->len && is_blank(t->s[t->len - 1])) {
        t->len--;
    }
    return t->len > 0;
}

/* Take what stands before the first separator off the front of rest; 0 at the
 * end. Blanks around it are left out. */
static int next_item(r307_geotext_t *rest, char separator,
                     r307_geotext_t *item)
{
    const char *end;

    if (!rest->s) {
        return 0;
    }
    *item = *rest;
    end = memchr(rest->s, separator, rest->len);
    if (end) {
        item->len = (apr_size_t)(end - rest->s);
        rest->s = end + 1;
        rest->len -= item->len + 1;
    }
    else {
        rest->s = NULL;
    }
    trim(item);
    return 1;
}

/* Cut "name=value"; 0 without "=". */
static int split_pair(const r307_geotext_t *item, r307_geotext_t *name,
                      r307_geotext_t *value)
{
    const char *equals = memchr(item->s, '=', item->len);

    if (!equals) {
        return 0;
    }
    name->s = item->s;
    name->len = (apr_size_t)(equals - item->s);
    value->s = equals + 1;
    value->len = item->len - name->len - 1;
    trim(name);
    trim(value);
    return 1;
}

static int same_text(const r307_geotext_t *a, const r307_geotext_t *b)
{
    return a->len == b->len && memcmp(a->s, b->s, a->len) == 0;
}

/* Note the value of the name that is looked for. 0 when it contradicts the
 * one noted before: then nobody knows which was meant. */
static int note_value(r307_geotext_t *out, const r307_geotext_t *value)
{
    if (!out->s) {
        *out = *value;
        return 1;
    }
    return same_text(out, value);
}

/* ---- escapes ---- */

/* The length of an escape at s and its byte: "%C3", or "\u00c3" when bytes are
 * written that way too. 0: none. */
static apr_size_t escape_at(const char *s, apr_size_t len, int with_u,
                            char *byte)
{
    if (r307_encode_is_octet(s, len)) {
        *byte = (char)r307_encode_octet(s);
        return 3;
    }
    if (with_u && len >= 6 && memcmp(s, "\\u00", 4) == 0) {
        char octet[4] = { '%', s[4], s[5], '\0' };
        if (r307_encode_is_octet(octet, 3)) {
            *byte = (char)r307_encode_octet(octet);
            return 6;
        }
    }
    return 0;
}

static void unescape(r307_geotext_t *t, int with_u, apr_pool_t *pool)
{
    const char *s = t->s, *end = s + t->len;
    char *out, *o;

    if (!memchr(s, '%', t->len) && !(with_u && memchr(s, '\\', t->len))) {
        return;
    }
    o = out = apr_palloc(pool, t->len + 1);
    while (s < end) {
        apr_size_t n = escape_at(s, (apr_size_t)(end - s), with_u, o);
        if (!n) {
            *o = *s;
            n = 1;
        }
        s += n;
        o++;
    }
    *o = '\0';
    t->s = out;
    t->len = (apr_size_t)(o - out);
}

/* ---- values and lists of values ---- */

static int pick_whole(const r307_geosource_t *source, r307_geotext_t *t,
                      apr_pool_t *pool)
{
    (void)source;
    (void)pool;
    return t->len > 0;
}

static int pick_escaped(const r307_geosource_t *source, r307_geotext_t *t,
                        apr_pool_t *pool)
{
    if (source->kind == R307_GEO_HEADER && memchr(t->s, ',', t->len)) {
        return 0;               /* a header that was sent twice */
    }
    unescape(t, 1, pool);
    return trim(t);
}

static int pick_kv(const r307_geosource_t *source, r307_geotext_t *t,
                   apr_pool_t *pool)
{
    r307_geotext_t rest = *t, item, name, value;
    apr_size_t len = strlen(source->key);

    (void)pool;
    t->s = NULL;
    while (next_item(&rest, ',', &item)) {
        if (split_pair(&item, &name, &value) && name.len == len
            && strncasecmp(name.s, source->key, len) == 0
            && !note_value(t, &value)) {
            return 0;
        }
    }
    return t->s && t->len > 0;
}

static int pick_list(const r307_geosource_t *source, r307_geotext_t *t,
                     apr_pool_t *pool)
{
    r307_geotext_t rest = *t;
    int i;

    (void)pool;
    for (i = 0; i < source->number; i++) {
        if (!next_item(&rest, ',', t)) {
            return 0;
        }
    }
    return t->len > 0;
}

/* ---- cookies and parameters ---- */

static int pick_cookie(const r307_geosource_t *source, r307_geotext_t *t,
                       apr_pool_t *pool)
{
    r307_geotext_t rest = *t, item, name, value;
    apr_size_t len = strlen(source->name);

    t->s = NULL;
    while (next_item(&rest, ';', &item)) {
        if (!split_pair(&item, &name, &value) || name.len != len
            || memcmp(name.s, source->name, len) != 0) {
            continue;
        }
        if (value.len >= 2 && value.s[0] == '"'
            && value.s[value.len - 1] == '"') {
            value.s++;
            value.len -= 2;
        }
        if (!note_value(t, &value)) {
            return 0;
        }
    }
    if (!t->s) {
        return 0;
    }
    unescape(t, 0, pool);
    return trim(t);
}

/* A piece of a query string, decoded as forms encode it. */
static void unescape_form(r307_geotext_t *t, apr_pool_t *pool)
{
    if (memchr(t->s, '+', t->len)) {
        char *copy = apr_pstrmemdup(pool, t->s, t->len), *c;
        for (c = copy; (c = strchr(c, '+')) != NULL; c++) {
            *c = ' ';
        }
        t->s = copy;
    }
    unescape(t, 0, pool);
}

static int pick_parameter(const r307_geosource_t *source, r307_geotext_t *t,
                          apr_pool_t *pool)
{
    r307_geotext_t rest = *t, item, name, value;
    apr_size_t len = strlen(source->name);

    t->s = NULL;
    while (next_item(&rest, '&', &item)) {
        if (!split_pair(&item, &name, &value) || name.len > 3 * len) {
            continue;           /* encoded, a name is three times as long */
        }
        unescape_form(&name, pool);
        if (name.len == len && memcmp(name.s, source->name, len) == 0
            && !note_value(t, &value)) {
            return 0;
        }
    }
    if (!t->s) {
        return 0;
    }
    unescape_form(t, pool);
    return trim(t);
}

static int pick_json(const r307_geosource_t *source, r307_geotext_t *t,
                     apr_pool_t *pool)
{
    return r307_geojson_find(source->key, t, pool) && trim(t);
}

/* ---- all of them ---- */

static const struct {
    apr_size_t max;             /* bytes of raw text that are looked at */
    int (*pick)(const r307_geosource_t *source, r307_geotext_t *t,
                apr_pool_t *pool);
} formats[R307_GEO_FORMATS] = {
    [R307_GEO_PLAIN] = { 1024, pick_whole },
    [R307_GEO_ESCAPED] = { 1024, pick_escaped },
    [R307_GEO_RANGES] = { 4096, pick_whole },
    [R307_GEO_KV] = { 4096, pick_kv },
    [R307_GEO_JSON] = { 4096, pick_json },
    [R307_GEO_LIST] = { 1024, pick_list },
    /* What httpd takes as a header, and as a request line, by default. */
    [R307_GEO_COOKIES] = { 16384, pick_cookie },
    [R307_GEO_PARAMETERS] = { 16384, pick_parameter }
};

int r307_geovalue_pick(const r307_geosource_t *source, const char *raw,
                       apr_size_t len, apr_pool_t *pool, r307_geotext_t *out)
{
    out->s = raw;
    out->len = len;
    return len <= formats[source->format].max && trim(out)
           && formats[source->format].pick(source, out, pool);
}
