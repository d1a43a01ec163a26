/* Rollouts of a backtest that did not end: the rule in which they stand, and what of it lets them go on. */
#include "base/clock.h"
#include "cli/backtest.h"
#include "cli/output.h"
#include "spec/forecast.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WHY_MAX = 640 };

/* The guardrail with the least proof in the shown rollout; SLI_COUNT: each has its proof. */
static enum sli slowest(const struct backtest *backtest)
{
    enum sli least = SLI_COUNT;
    for (int i = 0; i < SLI_COUNT; i++) {
        if (backtest->setup.spec.policy.guardrail[i].used &&
            backtest->shown.sli[i].proof < backtest->shown.proof_needed &&
            (least == SLI_COUNT || backtest->shown.sli[i].proof < backtest->shown.sli[least].proof)) {
            least = (enum sli)i;
        }
    }
    return least;
}

static void lacks_proof(const struct backtest *backtest, const struct backtest_group *group, char *out,
                        size_t size)
{
    const struct backtest_setup *setup = &backtest->setup;
    enum sli sli = slowest(backtest);
    int32_t step = backtest->shown.step;
    if (backtest->shown.rule != group->rule || sli == SLI_COUNT || step < 1) {
        snprintf(out, size, "a step lacked proof. --show shows one of them.");
        return;
    }
    double needed =
        spec_requests_needed(&setup->slos, &setup->spec.policy, &setup->plan, (size_t)step - 1, sli);
    int32_t weight = plan_weight(&setup->plan, &setup->spec.policy, (size_t)step - 1);
    double a_second = setup->traffic.rps * weight / WEIGHT_FULL;
    char share[OUTPUT_MAX], time[CLOCK_TEXT_MAX] = "", count[OUTPUT_MAX] = "without end";
    if (isfinite(needed)) {
        output_count((int64_t)ceil(needed), count); /* as 'serin lint' counts them */
        clock_format_human((int64_t)(needed / a_second) * 1000, time);
    }
    snprintf(out, size,
             "step %d (%s) lacked proof for %s: a canary that is half as bad as its objective allows needs "
             "about %s requests%s%s. More weight in this step, a wider margin for %s, or 'pace: time' would "
             "let it go on; a longer look (--until) shows whether it does so by itself.",
             (int)step, output_weight(weight, share), sli_name(sli), count, time[0] != '\0' ? ", " : "", time,
             sli_name(sli));
}

static void shared(const struct backtest *backtest, const char *lead, char *out, size_t size)
{
    char hold[CLOCK_TEXT_MAX];
    clock_format_human(backtest->setup.spec.policy.shared_hold_s * 1000, hold);
    snprintf(
        out, size,
        "stable itself is above its ceiling in %s, and nobody is blamed for that. It is not for want of "
        "proof, and no pace passes it. It ends when stable keeps the ceiling again; or it goes back "
        "without blame where both have been above it for longer than shared_hold (%s). What helps: a "
        "ceiling that stable keeps, a recording of a normal hour, or --fix for a release that mends stable.",
        lead, hold);
}

/* Of the holds, what ends them here, where nobody can mend, mute or promote. */
static const struct {
    const char *rule, *text;
} whys[] = {
    {"hold.attributing",
     "the canary is above its ceiling in {lead}, and stable's side of it is not known yet. This ends within "
     "attr_wait: look longer (--until)."},
    {"hold.budget",
     "the rollout has spent its share of the error budget in {lead}, and holds until a person aborts or "
     "promotes it. Proof and pace have no part in it. A larger budget_share for {lead}, or less harm: a "
     "lighter "
     "or shorter step."},
    {"hold.burn",
     "the canary burns the error budget of {lead} too fast. It holds as long as the burn lasts: see 'burn' "
     "in "
     "policy.md, or look longer (--until)."},
    {"hold.split",
     "the canary gets another share of the requests than its weight says, and so it stays. With few users "
     "of many requests each, set split_check: {keyed: true, key_effect: ...}, see policy.md."},
    {"hold.coverage",
     "{lead} is measured less often for the canary than for stable, and what is not measured proves nothing. "
     "Look at the rows of the recording in which it is empty."},
    {"hold.unreported",
     "no request of the recording had an SLI with a guardrail, of neither release, so that nothing of it can "
     "be "
     "proven. See its column, or leave it out of the objectives (--slos)."},
    {"hold.failed",
     "a guardrail has failed whose action is not to roll back; nothing advances after that until a person "
     "acts. Choose the action rollback for it, if nobody is to be asked."},
    {"hold.blind",
     "there were no data for the canary. Look at how often requests come, and at the end of the recording."},
    {"blind.pause",
     "there were no data for the canary for as long as 'blind' allows. Look at how often requests come."},
    {"alarm.pause", "a guardrail has failed whose action is to pause; a person decides then."},
    {"burn.pause", "a burn window burnt whose action is to pause; a person decides then."},
    {"step.applying", "the gateways had not applied the weight yet: see --apply."},
    {"step.dwell", "the step's bake was not over. Look longer (--until), or shorten it."},
    {"step.requests", "the step had not counted its min_requests. Look longer (--until), or lower them."},
    {"step.drain", "the step was done, and its last blocks were being closed. Look longer (--until)."},
    {"bake.dwell", "the bake was not over. Look longer (--until), or shorten it."},
    {"bake.counts",
     "the bake had no request of the canary to count in some guardrail: its maturity is longer than the "
     "look. "
     "Look longer (--until), or shorten the maturity."},
    {"bake.requests",
     "the bake had not counted the canary requests that it asks for. Look longer (--until)."},
};

/* `text` with the guardrail in its places. */
static void fill(const char *text, const char *lead, char *out, size_t size)
{
    const char *place = "{lead}";
    size_t used = 0;
    while (*text != '\0' && used + 1 < size) {
        bool here = strncmp(text, place, strlen(place)) == 0;
        used += (size_t)snprintf(out + used, size - used, "%.*s", here ? (int)strlen(lead) : 1,
                                 here ? lead : text);
        text += here ? strlen(place) : 1;
    }
}

static void why(const struct backtest *backtest, const struct backtest_group *group, char *out, size_t size)
{
    const char *rule = group->rule->id, *next = group->rule->next_step;
    const char *lead = group->lead != SLI_COUNT ? sli_name(group->lead) : "a guardrail";
    if (strcmp(rule, "step.proof") == 0 || strcmp(rule, "step.deadline") == 0 || strcmp(rule, "start") == 0 ||
        strncmp(rule, "advance", 7) == 0) {
        lacks_proof(backtest, group, out, size);
        return;
    }
    if (strcmp(rule, "hold.shared") == 0) {
        shared(backtest, lead, out, size);
        return;
    }
    for (size_t i = 0; i < sizeof whys / sizeof whys[0]; i++) {
        if (strcmp(rule, whys[i].rule) == 0) {
            fill(whys[i].text, lead, out, size);
            return;
        }
    }
    snprintf(out, size, "%s", next != NULL ? next : "look longer (--until).");
}

size_t backtest_advise_open(const struct backtest *backtest, struct text *out)
{
    const struct backtest_summary *summary = &backtest->summary;
    size_t said = 0;
    for (size_t i = 0; i < summary->groups; i++) {
        const struct backtest_group *group = &summary->group[i];
        char text[WHY_MAX];
        if (group->phase == PHASE_COMPLETED || group->phase == PHASE_ROLLED_BACK) {
            continue;
        }
        why(backtest, group, text, sizeof text);
        backtest_advise(out, "%zu of %zu rollouts %s in %s: %s", group->seeds, summary->seeds,
                        group->phase == PHASE_PAUSED    ? "paused"
                        : group->phase == PHASE_ABORTED ? "were aborted"
                                                        : "did not end, and stand",
                        group->rule->id, text);
        said++;
    }
    return said;
}
