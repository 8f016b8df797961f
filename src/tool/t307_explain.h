/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* The two forms in which explain shows a decision. */
#ifndef T307_EXPLAIN_H
#define T307_EXPLAIN_H

#include "tool/t307_host.h"

#include <jansson.h>

void t307_explain_text(t307_t *t, t307_ask_t *ask);
/* A new reference. */
json_t *t307_explain_json(t307_ask_t *ask);

/* "/a -> https://x.example/b methods=POST"-like: what it matches and where it
 * sends. Lives in pool. */
const char *t307_explain_rule(apr_pool_t *pool, const r307_rule_t *rule);
/* A fact as text, NULL when it is not known. */
const char *t307_explain_fact(apr_pool_t *pool, const r307_facts_t *facts,
                              r307_field_t field);

#endif
