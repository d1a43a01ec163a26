/* T9: nanoseconds a block and lane. */
#include "decision/evalue.h"
#include "rollout.h"
#include "tables.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void table_speed(const struct settings *settings)
{
    enum { STREAM = 1 << 12 };
    static struct counts stream[STREAM];
    struct draw draw = draw_seeded(settings->seed, settings_stream(11, 0, 0));
    struct arms arms = {100, .05, .02, .02, 1};
    struct evidence_lane lane;
    struct lane_rules rules = {1, 3.5, 5};
    int blocks = settings_runs(settings, 2000000, 20000);
    for (int i = 0; i < STREAM; i++)
        stream[i] = arms_draw(&arms, 15, &draw);

    double began = cpu_s();
    evidence_lane_init(&lane, 5);
    for (int i = 0; i < blocks; i++) {
        double log_e[EVIDENCE_GRID];
        evalue_relative(&stream[i % STREAM], 1.1, log_e);
        evidence_lane_update(&lane, &rules, i, false, log_e);
    }
    double lane_ns = (cpu_s() - began) / blocks * 1e9, kept = evidence_lane_log(&lane);

    struct rollout r;
    double ceiling[SIM_SLIS];
    int ticks = blocks / SIM_SLIS;
    for (int i = 0; i < SIM_SLIS; i++)
        ceiling[i] = .03;
    rollout_of_eight(&r, ceiling, 15);
    rollout_budget(&r, 100);
    rollout_begin(&r);
    rollout_weight(&r, 500, true);
    began = cpu_s();
    for (int i = 0; i < ticks; i++) {
        struct counts counts[SIM_SLIS];
        for (int k = 0; k < SIM_SLIS; k++)
            counts[k] = stream[(i * SIM_SLIS + k) % STREAM];
        rollout_feed(&r, 15, counts);
    }
    double block_ns = (cpu_s() - began) / (ticks * SIM_SLIS) * 1e9;
    printf(
        "\n## Speed (T9)\n\nCPU time of one thread, %d blocks.\n\n| what | ns |\n|---|---|\n"
        "| one block of one lane: e-values of 8 odds ratios and the mixture (ln M %.1f) | %.0f |\n"
        "| one block of one SLI with everything: relative, absolute and budget lanes, attribution, "
        "non-inferiority, and "
        "its part of the judgement | %.0f |\n",
        blocks, kept, lane_ns, block_ns);
    report_target(9, lane_ns <= 1000, "%.0f ns a block and lane, %.0f ns a block with everything", lane_ns,
                  block_ns);
}
