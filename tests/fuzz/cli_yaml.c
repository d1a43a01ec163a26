// SEES: base decision spec cli
/* Fuzzes the YAML reader: what it accepts is JSON that our own strict reader takes back, within the bounds;
   what it refuses has a reason with a line. */
#include "base/json.h"
#include "cli/yamldoc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A string may hold what JSON can say and our reader takes; numbers and keys were checked by the reader. */
static void check(const struct yamldoc *document)
{
    struct text text;
    struct json_object *again = NULL;
    struct fault fault = {0};
    text_init(&text, 256 << 20);
    if (json_canonical(document->value, &text) != STATUS_OK ||
        json_parse(text_get(&text), text.length, &again, &fault) != STATUS_OK) {
        abort();
    }
    json_object_put(again);
    text_free(&text);
    for (size_t i = 0; i < document->places; i++) {
        if (document->place[i].line < 1 || yamldoc_line(document, document->place[i].pointer) < 1) {
            abort();
        }
        i += document->places / 16;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yamldoc_stream stream;
    struct fault fault = {0};
    if (yamldoc_read((const char *)data, size, "fuzz", &stream, &fault) != STATUS_OK) {
        if (stream.documents != 0 || strncmp(fault.detail, "fuzz:", 5) != 0) {
            abort();
        }
        return 0;
    }
    for (size_t i = 0; i < stream.documents; i++) {
        check(&stream.document[i]);
    }
    yamldoc_free(&stream);
    return 0;
}
