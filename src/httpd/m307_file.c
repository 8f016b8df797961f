/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns rule files next to the content (Redirect307File): which may be named,
 * and the cache in which each process keeps them parsed. Called by the
 * directive and by requests.
 *
 * A file is looked at on every request that comes by it (one stat) and
 * parsed again when device, inode, time or size have changed. A new version
 * that is bad is logged once; the last good one serves on.
 */
#include "httpd/m307_table.h"

#include "core/r307_hash.h"

#include "apr_hash.h"
#include "apr_strings.h"
#include "apr_thread_mutex.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>

/* Files that a process keeps parsed. The least recently used goes first. */
#define CACHE_MAX 256

/* What one context may use, another may be refused: nothing is kept for two
 * that differ in what they may do. So this is what a file is found by. No
 * padding: it is compared as bytes. */
typedef struct file_key_t {
    const void *allowed_hosts;
    const void *sites;
    apr_size_t size_max;
    apr_size_t outside;         /* it may lie outside of its directory */
    apr_size_t restricted;      /* it is named in .htaccess */
    apr_size_t dir_len;
    apr_size_t apart;           /* the path does not begin with that */
    char text[];                /* directory and path, or only the path that
                                 * begins with the directory; filled with
                                 * zeros to whole words, which hash faster */
} file_key_t;

typedef struct entry_t {
    apr_pool_t *pool;           /* for key; cleared with it */
    apr_pool_t *error_pool;     /* for error */
    const file_key_t *key;
    apr_ssize_t key_len;
    r307_table_source_t source; /* what versions.current was made from, or
                                 * what was refused last */
    m307_versions_t versions;
    apr_time_t used;
    const char *error;          /* of the last attempt, or NULL */
    struct entry_t *next_free;
} entry_t;

typedef struct cache_t {
    apr_pool_t *pool;
    apr_hash_t *entries;        /* file_key_t -> entry_t */
    entry_t *unused;            /* structs are used again, never freed */
    apr_thread_mutex_t *mutex;
} cache_t;

static cache_t cache;

typedef struct rulefile_t {
    m307_source_t source;
    r307_table_spec_t spec;     /* its path is in key */
    const char *dir;            /* what the file may not leave */
    file_key_t *key;
    apr_ssize_t key_len;
    /* In the server's configuration, where any of its virtual hosts may come
     * by; NULL in .htaccess: */
    server_rec *server;
    const char *config_file;
    int config_line;
} rulefile_t;

/* The limits that the server sets. */
static void set_limits(rulefile_t *file, const server_rec *s)
{
    const m307_server_conf_t *conf = m307_config_server(s);
    file_key_t *key = file->key;

    file->spec.size_max = key->size_max = conf->file_max == M307_UNSET
        ? M307_FILE_MAX_DEFAULT : (apr_size_t)conf->file_max;
    file->spec.allowed_hosts = conf->allowed_hosts;
    file->spec.sites = conf->sites;
    key->allowed_hosts = conf->allowed_hosts;
    key->sites = conf->sites;
    key->outside = conf->file_outside == 1;
}

/* As that server sees it. */
static rulefile_t * __attribute__((noinline)) limited(
    const rulefile_t *file, const server_rec *s, apr_pool_t *pool)
{
    rulefile_t *copy = apr_pmemdup(pool, file, sizeof *file);

    copy->key = apr_pmemdup(pool, file->key, (apr_size_t)file->key_len);
    set_limits(copy, s);
    return copy;
}

/* APR's own goes byte by byte. The text tells nearly all keys apart. */
static unsigned int hash_key(const char *key, apr_ssize_t *len)
{
    apr_size_t head = offsetof(file_key_t, text);
    apr_uint64_t hash = r307_hash_bytes(R307_HASH_SEED, key + head,
                                        (apr_size_t)*len - head);

    return (unsigned int)(hash ^ hash >> 32);
}

void m307_file_child_init(apr_pool_t *pchild, server_rec *s)
{
    apr_allocator_t *allocator;

    (void)s;
    memset(&cache, 0, sizeof cache);
    /* An allocator of its own: this pool grows while other threads use
     * theirs. */
    if (apr_allocator_create(&allocator) == APR_SUCCESS
        && apr_pool_create_ex(&cache.pool, pchild, NULL, allocator)
           == APR_SUCCESS) {
        apr_allocator_owner_set(allocator, cache.pool);
        apr_pool_tag(cache.pool, "redirect307_files");
        cache.entries = apr_hash_make_custom(cache.pool, hash_key);
        apr_thread_mutex_create(&cache.mutex, APR_THREAD_MUTEX_DEFAULT,
                                cache.pool);
    }
}

/* ---- the cache; its mutex is held ---- */

static entry_t *oldest_entry(apr_pool_t *pool)
{
    apr_hash_index_t *i;
    entry_t *oldest = NULL;

    for (i = apr_hash_first(pool, cache.entries); i; i = apr_hash_next(i)) {
        void *value;
        apr_hash_this(i, NULL, NULL, &value);
        if (!oldest || ((entry_t *)value)->used < oldest->used) {
            oldest = value;
        }
    }
    return oldest;
}

static void evict(entry_t *entry)
{
    apr_hash_set(cache.entries, entry->key, entry->key_len, NULL);
    m307_version_clear(&entry->versions);
    entry->error = NULL;
    apr_pool_clear(entry->pool);
    apr_pool_clear(entry->error_pool);
    entry->next_free = cache.unused;
    cache.unused = entry;
}

static entry_t * __attribute__((noinline)) add_entry(const rulefile_t *file,
                                                     apr_pool_t *pool)
{
    entry_t *entry;

    if (apr_hash_count(cache.entries) >= CACHE_MAX) {
        evict(oldest_entry(pool));
    }
    entry = cache.unused;
    if (entry) {
        cache.unused = entry->next_free;
        memset(&entry->source, 0, sizeof entry->source);
    }
    else {
        entry = apr_pcalloc(cache.pool, sizeof *entry);
        apr_pool_create(&entry->pool, cache.pool);
        apr_pool_create(&entry->error_pool, cache.pool);
    }
    entry->key_len = file->key_len;
    entry->key = apr_pmemdup(entry->pool, file->key,
                             (apr_size_t)file->key_len);
    apr_hash_set(cache.entries, entry->key, entry->key_len, entry);
    return entry;
}

static entry_t *find_entry(const rulefile_t *file, apr_pool_t *pool)
{
    entry_t *entry = apr_hash_get(cache.entries, file->key, file->key_len);

    return entry ? entry : add_entry(file, pool);
}

/* ---- reading a file ---- */

/* Links are followed only inside of the directory. */
static const char *leaves_directory(const rulefile_t *file, apr_pool_t *pool)
{
    char real_dir[PATH_MAX], real_file[PATH_MAX];
    apr_size_t len;

    if (file->key->outside || !realpath(file->dir, real_dir)
        || !realpath(file->spec.path, real_file)) {
        return NULL;            /* what is missing is said by who opens it */
    }
    len = strlen(real_dir);
    if (strncmp(real_dir, real_file, len) == 0
        && (real_file[len] == '/' || real_dir[len - 1] == '/')) {
        return NULL;
    }
    return apr_psprintf(pool, "R307-0640: the rule file '%s' lies outside of "
                        "its directory; move it there, or allow this with "
                        "Redirect307FileOutside On in the server "
                        "configuration", file->spec.path);
}

static apr_status_t parse_file(const rulefile_t *file, apr_pool_t *pool,
                               r307_table_t **table, r307_error_t *err)
{
    r307_table_report_t report;
    apr_status_t rv;

    err->text = leaves_directory(file, err->pool);
    if (err->text) {
        return APR_EACCES;
    }
    rv = r307_table_compile_memory(&file->spec, pool, table, &report, err);
    if (rv != APR_SUCCESS && report.nerrors) {
        err->text = apr_pstrcat(err->pool, err->text, "; ", report.errors[0],
                                NULL);
    }
    return rv;
}

static void refresh_entry(entry_t *entry, const rulefile_t *file,
                          const r307_table_source_t *source, request_rec *r)
{
    r307_error_t err = { r->pool, NULL };
    r307_table_t *table;
    apr_pool_t *pool;

    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS) {
        return;
    }
    entry->source = *source;
    entry->error = NULL;
    apr_pool_clear(entry->error_pool);
    if (parse_file(file, pool, &table, &err) == APR_SUCCESS
        && m307_version_install(&entry->versions, table, pool)
           == APR_SUCCESS) {
        return;
    }
    apr_pool_destroy(pool);
    entry->error = apr_pstrdup(entry->error_pool, err.text ? err.text
                               : "too many of its versions are in use");
    if (entry->versions.current) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "R307-0641: %s; its last "
                      "good version serves on", entry->error);
    }
}

/* The source as it is; a missing file is a source of its own kind. */
static void look_at(const rulefile_t *file, apr_pool_t *pool,
                    r307_table_source_t *source)
{
    apr_status_t rv = r307_table_stat(&file->spec, pool, source);

    if (rv != APR_SUCCESS) {
        memset(source, 0, sizeof *source);
        source->settings = (apr_uint64_t)rv << 32;
    }
}

static m307_version_t *acquire(m307_source_t *source, request_rec *r,
                               const char **reason)
{
    rulefile_t *file = (rulefile_t *)source;
    r307_table_source_t now;
    m307_version_t *version;
    entry_t *entry;

    if (file->server) {
        file = limited(file, r->server, r->pool);
    }
    look_at(file, r->pool, &now);
    apr_thread_mutex_lock(cache.mutex);
    entry = find_entry(file, r->pool);
    entry->used = r->request_time;
    if (memcmp(&entry->source, &now, sizeof now) != 0) {
        refresh_entry(entry, file, &now, r);
    }
    version = m307_version_acquire(&entry->versions);
    if (!version) {
        *reason = entry->error ? apr_pstrdup(r->pool, entry->error)
            : "there is no memory for its rules";
    }
    apr_thread_mutex_unlock(cache.mutex);
    return version;
}

/* ---- Redirect307File ---- */

/* Rule files named in the server's configuration; rulefile_t *. */
static apr_array_header_t *all_files(apr_pool_t *pconf)
{
    return m307_config_list(pconf, "mod_redirect307:files");
}

int m307_file_check_all(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s)
{
    const apr_array_header_t *files = all_files(pconf);
    int i, result = OK;

    for (i = 0; i < files->nelts; i++) {
        rulefile_t *file = APR_ARRAY_IDX(files, i, rulefile_t *);
        r307_error_t err = { ptemp, NULL };
        r307_table_t *table;
        apr_pool_t *pool;

        apr_pool_create(&pool, ptemp);
        file = limited(file, file->server, ptemp);
        if (parse_file(file, pool, &table, &err) != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, s,
                         "R307-0644: %s:%d: %s", file->config_file,
                         file->config_line, err.text);
            result = HTTP_INTERNAL_SERVER_ERROR;
        }
        apr_pool_destroy(pool);
    }
    return result;
}

/* Fills path and key. .htaccess files are read on every request, so a plain
 * name is put behind the directory without more ado. */
static const char *set_path(const cmd_parms *cmd, const char *path,
                            rulefile_t *file)
{
    apr_size_t dir_len = strlen(cmd->path), slash, len, key_len;
    int apart = *path == '/' || strstr(path, "..");
    file_key_t *key;
    char *merged;

    if (apart) {
        if (apr_filepath_merge(&merged, cmd->path, path, 0, cmd->pool)
            != APR_SUCCESS) {
            return apr_psprintf(cmd->temp_pool, "R307-0642: Redirect307File "
                                "'%s' is not a path", path);
        }
        path = merged;
    }
    slash = !apart && cmd->path[dir_len - 1] != '/';
    len = strlen(path);
    key_len = APR_ALIGN(sizeof *key + dir_len + slash + len + 1,
                        sizeof(apr_uint64_t));
    key = apr_palloc(cmd->pool, key_len);
    memset(key, 0, sizeof *key);
    memset((char *)key + key_len - sizeof(apr_uint64_t), 0,
           sizeof(apr_uint64_t));
    key->restricted = file->spec.ctx != NULL;
    key->dir_len = dir_len;
    key->apart = (apr_size_t)apart;
    memcpy(key->text, cmd->path, dir_len);
    key->text[dir_len] = '/';
    memcpy(key->text + dir_len + slash, path, len + 1);
    file->dir = cmd->path;
    file->spec.path = apart ? key->text + dir_len : key->text;
    file->key = key;
    file->key_len = (apr_ssize_t)key_len;
    return NULL;
}

/* The path of such a section is a regular expression. */
static int in_matching_section(const cmd_parms *cmd)
{
    const ap_directive_t *d;

    for (d = cmd->directive->parent; d; d = d->parent) {
        if (ap_cstr_casecmp(d->directive, "<DirectoryMatch") == 0
            || (ap_cstr_casecmp(d->directive, "<Directory") == 0
                && d->args[0] == '~')) {
            return 1;
        }
    }
    return 0;
}

const char *m307_file_use(cmd_parms *cmd, m307_rules_t *rules,
                          const char *path)
{
    rulefile_t *file;
    /* outside of every section, as mostly in .htaccess, there is nothing to
     * check */
    const char *err = !cmd->directive->parent ? NULL
        : ap_check_cmd_context(cmd, NOT_IN_LOCATION | NOT_IN_FILES);

    if (err || !cmd->path || cmd->path[0] != '/'
        || in_matching_section(cmd)) {
        return "R307-0643: Redirect307File stands in a <Directory> section "
               "or an .htaccess file; for other places define a "
               "Redirect307Table";
    }
    file = apr_pcalloc(cmd->pool, sizeof *file);
    file->spec.ctx = m307_config_in_htaccess(cmd) ? M307_EXPR_RESTRICTED
                                                  : M307_EXPR_FULL;
    err = set_path(cmd, path, file);
    if (err) {
        return err;
    }
    file->source.acquire = acquire;
    file->spec.regex_flags = m307_config_regex_flags(1);
    file->spec.compile_expr = m307_expr_compile;
    if (m307_config_in_htaccess(cmd)) {
        set_limits(file, cmd->server);
    }
    else {
        file->server = cmd->server;
        file->config_file = cmd->directive->filename;
        file->config_line = cmd->directive->line_num;
        APR_ARRAY_PUSH(all_files(cmd->server->process->pconf), rulefile_t *)
            = file;
    }
    m307_config_add_source(cmd, rules, &file->source);
    return NULL;
}
