/* What evidence costs, in CPU time: many rollouts with eight SLIs of one block each, beside a plain
   two-proportion test on the same counts; its parts; what a stored rollout weighs. A table in Markdown.
     bench_evidence [rollouts 10000] [repeats 5] */
#include "decision/evidence.h"

#include "decision/budget.h"
#include "decision/ni.h"
#include "decision/recent.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { SLIS = 8, KEPT = 64 /* rollouts that are held at once; each is visited in turn */ };

/* CPU time of this process, ns. */
static double now_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return ((double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec) * 1e9 +
           ((double)usage.ru_utime.tv_usec + (double)usage.ru_stime.tv_usec) * 1e3;
}

static double sink; /* keeps the work from being removed */

static struct counts counts_of(long i)
{
    return (struct counts){50, i % 4, 950, 19 + i % 3};
}

/* --- the parts ------------------------------------------------------------------------------------- */

static void lane(long rounds)
{
    struct evidence_lane lane;
    struct lane_rules rules = {.eta = 1, .cap = 3.5, .planned_weights = 5};
    evidence_lane_init(&lane, 5);
    for (long i = 0; i < rounds; i++) {
        double log_e[EVIDENCE_GRID];
        struct counts counts = counts_of(i);
        evalue_relative(&counts, 1.1, log_e);
        evidence_lane_update(&lane, &rules, (double)i, false, log_e);
    }
    sink += evidence_lane_log(&lane);
}

static void recents(long rounds)
{
    double log_r[EVIDENCE_GRID];
    recent_init(log_r);
    for (long i = 0; i < rounds; i++) {
        double log_e[EVIDENCE_GRID];
        evalue_absolute(950, 19 + i % 3, 0.05, log_e);
        recent_update(log_r, 1, log_e);
    }
    sink += recent_value(log_r);
}

static void non_inferiority(long rounds)
{
    static struct sli_evidence sli;
    evidence_sli_init(&sli, 5);
    for (long i = 0; i < rounds; i++) {
        struct sli_counts counts = sli_counts_of(counts_of(i));
        ni_update(&sli, &counts, 2, 0.02, 1);
    }
    sink += ni_log(&sli);
}

/* The peer: a two-sided test of two proportions, pooled over the rollout so far, as a dashboard would do it.
 */
static double two_proportions(const struct counts *sum)
{
    double n_c = (double)sum->n_c, n_b = (double)sum->n_b, p_c = (double)sum->k_c / n_c,
           p_b = (double)sum->k_b / n_b;
    double p = (double)(sum->k_c + sum->k_b) / (n_c + n_b);
    double z = (p_c - p_b) / sqrt(p * (1 - p) * (1 / n_c + 1 / n_b));
    return erfc(fabs(z) / sqrt(2));
}

/* --- rollouts -------------------------------------------------------------------------------------- */

static struct policy policy;
static struct plan plan;
static struct evidence kept[KEPT];
static struct counts sums[KEPT][SLIS];
static double clock_s; /* of all rollouts: a round of them takes a second */

static void set_up(void)
{
    struct slos slos;
    memset(&slos, 0, sizeof slos);
    for (int i = 0; i < SLIS; i++)
        slos.of[i] = (struct slo){.used = true, .objective_ppm = 960000};
    policy_default(&slos, &policy);
    plan_default(&plan);
    for (int i = 0; i < SLIS; i++)
        policy.guardrail[i].allowed = 1e6;
    for (int i = 0; i < KEPT; i++) {
        evidence_init(&kept[i], &policy, &plan, 1);
        evidence_weight(&kept[i], 0, 500, true);
    }
    memset(sums, 0, sizeof sums);
}

/* One block of each SLI of each rollout; `strata` > 1 splits its counts. */
static void blocks(long rollouts, int32_t strata)
{
    for (long r = 0; r < rollouts; r++) {
        clock_s += r % KEPT == 0;
        for (int i = 0; i < SLIS; i++) {
            struct block block = {.sli = (enum sli)i, .start_s = clock_s, .length_s = 1, .weight = 500};
            block.counts.strata = strata;
            for (int32_t s = 0; s < strata; s++)
                block.counts.stratum[s] = counts_of(r + i + s);
            block.counts.coverage[0] = (struct counts){51, 1, 960, 10};
            evidence_block(&kept[r % KEPT], &policy, &plan, &block);
        }
    }
}

static void one_stratum(long rollouts)
{
    blocks(rollouts, 1);
}

static void four_strata(long rollouts)
{
    blocks(rollouts, 4);
}

/* Through the door that the daemon uses: a tick of each SLI, which closes its block, and a judgement. */
static void ticks(long rollouts)
{
    for (long r = 0; r < rollouts; r++) {
        struct evidence *evidence = &kept[r % KEPT];
        clock_s += r % KEPT == 0;
        for (int i = 0; i < SLIS; i++) {
            struct sli_counts counts = sli_counts_of(counts_of(r + i));
            struct block closed[2];
            sink += evidence_tick(evidence, &policy, &plan, (enum sli)i, QUALITY_COHORT, clock_s, 1, &counts,
                                  i == 0, false, closed);
        }
        evidence->latched.action = JUDGE_CONTINUE;
        sink += evidence_judge(evidence, &policy, 0, false).log_g_rel;
    }
}

static void judgements(long rollouts)
{
    for (long r = 0; r < rollouts; r++) {
        kept[r % KEPT].latched.action = JUDGE_CONTINUE;
        sink += evidence_judge(&kept[r % KEPT], &policy, 0, false).log_g_rel;
    }
}

static void peers(long rollouts)
{
    for (long r = 0; r < rollouts; r++)
        for (int i = 0; i < SLIS; i++) {
            struct counts counts = counts_of(r + i);
            counts_add(&sums[r % KEPT][i], &counts);
            sink += two_proportions(&sums[r % KEPT][i]);
        }
}

static void codec(long rollouts)
{
    static unsigned char bytes[EVIDENCE_CODEC_MAX];
    static struct evidence back;
    for (long r = 0; r < rollouts; r++)
        sink += evidence_decode(bytes, evidence_encode(&kept[r % KEPT], bytes), &back);
}

/* --- the table ------------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median over the repeats, ns for each of `rounds`. */
static double measure(void (*work)(long), long rounds, int repeats)
{
    double spent[64];
    work(rounds / 10 + 1);
    for (int i = 0; i < repeats; i++) {
        double start = now_ns();
        work(rounds);
        spent[i] = (now_ns() - start) / (double)rounds;
    }
    qsort(spent, (size_t)repeats, sizeof spent[0], ascending);
    return spent[repeats / 2];
}

/* The most a rollout can weigh: every number distinct, every place used. */
static size_t worst_size(void)
{
    static unsigned char bytes[EVIDENCE_CODEC_MAX];
    static struct evidence full;
    full = kept[0];
    for (int i = 0; i < SLI_COUNT; i++) {
        struct sli_evidence *sli = &full.sli[i];
        sli->open.strata = STRATA_MAX;
        for (int s = 0; s < STRATA_MAX; s++) {
            sli->ni_bad[s] = s;
            sli->ni_seen[s] = s;
        }
        for (int w = 0; w < BURN_WINDOWS; w++) {
            sli->burn[w].since = 0;
            sli->burn[w].newest = INT64_MAX - 1;
            for (int b = 0; b < BURN_BUCKETS; b++)
                sli->burn[w].n[b] = sli->burn[w].k[b] = INT64_MAX;
        }
    }
    for (full.weights = 0; full.weights < EVIDENCE_WEIGHTS_MAX; full.weights++)
        full.weight[full.weights] = (struct weight_change){.weight = 1};
    return evidence_encode(&full, bytes);
}

static size_t size_of(const struct evidence *evidence)
{
    static unsigned char bytes[EVIDENCE_CODEC_MAX];
    return evidence_encode(evidence, bytes);
}

int main(int argc, char **argv)
{
    static struct evidence fresh;
    long rollouts = argc > 1 ? strtol(argv[1], NULL, 10) : 10000;
    int repeats = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
    rollouts = rollouts > 0 ? rollouts : 1;
    repeats = repeats > 0 && repeats <= 64 ? repeats : 5;
    set_up();
    evidence_init(&fresh, &policy, &plan, 1);
    double lane_ns = measure(lane, rollouts * SLIS, repeats),
           recent_ns = measure(recents, rollouts * SLIS, repeats),
           ni_ns = measure(non_inferiority, rollouts * SLIS, repeats);
    double peer = measure(peers, rollouts, repeats), one = measure(one_stratum, rollouts, repeats);
    size_t typical = size_of(&kept[0]);
    double four = measure(four_strata, rollouts, repeats), judging = measure(judgements, rollouts, repeats),
           all = measure(ticks, rollouts, repeats), stored = measure(codec, rollouts, repeats);
    printf("%ld rollouts x %d SLIs x 1 block, CPU time, median of %d:\n\n", rollouts, SLIS, repeats);
    printf(
        "| what | ms for all | us a rollout | ns a block | x two-proportion test |\n|---|---|---|---|---|\n");
    const struct {
        const char *what;
        double ns; /* a rollout */
    } rows[] = {
        {"two-proportion z-test, pooled (peer)", peer},
        {"blocks: all lanes, recents, budget, burn, coverage, step", one},
        {"the same in 4 strata", four},
        {"ticks that close a block each, and a judgement", all},
        {"a judgement over all SLIs", judging},
        {"encoding and decoding", stored},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        printf("| %s | %.1f | %.2f | %.0f | %.1f |\n", rows[i].what, rows[i].ns * (double)rollouts / 1e6,
               rows[i].ns / 1e3, rows[i].ns / SLIS, rows[i].ns / peer);
    printf(
        "\n| part of a block | ns |\n|---|---|\n| e-value and lane | %.0f |\n| e-value and recent e-value | "
        "%.0f |\n"
        "| non-inferiority (both margins) | %.0f |\n",
        lane_ns, recent_ns, ni_ns);
    printf(
        "\n| stored evidence | bytes |\n|---|---|\n| fresh | %zu |\n| %d SLIs watched, one stratum | %zu |\n"
        "| worst | %zu |\n| room | %d |\n| in memory | %zu |\n",
        size_of(&fresh), SLIS, typical, worst_size(), EVIDENCE_CODEC_MAX, sizeof(struct evidence));
    return sink > 1e300;
}
