/* Counting one outcome. */
#include "gateway/outcome.h"

int64_t outcome_bucket(struct wall_time now, int64_t age_ms)
{
    int64_t us = now.us - age_ms * 1000;
    return us >= 0 ? us / 1000000 : -((-us + 999999) / 1000000);
}

static void judge(struct outcome *outcome, enum sli sli, int64_t measured_ms, int64_t threshold_ms)
{
    if (outcome->sli[sli] != OUTCOME_ABSENT || measured_ms < 0 || threshold_ms <= 0)
        return;
    outcome->sli[sli] = sli_over(sli, measured_ms, threshold_ms) ? OUTCOME_BAD : OUTCOME_GOOD;
}

void outcome_judge(struct outcome *outcome, const struct rules *rules)
{
    judge(outcome, SLI_TTFT, outcome->ttft_ms, rules->ttft_ms);
    judge(outcome, SLI_LATENCY, outcome->latency_ms, rules->latency_ms);
    judge(outcome, SLI_TIMEOUT, outcome->latency_ms, rules->timeout_ms);
}

void outcome_count(const struct outcome *outcome, const struct rules *rules, int64_t lag_ms,
                   struct counts_entry *entry)
{
    int64_t known_ms = outcome->age_ms + lag_ms; /* after its admission */
    bool in_time = known_ms <= rules->oldest_ms;
    for (int i = 0; i < SLI_COUNT; i++) {
        bool bad = outcome->sli[i] == OUTCOME_BAD;
        if (outcome->sli[i] == OUTCOME_ABSENT) {
            entry->absent[i] += in_time;
            continue;
        }
        bool mature = known_ms > rules->maturity_ms[i];
        entry->n[i] += !mature || in_time;
        *(mature ? &entry->late[i] : &entry->k[i]) += bad;
    }
    if (!in_time) {
        entry->late_outcomes++;
        return;
    }
    entry->outcomes++;
    for (int i = 0; i < COUNTS_SUMS; i++) {
        entry->sums[i] += outcome->has[i] ? outcome->value[i] : 0;
        entry->summed[i] += outcome->has[i];
    }
}
