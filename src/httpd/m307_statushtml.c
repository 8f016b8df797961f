/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the page that people read. Must not know how rows come about. Called
 * by the handler.
 */
#include "httpd/m307_html.h"
#include "httpd/m307_statuspage.h"

#include "apr_base64.h"
#include "apr_strings.h"

#define NONCE_BYTES 18

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
                  "\"><b>", m307_html_grouped(r->pool, n), "</b><span>",
                  cards[i].text,
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
               "most %s in a minute\">", m307_html_grouped(r->pool, sum),
               right + 2,
               PLOT_HEIGHT + 20, m307_html_grouped(r->pool, sum),
               m307_html_grouped(r->pool, most));
    ap_rprintf(r, "<line class=\"axis\" x1=\"%d\" y1=\"10\" x2=\"%d\" "
               "y2=\"10\"/><line class=\"axis\" x1=\"%d\" y1=\"%d.5\" "
               "x2=\"%d\" y2=\"%d.5\"/>", PLOT_LEFT, right, PLOT_LEFT,
               PLOT_HEIGHT, right, PLOT_HEIGHT);
    ap_rprintf(r, "<text x=\"%d\" y=\"14\" text-anchor=\"end\">%s</text>"
               "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">0</text>",
               PLOT_LEFT - 6, m307_html_grouped(r->pool, most), PLOT_LEFT - 6,
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
            ap_rvputs(r, "<li>", m307_html_text(r, APR_ARRAY_IDX(list, i,
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
              m307_html_text(r, e->error ? e->error : e->outcome),
              "</strong></p>",
              NULL);
    if (e->location) {
        ap_rvputs(r, "<p>to <code>", m307_html_text(r, e->location),
                  "</code></p>",
                  NULL);
    }
    if (e->rule) {
        ap_rvputs(r, "<p>by rule ", m307_html_text(r, e->rule), "</p>", NULL);
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
              m307_html_text(r, view->explain),
              "\"><button class=\"go\">Explain"
              "</button></form><div class=\"answer\" id=\"answer\" "
              "aria-live=\"polite\">", NULL);
    if (view->explain) {
        put_explained(r, view->explain);
    }
    ap_rputs("</div></section>\n", r);
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
              m307_html_text(r, recent->method), " ",
              m307_html_text(r, recent->url),
              "</code></span></td><td data-label=\"Outcome\"><span>", NULL);
    m307_html_tag(r, outcomes[recent->outcome].class,
                  outcomes[recent->outcome].text);
    if (recent->cause) {
        ap_rprintf(r, "<span class=\"tag\">for %u</span>",
                   (unsigned)recent->cause);
    }
    ap_rvputs(r, "</span></td><td data-label=\"To\"><code>",
              m307_html_text(r, recent->location), "</code></td><td "
              "data-label=\"Rule\"><span class=\"mono\">",
              m307_html_text(r, recent->rule), "</span></td>", NULL);
    m307_html_time_cell(r, "When", seconds);
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
    m307_html_open_table(r, "recent", heads);
    for (i = 0; i < n; i++) {
        put_decision(r, &recent[i]);
    }
    m307_html_close_table(r);
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
              m307_html_text(r, ap_get_server_name(r)),
              "</title>\n<style nonce=\"",
              nonce, "\">", page_style, "</style></head>\n<body><header><h1>"
              "Redirects</h1><p>", m307_html_text(r, ap_get_server_name(r)),
              NULL);
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
    m307_htmlrules_put(view);
    if (!view->table) {
        m307_htmlrules_put_loose(view);
        m307_htmltables_put(r);
        m307_htmltables_put_stores(r);
        m307_htmltables_put_sites(r);
    }
    if (activity && !view->table) {
        put_recent(r, activity);
    }
    ap_rvputs(r, "</main><footer><p>The same as <a href=\"?format=json\">"
              "JSON</a> and <a href=\"?format=openmetrics\">OpenMetrics</a>."
              "</p></footer>\n<script nonce=\"", nonce, "\">", page_script,
              "</script></body></html>\n", NULL);
}
