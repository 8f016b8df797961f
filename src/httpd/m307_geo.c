/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns what the server knows of visitors: the sources of facts, the peers that
 * are believed, the sites. Must not know rules. Called by directives, check
 * and, through the core, by requests.
 */
#include "httpd/m307.h"

#include "core/r307_georead.h"

#include "apr_atomic.h"
#include "apr_general.h"
#include "apr_strings.h"

/* What it takes to know a set of fields, whoever the visitor is. */
typedef struct m307_geo_cost_t {
    const char *vary;           /* request fields that are looked at */
    unsigned uses;              /* r307_geofrom_uses() */
    const r307_geosource_t *only;       /* r307_geofrom_only() */
} m307_geo_cost_t;

/* ---- directives ---- */

static const char *resolve(void *ctx, apr_pool_t *pool, const char *path)
{
    (void)ctx;
    return ap_server_root_relative(pool, path);
}

const char *m307_geo_add_source(cmd_parms *cmd, void *dir, const char *word)
{
    m307_server_conf_t *conf = m307_config_server(cmd->server);
    r307_error_t err = { cmd->temp_pool, NULL };

    (void)dir;
    if (!conf->geofrom) {
        conf->geofrom = r307_geofrom_create(cmd->pool, resolve, NULL);
    }
    return r307_geofrom_add(conf->geofrom, word, &err) == APR_SUCCESS
        ? NULL : err.text;
}

/* APR takes "10." for a network; here that must be written out. */
static int is_whole_address(const char *text)
{
    int dots = 0;

    if (strchr(text, ':')) {
        return 1;
    }
    for (; *text; text++) {
        dots += *text == '.';
    }
    return dots == 3 && text[-1] != '.';
}

const char *m307_geo_add_trusted(cmd_parms *cmd, void *dir, const char *word)
{
    m307_server_conf_t *conf = m307_config_server(cmd->server);
    char *text = apr_pstrdup(cmd->temp_pool, word);
    char *bits = strchr(text, '/');
    apr_ipsubnet_t *net = NULL;

    (void)dir;
    if (strcasecmp(word, "all") == 0) {
        conf->trust_all = 1;
        return NULL;
    }
    if (bits) {
        *bits++ = '\0';
    }
    if (!is_whole_address(text)
        || apr_ipsubnet_create(&net, text, bits, cmd->pool) != APR_SUCCESS) {
        return apr_psprintf(cmd->temp_pool, "R307-0321: "
                            "Redirect307TrustedProxy '%s' is neither an "
                            "address nor a network nor 'all'; write "
                            "192.0.2.7, 192.0.2.0/24 or 2001:db8::/32",
                            word);
    }
    if (!conf->trusted) {
        conf->trusted = apr_array_make(cmd->pool, 4, sizeof net);
    }
    APR_ARRAY_PUSH(conf->trusted, apr_ipsubnet_t *) = net;
    return NULL;
}

const char *m307_geo_add_site(cmd_parms *cmd, void *dir, int argc,
                              char *const argv[])
{
    m307_server_conf_t *conf = m307_config_server(cmd->server);
    r307_rule_env_t env = { cmd->pool, 0, m307_expr_compile,
                            M307_EXPR_FULL };
    r307_error_t err = { cmd->temp_pool, NULL };
    r307_site_t *site;

    (void)dir;
    if (r307_site_parse(&env, argc, (const char *const *)argv, &site, &err)
        != APR_SUCCESS) {
        return err.text;
    }
    site->file = cmd->directive->filename;
    site->line = cmd->directive->line_num;
    if (r307_site_find(conf->sites, site->name, strlen(site->name))) {
        return apr_psprintf(cmd->temp_pool, "R307-0322: there are two sites "
                            "'%s'; give one another name", site->name);
    }
    if (r307_site_is_watched(site)) {
        m307_health_watch(cmd, site);
    }
    if (!conf->sites) {
        conf->sites = apr_array_make(cmd->pool, 4, sizeof site);
    }
    APR_ARRAY_PUSH(conf->sites, const r307_site_t *) = site;
    return NULL;
}

/* ---- check_config ---- */

static int open_databases(m307_server_conf_t *conf, apr_pool_t *pconf,
                          r307_error_t *err)
{
    int i, n;
    const char *const *paths = r307_geofrom_databases(conf->geofrom, &n);

    conf->databases = apr_pcalloc(pconf, ((apr_size_t)n + 1)
                                  * sizeof *conf->databases);
    for (i = 0; i < n; i++) {
        conf->databases[i] = m307_database_open(pconf, paths[i], err);
        if (!conf->databases[i]) {
            return 0;
        }
    }
    return 1;
}

static void prepare_costs(m307_server_conf_t *conf, apr_pool_t *pconf)
{
    unsigned fields;

    conf->geo_costs = apr_palloc(pconf, (R307_GEOFROM_ALL_FIELDS + 1)
                                 * sizeof *conf->geo_costs);
    for (fields = 0; fields <= R307_GEOFROM_ALL_FIELDS; fields++) {
        m307_geo_cost_t *cost = &conf->geo_costs[fields];
        cost->vary = r307_geofrom_vary(conf->geofrom, fields, pconf);
        cost->uses = r307_geofrom_uses(conf->geofrom, fields);
        cost->only = r307_geofrom_only(conf->geofrom, fields);
    }
}

static int prepare_sources(m307_server_conf_t *conf, apr_pool_t *pconf,
                           apr_pool_t *ptemp, server_rec *s)
{
    r307_error_t err = { ptemp, NULL };

    if (!conf->geofrom) {
        conf->geofrom = r307_geofrom_create(pconf, NULL, NULL);
    }
    if (r307_geofrom_freeze(conf->geofrom, &err) == APR_SUCCESS
        && open_databases(conf, pconf, &err)) {
        prepare_costs(conf, pconf);
        return OK;
    }
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, s, "%s",
                 err.text);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* What the rules written for that server ask of its sources; of tables it is
 * not known yet. */
static unsigned uses_of_rules(const m307_server_conf_t *conf)
{
    unsigned uses = 0;
    int i;

    for (i = 0; i < conf->judged->nelts; i++) {
        uses |= r307_geofrom_uses(conf->geofrom, r307_rule_fields(
            APR_ARRAY_IDX(conf->judged, i, const r307_rule_t *),
            conf->site_fields));
    }
    return uses;
}

static void warn_of_trust(const m307_server_conf_t *conf, server_rec *s)
{
    if (!conf->trusted && conf->trust_all != 1
        && uses_of_rules(conf) & R307_GEOFROM_TRUSTED) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     "R307-0330: Redirect307GeoFrom names headers, but nobody "
                     "is trusted to send them, so they do not count; name "
                     "the addresses of the proxies with "
                     "Redirect307TrustedProxy CIDR..., or write 'all' when "
                     "nobody else can connect");
    }
}

static int is_unseen(const m307_server_conf_t *conf, const r307_rule_t *rule)
{
    return (rule->split && rule->split->sticky <= R307_STICKY_IP)
           || (r307_geofrom_uses(conf->geofrom,
                                 r307_rule_fields(rule, conf->site_fields))
               & R307_GEOFROM_UNSEEN);
}

static void warn_of_caching(const m307_server_conf_t *conf, server_rec *s)
{
    int i;

    for (i = 0; i < conf->judged->nelts; i++) {
        const r307_rule_t *rule =
            APR_ARRAY_IDX(conf->judged, i, const r307_rule_t *);
        if (rule->cache >= 0 && is_unseen(conf, rule)) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                         "R307-0331: %s:%d: cache= lets only the visitor's "
                         "own browser keep this answer, because it depends "
                         "on an address, a variable or a draw, which no "
                         "header tells a shared cache", rule->file,
                         rule->line);
        }
    }
}

int m307_geo_check_all(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s)
{
    const m307_server_conf_t *main_conf = m307_config_server(s);
    int result = OK;

    for (; s; s = s->next) {
        m307_server_conf_t *conf = m307_config_server(s);

        conf->site_fields = r307_site_fields(conf->sites);
        if (conf != main_conf && conf->geofrom == main_conf->geofrom
            && conf->geofrom) {
            conf->databases = main_conf->databases;
            conf->geo_costs = main_conf->geo_costs;
        }
        else if (prepare_sources(conf, pconf, ptemp, s) != OK) {
            result = HTTP_INTERNAL_SERVER_ERROR;
            continue;
        }
        warn_of_trust(conf, s);
        warn_of_caching(conf, s);
    }
    return result;
}

/* ---- requests ---- */

/* The peer that is connected, whatever mod_remoteip says of the client. */
static inline int is_trusted(const m307_request_t *req)
{
    const m307_server_conf_t *conf = req->server;
    int i;

    if (conf->trust_all == 1) {
        return 1;
    }
    for (i = 0; conf->trusted && i < conf->trusted->nelts; i++) {
        if (apr_ipsubnet_test(APR_ARRAY_IDX(conf->trusted, i,
                                            apr_ipsubnet_t *),
                              req->r->connection->client_addr)) {
            return 1;
        }
    }
    return 0;
}

static const char *get_header(void *ctx, const char *name)
{
    return apr_table_get(((m307_request_t *)ctx)->r->headers_in, name);
}

static const char *get_env(void *ctx, const char *name)
{
    return apr_table_get(((m307_request_t *)ctx)->r->subprocess_env, name);
}

static int ask_database(void *ctx, int database, unsigned fields,
                        r307_facts_t *facts)
{
    m307_request_t *req = ctx;

    return m307_database_facts(req->server->databases[database], req->r,
                               fields, facts);
}

static void warn_of_header(const m307_request_t *req, const char *name)
{
    static volatile apr_uint32_t said;

    if (apr_atomic_cas32(&said, 1, 0) == 0) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, req->r,
                      "R307-0410: the header %s from %s is not believed, "
                      "because Redirect307TrustedProxy does not name that "
                      "address; this is said once by each process", name,
                      req->r->connection->client_ip);
    }
}

static void __attribute__((noinline)) read_sources(m307_request_t *req,
                                                   const m307_geo_cost_t *cost,
                                                   unsigned fields,
                                                   int measured,
                                                   r307_facts_t *facts,
                                                   unsigned *chosen)
{
    r307_georead_t rd;

    rd.pool = req->r->pool;
    rd.ctx = req;
    rd.header = get_header;
    rd.env = get_env;
    rd.mmdb = ask_database;
    rd.query = req->r->args;
    rd.trusted = cost->uses & R307_GEOFROM_TRUSTED && is_trusted(req);
    rd.without = measured ? R307_GEOFROM_VISITOR : 0;
    r307_georead_facts(req->server->geofrom, fields, &rd, facts);
    *chosen = rd.chosen;
    if (rd.disbelieved) {
        warn_of_header(req, rd.disbelieved);
    }
}

/* Returns 0 when there is more to it. */
static int read_header(m307_request_t *req, const r307_geosource_t *source,
                       r307_facts_t *facts)
{
    const char *value = apr_table_get(req->r->headers_in, source->name);
    apr_size_t len = value ? strlen(value) : 0;

    if (len > R307_GEOFROM_ONLY_MAX
        || (value && source->trusted_only && !is_trusted(req))) {
        return 0;
    }
    memset(facts, 0, sizeof *facts);
    if (len) {
        (void)r307_geovalue_set(facts, source->field, value, len,
                                req->r->pool);
    }
    return 1;
}

/* Most often there is one place to look at. Returns 0 when there is more to
 * it. */
static int read_only(m307_request_t *req, const r307_geosource_t *source,
                     unsigned fields, r307_facts_t *facts)
{
    if (source->kind == R307_GEO_HEADER) {
        return read_header(req, source, facts);
    }
    memset(facts, 0, sizeof *facts);
    if (!ask_database(req, source->number, fields, facts)) {
        memset(facts, 0, sizeof *facts);
    }
    return 1;
}

void m307_geo_facts(void *ctx, unsigned fields, int measured,
                    r307_facts_t *facts, unsigned *chosen)
{
    m307_request_t *req = ctx;
    const m307_geo_cost_t *cost = &req->server->geo_costs[fields];

    if (measured) {             /* what is told was told the first time */
        read_sources(req, cost, fields, 1, facts, chosen);
        return;
    }
    *chosen = 0;
    if (!cost->only || !read_only(req, cost->only, fields, facts)) {
        read_sources(req, cost, fields, 0, facts, chosen);
    }
    if (!req->vary && *cost->vary) {
        req->vary = cost->vary;
    }
    else {
        m307_request_add_vary(req, cost->vary);
    }
    if (cost->uses & R307_GEOFROM_UNSEEN) {
        req->unseen = 1;
    }
    if (facts->country) {
        apr_table_t *env = req->r->subprocess_env;
        (apr_is_empty_table(env) ? apr_table_addn : apr_table_setn)(
            env, "REDIRECT307_COUNTRY", facts->country->code);
    }
}

static const char *cookie(const request_rec *r, const char *name,
                          apr_size_t *len)
{
    r307_geosource_t source;
    r307_geotext_t text;
    const char *header = apr_table_get(r->headers_in, "Cookie");

    memset(&source, 0, sizeof source);
    source.format = R307_GEO_COOKIES;
    source.name = name;
    if (!header || !r307_geovalue_pick(&source, header, strlen(header),
                                       r->pool, &text)) {
        return NULL;
    }
    *len = text.len;
    return text.s;
}

const char *m307_geo_sticky(void *ctx, const r307_split_t *split,
                            apr_size_t *len)
{
    m307_request_t *req = ctx;
    request_rec *r = req->r;
    const char *key = NULL;

    switch (split->sticky) {
    case R307_STICKY_IP:
        req->unseen = 1;
        key = r->useragent_ip;
        break;
    case R307_STICKY_HEADER:
        m307_request_add_vary(req, split->name);
        key = apr_table_get(r->headers_in, split->name);
        if (key && !*key) {
            key = NULL;         /* says nothing */
        }
        break;
    case R307_STICKY_COOKIE:
        m307_request_add_vary(req, "Cookie");
        return cookie(r, split->name, len);
    default:
        break;
    }
    *len = key ? strlen(key) : 0;
    return key;
}

apr_uint32_t m307_geo_draw(void *ctx)
{
    apr_uint32_t drawn;

    ((m307_request_t *)ctx)->unseen = 1;
    ap_random_insecure_bytes(&drawn, sizeof drawn);
    return drawn;
}
