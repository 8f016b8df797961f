/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns `unused` and `top`: what the counters say of rules, by the JSON form
 * of the status page or a saved copy. Of each rule it reads the members name,
 * source, path, hits, first_hit and last_hit, and of the server since; others
 * may come and go.
 */
#include "tool/t307.h"

#include "core/r307_time.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_tables.h>

#include <jansson.h>

#include <stdlib.h>
#include <string.h>

#define OPT_SINCE 0x4001
#define OPT_JSON  0x4002

#define TOP_DEFAULT 10

typedef struct row_t {
    const char *name;
    const char *source;
    const char *path;
    const char *last;           /* as it is there; NULL: never */
    apr_time_t last_time;
    json_int_t hits;
    json_t *json;
} row_t;

typedef struct status_t {
    t307_t *t;
    const char *file;
    json_t *json;
    apr_array_header_t *rows;   /* row_t */
    apr_time_t since;           /* counters began; 0: not said */
    json_int_t total;           /* rules there are; may be more than rows */
} status_t;

/* ---- reading ---- */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text;
}

/* A time as RFC 3339 or in seconds; 0 for none. */
static apr_time_t time_of(status_t *s, const json_t *object,
                          const char *name)
{
    const json_t *value = json_object_get(object, name);
    r307_error_t err = { s->t->pool, NULL };
    apr_time_t time = 0;

    if (json_is_integer(value)) {
        return apr_time_from_sec(json_integer_value(value));
    }
    if (json_is_string(value)) {
        (void)r307_time_parse(json_string_value(value), &time, &err);
    }
    return time;
}

static void add_row(status_t *s, json_t *rule)
{
    row_t *row = apr_array_push(s->rows);

    row->json = rule;
    row->name = text_of(rule, "name");
    row->source = text_of(rule, "source");
    row->path = text_of(rule, "path");
    row->last = text_of(rule, "last_hit");
    row->last_time = time_of(s, rule, "last_hit");
    row->hits = json_integer_value(json_object_get(rule, "hits"));
}

static int read_rules(status_t *s)
{
    json_t *rules = json_object_get(s->json, "rules"), *rule;
    const json_t *server = json_object_get(s->json, "server");
    size_t i;

    if (json_is_object(rules)) {
        s->total = json_integer_value(json_object_get(rules, "total"));
        rules = json_object_get(rules, "items");
    }
    if (!json_is_array(rules)) {
        return t307_fail(s->t, "%s holds no rules; is it what the status "
                         "page gives with ?format=json", s->file);
    }
    s->since = time_of(s, server, "since");
    json_array_foreach(rules, i, rule) {
        if (!json_is_object(rule)
            || !json_is_integer(json_object_get(rule, "hits"))) {
            return t307_fail(s->t, "%s: rule %d has no hits", s->file,
                             (int)i + 1);
        }
        add_row(s, rule);
    }
    if (s->total > (json_int_t)s->rows->nelts) {
        fprintf(s->t->err, "redirect307 %s: %s holds %d of %"
                JSON_INTEGER_FORMAT " rules; ask for more with limit= and "
                "offset=\n", s->t->command->name, s->file, s->rows->nelts,
                s->total);
    }
    return T307_OK;
}

static apr_status_t let_go(void *json)
{
    json_decref(json);
    return APR_SUCCESS;
}

static int read_status(status_t *s)
{
    json_error_t why;

    s->rows = apr_array_make(s->t->pool, 64, sizeof(row_t));
    s->json = json_load_file(s->file, JSON_REJECT_DUPLICATES, &why);
    if (!s->json) {
        return t307_fail(s->t, "%s:%d: %s", s->file,
                         why.line < 0 ? 0 : why.line, why.text);
    }
    apr_pool_cleanup_register(s->t->pool, s->json, let_go,
                              apr_pool_cleanup_null);
    return read_rules(s);
}

/* ---- showing ---- */

static void print_rows(const status_t *s, const apr_array_header_t *rows)
{
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const row_t *row = &APR_ARRAY_IDX(rows, i, row_t);
        fprintf(s->t->out, "%12" JSON_INTEGER_FORMAT "  %-20s  %s%s%s%s\n",
                row->hits, row->last_time ? r307_time_format(
                    s->t->pool, row->last_time) : "never",
                row->name ? row->name : "-",
                row->source && row->name && strcmp(row->source, row->name)
                ? " " : "", row->source && row->name
                && strcmp(row->source, row->name) ? row->source : "",
                row->path ? apr_pstrcat(s->t->pool, " ", row->path, NULL)
                          : "");
    }
}

static void print_json(const status_t *s, const apr_array_header_t *rows)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < rows->nelts; i++) {
        json_array_append(list, APR_ARRAY_IDX(rows, i, row_t).json);
    }
    json_dumpf(list, s->t->out, JSON_INDENT(2));
    fputc('\n', s->t->out);
    json_decref(list);
}

static void print(const status_t *s, const apr_array_header_t *rows, int json)
{
    if (json) {
        print_json(s, rows);
    }
    else {
        print_rows(s, rows);
    }
}

/* ---- unused ---- */

static const apr_getopt_option_t unused_options[] = {
    { "since", OPT_SINCE, 1, "DATE: 2026-01-31, or a time such as "
      "2026-01-31T08:00:00Z" },
    { "json", OPT_JSON, 0, "a JSON array, each rule as it was there" },
    { NULL, 0, 0, NULL }
};

static int set_since(t307_t *t, const char *value, apr_time_t *since)
{
    r307_error_t err = { t->pool, NULL };
    const char *text = strlen(value) == 10
        ? apr_pstrcat(t->pool, value, "T00:00:00Z", NULL) : value;

    return r307_time_parse(text, since, &err) == APR_SUCCESS ? T307_OK
        : t307_usage_error(t, "--since: %s", err.text);
}

static int unused(status_t *s, apr_time_t since, int json)
{
    apr_array_header_t *rows;
    int i, status = read_status(s);

    if (status != T307_OK) {
        return status;
    }
    if (s->since > since) {
        fprintf(s->t->err, "redirect307 unused: the counters began only at "
                "%s\n", r307_time_format(s->t->pool, s->since));
    }
    rows = apr_array_make(s->t->pool, 16, sizeof(row_t));
    for (i = 0; i < s->rows->nelts; i++) {
        const row_t *row = &APR_ARRAY_IDX(s->rows, i, row_t);
        if (!row->last_time || row->last_time < since) {
            APR_ARRAY_PUSH(rows, row_t) = *row;
        }
    }
    print(s, rows, json);
    return rows->nelts ? T307_FOUND : T307_OK;
}

static int run_unused(t307_t *t, int argc, const char *const *argv)
{
    status_t s = { t, NULL, NULL, NULL, 0, 0 };
    const char *value, *const *words;
    apr_time_t since = 0;
    t307_args_t args;
    int optch, n, json = 0, status = T307_OK;

    t307_args_begin(t, &args, argc, argv);
    while (status == T307_OK
           && (optch = t307_args_next(t, &args, &value)) != 0) {
        if (optch == OPT_SINCE) {
            status = set_since(t, value, &since);
        }
        else {
            json = 1;
        }
    }
    if (status != T307_OK || args.status != T307_OK || args.done) {
        return status != T307_OK ? status : args.status;
    }
    words = t307_args_words(&args, &n);
    if (n != 1 || !since) {
        return t307_usage_error(t, !since ? "it needs --since"
                                : "it takes one file, not %d", n);
    }
    s.file = words[0];
    return unused(&s, since, json);
}

const t307_command_t t307_unused = {
    "unused", run_unused, "--since DATE [--json] STATUS.json",
    "list rules that nobody has used since a date",
    "Reads what the status page gives with ?format=json, '-' for standard\n"
    "input. Exit status 1 when there are such rules.\n"
    "\n"
    "  curl -s 'http://localhost/redirect307-status?format=json' |\n"
    "      redirect307 unused --since 2026-01-01 -\n",
    unused_options
};

/* ---- top ---- */

static const apr_getopt_option_t top_options[] = {
    { "number", 'n', 1, "N: so many; 10 without it" },
    { "json", OPT_JSON, 0, "a JSON array, each rule as it was there" },
    { NULL, 0, 0, NULL }
};

/* Most hits first; else by name, so that the order never changes by chance. */
static int by_hits(const void *a, const void *b)
{
    const row_t *x = a, *y = b;

    if (x->hits != y->hits) {
        return x->hits < y->hits ? 1 : -1;
    }
    return strcmp(x->name ? x->name : "", y->name ? y->name : "");
}

static int set_number(t307_t *t, const char *value, int *number)
{
    char *end;
    apr_int64_t n = apr_strtoi64(value, &end, 10);

    *number = (int)n;
    return apr_isdigit(*value) && !*end && n > 0 && n <= 1000000000
        ? T307_OK : t307_usage_error(t, "-n '%s' is no number from 1 on",
                                     value);
}

static int run_top(t307_t *t, int argc, const char *const *argv)
{
    status_t s = { t, NULL, NULL, NULL, 0, 0 };
    const char *value, *const *words;
    t307_args_t args;
    int optch, n, number = TOP_DEFAULT, json = 0, status = T307_OK;

    t307_args_begin(t, &args, argc, argv);
    while (status == T307_OK
           && (optch = t307_args_next(t, &args, &value)) != 0) {
        if (optch == 'n') {
            status = set_number(t, value, &number);
        }
        else {
            json = 1;
        }
    }
    if (status != T307_OK || args.status != T307_OK || args.done) {
        return status != T307_OK ? status : args.status;
    }
    words = t307_args_words(&args, &n);
    if (n != 1) {
        return t307_usage_error(t, "it takes one file, not %d", n);
    }
    s.file = words[0];
    status = read_status(&s);
    if (status == T307_OK) {
        qsort(s.rows->elts, (size_t)s.rows->nelts, sizeof(row_t), by_hits);
        s.rows->nelts = number < s.rows->nelts ? number : s.rows->nelts;
        print(&s, s.rows, json);
    }
    return status;
}

const t307_command_t t307_top = {
    "top", run_top, "[-n N] [--json] STATUS.json",
    "list the rules that are used most",
    "Reads what the status page gives with ?format=json, '-' for standard\n"
    "input. Columns: hits, last hit, rule.\n"
    "\n"
    "  redirect307 top -n 20 status.json\n",
    top_options
};
