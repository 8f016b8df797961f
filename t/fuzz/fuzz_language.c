/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Accept-Language. Input: a line of tags, then the header. What holds:
 *  - a tag that passes the check is one by the letters of RFC 5646
 *  - the index is in range, and the tag stands at the start of a member
 *  - it would also be chosen if it were the only tag, and letters' case does
 *    not matter
 *  - it is not chosen any more when the header refuses it in front
 *  - it is chosen whatever else is wanted when the header names it in front,
 *    unless the header refuses it further on
 */
#include "fuzz.h"

#include "core/r307_language.h"

#include <apr_lib.h>

#include <strings.h>

#define TAGS_MAX 8

const char fuzz_name[] = "language";

static int take_tags(fuzz_t *in, const char **tags)
{
    char *state, *tag, *line = fuzz_line(in);
    int n = 0;

    for (tag = apr_strtok(line, " ", &state); tag && n < TAGS_MAX;
         tag = apr_strtok(NULL, " ", &state)) {
        r307_error_t err = { in->pool, NULL };
        apr_status_t rv = r307_language_tag_check(tag, &err);
        apr_size_t len = strlen(tag), first = strcspn(tag, "-");

        fuzz_check_error(rv, &err);
        if (rv == APR_SUCCESS) {
            FUZZ_HOLDS(len <= R307_LANGUAGE_TAG_MAX);
            FUZZ_HOLDS(first >= 2 && first <= 8 && tag[len - 1] != '-');
            FUZZ_HOLDS(strspn(tag, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")
                       == len);
            tags[n++] = tag;
        }
    }
    return n;
}

/* Does a member of the header open with the tag? */
static int is_mentioned(const char *tag, const char *header, apr_size_t len)
{
    apr_size_t n = strlen(tag), i;
    int at_start = 1;

    for (i = 0; i + n <= len; i++) {
        if (at_start && strncasecmp(header + i, tag, n) == 0) {
            return 1;
        }
        at_start = header[i] == ','
                   || (at_start && (header[i] == ' ' || header[i] == '\t'));
    }
    return 0;
}

/* The choice when that stands in front of the header. */
static int choose_after(fuzz_t *in, const char *front, const char *header,
                        apr_size_t len, const char *const *tags, int ntags)
{
    apr_size_t n = strlen(front);
    char *joined = fuzz_memory(in, n + len);

    memcpy(joined, front, n);
    memcpy(joined + n, header, len);
    return r307_language_choose(joined, n + len, tags, ntags);
}

static int choose_upper(fuzz_t *in, const char *header, apr_size_t len,
                        const char *const *tags, int ntags)
{
    char *upper = fuzz_memory(in, len);
    apr_size_t i;

    for (i = 0; i < len; i++) {
        upper[i] = (char)apr_toupper(header[i]);
    }
    return r307_language_choose(upper, len, tags, ntags);
}

static void check_choice(fuzz_t *in, int chosen, const char *header,
                         apr_size_t len, const char *const *tags, int ntags)
{
    const char *tag = tags[chosen];
    const char *refused = apr_pstrcat(in->pool, tag, ";q=0,", NULL);
    int other;

    FUZZ_HOLDS(is_mentioned(tag, header, len));
    FUZZ_HOLDS(r307_language_choose(header, len, &tag, 1) == 0);
    FUZZ_HOLDS(choose_upper(in, header, len, tags, ntags) == chosen);
    other = choose_after(in, refused, header, len, tags, ntags);
    FUZZ_HOLDS(other < 0 || strcasecmp(tags[other], tag) != 0);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    const char *tags[TAGS_MAX], *header;
    apr_size_t len;
    fuzz_t in;
    int ntags, chosen, i;

    fuzz_begin(&in, data, size);
    ntags = take_tags(&in, tags);
    header = fuzz_rest(&in, &len);
    chosen = r307_language_choose(header, len, tags, ntags);
    FUZZ_HOLDS(chosen >= -1 && chosen < ntags);
    if (chosen >= 0) {
        check_choice(&in, chosen, header, len, tags, ntags);
    }
    for (i = 0; i < ntags; i++) {
        const char *wanted = apr_pstrcat(in.pool, tags[i], " , ", NULL);
        int now = choose_after(&in, wanted, header, len, tags, ntags);

        FUZZ_HOLDS(now < 0 || now == i || memchr(header, '0', len)
                   || strcasecmp(tags[now], tags[i]) == 0);
    }
    return fuzz_end(&in);
}
