/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Languages: which of the tags that a rule names a visitor prefers, by
 * Accept-Language (RFC 9110 section 12.5.4) and the lookup of RFC 4647
 * section 3.4.
 *
 * A range finds the longest tag that it begins with, in whole subtags: of
 * "fr" and "fr-CA", "fr-CA-x-q" finds "fr-CA", "fr-FR" finds "fr", "fr" finds
 * "fr" and never "fr-CA". "*" finds nothing: it means the default.
 *
 * A range with q=0 refuses the tags that it is the beginning of (RFC 4647
 * section 3.3.1): "fr;q=0" refuses "fr" and "fr-CA". If several ranges are
 * the beginning of a tag, the longest speaks for it, so "fr-CA, fr;q=0" takes
 * "fr-CA"; if the same range comes twice, the refusal counts. "*" is the
 * beginning of every tag, and shorter than all others: "fr-CA, *;q=0" takes
 * "fr-CA" and "fr-CA-x-q", and refuses "fr".
 */
#ifndef R307_LANGUAGE_H
#define R307_LANGUAGE_H

#include "core/r307_error.h"

/* What RFC 5646 section 4.4.1 asks to have room for. */
#define R307_LANGUAGE_TAG_MAX 35

/* Browsers send less than 20 ranges; ranges after these are not seen. */
#define R307_LANGUAGE_RANGES_MAX 64

/* Longer values are not looked at: nobody reads that many languages. */
#define R307_LANGUAGE_HEADER_MAX 4096

/*
 * Is that a language tag (RFC 5646 section 2.1, its shape; no registry is
 * asked)? APR_EINVAL with a sentence in err: "*", an empty tag, other bytes
 * than letters, digits and "-", a first subtag that is not 2 to 8 letters, a
 * subtag over 8 bytes, a last one of a single character, more than
 * R307_LANGUAGE_TAG_MAX bytes.
 */
apr_status_t r307_language_tag_check(const char *tag, r307_error_t *err);

/*
 * The index of the tag that the visitor prefers most, -1 for none. header:
 * the value of Accept-Language, raw, several of them joined by commas; may
 * hold any bytes. tags have passed r307_language_tag_check(). Higher q first;
 * with the same q what the header names first. A member that is malformed is
 * passed over, the others count. Allocates nothing.
 */
int r307_language_choose(const char *header, apr_size_t len,
                         const char *const *tags, int ntags);

#endif
