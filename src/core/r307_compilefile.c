/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns rule files: reading one, and what is reported of its bad lines. Must
 * not know what becomes of a line (r307_compile.c). The functions are
 * declared in r307_table.h.
 */
#include "core/r307_compile.h"

#include "core/r307_lines.h"

#include <apr_strings.h>

/* A line of about this length is assumed when the table is sized. */
#define USUAL_LINE 72

typedef struct reader_t {
    r307_compiler_t compiler;
    const r307_table_spec_t *spec;
    r307_table_report_t *report;
    apr_uint32_t line;
} reader_t;

/* The report must outlive the compiler. */
static void add_error(reader_t *r, const char *text)
{
    r307_table_report_t *report = r->report;

    report->bad_lines++;
    r->compiler.judge_only = 1;
    if (report->nerrors < R307_TABLE_ERRORS_MAX) {
        report->errors[report->nerrors++] =
            apr_psprintf(r->compiler.pool, "%s:%u: %s", r->spec->path,
                         (unsigned)r->line, text);
    }
}

static const char line_too_long[] =
    "R307-0511: the line is longer than 65535 bytes; split it";
static const char line_has_nul[] =
    "R307-0512: the line holds a NUL byte; a rule file is text";

/* Only an error that is not the line's own is returned. */
static apr_status_t take_line(reader_t *r, char *text, apr_size_t len)
{
    r307_error_t err = { NULL, NULL };
    apr_status_t rv;

    if (len > R307_RULEFILE_LINE_MAX) {
        add_error(r, line_too_long);
        return APR_SUCCESS;
    }
    if (memchr(text, '\0', len)) {
        add_error(r, line_has_nul);
        return APR_SUCCESS;
    }
    rv = r307_compiler_line(&r->compiler, r->line, text, &err);
    if (rv == APR_EINVAL) {
        add_error(r, err.text);
    }
    r->report->rules += rv == APR_SUCCESS && !r->report->bad_lines;
    return rv == APR_EINVAL || rv == APR_NOTFOUND ? APR_SUCCESS : rv;
}

static apr_status_t read_lines(reader_t *r, apr_file_t *f)
{
    r307_lines_t lines;
    apr_status_t rv;
    apr_size_t len;
    char *text;

    r307_lines_begin(&lines, f, r->compiler.pool);
    for (;;) {
        rv = r307_lines_next(&lines, &text, &len);
        if (rv != APR_SUCCESS) {
            return rv == APR_EOF ? APR_SUCCESS : rv;
        }
        r->line = lines.number;
        rv = take_line(r, text, len);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
}

static apr_status_t open_source(const r307_table_spec_t *spec,
                                apr_pool_t *pool, apr_file_t **f,
                                r307_table_source_t *source,
                                r307_error_t *err)
{
    apr_status_t rv = r307_table_stat(spec, pool, source);
    char why[120];

    if (rv == APR_SUCCESS) {
        rv = apr_file_open(f, spec->path, APR_FOPEN_READ, 0, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = r307_table_source_of(spec, *f, source);
    }
    if (rv != APR_SUCCESS) {
        r307_error_set(err, "R307-0513: the rule file '%s' cannot be read: "
                       "%s", spec->path, apr_strerror(rv, why, sizeof why));
        return rv;
    }
    if (spec->size_max && source->size > spec->size_max) {
        return r307_error_set(err, "R307-0514: the rule file '%s' has %"
                              APR_UINT64_T_FMT " bytes, and %lu are "
                              "allowed; make it smaller, or raise "
                              "Redirect307FileMax in the server "
                              "configuration", spec->path, source->size,
                              (unsigned long)spec->size_max);
    }
    return APR_SUCCESS;
}

/* Read and validate everything. */
static apr_status_t compile(reader_t *r, r307_table_header_t *header,
                            r307_error_t *err)
{
    apr_file_t *f;
    apr_status_t rv = open_source(r->spec, r->compiler.pool, &f,
                                  &header->source, err);
    char why[120];

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = r307_compiler_expect(&r->compiler, (apr_size_t)(header->source.size
                                                         / USUAL_LINE),
                              ~(apr_uint32_t)0);
    if (rv == APR_SUCCESS) {
        rv = read_lines(r, f);
    }
    apr_file_close(f);
    if (rv == APR_ENOSPC || rv == APR_ENAMETOOLONG) {
        return r307_error_set(err, "R307-0515: the rule file '%s' has more "
                              "rules, or at line %u a longer name or path, "
                              "than a table can hold", r->spec->path,
                              (unsigned)r->line);
    }
    if (rv != APR_SUCCESS) {
        r307_error_set(err, "R307-0517: the rule file '%s' cannot be "
                       "compiled: %s", r->spec->path,
                       apr_strerror(rv, why, sizeof why));
        return rv;
    }
    return r->report->bad_lines
        ? r307_error_set(err, "R307-0516: the rule file '%s' has %u bad "
                         "line%s", r->spec->path,
                         (unsigned)r->report->bad_lines,
                         r->report->bad_lines == 1 ? "" : "s")
        : APR_SUCCESS;
}

static void begin(reader_t *r, const r307_table_spec_t *spec,
                  apr_pool_t *pool, r307_table_report_t *report)
{
    memset(report, 0, sizeof *report);
    r->spec = spec;
    r->report = report;
    r->line = 0;
    r307_compiler_begin(&r->compiler, spec, pool);
}

/* What the report and the error say must outlive the compiler's pool. */
static void end(reader_t *r, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < r->report->nerrors; i++) {
        r->report->errors[i] = apr_pstrdup(pool, r->report->errors[i]);
    }
    r307_compiler_end(&r->compiler);
}

apr_status_t r307_table_compile(const r307_table_spec_t *spec, const char *to,
                                apr_pool_t *pool,
                                r307_table_report_t *report,
                                r307_error_t *err)
{
    r307_table_header_t header;
    r307_block_t block;
    reader_t r;
    apr_status_t rv;

    memset(&header, 0, sizeof header);
    begin(&r, spec, pool, report);
    rv = compile(&r, &header, err);
    if (rv == APR_SUCCESS) {
        rv = r307_block_create_file(&block, to, r.compiler.pool, err);
        if (rv == APR_SUCCESS) {
            rv = r307_block_close(&block, r307_compiler_write(&r.compiler,
                                                              &header, NULL,
                                                              &block), err);
        }
    }
    end(&r, pool);
    return rv;
}

apr_status_t r307_table_compile_memory(const r307_table_spec_t *spec,
                                       apr_pool_t *pool, r307_table_t **out,
                                       r307_table_report_t *report,
                                       r307_error_t *err)
{
    r307_table_header_t header;
    r307_block_t block;
    reader_t r;
    apr_status_t rv;

    memset(&header, 0, sizeof header);
    begin(&r, spec, pool, report);
    rv = compile(&r, &header, err);
    if (rv == APR_SUCCESS) {
        r307_block_create_memory(&block, pool);
        rv = r307_compiler_write(&r.compiler, &header, NULL, &block);
    }
    end(&r, pool);
    return rv == APR_SUCCESS
        ? r307_table_over(block.memory, block.len, spec, 0, pool, out, err)
        : rv;
}
