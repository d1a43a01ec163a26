/* T2, T3, T4: how soon is a bad canary rolled back, and the rivals on the same counts? One SLI of eight
   carries the fault, on canary alone. 600 cells: bad share before, effect, requests a second, weight, at the
   start or late. */
#include "bound.h"
#include "pool.h"
#include "rivals.h"
#include "rollout.h"
#include "tables.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TABLE = 4, SHARES = 3, EFFECTS = 5, RATES = 4, WEIGHTS = 5, LATES = 2, RUNS_MAX = 1000, RUNS = 200 };
enum { CELLS = SHARES * EFFECTS * RATES * WEIGHTS * LATES, OURS = RIVAL_COUNT, OURS_CEILING, METHODS };

static const double shares[SHARES] = {.005, .02, .05}, rates[RATES] = {1, 10, 100, 1000};
static const double weights[WEIGHTS] = {.01, .05, .10, .25, .50}, lates[LATES] = {0, 1800};
static const double effects[EFFECTS] = {1.5, 2, 3, 10, 0}; /* 0: 38 % */
static const char *const effect_names[EFFECTS] = {"1.5x", "2x", "3x", "10x", "38 %"};
static const double day_s = 86400, tolerance = 1.10, alpha = 0.01 / SIM_SLIS;
static const double argo_ceiling = .05; /* what Argo's 95 % knows */
static const double no_ceiling =
    .95; /* never reached, but the relative lane has the share that one beside it leaves */

struct cell {
    double p0, p1, rps, w, late_s;
    int effect, runs, first;
    double bound;     /* two-sample, canary requests */
    bool counts;      /* long enough for T2: the bound is at least 10 blocks */
    bool rivals_long; /* the rivals that look once a minute go on for the whole day */
};

struct outcome {
    float s[METHODS], requests[METHODS]; /* from the fault; infinite = missed; s < 0: before the fault */
};

struct job_list {
    const struct settings *settings;
    const struct cell *cells;
    struct outcome *outcomes;
};

static double block_of(double rps, double w)
{
    double need = 3 / (1 - w) > 16 ? 3 / (1 - w) : 16;
    return ceil((need / rps < 300 ? need / rps : 300) - 1e-9);
}

/* The bad share of canary at t_s. */
static double bad_at(const struct cell *cell, double t_s)
{
    return t_s >= cell->late_s ? cell->p1 : cell->p0;
}

/* One engine, and what came of it. */
struct engine {
    struct rollout r;
    bool used;
    double s, requests;
};

static void begin(struct engine *engine, const struct cell *cell, double ceiling, bool used)
{
    rollout_of_one(&engine->r, SLI_REFUSAL, ceiling, 0, 1);
    rollout_begin(&engine->r);
    rollout_weight(&engine->r, (int32_t)lround(cell->w * WEIGHT_FULL), true);
    engine->used = used;
    engine->s = engine->requests = INFINITY;
}

static bool running(const struct engine *engine)
{
    return engine->used && isinf(engine->s);
}

static void feed(struct engine *engine, double dt_s, const struct counts *counts, double canary_requests)
{
    if (!running(engine) || rollout_feed(&engine->r, dt_s, counts).action != JUDGE_ROLLBACK)
        return;
    engine->s = engine->r.now_s;
    engine->requests = canary_requests;
}

static void roll_out(const struct cell *cell, struct draw draw, struct outcome *outcome)
{
    struct engine relative, ceiling;
    struct rivals rivals;
    struct arms arms = {cell->rps, cell->w, cell->p0, cell->p0, 1};
    double before = 0, end_s = day_s + cell->late_s;
    begin(&relative, cell, no_ceiling, true);
    begin(&ceiling, cell, argo_ceiling, cell->rivals_long);
    rivals_begin(&rivals, cell->p0);
    for (double t = 0, dt; t < end_s; t += dt) {
        bool looking = !rivals_done(&rivals, RIVAL_Z, RIVAL_GROWTHBOOK_MATCHED) && t - cell->late_s < 3600;
        bool ticking = running(&relative) || running(&ceiling) || looking;
        /* once those that look at every tick are done, the minute is tick enough */
        dt = ticking || fmod(t, 60) > 0 ? 1 : 60;
        if (!ticking && (rivals_done(&rivals, RIVAL_ARGO95_0, RIVAL_KAYENTA) || !cell->rivals_long))
            break;
        arms.bad_c = bad_at(cell, t);
        struct counts counts = arms_draw(&arms, dt, &draw);
        if (t < cell->late_s)
            before += (double)counts.n_c;
        rivals_tick(&rivals, t, dt, &counts);
        feed(&relative, dt, &counts, (double)rivals.all.n_c);
        feed(&ceiling, dt, &counts, (double)rivals.all.n_c);
    }
    for (int m = 0; m < RIVAL_COUNT; m++) {
        outcome->s[m] = (float)(rivals.fired_s[m] - cell->late_s);
        outcome->requests[m] = (float)(rivals.requests[m] - before);
    }
    outcome->s[OURS] = (float)(relative.s - cell->late_s);
    outcome->requests[OURS] = (float)(relative.requests - before);
    outcome->s[OURS_CEILING] = (float)(ceiling.s - cell->late_s);
    outcome->requests[OURS_CEILING] = (float)(ceiling.requests - before);
}

static void job(void *context, size_t at)
{
    struct job_list *list = context;
    int i = 0;
    while (i + 1 < CELLS && (int)at >= list->cells[i + 1].first)
        i++;
    struct draw draw =
        draw_seeded(list->settings->seed, settings_stream(TABLE, i, (int)at - list->cells[i].first));
    roll_out(&list->cells[i], draw, &list->outcomes[at]);
}

static int plan(const struct settings *settings, struct cell cells[CELLS])
{
    int jobs = 0, i = 0;
    for (int s = 0; s < SHARES; s++)
        for (int e = 0; e < EFFECTS; e++)
            for (int r = 0; r < RATES; r++)
                for (int w = 0; w < WEIGHTS; w++)
                    for (int l = 0; l < LATES; l++, i++) {
                        struct cell *cell = &cells[i];
                        double p1 = effects[e] > 0 ? shares[s] * effects[e] : .38;
                        *cell = (struct cell){shares[s], p1,   rates[r], weights[w], lates[l], e,
                                              0,         jobs, 0,        false,      false};
                        cell->bound = bound_two_sample(cell->p0, p1, cell->w, alpha, tolerance);
                        double per_s = cell->rps * cell->w, about_s = 6 * cell->bound / per_s;
                        cell->counts = cell->bound >= 10 * per_s * block_of(cell->rps, cell->w);
                        cell->rivals_long = cell->rps > 99 && cell->rps < 101 && w == 1 && s == 1;
                        int full = about_s > 4 * day_s   ? 24
                                   : about_s > day_s / 4 ? 60
                                   : about_s > 3000      ? 100
                                                         : RUNS;
                        bool headline = cell->rivals_long;
                        cell->runs = settings_runs(settings, headline ? RUNS_MAX : full, 1);
                        if (settings->quick && !(headline && e > 1))
                            cell->runs = 0;
                        jobs += cell->runs;
                    }
    return jobs;
}

/* --- what comes out -------------------------------------------------------------------------------- */

struct summary {
    double s, requests, found, early; /* medians among those after the fault, and shares */
};

static struct summary summarise(const struct cell *cell, const struct outcome *outcomes, int method)
{
    double s[RUNS_MAX], requests[RUNS_MAX];
    struct summary summary = {INFINITY, INFINITY, 0, 0};
    size_t after = 0, found = 0;
    for (int i = 0; i < cell->runs; i++) {
        const struct outcome *outcome = &outcomes[cell->first + i];
        if (outcome->s[method] < 0)
            continue;
        found += isfinite(outcome->s[method]) ? 1 : 0;
        s[after] = outcome->s[method];
        requests[after++] = outcome->requests[method];
    }
    if (cell->runs > 0)
        summary.early = 1 - (double)after / cell->runs;
    if (after == 0)
        return summary;
    summary.found = (double)found / (double)after;
    summary.s = quantile(s, after, .5);
    summary.requests = quantile(requests, after, .5);
    return summary;
}

static void print_entry(const struct summary *x)
{
    if (x->early > .5)
        printf(" false before the fault |");
    else if (x->found < .5)
        printf(" missed (%s) |", percent(x->found, 1));
    else if (x->early >= .05)
        printf(" %s (%.0f), %s false |", duration(x->s), x->requests, percent(x->early, 1));
    else
        printf(" %s (%.0f) |", duration(x->s), x->requests);
}

static bool headline(const struct cell *cell, int late)
{
    return cell->rivals_long && (cell->late_s > 0) == (late > 0);
}

static void print_headline(const struct cell *cells, const struct outcome *outcomes, int late)
{
    printf(
        "\n### p0 2 %%, 100 rps, weight 5 %%, fault %s: median to rollback (canary requests)\n\n"
        "| method | 1.5x | 2x | 3x | 10x | 38 %% |\n|---|---|---|---|---|---|\n",
        late ? "after 30 healthy minutes" : "at the start");
    for (int n = 0; n < METHODS; n++) {
        int m = n == 0 ? OURS : n == 1 ? OURS_CEILING : n - 2;
        if (m == RIVAL_BURN_CANARY)
            continue;
        printf("| %s |", m == OURS           ? "**Serin**"
                         : m == OURS_CEILING ? "**Serin, ceiling 5 %**"
                                             : rival_name((enum rival)m));
        for (int e = 0; e < EFFECTS; e++)
            for (int i = 0; i < CELLS; i++)
                if (headline(&cells[i], late) && cells[i].effect == e) {
                    struct summary x = summarise(&cells[i], outcomes, m);
                    print_entry(&x);
                }
        printf("\n");
    }
    printf("| two-sample bound, requests |");
    for (int e = 0; e < EFFECTS; e++)
        for (int i = 0; i < CELLS; i++)
            if (headline(&cells[i], late) && cells[i].effect == e)
                printf(" %.0f |", cells[i].bound);
    printf("\n");
}

static void print_times(const struct cell *cells, const struct outcome *outcomes, int late)
{
    printf(
        "\n### Median time to rollback by traffic, p0 2 %%, fault %s\n\n"
        "| rps | 38 %%, w 1 %% | w 5 %% | w 50 %% | 2x, w 1 %% | w 5 %% | w 50 %% "
        "|\n|---|---|---|---|---|---|---|\n",
        late ? "after 30 healthy minutes" : "at the start");
    for (int r = 0; r < RATES; r++) {
        printf("| %g |", rates[r]);
        for (int e = 4; e >= 1; e -= 3)
            for (int w = 0; w < WEIGHTS; w++) {
                if (w == 2 || w == 3)
                    continue;
                int i = (((1 * EFFECTS + e) * RATES + r) * WEIGHTS + w) * LATES + late;
                struct summary x = summarise(&cells[i], outcomes, OURS);
                printf(" %s |", x.found < .5 ? "> 24 h" : duration(x.s));
            }
        printf("\n");
    }
}

/* Median over cells of (median requests of method/bound), and the largest; NaN without cells. rps 0: any. */
static int efficiency(const struct cell *cells, const struct outcome *outcomes, int method, int effect,
                      int late, double rps, double used_tolerance, double *median, double *most, int *worst)
{
    double x[CELLS];
    int count = 0;
    *most = NAN;
    for (int i = 0; i < CELLS; i++) {
        const struct cell *cell = &cells[i];
        if (cell->effect != effect || !cell->counts || cell->runs == 0 || (cell->late_s > 0) != (late > 0))
            continue;
        if (rps > 0 && (cell->rps < rps || cell->rps > rps))
            continue;
        struct summary summary = summarise(cell, outcomes, method);
        if (summary.found < .5)
            continue;
        double bound = bound_two_sample(cell->p0, cell->p1, cell->w, alpha, used_tolerance);
        x[count] = summary.requests / bound;
        if (!(x[count] <= *most)) {
            *most = x[count];
            *worst = i;
        }
        count++;
    }
    *median = quantile(x, (size_t)count, .5);
    return count;
}

static void print_efficiency(const struct cell *cells, const struct outcome *outcomes)
{
    printf(
        "\n### Median canary requests over the two-sample bound (alpha 1 %%/8)\n\nCells whose bound is at "
        "least 10 blocks "
        "and where half are found in 24 h. Null of the bound: odds 1.10 for Serin, 1 for GrowthBook (alpha "
        "matched).\n\n"
        "| fault | effect | cells | Serin, median | worst cell | where | GrowthBook matched, median | worst "
        "cell |\n|---|---|---|---|---|---|---|---|\n");
    static const double limit[LATES] = {1.6, 2.3}, limit_cell[LATES] = {2.1, 3.0};
    for (int late = 0; late < LATES; late++) {
        double worst_median = 0, worst_cell = 0, lowest = INFINITY;
        for (int e = 0; e < EFFECTS; e++) {
            double median, most, theirs, theirs_most;
            int worst = 0, their_worst = 0;
            int count = efficiency(cells, outcomes, OURS, e, late, 0, tolerance, &median, &most, &worst);
            efficiency(cells, outcomes, RIVAL_GROWTHBOOK_MATCHED, e, late, 0, 1, &theirs, &theirs_most,
                       &their_worst);
            printf("| %s | %s | %d | %.2f | %.2f | p0 %g, %g rps, weight %g | %.2f | %.2f |\n",
                   late ? "after 30 min" : "at the start", effect_names[e], count, median, most,
                   cells[worst].p0, cells[worst].rps, cells[worst].w, theirs, theirs_most);
            if (count == 0)
                continue;
            worst_median = median > worst_median ? median : worst_median;
            lowest = median < lowest ? median : lowest;
            worst_cell = most > worst_cell ? most : worst_cell;
        }
        report_target(2, worst_median <= limit[late] && worst_cell <= limit_cell[late],
                      "%s: medians %.2f-%.2f, worst cell %.2f", late ? "late" : "start", lowest, worst_median,
                      worst_cell);
    }
}

/* The sooner a fault shows, the more moments there were at which it may have begun. */
static void print_efficiency_by_traffic(const struct cell *cells, const struct outcome *outcomes)
{
    printf("\n### The same by traffic: Serin, median of the cells (their number)\n\n| fault | effect |");
    for (int r = 0; r < RATES; r++)
        printf(" %g rps |", rates[r]);
    printf("\n|---|---|---|---|---|---|\n");
    for (int late = 0; late < LATES; late++)
        for (int e = 0; e < EFFECTS; e++) {
            printf("| %s | %s |", late ? "after 30 min" : "at the start", effect_names[e]);
            for (int r = 0; r < RATES; r++) {
                double median, most;
                int worst = 0;
                int count =
                    efficiency(cells, outcomes, OURS, e, late, rates[r], tolerance, &median, &most, &worst);
                if (count == 0)
                    printf(" - |");
                else
                    printf(" %.2f (%d) |", median, count);
            }
            printf("\n");
        }
}

static void report_headline(const struct cell *cells, const struct outcome *outcomes)
{
    static const struct {
        enum rival rival;
        double start, late;
    } asked[] = {{RIVAL_ARGO95_0, 12, 7},
                 {RIVAL_ARGO95_3, 50, 28},
                 {RIVAL_FLAGGER_TUNED, 80, 40},
                 {RIVAL_KAYENTA, 400, 0}};
    for (int i = 0; i < CELLS * 2; i++) {
        const struct cell *cell = &cells[i / 2];
        if (!cell->rivals_long || cell->effect != EFFECTS - 1)
            continue;
        bool late = cell->late_s > 0, met = true;
        struct summary ours = summarise(cell, outcomes, i % 2 == 0 ? OURS : OURS_CEILING);
        const char *which = i % 2 == 0 ? "" : ", ceiling 5 %";
        double ratio[4];
        if (ours.early > .02 || ours.found < .98)
            report_broken("a gross fault was not found, or rolled back before it began");
        report_target(3, ours.s <= (late ? 10 : 5), "%s%s, 1 s ticks: median %.0f s", late ? "late" : "start",
                      which, ours.s);
        for (int k = 0; k < 4; k++) {
            struct summary theirs = summarise(cell, outcomes, (int)asked[k].rival);
            ratio[k] = theirs.found < .5 ? INFINITY : theirs.s / ours.s;
            met = met && ratio[k] >= (late ? asked[k].late : asked[k].start);
        }
        report_target(4, met,
                      "%s%s: Argo limit 0 %.0fx, limit 3 %.0fx, Flagger %.0fx, Kayenta %.0fx (inf = missed)",
                      late ? "late" : "start", which, ratio[0], ratio[1], ratio[2], ratio[3]);
    }
}

void table_power(const struct settings *settings)
{
    static struct cell cells[CELLS];
    int jobs = plan(settings, cells);
    struct job_list list = {settings, cells, calloc((size_t)jobs + 1, sizeof *list.outcomes)};
    if (list.outcomes == NULL)
        return;
    pool_run(settings->threads, (size_t)jobs, job, &list);
    printf(
        "\n## How soon a bad canary is rolled back (T2, T3, T4)\n\nOne SLI at the share of one of eight, "
        "relative lane with "
        "tolerance 1.10; the fault is on canary alone; 1 s ticks; matured counts. %d rollouts a cell (fewer "
        "where one takes "
        "hours), 600 cells. Settings of the rivals: tests/sim/rivals.h.\n",
        settings_runs(settings, RUNS, 1));
    for (int late = 0; late < LATES; late++)
        print_headline(cells, list.outcomes, late);
    for (int late = 0; late < LATES; late++)
        print_times(cells, list.outcomes, late);
    print_efficiency(cells, list.outcomes);
    print_efficiency_by_traffic(cells, list.outcomes);
    report_headline(cells, list.outcomes);
    free(list.outcomes);
}
