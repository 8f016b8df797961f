/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the statements that a store is asked, and what the drivers of apr_dbd
 * do with them. Must not know what the answers are for. Called by follow.
 *
 * Statements are prepared here and not with ap_dbd_prepare(): what is
 * prepared there is prepared in every connection of the server, and when that
 * fails, because our schema is not there or may not be read, mod_dbd gives no
 * connection to anybody.
 *
 * They have no label. The driver of PostgreSQL then sends text and parameters
 * together, which also works through poolers of connections and when the
 * schema has been changed under an open connection.
 */
#include "httpd/m307_store.h"

#include "apr_dbd.h"
#include "apr_lib.h"
#include "apr_optional.h"
#include "apr_strings.h"
#include "http_config.h"
#include "mod_dbd.h"

/* Rows read at a time: some megabytes in the server, and some milliseconds
 * for which SQLite keeps writers away. */
#define PAGE 10000
#define LIMIT " LIMIT " APR_STRINGIFY(PAGE)

typedef enum statement_t {
    VERSION, STATE, ROWS, CHANGES, STATEMENTS
} statement_t;

/* A second in all. */
#define BUSY_TRIES 20
#define BUSY_PAUSE apr_time_from_msec(50)

/* Every database takes them. Parameters are text, hence the casts. */
static const struct {
    const char *key;            /* in the connection's hash */
    const char *text;
} statements[STATEMENTS] = {
    { "redirect307-version",
      "SELECT schema_version FROM redirect307_store" },
    { "redirect307-state",
      "SELECT store_id, epoch,"
      " COALESCE((SELECT MAX(seq) FROM redirect307_follow), 0),"
      " COALESCE((SELECT token FROM redirect307_follow WHERE seq ="
      " (SELECT MAX(seq) FROM redirect307_follow)), ''),"
      " COALESCE((SELECT token FROM redirect307_follow WHERE seq ="
      " CAST(%s AS BIGINT)), '')"
      " FROM redirect307_store" },
    { "redirect307-rows",
      "SELECT 0, id, 1, host, kind, path, target, options"
      " FROM redirect307_row WHERE ruleset = %s"
      " AND id > CAST(%s AS BIGINT) ORDER BY id" LIMIT },
    { "redirect307-changes",
      "SELECT seq, rule_id, live, host, kind, path, target, options"
      " FROM redirect307_follow WHERE ruleset = %s"
      " AND seq > CAST(%s AS BIGINT) AND seq <= CAST(%s AS BIGINT)"
      " ORDER BY seq" LIMIT }
};

struct m307_store_t {
    server_rec *s;
    ap_dbd_t *dbd;
    volatile apr_time_t *asking;
    apr_pool_t *pool;
};

/* ---- mod_dbd ---- */

/* A directive of the main server's, outside of all sections: what mod_dbd
 * has made of it, it keeps to itself. The last one counts. */
static const char *setting(const char *name, apr_pool_t *pool)
{
    const ap_directive_t *node;
    const char *value = NULL;

    for (node = ap_conftree; node; node = node->next) {
        if (strcasecmp(node->directive, name) == 0) {
            const char *args = node->args;
            value = ap_getword_conf(pool, &args);
        }
    }
    return value;
}

const char *m307_store_missing(apr_pool_t *pool)
{
    if (!APR_RETRIEVE_OPTIONAL_FN(ap_dbd_open)
        || !APR_RETRIEVE_OPTIONAL_FN(ap_dbd_close)) {
        return "R307-0393: a table with sql: needs mod_dbd, which is not "
               "loaded; write LoadModule dbd_module modules/mod_dbd.so";
    }
    if (!setting("DBDriver", pool)) {
        return "R307-0394: a table with sql: needs a database; write "
               "DBDriver sqlite3 or DBDriver pgsql, and DBDParams, outside "
               "of all sections";
    }
    return NULL;
}

int m307_store_is_eager(apr_pool_t *pool)
{
    const char *persist = setting("DBDPersist", pool);
    const char *min = setting("DBDMin", pool);

    return !(persist && strcasecmp(persist, "off") == 0)
           && !(min && atoi(min) == 0);
}

/* ---- connections ---- */

apr_status_t m307_store_open(server_rec *s, volatile apr_time_t *asking,
                             apr_pool_t *pool, m307_store_t **out,
                             r307_error_t *err)
{
    APR_OPTIONAL_FN_TYPE(ap_dbd_open) *open_dbd =
        APR_RETRIEVE_OPTIONAL_FN(ap_dbd_open);
    m307_store_t *store = apr_pcalloc(pool, sizeof *store);

    store->s = s;
    store->asking = asking;
    store->pool = pool;
    *asking = apr_time_now();
    store->dbd = open_dbd(pool, s);
    *asking = 0;
    if (!store->dbd) {
        r307_error_set(err, "R307-0681: the database cannot be reached; what "
                       "it said is in the log, in the message of mod_dbd");
        return APR_EGENERAL;
    }
    *out = store;
    return APR_SUCCESS;
}

void m307_store_close(m307_store_t *store)
{
    APR_OPTIONAL_FN_TYPE(ap_dbd_close) *close_dbd =
        APR_RETRIEVE_OPTIONAL_FN(ap_dbd_close);

    *store->asking = apr_time_now();
    close_dbd(store->s, store->dbd);
    *store->asking = 0;
}

/* ---- statements ---- */

/* In one line. The driver's text is gone with the next call. */
static const char *what_it_says(m307_store_t *store, int status,
                                apr_pool_t *pool)
{
    const char *said = apr_dbd_error(store->dbd->driver, store->dbd->handle,
                                     status);
    char *text = apr_pstrdup(pool, said && *said ? said : "no reason given");
    char *s;

    for (s = text; *s; s++) {
        if (apr_iscntrl(*s)) {
            *s = ' ';
        }
    }
    while (s > text && s[-1] == ' ') {
        *--s = '\0';
    }
    return text;
}

static apr_status_t refused(m307_store_t *store, int status,
                            r307_error_t *err)
{
    r307_error_set(err, "R307-0682: the database says: %s; it must hold what "
                   "'redirect307 sql init' makes, and let the user of "
                   "DBDParams read that",
                   what_it_says(store, status, err->pool));
    return APR_EGENERAL;
}

/* The hash is the connection's, which may be kept and used again. */
/* While somebody writes, SQLite prepares nothing; the driver waits for that
 * only when it reads rows. Other mistakes are told a little later. */
static int prepare_patiently(ap_dbd_t *dbd, const char *text,
                             apr_dbd_prepared_t **out)
{
    int tries, status = 0;

    for (tries = 0; tries < BUSY_TRIES; tries++) {
        *out = NULL;
        status = apr_dbd_prepare(dbd->driver, dbd->pool, dbd->handle, text,
                                 NULL, out);
        if (status == 0) {
            break;
        }
        apr_sleep(BUSY_PAUSE);
    }
    return status;
}

static apr_status_t prepare(m307_store_t *store, statement_t which,
                            apr_dbd_prepared_t **out, r307_error_t *err)
{
    ap_dbd_t *dbd = store->dbd;
    const char *key = statements[which].key;
    int status;

    *out = apr_hash_get(dbd->prepared, key, APR_HASH_KEY_STRING);
    if (*out) {
        return APR_SUCCESS;
    }
    status = prepare_patiently(dbd, statements[which].text, out);
    if (status != 0) {
        return refused(store, status, err);
    }
    apr_hash_set(dbd->prepared, key, APR_HASH_KEY_STRING, *out);
    return APR_SUCCESS;
}

static void forget(m307_store_t *store, statement_t which)
{
    apr_hash_set(store->dbd->prepared, statements[which].key,
                 APR_HASH_KEY_STRING, NULL);
}

/*
 * Read the answer whole. With PostgreSQL an answer that is read bit by bit
 * ends as if it were complete when the connection breaks.
 */
#define WHOLE 1

static apr_status_t ask_once(m307_store_t *store, statement_t which,
                             const char **values, apr_pool_t *pool,
                             apr_dbd_results_t **out, r307_error_t *err)
{
    apr_dbd_prepared_t *statement = NULL;
    apr_status_t rv = prepare(store, which, &statement, err);
    int status;

    *out = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    status = apr_dbd_pselect(store->dbd->driver, pool, store->dbd->handle,
                             out, statement, WHOLE, 0, values);
    return status ? refused(store, status, err) : APR_SUCCESS;
}

/* A statement of a connection that is kept may be of no use any more: SQLite
 * wants a new one when anything in the schema has changed. */
static apr_status_t ask(m307_store_t *store, statement_t which,
                        const char **values, apr_pool_t *pool,
                        apr_dbd_results_t **out, r307_error_t *err)
{
    int is_old = apr_hash_get(store->dbd->prepared, statements[which].key,
                              APR_HASH_KEY_STRING) != NULL;
    apr_status_t rv;

    *store->asking = apr_time_now();
    rv = ask_once(store, which, values, pool, out, err);
    if (rv != APR_SUCCESS) {
        forget(store, which);
        if (is_old) {
            rv = ask_once(store, which, values, pool, out, err);
        }
    }
    *store->asking = 0;
    return rv;
}

static int next_row(m307_store_t *store, apr_dbd_results_t *results,
                    apr_dbd_row_t **row, apr_pool_t *pool)
{
    return apr_dbd_get_row(store->dbd->driver, pool, results, row, -1) == 0;
}

static const char *field(m307_store_t *store, apr_dbd_row_t *row, int n)
{
    const char *s = apr_dbd_get_entry(store->dbd->driver, row, n);

    return s ? s : "";
}

static apr_uint64_t number(m307_store_t *store, apr_dbd_row_t *row, int n)
{
    apr_int64_t value = apr_strtoi64(field(store, row, n), NULL, 10);

    return value < 0 ? 0 : (apr_uint64_t)value;
}

/* ---- the state ---- */

static apr_status_t no_row(r307_error_t *err)
{
    return r307_error_set(err, "R307-0684: the table redirect307_store has no "
                          "row; make the store anew with 'redirect307 sql "
                          "init'");
}

static apr_status_t check_version(m307_store_t *store, apr_pool_t *pool,
                                  r307_error_t *err)
{
    apr_dbd_results_t *results;
    apr_dbd_row_t *row = NULL;
    const char *version;
    apr_status_t rv = ask(store, VERSION, NULL, pool, &results, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!next_row(store, results, &row, pool)) {
        return no_row(err);
    }
    version = apr_pstrdup(pool, field(store, row, 0));
    if (strcmp(version, APR_STRINGIFY(M307_STORE_VERSION)) != 0) {
        return r307_error_set(err, "R307-0683: the store has a schema of "
                              "version %s, and this module knows version "
                              APR_STRINGIFY(M307_STORE_VERSION) "; use a "
                              "module and a schema that fit", version);
    }
    return APR_SUCCESS;
}

static apr_status_t read_state(m307_store_t *store, apr_uint64_t mine,
                               apr_pool_t *pool, m307_store_state_t *out,
                               apr_pool_t *keep, r307_error_t *err)
{
    const char *values[1];
    apr_dbd_results_t *results;
    apr_dbd_row_t *row = NULL;
    apr_status_t rv;

    values[0] = apr_psprintf(pool, "%" APR_UINT64_T_FMT, mine);
    rv = ask(store, STATE, values, pool, &results, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!next_row(store, results, &row, pool)) {
        return no_row(err);
    }
    out->id = apr_pstrdup(keep, field(store, row, 0));
    out->epoch = apr_pstrdup(keep, field(store, row, 1));
    out->seq = number(store, row, 2);
    out->token = apr_pstrdup(keep, field(store, row, 3));
    out->mine = apr_pstrdup(keep, field(store, row, 4));
    return APR_SUCCESS;
}

apr_status_t m307_store_state(m307_store_t *store, apr_uint64_t mine,
                              apr_pool_t *pool, m307_store_state_t *out,
                              r307_error_t *err)
{
    apr_pool_t *ptemp;
    apr_status_t rv;

    apr_pool_create(&ptemp, store->pool);
    rv = check_version(store, ptemp, err);
    if (rv == APR_SUCCESS) {
        rv = read_state(store, mine, ptemp, out, pool, err);
    }
    apr_pool_destroy(ptemp);
    return rv;
}

/* ---- rows ---- */

static void fill(m307_store_t *store, apr_dbd_row_t *row, m307_stored_t *out)
{
    out->seq = number(store, row, 0);
    out->id = number(store, row, 1);
    out->live = number(store, row, 2) != 0;
    out->row.host = field(store, row, 3);
    out->row.kind = field(store, row, 4);
    out->row.path = field(store, row, 5);
    out->row.target = field(store, row, 6);
    out->row.options = field(store, row, 7);
}

static apr_status_t read_page(m307_store_t *store, statement_t which,
                              m307_store_range_t *range, m307_store_fn fn,
                              void *ctx, apr_pool_t *pool, r307_error_t *err)
{
    const char *values[3];
    apr_dbd_results_t *results;
    apr_dbd_row_t *row = NULL;
    apr_status_t rv;
    int n = 0;

    values[0] = range->ruleset;
    values[1] = apr_psprintf(pool, "%" APR_UINT64_T_FMT, range->after);
    values[2] = apr_psprintf(pool, "%" APR_UINT64_T_FMT, range->upto);
    rv = ask(store, which, values, pool, &results, err);
    while (rv == APR_SUCCESS && next_row(store, results, &row, pool)) {
        m307_stored_t stored;

        fill(store, row, &stored);
        range->after = which == ROWS ? stored.id : stored.seq;
        rv = fn(ctx, &stored);
        n++;
    }
    range->more = n == PAGE;
    return rv;
}

static apr_status_t read_in_pool(m307_store_t *store, statement_t which,
                                 m307_store_range_t *range, m307_store_fn fn,
                                 void *ctx, apr_pool_t *parent,
                                 r307_error_t *err)
{
    apr_pool_t *page;
    apr_status_t rv;

    apr_pool_create(&page, parent);
    rv = read_page(store, which, range, fn, ctx, page, err);
    apr_pool_destroy(page);
    return rv;
}

apr_status_t m307_store_rows(m307_store_t *store, m307_store_range_t *range,
                             m307_store_fn fn, void *ctx, apr_pool_t *pool,
                             r307_error_t *err)
{
    return read_in_pool(store, ROWS, range, fn, ctx, pool, err);
}

apr_status_t m307_store_changes(m307_store_t *store,
                                m307_store_range_t *range, m307_store_fn fn,
                                void *ctx, apr_pool_t *pool,
                                r307_error_t *err)
{
    return read_in_pool(store, CHANGES, range, fn, ctx, pool, err);
}
