/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns `sql export`: a rule set as rule file, CSV or JSON. Must not know how
 * it is read.
 */
#include "tool/t307_sql.h"

#include <apr_strings.h>

#include <jansson.h>

#include <string.h>

#define OPT_FORMAT 0x6201

static const apr_getopt_option_t options[] = {
    T307_SQL_OPTIONS,
    T307_SQL_OPTION_RULESET,
    { "format", OPT_FORMAT, 1, "NAME: rules, csv or json" },
    { NULL, 0, 0, NULL }
};

typedef enum format_t {
    FORMAT_RULES,
    FORMAT_CSV,
    FORMAT_JSON
} format_t;

#define COLUMNS 11

static const char *const names[COLUMNS] = {
    "id", "ruleset", "host", "kind", "path", "target", "options",
    "valid_from", "valid_until", "enabled", "note"
};

typedef struct exporter_t {
    t307_sql_t s;
    format_t format;
    apr_uint64_t rows;
    apr_uint64_t bad;           /* rows that no rule file can say */
} exporter_t;

static void cells_of(const t307_sqlrule_t *rule, const char **cells)
{
    const char *all[COLUMNS] = {
        rule->id, rule->ruleset, rule->row.host, rule->row.kind,
        rule->row.path, rule->row.target, rule->row.options,
        rule->from ? rule->from : "", rule->until ? rule->until : "",
        rule->enabled ? "1" : "0", rule->note
    };

    memcpy(cells, all, sizeof all);
}

static void write_csv(FILE *out, const char *const *cells)
{
    int i;

    for (i = 0; i < COLUMNS; i++) {
        if (i) {
            fputc(',', out);
        }
        t307_csv_cell(out, cells[i]);
    }
    fputs("\r\n", out);
}

json_t *t307_sqlexport_json(const t307_sqlrule_t *rule)
{
    const char *cells[COLUMNS];
    json_t *out = json_object();
    int i;

    cells_of(rule, cells);
    json_object_set_new(out, names[0], json_integer(
        (json_int_t)apr_atoi64(cells[0])));
    for (i = 1; i < COLUMNS; i++) {
        json_t *value = json_string(cells[i]);
        json_object_set_new(out, names[i], value
                            ? value : json_string("(no UTF-8)"));
    }
    if (!rule->from) {
        json_object_set_new(out, names[7], json_null());
    }
    if (!rule->until) {
        json_object_set_new(out, names[8], json_null());
    }
    json_object_set_new(out, names[9], json_boolean(rule->enabled));
    return out;
}

static void write_json(exporter_t *e, const t307_sqlrule_t *rule)
{
    json_t *out = t307_sqlexport_json(rule);

    fputs(e->rows ? ",\n" : "\n", e->s.t->out);
    json_dumpf(out, e->s.t->out, 0);
    json_decref(out);
}

/* A note is free text: it must not end its comment. */
static void write_note(FILE *out, const char *note)
{
    fputs("# ", out);
    for (; *note; note++) {
        fputc((unsigned char)*note < 0x20 || *note == 0x7f ? ' ' : *note,
              out);
    }
    fputc('\n', out);
}

static void write_rule(exporter_t *e, const t307_sqlrule_t *rule,
                       apr_pool_t *pool)
{
    FILE *out = e->s.t->out;
    r307_error_t err = { pool, NULL };
    const char *line = t307_sqlrule_line(rule, pool, &err);

    if (*rule->note) {
        write_note(out, rule->note);
    }
    if (line) {
        fprintf(out, "%s%s\n", rule->enabled ? "" : "# disabled: ", line);
        return;
    }
    e->bad++;
    fprintf(out, "# rule %s: %s\n", rule->id, err.text);
    fprintf(e->s.t->err, "rule %s: %s\n", rule->id, err.text);
}

static int visit(void *ctx, const t307_sqlrule_t *rule, apr_pool_t *pool)
{
    exporter_t *e = ctx;
    const char *cells[COLUMNS];

    switch (e->format) {
    case FORMAT_RULES:
        write_rule(e, rule, pool);
        break;
    case FORMAT_CSV:
        cells_of(rule, cells);
        write_csv(e->s.t->out, cells);
        break;
    default:
        write_json(e, rule);
        break;
    }
    e->rows++;
    return T307_OK;
}

static int export_all(exporter_t *e)
{
    FILE *out = e->s.t->out;
    int status = t307_sql_open(&e->s);

    if (status == T307_OK) {
        status = t307_sql_begin_reading(&e->s);
    }
    if (status != T307_OK) {
        return status;
    }
    if (e->format == FORMAT_CSV) {
        write_csv(out, names);
    }
    else if (e->format == FORMAT_JSON) {
        fputc('[', out);
    }
    status = t307_sql_end(&e->s, t307_sqlrule_walk(&e->s, 0, visit, e));
    if (e->format == FORMAT_JSON) {
        fputs(e->rows ? "\n]\n" : "]\n", out);
    }
    return status == T307_OK && e->bad ? T307_FOUND : status;
}

static int set_format(exporter_t *e, const char *value)
{
    static const char *const formats[] = { "rules", "csv", "json" };
    int i;

    for (i = 0; i < 3; i++) {
        if (strcmp(value, formats[i]) == 0) {
            e->format = (format_t)i;
            return T307_OK;
        }
    }
    return t307_usage_error(e->s.t, "--format is '%s'; write rules, csv or "
                            "json", t307_sql_shown(&e->s, value));
}

static int run(t307_t *t, int argc, const char *const *argv)
{
    exporter_t e;
    const char *value;
    t307_args_t args;
    int optch, n, status = T307_OK;

    memset(&e, 0, sizeof e);
    t307_sql_init(&e.s, t);
    t307_args_begin(t, &args, argc, argv);
    while (status == T307_OK
           && (optch = t307_args_next(t, &args, &value)) != 0) {
        if (!t307_sql_option(&e.s, optch, value)) {
            status = set_format(&e, value);
        }
    }
    if (status != T307_OK || args.status != T307_OK || args.done) {
        return status != T307_OK ? status : args.status;
    }
    (void)t307_args_words(&args, &n);
    if (n) {
        return t307_usage_error(t, "it takes no words, not %d", n);
    }
    status = t307_sql_settle(&e.s, 1);
    return status != T307_OK ? status : export_all(&e);
}

const t307_command_t t307_sql_export_command = {
    "sql export", run, "--ruleset NAME [option...]",
    "write a rule set as rule file, CSV or JSON",
    "What is written is the state of one instant, in the order of ids. In a "
    "rule\n"
    "file notes are comments, and so are rules that are not enabled.\n"
    "\n"
    "  redirect307 sql export --sqlite rules.db --ruleset shop > shop.rules\n"
    "  redirect307 sql export --ruleset shop --format json\n",
    options
};
