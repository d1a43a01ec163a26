// SEES: gateway sources http store spec decision base
/* Any body of POST /v1/logs is refused or becomes points that can be counted. */
#include "otlp_feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    otlp_feed(data, size, events_read, otlp_check_points);
    return 0;
}
