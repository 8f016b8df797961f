/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns how a base and its patch are seen as one table, and become one. Must
 * not know how either is made (r307_rows.c). Called by the server side.
 */
#include "core/r307_rows.h"

#include "core/r307_hash.h"
#include "core/r307_tablebody.h"

#include <apr_strings.h>

/* ---- what is patched ---- */

apr_uint64_t r307_table_id(const r307_table_t *table)
{
    return r307_hash_mix(R307_HASH_SEED, table->header->header_sum);
}

const apr_uint32_t *r307_table_changed(const r307_table_t *table)
{
    return table->changed;
}

apr_uint32_t r307_table_patched(const r307_table_t *table)
{
    return table->patch ? table->patch->header->changed
                        : table->header->changed;
}

const r307_table_header_t *r307_table_patch_header(const r307_table_t *table)
{
    return table->patch ? table->patch->header : NULL;
}

/* The last mark that is not behind the id; 0: none. */
static r307_ref_t mark_before(const r307_table_t *table, apr_uint32_t id)
{
    apr_uint32_t low = 0, high = table->header->marks;

    while (low < high) {
        apr_uint32_t middle = low + (high - low) / 2;

        if (table->marks[middle].order <= id) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low ? table->marks[low - 1].ref : 0;
}

int r307_table_has(const r307_table_t *table, apr_uint32_t id)
{
    r307_ref_t ref = mark_before(table, id);
    const r307_record_t *rec;
    int i;

    for (i = 0; i < R307_TABLE_STRIDE; i++) {
        rec = r307_index_record(&table->index, ref);
        if (!rec || rec->order >= id) {
            return rec && rec->order == id;
        }
        ref = r307_index_next(&table->index, ref);
    }
    return 0;
}

/* ---- views ---- */

static const r307_rule_t *make_patched(const void *ctx,
                                       const r307_record_t *rec,
                                       apr_pool_t *pool)
{
    return r307_table_make_row(r307_table_owner(ctx, rec), rec, pool);
}

static apr_status_t bad_patch(const r307_table_t *base, const char *why,
                              r307_error_t *err)
{
    return r307_error_set(err, "R307-0535: the patch of the table compiled "
                          "from '%s' cannot be used: %s", base->spec.path,
                          why);
}

/* Changed ids rise, or else some would not be found. */
static int is_ascending(const apr_uint32_t *ids, apr_uint32_t n)
{
    apr_uint32_t i;

    for (i = 1; i < n; i++) {
        if (ids[i - 1] >= ids[i]) {
            return 0;
        }
    }
    return 1;
}

static const char *check_patch(const r307_table_t *base,
                               const r307_table_t *patch)
{
    const r307_table_header_t *h = patch->header;

    if (base->patch || !(base->header->flags & R307_TABLE_ROWS)
        || base->header->flags & R307_TABLE_PATCH) {
        return "what it is to change is not a base";
    }
    if (!(h->flags & R307_TABLE_PATCH)) {
        return "it is not a patch";
    }
    if (h->base != r307_table_id(base)) {
        return "it was made for another base";
    }
    if (h->hidden > h->changed || h->hidden > base->header->index.rules
        || !is_ascending(patch->changed, h->changed)) {
        return "the ids that it changes are damaged";
    }
    return NULL;
}

apr_status_t r307_table_attach_patch(r307_table_t *base, r307_table_t *patch,
                                     apr_pool_t *pool, r307_table_t **out,
                                     r307_error_t *err)
{
    const char *why = check_patch(base, patch);
    r307_table_t *view;

    if (why) {
        return bad_patch(base, why, err);
    }
    view = apr_pmemdup(pool, base, sizeof *base);
    view->base = base;
    view->patch = patch;
    if (patch->header->changed || patch->header->index.rules) {
        view->rules = r307_ruleset_over(pool, &base->index, make_patched,
                                        view);
        r307_ruleset_patch(view->rules, &patch->index, patch->changed,
                           patch->header->changed);
    }
    r307_table_share_counter(base, patch, pool);
    *out = view;
    return APR_SUCCESS;
}

/* ---- compaction ---- */

static int is_whole(const r307_table_t *table)
{
    return !table->patch ? r307_table_is_whole(table)
        : r307_table_is_whole(table->base)
          && r307_table_is_whole(table->patch);
}

apr_status_t r307_patch_compact(const r307_table_t *table, const char *to,
                                const r307_table_source_t *source,
                                apr_pool_t *pool, r307_error_t *err)
{
    r307_rows_setup_t setup = { &table->spec, NULL, table, 0,
                                ~(apr_uint32_t)0, NULL, NULL };
    r307_rows_t *rows;

    if (!is_whole(table)) {
        return r307_error_set(err, "R307-0536: the table compiled from '%s' "
                              "cannot be compacted: its checksum is wrong, "
                              "it is damaged", table->spec.path);
    }
    setup.expected = r307_table_count(table);
    return r307_rows_create(&setup, pool, &rows) == APR_SUCCESS
        ? r307_rows_write(rows, to, source, err)
        : r307_error_set(err, "R307-0537: there is not enough memory to "
                         "compact the table compiled from '%s'",
                         table->spec.path);
}

/* ---- names ---- */

const char *r307_patch_path(const char *base, apr_uint64_t id,
                            apr_pool_t *pool)
{
    apr_size_t len = strlen(base), suffix = strlen(".table");

    if (len > suffix && strcmp(base + len - suffix, ".table") == 0) {
        len -= suffix;
    }
    return apr_psprintf(pool, "%.*s.patch.%016" APR_UINT64_T_HEX_FMT,
                        (int)len, base, id);
}
