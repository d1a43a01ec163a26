/* The coded form: magic, version, fields in big endian with their lengths, and SHA-256 of all of it at the
 * end. */
#include "gateway/lkg.h"

#include <stdlib.h>
#include <string.h>

enum { LKG_MAX = 512 << 20, BODY_MAX = 8 << 20, VERSION = 1, MAGIC = 8, ROLE_MAX = 16 };

static const char magic[MAGIC] = {'S', 'E', 'R', 'I', 'N', 'L', 'K', 'G'};

/* --- writing
 * ------------------------------------------------------------------------------------------------------ */

static void put_number(struct text *out, int64_t value)
{
    char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(unsigned char)((uint64_t)value >> (56 - 8 * i));
    text_add(out, bytes, sizeof bytes);
}

static void put_text(struct text *out, const char *data, size_t length)
{
    put_number(out, (int64_t)length);
    text_add(out, data, length);
}

static void put_form(struct text *out, const struct route_form *form)
{
    put_number(out, form->fresh != NULL);
    if (form->fresh != NULL)
        put_text(out, form->body, form->length);
}

static void put_service(struct text *out, const struct service_view *view)
{
    put_text(out, view->name, strlen(view->name));
    put_number(out, view->incarnation);
    put_number(out, view->epoch);
    put_form(out, &view->normal);
    put_form(out, &view->lapsed);
    put_number(out, view->leased);
    put_number(out, view->lapse_wall.us);
    put_number(out, (int64_t)view->weights);
    for (size_t i = 0; i < view->weights; i++) {
        put_text(out, view->weight[i].release, strlen(view->weight[i].release));
        put_number(out, view->weight[i].canary);
        put_number(out, view->weight[i].weight);
    }
}

enum status lkg_encode(const struct snapshot *snapshot, struct text *out)
{
    size_t begin = out->length;
    text_add(out, magic, sizeof magic);
    put_number(out, VERSION);
    put_number(out, snapshot->incarnation);
    put_number(out, snapshot->rev);
    put_number(out, (int64_t)snapshot->tokens);
    for (size_t i = 0; i < snapshot->tokens; i++) {
        const struct snapshot_token_entry *token = &snapshot->token[i];
        text_add(out, (const char *)token->secret.bytes, sizeof token->secret.bytes);
        put_number(out, token->role);
        put_text(out, token->name, strlen(token->name));
    }
    put_number(out, (int64_t)snapshot->services);
    for (size_t i = 0; i < snapshot->services; i++)
        put_service(out, snapshot->service[i]);
    if (text_status(out) != STATUS_OK)
        return text_status(out);
    struct digest sum = digest_sha256(out->data + begin, out->length - begin);
    text_add(out, (const char *)sum.bytes, sizeof sum.bytes);
    return text_status(out);
}

/* --- reading: after the first thing that is wrong every read gives zeros
 * ------------------------------------------- */

struct reader {
    const unsigned char *at, *end;
    bool bad;
    enum status failed; /* no memory */
    struct wall_time wall;
    struct mono_time mono;
    int64_t rev; /* of the snapshot */
};

static size_t left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

static int64_t get_number(struct reader *reader, int64_t min, int64_t max)
{
    uint64_t value = 0;
    if (reader->bad || left(reader) < 8) {
        reader->bad = true;
        return 0;
    }
    for (int i = 0; i < 8; i++)
        value = value << 8 | *reader->at++;
    if ((int64_t)value < min || (int64_t)value > max) {
        reader->bad = true;
        return 0;
    }
    return (int64_t)value;
}

static const char *get_bytes(struct reader *reader, size_t length)
{
    if (reader->bad || left(reader) < length) {
        reader->bad = true;
        return NULL;
    }
    const char *bytes = (const char *)reader->at;
    reader->at += length;
    return bytes;
}

static void get_name(struct reader *reader, char out[NAME_MAX_LENGTH + 1])
{
    size_t length = (size_t)get_number(reader, 1, NAME_MAX_LENGTH);
    const char *bytes = get_bytes(reader, length);
    out[0] = '\0';
    if (bytes == NULL)
        return;
    memcpy(out, bytes, length);
    out[length] = '\0';
    if (!name_valid(out) || strlen(out) != length)
        reader->bad = true;
}

static void get_form(struct reader *reader, const struct service_view *view, struct route_form *form)
{
    if (get_number(reader, 0, 1) == 0)
        return;
    size_t length = (size_t)get_number(reader, 1, BODY_MAX);
    const char *bytes = get_bytes(reader, length);
    if (bytes == NULL)
        return;
    char *body = malloc(length + 1);
    if (body == NULL) {
        reader->failed = STATUS_NO_MEMORY;
        reader->bad = true;
        return;
    }
    memcpy(body, bytes, length);
    body[length] = '\0';
    enum status status = snapshot_form(form, view->incarnation, view->epoch, body, length);
    if (status != STATUS_OK) {
        reader->failed = status;
        reader->bad = true;
    }
}

/* How long the lease has yet to run, in µs; a clock that was set back does not lengthen it beyond a year. */
static int64_t lease_left_us(const struct reader *reader, int64_t lapse_us)
{
    const int64_t year_us = (int64_t)366 * 86400 * 1000000;
    if (lapse_us <= reader->wall.us)
        return 0;
    return lapse_us - reader->wall.us < year_us ? lapse_us - reader->wall.us : year_us;
}

static void get_service(struct reader *reader, struct snapshot *snapshot)
{
    struct service_view *view = service_view_new("");
    if (view == NULL) {
        reader->failed = STATUS_NO_MEMORY;
        reader->bad = true;
        return;
    }
    snapshot->service[snapshot->services++] = view;
    get_name(reader, view->name);
    view->incarnation = get_number(reader, 0, INT32_MAX);
    view->epoch = get_number(reader, 0, INT64_MAX);
    get_form(reader, view, &view->normal);
    get_form(reader, view, &view->lapsed);
    view->routed = view->normal.fresh != NULL;
    if (view->routed) {
        flag_read(view->normal.body, view->normal.length, &view->flag);
        view->since_rev = reader->rev; /* as far as is known */
    }
    view->leased = get_number(reader, 0, 1) == 1;
    view->lapse_wall.us = get_number(reader, INT64_MIN, INT64_MAX);
    view->lapse_mono.us = reader->mono.us + lease_left_us(reader, view->lapse_wall.us);
    view->weights = (size_t)get_number(reader, 0, 2);
    for (size_t i = 0; i < view->weights; i++) {
        get_name(reader, view->weight[i].release);
        view->weight[i].canary = get_number(reader, 0, 1) == 1;
        view->weight[i].weight = (int32_t)get_number(reader, 0, 10000);
    }
    if (view->leased != (view->lapsed.fresh != NULL) || (view->leased && !view->routed))
        reader->bad = true;
}

static void get_token(struct reader *reader, struct snapshot_token_entry *token)
{
    const char *bytes = get_bytes(reader, sizeof token->secret.bytes);
    if (bytes != NULL)
        memcpy(token->secret.bytes, bytes, sizeof token->secret.bytes);
    token->role = (int)get_number(reader, 0, ROLE_MAX);
    get_name(reader, token->name);
}

static bool ordered(const struct snapshot *snapshot)
{
    for (size_t i = 1; i < snapshot->services; i++) {
        if (strcmp(snapshot->service[i - 1]->name, snapshot->service[i]->name) >= 0)
            return false;
    }
    for (size_t i = 1; i < snapshot->tokens; i++) {
        if (memcmp(&snapshot->token[i - 1].secret, &snapshot->token[i].secret, DIGEST_BYTES) >= 0)
            return false;
    }
    return true;
}

static enum status unusable(struct fault *fault, const char *why)
{
    return fault_set(fault, STATUS_MALFORMED, "The last known good routes cannot be used: %s", why);
}

/* Takes the fields after magic and version. */
static enum status decode_fields(struct reader *reader, struct snapshot **out, struct fault *fault)
{
    const size_t token_size = DIGEST_BYTES + 3 * 8, service_size = 10 * 8; /* at least */
    int64_t incarnation = get_number(reader, 0, INT32_MAX), rev = get_number(reader, 0, INT64_MAX);
    size_t tokens = (size_t)get_number(reader, 0, (int64_t)(left(reader) / token_size));
    struct snapshot *snapshot =
        snapshot_new(incarnation, rev, reader->bad ? 0 : left(reader) / service_size, tokens);
    if (snapshot == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    snapshot->restored = true;
    reader->rev = rev;
    for (size_t i = 0; i < tokens && !reader->bad; i++)
        get_token(reader, &snapshot->token[snapshot->tokens++]);
    size_t services = (size_t)get_number(reader, 0, (int64_t)(left(reader) / service_size));
    for (size_t i = 0; i < services && !reader->bad; i++)
        get_service(reader, snapshot);
    if (reader->bad || left(reader) != 0 || !ordered(snapshot)) {
        snapshot_unref(snapshot);
        if (reader->failed != STATUS_OK)
            return fault_set(fault, reader->failed, "Out of memory");
        return unusable(fault, "a field is not what it should be");
    }
    snapshot_seal(snapshot);
    *out = snapshot;
    return STATUS_OK;
}

enum status lkg_decode(const void *data, size_t length, struct wall_time wall, struct mono_time mono,
                       struct snapshot **out, struct fault *fault)
{
    const unsigned char *bytes = data;
    *out = NULL;
    if (length < MAGIC + 8 + DIGEST_BYTES || memcmp(bytes, magic, MAGIC) != 0)
        return unusable(fault, "it is too short or something else");
    struct digest sum = digest_sha256(bytes, length - DIGEST_BYTES);
    if (memcmp(sum.bytes, bytes + length - DIGEST_BYTES, DIGEST_BYTES) != 0)
        return unusable(fault, "its checksum is wrong");
    struct reader reader = {
        .at = bytes + MAGIC, .end = bytes + length - DIGEST_BYTES, .wall = wall, .mono = mono};
    if (get_number(&reader, 0, INT64_MAX) != VERSION)
        return unusable(fault, "it is of another version of this program");
    return decode_fields(&reader, out, fault);
}
