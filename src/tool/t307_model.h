/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The configuration as the tool sees it: servers with their sections, rules
 * and settings, read from what `httpd -t -D DUMP_REDIRECT307` prints, or made
 * up of rule files. Built once, then only read.
 */
#ifndef T307_MODEL_H
#define T307_MODEL_H

#include "tool/t307.h"

#include "core/r307_decide.h"
#include "core/r307_geofrom.h"
#include "core/r307_table.h"

#include <apr_hash.h>
#include <apr_network_io.h>

/* A table or a rule file; what a chain's `changing` points to. */
typedef struct t307_source_t {
    const char *label;          /* "table shop", "rule file /a/b.rules" */
    r307_table_spec_t spec;
    int is_sql;                 /* its rules are in a database: all that can
                                 * be read is what is compiled */
    int is_unread;              /* the server has not read it yet either */
    const char *compiled;       /* the server's file, or NULL */
    const char *file;           /* where it was configured */
    int line;
    r307_table_t *table;        /* NULL until it is opened */
    const char *error;          /* why it could not be, or NULL */
    int linted;
} t307_source_t;

typedef enum t307_engine_t {
    T307_ENGINE_UNSET = -1,
    T307_ENGINE_OFF,
    T307_ENGINE_ON,
    T307_ENGINE_DRYRUN
} t307_engine_t;

/* A rule as it was written; for directives only. */
typedef struct t307_written_t {
    const r307_rule_t *rule;
    const char *path;           /* NULL in a section */
    const char *target;         /* NULL: choices are among the options */
    const char *const *options;
    int noptions;
} t307_written_t;

/* What a server or a section says. */
typedef struct t307_place_t {
    r307_ruleset_t *own;        /* NULL: no rules */
    const r307_chain_t *chain;  /* own, then sources in order */
    r307_chain_t *last;
    apr_array_header_t *written;    /* t307_written_t */
    apr_array_header_t *sources;    /* t307_source_t *: used here */
    apr_array_header_t *others;     /* const char *: directives here that
                                     * the tool does not look at */
    int cut;                    /* Redirect307Inherit Off */
    t307_engine_t engine;
    int relative;               /* 0, 1, or -1 */
} t307_place_t;

typedef struct t307_section_t {
    const char *kind;           /* "Location", "If", ... as written */
    int is_regex;               /* LocationMatch, "~" */
    const char *path;           /* or pattern, file name, expression */
    const r307_regex_t *regex;
    const char *file;
    int line;
    t307_place_t place;
    const struct t307_section_t *inside;    /* NULL: of the server itself */
} t307_section_t;

typedef struct t307_server_t {
    int is_virtual;
    const char *name;           /* ServerName */
    int port;                   /* 0: not written */
    apr_array_header_t *aliases;    /* const char *, "*.name" too */
    apr_array_header_t *addresses;  /* const char *: "*:80" */
    const char *documents;
    const char *canonical;      /* "on", "off", "dns" */
    int keeps_slashes;          /* MergeSlashes Off */
    const char *encoded_slashes;    /* "refuse", "keep", "decode" */
    const char *htaccess;       /* name of such files */
    apr_array_header_t *overrides;  /* const char *: directories whose
                                     * .htaccess files may hold rules */
    apr_array_header_t *proxied;    /* const char *: paths of ProxyPass */
    const char *file;
    int line;
    t307_place_t place;
    apr_array_header_t *sections;   /* t307_section_t *, as written */
    /* effective, a virtual host's own or the main server's */
    apr_array_header_t *allowed_hosts;
    apr_array_header_t *sites;
    r307_geofrom_t *geofrom;
    apr_array_header_t *trusted;    /* apr_ipsubnet_t * */
    int trust_all;
} t307_server_t;

typedef struct t307_model_t {
    apr_pool_t *pool;
    const char *root;           /* ServerRoot */
    int regex_flags;
    apr_hash_t *tables;         /* name -> t307_source_t */
    apr_array_header_t *sources;    /* t307_source_t *: all */
    apr_array_header_t *servers;    /* t307_server_t *; the main one first */
    const char *from;           /* what it was made of, for messages */
    int from_server;            /* of a server's configuration */
} t307_model_t;

/* ---- t307_model.c ---- */

t307_model_t *t307_model_create(apr_pool_t *pool);
t307_server_t *t307_model_add_server(t307_model_t *model, int is_virtual);
void t307_model_init_place(t307_place_t *place, apr_pool_t *pool);
void t307_model_add_rule(t307_model_t *model, t307_place_t *place,
                         const r307_rule_t *rule,
                         const r307_rule_spec_t *spec);
void t307_model_add_source(t307_model_t *model, t307_place_t *place,
                           t307_source_t *source);
/* A new source that reads that rule file. */
t307_source_t *t307_model_source(t307_model_t *model, const char *label,
                                 const char *path);
/* Virtual hosts get what the main server says and they do not; sets are
 * frozen. APR_EINVAL with a sentence. */
apr_status_t t307_model_finish(t307_model_t *model, r307_error_t *err);
/* Open the table of a source, once; NULL with source->error set when that
 * cannot be done. server: whose sites and hosts count. */
const r307_table_t *t307_model_open(t307_model_t *model,
                                    const t307_server_t *server,
                                    t307_source_t *source);
/* A model of one server with nothing but these rule files. */
t307_model_t *t307_model_of_files(apr_pool_t *pool, int n,
                                  const char *const *files);
/* r307_rule_env_t.compile_expr: the compiled form is the text. */
const char *t307_model_take_expr(void *ctx, apr_pool_t *pool,
                                 const char *text, int is_string,
                                 const void **expr);

/* ---- t307_dump.c ---- */

/* Read a dump. name: for messages. APR_EINVAL with a sentence. */
apr_status_t t307_dump_read(t307_model_t *model, apr_file_t *f,
                            const char *name, r307_error_t *err);

/* ---- t307_settings.c ---- */

/* One line "@Redirect307X words" that the place holds. Settings that do not
 * matter to the tool are passed over. APR_EINVAL with a sentence. */
apr_status_t t307_settings_apply(t307_model_t *model, t307_server_t *server,
                                 const t307_section_t *section,
                                 t307_place_t *place, const char *name,
                                 int nwords, const char *const *words,
                                 const char *file, int line,
                                 r307_error_t *err);

/* ---- t307_sources.c: where a model comes from, by the command line ---- */

#define T307_OPT_SERVER    0x1001
#define T307_OPT_RULES     0x1002
#define T307_OPT_DUMP      0x1003
#define T307_OPT_APACHECTL 0x1004
#define T307_OPT_SET       0x1005

/* The options of all commands that look at rules. */
#define T307_MODEL_OPTIONS \
    { "server", T307_OPT_SERVER, 0, "ask the installed configuration " \
      "(the default without rule files)" }, \
    { "rules", T307_OPT_RULES, 1, "FILE: a rule file; may be repeated" }, \
    { "dump", T307_OPT_DUMP, 1, "FILE: what 'apachectl -t -D " \
      "DUMP_REDIRECT307' has printed" }, \
    { "apachectl", T307_OPT_APACHECTL, 1, "COMMAND: to ask with, words in " \
      "one argument" }, \
    { "set", T307_OPT_SET, 1, "DIRECTIVE: with --rules, a setting of the " \
      "server, such as 'Redirect307AllowTo *.example'; may be repeated" }

typedef struct t307_wanted_t {
    apr_array_header_t *files;  /* const char * */
    const char *dump;
    const char *apachectl;
    apr_array_header_t *settings;   /* const char *: directives */
    int server;
} t307_wanted_t;

void t307_sources_begin(t307_t *t, t307_wanted_t *wanted);
/* 1 when optch is one of them. */
int t307_sources_option(t307_wanted_t *wanted, int optch, const char *value);
/* NULL after a message; then *status is what the command returns. */
t307_model_t *t307_sources_load(t307_t *t, const t307_wanted_t *wanted,
                                int *status);

/* ---- t307_pick.c: which server a URL is for ---- */

typedef struct t307_url_t {
    const char *text;
    const char *scheme;
    const char *host;           /* lower case, no port, no brackets */
    const char *host_as_written;    /* with brackets */
    int port;
    int has_port;
    int any_port;               /* nothing says to which port it goes */
    r307_path_t path;
    const char *query;          /* NULL for none */
} t307_url_t;

/* "http://host:port/path?query", or "/path?query" for host. Returns NULL or
 * what is wrong. */
const char *t307_pick_url(apr_pool_t *pool, const char *text,
                          const char *host, t307_url_t *out);

/* Read the path as that server does. Returns NULL, or what httpd answers
 * instead of asking rules: a sentence with "404" or "400" in it. */
const char *t307_pick_path(apr_pool_t *pool, const t307_server_t *server,
                           t307_url_t *url);

const t307_server_t *t307_pick_server(const t307_model_t *model,
                                      const t307_url_t *url);

/* Does the host belong to the server, by name or alias? */
int t307_pick_is_own(const t307_server_t *server, const char *host);

/* ---- t307_scope.c: what applies to a URL on a server ---- */

typedef struct t307_scope_t {
    const r307_chain_t *sections;   /* <Location>, asked first */
    const r307_chain_t *server;     /* then these */
    const r307_chain_t *directories;    /* then <Directory> by document
                                         * root, with the sections again */
    t307_engine_t engine;       /* of the first two */
    t307_engine_t late_engine;  /* of directories */
    int relative, late_relative;
    apr_array_header_t *used;   /* const t307_section_t * that hold */
    apr_array_header_t *open;   /* const char *: what could matter, too, and
                                 * is not looked at */
} t307_scope_t;

void t307_scope_find(apr_pool_t *pool, const t307_model_t *model,
                     const t307_server_t *server, const t307_url_t *url,
                     t307_scope_t *out);

/* ---- t307_lintproxy.c: rules that a proxy hides ---- */

typedef void t307_lintproxy_fn(void *ctx, const char *code, const char *file,
                               int line, const char *happens,
                               const char *instead);

void t307_lintproxy_look(apr_pool_t *pool, const t307_server_t *server,
                         t307_lintproxy_fn *tell, void *ctx);

#endif
