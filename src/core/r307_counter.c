/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the form of blocks of counters, their files, and when a part of a
 * file is allocated. Must not know rules. Called by the server side; moving
 * counts is in r307_carry.c.
 */
#include "core/r307_counter.h"

#include "core/r307_block.h"

#include <apr_mmap.h>
#include <apr_portable.h>
#include <apr_strings.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096
#define CHUNK ((apr_uint32_t)1 << R307_COUNTER_CHUNK_BITS)

static apr_uint64_t padded(apr_uint64_t len)
{
    return (len + PAGE - 1) / PAGE * PAGE;
}

static apr_uint64_t ids_at(apr_uint32_t slots)
{
    return padded(sizeof(r307_counter_header_t))
        + padded((slots + CHUNK - 1) / CHUNK);
}

static apr_uint64_t extra_at(apr_uint32_t slots)
{
    return ids_at(slots) + padded(slots * (apr_uint64_t)sizeof(apr_uint64_t));
}

static apr_uint64_t tallies_at(apr_uint32_t slots, apr_size_t extra)
{
    return extra_at(slots) + padded(extra);
}

static apr_uint64_t rests_at(apr_uint32_t slots, apr_size_t extra)
{
    return tallies_at(slots, extra)
        + padded(slots * (apr_uint64_t)sizeof(r307_tally_t));
}

apr_uint64_t r307_counter_len(apr_uint32_t slots, apr_size_t extra)
{
    return rests_at(slots, extra)
        + padded(slots * (apr_uint64_t)sizeof(r307_rest_t));
}

static apr_uint64_t sum_of(const r307_counter_header_t *header)
{
    return r307_block_sum(0, header,
                          offsetof(r307_counter_header_t, header_sum));
}

void r307_counter_format(void *memory, apr_uint32_t slots, apr_size_t extra,
                         apr_uint64_t owner, int ready, apr_time_t now)
{
    r307_counter_header_t *header = memory;

    memcpy(header->magic, "R307CNT\n", 8);
    header->version = R307_COUNTER_VERSION;
    header->byte_order = 0x01020304;
    header->len = r307_counter_len(slots, extra);
    header->owner = owner;
    header->created = (apr_uint64_t)apr_time_sec(now);
    header->extra_len = extra;
    header->slots = slots;
    header->header_sum = sum_of(header);
    if (ready) {
        memset((char *)memory + padded(sizeof *header), 1,
               (slots + CHUNK - 1) / CHUNK);
    }
}

const char *r307_counter_check(const void *memory, apr_uint64_t len,
                               int *foreign)
{
    const r307_counter_header_t *header = memory;

    *foreign = len < sizeof header->magic
               || memcmp(header->magic, "R307CNT\n", 8) != 0;
    if (*foreign) {
        return "it is not a file of counters";
    }
    if (len < sizeof *header) {
        return "it is truncated";
    }
    if (header->byte_order != 0x01020304) {
        return "it was made on a machine with another byte order";
    }
    if (header->version != R307_COUNTER_VERSION) {
        return "it was made by another version of the module";
    }
    if (header->header_sum != sum_of(header)) {
        return "its header is damaged";
    }
    if (header->slots > R307_COUNTER_SLOTS_MAX || header->len != len
        || header->len != r307_counter_len(header->slots,
                                           header->extra_len)) {
        return "it is truncated";
    }
    return NULL;
}

r307_counter_t *r307_counter_over(void *memory, apr_pool_t *pool)
{
    r307_counter_t *counter = apr_pcalloc(pool, sizeof *counter);
    char *base = memory;
    apr_size_t extra;

    counter->header = memory;
    extra = (apr_size_t)counter->header->extra_len;
    counter->slots = counter->header->slots;
    counter->ready = (unsigned char *)base + padded(sizeof *counter->header);
    counter->ids = (apr_uint64_t *)(base + ids_at(counter->slots));
    counter->extra = base + extra_at(counter->slots);
    counter->tallies_at = tallies_at(counter->slots, extra);
    counter->tallies = (r307_tally_t *)(base + counter->tallies_at);
    counter->rests_at = rests_at(counter->slots, extra);
    counter->rests = (r307_rest_t *)(base + counter->rests_at);
    counter->fd = -1;
    return counter;
}

/* ---- files ---- */

static apr_status_t file_failed(const char *path, const char *what, int code,
                                r307_error_t *err)
{
    char why[120];

    r307_error_set(err, "R307-0650: the file of counters '%s' cannot be %s: "
                   "%s", path, what,
                   apr_strerror(APR_FROM_OS_ERROR(code), why, sizeof why));
    return APR_FROM_OS_ERROR(code);
}

static apr_status_t close_fd(void *fd)
{
    close((int)(apr_uintptr_t)fd);
    return APR_SUCCESS;
}

/* An open file and its mapping, both until pool is cleared. */
static apr_status_t map_file(int fd, apr_size_t len, apr_pool_t *pool,
                             void **memory)
{
    apr_os_file_t os_file = fd;
    apr_file_t *file;
    apr_mmap_t *map;
    apr_status_t rv;

    apr_pool_cleanup_register(pool, (void *)(apr_uintptr_t)fd, close_fd,
                              apr_pool_cleanup_null);
    rv = apr_os_file_put(&file, &os_file, APR_FOPEN_READ | APR_FOPEN_WRITE,
                         pool);
    if (rv == APR_SUCCESS) {
        rv = apr_mmap_create(&map, file, 0, len,
                             APR_MMAP_READ | APR_MMAP_WRITE, pool);
    }
    if (rv == APR_SUCCESS) {
        *memory = map->mm;
    }
    return rv;
}

/* All is allocated that lies before the tallies. */
static int lay_out(int fd, apr_uint32_t slots)
{
    int code = posix_fallocate(fd, 0, (off_t)tallies_at(slots, 0));

    if (code == 0 && ftruncate(fd, (off_t)r307_counter_len(slots, 0)) != 0) {
        code = errno;
    }
    return code;
}

apr_status_t r307_counter_create(const char *path, apr_uint32_t slots,
                                 apr_uint64_t owner,
                                 void (*fill)(const void *ctx,
                                              apr_uint64_t *ids,
                                              apr_uint32_t slots),
                                 const void *ctx, apr_pool_t *parent,
                                 r307_error_t *err)
{
    const char *temp = apr_psprintf(parent, "%s.%ld.new", path,
                                    (long)getpid());
    void *memory = NULL;
    apr_pool_t *pool;
    apr_status_t rv = APR_SUCCESS;
    int code = 0, fd;

    unlink(temp);               /* of an earlier process of that number */
    fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return file_failed(path, "created", errno, err);
    }
    apr_pool_create(&pool, parent);
    code = lay_out(fd, slots);
    rv = map_file(fd, (apr_size_t)r307_counter_len(slots, 0), pool, &memory);
    if (code == 0 && rv == APR_SUCCESS) {
        r307_counter_format(memory, slots, 0, owner, 0, apr_time_now());
        fill(ctx, r307_counter_over(memory, pool)->ids, slots);
        if (link(temp, path) != 0 && errno != EEXIST) {
            code = errno;
        }
    }
    apr_pool_destroy(pool);
    unlink(temp);
    return code || rv != APR_SUCCESS
        ? file_failed(path, "created", code ? code : APR_TO_OS_ERROR(rv), err)
        : APR_SUCCESS;
}

static apr_status_t bad_file(const char *path, const char *why,
                             r307_error_t *err)
{
    return r307_error_set(err, "R307-0651: the file of counters '%s' cannot "
                          "be used: %s; remove it to count anew", path, why);
}

/* fd passes to pool, or is closed. */
static apr_status_t view(const char *path, int fd, apr_pool_t *pool,
                         r307_counter_t **out, r307_error_t *err)
{
    const char *why;
    struct stat st;
    void *memory;
    int foreign;
    apr_status_t rv;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)
        || st.st_size < (off_t)sizeof(r307_counter_header_t)) {
        close(fd);
        return bad_file(path, "it is too short", err);
    }
    rv = map_file(fd, (apr_size_t)st.st_size, pool, &memory);
    if (rv != APR_SUCCESS) {
        return file_failed(path, "mapped", APR_TO_OS_ERROR(rv), err);
    }
    why = r307_counter_check(memory, (apr_uint64_t)st.st_size, &foreign);
    if (why) {
        return bad_file(path, why, err);
    }
    *out = r307_counter_over(memory, pool);
    (*out)->fd = fd;
    return APR_SUCCESS;
}

static int open_existing(const char *path)
{
    return open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
}

/* Whoever removes the file does so while it has the lock for itself. */
static int was_removed(int fd)
{
    struct stat st;

    return flock(fd, LOCK_SH) != 0 || fstat(fd, &st) != 0 || !st.st_nlink;
}

apr_status_t r307_counter_open(const char *path, apr_uint64_t owner,
                               apr_pool_t *pool, r307_counter_t **out,
                               r307_error_t *err)
{
    int fd = open_existing(path);
    apr_status_t rv;

    if (fd < 0 && errno != ENOENT) {
        return file_failed(path, "opened", errno, err);
    }
    if (fd < 0 || was_removed(fd)) {
        if (fd >= 0) {
            close(fd);
        }
        return APR_ENOENT;
    }
    rv = view(path, fd, pool, out, err);
    return rv == APR_SUCCESS && (*out)->header->owner != owner
        ? bad_file(path, "it counts for something else", err) : rv;
}

apr_status_t r307_counter_take(const char *path, apr_pool_t *pool,
                               r307_counter_t **out, int *alone,
                               r307_error_t *err)
{
    int fd = open_existing(path);

    *alone = 0;
    if (fd < 0) {
        return errno == ENOENT ? APR_ENOENT
                               : file_failed(path, "opened", errno, err);
    }
    *alone = flock(fd, LOCK_EX | LOCK_NB) == 0;
    return view(path, fd, pool, out, err);
}

/* flock() is given to the open file, which a fork shares: it is let go when
 * the last process that inherited it has gone. */
int r307_counter_is_used(const char *path)
{
    int fd = open_existing(path), used;

    if (fd < 0) {
        return 0;
    }
    used = flock(fd, LOCK_EX | LOCK_NB) != 0;
    close(fd);
    return used;
}

static int allocate(int fd, apr_uint64_t at, apr_uint64_t first,
                    apr_uint64_t n, apr_size_t size)
{
    return posix_fallocate(fd, (off_t)(at + first * size), (off_t)(n * size))
           == 0;
}

int r307_counter_prepare(r307_counter_t *counter, apr_uint32_t slot)
{
    apr_uint32_t chunk = slot >> R307_COUNTER_CHUNK_BITS;
    apr_uint64_t first = (apr_uint64_t)chunk << R307_COUNTER_CHUNK_BITS;
    apr_uint64_t n = counter->slots - first < CHUNK ? counter->slots - first
                                                    : CHUNK;

    if (counter->fd >= 0
        && (!allocate(counter->fd, counter->tallies_at, first, n,
                      sizeof *counter->tallies)
            || !allocate(counter->fd, counter->rests_at, first, n,
                         sizeof *counter->rests))) {
        return 0;
    }
    __atomic_store_n(&counter->ready[chunk], 1, __ATOMIC_RELEASE);
    return 1;
}

/* ---- slots ---- */

r307_count_t r307_counter_read(const r307_counter_t *counter,
                               apr_uint32_t slot)
{
    static const r307_count_t none;

    return r307_counter_is_ready(counter, slot)
        ? r307_tally_read(&counter->tallies[slot], &counter->rests[slot])
        : none;
}

void r307_counter_clear(r307_counter_t *counter, apr_uint32_t slot)
{
    memset(&counter->tallies[slot], 0, sizeof counter->tallies[slot]);
    memset(&counter->rests[slot], 0, sizeof counter->rests[slot]);
}

void r307_counter_copy(r307_counter_t *to, const r307_counter_t *from)
{
    memcpy(to->ids, from->ids, from->slots * sizeof *from->ids);
    memcpy(to->tallies, from->tallies, from->slots * sizeof *from->tallies);
    memcpy(to->rests, from->rests, from->slots * sizeof *from->rests);
}
