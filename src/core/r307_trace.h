/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The trace sink: how decide() says why. The same words reach the server's
 * log and everything else that explains a decision.
 */
#ifndef R307_TRACE_H
#define R307_TRACE_H

#include "core/r307_rule.h"

typedef enum r307_step_t {
    R307_STEP_METHOD,           /* path holds, methods= does not */
    R307_STEP_HOST,             /* host= does not */
    R307_STEP_NOT_YET,          /* from= lies ahead */
    R307_STEP_EXPIRED,          /* until= has passed */
    R307_STEP_EXPR,             /* expr= is false */
    R307_STEP_SPLIT,            /* percent= leaves this visitor out */
    R307_STEP_GEO,              /* no choice holds for the visitor */
    R307_STEP_STATUS,           /* it is for other errors */
    R307_STEP_SELF,             /* would lead to the request itself */
    R307_STEP_SITE_DOWN,        /* a site of its is passed over; another one
                                 * may serve */
    R307_STEP_CHOSEN            /* nothing is in the way: not traced, the
                                 * decision names the rule */
} r307_step_t;

/* One sentence fragment for a step that is traced, e.g. "its host= does not
 * name this host". Static. */
const char *r307_step_text(r307_step_t step);

/* Called by decide() for each rule whose path covers the request and which
 * does not apply, in order, in the request's thread, and for each site that is
 * passed over. detail: the Location that would lead to the request itself
 * (SELF), the site and why it cannot be used (SITE_DOWN), else NULL; valid
 * during the call. */
typedef void (*r307_trace_fn)(void *ctx, const r307_rule_t *rule,
                              r307_step_t step, const char *detail);

#endif
