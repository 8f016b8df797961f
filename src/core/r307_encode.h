/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Percent-encoding by URI component (RFC 3986 section 2 and appendix A).
 * The one place that says which byte may stand where in a Location.
 */
#ifndef R307_ENCODE_H
#define R307_ENCODE_H

#include "core/r307_buf.h"

typedef enum r307_component_t {
    /* segments and '/': pchar / "/" */
    R307_IN_PATH = 1,
    /* a whole query: pchar / "/" / "?" */
    R307_IN_QUERY = 2,
    /* a value inside a query: as R307_IN_QUERY less '&', ';' and '+', which
     * servers read as separators and as a space */
    R307_IN_QUERY_VALUE = 4,
    /* pchar / "/" / "?" */
    R307_IN_FRAGMENT = 8,
    /* RFC 3986 section 2.3: the bytes whose encoded form means the same */
    R307_UNRESERVED = 16
} r307_component_t;

/* May the byte stand unencoded in that component? '%' never does. */
int r307_encode_legal(unsigned char c, r307_component_t in);

/* 1 when s begins with a percent-encoded octet ("%" and two hex digits). */
int r307_encode_is_octet(const char *s, apr_size_t len);

/* The octet's value. s must pass r307_encode_is_octet(). */
unsigned char r307_encode_octet(const char *s);

/* Append decoded data: every byte that is not legal there is encoded, '%'
 * too. */
void r307_encode_data(r307_buf_t *buf, const char *s, apr_size_t len,
                      r307_component_t in);

/* Append text that is in encoded form already: octets stay as they are
 * (hex case included), other bytes that are not legal there are encoded. */
void r307_encode_text(r307_buf_t *buf, const char *s, apr_size_t len,
                      r307_component_t in);

#endif
