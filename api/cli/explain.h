/* Why a rollout is where it is, on one page. */
#pragma once

#include "base/text.h"

#include <json-c/json_object.h>
#include <stdbool.h>

/* Appends the page for an Explanation (lent): headline, why, the guardrails with the counts of both arms,
   what the evidence says, what is still needed. */
void explain_page(struct json_object *explanation, bool colors, struct text *out);
/* The same shorter, for a page that is redrawn: one line a guardrail. */
void explain_brief(struct json_object *explanation, bool colors, struct text *out);
/* A line for each mute of a Rollout. */
void explain_muted(struct json_object *rollout, struct text *out);
/* "progressing, step 2 of 5, canary at 5 %", from a Rollout or an Explanation. */
void explain_where(struct json_object *rollout, struct text *out);
/* "At 12 requests a second (measured over the last 10 min) this plan needs about 3 h; step 1 about 40 min."
   on a line of its own; nothing where there is none. `rollout` is the answer to a start or retry. */
void explain_forecast(struct json_object *rollout, struct text *out);
/* Its warnings, as a start or retry answers with them; nothing where there are none. */
void explain_warnings(struct json_object *rollout, struct text *out);
