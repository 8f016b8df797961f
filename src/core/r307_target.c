/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the syntax of targets. Must not know requests. Called by rule.
 *
 * Two passes: split into text, captures and expressions (r307_targetsplit);
 * then walk the pieces through the components of RFC 3986 (scheme, authority,
 * path, query, fragment) and encode each text for the place it stands in.
 */
#include "core/r307_targetsplit.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_tables.h>

#include <strings.h>

typedef struct parser_t {
    apr_pool_t *pool;
    r307_error_t *err;
    r307_target_t *target;
    apr_array_header_t *pieces; /* r307_part_t, texts not yet encoded */
    apr_array_header_t *parts;  /* r307_part_t, final */
} parser_t;

/* ---- components ---- */

static r307_part_t *piece_at(const parser_t *ps, int i)
{
    return &APR_ARRAY_IDX(ps->pieces, i, r307_part_t);
}

static void add_text(parser_t *ps, const char *s, apr_size_t len,
                     r307_component_t in)
{
    r307_part_t *part;
    r307_buf_t buf;

    if (len == 0) {
        return;
    }
    r307_buf_init(&buf, ps->pool, len, 3 * len);
    r307_encode_text(&buf, s, len, in);
    part = apr_array_push(ps->parts);
    memset(part, 0, sizeof *part);
    part->kind = R307_PART_TEXT;
    part->in = in;
    part->text = r307_buf_string(&buf);
    part->len = buf.len;
}

static void add_dynamic(parser_t *ps, const r307_part_t *piece,
                        r307_component_t in)
{
    r307_part_t *part = apr_array_push(ps->parts);

    *part = *piece;
    part->in = in == R307_IN_QUERY ? R307_IN_QUERY_VALUE : in;
}

/* "?" or "#": a part of its own, which opens the next component. */
static r307_component_t open_component(parser_t *ps, char delimiter)
{
    r307_part_t *part = apr_array_push(ps->parts);
    int at = ps->parts->nelts - 1;

    memset(part, 0, sizeof *part);
    part->kind = R307_PART_TEXT;
    part->text = delimiter == '?' ? "?" : "#";
    part->len = 1;
    if (delimiter == '?') {
        ps->target->query_at = at;
        return R307_IN_QUERY;
    }
    ps->target->fragment_at = at;
    return R307_IN_FRAGMENT;
}

/* Split one text, from offset `from`, at the delimiters that count in the
 * component it begins in. Returns the component it ends in. */
static r307_component_t add_split(parser_t *ps, const r307_part_t *piece,
                                  apr_size_t from, r307_component_t in)
{
    apr_size_t n;

    for (n = from; n < piece->len; n++) {
        char c = piece->text[n];
        if ((c == '?' && in == R307_IN_PATH)
            || (c == '#' && in != R307_IN_FRAGMENT)) {
            add_text(ps, piece->text + from, n - from, in);
            in = open_component(ps, c);
            from = n + 1;
        }
    }
    add_text(ps, piece->text + from, n - from, in);
    return in;
}

/* Walk pieces from piece i, byte offset `from` of its text, through path,
 * query and fragment. */
static void add_tail(parser_t *ps, int i, apr_size_t from)
{
    r307_target_t *t = ps->target;
    r307_component_t in = R307_IN_PATH;

    t->query_at = t->fragment_at = -1;
    for (; i < ps->pieces->nelts; i++, from = 0) {
        const r307_part_t *piece = piece_at(ps, i);

        if (piece->kind == R307_PART_TEXT) {
            in = add_split(ps, piece, from, in);
        }
        else {
            add_dynamic(ps, piece, in);
        }
    }
    t->has_query = t->query_at >= 0;
    if (t->fragment_at < 0) {
        t->fragment_at = ps->parts->nelts;
    }
    if (t->query_at < 0) {
        t->query_at = t->fragment_at;
    }
}

int r307_target_scheme(const char *s, apr_size_t *len)
{
    static const char *const refused[] = {
        "javascript", "data", "vbscript", "file", "blob", "filesystem",
        "about", "view-source", NULL
    };
    apr_size_t n = 0;
    int i;

    while (apr_isalnum(s[n]) || (n && s[n] && strchr("+.-", s[n]))) {
        n++;
    }
    if (n == 0 || !apr_isalpha(s[0]) || strncmp(s + n, "://", 3) != 0) {
        return 0;
    }
    for (i = 0; refused[i]; i++) {
        if (strlen(refused[i]) == n && strncasecmp(s, refused[i], n) == 0) {
            return 0;
        }
    }
    *len = n + 3;
    return 1;
}

static apr_status_t refuse_text(parser_t *ps)
{
    static const char *const dangerous[] = {
        "javascript:", "data:", "vbscript:", "file:", "blob:", "filesystem:",
        "about:", "view-source:", NULL
    };
    const char *s = ps->target->written;
    int i;

    for (i = 0; dangerous[i]; i++) {
        if (strncasecmp(s, dangerous[i], strlen(dangerous[i])) == 0) {
            return r307_error_set(ps->err, "R307-0102: the target '%s' has "
                                  "the scheme '%s', which runs or shows "
                                  "something in the visitor's browser "
                                  "instead of going anywhere; use http or "
                                  "https", s, dangerous[i]);
        }
    }
    return r307_error_set(ps->err, "R307-0101: the target '%s' is neither a "
                          "URL with scheme and host, nor a path, nor '-'; "
                          "write https://host/path for another server, or "
                          "/path for this one", s);
}

static apr_status_t bad_authority(parser_t *ps, const char *why)
{
    return r307_error_set(ps->err, "R307-0104: the target '%s' has no usable "
                          "host: %s; write scheme://host/path, an "
                          "international name in its xn-- form, an IPv6 "
                          "address in brackets", ps->target->written, why);
}

/* Where the authority's text ends in s. */
static apr_size_t authority_end(const char *s, apr_size_t len)
{
    apr_size_t n = 0;

    while (n < len && !strchr("/?#\\", s[n])) {
        n++;
    }
    return n;
}

/* Put "scheme://authority" in front of the parts: into the first one where
 * that is text of the path, so that a plain target is one part. */
static void prepend_authority(parser_t *ps, const char *s, apr_size_t len)
{
    r307_target_t *t = ps->target;
    r307_part_t *first;
    const char *text = apr_pstrmemdup(ps->pool, s, len);

    t->authority_len = len;
    first = (r307_part_t *)ps->parts->elts;
    if (t->query_at > 0 && first->kind == R307_PART_TEXT) {
        first->text = apr_pstrcat(ps->pool, text, first->text, NULL);
        first->len += len;
        return;
    }
    apr_array_push(ps->parts);
    first = (r307_part_t *)ps->parts->elts;
    memmove(first + 1, first,
            sizeof *first * (apr_size_t)(ps->parts->nelts - 1));
    memset(first, 0, sizeof *first);
    first->kind = R307_PART_TEXT;
    first->in = R307_IN_PATH;
    first->text = text;
    first->len = len;
    t->query_at++;
    t->fragment_at++;
}

/* The authority is text of the first piece; add everything as parts. */
static apr_status_t literal_authority(parser_t *ps, apr_size_t scheme,
                                      apr_size_t len)
{
    const r307_part_t *head = piece_at(ps, 0);
    r307_authority_t authority;
    const char *why = NULL;

    if (scheme + len < head->len && head->text[scheme + len] == '\\') {
        return bad_authority(ps, "a backslash ends it, which some clients "
                             "read as a slash");
    }
    if (r307_authority_parse(head->text + scheme, len, &authority, &why)
        != APR_SUCCESS) {
        return bad_authority(ps, why);
    }
    ps->target->authority = authority;
    add_tail(ps, 0, scheme + len);
    prepend_authority(ps, head->text, scheme + len);
    return APR_SUCCESS;
}

/* Something dynamic stands in the scheme, host or port: those pieces become
 * parts as they are, the path begins at the first '/', '?' or '#' of a text
 * or at %{REQUEST_URI}. */
static void computed_authority(parser_t *ps, apr_size_t skip)
{
    int i;
    apr_size_t from = skip, n = 0;

    if (skip) {
        add_text(ps, piece_at(ps, 0)->text, skip, R307_IN_PATH);
    }
    for (i = 0; i < ps->pieces->nelts; i++, from = 0) {
        const r307_part_t *piece = piece_at(ps, i);

        n = 0;
        if (piece->kind == R307_PART_REQUEST_PATH) {
            break;
        }
        if (piece->kind != R307_PART_TEXT) {
            add_dynamic(ps, piece, R307_IN_PATH);
            continue;
        }
        n = from + authority_end(piece->text + from, piece->len - from);
        add_text(ps, piece->text + from, n - from, R307_IN_PATH);
        if (n < piece->len) {
            break;
        }
    }
    ps->target->computed_host = 1;
    ps->target->path_at = ps->parts->nelts;
    add_tail(ps, i, n);
}

/* Does the text authority s need nothing more, so that what follows it is
 * path? "https://safe.example" does; "https://www." and "https://h:" do
 * not. */
static int authority_complete(const char *s, apr_size_t len)
{
    return len > 0 && !strchr(".-:[", s[len - 1]);
}

/* After piece 0, which is all scheme and authority text: only captures and
 * expressions before the next delimiter, no more host text? */
static int only_dynamic_follows(const parser_t *ps)
{
    int i;

    for (i = 1; i < ps->pieces->nelts; i++) {
        const r307_part_t *piece = piece_at(ps, i);
        if (piece->kind == R307_PART_REQUEST_PATH) {
            return 1;
        }
        if (piece->kind == R307_PART_TEXT) {
            return authority_end(piece->text, piece->len) == 0;
        }
    }
    return 1;
}

static apr_status_t parse_url(parser_t *ps, apr_size_t scheme)
{
    const r307_part_t *head = piece_at(ps, 0);
    apr_size_t len = authority_end(head->text + scheme, head->len - scheme);

    ps->target->kind = R307_TARGET_URL;
    ps->target->scheme_len = scheme - 3;
    if (scheme + len < head->len || ps->pieces->nelts == 1
        || (authority_complete(head->text + scheme, len)
            && only_dynamic_follows(ps))) {
        return literal_authority(ps, scheme, len);
    }
    if (memchr(head->text + scheme, '@', len)) {
        return bad_authority(ps, "user names and passwords have no place in "
                             "a redirect");
    }
    computed_authority(ps, scheme);
    return APR_SUCCESS;
}

static apr_status_t parse_path(parser_t *ps)
{
    const r307_part_t *head = piece_at(ps, 0);

    if (head->len > 1 && strchr("/\\", head->text[1])) {
        return r307_error_set(ps->err, "R307-0103: the target '%s' begins "
                              "with two slashes, which clients read as "
                              "another host; write https:%s for that host, "
                              "or one slash for a path on this server",
                              ps->target->written, ps->target->written);
    }
    ps->target->kind = R307_TARGET_PATH;
    add_tail(ps, 0, 0);
    return APR_SUCCESS;
}

static apr_status_t parse_components(parser_t *ps)
{
    const r307_part_t *head = piece_at(ps, 0);
    apr_size_t scheme;

    if (head->kind == R307_PART_REQUEST_PATH) {
        ps->target->kind = R307_TARGET_PATH;
        add_tail(ps, 0, 0);
        return APR_SUCCESS;
    }
    if (head->kind != R307_PART_TEXT) {
        ps->target->kind = R307_TARGET_WHOLE;
        ps->target->computed_host = 1;
        add_tail(ps, 0, 0);
        return APR_SUCCESS;
    }
    if (head->text[0] == '/') {
        return parse_path(ps);
    }
    if (r307_target_scheme(head->text, &scheme)) {
        return parse_url(ps, scheme);
    }
    return refuse_text(ps);
}

static apr_status_t refuse_control_bytes(parser_t *ps)
{
    const char *s;

    for (s = ps->target->written; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f) {
            return r307_error_set(ps->err, "R307-0105: the target '%s' holds "
                                  "a control byte at offset %d, which no URL "
                                  "may; remove it, or write it as %%%02X",
                                  r307_error_show(ps->err,
                                                  ps->target->written,
                                                  strlen(ps->target->written)),
                                  (int)(s - ps->target->written),
                                  (unsigned char)*s);
        }
    }
    return APR_SUCCESS;
}

#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
    "0123456789._-"

/* "site:NAME[/path]" */
static apr_status_t parse_site(apr_pool_t *pool, const char *written,
                               const r307_target_syntax_t *syntax,
                               r307_target_t **out, r307_error_t *err)
{
    const char *name = written + 5;
    apr_size_t len = strspn(name, NAME_BYTES);
    apr_status_t rv = APR_SUCCESS;

    if (len == 0 || (name[len] && name[len] != '/')) {
        return r307_error_set(err, "R307-0747: the target '%s' names no site; "
                              "write site:NAME, site:NAME/path, site:nearest "
                              "or site:nearest/path",
                              r307_error_show(err, written, strlen(written)));
    }
    if (name[len]) {
        rv = r307_target_parse(pool, name + len, syntax, out, err);
    }
    else {
        *out = apr_pcalloc(pool, sizeof **out);
    }
    if (rv == APR_SUCCESS) {
        (*out)->kind = R307_TARGET_SITE;
        (*out)->site = apr_pstrmemdup(pool, name, len);
        (*out)->nearest = strcmp((*out)->site, R307_TARGET_NEAREST) == 0;
        (*out)->written = apr_pstrdup(pool, written);
    }
    return rv;
}

apr_status_t r307_target_parse(apr_pool_t *pool, const char *written,
                               const r307_target_syntax_t *syntax,
                               r307_target_t **out, r307_error_t *err)
{
    parser_t ps;
    apr_status_t rv;

    if (strncmp(written, "site:", 5) == 0) {
        return parse_site(pool, written, syntax, out, err);
    }
    ps.pool = pool;
    ps.err = err;
    ps.target = apr_pcalloc(pool, sizeof *ps.target);
    ps.target->written = apr_pstrdup(pool, written);
    ps.parts = apr_array_make(pool, 4, sizeof(r307_part_t));
    *out = ps.target;
    if (strcmp(written, "-") == 0) {
        ps.target->kind = R307_TARGET_STOP;
        return APR_SUCCESS;
    }
    rv = *written ? refuse_control_bytes(&ps) : refuse_text(&ps);
    if (rv == APR_SUCCESS) {
        rv = r307_target_split(pool, ps.target->written, syntax, &ps.pieces,
                               err);
    }
    if (rv == APR_SUCCESS) {
        rv = parse_components(&ps);
    }
    ps.target->parts = (const r307_part_t *)ps.parts->elts;
    ps.target->nparts = ps.parts->nelts;
    return rv;
}
