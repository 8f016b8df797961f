/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Where each byte of a Location comes from, for somebody who wants to know.
 */
#ifndef R307_PIECES_H
#define R307_PIECES_H

#include "core/r307_location.h"

typedef enum r307_piece_kind_t {
    R307_PIECE_SERVER,          /* scheme and host of the server itself */
    R307_PIECE_SITE,            /* a site's base URL */
    R307_PIECE_TARGET,          /* written in the target */
    R307_PIECE_CAPTURE,
    R307_PIECE_PATH,            /* the request's whole path */
    R307_PIECE_EXPR,
    R307_PIECE_REMAINDER,       /* of the request's path, behind the rule's */
    R307_PIECE_QUERY,           /* the request's, with the '?' or '&' */
    R307_PIECE_JOIN,            /* put in to keep the URL whole, or taken
                                 * apart and put together anew */
    R307_PIECES
} r307_piece_kind_t;

typedef struct r307_piece_t {
    r307_piece_kind_t kind;
    apr_size_t from;            /* in the Location */
    apr_size_t len;             /* not 0 */
    const r307_part_t *part;    /* of the target; NULL for what is not */
} r307_piece_t;

/* "remainder", "capture", ... Static. */
const char *r307_piece_name(r307_piece_kind_t kind);

/*
 * The pieces of a Location that r307_decide() has built of that match, in
 * order and without gaps: an array of r307_piece_t from req->pool.
 */
apr_array_header_t *r307_pieces_find(r307_request_t *req,
                                     const r307_match_t *match,
                                     const char *location);

#endif
