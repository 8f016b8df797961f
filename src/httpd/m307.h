/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The server side's own types and the functions its files offer each other.
 * Everything that decides is in src/core; what is here reads configuration
 * and requests, and writes answers and logs.
 */
#ifndef M307_H
#define M307_H

#include "httpd.h"
#include "http_config.h"
#include "http_core.h"
#include "http_log.h"
#include "http_protocol.h"
#include "http_request.h"
#include "http_vhost.h"

#include "core/r307_decide.h"

extern module AP_MODULE_DECLARE_DATA redirect307_module;
APLOG_USE_MODULE(redirect307);

/* A request body up to this many bytes is read so that the connection can be
 * kept: a form fits, and one round trip of a slow line carries it. */
#define M307_DRAIN_DEFAULT 65536

#define M307_UNSET (-1)

typedef enum m307_engine_t {
    M307_ENGINE_OFF,
    M307_ENGINE_ON,
    M307_ENGINE_DRYRUN
} m307_engine_t;

/* Rules of one context, in both kinds of configuration. */
typedef struct m307_rules_t {
    r307_ruleset_t *own;        /* NULL: none written here */
    const r307_chain_t *chain;  /* own, then inherited */
    int cut;                    /* Redirect307Inherit Off was said here or
                                 * in a context merged in: nothing that lies
                                 * further out applies */
} m307_rules_t;

typedef struct m307_server_conf_t {
    m307_rules_t rules;
    apr_off_t drain;            /* bytes, or M307_UNSET */
    apr_array_header_t *allowed_hosts;  /* r307_host_pattern_t, or NULL */
    /* Rules written for this server in any of its sections whose target's
     * host is computed; checked when all directives have been read. */
    apr_array_header_t *computed;       /* const r307_rule_t * */
} m307_server_conf_t;

typedef struct m307_dir_conf_t {
    m307_rules_t rules;
    int engine;                 /* m307_engine_t, or M307_UNSET */
    int relative;               /* 0, 1, or M307_UNSET */
} m307_dir_conf_t;

/* m307_config.c: creation and merge */
void *m307_config_create_server(apr_pool_t *pool, server_rec *s);
void *m307_config_merge_server(apr_pool_t *pool, void *base, void *over);
void *m307_config_create_dir(apr_pool_t *pool, char *dir);
void *m307_config_merge_dir(apr_pool_t *pool, void *base, void *over);
m307_server_conf_t *m307_config_server(const server_rec *s);
m307_dir_conf_t *m307_config_dir(const request_rec *r);
/* The set that rules written in this context go into. */
r307_ruleset_t *m307_config_own_set(apr_pool_t *pool, m307_rules_t *rules);

/* m307_directives.c */
extern const command_rec m307_directives[];

/* m307_check.c: check_config, when all directives have been read */
/* A rule whose host is computed although no hosts are allowed. */
const char *m307_check_computed_error(apr_pool_t *pool,
                                      const r307_rule_t *rule);
int m307_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                      server_rec *s);

/* m307_expr.c: httpd expressions for the core */
/* r307_rule_env_t.compile_expr; ctx is the cmd_parms. */
const char *m307_expr_compile(void *ctx, const char *text, int is_string,
                              const void **expr);

/* m307_request.c: a request as the core sees it */
typedef struct m307_request_t {
    r307_request_t core;        /* core.ctx points here */
    request_rec *r;
    const char *vary;           /* request fields that conditions and
                                 * expressions have looked at, or NULL */
    r307_self_t self;           /* filled when self.scheme is set */
} m307_request_t;

/* The request as the client made it: not a subrequest, not one that the
 * server redirected to itself. */
request_rec *m307_request_original(request_rec *r);
/* Fill req, which lives as long as r. */
void m307_request_init(m307_request_t *req, request_rec *r);
/* r307_request_t.eval_bool and eval_string */
apr_status_t m307_expr_eval_bool(void *ctx, const void *expr, int *result);
apr_status_t m307_expr_eval_string(void *ctx, const void *expr,
                                   const r307_match_t *match,
                                   const char **result);

/* m307_answer.c: what the client and the log get. Returns an HTTP status,
 * DECLINED, or OK when the request is to pass although a rule applied. */
int m307_answer(m307_request_t *req, const r307_decision_t *decision);

/* m307_hooks.c */
int m307_hooks_translate(request_rec *r);
int m307_hooks_fixups(request_rec *r);

#endif
