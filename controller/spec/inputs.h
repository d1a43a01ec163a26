/* The inputs of a decision as JSON: stored with each event, shown in records, read back by a replay. */
#pragma once

#include "base/status.h"
#include "decision/decide.h"

#include <json-c/json_object.h>

/* A snapshot as an object. Owned by the caller; NULL on no memory. */
struct json_object *spec_write_inputs(const struct snapshot *snapshot) MUST_CHECK;

/* The other way; `value` is lent. A field that is not there belongs to a later version than the event: it is
   0, false, or -1 for a time, and counts in *missing. False if a field is of a wrong type or out of range, or
   if it is no snapshot at all; *out is then unspecified. */
bool spec_read_inputs(struct json_object *value, struct snapshot *out, size_t *missing) MUST_CHECK;

/* A number with all its bits. JSON has no infinities: they are the words "inf" and "-inf". */
struct json_object *spec_write_real(double value) MUST_CHECK;
bool spec_read_real(struct json_object *value, double *out) MUST_CHECK;
