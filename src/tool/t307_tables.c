/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns `compile` and `verify`: rule files and the table files made of them.
 * Must not know how either is read.
 */
#include "tool/t307.h"

#include "core/r307_table.h"

#include <string.h>

static const apr_getopt_option_t compile_options[] = {
    { "match", 'm', 1, "WHAT: prefix or exact" },
    { "format", 'f', 1, "NAME: rules or rewritemap" },
    { "output", 'o', 1, "FILE: write the table there; without it the rule "
      "file is only checked" },
    { NULL, 0, 0, NULL }
};

static int set_match(const t307_t *t, r307_table_spec_t *spec,
                     const char *value)
{
    spec->exact = strcmp(value, "exact") == 0;
    return spec->exact || strcmp(value, "prefix") == 0 ? T307_OK
        : t307_usage_error(t, "--match is '%s'; write prefix or exact",
                           value);
}

static int set_format(const t307_t *t, r307_table_spec_t *spec,
                      const char *value)
{
    spec->format = strcmp(value, "rewritemap") == 0
        ? R307_RULEFILE_REWRITEMAP : R307_RULEFILE_RULES;
    return spec->format == R307_RULEFILE_REWRITEMAP
           || strcmp(value, "rules") == 0 ? T307_OK
        : t307_usage_error(t, "--format is '%s'; write rules or rewritemap",
                           value);
}

static void print_errors(const t307_t *t, const r307_table_report_t *report)
{
    int i;

    for (i = 0; i < report->nerrors; i++) {
        fprintf(t->err, "%s\n", report->errors[i]);
    }
    if (report->bad_lines > (apr_uint32_t)report->nerrors) {
        fprintf(t->err, "... and %u more\n", (unsigned)report->bad_lines
                - (unsigned)report->nerrors);
    }
}

/* Expressions are httpd's; only it can say whether one compiles. */
static const char *take_expr(void *ctx, apr_pool_t *pool, const char *text,
                             int is_string, const void **expr)
{
    (void)ctx;
    (void)pool;
    (void)is_string;
    *expr = text;
    return NULL;
}

static int compile(t307_t *t, const r307_table_spec_t *spec, const char *to)
{
    r307_error_t err = { t->pool, NULL };
    r307_table_report_t report;
    r307_table_t *table;
    apr_status_t rv;

    memset(&report, 0, sizeof report);
    rv = to ? r307_table_compile(spec, to, t->pool, &report, &err)
        : r307_table_compile_memory(spec, t->pool, &table, &report, &err);
    if (report.bad_lines) {
        print_errors(t, &report);
        return T307_FOUND;
    }
    if (rv != APR_SUCCESS) {
        return t307_fail(t, "%s", err.text ? err.text : spec->path);
    }
    fprintf(t->out, "%s: %u rules%s%s\n", spec->path, (unsigned)report.rules,
            to ? ", written to " : "", to ? to : "");
    return T307_OK;
}

static int run_compile(t307_t *t, int argc, const char *const *argv)
{
    r307_table_spec_t spec;
    const char *value, *to = NULL, *const *words;
    t307_args_t args;
    int optch, n, status = T307_OK;

    memset(&spec, 0, sizeof spec);
    spec.compile_expr = take_expr;
    t307_args_begin(t, &args, argc, argv);
    while (status == T307_OK
           && (optch = t307_args_next(t, &args, &value)) != 0) {
        switch (optch) {
        case 'm': status = set_match(t, &spec, value); break;
        case 'f': status = set_format(t, &spec, value); break;
        default: to = value; break;
        }
    }
    if (status != T307_OK || args.status != T307_OK || args.done) {
        return status != T307_OK ? status : args.status;
    }
    words = t307_args_words(&args, &n);
    if (n != 1) {
        return t307_usage_error(t, "it takes one rule file, not %d", n);
    }
    spec.path = words[0];
    return compile(t, &spec, to);
}

const t307_command_t t307_compile = {
    "compile", run_compile, "[--match=WHAT] [--format=NAME] [-o TABLE] FILE",
    "check a rule file, and make a table file of it",
    "Every bad line is named with the reason; then the exit status is 1 and\n"
    "nothing is written.\n"
    "\n"
    "  redirect307 compile rules.txt\n",
    compile_options
};

static int verify_one(t307_t *t, const char *file)
{
    r307_table_spec_t spec;
    r307_error_t err = { t->pool, NULL };
    r307_table_t *table;
    const r307_table_header_t *header;

    memset(&spec, 0, sizeof spec);
    spec.path = file;
    spec.compile_expr = take_expr;
    if (r307_table_open(file, &spec, 1, t->pool, &table, &err)
        != APR_SUCCESS) {
        fprintf(t->err, "%s: %s\n", file, err.text ? err.text
                                                   : "cannot be read");
        return T307_FOUND;
    }
    header = r307_table_header(table);
    fprintf(t->out, "%s: good, version %u, %" APR_UINT64_T_FMT " bytes\n",
            file, (unsigned)header->version, header->file_len);
    return T307_OK;
}

static int run_verify(t307_t *t, int argc, const char *const *argv)
{
    const char *value, *const *words;
    t307_args_t args;
    int n, i, status = T307_OK;

    t307_args_begin(t, &args, argc, argv);
    (void)t307_args_next(t, &args, &value);
    if (args.status != T307_OK || args.done) {
        return args.status;
    }
    words = t307_args_words(&args, &n);
    if (n == 0) {
        return t307_usage_error(t, "it takes table files");
    }
    for (i = 0; i < n; i++) {
        int one = verify_one(t, words[i]);
        status = one > status ? one : status;
    }
    return status;
}

const t307_command_t t307_verify = {
    "verify", run_verify, "TABLE...",
    "read table files whole and compare their checksums",
    "  redirect307 verify /var/cache/redirect307/shop.table\n",
    NULL
};
