/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns `sql put` and `sql delete`: single rules. Must not know statements
 * that write them.
 */
#include "tool/t307_sql.h"

#include <apr_strings.h>

#include <jansson.h>

#include <string.h>

#define OPT_ID 0x6301
#define OPT_HOST 0x6302
#define OPT_KIND 0x6303
#define OPT_NOTE 0x6304
#define OPT_DISABLED 0x6305
#define OPT_PATH 0x6306

static const apr_getopt_option_t put_options[] = {
    T307_SQL_OPTIONS,
    T307_SQL_OPTION_RULESET,
    { "id", OPT_ID, 1, "N: the rule with this id becomes this one, or is "
      "added" },
    { "host", OPT_HOST, 1, "HOST: a name or *.name: for requests to it only" },
    { "kind", OPT_KIND, 1, "KIND: prefix, exact or regex; without it prefix" },
    { "note", OPT_NOTE, 1, "TEXT: for people; servers do not read it" },
    { "disabled", OPT_DISABLED, 0, "servers leave it out" },
    T307_SQL_OPTION_DRYRUN,
    { "json", T307_SQL_OPT_JSON, 0, "say what was done as JSON" },
    { NULL, 0, 0, NULL }
};

static const apr_getopt_option_t delete_options[] = {
    T307_SQL_OPTIONS,
    T307_SQL_OPTION_RULESET,
    { "path", OPT_PATH, 1, "PATH: all rules with just this path" },
    { "host", OPT_HOST, 1, "HOST: of these, those for this host" },
    T307_SQL_OPTION_DRYRUN,
    { "json", T307_SQL_OPT_JSON, 0, "say what was done as JSON" },
    { NULL, 0, 0, NULL }
};

static void print_json(t307_sql_t *s, json_t *json)
{
    json_dumpf(json, s->t->out, 0);
    fputc('\n', s->t->out);
    json_decref(json);
}

static const char *dry(const t307_sql_t *s)
{
    return s->dry_run ? " (dry run: taken back)" : "";
}

/* ---- put ---- */

typedef struct putter_t {
    t307_sql_t s;
    const char *id, *host, *kind, *note;
    int disabled;
} putter_t;

/* Words of the command line as the words of a line. */
static int rule_of_words(putter_t *p, const char *const *words, int n,
                         t307_sqlrule_t *rule)
{
    r307_line_t line;
    int i;

    if (n < 2) {
        return t307_usage_error(p->s.t, "it takes a path and a target, and "
                                "options of the rule, not %d words", n);
    }
    if (n - 2 > R307_RULEFILE_WORDS_MAX) {
        return t307_usage_error(p->s.t, "more than %d options",
                                R307_RULEFILE_WORDS_MAX);
    }
    memset(&line, 0, sizeof line);
    for (i = 2; i < n; i++) {
        line.options[i - 2] = words[i];
    }
    line.spec.noptions = n - 2;
    line.spec.options = line.options;
    line.spec.path = words[0];
    line.spec.target = words[1] == t307_args_stdin ? "-" : words[1];
    line.spec.kind = strcmp(p->kind, "regex") == 0 ? R307_RULE_REGEX
                                                   : R307_RULE_PREFIX;
    line.exact = strcmp(p->kind, "exact") == 0;
    t307_sqlrule_of_line(&line, p->s.pool, rule);
    rule->id = p->id;
    rule->row.host = p->host ? p->host : "";
    if (strcmp(p->kind, "prefix") != 0) {
        rule->row.kind = p->kind;       /* else the option exact counts */
    }
    rule->enabled = !p->disabled;
    rule->note = p->note ? p->note : "";
    return T307_OK;
}

/* Whose the id is now; NULL: nobody's. */
static int find_owner(putter_t *p, const char **ruleset)
{
    *ruleset = NULL;
    return !p->id ? T307_OK
        : t307_sql_ask(&p->s, "SELECT ruleset FROM redirect307_rule "
                       "WHERE id = %lld", &p->id, ruleset);
}

static int write_rule(putter_t *p, const t307_sqlrule_t *rule,
                      const char **id, int *fresh)
{
    t307_sqlwriter_t writer;
    const char *owner;
    int status = find_owner(p, &owner);

    if (status == T307_OK && owner && strcmp(owner, p->s.ruleset) != 0) {
        return t307_fail(p->s.t, "the rule %s belongs to the rule set %s; "
                         "delete it there first", p->id,
                         t307_sql_shown(&p->s, owner));
    }
    if (status == T307_OK) {
        status = t307_sqlwriter_begin(&p->s, &writer);
    }
    if (status != T307_OK) {
        return status;
    }
    *id = p->id;
    *fresh = !owner;
    status = owner ? t307_sqlwriter_update(&writer, rule)
                   : t307_sqlwriter_put(&writer, rule, id);
    return status == T307_OK ? t307_sqlwriter_end(&writer) : status;
}

static int put(putter_t *p, const t307_sqlrule_t *rule, const char *line)
{
    const char *id = NULL;
    int fresh = 0, status = t307_sql_open(&p->s);

    if (status == T307_OK) {
        status = t307_sql_begin(&p->s);
    }
    if (status == T307_OK) {
        status = t307_sql_end(&p->s, write_rule(p, rule, &id, &fresh));
    }
    if (status != T307_OK) {
        return status;
    }
    if (p->s.json) {
        print_json(&p->s, json_pack("{s:I, s:s, s:s, s:s, s:b}", "id",
                                    (json_int_t)apr_atoi64(id), "ruleset",
                                    p->s.ruleset, "op", fresh ? "added"
                                    : "changed", "rule", line, "dry_run",
                                    p->s.dry_run));
    }
    else {
        fprintf(p->s.t->out, "rule %s of %s %s: %s%s\n", id, p->s.ruleset,
                fresh ? "added" : "changed", line, dry(&p->s));
    }
    return T307_OK;
}

static void take_put_option(putter_t *p, int optch, const char *value)
{
    switch (optch) {
    case OPT_ID: p->id = value; break;
    case OPT_HOST: p->host = value; break;
    case OPT_KIND: p->kind = value; break;
    case OPT_NOTE: p->note = value; break;
    case OPT_DISABLED: p->disabled = 1; break;
    default: (void)t307_sql_option(&p->s, optch, value); break;
    }
}

static int run_put(t307_t *t, int argc, const char *const *argv)
{
    r307_error_t err = { t->pool, NULL };
    const char *value, *const *words, *line, *bad;
    t307_sqlrule_t rule;
    t307_args_t args;
    putter_t p;
    int optch, n, status;

    memset(&p, 0, sizeof p);
    p.kind = "prefix";
    t307_sql_init(&p.s, t);
    t307_args_begin(t, &args, argc, argv);
    while ((optch = t307_args_next(t, &args, &value)) != 0) {
        take_put_option(&p, optch, value);
    }
    if (args.status != T307_OK || args.done) {
        return args.status;
    }
    words = t307_args_words(&args, &n);
    bad = p.id ? t307_sqlrule_bad_id(t->pool, p.id) : NULL;
    if (bad) {
        return t307_usage_error(t, "%s", bad);
    }
    status = rule_of_words(&p, words, n, &rule);
    if (status == T307_OK) {
        status = t307_sql_settle(&p.s, 1);
    }
    if (status != T307_OK) {
        return status;
    }
    line = t307_sqlrule_check(&rule, t->pool, &err);
    if (!line) {
        (void)t307_fail(t, "%s", err.text);
        return T307_FOUND;
    }
    return put(&p, &rule, line);
}

const t307_command_t t307_sql_put_command = {
    "sql put", run_put, "--ruleset NAME [option...] PATH TARGET [OPTION...]",
    "add or change one rule",
    "PATH, TARGET and each OPTION are the words of a rule file's line, one "
    "word of\n"
    "the shell each, without the quotes of rule files. The rule is judged as "
    "servers\n"
    "judge it before it is written.\n"
    "\n"
    "  redirect307 sql put --sqlite rules.db --ruleset shop \\\n"
    "      /sale https://sale.example/ methods=GET "
    "until=2027-01-01T00:00:00Z\n"
    "  redirect307 sql put --sqlite rules.db --ruleset shop --kind regex \\\n"
    "      '^/item/(\\d+)$' 'https://shop.example/i?n=$1' name=items\n"
    "  redirect307 sql put --sqlite rules.db --ruleset shop --id 17 "
    "--disabled \\\n"
    "      /old https://www2.example/ --note 'until the shop is back'\n",
    put_options
};

/* ---- delete ---- */

typedef struct deleter_t {
    t307_sql_t s;
    const char *path, *host;
    const char *const *ids;
    int nids;
    t307_sqlwriter_t writer;
    json_t *told;
    int missing;
} deleter_t;

/* Told when it is done. */
static int note_and_delete(deleter_t *d, const t307_sqlrule_t *rule,
                           apr_pool_t *pool)
{
    r307_error_t err = { pool, NULL };
    const char *line = t307_sqlrule_line(rule, pool, &err);
    json_t *json = json_pack("{s:I, s:s}", "id",
                             (json_int_t)apr_atoi64(rule->id), "ruleset",
                             rule->ruleset);
    json_t *text = json_string(line ? line : err.text);

    json_object_set_new(json, "rule", text ? text
                                           : json_string("(no UTF-8)"));
    json_array_append_new(d->told, json);
    return t307_sqlwriter_delete(&d->writer, rule->id);
}

static void tell_deleted(deleter_t *d)
{
    size_t i;
    json_t *rule;

    if (d->s.json) {
        print_json(&d->s, json_pack("{s:O, s:b}", "deleted", d->told,
                                    "dry_run", d->s.dry_run));
        return;
    }
    json_array_foreach(d->told, i, rule) {
        fprintf(d->s.t->out, "rule %" JSON_INTEGER_FORMAT " of %s deleted: "
                "%s%s\n",
                json_integer_value(json_object_get(rule, "id")),
                json_string_value(json_object_get(rule, "ruleset")),
                json_string_value(json_object_get(rule, "rule")),
                dry(&d->s));
    }
}

/* Delete what a query finds. */
static int delete_found(deleter_t *d, const t307_sqlstatement_t *find,
                        const char **args, int *n)
{
    apr_pool_t *pool;
    t307_sqlrule_t rule;
    t307_sqlrows_t rows;
    int status;

    apr_pool_create(&pool, d->s.pool);
    status = t307_sql_select(&d->s, find, args, pool, &rows);
    for (*n = 0; status == T307_OK && t307_sql_next(&rows); ++*n) {
        t307_sqlrule_read(&rows, 0, &rule);
        status = note_and_delete(d, &rule, pool);
    }
    apr_pool_destroy(pool);
    return status;
}

static int prepare_find(deleter_t *d, t307_sqlstatement_t *find)
{
    return t307_sql_prepare(&d->s, find, apr_pstrcat(
        d->s.pool, "SELECT ", t307_sqlrule_columns(&d->s, "id"),
        " FROM redirect307_rule WHERE ruleset = %s AND ",
        !d->path ? "id = %lld" : d->host ? "path = %s AND host = %s"
                                         : "path = %s", NULL));
}

static int delete_path(deleter_t *d, const t307_sqlstatement_t *find)
{
    const char *args[3] = { d->s.ruleset, d->path, d->host };
    int n, status = delete_found(d, find, args, &n);

    if (status == T307_OK && n == 0) {
        fprintf(d->s.t->err, "the rule set %s has no rule with the path "
                "'%s'%s%s\n", d->s.ruleset, t307_sql_shown(&d->s, d->path),
                d->host ? " for the host " : "",
                d->host ? t307_sql_shown(&d->s, d->host) : "");
        d->missing++;
    }
    return status;
}

static int delete_ids(deleter_t *d, const t307_sqlstatement_t *find)
{
    const char *args[2] = { d->s.ruleset, NULL };
    int i, n, status = T307_OK;

    for (i = 0; status == T307_OK && i < d->nids; i++) {
        args[1] = d->ids[i];
        status = delete_found(d, find, args, &n);
        if (status == T307_OK && n == 0) {
            fprintf(d->s.t->err, "the rule set %s has no rule %s\n",
                    d->s.ruleset, d->ids[i]);
            d->missing++;
        }
    }
    return status;
}

static int delete_all(deleter_t *d)
{
    t307_sqlstatement_t find;
    int status = prepare_find(d, &find);

    if (status == T307_OK) {
        status = t307_sqlwriter_begin(&d->s, &d->writer);
    }
    if (status == T307_OK) {
        status = d->path ? delete_path(d, &find) : delete_ids(d, &find);
    }
    if (status == T307_OK && d->missing) {
        fputs("nothing was deleted\n", d->s.t->err);
        return T307_FOUND;
    }
    return status == T307_OK ? t307_sqlwriter_end(&d->writer) : status;
}

static int check_words(deleter_t *d)
{
    const char *bad;
    int i;

    if (!d->path == !d->nids) {
        return t307_usage_error(d->s.t, "it takes ids, or --path");
    }
    if (d->host && !d->path) {
        return t307_usage_error(d->s.t, "--host goes with --path");
    }
    for (i = 0; i < d->nids; i++) {
        bad = t307_sqlrule_bad_id(d->s.pool, d->ids[i]);
        if (bad) {
            return t307_usage_error(d->s.t, "%s", bad);
        }
    }
    return t307_sql_settle(&d->s, 1);
}

static int delete_rules(deleter_t *d)
{
    int status = check_words(d);

    if (status == T307_OK) {
        status = t307_sql_open(&d->s);
    }
    if (status == T307_OK) {
        status = t307_sql_begin(&d->s);
    }
    if (status == T307_OK) {
        d->told = json_array();
        status = t307_sql_end(&d->s, delete_all(d));
        if (status == T307_OK) {
            tell_deleted(d);
        }
        json_decref(d->told);
    }
    return status;
}

static int run_delete(t307_t *t, int argc, const char *const *argv)
{
    const char *value;
    t307_args_t args;
    deleter_t d;
    int optch;

    memset(&d, 0, sizeof d);
    t307_sql_init(&d.s, t);
    t307_args_begin(t, &args, argc, argv);
    while ((optch = t307_args_next(t, &args, &value)) != 0) {
        if (optch == OPT_PATH) {
            d.path = value;
        }
        else if (optch == OPT_HOST) {
            d.host = value;
        }
        else {
            (void)t307_sql_option(&d.s, optch, value);
        }
    }
    if (args.status != T307_OK || args.done) {
        return args.status;
    }
    d.ids = t307_args_words(&args, &d.nids);
    return delete_rules(&d);
}

const t307_command_t t307_sql_delete_command = {
    "sql delete", run_delete, "--ruleset NAME [option...] [ID...]",
    "take rules away",
    "All of them, or none: when one is not there the exit status is 1 and "
    "nothing is\n"
    "deleted.\n"
    "\n"
    "  redirect307 sql delete --sqlite rules.db --ruleset shop 17 18\n"
    "  redirect307 sql delete --sqlite rules.db --ruleset shop --path /sale "
    "--dry-run\n",
    delete_options
};
