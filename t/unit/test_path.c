/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* Both forms of a path, and prefixes. */
#include "tap.h"

#include "core/r307_path.h"

static const struct {
    const char *raw, *uri;      /* uri NULL: a server refuses raw */
    int slashes;
} decoded[] = {
    { "/a/b", "/a/b", R307_SLASHES_MERGE },
    { "/%61%2Fb", "/a%2Fb", R307_SLASHES_KEEP | R307_SLASHES_MERGE },
    { "/%61%2Fb", "/a/b", R307_SLASHES_MERGE },
    { "//a///b", "/a/b", R307_SLASHES_MERGE },
    { "//a///b", "//a///b", 0 },
    { "/a/./b/../c", "/a/c", R307_SLASHES_MERGE },
    { "/a/%2e/b/%2E./c", "/a/c", R307_SLASHES_MERGE },
    { "/a/..", "/", R307_SLASHES_MERGE },
    { "/a/...", "/a/...", R307_SLASHES_MERGE },
    { "/a/.b/..c", "/a/.b/..c", R307_SLASHES_MERGE },
    { "/a%2F../b", "/a%2F../b", R307_SLASHES_KEEP },
    { "/caf%C3%A9", "/caf\xc3\xa9", R307_SLASHES_MERGE },
    { "/..", NULL, R307_SLASHES_MERGE },
    { "/a/../../b", NULL, R307_SLASHES_MERGE },
    { "/%00", NULL, 0 },
    { "/%4", NULL, 0 },
    { "a", NULL, 0 },
    { "", NULL, 0 }
};

static const struct {
    const char *uri, *raw;      /* what the server decoded; what was sent */
    apr_size_t from;
    const char *want;
} appended[] = {
    { "/a/b c", "/a/b%20c", 2, "/b%20c" },
    { "/a/b c", "/a/b%20c?q%20", 2, "/b%20c" },
    { "/a/b", "/a/b#f", 2, "/b" },
    { "/a/b%2Fc", "/a/b%2Fc", 2, "/b%2Fc" },
    { "/a/b%2fc", "/a/b%2fc", 2, "/b%2fc" },
    { "/a/b%2fc d", "/a/b%2fc%20d", 2, "/b%2fc%20d" },
    { "/a/b/c", "/a/b%2fc", 2, "/b%2fc" },
    { "/a/b/c", "//a/./x/..//b/c", 2, "/b/c" },
    { "/a//b", "/a//b", 2, "//b" },
    { "/a//b c", "/a//b%20c", 2, "//b%20c" },
    { "/a/%41", "/a/%2541", 2, "/%2541" },
    { "/a/~b", "/a/%7Eb", 2, "/%7Eb" },
    { "/a/\xc3\xa9", "/a/%c3%A9", 2, "/%c3%A9" },
    { "/a/\xc3\xa9\"", "/a/\xc3\xa9\"", 2, "/%C3%A9%22" },
    { "/a/\r\n", "/a/%0d%0a", 2, "/%0d%0a" },
    { "/a/b?c", "/a/b%3Fc", 2, "/b%3Fc" },
    { "/a/\\b", "/a/\\b", 2, "/%5Cb" },
    /* rewritten by somebody else: encoded afresh */
    { "/a/b c%41", "/elsewhere", 2, "/b%20c%2541" },
    { "/a/b c", NULL, 2, "/b%20c" },
    { "/a", "/a", 2, "" }
};

static const struct {
    const char *uri, *prefix;
    apr_size_t covers;
} prefixes[] = {
    { "/a", "/a", 2 }, { "/a/b", "/a", 2 }, { "/ab", "/a", 0 },
    { "/a", "/a/", 0 }, { "/a/", "/a/", 3 }, { "/a/b", "/a/", 3 },
    { "/a", "/", 1 }, { "/", "/", 1 }, { "/A", "/a", 0 },
    { "/a//b", "/a/b", 5 }, { "/a/b//c", "/a/b", 4 }, { "//a", "/a", 3 },
    { "/a//", "/a", 2 }, { "//", "/", 2 }, { "/a//", "/a/", 4 },
    { "/a/bc", "/a/b", 0 },
    { "/", "/a", 0 }
};

static void test_decoded(unsigned i)
{
    r307_path_t path;
    apr_status_t rv = r307_path_from_raw(&path, tap_pool, decoded[i].raw,
                                         decoded[i].slashes);

    is(rv == APR_SUCCESS ? path.uri : NULL, decoded[i].uri, "%s with %d",
       decoded[i].raw, decoded[i].slashes);
}

static void test_appended(unsigned i)
{
    r307_path_t path;
    r307_buf_t buf;

    memset(&path, 0, sizeof path);
    path.uri = appended[i].uri;
    path.uri_len = strlen(path.uri);
    path.raw = appended[i].raw;
    r307_buf_init(&buf, tap_pool, 8, 4096);
    r307_path_append(&path, appended[i].from, path.uri_len, R307_IN_PATH,
                     &buf, tap_pool);
    is(r307_buf_string(&buf), appended[i].want, "%s is appended as sent",
       appended[i].raw ? appended[i].raw : "an unknown form");
}

int main(void)
{
    unsigned i;

    tap_begin();
    for (i = 0; i < TABLE(decoded); i++) {
        test_decoded(i);
    }
    for (i = 0; i < TABLE(appended); i++) {
        test_appended(i);
    }
    for (i = 0; i < TABLE(prefixes); i++) {
        ok(r307_path_prefix(prefixes[i].uri,
                            r307_path_is_doubled(prefixes[i].uri),
                            prefixes[i].prefix, strlen(prefixes[i].prefix))
           == prefixes[i].covers, "prefix %s covers %u bytes of %s",
           prefixes[i].prefix, (unsigned)prefixes[i].covers,
           prefixes[i].uri);
    }
    return tap_end();
}
