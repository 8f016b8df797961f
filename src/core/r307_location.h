/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Building Location, and knowing the request's own URL when one sees it.
 */
#ifndef R307_LOCATION_H
#define R307_LOCATION_H

#include "core/r307_decide.h"
#include "core/r307_ruleset.h"

/* The longest Location sent. Clients differ (curl takes 100 KB, browsers 2
 * MB); a request line of 8 KB cannot need more than this even when a capture
 * is used several times and every byte is encoded. */
#define R307_LOCATION_MAX 65536

/*
 * Build the Location of a match by design.md section 2: head of the target,
 * remainder, query, fragment. In out: outcome R307_REDIRECT with location,
 * or R307_REFUSED (computed host not allowed), R307_TOO_LONG, R307_FAILED
 * (an expression failed), each with reason.
 */
void r307_location_build(r307_request_t *req, const r307_match_t *match,
                         r307_decision_t *out);

/* Append what one part of the target becomes. 0 when an expression fails. */
int r307_location_part(r307_request_t *req, const r307_match_t *match,
                       const r307_part_t *part, r307_buf_t *out);

/* Would a client that follows location, built for that target, send the
 * same request again? For a request that the server made itself (a
 * directory's index) that is the client's URL, and its own too: sending it to
 * where it is would only show an inner name. Scheme, host, port, path and
 * query are compared (RFC 3986 section 6.2.2 forms, the fragment left
 * out). */
int r307_location_is_self(const r307_request_t *req,
                          const r307_target_t *target,
                          const char *location);

#endif
