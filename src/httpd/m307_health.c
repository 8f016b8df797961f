/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns whether a site can be used at the moment: its while= and its balancer=.
 * Must not know rules, nor which site is the nearest. Called by the directive,
 * by check and, through the core, by requests.
 */
#include "httpd/m307.h"

#include "apr_atomic.h"
#include "apr_strings.h"

/* r307_site_t.health */
typedef struct health_t {
    const r307_site_t *site;
    server_rec *server;         /* that the site is written in */
    const struct m307_balancer_t *balancer;     /* NULL without balancer= */
    volatile apr_uint32_t said; /* by this process: while= has failed */
} health_t;

static apr_array_header_t *all_watched(apr_pool_t *pconf)
{
    return m307_config_list(pconf, "mod_redirect307:watched");
}

void m307_health_watch(const cmd_parms *cmd, r307_site_t *site)
{
    health_t *health = apr_pcalloc(cmd->pool, sizeof *health);

    health->site = site;
    health->server = cmd->server;
    site->health = health;
    APR_ARRAY_PUSH(all_watched(cmd->server->process->pconf),
                   health_t *) = health;
}

int m307_health_check_all(apr_pool_t *pconf, apr_pool_t *ptemp)
{
    const apr_array_header_t *watched = all_watched(pconf);
    int i, result = OK;

    for (i = 0; i < watched->nelts; i++) {
        health_t *health = APR_ARRAY_IDX(watched, i, health_t *);
        const r307_site_t *site = health->site;
        r307_error_t err = { ptemp, NULL };

        if (!site->balancer) {
            continue;
        }
        health->balancer = m307_balancer_find(health->server, site, &err);
        if (!health->balancer) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0,
                         health->server, "%s:%d: %s", site->file, site->line,
                         err.text);
            result = HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return result;
}

static const char *failed(const request_rec *r, health_t *health)
{
    const r307_site_t *site = health->site;

    if (apr_atomic_cas32(&health->said, 1, 0) == 0) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "R307-0440: the site %s (%s:%d) counts as down, because "
                      "its while= cannot be evaluated; this is said once by "
                      "each process", site->name, site->file, site->line);
    }
    return "its while= cannot be evaluated";
}

const char *m307_health_site_down(void *ctx, const r307_site_t *site)
{
    m307_request_t *req = ctx;
    health_t *health = site->health;
    int truth = 1;

    if (site->while_text
        && m307_expr_eval_bool(req, site->while_expr, &truth)
           != APR_SUCCESS) {
        return failed(req->r, health);
    }
    if (!truth) {
        return "its while= is false";
    }
    return health->balancer && !m307_balancer_is_usable(health->balancer)
        ? "its balancer has no usable member" : NULL;
}
