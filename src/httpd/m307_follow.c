/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what a follower does at a look: where its table stands in the store's
 * log, what that means, and what is said of it. Must not know files. Called
 * by follower, in the table's own thread.
 *
 *     the store's last change is ours              nothing to do
 *     ours is in its log, and there are later      apply these
 *     ours is not in it, and it ends before ours   behind: wait, then read all
 *     ours is not in it otherwise                  read all
 *     another store, or another epoch              read all
 *
 * "Ours" is a number with a random token: a store that was restored and has
 * gone on from there has the number, but not the token.
 */
#include "httpd/m307_counters.h"
#include "httpd/m307_follow.h"

#include "apr_strings.h"

typedef enum verdict_t {
    SAME, LATER, BEHIND, READ_ALL
} verdict_t;

/* ---- what is said ---- */

/* Once for each sentence; what is repeated is for debugging. */
static void failed(m307_follower_t *f, const char *text)
{
    int again = strncmp(f->said, text, sizeof f->said - 1) == 0;
    apr_interval_time_t first = apr_time_from_sec(f->table->refresh);
    apr_interval_time_t most = first > M307_PAUSE_MAX ? first
                                                      : M307_PAUSE_MAX;

    ap_log_error(APLOG_MARK, again ? APLOG_DEBUG : APLOG_ERR, 0,
                 f->table->server, "R307-0678: table %s: %s; it serves what "
                 "it has", f->table->name, text);
    apr_cpystrn(f->said, text, sizeof f->said);
    apr_cpystrn(f->status.error, text, sizeof f->status.error);
    f->status.state = M307_FAILING;
    m307_counters_note_trouble(f->table, text);
    f->pause = !f->pause ? first : f->pause * 2 < most ? f->pause * 2 : most;
}

static void succeeded(m307_follower_t *f)
{
    if (f->said[0]) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, f->table->server,
                     "R307-0674: table %s follows its store again",
                     f->table->name);
    }
    f->said[0] = f->status.error[0] = '\0';
    f->pause = 0;
    f->status.state = M307_CURRENT;
    f->status.last_success = f->status.last_look;
    f->status.behind_since = 0;
    f->status.seq = f->position.seq;
    m307_counters_note_trouble(f->table, NULL);
}

static void say_behind(m307_follower_t *f, const m307_store_state_t *state)
{
    char text[200];

    apr_snprintf(text, sizeof text, "the store is at change %"
                 APR_UINT64_T_FMT ", and this table is at %" APR_UINT64_T_FMT
                 ": a replica that lags, or a backup", state->seq,
                 f->position.seq);
    if (!f->status.behind_since) {
        f->status.behind_since = apr_time_now();
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, f->table->server,
                     "R307-0688: table %s: %s; it serves what it has for %d "
                     "seconds more, and then takes what the store has",
                     f->table->name, text,
                     (int)apr_time_sec(M307_BEHIND_MAX));
    }
    f->status.state = M307_BEHIND;
    apr_cpystrn(f->status.error, text, sizeof f->status.error);
    m307_counters_note_trouble(f->table, text);
}

/* Other processes can see it while it lasts. */
static void say_reading(m307_follower_t *f, const char *why, apr_pool_t *pool)
{
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, f->table->server,
                 "R307-0689: table %s: all rows are read: %s",
                 f->table->name, why);
    f->status.state = M307_READING;
    (void)m307_sqlstatus_write(f->table, &f->status, pool);
}

static void note_state(m307_follower_t *f, const m307_store_state_t *state)
{
    m307_sqlstatus_t *status = &f->status;

    apr_cpystrn(status->store, state->id, sizeof status->store);
    apr_cpystrn(status->epoch, state->epoch, sizeof status->epoch);
    apr_cpystrn(status->token, state->token, sizeof status->token);
    status->store_seq = state->seq;
}

/* ---- what is done ---- */

/* Change 0 has no token that could be missing: what came after it may have
 * been removed from the log. */
static verdict_t judge(const m307_follower_t *f,
                       const m307_store_state_t *state, const char **why)
{
    m307_position_t there = m307_apply_position(state);
    const m307_position_t *here = &f->position;

    *why = !f->has_position ? "there is no table of this store yet"
        : there.store != here->store ? "it is another store, or it was told "
                                       "so"
        : "its log does not reach back to the last change";
    if (!f->has_position || there.store != here->store) {
        return READ_ALL;
    }
    if (here->seq == 0) {
        return there.seq == 0 ? SAME : READ_ALL;
    }
    if (*state->mine && m307_sqltable_hash(state->mine) == here->token) {
        return there.seq == here->seq ? SAME : LATER;
    }
    return there.seq < here->seq ? BEHIND : READ_ALL;
}

static apr_status_t read_all(m307_follower_t *f, m307_store_t *store,
                             const m307_store_state_t *state, const char *why,
                             apr_pool_t *pool, r307_error_t *err)
{
    say_reading(f, why, pool);
    m307_merge_end(f);
    return m307_apply_all(f, store, state, pool, err);
}

static apr_status_t go_on(m307_follower_t *f, m307_store_t *store,
                          const m307_store_state_t *state, verdict_t verdict,
                          apr_pool_t *pool, r307_error_t *err)
{
    apr_status_t rv;

    if (m307_merge_is_ready(f)) {
        rv = m307_apply_merged(f, store, pool, err);
        m307_merge_end(f);
        return rv;
    }
    if (verdict == SAME) {
        return APR_SUCCESS;
    }
    rv = m307_apply_changes(f, store, state, pool, err);
    if (rv != APR_ENOSPC && rv != APR_ENOENT) {
        return rv;
    }
    return read_all(f, store, state, rv == APR_ENOSPC
                    ? "very much has changed"
                    : "its log was cut while it was read", pool, err);
}

static apr_status_t act(m307_follower_t *f, m307_store_t *store,
                        apr_pool_t *pool, r307_error_t *err)
{
    m307_store_state_t state;
    verdict_t verdict;
    const char *why;
    apr_status_t rv = m307_store_state(store, f->position.seq, pool, &state,
                                       err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    note_state(f, &state);
    verdict = judge(f, &state, &why);
    if (verdict == BEHIND
        && (!f->status.behind_since
            || apr_time_now() - f->status.behind_since < M307_BEHIND_MAX)) {
        say_behind(f, &state);
        return APR_INCOMPLETE;
    }
    return verdict == BEHIND || verdict == READ_ALL
        ? read_all(f, store, &state, why, pool, err)
        : go_on(f, store, &state, verdict, pool, err);
}

static apr_status_t look(m307_follower_t *f, apr_pool_t *pool,
                         r307_error_t *err)
{
    m307_store_t *store;
    apr_status_t rv;

    if (!f->begun || !m307_place_is_unchanged(f, pool)) {
        m307_place_begin(f, pool);
        f->begun = 1;
    }
    if (f->sweep && --f->sweep == 0) {
        m307_sqltable_sweep(f->table, f->stamp.id, pool);
    }
    rv = m307_store_open(f->table->server, &f->asking, pool, &store, err);
    if (rv == APR_SUCCESS) {
        rv = act(f, store, pool, err);
        m307_store_close(store);
    }
    return rv;
}

static void conclude(m307_follower_t *f, apr_status_t rv,
                     const r307_error_t *err)
{
    switch (rv) {
    case APR_SUCCESS:
        succeeded(f);
        m307_merge_consider(f);
        break;
    case APR_INCOMPLETE:        /* behind, which has been said */
        f->pause = 0;
        break;
    case APR_EAGAIN:            /* somebody else was faster */
        f->pause = apr_time_from_msec(100);
        break;
    default:
        failed(f, err->text ? err->text : "it cannot be followed");
    }
}

static void take_a_look(m307_follower_t *f, apr_pool_t *pool)
{
    r307_error_t err = { pool, NULL };
    apr_status_t rv;

    if (!f->begun) {
        m307_sqlstatus_read(f->table, &f->status, pool);
        f->status.behind_since = 0;
    }
    f->status.last_look = apr_time_now();
    rv = look(f, pool, &err);
    if (f->stop) {
        return;                 /* another process may follow already */
    }
    m307_badrows_say(f);
    conclude(f, rv, &err);
    rv = m307_sqlstatus_write(f->table, &f->status, pool);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_DEBUG, rv, f->table->server,
                     "R307-0690: table %s: what the status page shows of "
                     "its store cannot be written", f->table->name);
    }
}

/* What a look takes may be much, and is given back. */
void m307_follow_step(m307_follower_t *f)
{
    apr_pool_t *pool;

    if (apr_time_now() < f->next_look
        || apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS) {
        return;
    }
    apr_pool_tag(pool, "redirect307_look");
    take_a_look(f, pool);
    apr_pool_destroy(pool);
    m307_merge_end(f);
    f->next_look = apr_time_now()
        + (f->pause ? f->pause : apr_time_from_sec(f->table->refresh));
}
