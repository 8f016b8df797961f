/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns `explain`: its arguments, and the loop over URLs. Must not decide, and
 * not know how a decision is shown.
 */
#include "tool/t307_explain.h"

#include "core/r307_time.h"

#include <apr_strings.h>

#include <string.h>
#include <strings.h>

#define OPT_PEER   0x2001
#define OPT_AT     0x2002
#define OPT_ASSUME 0x2003
#define OPT_JSON   0x2004
#define OPT_ENV    0x2005

static const apr_getopt_option_t options[] = {
    T307_MODEL_OPTIONS,
    { "request", 'X', 1, "METHOD: of the request; GET without it" },
    { "header", 'H', 1, "LINE: a request header, 'Name: value'; may be "
      "repeated" },
    { "peer", OPT_PEER, 1, "ADDRESS: who is connected; 127.0.0.1 without "
      "it" },
    { "at", OPT_AT, 1, "TIME: when, as 2026-12-01T08:00:00Z; now without "
      "it" },
    { "env", OPT_ENV, 1, "NAME=VALUE: a variable of httpd's" },
    { "assume", OPT_ASSUME, 1, "RULE=true or false: the rule's expr=; or "
      "'%{...}=text'" },
    { "json", OPT_JSON, 0, "one JSON array for all URLs" },
    { NULL, 0, 0, NULL }
};

/* ---- the command ---- */

static int add_pair(t307_t *t, apr_table_t *table, const char *word,
                    int separator, const char *option)
{
    const char *at = separator == '=' ? strrchr(word, '=')
                                      : strchr(word, separator);
    const char *value;

    /* the value of a rule holds no '=', its name might */
    if (separator == '=' && strncmp(word, "%{", 2) == 0) {
        at = strstr(word, "}=");
        at = at ? at + 1 : NULL;
    }
    if (!at || at == word) {
        return t307_usage_error(t, "%s '%s' is not a name, '%c' and a value",
                                option, word, separator);
    }
    value = at + 1;
    value += separator == ':' ? strspn(value, " \t") : 0;
    apr_table_add(table, apr_pstrmemdup(t->pool, word,
                                        (apr_size_t)(at - word)), value);
    return T307_OK;
}

static int add_assumption(t307_t *t, t307_given_t *given, const char *word)
{
    const char *equals = strrchr(word, '=');
    int status = add_pair(t, given->assumed, word, '=', "--assume");

    if (status == T307_OK && strncmp(word, "%{", 2) != 0
        && strcasecmp(equals + 1, "true") != 0
        && strcasecmp(equals + 1, "false") != 0) {
        return t307_usage_error(t, "--assume '%s' says neither true nor "
                                "false", word);
    }
    return status;
}

static int set_peer(t307_t *t, t307_given_t *given, const char *text)
{
    if (apr_sockaddr_info_get(&given->peer, text, APR_UNSPEC, 0, 0, t->pool)
        != APR_SUCCESS || strspn(text, "0123456789abcdefABCDEF.:")
                          != strlen(text)) {
        return t307_usage_error(t, "--peer '%s' is no IP address", text);
    }
    given->peer_text = text;
    return T307_OK;
}

static int set_time(t307_t *t, t307_given_t *given, const char *text)
{
    r307_error_t err = { t->pool, NULL };

    return r307_time_parse(text, &given->now, &err) == APR_SUCCESS
        ? T307_OK : t307_usage_error(t, "--at: %s", err.text);
}

static int take_option(t307_t *t, t307_given_t *given, int optch,
                       const char *value, int *json)
{
    switch (optch) {
    case 'X':
        given->method = value;
        return T307_OK;
    case 'H':
        return add_pair(t, given->headers, value, ':', "-H");
    case OPT_PEER:
        return set_peer(t, given, value);
    case OPT_AT:
        return set_time(t, given, value);
    case OPT_ENV:
        return add_pair(t, given->env, value, '=', "--env");
    case OPT_ASSUME:
        return add_assumption(t, given, value);
    default:
        *json = 1;
        return T307_OK;
    }
}

static int explain_one(t307_t *t, t307_model_t *model,
                       const t307_given_t *given, const char *text,
                       json_t *list)
{
    t307_ask_t ask;
    const char *why;

    memset(&ask, 0, sizeof ask);
    ask.pool = model->pool;
    ask.model = model;
    ask.given = given;
    why = t307_pick_url(model->pool, text,
                        apr_table_get(given->headers, "Host"), &ask.url);
    if (why) {
        return t307_fail(t, "%s", why);
    }
    t307_ask_decide(&ask);
    if (list) {
        json_array_append_new(list, t307_explain_json(&ask));
    }
    else {
        t307_explain_text(t, &ask);
    }
    return T307_OK;
}

static int explain(t307_t *t, t307_model_t *model, const t307_given_t *given,
                   int nurls, const char *const *urls, int json)
{
    json_t *list = json ? json_array() : NULL;
    int i, status = T307_OK;

    for (i = 0; i < nurls; i++) {
        int one = explain_one(t, model, given, urls[i], list);
        status = one > status ? one : status;
        if (!json && i + 1 < nurls) {
            fputc('\n', t->out);
        }
    }
    if (json) {
        json_dumpf(list, t->out, JSON_INDENT(2));
        fputc('\n', t->out);
        json_decref(list);
    }
    return status;
}

static void begin(t307_t *t, t307_given_t *given)
{
    memset(given, 0, sizeof *given);
    given->method = "GET";
    given->headers = apr_table_make(t->pool, 8);
    given->env = apr_table_make(t->pool, 8);
    given->assumed = apr_table_make(t->pool, 8);
    given->now = apr_time_now();
    given->peer_text = "127.0.0.1";
    apr_sockaddr_info_get(&given->peer, "127.0.0.1", APR_INET, 0, 0,
                          t->pool);
}

static int run(t307_t *t, int argc, const char *const *argv)
{
    t307_wanted_t wanted;
    t307_given_t given;
    t307_model_t *model;
    const char *value, *const *urls;
    t307_args_t args;
    int optch, n, json = 0, status = T307_OK;

    begin(t, &given);
    t307_sources_begin(t, &wanted);
    t307_args_begin(t, &args, argc, argv);
    while (status == T307_OK
           && (optch = t307_args_next(t, &args, &value)) != 0) {
        if (!t307_sources_option(&wanted, optch, value)) {
            status = take_option(t, &given, optch, value, &json);
        }
    }
    if (status != T307_OK || args.status != T307_OK || args.done) {
        return status != T307_OK ? status : args.status;
    }
    urls = t307_args_words(&args, &n);
    if (n == 0) {
        return t307_usage_error(t, "it takes URLs");
    }
    model = t307_sources_load(t, &wanted, &status);
    return model ? explain(t, model, &given, n, urls, json) : status;
}

const t307_command_t t307_explain = {
    "explain", run, "[option...] URL...",
    "say what would be answered, and why",
    "Asks the installed server for its configuration (apachectl), or takes\n"
    "rule files, and decides as the module does. A URL may be only a path;\n"
    "then -H 'Host: name' says whose.\n"
    "\n"
    "  redirect307 explain http://www.example.com/old/page\n"
    "  redirect307 explain -X POST -H 'CF-IPCountry: DE' --peer 192.0.2.1 \\\n"
    "      https://www.example.com/shop\n"
    "  redirect307 explain --rules shop.rules /old-shop/cart\n"
    "\n"
    "Lines that begin with 'assumed' or 'unknown' say what only the running\n"
    "server can know: expr=, <If>, <Files>, .htaccess files.\n",
    options
};
