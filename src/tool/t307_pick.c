/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what httpd does with a URL before sections are merged: its parts, its
 * path, its virtual host. Must not know rules. Called by explain.
 */
#include "tool/t307_model.h"

#include <apr_fnmatch.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- URLs ---- */

static char *lower(apr_pool_t *pool, const char *s, apr_size_t len)
{
    char *copy = apr_pstrmemdup(pool, s, len), *c;

    for (c = copy; *c; c++) {
        *c = (char)apr_tolower(*c);
    }
    return copy;
}

static const char *set_authority(apr_pool_t *pool, const char *text,
                                 apr_size_t len, t307_url_t *out)
{
    r307_authority_t a;
    const char *why;

    if (r307_authority_parse(text, len, &a, &why) != APR_SUCCESS) {
        return apr_psprintf(pool, "'%.*s' is no host: %s", (int)len, text,
                            why);
    }
    if (a.host_len > 1 && a.host[a.host_len - 1] == '.') {
        a.host_len--;           /* the root of all names; httpd drops it */
    }
    out->host_as_written = lower(pool, a.host, a.host_len);
    out->host = a.host[0] == '['
        ? lower(pool, a.host + 1, a.host_len - 2) : out->host_as_written;
    if (a.port != R307_PORT_NONE) {
        out->port = a.port;
        out->has_port = 1;
    }
    return NULL;
}

const char *t307_pick_url(apr_pool_t *pool, const char *text,
                          const char *host, t307_url_t *out)
{
    const char *path = text, *why = NULL, *query;

    memset(out, 0, sizeof *out);
    out->text = text;
    out->scheme = "http";
    out->port = 80;
    if (strncasecmp(text, "http://", 7) == 0) {
        path = text + 7;
    }
    else if (strncasecmp(text, "https://", 8) == 0) {
        out->scheme = "https";
        out->port = 443;
        path = text + 8;
    }
    else if (*text != '/') {
        return apr_psprintf(pool, "'%s' is neither a URL with http:// or "
                            "https:// nor a path", text);
    }
    if (path != text) {
        apr_size_t len = strcspn(path, "/?#");
        why = set_authority(pool, path, len, out);
        path += len;
    }
    else if (host) {
        why = set_authority(pool, host, strlen(host), out);
        out->any_port = !out->has_port;
    }
    else {
        out->any_port = 1;
    }
    if (why) {
        return why;
    }
    path = apr_pstrmemdup(pool, path, strcspn(path, "#"));
    query = strchr(path, '?');
    out->query = query ? query + 1 : NULL;
    out->path.raw = *path == '/' ? path : apr_pstrcat(pool, "/", path, NULL);
    return NULL;
}

static int holds_encoded_slash(const char *raw)
{
    apr_size_t len = r307_path_raw_len(raw), i;

    for (i = 0; i + 2 < len; i++) {
        if (raw[i] == '%' && raw[i + 1] == '2'
            && (raw[i + 2] == 'F' || raw[i + 2] == 'f')) {
            return 1;
        }
    }
    return 0;
}

const char *t307_pick_path(apr_pool_t *pool, const t307_server_t *server,
                           t307_url_t *url)
{
    const char *raw = url->path.raw;
    int slashes = server->keeps_slashes ? 0 : R307_SLASHES_MERGE;

    if (strcmp(server->encoded_slashes, "keep") == 0) {
        slashes |= R307_SLASHES_KEEP;
    }
    else if (strcmp(server->encoded_slashes, "refuse") == 0
             && holds_encoded_slash(raw)) {
        return "httpd answers 404 before any rule is asked: the path holds "
               "%2F, and AllowEncodedSlashes is Off";
    }
    if (r307_path_from_raw(&url->path, pool, raw, slashes) != APR_SUCCESS) {
        return "httpd answers 400 before any rule is asked: the path holds "
               "a broken %-escape, %00, or '..' above the root";
    }
    return NULL;
}

/* ---- servers ---- */

static int same_name(const char *pattern, const char *host)
{
    return strpbrk(pattern, "*?")
        ? apr_fnmatch(pattern, host, APR_FNM_CASE_BLIND) == APR_SUCCESS
        : strcasecmp(pattern, host) == 0;
}

int t307_pick_is_own(const t307_server_t *server, const char *host)
{
    int i;

    if (server->name && same_name(server->name, host)) {
        return 1;
    }
    for (i = 0; i < server->aliases->nelts; i++) {
        if (same_name(APR_ARRAY_IDX(server->aliases, i, const char *),
                      host)) {
            return 1;
        }
    }
    return 0;
}

/* How well one address fits: 0 not, 1 any address, 2 the one asked for. */
static int address_fits(const char *address, const t307_url_t *url)
{
    const char *colon = strrchr(address, ':');
    apr_size_t len = colon ? (apr_size_t)(colon - address) : strlen(address);
    int port = colon && strcmp(colon, ":*") != 0 ? atoi(colon + 1) : 0;

    /* "Host: name" with only a path says nothing of the port */
    if (port && port != url->port && !url->any_port) {
        return 0;
    }
    if (len && address[0] == '[') {
        address++;
        len -= 2;
    }
    if (url->host && strlen(url->host) == len
        && strncasecmp(address, url->host, len) == 0) {
        return 2;
    }
    /* A name leads to an address that is not known here, so a virtual host
     * of one address may be the one. */
    return 1;
}

static int server_fits(const t307_server_t *server, const t307_url_t *url)
{
    int i, best = 0;

    for (i = 0; i < server->addresses->nelts; i++) {
        int fit = address_fits(APR_ARRAY_IDX(server->addresses, i,
                                             const char *), url);
        best = fit > best ? fit : best;
    }
    return best;
}

const t307_server_t *t307_pick_server(const t307_model_t *model,
                                      const t307_url_t *url)
{
    const t307_server_t *best = NULL;
    int i, score = 0;

    for (i = 0; i < model->servers->nelts; i++) {
        const t307_server_t *server = APR_ARRAY_IDX(model->servers, i,
                                                    t307_server_t *);
        int fit = server->is_virtual ? server_fits(server, url) * 2 : 0;

        fit += fit && url->host && t307_pick_is_own(server, url->host);
        if (!best || fit > score) {
            best = server;
            score = fit;
        }
    }
    return best;
}
