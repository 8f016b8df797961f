/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the statements that write rules, some rules at a time where the way to
 * the database is long. Must not know where rules come from.
 */
#include "tool/t307_sql.h"

#include <apr_strings.h>
#include <apr_user.h>

#include <string.h>

/* Changes after which a database has a wrong idea of its tables. */
#define MANY 50000

/* ---- statements ---- */

#define COLUMNS "ruleset, host, kind, path, target, options, valid_from, " \
                "valid_until, enabled, note"
#define VALUES "%s, %s, %s, %s, %s, %s, %pDz, %pDz, CAST(%s AS boolean), %s"

/* Parameters of a rule in an INSERT: those above, and who. */
static int width(const t307_sqlwriter_t *w)
{
    return w->writer ? 11 : 10;
}

typedef const char *(text_t)(const t307_sqlwriter_t *w, int rules);

static const char *insert_values(const t307_sqlwriter_t *w, int rules,
                                 int with_id)
{
    apr_pool_t *pool = w->s->pool;
    const char *values = apr_pstrcat(pool, "(", with_id ? "%lld, " : "",
                                     VALUES, w->writer ? ", %s" : "", ")",
                                     NULL);
    apr_array_header_t *text = apr_array_make(pool, rules + 1,
                                              sizeof(const char *));
    int i;

    APR_ARRAY_PUSH(text, const char *) =
        apr_pstrcat(pool, "INSERT INTO redirect307_rule (",
                    with_id ? "id, " : "", COLUMNS,
                    w->writer ? ", changed_by" : "", ") VALUES ", values,
                    NULL);
    for (i = 1; i < rules; i++) {
        APR_ARRAY_PUSH(text, const char *) = values;
    }
    return apr_array_pstrcat(pool, text, ',');
}

static const char *insert_text(const t307_sqlwriter_t *w, int rules)
{
    return insert_values(w, rules, 0);
}

static const char *insert_with_id(const t307_sqlwriter_t *w, int rules)
{
    return insert_values(w, rules, 1);
}

static const char *insert_returning(const t307_sqlwriter_t *w, int rules)
{
    return apr_pstrcat(w->s->pool, insert_values(w, rules, 0),
                       " RETURNING id", NULL);
}

static const char *delete_text(const t307_sqlwriter_t *w, int rules)
{
    apr_array_header_t *ids = apr_array_make(w->s->pool, rules,
                                             sizeof(const char *));
    int i;

    for (i = 0; i < rules; i++) {
        APR_ARRAY_PUSH(ids, const char *) = "%lld";
    }
    return apr_pstrcat(w->s->pool, "DELETE FROM redirect307_rule WHERE id IN "
                       "(", apr_array_pstrcat(w->s->pool, ids, ','), ")",
                       NULL);
}

static const char *update_text(const t307_sqlwriter_t *w, int rules)
{
    (void)rules;
    return apr_pstrcat(w->s->pool, "UPDATE redirect307_rule SET host = %s, "
                       "kind = %s, path = %s, target = %s, options = %s, "
                       "valid_from = %pDz, valid_until = %pDz, "
                       "enabled = CAST(%s AS boolean), "
                       "note = COALESCE(%s, note)",
                       !w->writer ? "" : ", changed_by = %s, changed_at = "
                       "strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now')",
                       " WHERE id = %lld AND ruleset = %s", NULL);
}

/* Prepared when it is first needed. */
static int have(t307_sqlwriter_t *w, t307_sqlstatement_t *statement,
                text_t *text, int rules)
{
    return statement->prepared ? T307_OK
        : t307_sql_prepare(w->s, statement, text(w, rules));
}

/* ---- begin and end ---- */

static const char *user_name(apr_pool_t *pool)
{
    apr_uid_t uid;
    apr_gid_t gid;
    char *name;

    return apr_uid_current(&uid, &gid, pool) == APR_SUCCESS
           && apr_uid_name_get(&name, uid, pool) == APR_SUCCESS ? name : "";
}

int t307_sqlwriter_begin(t307_sql_t *s, t307_sqlwriter_t *w)
{
    memset(w, 0, sizeof *w);
    w->s = s;
    apr_pool_create(&w->pool, s->pool);
    apr_pool_create(&w->ids_pool, s->pool);
    w->args = apr_palloc(s->pool, (apr_size_t)s->dialect->rows_max * 11
                         * sizeof *w->args);
    w->ids = apr_palloc(s->pool, (apr_size_t)s->dialect->rows_max
                        * sizeof *w->ids);
    if (s->dialect->has_users) {
        return T307_OK;
    }
    w->writer = user_name(s->pool);
    return t307_sql_ask(s, "SELECT ifnull(max(seq), 0) "
                        "FROM redirect307_change", NULL, &w->seq);
}

/* A rule that goes can not say who takes it away. */
int t307_sqlwriter_sign(t307_sqlwriter_t *w)
{
    const char *args[2] = { w->writer, w->seq };
    t307_sqlstatement_t sign;
    int rows, status;

    if (!w->writer) {
        return T307_OK;
    }
    status = t307_sql_prepare(w->s, &sign, "UPDATE redirect307_change "
                              "SET by_whom = %s WHERE seq > %lld "
                              "AND by_whom = ''");
    return status != T307_OK ? status
        : t307_sql_change(w->s, &sign, args, &rows);
}

/* ---- adding ---- */

static void fill(const t307_sqlwriter_t *w, const t307_sqlrule_t *rule,
                 const char **args)
{
    args[0] = w->s->ruleset;
    args[1] = rule->row.host;
    args[2] = rule->row.kind;
    args[3] = rule->row.path;
    args[4] = rule->row.target;
    args[5] = rule->row.options;
    args[6] = rule->from;
    args[7] = rule->until;
    args[8] = rule->enabled ? "1" : "0";
    args[9] = rule->note;
    args[10] = w->writer;       /* of the next rule when there is none */
}

/* What waits, in one statement when it is as many as that takes. */
static int flush(t307_sqlwriter_t *w)
{
    int i, rows, max = w->s->dialect->rows_max, status;

    if (w->waiting == max) {
        status = have(w, &w->many, insert_text, max);
        if (status == T307_OK) {
            status = t307_sql_change(w->s, &w->many, w->args, &rows);
        }
    }
    else {
        status = have(w, &w->one, insert_text, 1);
        for (i = 0; status == T307_OK && i < w->waiting; i++) {
            status = t307_sql_change(w->s, &w->one, w->args + i * width(w),
                                     &rows);
        }
    }
    w->waiting = 0;
    apr_pool_clear(w->pool);
    return status;
}

int t307_sqlwriter_add(t307_sqlwriter_t *w, const t307_sqlrule_t *rule)
{
    const char *args[11];
    int i;

    fill(w, rule, args);
    for (i = 0; i < width(w); i++) {
        w->args[w->waiting * width(w) + i] =
            args[i] ? apr_pstrdup(w->pool, args[i]) : NULL;
    }
    w->waiting++;
    w->added++;
    return w->waiting == w->s->dialect->rows_max ? flush(w) : T307_OK;
}

/* One rule, which the database gives an id. */
static int add_one(t307_sqlwriter_t *w, const char **args, const char **id)
{
    t307_sqlstatement_t insert = { NULL, 0 };
    t307_sqlrows_t rows;
    int n, status;

    if (w->writer) {
        status = have(w, &insert, insert_text, 1);
        if (status == T307_OK) {
            status = t307_sql_change(w->s, &insert, args, &n);
        }
        return status != T307_OK ? status
            : t307_sql_ask(w->s, "SELECT last_insert_rowid()", NULL, id);
    }
    status = have(w, &insert, insert_returning, 1);
    if (status == T307_OK) {
        status = t307_sql_select(w->s, &insert, args, w->s->pool, &rows);
    }
    if (status == T307_OK && t307_sql_next(&rows)) {
        *id = apr_pstrdup(w->s->pool, t307_sql_cell(&rows, 0));
    }
    return status;
}

int t307_sqlwriter_put(t307_sqlwriter_t *w, const t307_sqlrule_t *rule,
                       const char **id)
{
    t307_sqlstatement_t insert = { NULL, 0 };
    const char *args[12];
    int rows, status;

    fill(w, rule, args + 1);
    w->added++;
    if (!rule->id) {
        return add_one(w, args + 1, id);
    }
    args[0] = *id = rule->id;
    status = have(w, &insert, insert_with_id, 1);
    return status != T307_OK ? status
        : t307_sql_change(w->s, &insert, args, &rows);
}

/* ---- changing and deleting ---- */

int t307_sqlwriter_update(t307_sqlwriter_t *w, const t307_sqlrule_t *rule)
{
    const char *args[13];
    int rows, status;

    fill(w, rule, args);
    args[width(w)] = rule->id;
    args[width(w) + 1] = w->s->ruleset;
    status = have(w, &w->update, update_text, 1);
    if (status == T307_OK) {
        status = t307_sql_change(w->s, &w->update, args + 1, &rows);
    }
    w->changed++;
    return status;
}

static int flush_ids(t307_sqlwriter_t *w)
{
    int i, rows, max = w->s->dialect->rows_max, status;

    if (w->ids_waiting == max) {
        status = have(w, &w->delete_many, delete_text, max);
        if (status == T307_OK) {
            status = t307_sql_change(w->s, &w->delete_many, w->ids, &rows);
        }
    }
    else {
        status = have(w, &w->delete_one, delete_text, 1);
        for (i = 0; status == T307_OK && i < w->ids_waiting; i++) {
            status = t307_sql_change(w->s, &w->delete_one, w->ids + i,
                                     &rows);
        }
    }
    w->ids_waiting = 0;
    apr_pool_clear(w->ids_pool);
    return status;
}

int t307_sqlwriter_delete(t307_sqlwriter_t *w, const char *id)
{
    w->ids[w->ids_waiting++] = apr_pstrdup(w->ids_pool, id);
    w->deleted++;
    return w->ids_waiting == w->s->dialect->rows_max ? flush_ids(w)
                                                     : T307_OK;
}

int t307_sqlwriter_end(t307_sqlwriter_t *w)
{
    int status = w->ids_waiting ? flush_ids(w) : T307_OK;

    if (status == T307_OK && w->waiting) {
        status = flush(w);
    }
    if (status == T307_OK) {
        status = t307_sqlwriter_sign(w);
    }
    if (status == T307_OK && w->added + w->deleted > MANY) {
        status = t307_sql_run(w->s, w->s->dialect->after_many);
    }
    return status;
}
