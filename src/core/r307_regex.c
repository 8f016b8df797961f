/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns every call of PCRE2. Must not know rules. Called by rule (compile),
 * target (groups) and ruleset (match).
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/r307_regex.h"

#include <pcre2.h>

#include <string.h>

/* Kilobytes that the interpreter may take from the request's pool; only
 * used where the JIT is not available. */
#define HEAP_LIMIT 2048

struct r307_regex_t {
    pcre2_code *code;
    pcre2_match_context *limits;
    apr_uint32_t groups;
    r307_literal_t literal;
    int jit;
};

static void *pool_alloc(PCRE2_SIZE size, void *pool)
{
    return apr_palloc(pool, size);
}

static void pool_free(void *block, void *pool)
{
    (void)block;
    (void)pool;                 /* goes with the pool */
}

static apr_status_t cleanup(void *code)
{
    pcre2_code_free(code);
    return APR_SUCCESS;
}

static uint32_t pcre_options(int flags)
{
    return PCRE2_DUPNAMES
           | (flags & R307_REGEX_ICASE ? PCRE2_CASELESS : 0)
           | (flags & R307_REGEX_DOTALL ? PCRE2_DOTALL : 0)
           | (flags & R307_REGEX_DOLLAR_ENDONLY ? PCRE2_DOLLAR_ENDONLY : 0)
           | (flags & R307_REGEX_EXTENDED ? PCRE2_EXTENDED : 0)
           | (flags & R307_REGEX_MULTILINE ? PCRE2_MULTILINE : 0);
}

static apr_status_t compile_failed(const char *pattern, int code,
                                   PCRE2_SIZE offset, r307_error_t *err)
{
    PCRE2_UCHAR reason[128];

    pcre2_get_error_message(code, reason, sizeof reason);
    return r307_error_set(err, "R307-0120: the regular expression '%s' cannot "
                          "be compiled: %s at offset %lu",
                          r307_error_show(err, pattern, strlen(pattern)),
                          (const char *)reason, (unsigned long)offset);
}

apr_status_t r307_regex_compile(apr_pool_t *pool, const char *pattern,
                                int flags, r307_regex_t **out,
                                r307_error_t *err)
{
    r307_regex_t *re = apr_pcalloc(pool, sizeof *re);
    pcre2_general_context *memory =
        pcre2_general_context_create(pool_alloc, pool_free, pool);
    int code;
    PCRE2_SIZE offset;

    /* PCRE2's own memory: it frees what it used while compiling, which a
     * pool would keep. */
    re->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                             pcre_options(flags), &code, &offset, NULL);
    if (!re->code) {
        return compile_failed(pattern, code, offset, err);
    }
    apr_pool_cleanup_register(pool, re->code, cleanup,
                              apr_pool_cleanup_null);
    re->limits = pcre2_match_context_create(memory);
    pcre2_set_match_limit(re->limits, R307_REGEX_MATCH_LIMIT);
    pcre2_set_heap_limit(re->limits, HEAP_LIMIT);
    pcre2_pattern_info(re->code, PCRE2_INFO_CAPTURECOUNT, &re->groups);
    if (flags & R307_REGEX_JIT) {
        /* Where the system forbids it the interpreter serves. */
        re->jit = pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE) == 0;
    }
    r307_literal_find(pool, pattern, flags, &re->literal);
    *out = re;
    return APR_SUCCESS;
}

const r307_literal_t *r307_regex_literal(const r307_regex_t *re)
{
    return &re->literal;
}

int r307_regex_is_anchored(const r307_regex_t *re)
{
    uint32_t options = 0;

    pcre2_pattern_info(re->code, PCRE2_INFO_ALLOPTIONS, &options);
    return (options & PCRE2_ANCHORED) != 0;
}

int r307_regex_groups(const r307_regex_t *re)
{
    return (int)re->groups;
}

int r307_regex_named(const r307_regex_t *re, const char *name,
                     unsigned short *groups, int max)
{
    PCRE2_SPTR first, last;
    int size = pcre2_substring_nametable_scan(re->code, (PCRE2_SPTR)name,
                                              &first, &last);
    int n = 0;

    if (size <= 0) {
        return 0;
    }
    for (; first <= last; first += size, n++) {
        if (n < max) {
            groups[n] = (unsigned short)(first[0] << 8 | first[1]);
        }
    }
    return n;
}

/* The JIT's 32 KB stack can run out before the match limit does. The direct
 * call saves the checks of pcre2_match(), which cost more than most
 * matches. */
static int run(const r307_regex_t *re, const char *subject, apr_size_t len,
               pcre2_match_data *data)
{
    int rc = PCRE2_ERROR_JIT_STACKLIMIT;

    if (re->jit) {
        rc = pcre2_jit_match(re->code, (PCRE2_SPTR)subject, len, 0, 0, data,
                             re->limits);
    }
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
        rc = pcre2_match(re->code, (PCRE2_SPTR)subject, len, 0, PCRE2_NO_JIT,
                         data, re->limits);
    }
    return rc;
}

static pcre2_match_data *match_data(const r307_regex_t *re,
                                    r307_scratch_t *scratch,
                                    apr_pool_t *pool)
{
    if (!scratch->data || scratch->groups < re->groups) {
        pcre2_general_context *memory =
            pcre2_general_context_create(pool_alloc, pool_free, pool);

        scratch->groups = re->groups > 9 ? re->groups : 9;
        scratch->data = pcre2_match_data_create(scratch->groups + 1, memory);
    }
    return scratch->data;
}

apr_status_t r307_regex_match(const r307_regex_t *re, const char *subject,
                              apr_size_t len, r307_captures_t *captures,
                              r307_scratch_t *scratch, apr_pool_t *pool)
{
    pcre2_match_data *data;
    int rc;

    data = match_data(re, scratch, pool);
    rc = run(re, subject, len, data);
    if (rc == PCRE2_ERROR_NOMATCH) {
        return APR_NOTFOUND;
    }
    if (rc < 0) {
        return APR_ENOSPC;
    }
    captures->at = pcre2_get_ovector_pointer(data);
    captures->count = (int)re->groups + 1;
    return APR_SUCCESS;
}
