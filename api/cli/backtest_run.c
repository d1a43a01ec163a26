/* One rollout of a backtest: seconds are admitted, mature, and are decided on, as in the daemon. */
#include "cli/backtest.h"
#include "decision/shares.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Seconds that were admitted and have not matured for every SLI. */
struct ring {
    struct backtest_second *second; /* owned */
    int64_t length;
};

struct run {
    const struct backtest_setup *setup;
    struct offline offline;
    struct traffic_stream stream;
    struct ring ring;
    struct backtest_result *out;
    bool keep;
    double rule_since_s;
    struct backtest_second minute; /* sums of the present minute: requests and bad ones */
    double harm;                   /* of the minutes before */
};

enum { MINUTE_S = 60 };

/* From the beginning of a second to the moment when the loop counts it. */
static int64_t lag_s(const struct run *run, int sli)
{
    return 1 + run->setup->spec.policy.guardrail[sli].maturity_s + run->setup->settle_s;
}

static bool used(const struct run *run, int sli)
{
    return run->setup->spec.policy.guardrail[sli].used;
}

static enum status open_ring(struct run *run, struct fault *fault)
{
    run->ring.length = 2 + run->setup->settle_s;
    for (int i = 0; i < SLI_COUNT; i++) {
        if (used(run, i) && lag_s(run, i) >= run->ring.length) {
            run->ring.length = lag_s(run, i) + 1;
        }
    }
    run->ring.second = calloc((size_t)run->ring.length, sizeof *run->ring.second);
    return run->ring.second != NULL ? STATUS_OK : fault_set(fault, STATUS_NO_MEMORY, "out of memory");
}

static enum status keep(struct run *run, double now_s, const struct offline_decision *decision,
                        struct fault *fault)
{
    struct backtest_result *out = run->out;
    if (out->decisions == out->capacity) {
        size_t capacity = out->capacity > 0 ? out->capacity * 2 : 32;
        struct backtest_decision *grown = realloc(out->decision, capacity * sizeof *grown);
        if (grown == NULL) {
            return fault_set(fault, STATUS_NO_MEMORY, "out of memory");
        }
        out->decision = grown;
        out->capacity = capacity;
    }
    out->decision[out->decisions++] = (struct backtest_decision){now_s, *decision};
    return STATUS_OK;
}

/* The row that spoke until now gives way. */
static void change_rule(struct run *run, const struct rule *rule, double now_s)
{
    struct backtest_result *out = run->out;
    if (out->rule != NULL) {
        out->rule_s[out->rule - rules_row(0)] += now_s - run->rule_since_s;
    }
    out->rule = rule;
    run->rule_since_s = now_s;
}

static enum status decide_at(struct run *run, double now_s, struct fault *fault)
{
    struct offline_decision decision = offline_decide(&run->offline, now_s, false);
    if (!decision.changed) {
        return STATUS_OK;
    }
    change_rule(run, decision.rule, now_s);
    if (decision.snapshot.judgement != JUDGE_CONTINUE) {
        run->out->lead = (enum sli)decision.snapshot.lead;
    }
    return run->keep ? keep(run, now_s, &decision, fault) : STATUS_OK;
}

/* What canary's requests of the present minute were worse than stable's of the same. */
static double minute_harm(const struct run *run)
{
    const struct backtest_second *of = &run->minute;
    if (of->stable == 0) {
        return 0;
    }
    return (double)of->canary_bad - (double)of->stable_bad / (double)of->stable * (double)of->canary;
}

static void admit(struct run *run, int64_t second)
{
    struct backtest_second *now = &run->ring.second[second % run->ring.length], *minute = &run->minute;
    if (second % MINUTE_S == 0) {
        run->harm += minute_harm(run);
        *minute = (struct backtest_second){.canary = 0};
    }
    traffic_second(&run->stream, second, &run->offline, now);
    minute->canary += now->canary;
    minute->stable += now->stable;
    minute->canary_bad += now->canary_bad;
    minute->stable_bad += now->stable_bad;
    run->out->canary += now->canary;
    run->out->stable += now->stable;
    run->out->canary_bad += now->canary_bad;
    run->out->stable_bad += now->stable_bad;
}

/* What the gateways were told is what they did: the split check looks all the same, as its false alarms
   belong to the policy. The daemon reads a second's admissions when its first SLI is mature. */
static void check_split(struct run *run, int64_t now_s)
{
    struct split_block closed;
    int64_t shortest = run->ring.length;
    for (int i = 0; i < SLI_COUNT; i++) {
        shortest = used(run, i) && lag_s(run, i) < shortest ? lag_s(run, i) : shortest;
    }
    int64_t second = now_s - shortest;
    if (second >= 0) {
        const struct backtest_second *of = &run->ring.second[second % run->ring.length];
        offline_admissions(&run->offline, (double)second, 1, of->canary, of->stable, &closed);
    }
}

/* Gives the evidence what has matured by now_s. */
static void mature(struct run *run, int64_t now_s)
{
    struct block closed[2];
    offline_turn(&run->offline, (double)now_s);
    check_split(run, now_s);
    for (int i = 0; i < SLI_COUNT; i++) {
        int64_t second = now_s - (used(run, i) ? lag_s(run, i) : 0);
        if (used(run, i) && second >= 0) {
            offline_count(&run->offline, (enum sli)i, (double)second, 1,
                          &run->ring.second[second % run->ring.length].sli[i], closed);
        }
    }
}

/* After the end: until the gateways have applied it, the canary goes on getting requests. */
static void apply_end(struct run *run, int64_t now_s)
{
    if (run->offline.course.phase == PHASE_COMPLETED) {
        return;
    }
    for (int64_t s = now_s; (double)s < (double)now_s + run->setup->apply_s && !traffic_over(&run->stream);
         s++) {
        admit(run, s);
    }
}

static void finish_slis(struct run *run, double now_s)
{
    const struct policy *policy = &run->setup->spec.policy;
    struct evidence *evidence = &run->offline.evidence;
    for (int i = 0; i < SLI_COUNT; i++) {
        const struct sli_evidence *sli = &evidence->sli[i];
        if (!used(run, i)) {
            continue;
        }
        struct shares shares = policy_shares(policy, (enum sli)i);
        run->out->sli[i].total = sli->total;
        run->out->counted = sli->total.n_c > run->out->counted ? sli->total.n_c : run->out->counted;
        run->out->sli[i].verdict = evidence_verdict(evidence, policy, (enum sli)i, now_s, false);
        run->out->sli[i].relative = log(shares.sli * shares.relative) + evidence_lane_log(&sli->relative);
        run->out->sli[i].absolute =
            shares.absolute > 0 ? log(shares.sli * shares.absolute) + evidence_lane_log(&sli->absolute)
                                : -INFINITY;
        run->out->sli[i].proof = evidence_ni(evidence, (enum sli)i);
    }
    run->out->proof_needed = evidence_ni_threshold(evidence, policy);
    struct judgement judgement = evidence_judge(evidence, policy, 0, run->setup->fix);
    run->out->log_g_rel = judgement.log_g_rel;
    run->out->log_g_all = judgement.log_g_all;
}

static void finish(struct run *run, int64_t now_s)
{
    struct backtest_result *out = run->out;
    const struct course *course = &run->offline.course;
    const struct backtest_arm *stable = &run->setup->traffic.stable;
    bool stopped = !phase_live(course->phase) || course->phase == PHASE_PAUSED;
    out->phase = course->phase;
    out->step = course->step;
    out->weight = course->weight;
    out->unproven = course->unproven;
    out->seen_s = (double)now_s;
    out->at_s = stopped ? (double)(course->phase_since_us - course->created_us) / 1e6 : (double)now_s;
    if (out->phase != PHASE_ROLLED_BACK &&
        (out->rule == NULL || strstr(out->rule->sentence, "{lead}") == NULL)) {
        out->lead = SLI_COUNT;
    }
    change_rule(run, out->rule, (double)now_s);
    finish_slis(run, (double)now_s);
    double share = (double)stable->any_bad / (double)stable->count;
    bool drawn = !run->setup->traffic.as_recorded && !run->setup->traffic.in_order;
    out->harm = drawn ? (double)out->canary_bad - share * (double)out->canary : run->harm + minute_harm(run);
}

static enum status play(struct run *run, struct fault *fault)
{
    enum status status = decide_at(run, 0, fault);
    int64_t now = 0;
    int64_t drain = run->ring.length; /* what was admitted last still matures */
    while (status == STATUS_OK && now < run->setup->until_s && !offline_ended(&run->offline) && drain > 0) {
        admit(run, now);
        now++;
        mature(run, now);
        status = decide_at(run, (double)now, fault);
        drain -= traffic_over(&run->stream) ? 1 : 0;
    }
    if (status == STATUS_OK && offline_ended(&run->offline)) {
        apply_end(run, now);
    }
    if (status == STATUS_OK) {
        finish(run, now);
    }
    return status;
}

enum status backtest_run(const struct backtest_setup *setup, uint64_t seed, bool keep_decisions,
                         struct backtest_result *out, struct fault *fault)
{
    assert(rules_count() <= BACKTEST_RULES_MAX);
    struct run *run = calloc(1, sizeof *run);
    *out = (struct backtest_result){.seed = seed, .lead = SLI_COUNT};
    if (run == NULL) {
        return fault_set(fault, STATUS_NO_MEMORY, "out of memory");
    }
    run->setup = setup;
    run->out = out;
    run->keep = keep_decisions;
    struct offline_options options = {.tick_s = 1,
                                      .apply_s = setup->apply_s,
                                      .quality = QUALITY_COHORT,
                                      .has_stable = true,
                                      .fix = setup->fix};
    offline_init(&run->offline, &setup->spec.policy, &setup->plan, &options);
    enum status status = open_ring(run, fault);
    if (status == STATUS_OK) {
        status = traffic_start(&run->stream, &setup->traffic, seed, fault);
    }
    if (status == STATUS_OK) {
        status = play(run, fault);
    }
    traffic_stop(&run->stream);
    free(run->ring.second);
    free(run);
    return status;
}

void backtest_result_free(struct backtest_result *result)
{
    free(result->decision);
    result->decision = NULL;
    result->decisions = result->capacity = 0;
}
