/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns how rules are stored and found. Must not know conditions, targets or
 * requests beyond the path. Called by decide, and by whoever collects rules.
 */
#include "core/r307_ruleset.h"

struct r307_ruleset_t {
    apr_array_header_t *rules;  /* const r307_rule_t * */
};

r307_ruleset_t *r307_ruleset_create(apr_pool_t *pool)
{
    r307_ruleset_t *set = apr_palloc(pool, sizeof *set);

    set->rules = apr_array_make(pool, 8, sizeof(const r307_rule_t *));
    return set;
}

void r307_ruleset_add(r307_ruleset_t *set, const r307_rule_t *rule)
{
    APR_ARRAY_PUSH(set->rules, const r307_rule_t *) = rule;
}

int r307_ruleset_count(const r307_ruleset_t *set)
{
    return set->rules->nelts;
}

const r307_rule_t *r307_ruleset_at(const r307_ruleset_t *set, int i)
{
    return APR_ARRAY_IDX(set->rules, i, const r307_rule_t *);
}

const r307_chain_t *r307_chain_join(apr_pool_t *pool, const r307_chain_t *a,
                                    const r307_chain_t *b)
{
    r307_chain_t *link;

    if (!a || !b) {
        return a ? a : b;
    }
    link = apr_palloc(pool, sizeof *link);
    link->set = a->set;
    link->next = r307_chain_join(pool, a->next, b);
    return link;
}

int r307_chain_holds(const r307_chain_t *chain, const r307_ruleset_t *set)
{
    while (chain && chain->set != set) {
        chain = chain->next;
    }
    return chain != NULL;
}

/* "/a//b" and "/a/b" are the same path here, as for a prefix. */
static int covers_exactly(const r307_search_t *search, const char *path)
{
    return r307_path_prefix(search->uri, path) == search->uri_len
           && (search->uri[search->uri_len - 1] == '/')
              == (path[strlen(path) - 1] == '/');
}

static apr_status_t match_path(const r307_search_t *search,
                               const r307_rule_t *rule, r307_match_t *match)
{
    match->rest = search->uri_len;
    switch (rule->kind) {
    case R307_RULE_PREFIX:
        match->rest = r307_path_prefix(search->uri, rule->path);
        return match->rest ? APR_SUCCESS : APR_NOTFOUND;
    case R307_RULE_EXACT:
        return covers_exactly(search, rule->path) ? APR_SUCCESS
                                                  : APR_NOTFOUND;
    case R307_RULE_REGEX:
        return r307_regex_match(rule->regex, search->uri, search->uri_len,
                                &match->captures, search->pool);
    default:
        return APR_SUCCESS;
    }
}

apr_status_t r307_search_next(r307_search_t *search, r307_match_t *match)
{
    while (search->next < search->set->rules->nelts) {
        apr_status_t rv;

        match->rule = r307_ruleset_at(search->set, search->next++);
        rv = match_path(search, match->rule, match);
        if (rv != APR_NOTFOUND) {
            return rv;
        }
    }
    return APR_NOTFOUND;
}
