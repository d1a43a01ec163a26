/* What evidence costs: nanoseconds for a block with all its lanes, for a lane, a judgement, an encoding.
     bench_evidence [rounds 200000] */
#include "decision/evidence.h"
#include "decision/budget.h"
#include "decision/ni.h"
#include "decision/recent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static struct counts block_of(long i)
{
    return (struct counts){50, i % 4, 950, 19 + i % 3};
}

static double sink; /* keeps the work from being removed */

static double lane(long rounds)
{
    struct evidence_lane lane;
    struct lane_rules rules = {.eta = 1, .cap = 3.5, .planned_weights = 5};
    evidence_lane_init(&lane, 5);
    double start = now_ns();
    for (long i = 0; i < rounds; i++) {
        double log_e[EVIDENCE_GRID];
        struct counts counts = block_of(i);
        evalue_relative(&counts, 1.1, log_e);
        evidence_lane_update(&lane, &rules, (double)i, false, log_e);
    }
    double spent = now_ns() - start;
    sink += evidence_lane_log(&lane);
    return spent / (double)rounds;
}

static double recents(long rounds)
{
    double log_r[EVIDENCE_GRID];
    recent_init(log_r);
    double start = now_ns();
    for (long i = 0; i < rounds; i++) {
        double log_e[EVIDENCE_GRID];
        evalue_absolute(950, 19 + i % 3, 0.05, log_e);
        recent_update(log_r, 1, log_e);
    }
    double spent = now_ns() - start;
    sink += recent_value(log_r);
    return spent / (double)rounds;
}

static double non_inferiority(long rounds)
{
    static struct sli_evidence sli;
    evidence_sli_init(&sli, 5);
    double start = now_ns();
    for (long i = 0; i < rounds; i++) {
        struct sli_counts counts = sli_counts_of(block_of(i));
        ni_update(&sli, &counts, 2, 0.02, 1);
    }
    double spent = now_ns() - start;
    sink += ni_log(&sli);
    return spent / (double)rounds;
}

static void set_up(struct policy *policy, struct plan *plan, struct evidence *evidence)
{
    struct slos slos;
    memset(&slos, 0, sizeof slos);
    for (int i = 0; i < 8; i++)
        slos.of[i] = (struct slo){.used = true, .objective_ppm = 960000};
    policy_default(&slos, policy);
    plan_default(plan);
    for (int i = 0; i < 8; i++)
        policy->guardrail[i].allowed = 1e6;
    evidence_init(evidence, policy, plan, 1);
    evidence_weight(evidence, 0, 500, true);
}

static double block(long rounds, struct policy *policy, struct plan *plan, struct evidence *evidence)
{
    double start = now_ns();
    for (long i = 0; i < rounds; i++) {
        struct block block = {.sli = SLI_REFUSAL,
                              .start_s = (double)i,
                              .length_s = 1,
                              .weight = 500,
                              .counts = sli_counts_of(block_of(i))};
        evidence_block(evidence, policy, plan, &block);
    }
    return (now_ns() - start) / (double)rounds;
}

static double judging(long rounds, const struct policy *policy, struct evidence *evidence)
{
    double start = now_ns();
    for (long i = 0; i < rounds; i++) {
        evidence->latched.action = JUDGE_CONTINUE;
        sink += evidence_judge(evidence, policy, 0, false).log_g_rel;
    }
    return (now_ns() - start) / (double)rounds;
}

static double encoding(long rounds, const struct evidence *evidence, size_t *length)
{
    static unsigned char bytes[EVIDENCE_CODEC_MAX];
    static struct evidence back;
    double start = now_ns();
    for (long i = 0; i < rounds; i++) {
        *length = evidence_encode(evidence, bytes);
        sink += evidence_decode(bytes, *length, &back);
    }
    return (now_ns() - start) / (double)rounds;
}

int main(int argc, char **argv)
{
    static struct policy policy;
    static struct plan plan;
    static struct evidence evidence;
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 200000;
    size_t length = 0;
    rounds = rounds > 0 ? rounds : 1;
    printf("%8.0f ns  a block and one lane\n", lane(rounds));
    printf("%8.0f ns  a block and one recent e-value\n", recents(rounds));
    printf("%8.0f ns  a block and its non-inferiority\n", non_inferiority(rounds));
    set_up(&policy, &plan, &evidence);
    printf("%8.0f ns  a block and all of its evidence\n", block(rounds, &policy, &plan, &evidence));
    printf("%8.0f ns  a judgement over 8 SLIs\n", judging(rounds, &policy, &evidence));
    double codec = encoding(rounds / 10 + 1, &evidence, &length);
    printf("%8.0f ns  encoding and decoding (%zu bytes)\n", codec, length);
    return sink > 1e300;
}
