/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * What holds of facts about a visitor, whoever wrote them.
 */
#ifndef FUZZ_FACTS_H
#define FUZZ_FACTS_H

#include "fuzz.h"

#include "core/r307_facts.h"

#include <math.h>

/* Well-formed UTF-8 without C0 and C1 controls and DEL; by the table of RFC
 * 3629 section 4. */
static inline int fuzz_is_clean_utf8(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    while (*s) {
        int more = *s < 0x80 ? 0 : *s < 0xe0 ? 1 : *s < 0xf0 ? 2 : 3;

        if (*s < 0x20 || *s == 0x7f || (*s >= 0x80 && *s < 0xc2)
            || *s > 0xf4 || (s[0] == 0xc2 && s[1] < 0xa0)
            || (s[0] == 0xe0 && s[1] < 0xa0)
            || (s[0] == 0xed && s[1] > 0x9f)
            || (s[0] == 0xf0 && s[1] < 0x90)
            || (s[0] == 0xf4 && s[1] > 0x8f)) {
            return 0;
        }
        for (s++; more; more--, s++) {
            if (*s < 0x80 || *s > 0xbf) {
                return 0;
            }
        }
    }
    return 1;
}

static inline void fuzz_check_region(const r307_facts_t *facts)
{
    const char *s = facts->region;
    apr_size_t len = strnlen(s, sizeof facts->region);

    if (len) {
        FUZZ_HOLDS(len >= 4 && len <= 6 && s[2] == '-' && facts->country);
        FUZZ_HOLDS(strncmp(s, facts->country->code, 2) == 0);
        FUZZ_HOLDS(strspn(s + 3, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
                   == len - 3);
    }
}

static inline void fuzz_check_position(const r307_facts_t *facts)
{
    unsigned known = facts->known_position;

    FUZZ_HOLDS(known <= 3);
    if (known & 1) {
        FUZZ_HOLDS(isfinite(facts->latitude)
                   && fabs(facts->latitude) <= 90);
    }
    if (known & 2) {
        FUZZ_HOLDS(isfinite(facts->longitude)
                   && fabs(facts->longitude) <= 180);
    }
    FUZZ_HOLDS(known != 3 || facts->latitude != 0 || facts->longitude != 0);
}

static inline void fuzz_check_facts(const r307_facts_t *facts)
{
    const r307_country_t *country = facts->country;

    FUZZ_HOLDS(!facts->tor || (!country && !facts->region[0]));
    FUZZ_HOLDS(!country || r307_country_find(country->code) == country);
    FUZZ_HOLDS(facts->continent == R307_CONTINENT_NONE
               || r307_continent_code(facts->continent));
    FUZZ_HOLDS(!facts->city || (*facts->city
                                && fuzz_is_clean_utf8(facts->city)));
    FUZZ_HOLDS(!facts->language || *facts->language);
    fuzz_check_region(facts);
    fuzz_check_position(facts);
}

#endif
