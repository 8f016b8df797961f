/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The status page as HTML: what its parts share, and the parts. Everything is
 * there without the script, which adds sorting, filtering and explaining
 * without a reload. Attributes that hold text have double quotes. Strings
 * that come back live in the request's pool.
 */
#ifndef M307_HTML_H
#define M307_HTML_H

#include "httpd/m307_status.h"

/* ---- m307_html.c: small pieces ---- */

/* Escaped, for text and for attributes in double quotes. NULL is "". */
const char *m307_html_text(request_rec *r, const char *s);

/* "3 min ago", with the time itself in the title. seconds: since 1970; 0 is
 * never. */
const char *m307_html_ago(request_rec *r, apr_uint32_t seconds);

/* 1,234,567 */
const char *m307_html_grouped(apr_pool_t *pool, apr_uint64_t n);

/* text is not escaped. */
void m307_html_tag(request_rec *r, const char *class, const char *text);

/* heads ends with NULL; one that begins with '#' is a column of numbers. */
void m307_html_open_table(request_rec *r, const char *id,
                          const char *const *heads);
void m307_html_close_table(request_rec *r);

/* A cell, name being its column's, that is sorted as a number. */
void m307_html_number_cell(request_rec *r, const char *name, apr_uint64_t n);
void m307_html_time_cell(request_rec *r, const char *name,
                         apr_uint32_t seconds);

/* ---- m307_htmlrules.c ---- */

void m307_htmlrules_put(const m307_view_t *view);

/* Rules of .htaccess and rule files: without slots of their own. */
void m307_htmlrules_put_loose(const m307_view_t *view);

/* ---- m307_htmltables.c ---- */

void m307_htmltables_put(request_rec *r);
void m307_htmltables_put_stores(request_rec *r);
void m307_htmltables_put_sites(request_rec *r);

#endif
