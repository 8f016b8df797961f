/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns `sql rollback`: rules as the log says they were. Must not know how the
 * log is kept.
 *
 * What was changed behind SEQ is put back, nothing else is touched. The last
 * image of a rule at SEQ or before it is what the rule was; a rule without
 * one was not there, if the first change behind SEQ has added it.
 */
#include "tool/t307_sql.h"

#include <apr_strings.h>

#include <jansson.h>

#include <string.h>

static const apr_getopt_option_t options[] = {
    T307_SQL_OPTIONS,
    T307_SQL_OPTION_RULESET,
    T307_SQL_OPTION_DRYRUN,
    { "json", T307_SQL_OPT_JSON, 0, "say what was done as JSON" },
    { NULL, 0, 0, NULL }
};

#define COLUMNS(t) t "ruleset, " t "host, " t "kind, " t "path, " \
    t "target, " t "options, " t "valid_from, " t "valid_until, " \
    t "enabled, " t "note"

#define ARGS_MAX 16

/* A statement that is put together of constants, with its parameters. */
typedef struct query_t {
    apr_pool_t *pool;
    const char *seq, *ruleset;  /* ruleset NULL: all of them */
    const char *text;
    const char *args[ARGS_MAX];
    int nargs;
} query_t;

static void add(query_t *q, const char *text)
{
    q->text = apr_pstrcat(q->pool, q->text, text, NULL);
}

static void add_value(query_t *q, const char *text, const char *value)
{
    add(q, text);
    q->args[q->nargs++] = value;
}

static void begin(query_t *q, t307_sql_t *s, const char *seq,
                  const char *text)
{
    q->pool = s->pool;
    q->seq = seq;
    q->ruleset = s->ruleset;
    q->text = text;
    q->nargs = 0;
}

/* " AND t.ruleset = ...", when it is about one. */
static void add_ruleset(query_t *q, const char *text)
{
    if (q->ruleset) {
        add_value(q, text, q->ruleset);
    }
}

/* The last change of a rule at SEQ or before. */
static void add_prior(query_t *q, const char *rule)
{
    add(q, "(SELECT max(p.seq) FROM redirect307_change p WHERE p.rule_id = ");
    add(q, rule);
    add_value(q, " AND p.seq <= %lld", q->seq);
    add_ruleset(q, " AND p.ruleset = %s");
    add(q, ")");
}

/* Ids of the rules that were changed behind SEQ. */
static void add_touched(query_t *q)
{
    add_value(q, "(SELECT t.rule_id FROM redirect307_change t "
              "WHERE t.seq > %lld", q->seq);
    add_ruleset(q, " AND t.ruleset = %s");
    add(q, ")");
}

/* The images c of those that were there at SEQ. From the ids to the images: a
 * log is long. */
static void add_wanted(query_t *q)
{
    add(q, " c.op = 'put' AND c.seq IN (SELECT ");
    add_prior(q, "d.rule_id");
    add(q, " FROM (SELECT DISTINCT rule_id FROM ");
    add_touched(q);
    add(q, " u) d)");
}

static int run_query(t307_sql_t *s, query_t *q, int *rows)
{
    t307_sqlstatement_t statement;
    int status = t307_sql_prepare(s, &statement, q->text);

    return status != T307_OK ? status
        : t307_sql_change(s, &statement, q->args, rows);
}

/* ---- can it be done? ---- */

static int check_reach(t307_sql_t *s, const char *seq)
{
    const char *first, *last;
    int status = t307_sql_ask(s, "SELECT max(seq) FROM redirect307_change",
                              NULL, &last);

    if (status == T307_OK) {
        status = t307_sql_ask(s, "SELECT min(seq) FROM redirect307_change",
                              NULL, &first);
    }
    if (status != T307_OK || strcmp(seq, "0") == 0) {
        return status;
    }
    if (apr_atoi64(seq) > apr_atoi64(last)) {
        return t307_fail(s->t, "there is no change %s yet; the last one is "
                         "%s", seq, *last ? last : "0");
    }
    return apr_atoi64(seq) >= apr_atoi64(first) ? T307_OK
        : t307_fail(s->t, "the log does not reach back to %s: it begins with "
                    "%s", seq, first);
}

/* A rule that was there before SEQ, and what it was has been deleted from
 * the log. */
static int check_known(t307_sql_t *s, const char *seq)
{
    const char *id;
    query_t q;
    int status;

    begin(&q, s, seq, "SELECT c.rule_id FROM redirect307_change c "
          "WHERE NOT c.added");
    add_value(&q, " AND c.seq > %lld", seq);
    add_ruleset(&q, " AND c.ruleset = %s");
    add_value(&q, " AND c.seq = (SELECT min(f.seq) FROM redirect307_change f "
              "WHERE f.rule_id = c.rule_id AND f.seq > %lld", seq);
    add_ruleset(&q, " AND f.ruleset = %s");
    add(&q, ") AND ");
    add_prior(&q, "c.rule_id");
    add(&q, " IS NULL LIMIT 1");
    status = t307_sql_ask(s, q.text, q.args, &id);
    return status != T307_OK || !id ? status
        : t307_fail(s->t, "what the rule %s was at %s is not in the log any "
                    "more", id, seq);
}

/* Ids are there once, in all rule sets together. */
static int check_free(t307_sql_t *s, const char *seq)
{
    const char *id;
    query_t q;
    int status;

    if (!s->ruleset) {
        return T307_OK;
    }
    begin(&q, s, seq, "SELECT r.id FROM redirect307_rule r WHERE ");
    add_value(&q, "r.ruleset <> %s AND r.id IN (SELECT c.rule_id "
              "FROM redirect307_change c WHERE", s->ruleset);
    add_wanted(&q);
    add(&q, ") LIMIT 1");
    status = t307_sql_ask(s, q.text, q.args, &id);
    return status != T307_OK || !id ? status
        : t307_fail(s->t, "the rule %s belongs to another rule set now; roll "
                    "back all rule sets, or delete it there first", id);
}

/* ---- doing it ---- */

/* The image of the rule. */
static void add_image(query_t *q)
{
    add(q, " FROM redirect307_change c WHERE c.seq = ");
    add_prior(q, "redirect307_rule.id");
}

static int delete_new(t307_sql_t *s, const char *seq, int *rows)
{
    query_t q;

    begin(&q, s, seq, "DELETE FROM redirect307_rule WHERE true");
    add_ruleset(&q, " AND ruleset = %s");
    if (strcmp(seq, "0") != 0) {
        add(&q, " AND id IN ");
        add_touched(&q);
        add(&q, " AND NOT EXISTS (SELECT 1");
        add_image(&q);
        add(&q, " AND c.op = 'put')");
    }
    return run_query(s, &q, rows);
}

#define SAME(column) " AND c." column " = redirect307_rule." column
#define SAME_INSTANT(column) " AND COALESCE(CAST(c." column " AS text), '') " \
    "= COALESCE(CAST(redirect307_rule." column " AS text), '')"

static int change_back(t307_sql_t *s, const char *seq, const char *writer,
                       int *rows)
{
    query_t q;

    begin(&q, s, seq, "UPDATE redirect307_rule SET (" COLUMNS("") ") = "
          "(SELECT " COLUMNS("c."));
    add_image(&q);
    add(&q, ")");
    if (writer) {
        add_value(&q, ", changed_at = "
                  "strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now'), "
                  "changed_by = %s", writer);
    }
    add(&q, " WHERE id IN (SELECT c.rule_id FROM redirect307_change c "
        "WHERE");
    add_wanted(&q);
    add(&q, ") AND NOT EXISTS (SELECT 1");
    add_image(&q);
    add(&q, SAME("ruleset") SAME("host") SAME("kind") SAME("path")
        SAME("target") SAME("options") SAME_INSTANT("valid_from")
        SAME_INSTANT("valid_until") SAME("enabled") SAME("note") ")");
    return run_query(s, &q, rows);
}

static int add_again(t307_sql_t *s, const char *seq, const char *writer,
                     int *rows)
{
    query_t q;

    begin(&q, s, seq, apr_pstrcat(s->pool, "INSERT INTO redirect307_rule "
                                  "(id, " COLUMNS("") "",
                                  writer ? ", changed_by" : "",
                                  ") SELECT c.rule_id, " COLUMNS("c."),
                                  NULL));
    if (writer) {
        add_value(&q, ", %s", writer);
    }
    add(&q, " FROM redirect307_change c WHERE NOT EXISTS (SELECT 1 "
        "FROM redirect307_rule r WHERE r.id = c.rule_id) AND");
    add_wanted(&q);
    return run_query(s, &q, rows);
}

typedef struct counts_t {
    int deleted, changed, added;
} counts_t;

static int put_back(t307_sql_t *s, const char *seq, counts_t *n)
{
    t307_sqlwriter_t writer;
    int status = t307_sqlwriter_begin(s, &writer);

    if (status == T307_OK) {
        status = delete_new(s, seq, &n->deleted);
    }
    if (status == T307_OK && strcmp(seq, "0") != 0) {
        status = change_back(s, seq, writer.writer, &n->changed);
        if (status == T307_OK) {
            status = add_again(s, seq, writer.writer, &n->added);
        }
    }
    return status == T307_OK ? t307_sqlwriter_sign(&writer) : status;
}

static void tell(t307_sql_t *s, const char *seq, const counts_t *n)
{
    if (!s->json) {
        fprintf(s->t->out, "%s as at %s: %d rules deleted, %d changed, %d "
                "added again%s\n", s->ruleset ? s->ruleset : "all rule sets",
                seq, n->deleted, n->changed, n->added,
                t307_sql_dry(s));
        return;
    }
    t307_sql_print(s, json_pack("{s:I, s:i, s:i, s:i, s:b}", "seq",
                                (json_int_t)apr_atoi64(seq), "deleted",
                                n->deleted, "changed", n->changed, "added",
                                n->added, "dry_run", s->dry_run));
}

static int write_changes(t307_sql_t *s, const char *seq, counts_t *n)
{
    const char *last;
    int status = check_reach(s, seq);

    if (status == T307_OK && strcmp(seq, "0") != 0) {
        status = check_known(s, seq);
        if (status == T307_OK) {
            status = check_free(s, seq);
        }
    }
    if (status == T307_OK) {
        status = t307_sql_ask(s, "SELECT max(seq) FROM redirect307_change",
                              NULL, &last);
    }
    if (status == T307_OK) {
        status = put_back(s, seq, n);
    }
    if (status == T307_OK && s->dry_run && !s->json) {
        status = t307_sqlhistory_tell(s, *last ? last : "0", NULL, 1);
    }
    return status;
}

static int rollback(t307_sql_t *s, const char *seq)
{
    counts_t n = { 0, 0, 0 };
    int status = t307_sql_open(s);

    if (status == T307_OK) {
        status = t307_sql_begin(s);
    }
    if (status == T307_OK) {
        status = t307_sql_end(s, write_changes(s, seq, &n));
    }
    if (status == T307_OK) {
        tell(s, seq, &n);
    }
    return status;
}

static int run(t307_t *t, int argc, const char *const *argv)
{
    const char *value, *const *words, *bad, *seq;
    t307_args_t args;
    t307_sql_t s;
    int optch, n, status;

    t307_sql_init(&s, t);
    t307_args_begin(t, &args, argc, argv);
    while ((optch = t307_args_next(t, &args, &value)) != 0) {
        (void)t307_sql_option(&s, optch, value);
    }
    if (args.status != T307_OK || args.done) {
        return args.status;
    }
    words = t307_args_words(&args, &n);
    bad = n == 1 ? t307_sqlhistory_bad_seq(t->pool, words[0])
        : apr_psprintf(t->pool, "it takes the seq of a change, not %d words",
                       n);
    if (bad) {
        return t307_usage_error(t, "%s", bad);
    }
    seq = apr_psprintf(t->pool, "%" APR_INT64_T_FMT, apr_atoi64(words[0]));
    status = t307_sql_settle(&s, 0);
    return status == T307_OK ? rollback(&s, seq) : status;
}

const t307_command_t t307_sql_rollback_command = {
    "sql rollback", run, "[option...] SEQ",
    "bring rules back to what they were",
    "What was changed behind the change SEQ is put back in one transaction, "
    "as new\n"
    "changes: nothing of the log goes, and a rollback can be rolled back. "
    "Without\n"
    "--ruleset in all rule sets. SEQ 0 is before the first change. With "
    "--dry-run\n"
    "every change is told.\n"
    "\n"
    "  redirect307 sql history --sqlite rules.db --ruleset shop\n"
    "  redirect307 sql rollback --sqlite rules.db --ruleset shop 1200 "
    "--dry-run\n"
    "  redirect307 sql rollback --sqlite rules.db --ruleset shop 1200\n",
    options
};
