/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Rows that change, and patches that are damaged. Input, by its first byte:
 *   'd'  a good patch, changed by triples: offset (two bytes, little endian),
 *        new byte; its header's checksum is made right again
 *   'b'  a good base, likewise, under a good patch
 *   else a history: a byte for each row, 16 of them for the base, then the
 *        same for each of two patches, one over the other; 0 to 15: that
 *        line; else deleted, or not changed
 * What holds:
 *  - what is refused is refused with a sentence
 *  - what is taken answers every path, can be gone through, and be compacted
 *    or not, and reads nothing outside of it
 *  - after a history a base with its patch has the candidates, in their
 *    order, that a base of the rows as they are has; so has what it is
 *    compacted to
 */
#include "fuzz_server.h"

#include "core/r307_block.h"
#include "core/r307_rows.h"

#include <stddef.h>

const char fuzz_name[] = "patch";

#define ROWS 16

static const char *const lines[ROWS] = {
    "/a https://1.example/", "/a https://2.example/ exact",
    "/a/b https://3.example/ cache=60", "/a/b/ https://4.example/ exact",
    "self.example/a https://5.example/", "*.example/a https://6.example/",
    "*.example/a/b https://7.example/ exact name=n",
    "~^/a/(.*)$ https://8.example/$1", "~b$ https://9.example/",
    "/ https://10.example/", "/a/b/c/d - ", "/a geo DE=/de default=/en",
    "self.example/ /there query=drop", "/a//b https://14.example/",
    "/x https://15.example/?q#f", "/bad"
};

static const char *const paths[] = {
    "/", "/a", "/a/", "/a/b", "/a/b/", "/a//b", "//a/b//c", "/a/b/c/d/e",
    "/x", "/x/y", "/none", "/b"
};

static void fill_spec(fuzz_t *in, r307_table_spec_t *spec)
{
    memset(spec, 0, sizeof *spec);
    spec->path = "sql:fuzz";
    spec->regex_flags = R307_REGEX_DOTALL | R307_REGEX_DOLLAR_ENDONLY;
    spec->compile_expr = fuzz_compile_expr;
    spec->allowed_hosts = fuzz_allowed(in->pool);
}

static r307_rows_t *begin(fuzz_t *in, const r307_table_t *base,
                          const r307_table_t *old)
{
    r307_table_spec_t *spec = apr_palloc(in->pool, sizeof *spec);
    r307_rows_setup_t setup = { spec, base, old, 4, 7, NULL, NULL };
    r307_rows_t *rows;

    fill_spec(in, spec);
    FUZZ_HOLDS(r307_rows_create(&setup, in->pool, &rows) == APR_SUCCESS);
    return rows;
}

static const r307_table_source_t source = { 1, 2, 3, 4, 5 };

/* NULL: a damaged one was copied, and what came out cannot be opened. */
static r307_table_t *try_finish(fuzz_t *in, r307_rows_t *rows)
{
    r307_error_t err = { in->pool, NULL };
    r307_table_t *table;
    apr_status_t rv = r307_rows_write_memory(rows, &source, in->pool, &table,
                                             &err);

    if (rv != APR_SUCCESS) {
        fuzz_check_error(rv, &err);
    }
    return rv == APR_SUCCESS ? table : NULL;
}

static r307_table_t *finish(fuzz_t *in, r307_rows_t *rows)
{
    r307_table_t *table = try_finish(in, rows);

    FUZZ_HOLDS(table != NULL);
    return table;
}

static r307_table_t *view(fuzz_t *in, r307_table_t *base,
                          r307_table_t *patch)
{
    r307_error_t err = { in->pool, NULL };
    r307_table_t *out = NULL;

    if (r307_table_attach_patch(base, patch, in->pool, &out, &err)
        != APR_SUCCESS) {
        fuzz_check_error(APR_EINVAL, &err);
        return NULL;
    }
    FUZZ_HOLDS(!err.text);
    return out;
}

static r307_table_t *compacted(fuzz_t *in, const r307_table_t *table)
{
    return finish(in, begin(in, NULL, table));
}

/* ---- looking ---- */

/* The ids of the candidates for all paths, for two hosts. */
static const char *candidates(fuzz_t *in, const r307_table_t *table)
{
    static const char *const hosts[] = { NULL, "self.example", "x.example" };
    char *out = apr_pstrdup(in->pool, "");
    unsigned i;

    for (i = 0; i < 3 * sizeof paths / sizeof paths[0]; i++) {
        const char *path = paths[i / 3];
        r307_search_t search;
        const r307_record_t *rec;

        r307_search_init(&search, hosts[i % 3], path, strlen(path), NULL,
                         in->pool);
        rec = !r307_search_begin(&search, r307_table_rules(table), NULL, NULL)
            ? NULL : r307_search_record(&search);
        for (; rec; rec = r307_search_record(&search)) {
            out = apr_psprintf(in->pool, "%s%u ", out, (unsigned)rec->order);
        }
        out = apr_pstrcat(in->pool, out, path, "\n", NULL);
    }
    return out;
}

static const char *listed(fuzz_t *in, const r307_table_t *table)
{
    r307_place_t at = R307_PLACE_FIRST;
    const r307_record_t *rec;
    char *out = apr_pstrdup(in->pool, "");

    while ((rec = r307_table_next(table, &at)) != NULL) {
        const r307_rule_t *rule = r307_table_rule(table, rec, in->pool);

        out = apr_psprintf(in->pool, "%s%u %s\n", out, (unsigned)rec->order,
                           rule ? r307_rule_label(in->pool, rule) : "?");
    }
    return out;
}

static void ask_all(fuzz_t *in, const r307_table_t *table)
{
    unsigned i;

    fuzz_value = "1";
    for (i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        r307_decision_t d;

        memset(&d, 0, sizeof d);
        fuzz_ask(in, r307_table_rules(table), paths[i], "q=1", &d);
        FUZZ_HOLDS((d.outcome == R307_REDIRECT) == (d.location != NULL));
    }
}

/* ---- histories ---- */

static void add(r307_rows_t *rows, apr_uint32_t id, const char *line,
                apr_pool_t *pool)
{
    r307_error_t err = { pool, NULL };

    FUZZ_HOLDS(r307_rows_add(rows, id, line, &err) == APR_SUCCESS);
}

static r307_table_t *base_of(fuzz_t *in, const char *const *now)
{
    r307_rows_t *rows = begin(in, NULL, NULL);
    int i;

    for (i = 0; i < ROWS; i++) {
        if (now[i]) {
            add(rows, (apr_uint32_t)i + 1, now[i], in->pool);
        }
    }
    return finish(in, rows);
}

/* The next bytes as changes. */
static r307_table_t *patch_of(fuzz_t *in, const r307_table_t *base,
                              const r307_table_t *old, const char **now)
{
    r307_rows_t *rows = begin(in, base, old);
    int i;

    for (i = 0; i < ROWS; i++) {
        int byte = fuzz_byte(in);

        if (byte < 2 * ROWS) {
            now[i] = byte < ROWS ? lines[byte] : NULL;
            add(rows, (apr_uint32_t)i + 1, now[i], in->pool);
        }
    }
    return finish(in, rows);
}

static void check_same(fuzz_t *in, const r307_table_t *got,
                       const r307_table_t *want)
{
    FUZZ_HOLDS(strcmp(candidates(in, got), candidates(in, want)) == 0);
    FUZZ_HOLDS(strcmp(listed(in, got), listed(in, want)) == 0);
    FUZZ_HOLDS(r307_table_count(got) == r307_table_count(want));
}

static void try_history(fuzz_t *in)
{
    const char *now[ROWS];
    r307_table_t *base, *patch = NULL, *both, *fresh;
    int i;

    for (i = 0; i < ROWS; i++) {
        int byte = fuzz_byte(in);
        now[i] = byte < ROWS ? lines[byte] : NULL;
    }
    base = base_of(in, now);
    for (i = 0; i < 2; i++) {
        patch = patch_of(in, base, patch, now);
        both = view(in, base, patch);
        FUZZ_HOLDS(both != NULL);
        fresh = base_of(in, now);
        check_same(in, both, fresh);
        check_same(in, compacted(in, both), fresh);
        ask_all(in, both);
    }
}

/* ---- damage ---- */

/* The table's block, changed by what is left of the input. */
static r307_table_t *damaged(fuzz_t *in, const r307_table_t *table)
{
    apr_size_t len = (apr_size_t)r307_table_header(table)->file_len;
    char *block = fuzz_memory(in, len);
    r307_table_header_t *header = (r307_table_header_t *)block;
    r307_error_t err = { in->pool, NULL };
    r307_table_spec_t spec;
    r307_table_t *out;

    memcpy(block, r307_table_header(table), len);
    while (in->end - in->at >= 3) {
        apr_size_t at = (apr_size_t)fuzz_byte(in);

        at |= (apr_size_t)fuzz_byte(in) << 8;
        block[at % len] = (char)fuzz_byte(in);
    }
    header->header_sum =
        r307_block_sum(0, header, offsetof(r307_table_header_t, header_sum));
    fill_spec(in, &spec);
    if (r307_table_over(block, len, &spec, 0, in->pool, &out, &err)
        != APR_SUCCESS) {
        fuzz_check_error(APR_EINVAL, &err);
        return NULL;
    }
    return out;
}

static void try_damage(fuzz_t *in, int of_base)
{
    static const char *const now[ROWS] = {
        "/a https://1.example/", "/a/b https://3.example/ cache=60", NULL,
        "*.example/a https://6.example/", "~^/a/(.*)$ https://8.example/$1",
        "/x https://15.example/?q#f exact"
    };
    r307_table_t *base = base_of(in, now), *patch, *both = NULL;
    r307_rows_t *rows = begin(in, base, NULL);

    add(rows, 2, "/a/b https://14.example/ name=n", in->pool);
    add(rows, 4, NULL, in->pool);
    add(rows, 7, "self.example/a geo DE=/de default=/en", in->pool);
    patch = finish(in, rows);
    if (of_base) {
        base = damaged(in, base);
    }
    else {
        patch = damaged(in, patch);
    }
    if (base && patch) {
        both = view(in, base, patch);
    }
    if (both) {
        r307_table_t *whole;

        candidates(in, both);
        listed(in, both);
        ask_all(in, both);
        r307_table_has(both, 2);
        whole = try_finish(in, begin(in, NULL, both));
        if (whole) {
            ask_all(in, whole);
        }
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    fuzz_t in;

    fuzz_begin(&in, data, size);
    if (size && (*data == 'd' || *data == 'b')) {
        fuzz_byte(&in);
        try_damage(&in, *data == 'b');
    }
    else {
        try_history(&in);
    }
    return fuzz_end(&in);
}
