/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * What an open table is made of. Between table, tableopen and patch; nobody
 * else includes it.
 */
#ifndef R307_TABLEBODY_H
#define R307_TABLEBODY_H

#include "core/r307_block.h"
#include "core/r307_counter.h"

/* Option sets that are parsed when the table is opened. Further ones are
 * parsed when a rule with them is met: a table in which every rule has its
 * own from= must not cost memory in every process. */
#define R307_OPTION_SETS_READY 1024

struct r307_table_t {
    const r307_table_header_t *header;
    r307_table_spec_t spec;
    r307_index_t index;
    const char *options;        /* texts */
    const apr_uint32_t *option_begins;  /* in options, by number */
    r307_rule_t **option_sets;  /* the first, parsed: rules with nothing but
                                 * options */
    const r307_ref_t *prepared_refs;
    const r307_mark_t *marks;
    const apr_uint32_t *changed;
    r307_rule_t **prepared;
    r307_ruleset_t *rules;
    r307_counter_t *counter;    /* NULL: none */
    apr_uint32_t slots_or;      /* what makes a line a slot: nothing, or
                                 * R307_SLOT_NONE */
    apr_uint32_t slots;         /* of rules; those of choices lie behind */

    /* a view; else NULL */
    r307_table_t *base;
    r307_table_t *patch;
};

/* Does the record lie in that table's own block? */
static inline int r307_table_holds(const r307_table_t *table,
                                   const r307_record_t *rec)
{
    const char *at = (const char *)rec;

    return at >= table->index.records
           && at < table->index.records + table->index.info.records_len;
}

/* A rule set's `make`s, with the table: for lines, and for rows, whose ids
 * can be greater than there are slots. */
const r307_rule_t *r307_table_make_line(const void *ctx,
                                        const r307_record_t *rec,
                                        apr_pool_t *pool);
const r307_rule_t *r307_table_make_row(const void *ctx,
                                       const r307_record_t *rec,
                                       apr_pool_t *pool);

/* A patch's rules are counted where its base's are. */
void r307_table_share_counter(const r307_table_t *base, r307_table_t *patch,
                              apr_pool_t *pool);

/* Fill prepared[i] from its record. */
apr_status_t r307_table_prepare(r307_table_t *table, apr_uint32_t i,
                                const r307_record_t *rec, apr_pool_t *pool,
                                r307_error_t *err);

/* A rule with only the options of a set, as it lies in the block. */
apr_status_t r307_table_parse_options(const r307_table_t *table,
                                      const char *text, apr_pool_t *pool,
                                      r307_rule_t **out, r307_error_t *err);

#endif
