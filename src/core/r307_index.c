/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns how an index is built: records, keys, slots. Must not know targets,
 * conditions or files. Called by ruleset and by the compiler of tables.
 */
#include "core/r307_index.h"

#include "core/r307_hash.h"

#include <string.h>

#include <stdlib.h>

/* ---- keys ---- */

/* The part of a path that is its key: without a final slash, and no deeper
 * than keys go. path begins with '/', or is "", and holds no doubled
 * slashes. Returns its length; 0 for the root. */
static apr_size_t key_len(const char *path, apr_size_t len,
                          apr_uint32_t *depth)
{
    apr_size_t i;

    *depth = 0;
    len -= len > 0 && path[len - 1] == '/';
    for (i = 0; i < len; i++) {
        if (path[i] == '/' && (*depth)++ == R307_INDEX_DEPTH_MAX) {
            *depth = R307_INDEX_DEPTH_MAX;
            return i;
        }
    }
    return len;
}

static apr_uint64_t hash_path(const char *path, apr_size_t len)
{
    apr_uint32_t depth;
    apr_size_t n = key_len(path, len, &depth);

    return n ? r307_hash_bytes(R307_HASH_SEED, path + 1, n - 1)
             : R307_HASH_SEED;
}

/* ---- building ---- */

/* Records are gathered in blocks, so that growing never copies them. */
#define BLOCK_BITS 22
#define BLOCK_SIZE ((apr_size_t)1 << BLOCK_BITS)
#define BLOCKS_MAX 4096         /* 16 GiB */

struct r307_indexer_t {
    r307_index_info_t info;
    apr_pool_t *pool;
    char *blocks[BLOCKS_MAX];
    apr_uint64_t used;          /* bytes, over all blocks */
    r307_slot_t *slots;
    r307_ref_t *tails;          /* last record of each slot's key */
    apr_uint64_t keys;
};

/* Every other slot is taken: then a key that is not there is known after two
 * and a half slots, and that is what most requests ask for. */
static apr_uint64_t slots_for(apr_uint64_t keys)
{
    return keys * 2 + 4;
}

static char *block_at(const r307_indexer_t *ix, apr_uint64_t offset)
{
    return ix->blocks[offset >> BLOCK_BITS] + (offset & (BLOCK_SIZE - 1));
}

static r307_record_t *record_at(const r307_indexer_t *ix, r307_ref_t ref)
{
    return (r307_record_t *)block_at(ix, (apr_uint64_t)(ref - 1) * 4);
}

static apr_status_t cleanup(void *data)
{
    r307_indexer_t *ix = data;
    int i;

    for (i = 0; i < BLOCKS_MAX && ix->blocks[i]; i++) {
        free(ix->blocks[i]);
        ix->blocks[i] = NULL;
    }
    free(ix->slots);
    free(ix->tails);
    ix->slots = NULL;
    ix->tails = NULL;
    return APR_SUCCESS;
}

static int alloc_slots(r307_indexer_t *ix, apr_uint64_t count)
{
    ix->slots = calloc(count, sizeof *ix->slots);
    ix->tails = calloc(count, sizeof *ix->tails);
    ix->info.slot_count = count;
    return ix->slots && ix->tails;
}

r307_indexer_t *r307_indexer_create(apr_pool_t *pool, apr_size_t expected,
                                    apr_uint32_t hash_mask)
{
    r307_indexer_t *ix = apr_pcalloc(pool, sizeof *ix);

    ix->pool = pool;
    ix->info.hash_mask = hash_mask;
    apr_pool_cleanup_register(pool, ix, cleanup, apr_pool_cleanup_null);
    return alloc_slots(ix, slots_for(expected)) ? ix : NULL;
}

void r307_indexer_destroy(r307_indexer_t *ix)
{
    apr_pool_cleanup_run(ix->pool, ix, cleanup);
}

static apr_uint64_t hash_record(const r307_index_info_t *info,
                                const r307_record_t *rec)
{
    return r307_hash_key(info->hash_mask,
                         hash_path(r307_record_path(rec), rec->path_len),
                         rec->host_len
                         ? r307_hash_host(r307_record_host(rec),
                                          rec->host_len) : 0);
}

static int same_key(const r307_record_t *a, const r307_record_t *b)
{
    const char *a_path = r307_record_path(a), *b_path = r307_record_path(b);
    apr_uint32_t depth;
    apr_size_t len = key_len(a_path, a->path_len, &depth);

    return a->host_len == b->host_len
           && memcmp(r307_record_host(a), r307_record_host(b), a->host_len)
              == 0
           && key_len(b_path, b->path_len, &depth) == len
           && memcmp(a_path, b_path, len) == 0;
}

/* Put the record's ref into the table; records of one key are linked in the
 * order in which they come. */
static void file_record(r307_indexer_t *ix, r307_ref_t ref, apr_uint64_t hash)
{
    apr_uint64_t i = r307_hash_slot(hash, ix->info.slot_count);
    apr_uint32_t tag = (apr_uint32_t)(hash >> 32);

    for (; ix->slots[i].ref; i = i + 1 < ix->info.slot_count ? i + 1 : 0) {
        if (ix->slots[i].tag == tag
            && same_key(record_at(ix, ix->slots[i].ref),
                        record_at(ix, ref))) {
            record_at(ix, ix->tails[i])->next = ref;
            ix->tails[i] = ref;
            return;
        }
    }
    ix->slots[i].tag = tag;
    ix->slots[i].ref = ref;
    ix->tails[i] = ref;
    ix->keys++;
}

/* A table that has become too full is laid out anew. Only the first record
 * of each key moves; the links stay. */
static apr_status_t grow_slots(r307_indexer_t *ix)
{
    r307_slot_t *old = ix->slots;
    r307_ref_t *old_tails = ix->tails;
    apr_uint64_t n = ix->info.slot_count, i, j;

    if (!alloc_slots(ix, slots_for(ix->keys * 2))) {
        free(old);
        free(old_tails);
        return APR_ENOMEM;
    }
    for (i = 0; i < n; i++) {
        apr_uint64_t hash;
        if (!old[i].ref) {
            continue;
        }
        hash = hash_record(&ix->info, record_at(ix, old[i].ref));
        for (j = r307_hash_slot(hash, ix->info.slot_count); ix->slots[j].ref;) {
            j = j + 1 < ix->info.slot_count ? j + 1 : 0;
        }
        ix->slots[j] = old[i];
        ix->tails[j] = old_tails[i];
    }
    free(old);
    free(old_tails);
    return APR_SUCCESS;
}

/* Room for a record of that size, not across blocks. */
static apr_status_t reserve(r307_indexer_t *ix, apr_size_t size,
                            apr_uint64_t *offset)
{
    apr_uint64_t at = ix->used;

    if ((at & (BLOCK_SIZE - 1)) + size > BLOCK_SIZE) {
        at = (at | (BLOCK_SIZE - 1)) + 1;
    }
    if (at >> BLOCK_BITS >= BLOCKS_MAX) {
        return APR_ENOSPC;
    }
    if (!ix->blocks[at >> BLOCK_BITS]) {
        ix->blocks[at >> BLOCK_BITS] = calloc(1, BLOCK_SIZE);
        if (!ix->blocks[at >> BLOCK_BITS]) {
            return APR_ENOMEM;
        }
    }
    *offset = at;
    ix->used = at + size;
    return APR_SUCCESS;
}

static void note_depth(r307_index_info_t *info, const r307_record_t *rec)
{
    apr_uint32_t depth;

    key_len(r307_record_path(rec), rec->path_len, &depth);
    info->depths |= APR_UINT64_C(1) << depth;
    if (depth > info->max_depth) {
        info->max_depth = depth;
    }
    if (rec->host_len) {
        info->flags |= R307_INDEX_HOSTS;
        if (r307_record_host(rec)[0] == '*') {
            info->flags |= R307_INDEX_WILDCARDS;
        }
    }
    info->flags |= r307_index_kind_flag((r307_rule_kind_t)rec->kind);
    info->rules++;
}

static apr_size_t len_of(const char *s)
{
    return s ? strlen(s) : 0;
}

/* Room for one more record, and its key. */
static apr_status_t make_room(r307_indexer_t *ix, apr_size_t size,
                              apr_uint64_t *offset)
{
    apr_status_t rv = reserve(ix, (size + 3) & ~(apr_size_t)3, offset);

    return rv == APR_SUCCESS && ix->keys >= ix->info.slot_count / 4 * 3
        ? grow_slots(ix) : rv;
}

/* The record is complete: find it from now on. */
static void take_record(r307_indexer_t *ix, apr_uint64_t offset,
                        r307_ref_t *ref)
{
    r307_record_t *rec = (r307_record_t *)block_at(ix, offset);

    rec->next = 0;
    note_depth(&ix->info, rec);
    file_record(ix, (r307_ref_t)(offset / 4 + 1),
                hash_record(&ix->info, rec));
    if (ref) {
        *ref = (r307_ref_t)(offset / 4 + 1);
    }
}

apr_status_t r307_indexer_add(r307_indexer_t *ix, const r307_entry_t *entry,
                              r307_ref_t *ref)
{
    apr_size_t host = len_of(entry->host), path = len_of(entry->path);
    apr_size_t target = len_of(entry->target), name = len_of(entry->name);
    apr_uint64_t offset;
    r307_record_t *rec;
    apr_status_t rv;
    char *s;

    if (host > 255 || name > 255 || path > 65535 || target > 65535) {
        return APR_ENAMETOOLONG;
    }
    rv = make_room(ix, sizeof *rec + host + path + target + name, &offset);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rec = (r307_record_t *)block_at(ix, offset);
    *rec = entry->record;
    rec->host_len = (unsigned char)host;
    rec->name_len = (unsigned char)name;
    rec->path_len = (apr_uint16_t)path;
    rec->target_len = (apr_uint16_t)target;
    s = (char *)(rec + 1);
    memcpy(s, entry->host ? entry->host : "", host);
    memcpy(s += host, entry->path ? entry->path : "", path);
    memcpy(s += path, entry->target ? entry->target : "", target);
    memcpy(s + target, entry->name ? entry->name : "", name);
    take_record(ix, offset, ref);
    return APR_SUCCESS;
}

apr_status_t r307_indexer_copy(r307_indexer_t *ix, const r307_record_t *rec,
                               apr_uint32_t options, r307_ref_t *ref)
{
    apr_size_t size = r307_record_size(rec);
    apr_uint64_t offset;
    apr_status_t rv = make_room(ix, size, &offset);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    memcpy(block_at(ix, offset), rec, size);
    ((r307_record_t *)block_at(ix, offset))->options = options;
    take_record(ix, offset, ref);
    return APR_SUCCESS;
}

apr_status_t r307_indexer_write(r307_indexer_t *ix, r307_index_info_t *info,
                                apr_status_t (*write)(void *ctx,
                                                      const void *data,
                                                      apr_size_t len),
                                void *ctx)
{
    apr_uint64_t at;
    apr_status_t rv = APR_SUCCESS;

    ix->info.records_len = (ix->used + 7) & ~APR_UINT64_C(7);
    *info = ix->info;
    for (at = 0; at < ix->info.records_len && rv == APR_SUCCESS;
         at += BLOCK_SIZE) {
        apr_uint64_t left = ix->info.records_len - at;
        rv = write(ctx, ix->blocks[at >> BLOCK_BITS],
                   left < BLOCK_SIZE ? (apr_size_t)left : BLOCK_SIZE);
    }
    if (rv == APR_SUCCESS) {
        rv = write(ctx, ix->slots,
                   (apr_size_t)ix->info.slot_count * sizeof *ix->slots);
    }
    return rv;
}

static apr_status_t copy_out(void *ctx, const void *data, apr_size_t len)
{
    char **to = ctx;

    memcpy(*to, data, len);
    *to += len;
    return APR_SUCCESS;
}

const r307_index_t *r307_indexer_freeze(r307_indexer_t *ix, apr_pool_t *pool)
{
    r307_index_t *index = apr_palloc(pool, sizeof *index);
    apr_size_t len = (apr_size_t)((ix->used + 7) & ~APR_UINT64_C(7));
    char *block = apr_palloc(pool, len + (apr_size_t)ix->info.slot_count
                             * sizeof *ix->slots);
    char *to = block;

    r307_indexer_write(ix, &index->info, copy_out, &to);
    index->records = block;
    index->slots = (const r307_slot_t *)(block + len);
    return index;
}

/* Where a block's next record would have reached beyond it, zeros fill it. */
r307_ref_t r307_index_next(const r307_index_t *index, r307_ref_t ref)
{
    const r307_record_t *rec = r307_index_record(index, ref);
    apr_uint64_t at;

    if (!rec) {
        return 0;
    }
    at = ((apr_uint64_t)ref - 1) * 4 + sizeof *rec + rec->host_len
        + rec->path_len + rec->target_len + rec->name_len;
    at = (at + 3) & ~APR_UINT64_C(3);
    rec = r307_index_record(index, (r307_ref_t)(at / 4 + 1));
    if ((at & (BLOCK_SIZE - 1)) + sizeof *rec > BLOCK_SIZE
        || (rec && rec->order == 0)) {
        at = (at | (BLOCK_SIZE - 1)) + 1;
    }
    return at < index->info.records_len ? (r307_ref_t)(at / 4 + 1) : 0;
}

const char *r307_index_check(const r307_index_info_t *info,
                             apr_uint64_t records_room,
                             apr_uint64_t slots_room)
{
    if (info->records_len != records_room || info->records_len % 8) {
        return "the records do not fill their part";
    }
    if (info->slot_count == 0 || info->slot_count > slots_room
        || info->slot_count * sizeof(r307_slot_t) != slots_room) {
        return "the slots do not fill their part";
    }
    if (info->max_depth > R307_INDEX_DEPTH_MAX) {
        return "a key is deeper than keys can be";
    }
    return NULL;
}
