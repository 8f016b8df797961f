/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Files that are being written beside the one that they are to replace. Each
 * writer has its own: at a graceful restart two processes may write the same
 * table.
 */
#ifndef R307_TEMP_H
#define R307_TEMP_H

#include <apr_file_io.h>

/*
 * Create "TO.new.PID.N", never through a link, for its owner only. It is
 * locked while it is open, so rename it before it is closed. What writers
 * that were killed have left for the same `to` is removed first. *name lives
 * in pool. Any process, any thread.
 */
apr_status_t r307_temp_create(apr_file_t **file, const char **name,
                              const char *to, apr_pool_t *pool);

/* Remove what writers that were killed have left for `to`, which nobody will
 * write again. Files that are being written stay. */
void r307_temp_sweep(const char *to, apr_pool_t *pool);

#endif
