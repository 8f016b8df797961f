/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns httpd expressions on behalf of the core: expr= conditions and %{...}
 * in targets. Must not know rules. Called by the directives (compile) and,
 * through the core, during a request (evaluate).
 */
#include "httpd/m307.h"

#include "ap_expr.h"
#include "apr_strings.h"

#ifndef AP_EXPR_FLAG_RESTRICTED_FILE_FUNC
#define AP_EXPR_FLAG_RESTRICTED_FILE_FUNC 0     /* before 2.4.64 */
#endif

const char *m307_expr_compile(void *ctx, apr_pool_t *pool, const char *text,
                              int is_string, const void **expr)
{
    ap_expr_info_t *info = apr_pcalloc(pool, sizeof *info);

    info->filename = "expression";
    info->module_index = APLOG_MODULE_INDEX;
    info->flags = is_string ? AP_EXPR_FLAG_STRING_RESULT : 0;
    if (ctx == M307_EXPR_RESTRICTED) {
        info->flags |= AP_EXPR_FLAG_RESTRICTED
                       | AP_EXPR_FLAG_RESTRICTED_FILE_FUNC;
    }
    *expr = info;
    return ap_expr_parse(pool, pool, info, text, NULL);
}

/* httpd would put Vary into headers_out, where a redirect loses it; so the
 * fields are collected here. */
static int eval(m307_request_t *req, const ap_expr_info_t *info,
                const r307_match_t *match, const char **string)
{
    request_rec *r = req->r;
    ap_regmatch_t groups[AP_MAX_REG_MATCH];
    const char *err = NULL, *vary = NULL, *source = NULL;
    const char *method = r->method;
    ap_expr_eval_ctx_t ctx;
    int i, rc;

    memset(groups, -1, sizeof groups);
    if (match && match->rule->kind == R307_RULE_REGEX) {
        source = r->uri;
        for (i = 0; i < match->captures.count && i < AP_MAX_REG_MATCH; i++) {
            groups[i].rm_so = (int)match->captures.at[2 * i];
            groups[i].rm_eo = (int)match->captures.at[2 * i + 1];
        }
    }
    memset(&ctx, 0, sizeof ctx);
    ctx.r = r;
    ctx.c = r->connection;
    ctx.s = r->server;
    ctx.p = r->pool;
    ctx.err = &err;
    ctx.info = info;
    ctx.re_nmatch = AP_MAX_REG_MATCH;
    ctx.re_pmatch = groups;
    ctx.re_source = &source;
    ctx.vary_this = &vary;
    ctx.result_string = string;
    r->method = req->core.method;   /* not that of a preflight */
    rc = ap_expr_exec_ctx(&ctx);
    r->method = method;
    m307_request_add_vary(req, vary);
    return rc;
}

apr_status_t m307_expr_eval_bool(void *ctx, const void *expr, int *result)
{
    *result = eval(ctx, expr, NULL, NULL);
    return *result < 0 ? APR_EGENERAL : APR_SUCCESS;
}

apr_status_t m307_expr_eval_string(void *ctx, const void *expr,
                                   const r307_match_t *match,
                                   const char **result)
{
    return eval(ctx, expr, match, result) < 0 ? APR_EGENERAL : APR_SUCCESS;
}
