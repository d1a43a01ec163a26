/* The rollout table as data: every combination has a row, every row can fire, the laws hold for every row
   that can, and each edit shows up as a difference to the golden dump. */
#include "decision/decide.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(decision_rules, .timeout = 120);

static const unsigned advancing = EFFECT_ROUTE_STEP | EFFECT_NEXT_STEP | EFFECT_ROUTE_PROMOTE;

static bool matches(const struct rule *rule, enum phase phase, enum verb verb, facts known)
{
    return rule->verb == verb && (rule->phases & 1u << phase) != 0 && (known & rule->need) == rule->need &&
           (known & rule->forbid) == 0;
}

static const struct rule *first_match(enum phase phase, enum verb verb, facts known)
{
    for (size_t i = 0; i < rules_count(); i++)
        if (matches(rules_row(i), phase, verb, known))
            return rules_row(i);
    return NULL;
}

/* The facts that rows for this phase and verb look at. */
static facts looked_at(enum phase phase, enum verb verb)
{
    facts used = 0;
    for (size_t i = 0; i < rules_count(); i++) {
        const struct rule *rule = rules_row(i);
        if (rule->verb == verb && (rule->phases & 1u << phase) != 0)
            used |= rule->need | rule->forbid;
    }
    return used;
}

#define HAS(known, name) (((known) >> FACT_##name & 1) != 0)

/* Laws 2 to 5 for the automatic actor, for one combination. */
static void hold_laws(const struct rule *rule, enum phase phase, enum verb verb, facts known)
{
    bool missing = HAS(known, BLIND) || HAS(known, ATTRIBUTING) || HAS(known, SHARED) || HAS(known, BUDGET) ||
                   HAS(known, WORSE) || HAS(known, CEILING) || HAS(known, SHARED_CAUSE) || HAS(known, FAILED);
    if (verb == VERB_TICK && (rule->effects & advancing) != 0 && phase != PHASE_PENDING) {
        cr_assert(!missing, "%s advances on missing or bad evidence", rule->id);
        cr_assert(!HAS(known, FROZEN), "%s advances while frozen", rule->id);
        cr_assert(HAS(known, APPLIED) && HAS(known, DWELLED) && HAS(known, REQUESTS), "%s advances too early",
                  rule->id);
        cr_assert(HAS(known, PROVEN) || HAS(known, PACE_TIME) || phase == PHASE_BAKING,
                  "%s advances unproven", rule->id);
        cr_assert(HAS(known, PROVEN) || (rule->effects & EFFECT_UNPROVEN), "%s hides that it is unproven",
                  rule->id);
    }
    if (verb == VERB_ABORT || verb == VERB_ROLLBACK)
        cr_assert(!phase_live(phase) || ((rule->effects & EFFECT_ROUTE_STABLE) && rule->next >= 0),
                  "%s is refused", rule->id);
    if (verb == VERB_TICK && HAS(known, STABLE) && (HAS(known, WORSE) || HAS(known, CEILING)) &&
        phase_live(phase) && phase != PHASE_PENDING)
        cr_assert(rule->next == PHASE_ROLLED_BACK && (rule->effects & EFFECT_QUARANTINE),
                  "%s does not roll back", rule->id);
    if (rule->effects & EFFECT_QUARANTINE)
        cr_assert(HAS(known, WORSE) || HAS(known, CEILING), "%s blames without evidence", rule->id);
}

Test(decision_rules, every_combination_has_a_row_and_every_row_fires)
{
    static bool fired[256];
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        for (int verb = 0; verb < VERB_COUNT; verb++) {
            facts used = looked_at((enum phase)phase, (enum verb)verb), known = 0;
            /* all subsets of `used` */
            do {
                const struct rule *rule = first_match((enum phase)phase, (enum verb)verb, known);
                cr_assert_neq(rule, NULL, "no row for %s, %s, %x", phase_name((enum phase)phase),
                              verb_name((enum verb)verb), known);
                for (size_t i = 0; i < rules_count(); i++)
                    if (rules_row(i) == rule)
                        fired[i] = true;
                hold_laws(rule, (enum phase)phase, (enum verb)verb, known);
                known = (known - used) & used;
            } while (known != 0);
        }
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
