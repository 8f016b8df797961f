/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the life of table versions. Must not know where tables come from.
 * Called by tables and rule files.
 *
 * A version's struct is never freed, only used again, so a request that
 * counts itself in on a version just replaced touches valid memory; it then
 * sees that the version is not current and counts itself out.
 */
#include "httpd/m307_version.h"

#define DYING (~(apr_uint32_t)0)

/* A late visitor may bring refs to 0 once more, and the slot may have been
 * used again since the visitor saw it: the token lets one through, and only
 * for what it came for. */
void m307_version_retire(m307_version_t *version, apr_uint32_t token)
{
    if (token != 0 && token != DYING
        && apr_atomic_cas32(&version->token, DYING, token) == token) {
        apr_pool_t *pool = version->pool;

        version->pool = NULL;
        version->data = NULL;
        apr_pool_destroy(pool);
        apr_atomic_set32(&version->token, 0);
    }
}

static m307_version_t *free_slot(m307_versions_t *versions)
{
    int i;

    for (i = 0; i < M307_VERSIONS; i++) {
        m307_version_t *version = &versions->slots[i];
        if (apr_atomic_read32(&version->token) == 0) {
            return version;
        }
    }
    return NULL;
}

static void replace(m307_versions_t *versions, m307_version_t *with)
{
    m307_version_t *old =
        apr_atomic_xchgptr((volatile void **)&versions->current, with);

    if (old) {
        m307_version_release(old);
    }
}

apr_status_t m307_version_install(m307_versions_t *versions,
                                  void *data, apr_pool_t *pool)
{
    m307_version_t *version = free_slot(versions);

    if (!version) {
        return APR_ENOSPC;
    }
    version->pool = pool;
    version->data = data;
    /* add, not set: a late visitor may be counted in for a moment */
    __atomic_add_fetch(&version->refs, 1, __ATOMIC_SEQ_CST);
    versions->last_token = versions->last_token % (DYING - 1) + 1;
    apr_atomic_set32(&version->token, versions->last_token);
    replace(versions, version);
    return APR_SUCCESS;
}

void m307_version_clear(m307_versions_t *versions)
{
    replace(versions, NULL);
}
