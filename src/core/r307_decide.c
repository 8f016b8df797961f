/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the order of questions: path, conditions, Location, self. Must not
 * know httpd. Called by the server's hooks and by everything that explains
 * them.
 */
#include "core/r307_decide.h"

#include "core/r307_authority.h"
#include "core/r307_location.h"

static void note(const r307_request_t *req, const r307_rule_t *rule,
                 r307_step_t step, const char *detail)
{
    if (req->server->trace) {
        req->server->trace(req->ctx, rule, step, detail);
    }
}

const char *r307_step_text(r307_step_t step)
{
    static const char *const texts[] = {
        "its methods= excludes this method",
        "its host= does not name this host",
        "its from= lies ahead",
        "its until= has passed",
        "its expr= is false",
        "it leads to the request itself"
    };

    return texts[step];
}

static int method_holds(const r307_conditions_t *when, const char *method)
{
    int i;

    for (i = 0; i < when->methods->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(when->methods, i, const char *), method)
            == 0) {
            return !when->methods_negated;
        }
    }
    return when->methods_negated;
}

static int host_holds(const r307_conditions_t *when, const char *host)
{
    return host && r307_host_pattern_any(when->hosts, host, strlen(host));
}

/* R307_STEP_CHOSEN when all that needs no callback holds. */
static r307_step_t plain_conditions(const r307_request_t *req,
                                    const r307_conditions_t *when)
{
    if (when->methods && !method_holds(when, req->method)) {
        return R307_STEP_METHOD;
    }
    if (when->hosts && !host_holds(when, req->host)) {
        return R307_STEP_HOST;
    }
    if (when->from && req->now < when->from) {
        return R307_STEP_NOT_YET;
    }
    if (when->until && req->now >= when->until) {
        return R307_STEP_EXPIRED;
    }
    return R307_STEP_CHOSEN;
}

static apr_status_t conditions(const r307_request_t *req,
                               const r307_rule_t *rule, r307_step_t *step)
{
    const r307_conditions_t *when = rule->when;
    int truth = 1;

    *step = R307_STEP_CHOSEN;
    if (!when) {
        return APR_SUCCESS;
    }
    *step = plain_conditions(req, when);
    if (*step == R307_STEP_CHOSEN && when->expr_text) {
        if (!req->server->eval_bool
            || req->server->eval_bool(req->ctx, when->expr, &truth)
               != APR_SUCCESS) {
            return APR_EGENERAL;
        }
        if (!truth) {
            *step = R307_STEP_EXPR;
        }
    }
    return APR_SUCCESS;
}

static void end(r307_decision_t *out, r307_outcome_t outcome,
                const r307_rule_t *rule, const char *reason)
{
    out->outcome = outcome;
    out->rule = rule;
    out->reason = reason;
}

/* One candidate. Leaves R307_NONE when the rule does not apply after all. */
static void consider(r307_request_t *req, const r307_match_t *match,
                     r307_decision_t *out)
{
    const r307_rule_t *rule = match->rule;
    r307_step_t step;

    if (conditions(req, rule, &step) != APR_SUCCESS) {
        end(out, R307_FAILED, rule, "the expression in expr= failed");
        return;
    }
    if (step == R307_STEP_CHOSEN
        && rule->target->kind != R307_TARGET_STOP) {
        r307_location_build(req, match, out);
        if (out->outcome == R307_REDIRECT
            && r307_location_is_self(req, rule->target, out->location)) {
            step = R307_STEP_SELF;
            out->outcome = R307_NONE;
        }
    }
    if (step != R307_STEP_CHOSEN) {
        note(req, rule, step, step == R307_STEP_SELF ? out->location : NULL);
        return;
    }
    out->rule = rule;
    if (rule->target->kind == R307_TARGET_STOP) {
        out->outcome = R307_STOP;
    }
}

static void __attribute__((noinline)) ask(r307_request_t *req,
                                          r307_search_t *search, int again,
                                          r307_decision_t *out)
{
    r307_match_t match;
    apr_status_t rv;

    while ((rv = r307_search_next(search, &match)) == APR_SUCCESS) {
        if (again && !(match.rule->when && match.rule->when->expr_text)) {
            continue;
        }
        consider(req, &match, out);
        if (out->outcome != R307_NONE) {
            return;
        }
    }
    if (rv == APR_ENOSPC) {
        end(out, R307_REFUSED, match.rule, "the regular expression reached "
            "its limit of backtracking on this path");
    }
}

void r307_decide(r307_request_t *req, const r307_chain_t *chain,
                 r307_decision_t *out)
{
    r307_search_t search;

    memset(out, 0, sizeof *out);
    for (; chain && out->outcome == R307_NONE; chain = chain->next) {
        const r307_ruleset_t *set = chain->set;
        const char *reason = NULL;

        if (chain->changing
            && req->server->current(req->ctx, chain->changing, &set, &reason)
               != APR_SUCCESS) {
            end(out, R307_FAILED, NULL, reason);
        }
        else if (set && r307_search_begin(&search, set, req->host,
                                          req->path.uri, req->path.uri_len,
                                          req->thorough, &req->scratch,
                                          req->pool)) {
            ask(req, &search,
                req->asked && r307_chain_holds(req->asked, chain), out);
        }
    }
}

int r307_decide_cache(const r307_rule_t *rule, apr_time_t now)
{
    apr_time_t left;

    if (rule->cache < 0 || !rule->when || !rule->when->until) {
        return rule->cache;
    }
    left = apr_time_sec(rule->when->until - now);
    return left < rule->cache ? (int)left : rule->cache;
}
