/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the form of a redirect that takes the place of an error. Must not know
 * why. Called by onerror, from within its output filter.
 */
#include "httpd/m307_onerror.h"

#include "apr_strings.h"

static const char note_name[] = "redirect307-error";

int m307_replace_was(const request_rec *r)
{
    return apr_table_get(r->notes, note_name) != NULL;
}

/* What the header fields say of the error, or of its body. */
static void strip(apr_table_t *headers)
{
    static const char *const names[] = {
        "Accept-Ranges", "Age", "Allow", "Authentication-Info",
        "Cache-Control", "Content-Disposition", "Content-Encoding",
        "Content-Language", "Content-Length", "Content-Location",
        "Content-MD5", "Content-Range", "Content-Type", "ETag", "Expires",
        "Last-Modified", "Location", "Pragma", "Proxy-Authenticate",
        "Refresh", "Retry-After", "Trailer", "Transfer-Encoding", "Warning",
        "WWW-Authenticate"
    };
    apr_size_t i;

    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        apr_table_unset(headers, names[i]);
    }
}

/* Of what the handler said only that is kept which an error keeps; see
 * ap_send_error_response(). */
static void set_headers(const m307_onerror_t *state, request_rec *r)
{
    if (state->generated) {
        strip(r->headers_out);
    }
    else {
        apr_table_clear(r->headers_out);
    }
    strip(r->err_headers_out);
    if (!state->is_preflight) {
        apr_table_setn(r->headers_out, "Location", state->location);
        m307_answer_set_caching(&state->req, state->decision.rule,
                                r->err_headers_out);
        m307_loopguard_add_cookie(&state->req, r->err_headers_out);
    }
    r->content_encoding = NULL;
    r->content_languages = NULL;
    r->clength = 0;
    r->mtime = 0;
    r->no_cache = 0;
    r->no_local_copy = 1;
    ap_set_content_type(r, "text/html; charset=iso-8859-1");
}

static void add_body(const request_rec *r, const char *location,
                     apr_bucket_brigade *bb)
{
    const char *link = ap_escape_html(r->pool, location);

    apr_brigade_printf(bb, NULL, NULL,
                       "<!DOCTYPE html>\n<html lang=\"en\"><head>\n"
                       "<title>307 Temporary Redirect</title>\n"
                       "</head><body>\n<h1>Temporary Redirect</h1>\n"
                       "<p>This request is to be repeated at "
                       "<a href=\"%s\">%s</a>.</p>\n</body></html>\n",
                       link, link);
}

/* What became of the preflight is in the log already. */
static void tell_preflight(const m307_onerror_t *state, request_rec *r)
{
    apr_table_setn(r->notes, "redirect307-preflight",
                   r307_rule_name(r->pool, state->decision.rule));
}

static void tell(const m307_onerror_t *state, request_rec *r)
{
    const r307_request_t *core = &state->req.core;
    const char *name = r307_rule_name(r->pool, state->decision.rule);
    const char *why = apr_table_get(state->failed->notes, "error-notes");

    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                  "R307-0420: rule %s sends %s %s to %s in place of the "
                  "error %d%s%s", name, core->method, core->path.raw,
                  state->location, state->status, why ? ": " : "",
                  why ? why : "");
    apr_table_setn(r->notes, "redirect307-rule", name);
    apr_table_setn(r->notes, "redirect307-target", state->location);
    apr_table_setn(r->subprocess_env, "REDIRECT307_RULE", name);
    apr_table_setn(r->subprocess_env, "REDIRECT307_ERROR",
                   apr_itoa(r->pool, state->status));
}

/* Errors of the error page are answered for the request that failed. */
static void note_answered(const m307_onerror_t *state, request_rec *r)
{
    const char *status = apr_itoa(r->pool, state->status);

    apr_table_setn(r->notes, note_name, status);
    apr_table_setn(state->failed->notes, note_name, status);
}

apr_status_t m307_replace_answer(m307_onerror_t *state, ap_filter_t *f,
                                 apr_bucket_brigade *bb)
{
    request_rec *r = f->r;
    apr_status_t rv;

    state->answered = 1;
    apr_brigade_cleanup(bb);
    set_headers(state, r);
    r->status = HTTP_NO_CONTENT;
    r->status_line = NULL;
    if (state->is_preflight) {
        tell_preflight(state, r);
    }
    else {
        tell(state, r);
        r->status = HTTP_TEMPORARY_REDIRECT;
        if (!r->header_only) {
            add_body(r, state->location, bb);
        }
    }
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(
                                    r->connection->bucket_alloc));
    rv = ap_pass_brigade(f->next, bb);
    if (rv == APR_SUCCESS) {
        note_answered(state, r);
    }
    return rv;
}
