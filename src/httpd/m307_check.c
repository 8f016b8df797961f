/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what can only be judged when all directives have been read. Runs in
 * check_config, so that `apachectl configtest` sees it.
 */
#include "httpd/m307_table.h"

#include "apr_strings.h"

const char *m307_check_computed_error(apr_pool_t *pool,
                                      const r307_rule_t *rule)
{
    return apr_psprintf(pool, "R307-0310: the target '%s' lets the request "
                        "decide which host the client is sent to; put a "
                        "slash between the host and what the request fills "
                        "in ('https://host/$1', '/$1' for this server), or, "
                        "if the host itself is meant to vary, name the hosts "
                        "that may result with Redirect307AllowTo",
                        rule->target->written);
}

/* Redirect307AllowTo may stand after the rules that need it. */
static int check_computed(const m307_server_conf_t *conf, apr_pool_t *ptemp,
                          server_rec *s)
{
    int i;

    if (conf->allowed_hosts) {
        return OK;
    }
    for (i = 0; i < conf->computed->nelts; i++) {
        const r307_rule_t *rule =
            APR_ARRAY_IDX(conf->computed, i, const r307_rule_t *);
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, s,
                     "%s:%d: %s", rule->file, rule->line,
                     m307_check_computed_error(ptemp, rule));
    }
    return conf->computed->nelts ? HTTP_INTERNAL_SERVER_ERROR : OK;
}

int m307_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                      server_rec *s)
{
    int result = m307_table_open_all(pconf, ptemp, s);

    (void)plog;
    if (m307_file_check_all(pconf, ptemp, s) != OK) {
        result = HTTP_INTERNAL_SERVER_ERROR;
    }
    for (; s; s = s->next) {
        if (check_computed(m307_config_server(s), ptemp, s) != OK) {
            result = HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    m307_config_freeze(pconf);
    return result;
}
