/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Lines of a text file, without a limit on the length of the file and with
 * one on that of a line. A byte order mark at the start is skipped.
 */
#ifndef R307_LINES_H
#define R307_LINES_H

#include <apr_file_io.h>

/* Lives as long as its pool; its members are private but for number. */
typedef struct r307_lines_t {
    apr_file_t *file;
    char *data;
    apr_size_t begin, end;      /* what has not been handed out */
    int at_eof;
    int continued;              /* what follows belongs to the last line */
    apr_uint32_t number;        /* of the last line, from 1 */
} r307_lines_t;

void r307_lines_begin(r307_lines_t *lines, apr_file_t *file,
                      apr_pool_t *pool);

/*
 * The next line without its end, NUL-terminated, to be changed at will, good
 * until the next call; APR_EOF when there is no more, or an error of the file.
 * Of a line longer than R307_RULEFILE_LINE_MAX only the beginning is handed
 * out, with a *len over that.
 */
apr_status_t r307_lines_next(r307_lines_t *lines, char **line,
                             apr_size_t *len);

#endif
