/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Tables (Redirect307Table) and rule files (Redirect307File) on the server
 * side: where they are kept, when they are read again, and how a request
 * gets at the version of the moment.
 */
#ifndef M307_TABLE_H
#define M307_TABLE_H

#include "httpd/m307.h"
#include "httpd/m307_version.h"

#include "core/r307_table.h"

/* What a chain's `changing` points to. */
typedef struct m307_source_t {
    /* The version of the moment, counted in. NULL, with *reason, when not
     * even an earlier one can be had. Any thread. A table has none: see
     * m307_table_acquire(). */
    m307_version_t *(*acquire)(struct m307_source_t *source, request_rec *r,
                               const char **reason);
} m307_source_t;

/* ---- m307_table.c: tables ---- */

#define M307_REFRESH_DEFAULT 10 /* seconds */

typedef struct m307_table_t {
    m307_source_t source;
    const char *name;
    r307_table_spec_t spec;
    int refresh;                /* seconds; 0: at restart only */
    const char *file;           /* compiled */
    int number;                 /* of its generation counter */
    server_rec *server;
    struct m307_sql_t *sql;     /* m307_sqltable.h; NULL: a file's */
    const char *config_file;    /* where it was configured */
    int config_line;

    /* this process */
    m307_versions_t versions;
    volatile apr_uint32_t generation;   /* of the current version */
    volatile apr_uint32_t busy; /* a thread is opening a new one */
    apr_uint32_t tried;         /* the generation that could not be opened */
    apr_time_t next_try;        /* not to be opened again before; 0 */
    apr_time_t next_check;      /* watchdog */
    apr_time_t next_follow;     /* watchdog: counts of earlier versions */
    apr_time_t follow_pause;
    r307_table_source_t refused;    /* the last source found bad */
    r307_table_source_t deferred;   /* the last that the system, not its own
                                     * lines, kept from being compiled */
} m307_table_t;

/* All tables of the configuration being read; array of m307_table_t *. */
apr_array_header_t *m307_table_all(apr_pool_t *pconf);

/* The table of that name, or NULL. */
m307_table_t *m307_table_find(apr_pool_t *pconf, const char *name);

/* Directives; return NULL or an error sentence. */
const char *m307_table_define(cmd_parms *cmd, int argc, char *const argv[]);
const char *m307_table_use(cmd_parms *cmd, m307_rules_t *rules,
                           const char *name);

/* check_config: compile what has changed, open everything. OK or an HTTP
 * status, with messages logged. */
int m307_table_open_all(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s);

/* ---- m307_refresh.c ---- */

/* post_config: generation counters and the watchdog. */
int m307_refresh_setup(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                       server_rec *s);

/* Have f called each second, in one process at a time. APR_ENOTIMPL without
 * mod_watchdog. */
apr_status_t m307_refresh_watch(const char *name,
                                apr_status_t (*f)(int state, void *s,
                                                  apr_pool_t *pool),
                                apr_pool_t *pconf, server_rec *s);

/* Shared memory: by m307_table_t.number. NULL: nothing is refreshed. */
extern volatile apr_uint32_t *m307_refresh_generations;

/* The table's generation as all processes see it. */
static inline apr_uint32_t m307_refresh_generation(const m307_table_t *table)
{
    return m307_refresh_generations
        ? m307_refresh_generations[table->number] : table->generation;
}

/* ---- m307_table.c, for refresh ---- */

/* Map the compiled file and make it current. 0 and a log line on failure. */
int m307_table_load(m307_table_t *table, int verify, server_rec *s);

typedef enum m307_compiled_t {
    M307_COMPILED,
    M307_BAD_SOURCE,            /* will stay so until it is changed */
    M307_NOT_NOW                /* a full disk, say; worth another try */
} m307_compiled_t;

/* Compile the source. What goes wrong is logged at that level. */
m307_compiled_t m307_table_compile(m307_table_t *table, apr_pool_t *ptemp,
                                   server_rec *s, int level);

/* Is there a newer generation? Then map it, unless another thread does. */
void m307_table_follow(m307_table_t *table, server_rec *s);

/* The version of the moment, counted in, or NULL. Any thread. Every request
 * comes this way, and nearly all find nothing new. */
static inline m307_version_t *m307_table_acquire(m307_table_t *table,
                                                 server_rec *s)
{
    if (m307_refresh_generation(table) != table->generation) {
        m307_table_follow(table, s);
    }
    return m307_version_acquire(&table->versions);
}

/* ---- m307_state.c: the directory of compiled files ---- */

/* Its path; made when missing. NULL and an error sentence when it cannot be
 * used safely. */
const char *m307_state_dir(const char *configured, apr_pool_t *pool,
                           const char **error);

/* ---- m307_file.c: rule files ---- */

#define M307_FILE_MAX_DEFAULT 2097152   /* bytes: some 25,000 rules */

/* Directive Redirect307File; dir is the section's directory. */
const char *m307_file_use(cmd_parms *cmd, m307_rules_t *rules,
                          const char *path);

/* check_config: those named in the server's configuration. OK or an HTTP
 * status, with messages logged. */
int m307_file_check_all(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s);

/* child_init: the cache's mutex. */
void m307_file_child_init(apr_pool_t *pchild, server_rec *s);

#endif
