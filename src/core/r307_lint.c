/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what can be said of a rule by itself. Must not know other rules.
 * Called by the tool, and by configtest.
 */
#include "core/r307_lint.h"

#include "core/r307_time.h"

#include <apr_strings.h>

#include <string.h>

void r307_lint_tell(r307_lint_t *lint, const r307_rule_t *rule,
                    const char *code, const char *happens,
                    const char *instead)
{
    r307_finding_t finding = { code, rule, happens, instead };

    lint->found(lint->ctx, &finding);
}

const char *r307_lint_path(apr_pool_t *pool, const r307_rule_t *rule)
{
    switch (rule->kind) {
    case R307_RULE_REGEX:
        return apr_pstrcat(pool, "~", rule->path, NULL);
    case R307_RULE_SECTION:
    case R307_RULE_ANY:
        return "(every path)";
    default:
        return apr_pstrmemdup(pool, rule->path, rule->path_len);
    }
}

static const r307_target_t *target_at(const r307_rule_t *rule, int i)
{
    if (rule->choices) {
        return i < rule->choices->n ? rule->choices->at[i].target : NULL;
    }
    return i == 0 ? rule->target : NULL;
}

/* ---- when ---- */

static void look_at_time(r307_lint_t *lint, const r307_rule_t *rule)
{
    const r307_conditions_t *when = rule->when;

    if (when && when->until && when->until <= lint->now) {
        r307_lint_tell(lint, rule, "expired", apr_pstrcat(
            lint->pool, "it has not applied since ",
            r307_time_format(lint->pool, when->until), NULL),
            "remove it, or write a later until=");
    }
    else if (when && when->from > lint->now) {
        r307_lint_tell(lint, rule, "not-yet", apr_pstrcat(
            lint->pool, "it does not apply before ",
            r307_time_format(lint->pool, when->from), NULL),
            "nothing, if that is meant");
    }
}

/* ---- slashes ---- */

/* The text that a remainder is appended to; NULL when it is computed, or
 * when the target has no path to begin with. */
static const char *end_of_path(const r307_target_t *t, apr_size_t *len)
{
    const r307_part_t *part;

    if (t->kind == R307_TARGET_STOP || t->query_at == 0 || t->nparts == 0) {
        return NULL;
    }
    part = &t->parts[t->query_at - 1];
    if (part->kind != R307_PART_TEXT
        || (t->query_at == 1 && part->len <= t->authority_len)) {
        return NULL;
    }
    *len = part->len;
    return part->text;
}

static void look_at_slashes(r307_lint_t *lint, const r307_rule_t *rule,
                            const r307_target_t *t)
{
    int slash = rule->path[rule->path_len - 1] == '/';
    apr_size_t len;
    const char *text = end_of_path(t, &len);
    const char *path = r307_lint_path(lint->pool, rule);

    if (!text || slash == (text[len - 1] == '/')) {
        return;
    }
    if (slash) {
        r307_lint_tell(lint, rule, "no-final-slash", apr_psprintf(
            lint->pool, "%spage is sent to a path that ends in '%.*spage': "
            "what follows the slash is put right behind the target", path,
            (int)(len - t->authority_len), text + t->authority_len),
            "end the target in a slash, or the URL-path without one; add "
            "exact when only that path is meant");
    }
    else {
        r307_lint_tell(lint, rule, "doubled-slash", apr_psprintf(
            lint->pool, "%s/page is sent to a path with two slashes, "
            "'%.*s/page'", path, (int)(len - t->authority_len),
            text + t->authority_len),
            "end both in a slash, or neither; add exact when only that path "
            "is meant");
    }
}

/* ---- hosts ---- */

static const char *behind_class(const char *s)
{
    s += s[1] == '^';
    s += s[1] == ']';           /* one that is meant */
    for (s++; *s && *s != ']'; s++) {
        s += *s == '\\' && s[1];
    }
    return *s ? s + 1 : s;
}

const char *r307_lint_syntax(const char *s)
{
    while ((*s == '\\' && s[1]) || *s == '[') {
        s = *s == '[' ? behind_class(s) : s + 2;
    }
    return s;
}

const char *r307_lint_group(const char *pattern, int n)
{
    const char *s = r307_lint_syntax(pattern);

    for (; *s; s = r307_lint_syntax(s + 1)) {
        if (*s == '(' && (s[1] != '?' || s[2] == 'P'
                          || (s[2] == '<' && s[3] != '=' && s[3] != '!')
                          || s[2] == '\'')) {
            if (--n == 0) {
                s++;
                return *s != '?' ? s : strpbrk(s, ">'") ? strpbrk(s, ">'") + 1
                                                        : s;
            }
        }
    }
    return NULL;
}

/* "https://host$1", where the group does not begin with a slash. */
static void look_near_authority(r307_lint_t *lint, const r307_rule_t *rule,
                                const r307_target_t *t)
{
    const r307_part_t *next;
    const char *group;

    if (t->kind != R307_TARGET_URL || t->computed_host || t->query_at < 2
        || t->parts[0].kind != R307_PART_TEXT
        || t->parts[0].len != t->authority_len) {
        return;
    }
    next = &t->parts[1];
    if (next->kind == R307_PART_REQUEST_PATH) {
        return;
    }
    group = next->kind == R307_PART_CAPTURE && next->ngroups && rule->path
        ? r307_lint_group(rule->path, next->groups[0]) : NULL;
    if (!group || *group != '/') {
        r307_lint_tell(lint, rule, "near-authority", apr_psprintf(
            lint->pool, "what the request fills in stands right behind the "
            "host '%.*s' and reads as a part of it; a slash is put between "
            "them", (int)t->authority.host_len, t->authority.host),
            "write the slash: https://host/$1");
    }
}

static void look_at_host(r307_lint_t *lint, const r307_rule_t *rule,
                         const r307_target_t *t)
{
    if (lint->allowed_hosts && t->kind == R307_TARGET_URL
        && !t->computed_host && t->authority_len
        && !r307_host_pattern_allows(lint->allowed_hosts, &t->authority,
                                     t->parts[0].text, t->scheme_len)) {
        r307_lint_tell(lint, rule, "outside-allowto", apr_psprintf(
            lint->pool, "it leads to '%.*s', which Redirect307AllowTo does "
            "not name; that list is only kept for hosts that a request "
            "computes", (int)t->authority.host_len, t->authority.host),
            "look whether the host is spelt right; if it is, add it to "
            "Redirect307AllowTo");
    }
}

/* ---- caching ---- */

static void look_at_cache(r307_lint_t *lint, const r307_rule_t *rule)
{
    int unseen = rule->split && !rule->split->everybody
                 && rule->split->sticky <= R307_STICKY_IP;

    if (lint->geofrom) {
        unsigned fields = r307_rule_fields(rule,
                                           r307_site_fields(lint->sites));
        unseen |= (r307_geofrom_uses(lint->geofrom, fields)
                   & R307_GEOFROM_UNSEEN) != 0;
    }
    if (rule->cache >= 0 && unseen) {
        r307_lint_tell(lint, rule, "private-cache",
            "it depends on an address, a variable or a draw, which no "
            "header tells a cache, so Vary cannot name it and only the "
            "visitor's own browser may keep the answer",
            "leave cache= out, or take what it depends on from a header or "
            "a cookie");
    }
}

/* ---- regular expressions ---- */

static int ends_anchored(const char *pattern)
{
    apr_size_t len = strlen(pattern);

    return (len && pattern[len - 1] == '$'
            && (len < 2 || pattern[len - 2] != '\\'))
           || (len > 1 && pattern[len - 2] == '\\'
               && (pattern[len - 1] == 'z' || pattern[len - 1] == 'Z'));
}

/* "\.php$" is meant to match anywhere; "/old/(.*)$" and "old" hardly. */
static void look_at_anchors(r307_lint_t *lint, const r307_rule_t *rule)
{
    const char *pattern = rule->path;

    if (r307_regex_is_anchored(rule->regex)
        || (ends_anchored(pattern) && *pattern != '/')) {
        return;
    }
    r307_lint_tell(lint, rule, "unanchored", apr_psprintf(
        lint->pool, "'%s' matches in the middle of a path, too", pattern),
        *pattern == '/' && !strchr(pattern, '|')
        ? apr_psprintf(lint->pool, "write '^%s'", pattern)
        : "begin every alternative with ^/, or with ^/.* if that is meant");
}

void r307_lint_rule(r307_lint_t *lint, const r307_rule_t *rule)
{
    const r307_target_t *t;
    int i;

    look_at_time(lint, rule);
    look_at_cache(lint, rule);
    if (rule->kind == R307_RULE_REGEX) {
        look_at_anchors(lint, rule);
    }
    for (i = 0; (t = target_at(rule, i)) != NULL; i++) {
        if (rule->kind == R307_RULE_PREFIX) {
            look_at_slashes(lint, rule, t);
        }
        look_near_authority(lint, rule, t);
        look_at_host(lint, rule, t);
    }
}
