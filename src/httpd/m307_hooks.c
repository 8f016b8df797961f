/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns when rules are asked. Must not know how a decision is made or
 * answered.
 *
 * translate_name sees the rules of <Location> and <If>, then the server's:
 * before anything is mapped. fixups sees those of <Directory>, <Files> and
 * .htaccess as well, which are known only then.
 */
#include "httpd/m307.h"

/* What one hook leaves for the next, and for requests that follow from this
 * one; only made when there is something to say. */
typedef struct state_t {
    const char *uri;            /* the path that was asked about */
    const r307_chain_t *asked;  /* directory sets that were asked */
    int settled;                /* a rule applied and the request passes */
} state_t;

static int is_engine_off(const request_rec *r)
{
    return m307_config_dir(r)->engine == M307_ENGINE_OFF;
}

/* Requests that name no path here: "OPTIONS *", CONNECT's authority-form,
 * and what a client asks of us as its forward proxy. */
static int is_out_of_reach(request_rec *r)
{
    const request_rec *first = m307_request_original(r);

    return !r->uri || r->uri[0] != '/' || first->method_number == M_CONNECT
           || first->proxyreq == PROXYREQ_PROXY;
}

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

static void trace(void *ctx, const r307_rule_t *rule, r307_step_t step,
                  const char *detail)
{
    const m307_request_t *req = ctx;

    if (step == R307_STEP_SELF && APLOG_R_IS_LEVEL(req->r, APLOG_INFO)) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, req->r,
                      "R307-0407: rule %s does not apply: it would send %s "
                      "%s to itself (%s)",
                      r307_rule_label(req->r->pool, rule), req->r->method,
                      req->r->uri, detail);
    }
    else if (step != R307_STEP_SELF && step != R307_STEP_CHOSEN) {
        ap_log_rerror(APLOG_MARK, APLOG_TRACE1, 0, req->r,
                      "R307-0408: rule %s does not apply to %s %s: %s",
                      rule->name, req->r->method, req->r->uri,
                      r307_step_text(step));
    }
}

static void decide(m307_request_t *req, const r307_chain_t *chain,
                   const r307_chain_t *asked, r307_decision_t *decision)
{
    req->core.asked = asked;
    req->core.trace = trace;
    r307_decide(&req->core, chain, decision);
}

static void remember(request_rec *r, const r307_chain_t *asked, int settled)
{
    state_t *state = apr_palloc(r->pool, sizeof *state);

    state->uri = r->uri;
    state->asked = asked;
    state->settled = settled;
    ap_set_module_config(r->request_config, &redirect307_module, state);
}

int m307_hooks_translate(request_rec *r)
{
    const m307_rules_t *section = &m307_config_dir(r)->rules;
    const r307_chain_t *server = section->cut ? NULL
        : m307_config_server(r->server)->rules.chain;
    r307_decision_t decision = { R307_NONE, NULL, NULL, NULL };
    m307_request_t req;
    int answer;

    if ((!section->chain && !server) || is_out_of_reach(r)
        || is_engine_off(r) || is_settled(r)) {
        return DECLINED;
    }
    m307_request_init(&req, r);
    if (section->chain) {
        decide(&req, section->chain, NULL, &decision);
    }
    if (decision.outcome == R307_NONE && server) {
        decide(&req, server, NULL, &decision);
    }
    answer = m307_answer(&req, &decision);
    if (answer == OK || section->chain) {
        remember(r, section->chain, answer == OK);
    }
    return answer == OK ? DECLINED : answer;
}

int m307_hooks_fixups(request_rec *r)
{
    const r307_chain_t *chain = m307_config_dir(r)->rules.chain;
    const r307_chain_t *asked = NULL;
    const state_t *state;
    r307_decision_t decision;
    m307_request_t req;
    int answer;

    if (!chain || is_out_of_reach(r) || is_engine_off(r) || is_settled(r)) {
        return DECLINED;
    }
    state = state_of(r);
    if (state && strcmp(state->uri, r->uri) == 0) {
        asked = state->asked;
    }
    m307_request_init(&req, r);
    decide(&req, chain, asked, &decision);
    answer = m307_answer(&req, &decision);
    if (answer == OK) {
        remember(r, NULL, 1);   /* for the index of the directory */
        return DECLINED;
    }
    return answer;
}
