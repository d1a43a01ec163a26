/* The cursor as JSON: {"v":1,"asked":"<digest>","at":s,"watched":[stable,canary],"unseen":["error",...],
   "series":{"requests":[[key,target,arm,value,seen,missed],...],"refusal":[...]}}. */
#include "sources/prometheus_cursor.h"

#include "base/digest.h"
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1 };

static const char *slot_name(int slot)
{
    return slot == CURSOR_REQUESTS ? "requests" : sli_name((enum sli)slot);
}

static void asked_digest(const char *asked, char out[DIGEST_HEX])
{
    struct digest digest = digest_sha256(asked, strlen(asked));
    digest_hex(&digest, out);
}

bool cursor_add(struct cursor_slot *slot, const struct cursor_series *series)
{
    if (slot->count == slot->capacity) {
        size_t capacity = slot->capacity > 0 ? slot->capacity * 2 : 64;
        struct cursor_series *grown = realloc(slot->series, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        slot->series = grown;
        slot->capacity = capacity;
    }
    slot->series[slot->count++] = *series;
    return true;
}

static int by_key(const void *a, const void *b)
{
    const struct cursor_series *left = a, *right = b;
    return strcmp(left->last.key, right->last.key);
}

void cursor_sort(struct cursor_slot *slot)
{
    if (slot->count > 1)
        qsort(slot->series, slot->count, sizeof *slot->series, by_key);
}

const struct cursor_series *cursor_find(const struct cursor_slot *slot, const char *key)
{
    struct cursor_series wanted = {.seen_s = 0};
    if (slot->count == 0)
        return NULL;
    memcpy(wanted.last.key, key, sizeof wanted.last.key);
    return bsearch(&wanted, slot->series, slot->count, sizeof *slot->series, by_key);
}

void cursor_free(struct cursor *cursor)
{
    for (int i = 0; i < CURSOR_SLOTS; i++)
        free(cursor->slot[i].series);
    *cursor = (struct cursor){0};
}

/* --- writing
 * ----------------------------------------------------------------------------------------------------- */

static void write_slot(const struct cursor_slot *slot, struct text *out)
{
    for (size_t i = 0; i < slot->count; i++) {
        const struct cursor_series *series = &slot->series[i];
        text_printf(out, "%s[\"%s\",\"%s\",%d,%" PRId64 ",%.3f,%d]", i == 0 ? "" : ",", series->last.key,
                    series->last.target, (int)series->last.arm, series->last.value, series->seen_s,
                    series->missed ? 1 : 0);
    }
}

void cursor_write(const struct cursor *cursor, const char *asked, struct text *out)
{
    char digest[DIGEST_HEX];
    bool first = true;
    asked_digest(asked, digest);
    text_printf(out, "{\"v\":%d,\"asked\":\"%s\",\"at\":%.3f,\"watched\":[%.3f,%.3f],\"unseen\":[", VERSION,
                digest, cursor->at_s, cursor->watched_s[ARM_STABLE], cursor->watched_s[ARM_CANARY]);
    for (int i = 0; i < SLI_COUNT; i++) {
        if ((cursor->unseen >> i & 1) == 0)
            continue;
        text_printf(out, "%s\"%s\"", first ? "" : ",", sli_name((enum sli)i));
        first = false;
    }
    first = true;
    text_puts(out, "],\"series\":{");
    for (int i = 0; i < CURSOR_SLOTS; i++) {
        if (cursor->slot[i].count == 0)
            continue;
        text_printf(out, "%s\"%s\":[", first ? "" : ",", slot_name(i));
        write_slot(&cursor->slot[i], out);
        text_putc(out, ']');
        first = false;
    }
    text_puts(out, "}}");
}

/* --- reading
 * ----------------------------------------------------------------------------------------------------- */

static bool number_of(struct json_object *value, double *out)
{
    if (!json_object_is_type(value, json_type_double) && !json_object_is_type(value, json_type_int))
        return false;
    *out = json_object_get_double(value);
    return isfinite(*out) && *out >= 0;
}

static bool integer_of(struct json_object *value, int64_t max, int64_t *out)
{
    double number;
    if (!number_of(value, &number) || number != floor(number) || number > (double)max)
        return false;
    *out = (int64_t)number;
    return true;
}

static bool hex_of(struct json_object *value, char *out, size_t size)
{
    if (!json_object_is_type(value, json_type_string) ||
        (size_t)json_object_get_string_len(value) != size - 1)
        return false;
    memcpy(out, json_object_get_string(value), size);
    return strspn(out, "0123456789abcdef") == size - 1;
}

static bool read_entry(struct json_object *entry, struct cursor_series *out)
{
    int64_t arm = 0, missed = 0;
    *out = (struct cursor_series){0};
    if (!json_object_is_type(entry, json_type_array) || json_object_array_length(entry) != 6 ||
        !hex_of(json_object_array_get_idx(entry, 0), out->last.key, sizeof out->last.key) ||
        !hex_of(json_object_array_get_idx(entry, 1), out->last.target, sizeof out->last.target) ||
        !integer_of(json_object_array_get_idx(entry, 2), ARM_COUNT - 1, &arm) ||
        !integer_of(json_object_array_get_idx(entry, 3), INT64_C(1) << 53, &out->last.value) ||
        !number_of(json_object_array_get_idx(entry, 4), &out->seen_s) ||
        !integer_of(json_object_array_get_idx(entry, 5), 1, &missed))
        return false;
    out->last.arm = (enum prometheus_arm)arm;
    out->missed = missed != 0;
    return true;
}

static bool read_slot(struct json_object *list, struct cursor_slot *slot)
{
    struct cursor_series series;
    if (!json_object_is_type(list, json_type_array))
        return false;
    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (!read_entry(json_object_array_get_idx(list, i), &series) || !cursor_add(slot, &series))
            return false;
    cursor_sort(slot);
    return true;
}

/* A cursor from before this was kept: what it has no series of now. */
static uint32_t unseen_by_series(const struct cursor *cursor)
{
    uint32_t set = 0;
    for (int i = 0; i < SLI_COUNT; i++)
        if (cursor->slot[i].count == 0)
            set |= 1u << i;
    return set;
}

static bool read_unseen(struct json_object *root, struct cursor *out)
{
    struct json_object *list = NULL;
    enum sli sli;
    if (!json_object_object_get_ex(root, "unseen", &list)) {
        out->unseen = unseen_by_series(out);
        return true;
    }
    if (!json_object_is_type(list, json_type_array))
        return false;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *name = json_object_array_get_idx(list, i);
        if (!json_object_is_type(name, json_type_string) || !sli_parse(json_object_get_string(name), &sli))
            return false;
        out->unseen |= 1u << sli;
    }
    return true;
}

static bool read_all(struct json_object *root, const char *asked, struct cursor *out)
{
    char expected[DIGEST_HEX], found[DIGEST_HEX];
    struct json_object *value = NULL, *all = NULL;
    int64_t version;
    asked_digest(asked, expected);
    if (!json_object_is_type(root, json_type_object) || !json_object_object_get_ex(root, "v", &value) ||
        !integer_of(value, VERSION, &version) || version != VERSION ||
        !json_object_object_get_ex(root, "asked", &value) || !hex_of(value, found, sizeof found) ||
        strcmp(found, expected) != 0 || !json_object_object_get_ex(root, "at", &value) ||
        !number_of(value, &out->at_s) || !json_object_object_get_ex(root, "watched", &value) ||
        !json_object_is_type(value, json_type_array) || json_object_array_length(value) != ARM_COUNT)
        return false;
    for (size_t arm = 0; arm < ARM_COUNT; arm++)
        if (!number_of(json_object_array_get_idx(value, arm), &out->watched_s[arm]))
            return false;
    if (!json_object_object_get_ex(root, "series", &all) || !json_object_is_type(all, json_type_object))
        return false;
    for (int i = 0; i < CURSOR_SLOTS; i++)
        if (json_object_object_get_ex(all, slot_name(i), &value) && !read_slot(value, &out->slot[i]))
            return false;
    return read_unseen(root, out);
}

bool cursor_read(const char *json, const char *asked, struct cursor *out)
{
    struct json_object *root = NULL;
    *out = (struct cursor){0};
    bool read = json != NULL && json_parse(json, strlen(json), &root, NULL) == STATUS_OK &&
                read_all(root, asked, out);
    json_object_put(root);
    if (!read)
        cursor_free(out);
    return read;
}
