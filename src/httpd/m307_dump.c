/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns `httpd -t -D DUMP_REDIRECT307`: the configuration as this server reads
 * it, for people and for the command-line tool. The form is documented in
 * docs/directives.md and does not change without a new number.
 *
 * What was written is taken from httpd's own tree of directives, so a
 * directive that comes later is there without a line here; only rules are
 * rewritten, into the form of rule files. Must not know what directives mean.
 */
#include "httpd/m307_table.h"

#include "apr_hash.h"
#include "apr_lib.h"
#include "apr_strings.h"

#include <stdio.h>

static const char define[] = "DUMP_REDIRECT307";
static const char prefix[] = "Redirect307";

/* Rules by the directive that they were written as: ap_directive_t * ->
 * r307_rule_spec_t. Only when a dump was asked for. */
static apr_hash_t *written_rules(apr_pool_t *pconf)
{
    void *hash;

    apr_pool_userdata_get(&hash, "mod_redirect307:written", pconf);
    if (!hash) {
        hash = apr_hash_make(pconf);
        apr_pool_userdata_setn(hash, "mod_redirect307:written", NULL, pconf);
    }
    return hash;
}

void m307_dump_note_rule(const cmd_parms *cmd, const r307_rule_spec_t *spec)
{
    apr_pool_t *pconf = cmd->server->process->pconf;
    r307_rule_spec_t *copy;
    const ap_directive_t **key;

    if (!ap_exists_config_define(define)) {
        return;
    }
    copy = apr_pmemdup(pconf, spec, sizeof *spec);
    copy->options = apr_pmemdup(pconf, spec->options,
                                (apr_size_t)spec->noptions
                                * sizeof *spec->options);
    key = apr_pmemdup(pconf, &cmd->directive, sizeof cmd->directive);
    apr_hash_set(written_rules(pconf), key, sizeof *key, copy);
}

/* ---- words ---- */

typedef struct dump_t {
    apr_pool_t *pool;           /* pconf */
    FILE *out;
    int depth;
    int fresh;                  /* no word on this line yet */
} dump_t;

static void begin_line(dump_t *d)
{
    fprintf(d->out, "%*s", 2 * d->depth, "");
    d->fresh = 1;
}

static void plain(dump_t *d, const char *text)
{
    fprintf(d->out, "%s%s", d->fresh ? "" : " ", text);
    d->fresh = 0;
}

/* As rule files want it: with quotes where a reader would see something
 * else. */
static void word(dump_t *d, const char *text)
{
    const char *s;

    if (*text && *text != '#' && !strpbrk(text, " \t\"")) {
        plain(d, text);
        return;
    }
    plain(d, "\"");
    for (s = text; *s; s++) {
        if (*s == '"' || *s == '\\') {
            fputc('\\', d->out);
        }
        fputc(*s, d->out);
    }
    fputc('"', d->out);
}

static void end_line(dump_t *d)
{
    fputc('\n', d->out);
}

static void setting(dump_t *d, const char *name, const char *value)
{
    if (value) {
        begin_line(d);
        plain(d, apr_pstrcat(d->pool, "@", name, NULL));
        word(d, value);
        end_line(d);
    }
}

static void source(dump_t *d, const char *file, int line)
{
    plain(d, apr_psprintf(d->pool, "# %s:%d",
                          file ? file : "(command line)", line));
    end_line(d);
}

/* ---- what was written ---- */

static int is_ours(const ap_directive_t *node)
{
    return strncasecmp(node->directive, prefix, sizeof prefix - 1) == 0;
}

static int is_section(const ap_directive_t *node)
{
    return node->directive[0] == '<';
}

static int is_vhost(const ap_directive_t *node)
{
    return strcasecmp(node->directive, "<VirtualHost") == 0;
}

/* Is a directive of the module among the nodes or in sections of theirs? */
static int holds_ours(const ap_directive_t *node)
{
    for (; node; node = node->next) {
        if (is_ours(node)
            || (is_section(node) && !is_vhost(node)
                && holds_ours(node->first_child))) {
            return 1;
        }
    }
    return 0;
}

static void dump_rule(dump_t *d, const r307_rule_spec_t *spec)
{
    int i;

    begin_line(d);
    switch (spec->kind) {
    case R307_RULE_SECTION:
        plain(d, "*");
        break;
    case R307_RULE_REGEX:
        word(d, apr_pstrcat(d->pool, "~", spec->path, NULL));
        break;
    default:
        word(d, spec->path);
        break;
    }
    word(d, spec->geo ? "geo" : spec->target);
    for (i = 0; i < spec->noptions; i++) {
        word(d, spec->options[i]);
    }
}

static void dump_directive(dump_t *d, const ap_directive_t *node)
{
    const char *args = node->args;

    begin_line(d);
    plain(d, apr_pstrcat(d->pool, "@", node->directive, NULL));
    while (*args) {
        word(d, ap_getword_conf(d->pool, &args));
    }
}

static void dump_node(dump_t *d, const ap_directive_t *node)
{
    const r307_rule_spec_t *spec = apr_hash_get(written_rules(d->pool), &node,
                                                sizeof node);

    if (spec) {
        dump_rule(d, spec);
    }
    else {
        dump_directive(d, node);
    }
    source(d, node->filename, node->line_num);
}

/* "<Location "/a">" has '/a>' as its argument, with the quotes. */
static void open_section(dump_t *d, const ap_directive_t *node)
{
    char *args = apr_pstrdup(d->pool, node->args);
    char *end = strrchr(args, '>');
    const char *rest = args;

    if (end) {
        *end = '\0';
    }
    begin_line(d);
    plain(d, "@section");
    plain(d, node->directive + 1);
    while (*rest) {
        word(d, ap_getword_conf(d->pool, &rest));
    }
    source(d, node->filename, node->line_num);
}

static void dump_nodes(dump_t *d, const ap_directive_t *node)
{
    for (; node; node = node->next) {
        if (is_ours(node)) {
            /* tables have lines of their own */
            if (strcasecmp(node->directive, "Redirect307Table") != 0) {
                dump_node(d, node);
            }
        }
        else if (is_section(node) && !is_vhost(node)
                 && holds_ours(node->first_child)) {
            open_section(d, node);
            d->depth++;
            dump_nodes(d, node->first_child);
            d->depth--;
            begin_line(d);
            plain(d, "@end\n");
        }
    }
}

/* ---- servers ---- */

static const ap_directive_t *vhost_node(const ap_directive_t *node,
                                        const server_rec *s)
{
    for (; node; node = node->next) {
        if (is_vhost(node) && s->defn_name
            && (unsigned)node->line_num == s->defn_line_number
            && strcmp(node->filename, s->defn_name) == 0) {
            return node;
        }
    }
    return NULL;
}

static void dump_names(dump_t *d, const apr_array_header_t *names)
{
    int i;

    for (i = 0; names && i < names->nelts; i++) {
        setting(d, "alias", APR_ARRAY_IDX(names, i, const char *));
    }
}

static void dump_addresses(dump_t *d, const server_rec *s)
{
    const server_addr_rec *addr;
    const char *before = "";

    for (addr = s->is_virtual ? s->addrs : NULL; addr; addr = addr->next) {
        const char *text = apr_psprintf(d->pool, "%s:%u", addr->virthost,
                                        (unsigned)addr->host_port);
        /* "*" is two: IPv4 and IPv6 */
        if (strcmp(text, before) != 0) {
            setting(d, "address", text);
        }
        before = text;
    }
}

static const char *canonical(const server_rec *s)
{
    const core_dir_config *core = ap_get_core_module_config(s->lookup_defaults);

    return core->use_canonical_name == USE_CANONICAL_NAME_ON ? "on"
        : core->use_canonical_name == USE_CANONICAL_NAME_DNS ? "dns" : "off";
}

static const char *encoded_slashes(const server_rec *s)
{
    const core_dir_config *core = ap_get_core_module_config(s->lookup_defaults);

    return core->allow_encoded_slashes != AP_CORE_CONFIG_ON ? "refuse"
        : core->decode_encoded_slashes != AP_CORE_CONFIG_ON ? "keep"
        : "decode";
}

/* Where .htaccess files are read, one line for each directory that says so
 * for itself: not knowing them is something that the tool must own up to. */
static void dump_htaccess(dump_t *d, const server_rec *s)
{
    const core_server_config *core =
        ap_get_core_module_config(s->module_config);
    int i;

    for (i = 0; i < core->sec_dir->nelts; i++) {
        const core_dir_config *dir = ap_get_core_module_config(
            APR_ARRAY_IDX(core->sec_dir, i, ap_conf_vector_t *));
        if (dir->d && !dir->r && !(dir->override & OR_UNSET)) {
            begin_line(d);
            plain(d, "@overrides");
            word(d, dir->d);
            plain(d, dir->override & OR_FILEINFO ? "on" : "off");
            end_line(d);
        }
    }
}

static void dump_core(dump_t *d, const server_rec *s)
{
    const core_server_config *core =
        ap_get_core_module_config(s->module_config);

    setting(d, "name", s->server_hostname);
    if (s->port) {
        setting(d, "port", apr_itoa(d->pool, s->port));
    }
    dump_names(d, s->names);
    dump_names(d, s->wild_names);
    dump_addresses(d, s);
    setting(d, "documents", core->ap_document_root);
    setting(d, "canonical", canonical(s));
    setting(d, "slashes", core->merge_slashes == AP_CORE_CONFIG_OFF
            ? "keep" : "merge");
    setting(d, "encoded-slashes", encoded_slashes(s));
    setting(d, "htaccess", core->access_name ? core->access_name
                                             : DEFAULT_ACCESS_FNAME);
    dump_htaccess(d, s);
}

/* Paths that ProxyPass sends to a backend, by directive or section. */
static void dump_proxied(dump_t *d, const ap_directive_t *node,
                         const char *section)
{
    for (; node; node = node->next) {
        const char *args = node->args, *path;
        if (strcasecmp(node->directive, "ProxyPass") == 0) {
            path = section ? section : ap_getword_conf(d->pool, &args);
            if (strcmp(ap_getword_conf(d->pool, &args), "!") != 0) {
                setting(d, "proxied", path);
            }
        }
        else if (strcasecmp(node->directive, "<Location") == 0) {
            char *arg = ap_getword_conf(d->pool, &args);
            arg[strcspn(arg, ">")] = '\0';
            dump_proxied(d, node->first_child, arg);
        }
    }
}

static void dump_server(dump_t *d, const server_rec *s)
{
    const ap_directive_t *nodes = ap_conftree;

    begin_line(d);
    plain(d, "@server");
    plain(d, s->is_virtual ? "virtual" : "main");
    if (s->is_virtual) {
        const ap_directive_t *node = vhost_node(nodes, s);
        nodes = node ? node->first_child : NULL;
        source(d, s->defn_name, (int)s->defn_line_number);
    }
    else {
        end_line(d);
    }
    d->depth++;
    dump_core(d, s);
    dump_proxied(d, nodes, NULL);
    dump_nodes(d, nodes);
    d->depth--;
    begin_line(d);
    plain(d, "@end\n");
}

/* The list is in reverse, and which comes first matters. */
static void dump_virtual(dump_t *d, const server_rec *s)
{
    apr_array_header_t *all = apr_array_make(d->pool, 8, sizeof s);
    int i;

    for (; s; s = s->next) {
        APR_ARRAY_PUSH(all, const server_rec *) = s;
    }
    for (i = all->nelts - 1; i >= 0; i--) {
        dump_server(d, APR_ARRAY_IDX(all, i, const server_rec *));
    }
}

/* ---- tables ---- */

static void dump_table(dump_t *d, m307_table_t *table, server_rec *s)
{
    m307_version_t *version = m307_table_acquire(table, s);

    begin_line(d);
    plain(d, "@table");
    word(d, table->name);
    word(d, table->sql ? table->spec.path
         : apr_pstrcat(d->pool, "file:", table->spec.path, NULL));
    if (!table->sql) {
        plain(d, table->spec.exact ? "match=exact" : "match=prefix");
        plain(d, table->spec.format == R307_RULEFILE_REWRITEMAP
              ? "format=rewritemap" : "format=rules");
    }
    plain(d, apr_psprintf(d->pool, "refresh=%d", table->refresh));
    if (version) {
        plain(d, apr_psprintf(d->pool, "rules=%u",
                              r307_table_count(version->data)));
        m307_version_release(version);
    }
    if (table->file) {
        word(d, apr_pstrcat(d->pool, "compiled=", table->file, NULL));
    }
    source(d, table->config_file, table->config_line);
}

static void dump_regex_flags(dump_t *d)
{
    static const struct {
        int flag;
        const char *name;
    } names[] = {
        { R307_REGEX_ICASE, "icase" }, { R307_REGEX_DOTALL, "dotall" },
        { R307_REGEX_DOLLAR_ENDONLY, "dollar_endonly" },
        { R307_REGEX_MULTILINE, "multiline" }
    };
    int flags = m307_config_regex_flags(0);
    apr_size_t i;

    begin_line(d);
    plain(d, "@regex");
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (flags & names[i].flag) {
            plain(d, names[i].name);
        }
    }
    end_line(d);
}

void m307_dump_config(apr_pool_t *pconf, server_rec *s)
{
    const apr_array_header_t *tables = m307_table_all(pconf);
    dump_t d = { pconf, stdout, 0, 0 };
    int i;

    if (!ap_exists_config_define(define)) {
        return;
    }
    fputs("# mod_redirect307: the configuration as this server reads it.\n"
          "@format 1\n", d.out);
    setting(&d, "root", ap_server_root_relative(pconf, "."));
    dump_regex_flags(&d);
    for (i = 0; i < tables->nelts; i++) {
        dump_table(&d, APR_ARRAY_IDX(tables, i, m307_table_t *), s);
    }
    dump_server(&d, s);
    dump_virtual(&d, s->next);
    fflush(d.out);
}
