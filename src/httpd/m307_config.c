/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns creation and merge of the configuration. Must not know what rules
 * mean. Called by httpd; the merge of directories runs for every request, so
 * it chains pointers and copies nothing.
 */
#include "httpd/m307.h"

#include "ap_regex.h"

m307_server_conf_t *m307_config_server(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &redirect307_module);
}

m307_dir_conf_t *m307_config_dir(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &redirect307_module);
}

apr_array_header_t *m307_config_list(apr_pool_t *pconf, const char *key)
{
    void *list;

    apr_pool_userdata_get(&list, key, pconf);
    if (!list) {
        list = apr_array_make(pconf, 8, sizeof(void *));
        apr_pool_userdata_setn(list, key, NULL, pconf);
    }
    return list;
}

int m307_config_in_htaccess(const cmd_parms *cmd)
{
    return cmd->pool == cmd->temp_pool;
}

int m307_config_regex_flags(int jit)
{
    static const struct {
        int httpd;
        int core;
    } map[] = {
        { AP_REG_ICASE, R307_REGEX_ICASE },
        { AP_REG_DOTALL, R307_REGEX_DOTALL },
        { AP_REG_DOLLAR_ENDONLY, R307_REGEX_DOLLAR_ENDONLY },
        { AP_REG_NEWLINE, R307_REGEX_MULTILINE }
    };
    int defaults = ap_regcomp_get_default_cflags();
    int flags = jit ? R307_REGEX_JIT : 0;
    apr_size_t i;

    for (i = 0; i < sizeof map / sizeof map[0]; i++) {
        flags |= defaults & map[i].httpd ? map[i].core : 0;
    }
    return flags;
}

apr_array_header_t *m307_config_sets(apr_pool_t *pconf)
{
    return m307_config_list(pconf, "mod_redirect307:sets");
}

void m307_config_freeze(apr_pool_t *pconf)
{
    const apr_array_header_t *sets = m307_config_sets(pconf);
    int i;

    for (i = 0; i < sets->nelts; i++) {
        r307_ruleset_freeze(APR_ARRAY_IDX(sets, i, r307_ruleset_t *));
    }
}

r307_ruleset_t *m307_config_own_set(const cmd_parms *cmd,
                                    m307_rules_t *rules)
{
    r307_chain_t *link;

    if (rules->own) {
        return rules->own;
    }
    rules->own = r307_ruleset_create(cmd->pool);
    link = apr_pcalloc(cmd->pool, sizeof *link);
    link->set = rules->own;
    link->next = rules->chain;
    rules->chain = link;
    if (!rules->last) {
        rules->last = link;
    }
    if (!m307_config_in_htaccess(cmd)) {
        APR_ARRAY_PUSH(m307_config_sets(cmd->server->process->pconf),
                       r307_ruleset_t *) = rules->own;
    }
    return rules->own;
}

void m307_config_add_source(const cmd_parms *cmd, m307_rules_t *rules,
                            struct m307_source_t *source)
{
    r307_chain_t *link = apr_pcalloc(cmd->pool, sizeof *link);

    link->changing = source;
    if (rules->last) {
        rules->last->next = link;
    }
    else {
        rules->chain = link;
    }
    rules->last = link;
}

static void merge_rules(apr_pool_t *pool, m307_rules_t *out,
                        const m307_rules_t *base, const m307_rules_t *over)
{
    out->own = over->own;
    out->last = NULL;
    out->cut = base->cut || over->cut;
    out->chain = over->cut ? over->chain
                           : r307_chain_join(pool, over->chain, base->chain);
}

/* Mostly there are none, and then this costs nothing. cut: that of rules. */
static m307_rules_t *merge_onerror(apr_pool_t *pool, m307_rules_t *base,
                                   m307_rules_t *over, int cut)
{
    m307_rules_t *out;

    if (!base || !over || cut) {
        return over || cut ? over : base;
    }
    out = apr_palloc(pool, sizeof *out);
    merge_rules(pool, out, base, over);
    return out;
}

/* Settings that the inner context overrides when it sets them. Every scalar
 * member stands here, so that none can be forgotten in a merge. */
#define DIR_SETTINGS(SETTING) \
    SETTING(engine) \
    SETTING(relative) \
    SETTING(upgrade) \
    SETTING(dryrun_header)
#define SERVER_SETTINGS(SETTING) \
    SETTING(drain) \
    SETTING(file_max) \
    SETTING(file_outside) \
    SETTING(counters) \
    SETTING(trust_all)

#define CREATE_SETTING(member) conf->member = M307_UNSET;
#define MERGE_SETTING(member) \
    conf->member = over->member == M307_UNSET ? base->member : over->member;

void *m307_config_create_server(apr_pool_t *pool, server_rec *s)
{
    m307_server_conf_t *conf = apr_pcalloc(pool, sizeof *conf);

    (void)s;
    SERVER_SETTINGS(CREATE_SETTING)
    conf->judged = apr_array_make(pool, 0, sizeof(const r307_rule_t *));
    return conf;
}

/* A virtual host's own come first and hide those of the same name. */
static apr_array_header_t *merge_sites(apr_pool_t *pool,
                                       const apr_array_header_t *base,
                                       apr_array_header_t *over)
{
    apr_array_header_t *sites;
    int i;

    if (!base || !over) {
        return over ? over : (apr_array_header_t *)base;
    }
    sites = apr_array_copy(pool, over);
    for (i = 0; i < base->nelts; i++) {
        const r307_site_t *site = APR_ARRAY_IDX(base, i,
                                                const r307_site_t *);
        if (!r307_site_find(over, site->name, strlen(site->name))) {
            APR_ARRAY_PUSH(sites, const r307_site_t *) = site;
        }
    }
    return sites;
}

void *m307_config_merge_server(apr_pool_t *pool, void *basev, void *overv)
{
    const m307_server_conf_t *base = basev, *over = overv;
    m307_server_conf_t *conf = apr_pcalloc(pool, sizeof *conf);

    SERVER_SETTINGS(MERGE_SETTING)
    merge_rules(pool, &conf->rules, &base->rules, &over->rules);
    conf->onerror = merge_onerror(pool, base->onerror, over->onerror,
                                  over->rules.cut);
    conf->allowed_hosts = over->allowed_hosts ? over->allowed_hosts
                                              : base->allowed_hosts;
    conf->judged = over->judged;
    conf->state_dir = base->state_dir;
    conf->geofrom = over->geofrom ? over->geofrom : base->geofrom;
    conf->trusted = over->trusted ? over->trusted : base->trusted;
    /* its own list replaces `all`, and the other way round */
    if (over->trusted) {
        conf->trust_all = over->trust_all;
    }
    else if (over->trust_all == 1) {
        conf->trusted = NULL;
    }
    conf->sites = merge_sites(pool, base->sites, over->sites);
    return conf;
}

void *m307_config_create_dir(apr_pool_t *pool, char *dir)
{
    m307_dir_conf_t *conf = apr_pcalloc(pool, sizeof *conf);

    (void)dir;
    DIR_SETTINGS(CREATE_SETTING)
    return conf;
}

void *m307_config_merge_dir(apr_pool_t *pool, void *basev, void *overv)
{
    const m307_dir_conf_t *base = basev, *over = overv;
    m307_dir_conf_t *conf = apr_palloc(pool, sizeof *conf);

    DIR_SETTINGS(MERGE_SETTING)
    conf->cors = over->cors ? over->cors : base->cors;
    merge_rules(pool, &conf->rules, &base->rules, &over->rules);
    conf->onerror = merge_onerror(pool, base->onerror, over->onerror,
                                  over->rules.cut);
    conf->loopguard = over->loopguard ? over->loopguard : base->loopguard;
    return conf;
}
