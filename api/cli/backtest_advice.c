/* What a backtest means, and what to try next. */
#include "base/clock.h"
#include "cli/backtest.h"
#include "cli/output.h"
#include "spec/forecast.h"
#include "spec/lint.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WRAP = 100, SAY_MAX = 768, WRAPPED_MAX = 4 * SAY_MAX, FINDINGS_MAX = 64, FINDINGS_SHOWN = 5 };

/* One paragraph, marked and wrapped. */
__attribute__((format(printf, 2, 3))) static void say(struct text *out, const char *format, ...)
{
    char line[SAY_MAX];
    va_list arguments;
    va_start(arguments, format);
    int used = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (used > 0) {
        output_wrap(out, line, 2, WRAP);
    }
}

void backtest_advise(struct text *out, const char *format, ...)
{
    char line[SAY_MAX];
    struct text wrapped;
    va_list arguments;
    text_init(&wrapped, WRAPPED_MAX);
    va_start(arguments, format);
    int used = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (used > 0) {
        output_wrap(&wrapped, line, 4, WRAP);
        text_puts(out, "  - ");
        text_puts(out, wrapped.length > 4 ? text_get(&wrapped) + 4 : "\n");
    }
    text_free(&wrapped);
}

/* --- what it means --------------------------------------------------------------------------------- */

/* The worst of what the recordings say; *sli is where. */
static enum backtest_truth worst(const struct backtest_setup *setup, enum sli *sli)
{
    static const int rank[TRUTH_COUNT] = {[TRUTH_WITHIN] = 0, [TRUTH_NONE] = 1,    [TRUTH_BETWEEN] = 2,
                                          [TRUTH_SHARED] = 3, [TRUTH_CEILING] = 4, [TRUTH_HARMFUL] = 5};
    enum backtest_truth truth = TRUTH_WITHIN;
    *sli = SLI_COUNT;
    for (int i = 0; i < SLI_COUNT; i++) {
        if (!setup->spec.policy.guardrail[i].used) {
            continue;
        }
        enum backtest_truth one = backtest_compare(setup, (enum sli)i);
        if (*sli == SLI_COUNT || rank[one] > rank[truth]) {
            truth = one;
            *sli = (enum sli)i;
        }
    }
    return truth;
}

static void say_false_alarms(const struct backtest *backtest, struct text *out)
{
    const struct backtest_summary *summary = &backtest->summary;
    double alpha = backtest->setup.spec.policy.alpha;
    if (summary->seeds == 1) {
        say(out,
            "By the recordings the canary is within every tolerance and ceiling, so that a rollback with "
            "blame would be a false alarm.");
        return;
    }
    say(out,
        "By the recordings the canary is within every tolerance and ceiling, so that a rollback with blame "
        "is a false alarm: %zu of %zu. The policy promises that no more than alpha = %.3g %% of all healthy "
        "rollouts meet one. %zu runs can only tell, with 95 %% confidence, that it is at most %.3g %%; more "
        "--seeds tell more.",
        summary->blamed, summary->seeds, 100 * alpha, summary->seeds,
        100 * backtest_at_most(summary->blamed, summary->seeds));
    if (summary->blamed > 0 && (double)summary->blamed / (double)summary->seeds > alpha) {
        say(out,
            "That is more than alpha. Outcomes that come in bursts or belong to few users are not "
            "independent: see eta and block in the handbook, policy.md.");
    }
}

static void say_harmful(const struct backtest *backtest, enum sli sli, bool ceiling, struct text *out)
{
    const struct backtest_summary *summary = &backtest->summary;
    char time[CLOCK_TEXT_MAX], harm[OUTPUT_MAX];
    clock_format_human((int64_t)llround(summary->at_s.median) * 1000, time);
    output_count(llround(summary->harm.high), harm);
    if (summary->seeds == 1) {
        say(out, "By the recordings the canary is %s in %s: going back is right. The policy %s.",
            ceiling ? "above its ceiling" : "worse than every margin", sli_name(sli),
            summary->rolled_back > 0 ? "did so" : "did not");
        return;
    }
    say(out,
        "By the recordings the canary is %s in %s: going back is right. The policy did so in %zu of %zu "
        "rollouts; in 95 %% of them no more than %s users were worse off.",
        ceiling ? "above its ceiling" : "worse than every margin", sli_name(sli), summary->rolled_back,
        summary->seeds, harm);
    if (summary->completed > 0) {
        say(out,
            "It let the canary through in %zu. Harm that is proven harmless happens with probability at most "
            "alpha_promotion = %.3g %%, unless a step went by time.",
            summary->completed, 100 * backtest->setup.spec.policy.alpha_ni);
    }
}

void backtest_meaning(const struct backtest *backtest, struct text *out)
{
    const struct backtest_traffic *traffic = &backtest->setup.traffic;
    enum sli sli;
    enum backtest_truth truth = worst(&backtest->setup, &sli);
    if (traffic->as_recorded) {
        say(out,
            "This is one history, judged as it was: the plan's weights had no say in who got the canary, "
            "and other seeds would show the same. It says what this policy would have decided, not how "
            "often.");
    } else if (traffic->stable.name == traffic->canary.name) {
        say(out, "Both arms are the same recording.");
    }
    switch (truth) {
    case TRUTH_WITHIN:
        say_false_alarms(backtest, out);
        break;
    case TRUTH_HARMFUL:
    case TRUTH_CEILING:
        say_harmful(backtest, sli, truth == TRUTH_CEILING, out);
        break;
    case TRUTH_BETWEEN:
        say(out,
            "By the recordings the canary is worse in %s than the tolerance of %.3g, but not by more than "
            "both "
            "margins: going back and going on are both within what the policy promises.",
            sli_name(sli), backtest->setup.spec.policy.guardrail[sli].tolerance);
        break;
    case TRUTH_SHARED:
        say(out,
            "Both releases are above the ceiling of %s: that holds, blames nobody, and goes back without "
            "blame "
            "when it lasts.",
            sli_name(sli));
        break;
    default:
        say(out,
            "One of the recordings says nothing of %s, and every guardrail has to be proven: no step can "
            "end by proof.",
            sli_name(sli));
        break;
    }
}

/* --- what to try next ------------------------------------------------------------------------------ */

static size_t lint(const struct backtest *backtest, struct spec_finding found[FINDINGS_MAX])
{
    const struct backtest_setup *setup = &backtest->setup;
    return spec_lint(&setup->slos, &setup->spec, &setup->plan, setup->traffic.rps, found, FINDINGS_MAX);
}

void backtest_errors(const struct backtest *backtest, bool colors, struct text *out)
{
    static struct spec_finding found[FINDINGS_MAX];
    size_t count = lint(backtest, found), shown = 0;
    for (size_t i = 0; i < count; i++) {
        if (found[i].level == LEVEL_ERROR) {
            output_paint(out, colors, PAINT_RED, "The policy cannot work as it is: ");
            output_clean(out, found[i].text, false);
            text_putc(out, '\n');
            output_wrap(out, found[i].mend, 4, WRAP);
            shown++;
        }
    }
    if (shown > 0) {
        text_putc(out, '\n');
    }
}

/* Warnings; errors stand before the verdict. */
static size_t advise_lint(const struct backtest *backtest, struct text *out)
{
    static struct spec_finding found[FINDINGS_MAX];
    size_t count = lint(backtest, found), shown = 0;
    for (size_t i = 0; i < count && shown < FINDINGS_SHOWN; i++) {
        if (found[i].level == LEVEL_WARNING) {
            backtest_advise(out, "%s: %s", found[i].text, found[i].mend);
            shown++;
        }
    }
    return shown;
}

/* Where a recording of stable alone breaks the ceiling. */
static size_t advise_ceilings(const struct backtest_setup *setup, struct text *out)
{
    const struct backtest_arm *stable = &setup->traffic.stable;
    size_t said = 0;
    for (int i = 0; i < SLI_COUNT; i++) {
        const struct guardrail *guardrail = &setup->spec.policy.guardrail[i];
        double share = stable->n[i] > 0 ? (double)stable->k[i] / (double)stable->n[i] : 0;
        if (!guardrail->used || guardrail->ceiling <= 0 || share * 1.3 < guardrail->ceiling) {
            continue;
        }
        char now[OUTPUT_MAX], ceiling[OUTPUT_MAX];
        backtest_advise(
            out,
            "stable itself has %s of %s, against a ceiling of %s: choose an objective and a ceiling that a "
            "normal bad hour keeps (ceiling %.3g or more), or roll out the release that mends it with --fix.",
            output_percent(100 * share, now), sli_name((enum sli)i),
            output_percent(100 * guardrail->ceiling, ceiling), ceil(130 * share));
        said++;
    }
    return said;
}

static size_t advise_speed(const struct backtest *backtest, struct text *out)
{
    const struct backtest_group *group = &backtest->summary.group[0];
    const struct backtest_setup *setup = &backtest->setup;
    if (group->phase != PHASE_ROLLED_BACK || group->lead == SLI_COUNT) {
        return 0;
    }
    int64_t maturity = setup->spec.policy.guardrail[group->lead].maturity_s;
    double waits = (double)(maturity + setup->settle_s);
    size_t said = 0;
    if (waits > group->at_s.median / 4 && maturity > 2) {
        backtest_advise(
            out,
            "%.0f s of the %.0f s until the decision are the maturity of %s (%lld s) and the settling of "
            "reports "
            "(%lld s). A shorter maturity decides sooner, if nine tenths of stable's bad outcomes are known "
            "by "
            "then.",
            waits, group->at_s.median, sli_name(group->lead), (long long)maturity,
            (long long)setup->settle_s);
        said++;
    }
    if (waits > group->at_s.median / 4 && setup->plan.step[0].weight > 100 && group->harm.median >= 5) {
        char weight[OUTPUT_MAX];
        backtest_advise(
            out,
            "a first step lighter than %s hurts fewer users while the first counts mature; the number of "
            "canary requests that the evidence itself needs stays about the same.",
            output_weight(setup->plan.step[0].weight, weight));
        said++;
    }
    return said;
}

/* Which step of the shown rollout took longest, and how long, s; 0 = none. */
static int32_t longest_step(const struct backtest_result *shown, double *seconds)
{
    int32_t longest = 0;
    *seconds = 0;
    for (size_t i = 0, begin = 0; i < shown->decisions; i++) {
        double end_s = i + 1 < shown->decisions ? shown->decision[i + 1].at_s : shown->at_s;
        int32_t step = shown->decision[begin].decision.step;
        if (i + 1 < shown->decisions && shown->decision[i + 1].decision.step == step) {
            continue;
        }
        if (end_s - shown->decision[begin].at_s > *seconds) {
            *seconds = end_s - shown->decision[begin].at_s;
            longest = step;
        }
        begin = i + 1;
    }
    return longest;
}

/* Where the time of a rollout that completes goes. */
static size_t advise_steps(const struct backtest *backtest, struct text *out)
{
    const struct backtest_result *shown = &backtest->shown;
    const struct backtest_setup *setup = &backtest->setup;
    double seconds;
    int32_t step = longest_step(shown, &seconds);
    if (shown->phase != PHASE_COMPLETED || step < 1 || (size_t)step >= setup->plan.steps ||
        seconds < .35 * shown->at_s || seconds < 2 * (double)setup->plan.step[step - 1].bake_s) {
        return 0;
    }
    char weight[OUTPUT_MAX], time[CLOCK_TEXT_MAX], all[CLOCK_TEXT_MAX];
    backtest_advise(
        out,
        "step %d at %s took %s of the %s, most of it waiting for proof. Proof comes with weight x (1 - "
        "weight) x "
        "requests: a heavier step is faster and gives the canary to more users; a wider margin is faster and "
        "proves less. 'serin lint --rps %.*f' says how long each step takes.",
        (int)step, output_weight(setup->plan.step[step - 1].weight, weight),
        clock_format_human((int64_t)llround(seconds) * 1000, time),
        clock_format_human((int64_t)llround(shown->at_s) * 1000, all), setup->traffic.rps < 10 ? 2 : 0,
        setup->traffic.rps);
    return 1;
}

/* What completed although a guardrail had counted nothing of the canary: a plan that goes by time. */
static size_t advise_uncounted(const struct backtest *backtest, struct text *out)
{
    const struct backtest_setup *setup = &backtest->setup;
    size_t said = 0;
    for (int sli = 0; sli < SLI_COUNT; sli++) {
        size_t blind = 0;
        for (size_t i = 0; i < backtest->results; i++) {
            blind +=
                backtest->result[i].phase == PHASE_COMPLETED && backtest->result[i].sli[sli].total.n_c == 0;
        }
        if (setup->spec.policy.guardrail[sli].used && blind > 0) {
            backtest_advise(
                out,
                "in %zu of the %zu that completed, nothing of the canary had been counted for %s: "
                "it was watched by nothing there. A longer bake, or a shorter maturity (%lld s).",
                blind, backtest->summary.completed, sli_name((enum sli)sli),
                (long long)setup->spec.policy.guardrail[sli].maturity_s);
            said++;
        }
    }
    return said;
}

/* A bake that ends by its time has proven nothing in it. */
static size_t advise_bake(const struct backtest *backtest, struct text *out)
{
    const struct backtest_summary *summary = &backtest->summary;
    const struct backtest_setup *setup = &backtest->setup;
    size_t unproven = 0;
    char rest[OUTPUT_MAX];
    for (size_t i = 0; i < summary->groups; i++) {
        unproven += summary->group[i].phase == PHASE_COMPLETED ? summary->group[i].unproven : 0;
    }
    if (2 * unproven <= summary->completed || setup->spec.policy.pace == PACE_TIME) {
        return 0;
    }
    backtest_advise(
        out,
        "in %zu of the %zu that completed, the bake ended by its time, unproven: the %s of the requests "
        "that stable "
        "keeps are little to compare with. A larger holdback or a longer bake would prove it.",
        unproven, summary->completed, output_weight(setup->spec.policy.holdback, rest));
    return 1;
}

static size_t advise_data(const struct backtest *backtest, struct text *out)
{
    const struct backtest_traffic *traffic = &backtest->setup.traffic;
    size_t least =
        traffic->stable.count < traffic->canary.count ? traffic->stable.count : traffic->canary.count;
    if (traffic->as_recorded || traffic->in_order || backtest->summary.canary.median < (double)least) {
        return 0;
    }
    backtest_advise(
        out,
        "the outcomes are drawn with replacement from %zu recorded ones: the runs differ by chance alone, "
        "and "
        "nothing rarer than 1 in %zu is in them. Record more for a surer answer.",
        least, least);
    return 1;
}

void backtest_advice(const struct backtest *backtest, struct text *out)
{
    size_t said = advise_ceilings(&backtest->setup, out);
    said += backtest_advise_open(backtest, out);
    said += advise_speed(backtest, out);
    said += advise_steps(backtest, out);
    said += advise_uncounted(backtest, out);
    said += advise_bake(backtest, out);
    said += advise_lint(backtest, out);
    said += advise_data(backtest, out);
    const struct backtest_traffic *traffic = &backtest->setup.traffic;
    if (said == 0 && backtest->summary.rolled_back == backtest->summary.seeds) {
        backtest_advise(
            out,
            "nothing stands out. Whether the policy leaves a healthy release alone is said by stable "
            "against itself: --stable %.100s --canary %.100s.",
            traffic->stable.name, traffic->stable.name);
    } else if (said == 0) {
        backtest_advise(
            out,
            "nothing stands out. Try the same policy on a canary that is known to be bad, and on stable "
            "against itself (--stable and --canary with one name), before you rely on it.");
    }
}
