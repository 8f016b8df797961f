/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns `export`: rules as CSV or JSON, as they were written. Must not know
 * what they mean.
 */
#include "tool/t307_model.h"

#include "core/r307_lines.h"

#include <apr_file_io.h>
#include <apr_strings.h>

#include <jansson.h>

#include <string.h>

#define OPT_FORMAT 0x5001

static const apr_getopt_option_t options[] = {
    T307_MODEL_OPTIONS,
    { "format", OPT_FORMAT, 1, "NAME: csv, or json" },
    { NULL, 0, 0, NULL }
};

#define COLUMNS 9

static const char *const columns[COLUMNS] = {
    "server", "section", "match", "host", "path", "target", "options",
    "file", "line"
};

typedef struct row_t {
    const char *cells[COLUMNS];
} row_t;

typedef struct exporter_t {
    t307_t *t;
    t307_model_t *model;
    apr_pool_t *pool;           /* of a row; cleared behind it */
    int json;
    int rows;
} exporter_t;

/* ---- writing ---- */

static void write_csv(exporter_t *e, const row_t *row)
{
    int i;

    for (i = 0; i < COLUMNS; i++) {
        if (i) {
            fputc(',', e->t->out);
        }
        t307_csv_cell(e->t->out, row->cells[i] ? row->cells[i] : "");
    }
    fputs("\r\n", e->t->out);
}

static void write_json(exporter_t *e, const row_t *row)
{
    json_t *out = json_object();
    int i;

    for (i = 0; i < COLUMNS; i++) {
        const char *cell = row->cells[i];
        json_t *value = cell ? i == COLUMNS - 1
            ? json_integer((json_int_t)apr_atoi64(cell)) : json_string(cell)
            : json_null();
        json_object_set_new(out, columns[i], value
                            ? value : json_string("(no UTF-8)"));
    }
    fputs(e->rows ? ",\n" : "\n", e->t->out);
    json_dumpf(out, e->t->out, 0);
    json_decref(out);
}

static void write_row(exporter_t *e, const row_t *row)
{
    if (e->json) {
        write_json(e, row);
    }
    else {
        write_csv(e, row);
    }
    e->rows++;
    apr_pool_clear(e->pool);
}

static void begin(const exporter_t *e)
{
    row_t heading;

    if (e->json) {
        fputc('[', e->t->out);
        return;
    }
    memcpy(heading.cells, columns, sizeof columns);
    write_csv((exporter_t *)e, &heading);
}

/* ---- rows ---- */

/* As they would stand in a rule file, less `exact`, which is a kind. */
static const char *join(apr_pool_t *pool, int n, const char *const *words)
{
    const char *text = NULL;
    int i;

    for (i = 0; i < n; i++) {
        if (strcmp(words[i], "exact") != 0) {
            const char *word = r307_rulefile_quote(pool, words[i]);
            text = text ? apr_pstrcat(pool, text, " ", word, NULL) : word;
        }
    }
    return text;
}

static int is_exact(int n, const char *const *words)
{
    int i;

    for (i = 0; i < n; i++) {
        if (strcmp(words[i], "exact") == 0) {
            return 1;
        }
    }
    return 0;
}

static const char *match_name(r307_rule_kind_t kind, int exact)
{
    static const char *const names[] = {
        "prefix", "exact", "regex", "section"
    };

    return names[kind == R307_RULE_PREFIX && exact ? R307_RULE_EXACT : kind];
}

static const char *server_name(const exporter_t *e,
                               const t307_server_t *server)
{
    return !e->model->from_server ? NULL
        : server->name ? server->name : "(no name)";
}

static void export_written(exporter_t *e, const t307_server_t *server,
                           const char *section, const t307_place_t *place)
{
    int i;

    for (i = 0; i < place->written->nelts; i++) {
        const t307_written_t *w = &APR_ARRAY_IDX(place->written, i,
                                                 t307_written_t);
        row_t row = { { server_name(e, server), section,
                        match_name(w->rule->kind, 0), NULL, w->path,
                        w->target ? w->target : "geo",
                        join(e->pool, w->noptions, w->options),
                        w->rule->file,
                        apr_itoa(e->pool, w->rule->line) } };
        write_row(e, &row);
    }
}

static void export_line(exporter_t *e, const t307_server_t *server,
                        const char *section, const t307_source_t *source,
                        const r307_line_t *line, apr_uint32_t number)
{
    const r307_rule_spec_t *spec = &line->spec;
    int exact = source->spec.exact || line->exact
                || is_exact(spec->noptions, spec->options);
    row_t row = { { server_name(e, server), section,
                    match_name(spec->kind, exact), line->host, spec->path,
                    spec->geo ? "geo" : spec->target,
                    join(e->pool, spec->noptions, spec->options),
                    source->spec.path,
                    apr_psprintf(e->pool, "%u", (unsigned)number) } };

    write_row(e, &row);
}

static int export_source(exporter_t *e, const t307_server_t *server,
                         const char *section, const t307_source_t *source)
{
    r307_error_t err = { e->model->pool, NULL };
    r307_lines_t lines;
    r307_line_t line;
    apr_pool_t *pool;
    apr_file_t *f;
    apr_size_t len;
    char *text, why[120];
    apr_status_t rv;

    if (source->is_sql) {
        return t307_fail(e->t, "%s: its rules are in a database; "
                         "'redirect307 sql export' writes them",
                         source->label);
    }
    rv = apr_file_open(&f, source->spec.path, APR_FOPEN_READ, 0,
                       e->model->pool);
    if (rv != APR_SUCCESS) {
        return t307_fail(e->t, "%s: %s", source->spec.path,
                         apr_strerror(rv, why, sizeof why));
    }
    apr_pool_create(&pool, e->model->pool);
    r307_lines_begin(&lines, f, e->model->pool);
    while ((rv = r307_lines_next(&lines, &text, &len)) == APR_SUCCESS) {
        rv = r307_rulefile_parse(text, source->spec.format, pool, &line,
                                 &err);
        if (rv == APR_SUCCESS) {
            export_line(e, server, section, source, &line, lines.number);
        }
        else if (rv != APR_NOTFOUND) {
            return t307_fail(e->t, "%s:%u: %s", source->spec.path,
                             (unsigned)lines.number, err.text);
        }
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return rv == APR_EOF ? T307_OK
        : t307_fail(e->t, "%s: %s", source->spec.path,
                    apr_strerror(rv, why, sizeof why));
}

static int export_place(exporter_t *e, const t307_server_t *server,
                        const char *section, const t307_place_t *place)
{
    int i, status = T307_OK;

    export_written(e, server, section, place);
    for (i = 0; status == T307_OK && i < place->sources->nelts; i++) {
        status = export_source(e, server, section, APR_ARRAY_IDX(
            place->sources, i, t307_source_t *));
    }
    return status;
}

static int export_server(exporter_t *e, const t307_server_t *server)
{
    int i, status = export_place(e, server, NULL, &server->place);

    for (i = 0; status == T307_OK && i < server->sections->nelts; i++) {
        const t307_section_t *s = APR_ARRAY_IDX(server->sections, i,
                                                const t307_section_t *);
        status = export_place(e, server, apr_pstrcat(
            e->model->pool, s->kind, " ", s->path, NULL), &s->place);
    }
    return status;
}

static int export_all(exporter_t *e)
{
    int i, status = T307_OK;

    apr_pool_create(&e->pool, e->model->pool);
    begin(e);
    for (i = 0; status == T307_OK && i < e->model->servers->nelts; i++) {
        status = export_server(e, APR_ARRAY_IDX(e->model->servers, i,
                                                const t307_server_t *));
    }
    if (e->json) {
        fputs("\n]\n", e->t->out);
    }
    return status;
}

/* ---- the command ---- */

static int set_format(exporter_t *e, const char *value)
{
    e->json = strcmp(value, "json") == 0;
    return e->json || strcmp(value, "csv") == 0 ? T307_OK
        : t307_usage_error(e->t, "--format is '%s'; write csv or json",
                           value);
}

static int run(t307_t *t, int argc, const char *const *argv)
{
    t307_wanted_t wanted;
    exporter_t e = { t, NULL, NULL, 0, 0 };
    const char *value, *const *words;
    t307_args_t args;
    int optch, n, i, status = T307_OK;

    t307_sources_begin(t, &wanted);
    t307_args_begin(t, &args, argc, argv);
    while (status == T307_OK
           && (optch = t307_args_next(t, &args, &value)) != 0) {
        if (!t307_sources_option(&wanted, optch, value)) {
            status = set_format(&e, value);
        }
    }
    if (status != T307_OK || args.status != T307_OK || args.done) {
        return status != T307_OK ? status : args.status;
    }
    words = t307_args_words(&args, &n);
    for (i = 0; i < n; i++) {
        APR_ARRAY_PUSH(wanted.files, const char *) = words[i];
    }
    e.model = t307_sources_load(t, &wanted, &status);
    return e.model ? export_all(&e) : status;
}

const t307_command_t t307_export = {
    "export", run, "[option...] [FILE...]",
    "write rules as CSV or JSON",
    "Takes rule files, or without any the installed server with its tables.\n"
    "Columns: server, section, match (prefix, exact, regex or section), host,\n"
    "path, target, options, file, line. A geo rule has the target 'geo' and\n"
    "its choices among the options, as in a rule file.\n"
    "\n"
    "  redirect307 export shop.rules > shop.csv\n"
    "  redirect307 export --server --format json\n",
    options
};
