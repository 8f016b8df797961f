/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the text of Location. Must not know httpd. Called by decide.
 */
#include "core/r307_location.h"

#include "core/r307_authority.h"

#include <apr_strings.h>

#include <strings.h>

/* Mostly a target is one piece of text, and the rest of the path follows. What
 * is rarer is out of line (noinline), so that this keeps to registers. */
typedef struct builder_t {
    r307_request_t *req;
    const r307_match_t *match;
    const r307_target_t *target;
    r307_buf_t out;
    r307_decision_t *decision;
} builder_t;

static int fail(builder_t *b, r307_outcome_t outcome, const char *reason)
{
    b->decision->outcome = outcome;
    b->decision->rule = b->match->rule;
    b->decision->reason = reason;
    return 0;
}

/* ---- parts ---- */

static void add_capture(builder_t *b, const r307_part_t *part)
{
    const r307_captures_t *c = &b->match->captures;
    int i;

    for (i = 0; i < part->ngroups; i++) {
        const apr_size_t *at = c->at + 2 * part->groups[i];
        /* \K can put the start behind the end */
        if (at[0] != R307_UNSET && at[0] < at[1]) {
            r307_path_append(&b->req->path, at[0], at[1], part->in, &b->out,
                             b->req->pool);
            return;
        }
    }
}

static int eval(builder_t *b, const r307_part_t *part, const char **value)
{
    r307_request_t *req = b->req;

    if (!req->server->eval_string
        || req->server->eval_string(req->ctx, part->expr, b->match, value)
           != APR_SUCCESS
        || !*value) {
        return fail(b, R307_FAILED,
                    apr_pstrcat(req->pool, "the expression ", part->text,
                                " in its target failed", NULL));
    }
    return 1;
}

static int __attribute__((noinline)) add_expr(builder_t *b,
                                              const r307_part_t *part)
{
    const char *value;

    if (!eval(b, part, &value)) {
        return 0;
    }
    if (part->encoded) {
        r307_encode_text(&b->out, value, strlen(value),
                         part->whole_query && part->in == R307_IN_QUERY_VALUE
                         ? R307_IN_QUERY : part->in);
    }
    else {
        r307_encode_data(&b->out, value, strlen(value), part->in);
    }
    return 1;
}

/* Anything but text. */
static int add_part(builder_t *b, const r307_part_t *part)
{
    switch (part->kind) {
    case R307_PART_CAPTURE:
        add_capture(b, part);
        return 1;
    case R307_PART_REQUEST_PATH:
        r307_path_append(&b->req->path, 0, b->req->path.uri_len, part->in,
                         &b->out, b->req->pool);
        return 1;
    default:
        return add_expr(b, part);
    }
}

static inline int add_parts(builder_t *b, int from, int to)
{
    const r307_part_t *part = b->target->parts + from;
    const r307_part_t *end = b->target->parts + to;

    for (; part < end; part++) {
        if (part->kind == R307_PART_TEXT) {
            r307_buf_add(&b->out, part->text, part->len);
        }
        else if (!add_part(b, part)) {
            return 0;
        }
    }
    return 1;
}

int r307_location_part(r307_request_t *req, const r307_match_t *match,
                       const r307_part_t *part, r307_buf_t *out)
{
    r307_decision_t ignored;
    builder_t b = { req, match, match->target, *out, &ignored };
    int ok = 1;

    if (part->kind == R307_PART_TEXT) {
        r307_buf_add(&b.out, part->text, part->len);
    }
    else {
        ok = add_part(&b, part);
    }
    *out = b.out;
    return ok;
}

/* ---- head: scheme, authority, path, remainder ---- */

/* What was appended since `from` is the whole path behind an authority (or
 * of a path-only target): it must open with a slash, or the authority would
 * go on ("https://safe.example" + ".evil.example"). */
static void __attribute__((noinline)) insert_slash(builder_t *b, apr_size_t at)
{
    if (r307_buf_reserve(&b->out, 1)) {
        memmove(b->out.data + at + 1, b->out.data + at, b->out.len - at);
        b->out.data[at] = '/';
        b->out.len++;
    }
}

static inline void guard_path(builder_t *b, apr_size_t from)
{
    if (b->out.len > from && b->out.data[from] != '/') {
        insert_slash(b, from);
    }
}

/* A path that opens with several slashes is another host to a client. */
static void collapse_slashes(builder_t *b, apr_size_t from)
{
    apr_size_t n = from;

    while (n + 1 < b->out.len && b->out.data[n] == '/'
           && b->out.data[n + 1] == '/') {
        n++;
    }
    memmove(b->out.data + from, b->out.data + n, b->out.len - n);
    b->out.len -= n - from;
}

/* The whole path, joined to the target's with one slash. */
static void __attribute__((noinline)) add_path(builder_t *b)
{
    apr_size_t from = b->out.len && b->out.data[b->out.len - 1] == '/';

    r307_path_append(&b->req->path, from, b->req->path.uri_len,
                     R307_IN_PATH, &b->out, b->req->pool);
}

static inline void add_remainder(builder_t *b)
{
    if (b->match->rule->kind == R307_RULE_ANY) {
        add_path(b);
    }
    else if (b->match->rule->kind == R307_RULE_PREFIX) {
        r307_path_append(&b->req->path, b->match->rest, b->req->path.uri_len,
                         R307_IN_PATH, &b->out, b->req->pool);
    }
}

/* The length of the scheme at the start of s, up to and with "//", when it
 * is one that a computed target may have. */
static apr_size_t web_scheme(const char *s, apr_size_t len)
{
    if (len > 7 && strncasecmp(s, "http://", 7) == 0) {
        return 7;
    }
    return len > 8 && strncasecmp(s, "https://", 8) == 0 ? 8 : 0;
}

/* s is "scheme://authority". */
static int check_computed_host(builder_t *b, const char *s, apr_size_t len)
{
    apr_size_t scheme = web_scheme(s, len);
    r307_authority_t authority;
    const char *why = "its scheme is neither http nor https";
    apr_pool_t *pool = b->req->pool;
    r307_error_t err = { pool, NULL };

    if (scheme && r307_authority_parse(s + scheme, len - scheme, &authority,
                                       &why) == APR_SUCCESS) {
        if (b->req->allowed_hosts
            && r307_host_pattern_allows(b->req->allowed_hosts, &authority, s,
                                        scheme - 3)) {
            return 1;
        }
        why = "Redirect307AllowTo does not name that host and port";
    }
    return fail(b, R307_REFUSED,
                apr_psprintf(pool, "the computed target '%s' is refused: %s",
                             r307_error_show(&err, s, len), why));
}

static int __attribute__((noinline)) computed_host_head(builder_t *b)
{
    apr_size_t path;
    int i;

    for (i = 0; i < b->target->path_at; i++) {
        const r307_part_t *part = &b->target->parts[i];
        const char *value;

        if (part->kind == R307_PART_EXPR) {
            if (!eval(b, part, &value)) {
                return 0;
            }
            r307_buf_add(&b->out, value, strlen(value));
        }
        else if (part->kind == R307_PART_TEXT) {
            r307_buf_add(&b->out, part->text, part->len);
        }
        else {
            add_part(b, part);
        }
    }
    path = b->out.len;
    if (b->out.overflow) {
        return 1;               /* said at the end */
    }
    if (!check_computed_host(b, b->out.data, path)
        || !add_parts(b, b->target->path_at, b->target->query_at)) {
        return 0;
    }
    add_remainder(b);
    guard_path(b, path);
    return 1;
}

static int literal_head(builder_t *b)
{
    if (!add_parts(b, 0, b->target->query_at)) {
        return 0;
    }
    add_remainder(b);
    guard_path(b, b->target->authority_len);
    return 1;
}

static int __attribute__((noinline)) path_head(builder_t *b)
{
    const char *base = b->req->server->base(b->req->ctx);
    apr_size_t from;

    if (base) {
        r307_buf_add(&b->out, base, strlen(base));
    }
    from = b->out.len;
    if (!add_parts(b, 0, b->target->query_at)) {
        return 0;
    }
    add_remainder(b);
    guard_path(b, from);
    collapse_slashes(b, from);
    return 1;
}

static int __attribute__((noinline)) site_head(builder_t *b)
{
    const r307_target_t *base = b->match->site->target;

    r307_buf_add(&b->out, base->parts[0].text, base->parts[0].len);
    if (b->target->nparts == 0) {
        r307_path_append(&b->req->path, 0, b->req->path.uri_len,
                         R307_IN_PATH, &b->out, b->req->pool);
    }
    else if (!add_parts(b, 0, b->target->query_at)) {
        return 0;
    }
    else {
        add_remainder(b);
    }
    guard_path(b, base->authority_len);
    return 1;
}

/* ---- query and fragment ---- */

/* from: where the target's own "?..." begins in out, if it has one. */
static void add_request_query(builder_t *b, int has_query, apr_size_t from)
{
    const r307_rule_t *rule = b->match->rule;
    const char *query = b->req->query;

    if (!query || rule->query == R307_QUERY_DROP
        || (has_query && (rule->query == R307_QUERY_KEEP || !*query))) {
        return;
    }
    if (!has_query) {
        r307_buf_addc(&b->out, '?');
    }
    else if (b->out.len > from + 1) {
        r307_buf_addc(&b->out, '&');
    }
    r307_encode_text(&b->out, query, strlen(query), R307_IN_QUERY);
}

static int add_query_and_fragment(builder_t *b)
{
    const r307_target_t *t = b->target;
    apr_size_t from = b->out.len;

    if (t->query_at == t->nparts) {
        if (b->req->query) {
            add_request_query(b, 0, from);
        }
        return 1;
    }
    if (!add_parts(b, t->query_at, t->fragment_at)) {
        return 0;
    }
    add_request_query(b, t->has_query, from);
    return add_parts(b, t->fragment_at, t->nparts);
}

/* ---- whole targets ---- */

/* The text of a target that begins with something computed. */
static char *whole_text(builder_t *b)
{
    r307_buf_t out = b->out;
    char *text = NULL;
    const r307_part_t *first = &b->target->parts[0];

    r307_buf_init(&b->out, b->req->pool, 256, R307_LOCATION_MAX);
    if (first->kind == R307_PART_EXPR) {
        const char *value;
        if (!eval(b, first, &value)) {
            return NULL;
        }
        r307_buf_add(&b->out, value, strlen(value));
    }
    else {
        add_part(b, first);
    }
    if (add_parts(b, 1, b->target->nparts)) {
        text = r307_buf_string(&b->out);
        if (!text) {
            fail(b, R307_TOO_LONG, "Location would be too long");
        }
    }
    b->out = out;
    return text;
}

/* "%{REQUEST_SCHEME}://host": what is computed is a scheme, and a value that
 * makes a path of the whole is none. */
static int wants_scheme(const r307_target_t *t)
{
    return t->nparts > 1 && t->parts[1].kind == R307_PART_TEXT
           && t->parts[1].len >= 3
           && memcmp(t->parts[1].text, "://", 3) == 0;
}

/* Now that the text is there it is taken apart as any URL is. */
static int __attribute__((noinline)) whole(builder_t *b)
{
    const char *s = whole_text(b), *query, *fragment;
    apr_size_t head, path, from;

    if (!s) {
        return 0;
    }
    if (s[0] == '/' && wants_scheme(b->target)) {
        return check_computed_host(b, s, strcspn(s, "?#"));
    }
    fragment = s + strcspn(s, "#");
    head = strcspn(s, "?#");
    query = s + head;
    path = s[0] == '/' ? 0 : web_scheme(s, head);
    if (path) {
        path += strcspn(s + path, "/?#\\");
    }
    if (s[0] == '/') {
        const char *base = b->req->server->base(b->req->ctx);
        r307_buf_add(&b->out, base ? base : "", base ? strlen(base) : 0);
    }
    else if (!check_computed_host(b, s, path ? path : head)) {
        return 0;
    }
    r307_buf_add(&b->out, s, path);
    from = b->out.len;
    r307_encode_text(&b->out, s + path, head - path, R307_IN_PATH);
    add_remainder(b);
    guard_path(b, from);
    if (s[0] == '/') {
        collapse_slashes(b, from);
    }
    from = b->out.len;
    if (*query == '?') {
        r307_buf_addc(&b->out, '?');
        r307_encode_text(&b->out, query + 1,
                         (apr_size_t)(fragment - query) - 1, R307_IN_QUERY);
    }
    add_request_query(b, *query == '?', from);
    if (*fragment) {
        r307_buf_addc(&b->out, '#');
        r307_encode_text(&b->out, fragment + 1, strlen(fragment + 1),
                         R307_IN_FRAGMENT);
    }
    return 1;
}

static inline int head(builder_t *b)
{
    const r307_target_t *t = b->target;

    if (t->kind == R307_TARGET_URL) {       /* as most */
        return t->computed_host ? computed_host_head(b) : literal_head(b);
    }
    return t->kind == R307_TARGET_PATH ? path_head(b) : site_head(b);
}

void r307_location_build(r307_request_t *req, const r307_match_t *match,
                         r307_decision_t *out)
{
    builder_t b;
    int ok;

    b.req = req;
    b.match = match;
    b.target = match->target;
    b.decision = out;
    r307_buf_init(&b.out, req->pool, 256, R307_LOCATION_MAX);
    ok = b.target->kind == R307_TARGET_WHOLE ? whole(&b)
        : head(&b) && add_query_and_fragment(&b);
    if (!ok) {
        return;
    }
    out->location = r307_buf_string(&b.out);
    if (!out->location) {
        fail(&b, R307_TOO_LONG, "Location would be longer than 65536 bytes");
        return;
    }
    out->outcome = R307_REDIRECT;
}

/* ---- self ---- */

/* One character of a URL in normal form: unreserved octets decoded, hex case
 * ignored, bytes that must be encoded taken as if they were. */
static int next_normal(const char **s, const char *end, r307_component_t in)
{
    unsigned char c = (unsigned char)**s;

    if (r307_encode_is_octet(*s, (apr_size_t)(end - *s))) {
        unsigned char octet = r307_encode_octet(*s);
        *s += 3;
        return r307_encode_legal(octet, R307_UNRESERVED) ? octet
                                                         : 256 + octet;
    }
    (*s)++;
    return r307_encode_legal(c, in) ? c : 256 + c;
}

static int same_text(const char *a, apr_size_t a_len, const char *b,
                     apr_size_t b_len, r307_component_t in)
{
    const char *a_end = a + a_len, *b_end = b + b_len;

    while (a < a_end && b < b_end) {
        if (next_normal(&a, a_end, in) != next_normal(&b, b_end, in)) {
            return 0;
        }
    }
    return a == a_end && b == b_end;
}

static inline int same_host(const r307_request_t *req,
                            const r307_authority_t *a)
{
    /* The first letter tells most hosts apart ('[' is not in host). */
    return req->host && (a->host[0] == '['
                         || !((a->host[0] ^ req->host[0]) & ~0x20 & 0x7f))
           && r307_authority_same_host(a->host, a->host_len, req->host,
                                       strlen(req->host));
}

/* location is an absolute URL. */
static int same_origin(const r307_request_t *req, const char *location,
                       apr_size_t scheme, apr_size_t len)
{
    const r307_self_t *self;
    r307_authority_t a;
    const char *why;
    int port;

    if (r307_authority_parse(location + scheme + 3, len, &a, &why)
        != APR_SUCCESS || !same_host(req, &a)) {
        return 0;
    }
    self = req->server->self(req->ctx);
    port = a.port == R307_PORT_NONE
        ? r307_authority_default_port(location, scheme) : a.port;
    return strlen(self->scheme) == scheme
           && strncasecmp(self->scheme, location, scheme) == 0
           && port == self->port;
}

/* location: from its path on. path: ends at '?', '#' or NUL. */
static int same_path_and_query(const char *location, const char *path,
                               const char *query)
{
    apr_size_t len = r307_path_raw_len(location);
    const char *its = location[len] == '?' ? location + len + 1 : NULL;

    if (!its != !query) {
        return 0;
    }
    /* RFC 3986 section 6.2.3: an empty path is "/". */
    return same_text(len ? location : "/", len ? len : 1, path,
                     r307_path_raw_len(path), R307_IN_PATH)
           && (!its || same_text(its, strcspn(its, "#"), query,
                                 strlen(query), R307_IN_QUERY));
}

int r307_location_is_self(const r307_request_t *req,
                          const r307_target_t *target, const char *location)
{
    const char *path = location;
    const r307_self_t *self;

    /* The host alone settles nearly every case, and costs nothing. */
    if (target->authority_len && !same_host(req, &target->authority)) {
        return 0;
    }
    if (location[0] != '/') {
        apr_size_t scheme = strcspn(location, ":");
        apr_size_t len = strcspn(location + scheme + 3, "/?#");

        if (!same_origin(req, location, scheme, len)) {
            return 0;
        }
        path = location + scheme + 3 + len;
    }
    self = req->server->self(req->ctx);
    return same_path_and_query(path, self->path, self->query)
           || (req->path.raw
               && same_path_and_query(path, req->path.raw, req->query));
}
