/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* Language tags and Accept-Language; cases in t/data/languages.tsv. */
#include "tap.h"

#include "core/r307_language.h"

#include <apr_file_io.h>

#include <stdlib.h>

#define TAGS_MAX 8
#define ENOUGH 100              /* rows of the table */

/* Decode \t, \\ and \xHH in place; a header may hold a NUL. */
static apr_size_t decode(char *s)
{
    char *from = s, *to = s, hex[3] = "";

    while (*from) {
        if (from[0] != '\\' || !from[1]) {
            *to++ = *from++;
        }
        else if (from[1] == 'x' && from[2] && from[3]) {
            memcpy(hex, from + 2, 2);
            *to++ = (char)strtol(hex, NULL, 16);
            from += 4;
        }
        else {
            *to++ = from[1] == 't' ? '\t' : from[1];
            from += 2;
        }
    }
    *to = '\0';
    return (apr_size_t)(to - s);
}

/* A copy that ends where a read too far is seen by the sanitizer. */
static const char *choose(const char *header, apr_size_t len,
                          const char *const *tags, int ntags)
{
    char *exact = malloc(len ? len : 1);
    int i;

    memcpy(exact, header, len);
    i = r307_language_choose(exact, len, tags, ntags);
    free(exact);
    return i < 0 ? "-" : i < ntags ? tags[i] : "(out of range)";
}

static int test_row(char *line, int number)
{
    char *tab = strchr(line, '\t');
    char *second = tab ? strchr(tab + 1, '\t') : NULL, *state, *tag;
    const char *tags[TAGS_MAX];
    r307_error_t err = { tap_pool, NULL };
    apr_size_t len;
    int n = 0;

    if (!second) {
        return ok(0, "line %d has three columns", number);
    }
    *tab++ = *second++ = '\0';
    for (tag = apr_strtok(tab, " ", &state); tag && n < TAGS_MAX;
         tag = apr_strtok(NULL, " ", &state)) {
        if (r307_language_tag_check(tag, &err) != APR_SUCCESS) {
            return ok(0, "line %d: %s", number, err.text);
        }
        tags[n++] = tag;
    }
    tab = apr_pstrdup(tap_pool, line);
    len = decode(line);
    is(choose(line, len, tags, n), second, "line %d: %s", number, tab);
    return 1;
}

static void test_table(void)
{
    const char *path = apr_pstrcat(tap_pool, getenv("R307_SRCDIR")
                                   ? getenv("R307_SRCDIR") : ".",
                                   "/t/data/languages.tsv", NULL);
    apr_file_t *f;
    char line[1024];
    int number = 0, rows = 0;

    if (apr_file_open(&f, path, APR_FOPEN_READ | APR_FOPEN_BUFFERED, 0,
                      tap_pool) != APR_SUCCESS) {
        ok(0, "%s can be read", path);
        return;
    }
    while (apr_file_gets(line, sizeof line, f) == APR_SUCCESS) {
        number++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '#') {
            rows += test_row(line, number);
        }
    }
    apr_file_close(f);
    ok(rows >= ENOUGH, "the table has %d rows", rows);
}

/* count times what, then a member that is wanted */
static const char *after(int count, const char *what, const char *wanted)
{
    apr_size_t n = strlen(what), i;
    char *s = apr_palloc(tap_pool, (apr_size_t)count * n + 100), *p = s;

    for (i = 0; i < (apr_size_t)count; i++, p += n) {
        memcpy(p, what, n);
    }
    strcpy(p, wanted);
    return s;
}

static void test_ceilings(void)
{
    static const char *const tags[] = { "en", "fr" };
    const struct {
        const char *header, *want, *name;
    } rows[] = {
        { after(63, "de,", "en"), "en", "the 64th range counts" },
        { after(64, "de,", "en"), "-", "the 65th does not" },
        { after(64, "*,", "en"), "-", "'*' is a range" },
        { after(64, "d_e,", "en"), "en", "a malformed member is none" },
        { after(4094, " ", "en"), "en", "4,096 bytes are read" },
        { after(4095, " ", "en"), "-", "4,097 are not" },
        { after(4000, ",", "en"), "en", "so are 4,000 empty members" }
    };
    unsigned i;

    for (i = 0; i < TABLE(rows); i++) {
        is(choose(rows[i].header, strlen(rows[i].header), tags, 2),
           rows[i].want, "%s", rows[i].name);
    }
    is(choose("en", 2, tags, 0), "-", "without tags there is no choice");
    is(choose("frx", 2, tags, 2), "fr", "the length ends the header");
}

static void test_tags(void)
{
    static const char *const good[] = {
        "en", "EN", "tlh", "pt-BR", "zh-Hant-TW", "es-419", "sl-rozaj-1994",
        "de-CH-1996", "zh-Hant-CN-x-private1", "abcdefgh", "en-a-bbb",
        "aa-aaaaaaaa-bbbbbbbb-cccccccc-ddddd"
    };
    static const struct {
        const char *tag, *shown, *why;
    } bad[] = {
        { "*", "'*'", "selector default" }, { "", "''", "2 to 8 letters" },
        { "en_US", "'en_US'", "joined by '-'" },
        { "en-*", "'en-*'", "2 to 8" }, { "e", "'e'", "single letter" },
        { "i-klingon", "'i-klingon'", "single letter" },
        { "x-private", "'x-private'", "single letter" },
        { "en-", "'en-'", "2 to 8" }, { "-en", "'-en'", "2 to 8" },
        { "en--GB", "'en--GB'", "2 to 8" }, { "e1", "'e1'", "2 to 8" },
        { "en GB", "'en GB'", "2 to 8" }, { "en;q=1", "'en;q=1'", "2 to 8" },
        { "en,fr", "'en,fr'", "2 to 8" }, { "en-x", "'en-x'", "ends in" },
        { "abcdefghi", "'abcdefghi'", "2 to 8" },
        { "en-123456789", "'en-123456789'", "2 to 8" },
        { "aa-aaaaaaaa-bbbbbbbb-cccccccc-dddddd", "'aa-", "35 bytes" },
        { "\xc3\xa9n", "'\\xc3\\xa9n'", "2 to 8" },
        { "en\n", "'en\\x0a'", "2 to 8" }
    };
    unsigned i;

    for (i = 0; i < TABLE(good); i++) {
        r307_error_t err = { tap_pool, NULL };
        ok(r307_language_tag_check(good[i], &err) == APR_SUCCESS
           && !err.text, "%s is a tag", good[i]);
    }
    for (i = 0; i < TABLE(bad); i++) {
        r307_error_t err = { tap_pool, NULL };
        ok(r307_language_tag_check(bad[i].tag, &err) == APR_EINVAL,
           "bad tag %u is refused", i);
        is_error(err.text, "R307-0720", bad[i].shown, "a bad tag");
        is_error(err.text, "R307-0720", bad[i].why, "a bad tag");
        is_error(err.text, "R307-0720", "write one such as", "a bad tag");
    }
}

int main(void)
{
    tap_begin();
    test_table();
    test_ceilings();
    test_tags();
    return tap_end();
}
