/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Redirect307OnError: what its files offer each other and the module.
 */
#ifndef M307_ONERROR_H
#define M307_ONERROR_H

#include "httpd/m307.h"

#include "util_filter.h"

/* Before mod_headers, mod_deflate and mod_cache, so that these see our answer
 * and not the error; and before our own filters that look at redirects. */
#define M307_ONERROR_FILTER_TYPE (AP_FTYPE_CONTENT_SET - 2)

/* What is known of one answer that may be replaced; shared by the filters of
 * a request. */
typedef struct m307_onerror_t {
    request_rec *failed;        /* where the error came up: not its error
                                 * page's request */
    int generated;              /* httpd makes the body (ap_die): headers_out
                                 * are then what an error keeps */
    int asked;                  /* r->status that was decided about, or 0 */
    int status;                 /* the error behind it */
    int redirects;              /* decision is to be carried out */
    int is_preflight;           /* ... and that is 204 */
    const char *location;       /* with the mark of the loop guard */
    int answered;               /* the answer is on its way: whatever else
                                 * comes is dropped */
    r307_decision_t decision;
    m307_request_t req;
} m307_onerror_t;

/* m307_onerror.c: when */
void m307_onerror_register(void);
/* Of an error page, the request that it is for; else r. */
request_rec *m307_onerror_failed(request_rec *r);
/* insert_filter and insert_error_filter, before whatever else of ours changes
 * an answer. The second returns 1 when the answer will be replaced. */
void m307_onerror_insert(request_rec *r);
int m307_onerror_insert_error(request_rec *r);
/* Redirect307OnError */
const char *m307_onerror_add(cmd_parms *cmd, void *dir, int argc,
                             char *const argv[]);

/* m307_ondecide.c: whether, and where to */
/* Are there rules for errors where that request failed? */
int m307_onerror_configured(const request_rec *failed);
/* Decide about r's answer as it stands, once for each status; 1: it is to be
 * replaced. The body of the request is dealt with by then. */
int m307_onerror_decide(m307_onerror_t *state, request_rec *r);

/* m307_replace.c: how */
/* Turn r's answer into the redirect that was decided, in place of what bb
 * holds. */
apr_status_t m307_replace_answer(m307_onerror_t *state, ap_filter_t *f,
                                 apr_bucket_brigade *bb);
/* Was the answer to that request replaced? */
int m307_replace_was(const request_rec *r);

/* m307_loopguard.c */
/* Redirect307LoopGuard */
const char *m307_loopguard_set(cmd_parms *cmd, void *dir, const char *how,
                               const char *domain);
/* Does the request that the client made carry the mark? */
int m307_loopguard_is_marked(m307_request_t *req);
/* Location with the mark, unless that is a cookie. */
const char *m307_loopguard_location(const m307_request_t *req,
                                    const char *location);
/* The cookie, if that is the mark. */
void m307_loopguard_add_cookie(const m307_request_t *req,
                               apr_table_t *headers);

#endif
