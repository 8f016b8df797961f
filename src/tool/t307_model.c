/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the model: how it is put together, and the tables it names. Must not
 * know where it comes from. Called by the readers and by commands.
 */
#include "tool/t307_model.h"

#include "core/r307_patch.h"

#include <apr_strings.h>

#include <string.h>

const char *t307_model_take_expr(void *ctx, apr_pool_t *pool,
                                 const char *text, int is_string,
                                 const void **expr)
{
    (void)ctx;
    (void)is_string;
    *expr = apr_pstrdup(pool, text);
    return NULL;
}

t307_model_t *t307_model_create(apr_pool_t *pool)
{
    t307_model_t *model = apr_pcalloc(pool, sizeof *model);

    model->pool = pool;
    model->root = "/";
    /* httpd's own defaults */
    model->regex_flags = R307_REGEX_DOTALL | R307_REGEX_DOLLAR_ENDONLY;
    model->tables = apr_hash_make(pool);
    model->sources = apr_array_make(pool, 8, sizeof(t307_source_t *));
    model->servers = apr_array_make(pool, 8, sizeof(t307_server_t *));
    return model;
}

void t307_model_init_place(t307_place_t *place, apr_pool_t *pool)
{
    memset(place, 0, sizeof *place);
    place->written = apr_array_make(pool, 0, sizeof(t307_written_t));
    place->others = apr_array_make(pool, 0, sizeof(const char *));
    place->sources = apr_array_make(pool, 0, sizeof(t307_source_t *));
    place->engine = T307_ENGINE_UNSET;
    place->relative = -1;
}

t307_server_t *t307_model_add_server(t307_model_t *model, int is_virtual)
{
    t307_server_t *server = apr_pcalloc(model->pool, sizeof *server);

    server->is_virtual = is_virtual;
    server->aliases = apr_array_make(model->pool, 2, sizeof(const char *));
    server->addresses = apr_array_make(model->pool, 2, sizeof(const char *));
    server->overrides = apr_array_make(model->pool, 2, sizeof(const char *));
    server->proxied = apr_array_make(model->pool, 2, sizeof(const char *));
    server->sections = apr_array_make(model->pool, 2,
                                      sizeof(t307_section_t *));
    server->canonical = "off";
    server->encoded_slashes = "keep";
    server->htaccess = ".htaccess";
    t307_model_init_place(&server->place, model->pool);
    APR_ARRAY_PUSH(model->servers, t307_server_t *) = server;
    return server;
}

void t307_model_add_rule(t307_model_t *model, t307_place_t *place,
                         const r307_rule_t *rule,
                         const r307_rule_spec_t *spec)
{
    t307_written_t *written = apr_array_push(place->written);

    if (!place->own) {
        r307_chain_t *link = apr_pcalloc(model->pool, sizeof *link);
        place->own = r307_ruleset_create(model->pool);
        link->set = place->own;
        link->next = place->chain;
        place->chain = link;
        if (!place->last) {
            place->last = link;
        }
    }
    r307_ruleset_add(place->own, rule);
    written->rule = rule;
    written->path = apr_pstrdup(model->pool, spec->path);
    written->target = apr_pstrdup(model->pool, spec->target);
    written->options = spec->options;
    written->noptions = spec->noptions;
}

void t307_model_add_source(t307_model_t *model, t307_place_t *place,
                           t307_source_t *source)
{
    r307_chain_t *link = apr_pcalloc(model->pool, sizeof *link);

    APR_ARRAY_PUSH(place->sources, t307_source_t *) = source;
    link->changing = source;
    if (place->last) {
        place->last->next = link;
    }
    else {
        place->chain = link;
    }
    place->last = link;
}

t307_source_t *t307_model_source(t307_model_t *model, const char *label,
                                 const char *path)
{
    t307_source_t *source = apr_pcalloc(model->pool, sizeof *source);

    source->label = label;
    source->spec.path = path;
    source->spec.regex_flags = model->regex_flags;
    source->spec.compile_expr = t307_model_take_expr;
    APR_ARRAY_PUSH(model->sources, t307_source_t *) = source;
    return source;
}

t307_model_t *t307_model_of_files(apr_pool_t *pool, int n,
                                  const char *const *files)
{
    t307_model_t *model = t307_model_create(pool);
    t307_server_t *server = t307_model_add_server(model, 0);
    int i;

    for (i = 0; i < n; i++) {
        t307_model_add_source(model, &server->place, t307_model_source(
            model, apr_pstrcat(pool, "rule file ", files[i], NULL),
            files[i]));
    }
    model->from = n == 1 ? files[0] : apr_psprintf(pool, "%d rule files", n);
    return model;
}

/* ---- finishing ---- */

static void merge_sites(t307_model_t *model, t307_server_t *server,
                        const t307_server_t *base)
{
    int i;

    for (i = 0; base->sites && i < base->sites->nelts; i++) {
        const r307_site_t *site = APR_ARRAY_IDX(base->sites, i,
                                                const r307_site_t *);
        if (!server->sites) {
            server->sites = apr_array_make(model->pool, 4, sizeof site);
        }
        if (!r307_site_find(server->sites, site->name, strlen(site->name))) {
            APR_ARRAY_PUSH(server->sites, const r307_site_t *) = site;
        }
    }
}

static void inherit(t307_model_t *model, t307_server_t *server,
                    const t307_server_t *base)
{
    merge_sites(model, server, base);
    if (!server->allowed_hosts) {
        server->allowed_hosts = base->allowed_hosts;
    }
    if (!server->geofrom) {
        server->geofrom = base->geofrom;
    }
    if (!server->trusted && !server->trust_all) {
        server->trusted = base->trusted;
        server->trust_all = base->trust_all;
    }
    if (server->place.engine == T307_ENGINE_UNSET) {
        server->place.engine = base->place.engine;
    }
    if (server->place.relative < 0) {
        server->place.relative = base->place.relative;
    }
    if (!server->place.cut) {
        server->place.chain = r307_chain_join(model->pool,
                                              server->place.chain,
                                              base->place.chain);
    }
}

static void freeze(t307_server_t *server)
{
    int i;

    if (server->place.own) {
        r307_ruleset_freeze(server->place.own);
    }
    for (i = 0; i < server->sections->nelts; i++) {
        t307_section_t *section = APR_ARRAY_IDX(server->sections, i,
                                                t307_section_t *);
        if (section->place.own) {
            r307_ruleset_freeze(section->place.own);
        }
    }
}

apr_status_t t307_model_finish(t307_model_t *model, r307_error_t *err)
{
    t307_server_t *first = NULL;
    int i;

    for (i = 0; i < model->servers->nelts; i++) {
        t307_server_t *server = APR_ARRAY_IDX(model->servers, i,
                                              t307_server_t *);
        int own = server->geofrom != NULL;

        if (i == 0) {
            first = server;
            if (!server->geofrom) {
                server->geofrom = r307_geofrom_create(model->pool, NULL,
                                                      NULL);
                own = 1;
            }
        }
        if (own && r307_geofrom_freeze(server->geofrom, err)
                   != APR_SUCCESS) {
            return APR_EINVAL;
        }
        if (i > 0) {
            inherit(model, server, first);
        }
        freeze(server);
    }
    return first ? APR_SUCCESS
        : r307_error_set(err, "%s holds no server; is it what 'apachectl -t "
                         "-D DUMP_REDIRECT307' prints?", model->from);
}

/* ---- tables ---- */

static const char *first_error(const r307_table_report_t *report,
                               const r307_error_t *err, const char *path)
{
    return report->nerrors ? report->errors[0] : err->text ? err->text : path;
}

/* The server's own compiled file is opened at once, however large it is; but
 * a reader may not be allowed to, or may run before it is there. */
static int open_compiled(t307_model_t *model, t307_source_t *source)
{
    r307_error_t err = { model->pool, NULL };
    r307_table_source_t now;

    return source->compiled
           && r307_table_open(source->compiled, &source->spec, 0,
                              model->pool, &source->table, &err)
              == APR_SUCCESS
           && r307_table_stat(&source->spec, model->pool, &now)
              == APR_SUCCESS;
}

/* What the server has read from the database last: a base and its patch. */
static const r307_table_t *open_followed(t307_model_t *model,
                                         t307_source_t *source)
{
    r307_error_t err = { model->pool, NULL };
    r307_table_t *base, *patch;
    apr_status_t rv;

    if (!source->compiled) {
        source->error = "the dump does not say where it is compiled";
        return NULL;
    }
    rv = r307_table_open(source->compiled, &source->spec, 0, model->pool,
                         &base, &err);
    if (rv == APR_SUCCESS) {
        rv = r307_table_open(r307_patch_path(source->compiled,
                                             r307_table_id(base),
                                             model->pool), &source->spec, 0,
                             model->pool, &patch, &err);
    }
    if (rv == APR_SUCCESS) {
        rv = r307_table_attach_patch(base, patch, model->pool,
                                     &source->table, &err);
    }
    if (rv != APR_SUCCESS) {
        source->table = NULL;
        source->is_unread = APR_STATUS_IS_ENOENT(rv);
        source->error = source->is_unread
            ? "the server has not read it from its database yet" : err.text;
    }
    return source->table;
}

const r307_table_t *t307_model_open(t307_model_t *model,
                                    const t307_server_t *server,
                                    t307_source_t *source)
{
    r307_error_t err = { model->pool, NULL };
    r307_table_report_t report;

    if (source->table || source->error) {
        return source->table;
    }
    source->spec.allowed_hosts = server->allowed_hosts;
    source->spec.sites = server->sites;
    if (source->is_sql) {
        return open_followed(model, source);
    }
    if (open_compiled(model, source)) {
        return source->table;
    }
    source->table = NULL;
    memset(&report, 0, sizeof report);
    if (r307_table_compile_memory(&source->spec, model->pool, &source->table,
                                  &report, &err) != APR_SUCCESS) {
        source->table = NULL;
        source->error = first_error(&report, &err, source->spec.path);
    }
    return source->table;
}
