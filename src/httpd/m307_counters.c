/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the region of shared memory in which rules of the configuration are
 * counted, and who has which slot in it. Must not know when something is
 * counted. Called by directives and in post_config.
 *
 * The region is a block of counters (r307_counter.h) whose extra part is the
 * activity (r307_activity.h). Slots are given by identity: a rule that was
 * there before a restart gets its slot again, so children of before and of
 * after count in the same slot, and nothing has to be moved.
 */
#include "httpd/m307_counters.h"

#include "core/r307_identity.h"

#include "apr_hash.h"
#include "apr_strings.h"

r307_activity_t *m307_counters_activity;

/* ---- directives ---- */

apr_array_header_t *m307_counters_rules(apr_pool_t *pconf)
{
    return m307_config_list(pconf, "mod_redirect307:rules");
}

const char *m307_counters_set(cmd_parms *cmd, void *dir, int on)
{
    const char *err = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)dir;
    m307_config_server(cmd->server)->counters = on;
    return err;
}

const char *m307_counters_set_file(cmd_parms *cmd, void *dir,
                                   const char *path)
{
    const char *err = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    const char *full = ap_server_root_relative(cmd->pool, path);

    (void)dir;
    if (!err && (!full || !*path || path[strlen(path) - 1] == '/')) {
        return apr_psprintf(cmd->temp_pool, "R307-0363: Redirect307Stats '%s' "
                            "is not a path of a file; write one such as "
                            "/var/lib/redirect307/stats", path);
    }
    m307_config_server(cmd->server)->stats_file = full;
    return err;
}

void m307_counters_add_rule(const cmd_parms *cmd, r307_rule_t *rule)
{
    m307_listed_t *listed = apr_pcalloc(cmd->pool, sizeof *listed);

    listed->rule = rule;
    listed->server = cmd->server;
    listed->directive = cmd->cmd->name;
    listed->section = cmd->path;
    APR_ARRAY_PUSH(m307_counters_rules(cmd->server->process->pconf),
                   m307_listed_t *) = listed;
}

/* ---- who wants a slot ---- */

/* A slot that is wanted, and where its number is to be written. */
typedef struct want_t {
    apr_uint64_t id;
    apr_uint32_t *slot;
} want_t;

/* Rules that are alike are told apart by their order. */
static apr_uint64_t unique_id(apr_hash_t *seen, apr_uint64_t id,
                              apr_pool_t *ptemp)
{
    apr_uint64_t *key = apr_pmemdup(ptemp, &id, sizeof id);
    apr_uintptr_t n = (apr_uintptr_t)apr_hash_get(seen, key, sizeof *key);

    apr_hash_set(seen, key, sizeof *key, (void *)(n + 1));
    return n == 0 ? id
        : r307_identity_part(id, (const char *)&n, sizeof n);
}

static void want(apr_array_header_t *wants, apr_uint64_t id,
                 apr_uint32_t *slot)
{
    want_t *w = apr_array_push(wants);

    w->id = id;
    w->slot = slot;
}

static apr_uint64_t place_id(const m307_listed_t *listed, apr_pool_t *ptemp)
{
    const server_rec *s = listed->server;
    const char *where =
        apr_psprintf(ptemp, "%d %s:%u %s", s->is_virtual,
                     s->server_hostname ? s->server_hostname : "",
                     (unsigned)s->port, listed->section ? listed->section
                                                        : "");

    return r307_identity_part(r307_identity_rule(listed->rule), where,
                              strlen(where));
}

static void want_choices(apr_array_header_t *wants, r307_rule_t *rule,
                         apr_uint64_t id, apr_pool_t *pconf)
{
    int i, n = rule->choices ? rule->choices->n : 0;
    apr_uint32_t *slots;

    if (n == 0) {
        return;
    }
    slots = apr_palloc(pconf, (apr_size_t)n * sizeof *slots);
    for (i = 0; i < n; i++) {
        const char *text = rule->choices->at[i].written;
        want(wants, r307_identity_part(id, text, strlen(text)), &slots[i]);
    }
    rule->choice_slots = slots;
}

static void want_causes(apr_array_header_t *wants, m307_listed_t *listed,
                        apr_uint64_t id, apr_pool_t *pconf)
{
    const r307_conditions_t *when = listed->rule->when;
    apr_uint32_t *slots;
    int i;

    if (!when || !when->statuses) {
        return;
    }
    slots = apr_palloc(pconf, R307_CAUSES * sizeof *slots);
    for (i = 0; i < R307_CAUSES; i++) {
        slots[i] = R307_SLOT_NONE;
        if (r307_statuses_hold(when->statuses, R307_CAUSE_FIRST + i)) {
            want(wants, r307_identity_part(id, (const char *)&i, sizeof i),
                 &slots[i]);
        }
    }
    listed->rule->cause_slots = slots;
}

static apr_array_header_t *gather(apr_pool_t *pconf, apr_pool_t *ptemp)
{
    const apr_array_header_t *rules = m307_counters_rules(pconf);
    apr_array_header_t *wants = apr_array_make(ptemp, rules->nelts + 1,
                                               sizeof(want_t));
    apr_hash_t *seen = apr_hash_make(ptemp);
    int i;

    for (i = 0; i < rules->nelts; i++) {
        m307_listed_t *listed = APR_ARRAY_IDX(rules, i, m307_listed_t *);
        apr_uint64_t id = unique_id(seen, place_id(listed, ptemp), ptemp);

        want(wants, id, &listed->rule->slot);
        want_choices(wants, listed->rule, id, pconf);
        want_causes(wants, listed, id, pconf);
    }
    return wants;
}

/* ---- who gets which ---- */

static void give_known(const r307_counter_t *region,
                       const apr_array_header_t *wants,
                       unsigned char *taken, apr_pool_t *ptemp)
{
    apr_hash_t *slots = apr_hash_make(ptemp);
    apr_uint32_t slot;
    int i;

    for (slot = 0; slot < region->slots; slot++) {
        if (region->ids[slot]) {
            apr_hash_set(slots, &region->ids[slot], sizeof *region->ids,
                         &region->ids[slot]);
        }
    }
    for (i = 0; i < wants->nelts; i++) {
        const want_t *w = &APR_ARRAY_IDX(wants, i, want_t);
        const apr_uint64_t *at = apr_hash_get(slots, &w->id, sizeof w->id);

        *w->slot = at ? (apr_uint32_t)(at - region->ids) : R307_SLOT_NONE;
        if (at) {
            taken[*w->slot] = 1;
        }
    }
}

/* A slot that is free, or else (used) one whose rule has gone. */
static apr_uint32_t next_slot(const r307_counter_t *region,
                              const unsigned char *taken, apr_uint32_t from,
                              int used)
{
    while (from < region->slots
           && (taken[from] || (!used && region->ids[from]))) {
        from++;
    }
    return from;
}

/* Returns 0 when there are too few. */
static int give_new(r307_counter_t *region, const apr_array_header_t *wants,
                    unsigned char *taken)
{
    apr_uint32_t slot = 0;
    int i, used = 0;

    for (i = 0; i < wants->nelts; i++) {
        const want_t *w = &APR_ARRAY_IDX(wants, i, want_t);

        if (*w->slot != R307_SLOT_NONE) {
            continue;
        }
        slot = next_slot(region, taken, slot, used);
        if (slot == region->slots && !used) {
            slot = next_slot(region, taken, 0, used = 1);
        }
        if (slot == region->slots) {
            return 0;
        }
        r307_counter_clear(region, slot);
        region->ids[slot] = w->id;
        taken[slot] = 1;
        *w->slot = slot;
    }
    return 1;
}

static int give_slots(r307_counter_t *region, const apr_array_header_t *wants,
                      apr_pool_t *ptemp)
{
    unsigned char *taken = apr_pcalloc(ptemp, region->slots);

    give_known(region, wants, taken, ptemp);
    return give_new(region, wants, taken);
}

/* ---- post_config ---- */

static int use_region(r307_counter_t *region, apr_pool_t *pconf)
{
    const apr_array_header_t *rules = m307_counters_rules(pconf);
    int i;

    for (i = 0; i < rules->nelts; i++) {
        APR_ARRAY_IDX(rules, i, m307_listed_t *)->rule->counter = region;
    }
    m307_counters_activity = region->extra;
    /* numbers of tables are those of this configuration */
    memset(m307_counters_activity->troubles, 0,
           sizeof m307_counters_activity->troubles);
    return OK;
}

int m307_counters_setup(apr_pool_t *pconf, apr_pool_t *plog,
                        apr_pool_t *ptemp, server_rec *s)
{
    const m307_server_conf_t *conf = m307_config_server(s);
    r307_counter_t *region = NULL;
    apr_array_header_t *wants;
    int status;

    (void)plog;
    m307_counters_activity = NULL;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG
        || conf->counters == 0) {
        return OK;
    }
    wants = gather(pconf, ptemp);
    status = m307_region_open(conf->stats_file, wants->nelts, pconf, s,
                              &region);
    if (!region) {
        return status;
    }
    if (!give_slots(region, wants, ptemp)) {
        region = m307_region_grow(region, conf->stats_file, wants->nelts,
                                  pconf, ptemp, s);
        if (!region || !give_slots(region, wants, ptemp)) {
            return OK;          /* has been logged: nothing is counted */
        }
    }
    m307_tablecount_follow(m307_table_all(pconf), ptemp, 0);
    return use_region(region, pconf);
}

/* ---- tables in trouble ---- */

void m307_counters_note_trouble(const m307_table_t *table, const char *text)
{
    if (m307_counters_activity) {
        r307_activity_trouble(m307_counters_activity, table->number, text,
                              apr_time_now());
    }
}

int m307_counters_trouble(const m307_table_t *table, r307_trouble_t *out)
{
    if (!m307_counters_activity || table->number >= R307_TROUBLES) {
        return 0;
    }
    *out = m307_counters_activity->troubles[table->number];
    out->text[sizeof out->text - 1] = '\0';
    return out->time != 0;
}
