/* What one server of an HAProxy backend asks with its `agent-send`, and how a weight is said to HAProxy.
   Pure.

   HAProxy 2.6 takes whole percents of the weight in its configuration, which is to be 100 for every server of
   the backend. The percents of stable and canary always sum to 200: so the steps are 0.5 %, and while one
   server has heard of a change and the other not yet, the canary's share lies between the old and the new.
   For a weight between two steps the lower one is said: the canary never has more than its route says, and
   lowering it always takes effect. */
#pragma once

#include "base/fault.h"
#include "base/id.h"
#include "gateway/snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AGENT_LINE_MAX = 255, AGENT_PERCENT_FULL = 200 };
enum { AGENT_WEIGHT_STEP = 10000 / AGENT_PERCENT_FULL }; /* multiples of it can be said, 1/10,000 */
enum { AGENT_UNKNOWN = -1 };                             /* in place of a percent */

enum agent_target { AGENT_RELEASE, AGENT_STABLE, AGENT_CANARY };

struct agent_ask {
    char service[NAME_MAX_LENGTH + 1];
    enum agent_target target;
    char release[NAME_MAX_LENGTH + 1];  /* of AGENT_RELEASE, else "" */
    char instance[NAME_MAX_LENGTH + 1]; /* this HAProxy; "" = it did not say */
    char server[NAME_MAX_LENGTH + 1];   /* tells servers of one release apart; "" */
};

/* Reads SERVICE/RELEASE, SERVICE/@stable or SERVICE/@canary, then perhaps an instance and a server, separated
   by blanks. `line` is what came before the end of the line, of any bytes. MALFORMED, with what it should
   have been. */
enum status agent_line_parse(const char *line, size_t length, struct agent_ask *out,
                             struct fault *fault) MUST_CHECK;
/* A name for an HAProxy that gave none, from its address: "haproxy-10.0.0.7", "haproxy-fe80--1". */
void agent_line_instance(const char *address, char out[NAME_MAX_LENGTH + 1]);

/* The canary's weight in the route as it is, 0..10,000, or 0 once its lease has `lapsed`. */
int32_t agent_weight(const struct service_view *view, bool lapsed);
/* The canary's percent for a weight of 0..10,000, 0..200; stable has the rest of 200. Of a weight that is no
   multiple of AGENT_WEIGHT_STEP that of the next lower one. */
int agent_percent(int32_t canary_weight);
/* The percent of what is asked for, 0..200, at agent_weight(). AGENT_UNKNOWN: there is no route, or no such
   release. */
int agent_share(const struct service_view *view, bool lapsed, const struct agent_ask *ask);
