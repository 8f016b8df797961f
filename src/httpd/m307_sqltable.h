/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Tables whose rules are rows of a database (Redirect307Table NAME sql:...).
 * What requests see is files, as with all tables:
 *
 *     NAME.table          the base: all rows at some moment
 *     NAME.patch.HASH     what has changed since; HASH is the base's. There
 *                         whenever the base is, if only to say up to where
 *                         the log of changes has been followed
 *     NAME.next           a base that is being made
 *     NAME.status         JSON, for reports (m307_sqlstatus.h)
 *     NAME.lock           held while files are put in place
 *
 * One process, chosen by mod_watchdog, follows the store (m307_follow.h).
 */
#ifndef M307_SQLTABLE_H
#define M307_SQLTABLE_H

#include "httpd/m307_table.h"

#include "core/r307_patch.h"

struct m307_base_t;
struct m307_follower_t;

typedef struct m307_sql_t {
    const char *ruleset;
    const char *stem;           /* DIR/NAME */

    /* this process */
    apr_thread_mutex_t *lock;   /* of base */
    struct m307_base_t *base;   /* what was opened last */
    struct m307_follower_t *follower;   /* the watchdog's process only */
} m307_sql_t;

/* Where a table stands in its store's log. Strings are kept as hashes; they
 * are only compared. */
typedef struct m307_position_t {
    apr_uint64_t store;         /* store_id and epoch */
    apr_uint64_t seq;           /* of the last change; 0: of none */
    apr_uint64_t token;         /* of that change */
} m307_position_t;

/* ---- configuration ---- */

/* The rest of "sql:RULESET". NULL or an error sentence. */
const char *m307_sqltable_define(m307_table_t *table, const char *ruleset,
                                 cmd_parms *cmd);
/* When all its options have been read: those that make no sense. */
const char *m307_sqltable_judge_option(const m307_table_t *table,
                                       const char *word, apr_pool_t *pool);

/* check_config: can there be such tables? OK or an HTTP status, with messages
 * logged. */
int m307_sqltable_check(const m307_table_t *table, apr_pool_t *ptemp,
                        server_rec *s);
/* check_config: use what was compiled before, if there is something. Nothing
 * that the database does or does not do is an error here. */
void m307_sqltable_begin(m307_table_t *table, const char *dir,
                         apr_pool_t *pconf, apr_pool_t *ptemp);

/* ---- files ---- */

typedef struct m307_opened_t {
    r307_table_t *view;         /* base and patch */
    r307_table_t *base;
    r307_table_t *patch;
} m307_opened_t;

/*
 * Map base and patch as they are now. The base is shared with other versions
 * in this process that have the same one. All of it lasts as long as pool.
 * verify: read both through and compare their checksums. Any thread. An error
 * of the system, or APR_EINVAL, with a sentence.
 */
apr_status_t m307_sqltable_open(const m307_table_t *table, int verify,
                                apr_pool_t *pool, m307_opened_t *out,
                                r307_error_t *err);

m307_position_t m307_sqltable_position(const r307_table_header_t *h);
/* Was it compiled with the settings of this configuration? */
int m307_sqltable_is_ours(const m307_table_t *table,
                          const r307_table_header_t *h);
/* As what a file at that position is to be written. */
r307_table_source_t m307_sqltable_source(const m307_table_t *table,
                                         const m307_position_t *position);

/* "DIR/NAME" with that suffix */
const char *m307_sqltable_file(const m307_table_t *table, const char *suffix,
                               apr_pool_t *pool);
/* The patch of the base with that id. */
const char *m307_sqltable_patch(const m307_table_t *table, apr_uint64_t id,
                                apr_pool_t *pool);
/* Patches of other bases go. */
void m307_sqltable_sweep(const m307_table_t *table, apr_uint64_t id,
                         apr_pool_t *pool);

/* Hash of a string for m307_position_t. */
apr_uint64_t m307_sqltable_hash(const char *s);

#endif
