/* A rollout in memory. Each turn is the daemon's commit of a tick without its rows. */
#include "decision/offline.h"

#include <string.h>

/* Of the course's clock at time 0: its zero means "never". */
static const int64_t epoch_us = 1000000;

static int64_t at_us(double s)
{
    return epoch_us + (int64_t)(s * 1e6 + 0.5);
}

void offline_init(struct offline *offline, const struct policy *policy, const struct plan *plan,
                  const struct offline_options *options)
{
    memset(offline, 0, sizeof *offline);
    offline->policy = *policy;
    offline->plan = *plan;
    offline->options = *options;
    offline->course = course_begin(epoch_us, options->has_stable, options->fix);
    offline->written_s = -1;
    evidence_init(&offline->evidence, policy, plan, options->tick_s);
}

/* When every gateway had the newest weight; 0 = not yet. */
static int64_t applied_us(const struct offline *offline, double now_s)
{
    double applied_s = offline->written_s + offline->options.apply_s;
    return offline->written_s >= 0 && applied_s <= now_s ? at_us(applied_s) : 0;
}

void offline_turn(struct offline *offline, double now_s)
{
    if (applied_us(offline, now_s) != 0)
        evidence_weight_applied(&offline->evidence, offline->written_s + offline->options.apply_s);
}

int offline_count(struct offline *offline, enum sli sli, double t_s, double dt_s,
                  const struct sli_counts *counts, struct block closed[2])
{
    bool draining = offline->rule != NULL && (offline->rule->effects & EFFECT_DRAIN) != 0;
    return evidence_tick(&offline->evidence, &offline->policy, &offline->plan, sli, offline->options.quality,
                         t_s, dt_s, counts, policy_gives_rate(&offline->policy, sli), draining, closed);
}

bool offline_admissions(struct offline *offline, double t_s, double dt_s, int64_t canary, int64_t stable,
                        struct split_block *closed)
{
    struct admissions tick = {.t_s = t_s, .dt_s = dt_s, .n_c = canary, .n_b = stable};
    evidence_weight_range(&offline->evidence, t_s, t_s + dt_s, &tick.w_lo, &tick.w_hi);
    return evidence_admissions(&offline->evidence, &offline->policy, &tick, closed);
}

static void take_snapshot(struct offline *offline, double now_s, int32_t new_weight, bool blind_rollback,
                          struct snapshot *out)
{
    struct surroundings around = {.now_us = at_us(now_s),
                                  .frozen = offline->frozen,
                                  .corpora_ready = !offline->corpora_pending,
                                  .muted = offline->muted,
                                  .late = offline->late,
                                  .stray = offline->stray,
                                  .blind_rollback = blind_rollback};
    course_snapshot(&offline->course, &around, &offline->policy, &offline->plan, &offline->evidence,
                    new_weight, out);
}

/* The gateways' weight, and what the evidence hears of it. */
static void write_route(struct offline *offline, const struct decision *decision, double now_s,
                        int32_t new_weight)
{
    const enum effect any =
        EFFECT_ROUTE_STEP | EFFECT_ROUTE_STABLE | EFFECT_ROUTE_PROMOTE | EFFECT_ROUTE_WEIGHT;
    if ((decision->rule->effects & any) == 0)
        return;
    int32_t weight = course_weight(&offline->course, &offline->policy, &offline->plan, decision, new_weight);
    if (weight == offline->course.weight)
        return;
    offline->weight_before = offline_weight_at(offline, now_s);
    offline->course.weight = weight;
    offline->written_s = now_s;
    if (weight > 0)
        evidence_weight(&offline->evidence, now_s, weight,
                        (decision->rule->effects & EFFECT_ROUTE_STEP) != 0);
}

static struct offline_decision run(struct offline *offline, double now_s, enum verb verb, int32_t new_weight,
                                   bool blind_rollback)
{
    struct offline_decision out;
    memset(&out, 0, sizeof out);
    struct course before = offline->course;
    take_snapshot(offline, now_s, new_weight, blind_rollback, &out.snapshot);
    struct decision decision = decide(&out.snapshot, verb);
    out.rule = decision.rule;
    if ((decision.rule->effects & EFFECT_REFUSE) == 0) {
        write_route(offline, &decision, now_s, new_weight);
        course_move(&offline->course, &decision, at_us(now_s));
        offline->course.alarmed |= course_acted_on(decision.rule, &out.snapshot);
    }
    out.phase = offline->course.phase;
    out.step = offline->course.step;
    out.weight = offline->course.weight;
    bool moved = out.phase != before.phase || out.step != before.step || out.weight != before.weight;
    bool speaks = decision.rule->sentence[0] != '\0' && verb == VERB_TICK;
    out.changed =
        moved || (speaks && decision.rule != offline->rule) || (decision.rule->effects & EFFECT_ALARM) != 0;
    if (moved || speaks)
        offline->rule = decision.rule;
    return out;
}

/* A guardrail that may act has no data; *back: one of them asks to roll back then. */
static bool blinded(const struct offline *offline, double now_s, bool blind, bool *back)
{
    bool any = false;
    *back = false;
    for (int i = 0; i < SLI_COUNT; i++) {
        if (!offline->policy.guardrail[i].used || (offline->muted >> i & 1) != 0 ||
            !course_blinds(
                course_verdict(&offline->evidence, &offline->policy, (enum sli)i, now_s, blind, SOURCE_WELL)))
            continue;
        any = true;
        *back |= policy_on_blind(&offline->policy, (enum sli)i) == BLIND_ROLLBACK;
    }
    return any;
}

struct offline_decision offline_decide(struct offline *offline, double now_s, bool blind)
{
    offline_turn(offline, now_s);
    /* judged first, as the daemon does: what is latched here is known to the verdicts below */
    struct snapshot ignored;
    bool back;
    take_snapshot(offline, now_s, 0, false, &ignored);
    bool missing = blinded(offline, now_s, blind, &back);
    course_note(&offline->course, applied_us(offline, now_s), at_us(now_s), missing);
    course_note_burns(&offline->course, &offline->evidence, &offline->policy);
    return run(offline, now_s, VERB_TICK, 0, back);
}

struct offline_decision offline_command(struct offline *offline, double now_s, enum verb verb,
                                        int32_t new_weight)
{
    return run(offline, now_s, verb, new_weight, false);
}

int32_t offline_weight_at(const struct offline *offline, double t_s)
{
    bool applied = offline->written_s >= 0 && t_s >= offline->written_s + offline->options.apply_s;
    return applied ? offline->course.weight : offline->weight_before;
}

bool offline_ended(const struct offline *offline)
{
    return !phase_live(offline->course.phase);
}
