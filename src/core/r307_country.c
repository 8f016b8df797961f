/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the table of countries. Must not know where a code comes from, nor what
 * a provider means by one that is no country. Called by whoever reads geo
 * values and selectors.
 */
#include "core/r307_country.h"
#include "core/r307_country_data.h"

#include <stddef.h>

#define LETTERS 26

static const char continents[][3] = {
    "", "AF", "AN", "AS", "EU", "NA", "OC", "SA"
};

/* 0 for A and a; LETTERS or more for no letter of ASCII, in any locale. */
static unsigned letter(char c)
{
    return ((unsigned char)c | 0x20u) - 'a';
}

const r307_country_t *r307_country_find_two(const char *bytes)
{
    unsigned first = letter(bytes[0]), second = letter(bytes[1]), row;

    if (first >= LETTERS || second >= LETTERS) {
        return NULL;
    }
    row = by_code[first][second];
    return row ? &countries[row - 1] : NULL;
}

const r307_country_t *r307_country_find(const char *code)
{
    return code && code[0] && code[1] && !code[2]
        ? r307_country_find_two(code) : NULL;
}

unsigned r307_country_number(const r307_country_t *country)
{
    return (unsigned)(country - countries);
}

const r307_country_t *r307_country_at(unsigned number)
{
    return number < sizeof countries / sizeof countries[0]
        ? &countries[number] : NULL;
}

r307_continent_t r307_continent_find(const char *code)
{
    unsigned i;

    for (i = R307_CONTINENT_AF; code && i <= R307_CONTINENT_SA; i++) {
        if (letter(code[0]) == letter(continents[i][0])
            && letter(code[1]) == letter(continents[i][1]) && !code[2]) {
            return i;
        }
    }
    return R307_CONTINENT_NONE;
}

const char *r307_continent_code(r307_continent_t continent)
{
    return continent >= R307_CONTINENT_AF && continent <= R307_CONTINENT_SA
        ? continents[continent] : NULL;
}
