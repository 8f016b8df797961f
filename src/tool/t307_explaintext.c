/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the text form of an explained decision, and the words that both forms
 * have for rules and facts. Must not decide.
 */
#include "tool/t307_explain.h"

#include "core/r307_pieces.h"

#include <apr_strings.h>

#include <string.h>

/* ---- words about rules and facts ---- */

static const char *target_text(apr_pool_t *pool, const r307_target_t *t)
{
    const char *text = "";
    int i;

    if (t->written) {
        return t->written;
    }
    if (t->kind == R307_TARGET_STOP) {
        return "-";
    }
    for (i = 0; i < t->nparts; i++) {
        text = apr_pstrcat(pool, text, apr_pstrmemdup(
            pool, t->parts[i].text, t->parts[i].len), NULL);
    }
    return text;
}

const char *t307_explain_rule(apr_pool_t *pool, const r307_rule_t *rule)
{
    const char *path = !rule->path ? "(the section)"
        : rule->kind == R307_RULE_REGEX
          ? apr_pstrcat(pool, "~", rule->path, NULL)
        : apr_pstrmemdup(pool, rule->path, rule->path_len);

    return rule->choices
        ? apr_psprintf(pool, "%s geo, %d choices", path, rule->choices->n)
        : apr_pstrcat(pool, path, " ", target_text(pool, rule->target),
                      rule->kind == R307_RULE_EXACT ? " exact" : "", NULL);
}

const char *t307_explain_fact(apr_pool_t *pool, const r307_facts_t *facts,
                              r307_field_t field)
{
    switch (field) {
    case R307_FIELD_COUNTRY:
        return facts->tor ? "tor"
            : facts->country ? facts->country->code : NULL;
    case R307_FIELD_REGION:
        return facts->region[0] ? apr_pstrdup(pool, facts->region) : NULL;
    case R307_FIELD_CONTINENT:
        return r307_continent_code(facts->continent);
    case R307_FIELD_CITY:
        return facts->city;
    case R307_FIELD_LATLONG:
        return facts->known_position == 3
            ? apr_psprintf(pool, "%.4f,%.4f", facts->latitude,
                           facts->longitude) : NULL;
    case R307_FIELD_LANGUAGE:
        return facts->language;
    default:
        return NULL;
    }
}

/* ---- text ---- */

static void label(t307_t *t, const char *name)
{
    fprintf(t->out, "  %s%-10s%s ", t307_paint(t, T307_DIM), name,
            t307_paint(t, T307_PLAIN));
}

static void print_where(t307_t *t, const t307_ask_t *ask)
{
    int i;

    if (!ask->model->from_server) {
        return;
    }
    label(t, "server");
    fprintf(t->out, "%s%s\n", ask->server->name ? ask->server->name
            : "(no name)", !ask->server->is_virtual
            ? ", the main server"
            : apr_psprintf(ask->pool, ", %s:%d", ask->server->file,
                           ask->server->line));
    for (i = 0; i < ask->scope.used->nelts; i++) {
        const t307_section_t *s = APR_ARRAY_IDX(ask->scope.used, i,
                                                const t307_section_t *);
        label(t, "section");
        fprintf(t->out, "<%s %s> %s:%d\n", s->kind, s->path, s->file,
                s->line);
    }
}

static void print_rule(t307_t *t, const t307_ask_t *ask,
                       const r307_rule_t *rule, const char *mark,
                       t307_colour_t colour, const char *why)
{
    fprintf(t->out, "  %s%-3s%s %s: %s\n      %s\n", t307_paint(t, colour),
            mark, t307_paint(t, T307_PLAIN), r307_rule_label(ask->pool,
                                                             rule),
            t307_explain_rule(ask->pool, rule), why);
}

static const char *choice_text(const t307_ask_t *ask)
{
    const r307_match_t *m = &ask->match;

    if (!ask->has_match || (!m->rule->choices && !m->site)) {
        return "applies";
    }
    return apr_pstrcat(ask->pool, "applies, with ", target_text(ask->pool,
                                                                m->target),
                       m->site ? ": site " : "", m->site ? m->site->name : "",
                       NULL);
}

static void print_rules(t307_t *t, const t307_ask_t *ask)
{
    const r307_rule_t *rule = ask->decision.rule;
    int i;

    for (i = 0; i < ask->steps->nelts; i++) {
        const t307_step_t *s = &APR_ARRAY_IDX(ask->steps, i, t307_step_t);
        print_rule(t, ask, s->rule, s->would ? "dry" : "no", T307_WARN,
                   s->would ? s->would
                   : apr_pstrcat(ask->pool, r307_step_text(s->step),
                                 s->detail ? ": " : "",
                                 s->detail ? s->detail : "", NULL));
    }
    if (rule) {
        print_rule(t, ask, rule, "yes", T307_GOOD, ask->decision.reason
                   ? ask->decision.reason : choice_text(ask));
    }
    else if (ask->barred) {
        fprintf(t->out, "  %s\n", ask->barred);
    }
    else if (!ask->steps->nelts) {
        fputs("  no rule covers this path\n", t->out);
    }
}

static void print_facts(t307_t *t, const t307_ask_t *ask)
{
    int i;

    for (i = 0; ask->asked_facts && i < R307_FIELDS; i++) {
        const char *fact = t307_explain_fact(ask->pool, &ask->facts,
                                             (r307_field_t)i);
        if (ask->fields & R307_FIELD_BIT(i)) {
            label(t, r307_geofield_name((r307_field_t)i));
            fprintf(t->out, "%s%s%s\n", fact ? fact : "not known",
                    ask->said[i] ? ", by " : "", ask->said[i]
                    ? r307_geosource_text(ask->said[i], ask->pool) : "");
        }
    }
    if (ask->disbelieved) {
        label(t, "");
        fprintf(t->out, "the header %s is not believed: %s is no trusted "
                "peer\n", ask->disbelieved, ask->given->peer_text);
    }
}

static void print_location(t307_t *t, t307_ask_t *ask)
{
    const char *location = ask->decision.location;
    apr_array_header_t *pieces = r307_pieces_find(&ask->core, &ask->match,
                                                  location);
    int i;

    label(t, "Location");
    fprintf(t->out, "%s%s%s\n", t307_paint(t, T307_BOLD), location,
            t307_paint(t, T307_PLAIN));
    for (i = 0; pieces->nelts > 1 && i < pieces->nelts; i++) {
        const r307_piece_t *p = &APR_ARRAY_IDX(pieces, i, r307_piece_t);
        fprintf(t->out, "             %s%-10s%s %.*s\n",
                t307_paint(t, T307_DIM), r307_piece_name(p->kind),
                t307_paint(t, T307_PLAIN), (int)p->len, location + p->from);
    }
}

static void print_header(t307_t *t, const char *name, const char *value)
{
    if (value) {
        label(t, name);
        fprintf(t->out, "%s\n", value);
    }
}

static void print_answer(t307_t *t, t307_ask_t *ask)
{
    const r307_decision_t *d = &ask->decision;
    int status = t307_ask_status(ask);

    label(t, "answer");
    if (status) {
        fprintf(t->out, "%d\n", status);
    }
    else {
        fprintf(t->out, "none: the request passes%s\n",
                d->outcome == R307_STOP ? ", and no later rule is asked"
                : d->outcome != R307_NONE ? "; the engine is on DryRun"
                : ask->scope.engine == T307_ENGINE_OFF
                ? "; the engine is off" : "");
    }
    if (d->outcome == R307_REDIRECT) {
        print_location(t, ask);
    }
    print_header(t, "Vary", ask->vary);
    print_header(t, "Cache", t307_ask_cache_control(ask));
    if (status == 307 && d->rule->retry_after != R307_RETRY_UNSET) {
        print_header(t, "Retry", apr_itoa(ask->pool, d->rule->retry_after));
    }
}

static void print_list(t307_t *t, const char *name,
                       const apr_array_header_t *list)
{
    int i;

    for (i = 0; i < list->nelts; i++) {
        label(t, name);
        fprintf(t->out, "%s\n", APR_ARRAY_IDX(list, i, const char *));
    }
}

void t307_explain_text(t307_t *t, t307_ask_t *ask)
{
    fprintf(t->out, "%s%s %s%s\n", t307_paint(t, T307_BOLD),
            ask->given->method, ask->url.text, t307_paint(t, T307_PLAIN));
    print_where(t, ask);
    print_rules(t, ask);
    print_facts(t, ask);
    print_answer(t, ask);
    print_list(t, "assumed", ask->notes);
    if (ask->drawn) {
        print_header(t, "assumed", "the visitor is among those that "
                     "percent= draws");
    }
    print_list(t, "problem", ask->broken);
    print_list(t, "unknown", ask->scope.open);
}
