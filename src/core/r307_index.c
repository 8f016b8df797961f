/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns hashing, filing and finding by key. Must not know targets, conditions
 * or files. Called by ruleset and table.
 */
#include "core/r307_index.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <stdlib.h>

/* ---- keys and their hashes ---- */

#define HASH_SEED APR_UINT64_C(0xcbf29ce484222325)
#define HASH_MUL  APR_UINT64_C(0xd6e8feb86659fd93)

/* A product carries what it depends on upwards only; turning it brings that
 * down again. */
static inline apr_uint64_t mix(apr_uint64_t h, apr_uint64_t word)
{
    h = (h ^ word) * HASH_MUL;
    return h << 32 | h >> 32;
}

/* The first n (0 to 8) bytes of s as a little-endian number: what stands
 * first is lowest, what is missing is 0. */
static inline apr_uint64_t load_word(const char *s, apr_size_t n)
{
    apr_uint64_t word = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    apr_uint32_t four;
    apr_uint16_t two;
    unsigned shift = 0;

    if (n == 8) {
        memcpy(&word, s, 8);
        return word;
    }
    if (n & 4) {
        memcpy(&four, s, 4);
        word = four;
        s += 4;
        shift = 32;
    }
    if (n & 2) {
        memcpy(&two, s, 2);
        word |= (apr_uint64_t)two << shift;
        s += 2;
        shift += 16;
    }
    if (n & 1) {
        word |= (apr_uint64_t)(unsigned char)*s << shift;
    }
#else
    apr_size_t i;

    for (i = 0; i < n; i++) {
        word |= (apr_uint64_t)(unsigned char)s[i] << 8 * i;
    }
#endif
    return word;
}

/* A segment or a host: its whole words, then what is left of it, even when
 * that is nothing. */
static apr_uint64_t hash_bytes(apr_uint64_t h, const char *s, apr_size_t len)
{
    for (; len >= 8; len -= 8, s += 8) {
        h = mix(h, load_word(s, 8));
    }
    return mix(h, load_word(s, len));
}

#define ONES   APR_UINT64_C(0x0101010101010101)
#define HIGHS  APR_UINT64_C(0x8080808080808080)
#define SLASHES (ONES * '/')

/* The high bit of the lowest byte that is a slash (and perhaps of higher
 * ones), 0 when there is none. */
static inline apr_uint64_t find_slash(apr_uint64_t word)
{
    apr_uint64_t x = word ^ SLASHES;

    return (x - ONES) & ~x & HIGHS;
}

/* A key's hash from that of its path and that of its host (0 for none). */
static apr_uint64_t hash_key(const r307_index_info_t *info,
                             apr_uint64_t path, apr_uint64_t host)
{
    apr_uint64_t h = mix(path, host);

    /* The lower half, which is mixed best, chooses the slot; the upper is the
     * tag. */
    return h & ((apr_uint64_t)info->hash_mask << 32 | info->hash_mask);
}

static apr_uint64_t hash_host(const char *host, apr_size_t len)
{
    return hash_bytes(HASH_MUL, host, len);
}

/* The next segment of s: *s moves behind it; its start and length. Slashes
 * in a row count as one. 0 when there is none. */
static inline apr_size_t next_segment(const char **s, const char *end,
                                      const char **start)
{
    const char *p = *s;

    while (p < end && *p == '/') {
        p++;
    }
    *start = p;
    while (p < end && *p != '/') {
        p++;
    }
    *s = p;
    return (apr_size_t)(p - *start);
}

/* Hash and depth of a whole key path. */
static apr_uint64_t hash_path(const char *path, apr_size_t len,
                              apr_uint32_t *depth)
{
    const char *s = path, *end = path + len, *start;
    apr_uint64_t h = HASH_SEED;
    apr_size_t n;

    *depth = 0;
    while (*depth < R307_INDEX_DEPTH_MAX
           && (n = next_segment(&s, end, &start)) > 0) {
        h = hash_bytes(h, start, n);
        (*depth)++;
    }
    return h;
}

/* Are the first `depth` segments the same? */
static int same_segments(const char *a, apr_size_t a_len, const char *b,
                         apr_size_t b_len, apr_uint32_t depth)
{
    const char *a_end = a + a_len, *b_end = b + b_len, *as, *bs;

    for (; depth > 0; depth--) {
        apr_size_t n = next_segment(&a, a_end, &as);
        if (next_segment(&b, b_end, &bs) != n || memcmp(as, bs, n) != 0) {
            return 0;
        }
    }
    return 1;
}

static apr_uint32_t depth_of(const char *path, apr_size_t len)
{
    const char *s = path, *end = path + len, *start;
    apr_uint32_t depth = 0;

    while (depth < R307_INDEX_DEPTH_MAX && next_segment(&s, end, &start)) {
        depth++;
    }
    return depth;
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

static apr_uint64_t first_slot(const r307_index_info_t *info,
                               apr_uint64_t hash)
{
    return (hash & 0xffffffff) * info->slot_count >> 32;
}

static apr_uint64_t hash_record(const r307_index_info_t *info,
                                const r307_record_t *rec)
{
    apr_uint32_t depth;
    apr_uint64_t path = hash_path(r307_record_path(rec), rec->path_len,
                                  &depth);

    return hash_key(info, path,
                    rec->host_len ? hash_host(r307_record_host(rec),
                                              rec->host_len) : 0);
}

static int same_key(const r307_record_t *a, const r307_record_t *b)
{
    apr_uint32_t depth = depth_of(r307_record_path(a), a->path_len);

    return a->host_len == b->host_len
           && memcmp(r307_record_host(a), r307_record_host(b), a->host_len)
              == 0
           && depth == depth_of(r307_record_path(b), b->path_len)
           && same_segments(r307_record_path(a), a->path_len,
                            r307_record_path(b), b->path_len, depth);
}

/* Put the record's ref into the table; records of one key are linked in the
 * order in which they come. */
static void file_record(r307_indexer_t *ix, r307_ref_t ref, apr_uint64_t hash)
{
    apr_uint64_t i = first_slot(&ix->info, hash);
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
        for (j = first_slot(&ix->info, hash); ix->slots[j].ref;) {
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

static apr_uint32_t flag_of(r307_rule_kind_t kind)
{
    switch (kind) {
    case R307_RULE_EXACT:
        return R307_INDEX_EXACTS;
    case R307_RULE_PREFIX:
        return R307_INDEX_PREFIXES;
    case R307_RULE_REGEX:
        return R307_INDEX_REGEXES;
    default:
        return 0;
    }
}

static void note_depth(r307_index_info_t *info, const r307_record_t *rec)
{
    apr_uint32_t depth = depth_of(r307_record_path(rec), rec->path_len);

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
    info->flags |= flag_of((r307_rule_kind_t)rec->kind);
    info->rules++;
}

static apr_size_t len_of(const char *s)
{
    return s ? strlen(s) : 0;
}

apr_status_t r307_indexer_add(r307_indexer_t *ix, const r307_entry_t *entry,
                              r307_ref_t *ref)
{
    apr_size_t host = len_of(entry->host), path = len_of(entry->path);
    apr_size_t target = len_of(entry->target), name = len_of(entry->name);
    apr_size_t size = sizeof(r307_record_t) + host + path + target + name;
    apr_uint64_t offset;
    r307_record_t *rec;
    apr_status_t rv;
    char *s;

    if (host > 255 || name > 255 || path > 65535 || target > 65535) {
        return APR_ENOSPC;
    }
    rv = reserve(ix, (size + 3) & ~(apr_size_t)3, &offset);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (ix->keys >= ix->info.slot_count / 4 * 3) {
        if ((rv = grow_slots(ix)) != APR_SUCCESS) {
            return rv;
        }
    }
    rec = (r307_record_t *)block_at(ix, offset);
    *rec = entry->record;
    rec->next = 0;
    rec->host_len = (unsigned char)host;
    rec->name_len = (unsigned char)name;
    rec->path_len = (apr_uint16_t)path;
    rec->target_len = (apr_uint16_t)target;
    s = (char *)(rec + 1);
    memcpy(s, entry->host ? entry->host : "", host);
    memcpy(s += host, entry->path ? entry->path : "", path);
    memcpy(s += path, entry->target ? entry->target : "", target);
    memcpy(s + target, entry->name ? entry->name : "", name);
    note_depth(&ix->info, rec);
    file_record(ix, (r307_ref_t)(offset / 4 + 1),
                hash_record(&ix->info, rec));
    if (ref) {
        *ref = (r307_ref_t)(offset / 4 + 1);
    }
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

/* ---- reading ---- */

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

typedef r307_walk_list_t list_t;

/* What is looked for: a host, and the first `depth` segments of uri. */
typedef struct wanted_t {
    const char *host;
    apr_size_t host_len;
    const char *uri;
    apr_size_t end;             /* of those segments in uri */
    apr_uint32_t depth;
    int doubled;
} wanted_t;

/* Paths that do not compare byte by byte: doubled slashes in the request, a
 * final slash in the record. */
static int __attribute__((noinline)) has_segments(const r307_record_t *rec,
                                                  const wanted_t *want)
{
    const char *path = r307_record_path(rec);

    return depth_of(path, rec->path_len) == want->depth
           && same_segments(path, rec->path_len, want->uri, want->end,
                            want->depth);
}

static inline int has_key(const r307_record_t *rec, const wanted_t *want)
{
    if (rec->host_len != want->host_len
        || (rec->host_len && memcmp(r307_record_host(rec), want->host,
                                    want->host_len) != 0)) {
        return 0;
    }
    return rec->path_len == want->end && !want->doubled
        ? memcmp(r307_record_path(rec), want->uri, want->end) == 0
        : has_segments(rec, want);
}

/* The first record of the key. */
static inline __attribute__((always_inline))
const r307_record_t *find(const r307_index_t *index, apr_uint64_t hash,
                          const wanted_t *want)
{
    const r307_slot_t *slot = index->slots + first_slot(&index->info, hash);
    const r307_slot_t *end = index->slots + index->info.slot_count;
    apr_uint32_t tag = (apr_uint32_t)(hash >> 32);
    int wrapped = 0;

    while (slot->ref) {
        if (slot->tag == tag) {
            const r307_record_t *rec = r307_index_record(index, slot->ref);
            if (rec && has_key(rec, want)) {
                return rec;
            }
        }
        /* Twice around: a damaged file without an empty slot. */
        if (++slot == end) {
            if (wrapped++) {
                break;
            }
            slot = index->slots;
        }
    }
    return NULL;
}

typedef struct prober_t {
    r307_walk_t *walk;
    apr_pool_t *pool;
    int room;                   /* of walk->lists */
    const char *host;           /* of the request, or NULL */
    apr_uint64_t path;          /* hash of the segments so far */
    wanted_t want;
} prober_t;

static void __attribute__((noinline)) make_room(prober_t *pr)
{
    r307_walk_list_t *lists = apr_palloc(pr->pool, 2 * (apr_size_t)pr->room
                                         * sizeof *lists);

    memcpy(lists, pr->walk->lists, (apr_size_t)pr->room * sizeof *lists);
    pr->walk->lists = lists;
    pr->room *= 2;
}

/* name: as keys have it, with "*." for a wildcard; len 0 for no host. */
static inline __attribute__((always_inline))
void probe(prober_t *pr, const char *name, apr_size_t len)
{
    r307_walk_t *walk = pr->walk;
    const r307_index_t *index = walk->index;
    apr_uint64_t host = len ? hash_host(name, len) : 0;
    const r307_record_t *rec;

    pr->want.host = name;
    pr->want.host_len = len;
    rec = find(index, hash_key(&index->info, pr->path, host), &pr->want);
    if (rec) {
        r307_walk_list_t *list;

        if (walk->nlists == pr->room) {
            make_room(pr);
        }
        list = &walk->lists[walk->nlists++];
        list->first = list->next = rec;
        list->end = (apr_uint32_t)pr->want.end;
    }
}

/* "*.parent", shortest first, then the host itself: lists are read from the
 * last to the first. Out of line, to keep its buffer off everybody else's
 * stack. */
static void __attribute__((noinline)) probe_hosts(prober_t *pr)
{
    char name[260] = "*";
    apr_size_t len = strlen(pr->host), at;

    if (len >= sizeof name - 1) {
        return;
    }
    if (pr->walk->index->info.flags & R307_INDEX_WILDCARDS) {
        for (at = len; at-- > 0;) {
            if (pr->host[at] == '.' && at + 1 < len) {
                memcpy(name + 1, pr->host + at, len - at);
                probe(pr, name, len - at + 1);
            }
        }
    }
    probe(pr, pr->host, len);
}

/* The keys that end at this boundary. */
static void __attribute__((noinline)) probe_all(prober_t *pr,
                                                apr_uint64_t path,
                                                apr_size_t end,
                                                apr_uint32_t depth,
                                                int doubled)
{
    pr->path = path;
    pr->want.end = end;
    pr->want.depth = depth;
    pr->want.doubled = doubled;
    probe(pr, "", 0);
    if (pr->host) {
        probe_hosts(pr);
    }
}

/* Hash the segment at p, as hash_bytes() does, while looking for its end,
 * which is returned. */
static inline const char *hash_segment(apr_uint64_t *hash, const char *p,
                                       const char *end)
{
    apr_uint64_t h = *hash, word, slash;
    apr_size_t n = 0;

    for (; end - p >= 8; p += 8) {
        memcpy(&word, p, 8);
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        slash = find_slash(word);
        if (slash) {
            n = (apr_size_t)__builtin_ctzll(slash) >> 3;
            /* bytes from the slash on do not count */
            word &= ((slash & (0 - slash)) >> 7) - 1;
            *hash = mix(h, word);
            return p + n;
        }
        h = mix(h, word);
    }
    while (p + n < end && p[n] != '/') {
        n++;
    }
    *hash = mix(h, load_word(p, n));
    return p + n;
}

void r307_walk_begin(r307_walk_t *walk, const r307_index_t *index,
                     const char *host, const char *uri, apr_size_t uri_len,
                     apr_pool_t *pool)
{
    const char *p = uri + 1, *end = uri + uri_len;
    /* Bit 0: do any keys end here? Shifted by one with each segment; when it
     * is 0 no deeper keys are left. */
    apr_uint64_t depths = index->info.depths, h = HASH_SEED;
    apr_uint32_t depth = 0;
    int doubled = 0;
    prober_t pr;

    walk->index = index;
    walk->nlists = 0;
    walk->lists = walk->few;
    pr.walk = walk;
    pr.pool = pool;
    pr.room = R307_WALK_LISTS;
    pr.host = index->info.flags & R307_INDEX_HOSTS ? host : NULL;
    pr.want.uri = uri;
    if (depths & 1) {
        probe_all(&pr, h, 1, 0, 0);
    }
    for (; (depths >>= 1) != 0 && p < end; p++) {
        while (p < end && *p == '/') {
            doubled = 1;
            p++;
        }
        if (p == end) {
            break;
        }
        p = hash_segment(&h, p, end);
        depth++;
        if (depths & 1) {
            probe_all(&pr, h, (apr_size_t)(p - uri), depth, doubled);
        }
    }
    if (walk->nlists) {
        walk->doubled = doubled;
        walk->at = walk->nlists - 1;
        walk->phase = 0;
        walk->last = 0;
    }
}

/* The list's path is the record's own, and the key is known to be equal. */
static apr_size_t rest_of(const r307_walk_t *walk, const list_t *list,
                          const r307_record_t *rec)
{
    return !walk->doubled && rec->path_len == list->end ? list->end : 0;
}

/* Move the list to its next record. A damaged link that leads back would be
 * endless: within a key orders rise. */
static inline void advance(const r307_walk_t *walk, list_t *list)
{
    const r307_record_t *rec = list->next;

    list->next = rec->next ? r307_index_record(walk->index, rec->next) : NULL;
    if (list->next && list->next->order <= rec->order) {
        list->next = NULL;
    }
}

static list_t *lowest(const r307_walk_t *walk)
{
    list_t *best = NULL;
    int i;

    for (i = 0; i < walk->nlists; i++) {
        list_t *list = &walk->lists[i];
        if (list->next
            && (!best || list->next->order < best->next->order)) {
            best = list;
        }
    }
    return best;
}

static inline const r307_record_t *next_first(r307_walk_t *walk)
{
    for (;;) {
        list_t *list = walk->nlists == 1 ? walk->lists : lowest(walk);
        const r307_record_t *rec = list ? list->next : NULL;

        if (!rec) {
            return NULL;
        }
        advance(walk, list);
        /* a rule that is filed under several of the request's hosts */
        if (rec->order + 1 != walk->last) {
            walk->last = rec->order + 1;
            walk->rest = rest_of(walk, list, rec);
            return rec;
        }
    }
}

static const r307_record_t *next_of_kind(r307_walk_t *walk,
                                         r307_rule_kind_t kind)
{
    for (; walk->at >= 0; walk->at--) {
        list_t *list = &walk->lists[walk->at];
        while (list->next) {
            const r307_record_t *rec = list->next;

            advance(walk, list);
            if (rec->kind == kind) {
                walk->rest = rest_of(walk, list, rec);
                return rec;
            }
        }
    }
    return NULL;
}

static void rewind_lists(r307_walk_t *walk)
{
    int i;

    for (i = 0; i < walk->nlists; i++) {
        walk->lists[i].next = walk->lists[i].first;
    }
    walk->at = walk->nlists - 1;
    walk->phase++;
}

static const r307_record_t *next_specific(r307_walk_t *walk)
{
    static const r307_rule_kind_t kinds[] = { R307_RULE_EXACT,
                                              R307_RULE_PREFIX };
    const r307_record_t *rec;

    while (walk->phase < 2) {
        r307_rule_kind_t kind = kinds[walk->phase];
        rec = walk->index->info.flags & flag_of(kind)
            ? next_of_kind(walk, kind) : NULL;
        if (rec) {
            return rec;
        }
        rewind_lists(walk);
    }
    if (walk->index->info.flags & R307_INDEX_REGEXES) {
        while ((rec = next_first(walk)) != NULL) {
            if (rec->kind == R307_RULE_REGEX) {
                return rec;
            }
        }
    }
    return NULL;
}

const r307_record_t *r307_walk_next(r307_walk_t *walk, r307_order_t order)
{
    return order == R307_ORDER_FIRST ? next_first(walk)
                                     : next_specific(walk);
}
