/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns distances and the decimal form of degrees. Must not know sites or
 * visitors. Called when sites are configured, when geo values are read, and
 * when the nearest site is chosen.
 */
#include "core/r307_position.h"

#include <math.h>
#include <string.h>

#define EARTH_KM 6371.0088      /* the mean radius, (2a + b) / 3 of WGS84 */
#define RADIANS (M_PI / 180.0)

r307_vector_t r307_position_vector(double latitude, double longitude)
{
    double phi = latitude * RADIANS, lambda = longitude * RADIANS;
    r307_vector_t v = { cos(phi) * cos(lambda), cos(phi) * sin(lambda),
                        sin(phi) };

    return v;
}

double r307_position_apart(const r307_vector_t *a, const r307_vector_t *b)
{
    double x = a->x - b->x, y = a->y - b->y, z = a->z - b->z;

    return x * x + y * y + z * z;
}

/* The angle from the chords to the other point and to its antipode: exact for
 * near points, where the cosine says nothing, and for far ones, where the
 * sine does not. */
double r307_position_km(double latitude1, double longitude1,
                        double latitude2, double longitude2)
{
    r307_vector_t a = r307_position_vector(latitude1, longitude1);
    r307_vector_t b = r307_position_vector(latitude2, longitude2);
    r307_vector_t opposite = { -b.x, -b.y, -b.z };

    return EARTH_KM * 2 * atan2(sqrt(r307_position_apart(&a, &b)),
                                sqrt(r307_position_apart(&a, &opposite)));
}

/* Appends the digits at p to the number; returns how many there are. */
static int digits(const char *p, const char *end, double *number)
{
    const char *first = p;

    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        *number = *number * 10 + (*p - '0');
    }
    return p - first;
}

/* Not strtod(): it obeys the locale, and reads "nan" and "0x10". */
apr_status_t r307_position_parse_degrees(const char *text, apr_size_t len,
                                         double max, double *out)
{
    const char *p = text, *end = text + len;
    double number = 0, scale = 1;
    int whole, fraction = 0;

    if (len == 0 || len > R307_POSITION_DEGREES_MAX) {
        return APR_EINVAL;
    }
    p += *p == '-' || *p == '+';
    p += whole = digits(p, end, &number);
    if (p < end && *p == '.') {
        p += 1 + (fraction = digits(p + 1, end, &number));
        whole = fraction ? whole : 0;
    }
    for (; fraction > 0; fraction--) {
        scale *= 10;            /* exact for as many digits as there can be */
    }
    number /= scale;
    if (!whole || p != end || number > max) {
        return APR_EINVAL;
    }
    /* 0 - 0 is 0, where -0 would be a negative zero. */
    *out = *text == '-' ? 0 - number : number;
    return APR_SUCCESS;
}

apr_status_t r307_position_parse(const char *text, double *latitude,
                                 double *longitude)
{
    const char *comma = text ? strchr(text, ',') : NULL;
    double lat, lon;

    if (!comma
        || r307_position_parse_degrees(text, comma - text,
                                       R307_POSITION_LATITUDE_MAX, &lat)
        || r307_position_parse_degrees(comma + 1, strlen(comma + 1),
                                       R307_POSITION_LONGITUDE_MAX, &lon)) {
        return APR_EINVAL;
    }
    *latitude = lat;
    *longitude = lon;
    return APR_SUCCESS;
}
