/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The yardstick: what a 307 costs when nothing is looked up. Answers every
 * request with the same Location, which is compiled in and as long as the one
 * that the other systems send. Only the benchmark builds and loads it.
 */
#include "httpd.h"
#include "http_config.h"
#include "http_request.h"

#ifndef CONST307_LOCATION
#error "compile with -DCONST307_LOCATION='\"https://...\"'"
#endif

static int answer(request_rec *r)
{
    apr_table_setn(r->headers_out, "Location", CONST307_LOCATION);
    return HTTP_TEMPORARY_REDIRECT;
}

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_translate_name(answer, NULL, NULL, APR_HOOK_FIRST);
}

AP_DECLARE_MODULE(const307) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks
};
