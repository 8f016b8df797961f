/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what client and log get of a decision. Must not decide. Called by the
 * hooks.
 *
 * Header fields go to err_headers_out: of headers_out a redirect keeps
 * nothing but Location (ap_send_error_response).
 */
#include "httpd/m307_counters.h"

#include "apr_strings.h"
#include "mod_core.h"

void m307_answer_set_caching(const m307_request_t *req,
                             const r307_rule_t *rule, apr_table_t *headers)
{
    request_rec *r = req->r;
    int seconds = r307_decide_cache(rule, r->request_time);

    if (seconds == R307_CACHE_NO_STORE) {
        apr_table_setn(headers, "Cache-Control", "no-store");
    }
    else if (seconds != R307_CACHE_UNSET) {
        apr_table_setn(headers, "Cache-Control",
                       apr_psprintf(r->pool, req->unseen
                                    ? "private, max-age=%d" : "max-age=%d",
                                    seconds));
    }
    if (rule->retry_after != R307_RETRY_UNSET) {
        apr_table_setn(headers, "Retry-After",
                       apr_itoa(r->pool, rule->retry_after));
    }
}

/* What most requests have no use for is out of line: it would cost them the
 * guard of its variable on the stack. */
static int __attribute__((noinline)) is_beyond(const char *length,
                                               apr_off_t limit)
{
    apr_off_t bytes;

    return !ap_parse_strict_length(&bytes, length)
           || bytes > (limit == M307_UNSET ? M307_DRAIN_DEFAULT : limit);
}

/* limit: M307_UNSET for the default */
static int is_large_body(const request_rec *r, apr_off_t limit)
{
    const char *length;

    if (apr_table_get(r->headers_in, "Transfer-Encoding")) {
        return 1;
    }
    length = apr_table_get(r->headers_in, "Content-Length");
    return length && is_beyond(length, limit);
}

/* The stream of HTTP/2 counts as a connection that is to be closed, so httpd
 * would not read even a small body, and would reset the stream while the
 * client still sends. */
static void __attribute__((noinline)) drain_stream(request_rec *r)
{
    conn_rec *c = r->connection;
    ap_conn_keepalive_e keepalive = c->keepalive;

    c->keepalive = AP_CONN_UNKNOWN;
    (void)ap_discard_request_body(r);
    c->keepalive = keepalive;
}

/*
 * httpd reads the whole request body before it sends an answer that no
 * handler made, unless the connection is to be closed anyway. For a large
 * body that is what is wanted: the answer leaves at once, and the lingering
 * close keeps it from being lost to a reset.
 */
void m307_answer_spare_body(request_rec *r, apr_off_t limit)
{
    if (r->expecting_100 || is_large_body(r, limit)) {
        r->connection->keepalive = AP_CONN_CLOSE;
    }
    else if (r->connection->master && !r->main) {
        drain_stream(r);
    }
}

/* The rule's name for as long as the request lives; what belongs to a table
 * goes with the table's version. */
static const char *lasting_name(const m307_request_t *req,
                                const r307_rule_t *rule)
{
    if (!rule->name) {
        return r307_rule_name(req->r->pool, rule);
    }
    return req->held ? apr_pstrdup(req->r->pool, rule->name) : rule->name;
}

/* Nothing sets these but this file, once a request, so they need no search
 * for an earlier value. */
static void note_rule(request_rec *r, const char *name)
{
    apr_table_addn(r->notes, "redirect307-rule", name);
    apr_table_addn(r->subprocess_env, "REDIRECT307_RULE", name);
}

#define PAGE_BEGIN DOCTYPE_HTML_4_01 \
    "<html><head>\n<title>307 Temporary Redirect</title>\n</head><body>\n" \
    "<h1>Temporary Redirect</h1>\n<p>The document has moved <a href=\""
#define PAGE_LINKED "\">here</a>.</p>\n"
#define PAGE_END "</body></html>\n"

/*
 * The page that httpd would send as well. It writes it in pieces, and looks
 * at each byte of Location whether it has to be escaped, which costs more
 * than all of a decision; a URL has little that could have to be.
 * ErrorDocument goes before it.
 */
static void write_page(request_rec *r, const char *location)
{
    const char *sign, *url = location;
    apr_size_t url_len, sign_len;
    char *page, *to;

    if (r->header_only
        || ap_response_code_string(
               r, ap_index_of_response(HTTP_TEMPORARY_REDIRECT))) {
        return;
    }
    url_len = strcspn(location, "&<>\"");
    if (location[url_len]) {
        url = ap_escape_html(r->pool, location);
        url_len = strlen(url);
    }
    sign = ap_psignature("<hr>\n", r);
    sign_len = strlen(sign);
    page = apr_palloc(r->pool, sizeof PAGE_BEGIN + url_len
                      + sizeof PAGE_LINKED + sign_len + sizeof PAGE_END);
    to = (char *)memcpy(page, PAGE_BEGIN, sizeof PAGE_BEGIN - 1)
        + sizeof PAGE_BEGIN - 1;
    to = (char *)memcpy(to, url, url_len) + url_len;
    to = (char *)memcpy(to, PAGE_LINKED, sizeof PAGE_LINKED - 1)
        + sizeof PAGE_LINKED - 1;
    to = (char *)memcpy(to, sign, sign_len) + sign_len;
    memcpy(to, PAGE_END, sizeof PAGE_END);
    ap_custom_response(r, HTTP_TEMPORARY_REDIRECT, page);
}

static int redirect(m307_request_t *req, const r307_decision_t *d)
{
    request_rec *r = req->r;
    const char *name = lasting_name(req, d->rule);

    if (APLOG_R_IS_LEVEL(r, APLOG_DEBUG)) {
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r,
                      "R307-0401: rule %s sends %s %s to %s", name, r->method,
                      r->uri, d->location);
    }
    if (apr_is_empty_table(r->headers_out)) {
        apr_table_addn(r->headers_out, "Location", d->location);
    }
    else {
        apr_table_setn(r->headers_out, "Location", d->location);
    }
    apr_table_addn(r->notes, "redirect307-target", d->location);
    note_rule(r, name);
    if (d->rule->cache != R307_CACHE_UNSET
        || d->rule->retry_after != R307_RETRY_UNSET) {
        m307_answer_set_caching(req, d->rule, r->err_headers_out);
    }
    m307_answer_spare_body(r, req->server->drain);
    write_page(r, d->location);
    return HTTP_TEMPORARY_REDIRECT;
}

static int pass(m307_request_t *req, const r307_decision_t *d)
{
    request_rec *r = req->r;
    const char *name = lasting_name(req, d->rule);

    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r,
                  "R307-0402: rule %s lets %s %s pass", name, r->method,
                  r->uri);
    note_rule(r, name);
    return OK;
}

static int refuse(request_rec *r, const r307_decision_t *d)
{
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                  "R307-0404: rule %s does not answer %s %s: %s",
                  r307_rule_label(r->pool, d->rule), r->method, r->uri,
                  d->reason);
    return HTTP_NOT_FOUND;
}

static int too_long(request_rec *r, const r307_decision_t *d)
{
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                  "R307-0405: rule %s does not answer %s: %s",
                  r307_rule_label(r->pool, d->rule), r->method, d->reason);
    return HTTP_REQUEST_URI_TOO_LARGE;
}

static int fail(request_rec *r, const r307_decision_t *d)
{
    if (!d->rule) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "R307-0409: %s %s cannot be answered: %s", r->method,
                      r->uri, d->reason);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  "R307-0406: rule %s cannot answer %s %s: %s",
                  r307_rule_label(r->pool, d->rule), r->method, r->uri,
                  d->reason);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int answer(m307_request_t *req, const r307_decision_t *decision)
{
    switch (decision->outcome) {
    case R307_NONE:
        return DECLINED;
    case R307_STOP:
        return pass(req, decision);
    case R307_REFUSED:
        return refuse(req->r, decision);
    case R307_TOO_LONG:
        return too_long(req->r, decision);
    default:
        return fail(req->r, decision);
    }
}

/* Will there be an answer that is not ours? */
static int passes(const r307_decision_t *decision, int dry)
{
    return dry || decision->outcome == R307_NONE
           || decision->outcome == R307_STOP;
}

int m307_answer(m307_request_t *req, const r307_decision_t *decision)
{
    static const r307_total_t totals[] = {
        R307_TOTALS, R307_TOTAL_STOP, R307_TOTAL_REDIRECT,
        R307_TOTAL_REFUSED, R307_TOTAL_REFUSED, R307_TOTAL_FAILED
    };
    int dry = req->dir->engine == M307_ENGINE_DRYRUN;
    int status;

    if (req->vary || req->unseen) {
        m307_caching_tell(req, passes(decision, dry));
    }
    if (dry && decision->outcome != R307_NONE && decision->rule) {
        m307_dryrun_would(req, decision);
        return OK;
    }
    if (decision->outcome == R307_REDIRECT) {
        status = redirect(req, decision);
        m307_count_redirect(req, decision);
        return status;
    }
    if (decision->outcome != R307_NONE) {
        m307_count_decision(req, decision, totals[decision->outcome], 0);
    }
    status = answer(req, decision);
    return dry && status != DECLINED ? OK : status;
}
