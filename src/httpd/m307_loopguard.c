/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the mark by which a request is known that a rule for errors has sent
 * on before: a parameter in its query, or a cookie. Must not know rules.
 * Called by ondecide, and by httpd for the directive.
 */
#include "httpd/m307_onerror.h"

#include "core/r307_authority.h"

#include "apr_lib.h"
#include "apr_strings.h"

#define NAME_DEFAULT "_r307"
#define NAME_MAX_LEN 64

/* As long as a client may take from one redirect to the next. */
#define COOKIE_SECONDS "30"

struct m307_loopguard_t {
    enum { GUARD_OFF, GUARD_QUERY, GUARD_COOKIE } kind;
    const char *name;
    const char *domain;         /* of the cookie, or NULL */
};

static const m307_loopguard_t *guard_of(const m307_request_t *req)
{
    static const m307_loopguard_t query = { GUARD_QUERY, NAME_DEFAULT, NULL };

    return req->dir->loopguard ? req->dir->loopguard : &query;
}

/* ---- the directive ---- */

/* Characters that are the same in a query, encoded or not (RFC 3986 section
 * 2.3), and may be in a cookie's name. */
static int is_name(const char *s)
{
    apr_size_t i;

    for (i = 0; s[i]; i++) {
        if (!apr_isalnum(s[i]) && !strchr("-._~", s[i])) {
            return 0;
        }
    }
    return i > 0 && i <= NAME_MAX_LEN;
}

/* 0: how is not `word` or `word:NAME`. */
static int takes_name(const char *how, const char *word, const char **name)
{
    apr_size_t len = strlen(word);

    if (strncasecmp(how, word, len) || (how[len] && how[len] != ':')) {
        return 0;
    }
    *name = how[len] ? how + len + 1 : NAME_DEFAULT;
    return is_name(*name);
}

static int is_domain(const char *domain)
{
    r307_authority_t authority;
    const char *why;

    return strchr(domain, '.') && !strchr(domain, ':')
           && domain[strspn(domain, "0123456789.")]
           && r307_authority_parse(domain, strlen(domain), &authority, &why)
              == APR_SUCCESS;
}

const char *m307_loopguard_set(cmd_parms *cmd, void *dir, const char *how,
                               const char *domain)
{
    m307_loopguard_t *guard = apr_pcalloc(cmd->pool, sizeof *guard);

    ((m307_dir_conf_t *)dir)->loopguard = guard;
    if (takes_name(how, "query", &guard->name)) {
        guard->kind = GUARD_QUERY;
    }
    else if (takes_name(how, "cookie", &guard->name)) {
        guard->kind = GUARD_COOKIE;
    }
    else if (strcasecmp(how, "Off")) {
        return apr_psprintf(cmd->temp_pool, "R307-0342: Redirect307LoopGuard "
                            "'%s' is neither Off nor query[:NAME] nor "
                            "cookie[:NAME]; NAME has 1 to %d letters, digits, "
                            "'-', '.', '_' or '~'", how, NAME_MAX_LEN);
    }
    if (domain && (guard->kind != GUARD_COOKIE || !is_domain(domain))) {
        return apr_psprintf(cmd->temp_pool, "R307-0343: '%s' cannot be the "
                            "domain of the loop guard; write the domain that "
                            "both sites are in, such as example.com, behind "
                            "cookie or cookie:NAME", domain);
    }
    guard->domain = domain;
    return NULL;
}

/* ---- requests ---- */

/* Is there a member of that name, whatever its value? */
static int has_member(const char *list, char separator, const char *name)
{
    apr_size_t len = strlen(name);
    const char *s = list;

    while (s) {
        while (*s == ' ' || *s == '\t') {
            s++;
        }
        if (strncmp(s, name, len) == 0
            && (!s[len] || s[len] == '=' || s[len] == separator)) {
            return 1;
        }
        s = strchr(s, separator);
        s = s ? s + 1 : NULL;
    }
    return 0;
}

int m307_loopguard_is_marked(m307_request_t *req)
{
    const m307_loopguard_t *guard = guard_of(req);

    switch (guard->kind) {
    case GUARD_QUERY:
        return has_member(req->core.query, '&', guard->name);
    case GUARD_COOKIE:
        m307_request_add_vary(req, "Cookie");
        return has_member(apr_table_get(req->r->headers_in, "Cookie"), ';',
                          guard->name);
    default:
        return 0;
    }
}

static const char *with_parameter(apr_pool_t *pool, const char *location,
                                  const char *name)
{
    apr_size_t end = strcspn(location, "#");
    const char *query = memchr(location, '?', end);
    const char *join = !query ? "?"
        : query + 1 == location + end || location[end - 1] == '&' ? "" : "&";

    return apr_pstrcat(pool, apr_pstrmemdup(pool, location, end), join, name,
                       "=1", location + end, NULL);
}

const char *m307_loopguard_location(const m307_request_t *req,
                                    const char *location)
{
    const m307_loopguard_t *guard = guard_of(req);

    return guard->kind == GUARD_QUERY
        ? with_parameter(req->r->pool, location, guard->name) : location;
}

/* A page of another site may have sent the form, so it is SameSite=None, which
 * browsers take from https only. */
void m307_loopguard_add_cookie(const m307_request_t *req,
                               apr_table_t *headers)
{
    const m307_loopguard_t *guard = guard_of(req);
    request_rec *r = req->r;
    int secure = strcmp(ap_http_scheme(r), "https") == 0;

    if (guard->kind == GUARD_COOKIE) {
        apr_table_addn(headers, "Set-Cookie",
                       apr_pstrcat(r->pool, guard->name, "=1; Max-Age="
                                   COOKIE_SECONDS "; Path=/; HttpOnly",
                                   secure ? "; Secure; SameSite=None" : "",
                                   guard->domain ? "; Domain=" : NULL,
                                   guard->domain, NULL));
    }
}
