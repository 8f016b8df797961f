/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns Redirect307Upgrade: the 302 and 301 of others become 307 and 308. Must
 * not know rules. Called by the hooks that insert filters.
 *
 * An answer that a handler writes passes a filter. One that httpd writes
 * itself gets its new status before: httpd then names it in the page, and no
 * text has to be changed (ap_send_error_response takes the title from
 * status_line).
 */
#include "httpd/m307.h"

#include "apr_strings.h"
#include "util_filter.h"

static const char filter_name[] = "REDIRECT307_UPGRADE";

const char *m307_upgrade_set(cmd_parms *cmd, void *dir, const char *word)
{
    static const char *const names[] = { "Off", "Unsafe", "All" };
    int i;

    m307_filters_need(cmd);
    for (i = 0; i < 3; i++) {
        if (strcasecmp(word, names[i]) == 0) {
            ((m307_dir_conf_t *)dir)->upgrade = i;
            return NULL;
        }
    }
    return apr_psprintf(cmd->temp_pool, "R307-0350: Redirect307Upgrade '%s' "
                        "is neither Off nor Unsafe (requests other than GET "
                        "and HEAD) nor All", word);
}

/* The method that the client has sent: for an error page httpd has put GET
 * into the request, and into the one that led to it. */
static int is_unsafe(const request_rec *r)
{
    const char *line = r->the_request ? r->the_request : "";
    apr_size_t n = strcspn(line, " ");

    return !(n == 3 && memcmp(line, "GET", 3) == 0)
           && !(n == 4 && memcmp(line, "HEAD", 4) == 0);
}

/* The strict form of a status; 0 when it has none. */
static int strict(int status)
{
    return status == HTTP_MOVED_TEMPORARILY ? HTTP_TEMPORARY_REDIRECT
           : status == HTTP_MOVED_PERMANENTLY ? HTTP_PERMANENT_REDIRECT : 0;
}

static const char *location(const request_rec *r)
{
    const char *url = apr_table_get(r->headers_out, "Location");

    return url ? url : apr_table_get(r->err_headers_out, "Location");
}

/* 1: the answer is another one now. */
static int upgrade(request_rec *r, int engine)
{
    int old = r->status, status = strict(old);
    const char *to = status ? location(r) : NULL;

    if (!to) {
        return 0;
    }
    if (engine == M307_ENGINE_DRYRUN) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      "R307-0431: dry run: %d would become %d for '%s', to "
                      "%s", old, status, r->the_request, to);
        return 0;
    }
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r,
                  "R307-0430: %d becomes %d for '%s', to %s", old, status,
                  r->the_request, to);
    r->status = status;
    r->status_line = ap_get_status_line(status);
    apr_table_setn(r->notes, "redirect307-upgraded",
                   apr_itoa(r->pool, old));
    return 1;
}

/* Nothing is upgraded in a page that is put into another one, nor what
 * another server says to a client of a forward proxy. */
static int is_covered(const request_rec *r, const m307_dir_conf_t *dir)
{
    return !r->main && r->proxyreq != PROXYREQ_PROXY
           && dir->engine != M307_ENGINE_OFF
           && (dir->upgrade == M307_UPGRADE_ALL || is_unsafe(r));
}

static apr_status_t filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    (void)upgrade(f->r, m307_config_dir(f->r)->engine);
    ap_remove_output_filter(f);
    return ap_pass_brigade(f->next, bb);
}

void m307_upgrade_register(void)
{
    ap_register_output_filter(filter_name, filter, NULL, M307_FTYPE_UPGRADE);
}

void m307_upgrade_insert(request_rec *r, const m307_dir_conf_t *dir)
{
    if (is_covered(r, dir)) {
        ap_add_output_filter(filter_name, NULL, r, r->connection);
    }
}

void m307_upgrade_insert_error(request_rec *r, const m307_dir_conf_t *dir)
{
    if (is_covered(r, dir) && upgrade(r, dir->engine)) {
        m307_answer_spare_body(r, m307_config_server(r->server)->drain);
    }
}
