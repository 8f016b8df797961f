/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the directives: their contexts and their arguments. Must not know
 * requests. Called by httpd while it reads httpd.conf, and for .htaccess
 * files on every request that meets one.
 *
 * An error is returned as a sentence; httpd puts file and line before it.
 */
#include "httpd/m307_onerror.h"
#include "httpd/m307_counters.h"

#include "core/r307_authority.h"
#include "core/r307_options.h"

#include "ap_regex.h"
#include "apr_strings.h"

static m307_rules_t *rules_here(cmd_parms *cmd, void *dir)
{
    return cmd->path ? &((m307_dir_conf_t *)dir)->rules
                     : &m307_config_server(cmd->server)->rules;
}

const char *m307_directives_add_rule(cmd_parms *cmd, m307_rules_t *rules,
                                     r307_rule_spec_t *spec)
{
    int htaccess = m307_config_in_htaccess(cmd);
    r307_rule_env_t env = { cmd->pool,
                            m307_config_regex_flags(!htaccess),
                            m307_expr_compile,
                            htaccess ? M307_EXPR_RESTRICTED
                                     : M307_EXPR_FULL };
    r307_error_t err = { cmd->temp_pool, NULL };
    r307_rule_t *rule;

    spec->file = cmd->directive->filename;
    spec->line = cmd->directive->line_num;
    if (r307_rule_create(&env, spec, &rule, &err) != APR_SUCCESS) {
        return err.text;
    }
    if (!htaccess) {
        rule->name = r307_rule_name(cmd->pool, rule);
        m307_counters_add_rule(cmd, rule);
    }
    if (m307_judge_later(rule)) {
        m307_server_conf_t *server = m307_config_server(cmd->server);
        const char *error;
        if (!htaccess) {
            APR_ARRAY_PUSH(server->judged, const r307_rule_t *) = rule;
        }
        else if ((error = m307_judge_rule(cmd->temp_pool, server, rule))) {
            return error;
        }
    }
    r307_ruleset_add(m307_config_own_set(cmd, rules), rule);
    if (!htaccess && spec->kind != R307_RULE_ANY) {
        m307_dump_note_rule(cmd, spec);
    }
    return NULL;
}

static const char *add_rule(cmd_parms *cmd, void *dir, r307_rule_spec_t *spec)
{
    return m307_directives_add_rule(cmd, rules_here(cmd, dir), spec);
}

/* How many of the words come before the options. */
static int leading_words(int argc, char *const argv[])
{
    int n = 0;

    /* `Redirect 302 /a URL`, renamed: the status word is what is wrong, not
     * the number of words. */
    if (argc > 2 && r307_rule_is_status_word(argv[0])) {
        return 2;
    }

    /* The first word is never an option: in `Redirect307 exact=x` it is a
     * target that somebody got wrong. */
    while (n < argc && (n == 0 || !r307_options_is_option(argv[n]))) {
        n++;
    }
    return n;
}

static const char *word_count_error(const cmd_parms *cmd, int words,
                                    char *const argv[])
{
    const char *name = cmd->cmd->name;

    if (words > 2) {
        return apr_psprintf(cmd->temp_pool, "R307-0301: %s has the extra word "
                            "'%s'; write one URL-path, one target, then "
                            "options as key=value, with quotes around what "
                            "holds spaces", name, argv[2]);
    }
    if (words == 1 && !cmd->path) {
        return apr_psprintf(cmd->temp_pool, "R307-0302: %s '%s' has no "
                            "target; outside a section write '%s URL-path "
                            "target'", name, argv[0], name);
    }
    return apr_psprintf(cmd->temp_pool, "R307-0303: %s needs what to match "
                        "and a target", name);
}

static const char *set_redirect(cmd_parms *cmd, void *dir, int argc,
                                char *const argv[])
{
    r307_rule_spec_t spec = { R307_RULE_PREFIX, NULL, NULL, 0, NULL, NULL,
                              0, 0 };
    int words = leading_words(argc, argv);

    if (words == 1 && cmd->path) {
        spec.kind = R307_RULE_SECTION;
    }
    else if (words == 2) {
        spec.path = argv[0];
    }
    else {
        return word_count_error(cmd, words, argv);
    }
    spec.target = argv[words - 1];
    spec.noptions = argc - words;
    spec.options = (const char *const *)argv + words;
    return add_rule(cmd, dir, &spec);
}

static const char *set_match(cmd_parms *cmd, void *dir, int argc,
                             char *const argv[])
{
    r307_rule_spec_t spec = { R307_RULE_REGEX, NULL, NULL, 0, NULL, NULL,
                              0, 0 };
    int words = leading_words(argc, argv);

    if (words != 2) {
        return words > 2 ? word_count_error(cmd, words, argv)
                         : word_count_error(cmd, 0, argv);
    }
    spec.path = argv[0];
    spec.target = argv[1];
    spec.noptions = argc - words;
    spec.options = (const char *const *)argv + words;
    return add_rule(cmd, dir, &spec);
}

/* httpd hands over no more words (server/config.c), and does not say so. */
#define ARGC_MAX 64

/* [URL-path] choice... [option...] */
static const char *set_geo(cmd_parms *cmd, void *dir, int argc,
                           char *const argv[])
{
    r307_rule_spec_t spec = { R307_RULE_PREFIX, NULL, NULL, 0, NULL, NULL,
                              0, 1 };
    int path = argc > 0
               && !r307_selector_is_list(argv[0], strcspn(argv[0], "="));

    if (argc >= ARGC_MAX) {
        return apr_psprintf(cmd->temp_pool, "R307-0323: Redirect307Geo has "
                            "more than %d words; put the rule into a table, "
                            "as 'URL-path geo selector=target ...'",
                            ARGC_MAX - 1);
    }
    if (!path && !cmd->path) {
        return apr_psprintf(cmd->temp_pool, "R307-0320: Redirect307Geo has no "
                            "URL-path; outside a section write "
                            "'Redirect307Geo URL-path selector=target ...'");
    }
    if (path) {
        spec.path = argv[0];
    }
    else {
        spec.kind = R307_RULE_SECTION;
    }
    spec.noptions = argc - path;
    spec.options = (const char *const *)argv + path;
    return add_rule(cmd, dir, &spec);
}

static const char *set_engine(cmd_parms *cmd, void *dir, const char *arg)
{
    static const char *const names[] = { "Off", "On", "DryRun" };
    int i;

    for (i = 0; i < 3; i++) {
        if (strcasecmp(arg, names[i]) == 0) {
            ((m307_dir_conf_t *)dir)->engine = i;
            return NULL;
        }
    }
    return apr_psprintf(cmd->temp_pool, "R307-0304: Redirect307Engine '%s' is "
                        "neither On nor Off nor DryRun", arg);
}

static const char *set_relative(cmd_parms *cmd, void *dir, int on)
{
    (void)cmd;
    ((m307_dir_conf_t *)dir)->relative = on;
    return NULL;
}

static const char *set_inherit(cmd_parms *cmd, void *dir, int on)
{
    if (!cmd->path && !cmd->server->is_virtual) {
        return "R307-0305: Redirect307Inherit has nothing to inherit in the "
               "main server; write it in a virtual host, a section or an "
               ".htaccess file";
    }
    rules_here(cmd, dir)->cut = !on;
    return NULL;
}

static const char *parse_bytes(const cmd_parms *cmd, const char *arg,
                               apr_off_t *out)
{
    apr_off_t bytes;
    char *end;

    if (apr_strtoff(&bytes, arg, &end, 10) != APR_SUCCESS || *end
        || end == arg || bytes < 0) {
        return apr_psprintf(cmd->temp_pool, "R307-0306: %s '%s' is not a "
                            "number of bytes; write 0 or more, without a "
                            "unit", cmd->cmd->name, arg);
    }
    *out = bytes;
    return NULL;
}

static const char *set_drain(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)dir;
    return parse_bytes(cmd, arg, &m307_config_server(cmd->server)->drain);
}

static const char *add_allowed_host(cmd_parms *cmd, void *dir,
                                    const char *arg)
{
    m307_server_conf_t *conf = m307_config_server(cmd->server);
    r307_error_t err = { cmd->temp_pool, NULL };
    r307_host_pattern_t pattern;

    (void)dir;
    if (r307_host_pattern_parse(cmd->pool, arg, 1, &pattern, &err)
        != APR_SUCCESS) {
        return err.text;
    }
    if (!conf->allowed_hosts) {
        conf->allowed_hosts = apr_array_make(cmd->pool, 4, sizeof pattern);
    }
    APR_ARRAY_PUSH(conf->allowed_hosts, r307_host_pattern_t) = pattern;
    return NULL;
}

static const char *define_table(cmd_parms *cmd, void *dir, int argc,
                                char *const argv[])
{
    const char *err = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)dir;
    return err ? err : m307_table_define(cmd, argc, argv);
}

static const char *use_table(cmd_parms *cmd, void *dir, const char *name)
{
    return m307_table_use(cmd, rules_here(cmd, dir), name);
}

static const char *set_state_dir(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *err = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)dir;
    m307_config_server(cmd->server)->state_dir =
        ap_server_root_relative(cmd->pool, arg);
    return err;
}

static const char *use_file(cmd_parms *cmd, void *dir, const char *path)
{
    return m307_file_use(cmd, rules_here(cmd, dir), path);
}

static const char *set_file_max(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)dir;
    return parse_bytes(cmd, arg, &m307_config_server(cmd->server)->file_max);
}

static const char *set_file_outside(cmd_parms *cmd, void *dir, int on)
{
    (void)dir;
    m307_config_server(cmd->server)->file_outside = on;
    return NULL;
}

static const char *set_dryrun_header(cmd_parms *cmd, void *dir, int on)
{
    (void)cmd;
    ((m307_dir_conf_t *)dir)->dryrun_header = on;
    return NULL;
}

const command_rec m307_directives[] = {
    AP_INIT_TAKE1("Redirect307Engine", set_engine, NULL, OR_FILEINFO,
                  "On, Off, or DryRun: decide and log, but let requests "
                  "pass"),
    AP_INIT_TAKE_ARGV("Redirect307", set_redirect, NULL, OR_FILEINFO,
                      "[URL-path] target [option...]"),
    AP_INIT_TAKE_ARGV("Redirect307Match", set_match, NULL, OR_FILEINFO,
                      "regex target [option...]"),
    AP_INIT_TAKE_ARGV("Redirect307Geo", set_geo, NULL, OR_FILEINFO,
                      "[URL-path] selector[,selector...]=target... "
                      "[option...]"),
    AP_INIT_ITERATE("Redirect307GeoFrom", m307_geo_add_source, NULL,
                    RSRC_CONF, "presets, field=source: where it is known "
                    "from who the visitor is"),
    AP_INIT_ITERATE("Redirect307TrustedProxy", m307_geo_add_trusted, NULL,
                    RSRC_CONF, "addresses of the peers whose geo headers are "
                    "believed, or all"),
    AP_INIT_TAKE_ARGV("Redirect307Site", m307_geo_add_site, NULL, RSRC_CONF,
                      "name URL [at=lat,lon] [serves=selector,...] "
                      "[while=expr] [balancer=name] [local]"),
    AP_INIT_FLAG("Redirect307Relative", set_relative, NULL, OR_FILEINFO,
                 "On: send a target that is a path as it is"),
    AP_INIT_TAKE1("Redirect307Upgrade", m307_upgrade_set, NULL, OR_FILEINFO,
                  "Off, Unsafe or All: whose 302 and 301 become 307 and "
                  "308"),
    AP_INIT_TAKE_ARGV("Redirect307CORS", m307_cors_set, NULL, OR_FILEINFO,
                      "origin...|*|Off [max-age=seconds] [credentials]"),
    AP_INIT_FLAG("Redirect307Inherit", set_inherit, NULL, OR_FILEINFO,
                 "Off: rules of the enclosing context do not apply"),
    AP_INIT_TAKE1("Redirect307Drain", set_drain, NULL, RSRC_CONF,
                  "bytes of a request body that are read before the answer, "
                  "so that the connection survives"),
    AP_INIT_ITERATE("Redirect307AllowTo", add_allowed_host, NULL, RSRC_CONF,
                    "hosts that a computed target may name"),
    AP_INIT_TAKE_ARGV("Redirect307Table", define_table, NULL, RSRC_CONF,
                      "name file:path [match=prefix|exact] "
                      "[refresh=seconds] [format=rules|rewritemap]"),
    AP_INIT_ITERATE("Redirect307Use", use_table, NULL, OR_FILEINFO,
                    "names of tables that apply here"),
    AP_INIT_TAKE1("Redirect307StateDir", set_state_dir, NULL, RSRC_CONF,
                  "the directory that compiled tables are kept in"),
    AP_INIT_TAKE1("Redirect307File", use_file, NULL, OR_FILEINFO,
                  "a rule file next to the content"),
    AP_INIT_TAKE1("Redirect307FileMax", set_file_max, NULL, RSRC_CONF,
                  "bytes that a rule file may have at most"),
    AP_INIT_FLAG("Redirect307FileOutside", set_file_outside, NULL, RSRC_CONF,
                 "On: rule files may lie outside of their directory"),
    AP_INIT_TAKE_ARGV("Redirect307OnError", m307_onerror_add, NULL,
                      OR_FILEINFO, "STATUS[,STATUS|5xx...] target "
                      "[option...]"),
    AP_INIT_TAKE12("Redirect307LoopGuard", m307_loopguard_set, NULL,
                   OR_FILEINFO, "Off, query[:NAME] or cookie[:NAME] [domain]: "
                   "how a request is known that was sent on already"),
    AP_INIT_FLAG("Redirect307DryRunHeader", set_dryrun_header, NULL,
                 OR_FILEINFO, "On: name what a dry run would have done in "
                 "the field Redirect307-Would of the answer"),
    AP_INIT_FLAG("Redirect307Counters", m307_counters_set, NULL, RSRC_CONF,
                 "Off: count nothing"),
    AP_INIT_TAKE1("Redirect307Stats", m307_counters_set_file, NULL,
                  RSRC_CONF, "a file that keeps counts while the server is "
                  "stopped"),
    { NULL }
};
