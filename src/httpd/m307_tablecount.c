/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the files that rules of tables are counted in. Must not know what is
 * counted. Called when a table is opened, and by the watchdog.
 *
 * NAME.table has NAME.counts.HASH beside it, where HASH is that of the
 * table's content. So each version of a table has counters of its own, two
 * processes agree on their name without talking, and a source that was only
 * touched keeps its. When a new version has come, requests that hold the one
 * before still count in its file. What they count is moved to the new file
 * again and again, until no process has the old one open; then it is
 * removed. So nothing is lost, and nothing is counted twice.
 */
#include "httpd/m307_counters.h"

#include "core/r307_identity.h"

#include "apr_fnmatch.h"
#include "apr_strings.h"
#include "unixd.h"

#include <errno.h>
#include <unistd.h>

#define HASH_DIGITS 16

/* Files of earlier versions are looked for after a second, and when some are
 * found that are in use, after two, four, up to this. */
#define PAUSE_MAX apr_time_from_sec(64)

/* Old files of one table that are dealt with at a time. */
#define OLD_MAX 64

int m307_tablecount_wanted(server_rec *s)
{
    return m307_config_server(s)->counters != 0;
}

/* "/state/NAME.counts." */
static const char *stem_of(const m307_table_t *table, apr_pool_t *pool)
{
    apr_size_t len = strlen(table->file) - strlen(".table");

    return apr_pstrcat(pool, apr_pstrmemdup(pool, table->file, len),
                       ".counts.", NULL);
}

static const char *file_of(const m307_table_t *table, apr_uint64_t owner,
                           apr_pool_t *pool)
{
    return apr_psprintf(pool, "%s%016" APR_UINT64_T_HEX_FMT,
                        stem_of(table, pool), owner);
}

/* ---- opening ---- */

static apr_status_t make(const char *path, r307_table_t *opened,
                         apr_uint64_t owner, apr_pool_t *pool,
                         r307_error_t *err)
{
    apr_status_t rv =
        r307_counter_create(path, r307_identity_slots(opened), owner,
                            r307_identity_fill, opened, pool, err);

    if (rv == APR_SUCCESS && geteuid() == 0
        && lchown(path, ap_unixd_config.user_id, ap_unixd_config.group_id)
           != 0) {
        rv = APR_FROM_OS_ERROR(errno);
        err->text = "it cannot be given to httpd's User";
    }
    return rv;
}

void m307_tablecount_attach(const m307_table_t *table, r307_table_t *opened,
                            apr_pool_t *pool, server_rec *s)
{
    apr_uint64_t owner = r307_identity_table(opened);
    const char *path = file_of(table, owner, pool);
    r307_error_t err = { pool, NULL };
    r307_counter_t *counter = NULL;
    apr_status_t rv = APR_ENOENT;
    int tries;

    for (tries = 0; tries < 3 && rv != APR_SUCCESS
         && m307_tablecount_wanted(s); tries++) {
        rv = r307_counter_open(path, owner, pool, &counter, &err);
        if (rv == APR_ENOENT) {
            rv = make(path, opened, owner, pool, &err);
            if (rv != APR_SUCCESS) {
                break;
            }
            rv = r307_counter_open(path, owner, pool, &counter, &err);
        }
        else if (rv == APR_EINVAL) {
            unlink(path);       /* counting begins anew; said below */
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "R307-0656: table "
                         "%s: %s; it was removed", table->name, err.text);
        }
    }
    if (rv != APR_SUCCESS && m307_tablecount_wanted(s)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s, "R307-0657: table %s "
                     "serves without counters: %s", table->name,
                     err.text ? err.text : path);
    }
    r307_table_count_in(opened, rv == APR_SUCCESS ? counter : NULL, pool);
}

/* ---- following ---- */

/* Is it the name of a file of counters of that table, with another hash? */
static int is_old(const char *name, const char *stem, const char *current)
{
    apr_size_t len = strlen(stem);

    return strncmp(name, stem, len) == 0 && strcmp(name, current) != 0
           && strlen(name + len) == HASH_DIGITS
           && strspn(name + len, "0123456789abcdef") == HASH_DIGITS;
}

/* What is in it moves; 1: it is in use and stays. */
static int follow_file(const m307_table_t *table, const char *path,
                       r307_counter_t *current, apr_pool_t *parent)
{
    r307_error_t err = { parent, NULL };
    apr_uint32_t moved = 0;
    r307_counter_t *old;
    apr_pool_t *pool;
    int alone;

    apr_pool_create(&pool, parent);
    if (r307_counter_take(path, pool, &old, &alone, &err) == APR_SUCCESS) {
        moved = r307_counter_carry(old, current, pool);
    }
    if (alone) {
        unlink(path);
    }
    if (moved) {
        ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, table->server, "R307-0658: "
                     "table %s: counts of %u rules follow the new version",
                     table->name, (unsigned)moved);
    }
    apr_pool_destroy(pool);
    return !alone;
}

static int follow_table(const m307_table_t *table, r307_counter_t *current,
                        apr_uint64_t owner, apr_pool_t *pool)
{
    const char *path = file_of(table, owner, pool);
    const char *stem = stem_of(table, pool), *slash = strrchr(stem, '/');
    const char *dir = apr_pstrmemdup(pool, stem, (apr_size_t)(slash - stem));
    apr_finfo_t info;
    apr_dir_t *entries;
    int used = 0, n = 0;

    if (apr_dir_open(&entries, dir, pool) != APR_SUCCESS) {
        return 0;
    }
    while (n < OLD_MAX
           && apr_dir_read(&info, APR_FINFO_NAME, entries) == APR_SUCCESS) {
        if (is_old(info.name, slash + 1, path + (slash + 1 - stem))) {
            n++;
            used |= follow_file(table, apr_pstrcat(pool, dir, "/", info.name,
                                                   NULL), current, pool);
        }
    }
    apr_dir_close(entries);
    return used;
}

void m307_tablecount_follow(const apr_array_header_t *tables,
                            apr_pool_t *ptemp, apr_time_t now)
{
    int i;

    for (i = 0; i < tables->nelts; i++) {
        m307_table_t *table = APR_ARRAY_IDX(tables, i, m307_table_t *);
        m307_version_t *version;
        r307_counter_t *counter;
        int used = 0;

        if (now && now < table->next_follow) {
            continue;
        }
        version = m307_version_acquire(&table->versions);
        counter = version ? r307_table_counter(version->data) : NULL;
        if (counter) {
            used = follow_table(table, counter,
                                r307_identity_table(version->data), ptemp);
        }
        if (version) {
            m307_version_release(version);
        }
        table->follow_pause = !used ? PAUSE_MAX
            : table->follow_pause * 2 < PAUSE_MAX && table->follow_pause
            ? table->follow_pause * 2 : apr_time_from_sec(1);
        table->next_follow = now + table->follow_pause;
    }
}
