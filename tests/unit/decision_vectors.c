/* The published test vectors of the decision: V1 to V6, V8 to V10, A1 to A5, each to 1e-9. */
#include "decision_support.h"

#include "decision/block.h"
#include "decision/budget.h"
#include "decision/ni.h"
#include "decision/recent.h"
#include "decision/split.h"

#include <criterion/criterion.h>
#include <math.h>

static void expect(double got, double want, const char *what, int at)
{
    cr_expect(near(got, want), "%s %d: %.12f, not %.12f", what, at, got, want);
}

/* The columns of the grid that V1 and V2 print: r = 1.5, 5, 80. */
static const int columns[3] = {1, 4, 7};

Test(decision_vectors, v1_relative)
{
    static const struct {
        struct counts counts;
        double log_e[3];
    } rows[] = {
        {{5, 0, 95, 2}, {-0.053991008684, -0.395906604971, -3.344218038794}},
        {{5, 2, 95, 2}, {0.702948198848, 2.427062614926, 2.075617191760}},
        {{5, 5, 95, 1}, {1.865942338343, 6.882015418206, 12.801193998002}},
        {{50, 19, 50, 1}, {3.051391148680, 7.982023692804, 8.324525558748}},
        {{50, 40, 950, 700}, {0.152227364377, -5.331360799022, -30.160254873514}},
        {{1, 1, 99, 0}, {0.399985642344, 1.566420527350, 3.757087704140}},
    };
    for (int i = 0; i < 6; i++) {
        double log_e[EVIDENCE_GRID];
        evalue_relative(&rows[i].counts, 1.1, log_e);
        for (int j = 0; j < 3; j++)
            expect(log_e[columns[j]], rows[i].log_e[j], "V1", i);
    }
}

Test(decision_vectors, v2_absolute)
{
    static const struct {
        int64_t n, k;
        double log_e[3];
    } rows[] = {
        {5, 0, {-0.123463062952, -0.911607783970, -7.996937882903}},
        {5, 2, {0.687467153264, 2.307268040898, 0.767115386445}},
        {50, 19, {6.469206424537, 21.463242496550, 3.289127229774}},
    };
    for (int i = 0; i < 3; i++) {
        double log_e[EVIDENCE_GRID];
        evalue_absolute(rows[i].n, rows[i].k, 0.05, log_e);
        for (int j = 0; j < 3; j++)
            expect(log_e[columns[j]], rows[i].log_e[j], "V2", i);
    }
}

Test(decision_vectors, v3_v4_non_inferiority)
{
    static const struct {
        struct counts counts;
        double by_1, by_06;
    } ratio[] = {
        {{5, 0, 95, 2}, 0.095883913211, 0.135562733043},
        {{50, 1, 50, 1}, 0.113323902536, 0.045447543855},
        {{50, 40, 950, 700}, -0.193490052096, -3.237174634449},
    };
    static const struct {
        struct counts counts;
        double log_e, theta_b0;
    } add[] = {
        {{5, 0, 95, 2}, 0.103733943313, 0.019483449155},
        {{50, 1, 50, 1}, 0.231994893338, 0.014069494438},
        {{50, 0, 950, 19}, 1.010645549648, 0.019483449155},
    };
    for (int i = 0; i < 3; i++) {
        expect(evalue_ni_ratio(&ratio[i].counts, 1.0, 2), ratio[i].by_1, "V3", i);
        expect(evalue_ni_ratio(&ratio[i].counts, 0.6, 2), ratio[i].by_06, "V3", i);
        expect(evalue_ni_add(&add[i].counts, 0.02, 0.02), add[i].log_e, "V4", i);
        expect(evalue_ripr((double)add[i].counts.n_c, (double)add[i].counts.n_b, 0.02, 0.02), add[i].theta_b0,
               "V4", i);
    }
}

static const struct counts refusals[10] = {
    {5, 0, 95, 2}, {4, 0, 96, 1}, {6, 1, 94, 3}, {5, 0, 95, 0}, {5, 2, 95, 2},
    {7, 3, 93, 1}, {5, 2, 95, 2}, {4, 2, 96, 3}, {6, 2, 94, 2}, {5, 3, 95, 1},
};

Test(decision_vectors, v5_one_lane)
{
    static const double log_m[10] = {-0.209074958101, -0.246977155293, -0.083761364868, -0.083761364868,
                                     1.109306420072,  4.099426904023,  6.718301246694,  9.498594058706,
                                     12.124125148849, 15.620090403995};
    static const double last[EVIDENCE_GRID] = {1.672782574848,  4.473558051924,  7.899586149445,
                                               12.277445839148, 15.995352315681, 17.380084877424,
                                               15.258075120921, 6.798379891656};
    struct bench bench;
    bench_init(&bench, 1, 500, 1);
    for (int t = 0; t < 10; t++) {
        bench_tick(&bench, SLI_REFUSAL, t, refusals[t], true);
        struct judgement judgement = evidence_judge(&bench.evidence, &bench.policy, 0, false);
        expect(evidence_lane_log(&bench.evidence.sli[SLI_REFUSAL].relative), log_m[t], "V5", t);
        if (t <= 6)
            expect(judgement.log_g_rel, log_m[t], "V5 G", t);
        cr_expect_eq(judgement.action, t < 6 ? JUDGE_CONTINUE : JUDGE_ROLLBACK, "V5 %d", t);
    }
    for (int j = 0; j < EVIDENCE_GRID; j++)
        expect(bench.evidence.sli[SLI_REFUSAL].relative.log_m[j], last[j], "V5 component", j);
    expect(bench.evidence.sli[SLI_REFUSAL].relative.mass.u, 0.499376558603491, "V5 u", 0);
}

/* Two SLIs with both lanes. log G_all as published, but for the last: there the bound of the absolute lane,
   which V6 is older than, takes 0.0005 off. */
Test(decision_vectors, v6_two_slis)
{
    static const struct counts timeouts[10] = {
        {5, 0, 95, 1}, {4, 0, 96, 0}, {6, 0, 94, 0}, {5, 1, 95, 0}, {5, 0, 95, 1},
        {7, 0, 93, 0}, {5, 1, 95, 0}, {4, 0, 96, 0}, {6, 0, 94, 2}, {5, 0, 95, 0},
    };
    static const double log_g_all[10] = {-0.114367115965, -0.134268251998, -0.167803529574, -0.173861929426,
                                         0.817831536166,  3.409319324925,  6.041858377676,  8.857564706974,
                                         11.488468170540, 14.984768730955};
    struct bench bench;
    bench_init(&bench, SLI_TIMEOUT + 1, 500, 1);
    bench.policy.guardrail[SLI_CONTENT_FILTER].used = bench.policy.guardrail[SLI_ERROR].used = false;
    bench.policy.guardrail[SLI_REFUSAL].ceiling = 0.08;
    bench.policy.guardrail[SLI_TIMEOUT].ceiling = 0.02;
    bench.policy.guardrail[SLI_TIMEOUT].block_s = 3;
    evidence_weight(&bench.evidence, 4, 500, true);
    for (int t = 0; t < 10; t++) {
        bench_tick(&bench, SLI_REFUSAL, t, refusals[t], true);
        bench_tick(&bench, SLI_TIMEOUT, t, timeouts[t], false);
        bench.evidence.latched.action = JUDGE_CONTINUE;
        struct judgement judgement = evidence_judge(&bench.evidence, &bench.policy, 0, false);
        double g_rel = 0;
        for (enum sli sli = SLI_REFUSAL; sli <= SLI_TIMEOUT; sli += SLI_TIMEOUT - SLI_REFUSAL)
            g_rel += 0.5 * 0.75 * exp(evidence_lane_log(&bench.evidence.sli[sli].relative));
        expect(judgement.log_g_all, log_g_all[t], "V6 all", t);
        expect(judgement.log_g_rel, log(g_rel), "V6 rel", t);
        cr_expect_eq(judgement.action == JUDGE_ROLLBACK, t >= 6, "V6 %d", t);
    }
    cr_expect_eq(bench.evidence.sli[SLI_REFUSAL].step, 2);
}

Test(decision_vectors, v8_low_traffic)
{
    static const double log_m[4] = {0.230498077807, 0.888924669014, 2.291949501141, 3.954984432549};
    struct bench bench;
    bench_init(&bench, 1, 5000, 1);
    for (int t = 0; t < 25; t++) {
        int closed = bench_tick(&bench, SLI_REFUSAL, t, (struct counts){1, t % 3 == 0, 1, 0}, true);
        cr_expect_eq(closed, t % 8 == 0, "V8: %d blocks at %d", closed, t);
        if (t % 8 == 0)
            expect(evidence_judge(&bench.evidence, &bench.policy, 0, false).log_g_all, log_m[t / 8], "V8", t);
    }
}

Test(decision_vectors, v9_step_evidence)
{
    static const struct counts blocks[5] = {
        {50, 1, 950, 18}, {48, 0, 952, 21}, {55, 2, 945, 17}, {50, 1, 950, 20}, {51, 0, 949, 19}};
    static const double log_e[5] = {0.755706527094, 3.149457902596, 3.266836275738, 4.580820932213,
                                    7.223645103349};
    struct bench bench;
    bench_init(&bench, 1, 500, 1);
    bench.policy.guardrail[SLI_REFUSAL].margin_add = 0.05;
    for (int t = 0; t < 5; t++) {
        bench_tick(&bench, SLI_REFUSAL, t, blocks[t], true);
        expect(evidence_ni(&bench.evidence, SLI_REFUSAL), log_e[t], "V9", t);
        cr_expect_eq(evidence_proven(&bench.evidence, &bench.policy), log_e[t] >= log(100), "V9 %d", t);
    }
}

Test(decision_vectors, v10_block_length)
{
    expect(block_length_s(1, .05, 1, 0), 16, "V10", 0);
    expect(block_length_s(10, .05, 1, 0), 2, "V10", 1);
    expect(block_length_s(1000, .5, 1, 0), 1, "V10", 2);
    expect(block_length_s(10, .95, 1, 0), 6, "V10", 3);
    expect(block_length_s(3, .01, 15, 0), 15, "V10", 4);
    expect(block_length_s(100, .05, 1, 5), 5, "V10", 5);
    expect(block_length_s(.01, .05, 1, 0), 300, "V10", 6);
}

/* --- attribution ----------------------------------------------------------------------------------- */

/* One of eight SLIs, the others muted: v = 1/8. Blocks of one tick: no rate is ever measured. */
static void ceiling_bench(struct bench *bench, double tick_s)
{
    bench_init(bench, 8, 500, tick_s);
    bench->policy.guardrail[SLI_REFUSAL].ceiling = 0.05;
}

struct attribution_row {
    struct counts counts;
    double g_rel, g_all, stable, canary, worse;
    enum judgement_action action;
};

static void run_attribution(struct bench *bench, const struct attribution_row *rows, int count,
                            const char *what)
{
    const struct sli_evidence *sli = &bench->evidence.sli[SLI_REFUSAL];
    for (int t = 0; t < count; t++) {
        bench_tick(bench, SLI_REFUSAL, t, rows[t].counts, false);
        enum judgement_action latched = bench->evidence.latched.action;
        bench->evidence.latched.action = JUDGE_CONTINUE;
        struct judgement judgement = evidence_judge(&bench->evidence, &bench->policy, 0xfe, false);
        expect(judgement.log_g_rel, rows[t].g_rel, what, t);
        expect(judgement.log_g_all, rows[t].g_all, what, t);
        expect(recent_value(sli->stable), rows[t].stable, what, t);
        expect(recent_value(sli->canary), rows[t].canary, what, t);
        expect(recent_value(sli->worse), rows[t].worse, what, t);
        cr_expect_eq(judgement.action, rows[t].action, "%s %d", what, t);
        cr_expect(latched == JUDGE_CONTINUE || latched == rows[t].action, "%s %d", what, t);
    }
}

Test(decision_vectors, a1_shared_outage)
{
    static const struct attribution_row rows[] = {
        {{5, 0, 95, 1},
         -2.506205091459,
         -2.257056563754,
         0.078712753232,
         0.477174754053,
         0.740314254985,
         JUDGE_CONTINUE},
        {{5, 0, 95, 1},
         -2.576220793556,
         -2.330013099357,
         0.029967128085,
         0.359413700452,
         0.623060333095,
         JUDGE_CONTINUE},
        {{5, 2, 95, 38},
         -2.755718074067,
         -2.467496043021,
         290.948775269538,
         1.130694881499,
         0.356370485136,
         JUDGE_HOLD},
        {{5, 2, 95, 38},
         -2.818375619004,
         -2.514091552307,
         320.000000000000,
         5.880281661104,
         0.274431936733,
         JUDGE_HOLD},
        {{5, 2, 95, 38},
         -2.855211763265,
         -2.541131722961,
         320.000000000000,
         46.910765624156,
         0.228818093375,
         JUDGE_HOLD},
        {{5, 2, 95, 38},
         -2.880867808469,
         -2.559807398295,
         320.000000000000,
         140.188321630430,
         0.198172235497,
         JUDGE_HOLD},
        {{5, 0, 95, 1},
         -2.884650307699,
         -2.576174802689,
         25.104522481608,
         54.679210995942,
         0.195440516950,
         JUDGE_HOLD},
        {{5, 0, 95, 1},
         -2.888326920628,
         -2.588191854413,
         9.474388502714,
         28.742187130782,
         0.192509149210,
         JUDGE_CONTINUE},
        {{5, 0, 95, 1},
         -2.891898042169,
         -2.597786246759,
         4.132948628352,
         17.092978933788,
         0.189523848302,
         JUDGE_CONTINUE},
    };
    static const double last[EVIDENCE_GRID] = {-0.940665246620,  -1.308992189913, -1.910942328577,
                                               -3.072377979827,  -5.239186700036, -9.720431081073,
                                               -13.499344824016, -17.575746492942};
    struct bench bench;
    ceiling_bench(&bench, 1);
    run_attribution(&bench, rows, 9, "A1");
    for (int j = 0; j < EVIDENCE_GRID; j++)
        expect(bench.evidence.sli[SLI_REFUSAL].absolute.log_m[j], last[j], "A1 component", j);
    cr_expect_eq(bench.evidence.latched.action, JUDGE_CONTINUE);
}

Test(decision_vectors, a2_canary_alone)
{
    static const struct attribution_row rows[] = {
        {{5, 0, 95, 1},
         -2.506205091459,
         -2.257056563754,
         0.078712753232,
         0.477174754053,
         0.740314254985,
         JUDGE_CONTINUE},
        {{5, 0, 95, 1},
         -2.576220793556,
         -2.330013099357,
         0.029967128085,
         0.359413700452,
         0.623060333095,
         JUDGE_CONTINUE},
        {{5, 3, 95, 1},
         -0.791729033966,
         -0.676529144995,
         0.013318112897,
         3.571769263421,
         35.336274939736,
         JUDGE_CONTINUE},
        {{5, 3, 95, 1},
         2.350251503192,
         2.414247304559,
         0.006306825202,
         150.178771417726,
         198.292467026713,
         JUDGE_CONTINUE},
        {{5, 3, 95, 1},
         5.751911721772,
         5.805003673633,
         0.003149874986,
         221.934069376532,
         234.018673537995,
         JUDGE_ROLLBACK},
        {{5, 3, 95, 1},
         9.207073020281,
         9.256062972280,
         0.001697210120,
         248.504106847115,
         250.807262554710,
         JUDGE_ROLLBACK},
        {{5, 3, 95, 1},
         12.683754441380,
         12.687665865488,
         0.001024180696,
         264.187473542309,
         271.385670678996,
         JUDGE_ROLLBACK},
    };
    struct bench bench;
    ceiling_bench(&bench, 1);
    run_attribution(&bench, rows, 7, "A2");
    cr_expect(bench.evidence.sli[SLI_REFUSAL].failed);
}

struct clock_row {
    double end, g_rel, g_all;
    enum judgement_action action;
};

static void run_clock(struct counts counts, const struct clock_row *rows, int count,
                      enum judgement_reason reason)
{
    struct bench bench;
    struct judgement judgement = {.action = JUDGE_CONTINUE};
    int row = 0;
    ceiling_bench(&bench, 30);
    for (int i = 0; i < 20 && row < count; i++) {
        cr_expect_eq(bench_tick(&bench, SLI_REFUSAL, 30 * i, counts, false), 1);
        judgement = evidence_judge(&bench.evidence, &bench.policy, 0xfe, false);
        if (30 * i + 30 < rows[row].end) {
            cr_expect_eq(judgement.action, JUDGE_HOLD);
            continue;
        }
        expect(judgement.log_g_rel, rows[row].g_rel, "A3", i);
        expect(judgement.log_g_all, rows[row].g_all, "A3", i);
        cr_expect_eq(judgement.action, rows[row].action, "A3 %d", i);
        row++;
    }
    cr_expect_eq(row, count);
    cr_expect_eq(judgement.reason, reason);
}

Test(decision_vectors, a3_waits)
{
    static const struct clock_row unseen[] = {
        {30, -2.367123614132, -0.759056096797, JUDGE_CONTINUE},
        {60, -2.367123614132, 2.384885545976, JUDGE_CONTINUE},
        {90, -2.367123614132, 5.840010833256, JUDGE_HOLD},
        {120, -2.367123614132, 7.614369290339, JUDGE_HOLD},
        {150, -2.367123614132, 7.720165825488, JUDGE_HOLD},
        {180, -2.367123614132, 7.937616056106, JUDGE_ROLLBACK},
    };
    static const struct clock_row shared[] = {
        {30, -2.820709896697, -2.398945744059, JUDGE_HOLD},
        {60, -2.892095508945, -2.445187513588, JUDGE_HOLD},
        {90, -2.931653030657, -2.470307606885, JUDGE_HOLD},
        {120, -2.958823348006, -2.487350522923, JUDGE_HOLD},
        {150, -2.979455500051, -2.500176668256, JUDGE_HOLD},
        {360, -3.059269154774, -2.548844066589, JUDGE_RETURN},
    };
    run_clock((struct counts){15, 6, 0, 0}, unseen, 6, REASON_CEILING);
    run_clock((struct counts){15, 6, 15, 6}, shared, 6, REASON_SHARED_CAUSE);
}

Test(decision_vectors, a4_budget)
{
    static const struct {
        struct counts counts;
        double x, log_allowed, log_zero;
    } rows[] = {
        {{500, 9, 500, 3}, 6.000000000000, -0.529481738944, 0.388672643080},
        {{480, 6, 520, 2}, 10.153846153846, -0.511984133164, 0.860244630170},
        {{30, 1, 970, 4}, 11.030134813640, -0.508085901320, 1.002563200046},
        {{980, 12, 20, 0}, 23.030134813640, -0.480122003943, 1.011634190764},
        {{700, 40, 300, 2}, 58.363468146973, -0.212303312766, 2.477321676462},
        {{10, 1, 0, 0}, 58.363468146973, -0.212303312766, 2.477321676462},
    };
    struct bench bench;
    bench_init(&bench, 1, 500, 1);
    bench.policy.guardrail[SLI_REFUSAL].allowed = 50;
    for (int t = 0; t < 6; t++) {
        const struct sli_evidence *sli = &bench.evidence.sli[SLI_REFUSAL];
        bench_tick(&bench, SLI_REFUSAL, t, rows[t].counts, true);
        struct judgement judgement = evidence_judge(&bench.evidence, &bench.policy, 0, false);
        double rel = 0.95 * exp(evidence_lane_log(&sli->relative)) + 0.05 * exp(rows[t].log_allowed);
        expect(sli->budget_x, rows[t].x, "A4 X", t);
        expect(budget_log(sli, 50, 1), rows[t].log_allowed, "A4", t);
        expect(budget_log(sli, 0, 1), rows[t].log_zero, "A4 zero", t);
        expect(judgement.log_g_rel, log(rel), "A4 G", t);
    }
}

Test(decision_vectors, a5_split)
{
    static const struct split_block blocks[] = {
        {0, 31, 600, .05, .05, false},  {60, 48, 610, .05, .05, false},   {120, 60, 590, .05, .05, false},
        {180, 55, 600, .05, .10, true}, {240, 130, 600, .10, .10, false},
    };
    static const double log_m[] = {-0.590697434927, -0.097823128161, 2.647872538760, 0.311208462433,
                                   3.452181940097};
    struct split split;
    split_init(&split, 5);
    for (int i = 0; i < 5; i++) {
        expect(split_update(&split, &blocks[i], false, 1), log_m[i], "A5", i);
        cr_expect_not(split_crossed(&split));
    }
}
