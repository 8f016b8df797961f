/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Tables of rows: a base, which is a table as others are but for its orders,
 * which are the rows' ids, and a patch, which holds the rows that have
 * changed since. A patch is small, is made at the cost of what it holds, and
 * belongs to one base. Both are files in the form of r307_table.h, opened by
 * r307_table_open().
 *
 * The order of rules is that of their ids, as it is that of lines in a rule
 * file.
 */
#ifndef R307_PATCH_H
#define R307_PATCH_H

#include "core/r307_table.h"

/* Rows on their way into a file. One thread at a time. */
typedef struct r307_rows_t r307_rows_t;

/* What does not become a rule: the sentence says why, and is gone when the
 * call returns. */
typedef void (*r307_rows_bad_t)(void *ctx, apr_uint32_t id,
                                const char *sentence);

/*
 * Begin a base. spec is as for r307_table_compile(), but for path, which is
 * "sql:RULESET" and only stands in messages, and must live as long as rows.
 * expected: about how many rows will come. bad may be NULL. Everything ends
 * with pool, and what takes much memory when the rows are written.
 * APR_SUCCESS or APR_ENOMEM.
 */
apr_status_t r307_rows_begin(const r307_table_spec_t *spec,
                             apr_size_t expected, apr_pool_t *pool,
                             r307_rows_bad_t bad, void *ctx,
                             r307_rows_t **out);

/*
 * Begin a patch of `base`. old: a patch of the same base, whose rows stay
 * unless their ids come again, or NULL. base may be patched itself; that
 * does not matter. All must outlive rows. APR_EINVAL: old is not of that
 * base; APR_ENOMEM.
 */
apr_status_t r307_rows_begin_patch(const r307_table_spec_t *spec,
                                   const r307_table_t *base,
                                   const r307_table_t *old,
                                   apr_size_t expected, apr_pool_t *pool,
                                   r307_rows_bad_t bad, void *ctx,
                                   r307_rows_t **out);

/*
 * The next row, in ascending order of ids, from 1. line: as of a rule file,
 * without its end; NULL: there is no such row any more (in a patch). A line
 * that is bad is told to `bad`, is left out, and is no error; in a patch the
 * row is gone then, as it is from a base. APR_EINVAL: an id that does not
 * rise; APR_ENOSPC: more than a table holds; APR_ENOMEM. All with a sentence.
 */
apr_status_t r307_rows_add(r307_rows_t *rows, apr_uint32_t id,
                           const char *line, r307_error_t *err);

/* Rows that became rules, and that were bad, since the beginning; not those
 * of `old`. */
apr_uint32_t r307_rows_good(const r307_rows_t *rows);
apr_uint32_t r307_rows_bad(const r307_rows_t *rows);

/*
 * Write the file `to`: beside it, synced, renamed. source is the caller's but
 * for settings, which is r307_table_settings() of the spec. Once; then rows
 * must not be used any more, whatever is returned. An error of the file
 * system, with a sentence.
 */
apr_status_t r307_rows_write(r307_rows_t *rows, const char *to,
                             const r307_table_source_t *source,
                             r307_error_t *err);

/*
 * A base and its patch as a new base, without parsing; a table without a
 * patch is copied. Reads all of both and compares their checksums. APR_EINVAL
 * for a damaged one: then the rows have to be had from where they come.
 */
apr_status_t r307_patch_compact(const r307_table_t *table, const char *to,
                                const r307_table_source_t *source,
                                apr_pool_t *pool, r307_error_t *err);

/*
 * The base as its patch has it: *out, in pool, is asked as any table. The
 * base is not changed and can have several such views at a time, one after
 * the other of its patches; base and patch must outlive the view. Cheap: does
 * not look at the rows; and with an empty patch the view costs a request
 * nothing. What the base counts in (r307_table_count_in()), the
 * view does; it can also be told itself, and then so are base and patch.
 * APR_EINVAL with a sentence for a patch of another base, or none at all.
 */
apr_status_t r307_table_attach_patch(r307_table_t *base, r307_table_t *patch,
                                     apr_pool_t *pool, r307_table_t **out,
                                     r307_error_t *err);

/* What patches are bound to: the content of the base with its source. A
 * view's is its base's. */
apr_uint64_t r307_table_id(const r307_table_t *table);

/* The file in which the patch of a base is kept: "NAME.patch.ID" beside
 * "NAME.table". */
const char *r307_patch_path(const char *base, apr_uint64_t id,
                            apr_pool_t *pool);

/* Changed ids: in the patch of a view, or in the patch; else 0. */
apr_uint32_t r307_table_patched(const r307_table_t *table);

/* The header of a view's patch; NULL: it has none. */
const r307_table_header_t *r307_table_patch_header(const r307_table_t *table);

/* Has a table of rows, without its patch, that row? Reads a few hundred
 * records. */
int r307_table_has(const r307_table_t *table, apr_uint32_t id);

#endif
