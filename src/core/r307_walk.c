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

/* What is looked for. */
typedef struct wanted_t {
    r307_walk_t *walk;
    apr_pool_t *pool;
    const char *host;           /* of the request; NULL: keys have none */
    const char *uri;            /* without doubled slashes */
} wanted_t;

/* Is the record's key the first `end` bytes of uri? Its path may have a
 * final slash, and go on where keys are cut. */
static inline int has_path(const r307_record_t *rec, const char *uri,
                           apr_size_t end, apr_uint32_t depth)
{
    const char *path = r307_record_path(rec);

    if (rec->path_len != end) {
        if (depth == 0) {
            return rec->path_len <= 1;
        }
        if (rec->path_len < end || path[end] != '/'
            || (rec->path_len > end + 1 && depth < R307_INDEX_DEPTH_MAX)) {
            return 0;
        }
    }
    return memcmp(path, uri, end) == 0;
}

/* The first record of the key that is name, "" for no host, and the first
 * `end` bytes of uri; hash: its own. */
static inline __attribute__((always_inline))
const r307_record_t *find(const r307_index_t *index, apr_uint64_t hash,
                          const char *name, apr_size_t name_len,
                          const char *uri, apr_size_t end,
                          apr_uint32_t depth)
{
    const r307_slot_t *slot =
        index->slots + r307_hash_slot(hash, index->info.slot_count);
    apr_uint32_t tag = (apr_uint32_t)(hash >> 32);
    int wrapped = 0;

    while (slot->ref) {
        if (slot->tag == tag) {
            const r307_record_t *rec = r307_index_record(index, slot->ref);
            if (rec && rec->host_len == name_len
                && (!name_len || memcmp(r307_record_host(rec), name,
                                        name_len) == 0)
                && has_path(rec, uri, end, depth)) {
                return rec;
            }
        }
        /* Twice around: a damaged file without an empty slot. */
        if (++slot == index->slots + index->info.slot_count) {
            if (wrapped++) {
                break;
            }
            slot = index->slots;
        }
    }
    return NULL;
}

static void __attribute__((noinline)) make_room(const wanted_t *want)
{
    r307_walk_t *walk = want->walk;
    list_t *lists = apr_palloc(want->pool, 2 * (apr_size_t)walk->room
                               * sizeof *lists);

    memcpy(lists, walk->lists, (apr_size_t)walk->room * sizeof *lists);
    walk->lists = lists;
    walk->room *= 2;
}

static inline void add_list(const wanted_t *want, const r307_record_t *rec,
                            apr_size_t end)
{
    r307_walk_t *walk = want->walk;
    list_t *list;

    if (!rec) {
        return;
    }
    if (walk->nlists == walk->room) {
        make_room(want);
    }
    list = &walk->lists[walk->nlists++];
    list->first = list->next = rec;
    list->end = (apr_uint32_t)end;
}

/* name: as keys have it, with "*." for a wildcard. */
static void probe_name(const wanted_t *want, apr_uint64_t path,
                       apr_size_t end, apr_uint32_t depth, const char *name,
                       apr_size_t len)
{
    const r307_index_t *index = want->walk->index;
    apr_uint64_t hash = r307_hash_key(index->info.hash_mask, path,
                                      r307_hash_host(name, len));

    add_list(want, find(index, hash, name, len, want->uri, end, depth), end);
}

/* "*.parent", shortest first, then the host itself: lists are read from the
 * last to the first. Out of line, to keep its buffer off everybody else's
 * stack. */
static void __attribute__((noinline)) probe_hosts(const wanted_t *want,
                                                  apr_uint64_t path,
                                                  apr_size_t end,
                                                  apr_uint32_t depth)
{
    char name[260] = "*";
    apr_size_t len = strlen(want->host), at;

    if (len >= sizeof name - 1) {
        return;
    }
    if (want->walk->index->info.flags & R307_INDEX_WILDCARDS) {
        for (at = len; at-- > 0;) {
            if (want->host[at] == '.' && at + 1 < len) {
                memcpy(name + 1, want->host + at, len - at);
                probe_name(want, path, end, depth, name, len - at + 1);
            }
        }
    }
    probe_name(want, path, end, depth, want->host, len);
}

/* The keys that end at this boundary; path: hash of what lies before it. */
static void __attribute__((noinline)) probe(const wanted_t *want,
                                            apr_uint64_t path, apr_size_t end,
                                            apr_uint32_t depth)
{
    const r307_index_t *index = want->walk->index;
    apr_uint64_t hash = r307_hash_key(index->info.hash_mask, path, 0);

    add_list(want, find(index, hash, "", 0, want->uri, end, depth), end);
    if (want->host) {
        probe_hosts(want, path, end, depth);
    }
}

/* ---- finding slashes ---- */

/* Bit i: is p[i] a slash? n: 0 to 16 bytes. */
static inline unsigned slash_bits(const char *p, apr_size_t n)
{
    unsigned bits = 0;

    while (n-- > 0) {
        bits = bits << 1 | (p[n] == '/');
    }
    return bits;
}

/* The same for the 16 bytes at p. */
static inline unsigned slash_bits_16(const char *p)
{
#ifdef __SSE2__
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);

    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes,
                                                      _mm_set1_epi8('/')));
#else
    return slash_bits(p, 16);
#endif
}

/* The slashes of a path, one after the other. */
typedef struct slashes_t {
    const char *begin;          /* of the path */
    const char *end;
    const char *at;             /* 16 bytes that are being looked at */
    apr_uint64_t bits;          /* slashes in them that are still to come */
} slashes_t;

static inline unsigned look(const slashes_t *s)
{
    apr_size_t n = (apr_size_t)(s->end - s->at);

    if (n >= 16) {
        return slash_bits_16(s->at);
    }
    return s->end - s->begin >= 16
        ? slash_bits_16(s->end - 16) >> (16 - n) : slash_bits(s->at, n);
}

/* The next one, or the path's end. */
static inline const char *next_slash(slashes_t *s)
{
    const char *slash;

    while (!s->bits) {
        s->at += 16;
        if (s->at >= s->end) {
            return s->end;
        }
        s->bits = look(s);
    }
    slash = s->at + (apr_size_t)__builtin_ctzll(s->bits);
    s->bits &= s->bits - 1;
    return slash;
}

/* ---- probing ---- */

/* A path's hash so far: of its whole words up to `at`. */
typedef struct hasher_t {
    const char *uri;
    const char *at;
    apr_uint64_t hash;
} hasher_t;

/* The hash of what lies before end. */
static inline apr_uint64_t hash_to(hasher_t *h, const char *end)
{
    apr_size_t n;
    apr_uint64_t last;

    for (; end - h->at >= 8; h->at += 8) {
        h->hash = r307_hash_mix(h->hash, r307_hash_word(h->at));
    }
    n = (apr_size_t)(end - h->at);
    /* mostly there are enough bytes before to load a whole word */
    last = n > 0 && end - h->uri >= 8
        ? r307_hash_word(end - 8) >> (64 - 8 * n)
        : r307_hash_short_word(h->at, n);
    return r307_hash_mix(h->hash, last);
}

/*
 * Probe at every boundary of segments where keys end. Returns 0, with
 * whatever was found until then, when there are slashes in a row: then keys
 * do not compare byte by byte.
 */
static inline int probe_path(const wanted_t *want, const char *uri,
                             apr_size_t len)
{
    const char *p = uri + 1, *end = uri + len, *slash;
    slashes_t slashes = { uri, end, p, 0 };
    /* Bit 0: do any keys end here? Shifted by one with each segment; when it
     * is 0 no deeper keys are left. */
    apr_uint64_t depths = want->walk->index->info.depths;
    hasher_t h = { uri, p, R307_HASH_SEED };
    apr_uint32_t depth = 0;

    if (depths & 1) {
        probe(want, h.hash, 1, 0);
    }
    slashes.bits = look(&slashes);
    while ((depths >>= 1) != 0 && p < end) {
        slash = next_slash(&slashes);
        if (slash == p) {
            return 0;
        }
        depth++;
        if (depths & 1) {
            probe(want, hash_to(&h, slash), (apr_size_t)(slash - uri),
                  depth);
        }
        p = slash + 1;
    }
    return 1;
}

/* The same for the path with each run of slashes as one. */
static void __attribute__((noinline)) probe_doubled(wanted_t *want,
                                                    const char *uri,
                                                    apr_size_t len)
{
    char *single = apr_palloc(want->pool, len);
    apr_size_t i, n = 0;

    for (i = 0; i < len; i++) {
        if (uri[i] != '/' || n == 0 || single[n - 1] != '/') {
            single[n++] = uri[i];
        }
    }
    want->uri = single;
    want->walk->nlists = 0;
    want->walk->doubled = 1;
    probe_path(want, single, n);
}

int r307_walk_begin(r307_walk_t *walk, const r307_index_t *index,
                    r307_order_t order, const char *host, const char *uri,
                    apr_size_t uri_len, apr_pool_t *pool)
{
    wanted_t want;

    want.walk = walk;
    want.pool = pool;
    want.host = index->info.flags & R307_INDEX_HOSTS ? host : NULL;
    want.uri = uri;
    walk->index = index;
    walk->nlists = 0;
    walk->lists = walk->few;
    walk->room = R307_WALK_LISTS;
    walk->doubled = 0;
    if (!probe_path(&want, uri, uri_len)) {
        probe_doubled(&want, uri, uri_len);
    }
    if (walk->nlists == 0) {
        return 0;
    }
    walk->order = order;
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

const r307_record_t *r307_walk_next(r307_walk_t *walk)
{
    return walk->order == R307_ORDER_FIRST ? next_first(walk)
                                           : next_specific(walk);
}
