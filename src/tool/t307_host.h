/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * A request that was never made, and everything that deciding it has shown:
 * the core's callbacks with the tool's own answers.
 */
#ifndef T307_HOST_H
#define T307_HOST_H

#include "tool/t307_model.h"

#include "core/r307_georead.h"

/* A rule whose path covers the request and which does not decide it. */
typedef struct t307_step_t {
    const r307_rule_t *rule;
    r307_step_t step;
    const char *detail;         /* or NULL */
    const char *would;          /* of a rule with dryrun that would have
                                 * decided it: what; else NULL, and step is
                                 * why it does not apply */
} t307_step_t;

/* What was given on the command line, for all URLs. */
typedef struct t307_given_t {
    const char *method;
    apr_table_t *headers;
    apr_table_t *env;
    apr_table_t *assumed;       /* rule name or label, or "%{...}" -> value */
    apr_sockaddr_t *peer;
    const char *peer_text;
    int has_peer;               /* it was said, not taken for granted */
    apr_time_t now;
} t307_given_t;

typedef struct t307_ask_t {
    apr_pool_t *pool;           /* of the model, which tables are added to */
    t307_model_t *model;
    const t307_given_t *given;
    t307_url_t url;
    const t307_server_t *server;
    t307_scope_t scope;
    const char *barred;         /* httpd answers before any rule is asked:
                                 * how and why; NULL */
    r307_decision_t decision;
    t307_engine_t engine;       /* in force where it was decided */

    apr_array_header_t *steps;  /* t307_step_t */
    apr_array_header_t *notes;  /* const char *: what was taken for granted */
    apr_array_header_t *broken; /* const char *: tables that cannot be read */
    int asked_facts;
    unsigned fields;            /* of facts that were asked for */
    r307_facts_t facts;
    const r307_geosource_t *said[R307_FIELDS];
    const char *disbelieved;    /* header, or NULL */
    int has_match;
    r307_match_t match;         /* of the rule that decides */
    const char *vary;           /* or NULL */
    int unseen;                 /* depends on what no header tells */
    int drawn;                  /* by chance */

    /* private */
    r307_request_t core;
    r307_self_t self;
    int relative;
    apr_hash_t *exprs;          /* expression -> "" or "1" */
    const void *undecided;      /* first expression that nobody knows */
    const r307_rule_t *dry;     /* whose it is, when that has dryrun */
    int replays;                /* the rule is being looked for again */
} t307_ask_t;

/* ---- t307_host.c ---- */

/* With ask as their ctx. */
extern const r307_host_t t307_host_callbacks;

/* Add a text to a list, once. */
void t307_host_note(apr_array_header_t *list, const char *text);

/* ---- t307_ask.c ---- */

/* Decide. ask->pool, model, given and url are set, the rest is filled. */
void t307_ask_decide(t307_ask_t *ask);

/* What decides the answer's caching, as header fields: NULL for none. */
const char *t307_ask_cache_control(const t307_ask_t *ask);

/* The status that the client gets; 0: the request passes. */
int t307_ask_status(const t307_ask_t *ask);

#endif
