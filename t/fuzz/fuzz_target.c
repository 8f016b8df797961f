/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Targets as configured. Input: a switch (1: behind a regular expression with
 * three groups, 2: expressions are known), then the target. What holds:
 *  - kind and first bytes agree
 *  - text is encoded and final: nothing in it ends a component but the
 *    delimiter that opens the next
 *  - a literal authority is host and port, and stands at the very start
 *  - a capture names groups that there are; without the switches there are
 *    neither captures nor expressions
 *  - a host that a request decides is always known as one
 */
#include "fuzz.h"

#include "core/r307_target.h"

const char fuzz_name[] = "target";

static const char *compile_expr(const void *ctx, const char *text,
                                const void **expr)
{
    (void)ctx;
    *expr = text;
    return strstr(text, "bad") ? "it is bad" : NULL;
}

static void check_head(const r307_target_t *t)
{
    const char *written = t->written;
    apr_size_t len = 0;

    switch (t->kind) {
    case R307_TARGET_STOP:
        FUZZ_HOLDS(strcmp(written, "-") == 0 && t->nparts == 0);
        break;
    case R307_TARGET_URL:
        FUZZ_HOLDS(t->parts[0].kind == R307_PART_TEXT);
        FUZZ_HOLDS(r307_target_scheme(t->parts[0].text, &len));
        FUZZ_HOLDS(len == t->scheme_len + 3);
        FUZZ_HOLDS(!t->computed_host == (t->authority_len > 0));
        break;
    case R307_TARGET_PATH:
        FUZZ_HOLDS(!t->computed_host && t->authority_len == 0);
        FUZZ_HOLDS(t->parts[0].kind == R307_PART_REQUEST_PATH
                   || t->parts[0].text[0] == '/');
        FUZZ_HOLDS(strncmp(written, "//", 2) != 0);
        break;
    default:
        FUZZ_HOLDS(t->computed_host && t->authority_len == 0);
        FUZZ_HOLDS(t->parts[0].kind != R307_PART_TEXT);
    }
}

static void check_authority(const r307_target_t *t)
{
    const r307_part_t *first = &t->parts[0];
    apr_size_t head = t->scheme_len + 3;
    const char *why;
    r307_authority_t a;

    if (t->authority_len == 0) {
        return;
    }
    FUZZ_HOLDS(first->len >= t->authority_len);
    FUZZ_HOLDS(r307_authority_parse(first->text + head,
                                    t->authority_len - head, &a, &why)
               == APR_SUCCESS);
    FUZZ_HOLDS(a.host_len == t->authority.host_len
               && a.port == t->authority.port);
    FUZZ_HOLDS(memcmp(a.host, t->authority.host, a.host_len) == 0);
    FUZZ_HOLDS(first->len == t->authority_len
               || first->text[t->authority_len] == '/'
               || t->nparts == 1 || t->query_at == 1);
}

/* Text of part i, behind what the head may hold besides. */
static void check_text(const r307_target_t *t, int i)
{
    const r307_part_t *part = &t->parts[i];
    apr_size_t skip = i == 0 ? t->authority_len : 0;
    int delimiter = (i == t->query_at && i < t->fragment_at)
                    || (i == t->fragment_at && i < t->nparts);

    if (i < t->path_at) {
        return;                 /* the computed host is judged when it is
                                 * known */
    }
    if (delimiter) {
        FUZZ_HOLDS(part->len == 1);
        FUZZ_HOLDS(part->text[0] == (i == t->fragment_at ? '#' : '?'));
        return;
    }
    FUZZ_HOLDS(skip <= part->len);
    fuzz_check_encoded(part->text + skip, part->len - skip,
                       i < t->query_at ? R307_IN_PATH
                       : i < t->fragment_at ? R307_IN_QUERY
                       : R307_IN_FRAGMENT);
}

static void check_part(const r307_target_t *t, int i, int switches)
{
    const r307_part_t *part = &t->parts[i];
    int n;

    switch (part->kind) {
    case R307_PART_TEXT:
        if (t->kind != R307_TARGET_WHOLE) {
            check_text(t, i);
        }
        break;
    case R307_PART_CAPTURE:
        FUZZ_HOLDS((switches & 1) && part->ngroups > 0);
        for (n = 0; n < part->ngroups; n++) {
            FUZZ_HOLDS(part->groups[n] <= 3);
        }
        break;
    case R307_PART_EXPR:
        FUZZ_HOLDS((switches & 2) && part->expr);
        break;
    default:
        FUZZ_HOLDS(part->kind == R307_PART_REQUEST_PATH);
    }
}

static void check_target(const r307_target_t *t, int switches)
{
    int i;

    check_head(t);
    if (t->kind == R307_TARGET_STOP) {
        return;
    }
    FUZZ_HOLDS(t->nparts > 0 && t->path_at >= 0);
    FUZZ_HOLDS(t->path_at <= t->query_at && t->query_at <= t->fragment_at
               && t->fragment_at <= t->nparts);
    FUZZ_HOLDS(t->has_query == (t->query_at < t->fragment_at));
    check_authority(t);
    for (i = 0; i < t->nparts; i++) {
        check_part(t, i, switches);
    }
}

static const r307_regex_t *three_groups(fuzz_t *in)
{
    r307_error_t err = { in->pool, NULL };
    r307_regex_t *re = NULL;

    r307_regex_compile(in->pool, "(?J)^/(?:(?<n>a)|(?<n>b))(?<other>.*)$", 0,
                       &re, &err);
    FUZZ_HOLDS(re && r307_regex_groups(re) == 3);
    return re;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    r307_target_syntax_t syntax = { NULL, NULL, NULL };
    r307_target_t *target = NULL;
    r307_error_t err;
    fuzz_t in;
    apr_status_t rv;
    int switches;

    fuzz_begin(&in, data, size);
    err.pool = in.pool;
    err.text = NULL;
    switches = fuzz_byte(&in) & 3;
    syntax.regex = switches & 1 ? three_groups(&in) : NULL;
    syntax.compile_expr = switches & 2 ? compile_expr : NULL;
    rv = r307_target_parse(in.pool, fuzz_line(&in), &syntax, &target, &err);
    fuzz_check_error(rv, &err);
    if (rv == APR_SUCCESS) {
        check_target(target, switches);
    }
    return fuzz_end(&in);
}
