/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Counting on the server side: where counters live, which slot a rule has,
 * and what is counted when a decision is answered.
 *
 * Rules of the configuration have slots in one region of shared memory. It
 * belongs to the parent process and outlives graceful restarts;
 * Redirect307Stats makes it a mapped file. Rules of tables count in a file
 * beside the compiled table. Rules of .htaccess and of rule files come and
 * go; they are looked up in a table of fixed size in the region.
 */
#ifndef M307_COUNTERS_H
#define M307_COUNTERS_H

#include "httpd/m307_table.h"

#include "core/r307_activity.h"

/* A rule of the configuration, for reports. */
typedef struct m307_listed_t {
    r307_rule_t *rule;
    const server_rec *server;
    const char *directive;
    const char *section;        /* of the server; NULL: none */
} m307_listed_t;

/* All rules of the configuration being read; m307_listed_t *. */
apr_array_header_t *m307_counters_rules(apr_pool_t *pconf);

/* Directives */
const char *m307_counters_set(cmd_parms *cmd, void *dir, int on);
const char *m307_counters_set_file(cmd_parms *cmd, void *dir,
                                   const char *path);
/* A rule that is in the configuration for good. */
void m307_counters_add_rule(const cmd_parms *cmd, r307_rule_t *rule);

/* post_config: the region, and a slot for each rule. */
int m307_counters_setup(apr_pool_t *pconf, apr_pool_t *plog,
                        apr_pool_t *ptemp, server_rec *s);

/* Shared by all processes; NULL: nothing is counted. */
extern r307_activity_t *m307_counters_activity;

/* What is wrong with a table at the moment, for reports; NULL: nothing. */
void m307_counters_note_trouble(const m307_table_t *table, const char *text);
/* 1 and a copy when something is. */
int m307_counters_trouble(const m307_table_t *table, r307_trouble_t *out);

/* ---- m307_region.c: the memory ---- */

/* The region of this configuration: what the parent kept, Redirect307Stats
 * (file), or new memory. *region NULL with OK: it cannot be had, which is
 * logged; with an HTTP status: the file must not be touched. */
int m307_region_open(const char *file, int wants, apr_pool_t *pconf,
                     server_rec *s, r307_counter_t **region);

/* A larger one with the same counts; NULL: it cannot be had. */
r307_counter_t *m307_region_grow(r307_counter_t *old, const char *file,
                                 int wants, apr_pool_t *pconf,
                                 apr_pool_t *ptemp, server_rec *s);

/* ---- m307_tablecount.c: counters of tables ---- */

/* Is anything counted in this configuration? */
int m307_tablecount_wanted(server_rec *s);

/* Open the counters of a table that was just opened, or make them. They live
 * as long as pool does. A table without counters serves as well. */
void m307_tablecount_attach(const m307_table_t *table, r307_table_t *opened,
                            apr_pool_t *pool, server_rec *s);

/* Take over what was counted for earlier versions of the tables, from files
 * that somebody may still count in. Cheap when there are none. now: 0 to do
 * it whatever was done before. One process at a time. */
void m307_tablecount_follow(const apr_array_header_t *tables,
                            apr_pool_t *ptemp, apr_time_t now);

/* ---- m307_count.c: when a decision is answered ---- */

/* Count a decision. status: of the error that it answers to, or 0. */
void m307_count_decision(const m307_request_t *req,
                         const r307_decision_t *decision, r307_total_t total,
                         int status);

/* m307_count_decision() of a redirect that is no answer to an error. */
void m307_count_redirect(const m307_request_t *req,
                         const r307_decision_t *decision);

#endif
