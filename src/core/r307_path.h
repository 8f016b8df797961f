/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * A request's path in its two forms. Rules are matched on the decoded,
 * normalised form (what the server maps to content); what goes into Location
 * is the client's own form, so that "%2F" stays "%2F". This file knows which
 * bytes of the one became which bytes of the other.
 */
#ifndef R307_PATH_H
#define R307_PATH_H

#include "core/r307_encode.h"

#include <apr.h>

typedef struct r307_path_t {
    const char *uri;            /* decoded, normalised; begins with '/' */
    apr_size_t uri_len;
    const char *raw;            /* as the client sent it; ends at '?', '#' or
                                 * NUL. NULL when nobody knows */

    /* Filled on first use, by r307_path_append(); zero it. */
    enum { R307_PATH_NEW, R307_PATH_SAME, R307_PATH_MAPPED, R307_PATH_LOST }
        state;
    const apr_uint32_t *origin; /* MAPPED: raw offset of each byte of uri */
} r307_path_t;

/*
 * Append bytes [from, to) of the decoded path in the client's encoding.
 * Where the two forms cannot be brought together (another module rewrote the
 * path) the decoded bytes are encoded afresh. Bytes that are illegal in a URI
 * are always encoded. pool holds the mapping and must live as long as path.
 */
void r307_path_append(r307_path_t *path, apr_size_t from, apr_size_t to,
                      r307_component_t in, r307_buf_t *buf, apr_pool_t *pool);

typedef enum r307_slashes_t {
    R307_SLASHES_KEEP = 1,      /* "%2F" stays (AllowEncodedSlashes NoDecode) */
    R307_SLASHES_MERGE = 2      /* "//" is "/" (MergeSlashes On) */
} r307_slashes_t;

/* Length of a path in the client's form: up to '?', '#' or NUL. */
apr_size_t r307_path_raw_len(const char *raw);

/*
 * Fill path from what a client sent, for hosts of the core that no server
 * decodes for. slashes: r307_slashes_t. raw must begin with '/' and live as
 * long as path; the decoded form comes from pool. APR_EINVAL for a path that
 * a server answers with an error: no leading '/', "%00", a broken escape, or
 * ".." above the root.
 */
apr_status_t r307_path_from_raw(r307_path_t *path, apr_pool_t *pool,
                                const char *raw, int slashes);

/* Does the path hold two slashes in a row? */
int r307_path_is_doubled(const char *uri);

/*
 * Length of the part of uri that the prefix covers, 0 for no match. Whole
 * segments only: "/a" covers "/a" and "/a/b", not "/ab"; "/a/" does not
 * cover "/a". Several slashes in uri stand for one (as in mod_alias, whose
 * rules move here by renaming). uri is NUL-terminated; prefix begins with '/'
 * and holds no doubled slashes. doubled: r307_path_is_doubled(uri).
 */
apr_size_t r307_path_prefix(const char *uri, int doubled, const char *prefix,
                            apr_size_t len);

#endif
