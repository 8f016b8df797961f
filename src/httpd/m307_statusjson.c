/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the JSON form of the status page, as docs/directives.md describes it.
 * Must not know how rows come about. Called by the handler.
 *
 * Objects are written one by one, so that an answer with many rules needs
 * little memory. jansson escapes.
 */
#include "httpd/m307_sqlstatus.h"
#include "httpd/m307_status.h"

#include "ap_mpm.h"
#include "apr_strings.h"

#include <jansson.h>

typedef struct writer_t {
    const m307_view_t *view;
    request_rec *r;
    int rows;                   /* written so far */
} writer_t;

static int put(const char *data, size_t len, void *r)
{
    return ap_rwrite(data, (int)len, r) < 0 ? -1 : 0;
}

/* Takes the reference. */
static void put_json(request_rec *r, json_t *json)
{
    json_dump_callback(json, put, r, JSON_COMPACT);
    json_decref(json);
}

static json_t *text(request_rec *r, const char *s)
{
    return s ? json_string(m307_statustext_utf8(r->pool, s)) : json_null();
}

static json_t *when(request_rec *r, apr_uint32_t seconds)
{
    return text(r, m307_statustext_time(r->pool, seconds));
}

static json_t *number(apr_uint64_t n)
{
    return json_integer((json_int_t)n);
}

static void set_count(json_t *json, request_rec *r, const r307_count_t *count)
{
    json_object_set_new(json, "hits", number(count->hits));
    json_object_set_new(json, "dry_runs", number(count->dry));
    json_object_set_new(json, "first_hit", when(r, count->first));
    json_object_set_new(json, "last_hit", when(r, count->last));
}

/* ---- rules ---- */

static json_t *choices_of(request_rec *r, const r307_rule_t *rule)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < rule->choices->n; i++) {
        const r307_choice_t *choice = &rule->choices->at[i];
        r307_count_t count = m307_statusrows_count(rule, rule->choice_slots
                                                  ? rule->choice_slots[i]
                                                  : R307_SLOT_NONE);
        json_t *json = json_object();

        json_object_set_new(json, "selectors", text(r, choice->written));
        json_object_set_new(json, "target", text(r,
                                                 choice->target->written));
        set_count(json, r, &count);
        json_array_append_new(list, json);
    }
    return list;
}

static json_t *causes_of(request_rec *r, const r307_rule_t *rule)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < R307_CAUSES; i++) {
        r307_count_t count = m307_statusrows_count(rule,
                                                  rule->cause_slots[i]);
        if (count.hits || count.dry) {
            json_t *json = json_object();

            json_object_set_new(json, "status",
                                json_integer(R307_CAUSE_FIRST + i));
            set_count(json, r, &count);
            json_array_append_new(list, json);
        }
    }
    return list;
}

static void put_row(void *ctx, const m307_row_t *row)
{
    writer_t *w = ctx;
    request_rec *r = w->r;
    json_t *json = json_object();

    json_object_set_new(json, "name", text(r, row->name));
    json_object_set_new(json, "source", text(r, row->source));
    json_object_set_new(json, "directive", text(r, row->directive));
    json_object_set_new(json, "server", text(r, row->server));
    json_object_set_new(json, "section", text(r, row->section));
    json_object_set_new(json, "kind", text(r, row->kind));
    json_object_set_new(json, "host", text(r, row->host));
    json_object_set_new(json, "path", text(r, row->path));
    json_object_set_new(json, "target", text(r, row->target));
    json_object_set_new(json, "conditions", text(r, row->conditions));
    json_object_set_new(json, "state", text(r, row->state));
    json_object_set_new(json, "dry_run", json_boolean(row->rule->dryrun));
    set_count(json, r, &row->count);
    if (row->rule->choices) {
        json_object_set_new(json, "choices", choices_of(r, row->rule));
    }
    if (row->rule->cause_slots) {
        json_object_set_new(json, "causes", causes_of(r, row->rule));
    }
    if (w->rows++) {
        ap_rputs(",\n", r);
    }
    put_json(r, json);
}

static void put_rules(writer_t *w)
{
    apr_uint32_t total;

    w->rows = 0;
    ap_rputs("\"rules\":{\"items\":[\n", w->r);
    total = m307_statusrows_each(w->view, put_row, w);
    ap_rprintf(w->r, "],\n\"total\":%u,\"offset\":%u,\"limit\":%u}",
               (unsigned)total, (unsigned)w->view->offset,
               (unsigned)w->view->limit);
}

static void put_loose(void *ctx, const char *label, const r307_count_t *count)
{
    writer_t *w = ctx;
    json_t *json = json_object();

    json_object_set_new(json, "name", text(w->r, label));
    set_count(json, w->r, count);
    if (w->rows++) {
        ap_rputs(",\n", w->r);
    }
    put_json(w->r, json);
}

/* ---- tables, sites ---- */

static json_t *json_of_bad(request_rec *r, const m307_sqlstatus_t *status)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < status->nbad && i < M307_BAD_SHOWN; i++) {
        json_t *row = json_object();
        json_object_set_new(row, "id", number(status->bad[i].id));
        json_object_set_new(row, "text", text(r, status->bad[i].why));
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *json_of_store(request_rec *r, const m307_table_t *table)
{
    m307_sqlstatus_t *status = apr_palloc(r->pool, sizeof *status);
    json_t *json = json_object();

    m307_sqlstatus_read(table, status, r->pool);
    json_object_set_new(json, "state",
                        text(r, m307_sqlstatus_name(status->state)));
    json_object_set_new(json, "id", text(r, status->store));
    json_object_set_new(json, "epoch", text(r, status->epoch));
    json_object_set_new(json, "change", number(status->seq));
    json_object_set_new(json, "last_change", number(status->store_seq));
    json_object_set_new(json, "last_look",
                        when(r, m307_sqlstatus_seconds(status->last_look)));
    json_object_set_new(json, "last_success",
                        when(r, m307_sqlstatus_seconds(
                            status->last_success)));
    json_object_set_new(json, "behind_since",
                        when(r, m307_sqlstatus_seconds(
                            status->behind_since)));
    json_object_set_new(json, "error",
                        text(r, *status->error ? status->error : NULL));
    json_object_set_new(json, "bad_rows",
                        number((apr_uint64_t)status->nbad
                               + status->bad_more));
    json_object_set_new(json, "bad", json_of_bad(r, status));
    return json;
}

static json_t *json_of_table(request_rec *r, m307_table_t *table)
{
    m307_version_t *version = m307_table_acquire(table, r->server);
    json_t *json = json_object();
    r307_trouble_t trouble;
    apr_finfo_t info;

    json_object_set_new(json, "name", text(r, table->name));
    json_object_set_new(json, "source", text(r, table->spec.path));
    json_object_set_new(json, "configured",
                        text(r, apr_psprintf(r->pool, "%s:%d",
                                             table->config_file,
                                             table->config_line)));
    json_object_set_new(json, "refresh", json_integer(table->refresh));
    json_object_set_new(json, "generation",
                        number(m307_refresh_generation(table)));
    if (version) {
        r307_count_t sum = m307_statusrows_sum(version->data);
        const r307_table_header_t *h = r307_table_header(version->data);

        json_object_set_new(json, "rules",
                            number(r307_table_count(version->data)));
        json_object_set_new(json, "bytes", number(h->file_len));
        set_count(json, r, &sum);
        m307_version_release(version);
    }
    if (table->sql) {
        json_object_set_new(json, "store", json_of_store(r, table));
    }
    if (apr_stat(&info, table->file, APR_FINFO_MTIME, r->pool)
        == APR_SUCCESS) {
        json_object_set_new(json, "compiled",
                            when(r, (apr_uint32_t)apr_time_sec(info.mtime)));
    }
    if (m307_counters_trouble(table, &trouble)) {
        json_t *error = json_object();
        json_object_set_new(error, "time",
                            when(r, (apr_uint32_t)apr_time_sec(
                                trouble.time)));
        json_object_set_new(error, "text", text(r, trouble.text));
        json_object_set_new(json, "error", error);
    }
    else {
        json_object_set_new(json, "error", json_null());
    }
    return json;
}

typedef struct sitelist_t {
    request_rec *r;
    json_t *list;
} sitelist_t;

static void add_site(void *ctx, const m307_siterow_t *row)
{
    const sitelist_t *to = ctx;
    const r307_site_t *site = row->site;
    request_rec *r = to->r;
    json_t *json = json_object();

    json_object_set_new(json, "name", text(r, site->name));
    json_object_set_new(json, "url", text(r, site->target->written));
    json_object_set_new(json, "server", text(r, row->server));
    json_object_set_new(json, "local", json_boolean(site->local));
    json_object_set_new(json, "source",
                        text(r, apr_psprintf(r->pool, "%s:%d", site->file,
                                             site->line)));
    json_object_set_new(json, "health", text(r, row->health));
    json_object_set_new(json, "reason", text(r, row->reason));
    json_array_append_new(to->list, json);
}

static json_t *json_of_sites(request_rec *r)
{
    sitelist_t to = { r, json_array() };

    m307_statussites_each(r, add_site, &to);
    return to.list;
}

static json_t *json_of_tables(request_rec *r)
{
    const apr_array_header_t *tables = m307_table_all(r->server->process
                                                      ->pconf);
    json_t *list = json_array();
    int i;

    for (i = 0; i < tables->nelts; i++) {
        json_array_append_new(list, json_of_table(r, APR_ARRAY_IDX(tables, i,
                              m307_table_t *)));
    }
    return list;
}

/* ---- activity ---- */

static json_t *json_of_totals(const r307_activity_t *activity)
{
    json_t *json = json_object();
    int i;

    for (i = 0; i < R307_TOTALS; i++) {
        json_object_set_new(json,
                            r307_activity_total_name((r307_total_t)i),
                            number(activity->totals[i]));
    }
    return json;
}

static json_t *json_of_minutes(request_rec *r,
                               const r307_activity_t *activity)
{
    apr_uint32_t now = (apr_uint32_t)(apr_time_sec(r->request_time) / 60);
    apr_uint32_t minute;
    json_t *list = json_array();

    for (minute = now - 59; minute <= now; minute++) {
        json_t *json = json_object();
        json_object_set_new(json, "time", when(r, minute * 60));
        json_object_set_new(json, "redirects",
                            number(r307_activity_minute(activity, minute)));
        json_array_append_new(list, json);
    }
    return list;
}

static json_t *json_of_causes(const r307_activity_t *activity)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < R307_CAUSES; i++) {
        if (activity->causes[i]) {
            json_t *json = json_object();
            json_object_set_new(json, "status",
                                json_integer(R307_CAUSE_FIRST + i));
            json_object_set_new(json, "redirects",
                                number(activity->causes[i]));
            json_array_append_new(list, json);
        }
    }
    return list;
}

static json_t *json_of_recent(request_rec *r,
                              const r307_activity_t *activity)
{
    r307_recent_t *recent = apr_palloc(r->pool, R307_RECENT_SHOWN
                                       * sizeof *recent);
    int n = r307_activity_recent(activity, recent), i;
    json_t *list = json_array();

    for (i = 0; i < n; i++) {
        json_t *json = json_object();

        json_object_set_new(json, "time",
                            when(r, (apr_uint32_t)apr_time_sec(
                                recent[i].time)));
        json_object_set_new(json, "outcome",
                            text(r, r307_activity_total_name(
                                (r307_total_t)recent[i].outcome)));
        json_object_set_new(json, "error", recent[i].cause
                            ? number(recent[i].cause) : json_null());
        json_object_set_new(json, "method", text(r, recent[i].method));
        json_object_set_new(json, "url", text(r, recent[i].url));
        json_object_set_new(json, "rule", text(r, recent[i].rule));
        json_object_set_new(json, "location",
                            text(r, *recent[i].location ? recent[i].location
                                                        : NULL));
        json_array_append_new(list, json);
    }
    return list;
}

/* ---- the document ---- */

static void put_member(request_rec *r, const char *name, json_t *json)
{
    ap_rprintf(r, ",\n\"%s\":", name);
    put_json(r, json);
}

static json_t *json_of_server(request_rec *r)
{
    const r307_activity_t *activity = m307_counters_activity;
    json_t *json = json_object();
    int generation = 0;

    ap_mpm_query(AP_MPMQ_GENERATION, &generation);
    json_object_set_new(json, "software", text(r, ap_get_server_banner()));
    json_object_set_new(json, "time",
                        when(r, (apr_uint32_t)apr_time_sec(
                            r->request_time)));
    json_object_set_new(json, "restarts", json_integer(generation));
    json_object_set_new(json, "counting", json_boolean(activity != NULL));
    json_object_set_new(json, "since", activity
                        ? when(r, (apr_uint32_t)activity->started)
                        : json_null());
    return json;
}

static void put_activity(request_rec *r, const r307_activity_t *activity)
{
    put_member(r, "totals", json_of_totals(activity));
    put_member(r, "errors", json_of_causes(activity));
    put_member(r, "minutes", json_of_minutes(r, activity));
    put_member(r, "recent", json_of_recent(r, activity));
}

static json_t *strings(request_rec *r, const apr_array_header_t *list)
{
    json_t *json = json_array();
    int i;

    for (i = 0; i < list->nelts; i++) {
        json_array_append_new(json, text(r, APR_ARRAY_IDX(list, i,
                                                          const char *)));
    }
    return json;
}

static json_t *json_of_explained(request_rec *r, const char *what)
{
    m307_explained_t *e = m307_explain(r, what);
    json_t *json = json_object();

    json_object_set_new(json, "method", text(r, e->method));
    json_object_set_new(json, "url", text(r, e->url));
    json_object_set_new(json, "error", text(r, e->error));
    json_object_set_new(json, "status", e->status ? json_integer(e->status)
                                                  : json_null());
    json_object_set_new(json, "outcome", text(r, e->outcome));
    json_object_set_new(json, "rule", text(r, e->rule));
    json_object_set_new(json, "location", text(r, e->location));
    json_object_set_new(json, "server", text(r, e->server));
    json_object_set_new(json, "steps", strings(r, e->steps));
    json_object_set_new(json, "not_covered", strings(r, e->limits));
    return json;
}

void m307_statusjson_write(const m307_view_t *view)
{
    request_rec *r = view->r;
    writer_t w = { view, r, 0 };

    ap_rputs("{\"schema\":\"" M307_STATUS_SCHEMA "\",\n\"server\":", r);
    put_json(r, json_of_server(r));
    if (view->explain) {
        put_member(r, "explained", json_of_explained(r, view->explain));
        ap_rputs("}\n", r);
        return;
    }
    if (view->table) {
        put_member(r, "table", json_of_table(r,
                                             m307_statusrows_table(view)));
    }
    else {
        put_member(r, "tables", json_of_tables(r));
        put_member(r, "sites", json_of_sites(r));
        if (m307_counters_activity) {
            put_activity(r, m307_counters_activity);
        }
        ap_rputs(",\n\"unlisted\":[\n", r);
        m307_statusrows_loose(view, put_loose, &w);
        ap_rputs("]", r);
    }
    ap_rputs(",\n", r);
    put_rules(&w);
    ap_rputs("}\n", r);
}
