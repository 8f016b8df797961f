/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the command `import`: its options, reading the source, and saying
 * what was carried over and what was not. Must not know how any format is
 * read.
 */
#include "tool/t307_import.h"

#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

const t307_import_format_t *const t307_import_formats[] = {
    &t307_import_netlify,
    &t307_import_cloudflare,
    &t307_import_rewritemap,
    &t307_import_nginx,
    &t307_import_haproxy,
    &t307_import_vercel,
    &t307_import_next,
    &t307_import_httpd,
    NULL
};

static const apr_getopt_option_t options[] = {
    { "to", 't', 1, "FORM: directives or rules; without it, what the source "
      "needs" },
    { "output", 'o', 1, "FILE: write there and not to standard output" },
    T307_IMPORT_OPTIONS,
    { NULL, 0, 0, NULL }
};

static int usage_one_of(const t307_t *t, const char *option,
                        const char *value, const char *list)
{
    return t307_usage_error(t, "--%s is '%s'; write one of: %s", option,
                            value, list);
}

static int take_to(const t307_t *t, t307_import_t *im, const char *value)
{
    im->to = strcmp(value, "rules") == 0 ? T307_IMPORT_TO_RULES
                                         : T307_IMPORT_TO_DIRECTIVES;
    return im->to == T307_IMPORT_TO_RULES || strcmp(value, "directives") == 0
        ? T307_OK : usage_one_of(t, "to", value, "directives rules");
}

int t307_import_option(t307_import_t *im, int optch, const char *value)
{
    switch (optch) {
    case 'a': im->all = 1; return 1;
    case 'b': im->base = value; return 1;
    case 'k': im->key = value; return 1;
    case 'y': im->type = value; return 1;
    case 'q': im->query = value; return 1;
    case 'c': im->same_case = 1; return 1;
    case 'n': im->no_files = 1; return 1;
    case 's': im->suffix = value; return 1;
    default: return 0;
    }
}

static int take_option(const t307_t *t, t307_import_t *im, int optch,
                       const char *value, const char **to)
{
    if (optch == 't') {
        return take_to(t, im, value);
    }
    if (!t307_import_option(im, optch, value)) {
        *to = value;
    }
    return T307_OK;
}

const t307_import_format_t *t307_import_find(const char *name)
{
    int i;

    for (i = 0; t307_import_formats[i]; i++) {
        if (strcmp(t307_import_formats[i]->name, name) == 0) {
            return t307_import_formats[i];
        }
    }
    return NULL;
}

const char *t307_import_names(apr_pool_t *pool)
{
    const char *all = "";
    int i;

    for (i = 0; t307_import_formats[i]; i++) {
        all = apr_pstrcat(pool, all, i ? ", " : "",
                          t307_import_formats[i]->name, NULL);
    }
    return all;
}

int t307_import_check(const t307_t *t, t307_import_t *im)
{
    const t307_import_format_t *f = im->format;

    if (im->key && !(f->keys && t307_import_is_one_of(im->key, f->keys))) {
        return usage_one_of(t, "key", im->key, f->keys ? f->keys : "(none)");
    }
    if (im->type && !(f->types
                      && t307_import_is_one_of(im->type, f->types))) {
        return usage_one_of(t, "type", im->type,
                            f->types ? f->types : "(none)");
    }
    if (im->query && !t307_import_is_one_of(im->query, "keep append drop")) {
        return usage_one_of(t, "query", im->query, "keep append drop");
    }
    if (im->suffix && !t307_import_is_one_of(im->suffix, "preserve drop")) {
        return usage_one_of(t, "suffix", im->suffix, "preserve drop");
    }
    if (im->base && *im->base != '/') {
        return t307_usage_error(t, "--base is '%s'; write a URL-path, from "
                                "the slash on", im->base);
    }
    return T307_OK;
}

static int by_line(const void *a, const void *b)
{
    const t307_import_report_t *x = a, *y = b;
    int files = strcmp(x->file, y->file);

    return files ? files : x->line != y->line ? x->line - y->line
        : strcmp(x->text, y->text);
}

static void print_reports(const t307_t *t, const t307_import_t *im,
                          int *losses, int *warnings)
{
    int i;

    for (i = 0; i < im->reports->nelts; i++) {
        const t307_import_report_t *r =
            &APR_ARRAY_IDX(im->reports, i, t307_import_report_t);
        if (i && by_line(r - 1, r) == 0) {
            continue;           /* of a line that became two rules */
        }
        fprintf(t->err, "%s:%d: %s%s\n", r->file, r->line,
                r->loss ? "not imported: " : "warning: ", r->text);
        *losses += r->loss;
        *warnings += !r->loss;
    }
}

static int count_rules(const t307_import_t *im)
{
    int i, n = 0;

    for (i = 0; i < im->entries->nelts; i++) {
        n += APR_ARRAY_IDX(im->entries, i, t307_import_entry_t).role
             == T307_IMPORT_RULE;
    }
    return n;
}

static int write_output(t307_t *t, const char *text, const char *to)
{
    FILE *f = to ? fopen(to, "w") : t->out;

    if (!f) {
        return t307_fail(t, "%s cannot be written", to);
    }
    fputs(text, f);
    if (to && (ferror(f) | fclose(f))) {
        return t307_fail(t, "%s could not be written whole", to);
    }
    return T307_OK;
}

int t307_import_load(t307_t *t, t307_import_t *im, const char *path,
                     int *losses, int *warnings)
{
    *losses = *warnings = 0;
    if (im->format->read_path) {
        im->format->read_path(im, path);
    }
    else {
        t307_import_read_file(im, path, im->format->read);
    }
    if (im->failed) {
        return t307_fail(t, "%s", im->failed);
    }
    t307_import_settle(im);
    qsort(im->reports->elts, (size_t)im->reports->nelts,
          sizeof(t307_import_report_t), by_line);
    print_reports(t, im, losses, warnings);
    return *losses ? T307_FOUND : T307_OK;
}

static int import(t307_t *t, t307_import_t *im, const char *path,
                  const char *to)
{
    int losses, warnings, written;
    int status = t307_import_load(t, im, path, &losses, &warnings);

    if (status == T307_FAILED) {
        return status;
    }
    written = write_output(t, t307_import_text(im), to);
    fprintf(t->err, "%s: %d rules as %s, %d lines not imported, "
            "%d warnings\n", path, count_rules(im),
            im->to == T307_IMPORT_TO_RULES ? "a rule file" : "directives",
            losses, warnings);
    return written != T307_OK ? written : status;
}

static int run(t307_t *t, int argc, const char *const *argv)
{
    const char *value, *to = NULL, *const *words;
    const t307_import_format_t *format;
    t307_import_t im;
    t307_args_t args;
    int optch, n, status = T307_OK;

    t307_import_init(&im, t->pool, NULL);
    t307_args_begin(t, &args, argc, argv);
    while (status == T307_OK
           && (optch = t307_args_next(t, &args, &value)) != 0) {
        status = take_option(t, &im, optch, value, &to);
    }
    if (status != T307_OK || args.status != T307_OK || args.done) {
        return status != T307_OK ? status : args.status;
    }
    words = t307_args_words(&args, &n);
    if (n != 2) {
        return t307_usage_error(t, "it takes a format and a file, not %d "
                                "words", n);
    }
    format = t307_import_find(words[0]);
    if (!format) {
        return t307_usage_error(t, "there is no format '%s'; write one of: "
                                "%s", t307_import_show(&im, words[0]),
                                t307_import_names(t->pool));
    }
    im.format = format;
    status = t307_import_check(t, &im);
    return status != T307_OK ? status : import(t, &im, words[1], to);
}

const t307_command_t t307_import = {
    "import", run, "[option...] FORMAT FILE",
    "make rules of the redirects of another server or service",
    "Formats: netlify (_redirects), cloudflare (bulk redirects, CSV),\n"
    "rewritemap, nginx-map, haproxy-map, vercel (vercel.json), next (its\n"
    "redirects as JSON), httpd (a configuration file, an .htaccess file, or\n"
    "a directory with .htaccess files).\n"
    "\n"
    "What cannot be carried over exactly is named on standard error with its\n"
    "line and the reason, and the exit status is 1. Where a rule that is not\n"
    "imported would have come first, a rule with the target '-' keeps its\n"
    "requests from later rules.\n"
    "\n"
    "  redirect307 import netlify _redirects -o redirects.conf\n"
    "  redirect307 import httpd /srv/www/htdocs\n"
    "  redirect307 import --key=path --to=rules rewritemap pages.txt\n",
    options
};
