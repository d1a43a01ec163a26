// SEES: decision
/* Fuzzes the reader of stored evidence. What it accepts is written and read back to the bit, and can be gone
 * on with. */
#include "decision/evidence.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_up(struct policy *policy, struct plan *plan)
{
    struct slos slos;
    memset(&slos, 0, sizeof slos);
    for (int i = 0; i < SLI_COUNT; i++)
        slos.of[i] = (struct slo){.used = true, .objective_ppm = 990000};
    policy_default(&slos, policy);
    plan_default(plan);
    for (int i = 0; i < SLI_COUNT; i++)
        policy->guardrail[i].allowed = 100;
}

/* Whatever was read, the next tick, judgement and replay of it must be safe. */
static void go_on(struct evidence *evidence)
{
    static struct policy policy;
    static struct plan plan;
    set_up(&policy, &plan);
    const struct sli_counts counts = {
        .strata = 2, .stratum = {{50, 3, 950, 19}, {5, 0, 90, 1}}, .coverage = {{60, 5, 1100, 60}}};
    double t_s = evidence->now_s > 0 && evidence->now_s < 1e9 ? evidence->now_s : 0;
    for (int i = 0; i < SLI_COUNT; i++) {
        struct block closed[2];
        int count = evidence_tick(evidence, &policy, &plan, (enum sli)i, QUALITY_COMPLETION, t_s, 1, &counts,
                                  true, false, closed);
        for (int b = 0; b < count; b++)
            evidence_block(evidence, &policy, &plan, &closed[b]);
        evidence_eta_s(evidence, &policy, &plan, 1, (enum sli)i);
        evidence_burning(evidence, &policy, (enum sli)i);
        evidence_verdict(evidence, &policy, (enum sli)i, t_s, false);
    }
    struct admissions tick = {t_s, 60, 50, 950, 500, 500};
    struct split_block closed;
    evidence_admissions(evidence, &policy, &tick, &closed);
    evidence_weight(evidence, t_s + 1, 500, true);
    evidence_judge(evidence, &policy, 0, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char bytes[EVIDENCE_CODEC_MAX], again[EVIDENCE_CODEC_MAX];
    static struct evidence evidence, back;
    if (!evidence_decode(data, size, &evidence))
        return 0;
    size_t length = evidence_encode(&evidence, bytes);
    memset(&back, 0x5a, sizeof back);
    if (!evidence_decode(bytes, length, &back) || evidence_encode(&back, again) != length ||
        memcmp(bytes, again, length) != 0)
        abort();
    go_on(&evidence);
    return 0;
}
