/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the table of bytes by URI component. Knows nothing of requests or
 * rules. Called by path, target and location.
 */
#include "core/r307_encode.h"

#define P R307_IN_PATH
#define Q R307_IN_QUERY
#define V R307_IN_QUERY_VALUE
#define F R307_IN_FRAGMENT
#define ALL (P | Q | V | F)
#define U (ALL | R307_UNRESERVED)

static const unsigned char legal[256] = {
    ['!'] = ALL, ['$'] = ALL, ['\''] = ALL, ['('] = ALL, [')'] = ALL,
    ['*'] = ALL, [','] = ALL, ['='] = ALL, [':'] = ALL, ['@'] = ALL,
    ['/'] = ALL,
    ['&'] = P | Q | F, ['+'] = P | Q | F, [';'] = P | Q | F,
    ['?'] = Q | V | F,
    ['-'] = U, ['.'] = U, ['_'] = U, ['~'] = U,
    ['0'] = U, ['1'] = U, ['2'] = U, ['3'] = U, ['4'] = U,
    ['5'] = U, ['6'] = U, ['7'] = U, ['8'] = U, ['9'] = U,
    ['A'] = U, ['B'] = U, ['C'] = U, ['D'] = U, ['E'] = U, ['F'] = U,
    ['G'] = U, ['H'] = U, ['I'] = U, ['J'] = U, ['K'] = U, ['L'] = U,
    ['M'] = U, ['N'] = U, ['O'] = U, ['P'] = U, ['Q'] = U, ['R'] = U,
    ['S'] = U, ['T'] = U, ['U'] = U, ['V'] = U, ['W'] = U, ['X'] = U,
    ['Y'] = U, ['Z'] = U,
    ['a'] = U, ['b'] = U, ['c'] = U, ['d'] = U, ['e'] = U, ['f'] = U,
    ['g'] = U, ['h'] = U, ['i'] = U, ['j'] = U, ['k'] = U, ['l'] = U,
    ['m'] = U, ['n'] = U, ['o'] = U, ['p'] = U, ['q'] = U, ['r'] = U,
    ['s'] = U, ['t'] = U, ['u'] = U, ['v'] = U, ['w'] = U, ['x'] = U,
    ['y'] = U, ['z'] = U
};

static int hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int r307_encode_legal(unsigned char c, r307_component_t in)
{
    return (legal[c] & in) != 0;
}

int r307_encode_is_octet(const char *s, apr_size_t len)
{
    return len >= 3 && s[0] == '%' && hex_value((unsigned char)s[1]) >= 0
           && hex_value((unsigned char)s[2]) >= 0;
}

unsigned char r307_encode_octet(const char *s)
{
    return (unsigned char)(hex_value((unsigned char)s[1]) << 4
                           | hex_value((unsigned char)s[2]));
}

static void add_octet(r307_buf_t *buf, unsigned char c)
{
    static const char hex[] = "0123456789ABCDEF";
    char octet[3];

    octet[0] = '%';
    octet[1] = hex[c >> 4];
    octet[2] = hex[c & 15];
    r307_buf_add(buf, octet, sizeof octet);
}

/* Length of what may stand as it is. */
static inline apr_size_t legal_run(const char *s, const char *end,
                                   r307_component_t in)
{
    const unsigned char *p = (const unsigned char *)s;
    const unsigned char *stop = (const unsigned char *)end;

    /* four at a time: a redirect spends much of its time here */
    while (stop - p >= 4
           && (legal[p[0]] & legal[p[1]] & legal[p[2]] & legal[p[3]] & in)) {
        p += 4;
    }
    while (p < stop && (legal[*p] & in)) {
        p++;
    }
    return (apr_size_t)((const char *)p - s);
}

static void encode_rest(r307_buf_t *buf, const char *s, const char *end,
                        r307_component_t in, int octets_stay)
{
    while (s < end) {
        apr_size_t n = legal_run(s, end, in);

        if (n == 0 && octets_stay
            && r307_encode_is_octet(s, (apr_size_t)(end - s))) {
            n = 3;
        }
        if (n) {
            r307_buf_add(buf, s, n);
            s += n;
        }
        else {
            add_octet(buf, (unsigned char)*s++);
        }
    }
}

/* Nearly everything is legal from the first byte to the last. */
static inline void encode(r307_buf_t *buf, const char *s, apr_size_t len,
                          r307_component_t in, int octets_stay)
{
    apr_size_t n = legal_run(s, s + len, in);

    r307_buf_add(buf, s, n);
    if (n < len) {
        encode_rest(buf, s + n, s + len, in, octets_stay);
    }
}

void r307_encode_data(r307_buf_t *buf, const char *s, apr_size_t len,
                      r307_component_t in)
{
    encode(buf, s, len, in, 0);
}

void r307_encode_text(r307_buf_t *buf, const char *s, apr_size_t len,
                      r307_component_t in)
{
    encode(buf, s, len, in, 1);
}
