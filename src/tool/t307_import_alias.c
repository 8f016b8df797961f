/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what mod_alias's Redirect and RedirectMatch mean as rules, and
 * directives of this module, which stay what they are.
 */
#include "tool/t307_import_httpd.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORDS_MAX 400

/* The status that a first word names; 0: it names none. */
static int status_word(const char *word)
{
    static const struct { const char *name; int status; } words[] = {
        { "permanent", 301 }, { "temp", 302 }, { "seeother", 303 },
        { "gone", 410 }
    };
    int i;

    for (i = 0; i < 4; i++) {
        if (strcasecmp(word, words[i].name) == 0) {
            return words[i].status;
        }
    }
    return apr_isdigit(*word) ? atoi(word) : 0;
}

/* Where the path of a URL begins; the end when it has none. */
static const char *path_of(const char *url)
{
    const char *host = strstr(url, "://");

    return host ? host + 3 + strcspn(host + 3, "/?#") : url;
}

/* What mod_alias sends of the target's path: RedirectMatch encodes it, also
 * what is encoded. Captures are the core's matter. */
static const char *match_target(apr_pool_t *pool, const char *target,
                                int *encoded)
{
    char *out = apr_palloc(pool, 3 * strlen(target) + 1), *to = out;
    apr_size_t path = (apr_size_t)(path_of(target) - target);
    apr_size_t query = strcspn(target, "?#"), i;

    for (i = 0; target[i]; i++) {
        if (target[i] == '%') {
            int octet = i >= path && i < query && apr_isxdigit(target[i + 1])
                        && apr_isxdigit(target[i + 2]);
            *encoded |= octet;
            if (octet || target[i + 1] == '{') {
                memcpy(to, "%25", 3);
                to += 3;
                continue;
            }
        }
        *to++ = target[i];
    }
    *to = '\0';
    return out;
}

static void add_match(t307_import_t *im, t307_import_rule_t *rule,
                      const char *regex, const char *target)
{
    int encoded = 0;

    rule->kind = R307_RULE_REGEX;
    rule->path = regex;
    rule->target = match_target(im->pool, target, &encoded);
    if (t307_import_httpd_host_grows(regex, target, 1)) {
        t307_import_lose(im, rule, 0, rule->line, "what the request has in "
                         "the group could go on with the host's name; write "
                         "a slash behind the host");
        return;
    }
    if (encoded) {
        t307_import_warn(im, rule->line, "the target's '%%' is sent as "
                         "'%%25', as RedirectMatch does; it may not have "
                         "been meant");
    }
    t307_import_add(im, rule);
}

static void add_prefix(t307_import_t *im, t307_import_rule_t *rule,
                       const char *path, const char *target)
{
    apr_size_t len = strlen(path);

    rule->kind = R307_RULE_PREFIX;
    rule->path = path;
    rule->target = t307_import_quote_target(im->pool, target, strlen(target),
                                            0);
    if (strpbrk(target, "?#")) {
        t307_import_lose(im, rule, 0, rule->line, "mod_alias appends the "
                         "rest of the path behind the target's query or "
                         "fragment, and no rule here does");
    }
    else if (len && path[len - 1] == '/' && !*path_of(target)
             && strstr(target, "://")) {
        t307_import_lose(im, rule, 0, rule->line, "the rest of the path "
                         "would go on with the host's name; write a slash "
                         "behind the host");
    }
    else {
        t307_import_add(im, rule);
    }
}

void t307_import_alias_add(t307_import_t *im,
                           const t307_import_place_t *place,
                           const t307_import_line_t *line)
{
    t307_import_rule_t *rule = t307_import_rule(im, R307_RULE_REGEX,
                                                line->line);
    int match = strcmp(line->name, "redirectmatch") == 0;
    int fixed = strcmp(line->name, "redirect") != 0 && !match;
    char *args = apr_pstrdup(im->pool, line->args);
    const char *path = t307_import_httpd_word(im->pool, &args), *target;
    int status = path && !fixed ? status_word(path) : 0;

    rule->status = strcmp(line->name, "redirectpermanent") == 0 ? 301
        : status ? status : 302;
    path = status ? t307_import_httpd_word(im->pool, &args) : path;
    target = t307_import_httpd_word(im->pool, &args);
    if (path && !target && rule->status / 100 != 3) {
        rule->kind = match ? R307_RULE_REGEX : R307_RULE_PREFIX;
        rule->path = path;
        rule->target = "/";
        t307_import_add(im, rule);      /* its status is judged */
        return;
    }
    if (path && target && strstr(target, "${") && !strstr(path, "${")) {
        rule->kind = match ? R307_RULE_REGEX : R307_RULE_PREFIX;
        rule->path = path;
        t307_import_lose(im, rule, 0, line->line, "httpd puts a variable in "
                         "the place of '${'");
        return;
    }
    if (!path || !target || strstr(line->args, "${")) {
        rule->path = t307_import_httpd_all(im->pool, place);
        t307_import_lose(im, rule, 1, line->line, "%s", path && target
                         ? "httpd puts a variable in the place of '${'"
                         : "with one argument it redirects all of the "
                           "directory, before all other lines; write it as "
                           "a rule by hand");
        return;
    }
    if (match) {
        add_match(im, rule, path, target);
    }
    else {
        add_prefix(im, rule, path, target);
    }
}

/* ---- directives of this module ---- */

void t307_import_own_add(t307_import_t *im, const t307_import_place_t *place,
                         const t307_import_line_t *line)
{
    t307_import_rule_t *rule = t307_import_rule(im, R307_RULE_PREFIX,
                                                line->line);
    char *args = apr_pstrdup(im->pool, line->args);
    const char *path = t307_import_httpd_word(im->pool, &args), *word;
    int geo = strcmp(line->name, "redirect307geo") == 0, n = 0;

    rule->own = 1;
    rule->path = path;
    rule->kind = strcmp(line->name, "redirect307match") == 0
        ? R307_RULE_REGEX : R307_RULE_PREFIX;
    rule->choices = geo ? apr_array_make(im->pool, 4, sizeof(char *)) : NULL;
    while (n < WORDS_MAX
           && (word = t307_import_httpd_word(im->pool, &args)) != NULL) {
        if (geo) {
            APR_ARRAY_PUSH(rule->choices, const char *) = word;
        }
        else if (n == 0) {
            rule->target = strcmp(word, "-") == 0 ? NULL : word;
        }
        else {
            rule->more = rule->more
                ? apr_pstrcat(im->pool, rule->more, "\n", word, NULL) : word;
        }
        n++;
    }
    if (!path || n == 0 || n == WORDS_MAX || strstr(line->args, "${")) {
        rule->kind = R307_RULE_REGEX;
        rule->path = t307_import_httpd_all(im->pool, place);
        t307_import_lose(im, rule, 1, line->line, "a rule for a whole "
                         "section, with a variable of httpd, or with too "
                         "many words; copy the line");
        return;
    }
    t307_import_add(im, rule);
}
