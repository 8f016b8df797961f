/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the syntax of path expressions: names, patterns in parentheses,
 * groups in braces, and what follows them (?, *, +). Must not know JSON.
 */
#include "tool/t307_import_pathexp.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

typedef struct parser_t {
    apr_pool_t *pool;
    const char *s;
    t307_import_pathexp_t *out;
    int drops;
    const char *why;
} parser_t;

static apr_size_t name_len(const char *s)
{
    apr_size_t n = 0;

    while (apr_isalnum(s[n]) || s[n] == '_') {
        n++;
    }
    return n;
}

static void fail(parser_t *ps, const char *why)
{
    if (!ps->why) {
        ps->why = why;
    }
}

/* "(...)": what is inside, and past it. Groups in it would be captures of
 * their own, which the source's language forbids as well. */
static const char *take_pattern(parser_t *ps)
{
    const char *from = ps->s + 1, *s = from;
    int depth = 1;

    for (; *s && depth; s++) {
        if (*s == '\\' && s[1]) {
            s++;
        }
        else if (*s == '(') {
            depth++;
            if (s[1] != '?' || strchr("<P'", s[2])) {
                fail(ps, "a pattern in it has a capture of its own");
            }
        }
        else if (*s == ')') {
            depth--;
        }
    }
    if (depth || s - 1 == from || *from == '?') {
        fail(ps, "a parenthesis in it is not closed, or empty");
        return "";
    }
    ps->s = s;
    return apr_pstrmemdup(ps->pool, from, (apr_size_t)(s - 1 - from));
}

static t307_import_param_t *add_param(parser_t *ps, const char *name)
{
    t307_import_pathexp_t *out = ps->out;
    t307_import_param_t *p;
    int i;

    for (i = 0; name && i < out->nparams; i++) {
        if (out->params[i].name && strcmp(out->params[i].name, name) == 0) {
            fail(ps, "two of its parameters have the same name");
        }
    }
    if (out->nparams == T307_IMPORT_CAPTURES_MAX) {
        fail(ps, "it has more than 9 parameters");
        return &out->params[0];
    }
    p = &out->params[out->nparams++];
    memset(p, 0, sizeof *p);
    p->name = name;
    return p;
}

static const char *quote(parser_t *ps, const char *s)
{
    return t307_import_quote_regex(ps->pool, s, strlen(s));
}

/* "prefix(pattern)suffix" with its modifier, as expression. */
static const char *compile(parser_t *ps, t307_import_param_t *p,
                           const char *prefix, const char *pattern,
                           const char *suffix, char modifier)
{
    int wraps = ps->drops && (modifier == '?' || modifier == '*');
    const char *pre = quote(ps, prefix), *post = quote(ps, suffix), *text;
    char optional[2] = { modifier == '*' || modifier == '?' ? '?' : '\0',
                         '\0' };

    p->repeats = modifier == '*' || modifier == '+';
    p->prefix = *prefix;
    p->outer = wraps ? ++ps->out->ngroups : 0;
    p->group = ++ps->out->ngroups;
    text = !p->repeats
        ? apr_psprintf(ps->pool, "(?:%s(%s)%s)%s", pre, pattern, post,
                       optional)
        : *prefix || *suffix
        ? apr_psprintf(ps->pool, "(?:%s((?:%s)(?:%s%s(?:%s))*)%s)%s", pre,
                       pattern, post, pre, pattern, post, optional)
        : apr_psprintf(ps->pool, "((?:%s)%c)", pattern, modifier);
    if (!modifier) {
        text = apr_psprintf(ps->pool, "%s(%s)%s", pre, pattern, post);
    }
    if (ps->out->ngroups > T307_IMPORT_CAPTURES_MAX) {
        fail(ps, "it has more than 9 parameters");
    }
    return wraps ? apr_pstrcat(ps->pool, "(", text, ")", NULL) : text;
}

static char take_modifier(parser_t *ps)
{
    return *ps->s && strchr("?*+", *ps->s) ? *ps->s++ : '\0';
}

/* ":name", ":name(pattern)" or "(pattern)" */
static const char *take_param(parser_t *ps, const char *prefix)
{
    const char *name = NULL, *pattern = "[^/]+?";
    t307_import_param_t *p;

    if (*ps->s == ':') {
        apr_size_t len = name_len(ps->s + 1);
        if (len == 0) {
            fail(ps, "it has a ':' without a name");
        }
        name = apr_pstrmemdup(ps->pool, ps->s + 1, len);
        ps->s += 1 + len;
    }
    if (*ps->s == '(') {
        pattern = take_pattern(ps);
    }
    p = add_param(ps, name);
    return compile(ps, p, prefix, pattern, "", take_modifier(ps));
}

/* "{text}?": a group without parameter. Others are rare. */
static const char *take_braces(parser_t *ps)
{
    apr_size_t len = strcspn(ps->s + 1, ":(){}\\*+?");
    const char *text = apr_pstrmemdup(ps->pool, ps->s + 1, len);
    char modifier[2] = { '\0', '\0' };

    if (ps->s[1 + len] != '}') {
        fail(ps, "braces with a parameter in them have no counterpart");
        return "";
    }
    ps->s += len + 2;
    modifier[0] = take_modifier(ps);
    return apr_psprintf(ps->pool, "(?:%s)%s", quote(ps, text), modifier);
}

/* Text up to something special, less the character that is the prefix of
 * what follows; that in prefix. */
static const char *take_text(parser_t *ps, char *prefix)
{
    char *out = apr_palloc(ps->pool, strlen(ps->s) + 1);
    apr_size_t n = 0;
    int escaped = 0;
    const char *decoded;

    while (*ps->s && !strchr(":(){}*+?", *ps->s)) {
        escaped = *ps->s == '\\' && ps->s[1];
        ps->s += escaped;
        out[n++] = *ps->s++;
    }
    if (*ps->s && strchr("})*+?", *ps->s)) {
        fail(ps, "a special character stands alone in it");
    }
    prefix[0] = prefix[1] = '\0';
    if (n && !escaped && *ps->s && strchr(":(", *ps->s)
        && strchr("/.", out[n - 1])) {
        prefix[0] = out[--n];
    }
    decoded = t307_import_decode(ps->pool, out, n);
    if (!decoded) {
        fail(ps, "it holds an encoded slash or a control byte");
    }
    return decoded ? quote(ps, decoded) : "";
}

const char *t307_import_pathexp_parse(apr_pool_t *pool, const char *source,
                                      int drops, t307_import_pathexp_t *out)
{
    parser_t ps = { pool, source, out, drops, NULL };
    const char *regex = "";
    char prefix[2];

    memset(out, 0, sizeof *out);
    if (*source != '/') {
        return "it does not begin with a slash";
    }
    while (*ps.s && !ps.why) {
        const char *text = take_text(&ps, prefix), *more = "";

        if (*ps.s == '{') {
            more = take_braces(&ps);
        }
        else if (*ps.s && !ps.why) {
            more = take_param(&ps, prefix);
        }
        regex = apr_pstrcat(pool, regex, text, more, NULL);
    }
    out->regex = regex;
    return ps.why;
}

/* ---- destinations ---- */

static const t307_import_param_t *find(const t307_import_pathexp_t *exp,
                                       const char *name, apr_size_t len)
{
    int i;

    for (i = 0; i < exp->nparams; i++) {
        const char *known = exp->params[i].name;
        if (known && strlen(known) == len && strncmp(known, name, len) == 0) {
            return &exp->params[i];
        }
    }
    return NULL;
}

/* The group of a parameter in the destination; 0 with *why. *with_prefix:
 * the prefix before it is part of the group. */
static int group_of(const t307_import_param_t *p, char before, char modifier,
                    int drops, int *with_prefix, const char **why)
{
    int repeats = modifier == '*' || modifier == '+';

    *with_prefix = 0;
    if (!p) {
        *why = "the destination names a parameter that the source's path "
               "does not have";
        return 0;
    }
    if (!drops) {
        return p->group;
    }
    if (repeats != p->repeats) {
        *why = "a parameter repeats in source or destination only";
        return 0;
    }
    if (!p->outer || !before || !strchr("/.", before)) {
        return p->group;
    }
    if (before != p->prefix) {
        *why = "a parameter that may be missing has another prefix in the "
               "destination";
        return 0;
    }
    *with_prefix = 1;
    return p->outer;
}

/* A destination while it is filled. */
typedef struct filler_t {
    apr_pool_t *pool;
    const t307_import_pathexp_t *exp;
    int drops;
    const char *s;
    char *text;                 /* that is not in out yet */
    apr_size_t n;
    const char *out;
    const char *why;
} filler_t;

/* The text so far, less its last `less` bytes, and what follows it. */
static void flush(filler_t *f, apr_size_t less, const char *follows)
{
    f->out = apr_pstrcat(f->pool, f->out,
                         t307_import_quote_target(f->pool, f->text,
                                                  f->n - less, 1),
                         follows, NULL);
    f->n = 0;
}

/* ":name" with a modifier; a '?' that begins a query is none. */
static void fill_param(filler_t *f, apr_size_t len)
{
    const char *end = f->s + 1 + len;
    int modified = *end && strchr("?*+", *end)
        && !(*end == '?' && end[1] && !strchr("/#", end[1]));
    int with_prefix;
    int group = group_of(find(f->exp, f->s + 1, len),
                         f->n ? f->text[f->n - 1] : '\0',
                         modified ? *end : '\0', f->drops, &with_prefix,
                         &f->why);

    flush(f, (apr_size_t)with_prefix, apr_psprintf(f->pool, "$%d", group));
    f->s = end + modified;
}

static void fill_next(filler_t *f)
{
    apr_size_t len = *f->s == ':' && !apr_isdigit(f->s[1])
        ? name_len(f->s + 1) : 0;

    if (len) {
        fill_param(f, len);
        return;
    }
    if (!f->drops && *f->s == '$' && apr_isdigit(f->s[1])) {
        if (f->s[1] - '0' > f->exp->ngroups) {
            f->why = "the destination names a group that the source does "
                     "not have";
        }
        flush(f, 0, apr_pstrmemdup(f->pool, f->s, 2));
        f->s += 2;
        return;
    }
    if (strchr("*(){}", *f->s)) {
        f->why = "the destination has special characters in it";
    }
    f->s += *f->s == '\\' && f->s[1];
    f->text[f->n++] = *f->s++;
}

const char *t307_import_pathexp_fill(apr_pool_t *pool,
                                     const t307_import_pathexp_t *exp,
                                     const char *destination, int drops,
                                     const char **why)
{
    const char *host = strstr(destination, "://");
    filler_t f = { pool, exp, drops, destination, NULL, 0, "", NULL };

    f.text = apr_palloc(pool, strlen(destination) + 1);
    f.s = host ? host + 3 : destination;
    f.n = (apr_size_t)(f.s - destination);
    memcpy(f.text, destination, f.n);
    while (*f.s && !f.why) {
        fill_next(&f);
    }
    flush(&f, 0, "");
    *why = f.why;
    return f.why ? NULL : f.out;
}
