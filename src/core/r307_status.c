/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the spelling of sets of statuses. Must not know rules. Called by rule
 * (parse) and decide (hold).
 */
#include "core/r307_status.h"

#include <apr_lib.h>

#include <string.h>

typedef struct range_t {
    int first;
    int last;
} range_t;

static int is_class(const char *word, apr_size_t len)
{
    return len == 3 && apr_isdigit(word[0]) && (word[1] | 0x20) == 'x'
           && (word[2] | 0x20) == 'x';
}

static int is_number(const char *word, apr_size_t len)
{
    return len == 3 && apr_isdigit(word[0]) && apr_isdigit(word[1])
           && apr_isdigit(word[2]);
}

static apr_status_t parse_word(const char *word, apr_size_t len,
                               range_t *range, r307_error_t *err)
{
    int hundreds = (word[0] - '0') * 100;

    if (is_class(word, len)) {
        range->first = hundreds;
        range->last = hundreds + 99;
    }
    else if (is_number(word, len)) {
        range->first = hundreds + (word[1] - '0') * 10 + word[2] - '0';
        range->last = range->first;
    }
    else {
        return r307_error_set(err, "R307-0760: '%s' is not an error status; "
                              "write a number from 400 to 599, 4xx or 5xx, "
                              "several separated by commas without spaces",
                              r307_error_show(err, word, len));
    }
    if (range->first < R307_STATUS_MIN || range->last > R307_STATUS_MAX) {
        return r307_error_set(err, "R307-0761: the status '%.*s' is not an "
                              "error; only 400 to 599, 4xx and 5xx are",
                              (int)len, word);
    }
    return APR_SUCCESS;
}

static int add(r307_statuses_t *statuses, int status)
{
    unsigned n = (unsigned)(status - R307_STATUS_MIN);
    unsigned char bit = (unsigned char)(1u << n % 8);
    int is_new = !(statuses->bits[n / 8] & bit);

    statuses->bits[n / 8] |= bit;
    return is_new;
}

static apr_status_t add_range(r307_statuses_t *statuses, range_t range,
                              r307_error_t *err)
{
    int status, again = 0;

    for (status = range.first; status <= range.last; status++) {
        if (!add(statuses, status)) {
            again = status;
        }
    }
    return !again ? APR_SUCCESS
        : r307_error_set(err, "R307-0762: the status %d is named twice; name "
                         "it once, by itself or by its class", again);
}

apr_status_t r307_statuses_parse(const char *words, r307_statuses_t *out,
                                 r307_error_t *err)
{
    memset(out, 0, sizeof *out);
    for (;;) {
        apr_size_t len = strcspn(words, ",");
        range_t range = { 0, 0 };
        apr_status_t rv = parse_word(words, len, &range, err);

        if (rv == APR_SUCCESS) {
            rv = add_range(out, range, err);
        }
        if (rv != APR_SUCCESS || !words[len]) {
            return rv;
        }
        words += len + 1;
    }
}

int r307_statuses_hold(const r307_statuses_t *statuses, int status)
{
    unsigned n = (unsigned)(status - R307_STATUS_MIN);

    return status >= R307_STATUS_MIN && status <= R307_STATUS_MAX
           && statuses->bits[n / 8] & 1u << n % 8;
}
