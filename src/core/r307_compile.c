/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the way from a line, or from a record that was one, to a table's
 * block. Must not know where lines come from, nor how a table is read. Called
 * by compilefile and by rows.
 */
#include "core/r307_compile.h"

#include "core/r307_options.h"

#include <apr_strings.h>

/* Lines between two clearings of the pool that rules are validated in. */
#define LINES_PER_POOL 256

/* ---- option sets ---- */

/* The options as one string, without name=, which is nearly never the same
 * twice. */
static const char *option_text(const r307_line_t *line, apr_pool_t *pool)
{
    const char *text = "";
    int i;

    for (i = 0; i < line->spec.noptions; i++) {
        const char *word = line->spec.options[i];
        if (strncmp(word, "name=", 5) != 0) {
            text = apr_pstrcat(pool, text, *text ? "\n" : "", word, NULL);
        }
    }
    return text;
}

/* The number of the set, plus 1; 0: more than a table can hold. */
static apr_uint32_t option_set(r307_compiler_t *c, const char *text)
{
    apr_size_t len = strlen(text);
    apr_uintptr_t id = (apr_uintptr_t)apr_hash_get(c->option_ids, text,
                                                   (apr_ssize_t)len);

    if (id == 0 && c->options_len + len < APR_UINT32_MAX) {
        text = apr_pstrmemdup(c->pool, text, len);
        APR_ARRAY_PUSH(c->options, const char *) = text;
        c->options_len += len + 1;
        id = (apr_uintptr_t)c->options->nelts;
        apr_hash_set(c->option_ids, text, (apr_ssize_t)len, (void *)id);
    }
    return (apr_uint32_t)id;
}

/* ---- lines ---- */

/* Rules that hold compiled forms cannot lie in a block. */
static int needs_preparing(const r307_rule_t *rule)
{
    const r307_target_t *t = rule->target;
    int i;

    if (rule->kind == R307_RULE_REGEX || rule->choices || t->site
        || (rule->when && rule->when->expr_text)) {
        return 1;
    }
    for (i = 0; i < t->nparts; i++) {
        if (t->parts[i].kind != R307_PART_TEXT) {
            return 1;
        }
    }
    return 0;
}

/* The target's parts as one text again, encoded and final. */
static const char *plain_target(const r307_target_t *t, apr_pool_t *pool)
{
    const char *text = "";
    int i;

    if (t->kind == R307_TARGET_STOP) {
        return "-";
    }
    for (i = 0; i < t->nparts; i++) {
        text = i == 0 ? t->parts[0].text
            : apr_pstrcat(pool, text, t->parts[i].text, NULL);
    }
    return text;
}

/* Length of ":port" in a literal authority. */
static apr_size_t port_len(const r307_target_t *t)
{
    return t->authority_len
        ? t->authority_len - t->scheme_len - 3 - t->authority.host_len : 0;
}

static int has_name(const r307_line_t *line)
{
    int i;

    for (i = 0; i < line->spec.noptions; i++) {
        if (strncmp(line->spec.options[i], "name=", 5) == 0) {
            return 1;
        }
    }
    return 0;
}

static void fill_plain(r307_compiler_t *c, const r307_line_t *line,
                       const r307_rule_t *rule, r307_entry_t *entry)
{
    const r307_target_t *target = rule->target;

    entry->record.scheme_len = (unsigned char)target->scheme_len;
    entry->record.authority_len = (apr_uint16_t)target->authority_len;
    entry->record.port_len = (unsigned char)port_len(target);
    entry->target = plain_target(target, c->line_pool);
    entry->record.flags = strpbrk(entry->target, "?#") ? R307_RECORD_TAIL
                                                       : 0;
    entry->name = has_name(line) ? rule->name : NULL;
}

/* What every record is counted in, whichever way it came. */
static void note(r307_compiler_t *c, apr_uint32_t order, r307_ref_t ref,
                 int prepared)
{
    if (prepared) {
        APR_ARRAY_PUSH(c->prepared, r307_ref_t) = ref;
    }
    if (c->marks && c->rules % R307_TABLE_STRIDE == 0) {
        r307_mark_t mark = { order, ref };

        APR_ARRAY_PUSH(c->marks, r307_mark_t) = mark;
    }
    c->rules++;
    c->last = order;
}

static apr_status_t add_entry(r307_compiler_t *c, apr_uint32_t order,
                              const r307_line_t *line,
                              const r307_rule_t *rule, const char *raw)
{
    r307_entry_t entry;
    r307_ref_t ref;
    int prepare = needs_preparing(rule);
    apr_status_t rv;

    memset(&entry, 0, sizeof entry);
    entry.record.order = order;
    entry.record.kind = (unsigned char)rule->kind;
    entry.host = line->host;
    entry.path = rule->kind == R307_RULE_REGEX
        ? r307_regex_literal(rule->regex)->key : rule->path;
    if (prepare) {
        entry.record.flags = R307_RECORD_PREPARED;
        entry.record.options = (apr_uint32_t)c->prepared->nelts;
        entry.target = raw;
    }
    else {
        apr_uint32_t set = option_set(c, option_text(line, c->line_pool));
        if (set == 0) {
            return APR_ENOSPC;
        }
        entry.record.options = set - 1;
        fill_plain(c, line, rule, &entry);
    }
    rv = r307_indexer_add(c->ix, &entry, &ref);
    if (rv == APR_SUCCESS) {
        note(c, order, ref, prepare);
    }
    return rv;
}

/* What a rule may do depends on the server. */
static apr_status_t judge(const r307_table_spec_t *spec,
                          const r307_rule_t *rule, r307_error_t *err)
{
    const r307_target_t *computed = r307_rule_computed_host(rule);
    const char *site = r307_rule_unknown_site(rule, spec->sites);

    if (computed && !spec->allowed_hosts) {
        return r307_error_set(err, "R307-0510: the target '%s' lets the "
                              "request decide which host the client is sent "
                              "to; write the host, or name the hosts that "
                              "may result with Redirect307AllowTo",
                              computed->written);
    }
    return !site ? APR_SUCCESS
        : r307_error_set(err, "R307-0518: there is no site '%s'; define it "
                         "with Redirect307Site in the server configuration",
                         site);
}

static void clear_lines(r307_compiler_t *c)
{
    if (++c->lines == LINES_PER_POOL) {
        apr_pool_clear(c->line_pool);
        c->lines = 0;
    }
}

apr_status_t r307_compiler_line(r307_compiler_t *c, apr_uint32_t order,
                                char *text, r307_error_t *err)
{
    r307_rule_env_t env = { c->line_pool,
                            c->spec->regex_flags & ~R307_REGEX_JIT,
                            c->spec->compile_expr, c->spec->ctx };
    const char *raw;
    r307_line_t line;
    r307_rule_t *rule;
    apr_status_t rv;

    clear_lines(c);
    err->pool = c->line_pool;
    /* parsing takes the line apart, and a prepared rule is kept as it was */
    raw = strpbrk(text, "~%=") || strstr(text, "site:")
        ? apr_pstrdup(c->line_pool, text) : "";
    rv = r307_rulefile_parse(text, c->spec->format, c->line_pool, &line,
                             err);
    if (rv == APR_NOTFOUND) {
        return rv;
    }
    line.spec.file = c->spec->path;
    line.spec.line = (int)order;
    if (rv == APR_SUCCESS) {
        rv = r307_rule_create_in_file(&env, &line, c->spec->exact, &rule,
                                      err);
    }
    if (rv == APR_SUCCESS) {
        rv = judge(c->spec, rule, err);
    }
    if (rv != APR_SUCCESS) {
        return APR_EINVAL;
    }
    return c->judge_only ? APR_SUCCESS
                         : add_entry(c, order, &line, rule, raw);
}

/* ---- records ---- */

static r307_known_t *known_of(r307_compiler_t *c, const r307_table_t *from)
{
    r307_known_t *known = &c->known[c->known[0].table
                                    && c->known[0].table != from];

    if (!known->table) {
        known->table = from;
        known->options = apr_pcalloc(c->pool,
                                     (r307_table_header(from)->options
                                      + (apr_size_t)1)
                                     * sizeof *known->options);
    }
    return known;
}

/* The number here of an option set there, plus 1. A set that is not there is
 * none here either: a damaged record stays one. */
static apr_uint32_t known_set(r307_compiler_t *c, const r307_table_t *from,
                              apr_uint32_t number)
{
    r307_known_t *known = known_of(c, from);
    const char *text = r307_table_option_text(from, number);

    if (!text) {
        return ~(apr_uint32_t)0;
    }
    if (!known->options[number]) {
        known->options[number] = option_set(c, text);
    }
    return known->options[number];
}

apr_status_t r307_compiler_copy(r307_compiler_t *c, const r307_table_t *from,
                                const r307_record_t *rec)
{
    int prepared = rec->flags & R307_RECORD_PREPARED;
    apr_uint32_t set = prepared ? (apr_uint32_t)c->prepared->nelts + 1
                                : known_set(c, from, rec->options);
    r307_ref_t ref;
    apr_status_t rv;

    if (set == 0) {
        return APR_ENOSPC;
    }
    rv = r307_indexer_copy(c->ix, rec, set - 1, &ref);
    if (rv == APR_SUCCESS) {
        note(c, rec->order, ref, prepared);
    }
    return rv;
}

/* ---- writing ---- */

static apr_status_t write_padded(r307_block_t *block, void *data,
                                 apr_size_t len, apr_pool_t *pool)
{
    apr_size_t whole = len & ~(apr_size_t)7;
    char *tail = apr_pcalloc(pool, 8);
    apr_status_t rv = r307_block_add(block, data, whole);

    if (rv != APR_SUCCESS || whole == len) {
        return rv;
    }
    memcpy(tail, (char *)data + whole, len - whole);
    return r307_block_add(block, tail, 8);
}

static apr_status_t write_array(r307_block_t *block,
                                const apr_array_header_t *array)
{
    return !array ? APR_SUCCESS
        : write_padded(block, array->elts, (apr_size_t)array->nelts
                       * (apr_size_t)array->elt_size, array->pool);
}

/* The option sets, each with its NUL, and where each begins. */
static apr_status_t write_options(r307_compiler_t *c,
                                  r307_table_header_t *header,
                                  r307_block_t *block)
{
    apr_size_t len = (apr_size_t)c->options_len, n = 0;
    char *text = apr_palloc(c->pool, len + 1);
    apr_uint32_t *begins = apr_palloc(c->pool,
                                      ((apr_size_t)c->options->nelts + 1)
                                      * sizeof *begins);
    apr_status_t rv;
    int i;

    for (i = 0; i < c->options->nelts; i++) {
        const char *set = APR_ARRAY_IDX(c->options, i, const char *);
        apr_size_t set_len = strlen(set) + 1;

        begins[i] = (apr_uint32_t)n;
        memcpy(text + n, set, set_len);
        n += set_len;
    }
    header->options = (apr_uint32_t)c->options->nelts;
    header->options_len = len;
    rv = write_padded(block, text, len, c->pool);
    return rv == APR_SUCCESS
        ? write_padded(block, begins, (apr_size_t)c->options->nelts
                       * sizeof *begins, c->pool) : rv;
}

apr_status_t r307_compiler_write(r307_compiler_t *c,
                                 r307_table_header_t *header,
                                 const apr_array_header_t *changed,
                                 r307_block_t *block)
{
    apr_status_t rv = r307_indexer_write(c->ix, &header->index,
                                         r307_block_add, block);

    header->prepared = (apr_uint32_t)c->prepared->nelts;
    header->marks = c->marks ? (apr_uint32_t)c->marks->nelts : 0;
    header->last = c->last;
    if (rv == APR_SUCCESS) {
        rv = write_options(c, header, block);
    }
    if (rv == APR_SUCCESS) {
        rv = write_array(block, c->prepared);
    }
    if (rv == APR_SUCCESS) {
        rv = write_array(block, c->marks);
    }
    if (rv == APR_SUCCESS) {
        rv = write_array(block, changed);
    }
    return rv == APR_SUCCESS ? r307_block_finish(block, header) : rv;
}

/* ---- beginning and ending ---- */

void r307_compiler_begin(r307_compiler_t *c, const r307_table_spec_t *spec,
                         apr_pool_t *pool)
{
    memset(c, 0, sizeof *c);
    c->spec = spec;
    apr_pool_create(&c->pool, pool);
    apr_pool_create(&c->line_pool, c->pool);
    c->option_ids = apr_hash_make(c->pool);
    c->options = apr_array_make(c->pool, 16, sizeof(const char *));
    c->prepared = apr_array_make(c->pool, 16, sizeof(r307_ref_t));
}

apr_status_t r307_compiler_expect(r307_compiler_t *c, apr_size_t rules,
                                  apr_uint32_t hash_mask)
{
    c->ix = r307_indexer_create(c->pool, rules, hash_mask);
    return c->ix ? APR_SUCCESS : APR_ENOMEM;
}

void r307_compiler_end(r307_compiler_t *c)
{
    apr_pool_destroy(c->pool);
}
