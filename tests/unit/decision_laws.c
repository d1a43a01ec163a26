/* Laws 1 to 6 under random commands and evidence: a million steps of decide() with its effects in memory, and
   rollouts on real evidence. What must hold is checked after every step, from the snapshot itself and not
   from the facts that the table reads. */
#include "decision_support.h"

#include "decision/offline.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const unsigned routes =
    EFFECT_ROUTE_STEP | EFFECT_ROUTE_STABLE | EFFECT_ROUTE_PROMOTE | EFFECT_ROUTE_WEIGHT;

/* --- what every step must keep --------------------------------------------------------------------- */

struct tally {
    long advances, completions, blames, returns, blind_exits, pauses, refusals, holds, ended;
};

/* Law 3 and 4: nothing stands against advancing. */
static bool may_advance(const struct snapshot *s)
{
    int64_t dwelt_ms = s->now_ms - s->step_since_ms;
    return s->judgement == JUDGE_CONTINUE && s->blind_since_ms < 0 && s->alarms == 0 && s->failed == 0 &&
           s->burn_alarms == 0 && s->burning == 0 && s->late == 0 && s->stray <= 0 && !s->frozen &&
           s->step_since_ms >= 0 && dwelt_ms >= s->bake_s * 1000 && s->step_requests > 0 &&
           s->step_requests >= s->min_requests && (s->phase != PHASE_BAKING || s->uncounted == 0);
}

static void check_tick(const struct snapshot *s, const struct decision *decision, bool live)
{
    const struct rule *rule = decision->rule;
    bool serving = s->phase == PHASE_PROGRESSING || s->phase == PHASE_PAUSED || s->phase == PHASE_BAKING;
    bool running = s->phase == PHASE_PROGRESSING || s->phase == PHASE_BAKING;
    bool up = (rule->effects & (EFFECT_ROUTE_STEP | EFFECT_ROUTE_PROMOTE)) != 0;
    if (up && serving) {
        cr_assert(running && may_advance(s), "law 3, 4: %s advances", rule->id);
        bool by_time = !s->proven;
        cr_assert(!by_time || s->pace_time || s->phase == PHASE_BAKING, "law 3: %s advances unproven",
                  rule->id);
        cr_assert(!by_time || (rule->effects & EFFECT_UNPROVEN), "law 3: %s hides it", rule->id);
        cr_assert(s->phase == PHASE_BAKING ? decision->phase == PHASE_COMPLETED
                                           : decision->step == s->step + 1,
                  "law 3: %s leaves the plan", rule->id);
    }
    if (up && s->phase == PHASE_PENDING)
        cr_assert(!s->frozen && s->corpora_ready && (decision->step == 1 || !s->has_stable), "%s", rule->id);
    cr_assert((rule->effects & EFFECT_ROUTE_WEIGHT) == 0, "%s sets a weight by itself", rule->id);
    /* law 3: what is proven is acted on at once, in every phase that serves */
    if (serving && s->has_stable && s->judgement == JUDGE_ROLLBACK)
        cr_assert(decision->phase == PHASE_ROLLED_BACK && (rule->effects & EFFECT_QUARANTINE), "%s",
                  rule->id);
    /* law 5: a shared cause goes back without blame, other breaches stay where they are */
    if (serving && s->has_stable && s->judgement == JUDGE_RETURN)
        cr_assert(decision->phase == PHASE_ROLLED_BACK && !(rule->effects & EFFECT_QUARANTINE), "law 5: %s",
                  rule->id);
    if (rule->effects & EFFECT_QUARANTINE)
        cr_assert(s->judgement == JUDGE_ROLLBACK, "law 5, 6: %s blames", rule->id);
    if (running && s->judgement == JUDGE_HOLD && decision->phase == PHASE_COMPLETED)
        cr_assert_fail("law 5: %s", rule->id);
    /* law 4: blindness does not last */
    bool over = s->blind_since_ms >= 0 && s->now_ms - s->blind_since_ms >= s->blind_s * 1000;
    if (running && over)
        cr_assert(decision->phase == PHASE_PAUSED || decision->phase == PHASE_ROLLED_BACK, "law 4: %s",
                  rule->id);
    cr_assert(live || (decision->phase == (enum phase)s->phase && (rule->effects & routes) == 0));
}

/* Law 2: leaving is accepted now, whatever else is so; and nobody has to be asked. */
static void check_leaving(struct snapshot s)
{
    bool live = phase_live((enum phase)s.phase);
    static const enum verb leaving[] = {VERB_ABORT, VERB_ROLLBACK, VERB_SUPERSEDE};
    for (int i = 0; i < 3; i++) {
        struct decision decision = decide(&s, leaving[i]);
        cr_assert_eq(decision.rule->effects & EFFECT_REFUSE, 0u, "law 2: %s", decision.rule->id);
        if (live)
            cr_assert(!phase_live(decision.phase) && decision.phase != PHASE_COMPLETED &&
                          ((decision.rule->effects & EFFECT_ROUTE_STABLE) || (i == 2 && !s.has_stable)),
                      "law 2: %s", decision.rule->id);
        else
            cr_assert(decision.phase == (enum phase)s.phase && (decision.rule->effects & routes) == 0,
                      "law 2: %s", decision.rule->id);
    }
}

static void check_command(const struct snapshot *s, enum verb verb, const struct decision *decision)
{
    unsigned effects = decision->rule->effects;
    bool live = phase_live((enum phase)s->phase);
    if (!live)
        cr_assert(decision->phase == (enum phase)s->phase && (effects & routes) == 0, "%s revives it",
                  decision->rule->id);
    if (effects & EFFECT_REFUSE)
        cr_assert(decision->phase == (enum phase)s->phase && decision->step == s->step &&
                      (effects & routes) == 0,
                  "%s is refused and does something", decision->rule->id);
    if (verb != VERB_TICK)
        cr_assert((effects & (EFFECT_QUARANTINE | EFFECT_DRAIN | EFFECT_ALARM)) == 0, "%s",
                  decision->rule->id);
    bool up = (effects & (EFFECT_ROUTE_STEP | EFFECT_ROUTE_PROMOTE)) != 0;
    if (verb != VERB_TICK && up)
        cr_assert(verb == VERB_PROMOTE || verb == VERB_PROMOTE_FULL ||
                      /* back to where it was: a step whose weight was taken away begins anew */
                      (verb == VERB_RESUME && s->weight == 0 && decision->step == s->step &&
                       (effects & EFFECT_ROUTE_PROMOTE) == 0),
                  "%s promotes", decision->rule->id);
    if (up)
        cr_assert(!s->frozen, "%s promotes while frozen", decision->rule->id);
    if (effects & EFFECT_ROUTE_WEIGHT)
        cr_assert(s->new_weight < s->weight && s->has_stable, "%s raises a weight", decision->rule->id);
    if (phase_live(decision->phase) && decision->phase != PHASE_PENDING &&
        !(decision->phase == PHASE_PAUSED && (s->phase == PHASE_PENDING || s->resume_phase == PHASE_PENDING)))
        cr_assert(decision->step >= 1 && decision->step <= s->steps, "%s leads to step %d of %d",
                  decision->rule->id, (int)decision->step, (int)s->steps);
}

/* --- a million steps with evidence that is made up --------------------------------------------------- */

enum { STEPS = 1000000 };

struct world {
    struct course course;
    struct policy policy;
    struct plan plan;
    struct snapshot evidence; /* what the evidence says; the rest of it is not used */
    uint32_t failed;          /* law 6: only grows */
    bool latched;             /* a ROLLBACK or RETURN stays */
    int64_t now_us;
    bool frozen, corpora_ready, blind_rollback;
};

static void new_world(struct dice *dice, struct world *world)
{
    struct slos none = {0};
    memset(world, 0, sizeof *world);
    policy_default(&none, &world->policy);
    world->policy.pace = dice_below(dice, 4) == 0 ? PACE_TIME : PACE_EVIDENCE;
    support_plan(&world->plan, 1 + (size_t)dice_below(dice, 5));
    for (size_t i = 0; i < world->plan.steps; i++) {
        world->plan.step[i].bake_s = dice_below(dice, 300);
        world->plan.step[i].deadline_s = dice_below(dice, 2) * 7200;
        world->plan.step[i].min_requests = dice_below(dice, 2) * 100;
    }
    world->now_us = 1000000;
    world->course = course_begin(world->now_us, dice_below(dice, 5) > 0, dice_below(dice, 5) == 0);
    world->evidence.judgement = JUDGE_CONTINUE;
    world->corpora_ready = true;
}

static void judgement_of(struct dice *dice, struct world *world)
{
    static const enum judgement_reason holds[] = {REASON_ATTRIBUTING, REASON_SHARED, REASON_BUDGET,
                                                  REASON_SPLIT, REASON_COVERAGE},
                                       backs[] = {REASON_WORSE, REASON_CEILING, REASON_BURN};
    struct snapshot *s = &world->evidence;
    int64_t which = dice_below(dice, 40);
    if (world->latched)
        return;
    s->judgement = which < 30   ? JUDGE_CONTINUE
                   : which < 38 ? JUDGE_HOLD
                   : which < 39 ? JUDGE_RETURN
                                : JUDGE_ROLLBACK;
    s->judgement_reason = s->judgement == JUDGE_HOLD       ? holds[dice_below(dice, 5)]
                          : s->judgement == JUDGE_ROLLBACK ? backs[dice_below(dice, 3)]
                          : s->judgement == JUDGE_RETURN   ? REASON_SHARED_CAUSE
                                                           : REASON_NONE;
    world->latched = s->judgement >= JUDGE_RETURN;
}

/* The world goes on: time, evidence, gateways, data. */
static void turn(struct dice *dice, struct world *world)
{
    struct snapshot *s = &world->evidence;
    static const int64_t spans_ms[] = {1, 1000, 1000, 15000, 60000, 600000, 86400000};
    world->now_us += 1000 * (1 + dice_below(dice, spans_ms[dice_below(dice, 7)]));
    if (dice_below(dice, 4) == 0)
        judgement_of(dice, world);
    s->proven = dice_below(dice, 3) > 0;
    s->idle = dice_below(dice, 3) > 0;
    s->step_requests = dice_below(dice, 4) * 80;
    s->uncounted = dice_below(dice, 6) == 0;
    if (dice_below(dice, 60) == 0) {
        uint32_t bit = 1u << dice_below(dice, SLI_COUNT);
        world->failed |= bit;
        *(dice_below(dice, 2) == 0 ? &s->alarms : &s->notices) |= bit;
    }
    s->failed = world->failed;
    s->burning = dice_below(dice, 12) == 0;
    s->burn_alarms = s->burning != 0 && dice_below(dice, 2) == 0;
    s->burn_notices = dice_below(dice, 30) == 0;
    s->late = dice_below(dice, 30) == 0;
    s->stray = dice_below(dice, 30) == 0 ? dice_below(dice, 100) : 0;
    if (dice_below(dice, 50) == 0)
        world->frozen = !world->frozen && dice_below(dice, 3) == 0;
    if (dice_below(dice, 50) == 0)
        world->corpora_ready = dice_below(dice, 4) > 0;
    world->blind_rollback = dice_below(dice, 2) == 0;
    course_note(&world->course, dice_below(dice, 2) == 0 ? world->now_us : 0, world->now_us,
                dice_below(dice, 4) == 0);
}

static void snapshot_of(struct world *world, int32_t new_weight, struct snapshot *out)
{
    struct surroundings around = {.now_us = world->now_us,
                                  .frozen = world->frozen,
                                  .corpora_ready = world->corpora_ready,
                                  .blind_rollback = world->blind_rollback};
    const struct snapshot *s = &world->evidence;
    course_snapshot(&world->course, &around, &world->policy, &world->plan, NULL, new_weight, out);
    bool judged = phase_live(world->course.phase) && world->course.phase != PHASE_PENDING;
    out->judgement = judged ? s->judgement : JUDGE_CONTINUE;
    out->judgement_reason = judged ? s->judgement_reason : REASON_NONE;
    out->proven = s->proven;
    out->idle = s->idle;
    out->step_requests = s->step_requests;
    out->uncounted = s->uncounted;
    out->alarms = s->alarms & ~world->course.alarmed;
    out->notices = s->notices & ~world->course.alarmed;
    out->failed = s->failed;
    out->burning = s->burning;
    out->burn_alarms = s->burn_alarms;
    out->burn_notices = s->burn_notices;
    out->late = s->late;
    out->stray = s->stray;
}

static void act(struct world *world, const struct snapshot *s, const struct decision *decision,
                int32_t new_weight)
{
    unsigned effects = decision->rule->effects;
    if (effects & EFFECT_REFUSE)
        return;
    if (effects & routes)
        world->course.weight =
            course_weight(&world->course, &world->policy, &world->plan, decision, new_weight);
    course_move(&world->course, decision, world->now_us);
    world->course.alarmed |= course_acted_on(decision->rule, s);
}

static void count(struct tally *tally, const struct snapshot *s, enum verb verb,
                  const struct decision *decision)
{
    unsigned effects = decision->rule->effects;
    bool tick = verb == VERB_TICK;
    tally->advances += tick && s->phase == PHASE_PROGRESSING && (effects & EFFECT_ROUTE_STEP);
    tally->completions += tick && decision->phase == PHASE_COMPLETED && s->phase == PHASE_BAKING;
    tally->blames += (effects & EFFECT_QUARANTINE) != 0;
    tally->returns += strcmp(decision->rule->id, "evidence.shared_cause") == 0;
    tally->blind_exits += strncmp(decision->rule->id, "blind.", 6) == 0;
    tally->pauses += tick && decision->phase == PHASE_PAUSED && s->phase != PHASE_PAUSED;
    tally->refusals += (effects & EFFECT_REFUSE) != 0;
    tally->holds += strncmp(decision->rule->id, "hold.", 5) == 0;
    tally->ended += !phase_live(decision->phase) && phase_live((enum phase)s->phase);
}

/* Law 1: the canary's weight is one of a route, and who has ended has none. */
static void check_weight(const struct world *world)
{
    const struct course *course = &world->course;
    cr_assert(course->weight >= 0 && course->weight <= WEIGHT_FULL);
    cr_assert(course->weight == 0 || phase_live(course->phase) || !course->has_stable,
              "law 1: ended with a weight");
    cr_assert(course->has_stable || course->weight == 0 || course->weight == WEIGHT_FULL,
              "law 1: nobody has the rest");
    cr_assert(course->phase != PHASE_PENDING || course->weight == 0);
    if (course->has_stable && phase_live(course->phase))
        cr_assert_leq(course->weight, WEIGHT_FULL - world->policy.holdback);
}

Test(decision_laws, a_million_steps_keep_them, .timeout = 120)
{
    struct dice dice = dice_seeded(61);
    struct world world;
    struct tally tally = {0};
    uint32_t failed = 0;
    new_world(&dice, &world);
    for (long i = 0; i < STEPS; i++) {
        turn(&dice, &world);
        int64_t draw = dice_below(&dice, 1000);
        enum verb verb = draw < 960 ? VERB_TICK : (enum verb)dice_below(&dice, VERB_COUNT);
        int32_t new_weight = (int32_t)dice_below(&dice, WEIGHT_FULL + 1);
        struct snapshot s;
        snapshot_of(&world, new_weight, &s);
        struct decision decision = decide(&s, verb);
        struct course before = world.course;
        bool live = phase_live(before.phase);
        check_leaving(s);
        check_command(&s, verb, &decision);
        if (verb == VERB_TICK)
            check_tick(&s, &decision, live);
        act(&world, &s, &decision, new_weight);
        count(&tally, &s, verb, &decision);
        check_weight(&world);
        cr_assert_eq(failed & ~world.failed, 0u, "law 6");
        cr_assert(!before.unproven || world.course.unproven, "what is unproven stays so");
        cr_assert(!(decision.rule->effects & EFFECT_UNPROVEN) || world.course.unproven,
                  "law 3: %s is not marked", decision.rule->id);
        cr_assert_eq(before.alarmed & ~world.course.alarmed, 0u, "what was acted on is forgotten");
        if (verb == VERB_TICK && world.course.weight > before.weight)
            cr_assert(world.course.step == before.step + 1 || !before.has_stable ||
                          before.phase == PHASE_PENDING || !world.course.has_stable,
                      "law 3");
        failed = world.failed;
        if (!phase_live(world.course.phase) && dice_below(&dice, 5) == 0) {
            new_world(&dice, &world);
            failed = 0;
        }
    }
    cr_expect(tally.advances > 2000 && tally.completions > 300 && tally.blames > 500 && tally.returns > 500 &&
                  tally.blind_exits > 500 && tally.pauses > 2000 && tally.refusals > 1000 &&
                  tally.holds > 10000 && tally.ended > 5000,
              "%ld advances, %ld completions, %ld blames, %ld returns, %ld blind, %ld pauses, %ld refusals, "
              "%ld holds, "
              "%ld ended",
              tally.advances, tally.completions, tally.blames, tally.returns, tally.blind_exits, tally.pauses,
              tally.refusals, tally.holds, tally.ended);
}

/* --- rollouts on real evidence ----------------------------------------------------------------------- */

enum { SLIS = 3 };

struct service {
    double rate, p, fault, unmeasured, skew;
    int64_t fault_from, outage_from, outage_to, silent_from, silent_to;
};

static struct service random_service(struct dice *dice)
{
    static const double faults[] = {1, 1, 1, 1.5, 4, 20}, unmeasured[] = {0, 0, 0, 0.4},
                        skews[] = {1, 1, 1, 2};
    int64_t at = dice_below(dice, 900);
    struct service service = {.rate = exp(dice_share(dice) * 5),
                              .p = 0.002 + 0.03 * dice_share(dice),
                              .fault = faults[dice_below(dice, 6)],
                              .unmeasured = unmeasured[dice_below(dice, 4)],
                              .skew = skews[dice_below(dice, 4)],
                              .fault_from = dice_below(dice, 600),
                              .outage_from = -1,
                              .silent_from = -1};
    if (dice_below(dice, 4) == 0)
        service.outage_to = (service.outage_from = at) + dice_below(dice, 800);
    else if (dice_below(dice, 4) == 0)
        service.silent_to = (service.silent_from = at) + dice_below(dice, 800);
    return service;
}

static void begin(struct dice *dice, struct offline *offline)
{
    struct slos slos = {0};
    struct policy policy;
    struct plan plan;
    for (int i = 0; i < SLIS; i++)
        slos.of[i] = (struct slo){.used = true, .objective_ppm = 950000};
    policy_default(&slos, &policy);
    plan_default(&plan);
    policy.rps_milli = dice_below(dice, 2) * 50000;
    policy.alpha = dice_below(dice, 2) == 0 ? 0.01 : 0.2;
    policy.strata = 2;
    policy.pace = dice_below(dice, 3) == 0 ? PACE_TIME : PACE_EVIDENCE;
    policy.on_blind = dice_below(dice, 2) == 0 ? BLIND_ROLLBACK : BLIND_PAUSE;
    policy_allowances(&slos, &policy);
    for (int i = 0; i < SLIS; i++) {
        policy.guardrail[i].action = (enum guardrail_action)(dice_below(dice, 6) / 2);
        policy.guardrail[i].block_s = 5 * dice_below(dice, 2);
    }
    for (size_t i = 0; i < plan.steps; i++)
        plan.step[i].bake_s = 30;
    struct offline_options options = {.tick_s = 5,
                                      .apply_s = (double)dice_below(dice, 3) * 5,
                                      .quality = (enum data_quality)dice_below(dice, 3),
                                      .has_stable = dice_below(dice, 8) > 0,
                                      .fix = dice_below(dice, 8) == 0};
    offline_init(offline, &policy, &plan, &options);
}

static void count_second(struct dice *dice, struct offline *offline, const struct service *service, int64_t t)
{
    double w = offline_weight_at(offline, (double)t) / 1e4;
    bool outage = t >= service->outage_from && t < service->outage_to, fault = t >= service->fault_from;
    int64_t n = (int64_t)(service->rate * 5 * (0.5 + dice_share(dice)));
    for (int i = 0; i < SLIS; i++) {
        struct sli_counts counts = {.strata = 2};
        struct block closed[2];
        for (int stratum = 0; stratum < 2; stratum++) {
            double p_b = outage ? 0.5 : service->p * (1 + 2 * stratum),
                   p_c = outage ? 0.5 : fmin(0.9, p_b * (fault && i == 0 ? service->fault : 1));
            struct counts *c = &counts.stratum[stratum];
            c->n_c = dice_binomial(dice, n / 2, w);
            c->n_b = n / 2 - c->n_c;
            c->k_c = dice_binomial(dice, c->n_c, p_c);
            c->k_b = dice_binomial(dice, c->n_b, p_b);
        }
        for (int stratum = 0; stratum < 2; stratum++) {
            int64_t n_c = counts.stratum[stratum].n_c, n_b = counts.stratum[stratum].n_b;
            counts.coverage[stratum] = (struct counts){n_c, dice_binomial(dice, n_c, service->unmeasured),
                                                       n_b, dice_binomial(dice, n_b, 0.01)};
        }
        offline_count(offline, (enum sli)i, (double)t, 5, &counts, closed);
    }
    struct split_block closed;
    int64_t n_c = dice_binomial(dice, n, fmin(1, w * service->skew));
    offline_admissions(offline, (double)t, 5, n_c, n - n_c, &closed);
}

static uint32_t failed_of(const struct evidence *evidence)
{
    uint32_t failed = 0;
    for (int i = 0; i < SLI_COUNT; i++)
        failed |= (uint32_t)evidence->sli[i].failed << i;
    return failed;
}

static bool same_judgement(const struct judgement *a, const struct judgement *b)
{
    return a->action == b->action && a->reason == b->reason && a->lead == b->lead &&
           a->log_g_rel == b->log_g_rel && a->log_g_all == b->log_g_all;
}

/* A take-over by another process: what is stored is all that is known. */
static void take_over(struct offline *offline)
{
    static unsigned char bytes[EVIDENCE_CODEC_MAX];
    struct evidence back;
    memset(&back, 0x5a, sizeof back);
    cr_assert(evidence_decode(bytes, evidence_encode(&offline->evidence, bytes), &back));
    offline->evidence = back;
}

static void one_step(struct dice *dice, struct offline *offline, int64_t now, struct tally *tally)
{
    uint32_t failed = failed_of(&offline->evidence);
    struct judgement latched = offline->evidence.latched;
    struct offline_decision made;
    enum verb verb = VERB_TICK;
    if (dice_below(dice, 60) == 0)
        verb = (enum verb)(1 + dice_below(dice, VERB_COUNT - 1));
    if (verb == VERB_ABORT && dice_below(dice, 4) > 0)
        verb = VERB_RESUME;
    if (dice_below(dice, 40) == 0)
        offline->muted = dice_below(dice, 2) == 0 ? 0 : (uint32_t)dice_bits(dice) & 7u;
    if (verb == VERB_TICK)
        made = offline_decide(offline, (double)now, dice_below(dice, 30) == 0);
    else
        made = offline_command(offline, (double)now, verb, (int32_t)dice_below(dice, WEIGHT_FULL));
    struct decision decision = {made.rule, made.phase, made.step};
    bool live = phase_live((enum phase)made.snapshot.phase);
    check_leaving(made.snapshot);
    check_command(&made.snapshot, verb, &decision);
    if (verb == VERB_TICK)
        check_tick(&made.snapshot, &decision, live);
    count(tally, &made.snapshot, verb, &decision);
    cr_assert_eq(failed & ~failed_of(&offline->evidence), 0u, "law 6: a fail is forgotten");
    if (latched.action != JUDGE_CONTINUE)
        cr_assert(same_judgement(&latched, &offline->evidence.latched), "law 6: what has latched changes");
    for (int i = 0; i < SLIS; i++)
        if (failed >> i & 1)
            cr_assert_eq(
                evidence_verdict(&offline->evidence, &offline->policy, (enum sli)i, (double)now, true),
                VERDICT_FAIL, "law 6");
    int32_t weight = offline->course.weight;
    cr_assert(weight >= 0 && weight <= WEIGHT_FULL && (weight == 0 || phase_live(made.phase)), "law 1");
}

Test(decision_laws, rollouts_on_real_evidence_keep_them, .timeout = 180)
{
    struct tally tally = {0};
    long steps = 0;
    static struct offline offline;
    for (uint64_t seed = 1; steps < 60000; seed++) {
        struct dice dice = dice_seeded(70000 + seed);
        struct service service = random_service(&dice);
        begin(&dice, &offline);
        for (int64_t t = 0; t < 3000; t += 5, steps++) {
            offline_turn(&offline, (double)t);
            if (t < service.silent_from || t >= service.silent_to)
                count_second(&dice, &offline, &service, t);
            if (dice_below(&dice, 50) == 0)
                take_over(&offline);
            one_step(&dice, &offline, t + 5, &tally);
            if (offline_ended(&offline) && dice_below(&dice, 20) == 0)
                break;
        }
    }
    cr_expect(tally.advances > 100 && tally.completions > 30 && tally.blames > 5 && tally.returns > 1 &&
                  tally.blind_exits > 3 && tally.pauses > 10 && tally.holds > 3000 && tally.ended > 100,
              "%ld advances, %ld completions, %ld blames, %ld returns, %ld blind, %ld pauses, %ld refusals, "
              "%ld holds, "
              "%ld ended",
              tally.advances, tally.completions, tally.blames, tally.returns, tally.blind_exits, tally.pauses,
              tally.refusals, tally.holds, tally.ended);
}
