/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns how the candidates of an index and those of its patch become one
 * sequence. Must not know how either is found (r307_walk.c). Called by
 * ruleset.
 */
#include "core/r307_merge.h"

/* One of the two, with its next candidate in hand. */
typedef struct stream_t {
    r307_walk_t *walk;          /* NULL: at its end */
    const r307_record_t *rec;   /* NULL: to be asked for */
    apr_size_t rest;
    apr_uint32_t end;           /* of the key in the path */
    unsigned host;              /* how specific the key's host is */
} stream_t;

struct r307_merge_t {
    const r307_overlay_t *over;
    r307_walk_t *shown;         /* whose rest the caller reads */
    stream_t base;
    stream_t patch;
    r307_walk_t patch_walk;
};

int r307_merge_hides(const apr_uint32_t *hidden, apr_uint32_t count,
                     apr_uint32_t order)
{
    /* without a branch that depends on what is found */
    while (count > 1) {
        apr_uint32_t half = count / 2;

        hidden = hidden[half] <= order ? hidden + half : hidden;
        count -= half;
    }
    return count && *hidden == order;
}

/* None, then "*.name" by its length, then the name itself. */
static unsigned host_rank(const r307_record_t *rec)
{
    return !rec->host_len ? 0
        : r307_record_host(rec)[0] == '*' ? rec->host_len : 256;
}

/* See to it that rec is the next, unless that was the last. */
static inline void look(stream_t *s)
{
    const r307_walk_list_t *list;

    if (s->rec || !s->walk) {
        return;
    }
    s->rec = r307_walk_next(s->walk, R307_ORDER_SPECIFIC);
    if (!s->rec) {
        s->walk = NULL;
        return;
    }
    s->rest = s->walk->rest;
    if (s->rec->kind != R307_RULE_REGEX) {
        list = &s->walk->lists[s->walk->at];
        s->end = list->end;
        s->host = host_rank(s->rec);
    }
}

static int phase(const r307_record_t *rec)
{
    return rec->kind == R307_RULE_EXACT ? 0
        : rec->kind == R307_RULE_PREFIX ? 1 : 2;
}

/* Does a's candidate come before b's? */
static int is_before(const stream_t *a, const stream_t *b)
{
    if (a->rec->kind != b->rec->kind) {
        return phase(a->rec) < phase(b->rec);
    }
    if (a->rec->kind != R307_RULE_REGEX) {
        if (a->end != b->end) {
            return a->end > b->end;
        }
        if (a->host != b->host) {
            return a->host > b->host;
        }
    }
    return a->rec->order < b->rec->order;
}

r307_merge_t *r307_merge_begin(r307_walk_t *walk, const r307_index_t *index,
                               const r307_overlay_t *over)
{
    r307_merge_t *merge = apr_palloc(walk->pool, sizeof *merge);
    r307_walk_t *patch = &merge->patch_walk;

    patch->pool = walk->pool;
    patch->uri = walk->uri;
    patch->uri_len = walk->uri_len;
    patch->host = walk->host;
    merge->over = over;
    merge->shown = walk;
    merge->base.rec = merge->patch.rec = NULL;
    merge->base.rest = merge->patch.rest = 0;
    merge->base.walk = r307_walk_begin(walk, index) ? walk : NULL;
    merge->patch.walk = r307_walk_begin(patch, over->patch) ? patch : NULL;
    return merge->base.walk || merge->patch.walk ? merge : NULL;
}

static void look_at_base(r307_merge_t *merge)
{
    stream_t *base = &merge->base;

    look(base);
    while (base->rec && r307_merge_hides(merge->over->hidden,
                                         merge->over->count,
                                         base->rec->order)) {
        base->rec = NULL;
        look(base);
    }
}

const r307_record_t *r307_merge_next(r307_merge_t *merge)
{
    const r307_record_t *rec;
    stream_t *first;

    look_at_base(merge);
    look(&merge->patch);
    first = !merge->patch.rec
            || (merge->base.rec && is_before(&merge->base, &merge->patch))
        ? &merge->base : &merge->patch;
    rec = first->rec;
    first->rec = NULL;
    merge->shown->rest = first->rest;
    return rec;
}
