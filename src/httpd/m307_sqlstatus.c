/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the file in which a follower says how it fares. Must not know how
 * tables are followed. Called by follow and by the formats of the status
 * page.
 */
#include "httpd/m307_sqlstatus.h"
#include "httpd/m307_status.h"

#include "core/r307_temp.h"

#include "apr_strings.h"

#include <unistd.h>

#define FORMAT 1

static const char *const names[] = {
    "never read", "current", "reading", "behind", "failing"
};

const char *m307_sqlstatus_name(m307_following_t state)
{
    return names[state];
}

/* ---- bad rows ---- */

static m307_bad_t *find(m307_sqlstatus_t *status, apr_uint32_t id)
{
    int i;

    for (i = 0; i < status->nbad; i++) {
        if (status->bad[i].id == id) {
            return &status->bad[i];
        }
    }
    return NULL;
}

int m307_sqlstatus_add_bad(m307_sqlstatus_t *status, apr_uint32_t id,
                           const char *why)
{
    m307_bad_t *bad = find(status, id);
    m307_bad_t now;

    apr_cpystrn(now.why, why, sizeof now.why);
    if (!bad) {
        if (status->nbad == M307_BAD_KEPT) {
            status->bad_more++;
            return 1;
        }
        bad = &status->bad[status->nbad++];
        bad->id = id;
        bad->why[0] = '\0';
    }
    if (strcmp(bad->why, now.why) == 0) {
        return 0;
    }
    memcpy(bad->why, now.why, sizeof now.why);
    return 1;
}

void m307_sqlstatus_drop_bad(m307_sqlstatus_t *status, apr_uint32_t id)
{
    m307_bad_t *bad = find(status, id);

    if (bad) {
        apr_size_t left = (apr_size_t)(&status->bad[--status->nbad] - bad);
        memmove(bad, bad + 1, left * sizeof *bad);
    }
}

/* ---- writing ---- */

static void set(json_t *json, const char *name, json_t *value)
{
    json_object_set_new(json, name, value);
}

/* The database's words need not be UTF-8. */
static json_t *text(const char *s, apr_pool_t *pool)
{
    return json_string(m307_statustext_utf8(pool, s));
}

static json_t *number(apr_uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *seconds(apr_time_t t)
{
    return json_integer((json_int_t)apr_time_sec(t));
}

static json_t *bad_rows(const m307_sqlstatus_t *status, apr_pool_t *pool)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < status->nbad; i++) {
        json_t *row = json_object();
        set(row, "id", number(status->bad[i].id));
        set(row, "why", text(status->bad[i].why, pool));
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *json_of(const m307_sqlstatus_t *status, apr_pool_t *pool)
{
    json_t *json = json_object();

    set(json, "format", json_integer(FORMAT));
    set(json, "state", json_string(names[status->state]));
    set(json, "store", text(status->store, pool));
    set(json, "epoch", text(status->epoch, pool));
    set(json, "seq", number(status->seq));
    set(json, "token", text(status->token, pool));
    set(json, "store_seq", number(status->store_seq));
    set(json, "last_look", seconds(status->last_look));
    set(json, "last_success", seconds(status->last_success));
    set(json, "behind_since", seconds(status->behind_since));
    set(json, "error", *status->error ? text(status->error, pool)
                                      : json_null());
    set(json, "bad_rows", number((apr_uint64_t)status->nbad
                                 + status->bad_more));
    set(json, "bad", bad_rows(status, pool));
    return json;
}

/* It is said again after the next look: no need to wait for the disk. */
static apr_status_t write_file(const char *path, const char *what,
                               apr_size_t len, apr_pool_t *pool)
{
    apr_file_t *file;
    const char *name;
    apr_status_t rv = r307_temp_create(&file, &name, path, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_file_write_full(file, what, len, NULL);
    if (rv == APR_SUCCESS) {
        rv = apr_file_rename(name, path, pool);
    }
    if (rv != APR_SUCCESS) {
        unlink(name);
    }
    apr_file_close(file);
    return rv;
}

apr_status_t m307_sqlstatus_write(const m307_table_t *table,
                                  const m307_sqlstatus_t *status,
                                  apr_pool_t *pool)
{
    json_t *json = json_of(status, pool);
    size_t len = json_dumpb(json, NULL, 0, JSON_INDENT(1));
    char *dumped = apr_palloc(pool, len + 1);

    len = json_dumpb(json, dumped, len, JSON_INDENT(1));
    json_decref(json);
    return write_file(m307_sqltable_file(table, ".status", pool), dumped, len,
                      pool);
}

/* ---- reading ---- */

static apr_uint64_t get_number(const json_t *json, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(json, name));

    return n < 0 ? 0 : (apr_uint64_t)n;
}

static apr_time_t get_time(const json_t *json, const char *name)
{
    return apr_time_from_sec((apr_time_t)get_number(json, name));
}

static void get_text(const json_t *json, const char *name, char *to,
                     apr_size_t size)
{
    const char *s = json_string_value(json_object_get(json, name));

    apr_cpystrn(to, s ? s : "", size);
}

static m307_following_t get_state(const json_t *json)
{
    const char *s = json_string_value(json_object_get(json, "state"));
    int i;

    for (i = M307_FAILING; i > M307_NEVER && s; i--) {
        if (strcmp(s, names[i]) == 0) {
            return (m307_following_t)i;
        }
    }
    return M307_NEVER;
}

static void get_bad(const json_t *json, m307_sqlstatus_t *out)
{
    apr_uint64_t all = get_number(json, "bad_rows");
    json_t *list = json_object_get(json, "bad"), *row;
    size_t i;

    json_array_foreach(list, i, row) {
        if (out->nbad < M307_BAD_KEPT) {
            m307_bad_t *bad = &out->bad[out->nbad++];
            bad->id = (apr_uint32_t)get_number(row, "id");
            get_text(row, "why", bad->why, sizeof bad->why);
        }
    }
    out->bad_more = all > (apr_uint64_t)out->nbad
        ? (apr_uint32_t)(all - (apr_uint64_t)out->nbad) : 0;
}

void m307_sqlstatus_read(const m307_table_t *table, m307_sqlstatus_t *out,
                         apr_pool_t *pool)
{
    json_t *json = json_load_file(m307_sqltable_file(table, ".status", pool),
                                  JSON_REJECT_DUPLICATES, NULL);

    memset(out, 0, sizeof *out);
    if (!json || get_number(json, "format") != FORMAT) {
        json_decref(json);
        return;
    }
    out->state = get_state(json);
    get_text(json, "store", out->store, sizeof out->store);
    get_text(json, "epoch", out->epoch, sizeof out->epoch);
    get_text(json, "token", out->token, sizeof out->token);
    get_text(json, "error", out->error, sizeof out->error);
    out->seq = get_number(json, "seq");
    out->store_seq = get_number(json, "store_seq");
    out->last_look = get_time(json, "last_look");
    out->last_success = get_time(json, "last_success");
    out->behind_since = get_time(json, "behind_since");
    get_bad(json, out);
    json_decref(json);
}
