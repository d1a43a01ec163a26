/* T8: outcomes that are not independent: noise of one arm, pods that fail for a while, sessions. */
#include "decision/overdispersion.h"
#include "rivals.h"
#include "rollout.h"
#include "scenario.h"

#include <math.h>
#include <stdio.h>

enum { TABLE = 9, PODS = 20, SESSION = 20 };

static const double day_s = 86400, no_ceiling = .95;

static void begin(struct rollout *r, double eta, int64_t block_s, double tick_s, double w)
{
    rollout_of_one(r, SLI_ERROR, no_ceiling, block_s, tick_s);
    r->policy.guardrail[SLI_ERROR].eta = eta;
    rollout_begin(r);
    rollout_weight(r, (int32_t)lround(w * WEIGHT_FULL), true);
}

/* 5 s of both arms, each with a bad share of its own. a: rps, b: weight, c: intra-block correlation. */
static struct counts noisy(const struct scenario *s, struct draw *draw)
{
    double spread = (1 - s->c) / s->c;
    struct arms arms = {s->a, s->b, draw_beta(draw, .02 * spread, .98 * spread),
                        draw_beta(draw, .02 * spread, .98 * spread), 1};
    return arms_draw(&arms, 5, draw);
}

/* phi of an A/A run of four hours, as the daemon estimates it. */
static double dispersion(const struct scenario *s, struct draw *draw)
{
    struct overdispersion sum = {0, 0, 0};
    double phi = 1;
    for (int i = 0; i < 2880; i++) {
        struct counts x = noisy(s, draw);
        overdispersion_add(&sum, x.n_c, x.k_c, x.n_b, x.k_b);
    }
    return overdispersion_phi(&sum, &phi) ? phi : 1;
}

static void noise(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    struct rollout with, without;
    struct rivals rivals;
    double phi = dispersion(s, draw);
    begin(&with, 1 / phi, 5, 5, s->b);
    begin(&without, 1, 5, 5, s->b);
    rivals_begin(&rivals, .02);
    for (double t = 0; t < day_s; t += 5) {
        struct counts counts = noisy(s, draw);
        if (!rollout_ended(&with))
            rollout_feed(&with, 5, &counts);
        if (!rollout_ended(&without))
            rollout_feed(&without, 5, &counts);
        rivals_tick(&rivals, t, 5, &counts);
    }
    result[0] = rollout_ended(&with);
    result[1] = rollout_ended(&without);
    result[2] = isfinite(rivals.fired_s[RIVAL_Z]);
    result[3] = isfinite(rivals.fired_s[RIVAL_GROWTHBOOK]);
    result[4] = phi;
}

/* R3b: each of 20 pods, one of them canary's, fails 30 % of its requests for a seconds, 4 times a day; blocks
   of b seconds. 1 s ticks while any pod fails, else a block at once. */
static void pods(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    double fails[PODS], well[PODS];
    struct rollout r;
    begin(&r, 1, (int64_t)s->b, 1, .05);
    for (int i = 0; i < PODS; i++) {
        fails[i] = draw_exponential(draw, day_s / 4);
        well[i] = fails[i] + s->a;
    }
    while (r.now_s < day_s && !rollout_ended(&r)) {
        int stable = 0;
        double next = day_s;
        for (int i = 0; i < PODS; i++) {
            if (r.now_s >= well[i]) {
                fails[i] = well[i] + draw_exponential(draw, day_s / 4);
                well[i] = fails[i] + s->a;
            }
            bool failing = r.now_s >= fails[i];
            stable += failing && i > 0;
            next = fmin(next, failing ? r.now_s : fails[i]);
        }
        struct arms arms = {100, .05, r.now_s >= fails[0] ? .3 : .005, .005 + .295 * stable / (PODS - 1), 1};
        double block = s->b - fmod(r.now_s, s->b), dt = next - r.now_s > block ? block : 1;
        struct counts counts = arms_draw(&arms, dt, draw);
        rollout_feed(&r, dt, &counts);
    }
    result[0] = rollout_ended(&r);
}

/* R3c: what longer blocks cost: canary a bad from the start. */
static void price(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    static const int64_t blocks[] = {0, 5, 15, 30};
    struct arms arms = {100, .05, s->a, .005, 1};
    for (int i = 0; i < 4; i++) {
        struct rollout r;
        begin(&r, 1, blocks[i], 1, .05);
        while (r.now_s < 7200 && !rollout_ended(&r)) {
            struct counts counts = arms_draw(&arms, 1, draw);
            rollout_feed(&r, 1, &counts);
        }
        result[i] = rollout_ended(&r) ? r.now_s : INFINITY;
    }
}

/* R7: sticky sessions of 20 requests, 20 s apart, each session with a bad share of its own (mean 2 %,
   correlation a); one new session a second, weight 10 %. Counts of 20 s. */
struct sessions {
    int live[SESSION]; /* that began so many ticks ago, at % SESSION */
    double bad[SESSION][64];
};

static void begin_sessions(struct sessions *sessions, int at, double rate, double icc, struct draw *draw)
{
    int count = (int)draw_poisson(draw, rate * 20);
    sessions->live[at] = count < 64 ? count : 64;
    for (int i = 0; i < sessions->live[at]; i++)
        sessions->bad[at][i] = icc > 0 ? draw_beta(draw, .02 * (1 - icc) / icc, .98 * (1 - icc) / icc) : .02;
}

static void count_sessions(const struct sessions *sessions, struct draw *draw, int64_t *n, int64_t *k)
{
    *n = *k = 0;
    for (int at = 0; at < SESSION; at++) {
        *n += sessions->live[at];
        for (int i = 0; i < sessions->live[at]; i++)
            *k += draw_share(draw) < sessions->bad[at][i];
    }
}

static void session_case(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    struct sessions canary = {.live = {0}}, stable = {.live = {0}};
    double design_effect = 1 + (SESSION - 1) * s->a;
    struct rollout with, without;
    begin(&with, 1 / design_effect, 0, 20, .1);
    begin(&without, 1, 0, 20, .1);
    for (int i = 0; i < SESSION + 6 * 3600 / 20; i++) {
        struct counts counts;
        begin_sessions(&canary, i % SESSION, .1, s->a, draw);
        begin_sessions(&stable, i % SESSION, .9, s->a, draw);
        if (i < SESSION)
            continue;
        count_sessions(&canary, draw, &counts.n_c, &counts.k_c);
        count_sessions(&stable, draw, &counts.n_b, &counts.k_b);
        rollout_feed(&with, 20, &counts);
        rollout_feed(&without, 20, &counts);
    }
    result[0] = rollout_ended(&with);
    result[1] = rollout_ended(&without);
}

#define NOISE                                                                                                \
    {                                                                                                        \
        {RESULT_SHARE, "eta 1/phi"}, {RESULT_SHARE, "eta 1"}, {RESULT_SHARE, "z"},                           \
            {RESULT_SHARE, "GrowthBook .05"},                                                                \
        {                                                                                                    \
            RESULT_NUMBER, "phi "                                                                            \
        }                                                                                                    \
    }
#define BLIPS                                                                                                \
    {                                                                                                        \
        {                                                                                                    \
            RESULT_SHARE, "rolled back"                                                                      \
        }                                                                                                    \
    }
#define PRICE                                                                                                \
    {                                                                                                        \
        {RESULT_SECONDS, "block 1 s"}, {RESULT_SECONDS, "5 s"}, {RESULT_SECONDS, "15 s"},                    \
        {                                                                                                    \
            RESULT_SECONDS, "30 s"                                                                           \
        }                                                                                                    \
    }
#define SESSIONS                                                                                             \
    {                                                                                                        \
        {RESULT_SHARE, "eta 1/design effect"},                                                               \
        {                                                                                                    \
            RESULT_SHARE, "eta 1"                                                                            \
        }                                                                                                    \
    }

static const struct scenario scenarios[] = {
    {"R3 noise of each arm, correlation .002 in 5 s, 100 rps, weight 5 %", noise, 100, .05, .002, 300, 8,
     NOISE},
    {"R3 .01, 100 rps, 5 %", noise, 100, .05, .01, 300, 8, NOISE},
    {"R3 .05, 100 rps, 5 %", noise, 100, .05, .05, 300, 8, NOISE},
    {"R3 .01, 100 rps, 25 %", noise, 100, .25, .01, 300, 8, NOISE},
    {"R3 .002, 1000 rps, 5 %", noise, 1000, .05, .002, 300, 8, NOISE},
    {"R3 .01, 1000 rps, 5 %", noise, 1000, .05, .01, 300, 8, NOISE},
    {"R3b canary's pod of 20 fails 30 % for 10 s, 4 times a day; blocks 5 s", pods, 10, 5, 0, 200, 0, BLIPS},
    {"R3b 10 s; blocks 15 s", pods, 10, 15, 0, 200, 0, BLIPS},
    {"R3b 10 s; blocks 30 s", pods, 10, 30, 0, 200, 0, BLIPS},
    {"R3b 30 s; blocks 5 s", pods, 30, 5, 0, 200, 0, BLIPS},
    {"R3b 30 s; blocks 15 s", pods, 30, 15, 0, 200, 0, BLIPS},
    {"R3b 30 s; blocks 30 s", pods, 30, 30, 0, 200, 0, BLIPS},
    {"R3b 60 s; blocks 30 s", pods, 60, 30, 0, 200, 0, BLIPS},
    {"R3c price of the block: 0.5 % -> 1.5 %, 100 rps, 5 %", price, .015, 0, 0, 200, 0, PRICE},
    {"R3c 0.5 % -> 5 %", price, .05, 0, 0, 200, 0, PRICE},
    {"R3c 0.5 % -> 38 %", price, .38, 0, 0, 200, 0, PRICE},
    {"R7 sticky sessions of 20 requests, correlation 0", session_case, 0, 0, 0, 300, 8, SESSIONS},
    {"R7 correlation .05", session_case, .05, 0, 0, 300, 8, SESSIONS},
    {"R7 correlation .20", session_case, .20, 0, 0, 300, 8, SESSIONS},
};

void table_bursts(const struct settings *settings)
{
    printf(
        "\n## Outcomes that are not independent (T8: R3, R7)\n\nShare rolled back in 24 h (R7: 6 h); one SLI "
        "at the share of one "
        "of eight. phi is estimated from 4 h of the same noise before the rollout, as the daemon does.\n\n");
    scenarios_print(settings, TABLE, scenarios, (int)(sizeof scenarios / sizeof scenarios[0]), NULL);
}
