/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The command `sql`: rules in a database, in the store that
 * share/redirect307-*.sql describes. Its files in this order: t307_sql.c the
 * commands, t307_sqlparams.c where the database is, t307_sqldb.c talking to
 * it, t307_sqlrule.c and t307_sqlwriter.c rules in it, t307_sqlsource.c rules
 * in files, t307_sqlplan.c what makes the one of the other, and the commands.
 *
 * Every value reaches the database as a parameter of a prepared statement;
 * the text of statements is put together of constants only.
 */
#ifndef T307_SQL_H
#define T307_SQL_H

#include "tool/t307_import.h"

#include "core/r307_row.h"

#include <apr_dbd.h>
#include <apr_file_io.h>

#include <jansson.h>

/* The version of the schema that this program knows. */
#define T307_SQL_VERSION "1"

/* Rows that are read at a time. */
#define T307_SQL_PAGE 10000
#define T307_SQL_PAGE_TEXT "10000"

#define T307_SQL_ID_MAX APR_UINT64_C(4294967295)

/* ---- what differs ---- */

typedef struct t307_sqldialect_t {
    const char *driver;         /* name of apr_dbd's driver */
    const char *package;        /* that has it, on Debian */
    const char *schema;         /* statements, separated by empty lines */
    const char *open;           /* statements for every connection, likewise */
    const char *read;           /* begin a transaction that sees one state */
    const char *write;          /* begin one that holds other writers off */
    const char *after_many;     /* at the end of one that has changed much */
    /* A column with an instant as text: what stands around its name. */
    const char *instant_begin, *instant_end;
    int rows_max;               /* rows of one INSERT, ids of one DELETE */
    int has_users;              /* the database knows who writes */
} t307_sqldialect_t;

/* ---- t307_sqlparams.c ---- */

/* Options of every command but init's help. */
#define T307_SQL_OPT_SQLITE 0x6001
#define T307_SQL_OPT_DRIVER 0x6002
#define T307_SQL_OPT_DBFILE 0x6003
#define T307_SQL_OPT_RULESET 0x6004
#define T307_SQL_OPT_DRYRUN 0x6005
#define T307_SQL_OPT_JSON 0x6006

#define T307_SQL_OPTIONS \
    { "sqlite", T307_SQL_OPT_SQLITE, 1, "FILE: the store is this SQLite " \
      "database" }, \
    { "driver", T307_SQL_OPT_DRIVER, 1, "NAME: pgsql, as without --sqlite: " \
      "it is that of $REDIRECT307_DB" }, \
    { "db-file", T307_SQL_OPT_DBFILE, 1, "FILE: its connection parameters " \
      "are the first line of FILE" }

#define T307_SQL_OPTION_RULESET \
    { "ruleset", T307_SQL_OPT_RULESET, 1, "NAME: of which rule set, without " \
      "it that of $REDIRECT307_RULESET" }

#define T307_SQL_OPTION_DRYRUN \
    { "dry-run", T307_SQL_OPT_DRYRUN, 0, "say what would be done, and take " \
      "it back" }

typedef struct t307_sql_t {
    t307_t *t;
    apr_pool_t *pool;           /* of the command */
    /* Options; NULL and 0 when not given. */
    const char *sqlite;
    const char *driver;
    const char *db_file;
    const char *ruleset;
    int dry_run;
    int json;
    /* The database. */
    const t307_sqldialect_t *dialect;
    const char *params;         /* for apr_dbd; never shown */
    apr_array_header_t *secrets;    /* const char *, parts of params */
    const apr_dbd_driver_t *apr;
    apr_dbd_t *handle;
    int in_transaction;
    int statements;             /* prepared so far */
} t307_sql_t;

void t307_sql_init(t307_sql_t *s, t307_t *t);

/* Takes one of the options above; 0: it is another one. */
int t307_sql_option(t307_sql_t *s, int optch, const char *value);

/* The command line is complete: which database, which rule set. The rule set
 * is needed, or it is not. T307_OK, or told. */
int t307_sql_settle(t307_sql_t *s, int needs_ruleset);

/* The text without what must not be seen, fit for one line of a terminal. */
const char *t307_sql_shown(const t307_sql_t *s, const char *text);

extern const t307_sqldialect_t t307_sqlite_dialect;
extern const t307_sqldialect_t t307_pgsql_dialect;

/* ---- t307_sqldb.c ---- */

/* Connect; create: the file of SQLite may be new. T307_OK, or told. */
int t307_sql_connect(t307_sql_t *s, int create);

/* Connect to a store of the right version. T307_OK, or told. */
int t307_sql_open(t307_sql_t *s);

/* The version of the store; NULL: there is none that can be read, and why
 * (NULL when it does not matter). */
const char *t307_sql_version(t307_sql_t *s, const char **why);

/* Run statements that are constants, separated by empty lines. */
int t307_sql_run(t307_sql_t *s, const char *statements);

/* Begin to write (told when not), end it: with status T307_OK commit, unless
 * it is a dry run; else roll back. Returns status, or what went wrong at
 * commit. */
int t307_sql_begin(t307_sql_t *s);
int t307_sql_begin_reading(t307_sql_t *s);
int t307_sql_end(t307_sql_t *s, int status);

typedef struct t307_sqlstatement_t {
    apr_dbd_prepared_t *prepared;
    int nargs;
} t307_sqlstatement_t;

/* query has %s, %lld (a number) and %pDz (an instant) for its parameters.
 * T307_OK, or told. */
int t307_sql_prepare(t307_sql_t *s, t307_sqlstatement_t *out,
                     const char *query);

/* args: nargs strings, NULL for NULL. *rows: how many it changed. */
int t307_sql_change(t307_sql_t *s, const t307_sqlstatement_t *statement,
                    const char **args, int *rows);

typedef struct t307_sqlrows_t {
    t307_sql_t *s;
    apr_pool_t *pool;
    apr_dbd_results_t *results;
    apr_dbd_row_t *row;
    int left;
} t307_sqlrows_t;

/* The rows live in pool. */
int t307_sql_select(t307_sql_t *s, const t307_sqlstatement_t *statement,
                    const char **args, apr_pool_t *pool,
                    t307_sqlrows_t *out);
/* 0: there is no more. */
int t307_sql_next(t307_sqlrows_t *rows);
/* "" for NULL; good until the pool is cleared. */
const char *t307_sql_cell(const t307_sqlrows_t *rows, int column);

/* A query of one row and one column, prepared and asked at once. *value: NULL
 * when there is no row. */
int t307_sql_ask(t307_sql_t *s, const char *query, const char **args,
                 const char **value);

/* What is appended to what is told of a dry run; "" of another one. */
const char *t307_sql_dry(const t307_sql_t *s);

/* One line of JSON, which is freed. */
void t307_sql_print(t307_sql_t *s, json_t *json);

/* "redirect307 sql X: what: the database's words". Returns T307_FAILED. */
int t307_sql_fail(t307_sql_t *s, const char *what, int error);

/* ---- t307_sqlrule.c ---- */

typedef struct t307_sqlrule_t {
    const char *id;             /* NULL: the database gives one */
    const char *ruleset;
    r307_row_t row;             /* options without the two: */
    const char *from, *until;   /* NULL or as in the options of a rule */
    int enabled;
    const char *note;
    const char *changed_at, *changed_by;    /* of a rule that was read */
} t307_sqlrule_t;

/* The columns of a rule, as t307_sqlrule_read() takes them; id: what the
 * first is called. */
const char *t307_sqlrule_columns(const t307_sql_t *s, const char *id);
/* From column `first` of the row on. */
void t307_sqlrule_read(const t307_sqlrows_t *rows, int first,
                       t307_sqlrule_t *rule);

/* The line that servers see; NULL with err. */
char *t307_sqlrule_line(const t307_sqlrule_t *rule, apr_pool_t *pool,
                        r307_error_t *err);

/* Would the module take it? The line, or NULL with err. */
char *t307_sqlrule_check(const t307_sqlrule_t *rule, apr_pool_t *pool,
                         r307_error_t *err);

/* Of a line of a rule file. */
void t307_sqlrule_of_line(const r307_line_t *line, apr_pool_t *pool,
                          t307_sqlrule_t *rule);

/* NULL, or why the word is not an id. */
const char *t307_sqlrule_bad_id(apr_pool_t *pool, const char *word);

/* Page after page of a rule set's rules, ordered by id. enabled: only those
 * that are. visit returns T307_*, anything but T307_OK ends it. The rule
 * lives until visit returns. */
int t307_sqlrule_walk(t307_sql_t *s, int enabled,
                      int (*visit)(void *ctx, const t307_sqlrule_t *rule,
                                   apr_pool_t *pool), void *ctx);

/* ---- t307_sqlwriter.c ---- */

/* Rules go to the database some at a time. */
typedef struct t307_sqlwriter_t {
    t307_sql_t *s;
    const char *writer;         /* who; NULL: the database knows */
    const char *seq;            /* with writer: the last before its changes */
    t307_sqlstatement_t many, one, update, delete_many, delete_one;
    const char **args;          /* of many */
    int waiting;                /* rules in args */
    const char **ids;           /* of delete_many */
    int ids_waiting;
    apr_pool_t *pool;           /* of args */
    apr_pool_t *ids_pool;
    apr_uint64_t added, changed, deleted;
} t307_sqlwriter_t;

int t307_sqlwriter_begin(t307_sql_t *s, t307_sqlwriter_t *w);
/* The rule is copied. */
int t307_sqlwriter_add(t307_sqlwriter_t *w, const t307_sqlrule_t *rule);
/* Add it at once, with its id or with one that the database gives; *id. */
int t307_sqlwriter_put(t307_sqlwriter_t *w, const t307_sqlrule_t *rule,
                       const char **id);
/* The rule with that id becomes this one; note NULL: it keeps its own. */
int t307_sqlwriter_update(t307_sqlwriter_t *w, const t307_sqlrule_t *rule);
int t307_sqlwriter_delete(t307_sqlwriter_t *w, const char *id);
/* What waits is written, and who has deleted. */
int t307_sqlwriter_end(t307_sqlwriter_t *w);
/* The last alone, for changes that were made otherwise. */
int t307_sqlwriter_sign(t307_sqlwriter_t *w);

/* ---- t307_sqlsource.c ---- */

/* A file with rules, once for import, twice for a difference. */
typedef struct t307_sqlsource_t {
    t307_sql_t *s;
    t307_import_t im;           /* options of formats */
    const char *format;         /* NULL or "rules": a rule file */
    int replace;                /* an option of import */
    const char *path;
    apr_file_t *file;           /* of a rule file */
    char *text;                 /* of another one, as rule file */
    apr_uint64_t size;          /* 0: not known */
    apr_uint32_t bad;
    int losses;
} t307_sqlsource_t;

#define T307_SQLSOURCE_OPT_FORMAT 0x6101
#define T307_SQLSOURCE_OPT_REPLACE 0x6102

#define T307_SQLSOURCE_OPTION_FORMAT \
    { "format", T307_SQLSOURCE_OPT_FORMAT, 1, "NAME: rules, or a format of " \
      "'redirect307 import'" }

/* The command line of a command that takes one file. s is not initialised
 * yet. 0: the command ends with *status. */
int t307_sqlsource_options(t307_sqlsource_t *source, t307_sql_t *s,
                           t307_t *t, int argc, const char *const *argv,
                           int *status);

/* Open, or read and convert. T307_OK, T307_FOUND (something is lost, which
 * is told; the rest can be used), or an error, told. */
int t307_sqlsource_open(t307_sqlsource_t *source);

/* Call visit for each rule, and tell of each line that is none. twice: the
 * file will be read again. Returns T307_FOUND when lines are bad. */
int t307_sqlsource_walk(t307_sqlsource_t *source, int twice,
                        int (*visit)(void *ctx, const t307_sqlrule_t *rule,
                                     const char *line, apr_pool_t *pool),
                        void *ctx);

/* ---- t307_sqlplan.c ---- */

/* What makes the rules of a rule set those of a file, with as few changes as
 * keep the order of rules that are compared in order. Rules that are not
 * enabled are left alone. */
typedef struct t307_sqlplan_t t307_sqlplan_t;

typedef struct t307_sqlplan_visitor_t {
    int (*remove)(void *ctx, const char *id, apr_pool_t *pool);
    int (*change)(void *ctx, const t307_sqlrule_t *to, const char *line,
                  apr_pool_t *pool);
    int (*add)(void *ctx, const t307_sqlrule_t *rule, const char *line,
               apr_pool_t *pool);
} t307_sqlplan_visitor_t;

/* Reads the rule set, then the file. T307_OK, or told. */
int t307_sqlplan_make(t307_sql_t *s, t307_sqlsource_t *source,
                      t307_sqlplan_t **out);

/* The file has no rules and the rule set has: how many. */
int t307_sqlplan_empties(const t307_sqlplan_t *plan);

/* Removals first, then the file in its order. */
int t307_sqlplan_walk(t307_sqlplan_t *plan,
                      const t307_sqlplan_visitor_t *visitor, void *ctx);

/* ---- t307_sqlexport.c, for history ---- */

/* The rule with all its columns. */
json_t *t307_sqlexport_json(const t307_sqlrule_t *rule);

/* ---- the commands ---- */

extern const t307_command_t t307_sql_init_command;
extern const t307_command_t t307_sql_import_command;
extern const t307_command_t t307_sql_export_command;
extern const t307_command_t t307_sql_put_command;
extern const t307_command_t t307_sql_delete_command;
extern const t307_command_t t307_sql_diff_command;
extern const t307_command_t t307_sql_history_command;
extern const t307_command_t t307_sql_rollback_command;
extern const t307_command_t t307_sql_resync_command;

/* ---- t307_sqlhistory.c, for rollback ---- */

/* Tell the changes behind seq, of one rule set unless s->ruleset is NULL, of
 * one rule unless id is. planned: they are going to be taken back. */
int t307_sqlhistory_tell(t307_sql_t *s, const char *seq, const char *id,
                         int planned);

/* NULL, or why the word is no seq. */
const char *t307_sqlhistory_bad_seq(apr_pool_t *pool, const char *word);

#endif
