/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the lines of httpd's configuration: words, sections, and which
 * directives are looked at. Must not know what they mean, nor where the file
 * lies. Called by tree.
 */
#include "tool/t307_import_httpd.h"

#include <apr_lib.h>
#include <apr_strings.h>

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

void t307_import_httpd_lines(t307_import_t *im, char *text, apr_size_t len)
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
