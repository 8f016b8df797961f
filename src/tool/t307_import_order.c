/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the order of imported rules. In the source the first one wins. So it
 * is with directives; in a rule file the most specific one wins, and where
 * that is another one, the later rule cannot be carried over. What a lost
 * rule would have taken must not fall to a later one: a stop takes its place.
 * Must not know any format. Called by the command.
 *
 * Whether two rules can take the same request is decided by what their paths
 * begin with, and by their hosts; in doubt they can.
 */
#include "tool/t307_import.h"

#include <apr_hash.h>
#include <apr_strings.h>

#include <string.h>
#include <strings.h>

typedef struct settler_t {
    t307_import_t *im;
    t307_import_entry_t *at;
    int n;
    int pairs;                  /* compared so far */
    r307_scratch_t scratch;
} settler_t;

/* ---- two rules ---- */

static int hosts_overlap(const t307_import_reach_t *a,
                         const t307_import_reach_t *b)
{
    int i, j;

    if (!a->hosts || !b->hosts) {
        return 1;
    }
    for (i = 0; i < a->hosts->nelts; i++) {
        const r307_host_pattern_t *x =
            &APR_ARRAY_IDX(a->hosts, i, r307_host_pattern_t);
        for (j = 0; j < b->hosts->nelts; j++) {
            const r307_host_pattern_t *y =
                &APR_ARRAY_IDX(b->hosts, j, r307_host_pattern_t);
            if (x->subdomains || y->subdomains
                || r307_authority_same_host(x->name, x->len, y->name,
                                            y->len)) {
                return 1;
            }
        }
    }
    return 0;
}

static int alike(const t307_import_reach_t *a, const t307_import_reach_t *b,
                 apr_size_t len)
{
    return strncasecmp(a->bytes, b->bytes, len) == 0;
}

/* Can what begins as a does be one of the paths of b? */
static int begins_with(const t307_import_reach_t *a,
                       const t307_import_reach_t *b)
{
    if (a->len < b->len || !alike(a, b, b->len)) {
        return 0;
    }
    return a->len == b->len || !b->whole || b->bytes[b->len - 1] == '/'
           || a->bytes[b->len] == '/';
}

static int matches(settler_t *s, const t307_import_reach_t *regex,
                   const t307_import_reach_t *exact)
{
    r307_captures_t captures;

    return r307_regex_match(regex->regex, exact->bytes, exact->len,
                            &captures, &s->scratch, s->im->pool)
           != APR_NOTFOUND;
}

static int paths_overlap(settler_t *s, const t307_import_reach_t *a,
                         const t307_import_reach_t *b)
{
    if (a->only && b->only) {
        return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
    }
    if (a->only) {
        return b->regex ? matches(s, b, a) : begins_with(a, b);
    }
    if (b->only) {
        return a->regex ? matches(s, a, b) : begins_with(b, a);
    }
    return begins_with(a, b) || begins_with(b, a)
           /* what is shorter may go on behind what is known of it */
           || (!a->whole && a->len < b->len && alike(a, b, a->len))
           || (!b->whole && b->len < a->len && alike(a, b, b->len));
}

/* Beyond the ceiling: yes. */
static int overlap(settler_t *s, const t307_import_entry_t *a,
                   const t307_import_entry_t *b)
{
    return ++s->pairs > T307_IMPORT_PAIRS_MAX
           || (hosts_overlap(&a->reach, &b->reach)
               && paths_overlap(s, &a->reach, &b->reach));
}

/* 0: exact, 1: prefix, 2: expression, as rule files rank them. */
static int rank(const t307_import_entry_t *e)
{
    return e->reach.kind == R307_RULE_EXACT ? 0
        : e->reach.kind == R307_RULE_PREFIX ? 1 : 2;
}

/* ---- all of them ---- */

/* The entry became a loss. */
static void lose(settler_t *s, t307_import_entry_t *e,
                 t307_import_role_t role, const char *text)
{
    t307_import_report_t *r;

    if (e->role == T307_IMPORT_RULE || e->role == T307_IMPORT_STOP) {
        r = apr_array_push(s->im->reports);
        r->file = e->rule->file;
        r->line = e->rule->line;
        r->loss = 1;
        r->text = text;
        e->rule = apr_pmemdup(s->im->pool, e->rule, sizeof *e->rule);
        if (e->rule->choices || e->rule->percent || e->rule->more) {
            role = T307_IMPORT_OPAQUE;
        }
        e->rule->target = e->rule->query = e->rule->more = NULL;
    }
    e->role = role;
}

static int is_broad(const t307_import_entry_t *e)
{
    return e->reach.kind != R307_RULE_EXACT;
}

/* One of the list that can take requests of e. */
static const t307_import_entry_t *first_of(settler_t *s,
                                           const apr_array_header_t *list,
                                           const t307_import_entry_t *e)
{
    int i;

    for (i = 0; list && i < list->nelts; i++) {
        const t307_import_entry_t *first =
            APR_ARRAY_IDX(list, i, t307_import_entry_t *);
        if (overlap(s, first, e)) {
            return first;
        }
    }
    return NULL;
}

/* An earlier entry that makes it unclear what falls to this one: one that
 * covers too much, or a stop that holds in its own phase only. Phases
 * rise. */
static const t307_import_entry_t *hindrance(settler_t *s,
                                            const apr_array_header_t *opaque,
                                            const apr_array_header_t *stops,
                                            const t307_import_entry_t *e)
{
    const t307_import_entry_t *first = first_of(s, opaque, e);
    int i;

    for (i = 0; !first && i < stops->nelts; i++) {
        const t307_import_entry_t *stop =
            APR_ARRAY_IDX(stops, i, t307_import_entry_t *);
        if (stop->phase >= e->phase) {
            break;
        }
        first = overlap(s, stop, e) ? stop : NULL;
    }
    return first;
}

static void lose_the_doubtful(settler_t *s)
{
    apr_array_header_t *opaque = apr_array_make(s->im->pool, 8,
                                                sizeof(void *));
    apr_array_header_t *stops = apr_array_make(s->im->pool, 8,
                                               sizeof(void *));
    int i;

    for (i = 0; i < s->n; i++) {
        t307_import_entry_t *e = &s->at[i];
        const t307_import_entry_t *first;

        if (e->role == T307_IMPORT_RULE
            && (first = hindrance(s, opaque, stops, e)) != NULL) {
            lose(s, e, T307_IMPORT_LOST,
                 apr_psprintf(s->im->pool, "%s:%d comes first for some of "
                              "its requests, and which ones cannot be told "
                              "here", first->rule->file,
                              first->rule->line));
        }
        if (e->role == T307_IMPORT_OPAQUE) {
            APR_ARRAY_PUSH(opaque, t307_import_entry_t *) = e;
        }
        else if (e->role == T307_IMPORT_STOP) {
            APR_ARRAY_PUSH(stops, t307_import_entry_t *) = e;
        }
    }
}

static int is_written(const t307_import_entry_t *e)
{
    return e->role == T307_IMPORT_RULE || e->role == T307_IMPORT_STOP
           || e->role == T307_IMPORT_LOST;
}

/* Earlier entries that others could overtake. */
typedef struct earlier_t {
    apr_array_header_t *regexes;    /* t307_import_entry_t * */
    apr_hash_t *prefixes;       /* path without final slash -> array of them */
} earlier_t;

static apr_size_t without_slash(const t307_import_reach_t *r)
{
    return r->len - (r->len > 0 && r->bytes[r->len - 1] == '/');
}

static void remember(settler_t *s, earlier_t *earlier,
                     t307_import_entry_t *e)
{
    const t307_import_reach_t *r = &e->reach;
    apr_ssize_t len = (apr_ssize_t)without_slash(r);
    apr_array_header_t *list;

    if (rank(e) == 2) {
        APR_ARRAY_PUSH(earlier->regexes, t307_import_entry_t *) = e;
    }
    if (rank(e) != 1) {
        return;
    }
    list = apr_hash_get(earlier->prefixes, r->bytes, len);
    if (!list) {
        list = apr_array_make(s->im->pool, 1, sizeof(void *));
        apr_hash_set(earlier->prefixes, r->bytes, len, list);
    }
    APR_ARRAY_PUSH(list, t307_import_entry_t *) = e;
}

/* An earlier entry that a rule file would try after this one: an expression,
 * or a prefix of a shorter path. */
static const t307_import_entry_t *overtaken(settler_t *s,
                                            const earlier_t *earlier,
                                            const t307_import_entry_t *e)
{
    const t307_import_entry_t *first = NULL;
    apr_size_t own = without_slash(&e->reach), len;

    for (len = 0; rank(e) < 2 && !first && len <= own; len++) {
        if ((len == own && rank(e) == 0)
            || (len < own && e->reach.bytes[len] == '/')) {
            first = first_of(s, apr_hash_get(earlier->prefixes,
                                             e->reach.bytes,
                                             (apr_ssize_t)len), e);
        }
    }
    return first || rank(e) == 2 ? first : first_of(s, earlier->regexes, e);
}

/* What a rule file would bring forward is lost; or with only_look, asked
 * for: 1 when there is something. */
static int order_as_rule_file(settler_t *s, int only_look)
{
    earlier_t earlier = { NULL, NULL };
    int i;

    earlier.regexes = apr_array_make(s->im->pool, 8, sizeof(void *));
    earlier.prefixes = apr_hash_make(s->im->pool);
    for (i = 0; i < s->n; i++) {
        t307_import_entry_t *e = &s->at[i];
        const t307_import_entry_t *first;

        if (!is_written(e)) {
            continue;
        }
        first = overtaken(s, &earlier, e);
        if (!first) {
            remember(s, &earlier, e);
        }
        else if (only_look) {
            return 1;
        }
        else {
            lose(s, e, T307_IMPORT_OPAQUE,
                 apr_psprintf(s->im->pool, "%s:%d comes first in the source, "
                              "and would not in a rule file; write "
                              "directives", first->rule->file,
                              first->rule->line));
        }
    }
    return 0;
}

/* Directives take choices by URL-path only, and httpd replaces "${name}"
 * in them. */
static void lose_what_is_no_directive(settler_t *s)
{
    int i;

    for (i = 0; i < s->n; i++) {
        t307_import_entry_t *e = &s->at[i];
        const t307_import_rule_t *rule = e->rule;

        if (e->role != T307_IMPORT_RULE) {
            continue;
        }
        if (rule->choices && rule->kind == R307_RULE_REGEX) {
            lose(s, e, T307_IMPORT_OPAQUE, "a choice by country for a "
                 "pattern has no directive; write a rule file");
        }
        else if ((rule->target && strstr(rule->target, "${"))
                 || (rule->expr && strstr(rule->expr, "${"))
                 || (rule->kind != R307_RULE_REGEX
                     && strstr(rule->path, "${"))) {
            lose(s, e, T307_IMPORT_LOST, "httpd would put a variable in the "
                 "place of '${'; write a rule file");
        }
    }
}

/* Is there a rule behind entry i that it could keep a request from? exact:
 * the last rule for each single path. broad: the other rules, and which they
 * are. */
static int is_busy(settler_t *s, int i, apr_hash_t *exact,
                   const apr_array_header_t *broad)
{
    const t307_import_entry_t *e = &s->at[i], *last;
    int j;

    if (is_broad(e)) {
        for (j = i + 1; j < s->n; j++) {
            if (s->at[j].role == T307_IMPORT_RULE
                && overlap(s, e, &s->at[j])) {
                return 1;
            }
        }
        return 0;
    }
    last = apr_hash_get(exact, e->reach.bytes, (apr_ssize_t)e->reach.len);
    if (last && last > e) {
        return 1;
    }
    for (j = 0; j < broad->nelts; j++) {
        const t307_import_entry_t *other =
            APR_ARRAY_IDX(broad, j, t307_import_entry_t *);
        if (other > e && overlap(s, e, other)) {
            return 1;
        }
    }
    return 0;
}

/* Stops with nothing behind them have no effect. */
static void drop_idle_stops(settler_t *s)
{
    apr_hash_t *exact = apr_hash_make(s->im->pool);
    apr_array_header_t *broad = apr_array_make(s->im->pool, 8,
                                               sizeof(void *));
    int i;

    for (i = 0; i < s->n; i++) {
        t307_import_entry_t *e = &s->at[i];

        if (e->role == T307_IMPORT_RULE && is_broad(e)) {
            APR_ARRAY_PUSH(broad, t307_import_entry_t *) = e;
        }
        else if (e->role == T307_IMPORT_RULE) {
            apr_hash_set(exact, e->reach.bytes, (apr_ssize_t)e->reach.len, e);
        }
    }
    for (i = 0; i < s->n; i++) {
        t307_import_entry_t *e = &s->at[i];

        if ((e->role == T307_IMPORT_STOP || e->role == T307_IMPORT_LOST)
            && !is_busy(s, i, exact, broad)) {
            e->role = T307_IMPORT_NONE;
        }
    }
}

static void choose_form(settler_t *s)
{
    if (s->im->to == T307_IMPORT_TO_AUTO) {
        s->im->to = s->im->format->lookup && !order_as_rule_file(s, 1)
            ? T307_IMPORT_TO_RULES : T307_IMPORT_TO_DIRECTIVES;
        s->pairs = 0;
    }
}

void t307_import_settle(t307_import_t *im)
{
    settler_t s = { im, (t307_import_entry_t *)im->entries->elts,
                    im->entries->nelts, 0, { NULL, 0 } };

    lose_the_doubtful(&s);
    choose_form(&s);
    if (im->to == T307_IMPORT_TO_RULES) {
        order_as_rule_file(&s, 0);
        lose_the_doubtful(&s);
    }
    else {
        lose_what_is_no_directive(&s);
        lose_the_doubtful(&s);
    }
    s.pairs = 0;
    drop_idle_stops(&s);
}
