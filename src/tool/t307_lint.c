/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns `lint`: which rules are looked at, and how findings are shown. Must not
 * know what is a finding.
 */
#include "tool/t307_model.h"

#include "core/r307_lint.h"
#include "core/r307_time.h"

#include <apr_strings.h>

#include <jansson.h>

#include <string.h>

#define OPT_HOST   0x3001
#define OPT_IGNORE 0x3002
#define OPT_JSON   0x3003
#define OPT_AT     0x3004

static const apr_getopt_option_t options[] = {
    T307_MODEL_OPTIONS,
    { "host", OPT_HOST, 1, "NAME: of the server that the rules are for; "
      "targets there are followed; may be repeated" },
    { "ignore", OPT_IGNORE, 1, "CODES: findings that are not wanted, "
      "separated by commas" },
    { "at", OPT_AT, 1, "TIME: when, as 2026-12-01T08:00:00Z; now without "
      "it" },
    { "json", OPT_JSON, 0, "one JSON object" },
    { NULL, 0, 0, NULL }
};

static const char *const codes[] = {
    "behind-proxy", "chain", "doubled-slash", "duplicate", "expired",
    "explodes", "loop", "near-authority", "no-final-slash", "not-yet",
    "outside-allowto", "private-cache", "self", "shadowed", "unanchored",
    NULL
};

typedef struct linter_t {
    t307_t *t;
    t307_model_t *model;
    const t307_server_t *server;
    r307_lint_t lint;
    apr_array_header_t *hosts;  /* r307_host_pattern_t, by --host */
    apr_array_header_t *ignored;    /* const char * */
    json_t *list;               /* NULL: text */
    apr_time_t now;
    apr_uint64_t rules, findings;
    t307_progress_t progress;
} linter_t;

/* ---- findings ---- */

static int is_ignored(const linter_t *l, const char *code)
{
    int i;

    for (i = 0; i < l->ignored->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(l->ignored, i, const char *), code) == 0) {
            return 1;
        }
    }
    return 0;
}

static void set(json_t *to, const char *name, const char *value)
{
    json_t *string = json_string(value);

    json_object_set_new(to, name, string ? string
                                         : json_string("(no UTF-8)"));
}

static void tell(void *ctx, const char *code, const char *file, int line,
                 const char *happens, const char *instead)
{
    linter_t *l = ctx;
    FILE *out = l->t->out;

    if (is_ignored(l, code)) {
        return;
    }
    l->findings++;
    if (l->list) {
        json_t *one = json_object();
        set(one, "code", code);
        set(one, "file", file);
        json_object_set_new(one, "line", json_integer((unsigned)line));
        set(one, "happens", happens);
        set(one, "instead", instead);
        json_array_append_new(l->list, one);
        return;
    }
    fprintf(out, "%s%s:%u:%s %s%s:%s %s\n    instead: %s\n",
            t307_paint(l->t, T307_BOLD), file, (unsigned)line,
            t307_paint(l->t, T307_PLAIN), t307_paint(l->t, T307_WARN), code,
            t307_paint(l->t, T307_PLAIN), happens, instead);
}

static void found(void *ctx, const r307_finding_t *finding)
{
    tell(ctx, finding->code, finding->rule->file, finding->rule->line,
         finding->happens, finding->instead);
}

static void each(void *ctx, apr_uint64_t done)
{
    linter_t *l = ctx;

    l->rules++;
    apr_pool_clear(l->lint.pool);
    if (done % 1024 == 0) {
        t307_progress_at(&l->progress, done);
    }
}

static const r307_ruleset_t *current(void *ctx, void *changing,
                                     const char **reason)
{
    linter_t *l = ctx;
    t307_source_t *source = changing;
    const r307_table_t *table = t307_model_open(l->model, l->server, source);

    if (!table) {
        *reason = source->error;
        return NULL;
    }
    return r307_table_rules(table);
}

/* ---- rules ---- */

static void add_host(linter_t *l, apr_array_header_t *hosts,
                     const char *name)
{
    r307_error_t err = { l->model->pool, NULL };
    r307_host_pattern_t pattern;

    if (name && r307_host_pattern_parse(l->model->pool, name, 0, &pattern,
                                        &err) == APR_SUCCESS) {
        APR_ARRAY_PUSH(hosts, r307_host_pattern_t) = pattern;
    }
}

static apr_array_header_t *own_hosts(linter_t *l,
                                     const t307_server_t *server)
{
    apr_array_header_t *hosts = apr_array_copy(l->model->pool, l->hosts);
    int i;

    add_host(l, hosts, server->name);
    for (i = 0; i < server->aliases->nelts; i++) {
        add_host(l, hosts, APR_ARRAY_IDX(server->aliases, i, const char *));
    }
    return hosts->nelts ? hosts : NULL;
}

static int lint_place(linter_t *l, const t307_place_t *place,
                      const r307_chain_t *chain)
{
    int i;

    l->lint.chain = chain;
    if (place->own) {
        r307_lint_set(&l->lint, place->own, each);
    }
    for (i = 0; i < place->sources->nelts; i++) {
        t307_source_t *source = APR_ARRAY_IDX(place->sources, i,
                                              t307_source_t *);
        const r307_table_t *table;
        if (source->linted) {
            continue;
        }
        source->linted = 1;
        table = t307_model_open(l->model, l->server, source);
        if (!table) {
            return t307_fail(l->t, "%s: %s", source->label, source->error);
        }
        t307_progress_begin(&l->progress, l->t, source->label,
                            r307_table_count(table));
        r307_lint_set(&l->lint, r307_table_rules(table), each);
        t307_progress_end(&l->progress);
    }
    return T307_OK;
}

/* ---- servers ---- */

static int lint_server(linter_t *l, const t307_server_t *server)
{
    int i, status;

    l->server = server;
    l->lint.allowed_hosts = server->allowed_hosts;
    l->lint.sites = server->sites;
    l->lint.geofrom = server->geofrom;
    l->lint.own_hosts = own_hosts(l, server);
    status = lint_place(l, &server->place, server->place.chain);
    for (i = 0; status == T307_OK && i < server->sections->nelts; i++) {
        const t307_section_t *s = APR_ARRAY_IDX(server->sections, i,
                                                const t307_section_t *);
        /* where a section's rules lead is asked of the server: whether the
         * section holds there again is not known */
        status = lint_place(l, &s->place, server->place.chain);
    }
    t307_lintproxy_look(l->model->pool, server, tell, l);
    return status;
}

static int report(linter_t *l, int status)
{
    if (l->lint.not_followed) {
        fprintf(l->t->err, "redirect307 lint: %" APR_UINT64_T_FMT " rules "
                "were not followed: there are too many regular expressions\n",
                l->lint.not_followed);
    }
    if (l->list) {
        json_t *out = json_object();
        json_object_set_new(out, "rules", json_integer(
            (json_int_t)l->rules));
        json_object_set_new(out, "findings", l->list);
        json_dumpf(out, l->t->out, JSON_INDENT(2));
        fputc('\n', l->t->out);
        json_decref(out);
    }
    else if (status == T307_OK) {
        fprintf(l->t->out, "%" APR_UINT64_T_FMT " rules, %" APR_UINT64_T_FMT
                " finding%s\n", l->rules, l->findings,
                l->findings == 1 ? "" : "s");
    }
    return status != T307_OK ? status : l->findings ? T307_FOUND : T307_OK;
}

static int lint(linter_t *l)
{
    int i, status = T307_OK;

    apr_pool_create(&l->lint.pool, l->model->pool);
    l->lint.now = l->now;
    l->lint.current = current;
    l->lint.found = found;
    l->lint.ctx = l;
    for (i = 0; status == T307_OK && i < l->model->servers->nelts; i++) {
        status = lint_server(l, APR_ARRAY_IDX(l->model->servers, i,
                                              t307_server_t *));
    }
    return report(l, status);
}

/* ---- the command ---- */

static int add_ignored(linter_t *l, const char *value)
{
    char *list = apr_pstrdup(l->t->pool, value), *state, *word;
    int i;

    for (word = apr_strtok(list, ",", &state); word;
         word = apr_strtok(NULL, ",", &state)) {
        for (i = 0; codes[i] && strcmp(codes[i], word); i++) {
        }
        if (!codes[i]) {
            return t307_usage_error(l->t, "--ignore: there is no code '%s'",
                                    word);
        }
        APR_ARRAY_PUSH(l->ignored, const char *) = codes[i];
    }
    return T307_OK;
}

static int add_own_host(linter_t *l, const char *value)
{
    r307_error_t err = { l->t->pool, NULL };

    return r307_host_pattern_parse(l->t->pool, value, 0,
                                   apr_array_push(l->hosts), &err)
           == APR_SUCCESS ? T307_OK
        : t307_usage_error(l->t, "--host: %s", err.text);
}

static int take_option(linter_t *l, int optch, const char *value)
{
    r307_error_t err = { l->t->pool, NULL };

    switch (optch) {
    case OPT_HOST:
        return add_own_host(l, value);
    case OPT_IGNORE:
        return add_ignored(l, value);
    case OPT_AT:
        return r307_time_parse(value, &l->now, &err) == APR_SUCCESS
            ? T307_OK : t307_usage_error(l->t, "--at: %s", err.text);
    default:
        l->list = l->list ? l->list : json_array();
        return T307_OK;
    }
}

static int run(t307_t *t, int argc, const char *const *argv)
{
    t307_wanted_t wanted;
    linter_t l;
    const char *value, *const *words;
    t307_args_t args;
    int optch, n, i, status = T307_OK;

    memset(&l, 0, sizeof l);
    l.t = t;
    l.now = apr_time_now();
    l.hosts = apr_array_make(t->pool, 4, sizeof(r307_host_pattern_t));
    l.ignored = apr_array_make(t->pool, 4, sizeof(const char *));
    t307_sources_begin(t, &wanted);
    t307_args_begin(t, &args, argc, argv);
    while (status == T307_OK
           && (optch = t307_args_next(t, &args, &value)) != 0) {
        if (!t307_sources_option(&wanted, optch, value)) {
            status = take_option(&l, optch, value);
        }
    }
    if (status != T307_OK || args.status != T307_OK || args.done) {
        return status != T307_OK ? status : args.status;
    }
    words = t307_args_words(&args, &n);
    for (i = 0; i < n; i++) {
        APR_ARRAY_PUSH(wanted.files, const char *) = words[i];
    }
    l.model = t307_sources_load(t, &wanted, &status);
    return l.model ? lint(&l) : status;
}

const t307_command_t t307_lint = {
    "lint", run, "[option...] [FILE...]",
    "find rules that are legal and still hardly meant",
    "Looks at rule files, or without any at the installed server. Each\n"
    "finding names file and line, what happens, and what to write instead.\n"
    "Exit status 1 when there are findings, for CI.\n"
    "\n"
    "  redirect307 lint shop.rules --host www.example.com\n"
    "  redirect307 lint --server --ignore not-yet,chain --json\n"
    "\n"
    "Codes: behind-proxy, chain, doubled-slash, duplicate, expired,\n"
    "explodes, loop, near-authority, no-final-slash, not-yet,\n"
    "outside-allowto, private-cache, self, shadowed, unanchored.\n",
    options
};
