/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the words of geo rules and what they choose. Must not know where facts
 * come from. Called by rule and decide.
 */
#include "core/r307_choice.h"

#include "core/r307_language.h"

#include <apr_strings.h>

#include <string.h>

/* Fewer choices are tried one by one. */
#define FILED_FROM 4

static int is_default(const r307_choice_t *choice)
{
    int i;

    for (i = 0; i < choice->selectors->nelts; i++) {
        if (APR_ARRAY_IDX(choice->selectors, i, r307_selector_t).kind
            == R307_SELECT_DEFAULT) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t parse_one(apr_pool_t *pool, const char *word,
                              const r307_target_syntax_t *syntax, int number,
                              r307_choice_t *out, r307_error_t *err)
{
    apr_size_t len = strcspn(word, "=");
    apr_array_header_t *selectors;
    r307_target_t *target;
    apr_status_t rv = r307_selector_parse_list(pool, word, len, &selectors,
                                               err);

    if (rv == APR_SUCCESS) {
        rv = r307_target_parse(pool, word[len] ? word + len + 1 : "", syntax,
                               &target, err);
    }
    if (rv == APR_SUCCESS) {
        out->selectors = selectors;
        target->choice = number;
        out->target = target;
        out->written = apr_pstrmemdup(pool, word, len);
    }
    return rv;
}

/* The pointer by which that tag is known in the rule. */
static const char *only_one(apr_array_header_t *tags, const char *tag)
{
    int i;

    for (i = 0; i < tags->nelts; i++) {
        if (strcasecmp(APR_ARRAY_IDX(tags, i, const char *), tag) == 0) {
            return APR_ARRAY_IDX(tags, i, const char *);
        }
    }
    return APR_ARRAY_PUSH(tags, const char *) = tag;
}

static void gather_languages(apr_pool_t *pool, r307_choice_t *at,
                             r307_choices_t *choices)
{
    apr_array_header_t *tags = apr_array_make(pool, 4, sizeof(const char *));
    int i, k;

    for (i = 0; i < choices->n; i++) {
        const apr_array_header_t *list = choices->at[i].selectors;
        for (k = 0; k < list->nelts; k++) {
            r307_selector_t *s = &APR_ARRAY_IDX(list, k, r307_selector_t);
            if (s->kind == R307_SELECT_LANGUAGE) {
                s->language = only_one(tags, s->language);
            }
            if (list->nelts == 1) {
                at[i].only_country = s->country;
                at[i].only_language = s->language;
            }
        }
    }
    choices->languages = (const char *const *)tags->elts;
    choices->nlanguages = tags->nelts;
}

static int needs_country_only(const r307_choices_t *choices)
{
    int i, k;

    for (i = 0; i < choices->n; i++) {
        const apr_array_header_t *list = choices->at[i].selectors;
        for (k = 0; k < list->nelts; k++) {
            switch (APR_ARRAY_IDX(list, k, r307_selector_t).kind) {
            case R307_SELECT_REGION:
            case R307_SELECT_CONTINENT: /* a source may say another one */
            case R307_SELECT_LANGUAGE:
                return 0;
            default:
                break;
            }
        }
    }
    return choices->n < 256;
}

/* So that a rule of many countries costs no more than one of few. */
static void file_by_country(apr_pool_t *pool, r307_choices_t *choices)
{
    unsigned char *first = apr_palloc(pool, R307_COUNTRIES_MAX);
    r307_facts_t facts;
    unsigned number;

    memset(&facts, 0, sizeof facts);
    for (number = 0; (facts.country = r307_country_at(number)) != NULL;
         number++) {
        int i = 0;
        while (i < choices->n
               && !r307_choice_holds(&choices->at[i], &facts, NULL, 0)) {
            i++;
        }
        first[number] = (unsigned char)i;
    }
    choices->by_country = first;
}

apr_status_t r307_choice_parse(apr_pool_t *pool, int nwords,
                               const char *const *words,
                               const r307_target_syntax_t *syntax,
                               const r307_choices_t **out, r307_error_t *err)
{
    r307_choices_t *choices = apr_pcalloc(pool, sizeof *choices);
    r307_choice_t *at = apr_pcalloc(pool, ((apr_size_t)nwords + 1)
                                    * sizeof *at);
    int i;

    if (nwords == 0 || nwords > R307_CHOICES_MAX) {
        return r307_error_set(err, "R307-0745: a geo rule has %d choices; "
                              "write 1 to %d of the form selector=target, "
                              "such as DE,AT=https://de.example/", nwords,
                              R307_CHOICES_MAX);
    }
    for (i = 0; i < nwords; i++) {
        apr_status_t rv = parse_one(pool, words[i], syntax, i,
                                    &at[i], err);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (i && is_default(&at[i - 1])) {
            return r307_error_set(err, "R307-0746: the choice '%s' stands "
                                  "behind 'default', which everybody takes; "
                                  "write default= last",
                                  r307_error_show(err, words[i],
                                                  strlen(words[i])));
        }
        choices->fields |= r307_selector_fields(at[i].selectors);
    }
    choices->at = at;
    choices->n = nwords;
    gather_languages(pool, at, choices);
    if (choices->n >= FILED_FROM && needs_country_only(choices)) {
        file_by_country(pool, choices);
    }
    *out = choices;
    return APR_SUCCESS;
}

const char *r307_choice_preferred(const r307_choices_t *choices,
                                  const r307_facts_t *facts)
{
    int i = r307_language_choose(facts->language, strlen(facts->language),
                                 choices->languages, choices->nlanguages);

    return i < 0 ? NULL : choices->languages[i];
}

int r307_choice_holds_list(const r307_choice_t *choice,
                           const r307_facts_t *facts, const char *language,
                           int plain)
{
    const r307_selector_t *s =
        (const r307_selector_t *)choice->selectors->elts;
    const r307_selector_t *end = s + choice->selectors->nelts;

    for (; s < end; s++) {
        if (r307_selector_holds(s, facts, language)
            && !(plain && (s->kind == R307_SELECT_DEFAULT
                           || s->kind == R307_SELECT_UNKNOWN))) {
            return 1;
        }
    }
    return 0;
}
