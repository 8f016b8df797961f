/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Versions of a table, or of an address database: how something is replaced
 * while requests use it.
 * A request takes the current version and gives it back when its decision
 * has been answered; a version that was replaced is unmapped when the last
 * request has given it back. No locks on the way of a request.
 */
#ifndef M307_VERSION_H
#define M307_VERSION_H

#include <apr_atomic.h>
#include <apr_pools.h>

/* Versions that can exist at once. More than two are there only while a
 * request lasts longer than several refreshes; a refresh that finds no room
 * is put off. */
#define M307_VERSIONS 8

typedef struct m307_version_t {
    apr_pool_t *pool;           /* owns the mapping */
    void *data;                 /* a table, or what else has versions */
    apr_uint32_t refs;          /* users, and one for being current; counted
                                 * in line, since every request counts */
    volatile apr_uint32_t token;    /* another one each time the slot is
                                     * used; 0: free */
} m307_version_t;

typedef struct m307_versions_t {
    m307_version_t slots[M307_VERSIONS];
    apr_uint32_t last_token;
    m307_version_t *volatile current;   /* NULL: none yet */
} m307_versions_t;

/* The last user of what that token stands for has gone: unmap, once. */
void m307_version_retire(m307_version_t *version, apr_uint32_t token);

static inline void m307_version_release(m307_version_t *version)
{
    apr_uint32_t token = version->token;

    if (__atomic_sub_fetch(&version->refs, 1, __ATOMIC_SEQ_CST) == 0) {
        m307_version_retire(version, token);
    }
}

/* Count in. 0: the version was replaced in this moment; release it and look
 * again. */
static inline int m307_version_enter(m307_versions_t *versions,
                                     m307_version_t *version)
{
    __atomic_add_fetch(&version->refs, 1, __ATOMIC_SEQ_CST);
    return version == versions->current;
}

/* The current version, or NULL. Any thread. */
static inline m307_version_t *m307_version_acquire(m307_versions_t *versions)
{
    for (;;) {
        m307_version_t *version = versions->current;

        if (!version) {
            return NULL;
        }
        if (m307_version_enter(versions, version)) {
            return version;
        }
        m307_version_release(version);
    }
}

/*
 * Make data the current one. pool, which owns it, passes to the version and
 * is destroyed with it; it must be a pool without parent. One thread at a
 * time. APR_ENOSPC when there is no room: pool is untouched.
 */
apr_status_t m307_version_install(m307_versions_t *versions,
                                  void *data, apr_pool_t *pool);

/* Drop the current version; for the end of a process or configuration. */
void m307_version_clear(m307_versions_t *versions);

#endif
