/* Service level objectives as people write them: the object under "slos" of the API (schema SlosWrite). */
#pragma once

#include "base/fault.h"
#include "decision/policy.h"

#include <json-c/json_object.h>

/* Reads `value` (lent), an object of SloWrite by SLI, into *out. At least one SLI; objectives with up to four
   decimals of a percent; ttft and latency need a threshold, timeout has 60s by default, the others take none;
   the window is 1h to 90d, 30d by default, in whole seconds. `pointer` is where `value` stands in the input
   ("" at the top). INVALID with every problem at its pointer; *out is then unspecified. `fault` may be NULL.
 */
enum status spec_read_slos(struct json_object *value, const char *pointer, struct slos *out,
                           struct fault *fault) MUST_CHECK;

/* The same object with all fields explicit; spec_read_slos() of it gives *slos again. Owned by the caller;
   NULL on no memory. */
struct json_object *spec_write_slos(const struct slos *slos) MUST_CHECK;
