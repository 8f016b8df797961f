/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Rows of a database as lines of a rule file, and the other way. There is one
 * syntax of rules, and the line is it: what a row says is parsed and judged as
 * that line.
 *
 * The values of a row are data of whoever may write to the database. None of
 * them can end its own word, hide another one or open a second line.
 */
#ifndef R307_ROW_H
#define R307_ROW_H

#include "core/r307_rulefile.h"

/* NULL is as good as "". */
typedef struct r307_row_t {
    const char *host;           /* name or "*.name"; "" for any */
    const char *kind;           /* "prefix", "exact" or "regex" */
    const char *path;           /* decoded; of kind regex the expression */
    const char *target;         /* "geo": choices are among the options */
    const char *options;        /* words, quoted as in a rule file */
} r307_row_t;

/*
 * The line, in pool. NULL with a sentence in err for what no line can say:
 * control characters, a kind that is none, a host or path that would be read
 * as something else, options that would be read as a comment, more than
 * R307_RULEFILE_LINE_MAX bytes. A line is not a good rule yet.
 */
char *r307_row_line(const r307_row_t *row, apr_pool_t *pool,
                    r307_error_t *err);

/*
 * What a line that r307_rulefile_parse() took apart is as a row, in pool.
 * Instants to the second leave the options: *from and *until get them in UTC
 * ("2026-12-01T08:00:00Z"), or NULL. r307_row_line() of the row, with them
 * among its options again, says the same as the line did.
 */
void r307_row_from_line(const r307_line_t *line, apr_pool_t *pool,
                        r307_row_t *row, const char **from,
                        const char **until);

#endif
