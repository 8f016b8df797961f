/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what can only be judged when all directives have been read. Runs in
 * check_config, so that `apachectl configtest` sees it.
 */
#include "httpd/m307_status.h"
#include "httpd/m307_table.h"

#include "apr_strings.h"

/* Redirect307AllowTo and Redirect307Site may stand after the rules that need
 * them. */
static int judge_all(const m307_server_conf_t *conf, apr_pool_t *ptemp,
                     server_rec *s)
{
    int i, result = OK;

    for (i = 0; i < conf->judged->nelts; i++) {
        const r307_rule_t *rule =
            APR_ARRAY_IDX(conf->judged, i, const r307_rule_t *);
        const char *error = m307_judge_rule(ptemp, conf, rule);

        if (error) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, s,
                         "%s:%d: %s", rule->file, rule->line, error);
            result = HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return result;
}

int m307_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                      server_rec *s)
{
    server_rec *main_server = s;
    int result = m307_geo_check_all(pconf, ptemp, s);

    (void)plog;
    if (m307_health_check_all(pconf, ptemp) != OK) {
        result = HTTP_INTERNAL_SERVER_ERROR;
    }
    m307_status_hook(s);
    m307_filters_hook(pconf, s);
    if (m307_table_open_all(pconf, ptemp, s) != OK) {
        result = HTTP_INTERNAL_SERVER_ERROR;
    }
    if (m307_file_check_all(pconf, ptemp, s) != OK) {
        result = HTTP_INTERNAL_SERVER_ERROR;
    }
    for (; s; s = s->next) {
        if (judge_all(m307_config_server(s), ptemp, s) != OK) {
            result = HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    m307_config_freeze(pconf);
    m307_lint_config(pconf, ptemp, main_server);
    return result;
}
