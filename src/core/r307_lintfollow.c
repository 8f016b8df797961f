/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns following a rule: the request that it is for, the Location that it
 * gives, and what this server answers to that. Must not know how rules are
 * found or decided. Declared in r307_lint.h.
 */
#include "core/r307_lint.h"

#include "core/r307_location.h"

#include <apr_strings.h>

#include <string.h>
#include <strings.h>

typedef struct walker_t {
    r307_lint_t *lint;
    r307_request_t req;
    r307_self_t self;
} walker_t;

/* ---- the core's questions ---- */

static const r307_self_t *self(void *ctx)
{
    return &((walker_t *)ctx)->self;
}

/* Path-only, so that own Locations are known by their slash. */
static const char *base(void *ctx)
{
    (void)ctx;
    return NULL;
}

static const r307_ruleset_t *current(void *ctx, void *changing,
                                     const char **reason)
{
    r307_lint_t *lint = ((walker_t *)ctx)->lint;

    return lint->current(lint->ctx, changing, reason);
}

static const r307_host_t host = { .self = self, .base = base,
                                  .current = current };

/* ---- requests ---- */

/* A method that the rule is for. */
static const char *some_method(const r307_rule_t *rule)
{
    const r307_conditions_t *when = rule->when;

    return when && when->methods && !when->methods_negated
        ? APR_ARRAY_IDX(when->methods, 0, const char *)
        : when && when->methods ? "POST" : "GET";
}

static const char *some_host(const walker_t *w, const r307_rule_t *rule)
{
    const apr_array_header_t *hosts = rule->when && rule->when->hosts
        ? rule->when->hosts : w->lint->own_hosts;
    const r307_host_pattern_t *first;

    if (!hosts || !hosts->nelts) {
        return NULL;
    }
    first = &APR_ARRAY_IDX(hosts, 0, r307_host_pattern_t);
    return apr_pstrcat(w->lint->pool, first->subdomains ? "x." : "",
                       first->name, NULL);
}

static void begin(walker_t *w, r307_lint_t *lint, const r307_rule_t *rule)
{
    memset(w, 0, sizeof *w);
    w->lint = lint;
    w->req.pool = lint->pool;
    w->req.method = some_method(rule);
    w->req.host = some_host(w, rule);
    w->req.now = lint->now;
    w->req.allowed_hosts = lint->allowed_hosts;
    w->req.sites = lint->sites;
    w->req.site_fields = r307_site_fields(lint->sites);
    w->req.server = &host;
    w->req.ctx = w;
    w->self.scheme = "http";
    w->self.host = w->req.host;
    w->self.port = 80;
}

/* The client's form of the path is needed to know itself again. */
static void ask_for(walker_t *w, const char *uri)
{
    r307_buf_t buf;

    r307_buf_init(&buf, w->lint->pool, strlen(uri) + 16, R307_LOCATION_MAX);
    r307_encode_data(&buf, uri, strlen(uri), R307_IN_PATH);
    memset(&w->req.path, 0, sizeof w->req.path);
    w->req.path.uri = uri;
    w->req.path.uri_len = strlen(uri);
    w->req.path.raw = r307_buf_string(&buf);
    w->req.query = NULL;
    w->self.path = w->req.path.raw;
    w->self.query = NULL;
}

/* ---- Locations ---- */

static int is_own(const walker_t *w, const char *name, apr_size_t len)
{
    return w->lint->own_hosts
           && r307_host_pattern_any(w->lint->own_hosts, name, len);
}

/* Make the request for a Location; 0 when it goes to somebody else. */
static int take_location(walker_t *w, const char *location)
{
    apr_size_t scheme = 0;
    r307_authority_t a;
    const char *path = location, *why, *query;

    if (*location != '/') {
        apr_size_t len;
        if (!r307_target_scheme(location, &scheme)) {
            return 0;
        }
        len = strcspn(location + scheme, "/?#");
        if (r307_authority_parse(location + scheme, len, &a, &why)
            != APR_SUCCESS || !is_own(w, a.host, a.host_len)) {
            return 0;
        }
        w->req.host = w->self.host = apr_pstrmemdup(w->lint->pool, a.host,
                                                    a.host_len);
        path = location + scheme + len;
        path = *path == '/' ? path : apr_pstrcat(w->lint->pool, "/", path,
                                                 NULL);
    }
    path = apr_pstrmemdup(w->lint->pool, path, strcspn(path, "#"));
    query = strchr(path, '?');
    if (r307_path_from_raw(&w->req.path, w->lint->pool, path,
                           R307_SLASHES_MERGE) != APR_SUCCESS) {
        return 0;
    }
    w->req.query = w->self.query = query ? query + 1 : NULL;
    w->self.path = path;
    return 1;
}

static const char *first_location(walker_t *w, const r307_rule_t *rule)
{
    r307_decision_t decision;
    r307_match_t match;

    memset(&match, 0, sizeof match);
    memset(&decision, 0, sizeof decision);
    match.rule = rule;
    match.target = rule->target;
    match.rest = rule->kind == R307_RULE_PREFIX ? rule->path_len : 0;
    if (rule->kind == R307_RULE_REGEX) {
        match.rest = w->req.path.uri_len;
    }
    r307_location_build(&w->req, &match, &decision);
    return decision.outcome == R307_REDIRECT ? decision.location : NULL;
}

/* ---- following ---- */

/* Can one say without a request where it leads? */
static int is_plain(const r307_rule_t *rule)
{
    const r307_target_t *t = rule->target;
    int i;

    if (rule->choices || rule->kind == R307_RULE_SECTION
        || (t->kind != R307_TARGET_PATH && t->kind != R307_TARGET_URL)
        || t->computed_host) {
        return 0;
    }
    for (i = 0; i < t->nparts; i++) {
        if (t->parts[i].kind != R307_PART_TEXT) {
            return 0;
        }
    }
    return 1;
}

static void tell_loop(walker_t *w, const r307_rule_t *rule, const char *uri,
                      const char *location)
{
    r307_lint_tell(w->lint, rule, "loop", apr_psprintf(
        w->lint->pool, "%s is sent to %s, and from there on and on; clients "
        "give up after %d redirects", uri, location, R307_LINT_HOPS_MAX),
        "let the target lie outside of what the rules cover, or write a "
        "rule for it with the target -");
}

static void tell_chain(walker_t *w, const r307_rule_t *rule, int hops,
                       const char *last)
{
    r307_lint_tell(w->lint, rule, "chain", apr_psprintf(
        w->lint->pool, "its target is redirected again: %d redirects until "
        "%s", hops + 1, last),
        apr_psprintf(w->lint->pool, "write %s", last));
}

static int was_there(const apr_array_header_t *seen, const char *location)
{
    int i;

    for (i = 0; i < seen->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(seen, i, const char *), location) == 0) {
            return 1;
        }
    }
    return 0;
}

/* From the Location of the rule on. */
static void follow(walker_t *w, const r307_rule_t *rule, const char *uri,
                   const char *first)
{
    apr_array_header_t *seen = apr_array_make(w->lint->pool, 4,
                                              sizeof(const char *));
    const char *location = first;
    r307_decision_t decision;
    int hops;

    for (hops = 0; hops < R307_LINT_HOPS_MAX; hops++) {
        if (was_there(seen, location)) {
            tell_loop(w, rule, uri, first);
            return;
        }
        APR_ARRAY_PUSH(seen, const char *) = location;
        if (!take_location(w, location)) {
            break;
        }
        w->lint->matches += w->lint->regexes;
        r307_decide(&w->req, w->lint->chain, &decision);
        if (decision.outcome != R307_REDIRECT) {
            break;
        }
        location = decision.location;
    }
    if (hops == R307_LINT_HOPS_MAX) {
        tell_loop(w, rule, uri, first);
    }
    else if (hops > 0) {
        tell_chain(w, rule, hops, location);
    }
}

void r307_lint_follow(r307_lint_t *lint, const r307_rule_t *rule)
{
    const char *uri, *location;
    walker_t w;

    if (!lint->chain || !is_plain(rule)
        || (rule->target->kind == R307_TARGET_URL && !lint->own_hosts)) {
        return;
    }
    if (lint->matches > R307_LINT_MATCHES_MAX) {
        lint->not_followed++;
        return;
    }
    begin(&w, lint, rule);
    uri = rule->kind == R307_RULE_REGEX ? "/"
        : apr_pstrmemdup(lint->pool, rule->path, rule->path_len);
    ask_for(&w, uri);
    location = first_location(&w, rule);
    if (!location) {
        return;
    }
    if (rule->kind != R307_RULE_REGEX
        && r307_location_is_self(&w.req, rule->target, location)) {
        r307_lint_tell(lint, rule, "self", apr_psprintf(
            lint->pool, "%s is sent to itself; such an answer is left out "
            "and the next rule is asked", uri), "remove it, or write where "
            "it is to lead");
        return;
    }
    follow(&w, rule, rule->kind == R307_RULE_REGEX
           ? r307_lint_path(lint->pool, rule) : uri, location);
}
