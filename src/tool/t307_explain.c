/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns `explain`: what would be answered, and why. Must not decide.
 */
#include "tool/t307_explain.h"

#include "core/r307_pieces.h"
#include "core/r307_time.h"

#include <apr_strings.h>

#include <string.h>
#include <strings.h>

#define OPT_PEER   0x2001
#define OPT_AT     0x2002
#define OPT_ASSUME 0x2003
#define OPT_JSON   0x2004
#define OPT_ENV    0x2005

static const apr_getopt_option_t options[] = {
    T307_MODEL_OPTIONS,
    { "request", 'X', 1, "METHOD: of the request; GET without it" },
    { "header", 'H', 1, "LINE: a request header, 'Name: value'; may be "
      "repeated" },
    { "peer", OPT_PEER, 1, "ADDRESS: who is connected; 127.0.0.1 without "
      "it" },
    { "at", OPT_AT, 1, "TIME: when, as 2026-12-01T08:00:00Z; now without "
      "it" },
    { "env", OPT_ENV, 1, "NAME=VALUE: a variable of httpd's" },
    { "assume", OPT_ASSUME, 1, "RULE=true or false: the rule's expr=; or "
      "'%{...}=text'" },
    { "json", OPT_JSON, 0, "one JSON array for all URLs" },
    { NULL, 0, 0, NULL }
};

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
    const char *path = rule->kind == R307_RULE_SECTION ? "(the section)"
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
        print_rule(t, ask, s->rule, "no", T307_WARN, apr_pstrcat(
            ask->pool, r307_step_text(s->step), s->detail ? ": " : "",
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
    int status = t307_host_status(ask);

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
    print_header(t, "Cache", t307_host_cache_control(ask));
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

/* ---- the command ---- */

static int add_pair(t307_t *t, apr_table_t *table, const char *word,
                    int separator, const char *option)
{
    const char *at = separator == '=' ? strrchr(word, '=')
                                      : strchr(word, separator);
    const char *value;

    /* the value of a rule holds no '=', its name might */
    if (separator == '=' && strncmp(word, "%{", 2) == 0) {
        at = strstr(word, "}=");
        at = at ? at + 1 : NULL;
    }
    if (!at || at == word) {
        return t307_usage_error(t, "%s '%s' is not a name, '%c' and a value",
                                option, word, separator);
    }
    value = at + 1;
    value += separator == ':' ? strspn(value, " \t") : 0;
    apr_table_add(table, apr_pstrmemdup(t->pool, word,
                                        (apr_size_t)(at - word)), value);
    return T307_OK;
}

static int add_assumption(t307_t *t, t307_given_t *given, const char *word)
{
    const char *equals = strrchr(word, '=');
    int status = add_pair(t, given->assumed, word, '=', "--assume");

    if (status == T307_OK && strncmp(word, "%{", 2) != 0
        && strcasecmp(equals + 1, "true") != 0
        && strcasecmp(equals + 1, "false") != 0) {
        return t307_usage_error(t, "--assume '%s' says neither true nor "
                                "false", word);
    }
    return status;
}

static int set_peer(t307_t *t, t307_given_t *given, const char *text)
{
    if (apr_sockaddr_info_get(&given->peer, text, APR_UNSPEC, 0, 0, t->pool)
        != APR_SUCCESS || strspn(text, "0123456789abcdefABCDEF.:")
                          != strlen(text)) {
        return t307_usage_error(t, "--peer '%s' is no IP address", text);
    }
    given->peer_text = text;
    return T307_OK;
}

static int set_time(t307_t *t, t307_given_t *given, const char *text)
{
    r307_error_t err = { t->pool, NULL };

    return r307_time_parse(text, &given->now, &err) == APR_SUCCESS
        ? T307_OK : t307_usage_error(t, "--at: %s", err.text);
}

static int take_option(t307_t *t, t307_given_t *given, int optch,
                       const char *value, int *json)
{
    switch (optch) {
    case 'X':
        given->method = value;
        return T307_OK;
    case 'H':
        return add_pair(t, given->headers, value, ':', "-H");
    case OPT_PEER:
        return set_peer(t, given, value);
    case OPT_AT:
        return set_time(t, given, value);
    case OPT_ENV:
        return add_pair(t, given->env, value, '=', "--env");
    case OPT_ASSUME:
        return add_assumption(t, given, value);
    default:
        *json = 1;
        return T307_OK;
    }
}

static int explain_one(t307_t *t, t307_model_t *model,
                       const t307_given_t *given, const char *text,
                       json_t *list)
{
    t307_ask_t ask;
    const char *why;

    memset(&ask, 0, sizeof ask);
    ask.pool = model->pool;
    ask.model = model;
    ask.given = given;
    why = t307_pick_url(model->pool, text,
                        apr_table_get(given->headers, "Host"), &ask.url);
    if (why) {
        return t307_fail(t, "%s", why);
    }
    t307_host_decide(&ask);
    if (list) {
        json_array_append_new(list, t307_explain_json(&ask));
    }
    else {
        t307_explain_text(t, &ask);
    }
    return T307_OK;
}

static int explain(t307_t *t, t307_model_t *model, const t307_given_t *given,
                   int nurls, const char *const *urls, int json)
{
    json_t *list = json ? json_array() : NULL;
    int i, status = T307_OK;

    for (i = 0; i < nurls; i++) {
        int one = explain_one(t, model, given, urls[i], list);
        status = one > status ? one : status;
        if (!json && i + 1 < nurls) {
            fputc('\n', t->out);
        }
    }
    if (json) {
        json_dumpf(list, t->out, JSON_INDENT(2));
        fputc('\n', t->out);
        json_decref(list);
    }
    return status;
}

static void begin(t307_t *t, t307_given_t *given)
{
    memset(given, 0, sizeof *given);
    given->method = "GET";
    given->headers = apr_table_make(t->pool, 8);
    given->env = apr_table_make(t->pool, 8);
    given->assumed = apr_table_make(t->pool, 8);
    given->now = apr_time_now();
    given->peer_text = "127.0.0.1";
    apr_sockaddr_info_get(&given->peer, "127.0.0.1", APR_INET, 0, 0,
                          t->pool);
}

static int run(t307_t *t, int argc, const char *const *argv)
{
    t307_wanted_t wanted;
    t307_given_t given;
    t307_model_t *model;
    const char *value, *const *urls;
    t307_args_t args;
    int optch, n, json = 0, status = T307_OK;

    begin(t, &given);
    t307_sources_begin(t, &wanted);
    t307_args_begin(t, &args, argc, argv);
    while (status == T307_OK
           && (optch = t307_args_next(t, &args, &value)) != 0) {
        if (!t307_sources_option(&wanted, optch, value)) {
            status = take_option(t, &given, optch, value, &json);
        }
    }
    if (status != T307_OK || args.status != T307_OK || args.done) {
        return status != T307_OK ? status : args.status;
    }
    urls = t307_args_words(&args, &n);
    if (n == 0) {
        return t307_usage_error(t, "it takes URLs");
    }
    model = t307_sources_load(t, &wanted, &status);
    return model ? explain(t, model, &given, n, urls, json) : status;
}

const t307_command_t t307_explain = {
    "explain", run, "[option...] URL...",
    "say what would be answered, and why",
    "Asks the installed server for its configuration (apachectl), or takes\n"
    "rule files, and decides as the module does. A URL may be only a path;\n"
    "then -H 'Host: name' says whose.\n"
    "\n"
    "  redirect307 explain http://www.example.com/old/page\n"
    "  redirect307 explain -X POST -H 'CF-IPCountry: DE' --peer 192.0.2.1 \\\n"
    "      https://www.example.com/shop\n"
    "  redirect307 explain --rules shop.rules /old-shop/cart\n"
    "\n"
    "Lines that begin with 'assumed' or 'unknown' say what only the running\n"
    "server can know: expr=, <If>, <Files>, .htaccess files.\n",
    options
};
