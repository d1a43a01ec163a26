// SEES: base
/* Any bytes as gzip: never more comes out than the limit, and nothing is kept of what is refused. */
#include "base/gunzip.h"

#include <stdint.h>
#include <stdlib.h>

enum { LIMIT = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text out;
    struct fault fault = {.status = STATUS_OK};
    text_init(&out, LIMIT);
    enum status status = gunzip((const char *)data, size, &out, &fault);
    if (out.length > LIMIT || (status != STATUS_OK && (out.data != NULL || fault.detail[0] == '\0')))
        abort();
    text_free(&out);
    return 0;
}
