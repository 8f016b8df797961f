/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Places on the globe and how far they are from each other. Sites become
 * vectors when the configuration is read, a visitor once a request; which
 * site is nearest is then arithmetic only.
 */
#ifndef R307_POSITION_H
#define R307_POSITION_H

#include <apr_errno.h>

/* A point of the unit sphere. */
typedef struct r307_vector_t {
    double x, y, z;
} r307_vector_t;

/* More bytes than any number of degrees needs that somebody sends. */
#define R307_POSITION_DEGREES_MAX 32

#define R307_POSITION_LATITUDE_MAX 90.0
#define R307_POSITION_LONGITUDE_MAX 180.0

/* Degrees, north and east positive, in the ranges above. */
r307_vector_t r307_position_vector(double latitude, double longitude);

/*
 * How far two points are apart, only to be compared: the square of the
 * straight line between them, from 0 to 4. It grows with the great-circle
 * distance.
 */
double r307_position_apart(const r307_vector_t *a, const r307_vector_t *b);

/*
 * The great-circle distance in kilometres on a sphere of the Earth's mean
 * radius (6371.0088 km). At most 0.6 % off the distance on the ellipsoid.
 */
double r307_position_km(double latitude1, double longitude1,
                        double latitude2, double longitude2);

/*
 * One number: an optional sign, digits, optionally a point and more digits
 * ("-122.083851"). The point is a point in every locale. APR_EINVAL for
 * everything else (blanks, exponents, "nan", no digit before or behind the
 * point, more than R307_POSITION_DEGREES_MAX bytes) and for a value below
 * -max or above max; *out is untouched then. text needs no NUL.
 */
apr_status_t r307_position_parse_degrees(const char *text, apr_size_t len,
                                         double max, double *out);

/*
 * "LAT,LON", two such numbers and nothing else. Blanks are refused: behind a
 * comma they are how two header fields look that were joined to one. APR_EINVAL
 * as above, also for NULL; *latitude and *longitude are untouched then.
 */
apr_status_t r307_position_parse(const char *text, double *latitude,
                                 double *longitude);

#endif
