/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * From lines, and from records that were lines once, to a table's block.
 * Between rule files (r307_compilefile.c), rows (r307_rows.c) and block;
 * nobody else includes it.
 */
#ifndef R307_COMPILE_H
#define R307_COMPILE_H

#include "core/r307_block.h"

#include <apr_hash.h>

/* A table whose records are copied. */
typedef struct r307_known_t {
    const r307_table_t *table;
    apr_uint32_t *options;      /* its option sets here, plus 1; 0: not yet */
} r307_known_t;

/* Stands on the stack or in a pool. */
typedef struct r307_compiler_t {
    const r307_table_spec_t *spec;
    apr_pool_t *pool;           /* for as long as compiling takes */
    apr_pool_t *line_pool;      /* of the line before, and some before that */
    r307_indexer_t *ix;
    apr_hash_t *option_ids;     /* text of a set -> number + 1 */
    apr_array_header_t *options;    /* const char * */
    apr_uint64_t options_len;
    apr_array_header_t *prepared;   /* r307_ref_t */
    apr_array_header_t *marks;  /* r307_mark_t; NULL: none are wanted */
    r307_known_t known[2];
    apr_uint32_t rules;
    apr_uint32_t last;          /* order */
    unsigned lines;             /* since line_pool was cleared */
    int judge_only;             /* nothing will be written any more */
} r307_compiler_t;

/* spec must live as long. Ends with pool, or with r307_compiler_end(). */
void r307_compiler_begin(r307_compiler_t *c, const r307_table_spec_t *spec,
                         apr_pool_t *pool);
void r307_compiler_end(r307_compiler_t *c);

/* About how many rules will come; hash_mask: ~0. Once, before the first.
 * APR_ENOMEM. */
apr_status_t r307_compiler_expect(r307_compiler_t *c, apr_size_t rules,
                                  apr_uint32_t hash_mask);

/*
 * File a line's rule. text is changed. Orders rise. APR_NOTFOUND: the line
 * holds none; APR_EINVAL, with a sentence that lives in line_pool: it is bad;
 * APR_ENAMETOOLONG: longer than a record may be; APR_ENOSPC: too much;
 * APR_ENOMEM.
 */
apr_status_t r307_compiler_line(r307_compiler_t *c, apr_uint32_t order,
                                char *text, r307_error_t *err);

/* File a copy of a record of that table (r307_table_owner()); of two tables
 * at most. Errors as above, but for the first two. */
apr_status_t r307_compiler_copy(r307_compiler_t *c, const r307_table_t *from,
                                const r307_record_t *rec);

/* Write what was filed, and behind it `changed` as it is. header->source,
 * flags, base, changed and hidden are the caller's. */
apr_status_t r307_compiler_write(r307_compiler_t *c,
                                 r307_table_header_t *header,
                                 const apr_array_header_t *changed,
                                 r307_block_t *block);

#endif
