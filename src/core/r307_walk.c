/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns how candidates are found in an index. Must not know what a rule does.
 * Called by ruleset.
 */
#include "core/r307_walk.h"

#include "core/r307_hash.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef r307_walk_list_t list_t;

/* The host of a key, with "*." before a wildcard's; NULL for none. */
typedef struct name_t {
    const char *s;
    apr_size_t len;
} name_t;

/* ---- one key ---- */

/* Keys are short. A call of memcmp() would cost as much again, since then
 * everything around it has to be saved. */
static inline __attribute__((always_inline))
int same_bytes(const char *a, const char *b, apr_size_t n)
{
    apr_size_t i;

    if (n < 8) {
        for (i = 0; i < n; i++) {
            if (a[i] != b[i]) {
                return 0;
            }
        }
        return 1;
    }
    for (i = 0; i < n - 8; i += 8) {
        if (r307_hash_word(a + i) != r307_hash_word(b + i)) {
            return 0;
        }
    }
    return r307_hash_word(a + n - 8) == r307_hash_word(b + n - 8);
}

/* Is the record's key that host and the first `end` bytes of uri? Its path
 * may have a final slash, and go on where keys are cut. */
static inline __attribute__((always_inline))
int is_key(const r307_record_t *rec, const name_t *host, const char *uri,
           apr_size_t end, unsigned depth)
{
    const char *path = r307_record_path(rec);

    if (rec->host_len != (host ? host->len : 0)
        || (host && !same_bytes(r307_record_host(rec), host->s,
                                host->len))) {
        return 0;
    }
    if (rec->path_len != end) {
        if (depth == 0) {
            return rec->path_len <= 1;
        }
        if (rec->path_len < end || path[end] != '/'
            || (rec->path_len > end + 1 && depth < R307_INDEX_DEPTH_MAX)) {
            return 0;
        }
    }
    return same_bytes(path, uri, end);
}

/* NULL when it has been twice around: a damaged file without an empty slot. */
static inline const r307_slot_t *next_slot(const r307_index_t *index,
                                           const r307_slot_t *slot, int *laps)
{
    if (++slot < index->slots + index->info.slot_count) {
        return slot;
    }
    return ++*laps < 2 ? index->slots : NULL;
}

/* The first record of a key, behind a slot that has the key's tag. */
static const r307_record_t * __attribute__((noinline)) compare_others(
    const r307_index_t *index, const char *uri, apr_size_t end,
    unsigned depth, const name_t *host, const r307_slot_t *slot)
{
    apr_uint32_t tag = slot->tag;
    int laps = 0;

    while ((slot = next_slot(index, slot, &laps)) && slot->ref) {
        const r307_record_t *rec = slot->tag != tag ? NULL
            : r307_index_record(index, slot->ref);

        if (rec && is_key(rec, host, uri, end, depth)) {
            return rec;
        }
    }
    return NULL;
}

/* The same, from that slot on. Nearly always it is that one. */
static const r307_record_t * __attribute__((noinline)) compare_with_host(
    const r307_index_t *index, const char *uri, apr_size_t end,
    unsigned depth, const name_t *host, const r307_slot_t *slot)
{
    const r307_record_t *rec = r307_index_record(index, slot->ref);

    return rec && is_key(rec, host, uri, end, depth) ? rec
        : compare_others(index, uri, end, depth, host, slot);
}

/* Mostly there is no host, and then there is less to be saved. */
static const r307_record_t * __attribute__((noinline)) compare(
    const r307_index_t *index, const char *uri, apr_size_t end,
    unsigned depth, const name_t *host, const r307_slot_t *slot)
{
    const r307_record_t *rec;

    if (host) {
        return compare_with_host(index, uri, end, depth, host, slot);
    }
    rec = r307_index_record(index, slot->ref);
    return rec && is_key(rec, NULL, uri, end, depth) ? rec
        : compare_others(index, uri, end, depth, NULL, slot);
}

/* The first record of a key, or NULL; hash: the key's, unmasked. Mostly there
 * is none, and no tag that equals; then this calls nothing and needs no
 * stack. */
static const r307_record_t * __attribute__((noinline)) find(
    const r307_index_t *index, const char *uri, apr_size_t end,
    unsigned depth, const name_t *host, apr_uint64_t hash)
{
    const r307_slot_t *slot;
    apr_uint32_t tag;
    int laps = 0;

    hash = r307_hash_cut(hash, index->info.hash_mask);
    tag = (apr_uint32_t)(hash >> 32);
    slot = index->slots + r307_hash_slot(hash, index->info.slot_count);
    while (slot->ref) {
        if (slot->tag == tag) {
            return compare(index, uri, end, depth, host, slot);
        }
        slot = next_slot(index, slot, &laps);
        if (!slot) {
            break;
        }
    }
    return NULL;
}

/* ---- the keys of one boundary ---- */

static void __attribute__((noinline)) make_room(r307_walk_t *walk)
{
    list_t *lists = apr_palloc(walk->pool, 2 * (apr_size_t)walk->room
                               * sizeof *lists);

    memcpy(lists, walk->lists, (apr_size_t)walk->room * sizeof *lists);
    walk->lists = lists;
    walk->room *= 2;
}

static inline void add_list(r307_walk_t *walk, const r307_record_t *rec,
                            apr_size_t end)
{
    list_t *list;

    if (walk->nlists == 0) {
        walk->lists = walk->few;
        walk->room = R307_WALK_LISTS;
    }
    else if (walk->nlists == walk->room) {
        make_room(walk);
    }
    list = &walk->lists[walk->nlists++];
    list->first = list->next = rec;
    list->end = (apr_uint32_t)end;
}

static void probe_name(r307_walk_t *walk, const char *uri, apr_size_t end,
                       unsigned depth, apr_uint64_t path, const name_t *host)
{
    const r307_record_t *rec =
        find(walk->index, uri, end, depth, host,
             r307_hash_mix(path, r307_hash_host(host->s, host->len)));

    if (rec) {
        add_list(walk, rec, end);
    }
}

/* "*.parent", shortest first, then the host itself: lists are read from the
 * last to the first. Out of line, to keep its buffer off everybody else's
 * stack. */
static void __attribute__((noinline)) probe_hosts(r307_walk_t *walk,
                                                  const char *uri,
                                                  apr_size_t end,
                                                  unsigned depth,
                                                  apr_uint64_t path)
{
    char buffer[260] = "*";
    const char *host = walk->host;
    apr_size_t len = strlen(host), at;
    name_t name = { host, len }, parent = { buffer, 0 };

    if (len >= sizeof buffer - 1) {
        return;
    }
    if (walk->index->info.flags & R307_INDEX_WILDCARDS) {
        for (at = len; at-- > 0;) {
            if (host[at] == '.' && at + 1 < len) {
                memcpy(buffer + 1, host + at, len - at);
                parent.len = len - at + 1;
                probe_name(walk, uri, end, depth, path, &parent);
            }
        }
    }
    probe_name(walk, uri, end, depth, path, &name);
}

/* path: hash of what lies before the boundary. */
static inline void probe(r307_walk_t *walk, const char *uri, apr_size_t end,
           unsigned depth, apr_uint64_t path)
{
    const r307_record_t *rec = find(walk->index, uri, end, depth, NULL,
                                    r307_hash_mix(path, 0));

    if (rec) {
        add_list(walk, rec, end);
    }
    if (walk->index->info.flags & R307_INDEX_HOSTS && walk->host) {
        probe_hosts(walk, uri, end, depth, path);
    }
}

/* ---- the boundaries of a path ---- */

/* A path's hash so far: of its whole words up to `at`. */
typedef struct hasher_t {
    const char *uri;
    const char *at;
    apr_uint64_t hash;
} hasher_t;

/* The hash of what lies before uri[len]. */
static inline apr_uint64_t hash_to(hasher_t *h, apr_size_t len)
{
    const char *end = h->uri + len;
    apr_size_t n = (apr_size_t)(end - h->at), words;

    for (words = n / 8; words > 0; words--, h->at += 8) {
        h->hash = r307_hash_mix(h->hash, r307_hash_word(h->at));
    }
    n %= 8;
    /* mostly there are enough bytes before to load a whole word; n can be 0,
     * and a shift by 64 is none */
    return r307_hash_mix(h->hash, len >= 8
                         ? r307_hash_word(end - 8) >> (56 - 8 * n) >> 8
                         : r307_hash_short_word(h->at, n));
}

/* Probe at every boundary where keys end, but for the root. Returns 0, with
 * whatever was found until then, when there are slashes in a row: then keys
 * do not compare byte by byte. */
static int __attribute__((noinline)) probe_any(r307_walk_t *walk,
                                               const char *uri,
                                               apr_size_t len)
{
    apr_uint64_t depths = walk->index->info.depths;
    const char *p = uri + 1, *end = uri + len;
    hasher_t h = { uri, p, R307_HASH_SEED };
    unsigned depth;

    for (depth = 1; depths >> depth && p < end; depth++) {
        const char *slash = memchr(p, '/', (apr_size_t)(end - p));

        slash = slash ? slash : end;
        if (slash == p) {
            return 0;
        }
        if (depths >> depth & 1) {
            apr_size_t at = (apr_size_t)(slash - uri);
            probe(walk, uri, at, depth, hash_to(&h, at));
        }
        p = slash + 1;
    }
    return 1;
}

#ifdef __SSE2__

/* Bit i: is p[i] a slash? For the 16 bytes at p. */
static inline apr_uint64_t slashes_16(const char *p)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);

    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes,
                                                      _mm_set1_epi8('/')));
}

/* The same for n bytes, 16 to 63. Of the last 16 some are looked at twice. */
static inline apr_uint64_t slashes(const char *p, apr_size_t n)
{
    apr_uint64_t bits = slashes_16(p + n - 16) << (n - 16);
    apr_size_t at;

    for (at = 0; at < n - 16; at += 16) {
        bits |= slashes_16(p + at) << at;
    }
    return bits;
}

/* As probe_any(), for a path of usual length: all of its slashes are the bits
 * of one word. */
static inline __attribute__((always_inline))
int probe_usual(r307_walk_t *walk, const char *uri, apr_size_t len)
{
    hasher_t h = { uri, uri + 1, R307_HASH_SEED };
    apr_uint64_t bits = slashes(uri, len);
    apr_uint64_t depths = walk->index->info.depths & ~(apr_uint64_t)1;
    unsigned depth = 1, next;

    if (bits & bits << 1) {
        return 0;
    }
    bits &= ~(apr_uint64_t)1;                   /* the root is not asked */
    if (uri[len - 1] != '/') {
        bits |= (apr_uint64_t)1 << len;         /* the end is one as well */
    }
    for (; depths; depths &= depths - 1) {
        apr_size_t at;

        next = (unsigned)__builtin_ctzll(depths);
        for (; depth < next; depth++) {
            bits &= bits - 1;
        }
        if (!bits) {
            break;
        }
        at = (apr_size_t)__builtin_ctzll(bits);
        probe(walk, uri, at, depth, hash_to(&h, at));
    }
    return 1;
}

#endif

static inline int probe_path(r307_walk_t *walk, const char *uri,
                             apr_size_t len)
{
#ifdef __SSE2__
    if (len >= 16 && len <= 63) {
        return probe_usual(walk, uri, len);
    }
#endif
    return probe_any(walk, uri, len);
}

/* The same for the path with each run of slashes as one. */
static void __attribute__((noinline)) probe_doubled(r307_walk_t *walk)
{
    const char *uri = walk->uri;
    char *single = apr_palloc(walk->pool, walk->uri_len);
    apr_size_t i, n = 0;

    for (i = 0; i < walk->uri_len; i++) {
        if (uri[i] != '/' || n == 0 || single[n - 1] != '/') {
            single[n++] = uri[i];
        }
    }
    walk->doubled = 1;
    probe_any(walk, single, n);
}

int __attribute__((noinline)) r307_walk_begin(r307_walk_t *walk,
                                              const r307_index_t *index)
{
    int roots;

    walk->index = index;
    walk->nlists = 0;
    walk->doubled = 0;
    if (index->info.depths & 1) {
        probe(walk, walk->uri, 1, 0, R307_HASH_SEED);
    }
    roots = walk->nlists;
    if (!probe_path(walk, walk->uri, walk->uri_len)) {
        walk->nlists = roots;
        probe_doubled(walk);
    }
    if (walk->nlists == 0) {
        return 0;
    }
    walk->at = walk->nlists - 1;
    walk->phase = 0;
    walk->last = 0;
    return 1;
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

static list_t * __attribute__((noinline)) lowest(const r307_walk_t *walk)
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
        rec = walk->index->info.flags & r307_index_kind_flag(kind)
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
