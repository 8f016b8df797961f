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

/* Set when hooks are registered. */
static ap_filter_rec_t *handle;

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

/* What is written for the case that no content comes. */
static const char own_private[] = "private";

static int add_line(void *ctx, const char *name, const char *value)
{
    (void)name;
    if (value != own_private) {
        APR_ARRAY_PUSH((apr_array_header_t *)ctx, const char *) = value;
    }
    return 1;
}

/* All lines of a field in one, NULL without any. */
static const char *whole(apr_pool_t *pool, const request_rec *r,
                         const char *name)
{
    apr_array_header_t *lines = apr_array_make(pool, 4, sizeof(char *));
    const char *all = "";
    int i;

    apr_table_do(add_line, lines, r->headers_out, name, NULL);
    apr_table_do(add_line, lines, r->err_headers_out, name, NULL);
    for (i = 0; i < lines->nelts; i++) {
        all = apr_pstrcat(pool, all, i ? ", " : "",
                          APR_ARRAY_IDX(lines, i, const char *), NULL);
    }
    return i ? all : NULL;
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
 * be stored anyway, and private="field" is not the whole answer (RFC 9111
 * section 5.2.2.7). A CGI's fields are in err_headers_out, too. */
static void merge_private(request_rec *r)
{
    const char *all = whole(r->pool, r, "Cache-Control");

    if (!all) {
        all = own_private;
    }
    else if (!ap_find_list_item(r->pool, all, "no-store")
             && !ap_find_list_item(r->pool, all, "private")) {
        all = apr_pstrcat(r->pool, all, ", private", NULL);
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
    handle = ap_register_output_filter("REDIRECT307_CACHING", filter, NULL,
                                       AP_FTYPE_CONTENT_SET + 1);
}

static void add_vary(request_rec *r, const char *fields)
{
    if (apr_is_empty_table(r->err_headers_out)) {
        apr_table_addn(r->err_headers_out, "Vary", fields);
        return;
    }
    apr_table_setn(r->err_headers_out, "Vary",
                   merge(r->pool, apr_table_getm(r->pool, r->err_headers_out,
                                                 "Vary"), fields));
}

void m307_caching_tell(m307_request_t *req, int passes)
{
    request_rec *r = req->r;

    if (req->vary) {
        add_vary(r, req->vary);
    }
    if (req->unseen) {
        (apr_is_empty_table(r->err_headers_out) ? apr_table_addn
                                                : apr_table_setn)(
            r->err_headers_out, "Cache-Control", own_private);
    }
    if (passes && ap_is_initial_req(r)) {
        ap_add_output_filter_handle(handle, req->unseen ? r : NULL, r,
                                    r->connection);
    }
}
