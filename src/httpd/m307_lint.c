/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the warnings of `apachectl configtest`: the half of lint that looks at
 * one directive at a time. The other half is the command-line tool's. Called
 * by check.
 */
#include "httpd/m307.h"

#include "core/r307_lint.h"

/* More would hide what else configtest says. */
#define WARNINGS_MAX 20

typedef struct linter_t {
    r307_lint_t lint;
    server_rec *s;
    int found;
} linter_t;

static void warn(void *ctx, const r307_finding_t *finding)
{
    linter_t *l = ctx;

    /* A rule may well wait for its time, and most servers take two slashes
     * for one: that is for who asks. */
    if (strcmp(finding->code, "not-yet") == 0
        || strcmp(finding->code, "doubled-slash") == 0) {
        return;
    }
    if (l->found++ < WARNINGS_MAX) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_WARNING, 0, l->s,
                     "R307-0380: %s:%d: %s: %s; instead: %s",
                     finding->rule->file, finding->rule->line, finding->code,
                     finding->happens, finding->instead);
    }
}

void m307_lint_config(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s)
{
    const apr_array_header_t *sets = m307_config_sets(pconf);
    linter_t l;
    int i, n;

    if (ap_state_query(AP_SQ_RUN_MODE) != AP_SQ_RM_CONFIG_TEST) {
        return;
    }
    memset(&l, 0, sizeof l);
    l.s = s;
    l.lint.pool = ptemp;
    l.lint.now = apr_time_now();
    l.lint.found = warn;
    l.lint.ctx = &l;
    for (i = 0; i < sets->nelts; i++) {
        const r307_ruleset_t *set = APR_ARRAY_IDX(sets, i, r307_ruleset_t *);
        for (n = 0; n < r307_ruleset_count(set); n++) {
            r307_lint_rule(&l.lint, r307_ruleset_at(set, n));
        }
    }
    if (l.found > WARNINGS_MAX) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_WARNING, 0, s,
                     "R307-0381: %d more findings; 'redirect307 lint' shows "
                     "all", l.found - WARNINGS_MAX);
    }
}
