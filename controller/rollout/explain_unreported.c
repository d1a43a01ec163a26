/* SLIs that are watched and that nobody reports: what is said of them in an explanation. */
#include "base/number.h"
#include "decision/reporting.h"
#include "rollout/explain.h"
#include "rollout/reason.h"

#include <math.h>
#include <stdio.h>

uint32_t explain_unreported(const struct rollout_state *state)
{
    bool serves = phase_live(state->row.phase) && state->row.step >= 1;
    return serves ? reporting_missing(&state->evidence.evidence, &state->spec.policy, state->muted, INFINITY)
                  : 0;
}

/* How an SLI lacks. Few requests without it say nothing: it may be of a kind, or a sample. */
enum lack { REPORTED, BY_NOBODY, OF_CANARY_ALONE, NOT_OF_CANARY, NOT_IN_STEP, OF_CANARY_IN_STEP };

static const double expected_min = 10; /* of canary's requests, at the share of stable's */

static enum lack find_lack(const struct rollout_state *state, enum sli sli)
{
    struct counts all = reporting_of(&state->evidence.evidence, sli, true);
    struct counts step = reporting_of(&state->evidence.evidence, sli, false);
    double share = all.n_b > 0 ? (double)(all.n_b - all.k_b) / (double)all.n_b : 0;
    if (reporting_nobody(&all) && reporting_outcomes(&all) >= REPORTING_MIN)
        return reporting_stable_without(&all) ? BY_NOBODY : OF_CANARY_ALONE;
    if (reporting_canary_without(&all) && share * (double)all.n_c >= expected_min)
        return NOT_OF_CANARY;
    if (reporting_nobody(&step) && reporting_outcomes(&step) >= REPORTING_MIN)
        return reporting_stable_without(&step) ? NOT_IN_STEP : OF_CANARY_IN_STEP;
    return REPORTED;
}

const char *explain_unreported_short(const struct rollout_state *state, enum sli sli)
{
    static const char *const words[] = {NULL,
                                        "nobody reports it",
                                        "no request of the canary has it",
                                        "it is not reported for the canary",
                                        "nobody reports it in this step",
                                        "no request of the canary in this step has it"};
    return words[find_lack(state, sli)];
}

bool explain_unreported_words(const struct rollout_state *state, enum sli sli, char *out, size_t size)
{
    const struct evidence *evidence = &state->evidence.evidence;
    struct counts all = reporting_of(evidence, sli, true), step = reporting_of(evidence, sli, false);
    char report[240], canary[32], stable[32], with[32], counts[200];
    const char *name = sli_name(sli);
    reason_report_as(INT64_C(1) << sli, report, sizeof report);
    switch (find_lack(state, sli)) {
    case BY_NOBODY:
        snprintf(
            out, size,
            "Nobody reports %s. Requests of the canary that were counted: %s, none of them with it. %s, or "
            "take it out of the objectives.",
            name, number_count(all.n_c, canary), report);
        return true;
    case OF_CANARY_ALONE:
        snprintf(
            out, size,
            "No request of the canary has %s: %s were counted, and none of stable that could tell more. %s, "
            "or take it out of the objectives.",
            name, number_count(all.n_c, canary), report);
        return true;
    case NOT_OF_CANARY:
        snprintf(
            out, size,
            "%s is not reported for the canary: of its requests %s were counted, none with it; of stable's, "
            "%s of %s have it. Look at what measures it.",
            name, number_count(all.n_c, canary), number_count(all.n_b - all.k_b, with),
            number_count(all.n_b, stable));
        return true;
    case NOT_IN_STEP:
        reason_counts(&evidence->sli[sli].total, counts, sizeof counts);
        snprintf(
            out, size,
            "Nobody reports %s in this step. Requests of the canary that were counted in it: %s, none of "
            "them with it. Before: %s. %s.",
            name, number_count(step.n_c, canary), counts, report);
        return true;
    case OF_CANARY_IN_STEP:
        reason_counts(&evidence->sli[sli].total, counts, sizeof counts);
        snprintf(out, size,
                 "No request of the canary in this step has %s: %s were counted in it, and none of stable. "
                 "Before: %s. %s.",
                 name, number_count(step.n_c, canary), counts, report);
        return true;
    case REPORTED:
        break;
    }
    return false;
}

bool explain_unreported_next(const struct rollout_state *state, char *out, size_t size)
{
    char report[900];
    uint32_t set = explain_unreported(state);
    if (set == 0 || state->row.phase == PHASE_PAUSED)
        return false;
    reason_report_as(set, report, sizeof report);
    const char *lacks = reason_by_nobody(state, set) ? "nobody does" : "no request of the canary has it";
    if (state->spec.policy.pace == PACE_TIME)
        snprintf(out, size, "%s: %s, so that nothing of it is watched while the plan goes on by time.",
                 report, lacks);
    else
        snprintf(out, size,
                 "%s: %s, and it waits for that. Or take it out of the objectives, which "
                 "counts from "
                 "the next rollout on; this one goes on with: serin rollout promote %s.",
                 report, lacks, state->row.id);
    return true;
}
