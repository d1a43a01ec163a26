/* The rollout table. First match wins. Ids never change their meaning; the golden dump in tests/unit makes
   each edit of a row a reviewable difference. */
#include "decision/decide.h"

#include <string.h>

#define P(name)   (1u << PHASE_##name)
#define F(name)   ((facts)1 << FACT_##name)
#define LIVE      (P(PENDING) | P(PROGRESSING) | P(PAUSED) | P(BAKING))
#define ENDED     (P(COMPLETED) | P(ABORTED) | P(ROLLED_BACK))
#define SERVING   (P(PROGRESSING) | P(PAUSED) | P(BAKING))
#define ADVANCING (P(PROGRESSING) | P(BAKING))
#define ANY       (LIVE | ENDED)

static const struct rule rules[] = {
    /* --- leaving: needs no metric, gate or lease, and nothing stands before it
       ------------------------------------- */
    {"abort.ended", ENDED, VERB_ABORT, 0, 0, NEXT_STAY, 0, NULL,
     "This rollout has ended; there is nothing to abort.", NULL},
    {"abort", LIVE, VERB_ABORT, 0, 0, PHASE_ABORTED, EFFECT_ROUTE_STABLE, "rollout.aborted",
     "Aborted by hand; {back}.", NULL},
    {"rollback.ended", ENDED, VERB_ROLLBACK, 0, 0, NEXT_STAY, 0, NULL, "This rollout has ended.", NULL},
    {"rollback", LIVE, VERB_ROLLBACK, 0, 0, PHASE_ROLLED_BACK, EFFECT_ROUTE_STABLE, "rollout.rolled_back",
     "Rolled back by hand; {back}.", NULL},
    {"supersede.ended", ENDED, VERB_SUPERSEDE, 0, 0, NEXT_STAY, 0, NULL, "This rollout has ended.", NULL},
    {"supersede.first", LIVE, VERB_SUPERSEDE, 0, F(STABLE), PHASE_ABORTED, 0, "rollout.aborted",
     "Superseded by a newer rollout; {release} serves until that one does.", NULL},
    {"supersede", LIVE, VERB_SUPERSEDE, 0, 0, PHASE_ABORTED, EFFECT_ROUTE_STABLE, "rollout.aborted",
     "Superseded by a newer rollout.", NULL},

    /* --- evidence
       -------------------------------------------------------------------------------------------------- */
    {"evidence.worse", SERVING, VERB_TICK, F(STABLE) | F(WORSE), 0, PHASE_ROLLED_BACK,
     EFFECT_ROUTE_STABLE | EFFECT_QUARANTINE | EFFECT_PAGE, "rollout.rolled_back",
     "Rolled back: {release} is worse than {stable} in {lead}. {evidence}",
     "Mend the release and roll out the new one; 'serin explain' has the counts."},
    {"evidence.ceiling", SERVING, VERB_TICK, F(STABLE) | F(CEILING), 0, PHASE_ROLLED_BACK,
     EFFECT_ROUTE_STABLE | EFFECT_QUARANTINE | EFFECT_PAGE, "rollout.rolled_back",
     "Rolled back: {release} is above its ceiling in {lead}, and {stable} is not the cause. {evidence}",
     "Mend the release and roll out the new one; 'serin explain' has the counts."},
    {"evidence.burn", SERVING, VERB_TICK, F(STABLE) | F(BURN), 0, PHASE_ROLLED_BACK,
     EFFECT_ROUTE_STABLE | EFFECT_QUARANTINE | EFFECT_PAGE, "rollout.rolled_back",
     "Rolled back: {release} burns its error budget in {lead} too fast, and {stable} does not. {evidence}",
     "Mend the release and roll out the new one; 'serin explain' has the counts."},
    {"evidence.shared_cause", SERVING, VERB_TICK, F(STABLE) | F(SHARED_CAUSE), 0, PHASE_ROLLED_BACK,
     EFFECT_ROUTE_STABLE | EFFECT_PAGE, "rollout.rolled_back",
     "Back to {stable} without blame (shared_cause): both releases have been above the ceiling in {lead} "
     "since the "
     "weight was raised. {evidence}",
     "Look for what both share: the provider, a quota, a cache. Then 'serin rollout retry'."},
    {"evidence.first", P(PROGRESSING) | P(BAKING), VERB_TICK, F(WORSE), F(STABLE), PHASE_PAUSED, EFFECT_PAGE,
     "rollout.paused",
     "Paused: the first release breaks its ceiling in {lead}, and there is none to go back to. {evidence}",
     "Roll out a mended release with --supersede, or abort to serve nothing."},
    {"evidence.first_ceiling", P(PROGRESSING) | P(BAKING), VERB_TICK, F(CEILING), F(STABLE), PHASE_PAUSED,
     EFFECT_PAGE, "rollout.paused",
     "Paused: the first release breaks its ceiling in {lead}, and there is none to go back to. {evidence}",
     "Roll out a mended release with --supersede, or abort to serve nothing."},

    {"evidence.first_burn", P(PROGRESSING) | P(BAKING), VERB_TICK, F(BURN), F(STABLE), PHASE_PAUSED,
     EFFECT_PAGE, "rollout.paused",
     "Paused: the first release burns its error budget in {lead} too fast, and there is none to go back to. "
     "{evidence}",
     "Roll out a mended release with --supersede, or abort to serve nothing."},
    {"evidence.first_shared", P(PROGRESSING) | P(BAKING), VERB_TICK, F(SHARED_CAUSE), F(STABLE), PHASE_PAUSED,
     EFFECT_PAGE, "rollout.paused",
     "Paused: {lead} has been above its ceiling for long, and there is no release to go back to. {evidence}",
     "Look at the provider; then resume, or roll out a mended release with --supersede."},

    /* --- what others say: an alert holds, pauses or goes back, as the policy allows. It never advances, and
       is no evidence of ours: nothing is quarantined for it
       ---------------------------------------------------------------------------------------------- */
    {"alert.rollback", SERVING, VERB_TICK, F(STABLE) | F(ALERT_ROLLBACK), 0, PHASE_ROLLED_BACK,
     EFFECT_ROUTE_STABLE | EFFECT_PAGE, "rollout.rolled_back",
     "Rolled back: the alert {canary_alerts} fires for {release}, and the policy says to roll back then.",
     "Look at the alert; mend the release and roll out the new one. If the alert was wrong: 'serin rollout "
     "retry', which starts when it is resolved."},
    {"alert.first", P(PROGRESSING) | P(BAKING), VERB_TICK, F(ALERT_ROLLBACK), F(STABLE), PHASE_PAUSED,
     EFFECT_PAGE, "rollout.paused",
     "Paused: the alert {canary_alerts} fires for the first release, and there is none to go back to.",
     "Roll out a mended release with --supersede, or mute 'alert' with a reason and resume."},

    /* --- missing data never advance; they hold for a bounded time
       --------------------------------------------------- */
    {"blind.rollback", SERVING, VERB_TICK, F(STABLE) | F(BLIND_OVER) | F(ON_BLIND_ROLLBACK), 0,
     PHASE_ROLLED_BACK, EFFECT_ROUTE_STABLE | EFFECT_PAGE, "rollout.rolled_back",
     "Back to {stable}: no data about {release} for {blind}, and the policy says to roll back then.{source}",
     "Bring the reports or metrics back, then 'serin rollout retry'."},
    {"blind.pause", ADVANCING, VERB_TICK, F(BLIND_OVER), 0, PHASE_PAUSED, EFFECT_PAGE, "rollout.paused",
     "Paused: no data about {release} for {blind}.{source}",
     "Bring the reports or metrics back, then 'serin rollout resume'; or abort."},
    {"alarm.pause", ADVANCING, VERB_TICK, F(ALARM), 0, PHASE_PAUSED, EFFECT_PAGE | EFFECT_ALARM,
     "rollout.paused", "Paused: the guardrail {alarms} has failed, and its action is to pause.",
     "Resume or abort; 'serin explain' has the counts."},
    {"alarm.notice", SERVING, VERB_TICK, F(NOTICE), 0, NEXT_STAY, EFFECT_PAGE | EFFECT_ALARM,
     "rollout.noticed",
     "The guardrail {notices} has failed; its action is to notify: nothing advances until a person acts.",
     "Abort it, or mute the guardrail if that is accepted; 'serin explain' has the counts."},

    {"burn.pause", ADVANCING, VERB_TICK, F(BURN_ALARM), 0, PHASE_PAUSED, EFFECT_PAGE | EFFECT_ALARM,
     "rollout.paused",
     "Paused: {release} burns its error budget in {burn_alarms} faster than the policy allows.",
     "Resume or abort; 'serin explain' has the counts."},
    {"burn.notice", SERVING, VERB_TICK, F(BURN_NOTICE), 0, NEXT_STAY, EFFECT_PAGE | EFFECT_ALARM,
     "rollout.noticed",
     "{release} burns its error budget in {burn_notices} faster than the policy allows; its action is only "
     "to say so.",
     "Abort it, or mute the guardrail if that is accepted; 'serin explain' has the counts."},

    {"alert.pause", ADVANCING, VERB_TICK, F(ALERT_PAUSE), 0, PHASE_PAUSED, EFFECT_PAGE | EFFECT_ALARM,
     "rollout.paused", "Paused: the alert {alerts} fires, and the policy says to pause then.",
     "Look at the alert; then resume or abort. It holds for as long as it fires."},
    {"alert.notice", SERVING, VERB_TICK, F(ALERT_NOTICE), 0, NEXT_STAY, EFFECT_PAGE | EFFECT_ALARM,
     "rollout.noticed", "The alert {alerts} fires; the policy only says so.", "Look at the alert."},

    /* --- nothing hangs
       ---------------------------------------------------------------------------------------------- */
    {"paused.limit", P(PAUSED), VERB_TICK, F(STABLE) | F(WAITED), 0, PHASE_ABORTED,
     EFFECT_ROUTE_STABLE | EFFECT_PAGE, "rollout.aborted", "Aborted: paused for longer than {paused_limit}.",
     "'serin rollout retry' starts it anew."},
    {"paused", P(PAUSED), VERB_TICK, 0, 0, NEXT_STAY, 0, NULL, "", NULL},
    {"pending.limit", P(PENDING), VERB_TICK, F(WAITED), 0, PHASE_ABORTED, EFFECT_ROUTE_STABLE | EFFECT_PAGE,
     "rollout.aborted", "Aborted: pending for longer than {paused_limit}.",
     "'serin rollout retry' starts it anew."},
    {"frozen", P(PENDING) | ADVANCING, VERB_TICK, F(FROZEN), 0, NEXT_STAY, 0, NULL,
     "Holding: advances are frozen everywhere.", NULL},
    {"pending.corpus", P(PENDING), VERB_TICK, 0, F(CORPORA), NEXT_STAY, 0, NULL,
     "Pending: {release} waits for the index of corpus {corpora} to be reported ready.", NULL},
    {"pending.alert", P(PENDING), VERB_TICK, F(ALERT), 0, NEXT_STAY, EFFECT_PAGE, "rollout.held",
     "Pending: the alert {alerts} fires, and nothing starts while it does.",
     "Look at the alert; it starts when that is resolved. Or mute 'alert' with a reason."},
    {"start.first", P(PENDING), VERB_TICK, 0, F(STABLE), PHASE_BAKING,
     EFFECT_LAST_STEP | EFFECT_ROUTE_STEP | EFFECT_UNPROVEN, "rollout.advanced",
     "The first release of the service takes all traffic; only its ceilings watch it.", NULL},
    {"start.bake", P(PENDING), VERB_TICK, F(NEXT_LAST), 0, PHASE_BAKING,
     EFFECT_FIRST_STEP | EFFECT_ROUTE_STEP, "rollout.advanced", "Started: the plan goes to {weight} at once.",
     NULL},
    {"start", P(PENDING), VERB_TICK, 0, 0, PHASE_PROGRESSING, EFFECT_FIRST_STEP | EFFECT_ROUTE_STEP,
     "rollout.advanced", "Started at {weight}.", NULL},
    {"step.deadline", P(PROGRESSING), VERB_TICK, F(DEADLINE), 0, PHASE_PAUSED, EFFECT_PAGE, "rollout.paused",
     "Paused: step {step} has not been proven within {deadline}.",
     "Resume, promote or abort; 'serin explain' says what is missing."},

    /* --- holding
       ------------------------------------------------------------------------------------------------------
     */
    {"step.applying", ADVANCING, VERB_TICK, 0, F(APPLIED), NEXT_STAY, 0, NULL,
     "Waiting for the gateways to apply {weight}.", NULL},
    {"hold.shared", ADVANCING, VERB_TICK, F(SHARED), 0, NEXT_STAY, EFFECT_PAGE, "rollout.held",
     "Holding: {stable} itself is above the ceiling in {lead}; nobody is blamed. {evidence}",
     "Look for what both releases share: the provider, a quota, a cache."},
    {"hold.attributing", ADVANCING, VERB_TICK, F(ATTRIBUTING), 0, NEXT_STAY, EFFECT_PAGE, "rollout.held",
     "Holding: {release} is above its ceiling in {lead}; waiting to see whether {stable} is too. {evidence}",
     "Watch; this ends by itself within attr_wait."},
    {"hold.budget", ADVANCING, VERB_TICK, F(BUDGET), 0, NEXT_STAY, EFFECT_PAGE, "rollout.held",
     "Holding: this rollout has spent its share of the error budget in {lead}. {evidence}",
     "Abort it, or promote it if the cost is accepted."},
    {"hold.burn", ADVANCING, VERB_TICK, F(BURNING), 0, NEXT_STAY, EFFECT_PAGE, "rollout.held",
     "Holding: {release} burns its error budget in {burning} faster than the policy allows.",
     "Watch; this ends when the burn does. Abort it if the cost is too high."},
    {"hold.alert", ADVANCING, VERB_TICK, F(ALERT), 0, NEXT_STAY, EFFECT_PAGE, "rollout.held",
     "Holding: the alert {alerts} fires about {service}.",
     "Look at the alert; this ends when it is resolved. Or mute 'alert' with a reason."},
    {"hold.split", ADVANCING, VERB_TICK, F(SPLIT), 0, NEXT_STAY, EFFECT_PAGE, "rollout.held",
     "Holding: {release} is given {share} of the requests where its weight says {weight}; the gateways do "
     "not do what "
     "they say.",
     "Look at 'serin gateways' and at sticky keys; then mend it and start anew, or mute 'split' with a "
     "reason."},
    {"hold.stray", ADVANCING, VERB_TICK, F(STRAY), 0, NEXT_STAY, EFFECT_PAGE, "rollout.held",
     "Holding: requests go to a release that the route does not name, {stray} in the last minute.",
     "Look at 'serin gateways' for one that does not follow the route; or mute 'split' with a reason."},
    {"hold.coverage", ADVANCING, VERB_TICK, F(COVERAGE), 0, NEXT_STAY, EFFECT_PAGE, "rollout.held",
     "Holding: {lead} is measured less often for {release} than for {stable}; what is not measured proves "
     "nothing. "
     "{coverage}",
     "Look at what measures it (a judge, a parser); mend it and start anew, or mute 'coverage' with a "
     "reason."},
    {"hold.late", ADVANCING, VERB_TICK, F(LATE), 0, NEXT_STAY, EFFECT_PAGE, "rollout.held",
     "Holding: more than a tenth of the bad outcomes of {late} come later than its maturity and could not "
     "count.",
     "Set a longer maturity for it in the policy and start anew, or mute 'late' with a reason."},
    {"hold.source", ADVANCING, VERB_TICK, F(BLIND) | F(SOURCE), 0, NEXT_STAY, 0, "rollout.held",
     "Holding: no data about {release} that can be used.{source}",
     "Mend the metrics source, or what stands before it; it goes on by itself then."},
    {"hold.blind", ADVANCING, VERB_TICK, F(BLIND), 0, NEXT_STAY, 0, NULL,
     "Holding: no data about {release} right now.", NULL},
    {"hold.failed", ADVANCING, VERB_TICK, F(FAILED), 0, NEXT_STAY, EFFECT_PAGE, "rollout.held",
     "Holding: the guardrail {failed} has failed; nothing advances by itself after that.",
     "Abort, or promote if it is accepted; 'serin explain' has the counts."},
    {"hold.unreported", ADVANCING, VERB_TICK, F(UNREPORTED), F(PACE_TIME), NEXT_STAY, EFFECT_PAGE,
     "rollout.held", "Holding: {unreported}. {without}",
     "Report it with each request, and this goes on by itself; or take it out of the objectives, which "
     "counts "
     "from the next rollout on, and promote this one; 'serin explain' says how it is reported."},
    {"step.dwell", P(PROGRESSING), VERB_TICK, 0, F(DWELLED), NEXT_STAY, 0, NULL,
     "Step {step} of {steps} at {weight}: less than {bake} so far.", NULL},
    {"step.requests", P(PROGRESSING), VERB_TICK, 0, F(REQUESTS), NEXT_STAY, 0, NULL,
     "Step {step} of {steps} at {weight}, canary requests so far: {requests} of {min_requests}.", NULL},
    {"step.proof", P(PROGRESSING), VERB_TICK, 0, F(PROVEN) | F(PACE_TIME), NEXT_STAY, 0, NULL,
     "Step {step} of {steps} at {weight}: not yet proven that {release} is no worse.", NULL},
    {"step.drain", P(PROGRESSING), VERB_TICK, 0, F(IDLE), NEXT_STAY, EFFECT_DRAIN, NULL,
     "Step {step} of {steps} at {weight}: done; closing the last blocks of evidence.", NULL},

    /* --- advancing along the plan
       --------------------------------------------------------------------------------------- */
    {"advance.bake", P(PROGRESSING), VERB_TICK, F(PROVEN) | F(NEXT_LAST), 0, PHASE_BAKING,
     EFFECT_NEXT_STEP | EFFECT_ROUTE_STEP, "rollout.advanced",
     "Proven in step {step}; baking at {next_weight}.", NULL},
    {"advance", P(PROGRESSING), VERB_TICK, F(PROVEN), 0, PHASE_PROGRESSING,
     EFFECT_NEXT_STEP | EFFECT_ROUTE_STEP, "rollout.advanced", "Proven in step {step}; on to {next_weight}.",
     NULL},
    {"advance.time_bake", P(PROGRESSING), VERB_TICK, F(NEXT_LAST), 0, PHASE_BAKING,
     EFFECT_NEXT_STEP | EFFECT_ROUTE_STEP | EFFECT_UNPROVEN, "rollout.advanced",
     "Advanced by time, unproven; baking at {next_weight}.", NULL},
    {"advance.time", P(PROGRESSING), VERB_TICK, 0, 0, PHASE_PROGRESSING,
     EFFECT_NEXT_STEP | EFFECT_ROUTE_STEP | EFFECT_UNPROVEN, "rollout.advanced",
     "Advanced by time, unproven; on to {next_weight}.", NULL},
    {"bake.dwell", P(BAKING), VERB_TICK, 0, F(DWELLED), NEXT_STAY, 0, NULL,
     "Baking at {weight}: less than {bake} so far.", NULL},
    {"bake.requests", P(BAKING), VERB_TICK, 0, F(REQUESTS), NEXT_STAY, 0, NULL,
     "Baking at {weight}, canary requests so far: {requests} of {min_requests}.", NULL},
    {"bake.counts", P(BAKING), VERB_TICK, F(UNCOUNTED), 0, NEXT_STAY, EFFECT_PAGE, "rollout.held",
     "The bake at {weight} does not end: nothing of the canary has been counted for {uncounted} yet.",
     "See that it is reported (or that the bake is longer than its maturity); else mute it with a reason, or "
     "promote; 'serin explain' has the counts."},
    {"bake.done", P(BAKING), VERB_TICK, F(PROVEN), 0, PHASE_COMPLETED, EFFECT_ROUTE_PROMOTE,
     "rollout.completed", "Completed: {release} is proven and is now the stable release.", NULL},
    {"bake.time", P(BAKING), VERB_TICK, 0, 0, PHASE_COMPLETED, EFFECT_ROUTE_PROMOTE | EFFECT_UNPROVEN,
     "rollout.completed",
     "Completed: nothing failed during the bake, and {release} is now the stable release; the bake itself is "
     "unproven.",
     NULL},
    {"ended", ENDED, VERB_TICK, 0, 0, NEXT_STAY, 0, NULL, "", NULL},

    /* --- the database was put back behind what gateways were given (law 13)
       ------------------------------------------ */
    {"restored", SERVING, VERB_RESTORED, F(STABLE), 0, PHASE_PAUSED, EFFECT_ROUTE_STABLE | EFFECT_PAGE,
     "rollout.paused",
     "Paused, all traffic to {stable}: the database was restored to an earlier state, and what this rollout "
     "had done since "
     "is not known.",
     "Look at what was lost; then abort, and start anew with 'serin rollout retry'; or resume, and the step "
     "begins "
     "anew at its own weight."},
    {"restored.first", P(PROGRESSING) | P(BAKING), VERB_RESTORED, 0, 0, PHASE_PAUSED, EFFECT_PAGE,
     "rollout.paused",
     "Paused: the database was restored to an earlier state, and what this rollout had done since is not "
     "known.",
     "Look at what was lost; then resume or abort."},
    {"restored.idle", ANY, VERB_RESTORED, 0, 0, NEXT_STAY, 0, NULL, "", NULL},

    /* --- commands
       ---------------------------------------------------------------------------------------------------------
     */
    {"pause", P(PENDING) | ADVANCING, VERB_PAUSE, 0, 0, PHASE_PAUSED, 0, "rollout.paused",
     "Paused by hand; the weight stays at {weight}.", NULL},
    {"pause.again", P(PAUSED), VERB_PAUSE, 0, 0, NEXT_STAY, 0, NULL, "It is paused already.", NULL},
    {"pause.ended", ENDED, VERB_PAUSE, 0, 0, NEXT_STAY, EFFECT_REFUSE, NULL,
     "This rollout has ended as {phase}.", "Start a new one with 'serin rollout start'."},
    {"resume.frozen", P(PAUSED), VERB_RESUME, F(UNSERVED) | F(FROZEN), 0, NEXT_STAY, EFFECT_REFUSE, NULL,
     "The canary has no weight, and advances are frozen everywhere.",
     "Lift the freeze with 'serin freeze --lift' first."},
    {"resume.step", P(PAUSED), VERB_RESUME, F(UNSERVED), 0, NEXT_RESUME,
     EFFECT_RESTART_STEP | EFFECT_ROUTE_STEP, "rollout.resumed",
     "Resumed by hand: step {step} of {steps} begins anew, since the canary had no weight.", NULL},
    {"resume", P(PAUSED), VERB_RESUME, 0, 0, NEXT_RESUME, EFFECT_RESTART_STEP, "rollout.resumed",
     "Resumed by hand.", NULL},
    {"resume.running", P(PENDING) | ADVANCING, VERB_RESUME, 0, 0, NEXT_STAY, 0, NULL, "It is not paused.",
     NULL},
    {"resume.ended", ENDED, VERB_RESUME, 0, 0, NEXT_STAY, EFFECT_REFUSE, NULL,
     "This rollout has ended as {phase}.", "'serin rollout retry' starts it anew."},

    {"promote.frozen", LIVE, VERB_PROMOTE, F(FROZEN), 0, NEXT_STAY, EFFECT_REFUSE, NULL,
     "Advances are frozen everywhere.", "Lift the freeze with 'serin freeze --lift' first."},
    {"promote.corpus", P(PENDING), VERB_PROMOTE, 0, F(CORPORA), NEXT_STAY, EFFECT_REFUSE, NULL,
     "The corpus {corpora} of {release} is not reported ready.",
     "Report it with 'serin corpus-ready NAME VERSION'."},
    {"promote.first", P(PENDING), VERB_PROMOTE, 0, F(STABLE), PHASE_BAKING,
     EFFECT_LAST_STEP | EFFECT_ROUTE_STEP | EFFECT_UNPROVEN, "rollout.advanced",
     "Promoted by hand: the first release of the service takes all traffic.", NULL},
    {"promote.pending_bake", P(PENDING), VERB_PROMOTE, F(NEXT_LAST), 0, PHASE_BAKING,
     EFFECT_FIRST_STEP | EFFECT_ROUTE_STEP, "rollout.advanced", "Promoted by hand: started at {next_weight}.",
     NULL},
    {"promote.pending", P(PENDING), VERB_PROMOTE, 0, 0, PHASE_PROGRESSING,
     EFFECT_FIRST_STEP | EFFECT_ROUTE_STEP, "rollout.advanced", "Promoted by hand: started at {next_weight}.",
     NULL},
    {"promote.paused_pending", P(PAUSED), VERB_PROMOTE, F(RESUMES_PENDING), 0, NEXT_RESUME,
     EFFECT_RESTART_STEP, "rollout.resumed", "Resumed by hand.", NULL},
    {"promote.paused_done", P(PAUSED), VERB_PROMOTE, F(RESUMES_BAKING), 0, PHASE_COMPLETED,
     EFFECT_ROUTE_PROMOTE | EFFECT_UNPROVEN, "rollout.completed",
     "Promoted by hand: {release} is now the stable release; its bake was cut short.", NULL},
    {"promote.bake", P(PROGRESSING) | P(PAUSED), VERB_PROMOTE, F(NEXT_LAST), 0, PHASE_BAKING,
     EFFECT_NEXT_STEP | EFFECT_ROUTE_STEP | EFFECT_UNPROVEN, "rollout.advanced",
     "Promoted by hand past step {step}; baking at {next_weight}.", NULL},
    {"promote", P(PROGRESSING) | P(PAUSED), VERB_PROMOTE, 0, 0, PHASE_PROGRESSING,
     EFFECT_NEXT_STEP | EFFECT_ROUTE_STEP | EFFECT_UNPROVEN, "rollout.advanced",
     "Promoted by hand past step {step}; on to {next_weight}.", NULL},
    {"promote.done", P(BAKING), VERB_PROMOTE, 0, 0, PHASE_COMPLETED, EFFECT_ROUTE_PROMOTE | EFFECT_UNPROVEN,
     "rollout.completed", "Promoted by hand: {release} is now the stable release; its bake was cut short.",
     NULL},
    {"promote.ended", ENDED, VERB_PROMOTE, 0, 0, NEXT_STAY, EFFECT_REFUSE, NULL,
     "This rollout has ended as {phase}.", "'serin rollout retry' starts it anew."},

    {"promote_full.frozen", LIVE, VERB_PROMOTE_FULL, F(FROZEN), 0, NEXT_STAY, EFFECT_REFUSE, NULL,
     "Advances are frozen everywhere.", "Lift the freeze with 'serin freeze --lift' first."},
    {"promote_full.corpus", LIVE, VERB_PROMOTE_FULL, 0, F(CORPORA), NEXT_STAY, EFFECT_REFUSE, NULL,
     "The corpus {corpora} of {release} is not reported ready.",
     "Report it with 'serin corpus-ready NAME VERSION'."},
    {"promote_full", LIVE, VERB_PROMOTE_FULL, 0, 0, PHASE_COMPLETED,
     EFFECT_LAST_STEP | EFFECT_ROUTE_PROMOTE | EFFECT_UNPROVEN, "rollout.completed",
     "Promoted in full by hand: {release} is now the stable release, unproven.", NULL},
    {"promote_full.ended", ENDED, VERB_PROMOTE_FULL, 0, 0, NEXT_STAY, EFFECT_REFUSE, NULL,
     "This rollout has ended as {phase}.", "'serin rollout retry' starts it anew."},

    {"set_weight", SERVING, VERB_SET_WEIGHT, F(STABLE) | F(LOWER), 0, PHASE_PAUSED, EFFECT_ROUTE_WEIGHT,
     "rollout.weight_set", "Lowered by hand from {weight} to {new_weight}, and paused there.{coarse}",
     "'serin rollout resume' goes on from this weight; from 0 it begins the step anew at its own."},
    {"set_weight.up", SERVING, VERB_SET_WEIGHT, F(STABLE), 0, NEXT_STAY, EFFECT_REFUSE, NULL,
     "The weight is {weight}; set-weight only lowers it.", "{lower}To go up, use 'serin rollout promote'."},
    {"set_weight.pending", P(PENDING), VERB_SET_WEIGHT, 0, 0, NEXT_STAY, EFFECT_REFUSE, NULL,
     "There is no weight to lower: the canary has none yet.", "Pause it or abort it instead."},
    {"set_weight.first", LIVE, VERB_SET_WEIGHT, 0, 0, NEXT_STAY, EFFECT_REFUSE, NULL,
     "There is no weight to lower: no release is stable and could take the rest.",
     "Roll out a mended release with --supersede: this one serves until that one does. To abort is to serve "
     "nothing."},
    {"set_weight.ended", ENDED, VERB_SET_WEIGHT, 0, 0, NEXT_STAY, EFFECT_REFUSE, NULL,
     "This rollout has ended as {phase}.", "Look at 'serin routes'."},

    {"mute", LIVE, VERB_MUTE, 0, 0, NEXT_STAY, EFFECT_MUTE, "rollout.muted",
     "{muted} is muted until {until}.", NULL},
    {"mute.ended", ENDED, VERB_MUTE, 0, 0, NEXT_STAY, EFFECT_REFUSE, NULL,
     "This rollout has ended as {phase}.", "There is nothing to mute."},

    {"retry", P(ABORTED) | P(ROLLED_BACK), VERB_RETRY, 0, 0, NEXT_STAY, EFFECT_RETRY, NULL, "Started anew.",
     NULL},
    {"retry.live", LIVE, VERB_RETRY, 0, 0, NEXT_STAY, EFFECT_REFUSE, NULL, "This rollout is live ({phase}).",
     "Abort it first, or let it go on."},
    {"retry.completed", P(COMPLETED), VERB_RETRY, 0, 0, NEXT_STAY, EFFECT_REFUSE, NULL,
     "This rollout was completed.", "There is nothing to retry."},
};

size_t rules_count(void)
{
    return sizeof rules / sizeof rules[0];
}

const struct rule *rules_row(size_t at)
{
    return &rules[at];
}

const struct rule *rules_find(const char *id)
{
    for (size_t i = 0; i < rules_count(); i++)
        if (strcmp(rules[i].id, id) == 0)
            return &rules[i];
    return NULL;
}
