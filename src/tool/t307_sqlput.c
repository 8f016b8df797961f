/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns `sql put`: one rule, of the words of a command. Must not know the
 * statements that write it.
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

static const apr_getopt_option_t options[] = {
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
        t307_sql_print(&p->s, json_pack("{s:I, s:s, s:s, s:s, s:b}", "id",
                                    (json_int_t)apr_atoi64(id), "ruleset",
                                    p->s.ruleset, "op", fresh ? "added"
                                    : "changed", "rule", line, "dry_run",
                                    p->s.dry_run));
    }
    else {
        fprintf(p->s.t->out, "rule %s of %s %s: %s%s\n", id, p->s.ruleset,
                fresh ? "added" : "changed", line, t307_sql_dry(&p->s));
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

static int run(t307_t *t, int argc, const char *const *argv)
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
    "sql put", run, "--ruleset NAME [option...] PATH TARGET [OPTION...]",
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
    options
};
