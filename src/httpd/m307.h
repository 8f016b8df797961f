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
#include "core/r307_geofrom.h"

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

typedef enum m307_upgrade_t {
    M307_UPGRADE_OFF,
    M307_UPGRADE_UNSAFE,        /* other methods than GET and HEAD */
    M307_UPGRADE_ALL
} m307_upgrade_t;

/* Filters that change an answer when it is made, in the order in which they
 * see it: each may work on what the one before has made of it. All stand
 * behind mod_headers and before httpd's own that write header fields out.
 * AP_FTYPE_CONTENT_SET + 2 sees the answer before it is upgraded. */
#define M307_FTYPE_UPGRADE (AP_FTYPE_CONTENT_SET + 3)
#define M307_FTYPE_CORS    (AP_FTYPE_CONTENT_SET + 4)

/* Rules of one context, in both kinds of configuration. */
typedef struct m307_rules_t {
    r307_ruleset_t *own;        /* NULL: none written here */
    const r307_chain_t *chain;  /* own, then tables and rule files in the
                                 * order of their use, then inherited */
    r307_chain_t *last;         /* where the next of those is added; while
                                 * the context is being read only */
    int cut;                    /* Redirect307Inherit Off was said here or
                                 * in a context merged in: nothing that lies
                                 * further out applies */
} m307_rules_t;

typedef struct m307_loopguard_t m307_loopguard_t;

typedef struct m307_server_conf_t {
    m307_rules_t rules;
    m307_rules_t *onerror;      /* Redirect307OnError; NULL: none */
    apr_off_t drain;            /* bytes, or M307_UNSET */
    apr_off_t file_max;         /* Redirect307FileMax, or M307_UNSET */
    int file_outside;           /* 0, 1, or M307_UNSET */
    int counters;               /* main server only: 0, 1, or M307_UNSET */
    const char *stats_file;     /* main server only; NULL: none */
    const char *state_dir;      /* main server only; NULL: the default */
    apr_array_header_t *allowed_hosts;  /* r307_host_pattern_t, or NULL */
    /* Rules written for this server in any of its sections that can be judged
     * only when all directives have been read. */
    apr_array_header_t *judged;         /* const r307_rule_t * */
    apr_array_header_t *sites;  /* const r307_site_t *, or NULL */
    r307_geofrom_t *geofrom;    /* NULL until check_config when no
                                 * Redirect307GeoFrom was read */
    apr_array_header_t *trusted;        /* apr_ipsubnet_t *, or NULL */
    int trust_all;              /* 1, or M307_UNSET */
    struct m307_database_t **databases; /* by the numbers of geofrom */
    struct m307_geo_cost_t *geo_costs;  /* by set of fields */
    unsigned site_fields;       /* r307_site_fields(sites) */
} m307_server_conf_t;

typedef struct m307_dir_conf_t {
    m307_rules_t rules;
    m307_rules_t *onerror;      /* Redirect307OnError; NULL: none. Cut off by
                                 * rules.cut */
    const m307_loopguard_t *loopguard;  /* NULL: the default */
    int engine;                 /* m307_engine_t, or M307_UNSET */
    int relative;               /* 0, 1, or M307_UNSET */
    int dryrun_header;          /* 0, 1, or M307_UNSET */
    int upgrade;                /* m307_upgrade_t, or M307_UNSET */
    struct m307_cors_t *cors;   /* NULL: Redirect307CORS is not written */
} m307_dir_conf_t;

/* m307_config.c: creation and merge */
void *m307_config_create_server(apr_pool_t *pool, server_rec *s);
void *m307_config_merge_server(apr_pool_t *pool, void *base, void *over);
void *m307_config_create_dir(apr_pool_t *pool, char *dir);
void *m307_config_merge_dir(apr_pool_t *pool, void *base, void *over);
m307_server_conf_t *m307_config_server(const server_rec *s);
m307_dir_conf_t *m307_config_dir(const request_rec *r);
/* What the configuration being read has gathered under that name: an array of
 * pointers, which goes with pconf. */
apr_array_header_t *m307_config_list(apr_pool_t *pconf, const char *key);
/* The set that rules written in this context go into. It is frozen when all
 * directives have been read; one in a request's pool never is. */
r307_ruleset_t *m307_config_own_set(const cmd_parms *cmd,
                                    m307_rules_t *rules);
/* Ask a table or rule file here, after what was added before. */
struct m307_source_t;
void m307_config_add_source(const cmd_parms *cmd, m307_rules_t *rules,
                            struct m307_source_t *source);
/* All sets of the configuration but those of .htaccess; r307_ruleset_t *. */
apr_array_header_t *m307_config_sets(apr_pool_t *pconf);
/* Freeze all of them. */
void m307_config_freeze(apr_pool_t *pconf);

/* httpd reads .htaccess into the request's pool. */
int m307_config_in_htaccess(const cmd_parms *cmd);
/* r307_regex_flags_t, by RegexDefaultOptions. The JIT is for expressions that
 * outlive a request. */
int m307_config_regex_flags(int jit);

/* m307_directives.c */
extern const command_rec m307_directives[];
/* Add a rule that was written where cmd says; NULL, or what is wrong. */
const char *m307_directives_add_rule(cmd_parms *cmd, m307_rules_t *rules,
                                     r307_rule_spec_t *spec);

/* m307_judge.c: rules when they are created, or when all directives have been
 * read */
/* Must the rule wait for the end of the configuration? */
int m307_judge_later(const r307_rule_t *rule);
/* NULL, or why the rule cannot be used on that server. */
const char *m307_judge_rule(apr_pool_t *pool, const m307_server_conf_t *conf,
                            const r307_rule_t *rule);

/* m307_check.c: check_config, when all directives have been read */
int m307_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                      server_rec *s);

/* m307_dump.c: `httpd -t -D DUMP_REDIRECT307` */
/* Keep what a rule was written as, if it will be wanted. */
void m307_dump_note_rule(const cmd_parms *cmd, const r307_rule_spec_t *spec);
/* test_config */
void m307_dump_config(apr_pool_t *pconf, server_rec *s);

/* m307_lint.c: check_config, when rules are frozen; says something in
 * configtest only */
void m307_lint_config(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s);

/* m307_expr.c: httpd expressions for the core */
/* r307_rule_env_t.compile_expr. ctx: M307_EXPR_* */
#define M307_EXPR_FULL       NULL
#define M307_EXPR_RESTRICTED ((void *)1)    /* .htaccess: reads no files */
const char *m307_expr_compile(void *ctx, apr_pool_t *pool, const char *text,
                              int is_string, const void **expr);

/* m307_request.c: a request as the core sees it */
typedef struct m307_held_t {
    struct m307_version_t *version;
    struct m307_held_t *next;
} m307_held_t;

typedef struct m307_request_t {
    r307_request_t core;        /* core.ctx points here */
    request_rec *r;
    const m307_dir_conf_t *dir;
    const m307_server_conf_t *server;
    const char *vary;           /* request fields that conditions and
                                 * expressions have looked at, or NULL */
    int preflight;              /* a browser asks whether it may send
                                 * core.method */
    m307_held_t *held;          /* versions of tables counted in; NULL:
                                 * none */
    m307_held_t first_held;     /* mostly one is enough */
    int unseen;                 /* the answer depends on what no request
                                 * field tells a cache */
    int has_self;               /* self is filled */
    r307_self_t self;
} m307_request_t;

/* The request as the client made it: not a subrequest, not one that the
 * server redirected to itself. */
request_rec *m307_request_original(request_rec *r);
/* Absolute-form has scheme and host before the path (RFC 9112 section
 * 3.2.2). NULL: it is not that. */
const char *m307_request_absolute_path(const char *url);

/* The path of the request-target as it came, NULL when it has none. */
static inline const char *m307_request_raw_path(const request_rec *r)
{
    const char *s = r->unparsed_uri;

    return s && *s == '/' ? s : m307_request_absolute_path(s);
}

extern const r307_host_t m307_request_host;

/* m307_cors.c: sets preflight and core.method of an OPTIONS request. */
void m307_cors_look(m307_request_t *req);

/* Fill req, which lives as long as r, but for dir and server, which are set
 * already. In line: every request that rules exist for comes here. */
static inline __attribute__((always_inline))
void m307_request_init(m307_request_t *req, request_rec *r)
{
    r307_request_t *core = &req->core;

    req->r = r;
    req->vary = NULL;
    req->held = NULL;
    req->unseen = 0;
    req->has_self = 0;
    req->preflight = 0;
    core->pool = r->pool;
    core->path.uri = r->uri;
    core->path.uri_len = strlen(r->uri);
    core->path.raw = m307_request_raw_path(r);
    core->path.state = R307_PATH_NEW;
    core->query = r->args;
    core->method = r->method;
    core->host = r->hostname;
    core->now = r->request_time;
    core->allowed_hosts = req->server->allowed_hosts;
    core->sites = req->server->sites;
    core->site_fields = req->server->site_fields;
    core->server = &m307_request_host;
    core->ctx = req;
    core->scratch.data = NULL;
    core->asked = NULL;
    if (r->method_number == M_OPTIONS) {
        m307_cors_look(req);
    }
}

/* The decision has been answered: give back what was held for it, but for
 * first_held. */
void m307_request_done(m307_request_t *req);
/* r307_request_t.eval_bool and eval_string */
apr_status_t m307_expr_eval_bool(void *ctx, const void *expr, int *result);
apr_status_t m307_expr_eval_string(void *ctx, const void *expr,
                                   const r307_match_t *match,
                                   const char **result);

/* Fields that conditions have looked at. */
void m307_request_add_vary(m307_request_t *req, const char *fields);

/* m307_caching.c: what caches are told. To be called once a decision is there,
 * whatever it is; passes: the request goes on, and a filter is to merge it with
 * what the content says. */
void m307_caching_tell(m307_request_t *req, int passes);
void m307_caching_register(void);

/* Vary of the answer, with more fields, in one line in err_headers_out. more
 * may be NULL. */
void m307_caching_merge_vary(request_rec *r, const char *more);

/* m307_filters.c: who sees the answers that others make. To be called by every
 * directive that needs to; and when all have been read. */
void m307_filters_need(const cmd_parms *cmd);
void m307_filters_hook(apr_pool_t *pconf, const server_rec *s);
/* Can an .htaccess file of any server use our directives? */
int m307_filters_any_htaccess(const server_rec *s);

/* m307_upgrade.c: other modules' 302 and 301. dir->upgrade is set when one of
 * the insert functions is called. */
const char *m307_upgrade_set(cmd_parms *cmd, void *dir, const char *word);
void m307_upgrade_register(void);
void m307_upgrade_insert(request_rec *r, const m307_dir_conf_t *dir);
void m307_upgrade_insert_error(request_rec *r, const m307_dir_conf_t *dir);

/* m307_cors.c: pages of other origins. Every redirect of ours is recognised
 * by its note redirect307-target, every upgraded one by redirect307-upgraded;
 * whoever makes one has nothing else to do. */
const char *m307_cors_set(cmd_parms *cmd, void *dir, int argc,
                          char *const argv[]);
void m307_cors_register(void);
void m307_cors_insert(request_rec *r, struct m307_cors_t *cors);
/* m307_answer() of a preflight. Never a redirect. */
int m307_cors_answer(m307_request_t *req, const r307_decision_t *decision);

/* m307_geo.c: where the visitor is */
const char *m307_geo_add_source(cmd_parms *cmd, void *dir, const char *word);
const char *m307_geo_add_trusted(cmd_parms *cmd, void *dir, const char *word);
const char *m307_geo_add_site(cmd_parms *cmd, void *dir, int argc,
                              char *const argv[]);
/* check_config: OK or an HTTP status, with messages logged. */
int m307_geo_check_all(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s);
/* r307_host_t.facts, sticky, draw */
void m307_geo_facts(void *ctx, unsigned fields, int measured,
                    r307_facts_t *facts, unsigned *chosen);
const char *m307_geo_sticky(void *ctx, const r307_split_t *split,
                            apr_size_t *len);
apr_uint32_t m307_geo_draw(void *ctx);

/* m307_health.c: whether sites can be used */
/* Keep a site that has while= or balancer= in mind for the check. */
void m307_health_watch(const cmd_parms *cmd, r307_site_t *site);
/* check_config: OK or an HTTP status, with messages logged. */
int m307_health_check_all(apr_pool_t *pconf, apr_pool_t *ptemp);
/* r307_host_t.site_down */
const char *m307_health_site_down(void *ctx, const r307_site_t *site);

/* m307_balancer.c: mod_proxy's balancers */
/* The site's, when all directives have been read. NULL with a sentence in
 * err: mod_proxy is not there, or no such balancer. */
const struct m307_balancer_t *m307_balancer_find(const server_rec *s,
                                                 const r307_site_t *site,
                                                 r307_error_t *err);
/* Has it a member that takes new clients? Reads shared memory, takes no
 * lock. */
int m307_balancer_is_usable(const struct m307_balancer_t *which);

/* m307_database.c: databases of addresses */
struct m307_database_t *m307_database_open(apr_pool_t *pconf,
                                           const char *path,
                                           r307_error_t *err);
/* r307_georead_t.mmdb, for one database */
int m307_database_facts(struct m307_database_t *database, request_rec *r,
                        unsigned fields, r307_facts_t *facts);

/* m307_answer.c: what the client and the log get. Returns an HTTP status,
 * DECLINED, or OK when the request is to pass although a rule applied. */
int m307_answer(m307_request_t *req, const r307_decision_t *decision);
/* Cache-Control and Retry-After as the rule has them. */
void m307_answer_set_caching(const m307_request_t *req,
                             const r307_rule_t *rule, apr_table_t *headers);
/* See to it that a body over limit (bytes, or M307_UNSET) does not have to be
 * read before the answer. */
void m307_answer_spare_body(request_rec *r, apr_off_t limit);

/* m307_dryrun.c: note that a decision would have been made, and say it in the
 * answer where that is asked for */
void m307_dryrun_tell(const m307_request_t *req, const r307_decision_t *d,
                      request_rec *answer);
/* r307_host_t.would */
void m307_dryrun_would(void *ctx, const r307_decision_t *d);

/* m307_hooks.c */
int m307_hooks_translate(request_rec *r);
/* No rule is asked about subrequests of that request any more. */
void m307_hooks_settle(request_rec *r);
/* r307_host_t.trace */
void m307_hooks_trace(void *ctx, const r307_rule_t *rule, r307_step_t step,
                      const char *detail);
/* r307_host_t.thorough */
int m307_hooks_traces(void *ctx);
int m307_hooks_fixups(request_rec *r);

#endif
