/* Runs sequences of ticks through the evidence and prints what comes of them, for evidence.py to compare with
   its own. One command a line on stdin, numbers in the order of the struct they fill; one line of results for
   each `j` and, for each used SLI and the split check, for each `d`. rollout tick_s steps weight... begins
   anew, with everything of the policy at 0 policy alpha alpha_ni attr_wait_s shared_hold_s warmup_s
   blanking_s holdback split_check keyed key_effect burn window factor long_s short_s action sli id share
   tolerance ceiling margin_ratio margin_add eta allowed cap block_s budget_rate action shared_hold_s go the
   evidence begins w at_s weight raised t sli quality t_s dt_s hint draining  n_c k_c n_b k_b
   of each stratum and of its coverage a t_s dt_s n_c n_b w_lo w_hi x through the codec and back j muted fix
   again                              again = 1: what has latched is forgotten first
       d */
#include "decision/budget.h"
#include "decision/coverage.h"
#include "decision/evidence.h"
#include "decision/ni.h"
#include "decision/recent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS_MAX = 96, LINE_SIZE = 4096 };

static struct policy policy;
static struct plan plan;
static struct evidence evidence;
static double tick_s;

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

static void begin(const double *x)
{
    memset(&policy, 0, sizeof policy);
    memset(&plan, 0, sizeof plan);
    tick_s = x[0];
    plan.steps = (size_t)x[1];
    for (size_t i = 0; i < plan.steps; i++)
        plan.step[i].weight = (int32_t)x[2 + i];
}

static void read_policy(const double *x)
{
    policy.alpha = x[0];
    policy.alpha_ni = x[1];
    policy.attr_wait_s = (int64_t)x[2];
    policy.shared_hold_s = (int64_t)x[3];
    policy.warmup_s = (int64_t)x[4];
    policy.blanking_s = (int64_t)x[5];
    policy.holdback = (int32_t)x[6];
    policy.split_check = x[7] > 0;
    policy.keyed = x[8] > 0;
    policy.key_effect = x[9];
    policy.strata = STRATA_MAX;
}

static void read_sli(const double *x)
{
    policy.guardrail[(int)x[0]] = (struct guardrail){
        .used = true,
        .share = x[1],
        .tolerance = x[2],
        .ceiling = x[3],
        .margin_ratio = x[4],
        .margin_add = x[5],
        .eta = x[6],
        .allowed = x[7],
        .cap = x[8],
        .block_s = (int64_t)x[9],
        .budget_rate = x[10],
        .action = (enum guardrail_action)x[11],
        .shared_hold_s = (int64_t)x[12],
    };
}

static struct counts four(const double *x)
{
    return (struct counts){(int64_t)x[0], (int64_t)x[1], (int64_t)x[2], (int64_t)x[3]};
}

static void tick(const double *x, int count)
{
    struct sli_counts counts = {.strata = (count - 6) / 8};
    struct block closed[2];
    for (int32_t i = 0; i < counts.strata && i < STRATA_MAX; i++) {
        counts.stratum[i] = four(x + 6 + 8 * (ptrdiff_t)i);
        counts.coverage[i] = four(x + 10 + 8 * (ptrdiff_t)i);
    }
    evidence_tick(&evidence, &policy, &plan, (enum sli)x[0], (enum data_quality)x[1], x[2], x[3], &counts,
                  x[4] > 0, x[5] > 0, closed);
}

static void admit(const double *x)
{
    struct admissions tick_of = {x[0], x[1], (int64_t)x[2], (int64_t)x[3], (int32_t)x[4], (int32_t)x[5]};
    struct split_block closed;
    evidence_admissions(&evidence, &policy, &tick_of, &closed);
}

static void restore(void)
{
    static unsigned char bytes[EVIDENCE_CODEC_MAX];
    size_t length = evidence_encode(&evidence, bytes);
    memset(&evidence, 0x5a, sizeof evidence);
    if (!evidence_decode(bytes, length, &evidence)) {
        fputs("what was encoded is not read back\n", stderr);
        exit(1);
    }
}

static void judge(const double *x)
{
    if (x[2] > 0)
        evidence.latched.action = JUDGE_CONTINUE;
    struct judgement judgement = evidence_judge(&evidence, &policy, (uint32_t)x[0], x[1] > 0);
    enum sli uncovered = (enum sli)0;
    double coverage = coverage_log(&evidence, &policy, &uncovered);
    printf("J %d %d %d %.17g %.17g %.17g %.17g %d %d", (int)judgement.action, (int)judgement.reason,
           (int)judgement.lead, judgement.log_g_rel, judgement.log_g_all, evidence.breach_since, coverage,
           evidence.coverage_crossed, evidence_proven(&evidence, &policy));
    for (int i = 0; i < SLI_COUNT; i++) {
        if (!policy.guardrail[i].used)
            continue;
        bool alarm = evidence_alarm(&evidence, &policy, (enum sli)i); /* first: a verdict follows from it */
        printf(" %d %u %d", alarm, evidence_burning(&evidence, &policy, (enum sli)i),
               (int)evidence_verdict(&evidence, &policy, (enum sli)i, evidence.now_s, false));
    }
    putchar('\n');
}

static void put(double x)
{
    printf(" %.17g", x);
}

static void put_counts(const struct counts *x)
{
    printf(" %lld %lld %lld %lld", (long long)x->n_c, (long long)x->k_c, (long long)x->n_b,
           (long long)x->k_b);
}

static void dump_sli(int id)
{
    const struct sli_evidence *sli = &evidence.sli[id];
    const struct guardrail *guardrail = &policy.guardrail[id];
    struct counts open = sli_counts_total(&sli->open);
    printf("D %d", id);
    put(evidence_lane_log(&sli->relative));
    put(evidence_lane_log(&sli->absolute));
    put(evidence_lane_log(&sli->coverage));
    put(sli->relative.mass.u);
    put(sli->absolute.mass.u);
    put(sli->coverage.mass.u);
    put(recent_value(sli->stable));
    put(recent_value(sli->canary));
    put(recent_value(sli->worse));
    put(sli->budget_x);
    put(budget_log(sli, guardrail->allowed, guardrail->eta));
    put(budget_log(sli, 0, guardrail->eta));
    put(ni_log(sli));
    put(evidence_ni(&evidence, (enum sli)id));
    put(sli->stable_bad);
    put(sli->stable_seen);
    for (int i = 0; i < 4; i++) {
        put(sli->ni_bad[i]);
        put(sli->ni_seen[i]);
    }
    put(sli->shared_since);
    put(sli->last_sick);
    printf(" %d %d %d %d %d", sli->sick, sli->sick_before, (int)sli->weight, (int)sli->step, sli->failed);
    put_counts(&sli->total);
    put_counts(&sli->step_total);
    put_counts(&sli->coverage_total);
    put_counts(&open);
    put(sli->block_start);
    put(sli->block_start < 0 ? -1 : sli->block_end);
    put(sli->last_tick);
    printf(" %lld %lld", (long long)sli->invalid_ticks, (long long)sli->rows_dropped);
    put(evidence_eta_s(&evidence, &policy, &plan, sli->step > 0 ? (size_t)sli->step : 0, (enum sli)id));
    putchar('\n');
}

static void dump(void)
{
    for (int i = 0; i < SLI_COUNT; i++)
        if (policy.guardrail[i].used)
            dump_sli(i);
    const struct split_watch *watch = &evidence.split;
    printf("S");
    put(split_log(&watch->split));
    put(watch->split.mass.u);
    put(watch->share);
    printf(" %d %d %lld %d", watch->crossed, watch->uncovered, (long long)watch->blocks,
           evidence_idle(&evidence));
    put(evidence.rps);
    put(evidence.now_s);
    put(evidence.canary_since);
    putchar('\n');
}

static void run(const char *word, const double *x, int count)
{
    if (strcmp(word, "t") == 0)
        tick(x, count);
    else if (strcmp(word, "j") == 0)
        judge(x);
    else if (strcmp(word, "a") == 0)
        admit(x);
    else if (strcmp(word, "w") == 0)
        evidence_weight(&evidence, x[0], (int32_t)x[1], x[2] > 0);
    else if (strcmp(word, "x") == 0)
        restore();
    else if (strcmp(word, "d") == 0)
        dump();
    else if (strcmp(word, "go") == 0)
        evidence_init(&evidence, &policy, &plan, tick_s);
    else if (strcmp(word, "sli") == 0)
        read_sli(x);
    else if (strcmp(word, "burn") == 0)
        policy.burn[(int)x[0]] =
            (struct burn_rule){{x[1], (int64_t)x[2], (int64_t)x[3]}, (enum guardrail_action)x[4]};
    else if (strcmp(word, "policy") == 0)
        read_policy(x);
    else if (strcmp(word, "rollout") == 0)
        begin(x);
    else {
        fprintf(stderr, "unknown command: %s\n", word);
        exit(1);
    }
}

int main(void)
{
    static char line[LINE_SIZE];
    while (fgets(line, sizeof line, stdin) != NULL) {
        double x[NUMBERS_MAX] = {0};
        char word[16];
        int used = 0;
        if (sscanf(line, "%15s%n", word, &used) != 1)
            continue;
        run(word, x, numbers_of(line + used, x));
    }
    return ferror(stdin) || fflush(stdout) != 0;
}
