/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns reading Cloudflare's bulk redirects, a CSV file without header:
 *
 *     SOURCE,TARGET[,STATUS,PRESERVE_QUERY,INCLUDE_SUBDOMAINS,
 *                   SUBPATH_MATCHING,PRESERVE_PATH_SUFFIX]
 *
 * The most specific row wins: by path, then the host itself before the names
 * above it, then a row that names the scheme. Rows become entries in that
 * order. Quoting is libcsv's matter.
 */
#include "tool/t307_import.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#ifdef HAVE_CSV

#include <csv.h>

/* With columns behind the last that mean nothing. */
#define COLUMNS_MAX 16

enum {
    SOURCE, TARGET, STATUS, PRESERVE_QUERY, INCLUDE_SUBDOMAINS,
    SUBPATH_MATCHING, PRESERVE_PATH_SUFFIX, COLUMNS
};

typedef struct row_t {
    const char *columns[COLUMNS_MAX];
    int n;
    int line;
    const char *scheme;         /* NULL: both */
    const char *host;
    const char *path;           /* decoded */
    int subdomains, subpath;
} row_t;

typedef struct reader_t {
    t307_import_t *im;
    apr_array_header_t *rows;   /* row_t */
    row_t row;
    int line;
} reader_t;

static int flag(const row_t *row, int column, int unset)
{
    const char *s = row->n > column ? row->columns[column] : "";

    return !*s ? unset : strcasecmp(s, "true") == 0 ? 1
        : strcasecmp(s, "false") == 0 ? 0 : -1;
}

static void lose(t307_import_t *im, const row_t *row, const char *why)
{
    t307_import_lose(im, NULL, 0, row->line, "%s", why);
}

/* "[scheme://]host[/path]" */
static const char *take_source(t307_import_t *im, row_t *row)
{
    const char *path;

    t307_import_split_url(im->pool, row->columns[SOURCE], &row->scheme,
                          &row->host, &path);
    path = *path ? path : "/";
    if (strpbrk(path, "?#") || !t307_import_is_host(row->host)
        || !strchr(row->host, '.')) {
        return "the source is no URL of scheme, host and path alone";
    }
    row->path = t307_import_decode(im->pool, path, strlen(path));
    return row->path ? NULL : "the source's path holds an encoded slash or a "
           "control byte";
}

/* -1: no number. */
static int status_of(const row_t *row)
{
    const char *s = row->n > STATUS ? row->columns[STATUS] : "";

    return !*s ? 301 : strlen(s) == 3 && strspn(s, "0123456789") == 3
        ? atoi(s) : -1;
}

static const char *take_columns(t307_import_t *im, row_t *row)
{
    int i;

    if (row->n < 2) {
        return "a row has a source and a target";
    }
    for (i = COLUMNS; i < row->n; i++) {
        if (*row->columns[i]) {
            return "the row has more columns than a list of redirects";
        }
    }
    for (i = PRESERVE_QUERY; i < COLUMNS; i++) {
        if (flag(row, i, 0) < 0) {
            return apr_psprintf(im->pool, "'%s' is neither TRUE nor FALSE",
                                t307_import_show(im, row->columns[i]));
        }
    }
    if (status_of(row) < 0) {
        return apr_psprintf(im->pool, "'%s' is no status",
                            t307_import_show(im, row->columns[STATUS]));
    }
    row->subdomains = flag(row, INCLUDE_SUBDOMAINS, 0);
    row->subpath = flag(row, SUBPATH_MATCHING, 0);
    return take_source(im, row);
}

/* Paths that the suffix is appended to have to agree with the source's in
 * their final slash, or it is not known what comes out. */
static int same_slash(const row_t *row)
{
    const char *target = row->columns[TARGET], *host = strstr(target, "//");
    apr_size_t len = strcspn(target, "?#");
    int bare = host && strcspn(host + 2, "/?#")
               == len - (apr_size_t)(host + 2 - target);
    int slash = row->path[strlen(row->path) - 1] == '/';

    return bare ? row->path[1] == '\0' || !slash
        : slash == (len > 0 && target[len - 1] == '/');
}

/* Kind, path and target; or why not. */
static const char *take_match(t307_import_t *im, t307_import_rule_t *rule,
                              const row_t *row)
{
    int suffix = flag(row, PRESERVE_PATH_SUFFIX, !im->suffix ? -1
                      : strcmp(im->suffix, "preserve") == 0);
    const char *target = row->columns[TARGET];
    int regex = row->subpath && suffix == 0;
    apr_size_t len = strlen(row->path);

    rule->kind = !row->subpath ? R307_RULE_EXACT : R307_RULE_PREFIX;
    rule->path = row->path;
    rule->target = t307_import_quote_target(im->pool, target, strlen(target),
                                            regex);
    if (row->subpath && suffix < 0) {
        return "PRESERVE_PATH_SUFFIX is empty, and what that means is not "
               "certain; say it in the row, or with --suffix";
    }
    if (regex) {
        len -= row->path[len - 1] == '/';
        rule->kind = R307_RULE_REGEX;
        rule->path = apr_pstrcat(im->pool, "^", t307_import_quote_regex(
                                     im->pool, row->path, len),
                                 row->path[len] ? "/" : "(?:/.*)?$", NULL);
    }
    else if (row->subpath && !same_slash(row)) {
        return "of source and target only one ends in a slash, so what the "
               "rest of the path is appended to is not certain";
    }
    return NULL;
}

static void add(t307_import_t *im, const row_t *row, const char *host)
{
    t307_import_rule_t *rule = t307_import_rule(im, R307_RULE_EXACT,
                                                row->line);
    const char *why = take_match(im, rule, row);

    rule->hosts = host;
    rule->host_first = 1;
    rule->status = status_of(row);
    rule->query = flag(row, PRESERVE_QUERY, 0) ? NULL : "drop";
    if (row->scheme) {
        t307_import_and(im, rule, apr_psprintf(im->pool,
                                               "%%{REQUEST_SCHEME} == '%s'",
                                               row->scheme));
    }
    if (why) {
        t307_import_lose(im, rule, 0, row->line, "%s", why);
        return;
    }
    if (!rule->query && strchr(row->columns[TARGET], '?')) {
        t307_import_lose(im, rule, 0, row->line, "the target has a query, and "
                         "the request's is to be kept");
        return;
    }
    t307_import_add(im, rule);
}

/* ---- rows ---- */

static void end_field(void *field, size_t len, void *ctx)
{
    reader_t *r = ctx;

    if (r->row.n < COLUMNS_MAX) {
        r->row.columns[r->row.n++] =
            apr_pstrmemdup(r->im->pool, field ? field : "", len);
    }
}

static void end_row(int c, void *ctx)
{
    reader_t *r = ctx;
    const char *why = take_columns(r->im, &r->row);

    (void)c;
    if (why) {
        lose(r->im, &r->row, why);
    }
    else if (t307_import_is_new(r->im, apr_pstrcat(
                 r->im->pool, r->row.scheme ? r->row.scheme : "", "//",
                 r->row.host, r->row.path, NULL), r->row.line)) {
        APR_ARRAY_PUSH(r->rows, row_t) = r->row;
    }
    memset(&r->row, 0, sizeof r->row);
    r->row.line = r->line;
}

static apr_size_t path_len(const row_t *row)
{
    apr_size_t len = strlen(row->path);

    return len - (len > 1 && row->path[len - 1] == '/');
}

static int most_specific_first(const void *a, const void *b)
{
    const row_t *x = a, *y = b;
    apr_size_t nx = path_len(x), ny = path_len(y);
    int order = strcmp(x->path, y->path);

    if (nx != ny) {
        return nx > ny ? -1 : 1;
    }
    if (order) {
        return order;
    }
    nx = strlen(x->host);
    ny = strlen(y->host);
    order = strcasecmp(x->host, y->host);
    if (nx != ny || order) {
        return nx != ny ? (nx > ny ? -1 : 1) : order;
    }
    order = !x->scheme - !y->scheme;
    return order ? order : x->line - y->line;
}

/* Of equal paths all rows of hosts themselves, then the names below them,
 * longest first. */
static void add_rows(reader_t *r)
{
    row_t *rows = (row_t *)r->rows->elts;
    int i = 0, n = r->rows->nelts;

    while (i < n && !r->im->failed) {
        int end = i, j;

        while (end < n && strcmp(rows[end].path, rows[i].path) == 0) {
            end++;
        }
        for (j = i; j < end; j++) {
            add(r->im, &rows[j], rows[j].host);
        }
        for (j = i; j < end; j++) {
            if (rows[j].subdomains) {
                add(r->im, &rows[j], apr_pstrcat(r->im->pool, "*.",
                                                 rows[j].host, NULL));
            }
        }
        i = end;
    }
}

static apr_status_t free_parser(void *p)
{
    csv_free(p);
    return APR_SUCCESS;
}

/* Line by line, so that a row has the number of its first line. */
static void read_rows(t307_import_t *im, char *text, apr_size_t len)
{
    struct csv_parser p;
    reader_t r = { im, NULL, { { NULL }, 0, 0, NULL, NULL, NULL, 0, 0 }, 0 };

    (void)len;
    r.rows = apr_array_make(im->pool, 64, sizeof(row_t));
    if (csv_init(&p, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        im->failed = "libcsv cannot be used";
        return;
    }
    apr_pool_cleanup_register(im->pool, &p, free_parser,
                              apr_pool_cleanup_null);
    while (*text && !im->failed) {
        apr_size_t n = strcspn(text, "\n") + (strchr(text, '\n') != NULL);

        r.line++;
        r.row.line = r.row.n || p.entry_pos ? r.row.line : r.line;
        if (csv_parse(&p, text, n, end_field, end_row, &r) != n) {
            im->failed = apr_psprintf(im->pool, "%s:%d: the quotation marks "
                                      "are wrong", im->file, r.line);
        }
        text += n;
    }
    if (!im->failed && csv_fini(&p, end_field, end_row, &r) != 0) {
        im->failed = apr_psprintf(im->pool, "%s:%d: a quote is not closed",
                                  im->file, r.row.line);
    }
    apr_pool_cleanup_run(im->pool, &p, free_parser);
    qsort(r.rows->elts, (size_t)r.rows->nelts, sizeof(row_t),
          most_specific_first);
    add_rows(&r);
}

#else

static void read_rows(t307_import_t *im, char *text, apr_size_t len)
{
    (void)text;
    (void)len;
    im->failed = "this redirect307 was built without libcsv, which reads CSV "
                 "files; install it (Debian: libcsv-dev) and build again";
}

#endif

const t307_import_format_t t307_import_cloudflare = {
    "cloudflare", read_rows, NULL, 1, NULL, NULL
};
