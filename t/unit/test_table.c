/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* Rule files, tables in memory and in files, and damaged files. */
#include "tap.h"

#include "core/r307_decide.h"
#include "core/r307_table.h"

#include <apr_file_io.h>

#include <stdlib.h>
#include <unistd.h>

static const char *dir;

static const char *path_of(const char *name)
{
    return apr_pstrcat(tap_pool, dir, "/", name, NULL);
}

static const char *put(const char *name, const void *data, apr_size_t len)
{
    const char *path = path_of(name);
    FILE *f = fopen(path, "wb");

    if (!f || fwrite(data, 1, len, f) != len || fclose(f) != 0) {
        printf("Bail out! cannot write %s\n", path);
        exit(1);
    }
    return path;
}

static r307_table_spec_t spec_of(const char *text)
{
    r307_table_spec_t spec;

    memset(&spec, 0, sizeof spec);
    spec.path = put("rules", text, strlen(text));
    spec.regex_flags = R307_REGEX_DOTALL | R307_REGEX_DOLLAR_ENDONLY
                       | R307_REGEX_JIT;
    return spec;
}

static const r307_self_t here = { "http", "h.example", 80, "/", NULL };

static const char *base(void *ctx)
{
    (void)ctx;
    return NULL;
}

static const r307_self_t *self(void *ctx)
{
    (void)ctx;
    return &here;
}

static const r307_host_t server = { self, base, NULL, NULL, NULL, NULL };

/* "rule: location" for a GET, or "none" or "stop" */
static const char *ask(const r307_table_t *table, const char *host,
                       const char *path)
{
    r307_chain_t chain = { r307_table_rules(table), NULL, NULL };
    r307_decision_t d;
    r307_request_t req;

    memset(&req, 0, sizeof req);
    req.pool = tap_pool;
    r307_path_from_raw(&req.path, tap_pool, path, R307_SLASHES_MERGE);
    req.method = "GET";
    req.host = host;
    req.now = apr_time_now();
    req.server = &server;
    r307_decide(&req, &chain, &d);
    return d.outcome == R307_REDIRECT ? d.location
        : d.outcome == R307_STOP ? "stop" : "none";
}

static const char rules[] =
    "\xef\xbb\xbf# a comment\n"
    "\n"
    "   \t\n"
    "/shop https://s.example/x\r\n"
    "/shop/item https://i.example/ # trailing comment\n"
    "  /shop/item\thttps://second.example/  name=second\n"
    "/shop/exact https://e.example/?a=b#f exact query=append name=x\n"
    "/shop/exact/ https://p.example/y\n"
    "/shop/m https://m.example/ methods=POST\n"
    "~^/shop/r/(\\d+)$ https://r.example/$1\n"
    "~\\.php$ https://php.example/\n"
    "/stop -\n"
    "/local /there\n"
    "a.example/host https://a.example/A\n"
    "*.b.example/host https://b.example/B\n"
    "/host https://any.example/\n"
    "\"/with space\" \"https://w.example/a b\" \"name=w\"\n"
    "/caf\xc3\xa9 https://c.example/\n"
    "/until https://u.example/ until=2020-01-01T00:00:00Z\n"
    "/port https://port.example:8443\n"
    "/last https://last.example/";

static const struct {
    const char *host, *path, *want;
} asks[] = {
    { NULL, "/shop", "https://s.example/x" },
    { NULL, "/shop/z", "https://s.example/x/z" },
    { NULL, "/shopping", "none" },
    { NULL, "/shop/item/1", "https://i.example//1" },
    { NULL, "/shop/items", "https://s.example/x/items" },
    { NULL, "/shop/exact", "https://e.example/?a=b#f" },
    { NULL, "/shop/exact/", "https://p.example/y" },
    { NULL, "/shop/exact/1", "https://p.example/y1" },
    { NULL, "/shop/m/1", "https://s.example/x/m/1" },
    { NULL, "/shop/r/12", "https://s.example/x/r/12" },
    { NULL, "/x/y.php", "https://php.example/" },
    { NULL, "/stop/x", "stop" },
    { NULL, "/local/x", "/there/x" },
    { "a.example", "/host/1", "https://a.example/A/1" },
    { "x.b.example", "/host/1", "https://b.example/B/1" },
    { "y.x.b.example", "/host/1", "https://b.example/B/1" },
    { "b.example", "/host/1", "https://any.example//1" },
    { NULL, "/host/1", "https://any.example//1" },
    { NULL, "/with%20space/1", "https://w.example/a%20b/1" },
    { NULL, "/caf%C3%A9/1", "https://c.example//1" },
    { NULL, "/until", "none" },
    { NULL, "/port/x", "https://port.example:8443/x" },
    { NULL, "/port", "https://port.example:8443" },
    { NULL, "/last", "https://last.example/" },
    { NULL, "/", "none" }
};

static void test_answers(const r307_table_t *table, const char *where)
{
    unsigned i;

    for (i = 0; i < TABLE(asks); i++) {
        is(ask(table, asks[i].host, asks[i].path), asks[i].want,
           "%s: %s%s", where, asks[i].host ? asks[i].host : "",
           asks[i].path);
    }
}

static r307_table_t *open_file(const char *file,
                               const r307_table_spec_t *spec, int verify,
                               r307_error_t *err)
{
    r307_table_t *table = NULL;

    err->pool = tap_pool;
    err->text = NULL;
    return r307_table_open(file, spec, verify, tap_pool, &table, err)
        == APR_SUCCESS ? table : NULL;
}

static void test_good(void)
{
    r307_table_spec_t spec = spec_of(rules);
    r307_table_report_t report;
    r307_table_source_t source;
    r307_error_t err = { tap_pool, NULL };
    r307_table_t *table;
    const char *file = path_of("table");

    ok(r307_table_compile_memory(&spec, tap_pool, &table, &report, &err)
       == APR_SUCCESS, "compiled into memory: %s", err.text ? err.text : "");
    ok(report.rules == 18, "%u rules were counted", (unsigned)report.rules);
    test_answers(table, "memory");
    ok(r307_table_compile(&spec, file, tap_pool, &report, &err)
       == APR_SUCCESS, "compiled into a file: %s", err.text ? err.text : "");
    table = open_file(file, &spec, 1, &err);
    if (!ok(table != NULL, "opened: %s", err.text ? err.text : "")) {
        return;
    }
    test_answers(table, "file");
    r307_table_stat(&spec, tap_pool, &source);
    ok(r307_table_is_from(table, &source), "it is from its source");
    spec.exact = 1;
    r307_table_stat(&spec, tap_pool, &source);
    ok(!r307_table_is_from(table, &source), "not with other settings");
    ok(access(apr_psprintf(tap_pool, "%s.new.%ld.0", path_of("table"),
                           (long)getpid()), F_OK) != 0,
       "no temporary file is left");
}

static void test_settings(void)
{
    r307_table_spec_t spec = spec_of("/a https://t.example/\n");
    r307_table_report_t report;
    r307_error_t err = { tap_pool, NULL };
    r307_table_t *table;

    spec.exact = 1;
    r307_table_compile_memory(&spec, tap_pool, &table, &report, &err);
    is(ask(table, NULL, "/a"), "https://t.example/", "match=exact: itself");
    is(ask(table, NULL, "/a/b"), "none", "match=exact: nothing below");
    spec = spec_of("# map\n/a https://t.example/x?y trailing words\n"
                   "b\t https://u.example/ # comment\n/a https://second/\n");
    spec.format = R307_RULEFILE_REWRITEMAP;
    r307_table_compile_memory(&spec, tap_pool, &table, &report, &err);
    is(ask(table, NULL, "/a"), "https://t.example/x?y", "map: a key");
    is(ask(table, NULL, "/b"), "https://u.example/", "map: a bare key");
    is(ask(table, NULL, "/a/b"), "none", "map: keys match exactly");
}

static const struct {
    const char *line, *id, *value;
} bad_lines[] = {
    { "/a", "R307-0502", "/a" }, { "~^/a", "R307-0502", "~^/a" },
    { "\"/a https://t/", "R307-0501", "quote" },
    { "/a \"https://t/", "R307-0501", "quote" },
    { "/a https://t/ \"name=x", "R307-0501", "quote" },
    { "/a https://t/ bogus", "R307-0210", "bogus" },
    { "/a javascript:x", "R307-0102", "javascript" },
    { "http://h/a https://t/", "R307-0132", "host=h" },
    { "h,/a https://t/", "R307-0110", "h," },
    { "h.example/a https://t/ host=i.example", "R307-0504", "h.example" },
    { "a https://t/", "R307-0130", "/a" },
    { "~^/( https://t/", "R307-0120", "offset" },
    { "~^/(.*) https://$1/", "R307-0510", "https://$1/" },
    { "/a https://t/ expr=true", "R307-0215", "expr=true" },
    { "/a https://t/ 1=1 2=2 3=3 4=4 5=5 6=6 7=7 8=8 9=9 10=10 11=11 12=12 "
      "13=13 14=14 15=15 16=16 17=17 18=18 19=19 20=20 21=21 22=22 23=23 "
      "24=24 25=25 26=26 27=27 28=28 29=29 30=30 31=31 32=32 33=33",
      "R307-0503", "32" }
};

static void test_bad_lines(void)
{
    r307_table_report_t report;
    r307_table_t *table;
    r307_table_spec_t spec;
    r307_error_t err = { tap_pool, NULL };
    char *text;
    unsigned i;

    for (i = 0; i < TABLE(bad_lines); i++) {
        const char *place;
        spec = spec_of(apr_pstrcat(tap_pool, "# one\n", bad_lines[i].line,
                                   "\n/b https://t/\n", NULL));
        r307_table_compile_memory(&spec, tap_pool, &table, &report, &err);
        place = apr_pstrcat(tap_pool, spec.path, ":2: ", NULL);
        ok(report.nerrors == 1
           && strncmp(report.errors[0], place, strlen(place)) == 0,
           "the place of a bad line");
        is_error(report.nerrors ? report.errors[0] + strlen(place) : NULL,
                 bad_lines[i].id, bad_lines[i].value, "bad line");
        is_error(err.text, "R307-0516", "1 bad line", "the file");
    }
    for (text = apr_pstrdup(tap_pool, ""), i = 0; i < 25; i++) {
        text = apr_pstrcat(tap_pool, text, "bad\n", NULL);
    }
    spec = spec_of(text);
    r307_table_compile_memory(&spec, tap_pool, &table, &report, &err);
    ok(report.bad_lines == 25 && report.nerrors == 10,
       "25 bad lines are counted, ten are told");
    text = apr_palloc(tap_pool, 70002);
    memset(text, 'a', 70000);
    memcpy(text + 70000, "\n", 2);
    spec = spec_of(text);
    r307_table_compile_memory(&spec, tap_pool, &table, &report, &err);
    ok(report.nerrors == 1 && strstr(report.errors[0], ":1: R307-0511: "),
       "a line over its ceiling: %s", report.errors[0]);
    spec.path = put("rules", "/a\0b https://t/\n/b https://t/\n/c x\0", 35);
    r307_table_compile_memory(&spec, tap_pool, &table, &report, &err);
    ok(report.nerrors == 2 && strstr(report.errors[0], ":1: R307-0512: ")
       && strstr(report.errors[1], ":3: R307-0512: "), "NUL bytes: %s",
       report.nerrors ? report.errors[0] : "not seen");
    spec.size_max = 10;
    r307_table_compile_memory(&spec, tap_pool, &table, &report, &err);
    is_error(err.text, "R307-0514", "35", "too large");
    spec.size_max = 0;
    spec.path = dir;
    r307_table_compile_memory(&spec, tap_pool, &table, &report, &err);
    is_error(err.text, "R307-0513", dir, "not a regular file");
    spec.path = path_of("nosuch");
    r307_table_compile_memory(&spec, tap_pool, &table, &report, &err);
    is_error(err.text, "R307-0513", "nosuch", "a missing source");
}

/* Refused with a reason that holds `why`; "" for any reason. */
static int refused(const r307_table_spec_t *spec, const void *data,
                   apr_size_t len, int verify, const char *why)
{
    r307_error_t err;
    const char *file = put("damaged", data, len);

    return !open_file(file, spec, verify, &err) && err.text
           && strstr(err.text, why) && strncmp(err.text, "R307-052", 8) == 0;
}

static void test_damage(void)
{
    r307_table_spec_t spec = spec_of(rules);
    r307_table_report_t report;
    r307_error_t err = { tap_pool, NULL };
    const char *file = path_of("table"), *text = rules;
    static char good[1 << 18], bad[1 << 18];
    apr_size_t len, i;
    int all = 1;
    FILE *f;

    for (i = 0; i < 1000; i++) {
        text = i ? text : apr_pstrcat(tap_pool, rules, "\n", NULL);
    }
    for (i = 0; i < 800; i++) {
        static char more[65536];
        apr_size_t n = strlen(more);
        apr_snprintf(more + n, sizeof more - n, "/more/%d https://t/%d\n",
                     (int)i, (int)i);
        if (i == 799) {
            text = apr_pstrcat(tap_pool, text, more, NULL);
        }
    }
    spec = spec_of(text);
    r307_table_compile(&spec, file, tap_pool, &report, &err);
    f = fopen(file, "rb");
    len = f ? fread(good, 1, sizeof good, f) : 0;
    if (f) {
        fclose(f);
    }
    ok(len > 16384 && len < sizeof good, "a table of %lu bytes",
       (unsigned long)len);
    for (i = 0; i < sizeof(r307_table_header_t); i++) {
        memcpy(bad, good, len);
        bad[i] ^= 0x41;
        all &= refused(&spec, bad, len, 0, "");
    }
    ok(all, "every byte of the header flipped is refused");
    for (i = 4096, all = 1; i < len; i += 4096) {
        all &= refused(&spec, good, i, 0, "truncated");
    }
    ok(all, "every truncation is refused");
    for (i = sizeof(r307_table_header_t), all = 1; i < len; i += 97) {
        memcpy(bad, good, len);
        bad[i] ^= 0x10;
        all &= refused(&spec, bad, len, 1, "checksum")
               || refused(&spec, bad, len, 1, "");
    }
    ok(all, "payload bytes flipped are refused when verified");
    ok(refused(&spec, "", 0, 0, "too short"), "zero length");
    ok(refused(&spec, good, sizeof(r307_table_header_t) - 1, 0, "too short"),
       "less than a header");
    memcpy(bad, good, len);
    memcpy(bad, "GARBAGE!", 8);
    ok(refused(&spec, bad, len, 0, "not a table"), "another file");
    memcpy(bad, good, len);
    ((r307_table_header_t *)bad)->version++;
    ok(refused(&spec, bad, len, 0, "another version"), "another version");
    memcpy(bad, good, len);
    ((r307_table_header_t *)bad)->byte_order = 0x04030201;
    ok(refused(&spec, bad, len, 0, "byte order"), "another byte order");
    srand(307);
    for (i = 0; i < len; i++) {
        bad[i] = (char)rand();
    }
    ok(refused(&spec, bad, len, 0, "not a table"), "random bytes");
    put("rules2", "", 0);
    ok(r307_table_open(path_of("missing"), &spec, 0, tap_pool,
                       &(r307_table_t *){ NULL }, &err) != APR_SUCCESS
       && strncmp(err.text, "R307-0522", 9) == 0, "no file");
}

/* Not verified and damaged: whatever it answers, it stays in its bounds. */
static void test_survival(void)
{
    r307_table_spec_t spec = spec_of(rules);
    r307_table_report_t report;
    r307_error_t err = { tap_pool, NULL };
    const char *file = path_of("table");
    static char good[1 << 16], bad[1 << 16];
    apr_size_t len, i;
    unsigned asked = 0, n;
    FILE *f;

    r307_table_compile(&spec, file, tap_pool, &report, &err);
    f = fopen(file, "rb");
    len = f ? fread(good, 1, sizeof good, f) : 0;
    if (f) {
        fclose(f);
    }
    for (i = sizeof(r307_table_header_t); i < len; i++) {
        r307_table_t *table;
        memcpy(bad, good, len);
        bad[i] ^= (char)(1 + i % 255);
        table = open_file(put("damaged", bad, len), &spec, 0, &err);
        for (n = 0; table && n < TABLE(asks); n++) {
            asked += *ask(table, asks[n].host, asks[n].path) != '\0';
        }
    }
    ok(asked > 1000, "%u questions to damaged tables were answered", asked);
}

static void test_write_failures(void)
{
    r307_table_spec_t spec = spec_of(rules);
    r307_table_report_t report;
    r307_error_t err = { tap_pool, NULL };

    r307_table_compile(&spec, path_of("no/such/dir"), tap_pool, &report,
                       &err);
    is_error(err.text, "R307-0520", "no/such/dir", "nowhere to write");
    err.text = NULL;
    r307_table_compile(&spec, "/dev/full/x", tap_pool, &report, &err);
    is_error(err.text, "R307-0520", "/dev/full/x", "no directory");
}

int main(void)
{
    char template[] = "/tmp/r307-table-XXXXXX";

    tap_begin();
    dir = mkdtemp(template);
    test_good();
    test_settings();
    test_bad_lines();
    test_damage();
    test_survival();
    test_write_failures();
    if (system(apr_pstrcat(tap_pool, "rm -rf ", dir, NULL)) != 0) {
        ok(0, "cleaned up");
    }
    return tap_end();
}
