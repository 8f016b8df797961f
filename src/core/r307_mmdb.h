/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Databases that know where an address is: files in the MaxMind DB format 2.0
 * (GeoIP2, GeoLite2, DB-IP, IPinfo and others), mapped through libmaxminddb.
 *
 * configure leaves HAVE_MAXMINDDB undefined where the library is missing;
 * then opening a database is an error that says so.
 */
#ifndef R307_MMDB_H
#define R307_MMDB_H

#include "core/r307_error.h"
#include "core/r307_facts.h"
#include "core/r307_table.h"

struct sockaddr;

/* Records that opening looks at for a place. */
#define R307_MMDB_PROBES_MAX 1000

typedef struct r307_mmdb_t r307_mmdb_t;

/* The file as it is now, to be compared by memcmp() with r307_mmdb_source().
 * Errors as those of r307_table_stat(). */
apr_status_t r307_mmdb_stat(const char *path, apr_pool_t *pool,
                            r307_table_source_t *out);

/*
 * Map the file until pool is cleared; one that is replaced by rename meanwhile
 * stays mapped. (One that is truncated or written over where it stands takes
 * the process down with SIGBUS, as with every mapped file.) APR_EINVAL with a
 * sentence for everything that is not a sound database of places; waits for
 * nothing, a FIFO neither. Reads the metadata and up to R307_MMDB_PROBES_MAX
 * records; a damaged spot elsewhere is met at request time, as an address
 * that is not found.
 */
apr_status_t r307_mmdb_open(apr_pool_t *pool, const char *path,
                            r307_mmdb_t **out, r307_error_t *err);

/* The file that was opened, as of just before. */
const r307_table_source_t *r307_mmdb_source(const r307_mmdb_t *db);

/*
 * Look the address up and set those of `fields` (R307_FIELD_BIT) that its
 * record knows, as r307_mmfacts_set() tells; the others keep what they are.
 * 1: there is a record, though it may know nothing. 0, and facts untouched:
 * an address that is private or not known, IPv6 in a database of IPv4,
 * another family, or a damaged record. IPv4 mapped to IPv6 (RFC 4291, 2.5.5.2)
 * counts as IPv4. Any thread, without locks.
 */
int r307_mmdb_facts(const r307_mmdb_t *db, const struct sockaddr *addr,
                    unsigned fields, r307_facts_t *facts, apr_pool_t *pool);

#endif
