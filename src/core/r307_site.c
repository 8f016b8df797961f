/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what a site is. Must not know how a Location is made of one, nor how it
 * is found out whether it can be used. Called when Redirect307Site is read, and
 * when a name has to be found.
 */
#include "core/r307_site.h"

#include "core/r307_rule.h"

#include <apr_strings.h>

#include <strings.h>

#define NAME_MAX_LEN 64

typedef struct parser_t {
    apr_pool_t *pool;
    const r307_rule_env_t *env;
    r307_site_t *site;
    r307_error_t *err;
} parser_t;

/* ---- Redirect307Site: name and URL ---- */

static int is_name(const char *s)
{
    apr_size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-"
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    return len > 0 && len <= NAME_MAX_LEN && !s[len]
           && strcasecmp(s, "nearest") != 0;
}

static apr_status_t parse_name(parser_t *ps, const char *word)
{
    ps->site->name = apr_pstrdup(ps->pool, word);
    return is_name(word) ? APR_SUCCESS
        : r307_error_set(ps->err, "R307-0751: '%s' cannot be the name of a "
                         "site; write 1 to %d letters, digits, '.', '_' or "
                         "'-', and not 'nearest', which means the nearest of "
                         "all", r307_error_show(ps->err, word, strlen(word)),
                         NAME_MAX_LEN);
}

/* Would it mean something that depends on the request, were it a target? */
static int is_computed(const char *s)
{
    for (; *s; s++) {
        if ((s[0] == '%' && s[1] == '{')
            || (s[0] == '$' && s[1] && strchr("0123456789{<", s[1]))) {
            return 1;
        }
    }
    return 0;
}

static int is_http(const char *s)
{
    return strncasecmp(s, "http://", 7) == 0
           || strncasecmp(s, "https://", 8) == 0;
}

/* A request path, which begins with a slash, is put behind it. Without query
 * and fragment, a literal URL is one part. */
static void cut_slashes(apr_pool_t *pool, r307_target_t *target)
{
    r307_part_t *part = apr_pmemdup(pool, target->parts, sizeof *part);

    while (part->len > target->authority_len
           && part->text[part->len - 1] == '/') {
        part->len--;
    }
    part->text = apr_pstrmemdup(pool, part->text, part->len);
    target->parts = part;
}

static apr_status_t parse_url(parser_t *ps, const char *word)
{
    static const r307_target_syntax_t literal = { NULL, NULL, NULL };
    r307_target_t *target;
    apr_status_t rv;

    if (!is_http(word) || is_computed(word)) {
        return r307_error_set(ps->err, "R307-0752: '%s' is not the base URL "
                              "of a site; write http:// or https://, the "
                              "host, and a path if there is one, without "
                              "captures and expressions",
                              r307_error_show(ps->err, word, strlen(word)));
    }
    rv = r307_target_parse(ps->pool, word, &literal, &target, ps->err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (target->query_at < target->nparts) {
        return r307_error_set(ps->err, "R307-0753: the base URL '%s' has a "
                              "query or a fragment, and the request's path "
                              "has to follow it; end it with host or path",
                              r307_error_show(ps->err, word, strlen(word)));
    }
    cut_slashes(ps->pool, target);
    ps->site->target = target;
    return APR_SUCCESS;
}

/* ---- Redirect307Site: options ---- */

static apr_status_t parse_at(parser_t *ps, const char *value)
{
    double latitude, longitude;

    if (r307_position_parse(value, &latitude, &longitude) != APR_SUCCESS) {
        return r307_error_set(ps->err, "R307-0754: 'at=%s' is not a place; "
                              "write latitude and longitude in degrees, "
                              "north and east positive, separated by a comma "
                              "only: at=50.11,8.68",
                              r307_error_show(ps->err, value,
                                              strlen(value)));
    }
    ps->site->at = r307_position_vector(latitude, longitude);
    ps->site->has_position = 1;
    return APR_SUCCESS;
}

static apr_status_t parse_serves(parser_t *ps, const char *value)
{
    apr_array_header_t *list;
    apr_status_t rv = r307_selector_parse_list(ps->pool, value,
                                               strlen(value), &list, ps->err);

    ps->site->serves = rv == APR_SUCCESS ? list : NULL;
    return rv;
}

static apr_status_t parse_local(parser_t *ps, const char *value)
{
    (void)value;
    ps->site->local = 1;
    return APR_SUCCESS;
}

static apr_status_t parse_while(parser_t *ps, const char *value)
{
    const char *why = "expressions are not known here";

    ps->site->while_text = apr_pstrdup(ps->pool, value);
    if (!*value) {
        why = "it is empty";
    }
    else if (ps->env->compile_expr) {
        why = ps->env->compile_expr(ps->env->ctx, ps->pool,
                                    ps->site->while_text, 0,
                                    &ps->site->while_expr);
    }
    return !why ? APR_SUCCESS
        : r307_error_set(ps->err, "R307-0780: the condition 'while=%s' cannot "
                         "be used: %s; write an httpd expression, with "
                         "quotes around the whole word, such as \"while=! -f "
                         "'/run/maintenance'\"",
                         r307_error_show(ps->err, value, strlen(value)), why);
}

static apr_status_t parse_balancer(parser_t *ps, const char *value)
{
    static const char scheme[] = "balancer://";
    const char *name = value;

    if (strncasecmp(name, scheme, sizeof scheme - 1) == 0) {
        name += sizeof scheme - 1;
    }
    ps->site->balancer = apr_pstrdup(ps->pool, name);
    return *name && !name[strcspn(name, "/:?#% \t")] ? APR_SUCCESS
        : r307_error_set(ps->err, "R307-0781: 'balancer=%s' does not name a "
                         "balancer; write balancer=NAME for the members of "
                         "<Proxy balancer://NAME>, without a path",
                         r307_error_show(ps->err, value, strlen(value)));
}

static const struct {
    const char *name;           /* with "=" when it has a value */
    apr_status_t (*parse)(parser_t *ps, const char *value);
} options[] = {
    { "at=", parse_at },
    { "serves=", parse_serves },
    { "while=", parse_while },
    { "balancer=", parse_balancer },
    { "local", parse_local }
};

#define NOPTIONS ((int)(sizeof options / sizeof options[0]))

static int find_option(const char *word)
{
    int i;

    for (i = 0; i < NOPTIONS; i++) {
        apr_size_t len = strlen(options[i].name);
        if (strncmp(word, options[i].name, len) == 0
            && (options[i].name[len - 1] == '=' || !word[len])) {
            return i;
        }
    }
    return -1;
}

static apr_status_t parse_option(parser_t *ps, const char *word,
                                 unsigned *seen)
{
    int i = find_option(word);

    if (i < 0) {
        return r307_error_set(ps->err, "R307-0755: '%s' is not an option of "
                              "Redirect307Site; write at=LAT,LON, "
                              "serves=SELECTOR,..., while=EXPR, "
                              "balancer=NAME or local",
                              r307_error_show(ps->err, word, strlen(word)));
    }
    if (*seen & 1u << i) {
        return r307_error_set(ps->err, "R307-0756: the site '%s' has '%s' "
                              "twice; keep one", ps->site->name,
                              options[i].name);
    }
    *seen |= 1u << i;
    return options[i].parse(ps, word + strlen(options[i].name));
}

apr_status_t r307_site_parse(const r307_rule_env_t *env, int nwords,
                             const char *const *words, r307_site_t **out,
                             r307_error_t *err)
{
    parser_t ps = { env->pool, env,
                    apr_pcalloc(env->pool, sizeof(r307_site_t)), err };
    unsigned seen = 0;
    apr_status_t rv;
    int i;

    if (nwords < 2) {
        return r307_error_set(err, "R307-0750: Redirect307Site needs a name "
                              "and a URL; write Redirect307Site NAME "
                              "https://host");
    }
    rv = parse_name(&ps, words[0]);
    if (rv == APR_SUCCESS) {
        rv = parse_url(&ps, words[1]);
    }
    for (i = 2; i < nwords && rv == APR_SUCCESS; i++) {
        rv = parse_option(&ps, words[i], &seen);
    }
    if (rv == APR_SUCCESS) {
        *out = ps.site;
    }
    return rv;
}

/* ---- lookup ---- */

const r307_site_t *r307_site_find(const apr_array_header_t *sites,
                                  const char *name, apr_size_t len)
{
    int i;

    for (i = 0; sites && i < sites->nelts; i++) {
        const r307_site_t *site = APR_ARRAY_IDX(sites, i,
                                                const r307_site_t *);
        if (strlen(site->name) == len
            && memcmp(site->name, name, len) == 0) {
            return site;
        }
    }
    return NULL;
}

int r307_site_is_watched(const r307_site_t *site)
{
    return site->while_text || site->balancer;
}
