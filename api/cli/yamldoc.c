/* From libyaml's events to json-c. */
#include "cli/yamldoc.h"

#include "base/text.h"
#include "cli/yamlscalar.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { ANCHORS_MAX = 256, PATH_MAX_BYTES = 256, NODE_COST = 64 };

struct anchor {
    char *name;                /* owned */
    struct json_object *value; /* owned */
    size_t cost, height;       /* height: levels of collections, 0 for a scalar */
};

struct reader {
    yaml_parser_t parser;
    const char *name, *data;
    size_t length;
    struct yamldoc *document; /* being read; lent */
    struct anchor anchor[ANCHORS_MAX];
    size_t anchors;
    size_t cost, depth, deepest;
    struct text path;
    struct fault *fault;
    enum status status;
};

static bool read_node(struct reader *reader, const yaml_event_t *event, struct json_object **out);

__attribute__((format(printf, 3, 4))) static bool wrong(struct reader *reader, size_t line,
                                                        const char *format, ...)
{
    char problem[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, sizeof problem, format, arguments);
    va_end(arguments);
    reader->status =
        fault_set(reader->fault, STATUS_MALFORMED, "%s:%zu: %s", reader->name, line + 1, problem);
    fault_next(reader->fault,
               "Mend that line; policy.md and getting-started.md in the handbook have examples.");
    return false;
}

static bool no_memory(struct reader *reader)
{
    reader->status = fault_set(reader->fault, STATUS_NO_MEMORY, "no memory for %s", reader->name);
    return false;
}

/* What libyaml says, with the line; bytes that are not UTF-8 have only an offset. */
static bool parser_failed(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    size_t line = parser->problem_mark.line;
    if (parser->error == YAML_MEMORY_ERROR) {
        return no_memory(reader);
    }
    if (parser->error == YAML_READER_ERROR) {
        line = 0;
        for (size_t i = 0; i < parser->problem_offset && i < reader->length; i++) {
            line += reader->data[i] == '\n' ? 1 : 0;
        }
    }
    return wrong(reader, line, "%s%s%s", parser->context != NULL ? parser->context : "",
                 parser->context != NULL ? ": " : "", parser->problem != NULL ? parser->problem : "not YAML");
}

/* The next event, to be deleted by the caller. */
static bool next(struct reader *reader, yaml_event_t *event)
{
    return yaml_parser_parse(&reader->parser, event) == 1 ? true : parser_failed(reader);
}

static bool spend(struct reader *reader, size_t cost, size_t line)
{
    if (cost > YAMLDOC_COST_MAX - reader->cost) {
        wrong(reader, line, "too much, with what aliases stand for");
        reader->status = STATUS_TOO_LARGE;
        if (reader->fault != NULL) {
            reader->fault->status = STATUS_TOO_LARGE;
        }
        return false;
    }
    reader->cost += cost;
    return true;
}

static bool remember_place(struct reader *reader, size_t line)
{
    struct yamldoc *document = reader->document;
    if (document->places == document->places_max) {
        size_t more = document->places_max == 0 ? 64 : 2 * document->places_max;
        struct yamldoc_place *place = realloc(document->place, more * sizeof *place);
        if (place == NULL) {
            return no_memory(reader);
        }
        document->place = place;
        document->places_max = more;
    }
    char *pointer = strdup(text_get(&reader->path));
    if (pointer == NULL) {
        return no_memory(reader);
    }
    document->place[document->places++] = (struct yamldoc_place){.pointer = pointer, .line = (int)line + 1};
    return true;
}

static bool define_anchor(struct reader *reader, const yaml_char_t *name, struct json_object *value,
                          size_t cost, size_t line)
{
    struct anchor *anchor = reader->anchor;
    while (anchor < reader->anchor + reader->anchors && strcmp(anchor->name, (const char *)name) != 0) {
        anchor++;
    }
    if (anchor == reader->anchor + ANCHORS_MAX) {
        return wrong(reader, line, "more than %d anchors", ANCHORS_MAX);
    }
    if (anchor == reader->anchor + reader->anchors) {
        anchor->name = strdup((const char *)name);
        if (anchor->name == NULL) {
            return no_memory(reader);
        }
        anchor->value = NULL;
        reader->anchors++;
    }
    json_object_put(anchor->value);
    anchor->value = json_object_get(value);
    anchor->cost = cost;
    anchor->height = reader->deepest - reader->depth;
    return true;
}

static void forget_anchors(struct reader *reader)
{
    for (size_t i = 0; i < reader->anchors; i++) {
        free(reader->anchor[i].name);
        json_object_put(reader->anchor[i].value);
    }
    reader->anchors = 0;
}

/* A copy of what the anchor names. An anchor is known once its node is complete, so nothing can hold itself.
 */
static bool read_alias(struct reader *reader, const yaml_event_t *event, struct json_object **out)
{
    const char *name = (const char *)event->data.alias.anchor;
    for (size_t i = 0; i < reader->anchors; i++) {
        const struct anchor *anchor = &reader->anchor[i];
        if (strcmp(anchor->name, name) != 0) {
            continue;
        }
        if (reader->depth + anchor->height > YAMLDOC_DEPTH_MAX) {
            return wrong(reader, event->start_mark.line, "nested deeper than %d", YAMLDOC_DEPTH_MAX);
        }
        if (!spend(reader, anchor->cost, event->start_mark.line)) {
            return false;
        }
        if (reader->depth + anchor->height > reader->deepest) {
            reader->deepest = reader->depth + anchor->height;
        }
        if (anchor->value != NULL && json_object_deep_copy(anchor->value, out, NULL) != 0) {
            return no_memory(reader);
        }
        return true;
    }
    return wrong(reader, event->start_mark.line, "there is no anchor &%.64s before this", name);
}

static bool read_scalar(struct reader *reader, const yaml_event_t *event, struct json_object **out)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    const char *problem = NULL;
    bool ok;
    if (event->data.scalar.plain_implicit) {
        ok = yamlscalar_plain(text, length, out, &problem);
    } else if (event->data.scalar.quoted_implicit) {
        ok = yamlscalar_tagged("!", text, length, out, &problem);
    } else {
        ok = yamlscalar_tagged((const char *)event->data.scalar.tag, text, length, out, &problem);
    }
    if (!ok) {
        return problem == NULL ? no_memory(reader)
                               : wrong(reader, event->start_mark.line, "%.60s: %s", text, problem);
    }
    return spend(reader, length, event->start_mark.line);
}

/* Adds "/name" to the path; returns its length before. */
static size_t enter(struct reader *reader, const char *name)
{
    size_t before = reader->path.length;
    text_putc(&reader->path, '/');
    for (; *name != '\0'; name++) {
        if (*name == '~' || *name == '/') {
            text_puts(&reader->path, *name == '~' ? "~0" : "~1");
        } else {
            text_putc(&reader->path, *name);
        }
    }
    return before;
}

static void leave(struct reader *reader, size_t before)
{
    reader->path.length = before;
    reader->path.broken = false;
    if (reader->path.data != NULL) {
        reader->path.data[before] = '\0';
    }
}

/* A node below the path, from its first event on. */
static bool read_below(struct reader *reader, const char *name, struct json_object **out)
{
    yaml_event_t event;
    size_t before = enter(reader, name);
    bool ok = next(reader, &event);
    if (ok) {
        ok = read_node(reader, &event, out);
        yaml_event_delete(&event);
    }
    leave(reader, before);
    return ok;
}

static bool read_sequence(struct reader *reader, struct json_object *array)
{
    for (;;) {
        yaml_event_t event;
        struct json_object *value = NULL;
        char index[24];
        if (!next(reader, &event)) {
            return false;
        }
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return true;
        }
        snprintf(index, sizeof index, "%zu", json_object_array_length(array));
        size_t before = enter(reader, index);
        bool ok = read_node(reader, &event, &value);
        leave(reader, before);
        yaml_event_delete(&event);
        if (ok && json_object_array_add(array, value) != 0) {
            ok = no_memory(reader);
        }
        if (!ok) {
            json_object_put(value);
            return false;
        }
    }
}

static bool check_key(struct reader *reader, const yaml_event_t *event, struct json_object *object)
{
    size_t line = event->start_mark.line;
    if (event->type != YAML_SCALAR_EVENT) {
        return wrong(reader, line, "a key must be a word or text");
    }
    const char *key = (const char *)event->data.scalar.value;
    if (strlen(key) != event->data.scalar.length) {
        return wrong(reader, line, "a key must not contain the NUL character");
    }
    if (strcmp(key, "<<") == 0 && event->data.scalar.plain_implicit) {
        return wrong(reader, line,
                     "merge keys (<<) are not read; write the fields out, or use an alias for all");
    }
    if (json_object_object_get_ex(object, key, NULL)) {
        return wrong(reader, line, "the key \"%.60s\" stands here twice", key);
    }
    return spend(reader, event->data.scalar.length, line);
}

static bool read_mapping(struct reader *reader, struct json_object *object)
{
    for (;;) {
        yaml_event_t key;
        struct json_object *value = NULL;
        if (!next(reader, &key)) {
            return false;
        }
        if (key.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&key);
            return true;
        }
        bool ok = check_key(reader, &key, object) &&
                  read_below(reader, (const char *)key.data.scalar.value, &value);
        if (ok && json_object_object_add(object, (const char *)key.data.scalar.value, value) != 0) {
            ok = no_memory(reader);
        }
        yaml_event_delete(&key);
        if (!ok) {
            json_object_put(value);
            return false;
        }
    }
}

/* A sequence or mapping may only bear the tag it has anyway. */
static bool check_tag(struct reader *reader, const yaml_char_t *tag, const char *own, size_t line)
{
    if (tag == NULL || strcmp((const char *)tag, "!") == 0 || strcmp((const char *)tag, own) == 0) {
        return true;
    }
    return wrong(reader, line, "the tag %.60s is not known", (const char *)tag);
}

static bool read_collection(struct reader *reader, const yaml_event_t *event, struct json_object **out)
{
    bool sequence = event->type == YAML_SEQUENCE_START_EVENT;
    size_t line = event->start_mark.line;
    if (!check_tag(reader, sequence ? event->data.sequence_start.tag : event->data.mapping_start.tag,
                   sequence ? YAML_SEQ_TAG : YAML_MAP_TAG, line)) {
        return false;
    }
    if (reader->depth == YAMLDOC_DEPTH_MAX) {
        return wrong(reader, line, "nested deeper than %d", YAMLDOC_DEPTH_MAX);
    }
    struct json_object *value = sequence ? json_object_new_array() : json_object_new_object();
    if (value == NULL) {
        return no_memory(reader);
    }
    reader->depth++;
    if (reader->depth > reader->deepest) {
        reader->deepest = reader->depth;
    }
    bool ok = sequence ? read_sequence(reader, value) : read_mapping(reader, value);
    reader->depth--;
    if (!ok) {
        json_object_put(value);
        return false;
    }
    *out = value;
    return true;
}

static bool read_node(struct reader *reader, const yaml_event_t *event, struct json_object **out)
{
    const yaml_char_t *anchor = NULL;
    size_t line = event->start_mark.line, before = reader->cost, deepest = reader->deepest;
    bool ok;
    *out = NULL;
    reader->deepest = reader->depth;
    if (!spend(reader, NODE_COST, line) || !remember_place(reader, line)) {
        return false;
    }
    if (event->type == YAML_ALIAS_EVENT) {
        ok = read_alias(reader, event, out);
    } else if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        ok = read_scalar(reader, event, out);
    } else {
        anchor = event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.anchor
                                                          : event->data.mapping_start.anchor;
        ok = read_collection(reader, event, out);
    }
    if (ok && anchor != NULL) {
        ok = define_anchor(reader, anchor, *out, reader->cost - before, line);
    }
    reader->deepest = reader->deepest > deepest ? reader->deepest : deepest;
    if (!ok) {
        json_object_put(*out);
        *out = NULL;
    }
    return ok;
}

static void free_document(struct yamldoc *document)
{
    for (size_t i = 0; i < document->places; i++) {
        free(document->place[i].pointer);
    }
    free(document->place);
    json_object_put(document->value);
    *document = (struct yamldoc){0};
}

/* The document whose start event was just read. An empty one is not kept. */
static bool read_document(struct reader *reader, struct yamldoc_stream *out, size_t line)
{
    yaml_event_t event;
    if (out->documents == YAMLDOC_MAX) {
        return wrong(reader, line, "more than %d documents", YAMLDOC_MAX);
    }
    struct yamldoc *all = realloc(out->document, (out->documents + 1) * sizeof *all);
    if (all == NULL) {
        return no_memory(reader);
    }
    out->document = all;
    reader->document = &all[out->documents];
    *reader->document = (struct yamldoc){0};
    bool ok = next(reader, &event);
    if (ok) {
        ok = read_node(reader, &event, &reader->document->value);
        yaml_event_delete(&event);
    }
    forget_anchors(reader);
    if (!ok || reader->document->value == NULL) {
        free_document(reader->document);
        return ok;
    }
    out->documents++;
    return true;
}

static bool read_stream(struct reader *reader, struct yamldoc_stream *out)
{
    for (;;) {
        yaml_event_t event;
        if (!next(reader, &event)) {
            return false;
        }
        yaml_event_type_t type = event.type;
        size_t line = event.start_mark.line;
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT) {
            return true;
        }
        if (type == YAML_DOCUMENT_START_EVENT && !read_document(reader, out, line)) {
            return false;
        }
    }
}

enum status yamldoc_read(const char *data, size_t length, const char *name, struct yamldoc_stream *out,
                         struct fault *fault)
{
    *out = (struct yamldoc_stream){0};
    if (length > YAMLDOC_BYTES_MAX) {
        fault_set(fault, STATUS_TOO_LARGE, "%s is larger than %d MiB", name, YAMLDOC_BYTES_MAX >> 20);
        fault_next(fault, "Give less at once, such as a file for each service.");
        return STATUS_TOO_LARGE;
    }
    struct reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL || yaml_parser_initialize(&reader->parser) != 1) {
        free(reader);
        return fault_set(fault, STATUS_NO_MEMORY, "no memory for %s", name);
    }
    reader->name = name;
    reader->data = data;
    reader->length = length;
    reader->fault = fault;
    text_init(&reader->path, PATH_MAX_BYTES);
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)data, length);
    bool ok = read_stream(reader, out);
    enum status status = ok ? STATUS_OK : reader->status;
    yaml_parser_delete(&reader->parser);
    text_free(&reader->path);
    free(reader);
    if (!ok) {
        yamldoc_free(out);
    }
    return status;
}

void yamldoc_free(struct yamldoc_stream *stream)
{
    for (size_t i = 0; i < stream->documents; i++) {
        free_document(&stream->document[i]);
    }
    free(stream->document);
    *stream = (struct yamldoc_stream){0};
}

int yamldoc_line(const struct yamldoc *document, const char *pointer)
{
    size_t best = 0;
    int line = document->places > 0 ? document->place[0].line : 1;
    for (size_t i = 0; i < document->places; i++) {
        const char *at = document->place[i].pointer;
        size_t length = strlen(at);
        if (length >= best && strncmp(at, pointer, length) == 0 &&
            (pointer[length] == '\0' || pointer[length] == '/')) {
            best = length;
            line = document->place[i].line;
        }
    }
    return line;
}
