/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what a rule is as columns, reading the rules of a store, and judging
 * one before it is written. Must not know commands.
 */
#include "tool/t307_sql.h"

#include "core/r307_block.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <jansson.h>

#include <string.h>

/* ---- columns ---- */

const char *t307_sqlrule_columns(const t307_sql_t *s, const char *id)
{
    const char *a = s->dialect->instant_begin, *z = s->dialect->instant_end;

    return apr_pstrcat(s->pool, id, ", ruleset, host, kind, path, target, "
                       "options, ", a, "valid_from", z, ", ", a,
                       "valid_until", z, ", enabled, note", NULL);
}

static const char *not_empty(const char *s)
{
    return *s ? s : NULL;
}

void t307_sqlrule_read(const t307_sqlrows_t *rows, int first,
                       t307_sqlrule_t *rule)
{
    const char *cells[11];
    int i;

    for (i = 0; i < 11; i++) {
        cells[i] = t307_sql_cell(rows, first + i);
    }
    memset(rule, 0, sizeof *rule);
    rule->id = cells[0];
    rule->ruleset = cells[1];
    rule->row.host = cells[2];
    rule->row.kind = cells[3];
    rule->row.path = cells[4];
    rule->row.target = cells[5];
    rule->row.options = cells[6];
    rule->from = not_empty(cells[7]);
    rule->until = not_empty(cells[8]);
    rule->enabled = cells[9][0] == 't' || cells[9][0] == '1';
    rule->note = cells[10];
}

const char *t307_sqlrule_bad_id(apr_pool_t *pool, const char *word)
{
    r307_error_t err = { pool, NULL };
    apr_size_t len = strspn(word, "0123456789");

    if (len == 0 || len > 10 || word[len]
        || (apr_uint64_t)apr_atoi64(word) - 1 >= T307_SQL_ID_MAX) {
        return apr_psprintf(pool, "'%s' is not a rule's id; write a number "
                            "from 1 to 4294967295",
                            r307_error_show(&err, word, strlen(word)));
    }
    return NULL;
}

/* ---- lines ---- */

/* The options as the views of the schema have them. */
static const char *whole_options(const t307_sqlrule_t *rule,
                                 apr_pool_t *pool)
{
    const char *options = rule->row.options;

    if (!rule->from && !rule->until) {
        return options;
    }
    options = apr_pstrcat(pool, options, rule->from ? " from=" : "",
                          rule->from ? rule->from : "",
                          rule->until ? " until=" : "",
                          rule->until ? rule->until : "", NULL);
    return options + strspn(options, " ");
}

char *t307_sqlrule_line(const t307_sqlrule_t *rule, apr_pool_t *pool,
                        r307_error_t *err)
{
    r307_row_t row = rule->row;

    row.options = whole_options(rule, pool);
    return r307_row_line(&row, pool, err);
}

void t307_sqlrule_of_line(const r307_line_t *line, apr_pool_t *pool,
                          t307_sqlrule_t *rule)
{
    memset(rule, 0, sizeof *rule);
    r307_row_from_line(line, pool, &rule->row, &rule->from, &rule->until);
    rule->enabled = 1;
    rule->note = "";
}

/* ---- judging ---- */

/* Expressions are httpd's; only it can say whether one compiles. */
static const char *take_expr(void *ctx, apr_pool_t *pool, const char *text,
                             int is_string, const void **expr)
{
    (void)ctx;
    (void)pool;
    (void)is_string;
    *expr = text;
    return NULL;
}

/* Databases take nothing else as text. */
static int is_utf8(const char *text)
{
    const char *s;
    json_t *value;

    for (s = text; *s && (unsigned char)*s < 0x80; s++) {
    }
    if (!*s) {
        return 1;
    }
    value = json_string(s);
    json_decref(value);
    return value != NULL;
}

char *t307_sqlrule_check(const t307_sqlrule_t *rule, apr_pool_t *pool,
                         r307_error_t *err)
{
    r307_rule_env_t env = { pool, 0, take_expr, NULL };
    char *text = t307_sqlrule_line(rule, pool, err), *line;
    r307_line_t parsed;
    r307_rule_t *unused;

    if (!text) {
        return NULL;
    }
    if (!is_utf8(text) || !is_utf8(rule->note)) {
        err->text = "it holds bytes that are not UTF-8, and a database takes "
                    "no others; encode the file as UTF-8";
        return NULL;
    }
    line = apr_pstrdup(pool, text);
    if (r307_rulefile_parse(text, R307_RULEFILE_RULES, pool, &parsed, err)
        != APR_SUCCESS) {
        return NULL;
    }
    parsed.spec.file = "";
    return r307_rule_create_in_file(&env, &parsed, 0, &unused, err)
           == APR_SUCCESS ? line : NULL;
}

/* ---- reading ---- */

static int walk_page(t307_sql_t *s, const t307_sqlstatement_t *page,
                     apr_pool_t *pools[2], char *last, int *n,
                     int (*visit)(void *ctx, const t307_sqlrule_t *rule,
                                  apr_pool_t *pool), void *ctx)
{
    const char *args[2] = { s->ruleset, last };
    t307_sqlrule_t rule;
    t307_sqlrows_t rows;
    int status;

    apr_pool_clear(pools[0]);
    status = t307_sql_select(s, page, args, pools[0], &rows);
    for (*n = 0; status == T307_OK && t307_sql_next(&rows); ++*n) {
        t307_sqlrule_read(&rows, 0, &rule);
        apr_cpystrn(last, rule.id, 21);
        status = visit(ctx, &rule, pools[1]);
        apr_pool_clear(pools[1]);
    }
    return status;
}

int t307_sqlrule_walk(t307_sql_t *s, int enabled,
                      int (*visit)(void *ctx, const t307_sqlrule_t *rule,
                                   apr_pool_t *pool), void *ctx)
{
    apr_pool_t *pools[2];       /* of a page, of a rule */
    t307_sqlstatement_t page;
    char last[21] = "0";
    int n = T307_SQL_PAGE, status;

    status = t307_sql_prepare(s, &page, apr_pstrcat(
        s->pool, "SELECT ", t307_sqlrule_columns(s, "id"), " FROM "
        "redirect307_rule WHERE ruleset = %s AND id > %lld",
        enabled ? " AND enabled" : "", " ORDER BY id LIMIT "
        T307_SQL_PAGE_TEXT, NULL));
    apr_pool_create(&pools[0], s->pool);
    apr_pool_create(&pools[1], s->pool);
    while (status == T307_OK && n == T307_SQL_PAGE) {
        status = walk_page(s, &page, pools, last, &n, visit, ctx);
    }
    apr_pool_destroy(pools[0]);
    apr_pool_destroy(pools[1]);
    return status;
}
