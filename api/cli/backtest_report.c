/* The report of a backtest: verdict, arms, how the rollouts ended, one of them, what it means. The hints of
   what to try next are in backtest_advice.c. */
#include "base/clock.h"
#include "base/number.h"
#include "cli/backtest.h"
#include "cli/cli.h"
#include "cli/table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { REPORT_MAX = 1 << 20, WRAP = 100, LINE_MAX = 512, TIMELINE_MAX = 40 };

static char *seconds_text(double seconds, char out[CLOCK_TEXT_MAX])
{
    return clock_format_human((int64_t)llround(seconds) * 1000, out);
}

/* A number of requests or users; those below 10 with a decimal. */
static char *number_text(double value, char out[OUTPUT_MAX])
{
    if (fabs(value) < 10 && value != round(value)) {
        snprintf(out, OUTPUT_MAX, "%.1f", value == 0 ? 0 : value);
        return out;
    }
    return output_count(llround(value), out);
}

/* "median (5 % to 95 %)", or one number if all are alike. */
static char *spread_text(const struct backtest_spread *spread, bool time, char out[LINE_MAX])
{
    char low[OUTPUT_MAX], median[OUTPUT_MAX], high[OUTPUT_MAX];
    if (time) {
        seconds_text(spread->low, low);
        seconds_text(spread->median, median);
        seconds_text(spread->high, high);
    } else {
        number_text(spread->low, low);
        number_text(spread->median, median);
        number_text(spread->high, high);
    }
    if (strcmp(low, high) == 0) {
        snprintf(out, LINE_MAX, "%s", median);
    } else {
        snprintf(out, LINE_MAX, "%s (%s to %s)", median, low, high);
    }
    return out;
}

static void heading(struct text *out, bool colors, const char *title)
{
    text_putc(out, '\n');
    output_paint(out, colors, PAINT_BOLD, title);
    text_putc(out, '\n');
}

/* --- the verdict ----------------------------------------------------------------------------------- */

static const char *ended_as(const struct backtest_group *group)
{
    switch (group->phase) {
    case PHASE_COMPLETED:
        return "completed";
    case PHASE_ROLLED_BACK:
        return group->blame ? "rolled back" : "back without blame";
    case PHASE_PAUSED:
        return "paused";
    case PHASE_ABORTED:
        return "aborted";
    default:
        return "not ended";
    }
}

static void put_first(const struct backtest *backtest, const struct backtest_group *first,
                      char line[LINE_MAX])
{
    char time[CLOCK_TEXT_MAX], ended[32];
    bool blame = first->phase == PHASE_ROLLED_BACK && first->lead != SLI_COUNT;
    snprintf(ended, sizeof ended, "%s", ended_as(first));
    ended[0] = (char)(ended[0] - 'a' + 'A');
    seconds_text(first->at_s.median, time);
    if (backtest->summary.seeds == 1) {
        snprintf(line, LINE_MAX, "%s%s%s after %s", ended, blame ? " for " : "",
                 blame ? sli_name(first->lead) : "", time);
    } else {
        snprintf(line, LINE_MAX, "%s%s%s in %zu of %zu rollouts, after %s (median)", ended,
                 blame ? " for " : "", blame ? sli_name(first->lead) : "", first->seeds,
                 backtest->summary.seeds, time);
    }
}

static void put_verdict(const struct backtest *backtest, bool colors, struct text *out)
{
    const struct backtest_summary *summary = &backtest->summary;
    const struct backtest_group *first = &summary->kind[0];
    char line[LINE_MAX], canary[OUTPUT_MAX], harm[OUTPUT_MAX];
    put_first(backtest, first, line);
    output_paint(out, colors,
                 first->phase == PHASE_COMPLETED     ? PAINT_GREEN
                 : first->phase == PHASE_ROLLED_BACK ? PAINT_RED
                                                     : PAINT_YELLOW,
                 line);
    number_text(fabs(first->harm.median), harm);
    text_printf(out, ": %s, %s user%s %s off",
                output_requests(first->canary.median, "canary request", canary), harm, number_plural(harm),
                first->harm.median < 0 ? "better" : "worse");
    for (size_t i = 1; i < summary->kinds; i++) {
        text_printf(out, "%s %zu %s", i == 1 ? "; of the others" : ",", summary->kind[i].seeds,
                    ended_as(&summary->kind[i]));
    }
    text_puts(out, ".\n");
}

/* --- the arms -------------------------------------------------------------------------------------- */

static void put_share(struct table *table, const struct backtest_arm *arm, enum sli sli)
{
    char rate[OUTPUT_MAX], count[OUTPUT_MAX], cell[LINE_MAX];
    snprintf(cell, sizeof cell, "%s of %s", output_rate(arm->k[sli], arm->n[sli], rate),
             output_count(arm->n[sli], count));
    table_cell(table, cell);
}

static void put_truth(struct table *table, enum backtest_truth truth)
{
    static const struct {
        enum paint paint;
        const char *text;
    } rows[TRUTH_COUNT] = {
        [TRUTH_NONE] = {PAINT_YELLOW, "not in both recordings"},
        [TRUTH_WITHIN] = {PAINT_GREEN, "within the tolerance"},
        [TRUTH_BETWEEN] = {PAINT_YELLOW, "worse than the tolerance, within a margin"},
        [TRUTH_HARMFUL] = {PAINT_RED, "worse than every margin"},
        [TRUTH_CEILING] = {PAINT_RED, "above its ceiling"},
        [TRUTH_SHARED] = {PAINT_YELLOW, "both above the ceiling"},
    };
    table_cell_painted(table, rows[truth].paint, rows[truth].text);
}

static void put_arms(const struct backtest *backtest, bool colors, struct text *out)
{
    const struct backtest_setup *setup = &backtest->setup;
    struct table table;
    char title[LINE_MAX];
    snprintf(title, sizeof title, "The recordings: stable %.100s, canary %.100s", setup->traffic.stable.name,
             setup->traffic.canary.name);
    heading(out, colors, title);
    table_begin(&table, "bad", "stable", "canary", "odds ratio", "ceiling", "the canary is", NULL);
    table.indent = 2;
    table.right[3] = table.right[4] = true;
    for (int i = 0; i < SLI_COUNT; i++) {
        const struct guardrail *guardrail = &setup->spec.policy.guardrail[i];
        char cell[OUTPUT_MAX];
        double odds = backtest_odds(setup, (enum sli)i);
        if (!guardrail->used) {
            continue;
        }
        table_cell(&table, sli_name((enum sli)i));
        put_share(&table, &setup->traffic.stable, (enum sli)i);
        put_share(&table, &setup->traffic.canary, (enum sli)i);
        snprintf(cell, sizeof cell, "%.3g", odds);
        table_cell(&table, isnan(odds) ? "" : isinf(odds) ? "infinite" : cell);
        table_cell(&table, guardrail->ceiling > 0 ? output_percent(100 * guardrail->ceiling, cell) : "none");
        put_truth(&table, backtest_compare(setup, (enum sli)i));
    }
    table_end(&table, colors, out);
    char rate[NUMBER_MAX];
    text_printf(out, "  Requests: %s, %s a second", backtest->arrivals,
                number_measure(setup->traffic.rps, rate));
    if (setup->traffic.skipped > 0) {
        text_printf(out, "; rows before the canary's first are left out: %zu", setup->traffic.skipped);
    }
    text_puts(out, ".\n");
    if (backtest->strata > 0 && setup->traffic.strata <= 1) {
        text_printf(
            out, "  The outcomes have %zu strata and the policy declares none: they are compared as one.\n",
            backtest->strata);
    }
    if (backtest->left_out != 0) {
        text_puts(out, backtest->ignores ? "  Not in the outcomes or ignored, and left out of the policy:"
                                         : "  Not in the outcomes, and left out of the policy:");
        for (int i = 0; i < SLI_COUNT; i++) {
            if ((backtest->left_out >> i & 1) != 0) {
                text_printf(out, " %s", sli_name((enum sli)i));
            }
        }
        text_puts(out, ". In production such an objective would hold every rollout.\n");
    }
}

/* --- all rollouts ---------------------------------------------------------------------------------- */

static void put_groups(const struct backtest *backtest, bool colors, struct text *out)
{
    const struct backtest_summary *summary = &backtest->summary;
    struct table table;
    char title[LINE_MAX], cell[LINE_MAX];
    snprintf(title, sizeof title, "How %zu rollouts ended: median (5 %% to 95 %%)", summary->seeds);
    heading(out, colors, summary->seeds > 1 ? title : "How it ended");
    table_begin(&table, "ended as", "rule", "for", "rollouts", "after", "canary requests", "users worse off",
                NULL);
    table.indent = 2;
    table.right[3] = true;
    for (size_t i = 0; i < summary->groups; i++) {
        const struct backtest_group *group = &summary->group[i];
        static const enum paint paints[] = {PAINT_NONE, PAINT_GREEN, PAINT_RED};
        int paint = group->phase == PHASE_COMPLETED ? 1 : group->phase == PHASE_ROLLED_BACK ? 2 : 0;
        table_cell_painted(&table, paints[paint], ended_as(group));
        table_cell(&table, group->rule->id);
        table_cell(&table, group->lead != SLI_COUNT ? sli_name(group->lead) : "");
        snprintf(cell, sizeof cell, "%zu", group->seeds);
        table_cell(&table, cell);
        table_cell(&table, spread_text(&group->at_s, true, cell));
        table_cell(&table, spread_text(&group->canary, false, cell));
        table_cell(&table, spread_text(&group->harm, false, cell));
    }
    table_end(&table, colors, out);
    for (size_t i = 0; i < summary->waits; i++) {
        const struct backtest_wait *wait = &summary->wait[i];
        text_printf(out, "  On the way: %s in %zu of them, for %s.\n", wait->rule->id, wait->seeds,
                    spread_text(&wait->seconds, true, cell));
    }
    text_puts(out,
              "  Users worse off: canary requests that were bad, beyond what stable's share would have "
              "been.\n");
}

/* --- one rollout ----------------------------------------------------------------------------------- */

static void put_timeline(const struct backtest *backtest, bool colors, struct text *out)
{
    const struct backtest_result *shown = &backtest->shown;
    struct table table;
    table_begin(&table, "time", "step", "canary", "what happened", NULL);
    table.indent = 2;
    table.right[0] = table.right[1] = table.right[2] = true;
    for (size_t i = 0; i < shown->decisions; i++) {
        const struct backtest_decision *row = &shown->decision[i];
        const struct offline_decision *decision = &row->decision;
        char cell[OUTPUT_MAX], sentence[BACKTEST_SENTENCE_MAX];
        if (i >= TIMELINE_MAX / 2 && i + TIMELINE_MAX / 2 < shown->decisions) {
            continue;
        }
        table_cell(&table, seconds_text(row->at_s, cell));
        snprintf(cell, sizeof cell, "%d", (int)decision->step);
        table_cell(&table, cell);
        table_cell(&table,
                   decision->phase == PHASE_COMPLETED ? "all" : output_weight(decision->weight, cell));
        table_cell(&table, backtest_sentence(&backtest->setup, decision, sentence));
    }
    table_end(&table, colors, out);
    if (shown->decisions > TIMELINE_MAX) {
        text_printf(out, "  (%zu rows in the middle left out; --json has them)\n",
                    shown->decisions - TIMELINE_MAX);
    }
}

/* ln of odds against, as "1 in 3,400". */
static char *odds_text(double log_g, char out[OUTPUT_MAX])
{
    char number[OUTPUT_MAX];
    if (!(log_g > log(2))) {
        snprintf(out, OUTPUT_MAX, "nothing unusual");
    } else if (log_g > 20.7) {
        snprintf(out, OUTPUT_MAX, "fewer than 1 in 1,000,000,000");
    } else {
        snprintf(out, OUTPUT_MAX, "fewer than 1 in %s", output_count((int64_t)exp(log_g), number));
    }
    return out;
}

static void put_evidence(const struct backtest *backtest, bool colors, struct text *out)
{
    const struct backtest_result *shown = &backtest->shown;
    struct table table;
    table_begin(&table, "guardrail", "verdict", "canary bad", "stable bad",
                "a healthy canary looks this bad in", "proof that it is no worse", NULL);
    table.indent = 2;
    for (int i = 0; i < SLI_COUNT; i++) {
        const struct counts *total = &shown->sli[i].total;
        char cell[LINE_MAX], k[OUTPUT_MAX], n[OUTPUT_MAX];
        if (!backtest->setup.spec.policy.guardrail[i].used) {
            continue;
        }
        enum verdict verdict = shown->sli[i].verdict;
        table_cell(&table, sli_name((enum sli)i));
        table_cell_painted(&table,
                           verdict == VERDICT_PASS   ? PAINT_GREEN
                           : verdict == VERDICT_FAIL ? PAINT_RED
                                                     : PAINT_NONE,
                           verdict_name(verdict));
        snprintf(cell, sizeof cell, "%s of %s", output_count(total->k_c, k), output_count(total->n_c, n));
        table_cell(&table, cell);
        snprintf(cell, sizeof cell, "%s of %s", output_count(total->k_b, k), output_count(total->n_b, n));
        table_cell(&table, cell);
        table_cell(&table, odds_text(fmax(shown->sli[i].relative, shown->sli[i].absolute), cell));
        double proof = shown->sli[i].proof / shown->proof_needed;
        snprintf(cell, sizeof cell, "%.0f %% of what a step needs", 100 * fmax(0, fmin(proof, 1)));
        table_cell(&table, cell);
    }
    table_end(&table, colors, out);
}

static void put_one(const struct backtest *backtest, bool colors, struct text *out)
{
    char title[LINE_MAX];
    const char *which = backtest->shown.seed == backtest->result[backtest->summary.typical].seed
                            ? " (typical: the median of the largest group)"
                            : "";
    snprintf(title, sizeof title, "One of them, seed %llu%s", (unsigned long long)backtest->shown.seed,
             which);
    heading(out, colors, backtest->results > 1 ? title : "Step by step");
    put_timeline(backtest, colors, out);
    text_puts(out, "  Evidence when looking ended:\n");
    put_evidence(backtest, colors, out);
}

int backtest_report(struct cli *cli, const struct backtest *backtest)
{
    struct text out;
    bool colors = cli->out_colors;
    text_init(&out, REPORT_MAX);
    backtest_errors(backtest, colors, &out);
    put_verdict(backtest, colors, &out);
    put_arms(backtest, colors, &out);
    put_groups(backtest, colors, &out);
    put_one(backtest, colors, &out);
    heading(&out, colors, "What it means");
    backtest_meaning(backtest, &out);
    heading(&out, colors, "What to try next");
    backtest_advice(backtest, &out);
    return cli_print(cli, &out);
}
