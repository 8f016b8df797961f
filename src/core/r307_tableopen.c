/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns opening a table's block: what is checked before it is believed, and
 * where its parts are. Must not know how blocks are made. The functions are
 * declared in r307_table.h.
 */
#include "core/r307_tablebody.h"

#include <apr_mmap.h>
#include <apr_strings.h>

#include <stddef.h>

static apr_status_t bad_block(const r307_table_spec_t *spec, const char *why,
                              r307_error_t *err)
{
    return r307_error_set(err, "R307-0521: the table compiled from '%s' "
                          "cannot be used: %s", spec->path, why);
}

static apr_uint64_t padded(apr_uint64_t len)
{
    return (len + 7) & ~APR_UINT64_C(7);
}

/* Take a part's bytes off *left. 0: there are not so many. */
static int take(apr_uint64_t *left, apr_uint64_t count, apr_size_t size)
{
    if (count > *left / size || padded(count * size) > *left) {
        return 0;
    }
    *left -= padded(count * size);
    return 1;
}

static const char *check_parts(const r307_table_header_t *h,
                               apr_uint64_t left)
{
    if (!take(&left, h->index.records_len, 1)) {
        return "the records reach beyond its end";
    }
    if (!take(&left, h->index.slot_count, sizeof(r307_slot_t))) {
        return "the slots reach beyond its end";
    }
    if (!take(&left, h->options_len, 1)) {
        return "the option sets reach beyond its end";
    }
    if (h->options > h->options_len
        || !take(&left, h->options, sizeof(apr_uint32_t))) {
        return "it counts more option sets than it has room for";
    }
    if (!take(&left, h->prepared, sizeof(r307_ref_t))) {
        return "the prepared rules reach beyond its end";
    }
    if (!take(&left, h->marks, sizeof(r307_mark_t))) {
        return "the marks reach beyond its end";
    }
    if (!take(&left, h->changed, sizeof(apr_uint32_t)) || left) {
        return "the changed ids do not fill its end";
    }
    return NULL;
}

/* Everything that later reads rely on. Returns NULL or what is wrong. */
static const char *check_header(const r307_table_header_t *h,
                                apr_uint64_t len)
{
    const char *why;

    if (len < sizeof *h) {
        return "it is too short to be one";
    }
    if (memcmp(h->magic, "R307TBL\n", 8) != 0) {
        return "it is not a table";
    }
    if (h->byte_order != 0x01020304) {
        return "it was made on a machine with another byte order";
    }
    if (h->version != R307_TABLE_VERSION) {
        return "it was made by another version of the module";
    }
    if (h->header_sum != r307_block_sum(0, h, offsetof(r307_table_header_t,
                                                       header_sum))) {
        return "its header is damaged";
    }
    if (h->file_len != len) {
        return "it is truncated";
    }
    why = check_parts(h, len - sizeof *h);
    return why ? why
        : r307_index_check(&h->index, h->index.records_len,
                           h->index.slot_count * sizeof(r307_slot_t));
}

/* Where each part is. They were found to fit. */
static void find_parts(r307_table_t *table, const char *block)
{
    const r307_table_header_t *h = table->header;
    const char *at = block + sizeof *h;

    table->index.info = h->index;
    table->index.records = at;
    at += h->index.records_len;
    table->index.slots = (const r307_slot_t *)at;
    at += h->index.slot_count * sizeof(r307_slot_t);
    table->options = at;
    at += padded(h->options_len);
    table->option_begins = (const apr_uint32_t *)at;
    at += padded(h->options * sizeof(apr_uint32_t));
    table->prepared_refs = (const r307_ref_t *)at;
    at += padded(h->prepared * sizeof(r307_ref_t));
    table->marks = (const r307_mark_t *)at;
    at += padded(h->marks * sizeof(r307_mark_t));
    table->changed = (const apr_uint32_t *)at;
}

/* Not more of them than are kept parsed: the file is not read through. */
static apr_status_t open_options(r307_table_t *table, apr_pool_t *pool,
                                 r307_error_t *err)
{
    const r307_table_header_t *h = table->header;
    apr_uint32_t n = h->options < R307_OPTION_SETS_READY
        ? h->options : R307_OPTION_SETS_READY, i;

    if (h->options_len && table->options[h->options_len - 1] != '\0') {
        return bad_block(&table->spec, "the last option set has no end",
                         err);
    }
    table->option_sets = apr_palloc(pool, (n + 1)
                                    * sizeof *table->option_sets);
    for (i = 0; i < n; i++) {
        const char *text = r307_table_option_text(table, i);

        if (!text) {
            return bad_block(&table->spec, "option sets are missing", err);
        }
        if (r307_table_parse_options(table, text, pool,
                                     &table->option_sets[i], err)
            != APR_SUCCESS) {
            return bad_block(&table->spec, err->text, err);
        }
    }
    return APR_SUCCESS;
}

static apr_status_t open_prepared(r307_table_t *table, apr_pool_t *pool,
                                  r307_error_t *err)
{
    apr_uint32_t n = table->header->prepared, i;

    table->prepared = apr_pcalloc(pool, (n + 1) * sizeof *table->prepared);
    for (i = 0; i < n; i++) {
        const r307_record_t *rec =
            r307_index_record(&table->index, table->prepared_refs[i]);

        if (!rec) {
            return bad_block(&table->spec, "a prepared rule lies outside",
                             err);
        }
        if (r307_table_prepare(table, i, rec, pool, err) != APR_SUCCESS) {
            return bad_block(&table->spec, err->text, err);
        }
    }
    return APR_SUCCESS;
}

static int sum_is_right(const char *block, apr_uint64_t len)
{
    const r307_table_header_t *h = (const r307_table_header_t *)block;

    return r307_block_sum(0, block + sizeof *h, (apr_size_t)len - sizeof *h)
           == h->payload_sum;
}

int r307_table_is_whole(const r307_table_t *table)
{
    return sum_is_right((const char *)table->header,
                        table->header->file_len);
}

apr_status_t r307_table_over(const char *block, apr_uint64_t len,
                             const r307_table_spec_t *spec, int verify,
                             apr_pool_t *pool, r307_table_t **out,
                             r307_error_t *err)
{
    r307_table_t *table = apr_pcalloc(pool, sizeof *table);
    const r307_table_header_t *h = (const r307_table_header_t *)block;
    const char *why = check_header(h, len);
    apr_status_t rv;

    if (!why && verify && !sum_is_right(block, len)) {
        why = "its checksum is wrong: it is damaged";
    }
    if (why) {
        return bad_block(spec, why, err);
    }
    table->header = h;
    table->spec = *spec;
    table->spec.path = apr_pstrdup(pool, spec->path);
    find_parts(table, block);
    rv = open_options(table, pool, err);
    if (rv == APR_SUCCESS) {
        rv = open_prepared(table, pool, err);
    }
    table->rules = r307_ruleset_over(pool, &table->index,
                                     h->flags & R307_TABLE_ROWS
                                     ? r307_table_make_row
                                     : r307_table_make_line, table);
    *out = table;
    return rv;
}

apr_status_t r307_table_open(const char *file, const r307_table_spec_t *spec,
                             int verify, apr_pool_t *pool,
                             r307_table_t **out, r307_error_t *err)
{
    apr_file_t *f;
    apr_finfo_t info;
    apr_mmap_t *map;
    char why[120];
    apr_status_t rv = apr_file_open(&f, file, APR_FOPEN_READ, 0, pool);

    if (rv == APR_SUCCESS) {
        rv = apr_file_info_get(&info, APR_FINFO_SIZE, f);
        if (rv == APR_SUCCESS
            && info.size < (apr_off_t)sizeof(r307_table_header_t)) {
            apr_file_close(f);
            return bad_block(spec, "it is too short to be one", err);
        }
        if (rv == APR_SUCCESS) {
            rv = apr_mmap_create(&map, f, 0, (apr_size_t)info.size,
                                 APR_MMAP_READ, pool);
        }
        apr_file_close(f);
    }
    if (rv != APR_SUCCESS) {
        r307_error_set(err, "R307-0522: the table file '%s' cannot be "
                       "mapped: %s", file, apr_strerror(rv, why, sizeof why));
        return rv;
    }
    return r307_table_over(map->mm, (apr_uint64_t)info.size, spec, verify,
                           pool, out, err);
}
