/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns finding rules that a proxy hides: what mod_proxy has taken never comes
 * to a directory. Must not know how findings are shown. Called by lint.
 */
#include "tool/t307_model.h"

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_strings.h>

#include <string.h>
#include <strings.h>

/* Directories that are looked through for .htaccess files. */
#define DIRECTORIES_MAX 10000

typedef struct looker_t {
    apr_pool_t *pool;
    const t307_server_t *server;
    t307_lintproxy_fn *tell;
    void *ctx;
    int directories;
} looker_t;

static int is_below(const char *path, const char *prefix)
{
    apr_size_t len = strlen(prefix);

    return strncmp(path, prefix, len) == 0
           && (prefix[len - 1] == '/' || path[len] == '/'
               || path[len] == '\0');
}

/* The path of ProxyPass that covers it, or NULL. */
static const char *proxied(const looker_t *l, const char *path)
{
    const apr_array_header_t *all = l->server->proxied;
    int i;

    for (i = 0; i < all->nelts; i++) {
        const char *prefix = APR_ARRAY_IDX(all, i, const char *);
        if (is_below(path, prefix)) {
            return prefix;
        }
    }
    return NULL;
}

static void tell_proxied(looker_t *l, const char *file, int line,
                         const char *prefix, const char *what)
{
    l->tell(l->ctx, "behind-proxy", file, line, apr_psprintf(
        l->pool, "requests below %s go to a backend (ProxyPass) and "
        "never read %s", prefix, what),
        "write the rule into the server's own configuration, or into "
        "<Location>");
}

static void lint_directory(looker_t *l, const t307_section_t *s)
{
    int i;

    for (i = 0; i < s->place.written->nelts; i++) {
        const r307_rule_t *rule = APR_ARRAY_IDX(s->place.written, i,
                                                t307_written_t).rule;
        const char *path = rule->kind == R307_RULE_REGEX
            ? r307_regex_literal(rule->regex)->key
            : rule->path ? rule->path : "";
        const char *prefix = *path ? proxied(l, path) : NULL;
        if (prefix) {
            tell_proxied(l, rule->file, rule->line, prefix, "<Directory>");
        }
    }
}

/* The number of the first line that holds a directive of ours; 0. */
static int first_line(const char *file, apr_pool_t *pool)
{
    apr_file_t *f;
    char line[1024];
    int n = 0, hit = 0;

    if (apr_file_open(&f, file, APR_FOPEN_READ | APR_FOPEN_BUFFERED, 0, pool)
        != APR_SUCCESS) {
        return 0;
    }
    while (!hit && apr_file_gets(line, sizeof line, f) == APR_SUCCESS) {
        const char *s = line + strspn(line, " \t");
        n++;
        hit = strncasecmp(s, "Redirect307", 11) == 0;
    }
    apr_file_close(f);
    return hit ? n : 0;
}

static void look_below(looker_t *l, const char *dir, const char *prefix)
{
    const char *file = apr_pstrcat(l->pool, dir, "/",
                                   l->server->htaccess, NULL);
    int line = first_line(file, l->pool);
    apr_finfo_t info;
    apr_dir_t *d;

    if (line) {
        tell_proxied(l, file, line, prefix, "this file");
    }
    if (++l->directories > DIRECTORIES_MAX
        || apr_dir_open(&d, dir, l->pool) != APR_SUCCESS) {
        return;
    }
    while (apr_dir_read(&info, APR_FINFO_NAME | APR_FINFO_TYPE, d)
           == APR_SUCCESS) {
        if (info.filetype == APR_DIR && strcmp(info.name, ".")
            && strcmp(info.name, "..")) {
            look_below(l, apr_pstrcat(l->pool, dir, "/", info.name,
                                      NULL), prefix);
        }
    }
    apr_dir_close(d);
}

static void lint_htaccess(looker_t *l)
{
    int i;

    for (i = 0; l->server->documents && i < l->server->proxied->nelts; i++) {
        const char *prefix = APR_ARRAY_IDX(l->server->proxied, i,
                                           const char *);
        apr_size_t len = strlen(prefix);
        look_below(l, apr_pstrcat(l->pool, l->server->documents,
                                  apr_pstrmemdup(l->pool, prefix,
                                                 len - (prefix[len - 1]
                                                        == '/')), NULL),
                   prefix);
    }
}

void t307_lintproxy_look(apr_pool_t *pool, const t307_server_t *server,
                         t307_lintproxy_fn *tell, void *ctx)
{
    looker_t l = { pool, server, tell, ctx, 0 };
    int i;

    for (i = 0; i < server->sections->nelts; i++) {
        const t307_section_t *s = APR_ARRAY_IDX(server->sections, i,
                                                const t307_section_t *);
        if (strncasecmp(s->kind, "Directory", 9) == 0) {
            lint_directory(&l, s);
        }
    }
    lint_htaccess(&l);
}
