/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns taking a Location apart again. Must not know httpd. Called by what
 * explains decisions.
 *
 * What location.c put together is asked for once more, piece by piece, and
 * found again in the finished text; what is between two pieces was put in
 * there. So building a Location costs nothing for being explained, and the
 * pieces always make up the Location, whatever they are called.
 */
#include "core/r307_pieces.h"

typedef struct finder_t {
    r307_request_t *req;
    const r307_match_t *match;
    const char *location;
    apr_size_t len;
    apr_size_t at;              /* up to here it is explained */
    apr_array_header_t *pieces;
} finder_t;

const char *r307_piece_name(r307_piece_kind_t kind)
{
    static const char *const names[R307_PIECES] = {
        "server", "site", "target", "capture", "path", "expression",
        "remainder", "query", "join"
    };

    return names[kind];
}

static void add(finder_t *f, r307_piece_kind_t kind, apr_size_t to,
                const r307_part_t *part)
{
    r307_piece_t *piece;

    if (to > f->at) {
        piece = apr_array_push(f->pieces);
        piece->kind = kind;
        piece->from = f->at;
        piece->len = to - f->at;
        piece->part = part;
        f->at = to;
    }
}

static int stands_at(const finder_t *f, apr_size_t at, const char *text,
                     apr_size_t len)
{
    return len <= f->len - at && memcmp(f->location + at, text, len) == 0;
}

/* The next piece has that text, but for slashes between it and the one
 * before, of which there is always one. */
static void take(finder_t *f, r307_piece_kind_t kind, const char *text,
                 apr_size_t len, const r307_part_t *part)
{
    apr_size_t cut = 0;

    if (f->at < f->len && f->location[f->at] == '/' && len
        && text[0] != '/' && stands_at(f, f->at + 1, text, len)) {
        add(f, R307_PIECE_JOIN, f->at + 1, NULL);
    }
    while (cut < len && text[cut] == '/'
           && !stands_at(f, f->at, text + cut, len - cut)) {
        cut++;
    }
    if (stands_at(f, f->at, text + cut, len - cut)) {
        add(f, kind, f->at + len - cut, part);
    }
}

static void take_buf(finder_t *f, r307_piece_kind_t kind, r307_buf_t *buf,
                     const r307_part_t *part)
{
    take(f, kind, buf->data, buf->len, part);
}

static void take_parts(finder_t *f, int from, int to)
{
    static const r307_piece_kind_t kinds[] = {
        R307_PIECE_TARGET, R307_PIECE_CAPTURE, R307_PIECE_PATH,
        R307_PIECE_EXPR
    };
    r307_buf_t buf;

    for (; from < to; from++) {
        const r307_part_t *part = &f->match->target->parts[from];
        r307_buf_init(&buf, f->req->pool, 64, R307_LOCATION_MAX);
        r307_location_part(f->req, f->match, part, &buf);
        take_buf(f, kinds[part->kind], &buf, part);
    }
}

static void take_path(finder_t *f, r307_piece_kind_t kind, apr_size_t from)
{
    r307_request_t *req = f->req;
    r307_buf_t buf;

    r307_buf_init(&buf, req->pool, 64, R307_LOCATION_MAX);
    r307_path_append(&req->path, from, req->path.uri_len, R307_IN_PATH, &buf,
                     req->pool);
    take_buf(f, kind, &buf, NULL);
}

static void take_head(finder_t *f)
{
    const r307_target_t *t = f->match->target;
    const r307_part_t *base;
    const char *own;

    if (t->kind == R307_TARGET_SITE) {
        base = &f->match->site->target->parts[0];
        take(f, R307_PIECE_SITE, base->text, base->len, base);
    }
    else if (t->kind == R307_TARGET_PATH || t->kind == R307_TARGET_WHOLE) {
        own = f->req->server->base(f->req->ctx);
        take(f, R307_PIECE_SERVER, own ? own : "", own ? strlen(own) : 0,
             NULL);
    }
    take_parts(f, 0, t->query_at);
    if (t->kind == R307_TARGET_SITE && t->nparts == 0) {
        take_path(f, R307_PIECE_PATH, 0);
    }
    else if (f->match->rule->kind == R307_RULE_PREFIX) {
        take_path(f, R307_PIECE_REMAINDER, f->match->rest);
    }
}

static void take_query(finder_t *f)
{
    const char *query = f->req->query;
    r307_buf_t buf;

    if (!query || f->at == f->len
        || (f->location[f->at] != '?' && f->location[f->at] != '&')) {
        return;
    }
    r307_buf_init(&buf, f->req->pool, 64, R307_LOCATION_MAX);
    r307_buf_addc(&buf, f->location[f->at]);
    r307_encode_text(&buf, query, strlen(query), R307_IN_QUERY);
    take_buf(f, R307_PIECE_QUERY, &buf, NULL);
}

apr_array_header_t *r307_pieces_find(r307_request_t *req,
                                     const r307_match_t *match,
                                     const char *location)
{
    const r307_target_t *t = match->target;
    finder_t f = { req, match, location, strlen(location), 0, NULL };

    f.pieces = apr_array_make(req->pool, 8, sizeof(r307_piece_t));
    take_head(&f);
    take_parts(&f, t->query_at, t->fragment_at);
    take_query(&f);
    take_parts(&f, t->fragment_at, t->nparts);
    add(&f, R307_PIECE_JOIN, f.len, NULL);
    return f.pieces;
}
