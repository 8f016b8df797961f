/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what a dry run tells: log, count, note, and the response field for
 * whoever asked for it. Must not decide. Called for Redirect307Engine DryRun
 * when a decision is answered, and by the core for rules with `dryrun`.
 */
#include "httpd/m307_counters.h"

#include "apr_lib.h"
#include "apr_strings.h"

#define NOTE "redirect307-would"
#define FIELD "Redirect307-Would"

/* The rule's name as an item of a list: a file's name may hold anything. */
static const char *item_of(const r307_rule_t *rule, apr_pool_t *pool)
{
    char *item = apr_pstrdup(pool, r307_rule_name(pool, rule)), *s;

    for (s = item; *s; s++) {
        if (!apr_isgraph(*s) || *s == ',') {
            *s = '_';
        }
    }
    return item;
}

/* The index of a directory and an error page are asked about as well, but
 * the client made one request. */
static int is_told(const request_rec *original, const char *item)
{
    const char *told = apr_table_get(original->notes, NOTE), *s = told;
    apr_size_t len = strlen(item);

    while (s && (s = strstr(s, item)) != NULL) {
        if ((s == told || s[-1] == ' ') && (s[len] == ',' || !s[len])) {
            return 1;
        }
        s += len;
    }
    return 0;
}

static void log_would(const m307_request_t *req, const r307_decision_t *d)
{
    request_rec *r = req->r;
    const char *label = r307_rule_label(r->pool, d->rule);

    if (d->outcome == R307_REDIRECT) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "R307-0403: dry run: "
                      "rule %s would send %s %s to %s", label,
                      req->core.method, r->uri, d->location);
    }
    else if (d->outcome == R307_STOP) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "R307-0445: dry run: "
                      "rule %s would let %s %s pass", label,
                      req->core.method, r->uri);
    }
    else {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "R307-0446: dry run: "
                      "rule %s could not answer %s %s: %s", label,
                      req->core.method, r->uri, d->reason);
    }
}

void m307_dryrun_tell(const m307_request_t *req, const r307_decision_t *d,
                      request_rec *answer)
{
    request_rec *original = m307_request_original(req->r);
    const char *item = item_of(d->rule, original->pool);

    apr_table_mergen(original->notes, NOTE, item);
    if (req->dir->dryrun_header == 1) {
        apr_table_mergen(answer->err_headers_out, FIELD, item);
    }
}

void m307_dryrun_would(void *ctx, const r307_decision_t *d)
{
    const m307_request_t *req = ctx;
    const r307_conditions_t *when = d->rule->when;
    request_rec *original = m307_request_original(req->r);

    if (is_told(original, item_of(d->rule, original->pool))) {
        return;
    }
    log_would(req, d);
    m307_dryrun_tell(req, d, req->r);
    m307_count_decision(req, d, R307_TOTAL_DRY,
                        when && when->statuses ? req->core.status : 0);
}
