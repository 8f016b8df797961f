/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the sections of tables, of what they follow, and of sites in the status
 * page. Called by m307_statushtml.
 */
#include "httpd/m307_html.h"
#include "httpd/m307_sqlstatus.h"

#include "apr_strings.h"

/* ---- tables ---- */

static void put_version(request_rec *r, m307_table_t *table)
{
    m307_version_t *version = m307_table_acquire(table, r->server);
    r307_count_t sum = { 0, 0, 0, 0 };
    apr_uint64_t rules = 0, bytes = 0;

    if (version) {
        sum = m307_statusrows_sum(version->data);
        rules = r307_table_count(version->data);
        bytes = r307_table_header(version->data)->file_len;
        m307_version_release(version);
    }
    m307_html_number_cell(r, "Rules", rules);
    ap_rprintf(r, "<td class=\"num\" data-label=\"Size\" data-sort=\"%"
               APR_UINT64_T_FMT "\">%s</td>", bytes,
               bytes < 10240
               ? apr_psprintf(r->pool, "%u B", (unsigned)bytes)
               : bytes < 10485760
               ? apr_psprintf(r->pool, "%u KB", (unsigned)(bytes / 1024))
               : apr_psprintf(r->pool, "%u MB",
                              (unsigned)(bytes / 1048576)));
    m307_html_number_cell(r, "Hits", sum.hits);
    m307_html_time_cell(r, "Last hit", sum.last);
}

static void put_table(request_rec *r, m307_table_t *table)
{
    r307_trouble_t trouble;
    apr_finfo_t info;
    int failing = m307_counters_trouble(table, &trouble);

    ap_rvputs(r, "<tr><td data-label=\"Table\"><span><a href=\"?table=",
              m307_html_text(r, table->name), "&amp;sort=hits\">",
              m307_html_text(r, table->name),
              "</a> ", NULL);
    m307_html_tag(r, failing ? "bad" : "good", failing ? "failing" : "current");
    ap_rvputs(r, "<small class=\"mono\">", m307_html_text(r, table->spec.path),
              "</small></span></td>", NULL);
    put_version(r, table);
    m307_html_number_cell(r, "Refreshed", m307_refresh_generation(table));
    m307_html_time_cell(r, "Compiled",
              apr_stat(&info, table->file, APR_FINFO_MTIME, r->pool)
              == APR_SUCCESS ? (apr_uint32_t)apr_time_sec(info.mtime) : 0);
    ap_rvputs(r, "<td data-label=\"Last error\"", failing ? ""
              : " class=\"blank\"", "><span>", NULL);
    if (failing) {
        ap_rvputs(r, m307_html_text(r, trouble.text), " <small>",
                  m307_html_ago(r, (apr_uint32_t)apr_time_sec(trouble.time)),
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
                   m307_html_text(r, status->bad[i].why));
    }
    if (all > (apr_uint64_t)shown) {
        ap_rprintf(r, "<li><small>and %s more</small></li>",
                   m307_html_grouped(r->pool, all - (apr_uint64_t)shown));
    }
    ap_rputs("</ul></td>", r);
}

static void put_store(request_rec *r, const m307_table_t *table)
{
    m307_sqlstatus_t *status = apr_palloc(r->pool, sizeof *status);

    m307_sqlstatus_read(table, status, r->pool);
    ap_rvputs(r, "<tr><td data-label=\"Table\"><span>",
              m307_html_text(r, table->name), " ", NULL);
    m307_html_tag(r, status->state == M307_CURRENT ? "good"
        : status->state == M307_READING ? "warn" : "bad",
        m307_sqlstatus_name(status->state));
    ap_rvputs(r, "<small class=\"mono\">", m307_html_text(r, status->store),
              "</small></span></td>", NULL);
    m307_html_number_cell(r, "Change", status->seq);
    m307_html_number_cell(r, "Store's last", status->store_seq);
    m307_html_time_cell(r, "Last look",
                        m307_sqlstatus_seconds(status->last_look));
    m307_html_time_cell(r, "Last success",
              m307_sqlstatus_seconds(status->last_success));
    put_bad_rows(r, status);
    ap_rvputs(r, "<td data-label=\"Last error\"", *status->error ? ""
              : " class=\"blank\"", "><span>", m307_html_text(r, status->error),
              "</span></td></tr>\n", NULL);
}

void m307_htmltables_put_stores(request_rec *r)
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
            m307_html_open_table(r, "stores", heads);
        }
        if (table->sql) {
            put_store(r, table);
        }
    }
    if (n) {
        m307_html_close_table(r);
        ap_rputs("</section>\n", r);
    }
}

void m307_htmltables_put(request_rec *r)
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
    m307_html_open_table(r, "tables", heads);
    for (i = 0; i < tables->nelts; i++) {
        put_table(r, APR_ARRAY_IDX(tables, i, m307_table_t *));
    }
    m307_html_close_table(r);
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
        m307_html_open_table(r, "sites", heads);
    }
    ap_rvputs(r, "<tr><td data-label=\"Site\"><span>",
              m307_html_text(r, row->site->name), " ", NULL);
    if (row->site->local) {
        m307_html_tag(r, "", "this server");
    }
    ap_rputs("</span></td><td data-label=\"Health\"><span>", r);
    m307_html_tag(r, *row->health == 'd' ? "bad"
                  : *row->health == 'u' ? "good" : "", row->health);
    ap_rvputs(r, row->reason ? "<small>" : "", m307_html_text(r, row->reason),
              row->reason ? "</small>" : "",
              "</span></td><td data-label=\"URL\"><code>",
              m307_html_text(r, row->site->target->written),
              "</code></td><td data-label=\"Server\">",
              m307_html_text(r, row->server),
              "</td><td data-label=\"Defined\"><span class=\"mono\">",
              m307_html_text(r, row->site->file), NULL);
    ap_rprintf(r, ":%d</span></td></tr>\n", row->site->line);
}

void m307_htmltables_put_sites(request_rec *r)
{
    if (m307_statussites_each(r, put_site, r)) {
        m307_html_close_table(r);
        ap_rputs("</section>\n", r);
    }
}
