/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the directives: their contexts and their arguments. Must not know
 * requests. Called by httpd while it reads httpd.conf, and for .htaccess
 * files on every request that meets one.
 *
 * An error is returned as a sentence; httpd puts file and line before it.
 */
#include "httpd/m307.h"

#include "core/r307_authority.h"
#include "core/r307_options.h"

#include "ap_regex.h"
#include "apr_strings.h"

/* httpd reads .htaccess into the request's pool. */
static int in_htaccess(const cmd_parms *cmd)
{
    return cmd->pool == cmd->temp_pool;
}

static int regex_flags(const cmd_parms *cmd)
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
    /* Compiling for the JIT costs more than one request can win back. */
    int flags = in_htaccess(cmd) ? 0 : R307_REGEX_JIT;
    apr_size_t i;

    for (i = 0; i < sizeof map / sizeof map[0]; i++) {
        flags |= defaults & map[i].httpd ? map[i].core : 0;
    }
    return flags;
}

static m307_rules_t *rules_here(cmd_parms *cmd, void *dir)
{
    return cmd->path ? &((m307_dir_conf_t *)dir)->rules
                     : &m307_config_server(cmd->server)->rules;
}

static const char *add_rule(cmd_parms *cmd, void *dir, r307_rule_spec_t *spec)
{
    r307_rule_env_t env = { cmd->pool, regex_flags(cmd), m307_expr_compile,
                            cmd };
    r307_error_t err = { cmd->temp_pool, NULL };
    r307_rule_t *rule;

    spec->file = cmd->directive->filename;
    spec->line = cmd->directive->line_num;
    if (r307_rule_create(&env, spec, &rule, &err) != APR_SUCCESS) {
        return err.text;
    }
    if (rule->target->computed_host) {
        const m307_server_conf_t *server = m307_config_server(cmd->server);
        if (!in_htaccess(cmd)) {
            APR_ARRAY_PUSH(server->computed, const r307_rule_t *) = rule;
        }
        else if (!server->allowed_hosts) {
            return m307_check_computed_error(cmd->temp_pool, rule);
        }
    }
    r307_ruleset_add(m307_config_own_set(cmd->pool, rules_here(cmd, dir)),
                     rule);
    return NULL;
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
                              0 };
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
    r307_rule_spec_t spec = { R307_RULE_REGEX, NULL, NULL, 0, NULL, NULL, 0 };
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

static const char *set_drain(cmd_parms *cmd, void *dir, const char *arg)
{
    m307_server_conf_t *conf = m307_config_server(cmd->server);
    apr_off_t bytes;
    char *end;

    (void)dir;
    if (apr_strtoff(&bytes, arg, &end, 10) != APR_SUCCESS || *end
        || end == arg || bytes < 0) {
        return apr_psprintf(cmd->temp_pool, "R307-0306: Redirect307Drain '%s' "
                            "is not a number of bytes; write 0 or more, "
                            "without a unit", arg);
    }
    conf->drain = bytes;
    return NULL;
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

const command_rec m307_directives[] = {
    AP_INIT_TAKE1("Redirect307Engine", set_engine, NULL, OR_FILEINFO,
                  "On, Off, or DryRun: decide and log, but let requests "
                  "pass"),
    AP_INIT_TAKE_ARGV("Redirect307", set_redirect, NULL, OR_FILEINFO,
                      "[URL-path] target [option...]"),
    AP_INIT_TAKE_ARGV("Redirect307Match", set_match, NULL, OR_FILEINFO,
                      "regex target [option...]"),
    AP_INIT_FLAG("Redirect307Relative", set_relative, NULL, OR_FILEINFO,
                 "On: send a target that is a path as it is"),
    AP_INIT_FLAG("Redirect307Inherit", set_inherit, NULL, OR_FILEINFO,
                 "Off: rules of the enclosing context do not apply"),
    AP_INIT_TAKE1("Redirect307Drain", set_drain, NULL, RSRC_CONF,
                  "bytes of a request body that are read before the answer, "
                  "so that the connection survives"),
    AP_INIT_ITERATE("Redirect307AllowTo", add_allowed_host, NULL, RSRC_CONF,
                    "hosts that a computed target may name"),
    { NULL }
};
