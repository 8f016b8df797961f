/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what is said of rows that make no rule: once for each version of them,
 * and not more at a look than a log can bear. Must not know why they are bad.
 * Called by changes, apply and follow, in a follower's thread.
 */
#include "httpd/m307_follow.h"

#include "apr_strings.h"

static int is_known(const m307_sqlstatus_t *before, apr_uint32_t id,
                    const char *why)
{
    int i;

    for (i = 0; before && i < before->nbad; i++) {
        if (before->bad[i].id == id) {
            return strncmp(before->bad[i].why, why,
                           sizeof before->bad[i].why - 1) == 0;
        }
    }
    return 0;
}

void m307_badrows_note(void *ctx, apr_uint32_t id, const char *why)
{
    m307_follower_t *f = ctx;
    int is_new = m307_sqlstatus_add_bad(&f->status, id, why);

    if (!is_new || is_known(f->before, id, why)) {
        return;
    }
    if (f->bad_logged++ < M307_BAD_LOGGED) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, f->table->server,
                     "R307-0676: table %s: row %u is left out: %s",
                     f->table->name, (unsigned)id, why);
    }
}

void m307_badrows_note_id(m307_follower_t *f, apr_uint64_t id,
                          apr_pool_t *pool)
{
    m307_badrows_note(f, 0, apr_psprintf(pool, "its id, %" APR_UINT64_T_FMT
                                         ", is not from 1 to 4294967295",
                                         id));
}

void m307_badrows_say(m307_follower_t *f)
{
    if (f->bad_logged > M307_BAD_LOGGED) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, f->table->server,
                     "R307-0696: table %s: %d more rows are left out; the "
                     "status page shows some of them", f->table->name,
                     f->bad_logged - M307_BAD_LOGGED);
    }
    f->bad_logged = 0;
}
