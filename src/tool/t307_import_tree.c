/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the files of httpd's configuration: trees of .htaccess files, and the
 * order in which what they hold is asked. That is this module first, then
 * mod_rewrite, then mod_alias, and each of them deeper directories before
 * shallower ones. Must not know what a directive means.
 */
#include "tool/t307_import_httpd.h"

#include <apr_file_info.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

/* ---- files ---- */

static void add_place(t307_import_t *im, const char *file, const char *dir)
{
    t307_import_place_t *p = apr_array_push(im->places);
    int i;

    memset(p, 0, sizeof *p);
    p->file = file;
    p->dir = dir;
    p->engine = -1;
    for (i = 0; i < 3; i++) {
        p->lines[i] = apr_array_make(im->pool, 8,
                                     sizeof(t307_import_line_t));
    }
    p->conds = apr_array_make(im->pool, 2, sizeof(t307_import_line_t));
}

static void add_file(t307_import_t *im, const char *file, const char *dir)
{
    if (im->places->nelts == T307_IMPORT_FILES_MAX) {
        im->failed = apr_psprintf(im->pool, "more than %d files",
                                  T307_IMPORT_FILES_MAX);
        return;
    }
    add_place(im, file, dir);
    t307_import_read_file(im, file, t307_import_httpd_lines);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Directories that are links are not entered: a tree has an end. */
static void walk(t307_import_t *im, const char *path, const char *url,
                 int depth)
{
    apr_array_header_t *dirs = apr_array_make(im->pool, 8, sizeof(char *));
    apr_dir_t *dir;
    apr_finfo_t info;
    apr_status_t rv;
    int i;

    if (depth > T307_IMPORT_DEPTH_MAX
        || apr_dir_open(&dir, path, im->pool) != APR_SUCCESS) {
        im->failed = apr_psprintf(im->pool, "%s: %s", path,
                                  depth > T307_IMPORT_DEPTH_MAX
                                  ? "too many directories below each other"
                                  : "the directory cannot be read");
        return;
    }
    while (!im->failed
           && ((rv = apr_dir_read(&info, APR_FINFO_NAME | APR_FINFO_TYPE
                                  | APR_FINFO_LINK, dir)) == APR_SUCCESS
               || rv == APR_INCOMPLETE)) {
        const char *name = apr_pstrdup(im->pool, info.name);

        if (info.filetype == APR_DIR && strcmp(name, ".") != 0
            && strcmp(name, "..") != 0) {
            APR_ARRAY_PUSH(dirs, const char *) = name;
        }
        else if (info.filetype == APR_REG
                 && t307_import_is_one_of(name, ".htaccess htaccess")) {
            add_file(im, apr_pstrcat(im->pool, path, "/", name, NULL), url);
        }
    }
    apr_dir_close(dir);
    qsort(dirs->elts, (size_t)dirs->nelts, sizeof(char *), by_name);
    for (i = 0; i < dirs->nelts && !im->failed; i++) {
        const char *name = APR_ARRAY_IDX(dirs, i, const char *);
        walk(im, apr_pstrcat(im->pool, path, "/", name, NULL),
             apr_pstrcat(im->pool, url, name, "/", NULL), depth + 1);
    }
}

/* ---- from lines to entries ---- */

static t307_import_place_t *place_at(t307_import_t *im, int i)
{
    return &APR_ARRAY_IDX(im->places, i,
                          t307_import_place_t);
}

static int deepest_first(const void *a, const void *b)
{
    const t307_import_place_t *x = a, *y = b;
    apr_size_t nx = x->dir ? strlen(x->dir) : 0;
    apr_size_t ny = y->dir ? strlen(y->dir) : 0;

    return nx != ny ? (nx > ny ? -1 : 1)
        : x->dir && strcmp(x->dir, y->dir) ? strcmp(x->dir, y->dir)
        : strcmp(x->file, y->file);
}

/* RewriteRules end where a deeper directory has some of its own; the engine
 * is that of the directory above, unless it is set anew. */
static void separate(t307_import_t *im)
{
    int i, j;

    for (i = im->places->nelts - 1; i >= 0; i--) {
        t307_import_place_t *deep = place_at(im, i);
        int found = 0;

        for (j = i + 1; deep->dir && deep->rewrites && !found
             && j < im->places->nelts; j++) {
            t307_import_place_t *p = place_at(im, j);
            apr_size_t len = strlen(p->dir);

            if (!p->rewrites || strncmp(deep->dir, p->dir, len) != 0
                || strlen(deep->dir) == len) {
                continue;
            }
            found = 1;
            deep->engine = deep->engine < 0 ? p->engine : deep->engine;
            p->without = apr_pstrcat(im->pool, p->without ? p->without : "",
                                     p->without ? "|" : "",
                                     t307_import_quote_regex(
                                         im->pool, deep->dir + len,
                                         strlen(deep->dir) - len), NULL);
        }
    }
}

/* What it would have taken is not looked at. */
static void add_lost(t307_import_t *im, const t307_import_place_t *p,
                     const t307_import_line_t *l)
{
    t307_import_rule_t *rule = t307_import_rule(im, R307_RULE_REGEX,
                                                l->line);

    rule->path = t307_import_httpd_all(im->pool, p);
    t307_import_lose(im, rule, 1, l->line, "%s", l->lost);
}

static void add_lines(t307_import_t *im, t307_import_place_t *p, int what)
{
    int i;

    t307_import_rewrite_begin(im, p);
    im->file = p->file;
    im->phase = what;
    for (i = 0; i < p->lines[what]->nelts && !im->failed; i++) {
        const t307_import_line_t *l =
            &APR_ARRAY_IDX(p->lines[what], i, t307_import_line_t);
        if (l->lost) {
            add_lost(im, p, l);
        }
        else if (what == T307_IMPORT_REWRITE) {
            t307_import_rewrite_add(im, p, i);
        }
        else if (what == T307_IMPORT_ALIAS) {
            t307_import_alias_add(im, p, l);
        }
        else {
            t307_import_own_add(im, p, l);
        }
    }
}

static void add_places(t307_import_t *im)
{
    int what, i;

    qsort(im->places->elts, (size_t)im->places->nelts,
          sizeof(t307_import_place_t), deepest_first);
    separate(im);
    for (what = T307_IMPORT_OWN; what <= T307_IMPORT_ALIAS; what++) {
        for (i = 0; i < im->places->nelts && !im->failed; i++) {
            add_lines(im, place_at(im, i), what);
        }
    }
}

static void read_path(t307_import_t *im, const char *path)
{
    const char *base = im->base ? im->base : "/", *name;
    apr_finfo_t info;

    base = base[strlen(base) - 1] == '/' ? base
        : apr_pstrcat(im->pool, base, "/", NULL);
    im->places = apr_array_make(im->pool, 8, sizeof(t307_import_place_t));
    if (apr_stat(&info, path, APR_FINFO_TYPE, im->pool) == APR_SUCCESS
        && info.filetype == APR_DIR) {
        walk(im, path, base, 0);
    }
    else {
        name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
        add_file(im, path, im->base || t307_import_is_one_of(
                      name, ".htaccess htaccess") ? base : NULL);
    }
    if (!im->failed) {
        add_places(im);
    }
}

/* A file without a place in a file system: for fuzzing. */
static void read_text(t307_import_t *im, char *text, apr_size_t len)
{
    im->places = apr_array_make(im->pool, 1, sizeof(t307_import_place_t));
    add_place(im, im->file, im->base);
    t307_import_httpd_lines(im, text, len);
    add_places(im);
}

const t307_import_format_t t307_import_httpd = {
    "httpd", read_text, read_path, 0, NULL, NULL
};
