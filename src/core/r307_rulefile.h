/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The text of rule files. A line is
 *
 *     URL-path   target [option...]
 *     host/path  target [option...]
 *     ~regex     target [option...]
 *
 * or empty, or a comment that begins with '#'. Words are separated by blanks;
 * a word that opens with '"' reaches to the next '"' and may hold blanks
 * (\" and \\ stand for themselves). A word that is only '#' or begins with it,
 * behind the target, opens a comment too. UTF-8, as the bytes they are; a
 * byte order mark at the start is skipped.
 *
 * Format rewritemap is the text file of mod_rewrite's RewriteMap: key, blank,
 * value, everything after the value ignored; keys match exactly, and a key
 * without a slash in front is taken as one with it.
 */
#ifndef R307_RULEFILE_H
#define R307_RULEFILE_H

#include "core/r307_rule.h"

/* A path of 8 KB, a target of 16 KB and options; longer lines are a sign that
 * the file is something else. */
#define R307_RULEFILE_LINE_MAX 65535

#define R307_RULEFILE_OPTIONS_MAX 32

/* Choices of a geo rule and options. */
#define R307_RULEFILE_WORDS_MAX 256

typedef enum r307_rulefile_format_t {
    R307_RULEFILE_RULES,
    R307_RULEFILE_REWRITEMAP
} r307_rulefile_format_t;

typedef struct r307_line_t {
    r307_rule_spec_t spec;
    const char *host;           /* lower case, or "*.name"; NULL for any */
    int exact;                  /* set by the format, not by an option */
    const char *options[R307_RULEFILE_WORDS_MAX + 1];
} r307_line_t;

/* The next word of *s, terminated in place; NULL at the end of the line, or
 * with *open set when a quote is not closed. */
char *r307_rulefile_word(char **s, int *open);

/* The word as r307_rulefile_word() reads it again: itself, or quoted in
 * pool. */
const char *r307_rulefile_quote(apr_pool_t *pool, const char *word);

/*
 * Take one line apart; text is changed and must outlive *out. host comes from
 * pool. APR_SUCCESS; APR_NOTFOUND for a line that holds no rule; APR_EINVAL
 * with a sentence in err. spec.file and spec.line are the caller's to set.
 */
apr_status_t r307_rulefile_parse(char *text, r307_rulefile_format_t format,
                                 apr_pool_t *pool, r307_line_t *out,
                                 r307_error_t *err);

#endif
