/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns whether an error is replaced by a redirect, and the log of it. Must
 * not know filters. Called by onerror.
 *
 * Where it failed decides which rules there are; what the client asked for
 * decides where it is sent to.
 */
#include "httpd/m307_onerror.h"

#include "httpd/m307_counters.h"

#include "apr_strings.h"
#include "mod_core.h"

static const r307_chain_t *chain_of(const m307_rules_t *rules)
{
    return rules ? rules->chain : NULL;
}

int m307_onerror_configured(const request_rec *failed)
{
    const m307_dir_conf_t *dir = m307_config_dir(failed);

    return dir->engine != M307_ENGINE_OFF
           && (dir->onerror
               || (!dir->rules.cut
                   && m307_config_server(failed->server)->onerror));
}

/* What names no path here, see hooks. */
static int is_out_of_reach(const request_rec *first)
{
    return !first->uri || first->uri[0] != '/' || first->assbackwards
           || first->method_number == M_CONNECT
           || first->proxyreq == PROXYREQ_PROXY;
}

/* httpd gave up while it read the request, before it looked for anything by
 * its path: what was read may be half of it. */
static int is_unread(const request_rec *failed)
{
    static const int statuses[] = {
        HTTP_BAD_REQUEST, HTTP_REQUEST_TIME_OUT, HTTP_LENGTH_REQUIRED,
        HTTP_REQUEST_URI_TOO_LARGE, HTTP_EXPECTATION_FAILED, 431,
        HTTP_NOT_IMPLEMENTED, HTTP_VERSION_NOT_SUPPORTED
    };
    apr_size_t i;

    for (i = 0; !failed->filename
                && i < sizeof statuses / sizeof statuses[0]; i++) {
        if (failed->status == statuses[i]) {
            return 1;
        }
    }
    return 0;
}

/* ---- ErrorDocument with a URL ---- */

/* The first error that the rules are for and that httpd would answer by
 * sending the client to location; 0 for none. */
static int error_sent_to(request_rec *r, const r307_statuses_t *statuses,
                         const char *location)
{
    int status;

    for (status = R307_STATUS_MIN; status <= R307_STATUS_MAX; status++) {
        int index = ap_index_of_response(status);
        const char *document;

        if (!r307_statuses_hold(statuses, status)
            || (status != HTTP_INTERNAL_SERVER_ERROR
                && index == ap_index_of_response(
                                HTTP_INTERNAL_SERVER_ERROR))) {
            continue;
        }
        document = ap_response_code_string(r, index);
        if (document && strcmp(document, location) == 0) {
            return status;
        }
    }
    return 0;
}

static int error_in_chain(request_rec *r, const r307_chain_t *chain,
                          const char *location)
{
    int i, status = 0;

    for (; chain && !status; chain = chain->next) {
        for (i = 0; i < r307_ruleset_count(chain->set) && !status; i++) {
            status = error_sent_to(r, r307_ruleset_at(chain->set, i)
                                          ->when->statuses, location);
        }
    }
    return status;
}

/* httpd answers 302 in place of an error that has such an ErrorDocument, and
 * does not say which error it was. */
static int error_of(request_rec *r, const r307_chain_t *section,
                    const r307_chain_t *server)
{
    const char *location;
    int status;

    if (r->status != HTTP_MOVED_TEMPORARILY) {
        return r->status;
    }
    location = apr_table_get(r->headers_out, "Location");
    if (!location) {
        return 0;
    }
    status = error_in_chain(r, section, location);
    return status ? status : error_in_chain(r, server, location);
}

/* ---- the decision ---- */

/* While an error page is made for it, a request's method is GET. */
static const char *method_of(const request_rec *failed)
{
    const char *method = failed->next
        ? apr_table_get(failed->subprocess_env, "REQUEST_METHOD") : NULL;

    return method ? method : failed->method;
}

static void prepare(m307_onerror_t *state, request_rec *failed)
{
    m307_request_t *req = &state->req;
    const request_rec *first = m307_request_original(failed);
    r307_path_t path;

    req->dir = m307_config_dir(failed);
    req->server = m307_config_server(failed->server);
    m307_request_init(req, failed);
    if (r307_path_from_raw(&path, failed->pool,
                           req->core.server->self(req)->path,
                           R307_SLASHES_KEEP) == APR_SUCCESS) {
        req->core.path = path;
    }
    req->core.query = first->parsed_uri.query;
    req->core.method = method_of(failed);
    if (strcmp(req->core.method, "OPTIONS") == 0) {
        m307_cors_look(req);
    }
    req->core.status = state->status;
}

/* Expressions see the request as the client made it, or as it will be made
 * after a preflight. */
static void ask(m307_onerror_t *state, const r307_chain_t *section,
                const r307_chain_t *server)
{
    r307_request_t *core = &state->req.core;
    request_rec *failed = state->failed;
    const char *method = failed->method;
    int status = failed->status;

    failed->method = core->method;
    failed->status = state->status;
    r307_decide(core, section, &state->decision);
    if (state->decision.outcome == R307_NONE) {
        r307_decide(core, server, &state->decision);
    }
    failed->method = method;
    failed->status = status;
}

static const char *rule_label(const m307_onerror_t *state)
{
    return r307_rule_label(state->failed->pool, state->decision.rule);
}

static int dry_run(m307_onerror_t *state, request_rec *r)
{
    const r307_request_t *core = &state->req.core;

    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, state->failed,
                  "R307-0421: dry run: rule %s would send %s %s, which is "
                  "answered %d, to %s", rule_label(state), core->method,
                  core->path.raw, state->status, state->decision.location);
    m307_dryrun_tell(&state->req, &state->decision, r);
    m307_count_decision(&state->req, &state->decision, R307_TOTAL_DRY,
                        state->status);
    return 0;
}

static int is_second(m307_onerror_t *state)
{
    const r307_request_t *core = &state->req.core;

    if (!m307_loopguard_is_marked(&state->req)) {
        return 0;
    }
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, state->failed,
                  "R307-0422: rule %s leaves %s %s with its error %d: the "
                  "request has been sent on by such a rule already",
                  rule_label(state), core->method, core->path.raw,
                  state->status);
    return 1;
}

static int give_up(const m307_onerror_t *state)
{
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, state->failed,
                  "R307-0423: rule %s leaves %s %s with its error %d: %s",
                  rule_label(state), state->req.core.method,
                  state->req.core.path.raw, state->status,
                  state->decision.reason);
    return 0;
}

/* A preflight is never redirected. Where it may be answered, what it is about
 * will be redirected when it comes. */
static int answer_preflight(m307_onerror_t *state)
{
    int status = m307_cors_answer(&state->req, &state->decision);

    state->is_preflight = 1;
    return status == HTTP_NO_CONTENT;
}

static int follows(m307_onerror_t *state, request_rec *r)
{
    m307_request_t *req = &state->req;

    switch (state->decision.outcome) {
    case R307_NONE:
    case R307_STOP:
        return 0;
    case R307_REDIRECT:
        if (is_second(state)) {
            return 0;
        }
        if (req->preflight) {
            return answer_preflight(state);
        }
        return req->dir->engine == M307_ENGINE_DRYRUN ? dry_run(state, r) : 1;
    default:
        return give_up(state);
    }
}

int m307_onerror_decide(m307_onerror_t *state, request_rec *r)
{
    request_rec *failed = state->failed;
    const m307_dir_conf_t *dir = m307_config_dir(failed);
    const r307_chain_t *section = chain_of(dir->onerror);
    const r307_chain_t *server = dir->rules.cut ? NULL
        : chain_of(m307_config_server(failed->server)->onerror);

    if (state->asked == r->status) {
        return state->redirects;
    }
    state->asked = r->status;
    state->redirects = 0;
    if ((r->status < R307_STATUS_MIN
         && !(state->generated && r->status == HTTP_MOVED_TEMPORARILY))
        || is_out_of_reach(m307_request_original(failed))
        || is_unread(failed)) {
        return 0;
    }
    state->status = error_of(r, section, server);
    if (!state->status) {
        return 0;
    }
    prepare(state, failed);
    ask(state, section, server);
    state->redirects = follows(state, r);
    if (!state->is_preflight && (state->req.vary || state->req.unseen)) {
        m307_caching_tell(&state->req, !state->redirects);
    }
    if (state->redirects) {
        m307_count_decision(&state->req, &state->decision,
                            R307_TOTAL_REDIRECT, state->status);
        state->location =
            m307_loopguard_location(&state->req, state->decision.location);
        m307_answer_spare_body(r, state->req.server->drain);
    }
    return state->redirects;
}
