/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns reading a text file line by line. Must not know what lines mean. Called
 * by compile, and by tools.
 */
#include "core/r307_lines.h"

#include "core/r307_rulefile.h"

#define WINDOW ((apr_size_t)4 * (R307_RULEFILE_LINE_MAX + 1))

void r307_lines_begin(r307_lines_t *lines, apr_file_t *file,
                      apr_pool_t *pool)
{
    memset(lines, 0, sizeof *lines);
    lines->file = file;
    lines->data = apr_palloc(pool, WINDOW + 1);
}

/* Make room at the end of the window and read. */
static apr_status_t refill(r307_lines_t *w)
{
    apr_size_t n;
    apr_status_t rv;

    memmove(w->data, w->data + w->begin, w->end - w->begin);
    w->end -= w->begin;
    w->begin = 0;
    n = WINDOW - w->end;
    rv = apr_file_read_full(w->file, w->data + w->end, n, &n);
    w->end += n;
    w->at_eof = rv == APR_EOF;
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

/* A line over the ceiling comes in pieces, all but the last with *more set. */
static apr_status_t next_piece(r307_lines_t *w, char **line, apr_size_t *len,
                               int *more)
{
    char *newline = memchr(w->data + w->begin, '\n', w->end - w->begin);
    apr_status_t rv;

    if (!newline && !w->at_eof) {
        if ((rv = refill(w)) != APR_SUCCESS) {
            return rv;
        }
        newline = memchr(w->data, '\n', w->end);
    }
    if (w->begin == w->end) {
        return APR_EOF;
    }
    *line = w->data + w->begin;
    *len = (newline ? (apr_size_t)(newline - w->data) : w->end) - w->begin;
    *more = !newline && !w->at_eof;
    w->begin += *len + (newline != NULL);
    if (!*more && *len && (*line)[*len - 1] == '\r') {
        (*len)--;
    }
    (*line)[*len] = '\0';
    return APR_SUCCESS;
}

apr_status_t r307_lines_next(r307_lines_t *lines, char **line,
                             apr_size_t *len)
{
    int continued, more;
    apr_status_t rv;

    do {
        continued = lines->continued;
        rv = next_piece(lines, line, len, &more);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        lines->continued = more;
    } while (continued);
    if (lines->number++ == 0 && strncmp(*line, "\xef\xbb\xbf", 3) == 0) {
        *line += 3;
        *len -= 3;
    }
    return APR_SUCCESS;
}
