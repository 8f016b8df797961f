/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns JSON, and base64 of it, as geo headers carry it: the only file that
 * knows jansson. Must not know what values mean. Called by geosource and
 * geopick.
 */
#include "core/r307_geojson.h"

#include <apr_base64.h>
#include <apr_strings.h>
#include <jansson.h>

#include <string.h>

#define PATH_MAX_LEN 128
#define PATH_NAMES_MAX 8

/* Levels of objects that JSON may have; the parser recurses. */
#define NESTING_MAX 16

void r307_geojson_prepare(void)
{
    json_object_seed(0);
}

int r307_geojson_path_ok(const char *path)
{
    apr_size_t len = strlen(path), i;
    int names = 1;

    for (i = 0; i < len; i++) {
        if ((unsigned char)path[i] < ' '
            || (path[i] == '.' && (i == 0 || path[i - 1] == '.'))) {
            return 0;
        }
        names += path[i] == '.';
    }
    return len > 0 && len <= PATH_MAX_LEN && path[len - 1] != '.'
           && names <= PATH_NAMES_MAX;
}

/* The bytes of base64 (RFC 4648 sections 4 and 5, with or without padding),
 * or 0. What APR's decoder takes without complaint is checked first. */
static int unbase64(r307_geotext_t *t, apr_pool_t *pool)
{
    char *copy = apr_pstrmemdup(pool, t->s, t->len), *out;
    apr_size_t n = t->len, i;

    while (n && t->len - n < 2 && copy[n - 1] == '=') {
        n--;
    }
    for (i = 0; i < n; i++) {
        char c = copy[i] == '-' ? '+' : copy[i] == '_' ? '/' : copy[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
              || (c >= 'a' && c <= 'z') || c == '+' || c == '/')) {
            return 0;
        }
        copy[i] = c;
    }
    if (n == 0 || n % 4 == 1 || (n < t->len && t->len % 4 != 0)) {
        return 0;
    }
    copy[n] = '\0';
    out = apr_palloc(pool, (apr_size_t)apr_base64_decode_len(copy) + 1);
    t->len = (apr_size_t)apr_base64_decode(out, copy);
    t->s = out;
    return 1;
}

/* Is the text nested no deeper than NESTING_MAX? Only brackets outside of
 * strings count. */
static int is_shallow(const r307_geotext_t *t)
{
    apr_size_t i;
    int depth = 0, quoted = 0;

    for (i = 0; i < t->len; i++) {
        char c = t->s[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        }
        else if (c == '"') {
            quoted = 1;
        }
        else if (c == '{' || c == '[') {
            if (++depth > NESTING_MAX) {
                return 0;
            }
        }
        else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return 1;
}

/* What the names lead to, or NULL. A number leads into an array. */
static const json_t *follow(const json_t *node, const char *path,
                            apr_pool_t *pool)
{
    char *names = apr_pstrdup(pool, path), *state, *name;

    for (name = apr_strtok(names, ".", &state); name && node;
         name = apr_strtok(NULL, ".", &state)) {
        if (json_is_array(node)) {
            char *end;
            apr_int64_t i = apr_strtoi64(name, &end, 10);
            node = *end || i < 0 ? NULL : json_array_get(node, (size_t)i);
        }
        else {
            node = json_object_get(node, name);
        }
    }
    return node;
}

/* With six decimals, a tenth of a metre in degrees, and a point in every
 * locale. Larger numbers than degrees are no text. */
static const char *decimal(double value, apr_pool_t *pool)
{
    apr_int64_t millionths;

    if (!(value > -1000 && value < 1000)) {
        return "";
    }
    millionths = (apr_int64_t)(value * 1e6 + (value < 0 ? -0.5 : 0.5));
    return apr_psprintf(pool,
                        "%s%" APR_INT64_T_FMT ".%06" APR_INT64_T_FMT,
                        millionths < 0 ? "-" : "",
                        (millionths < 0 ? -millionths : millionths) / 1000000,
                        (millionths < 0 ? -millionths : millionths)
                            % 1000000);
}

static int text_of(const json_t *node, apr_pool_t *pool, r307_geotext_t *t)
{
    if (json_is_string(node)) {
        t->s = apr_pstrmemdup(pool, json_string_value(node),
                              json_string_length(node));
    }
    else if (json_is_integer(node)) {
        t->s = apr_psprintf(pool, "%" APR_INT64_T_FMT,
                            (apr_int64_t)json_integer_value(node));
    }
    else if (json_is_real(node)) {
        t->s = decimal(json_real_value(node), pool);
    }
    else {
        return 0;
    }
    t->len = strlen(t->s);
    return 1;
}

int r307_geojson_find(const char *path, r307_geotext_t *t, apr_pool_t *pool)
{
    json_t *root;
    int found;

    if ((*t->s != '{' && !unbase64(t, pool)) || !is_shallow(t)) {
        return 0;
    }
    root = json_loadb(t->s, t->len, JSON_REJECT_DUPLICATES, NULL);
    found = json_is_object(root)
            && text_of(follow(root, path, pool), pool, t);
    json_decref(root);
    return found;
}
