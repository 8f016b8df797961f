/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* Rules for errors: the words for statuses, which rule is asked for which
 * status, and how path and query follow the target. */
#include "tap.h"

#include "core/r307_decide.h"

/* ---- words ---- */

static void check_words(void)
{
    static const struct {
        const char *words;
        const char *holds;      /* of those that are tried below */
    } good[] = {
        { "503", "503" },
        { "400", "400" },
        { "599", "599" },
        { "502,504", "502 504" },
        { "5xx", "500 502 503 504 599" },
        { "4XX", "400 404 499" },
        { "4xx,5xx", "400 404 499 500 502 503 504 599" },
        { "404,5xX", "404 500 502 503 504 599" }
    };
    static const int tried[] = { -1, 0, 200, 307, 399, 400, 404, 499, 500,
                                 502, 503, 504, 599, 600, 1000 };
    size_t i, n;

    for (i = 0; i < sizeof good / sizeof good[0]; i++) {
        r307_error_t err = { tap_pool, NULL };
        r307_statuses_t statuses;
        const char *holds = "";

        if (r307_statuses_parse(good[i].words, &statuses, &err)) {
            ok(0, "%s: %s", good[i].words, err.text);
            continue;
        }
        for (n = 0; n < sizeof tried / sizeof tried[0]; n++) {
            if (r307_statuses_hold(&statuses, tried[n])) {
                holds = apr_psprintf(tap_pool, "%s%s%d", holds,
                                     *holds ? " " : "", tried[n]);
            }
        }
        is(holds, good[i].holds, "%s", good[i].words);
    }
}

static void check_bad_words(void)
{
    static const struct {
        const char *words;
        const char *says;
    } bad[] = {
        { "", "R307-0760: ''" },
        { "5", "R307-0760: '5'" },
        { "50", "R307-0760: '50'" },
        { "5003", "R307-0760: '5003'" },
        { "xxx", "R307-0760: 'xxx'" },
        { "5x3", "R307-0760: '5x3'" },
        { "503,", "R307-0760: ''" },
        { ",503", "R307-0760: ''" },
        { "502;504", "R307-0760: '502;504'" },
        { "503,\001", "R307-0760: '\\x01'" },
        { "/shop", "R307-0760: '/shop'" },
        { "302", "R307-0761: the status '302'" },
        { "3xx", "R307-0761: the status '3xx'" },
        { "6xx", "R307-0761: the status '6xx'" },
        { "999", "R307-0761: the status '999'" },
        { "503,503", "R307-0762: the status 503" },
        { "5xx,503", "R307-0762: the status 503" },
        { "404,4xx", "R307-0762: the status 404" }
    };
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        r307_error_t err = { tap_pool, NULL };
        r307_statuses_t statuses;
        apr_status_t rv = r307_statuses_parse(bad[i].words, &statuses, &err);

        ok(rv == APR_EINVAL && err.text && strstr(err.text, bad[i].says),
           "'%s': %s", bad[i].words, err.text ? err.text : "no error");
    }
}

/* ---- rules ---- */

static const r307_self_t here = {
    "http", "here.example", 80, "/a%2Fb/c", "x=1"
};

static const r307_self_t *self(void *ctx)
{
    (void)ctx;
    return &here;
}

static const char *base(void *ctx)
{
    (void)ctx;
    return "http://here.example";
}

static const r307_host_t server = {
    self, base, NULL, NULL, NULL, NULL, NULL, NULL, NULL
};

/* Statuses, target, then an option or NULL, by three. */
static r307_ruleset_t *rules(const char *const *words)
{
    r307_rule_env_t env = { tap_pool, 0, NULL, NULL };
    r307_ruleset_t *set = r307_ruleset_create(tap_pool);

    for (; *words; words += 3) {
        r307_error_t err = { tap_pool, NULL };
        r307_rule_spec_t spec;
        r307_rule_t *rule;

        memset(&spec, 0, sizeof spec);
        spec.kind = R307_RULE_ANY;
        spec.statuses = words[0];
        spec.target = words[1];
        spec.noptions = words[2] != NULL;
        spec.options = words + 2;
        spec.file = "t";
        spec.line = r307_ruleset_count(set) + 1;
        if (r307_rule_create(&env, &spec, &rule, &err) != APR_SUCCESS) {
            ok(0, "%s %s: %s", words[0], words[1], err.text);
            continue;
        }
        r307_ruleset_add(set, rule);
    }
    return set;
}

/* Location, "stop" or "none". */
static const char *answer(const r307_ruleset_t *set, const char *path,
                          int status)
{
    r307_chain_t chain = { set, NULL, NULL };
    r307_decision_t decision;
    r307_request_t req;

    memset(&req, 0, sizeof req);
    req.pool = tap_pool;
    if (r307_path_from_raw(&req.path, tap_pool, path, R307_SLASHES_KEEP)) {
        return "bad path";
    }
    req.query = "x=1";
    req.method = "POST";
    req.host = "here.example";
    req.status = status;
    req.server = &server;
    r307_decide(&req, &chain, &decision);
    return decision.outcome == R307_REDIRECT ? decision.location
        : decision.outcome == R307_STOP ? "stop" : "none";
}

static void check_rules(int frozen)
{
    static const char *const words[] = {
        "503", "https://b.example", NULL,
        "502,504", "https://b.example/x/?y=2", "query=append",
        "403", "-", NULL,
        "404", "https://g.example", "methods=GET",
        "4xx", "https://c.example/x#f", NULL,
        "500", "http://here.example", NULL,
        "5xx", "/back", "query=drop",
        NULL, NULL, NULL
    };
    static const struct {
        int status;
        const char *path;
        const char *answer;
    } cases[] = {
        { 503, "/a", "https://b.example/a?x=1" },
        { 503, "/", "https://b.example/?x=1" },
        { 503, "/a%2Fb//%20c/", "https://b.example/a%2Fb//%20c/?x=1" },
        { 502, "/a/b", "https://b.example/x/a/b?y=2&x=1" },
        { 504, "/", "https://b.example/x/?y=2&x=1" },
        { 403, "/a", "stop" },
        { 404, "/a", "https://c.example/x/a?x=1#f" },
        { 500, "/a%2Fb/c", "http://here.example/back/a%2Fb/c" },
        { 500, "/a", "http://here.example/back/a" },
        { 501, "/", "http://here.example/back/" },
        { 501, "//evil.example", "http://here.example/back//evil.example" },
        { 503, "//evil.example", "https://b.example//evil.example?x=1" },
        { 302, "/a", "none" },
        { 0, "/a", "none" }
    };
    r307_ruleset_t *set = rules(words);
    size_t i;

    if (frozen) {
        r307_ruleset_freeze(set);
    }
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        is(answer(set, cases[i].path, cases[i].status), cases[i].answer,
               "%s: %d, %s", frozen ? "frozen" : "as written",
               cases[i].status, cases[i].path);
    }
}

int main(void)
{
    tap_begin();
    check_words();
    check_bad_words();
    check_rules(0);
    check_rules(1);
    return tap_end();
}
