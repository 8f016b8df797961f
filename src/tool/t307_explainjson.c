/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the JSON form of an explained decision (docs/guide.md has the members).
 * Must not decide.
 */
#include "tool/t307_explain.h"

#include "core/r307_pieces.h"

#include <apr_strings.h>

#include <string.h>

/* Requests and rule files may hold bytes that are no UTF-8. */
static json_t *text(apr_pool_t *pool, const char *s, apr_size_t len)
{
    json_t *string = json_stringn(s, len);
    r307_error_t err = { pool, NULL };

    return string ? string : json_string(r307_error_show(&err, s, len));
}

static void set(apr_pool_t *pool, json_t *to, const char *name,
                const char *value)
{
    json_object_set_new(to, name, value ? text(pool, value, strlen(value))
                                        : json_null());
}

static json_t *rule_json(apr_pool_t *pool, const r307_rule_t *rule)
{
    json_t *out = json_object();

    set(pool, out, "name", r307_rule_name(pool, rule));
    set(pool, out, "file", rule->file);
    json_object_set_new(out, "line", json_integer((unsigned)rule->line));
    set(pool, out, "rule", t307_explain_rule(pool, rule));
    return out;
}

static json_t *considered(const t307_ask_t *ask)
{
    json_t *list = json_array(), *one;
    int i;

    for (i = 0; i < ask->steps->nelts; i++) {
        const t307_step_t *s = &APR_ARRAY_IDX(ask->steps, i, t307_step_t);
        one = rule_json(ask->pool, s->rule);
        json_object_set_new(one, "applies", json_false());
        set(ask->pool, one, "why", s->would ? s->would
                                            : r307_step_text(s->step));
        json_array_append_new(list, one);
    }
    if (ask->decision.rule) {
        one = rule_json(ask->pool, ask->decision.rule);
        json_object_set_new(one, "applies", json_true());
        set(ask->pool, one, "why", ask->decision.reason);
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *facts(const t307_ask_t *ask)
{
    json_t *out = json_object();
    int i;

    for (i = 0; ask->asked_facts && i < R307_FIELDS; i++) {
        json_t *one;
        if (!(ask->fields & R307_FIELD_BIT(i))) {
            continue;
        }
        one = json_object();
        set(ask->pool, one, "value", t307_explain_fact(
            ask->pool, &ask->facts, (r307_field_t)i));
        set(ask->pool, one, "source", ask->said[i]
            ? r307_geosource_text(ask->said[i], ask->pool) : NULL);
        json_object_set_new(out, r307_geofield_name((r307_field_t)i), one);
    }
    return out;
}

static json_t *pieces(t307_ask_t *ask)
{
    apr_array_header_t *all = r307_pieces_find(&ask->core, &ask->match,
                                               ask->decision.location);
    json_t *list = json_array();
    int i;

    for (i = 0; i < all->nelts; i++) {
        const r307_piece_t *p = &APR_ARRAY_IDX(all, i, r307_piece_t);
        json_t *one = json_object();
        set(ask->pool, one, "from", r307_piece_name(p->kind));
        json_object_set_new(one, "text", text(
            ask->pool, ask->decision.location + p->from, p->len));
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *headers(const t307_ask_t *ask, int status)
{
    const r307_decision_t *d = &ask->decision;
    const char *cache = t307_ask_cache_control(ask);
    json_t *out = json_object();

    if (status == 307) {
        set(ask->pool, out, "Location", d->location);
    }
    if (ask->vary) {
        set(ask->pool, out, "Vary", ask->vary);
    }
    if (cache) {
        set(ask->pool, out, "Cache-Control", cache);
    }
    if (status == 307 && d->rule->retry_after != R307_RETRY_UNSET) {
        set(ask->pool, out, "Retry-After", apr_itoa(ask->pool,
                                                    d->rule->retry_after));
    }
    return out;
}

static json_t *texts(apr_pool_t *pool, const apr_array_header_t *from)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < from->nelts; i++) {
        const char *s = APR_ARRAY_IDX(from, i, const char *);
        json_array_append_new(list, text(pool, s, strlen(s)));
    }
    return list;
}

static const char *outcome(const t307_ask_t *ask)
{
    static const char *const names[] = {
        "none", "stop", "redirect", "refused", "too-long", "failed"
    };

    return names[ask->decision.outcome];
}

json_t *t307_explain_json(t307_ask_t *ask)
{
    int status = t307_ask_status(ask);
    json_t *out = json_object();

    set(ask->pool, out, "method", ask->given->method);
    set(ask->pool, out, "url", ask->url.text);
    set(ask->pool, out, "server", ask->server->name);
    set(ask->pool, out, "outcome", ask->barred ? "barred" : outcome(ask));
    set(ask->pool, out, "barred", ask->barred);
    json_object_set_new(out, "dry_run", json_boolean(
        ask->engine == T307_ENGINE_DRYRUN));
    json_object_set_new(out, "status", status ? json_integer(status)
                                              : json_null());
    json_object_set_new(out, "headers", headers(ask, status));
    set(ask->pool, out, "location", ask->decision.location);
    json_object_set_new(out, "pieces",
                        ask->decision.outcome == R307_REDIRECT
                        ? pieces(ask) : json_array());
    set(ask->pool, out, "site", ask->has_match && ask->match.site
        ? ask->match.site->name : NULL);
    json_object_set_new(out, "rules", considered(ask));
    json_object_set_new(out, "facts", facts(ask));
    json_object_set_new(out, "assumed", texts(ask->pool, ask->notes));
    json_object_set_new(out, "drawn", json_boolean(ask->drawn));
    json_object_set_new(out, "problems", texts(ask->pool, ask->broken));
    json_object_set_new(out, "not_covered", texts(ask->pool,
                                                  ask->scope.open));
    return out;
}
