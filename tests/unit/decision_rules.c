/* The rollout table as data: every combination has a row, every row can fire, the laws hold for every row
   that can, and each edit shows up as a difference to the golden dump. */
#include "decision/decide.h"

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

/* Laws 2 to 5 for the automatic actor, for every combination in the region. */
static void hold_laws(const struct rule *rule, const struct region *r)
{
    bool missing = POSSIBLE(r, BLIND) || POSSIBLE(r, ATTRIBUTING) || POSSIBLE(r, SHARED) ||
                   POSSIBLE(r, BUDGET) || POSSIBLE(r, FAILED) || POSSIBLE(r, BURN_ALARM) ||
                   POSSIBLE(r, BURNING) || POSSIBLE(r, SPLIT) || POSSIBLE(r, COVERAGE) || POSSIBLE(r, LATE) ||
                   POSSIBLE(r, STRAY) || POSSIBLE(r, ALARM);
    bool bad = SURE(r, WORSE) || SURE(r, CEILING) || SURE(r, BURN);
    bool maybe_bad =
        POSSIBLE(r, WORSE) || POSSIBLE(r, CEILING) || POSSIBLE(r, BURN) || POSSIBLE(r, SHARED_CAUSE);
    bool live = phase_live(r->phase), pending = r->phase == PHASE_PENDING, baking = r->phase == PHASE_BAKING;
    if (r->verb == VERB_TICK && (rule->effects & advancing) != 0 && !pending) {
        cr_assert(!missing && !maybe_bad, "%s advances on missing or bad evidence", rule->id);
        cr_assert(!POSSIBLE(r, FROZEN), "%s advances while frozen", rule->id);
        cr_assert(baking || !POSSIBLE(r, DEADLINE), "%s advances past the deadline", rule->id);
        cr_assert(SURE(r, APPLIED) && SURE(r, DWELLED) && SURE(r, REQUESTS), "%s advances too early",
                  rule->id);
        cr_assert(SURE(r, PROVEN) || SURE(r, PACE_TIME) || baking, "%s advances unproven", rule->id);
        cr_assert(SURE(r, PROVEN) || (rule->effects & EFFECT_UNPROVEN), "%s hides that it is unproven",
                  rule->id);
    }
    if (r->verb == VERB_ABORT || r->verb == VERB_ROLLBACK)
        cr_assert(!live || ((rule->effects & EFFECT_ROUTE_STABLE) && rule->next >= 0), "%s is refused",
                  rule->id);
    if (r->verb == VERB_TICK && SURE(r, STABLE) && bad && live && !pending)
        cr_assert(rule->next == PHASE_ROLLED_BACK && (rule->effects & EFFECT_QUARANTINE),
                  "%s does not roll back", rule->id);
    if (rule->effects & EFFECT_QUARANTINE)
        cr_assert(bad, "%s blames without evidence", rule->id);
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
        cr_expect(fired[i], "row %s can never fire", rules_row(i)->id);
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

Test(decision_rules, no_requests_prove_nothing)
{
    struct snapshot s = healthy();
    s.step_requests = 0;
    s.pace_time = true;
    cr_expect_str_eq(decide(&s, VERB_TICK).rule->id, "step.requests");
    s.phase = PHASE_BAKING;
    s.step = 3;
    cr_expect_str_eq(decide(&s, VERB_TICK).rule->id, "bake.requests");
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
