/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Runs a fuzz target over files: those on the command line, or without any
 * the target's corpus. One TAP line a file; a corpus without files fails. A
 * target that finds fault aborts, which leaves the last "# file" without its
 * line and the plan unsaid.
 */
#include "fuzz.h"

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_lib.h>

#define FILE_MAX 65536          /* corpus files are under 4 KB */

static apr_pool_t *pool;
static int run, failed;

static void judge(int good, const char *file)
{
    failed += !good;
    printf("%sok %d - %s: %s\n", good ? "" : "not ", ++run, fuzz_name, file);
    fflush(stdout);
}

static int replay_bytes(const char *file)
{
    static unsigned char data[FILE_MAX];
    apr_size_t len = 0;
    apr_status_t rv;
    apr_file_t *f;

    if (apr_file_open(&f, file, APR_FOPEN_READ, 0, pool) != APR_SUCCESS) {
        return 0;
    }
    rv = apr_file_read_full(f, data, sizeof data, &len);
    apr_file_close(f);
    return APR_STATUS_IS_EOF(rv) && LLVMFuzzerTestOneInput(data, len) == 0;
}

static void replay_file(const char *file)
{
    printf("# %s\n", file);
    fflush(stdout);
    judge(replay_bytes(file), apr_filepath_name_get(file));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static apr_array_header_t *corpus(const char *path)
{
    apr_array_header_t *files = apr_array_make(pool, 40, sizeof(char *));
    apr_finfo_t info;
    apr_dir_t *dir;

    if (apr_dir_open(&dir, path, pool) != APR_SUCCESS) {
        return files;
    }
    while (apr_dir_read(&info, APR_FINFO_NAME, dir) == APR_SUCCESS) {
        if (info.name[0] != '.') {
            *(const char **)apr_array_push(files) =
                apr_pstrcat(pool, path, "/", info.name, NULL);
        }
    }
    apr_dir_close(dir);
    qsort(files->elts, (size_t)files->nelts, sizeof(char *), by_name);
    return files;
}

static void replay_corpus(void)
{
    const char *top = getenv("R307_SRCDIR");
    const char *path = apr_pstrcat(pool, top ? top : ".", "/t/fuzz/corpus/",
                                   fuzz_name, NULL);
    apr_array_header_t *files = corpus(path);
    int i;

    for (i = 0; i < files->nelts; i++) {
        replay_file(APR_ARRAY_IDX(files, i, const char *));
    }
    if (files->nelts == 0) {
        judge(0, apr_pstrcat(pool, path, " has no files", NULL));
    }
}

int main(int argc, char **argv)
{
    int i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    for (i = 1; i < argc; i++) {
        replay_file(argv[i]);
    }
    if (argc == 1) {
        replay_corpus();
    }
    printf("1..%d\n", run);
    apr_pool_destroy(pool);
    return failed != 0;
}
