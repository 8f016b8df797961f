/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * What the targets of importers share. Input: a switch (1: as directives, 2:
 * as rules, 4: all statuses, 8: the options that make rules plainer), one of
 * the values of --key and one of --type by number, and the text. What holds:
 *  - the text is refused with a reason, or every report is one line
 *  - the same text gives the same output
 *  - directives that are imported again are the same directives
 *  - lines of rule files are rules, with targets whose host is fixed
 */
#ifndef FUZZ_IMPORT_H
#define FUZZ_IMPORT_H

#include "fuzz.h"

#include "tool/t307_import.h"

#include "core/r307_block.h"
#include "core/r307_rulefile.h"

#define FUZZ_DIRECTIVES 1
#define FUZZ_RULES 2
#define FUZZ_ALL 4
#define FUZZ_PLAIN 8

/* Word number n of "a b c"; NULL for none. */
static inline const char *fuzz_word(fuzz_t *in, const char *list, int n)
{
    char *copy = apr_pstrdup(in->pool, list ? list : ""), *state, *word;

    for (word = apr_strtok(copy, " ", &state); word && n > 0; n--) {
        word = apr_strtok(NULL, " ", &state);
    }
    return word;
}

static inline const char *fuzz_take_expr(void *ctx, apr_pool_t *pool,
                                         const char *text, int is_string,
                                         const void **expr)
{
    (void)ctx;
    (void)pool;
    (void)is_string;
    *expr = text;
    return NULL;
}

/* Read and settle a text; the output, or NULL. */
static inline const char *fuzz_import_once(t307_import_t *im,
                                           apr_pool_t *pool,
                                           const char *text)
{
    char *copy = apr_pstrdup(pool, text);

    im->format->read(im, copy, strlen(copy));
    if (im->failed) {
        FUZZ_HOLDS(*im->failed);
        return NULL;
    }
    t307_import_settle(im);
    return t307_import_text(im);
}

static inline void fuzz_check_reports(const t307_import_t *im)
{
    int i;

    for (i = 0; i < im->reports->nelts; i++) {
        const t307_import_report_t *r =
            &APR_ARRAY_IDX(im->reports, i, t307_import_report_t);
        FUZZ_HOLDS(r->text && *r->text && r->line > 0);
        FUZZ_HOLDS(!strpbrk(r->text, "\r\n"));
    }
}

/* The lines that are no comments. */
static inline const char *fuzz_without_comments(apr_pool_t *pool,
                                                const char *text)
{
    const char *out = "";

    while (*text) {
        apr_size_t len = strcspn(text, "\n") + 1;
        if (*text != '#') {
            out = apr_pstrcat(pool, out, apr_pstrmemdup(pool, text, len),
                              NULL);
        }
        text += len;
    }
    return out;
}

static inline void fuzz_check_directives(fuzz_t *in, const char *text)
{
    const char *lines = fuzz_without_comments(in->pool, text), *again;
    t307_import_t im;

    t307_import_init(&im, in->pool, &t307_import_httpd);
    again = fuzz_import_once(&im, in->pool, lines);
    FUZZ_HOLDS(again && im.reports->nelts == 0);
    FUZZ_HOLDS(strcmp(again, lines) == 0);
}

static inline void fuzz_check_rules(fuzz_t *in, const char *text)
{
    r307_rule_env_t env = { in->pool, R307_REGEX_DOTALL
                                      | R307_REGEX_DOLLAR_ENDONLY,
                            fuzz_take_expr, NULL };
    char *copy = apr_pstrdup(in->pool, text), *state, *s;

    for (s = apr_strtok(copy, "\n", &state); s;
         s = apr_strtok(NULL, "\n", &state)) {
        r307_error_t err = { in->pool, NULL };
        r307_line_t line;
        r307_rule_t *rule;
        apr_status_t rv;

        FUZZ_HOLDS(strlen(s) <= R307_RULEFILE_LINE_MAX);
        rv = r307_rulefile_parse(s, R307_RULEFILE_RULES, in->pool, &line,
                                 &err);
        if (rv == APR_NOTFOUND) {
            continue;
        }
        FUZZ_HOLDS(rv == APR_SUCCESS);
        line.spec.file = "fuzz";
        line.spec.line = 1;
        FUZZ_HOLDS(r307_rule_create_in_file(&env, &line, 0, &rule, &err)
                   == APR_SUCCESS);
        FUZZ_HOLDS(!r307_rule_computed_host(rule));
    }
}

static inline int fuzz_import(const t307_import_format_t *format,
                              const unsigned char *data, size_t size)
{
    t307_import_t im[2];
    const char *output[2], *text, *key, *type;
    int switches, i;
    apr_size_t len;
    fuzz_t in;

    fuzz_begin(&in, data, size);
    switches = fuzz_byte(&in);
    key = fuzz_word(&in, format->keys, fuzz_byte(&in) & 7);
    type = fuzz_word(&in, format->types, fuzz_byte(&in) & 7);
    text = fuzz_rest(&in, &len);
    text = apr_pstrmemdup(in.pool, text, len);
    for (i = 0; i < 2; i++) {
        t307_import_init(&im[i], in.pool, format);
        im[i].to = switches & FUZZ_DIRECTIVES ? T307_IMPORT_TO_DIRECTIVES
            : switches & FUZZ_RULES ? T307_IMPORT_TO_RULES
            : T307_IMPORT_TO_AUTO;
        im[i].all = switches & FUZZ_ALL;
        im[i].same_case = im[i].no_files = switches & FUZZ_PLAIN;
        im[i].base = switches & FUZZ_PLAIN ? "/base/" : NULL;
        im[i].suffix = switches & FUZZ_PLAIN ? "preserve" : NULL;
        im[i].query = switches & FUZZ_PLAIN ? "append" : NULL;
        im[i].key = key;
        im[i].type = type;
        output[i] = fuzz_import_once(&im[i], in.pool, text);
        fuzz_check_reports(&im[i]);
    }
    FUZZ_HOLDS(!output[0] == !output[1]);
    if (output[0]) {
        FUZZ_HOLDS(strcmp(output[0], output[1]) == 0);
        if (im[0].to == T307_IMPORT_TO_RULES) {
            fuzz_check_rules(&in, output[0]);
        }
        else {
            fuzz_check_directives(&in, output[0]);
        }
    }
    return fuzz_end(&in);
}

#endif
