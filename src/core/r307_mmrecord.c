/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Owns the data section of MaxMind DB files: types, lengths, pointers, and
 * where the makers put what we look for. Must not know files, the search
 * tree, or what values mean. Called by mmdb.
 *
 * Nothing in a file is believed: every position is compared with the length
 * of the section, recursion goes as deep as the tables below, and the items
 * of a record are counted.
 */
#include "core/r307_mmrecord.h"

#include <string.h>

/* The types of the format that matter; all others are skipped. */
enum {
    EXTENDED = 0,
    POINTER = 1,
    TEXT = 2,
    DOUBLE = 3,
    MAP = 7,
    ARRAY = 11,
    CONTAINER = 12,             /* these two never stand in a record */
    END_MARKER = 13,
    BOOLEAN = 14,
    FLOAT = 15
};

/* A key that is looked for. */
typedef struct want_t {
    const char *key;
    apr_size_t len;
    int slot;                   /* of the value itself; -1: only inside */
    unsigned slots;             /* R307_MMRECORD_BIT of all that is inside,
                                 * and of slot */
    const struct want_t *inside;    /* keys, when the value is a map: by
                                     * length, ended by LAST */
    const struct want_t *first; /* what the first value of an array is */
} want_t;

#define KEY(name) name, sizeof(name) - 1
#define BIT(slot) R307_MMRECORD_BIT(R307_MMRECORD_##slot)
#define SLOT(slot) R307_MMRECORD_##slot, BIT(slot)
#define LAST { NULL, (apr_size_t)-1 }

static const want_t iso_country[] = {
    { KEY("iso_code"), SLOT(COUNTRY), NULL, NULL }, LAST
};
static const want_t iso_registered[] = {
    { KEY("iso_code"), SLOT(REGISTERED), NULL, NULL }, LAST
};
static const want_t iso_region[] = {
    { KEY("iso_code"), SLOT(REGION), NULL, NULL }, LAST
};
static const want_t first_region = {
    KEY(""), -1, BIT(REGION), iso_region, NULL
};
static const want_t continent[] = {
    { KEY("code"), SLOT(CONTINENT), NULL, NULL }, LAST
};
static const want_t english[] = {
    { KEY("en"), SLOT(CITY), NULL, NULL }, LAST
};
static const want_t city[] = {
    { KEY("names"), -1, BIT(CITY), english, NULL }, LAST
};
static const want_t location[] = {
    { KEY("latitude"), SLOT(LATITUDE), NULL, NULL },
    { KEY("longitude"), SLOT(LONGITUDE), NULL, NULL },
    LAST
};
static const want_t record[] = {
    { KEY("lat"), SLOT(LATITUDE), NULL, NULL },
    { KEY("lng"), SLOT(LONGITUDE), NULL, NULL },
    { KEY("city"), SLOT(CITY), city, NULL },
    { KEY("country"), SLOT(COUNTRY), iso_country, NULL },
    { KEY("location"), -1, BIT(LATITUDE) | BIT(LONGITUDE), location, NULL },
    { KEY("latitude"), SLOT(LATITUDE), NULL, NULL },
    { KEY("continent"), SLOT(CONTINENT), continent, NULL },
    { KEY("longitude"), SLOT(LONGITUDE), NULL, NULL },
    { KEY("region_code"), SLOT(REGION), NULL, NULL },
    { KEY("country_code"), SLOT(COUNTRY_CODE), NULL, NULL },
    { KEY("subdivisions"), -1, BIT(REGION), NULL, &first_region },
    { KEY("continent_code"), SLOT(CONTINENT_CODE), NULL, NULL },
    { KEY("registered_country"), -1, BIT(REGISTERED), iso_registered, NULL },
    LAST
};
static const want_t whole = { KEY(""), -1, ~0u, record, NULL };

typedef struct reader_t {
    const unsigned char *section;
    apr_size_t len;
    apr_size_t left;            /* items that may still be read */
    unsigned missing;           /* slots that are still to be found */
    r307_mmrecord_value_t *values;
} reader_t;

typedef struct item_t {
    unsigned type;
    apr_size_t size;            /* bytes */
    apr_size_t items;           /* of an array or a map, keys included */
    apr_size_t at;              /* the bytes, or the first item inside */
    apr_size_t next;            /* behind the bytes, or behind the pointer
                                 * that was followed; the same as at for
                                 * arrays and maps that stand here, until they
                                 * have been read */
    int followed;
} item_t;

static apr_uint64_t big_endian(const unsigned char *p, apr_size_t n)
{
    apr_uint64_t value = 0;

    while (n--) {
        value = value << 8 | *p++;
    }
    return value;
}

/* A pointer takes two to five bytes, of which the first tells how many. */
#define IS_POINTER(ctrl) ((ctrl) >> 5 == POINTER)
#define POINTER_LEN(ctrl) (2 + ((ctrl) >> 3 & 3))

/* Most of what stands in a record: texts and numbers that have their length
 * in the first byte. */
#define IS_SHORT(ctrl) \
    ((ctrl) - (TEXT << 5) < (MAP - TEXT) << 5 && ((ctrl) & 31) < 29)
#define SHORT_LEN(ctrl) ((ctrl) & 31)

/* Where a pointer leads; behind the end when it is cut off. */
static apr_size_t target(const reader_t *r, apr_size_t at, unsigned ctrl)
{
    const unsigned char *p = r->section + at + 1;
    apr_size_t high = ctrl & 7;

    if (POINTER_LEN(ctrl) > r->len - at) {
        return r->len;
    }
    switch (POINTER_LEN(ctrl)) {
    case 2:
        return high << 8 | p[0];
    case 3:
        return (high << 16 | (apr_size_t)p[0] << 8 | p[1]) + 2048;
    case 4:
        return (high << 24 | (apr_size_t)big_endian(p, 3)) + 526336;
    default:
        return (apr_size_t)big_endian(p, 4);
    }
}

/* The sizes from 29 on stand in the one to three bytes that follow. */
static int read_size(const reader_t *r, item_t *item)
{
    static const apr_size_t base[] = { 0, 29, 285, 65821 };
    apr_size_t n = item->size - 28;

    if (n > r->len - item->at) {
        return 0;
    }
    item->size = (apr_size_t)big_endian(r->section + item->at, n) + base[n];
    item->at += n;
    return 1;
}

/* What an array or a map holds is counted before any of it is read. */
static int enter(reader_t *r, item_t *item, apr_size_t items)
{
    if (items > r->left) {
        return 0;
    }
    r->left -= items;
    item->items = items;
    return 1;
}

/* Types with a byte of their own, arrays, maps and long values. */
static int read_long(reader_t *r, apr_size_t at, unsigned ctrl, item_t *item)
{
    item->at = at + 1;
    item->type = ctrl >> 5;
    if (item->type == EXTENDED) {
        if (item->at >= r->len) {
            return 0;
        }
        item->type = 7u + r->section[item->at++];
    }
    item->size = ctrl & 31;
    if (item->size > 28 && !read_size(r, item)) {
        return 0;
    }
    item->next = item->at;
    switch (item->type) {
    case MAP:
        return enter(r, item, 2 * item->size);
    case ARRAY:
        return enter(r, item, item->size);
    case BOOLEAN:
        return 1;
    case CONTAINER: case END_MARKER:
        return 0;
    }
    item->next += item->size;
    return item->size <= r->len - item->at;
}

/* What stands at a position, or where the pointer there leads. A pointer must
 * not lead to another. */
static inline int read_item(reader_t *r, apr_size_t at, item_t *item)
{
    apr_size_t next = 0;
    unsigned ctrl;

    if (at >= r->len) {
        return 0;
    }
    ctrl = r->section[at];
    if (IS_POINTER(ctrl)) {
        next = at + POINTER_LEN(ctrl);
        at = target(r, at, ctrl);
        if (at >= r->len) {
            return 0;
        }
        ctrl = r->section[at];
    }
    if (IS_SHORT(ctrl)) {
        item->type = ctrl >> 5;
        item->size = SHORT_LEN(ctrl);
        item->at = at + 1;
        item->next = item->at + item->size;
        if (item->next > r->len) {
            return 0;
        }
    }
    else if (IS_POINTER(ctrl) || !read_long(r, at, ctrl, item)) {
        return 0;
    }
    item->followed = next != 0;
    if (next) {
        item->next = next;
    }
    return 1;
}

/*
 * The position behind so many items; 0: damaged. Position 0 is never behind
 * anything. The position is compared with the end when something is read
 * there.
 */
static apr_size_t skip(reader_t *r, apr_size_t at, apr_size_t items)
{
    unsigned ctrl;
    item_t item;

    for (; items; items--) {
        if (at >= r->len) {
            return 0;
        }
        ctrl = r->section[at];
        if (IS_POINTER(ctrl)) {
            at += POINTER_LEN(ctrl);
        }
        else if (IS_SHORT(ctrl)) {
            at += 1 + SHORT_LEN(ctrl);
        }
        else {
            item.items = 0;
            if (!read_long(r, at, ctrl, &item)) {
                return 0;
            }
            items += item.items;
            at = item.next;
        }
    }
    return at <= r->len ? at : 0;
}

/* A country is the best answer to the question for one; so is a continent. */
static unsigned answered(int slot, apr_size_t len)
{
    return slot == R307_MMRECORD_COUNTRY && len == 2
        ? BIT(COUNTRY) | BIT(COUNTRY_CODE) | BIT(REGISTERED)
        : slot == R307_MMRECORD_CONTINENT && len == 2
        ? BIT(CONTINENT) | BIT(CONTINENT_CODE)
        : R307_MMRECORD_BIT(slot);
}

static void store(reader_t *r, const item_t *item, int slot)
{
    r307_mmrecord_value_t *value = &r->values[slot];
    const unsigned char *p = r->section + item->at;

    if (item->type == TEXT) {
        value->type = R307_MMRECORD_TEXT;
        value->text = (const char *)p;
        value->len = (apr_uint32_t)item->size;
    }
    else if (item->type == DOUBLE && item->size == 8) {
        apr_uint64_t bits = big_endian(p, 8);

        value->type = R307_MMRECORD_NUMBER;
        memcpy(&value->number, &bits, sizeof bits);
    }
    else if (item->type == FLOAT && item->size == 4) {
        apr_uint32_t bits = (apr_uint32_t)big_endian(p, 4);
        float number;

        value->type = R307_MMRECORD_NUMBER;
        memcpy(&number, &bits, sizeof bits);
        value->number = (double)number;
    }
    else {
        return;
    }
    r->missing &= ~answered(slot, item->size);
}

static inline const want_t *find(const want_t *wants,
                                 const unsigned char *key, apr_size_t len)
{
    for (; wants->len <= len; wants++) {
        if (wants->len == len && memcmp(wants->key, key, len) == 0) {
            return wants;
        }
    }
    return NULL;
}

static int take(reader_t *r, item_t *item, const want_t *want);

/* The value of a key: looked into when it may hold something missing. The
 * position behind it; 0: damaged. */
static inline apr_size_t read_value(reader_t *r, apr_size_t at,
                                    const want_t *want)
{
    item_t item;

    if (!want || !(r->missing & want->slots)) {
        return skip(r, at, 1);
    }
    return read_item(r, at, &item) && take(r, &item, want) ? item.next : 0;
}

/* The position behind what was read of the map; *left is what is left. */
static apr_size_t read_map(reader_t *r, const item_t *map,
                           const want_t *want, apr_size_t *left)
{
    apr_size_t at = map->at;
    item_t key;

    for (*left = map->items; *left && (r->missing & want->slots);
         *left -= 2) {
        if (!read_item(r, at, &key) || key.type != TEXT) {
            return 0;
        }
        at = read_value(r, key.next, find(want->inside, r->section + key.at,
                                          key.size));
        if (!at) {
            return 0;
        }
    }
    return at;
}

static apr_size_t read_array(reader_t *r, const item_t *array,
                             const want_t *want, apr_size_t *left)
{
    *left = array->items;
    if (*left == 0) {
        return array->at;
    }
    --*left;
    return read_value(r, array->at, want->first);
}

/* Look into an item. item->next is behind it afterwards, unless nothing is
 * missing any more. 0: damaged. */
static int take(reader_t *r, item_t *item, const want_t *want)
{
    apr_size_t at = item->at, left = item->items;

    if (item->type != MAP && item->type != ARRAY) {
        if (want->slot >= 0) {
            store(r, item, want->slot);
        }
        return 1;
    }
    if (item->type == MAP && want->inside) {
        at = read_map(r, item, want, &left);
    }
    else if (item->type == ARRAY && want->first) {
        at = read_array(r, item, want, &left);
    }
    if (at && r->missing && !item->followed) {
        item->next = at = skip(r, at, left);
    }
    return at != 0;
}

int r307_mmrecord_read(const unsigned char *section, apr_size_t len,
                       apr_size_t offset, unsigned slots,
                       r307_mmrecord_value_t *values)
{
    reader_t r = { section, len, R307_MMRECORD_ITEMS_MAX, slots, values };
    item_t item;

    memset(values, 0, R307_MMRECORD_SLOTS * sizeof *values);
    return read_item(&r, offset, &item) && take(&r, &item, &whole);
}
