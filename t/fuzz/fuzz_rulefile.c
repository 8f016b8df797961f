/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * A line of a rule file, and what its rule answers. Input: a switch (1: a
 * RewriteMap, 2: expressions are known, 4: paths match exactly, 8: every
 * expression fails), the line, a path as a client sends it, a query, the
 * value of every expression. What holds:
 *  - a line is a rule, nothing, or an error with a sentence
 *  - a rule has a target and what its kind needs
 *  - Location is a valid reference and leads to the host that the line names;
 *    to a computed one only if that is allowed
 *  - each other outcome has its cause
 *  - the line compiled into a table answers the same
 */
#include "fuzz_server.h"

#include "core/r307_block.h"

#include <unistd.h>

#define MAP 1
#define EXPRESSIONS 2
#define EXACT 4
#define FAILING 8

const char fuzz_name[] = "rulefile";

static void check_rule(const r307_rule_t *rule, int switches)
{
    FUZZ_HOLDS(rule->target && rule->path);
    FUZZ_HOLDS(rule->cache >= R307_CACHE_NO_STORE);
    FUZZ_HOLDS(rule->retry_after >= R307_RETRY_UNSET);
    if (rule->kind == R307_RULE_REGEX) {
        FUZZ_HOLDS(rule->regex && !(switches & MAP));
        return;
    }
    FUZZ_HOLDS(rule->kind == R307_RULE_EXACT
               || (rule->kind == R307_RULE_PREFIX
                   && !(switches & (MAP | EXACT))));
    FUZZ_HOLDS(rule->path[0] == '/' && rule->path_len > 0);
    FUZZ_HOLDS(memchr(rule->path, '?', rule->path_len) == NULL);
}

static void check_decision(fuzz_t *in, const r307_rule_t *rule,
                           const r307_decision_t *d)
{
    switch (d->outcome) {
    case R307_NONE:
        FUZZ_HOLDS(!d->rule);
        break;
    case R307_STOP:
        FUZZ_HOLDS(d->rule == rule && rule->target->kind == R307_TARGET_STOP);
        break;
    case R307_REDIRECT:
        FUZZ_HOLDS(d->rule == rule && d->location && *d->location);
        fuzz_check_reference(d->location);
        fuzz_check_host(in, rule->target, d->location);
        break;
    case R307_REFUSED:
        FUZZ_HOLDS(rule->target->computed_host || rule->regex);
        FUZZ_HOLDS(d->reason && *d->reason);
        break;
    case R307_FAILED:
        FUZZ_HOLDS(!fuzz_value && d->reason);
        break;
    default:
        FUZZ_HOLDS(d->outcome == R307_TOO_LONG && d->reason);
    }
}

static char rules_path[] = "/tmp/r307-fuzz-XXXXXX";

static void remove_rules(void)
{
    unlink(rules_path);
}

/* A file with the line, behind one that takes the place of a byte order
 * mark. */
static const char *file_with(fuzz_t *in, const char *line)
{
    static int fd = -1;
    const char *text = apr_pstrcat(in->pool, "#\n", line, "\n", NULL);
    apr_size_t len = strlen(text);

    if (fd < 0) {
        fd = mkstemp(rules_path);
        FUZZ_HOLDS(fd >= 0 && atexit(remove_rules) == 0);
    }
    FUZZ_HOLDS(ftruncate(fd, 0) == 0);
    FUZZ_HOLDS(pwrite(fd, text, len, 0) == (ssize_t)len);
    return rules_path;
}

static void check_table(fuzz_t *in, const r307_table_spec_t *spec,
                        const char *path, const char *query,
                        const r307_decision_t *want)
{
    r307_error_t err = { in->pool, NULL };
    r307_table_report_t report;
    r307_table_t *table;
    r307_decision_t got;

    FUZZ_HOLDS(r307_table_compile_memory(spec, in->pool, &table, &report,
                                         &err) == APR_SUCCESS);
    FUZZ_HOLDS(report.rules == 1 && report.bad_lines == 0);
    memset(&got, 0, sizeof got);
    fuzz_ask(in, r307_table_rules(table), path, query, &got);
    FUZZ_HOLDS(got.outcome == want->outcome);
    FUZZ_HOLDS(got.outcome != R307_REDIRECT
               || strcmp(got.location, want->location) == 0);
}

static void check_line(fuzz_t *in, int switches, const char *line,
                       r307_rule_t *rule)
{
    r307_ruleset_t *set = r307_ruleset_create(in->pool);
    const char *path = fuzz_line(in), *query = fuzz_line(in);
    r307_table_spec_t spec;
    r307_decision_t d;

    fuzz_value = switches & FAILING ? NULL : fuzz_line(in);
    query = *query ? query : NULL;
    memset(&d, 0, sizeof d);
    check_rule(rule, switches);
    r307_ruleset_add(set, rule);
    fuzz_ask(in, set, path, query, &d);
    check_decision(in, rule, &d);
    memset(&spec, 0, sizeof spec);
    spec.path = file_with(in, line);
    spec.format = switches & MAP ? R307_RULEFILE_REWRITEMAP
                                 : R307_RULEFILE_RULES;
    spec.exact = switches & EXACT;
    spec.regex_flags = R307_REGEX_DOTALL | R307_REGEX_DOLLAR_ENDONLY;
    spec.compile_expr = switches & EXPRESSIONS ? fuzz_compile_expr : NULL;
    spec.allowed_hosts = fuzz_allowed(in->pool);
    check_table(in, &spec, path, query, &d);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    r307_rule_env_t env = { NULL, R307_REGEX_DOTALL
                                  | R307_REGEX_DOLLAR_ENDONLY, NULL, NULL };
    r307_error_t err = { NULL, NULL };
    r307_line_t line;
    r307_rule_t *rule;
    char *text, *copy;
    apr_status_t rv;
    fuzz_t in;
    int switches;

    fuzz_begin(&in, data, size);
    env.pool = err.pool = in.pool;
    switches = fuzz_byte(&in) & 15;
    env.compile_expr = switches & EXPRESSIONS ? fuzz_compile_expr : NULL;
    text = fuzz_line(&in);
    text[strcspn(text, "\r")] = '\0';    /* belongs to a line's end */
    copy = apr_pstrdup(in.pool, text);
    rv = r307_rulefile_parse(text, switches & MAP ? R307_RULEFILE_REWRITEMAP
                                                  : R307_RULEFILE_RULES,
                             in.pool, &line, &err);
    fuzz_check_error(rv, &err);
    if (rv == APR_SUCCESS) {
        line.spec.file = "fuzz";
        line.spec.line = 1;
        rv = r307_rule_create_in_file(&env, &line, switches & EXACT, &rule,
                                      &err);
        fuzz_check_error(rv, &err);
    }
    if (rv == APR_SUCCESS) {
        check_line(&in, switches, copy, rule);
    }
    return fuzz_end(&in);
}
