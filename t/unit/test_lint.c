/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * lint over its corpus (t/data/lint): the findings of each rule file are those
 * that are expected, and no other. Also what holds the corpus together: lines
 * are read, records are handed out one after the other, however many.
 */
#include "tap.h"

#include "core/r307_lines.h"
#include "core/r307_lint.h"
#include "core/r307_table.h"
#include "core/r307_time.h"

#include <apr_file_io.h>

#include <stdlib.h>
#include <unistd.h>

typedef struct found_t {
    r307_lint_t lint;
    apr_array_header_t *texts;  /* "line code" */
    const r307_ruleset_t *set;
} found_t;

static void found(void *ctx, const r307_finding_t *finding)
{
    found_t *f = ctx;

    APR_ARRAY_PUSH(f->texts, const char *) =
        apr_psprintf(tap_pool, "%06d %s", finding->rule->line,
                     finding->code);
}

static void each(void *ctx, apr_uint64_t done)
{
    (void)done;
    apr_pool_clear(((found_t *)ctx)->lint.pool);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, one a line, without the zeros in front. */
static const char *joined(apr_array_header_t *texts)
{
    const char *all = "";
    int i;

    qsort(texts->elts, (size_t)texts->nelts, sizeof(const char *), by_text);
    for (i = 0; i < texts->nelts; i++) {
        const char *text = APR_ARRAY_IDX(texts, i, const char *);
        all = apr_pstrcat(tap_pool, all, text + strspn(text, "0"), "\n",
                          NULL);
    }
    return all;
}

static const char *slurp(const char *path)
{
    apr_file_t *f;
    r307_lines_t lines;
    const char *all = "";
    char *text;
    apr_size_t len;

    if (apr_file_open(&f, path, APR_FOPEN_READ, 0, tap_pool)
        != APR_SUCCESS) {
        return NULL;
    }
    r307_lines_begin(&lines, f, tap_pool);
    while (r307_lines_next(&lines, &text, &len) == APR_SUCCESS) {
        all = apr_pstrcat(tap_pool, all, text, "\n", NULL);
    }
    apr_file_close(f);
    return all;
}

static r307_table_t *compile(const char *path)
{
    static r307_table_spec_t spec;
    r307_error_t err = { tap_pool, NULL };
    r307_table_report_t report;
    r307_table_t *table = NULL;

    spec.path = path;
    spec.regex_flags = R307_REGEX_DOTALL | R307_REGEX_DOLLAR_ENDONLY;
    if (r307_table_compile_memory(&spec, tap_pool, &table, &report, &err)
        != APR_SUCCESS) {
        printf("# %s\n", report.nerrors ? report.errors[0] : err.text);
        return NULL;
    }
    return table;
}

static const char *lint(const char *path, const char *own_host)
{
    r307_error_t err = { tap_pool, NULL };
    r307_table_t *table = compile(path);
    r307_chain_t chain;
    found_t f;

    if (!table) {
        return NULL;
    }
    memset(&f, 0, sizeof f);
    f.texts = apr_array_make(tap_pool, 8, sizeof(const char *));
    apr_pool_create(&f.lint.pool, tap_pool);
    r307_time_parse("2026-06-01T00:00:00Z", &f.lint.now, &err);
    f.lint.found = found;
    f.lint.ctx = &f;
    memset(&chain, 0, sizeof chain);
    chain.set = r307_table_rules(table);
    f.lint.chain = &chain;
    if (own_host) {
        apr_array_header_t *hosts =
            apr_array_make(tap_pool, 1, sizeof(r307_host_pattern_t));
        r307_host_pattern_parse(tap_pool, own_host, 0,
                                apr_array_push(hosts), &err);
        f.lint.own_hosts = hosts;
    }
    r307_lint_set(&f.lint, chain.set, each);
    return joined(f.texts);
}

/* Expressions are httpd's: the files that hold some are for the live test. */
static void test_corpus(const char *dir)
{
    static const struct {
        const char *name;
        const char *own_host;
    } files[] = { { "rule", NULL }, { "follow", "www.t.test" } };
    apr_size_t i;

    for (i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *base = apr_pstrcat(tap_pool, dir, "/", files[i].name,
                                       NULL);
        is(lint(apr_pstrcat(tap_pool, base, ".rules", NULL),
                files[i].own_host),
           slurp(apr_pstrcat(tap_pool, base, ".expected", NULL)),
           "%s.rules", files[i].name);
    }
}

/* More records than fit into one block of the indexer: every one is handed
 * out, in order. */
static void test_records(void)
{
    const int count = 120000;
    const char *temp = ".", *path;
    const r307_record_t *rec;
    const r307_index_t *index;
    r307_table_t *table;
    r307_ref_t ref;
    int i, in_order = 0;
    FILE *f;

    apr_temp_dir_get(&temp, tap_pool);
    path = apr_psprintf(tap_pool, "%s/r307-lint-%d", temp, (int)getpid());
    f = fopen(path, "w");
    if (!f) {
        ok(0, "a scratch file");
        return;
    }
    for (i = 0; i < count; i++) {
        fprintf(f, "/p%d/%0*d https://t.example/%d\n", i, i % 7 + 1, 0, i);
    }
    fclose(f);
    table = compile(path);
    apr_file_remove(path, tap_pool);
    if (!ok(table != NULL, "a large table")) {
        return;
    }
    index = r307_ruleset_index(r307_table_rules(table));
    i = 0;
    for (ref = 1; (rec = r307_index_record(index, ref)) != NULL;
         ref = r307_index_next(index, ref)) {
        in_order += rec->order == (apr_uint32_t)++i;
    }
    ok(i == count && in_order == count, "%d of %d records, %d in order", i,
       count, in_order);
}

/* A set that is filled rule by rule, below and above the number from which on
 * it has an index. */
static void test_directives(void)
{
    static const char *const paths[] = { "/a", "/a/b", "/c", "/d", "/e",
                                         "/c/d" };
    r307_rule_env_t env = { tap_pool, 0, NULL, NULL };
    r307_error_t err = { tap_pool, NULL };
    int n, i;

    for (n = 2; n <= 6; n += 4) {
        r307_ruleset_t *set = r307_ruleset_create(tap_pool);
        found_t f;

        memset(&f, 0, sizeof f);
        for (i = 0; i < n; i++) {
            r307_rule_spec_t spec = { R307_RULE_PREFIX, paths[i],
                                      "https://t.example/x", 0, NULL, "f",
                                      i + 1, 0 };
            r307_rule_t *rule;
            r307_rule_create(&env, &spec, &rule, &err);
            r307_ruleset_add(set, rule);
        }
        r307_ruleset_freeze(set);
        f.texts = apr_array_make(tap_pool, 8, sizeof(const char *));
        apr_pool_create(&f.lint.pool, tap_pool);
        f.lint.found = found;
        f.lint.ctx = &f;
        r307_lint_set(&f.lint, set, each);
        is(joined(f.texts), n == 2 ? "2 shadowed\n"
           : "2 shadowed\n6 shadowed\n", "%d directives", n);
    }
}

static void test_groups(void)
{
    const char *pattern = "^/\\((?:x)[(](a)(?<n>/b)(?=c)(?'q'd)$";

    ok(strncmp(r307_lint_group(pattern, 1), "a)", 2) == 0, "group 1");
    ok(strncmp(r307_lint_group(pattern, 2), "/b)", 3) == 0, "a named group");
    ok(!r307_lint_group(pattern, 4), "no such group");
}

/* What is behind escapes and classes, which need not be closed. */
static void test_syntax(void)
{
    static const char *const cases[][2] = {
        { "a", "a" }, { "", "" }, { "\\(a", "a" }, { "\\", "\\" },
        { "[(]x", "x" }, { "[])]x", "x" }, { "[^])]x", "x" },
        { "[\\])]x", "x" }, { "\\[[a]\\][b]x", "x" }, { "[", "" },
        { "[^", "" }, { "[]", "" }, { "[a\\", "" }
    };
    apr_size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        is(r307_lint_syntax(cases[i][0]), cases[i][1], "behind '%s'",
           cases[i][0]);
    }
}

int main(void)
{
    const char *top = getenv("R307_SRCDIR");

    tap_begin();
    test_corpus(apr_pstrcat(tap_pool, top ? top : ".", "/t/data/lint",
                            NULL));
    test_records();
    test_directives();
    test_groups();
    test_syntax();
    return tap_end();
}
