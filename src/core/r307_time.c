/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the RFC 3339 form of instants (APR parses the HTTP and mail forms
 * only). Called by options and by whoever prints a rule.
 */
#include "core/r307_time.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

/* Read exactly n digits; advance *s. Returns -1 when they are not there. */
static int digits(const char **s, int n)
{
    int value = 0;

    while (n-- > 0) {
        if (!apr_isdigit(**s)) {
            return -1;
        }
        value = value * 10 + (*(*s)++ - '0');
    }
    return value;
}

static int skip(const char **s, const char *any_of)
{
    if (!**s || !strchr(any_of, **s)) {
        return 0;
    }
    (*s)++;
    return 1;
}

static int parse_date(const char **s, apr_time_exp_t *t)
{
    int year = digits(s, 4);

    if (year < 1970 || !skip(s, "-")) {
        return 0;
    }
    t->tm_year = year - 1900;
    t->tm_mon = digits(s, 2) - 1;
    if (!skip(s, "-")) {
        return 0;
    }
    t->tm_mday = digits(s, 2);
    return 1;
}

static int parse_clock(const char **s, apr_time_exp_t *t)
{
    t->tm_hour = digits(s, 2);
    if (!skip(s, ":")) {
        return 0;
    }
    t->tm_min = digits(s, 2);
    if (!skip(s, ":")) {
        return 0;
    }
    t->tm_sec = digits(s, 2);
    if (skip(s, ".")) {
        int scale = 100000;
        if (!apr_isdigit(**s)) {
            return 0;
        }
        for (; apr_isdigit(**s); (*s)++, scale /= 10) {
            t->tm_usec += (**s - '0') * scale;
        }
    }
    return 1;
}

static int parse_zone(const char **s, apr_time_exp_t *t)
{
    int sign, hours, minutes;

    if (skip(s, "Zz")) {
        return 1;
    }
    sign = **s == '-' ? -1 : 1;
    if (!skip(s, "+-")) {
        return 0;
    }
    hours = digits(s, 2);
    if (!skip(s, ":")) {
        return 0;
    }
    minutes = digits(s, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
        return 0;
    }
    t->tm_gmtoff = sign * (hours * 3600 + minutes * 60);
    return 1;
}

/* apr_time_exp_gmt_get() accepts 31 February and moves it to March; a
 * date that does not come back as it went in was none. Leap seconds
 * (23:59:60) are taken as the second after. */
static int in_range(const apr_time_exp_t *t, apr_time_t *out)
{
    apr_time_exp_t local = *t, back;

    if (t->tm_mon < 0 || t->tm_mon > 11 || t->tm_mday < 1 || t->tm_mday > 31
        || t->tm_hour < 0 || t->tm_hour > 23 || t->tm_min < 0
        || t->tm_min > 59 || t->tm_sec < 0 || t->tm_sec > 60) {
        return 0;
    }
    local.tm_hour = local.tm_min = local.tm_sec = 0;
    local.tm_gmtoff = 0;
    if (apr_time_exp_gmt_get(out, &local) != APR_SUCCESS
        || apr_time_exp_gmt(&back, *out) != APR_SUCCESS
        || back.tm_mday != t->tm_mday) {
        return 0;
    }
    local = *t;
    return apr_time_exp_gmt_get(out, &local) == APR_SUCCESS;
}

apr_status_t r307_time_parse(const char *s, apr_time_t *out,
                             r307_error_t *err)
{
    apr_time_exp_t t;
    apr_time_t value;
    const char *p = s;
    int form;

    memset(&t, 0, sizeof t);
    form = parse_date(&p, &t) && skip(&p, "Tt ") && parse_clock(&p, &t);
    if (form && *p == '\0') {
        return r307_error_set(err, "R307-0201: '%s' has no time zone; add Z "
                              "for UTC or an offset such as +01:00", s);
    }
    if (!form || !parse_zone(&p, &t) || *p || !in_range(&t, &value)) {
        return r307_error_set(err, "R307-0202: '%s' is not a time; write it "
                              "as 2026-12-01T08:00:00Z or "
                              "2026-12-01T09:00:00+01:00 (RFC 3339)",
                              r307_error_show(err, s, strlen(s)));
    }
    *out = value;
    return APR_SUCCESS;
}

const char *r307_time_format(apr_pool_t *pool, apr_time_t when)
{
    apr_time_exp_t t;

    apr_time_exp_gmt(&t, when);
    return apr_psprintf(pool, "%04d-%02d-%02dT%02d:%02d:%02dZ",
                        t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour,
                        t.tm_min, t.tm_sec);
}
