/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the names of files that are being written, and what is left of them
 * when their writer is killed. Must not know what is in them. Called by block.
 *
 * The lock tells files that are being written from those that were left: it
 * ends with the process, however that ends. Process ids would not do, since
 * they are used again, in a container at once.
 */
#include "core/r307_temp.h"

#include <apr_lib.h>
#include <apr_portable.h>
#include <apr_strings.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names that one process tries: more than it has threads that write. */
#define NAMES_MAX 16

/* Files removed at a time. The next writer goes on. */
#define SWEEP_MAX 64

#define INFIX ".new."

/* ---- what was left ---- */

static const char *skip_digits(const char *s, int max)
{
    const char *end = s;

    while (end - s < max && apr_isdigit(*end)) {
        end++;
    }
    return end == s ? NULL : end;
}

/* BASE.new.PID.N and nothing else? */
static int is_temp_of(const char *base, const char *name)
{
    apr_size_t len = strlen(base);
    const char *s = name + len;

    if (strncmp(name, base, len) != 0
        || strncmp(s, INFIX, sizeof INFIX - 1) != 0) {
        return 0;
    }
    s = skip_digits(s + sizeof INFIX - 1, 10);
    s = s && *s == '.' ? skip_digits(s + 1, 2) : NULL;
    return s && *s == '\0';
}

/* Does the name still stand for the open file? Its writer may have renamed
 * it and begun another one. */
static int is_still(const char *path, int fd)
{
    struct stat opened, named;

    return fstat(fd, &opened) == 0 && lstat(path, &named) == 0
           && opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/* Returns 1 when it was removed. */
static int remove_left(const char *path)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int removed;

    if (fd < 0) {
        return 0;
    }
    removed = flock(fd, LOCK_EX | LOCK_NB) == 0 && is_still(path, fd)
              && unlink(path) == 0;
    close(fd);
    return removed;
}

void r307_temp_sweep(const char *to, apr_pool_t *pool)
{
    const char *slash = strrchr(to, '/');
    const char *dir = slash ? apr_pstrmemdup(pool, to,
                                             (apr_size_t)(slash - to) + 1)
                            : "./";
    const char *base = slash ? slash + 1 : to;
    apr_finfo_t entry;
    apr_dir_t *d;
    int removed = 0;

    if (apr_dir_open(&d, dir, pool) != APR_SUCCESS) {
        return;
    }
    while (removed < SWEEP_MAX
           && apr_dir_read(&entry, APR_FINFO_NAME, d) == APR_SUCCESS) {
        if (is_temp_of(base, entry.name)) {
            removed += remove_left(apr_pstrcat(pool, dir, entry.name, NULL));
        }
    }
    apr_dir_close(d);
}

/* ---- a new one ---- */

/* 0: somebody else sweeps just now, and has taken it for one that was left.
 * A file system without locks has no sweepers either. */
static int lock(apr_file_t *file)
{
    apr_os_file_t fd;
    struct stat info;

    if (apr_os_file_get(&fd, file) != APR_SUCCESS) {
        return 0;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        return 0;
    }
    return fstat(fd, &info) == 0 && info.st_nlink > 0;
}

apr_status_t r307_temp_create(apr_file_t **file, const char **name,
                              const char *to, apr_pool_t *pool)
{
    apr_status_t rv = APR_EEXIST;
    int n;

    r307_temp_sweep(to, pool);
    for (n = 0; n < NAMES_MAX && APR_STATUS_IS_EEXIST(rv); n++) {
        *name = apr_psprintf(pool, "%s" INFIX "%ld.%d", to, (long)getpid(),
                             n);
        rv = apr_file_open(file, *name, APR_FOPEN_WRITE | APR_FOPEN_CREATE
                           | APR_FOPEN_EXCL,
                           APR_FPROT_UREAD | APR_FPROT_UWRITE, pool);
        if (rv == APR_SUCCESS && !lock(*file)) {
            apr_file_close(*file);
            rv = APR_EEXIST;
        }
    }
    return rv;
}
