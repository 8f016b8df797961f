/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* Decisions: conditions, order, expressions, computed hosts, limits. The
 * text of Location by path and target is in test_tables. */
#include "tap.h"

#include "core/r307_authority.h"
#include "core/r307_decide.h"

/* The host of this core: an expression is its own text; as a condition it
 * holds when it is "yes", as a string it is what stands between ':' and '}',
 * and "fail" fails. */
static const char *compile(void *ctx, apr_pool_t *pool, const char *text,
                           int is_string, const void **expr)
{
    (void)ctx;
    (void)pool;
    (void)is_string;
    *expr = text;
    return NULL;
}

static apr_status_t eval_bool(void *ctx, const void *expr, int *result)
{
    (void)ctx;
    *result = strcmp(expr, "yes") == 0;
    return strcmp(expr, "fail") == 0 ? APR_EGENERAL : APR_SUCCESS;
}

static apr_status_t eval_string(void *ctx, const void *expr,
                                const r307_match_t *match,
                                const char **result)
{
    const char *value = strchr(expr, ':');

    (void)ctx;
    (void)match;
    *result = value ? apr_pstrmemdup(tap_pool, value + 1, strlen(value) - 2)
                    : "";
    return strstr(expr, "fail") ? APR_EGENERAL : APR_SUCCESS;
}

static const r307_self_t here = {
    "http", "here.example", 80, "/a/b", NULL
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

static const char *steps;

static void trace(void *ctx, const r307_rule_t *rule, r307_step_t step,
                  const char *detail)
{
    (void)ctx;
    steps = apr_psprintf(tap_pool, "%s%s%s: %s", steps, *steps ? "; " : "",
                         r307_rule_name(tap_pool, rule),
                         step == R307_STEP_SITE_DOWN ? detail
                                                     : r307_step_text(step));
}

static const char *site_down(void *ctx, const r307_site_t *site)
{
    (void)ctx;
    return strcmp(site->balancer, "dead") == 0 ? "nobody is there" : NULL;
}

static const r307_host_t server = {
    self, base, eval_bool, eval_string, NULL, trace, NULL, NULL, NULL,
    site_down
};

static void add_rule(r307_ruleset_t *set, char *line)
{
    r307_rule_env_t env = { tap_pool, 0, compile, NULL };
    r307_error_t err = { tap_pool, NULL };
    r307_rule_spec_t spec = { R307_RULE_PREFIX, NULL, NULL, 0, NULL, "t", 0 };
    r307_rule_t *rule;
    char **words;

    apr_tokenize_to_argv(line, &words, tap_pool);
    spec.path = words[0];
    if (*words[0] == '~') {
        spec.kind = R307_RULE_REGEX;
        spec.path++;
    }
    spec.target = words[1];
    spec.options = (const char *const *)words + 2;
    while (spec.options[spec.noptions]) {
        spec.noptions++;
    }
    spec.line = r307_ruleset_count(set) + 1;
    if (r307_rule_create(&env, &spec, &rule, &err) != APR_SUCCESS) {
        ok(0, "%s: %s", line, err.text);
        return;
    }
    r307_ruleset_add(set, rule);
}

static r307_ruleset_t *rules(const char *text)
{
    r307_ruleset_t *set = r307_ruleset_create(tap_pool);
    char *copy = apr_pstrdup(tap_pool, text), *state, *line;

    for (line = apr_strtok(copy, "\n", &state); line;
         line = apr_strtok(NULL, "\n", &state)) {
        add_rule(set, line);
    }
    return set;
}

/* For /a/b of here.example, GET, at 2026-06-01T00:00:00Z. */
static r307_request_t request(void)
{
    static apr_array_header_t *allowed;
    r307_error_t err = { tap_pool, NULL };
    r307_request_t req;

    if (!allowed) {
        allowed = apr_array_make(tap_pool, 1, sizeof(r307_host_pattern_t));
        r307_host_pattern_parse(tap_pool, "*.ok.example", 1,
                                apr_array_push(allowed), &err);
    }
    memset(&req, 0, sizeof req);
    req.pool = tap_pool;
    r307_path_from_raw(&req.path, tap_pool, "/a/b", R307_SLASHES_MERGE);
    req.method = "GET";
    req.host = "here.example";
    req.now = apr_time_from_sec(1780272000);
    req.allowed_hosts = allowed;
    req.server = &server;
    steps = "";
    return req;
}

static const char *outcome(const r307_decision_t *d)
{
    static const char *const names[] = { "none", "stop", "", "refused",
                                         "too long", "failed" };

    return d->outcome == R307_REDIRECT ? d->location : names[d->outcome];
}

static const struct {
    const char *rules, *want;
} rows[] = {
    { "/x http://t/", "none" },
    { "/a http://t", "http://t/b" },
    { "/a/b -\n/a http://t", "stop" },
    { "/a http://1\n/a/b http://2", "http://1/b" },
    { "/a http://1 methods=POST\n/a http://2", "http://2/b" },
    { "/a http://1 methods=GET", "http://1/b" },
    { "/a http://1 methods=!GET\n/a http://2", "http://2/b" },
    { "/a http://1 host=else.example\n/a http://2 host=*.example",
      "http://2/b" },
    { "/a http://1 from=2026-06-01T00:00:00Z", "http://1/b" },
    { "/a http://1 from=2026-06-01T00:00:01Z", "none" },
    { "/a http://1 until=2026-06-01T00:00:01Z", "http://1/b" },
    { "/a http://1 until=2026-06-01T00:00:00Z", "none" },
    { "/a http://1 expr=no\n/a http://2 expr=yes", "http://2/b" },
    { "/a http://1 expr=fail\n/a http://2", "failed" },
    { "/a - expr=no\n/a http://2", "http://2/b" },
    { "/a http://here.example/a", "none" },
    { "/a http://here.example:80/a\n/a http://2", "http://2/b" },
    { "/a https://here.example/a", "https://here.example/a/b" },
    { "/a http://here.example:81/a", "http://here.example:81/a/b" },
    { "/a /a", "none" }, { "/a /c", "http://here.example/c/b" },
    /* expressions: data is encoded for its place */
    { "/a http://t/%{x:p?q#r%20} exact", "none" },
    { "/a http://t/%{x:p?q#r%20}", "http://t/p%3Fq%23r%2520/b" },
    { "/a http://t/?%{x:p&q%20+}", "http://t//b?p%26q%2520%2B" },
    { "/a http://t/%{escape:a%20b}", "http://t/a%20b/b" },
    { "/a http://t/?%{escape:a%26b&c} exact", "none" },
    { "/a/b http://t/?x=%{escape:a%26b&c}", "http://t/?x=a%26b%26c" },
    { "/a http://t/x%{REQUEST_URI}", "http://t/x/a/b/b" },
    { "/a http://t%{x:.evil}", "http://t/.evil/b" },
    { "/a http://t/%{x:fail}", "failed" },
    /* computed hosts */
    { "/a http://%{x:b.ok.example}/c", "http://b.ok.example/c/b" },
    { "/a http://%{x:b.ok.example:81}/c", "refused" },
    { "/a http://%{x:evil.example}/c", "refused" },
    { "/a http://%{x:evil.example/.ok.example}/c", "refused" },
    { "/a http://%{x:evil.example?.ok.example}/c", "refused" },
    { "/a http://%{x:evil@b.ok.example}/c", "refused" },
    { "~^/(a)/(b) http://$2.ok.example/$1", "http://b.ok.example/a" },
    { "~^/(a)/(b) http://b.ok.example:$2/", "refused" },
    { "~^/(a)/(b) http://$2.ok.example$1", "refused" },
    { "~^/(a)/(b) http://t$1$2/c", "http://t/ab/c" },
    { "~^/(a)/(b) http://t$1.evil", "refused" },
    { "/a %{x:https://b.ok.example/p?q#f}",
      "https://b.ok.example/p/b?q#f" },
    { "/a %{x:https://b.ok.example}", "https://b.ok.example/b" },
    { "/a %{x:https://evil.example/}", "refused" },
    { "/a %{x:ftp://b.ok.example/}", "refused" },
    { "/a %{x:javascript:alert(1)}", "refused" },
    { "/a %{x:}", "refused" },
    { "/a %{x:https://b.ok.example\\\\@evil.example/}",
      "https://b.ok.example/%5C@evil.example//b" },
    { "/a %{x://evil.example}/", "http://here.example/evil.example//b" },
    { "/a '%{x:/p q?r s}'", "http://here.example/p%20q/b?r%20s" },
    { "/a %{x:http}://b.ok.example/", "http://b.ok.example//b" },
    { "/a %{x:/evil}://b.ok.example/", "refused" },
    { "/a http://%{x:b.ok.example..}/c", "refused" },
    { "~^(/a)(/b) $2", "http://here.example/b" },
    { "~^/a/(b) $1", "refused" }
};

static const char *on_one_line(const char *text)
{
    char *copy = apr_pstrdup(tap_pool, text), *s;

    for (s = copy; (s = strchr(s, '\n')) != NULL; s++) {
        *s = '|';
    }
    return copy;
}

static void test_rows(void)
{
    unsigned i;

    for (i = 0; i < TABLE(rows); i++) {
        r307_request_t req = request();
        r307_ruleset_t *set = rules(rows[i].rules);
        r307_chain_t chain = { set, NULL, NULL };
        r307_decision_t d;

        r307_decide(&req, &chain, &d);
        is(outcome(&d), rows[i].want, "%s", on_one_line(rows[i].rules));
        ok((d.outcome == R307_NONE) == !d.rule
           && (d.outcome < R307_REFUSED) == !d.reason,
           "... with its rule and reason");
    }
}

static void test_trace(void)
{
    r307_request_t req = request();
    r307_ruleset_t *set =
        rules("/x - name=path\n/a http://1 methods=PUT name=m\n"
              "/a http://1 host=h name=h\n"
              "/a http://1 from=2027-01-01T00:00:00Z name=f\n"
              "/a http://1 until=2025-01-01T00:00:00Z name=u\n"
              "/a http://1 expr=no name=e\n/a /a name=s\n/a http://1 name=c");
    r307_chain_t chain = { set, NULL, NULL };
    r307_decision_t d;

    r307_decide(&req, &chain, &d);
    is(steps, "m: its methods= excludes this method; "
       "h: its host= does not name this host; f: its from= lies ahead; "
       "u: its until= has passed; e: its expr= is false; "
       "s: it leads to the request itself", "what is in the way is traced, "
       "in order");
    is(r307_rule_name(tap_pool, d.rule), "c", "and the decision names the "
       "rule that applies");
}

static const apr_array_header_t *two_sites(void)
{
    static r307_site_t sites[2];
    static const char *const urls[] = { "http://near.example",
                                        "http://far.example" };
    static const r307_target_syntax_t literal = { NULL, NULL, NULL };
    apr_array_header_t *list = apr_array_make(tap_pool, 2,
                                              sizeof(const r307_site_t *));
    r307_error_t err = { tap_pool, NULL };
    int i;

    for (i = 0; i < 2; i++) {
        r307_target_t *target;
        r307_target_parse(tap_pool, urls[i], &literal, &target, &err);
        sites[i].name = i ? "far" : "near";
        sites[i].target = target;
        APR_ARRAY_PUSH(list, const r307_site_t *) = &sites[i];
    }
    sites[0].balancer = "dead";
    sites[1].balancer = "alive";
    return list;
}

static void test_sites(void)
{
    static const struct {
        const char *rules, *far, *want, *steps;
    } table[] = {
        { "/a site:nearest name=n", "alive", "http://far.example/a/b",
          "n: near: nobody is there" },
        { "/a site:near name=n", "alive", "http://near.example/a/b", "" },
        { "/a site:nearest name=n\n/a http://1 name=o", "dead", "http://1/b",
          "n: near: nobody is there; n: far: nobody is there; "
          "n: none of its choices is for this visitor" }
    };
    unsigned i;

    for (i = 0; i < TABLE(table); i++) {
        r307_request_t req = request();
        r307_chain_t chain = { rules(table[i].rules), NULL, NULL };
        r307_decision_t d;

        req.sites = two_sites();
        APR_ARRAY_IDX(req.sites, 1, r307_site_t *)->balancer = table[i].far;
        r307_decide(&req, &chain, &d);
        is(outcome(&d), table[i].want, "%s", on_one_line(table[i].rules));
        is(steps, table[i].steps, "... and who was passed over");
    }
}

static void test_chain(void)
{
    r307_chain_t a = { rules("/a http://1 methods=PUT"), NULL, NULL };
    r307_chain_t b = { rules("/a http://2"), NULL, NULL };
    const r307_chain_t *ab = r307_chain_join(tap_pool, &a, &b);
    r307_request_t req = request();
    r307_decision_t d;

    r307_decide(&req, ab, &d);
    is(outcome(&d), "http://2/b", "the next set is asked when one is silent");
    ok(a.next == NULL && b.next == NULL, "joining changes neither chain");
    ok(r307_chain_join(tap_pool, NULL, &b) == &b
       && r307_chain_join(tap_pool, &a, NULL) == &a,
       "joining with nothing copies nothing");
    req.asked = &b;
    r307_decide(&req, ab, &d);
    is(outcome(&d), "none", "a set that was asked is not asked again");
    b.set = rules("/a http://2\n/a http://3 expr=yes");
    r307_decide(&req, &b, &d);
    is(outcome(&d), "http://3/b", "but for its rules with expr=");
}

static void test_limits(void)
{
    apr_size_t len = 20000;
    char *uri = apr_palloc(tap_pool, len + 1);
    r307_request_t req = request();
    r307_chain_t chain = { rules("~^/(.*)$ http://t/$1$1$1$1"), NULL, NULL };
    r307_decision_t d;

    memset(uri, 'a', len);
    uri[0] = '/';
    uri[len] = '\0';
    r307_path_from_raw(&req.path, tap_pool, uri, 0);
    r307_decide(&req, &chain, &d);
    is(outcome(&d), "too long", "Location has a ceiling");
    uri[41] = '\0';
    uri[40] = 'b';
    r307_path_from_raw(&req.path, tap_pool, uri, 0);
    chain.set = rules("~^/((a+)+)+$ http://t/\n~^/ http://2/");
    r307_decide(&req, &chain, &d);
    is(outcome(&d), "refused", "endless backtracking is cut off, and no "
       "later rule answers instead");
}

/* ---- dry runs ---- */

static void note_would(void *ctx, const r307_decision_t *d)
{
    char **told = ctx;

    *told = apr_pstrcat(tap_pool, *told, outcome(d), " ", NULL);
}

/* One that cannot be judged is told, and the others are asked, in a set that
 * is scanned as in one that has an index. */
static void test_dry_limits(void)
{
    static const char endless[] = "~^/((a+)+)+$ http://t/ dryrun\n";
    const char *text = apr_pstrcat(tap_pool, endless, endless,
                                   "~^/(a+)b$ http://2/$1\n", NULL);
    const char *filler = "";
    r307_request_t req = request();
    r307_host_t host = *req.server;
    r307_chain_t chain = { NULL, NULL, NULL }, asked;
    r307_ruleset_t *set;
    r307_decision_t d;
    r307_match_t match;
    const char *told;
    int i;

    for (i = 0; i < 40; i++) {
        filler = apr_psprintf(tap_pool, "%s/filler/%d http://f/\n", filler,
                              i);
    }
    host.would = note_would;
    req.server = &host;
    req.ctx = &told;
    r307_path_from_raw(&req.path, tap_pool,
                       "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 0);
    for (i = 0; i < 2; i++) {
        set = rules(apr_pstrcat(tap_pool, i ? filler : "", text, NULL));
        r307_ruleset_freeze(set);
        chain.set = set;
        told = "";
        r307_decide(&req, &chain, &d);
        is(told, "refused refused ", "both are told, %s",
           i ? "by the index" : "in order");
        is(outcome(&d), "http://2/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
           "and the next rule answers, with its own captures");
        ok(r307_decide_match(&req, &chain, d.rule, &match)
           && match.rule == d.rule && match.captures.count == 2,
           "and is found again");
        asked = chain;
        req.asked = &asked;
        told = "";
        r307_decide(&req, &chain, &d);
        is(told, "", "when asked again, they are not told again");
        req.asked = NULL;
        set = rules(apr_pstrcat(tap_pool, i ? filler : "", endless,
                                      NULL));
        r307_ruleset_freeze(set);
        chain.set = set;
        told = "";
        r307_decide(&req, &chain, &d);
        is(told, "refused ", "one at the end is told");
        is(outcome(&d), "none", "and there is no decision");
    }
}

static void test_cache(void)
{
    static const struct {
        const char *options;
        int want;
    } table[] = {
        { "", R307_CACHE_UNSET }, { "cache=no-store", R307_CACHE_NO_STORE },
        { "cache=60", 60 }, { "cache=0", 0 },
        { "cache=60 until=2026-06-01T00:00:10Z", 10 },
        { "cache=60 until=2026-06-02T00:00:00Z", 60 },
        { "cache=no-store until=2026-06-02T00:00:00Z", R307_CACHE_NO_STORE }
    };
    unsigned i;

    for (i = 0; i < TABLE(table); i++) {
        r307_ruleset_t *set = rules(apr_pstrcat(tap_pool, "/a http://t/ ",
                                                table[i].options, NULL));
        ok(r307_decide_cache(r307_ruleset_at(set, 0),
                             apr_time_from_sec(1780272000))
           == table[i].want, "caching with '%s'", table[i].options);
    }
}

int main(void)
{
    tap_begin();
    test_rows();
    test_trace();
    test_sites();
    test_chain();
    test_limits();
    test_dry_limits();
    test_cache();
    return tap_end();
}
