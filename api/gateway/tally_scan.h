/* Batches as gateways send them all day, read without building anything of them but the counts. Whatever is
   not plain - an escape in a string, an unknown field, a number out of bounds, all that tally_read() refuses
   - is left to tally_read(), which says what is wrong. So this may give up anywhere, but what it counts is
   what tally_read() would have counted without it (tests/fuzz/gateway_outcomes.c compares the two). Pure. */
#pragma once

#include "gateway/tally.h"

/* False: not a plain batch, or no memory; then *out owns nothing, and is to be cleared before it is used.
 *out is cleared by the caller. */
bool tally_scan(const char *body, size_t length, const struct snapshot *snapshot, struct wall_time now,
                struct clocks *clocks, const char *gateway, const char *key, struct tally *out) MUST_CHECK;
