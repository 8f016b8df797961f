/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what caches are told of a decision: Vary for the request fields that
 * it depends on (RFC 9110 section 12.5.5), and `private` where no field tells
 * (RFC 9111 section 5.2.2.7). Must not know rules. Called by answer, whatever
 * the decision is.
 *
 * It goes into err_headers_out, which redirects, errors and 304 keep. When the
 * request passes, the content may say something of its own: a filter merges
 * both when all filters that change header fields are through.
 */
#include "httpd/m307.h"

#include "apr_lib.h"
#include "apr_strings.h"
#include "util_filter.h"

static const char filter_name[] = "REDIRECT307_CACHING";

static int has_token(const char *list, const char *token, apr_size_t len)
{
    const char *s = list;

    while (s && *s) {
        apr_size_t n;

        s += strspn(s, ", \t");
        n = strcspn(s, ", \t=");
        if (n == len && strncasecmp(s, token, n) == 0) {
            return 1;
        }
        s += strcspn(s, ",");
    }
    return 0;
}

/* list with the members of more that it lacks. */
static const char *merge(apr_pool_t *pool, const char *list, const char *more)
{
    const char *s = more;

    while (s && *s) {
        apr_size_t n;

        s += strspn(s, ", \t");
        n = strcspn(s, ",");
        while (n > 0 && apr_isspace(s[n - 1])) {
            n--;
        }
        if (n > 0 && !has_token(list, s, n)) {
            list = apr_pstrcat(pool, list ? list : "", list ? ", " : "",
                               apr_pstrmemdup(pool, s, n), NULL);
        }
        s += strcspn(s, ",");
    }
    return list;
}

/* All lines of a field in one. */
static const char *whole(apr_pool_t *pool, const request_rec *r,
                         const char *name)
{
    const char *out = apr_table_getm(pool, r->headers_out, name);
    const char *err = apr_table_getm(pool, r->err_headers_out, name);

    return out && err ? apr_pstrcat(pool, out, ", ", err, NULL)
                      : out ? out : err;
}

void m307_caching_merge_vary(request_rec *r, const char *more)
{
    const char *vary = merge(r->pool, merge(r->pool, NULL,
                                            whole(r->pool, r, "Vary")), more);

    if (!vary) {
        return;
    }
    if (has_token(vary, "*", 1)) {
        vary = "*";
    }
    apr_table_unset(r->headers_out, "Vary");
    apr_table_setn(r->err_headers_out, "Vary", vary);
}

/* `private` beside what the content says; nothing is added where nothing may
 * be stored anyway. A CGI's fields are in err_headers_out, too. */
static void merge_private(request_rec *r)
{
    const char *all = merge(r->pool, NULL,
                            whole(r->pool, r, "Cache-Control"));

    if (has_token(all, "no-store", 8)) {
        all = "no-store";
    }
    else {
        all = merge(r->pool, all, "private");
    }
    apr_table_unset(r->err_headers_out, "Cache-Control");
    apr_table_setn(r->headers_out, "Cache-Control", all);
}

/* f->ctx: not NULL when the answer depends on what no field tells. */
static apr_status_t filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    m307_caching_merge_vary(f->r, NULL);
    if (f->ctx) {
        merge_private(f->r);
    }
    ap_remove_output_filter(f);
    return ap_pass_brigade(f->next, bb);
}

void m307_caching_register(void)
{
    /* behind mod_headers */
    ap_register_output_filter(filter_name, filter, NULL,
                              AP_FTYPE_CONTENT_SET + 1);
}

void m307_caching_tell(m307_request_t *req)
{
    request_rec *r = req->r;

    if (req->vary) {
        apr_table_setn(r->err_headers_out, "Vary",
                       merge(r->pool, apr_table_getm(r->pool,
                                                     r->err_headers_out,
                                                     "Vary"), req->vary));
    }
    if (req->unseen) {
        apr_table_setn(r->err_headers_out, "Cache-Control", "private");
    }
    if (ap_is_initial_req(r)) {
        ap_add_output_filter(filter_name, req->unseen ? r : NULL, r,
                             r->connection);
    }
}
