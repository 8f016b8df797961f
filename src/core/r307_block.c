/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns how a block comes into being: checksum, alignment, and the order of
 * write, sync and rename. Must not know what is in it. Called by compile.
 */
#include "core/r307_block.h"

#include "core/r307_temp.h"

#include <apr_strings.h>

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

/* A file is written in pieces of this size, at multiples of it: then file
 * systems that can do so cache it in large pages, and a request that looks
 * something up in a large table finds the address of its page sooner. */
#define STAGE_SIZE ((apr_size_t)2 << 20)

#define SUM_MUL APR_UINT64_C(0x9fb21c651e98df25)

apr_uint64_t r307_block_sum(apr_uint64_t sum, const void *data,
                            apr_size_t len)
{
    const char *s = data;
    apr_uint64_t word;

    for (; len >= 8; len -= 8, s += 8) {
        memcpy(&word, s, 8);
        sum = (sum ^ word) * SUM_MUL;
        sum ^= sum >> 29;
    }
    return sum;
}

static apr_status_t file_failed(const r307_block_t *block, const char *what,
                                apr_status_t rv, r307_error_t *err)
{
    char why[120];

    r307_error_set(err, "R307-0520: the table file '%s' cannot be %s: %s",
                   block->to, what, apr_strerror(rv, why, sizeof why));
    return rv;
}

apr_status_t r307_block_create_file(r307_block_t *block, const char *to,
                                    apr_pool_t *pool, r307_error_t *err)
{
    apr_status_t rv;

    memset(block, 0, sizeof *block);
    block->pool = pool;
    block->to = to;
    block->stage = apr_palloc(pool, STAGE_SIZE);
    block->len = block->staged = sizeof(r307_table_header_t);
    memset(block->stage, 0, block->staged);     /* known in the end */
    rv = r307_temp_create(&block->file, &block->temp, to, pool);
    return rv == APR_SUCCESS ? rv : file_failed(block, "created", rv, err);
}

static apr_status_t free_memory(void *memory)
{
    free(memory);
    return APR_SUCCESS;
}

void r307_block_create_memory(r307_block_t *block, apr_pool_t *pool)
{
    memset(block, 0, sizeof *block);
    block->pool = pool;
    block->len = sizeof(r307_table_header_t);
}

static apr_status_t grow(r307_block_t *block, apr_size_t len)
{
    apr_size_t room = block->room ? block->room : 65536;
    char *memory;

    while (room - block->len < len) {
        room *= 2;
    }
    if (room == block->room) {
        return APR_SUCCESS;
    }
    memory = realloc(block->memory, room);
    if (!memory) {
        return APR_ENOMEM;
    }
    if (block->memory) {
        apr_pool_cleanup_kill(block->pool, block->memory, free_memory);
    }
    apr_pool_cleanup_register(block->pool, memory, free_memory,
                              apr_pool_cleanup_null);
    block->memory = memory;
    block->room = room;
    return APR_SUCCESS;
}

static apr_status_t flush(r307_block_t *block)
{
    apr_size_t len = block->staged;

    block->staged = 0;
    return apr_file_write_full(block->file, block->stage, len, NULL);
}

static apr_status_t write_file(r307_block_t *block, const char *data,
                               apr_size_t len)
{
    apr_status_t rv = APR_SUCCESS;

    while (len > 0 && rv == APR_SUCCESS) {
        apr_size_t n = STAGE_SIZE - block->staged;

        n = len < n ? len : n;
        memcpy(block->stage + block->staged, data, n);
        block->staged += n;
        data += n;
        len -= n;
        if (block->staged == STAGE_SIZE) {
            rv = flush(block);
        }
    }
    return rv;
}

apr_status_t r307_block_add(void *ctx, const void *data, apr_size_t len)
{
    r307_block_t *block = ctx;
    apr_status_t rv = APR_SUCCESS;

    block->sum = r307_block_sum(block->sum, data, len);
    if (block->file) {
        rv = write_file(block, data, len);
    }
    else if ((rv = grow(block, len)) == APR_SUCCESS && len) {
        memcpy(block->memory + block->len, data, len);
    }
    block->len += len;
    return rv;
}

apr_status_t r307_block_finish(r307_block_t *block,
                               r307_table_header_t *header)
{
    apr_off_t start = 0;
    apr_status_t rv;

    memcpy(header->magic, "R307TBL\n", 8);
    header->version = R307_TABLE_VERSION;
    header->byte_order = 0x01020304;
    header->file_len = block->len;
    header->payload_sum = block->sum;
    header->header_sum =
        r307_block_sum(0, header, offsetof(r307_table_header_t, header_sum));
    if (!block->file) {
        if ((rv = grow(block, 0)) == APR_SUCCESS) {
            memcpy(block->memory, header, sizeof *header);
        }
        return rv;
    }
    rv = flush(block);
    if (rv == APR_SUCCESS) {
        rv = apr_file_seek(block->file, APR_SET, &start);
    }
    return rv == APR_SUCCESS
        ? apr_file_write_full(block->file, header, sizeof *header, NULL) : rv;
}

/* The rename is on disk only when the directory is. */
static void sync_directory(const r307_block_t *block)
{
    const char *slash = strrchr(block->to, '/');
    const char *dir = slash ? apr_pstrmemdup(block->pool, block->to,
                                             (apr_size_t)(slash - block->to)
                                             + 1) : ".";
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

apr_status_t r307_block_close(r307_block_t *block, apr_status_t rv,
                              r307_error_t *err)
{
    const char *what = "written";

    if (rv == APR_SUCCESS) {
        rv = apr_file_sync(block->file);
    }
    if (rv == APR_SUCCESS) {
        what = "put in place";
        rv = apr_file_rename(block->temp, block->to, block->pool);
    }
    if (rv != APR_SUCCESS) {
        apr_file_remove(block->temp, block->pool);
    }
    /* Not earlier: the lock is what keeps others from sweeping it away. All
     * that closing could say was said by the sync. */
    apr_file_close(block->file);
    if (rv != APR_SUCCESS) {
        return file_failed(block, what, rv, err);
    }
    sync_directory(block);
    return APR_SUCCESS;
}
