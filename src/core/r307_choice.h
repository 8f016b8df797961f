/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The choices of a geo rule: for whom which target. Immutable once parsed.
 */
#ifndef R307_CHOICE_H
#define R307_CHOICE_H

#include "core/r307_selector.h"
#include "core/r307_target.h"

typedef struct r307_choice_t {
    const apr_array_header_t *selectors;    /* r307_selector_t */
    const r307_target_t *target;
    /* The selector when it is the only one and a country or a language; else
     * NULL. */
    const r307_country_t *only_country;
    const char *only_language;
    const char *written;        /* the selectors */
} r307_choice_t;

/* Choices of one rule: more would be a table. */
#define R307_CHOICES_MAX 256

typedef struct r307_choices_t {
    const r307_choice_t *at;    /* in written order */
    int n;
    unsigned fields;            /* bits of what the selectors look at */
    const char *const *languages;   /* the tags of all lang: selectors */
    int nlanguages;
    /* By r307_country_number(): the first choice that holds there, n for none.
     * NULL when more than the country decides. */
    const unsigned char *by_country;
} r307_choices_t;

/*
 * Words "SELECTOR[,SELECTOR...]=TARGET" of one rule. APR_EINVAL with a
 * sentence in err: no word, too many, a bad selector or target (R307-0740 and
 * following, or what r307_target_parse() says), a choice that can never be
 * reached because it stands behind `default`.
 */
apr_status_t r307_choice_parse(apr_pool_t *pool, int nwords,
                               const char *const *words,
                               const r307_target_syntax_t *syntax,
                               const r307_choices_t **out, r307_error_t *err);

/* Where to begin: no choice before that one holds. plain: see below. */
static inline const r307_choice_t *r307_choice_first(
    const r307_choices_t *choices, const r307_facts_t *facts, int plain)
{
    return choices->by_country && facts->country && !plain
        ? choices->at
          + choices->by_country[r307_country_number(facts->country)]
        : choices->at;
}

/* r307_choice_language() for a rule with languages. */
const char *r307_choice_preferred(const r307_choices_t *choices,
                                  const r307_facts_t *facts);

/* The tag of the rule's that the visitor prefers, or NULL. */
static inline const char *r307_choice_language(const r307_choices_t *choices,
                                               const r307_facts_t *facts)
{
    return choices->nlanguages && facts->language
        ? r307_choice_preferred(choices, facts) : NULL;
}

/* r307_choice_holds() for any list of selectors. */
int r307_choice_holds_list(const r307_choice_t *choice,
                           const r307_facts_t *facts, const char *language,
                           int plain);

/* Does one of the choice's selectors hold? language: see above. plain: do not
 * count `default` and `unknown`, which hold whatever the visitor says. Mostly
 * it is one word, which needs no call. */
static inline int r307_choice_holds(const r307_choice_t *choice,
                                    const r307_facts_t *facts,
                                    const char *language, int plain)
{
    return choice->only_country ? choice->only_country == facts->country
        : choice->only_language ? choice->only_language == language
        : r307_choice_holds_list(choice, facts, language, plain);
}

#endif
