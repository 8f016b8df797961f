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

const r307_country_t *r307_country_find(const char *code)
{
    unsigned first, second, row;

    if (!code || (first = letter(code[0])) >= LETTERS
        || (second = letter(code[1])) >= LETTERS || code[2]) {
        return NULL;
    }
    row = by_code[first][second];
    return row ? &countries[row - 1] : NULL;
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
