/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Sets of error statuses, as Redirect307OnError writes them.
 */
#ifndef R307_STATUS_H
#define R307_STATUS_H

#include "core/r307_error.h"

/* RFC 9110 section 15: 4xx and 5xx are errors. */
#define R307_STATUS_MIN 400
#define R307_STATUS_MAX 599

typedef struct r307_statuses_t {
    unsigned char bits[(R307_STATUS_MAX - R307_STATUS_MIN + 8) / 8];
} r307_statuses_t;

/*
 * Read "503", "502,504", "5xx,404". APR_EINVAL with a sentence in err for:
 * what is no number or class (R307-0760), a status that is no error
 * (R307-0761), one that is there twice (R307-0762).
 */
apr_status_t r307_statuses_parse(const char *words, r307_statuses_t *out,
                                 r307_error_t *err);

/* status: any number. */
int r307_statuses_hold(const r307_statuses_t *statuses, int status);

#endif
