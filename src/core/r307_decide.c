/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the order of questions: path, conditions, Location, self. Must not
 * know httpd. Called by the server's hooks and by everything that explains
 * them.
 */
#include "core/r307_decide.h"

#include "core/r307_authority.h"
#include "core/r307_location.h"

#include <apr_strings.h>

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
        "its percent= leaves this request out",
        "none of its choices is for this visitor",
        "it is for other errors",
        "it leads to the request itself",
        "its site cannot be used"
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
    if (when->statuses && !r307_statuses_hold(when->statuses, req->status)) {
        return R307_STEP_STATUS;
    }
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

static void end(r307_decision_t *out, r307_outcome_t outcome,
                const r307_rule_t *rule, const char *reason)
{
    out->outcome = outcome;
    out->rule = rule;
    out->reason = reason;
}

/* 0 when they do not hold, or when that cannot be found out, which is an
 * outcome. Out of line: its variable on the stack would cost every rule with
 * choices a guard of that stack. */
static int __attribute__((noinline)) conditions_hold(
    const r307_request_t *req, const r307_rule_t *rule, r307_decision_t *out)
{
    const r307_conditions_t *when = rule->when;
    r307_step_t step = plain_conditions(req, when);
    int truth = 1;

    if (step == R307_STEP_CHOSEN && when->expr_text) {
        if (!req->server->eval_bool
            || req->server->eval_bool(req->ctx, when->expr, &truth)
               != APR_SUCCESS) {
            end(out, R307_FAILED, rule, "the expression in expr= failed");
            return 0;
        }
        step = truth ? R307_STEP_CHOSEN : R307_STEP_EXPR;
    }
    if (step != R307_STEP_CHOSEN) {
        note(req, rule, step, NULL);
    }
    return step == R307_STEP_CHOSEN;
}

/* ---- splits ---- */

/* Two rules with the same share must not choose the same visitors, and the
 * same rule must choose the same ones on every server. */
static const char *salt_of(const r307_request_t *req,
                           const r307_rule_t *rule)
{
    if (rule->named) {
        return rule->name;
    }
    return rule->kind == R307_RULE_REGEX ? rule->path
        : apr_pstrmemdup(req->pool, rule->path ? rule->path : "",
                         rule->path_len);
}

static int __attribute__((noinline)) in_share(const r307_request_t *req,
                                              const r307_rule_t *rule)
{
    const r307_split_t *split = rule->split;
    const r307_host_t *server = req->server;
    const char *key = NULL;
    apr_size_t len = 0;

    if (split->sticky != R307_STICKY_NONE && server->sticky) {
        key = server->sticky(req->ctx, split, &len);
    }
    if (key) {
        return r307_split_holds(split, key, len, salt_of(req, rule));
    }
    return r307_split_holds_drawn(split, server->draw
                                  ? server->draw(req->ctx) : 0);
}

/* ---- sites ---- */

typedef struct asker_t {
    const r307_request_t *req;
    const r307_rule_t *rule;
} asker_t;

static int is_usable(void *ctx, const r307_site_t *site)
{
    const asker_t *asker = ctx;
    const r307_request_t *req = asker->req;
    const char *why = req->server->site_down
        ? req->server->site_down(req->ctx, site) : NULL;

    if (why && req->server->trace) {
        note(req, asker->rule, R307_STEP_SITE_DOWN,
             apr_pstrcat(req->pool, site->name, ": ", why, NULL));
    }
    return !why;
}

static const r307_site_t *nearest(const r307_request_t *req,
                                  const r307_rule_t *rule,
                                  const r307_facts_t *facts)
{
    asker_t asker = { req, rule };
    r307_site_judge_t judge = { is_usable, &asker };

    return r307_site_nearest(req->sites, facts, &judge, req->pool);
}

/* Who names a site means that site. But a rule for errors is there because
 * something is down, and does not send to what is down as well. */
static int __attribute__((noinline)) is_down(const r307_request_t *req,
                                             const r307_rule_t *rule,
                                             const r307_target_t *target)
{
    asker_t asker = { req, rule };
    const r307_site_t *site =
        r307_site_find(req->sites, target->site, strlen(target->site));

    return site && r307_site_is_watched(site) && !is_usable(&asker, site);
}

static inline int leads_nowhere(const r307_request_t *req,
                                const r307_rule_t *rule,
                                const r307_target_t *target)
{
    return rule->when && rule->when->statuses && target->site
           && is_down(req, rule, target);
}

/* ---- choices ---- */

/* The first choice that holds and has somewhere to go. plain: only selectors
 * that say something of the visitor. */
static inline __attribute__((always_inline))
const r307_target_t *pick(const r307_request_t *req, const r307_rule_t *rule,
                          const r307_facts_t *facts, int plain,
                          const r307_site_t **site)
{
    const r307_choices_t *choices = rule->choices;
    const char *language = r307_choice_language(choices, facts);
    const r307_choice_t *choice = r307_choice_first(choices, facts, plain);
    const r307_choice_t *last = choices->at + choices->n;

    for (; choice < last; choice++) {
        const r307_target_t *target;

        if (!r307_choice_holds(choice, facts, language, plain)) {
            continue;
        }
        target = choice->target;
        if (target->nearest) {
            *site = nearest(req, rule, facts);
            if (*site) {
                return target;
            }
        }
        else if (!leads_nowhere(req, rule, target)) {
            return target;
        }
    }
    return NULL;
}

/* The visitor chose some of what is known: that counts if the rule has
 * something for it, else where they are. */
static const r307_target_t * __attribute__((noinline)) pick_chosen(
    const r307_request_t *req, const r307_rule_t *rule, unsigned fields,
    r307_facts_t *facts, const r307_site_t **site)
{
    const r307_target_t *target = pick(req, rule, facts, 1, site);
    unsigned chosen;

    if (target) {
        return target;
    }
    req->server->facts(req->ctx, fields, 1, facts, &chosen);
    return pick(req, rule, facts, 0, site);
}

/* Where a rule leads that does not lead everybody to the same place, or NULL
 * when it has nothing for this visitor; sets *site for site:nearest. */
static inline const r307_target_t *choose(const r307_request_t *req,
                                          const r307_rule_t *rule,
                                          const r307_site_t **site)
{
    unsigned fields = r307_rule_fields(rule, req->site_fields), chosen = 0;
    r307_facts_t facts;

    if (fields && req->server->facts) {
        req->server->facts(req->ctx, fields, 0, &facts, &chosen);
    }
    else {
        memset(&facts, 0, sizeof facts);
    }
    if (!rule->choices) {
        *site = nearest(req, rule, &facts);
        return *site ? rule->target : NULL;
    }
    return chosen ? pick_chosen(req, rule, fields, &facts, site)
                  : pick(req, rule, &facts, 0, site);
}

/* ---- candidates ---- */

/* What a target that names a site begins with; NULL when the request is to
 * stay here, or there is no such site. */
static const r307_target_t *base_at_site(const r307_request_t *req,
                                         r307_match_t *match,
                                         r307_decision_t *out)
{
    const r307_target_t *target = match->target;

    if (!target->nearest) {
        match->site = r307_site_find(req->sites, target->site,
                                     strlen(target->site));
    }
    if (!match->site) {
        end(out, R307_FAILED, match->rule,
            apr_pstrcat(req->pool, "there is no site ", target->site, NULL));
        return NULL;
    }
    if (match->site->local) {
        end(out, R307_STOP, match->rule, NULL);
        return NULL;
    }
    return match->site->target;
}

/* A candidate that asks for more than a path. Returns what scheme and host
 * come from, NULL when there is no more to be done. */
static const r307_target_t * __attribute__((noinline)) consider_fully(
    r307_request_t *req, r307_match_t *match, r307_decision_t *out)
{
    const r307_rule_t *rule = match->rule;

    if (rule->when && !conditions_hold(req, rule, out)) {
        return NULL;
    }
    if (rule->split && !in_share(req, rule)) {
        note(req, rule, R307_STEP_SPLIT, NULL);
        return NULL;
    }
    if (rule->choices || rule->nearest) {
        match->target = choose(req, rule, &match->site);
        if (!match->target) {
            note(req, rule, R307_STEP_GEO, NULL);
            return NULL;
        }
    }
    else if (leads_nowhere(req, rule, match->target)) {
        return NULL;            /* that has been told */
    }
    if (match->target->site) {
        return base_at_site(req, match, out);
    }
    if (match->target->kind == R307_TARGET_STOP) {
        end(out, R307_STOP, rule, NULL);
        out->target = match->target;
        return NULL;
    }
    return match->target;
}

/* One candidate. Leaves R307_NONE when the rule does not apply after all.
 * What most rules do without is out of their way. */
static inline void consider(r307_request_t *req, r307_match_t *match,
                            r307_decision_t *out)
{
    const r307_rule_t *rule = match->rule;
    const r307_target_t *base = rule->target;

    match->target = base;
    match->site = NULL;
    if (rule->when || rule->split || rule->choices || base->site
        || base->kind == R307_TARGET_STOP) {
        base = consider_fully(req, match, out);
        if (!base) {
            return;
        }
    }
    r307_location_build(req, match, out);
    if (out->outcome == R307_REDIRECT
        && r307_location_is_self(req, base, out->location)) {
        out->outcome = R307_NONE;
        note(req, rule, R307_STEP_SELF, out->location);
        return;
    }
    out->rule = rule;
    out->target = match->target;
}

/* Tell what a rule with `dryrun` would have done, and forget it. */
static void __attribute__((noinline)) tell_and_forget(r307_request_t *req,
                                                      r307_decision_t *out)
{
    if (req->server->would) {
        req->server->would(req->ctx, out);
    }
    memset(out, 0, sizeof *out);
}

static inline __attribute__((always_inline))
void ask(r307_request_t *req, r307_search_t *search, int again,
         r307_decision_t *out)
{
    r307_match_t match;
    apr_status_t rv;

    while ((rv = r307_search_next(search, &match)) != APR_NOTFOUND) {
        if (again && !(match.rule->when && match.rule->when->expr_text)) {
            continue;           /* one with dryrun has been told, too */
        }
        if (rv != APR_SUCCESS) {
            end(out, R307_REFUSED, match.rule, "the regular expression "
                "reached its limit of backtracking on this path");
        }
        else {
            consider(req, &match, out);
        }
        if (out->outcome != R307_NONE) {
            if (!match.rule->dryrun) {
                return;
            }
            tell_and_forget(req, out);
        }
    }
}

void r307_decide(r307_request_t *req, const r307_chain_t *chain,
                 r307_decision_t *out)
{
    r307_search_t search;

    memset(out, 0, sizeof *out);
    r307_search_init(&search, req->host, req->path.uri, req->path.uri_len,
                     &req->scratch, req->pool);
    for (; chain && out->outcome == R307_NONE; chain = chain->next) {
        const r307_ruleset_t *set = chain->set;

        if (chain->changing) {
            set = req->server->current(req->ctx, chain->changing,
                                       &out->reason);
            if (out->reason) {
                out->outcome = R307_FAILED;
                return;
            }
        }
        if (set && r307_search_begin(&search, set, req->server->thorough,
                                     req->ctx)) {
            ask(req, &search,
                req->asked && r307_chain_holds(req->asked, chain), out);
        }
    }
}

/* ---- once more ---- */

static int is_rule(const r307_rule_t *a, const r307_rule_t *b)
{
    return a == b || (a->line == b->line && strcmp(a->file, b->file) == 0);
}

/* Look for the rule among the candidates of one set. */
static int find_again(r307_request_t *req, r307_search_t *search,
                      const r307_rule_t *rule, r307_match_t *match)
{
    r307_decision_t ignored;
    apr_status_t rv;

    while ((rv = r307_search_next(search, match)) != APR_NOTFOUND) {
        if (rv == APR_SUCCESS && is_rule(match->rule, rule)) {
            match->target = match->rule->target;
            match->site = NULL;
            (void)consider_fully(req, match, &ignored);
            return match->target != NULL;
        }
    }
    return 0;
}

int r307_decide_match(r307_request_t *req, const r307_chain_t *chain,
                      const r307_rule_t *rule, r307_match_t *match)
{
    r307_search_t search;
    int found = 0;

    r307_search_init(&search, req->host, req->path.uri, req->path.uri_len,
                     &req->scratch, req->pool);
    for (; chain && !found; chain = chain->next) {
        const r307_ruleset_t *set = chain->set;
        const char *reason = NULL;

        if (chain->changing) {
            set = req->server->current(req->ctx, chain->changing, &reason);
        }
        if (!reason && set
            && r307_search_begin(&search, set, req->server->thorough,
                                 req->ctx)) {
            found = find_again(req, &search, rule, match);
        }
    }
    return found;
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
