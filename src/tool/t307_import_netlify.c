/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns reading Netlify's _redirects:
 *
 *     FROM [key=value...] TO [STATUS[!]] [Condition=value...]
 *
 * Words are separated by blanks; one that begins with '#' opens a comment.
 * The first line that applies wins; without '!' a file at that path comes
 * first.
 */
#include "tool/t307_import.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>
#include <strings.h>

/* Words of a line. */
#define WORDS_MAX 128

/* Names of a line's FROM. */
#define NAMES_MAX T307_IMPORT_CAPTURES_MAX

typedef struct netlify_t {
    t307_import_t *im;
    t307_import_rule_t *rule;
    const char *to;
    const char *names[NAMES_MAX];
    apr_size_t lens[NAMES_MAX];
    int nnames;
    int splat;                  /* the last name is that of "/\*" */
    int forced;
    const char *lost;           /* why, when that is known before the rule
                                 * is complete */
    int opaque;
} netlify_t;

static void lose(netlify_t *n, int opaque, const char *why)
{
    if (!n->lost) {
        n->lost = why;
    }
    n->opaque |= opaque;
}

static int is_target(const char *word)
{
    return *word == '/' || strncasecmp(word, "http://", 7) == 0
           || strncasecmp(word, "https://", 8) == 0;
}

static apr_size_t name_len(const char *s)
{
    apr_size_t n = 0;

    while (apr_isalnum(s[n]) || s[n] == '_') {
        n++;
    }
    return n && !apr_isdigit(*s) ? n : 0;
}

/* The number of the group with that name, 0 for none. */
static int group_of(const netlify_t *n, const char *name, apr_size_t len)
{
    int i;

    for (i = 0; i < n->nnames; i++) {
        if (n->lens[i] == len && strncmp(n->names[i], name, len) == 0) {
            return i + 1;
        }
    }
    return 0;
}

static void add_name(netlify_t *n, const char *name, apr_size_t len)
{
    if (group_of(n, name, len)) {
        lose(n, 1, "two parts of the path have the same name");
    }
    else if (n->nnames == NAMES_MAX) {
        lose(n, 1, "more than 9 parts of the path have names");
    }
    else {
        n->names[n->nnames] = name;
        n->lens[n->nnames++] = len;
    }
}

/* ---- FROM ---- */

/* One segment as expression. */
static const char *segment(netlify_t *n, const char *s, apr_size_t len)
{
    apr_pool_t *pool = n->im->pool;
    const char *text;

    if (*s == ':' && name_len(s + 1) == len - 1 && len > 1) {
        add_name(n, s + 1, len - 1);
        return "([^/]+)";
    }
    text = t307_import_decode(pool, s, len);
    if (!text || memchr(s, '*', len) || memchr(s, ':', len)) {
        lose(n, 1, text ? "'*' may only be the last segment, and a name only "
             "a whole one" : "the path holds an encoded slash or a control "
             "byte");
        return "";
    }
    return t307_import_quote_regex(pool, text, strlen(text));
}

/* A path as expression: it covers itself with and without a final slash. */
static void take_pattern(netlify_t *n, const char *path)
{
    apr_pool_t *pool = n->im->pool;
    const char *regex = "^";

    while (*path == '/' && path[1]) {
        apr_size_t len = strcspn(++path, "/");
        if (len == 1 && *path == '*' && !path[1]) {
            n->splat = 1;
            add_name(n, "splat", 5);
            n->rule->path = apr_pstrcat(pool, regex, "(?:/(.*))?$", NULL);
            return;
        }
        regex = apr_pstrcat(pool, regex, "/", segment(n, path, len), NULL);
        path += len;
    }
    n->rule->path = apr_pstrcat(pool, regex, regex[1] ? "/?$" : "/$", NULL);
}

static void take_from(netlify_t *n, const char *from)
{
    const char *scheme, *host, *path;

    n->rule->kind = R307_RULE_REGEX;
    if (t307_import_split_url(n->im->pool, from, &scheme, &host, &path)) {
        n->rule->hosts = host;
        t307_import_and(n->im, n->rule,
                        apr_psprintf(n->im->pool, "%%{REQUEST_SCHEME} == "
                                     "'%s'", scheme));
        from = *path ? path : "/";
        if (!t307_import_is_host(host)) {
            lose(n, 1, "the host is no plain name");
            n->rule->hosts = NULL;
        }
    }
    if (strcspn(from, "?#") != strlen(from)) {
        lose(n, 1, "the path holds '?' or '#'");
    }
    else if (strncmp(from, "/.netlify", 9) == 0
             && (!from[9] || from[9] == '/')) {
        lose(n, 0, "paths below /.netlify are Netlify's own");
    }
    take_pattern(n, from);
}

/* ---- between FROM and TO: the query ---- */

static int is_plain(const char *s)
{
    for (; *s; s++) {
        if (!apr_isalnum(*s) && !strchr("._~-", *s)) {
            return 0;
        }
    }
    return 1;
}

static void take_parameter(netlify_t *n, const char *word)
{
    apr_pool_t *pool = n->im->pool;
    const char *value = strchr(word, '=');
    const char *name = value ? apr_pstrmemdup(pool, word, (apr_size_t)(value
                                                          - word)) : "";

    if (!*name || !is_plain(name)) {
        lose(n, 1, value ? "the name of the parameter has characters that "
             "may be encoded" : "a word between path and target is no "
             "parameter");
        return;
    }
    value++;
    if (*value == ':' && name_len(value + 1) == strlen(value) - 1) {
        value = "[^&]*";        /* its use in TO is found there */
    }
    else if (!is_plain(value)) {
        lose(n, 1, "the value of the parameter has characters that may be "
             "encoded");
        return;
    }
    else {
        value = t307_import_quote_regex(pool, value, strlen(value));
    }
    name = t307_import_quote_regex(pool, name, strlen(name));
    t307_import_and(n->im, n->rule,
                    apr_psprintf(pool, "%%{QUERY_STRING} =~ "
                                 "m#(^|&)%s=%s(&|$)#", name, value));
}

/* ---- TO ---- */

static void take_to(netlify_t *n, const char *to)
{
    apr_pool_t *pool = n->im->pool;
    const char *out = "", *s = to;

    if (strncasecmp(s, "http", 4) == 0) {
        apr_size_t len = (apr_size_t)(strstr(s, "//") - s) + 2;
        len += strcspn(s + len, "/?#");
        out = t307_import_quote_target(pool, s, len, 1);
        s += len;
    }
    while (*s) {
        apr_size_t len = strcspn(s + 1, ":") + 1, name;
        int group;

        if (*s == ':' && (name = name_len(s + 1)) != 0) {
            group = group_of(n, s + 1, name);
            if (!group) {
                lose(n, 0, apr_psprintf(pool, "'%s' is no part of the path; "
                                        "a parameter cannot be put into the "
                                        "target", t307_import_show(n->im,
                                            apr_pstrmemdup(pool, s,
                                                           name + 1))));
            }
            out = apr_psprintf(pool, "%s$%d", out, group);
            s += name + 1;
            continue;
        }
        out = apr_pstrcat(pool, out, t307_import_quote_target(pool, s, len,
                                                              1), NULL);
        s += len;
    }
    n->rule->target = out;
}

/* ---- behind TO ---- */

static void take_status(netlify_t *n, const char *word)
{
    char *end;
    apr_int64_t status = apr_strtoi64(word, &end, 10);

    n->forced = *end == '!';
    end += n->forced;
    if (*end || status < 100 || status > 599) {
        lose(n, 1, apr_psprintf(n->im->pool, "the word '%s' is no status",
                                t307_import_show(n->im, word)));
        return;
    }
    n->rule->status = (int)status;
    if (status == 200) {
        lose(n, 0, "status 200 is a rewrite or a proxy, no redirect");
    }
    else if (status == 404) {
        lose(n, 0, "status 404 is a page, no redirect");
    }
}

/* "us,ca" as selectors; what the core would read as something else is
 * refused. */
static const char *countries(netlify_t *n, const char *list)
{
    char *copy = apr_pstrdup(n->im->pool, list), *s;
    apr_size_t len;

    for (s = copy; *s; s++) {
        *s = (char)apr_toupper(*s);
    }
    for (s = copy; ; s += len + 1) {
        len = strcspn(s, ",");
        if (len != 2 || !apr_isalpha(s[0]) || !apr_isalpha(s[1])
            || strncmp(s, "EU", 2) == 0 || strncmp(s, "UK", 2) == 0) {
            return NULL;
        }
        if (!s[len]) {
            return copy;
        }
    }
}

static void take_condition(netlify_t *n, const char *word)
{
    apr_size_t len = strcspn(word, "=");
    const char *list;

    if (strchr(word + len + 1, '=')) {
        lose(n, 1, "the condition holds a second '='");
    }
    else if (len == 7 && strncasecmp(word, "Country", 7) == 0) {
        list = countries(n, word + 8);
        if (!list || n->rule->choices) {
            lose(n, 1, "a country is not one of ISO 3166-1, or there are "
                 "two lists of them; UK is GB");
            return;
        }
        n->rule->choices = apr_array_make(n->im->pool, 1, sizeof(char *));
        APR_ARRAY_PUSH(n->rule->choices, const char *) = list;
    }
    else if (len == 8 && strncasecmp(word, "Language", 8) == 0) {
        lose(n, 1, "Netlify looks at a cookie and at the first language "
             "only; see Redirect307Geo and its lang:");
    }
    else {
        lose(n, 1, apr_psprintf(n->im->pool, "the condition '%s' has no "
                                "counterpart",
                                t307_import_show(n->im, word)));
    }
}

/* ---- the line ---- */

/* A file comes first, and so does what is served for the path. */
static void mind_files(netlify_t *n)
{
    static const char file[] = "%{DOCUMENT_ROOT}%{REQUEST_URI}";

    if (!n->forced && !n->im->no_files) {
        t307_import_and(n->im, n->rule,
                        apr_psprintf(n->im->pool, "!(-f '%s' || -f '%s.html'"
                                     " || -f '%s/index.html')", file, file,
                                     file));
    }
}

static void add_choice(netlify_t *n, r307_rule_kind_t kind, const char *path,
                       const char *target)
{
    t307_import_rule_t *rule = apr_pmemdup(n->im->pool, n->rule,
                                           sizeof *rule);

    rule->kind = kind;
    rule->path = path;
    rule->choices = apr_array_make(n->im->pool, 1, sizeof(char *));
    APR_ARRAY_PUSH(rule->choices, const char *) =
        apr_pstrcat(n->im->pool, APR_ARRAY_IDX(n->rule->choices, 0,
                                               const char *), "=", target,
                    NULL);
    rule->target = NULL;
    t307_import_add(n->im, rule);
}

/* Directives choose by URL-path only. Where path and target allow it, two
 * rules say the same: one for what lies below, one for the path itself. */
static void add_choices(netlify_t *n, const char *from, const char *to)
{
    apr_pool_t *pool = n->im->pool;
    apr_size_t to_len = strlen(to);
    int below = n->splat && n->nnames == 1 && to_len > 7
        && strcmp(to + to_len - 7, "/:splat") == 0 && !strpbrk(to, "?#");
    const char *scheme, *host, *path, *dir;

    if (!t307_import_split_url(pool, from, &scheme, &host, &path)) {
        path = from;
    }
    path = *path ? path : "/";
    if ((n->nnames && !below) || strstr(path, "//")) {
        add_choice(n, R307_RULE_REGEX, n->rule->path, n->rule->target);
        return;
    }
    dir = t307_import_decode(pool, path, strlen(path) - (below ? 1 : 0));
    to = t307_import_quote_target(pool, to, to_len - (below ? 6 : 0), 0);
    if (below) {
        add_choice(n, R307_RULE_PREFIX, dir, to);
    }
    else {
        add_choice(n, R307_RULE_EXACT, dir, to);
    }
    if (strcmp(dir, "/") != 0) {
        apr_size_t len = strlen(dir);
        add_choice(n, R307_RULE_EXACT, dir[len - 1] == '/'
                   ? apr_pstrmemdup(pool, dir, len - 1)
                   : apr_pstrcat(pool, dir, "/", NULL), to);
    }
}

static void add(netlify_t *n, const char *from)
{
    if (n->lost) {
        t307_import_lose(n->im, n->rule, n->opaque, n->rule->line, "%s",
                         n->lost);
    }
    else if (n->rule->choices) {
        add_choices(n, from, n->to);
    }
    else {
        t307_import_add(n->im, n->rule);
    }
}

static int split(char *text, char **words)
{
    char *state, *word;
    int n = 0;

    for (word = apr_strtok(text, " \t\v\f\r", &state); word && *word != '#';
         word = apr_strtok(NULL, " \t\v\f\r", &state)) {
        if (n == WORDS_MAX) {
            return -1;
        }
        words[n++] = word;
    }
    return n;
}

/* The words behind FROM. */
static void take_words(netlify_t *n, char **words, int count)
{
    int i = 1;

    while (i < count && !is_target(words[i]) && strchr(words[i], '=')) {
        take_parameter(n, words[i++]);
    }
    if (i == count || !is_target(words[i])) {
        lose(n, 0, i < count && words[i][0] == '2'
             ? "status 200 is a rewrite or a proxy, no redirect"
             : "there is no target");
        return;
    }
    n->to = words[i];
    take_to(n, words[i++]);
    n->rule->status = 301;
    if (i < count && !strchr(words[i], '=')) {
        take_status(n, words[i++]);
    }
    for (; i < count; i++) {
        take_condition(n, words[i]);
    }
}

static void take_line(t307_import_t *im, char *text, int line)
{
    char *words[WORDS_MAX];
    int count = split(text, words);
    netlify_t n;

    if (count == 0) {
        return;
    }
    memset(&n, 0, sizeof n);
    n.im = im;
    n.rule = t307_import_rule(im, R307_RULE_REGEX, line);
    if (count < 0 || !is_target(words[0])) {
        t307_import_lose(im, NULL, 0, line, count < 0
                         ? "more than 128 words"
                         : "the line begins neither with a path nor with a "
                           "URL");
        return;
    }
    take_from(&n, words[0]);
    take_words(&n, words, count);
    mind_files(&n);
    add(&n, words[0]);
}

static void read_redirects(t307_import_t *im, char *text, apr_size_t len)
{
    char *line;
    int n = 0;

    (void)len;
    while ((line = t307_import_line(im, &text, &n)) != NULL) {
        take_line(im, line, n);
    }
}

const t307_import_format_t t307_import_netlify = {
    "netlify", read_redirects, NULL, 0, NULL, NULL
};
