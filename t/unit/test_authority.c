/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* Hosts, ports and host patterns. */
#include "tap.h"

#include "core/r307_authority.h"

#define BAD (-9)

static const struct {
    const char *s;
    int port;                   /* BAD: refused */
} authorities[] = {
    { "a.example", R307_PORT_NONE }, { "a.example:80", 80 },
    { "A_b-c~d.example.", R307_PORT_NONE }, { "192.0.2.1:65535", 65535 },
    { "[2001:db8::1]", R307_PORT_NONE }, { "[::1]:8080", 8080 },
    { "localhost", R307_PORT_NONE },
    { "", BAD }, { ":80", BAD }, { "a:", BAD }, { "a:65536", BAD },
    { "a:99999999999999999999", BAD }, { "a:8o", BAD }, { "a:-1", BAD },
    { "user@a", BAD }, { "user:pw@a", BAD }, { "a b", BAD },
    { "a/b", BAD }, { "a\\b", BAD }, { "a%2fb", BAD }, { "a,b", BAD },
    { "\xc3\xa9.example", BAD }, { ".example", BAD },
    { "a..", BAD }, { "a..example", BAD }, { "[::1", BAD },
    { "[::1]x", BAD }, { "[fe80::1%25eth0]", BAD }, { "[]", BAD },
    { "[1.2.3.4]", BAD }, { "a\tb", BAD }, { "a\"", BAD }
};

static const struct {
    const char *pattern, *authority, *scheme;
    int allowed;
} allows[] = {
    { "a.example", "a.example", "https", 1 },
    { "a.example", "A.Example.", "https", 1 },
    { "a.example", "a.example:443", "https", 1 },
    { "a.example", "a.example:443", "http", 0 },
    { "a.example", "a.example:8443", "https", 0 },
    { "a.example", "b.a.example", "https", 0 },
    { "a.example", "xa.example", "https", 0 },
    { "a.example:8443", "a.example:8443", "https", 1 },
    { "a.example:8443", "a.example", "https", 0 },
    { "a.example:*", "a.example:1", "http", 1 },
    { "a.example:*", "a.example", "http", 1 },
    { "*.a.example", "b.a.example", "http", 1 },
    { "*.a.example", "c.b.a.example", "http", 1 },
    { "*.a.example", "a.example", "http", 0 },
    { "*.a.example", ".a.example", "http", 0 },
    { "*.a.example", "ba.example", "http", 0 },
    { "*.a.example:81", "b.a.example:81", "http", 1 },
    { "[::1]", "[::1]", "http", 1 }
};

static void test_pattern_errors(void)
{
    static const struct {
        const char *pattern;
        int with_port;
        const char *id;
    } rows[] = {
        { "*", 1, "R307-0110" }, { "a.*", 1, "R307-0110" },
        { "", 1, "R307-0110" }, { "http://a", 1, "R307-0110" },
        { "a:80:*", 1, "R307-0110" }, { "a:x", 1, "R307-0110" },
        { "a:80", 0, "R307-0111" }, { "*.a:*", 0, "R307-0111" }
    };
    r307_host_pattern_t pattern;
    unsigned i;

    for (i = 0; i < TABLE(rows); i++) {
        r307_error_t err = { tap_pool, NULL };
        r307_host_pattern_parse(tap_pool, rows[i].pattern, rows[i].with_port,
                                &pattern, &err);
        is_error(err.text, rows[i].id, rows[i].pattern, "host pattern");
    }
}

static void test_allows(unsigned i)
{
    apr_array_header_t *patterns =
        apr_array_make(tap_pool, 1, sizeof(r307_host_pattern_t));
    r307_error_t err = { tap_pool, NULL };
    r307_authority_t a = { "", 0, 0 };
    const char *why;

    r307_host_pattern_parse(tap_pool, allows[i].pattern, 1,
                            apr_array_push(patterns), &err);
    r307_authority_parse(allows[i].authority, strlen(allows[i].authority), &a,
                         &why);
    ok(r307_host_pattern_allows(patterns, &a, allows[i].scheme,
                                strlen(allows[i].scheme))
       == allows[i].allowed, "%s %s %s://%s", allows[i].pattern,
       allows[i].allowed ? "allows" : "does not allow", allows[i].scheme,
       allows[i].authority);
}

int main(void)
{
    unsigned i;

    tap_begin();
    for (i = 0; i < TABLE(authorities); i++) {
        r307_authority_t a = { NULL, 0, BAD };
        const char *why = NULL;
        r307_authority_parse(authorities[i].s, strlen(authorities[i].s), &a,
                             &why);
        ok(a.port == authorities[i].port && !why == (a.port != BAD),
           "authority '%s'%s%s", authorities[i].s, why ? ": " : "",
           why ? why : "");
    }
    for (i = 0; i < TABLE(allows); i++) {
        test_allows(i);
    }
    ok(r307_authority_same_host("[::1]", 5, "::1", 3),
       "brackets do not make another host");
    test_pattern_errors();
    return tap_end();
}
