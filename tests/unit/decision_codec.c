/* Evidence as bytes: whatever the fields hold comes back to the bit; what cannot be read exactly is refused.
 */
#include "decision_support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { TAIL = 4 * sizeof(int64_t) /* of each SLI, after all of them: the coverage of the step */ };

static double random_number(struct dice *dice)
{
    for (;;) {
        uint64_t bits = dice_bits(dice);
        double x;
        memcpy(&x, &bits, sizeof x);
        if (isfinite(x))
            return x;
    }
}

static void random_numbers(struct dice *dice, double *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = random_number(dice);
}

static struct counts random_counts(struct dice *dice)
{
    struct counts counts = {(int64_t)(dice_bits(dice) >> 1), 0, (int64_t)(dice_bits(dice) >> 20), 0};
    counts.k_c = counts.n_c - (int64_t)(dice_bits(dice) >> 1) % (counts.n_c + (counts.n_c < INT64_MAX));
    counts.k_b = counts.n_b / 3;
    return counts;
}

static bool coin(struct dice *dice)
{
    return dice_below(dice, 2) == 1;
}

static void random_lane(struct dice *dice, struct evidence_lane *lane)
{
    random_numbers(dice, lane->log_m, EVIDENCE_GRID);
    if (coin(dice))
        lane->log_m[dice_below(dice, EVIDENCE_GRID)] = -INFINITY;
    random_numbers(dice, &lane->mass.u, 1);
    random_numbers(dice, &lane->mass.origin, 1);
    random_numbers(dice, &lane->mass.t_prev, 1);
    lane->mass.steps_left = (int32_t)(uint32_t)dice_bits(dice);
}

static void random_ring(struct dice *dice, struct burn_ring *ring)
{
    burn_init(ring);
    if (coin(dice))
        return;
    ring->since = random_number(dice);
    ring->newest = dice_below(dice, INT64_C(1) << 40);
    for (int i = 0; i < BURN_BUCKETS; i++)
        if (coin(dice)) {
            ring->n[i] = 1 + (int64_t)(dice_bits(dice) >> (1 + dice_below(dice, 60)));
            ring->k[i] = dice_below(dice, 3) * (ring->n[i] / 2);
        }
}

static void random_split(struct dice *dice, struct split_watch *watch)
{
    random_numbers(dice, watch->split.log_m, SPLIT_GRID);
    random_numbers(dice, &watch->split.mass.u, 1);
    random_numbers(dice, &watch->split.mass.origin, 1);
    random_numbers(dice, &watch->split.mass.t_prev, 1);
    watch->split.mass.steps_left = (int32_t)(uint32_t)dice_bits(dice);
    watch->split.planned_weights = 1 + (int32_t)dice_below(dice, INT32_MAX);
    double *const numbers[] = {&watch->gap_from, &watch->gap_to, &watch->block_start, &watch->last_tick,
                               &watch->w_lo,     &watch->w_hi,   &watch->raise_seen,  &watch->share};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        random_numbers(dice, numbers[i], 1);
    watch->n = (int64_t)(dice_bits(dice) >> 1);
    watch->n_c = watch->n / 3;
    watch->new_step = coin(dice);
    watch->crossed = coin(dice);
    watch->uncovered = coin(dice);
    watch->blocks = (int64_t)(dice_bits(dice) >> 2);
}

static void random_sli(struct dice *dice, struct sli_evidence *sli, int32_t weights)
{
    double *const numbers[] = {&sli->budget_x,    &sli->ni_add,     &sli->stable_bad,   &sli->stable_seen,
                               &sli->block_end,   &sli->block_last, &sli->shared_since, &sli->last_sick,
                               &sli->weight_seen, &sli->last_tick,  &sli->block_start,  &sli->closed_s};
    bool *const flags[] = {&sli->open_step, &sli->step_pending, &sli->sick, &sli->sick_before, &sli->failed};
    random_lane(dice, &sli->relative);
    random_lane(dice, &sli->absolute);
    random_numbers(dice, sli->stable, EVIDENCE_GRID);
    random_numbers(dice, sli->canary, EVIDENCE_GRID);
    random_numbers(dice, sli->worse, EVIDENCE_GRID);
    random_numbers(dice, sli->budget_y, EVIDENCE_BUDGET_GRID);
    random_numbers(dice, sli->ni_ratio, 2);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        random_numbers(dice, numbers[i], 1);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        *flags[i] = coin(dice);
    random_numbers(dice, sli->ni_bad, STRATA_MAX);
    random_numbers(dice, sli->ni_seen, STRATA_MAX);
    for (int i = coin(dice) ? 1 : STRATA_MAX; i < STRATA_MAX; i++)
        sli->ni_bad[i] = sli->ni_bad[0];
    for (int i = 0; i < BURN_WINDOWS; i++)
        random_ring(dice, &sli->burn[i]);
    random_lane(dice, &sli->coverage);
    sli->coverage_total = random_counts(dice);
    sli->open.strata = (int32_t)dice_below(dice, STRATA_MAX + 1);
    for (int i = 0; i < sli->open.strata; i++)
        sli->open.stratum[i] = sli->open.coverage[i] = random_counts(dice);
    sli->total = random_counts(dice);
    sli->step_total = random_counts(dice);
    sli->step_coverage = random_counts(dice);
    sli->weight = (int32_t)(uint32_t)dice_bits(dice);
    sli->step = (int32_t)(dice_bits(dice) >> 34) - 1;
    sli->weight_next = (int32_t)dice_below(dice, weights + 1);
    sli->invalid_ticks = (int64_t)(dice_bits(dice) >> 2);
    sli->rows_dropped = (int64_t)(dice_bits(dice) >> 1);
}

static void random_evidence(struct dice *dice, struct evidence *evidence)
{
    memset(evidence, 0, sizeof *evidence);
    evidence->weights = (int32_t)dice_below(dice, EVIDENCE_WEIGHTS_MAX + 1);
    for (int i = 0; i < evidence->weights; i++)
        evidence->weight[i] = (struct weight_change){random_number(dice), (int32_t)(uint32_t)dice_bits(dice),
                                                     coin(dice), random_number(dice)};
    for (int i = 0; i < SLI_COUNT; i++)
        random_sli(dice, &evidence->sli[i], evidence->weights);
    evidence->planned_weights = 1 + (int32_t)dice_below(dice, INT32_MAX);
    double *const numbers[] = {&evidence->tick_s,      &evidence->rps,          &evidence->rps_next,
                               &evidence->rps_tick,    &evidence->breach_since, &evidence->now_s,
                               &evidence->canary_since};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        random_numbers(dice, numbers[i], 1);
    evidence->coverage_crossed = coin(dice);
    random_split(dice, &evidence->split);
    evidence->latched =
        (struct judgement){(enum judgement_action)dice_below(dice, JUDGE_ROLLBACK + 1),
                           (enum judgement_reason)dice_below(dice, REASON_COUNT),
                           (enum sli)dice_below(dice, SLI_COUNT), random_number(dice), random_number(dice)};
}

Test(decision_codec, random_fields_come_back)
{
    static unsigned char bytes[EVIDENCE_CODEC_MAX], again[EVIDENCE_CODEC_MAX];
    struct dice dice = dice_seeded(1);
    for (int i = 0; i < 300; i++) {
        struct evidence evidence, back;
        random_evidence(&dice, &evidence);
        memset(&back, 0x5a, sizeof back);
        size_t length = evidence_encode(&evidence, bytes);
        cr_assert_lt(length, EVIDENCE_CODEC_MAX);
        cr_assert(evidence_decode(bytes, length, &back), "%d", i);
        cr_assert(same_evidence(&evidence, &back), "%d", i);
        cr_assert_eq(evidence_encode(&back, again), length);
        cr_assert_eq(memcmp(bytes, again, length), 0);
    }
}

Test(decision_codec, every_other_length_is_refused)
{
    static unsigned char bytes[EVIDENCE_CODEC_MAX];
    struct dice dice = dice_seeded(2);
    struct evidence evidence, back;
    random_evidence(&dice, &evidence);
    size_t length = evidence_encode(&evidence, bytes);
    for (size_t i = 0; i <= length + 8; i++)
        cr_assert_eq(evidence_decode(bytes, i, &back), i == length, "%zu of %zu", i, length);
}

/* Version 4 has the coverage of the step beside, at the end. Version 2 had one coverage for all strata; with
   one stratum it is the same. */
Test(decision_codec, the_versions_before_are_read)
{
    static unsigned char bytes[EVIDENCE_CODEC_MAX];
    struct bench bench;
    struct evidence back;
    bench_init(&bench, 3, 5000, 1);
    struct sli_counts counts = {.strata = 1, .stratum = {{1, 0, 3, 1}}, .coverage = {{2, 1, 4, 1}}};
    evidence_tick(&bench.evidence, &bench.policy, &bench.plan, SLI_REFUSAL, QUALITY_COHORT, 0, 1, &counts,
                  false, false, bench.closed);
    size_t length = evidence_encode(&bench.evidence, bytes);
    cr_assert_eq(bytes[3], 4);
    cr_expect_neq(bench.evidence.sli[SLI_REFUSAL].step_coverage.n_c, 0);
    length -= TAIL * SLI_COUNT;
    for (int version = 2; version <= 3; version++) {
        bytes[3] = (unsigned char)version;
        cr_assert(evidence_decode(bytes, length, &back), "%d", version);
        cr_expect_not(same_evidence(&back, &bench.evidence));
        back.sli[SLI_REFUSAL].step_coverage = bench.evidence.sli[SLI_REFUSAL].step_coverage;
        cr_expect(same_evidence(&back, &bench.evidence), "%d", version);
    }
}

Test(decision_codec, other_versions_are_refused)
{
    static unsigned char bytes[EVIDENCE_CODEC_MAX];
    struct dice dice = dice_seeded(3);
    struct evidence evidence, back;
    random_evidence(&dice, &evidence);
    size_t length = evidence_encode(&evidence, bytes);
    for (size_t at = 0; at < 5; at++)
        for (int change = 1; change < 256; change++) {
            bytes[at] = (unsigned char)(bytes[at] + change);
            cr_expect_not(evidence_decode(bytes, length, &back), "byte %zu", at);
            bytes[at] = (unsigned char)(bytes[at] - change);
        }
    cr_expect(evidence_decode(bytes, length, &back));
}

/* Every double of the encoding is found by its own value, and refuses to be NaN or +inf. */
Test(decision_codec, numbers_that_cannot_be_are_refused)
{
    static unsigned char bytes[EVIDENCE_CODEC_MAX];
    struct dice dice = dice_seeded(4);
    struct evidence evidence, back;
    struct sli_evidence *sli = &evidence.sli[3];
    double *const places[] = {
        &sli->relative.log_m[2],    &sli->absolute.mass.u, &sli->stable[7],   &sli->worse[0],
        &sli->budget_y[1],          &sli->budget_x,        &sli->ni_ratio[1], &sli->ni_seen[0],
        &sli->block_start,          &sli->last_sick,       &sli->last_tick,   &evidence.rps,
        &evidence.breach_since,     &evidence.now_s,       &evidence.tick_s,  &sli->stable_seen,
        &evidence.latched.log_g_all};
    static const double refused[] = {NAN, -NAN, INFINITY};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        for (int j = 0; j < 4; j++) {
            random_evidence(&dice, &evidence);
            *places[i] = j < 3 ? refused[j] : -INFINITY;
            size_t length = evidence_encode(&evidence, bytes);
            cr_expect_eq(evidence_decode(bytes, length, &back), j == 3 && i == 0, "place %zu, value %d", i,
                         j);
        }
}

Test(decision_codec, counts_and_choices_that_cannot_be_are_refused)
{
    static unsigned char bytes[EVIDENCE_CODEC_MAX];
    struct dice dice = dice_seeded(5);
    struct evidence evidence, back;
    for (int i = 0; i < 17; i++) {
        random_evidence(&dice, &evidence);
        evidence.weights = evidence.weights > 0 ? evidence.weights : 1;
        switch (i) {
        case 0:
            evidence.sli[0].total = (struct counts){1, 2, 0, 0};
            break;
        case 1:
            evidence.sli[1].open = sli_counts_of((struct counts){1, 1, 2, -1});
            break;
        case 2:
            evidence.latched.action = (enum judgement_action)9;
            break;
        case 3:
            evidence.latched.lead = SLI_COUNT;
            break;
        case 4:
            evidence.planned_weights = 0;
            break;
        case 5:
            evidence.sli[2].weight_next = evidence.weights + 1;
            break;
        case 6:
            evidence.sli[2].weight_next = -1;
            break;
        case 7:
            evidence.sli[2].open.strata = STRATA_MAX + 1;
            break;
        case 8:
            burn_init(&evidence.sli[2].burn[1]);
            evidence.sli[2].burn[1].newest = 3;
            evidence.sli[2].burn[1].n[2] = 5;
            evidence.sli[2].burn[1].k[2] = 6;
            break;
        case 9:
            evidence.split.n_c = evidence.split.n + 1;
            break;
        case 10: /* the next step, tick or block would overflow */
            evidence.sli[4].step = INT32_MAX;
            break;
        case 11:
            evidence.sli[4].step = -2;
            break;
        case 12:
            evidence.sli[4].invalid_ticks = INT64_MAX;
            break;
        case 13:
            evidence.sli[4].rows_dropped = -1;
            break;
        case 14:
            evidence.split.blocks = INT64_MAX;
            break;
        case 15:
            evidence.split.split.planned_weights = 0;
            break;
        default:
            evidence.latched.reason = (enum judgement_reason)100;
        }
        cr_expect_not(evidence_decode(bytes, evidence_encode(&evidence, bytes), &back), "%d", i);
    }
    /* the flag that ends the last SLI is 0 or 1 */
    random_evidence(&dice, &evidence);
    size_t length = evidence_encode(&evidence, bytes);
    bytes[length - TAIL * SLI_COUNT - 1] = 2;
    cr_expect_not(evidence_decode(bytes, length, &back));
}

/* What was written when there were fewer SLIs: the new ones are as at the start. */
Test(decision_codec, fewer_slis_are_read)
{
    static unsigned char bytes[EVIDENCE_CODEC_MAX];
    struct bench bench;
    struct evidence back;
    bench_init(&bench, 2, 500, 1);
    for (int t = 0; t < 40; t++)
        bench_tick(&bench, SLI_REFUSAL, t, (struct counts){20, t % 3, 300, t % 7}, true);
    size_t length = evidence_encode(&bench.evidence, bytes) - TAIL * SLI_COUNT, cut = 0;
    unsigned char tail[TAIL * SLI_COUNT];
    memcpy(tail, bytes + length, sizeof tail);
    bytes[4] = SLI_COUNT - 1;
    for (bool read = false; cut < length && !read; cut += !read) {
        memcpy(bytes + length - cut, tail, sizeof tail - TAIL);
        read = evidence_decode(bytes, length - cut + sizeof tail - TAIL, &back);
    }
    cr_expect_gt(cut, length / (2 * SLI_COUNT), "cut %zu of %zu", cut, length);
    cr_expect_lt(cut, length / (SLI_COUNT - 1), "cut %zu of %zu", cut, length);
    cr_expect(same_evidence(&bench.evidence, &back));
}
