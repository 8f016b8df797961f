/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns `sql history`: the log of changes for people and scripts. Must not
 * know how it is kept.
 */
#include "tool/t307_sql.h"

#include <apr_strings.h>

#include <jansson.h>

#include <string.h>

#define OPT_SINCE 0x6401
#define OPT_ID 0x6402

static const apr_getopt_option_t options[] = {
    T307_SQL_OPTIONS,
    T307_SQL_OPTION_RULESET,
    { "since", OPT_SINCE, 1, "SEQ: only changes behind this one" },
    { "id", OPT_ID, 1, "N: only changes of this rule" },
    { "json", T307_SQL_OPT_JSON, 0, "JSON" },
    { NULL, 0, 0, NULL }
};

/* Columns in front of the rule's. */
enum { SEQ, AT, BY, OP, ADDED, RULE };

typedef struct teller_t {
    t307_sql_t *s;
    int planned;
    apr_uint64_t n;
} teller_t;

static void tell_text(const teller_t *t, const t307_sqlrows_t *rows,
                      const t307_sqlrule_t *rule, apr_pool_t *pool)
{
    r307_error_t err = { pool, NULL };
    const char *line = t307_sqlrule_line(rule, pool, &err);
    const char *by = t307_sql_cell(rows, BY);
    FILE *out = t->s->t->out;

    if (!t->planned) {
        fprintf(out, "%s  %s  %s  ", t307_sql_cell(rows, SEQ),
                t307_sql_cell(rows, AT),
                *by ? r307_error_show(&err, by, strlen(by)) : "-");
    }
    fprintf(out, "%s %s of %s: %s%s\n", t307_sql_cell(rows, OP), rule->id,
            rule->ruleset, line ? line : err.text,
            rule->enabled ? "" : " (disabled)");
}

static void tell_json(teller_t *t, const t307_sqlrows_t *rows,
                      const t307_sqlrule_t *rule)
{
    json_t *out = t307_sqlexport_json(rule);
    const char *added = t307_sql_cell(rows, ADDED);
    json_t *by = json_string(t307_sql_cell(rows, BY));

    json_object_set_new(out, "seq", json_integer(
        (json_int_t)apr_atoi64(t307_sql_cell(rows, SEQ))));
    json_object_set_new(out, "at", json_string(t307_sql_cell(rows, AT)));
    json_object_set_new(out, "by", by ? by : json_string("(no UTF-8)"));
    json_object_set_new(out, "op", json_string(t307_sql_cell(rows, OP)));
    json_object_set_new(out, "added", json_boolean(*added == 't'
                                                   || *added == '1'));
    fputs(t->n ? ",\n" : "\n", t->s->t->out);
    json_dumpf(out, t->s->t->out, 0);
    json_decref(out);
}

/* One page behind *last. */
static int tell_page(teller_t *t, const t307_sqlstatement_t *page,
                     const char **args, char *last, int *n)
{
    apr_pool_t *pool, *row_pool;
    t307_sqlrule_t rule;
    t307_sqlrows_t rows;
    int status;

    apr_pool_create(&pool, t->s->pool);
    apr_pool_create(&row_pool, pool);
    status = t307_sql_select(t->s, page, args, pool, &rows);
    for (*n = 0; status == T307_OK && t307_sql_next(&rows); ++*n) {
        t307_sqlrule_read(&rows, RULE, &rule);
        if (t->s->json) {
            tell_json(t, &rows, &rule);
        }
        else {
            tell_text(t, &rows, &rule, row_pool);
        }
        t->n++;
        apr_cpystrn(last, t307_sql_cell(&rows, SEQ), 21);
        apr_pool_clear(row_pool);
    }
    apr_pool_destroy(pool);
    return status;
}

int t307_sqlhistory_tell(t307_sql_t *s, const char *seq, const char *id,
                         int planned)
{
    teller_t t = { s, planned, 0 };
    t307_sqlstatement_t page;
    const char *args[3];
    char last[21];
    int n = T307_SQL_PAGE, nargs = 1, status;

    status = t307_sql_prepare(s, &page, apr_pstrcat(
        s->pool, "SELECT seq, ", s->dialect->instant_begin, "at",
        s->dialect->instant_end, ", by_whom, op, added, ",
        t307_sqlrule_columns(s, "rule_id"), " FROM redirect307_change "
        "WHERE seq > %lld", s->ruleset ? " AND ruleset = %s" : "",
        id ? " AND rule_id = %lld" : "", " ORDER BY seq LIMIT "
        T307_SQL_PAGE_TEXT, NULL));
    apr_cpystrn(last, seq, sizeof last);
    args[0] = last;
    if (s->ruleset) {
        args[nargs++] = s->ruleset;
    }
    args[nargs] = id;
    while (status == T307_OK && n == T307_SQL_PAGE) {
        status = tell_page(&t, &page, args, last, &n);
    }
    return status;
}

static int history(t307_sql_t *s, const char *since, const char *id)
{
    int status = t307_sql_open(s);

    if (status == T307_OK) {
        status = t307_sql_begin_reading(s);
    }
    if (status != T307_OK) {
        return status;
    }
    if (s->json) {
        fputc('[', s->t->out);
    }
    status = t307_sql_end(s, t307_sqlhistory_tell(s, since, id, 0));
    if (s->json) {
        fputs("\n]\n", s->t->out);
    }
    return status;
}

const char *t307_sqlhistory_bad_seq(apr_pool_t *pool, const char *word)
{
    r307_error_t err = { pool, NULL };
    apr_size_t len = strspn(word, "0123456789");

    /* as many digits as a seq can have at least */
    return len > 0 && len <= 18 && !word[len] ? NULL
        : apr_psprintf(pool, "'%s' is not a change's seq; write a number "
                       "from 0 on, as 'redirect307 sql history' shows it",
                       r307_error_show(&err, word, strlen(word)));
}

static int check(t307_sql_t *s, const char *since, const char *id, int words)
{
    const char *bad = t307_sqlhistory_bad_seq(s->pool, since);

    if (!bad && id) {
        bad = t307_sqlrule_bad_id(s->pool, id);
    }
    if (bad) {
        return t307_usage_error(s->t, "%s", bad);
    }
    return words ? t307_usage_error(s->t, "it takes no words, not %d", words)
                 : t307_sql_settle(s, 0);
}

static int run(t307_t *t, int argc, const char *const *argv)
{
    const char *value, *since = "0", *id = NULL;
    t307_args_t args;
    t307_sql_t s;
    int optch, n, status;

    t307_sql_init(&s, t);
    t307_args_begin(t, &args, argc, argv);
    while ((optch = t307_args_next(t, &args, &value)) != 0) {
        if (optch == OPT_SINCE) {
            since = value;
        }
        else if (optch == OPT_ID) {
            id = value;
        }
        else {
            (void)t307_sql_option(&s, optch, value);
        }
    }
    if (args.status != T307_OK || args.done) {
        return args.status;
    }
    (void)t307_args_words(&args, &n);
    status = check(&s, since, id, n);
    return status == T307_OK ? history(&s, since, id) : status;
}

const t307_command_t t307_sql_history_command = {
    "sql history", run, "[option...]",
    "what was changed, when and by whom",
    "Oldest first: seq, when, by whom, put or delete, the rule's id, its "
    "rule set,\n"
    "and the rule, of a put as it is then, of a delete as it was. Without "
    "--ruleset\n"
    "changes of all rule sets.\n"
    "\n"
    "  redirect307 sql history --sqlite rules.db --since 1200\n"
    "  redirect307 sql history --ruleset shop --id 17 "
    "--json\n",
    options
};
