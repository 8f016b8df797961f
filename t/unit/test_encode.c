/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* Percent-encoding by component, and the buffer's ceiling. */
#include "tap.h"

#include "core/r307_encode.h"

static const char *encoded(const char *s, r307_component_t in, int text)
{
    r307_buf_t buf;

    r307_buf_init(&buf, tap_pool, 1, 4096);
    (text ? r307_encode_text : r307_encode_data)(&buf, s, strlen(s), in);
    return r307_buf_string(&buf);
}

static const struct {
    const char *in;
    r307_component_t as;
    const char *data;           /* taken as decoded */
    const char *text;           /* taken as encoded already */
} rows[] = {
    { "a/b", R307_IN_PATH, "a/b", "a/b" },
    { "", R307_IN_PATH, "", "" },
    { "a b", R307_IN_PATH, "a%20b", "a%20b" },
    { "a%20b", R307_IN_PATH, "a%2520b", "a%20b" },
    { "a%2fb", R307_IN_PATH, "a%252fb", "a%2fb" },
    { "100%", R307_IN_PATH, "100%25", "100%25" },
    { "%4", R307_IN_PATH, "%254", "%254" },
    { "%zz", R307_IN_PATH, "%25zz", "%25zz" },
    { "a?b#c", R307_IN_PATH, "a%3Fb%23c", "a%3Fb%23c" },
    { "a?b#c", R307_IN_QUERY, "a?b%23c", "a?b%23c" },
    { "a&b+c;d=e", R307_IN_PATH, "a&b+c;d=e", "a&b+c;d=e" },
    { "a&b+c;d=e", R307_IN_QUERY, "a&b+c;d=e", "a&b+c;d=e" },
    { "a&b+c;d=e", R307_IN_QUERY_VALUE, "a%26b%2Bc%3Bd=e",
      "a%26b%2Bc%3Bd=e" },
    { "a%26b", R307_IN_QUERY_VALUE, "a%2526b", "a%26b" },
    { "\r\nX: y", R307_IN_PATH, "%0D%0AX:%20y", "%0D%0AX:%20y" },
    { "\"<>\\^`{|}", R307_IN_PATH, "%22%3C%3E%5C%5E%60%7B%7C%7D",
      "%22%3C%3E%5C%5E%60%7B%7C%7D" },
    { "[::1]", R307_IN_PATH, "%5B::1%5D", "%5B::1%5D" },
    { "\xc3\xa9\x7f\x01", R307_IN_FRAGMENT, "%C3%A9%7F%01", "%C3%A9%7F%01" },
    { "-._~!$'()*,:@", R307_IN_QUERY_VALUE, "-._~!$'()*,:@",
      "-._~!$'()*,:@" }
};

static void test_ceiling(void)
{
    r307_buf_t buf;

    r307_buf_init(&buf, tap_pool, 2, 5);
    r307_buf_add(&buf, "abcde", 5);
    is(r307_buf_string(&buf), "abcde", "a buffer holds up to its ceiling");
    r307_buf_addc(&buf, 'f');
    is(r307_buf_string(&buf), NULL, "one byte more is remembered");
    r307_buf_init(&buf, tap_pool, 2, 5);
    r307_buf_add(&buf, "abcdef", 6);
    r307_buf_add(&buf, "a", 1);
    is(r307_buf_string(&buf), NULL, "and not undone by what would fit");
}

int main(void)
{
    unsigned i, c;

    tap_begin();
    for (i = 0; i < TABLE(rows); i++) {
        is(encoded(rows[i].in, rows[i].as, 0), rows[i].data, "data, row %u",
           i);
        is(encoded(rows[i].in, rows[i].as, 1), rows[i].text, "text, row %u",
           i);
    }
    for (c = 0, i = 0; c < 256; c++) {
        i += r307_encode_legal((unsigned char)c, R307_IN_PATH)
             && (c <= ' ' || c >= 0x7f || strchr("\"#%<>?[\\]^`{|}", (int)c));
    }
    ok(i == 0, "no byte that RFC 3986 forbids is legal in a path");
    test_ceiling();
    return tap_end();
}
