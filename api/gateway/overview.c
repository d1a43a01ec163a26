/* The bodies of the services, one after the other. Its tag is made of theirs, which name the same bytes. */
#include "gateway/overview.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME_MAX = 128 };

/* The form to serve for the next OVERVIEW_EARLY_MS; NULL: the service has no route. */
static const struct route_form *form_of(const struct service_view *view, struct wall_time wall,
                                        struct mono_time mono)
{
    const int64_t early_us = (int64_t)OVERVIEW_EARLY_MS * 1000;
    wall.us += early_us;
    mono.us += early_us;
    return view->routed ? service_view_form(view, wall, mono) : NULL;
}

static void note_lease(struct overview *overview, const struct service_view *view)
{
    if (!overview->leased || view->lapse_wall.us < overview->lapse_wall.us)
        overview->lapse_wall = view->lapse_wall;
    if (!overview->leased || view->lapse_mono.us < overview->lapse_mono.us)
        overview->lapse_mono = view->lapse_mono;
    overview->leased = true;
}

/* Writes the body to `text` and the tags to `tags`, both large enough. Returns the body's length. */
static size_t write_body(const struct snapshot *snapshot, struct wall_time wall, struct mono_time mono,
                         char *text, char *tags, size_t *tags_length)
{
    size_t at = 0;
    bool first = true;
    *tags_length = 0;
    at += (size_t)snprintf(text, FRAME_MAX,
                           "{\"incarnation\":%" PRId64 ",\"revision\":%" PRId64 ",\"routes\":[",
                           snapshot->incarnation, snapshot->rev);
    for (size_t i = 0; i < snapshot->services; i++) {
        const struct route_form *form = form_of(snapshot->service[i], wall, mono);
        if (form == NULL)
            continue;
        if (!first)
            text[at++] = ',';
        first = false;
        memcpy(text + at, form->body, form->length);
        at += form->length;
        size_t length = strlen(form->etag), name = strlen(snapshot->service[i]->name);
        memcpy(tags + *tags_length, snapshot->service[i]->name, name);
        memcpy(tags + *tags_length + name, form->etag, length);
        *tags_length += name + length;
    }
    memcpy(text + at, "]}", 3);
    return at + 2;
}

struct overview *overview_new(const struct snapshot *snapshot, struct wall_time wall, struct mono_time mono)
{
    size_t size = FRAME_MAX, tags_length, length;
    struct overview *overview = calloc(1, sizeof *overview);
    char *tags = malloc(snapshot->services * (ETAG_MAX + NAME_MAX_LENGTH + 1) + 1);
    for (size_t i = 0; i < snapshot->services; i++) {
        const struct service_view *view = snapshot->service[i];
        const struct route_form *form = form_of(view, wall, mono);
        if (form == NULL)
            continue;
        size += form->length + 1;
        if (overview != NULL && form == &view->normal && view->leased)
            note_lease(overview, view);
    }
    char *text = malloc(size);
    if (overview == NULL || tags == NULL || text == NULL) {
        free(overview);
        free(tags);
        free(text);
        return NULL;
    }
    length = write_body(snapshot, wall, mono, text, tags, &tags_length);
    struct digest digest = digest_sha256(tags, tags_length);
    free(tags);
    if (snapshot_form_as(&overview->form, snapshot->incarnation, snapshot->rev, "Serin-Revision", &digest,
                         text, length) != STATUS_OK) {
        free(overview);
        return NULL;
    }
    return overview;
}

void overview_free(struct overview *overview)
{
    if (overview == NULL)
        return;
    snapshot_form_free(&overview->form);
    free(overview);
}

bool overview_has_lapsed(const struct overview *overview, struct wall_time wall, struct mono_time mono)
{
    return overview->leased && (wall.us >= overview->lapse_wall.us || mono.us >= overview->lapse_mono.us);
}
