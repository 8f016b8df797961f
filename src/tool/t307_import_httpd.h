/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * What the files that read httpd's own configuration share. A file is read
 * to its end before anything is made of it, since RewriteEngine and
 * RewriteBase count wherever they stand, and deeper directories come first.
 */
#ifndef T307_IMPORT_HTTPD_H
#define T307_IMPORT_HTTPD_H

#include "tool/t307_import.h"

/* The order in which httpd asks them. */
enum { T307_IMPORT_OWN, T307_IMPORT_REWRITE, T307_IMPORT_ALIAS };

typedef struct t307_import_line_t {
    int line;
    const char *name;           /* of the directive, lower case */
    char *args;
    const char *lost;           /* why it cannot be carried over; NULL: it is
                                 * looked at */
    const apr_array_header_t *conds;    /* of a RewriteRule:
                                         * t307_import_line_t */
} t307_import_line_t;

typedef struct t307_import_place_t {
    const char *file;
    const char *dir;            /* decoded URL-path of the directory, with a
                                 * final slash; NULL: server config */
    apr_array_header_t *lines[3];   /* t307_import_line_t, by what asks them */
    apr_array_header_t *conds;  /* for the next RewriteRule */
    int rewrites;               /* it has directives of mod_rewrite, which
                                 * replace those of the directories above */
    int engine;                 /* RewriteEngine: -1 not said, 0, 1 */
    const char *base;           /* RewriteBase */
    int last_for_urls;          /* the last RewriteRule that could match what
                                 * another one made of a request; -1: none */
    const char *without;        /* regular expression: deeper directories
                                 * that its RewriteRules do not reach; NULL:
                                 * none */
} t307_import_place_t;

/* The next word as httpd reads it; NULL at the end. */
const char *t307_import_httpd_word(apr_pool_t *pool, char **args);

/* The next word as mod_rewrite reads it; it knows no escapes. */
const char *t307_import_httpd_raw_word(char **args);

/* ---- t307_import_alias.c, _pattern.c, _rewrite.c, _cond.c ---- */

void t307_import_alias_add(t307_import_t *im,
                           const t307_import_place_t *place,
                           const t307_import_line_t *line);

/* A directive of this module. */
void t307_import_own_add(t307_import_t *im, const t307_import_place_t *place,
                         const t307_import_line_t *line);

/* Before the first of the place's. */
void t307_import_rewrite_begin(t307_import_t *im,
                               t307_import_place_t *place);

/* RewriteRule i of the place. */
void t307_import_rewrite_add(t307_import_t *im,
                             const t307_import_place_t *place, int i);

/* The pattern of a RewriteRule, which in a directory is matched against what
 * is left of the path, as one for the whole path. whole_match: $0 is used.
 * NULL with *why. */
const char *t307_import_pattern_whole(t307_import_t *im,
                                      const t307_import_place_t *place,
                                      const char *pattern, int nocase,
                                      int whole_match, const char **why);

/* Turn RewriteConds into conditions of the rule. NULL, or why not. */
const char *t307_import_cond_add(t307_import_t *im,
                                 const t307_import_place_t *place,
                                 const apr_array_header_t *conds,
                                 t307_import_rule_t *rule);

/* Read the text of the last of im->places. */
void t307_import_httpd_lines(t307_import_t *im, char *text, apr_size_t len);

/* A regular expression for all paths of the place. */
const char *t307_import_httpd_all(apr_pool_t *pool,
                                  const t307_import_place_t *place);

/* "https://host$1": can what the expression captures there go on with the
 * host's name? whole: the subject begins with a slash. */
int t307_import_httpd_host_grows(const char *regex, const char *target,
                                 int whole);

#endif
