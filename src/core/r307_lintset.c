/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns finding rules that are never asked, since another one in front of them
 * answers everything that they could. Must not know where rules come from.
 * Declared in r307_lint.h.
 *
 * The set's own index names the rules in front of a rule, in the order in
 * which a request would meet them, so a million rules are a million short
 * looks.
 */
#include "core/r307_lint.h"

#include <apr_strings.h>

#include <string.h>

/* Rules in front that are looked at. A longer list is one path with many
 * conditions. */
#define LOOK_MAX 64

/* ---- conditions ---- */

static int has_method(const r307_conditions_t *when, const char *method)
{
    int i;

    for (i = 0; i < when->methods->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(when->methods, i, const char *), method)
            == 0) {
            return 1;
        }
    }
    return 0;
}

/* Every method of b is one of a. */
static int covers_methods(const r307_conditions_t *a,
                          const r307_conditions_t *b)
{
    const r307_conditions_t *inner = b, *outer = a;
    int i;

    if (!a->methods) {
        return 1;
    }
    if (!b->methods || (!a->methods_negated && b->methods_negated)) {
        return 0;
    }
    if (a->methods_negated && b->methods_negated) {
        inner = a;              /* what a excludes, b excludes */
        outer = b;
    }
    for (i = 0; i < inner->methods->nelts; i++) {
        int has = has_method(outer, APR_ARRAY_IDX(inner->methods, i,
                                                  const char *));
        if (has == (a->methods_negated && !b->methods_negated)) {
            return 0;
        }
    }
    return 1;
}

static int covers_hosts(const r307_conditions_t *a,
                        const r307_conditions_t *b)
{
    int i, k;

    if (!a->hosts) {
        return 1;
    }
    for (i = 0; b->hosts && i < b->hosts->nelts; i++) {
        const r307_host_pattern_t *one = &APR_ARRAY_IDX(b->hosts, i,
                                                        r307_host_pattern_t);
        int held = !one->subdomains
                   && r307_host_pattern_any(a->hosts, one->name, one->len);
        for (k = 0; !held && k < a->hosts->nelts; k++) {
            const r307_host_pattern_t *other =
                &APR_ARRAY_IDX(a->hosts, k, r307_host_pattern_t);
            held = one->subdomains && other->subdomains
                   && r307_authority_same_host(one->name, one->len,
                                               other->name, other->len);
        }
        if (!held) {
            return 0;
        }
    }
    return b->hosts != NULL;
}

static int covers_times(const r307_conditions_t *a,
                        const r307_conditions_t *b)
{
    return (!a->from || (b->from && a->from <= b->from))
           && (!a->until || (b->until && a->until >= b->until));
}

static int covers_expr(const r307_conditions_t *a,
                       const r307_conditions_t *b)
{
    return !a->expr_text
           || (b->expr_text && strcmp(a->expr_text, b->expr_text) == 0);
}

/* Whenever b holds, a does. */
static int covers_conditions(const r307_rule_t *a, const r307_rule_t *b)
{
    static const r307_conditions_t always;
    const r307_conditions_t *outer = a->when ? a->when : &always;
    const r307_conditions_t *inner = b->when ? b->when : &always;

    return covers_methods(outer, inner) && covers_hosts(outer, inner)
           && covers_times(outer, inner) && covers_expr(outer, inner);
}

/* Does it have an answer for every visitor? */
static int is_for_everybody(const r307_rule_t *rule)
{
    const r307_choice_t *last;
    int i;

    if (rule->split && !rule->split->everybody) {
        return 0;
    }
    if (!rule->choices) {
        return !rule->target->site
               || strcmp(rule->target->site, R307_TARGET_NEAREST) != 0;
    }
    last = &rule->choices->at[rule->choices->n - 1];
    for (i = 0; i < last->selectors->nelts; i++) {
        if (APR_ARRAY_IDX(last->selectors, i, r307_selector_t).kind
            == R307_SELECT_DEFAULT) {
            return !last->target->site
                   || strcmp(last->target->site, R307_TARGET_NEAREST) != 0;
        }
    }
    return 0;
}

/* ---- paths ---- */

/* A path below which all that the rule covers lies; terminated. */
static const char *anchor(apr_pool_t *pool, const r307_rule_t *rule)
{
    switch (rule->kind) {
    case R307_RULE_REGEX: {
        const char *key = r307_regex_literal(rule->regex)->key;
        return *key ? key : "/";
    }
    case R307_RULE_SECTION:
        return "/";
    default:
        return apr_pstrmemdup(pool, rule->path, rule->path_len);
    }
}

static int same_path(const r307_rule_t *a, const r307_rule_t *b)
{
    if (a->kind != b->kind) {
        return 0;
    }
    if (a->kind == R307_RULE_REGEX) {
        return strcmp(a->path, b->path) == 0;
    }
    return a->path_len == b->path_len
           && memcmp(a->path, b->path, a->path_len) == 0;
}

static int covers_path(const r307_rule_t *a, const r307_rule_t *b,
                       const char *at)
{
    if (a->kind == R307_RULE_SECTION) {
        return 1;
    }
    if (a->kind != R307_RULE_PREFIX) {
        return same_path(a, b);
    }
    return b->kind != R307_RULE_SECTION
           && r307_path_prefix(at, 0, a->path, a->path_len) > 0;
}

/* ---- telling ---- */

static int same_text(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* Targets of a table are not kept as written. */
static int same_target(const r307_rule_t *a, const r307_rule_t *b)
{
    const r307_target_t *s = a->target, *t = b->target;
    int i;

    if (a->choices || b->choices || s->kind != t->kind
        || s->nparts != t->nparts) {
        return 0;
    }
    if (s->written && t->written) {
        return same_text(s->written, t->written);
    }
    for (i = 0; i < s->nparts; i++) {
        if (s->parts[i].len != t->parts[i].len
            || memcmp(s->parts[i].text, t->parts[i].text, s->parts[i].len)) {
            return 0;
        }
    }
    return 1;
}

static void tell_shadow(r307_lint_t *lint, const r307_rule_t *front,
                        const r307_rule_t *rule, int is_table)
{
    const char *where = apr_psprintf(lint->pool, "%s:%u", front->file,
                                     (unsigned)front->line);

    if (same_path(front, rule) && same_target(front, rule)) {
        r307_lint_tell(lint, rule, "duplicate", apr_pstrcat(
            lint->pool, "it says once more what ", where, " says", NULL),
            "remove one of the two");
        return;
    }
    r307_lint_tell(lint, rule, "shadowed", apr_psprintf(
        lint->pool, "it is never asked: %s (%s) comes before it and covers "
        "all that it could", where, r307_lint_path(lint->pool, front)),
        !is_table ? "put it in front of that rule, or remove it"
        : rule->kind == R307_RULE_REGEX && front->kind == R307_RULE_PREFIX
        ? "in a rule file a URL-path comes before every regular "
          "expression; write that rule as a regular expression behind this "
          "one, or with exact"
        : "remove one of the two");
}

/* ---- looking ---- */

/* A host for which the rule holds; NULL when it holds for any. */
static const char *some_host(apr_pool_t *pool, const r307_rule_t *rule)
{
    const r307_host_pattern_t *pattern;

    if (!rule->when || !rule->when->hosts) {
        return NULL;
    }
    pattern = &APR_ARRAY_IDX(rule->when->hosts, 0, r307_host_pattern_t);
    return apr_pstrcat(pool, pattern->subdomains ? "x." : "", pattern->name,
                       NULL);
}

static int is_shadow(const r307_rule_t *front, const r307_rule_t *rule,
                     const char *at)
{
    return front && !front->dryrun && covers_path(front, rule, at)
           && is_for_everybody(front)
           && covers_conditions(front, rule);
}

/* A set without an index: its few rules in their order. */
static void look_through(r307_lint_t *lint, const r307_ruleset_t *set,
                         const r307_rule_t *rule, apr_uint32_t order)
{
    const char *at = anchor(lint->pool, rule);
    int i;

    for (i = 0; i < (int)order && i < LOOK_MAX; i++) {
        const r307_rule_t *front = r307_ruleset_at(set, i);
        if (is_shadow(front, rule, at)) {
            tell_shadow(lint, front, rule, 0);
            return;
        }
    }
}

void r307_lint_order(r307_lint_t *lint, const r307_ruleset_t *set,
                     const r307_rule_t *rule, apr_uint32_t order)
{
    const char *at = anchor(lint->pool, rule);
    const r307_record_t *rec;
    const r307_rule_t *front;
    r307_search_t search;
    int i;

    if (!r307_ruleset_index(set)) {
        look_through(lint, set, rule, order);
        return;
    }
    r307_search_init(&search, some_host(lint->pool, rule), at, strlen(at),
                     NULL, lint->pool);
    if (!r307_search_begin(&search, set, NULL, NULL)) {
        return;
    }
    for (i = 0; i < LOOK_MAX; i++) {
        rec = r307_search_record(&search);
        if (!rec || rec->order == order) {
            return;             /* the end, or the rule itself */
        }
        front = r307_ruleset_rule(set, rec, lint->pool);
        if (is_shadow(front, rule, at)) {
            tell_shadow(lint, front, rule, r307_ruleset_count(set) == 0);
            return;
        }
    }
}

/* ---- everything ---- */

static void look_at(r307_lint_t *lint, const r307_ruleset_t *set,
                    const r307_rule_t *rule, apr_uint32_t order)
{
    lint->regexes += rule->kind == R307_RULE_REGEX;
    r307_lint_rule(lint, rule);
    r307_lint_regex(lint, rule);
    r307_lint_order(lint, set, rule, order);
    r307_lint_follow(lint, rule);
}

static void lint_table(r307_lint_t *lint, const r307_ruleset_t *set,
                       void (*each)(void *ctx, apr_uint64_t done))
{
    r307_place_t at = R307_PLACE_FIRST;
    apr_uint64_t done = 0;
    const r307_record_t *rec;

    while ((rec = r307_ruleset_next(set, &at)) != NULL) {
        const r307_rule_t *rule = r307_ruleset_rule(set, rec, lint->pool);
        if (rule) {
            look_at(lint, set, rule, rec->order);
        }
        if (each) {
            each(lint->ctx, ++done);
        }
    }
}

void r307_lint_set(r307_lint_t *lint, const r307_ruleset_t *set,
                   void (*each)(void *ctx, apr_uint64_t done))
{
    int i;

    if (!r307_ruleset_count(set)) {
        if (r307_ruleset_index(set)) {
            lint_table(lint, set, each);
        }
        return;
    }
    for (i = 0; i < r307_ruleset_count(set); i++) {
        look_at(lint, set, r307_ruleset_at(set, i), (apr_uint32_t)i);
        if (each) {
            each(lint->ctx, (apr_uint64_t)i + 1);
        }
    }
}
