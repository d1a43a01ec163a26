/* What several tests of the decision share: policies, feeding ticks, comparing evidence, a seeded generator.
 */
#pragma once

#include "decision/evidence.h"

#include <stddef.h>
#include <stdint.h>

enum { SUPPORT_SLIS_MAX = SLI_COUNT };

/* |a - b| <= 1e-9 (1 + |a|), or both the same infinity. */
bool near(double a, double b);

/* A policy with `used` guardrails (the first SLIs of the table, shares equal), without ceiling and budget,
 * cap 3.5. */
void support_policy(struct policy *policy, int used);
/* A plan of `steps` weights, the last one full. */
void support_plan(struct plan *plan, size_t steps);

/* A rollout under test. */
struct bench {
    struct policy policy;
    struct plan plan;
    struct evidence evidence;
    struct block closed[2]; /* of the newest tick */
    int count;
};

/* `used` guardrails as above, a plan of 5 steps, canary at `weight` from 0 on (< 0: no weight yet). */
void bench_init(struct bench *bench, int used, int32_t weight, double tick_s);
/* One tick of length evidence.tick_s; returns the number of closed blocks. */
int bench_tick(struct bench *bench, enum sli sli, double t_s, struct counts counts, bool hint);

/* Every field of an SLI that blocks alone decide has the same bits. */
bool same_blocks(const struct sli_evidence *a, const struct sli_evidence *b);
/* Every field of the evidence has the same bits. */
bool same_evidence(const struct evidence *a, const struct evidence *b);

/* A small generator (xorshift64*), the same on every machine. */
struct dice {
    uint64_t state;
};
struct dice dice_seeded(uint64_t seed);
uint64_t dice_bits(struct dice *dice);
double dice_share(struct dice *dice);                          /* [0, 1) */
int64_t dice_below(struct dice *dice, int64_t n);              /* 0 .. n - 1 */
int64_t dice_binomial(struct dice *dice, int64_t n, double p); /* by n draws */
