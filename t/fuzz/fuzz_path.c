/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Paths. Input: a switch (r307_slashes_t), a line with the path as a client
 * sent it, a line with a prefix, a line with a path that is not its decoded
 * form. What holds:
 *  - a decoded path begins with a slash, is as long as said, and has no dot
 *    segments, and with merging no doubled slashes
 *  - what is appended is legal in a path, decodes to the same path, and is
 *    the same in two pieces as in one
 *  - bytes of a path that somebody else made are legal when appended, too
 *  - a prefix covers whole segments
 */
#include "fuzz.h"

#include "core/r307_path.h"

#define ROOM 1048576

const char fuzz_name[] = "path";

static const char *append(fuzz_t *in, r307_path_t *path, apr_size_t from,
                          apr_size_t to)
{
    r307_buf_t buf;
    const char *s;

    r307_buf_init(&buf, in->pool, 16, ROOM);
    r307_path_append(path, from, to, R307_IN_PATH, &buf, in->pool);
    s = r307_buf_string(&buf);
    FUZZ_HOLDS(s != NULL);
    fuzz_check_encoded(s, buf.len, R307_IN_PATH);
    return s;
}

static void check_normal(const r307_path_t *path, int slashes)
{
    const char *uri = path->uri, *s;

    FUZZ_HOLDS(uri[0] == '/' && strlen(uri) == path->uri_len);
    FUZZ_HOLDS(!(slashes & R307_SLASHES_MERGE)
               || !r307_path_is_doubled(uri));
    FUZZ_HOLDS(r307_path_is_doubled(uri) == (strstr(uri, "//") != NULL));
    for (s = uri; s; s = strchr(s + 1, '/')) {
        apr_size_t n = strcspn(s + 1, "/");

        FUZZ_HOLDS(!(n == 1 && s[1] == '.'));
        FUZZ_HOLDS(!(n == 2 && s[1] == '.' && s[2] == '.'));
    }
}

static void check_appended(fuzz_t *in, r307_path_t *path, int slashes)
{
    const char *all = append(in, path, 0, path->uri_len), *slash;
    r307_path_t again;

    FUZZ_HOLDS(r307_path_from_raw(&again, in->pool, all, slashes)
               == APR_SUCCESS);
    FUZZ_HOLDS(strcmp(again.uri, path->uri) == 0);
    for (slash = path->uri; slash; slash = strchr(slash + 1, '/')) {
        apr_size_t at = (apr_size_t)(slash - path->uri);
        const char *two = apr_pstrcat(in->pool, append(in, path, 0, at),
                                      append(in, path, at, path->uri_len),
                                      NULL);

        FUZZ_HOLDS(strcmp(two, all) == 0);
        if (at > 64) {
            break;              /* else a long path costs its square */
        }
    }
}

static void check_prefix(const char *uri, const char *prefix)
{
    apr_size_t len = strlen(prefix), n;
    int doubled = r307_path_is_doubled(uri);

    if (prefix[0] != '/' || r307_path_is_doubled(prefix)) {
        return;
    }
    n = r307_path_prefix(uri, doubled, prefix, len);
    FUZZ_HOLDS(n <= strlen(uri));
    FUZZ_HOLDS(n == 0 || prefix[len - 1] == '/' || uri[n] == '\0'
               || uri[n] == '/');
    if (!doubled) {
        FUZZ_HOLDS(n == 0 || n == len);
        FUZZ_HOLDS(n == 0 || memcmp(uri, prefix, len) == 0);
        FUZZ_HOLDS(n != 0 || strcmp(uri, prefix) != 0);
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    r307_path_t path;
    const char *raw, *prefix, *other;
    fuzz_t in;
    int slashes;

    fuzz_begin(&in, data, size);
    slashes = fuzz_byte(&in) & (R307_SLASHES_KEEP | R307_SLASHES_MERGE);
    raw = fuzz_line(&in);
    prefix = fuzz_line(&in);
    other = fuzz_line(&in);
    if (r307_path_from_raw(&path, in.pool, raw, slashes) == APR_SUCCESS) {
        check_normal(&path, slashes);
        check_appended(&in, &path, slashes);
        check_prefix(path.uri, prefix);
    }
    if (other[0] == '/') {
        memset(&path, 0, sizeof path);
        path.uri = other;
        path.uri_len = strlen(other);
        path.raw = raw;
        append(&in, &path, 0, path.uri_len);
        check_prefix(other, prefix);
    }
    return fuzz_end(&in);
}
