// SEES: base decision spec cli
/* Fuzzes the reader of outcomes: what it accepts has its places within bounds and nothing bad that was not
   measured; what it refuses has a reason with the file's name. */
#include "cli/outcomes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct outcomes *outcomes, const struct outcome *outcome)
{
    bool release = outcome->release >= 0 && (size_t)outcome->release < outcomes->releases.count;
    bool key = outcome->key == -1 || (outcome->key >= 0 && (size_t)outcome->key < outcomes->keys.count);
    bool stratum = outcome->stratum == -1 ||
                   (outcome->stratum >= 0 && (size_t)outcome->stratum < outcomes->strata.count);
    bool slis = (outcome->bad & ~outcome->known) == 0 && outcome->known >> SLI_COUNT == 0;
    bool times = outcome->ttft_ms >= -1 && outcome->latency_ms >= -1 && !isinf(outcome->arrival_s);
    if ((outcomes->has_release && !release) || !key || !stratum || !slis || !times || outcome->line < 1) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const ignored[] = {"id", NULL};
    struct outcomes outcomes;
    struct fault fault = {0};
    struct slos slos;
    memset(&slos, 0, sizeof slos);
    slos.of[SLI_TTFT] = (struct slo){.used = true, .objective_ppm = 950000, .threshold_ms = 1000};
    slos.of[SLI_TIMEOUT] = (struct slo){.used = true, .objective_ppm = 990000, .threshold_ms = 60000};
    if (outcomes_read((const char *)data, size, "fuzz", ignored, &outcomes, &fault) != STATUS_OK) {
        if (outcomes.item != NULL || outcomes.releases.count != 0 || strncmp(fault.detail, "fuzz:", 5) != 0) {
            abort();
        }
        return 0;
    }
    outcomes_judge(&outcomes, &slos);
    for (size_t i = 0; i < outcomes.count; i++) {
        check(&outcomes, &outcomes.item[i]);
    }
    for (size_t i = 0; i < outcomes.releases.count; i++) {
        if (outcomes_release(&outcomes, outcomes.releases.word[i]) != (int32_t)i) {
            abort();
        }
    }
    outcomes_free(&outcomes);
    return 0;
}
