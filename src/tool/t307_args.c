/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns how commands read their arguments, and how they complain. Must not
 * know any command. Called by all of them.
 */
#include "tool/t307.h"

#include <apr_strings.h>

#include <stdarg.h>
#include <string.h>

#define OPT_HELP 0x7001

const char t307_args_stdin[] = "/dev/stdin";

static const apr_getopt_option_t help_option = {
    "help", OPT_HELP, 0, "this text"
};

static int count(const apr_getopt_option_t *options)
{
    int n = 0;

    while (options && options[n].optch) {
        n++;
    }
    return n;
}

/* The command's own options and --help. */
static const apr_getopt_option_t *all_options(const t307_t *t)
{
    int n = count(t->command->options);
    apr_getopt_option_t *all = apr_pcalloc(t->pool, ((apr_size_t)n + 2)
                                           * sizeof *all);

    if (n) {
        memcpy(all, t->command->options, (apr_size_t)n * sizeof *all);
    }
    all[n] = help_option;
    return all;
}

static void explain_option(const t307_t *t, const apr_getopt_option_t *o)
{
    char shown[64];
    const char *what = o->description;
    const char *value = "";
    char name[24] = "";

    /* "VALUE: description" names the value */
    if (o->has_arg && what && strchr(what, ':')) {
        apr_cpystrn(name, what, (apr_size_t)(strchr(what, ':') - what) + 1
                    < sizeof name ? (apr_size_t)(strchr(what, ':') - what) + 1
                    : sizeof name);
        value = name;
        what = strchr(what, ':') + 1;
        what += strspn(what, " ");
    }
    if (o->optch < 256) {
        apr_snprintf(shown, sizeof shown, "-%c%s%s%s %s", o->optch,
                     o->name ? ", --" : "", o->name ? o->name : "", "",
                     value);
    }
    else {
        apr_snprintf(shown, sizeof shown, "    --%s %s", o->name, value);
    }
    fprintf(t->out, "  %-28s %s\n", shown, what ? what : "");
}

static void help(const t307_t *t)
{
    const t307_command_t *c = t->command;
    const apr_getopt_option_t *o = all_options(t);

    fprintf(t->out, "Usage: redirect307 %s %s\n\n%s\n\nOptions:\n", c->name,
            c->usage, c->summary);
    for (; o->optch; o++) {
        explain_option(t, o);
    }
    if (c->help) {
        fprintf(t->out, "\n%s", c->help);
    }
}

/* apr_getopt's own complaints would not tell the command. */
static void silent(void *arg, const char *fmt, ...)
{
    (void)arg;
    (void)fmt;
}

void t307_args_begin(t307_t *t, t307_args_t *args, int argc,
                     const char *const *argv)
{
    const char **words = apr_pmemdup(t->pool, argv, ((apr_size_t)argc + 1)
                                     * sizeof *words);
    int i;

    memset(args, 0, sizeof *args);
    /* apr_getopt would take "-" for an option without a letter */
    for (i = 1; i < argc; i++) {
        if (strcmp(words[i], "-") == 0) {
            words[i] = t307_args_stdin;
        }
    }
    apr_getopt_init(&args->os, t->pool, argc, words);
    args->os->interleave = 1;
    args->os->errfn = silent;
}

int t307_args_next(t307_t *t, t307_args_t *args, const char **value)
{
    const char *word = args->os->ind < args->os->argc
        ? args->os->argv[args->os->ind] : "";
    int optch = 0;
    apr_status_t rv = apr_getopt_long(args->os, all_options(t), &optch,
                                      value);

    if (rv == APR_EOF) {
        return 0;
    }
    if (rv != APR_SUCCESS) {
        args->status = t307_usage_error(t, rv == APR_BADARG
                                        ? "the option '%s' needs a value"
                                        : "there is no option '%s'", word);
        return 0;
    }
    if (optch == OPT_HELP) {
        help(t);
        args->done = 1;
        return 0;
    }
    return optch;
}

const char *const *t307_args_words(const t307_args_t *args, int *n)
{
    *n = args->os->argc - args->os->ind;
    return args->os->argv + args->os->ind;
}

static void say(const t307_t *t, const char *fmt, va_list ap)
{
    fprintf(t->err, "redirect307 %s: %s\n", t->command->name,
            apr_pvsprintf(t->pool, fmt, ap));
}

int t307_usage_error(const t307_t *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(t, fmt, ap);
    va_end(ap);
    fprintf(t->err, "Usage: redirect307 %s %s\n", t->command->name,
            t->command->usage);
    return T307_USAGE;
}

int t307_fail(const t307_t *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(t, fmt, ap);
    va_end(ap);
    return T307_FAILED;
}
