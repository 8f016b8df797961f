/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what settings of the server mean to the tool. httpd has read them
 * before and found them good, so the core's readers are enough. Must not know
 * how they are written down. Called by dump.
 */
#include "tool/t307_model.h"

#include <apr_file_info.h>
#include <apr_strings.h>

#include <string.h>
#include <strings.h>

typedef struct setting_t {
    t307_model_t *model;
    t307_server_t *server;
    const t307_section_t *section;
    t307_place_t *place;
    int nwords;
    const char *const *words;
    const char *file;
    int line;
    r307_error_t *err;
} setting_t;

static int is_on(const setting_t *s)
{
    return s->nwords == 1 && strcasecmp(s->words[0], "on") == 0;
}

static apr_status_t set_engine(setting_t *s)
{
    static const char *const names[] = { "Off", "On", "DryRun" };
    int i;

    for (i = 0; i < 3 && s->nwords == 1; i++) {
        if (strcasecmp(s->words[0], names[i]) == 0) {
            s->place->engine = (t307_engine_t)i;
            return APR_SUCCESS;
        }
    }
    return r307_error_set(s->err, "Redirect307Engine is neither On nor Off "
                          "nor DryRun");
}

static apr_status_t set_relative(setting_t *s)
{
    s->place->relative = is_on(s);
    return APR_SUCCESS;
}

static apr_status_t set_inherit(setting_t *s)
{
    s->place->cut = !is_on(s);
    return APR_SUCCESS;
}

static apr_status_t add_allowed(setting_t *s)
{
    int i;

    if (!s->server->allowed_hosts) {
        s->server->allowed_hosts = apr_array_make(
            s->model->pool, 4, sizeof(r307_host_pattern_t));
    }
    for (i = 0; i < s->nwords; i++) {
        if (r307_host_pattern_parse(s->model->pool, s->words[i], 1,
                                    apr_array_push(s->server->allowed_hosts),
                                    s->err) != APR_SUCCESS) {
            return APR_EINVAL;
        }
    }
    return APR_SUCCESS;
}

static const char *resolve(void *ctx, apr_pool_t *pool, const char *path)
{
    char *merged;

    return apr_filepath_merge(&merged, ((t307_model_t *)ctx)->root, path,
                              APR_FILEPATH_TRUENAME, pool) == APR_SUCCESS
        ? merged : path;
}

static apr_status_t add_geofrom(setting_t *s)
{
    int i;

    if (!s->server->geofrom) {
        s->server->geofrom = r307_geofrom_create(s->model->pool, resolve,
                                                 s->model);
    }
    for (i = 0; i < s->nwords; i++) {
        if (r307_geofrom_add(s->server->geofrom, s->words[i], s->err)
            != APR_SUCCESS) {
            return APR_EINVAL;
        }
    }
    return APR_SUCCESS;
}

static apr_status_t add_trusted_word(setting_t *s, const char *word)
{
    char *text = apr_pstrdup(s->model->pool, word), *bits;
    apr_ipsubnet_t *net;

    if (strcasecmp(word, "all") == 0) {
        s->server->trust_all = 1;
        return APR_SUCCESS;
    }
    bits = strchr(text, '/');
    if (bits) {
        *bits++ = '\0';
    }
    if (apr_ipsubnet_create(&net, text, bits, s->model->pool)
        != APR_SUCCESS) {
        return r307_error_set(s->err, "'%s' is no network", word);
    }
    if (!s->server->trusted) {
        s->server->trusted = apr_array_make(s->model->pool, 4, sizeof net);
    }
    APR_ARRAY_PUSH(s->server->trusted, apr_ipsubnet_t *) = net;
    return APR_SUCCESS;
}

static apr_status_t add_trusted(setting_t *s)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < s->nwords && rv == APR_SUCCESS; i++) {
        rv = add_trusted_word(s, s->words[i]);
    }
    return rv;
}

static apr_status_t add_site(setting_t *s)
{
    r307_rule_env_t env = { s->model->pool, 0, t307_model_take_expr, NULL };
    r307_site_t *site;
    apr_status_t rv = r307_site_parse(&env, s->nwords, s->words, &site,
                                      s->err);

    if (rv == APR_SUCCESS) {
        site->file = s->file;
        site->line = s->line;
        if (!s->server->sites) {
            s->server->sites = apr_array_make(s->model->pool, 4,
                                              sizeof site);
        }
        APR_ARRAY_PUSH(s->server->sites, const r307_site_t *) = site;
    }
    return rv;
}

static apr_status_t use_tables(setting_t *s)
{
    int i;

    for (i = 0; i < s->nwords; i++) {
        t307_source_t *source = apr_hash_get(s->model->tables, s->words[i],
                                             APR_HASH_KEY_STRING);
        if (!source) {
            return r307_error_set(s->err, "there is no @table '%s'",
                                  s->words[i]);
        }
        t307_model_add_source(s->model, s->place, source);
    }
    return APR_SUCCESS;
}

static apr_status_t use_file(setting_t *s)
{
    apr_pool_t *pool = s->model->pool;
    t307_source_t *source;
    char *path;

    if (s->nwords != 1 || !s->section
        || apr_filepath_merge(&path, s->section->path, s->words[0], 0, pool)
           != APR_SUCCESS) {
        return r307_error_set(s->err, "Redirect307File names no file of a "
                              "directory");
    }
    source = t307_model_source(s->model, apr_pstrcat(pool, "rule file ",
                                                     path, NULL), path);
    source->file = s->file;
    source->line = s->line;
    t307_model_add_source(s->model, s->place, source);
    return APR_SUCCESS;
}

apr_status_t t307_settings_apply(t307_model_t *model, t307_server_t *server,
                                 const t307_section_t *section,
                                 t307_place_t *place, const char *name,
                                 int nwords, const char *const *words,
                                 const char *file, int line,
                                 r307_error_t *err)
{
    static const struct {
        const char *name;
        apr_status_t (*apply)(setting_t *s);
    } settings[] = {
        { "Redirect307Engine", set_engine },
        { "Redirect307Relative", set_relative },
        { "Redirect307Inherit", set_inherit },
        { "Redirect307AllowTo", add_allowed },
        { "Redirect307GeoFrom", add_geofrom },
        { "Redirect307TrustedProxy", add_trusted },
        { "Redirect307Site", add_site },
        { "Redirect307Use", use_tables },
        { "Redirect307File", use_file }
    };
    setting_t s = { model, server, section, place, nwords, words, file, line,
                    err };
    apr_size_t i;

    for (i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (strcasecmp(settings[i].name, name) == 0) {
            return settings[i].apply(&s);
        }
    }
    return APR_SUCCESS;
}
