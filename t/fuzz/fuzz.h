/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * What fuzz targets share. A target is one file that defines fuzz_name and
 * LLVMFuzzerTestOneInput(). It is built in two ways: with replay.c, which
 * feeds it the files of t/fuzz/corpus/NAME, and with clang's libFuzzer
 * (t/fuzz/run), which looks for inputs that nobody thought of.
 *
 * A target must judge what it gets by FUZZ_HOLDS, not only survive. It hands
 * bytes to the core in memory from malloc() that ends where they end, so that
 * sanitizers see a read too far; what lies in a pool they do not see.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "core/r307_encode.h"
#include "core/r307_error.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The target's, and its directory's below t/fuzz/corpus. */
extern const char fuzz_name[];

/* Returns 0. */
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define FUZZ_HOLDS(truth) \
    ((truth) ? (void)0 : fuzz_failed(__FILE__, __LINE__, #truth))

static inline void fuzz_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

/* ---- reading the input ---- */

typedef struct fuzz_t {
    apr_pool_t *pool;           /* for one input */
    const unsigned char *at, *end;
} fuzz_t;

static inline void fuzz_begin(fuzz_t *in, const unsigned char *data,
                              size_t size)
{
    static apr_pool_t *root;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    apr_pool_create(&in->pool, root);
    in->at = data;
    in->end = data + size;
}

static inline int fuzz_end(fuzz_t *in)
{
    apr_pool_destroy(in->pool);
    return 0;
}

static inline apr_status_t fuzz_release(void *memory)
{
    free(memory);
    return APR_SUCCESS;
}

/* len bytes and not one more. */
static inline void *fuzz_memory(fuzz_t *in, apr_size_t len)
{
    void *memory = calloc(1, len ? len : 1);

    if (!memory) {
        abort();
    }
    apr_pool_cleanup_register(in->pool, memory, fuzz_release,
                              apr_pool_cleanup_null);
    return memory;
}

/* The next byte, 0 at the end. Digits make good switches: their low bits
 * count, and an editor shows them. */
static inline int fuzz_byte(fuzz_t *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

/* All that is left. */
static inline char *fuzz_rest(fuzz_t *in, apr_size_t *len)
{
    char *bytes;

    *len = (apr_size_t)(in->end - in->at);
    bytes = fuzz_memory(in, *len);
    if (*len) {
        memcpy(bytes, in->at, *len);
    }
    in->at = in->end;
    return bytes;
}

/* A string up to the next newline or NUL, or to the end. */
static inline char *fuzz_line(fuzz_t *in)
{
    const unsigned char *end = in->at;
    apr_size_t len;
    char *line;

    while (end < in->end && *end != '\n' && *end) {
        end++;
    }
    len = (apr_size_t)(end - in->at);
    line = fuzz_memory(in, len + 1);
    if (len) {
        memcpy(line, in->at, len);
    }
    line[len] = '\0';
    in->at = end < in->end ? end + 1 : end;
    return line;
}

/* ---- what must hold everywhere ---- */

/* A failure has a sentence with an id, fit for one line of a log; a success
 * has none. */
static inline void fuzz_check_error(apr_status_t rv, const r307_error_t *err)
{
    const char *s = err->text;

    FUZZ_HOLDS((rv == APR_EINVAL) == (s != NULL));
    if (!s) {
        return;
    }
    FUZZ_HOLDS(strncmp(s, "R307-", 5) == 0);
    FUZZ_HOLDS(strspn(s + 5, "0123456789") == 4);
    FUZZ_HOLDS(strncmp(s + 9, ": ", 2) == 0);
    for (; *s; s++) {
        FUZZ_HOLDS(*s >= 0x20 && *s < 0x7f);
    }
}

/* Every byte may stand there as it is, or is part of an octet. */
static inline void fuzz_check_encoded(const char *s, apr_size_t len,
                                      int components)
{
    const char *end = s + len;

    while (s < end) {
        int octet = r307_encode_is_octet(s, (apr_size_t)(end - s));

        FUZZ_HOLDS(octet || r307_encode_legal((unsigned char)*s,
                                              (r307_component_t)components));
        s += octet ? 3 : 1;
    }
}

#endif
