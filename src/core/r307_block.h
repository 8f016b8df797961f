/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Writing a table's block: to a file that appears whole or not at all, or to
 * memory; and what compiling must know of tables. Between compile, rows,
 * patch and table; nobody else includes it.
 */
#ifndef R307_BLOCK_H
#define R307_BLOCK_H

#include "core/r307_table.h"

#include <apr_file_io.h>

typedef struct r307_block_t {
    apr_pool_t *pool;
    apr_file_t *file;           /* NULL: memory */
    char *stage;                /* what is to be written next */
    apr_size_t staged;
    const char *to;             /* final name */
    const char *temp;           /* name while it is written */
    char *memory;
    apr_size_t room;
    apr_uint64_t len;           /* header included */
    apr_uint64_t sum;
} r307_block_t;

/* Leaves room for the header. */
apr_status_t r307_block_create_file(r307_block_t *block, const char *to,
                                    apr_pool_t *pool, r307_error_t *err);
void r307_block_create_memory(r307_block_t *block, apr_pool_t *pool);

/* ctx: an r307_block_t. Every piece is a multiple of 8 bytes. */
apr_status_t r307_block_add(void *ctx, const void *data, apr_size_t len);

/* Complete the header and write it. */
apr_status_t r307_block_finish(r307_block_t *block,
                               r307_table_header_t *header);

/* Sync and rename when all went well so far (rv), else remove. Returns rv or
 * what failed, with a sentence. */
apr_status_t r307_block_close(r307_block_t *block, apr_status_t rv,
                              r307_error_t *err);

/* Continue a checksum over len bytes, a multiple of 8. The sum does not depend
 * on how the bytes were cut into pieces. */
apr_uint64_t r307_block_sum(apr_uint64_t sum, const void *data,
                            apr_size_t len);

/* The source of an open file. */
apr_status_t r307_table_source_of(const r307_table_spec_t *spec,
                                  apr_file_t *f, r307_table_source_t *out);

/* A table over a block in memory, which must outlive pool. */
apr_status_t r307_table_over(const char *block, apr_uint64_t len,
                             const r307_table_spec_t *spec, int verify,
                             apr_pool_t *pool, r307_table_t **out,
                             r307_error_t *err);

/* Which of a view's two tables has the record; of another table: itself. */
const r307_table_t *r307_table_owner(const r307_table_t *table,
                                     const r307_record_t *rec);

/* That option set's text, or NULL. */
const char *r307_table_option_text(const r307_table_t *table,
                                   apr_uint32_t number);

/* As it was opened with. */
const r307_table_spec_t *r307_table_spec(const r307_table_t *table);

/* The ids that the patch changes; ascending. */
const apr_uint32_t *r307_table_changed(const r307_table_t *table);

/* Is it as it was written? Reads all of it; not a view's patch. */
int r307_table_is_whole(const r307_table_t *table);

/* A rule from a line: the host is a condition, the format or the table may
 * make it exact. */
apr_status_t r307_rule_create_in_file(const r307_rule_env_t *env,
                                      r307_line_t *line, int exact,
                                      r307_rule_t **out, r307_error_t *err);

#endif
