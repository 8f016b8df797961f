/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns how a request that nobody made is decided about: the same chains and
 * the same decide() as in the hooks, on a request_rec that is made up from
 * the one that asks. Must not answer, log or count. Called by the status
 * page.
 *
 * What is made up: method, URL, Host, and what follows from them (virtual
 * host, sections). All other fields, the address and the connection are
 * those of the request that asks.
 */
#include "httpd/m307_status.h"

#include "apr_lib.h"
#include "apr_strings.h"
#include "apr_uri.h"

#define METHOD_MAX 32

/* Sections are walked with notes; httpd has a handful. */
#define NOTES_MAX 64

/* req is first: the core hands its address to all callbacks. */
typedef struct asking_t {
    m307_request_t req;
    r307_host_t host;
    m307_explained_t *out;
} asking_t;

static void add(apr_array_header_t *list, const char *text)
{
    APR_ARRAY_PUSH(list, const char *) = text;
}

static void note_step(void *ctx, const r307_rule_t *rule, r307_step_t step,
                      const char *detail)
{
    const asking_t *a = ctx;
    apr_pool_t *pool = a->req.r->pool;

    add(a->out->steps,
        apr_psprintf(pool, "%s: %s%s%s", r307_rule_label(pool, rule),
                     r307_step_text(step), detail ? " at " : "",
                     detail ? detail : ""));
}

static int is_thorough(void *ctx)
{
    (void)ctx;
    return 1;
}

static void note_would(void *ctx, const r307_decision_t *d)
{
    const asking_t *a = ctx;
    apr_pool_t *pool = a->req.r->pool;

    add(a->out->steps,
        apr_psprintf(pool, "%s: dry run, would %s",
                     r307_rule_label(pool, d->rule),
                     d->outcome == R307_REDIRECT
                     ? apr_pstrcat(pool, "send to ", d->location, NULL)
                     : d->outcome == R307_STOP ? "let the request pass"
                     : d->reason));
}

/* ---- the request ---- */

static const char *parse_method(const char **text, apr_pool_t *pool)
{
    apr_size_t n = 0;

    while (apr_isalpha((*text)[n]) || (*text)[n] == '-') {
        n++;
    }
    if (n == 0 || n > METHOD_MAX || (*text)[n] != ' ') {
        return "GET";
    }
    *text += n + 1;
    return apr_pstrmemdup(pool, *text - n - 1, n);
}

static const char *bad_url(const char *url, const apr_uri_t *uri,
                           apr_status_t rv)
{
    const char *s;

    for (s = url; *s; s++) {
        if (!apr_isgraph(*s)) {
            return "write the URL as a client sends it: what is no visible "
                   "ASCII character as %XX";
        }
    }
    if (rv != APR_SUCCESS || (uri->scheme && !uri->hostname)
        || (uri->hostname && !*uri->hostname)
        || (!uri->scheme && *url != '/')) {
        return "write a method and a URL, such as 'GET /shop/item?id=1' or "
               "'POST https://www.example.com/form'";
    }
    return NULL;
}

/* The parts of httpd's own record of a request that sections need. */
static void fresh_config(request_rec *q)
{
    core_request_config *core =
        apr_pmemdup(q->pool, ap_get_core_module_config(q->request_config),
                    sizeof *core);

    core->notes = apr_pcalloc(q->pool, NOTES_MAX * sizeof *core->notes);
    q->request_config = ap_create_request_config(q->pool);
    ap_set_core_module_config(q->request_config, core);
}

/* r307_slashes_t */
static int slashes_of(const request_rec *q)
{
    const core_dir_config *dir =
        ap_get_core_module_config(q->per_dir_config);
    const core_server_config *server =
        ap_get_core_module_config(q->server->module_config);

    return (dir->allow_encoded_slashes && dir->decode_encoded_slashes
            ? 0 : R307_SLASHES_KEEP)
        | (server->merge_slashes != AP_CORE_CONFIG_OFF
           ? R307_SLASHES_MERGE : 0);
}

static void set_host(request_rec *q, const apr_uri_t *uri)
{
    char *host = apr_pstrdup(q->pool, uri->hostname);

    ap_str_tolower(host);
    q->hostname = host;
    apr_table_setn(q->headers_in, "Host",
                   uri->port_str ? apr_pstrcat(q->pool, host, ":",
                                               uri->port_str, NULL) : host);
    ap_update_vhost_from_headers(q);
}

static int has_encoded_slash(const request_rec *q)
{
    const char *s = q->unparsed_uri, *end = s + strcspn(s, "?");

    while (s < end && strncasecmp(s, "%2f", 3) != 0) {
        s++;
    }
    return s < end;
}

/* NULL, or what httpd does with such a URL before any rule is asked. */
static const char *refusal(const request_rec *q, r307_path_t *path)
{
    const core_dir_config *dir =
        ap_get_core_module_config(q->per_dir_config);

    if (q->status != HTTP_OK
        || r307_path_from_raw(path, q->pool, q->unparsed_uri, slashes_of(q))
           != APR_SUCCESS) {
        return "httpd answers 400 to such a URL before any rule is asked";
    }
    return !dir->allow_encoded_slashes && has_encoded_slash(q)
        ? "httpd answers 404 to %2F before any rule is asked "
          "(AllowEncodedSlashes)" : NULL;
}

/* NULL, and why in *refused: no rule would be asked. */
static request_rec *make_up(request_rec *r, const char *method,
                            const apr_uri_t *uri, const char **refused)
{
    request_rec *q = apr_pmemdup(r->pool, r, sizeof *r);
    r307_path_t path;

    q->method = method;
    q->method_number = ap_method_number_of(method);
    q->header_only = strcmp(method, "HEAD") == 0;
    q->main = q->prev = q->next = NULL;
    q->headers_in = apr_table_copy(r->pool, r->headers_in);
    q->headers_out = apr_table_make(r->pool, 4);
    q->err_headers_out = apr_table_make(r->pool, 4);
    q->notes = apr_table_make(r->pool, 4);
    q->subprocess_env = apr_table_copy(r->pool, r->subprocess_env);
    q->handler = NULL;
    q->status = HTTP_OK;
    fresh_config(q);
    if (uri->hostname) {
        set_host(q, uri);
    }
    q->per_dir_config = q->server->lookup_defaults;
    q->unparsed_uri = apr_uri_unparse(r->pool, uri,
                                      APR_URI_UNP_OMITSITEPART);
    q->unparsed_uri = *q->unparsed_uri == '/' ? q->unparsed_uri
        : apr_pstrcat(r->pool, "/", q->unparsed_uri, NULL);
    q->args = uri->query;
    memset(&q->parsed_uri, 0, sizeof q->parsed_uri);
    *refused = refusal(q, &path);
    if (*refused) {
        return NULL;
    }
    q->uri = apr_pstrmemdup(r->pool, path.uri, path.uri_len);
    q->parsed_uri.path = q->uri;
    q->parsed_uri.query = q->args;
    return q;
}

/* ---- deciding ---- */

static void begin(asking_t *a, request_rec *q, m307_explained_t *out)
{
    a->req.dir = m307_config_dir(q);
    a->req.server = m307_config_server(q->server);
    m307_request_init(&a->req, q);
    a->host = *a->req.core.server;
    a->host.trace = note_step;
    a->host.would = note_would;
    a->host.thorough = is_thorough;
    a->req.core.server = &a->host;
    a->out = out;
}

static void end(asking_t *a)
{
    if (a->req.held) {
        m307_version_release(a->req.first_held.version);
        m307_request_done(&a->req);
    }
}

static void conclude(const asking_t *a, const r307_decision_t *d)
{
    static const struct {
        int status;
        const char *text;
    } outcomes[] = {
        { 0, "no rule applies: the request passes on" },
        { 0, "a rule says that there is no redirect: the request passes on" },
        { HTTP_TEMPORARY_REDIRECT, "redirected" },
        { HTTP_NOT_FOUND, "refused" },
        { HTTP_REQUEST_URI_TOO_LARGE, "refused: the answer is too long" },
        { HTTP_INTERNAL_SERVER_ERROR, "a rule cannot be computed" }
    };
    m307_explained_t *out = a->out;
    apr_pool_t *pool = a->req.r->pool;

    out->status = outcomes[d->outcome].status;
    out->outcome = outcomes[d->outcome].text;
    if (d->reason) {
        out->outcome = apr_pstrcat(pool, out->outcome, ": ", d->reason, NULL);
    }
    if (d->rule) {
        out->rule = apr_pstrdup(pool, r307_rule_label(pool, d->rule));
    }
    if (d->outcome == R307_REDIRECT) {
        out->location = d->location;
    }
    if (d->outcome != R307_NONE
        && a->req.dir->engine == M307_ENGINE_DRYRUN) {
        out->outcome = apr_pstrcat(pool, "dry run, the request passes on; "
                                   "otherwise: ", out->outcome, NULL);
        out->status = 0;
    }
}

/* The same order as in translate_name. 0: nothing applies. */
static int ask_server(request_rec *q, m307_explained_t *out)
{
    r307_decision_t d = { .outcome = R307_NONE };
    asking_t *a = apr_palloc(q->pool, sizeof *a);
    const m307_dir_conf_t *dir = m307_config_dir(q);
    const r307_chain_t *server = dir->rules.cut ? NULL
        : m307_config_server(q->server)->rules.chain;

    if (dir->engine == M307_ENGINE_OFF) {
        out->outcome = "Redirect307Engine is Off here";
        return 1;
    }
    begin(a, q, out);
    if (dir->rules.chain) {
        r307_decide(&a->req.core, dir->rules.chain, &d);
    }
    if (d.outcome == R307_NONE && server) {
        r307_decide(&a->req.core, server, &d);
    }
    conclude(a, &d);
    end(a);
    return d.outcome != R307_NONE;
}

/* What <Directory>, <Files> and .htaccess say is known to a subrequest that
 * is looked up and not run. */
static void ask_directories(request_rec *r, request_rec *q,
                            m307_explained_t *out)
{
    const r307_chain_t *asked = m307_config_dir(q)->rules.chain;
    r307_decision_t d = { .outcome = R307_NONE };
    asking_t *a = apr_palloc(q->pool, sizeof *a);
    request_rec *found;

    m307_hooks_settle(r);       /* our own hooks let it pass */
    found = ap_sub_req_method_uri(q->method, q->unparsed_uri, r, NULL);
    if (found->status != HTTP_OK) {
        add(out->limits,
            apr_psprintf(r->pool, "httpd itself answers %d before rules of "
                         "<Directory>, <Files> and .htaccess are asked",
                         found->status));
        return;
    }
    q->per_dir_config = found->per_dir_config;
    q->filename = found->filename;
    q->finfo = found->finfo;
    if (m307_config_dir(q)->rules.chain
        && m307_config_dir(q)->engine != M307_ENGINE_OFF) {
        begin(a, q, out);
        a->req.core.asked = asked;
        r307_decide(&a->req.core, m307_config_dir(q)->rules.chain, &d);
        conclude(a, &d);
        end(a);
    }
}

static void explain(request_rec *r, const apr_uri_t *uri,
                    m307_explained_t *out)
{
    request_rec *q = make_up(r, out->method, uri, &out->error);

    if (!q) {
        return;
    }
    out->server = q->server->is_virtual ? q->server->server_hostname
                                        : "main server";
    if (uri->scheme && strcmp(uri->scheme, ap_http_scheme(r)) != 0) {
        add(out->limits, "it is decided as if it had come by the scheme and "
            "the port of this page");
    }
    if (ap_location_walk(q) != OK || ap_if_walk(q) != OK) {
        out->error = "the sections <Location> and <If> cannot be evaluated";
        return;
    }
    if (!ask_server(q, out)) {
        if (q->server == r->server) {
            ask_directories(r, q, out);
        }
        else {
            add(out->limits, "rules of <Directory>, <Files> and .htaccess "
                "are not looked at: they belong to another virtual host "
                "than this page");
        }
    }
    if (q->method_number == M_OPTIONS || m307_config_dir(q)->cors) {
        add(out->limits, "CORS preflights: OPTIONS is explained as a "
            "request of its own, not as one that asks for another");
    }
    add(out->limits, "rules of Redirect307OnError are asked only when there "
        "is an error");
    add(out->limits, "address and request fields, but for Host, are those "
        "of this page's request");
}

m307_explained_t *m307_explain(request_rec *r, const char *text)
{
    m307_explained_t *out = apr_pcalloc(r->pool, sizeof *out);
    apr_uri_t uri;
    apr_status_t rv;

    out->steps = apr_array_make(r->pool, 8, sizeof(const char *));
    out->limits = apr_array_make(r->pool, 4, sizeof(const char *));
    while (*text == ' ') {
        text++;
    }
    out->method = parse_method(&text, r->pool);
    while (*text == ' ') {
        text++;
    }
    out->url = text;
    rv = apr_uri_parse(r->pool, text, &uri);
    out->error = bad_url(text, &uri, rv);
    if (!out->error) {
        explain(r, &uri, out);
    }
    return out;
}
