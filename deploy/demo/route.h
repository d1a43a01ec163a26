/* A route as GET /v1/routes/{service} gives it, as far as a gateway needs it. */
#pragma once

#include "base/clock.h"
#include "base/digest.h"
#include "base/fault.h"
#include "base/id.h"
#include "demo/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ROUTE_FULL = 10000, ROUTE_ARTIFACTS_MAX = 64, ROUTE_NAME = NAME_MAX_LENGTH + 1 };

struct route_release {
    char name[ROUTE_NAME];
    int32_t weight;
    struct behaviour behaviour;
    size_t artifacts;
    char digest[ROUTE_ARTIFACTS_MAX][DIGEST_HEX]; /* of the content of its artifact versions */
    size_t slot; /* for the owner of the route: where it keeps this release */
};

struct route {
    int64_t incarnation, epoch;
    char rollout[ID_MAX]; /* "" = none is live */
    bool leased;
    struct wall_time valid_until; /* if leased: from then on the canary gets nothing */
    bool sticky;                  /* requests carry a key */
    char salt[129];
    bool has_stable, has_canary; /* at least one */
    struct route_release stable, canary;
};

/* Reads the document. It is refused as a whole if a field is missing, or if the weights do not sum to 10,000;
   fields that are not known are ignored, so that a newer Serin can add some. A behaviour that cannot be read
   is left at its default and named in `fault`, with STATUS_OK. */
enum status route_read(const char *data, size_t length, struct route *out, struct fault *fault) MUST_CHECK;
/* Later in the same history, or of a later incarnation; the same document again counts, for its lease is
 * renewed. */
bool route_not_older(const struct route *route, const struct route *than);
