/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Tables: rule files compiled to one block that is the frozen index itself.
 * The block is a file that every process maps read-only, or memory. It holds
 * offsets, no pointers; numbers are in the byte order of the machine.
 *
 *     offset  what
 *     0       r307_table_header_t
 *     then    records     (r307_index.h)
 *     then    slots       (r307_index.h)
 *     then    option sets: NUL-terminated strings, one after the other
 *     then    where each of them begins: apr_uint32_t
 *     then    refs of the records whose rules are prepared when the table is
 *             opened (regular expressions, expr=, %{...}): their target is
 *             the whole line
 *     then    marks: where every R307_TABLE_STRIDE-th record is, by its id
 *             (tables of rows)
 *     then    changed ids, ascending (patches)
 *
 * Every part begins at a multiple of 8. Tables of rows and patches are made
 * and put together in r307_patch.h.
 */
#ifndef R307_TABLE_H
#define R307_TABLE_H

#include "core/r307_ruleset.h"
#include "core/r307_rulefile.h"

#define R307_TABLE_VERSION 3

/* Bad lines that are remembered for the message; all are counted. */
#define R307_TABLE_ERRORS_MAX 10

/* Records from one mark to the next. */
#define R307_TABLE_STRIDE 256

typedef struct r307_mark_t {
    apr_uint32_t order;
    r307_ref_t ref;
} r307_mark_t;

/* Which version of which source a table was made from. Of a table of rows
 * whoever writes it says what the numbers are, but for settings. */
typedef struct r307_table_source_t {
    apr_uint64_t mtime;         /* microseconds */
    apr_uint64_t size;
    apr_uint64_t inode;
    apr_uint64_t device;
    apr_uint64_t settings;      /* format, matching, regex flags */
} r307_table_source_t;

typedef struct r307_table_header_t {
    char magic[8];              /* "R307TBL\n" */
    apr_uint32_t version;
    apr_uint32_t byte_order;    /* 0x01020304 */
    apr_uint64_t file_len;
    r307_table_source_t source;
    r307_index_info_t index;
    apr_uint64_t options_len;   /* bytes, without padding */
    apr_uint32_t options;       /* sets */
    apr_uint32_t prepared;      /* refs */
    apr_uint64_t base;          /* PATCH: r307_table_id() of what it changes */
    apr_uint32_t flags;         /* R307_TABLE_* */
    apr_uint32_t last;          /* greatest order of a record */
    apr_uint32_t marks;
    apr_uint32_t changed;       /* PATCH: ids */
    apr_uint32_t hidden;        /* PATCH: of those, the base's */
    apr_uint32_t reserved;
    apr_uint64_t payload_sum;   /* of everything behind the header */
    apr_uint64_t header_sum;    /* of everything before this member */
} r307_table_header_t;

#define R307_TABLE_ROWS  1      /* orders are ids of rows, not lines */
#define R307_TABLE_PATCH 2      /* it only says what has changed in another */

/* How a rule file is to be read. */
typedef struct r307_table_spec_t {
    const char *path;           /* of the source, for messages too */
    r307_rulefile_format_t format;
    int exact;                  /* match=exact: paths match exactly */
    apr_size_t size_max;        /* bytes; 0 for no limit */
    int regex_flags;            /* r307_regex_flags_t */
    /* As in r307_rule_env_t. */
    const char *(*compile_expr)(void *ctx, apr_pool_t *pool,
                                const char *text, int is_string,
                                const void **expr);
    void *ctx;
    const apr_array_header_t *allowed_hosts;    /* NULL: computed hosts are
                                                 * an error */
    const apr_array_header_t *sites;    /* const r307_site_t *; NULL: none */
} r307_table_spec_t;

/* What compiling found. */
typedef struct r307_table_report_t {
    apr_uint32_t rules;
    apr_uint32_t bad_lines;
    /* "path:line: sentence", the first R307_TABLE_ERRORS_MAX */
    const char *errors[R307_TABLE_ERRORS_MAX];
    int nerrors;
} r307_table_report_t;

/* The source as it is now. An error of apr_stat(); EISDIR or APR_EINVAL for
 * what is not a regular file. */
apr_status_t r307_table_stat(const r307_table_spec_t *spec, apr_pool_t *pool,
                             r307_table_source_t *out);

/*
 * Compile spec->path into the file `to`: written beside it, synced, renamed.
 * APR_EINVAL when lines are bad (told in report; nothing is written), or an
 * error of the file system with a sentence in err. A compile that dies leaves
 * `to` as it was.
 */
apr_status_t r307_table_compile(const r307_table_spec_t *spec, const char *to,
                                apr_pool_t *pool,
                                r307_table_report_t *report,
                                r307_error_t *err);

typedef struct r307_table_t r307_table_t;

/* Compile into memory, which is the table's. For small sources. */
apr_status_t r307_table_compile_memory(const r307_table_spec_t *spec,
                                       apr_pool_t *pool, r307_table_t **out,
                                       r307_table_report_t *report,
                                       r307_error_t *err);

/*
 * Map a compiled file and prepare what must be. The mapping lasts until pool
 * is cleared; a file that is replaced by rename meanwhile stays mapped.
 * verify: read the whole file and compare its checksum. APR_EINVAL with a
 * sentence for a file that is truncated, damaged, of another version or
 * machine; other errors are the system's.
 */
apr_status_t r307_table_open(const char *file, const r307_table_spec_t *spec,
                             int verify, apr_pool_t *pool,
                             r307_table_t **out, r307_error_t *err);

const r307_ruleset_t *r307_table_rules(const r307_table_t *table);

/* Of a patched table: the base's. */
const r307_table_header_t *r307_table_header(const r307_table_t *table);

/* Rules that there are, the patch included. */
apr_uint32_t r307_table_count(const r307_table_t *table);

/* Record after record, in the order of the lines or ids: *at is
 * R307_PLACE_FIRST at first and is moved on. NULL at the end. */
const r307_record_t *r307_table_next(const r307_table_t *table,
                                     r307_place_t *at);

/* The prepared rule of that record; NULL for one that is made when it is
 * asked. */
const r307_rule_t *r307_table_prepared(const r307_table_t *table,
                                       const r307_record_t *rec);

/* Prepared rule i, in the order of the records; not of a patch. */
const r307_rule_t *r307_table_prepared_at(const r307_table_t *table,
                                          apr_uint32_t i);

/* The record as a rule, in pool; NULL when it is damaged. */
const r307_rule_t *r307_table_rule(const r307_table_t *table,
                                   const r307_record_t *rec,
                                   apr_pool_t *pool);

/* Choices of all geo rules together; not of those in a patch, which are
 * counted without. */
apr_uint32_t r307_table_choices(const r307_table_t *table);

/* Count in those slots (r307_identity.h) from now on; NULL: the rules cannot
 * be counted. The counter must outlive the table. Before its first use. */
struct r307_counter_t;
void r307_table_count_in(r307_table_t *table, struct r307_counter_t *counter,
                         apr_pool_t *pool);

/* What r307_table_count_in() was given. */
struct r307_counter_t *r307_table_counter(const r307_table_t *table);

/* What the spec contributes to a source: r307_table_source_t.settings. */
apr_uint64_t r307_table_settings(const r307_table_spec_t *spec);

/* Was it made from that version of the source? */
int r307_table_is_from(const r307_table_t *table,
                       const r307_table_source_t *source);

#endif
