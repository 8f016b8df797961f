/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* Tables that several processes write, and what those leave that are
 * killed. */
#include "tap.h"

#include "core/r307_table.h"
#include "core/r307_temp.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *dir;

static const char *path_of(const char *name)
{
    return apr_pstrcat(tap_pool, dir, "/", name, NULL);
}

static const char *put(const char *name, const char *text)
{
    const char *path = path_of(name);
    FILE *f = fopen(path, "w");

    if (!f || fputs(text, f) < 0 || fclose(f) != 0) {
        printf("Bail out! cannot write %s\n", path);
        exit(1);
    }
    return path;
}

static int exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static r307_table_spec_t spec_of_rules(void)
{
    r307_table_spec_t spec;

    memset(&spec, 0, sizeof spec);
    spec.path = path_of("rules");
    return spec;
}

static apr_status_t compile_to(const char *to)
{
    r307_table_spec_t spec = spec_of_rules();
    r307_table_report_t report;
    r307_error_t err = { tap_pool, NULL };
    apr_status_t rv = r307_table_compile(&spec, to, tap_pool, &report, &err);

    if (err.text) {
        printf("# %s\n", err.text);
        fflush(stdout);
    }
    return rv;
}

static int is_whole(const char *to)
{
    r307_table_spec_t spec = spec_of_rules();
    r307_error_t err = { tap_pool, NULL };
    r307_table_t *table;

    return r307_table_open(to, &spec, 1, tap_pool, &table, &err)
           == APR_SUCCESS;
}

/* A child that begins to write and is killed. Returns the file it left. */
static const char *left_by_killed(const char *to)
{
    const char *name = apr_psprintf(tap_pool, "%s.new.", to);
    apr_file_t *file;
    pid_t child = fork();
    int status;

    if (child == 0) {
        if (r307_temp_create(&file, &name, to, tap_pool) == APR_SUCCESS) {
            raise(SIGKILL);
        }
        _exit(1);
    }
    waitpid(child, &status, 0);
    ok(WIFSIGNALED(status), "a writer is killed");
    return apr_psprintf(tap_pool, "%s%ld.0", name, (long)child);
}

static void test_left_over(void)
{
    static const struct {
        const char *name;
        int stays;
    } others[] = {
        { "left.new.1.0", 0 },          /* process 1 lives: ids are reused */
        { "left.new.4294967295.15", 0 },
        { "left.new", 1 }, { "left.new.", 1 }, { "left.new.1", 1 },
        { "left.new.1.", 1 }, { "left.new.1.0x", 1 }, { "left.new.x.0", 1 },
        { "left.new..0", 1 }, { "left.new.1.100", 1 },
        { "left.new.12345678901.0", 1 }, { "left", 0 },
        { "left2.new.1.0", 1 }, { "xleft.new.1.0", 1 }, { "left.New.1.0", 1 }
    };
    const char *to = path_of("left"), *killed = left_by_killed(to);
    const char *target = put("precious", "x"), *link;
    unsigned i;

    for (i = 0; i < sizeof others / sizeof others[0]; i++) {
        put(others[i].name, "x");
    }
    link = apr_psprintf(tap_pool, "%s.new.%ld.0", to, (long)getpid());
    ok(symlink(target, link) == 0, "a link has the writer's own name");
    ok(exists(killed), "the killed writer has left %s", killed);
    ok(compile_to(to) == APR_SUCCESS, "a table is compiled nevertheless");
    ok(!exists(killed), "and what was left is gone");
    ok(is_whole(to), "the table is whole");
    for (i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(others[i].name, "left") != 0) {
            ok(exists(path_of(others[i].name)) == others[i].stays, "%s %s",
               others[i].name, others[i].stays ? "stays" : "is gone");
        }
    }
    ok(exists(link), "a link is none of those");
}

/* One that is being written is not touched, and does not disturb. */
static void test_two_writers(void)
{
    const char *to = path_of("shared"), *first, *second;
    apr_file_t *a, *b;

    ok(r307_temp_create(&a, &first, to, tap_pool) == APR_SUCCESS,
       "one writes a table");
    ok(r307_temp_create(&b, &second, to, tap_pool) == APR_SUCCESS
       && strcmp(first, second) != 0, "another one in the same process");
    ok(compile_to(to) == APR_SUCCESS && exists(first) && exists(second),
       "a third one, and the others' files stay");
    apr_file_close(a);
    apr_file_close(b);
    ok(compile_to(to) == APR_SUCCESS && !exists(first) && !exists(second),
       "until they are closed");
}

/* Processes that compile the same table again and again: all succeed. */
static void test_concurrent(void)
{
    enum { WRITERS = 4, ROUNDS = 40 };
    const char *to = path_of("concurrent");
    int i, n, status, failed = 0;
    pid_t writers[WRITERS];

    for (i = 0; i < WRITERS; i++) {
        writers[i] = fork();
        if (writers[i] == 0) {
            for (n = 0; n < ROUNDS && compile_to(to) == APR_SUCCESS; n++) {
            }
            _exit(n < ROUNDS);
        }
    }
    for (i = 0; i < WRITERS; i++) {
        if (waitpid(writers[i], &status, 0) < 0 || status != 0) {
            failed++;
        }
    }
    ok(failed == 0, "%d processes compile the same table %d times", WRITERS,
       ROUNDS);
    ok(is_whole(to), "and leave it whole");
    for (i = 0; i < WRITERS; i++) {
        ok(!exists(apr_psprintf(tap_pool, "%s.new.%ld.0", to,
                                (long)writers[i])),
           "writer %d has left nothing", i);
    }
}

int main(void)
{
    char template[] = "/tmp/r307-temp-XXXXXX";

    tap_begin();
    dir = mkdtemp(template);
    put("rules", "/a https://t.example/a\n/b https://t.example/b\n");
    test_left_over();
    test_two_writers();
    fflush(stdout);             /* or children would print it again */
    test_concurrent();
    if (system(apr_pstrcat(tap_pool, "rm -rf ", dir, NULL)) != 0) {
        ok(0, "cleaned up");
    }
    return tap_end();
}
