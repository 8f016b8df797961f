/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the relation between the client's path and the decoded one. Must not
 * know rules. Called by location, and by ruleset for prefixes.
 *
 * The server has decoded and normalised the path by settings that this file
 * cannot see (AllowEncodedSlashes, MergeSlashes). It therefore repeats the
 * work under each setting that could apply, keeping offsets, and believes
 * only a result that equals the server's. So a mapping is never wrong; at
 * worst there is none.
 */
#include "core/r307_path.h"

typedef struct unit_t {
    apr_uint32_t at;            /* offset in raw */
    char c;
} unit_t;

/* Decode raw into units, one for each decoded byte. With keep_slashes an
 * encoded slash stays three units. Returns the number, 0 for a NUL. */
static apr_size_t decode(const char *raw, apr_size_t len, int keep_slashes,
                         unit_t *units)
{
    apr_size_t i = 0, n = 0;

    while (i < len) {
        const char *s = raw + i;
        apr_size_t step = 1;
        char c = *s;

        if (r307_encode_is_octet(s, len - i)) {
            char octet = (char)r307_encode_octet(s);
            if (!(octet == '/' && keep_slashes)) {
                c = octet;
                step = 3;
            }
        }
        if (c == '\0') {
            return 0;
        }
        units[n].at = (apr_uint32_t)i;
        units[n++].c = c;
        i += step;
    }
    return n;
}

/* Length of a "." or ".." segment at u[i], 0 when there is none. */
static apr_size_t dot_segment(const unit_t *u, apr_size_t i, apr_size_t n)
{
    apr_size_t dots = 0;

    while (dots < 2 && i + dots < n && u[i + dots].c == '.') {
        dots++;
    }
    return i + dots == n || u[i + dots].c == '/' ? dots : 0;
}

/* Where the segment before the one that ends at out begins; 0 at the root. */
static apr_size_t parent(const unit_t *u, apr_size_t out)
{
    if (out <= 1) {
        return 0;
    }
    do {
        out--;
    } while (out > 1 && u[out - 1].c != '/');
    return out;
}

/* Remove dot segments (RFC 3986 section 5.2.4) and, with merge, doubled
 * slashes, in place. Returns the number of units left, 0 when ".." would
 * leave the root. */
static apr_size_t normalise(unit_t *u, apr_size_t n, int merge)
{
    apr_size_t in = 0, out = 0;

    while (in < n) {
        if (out > 0 && u[out - 1].c == '/') {
            apr_size_t dots = dot_segment(u, in, n);
            if (merge && u[in].c == '/') {
                in++;
                continue;
            }
            if (dots) {
                in += dots < n - in ? dots + 1 : dots;
                if (dots == 2 && (out = parent(u, out)) == 0) {
                    return 0;
                }
                continue;
            }
        }
        u[out++] = u[in++];
    }
    return out;
}

static int equals_uri(const r307_path_t *path, const unit_t *u, apr_size_t n)
{
    apr_size_t i;

    if (n != path->uri_len) {
        return 0;
    }
    for (i = 0; i < n; i++) {
        if (u[i].c != path->uri[i]) {
            return 0;
        }
    }
    return 1;
}

static int try_map(const r307_path_t *path, apr_size_t len, unit_t *units,
                   int keep_slashes, int merge)
{
    apr_size_t n = decode(path->raw, len, keep_slashes, units);

    return equals_uri(path, units, normalise(units, n, merge));
}

static void keep_origins(r307_path_t *path, const unit_t *units,
                         apr_pool_t *pool)
{
    apr_uint32_t *origin = apr_palloc(pool, path->uri_len * sizeof *origin);
    apr_size_t i;

    for (i = 0; i < path->uri_len; i++) {
        origin[i] = units[i].at;
    }
    path->origin = origin;
    path->state = R307_PATH_MAPPED;
}

apr_size_t r307_path_raw_len(const char *raw)
{
    return strcspn(raw, "?#");
}

/* Nearly every path has but one form; this finds out without asking for its
 * length. */
static int is_same(const r307_path_t *path)
{
    apr_size_t n = path->uri_len;

    return strncmp(path->raw, path->uri, n) == 0
           && (path->raw[n] == '\0' || path->raw[n] == '?'
               || path->raw[n] == '#');
}

static void resolve(r307_path_t *path, apr_pool_t *pool)
{
    unit_t *units;
    apr_size_t len;

    path->state = R307_PATH_LOST;
    if (!path->raw) {
        return;
    }
    len = r307_path_raw_len(path->raw);
    units = apr_palloc(pool, (len + 1) * sizeof *units);
    if (try_map(path, len, units, 1, 1) || try_map(path, len, units, 0, 1)
        || try_map(path, len, units, 1, 0)
        || try_map(path, len, units, 0, 0)) {
        keep_origins(path, units, pool);
    }
}

/* Raw bytes that decoded byte i stands for. A '%' of the decoded path is an
 * octet of its own only where the client sent "%25"; elsewhere it opens an
 * encoded slash that the server kept, or a broken escape. */
static apr_size_t raw_width(const r307_path_t *path, apr_size_t i)
{
    const char *s = path->raw + path->origin[i];

    if (*s != '%') {
        return 1;
    }
    return path->uri[i] != '%'
        || (r307_encode_is_octet(s, 3)
            && r307_encode_octet(s) == '%') ? 3 : 1;
}

static void append_mapped(const r307_path_t *path, apr_size_t from,
                          apr_size_t to, r307_component_t in, r307_buf_t *buf)
{
    while (from < to) {
        apr_size_t start = path->origin[from], end = start;

        while (from < to && path->origin[from] == end) {
            end += raw_width(path, from++);
        }
        r307_encode_text(buf, path->raw + start, end - start, in);
    }
}

static void __attribute__((noinline)) append_other(
    r307_path_t *path, apr_size_t from, apr_size_t to, r307_component_t in,
    r307_buf_t *buf, apr_pool_t *pool)
{
    if (path->state == R307_PATH_NEW) {
        resolve(path, pool);
    }
    if (path->state == R307_PATH_MAPPED) {
        append_mapped(path, from, to, in, buf);
    }
    else {
        r307_encode_data(buf, path->uri + from, to - from, in);
    }
}

void r307_path_append(r307_path_t *path, apr_size_t from, apr_size_t to,
                      r307_component_t in, r307_buf_t *buf, apr_pool_t *pool)
{
    if (path->state == R307_PATH_NEW && path->raw && is_same(path)) {
        path->state = R307_PATH_SAME;
    }
    if (path->state == R307_PATH_SAME) {
        r307_encode_text(buf, path->uri + from, to - from, in);
    }
    else {
        append_other(path, from, to, in, buf, pool);
    }
}

static int has_broken_escape(const char *s, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if (s[i] == '%' && !r307_encode_is_octet(s + i, len - i)) {
            return 1;
        }
    }
    return 0;
}

apr_status_t r307_path_from_raw(r307_path_t *path, apr_pool_t *pool,
                                const char *raw, int slashes)
{
    apr_size_t len = r307_path_raw_len(raw), n, i;
    unit_t *units = apr_palloc(pool, (len + 1) * sizeof *units);
    char *uri;

    memset(path, 0, sizeof *path);
    path->raw = raw;
    if (len == 0 || raw[0] != '/' || has_broken_escape(raw, len)) {
        return APR_EINVAL;
    }
    n = decode(raw, len, slashes & R307_SLASHES_KEEP, units);
    n = normalise(units, n, slashes & R307_SLASHES_MERGE);
    if (n == 0) {
        return APR_EINVAL;
    }
    uri = apr_palloc(pool, n + 1);
    for (i = 0; i < n; i++) {
        uri[i] = units[i].c;
    }
    uri[n] = '\0';
    path->uri = uri;
    path->uri_len = n;
    return APR_SUCCESS;
}

int r307_path_is_doubled(const char *uri)
{
    return strstr(uri, "//") != NULL;
}

/* As strncmp(), but a run of slashes in uri equals one. Returns the length
 * of uri that was compared, 0 when they differ. */
static apr_size_t compare_doubled(const char *uri, const char *prefix,
                                  apr_size_t len)
{
    const char *u = uri, *end = prefix + len;

    for (; prefix < end; prefix++, u++) {
        if (*u != *prefix) {
            return 0;
        }
        while (*u == '/' && u[1] == '/') {
            u++;
        }
    }
    return (apr_size_t)(u - uri);
}

apr_size_t r307_path_prefix(const char *uri, int doubled, const char *prefix,
                            apr_size_t len)
{
    apr_size_t n = len;

    if (doubled) {
        n = compare_doubled(uri, prefix, len);
    }
    else if (strncmp(uri, prefix, len) != 0) {
        return 0;
    }
    if (n && prefix[len - 1] != '/' && uri[n] != '\0' && uri[n] != '/') {
        return 0;
    }
    return n;
}
