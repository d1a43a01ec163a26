/* Whether anybody reports an SLI. Outcomes that come without it are counted (coverage); where all of them do,
   in both releases, nobody reports it, and its proof would be waited for in vain. Where stable has it and
   canary has not, that is the canary's doing: see coverage.h. Of a source that cannot tell (counters that are
   polled) nothing is said here. Pure. */
#pragma once

#include "decision/evidence.h"

enum {
    REPORTING_MIN = 100,      /* requests of both releases; fewer without an SLI are no habit */
    REPORTING_PATIENCE_S = 60 /* beyond the age at which requests count */
};

/* n: outcomes that came; k: those of them without the SLI. Since the weight was last raised, or (`all`) since
   the canary first had weight; the open block included. */
struct counts reporting_of(const struct evidence *evidence, enum sli sli, bool all);
/* Of such counts: outcomes of the canary came, and none of them, or none of either release, has the SLI. */
bool reporting_canary_without(const struct counts *counts);
bool reporting_nobody(const struct counts *counts);
/* Of such counts: stable had outcomes too, and none has the SLI. Without this it is only known of the canary.
 */
bool reporting_stable_without(const struct counts *counts);
/* Outcomes of both releases together. */
int64_t reporting_outcomes(const struct counts *counts);

/* Guardrails (1 << sli) that `muted` does not name and that nobody has reported in this step, in at least
   REPORTING_MIN outcomes. step_s: how long the step has lasted; before its first requests are old enough to
   count nothing is said. */
uint32_t reporting_missing(const struct evidence *evidence, const struct policy *policy, uint32_t muted,
                           double step_s);

/* Share of the requests that have the SLI, 0..1; 0 where none of the canary's has it; 1 where nothing is
   known. Of an SLI that comes by itself, beside outcomes without it, no more than its own counts is known. */
double reporting_share(const struct evidence *evidence, enum sli sli);
