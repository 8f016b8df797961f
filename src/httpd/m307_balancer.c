/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what is read of mod_proxy's balancers. Must not know sites but for the
 * words of errors, and must not call mod_proxy: the module loads and runs
 * without it, so only the layout of its data is used, never a symbol. That
 * layout is part of httpd's stable interface, which grows at the ends only.
 * Called by health.
 */
#include "httpd/m307.h"

#include "apr_strings.h"
#include "mod_proxy.h"

#define SCHEME "balancer://"

/* The module's name as it is linked under; mod_proxy's own record would be a
 * symbol. */
static const proxy_server_conf *proxy_conf(const server_rec *s)
{
    const module *proxy = ap_find_linked_module("mod_proxy.c");

    return proxy && ap_find_linked_module("mod_proxy_balancer.c")
        ? ap_get_module_config(s->module_config, proxy) : NULL;
}

/* The array may hold larger elements than this header knows. */
static const proxy_balancer *balancer_at(const apr_array_header_t *list, int i)
{
    return (const proxy_balancer *)(list->elts
                                    + (apr_size_t)i
                                    * (apr_size_t)list->elt_size);
}

static const proxy_balancer *find(const apr_array_header_t *list,
                                  const char *name)
{
    int i;

    for (i = 0; i < list->nelts; i++) {
        const proxy_balancer *balancer = balancer_at(list, i);
        const char *its = balancer->s->name;

        if (strncmp(its, SCHEME, sizeof SCHEME - 1) == 0
            && strcasecmp(its + sizeof SCHEME - 1, name) == 0) {
            return balancer;
        }
    }
    return NULL;
}

const struct m307_balancer_t *m307_balancer_find(const server_rec *s,
                                                 const r307_site_t *site,
                                                 r307_error_t *err)
{
    const proxy_server_conf *conf = proxy_conf(s);
    const proxy_balancer *balancer;

    if (!conf) {
        r307_error_set(err, "R307-0360: the site %s has balancer=%s, but "
                       "mod_proxy and mod_proxy_balancer are not both loaded; "
                       "write LoadModule lines for both, or leave balancer= "
                       "out", site->name, site->balancer);
        return NULL;
    }
    balancer = find(conf->balancers, site->balancer);
    if (!balancer) {
        r307_error_set(err, "R307-0361: the site %s has balancer=%s, and the "
                       "server that the site is defined in has no such "
                       "balancer; define it there with <Proxy balancer://%s> "
                       "and BalancerMember", site->name, site->balancer,
                       site->balancer);
        return NULL;
    }
    if (balancer->workers->nelts == 0 && balancer->growth == 0) {
        r307_error_set(err, "R307-0362: the site %s has balancer=%s, and that "
                       "balancer has no members, so the site could never be "
                       "used; write a BalancerMember line in <Proxy "
                       "balancer://%s>", site->name, site->balancer,
                       site->balancer);
        return NULL;
    }
    return (const struct m307_balancer_t *)balancer;
}

/* A member that has failed is tried again by mod_proxy when its retry= is
 * over, and then by a request. If such a member counted as down, no request
 * would ever come that finds out. */
static int may_be_tried(const proxy_worker_shared *s)
{
    return s->status & PROXY_WORKER_IGNORE_ERRORS
           || apr_time_now() > s->error_time + s->retry;
}

/* Takes new clients: as mod_proxy chooses a member for a request without a
 * session. */
static int takes_clients(const proxy_worker_shared *s)
{
    const unsigned int never = PROXY_WORKER_NOT_USABLE_BITMAP
                               & ~(unsigned int)PROXY_WORKER_IN_ERROR;

    return s->status & PROXY_WORKER_INITIALIZED
           && !(s->status & (never | PROXY_WORKER_DRAIN))
           && (!(s->status & PROXY_WORKER_IN_ERROR) || may_be_tried(s));
}

/* The balancer manager may add members while this runs, in another thread:
 * the array then moves before it grows, the old one stays, and a new element
 * is NULL until it is complete. */
int m307_balancer_is_usable(const struct m307_balancer_t *which)
{
    const proxy_balancer *balancer = (const proxy_balancer *)which;
    int n = __atomic_load_n(&balancer->workers->nelts, __ATOMIC_ACQUIRE);
    proxy_worker *const *members = (proxy_worker *const *)
        __atomic_load_n(&balancer->workers->elts, __ATOMIC_RELAXED);
    int i;

    for (i = 0; i < n; i++) {
        const proxy_worker *member = members[i];
        if (member && member->s && takes_clients(member->s)) {
            return 1;
        }
    }
    return 0;
}
