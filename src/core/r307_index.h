/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The frozen index: from a request's host and path to the rules that could
 * cover it, in one pass over the path and one probe for each depth at which
 * the index holds anything (r307_walk.h). Cost does not depend on the number
 * of rules.
 *
 * An index is one block of memory without pointers. It is built once, then
 * only read; it serves from pool memory and from a mapped file alike. Its
 * parts:
 *
 *   records   one for each rule, in the order they were added; a record is a
 *             r307_record_t followed by host, path, target and name, padded
 *             to 4 bytes
 *   slots     a hash table over keys, open addressing, linear probing;
 *             each slot names the first record of its key, the records of a
 *             key are linked in order
 *
 * A key is a host (or none) and the whole segments of a path that every
 * covered request begins with: "/shop/item" for the prefix "/shop/item/", as
 * for the regular expression "^/shop/item/(\d+)$". What has no such segments
 * lies under the root.
 */
#ifndef R307_INDEX_H
#define R307_INDEX_H

#include "core/r307_rule.h"

/* Offset of a record from the start of the records, divided by 4, plus 1.
 * 0 is no record. So records may take 16 GiB. */
typedef apr_uint32_t r307_ref_t;

typedef struct r307_record_t {
    r307_ref_t next;            /* the key's next record */
    apr_uint32_t order;         /* rule number, or line of the rule file */
    apr_uint32_t options;       /* index of the option set; of the prepared
                                 * rule with R307_RECORD_PREPARED */
    apr_uint16_t path_len;      /* PREFIX, EXACT: the URL-path; else the key */
    apr_uint16_t target_len;
    apr_uint16_t authority_len; /* as in r307_target_t */
    unsigned char kind;         /* r307_rule_kind_t */
    unsigned char flags;        /* R307_RECORD_* */
    unsigned char host_len;
    unsigned char name_len;
    unsigned char scheme_len;
    unsigned char port_len;     /* of ":port" in the authority */
} r307_record_t;

#define R307_RECORD_PREPARED 1  /* the rule is kept in prepared form, the
                                 * record only finds it */
#define R307_RECORD_TAIL     2  /* the target has a query or a fragment */

typedef struct r307_slot_t {
    apr_uint32_t tag;           /* 32 bits of the key's hash */
    r307_ref_t ref;             /* 0: empty */
} r307_slot_t;

/* What a reader needs beside slots and records; part of a table's header. */
typedef struct r307_index_info_t {
    apr_uint64_t records_len;   /* bytes */
    apr_uint64_t slot_count;
    apr_uint64_t depths;        /* bit n: some key has n segments; bit 63: 63
                                 * or more */
    apr_uint32_t rules;
    apr_uint32_t max_depth;
    apr_uint32_t hash_mask;     /* ~0; fewer bits in tests of collisions */
    apr_uint32_t flags;         /* R307_INDEX_* */
} r307_index_info_t;

#define R307_INDEX_HOSTS     1  /* some keys have a host */
#define R307_INDEX_WILDCARDS 2  /* some of those begin with "*." */
#define R307_INDEX_REGEXES   4  /* some records are of this kind; likewise */
#define R307_INDEX_EXACTS    8
#define R307_INDEX_PREFIXES  16

/* The flag that says that some records are of that kind. */
static inline apr_uint32_t r307_index_kind_flag(r307_rule_kind_t kind)
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

/* Keys deeper than this are cut to it: what is found is still right, only
 * less is told apart. */
#define R307_INDEX_DEPTH_MAX 60

typedef struct r307_index_t {
    r307_index_info_t info;
    const char *records;
    const r307_slot_t *slots;
} r307_index_t;

/* ---- building ---- */

typedef struct r307_indexer_t r307_indexer_t;

/* One rule to be filed. Strings are copied. */
typedef struct r307_entry_t {
    r307_record_t record;       /* next is ignored, lengths of strings too */
    const char *host;           /* lower case, "*.name", or NULL */
    const char *path;           /* URL-path, or for REGEX and SECTION the
                                 * key: "" or whole segments; no doubled
                                 * slashes */
    const char *target;         /* or NULL */
    const char *name;           /* or NULL */
} r307_entry_t;

/* expected: about how many rules will come. hash_mask: ~0. Memory is the
 * process's, not the pool's, until pool is cleared: an indexer can be larger
 * than what pools should hold. NULL when there is no memory. */
r307_indexer_t *r307_indexer_create(apr_pool_t *pool, apr_size_t expected,
                                    apr_uint32_t hash_mask);

/* Entries must come in ascending order of record.order; with the same order
 * they must have different hosts. APR_ENAMETOOLONG: strings over 65,535
 * bytes, host or name over 255; APR_ENOSPC: too many records; APR_ENOMEM.
 * *ref, when not NULL, names the new record. */
apr_status_t r307_indexer_add(r307_indexer_t *ix, const r307_entry_t *entry,
                              r307_ref_t *ref);

/* The same with a record of another index, but for its options. */
apr_status_t r307_indexer_copy(r307_indexer_t *ix, const r307_record_t *rec,
                               apr_uint32_t options, r307_ref_t *ref);

/* The finished parts, in order of the file: call write for each piece.
 * Stops at the first failure and returns it. */
apr_status_t r307_indexer_write(r307_indexer_t *ix, r307_index_info_t *info,
                                apr_status_t (*write)(void *ctx,
                                                      const void *data,
                                                      apr_size_t len),
                                void *ctx);

/* A copy that lives in pool. */
const r307_index_t *r307_indexer_freeze(r307_indexer_t *ix, apr_pool_t *pool);

/* Give the memory back now. */
void r307_indexer_destroy(r307_indexer_t *ix);

/* ---- reading ---- */

/* Does the info describe something readable in that many bytes? Returns NULL
 * or what is wrong. */
const char *r307_index_check(const r307_index_info_t *info,
                             apr_uint64_t records_room,
                             apr_uint64_t slots_room);

/* The record, or NULL when ref leads outside (a damaged file). */
static inline const r307_record_t *r307_index_record(
    const r307_index_t *index, r307_ref_t ref)
{
    apr_uint64_t at = ((apr_uint64_t)ref - 1) * 4;
    const r307_record_t *rec;

    if (ref == 0 || at + sizeof *rec > index->info.records_len) {
        return NULL;
    }
    rec = (const r307_record_t *)(index->records + at);
    return at + sizeof *rec + rec->host_len + rec->path_len + rec->target_len
        + rec->name_len > index->info.records_len ? NULL : rec;
}

/* The record behind that one, in the order in which they were added; 0
 * behind the last. The first is 1. Only for indexes whose orders begin at 1
 * (tables). */
r307_ref_t r307_index_next(const r307_index_t *index, r307_ref_t ref);

/* Of the record and what follows it. */
static inline apr_size_t r307_record_size(const r307_record_t *rec)
{
    return sizeof *rec + rec->host_len + rec->path_len + rec->target_len
        + rec->name_len;
}

static inline const char *r307_record_host(const r307_record_t *rec)
{
    return (const char *)(rec + 1);
}

static inline const char *r307_record_path(const r307_record_t *rec)
{
    return r307_record_host(rec) + rec->host_len;
}

static inline const char *r307_record_target(const r307_record_t *rec)
{
    return r307_record_path(rec) + rec->path_len;
}

static inline const char *r307_record_name(const r307_record_t *rec)
{
    return r307_record_target(rec) + rec->target_len;
}

#endif
