/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Tables of rows and their patches. For random histories of rows, a base with
 * its patch has what a base has that is made of the rows as they are: the
 * same candidates in the same order for every request, the same rows when it
 * is gone through, the same number of rules.
 */
#include "tap.h"

#include "random.h"

#include "core/r307_block.h"
#include "core/r307_identity.h"
#include "core/r307_lint.h"
#include "core/r307_rows.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HISTORIES 60
#define STEPS     7
#define IDS       90
#define PATHS     400

static const char *dir;

static const char *path_of(const char *name)
{
    return apr_pstrcat(tap_pool, dir, "/", name, NULL);
}

static r307_table_spec_t spec_of(void)
{
    r307_table_spec_t spec;

    memset(&spec, 0, sizeof spec);
    spec.path = "sql:test";
    spec.regex_flags = R307_REGEX_DOTALL | R307_REGEX_DOLLAR_ENDONLY
                       | R307_REGEX_JIT;
    return spec;
}

static r307_table_source_t source_of(apr_uint64_t seq)
{
    r307_table_spec_t spec = spec_of();
    r307_table_source_t source = { seq, 2, 3, 4, 0 };

    source.settings = r307_table_settings(&spec);
    return source;
}

/* ---- making tables ---- */

/* What a table says of bad rows: "id: sentence" lines. */
static char told[8192];

static void tell(void *ctx, apr_uint32_t id, const char *sentence)
{
    apr_size_t n = strlen(told);

    (void)ctx;
    apr_snprintf(told + n, sizeof told - n, "%u: %s\n", (unsigned)id,
                 sentence);
}

typedef struct row_t {
    apr_uint32_t id;
    const char *line;           /* NULL: deleted */
} row_t;

static r307_rows_t *begin_rows(const r307_table_t *base,
                               const r307_table_t *old, apr_uint32_t mask,
                               apr_pool_t *pool)
{
    static r307_table_spec_t spec;
    r307_rows_setup_t setup = { &spec, base, old, 4, mask, tell, NULL };
    r307_rows_t *rows;

    spec = spec_of();
    told[0] = '\0';
    return r307_rows_create(&setup, pool, &rows) == APR_SUCCESS ? rows
                                                                : NULL;
}

/* Write rows and open what was written; NULL: said why. */
static r307_table_t *make(const row_t *of, int n, const r307_table_t *base,
                          const r307_table_t *old, apr_uint32_t mask,
                          apr_pool_t *pool)
{
    static unsigned number;
    const char *file = apr_psprintf(pool, "%s/%u", dir, ++number);
    r307_table_spec_t spec = spec_of();
    r307_table_source_t source = source_of(number);
    r307_rows_t *rows = begin_rows(base, old, mask, pool);
    r307_error_t err = { tap_pool, NULL };
    r307_table_t *table = NULL;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < n && rv == APR_SUCCESS; i++) {
        rv = r307_rows_add(rows, of[i].id, of[i].line, &err);
    }
    if (rv == APR_SUCCESS) {
        rv = r307_rows_write(rows, file, &source, &err);
    }
    if (rv == APR_SUCCESS) {
        rv = r307_table_open(file, &spec, 1, pool, &table, &err);
    }
    if (rv != APR_SUCCESS) {
        printf("# %s\n", err.text ? err.text : "no sentence");
        return NULL;
    }
    unlink(file);
    return table;
}

#define MASK (~(apr_uint32_t)0)

static r307_table_t *base_of(const row_t *of, int n, apr_pool_t *pool)
{
    return make(of, n, NULL, NULL, MASK, pool);
}

static r307_table_t *patched(r307_table_t *base, r307_table_t *patch,
                             apr_pool_t *pool)
{
    r307_error_t err = { tap_pool, NULL };
    r307_table_t *view = NULL;

    if (!base || !patch
        || r307_table_attach_patch(base, patch, pool, &view, &err)
           != APR_SUCCESS) {
        printf("# %s\n", err.text ? err.text : "no tables");
    }
    return view;
}

static r307_table_t *compacted(const r307_table_t *table, apr_pool_t *pool)
{
    static unsigned number;
    const char *file = apr_psprintf(pool, "%s/c%u", dir, ++number);
    r307_table_spec_t spec = spec_of();
    r307_table_source_t source = source_of(number);
    r307_error_t err = { tap_pool, NULL };
    r307_table_t *out = NULL;

    if (r307_patch_compact(table, file, &source, pool, &err) != APR_SUCCESS
        || r307_table_open(file, &spec, 1, pool, &out, &err)
           != APR_SUCCESS) {
        printf("# %s\n", err.text ? err.text : "no sentence");
    }
    unlink(file);
    return out;
}

/* ---- comparing ---- */

/* What a rule is, for comparing: all of it that a record could get wrong. */
static const char *show(const r307_match_t *m, apr_pool_t *pool)
{
    const r307_rule_t *rule = m->rule;

    return apr_psprintf(pool, "%u %d %s %.*s %d %d %d", (unsigned)rule->line,
                        (int)rule->kind, r307_rule_name(pool, rule),
                        (int)rule->path_len, rule->path, rule->cache,
                        rule->choices ? rule->choices->n : 0, (int)m->rest);
}

static char *candidates(const r307_table_t *table, const char *host,
                        const char *path, apr_pool_t *pool)
{
    int lines[IDS * 2], n, i;
    r307_match_t matches[IDS * 2];
    char *out = apr_pstrdup(pool, "");

    n = lines_of(r307_table_rules(table), host, path, pool, lines, matches);
    for (i = 0; i < n; i++) {
        out = apr_pstrcat(pool, out, show(&matches[i], pool), "\n", NULL);
    }
    return out;
}

/* All rows, as they are gone through. */
static char *listed(const r307_table_t *table, apr_pool_t *pool)
{
    r307_place_t at = R307_PLACE_FIRST;
    const r307_record_t *rec;
    char *out = apr_pstrdup(pool, "");

    while ((rec = r307_table_next(table, &at)) != NULL) {
        r307_match_t match;

        match.rule = r307_table_rule(table, rec, pool);
        match.rest = rec->order;
        out = apr_pstrcat(pool, out, match.rule ? show(&match, pool) : "?",
                          "\n", NULL);
    }
    return out;
}

/* NULL, or what differs. */
static const char *differ(const r307_table_t *got, const r307_table_t *want,
                          apr_pool_t *parent, int *found)
{
    const char *wrong = NULL;
    apr_pool_t *pool;
    int i;

    apr_pool_create(&pool, parent);
    if (strcmp(listed(got, pool), listed(want, pool)) != 0) {
        wrong = apr_psprintf(parent, "rows:\n%s--- and not\n%s",
                             listed(got, pool), listed(want, pool));
    }
    else if (r307_table_count(got) != r307_table_count(want)) {
        wrong = apr_psprintf(parent, "%u rules, and not %u",
                             (unsigned)r307_table_count(got),
                             (unsigned)r307_table_count(want));
    }
    for (i = 0; i < PATHS && !wrong; i++) {
        const char *path = random_path(pool, dice(3) != 0);
        const char *host = dice(3) ? random_host(0) : NULL;
        const char *a = candidates(got, host, path, pool);
        const char *b = candidates(want, host, path, pool);

        *found += *b != '\0';
        if (strcmp(a, b) != 0) {
            wrong = apr_psprintf(parent, "host %s, path %s:\n%s--- and not\n"
                                 "%s", host ? host : "(none)", path, a, b);
        }
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return wrong;
}

/* ---- random histories ---- */

/* A line with a name that no other has, and options of some kinds. */
static const char *random_row(apr_pool_t *pool)
{
    static const char *const options[] = {
        "", "", "", " cache=60", " methods=POST", " query=append cache=5",
        " until=2035-01-01T00:00:00Z", " percent=50"
    };
    static unsigned version;
    const char *name = apr_psprintf(pool, " name=v%u", ++version);

    if (dice(10) == 0) {
        return apr_pstrcat(pool, "\"", random_path(pool, 1), "\" geo "
                           "DE=https://de.example/ default=https://x.example/",
                           name, NULL);
    }
    return apr_pstrcat(pool, random_line(pool), name,
                       pick(options, TABLE(options)), NULL);
}

/* The rows as they are now: by id. */
typedef struct model_t {
    const char *lines[IDS + 1];
    unsigned char changed[IDS + 1];
} model_t;

static int rows_of(const model_t *model, int changed, row_t *out)
{
    int i, n = 0;

    for (i = 1; i <= IDS; i++) {
        if (changed ? model->changed[i] : model->lines[i] != NULL) {
            out[n].id = (apr_uint32_t)i;
            out[n++].line = model->lines[i];
        }
    }
    return n;
}

/* Some ids are inserted, changed, or deleted; often the same ones again. */
static void change(model_t *model, unsigned n, unsigned ids,
                   apr_pool_t *pool)
{
    memset(model->changed, 0, sizeof model->changed);
    while (n-- > 0) {
        unsigned id = 1 + dice(ids);

        model->changed[id] = 1;
        model->lines[id] = dice(3) ? random_row(pool) : NULL;
    }
}

static const char *test_step(model_t *model, r307_table_t **base,
                             r307_table_t **patch, apr_pool_t *pool,
                             int *found)
{
    apr_uint32_t mask = dice(3) ? MASK : 3;
    row_t rows[IDS];
    r307_table_t *view, *fresh, *compact;
    const char *wrong;

    change(model, 1 + dice(dice(2) ? 40 : 3), dice(2) ? IDS : 12, pool);
    *patch = make(rows, rows_of(model, 1, rows), *base, *patch, mask, pool);
    view = patched(*base, *patch, pool);
    fresh = base_of(rows, rows_of(model, 0, rows), pool);
    if (!view || !fresh) {
        return "it cannot be made";
    }
    wrong = differ(view, fresh, pool, found);
    if (!wrong && dice(3) == 0) {
        compact = compacted(view, pool);
        wrong = !compact ? "it cannot be compacted"
            : differ(compact, fresh, pool, found);
        *base = compact;
        *patch = NULL;
    }
    return wrong;
}

static void test_history(int number)
{
    r307_table_t *base, *patch = NULL;
    const char *wrong = NULL;
    model_t model;
    row_t rows[IDS];
    apr_pool_t *pool;
    int i, found = 0;

    apr_pool_create(&pool, tap_pool);
    memset(&model, 0, sizeof model);
    change(&model, dice(IDS * 2), IDS, pool);
    base = make(rows, rows_of(&model, 0, rows), NULL, NULL,
                dice(3) ? MASK : 3, pool);
    for (i = 0; i < STEPS && !wrong; i++) {
        wrong = test_step(&model, &base, &patch, pool, &found);
    }
    ok(!wrong, "history %d: %d steps, %d requests found something%s%s",
       number, i, found, wrong ? ": " : "", wrong ? wrong : "");
    apr_pool_destroy(pool);
}

/* ---- one case after the other ---- */

static void is_listed(const r307_table_t *table, const char *want,
                      const char *what)
{
    r307_place_t at = R307_PLACE_FIRST;
    const r307_record_t *rec;
    char *got = apr_pstrdup(tap_pool, "");

    while (table && (rec = r307_table_next(table, &at)) != NULL) {
        const r307_rule_t *rule = r307_table_rule(table, rec, tap_pool);
        got = apr_psprintf(tap_pool, "%s%s%u=%.*s", got, *got ? " " : "",
                           (unsigned)rec->order, (int)rule->path_len,
                           rule->path);
    }
    is(got, want, "%s", what);
}

#define A "/a https://t.example/"
#define B "/b https://t.example/"
#define C "/c https://t.example/"

static void test_changed(void)
{
    static const row_t first[] = { { 2, A }, { 5, B }, { 9, A } };
    static const row_t change1[] = {
        { 1, C }, { 3, NULL }, { 5, NULL }, { 7, A }
    };
    static const row_t change2[] = { { 1, NULL }, { 5, C }, { 7, B } };
    r307_table_t *base = base_of(first, 3, tap_pool), *patch, *view;

    patch = make(change1, 4, base, NULL, MASK, tap_pool);
    view = patched(base, patch, tap_pool);
    is_listed(view, "1=/c 2=/a 7=/a 9=/a", "one inserted, one deleted");
    ok(r307_table_patched(view) == 3 && r307_table_patched(patch) == 3,
       "an id that never was is not remembered");
    ok(r307_table_patched(base) == 0 && !r307_table_patch_header(base)
       && r307_table_patch_header(view)->hidden == 1,
       "one of the base's is hidden");
    ok(r307_table_count(view) == 4 && r307_table_count(base) == 3,
       "four rules instead of three");
    is_listed(base, "2=/a 5=/b 9=/a", "the base is as it was");
    patch = make(change2, 3, view, patch, MASK, tap_pool);
    view = patched(base, patch, tap_pool);
    is_listed(view, "2=/a 5=/c 7=/b 9=/a", "over the patch before");
    ok(r307_table_patched(view) == 2, "what came and went is forgotten");
    ok(r307_table_count(view) == 4, "four rules");
    patch = make(NULL, 0, base, patch, MASK, tap_pool);
    is_listed(patched(base, patch, tap_pool), "2=/a 5=/c 7=/b 9=/a",
              "nothing has come");
    patch = make(NULL, 0, base, NULL, MASK, tap_pool);
    is_listed(patched(base, patch, tap_pool), "2=/a 5=/b 9=/a",
              "an empty patch");
    is_listed(compacted(base, tap_pool), "2=/a 5=/b 9=/a",
              "a base is copied");
}

static void test_empty(void)
{
    static const row_t one[] = { { 4294967295u, A } };
    static const row_t gone[] = { { 4294967295u, NULL } };
    r307_table_t *base = base_of(NULL, 0, tap_pool), *patch, *view;

    patch = make(one, 1, base, NULL, MASK, tap_pool);
    view = patched(base, patch, tap_pool);
    is_listed(view, "4294967295=/a", "the greatest id, over an empty base");
    base = compacted(view, tap_pool);
    is_listed(base, "4294967295=/a", "compacted");
    patch = make(gone, 1, base, NULL, MASK, tap_pool);
    view = patched(base, patch, tap_pool);
    is_listed(view, "", "all rows deleted");
    ok(r307_table_count(view) == 0, "no rules");
    is(candidates(view, NULL, "/a", tap_pool), "", "nothing is found");
    is_listed(compacted(view, tap_pool), "", "compacted to nothing");
}

static void test_bad(void)
{
    static const char letter[] = "x";
    char *name = apr_pcalloc(tap_pool, 400), *huge;
    char *utf8 = apr_pcalloc(tap_pool, 30001);
    row_t rows[] = {
        { 1, A }, { 2, "/a" }, { 3, "# none" }, { 4, NULL }, { 5, NULL },
        { 6, "/x https://${host}/" }, { 7, "~( https://t.example/" },
        { 8, "/s site:nowhere" }, { 9, B }, { 10, NULL }
    };
    r307_table_t *base, *patch;

    memset(name, *letter, 300);
    memset(utf8, 0xe9, 30000);
    rows[3].line = apr_pstrcat(tap_pool, A, " name=", name, NULL);
    rows[9].line = apr_pstrcat(tap_pool, "/c https://t.example/", utf8, NULL);
    huge = apr_pcalloc(tap_pool, 66000);
    memset(huge, '/', 1);
    memset(huge + 1, *letter, 65900);
    rows[4].line = huge;
    base = base_of(rows, 10, tap_pool);
    is_listed(base, "1=/a 9=/b", "the good rows of a base");
    ok(strstr(told, "2: R307-0502: ") != NULL, "no target");
    ok(strstr(told, "3: R307-0533: ") != NULL, "a comment");
    ok(strstr(told, "5: R307-0532: ") != NULL, "too long a row");
    ok(strstr(told, "10: R307-0532: ") != NULL, "too long a target");
    ok(strstr(told, "7: R307-0") != NULL, "no regular expression");
    ok(strstr(told, "8: R307-0518: ") != NULL, "no such site");
    ok(strncmp(told, "2: ", 3) == 0 && !strstr(told, "\n9: "),
       "the good ones are not told");
    rows[0].line = "/a";
    patch = make(rows, 1, base, NULL, MASK, tap_pool);
    is_listed(patched(base, patch, tap_pool), "9=/b",
              "a row that has become bad is gone");
    ok(strncmp(told, "1: R307-0502: ", 14) == 0, "and is told");
}

static void test_order(void)
{
    r307_rows_t *rows = begin_rows(NULL, NULL, MASK, tap_pool);
    r307_table_source_t source = source_of(1);
    r307_error_t err = { tap_pool, NULL };

    ok(r307_rows_add(rows, 0, A, &err) == APR_EINVAL
       && strncmp(err.text, "R307-0534: ", 11) == 0, "no row is 0");
    ok(r307_rows_add(rows, 7, A, &err) == APR_SUCCESS
       && r307_rows_add(rows, 7, A, &err) == APR_EINVAL
       && r307_rows_add(rows, 6, A, &err) == APR_EINVAL, "ids rise");
    ok(r307_rows_add(rows, 8, "bad", &err) == APR_SUCCESS
       && r307_rows_good(rows) == 1 && r307_rows_bad(rows) == 1,
       "good and bad ones are counted");
    ok(r307_rows_write(rows, path_of("none/such"), &source, &err)
       != APR_SUCCESS && strncmp(err.text, "R307-0520: ", 11) == 0,
       "there is no such directory");
}

/* ---- what does not belong together ---- */

static void is_refused(r307_table_t *base, r307_table_t *patch,
                       const char *why)
{
    r307_error_t err = { tap_pool, NULL };
    r307_table_t *view;

    ok(r307_table_attach_patch(base, patch, tap_pool, &view, &err)
       == APR_EINVAL && strncmp(err.text, "R307-0535: ", 11) == 0
       && strstr(err.text, why) != NULL, "%s: %s", why,
       err.text ? err.text : "taken");
}

static r307_table_t *file_table(void)
{
    r307_table_spec_t spec = spec_of();
    r307_table_report_t report;
    r307_error_t err = { tap_pool, NULL };
    r307_table_t *table = NULL;
    FILE *f;

    spec.path = path_of("rules");
    f = fopen(spec.path, "w");
    if (f) {
        fputs(A "\n", f);
        fclose(f);
    }
    r307_table_compile_memory(&spec, tap_pool, &table, &report, &err);
    return table;
}

static void test_foreign(void)
{
    static const row_t rows[] = { { 1, A }, { 2, B } };
    r307_table_t *base = base_of(rows, 2, tap_pool);
    r307_table_t *twin = base_of(rows, 2, tap_pool);
    r307_table_t *patch = make(rows, 1, base, NULL, MASK, tap_pool);
    r307_table_t *view = patched(base, patch, tap_pool);
    r307_table_spec_t spec = spec_of();
    r307_rows_t *next;

    ok(r307_table_id(view) == r307_table_id(base)
       && r307_table_id(base) != r307_table_id(twin),
       "the same rows of another sequence number are another base");
    is_refused(twin, patch, "another base");
    ok(r307_rows_begin_patch(&spec, twin, patch, 1, tap_pool, NULL, NULL,
                             &next) == APR_EINVAL,
       "nor is it gone on with over another");
    is_refused(base, twin, "not a patch");
    is_refused(base, view, "not a patch");
    is_refused(patch, patch, "not a base");
    is_refused(view, patch, "not a base");
    is_refused(file_table(), patch, "not a base");
}

/* A copy of the table's block with a byte changed. */
static char *damaged(const r307_table_t *table, apr_size_t at)
{
    apr_size_t len = (apr_size_t)r307_table_header(table)->file_len;
    char *block = apr_pmemdup(tap_pool, r307_table_header(table), len);

    block[at] = (char)(block[at] ^ 4);
    return block;
}

static r307_table_t *opened(const char *block, int verify)
{
    const r307_table_header_t *h = (const r307_table_header_t *)block;
    r307_table_spec_t spec = spec_of();
    r307_error_t err = { tap_pool, NULL };
    r307_table_t *table;

    return r307_table_over(block, h->file_len, &spec, verify, tap_pool,
                           &table, &err) == APR_SUCCESS ? table : NULL;
}

static void test_damaged(void)
{
    static const row_t rows[] = { { 1, A }, { 2, B }, { 3, C } };
    static const row_t gone[] = { { 1, NULL }, { 3, NULL } };
    r307_table_t *base = base_of(rows, 3, tap_pool), *view;
    r307_table_t *patch = make(gone, 2, base, NULL, MASK, tap_pool);
    apr_size_t len = (apr_size_t)r307_table_header(patch)->file_len, at;
    r307_table_source_t source = source_of(1);
    r307_error_t err = { tap_pool, NULL };
    int taken = 0, verified = 0;

    for (at = 0; at < len; at++) {
        char *block = damaged(patch, at);

        taken += at < sizeof(r307_table_header_t)
                 && at != offsetof(r307_table_header_t, file_len)
                 && opened(block, 0) != NULL;
        verified += opened(block, 1) != NULL;
    }
    ok(taken == 0, "no damage to a patch's header is taken");
    ok(verified == 0, "no other is when it is verified");
    /* the ids are last: 1 and 3; 5 and 3 do not rise */
    view = opened(damaged(patch, len - 8), 0);
    is_refused(base, view, "are damaged");
    view = patched(base, opened(damaged(patch, len - 4), 0), tap_pool);
    ok(view && r307_patch_compact(view, path_of("x"), &source, tap_pool,
                                  &err) == APR_EINVAL
       && strncmp(err.text, "R307-0536: ", 11) == 0,
       "a damaged patch is not compacted");
    base = opened(damaged(base, sizeof(r307_table_header_t) + 60), 0);
    ok(base && r307_patch_compact(base, path_of("x"), &source, tap_pool,
                                  &err) == APR_EINVAL,
       "a damaged base is not compacted");
    ok(access(path_of("x"), F_OK) != 0, "nothing is written");
}

/* ---- many rows ---- */

#define MANY 5000

/* More option sets than are kept parsed, more than one mark. */
static void test_many(void)
{
    row_t *rows = apr_pcalloc(tap_pool, MANY * sizeof *rows);
    r307_table_t *base, *patch, *view;
    const char *wrong;
    unsigned i, has = 0;
    int found = 0;

    for (i = 0; i < MANY; i++) {
        rows[i].id = 3 * i + 3;
        rows[i].line = apr_psprintf(tap_pool, "/shop/%u https://t.example/%u "
                                    "cache=%u%s", i, i, i % 3000 + 1,
                                    i % 50 ? "" : " name=n");
    }
    base = base_of(rows, MANY, tap_pool);
    for (i = 1; i <= 3 * MANY + 5; i++) {
        has += r307_table_has(base, i)
               == (i % 3 == 0 && i <= 3 * MANY);
    }
    ok(has == 3 * MANY + 5, "a base knows its ids");
    ok(!r307_table_has(base, 0), "none is 0");
    for (i = 0; i < MANY; i += 2) {
        rows[i].line = apr_psprintf(tap_pool, "/item/%u https://t.example/%u "
                                    "cache=%u", i, i, i + 1);
    }
    for (i = 1; i < MANY; i += 2) {
        rows[i / 2 * 2 + 1].line = rows[i].line;
    }
    patch = make(rows, MANY, base, NULL, MASK, tap_pool);
    view = patched(base, patch, tap_pool);
    wrong = differ(view, base_of(rows, MANY, tap_pool), tap_pool, &found);
    ok(!wrong && r307_table_count(view) == MANY, "every row changed%s",
       wrong ? wrong : "");
    wrong = differ(compacted(view, tap_pool), view, tap_pool, &found);
    ok(!wrong, "compacted%s", wrong ? wrong : "");
    is(candidates(view, NULL, "/item/4998/x", tap_pool),
       "14997 0 sql:test:14997 /item/4998 4999 0 10\n", "one of them");
}

/* Rows whose ids and targets are not these, of 1 to n without every 11th. */
static unsigned wrong_rows(const r307_table_t *table, unsigned n)
{
    r307_place_t at = R307_PLACE_FIRST;
    const r307_record_t *rec;
    unsigned id = 0, wrong = 0;
    apr_pool_t *pool;

    apr_pool_create(&pool, tap_pool);
    while ((rec = r307_table_next(table, &at)) != NULL) {
        const r307_rule_t *rule = r307_table_rule(table, rec, pool);
        const char *want;

        id += (id + 1) % 11 ? 1 : 2;
        want = apr_psprintf(pool, "/%s%u", id % 7 ? "old/" : "new/", id);
        wrong += rec->order != id || !rule
                 || rule->target->parts[0].len != strlen(want)
                 || memcmp(rule->target->parts[0].text, want, strlen(want));
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return wrong + (id + 1 < n);
}

#define LARGE 60000

/* More than one of the indexer's blocks. */
static void test_large(void)
{
    row_t *rows = apr_pcalloc(tap_pool, LARGE * sizeof *rows);
    r307_table_t *base, *patch, *view;
    unsigned i, n = 0;

    for (i = 0; i < LARGE; i++) {
        rows[i].id = i + 1;
        rows[i].line = apr_psprintf(tap_pool, "/a/rather/long/path/to/a/page/"
                                    "%u /old/%u", i + 1, i + 1);
    }
    base = base_of(rows, LARGE, tap_pool);
    ok(r307_table_header(base)->index.records_len > 1 << 22,
       "a base of more than 4 MiB");
    for (i = 1; i <= LARGE; i++) {
        if (i % 7 == 0 || i % 11 == 0) {
            rows[n].id = i;
            rows[n++].line = i % 11 == 0 ? NULL
                : apr_psprintf(tap_pool, "/p/%u /new/%u", i, i);
        }
    }
    patch = make(rows, (int)n, base, NULL, MASK, tap_pool);
    view = patched(base, patch, tap_pool);
    ok(wrong_rows(view, LARGE) == 0, "all rows of base and patch");
    ok(wrong_rows(compacted(view, tap_pool), LARGE) == 0, "and compacted");
    ok(r307_table_count(view) == LARGE - LARGE / 11, "all are counted");
}

/* ---- counting ---- */

static r307_counter_t *counter_of(const r307_table_t *table)
{
    apr_uint32_t slots = r307_identity_slots(table);
    void *memory = apr_pcalloc(tap_pool,
                               (apr_size_t)r307_counter_len(slots, 0));
    r307_counter_t *counter;

    r307_counter_format(memory, slots, 0, 1, 1, apr_time_now());
    counter = r307_counter_over(memory, tap_pool);
    r307_identity_fill(table, counter->ids, slots);
    return counter;
}

static const r307_rule_t *rule_of(const r307_table_t *table, apr_uint32_t id)
{
    r307_place_t at = R307_PLACE_FIRST;
    const r307_record_t *rec;

    while ((rec = r307_table_next(table, &at)) != NULL) {
        if (rec->order == id) {
            return r307_table_rule(table, rec, tap_pool);
        }
    }
    return NULL;
}

#define GEO "/g geo DE=https://de.example/ default=https://x.example/"

static void check_slots(const r307_table_t *view,
                        const r307_counter_t *counter, const char *what)
{
    ok(rule_of(view, 1)->slot == 1 && rule_of(view, 1)->counter == counter,
       "%s: a row of the base counts in its id", what);
    ok(rule_of(view, 3)->slot == 3 && rule_of(view, 3)->counter == counter,
       "%s: one of the patch does", what);
    ok(rule_of(view, 6)->slot == 6 && !rule_of(view, 6)->choice_slots,
       "%s: a geo rule of the patch counts as a whole", what);
    ok(rule_of(view, 2)->slot == 2
       && rule_of(view, 2)->choice_slots[1] == counter->slots - 1,
       "%s: one of the base by its choices", what);
    ok(rule_of(view, 4000000)->slot == R307_SLOT_NONE
       && rule_of(view, 4000001)->slot == R307_SLOT_NONE,
       "%s: too great an id is not counted", what);
}

static void test_counting(void)
{
    static const row_t rows[] = { { 1, A }, { 2, GEO }, { 3, B } };
    static const row_t changes[] = {
        { 3, C }, { 6, GEO }, { 4000000, A }, { 4000001, GEO }
    };
    static const row_t later[] = { { 3, A }, { 4, A }, { 5, B } };
    r307_table_t *base = base_of(rows, 3, tap_pool), *patch, *view, *next;
    r307_counter_t *counter = counter_of(base);

    ok(counter->slots == 2 * 65536 + 2, "there is room for later ids: %u",
       (unsigned)counter->slots);
    patch = make(changes, 4, base, NULL, MASK, tap_pool);
    r307_table_count_in(base, counter, tap_pool);
    view = patched(base, patch, tap_pool);
    check_slots(view, counter, "told to the base");
    ok(r307_table_counter(view) == counter, "the view knows it");
    base = base_of(rows, 3, tap_pool);
    patch = make(changes, 4, base, NULL, MASK, tap_pool);
    view = patched(base, patch, tap_pool);
    r307_table_count_in(view, counter, tap_pool);
    check_slots(view, counter, "told to the view");
    r307_table_count_in(view, NULL, tap_pool);
    ok(rule_of(view, 1)->slot == R307_SLOT_NONE
       && rule_of(view, 3)->slot == R307_SLOT_NONE
       && !rule_of(view, 3)->counter, "nothing to count in");

    ok(r307_identity_table(view) == r307_identity_table(base),
       "a patch leaves the counters to its base");
    patch = make(later, 3, base, NULL, MASK, tap_pool);
    next = compacted(patched(base, patch, tap_pool), tap_pool);
    ok(r307_identity_table(next) == r307_identity_table(base)
       && r307_identity_slots(next) == r307_identity_slots(base),
       "the next base goes on in the same");
    patch = make(changes, 2, base, NULL, MASK, tap_pool);
    next = compacted(patched(base, patch, tap_pool), tap_pool);
    ok(r307_identity_table(next) != r307_identity_table(base),
       "but not with other choices");
}

/* Counts find their rows in the next base, when that has other counters. */
static void test_carried(void)
{
    static const row_t rows[] = { { 1, A }, { 2, GEO }, { 70000, B } };
    static const row_t changes[] = { { 1, C }, { 3, GEO }, { 900000, A } };
    r307_table_t *base = base_of(rows, 3, tap_pool), *next;
    r307_counter_t *from = counter_of(base), *to;

    next = compacted(patched(base, make(changes, 3, base, NULL, MASK,
                                        tap_pool), tap_pool), tap_pool);
    to = counter_of(next);
    ok(to->slots > from->slots, "more slots: %u", (unsigned)to->slots);
    r307_counter_hit(from, 1, 0, 5);
    r307_counter_hit(from, 70000, 0, 5);
    r307_counter_hit(from, 70001, 0, 5);
    r307_counter_hit(from, from->slots - 1, 0, 5);
    ok(r307_counter_carry(from, to, tap_pool) == 4, "four are moved");
    ok(r307_counter_read(to, 1).hits == 1
       && r307_counter_read(to, 70000).hits == 1
       && r307_counter_read(to, 70001).hits == 1, "rows to their ids");
    ok(r307_counter_read(to, to->slots - 3).hits == 1,
       "and choices to their row's");
}

/* ---- others who look at sets ---- */

static char *findings;

static void find(void *ctx, const r307_finding_t *finding)
{
    (void)ctx;
    if (strcmp(finding->code, "duplicate") == 0) {
        findings = apr_psprintf(tap_pool, "%s%u ", findings,
                                (unsigned)finding->rule->line);
    }
}

static void test_lint(void)
{
    static const row_t rows[] = { { 1, A }, { 2, A }, { 5, B } };
    static const row_t changes[] = { { 2, C }, { 4, B }, { 7, B } };
    r307_table_t *base = base_of(rows, 3, tap_pool), *patch;
    r307_lint_t lint;

    memset(&lint, 0, sizeof lint);
    lint.pool = tap_pool;
    lint.now = apr_time_now();
    lint.found = find;
    findings = apr_pstrdup(tap_pool, "");
    r307_lint_set(&lint, r307_table_rules(base), NULL);
    is(findings, "2 ", "lint of a base");
    patch = make(changes, 3, base, NULL, MASK, tap_pool);
    findings = apr_pstrdup(tap_pool, "");
    r307_lint_set(&lint, r307_table_rules(patched(base, patch, tap_pool)),
                  NULL);
    is(findings, "5 7 ", "lint of both");
}

int main(void)
{
    const char *base = getenv("TMPDIR");
    int i;

    tap_begin();
    dir = mkdtemp(apr_pstrcat(tap_pool, base ? base : "/tmp",
                              "/r307patchXXXXXX", NULL));
    test_changed();
    test_empty();
    test_bad();
    test_order();
    test_foreign();
    test_damaged();
    test_many();
    test_large();
    test_counting();
    test_carried();
    test_lint();
    for (i = 0; i < HISTORIES; i++) {
        test_history(i + 1);
    }
    if (system(apr_pstrcat(tap_pool, "rm -rf '", dir, "'", NULL)) != 0) {
        return 1;
    }
    return tap_end();
}
