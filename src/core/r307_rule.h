/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The rule model. A rule is what a line of configuration says, validated;
 * every source of rules produces this one form. Rules are immutable once
 * created.
 */
#ifndef R307_RULE_H
#define R307_RULE_H

#include "core/r307_choice.h"
#include "core/r307_site.h"
#include "core/r307_split.h"
#include "core/r307_status.h"
#include "core/r307_target.h"

#include <apr_tables.h>
#include <apr_time.h>

typedef enum r307_rule_kind_t {
    R307_RULE_PREFIX,           /* whole segments; the rest is appended */
    R307_RULE_EXACT,            /* the path and nothing else */
    R307_RULE_REGEX,
    R307_RULE_SECTION,          /* every path: the enclosing section has
                                 * matched already; nothing is appended */
    R307_RULE_ANY               /* every path, which is appended as a whole:
                                 * rules for errors */
} r307_rule_kind_t;

typedef enum r307_query_t {
    R307_QUERY_KEEP,            /* the request's, unless the target has one */
    R307_QUERY_APPEND,          /* the target's, "&", the request's */
    R307_QUERY_DROP             /* never the request's */
} r307_query_t;

/* What must hold beside the path. NULL in a rule without conditions. */
typedef struct r307_conditions_t {
    const apr_array_header_t *methods;  /* const char *; NULL: every method */
    int methods_negated;                /* every method but these */
    const apr_array_header_t *hosts;    /* r307_host_pattern_t; NULL: any */
    apr_time_t from;                    /* 0: always was */
    apr_time_t until;                   /* first instant that it is not; 0 */
    const void *expr;                   /* the host's compiled form, or NULL */
    const char *expr_text;
    const r307_statuses_t *statuses;    /* of the answer that would be given
                                         * otherwise; NULL: any */
} r307_conditions_t;

#define R307_CACHE_UNSET    (-1)
#define R307_CACHE_NO_STORE (-2)
#define R307_RETRY_UNSET    (-1)

typedef struct r307_rule_t {
    r307_rule_kind_t kind;
    const char *path;           /* PREFIX, EXACT: decoded URL-path without
                                 * doubled slashes, not terminated;
                                 * REGEX: the pattern; SECTION: NULL */
    apr_size_t path_len;
    const r307_regex_t *regex;
    const r307_target_t *target;    /* of a geo rule: its first choice's */
    const r307_choices_t *choices;  /* geo rules; else NULL */
    const r307_conditions_t *when;
    const r307_split_t *split;      /* percent=; NULL: everybody */
    r307_query_t query;
    int cache;                  /* seconds, or R307_CACHE_* */
    int retry_after;            /* seconds, or R307_RETRY_UNSET */
    int nearest;                /* a target of it is site:nearest */
    const char *name;           /* name=, or "file:line", or NULL for what
                                 * r307_rule_name() makes when asked */
    int named;                  /* name= was given */
    const char *file;
    int line;                   /* of a row: its id, as if it were unsigned */
    int dryrun;                 /* tells what it would do, and does not */
    /* Where it is counted; only these are set later, before the first
     * request. NULL: its source has no counters of its own. */
    struct r307_counter_t *counter;
    apr_uint32_t slot;          /* R307_SLOT_NONE: it cannot be counted */
    const apr_uint32_t *choice_slots;   /* of the choices; NULL: none */
    const apr_uint32_t *cause_slots;    /* of the statuses from 400 that an
                                         * OnError rule is for; NULL: none */
} r307_rule_t;

/* What a rule is made of, as it was written. */
typedef struct r307_rule_spec_t {
    r307_rule_kind_t kind;      /* any but EXACT, which the option `exact`
                                 * makes of PREFIX */
    const char *path;           /* URL-path or pattern; NULL for SECTION and
                                 * ANY */
    const char *target;
    int noptions;
    const char *const *options;
    const char *file;
    int line;
    int geo;                    /* target is NULL; the choices are among the
                                 * options */
    const char *statuses;       /* ANY: the errors that it is for, as
                                 * r307_statuses_parse() reads them */
} r307_rule_spec_t;

/* Where rules are created: memory, and what only the host can do. */
typedef struct r307_rule_env_t {
    apr_pool_t *pool;           /* the rule lives here */
    int regex_flags;            /* r307_regex_flags_t */
    /* Compile an httpd expression for as long as pool lives: a boolean
     * (expr=) or a string (%{...} in a target). Returns NULL and sets *expr,
     * or returns the reason why not. NULL when the host has no
     * expressions. */
    const char *(*compile_expr)(void *ctx, apr_pool_t *pool,
                                const char *text, int is_string,
                                const void **expr);
    void *ctx;
} r307_rule_env_t;

/* A word that Redirect takes first and that stays behind when somebody renames
 * it: "permanent", "302". r307_rule_create() refuses it as a path. */
int r307_rule_is_status_word(const char *word);

/* The first of its targets that lets the request decide about the host; NULL
 * for none. */
const r307_target_t *r307_rule_computed_host(const r307_rule_t *rule);

/* The name of the first site among its targets that sites (const
 * r307_site_t *; NULL: none) do not hold; NULL when all are there. */
const char *r307_rule_unknown_site(const r307_rule_t *rule,
                                   const apr_array_header_t *sites);

/* What must be known of a visitor to choose its target; R307_FIELD_BIT.
 * site_fields: r307_site_fields() of the sites there are. */
static inline unsigned r307_rule_fields(const r307_rule_t *rule,
                                        unsigned site_fields)
{
    return (rule->choices ? rule->choices->fields : 0)
           | (rule->nearest ? site_fields : 0);
}

/* name=, else "file:line". */
const char *r307_rule_name(apr_pool_t *pool, const r307_rule_t *rule);

/* How logs call a rule: "name (file:line)", or "file:line" without name=. */
const char *r307_rule_label(apr_pool_t *pool, const r307_rule_t *rule);

/*
 * Validate a spec. APR_EINVAL with a sentence in err for every mistake that
 * can be seen without a request.
 */
apr_status_t r307_rule_create(const r307_rule_env_t *env,
                              const r307_rule_spec_t *spec,
                              r307_rule_t **out, r307_error_t *err);

#endif
