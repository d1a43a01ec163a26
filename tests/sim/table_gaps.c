/* Several SLIs at once, bursts inside an arm, absent outcomes. */
#include "decision/overdispersion.h"
#include "rollout.h"
#include "scenario.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TABLE = 15 };

static const double day_s = 86400, start_s = 900, after_s = 1500;

static int32_t weight_of(double w)
{
    return (int32_t)lround(w * WEIGHT_FULL);
}

/* Ticks of a minute while it is quiet, of 5 s in the last minute before start_s and from then on. */
static double tick_at(double now_s)
{
    return now_s < start_s - 60 ? 60 : 5;
}

/* --- several SLIs at once -------------------------------------------------------------------------- */

/* An outage of both arms shows in four of eight SLIs: 50 % timeouts, errors, late first bytes and ends. a:
   rps, b: weight, c: seconds. */
static void several(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    struct rollout r;
    double ceiling[SIM_SLIS], bad[SIM_SLIS], held_until = 0;
    for (int i = 0; i < SIM_SLIS; i++)
        ceiling[i] = 2.5 * usual_bad[i];
    rollout_of_eight(&r, ceiling, 1);
    rollout_begin(&r);
    rollout_weight(&r, weight_of(s->b), true);
    while (r.now_s < start_s + s->c + after_s && !rollout_ended(&r)) {
        double dt = tick_at(r.now_s);
        struct counts counts[SIM_SLIS];
        bool outage = r.now_s >= start_s && r.now_s < start_s + s->c;
        for (int i = 0; i < SIM_SLIS; i++)
            bad[i] = outage && i >= 1 && i <= 4 ? .5 : usual_bad[i];
        arms_draw_eight(s->a, s->b, dt, bad, bad, draw, counts);
        if (rollout_feed(&r, dt, counts).action == JUDGE_HOLD)
            held_until = r.now_s;
    }
    result[0] = r.last.action == JUDGE_ROLLBACK;
    result[1] = r.last.action == JUDGE_RETURN;
    result[2] = fmax(0, held_until - start_s - s->c);
}

/* The bad outcomes of all SLIs are those of the same requests: the set of each is inside the next larger
   one's. a: odds ratio, b: ceiling as a multiple of canary's share. 100 rps, weights 1-5-10-25-50 %, 24 h. */
static void nested(int64_t n, const double bad[SIM_SLIS], struct draw *draw, int64_t k[SIM_SLIS])
{
    static const int order[SIM_SLIS] = {3, 4, 0, 5, 6, 2, 7, 1}; /* by usual bad share, falling */
    int64_t left = n;
    double share = 1;
    for (int i = 0; i < SIM_SLIS; i++) {
        double p = bad[order[i]] / share;
        left = draw_binomial(draw, left, p < 1 ? p : 1);
        share = bad[order[i]];
        k[order[i]] = left;
    }
}

static void dependent(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    static const double at_s[] = {0, 3600, 7200, 14400, 28800, 1e9};
    static const int32_t weights[] = {100, 500, 1000, 2500, 5000};
    struct rollout r;
    double ceiling[SIM_SLIS], canary[SIM_SLIS];
    int next = 0;
    for (int i = 0; i < SIM_SLIS; i++) {
        canary[i] = bad_at_odds(usual_bad[i], s->a);
        ceiling[i] = s->b * canary[i];
    }
    rollout_of_eight(&r, ceiling, 15);
    rollout_budget(&r, 100);
    rollout_begin(&r);
    while (r.now_s < day_s && !rollout_ended(&r)) {
        struct counts counts[SIM_SLIS];
        int64_t k_c[SIM_SLIS], k_b[SIM_SLIS];
        if (r.now_s >= at_s[next])
            rollout_weight(&r, weights[next++], true);
        double w = (double)r.weight / WEIGHT_FULL;
        int64_t n_c = draw_poisson(draw, 100 * w * 15), n_b = draw_poisson(draw, 100 * (1 - w) * 15);
        nested(n_c, canary, draw, k_c);
        nested(n_b, usual_bad, draw, k_b);
        for (int i = 0; i < SIM_SLIS; i++)
            counts[i] = (struct counts){n_c, k_c[i], n_b, k_b[i]};
        rollout_feed(&r, 15, counts);
    }
    result[0] = r.last.action == JUDGE_ROLLBACK;
    result[1] = r.last.action == JUDGE_RETURN;
}

/* --- bursts inside an arm -------------------------------------------------------------------------- */

/* Each arm has a bad share of its own in each 5 s, beta with this mean and intra-block correlation. */
static struct counts bursty(const struct scenario *s, double mean, struct draw *draw)
{
    double spread = (1 - s->c) / s->c;
    struct arms arms = {s->a, s->b, draw_beta(draw, mean * spread, (1 - mean) * spread),
                        draw_beta(draw, mean * spread, (1 - mean) * spread), 1};
    return arms_draw(&arms, 5, draw);
}

/* 1/phi of an A/A run of four hours, as the daemon estimates it. */
static double eta_of(const struct scenario *s, struct draw *draw)
{
    struct overdispersion sum = {0, 0, 0};
    double phi = 1;
    for (int i = 0; i < 2880; i++) {
        struct counts x = bursty(s, .02, draw);
        overdispersion_add(&sum, x.n_c, x.k_c, x.n_b, x.k_b);
    }
    return overdispersion_phi(&sum, &phi) ? 1 / phi : 1;
}

static void begin_bursty(struct rollout *r, const struct scenario *s, double eta)
{
    rollout_of_one(r, SLI_ERROR, .05, 5, 5);
    r->policy.guardrail[SLI_ERROR].eta = eta;
    rollout_begin(r);
    rollout_weight(r, weight_of(s->b), true);
}

/* a: rps, b: weight, c: correlation. With and without eta on the same counts. Healthy for a day, ceiling 2.5
 * times p0. */
static void bursty_day(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    struct rollout r[2];
    double eta = eta_of(s, draw), held[2] = {0, 0};
    for (int i = 0; i < 2; i++)
        begin_bursty(&r[i], s, i == 0 ? eta : 1);
    for (double t = 0; t < day_s; t += 5) {
        struct counts counts = bursty(s, .02, draw);
        for (int i = 0; i < 2; i++)
            if (!rollout_ended(&r[i]) && rollout_feed(&r[i], 5, &counts).action == JUDGE_HOLD)
                held[i] += 5;
    }
    result[0] = r[0].last.action == JUDGE_ROLLBACK;
    result[1] = r[1].last.action == JUDGE_ROLLBACK;
    result[2] = r[0].last.action == JUDGE_RETURN;
    result[3] = held[0] > 0;
    result[4] = held[0];
}

/* A shared outage of 5 min, 50 % bad on average, with such bursts. */
static void bursty_outage(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    struct rollout r[2];
    double eta = eta_of(s, draw);
    for (int i = 0; i < 2; i++)
        begin_bursty(&r[i], s, i == 0 ? eta : 1);
    for (double t = 0; t < start_s + 300 + after_s; t += 5) {
        struct counts counts = bursty(s, t >= start_s && t < start_s + 300 ? .5 : .02, draw);
        for (int i = 0; i < 2; i++)
            if (!rollout_ended(&r[i]))
                rollout_feed(&r[i], 5, &counts);
    }
    for (int i = 0; i < 2; i++) {
        result[2 * i] = r[i].last.action == JUDGE_ROLLBACK;
        result[2 * i + 1] = r[i].last.action == JUDGE_RETURN;
    }
}

/* --- absent outcomes ------------------------------------------------------------------------------- */

/* Of `n` requests with `k` bad, so many carry no value of the SLI: a bad one with probability `bad`, a good
 * one `good`. */
static void lose(struct draw *draw, double bad, double good, int64_t *n, int64_t *k, int64_t *lost)
{
    int64_t bad_lost = draw_binomial(draw, *k, bad), good_lost = draw_binomial(draw, *n - *k, good);
    *lost = bad_lost + good_lost;
    *n -= *lost;
    *k -= bad_lost;
}

struct loss {
    double bad, good;
};

/* a: rps; 24 h at weight 5 %, refusals with a ceiling of 5 %. */
static void absent(double rps, double canary_bad, struct loss canary, struct loss stable, struct draw *draw,
                   double result[RESULTS_MAX])
{
    struct rollout r;
    double found = INFINITY;
    rollout_of_one(&r, SLI_REFUSAL, .05, 0, 15);
    rollout_begin(&r);
    rollout_weight(&r, 500, true);
    while (r.now_s < day_s && !rollout_ended(&r) && isinf(found)) {
        struct arms arms = {rps, .05, canary_bad, .02, 1};
        struct counts one = arms_draw(&arms, 15, draw), all = one;
        struct sli_counts counts;
        int64_t lost_c, lost_b;
        lose(draw, canary.bad, canary.good, &one.n_c, &one.k_c, &lost_c);
        lose(draw, stable.bad, stable.good, &one.n_b, &one.k_b, &lost_b);
        counts = sli_counts_of(one);
        counts.coverage[0] = (struct counts){all.n_c, lost_c, all.n_b, lost_b};
        if (rollout_feed_full(&r, 15, &counts).reason == REASON_COVERAGE)
            found = r.now_s;
    }
    result[0] = r.last.action == JUDGE_ROLLBACK;
    result[1] = isfinite(found);
    result[2] = r.last.action == JUDGE_ROLLBACK ? INFINITY : found;
}

/* Both arms lose 10 % at random. */
static void absent_alike(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    absent(s->a, .02, (struct loss){.1, .1}, (struct loss){.1, .1}, draw, result);
}

/* Canary loses a little more, b times the odds of 10 %, at random. */
static void absent_more(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    double more = bad_at_odds(.1, s->b);
    absent(s->a, .02, (struct loss){more, more}, (struct loss){.1, .1}, draw, result);
}

/* The judge breaks on canary's bad outcomes: 10 % are bad and nine of ten of those are not measured. */
static void absent_hidden(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    absent(s->a, .10, (struct loss){.9, .01}, (struct loss){.01, .01}, draw, result);
}

/* Four gateway instances in both arms; each goes silent for 10 min six times a day, while all that passes it
   is bad: its cohorts are dropped in both arms. The first 20 s of each outage are still reported. */
static void silent(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    enum { INSTANCES = 4 };
    struct rollout r;
    double goes[INSTANCES];
    rollout_of_one(&r, SLI_ERROR, .05, 5, 5);
    rollout_begin(&r);
    rollout_weight(&r, weight_of(s->b), true);
    for (int i = 0; i < INSTANCES; i++)
        goes[i] = draw_exponential(draw, day_s / 6);
    result[2] = 0;
    while (r.now_s < day_s && !rollout_ended(&r)) {
        struct counts sum = {0, 0, 0, 0};
        for (int i = 0; i < INSTANCES; i++) {
            if (r.now_s >= goes[i] + 600)
                goes[i] = r.now_s + draw_exponential(draw, day_s / 6);
            bool out = r.now_s >= goes[i];
            struct arms arms = {s->a / INSTANCES, s->b, out ? 1 : .02, out ? 1 : .02, 1};
            struct counts counts = arms_draw(&arms, 5, draw);
            if (!out || r.now_s < goes[i] + 20)
                counts_add(&sum, &counts);
        }
        result[2] += rollout_feed(&r, 5, &sum).action == JUDGE_HOLD ? 5 : 0;
    }
    result[0] = r.last.action == JUDGE_ROLLBACK;
    result[1] = r.last.action == JUDGE_RETURN;
}

/* --- the tables ------------------------------------------------------------------------------------ */

static void print(const struct settings *settings, const char *title, const struct scenario *list, int count,
                  int part)
{
    printf("\n### %s\n\n", title);
    scenarios_print(settings, TABLE + 100 * part, list, count, NULL);
}

#define SEVERAL                                                                                              \
    {                                                                                                        \
        {RESULT_SHARE, "blamed"}, {RESULT_SHARE, "returned"}, {RESULT_SECONDS, "held after it, median"},     \
    }
#define DAY                                                                                                  \
    {                                                                                                        \
        {RESULT_SHARE, "rolled back, eta 1/phi"}, {RESULT_SHARE, "eta 1"},                                   \
            {RESULT_SHARE, "returned (1/phi)"}, {RESULT_SHARE, "held at some time"},                         \
            {RESULT_SECONDS, "held a day, median"},                                                          \
    }
#define OUTAGE                                                                                               \
    {                                                                                                        \
        {RESULT_SHARE, "blamed, eta 1/phi"}, {RESULT_SHARE, "returned"}, {RESULT_SHARE, "blamed, eta 1"},    \
            {RESULT_SHARE, "returned"},                                                                      \
    }
#define ABSENT                                                                                               \
    {                                                                                                        \
        {RESULT_SHARE, "rolled back"}, {RESULT_SHARE, "held for coverage"},                                  \
        {                                                                                                    \
            RESULT_SECONDS, "after, median"                                                                  \
        }                                                                                                    \
    }
#define SILENT                                                                                               \
    {                                                                                                        \
        {RESULT_SHARE, "blamed"}, {RESULT_SHARE, "returned"},                                                \
        {                                                                                                    \
            RESULT_SECONDS, "held a day, median"                                                             \
        }                                                                                                    \
    }

static void several_at_once(const struct settings *settings)
{
    static const double rates[] = {1, 10, 100, 1000}, weights[] = {.05, .5, .98}, lengths[] = {60, 300};
    static struct scenario list[26];
    static char text[24][96];
    int count = 0;
    for (int r = 0; r < 4; r++)
        for (int w = 0; w < 3; w++)
            for (int l = 0; l < 2; l++, count++) {
                snprintf(text[count], sizeof text[count], "outage of %g s, %g rps, weight %g %%", lengths[l],
                         rates[r], 100 * weights[w]);
                list[count] = (struct scenario){
                    text[count], several, rates[r], weights[w], lengths[l], 200, 0, SEVERAL,
                };
            }
    list[count++] = (struct scenario){"healthy 24 h, bad outcomes of all SLIs nested",
                                      dependent,
                                      1,
                                      1.5,
                                      0,
                                      300,
                                      0,
                                      {{RESULT_SHARE, "rolled back"}, {RESULT_SHARE, "returned"}}};
    list[count++] = (struct scenario){"boundary 24 h, nested",
                                      dependent,
                                      1.1,
                                      1,
                                      0,
                                      300,
                                      0,
                                      {{RESULT_SHARE, "rolled back"}, {RESULT_SHARE, "returned"}}};
    print(settings,
          "Several SLIs at once: a shared outage shows as 50 % timeouts, errors, late first bytes and late "
          "ends; eight SLIs, "
          "ceilings 2.5 times their shares",
          list, count, 0);
}

void table_gaps(const struct settings *settings)
{
    static const struct scenario day[] = {
        {"100 rps, weight 5 %, correlation .01", bursty_day, 100, .05, .01, 100, 0, DAY},
        {"100 rps, 5 %, .05", bursty_day, 100, .05, .05, 100, 0, DAY},
        {"100 rps, 98 %, .05", bursty_day, 100, .98, .05, 100, 0, DAY},
        {"1000 rps, 5 %, .05", bursty_day, 1000, .05, .05, 100, 0, DAY},
        {"10 rps, 50 %, .05", bursty_day, 10, .5, .05, 100, 0, DAY},
    };
    static const struct scenario outage[] = {
        {"100 rps, weight 5 %, correlation .05", bursty_outage, 100, .05, .05, 400, 0, OUTAGE},
        {"100 rps, 5 %, .20", bursty_outage, 100, .05, .20, 400, 0, OUTAGE},
        {"100 rps, 50 %, .20", bursty_outage, 100, .50, .20, 400, 0, OUTAGE},
        {"100 rps, 98 %, .20", bursty_outage, 100, .98, .20, 400, 0, OUTAGE},
        {"1000 rps, 5 %, .20", bursty_outage, 1000, .05, .20, 400, 0, OUTAGE},
        {"1000 rps, 98 %, .20", bursty_outage, 1000, .98, .20, 400, 0, OUTAGE},
        {"10 rps, 5 %, .20", bursty_outage, 10, .05, .20, 400, 0, OUTAGE},
        {"10 rps, 50 %, .20", bursty_outage, 10, .50, .20, 400, 0, OUTAGE},
    };
    static const struct scenario lost[] = {
        {"10 % absent in both arms, 10 rps", absent_alike, 10, 0, 0, 300, 0, ABSENT},
        {"10 % absent in both arms, 1000 rps", absent_alike, 1000, 0, 0, 300, 0, ABSENT},
        {"absent at odds 1.25 (the tolerance), 1000 rps", absent_more, 1000, 1.25, 0, 300, 0, ABSENT},
        {"absent at odds 1.5, 10 rps", absent_more, 10, 1.5, 0, 200, 0, ABSENT},
        {"absent at odds 1.5, 100 rps", absent_more, 100, 1.5, 0, 200, 0, ABSENT},
        {"absent at odds 3, 1 rps", absent_more, 1, 3, 0, 200, 0, ABSENT},
        {"absent at odds 3, 10 rps", absent_more, 10, 3, 0, 200, 0, ABSENT},
        {"absent at odds 3, 100 rps", absent_more, 100, 3, 0, 200, 0, ABSENT},
        {"canary 10 % bad, nine tenths of it hidden, 1 rps", absent_hidden, 1, 0, 0, 200, 0, ABSENT},
        {"hidden, 10 rps", absent_hidden, 10, 0, 0, 200, 0, ABSENT},
        {"hidden, 100 rps", absent_hidden, 100, 0, 0, 200, 0, ABSENT},
        {"hidden, 1000 rps", absent_hidden, 1000, 0, 0, 200, 0, ABSENT},
        {"one gateway of four bad, then silent, six times a day each, 10 rps, weight 5 %", silent, 10, .05, 0,
         100, 0, SILENT},
        {"same, 100 rps, 5 %", silent, 100, .05, 0, 100, 0, SILENT},
        {"same, 100 rps, 98 %", silent, 100, .98, 0, 100, 0, SILENT},
        {"same, 1000 rps, 98 %", silent, 1000, .98, 0, 100, 0, SILENT},
    };
    printf("\n## Several SLIs, bursts, absent outcomes\n");
    several_at_once(settings);
    print(settings, "Bursts inside an arm: healthy, 24 h (p0 2 %, ceiling 5 %, blocks of 5 s)", day,
          (int)(sizeof day / sizeof day[0]), 1);
    print(settings, "Bursts inside an arm during a shared outage of 5 min (50 % bad on average)", outage,
          (int)(sizeof outage / sizeof outage[0]), 2);
    print(settings, "Absent outcomes: 24 h, weight 5 %, refusals 2 %, ceiling 5 %", lost,
          (int)(sizeof lost / sizeof lost[0]), 3);
}
