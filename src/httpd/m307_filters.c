/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns who of us sees the answers that others make. Must not know what
 * becomes of them. Called by check_config, and by httpd for every answer.
 *
 * The hooks are there only if something in the configuration needs them, or
 * if an .htaccess file may: they would cost every request, and most servers
 * never use what is behind them.
 */
#include "httpd/m307_onerror.h"

static const char key[] = "mod_redirect307:filters";

void m307_filters_need(const cmd_parms *cmd)
{
    if (!m307_config_in_htaccess(cmd)) {
        apr_pool_userdata_setn(key, key, NULL,
                               cmd->server->process->pconf);
    }
}

static int is_needed(apr_pool_t *pconf)
{
    void *found = NULL;

    apr_pool_userdata_get(&found, key, pconf);
    return found != NULL;
}

static int allows_htaccess(ap_conf_vector_t *section)
{
    const core_dir_config *dir = ap_get_core_module_config(section);

    return (!(dir->override & OR_UNSET) && dir->override & OR_FILEINFO)
           || dir->override_list;
}

/* AllowOverride stands in <Directory> only. */
static int server_allows_htaccess(const server_rec *s)
{
    const core_server_config *core =
        ap_get_core_module_config(s->module_config);
    int i;

    for (i = 0; i < core->sec_dir->nelts; i++) {
        if (allows_htaccess(APR_ARRAY_IDX(core->sec_dir, i,
                                          ap_conf_vector_t *))) {
            return 1;
        }
    }
    return 0;
}

int m307_filters_any_htaccess(const server_rec *s)
{
    while (s && !server_allows_htaccess(s)) {
        s = s->next;
    }
    return s != NULL;
}

/* An error page may be replaced by what the request that failed allows. */
static void insert_cors(request_rec *r)
{
    struct m307_cors_t *cors = m307_config_dir(m307_onerror_failed(r))->cors;

    if (cors) {
        m307_cors_insert(r, cors);
    }
}

static void insert_filter(request_rec *r)
{
    const m307_dir_conf_t *dir = m307_config_dir(r);

    m307_onerror_insert(r);
    if (dir->upgrade > M307_UPGRADE_OFF) {
        m307_upgrade_insert(r, dir);
    }
    insert_cors(r);
}

static void insert_error_filter(request_rec *r)
{
    const m307_dir_conf_t *dir = m307_config_dir(r);

    if (!m307_onerror_insert_error(r) && dir->upgrade > M307_UPGRADE_OFF) {
        m307_upgrade_insert_error(r, dir);
    }
    insert_cors(r);
}

/* Hooks have been sorted, so these are the last, and what is upgraded here is
 * what httpd is about to name in its page. */
void m307_filters_hook(apr_pool_t *pconf, const server_rec *s)
{
    if (is_needed(pconf) || m307_filters_any_htaccess(s)) {
        ap_hook_insert_filter(insert_filter, NULL, NULL,
                              APR_HOOK_REALLY_LAST);
        ap_hook_insert_error_filter(insert_error_filter, NULL, NULL,
                                    APR_HOOK_REALLY_LAST);
    }
}
