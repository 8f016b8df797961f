/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns MaxMind DB files: opening, checking, finding the record of an address.
 * Must not know what a record holds. Called by whoever follows
 * Redirect307GeoFrom.
 */
#include "core/r307_mmdb.h"

#include "core/r307_mmfacts.h"

#include <string.h>

apr_status_t r307_mmdb_stat(const char *path, apr_pool_t *pool,
                            r307_table_source_t *out)
{
    r307_table_spec_t spec = { path };

    return r307_table_stat(&spec, pool, out);
}

#ifndef HAVE_MAXMINDDB

apr_status_t r307_mmdb_open(apr_pool_t *pool, const char *path,
                            r307_mmdb_t **out, r307_error_t *err)
{
    (void)pool;
    *out = NULL;
    return r307_error_set(err, "R307-0730: the database '%s' cannot be read: "
                          "the module was built without libmaxminddb; "
                          "install its development files (Debian: "
                          "libmaxminddb-dev) and build again, or take the "
                          "facts from header: or env:",
                          r307_error_show(err, path, strlen(path)));
}

const r307_table_source_t *r307_mmdb_source(const r307_mmdb_t *db)
{
    (void)db;
    return NULL;
}

int r307_mmdb_facts(const r307_mmdb_t *db, const struct sockaddr *addr,
                    unsigned fields, r307_facts_t *facts, apr_pool_t *pool)
{
    (void)db, (void)addr, (void)fields, (void)facts, (void)pool;
    return 0;
}

#else

#include <apr_file_io.h>

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <maxminddb.h>

#define METADATA_MARKER "\xab\xcd\xefMaxMind.com"
#define MARKER_LEN (sizeof(METADATA_MARKER) - 1)
#define SEPARATOR_LEN 16        /* between search tree and data section */

struct r307_mmdb_t {
    MMDB_s db;
    apr_size_t data_len;        /* of the data section; what the library says
                                 * includes the metadata */
    r307_table_source_t source;
};

static const char *shown(const char *path, r307_error_t *err)
{
    return r307_error_show(err, path, strlen(path));
}

static apr_status_t cannot_open(const char *path, apr_status_t why,
                                r307_error_t *err)
{
    char text[120];

    if (why == EISDIR || why == EINVAL) {
        return r307_error_set(err, "R307-0732: the database '%s' is not a "
                              "regular file; name a file in the MaxMind DB "
                              "format (.mmdb)", shown(path, err));
    }
    return r307_error_set(err, "R307-0731: the database '%s' cannot be "
                          "opened: %s; name a file in the MaxMind DB format "
                          "(.mmdb) that httpd can read", shown(path, err),
                          apr_strerror(why, text, sizeof text));
}

static apr_status_t not_sound(const char *path, const char *why,
                              r307_error_t *err)
{
    return r307_error_set(err, "R307-0733: '%s' is not a MaxMind database, or "
                          "a damaged one: %s; fetch it again, and replace it "
                          "by renaming, never in place", shown(path, err),
                          why);
}

/* The last bytes of a file, before the library sees it. */
static apr_status_t read_tail(apr_file_t *f, char tail[MARKER_LEN])
{
    apr_off_t at = -(apr_off_t)MARKER_LEN;
    apr_status_t rv = apr_file_seek(f, APR_END, &at);

    return rv == APR_SUCCESS ? apr_file_read_full(f, tail, MARKER_LEN, NULL)
                             : rv;
}

/* libmaxminddb up to 1.13 reads behind the end of a file that ends where the
 * metadata should begin. */
static apr_status_t check_tail(apr_pool_t *pool, const char *path,
                               r307_error_t *err)
{
    char tail[MARKER_LEN];
    apr_file_t *f;
    apr_status_t rv = apr_file_open(&f, path,
                                    APR_FOPEN_READ | APR_FOPEN_BINARY
                                    | APR_FOPEN_NONBLOCK,
                                    APR_FPROT_OS_DEFAULT, pool);

    if (rv != APR_SUCCESS) {
        return cannot_open(path, rv, err);
    }
    rv = read_tail(f, tail);
    apr_file_close(f);
    if (rv != APR_SUCCESS) {
        return not_sound(path, "it is too short", err);
    }
    return memcmp(tail, METADATA_MARKER, MARKER_LEN) == 0
        ? not_sound(path, "its metadata is missing", err) : APR_SUCCESS;
}

/* The library computes with 32 bits; a damaged count of nodes may wrap. */
static apr_status_t check_sizes(r307_mmdb_t *mmdb, const char *path,
                                r307_error_t *err)
{
    const MMDB_s *db = &mmdb->db;
    apr_uint64_t tree = (apr_uint64_t)db->metadata.node_count
                        * db->full_record_byte_size + SEPARATOR_LEN;
    apr_uint64_t metadata = (apr_uint64_t)(db->metadata_section
                                           - db->file_content) - MARKER_LEN;

    if (tree >= metadata || metadata > APR_UINT32_MAX) {
        return not_sound(path, "its search tree is larger than the file "
                         "allows", err);
    }
    mmdb->data_len = (apr_size_t)(metadata - tree);
    return APR_SUCCESS;
}

static int read_record(const r307_mmdb_t *mmdb, const MMDB_entry_s *entry,
                       unsigned slots, r307_mmrecord_value_t *values)
{
    return r307_mmrecord_read(mmdb->db.data_section, mmdb->data_len,
                              entry->offset, slots, values);
}

typedef enum probe_t { NO_RECORD, NO_PLACE, PLACE, DAMAGED } probe_t;

static probe_t probe(const r307_mmdb_t *mmdb, unsigned type,
                     const MMDB_entry_s *entry)
{
    r307_mmrecord_value_t values[R307_MMRECORD_SLOTS];
    int i;

    if (type != MMDB_RECORD_TYPE_DATA) {
        return type == MMDB_RECORD_TYPE_INVALID ? DAMAGED : NO_RECORD;
    }
    if (!read_record(mmdb, entry, ~0u, values)) {
        return DAMAGED;
    }
    for (i = 0; i < R307_MMRECORD_SLOTS; i++) {
        if (values[i].type != R307_MMRECORD_ABSENT) {
            return PLACE;
        }
    }
    return NO_PLACE;
}

/* The first records of the tree, until one holds a place. */
static probe_t probe_tree(const r307_mmdb_t *mmdb)
{
    probe_t found = NO_RECORD, side[2];
    MMDB_search_node_s node;
    apr_uint32_t i;
    int probes = 0, s;

    for (i = 0; i < mmdb->db.metadata.node_count
             && probes < R307_MMDB_PROBES_MAX; i++) {
        if (MMDB_read_node(&mmdb->db, i, &node) != MMDB_SUCCESS) {
            return DAMAGED;
        }
        side[0] = probe(mmdb, node.left_record_type, &node.left_record_entry);
        side[1] = probe(mmdb, node.right_record_type,
                        &node.right_record_entry);
        for (s = 0; s < 2; s++) {
            if (side[s] == DAMAGED || side[s] == PLACE) {
                return side[s];
            }
            if (side[s] == NO_PLACE) {
                found = NO_PLACE;
                probes++;
            }
        }
    }
    return found;
}

static apr_status_t check_records(const r307_mmdb_t *mmdb, const char *path,
                                  r307_error_t *err)
{
    const char *type = mmdb->db.metadata.database_type;

    switch (probe_tree(mmdb)) {
    case DAMAGED:
        return not_sound(path, "its records cannot be read", err);
    case NO_PLACE:
        return r307_error_set(err, "R307-0734: '%s' is a database of type "
                              "'%s', which holds no places; name one of "
                              "countries or cities", shown(path, err),
                              r307_error_show(err, type, strlen(type)));
    default:
        return APR_SUCCESS;
    }
}

static apr_status_t close_db(void *data)
{
    MMDB_close(data);
    return APR_SUCCESS;
}

static apr_status_t map(r307_mmdb_t *mmdb, apr_pool_t *pool, const char *path,
                        r307_error_t *err)
{
    int code;

    errno = 0;
    code = MMDB_open(path, MMDB_MODE_MMAP, &mmdb->db);
    if (code == MMDB_FILE_OPEN_ERROR) {
        return cannot_open(path, errno, err);
    }
    if (code != MMDB_SUCCESS) {
        return not_sound(path, MMDB_strerror(code), err);
    }
    apr_pool_cleanup_register(pool, &mmdb->db, close_db,
                              apr_pool_cleanup_null);
    return APR_SUCCESS;
}

apr_status_t r307_mmdb_open(apr_pool_t *pool, const char *path,
                            r307_mmdb_t **out, r307_error_t *err)
{
    r307_mmdb_t *mmdb = apr_pcalloc(pool, sizeof *mmdb);
    apr_status_t rv = r307_mmdb_stat(path, pool, &mmdb->source);

    *out = NULL;
    if (rv != APR_SUCCESS) {
        return cannot_open(path, rv, err);
    }
    if ((rv = check_tail(pool, path, err)) != APR_SUCCESS
        || (rv = map(mmdb, pool, path, err)) != APR_SUCCESS) {
        return rv;
    }
    if ((rv = check_sizes(mmdb, path, err)) != APR_SUCCESS
        || (rv = check_records(mmdb, path, err)) != APR_SUCCESS) {
        apr_pool_cleanup_run(pool, &mmdb->db, close_db);
        return rv;
    }
    *out = mmdb;
    return APR_SUCCESS;
}

const r307_table_source_t *r307_mmdb_source(const r307_mmdb_t *db)
{
    return &db->source;
}

/* The library reads whatever it is given as one of the two families. */
static int find(const r307_mmdb_t *mmdb, const struct sockaddr *addr,
                MMDB_lookup_result_s *found)
{
    const struct sockaddr_in6 *v6 = (const void *)addr;
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    int code;

    if (addr->sa_family == AF_INET6
        && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        memcpy(&v4.sin_addr, v6->sin6_addr.s6_addr + 12, 4);
        addr = (const struct sockaddr *)&v4;
    }
    if (addr->sa_family != AF_INET && addr->sa_family != AF_INET6) {
        return 0;
    }
    *found = MMDB_lookup_sockaddr(&mmdb->db, addr, &code);
    return code == MMDB_SUCCESS && found->found_entry;
}

int r307_mmdb_facts(const r307_mmdb_t *db, const struct sockaddr *addr,
                    unsigned fields, r307_facts_t *facts, apr_pool_t *pool)
{
    r307_mmrecord_value_t values[R307_MMRECORD_SLOTS];
    MMDB_lookup_result_s found;

    if (!find(db, addr, &found)
        || !read_record(db, &found.entry, r307_mmfacts_slots(fields),
                        values)) {
        return 0;
    }
    r307_mmfacts_set(values, fields, facts, pool);
    return 1;
}

#endif
