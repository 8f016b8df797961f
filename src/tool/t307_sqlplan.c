/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what has to be done to make the rules of a store those of a file. Must
 * not know how it is done or told.
 *
 * The order of two rules matters only when both are regular expressions, or
 * are for the same host and path: such rules are one class. Rules of a class
 * are paired in their order, what is alike at the beginning and the end first.
 * A pair keeps the id, so order is kept, and what follows a rule by its id
 * goes on. Of every rule only sums are held, not its text.
 */
#include "tool/t307_sql.h"

#include <apr_lib.h>
#include <apr_md5.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

typedef enum action_t {
    ACTION_NONE,                /* file: add; store: remove */
    ACTION_KEEP,
    ACTION_CHANGE
} action_t;

typedef struct entry_t {
    apr_uint64_t class;
    unsigned char content[APR_MD5_DIGESTSIZE];
    apr_uint32_t order;         /* among the rules of its side */
    apr_uint32_t id;            /* store: its own; file: what it becomes */
    action_t action;
} entry_t;

struct t307_sqlplan_t {
    t307_sql_t *s;
    t307_sqlsource_t *source;
    apr_array_header_t *store;  /* entry_t */
    apr_array_header_t *file;   /* entry_t */
};

static entry_t *entry_at(const apr_array_header_t *entries, int i)
{
    return &APR_ARRAY_IDX(entries, i, entry_t);
}

/* ---- sums ---- */

/* "/a//b/" and "/a/b" are the same place. */
static char *place_of(const char *path, apr_pool_t *pool)
{
    char *out = apr_palloc(pool, strlen(path) + 1), *to = out;

    for (; *path; path++) {
        if (*path != '/' || to == out || to[-1] != '/') {
            *to++ = *path;
        }
    }
    to -= to > out + 1 && to[-1] == '/';
    *to = '\0';
    return out;
}

static char *bare_host(const char *host, apr_pool_t *pool)
{
    char *out = apr_pstrdup(pool, host), *c;
    apr_size_t len = strlen(out);

    for (c = out; *c; c++) {
        *c = (char)apr_tolower(*c);
    }
    if (len && out[len - 1] == '.') {
        out[len - 1] = '\0';
    }
    return out;
}

static apr_uint64_t class_of(const t307_sqlrule_t *rule, apr_pool_t *pool)
{
    unsigned char sum[APR_MD5_DIGESTSIZE];
    const char *name = "regex";
    apr_uint64_t class;

    if (strcmp(rule->row.kind, "regex") != 0) {
        name = apr_pstrcat(pool, rule->row.kind, " ",
                           bare_host(rule->row.host, pool), " ",
                           place_of(rule->row.path, pool), NULL);
    }
    apr_md5(sum, name, strlen(name));
    memcpy(&class, sum, sizeof class);
    return class;
}

static void add_entry(apr_array_header_t *entries, apr_uint32_t id,
                      const t307_sqlrule_t *rule, const char *line,
                      apr_pool_t *pool)
{
    apr_uint32_t order = (apr_uint32_t)entries->nelts;
    entry_t *e = apr_array_push(entries);

    e->class = class_of(rule, pool);
    apr_md5(e->content, line, strlen(line));
    e->order = order;
    e->id = id;
    e->action = ACTION_NONE;
}

static int take_stored(void *ctx, const t307_sqlrule_t *rule,
                       apr_pool_t *pool)
{
    t307_sqlplan_t *plan = ctx;
    r307_error_t err = { pool, NULL };
    const char *line = t307_sqlrule_line(rule, pool, &err);

    /* a row that is no line differs from every line */
    add_entry(plan->store, (apr_uint32_t)apr_atoi64(rule->id), rule,
              line ? line : "", pool);
    return T307_OK;
}

static int take_line(void *ctx, const t307_sqlrule_t *rule, const char *line,
                     apr_pool_t *pool)
{
    t307_sqlplan_t *plan = ctx;

    add_entry(plan->file, 0, rule, line, pool);
    return T307_OK;
}

/* ---- pairs ---- */

static int by_order(const void *a, const void *b)
{
    const entry_t *x = a, *y = b;

    return x->order < y->order ? -1 : x->order > y->order;
}

static int by_class(const void *a, const void *b)
{
    const entry_t *x = a, *y = b;

    return x->class != y->class ? (x->class < y->class ? -1 : 1)
        : by_order(a, b);
}

static int alike(const entry_t *x, const entry_t *y)
{
    return memcmp(x->content, y->content, sizeof x->content) == 0;
}

static void pair(entry_t *stored, entry_t *line)
{
    line->id = stored->id;
    stored->action = line->action = alike(stored, line) ? ACTION_KEEP
                                                        : ACTION_CHANGE;
}

/* One class. What is alike at the end may keep its ids only when there is one
 * for everything before it. */
static void pair_class(entry_t *stored, int nstored, entry_t *lines,
                       int nlines)
{
    int i, n = nstored < nlines ? nstored : nlines, end = 0;

    for (i = 0; i < n && alike(&stored[i], &lines[i]); i++) {
        pair(&stored[i], &lines[i]);
    }
    while (nstored >= nlines && end < n - i
           && alike(&stored[nstored - end - 1], &lines[nlines - end - 1])) {
        end++;
        pair(&stored[nstored - end], &lines[nlines - end]);
    }
    for (n -= end; i < n; i++) {
        pair(&stored[i], &lines[i]);
    }
}

static int class_size(const apr_array_header_t *entries, int from,
                      apr_uint64_t class)
{
    int n = 0;

    while (from + n < entries->nelts
           && entry_at(entries, from + n)->class == class) {
        n++;
    }
    return n;
}

static void pair_all(t307_sqlplan_t *plan)
{
    apr_array_header_t *store = plan->store, *file = plan->file;
    int i = 0, j = 0;

    qsort(store->elts, (size_t)store->nelts, sizeof(entry_t), by_class);
    qsort(file->elts, (size_t)file->nelts, sizeof(entry_t), by_class);
    while (j < file->nelts) {
        apr_uint64_t class = entry_at(file, j)->class;
        int nlines = class_size(file, j, class), nstored;

        while (i < store->nelts && entry_at(store, i)->class < class) {
            i++;
        }
        nstored = class_size(store, i, class);
        if (nstored) {
            pair_class(entry_at(store, i), nstored, entry_at(file, j),
                       nlines);
        }
        i += nstored;
        j += nlines;
    }
    qsort(store->elts, (size_t)store->nelts, sizeof(entry_t), by_order);
    qsort(file->elts, (size_t)file->nelts, sizeof(entry_t), by_order);
}

int t307_sqlplan_make(t307_sql_t *s, t307_sqlsource_t *source,
                      t307_sqlplan_t **out)
{
    t307_sqlplan_t *plan = apr_pcalloc(s->pool, sizeof *plan);
    int status;

    plan->s = s;
    plan->source = source;
    plan->store = apr_array_make(s->pool, 1024, sizeof(entry_t));
    plan->file = apr_array_make(s->pool, 1024, sizeof(entry_t));
    *out = plan;
    status = t307_sqlrule_walk(s, 1, take_stored, plan);
    if (status == T307_OK) {
        status = t307_sqlsource_walk(source, 1, take_line, plan);
    }
    if (status == T307_OK) {
        pair_all(plan);
    }
    return status;
}

int t307_sqlplan_empties(const t307_sqlplan_t *plan)
{
    return plan->file->nelts == 0 ? plan->store->nelts : 0;
}

/* ---- walking ---- */

typedef struct walk_t {
    t307_sqlplan_t *plan;
    const t307_sqlplan_visitor_t *visitor;
    void *ctx;
    int next;                   /* of the file's entries */
} walk_t;

static int visit_line(void *ctx, const t307_sqlrule_t *rule,
                      const char *line, apr_pool_t *pool)
{
    walk_t *w = ctx;
    unsigned char content[APR_MD5_DIGESTSIZE];
    t307_sqlrule_t to = *rule;
    const entry_t *e;

    apr_md5(content, line, strlen(line));
    if (w->next == w->plan->file->nelts
        || memcmp(entry_at(w->plan->file, w->next)->content, content,
                  sizeof content) != 0) {
        return t307_fail(w->plan->s->t, "%s has changed while it was read; "
                         "try again", w->plan->source->path);
    }
    e = entry_at(w->plan->file, w->next++);
    if (e->action == ACTION_KEEP) {
        return T307_OK;
    }
    if (e->action == ACTION_NONE) {
        return w->visitor->add(w->ctx, rule, line, pool);
    }
    to.id = apr_psprintf(pool, "%u", (unsigned)e->id);
    to.note = NULL;
    return w->visitor->change(w->ctx, &to, line, pool);
}

static int visit_removals(walk_t *w)
{
    apr_pool_t *pool;
    int i, status = T307_OK;

    apr_pool_create(&pool, w->plan->s->pool);
    for (i = 0; status == T307_OK && i < w->plan->store->nelts; i++) {
        const entry_t *e = entry_at(w->plan->store, i);
        if (e->action == ACTION_NONE) {
            status = w->visitor->remove(w->ctx, apr_psprintf(
                pool, "%u", (unsigned)e->id), pool);
            apr_pool_clear(pool);
        }
    }
    apr_pool_destroy(pool);
    return status;
}

int t307_sqlplan_walk(t307_sqlplan_t *plan,
                      const t307_sqlplan_visitor_t *visitor, void *ctx)
{
    walk_t w = { plan, visitor, ctx, 0 };
    int status = visit_removals(&w);

    return status != T307_OK ? status
        : t307_sqlsource_walk(plan->source, 1, visit_line, &w);
}
