/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the syntax of language tags and of Accept-Language, and the choice
 * between tags. Must not know where a header comes from or what a tag leads
 * to. Called where geo rules are read and where they choose.
 */
#include "core/r307_language.h"

#include <string.h>

#define SUBTAG_MAX 8
#define Q_ONE 1000              /* q in thousandths */

typedef struct range_t {
    const char *s;
    apr_uint16_t len;           /* 0: "*" */
    apr_uint16_t q;
} range_t;

typedef struct ranges_t {
    int count;
    int refusals;               /* ranges with q=0 */
    range_t list[R307_LANGUAGE_RANGES_MAX];
} ranges_t;

/* ---- syntax ---- */

/* Not ctype.h: its answers depend on the locale. */
static inline int is_alpha(char c)
{
    return (unsigned char)((c | 0x20) - 'a') < 26;
}

static inline int is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

static inline int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Length of the language-range (RFC 4647 section 2.1) that s begins with, 0
 * for none. */
static apr_size_t range_length(const char *s, const char *end)
{
    const char *p = s, *subtag = s;

    while (p < end && is_alpha(*p)) {
        p++;
    }
    if (p - s == 2 && (p == end || *p == ';' || *p == ',')) {
        return 2;               /* as most are */
    }
    while (p > subtag && p - subtag <= SUBTAG_MAX) {
        if (p == end || *p != '-') {
            return (apr_size_t)(p - s);
        }
        subtag = ++p;
        while (p < end && (is_alpha(*p) || is_digit(*p))) {
            p++;
        }
    }
    return 0;
}

/* "q=" qvalue (RFC 9110 section 12.4.2). Returns what follows, NULL when it
 * is something else. */
static const char *take_weight(const char *s, const char *end,
                               apr_uint16_t *q)
{
    static const int units[] = { 0, 100, 10, 1 };
    int value, digits = 0, fraction = 0;

    if (end - s < 3 || (s[0] | 0x20) != 'q' || s[1] != '='
        || (s[2] != '0' && s[2] != '1')) {
        return NULL;
    }
    value = s[2] == '1' ? Q_ONE : 0;
    s += 3;
    if (s < end && *s == '.') {
        for (s++; digits < 3 && s < end && is_digit(*s); digits++) {
            fraction = 10 * fraction + *s++ - '0';
        }
        value += fraction * units[digits];
    }
    *q = (apr_uint16_t)value;
    return value <= Q_ONE ? s : NULL;
}

static const char *skip_blanks(const char *s, const char *end)
{
    while (s < end && is_blank(*s)) {
        s++;
    }
    return s;
}

/* One member, up to a comma or end. Returns where it ends; NULL when it is
 * malformed. */
static const char *take_member(const char *s, const char *end, range_t *out)
{
    s = skip_blanks(s, end);
    out->s = s;
    out->q = Q_ONE;
    out->len = (apr_uint16_t)range_length(s, end);
    if (out->len == 0 && (s == end || *s != '*')) {
        return NULL;
    }
    s = skip_blanks(s + (out->len ? out->len : 1), end);
    if (s < end && *s == ';') {
        s = take_weight(skip_blanks(s + 1, end), end, &out->q);
        s = s ? skip_blanks(s, end) : NULL;
    }
    return s && (s == end || *s == ',') ? s : NULL;
}

static void parse_header(const char *s, const char *end, ranges_t *out)
{
    int count = 0, refusals = 0;

    while (s < end && count < R307_LANGUAGE_RANGES_MAX) {
        const char *after = take_member(s, end, &out->list[count]);

        if (after) {
            refusals += out->list[count++].q == 0;
            s = after;
        }
        else {
            s = memchr(s, ',', (apr_size_t)(end - s));
        }
        s = s && s < end ? s + 1 : end;
    }
    out->count = count;
    out->refusals = refusals;
}

/* ---- choice ---- */

/* Letters without their case. Only what tags and ranges are made of, and a
 * tag's NUL, comes here; of these no two others become the same. */
static inline int fold(char c)
{
    return c | 0x20;
}

/* Length of the tag when the range begins with it, else 0. */
static apr_size_t found_by(const char *tag, const range_t *range)
{
    apr_size_t n = 0;

    while (n < range->len && fold(tag[n]) == fold(range->s[n])) {
        n++;
    }
    return tag[n] == '\0' && (n == range->len || range->s[n] == '-') ? n : 0;
}

/* Does the tag begin with the range? */
static int is_named_by(const char *tag, const range_t *range)
{
    apr_size_t n = 0;

    while (n < range->len && fold(tag[n]) == fold(range->s[n])) {
        n++;
    }
    return n == range->len && (n == 0 || tag[n] == '\0' || tag[n] == '-');
}

static int is_refused(const char *tag, const ranges_t *ranges)
{
    int longest = -1, refused = 0, i;

    for (i = 0; i < ranges->count; i++) {
        const range_t *range = &ranges->list[i];

        if (range->len < longest || !is_named_by(tag, range)) {
            continue;
        }
        refused = range->q == 0 || (refused && range->len == longest);
        longest = range->len;
    }
    return refused;
}

/* RFC 4647 section 3.4: cutting the range until it equals a tag finds the
 * longest tag that the range begins with. No tag ends in a single character,
 * so the step over those needs no code. */
static int look_up(const range_t *range, const ranges_t *ranges,
                   const char *const *tags, int ntags)
{
    apr_size_t longest = 0;
    int best = -1, i;

    for (i = 0; i < ntags; i++) {
        apr_size_t n = found_by(tags[i], range);

        if (n > longest
            && !(ranges->refusals && is_refused(tags[i], ranges))) {
            longest = n;
            best = i;
        }
    }
    return best;
}

int r307_language_choose(const char *header, apr_size_t len,
                         const char *const *tags, int ntags)
{
    ranges_t ranges;
    unsigned best_q = 0;
    int best = -1, i;

    if (len > R307_LANGUAGE_HEADER_MAX) {
        return -1;
    }
    parse_header(header, header + len, &ranges);
    for (i = 0; i < ranges.count; i++) {
        const range_t *range = &ranges.list[i];

        if (range->q > best_q) {
            int found = look_up(range, &ranges, tags, ntags);
            if (found >= 0) {
                best = found;
                best_q = range->q;
            }
        }
    }
    return best;
}

/* ---- configuration ---- */

/* Why that is no tag, NULL when it is one. */
static const char *fault(const char *tag, apr_size_t len)
{
    apr_size_t n = range_length(tag, tag + len);

    if (strcmp(tag, "*") == 0) {
        return "for every other language there is the selector default";
    }
    if (strchr(tag, '_')) {
        return "subtags are joined by '-'";
    }
    if (len > R307_LANGUAGE_TAG_MAX) {
        return "it is longer than 35 bytes";
    }
    if (n == 0 || n != len) {
        return "a tag is 2 to 8 letters, then '-' and 1 to 8 letters or "
               "digits, and so on";
    }
    if (strcspn(tag, "-") < 2) {
        return "it begins with a single letter";
    }
    return len > 1 && tag[len - 2] == '-'
        ? "it ends in a single character" : NULL;
}

apr_status_t r307_language_tag_check(const char *tag, r307_error_t *err)
{
    apr_size_t len = strlen(tag);
    const char *why = fault(tag, len);

    return !why ? APR_SUCCESS
        : r307_error_set(err, "R307-0720: '%s' is not a language tag: %s; "
                         "write one such as en, pt-BR or zh-Hant",
                         r307_error_show(err, tag, len), why);
}
