/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Hashing of keys, eight bytes at a time. Its results are in table
 * files: who changes it raises R307_TABLE_VERSION.
 */
#ifndef R307_HASH_H
#define R307_HASH_H

#include <apr.h>

#include <string.h>

#define R307_HASH_SEED APR_UINT64_C(0xcbf29ce484222325)
#define R307_HASH_MUL  APR_UINT64_C(0xd6e8feb86659fd93)

/* A product carries what it depends on upwards only; turning it brings that
 * down again. */
static inline apr_uint64_t r307_hash_mix(apr_uint64_t h, apr_uint64_t word)
{
    h = (h ^ word) * R307_HASH_MUL;
    return h << 32 | h >> 32;
}

/* Eight bytes as a little-endian number: what stands first is lowest. */
static inline apr_uint64_t r307_hash_word(const char *s)
{
    apr_uint64_t word;

    memcpy(&word, s, 8);
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* The first n (0 to 7) bytes likewise; what is missing is 0. */
static inline apr_uint64_t r307_hash_short_word(const char *s, apr_size_t n)
{
    apr_uint64_t word = 0;

    while (n-- > 0) {
        word = word << 8 | (unsigned char)s[n];
    }
    return word;
}

/* Whole words, then what is left, even when that is nothing. */
static inline apr_uint64_t r307_hash_bytes(apr_uint64_t h, const char *s,
                                           apr_size_t len)
{
    for (; len >= 8; len -= 8, s += 8) {
        h = r307_hash_mix(h, r307_hash_word(s));
    }
    return r307_hash_mix(h, r307_hash_short_word(s, len));
}

static inline apr_uint64_t r307_hash_host(const char *host, apr_size_t len)
{
    return r307_hash_bytes(R307_HASH_MUL, host, len);
}

/* Both halves cut to mask: r307_index_info_t.hash_mask. */
static inline apr_uint64_t r307_hash_cut(apr_uint64_t hash, apr_uint32_t mask)
{
    return hash & ((apr_uint64_t)mask << 32 | mask);
}

/* A key's hash, from that of its path and that of its host (0: none). The
 * lower half, which is mixed best, chooses the slot; the upper is the slot's
 * tag. */
static inline apr_uint64_t r307_hash_key(apr_uint32_t mask, apr_uint64_t path,
                                         apr_uint64_t host)
{
    return r307_hash_cut(r307_hash_mix(path, host), mask);
}

static inline apr_uint64_t r307_hash_slot(apr_uint64_t hash,
                                          apr_uint64_t slot_count)
{
    return (hash & 0xffffffff) * slot_count >> 32;
}

#endif
