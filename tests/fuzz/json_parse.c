/* Fuzz target: what the strict reader accepts has a canonical form, which reads back to itself.
   SEES: base */
#include "base/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int reads_back(const struct text *text, struct text *again)
{
    struct json_object *value = NULL;
    if (json_parse(text_get(text), text->length, &value, NULL) != STATUS_OK) {
        return 0;
    }
    enum status status = json_canonical(value, again);
    json_object_put(value);
    return status == STATUS_OK && again->length == text->length &&
           memcmp(text_get(again), text_get(text), text->length) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_object *value = NULL;
    struct fault fault = {0};
    struct text first, second;
    enum status status = json_parse((const char *)data, size, &value, &fault);
    if (status != STATUS_OK) {
        if (value != NULL || fault.status != status || fault.detail[0] == '\0') {
            abort();
        }
        return 0;
    }
    text_init(&first, 64 * size + 64);
    text_init(&second, 64 * size + 64);
    if (json_canonical(value, &first) != STATUS_OK || !reads_back(&first, &second)) {
        abort();
    }
    text_free(&first);
    text_free(&second);
    json_object_put(value);
    return 0;
}
