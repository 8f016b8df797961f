/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what only a terminal gets: colours and the progress bar. Must not know
 * any command.
 */
#include "tool/t307.h"

#include <apr_time.h>

#define BAR 30

const char *t307_paint(const t307_t *t, t307_colour_t colour)
{
    static const char *const codes[] = {
        "\033[0m", "\033[32m", "\033[31m", "\033[33m", "\033[2m", "\033[1m"
    };

    return t->colour ? codes[colour] : "";
}

void t307_progress_begin(t307_progress_t *p, const t307_t *t,
                         const char *what, apr_uint64_t total)
{
    p->t = t;
    p->what = what;
    p->total = total;
    p->drawn = 0;
}

void t307_progress_at(t307_progress_t *p, apr_uint64_t done)
{
    apr_time_t now;
    int filled;

    if (!p->t->progress) {
        return;
    }
    now = apr_time_now();
    if (now - p->drawn < APR_USEC_PER_SEC / 10) {
        return;
    }
    p->drawn = now;
    if (p->total == 0) {
        fprintf(p->t->err, "\r%s %" APR_UINT64_T_FMT " ", p->what, done);
        return;
    }
    filled = (int)((done < p->total ? done : p->total) * BAR / p->total);
    fprintf(p->t->err, "\r%s [%.*s%*s] %3d%%", p->what, filled,
            "##############################", BAR - filled, "",
            (int)((done < p->total ? done : p->total) * 100 / p->total));
}

void t307_progress_end(t307_progress_t *p)
{
    if (p->drawn) {
        fputs("\r\033[K", p->t->err);
    }
}
