/* The evidence against an independent implementation: random rollouts in data/decision_reference.txt, to
 * 1e-9. */
#include "decision_support.h"

#include "decision/budget.h"
#include "decision/ni.h"
#include "decision/recent.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS_MAX = 16, LINE_SIZE = 512 };

static int numbers_of(const char *line, double out[NUMBERS_MAX])
{
    int count = 0;
    for (char *end; count < NUMBERS_MAX; line = end) {
        double x = strtod(line, &end);
        if (end == line)
            break;
        out[count++] = x;
    }
    return count;
}

struct replay {
    struct bench bench;
    int slis, rollout, tick, results;
    int compared; /* numbers */
};

static void begin(struct replay *replay, const char *line)
{
    double x[NUMBERS_MAX];
    int used;
    char word[8];
    cr_assert_eq(sscanf(line, "%d %7s%n", &replay->rollout, word, &used), 2);
    int count = numbers_of(line + used, x);
    struct bench *bench = &replay->bench;
    memset(bench, 0, sizeof *bench);
    support_policy(&bench->policy, 0);
    bench->policy.holdback = 0;
    bench->plan.steps = (size_t)count - 1;
    for (int i = 1; i < count; i++)
        bench->plan.step[i - 1].weight = (int32_t)x[i];
    evidence_init(&bench->evidence, &bench->policy, &bench->plan, x[0]);
    replay->slis = replay->tick = replay->results = 0;
}

static void add_sli(struct replay *replay, const double *x)
{
    replay->bench.policy.guardrail[replay->slis++] = (struct guardrail){
        .used = true,
        .share = x[0],
        .tolerance = x[1],
        .ceiling = x[2],
        .margin_ratio = x[3],
        .margin_add = x[4],
        .eta = x[5],
        .allowed = x[6],
        .cap = x[7],
        .block_s = (int64_t)x[8],
    };
}

static void tick(struct replay *replay, const double *x)
{
    double t_s = replay->tick++ * replay->bench.evidence.tick_s;
    /* the rate is of the SLI with the largest n, whatever the order: all give the hint, from the last to the
     * first */
    for (int i = replay->slis - 1; i >= 0; i--) {
        const double *c = x + 4 * (ptrdiff_t)i;
        struct counts counts = {(int64_t)c[0], (int64_t)c[1], (int64_t)c[2], (int64_t)c[3]};
        bench_tick(&replay->bench, (enum sli)i, t_s, counts, true);
    }
}

static void compare(struct replay *replay, double got, double want, const char *what)
{
    cr_assert(near(got, want), "rollout %d, after tick %d: %s is %.12g, not %.12g", replay->rollout,
              replay->tick - 1, what, got, want);
    replay->compared++;
}

/* The breach clock needs a judgement after each tick; nothing latches here. */
static struct judgement judge(struct replay *replay)
{
    replay->bench.evidence.latched.action = JUDGE_CONTINUE;
    return evidence_judge(&replay->bench.evidence, &replay->bench.policy, 0, false);
}

static void compare_sli(struct replay *replay, const double *x)
{
    const struct sli_evidence *sli = &replay->bench.evidence.sli[replay->results];
    const struct guardrail *guardrail = &replay->bench.policy.guardrail[replay->results++];
    compare(replay, evidence_lane_log(&sli->relative), x[0], "relative");
    compare(replay, evidence_lane_log(&sli->absolute), x[1], "absolute");
    compare(replay, recent_value(sli->stable), x[2], "stable");
    compare(replay, recent_value(sli->canary), x[3], "canary");
    compare(replay, recent_value(sli->worse), x[4], "worse");
    compare(replay, sli->budget_x, x[5], "budget X");
    compare(replay, budget_log(sli, guardrail->allowed, guardrail->eta), x[6], "budget Z");
    compare(replay, ni_log(sli), x[7], "non-inferiority");
    compare(replay, sli->step, x[8], "step");
}

Test(decision_reference, random_rollouts, .timeout = 30)
{
    static struct replay replay;
    struct judgement judgement = {.action = JUDGE_CONTINUE};
    char line[LINE_SIZE];
    int rollouts = 0, actions[4] = {0};
    FILE *file = fopen(SERIN_TESTS_DIR "/unit/data/decision_reference.txt", "r");
    cr_assert_not_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        double x[NUMBERS_MAX] = {0};
        char *rest = strchr(line, ' ');
        if (rest == NULL || line[0] == '#')
            continue;
        numbers_of(rest, x);
        switch (line[0]) {
        case 'r':
            begin(&replay, rest);
            rollouts++;
            break;
        case 's':
            add_sli(&replay, x);
            break;
        case 'w':
            evidence_weight(&replay.bench.evidence, x[0] * replay.bench.evidence.tick_s, (int32_t)x[1],
                            x[2] > 0);
            break;
        case 't':
            tick(&replay, x);
            judgement = judge(&replay);
            break;
        case 'g':
            compare(&replay, judgement.log_g_rel, x[0], "G_rel");
            compare(&replay, judgement.log_g_all, x[1], "G_all");
            compare(&replay, judgement.action, x[2], "action");
            actions[judgement.action]++;
            break;
        case 'e':
            compare_sli(&replay, x);
            break;
        default:
            cr_assert_fail("unknown line: %s", line);
        }
    }
    fclose(file);
    cr_assert_eq(rollouts, 200);
    cr_assert_gt(replay.compared, 8000, "%d", replay.compared);
    for (int i = 0; i < 4; i++)
        cr_expect_gt(actions[i], 10, "action %d: %d", i, actions[i]);
}
