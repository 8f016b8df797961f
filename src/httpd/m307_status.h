/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The status page: what its files offer each other. One set of rows is
 * written as HTML and as JSON. All of it only reads. Nothing of a request or
 * of a rule reaches an answer but through m307_statustext.c.
 */
#ifndef M307_STATUS_H
#define M307_STATUS_H

#include "httpd/m307_counters.h"

#include "http_main.h"

#define M307_STATUS_SCHEMA "redirect307-status/1"

/* Rows of one answer, unless limit= says something else, and at most. */
#define M307_STATUS_LIMIT 1000
#define M307_STATUS_LIMIT_HTML 250
#define M307_STATUS_LIMIT_MAX 100000

/* What the query string asks for. */
typedef struct m307_view_t {
    request_rec *r;
    const char *format;         /* html, json, openmetrics */
    const char *table;          /* rules of that table only; NULL: all but
                                 * those of tables */
    const char *search;         /* "" for all */
    int by_hits;                /* most hits first, not order of the
                                 * configuration */
    apr_uint32_t offset;
    apr_uint32_t limit;
    const char *explain;        /* "METHOD URL", or NULL */
} m307_view_t;

/* A rule as reports show it. Strings are as configured, not escaped. */
typedef struct m307_row_t {
    const r307_rule_t *rule;
    const char *name;
    const char *source;         /* "file:line" */
    const char *directive;      /* of the configuration; else NULL */
    const char *server;         /* likewise */
    const char *section;        /* likewise; NULL for none */
    const char *kind;           /* "prefix", ... */
    const char *host;           /* of a line in a table; else NULL */
    const char *path;           /* NULL for a section */
    const char *target;         /* of a geo rule NULL */
    const char *conditions;     /* as options; "" for none */
    const char *state;          /* "active", "not yet", "expired" */
    r307_count_t count;
} m307_row_t;

typedef void (*m307_row_fn)(void *ctx, const m307_row_t *row);

/* ---- m307_statusrows.c ---- */

/* Call for each row of the view; returns how many there are without offset
 * and limit. Rows live in r->pool or, for tables, until the call returns. */
apr_uint32_t m307_statusrows_each(const m307_view_t *view, m307_row_fn call,
                                  void *ctx);
/* Rules of .htaccess and rule files that were counted. */
void m307_statusrows_loose(const m307_view_t *view,
                           void (*call)(void *ctx, const char *label,
                                        const r307_count_t *count),
                           void *ctx);
/* What was counted in a slot. */
r307_count_t m307_statusrows_count(const r307_rule_t *rule, apr_uint32_t slot);
/* Sum over the rules of a table. */
r307_count_t m307_statusrows_sum(const r307_table_t *table);
/* The table of the view; NULL: there is none of that name. */
m307_table_t *m307_statusrows_table(const m307_view_t *view);

/* ---- m307_statussites.c ---- */

typedef struct m307_siterow_t {
    const r307_site_t *site;
    const char *server;         /* that has it */
    int number;                 /* from 0, over all servers */
    const char *health;         /* "always": nobody watches it; "up", "down" */
    const char *reason;         /* why it is down; else NULL */
} m307_siterow_t;

typedef void (*m307_siterow_fn)(void *ctx, const m307_siterow_t *row);

/* Call for each site of each server; returns how many there are. */
int m307_statussites_each(request_rec *r, m307_siterow_fn call, void *ctx);

/* ---- m307_statustext.c: what may go into an answer ---- */

/* Valid UTF-8: what is not becomes U+FFFD. */
const char *m307_statustext_utf8(apr_pool_t *pool, const char *s);
/* The same, escaped for HTML text and quoted attributes. */
const char *m307_statustext_html(apr_pool_t *pool, const char *s);
/* Seconds since 1970 in RFC 3339; NULL for 0. */
const char *m307_statustext_time(apr_pool_t *pool, apr_uint32_t seconds);

/* ---- the formats ---- */

void m307_statusjson_write(const m307_view_t *view);
void m307_statusmetrics_write(const m307_view_t *view);
void m307_statushtml_write(const m307_view_t *view);

/* ---- m307_explain.c ---- */

typedef struct m307_explained_t {
    const char *method;
    const char *url;
    const char *error;          /* it cannot be explained; else NULL */
    int status;                 /* 307, 404, ..., 0: passes on */
    const char *outcome;        /* a sentence */
    const char *rule;           /* label, or NULL */
    const char *location;       /* or NULL */
    const char *server;
    apr_array_header_t *steps;  /* const char *: rules that were considered,
                                 * and why they do not apply */
    apr_array_header_t *limits; /* const char *: what was not looked at */
} m307_explained_t;

/* Decide about "METHOD URL" on this server as it is, counting nothing. */
m307_explained_t *m307_explain(request_rec *r, const char *text);

/* ---- m307_status.c ---- */

int m307_status_handler(request_rec *r);
/* In the page of mod_status; flags: AP_STATUS_* */
int m307_status_section(request_rec *r, int flags);
void m307_status_register(void);
/* check_config */
void m307_status_hook(const server_rec *s);

#endif
