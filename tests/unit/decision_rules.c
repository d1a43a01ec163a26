/* The rollout table as data: every combination has a row, every row can fire, the laws hold for every row
   that can, and each edit shows up as a difference to the golden dump. */
#include "decision_support.h"

#include "decision/course.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(decision_rules, .timeout = 120);

static const unsigned advancing = EFFECT_ROUTE_STEP | EFFECT_NEXT_STEP | EFFECT_ROUTE_PROMOTE;

/* All combinations of facts are walked through as regions: `yes` holds, `no` does not, the rest may be
   either. A region is cut in two wherever a row looks at a fact that is still open, so that in each region
   one row wins for every combination in it. The regions of a phase and verb are disjoint and cover the whole
   product. */
struct region {
    enum phase phase;
    enum verb verb;
    facts yes, no;
};

static bool fired[256];

#define SURE(region, name)     (((region)->yes >> FACT_##name & 1) != 0)
#define POSSIBLE(region, name) (((region)->no >> FACT_##name & 1) == 0)

/* Somebody may be to blame. */
static bool maybe_blamed(const struct region *r)
{
    return POSSIBLE(r, WORSE) || POSSIBLE(r, CEILING) || POSSIBLE(r, BURN);
}

/* Laws 2 to 5 for the automatic actor, for every combination in the region. */
static void hold_laws(const struct rule *rule, const struct region *r)
{
    bool missing = POSSIBLE(r, BLIND) || POSSIBLE(r, ATTRIBUTING) || POSSIBLE(r, SHARED) ||
                   POSSIBLE(r, BUDGET) || POSSIBLE(r, FAILED) || POSSIBLE(r, BURN_ALARM) ||
                   POSSIBLE(r, BURNING) || POSSIBLE(r, SPLIT) || POSSIBLE(r, COVERAGE) || POSSIBLE(r, LATE) ||
                   POSSIBLE(r, STRAY) || POSSIBLE(r, ALARM) || POSSIBLE(r, ALERT);
    bool bad = SURE(r, WORSE) || SURE(r, CEILING) || SURE(r, BURN);
    bool maybe_bad = maybe_blamed(r) || POSSIBLE(r, SHARED_CAUSE);
    bool live = phase_live(r->phase), pending = r->phase == PHASE_PENDING, baking = r->phase == PHASE_BAKING;
    if (r->verb == VERB_TICK && (rule->effects & advancing) != 0 && !pending) {
        cr_assert(!missing && !maybe_bad, "%s advances on missing or bad evidence", rule->id);
        cr_assert(!POSSIBLE(r, FROZEN), "%s advances while frozen", rule->id);
        cr_assert(baking || !POSSIBLE(r, DEADLINE), "%s advances past the deadline", rule->id);
        cr_assert(SURE(r, APPLIED) && SURE(r, DWELLED) && SURE(r, REQUESTS), "%s advances too early",
                  rule->id);
        cr_assert(SURE(r, PROVEN) || SURE(r, PACE_TIME) || baking, "%s advances unproven", rule->id);
        cr_assert(!baking || !POSSIBLE(r, UNCOUNTED), "%s completes with a guardrail that counted nothing",
                  rule->id);
        cr_assert(!POSSIBLE(r, UNREPORTED) || SURE(r, PACE_TIME),
                  "%s advances with an SLI that nobody reports", rule->id);
        cr_assert(SURE(r, PROVEN) || (rule->effects & EFFECT_UNPROVEN), "%s hides that it is unproven",
                  rule->id);
    }
    if (r->verb == VERB_ABORT || r->verb == VERB_ROLLBACK)
        cr_assert(!live || ((rule->effects & EFFECT_ROUTE_STABLE) && rule->next >= 0), "%s is refused",
                  rule->id);
    /* what is open may be so: a row that does not ask for it is held to it as well */
    if (r->verb == VERB_TICK && POSSIBLE(r, STABLE) && maybe_blamed(r) && live && !pending)
        cr_assert(rule->next == PHASE_ROLLED_BACK && (rule->effects & EFFECT_QUARANTINE),
                  "%s does not roll back", rule->id);
    if (rule->effects & EFFECT_QUARANTINE)
        cr_assert(bad && r->verb == VERB_TICK, "%s blames without evidence", rule->id);
    if (r->verb == VERB_TICK && POSSIBLE(r, STABLE) && POSSIBLE(r, SHARED_CAUSE) && live && !pending)
        cr_assert_eq(rule->next, PHASE_ROLLED_BACK, "%s does not go back from a shared cause", rule->id);
    if (r->verb == VERB_TICK && POSSIBLE(r, BLIND_OVER) && (baking || r->phase == PHASE_PROGRESSING))
        cr_assert(rule->next == PHASE_PAUSED || rule->next == PHASE_ROLLED_BACK, "%s stays blind", rule->id);
    if ((rule->effects & advancing) != 0)
        cr_assert(!POSSIBLE(r, FROZEN) &&
                      (r->verb == VERB_TICK || r->verb == VERB_PROMOTE || r->verb == VERB_PROMOTE_FULL ||
                       (r->verb == VERB_RESUME && (rule->effects & EFFECT_RESTART_STEP) != 0)),
                  "%s promotes while frozen, or by another verb", rule->id);
    if (pending && (rule->effects & advancing) != 0)
        cr_assert(SURE(r, CORPORA), "%s starts without its corpora", rule->id);
    /* what others say starts nothing and is gone back from, but a person may go on */
    if (r->verb == VERB_TICK && (rule->effects & advancing) != 0)
        cr_assert(!POSSIBLE(r, ALERT), "%s goes on under an alert", rule->id);
    if (r->verb == VERB_TICK && SURE(r, STABLE) && SURE(r, ALERT_ROLLBACK) && live && !pending)
        cr_assert_eq(rule->next, PHASE_ROLLED_BACK, "%s does not go back for an alert", rule->id);
    /* a rollout that is led beyond its plan would have no weight */
    if ((rule->effects & EFFECT_NEXT_STEP) != 0)
        cr_assert(rule->next == PHASE_BAKING ? SURE(r, NEXT_LAST) : !POSSIBLE(r, NEXT_LAST),
                  "%s leaves the plan", rule->id);
    if (r->phase == PHASE_PAUSED && (rule->effects & EFFECT_NEXT_STEP) != 0)
        cr_assert(!POSSIBLE(r, RESUMES_PENDING) && !POSSIBLE(r, RESUMES_BAKING), "%s goes elsewhere",
                  rule->id);
    if ((rule->effects & EFFECT_ROUTE_WEIGHT) != 0)
        cr_assert(SURE(r, LOWER) && SURE(r, STABLE), "%s raises a weight", rule->id);
    if (r->verb == VERB_TICK && (r->phase == PHASE_PAUSED || !live))
        cr_assert((rule->effects & advancing) == 0, "%s goes on by itself", rule->id);
}

/* What a row does must fit together, whatever led to it. */
static void hold_shape(const struct rule *rule, const struct region *r)
{
    const unsigned routes =
                       EFFECT_ROUTE_STEP | EFFECT_ROUTE_STABLE | EFFECT_ROUTE_PROMOTE | EFFECT_ROUTE_WEIGHT,
                   steps = EFFECT_FIRST_STEP | EFFECT_NEXT_STEP | EFFECT_LAST_STEP;
    unsigned route = rule->effects & routes, step = rule->effects & steps;
    bool live = phase_live(r->phase);
    cr_assert((route & (route - 1)) == 0 && (step & (step - 1)) == 0, "%s wants two routes or steps",
              rule->id);
    cr_assert(!(route & EFFECT_ROUTE_STEP) || step != 0 || (rule->effects & EFFECT_RESTART_STEP) != 0,
              "%s gives the weight of no step", rule->id);
    cr_assert(step == 0 || (route & (EFFECT_ROUTE_STEP | EFFECT_ROUTE_PROMOTE)), "%s moves without a weight",
              rule->id);
    cr_assert(!(rule->effects & EFFECT_REFUSE) || (rule->next == NEXT_STAY && rule->effects == EFFECT_REFUSE),
              "%s refuses and does something", rule->id);
    cr_assert((rule->next == PHASE_COMPLETED) == ((route & EFFECT_ROUTE_PROMOTE) != 0), "%s", rule->id);
    cr_assert(rule->next != PHASE_ROLLED_BACK || (route & EFFECT_ROUTE_STABLE), "%s keeps the weight",
              rule->id);
    cr_assert(rule->next != PHASE_ABORTED || (route & EFFECT_ROUTE_STABLE) || !POSSIBLE(r, STABLE),
              "%s keeps the weight", rule->id);
    cr_assert(live || (route == 0 && rule->next == NEXT_STAY), "%s revives what has ended", rule->id);
    cr_assert(rule->next != NEXT_RESUME || r->phase == PHASE_PAUSED, "%s resumes what is not paused",
              rule->id);
}

/* A snapshot in which everything of `yes` is so and nothing of `no`. False: none can be, as with two
   judgements at once. What is open is left as the snapshot has it by nature. */
static bool realise(const struct region *r, struct snapshot *s)
{
    static const struct {
        enum fact fact;
        enum judgement_action action;
        enum judgement_reason reason;
    } judgements[] = {
        {FACT_WORSE, JUDGE_ROLLBACK, REASON_WORSE},
        {FACT_CEILING, JUDGE_ROLLBACK, REASON_CEILING},
        {FACT_BURN, JUDGE_ROLLBACK, REASON_BURN},
        {FACT_SHARED_CAUSE, JUDGE_RETURN, REASON_SHARED_CAUSE},
        {FACT_ATTRIBUTING, JUDGE_HOLD, REASON_ATTRIBUTING},
        {FACT_SHARED, JUDGE_HOLD, REASON_SHARED},
        {FACT_BUDGET, JUDGE_HOLD, REASON_BUDGET},
        {FACT_SPLIT, JUDGE_HOLD, REASON_SPLIT},
        {FACT_COVERAGE, JUDGE_HOLD, REASON_COVERAGE},
    };
    *s = (struct snapshot){.now_ms = 1000000000,
                           .phase = r->phase,
                           .resume_phase = PHASE_PROGRESSING,
                           .step = 2,
                           .steps = SURE(r, NEXT_LAST) ? 3 : 9,
                           .weight = SURE(r, UNSERVED) ? 0 : 500,
                           .new_weight = SURE(r, LOWER) ? 100 : 900,
                           .blind_since_ms = -1,
                           .step_since_ms = -1,
                           .paused_limit_s = 1,
                           .blind_s = 100,
                           .bake_s = 100};
    for (size_t i = 0; i < sizeof judgements / sizeof judgements[0]; i++)
        if (r->yes >> judgements[i].fact & 1) {
            s->judgement = judgements[i].action;
            s->judgement_reason = judgements[i].reason;
        }
    s->phase_since_ms = SURE(r, WAITED) ? 0 : s->now_ms;
    s->deadline_s = SURE(r, DEADLINE) ? 1 : 0;
    if (SURE(r, BLIND) || SURE(r, BLIND_OVER))
        s->blind_since_ms = SURE(r, BLIND_OVER) ? 0 : s->now_ms;
    if (SURE(r, APPLIED) || SURE(r, DWELLED))
        s->step_since_ms = SURE(r, DWELLED) ? 0 : s->now_ms;
    s->unreported = SURE(r, UNREPORTED);
    if (SURE(r, UNREPORTED) && !SURE(r, DWELLED)) {
        s->step_since_ms = 0;
        s->bake_s = s->now_ms;
    }
    if (SURE(r, RESUMES_PENDING) || SURE(r, RESUMES_BAKING))
        s->resume_phase = SURE(r, RESUMES_PENDING) ? PHASE_PENDING : PHASE_BAKING;
    s->step_requests = SURE(r, REQUESTS);
    s->uncounted = SURE(r, UNCOUNTED);
    s->has_stable = SURE(r, STABLE);
    s->frozen = SURE(r, FROZEN);
    s->corpora_ready = SURE(r, CORPORA);
    s->blind_rollback = SURE(r, ON_BLIND_ROLLBACK);
    s->alarms = SURE(r, ALARM);
    s->notices = SURE(r, NOTICE);
    s->failed = SURE(r, FAILED);
    s->burn_alarms = SURE(r, BURN_ALARM);
    s->burn_notices = SURE(r, BURN_NOTICE);
    s->burning = SURE(r, BURNING);
    s->late = SURE(r, LATE);
    s->stray = SURE(r, STRAY);
    s->alert_rollbacks = SURE(r, ALERT_ROLLBACK);
    s->alert_pauses = SURE(r, ALERT_PAUSE);
    s->alert_notices = SURE(r, ALERT_NOTICE);
    s->alert_holds = SURE(r, ALERT);
    s->source = SURE(r, SOURCE) ? SOURCE_FAILS : SOURCE_WELL;
    s->proven = SURE(r, PROVEN);
    s->idle = SURE(r, IDLE);
    s->pace_time = SURE(r, PACE_TIME);
    facts known = facts_of(s);
    return (r->yes & ~known) == 0 && (r->no & known) == 0;
}

#define JUDGED(name) ((facts)1 << FACT_##name)

static long realised;
static bool decided[256]; /* by decide(), not only here */

/* decide() finds the same row wherever the region can be: with what is open as it is by nature, and at
 * random. */
static void hold_decide(size_t at, const struct region *r)
{
    enum { TRIES = 128 };
    static struct dice dice = {88172645463325252u};
    const facts judgements = JUDGED(WORSE) | JUDGED(CEILING) | JUDGED(BURN) | JUDGED(SHARED_CAUSE) |
                             JUDGED(ATTRIBUTING) | JUDGED(SHARED) | JUDGED(BUDGET) | JUDGED(SPLIT) |
                             JUDGED(COVERAGE);
    for (int i = 0; i < TRIES; i++) {
        struct region some = *r;
        struct snapshot s;
        if (i > 0)
            some.yes |=
                dice_bits(&dice) & ~r->no & ~(i % 2 == 1 ? judgements : 0) & (((facts)1 << FACT_COUNT) - 1);
        if (!realise(&some, &s))
            continue;
        const struct rule *rule = decide(&s, r->verb).rule;
        cr_assert_eq(rule, rules_row(at), "decide() says %s, not %s", rule->id, rules_row(at)->id);
        realised++;
        decided[at] = true;
    }
}

/* Walks the rows from `at` on; returns the share of the whole product that was covered: sums of powers of
   1/2, exact in a double. */
static double walk(struct region region, size_t at)
{
    double covered = 0;
    for (; at < rules_count(); at++) {
        const struct rule *rule = rules_row(at);
        if (rule->verb != region.verb || (rule->phases & 1u << region.phase) == 0 ||
            (rule->need & region.no) != 0 || (rule->forbid & region.yes) != 0)
            continue;
        for (int i = 0; i < FACT_COUNT; i++) {
            facts fact = (facts)1 << i;
            bool needed = (rule->need & fact & ~region.yes) != 0,
                 forbidden = (rule->forbid & fact & ~region.no) != 0;
            if (!needed && !forbidden)
                continue;
            struct region other = region; /* where this fact keeps the row from fitting */
            *(needed ? &other.no : &other.yes) |= fact;
            covered += walk(other, at + 1);
            *(needed ? &region.yes : &region.no) |= fact;
        }
        fired[at] = true;
        hold_laws(rule, &region);
        hold_shape(rule, &region);
        hold_decide(at, &region);
        return covered + ldexp(1, -__builtin_popcountll(region.yes | region.no));
    }
    cr_assert_fail("no row for %s, %s, facts %llx, not %llx", phase_name(region.phase),
                   verb_name(region.verb), (unsigned long long)region.yes, (unsigned long long)region.no);
    return covered;
}

Test(decision_rules, every_combination_has_a_row_and_every_row_fires)
{
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        for (int verb = 0; verb < VERB_COUNT; verb++)
            cr_expect_eq(walk((struct region){.phase = (enum phase)phase, .verb = (enum verb)verb}, 0), 1.0,
                         "%s, %s", phase_name((enum phase)phase), verb_name((enum verb)verb));
    for (size_t i = 0; i < rules_count(); i++)
        cr_expect(fired[i] && decided[i], "row %s can never fire", rules_row(i)->id);
    cr_expect_gt(realised, 2000, "%ld combinations can be", realised);
}

Test(decision_rules, rows_are_well_formed)
{
    for (size_t i = 0; i < rules_count(); i++) {
        const struct rule *rule = rules_row(i);
        cr_expect_eq(rules_find(rule->id), rule, "the id %s stands twice", rule->id);
        cr_expect_eq(rule->need & rule->forbid, 0u, "%s needs what it forbids", rule->id);
        cr_expect(rule->next == NEXT_STAY || rule->event != NULL, "%s changes the phase without an event",
                  rule->id);
        cr_expect(!(rule->effects & EFFECT_REFUSE) || rule->next_step != NULL,
                  "%s refuses without a next step", rule->id);
        cr_expect(!(rule->effects & EFFECT_PAGE) || rule->next_step != NULL, "%s pages without a next step",
                  rule->id);
        cr_expect(strlen(rule->id) < 40, "%s is too long", rule->id);
        /* 'serin explain' shows the same text without its pointer to itself */
        const char *explain = rule->next_step != NULL ? strstr(rule->next_step, "serin explain") : NULL;
        cr_expect(explain == NULL || (explain - rule->next_step > 3 && strncmp(explain - 3, "; '", 3) == 0),
                  "%s: does not end with \"; 'serin explain' ...\": %s", rule->id, rule->next_step);
    }
}

static void put_facts(FILE *out, const char *label, facts set)
{
    static const char *const names[] = {
#define X(name, text) #name,
        FACT_TABLE(X)
#undef X
    };
    for (int i = 0; i < FACT_COUNT; i++)
        if (set >> i & 1)
            fprintf(out, " %s%s", label, names[i]);
}

static void dump(FILE *out)
{
    for (size_t i = 0; i < rules_count(); i++) {
        const struct rule *rule = rules_row(i);
        fprintf(out, "%s:", rule->id);
        for (int phase = 0; phase < PHASE_COUNT; phase++)
            if (rule->phases >> phase & 1)
                fprintf(out, " %s", phase_name((enum phase)phase));
        fprintf(out, " | %s |", verb_name(rule->verb));
        put_facts(out, "+", rule->need);
        put_facts(out, "-", rule->forbid);
        fprintf(out, " -> %s effects=%x event=%s\n    %s\n",
                rule->next == NEXT_STAY     ? "stay"
                : rule->next == NEXT_RESUME ? "resume"
                                            : phase_name((enum phase)rule->next),
                rule->effects, rule->event != NULL ? rule->event : "none", rule->sentence);
    }
}

/* To accept an edit of the table: run with SERIN_WRITE_GOLDEN=1 and look at the difference. */
Test(decision_rules, the_table_is_as_reviewed)
{
    const char *path = SERIN_TESTS_DIR "/unit/data/rules.golden";
    char *now = NULL, *golden;
    size_t length = 0;
    FILE *memory = open_memstream(&now, &length);
    dump(memory);
    fclose(memory);
    if (getenv("SERIN_WRITE_GOLDEN") != NULL) {
        FILE *file = fopen(path, "w");
        cr_assert_neq(file, NULL);
        fwrite(now, 1, length, file);
        fclose(file);
    }
    FILE *file = fopen(path, "r");
    cr_assert_neq(file, NULL, "no golden dump at %s", path);
    golden = calloc(1, length + 4096);
    size_t read = fread(golden, 1, length + 4095, file);
    fclose(file);
    cr_expect(read == length && memcmp(golden, now, length) == 0,
              "the rollout table differs from its golden dump; if that is meant: SERIN_WRITE_GOLDEN=1");
    free(golden);
    free(now);
}

static struct snapshot healthy(void)
{
    return (struct snapshot){.now_ms = 1000000,
                             .phase = PHASE_PROGRESSING,
                             .step = 1,
                             .steps = 3,
                             .weight = 500,
                             .phase_since_ms = 0,
                             .step_entered_ms = 1000,
                             .step_since_ms = 2000,
                             .blind_since_ms = -1,
                             .bake_s = 60,
                             .deadline_s = 86400,
                             .step_requests = 500,
                             .paused_limit_s = 86400,
                             .blind_s = 300,
                             .has_stable = true,
                             .corpora_ready = true,
                             .proven = true,
                             .idle = true,
                             .judgement = JUDGE_CONTINUE};
}

Test(decision_rules, boundaries_of_time)
{
    struct snapshot s = healthy();
    s.now_ms = 2000 + 60 * 1000;
    cr_expect_str_eq(decide(&s, VERB_TICK).rule->id, "advance");
    s.now_ms--;
    cr_expect_str_eq(decide(&s, VERB_TICK).rule->id, "step.dwell");
    s = healthy();
    s.proven = false;
    s.now_ms = 1000 + 86400 * 1000LL;
    cr_expect_str_eq(decide(&s, VERB_TICK).rule->id, "step.deadline");
    s.now_ms--;
    cr_expect_str_eq(decide(&s, VERB_TICK).rule->id, "step.proof");
    s = healthy();
    s.blind_since_ms = s.now_ms - 300 * 1000;
    cr_expect_str_eq(decide(&s, VERB_TICK).rule->id, "blind.pause");
    s.blind_rollback = true;
    cr_expect_str_eq(decide(&s, VERB_TICK).rule->id, "blind.rollback");
    s.blind_since_ms++;
    cr_expect_str_eq(decide(&s, VERB_TICK).rule->id, "hold.blind");
}

Test(decision_rules, what_nobody_reports_holds_from_the_blind_time_on)
{
    struct snapshot s = healthy();
    s.bake_s = 0;
    s.proven = false;
    s.unreported = 1 << SLI_TTFT;
    s.now_ms = s.step_since_ms + s.blind_s * 1000;
    struct decision held = decide(&s, VERB_TICK);
    cr_expect_str_eq(held.rule->id, "hold.unreported");
    cr_expect((held.rule->effects & EFFECT_PAGE) != 0 && held.phase == PHASE_PROGRESSING);
    s.phase = PHASE_BAKING;
    cr_expect_str_eq(decide(&s, VERB_TICK).rule->id, "hold.unreported");
    s.phase = PHASE_PROGRESSING;
    s.now_ms--;
    cr_expect_str_eq(decide(&s, VERB_TICK).rule->id, "step.proof");
    s.now_ms++;
    s.pace_time = true;
    cr_expect_str_neq(decide(&s, VERB_TICK).rule->id, "hold.unreported", "a plan by time passes it");
    s.pace_time = false;
    s.now_ms = s.step_entered_ms + s.deadline_s * 1000;
    cr_expect_str_eq(decide(&s, VERB_TICK).rule->id, "step.deadline", "a step ends the hold at its deadline");
}

Test(decision_rules, law6_what_nobody_reports_does_not_hide_a_fail)
{
    struct snapshot s = healthy();
    s.unreported = 1 << SLI_TTFT;
    s.failed = 1 << SLI_REFUSAL;
    s.now_ms = s.step_since_ms + s.blind_s * 1000;
    for (int i = 0; i < 2; i++) {
        s.phase = i == 0 ? PHASE_PROGRESSING : PHASE_BAKING;
        cr_expect_str_eq(decide(&s, VERB_TICK).rule->id, "hold.failed", "no report takes a fail back");
    }
}

Test(decision_rules, no_requests_prove_nothing)
{
    struct snapshot s = healthy();
    s.step_requests = 0;
    s.pace_time = true;
    cr_expect_str_eq(decide(&s, VERB_TICK).rule->id, "step.requests");
    s.phase = PHASE_BAKING;
    s.step = 3;
    cr_expect_str_eq(decide(&s, VERB_TICK).rule->id, "bake.requests");
    s.step_requests = 5;
    s.uncounted = 1 << SLI_REFUSAL;
    cr_expect_str_eq(decide(&s, VERB_TICK).rule->id, "bake.counts", "what counted others has not watched it");
    s.uncounted = 0;
    s.proven = false;
    cr_expect_str_eq(decide(&s, VERB_TICK).rule->id, "bake.time");
}

Test(decision_rules, promote_while_paused_goes_where_it_was_going)
{
    struct snapshot s = healthy();
    s.phase = PHASE_PAUSED;
    s.resume_phase = PHASE_PENDING;
    s.step = 0;
    cr_expect_str_eq(decide(&s, VERB_PROMOTE).rule->id, "promote.paused_pending");
    s.resume_phase = PHASE_PROGRESSING;
    s.step = 1;
    struct decision next = decide(&s, VERB_PROMOTE);
    cr_expect_str_eq(next.rule->id, "promote");
    cr_expect_eq(next.step, 2);
    cr_expect_eq(next.phase, PHASE_PROGRESSING);
    s.step = 2;
    cr_expect_str_eq(decide(&s, VERB_PROMOTE).rule->id, "promote.bake");
    s.resume_phase = PHASE_BAKING;
    s.step = 3;
    cr_expect_str_eq(decide(&s, VERB_PROMOTE).rule->id, "promote.paused_done");
}
