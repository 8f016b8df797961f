/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the patterns of RewriteRule: from what is matched inside a directory
 * to what is matched against the whole path. Refuses what it does not see
 * through. Called by the readers of httpd's configuration.
 */
#include "tool/t307_import_httpd.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

/* Branches of a pattern. */
#define BRANCHES_MAX 64

/* Past one atom's worth of bytes: an escape, a class, or one byte. */
static const char *past(const char *s)
{
    if (*s == '\\') {
        return s + 1 + (s[1] != '\0');
    }
    if (*s != '[') {
        return s + 1;
    }
    s++;
    s += *s == '^';
    s += *s == ']';
    while (*s && *s != ']') {
        s += *s == '\\' && s[1] ? 2 : 1;
    }
    return s + (*s != '\0');
}

/* Cut at each '|' outside of groups. Returns how many, -1 for too many. */
static int split(apr_pool_t *pool, const char *pattern,
                 const char **branches)
{
    const char *s = pattern, *from = pattern;
    int depth = 0, n = 0;

    for (; ; s = past(s)) {
        depth += *s == '(';
        depth -= *s == ')';
        if (*s && !(*s == '|' && depth == 0)) {
            continue;
        }
        if (n == BRANCHES_MAX) {
            return -1;
        }
        branches[n++] = apr_pstrmemdup(pool, from, (apr_size_t)(s - from));
        from = s + 1;
        if (!*s) {
            return n;
        }
    }
}

/* Something whose meaning depends on where the subject begins, other than
 * '^' in front of a branch. */
static int looks_back(const char *branch)
{
    const char *s = branch + (*branch == '^');

    for (; *s; s = past(s)) {
        if (*s == '^' || strncmp(s, "(?<=", 4) == 0
            || strncmp(s, "(?<!", 4) == 0
            || (*s == '\\' && s[1] && strchr("AGQKR", s[1]))
            || strncmp(s, "(*", 2) == 0 || strncmp(s, "(?(", 3) == 0
            || strncmp(s, "(?|", 3) == 0) {
            return 1;
        }
    }
    return 0;
}

static int begins_with_all(const char *branch)
{
    return strncmp(branch, ".*", 2) == 0 || strncmp(branch, "(.*)", 4) == 0;
}

/* The branches as one expression behind the directory's path. */
static const char *join(apr_pool_t *pool, const char **branches, int n,
                        int anchored)
{
    const char *out = "";
    int i;

    for (i = 0; i < n; i++) {
        out = apr_pstrcat(pool, out, i ? "|" : "", branches[i] + anchored,
                          NULL);
    }
    return n > 1 ? apr_pstrcat(pool, "(?:", out, ")", NULL) : out;
}

/* "(?i)" and the like in front, which count for all that follows. */
static apr_size_t leading_flags(const char *pattern)
{
    apr_size_t n;

    if (strncmp(pattern, "(?", 2) != 0) {
        return 0;
    }
    n = 2 + strspn(pattern + 2, "ims");
    return n > 2 && pattern[n] == ')' ? n + 1 : 0;
}

/* In place of the pattern without '!', flags and directory. */
static const char *body_of(t307_import_t *im, const char *pattern,
                           int whole_match, const char **why)
{
    const char *branches[BRANCHES_MAX];
    int n = split(im->pool, pattern, branches), anchored = 0, i;

    for (i = 0; i < n; i++) {
        anchored += *branches[i] == '^';
        if (looks_back(branches[i])) {
            *why = "the pattern asks where the path inside the directory "
                   "begins, in a way that cannot be moved";
        }
    }
    if (n < 0 || (anchored && anchored != n)) {
        *why = "of the pattern's branches only some begin with '^'";
    }
    if (*why) {
        return NULL;
    }
    return apr_pstrcat(im->pool, anchored || (n == 1 && begins_with_all(
                                                  branches[0]))
                       ? "" : ".*?", whole_match ? "\\K" : "",
                       join(im->pool, branches, n, anchored != 0), NULL);
}

static const char *in_directory(t307_import_t *im,
                                const t307_import_place_t *place,
                                const char *pattern, int nocase,
                                int whole_match, const char **why)
{
    int not = *pattern == '!';
    apr_size_t flags = leading_flags(pattern + not);
    const char *body = body_of(im, pattern + not + flags, whole_match
                               && !not, why);
    const char *lead = apr_pstrcat(im->pool, nocase ? "(?i)" : "",
                                   apr_pstrmemdup(im->pool, pattern + not,
                                                  flags), NULL);

    if (!body) {
        return NULL;
    }
    return apr_pstrcat(im->pool, t307_import_httpd_all(im->pool, place),
                       place->without ? "(?!" : "",
                       place->without ? place->without : "",
                       place->without ? ")" : "", lead, not ? "(?!" : "",
                       body, not ? ")" : "", NULL);
}

const char *t307_import_pattern_whole(t307_import_t *im,
                                      const t307_import_place_t *place,
                                      const char *pattern, int nocase,
                                      int whole_match, const char **why)
{
    int not = *pattern == '!';

    *why = NULL;
    if (place->dir) {
        return in_directory(im, place, pattern, nocase, whole_match, why);
    }
    if (!not) {
        return apr_pstrcat(im->pool, nocase ? "(?i)" : "", pattern, NULL);
    }
    return apr_pstrcat(im->pool, "^(?!", pattern[1] == '^' ? "" : ".*?",
                       nocase ? "(?i)" : "", "(?:", pattern + 1, "))", NULL);
}

/* Where the inside of group n begins; NULL when there is none. *anchored:
 * everything before it is '^'. */
static const char *group(const char *regex, int n, int *anchored)
{
    const char *s;

    for (s = regex; *s; s = past(s)) {
        if (*s == '(' && (s[1] != '?' || s[2] == 'P' || s[2] == '\''
                          || (s[2] == '<' && s[3] != '=' && s[3] != '!'))
            && --n == 0) {
            *anchored = s == regex || (s == regex + 1 && *regex == '^');
            return s + 1;
        }
    }
    return NULL;
}

/* No '|' of its own. */
static int has_one_branch(const char *s)
{
    int depth = 1;

    for (; *s && depth; s = past(s)) {
        depth += *s == '(';
        depth -= *s == ')';
        if (*s == '|' && depth == 1) {
            return 0;
        }
    }
    return 1;
}

int t307_import_httpd_host_grows(const char *regex, const char *target,
                                 int whole)
{
    const char *host = strstr(target, "://"), *in;
    apr_size_t len = host ? strcspn(host + 3, "/?#$%\\") : 0;
    int anchored = 0;

    if (!host || host[3 + len] != '$' || !apr_isdigit(host[4 + len])) {
        return 0;
    }
    if (host[4 + len] == '0') {
        return !whole || *regex != '^';
    }
    in = group(regex, host[4 + len] - '0', &anchored);
    if (!in || !has_one_branch(in)) {
        return 1;
    }
    return !(*in == '/' && in[1] && !strchr("?*{", in[1]))
           && !(whole && anchored && strncmp(in, ".*)", 3) == 0);
}
