/* Sources of counts: JSON to struct and back. Each kind reads and writes its own settings. */
#include "spec/source.h"

#include "spec/fields.h"

#include <stdio.h>
#include <string.h>

/* Reported outcomes have no settings. */
static enum status read_outcomes(struct json_object *value, const char *pointer, struct spec_source *out,
                                 struct fault *fault)
{
    struct json_fields none;
    (void)out;
    json_fields_open(&none, value, pointer, fault);
    return json_fields_close(&none);
}

static struct json_object *write_outcomes(const struct spec_source *source)
{
    (void)source;
    return json_object_new_object();
}

static const struct spec_source_kind outcomes = {.kind = SOURCE_OUTCOMES,
                                                 .field = "outcomes",
                                                 .name = "the outcomes that gateways report",
                                                 .read = read_outcomes,
                                                 .write = write_outcomes};

/* A new kind is a line here, its settings a file beside this one. */
static const struct spec_source_kind *const kinds[] = {&outcomes, &spec_prometheus};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

const struct spec_source_kind *spec_source_kind(enum source_kind kind)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (kinds[i]->kind == kind) {
            return kinds[i];
        }
    }
    return &outcomes;
}

static void one_of(struct fault *fault, const char *pointer)
{
    char list[160];
    size_t used = 0;
    for (size_t i = 0; i < KINDS && used < sizeof list; i++) {
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                 i == 0          ? ""
                                 : i + 1 < KINDS ? ", "
                                                 : " and ",
                                 kinds[i]->field);
    }
    fault_at(fault, pointer, "must have exactly one of %s", list);
}

enum status spec_read_source(struct json_object *value, const char *pointer, struct spec_source *out,
                             struct fault *fault)
{
    struct json_fields fields;
    char at[128];
    int given = 0;
    memset(out, 0, sizeof *out);
    json_fields_open(&fields, value, pointer, fault);
    for (size_t i = 0; i < KINDS; i++) {
        struct json_object *settings = NULL;
        if (!json_fields_any(&fields, kinds[i]->field, JSON_OPTIONAL, &settings)) {
            continue;
        }
        given++;
        out->kind = kinds[i]->kind;
        if (kinds[i]->read(settings, json_fields_pointer(&fields, kinds[i]->field, at), out, fault) !=
            STATUS_OK) {
            fields.failed = true;
        }
    }
    if (fields.object != NULL && given != 1) {
        fields.failed = true;
        one_of(fault, pointer);
    }
    return json_fields_close(&fields);
}

struct json_object *spec_write_source(const struct spec_source *source)
{
    const struct spec_source_kind *kind = spec_source_kind(source->kind);
    struct spec_writer writer;
    spec_writer_begin(&writer);
    spec_put(&writer, kind->field, kind->write(source));
    return spec_writer_end(&writer);
}

bool spec_source_same(const struct spec_source *a, const struct spec_source *b)
{
    bool same = a->kind == b->kind && a->interval_ms == b->interval_ms && strcmp(a->url, b->url) == 0 &&
                strcmp(a->service_label, b->service_label) == 0 &&
                strcmp(a->release_label, b->release_label) == 0 && strcmp(a->requests, b->requests) == 0 &&
                strcmp(a->bearer_token_env, b->bearer_token_env) == 0;
    for (enum sli sli = 0; sli < SLI_COUNT && same; sli++) {
        same = strcmp(a->bad[sli], b->bad[sli]) == 0;
    }
    return same;
}
