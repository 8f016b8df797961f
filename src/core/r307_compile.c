/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the way from a rule file to a table's block. Must not know how a
 * table is read. The functions are declared in r307_table.h.
 */
#include "core/r307_table.h"

#include "core/r307_block.h"
#include "core/r307_lines.h"
#include "core/r307_options.h"

#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>

/* Lines between two clearings of the pool that rules are validated in. */
#define LINES_PER_POOL 256

/* A line of about this length is assumed when the table is sized. */
#define USUAL_LINE 72

typedef struct compiler_t {
    const r307_table_spec_t *spec;
    apr_pool_t *pool;           /* for as long as compiling takes */
    apr_pool_t *line_pool;
    r307_indexer_t *ix;
    apr_hash_t *option_ids;     /* text of a set -> number + 1 */
    apr_array_header_t *options;    /* const char * */
    apr_array_header_t *prepared;   /* r307_ref_t */
    r307_table_report_t *report;
    apr_uint32_t line;
} compiler_t;

static void add_error(compiler_t *c, const char *text, apr_pool_t *pool)
{
    r307_table_report_t *report = c->report;

    report->bad_lines++;
    if (report->nerrors < R307_TABLE_ERRORS_MAX) {
        report->errors[report->nerrors++] =
            apr_psprintf(pool, "%s:%u: %s", c->spec->path,
                         (unsigned)c->line, text);
    }
}

/* The options as one string, without name=, which is nearly never the same
 * twice. */
static const char *option_text(const r307_line_t *line, apr_pool_t *pool)
{
    const char *text = "";
    int i;

    for (i = 0; i < line->spec.noptions; i++) {
        const char *word = line->spec.options[i];
        if (strncmp(word, "name=", 5) != 0) {
            text = apr_pstrcat(pool, text, *text ? "\n" : "", word, NULL);
        }
    }
    return text;
}

static apr_uint32_t option_set(compiler_t *c, const char *text)
{
    apr_uintptr_t id = (apr_uintptr_t)apr_hash_get(c->option_ids, text,
                                                   APR_HASH_KEY_STRING);

    if (id == 0) {
        text = apr_pstrdup(c->pool, text);
        APR_ARRAY_PUSH(c->options, const char *) = text;
        id = (apr_uintptr_t)c->options->nelts;
        apr_hash_set(c->option_ids, text, APR_HASH_KEY_STRING, (void *)id);
    }
    return (apr_uint32_t)id - 1;
}

/* Rules that hold compiled forms cannot lie in a block. */
static int needs_preparing(const r307_rule_t *rule)
{
    const r307_target_t *t = rule->target;
    int i;

    if (rule->kind == R307_RULE_REGEX || rule->choices || t->site
        || (rule->when && rule->when->expr_text)) {
        return 1;
    }
    for (i = 0; i < t->nparts; i++) {
        if (t->parts[i].kind != R307_PART_TEXT) {
            return 1;
        }
    }
    return 0;
}

/* The target's parts as one text again, encoded and final. */
static const char *plain_target(const r307_target_t *t, apr_pool_t *pool)
{
    const char *text = "";
    int i;

    if (t->kind == R307_TARGET_STOP) {
        return "-";
    }
    for (i = 0; i < t->nparts; i++) {
        text = i == 0 ? t->parts[0].text
            : apr_pstrcat(pool, text, t->parts[i].text, NULL);
    }
    return text;
}

/* Length of ":port" in a literal authority. */
static apr_size_t port_len(const r307_target_t *t)
{
    return t->authority_len
        ? t->authority_len - t->scheme_len - 3 - t->authority.host_len : 0;
}

static apr_status_t add_entry(compiler_t *c, const r307_line_t *line,
                              const r307_rule_t *rule, const char *raw,
                              int named)
{
    r307_entry_t entry;
    r307_ref_t ref;
    int prepare = needs_preparing(rule);
    apr_status_t rv;

    memset(&entry, 0, sizeof entry);
    entry.record.order = c->line;
    entry.record.kind = (unsigned char)rule->kind;
    entry.host = line->host;
    entry.path = rule->kind == R307_RULE_REGEX
        ? r307_regex_literal(rule->regex)->key : rule->path;
    if (prepare) {
        entry.record.flags = R307_RECORD_PREPARED;
        entry.record.options = (apr_uint32_t)c->prepared->nelts;
        entry.target = raw;
    }
    else {
        entry.record.options = option_set(c, option_text(line,
                                                         c->line_pool));
        entry.record.scheme_len = (unsigned char)rule->target->scheme_len;
        entry.record.authority_len =
            (apr_uint16_t)rule->target->authority_len;
        entry.record.port_len = (unsigned char)port_len(rule->target);
        entry.target = plain_target(rule->target, c->line_pool);
        entry.record.flags = strpbrk(entry.target, "?#") ? R307_RECORD_TAIL
                                                         : 0;
        entry.name = named ? rule->name : NULL;
    }
    rv = r307_indexer_add(c->ix, &entry, &ref);
    if (rv == APR_SUCCESS && prepare) {
        APR_ARRAY_PUSH(c->prepared, r307_ref_t) = ref;
    }
    return rv;
}

static int has_name(const r307_line_t *line)
{
    int i;

    for (i = 0; i < line->spec.noptions; i++) {
        if (strncmp(line->spec.options[i], "name=", 5) == 0) {
            return 1;
        }
    }
    return 0;
}

/* What a rule may do depends on the server. */
static apr_status_t judge(const r307_table_spec_t *spec,
                          const r307_rule_t *rule, r307_error_t *err)
{
    const r307_target_t *computed = r307_rule_computed_host(rule);
    const char *site = r307_rule_unknown_site(rule, spec->sites);

    if (computed && !spec->allowed_hosts) {
        return r307_error_set(err, "R307-0510: the target '%s' lets the "
                              "request decide which host the client is sent "
                              "to; write the host, or name the hosts that "
                              "may result with Redirect307AllowTo",
                              computed->written);
    }
    return !site ? APR_SUCCESS
        : r307_error_set(err, "R307-0518: there is no site '%s'; define it "
                         "with Redirect307Site in the server configuration",
                         site);
}

/* One line. Only an error that is not the line's own is returned. */
static apr_status_t add_line(compiler_t *c, char *text)
{
    r307_rule_env_t env = { c->line_pool,
                            c->spec->regex_flags & ~R307_REGEX_JIT,
                            c->spec->compile_expr, c->spec->ctx };
    r307_error_t err = { c->line_pool, NULL };
    const char *raw;
    r307_line_t line;
    r307_rule_t *rule;
    apr_status_t rv;

    /* parsing takes the line apart, and a prepared rule is kept as it was */
    raw = strpbrk(text, "~%=") || strstr(text, "site:")
        ? apr_pstrdup(c->line_pool, text) : "";
    rv = r307_rulefile_parse(text, c->spec->format, c->line_pool, &line,
                             &err);
    if (rv == APR_NOTFOUND) {
        return APR_SUCCESS;
    }
    line.spec.file = c->spec->path;
    line.spec.line = (int)c->line;
    if (rv == APR_SUCCESS) {
        rv = r307_rule_create_in_file(&env, &line, c->spec->exact, &rule,
                                      &err);
    }
    if (rv == APR_SUCCESS) {
        rv = judge(c->spec, rule, &err);
    }
    if (rv != APR_SUCCESS) {
        add_error(c, err.text, c->report->nerrors < R307_TABLE_ERRORS_MAX
                  ? c->pool : c->line_pool);
        return APR_SUCCESS;
    }
    if (c->report->bad_lines) {
        return APR_SUCCESS;     /* nothing will be written any more */
    }
    rv = add_entry(c, &line, rule, raw, has_name(&line));
    c->report->rules++;
    return rv;
}

static const char line_too_long[] =
    "R307-0511: the line is longer than 65535 bytes; split it";
static const char line_has_nul[] =
    "R307-0512: the line holds a NUL byte; a rule file is text";

static apr_status_t take_line(compiler_t *c, char *text, apr_size_t len)
{
    if (len > R307_RULEFILE_LINE_MAX) {
        add_error(c, line_too_long, c->pool);
        return APR_SUCCESS;
    }
    if (memchr(text, '\0', len)) {
        add_error(c, line_has_nul, c->pool);
        return APR_SUCCESS;
    }
    return add_line(c, text);
}

static apr_status_t read_lines(compiler_t *c, apr_file_t *f)
{
    r307_lines_t lines;
    apr_status_t rv;
    apr_size_t len;
    char *text;

    r307_lines_begin(&lines, f, c->pool);
    for (;;) {
        rv = r307_lines_next(&lines, &text, &len);
        if (rv != APR_SUCCESS) {
            return rv == APR_EOF ? APR_SUCCESS : rv;
        }
        c->line = lines.number;
        rv = take_line(c, text, len);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (c->line % LINES_PER_POOL == 0) {
            apr_pool_clear(c->line_pool);
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
static apr_status_t compile(compiler_t *c, r307_table_header_t *header,
                            r307_error_t *err)
{
    apr_file_t *f;
    apr_status_t rv = open_source(c->spec, c->pool, &f, &header->source,
                                  err);
    char why[120];

    if (rv != APR_SUCCESS) {
        return rv;
    }
    c->ix = r307_indexer_create(c->pool,
                                (apr_size_t)(header->source.size
                                             / USUAL_LINE),
                                ~(apr_uint32_t)0);
    rv = c->ix ? read_lines(c, f) : APR_ENOMEM;
    apr_file_close(f);
    if (rv == APR_ENOSPC) {
        return r307_error_set(err, "R307-0515: the rule file '%s' has more "
                              "rules, or at line %u a longer name or path, "
                              "than a table can hold", c->spec->path,
                              (unsigned)c->line);
    }
    if (rv != APR_SUCCESS) {
        r307_error_set(err, "R307-0517: the rule file '%s' cannot be "
                       "compiled: %s", c->spec->path,
                       apr_strerror(rv, why, sizeof why));
        return rv;
    }
    return c->report->bad_lines
        ? r307_error_set(err, "R307-0516: the rule file '%s' has %u bad "
                         "line%s", c->spec->path,
                         (unsigned)c->report->bad_lines,
                         c->report->bad_lines == 1 ? "" : "s")
        : APR_SUCCESS;
}

/* The option sets, each with its NUL, as one piece padded to 8. */
static apr_status_t write_options(compiler_t *c, r307_table_header_t *header,
                                  r307_block_t *block)
{
    apr_size_t len = 0;
    char *text, *to;
    int i;

    for (i = 0; i < c->options->nelts; i++) {
        len += strlen(APR_ARRAY_IDX(c->options, i, const char *)) + 1;
    }
    header->options = (apr_uint32_t)c->options->nelts;
    header->options_len = len;
    to = text = apr_pcalloc(c->pool, len + 8);
    for (i = 0; i < c->options->nelts; i++) {
        to = apr_cpystrn(to, APR_ARRAY_IDX(c->options, i, const char *),
                         len + 1) + 1;
    }
    return r307_block_add(block, text, (len + 7) & ~(apr_size_t)7);
}

static apr_status_t write_block(compiler_t *c, r307_table_header_t *header,
                                r307_block_t *block)
{
    apr_status_t rv = r307_indexer_write(c->ix, &header->index,
                                         r307_block_add, block);

    if (rv == APR_SUCCESS) {
        rv = write_options(c, header, block);
    }
    header->prepared = (apr_uint32_t)c->prepared->nelts;
    if (c->prepared->nelts % 2) {
        APR_ARRAY_PUSH(c->prepared, r307_ref_t) = 0;    /* padding */
    }
    if (rv == APR_SUCCESS) {
        rv = r307_block_add(block, c->prepared->elts,
                            (apr_size_t)c->prepared->nelts
                            * sizeof(r307_ref_t));
    }
    return rv == APR_SUCCESS ? r307_block_finish(block, header) : rv;
}

static void begin(compiler_t *c, const r307_table_spec_t *spec,
                  apr_pool_t *pool, r307_table_report_t *report)
{
    memset(c, 0, sizeof *c);
    memset(report, 0, sizeof *report);
    c->spec = spec;
    apr_pool_create(&c->pool, pool);
    apr_pool_create(&c->line_pool, c->pool);
    c->option_ids = apr_hash_make(c->pool);
    c->options = apr_array_make(c->pool, 16, sizeof(const char *));
    c->prepared = apr_array_make(c->pool, 16, sizeof(r307_ref_t));
    c->report = report;
}

/* What the report and the error say must outlive the compiler's pool. */
static void end(compiler_t *c, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < c->report->nerrors; i++) {
        c->report->errors[i] = apr_pstrdup(pool, c->report->errors[i]);
    }
    apr_pool_destroy(c->pool);
}

apr_status_t r307_table_compile(const r307_table_spec_t *spec, const char *to,
                                apr_pool_t *pool,
                                r307_table_report_t *report,
                                r307_error_t *err)
{
    r307_table_header_t header;
    r307_block_t block;
    compiler_t c;
    apr_status_t rv;

    memset(&header, 0, sizeof header);
    begin(&c, spec, pool, report);
    rv = compile(&c, &header, err);
    if (rv == APR_SUCCESS) {
        rv = r307_block_create_file(&block, to, c.pool, err);
        if (rv == APR_SUCCESS) {
            rv = r307_block_close(&block, write_block(&c, &header, &block),
                                  err);
        }
    }
    end(&c, pool);
    return rv;
}

apr_status_t r307_table_compile_memory(const r307_table_spec_t *spec,
                                       apr_pool_t *pool, r307_table_t **out,
                                       r307_table_report_t *report,
                                       r307_error_t *err)
{
    r307_table_header_t header;
    r307_block_t block;
    compiler_t c;
    apr_status_t rv;

    memset(&header, 0, sizeof header);
    begin(&c, spec, pool, report);
    rv = compile(&c, &header, err);
    if (rv == APR_SUCCESS) {
        r307_block_create_memory(&block, pool);
        rv = write_block(&c, &header, &block);
    }
    end(&c, pool);
    return rv == APR_SUCCESS
        ? r307_table_over(block.memory, block.len, spec, 0, pool, out, err)
        : rv;
}
