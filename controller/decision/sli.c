/* Names and kinds of the SLIs. */
#include "decision/sli.h"

#include <string.h>

static const struct {
    const char *name;
    bool deadline, latency;
} table[] = {
#define X(name, text, deadline, latency) {text, deadline, latency},
    SLI_TABLE(X)
#undef X
};

const char *sli_name(enum sli sli)
{
    return table[sli].name;
}

bool sli_parse(const char *text, enum sli *out)
{
    for (int i = 0; i < SLI_COUNT; i++)
        if (strcmp(table[i].name, text) == 0) {
            *out = (enum sli)i;
            return true;
        }
    return false;
}

bool sli_deadline(enum sli sli)
{
    return table[sli].deadline;
}

bool sli_latency(enum sli sli)
{
    return table[sli].latency;
}

bool sli_over(enum sli sli, int64_t measured_ms, int64_t threshold_ms)
{
    return sli == SLI_TIMEOUT ? measured_ms >= threshold_ms : measured_ms > threshold_ms;
}
