/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns which sections a URL falls under, and in which order their rules are
 * asked, as httpd's walks would have it. What only a running server can know
 * is listed, not guessed. Must not know rules. Called by explain.
 */
#include "tool/t307_model.h"

#include <apr_file_info.h>
#include <apr_fnmatch.h>
#include <apr_strings.h>

#include <stdarg.h>

#include <string.h>
#include <strings.h>

typedef struct picker_t {
    apr_pool_t *pool;
    const t307_model_t *model;
    const t307_server_t *server;
    const t307_url_t *url;
    const char *document;       /* by DocumentRoot, or NULL */
    t307_scope_t *out;
} picker_t;

static void __attribute__((format(printf, 2, 3))) leave_open(
    picker_t *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    APR_ARRAY_PUSH(p->out->open, const char *) =
        apr_pvsprintf(p->pool, fmt, ap);
    va_end(ap);
}

static int is_location(const t307_section_t *s)
{
    return strcasecmp(s->kind, "Location") == 0
           || strcasecmp(s->kind, "LocationMatch") == 0;
}

static int is_directory(const t307_section_t *s)
{
    return strcasecmp(s->kind, "Directory") == 0
           || strcasecmp(s->kind, "DirectoryMatch") == 0;
}

static int has_wildcard(const char *s)
{
    return strpbrk(s, "*?[") != NULL;
}

/* Whole segments; a final slash in the section's path counts. */
static int covers(const char *path, const char *text)
{
    apr_size_t len = strlen(path);

    return strncmp(path, text, len) == 0
           && (len == 0 || path[len - 1] == '/' || text[len] == '/'
               || text[len] == '\0');
}

static int matches(picker_t *p, const t307_section_t *s, const char *text)
{
    r307_captures_t captures;
    r307_scratch_t scratch = { NULL, 0 };

    if (s->regex) {
        return r307_regex_match(s->regex, text, strlen(text), &captures,
                                &scratch, p->pool) == APR_SUCCESS;
    }
    if (has_wildcard(s->path)) {
        return apr_fnmatch(s->path, text, APR_FNM_PATHNAME) == APR_SUCCESS;
    }
    return covers(s->path, text);
}

static int directory_matches(picker_t *p, const t307_section_t *s)
{
    const char *dir = s->path, *at;
    apr_size_t len = strlen(dir);
    char *parent;

    if (!p->document) {
        return 0;
    }
    if (!s->regex && !has_wildcard(dir)) {
        if (len > 1 && dir[len - 1] == '/') {
            dir = apr_pstrmemdup(p->pool, dir, len - 1);
        }
        return strcmp(dir, "/") == 0 || covers(dir, p->document);
    }
    /* patterns are compared with every directory above */
    for (at = p->document; (at = strchr(at + 1, '/')) != NULL; ) {
        parent = apr_pstrmemdup(p->pool, p->document,
                                (apr_size_t)(at - p->document)
                                + (s->regex != NULL));
        if (matches(p, s, parent)) {
            return 1;
        }
    }
    return 0;
}

/* An inner place before an outer one. */
static void merge(picker_t *p, const r307_chain_t **chain, int *cut,
                  t307_engine_t *engine, int *relative,
                  const t307_place_t *over)
{
    *chain = over->cut ? over->chain
                       : r307_chain_join(p->pool, over->chain, *chain);
    *cut = *cut || over->cut;
    if (over->engine != T307_ENGINE_UNSET) {
        *engine = over->engine;
    }
    if (over->relative >= 0) {
        *relative = over->relative;
    }
}

static const t307_section_t *section_at(const t307_server_t *server, int i)
{
    return APR_ARRAY_IDX(server->sections, i, const t307_section_t *);
}

static int is_empty(const t307_place_t *place)
{
    return !place->chain && !place->cut && place->relative < 0
           && place->engine == T307_ENGINE_UNSET && !place->others->nelts;
}

/* Sections of the main server come before those of a virtual host. */
typedef void each_fn(picker_t *p, const t307_section_t *s, void *ctx);

static void each_section(picker_t *p, each_fn *fn, void *ctx)
{
    const t307_server_t *first = APR_ARRAY_IDX(p->model->servers, 0,
                                               t307_server_t *);
    int i;

    for (i = 0; first != p->server && i < first->sections->nelts; i++) {
        fn(p, section_at(first, i), ctx);
    }
    for (i = 0; i < p->server->sections->nelts; i++) {
        fn(p, section_at(p->server, i), ctx);
    }
}

typedef struct merged_t {
    const r307_chain_t *chain;
    int cut;
    t307_engine_t engine;
    int relative;
    int is_late;                /* of directories */
    int components;             /* only those with so many; -1: patterns */
} merged_t;

static void use_section(picker_t *p, const t307_section_t *s, merged_t *m)
{
    merge(p, &m->chain, &m->cut, &m->engine, &m->relative, &s->place);
    APR_ARRAY_PUSH(p->out->used, const t307_section_t *) = s;
}

static void take_location(picker_t *p, const t307_section_t *s, void *ctx)
{
    merged_t *m = ctx;

    if (!s->inside && is_location(s)
        && matches(p, s, p->url->path.uri)) {
        if (m->is_late) {       /* told already */
            merge(p, &m->chain, &m->cut, &m->engine, &m->relative,
                  &s->place);
        }
        else {
            use_section(p, s, m);
        }
    }
}

static int components(const char *path)
{
    apr_size_t len = strlen(path), i;
    int n = 0;

    for (i = 0; i < len; i++) {
        n += path[i] == '/' && i + 1 < len;
    }
    return len == 1 ? 0 : n;
}

static void take_directory(picker_t *p, const t307_section_t *s, void *ctx)
{
    merged_t *m = ctx;

    if (!s->inside && is_directory(s)
        && (s->regex ? -1 : components(s->path)) == m->components
        && directory_matches(p, s)) {
        use_section(p, s, m);
    }
}

/* Could the section hold at all, by those around it? */
static int is_reached(picker_t *p, const t307_section_t *s)
{
    for (s = s->inside; s; s = s->inside) {
        if ((is_location(s) && !matches(p, s, p->url->path.uri))
            || (is_directory(s) && p->document
                && !directory_matches(p, s))) {
            return 0;
        }
    }
    return 1;
}

/* What depends on files, on values of the request, or on other modules. */
static void tell_open(picker_t *p, const t307_section_t *s, void *ctx)
{
    const char *where = apr_psprintf(p->pool, "%s:%d", s->file, s->line);

    (void)ctx;
    if (is_empty(&s->place) || !is_reached(p, s)) {
        return;
    }
    if (s->inside || !(is_location(s) || is_directory(s))) {
        leave_open(p, "<%s> at %s", apr_pstrcat(p->pool, s->kind, " ",
                                                s->path, NULL), where);
    }
    else if (is_directory(s) && !p->document) {
        leave_open(p, "<%s> at %s: there is no DocumentRoot",
                   apr_pstrcat(p->pool, s->kind, " ", s->path, NULL), where);
    }
}

static void tell_others(picker_t *p, const t307_place_t *place)
{
    apr_array_cat(p->out->open, place->others);
}

/* Directives of these kinds hold for the server, its main server, and the
 * sections that are in use. */
static void tell_all_others(picker_t *p)
{
    const t307_server_t *first = APR_ARRAY_IDX(p->model->servers, 0,
                                               t307_server_t *);
    int i;

    tell_others(p, &p->server->place);
    if (first != p->server) {
        tell_others(p, &first->place);
    }
    for (i = 0; i < p->out->used->nelts; i++) {
        tell_others(p, &APR_ARRAY_IDX(p->out->used, i,
                                      const t307_section_t *)->place);
    }
}

/* ---- .htaccess ---- */

static int may_override(picker_t *p, const char *dir)
{
    const t307_server_t *first = APR_ARRAY_IDX(p->model->servers, 0,
                                               t307_server_t *);
    const t307_server_t *servers[2] = { first, p->server };
    int n, i;

    for (n = 0; n < 2; n++) {
        for (i = 0; i < servers[n]->overrides->nelts; i++) {
            const char *at = APR_ARRAY_IDX(servers[n]->overrides, i,
                                           const char *);
            if (has_wildcard(at) || covers(at, dir)) {
                return 1;
            }
        }
    }
    return 0;
}

/* Files that are there and could hold rules. */
static void tell_htaccess(picker_t *p)
{
    const char *at = p->document;
    apr_finfo_t info;

    while (at && (at = strchr(at + 1, '/')) != NULL) {
        const char *dir = apr_pstrmemdup(p->pool, p->document,
                                         (apr_size_t)(at - p->document) + 1);
        const char *file = apr_pstrcat(p->pool, dir, p->server->htaccess,
                                       NULL);
        if (may_override(p, dir)
            && apr_stat(&info, file, APR_FINFO_TYPE, p->pool)
               == APR_SUCCESS) {
            leave_open(p, "%s%s", file, "");
        }
    }
}

static void init(picker_t *p)
{
    const char *root = p->server->documents;
    t307_scope_t *out = p->out;

    memset(out, 0, sizeof *out);
    out->engine = p->server->place.engine;
    out->relative = p->server->place.relative;
    out->used = apr_array_make(p->pool, 4, sizeof(const t307_section_t *));
    out->open = apr_array_make(p->pool, 4, sizeof(const char *));
    p->document = !root ? NULL
        : apr_pstrcat(p->pool, root[strlen(root) - 1] == '/'
                      ? apr_pstrmemdup(p->pool, root, strlen(root) - 1)
                      : root, p->url->path.uri, NULL);
}

/* Short directories first, patterns last, as httpd sorts them. */
static void take_directories(picker_t *p, merged_t *late)
{
    int n, deepest = p->document ? components(p->document) + 1 : -1;

    for (n = 0; n <= deepest; n++) {
        late->components = n;
        each_section(p, take_directory, late);
    }
    late->components = -1;
    each_section(p, take_directory, late);
}

void t307_scope_find(apr_pool_t *pool, const t307_model_t *model,
                     const t307_server_t *server, const t307_url_t *url,
                     t307_scope_t *out)
{
    picker_t p = { pool, model, server, url, NULL, out };
    merged_t early, late;

    init(&p);
    memset(&early, 0, sizeof early);
    early.engine = late.engine = out->engine;
    early.relative = late.relative = out->relative;
    each_section(&p, take_location, &early);
    out->sections = early.chain;
    out->engine = early.engine;
    out->relative = early.relative;
    out->server = early.cut ? NULL : server->place.chain;
    memset(&late, 0, sizeof late);
    late.engine = server->place.engine;
    late.relative = server->place.relative;
    late.is_late = 1;
    take_directories(&p, &late);
    each_section(&p, take_location, &late);
    out->directories = late.chain;
    out->late_engine = late.engine;
    out->late_relative = late.relative;
    each_section(&p, tell_open, NULL);
    tell_all_others(&p);
    tell_htaccess(&p);
}
