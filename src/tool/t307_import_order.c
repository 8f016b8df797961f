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

/* The paths of a rule: what they begin with, whether a segment ends there,
 * and whether that is all of them. */
typedef struct reach_t {
    const char *bytes;
    apr_size_t len;
    int whole;
    int only;
} reach_t;

typedef struct settler_t {
    t307_import_t *im;
    t307_import_entry_t *at;
    reach_t *reach;             /* of each */
    int n;
    int pairs;                  /* compared so far */
    r307_scratch_t scratch;
} settler_t;

/* ---- two rules ---- */

static int hosts_overlap(const r307_rule_t *a, const r307_rule_t *b)
{
    const apr_array_header_t *ha = a->when ? a->when->hosts : NULL;
    const apr_array_header_t *hb = b->when ? b->when->hosts : NULL;
    int i, j;

    if (!ha || !hb) {
        return 1;
    }
    for (i = 0; i < ha->nelts; i++) {
        const r307_host_pattern_t *x =
            &APR_ARRAY_IDX(ha, i, r307_host_pattern_t);
        for (j = 0; j < hb->nelts; j++) {
            const r307_host_pattern_t *y =
                &APR_ARRAY_IDX(hb, j, r307_host_pattern_t);
            if (x->subdomains || y->subdomains
                || r307_authority_same_host(x->name, x->len, y->name,
                                            y->len)) {
                return 1;
            }
        }
    }
    return 0;
}

static reach_t reach_of(apr_pool_t *pool, const r307_rule_t *rule)
{
    reach_t r = { rule->path, rule->path_len, 1, 0 };
    r307_literal_t literal;

    if (rule->kind != R307_RULE_REGEX) {
        r.only = rule->kind == R307_RULE_EXACT;
        return r;
    }
    /* what begins alike is compared without case */
    r307_literal_find(pool, rule->path + (strncmp(rule->path, "(?i)^", 5)
                                          == 0 ? 4 : 0),
                      R307_REGEX_DOTALL | R307_REGEX_DOLLAR_ENDONLY,
                      &literal);
    r.bytes = literal.bytes;
    r.len = literal.len;
    r.whole = r.len > 0 && strlen(literal.key) == r.len;
    return r;
}

static int alike(const reach_t *a, const reach_t *b, apr_size_t len)
{
    return strncasecmp(a->bytes, b->bytes, len) == 0;
}

/* Can what begins as a does be one of the paths of b? */
static int begins_with(const reach_t *a, const reach_t *b)
{
    if (a->len < b->len || !alike(a, b, b->len)) {
        return 0;
    }
    return a->len == b->len || !b->whole || b->bytes[b->len - 1] == '/'
           || a->bytes[b->len] == '/';
}

static int matches(settler_t *s, const r307_rule_t *regex,
                   const r307_rule_t *exact)
{
    r307_captures_t captures;

    return r307_regex_match(regex->regex, exact->path, exact->path_len,
                            &captures, &s->scratch, s->im->pool)
           != APR_NOTFOUND;
}

static int paths_overlap(settler_t *s, const t307_import_entry_t *x,
                         const t307_import_entry_t *y)
{
    const r307_rule_t *a = x->made, *b = y->made;
    const reach_t *ra = &s->reach[x - s->at], *rb = &s->reach[y - s->at];

    if (ra->only && rb->only) {
        return ra->len == rb->len && memcmp(ra->bytes, rb->bytes, ra->len)
               == 0;
    }
    if (ra->only) {
        return b->regex ? matches(s, b, a) : begins_with(ra, rb);
    }
    if (rb->only) {
        return a->regex ? matches(s, a, b) : begins_with(rb, ra);
    }
    return begins_with(ra, rb) || begins_with(rb, ra)
           /* what is shorter may go on behind what is known of it */
           || (!ra->whole && ra->len < rb->len && alike(ra, rb, ra->len))
           || (!rb->whole && rb->len < ra->len && alike(ra, rb, rb->len));
}

/* Beyond the ceiling: yes. */
static int overlap(settler_t *s, const t307_import_entry_t *a,
                   const t307_import_entry_t *b)
{
    return ++s->pairs > T307_IMPORT_PAIRS_MAX
           || (hosts_overlap(a->made, b->made) && paths_overlap(s, a, b));
}

/* 0: exact, 1: prefix, 2: expression, as rule files rank them. */
static int rank(const r307_rule_t *rule)
{
    return rule->kind == R307_RULE_EXACT ? 0
        : rule->kind == R307_RULE_PREFIX ? 1 : 2;
}

/* Of two rules that overlap: does the later one come first in a rule
 * file? */
static int overtakes(const r307_rule_t *later, const r307_rule_t *earlier)
{
    apr_size_t nl = later->path_len, ne = earlier->path_len;

    if (rank(later) != rank(earlier) || rank(later) == 2) {
        return rank(later) < rank(earlier);
    }
    nl -= nl > 1 && later->path[nl - 1] == '/';
    ne -= ne > 1 && earlier->path[ne - 1] == '/';
    return nl > ne;
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
        if (e->rule->choices || e->rule->percent) {
            role = T307_IMPORT_OPAQUE;
        }
        e->rule->target = e->rule->query = e->rule->more = NULL;
    }
    e->role = role;
}

static int is_broad(const t307_import_entry_t *e)
{
    return e->made->kind != R307_RULE_EXACT;
}

/* An earlier entry that makes it unclear what falls to this one. */
static const t307_import_entry_t *hindrance(settler_t *s,
                                            const apr_array_header_t *seen,
                                            const t307_import_entry_t *e)
{
    int i;

    for (i = 0; i < seen->nelts; i++) {
        const t307_import_entry_t *first =
            APR_ARRAY_IDX(seen, i, t307_import_entry_t *);
        if ((first->role == T307_IMPORT_OPAQUE || first->phase < e->phase)
            && overlap(s, first, e)) {
            return first;
        }
    }
    return NULL;
}

static void lose_the_doubtful(settler_t *s)
{
    apr_array_header_t *seen = apr_array_make(s->im->pool, 8, sizeof(void *));
    int i;

    for (i = 0; i < s->n; i++) {
        t307_import_entry_t *e = &s->at[i];
        const t307_import_entry_t *first;

        if (e->role == T307_IMPORT_RULE
            && (first = hindrance(s, seen, e)) != NULL) {
            lose(s, e, T307_IMPORT_LOST,
                 apr_psprintf(s->im->pool, "%s:%d comes first for some of "
                              "its requests, and which ones cannot be told "
                              "here", first->rule->file,
                              first->rule->line));
        }
        if (e->role == T307_IMPORT_OPAQUE || e->role == T307_IMPORT_STOP) {
            APR_ARRAY_PUSH(seen, t307_import_entry_t *) = e;
        }
    }
}

static int is_written(const t307_import_entry_t *e)
{
    return e->role == T307_IMPORT_RULE || e->role == T307_IMPORT_STOP
           || e->role == T307_IMPORT_LOST;
}

/* An earlier entry that a rule file would try after this one. broad: the
 * earlier ones that cover more than one path. */
static const t307_import_entry_t *overtaken(settler_t *s,
                                            const apr_array_header_t *broad,
                                            const t307_import_entry_t *e)
{
    int i;

    for (i = 0; i < broad->nelts; i++) {
        const t307_import_entry_t *first =
            APR_ARRAY_IDX(broad, i, t307_import_entry_t *);
        if (is_written(first) && overtakes(e->made, first->made)
            && overlap(s, first, e)) {
            return first;
        }
    }
    return NULL;
}

/* What a rule file would bring forward is lost; or with only_look, asked
 * for: 1 when there is something. */
static int order_as_rule_file(settler_t *s, int only_look)
{
    apr_array_header_t *broad = apr_array_make(s->im->pool, 8,
                                               sizeof(void *));
    int i;

    for (i = 0; i < s->n; i++) {
        t307_import_entry_t *e = &s->at[i];
        const t307_import_entry_t *first;

        if (is_written(e) && (first = overtaken(s, broad, e)) != NULL) {
            if (only_look) {
                return 1;
            }
            lose(s, e, T307_IMPORT_OPAQUE,
                 apr_psprintf(s->im->pool, "%s:%d comes first in the source, "
                              "and would not in a rule file; write "
                              "directives", first->rule->file,
                              first->rule->line));
        }
        if (is_broad(e)) {
            APR_ARRAY_PUSH(broad, t307_import_entry_t *) = e;
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
    last = apr_hash_get(exact, e->made->path, (apr_ssize_t)e->made->path_len);
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
            apr_hash_set(exact, e->made->path,
                         (apr_ssize_t)e->made->path_len, e);
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
    settler_t s = { im, (t307_import_entry_t *)im->entries->elts, NULL,
                    im->entries->nelts, 0, { NULL, 0 } };
    int i;

    s.reach = apr_palloc(im->pool, ((apr_size_t)s.n + 1) * sizeof *s.reach);
    for (i = 0; i < s.n; i++) {
        s.reach[i] = reach_of(im->pool, s.at[i].made);
    }

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
