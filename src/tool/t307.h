/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The command-line tool's own types and the functions its files offer each
 * other. It is a user of the core as the module is: everything that decides,
 * matches or parses rules is in src/core; what is here reads arguments and
 * writes text.
 */
#ifndef T307_H
#define T307_H

#include "core/r307_error.h"

#include <apr_general.h>
#include <apr_getopt.h>

#include <stdio.h>

/* Exit statuses, documented in docs/redirect307.1. */
#define T307_OK         0
#define T307_FOUND      1   /* it ran, and what it looked at has findings:
                             * lint, verify, import with losses */
#define T307_USAGE      2   /* the command line is wrong; nothing was done */
#define T307_FAILED     3   /* it could not do its work: a file that cannot
                             * be read, a rule file with bad lines */

typedef struct t307_t {
    apr_pool_t *pool;           /* for as long as the command runs */
    FILE *out;
    FILE *err;
    int colour;                 /* out is a terminal that shows colours */
    int progress;               /* err is a terminal: progress is welcome */
    const struct t307_command_t *command;
} t307_t;

typedef struct t307_command_t {
    const char *name;
    /* argv[0] is the name. Returns T307_*. */
    int (*run)(t307_t *t, int argc, const char *const *argv);
    const char *usage;          /* what follows the name */
    const char *summary;        /* one line */
    const char *help;           /* the rest of --help: options, examples */
    const apr_getopt_option_t *options; /* without --help, which every
                                         * command has; ends with a zero
                                         * entry */
} t307_command_t;

/* redirect307.c: every command there is, ended by one without a name. */
extern const t307_command_t *const t307_commands[];

extern const t307_command_t t307_explain;
extern const t307_command_t t307_lint;
extern const t307_command_t t307_compile;
extern const t307_command_t t307_import;
extern const t307_command_t t307_verify;
extern const t307_command_t t307_export;
extern const t307_command_t t307_unused;
extern const t307_command_t t307_top;
extern const t307_command_t t307_sql;

/* ---- t307_args.c ---- */

typedef struct t307_args_t {
    apr_getopt_t *os;
    int status;                 /* once t307_args_next() returned 0: T307_OK,
                                 * or what the command is to return, because
                                 * of a wrong option or --help */
    int done;                   /* --help was asked and has been given */
} t307_args_t;

/* Options and other words may be mixed. */
void t307_args_begin(t307_t *t, t307_args_t *args, int argc,
                     const char *const *argv);
/* The next option's optch and *value, or 0 at the end. */
int t307_args_next(t307_t *t, t307_args_t *args, const char **value);
/* What stands for the word "-", which most commands take as a file. */
extern const char t307_args_stdin[];
/* The words that are no options; *n: how many. */
const char *const *t307_args_words(const t307_args_t *args, int *n);

/* "redirect307 NAME: sentence" and a hint at --help. Returns T307_USAGE. */
int t307_usage_error(const t307_t *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* "redirect307 NAME: sentence". Returns T307_FAILED. */
int t307_fail(const t307_t *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- t307_csv.c ---- */

void t307_csv_cell(FILE *out, const char *text);

/* ---- t307_console.c ---- */

typedef enum t307_colour_t {
    T307_PLAIN,
    T307_GOOD,
    T307_BAD,
    T307_WARN,
    T307_DIM,
    T307_BOLD
} t307_colour_t;

/* Escape sequences for t->out; "" when it shows no colours. */
const char *t307_paint(const t307_t *t, t307_colour_t colour);

/* A bar on err, drawn at most ten times a second, and only on a terminal. what
 * lives as long as the bar. */
typedef struct t307_progress_t {
    const t307_t *t;
    const char *what;
    apr_uint64_t total;         /* 0: unknown */
    apr_int64_t drawn;          /* apr_time_t of the last; 0: never */
} t307_progress_t;

void t307_progress_begin(t307_progress_t *p, const t307_t *t,
                         const char *what, apr_uint64_t total);
void t307_progress_at(t307_progress_t *p, apr_uint64_t done);
void t307_progress_end(t307_progress_t *p);

#endif
