/* The split check: does it stay quiet while gateways do what they say, also while weights change, and how
   soon does it see one that does not? Ticks of 5 s; each of four gateways applies a weight up to 10 s after
   it was written. */
#include "rollout.h"
#include "scenario.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TABLE = 16, GATEWAYS = 4, TICK_S = 5, CLASSES = 8, AHEAD = 120, KEY_REQUESTS = 10 };

static const double day_s = 86400;

enum plan_kind { CONSTANT, RAMP, EVERY_10_MIN };
enum wrong { RIGHT, DOUBLE, NONE, ONE_STAYS, STAYS };

/* Who does what. One number of a scenario holds all of it. */
struct plot {
    enum plan_kind plan;
    enum wrong wrong;
    bool keyed;
};

static const struct plot plots[] = {
    {CONSTANT, RIGHT, false}, {RAMP, RIGHT, false},     {EVERY_10_MIN, RIGHT, false},
    {CONSTANT, RIGHT, true},  {RAMP, RIGHT, true},      {CONSTANT, DOUBLE, false},
    {CONSTANT, NONE, false},  {RAMP, ONE_STAYS, false}, {RAMP, STAYS, false},
    {CONSTANT, DOUBLE, true}, {CONSTANT, NONE, true},   {EVERY_10_MIN, RIGHT, true},
};
enum {
    PLOT_DOUBLE = 5,
    PLOT_NONE,
    PLOT_ONE_STAYS,
    PLOT_STAYS,
    PLOT_DOUBLE_KEYED,
    PLOT_NONE_KEYED,
    PLOT_OFTEN_KEYED
};

/* The weight that is written at t_s. */
static int32_t written_at(enum plan_kind plan, double t_s)
{
    static const int32_t ramp[] = {100, 500, 1000, 2500, 5000};
    int i = (int)(t_s / (day_s / 5));
    switch (plan) {
    case RAMP:
        return ramp[i < 4 ? i : 4];
    case EVERY_10_MIN:
        return (int)(t_s / 600) % 2 == 0 ? 500 : 1000;
    case CONSTANT:
        break;
    }
    return 500;
}

/* --- requests -------------------------------------------------------------------------------------- */

/* Requests of sticky keys in the coming ticks, by the place of the key's hash. */
struct keys {
    int64_t ahead[AHEAD][CLASSES];
};

/* Upper ends of the classes of hashes: all weights that occur. */
static const double ends[CLASSES] = {.01, .02, .05, .10, .20, .25, .50, 1};

static int class_of(double hash)
{
    int i = 0;
    while (i < CLASSES - 1 && hash >= ends[i])
        i++;
    return i;
}

/* Keys begin at random; each sends a geometric number of requests (mean 10) within 10 min. */
static void arrive(struct keys *keys, int now, double rps, struct draw *draw)
{
    int64_t begin = draw_poisson(draw, rps * TICK_S / KEY_REQUESTS);
    for (int64_t i = 0; i < begin; i++) {
        int class = class_of(draw_share(draw));
        do
            keys->ahead[(now + (int)(draw_share(draw) * AHEAD)) % AHEAD][class]++;
        while (draw_share(draw) > 1.0 / KEY_REQUESTS);
    }
}

static void take(struct keys *keys, int now, double w, int64_t *n_c, int64_t *n_b)
{
    int64_t *of = keys->ahead[now % AHEAD];
    for (int i = 0; i < CLASSES; i++) {
        *(ends[i] <= w + 1e-9 ? n_c : n_b) += of[i];
        of[i] = 0;
    }
}

/* --- the run --------------------------------------------------------------------------------------- */

/* Four gateways, each with the weight that it says it has applied and the one before. */
struct fleet {
    int32_t written, applied[GATEWAYS], before[GATEWAYS];
    double applies_s[GATEWAYS]; /* when it applies what is written */
};

static void write_weight(struct fleet *fleet, struct rollout *r, int32_t weight, struct draw *draw)
{
    rollout_weight(r, weight, weight > fleet->written);
    fleet->written = weight;
    for (int g = 0; g < GATEWAYS; g++)
        fleet->applies_s[g] = r->now_s + 10 * draw_share(draw);
}

/* The share that gateway g really gives to canary. */
static double given(const struct plot *plot, const struct fleet *fleet, int g)
{
    bool stays = plot->wrong == STAYS || (plot->wrong == ONE_STAYS && g == 0);
    double w = (double)(stays && fleet->before[g] > 0 ? fleet->before[g] : fleet->applied[g]) / WEIGHT_FULL;
    return plot->wrong == DOUBLE ? 2 * w : plot->wrong == NONE ? 0 : w;
}

/* The same on average over the tick, in which it may apply a weight. */
static double given_in_tick(const struct plot *plot, struct fleet *fleet, int g, struct rollout *r)
{
    double share = given(plot, fleet, g), rest = (r->now_s + TICK_S - fleet->applies_s[g]) / TICK_S;
    if (fleet->applied[g] == fleet->written || rest <= 0)
        return share;
    fleet->before[g] = fleet->applied[g];
    fleet->applied[g] = fleet->written;
    double last_s = 0;
    for (int other = 0; other < GATEWAYS; other++)
        last_s = fleet->applied[other] == fleet->written ? fmax(last_s, fleet->applies_s[other]) : INFINITY;
    if (isfinite(last_s))
        evidence_weight_applied(&r->evidence, last_s);
    return share + (given(plot, fleet, g) - share) * fmin(rest, 1);
}

/* a: rps, b: the plot. Results: held; seconds until then from where the fault begins; ... */
static void run(const struct scenario *s, struct draw *draw, double result[RESULTS_MAX])
{
    const struct plot *plot = &plots[(int)s->b];
    static _Thread_local struct keys keys;
    struct rollout r;
    struct fleet fleet = {.written = 0};
    double from_s = plot->wrong >= ONE_STAYS ? day_s / 5 : 0, found = INFINITY;
    memset(&keys, 0, sizeof keys);
    rollout_of_one(&r, SLI_REFUSAL, .95, 0, TICK_S);
    r.policy.keyed = plot->keyed;
    r.policy.key_effect = plot->keyed ? 2 * KEY_REQUESTS : 1; /* sum a^2 / sum a of geometric counts: 19 */
    rollout_begin(&r);
    for (int tick = 0; tick < AHEAD && plot->keyed; tick++) /* keys that were there before */
        arrive(&keys, tick, s->a, draw);
    for (int tick = 0; tick * TICK_S < day_s && isinf(found); tick++, r.now_s += TICK_S) {
        struct admissions admissions = {.t_s = r.now_s, .dt_s = TICK_S};
        struct split_block closed;
        if (written_at(plot->plan, r.now_s) != fleet.written)
            write_weight(&fleet, &r, written_at(plot->plan, r.now_s), draw);
        if (plot->keyed)
            arrive(&keys, tick, s->a, draw);
        for (int g = 0; g < GATEWAYS; g++) {
            double share = given_in_tick(plot, &fleet, g, &r);
            if (plot->keyed && g == 0) /* keys do not care which gateway they come through */
                take(&keys, tick, share, &admissions.n_c, &admissions.n_b);
            if (!plot->keyed) {
                admissions.n_c += draw_poisson(draw, s->a * TICK_S / GATEWAYS * share);
                admissions.n_b += draw_poisson(draw, s->a * TICK_S / GATEWAYS * (1 - share));
            }
        }
        evidence_weight_range(&r.evidence, r.now_s, r.now_s + TICK_S, &admissions.w_lo, &admissions.w_hi);
        evidence_admissions(&r.evidence, &r.policy, &admissions, &closed);
        if (r.evidence.split.crossed)
            found = r.now_s + TICK_S;
    }
    result[0] = isfinite(found);
    result[1] = found - from_s;
    result[2] = isfinite(found) && found < from_s;
    result[3] = r.evidence.split.uncovered;
}

#define RESULT                                                                                               \
    {                                                                                                        \
        {RESULT_SHARE, "held"}, {RESULT_SECONDS, "after, median"}, {RESULT_SHARE, "of it before the fault"}, \
        {                                                                                                    \
            RESULT_SHARE, "check off (few keys)"                                                             \
        }                                                                                                    \
    }

void table_split(const struct settings *settings)
{
    static const struct scenario list[] = {
        {"right, weight 5 %, 1 rps", run, 1, 0, 0, 400, 0, RESULT},
        {"right, 10 rps", run, 10, 0, 0, 400, 0, RESULT},
        {"right, 100 rps", run, 100, 0, 0, 400, 0, RESULT},
        {"right, 1000 rps", run, 1000, 0, 0, 400, 0, RESULT},
        {"right, weight 1-5-10-25-50 %, 10 rps", run, 10, 1, 0, 400, 0, RESULT},
        {"right, weight 1-5-10-25-50 %, 1000 rps", run, 1000, 1, 0, 400, 0, RESULT},
        {"right, 5 and 10 % in turn every 10 min, 10 rps", run, 10, 2, 0, 400, 0, RESULT},
        {"right, 5 and 10 % in turn, 1000 rps", run, 1000, 2, 0, 400, 0, RESULT},
        {"keyed, right, 5 %, 10 rps", run, 10, 3, 0, 200, 0, RESULT},
        {"keyed, right, 5 %, 100 rps", run, 100, 3, 0, 50, 0, RESULT},
        {"keyed, right, 1-5-10-25-50 %, 10 rps", run, 10, 4, 0, 200, 0, RESULT},
        {"keyed, right, 5 and 10 % in turn, 10 rps", run, 10, PLOT_OFTEN_KEYED, 0, 200, 0, RESULT},
        {"twice the share, 5 %, 1 rps", run, 1, PLOT_DOUBLE, 0, 200, 0, RESULT},
        {"twice the share, 10 rps", run, 10, PLOT_DOUBLE, 0, 200, 0, RESULT},
        {"twice the share, 100 rps", run, 100, PLOT_DOUBLE, 0, 200, 0, RESULT},
        {"no canary at all, 1 rps", run, 1, PLOT_NONE, 0, 200, 0, RESULT},
        {"no canary at all, 10 rps", run, 10, PLOT_NONE, 0, 200, 0, RESULT},
        {"no canary at all, 100 rps", run, 100, PLOT_NONE, 0, 200, 0, RESULT},
        {"one gateway of four says 5 % and stays at 1 %, 1 rps", run, 1, PLOT_ONE_STAYS, 0, 200, 0, RESULT},
        {"same, 10 rps", run, 10, PLOT_ONE_STAYS, 0, 200, 0, RESULT},
        {"same, 100 rps", run, 100, PLOT_ONE_STAYS, 0, 200, 0, RESULT},
        {"same, 1000 rps", run, 1000, PLOT_ONE_STAYS, 0, 200, 0, RESULT},
        {"all gateways stay at the step before, 10 rps", run, 10, PLOT_STAYS, 0, 200, 0, RESULT},
        {"keyed, twice the share, 10 rps", run, 10, PLOT_DOUBLE_KEYED, 0, 200, 0, RESULT},
        {"keyed, no canary at all, 10 rps", run, 10, PLOT_NONE_KEYED, 0, 200, 0, RESULT},
    };
    printf(
        "\n## The split check\n\nAdmissions of 24 h against the weight that four gateways say they have "
        "applied; each applies a "
        "change within 10 s. Random draws, or keys that stick to an arm (geometric, mean 10 requests within "
        "10 min; tolerance "
        "1.25, design effect 20). \"Right\": what is held is false (alpha 0.1 %%).\n\n");
    scenarios_print(settings, TABLE, list, (int)(sizeof list / sizeof list[0]), NULL);
}
