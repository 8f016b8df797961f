/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what makes a rule the same rule. Must not know how counts are kept.
 * Called by the server side when it makes counters.
 */
#include "core/r307_identity.h"

#include "core/r307_hash.h"

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

apr_uint64_t r307_identity_table(const r307_table_t *table)
{
    const r307_table_header_t *h = r307_table_header(table);

    return r307_hash_mix(r307_hash_mix(R307_HASH_SEED, h->payload_sum),
                         h->file_len);
}

apr_uint32_t r307_identity_slots(const r307_table_t *table)
{
    apr_uint32_t slots = 1;
    const r307_record_t *rec;
    r307_ref_t at = 1;

    while ((rec = r307_table_next(table, &at)) != NULL) {
        if (rec->order >= slots) {
            slots = rec->order + 1;
        }
    }
    return slots + r307_table_choices(table);
}

void r307_identity_fill(const void *ctx, apr_uint64_t *ids,
                        apr_uint32_t slots)
{
    const r307_table_t *table = ctx;
    apr_uint32_t choice = slots - r307_table_choices(table);
    const r307_record_t *rec;
    r307_ref_t at = 1;
    int i;

    while ((rec = r307_table_next(table, &at)) != NULL) {
        const r307_rule_t *rule = r307_table_prepared(table, rec);
        apr_uint64_t id = rule ? r307_identity_rule(rule) : of_record(rec);

        if (rec->order < slots) {
            ids[rec->order] = id;
        }
        for (i = 0; rule && rule->choices && i < rule->choices->n
             && choice < slots; i++) {
            const char *text = rule->choices->at[i].written;
            ids[choice++] = r307_identity_part(id, text, strlen(text));
        }
    }
}
