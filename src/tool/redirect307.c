/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redirect307: looks at rules before and after they are deployed.
 *
 * This file is the table of contents: the commands, and the help that names
 * them. Must not know what a command does.
 */
#include "tool/t307.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const t307_command_t *const t307_commands[] = {
    &t307_explain,
    &t307_lint,
    &t307_compile,
    &t307_import,
    &t307_verify,
    &t307_export,
    &t307_unused,
    &t307_top,
    &t307_sql,
    NULL
};

static void help(FILE *out)
{
    int i;

    fputs("Usage: redirect307 COMMAND [option...] [argument...]\n"
          "\n"
          "Looks at the rules of mod_redirect307 before and after they are "
          "deployed.\n"
          "\n"
          "Commands:\n", out);
    for (i = 0; t307_commands[i]; i++) {
        fprintf(out, "  %-10s %s\n", t307_commands[i]->name,
                t307_commands[i]->summary);
    }
    fputs("\n"
          "'redirect307 COMMAND --help' explains one of them with examples.\n"
          "Exit status: 0 all well, 1 there are findings, 2 wrong usage, "
          "3 it could not be done.\n", out);
}

static const t307_command_t *find(const char *name)
{
    int i;

    for (i = 0; t307_commands[i]; i++) {
        if (strcmp(t307_commands[i]->name, name) == 0) {
            return t307_commands[i];
        }
    }
    return NULL;
}

static void look_around(t307_t *t)
{
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

    t->out = stdout;
    t->err = stderr;
    t->colour = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0
                && !(no && *no);
    t->progress = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

static int run(t307_t *t, int argc, const char *const *argv)
{
    if (argc < 2) {
        help(t->err);
        return T307_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0
        || strcmp(argv[1], "help") == 0) {
        help(t->out);
        return T307_OK;
    }
    t->command = find(argv[1]);
    if (!t->command) {
        r307_error_t err = { t->pool, NULL };
        fprintf(t->err, "redirect307: there is no command '%s'; "
                "'redirect307 --help' names all\n",
                r307_error_show(&err, argv[1], strlen(argv[1])));
        return T307_USAGE;
    }
    return t->command->run(t, argc - 1, argv + 1);
}

int main(int argc, const char *const *argv)
{
    t307_t t;
    int status;

    memset(&t, 0, sizeof t);
    if (apr_app_initialize(&argc, &argv, NULL) != APR_SUCCESS
        || apr_pool_create(&t.pool, NULL) != APR_SUCCESS) {
        return T307_FAILED;
    }
    look_around(&t);
    status = run(&t, argc, argv);
    /* what a full disk did not take */
    if (fflush(t.out) != 0 || ferror(t.out)) {
        fputs("redirect307: the output could not be written\n", t.err);
        status = T307_FAILED;
    }
    apr_pool_destroy(t.pool);
    apr_terminate();
    return status;
}
