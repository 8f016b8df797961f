/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the directory in which compiled tables are kept: that it is there,
 * that the children may write to it (one of them compiles), and that nobody
 * else may: whoever can put a file here decides where clients are sent.
 */
#include "httpd/m307_table.h"

#include "apr_strings.h"
#include "unixd.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *system_error(apr_pool_t *pool, const char *what,
                                const char *dir)
{
    int saved = errno;
    char why[120];

    return apr_psprintf(pool, "R307-0610: the state directory '%s' cannot be "
                        "%s: %s; name another with Redirect307StateDir", dir,
                        what, apr_strerror(saved, why, sizeof why));
}

/* Children run as User when httpd is started by root; one of them compiles. */
static uid_t writer(void)
{
    return geteuid() == 0 ? ap_unixd_config.user_id : geteuid();
}

static int give_to_children(const char *dir)
{
    return geteuid() != 0
           || lchown(dir, ap_unixd_config.user_id,
                     ap_unixd_config.group_id) == 0;
}

static const char *judge(const struct stat *st, apr_pool_t *pool,
                         const char *dir)
{
    const char *why = NULL;

    if (!S_ISDIR(st->st_mode)) {
        why = "it is not a directory";
    }
    else if (st->st_mode & (S_IWGRP | S_IWOTH)) {
        why = "others may write to it (chmod go-w)";
    }
    else if (st->st_uid != writer()) {
        why = "it belongs to somebody else than httpd's User (chown it)";
    }
    return !why ? NULL
        : apr_psprintf(pool, "R307-0611: the state directory '%s' is not "
                       "safe: %s; who can write there decides where clients "
                       "are sent", dir, why);
}

const char *m307_state_dir(const char *configured, apr_pool_t *pool,
                           const char **error)
{
    char *dir = apr_pstrdup(pool, configured ? configured
                            : ap_runtime_dir_relative(pool, "redirect307"));
    apr_size_t len = strlen(dir);
    struct stat st;

    /* With a slash behind it, lstat() would follow a link. */
    while (len > 1 && dir[len - 1] == '/') {
        dir[--len] = '\0';
    }

    *error = NULL;
    if (mkdir(dir, 0700) == 0) {
        if (!give_to_children(dir)) {
            *error = system_error(pool, "given to httpd's User", dir);
        }
    }
    else if (errno != EEXIST) {
        *error = system_error(pool, "made", dir);
    }
    if (!*error && lstat(dir, &st) != 0) {
        *error = system_error(pool, "examined", dir);
    }
    if (!*error) {
        *error = judge(&st, pool, dir);
    }
    return *error ? NULL : dir;
}
