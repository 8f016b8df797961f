/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what is counted of a decision. Must not know where counters come
 * from. Called when a decision is answered; every redirect comes this way,
 * so what is rare stands in functions of its own.
 */
#include "httpd/m307_counters.h"

#include "core/r307_identity.h"

#include "apr_strings.h"

/* A rule of .htaccess or of a rule file. It is known by its file and by what
 * it says, so that lines may move. 0: there is no room for it. */
static int __attribute__((noinline)) count_loose(
    r307_activity_t *activity, const r307_rule_t *rule, int dry,
    apr_uint32_t seconds, apr_pool_t *pool)
{
    apr_uint64_t id = r307_identity_part(r307_identity_rule(rule),
                                         rule->file, strlen(rule->file));
    r307_loose_t *loose = r307_activity_loose_known(activity, id);

    if (!loose) {
        loose = r307_activity_loose(activity, id,
                                    r307_rule_label(pool, rule));
    }
    if (loose) {
        r307_tally_hit(&loose->tally, &loose->rest, dry, seconds);
    }
    return loose != NULL;
}

/* Which of the rule's targets it was. */
static void __attribute__((noinline)) count_choice(
    const r307_decision_t *decision, int dry, apr_uint32_t seconds)
{
    const r307_rule_t *rule = decision->rule;

    if (decision->target) {
        r307_counter_hit(rule->counter,
                         rule->choice_slots[decision->target->choice], dry,
                         seconds);
    }
}

static void __attribute__((noinline)) count_cause(
    r307_activity_t *activity, const r307_rule_t *rule, int status, int dry,
    apr_uint32_t seconds)
{
    int n = status - R307_CAUSE_FIRST;

    if (n < 0 || n >= R307_CAUSES) {
        return;
    }
    if (!dry) {
        __atomic_fetch_add(&activity->causes[n], 1, __ATOMIC_RELAXED);
    }
    if (rule->counter && rule->cause_slots) {
        r307_counter_hit(rule->counter, rule->cause_slots[n], dry, seconds);
    }
}

static inline void count_rule(r307_activity_t *activity,
                              const r307_decision_t *decision, int dry,
                              apr_uint32_t seconds, apr_pool_t *pool)
{
    const r307_rule_t *rule = decision->rule;
    int counted = 0;

    if (rule->counter) {
        counted = r307_counter_hit(rule->counter, rule->slot, dry, seconds);
    }
    else if (rule->slot != R307_SLOT_NONE) {
        counted = count_loose(activity, rule, dry, seconds, pool);
    }
    if (!counted) {
        r307_activity_count(activity, R307_TOTAL_UNCOUNTED, seconds);
    }
    if (rule->choice_slots) {
        count_choice(decision, dry, seconds);
    }
}

static void __attribute__((noinline)) note(r307_activity_t *activity,
                                           const m307_request_t *req,
                                           const r307_decision_t *decision,
                                           r307_total_t total, int status)
{
    const r307_request_t *core = &req->core;
    r307_recent_t recent;

    memset(&recent, 0, sizeof recent);  /* all of it is summed */
    recent.time = core->now;
    recent.outcome = total;
    recent.cause = (apr_uint32_t)status;
    r307_activity_text(recent.method, sizeof recent.method, core->method, 0);
    r307_activity_text(recent.rule, sizeof recent.rule,
                       decision->rule ? r307_rule_name(core->pool,
                                                       decision->rule) : "",
                       0);
    r307_activity_text(recent.url, sizeof recent.url,
                       apr_pstrcat(core->pool, core->host ? core->host : "",
                                   core->path.raw ? core->path.raw
                                                  : core->path.uri, NULL),
                       1);
    r307_activity_text(recent.location, sizeof recent.location,
                       decision->location, 1);
    r307_activity_note(activity, &recent);
}

void m307_count_decision(const m307_request_t *req,
                         const r307_decision_t *decision, r307_total_t total,
                         int status)
{
    r307_activity_t *activity = m307_counters_activity;
    apr_uint32_t seconds = (apr_uint32_t)apr_time_sec(req->core.now);

    if (!activity) {
        return;
    }
    r307_activity_count(activity, total, seconds);
    if (total <= R307_TOTAL_DRY && decision->rule) {
        count_rule(activity, decision, total == R307_TOTAL_DRY, seconds,
                   req->core.pool);
        if (status) {
            count_cause(activity, decision->rule, status,
                        total == R307_TOTAL_DRY, seconds);
        }
    }
    if (r307_activity_gate(activity, seconds)) {
        note(activity, req, decision, total, status);
    }
}

/* As count_choice(), for one that has been hit before. */
static void __attribute__((noinline)) choice_again(
    const r307_decision_t *decision, apr_uint32_t seconds)
{
    const r307_rule_t *rule = decision->rule;
    apr_uint32_t slot = decision->target
        ? rule->choice_slots[decision->target->choice] : R307_SLOT_NONE;

    if (r307_counter_is_begun(rule->counter, slot)) {
        r307_counter_again(rule->counter, slot, seconds);
    }
    else {
        count_choice(decision, 0, seconds);
    }
}

/* The way of nearly every redirect under load: a rule that has been hit
 * before, in a second of which enough is noted. It calls nothing, so it saves
 * nothing; all else goes the long way. */
void m307_count_redirect(const m307_request_t *req,
                         const r307_decision_t *decision)
{
    r307_activity_t *activity = m307_counters_activity;
    const r307_rule_t *rule = decision->rule;
    apr_uint32_t seconds;

    if (!activity) {
        return;
    }
    seconds = (apr_uint32_t)apr_time_sec((apr_uint64_t)req->core.now);
    if (rule->counter
        && r307_counter_is_begun(rule->counter, rule->slot)
        && r307_activity_is_shut(activity, seconds)) {
        r307_counter_again(rule->counter, rule->slot, seconds);
        r307_activity_count(activity, R307_TOTAL_REDIRECT, seconds);
        if (rule->choice_slots) {
            choice_again(decision, seconds);
        }
        return;
    }
    m307_count_decision(req, decision, R307_TOTAL_REDIRECT, 0);
}
