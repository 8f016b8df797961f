/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns where a model comes from: the installed server, a saved dump, rule
 * files. Must not know what is done with it. Called by commands.
 */
#include "tool/t307_model.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include <stdlib.h>
#include <string.h>

#ifndef T307_APACHECTL
#define T307_APACHECTL "apachectl"
#endif

#define COMMAND_WORDS_MAX 64

void t307_sources_begin(t307_t *t, t307_wanted_t *wanted)
{
    memset(wanted, 0, sizeof *wanted);
    wanted->files = apr_array_make(t->pool, 4, sizeof(const char *));
    wanted->settings = apr_array_make(t->pool, 4, sizeof(const char *));
    wanted->apachectl = getenv("R307_APACHECTL");
}

int t307_sources_option(t307_wanted_t *wanted, int optch, const char *value)
{
    switch (optch) {
    case T307_OPT_SERVER:
        wanted->server = 1;
        return 1;
    case T307_OPT_RULES:
        APR_ARRAY_PUSH(wanted->files, const char *) = value;
        return 1;
    case T307_OPT_DUMP:
        wanted->dump = value;
        return 1;
    case T307_OPT_APACHECTL:
        wanted->apachectl = value;
        return 1;
    case T307_OPT_SET:
        APR_ARRAY_PUSH(wanted->settings, const char *) = value;
        return 1;
    default:
        return 0;
    }
}

/* ---- files ---- */

static apr_status_t apply_setting(t307_model_t *model, const char *line,
                                  r307_error_t *err)
{
    t307_server_t *server = APR_ARRAY_IDX(model->servers, 0,
                                          t307_server_t *);
    const char *words[R307_RULEFILE_WORDS_MAX];
    char *text = apr_pstrdup(model->pool, line), *word;
    int n = 0, open = 0;

    while (n < R307_RULEFILE_WORDS_MAX
           && (word = r307_rulefile_word(&text, &open)) != NULL) {
        words[n++] = word;
    }
    if (n < 2 || open) {
        return r307_error_set(err, "--set '%s' is no directive with a value",
                              line);
    }
    return t307_settings_apply(model, server, NULL, &server->place, words[0],
                               n - 1, words + 1, "--set", 0, err);
}

static apr_status_t apply_settings(t307_model_t *model,
                                   const t307_wanted_t *wanted,
                                   r307_error_t *err)
{
    int i;

    for (i = 0; i < wanted->settings->nelts; i++) {
        if (apply_setting(model, APR_ARRAY_IDX(wanted->settings, i,
                                               const char *), err)
            != APR_SUCCESS) {
            return APR_EINVAL;
        }
    }
    return t307_model_finish(model, err);
}

static t307_model_t *of_files(t307_t *t, const t307_wanted_t *wanted,
                              int *status)
{
    const char *const *files = (const char *const *)wanted->files->elts;
    t307_model_t *model = t307_model_of_files(t->pool, wanted->files->nelts,
                                              files);
    r307_error_t err = { t->pool, NULL };
    int i;

    if (apply_settings(model, wanted, &err) != APR_SUCCESS) {
        *status = t307_usage_error(t, "%s", err.text);
        return NULL;
    }
    for (i = 0; i < model->sources->nelts; i++) {
        t307_source_t *source = APR_ARRAY_IDX(model->sources, i,
                                              t307_source_t *);
        if (!t307_model_open(model, APR_ARRAY_IDX(model->servers, 0,
                                                  t307_server_t *), source)) {
            *status = t307_fail(t, "%s", source->error);
            return NULL;
        }
    }
    return model;
}

static t307_model_t *of_dump(t307_t *t, apr_file_t *f, const char *name,
                             int *status)
{
    t307_model_t *model = t307_model_create(t->pool);
    r307_error_t err = { t->pool, NULL };
    char why[120];
    apr_status_t rv = t307_dump_read(model, f, name, &err);

    if (rv != APR_SUCCESS) {
        *status = t307_fail(t, "%s", err.text ? err.text
                            : apr_strerror(rv, why, sizeof why));
        return NULL;
    }
    model->from_server = 1;
    return model;
}

static t307_model_t *of_saved(t307_t *t, const char *name, int *status)
{
    apr_file_t *f;
    apr_status_t rv = apr_file_open(&f, name, APR_FOPEN_READ, 0, t->pool);
    char why[120];

    if (rv != APR_SUCCESS) {
        *status = t307_fail(t, "%s: %s", name, apr_strerror(rv, why,
                                                            sizeof why));
        return NULL;
    }
    return of_dump(t, f, name, status);
}

/* ---- the server ---- */

/* A file without a name, for what the program says on standard error: two
 * pipes could wait for each other. */
static apr_status_t make_scratch(t307_t *t, apr_file_t **f)
{
    const char *dir;
    char *name;
    apr_status_t rv = apr_temp_dir_get(&dir, t->pool);

    if (rv == APR_SUCCESS) {
        name = apr_pstrcat(t->pool, dir, "/redirect307.XXXXXX", NULL);
        rv = apr_file_mktemp(f, name, APR_FOPEN_CREATE | APR_FOPEN_READ
                             | APR_FOPEN_WRITE | APR_FOPEN_EXCL
                             | APR_FOPEN_DELONCLOSE, t->pool);
    }
    return rv;
}

static const char *contents(t307_t *t, apr_file_t *f)
{
    char *text = apr_pcalloc(t->pool, 4097);
    apr_size_t len = 4096;
    apr_off_t start = 0;

    if (apr_file_seek(f, APR_SET, &start) != APR_SUCCESS
        || apr_file_read_full(f, text, len, &len) == APR_EGENERAL) {
        return "";
    }
    return text;
}

static apr_status_t start(t307_t *t, const char *command, apr_proc_t *proc,
                          apr_file_t *errors)
{
    static const char *const extra[] = { "-t", "-D", "DUMP_REDIRECT307",
                                         NULL };
    const char *args[COMMAND_WORDS_MAX + 4];
    apr_procattr_t *attr;
    char **words;
    int n = 0, i;
    apr_status_t rv;

    if (apr_tokenize_to_argv(command, &words, t->pool) != APR_SUCCESS
        || !words[0]) {
        return APR_EINVAL;
    }
    for (i = 0; words[i] && n < COMMAND_WORDS_MAX; i++) {
        args[n++] = words[i];
    }
    memcpy(args + n, extra, sizeof extra);
    rv = apr_procattr_create(&attr, t->pool);
    if (rv == APR_SUCCESS) {
        apr_procattr_io_set(attr, APR_NO_PIPE, APR_FULL_BLOCK, APR_NO_PIPE);
        apr_procattr_child_err_set(attr, errors, NULL);
        apr_procattr_cmdtype_set(attr, APR_PROGRAM_PATH);
        rv = apr_proc_create(proc, args[0], args, NULL, attr, t->pool);
    }
    return rv;
}

/* What it printed is read before its end is waited for. */
static t307_model_t *read_dump(t307_t *t, const char *command,
                               apr_proc_t *proc, int *code,
                               r307_error_t *err)
{
    t307_model_t *model = t307_model_create(t->pool);
    apr_exit_why_e why;
    apr_status_t rv = t307_dump_read(model, proc->out, command, err);

    apr_file_close(proc->out);
    apr_proc_wait(proc, code, &why, APR_WAIT);
    return rv == APR_SUCCESS ? model : NULL;
}

static t307_model_t *of_server(t307_t *t, const char *command, int *status)
{
    r307_error_t err = { t->pool, NULL };
    t307_model_t *model;
    apr_file_t *errors;
    apr_proc_t proc;
    int code = 0;
    char why[120];
    apr_status_t rv = make_scratch(t, &errors);

    if (rv == APR_SUCCESS) {
        rv = start(t, command, &proc, errors);
    }
    if (rv != APR_SUCCESS) {
        *status = t307_fail(t, "'%s' cannot be run: %s; name it with "
                            "--apachectl", command,
                            apr_strerror(rv, why, sizeof why));
        return NULL;
    }
    model = read_dump(t, command, &proc, &code, &err);
    if (code != 0) {
        fputs(contents(t, errors), t->err);
        *status = t307_fail(t, "'%s -t -D DUMP_REDIRECT307' has failed; "
                            "name another command with --apachectl",
                            command);
        return NULL;
    }
    if (!model) {
        *status = t307_fail(t, "%s", err.text ? err.text : "no dump");
        return NULL;
    }
    model->from_server = 1;
    return model;
}

t307_model_t *t307_sources_load(t307_t *t, const t307_wanted_t *wanted,
                                int *status)
{
    int ways = (wanted->files->nelts > 0) + (wanted->dump != NULL)
               + wanted->server;

    *status = T307_OK;
    if (ways > 1) {
        *status = t307_usage_error(t, "--server, --dump and --rules exclude "
                                   "each other");
        return NULL;
    }
    if (wanted->settings->nelts && !wanted->files->nelts) {
        *status = t307_usage_error(t, "--set goes with --rules");
        return NULL;
    }
    if (wanted->files->nelts) {
        return of_files(t, wanted, status);
    }
    if (wanted->dump) {
        return of_saved(t, wanted->dump, status);
    }
    return of_server(t, wanted->apachectl ? wanted->apachectl
                                          : T307_APACHECTL, status);
}
