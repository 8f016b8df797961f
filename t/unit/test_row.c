/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* Rows as lines of a rule file: what a line says, what no line can say, that
 * no value of a row gets out of its place; and lines as rows. */
#include "tap.h"

#include "core/r307_block.h"
#include "core/r307_row.h"

/* Columns and the line, or the id of the error and what it names. */
static const struct {
    r307_row_t row;
    const char *want, *value;
} rows[] = {
    { { "", "prefix", "/a", "https://h/", "" }, "/a https://h/", NULL },
    { { NULL, "prefix", "/a", "https://h/", NULL }, "/a https://h/", NULL },
    { { "", "exact", "/a", "/b", "query=drop" }, "/a /b exact query=drop",
      NULL },
    { { "h.example", "prefix", "/a", "/b", "" }, "h.example/a /b", NULL },
    { { "*.example", "exact", "/a", "-", "" }, "*.example/a - exact", NULL },
    { { "", "regex", "^/(.*)$", "/b/$1", "" }, "~^/(.*)$ /b/$1", NULL },
    { { "h.example", "regex", "^/", "/b", "name=x" },
      "~^/ /b host=h.example name=x", NULL },
    { { "a b", "regex", "^/", "/b", "" }, "~^/ /b \"host=a b\"", NULL },
    { { "", "prefix", "/a b", "/c d", "" }, "\"/a b\" \"/c d\"", NULL },
    { { "", "prefix", "/a \"b\\", "/c", "" }, "\"/a \\\"b\\\\\" /c", NULL },
    { { "", "prefix", "/a\"b", "/c", "" }, "/a\"b /c", NULL },
    { { "", "regex", "^/a b", "\"x", "" }, "\"~^/a b\" \"\\\"x\"", NULL },
    { { "", "prefix", "/a", "#b", "" }, "/a \"#b\"", NULL },
    { { "", "prefix", "/a", "geo", "DE=/de default=-" },
      "/a geo DE=/de default=-", NULL },
    { { "", "prefix", "/caf\xc3\xa9", "/b", "" }, "/caf\xc3\xa9 /b", NULL },
    { { "", "prefix", "/a", "/b", "\"expr=%{QUERY_STRING} =~ / #/\"" },
      "/a /b \"expr=%{QUERY_STRING} =~ / #/\"", NULL },
    { { "", "prefix", "/a", "/b", "query=#" }, "/a /b query=#", NULL },

    { { "", "prefix", "/a\nb", "/c", "" }, "R307-0550", "/a\\x0ab" },
    { { "", "prefix", "/a", "/c\r", "" }, "R307-0550", "target" },
    { { "", "prefix", "/a", "/c", "x\t" }, "R307-0550", "options" },
    { { "\x01", "prefix", "/a", "/c", "" }, "R307-0550", "host" },
    { { "", "prefix\n", "/a", "/c", "" }, "R307-0550", "kind" },
    { { "", "prefix", "/a\x7f", "/c", "" }, "R307-0550", "path" },
    { { "", "prefix", "", "/c", "" }, "R307-0551", "path" },
    { { "", "prefix", NULL, "/c", "" }, "R307-0551", "path" },
    { { "", "regex", "^/", "", "" }, "R307-0551", "target" },
    { { "", "", "/a", "/c", "" }, "R307-0552", "''" },
    { { "", "Prefix", "/a", "/c", "" }, "R307-0552", "Prefix" },
    { { "", "section", "/a", "/c", "" }, "R307-0552", "section" },
    { { "", "prefix", "a", "/c", "" }, "R307-0553", "'a'" },
    { { "", "exact", "~^/a", "/c", "" }, "R307-0553", "~^/a" },
    { { "", "prefix", "# /a", "/c", "" }, "R307-0553", "# /a" },
    { { "h.example", "prefix", "b/c", "/d", "" }, "R307-0553", "b/c" },
    { { "h.example", "prefix", "/a://b", "/c", "" }, "R307-0554",
      "h.example" },
    { { "~h", "prefix", "/a", "/c", "" }, "R307-0554", "~h" },
    { { "a/b", "prefix", "/a", "/c", "" }, "R307-0110", "a/b" },
    { { "a b", "prefix", "/a", "/c", "" }, "R307-0110", "a b" },
    { { "\"a", "prefix", "/a", "/c", "" }, "R307-0110", "\"a" },
    { { "a:80", "prefix", "/a", "/c", "" }, "R307-0111", "a:80" },
    { { "", "prefix", "/a", "/c", "#" }, "R307-0555", "#" },
    { { "", "prefix", "/a", "/c", "query=drop #x from=2026-01-01T00:00:00Z" },
      "R307-0555", "#x" },
    { { "", "prefix", "/a", "/c", "\"# x\"" }, "R307-0555", "# x" }
};

static void test_rows(void)
{
    unsigned i;

    for (i = 0; i < TABLE(rows); i++) {
        r307_error_t err = { tap_pool, NULL };
        const char *line = r307_row_line(&rows[i].row, tap_pool, &err);

        if (rows[i].value) {
            is_error(line ? NULL : err.text, rows[i].want, rows[i].value,
                     "row");
        }
        else {
            is(line, rows[i].want, "'%s' as a line", rows[i].want);
        }
    }
}

static void test_length(void)
{
    r307_row_t row = { "", "prefix", "/a", "/b", NULL };
    r307_error_t err = { tap_pool, NULL };
    apr_size_t room = R307_RULEFILE_LINE_MAX - strlen("/a /b ");
    char *options = apr_palloc(tap_pool, room + 2);

    memset(options, 'x', room + 1);
    options[room] = options[room + 1] = '\0';
    row.options = options;
    ok(r307_row_line(&row, tap_pool, &err) != NULL, "65535 bytes are taken");
    options[room] = 'x';
    ok(!r307_row_line(&row, tap_pool, &err), "65536 bytes are not");
    is_error(err.text, "R307-0556", "65535", "long row");
}

/* A line, and its row: host|kind|path|target|options|from|until. */
static const struct {
    const char *line, *want;
} lines[] = {
    { "/a https://h/", "|prefix|/a|https://h/|||" },
    { "h.example/a /b exact", "h.example|exact|/a|/b|||" },
    { "*.H.example/a /b", "*.h.example|prefix|/a|/b|||" },
    { "\"~^/a b\" /c name=x # comment", "|regex|^/a b|/c|name=x||" },
    { "~^/a /c host=h.example", "|regex|^/a|/c|host=h.example||" },
    { "~^/a /c exact", "|regex|^/a|/c|exact||" },
    { "/a geo DE=/de default=- methods=GET",
      "|prefix|/a|geo|DE=/de default=- methods=GET||" },
    { "/a /b \"expr=%{X} == \\\"\\\\\\\"\" query=drop",
      "|prefix|/a|/b|\"expr=%{X} == \\\"\\\\\\\"\" query=drop||" },
    { "/a /b from=2026-12-01T09:00:00+01:00 query=drop "
      "until=2027-01-01T00:00:00Z",
      "|prefix|/a|/b|query=drop|2026-12-01T08:00:00Z|2027-01-01T00:00:00Z" },
    { "/a /b from=2026-12-01T09:00:00.5Z",
      "|prefix|/a|/b|from=2026-12-01T09:00:00.5Z||" },
    { "/a /b from=soon", "|prefix|/a|/b|from=soon||" },
    { "/a /b from=1970-01-01T00:00:00+01:00",
      "|prefix|/a|/b|from=1970-01-01T00:00:00+01:00||" },
    { "/a /b until=9999-12-31T23:59:59-01:00",
      "|prefix|/a|/b|until=9999-12-31T23:59:59-01:00||" },
    { "/a /b exact exact", "|exact|/a|/b|exact||" }
};

static void parse(const char *text, r307_line_t *line)
{
    r307_error_t err = { tap_pool, NULL };

    ok(r307_rulefile_parse(apr_pstrdup(tap_pool, text), R307_RULEFILE_RULES,
                           tap_pool, line, &err) == APR_SUCCESS,
       "'%s' is a line", text);
}

/* The columns of a row, and what a view makes of its instants. */
static const char *columns(const char *text, r307_row_t *row,
                           const char **whole)
{
    const char *from, *until;
    r307_line_t line;

    parse(text, &line);
    r307_row_from_line(&line, tap_pool, row, &from, &until);
    *whole = apr_pstrcat(tap_pool, row->options, from ? " from=" : "",
                         from ? from : "", until ? " until=" : "",
                         until ? until : "", NULL);
    return apr_pstrcat(tap_pool, row->host, "|", row->kind, "|", row->path,
                       "|", row->target, "|", row->options, "|",
                       from ? from : "", "|", until ? until : "", NULL);
}

static void test_lines(void)
{
    unsigned i;

    for (i = 0; i < TABLE(lines); i++) {
        const char *whole, *again;
        r307_error_t err = { tap_pool, NULL };
        r307_row_t row, second;

        is(columns(lines[i].line, &row, &whole), lines[i].want, "'%s'",
           lines[i].line);
        row.options = whole;
        again = r307_row_line(&row, tap_pool, &err);
        ok(again != NULL, "and it is a line again");
        is(again ? columns(again, &second, &whole) : NULL, lines[i].want,
           "which is the same row");
    }
}

/* Mistakes of a line are not lost on the way through a row. */
static const struct {
    const char *line, *id;
} mistakes[] = {
    { "/a /b from=2026-01-01T00:00:00Z from=2027-01-01T00:00:00Z",
      "R307-0211" },
    { "/a /b exact exact", "R307-0211" },
    { "/a /b from=2027-01-01T00:00:00Z until=2026-01-01T00:00:00Z",
      "R307-0216" },
    { "~^/a /b exact", "R307-0214" },
    { "/a b", "R307-0101" },
    { "/a #b", "R307-0101" }
};

static void test_mistakes(void)
{
    unsigned i;

    for (i = 0; i < TABLE(mistakes); i++) {
        r307_error_t err = { tap_pool, NULL };
        r307_rule_env_t env = { tap_pool, 0, NULL, NULL };
        r307_line_t line;
        r307_rule_t *rule;
        r307_row_t row;
        const char *whole;

        columns(mistakes[i].line, &row, &whole);
        row.options = whole;
        parse(r307_row_line(&row, tap_pool, &err), &line);
        line.spec.file = "row";
        ok(r307_rule_create_in_file(&env, &line, 0, &rule, &err)
           != APR_SUCCESS, "'%s' is refused", mistakes[i].line);
        is_error(err.text, mistakes[i].id, "", "row");
    }
}

int main(void)
{
    tap_begin();
    test_rows();
    test_length();
    test_lines();
    test_mistakes();
    return tap_end();
}
