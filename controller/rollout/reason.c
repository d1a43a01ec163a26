/* Filling in the sentences of the rollout table. */
#include "rollout/reason.h"

#include "base/number.h"
#include "base/utf8.h"
#include "decision/reporting.h"
#include "rollout/coarse.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* With about three digits, so that a rare failure does not read as none: "15.8 %", "0.81 %", "0.0053 %". */
static char *percent(double value, char out[32])
{
    snprintf(out, 32, value >= 10 || value == 0 ? "%.1f %%" : value >= 0.1 ? "%.2f %%" : "%.2g %%", value);
    return out;
}

static void share(int64_t n, int64_t k, char *out, size_t size)
{
    char n_text[32], k_text[32], rate[32];
    if (n == 0) {
        snprintf(out, size, "no requests");
        return;
    }
    snprintf(out, size, "%s of %s (%s)", number_count(k, k_text), number_count(n, n_text),
             percent(100.0 * (double)k / (double)n, rate));
}

void reason_counts(const struct counts *counts, char *out, size_t size)
{
    char canary[80], stable[80];
    share(counts->n_c, counts->k_c, canary, sizeof canary);
    share(counts->n_b, counts->k_b, stable, sizeof stable);
    snprintf(out, size, "canary %s, stable %s", canary, stable);
}

void reason_odds(double log_g, char *out, size_t size)
{
    char number[32];
    out[0] = '\0';
    if (!(log_g > 0))
        return;
    if (log_g > 20.7)
        snprintf(out, size, "a healthy canary would look this bad in fewer than 1 of 1,000,000,000 rollouts");
    else if (exp(log_g) >= 2)
        snprintf(out, size, "a healthy canary would look this bad in fewer than 1 of %s rollouts",
                 number_count((int64_t)exp(log_g), number));
}

/* What leaving this rollout does to the traffic; `state` is as before. */
static void back_text(const struct rollout_state *state, char *out, size_t size)
{
    const struct route_row *route = &state->route;
    if (state->row.stable[0] != '\0')
        snprintf(out, size, "all traffic %s %s", route->canary[0] != '\0' ? "goes to" : "stays at",
                 state->row.stable);
    else if (route->canary[0] == '\0')
        snprintf(out, size, "the service has no route, as before");
    else if (strcmp(route->rollout, state->row.id) == 0)
        snprintf(out, size, "the service has no route now, and gateways get 404");
    else
        snprintf(out, size, "%s serves on", route->canary);
}

static void evidence_text(const struct reason_context *context, char *out, size_t size)
{
    const struct snapshot *snapshot = context->snapshot;
    enum sli lead = (enum sli)snapshot->lead;
    char counts[200], odds[120];
    double log_g = fmax(snapshot->log_g_rel, snapshot->log_g_all);
    reason_counts(&context->state->evidence.evidence.sli[lead].total, counts, sizeof counts);
    reason_odds(log_g, odds, sizeof odds);
    snprintf(out, size, "%s: %s%s%s.", sli_name(lead), counts, odds[0] != '\0' ? "; " : "", odds);
}

void reason_weight(int64_t weight, char *out, size_t size)
{
    if (weight % 100 == 0)
        snprintf(out, size, "%" PRId64 " %%", weight / 100);
    else
        snprintf(out, size, "%.4g %%", (double)weight / 100.0);
}

/* How much of the newest block of admissions canary got. */
static void split_text(const struct reason_context *context, char *out, size_t size)
{
    double share_now = context->state->evidence.evidence.split.share;
    if (share_now < 0)
        snprintf(out, size, "another share");
    else
        snprintf(out, size, share_now < 0.1 ? "%.2f %%" : "%.1f %%", 100 * share_now);
}

static void coverage_text(const struct reason_context *context, char *out, size_t size)
{
    const struct counts *total =
        &context->state->evidence.evidence.sli[context->snapshot->lead].coverage_total;
    char canary[80], stable[80];
    share(total->n_c, total->k_c, canary, sizeof canary);
    share(total->n_b, total->k_b, stable, sizeof stable);
    snprintf(out, size, "Without it: canary %s, stable %s.", canary, stable);
}

/* What a gateway makes of a weight that was just set. */
static void coarse_after(const struct reason_context *context, char *out, size_t size)
{
    char says[COARSE_SAYS_MAX];
    out[0] = '\0';
    if (coarse_says(&context->state->coarsest, (int32_t)context->snapshot->new_weight, says))
        snprintf(out, size, " %s", says);
}

static void slis_text(int64_t set, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < SLI_COUNT && used < size; i++)
        if (set & 1 << i)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "",
                                     sli_name((enum sli)i));
}

/* How an SLI comes with OpenTelemetry, and with an outcome. */
static void put_report_as(enum sli sli, char *out, size_t size)
{
    const char *name = sli_name(sli);
    if (sli == SLI_TTFT)
        snprintf(out, size,
                 "%s (OpenTelemetry: gen_ai.response.time_to_first_chunk, in seconds; outcomes: ttft_ms)",
                 name);
    else if (sli_latency(sli) || sli == SLI_TIMEOUT)
        snprintf(out, size, "%s (OpenTelemetry: a span's start and end; outcomes: latency_ms)", name);
    else
        snprintf(out, size,
                 "%s (OpenTelemetry: the attribute serin.sli.%s, true or false; outcomes: %s in sli)", name,
                 name, name);
}

void reason_report_as(int64_t set, char *out, size_t size)
{
    char one[200];
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < SLI_COUNT && used < size; i++) {
        if ((set >> i & 1) == 0)
            continue;
        put_report_as((enum sli)i, one, sizeof one);
        used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? " and " : "Report ", one);
    }
}

bool reason_by_nobody(const struct rollout_state *state, int64_t set)
{
    bool by_nobody = true;
    for (int i = 0; i < SLI_COUNT; i++) {
        struct counts step = reporting_of(&state->evidence.evidence, (enum sli)i, false);
        struct counts all = reporting_of(&state->evidence.evidence, (enum sli)i, true);
        if ((set >> i & 1) != 0)
            by_nobody = by_nobody && (reporting_stable_without(&step) || reporting_stable_without(&all));
    }
    return by_nobody;
}

static void unreported_text(const struct reason_context *context, char *out, size_t size)
{
    int64_t set = context->snapshot->unreported;
    char slis[240];
    slis_text(set, slis, sizeof slis);
    if (reason_by_nobody(context->state, set))
        snprintf(out, size, "nobody reports %s", slis);
    else
        snprintf(out, size, "no request of %s has %s", context->state->row.release, slis);
}

/* How many requests came without the SLIs that nobody reports in this step: the most of them. */
static void without_text(const struct reason_context *context, char *out, size_t size)
{
    const struct evidence *evidence = &context->state->evidence.evidence;
    int64_t most = 0, set = context->snapshot->unreported;
    char number[32];
    for (int i = 0; i < SLI_COUNT; i++) {
        struct counts step = reporting_of(evidence, (enum sli)i, false);
        if ((set >> i & 1) != 0 && step.n_c > most)
            most = step.n_c;
    }
    snprintf(out, size, "Requests of %s that were counted in this step: %s, none of them with %s.",
             context->state->row.release, number_count(most, number),
             (set & (set - 1)) != 0 ? "any of these" : "it");
}

static void duration_text(int64_t seconds, char *out, size_t size)
{
    char text[CLOCK_TEXT_MAX];
    snprintf(out, size, "%s", clock_format_human(seconds * 1000, text));
}

static int64_t next_weight(const struct reason_context *context)
{
    const struct rollout_state *state = context->state;
    size_t next = (size_t)context->snapshot->step; /* index of the step after the present one */
    return next < state->plan.steps ? plan_weight(&state->plan, &state->spec.policy, next) : WEIGHT_FULL;
}

/* Names of the newest alerts that fire; `canary`: of those that name the canary. */
static void alerts_text(const struct rollout_state *state, bool canary, char *out, size_t size)
{
    enum { NAMED = 3 };
    int64_t all = state->alerts.canary + (canary ? 0 : state->alerts.others);
    size_t used = 0;
    int named = 0;
    out[0] = '\0';
    for (int i = 0; i < state->alert_count && named < NAMED && used < size; i++) {
        if (canary && strcmp(state->alert[i].release, state->row.release) != 0)
            continue;
        used +=
            (size_t)snprintf(out + used, size - used, "%s%s", named > 0 ? ", " : "", state->alert[i].name);
        named++;
    }
    if (all > named && used < size)
        snprintf(out + used, size - used, " (and %" PRId64 " more)", all - named);
}

/* What is wrong with the metrics source and what to do; nothing while it answers well. */
static void source_text(const struct rollout_state *state, char *out, size_t size)
{
    const struct fault *fault = &state->source_fault;
    out[0] = '\0';
    if (state->source != SOURCE_WELL)
        snprintf(out, size, " %s. %s", fault->detail, fault->next_step);
}

/* Text of one placeholder. Unknown ones are ours: they stay visible. */
static void place(const char *name, const struct reason_context *context, char *out, size_t size)
{
    const struct rollout_row *row = &context->state->row;
    const struct snapshot *snapshot = context->snapshot;
    if (strcmp(name, "release") == 0)
        snprintf(out, size, "%s", row->release);
    else if (strcmp(name, "stable") == 0)
        snprintf(out, size, "%s",
                 row->stable[0] != '\0' ? row->stable : "nothing (there is no stable release)");
    else if (strcmp(name, "back") == 0)
        back_text(context->state, out, size);
    else if (strcmp(name, "service") == 0)
        snprintf(out, size, "%s", row->service);
    else if (strcmp(name, "id") == 0)
        snprintf(out, size, "%s", row->id);
    else if (strcmp(name, "corpora") == 0)
        snprintf(out, size, "%s", context->state->world.corpora);
    else if (strcmp(name, "phase") == 0)
        snprintf(out, size, "%s", phase_name(row->phase));
    else if (strcmp(name, "lead") == 0)
        snprintf(out, size, "%s", sli_name((enum sli)snapshot->lead));
    else if (strcmp(name, "evidence") == 0)
        evidence_text(context, out, size);
    else if (strcmp(name, "weight") == 0)
        reason_weight(snapshot->step == 0 ? next_weight(context) : snapshot->weight, out, size);
    else if (strcmp(name, "new_weight") == 0)
        reason_weight(snapshot->new_weight, out, size);
    else if (strcmp(name, "coarse") == 0)
        coarse_after(context, out, size);
    else if (strcmp(name, "lower") == 0)
        coarse_lower(&context->state->coarsest, (int32_t)snapshot->weight, out, size);
    else if (strcmp(name, "next_weight") == 0)
        reason_weight(next_weight(context), out, size);
    else if (strcmp(name, "step") == 0)
        snprintf(out, size, "%" PRId64, snapshot->step);
    else if (strcmp(name, "steps") == 0)
        snprintf(out, size, "%" PRId64, snapshot->steps);
    else if (strcmp(name, "requests") == 0)
        number_count(snapshot->step_requests, out);
    else if (strcmp(name, "uncounted") == 0)
        slis_text(snapshot->uncounted, out, size);
    else if (strcmp(name, "unreported") == 0)
        unreported_text(context, out, size);
    else if (strcmp(name, "without") == 0)
        without_text(context, out, size);
    else if (strcmp(name, "min_requests") == 0)
        number_count(snapshot->min_requests > 0 ? snapshot->min_requests : 1, out);
    else if (strcmp(name, "bake") == 0)
        duration_text(snapshot->bake_s, out, size);
    else if (strcmp(name, "deadline") == 0)
        duration_text(snapshot->deadline_s, out, size);
    else if (strcmp(name, "blind") == 0)
        duration_text((snapshot->now_ms - snapshot->blind_since_ms) / 1000, out, size);
    else if (strcmp(name, "paused_limit") == 0)
        duration_text(snapshot->paused_limit_s, out, size);
    else if (strcmp(name, "alarms") == 0)
        slis_text(snapshot->alarms, out, size);
    else if (strcmp(name, "failed") == 0)
        slis_text(snapshot->failed, out, size);
    else if (strcmp(name, "notices") == 0)
        slis_text(snapshot->notices, out, size);
    else if (strcmp(name, "burn_alarms") == 0)
        slis_text(snapshot->burn_alarms, out, size);
    else if (strcmp(name, "burn_notices") == 0)
        slis_text(snapshot->burn_notices, out, size);
    else if (strcmp(name, "burning") == 0)
        slis_text(snapshot->burning, out, size);
    else if (strcmp(name, "late") == 0)
        slis_text(snapshot->late, out, size);
    else if (strcmp(name, "share") == 0)
        split_text(context, out, size);
    else if (strcmp(name, "alerts") == 0)
        alerts_text(context->state, false, out, size);
    else if (strcmp(name, "canary_alerts") == 0)
        alerts_text(context->state, true, out, size);
    else if (strcmp(name, "source") == 0)
        source_text(context->state, out, size);
    else if (strcmp(name, "stray") == 0)
        number_count(snapshot->stray, out);
    else if (strcmp(name, "coverage") == 0)
        coverage_text(context, out, size);
    else if (strcmp(name, "muted") == 0)
        snprintf(out, size, "%s", context->muted != NULL ? context->muted : "");
    else if (strcmp(name, "until") == 0)
        snprintf(out, size, "%s", context->until != NULL ? context->until : "");
    else
        snprintf(out, size, "{%s}", name);
}

void reason_fill(const char *sentence, const struct reason_context *context, char *out, size_t size)
{
    size_t used = 0;
    for (const char *at = sentence; *at != '\0' && used + 1 < size;) {
        char name[32], value[900];
        const char *end = *at == '{' ? strchr(at, '}') : NULL;
        if (end == NULL || (size_t)(end - at - 1) >= sizeof name) {
            out[used++] = *at++;
            continue;
        }
        snprintf(name, sizeof name, "%.*s", (int)(end - at - 1), at + 1);
        place(name, context, value, sizeof value);
        used += (size_t)snprintf(out + used, size - used, "%s", value);
        at = end + 1;
    }
    if (used >= size)
        used = size - 1;
    out[used] = '\0';
    if (context->said != NULL && context->said[0] != '\0' && used + 1 < size)
        snprintf(out + used, size - used, " Reason given: %s", context->said);
    utf8_trim(out);
}
