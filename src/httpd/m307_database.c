/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns databases of addresses: opened once, shared by all children, opened
 * again by each when the file has been replaced. Called by geo.
 */
#include "httpd/m307.h"
#include "httpd/m307_version.h"

#include "core/r307_mmdb.h"

#include "apr_atomic.h"
#include "apr_strings.h"

/* How often a process looks whether the file has changed. */
#define LOOK_EVERY apr_time_from_sec(5)

typedef struct m307_database_t {
    const char *path;
    m307_versions_t versions;
    volatile apr_uint32_t busy; /* a thread looks */
    volatile apr_time_t next_look;
    r307_table_source_t last;   /* what was opened or refused last */
} m307_database_t;

static apr_status_t open_version(m307_database_t *db, r307_error_t *err)
{
    apr_pool_t *pool;
    r307_mmdb_t *mmdb;
    apr_status_t rv = apr_pool_create_unmanaged_ex(&pool, NULL, NULL);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = r307_mmdb_open(pool, db->path, &mmdb, err);
    if (rv == APR_SUCCESS) {
        rv = m307_version_install(&db->versions, mmdb, pool);
    }
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(pool);
    }
    return rv;
}

static apr_status_t forget(void *data)
{
    m307_version_clear(&((m307_database_t *)data)->versions);
    return APR_SUCCESS;
}

m307_database_t *m307_database_open(apr_pool_t *pconf, const char *path,
                                    r307_error_t *err)
{
    m307_database_t *db = apr_pcalloc(pconf, sizeof *db);

    db->path = path;
    r307_mmdb_stat(path, err->pool, &db->last);
    if (open_version(db, err) != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_cleanup_register(pconf, db, forget, apr_pool_cleanup_null);
    return db;
}

/* One thread at a time; a file that is bad is named once, and the one that
 * was good serves on. */
static void look(m307_database_t *db, request_rec *r)
{
    r307_error_t err = { r->pool, NULL };
    r307_table_source_t now;

    db->next_look = r->request_time + LOOK_EVERY;
    if (r307_mmdb_stat(db->path, r->pool, &now) != APR_SUCCESS) {
        memset(&now, 0, sizeof now);
    }
    if (memcmp(&now, &db->last, sizeof now) == 0) {
        return;
    }
    db->last = now;
    if (open_version(db, &err) == APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      "R307-0411: the database '%s' has changed and was "
                      "opened again", db->path);
    }
    else {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "R307-0412: %s; what was read before serves on",
                      err.text ? err.text : db->path);
    }
}

int m307_database_facts(m307_database_t *db, request_rec *r, unsigned fields,
                        r307_facts_t *facts)
{
    m307_version_t *version;
    int found = 0;

    if (r->request_time >= db->next_look
        && apr_atomic_cas32(&db->busy, 1, 0) == 0) {
        look(db, r);
        apr_atomic_set32(&db->busy, 0);
    }
    version = m307_version_acquire(&db->versions);
    if (version) {
        found = r307_mmdb_facts(version->data,
                                (const struct sockaddr *)
                                &r->useragent_addr->sa, fields, facts,
                                r->pool);
        m307_version_release(version);
    }
    return found;
}
