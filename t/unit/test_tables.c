/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The live case tables through the core alone. Columns and their meaning are
 * told in t/lib/R307/Table.pm. Rows that need httpd itself (sections,
 * expressions, UseCanonicalName) are left to the live run; the test fails
 * when too few are left.
 */
#include "tap.h"

#include "core/r307_decide.h"

#include <apr_file_io.h>

#include <stdlib.h>
#include <strings.h>

#define BASE "http://case.test:8529"
#define ENOUGH 100
/* beside r307_slashes_t */
#define REFUSE_ENCODED_SLASH 256

typedef struct row_t {
    const char *name, *server, *config, *request, *headers, *status;
    const char *location;
} row_t;

static const char *replace(const char *s, const char *what, const char *with)
{
    const char *at;

    while ((at = strstr(s, what)) != NULL) {
        s = apr_pstrcat(tap_pool, apr_pstrmemdup(tap_pool, s,
                                                 (apr_size_t)(at - s)),
                        with, at + strlen(what), NULL);
    }
    return s;
}

/* \n, \r, \t, \xHH, @HOST@ and @PORT@ */
static const char *cell(const char *s)
{
    char *out = apr_pstrdup(tap_pool, s), *o = out;

    for (; *s; s++) {
        if (s[0] == '\\' && s[1] && strchr("nrt", s[1])) {
            *o++ = s[1] == 'n' ? '\n' : s[1] == 'r' ? '\r' : '\t';
            s++;
        }
        else if (s[0] == '\\' && s[1] == 'x') {
            char hex[3] = { s[2], s[3], '\0' };
            *o++ = (char)strtol(hex, NULL, 16);
            s += 3;
        }
        else {
            *o++ = *s;
        }
    }
    *o = '\0';
    return replace(replace(out, "@HOST@", "case.test"), "@PORT@", "8529");
}

static int add_rule(r307_ruleset_t *set, const char *line)
{
    r307_rule_env_t env = { tap_pool,
                            R307_REGEX_DOTALL | R307_REGEX_DOLLAR_ENDONLY,
                            NULL, NULL };
    r307_rule_spec_t spec = { R307_RULE_PREFIX, NULL, NULL, 0, NULL, "t", 1 };
    r307_error_t err = { tap_pool, NULL };
    char *words[32], *s = apr_pstrdup(tap_pool, line);
    r307_rule_t *rule;
    int n = 0;

    /* Words as in httpd.conf, of which only double quotes occur. */
    while (*s && n < 31) {
        s += strspn(s, " ");
        words[n] = *s == '"' ? ++s : s;
        s += strcspn(s, s > words[n] || s[-1] != '"' ? " " : "\"");
        n++;
        if (*s) {
            *s++ = '\0';
        }
    }
    if (n < 3 || strncmp(words[0], "Redirect307", 11) != 0) {
        return 0;
    }
    if (strcmp(words[0], "Redirect307Match") == 0) {
        spec.kind = R307_RULE_REGEX;
    }
    else if (words[0][11]) {
        return 0;
    }
    spec.path = words[1];
    spec.target = words[2];
    spec.noptions = n - 3;
    spec.options = (const char *const *)words + 3;
    if (r307_rule_create(&env, &spec, &rule, &err) != APR_SUCCESS) {
        return 0;
    }
    r307_ruleset_add(set, rule);
    return 1;
}

static r307_ruleset_t *rules(const char *config)
{
    r307_ruleset_t *set = r307_ruleset_create(tap_pool);
    char *copy = apr_pstrdup(tap_pool, config), *state, *line;

    for (line = apr_strtok(copy, "\n", &state); line;
         line = apr_strtok(NULL, "\n", &state)) {
        if (!add_rule(set, line)) {
            return NULL;
        }
    }
    return set;
}

static r307_self_t me;

static const char *my_base;

static const char *base(void *ctx)
{
    (void)ctx;
    return my_base;
}

static const r307_self_t *self(void *ctx)
{
    (void)ctx;
    return &me;
}

static const r307_host_t server = { self, base, NULL, NULL, NULL, NULL };

/* The settings that the core can follow. Returns 0 for others. */
static int read_settings(const char *text, int *slashes)
{
    char *copy = apr_pstrdup(tap_pool, text), *state, *line;

    *slashes = R307_SLASHES_MERGE | R307_SLASHES_KEEP;
    for (line = apr_strtok(copy, "\n", &state); line;
         line = apr_strtok(NULL, "\n", &state)) {
        if (strcmp(line, "MergeSlashes Off") == 0) {
            *slashes &= ~R307_SLASHES_MERGE;
        }
        else if (strcmp(line, "AllowEncodedSlashes On") == 0) {
            *slashes &= ~R307_SLASHES_KEEP;
        }
        else if (strcmp(line, "Redirect307Relative On") == 0) {
            my_base = NULL;
        }
        else if (strcmp(line, "AllowEncodedSlashes NoDecode") != 0) {
            return 0;
        }
    }
    /* By default httpd answers an encoded slash with 404. */
    if (!strstr(text, "AllowEncodedSlashes")) {
        *slashes |= REFUSE_ENCODED_SLASH;
    }
    return 1;
}

/* "METHOD target" or "target" */
static int read_request(const row_t *row, int slashes, r307_request_t *req)
{
    const char *target = strchr(row->request, '/');
    apr_size_t len = strcspn(target, "?");

    memset(req, 0, sizeof *req);
    req->pool = tap_pool;
    req->method = *row->request == '/' ? "GET"
        : apr_pstrmemdup(tap_pool, row->request,
                         strcspn(row->request, " "));
    req->query = target[len] ? target + len + 1 : NULL;
    req->host = me.host;
    req->now = apr_time_now();
    req->server = &server;
    me.path = target;
    me.query = req->query;
    if (slashes & REFUSE_ENCODED_SLASH) {
        const char *path = apr_pstrmemdup(tap_pool, target, len);
        if (strstr(path, "%2F") || strstr(path, "%2f")) {
            return 0;
        }
    }
    return r307_path_from_raw(&req->path, tap_pool, target,
                              slashes & 0xff) == APR_SUCCESS;
}

/* Returns 1 when the row was checked. */
static int check_row(const row_t *row)
{
    r307_ruleset_t *set;
    r307_decision_t d = { R307_NONE, NULL, NULL, NULL };
    r307_request_t req;
    r307_chain_t chain;
    int slashes;

    me.scheme = "http";
    me.host = "case.test";
    me.port = 8529;
    my_base = BASE;
    if (*row->headers || strchr(row->request, ' ')
        || !read_settings(row->server, &slashes)
        || (set = rules(row->config)) == NULL) {
        return 0;
    }
    memset(&chain, 0, sizeof chain);
    chain.set = set;
    if (read_request(row, slashes, &req)) {
        r307_decide(&req, &chain, &d);
    }
    is(d.outcome == R307_REDIRECT ? d.location : NULL,
       *row->location ? row->location : NULL, "%s", row->name);
    return 1;
}

static const char **column(row_t *row, const char *name)
{
    static const char *ignored;
    const struct {
        const char *name;
        const char **cell;
    } columns[] = {
        { "name", &row->name }, { "server", &row->server },
        { "config", &row->config }, { "request", &row->request },
        { "headers", &row->headers }, { "status", &row->status },
        { "location", &row->location }
    };
    unsigned i;

    for (i = 0; i < TABLE(columns); i++) {
        if (strcmp(columns[i].name, name) == 0) {
            return columns[i].cell;
        }
    }
    return &ignored;
}

static void read_row(char *line, char *const *header, int columns, row_t *row)
{
    const char *config = row->config, *headers = row->headers;
    int i;

    for (i = 0; i < columns; i++) {
        size_t n = line ? strcspn(line, "\t") : 0;
        char *text = apr_pstrmemdup(tap_pool, line ? line : "", n);
        *column(row, header[i]) = cell(text);
        line = line && line[n] ? line + n + 1 : NULL;
    }
    row->config = strcmp(row->config, "\"") == 0 ? config : row->config;
    row->headers = strcmp(row->headers, "\"") == 0 ? headers : row->headers;
}

static int check_table(const char *file)
{
    const char *dir = getenv("R307_SRCDIR");
    const char *path = apr_pstrcat(tap_pool, dir ? dir : ".", "/t/data/",
                                   file, NULL);
    char line[8192], *header[16], *state, *name;
    row_t row = { "", "", "", "", "", "", "" };
    int columns = 0, checked = 0;
    FILE *f = fopen(path, "r");

    if (!ok(f != NULL, "%s is there", file)) {
        return 0;
    }
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        if (*line == '#' || !*line) {
            continue;
        }
        if (columns == 0) {
            name = apr_pstrdup(tap_pool, line);
            for (name = apr_strtok(name, "\t", &state); name && columns < 16;
                 name = apr_strtok(NULL, "\t", &state)) {
                header[columns++] = name;
            }
            continue;
        }
        read_row(line, header, columns, &row);
        checked += check_row(&row);
    }
    fclose(f);
    return checked;
}

int main(void)
{
    int checked;

    tap_begin();
    checked = check_table("live-location.tsv");
    ok(checked >= ENOUGH, "%d rows were checked, %d at least", checked,
       ENOUGH);
    return tap_end();
}
