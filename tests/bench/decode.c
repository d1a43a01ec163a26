/* The bare decoders: json-c reads a batch and its fields are looked up; protobuf-c unpacks into an arena and
   its fields are looked at. Nothing is checked, counted or answered.

     bench_decode outcomes|json|protobuf FILE REPEATS
   FILE holds bodies, each behind its length (4 bytes, little-endian). Prints items and CPU nanoseconds. */
#include "trace.pb-c.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ARENA_BYTES = 16 << 20 };

static int64_t sink; /* what was read goes here, so that it is read */

/* --- json-c --- */

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    json_object_object_get_ex(object, name, &value);
    return value;
}

static struct json_object *parse(const char *body, size_t length)
{
    struct json_tokener *tokener = json_tokener_new();
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *value = json_tokener_parse_ex(tokener, body, (int)length);
    if (value == NULL)
        exit(1);
    json_tokener_free(tokener);
    return value;
}

static size_t decode_outcomes(const char *body, size_t length)
{
    static const char *const numbers[] = {"age_ms", "ttft_ms", "latency_ms", "input_tokens", "output_tokens"};
    static const char *const slis[] = {"refusal", "error", "truncated"};
    struct json_object *batch = parse(body, length), *outcomes = member(batch, "outcomes");
    size_t count = json_object_array_length(outcomes);
    for (size_t i = 0; i < count; i++) {
        struct json_object *outcome = json_object_array_get_idx(outcomes, i), *sli = member(outcome, "sli");
        sink += json_object_get_string(member(outcome, "release"))[0];
        for (size_t j = 0; j < sizeof numbers / sizeof numbers[0]; j++)
            sink += json_object_get_int64(member(outcome, numbers[j]));
        for (size_t j = 0; j < sizeof slis / sizeof slis[0]; j++)
            sink += json_object_get_boolean(member(sli, slis[j]));
    }
    json_object_put(batch);
    return count;
}

static void read_pairs(struct json_object *pairs)
{
    for (size_t i = 0; i < json_object_array_length(pairs); i++) {
        struct json_object *pair = json_object_array_get_idx(pairs, i), *any = member(pair, "value"), *value;
        sink += json_object_get_string(member(pair, "key"))[0];
        if ((value = member(any, "stringValue")) != NULL)
            sink += json_object_get_string(value)[0];
        else if ((value = member(any, "intValue")) != NULL)
            sink += json_object_get_int64(value);
        else if ((value = member(any, "doubleValue")) != NULL)
            sink += (int64_t)json_object_get_double(value);
    }
}

static size_t read_scope(struct json_object *scope)
{
    struct json_object *spans = member(scope, "spans");
    size_t count = json_object_array_length(spans);
    for (size_t i = 0; i < count; i++) {
        struct json_object *span = json_object_array_get_idx(spans, i);
        sink += json_object_get_string(member(span, "traceId"))[0];
        sink += json_object_get_string(member(span, "spanId"))[0];
        sink += json_object_get_int64(member(span, "startTimeUnixNano"));
        sink += json_object_get_int64(member(span, "endTimeUnixNano"));
        read_pairs(member(span, "attributes"));
    }
    return count;
}

static size_t decode_json(const char *body, size_t length)
{
    struct json_object *request = parse(body, length), *resources = member(request, "resourceSpans");
    size_t count = 0;
    for (size_t i = 0; i < json_object_array_length(resources); i++) {
        struct json_object *resource = json_object_array_get_idx(resources, i),
                           *scopes = member(resource, "scopeSpans");
        read_pairs(member(member(resource, "resource"), "attributes"));
        for (size_t j = 0; j < json_object_array_length(scopes); j++)
            count += read_scope(json_object_array_get_idx(scopes, j));
    }
    json_object_put(request);
    return count;
}

/* --- protobuf-c --- */

struct arena {
    size_t used;
    _Alignas(16) char bytes[ARENA_BYTES];
};

static void *arena_alloc(void *argument, size_t size)
{
    struct arena *arena = argument;
    if (arena->used + size > sizeof arena->bytes)
        exit(1);
    void *place = arena->bytes + arena->used;
    arena->used += (size + 15) & ~(size_t)15;
    return place;
}

static void arena_free(void *argument, void *pointer)
{
    (void)argument, (void)pointer;
}

static void read_attributes(Bench__KeyValue **pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sink += pairs[i]->key[0];
        if (pairs[i]->value->value_case == BENCH__ANY_VALUE__VALUE_STRING_VALUE)
            sink += pairs[i]->value->string_value[0];
        else
            sink += pairs[i]->value->int_value;
    }
}

static size_t decode_protobuf(const char *body, size_t length)
{
    static struct arena arena;
    ProtobufCAllocator allocator = {.alloc = arena_alloc, .free = arena_free, .allocator_data = &arena};
    size_t count = 0;
    arena.used = 0;
    Bench__Request *request = bench__request__unpack(&allocator, length, (const uint8_t *)body);
    if (request == NULL)
        exit(1);
    for (size_t i = 0; i < request->n_resource_spans; i++) {
        Bench__ResourceSpans *resource = request->resource_spans[i];
        read_attributes(resource->resource->attributes, resource->resource->n_attributes);
        for (size_t j = 0; j < resource->n_scope_spans; j++) {
            Bench__ScopeSpans *scope = resource->scope_spans[j];
            for (size_t k = 0; k < scope->n_spans; k++) {
                sink += scope->spans[k]->trace_id.data[0] + scope->spans[k]->span_id.data[0];
                sink +=
                    (int64_t)(scope->spans[k]->end_time_unix_nano - scope->spans[k]->start_time_unix_nano);
                read_attributes(scope->spans[k]->attributes, scope->spans[k]->n_attributes);
            }
            count += scope->n_spans;
        }
    }
    return count;
}

/* --- */

static int64_t cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

int main(int argc, char **argv)
{
    size_t (*decode)(const char *body, size_t length) = NULL;
    size_t length = 0, items = 0;
    if (argc == 4)
        decode = strcmp(argv[1], "outcomes") == 0   ? decode_outcomes
                 : strcmp(argv[1], "json") == 0     ? decode_json
                 : strcmp(argv[1], "protobuf") == 0 ? decode_protobuf
                                                    : NULL;
    FILE *file = decode != NULL ? fopen(argv[2], "rbe") : NULL;
    if (file == NULL)
        return 64;
    fseek(file, 0, SEEK_END);
    length = (size_t)ftell(file);
    rewind(file);
    char *bodies = malloc(length);
    if (bodies == NULL || fread(bodies, 1, length, file) != length)
        return 1;
    fclose(file);
    int64_t before = cpu_ns();
    for (long repeat = strtol(argv[3], NULL, 10); repeat > 0; repeat--) {
        for (size_t at = 0; at < length;) {
            uint32_t size;
            memcpy(&size, bodies + at, sizeof size);
            items += decode(bodies + at + sizeof size, size);
            at += sizeof size + size;
        }
    }
    printf("%zu %lld\n", items, (long long)(cpu_ns() - before));
    free(bodies);
    return sink == 0;
}
