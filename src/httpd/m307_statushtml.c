/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the page that people read. Must not know how rows come about. Called
 * by the handler.
 *
 * Everything is there without the script, which adds sorting, filtering and
 * explaining without a reload. Text is escaped by html(); attributes that
 * hold text have double quotes.
 */
#include "httpd/m307_sqlstatus.h"
#include "httpd/m307_status.h"
#include "httpd/m307_statuspage.h"

#include "apr_base64.h"
#include "apr_strings.h"

#define NONCE_BYTES 18

static const char *html(request_rec *r, const char *s)
{
    return m307_statustext_html(r->pool, s);
}

/* ---- small pieces ---- */

/* "3 min ago", with the time itself in the title. */
static const char *ago(request_rec *r, apr_uint32_t seconds)
{
    apr_int64_t age = (apr_int64_t)apr_time_sec(r->request_time) - seconds;
    const char *text;

    if (!seconds) {
        return "<span class=\"never\">never</span>";
    }
    text = age < 2 ? "just now"
        : age < 120 ? apr_psprintf(r->pool, "%d s ago", (int)age)
        : age < 7200 ? apr_psprintf(r->pool, "%d min ago", (int)(age / 60))
        : age < 172800 ? apr_psprintf(r->pool, "%d h ago", (int)(age / 3600))
        : apr_psprintf(r->pool, "%d days ago", (int)(age / 86400));
    return apr_psprintf(r->pool, "<time datetime=\"%s\" title=\"%s\">%s"
                        "</time>", m307_statustext_time(r->pool, seconds),
                        m307_statustext_time(r->pool, seconds), text);
}

/* 1,234,567 */
static const char *grouped(apr_pool_t *pool, apr_uint64_t n)
{
    const char *text = apr_psprintf(pool, "%u", (unsigned)(n % 1000));

    for (n /= 1000; n; n /= 1000) {
        apr_size_t len = strcspn(text, ",");
        text = apr_psprintf(pool, "%u,%.*s%s", (unsigned)(n % 1000),
                            3 - (int)(len < 3 ? len : 3),
                            "000", text);
    }
    return text;
}

static void tag(request_rec *r, const char *class, const char *text)
{
    ap_rvputs(r, "<span class=\"tag ", class, "\">", text, "</span>", NULL);
}

static void open_table(request_rec *r, const char *id,
                       const char *const *heads)
{
    ap_rvputs(r, "<div class=\"scroll\"><table class=\"sortable\" id=\"", id,
              "\"><thead><tr>", NULL);
    for (; *heads; heads++) {
        int number = **heads == '#';
        ap_rvputs(r, number ? "<th class=\"num\">" : "<th>", *heads + number,
                  "</th>", NULL);
    }
    ap_rputs("</tr></thead><tbody>\n", r);
}

static void close_table(request_rec *r)
{
    ap_rputs("</tbody></table></div>", r);
}

static void number_cell(request_rec *r, const char *name, apr_uint64_t n)
{
    ap_rprintf(r, "<td class=\"num\" data-label=\"%s\" data-sort=\"%"
               APR_UINT64_T_FMT "\">%s</td>", name, n, grouped(r->pool, n));
}

static void time_cell(request_rec *r, const char *name, apr_uint32_t seconds)
{
    ap_rprintf(r, "<td class=\"num\" data-label=\"%s\" data-sort=\"%u\">%s"
               "</td>", name, (unsigned)seconds, ago(r, seconds));
}

/* ---- totals and plot ---- */

static void put_cards(request_rec *r, const r307_activity_t *activity)
{
    static const struct {
        r307_total_t total;
        const char *class;
        const char *text;
    } cards[] = {
        { R307_TOTAL_REDIRECT, "", "redirects" },
        { R307_TOTAL_STOP, "", "let pass by a rule" },
        { R307_TOTAL_DRY, "", "dry runs" },
        { R307_TOTAL_REFUSED, "", "refused" },
        { R307_TOTAL_FAILED, " bad", "failed" }
    };
    apr_size_t i;

    ap_rputs("<div class=\"cards\">", r);
    for (i = 0; i < sizeof cards / sizeof cards[0]; i++) {
        apr_uint64_t n = activity->totals[cards[i].total];
        ap_rvputs(r, "<div class=\"card", n ? cards[i].class : "",
                  "\"><b>", grouped(r->pool, n), "</b><span>", cards[i].text,
                  "</span></div>", NULL);
    }
    ap_rputs("</div>\n", r);
}

#define PLOT_HEIGHT 110
#define PLOT_LEFT 46
#define PLOT_STEP 9

static void put_bars(request_rec *r, const apr_uint32_t *minutes,
                     apr_uint32_t most)
{
    int i;

    for (i = 0; i < 60; i++) {
        apr_uint32_t high = (apr_uint32_t)((apr_uint64_t)minutes[i]
                                           * (PLOT_HEIGHT - 10) / most);
        high = minutes[i] && high < 2 ? 2 : high;
        ap_rprintf(r, "<rect class=\"bar\" x=\"%d\" y=\"%u\" width=\"7\" "
                   "height=\"%u\" rx=\"1.5\"><title>%u in the minute %d min "
                   "ago</title></rect>", PLOT_LEFT + i * PLOT_STEP + 1,
                   (unsigned)(PLOT_HEIGHT - high), (unsigned)high,
                   (unsigned)minutes[i], 59 - i);
    }
}

static void put_plot(request_rec *r, const r307_activity_t *activity)
{
    apr_uint32_t now = (apr_uint32_t)(apr_time_sec(r->request_time) / 60);
    apr_uint32_t minutes[60], most = 1;
    apr_uint64_t sum = 0;
    int i, right = PLOT_LEFT + 60 * PLOT_STEP;

    for (i = 0; i < 60; i++) {
        minutes[i] = r307_activity_minute(activity, now - 59
                                          + (apr_uint32_t)i);
        most = minutes[i] > most ? minutes[i] : most;
        sum += minutes[i];
    }
    ap_rprintf(r, "<section><div class=\"head\"><h2>The last hour</h2>"
               "<small>%s redirects</small></div><svg viewBox=\"0 0 %d %d\" "
               "role=\"img\" aria-label=\"%s redirects in the last hour, at "
               "most %s in a minute\">", grouped(r->pool, sum), right + 2,
               PLOT_HEIGHT + 20, grouped(r->pool, sum),
               grouped(r->pool, most));
    ap_rprintf(r, "<line class=\"axis\" x1=\"%d\" y1=\"10\" x2=\"%d\" "
               "y2=\"10\"/><line class=\"axis\" x1=\"%d\" y1=\"%d.5\" "
               "x2=\"%d\" y2=\"%d.5\"/>", PLOT_LEFT, right, PLOT_LEFT,
               PLOT_HEIGHT, right, PLOT_HEIGHT);
    ap_rprintf(r, "<text x=\"%d\" y=\"14\" text-anchor=\"end\">%s</text>"
               "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">0</text>",
               PLOT_LEFT - 6, grouped(r->pool, most), PLOT_LEFT - 6,
               PLOT_HEIGHT + 4);
    put_bars(r, minutes, most);
    for (i = 0; i <= 60; i += 15) {
        ap_rprintf(r, "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">%s</text>",
                   PLOT_LEFT + i * PLOT_STEP, PLOT_HEIGHT + 16,
                   i == 0 ? "start" : i == 60 ? "end" : "middle",
                   i == 60 ? "now" : apr_psprintf(r->pool, "\xe2\x88\x92%d "
                                                  "min", 60 - i));
    }
    ap_rputs("</svg></section>\n", r);
}

/* ---- explain ---- */

static void put_strings(request_rec *r, const char *title,
                        const apr_array_header_t *list)
{
    int i;

    if (list->nelts) {
        ap_rvputs(r, "<p>", title, "</p><ul>", NULL);
        for (i = 0; i < list->nelts; i++) {
            ap_rvputs(r, "<li>", html(r, APR_ARRAY_IDX(list, i,
                                                       const char *)),
                      "</li>", NULL);
        }
        ap_rputs("</ul>", r);
    }
}

static void put_explained(request_rec *r, const char *what)
{
    m307_explained_t *e = m307_explain(r, what);

    ap_rvputs(r, "<p><strong>", e->status
              ? apr_psprintf(r->pool, "%d ", e->status) : "",
              html(r, e->error ? e->error : e->outcome), "</strong></p>",
              NULL);
    if (e->location) {
        ap_rvputs(r, "<p>to <code>", html(r, e->location), "</code></p>",
                  NULL);
    }
    if (e->rule) {
        ap_rvputs(r, "<p>by rule ", html(r, e->rule), "</p>", NULL);
    }
    put_strings(r, "Considered before:", e->steps);
    put_strings(r, "Not covered:", e->limits);
}

static void put_explain(const m307_view_t *view)
{
    request_rec *r = view->r;

    ap_rvputs(r, "<section><h2>What would happen to a request?</h2>"
              "<form class=\"ask\" id=\"explain\" method=\"get\"><input "
              "name=\"explain\" required aria-label=\"Method and URL\" "
              "placeholder=\"POST /shop/item?id=1\" value=\"",
              html(r, view->explain), "\"><button class=\"go\">Explain"
              "</button></form><div class=\"answer\" id=\"answer\" "
              "aria-live=\"polite\">", NULL);
    if (view->explain) {
        put_explained(r, view->explain);
    }
    ap_rputs("</div></section>\n", r);
}

/* ---- rules ---- */

static void put_state(request_rec *r, const m307_row_t *row)
{
    if (row->rule->dryrun) {
        tag(r, "warn", "dry run");
    }
    if (strcmp(row->state, "active") != 0) {
        tag(r, *row->state == 'e' ? "bad" : "warn", row->state);
    }
}

static void put_targets(request_rec *r, const m307_row_t *row)
{
    const r307_choices_t *choices = row->rule->choices;
    int i;

    if (row->target) {
        ap_rvputs(r, "<code>", html(r, row->target), "</code>", NULL);
        return;
    }
    ap_rputs("<ul class=\"plain\">", r);
    for (i = 0; choices && i < choices->n; i++) {
        r307_cell_t count =
            m307_statusrows_count(row->rule, row->rule->choice_slots
                                  ? row->rule->choice_slots[i]
                                  : R307_SLOT_NONE);
        ap_rvputs(r, "<li><span><span class=\"tag\">",
                  html(r, choices->at[i].written), "</span><code>",
                  html(r, choices->at[i].target->written),
                  "</code></span><small>", grouped(r->pool, count.hits),
                  "</small></li>", NULL);
    }
    ap_rputs("</ul>", r);
}

static void put_causes(request_rec *r, const m307_row_t *row)
{
    int i;

    for (i = 0; row->rule->cause_slots && i < R307_CAUSES; i++) {
        r307_cell_t count =
            m307_statusrows_count(row->rule, row->rule->cause_slots[i]);
        if (count.hits) {
            ap_rprintf(r, "<span class=\"tag\">%d: %s</span>",
                       R307_CAUSE_FIRST + i, grouped(r->pool, count.hits));
        }
    }
}

static void put_row(void *ctx, const m307_row_t *row)
{
    request_rec *r = ctx;

    int named = strcmp(row->name, row->source) != 0;

    ap_rvputs(r, "<tr><td data-label=\"Rule\"><span><span",
              named ? "" : " class=\"mono\"", ">", html(r, row->name),
              "</span> ", NULL);
    put_state(r, row);
    if (named) {
        ap_rvputs(r, "<small class=\"mono\">", html(r, row->source),
                  "</small>", NULL);
    }
    ap_rvputs(r, "</span></td><td data-label=\"Matches\"><span><span "
              "class=\"tag\">", row->kind, "</span><code>",
              html(r, row->host), html(r, row->path), "</code>", NULL);
    if (row->section || strcmp(row->server ? row->server : "main server",
                               "main server")) {
        ap_rvputs(r, "<small>", html(r, row->server),
                  row->section ? ", " : "", html(r, row->section),
                  "</small>", NULL);
    }
    ap_rvputs(r, "</span></td><td class=\"wide\" data-label=\"Leads "
              "to\"><span>", NULL);
    put_targets(r, row);
    ap_rvputs(r, "</span></td><td data-label=\"If\"",
              *row->conditions ? "" : " class=\"blank\"", "><span><code>",
              html(r, row->conditions), "</code> ", NULL);
    put_causes(r, row);
    ap_rputs("</span></td>", r);
    number_cell(r, "Hits", row->count.hits);
    number_cell(r, "Dry runs", row->count.dry);
    time_cell(r, "Last hit", row->count.last);
    ap_rputs("</tr>\n", r);
}

/* Another view of the same rules. */
static void put_link(const m307_view_t *view, apr_uint32_t offset,
                     int by_hits, const char *text)
{
    request_rec *r = view->r;
    const char *table = !view->table ? ""
        : apr_pstrcat(r->pool, "&amp;table=",
                      ap_escape_urlencoded(r->pool, view->table), NULL);

    ap_rprintf(r, " <a href=\"?q=%s&amp;limit=%u&amp;offset=%u&amp;sort=%s%s"
               "\">%s</a>", html(r, ap_escape_urlencoded(r->pool,
                                                         view->search)),
               (unsigned)view->limit, (unsigned)offset,
               by_hits ? "hits" : "order", html(r, table), text);
}

static void put_pages(const m307_view_t *view, apr_uint32_t total)
{
    request_rec *r = view->r;
    apr_uint32_t end = view->offset + view->limit;

    ap_rprintf(r, "<p class=\"note\">%s of %s rules, %s.",
               total ? apr_psprintf(r->pool, "%u to %u",
                                    (unsigned)view->offset + 1,
                                    (unsigned)(end < total ? end : total))
                     : "None", grouped(r->pool, total),
               view->by_hits ? "most hits first" : "as configured");
    if (view->offset) {
        put_link(view, view->offset < view->limit ? 0
                 : view->offset - view->limit, view->by_hits, "Back");
    }
    if (end < total) {
        put_link(view, end, view->by_hits, "More");
    }
    put_link(view, 0, !view->by_hits, view->by_hits ? "As configured"
                                                    : "Most hits first");
    ap_rputs("</p>", r);
}

static void put_rules(const m307_view_t *view)
{
    static const char *const heads[] = {
        "Rule", "Matches", "Leads to", "If", "#Hits", "#Dry runs",
        "#Last hit", NULL
    };
    request_rec *r = view->r;
    apr_uint32_t total;

    ap_rvputs(r, "<section><div class=\"head\"><h2>",
              view->table ? "Rules of table " : "Rules",
              html(r, view->table), "</h2><form method=\"get\"><input "
              "class=\"search\" type=\"search\" name=\"q\" "
              "data-filter=\"rules\" aria-label=\"Search rules\" "
              "placeholder=\"Search, Enter for all\" value=\"",
              html(r, view->search), "\">", NULL);
    if (view->table) {
        ap_rvputs(r, "<input type=\"hidden\" name=\"table\" value=\"",
                  html(r, view->table), "\">", NULL);
    }
    ap_rputs("</form></div>", r);
    open_table(r, "rules", heads);
    total = m307_statusrows_each(view, put_row, r);
    close_table(r);
    put_pages(view, total);
    ap_rputs("</section>\n", r);
}

typedef struct loose_t {
    request_rec *r;
    int n;
} loose_t;

static void put_loose_row(void *ctx, const char *label,
                          const r307_cell_t *count)
{
    static const char *const heads[] = {
        "Rule", "#Hits", "#Dry runs", "#Last hit", NULL
    };
    loose_t *loose = ctx;
    request_rec *r = loose->r;

    if (loose->n++ == 0) {
        ap_rputs("<section><div class=\"head\"><h2>Rules of .htaccess and "
                 "rule files</h2><small>that were hit</small></div>", r);
        open_table(r, "loose", heads);
    }
    ap_rvputs(r, "<tr><td data-label=\"Rule\"><span class=\"mono\">",
              html(r, label), "</span></td>", NULL);
    number_cell(r, "Hits", count->hits);
    number_cell(r, "Dry runs", count->dry);
    time_cell(r, "Last hit", count->last);
    ap_rputs("</tr>\n", r);
}

static void put_loose(const m307_view_t *view)
{
    loose_t loose = { view->r, 0 };

    m307_statusrows_loose(view, put_loose_row, &loose);
    if (loose.n) {
        close_table(view->r);
        ap_rputs("</section>\n", view->r);
    }
}

/* ---- tables ---- */

static void put_version(request_rec *r, m307_table_t *table)
{
    m307_version_t *version = m307_table_acquire(table, r->server);
    r307_cell_t sum = { 0, 0, 0, 0 };
    apr_uint64_t rules = 0, bytes = 0;

    if (version) {
        sum = m307_statusrows_sum(version->data);
        rules = r307_table_count(version->data);
        bytes = r307_table_header(version->data)->file_len;
        m307_version_release(version);
    }
    number_cell(r, "Rules", rules);
    ap_rprintf(r, "<td class=\"num\" data-label=\"Size\" data-sort=\"%"
               APR_UINT64_T_FMT "\">%s</td>", bytes,
               bytes < 10240
               ? apr_psprintf(r->pool, "%u B", (unsigned)bytes)
               : bytes < 10485760
               ? apr_psprintf(r->pool, "%u KB", (unsigned)(bytes / 1024))
               : apr_psprintf(r->pool, "%u MB",
                              (unsigned)(bytes / 1048576)));
    number_cell(r, "Hits", sum.hits);
    time_cell(r, "Last hit", sum.last);
}

static void put_table(request_rec *r, m307_table_t *table)
{
    r307_trouble_t trouble;
    apr_finfo_t info;
    int failing = m307_counters_trouble(table, &trouble);

    ap_rvputs(r, "<tr><td data-label=\"Table\"><span><a href=\"?table=",
              html(r, table->name), "&amp;sort=hits\">", html(r, table->name),
              "</a> ", NULL);
    tag(r, failing ? "bad" : "good", failing ? "failing" : "current");
    ap_rvputs(r, "<small class=\"mono\">", html(r, table->spec.path),
              "</small></span></td>", NULL);
    put_version(r, table);
    number_cell(r, "Refreshed", m307_refresh_generation(table));
    time_cell(r, "Compiled",
              apr_stat(&info, table->file, APR_FINFO_MTIME, r->pool)
              == APR_SUCCESS ? (apr_uint32_t)apr_time_sec(info.mtime) : 0);
    ap_rvputs(r, "<td data-label=\"Last error\"", failing ? ""
              : " class=\"blank\"", "><span>", NULL);
    if (failing) {
        ap_rvputs(r, html(r, trouble.text), " <small>",
                  ago(r, (apr_uint32_t)apr_time_sec(trouble.time)),
                  "</small>", NULL);
    }
    ap_rputs("</span></td></tr>\n", r);
}

/* ---- what tables follow ---- */

static void put_bad_rows(request_rec *r, const m307_sqlstatus_t *status)
{
    int i, shown = status->nbad < M307_BAD_SHOWN ? status->nbad
                                                 : M307_BAD_SHOWN;
    apr_uint64_t all = (apr_uint64_t)status->nbad + status->bad_more;

    ap_rprintf(r, "<td data-label=\"Rows left out\"%s><ul class=\"plain\">",
               all ? "" : " class=\"blank\"");
    for (i = 0; i < shown; i++) {
        ap_rprintf(r, "<li><span><b>%u</b> %s</span></li>",
                   (unsigned)status->bad[i].id,
                   html(r, status->bad[i].why));
    }
    if (all > (apr_uint64_t)shown) {
        ap_rprintf(r, "<li><small>and %s more</small></li>",
                   grouped(r->pool, all - (apr_uint64_t)shown));
    }
    ap_rputs("</ul></td>", r);
}

static void put_store(request_rec *r, const m307_table_t *table)
{
    m307_sqlstatus_t *status = apr_palloc(r->pool, sizeof *status);

    m307_sqlstatus_read(table, status, r->pool);
    ap_rvputs(r, "<tr><td data-label=\"Table\"><span>",
              html(r, table->name), " ", NULL);
    tag(r, status->state == M307_CURRENT ? "good"
        : status->state == M307_READING ? "warn" : "bad",
        m307_sqlstatus_name(status->state));
    ap_rvputs(r, "<small class=\"mono\">", html(r, status->store),
              "</small></span></td>", NULL);
    number_cell(r, "Change", status->seq);
    number_cell(r, "Store's last", status->store_seq);
    time_cell(r, "Last look", m307_sqlstatus_seconds(status->last_look));
    time_cell(r, "Last success",
              m307_sqlstatus_seconds(status->last_success));
    put_bad_rows(r, status);
    ap_rvputs(r, "<td data-label=\"Last error\"", *status->error ? ""
              : " class=\"blank\"", "><span>", html(r, status->error),
              "</span></td></tr>\n", NULL);
}

static void put_stores(request_rec *r)
{
    static const char *const heads[] = {
        "Table", "#Change", "#Store's last", "#Last look", "#Last success",
        "Rows left out", "Last error", NULL
    };
    const apr_array_header_t *tables =
        m307_table_all(r->server->process->pconf);
    int i, n = 0;

    for (i = 0; i < tables->nelts; i++) {
        const m307_table_t *table = APR_ARRAY_IDX(tables, i, m307_table_t *);
        if (table->sql && n++ == 0) {
            ap_rputs("<section><h2>Databases that tables follow</h2>", r);
            open_table(r, "stores", heads);
        }
        if (table->sql) {
            put_store(r, table);
        }
    }
    if (n) {
        close_table(r);
        ap_rputs("</section>\n", r);
    }
}

static void put_tables(request_rec *r)
{
    static const char *const heads[] = {
        "Table", "#Rules", "#Size", "#Hits", "#Last hit", "#Refreshed",
        "#Compiled", "Last error", NULL
    };
    const apr_array_header_t *tables =
        m307_table_all(r->server->process->pconf);
    int i;

    if (tables->nelts == 0) {
        return;
    }
    ap_rputs("<section><h2>Tables</h2>", r);
    open_table(r, "tables", heads);
    for (i = 0; i < tables->nelts; i++) {
        put_table(r, APR_ARRAY_IDX(tables, i, m307_table_t *));
    }
    close_table(r);
    ap_rputs("</section>\n", r);
}

/* ---- sites ---- */

static void put_site(void *ctx, const m307_siterow_t *row)
{
    static const char *const heads[] = {
        "Site", "Health", "URL", "Server", "Defined", NULL
    };
    request_rec *r = ctx;

    if (row->number == 0) {
        ap_rputs("<section><h2>Sites</h2>", r);
        open_table(r, "sites", heads);
    }
    ap_rvputs(r, "<tr><td data-label=\"Site\"><span>",
              html(r, row->site->name), " ", NULL);
    if (row->site->local) {
        tag(r, "", "this server");
    }
    ap_rputs("</span></td><td data-label=\"Health\"><span>", r);
    tag(r, *row->health == 'd' ? "bad" : *row->health == 'u' ? "good" : "",
        row->health);
    ap_rvputs(r, row->reason ? "<small>" : "", html(r, row->reason),
              row->reason ? "</small>" : "",
              "</span></td><td data-label=\"URL\"><code>",
              html(r, row->site->target->written),
              "</code></td><td data-label=\"Server\">",
              html(r, row->server),
              "</td><td data-label=\"Defined\"><span class=\"mono\">",
              html(r, row->site->file), NULL);
    ap_rprintf(r, ":%d</span></td></tr>\n", row->site->line);
}

static void put_sites(request_rec *r)
{
    if (m307_statussites_each(r, put_site, r)) {
        close_table(r);
        ap_rputs("</section>\n", r);
    }
}

/* ---- decisions ---- */

static void put_decision(request_rec *r, const r307_recent_t *recent)
{
    static const struct {
        const char *class;
        const char *text;
    } outcomes[R307_TOTALS] = {
        { "good", "redirect" }, { "", "let pass" }, { "warn", "dry run" },
        { "warn", "refused" }, { "bad", "failed" }, { "", "uncounted" }
    };
    apr_uint32_t seconds = (apr_uint32_t)apr_time_sec(recent->time);

    ap_rvputs(r, "<tr><td data-label=\"Request\"><span><code>",
              html(r, recent->method), " ", html(r, recent->url),
              "</code></span></td><td data-label=\"Outcome\"><span>", NULL);
    tag(r, outcomes[recent->outcome].class, outcomes[recent->outcome].text);
    if (recent->cause) {
        ap_rprintf(r, "<span class=\"tag\">for %u</span>",
                   (unsigned)recent->cause);
    }
    ap_rvputs(r, "</span></td><td data-label=\"To\"><code>",
              html(r, recent->location), "</code></td><td "
              "data-label=\"Rule\"><span class=\"mono\">",
              html(r, recent->rule), "</span></td>", NULL);
    time_cell(r, "When", seconds);
    ap_rputs("</tr>\n", r);
}

static void put_recent(request_rec *r, const r307_activity_t *activity)
{
    static const char *const heads[] = {
        "Request", "Outcome", "To", "Rule", "#When", NULL
    };
    r307_recent_t *recent = apr_palloc(r->pool, R307_RECENT_SHOWN
                                       * sizeof *recent);
    int n = r307_activity_recent(activity, recent), i;

    ap_rputs("<section><div class=\"head\"><h2>Last decisions</h2>"
             "<small>without query strings; up to 8 a second</small></div>",
             r);
    if (n == 0) {
        ap_rputs("<p class=\"empty\">None yet.</p></section>\n", r);
        return;
    }
    open_table(r, "recent", heads);
    for (i = 0; i < n; i++) {
        put_decision(r, &recent[i]);
    }
    close_table(r);
    ap_rputs("</section>\n", r);
}

/* ---- the page ---- */

static const char *set_policy(request_rec *r)
{
    unsigned char bytes[NONCE_BYTES];
    char *nonce = apr_pcalloc(r->pool,
                              (apr_size_t)apr_base64_encode_len(NONCE_BYTES));

    if (apr_generate_random_bytes(bytes, sizeof bytes) != APR_SUCCESS) {
        memset(bytes, 0, sizeof bytes); /* no script is better than any */
        nonce = NULL;
    }
    else {
        apr_base64_encode_binary(nonce, bytes, NONCE_BYTES);
    }
    apr_table_setn(r->headers_out, "Content-Security-Policy",
                   apr_psprintf(r->pool, "default-src 'none'; %s%s%s%s%s"
                                "connect-src 'self'; form-action 'self'; "
                                "base-uri 'none'; frame-ancestors 'none'",
                                nonce ? "style-src 'nonce-" : "",
                                nonce ? nonce : "",
                                nonce ? "'; script-src 'nonce-" : "",
                                nonce ? nonce : "", nonce ? "'; " : ""));
    apr_table_setn(r->headers_out, "Referrer-Policy", "no-referrer");
    return nonce ? nonce : "";
}

static void put_head(request_rec *r, const char *nonce)
{
    const r307_activity_t *activity = m307_counters_activity;

    ap_rvputs(r, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta "
              "charset=\"utf-8\"><meta name=\"viewport\" "
              "content=\"width=device-width, initial-scale=1\"><meta "
              "name=\"robots\" content=\"noindex\"><title>Redirects of ",
              html(r, ap_get_server_name(r)), "</title>\n<style nonce=\"",
              nonce, "\">", page_style, "</style></head>\n<body><header><h1>"
              "Redirects</h1><p>", html(r, ap_get_server_name(r)), NULL);
    if (activity) {
        ap_rvputs(r, ", counting since ",
                  m307_statustext_time(r->pool,
                                       (apr_uint32_t)activity->started),
                  NULL);
    }
    else {
        ap_rputs(", nothing is counted", r);
    }
    ap_rputs("</p></header><main>\n", r);
}

void m307_statushtml_write(const m307_view_t *view)
{
    const r307_activity_t *activity = m307_counters_activity;
    request_rec *r = view->r;
    const char *nonce = set_policy(r);

    put_head(r, nonce);
    if (activity && !view->table) {
        put_cards(r, activity);
        ap_rputs("<div class=\"two\">", r);
        put_plot(r, activity);
        put_explain(view);
        ap_rputs("</div>", r);
    }
    else {
        put_explain(view);
    }
    put_rules(view);
    if (!view->table) {
        put_loose(view);
        put_tables(r);
        put_stores(r);
        put_sites(r);
    }
    if (activity && !view->table) {
        put_recent(r, activity);
    }
    ap_rvputs(r, "</main><footer><p>The same as <a href=\"?format=json\">"
              "JSON</a> and <a href=\"?format=openmetrics\">OpenMetrics</a>."
              "</p></footer>\n<script nonce=\"", nonce, "\">", page_script,
              "</script></body></html>\n", NULL);
}
