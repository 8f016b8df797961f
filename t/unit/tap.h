/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The Test Anything Protocol for the core's tests. A test program prints one
 * line a check, closes with the plan, and fails when it checked nothing.
 */
#ifndef TAP_H
#define TAP_H

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tap_run, tap_failed;
static apr_pool_t *tap_pool;

static inline void tap_begin(void)
{
    apr_initialize();
    apr_pool_create(&tap_pool, NULL);
}

__attribute__((format(printf, 2, 3)))
static inline int ok(int truth, const char *fmt, ...)
{
    va_list ap;

    tap_run++;
    tap_failed += !truth;
    printf("%sok %d - ", truth ? "" : "not ", tap_run);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    return truth;
}

/* NULL equals NULL only. */
__attribute__((format(printf, 3, 4)))
static inline int is(const char *got, const char *want, const char *fmt, ...)
{
    int same = got && want ? strcmp(got, want) == 0 : got == want;
    va_list ap;
    const char *name;

    va_start(ap, fmt);
    name = apr_pvsprintf(tap_pool, fmt, ap);
    va_end(ap);
    ok(same, "%s", name);
    if (!same) {
        printf("#      got: %s\n# expected: %s\n", got ? got : "(none)",
               want ? want : "(none)");
    }
    return same;
}

/* The sentence opens with the id and names the value. */
static inline int is_error(const char *text, const char *id,
                           const char *value, const char *name)
{
    int good = text && strncmp(text, id, strlen(id)) == 0
               && strncmp(text + strlen(id), ": ", 2) == 0
               && strstr(text, value);

    ok(good, "%s: %s names '%s'", name, id, value);
    if (!good) {
        printf("# got: %s\n", text ? text : "(no error)");
    }
    return good;
}

static inline int tap_end(void)
{
    printf("1..%d\n", tap_run);
    apr_pool_destroy(tap_pool);
    apr_terminate();
    return tap_run == 0 || tap_failed;
}

#define TABLE(rows) (sizeof (rows) / sizeof (rows)[0])

#endif
