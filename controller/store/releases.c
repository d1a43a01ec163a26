/* Releases. */
#include "store/releases.h"

#include "base/json.h"
#include "store/note.h"
#include "store/nul.h"
#include "store/services.h"

#include "releases.sql.h"

#include <stdio.h>
#include <string.h>

enum { CONTENT_MAX = 4 << 20 };

/* [{"kind":..,"name":..,"version":..,"digest":..}], as canonical JSON has it; digest and version where asked
 * for. */
static void put_pins(struct text *out, const struct spec_release *release, char (*digest)[DIGEST_HEX],
                     bool version)
{
    text_putc(out, '[');
    for (size_t i = 0; i < release->pins; i++) {
        const struct spec_pin *pin = &release->pin[i];
        text_puts(out, i > 0 ? ",{" : "{");
        if (digest != NULL)
            text_printf(out, "\"digest\":\"%s\",", digest[i]);
        text_printf(out, "\"kind\":\"%s\",\"name\":\"%s\"", spec_kind_name(pin->kind), pin->name);
        if (version)
            text_printf(out, ",\"version\":%d", pin->version);
        text_putc(out, '}');
    }
    text_putc(out, ']');
}

static enum status put_canonical(struct text *out, const char *name, struct json_object *value)
{
    text_printf(out, ",\"%s\":", name);
    return json_canonical(value, out);
}

/* Both are written in the order of their keys, so that they are canonical. */
static enum status write_content(const struct spec_release *release, char (*digest)[DIGEST_HEX],
                                 struct text *content, struct text *behaviour)
{
    text_puts(content, "{\"artifacts\":");
    put_pins(content, release, digest, true);
    text_puts(content, ",\"changelog\":");
    json_put_string(content, release->changelog, strlen(release->changelog));
    text_puts(content, ",\"compatibility\":");
    json_put_string(content, release->compatibility, strlen(release->compatibility));
    enum status status = put_canonical(content, "fallback", release->fallback);
    text_printf(content, ",\"history_compatible\":%s", release->history_compatible ? "true" : "false");
    if (status == STATUS_OK)
        status = put_canonical(content, "parameters", release->parameters);
    if (status == STATUS_OK)
        status = put_canonical(content, "worksheets", release->worksheets);
    text_putc(content, '}');

    text_puts(behaviour, "{\"artifacts\":");
    put_pins(behaviour, release, digest, false);
    if (status == STATUS_OK)
        status = put_canonical(behaviour, "parameters", release->parameters);
    text_putc(behaviour, '}');
    if (status == STATUS_OK)
        status = text_status(content);
    return status == STATUS_OK ? text_status(behaviour) : status;
}

/* Place of a pin in the document that was sent; the pins themselves are sorted. */
static size_t place_of(const struct spec_release *release, const struct spec_pin *pin)
{
    struct json_object *list = NULL, *kind = NULL, *name = NULL;
    json_object_object_get_ex(release->document, "artifacts", &list);
    size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        if (json_object_object_get_ex(one, "kind", &kind) && json_object_object_get_ex(one, "name", &name) &&
            strcmp(json_object_get_string(kind), spec_kind_name(pin->kind)) == 0 &&
            strcmp(json_object_get_string(name), pin->name) == 0)
            return i;
    }
    return 0;
}

/* Finds the digests of the pinned versions. INVALID names each that does not exist. */
static enum status find_pins(struct db *db, const struct spec_release *release, const char *pins,
                             char (*digest)[DIGEST_HEX], struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, pins);
    enum status status = db_run(db, &sql_release_pins, &params, &rows, fault);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < release->pins; i++) {
        const struct spec_pin *pin = &release->pin[i];
        char pointer[64];
        if (!db_is_null(rows, (int)i, 3)) {
            snprintf(digest[i], DIGEST_HEX, "%s", db_get_text(rows, (int)i, 3));
            continue;
        }
        snprintf(pointer, sizeof pointer, "/artifacts/%zu/version", place_of(release, pin));
        status = fault_at(fault, pointer, "%s %s has no version %d", spec_kind_name(pin->kind), pin->name,
                          pin->version);
        fault_next(fault,
                   "Register the version first with 'serin version register' (POST "
                   "/v1/artifacts/%s/%s/versions), or name "
                   "another.",
                   spec_kind_name(pin->kind), pin->name);
    }
    db_rows_free(rows);
    return status;
}

/* *same: the release exists with this content. CONFLICT if it exists with another. */
static enum status find_same(struct db *db, const char *service, const char *name,
                             const struct digest *digest, bool *same, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, service);
    db_text(&params, name);
    db_bytes(&params, digest->bytes, sizeof digest->bytes);
    enum status status = db_run(db, &sql_release_same, &params, &rows, fault);
    *same = status == STATUS_OK && db_rows_count(rows) > 0 && db_get_bool(rows, 0, 0);
    if (status == STATUS_OK && db_rows_count(rows) > 0 && !*same) {
        status =
            fault_set(fault, STATUS_CONFLICT, "Release %s of %s exists with other content", name, service);
        fault_next(fault, "Releases are immutable: give the new one another name.");
    }
    db_rows_free(rows);
    return status;
}

static enum status insert(struct db *db, const char *service, const struct spec_release *release,
                          const struct text *content, const struct digest *digest,
                          const struct text *behaviour, const char *pins, const char *actor,
                          struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct digest notable = digest_sha256(text_get(behaviour), behaviour->length);
    char hex[DIGEST_HEX];
    db_text(&params, service);
    db_text(&params, release->name);
    db_bytes(&params, text_get(content), content->length);
    db_bytes(&params, digest->bytes, sizeof digest->bytes);
    db_bytes(&params, notable.bytes, sizeof notable.bytes);
    db_text(&params, actor);
    enum status status = db_run(db, &sql_release_insert, &params, NULL, fault);
    if (status != STATUS_OK)
        return status;
    db_params_clear(&params);
    db_text(&params, service);
    db_text(&params, release->name);
    db_text(&params, pins);
    status = db_run(db, &sql_release_pin, &params, NULL, fault);
    if (status != STATUS_OK)
        return status;
    return note_append(db,
                       &(struct event){.type = "release.created",
                                       .service = service,
                                       .release = release->name,
                                       .actor = actor,
                                       .reason = ""},
                       (const struct note_field[]){{"digest", NOTE_TEXT, digest_hex(digest, hex), 0},
                                                   {"changelog", NOTE_TEXT, release->changelog, 0},
                                                   {NULL, NOTE_TEXT, NULL, 0}},
                       fault);
}

enum status releases_create(struct db *db, const char *service, const struct spec_release *release,
                            const char *actor, bool *created, struct fault *fault)
{
    struct text content, behaviour, pins;
    char digest[RELEASE_PINS_MAX][DIGEST_HEX];
    bool same = false;
    *created = false;
    memset(digest, 0, sizeof digest);
    text_init(&content, CONTENT_MAX);
    text_init(&behaviour, CONTENT_MAX);
    text_init(&pins, CONTENT_MAX);
    put_pins(&pins, release, NULL, true);
    enum status status = text_status(&pins);
    if (status == STATUS_OK)
        status = services_lock(db, service, fault);
    if (status == STATUS_OK)
        status = find_pins(db, release, text_get(&pins), digest, fault);
    if (status != STATUS_OK)
        goto out;
    status = write_content(release, digest, &content, &behaviour);
    if (status != STATUS_OK) {
        fault_set(fault, status, "The release is too large");
        fault_next(fault, "Keep what is large in artifacts, and pin them.");
        goto out;
    }
    if (nul_in_json(text_get(&content))) {
        status = fault_at(fault, "", "holds the character U+0000");
        fault_next(fault, "Take U+0000 out of the parameters, the fallback copy or the worksheets.");
        goto out;
    }
    struct digest whole = digest_sha256(text_get(&content), content.length);
    status = find_same(db, service, release->name, &whole, &same, fault);
    if (status == STATUS_OK && !same) {
        status = insert(db, service, release, &content, &whole, &behaviour, text_get(&pins), actor, fault);
        *created = status == STATUS_OK;
    }
out:
    text_free(&pins);
    text_free(&behaviour);
    text_free(&content);
    return status;
}

static enum status no_release(const char *service, const char *name, struct fault *fault)
{
    fault_set(fault, STATUS_NOT_FOUND, "There is no release %s of %s", name, service);
    fault_next(fault, "List them with 'serin release list %s' (GET /v1/services/%s/releases).", service,
               service);
    return STATUS_NOT_FOUND;
}

enum status releases_get(struct db *db, const char *service, const char *name, struct text *out,
                         struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, service);
    db_text(&params, name);
    db_null(&params);
    db_integer(&params, 1);
    enum status status = db_run(db, &sql_release_list, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 0)
        status = no_release(service, name, fault);
    else if (status == STATUS_OK)
        text_puts(out, db_get_text(rows, 0, 0));
    db_rows_free(rows);
    return status;
}

enum status releases_list(struct db *db, const char *service, struct page *page, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, service);
    db_null(&params);
    return page_read(db, &sql_release_list, &params, PAGE_KEY_TEXT, page, fault);
}

enum status releases_content(struct db *db, const char *service, const char *name, struct text *out,
                             struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, service);
    db_text(&params, name);
    enum status status = db_run(db, &sql_release_content, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 0)
        status = no_release(service, name, fault);
    else if (status == STATUS_OK)
        text_puts(out, db_get_text(rows, 0, 0));
    db_rows_free(rows);
    return status;
}
