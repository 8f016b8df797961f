/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the answers that the core asks of its host, for a request that was
 * never made. Must not know how it was decided to ask, or how a decision is
 * shown. Called by the core, for ask.
 */
#include "tool/t307_host.h"

#include "core/r307_authority.h"
#include "core/r307_mmdb.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>
#include <strings.h>

void t307_host_note(apr_array_header_t *list, const char *text)
{
    int i;

    for (i = 0; i < list->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(list, i, const char *), text) == 0) {
            return;
        }
    }
    APR_ARRAY_PUSH(list, const char *) = text;
}

/* ---- Vary ---- */

static int has_field(const char *list, const char *name, apr_size_t len)
{
    while (list && *list) {
        apr_size_t n;
        list += strspn(list, ", ");
        n = strcspn(list, ", ");
        if (n == len && strncasecmp(list, name, n) == 0) {
            return 1;
        }
        list += n;
    }
    return 0;
}

static void add_vary(t307_ask_t *ask, const char *fields)
{
    while (fields && *fields) {
        apr_size_t n;
        fields += strspn(fields, ", ");
        n = strcspn(fields, ", ");
        if (n && !has_field(ask->vary, fields, n)) {
            const char *name = apr_pstrmemdup(ask->pool, fields, n);
            ask->vary = ask->vary ? apr_pstrcat(ask->pool, ask->vary, ", ",
                                                name, NULL) : name;
        }
        fields += n;
    }
}

/* ---- self and base ---- */

static const r307_self_t *self(void *ctx)
{
    return &((t307_ask_t *)ctx)->self;
}

static int is_address(const char *host)
{
    return strchr(host, ':') || strspn(host, "0123456789.") == strlen(host);
}

static const char *base(void *ctx)
{
    t307_ask_t *ask = ctx;
    const t307_url_t *url = &ask->url;
    const t307_server_t *server = ask->server;
    const char *host = url->host_as_written;
    int port = url->port;

    if (ask->relative == 1) {
        return NULL;
    }
    if (strcmp(server->canonical, "on") == 0 && server->name) {
        host = server->name;
        port = server->port ? server->port
            : r307_authority_default_port(url->scheme, strlen(url->scheme));
    }
    else if (!host || (ask->model->from_server && !is_address(url->host)
                       && !t307_pick_is_own(server, url->host))) {
        return NULL;
    }
    return port == r307_authority_default_port(url->scheme,
                                               strlen(url->scheme))
        ? apr_pstrcat(ask->pool, url->scheme, "://", host, NULL)
        : apr_psprintf(ask->pool, "%s://%s:%d", url->scheme, host, port);
}

/* ---- expressions ---- */

static const char *header(void *ctx, const char *name)
{
    const t307_ask_t *ask = ctx;

    return strcasecmp(name, "Host") == 0 && ask->url.host
        ? apr_table_get(ask->given->headers, name)
          ? apr_table_get(ask->given->headers, name)
          : ask->url.host_as_written
        : apr_table_getm(ask->pool, ask->given->headers, name);
}

static apr_status_t eval_bool(void *ctx, const void *expr, int *result)
{
    t307_ask_t *ask = ctx;
    const char *known = apr_hash_get(ask->exprs, &expr, sizeof expr);

    if (strcmp(expr, "true") == 0 || strcmp(expr, "false") == 0) {
        *result = *(const char *)expr == 't';
        return APR_SUCCESS;
    }
    if (!known) {
        ask->undecided = ask->undecided ? ask->undecided : expr;
        return APR_EGENERAL;
    }
    *result = *known != '\0';
    return APR_SUCCESS;
}

/* Variables whose value the request itself tells. field: what Vary names. */
static const char *variable(t307_ask_t *ask, const char *name,
                            const char **field)
{
    static const char *const fields[][2] = {
        { "HTTP_HOST", "Host" }, { "HTTP_USER_AGENT", "User-Agent" },
        { "HTTP_REFERER", "Referer" }, { "HTTP_COOKIE", "Cookie" },
        { "HTTP_ACCEPT", "Accept" }
    };
    const t307_url_t *url = &ask->url;
    apr_size_t i;

    for (i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strcmp(name, fields[i][0]) == 0) {
            *field = fields[i][1];
            return header(ask, *field);
        }
    }
    if (strncasecmp(name, "HTTP:", 5) == 0) {
        *field = name + 5;
        return header(ask, *field) ? header(ask, *field) : "";
    }
    if (strncasecmp(name, "ENV:", 4) == 0) {
        return apr_table_get(ask->given->env, name + 4);
    }
    return strcmp(name, "REQUEST_METHOD") == 0 ? ask->core.method
        : strcmp(name, "QUERY_STRING") == 0 ? url->query ? url->query : ""
        : strcmp(name, "REQUEST_SCHEME") == 0 ? url->scheme
        : strcmp(name, "REMOTE_ADDR") == 0 ? ask->given->peer_text
        : NULL;
}

static apr_status_t eval_string(void *ctx, const void *expr,
                                const r307_match_t *match,
                                const char **result)
{
    t307_ask_t *ask = ctx;
    const char *text = expr, *field = NULL;
    apr_size_t len = strlen(text);

    (void)match;
    *result = apr_table_get(ask->given->assumed, text);
    if (!*result && len > 3 && strncmp(text, "%{", 2) == 0) {
        *result = variable(ask, apr_pstrmemdup(ask->pool, text + 2, len - 3),
                           &field);
        if (field && strcasecmp(field, "Host") != 0) {
            add_vary(ask, field);
        }
    }
    if (!*result) {
        t307_host_note(ask->notes, apr_psprintf(
            ask->pool, "only httpd knows %s; say what it would be with "
            "--assume '%s=...'", text, text));
        return APR_EGENERAL;
    }
    return APR_SUCCESS;
}

/* ---- tables ---- */

static const r307_ruleset_t *current(void *ctx, void *changing,
                                     const char **reason)
{
    t307_ask_t *ask = ctx;
    t307_source_t *source = changing;
    const r307_table_t *table = t307_model_open(ask->model, ask->server,
                                                source);

    if (!table && source->is_unread) {
        t307_host_note(ask->notes, apr_pstrcat(
            ask->pool, source->label, ": ", source->error, "; it has no "
            "rules", NULL));
        return NULL;
    }
    if (!table) {
        *reason = apr_pstrcat(ask->pool, source->label, ": ", source->error,
                              NULL);
        return NULL;
    }
    return r307_table_rules(table);
}

/* ---- trace ---- */

static void trace(void *ctx, const r307_rule_t *rule, r307_step_t step,
                  const char *detail)
{
    t307_ask_t *ask = ctx;
    t307_step_t *told;

    if (ask->replays) {
        return;                 /* told the first time */
    }
    told = apr_array_push(ask->steps);
    told->rule = rule;
    told->step = step;
    told->detail = detail ? apr_pstrdup(ask->pool, detail) : NULL;
    told->would = NULL;
}

/* What depends on an expression that nobody knows is asked again, and told
 * then. */
static void would(void *ctx, const r307_decision_t *d)
{
    t307_ask_t *ask = ctx;
    t307_step_t *told;

    if (ask->undecided) {
        ask->dry = ask->dry ? ask->dry : d->rule;
        return;
    }
    told = apr_array_push(ask->steps);
    told->rule = d->rule;
    told->step = R307_STEP_CHOSEN;
    told->detail = NULL;
    told->would = apr_pstrcat(
        ask->pool, d->outcome == R307_REDIRECT ? "would redirect to "
        : d->outcome == R307_STOP ? "would let the request pass"
        : "could not answer: ", d->outcome == R307_REDIRECT ? d->location
        : d->reason ? d->reason : "", " (dry run)", NULL);
}

/* Rules for other hosts are of interest, too. */
static int thorough(void *ctx)
{
    (void)ctx;
    return 1;
}

/* ---- sites ---- */

/* Whether a site serves is asked by the minute; here it is assumed. */
static const char *site_down(void *ctx, const r307_site_t *site)
{
    t307_ask_t *ask = ctx;
    const char *what = apr_pstrcat(ask->pool, "site:", site->name, NULL);
    const char *value = apr_table_get(ask->given->assumed, what);
    int down = value && strcasecmp(value, "false") == 0;

    t307_host_note(ask->notes, apr_psprintf(
        ask->pool, "the site %s is taken to be %s%s", site->name,
        down ? "down" : "up", value ? ", as --assume says"
        : apr_pstrcat(ask->pool, "; --assume ", what, "=false for the other "
                      "case", NULL)));
    return down ? "it is assumed to be down" : NULL;
}

/* ---- the visitor ---- */

static const char *env(void *ctx, const char *name)
{
    return apr_table_get(((t307_ask_t *)ctx)->given->env, name);
}

static int ask_database(void *ctx, int number, unsigned fields,
                        r307_facts_t *facts)
{
    t307_ask_t *ask = ctx;
    r307_error_t err = { ask->pool, NULL };
    r307_mmdb_t *db;
    int n;
    const char *const *paths = r307_geofrom_databases(ask->server->geofrom,
                                                      &n);

    if (number >= n
        || r307_mmdb_open(ask->pool, paths[number], &db, &err)
           != APR_SUCCESS) {
        t307_host_note(ask->broken, err.text ? err.text : "a database");
        return 0;
    }
    return r307_mmdb_facts(db, (const struct sockaddr *)
                           &ask->given->peer->sa, fields, facts, ask->pool);
}

static int is_trusted(const t307_ask_t *ask)
{
    const apr_array_header_t *nets = ask->server->trusted;
    int i;

    for (i = 0; nets && i < nets->nelts; i++) {
        if (apr_ipsubnet_test(APR_ARRAY_IDX(nets, i, apr_ipsubnet_t *),
                              ask->given->peer)) {
            return 1;
        }
    }
    return ask->server->trust_all;
}

static void facts(void *ctx, unsigned fields, int measured,
                  r307_facts_t *out, unsigned *chosen_fields)
{
    t307_ask_t *ask = ctx;
    const r307_geofrom_t *from = ask->server->geofrom;
    r307_georead_t rd;

    memset(&rd, 0, sizeof rd);
    rd.pool = ask->pool;
    rd.ctx = ask;
    rd.header = header;
    rd.env = env;
    rd.mmdb = ask_database;
    rd.query = ask->url.query;
    rd.trusted = is_trusted(ask);
    rd.without = measured ? R307_GEOFROM_VISITOR : 0;
    r307_georead_facts(from, fields, &rd, out);
    *chosen_fields = rd.chosen;
    ask->asked_facts = 1;
    ask->fields |= r307_geofrom_needs(fields);
    ask->facts = *out;
    memcpy(ask->said, rd.said, sizeof rd.said);
    if (rd.disbelieved) {
        ask->disbelieved = rd.disbelieved;
    }
    add_vary(ask, r307_geofrom_vary(from, fields, ask->pool));
    ask->unseen |= (r307_geofrom_uses(from, fields) & R307_GEOFROM_UNSEEN)
                   != 0;
}

static const char *cookie(t307_ask_t *ask, const char *name, apr_size_t *len)
{
    r307_geosource_t source;
    r307_geotext_t text;
    const char *all = header(ask, "Cookie");

    memset(&source, 0, sizeof source);
    source.format = R307_GEO_COOKIES;
    source.name = name;
    if (!all || !r307_geovalue_pick(&source, all, strlen(all), ask->pool,
                                    &text)) {
        return NULL;
    }
    *len = text.len;
    return text.s;
}

static const char *sticky(void *ctx, const r307_split_t *split,
                          apr_size_t *len)
{
    t307_ask_t *ask = ctx;
    const char *key = NULL;

    switch (split->sticky) {
    case R307_STICKY_IP:
        ask->unseen = 1;
        key = ask->given->peer_text;
        break;
    case R307_STICKY_HEADER:
        add_vary(ask, split->name);
        key = header(ask, split->name);
        key = key && *key ? key : NULL;
        break;
    case R307_STICKY_COOKIE:
        add_vary(ask, "Cookie");
        return cookie(ask, split->name, len);
    default:
        break;
    }
    *len = key ? strlen(key) : 0;
    return key;
}

/* Nobody is drawn here: a draw of 0 is within every share but 0 %. */
static apr_uint32_t draw(void *ctx)
{
    t307_ask_t *ask = ctx;

    ask->unseen = 1;
    ask->drawn = 1;
    return 0;
}

const r307_host_t t307_host_callbacks = {
    self, base, eval_bool, eval_string, current, trace, facts, sticky, draw,
    site_down, thorough, would
};
