/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns RewriteRule: which of them are redirects, their flags, and what their
 * substitution sends. What is no redirect is lost, unless it has no effect on
 * redirects; one that ends rewriting without changing anything is a stop.
 */
#include "tool/t307_import_httpd.h"

#include "core/r307_buf.h"
#include "core/r307_literal.h"
#include "core/r307_regex.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    LAST = 1, NOCASE = 2, NOESCAPE = 4, APPEND = 8, DISCARD = 16,
    QUERYLAST = 32, FINAL = 64, FLOW = 128, EFFECT = 256, PASS = 512,
    HARMLESS = 1024, REDIRECT = 2048
};

/* FINAL: it answers by itself; FLOW: it steers which rules are next; EFFECT:
 * something that a redirect cannot do. */
static const struct { const char *name; int flag; } flags[] = {
    { "L", LAST }, { "last", LAST }, { "END", LAST },
    { "NC", NOCASE }, { "nocase", NOCASE },
    { "NE", NOESCAPE }, { "noescape", NOESCAPE },
    { "QSA", APPEND }, { "qsappend", APPEND },
    { "QSD", DISCARD }, { "qsdiscard", DISCARD },
    { "QSL", QUERYLAST }, { "qslast", QUERYLAST },
    { "R", REDIRECT }, { "redirect", REDIRECT },
    { "F", FINAL }, { "forbidden", FINAL }, { "G", FINAL },
    { "gone", FINAL }, { "P", FINAL }, { "proxy", FINAL },
    { "C", FLOW }, { "chain", FLOW }, { "N", FLOW }, { "next", FLOW },
    { "S", FLOW }, { "skip", FLOW },
    { "E", EFFECT }, { "env", EFFECT }, { "CO", EFFECT },
    { "cookie", EFFECT }, { "H", EFFECT }, { "handler", EFFECT },
    { "T", EFFECT }, { "type", EFFECT },
    { "PT", PASS }, { "passthrough", PASS },
    { "B", HARMLESS }, { "backrefescaping", HARMLESS },
    { "BNP", HARMLESS }, { "backrefnoplus", HARMLESS },
    { "BNE", HARMLESS }, { "BCTLS", HARMLESS }, { "NS", HARMLESS },
    { "nosubreq", HARMLESS }, { "DPI", HARMLESS },
    { "discardpath", HARMLESS }, { "UnsafeAllow3F", HARMLESS },
    { "UnsafePrefixStat", HARMLESS }, { "UNC", HARMLESS }, { NULL, 0 }
};

typedef struct rewrite_t {
    t307_import_t *im;
    const t307_import_place_t *place;
    const t307_import_line_t *line;
    const char *pattern;
    const char *target;
    int flags;
    int status;                 /* of R */
    int groups;                 /* of the pattern */
    t307_import_rule_t *rule;
} rewrite_t;

/* ---- reading ---- */

static int flag_of(const char *word, apr_size_t len)
{
    int i;

    for (i = 0; flags[i].name; i++) {
        if (strlen(flags[i].name) == len
            && strncasecmp(flags[i].name, word, len) == 0) {
            return flags[i].flag;
        }
    }
    return 0;
}

static int redirect_status(const char *value)
{
    return !*value || strcasecmp(value, "temp") == 0 ? 302
        : strcasecmp(value, "permanent") == 0 ? 301
        : strcasecmp(value, "seeother") == 0 ? 303 : atoi(value);
}

static const char *take_flags(rewrite_t *rw, const char *text)
{
    apr_size_t len = strlen(text);
    char *list, *state, *word;

    if (len < 2 || *text != '[' || text[len - 1] != ']') {
        return "the flags are not in brackets";
    }
    list = apr_pstrmemdup(rw->im->pool, text + 1, len - 2);
    for (word = apr_strtok(list, ",", &state); word;
         word = apr_strtok(NULL, ",", &state)) {
        apr_size_t n;
        int flag;

        word += strspn(word, " \t");
        n = strcspn(word, "= \t");
        flag = flag_of(word, n);
        if (!flag) {
            return apr_psprintf(rw->im->pool, "the flag '%s' is not known",
                                t307_import_show(rw->im, word));
        }
        if (flag == REDIRECT) {
            rw->status = redirect_status(word + n + (word[n] == '='));
        }
        rw->flags |= flag;
    }
    return NULL;
}

static const char *parse(rewrite_t *rw)
{
    char *args = apr_pstrdup(rw->im->pool, rw->line->args);
    const char *list;

    rw->pattern = t307_import_httpd_raw_word(&args);
    rw->target = t307_import_httpd_raw_word(&args);
    list = t307_import_httpd_raw_word(&args);
    if (!rw->pattern || !rw->target) {
        return "a RewriteRule has a pattern and a substitution";
    }
    return list ? take_flags(rw, list) : NULL;
}

/* ---- the substitution ---- */

/* May the byte stand in a URL as mod_rewrite writes it? */
static int is_safe(unsigned char c)
{
    return apr_isalnum(c) || (c && strchr("$-_.+!*'(),:;@&=/~", c));
}

typedef struct output_t {
    r307_buf_t buf;
    int in_host;                /* before the first slash behind "://" */
    int in_query;
    const char *why;
} output_t;

static void put(output_t *o, const char *s)
{
    r307_buf_add(&o->buf, s, strlen(s));
}

/* One byte of text, encoded as mod_rewrite does without [NE]. */
static void put_text(rewrite_t *rw, output_t *o, const char *s)
{
    char c = *s, hex[4], one[2] = { c, '\0' };

    if (c == '?' && !o->in_query) {
        o->in_query = 1;
        o->in_host = 0;
        put(o, "?");
        return;
    }
    o->in_host = o->in_host && c != '/';
    if (o->in_host || (rw->flags & NOESCAPE) || is_safe((unsigned char)c)) {
        /* quoted here: it must not join what follows */
        put(o, c == '$' || c == '\\' ? "\\" : "");
        put(o, c == '%' && s[1] == '{' ? "%25" : one);
        return;
    }
    apr_snprintf(hex, sizeof hex, "%%%02x", (unsigned char)c);
    put(o, hex);
}

/* "$1", "%1", "%{NAME}", "${map:...}" at s. Returns its length, 0 when it
 * is text. */
static apr_size_t put_reference(rewrite_t *rw, output_t *o, const char *s)
{
    char capture[3] = { '$', s[1], '\0' };

    if (s[1] == '{') {
        if (strncmp(s, "%{REQUEST_URI}", 14) == 0 && !o->in_query) {
            put(o, "%{REQUEST_URI}");
            o->in_host = 0;
            return 14;
        }
        if (strncmp(s, "%{QUERY_STRING}", 15) == 0 && o->in_query) {
            put(o, "%{QUERY_STRING}");
            return 15;
        }
        o->why = *s == '$' ? "the substitution has a variable of httpd, or "
            "asks a RewriteMap"
            : o->in_host || !o->buf.len
            ? "a variable of the request decides which host the client is "
              "sent to; write the rule by hand, with Redirect307AllowTo"
            : "the substitution has a variable that is not the request's "
              "path or query";
        return 0;
    }
    if (!apr_isdigit(s[1])) {
        return 0;
    }
    if (*s == '%') {
        if (rw->line->conds->nelts) {
            o->why = "the substitution has a back-reference to a "
                     "RewriteCond";
        }
        return 2;               /* without conditions it is nothing */
    }
    if (*rw->pattern != '!' && s[1] - '0' <= rw->groups) {
        put(o, capture);
    }
    return 2;
}

/* The substitution as target, from which the directory's URL is still
 * missing. */
static const char *substitute(rewrite_t *rw, output_t *o, const char *s)
{
    o->in_host = strstr(s, "://") != NULL && strchr(s, ':') < strchr(s, '/');
    if (o->in_host) {
        apr_size_t len = (apr_size_t)(strstr(s, "://") - s) + 3;
        r307_buf_add(&o->buf, s, len);
        s += len;
    }
    while (*s && !o->why) {
        apr_size_t len = (*s == '$' || *s == '%') && s[1]
            ? put_reference(rw, o, s) : 0;

        if (len || o->why) {
            s += len;
            continue;
        }
        s += *s == '\\' && s[1];
        put_text(rw, o, s++);
    }
    return r307_buf_string(&o->buf);
}

/* What a relative substitution is put behind. */
static const char *base_of(const rewrite_t *rw, const char **why)
{
    const char *t = rw->target, *base = rw->place->base;

    if (*t == '/' || strstr(t, "://") || strncmp(t, "%{REQUEST_URI}", 14)
        == 0) {
        return "";
    }
    if (*t == '$' || *t == '%') {
        *why = "the substitution begins with something computed, which may "
               "be any URL";
        return "";
    }
    if (rw->place->dir && !(base && *base)) {
        *why = "a relative substitution without RewriteBase sends the path "
               "of the file";
        return "";
    }
    return !rw->place->dir ? "/"
        : base[strlen(base) - 1] == '/' ? base
        : apr_pstrcat(rw->im->pool, base, "/", NULL);
}

/* What becomes of the request's query. An empty one of the target drops it,
 * and its '?' is not sent. */
static void take_query(rewrite_t *rw, char *target)
{
    apr_size_t len = strlen(target);
    const char *mark = strchr(target, '?');

    if (mark && !mark[1]) {
        target[len - 1] = '\0';
        rw->rule->query = rw->flags & APPEND && !(rw->flags & DISCARD)
            ? NULL : "drop";
        return;
    }
    while (mark && target[len - 1] == '&' && !(rw->flags & APPEND)) {
        target[--len] = '\0';
    }
    rw->rule->query = rw->flags & DISCARD ? "drop"
        : mark && rw->flags & APPEND ? "append" : NULL;
}

static const char *take_target(rewrite_t *rw)
{
    output_t o;
    const char *why = NULL, *base = base_of(rw, &why), *text;

    if (why) {
        return why;
    }
    if (t307_import_httpd_host_grows(rw->pattern, rw->target,
                                     !rw->place->dir)) {
        return "what the request has in the group could go on with the "
               "host's name; write a slash behind the host";
    }
    if (rw->flags & QUERYLAST && strchr(rw->target, '?')
        != strrchr(rw->target, '?')) {
        return "[QSL] with two '?'";
    }
    memset(&o, 0, sizeof o);
    r307_buf_init(&o.buf, rw->im->pool, strlen(rw->target) + 16,
                  T307_IMPORT_LINE_MAX);
    put(&o, base);
    text = substitute(rw, &o, rw->target);
    if (o.why || !text) {
        return o.why ? o.why : "the substitution is too long";
    }
    rw->rule->target = apr_pstrdup(rw->im->pool, text);
    take_query(rw, (char *)rw->rule->target);
    return NULL;
}

/* ---- rules in their order ---- */

/* Could the pattern match a URL that a redirect has made? Not if it begins
 * with other text than "http". */
static int may_match_url(apr_pool_t *pool, const t307_import_line_t *line)
{
    char *args = apr_pstrdup(pool, line->args);
    const char *pattern = t307_import_httpd_raw_word(&args);
    r307_literal_t literal;

    if (!pattern || *pattern == '!') {
        return 1;
    }
    r307_literal_find(pool, pattern, 0, &literal);
    return strncasecmp(literal.bytes, "http", literal.len < 4 ? literal.len
                       : 4) == 0;
}

/* Without [L], rules further down act on the URL that this one made. */
static int goes_on(const rewrite_t *rw, int i)
{
    return !(rw->flags & LAST) && rw->place->last_for_urls > i;
}

void t307_import_rewrite_begin(t307_import_t *im, t307_import_place_t *place)
{
    const apr_array_header_t *lines = place->lines[T307_IMPORT_REWRITE];
    int i;

    place->last_for_urls = -1;
    for (i = 0; i < lines->nelts; i++) {
        if (may_match_url(im->scratch, &APR_ARRAY_IDX(lines, i,
                                                      t307_import_line_t))) {
            place->last_for_urls = i;
        }
        apr_pool_clear(im->scratch);
    }
}

/* Rules whose answer is not a redirect, and what to call them; NULL for
 * redirects. */
static const char *no_redirect(const rewrite_t *rw)
{
    int absolute = strstr(rw->target, "://") != NULL;

    if (rw->flags & FINAL) {
        return "it forbids, ends or proxies requests, and is no redirect";
    }
    if (rw->flags & EFFECT) {
        return "it sets a variable, a cookie, a type or a handler as well";
    }
    if (rw->flags & REDIRECT) {
        return NULL;
    }
    return absolute ? "without [R] it is a redirect only if the host is not "
           "this server's; add R=302 if it is one"
        : "it rewrites inside of the server, and is no redirect";
}

static void lose(rewrite_t *rw, int opaque, const char *why)
{
    if (rw->flags & FLOW || !rw->rule->path) {
        rw->rule->path = t307_import_httpd_all(rw->im->pool, rw->place);
        rw->rule->expr = rw->rule->methods = NULL;
        opaque = 1;
    }
    t307_import_lose(rw->im, rw->rule, opaque, rw->line->line, "%s", why);
}

/* "-": nothing is changed. */
static void add_without_substitution(rewrite_t *rw, int opaque,
                                     const char *why)
{
    if (rw->flags & FINAL || (rw->flags & REDIRECT
                              && rw->status / 100 != 3)) {
        lose(rw, opaque, "it answers with another status, and is no "
             "redirect");
    }
    else if (rw->flags & FLOW) {
        lose(rw, 1, "it steers which rules are asked next");
    }
    else if (rw->flags & LAST && why) {
        lose(rw, 1, why);
    }
    else if (rw->flags & LAST) {
        t307_import_add(rw->im, rw->rule);
    }
}

/* -1: it cannot be compiled. */
static int count_groups(rewrite_t *rw, const char *pattern)
{
    r307_error_t err = { rw->im->scratch, NULL };
    r307_regex_t *re;
    int n = r307_regex_compile(rw->im->scratch, pattern, 0, &re, &err)
        == APR_SUCCESS ? r307_regex_groups(re) : -1;

    apr_pool_clear(rw->im->scratch);
    return n;
}

/* Path and conditions; NULL, or why they cannot be told. */
static const char *take_match(rewrite_t *rw)
{
    const char *why;

    rw->groups = count_groups(rw, rw->pattern + (*rw->pattern == '!'));
    if (rw->groups < 0) {
        return "the pattern cannot be compiled";
    }
    rw->rule->path = t307_import_pattern_whole(
        rw->im, rw->place, rw->pattern, rw->flags & NOCASE,
        strstr(rw->target, "$0") != NULL, &why);
    return why ? why
        : t307_import_cond_add(rw->im, rw->place, rw->line->conds, rw->rule);
}

static void add(rewrite_t *rw, int i)
{
    const char *unclear = take_match(rw), *why;

    if (strcmp(rw->target, "-") == 0) {
        add_without_substitution(rw, unclear != NULL, unclear);
        return;
    }
    why = rw->flags & FLOW ? "it steers which rules are asked next"
        : no_redirect(rw);
    rw->rule->status = rw->flags & REDIRECT ? rw->status : 0;
    if (why || unclear) {
        lose(rw, unclear != NULL, why ? why : unclear);
        return;
    }
    if (rw->status / 100 != 3) {
        rw->rule->target = "/";         /* its status is judged */
        t307_import_add(rw->im, rw->rule);
        return;
    }
    why = goes_on(rw, i) ? "[L] is missing, so a rule further down acts on "
          "the URL that this one makes" : take_target(rw);
    if (why) {
        lose(rw, 0, why);
        return;
    }
    t307_import_add(rw->im, rw->rule);
}

void t307_import_rewrite_add(t307_import_t *im,
                             const t307_import_place_t *place, int i)
{
    const t307_import_line_t *line =
        &APR_ARRAY_IDX(place->lines[T307_IMPORT_REWRITE], i,
                       t307_import_line_t);
    rewrite_t rw = { im, place, line, NULL, NULL, 0, 0, 0, NULL };
    const char *why = parse(&rw);

    if (place->engine != 1) {
        t307_import_lose(im, NULL, 0, line->line, "RewriteEngine is not on");
        return;
    }
    rw.rule = t307_import_rule(im, R307_RULE_REGEX, line->line);
    if (why || strstr(rw.pattern, "${")) {
        lose(&rw, 1, why ? why : "the pattern has a variable of httpd");
        return;
    }
    add(&rw, i);
}
