/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Properties of the index: for random rule sets and paths, a frozen set, a
 * frozen set with nearly all hashes colliding, and a compiled table find
 * exactly what a plain scan finds, in the right order.
 */
#include "tap.h"

#include "random.h"

#include "core/r307_table.h"

#include <stdlib.h>
#include <unistd.h>

#define SETS  50
#define RULES 120
#define PATHS 4200              /* 50 * 4200 > 200,000 pairs */

typedef struct sets_t {
    apr_pool_t *pool;
    r307_ruleset_t *plain, *frozen, *masked;
    const r307_ruleset_t *table;
    char *text;
    int lines;
} sets_t;

#define FLAGS (R307_REGEX_DOTALL | R307_REGEX_DOLLAR_ENDONLY)

static void add_line(sets_t *sets, const char *text, int number)
{
    r307_rule_env_t env = { sets->pool, FLAGS | R307_REGEX_JIT, NULL, NULL };
    r307_error_t err = { sets->pool, NULL };
    r307_line_t line;
    r307_rule_t *rule;

    r307_rulefile_parse(apr_pstrdup(sets->pool, text), R307_RULEFILE_RULES,
                        sets->pool, &line, &err);
    line.spec.file = "t";
    line.spec.line = number;
    if (line.host) {
        line.spec.options =
            apr_pmemdup(sets->pool, line.options, sizeof line.options);
        ((const char **)(apr_uintptr_t)line.spec.options)
            [line.spec.noptions++] =
            apr_pstrcat(sets->pool, "host=", line.host, NULL);
    }
    if (r307_rule_create(&env, &line.spec, &rule, &err) != APR_SUCCESS) {
        ok(0, "%s: %s", text, err.text);
        return;
    }
    r307_ruleset_add(sets->plain, rule);
    r307_ruleset_add(sets->frozen, rule);
    r307_ruleset_add(sets->masked, rule);
}

static void compile_table(sets_t *sets)
{
    const char *dir = getenv("TMPDIR");
    r307_table_spec_t spec;
    r307_table_report_t report;
    r307_error_t err = { sets->pool, NULL };
    r307_table_t *table = NULL;
    const char *file;
    FILE *f;

    memset(&spec, 0, sizeof spec);
    spec.regex_flags = FLAGS | R307_REGEX_JIT;
    spec.path = apr_psprintf(sets->pool, "%s/r307-index-%d",
                             dir ? dir : "/tmp", (int)getpid());
    file = apr_pstrcat(sets->pool, spec.path, ".table", NULL);
    f = fopen(spec.path, "w");
    fputs(sets->text, f);
    fclose(f);
    if (r307_table_compile(&spec, file, sets->pool, &report, &err)
        != APR_SUCCESS
        || r307_table_open(file, &spec, 1, sets->pool, &table, &err)
           != APR_SUCCESS) {
        ok(0, "table: %s %s", err.text,
           report.nerrors ? report.errors[0] : "");
        exit(1);
    }
    sets->table = r307_table_rules(table);
    remove(spec.path);
    remove(file);
}

static void begin(sets_t *sets, apr_pool_t *pool)
{
    sets->pool = pool;
    sets->lines = 0;
    sets->plain = r307_ruleset_create(pool);
    sets->frozen = r307_ruleset_create(pool);
    sets->masked = r307_ruleset_create(pool);
    sets->text = apr_pstrdup(pool, "");
}

static void add(sets_t *sets, const char *line)
{
    add_line(sets, line, ++sets->lines);
    sets->text = apr_pstrcat(sets->pool, sets->text, line, "\n", NULL);
}

static void finish(sets_t *sets)
{
    r307_ruleset_freeze_masked(sets->frozen, ~(apr_uint32_t)0);
    r307_ruleset_freeze_masked(sets->masked, 3);
    compile_table(sets);
}

static void fill(sets_t *sets, apr_pool_t *pool, int rules)
{
    int i;

    begin(sets, pool);
    for (i = 0; i < rules; i++) {
        add(sets, random_line(pool));
    }
    finish(sets);
}

static int segments(const char *path)
{
    int n = 0;

    for (; *path; path++) {
        n += *path == '/' && path[1] && path[1] != '/';
    }
    return n < R307_INDEX_DEPTH_MAX ? n : R307_INDEX_DEPTH_MAX;
}

/* How specific a match is; greater goes first. */
static long rank(const r307_match_t *m)
{
    const r307_rule_t *rule = m->rule;
    const r307_host_pattern_t *host = rule->when && rule->when->hosts
        ? &APR_ARRAY_IDX(rule->when->hosts, 0, r307_host_pattern_t) : NULL;
    long by_host = !host ? 0
        : host->subdomains ? (long)host->len : 1000;

    if (rule->kind == R307_RULE_REGEX) {
        return 0;
    }
    return (rule->kind == R307_RULE_EXACT ? 1000000000L : 1000000L)
           + segments(rule->path) * 10000L + by_host;
}

static int by_rank(const void *a, const void *b)
{
    const r307_match_t *x = a, *y = b;

    if (rank(x) != rank(y)) {
        return rank(x) > rank(y) ? -1 : 1;
    }
    return x->rule->line - y->rule->line;
}

static int same(const int *a, int n, const int *b, int m)
{
    return n == m && memcmp(a, b, (size_t)n * sizeof *a) == 0;
}

/* Returns a description of the first difference, or NULL. */
static const char *compare(const sets_t *sets, const char *host,
                           const char *path, apr_pool_t *pool, int *found)
{
    int want[RULES], got[RULES * 2], n, m, i;
    r307_match_t matches[RULES];

    n = lines_of(sets->plain, host, path, pool, want, matches);
    *found += n > 0;
    m = lines_of(sets->frozen, host, path, pool, got, NULL);
    if (!same(want, n, got, m)) {
        return "the frozen set differs";
    }
    m = lines_of(sets->masked, host, path, pool, got, NULL);
    if (!same(want, n, got, m)) {
        return "the set with collisions differs";
    }
    qsort(matches, (size_t)n, sizeof *matches, by_rank);
    for (i = 0; i < n; i++) {
        want[i] = matches[i].rule->line;
    }
    m = lines_of(sets->table, host, path, pool, got, NULL);
    return same(want, n, got, m) ? NULL : "the table differs";
}

static void test_set(int number)
{
    apr_pool_t *pool, *path_pool;
    const char *wrong = NULL, *path = "", *host = NULL;
    int found = 0, i;
    sets_t sets;

    apr_pool_create(&pool, tap_pool);
    apr_pool_create(&path_pool, pool);
    fill(&sets, pool, 1 + (int)dice(RULES));
    for (i = 0; i < PATHS && !wrong; i++) {
        apr_pool_clear(path_pool);
        path = random_path(path_pool, dice(10) != 0);
        host = dice(3) ? random_host(0) : NULL;
        wrong = compare(&sets, host, path, path_pool, &found);
    }
    ok(!wrong, "set %d: %d paths, %d found something%s%s", number, i, found,
       wrong ? ": " : "", wrong ? wrong : "");
    if (wrong) {
        printf("# host %s, path %s, rules:\n# %s\n", host ? host : "(none)",
               path, sets.text);
    }
    apr_pool_destroy(pool);
}

/* Paths as long as the words and vectors that they are read in, and some
 * bytes more and less. */
static void test_lengths(void)
{
    static const char longest[] = "/segment/of/some/length/and/one/more/"
        "that/leads/to/another/and/ends/a/little/behind/it/all";
    static const char *const tails[] = { "", "/", "x", "/x", "//x", "//" };
    const char *wrong = NULL, *path = "";
    apr_size_t len;
    unsigned i;
    int found = 0, before;
    sets_t sets;

    begin(&sets, tap_pool);
    for (len = 2; len < sizeof longest; len++) {
        add(&sets, apr_pstrcat(tap_pool, apr_pstrmemdup(tap_pool, longest,
                                                        len),
                               " https://t.example/", NULL));
    }
    finish(&sets);
    for (len = 2; len < sizeof longest && !wrong; len++) {
        for (i = 0; i < TABLE(tails) && !wrong; i++) {
            path = apr_pstrcat(tap_pool, apr_pstrmemdup(tap_pool, longest,
                                                        len),
                               tails[i], NULL);
            before = found;
            wrong = compare(&sets, NULL, path, tap_pool, &found);
            if (!wrong && !*tails[i] && found == before) {
                wrong = "nothing is found";
            }
        }
    }
    ok(!wrong, "paths of all lengths%s%s%s%s", wrong ? ": " : "",
       wrong ? path : "", wrong ? ": " : "", wrong ? wrong : "");
}

static void test_keys(void)
{
    static const struct {
        const char *pattern, *bytes, *key;
        int flags;
    } rows[] = {
        { "^/shop/(.*)$", "/shop/", "/shop", FLAGS },
        { "^/shop/item/", "/shop/item/", "/shop/item", FLAGS },
        { "^/shop", "/shop", "", FLAGS },
        { "^/shop$", "/shop", "/shop", FLAGS },
        { "^/shop$", "/shop", "", 0 },
        { "^/shop(/.*)?$", "/shop", "/shop", FLAGS },
        { "^/a/shop(/|$)", "/a/shop", "/a/shop", FLAGS },
        { "^/a/shop", "/a/shop", "/a", FLAGS },
        { "^/shop/?$", "/shop", "/shop", FLAGS },
        { "^/shop/*", "/shop", "", FLAGS },
        { "^/shops?/", "/shop", "", FLAGS },
        { "^/a\\.b\\-c/", "/a.b-c/", "/a.b-c", FLAGS },
        { "^/a\\d/", "/a", "", FLAGS },
        { "^/a/b{2}/", "/a/", "/a", FLAGS },
        { "^/a/|^/b/", "", "", FLAGS },
        { "^/a/(b|c)", "/a/", "/a", FLAGS },
        { "^/a/[|]", "/a/", "/a", FLAGS },
        { "^/a/[x[]|b", "", "", FLAGS },
        { "^/a/[]x|]", "/a/", "/a", FLAGS },
        { "^/a/\\Q|\\E", "", "", FLAGS },
        { "/shop/", "", "", FLAGS },
        { "(?i)^/shop/", "", "", FLAGS },
        { "^(?i)/shop/", "", "", FLAGS },
        { "^/shop/", "", "", FLAGS | R307_REGEX_ICASE },
        { "^/shop/", "", "", FLAGS | R307_REGEX_EXTENDED },
        { "^/shop/", "", "", FLAGS | R307_REGEX_MULTILINE },
        { "^shop/", "shop/", "", FLAGS },
        { "^", "", "", FLAGS }, { "", "", "", FLAGS },
        { "^/", "/", "", FLAGS }
    };
    unsigned i;

    for (i = 0; i < TABLE(rows); i++) {
        r307_literal_t literal;
        r307_literal_find(tap_pool, rows[i].pattern, rows[i].flags,
                          &literal);
        is(literal.bytes, rows[i].bytes, "%s begins with", rows[i].pattern);
        is(literal.key, rows[i].key, "%s is filed under", rows[i].pattern);
    }
}

int main(void)
{
    int i;

    tap_begin();
    test_keys();
    test_lengths();
    for (i = 0; i < SETS; i++) {
        test_set(i + 1);
    }
    return tap_end();
}
