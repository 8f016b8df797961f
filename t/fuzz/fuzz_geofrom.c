/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Redirect307GeoFrom from its words to a visitor's facts. Input: a line of
 * words, a line that opens with 1 for a trusted peer and goes on with the
 * query string, then header lines ("Name: value"; variables likewise). What
 * holds:
 *  - a word that is refused is refused with a sentence
 *  - facts are sound, and the same the second time
 *  - a peer that is not trusted tells nothing by headers but a language and
 *    cookies
 *  - Vary names every header that was asked for
 */
#include "fuzz_facts.h"

#include "core/r307_georead.h"

#include <strings.h>

#define LINES_MAX 16
#define WORDS_MAX 8

const char fuzz_name[] = "geofrom";

typedef struct visitor_t {
    char *lines[LINES_MAX];     /* the name ends at a NUL in place of ':' */
    int nlines;
    const char *vary;
    int trusted;
} visitor_t;

static const char *line_of(const visitor_t *v, const char *name)
{
    int i;

    for (i = 0; i < v->nlines; i++) {
        if (strcasecmp(v->lines[i], name) == 0) {
            return v->lines[i] + strlen(v->lines[i]) + 1;
        }
    }
    return NULL;
}

/* Is the name one of the list "A, b, C"? */
static int is_listed(const char *list, const char *name)
{
    apr_size_t n = strlen(name);

    for (; *list; list += strspn(list, ", ")) {
        apr_size_t len = strcspn(list, ",");

        if (len == n && strncasecmp(list, name, n) == 0) {
            return 1;
        }
        list += len;
    }
    return 0;
}

static const char *header(void *ctx, const char *name)
{
    visitor_t *v = ctx;

    FUZZ_HOLDS(is_listed(v->vary, name));
    return line_of(v, name);
}

static const char *env(void *ctx, const char *name)
{
    return line_of(ctx, name);
}

static r307_geofrom_t *take_words(fuzz_t *in)
{
    r307_geofrom_t *from = r307_geofrom_create(in->pool, NULL, NULL);
    char *state, *word, *line = fuzz_line(in);
    int n = 0;

    for (word = apr_strtok(line, " ", &state); word && n++ < WORDS_MAX;
         word = apr_strtok(NULL, " ", &state)) {
        r307_error_t err = { in->pool, NULL };
        apr_status_t rv = r307_geofrom_add(from, word, &err);

        fuzz_check_error(rv, &err);
        if (rv != APR_SUCCESS) {
            return NULL;
        }
    }
    return from;
}

static void take_lines(fuzz_t *in, visitor_t *v)
{
    while (in->at < in->end && v->nlines < LINES_MAX) {
        char *line = fuzz_line(in), *colon = strchr(line, ':');

        if (colon) {
            *colon = '\0';
            v->lines[v->nlines++] = line;
        }
    }
}

static void read_facts(fuzz_t *in, const r307_geofrom_t *from, visitor_t *v,
                       const char *query, r307_facts_t *facts)
{
    r307_georead_t rd;

    memset(&rd, 0, sizeof rd);
    memset(facts, 0, sizeof *facts);
    rd.pool = in->pool;
    rd.ctx = v;
    rd.header = header;
    rd.env = env;
    rd.query = *query ? query : NULL;
    rd.trusted = v->trusted;
    r307_georead_facts(from, R307_GEOFROM_ALL_FIELDS, &rd, facts);
    fuzz_check_facts(facts);
    FUZZ_HOLDS(!facts->tor || (!facts->city && !facts->known_position
                               && facts->continent == R307_CONTINENT_NONE));
    FUZZ_HOLDS(!rd.disbelieved || !v->trusted);
}

static void check_untrusted(const r307_geofrom_t *from,
                            const r307_facts_t *facts)
{
    unsigned fields = R307_GEOFROM_ALL_FIELDS
                      & ~R307_FIELD_BIT(R307_FIELD_LANGUAGE);

    if (!(r307_geofrom_uses(from, fields)
          & (R307_GEOFROM_VISITOR | R307_GEOFROM_UNSEEN))) {
        FUZZ_HOLDS(!facts->country && !facts->tor && !facts->city
                   && !facts->known_position
                   && facts->continent == R307_CONTINENT_NONE);
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    r307_geofrom_t *from;
    r307_error_t err;
    r307_facts_t facts, again;
    visitor_t v;
    fuzz_t in;
    apr_status_t rv;
    const char *second;

    fuzz_begin(&in, data, size);
    err.pool = in.pool;
    err.text = NULL;
    memset(&v, 0, sizeof v);
    from = take_words(&in);
    rv = from ? r307_geofrom_freeze(from, &err) : APR_EINVAL;
    if (from) {
        fuzz_check_error(rv, &err);
    }
    if (rv != APR_SUCCESS) {
        return fuzz_end(&in);
    }
    second = fuzz_line(&in);
    v.trusted = second[0] == '1';
    take_lines(&in, &v);
    v.vary = r307_geofrom_vary(from, R307_GEOFROM_ALL_FIELDS, in.pool);
    read_facts(&in, from, &v, second + (*second != '\0'), &facts);
    read_facts(&in, from, &v, second + (*second != '\0'), &again);
    FUZZ_HOLDS(facts.country == again.country && facts.tor == again.tor);
    FUZZ_HOLDS(strcmp(facts.region, again.region) == 0
               && facts.known_position == again.known_position);
    if (!v.trusted) {
        check_untrusted(from, &facts);
    }
    return fuzz_end(&in);
}
