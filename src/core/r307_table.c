/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns how a record of a table becomes a rule, and what it is counted in.
 * Must not know how blocks are made, nor what is checked before one is
 * believed (r307_tableopen.c). Called by the server side and by tools.
 */
#include "core/r307_tablebody.h"

#include "core/r307_options.h"

#include <apr_strings.h>

#include <errno.h>

const r307_ruleset_t *r307_table_rules(const r307_table_t *table)
{
    return table->rules;
}

const r307_table_header_t *r307_table_header(const r307_table_t *table)
{
    return table->header;
}

const r307_table_spec_t *r307_table_spec(const r307_table_t *table)
{
    return &table->spec;
}

/* ---- the source ---- */

apr_uint64_t r307_table_settings(const r307_table_spec_t *spec)
{
    return (apr_uint64_t)spec->format << 1
        | (apr_uint64_t)(spec->exact != 0)
        | (apr_uint64_t)(spec->regex_flags & ~R307_REGEX_JIT) << 8
        | (apr_uint64_t)(spec->allowed_hosts != NULL) << 2;
}

static void fill_source(const r307_table_spec_t *spec,
                        const apr_finfo_t *info, r307_table_source_t *out)
{
    memset(out, 0, sizeof *out);
    out->mtime = (apr_uint64_t)info->mtime;
    out->size = (apr_uint64_t)info->size;
    out->inode = (apr_uint64_t)info->inode;
    out->device = (apr_uint64_t)info->device;
    out->settings = r307_table_settings(spec);
}

#define SOURCE_FACTS (APR_FINFO_MTIME | APR_FINFO_SIZE | APR_FINFO_IDENT \
                      | APR_FINFO_TYPE)

/* A pipe would be waited for, and a device could be endless. */
static apr_status_t only_regular(const apr_finfo_t *info)
{
    return info->filetype == APR_REG ? APR_SUCCESS
        : info->filetype == APR_DIR ? APR_FROM_OS_ERROR(EISDIR)
        : APR_EINVAL;
}

apr_status_t r307_table_stat(const r307_table_spec_t *spec, apr_pool_t *pool,
                             r307_table_source_t *out)
{
    apr_finfo_t info;
    apr_status_t rv = apr_stat(&info, spec->path, SOURCE_FACTS, pool);

    if (rv == APR_SUCCESS) {
        rv = only_regular(&info);
    }
    if (rv == APR_SUCCESS) {
        fill_source(spec, &info, out);
    }
    return rv;
}

apr_status_t r307_table_source_of(const r307_table_spec_t *spec,
                                  apr_file_t *f, r307_table_source_t *out)
{
    apr_finfo_t info;
    apr_status_t rv = apr_file_info_get(&info, SOURCE_FACTS, f);

    if (rv == APR_SUCCESS) {
        rv = only_regular(&info);
    }
    if (rv == APR_SUCCESS) {
        fill_source(spec, &info, out);
    }
    return rv;
}

int r307_table_is_from(const r307_table_t *table,
                       const r307_table_source_t *source)
{
    return memcmp(&table->header->source, source, sizeof *source) == 0;
}

/* ---- rules from lines ---- */

static apr_status_t add_host(const r307_rule_env_t *env, const char *host,
                             r307_rule_t *rule, r307_error_t *err)
{
    r307_conditions_t *when = apr_pcalloc(env->pool, sizeof *when);
    apr_array_header_t *hosts;

    if (rule->when) {
        *when = *rule->when;
    }
    if (when->hosts) {
        return r307_error_set(err, "R307-0504: the line names the host '%s' "
                              "in front of the path and others in host=; "
                              "keep one", host);
    }
    hosts = apr_array_make(env->pool, 1, sizeof(r307_host_pattern_t));
    when->hosts = hosts;
    rule->when = when;
    return r307_host_pattern_parse(env->pool, host, 0, apr_array_push(hosts),
                                   err);
}

apr_status_t r307_rule_create_in_file(const r307_rule_env_t *env,
                                      r307_line_t *line, int exact,
                                      r307_rule_t **out, r307_error_t *err)
{
    apr_status_t rv = r307_rule_create(env, &line->spec, out, err);

    if (rv == APR_SUCCESS && (exact || line->exact)
        && (*out)->kind == R307_RULE_PREFIX) {
        (*out)->kind = R307_RULE_EXACT;
    }
    if (rv == APR_SUCCESS && line->host) {
        rv = add_host(env, line->host, *out, err);
    }
    return rv;
}

apr_status_t r307_table_prepare(r307_table_t *table, apr_uint32_t i,
                                const r307_record_t *rec, apr_pool_t *pool,
                                r307_error_t *err)
{
    r307_rule_env_t env = { pool, table->spec.regex_flags,
                            table->spec.compile_expr, table->spec.ctx };
    char *text = apr_pstrmemdup(pool, r307_record_target(rec),
                                rec->target_len);
    r307_line_t line;
    r307_rule_t *rule;
    apr_status_t rv = r307_rulefile_parse(text, table->spec.format, pool,
                                          &line, err);

    line.spec.file = table->spec.path;
    line.spec.line = (int)rec->order;
    if (rv == APR_SUCCESS) {
        rv = r307_rule_create_in_file(&env, &line, table->spec.exact, &rule,
                                      err);
    }
    if (rv == APR_SUCCESS && r307_rule_unknown_site(rule,
                                                    table->spec.sites)) {
        return r307_error_set(err, "R307-0519: line %u names the site '%s', "
                              "which is not there any more",
                              (unsigned)rec->order,
                              r307_rule_unknown_site(rule,
                                                     table->spec.sites));
    }
    if (rv == APR_SUCCESS) {
        table->prepared[i] = rule;
    }
    return rv;
}

const char *r307_table_option_text(const r307_table_t *table,
                                   apr_uint32_t number)
{
    return number < table->header->options
           && table->option_begins[number] < table->header->options_len
        ? table->options + table->option_begins[number] : NULL;
}

/* Words are separated by newlines. */
apr_status_t r307_table_parse_options(const r307_table_t *table,
                                      const char *text, apr_pool_t *pool,
                                      r307_rule_t **out, r307_error_t *err)
{
    r307_rule_env_t env = { pool, 0, NULL, NULL };
    const char *words[R307_RULEFILE_OPTIONS_MAX];
    char *state, *word;
    int n = 0;

    *out = apr_pcalloc(pool, sizeof **out);
    (*out)->cache = R307_CACHE_UNSET;
    (*out)->retry_after = R307_RETRY_UNSET;
    (*out)->file = table->spec.path;
    if (!*text) {
        return APR_SUCCESS;
    }
    for (word = apr_strtok(apr_pstrdup(pool, text), "\n", &state);
         word && n < R307_RULEFILE_OPTIONS_MAX;
         word = apr_strtok(NULL, "\n", &state)) {
        words[n++] = word;
    }
    return r307_options_apply(&env, *out, n, words, err);
}

/* ---- rules from records ---- */

/* The authority was parsed when the table was compiled. */
static void set_authority(const char *s, const r307_record_t *rec,
                          r307_authority_t *out)
{
    const char *port = s + rec->authority_len - rec->port_len;

    out->host = s + rec->scheme_len + 3;
    out->host_len = (apr_size_t)(port - out->host);
    out->port = R307_PORT_NONE;
    if (rec->port_len) {
        const char *end = s + rec->authority_len;
        for (out->port = 0, port++; port < end; port++) {
            out->port = (out->port * 10 + (*port - '0')) & 0xffff;
        }
    }
}

static void add_tail_part(r307_target_t *t, r307_part_t *parts, const char *s,
                          const char *end)
{
    r307_part_t *part = &parts[t->nparts++];

    memset(part, 0, sizeof *part);
    part->text = s;
    part->len = (apr_size_t)(end - s);
}

/* The query and the fragment of a target become parts of their own; the
 * first part is what comes before. */
static void cut_tail(r307_target_t *t, r307_part_t *parts)
{
    const char *s = parts[0].text, *end = s + parts[0].len;
    const char *hash = memchr(s, '#', (apr_size_t)(end - s));
    const char *stop = hash ? hash : end;
    const char *mark = memchr(s, '?', (apr_size_t)(stop - s));

    parts[0].len = (apr_size_t)((mark ? mark : stop) - s);
    if (mark) {
        add_tail_part(t, parts, mark, stop);
        t->fragment_at = t->nparts;
        t->has_query = 1;
    }
    if (hash) {
        add_tail_part(t, parts, hash, end);
    }
}

/* A target of text only. */
static const r307_target_t *plain_target(const r307_record_t *rec,
                                         apr_pool_t *pool)
{
    struct plain_t {
        r307_target_t target;
        r307_part_t parts[3];
    } *p = apr_palloc(pool, sizeof *p);
    const char *s = r307_record_target(rec);
    r307_target_t *t = &p->target;

    memset(t, 0, sizeof *t);
    t->kind = rec->authority_len ? R307_TARGET_URL
        : *s == '-' ? R307_TARGET_STOP : R307_TARGET_PATH;
    t->parts = p->parts;
    t->query_at = t->fragment_at = t->nparts = 1;
    p->parts[0].kind = R307_PART_TEXT;
    p->parts[0].text = s;
    p->parts[0].len = rec->target_len;
    if (rec->flags & R307_RECORD_TAIL) {
        cut_tail(t, p->parts);
    }
    if (rec->authority_len) {
        t->scheme_len = rec->scheme_len;
        t->authority_len = rec->authority_len;
        set_authority(s, rec, &t->authority);
    }
    return t;
}

static r307_rule_t *with_options(const r307_table_t *table,
                                 const r307_record_t *rec, apr_pool_t *pool)
{
    r307_error_t err = { pool, NULL };
    const char *text;
    r307_rule_t *rule;

    if (rec->options < R307_OPTION_SETS_READY
        && rec->options < table->header->options) {
        return apr_pmemdup(pool, table->option_sets[rec->options],
                           sizeof *rule);
    }
    text = r307_table_option_text(table, rec->options);
    return text && r307_table_parse_options(table, text, pool, &rule, &err)
                   == APR_SUCCESS ? rule : NULL;
}

static int is_sound(const r307_record_t *rec)
{
    return rec->kind <= R307_RULE_EXACT && rec->path_len > 0
           && rec->target_len > 0 && rec->authority_len <= rec->target_len
           && (rec->authority_len == 0
               || rec->scheme_len + 3 + rec->port_len < rec->authority_len)
           && r307_record_path(rec)[0] == '/'
           /* would match at the NUL that ends a request's path, and go on */
           && !memchr(r307_record_path(rec), '\0', rec->path_len);
}

/* A rule that is not prepared. */
static r307_rule_t *make_plain(const r307_table_t *table,
                               const r307_record_t *rec, apr_pool_t *pool)
{
    r307_rule_t *rule;

    if (!is_sound(rec) || (rule = with_options(table, rec, pool)) == NULL) {
        return NULL;
    }
    rule->kind = (r307_rule_kind_t)rec->kind;
    rule->path = r307_record_path(rec);
    rule->path_len = rec->path_len;
    rule->target = plain_target(rec, pool);
    rule->line = (int)rec->order;
    rule->counter = table->counter;
    rule->slot = table->slots_or | rec->order;
    if (table->counter) {       /* far away in a large table, and soon wanted */
        __builtin_prefetch(&table->counter->tallies[rec->order], 1);
    }
    if (rec->name_len) {
        rule->name = apr_pstrmemdup(pool, r307_record_name(rec),
                                    rec->name_len);
        rule->named = 1;
    }
    if (rec->host_len) {
        r307_rule_env_t env = { pool, 0, NULL, NULL };
        r307_error_t err = { pool, NULL };
        if (add_host(&env, apr_pstrmemdup(pool, r307_record_host(rec),
                                          rec->host_len), rule, &err)
            != APR_SUCCESS) {
            return NULL;
        }
    }
    return rule;
}

static const r307_rule_t *prepared(const r307_table_t *table,
                                   const r307_record_t *rec)
{
    return rec->options < table->header->prepared
        ? table->prepared[rec->options] : NULL;
}

const r307_rule_t *r307_table_make_line(const void *ctx,
                                        const r307_record_t *rec,
                                        apr_pool_t *pool)
{
    return rec->flags & R307_RECORD_PREPARED ? prepared(ctx, rec)
                                             : make_plain(ctx, rec, pool);
}

const r307_rule_t *r307_table_make_row(const void *ctx,
                                       const r307_record_t *rec,
                                       apr_pool_t *pool)
{
    const r307_table_t *table = ctx;
    r307_rule_t *rule;

    if (rec->flags & R307_RECORD_PREPARED) {
        return prepared(table, rec);
    }
    rule = make_plain(table, rec, pool);
    if (rule && rec->order >= table->slots) {
        rule->slot = R307_SLOT_NONE;
    }
    return rule;
}

/* ---- counting ---- */

const r307_table_t *r307_table_owner(const r307_table_t *table,
                                     const r307_record_t *rec)
{
    return !table->patch ? table
        : r307_table_holds(table->patch, rec) ? table->patch : table->base;
}

const r307_record_t *r307_table_next(const r307_table_t *table,
                                     r307_place_t *at)
{
    return r307_ruleset_next(table->rules, at);
}

apr_uint32_t r307_table_count(const r307_table_t *table)
{
    apr_uint32_t n = table->header->index.rules;

    return !table->patch ? n
        : n - table->patch->header->hidden
          + table->patch->header->index.rules;
}

const r307_rule_t *r307_table_prepared(const r307_table_t *table,
                                       const r307_record_t *rec)
{
    return rec->flags & R307_RECORD_PREPARED
        ? prepared(r307_table_owner(table, rec), rec) : NULL;
}

const r307_rule_t *r307_table_prepared_at(const r307_table_t *table,
                                          apr_uint32_t i)
{
    return table->prepared[i];
}

const r307_rule_t *r307_table_rule(const r307_table_t *table,
                                   const r307_record_t *rec,
                                   apr_pool_t *pool)
{
    return r307_ruleset_rule(table->rules, rec, pool);
}

apr_uint32_t r307_table_choices(const r307_table_t *table)
{
    apr_uint32_t i, n = 0;

    for (i = 0; i < table->header->prepared; i++) {
        if (table->prepared[i]->choices) {
            n += (apr_uint32_t)table->prepared[i]->choices->n;
        }
    }
    return n;
}

static void count_choices(r307_rule_t *rule, apr_uint32_t *slot,
                          apr_pool_t *pool)
{
    int i, n = rule->choices ? rule->choices->n : 0;
    apr_uint32_t *slots = apr_palloc(pool, (apr_size_t)n * sizeof *slots);

    for (i = 0; i < n; i++) {
        slots[i] = (*slot)++;
    }
    rule->choice_slots = n ? slots : NULL;
}

/* Choices are numbered in the order of the records, which is that of the
 * prepared rules. first: slot of the first; 0: they are not counted. */
static void count_prepared(r307_table_t *table, apr_uint32_t first,
                           apr_pool_t *pool)
{
    apr_uint32_t i;

    for (i = 0; i < table->header->prepared; i++) {
        r307_rule_t *rule = table->prepared[i];
        apr_uint32_t line = (apr_uint32_t)rule->line;

        rule->counter = table->counter;
        rule->slot = line < table->slots ? line : R307_SLOT_NONE;
        rule->choice_slots = NULL;
        if (first) {
            count_choices(rule, &first, pool);
        }
    }
}

void r307_table_share_counter(const r307_table_t *base, r307_table_t *patch,
                              apr_pool_t *pool)
{
    patch->counter = base->counter;
    patch->slots_or = base->slots_or;
    patch->slots = base->slots;
    count_prepared(patch, 0, pool);
}

void r307_table_count_in(r307_table_t *table, r307_counter_t *counter,
                         apr_pool_t *pool)
{
    table->counter = counter;
    table->slots_or = counter ? 0 : R307_SLOT_NONE;
    table->slots = counter ? counter->slots - r307_table_choices(table) : 0;
    if (table->patch) {
        r307_table_count_in(table->base, counter, pool);
        r307_table_share_counter(table->base, table->patch, pool);
    }
    else {
        count_prepared(table, table->slots, pool);
    }
}

r307_counter_t *r307_table_counter(const r307_table_t *table)
{
    return table->counter;
}
