/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the text of imported rules: as directives, or as lines of a rule
 * file, with the quoting that each needs. Must not know any format.
 */
#include "tool/t307_import.h"

#include "core/r307_rulefile.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

static void add_word(apr_array_header_t *words, const char *word)
{
    APR_ARRAY_PUSH(words, const char *) = word;
}

static void add_option(apr_pool_t *pool, apr_array_header_t *words,
                       const char *name, const char *value)
{
    if (value) {
        add_word(words, apr_pstrcat(pool, name, "=", value, NULL));
    }
}

const apr_array_header_t *t307_import_words(apr_pool_t *pool,
                                            const t307_import_rule_t *rule)
{
    apr_array_header_t *words = apr_array_make(pool, 8, sizeof(char *));
    char *more, *state, *word;

    if (rule->choices) {
        apr_array_cat(words, rule->choices);
    }
    else {
        add_word(words, rule->target ? rule->target : "-");
    }
    if (rule->kind == R307_RULE_EXACT) {
        add_word(words, "exact");
    }
    add_option(pool, words, "methods", rule->methods);
    add_option(pool, words, "host", rule->hosts);
    add_option(pool, words, "expr", rule->expr);
    add_option(pool, words, "query", rule->query);
    add_option(pool, words, "percent", rule->percent);
    more = rule->more ? apr_pstrdup(pool, rule->more) : NULL;
    for (word = more ? apr_strtok(more, "\n", &state) : NULL; word;
         word = apr_strtok(NULL, "\n", &state)) {
        add_word(words, word);
    }
    return words;
}

/* httpd: in quotes, a backslash before a backslash or quote is one that
 * escapes; outside of quotes two backslashes are one. */
static const char *quote_directive(apr_pool_t *pool, const char *word)
{
    char *out = apr_palloc(pool, 2 * strlen(word) + 3), *to = out;
    apr_size_t len = strlen(word);

    if (len && !strpbrk(word, " \t\"'") && !strstr(word, "\\\\")
        && word[len - 1] != '\\' && *word != '#' && *word != '<') {
        return word;
    }
    *to++ = '"';
    for (; *word; word++) {
        if (*word == '"' || (*word == '\\' && (word[1] == '\\'
                                               || word[1] == '"'
                                               || !word[1]))) {
            *to++ = '\\';
        }
        *to++ = *word;
    }
    *to++ = '"';
    *to = '\0';
    return out;
}

typedef struct writer_t {
    t307_import_t *im;
    apr_array_header_t *text;   /* const char *, joined at the end */
    const char *(*quote)(apr_pool_t *pool, const char *word);
} writer_t;

static void put(writer_t *w, const char *s)
{
    APR_ARRAY_PUSH(w->text, const char *) = s;
}

static void put_words(writer_t *w, const apr_array_header_t *words,
                      const char *left_out)
{
    int i;

    for (i = 0; i < words->nelts; i++) {
        const char *word = APR_ARRAY_IDX(words, i, const char *);
        if (!left_out || strcmp(word, left_out) != 0) {
            put(w, " ");
            put(w, w->quote(w->im->pool, word));
        }
    }
    put(w, "\n");
}

/* httpd would put the value of a variable in the place of "${name}"; the
 * same expression without that sequence. */
static const char *without_variables(apr_pool_t *pool, const char *regex)
{
    char *out = apr_palloc(pool, 2 * strlen(regex) + 1), *to = out;

    for (; *regex; regex++) {
        *to++ = *regex;
        if (regex[0] == '$' && regex[1] == '{') {
            *to++ = '\\';
        }
    }
    *to = '\0';
    return out;
}

static void put_directive(writer_t *w, const t307_import_rule_t *rule)
{
    int regex = rule->kind == R307_RULE_REGEX;

    put(w, rule->choices ? "Redirect307Geo "
            : regex ? "Redirect307Match " : "Redirect307 ");
    put(w, w->quote(w->im->pool, regex
                    ? without_variables(w->im->pool, rule->path)
                    : rule->path));
    put_words(w, t307_import_words(w->im->pool, rule), NULL);
}

static void put_rule(writer_t *w, const t307_import_rule_t *rule)
{
    int regex = rule->kind == R307_RULE_REGEX;
    /* "host/a://b" would be read as a URL, "~host/" as an expression */
    int host = !regex && rule->host_first && *rule->hosts != '~'
               && !strstr(rule->path, "://");
    const char *first = regex ? "~" : host ? rule->hosts : "";
    const char *left_out = host
        ? apr_pstrcat(w->im->pool, "host=", rule->hosts, NULL) : NULL;

    put(w, w->quote(w->im->pool, apr_pstrcat(w->im->pool, first, rule->path,
                                             NULL)));
    put(w, rule->choices ? " geo" : "");
    put_words(w, t307_import_words(w->im->pool, rule), left_out);
}

const char *t307_import_text(t307_import_t *im)
{
    int rules = im->to == T307_IMPORT_TO_RULES, i;
    writer_t w = { im, NULL, NULL };

    w.text = apr_array_make(im->pool, 256, sizeof(char *));
    w.quote = rules ? r307_rulefile_quote : quote_directive;
    for (i = 0; i < im->entries->nelts; i++) {
        const t307_import_entry_t *e =
            &APR_ARRAY_IDX(im->entries, i, t307_import_entry_t);

        if (e->role == T307_IMPORT_NONE || e->role == T307_IMPORT_OPAQUE) {
            continue;
        }
        if (e->role == T307_IMPORT_LOST) {
            put(&w, apr_psprintf(im->pool, "# line %d is not imported: its "
                                 "requests must not fall to later rules\n",
                                 e->rule->line));
        }
        if (rules) {
            put_rule(&w, e->rule);
        }
        else {
            put_directive(&w, e->rule);
        }
    }
    return apr_array_pstrcat(im->pool, w.text, '\0');
}
