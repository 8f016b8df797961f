/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/* Distances against t/data/distances.tsv, and degrees as text. */
#include "tap.h"

#include "core/r307_position.h"

#include <math.h>
#include <stdlib.h>

#define TOLERANCE 0.006         /* a sphere for an ellipsoid */
#define METRE 0.001
#define EQUAL 1e-12             /* degrees: 0.1 micrometres */
#define ENOUGH 200              /* rows of the table */
#define CHOICE_MAX 16           /* rows of one "from" */

typedef struct row_t {
    char from[64], to[64];
    double latitude1, longitude1, latitude2, longitude2, km;
    double apart;
} row_t;

static const struct {
    const char *text;
    double max;
    int good;
    double value;
} numbers[] = {
    { "0", 90, 1, 0 },
    { "-0", 90, 1, 0 },
    { "0.000000", 90, 1, 0 },
    { "42.30680", 90, 1, 42.3068 },
    { "-83.70590", 180, 1, -83.7059 },
    { "-122.083851", 180, 1, -122.083851 },
    { "+8.68", 180, 1, 8.68 },
    { "007.5", 90, 1, 7.5 },
    { "90", 90, 1, 90 },
    { "-90.000", 90, 1, -90 },
    { "-180", 180, 1, -180 },
    { "0.1234567890123456789", 90, 1, 0.12345678901234568 },
    { "00000000000000000000000000000090", 90, 1, 90 },
    { "000000000000000000000000000000090", 90, 0, 0 },
    { "99999999999999999999999999999999", 180, 0, 0 },
    { "90.001", 90, 0, 0 },
    { "-90.001", 90, 0, 0 },
    { "180.0001", 180, 0, 0 },
    { "", 90, 0, 0 },
    { "-", 90, 0, 0 },
    { "+", 90, 0, 0 },
    { ".", 90, 0, 0 },
    { "-.", 90, 0, 0 },
    { ".5", 90, 0, 0 },
    { "5.", 90, 0, 0 },
    { "5.5.5", 90, 0, 0 },
    { "5,5", 90, 0, 0 },
    { "+-5", 90, 0, 0 },
    { "--5", 90, 0, 0 },
    { " 5", 90, 0, 0 },
    { "5 ", 90, 0, 0 },
    { "5\t", 90, 0, 0 },
    { "1e1", 90, 0, 0 },
    { "0x10", 90, 0, 0 },
    { "nan", 90, 0, 0 },
    { "inf", 90, 0, 0 },
    { "-infinity", 90, 0, 0 },
    { "52N", 90, 0, 0 },
    { "\xd9\xa5", 90, 0, 0 },
    { "?", 90, 0, 0 }
};

static const struct {
    const char *text;
    int good;
    double latitude, longitude;
} pairs[] = {
    { "37.386051,-122.083851", 1, 37.386051, -122.083851 },
    { "0.000000,0.000000", 1, 0, 0 },
    { "-90,180", 1, -90, 180 },
    { "90,-180", 1, 90, -180 },
    { "91,0", 0, 0, 0 },
    { "0,181", 0, 0, 0 },
    { "122.083851,37.386051", 0, 0, 0 },
    { "50.1, 8.7", 0, 0, 0 },
    { "50.1 ,8.7", 0, 0, 0 },
    { "50.1,8.7,", 0, 0, 0 },
    { "50.1,8.7, 50.1,8.7", 0, 0, 0 },
    { "50.1,8.7,0", 0, 0, 0 },
    { "50.1;8.7", 0, 0, 0 },
    { "50,1;8,7", 0, 0, 0 },
    { "50.1", 0, 0, 0 },
    { ",8.7", 0, 0, 0 },
    { "50.1,", 0, 0, 0 },
    { ",", 0, 0, 0 },
    { "", 0, 0, 0 },
    { "?,?", 0, 0, 0 },
    { NULL, 0, 0, 0 }
};

static void check_numbers(void)
{
    unsigned i;

    for (i = 0; i < TABLE(numbers); i++) {
        const char *text = numbers[i].text;
        double value = -1234;
        apr_status_t rv = r307_position_parse_degrees(text, strlen(text),
                                                      numbers[i].max, &value);

        if (numbers[i].good) {
            ok(rv == APR_SUCCESS && fabs(value - numbers[i].value) < EQUAL
               && !signbit(value) == (value >= 0), "number '%s'", text);
        }
        else {
            ok(rv == APR_EINVAL && value == -1234, "no number '%s'", text);
        }
    }
}

static void check_pairs(void)
{
    double latitude = 1, longitude = 2;
    unsigned i;

    for (i = 0; i < TABLE(pairs); i++) {
        double lat = -1234, lon = -1234;
        apr_status_t rv = r307_position_parse(pairs[i].text, &lat, &lon);
        int good = pairs[i].good;

        ok(rv == (good ? APR_SUCCESS : APR_EINVAL)
           && lat == (good ? pairs[i].latitude : -1234)
           && lon == (good ? pairs[i].longitude : -1234), "position '%s'",
           pairs[i].text ? pairs[i].text : "(none)");
    }
    ok(r307_position_parse_degrees("12345", 2, 90, &latitude) == APR_SUCCESS
       && latitude == 12, "only the length given is read");
    ok(r307_position_parse_degrees("1\0002", 3, 90, &longitude) == APR_EINVAL
       && longitude == 2, "NUL is no digit");
}

static void check_row(row_t *row)
{
    r307_vector_t from = r307_position_vector(row->latitude1,
                                              row->longitude1);
    r307_vector_t to = r307_position_vector(row->latitude2, row->longitude2);
    double km = r307_position_km(row->latitude1, row->longitude1,
                                 row->latitude2, row->longitude2);
    double back = r307_position_km(row->latitude2, row->longitude2,
                                   row->latitude1, row->longitude1);

    row->apart = r307_position_apart(&from, &to);
    ok(fabs(km - row->km) <= row->km * TOLERANCE + METRE,
       "%s to %s: %.3f km, on the ellipsoid %.3f", row->from, row->to, km,
       row->km);
    ok(fabs(km - back) <= METRE, "and back");
    ok(row->apart >= 0 && row->apart <= 4 + 1e-12, "0 to 4");
}

/* The nearest of one place's rows is the same for both, and so is the order
 * of any two that differ by more than both errors together. */
static void check_choice(const row_t *rows, int n)
{
    int i, j, nearest = 0, true_nearest = 0, swapped = 0;

    for (i = 1; i < n; i++) {
        nearest = rows[i].apart < rows[nearest].apart ? i : nearest;
        true_nearest = rows[i].km < rows[true_nearest].km ? i : true_nearest;
        for (j = 0; j < i; j++) {
            double more = rows[i].km - rows[j].km;
            swapped += fabs(more) > 2 * TOLERANCE * rows[i].km + METRE
                && (more > 0) != (rows[i].apart > rows[j].apart);
        }
    }
    is(rows[nearest].to, rows[true_nearest].to, "nearest to %s",
       rows[0].from);
    ok(!swapped, "the order of all %d seen from %s", n, rows[0].from);
}

static int read_row(const char *line, row_t *row)
{
    return sscanf(line, "%63[^\t]\t%lf\t%lf\t%63[^\t]\t%lf\t%lf\t%lf",
                  row->from, &row->latitude1, &row->longitude1, row->to,
                  &row->latitude2, &row->longitude2, &row->km) == 7;
}

/* Returns how many rows were checked. */
static int check_table(FILE *f)
{
    static row_t rows[CHOICE_MAX];
    char line[512];
    int n = 0, checked = 0, header = 0;

    while (fgets(line, sizeof line, f)) {
        row_t row;
        if (*line == '#' || *line == '\n' || !header) {
            header |= strncmp(line, "from\t", 5) == 0;
            continue;
        }
        if (!ok(read_row(line, &row), "row %d has its columns", ++checked)) {
            continue;
        }
        check_row(&row);
        if (n > 0 && (strcmp(row.from, rows[0].from) || n == CHOICE_MAX)) {
            check_choice(rows, n);
            n = 0;
        }
        rows[n++] = row;
    }
    if (n > 0) {
        check_choice(rows, n);
    }
    return checked;
}

int main(void)
{
    const char *dir = getenv("R307_SRCDIR");
    const char *path;
    FILE *f;
    int checked = 0;

    tap_begin();
    path = apr_pstrcat(tap_pool, dir ? dir : ".", "/t/data/distances.tsv",
                       NULL);
    f = fopen(path, "r");
    if (ok(f != NULL, "distances.tsv is there")) {
        checked = check_table(f);
        fclose(f);
    }
    ok(checked >= ENOUGH, "%d rows were checked, %d at least", checked,
       ENOUGH);
    check_pairs();
    check_numbers();
    return tap_end();
}
