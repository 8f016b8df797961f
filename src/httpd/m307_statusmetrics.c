/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the OpenMetrics form of the status page (OpenMetrics 1.0, which
 * Prometheus reads). Must not know how rows come about. Called by the
 * handler.
 *
 * All samples of a metric stand together, and no two have the same labels:
 * rules can share a name and a line, so each has its slot as a label.
 */
#include "httpd/m307_sqlstatus.h"
#include "httpd/m307_status.h"

#include "apr_strings.h"

static const char *label(apr_pool_t *pool, const char *s)
{
    const char *utf8 = s ? m307_statustext_utf8(pool, s) : "";
    char *out = apr_palloc(pool, strlen(utf8) * 2 + 1), *to = out;

    for (; *utf8; utf8++) {
        if (*utf8 == '\\' || *utf8 == '"') {
            *to++ = '\\';
        }
        *to++ = *utf8;
    }
    *to = '\0';
    return out;
}

static void family(request_rec *r, const char *name, const char *type,
                   const char *help)
{
    ap_rvputs(r, "# TYPE ", name, " ", type, "\n# HELP ", name, " ", help,
              "\n", NULL);
}

/* ---- rules ---- */

static void keep_row(void *ctx, const m307_row_t *row)
{
    APR_ARRAY_PUSH((apr_array_header_t *)ctx, m307_row_t) = *row;
}

static const char *labels_of(apr_pool_t *pool, const m307_row_t *row)
{
    return apr_psprintf(pool, "rule=\"%s\",source=\"%s\",server=\"%s\","
                        "slot=\"%u\"", label(pool, row->name),
                        label(pool, row->source), label(pool, row->server),
                        (unsigned)row->rule->slot);
}

static void put_rules(request_rec *r, const apr_array_header_t *rows,
                      const char *name,
                      apr_uint64_t (*value)(const m307_row_t *row))
{
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const m307_row_t *row = &APR_ARRAY_IDX(rows, i, m307_row_t);
        ap_rprintf(r, "%s{%s} %" APR_UINT64_T_FMT "\n", name,
                   labels_of(r->pool, row), value(row));
    }
}

static apr_uint64_t hits_of(const m307_row_t *row)
{
    return row->count.hits;
}

static apr_uint64_t dry_of(const m307_row_t *row)
{
    return row->count.dry;
}

static apr_uint64_t last_of(const m307_row_t *row)
{
    return row->count.last;
}

static void put_choices(request_rec *r, const apr_array_header_t *rows)
{
    int i, k;

    for (i = 0; i < rows->nelts; i++) {
        const m307_row_t *row = &APR_ARRAY_IDX(rows, i, m307_row_t);
        const r307_choices_t *choices = row->rule->choices;

        for (k = 0; choices && row->rule->choice_slots && k < choices->n;
             k++) {
            r307_count_t count =
                m307_statusrows_count(row->rule, row->rule->choice_slots[k]);
            ap_rprintf(r, "redirect307_choice_hits_total{%s,choice=\"%d\","
                       "selectors=\"%s\"} %" APR_UINT64_T_FMT "\n",
                       labels_of(r->pool, row), k,
                       label(r->pool, choices->at[k].written), count.hits);
        }
    }
}

static void put_all_rules(const m307_view_t *view)
{
    request_rec *r = view->r;
    apr_array_header_t *rows = apr_array_make(r->pool, 64,
                                              sizeof(m307_row_t));

    m307_statusrows_each(view, keep_row, rows);
    family(r, "redirect307_rule_hits", "counter",
           "Requests that a rule of the configuration has decided.");
    put_rules(r, rows, "redirect307_rule_hits_total", hits_of);
    family(r, "redirect307_rule_dry_runs", "counter",
           "Requests that a rule would have decided, but for a dry run.");
    put_rules(r, rows, "redirect307_rule_dry_runs_total", dry_of);
    family(r, "redirect307_rule_last_hit_timestamp_seconds", "gauge",
           "When a rule was hit last; 0 for never.");
    put_rules(r, rows, "redirect307_rule_last_hit_timestamp_seconds",
              last_of);
    family(r, "redirect307_choice_hits", "counter",
           "Redirects of a geo rule, by the choice that was taken.");
    put_choices(r, rows);
}

/* ---- tables ---- */

typedef struct table_facts_t {
    const char *name;
    apr_uint64_t values[5];     /* in the order of table_metrics */
} table_facts_t;

static const struct {
    const char *name;
    const char *suffix;
    const char *type;
    const char *help;
} table_metrics[] = {
    { "redirect307_table_rules", "", "gauge", "Rules in a table." },
    { "redirect307_table_hits", "_total", "counter",
      "Requests that rules of a table have decided." },
    { "redirect307_table_dry_runs", "_total", "counter",
      "Requests that rules of a table would have decided, but for a dry "
      "run." },
    { "redirect307_table_generation", "", "gauge",
      "How often a table was refreshed since the last restart." },
    { "redirect307_table_failing", "", "gauge",
      "1 when the source of a table cannot be used, and an earlier version "
      "serves." }
};

static void gather_table(m307_table_t *table, request_rec *r,
                         table_facts_t *facts)
{
    m307_version_t *version = m307_table_acquire(table, r->server);
    r307_trouble_t trouble;

    memset(facts, 0, sizeof *facts);
    facts->name = table->name;
    if (version) {
        r307_count_t sum = m307_statusrows_sum(version->data);
        facts->values[0] = r307_table_count(version->data);
        facts->values[1] = sum.hits;
        facts->values[2] = sum.dry;
        m307_version_release(version);
    }
    facts->values[3] = m307_refresh_generation(table);
    facts->values[4] = (apr_uint64_t)m307_counters_trouble(table, &trouble);
}

static void put_tables(request_rec *r)
{
    const apr_array_header_t *tables =
        m307_table_all(r->server->process->pconf);
    table_facts_t *facts = apr_palloc(r->pool, ((apr_size_t)tables->nelts + 1)
                                      * sizeof *facts);
    apr_size_t metric;
    int i;

    for (i = 0; i < tables->nelts; i++) {
        gather_table(APR_ARRAY_IDX(tables, i, m307_table_t *), r, &facts[i]);
    }
    for (metric = 0; metric < sizeof table_metrics / sizeof table_metrics[0];
         metric++) {
        family(r, table_metrics[metric].name, table_metrics[metric].type,
               table_metrics[metric].help);
        for (i = 0; i < tables->nelts; i++) {
            ap_rprintf(r, "%s%s{table=\"%s\"} %" APR_UINT64_T_FMT "\n",
                       table_metrics[metric].name,
                       table_metrics[metric].suffix, facts[i].name,
                       facts[i].values[metric]);
        }
    }
}

/* ---- sites ---- */

static void put_site(void *ctx, const m307_siterow_t *row)
{
    request_rec *r = ctx;

    if (row->number == 0) {
        family(r, "redirect307_site_up", "gauge",
               "1 when rules may send to a site at the moment.");
    }
    /* Virtual hosts can share their name and a file: hence the number. */
    ap_rprintf(r, "redirect307_site_up{site=\"%s\",server=\"%s\","
               "number=\"%d\"} %d\n", label(r->pool, row->site->name),
               label(r->pool, row->server), row->number, !row->reason);
}

/* ---- totals ---- */

static void put_totals(request_rec *r, const r307_activity_t *activity)
{
    int i;

    family(r, "redirect307_decisions", "counter",
           "Requests that a rule has decided, by outcome.");
    for (i = 0; i < R307_TOTALS; i++) {
        ap_rprintf(r, "redirect307_decisions_total{outcome=\"%s\"} %"
                   APR_UINT64_T_FMT "\n",
                   r307_activity_total_name((r307_total_t)i),
                   activity->totals[i]);
    }
    family(r, "redirect307_error_redirects", "counter",
           "Redirects in place of an error, by its status.");
    for (i = 0; i < R307_CAUSES; i++) {
        if (activity->causes[i]) {
            ap_rprintf(r, "redirect307_error_redirects_total{status=\"%d\"} "
                       "%" APR_UINT64_T_FMT "\n", R307_CAUSE_FIRST + i,
                       activity->causes[i]);
        }
    }
}

/* ---- what tables follow ---- */

static const struct {
    const char *name;
    const char *help;
} store_metrics[] = {
    { "redirect307_store_change",
      "The last change of its database that a table has." },
    { "redirect307_store_last_change",
      "The last change in the database, when it was last looked at." },
    { "redirect307_store_last_look_timestamp_seconds",
      "When the database of a table was last looked at." },
    { "redirect307_store_last_success_timestamp_seconds",
      "When a table was last known to have all that its database has." },
    { "redirect307_store_bad_rows",
      "Rows that are left out, since they make no rule." }
};

#define STORE_METRICS (sizeof store_metrics / sizeof store_metrics[0])

static void gather_store(const m307_table_t *table, request_rec *r,
                         apr_uint64_t values[STORE_METRICS])
{
    m307_sqlstatus_t *status = apr_palloc(r->pool, sizeof *status);

    m307_sqlstatus_read(table, status, r->pool);
    values[0] = status->seq;
    values[1] = status->store_seq;
    values[2] = m307_sqlstatus_seconds(status->last_look);
    values[3] = m307_sqlstatus_seconds(status->last_success);
    values[4] = (apr_uint64_t)status->nbad + status->bad_more;
}

static void put_stores(request_rec *r)
{
    const apr_array_header_t *tables =
        m307_table_all(r->server->process->pconf);
    apr_uint64_t (*values)[STORE_METRICS] =
        apr_palloc(r->pool, ((apr_size_t)tables->nelts + 1) * sizeof *values);
    const char **names = apr_palloc(r->pool, ((apr_size_t)tables->nelts + 1)
                                    * sizeof *names);
    apr_size_t metric;
    int i, n = 0;

    for (i = 0; i < tables->nelts; i++) {
        const m307_table_t *table = APR_ARRAY_IDX(tables, i, m307_table_t *);
        if (table->sql) {
            gather_store(table, r, values[n]);
            names[n++] = table->name;
        }
    }
    for (metric = 0; n && metric < STORE_METRICS; metric++) {
        family(r, store_metrics[metric].name, "gauge",
               store_metrics[metric].help);
        for (i = 0; i < n; i++) {
            ap_rprintf(r, "%s{table=\"%s\"} %" APR_UINT64_T_FMT "\n",
                       store_metrics[metric].name, names[i],
                       values[i][metric]);
        }
    }
}

void m307_statusmetrics_write(const m307_view_t *view)
{
    if (m307_counters_activity) {
        put_totals(view->r, m307_counters_activity);
        put_all_rules(view);
    }
    put_tables(view->r);
    put_stores(view->r);
    m307_statussites_each(view->r, put_site, view->r);
    ap_rputs("# EOF\n", view->r);
}
