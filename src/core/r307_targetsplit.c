/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what is variable in a target: references to groups, and expressions.
 * Must not know what a URL is. Called by target.
 */
#include "core/r307_targetsplit.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <strings.h>

#define TARGET_MAX 65536        /* as long as a Location may become */
#define GROUPS_MAX 16           /* groups that share one name */
#define NAME_MAX_LEN 32         /* PCRE2's own limit for group names */

typedef struct splitter_t {
    apr_pool_t *pool;
    const r307_target_syntax_t *syntax;
    r307_error_t *err;
    const char *written;
    apr_array_header_t *pieces; /* r307_part_t */
} splitter_t;

static r307_part_t *add_piece(splitter_t *sp, r307_part_kind_t kind)
{
    r307_part_t *piece = apr_array_push(sp->pieces);

    memset(piece, 0, sizeof *piece);
    piece->kind = kind;
    return piece;
}

static apr_status_t bad_reference(splitter_t *sp, const char *name,
                                  apr_size_t len)
{
    return r307_error_set(sp->err, "R307-0106: the target '%s' refers to "
                          "group '%.*s', and the regular expression has no "
                          "such group (it has %d)", sp->written,
                          (int)len, name,
                          r307_regex_groups(sp->syntax->regex));
}

static apr_status_t add_capture(splitter_t *sp, const unsigned short *groups,
                                int n)
{
    r307_part_t *piece = add_piece(sp, R307_PART_CAPTURE);

    piece->groups = apr_pmemdup(sp->pool, groups, (apr_size_t)n
                                * sizeof *groups);
    piece->ngroups = n;
    return APR_SUCCESS;
}

static apr_status_t add_named(splitter_t *sp, const char *name, apr_size_t len)
{
    unsigned short groups[GROUPS_MAX];
    int n = len > NAME_MAX_LEN ? 0
        : r307_regex_named(sp->syntax->regex,
                           apr_pstrmemdup(sp->pool, name, len), groups,
                           GROUPS_MAX);

    if (n == 0) {
        return bad_reference(sp, name, len);
    }
    return add_capture(sp, groups, n < GROUPS_MAX ? n : GROUPS_MAX);
}

/* Does s open a reference to a group? */
static int is_capture(const char *s)
{
    return s[0] == '$' && (apr_isdigit(s[1]) || s[1] == '{' || s[1] == '<');
}

static apr_status_t take_capture(splitter_t *sp, const char *s,
                                 apr_size_t *used)
{
    const char *end;

    if (apr_isdigit(s[1])) {
        unsigned short group = (unsigned short)(s[1] - '0');
        *used = 2;
        return group > r307_regex_groups(sp->syntax->regex)
            ? bad_reference(sp, s + 1, 1) : add_capture(sp, &group, 1);
    }
    end = strchr(s, s[1] == '{' ? '}' : '>');
    if (!end) {
        return r307_error_set(sp->err, "R307-0107: the target '%s' opens a "
                              "group name with '$%c' and does not close it",
                              sp->written, s[1]);
    }
    *used = (apr_size_t)(end - s) + 1;
    return add_named(sp, s + 2, *used - 3);
}

/* s points at "%{". Braces nest: %{escape:%{REQUEST_URI}}. */
static const char *expr_end(const char *s)
{
    int depth = 0;

    for (; *s; s++) {
        if (s[0] == '%' && s[1] == '{') {
            depth++;
            s++;
        }
        else if (*s == '}' && --depth == 0) {
            return s + 1;
        }
    }
    return NULL;
}

static apr_status_t take_expr(splitter_t *sp, const char *s, apr_size_t *used)
{
    const char *end = expr_end(s), *why = "expressions are not known here";
    r307_part_t *piece;

    if (!end) {
        return r307_error_set(sp->err, "R307-0108: the target '%s' opens an "
                              "expression with '%%{' and does not close it",
                              sp->written);
    }
    *used = (apr_size_t)(end - s);
    piece = add_piece(sp, R307_PART_EXPR);
    piece->text = apr_pstrmemdup(sp->pool, s, *used);
    piece->len = *used;
    piece->whole_query = strcasecmp(piece->text, "%{QUERY_STRING}") == 0;
    piece->encoded = piece->whole_query
        || strncasecmp(piece->text, "%{escape:", 9) == 0;
    if (strcasecmp(piece->text, "%{REQUEST_URI}") == 0) {
        piece->kind = R307_PART_REQUEST_PATH;
        return APR_SUCCESS;
    }
    if (sp->syntax->compile_expr) {
        why = sp->syntax->compile_expr(sp->syntax->ctx, piece->text,
                                       &piece->expr);
    }
    return !why ? APR_SUCCESS
        : r307_error_set(sp->err, "R307-0109: the expression '%s' in the "
                         "target cannot be used: %s", piece->text, why);
}

static void flush_text(splitter_t *sp, r307_buf_t *text)
{
    if (text->len) {
        r307_part_t *piece = add_piece(sp, R307_PART_TEXT);
        piece->text = apr_pstrmemdup(sp->pool, text->data, text->len);
        piece->len = text->len;
        text->len = 0;
    }
}

static apr_status_t split(splitter_t *sp)
{
    const char *s = sp->written;
    int match = sp->syntax->regex != NULL;
    r307_buf_t text;

    r307_buf_init(&text, sp->pool, strlen(s), TARGET_MAX);
    while (*s) {
        apr_status_t rv = APR_SUCCESS;
        apr_size_t used = 1;

        if (match && is_capture(s)) {
            flush_text(sp, &text);
            rv = take_capture(sp, s, &used);
        }
        else if (s[0] == '%' && s[1] == '{') {
            flush_text(sp, &text);
            rv = take_expr(sp, s, &used);
        }
        else {
            s += match && *s == '\\' && s[1];
            r307_buf_addc(&text, *s);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
        s += used;
    }
    flush_text(sp, &text);
    return APR_SUCCESS;
}

apr_status_t r307_target_split(apr_pool_t *pool, const char *written,
                               const r307_target_syntax_t *syntax,
                               apr_array_header_t **pieces,
                               r307_error_t *err)
{
    splitter_t sp = { pool, syntax, err, written, NULL };

    sp.pieces = *pieces = apr_array_make(pool, 4, sizeof(r307_part_t));
    return split(&sp);
}
