/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns how rules are stored and found. Must not know conditions, targets or
 * requests beyond host and path. Called by decide, and by whoever collects
 * rules.
 */
#include "core/r307_ruleset.h"

#include "core/r307_authority.h"
#include "core/r307_merge.h"

#include <apr_lib.h>
#include <apr_strings.h>

/* Up to here one comparison after the other is cheaper than an index. */
#define SCAN_MAX 4

#define SPECIAL_HOSTS 1         /* rules has some that name a host */
#define SPECIAL_PATCH 2

struct r307_ruleset_t {
    apr_pool_t *pool;
    apr_array_header_t *rules;  /* const r307_rule_t * */
    const r307_index_t *index;  /* NULL: scan */
    r307_order_t order;
    int special;                /* SPECIAL_* */
    r307_overlay_t over;        /* with SPECIAL_PATCH; index is what it lies
                                 * over, and rules is empty */
    /* NULL: a record's `options` is the number of its rule. */
    const r307_rule_t *(*make)(const void *ctx, const r307_record_t *rec,
                               apr_pool_t *pool);
    const void *ctx;
};

r307_ruleset_t *r307_ruleset_create(apr_pool_t *pool)
{
    r307_ruleset_t *set = apr_pcalloc(pool, sizeof *set);

    set->pool = pool;
    set->rules = apr_array_make(pool, 8, sizeof(const r307_rule_t *));
    return set;
}

r307_ruleset_t *r307_ruleset_over(apr_pool_t *pool, const r307_index_t *index,
                                  const r307_rule_t *(*make)(
                                      const void *ctx,
                                      const r307_record_t *rec,
                                      apr_pool_t *pool),
                                  const void *ctx)
{
    r307_ruleset_t *set = r307_ruleset_create(pool);

    set->index = index;
    set->order = R307_ORDER_SPECIFIC;
    set->make = make;
    set->ctx = ctx;
    return set;
}

void r307_ruleset_patch(r307_ruleset_t *set, const r307_index_t *patch,
                        const apr_uint32_t *hidden, apr_uint32_t count)
{
    set->special = SPECIAL_PATCH;
    set->over.patch = patch;
    set->over.hidden = hidden;
    set->over.count = count;
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

const r307_index_t *r307_ruleset_index(const r307_ruleset_t *set)
{
    return set->index;
}

const r307_rule_t *r307_ruleset_rule(const r307_ruleset_t *set,
                                     const r307_record_t *rec,
                                     apr_pool_t *pool)
{
    return set->make ? set->make(set->ctx, rec, pool)
                     : r307_ruleset_at(set, (int)rec->options);
}

/* The index's next that is not hidden; the place is not moved behind it. */
static const r307_record_t *next_shown(const r307_ruleset_t *set,
                                       r307_place_t *at)
{
    const r307_overlay_t *over = &set->over;
    const r307_record_t *rec;

    while ((rec = r307_index_record(set->index, at->ref)) != NULL) {
        while (at->hidden < over->count
               && over->hidden[at->hidden] < rec->order) {
            at->hidden++;
        }
        if (at->hidden == over->count
            || over->hidden[at->hidden] != rec->order) {
            break;
        }
        at->ref = r307_index_next(set->index, at->ref);
    }
    return rec;
}

const r307_record_t *r307_ruleset_next(const r307_ruleset_t *set,
                                       r307_place_t *at)
{
    const r307_index_t *index = set->index;
    const r307_record_t *rec = next_shown(set, at), *patch = NULL;
    r307_ref_t *ref = &at->ref;

    if (set->special == SPECIAL_PATCH) {
        patch = r307_index_record(set->over.patch, at->patch);
    }
    if (patch && (!rec || patch->order < rec->order)) {
        rec = patch;
        index = set->over.patch;
        ref = &at->patch;
    }
    if (rec) {
        *ref = r307_index_next(index, *ref);
    }
    return rec;
}

/* ---- freezing ---- */

static const char *key_of(const r307_rule_t *rule)
{
    switch (rule->kind) {
    case R307_RULE_REGEX:
        return r307_regex_literal(rule->regex)->key;
    case R307_RULE_SECTION:
    case R307_RULE_ANY:
        return "";
    default:
        return rule->path;      /* terminated in a set that is filled */
    }
}

static const char *host_key(const r307_host_pattern_t *pattern,
                            apr_pool_t *pool)
{
    char *key = apr_pstrcat(pool, pattern->subdomains ? "*." : "",
                            pattern->name, NULL), *s;

    for (s = key; *s; s++) {
        *s = (char)apr_tolower(*s);
    }
    return key;
}

/* host=a,a */
static int is_repeated(const apr_array_header_t *hosts, int n)
{
    const r307_host_pattern_t *all =
        (const r307_host_pattern_t *)hosts->elts;
    int i;

    for (i = 0; i < n; i++) {
        if (all[i].subdomains == all[n].subdomains
            && r307_authority_same_host(all[i].name, all[i].len, all[n].name,
                                        all[n].len)) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t file_rule(r307_indexer_t *ix, const r307_ruleset_t *set,
                              int i)
{
    const r307_rule_t *rule = r307_ruleset_at(set, i);
    const apr_array_header_t *hosts = rule->when ? rule->when->hosts : NULL;
    r307_entry_t entry;
    apr_status_t rv = APR_SUCCESS;
    int n;

    memset(&entry, 0, sizeof entry);
    entry.record.order = entry.record.options = (apr_uint32_t)i;
    entry.record.kind = (unsigned char)rule->kind;
    entry.record.flags = R307_RECORD_PREPARED;
    entry.path = key_of(rule);
    if (!hosts) {
        return r307_indexer_add(ix, &entry, NULL);
    }
    for (n = 0; n < hosts->nelts && rv == APR_SUCCESS; n++) {
        if (!is_repeated(hosts, n)) {
            entry.host = host_key(&APR_ARRAY_IDX(hosts, n,
                                                 r307_host_pattern_t),
                                  set->pool);
            rv = r307_indexer_add(ix, &entry, NULL);
        }
    }
    return rv;
}

void r307_ruleset_freeze_masked(r307_ruleset_t *set, apr_uint32_t mask)
{
    apr_pool_t *temp;
    r307_indexer_t *ix;
    apr_status_t rv = APR_ENOMEM;
    int i;

    apr_pool_create(&temp, set->pool);
    ix = r307_indexer_create(temp, (apr_size_t)set->rules->nelts, mask);
    if (ix) {
        rv = APR_SUCCESS;
        for (i = 0; i < set->rules->nelts && rv == APR_SUCCESS; i++) {
            rv = file_rule(ix, set, i);
        }
    }
    /* A set that cannot be filed is scanned. */
    if (rv == APR_SUCCESS) {
        set->index = r307_indexer_freeze(ix, set->pool);
        set->order = R307_ORDER_FIRST;
        set->special = set->index->info.flags & R307_INDEX_HOSTS
            ? SPECIAL_HOSTS : 0;
    }
    apr_pool_destroy(temp);
}

void r307_ruleset_freeze(r307_ruleset_t *set)
{
    if (set->rules->nelts > SCAN_MAX && !set->index) {
        r307_ruleset_freeze_masked(set, ~(apr_uint32_t)0);
    }
}

/* ---- chains ---- */

const r307_chain_t *r307_chain_join(apr_pool_t *pool, const r307_chain_t *a,
                                    const r307_chain_t *b)
{
    r307_chain_t *link;

    if (!a || !b) {
        return a ? a : b;
    }
    link = apr_palloc(pool, sizeof *link);
    link->set = a->set;
    link->changing = a->changing;
    link->next = r307_chain_join(pool, a->next, b);
    return link;
}

int r307_chain_holds(const r307_chain_t *chain, const r307_chain_t *link)
{
    while (chain && (chain->set != link->set
                     || chain->changing != link->changing)) {
        chain = chain->next;
    }
    return chain != NULL;
}

/* ---- searching ---- */

static apr_size_t __attribute__((noinline)) covered_doubled(
    r307_search_t *search, const r307_rule_t *rule)
{
    if (search->doubled < 0) {
        search->doubled = r307_path_is_doubled(search->walk.uri);
    }
    return search->doubled
        ? r307_path_prefix(search->walk.uri, 1, rule->path, rule->path_len) : 0;
}

/* rest: what the index knows already, or 0. */
static inline apr_size_t covered(r307_search_t *search,
                                 const r307_rule_t *rule, apr_size_t rest)
{
    const char *uri = search->walk.uri;
    apr_size_t len = rule->path_len;

    if (!rest && len <= search->walk.uri_len
        && memcmp(uri, rule->path, len) == 0
        && (uri[len] == '/' || uri[len] == '\0' || uri[len - 1] == '/')) {
        rest = len;
    }
    if (!rest && search->doubled) {
        rest = covered_doubled(search, rule);
    }
    return rest;
}

/* "/a//b" and "/a/b" are the same path here, as for a prefix. */
static int is_exact(const r307_search_t *search, const r307_rule_t *rule,
                    apr_size_t rest)
{
    return rest == search->walk.uri_len
           && (search->walk.uri[rest - 1] == '/')
              == (rule->path[rule->path_len - 1] == '/');
}

/* Can it match? Asked when its literal is longer than what is known to be
 * equal, and the slash that follows, as every path begins with one. */
static inline int may_match(const r307_search_t *search,
                            const r307_regex_t *regex, apr_size_t rest)
{
    const r307_literal_t *literal = r307_regex_literal(regex);

    return literal->len <= rest + 1
           || (literal->len <= search->walk.uri_len
               && memcmp(search->walk.uri, literal->bytes, literal->len) == 0);
}

static apr_status_t match_path(r307_search_t *search,
                               const r307_rule_t *rule, apr_size_t rest,
                               r307_match_t *match)
{
    if (rule->kind == R307_RULE_PREFIX) {   /* as most */
        match->rest = covered(search, rule, rest);
        return match->rest ? APR_SUCCESS : APR_NOTFOUND;
    }
    switch (rule->kind) {
    case R307_RULE_EXACT:
        match->rest = covered(search, rule, rest);
        return is_exact(search, rule, match->rest) ? APR_SUCCESS
                                                   : APR_NOTFOUND;
    case R307_RULE_REGEX:
        match->rest = search->walk.uri_len;
        return !may_match(search, rule->regex, rest) ? APR_NOTFOUND
            : r307_regex_match(rule->regex, search->walk.uri,
                               search->walk.uri_len, &match->captures,
                               search->scratch, search->walk.pool);
    default:
        match->rest = search->walk.uri_len;
        return APR_SUCCESS;
    }
}

/* What else there is to do for a set that is not only an index. */
static int __attribute__((noinline)) begin_special(
    r307_search_t *search, const r307_ruleset_t *set,
    int (*thorough)(void *ctx), void *ctx)
{
    if (set->special == SPECIAL_PATCH) {
        search->index = NULL;
        search->next = 0;
        search->merge = r307_merge_begin(&search->walk, set->index,
                                         &set->over);
        return search->merge != NULL;
    }
    if (thorough && thorough(ctx)) {
        search->index = NULL;
        search->next = 0;
        search->walk.rest = 0;
        return 1;
    }
    return r307_walk_begin(&search->walk, set->index);
}

int r307_search_begin(r307_search_t *search, const r307_ruleset_t *set,
                      int (*thorough)(void *ctx), void *ctx)
{
    search->set = set;
    search->index = set->index;
    if (!set->index) {
        search->next = 0;
        search->walk.rest = 0;
        return 1;
    }
    return set->special ? begin_special(search, set, thorough, ctx)
                        : r307_walk_begin(&search->walk, set->index);
}

static const r307_rule_t * __attribute__((noinline)) next_merged(
    r307_search_t *search)
{
    const r307_record_t *rec = r307_merge_next(search->merge);

    return rec ? r307_ruleset_rule(search->set, rec, search->walk.pool)
               : NULL;
}

static const r307_rule_t *next_rule(r307_search_t *search)
{
    const r307_ruleset_t *set = search->set;
    const r307_record_t *rec;

    if (!search->index) {
        return search->next < set->rules->nelts
            ? r307_ruleset_at(set, search->next++)
            : set->special != SPECIAL_PATCH ? NULL : next_merged(search);
    }
    rec = r307_walk_next(&search->walk, set->order);
    if (!rec) {
        return NULL;
    }
    return r307_ruleset_rule(set, rec, search->walk.pool);
}

const r307_record_t *r307_search_record(r307_search_t *search)
{
    return search->index ? r307_walk_next(&search->walk, search->set->order)
                         : r307_merge_next(search->merge);
}

apr_status_t r307_search_next(r307_search_t *search, r307_match_t *match)
{
    while ((match->rule = next_rule(search)) != NULL) {
        apr_status_t rv = match_path(search, match->rule, search->walk.rest,
                                     match);
        if (rv != APR_NOTFOUND) {
            return rv;
        }
    }
    return APR_NOTFOUND;
}
