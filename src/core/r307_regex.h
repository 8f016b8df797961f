/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Regular expressions: PCRE2 with a match limit, compiled by the JIT where
 * that pays. Compiled expressions are immutable; matching allocates from the
 * request's pool, takes no lock and keeps no state between requests.
 */
#ifndef R307_REGEX_H
#define R307_REGEX_H

#include "core/r307_error.h"
#include "core/r307_literal.h"

/* Backtracking steps before a match is given up. PCRE2's own default of
 * 10,000,000 lets one request burn seconds; 250,000 is some milliseconds and
 * a hundred times what the longest legal request line needs with a sane
 * expression. */
#define R307_REGEX_MATCH_LIMIT 250000

typedef struct r307_regex_t r307_regex_t;

typedef enum r307_regex_flags_t {
    R307_REGEX_ICASE = 1,
    R307_REGEX_DOTALL = 2,
    R307_REGEX_DOLLAR_ENDONLY = 4,
    R307_REGEX_EXTENDED = 8,
    R307_REGEX_MULTILINE = 16,
    R307_REGEX_JIT = 32         /* for expressions that outlive a request */
} r307_regex_flags_t;

/* What a match captured: pairs of offsets into the subject, R307_UNSET for a
 * group that did not take part. */
typedef struct r307_captures_t {
    const apr_size_t *at;
    int count;                  /* pairs; group 0 is the whole match */
} r307_captures_t;

#define R307_UNSET (~(apr_size_t)0)

/* Compile for as long as pool lives. On failure APR_EINVAL; the sentence
 * names the offset and PCRE2's reason. */
apr_status_t r307_regex_compile(apr_pool_t *pool, const char *pattern,
                                int flags, r307_regex_t **out,
                                r307_error_t *err);

/* What every subject that matches begins with. */
const r307_literal_t *r307_regex_literal(const r307_regex_t *re);

/* Can it match at the beginning of the path only? */
int r307_regex_is_anchored(const r307_regex_t *re);

/* Number of groups, without group 0. */
int r307_regex_groups(const r307_regex_t *re);

/* The groups of that name (several with (?J) or DUPNAMES), lowest first.
 * Returns how many there are, at most max are written. */
int r307_regex_named(const r307_regex_t *re, const char *name,
                     unsigned short *groups, int max);

/* Scratch memory for the matches of one request; zero it to begin. */
typedef struct r307_scratch_t {
    void *data;
    apr_uint32_t groups;
} r307_scratch_t;

/*
 * APR_SUCCESS: matched, *captures set (good until the next match with the
 * same scratch). APR_NOTFOUND: no match.
 * APR_ENOSPC: the match limit was reached, nothing is known.
 */
apr_status_t r307_regex_match(const r307_regex_t *re, const char *subject,
                              apr_size_t len, r307_captures_t *captures,
                              r307_scratch_t *scratch, apr_pool_t *pool);

#endif
