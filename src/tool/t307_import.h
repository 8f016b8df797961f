/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Importing redirects of other servers and services.
 *
 *     reader of a format  ->  entries, first one wins  ->  settled  ->  text
 *                       `-> losses, warnings
 *
 * A reader knows one format and nothing of the output. For each rule of its
 * source it adds an entry, or says why there is none: never neither, and
 * never something that answers otherwise than the source did. Entries are in
 * the order in which the source tries them. A rule that is lost stays in that
 * order as a place where a later rule must not act instead of it.
 */
#ifndef T307_IMPORT_H
#define T307_IMPORT_H

#include "tool/t307.h"

#include "core/r307_rule.h"

#include <apr_hash.h>

/* A file over this is no list of redirects. */
#define T307_IMPORT_FILE_MAX (256 * 1024 * 1024)

/* As in rule files: a rule must fit in a line of one. */
#define T307_IMPORT_LINE_MAX 65535

/* Each takes about half a KB while the command runs. */
#define T307_IMPORT_ENTRIES_MAX 1000000

/* Pairs of rules compared in search of one that takes another's requests;
 * beyond it they are taken to do so. A second. */
#define T307_IMPORT_PAIRS_MAX 10000000

/* Directories below each other, and .htaccess files, of one tree. */
#define T307_IMPORT_DEPTH_MAX 64
#define T307_IMPORT_FILES_MAX 10000

/* Captures that a target can name by number. */
#define T307_IMPORT_CAPTURES_MAX 9

typedef struct t307_import_rule_t {
    r307_rule_kind_t kind;      /* PREFIX, EXACT or REGEX */
    const char *path;           /* decoded URL-path, or the expression */
    const char *target;         /* in the syntax of r307_target; NULL for a
                                 * rule that was lost, or with choices */
    apr_array_header_t *choices;    /* const char *, "DE,AT=target"; NULL: one
                                     * target */
    const char *methods;        /* as in methods=; NULL: all */
    const char *hosts;          /* as in host=; NULL: all */
    int host_first;             /* hosts is one, and part of the key that a
                                 * table goes by: "host/path" */
    const char *expr;           /* as in expr=; NULL: none */
    const char *query;          /* "append", "drop"; NULL: keep */
    const char *percent;        /* as in percent=; NULL: all */
    const char *more;           /* other options as they are; NULL: none */
    int own;                    /* it is a rule of this module already */
    int status;                 /* 0: the source says none */
    const char *file;
    int line;
} t307_import_rule_t;

typedef enum t307_import_role_t {
    T307_IMPORT_RULE,
    T307_IMPORT_STOP,           /* the source says: no redirect here */
    T307_IMPORT_LOST,           /* a rule that is not carried over; its path
                                 * and conditions are known */
    T307_IMPORT_OPAQUE,         /* as LOST, but its path covers more than the
                                 * rule took */
    T307_IMPORT_NONE            /* found to have no effect */
} t307_import_role_t;

/* Which requests a rule can take. */
typedef struct t307_import_reach_t {
    r307_rule_kind_t kind;
    const char *bytes;          /* what its paths begin with */
    apr_size_t len;
    int whole;                  /* a segment ends there */
    int only;                   /* that is its only path */
    const r307_regex_t *regex;  /* of REGEX */
    const apr_array_header_t *hosts;    /* r307_host_pattern_t; NULL: all */
} t307_import_reach_t;

typedef struct t307_import_entry_t {
    t307_import_role_t role;
    t307_import_rule_t *rule;
    t307_import_reach_t reach;
    int phase;                  /* STOP: holds for entries of its own phase
                                 * only */
} t307_import_entry_t;

typedef struct t307_import_report_t {
    const char *file;
    int line;
    int loss;                   /* else a warning */
    const char *text;
} t307_import_report_t;

typedef enum t307_import_to_t {
    T307_IMPORT_TO_AUTO,
    T307_IMPORT_TO_DIRECTIVES,
    T307_IMPORT_TO_RULES
} t307_import_to_t;

struct t307_import_format_t;

typedef struct t307_import_t {
    apr_pool_t *pool;
    apr_pool_t *scratch;        /* for validating one rule */
    const struct t307_import_format_t *format;
    const char *file;           /* that is read at the moment, for reports */
    apr_array_header_t *entries;    /* t307_import_entry_t */
    apr_array_header_t *reports;    /* t307_import_report_t */
    t307_import_to_t to;
    int phase;                  /* of entries that are added */
    const char *failed;         /* nothing can be done: why */
    apr_array_header_t *places; /* httpd: t307_import_place_t */
    apr_hash_t *seen;           /* keys of t307_import_is_new() */

    /* Options; NULL and 0 when not given. */
    int all;                    /* 301, 303, 308, too */
    int no_files;               /* no file lies where a rule is */
    int same_case;              /* keys are spelled as requests are */
    const char *key;
    const char *type;
    const char *query;
    const char *base;
    const char *suffix;
} t307_import_t;

typedef struct t307_import_format_t {
    const char *name;
    /* text is the file's, terminated, and may be changed. */
    void (*read)(t307_import_t *im, char *text, apr_size_t len);
    /* Instead of read, for formats of several files. */
    void (*read_path)(t307_import_t *im, const char *path);
    int lookup;                 /* the source looks up keys: a rule file is
                                 * its natural form */
    const char *keys;           /* what --key may say, "a b c"; NULL: none */
    const char *types;          /* what --type may say; NULL: none */
} t307_import_format_t;

extern const t307_import_format_t t307_import_netlify;
extern const t307_import_format_t t307_import_cloudflare;
extern const t307_import_format_t t307_import_rewritemap;
extern const t307_import_format_t t307_import_nginx;
extern const t307_import_format_t t307_import_haproxy;
extern const t307_import_format_t t307_import_vercel;
extern const t307_import_format_t t307_import_next;
extern const t307_import_format_t t307_import_httpd;

extern const t307_import_format_t *const t307_import_formats[];

/* ---- t307_import.c: for the commands that import ---- */

/* How the source is to be read; for a command's list of options. */
#define T307_IMPORT_OPTIONS \
    { "all", 'a', 0, "301, 303 and 308 become 307 as well, with a warning" \
    }, \
    { "base", 'b', 1, "PATH: httpd: the URL-path of the file's directory; " \
      "next: basePath" }, \
    { "key", 'k', 1, "WHAT: maps: what the map is asked with" }, \
    { "type", 'y', 1, "TYPE: haproxy-map: str, beg, end, sub, dir, reg, " \
      "regm or ip; rewritemap: txt or rnd" }, \
    { "query", 'q', 1, "WHAT: maps, vercel, next: keep, append or drop the " \
      "request's query" }, \
    { "same-case", 'c', 0, "nginx-map, next: paths come in the case that " \
      "the keys have" }, \
    { "no-files", 'n', 0, "netlify: no file lies where a rule without '!' " \
      "is" }, \
    { "suffix", 's', 1, "WHAT: cloudflare: preserve or drop, where the row " \
      "does not say" }

/* Takes one of these; 0: it is another option. */
int t307_import_option(t307_import_t *im, int optch, const char *value);

/* NULL: there is none of that name. */
const t307_import_format_t *t307_import_find(const char *name);
/* "a, b, c" */
const char *t307_import_names(apr_pool_t *pool);

/* Are the options' values ones of im->format? T307_OK, or told. */
int t307_import_check(const t307_t *t, t307_import_t *im);

/* Read, settle, and tell on err what is lost. T307_OK, T307_FOUND with
 * losses, or T307_FAILED, told. */
int t307_import_load(t307_t *t, t307_import_t *im, const char *path,
                     int *losses, int *warnings);

/* ---- t307_import_file.c ---- */

/* Let read have the text of a file, or set im->failed. */
void t307_import_read_file(t307_import_t *im, const char *path,
                           void (*read)(t307_import_t *im, char *text,
                                        apr_size_t len));

/* ---- t307_import_set.c ---- */

void t307_import_init(t307_import_t *im, apr_pool_t *pool,
                      const t307_import_format_t *format);

/* A rule for the line, without any conditions. */
t307_import_rule_t *t307_import_rule(t307_import_t *im,
                                     r307_rule_kind_t kind, int line);

/* Add a condition to expr=; all of them must hold. */
void t307_import_and(t307_import_t *im, t307_import_rule_t *rule,
                     const char *expr);

/* The rule is complete: judge its status, validate it, and add it or lose
 * it. A target of NULL adds a STOP. */
void t307_import_add(t307_import_t *im, t307_import_rule_t *rule);

/* What the line says cannot be carried over. rule: which requests it would
 * have taken; NULL: none that could matter. opaque: its conditions are not
 * all in rule. */
void t307_import_lose(t307_import_t *im, t307_import_rule_t *rule, int opaque,
                      int line, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

void t307_import_warn(t307_import_t *im, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* 0 with a warning when a line before had the key, which no request gets
 * past. */
int t307_import_is_new(t307_import_t *im, const char *key, int line);

/* ---- t307_import_order.c ---- */

/* Decide the form of the output, lose what cannot be in it, and leave out
 * what has no effect. */
void t307_import_settle(t307_import_t *im);

/* ---- t307_import_write.c ---- */

/* The settled entries as text. */
const char *t307_import_text(t307_import_t *im);

/* The words of a rule behind its path: target or choices, options. */
const apr_array_header_t *t307_import_words(apr_pool_t *pool,
                                            const t307_import_rule_t *rule);

/* ---- t307_import_text.c: what several formats need ---- */

/* The next line of *s, terminated, without its end, and its number in *n;
 * NULL behind the last. Lines over the limit are lost and passed over. */
char *t307_import_line(t307_import_t *im, char **s, int *n);

/* As regular expression: every byte stands for itself. */
const char *t307_import_quote_regex(apr_pool_t *pool, const char *s,
                                    apr_size_t len);

/* As text in a target: nothing in it is a capture or an expression. regex:
 * of a REGEX rule. */
const char *t307_import_quote_target(apr_pool_t *pool, const char *s,
                                     apr_size_t len, int regex);

/* A path in percent-encoding, decoded. NULL when no path would be the same:
 * %2F, %00, control bytes. */
const char *t307_import_decode(apr_pool_t *pool, const char *s,
                               apr_size_t len);

/* As a string in an expression, 'quoted'; NULL when it cannot be. */
const char *t307_import_quote_expr(apr_pool_t *pool, const char *s);

/* "m#regex#": the first delimiter that is not in it; NULL for none. */
const char *t307_import_expr_regex(apr_pool_t *pool, const char *regex,
                                   int nocase);

/* A host name alone: no list, no port, no "*.". */
int t307_import_is_host(const char *name);

/* Is the word in the list "a b c"? */
int t307_import_is_one_of(const char *word, const char *list);

/* A value for one line of a report. */
const char *t307_import_show(t307_import_t *im, const char *s);

/* "https://host[:port]" of a URL: 1, with *scheme and *host, and *rest where
 * the path begins. */
int t307_import_split_url(apr_pool_t *pool, const char *url,
                          const char **scheme, const char **host,
                          const char **rest);

#endif
