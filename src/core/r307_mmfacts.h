/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * What the values of a MaxMind DB record say of a visitor.
 */
#ifndef R307_MMFACTS_H
#define R307_MMFACTS_H

#include "core/r307_facts.h"
#include "core/r307_mmrecord.h"

#include <apr_pools.h>

/* Bytes of the name of a city; a longer one is not believed. */
#define R307_MMFACTS_CITY_MAX 1024

/* The values that tell these fields (R307_FIELD_BIT), as a set of
 * R307_MMRECORD_BIT. */
unsigned r307_mmfacts_slots(unsigned fields);

/*
 * Set those of `fields` (R307_FIELD_BIT) that the values know; the others keep
 * what they are. Only the city is copied to pool. The country is where the
 * address is used; when the record does not tell, where it is registered. A
 * region belongs to the former only. R307_FIELD_LATLONG stands for both halves
 * together; 0,0 is no position. A code that is no code, a name that is not
 * UTF-8 or holds control bytes and a number out of range are not known.
 */
void r307_mmfacts_set(const r307_mmrecord_value_t *values, unsigned fields,
                      r307_facts_t *facts, apr_pool_t *pool);

#endif
