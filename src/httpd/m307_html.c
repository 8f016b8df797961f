/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns how single values and frames of tables are written in the status page.
 * Must not know what they say of redirects. Called by whoever writes a part
 * of the page.
 */
#include "httpd/m307_html.h"

#include "apr_strings.h"

const char *m307_html_text(request_rec *r, const char *s)
{
    return m307_statustext_html(r->pool, s);
}

/* "3 min ago", with the time itself in the title. */
const char *m307_html_ago(request_rec *r, apr_uint32_t seconds)
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
const char *m307_html_grouped(apr_pool_t *pool, apr_uint64_t n)
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

void m307_html_tag(request_rec *r, const char *class, const char *text)
{
    ap_rvputs(r, "<span class=\"tag ", class, "\">", text, "</span>", NULL);
}

void m307_html_open_table(request_rec *r, const char *id,
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

void m307_html_close_table(request_rec *r)
{
    ap_rputs("</tbody></table></div>", r);
}

void m307_html_number_cell(request_rec *r, const char *name, apr_uint64_t n)
{
    ap_rprintf(r, "<td class=\"num\" data-label=\"%s\" data-sort=\"%"
               APR_UINT64_T_FMT "\">%s</td>", name, n,
               m307_html_grouped(r->pool, n));
}

void m307_html_time_cell(request_rec *r, const char *name, apr_uint32_t seconds)
{
    ap_rprintf(r, "<td class=\"num\" data-label=\"%s\" data-sort=\"%u\">%s"
               "</td>", name, (unsigned)seconds, m307_html_ago(r, seconds));
}
