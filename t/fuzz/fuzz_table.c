/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Tables that are damaged or were never tables. Input, by its first byte:
 *   'r'  the rest is the block
 *   else a good table, changed by triples: offset (two bytes, little endian),
 *        new byte. The header's checksum is made right again, but not with
 *        'h'; only 'v' has the checksum of the whole compared.
 * What holds:
 *  - what is refused is refused with a sentence
 *  - what is opened answers every path and reads nothing outside of it; the
 *    path of the rule that answers is not longer than the request's
 *  - no change of the header passes its checksum, no change behind it passes
 *    the other
 *  - the good table is opened and answers
 */
#include "fuzz_server.h"

#include "core/r307_block.h"

#include <stddef.h>
#include <unistd.h>

const char fuzz_name[] = "table";

static const char rules[] =
    "/shop https://s.example/x\n"
    "/shop/item https://i.example:8443/?a=b#f exact name=x\n"
    "/shop/item https://m.example/ methods=POST,PUT cache=60\n"
    "a.example/host https://a.example/A\n"
    "*.b.example/host/deep/path https://b.example/B query=append\n"
    "/stop -\n"
    "/local /there\n"
    "/until https://u.example/ until=2020-01-01T00:00:00Z\n"
    "~^/r/(\\d+)$ https://r.example/$1\n"
    "/expr https://e.example/%{x} \"expr=true\"\n";

static const char *const paths[] = {
    "/", "/shop", "/shop/item", "/shop/item/1", "/host/x",
    "/host/deep/path/x", "/stop", "/local/x", "/until", "/r/12", "/expr",
    "/none/of/these"
};

/* How a test opens a table. */
static void fill_spec(fuzz_t *in, r307_table_spec_t *spec)
{
    memset(spec, 0, sizeof *spec);
    spec->path = "fuzz";
    spec->regex_flags = R307_REGEX_DOTALL | R307_REGEX_DOLLAR_ENDONLY;
    spec->compile_expr = fuzz_compile_expr;
    spec->allowed_hosts = fuzz_allowed(in->pool);
}

/* A block of the rules above, made once. */
static const char *good_block(fuzz_t *in, apr_size_t *len)
{
    static char *block;
    static apr_size_t block_len;
    char path[] = "/tmp/r307-fuzz-XXXXXX";
    r307_error_t err = { in->pool, NULL };
    r307_table_report_t report;
    r307_table_spec_t spec;
    r307_table_t *table;
    int fd;

    if (!block) {
        fd = mkstemp(path);
        FUZZ_HOLDS(fd >= 0 && write(fd, rules, sizeof rules - 1)
                              == (ssize_t)sizeof rules - 1);
        close(fd);
        fill_spec(in, &spec);
        spec.path = path;
        FUZZ_HOLDS(r307_table_compile_memory(&spec, in->pool, &table,
                                             &report, &err) == APR_SUCCESS);
        unlink(path);
        block_len = (apr_size_t)r307_table_header(table)->file_len;
        block = malloc(block_len);
        FUZZ_HOLDS(block != NULL);
        memcpy(block, r307_table_header(table), block_len);
    }
    *len = block_len;
    return block;
}

static char *changed_block(fuzz_t *in, int mend, apr_size_t *len)
{
    const char *good = good_block(in, len);
    char *block = fuzz_memory(in, *len);
    r307_table_header_t *header = (r307_table_header_t *)block;

    memcpy(block, good, *len);
    while (in->end - in->at >= 3) {
        apr_size_t at = (apr_size_t)fuzz_byte(in);

        at |= (apr_size_t)fuzz_byte(in) << 8;
        block[at % *len] = (char)fuzz_byte(in);
    }
    if (mend) {
        header->header_sum =
            r307_block_sum(0, header, offsetof(r307_table_header_t,
                                               header_sum));
    }
    return block;
}

/* A rule that is read off the block: damage can make its path another, as it
 * can a target, but not longer than what it is compared with. */
static void check_length(const r307_rule_t *rule, const char *path,
                         const r307_table_t *table)
{
    const r307_table_header_t *header = r307_table_header(table);
    const char *block = (const char *)header;

    if (rule && rule->path >= block
        && rule->path < block + header->file_len) {
        FUZZ_HOLDS(rule->path + rule->path_len <= block + header->file_len);
        FUZZ_HOLDS(rule->path_len <= strlen(path));
    }
}

static void ask_all(fuzz_t *in, const r307_table_t *table, int is_good)
{
    unsigned i, found = 0;

    fuzz_value = "1";
    for (i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        r307_decision_t d;

        memset(&d, 0, sizeof d);
        fuzz_ask(in, r307_table_rules(table), paths[i], "q=1", &d);
        FUZZ_HOLDS((d.outcome == R307_REDIRECT) == (d.location != NULL));
        FUZZ_HOLDS(d.outcome == R307_NONE || d.rule);
        check_length(d.rule, paths[i], table);
        FUZZ_HOLDS(!d.location || strlen(d.location) <= R307_LOCATION_MAX);
        found += d.outcome != R307_NONE;
    }
    FUZZ_HOLDS(!is_good || found == 8);
}

/* May a table with these changes be opened? */
static int may_open(int how, const char *block, const char *good,
                    apr_size_t len)
{
    apr_size_t header = sizeof(r307_table_header_t);

    if (how == 'h') {
        return memcmp(block, good, header) == 0;
    }
    return how != 'v' || memcmp(block + header, good + header,
                                len - header) == 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    r307_table_spec_t spec;
    r307_table_t *table = NULL;
    r307_error_t err;
    apr_size_t len, good_len;
    const char *block, *good;
    fuzz_t in;
    int how, is_good;

    fuzz_begin(&in, data, size);
    err.pool = in.pool;
    err.text = NULL;
    fill_spec(&in, &spec);
    how = fuzz_byte(&in);
    good = good_block(&in, &good_len);
    block = how == 'r' ? fuzz_rest(&in, &len)
                       : changed_block(&in, how != 'h', &len);
    is_good = len == good_len && memcmp(block, good, len) == 0;
    if (r307_table_over(block, len, &spec, how == 'v', in.pool, &table, &err)
        == APR_SUCCESS) {
        FUZZ_HOLDS(!err.text);
        FUZZ_HOLDS(how == 'r' || may_open(how, block, good, len));
        ask_all(&in, table, is_good);
    }
    else {
        FUZZ_HOLDS(!is_good);
        fuzz_check_error(APR_EINVAL, &err);
    }
    return fuzz_end(&in);
}
