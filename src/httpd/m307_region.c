/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the memory that rules of the configuration are counted in: where it
 * comes from, that it outlives restarts, and what may be done with the file
 * that it can be. Must not know rules. Called by m307_counters.c.
 *
 * A file is allocated as a whole before it is mapped: a full disk is an
 * error at the start then, and not the end of a child later.
 */
#include "httpd/m307_counters.h"

#include "apr_mmap.h"
#include "apr_portable.h"
#include "apr_shm.h"
#include "apr_strings.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Slots of the smallest region. A larger one has twice what is needed. */
#define SLOTS_MIN 16384

/* What the parent process keeps over restarts. The name changes with the
 * layout: another version of the module may be loaded by then. */
#define KEPT "mod_redirect307:region-1"

/* Another server that starts with the same file is waited for so long. */
#define LOCK_TRIES 50
#define LOCK_PAUSE apr_time_from_msec(100)

typedef struct kept_t {
    void *memory;
    const char *file;           /* Redirect307Stats; "" for none */
} kept_t;

static apr_uint32_t slots_for(int wants)
{
    apr_uint32_t slots = SLOTS_MIN;

    while (slots < (apr_uint32_t)wants * 2) {
        slots *= 2;
    }
    return slots;
}

static apr_size_t region_len(apr_uint32_t slots)
{
    return (apr_size_t)r307_counter_len(slots, sizeof(r307_activity_t));
}

static void init_region(void *memory, apr_uint32_t slots)
{
    apr_time_t now = apr_time_now();
    apr_pool_t *pool;

    r307_counter_format(memory, slots, sizeof(r307_activity_t), 0, 1, now);
    apr_pool_create(&pool, NULL);
    r307_activity_init(r307_counter_over(memory, pool)->extra, now);
    apr_pool_destroy(pool);
}

/* ---- memory ---- */

static void *new_memory(apr_uint32_t slots, apr_pool_t *pool, server_rec *s)
{
    apr_size_t len = region_len(slots);
    apr_shm_t *shm;
    apr_status_t rv = apr_shm_create(&shm, len, NULL, pool);

    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s, "R307-0652: no shared "
                     "memory of %lu bytes for counters: nothing is counted",
                     (unsigned long)len);
        return NULL;
    }
    memset(apr_shm_baseaddr_get(shm), 0, len);
    init_region(apr_shm_baseaddr_get(shm), slots);
    return apr_shm_baseaddr_get(shm);
}

/* ---- Redirect307Stats ---- */

static int cannot(const char *file, const char *what, int code,
                  server_rec *s)
{
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT,
                 APR_FROM_OS_ERROR(code), s, "R307-0653: the file '%s' of "
                 "Redirect307Stats cannot be %s", file, what);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int lock(int fd)
{
    int tries = 0;

    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || ++tries == LOCK_TRIES) {
            return 0;
        }
        apr_sleep(LOCK_PAUSE);
    }
    return 1;
}

static void *map(int fd, apr_size_t len, apr_pool_t *pool)
{
    apr_os_file_t os_file = fd;
    apr_file_t *file;
    apr_mmap_t *mapped;

    return apr_os_file_put(&file, &os_file, APR_FOPEN_READ | APR_FOPEN_WRITE,
                           pool) == APR_SUCCESS
           && apr_mmap_create(&mapped, file, 0, len, APR_MMAP_READ
                              | APR_MMAP_WRITE, pool) == APR_SUCCESS
        ? mapped->mm : NULL;
}

static int new_file(int fd, const char *file, apr_uint32_t slots,
                    apr_pool_t *pool, server_rec *s, void **memory)
{
    int code = posix_fallocate(fd, 0, (off_t)region_len(slots));

    if (code) {
        (void)!ftruncate(fd, 0);
        return cannot(file, "written", code, s);
    }
    *memory = map(fd, region_len(slots), pool);
    if (!*memory) {
        return cannot(file, "mapped", errno, s);
    }
    init_region(*memory, slots);
    return OK;
}

/* Out of the way, for whoever wants to look at it. */
static int put_aside(const char *file, const char *why, apr_pool_t *pool,
                     server_rec *s)
{
    const char *aside = apr_psprintf(pool, "%s.damaged-%" APR_TIME_T_FMT,
                                     file, apr_time_sec(apr_time_now()));

    if (rename(file, aside) != 0) {
        return cannot(file, "renamed", errno, s);
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "R307-0654: the file '%s' "
                 "of Redirect307Stats cannot be used: %s; it is '%s' now, "
                 "and counting begins anew", file, why, aside);
    return OK;
}

static const char *judge(void *memory, apr_uint64_t len, apr_pool_t *pool,
                         int *foreign)
{
    const char *why = r307_counter_check(memory, len, foreign);

    if (!why && (((r307_counter_header_t *)memory)->extra_len
                 != sizeof(r307_activity_t)
                 || !r307_activity_check(r307_counter_over(memory,
                                                           pool)->extra))) {
        why = "it was made by another version of the module";
    }
    return why;
}

/* *memory NULL with OK: it was put aside. */
static int old_file(int fd, const char *file, apr_size_t len,
                    apr_pool_t *pool, server_rec *s, void **memory)
{
    const char *why;
    int foreign;

    *memory = map(fd, len, pool);
    if (!*memory) {
        return cannot(file, "mapped", errno, s);
    }
    why = judge(*memory, len, pool, &foreign);
    if (!why) {
        return OK;
    }
    *memory = NULL;
    if (foreign) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, s,
                     "R307-0655: the file '%s' of Redirect307Stats holds "
                     "something else and is not touched; name another",
                     file);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return put_aside(file, why, pool, s);
}

static int open_file(const char *file, apr_uint32_t slots, apr_pool_t *pool,
                     server_rec *s, void **memory)
{
    int status = OK, tries;

    *memory = NULL;
    for (tries = 0; tries < 2 && !*memory && status == OK; tries++) {
        int fd = open(file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        struct stat st;

        if (fd < 0) {
            return cannot(file, "opened", errno, s);
        }
        if (!lock(fd) || fstat(fd, &st) != 0) {
            status = cannot(file, "locked", errno, s);
        }
        else if (!S_ISREG(st.st_mode)) {
            status = cannot(file, "used: it is not a file", EINVAL, s);
        }
        else {
            status = st.st_size == 0
                ? new_file(fd, file, slots, pool, s, memory)
                : old_file(fd, file, (apr_size_t)st.st_size, pool, s, memory);
        }
        close(fd);              /* the mapping stays */
    }
    return status;
}

/* ---- the region ---- */

static void keep(void *memory, const char *file, apr_pool_t *pool)
{
    kept_t *kept = apr_palloc(pool, sizeof *kept);

    kept->memory = memory;
    kept->file = apr_pstrdup(pool, file ? file : "");
    /* the key is copied: this module is unloaded at a restart */
    apr_pool_userdata_set(kept, KEPT, NULL, pool);
}

/* Still there, and still understood by this version of the module. */
static void *kept_memory(const char *file, apr_pool_t *pool,
                         apr_pool_t *pconf)
{
    void *data = NULL;
    kept_t *kept;
    int foreign;

    apr_pool_userdata_get(&data, KEPT, pool);
    kept = data;
    if (!kept || strcmp(kept->file, file ? file : "") != 0) {
        return NULL;
    }
    return judge(kept->memory,
                 ((r307_counter_header_t *)kept->memory)->len, pconf,
                 &foreign) ? NULL : kept->memory;
}

int m307_region_open(const char *file, int wants, apr_pool_t *pconf,
                     server_rec *s, r307_counter_t **region)
{
    apr_pool_t *pool = s->process->pool;
    void *memory = kept_memory(file, pool, pconf);
    int status = OK;

    if (!memory) {
        if (file) {
            status = open_file(file, slots_for(wants), pool, s, &memory);
        }
        else {
            memory = new_memory(slots_for(wants), pool, s);
        }
        if (memory) {
            keep(memory, file, pool);
        }
    }
    *region = memory ? r307_counter_over(memory, pconf) : NULL;
    return status;
}

/* Requests that are being answered by children of before still count in the
 * old one; that is lost. */
r307_counter_t *m307_region_grow(r307_counter_t *old, const char *file,
                                 int wants, apr_pool_t *pconf,
                                 apr_pool_t *ptemp, server_rec *s)
{
    apr_pool_t *pool = s->process->pool;
    const char *temp = file ? apr_pstrcat(ptemp, file, ".new", NULL) : NULL;
    r307_counter_t *region;
    void *memory = NULL;

    if (file) {
        unlink(temp);
        if (open_file(temp, slots_for(wants), pool, s, &memory) != OK) {
            return NULL;
        }
    }
    else {
        memory = new_memory(slots_for(wants), pool, s);
    }
    if (!memory) {
        return NULL;
    }
    region = r307_counter_over(memory, pconf);
    r307_counter_copy(region, old);
    memcpy(region->extra, old->extra, sizeof(r307_activity_t));
    if (file && rename(temp, file) != 0) {
        cannot(file, "replaced", errno, s);
        return NULL;
    }
    keep(memory, file, pool);
    return region;
}
