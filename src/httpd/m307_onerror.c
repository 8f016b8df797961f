/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns when an answer is looked at for Redirect307OnError, and the directive.
 * Must not know how an answer is replaced. Called by filters, and by httpd.
 *
 * Answers come on two ways: a handler writes one, or httpd makes one for a
 * status (ap_die). Filters are set up afresh for the second, so there is a
 * hook for each. An error page is a request of its own, made after the error.
 */
#include "httpd/m307_onerror.h"

#include "core/r307_options.h"

#include "apr_strings.h"
#include "http_connection.h"

static ap_filter_rec_t *handle; /* set when the module is registered */

/* ---- the directive ---- */

static const char *bad_words(const cmd_parms *cmd, int argc,
                             char *const argv[])
{
    return argc > 2
        ? apr_psprintf(cmd->temp_pool, "R307-0341: Redirect307OnError has the "
                       "extra word '%s'; write the statuses, one target, then "
                       "options as key=value, with quotes around what holds "
                       "spaces", argv[2])
        : apr_psprintf(cmd->temp_pool, "R307-0340: Redirect307OnError has no "
                       "target; write 'Redirect307OnError STATUS[,STATUS...] "
                       "target [option...]'");
}

static int is_choice(const char *word)
{
    apr_size_t len = strcspn(word, "=");

    return word[len] == '=' && r307_selector_is_list(word, len);
}

static m307_rules_t *rules_here(cmd_parms *cmd, void *dir)
{
    m307_rules_t **rules = cmd->path
        ? &((m307_dir_conf_t *)dir)->onerror
        : &m307_config_server(cmd->server)->onerror;

    if (!*rules) {
        *rules = apr_pcalloc(cmd->pool, sizeof **rules);
    }
    return *rules;
}

const char *m307_onerror_add(cmd_parms *cmd, void *dir, int argc,
                             char *const argv[])
{
    r307_rule_spec_t spec;
    int geo = argc > 1 && is_choice(argv[1]);
    int first = 2 - geo;        /* choices are read with the options */

    if (argc < 2 || (!geo && r307_options_is_option(argv[1]))
        || (argc > 2 && !geo && !r307_options_is_option(argv[2]))) {
        return bad_words(cmd, argc, argv);
    }
    m307_filters_need(cmd);
    memset(&spec, 0, sizeof spec);
    spec.kind = R307_RULE_ANY;
    spec.statuses = argv[0];
    spec.target = geo ? NULL : argv[1];
    spec.noptions = argc - first;
    spec.options = (const char *const *)argv + first;
    spec.geo = geo;
    return m307_directives_add_rule(cmd, rules_here(cmd, dir), &spec);
}

/* ---- filters ---- */

/* mod_proxy hangs up without an answer when the backend has done so and the
 * client's connection was used before (EOC): clients then try again, but never
 * with a POST. It is a bad gateway all the same. */
static int is_hangup(const request_rec *r, const apr_bucket_brigade *bb)
{
    const apr_bucket *b;

    if (r->proxyreq != PROXYREQ_REVERSE || r->status != HTTP_OK) {
        return 0;
    }
    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb);
         b = APR_BUCKET_NEXT(b)) {
        if (AP_BUCKET_IS_EOC(b)) {
            return 1;
        }
    }
    return 0;
}

static int is_to_be_replaced(m307_onerror_t *state, request_rec *r,
                             const apr_bucket_brigade *bb)
{
    int hangup = is_hangup(r, bb), replaced;

    if (state->generated) {
        return state->redirects;    /* whatever became of the status */
    }
    if (hangup) {
        r->status = HTTP_BAD_GATEWAY;
    }
    replaced = m307_onerror_decide(state, r);
    if (hangup && !replaced) {
        r->status = HTTP_OK;
    }
    return replaced;
}

static apr_status_t look(ap_filter_t *f, apr_bucket_brigade *bb)
{
    m307_onerror_t *state = f->ctx;

    if (state->answered) {
        apr_brigade_cleanup(bb);
        return APR_SUCCESS;
    }
    if (is_to_be_replaced(state, f->r, bb)) {
        return m307_replace_answer(state, f, bb);
    }
    ap_remove_output_filter(f);
    return ap_pass_brigade(f->next, bb);
}

/* ---- hooks ---- */

request_rec *m307_onerror_failed(request_rec *r)
{
    while (r->prev && r->prev->status >= R307_STATUS_MIN) {
        r = r->prev;
    }
    return r;
}

static m307_onerror_t *watch(request_rec *r, request_rec *failed)
{
    m307_onerror_t *state = apr_pcalloc(r->pool, sizeof *state);

    state->failed = failed;
    ap_add_output_filter_handle(handle, state, r, r->connection);
    return state;
}

void m307_onerror_insert(request_rec *r)
{
    request_rec *failed = m307_onerror_failed(r);
    m307_onerror_t *state;

    if (r->main || !m307_onerror_configured(failed)) {
        return;
    }
    state = watch(r, failed);
    if (failed != r) {
        m307_onerror_decide(state, r);  /* before the body is read for it */
    }
}

/* Not for a plain redirect. 302 may be what ErrorDocument makes of an error.
 * When something fails after an answer has begun, nothing can be mended. */
int m307_onerror_insert_error(request_rec *r)
{
    request_rec *failed;
    m307_onerror_t *state;

    if (r->status < R307_STATUS_MIN && r->status != HTTP_MOVED_TEMPORARILY) {
        return 0;
    }
    failed = m307_onerror_failed(r);
    if (r->main || !m307_onerror_configured(failed)) {
        return 0;
    }
    if (m307_replace_was(r)) {
        watch(r, failed)->answered = 1;
        return 1;
    }
    if (r->sent_bodyct) {
        return 0;
    }
    state = watch(r, failed);
    state->generated = 1;
    return m307_onerror_decide(state, r);
}

void m307_onerror_register(void)
{
    handle = ap_register_output_filter("REDIRECT307_ONERROR", look, NULL,
                                       M307_ONERROR_FILTER_TYPE);
}
