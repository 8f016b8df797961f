/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns reading the files that are imported, with their ceiling. Must not know
 * any format.
 */
#include "tool/t307_import.h"

#include <apr_file_io.h>
#include <apr_strings.h>

#include <string.h>

/* Whole, terminated. Returns a reason why not. */
static const char *read_file(apr_pool_t *pool, const char *path, char **text,
                             apr_size_t *len)
{
    apr_file_t *f;
    apr_finfo_t info;
    char why[120];
    apr_status_t rv = apr_file_open(&f, path, APR_FOPEN_READ, 0, pool);

    if (rv == APR_SUCCESS) {
        rv = apr_file_info_get(&info, APR_FINFO_SIZE | APR_FINFO_TYPE, f);
    }
    if (rv != APR_SUCCESS) {
        return apr_pstrdup(pool, apr_strerror(rv, why, sizeof why));
    }
    if (info.filetype != APR_REG || info.size > T307_IMPORT_FILE_MAX) {
        return info.filetype != APR_REG ? "it is no file"
            : "it is too large for a list of redirects";
    }
    *len = (apr_size_t)info.size;
    *text = apr_palloc(pool, *len + 1);
    rv = apr_file_read_full(f, *text, *len, len);
    apr_file_close(f);
    (*text)[*len] = '\0';
    return rv == APR_SUCCESS || APR_STATUS_IS_EOF(rv) ? NULL
        : apr_pstrdup(pool, apr_strerror(rv, why, sizeof why));
}

void t307_import_read_file(t307_import_t *im, const char *path,
                           void (*read)(t307_import_t *im, char *text,
                                        apr_size_t len))
{
    const char *why, *before = im->file;
    apr_size_t len;
    char *text;

    im->file = path;
    why = read_file(im->pool, path, &text, &len);
    if (why) {
        im->failed = apr_psprintf(im->pool, "%s: %s", path, why);
    }
    else if (strlen(text) != len) {
        im->failed = apr_psprintf(im->pool, "%s: it holds a NUL byte", path);
    }
    else {
        read(im, text + (strncmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0),
             len);
    }
    im->file = before;
}
