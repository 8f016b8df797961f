/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the form of a dump (docs/directives.md, "The dump"): lines that begin
 * with '@' say where one is and what is set, all others are rules in the form
 * of rule files, and a comment at the end says where that was written. Must
 * not know what settings mean.
 */
#include "tool/t307_model.h"

#include "core/r307_lines.h"

#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORDS_MAX (R307_RULEFILE_WORDS_MAX + 2)
#define DEPTH_MAX 16            /* sections in sections; httpd's own sense
                                 * ends earlier */

typedef struct reader_t {
    t307_model_t *model;
    const char *name;           /* of the dump */
    unsigned number;
    t307_server_t *server;      /* NULL: outside of servers */
    t307_section_t *sections[DEPTH_MAX];
    int depth;
    /* the line */
    const char *words[WORDS_MAX + 1];
    int nwords;
    const char *file;
    int line;
    r307_error_t *err;
} reader_t;

static t307_place_t *place(reader_t *rd)
{
    return rd->depth ? &rd->sections[rd->depth - 1]->place
                     : &rd->server->place;
}

/* "file:line" behind the '#'. */
static void take_source(reader_t *rd, const char *text)
{
    const char *colon;

    text += strspn(text, "# \t");
    colon = strrchr(text, ':');
    if (colon) {
        rd->file = apr_pstrmemdup(rd->model->pool, text,
                                  (apr_size_t)(colon - text));
        rd->line = atoi(colon + 1);
    }
}

static apr_status_t take_words(reader_t *rd, char *text)
{
    int open = 0;
    char *word;

    rd->nwords = 0;
    rd->file = rd->name;
    rd->line = (int)rd->number;
    for (;;) {
        text += strspn(text, " \t");
        if (*text == '#') {
            take_source(rd, text);
            return APR_SUCCESS;
        }
        word = r307_rulefile_word(&text, &open);
        if (!word) {
            return open ? r307_error_set(rd->err, "a quote is not closed")
                        : APR_SUCCESS;
        }
        if (rd->nwords == WORDS_MAX) {
            return r307_error_set(rd->err, "more than %d words", WORDS_MAX);
        }
        rd->words[rd->nwords++] = apr_pstrdup(rd->model->pool, word);
    }
}

/* ---- tables ---- */

static apr_status_t define_table(reader_t *rd)
{
    apr_pool_t *pool = rd->model->pool;
    t307_source_t *source;
    int i, is_sql;

    if (rd->nwords < 3 || (strncmp(rd->words[2], "file:", 5) != 0
                           && strncmp(rd->words[2], "sql:", 4) != 0)) {
        return r307_error_set(rd->err, "@table needs a name, and file:PATH "
                              "or sql:RULESET");
    }
    is_sql = *rd->words[2] == 's';
    source = t307_model_source(rd->model, apr_pstrcat(
        pool, "table ", rd->words[1], NULL), rd->words[2] + (is_sql ? 0 : 5));
    source->is_sql = is_sql;
    source->file = rd->file;
    source->line = rd->line;
    for (i = 3; i < rd->nwords; i++) {
        const char *word = rd->words[i];
        if (strcmp(word, "match=exact") == 0) {
            source->spec.exact = 1;
        }
        else if (strcmp(word, "format=rewritemap") == 0) {
            source->spec.format = R307_RULEFILE_REWRITEMAP;
        }
        else if (strncmp(word, "compiled=", 9) == 0) {
            source->compiled = word + 9;
        }
    }
    apr_hash_set(rd->model->tables, rd->words[1], APR_HASH_KEY_STRING,
                 source);
    return APR_SUCCESS;
}

static void set_regex_flags(reader_t *rd)
{
    static const struct {
        const char *name;
        int flag;
    } flags[] = {
        { "icase", R307_REGEX_ICASE }, { "dotall", R307_REGEX_DOTALL },
        { "dollar_endonly", R307_REGEX_DOLLAR_ENDONLY },
        { "multiline", R307_REGEX_MULTILINE }
    };
    apr_size_t k;
    int i;

    rd->model->regex_flags = 0;
    for (i = 1; i < rd->nwords; i++) {
        for (k = 0; k < sizeof flags / sizeof flags[0]; k++) {
            if (strcmp(rd->words[i], flags[k].name) == 0) {
                rd->model->regex_flags |= flags[k].flag;
            }
        }
    }
}

/* ---- sections ---- */

static int is_match_section(const char *kind)
{
    apr_size_t len = strlen(kind);

    return len > 5 && strcasecmp(kind + len - 5, "Match") == 0;
}

static apr_status_t open_section(reader_t *rd)
{
    apr_pool_t *pool = rd->model->pool;
    t307_section_t *section = apr_pcalloc(pool, sizeof *section);
    int at = 2, tilde;

    if (!rd->server || rd->nwords < 2 || rd->depth == DEPTH_MAX) {
        return r307_error_set(rd->err, "@section stands in the wrong place, "
                              "or without a kind");
    }
    tilde = rd->nwords > 3 && strcmp(rd->words[2], "~") == 0;
    section->kind = rd->words[1];
    section->is_regex = tilde || is_match_section(section->kind);
    section->path = at + tilde < rd->nwords ? rd->words[at + tilde] : "";
    section->file = rd->file;
    section->line = rd->line;
    section->inside = rd->depth ? rd->sections[rd->depth - 1] : NULL;
    t307_model_init_place(&section->place, pool);
    if (section->is_regex) {
        r307_regex_t *regex;
        if (r307_regex_compile(pool, section->path, rd->model->regex_flags,
                               &regex, rd->err) != APR_SUCCESS) {
            return APR_EINVAL;
        }
        section->regex = regex;
    }
    APR_ARRAY_PUSH(rd->server->sections, t307_section_t *) = section;
    rd->sections[rd->depth++] = section;
    return APR_SUCCESS;
}

static apr_status_t open_server(reader_t *rd)
{
    if (rd->server || rd->nwords < 2) {
        return r307_error_set(rd->err, "@server stands in another, or "
                              "without a word");
    }
    rd->server = t307_model_add_server(rd->model, strcmp(rd->words[1],
                                                         "virtual") == 0);
    rd->server->file = rd->file;
    rd->server->line = rd->line;
    return APR_SUCCESS;
}

static apr_status_t close_one(reader_t *rd)
{
    if (rd->depth) {
        rd->depth--;
        return APR_SUCCESS;
    }
    if (!rd->server) {
        return r307_error_set(rd->err, "@end without what it ends");
    }
    rd->server = NULL;
    return APR_SUCCESS;
}

/* ---- facts of a server ---- */

static void set_fact(reader_t *rd)
{
    t307_server_t *s = rd->server;
    const char *name = rd->words[0] + 1, *value = rd->words[1];

    if (strcmp(name, "name") == 0) {
        s->name = value;
    }
    else if (strcmp(name, "port") == 0) {
        s->port = atoi(value);
    }
    else if (strcmp(name, "alias") == 0) {
        APR_ARRAY_PUSH(s->aliases, const char *) = value;
    }
    else if (strcmp(name, "address") == 0) {
        APR_ARRAY_PUSH(s->addresses, const char *) = value;
    }
    else if (strcmp(name, "documents") == 0) {
        s->documents = value;
    }
    else if (strcmp(name, "canonical") == 0) {
        s->canonical = value;
    }
    else if (strcmp(name, "slashes") == 0) {
        s->keeps_slashes = strcmp(value, "keep") == 0;
    }
    else if (strcmp(name, "encoded-slashes") == 0) {
        s->encoded_slashes = value;
    }
    else if (strcmp(name, "htaccess") == 0) {
        s->htaccess = value;
    }
    else if (strcmp(name, "proxied") == 0) {
        APR_ARRAY_PUSH(s->proxied, const char *) = value;
    }
    else if (strcmp(name, "overrides") == 0 && rd->nwords > 2
             && strcmp(rd->words[2], "on") == 0) {
        APR_ARRAY_PUSH(s->overrides, const char *) = value;
    }
}

/* ---- lines ---- */

static apr_status_t take_rule(reader_t *rd)
{
    r307_rule_env_t env = { rd->model->pool,
                            rd->model->regex_flags | R307_REGEX_JIT,
                            t307_model_take_expr, NULL };
    r307_rule_spec_t spec;
    r307_rule_t *rule;
    const char *first = rd->words[0];

    memset(&spec, 0, sizeof spec);
    if (!rd->server || rd->nwords < 2) {
        return r307_error_set(rd->err, "a rule stands outside of a @server, "
                              "or has no target");
    }
    spec.kind = *first == '~' ? R307_RULE_REGEX
        : strcmp(first, "*") == 0 ? R307_RULE_SECTION : R307_RULE_PREFIX;
    spec.path = spec.kind == R307_RULE_SECTION ? NULL : first + (*first == '~');
    spec.geo = strcmp(rd->words[1], "geo") == 0;
    spec.target = spec.geo ? NULL : rd->words[1];
    spec.noptions = rd->nwords - 2;
    spec.options = apr_pmemdup(rd->model->pool, rd->words + 2,
                               ((apr_size_t)spec.noptions + 1)
                               * sizeof *rd->words);
    spec.file = rd->file;
    spec.line = rd->line;
    if (r307_rule_create(&env, &spec, &rule, rd->err) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    t307_model_add_rule(rd->model, place(rd), rule, &spec);
    return APR_SUCCESS;
}

static apr_status_t take_at(reader_t *rd)
{
    const char *name = rd->words[0] + 1;

    if (strcmp(name, "format") == 0) {
        return rd->nwords > 1 && strcmp(rd->words[1], "1") == 0
            ? APR_SUCCESS
            : r307_error_set(rd->err, "the dump has a format that this "
                             "redirect307 does not know; use the one that "
                             "belongs to the module");
    }
    if (strcmp(name, "end") == 0) {
        return close_one(rd);
    }
    if (strcmp(name, "server") == 0) {
        return open_server(rd);
    }
    if (strcmp(name, "section") == 0) {
        return open_section(rd);
    }
    if (strcmp(name, "table") == 0) {
        return define_table(rd);
    }
    if (strcmp(name, "regex") == 0) {
        set_regex_flags(rd);
    }
    else if (strcmp(name, "root") == 0 && rd->nwords > 1) {
        rd->model->root = rd->words[1];
    }
    else if (rd->server && strncasecmp(name, "Redirect307", 11) == 0) {
        return t307_settings_apply(rd->model, rd->server, rd->depth
                                   ? rd->sections[rd->depth - 1] : NULL,
                                   place(rd), name, rd->nwords - 1,
                                   rd->words + 1, rd->file, rd->line,
                                   rd->err);
    }
    else if (rd->server && rd->nwords > 1) {
        set_fact(rd);
    }
    return APR_SUCCESS;
}

static apr_status_t take_line(reader_t *rd, char *text)
{
    apr_status_t rv = take_words(rd, text);

    if (rv != APR_SUCCESS || rd->nwords == 0) {
        return rv;
    }
    return rd->words[0][0] == '@' ? take_at(rd) : take_rule(rd);
}

apr_status_t t307_dump_read(t307_model_t *model, apr_file_t *f,
                            const char *name, r307_error_t *err)
{
    reader_t rd;
    r307_lines_t lines;
    apr_size_t len;
    char *text;
    apr_status_t rv;

    memset(&rd, 0, sizeof rd);
    rd.model = model;
    rd.name = name;
    rd.err = err;
    model->from = name;
    r307_lines_begin(&lines, f, model->pool);
    while ((rv = r307_lines_next(&lines, &text, &len)) == APR_SUCCESS) {
        rd.number = lines.number;
        if (len > R307_RULEFILE_LINE_MAX) {
            rv = r307_error_set(err, "the line is too long");
        }
        else {
            rv = take_line(&rd, text);
        }
        if (rv != APR_SUCCESS) {
            err->text = apr_psprintf(model->pool, "%s:%u: %s", name,
                                     rd.number, err->text);
            return rv;
        }
    }
    return rv == APR_EOF ? t307_model_finish(model, err) : rv;
}
