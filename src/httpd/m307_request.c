/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the view of a request_rec that the core gets. Must not know rules.
 * Called by the hooks; self() by the core, when a rule matched.
 */
#include "httpd/m307_table.h"

#include "core/r307_authority.h"

#include "apr_strings.h"

const char *m307_request_absolute_path(const char *url)
{
    const char *s = url ? strstr(url, "://") : NULL;

    return s ? s + 3 + strcspn(s + 3, "/?#") : NULL;
}

request_rec *m307_request_original(request_rec *r)
{
    while (r->main || r->prev) {
        r = r->main ? r->main : r->prev;
    }
    return r;
}

/* Does the Host that the client named belong to this virtual host? Then it
 * may be repeated to the client. */
static int is_own_host(request_rec *r, const char *host, apr_port_t port)
{
    const server_addr_rec *addr;

    if (!ap_matches_request_vhost(r, host, r->server->port)
        && strcmp(host, r->connection->local_ip) != 0) {
        return 0;
    }
    if (port == ap_default_port(r) || port == r->server->port
        || port == r->connection->local_addr->port) {
        return 1;
    }
    for (addr = r->server->addrs; addr; addr = addr->next) {
        if (addr->host_port == port) {
            return 1;
        }
    }
    return 0;
}

/* httpd keeps the port of an absolute-form request in 16 bits, so 65616 would
 * pass for 80. */
static int is_real_port(const request_rec *r)
{
    const char *port = r->parsed_uri.port_str;
    apr_int64_t n = port ? apr_atoi64(port) : 1;

    return n > 0 && n <= 65535;
}

/* r307_request_t.base, from the request that the client made: subrequests do
 * not know its port. */
static const char *base(void *ctx)
{
    request_rec *r = m307_request_original(((m307_request_t *)ctx)->r);
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    apr_port_t port = ap_get_server_port(r);
    const char *host = ap_get_server_name_for_url(r), *why, *url;
    r307_authority_t authority;

    if (((m307_request_t *)ctx)->dir->relative == 1) {
        return NULL;
    }
    if (core->use_canonical_name != USE_CANONICAL_NAME_ON
        && (!is_real_port(r)
            || (core->use_canonical_name != USE_CANONICAL_NAME_DNS
                && (!r->hostname || !is_own_host(r, r->hostname, port))))) {
        return NULL;
    }
    if (r307_authority_parse(host, strlen(host), &authority, &why)
        != APR_SUCCESS) {
        return NULL;
    }
    url = apr_pstrcat(r->pool, ap_http_scheme(r), "://", host, NULL);
    return ap_is_default_port(port, r) ? url
        : apr_psprintf(r->pool, "%s:%u", url, (unsigned)port);
}

static const r307_self_t *self(void *ctx)
{
    m307_request_t *req = ctx;
    r307_self_t *me = &req->self;
    request_rec *first;

    if (req->has_self) {
        return me;
    }
    req->has_self = 1;
    first = m307_request_original(req->r);
    me->scheme = ap_http_scheme(first);
    me->host = first->hostname;
    me->port = first->parsed_uri.port_str ? first->parsed_uri.port
                                          : ap_default_port(first);
    me->path = m307_request_raw_path(first);
    if (!me->path || *me->path != '/') {
        me->path = "/";
    }
    me->query = first->args;
    return me;
}

static const r307_ruleset_t *hold(m307_request_t *req,
                                  m307_version_t *version)
{
    m307_held_t *held = !req->held ? &req->first_held
        : apr_palloc(req->r->pool, sizeof *held);

    held->version = version;
    held->next = req->held;
    req->held = held;
    return r307_table_rules(version->data);
}

static const r307_ruleset_t * __attribute__((noinline)) current_file(
    m307_request_t *req, m307_source_t *source, const char **reason)
{
    m307_version_t *version = source->acquire(source, req->r, reason);

    return version ? hold(req, version) : NULL;
}

/* replaced: a version to be given back, or NULL */
static const r307_ruleset_t * __attribute__((noinline)) current_table(
    m307_request_t *req, m307_table_t *table, m307_version_t *replaced)
{
    m307_version_t *version;

    if (replaced) {
        m307_version_release(replaced);
    }
    version = m307_table_acquire(table, req->r->server);
    return version ? hold(req, version) : NULL;
}

/* r307_request_t.current. Most requests ask one table, and find its version
 * of before; that much is done here, and needs no stack. */
static const r307_ruleset_t *current(void *ctx, void *changing,
                                     const char **reason)
{
    m307_request_t *req = ctx;
    m307_source_t *source = changing;
    m307_table_t *table = changing;
    m307_version_t *version;

    if (source->acquire) {
        return current_file(req, source, reason);
    }
    version = table->versions.current;
    if (req->held || !version
        || m307_refresh_generation(table) != table->generation) {
        return current_table(req, table, NULL);
    }
    if (!m307_version_enter(&table->versions, version)) {
        return current_table(req, table, version);
    }
    req->first_held.version = version;
    req->first_held.next = NULL;
    req->held = &req->first_held;
    return r307_table_rules(version->data);
}

/* The first, which is the last of the list, is released by the caller. */
void m307_request_done(m307_request_t *req)
{
    for (; req->held != &req->first_held; req->held = req->held->next) {
        m307_version_release(req->held->version);
    }
}

void m307_request_add_vary(m307_request_t *req, const char *fields)
{
    if (fields && *fields && fields != req->vary) {
        req->vary = req->vary ? apr_pstrcat(req->r->pool, req->vary, ", ",
                                            fields, NULL)
                              : fields;
    }
}

const r307_host_t m307_request_host = {
    self, base, m307_expr_eval_bool, m307_expr_eval_string, current,
    m307_hooks_trace, m307_geo_facts, m307_geo_sticky, m307_geo_draw,
    m307_health_site_down, m307_hooks_traces, m307_dryrun_would
};
