/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns which rules a report shows, in which order, and what it says of each.
 * Must not know formats. Called by those.
 *
 * A table is walked from its first record, however many there are; with
 * by_hits the counters are read first, of which only the parts that were
 * ever used exist.
 */
#include "httpd/m307_status.h"

#include "core/r307_time.h"

#include "apr_strings.h"

#include <stdlib.h>

/* Rows of a table that can be sorted by hits. */
#define SORTED_MAX 10000

#define CHUNK ((apr_uint32_t)1 << R307_COUNTER_CHUNK_BITS)

/* ---- what is said of a rule ---- */

static const char *kind_of(const r307_rule_t *rule)
{
    static const char *const names[] = {
        "prefix", "exact", "regex", "section", "error"
    };

    return names[rule->kind];
}

static const char *join(apr_pool_t *pool, const char *text, const char *more)
{
    return apr_pstrcat(pool, text, *text ? " " : "", more, NULL);
}

static const char *methods_of(apr_pool_t *pool, const r307_conditions_t *when)
{
    return apr_pstrcat(pool, "methods=", when->methods_negated ? "!" : "",
                       apr_array_pstrcat(pool, when->methods,
                                         when->methods_negated ? '!' : ','),
                       NULL);
}

static const char *hosts_of(apr_pool_t *pool, const apr_array_header_t *hosts)
{
    const char *text = "";
    int i;

    for (i = 0; i < hosts->nelts; i++) {
        const r307_host_pattern_t *host =
            &APR_ARRAY_IDX(hosts, i, r307_host_pattern_t);
        text = apr_pstrcat(pool, text, *text ? "," : "host=",
                           host->subdomains ? "*." : "",
                           apr_pstrmemdup(pool, host->name, host->len), NULL);
    }
    return text;
}

static const char *statuses_of(apr_pool_t *pool,
                               const r307_statuses_t *statuses)
{
    const char *text = "";
    int status, shown = 0, all = 0;

    for (status = R307_STATUS_MIN; status <= R307_STATUS_MAX; status++) {
        if (r307_statuses_hold(statuses, status) && ++all <= 8) {
            text = apr_psprintf(pool, "%s%s%d", text, shown++ ? ","
                                : "status=", status);
        }
    }
    return all > 8 ? apr_psprintf(pool, "%s and %d more", text, all - 8)
                   : text;
}

static const char *when_of(apr_pool_t *pool, const r307_conditions_t *when)
{
    const char *text = "";

    if (when->statuses) {
        text = join(pool, text, statuses_of(pool, when->statuses));
    }
    if (when->methods) {
        text = join(pool, text, methods_of(pool, when));
    }
    if (when->hosts) {
        text = join(pool, text, hosts_of(pool, when->hosts));
    }
    if (when->from) {
        text = join(pool, text, apr_pstrcat(pool, "from=", r307_time_format(
                    pool, when->from), NULL));
    }
    if (when->until) {
        text = join(pool, text, apr_pstrcat(pool, "until=", r307_time_format(
                    pool, when->until), NULL));
    }
    return !when->expr_text ? text
        : join(pool, text, apr_pstrcat(pool, "expr=", when->expr_text, NULL));
}

static const char *conditions_of(apr_pool_t *pool, const r307_rule_t *rule)
{
    const char *text = rule->when ? when_of(pool, rule->when) : "";

    if (rule->split) {
        text = join(pool, text, apr_psprintf(pool, "percent=%.5g",
                    rule->split->everybody ? 100.0
                    : (double)rule->split->share * 100 / 4294967296.0));
    }
    return text;
}

static const char *state_of(const r307_rule_t *rule, apr_time_t now)
{
    if (rule->when && rule->when->from && now < rule->when->from) {
        return "not yet";
    }
    return rule->when && rule->when->until && now >= rule->when->until
        ? "expired" : "active";
}

r307_count_t m307_statusrows_count(const r307_rule_t *rule, apr_uint32_t slot)
{
    static const r307_count_t none;

    return rule->counter ? r307_counter_read(rule->counter, slot) : none;
}

static void fill(m307_row_t *row, const r307_rule_t *rule, apr_pool_t *pool,
                 apr_time_t now)
{
    memset(row, 0, sizeof *row);
    row->rule = rule;
    row->name = r307_rule_name(pool, rule);
    row->source = apr_psprintf(pool, "%s:%u", rule->file,
                               (unsigned)rule->line);
    row->kind = kind_of(rule);
    row->path = !rule->path ? NULL : rule->kind == R307_RULE_REGEX
        ? rule->path : apr_pstrmemdup(pool, rule->path, rule->path_len);
    row->target = rule->choices ? NULL
        : rule->target->written ? rule->target->written : "";
    row->conditions = conditions_of(pool, rule);
    row->state = state_of(rule, now);
    row->count = m307_statusrows_count(rule, rule->slot);
}

/* ---- which rules ---- */

static int has(const char *text, const char *what)
{
    return text && ap_strcasestr(text, what) != NULL;
}

static int is_wanted(const m307_view_t *view, const m307_row_t *row)
{
    const r307_choices_t *choices = row->rule->choices;
    const char *what = view->search;
    int i;

    if (!*what || has(row->name, what) || has(row->source, what)
        || has(row->host, what) || has(row->path, what)
        || has(row->target, what) || has(row->conditions, what)
        || has(row->server, what) || has(row->section, what)) {
        return 1;
    }
    for (i = 0; choices && i < choices->n; i++) {
        if (has(choices->at[i].written, what)
            || has(choices->at[i].target->written, what)) {
            return 1;
        }
    }
    return 0;
}

/* More hits first; else as configured. */
static int by_hits(const void *a, const void *b)
{
    const m307_row_t *x = a, *y = b;

    if (x->count.hits != y->count.hits) {
        return x->count.hits < y->count.hits ? 1 : -1;
    }
    if (x->count.dry != y->count.dry) {
        return x->count.dry < y->count.dry ? 1 : -1;
    }
    return 0;
}

static void call_rows(const m307_view_t *view, const apr_array_header_t *rows,
                      m307_row_fn call, void *ctx)
{
    apr_uint32_t n = (apr_uint32_t)rows->nelts, i;

    for (i = view->offset; i < n && i - view->offset < view->limit; i++) {
        call(ctx, &APR_ARRAY_IDX(rows, i, m307_row_t));
    }
}

static const char *server_name(apr_pool_t *pool, const server_rec *s)
{
    if (!s->is_virtual) {
        return "main server";
    }
    return !s->port ? s->server_hostname
        : apr_psprintf(pool, "%s:%u", s->server_hostname, (unsigned)s->port);
}

static apr_uint32_t each_directive(const m307_view_t *view, m307_row_fn call,
                                   void *ctx)
{
    apr_pool_t *pool = view->r->pool;
    const apr_array_header_t *rules =
        m307_counters_rules(view->r->server->process->pconf);
    apr_array_header_t *rows = apr_array_make(pool, 64, sizeof(m307_row_t));
    int i;

    for (i = 0; i < rules->nelts; i++) {
        const m307_listed_t *listed = APR_ARRAY_IDX(rules, i,
                                                    m307_listed_t *);
        m307_row_t row;

        fill(&row, listed->rule, pool, view->r->request_time);
        row.directive = listed->directive;
        row.server = server_name(pool, listed->server);
        row.section = listed->section;
        if (is_wanted(view, &row)) {
            APR_ARRAY_PUSH(rows, m307_row_t) = row;
        }
    }
    if (view->by_hits) {
        qsort(rows->elts, (apr_size_t)rows->nelts, sizeof(m307_row_t),
              by_hits);
    }
    call_rows(view, rows, call, ctx);
    return (apr_uint32_t)rows->nelts;
}

/* ---- tables ---- */

static void fill_record(m307_row_t *row, const r307_table_t *table,
                        const r307_record_t *rec, apr_pool_t *pool,
                        apr_time_t now)
{
    const r307_rule_t *rule = r307_table_rule(table, rec, pool);

    memset(row, 0, sizeof *row);
    if (!rule) {
        return;                 /* a damaged record */
    }
    fill(row, rule, pool, now);
    if (rec->host_len) {
        row->host = apr_pstrmemdup(pool, r307_record_host(rec),
                                   rec->host_len);
    }
    if (!r307_table_prepared(table, rec)) {
        row->target = apr_pstrmemdup(pool, r307_record_target(rec),
                                     rec->target_len);
    }
}

/* In order of the lines. Rows that are not shown are not made, unless they
 * have to be searched. */
static apr_uint32_t walk(const m307_view_t *view, const r307_table_t *table,
                         m307_row_fn call, void *ctx)
{
    const r307_record_t *rec;
    apr_uint32_t n = 0, end = view->offset + view->limit;
    r307_place_t at = R307_PLACE_FIRST;
    apr_pool_t *pool;

    apr_pool_create(&pool, view->r->pool);
    while ((*view->search || n < end)
           && (rec = r307_table_next(table, &at)) != NULL) {
        int shown = n >= view->offset && n < end;
        m307_row_t row;

        if (shown || *view->search) {
            apr_pool_clear(pool);
            fill_record(&row, table, rec, pool, view->r->request_time);
            if (!row.rule || !is_wanted(view, &row)) {
                continue;
            }
        }
        if (shown) {
            call(ctx, &row);
        }
        n++;
    }
    apr_pool_destroy(pool);
    return *view->search ? n : r307_table_count(table);
}

/* ---- the most used rules of a table ---- */

typedef struct used_t {
    apr_uint64_t hits;
    apr_uint32_t slot;
} used_t;

/* The least used is at[0]. */
typedef struct heap_t {
    used_t *at;
    apr_uint32_t n;
} heap_t;

static void sink(heap_t *heap, apr_uint32_t i)
{
    for (;;) {
        apr_uint32_t child = 2 * i + 1;
        used_t swap;

        if (child >= heap->n) {
            return;
        }
        if (child + 1 < heap->n
            && heap->at[child + 1].hits < heap->at[child].hits) {
            child++;
        }
        if (heap->at[i].hits <= heap->at[child].hits) {
            return;
        }
        swap = heap->at[i];
        heap->at[i] = heap->at[child];
        heap->at[child] = swap;
        i = child;
    }
}

static void push(heap_t *heap, apr_uint64_t hits, apr_uint32_t slot)
{
    apr_uint32_t i;

    if (heap->n < SORTED_MAX) {
        heap->at[heap->n].hits = hits;
        heap->at[heap->n++].slot = slot;
        for (i = heap->n; heap->n == SORTED_MAX && i-- > 0;) {
            sink(heap, i);
        }
    }
    else if (hits > heap->at[0].hits) {
        heap->at[0].hits = hits;
        heap->at[0].slot = slot;
        sink(heap, 0);
    }
}

/* Slots of rules that were counted; into heap, unless that is NULL, and into
 * sum. */
static apr_uint32_t each_used(const r307_table_t *table, heap_t *heap,
                              r307_count_t *sum)
{
    const r307_counter_t *counter = r307_table_counter(table);
    apr_uint32_t end = counter ? counter->slots - r307_table_choices(table)
                               : 0;
    apr_uint32_t slot = 0, n = 0;

    while (slot < end) {
        r307_count_t count;

        if (!r307_counter_is_ready(counter, slot)) {
            slot = (slot | (CHUNK - 1)) + 1;
            continue;
        }
        count = r307_counter_read(counter, slot);
        if (count.hits || count.dry) {
            n++;
            sum->hits += count.hits;
            sum->dry += count.dry;
            sum->last = count.last > sum->last ? count.last : sum->last;
            if (!sum->first || (count.first && count.first < sum->first)) {
                sum->first = count.first;
            }
            if (heap) {
                push(heap, count.hits, slot);
            }
        }
        slot++;
    }
    return n;
}

r307_count_t m307_statusrows_sum(const r307_table_t *table)
{
    r307_count_t sum = { 0, 0, 0, 0 };

    each_used(table, NULL, &sum);
    return sum;
}

static int by_slot(const void *a, const void *b)
{
    apr_uint32_t x = ((const used_t *)a)->slot;
    apr_uint32_t y = ((const used_t *)b)->slot;

    return x < y ? -1 : x > y;
}

static apr_uint32_t most_used(const m307_view_t *view,
                              const r307_table_t *table, m307_row_fn call,
                              void *ctx)
{
    apr_pool_t *pool = view->r->pool;
    apr_array_header_t *rows = apr_array_make(pool, 64, sizeof(m307_row_t));
    heap_t heap = { apr_palloc(pool, SORTED_MAX * sizeof(used_t)), 0 };
    r307_count_t sum = { 0, 0, 0, 0 };
    const r307_record_t *rec;
    apr_uint32_t used = each_used(table, &heap, &sum), i = 0;
    r307_place_t at = R307_PLACE_FIRST;
    m307_row_t row;

    qsort(heap.at, heap.n, sizeof *heap.at, by_slot);
    while (i < heap.n && (rec = r307_table_next(table, &at)) != NULL) {
        while (i < heap.n && heap.at[i].slot < rec->order) {
            i++;
        }
        if (i < heap.n && heap.at[i].slot == rec->order) {
            fill_record(&row, table, rec, pool, view->r->request_time);
            if (row.rule && is_wanted(view, &row)) {
                APR_ARRAY_PUSH(rows, m307_row_t) = row;
            }
            i++;
        }
    }
    qsort(rows->elts, (apr_size_t)rows->nelts, sizeof(m307_row_t), by_hits);
    call_rows(view, rows, call, ctx);
    return *view->search ? (apr_uint32_t)rows->nelts : used;
}

m307_table_t *m307_statusrows_table(const m307_view_t *view)
{
    return m307_table_find(view->r->server->process->pconf, view->table);
}

apr_uint32_t m307_statusrows_each(const m307_view_t *view, m307_row_fn call,
                                  void *ctx)
{
    m307_table_t *table = view->table ? m307_statusrows_table(view) : NULL;
    m307_version_t *version;
    apr_uint32_t n = 0;

    if (!view->table) {
        return each_directive(view, call, ctx);
    }
    version = table ? m307_table_acquire(table, view->r->server) : NULL;
    if (version) {
        n = (view->by_hits ? most_used : walk)(view, version->data, call,
                                               ctx);
        m307_version_release(version);
    }
    return n;
}

void m307_statusrows_loose(const m307_view_t *view,
                           void (*call)(void *ctx, const char *label,
                                        const r307_count_t *count),
                           void *ctx)
{
    const r307_activity_t *activity = m307_counters_activity;
    apr_uint32_t i;

    for (i = 0; activity && i < R307_LOOSE; i++) {
        const r307_loose_t *loose = &activity->loose[i];

        if (__atomic_load_n(&loose->named, __ATOMIC_ACQUIRE)) {
            r307_count_t count = r307_tally_read(&loose->tally,
                                                 &loose->rest);
            const char *label = apr_pstrmemdup(view->r->pool, loose->label,
                                               strnlen(loose->label,
                                                       sizeof loose->label));
            if (!*view->search || has(label, view->search)) {
                call(ctx, label, &count);
            }
        }
    }
}
