/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns reading httpd's configuration: files, trees of .htaccess files,
 * lines, sections, and which directives are looked at. Must not know what
 * they mean. httpd asks this module first, then mod_rewrite, then mod_alias,
 * and each of them deeper directories before shallower ones.
 */
#include "tool/t307_import_httpd.h"

#include <apr_file_info.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Sections within each other. */
#define SECTIONS_MAX 64

typedef struct reader_t {
    t307_import_t *im;
    t307_import_place_t *place;
    const char *sections[SECTIONS_MAX];     /* NULL: as if not there */
    int depth;
    int line;
} reader_t;

/* ---- words ---- */

const char *t307_import_httpd_word(apr_pool_t *pool, char **args)
{
    char *s = *args, *to, *word, quote;

    while (apr_isspace(*s)) {
        s++;
    }
    if (!*s) {
        return NULL;
    }
    quote = *s == '"' || *s == '\'' ? *s++ : '\0';
    word = to = apr_palloc(pool, strlen(s) + 1);
    while (*s && (quote ? *s != quote : !apr_isspace(*s))) {
        s += *s == '\\' && (s[1] == '\\' || (quote && s[1] == quote));
        *to++ = *s++;
    }
    *to = '\0';
    *args = s + (quote && *s);
    return word;
}

const char *t307_import_httpd_raw_word(char **args)
{
    char *s = *args, *word, quote;

    while (apr_isspace(*s)) {
        s++;
    }
    if (!*s) {
        *args = s;
        return NULL;
    }
    quote = *s == '"' || *s == '\'' ? *s++ : '\0';
    word = s;
    while (*s && (quote ? *s != quote : !apr_isspace(*s))) {
        s += *s == '\\' && apr_isspace(s[1]) ? 2 : 1;
    }
    *args = s + (*s != '\0');
    *s = '\0';
    return word;
}

const char *t307_import_httpd_all(apr_pool_t *pool,
                                  const t307_import_place_t *place)
{
    return !place->dir ? "^"
        : apr_pstrcat(pool, "^", t307_import_quote_regex(
                          pool, place->dir, strlen(place->dir)), NULL);
}

/* A line that is lost, and with it what all requests of the place may
 * become. */
static void lose_all(reader_t *r, int phase, const char *why)
{
    t307_import_rule_t *rule = t307_import_rule(r->im, R307_RULE_REGEX,
                                                r->line);

    rule->path = t307_import_httpd_all(r->im->pool, r->place);
    r->im->phase = phase;
    t307_import_lose(r->im, rule, 1, r->line, "%s", why);
}

/* ---- sections ---- */

static int begins_nocase(const char *s, const char *with)
{
    return strncasecmp(s, with, strlen(with)) == 0;
}

/* Is it <IfModule> of a module whose directives are imported? 1: there,
 * 0: not there, -1: it is another section. */
static int is_known_module(const char *args)
{
    static const char *const known[] = {
        "mod_rewrite.c", "rewrite_module", "mod_alias.c", "alias_module",
        "mod_redirect307.c", "redirect307_module", NULL
    };
    int not = *args == '!', i;
    apr_size_t len = strcspn(args + not, "> \t");

    for (i = 0; known[i]; i++) {
        if (strlen(known[i]) == len
            && strncasecmp(known[i], args + not, len) == 0) {
            return !not;
        }
    }
    return -1;
}

static void open_section(reader_t *r, const char *text)
{
    apr_size_t len = strcspn(text + 1, " \t>") + 1;
    const char *args = text + len + strspn(text + len, " \t");
    const char *name = apr_pstrmemdup(r->im->pool, text, strcspn(text, ">"));

    if (r->depth == SECTIONS_MAX) {
        r->im->failed = apr_psprintf(r->im->pool, "%s:%d: more than %d "
                                     "sections within each other",
                                     r->place->file, r->line, SECTIONS_MAX);
        return;
    }
    r->sections[r->depth++] = len == 9
        && strncasecmp(text, "<IfModule", 9) == 0
        && is_known_module(args) == 1 ? NULL : name;
}

/* The innermost section that is not one of those that are looked into. */
static const char *section(const reader_t *r)
{
    int i;

    for (i = r->depth; i > 0; i--) {
        if (r->sections[i - 1]) {
            return r->sections[i - 1];
        }
    }
    return NULL;
}

/* A redirect in a section. In .htaccess, and of virtual hosts and <If>,
 * it comes before those outside. */
static void lose_in_section(reader_t *r, const char *name)
{
    const char *why = apr_psprintf(r->im->pool, "it stands in %s>; write its "
                                   "rules by hand, or import them from a "
                                   "file of their own",
                                   t307_import_show(r->im, name));
    int first = r->place->dir || begins_nocase(name, "<VirtualHost")
                || begins_nocase(name, "<If");

    if (first) {
        lose_all(r, T307_IMPORT_OWN, why);
    }
    else {
        t307_import_lose(r->im, NULL, 0, r->line, "%s", why);
    }
}

/* ---- directives ---- */

static void keep(reader_t *r, int what, const char *name, char *args)
{
    t307_import_line_t *l = apr_array_push(r->place->lines[what]);

    l->line = r->line;
    l->name = name;
    l->args = args;
    l->lost = NULL;
    l->conds = NULL;
    if (strcmp(name, "rewriterule") == 0) {
        l->conds = r->place->conds;
        r->place->conds = apr_array_make(r->im->pool, 2,
                                         sizeof(t307_import_line_t));
    }
}

static void take_cond(reader_t *r, const char *name, char *args)
{
    t307_import_line_t *l = apr_array_push(r->place->conds);

    memset(l, 0, sizeof *l);
    l->line = r->line;
    l->name = name;
    l->args = args;
}

/* Directives of mod_rewrite that set something. */
static void take_setting(reader_t *r, const char *name, char *args)
{
    const char *value = t307_import_httpd_word(r->im->pool, &args);

    if (strcmp(name, "rewriteengine") == 0) {
        r->place->engine = value && strcasecmp(value, "on") == 0;
    }
    else if (strcmp(name, "rewritebase") == 0) {
        r->place->base = value;
    }
    else if (strcmp(name, "rewriteoptions") == 0) {
        lose_all(r, T307_IMPORT_REWRITE, "RewriteOptions changes which "
                 "rules are asked, and with what");
    }
}

static int begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* What the directive is about: a kind of lines, -2 for a setting, -3 for a
 * condition, -4 for what is named only, -1 for nothing that matters. */
static int judge(const char *name, const char *args)
{
    if (t307_import_is_one_of(name, "redirect307 redirect307match "
                              "redirect307geo")) {
        return T307_IMPORT_OWN;
    }
    if (begins(name, "redirect307")) {
        return -4;
    }
    if (t307_import_is_one_of(name, "redirect redirecttemp "
                              "redirectpermanent redirectmatch")) {
        return T307_IMPORT_ALIAS;
    }
    if (strcmp(name, "rewriterule") == 0) {
        return T307_IMPORT_REWRITE;
    }
    if (strcmp(name, "rewritecond") == 0) {
        return -3;
    }
    if (begins(name, "rewrite") && strcmp(name, "rewritemap") != 0) {
        return -2;
    }
    return t307_import_is_one_of(name, "include includeoptional use")
           || (strcmp(name, "errordocument") == 0 && strstr(args, "://"))
        ? -4 : -1;
}

static void name_only(reader_t *r, const char *name)
{
    t307_import_lose(r->im, NULL, 0, r->line, "%s",
                     begins(name, "redirect307")
                     ? "a setting of mod_redirect307; copy the line"
                     : begins(name, "error")
                     ? "it redirects when there is an error; see "
                       "Redirect307OnError"
                     : "what it includes is not looked at; import it as "
                       "well, and put its rules in this place");
}

static void take_directive(reader_t *r, char *text)
{
    apr_size_t len = strcspn(text, " \t");
    char *name = apr_pstrmemdup(r->im->pool, text, len), *args, *s;
    int what;

    for (s = name; *s; s++) {
        *s = (char)apr_tolower(*s);
    }
    args = text + len + strspn(text + len, " \t");
    what = judge(name, args);
    if (what == -1) {
        return;
    }
    if (section(r) && what >= 0 && begins_nocase(section(r), "<IfModule")) {
        r->place->rewrites |= what == T307_IMPORT_REWRITE;
        keep(r, what, name, args);
        APR_ARRAY_IDX(r->place->lines[what], r->place->lines[what]->nelts - 1,
                      t307_import_line_t).lost =
            apr_psprintf(r->im->pool, "it stands in %s>, and whether that "
                         "holds cannot be told here",
                         t307_import_show(r->im, section(r)));
        return;
    }
    if (section(r)) {
        if (what != -2 && what != -3) {
            lose_in_section(r, section(r));
        }
        return;
    }
    r->place->rewrites |= begins(name, "rewrite");
    if (what >= 0) {
        keep(r, what, name, args);
    }
    else if (what == -2) {
        take_setting(r, name, args);
    }
    else if (what == -3) {
        take_cond(r, name, args);
    }
    else {
        name_only(r, name);
    }
}

/* ---- lines ---- */

/* The next line, with those that a backslash at its end continues it on. */
static char *logical_line(t307_import_t *im, char **text, int *line,
                          int *first)
{
    char *all = NULL, *part;

    *first = *line + 1;
    while ((part = t307_import_line(im, text, line)) != NULL) {
        apr_size_t len = strlen(part);
        int goes_on = len > 0 && part[len - 1] == '\\';

        part[len - (apr_size_t)goes_on] = '\0';
        all = all ? apr_pstrcat(im->pool, all, part, NULL) : part;
        if (!goes_on || strlen(all) > T307_IMPORT_LINE_MAX) {
            break;
        }
    }
    return all;
}

static void read_lines(t307_import_t *im, char *text, apr_size_t len)
{
    reader_t r = { im, NULL, { NULL }, 0, 0 };
    int line = 0;
    char *s;

    (void)len;
    r.place = &APR_ARRAY_IDX(im->places,
                             im->places->nelts - 1, t307_import_place_t);
    while ((s = logical_line(im, &text, &line, &r.line)) != NULL
           && !im->failed) {
        apr_size_t n;

        s += strspn(s, " \t");
        for (n = strlen(s); n && apr_isspace(s[n - 1]); n--) {
            s[n - 1] = '\0';
        }
        if (s[0] == '<' && s[1] == '/') {
            r.depth -= r.depth > 0;
        }
        else if (*s == '<') {
            open_section(&r, s);
        }
        else if (*s && *s != '#') {
            take_directive(&r, s);
        }
    }
}

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
    t307_import_read_file(im, file, read_lines);
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

static void add_lines(t307_import_t *im, const t307_import_place_t *p,
                      int what)
{
    int i;

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
    read_lines(im, text, len);
    add_places(im);
}

const t307_import_format_t t307_import_httpd = {
    "httpd", read_text, read_path, 0, NULL, NULL
};
