/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns RewriteCond: from its conditions to an httpd expression, or to
 * methods=. Refuses what an expression sees otherwise than mod_rewrite.
 */
#include "tool/t307_import_httpd.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>
#include <strings.h>

typedef struct cond_t {
    const char *test;
    const char *pattern;
    int nocase, ornext, not;
} cond_t;

/* Variables that are the same in both. */
static const char variables[] =
    "HTTP_USER_AGENT HTTP_REFERER HTTP_COOKIE HTTP_FORWARDED HTTP_HOST "
    "HTTP_PROXY_CONNECTION HTTP_ACCEPT REQUEST_METHOD REQUEST_SCHEME "
    "REQUEST_URI QUERY_STRING THE_REQUEST HTTPS SERVER_NAME SERVER_PORT "
    "SERVER_PROTOCOL REMOTE_ADDR DOCUMENT_ROOT TIME TIME_YEAR TIME_MON "
    "TIME_DAY TIME_HOUR TIME_MIN TIME_SEC TIME_WDAY";

/* "%{NAME}", as an expression has it. *len: its length; NULL when it is
 * another thing there. */
static const char *variable(t307_import_t *im,
                            const t307_import_place_t *place, const char *s,
                            apr_size_t *len)
{
    apr_size_t n = strcspn(s, "}");
    const char *name;

    if (s[n] != '}') {
        return NULL;
    }
    *len = n + 1;
    name = apr_pstrmemdup(im->pool, s + 2, n - 2);
    if (t307_import_is_one_of(name, variables)) {
        return apr_pstrcat(im->pool, "%{", name, "}", NULL);
    }
    if (strcmp(name, "REQUEST_FILENAME") == 0 && place->dir
        && (!im->base || strcmp(im->base, "/") == 0)) {
        return "%{DOCUMENT_ROOT}%{REQUEST_URI}";
    }
    if (strncmp(name, "HTTP:", 5) == 0 && name[5]
        && strspn(name + 5, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
                  "UVWXYZ0123456789-_") == strlen(name + 5)) {
        return apr_pstrcat(im->pool, "%{", name, "}", NULL);
    }
    return NULL;
}

/* The test string: one variable, or text and variables in quotes. */
static const char *test_of(t307_import_t *im,
                           const t307_import_place_t *place, const char *s)
{
    const char *out = "", *text, *only = NULL;
    char one[3] = { '\\', '\0', '\0' };
    apr_size_t len;

    for (; *s; s += len) {
        len = 1;
        if (s[0] == '%' && s[1] == '{') {
            text = variable(im, place, s, &len);
            only = !*out && !s[len] ? text : NULL;
        }
        else if ((*s == '%' || *s == '$') && (apr_isdigit(s[1])
                                              || s[1] == '{')) {
            return NULL;
        }
        else {
            s += *s == '\\' && s[1];
            one[1] = *s;
            text = apr_pstrdup(im->pool, one + !strchr("'\"\\%$", *s));
        }
        if (!text) {
            return NULL;
        }
        out = apr_pstrcat(im->pool, out, text, NULL);
    }
    return only && !strstr(only, "}%") ? only
        : apr_pstrcat(im->pool, "'", out, "'", NULL);
}

/* "-eq5", "-f", "=text" and regular expressions; NULL when there is no
 * counterpart. */
static const char *compare(t307_import_t *im, const cond_t *c,
                           const char *test)
{
    static const char numbers[] = "-eq -ne -lt -le -gt -ge";
    const char *p = c->pattern, *value;
    const char *op = apr_pstrmemdup(im->pool, p, strlen(p) > 3 ? 3 : 0);

    if (t307_import_is_one_of(p, "-f -d -s -h -L -l")) {
        return apr_pstrcat(im->pool, strcmp(p, "-l") == 0 ? "-h" : p, " ",
                           test, NULL);
    }
    if (t307_import_is_one_of(p, "-F -U -x") || *p == '<' || *p == '>') {
        return NULL;
    }
    if (*op == '-' && t307_import_is_one_of(op, numbers)) {
        return strspn(p + 3, "0123456789") == strlen(p + 3)
            ? apr_pstrcat(im->pool, test, " ", op, " ", p + 3, NULL) : NULL;
    }
    if (*p == '=' && p[1]) {
        p = strcmp(p, "=\"\"") == 0 ? p + 3 : p + 1;
        if (c->nocase) {
            value = t307_import_expr_regex(
                im->pool, apr_pstrcat(im->pool, "^", t307_import_quote_regex(
                                          im->pool, p, strlen(p)), "$",
                                      NULL), 1);
            return value ? apr_pstrcat(im->pool, test, " =~ ", value, NULL)
                : NULL;
        }
        value = t307_import_quote_expr(im->pool, p);
        return value ? apr_pstrcat(im->pool, test, " == ", value, NULL)
            : NULL;
    }
    value = t307_import_expr_regex(im->pool, p, c->nocase);
    return value ? apr_pstrcat(im->pool, test, " =~ ", value, NULL) : NULL;
}

static const char *expr_of(t307_import_t *im,
                           const t307_import_place_t *place, const cond_t *c)
{
    const char *test, *expr;

    if (strcasecmp(c->test, "expr") == 0) {
        expr = c->pattern;
    }
    else {
        test = test_of(im, place, c->test);
        expr = test ? compare(im, c, test) : NULL;
    }
    return !expr ? NULL
        : apr_pstrcat(im->pool, c->not ? "!(" : "(", expr, ")", NULL);
}

/* "^POST$", "^(POST|PUT)$" or "=POST" as methods=, NULL for others. GET and
 * HEAD are one there and two in mod_rewrite. */
static const char *methods_of(t307_import_t *im, const cond_t *c)
{
    const char *p = c->pattern, *s;
    apr_size_t len = strlen(p);
    char *list, *to;
    int get, head;

    if (strcmp(c->test, "%{REQUEST_METHOD}") != 0 || c->nocase) {
        return NULL;
    }
    if (*p == '=') {
        p++;
        len--;
    }
    else if (*p == '^' && len > 2 && p[len - 1] == '$') {
        p++;
        len -= 2;
        if (*p == '(' && p[len - 1] == ')') {
            p += 1;
            len -= 2;
        }
        else if (memchr(p, '|', len)) {
            return NULL;
        }
    }
    else {
        return NULL;
    }
    list = to = apr_palloc(im->pool, 2 * len + 2);
    for (s = p; s < p + len; s++) {
        if (!apr_isupper(*s) && *s != '|') {
            return NULL;
        }
        if (c->not && (s == p || s[-1] == '|')) {
            *to++ = '!';
        }
        *to++ = *s == '|' ? ',' : *s;
    }
    *to = '\0';
    s = apr_pstrcat(im->pool, ",", list, ",", NULL);
    get = strstr(s, c->not ? ",!GET," : ",GET,") != NULL;
    head = strstr(s, c->not ? ",!HEAD," : ",HEAD,") != NULL;
    return len == 0 || strstr(s, ",,") || (get && !head) ? NULL : list;
}

/* The words of a line. */
static const char *parse(t307_import_t *im, const t307_import_line_t *line,
                         cond_t *c)
{
    char *args = apr_pstrdup(im->pool, line->args), *list, *state, *flag;
    const char *flags;
    apr_size_t len;

    memset(c, 0, sizeof *c);
    c->test = t307_import_httpd_raw_word(&args);
    c->pattern = t307_import_httpd_raw_word(&args);
    flags = t307_import_httpd_raw_word(&args);
    if (!c->pattern || !*c->pattern) {
        return "a RewriteCond has no pattern";
    }
    c->not = *c->pattern == '!';
    c->pattern += c->not;
    len = flags ? strlen(flags) : 0;
    if (!flags) {
        return NULL;
    }
    if (len < 2 || *flags != '[' || flags[len - 1] != ']') {
        return "the flags of a RewriteCond are not in brackets";
    }
    list = apr_pstrmemdup(im->pool, flags + 1, len - 2);
    for (flag = apr_strtok(list, ", ", &state); flag;
         flag = apr_strtok(NULL, ", ", &state)) {
        c->nocase |= !strcasecmp(flag, "NC") || !strcasecmp(flag, "nocase");
        c->ornext |= !strcasecmp(flag, "OR") || !strcasecmp(flag, "ornext");
        if (!strcasecmp(flag, "NC") + !strcasecmp(flag, "nocase")
            + !strcasecmp(flag, "OR") + !strcasecmp(flag, "ornext")
            + !strcasecmp(flag, "NV") + !strcasecmp(flag, "novary") == 0) {
            return "a RewriteCond has a flag that is not known";
        }
    }
    return NULL;
}

const char *t307_import_cond_add(t307_import_t *im,
                                 const t307_import_place_t *place,
                                 const apr_array_header_t *conds,
                                 t307_import_rule_t *rule)
{
    const char *any = NULL, *why, *expr;
    int i, ored = 0;

    for (i = 0; i < conds->nelts; i++) {
        const t307_import_line_t *line =
            &APR_ARRAY_IDX(conds, i, t307_import_line_t);
        cond_t c;

        if (strstr(line->args, "${")) {
            return "a RewriteCond has a variable of httpd or a map";
        }
        why = parse(im, line, &c);
        if (why) {
            return why;
        }
        if (!any && !c.ornext && !rule->methods
            && (rule->methods = methods_of(im, &c)) != NULL) {
            continue;
        }
        expr = expr_of(im, place, &c);
        if (!expr) {
            return apr_psprintf(im->pool, "the RewriteCond in line %d has no "
                                "counterpart", line->line);
        }
        any = any ? apr_pstrcat(im->pool, any, " || ", expr, NULL) : expr;
        if (c.ornext && i + 1 < conds->nelts) {
            ored = 1;
            continue;
        }
        t307_import_and(im, rule, ored
                        ? apr_pstrcat(im->pool, "(", any, ")", NULL) : any);
        ored = 0;
        any = NULL;
    }
    return NULL;
}
