/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Targets: where a rule sends. A target is parsed once, at configuration,
 * into parts that know which URI component they land in; so nothing that is
 * inserted later can become a delimiter, and everything an administrator got
 * wrong is said before the first request.
 */
#ifndef R307_TARGET_H
#define R307_TARGET_H

#include "core/r307_authority.h"
#include "core/r307_encode.h"
#include "core/r307_error.h"
#include "core/r307_regex.h"

typedef enum r307_target_kind_t {
    R307_TARGET_STOP,           /* "-": no redirect here */
    R307_TARGET_URL,            /* scheme://authority... */
    R307_TARGET_PATH,           /* /..., on the server that was asked */
    R307_TARGET_WHOLE,          /* begins with a capture or an expression:
                                 * computed text that must turn out to be an
                                 * allowed URL or a path */
    R307_TARGET_SITE            /* site:NAME, and perhaps a path there */
} r307_target_kind_t;

#define R307_TARGET_NEAREST "nearest"

typedef enum r307_part_kind_t {
    R307_PART_TEXT,             /* written by the administrator */
    R307_PART_CAPTURE,          /* $1, ${name}, $<name> */
    R307_PART_REQUEST_PATH,     /* %{REQUEST_URI}: the path as it was sent */
    R307_PART_EXPR              /* any other %{...} */
} r307_part_kind_t;

typedef struct r307_part_t {
    r307_part_kind_t kind;
    r307_component_t in;        /* how data is encoded here */
    const char *text;           /* TEXT: encoded and final; EXPR: as written */
    apr_size_t len;
    const unsigned short *groups;   /* CAPTURE: the first that is set counts */
    int ngroups;
    const void *expr;           /* EXPR: the host's compiled form */
    int encoded;                /* EXPR: the value is in encoded form */
    int whole_query;            /* EXPR: %{QUERY_STRING}, delimiters stay */
} r307_part_t;

typedef struct r307_target_t {
    r307_target_kind_t kind;
    const char *written;        /* as configured, for logs and dumps */
    /* Parts in the order of the URL: head is scheme, authority and path. */
    const r307_part_t *parts;
    int nparts;
    int path_at;                /* URL: first part after the authority, when
                                 * computed_host; else 0 */
    int query_at;               /* first part of "?..."; nparts when none */
    int fragment_at;            /* first part of "#..."; nparts when none */
    apr_size_t scheme_len;      /* URL with a literal scheme: its length */
    apr_size_t authority_len;   /* URL with a literal authority: length of
                                 * "scheme://authority"; else 0 */
    r307_authority_t authority; /* the same, parsed */
    const char *site;           /* SITE: the name, or R307_TARGET_NEAREST. The
                                 * parts are the path there; without any it
                                 * is the request's own */
    int choice;                 /* of a geo rule: which of its choices leads
                                 * here */
    unsigned computed_host : 1; /* a capture or expression decides scheme,
                                 * host or port: allowed hosts are needed */
    unsigned has_query : 1;     /* "?" was written, even with nothing behind */
    unsigned nearest : 1;       /* SITE: it is R307_TARGET_NEAREST */
} r307_target_t;

typedef struct r307_target_syntax_t {
    const r307_regex_t *regex;  /* captures and backslash escapes are read
                                 * when set (Redirect307Match) */
    /* Compile one "%{...}" for later; returns NULL or a reason. NULL when
     * the host of the core knows no expressions: they are then an error. */
    const char *(*compile_expr)(const void *ctx, const char *text,
                                const void **expr);
    const void *ctx;
} r307_target_syntax_t;

/*
 * Parse a target. Everything is copied into pool. APR_EINVAL with a sentence
 * for: relative and scheme-less targets, "//host", schemes that run code,
 * userinfo, hosts and ports that cannot be, control bytes, back-references
 * without a group, expressions that do not compile, names that no site can
 * have. Whether there is such a site is not asked.
 */
apr_status_t r307_target_parse(apr_pool_t *pool, const char *written,
                               const r307_target_syntax_t *syntax,
                               r307_target_t **out, r307_error_t *err);

/* 1 when s opens with "scheme://" of a scheme that may be redirected to;
 * *len is then the length up to and including "//". */
int r307_target_scheme(const char *s, apr_size_t *len);

#endif
