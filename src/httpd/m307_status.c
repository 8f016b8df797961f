/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the handler redirect307-status: what may be asked, and how it is
 * answered in general. Must not know what is in an answer. Called by httpd;
 * the section in mod_status' page by mod_status.
 */
#include "httpd/m307_status.h"

#include "apr_lib.h"
#include "apr_strings.h"
#include "mod_status.h"
#include "util_script.h"

static const char handler_name[] = "redirect307-status";

static const struct {
    const char *name;
    const char *type;
    void (*write)(const m307_view_t *view);
} formats[] = {
    { "html", "text/html; charset=utf-8", m307_statushtml_write },
    { "json", "application/json", m307_statusjson_write },
    { "openmetrics", "application/openmetrics-text; version=1.0.0; "
      "charset=utf-8", m307_statusmetrics_write }
};

#define NFORMATS (sizeof formats / sizeof formats[0])

/* A number in bounds; 0 when it is none. */
static int parse_number(const char *text, apr_uint32_t max,
                        apr_uint32_t *out)
{
    apr_int64_t n;
    char *end;

    if (!text) {
        return 1;
    }
    n = apr_strtoi64(text, &end, 10);
    if (!apr_isdigit(*text) || *end || n > max) {
        return 0;
    }
    *out = (apr_uint32_t)n;
    return 1;
}

static const char *or_default(const char *s, const char *otherwise)
{
    return s ? s : otherwise;
}

/* Forms write a blank as '+', which httpd leaves. */
static apr_table_t *parse_args(request_rec *r)
{
    char *raw = r->args, *s;
    apr_table_t *args;

    r->args = apr_pstrdup(r->pool, raw);
    for (s = r->args; s && *s; s++) {
        *s = *s == '+' ? ' ' : *s;
    }
    ap_args_to_table(r, &args);
    r->args = raw;
    return args;
}

/* NULL, or what is wrong with what is asked for. */
static const char *parse_view(request_rec *r, m307_view_t *view,
                              apr_size_t *format)
{
    const apr_table_t *args = parse_args(r);
    const char *sort;

    memset(view, 0, sizeof *view);
    view->r = r;
    view->format = or_default(apr_table_get(args, "format"), "html");
    for (*format = 0; *format < NFORMATS
         && strcmp(formats[*format].name, view->format); (*format)++) {
        continue;
    }
    if (*format == NFORMATS) {
        return "format= is html, json or openmetrics";
    }
    view->limit = *format == 0 ? M307_STATUS_LIMIT_HTML : M307_STATUS_LIMIT;
    if (!parse_number(apr_table_get(args, "limit"), M307_STATUS_LIMIT_MAX,
                      &view->limit)
        || !parse_number(apr_table_get(args, "offset"),
                         R307_COUNTER_SLOTS_MAX, &view->offset)) {
        return "limit= is a number to 100000, offset= one to 1073741824";
    }
    view->table = apr_table_get(args, "table");
    if (view->table && (!m307_statusrows_table(view)
                        || !strcmp(view->format, "openmetrics"))) {
        return "table= names no table";
    }
    sort = or_default(apr_table_get(args, "sort"), "order");
    view->by_hits = strcmp(sort, "hits") == 0;
    view->search = or_default(apr_table_get(args, "q"), "");
    view->explain = apr_table_get(args, "explain");
    return view->by_hits || !strcmp(sort, "order") ? NULL
        : "sort= is order or hits";
}

int m307_status_handler(request_rec *r)
{
    m307_view_t view;
    apr_size_t format;
    const char *error;

    /* asked for every request: mostly the first letter tells */
    if (!r->handler || r->handler[0] != handler_name[0]
        || strcmp(r->handler, handler_name)) {
        return DECLINED;
    }
    r->allowed = APR_INT64_C(1) << M_GET;
    if (r->method_number != M_GET) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    error = parse_view(r, &view, &format);
    if (error) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "R307-0447: the status "
                      "page is not given: %s", error);
        return HTTP_BAD_REQUEST;
    }
    ap_set_content_type(r, formats[format].type);
    formats[format].write(&view);
    return OK;
}

/* ---- mod_status ---- */

int m307_status_section(request_rec *r, int flags)
{
    const r307_activity_t *activity = m307_counters_activity;
    int i;

    if (!activity) {
        return DECLINED;
    }
    if (!(flags & AP_STATUS_SHORT)) {
        ap_rputs("<hr />\n<h2>Redirects (mod_redirect307)</h2>\n<dl>\n", r);
    }
    for (i = 0; i < R307_TOTALS; i++) {
        const char *name = r307_activity_total_name((r307_total_t)i);
        ap_rprintf(r, flags & AP_STATUS_SHORT
                   ? "Redirect307-%s: %" APR_UINT64_T_FMT "\n"
                   : "<dt>%s: %" APR_UINT64_T_FMT "</dt>\n", name,
                   activity->totals[i]);
    }
    if (!(flags & AP_STATUS_SHORT)) {
        ap_rputs("</dl>\n", r);
    }
    return OK;
}

/* Is the handler named in the configuration, by whatever directive? */
static int is_named(const ap_directive_t *node)
{
    for (; node; node = node->next) {
        if ((node->args && strstr(node->args, handler_name))
            || is_named(node->first_child)) {
            return 1;
        }
    }
    return 0;
}

/* All handlers are asked for every request, so this one is there only where
 * somebody can reach it. */
void m307_status_hook(const server_rec *s)
{
    if (is_named(ap_conftree) || m307_filters_any_htaccess(s)) {
        ap_hook_handler(m307_status_handler, NULL, NULL, APR_HOOK_MIDDLE);
        apr_hook_sort_all();    /* before the default handler */
    }
}

void m307_status_register(void)
{
    APR_OPTIONAL_HOOK(ap, status_hook, m307_status_section, NULL, NULL,
                      APR_HOOK_MIDDLE);
}
