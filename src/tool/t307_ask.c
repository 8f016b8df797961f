/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the order in which rules are asked, as the server's hooks do it, and
 * what follows from a decision for the answer. Must not know how it is shown.
 * Called by explain.
 */
#include "tool/t307_host.h"

#include <apr_strings.h>

#include <string.h>
#include <strings.h>

/* Expressions that one decision may want to know: each is asked once more. */
#define ASSUMPTIONS_MAX 1000

static void fill_request(t307_ask_t *ask)
{
    r307_request_t *core = &ask->core;

    memset(core, 0, sizeof *core);
    core->pool = ask->pool;
    core->path = ask->url.path;
    core->query = ask->url.query;
    core->method = ask->given->method;
    core->host = ask->url.host;
    core->now = ask->given->now;
    core->allowed_hosts = ask->server->allowed_hosts;
    core->sites = ask->server->sites;
    core->site_fields = r307_site_fields(core->sites);
    core->server = &t307_host_callbacks;
    core->ctx = ask;
    ask->self.scheme = ask->url.scheme;
    ask->self.host = ask->url.host;
    ask->self.port = ask->url.port;
    ask->self.path = ask->url.path.raw;
    ask->self.query = ask->url.query;
}

static void begin(t307_ask_t *ask)
{
    fill_request(ask);
    apr_array_clear(ask->steps);
    ask->vary = NULL;
    ask->unseen = ask->drawn = ask->asked_facts = ask->has_match = 0;
    ask->fields = 0;
    ask->disbelieved = NULL;
    ask->undecided = NULL;
    ask->dry = NULL;
    memset(&ask->decision, 0, sizeof ask->decision);
}

/* As the hooks do: sections, server; then directories. */
static void decide_once(t307_ask_t *ask)
{
    t307_scope_t *scope = &ask->scope;

    begin(ask);
    ask->engine = scope->engine;
    ask->relative = scope->relative;
    if (scope->engine != T307_ENGINE_OFF) {
        r307_decide(&ask->core, scope->sections, &ask->decision);
        if (ask->decision.outcome == R307_NONE) {
            r307_decide(&ask->core, scope->server, &ask->decision);
        }
    }
    if (ask->decision.outcome != R307_NONE
        || scope->late_engine == T307_ENGINE_OFF) {
        return;
    }
    ask->engine = scope->late_engine;
    ask->relative = scope->late_relative;
    ask->core.asked = scope->engine == T307_ENGINE_OFF ? NULL
                                                       : scope->sections;
    r307_decide(&ask->core, scope->directories, &ask->decision);
}

/* How the rule matched: its chain is one of the three. */
static void find_match(t307_ask_t *ask)
{
    const r307_chain_t *chains[3] = { ask->scope.sections, ask->scope.server,
                                      ask->scope.directories };
    r307_captures_t *captures = &ask->match.captures;
    int i;

    ask->replays = 1;
    for (i = 0; i < 3 && ask->decision.rule && !ask->has_match; i++) {
        ask->has_match = r307_decide_match(&ask->core, chains[i],
                                           ask->decision.rule, &ask->match);
    }
    ask->replays = 0;
    if (ask->has_match && ask->match.rule->kind == R307_RULE_REGEX) {
        captures->at = apr_pmemdup(ask->pool, captures->at,
                                   (apr_size_t)captures->count * 2
                                   * sizeof *captures->at);
    }
}

/* What was said of the rule, or false. */
static void assume(t307_ask_t *ask, const r307_rule_t *rule)
{
    const char *name = r307_rule_name(ask->pool, rule);
    const char *value = apr_table_get(ask->given->assumed, name);
    const void **key;

    if (!value) {
        value = apr_table_get(ask->given->assumed,
                              apr_psprintf(ask->pool, "%s:%u", rule->file,
                                           (unsigned)rule->line));
    }
    t307_host_note(ask->notes, apr_psprintf(
        ask->pool, "expr= of rule %s is taken to be %s%s",
        r307_rule_label(ask->pool, rule),
        value && strcasecmp(value, "true") == 0 ? "true" : "false",
        value ? ", as --assume says"
              : apr_psprintf(ask->pool, "; --assume %s=true for the other "
                             "case", name)));
    key = apr_pmemdup(ask->pool, &ask->undecided, sizeof ask->undecided);
    apr_hash_set(ask->exprs, key, sizeof *key,
                 value && strcasecmp(value, "true") == 0 ? "1" : "");
}

static void init(t307_ask_t *ask)
{
    ask->steps = apr_array_make(ask->pool, 16, sizeof(t307_step_t));
    ask->notes = apr_array_make(ask->pool, 4, sizeof(const char *));
    ask->broken = apr_array_make(ask->pool, 4, sizeof(const char *));
    ask->scope.used = apr_array_make(ask->pool, 0,
                                     sizeof(const t307_section_t *));
    ask->scope.open = apr_array_make(ask->pool, 0, sizeof(const char *));
    ask->exprs = apr_hash_make(ask->pool);
}

void t307_ask_decide(t307_ask_t *ask)
{
    int i;

    init(ask);
    ask->server = t307_pick_server(ask->model, &ask->url);
    ask->barred = t307_pick_path(ask->pool, ask->server, &ask->url);
    if (ask->barred) {
        return;
    }
    t307_scope_find(ask->pool, ask->model, ask->server, &ask->url,
                    &ask->scope);
    for (i = 0; i < ASSUMPTIONS_MAX; i++) {
        const r307_rule_t *rule;

        decide_once(ask);
        rule = ask->dry ? ask->dry
            : ask->decision.outcome == R307_FAILED ? ask->decision.rule
            : NULL;
        if (!ask->undecided || !rule) {
            break;
        }
        assume(ask, rule);
    }
    find_match(ask);
}

/* ---- the answer ---- */

int t307_ask_status(const t307_ask_t *ask)
{
    if (ask->barred) {
        return strstr(ask->barred, "404") ? 404 : 400;
    }
    if (ask->engine == T307_ENGINE_DRYRUN) {
        return 0;
    }
    switch (ask->decision.outcome) {
    case R307_REDIRECT:
        return 307;
    case R307_REFUSED:
        return 404;
    case R307_TOO_LONG:
        return 414;
    case R307_FAILED:
        return 500;
    default:
        return 0;
    }
}

const char *t307_ask_cache_control(const t307_ask_t *ask)
{
    const r307_decision_t *d = &ask->decision;
    int seconds = R307_CACHE_UNSET;

    if (t307_ask_status(ask) == 307) {
        seconds = r307_decide_cache(d->rule, ask->given->now);
    }
    return seconds == R307_CACHE_NO_STORE ? "no-store"
        : seconds >= 0 ? apr_psprintf(ask->pool, ask->unseen
                                      ? "private, max-age=%d"
                                      : "max-age=%d", seconds)
        : ask->unseen ? "private" : NULL;
}
