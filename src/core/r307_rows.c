/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns how rows become a base or a patch: their order, which of them are
 * kept from before, and which ids a patch changes. Must not know what a line
 * says, nor where rows come from. Declared in r307_patch.h and r307_rows.h.
 */
#include "core/r307_rows.h"

#include "core/r307_compile.h"

#include <apr_strings.h>

struct r307_rows_t {
    r307_compiler_t compiler;
    const r307_table_t *base;   /* of a patch; NULL: this will be a base */
    const r307_table_t *kept;   /* whose rows stay; NULL: none */
    r307_place_t place;         /* in kept */
    const r307_record_t *next;  /* of kept; NULL at its end */
    const apr_uint32_t *old;    /* ids that kept changes, and have not come */
    apr_uint32_t nold;
    apr_array_header_t *changed;    /* apr_uint32_t; NULL: of a base */
    apr_uint32_t hidden;        /* of those, the base's */
    apr_uint32_t last;          /* id */
    apr_uint32_t good;
    apr_uint32_t bad;
    r307_rows_bad_t tell;
    void *ctx;
    char *line;                 /* being taken apart */
};

apr_status_t r307_rows_create(const r307_rows_setup_t *setup,
                              apr_pool_t *pool, r307_rows_t **out)
{
    r307_rows_t *rows = apr_pcalloc(pool, sizeof *rows);
    const r307_place_t first = R307_PLACE_FIRST;

    r307_compiler_begin(&rows->compiler, setup->spec, pool);
    rows->line = apr_palloc(rows->compiler.pool, R307_RULEFILE_LINE_MAX + 1);
    rows->compiler.marks = apr_array_make(rows->compiler.pool, 16,
                                          sizeof(r307_mark_t));
    rows->base = setup->base;
    rows->kept = setup->kept;
    rows->place = first;
    rows->tell = setup->bad;
    rows->ctx = setup->ctx;
    if (rows->base) {
        rows->changed = apr_array_make(rows->compiler.pool, 16,
                                       sizeof(apr_uint32_t));
    }
    if (rows->kept) {
        rows->next = r307_table_next(rows->kept, &rows->place);
    }
    if (rows->base && rows->kept) {
        if (r307_table_header(rows->kept)->base
            != r307_table_id(rows->base)) {
            return APR_EINVAL;
        }
        rows->old = r307_table_changed(rows->kept);
        rows->nold = r307_table_header(rows->kept)->changed;
        rows->hidden = r307_table_header(rows->kept)->hidden;
    }
    *out = rows;
    return r307_compiler_expect(&rows->compiler, setup->expected,
                                setup->hash_mask);
}

apr_status_t r307_rows_begin(const r307_table_spec_t *spec,
                             apr_size_t expected, apr_pool_t *pool,
                             r307_rows_bad_t bad, void *ctx,
                             r307_rows_t **out)
{
    r307_rows_setup_t setup = { spec, NULL, NULL, expected,
                                ~(apr_uint32_t)0, bad, ctx };

    return r307_rows_create(&setup, pool, out);
}

apr_status_t r307_rows_begin_patch(const r307_table_spec_t *spec,
                                   const r307_table_t *base,
                                   const r307_table_t *old,
                                   apr_size_t expected, apr_pool_t *pool,
                                   r307_rows_bad_t bad, void *ctx,
                                   r307_rows_t **out)
{
    r307_rows_setup_t setup = { spec, base, old, expected,
                                ~(apr_uint32_t)0, bad, ctx };

    if (old) {
        setup.expected += r307_table_header(old)->index.rules;
    }
    return r307_rows_create(&setup, pool, out);
}

/* ---- what is kept ---- */

/* Records and changed ids before that id, which is one more than the last at
 * the end. *again: it is among the changed. */
static apr_status_t keep_until(r307_rows_t *rows, apr_uint64_t id,
                               int *again)
{
    apr_status_t rv;

    for (; rows->next && rows->next->order < id;
         rows->next = r307_table_next(rows->kept, &rows->place)) {
        rv = r307_compiler_copy(&rows->compiler,
                                r307_table_owner(rows->kept, rows->next),
                                rows->next);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    for (; rows->nold && *rows->old < id; rows->old++, rows->nold--) {
        APR_ARRAY_PUSH(rows->changed, apr_uint32_t) = *rows->old;
    }
    *again = rows->nold && *rows->old == id;
    if (*again) {
        rows->old++;
        rows->nold--;
    }
    if (rows->next && rows->next->order == id) {
        rows->next = r307_table_next(rows->kept, &rows->place);
    }
    return APR_SUCCESS;
}

/* An id that the base does not have, and that is no rule here, is not worth
 * remembering. again: what it hides has been counted. */
static void note_change(r307_rows_t *rows, apr_uint32_t id, int again,
                        int lives)
{
    int has = r307_table_has(rows->base, id);

    rows->hidden += (apr_uint32_t)(has && !again);
    if (has || lives) {
        APR_ARRAY_PUSH(rows->changed, apr_uint32_t) = id;
    }
}

/* ---- adding ---- */

static apr_status_t failed(const r307_rows_t *rows, apr_uint32_t id,
                           apr_status_t rv, r307_error_t *err)
{
    char why[120];

    if (rv == APR_ENOSPC) {
        r307_error_set(err, "R307-0530: '%s' has, at row %u, more rules than "
                       "a table can hold", rows->compiler.spec->path,
                       (unsigned)id);
        return rv;
    }
    r307_error_set(err, "R307-0531: '%s' cannot be compiled: %s",
                   rows->compiler.spec->path,
                   apr_strerror(rv, why, sizeof why));
    return rv;
}

static const char too_long[] =
    "R307-0532: the row is longer than 65535 bytes, as a line of a rule file "
    "or with its target encoded; shorten it";
static const char no_rule[] =
    "R307-0533: the row holds no rule: its path is empty or begins with '#'";

/* One row that is there. Returns what is not the row's own fault. */
static apr_status_t add_line(r307_rows_t *rows, apr_uint32_t id,
                             const char *line, int *lives)
{
    r307_error_t err = { NULL, NULL };
    apr_size_t len = strlen(line);
    apr_status_t rv = APR_ENAMETOOLONG;

    if (len <= R307_RULEFILE_LINE_MAX) {
        memcpy(rows->line, line, len + 1);
        rv = r307_compiler_line(&rows->compiler, id, rows->line, &err);
    }
    *lives = rv == APR_SUCCESS;
    rows->good += rv == APR_SUCCESS;
    if (rv != APR_EINVAL && rv != APR_NOTFOUND && rv != APR_ENAMETOOLONG) {
        return rv;
    }
    rows->bad++;
    if (rows->tell) {
        rows->tell(rows->ctx, id, rv == APR_EINVAL ? err.text
                   : rv == APR_NOTFOUND ? no_rule : too_long);
    }
    return APR_SUCCESS;
}

apr_status_t r307_rows_add(r307_rows_t *rows, apr_uint32_t id,
                           const char *line, r307_error_t *err)
{
    int again = 0, lives = 0;
    apr_status_t rv;

    if (id <= rows->last) {
        return r307_error_set(err, "R307-0534: row %u of '%s' comes after "
                              "row %u; rows must come in ascending order of "
                              "their ids, which begin at 1", (unsigned)id,
                              rows->compiler.spec->path,
                              (unsigned)rows->last);
    }
    rows->last = id;
    rv = keep_until(rows, id, &again);
    if (rv == APR_SUCCESS && line) {
        rv = add_line(rows, id, line, &lives);
    }
    if (rv != APR_SUCCESS) {
        return failed(rows, id, rv, err);
    }
    if (rows->base) {
        note_change(rows, id, again, lives);
    }
    return APR_SUCCESS;
}

apr_uint32_t r307_rows_good(const r307_rows_t *rows)
{
    return rows->good;
}

apr_uint32_t r307_rows_bad(const r307_rows_t *rows)
{
    return rows->bad;
}

/* ---- writing ---- */

static void fill_header(const r307_rows_t *rows,
                        const r307_table_source_t *source,
                        r307_table_header_t *header)
{
    memset(header, 0, sizeof *header);
    header->source = *source;
    header->flags = R307_TABLE_ROWS;
    if (rows->base) {
        header->flags |= R307_TABLE_PATCH;
        header->base = r307_table_id(rows->base);
        header->changed = (apr_uint32_t)rows->changed->nelts;
        header->hidden = rows->hidden;
    }
}

/* What is still kept, then all of it. */
static apr_status_t finish(r307_rows_t *rows,
                           const r307_table_source_t *source,
                           r307_block_t *block, r307_error_t *err)
{
    r307_table_header_t header;
    int again;
    apr_status_t rv = keep_until(rows, APR_UINT64_MAX, &again);

    if (rv != APR_SUCCESS) {
        return failed(rows, rows->last, rv, err);
    }
    fill_header(rows, source, &header);
    return r307_compiler_write(&rows->compiler, &header, rows->changed,
                               block);
}

apr_status_t r307_rows_write(r307_rows_t *rows, const char *to,
                             const r307_table_source_t *source,
                             r307_error_t *err)
{
    r307_compiler_t *c = &rows->compiler;
    r307_block_t block;
    apr_status_t rv = r307_block_create_file(&block, to, c->pool, err);

    if (rv == APR_SUCCESS) {
        rv = r307_block_close(&block, finish(rows, source, &block, err),
                              err);
    }
    r307_compiler_end(c);
    return rv;
}

apr_status_t r307_rows_write_memory(r307_rows_t *rows,
                                    const r307_table_source_t *source,
                                    apr_pool_t *pool, r307_table_t **out,
                                    r307_error_t *err)
{
    r307_compiler_t *c = &rows->compiler;
    r307_block_t block;
    apr_status_t rv;

    r307_block_create_memory(&block, pool);
    rv = finish(rows, source, &block, err);
    r307_compiler_end(c);
    return rv == APR_SUCCESS
        ? r307_table_over(block.memory, block.len, c->spec, 0, pool, out, err)
        : rv;
}
