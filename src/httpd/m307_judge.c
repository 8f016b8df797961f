/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what a server's settings say about a rule. Called when a rule is
 * created by an .htaccess file, and for all others when every directive has
 * been read.
 */
#include "httpd/m307.h"

#include "apr_strings.h"

int m307_judge_later(const r307_rule_t *rule)
{
    return rule->choices || rule->split || rule->target->computed_host
           || rule->target->site;
}

static const char *computed_error(apr_pool_t *pool, const char *written)
{
    return apr_psprintf(pool, "R307-0310: the target '%s' lets the request "
                        "decide which host the client is sent to; put a "
                        "slash between the host and what the request fills "
                        "in ('https://host/$1', '/$1' for this server), or, "
                        "if the host itself is meant to vary, name the hosts "
                        "that may result with Redirect307AllowTo", written);
}

const char *m307_judge_rule(apr_pool_t *pool, const m307_server_conf_t *conf,
                            const r307_rule_t *rule)
{
    const r307_target_t *computed = r307_rule_computed_host(rule);
    const char *site = r307_rule_unknown_site(rule, conf->sites);

    if (computed && !conf->allowed_hosts) {
        return computed_error(pool, computed->written);
    }
    return !site ? NULL
        : apr_psprintf(pool, "R307-0311: there is no site '%s'; define it "
                       "with Redirect307Site NAME URL", site);
}
