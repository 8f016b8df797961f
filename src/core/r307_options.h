/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Rule options: the key=value words at the end of a rule. One table says
 * which exist; directives and rule files read them through it.
 */
#ifndef R307_OPTIONS_H
#define R307_OPTIONS_H

#include "core/r307_rule.h"

/* Is the word an option (known or not) rather than a URL-path or target?
 * True for "key=..." and for the known words without a value. */
int r307_options_is_option(const char *word);

/*
 * Apply the words to the rule. Fails with a sentence for an unknown option,
 * a malformed value (naming the legal ones), an option given twice, and
 * from= that is not before until=.
 */
apr_status_t r307_options_apply(const r307_rule_env_t *env, r307_rule_t *rule,
                                int count, const char *const *words,
                                r307_error_t *err);

#endif
