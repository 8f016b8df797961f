/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * What makes a rule the same rule after its source has changed: a number by
 * which its counts are found again. It is the kind, the host, the URL-path or
 * pattern, and name= if there is one; neither target nor other options, so
 * that these can change while counting goes on. Rules that are alike in all
 * of it are told apart by their order (r307_counter_carry).
 */
#ifndef R307_IDENTITY_H
#define R307_IDENTITY_H

#include "core/r307_counter.h"
#include "core/r307_table.h"

/* Never 0. */
apr_uint64_t r307_identity_rule(const r307_rule_t *rule);

/* Of a part of what has that id: a choice by its selectors, a rule by where
 * it stands. Never 0. */
apr_uint64_t r307_identity_part(apr_uint64_t id, const char *text,
                                apr_size_t len);

/* ---- tables: the slot of a rule is its line or id; choices come behind --- */

/* What counters of a table with this content belong to. A table of rows has
 * the same again when its rows have changed, but not when it needs more
 * slots, or has other choices: the id alone makes a row the same. */
apr_uint64_t r307_identity_table(const r307_table_t *table);

/* Slots that the table's rules need; of rows, with some for ids that come
 * later. The patch of a table is not asked. */
apr_uint32_t r307_identity_slots(const r307_table_t *table);

/* As r307_counter_create() wants it; ctx: the table. */
void r307_identity_fill(const void *ctx, apr_uint64_t *ids,
                        apr_uint32_t slots);

#endif
