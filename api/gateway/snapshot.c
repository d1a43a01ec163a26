/* Snapshots: built once, shared, freed with the last reference. */
#include "gateway/snapshot.h"

#include "gateway/overview.h"
#include "http/etag.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One text under two responses, each of which may outlive the snapshot while it is being sent. */
struct body {
    atomic_int references;
    char *text;
};

static void body_unref(void *argument)
{
    struct body *body = argument;
    if (atomic_fetch_sub_explicit(&body->references, 1, memory_order_acq_rel) == 1) {
        free(body->text);
        free(body);
    }
}

static bool add_headers(struct MHD_Response *response, const char *etag, const char *header,
                        const char *number)
{
    return MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json") == MHD_YES &&
           MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, etag) == MHD_YES &&
           MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache") == MHD_YES &&
           MHD_add_response_header(response, header, number) == MHD_YES;
}

/* A response over `body`, whose reference it takes. NULL: it could not be made, and the reference is given
 * back. */
static struct MHD_Response *response_over(struct body *body, size_t length, const char *etag,
                                          const char *header, const char *number)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback_cls(length, body->text, body_unref, body);
    if (response == NULL) {
        body_unref(body);
        return NULL;
    }
    if (!add_headers(response, etag, header, number)) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

void snapshot_form_free(struct route_form *form)
{
    if (form->fresh != NULL)
        MHD_destroy_response(form->fresh);
    if (form->stale != NULL)
        MHD_destroy_response(form->stale);
    form->fresh = form->stale = NULL;
}

enum status snapshot_form_as(struct route_form *form, int64_t incarnation, int64_t number, const char *header,
                             const struct digest *digest, char *text, size_t length)
{
    char hex[DIGEST_HEX], number_text[32];
    struct body *body = malloc(sizeof *body);
    *form = (struct route_form){.body = text, .length = length};
    if (body == NULL) {
        free(text);
        return STATUS_NO_MEMORY;
    }
    atomic_init(&body->references, 2);
    body->text = text;
    etag_write(form->etag, incarnation, number, digest_hex(digest, hex));
    snprintf(number_text, sizeof number_text, "%" PRId64, number);
    form->fresh = response_over(body, length, form->etag, header, number_text);
    form->stale = response_over(body, length, form->etag, header, number_text);
    if (form->fresh == NULL || form->stale == NULL ||
        MHD_add_response_header(form->stale, "Serin-Stale", "true") != MHD_YES) {
        snapshot_form_free(form);
        return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

enum status snapshot_form(struct route_form *form, int64_t incarnation, int64_t epoch, char *text,
                          size_t length)
{
    struct digest digest = digest_sha256(text, length);
    return snapshot_form_as(form, incarnation, epoch, "Serin-Epoch", &digest, text, length);
}

struct service_view *service_view_new(const char *name)
{
    struct service_view *view = calloc(1, sizeof *view);
    if (view == NULL)
        return NULL;
    atomic_init(&view->references, 1);
    snprintf(view->name, sizeof view->name, "%s", name);
    view->since_rev = view->before_rev = view->before_epoch = -1;
    rules_default(&view->rules);
    return view;
}

void service_view_ref(struct service_view *view)
{
    atomic_fetch_add_explicit(&view->references, 1, memory_order_relaxed);
}

void service_view_unref(struct service_view *view)
{
    if (view == NULL || atomic_fetch_sub_explicit(&view->references, 1, memory_order_acq_rel) != 1)
        return;
    snapshot_form_free(&view->normal);
    snapshot_form_free(&view->lapsed);
    rules_free(&view->rules);
    free(view);
}

struct snapshot *snapshot_new(int64_t incarnation, int64_t rev, size_t services, size_t tokens)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (snapshot == NULL)
        return NULL;
    atomic_init(&snapshot->references, 1);
    snapshot->incarnation = incarnation;
    snapshot->rev = rev;
    snapshot->tokens_version = 1;
    snapshot->service = calloc(services + 1, sizeof *snapshot->service);
    snapshot->token = calloc(tokens + 1, sizeof *snapshot->token);
    for (snapshot->slots = 2; snapshot->slots < 2 * services;)
        snapshot->slots *= 2;
    snapshot->slot = calloc(snapshot->slots, sizeof *snapshot->slot);
    if (snapshot->service == NULL || snapshot->token == NULL || snapshot->slot == NULL) {
        snapshot_unref(snapshot);
        return NULL;
    }
    return snapshot;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct service_view *const *)a)->name, (*(struct service_view *const *)b)->name);
}

static int by_secret(const void *a, const void *b)
{
    const struct snapshot_token_entry *x = a, *y = b;
    return memcmp(x->secret.bytes, y->secret.bytes, sizeof x->secret.bytes);
}

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash ^ hash >> 15;
}

void snapshot_seal(struct snapshot *snapshot)
{
    qsort(snapshot->service, snapshot->services, sizeof *snapshot->service, by_name);
    qsort(snapshot->token, snapshot->tokens, sizeof *snapshot->token, by_secret);
    for (size_t i = 0; i < snapshot->services; i++) {
        uint32_t hash = hash_of(snapshot->service[i]->name);
        size_t at = hash & (snapshot->slots - 1);
        while (snapshot->slot[at].at != 0)
            at = (at + 1) & (snapshot->slots - 1);
        snapshot->slot[at] = (struct snapshot_slot){hash, (uint32_t)i + 1};
    }
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

void snapshot_unref(struct snapshot *snapshot)
{
    if (snapshot == NULL || atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < snapshot->services; i++)
        service_view_unref(snapshot->service[i]);
    overview_free(snapshot->overview);
    free(snapshot->service);
    free(snapshot->token);
    free(snapshot->slot);
    free(snapshot);
}

/* Among ten thousand services a binary search would wait for memory at each of its steps. */
const struct service_view *snapshot_find(const struct snapshot *snapshot, const char *service)
{
    uint32_t hash = hash_of(service);
    for (size_t at = hash & (snapshot->slots - 1); snapshot->slot[at].at != 0;
         at = (at + 1) & (snapshot->slots - 1)) {
        if (snapshot->slot[at].hash != hash)
            continue;
        const struct service_view *view = snapshot->service[snapshot->slot[at].at - 1];
        if (strcmp(view->name, service) == 0)
            return view;
    }
    return NULL;
}

/* The keys are hashes, so what the time of a comparison tells is of no use to anyone. */
const struct snapshot_token_entry *snapshot_find_token(const struct snapshot *snapshot,
                                                       const struct digest *secret)
{
    struct snapshot_token_entry wanted = {.secret = *secret};
    return bsearch(&wanted, snapshot->token, snapshot->tokens, sizeof *snapshot->token, by_secret);
}

bool service_view_has_lapsed(const struct service_view *view, struct wall_time wall, struct mono_time mono)
{
    return view->leased && (wall.us >= view->lapse_wall.us || mono.us >= view->lapse_mono.us);
}

int64_t service_view_epoch_at(const struct service_view *view, int64_t rev)
{
    if (view->since_rev >= 0 && rev >= view->since_rev)
        return view->epoch;
    return view->before_rev >= 0 && rev >= view->before_rev ? view->before_epoch : -1;
}

const struct route_form *service_view_form(const struct service_view *view, struct wall_time wall,
                                           struct mono_time mono)
{
    if (view->lapsed.fresh != NULL && service_view_has_lapsed(view, wall, mono))
        return &view->lapsed;
    return &view->normal;
}

void etag_write(char out[ETAG_MAX], int64_t incarnation, int64_t number, const char *hex)
{
    snprintf(out, ETAG_MAX, "\"%" PRId64 ".%" PRId64 ".%.16s\"", incarnation, number, hex);
}

/* Reads "<incarnation>.<epoch>.<digest>" with its quotes. */
static bool read_tag(const char *tag, size_t length, int64_t *incarnation, int64_t *epoch)
{
    int64_t number[2];
    const char *at = tag + 1, *end = tag + length - 1;
    for (int i = 0; i < 2; i++) {
        const char *begin = at;
        number[i] = 0;
        for (; at < end && *at >= '0' && *at <= '9' && at - begin < 18; at++)
            number[i] = number[i] * 10 + (*at - '0');
        if (at == begin || at >= end || *at != '.')
            return false;
        at++;
    }
    *incarnation = number[0];
    *epoch = number[1];
    return true;
}

enum etag_standing etag_stand(const char *header, const char *current, int64_t incarnation, int64_t epoch,
                              int64_t *applied)
{
    enum etag_standing standing = ETAG_NONE;
    struct http_etags tags;
    *applied = -1;
    if (header == NULL)
        return ETAG_NONE;
    if (strcmp(header, current) == 0) { /* as good as always */
        *applied = epoch;
        return ETAG_CURRENT;
    }
    /* a header that cannot be read is no reason not to send the route */
    if (http_etags_parse(header, &tags, NULL) != STATUS_OK)
        return ETAG_NONE;
    for (size_t i = 0; i < tags.count; i++) {
        int64_t its_incarnation, its_epoch;
        enum etag_standing its = ETAG_OLDER;
        if (!read_tag(tags.tag[i].opaque, tags.tag[i].length, &its_incarnation, &its_epoch))
            continue;
        if (its_incarnation > incarnation || (its_incarnation == incarnation && its_epoch > epoch))
            its = ETAG_NEWER;
        else if (strlen(current) == tags.tag[i].length &&
                 memcmp(current, tags.tag[i].opaque, tags.tag[i].length) == 0)
            its = ETAG_CURRENT;
        if (its > standing)
            standing = its;
        if (its_incarnation == incarnation && its_epoch > *applied)
            *applied = its_epoch;
    }
    return standing;
}
