/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * mod_redirect307: temporary redirects that keep method and body.
 *
 * This file is the table of contents: the module record, and which hook runs
 * what. Decisions are made in src/core, which knows nothing of httpd; all
 * that talks to httpd is in src/httpd. docs/design.md draws the whole.
 */
#include "httpd/m307_follow.h"
#include "httpd/m307_onerror.h"
#include "httpd/m307_status.h"

static void register_hooks(apr_pool_t *pool)
{
    /* A redirect comes before anything that would map the path to content or
     * to a backend: `ProxyPass /` must not hide it. mod_rewrite and
     * mod_proxy stand at APR_HOOK_FIRST, so the names settle the order
     * whatever the order of LoadModule. */
    static const char *const mappers[] = {
        "mod_rewrite.c", "mod_proxy.c", "mod_proxy_express.c",
        "mod_alias.c", "mod_userdir.c", "mod_vhost_alias.c", NULL
    };

    (void)pool;
    ap_hook_check_config(m307_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_test_config(m307_dump_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(m307_counters_setup, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(m307_refresh_setup, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(m307_follower_setup, NULL, NULL, APR_HOOK_MIDDLE);
    m307_caching_register();
    m307_status_register();
    m307_onerror_register();
    m307_upgrade_register();
    m307_cors_register();
    ap_hook_child_init(m307_file_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    /* Connections end after the threads that use them. */
    ap_hook_child_init(m307_follower_child_init, NULL, NULL, APR_HOOK_LAST);
    ap_hook_translate_name(m307_hooks_translate, NULL, mappers,
                           APR_HOOK_REALLY_FIRST);
    /* The rules of directories come before per-directory rewriting, for the
     * same reason. */
    ap_hook_fixups(m307_hooks_fixups, NULL, mappers, APR_HOOK_REALLY_FIRST);
}

/* The one symbol that the module exports. */
__attribute__((visibility("default")))
module AP_MODULE_DECLARE_DATA redirect307_module = {
    STANDARD20_MODULE_STUFF,
    m307_config_create_dir,
    m307_config_merge_dir,
    m307_config_create_server,
    m307_config_merge_server,
    m307_directives,
    register_hooks,
#ifdef AP_MODULE_FLAG_NONE
    AP_MODULE_FLAG_NONE
#endif
};
