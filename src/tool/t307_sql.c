/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns which commands `sql` has, and the help that names them. Must not know
 * what they do.
 */
#include "tool/t307_sql.h"

#include <string.h>

static const t307_command_t *const commands[] = {
    &t307_sql_init_command,
    &t307_sql_import_command,
    &t307_sql_export_command,
    &t307_sql_put_command,
    &t307_sql_delete_command,
    &t307_sql_diff_command,
    &t307_sql_history_command,
    &t307_sql_rollback_command,
    &t307_sql_resync_command,
    NULL
};

static void help(FILE *out)
{
    int i;

    fputs("Usage: redirect307 sql COMMAND [option...] [argument...]\n"
          "\n"
          "Rules in a database, which servers follow with "
          "'Redirect307Table NAME sql:'.\n"
          "\n"
          "Commands:\n", out);
    for (i = 0; commands[i]; i++) {
        fprintf(out, "  %-10s %s\n", commands[i]->name + strlen("sql "),
                commands[i]->summary);
    }
    fputs("\n"
          "Options:\n"
          "      --help                   this text\n"
          "\n"
          "The store is a SQLite database (--sqlite FILE), or the PostgreSQL "
          "database\n"
          "whose connection parameters are in the environment variable "
          "REDIRECT307_DB or\n"
          "in a file (--db-file FILE):\n"
          "\n"
          "    redirect307 sql init --sqlite rules.db\n"
          "    redirect307 sql import --sqlite rules.db --ruleset shop "
          "shop.rules\n"
          "\n"
          "    export REDIRECT307_DB='host=db.example dbname=redirects "
          "user=editor'\n"
          "    redirect307 sql put --ruleset shop /old "
          "https://new.example/\n"
          "\n"
          "'redirect307 sql COMMAND --help' explains one of them.\n", out);
}

static const t307_command_t *find(const char *name)
{
    int i;

    for (i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name + strlen("sql "), name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static int run(t307_t *t, int argc, const char *const *argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;
    const t307_command_t *command;

    if (!word) {
        help(t->err);
        return T307_USAGE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0
        || strcmp(word, "help") == 0) {
        help(t->out);
        return T307_OK;
    }
    command = find(word);
    if (!command) {
        r307_error_t err = { t->pool, NULL };
        return t307_usage_error(t, *word == '-' ? "there is no option '%s'"
                                : "there is no command '%s'; 'redirect307 "
                                "sql --help' names all",
                                r307_error_show(&err, word, strlen(word)));
    }
    t->command = command;
    return command->run(t, argc - 1, argv + 1);
}

const t307_command_t t307_sql = {
    "sql", run, "COMMAND [option...] [argument...]",
    "rules in a database: write, compare, look back", NULL, NULL
};
