/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the section of rules in the status page. Must not know how rows come
 * about. Called by m307_statushtml.
 */
#include "httpd/m307_html.h"

#include "apr_strings.h"

static void put_state(request_rec *r, const m307_row_t *row)
{
    if (row->rule->dryrun) {
        m307_html_tag(r, "warn", "dry run");
    }
    if (strcmp(row->state, "active") != 0) {
        m307_html_tag(r, *row->state == 'e' ? "bad" : "warn", row->state);
    }
}

static void put_targets(request_rec *r, const m307_row_t *row)
{
    const r307_choices_t *choices = row->rule->choices;
    int i;

    if (row->target) {
        ap_rvputs(r, "<code>", m307_html_text(r, row->target), "</code>", NULL);
        return;
    }
    ap_rputs("<ul class=\"plain\">", r);
    for (i = 0; choices && i < choices->n; i++) {
        r307_count_t count =
            m307_statusrows_count(row->rule, row->rule->choice_slots
                                  ? row->rule->choice_slots[i]
                                  : R307_SLOT_NONE);
        ap_rvputs(r, "<li><span><span class=\"tag\">",
                  m307_html_text(r, choices->at[i].written), "</span><code>",
                  m307_html_text(r, choices->at[i].target->written),
                  "</code></span><small>", m307_html_grouped(r->pool,
                  count.hits),
                  "</small></li>", NULL);
    }
    ap_rputs("</ul>", r);
}

static void put_causes(request_rec *r, const m307_row_t *row)
{
    int i;

    for (i = 0; row->rule->cause_slots && i < R307_CAUSES; i++) {
        r307_count_t count =
            m307_statusrows_count(row->rule, row->rule->cause_slots[i]);
        if (count.hits) {
            ap_rprintf(r, "<span class=\"tag\">%d: %s</span>",
                       R307_CAUSE_FIRST + i, m307_html_grouped(r->pool,
                       count.hits));
        }
    }
}

static void put_row(void *ctx, const m307_row_t *row)
{
    request_rec *r = ctx;

    int named = strcmp(row->name, row->source) != 0;

    ap_rvputs(r, "<tr><td data-label=\"Rule\"><span><span",
              named ? "" : " class=\"mono\"", ">", m307_html_text(r, row->name),
              "</span> ", NULL);
    put_state(r, row);
    if (named) {
        ap_rvputs(r, "<small class=\"mono\">", m307_html_text(r, row->source),
                  "</small>", NULL);
    }
    ap_rvputs(r, "</span></td><td data-label=\"Matches\"><span><span "
              "class=\"tag\">", row->kind, "</span><code>",
              m307_html_text(r, row->host), m307_html_text(r, row->path),
              "</code>", NULL);
    if (row->section || strcmp(row->server ? row->server : "main server",
                               "main server")) {
        ap_rvputs(r, "<small>", m307_html_text(r, row->server),
                  row->section ? ", " : "", m307_html_text(r, row->section),
                  "</small>", NULL);
    }
    ap_rvputs(r, "</span></td><td class=\"wide\" data-label=\"Leads "
              "to\"><span>", NULL);
    put_targets(r, row);
    ap_rvputs(r, "</span></td><td data-label=\"If\"",
              *row->conditions ? "" : " class=\"blank\"", "><span><code>",
              m307_html_text(r, row->conditions), "</code> ", NULL);
    put_causes(r, row);
    ap_rputs("</span></td>", r);
    m307_html_number_cell(r, "Hits", row->count.hits);
    m307_html_number_cell(r, "Dry runs", row->count.dry);
    m307_html_time_cell(r, "Last hit", row->count.last);
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
               "\">%s</a>", m307_html_text(r, ap_escape_urlencoded(r->pool,
                                                         view->search)),
               (unsigned)view->limit, (unsigned)offset,
               by_hits ? "hits" : "order", m307_html_text(r, table), text);
}

static void put_pages(const m307_view_t *view, apr_uint32_t total)
{
    request_rec *r = view->r;
    apr_uint32_t end = view->offset + view->limit;

    ap_rprintf(r, "<p class=\"note\">%s of %s rules, %s.",
               total ? apr_psprintf(r->pool, "%u to %u",
                                    (unsigned)view->offset + 1,
                                    (unsigned)(end < total ? end : total))
                     : "None", m307_html_grouped(r->pool, total),
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

void m307_htmlrules_put(const m307_view_t *view)
{
    static const char *const heads[] = {
        "Rule", "Matches", "Leads to", "If", "#Hits", "#Dry runs",
        "#Last hit", NULL
    };
    request_rec *r = view->r;
    apr_uint32_t total;

    ap_rvputs(r, "<section><div class=\"head\"><h2>",
              view->table ? "Rules of table " : "Rules",
              m307_html_text(r, view->table),
              "</h2><form method=\"get\"><input "
              "class=\"search\" type=\"search\" name=\"q\" "
              "data-filter=\"rules\" aria-label=\"Search rules\" "
              "placeholder=\"Search, Enter for all\" value=\"",
              m307_html_text(r, view->search), "\">", NULL);
    if (view->table) {
        ap_rvputs(r, "<input type=\"hidden\" name=\"table\" value=\"",
                  m307_html_text(r, view->table), "\">", NULL);
    }
    ap_rputs("</form></div>", r);
    m307_html_open_table(r, "rules", heads);
    total = m307_statusrows_each(view, put_row, r);
    m307_html_close_table(r);
    put_pages(view, total);
    ap_rputs("</section>\n", r);
}

typedef struct loose_t {
    request_rec *r;
    int n;
} loose_t;

static void put_loose_row(void *ctx, const char *label,
                          const r307_count_t *count)
{
    static const char *const heads[] = {
        "Rule", "#Hits", "#Dry runs", "#Last hit", NULL
    };
    loose_t *loose = ctx;
    request_rec *r = loose->r;

    if (loose->n++ == 0) {
        ap_rputs("<section><div class=\"head\"><h2>Rules of .htaccess and "
                 "rule files</h2><small>that were hit</small></div>", r);
        m307_html_open_table(r, "loose", heads);
    }
    ap_rvputs(r, "<tr><td data-label=\"Rule\"><span class=\"mono\">",
              m307_html_text(r, label), "</span></td>", NULL);
    m307_html_number_cell(r, "Hits", count->hits);
    m307_html_number_cell(r, "Dry runs", count->dry);
    m307_html_time_cell(r, "Last hit", count->last);
    ap_rputs("</tr>\n", r);
}

void m307_htmlrules_put_loose(const m307_view_t *view)
{
    loose_t loose = { view->r, 0 };

    m307_statusrows_loose(view, put_loose_row, &loose);
    if (loose.n) {
        m307_html_close_table(view->r);
        ap_rputs("</section>\n", view->r);
    }
}
