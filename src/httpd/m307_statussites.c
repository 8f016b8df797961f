/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns which sites the status page shows, and how each of them is. Must not
 * know formats. Called by those.
 */
#include "httpd/m307_status.h"

/* while= is evaluated for the request that asks for the page. */
static const char *down_of(request_rec *r, const r307_site_t *site)
{
    m307_request_t req;

    req.dir = m307_config_dir(r);
    req.server = m307_config_server(r->server);
    m307_request_init(&req, r);
    return m307_health_site_down(&req, site);
}

static void judge(request_rec *r, m307_siterow_t *row)
{
    row->reason = NULL;
    row->health = "always";
    if (r307_site_is_watched(row->site)) {
        row->reason = down_of(r, row->site);
        row->health = row->reason ? "down" : "up";
    }
}

int m307_statussites_each(request_rec *r, m307_siterow_fn call, void *ctx)
{
    const apr_array_header_t *outer =
        m307_config_server(ap_server_conf)->sites;
    const server_rec *s;
    int i, n = 0;

    for (s = ap_server_conf; s; s = s->next) {
        const apr_array_header_t *sites = m307_config_server(s)->sites;

        /* who has none of its own has those of the main server */
        for (i = 0; sites && i < sites->nelts
             && (s == ap_server_conf || sites != outer); i++) {
            m307_siterow_t row = { APR_ARRAY_IDX(sites, i,
                                                 const r307_site_t *),
                                   s->is_virtual ? s->server_hostname
                                                 : "main server",
                                   n++, NULL, NULL };
            judge(r, &row);
            call(ctx, &row);
        }
    }
    return n;
}
