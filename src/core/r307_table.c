/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns reading a table's block: what is checked before it is believed, and
 * how a record becomes a rule. Must not know how blocks are made. Called by
 * the server side and by tools.
 */
#include "core/r307_table.h"

#include "core/r307_block.h"
#include "core/r307_counter.h"
#include "core/r307_options.h"

#include <apr_lib.h>
#include <apr_mmap.h>
#include <apr_strings.h>

#include <errno.h>
#include <stddef.h>

/* Option sets that are parsed when the table is opened. Further ones are
 * parsed when a rule with them is met: a table in which every rule has its
 * own from= must not cost memory in every process. */
#define OPTION_SETS_READY 1024

struct r307_table_t {
    const r307_table_header_t *header;
    r307_table_spec_t spec;
    r307_index_t index;
    const char *block;
    const char **option_texts;  /* by number */
    r307_rule_t **option_sets;  /* the first OPTION_SETS_READY, parsed: rules
                                 * with nothing but options */
    r307_rule_t **prepared;
    r307_ruleset_t *rules;
    r307_counter_t *counter;    /* NULL: none */
    apr_uint32_t slots_or;      /* what makes a line a slot: nothing, or
                                 * R307_SLOT_NONE */
};

const r307_ruleset_t *r307_table_rules(const r307_table_t *table)
{
    return table->rules;
}

const r307_table_header_t *r307_table_header(const r307_table_t *table)
{
    return table->header;
}

/* ---- the source ---- */

static void fill_source(const r307_table_spec_t *spec,
                        const apr_finfo_t *info, r307_table_source_t *out)
{
    memset(out, 0, sizeof *out);
    out->mtime = (apr_uint64_t)info->mtime;
    out->size = (apr_uint64_t)info->size;
    out->inode = (apr_uint64_t)info->inode;
    out->device = (apr_uint64_t)info->device;
    out->settings = (apr_uint64_t)spec->format << 1
        | (apr_uint64_t)(spec->exact != 0)
        | (apr_uint64_t)(spec->regex_flags & ~R307_REGEX_JIT) << 8
        | (apr_uint64_t)(spec->allowed_hosts != NULL) << 2;
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

static apr_status_t prepare_rule(r307_table_t *table, apr_uint32_t i,
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

/* A rule with only the options of a set. Words are separated by newlines. */
static apr_status_t parse_options(const r307_table_t *table, const char *text,
                                  apr_pool_t *pool, r307_rule_t **out,
                                  r307_error_t *err)
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
    r307_rule_t *rule;

    if (rec->options < OPTION_SETS_READY
        && rec->options < table->header->options) {
        return apr_pmemdup(pool, table->option_sets[rec->options],
                           sizeof *rule);
    }
    if (rec->options >= table->header->options
        || parse_options(table, table->option_texts[rec->options], pool,
                         &rule, &err) != APR_SUCCESS) {
        return NULL;
    }
    return rule;
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

static const r307_rule_t *make_rule(const void *ctx, const r307_record_t *rec,
                                    apr_pool_t *pool)
{
    const r307_table_t *table = ctx;
    r307_rule_t *rule;

    if (rec->flags & R307_RECORD_PREPARED) {
        return rec->options < table->header->prepared
            ? table->prepared[rec->options] : NULL;
    }
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

/* ---- counting ---- */

const r307_record_t *r307_table_next(const r307_table_t *table,
                                     r307_ref_t *at)
{
    const r307_record_t *rec = r307_index_record(&table->index, *at);

    if (rec) {
        *at = r307_index_next(&table->index, *at);
    }
    return rec;
}

const r307_rule_t *r307_table_prepared(const r307_table_t *table,
                                       const r307_record_t *rec)
{
    return rec->flags & R307_RECORD_PREPARED
           && rec->options < table->header->prepared
        ? table->prepared[rec->options] : NULL;
}

const r307_rule_t *r307_table_rule(const r307_table_t *table,
                                   const r307_record_t *rec,
                                   apr_pool_t *pool)
{
    return make_rule(table, rec, pool);
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
 * prepared rules. */
void r307_table_count_in(r307_table_t *table, r307_counter_t *counter,
                         apr_pool_t *pool)
{
    apr_uint32_t i, choice = 0;

    if (counter) {
        choice = counter->slots - r307_table_choices(table);
    }
    table->counter = counter;
    table->slots_or = counter ? 0 : R307_SLOT_NONE;
    for (i = 0; i < table->header->prepared; i++) {
        r307_rule_t *rule = table->prepared[i];
        rule->counter = counter;
        rule->slot = table->slots_or | (apr_uint32_t)rule->line;
        if (counter) {
            count_choices(rule, &choice, pool);
        }
    }
}

r307_counter_t *r307_table_counter(const r307_table_t *table)
{
    return table->counter;
}

/* ---- opening ---- */

static apr_status_t bad_block(const r307_table_spec_t *spec, const char *why,
                              r307_error_t *err)
{
    return r307_error_set(err, "R307-0521: the table compiled from '%s' "
                          "cannot be used: %s", spec->path, why);
}

static apr_uint64_t padded(apr_uint64_t len)
{
    return (len + 7) & ~APR_UINT64_C(7);
}

/* Everything that later reads rely on. Returns NULL or what is wrong. */
static const char *check_header(const r307_table_header_t *h,
                                apr_uint64_t len)
{
    apr_uint64_t left;

    if (len < sizeof *h) {
        return "it is too short to be one";
    }
    if (memcmp(h->magic, "R307TBL\n", 8) != 0) {
        return "it is not a table";
    }
    if (h->byte_order != 0x01020304) {
        return "it was made on a machine with another byte order";
    }
    if (h->version != R307_TABLE_VERSION) {
        return "it was made by another version of the module";
    }
    if (h->header_sum != r307_block_sum(0, h, offsetof(r307_table_header_t,
                                                       header_sum))) {
        return "its header is damaged";
    }
    if (h->file_len != len) {
        return "it is truncated";
    }
    left = len - sizeof *h;
    if (h->index.records_len > left) {
        return "the records reach beyond its end";
    }
    left -= h->index.records_len;
    if (h->index.slot_count > left / sizeof(r307_slot_t)) {
        return "the slots reach beyond its end";
    }
    left -= h->index.slot_count * sizeof(r307_slot_t);
    if (h->options_len > left || padded(h->options_len) > left) {
        return "the option sets reach beyond its end";
    }
    if (h->options > h->options_len) {
        return "it counts more option sets than it has room for";
    }
    left -= padded(h->options_len);
    if (left != padded((apr_uint64_t)h->prepared * sizeof(r307_ref_t))) {
        return "the prepared rules do not fill its end";
    }
    return r307_index_check(&h->index, h->index.records_len,
                            h->index.slot_count * sizeof(r307_slot_t));
}

static apr_status_t open_options(r307_table_t *table, const char *texts,
                                 apr_pool_t *pool, r307_error_t *err)
{
    const r307_table_header_t *h = table->header;
    const char *s = texts, *end = texts + h->options_len;
    apr_uint32_t i;

    if (h->options_len && end[-1] != '\0') {
        return bad_block(&table->spec, "the last option set has no end",
                         err);
    }
    table->option_texts = apr_palloc(pool, (h->options + 1)
                                     * sizeof *table->option_texts);
    table->option_sets = apr_palloc(pool, (h->options < OPTION_SETS_READY
                                           ? h->options + 1
                                           : OPTION_SETS_READY)
                                    * sizeof *table->option_sets);
    for (i = 0; i < h->options; i++) {
        if (s >= end) {
            return bad_block(&table->spec, "option sets are missing", err);
        }
        table->option_texts[i] = s;
        if (i < OPTION_SETS_READY
            && parse_options(table, s, pool, &table->option_sets[i], err)
               != APR_SUCCESS) {
            return bad_block(&table->spec, err->text, err);
        }
        s += strlen(s) + 1;
    }
    return APR_SUCCESS;
}

static apr_status_t open_prepared(r307_table_t *table, const char *refs,
                                  apr_pool_t *pool, r307_error_t *err)
{
    apr_uint32_t n = table->header->prepared, i;

    table->prepared = apr_pcalloc(pool, (n + 1) * sizeof *table->prepared);
    for (i = 0; i < n; i++) {
        const r307_record_t *rec;
        r307_ref_t ref;

        memcpy(&ref, refs + i * sizeof ref, sizeof ref);
        rec = r307_index_record(&table->index, ref);
        if (!rec) {
            return bad_block(&table->spec, "a prepared rule lies outside",
                             err);
        }
        if (prepare_rule(table, i, rec, pool, err) != APR_SUCCESS) {
            return bad_block(&table->spec, err->text, err);
        }
    }
    return APR_SUCCESS;
}

static int sum_is_right(const char *block, apr_uint64_t len)
{
    const r307_table_header_t *h = (const r307_table_header_t *)block;

    return r307_block_sum(0, block + sizeof *h, (apr_size_t)len - sizeof *h)
           == h->payload_sum;
}

apr_status_t r307_table_over(const char *block, apr_uint64_t len,
                             const r307_table_spec_t *spec, int verify,
                             apr_pool_t *pool, r307_table_t **out,
                             r307_error_t *err)
{
    r307_table_t *table = apr_pcalloc(pool, sizeof *table);
    const r307_table_header_t *h = (const r307_table_header_t *)block;
    const char *why = check_header(h, len), *options;
    apr_status_t rv;

    if (!why && verify && !sum_is_right(block, len)) {
        why = "its checksum is wrong: it is damaged";
    }
    if (why) {
        return bad_block(spec, why, err);
    }
    table->header = h;
    table->spec = *spec;
    table->spec.path = apr_pstrdup(pool, spec->path);
    table->block = block;
    table->index.info = h->index;
    table->index.records = block + sizeof *h;
    table->index.slots = (const r307_slot_t *)(table->index.records
                                               + h->index.records_len);
    options = (const char *)(table->index.slots + h->index.slot_count);
    rv = open_options(table, options, pool, err);
    if (rv == APR_SUCCESS) {
        rv = open_prepared(table, options + padded(h->options_len), pool,
                           err);
    }
    table->rules = r307_ruleset_over(pool, &table->index, make_rule, table);
    *out = table;
    return rv;
}

apr_status_t r307_table_open(const char *file, const r307_table_spec_t *spec,
                             int verify, apr_pool_t *pool,
                             r307_table_t **out, r307_error_t *err)
{
    apr_file_t *f;
    apr_finfo_t info;
    apr_mmap_t *map;
    char why[120];
    apr_status_t rv = apr_file_open(&f, file, APR_FOPEN_READ, 0, pool);

    if (rv == APR_SUCCESS) {
        rv = apr_file_info_get(&info, APR_FINFO_SIZE, f);
        if (rv == APR_SUCCESS
            && info.size < (apr_off_t)sizeof(r307_table_header_t)) {
            apr_file_close(f);
            return bad_block(spec, "it is too short to be one", err);
        }
        if (rv == APR_SUCCESS) {
            rv = apr_mmap_create(&map, f, 0, (apr_size_t)info.size,
                                 APR_MMAP_READ, pool);
        }
        apr_file_close(f);
    }
    if (rv != APR_SUCCESS) {
        r307_error_set(err, "R307-0522: the table file '%s' cannot be "
                       "mapped: %s", file, apr_strerror(rv, why, sizeof why));
        return rv;
    }
    return r307_table_over(map->mm, (apr_uint64_t)info.size, spec, verify,
                           pool, out, err);
}
