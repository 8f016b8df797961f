/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The values of one source. Input: a digit for the field, a line with the
 * source as configured, a line with a country that is known before, then the
 * raw value. What holds:
 *  - a source that is refused is refused with a sentence
 *  - what is picked has no blanks around it, is no longer than the raw value
 *    (but for numbers in JSON), and is the same the second time
 *  - facts are sound, and unchanged when the value says nothing
 *  - case does not matter to codes
 *  - values over their ceiling say nothing
 */
#include "fuzz_facts.h"

#include "core/r307_geofrom.h"

#include <apr_lib.h>

const char fuzz_name[] = "geovalue";

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int pick(fuzz_t *in, const r307_geosource_t *source, const char *raw,
                r307_geotext_t *out)
{
    apr_size_t len = strlen(raw);
    r307_geotext_t again;
    int found = r307_geovalue_pick(source, raw, len, in->pool, out);

    FUZZ_HOLDS(r307_geovalue_pick(source, raw, len, in->pool, &again)
               == found);
    if (!found) {
        return 0;
    }
    FUZZ_HOLDS(again.len == out->len
               && memcmp(again.s, out->s, out->len) == 0);
    FUZZ_HOLDS(out->len == 0 || (!is_blank(out->s[0])
                                 && !is_blank(out->s[out->len - 1])));
    FUZZ_HOLDS(out->len <= len || source->format == R307_GEO_JSON);
    FUZZ_HOLDS(source->format != R307_GEO_PLAIN || len <= 1024);
    FUZZ_HOLDS((source->format != R307_GEO_JSON
                && source->format != R307_GEO_KV) || len <= 4096);
    return 1;
}

/* Text that ends where a read too far is seen, but for the byte behind it,
 * which may be any. */
static int set(fuzz_t *in, r307_facts_t *facts, r307_field_t field,
               const char *text, apr_size_t len, int upper)
{
    char *exact = fuzz_memory(in, len + 1);
    apr_size_t i;

    for (i = 0; i < len; i++) {
        exact[i] = (char)(upper ? apr_toupper(text[i])
                                : apr_tolower(text[i]));
    }
    if (upper < 0) {
        memcpy(exact, text, len);
    }
    exact[len] = ',';
    return r307_geovalue_set(facts, field, exact, len, in->pool);
}

static void check_value(fuzz_t *in, const r307_facts_t *before,
                        r307_field_t field, const r307_geotext_t *text)
{
    r307_facts_t facts, small, large;
    int known;

    memcpy(&facts, before, sizeof facts);
    memcpy(&small, before, sizeof small);
    memcpy(&large, before, sizeof large);
    known = set(in, &facts, field, text->s, text->len, -1);
    fuzz_check_facts(&facts);
    FUZZ_HOLDS(known || memcmp(&facts, before, sizeof facts) == 0);
    if (field <= R307_FIELD_CONTINENT) {
        FUZZ_HOLDS(set(in, &small, field, text->s, text->len, 0) == known);
        FUZZ_HOLDS(set(in, &large, field, text->s, text->len, 1) == known);
        FUZZ_HOLDS(small.country == facts.country
                   && large.country == facts.country);
        FUZZ_HOLDS(strcmp(small.region, facts.region) == 0
                   && strcmp(large.region, facts.region) == 0);
        FUZZ_HOLDS(small.continent == facts.continent
                   && large.tor == facts.tor);
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    r307_geosource_t source;
    r307_geotext_t text;
    r307_facts_t before;
    r307_error_t err;
    r307_field_t field;
    apr_status_t rv;
    const char *country;
    fuzz_t in;

    fuzz_begin(&in, data, size);
    err.pool = in.pool;
    err.text = NULL;
    memset(&before, 0, sizeof before);
    memset(&source, 0, sizeof source);
    field = (r307_field_t)((fuzz_byte(&in) & 15) % R307_FIELDS);
    rv = r307_geosource_parse(field, fuzz_line(&in), in.pool, &source, &err);
    fuzz_check_error(rv, &err);
    country = fuzz_line(&in);
    r307_geovalue_set(&before, R307_FIELD_COUNTRY, country, strlen(country),
                      in.pool);
    fuzz_check_facts(&before);
    if (rv == APR_SUCCESS && source.kind != R307_GEO_MMDB) {
        apr_size_t len;
        const char *rest = fuzz_rest(&in, &len);
        char *raw = fuzz_memory(&in, len + 1);

        memcpy(raw, rest, len);
        if (pick(&in, &source, raw, &text)) {
            check_value(&in, &before, field, &text);
        }
    }
    return fuzz_end(&in);
}
