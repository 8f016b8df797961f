/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns when rules are asked. Must not know how a decision is made or
 * answered.
 *
 * translate_name sees the rules of <Location> and <If>, then the server's:
 * before anything is mapped. fixups sees those of <Directory>, <Files> and
 * .htaccess as well, which are known only then.
 */
#include "httpd/m307_table.h"

/* What one hook leaves for the next, and for requests that follow from this
 * one; only made when there is something to say. */
typedef struct state_t {
    const char *uri;            /* the path that was asked about */
    const r307_chain_t *asked;  /* directory sets that were asked */
    int settled;                /* a rule applied and the request passes */
} state_t;

static const state_t *state_of(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &redirect307_module);
}

/* A rule has let the client's request pass; then the index of its directory
 * and its error page pass, too. */
static int is_settled(const request_rec *r)
{
    for (; r; r = r->main ? r->main : r->prev) {
        const state_t *state = state_of(r);
        if (state && state->settled) {
            return 1;
        }
    }
    return 0;
}

/* Not for us: the engine is off; the request names no path here ("OPTIONS *",
 * CONNECT's authority-form, what a client asks of us as its forward proxy);
 * or it is settled. */
static inline int is_out_of_reach(request_rec *r, const m307_dir_conf_t *dir)
{
    const request_rec *first = r;

    if (r->main || r->prev) {
        if (is_settled(r)) {
            return 1;
        }
        first = m307_request_original(r);
    }
    return dir->engine == M307_ENGINE_OFF || !r->uri || r->uri[0] != '/'
           || first->method_number == M_CONNECT
           || first->proxyreq == PROXYREQ_PROXY;
}

void m307_hooks_trace(void *ctx, const r307_rule_t *rule, r307_step_t step,
                      const char *detail)
{
    request_rec *r = ((const m307_request_t *)ctx)->r;

    if (step == R307_STEP_SELF) {
        if (APLOG_R_IS_LEVEL(r, APLOG_INFO)) {
            ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                          "R307-0407: rule %s does not apply: it would send "
                          "%s %s to itself (%s)",
                          r307_rule_label(r->pool, rule), r->method, r->uri,
                          detail);
        }
    }
    else if (!APLOG_R_IS_LEVEL(r, APLOG_TRACE1)) {
        return;
    }
    else if (step == R307_STEP_SITE_DOWN) {
        ap_log_rerror(APLOG_MARK, APLOG_TRACE1, 0, r,
                      "R307-0441: rule %s passes over the site %s",
                      r307_rule_name(r->pool, rule), detail);
    }
    else {
        ap_log_rerror(APLOG_MARK, APLOG_TRACE1, 0, r,
                      "R307-0408: rule %s does not apply to %s %s: %s",
                      r307_rule_name(r->pool, rule), r->method, r->uri,
                      r307_step_text(step));
    }
}

int m307_hooks_traces(void *ctx)
{
    const m307_request_t *req = ctx;

    return APLOG_R_IS_LEVEL(req->r, APLOG_TRACE1);
}

/* Returns what m307_answer() does. Most requests are no concern of any rule
 * and end here. */
static inline int answer_and_release(m307_request_t *req,
                                     const r307_decision_t *decision)
{
    int answer = DECLINED;

    if (decision->outcome != R307_NONE || req->vary || req->unseen) {
        answer = req->preflight ? m307_cors_answer(req, decision)
                                : m307_answer(req, decision);
    }
    if (req->held) {
        m307_version_release(req->first_held.version);
        if (req->held != &req->first_held) {
            m307_request_done(req);
        }
    }
    return answer;
}

static void remember(request_rec *r, const r307_chain_t *asked, int settled)
{
    state_t *state = apr_palloc(r->pool, sizeof *state);

    state->uri = r->uri;
    state->asked = asked;
    state->settled = settled;
    ap_set_module_config(r->request_config, &redirect307_module, state);
}

void m307_hooks_settle(request_rec *r)
{
    remember(r, NULL, 1);
}

static int __attribute__((noinline)) ask_server(
    request_rec *r, const m307_dir_conf_t *dir,
    const m307_server_conf_t *conf, const r307_chain_t *server)
{
    m307_request_t req;
    const r307_chain_t *section = dir->rules.chain;
    r307_decision_t decision;
    int answer;

    if (is_out_of_reach(r, dir)) {
        return DECLINED;
    }
    req.dir = dir;
    req.server = conf;
    m307_request_init(&req, r);
    decision.outcome = R307_NONE;
    if (section) {
        r307_decide(&req.core, section, &decision);
    }
    if (decision.outcome == R307_NONE && server) {
        r307_decide(&req.core, server, &decision);
    }
    answer = answer_and_release(&req, &decision);
    if (answer == OK || section) {
        remember(r, section, answer == OK);
    }
    return answer == OK ? DECLINED : answer;
}

/* Costs servers and sections without rules next to nothing. */
int m307_hooks_translate(request_rec *r)
{
    const m307_dir_conf_t *dir = m307_config_dir(r);
    const m307_server_conf_t *conf = m307_config_server(r->server);
    const r307_chain_t *server = dir->rules.cut ? NULL : conf->rules.chain;

    return dir->rules.chain || server ? ask_server(r, dir, conf, server)
                                      : DECLINED;
}

static int __attribute__((noinline)) ask_directories(request_rec *r,
                                                     const m307_dir_conf_t *dir)
{
    m307_request_t req;
    const r307_chain_t *asked = NULL;
    const state_t *state = state_of(r);
    r307_decision_t decision;
    int answer;

    if (is_out_of_reach(r, dir) || (state && state->settled)) {
        return DECLINED;
    }
    if (state && strcmp(state->uri, r->uri) == 0) {
        asked = state->asked;
    }
    req.dir = dir;
    req.server = m307_config_server(r->server);
    m307_request_init(&req, r);
    req.core.asked = asked;
    r307_decide(&req.core, dir->rules.chain, &decision);
    answer = answer_and_release(&req, &decision);
    if (answer == OK) {
        remember(r, NULL, 1);   /* for the index of the directory */
        return DECLINED;
    }
    return answer;
}

int m307_hooks_fixups(request_rec *r)
{
    const m307_dir_conf_t *dir = m307_config_dir(r);

    return dir->rules.chain ? ask_directories(r, dir) : DECLINED;
}
