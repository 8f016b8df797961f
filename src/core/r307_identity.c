/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what makes a rule the same rule. Must not know how counts are kept.
 * Called by the server side when it makes counters.
 */
#include "core/r307_identity.h"

#include "core/r307_hash.h"

/* What ids of rows begin with, lest they be those of lines. */
#define ROW_SEED (R307_HASH_SEED ^ APR_UINT64_C(0x726f7773))

static apr_uint64_t add(apr_uint64_t id, const char *s, apr_size_t len)
{
    return r307_hash_bytes(r307_hash_mix(id, len), s, len);
}

static apr_uint64_t finish(apr_uint64_t id)
{
    return id ? id : 1;
}

static apr_uint64_t begin(int kind, const char *path, apr_size_t len)
{
    return add(r307_hash_mix(R307_HASH_SEED, (apr_uint64_t)kind + 1), path,
               len);
}

apr_uint64_t r307_identity_part(apr_uint64_t id, const char *text,
                                apr_size_t len)
{
    return finish(add(id, text, len));
}

static apr_uint64_t add_hosts(apr_uint64_t id,
                              const apr_array_header_t *hosts)
{
    int i;

    for (i = 0; hosts && i < hosts->nelts; i++) {
        const r307_host_pattern_t *host =
            &APR_ARRAY_IDX(hosts, i, r307_host_pattern_t);
        id = add(r307_hash_mix(id, (apr_uint64_t)host->subdomains),
                 host->name, host->len);
    }
    return id;
}

apr_uint64_t r307_identity_rule(const r307_rule_t *rule)
{
    const char *path = rule->path ? rule->path : "";
    apr_uint64_t id = begin((int)rule->kind, path,
                            rule->kind == R307_RULE_REGEX ? strlen(path)
                                                          : rule->path_len);

    id = add_hosts(id, rule->when ? rule->when->hosts : NULL);
    if (rule->named) {
        id = add(id, rule->name, strlen(rule->name));
    }
    return finish(id);
}

/* ---- tables ---- */

static apr_uint64_t of_record(const r307_record_t *rec)
{
    apr_uint64_t id = begin(rec->kind, r307_record_path(rec), rec->path_len);

    if (rec->host_len) {
        id = add(id, r307_record_host(rec), rec->host_len);
    }
    if (rec->name_len) {
        id = add(id, r307_record_name(rec), rec->name_len);
    }
    return finish(id);
}

static int has_rows(const r307_table_t *table)
{
    return (r307_table_header(table)->flags & R307_TABLE_ROWS) != 0;
}

/* Rows that come later are counted too, until the next base: so many more
 * ids; and the number grows in steps of an eighth, so that most bases go on
 * in the same file. Ids that lie far apart would make it large: then those
 * beyond so many for each row are not counted. */
#define IDS_AHEAD  65536
#define IDS_SPREAD 16
#define IDS_ALWAYS ((apr_uint64_t)1 << 20)

static apr_uint64_t row_slots(const r307_table_header_t *h)
{
    apr_uint64_t want = (apr_uint64_t)h->last + 1 + IDS_AHEAD;
    apr_uint64_t limit = IDS_ALWAYS, step = IDS_AHEAD;

    while (step * 8 < want) {
        step *= 2;
    }
    want = (want + step - 1) / step * step;
    while (limit < (apr_uint64_t)h->index.rules * IDS_SPREAD) {
        limit *= 2;
    }
    if (limit > R307_COUNTER_SLOTS_MAX / 2) {
        limit = R307_COUNTER_SLOTS_MAX / 2;
    }
    return want < limit ? want : limit;
}

/* The id of a rule's choice. */
static apr_uint64_t of_choice(apr_uint64_t id, const r307_choice_t *choice)
{
    return r307_identity_part(id, choice->written, strlen(choice->written));
}

static apr_uint64_t of_row(apr_uint32_t row)
{
    return finish(r307_hash_mix(ROW_SEED, row));
}

/* Calls for each choice, in order, with its id. */
static void each_choice(const r307_table_t *table,
                        void (*call)(void *ctx, apr_uint64_t id), void *ctx)
{
    apr_uint32_t i;
    int k;

    for (i = 0; i < r307_table_header(table)->prepared; i++) {
        const r307_rule_t *rule = r307_table_prepared_at(table, i);
        apr_uint64_t id = has_rows(table) ? of_row((apr_uint32_t)rule->line)
                                          : r307_identity_rule(rule);

        for (k = 0; rule->choices && k < rule->choices->n; k++) {
            call(ctx, of_choice(id, &rule->choices->at[k]));
        }
    }
}

static void mix_in(void *ctx, apr_uint64_t id)
{
    apr_uint64_t *hash = ctx;

    *hash = r307_hash_mix(*hash, id);
}

/* Of rows: the same as long as its slots mean the same. */
static apr_uint64_t of_rows(const r307_table_t *table)
{
    apr_uint64_t hash = r307_hash_mix(ROW_SEED,
                                      row_slots(r307_table_header(table)));

    each_choice(table, mix_in, &hash);
    return hash;
}

apr_uint64_t r307_identity_table(const r307_table_t *table)
{
    const r307_table_header_t *h = r307_table_header(table);

    return has_rows(table) ? of_rows(table)
        : r307_hash_mix(r307_hash_mix(R307_HASH_SEED, h->payload_sum),
                        h->file_len);
}

apr_uint32_t r307_identity_slots(const r307_table_t *table)
{
    const r307_table_header_t *h = r307_table_header(table);

    return (has_rows(table) ? (apr_uint32_t)row_slots(h) : h->last + 1)
        + r307_table_choices(table);
}

/* ids, filled up to `at` */
typedef struct filling_t {
    apr_uint64_t *ids;
    apr_uint32_t at;
    apr_uint32_t slots;
} filling_t;

static void put(void *ctx, apr_uint64_t id)
{
    filling_t *filling = ctx;

    if (filling->at < filling->slots) {
        filling->ids[filling->at++] = id;
    }
}

static void fill_rows(apr_uint64_t *ids, apr_uint32_t slots)
{
    apr_uint32_t i;

    for (i = 1; i < slots; i++) {
        ids[i] = of_row(i);
    }
}

static void fill_lines(const r307_table_t *table, apr_uint64_t *ids,
                       apr_uint32_t slots)
{
    r307_place_t at = R307_PLACE_FIRST;
    const r307_record_t *rec;

    while ((rec = r307_table_next(table, &at)) != NULL) {
        const r307_rule_t *rule = r307_table_prepared(table, rec);

        if (rec->order < slots) {
            ids[rec->order] = rule ? r307_identity_rule(rule)
                                   : of_record(rec);
        }
    }
}

void r307_identity_fill(const void *ctx, apr_uint64_t *ids,
                        apr_uint32_t slots)
{
    const r307_table_t *table = ctx;
    apr_uint32_t choices = r307_table_choices(table);
    filling_t filling = { ids, slots - choices, slots };

    if (has_rows(table)) {
        fill_rows(ids, slots - choices);
    }
    else {
        fill_lines(table, ids, slots - choices);
    }
    each_choice(table, put, &filling);
}
