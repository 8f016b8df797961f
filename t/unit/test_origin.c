/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* Origins, and patterns that name them. */
#include "tap.h"

#include "core/r307_origin.h"

static const struct {
    const char *pattern, *origin;
    int holds;                  /* -1: the origin is none */
} rows[] = {
    { "https://app.example", "https://app.example", 1 },
    { "https://app.example", "https://APP.Example", 1 },
    { "HTTPS://App.example", "https://app.example", 1 },
    { "https://app.example", "http://app.example", 0 },
    { "http://app.example", "https://app.example", 0 },
    { "https://app.example", "https://app.example:443", 1 },
    { "https://app.example:443", "https://app.example", 1 },
    { "http://app.example:80", "http://app.example", 1 },
    { "http://app.example", "http://app.example:443", 0 },
    { "https://app.example", "https://app.example:8443", 0 },
    { "https://app.example:8443", "https://app.example:8443", 1 },
    { "https://app.example:8443", "https://app.example", 0 },
    { "https://app.example:*", "https://app.example:1234", 1 },
    { "https://app.example:*", "https://app.example", 1 },
    { "https://app.example:*", "http://app.example", 0 },
    { "https://app.example", "https://xapp.example", 0 },
    { "https://app.example", "https://app.example.evil.example", 0 },
    { "https://app.example", "https://sub.app.example", 0 },
    { "https://app.example", "https://appxexample", 0 },
    { "http://[2001:db8::1]:3000", "http://[2001:db8::1]:3000", 1 },
    { "http://192.0.2.1", "http://192.0.2.1", 1 },

    { "*.app.example", "https://a.app.example", 1 },
    { "*.app.example", "https://b.a.app.example", 1 },
    { "*.app.example", "https://app.example", 0 },
    { "*.app.example", "http://a.app.example", 0 },
    { "*.app.example", "https://a.app.example:443", 1 },
    { "*.app.example", "https://a.app.example:8443", 0 },
    { "*.app.example:8443", "https://a.app.example:8443", 1 },
    { "*.app.example:*", "https://a.app.example:8443", 1 },
    { "*.app.example", "https://aapp.example", 0 },
    { "*.app.example", "https://a.app.example.evil.example", 0 },
    { "*.app.example", "https://evil.example/a.app.example", -1 },
    { "*.app.example", "https://evil.example#.app.example", -1 },
    { "*.app.example", "https://evil.example?.app.example", -1 },
    { "*.app.example", "https://evil.example\\.app.example", -1 },
    { "*.app.example", "https://evil.example%2f.app.example", -1 },
    { "*.app.example", "https://evil.example@a.app.example", -1 },
    { "*.app.example", "https://evil.example,https://a.app.example", -1 },
    { "*.app.example", "https://.app.example", -1 },
    { "http://*.app.example", "http://a.app.example", 1 },
    { "http://*.app.example", "https://a.app.example", 0 },
    { "https://*.app.example", "https://a.app.example", 1 },

    { "capacitor://localhost", "capacitor://localhost", 1 },
    { "capacitor://localhost", "capacitor://localhost:1", 0 },
    { "moz-extension://3f2a-11", "moz-extension://3f2a-11", 1 },

    { "null", "null", 1 }, { "null", "https://app.example", 0 },
    { "null", "Null", -1 }, { "https://app.example", "null", 0 },
    { "*.app.example", "null", 0 },
    { "*", "null", 1 }, { "*", "https://app.example", 1 },
    { "*", "file://", -1 }, { "*", "", -1 }, { "*", "*", -1 },

    { "https://app.example", "https://app.example/", -1 },
    { "https://app.example", "https://app.example ", -1 },
    { "https://app.example", " https://app.example", -1 },
    { "https://app.example", "https://app.example https://x.example", -1 },
    { "https://app.example", "https://app.example:", -1 },
    { "https://app.example", "https://app.example:65536", -1 },
    { "https://app.example", "https://app.example:443x", -1 },
    { "https://app.example", "https:app.example", -1 },
    { "https://app.example", "//app.example", -1 },
    { "https://app.example", "app.example", -1 },
    { "https://app.example", "://app.example", -1 },
    { "https://app.example", "1https://app.example", -1 },
    { "https://app.example", "ht tps://app.example", -1 },
    { "https://app.example", "https://", -1 },
    { "https://app.example", "null null", -1 }
};

static const struct {
    const char *pattern, *id, *shown;
} errors[] = {
    { "app.example", "R307-0770", "'app.example'" },
    { "localhost:3000", "R307-0770", "http://localhost:3000" },
    { "app.example", "R307-0770", "*.app.example for" },
    { "", "R307-0770", "''" }, { "on", "R307-0770", "'on'" },
    { "Null", "R307-0770", "'Null'" }, { "**", "R307-0770", "'**'" },
    { "https:/app.example", "R307-0770", "https:/app.example" },
    { "//app.example", "R307-0770", "//app.example" },
    { "a b://app.example", "R307-0770", "a b" },
    { "\n", "R307-0770", "'\\x0a'" },
    { "https://app.example/", "R307-0771", "write 'https://app.example'" },
    { "https://app.example/x?y", "R307-0771", "'https://app.example/x?y'" },
    { "https://app.example?x", "R307-0771", "write 'https://app.example'" },
    { "*.app.example/", "R307-0771", "write '*.app.example'" },
    { "https://", "R307-0110", "missing" },
    { "https://*", "R307-0110", "'*'" },
    { "https://a.*.example", "R307-0110", "'a.*.example'" },
    { "https://u@app.example", "R307-0110", "user names" },
    { "https://app.example:0x50", "R307-0110", "not a number" },
    { "https://app.example:65536", "R307-0110", "over 65535" },
    { "*.", "R307-0110", "missing" }
};

static void test_holds(unsigned i)
{
    r307_error_t err = { tap_pool, NULL };
    r307_origin_pattern_t pattern;
    r307_origin_t origin;
    int got = -1;

    if (r307_origin_pattern_parse(tap_pool, rows[i].pattern, &pattern, &err)
        != APR_SUCCESS) {
        ok(0, "%s: %s", rows[i].pattern, err.text);
        return;
    }
    if (r307_origin_parse(rows[i].origin, &origin) == APR_SUCCESS) {
        got = r307_origin_pattern_holds(&pattern, &origin);
    }
    ok(got == rows[i].holds, "%s, '%s': %s", rows[i].pattern, rows[i].origin,
       rows[i].holds < 0 ? "no origin" : rows[i].holds ? "yes" : "no");
}

int main(void)
{
    unsigned i;

    tap_begin();
    for (i = 0; i < TABLE(rows); i++) {
        test_holds(i);
    }
    for (i = 0; i < TABLE(errors); i++) {
        r307_error_t err = { tap_pool, NULL };
        r307_origin_pattern_t pattern;
        ok(r307_origin_pattern_parse(tap_pool, errors[i].pattern, &pattern,
                                     &err) == APR_EINVAL,
           "bad pattern %u is refused", i);
        is_error(err.text, errors[i].id, errors[i].shown, "a bad pattern");
    }
    return tap_end();
}
