/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns Redirect307CORS: what pages of other origins may do with a redirect
 * (Fetch, "CORS protocol"). Must not know rules. Called by the hooks: a
 * preflight is looked at before it is decided and answered after it, fields
 * are added when the answer is made and everybody else has added theirs.
 */
#include "httpd/m307.h"

#include "core/r307_origin.h"

#include "apr_lib.h"
#include "apr_strings.h"
#include "util_filter.h"

static const char filter_name[] = "REDIRECT307_CORS";
static const char allow_origin[] = "Access-Control-Allow-Origin";

#define MAX_AGE_MAX 86400       /* no browser keeps an answer for longer */

/* httpd hands over no more words (server/config.c), and does not say so. */
#define ARGC_MAX 64

/* One origin, with the options of the line that names it. */
typedef struct allowed_t {
    r307_origin_pattern_t origin;
    int max_age;                /* seconds, or M307_UNSET */
    int credentials;
} allowed_t;

typedef struct m307_cors_t {
    apr_array_header_t *allowed;    /* allowed_t, first one counts */
    int varies;                 /* not everybody gets the same */
} m307_cors_t;

/* ---- the directive ---- */

static const char *parse_max_age(cmd_parms *cmd, const char *text, int *out)
{
    apr_int64_t seconds = -1;
    char *end = NULL;

    if (apr_isdigit(*text)) {
        seconds = apr_strtoi64(text, &end, 10);
    }
    if (seconds < 0 || *end || seconds > MAX_AGE_MAX) {
        return apr_psprintf(cmd->temp_pool, "R307-0355: max-age='%s' is not a "
                            "number of seconds from 0 to %d", text,
                            MAX_AGE_MAX);
    }
    *out = (int)seconds;
    return NULL;
}

/* NULL, or an error; *is_option says whether the word is one. */
static const char *parse_option(cmd_parms *cmd, const char *word,
                                allowed_t *line, int *is_option)
{
    *is_option = 1;
    if (strcasecmp(word, "credentials") == 0) {
        line->credentials = 1;
        return NULL;
    }
    if (strncasecmp(word, "max-age=", 8) == 0) {
        return parse_max_age(cmd, word + 8, &line->max_age);
    }
    *is_option = strchr(word, '=') && !strstr(word, "://");
    return !*is_option ? NULL
        : apr_psprintf(cmd->temp_pool, "R307-0357: Redirect307CORS does not "
                       "know the option '%s'; its options are "
                       "max-age=seconds and credentials", word);
}

static const char *parse_origin(cmd_parms *cmd, const char *word,
                                apr_array_header_t *out)
{
    r307_error_t err = { cmd->temp_pool, NULL };
    allowed_t one;

    memset(&one, 0, sizeof one);
    if (r307_origin_pattern_parse(cmd->pool, word, &one.origin, &err)
        != APR_SUCCESS) {
        return err.text;
    }
    APR_ARRAY_PUSH(out, allowed_t) = one;
    return NULL;
}

/* The options hold for all origins of the line, wherever they stand. */
static const char *parse_line(cmd_parms *cmd, int argc, char *const argv[],
                              apr_array_header_t *out)
{
    allowed_t line;
    const char *error = NULL;
    int i, is_option;

    memset(&line, 0, sizeof line);
    line.max_age = M307_UNSET;
    for (i = 0; i < argc && !error; i++) {
        error = parse_option(cmd, argv[i], &line, &is_option);
        if (!error && !is_option) {
            error = parse_origin(cmd, argv[i], out);
        }
    }
    for (i = 0; i < out->nelts && !error; i++) {
        allowed_t *one = &APR_ARRAY_IDX(out, i, allowed_t);
        one->max_age = line.max_age;
        one->credentials = line.credentials;
        if (line.credentials && one->origin.kind != R307_ORIGIN_HOST) {
            error = "R307-0356: credentials can not be given to '*' or "
                    "'null', since that would be every page there is; name "
                    "the origins that may use them, on a line of their own";
        }
    }
    return error;
}

/* Whether the answer depends on who asks. */
static int varies(const apr_array_header_t *allowed)
{
    return allowed->nelts > 0
           && APR_ARRAY_IDX(allowed, 0, allowed_t).origin.kind
              != R307_ORIGIN_ANY;
}

static const char *parse(cmd_parms *cmd, int argc, char *const argv[],
                         apr_array_header_t *out)
{
    const char *error;
    int i;

    if (argc >= ARGC_MAX) {
        return apr_psprintf(cmd->temp_pool, "R307-0358: Redirect307CORS has "
                            "more than %d words; write several lines",
                            ARGC_MAX - 1);
    }
    for (i = 0; i < argc; i++) {
        if (strcasecmp(argv[i], "Off") == 0) {
            return argc == 1 ? NULL
                : "R307-0354: Redirect307CORS: Off stands alone; it takes "
                  "back what is written above it in the same context, and "
                  "what an outer one says";
        }
    }
    error = parse_line(cmd, argc, argv, out);
    return error || out->nelts > 0 ? error
        : "R307-0353: Redirect307CORS names no origin; write one or more "
          "such as https://app.example, or *, or Off";
}

const char *m307_cors_set(cmd_parms *cmd, void *dirv, int argc,
                          char *const argv[])
{
    m307_dir_conf_t *dir = dirv;
    apr_array_header_t *more = apr_array_make(cmd->temp_pool, 8,
                                              sizeof(allowed_t));
    const char *error = parse(cmd, argc, argv, more);

    if (error) {
        return error;
    }
    m307_filters_need(cmd);
    if (!dir->cors || more->nelts == 0) {
        dir->cors = apr_pcalloc(cmd->pool, sizeof *dir->cors);
        dir->cors->allowed = apr_array_make(cmd->pool, 4, sizeof(allowed_t));
    }
    apr_array_cat(dir->cors->allowed, more);
    dir->cors->varies = varies(dir->cors->allowed);
    return NULL;
}

/* ---- who may ---- */

static const allowed_t *find(const m307_cors_t *cors, const char *origin)
{
    r307_origin_t from;
    int i, known = origin && r307_origin_parse(origin, &from) == APR_SUCCESS;

    for (i = 0; i < cors->allowed->nelts; i++) {
        const allowed_t *one = &APR_ARRAY_IDX(cors->allowed, i, allowed_t);
        if (one->origin.kind == R307_ORIGIN_ANY
            || (known && r307_origin_pattern_holds(&one->origin, &from))) {
            return one;
        }
    }
    return NULL;
}

/* ---- preflights ---- */

void m307_cors_look(m307_request_t *req)
{
    const apr_table_t *in = req->r->headers_in;
    const char *method = apr_table_get(in, "Access-Control-Request-Method");

    if (method && apr_table_get(in, "Origin")) {
        req->preflight = 1;
        req->core.method = method;
    }
}

static int is_token(const char *s)
{
    return *s && !*ap_scan_http_token(s);
}

/* #field-name (RFC 9110 section 5.6.1); members may be empty. */
static int is_token_list(const char *s)
{
    while (*s) {
        s = ap_scan_http_token(s + strspn(s, " \t"));
        s += strspn(s, " \t");
        if (*s && *s++ != ',') {
            return 0;
        }
    }
    return 1;
}

/* NULL when the preflight may be answered, else why not. */
static const char *objection(const request_rec *r, const m307_cors_t *cors)
{
    const char *headers = apr_table_get(r->headers_in,
                                        "Access-Control-Request-Headers");
    const char *method = apr_table_get(r->headers_in,
                                       "Access-Control-Request-Method");

    if (!cors || cors->allowed->nelts == 0) {
        return "no Redirect307CORS applies";
    }
    if (!is_token(method) || (headers && !is_token_list(headers))) {
        return "it is not one that a browser sends";
    }
    return find(cors, apr_table_get(r->headers_in, "Origin")) ? NULL
        : "Redirect307CORS does not name its origin";
}

static int answer(m307_request_t *req, const r307_rule_t *rule)
{
    request_rec *r = req->r;
    const char *name = r307_rule_name(r->pool, rule);
    const char *why = req->dir->engine == M307_ENGINE_DRYRUN ? "dry run"
                      : objection(r, req->dir->cors);

    if (req->vary || req->unseen) {
        m307_caching_tell(req, why != NULL);
    }
    if (why) {
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r,
                      "R307-0435: the preflight for %s %s, which rule %s "
                      "would redirect, is left to the application: %s",
                      req->core.method, r->uri, name, why);
        return OK;
    }
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r,
                  "R307-0434: the preflight for %s %s, which rule %s would "
                  "redirect, is answered", req->core.method, r->uri, name);
    apr_table_setn(r->notes, "redirect307-preflight",
                   apr_pstrdup(r->pool, name));
    return HTTP_NO_CONTENT;
}

/* Not in one with the answers of most requests, which pay for its room. */
int __attribute__((noinline)) m307_cors_answer(
    m307_request_t *req, const r307_decision_t *decision)
{
    return decision->outcome == R307_REDIRECT ? answer(req, decision->rule)
                                              : m307_answer(req, decision);
}

/* ---- the answer's fields ---- */

static int is_there(const request_rec *r, const char *name)
{
    return apr_table_get(r->headers_out, name)
           || apr_table_get(r->err_headers_out, name);
}

static void add(request_rec *r, const char *name, const char *value)
{
    if (value && !is_there(r, name)) {
        apr_table_setn(r->err_headers_out, name, value);
    }
}

static void allow_request(request_rec *r, const allowed_t *one)
{
    const apr_table_t *in = r->headers_in;
    const char *headers = apr_table_get(in,
                                        "Access-Control-Request-Headers");

    add(r, "Access-Control-Allow-Methods",
        apr_table_get(in, "Access-Control-Request-Method"));
    add(r, "Access-Control-Allow-Headers",
        headers && *headers ? headers : NULL);
    if (one->max_age != M307_UNSET) {
        add(r, "Access-Control-Max-Age", apr_itoa(r->pool, one->max_age));
    }
}

/* Somebody else's Access-Control-Allow-Origin stays alone: it is not known to
 * whom it would give the credentials. */
static void allow(request_rec *r, const m307_cors_t *cors, int preflight)
{
    const char *origin = apr_table_get(r->headers_in, "Origin");
    const allowed_t *one = find(cors, origin);

    if (one && preflight) {
        allow_request(r, one);
    }
    if (is_there(r, allow_origin)) {
        return;
    }
    if (one) {
        add(r, allow_origin, one->origin.kind == R307_ORIGIN_ANY ? "*"
                                                                 : origin);
        add(r, "Access-Control-Allow-Credentials",
            one->credentials ? "true" : NULL);
    }
    if (cors->varies || preflight) {
        m307_caching_merge_vary(r, preflight
                                ? "Origin, Access-Control-Request-Method, "
                                  "Access-Control-Request-Headers"
                                : "Origin");
    }
}

static int is_redirect(const request_rec *r)
{
    return (r->status == HTTP_TEMPORARY_REDIRECT
            && apr_table_get(r->notes, "redirect307-target"))
           || ((r->status == HTTP_TEMPORARY_REDIRECT
                || r->status == HTTP_PERMANENT_REDIRECT)
               && apr_table_get(r->notes, "redirect307-upgraded"));
}

static apr_status_t filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    request_rec *r = f->r;
    const m307_cors_t *cors = f->ctx;

    if (r->status == HTTP_NO_CONTENT
        && apr_table_get(r->notes, "redirect307-preflight")) {
        allow(r, cors, 1);
    }
    else if (cors->allowed->nelts > 0 && is_redirect(r)) {
        allow(r, cors, 0);
    }
    ap_remove_output_filter(f);
    return ap_pass_brigade(f->next, bb);
}

void m307_cors_register(void)
{
    ap_register_output_filter(filter_name, filter, NULL, M307_FTYPE_CORS);
}

void m307_cors_insert(request_rec *r, m307_cors_t *cors)
{
    if (!r->main) {
        ap_add_output_filter(filter_name, cors, r, r->connection);
    }
}
