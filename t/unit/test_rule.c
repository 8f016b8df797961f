/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* What is refused when a rule is created, and with which sentence; what is
 * an option and what is not. */
#include "tap.h"

#include "core/r307_options.h"

static const struct {
    const char *path, *target, *options;    /* path "~..." is a regex */
    const char *id, *value;     /* the error, and what it must name */
} bad[] = {
    { "/a", "b/c", "", "R307-0101", "b/c" },
    { "/a", "www.example.com/x", "", "R307-0101", "www.example.com/x" },
    { "/a", "www.example.com:80/", "", "R307-0101", "www.example.com:80/" },
    { "/a", "mailto:x@y", "", "R307-0101", "mailto:x@y" },
    { "/a", "http:/x", "", "R307-0101", "http:/x" },
    { "/a", "", "", "R307-0101", "''" },
    { "/a", "--", "", "R307-0101", "--" },
    { "/a", "javascript:alert(1)", "", "R307-0102", "javascript:" },
    { "/a", "JavaScript://x/%0aalert(1)", "", "R307-0102", "javascript:" },
    { "/a", "data:text/html,x", "", "R307-0102", "data:" },
    { "/a", "file:///etc/passwd", "", "R307-0102", "file:" },
    { "/a", "//evil.example/", "", "R307-0103", "//evil.example/" },
    { "/a", "/\\evil.example/", "", "R307-0103", "/\\evil.example/" },
    { "/a", "https://u:p@h/", "", "R307-0104", "https://u:p@h/" },
    { "/a", "https://u@h", "", "R307-0104", "user names" },
    { "/a", "https:///x", "", "R307-0104", "the host is missing" },
    { "/a", "https://h:65536/", "", "R307-0104", "over 65535" },
    { "/a", "https://h:/", "", "R307-0104", "port is missing" },
    { "/a", "https://a b/", "", "R307-0104", "https://a b/" },
    { "/a", "https://\xc3\xa9.example/", "", "R307-0104", "xn--" },
    { "/a", "https://[::1/", "", "R307-0104", "IPv6" },
    { "/a", "https://h\\x", "", "R307-0104", "backslash" },
    { "~^/(.*)", "https://u@h$1.x/", "", "R307-0104", "user names" },
    { "/a", "https://h/\r\nX: y", "", "R307-0105", "\\x0d\\x0a" },
    { "/a", "https://h/\x7f", "", "R307-0105", "%7F" },
    { "~^/a$", "https://h/$1", "", "R307-0106", "'1'" },
    { "~^/(a)$", "https://h/$2", "", "R307-0106", "'2'" },
    { "~^/(?<x>a)$", "https://h/${y}", "", "R307-0106", "'y'" },
    { "~^/(?<x>a)$", "https://h/$<xx>", "", "R307-0106", "'xx'" },
    { "~^/(?<x>a)$", "https://h/${x", "", "R307-0107", "https://h/${x" },
    { "/a", "https://h/%{HTTP_HOST", "", "R307-0108", "%{HTTP_HOST" },
    { "/a", "https://h/%{HTTP_HOST}", "", "R307-0109", "%{HTTP_HOST}" },
    { "~^/(a", "https://h/", "", "R307-0120", "offset 4" },
    { "a", "https://h/", "", "R307-0130", "'/a'" },
    { "", "https://h/", "", "R307-0130", "''" },
    { "permanent", "https://h/", "", "R307-0131", "permanent" },
    { "temp", "https://h/", "", "R307-0131", "temp" },
    { "302", "https://h/", "", "R307-0131", "302" },
    { "~307", "https://h/", "", "R307-0131", "307" },
    { "http://h/a", "https://h/", "", "R307-0132", "host=h" },
    { "/a?b", "https://h/", "", "R307-0133", "/a?b" },
    { "/a#b", "https://h/", "", "R307-0133", "/a#b" },
    { "/a", "/b", "nosuch=1", "R307-0210", "nosuch=1" },
    { "/a", "/b", "EXACT", "R307-0210", "EXACT" },
    { "/a", "/b", "query=keep query=drop", "R307-0211", "query" },
    { "/a", "/b", "exact=1", "R307-0212", "exact=1" },
    { "/a", "/b", "query", "R307-0212", "keep, append or drop" },
    { "/a", "/b", "query=", "R307-0212", "keep, append or drop" },
    { "/a", "/b", "query=Keep", "R307-0212", "query=Keep" },
    { "/a", "/b", "cache=1h", "R307-0212", "cache=1h" },
    { "/a", "/b", "cache=-1", "R307-0212", "cache=-1" },
    { "/a", "/b", "cache=31536001", "R307-0212", "31536000" },
    { "/a", "/b", "cache=99999999999999999999", "R307-0212", "31536000" },
    { "/a", "/b", "retry-after=soon", "R307-0212", "soon" },
    { "/a", "/b", "name=a/b", "R307-0212", "name=a/b" },
    { "/a", "/b", "name=", "R307-0212", "name=" },
    { "/a", "/b", "methods=", "R307-0212", "methods=" },
    { "/a", "/b", "methods=post", "R307-0212", "upper case" },
    { "/a", "/b", "methods=G@T", "R307-0212", "G@T" },
    { "/a", "/b", "methods=GET,!PUT", "R307-0213", "GET,!PUT" },
    { "/a", "/b", "methods=unsafe,GET", "R307-0213", "unsafe,GET" },
    { "/a", "/b", "host=", "R307-0212", "host=" },
    { "/a", "/b", "host=a/b", "R307-0110", "a/b" },
    { "/a", "/b", "host=a:80", "R307-0111", "a:80" },
    { "~^/a", "/b", "exact", "R307-0214", "exact" },
    { "/a", "/b", "exact exact", "R307-0211", "exact" },
    { "/a", "/b", "expr=true", "R307-0215", "expr=true" },
    { "/a", "/b", "expr=", "R307-0212", "expr=" },
    { "/a", "/b", "from=2026-01-01T00:00:00", "R307-0201", "2026-01-01" },
    { "/a", "/b", "until=soon", "R307-0202", "soon" },
    { "/a", "/b", "from=2026-01-02T00:00:00Z until=2026-01-01T00:00:00Z",
      "R307-0216", "2026-01-02" },
    { "/a", "/b", "from=2026-01-01T00:00:00Z until=2026-01-01T00:00:00Z",
      "R307-0216", "2026-01-01" }
};

static const struct {
    const char *path, *target, *options;
} good[] = {
    { "/a", "-", "" }, { "/a", "/", "exact" }, { "/", "https://h", "" },
    { "/a", "https://h?x", "" }, { "/a", "https://h#x", "" },
    { "/a", "app+x.y-z://h/", "" }, { "/a", "https://[::1]:8443/x", "" },
    { "~^/(a)|(?<n>b)", "https://h/$0$1${n}$<n>\\$1", "" },
    { "~^/(.*)", "https://h$1", "" }, { "~^/(.*)", "https://$1.h/", "" },
    { "~^/(.*)", "$1", "" },
    { "/a", "/b", "methods=!safe,!FOO" }
};

static const char *create(const char *path, const char *target,
                          const char *options)
{
    r307_rule_env_t env = { tap_pool, 0, NULL, NULL };
    r307_error_t err = { tap_pool, NULL };
    r307_rule_spec_t spec = { R307_RULE_PREFIX, path, target, 0, NULL,
                              "rules.conf", 7 };
    char **words;
    r307_rule_t *rule;

    if (*path == '~') {
        spec.kind = R307_RULE_REGEX;
        spec.path = path + 1;
    }
    apr_tokenize_to_argv(options, &words, tap_pool);
    while (words[spec.noptions]) {
        spec.noptions++;
    }
    spec.options = (const char *const *)words;
    return r307_rule_create(&env, &spec, &rule, &err) == APR_SUCCESS
        ? NULL : err.text;
}

static void test_words(void)
{
    static const struct {
        const char *word;
        int option;
    } rows[] = {
        { "exact", 1 }, { "exact=x", 1 }, { "query=keep", 1 },
        { "no-such=1", 1 }, { "https://h/?a=b", 0 }, { "/a=b", 0 },
        { "-", 0 }, { "%{env:x}=y", 0 }, { "query", 0 }, { "=x", 0 },
        { "", 0 }
    };
    unsigned i;

    for (i = 0; i < TABLE(rows); i++) {
        ok(r307_options_is_option(rows[i].word) == rows[i].option,
           "'%s' is %san option", rows[i].word, rows[i].option ? "" : "not ");
    }
}

int main(void)
{
    unsigned i;

    tap_begin();
    for (i = 0; i < TABLE(bad); i++) {
        is_error(create(bad[i].path, bad[i].target, bad[i].options),
                 bad[i].id, bad[i].value, "refused");
    }
    for (i = 0; i < TABLE(good); i++) {
        is(create(good[i].path, good[i].target, good[i].options), NULL,
           "accepted: %s %s %s", good[i].path, good[i].target,
           good[i].options);
    }
    test_words();
    return tap_end();
}
