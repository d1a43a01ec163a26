/* What changed between two JSON values, by pointer. Pure. */
#pragma once

#include "base/text.h"

#include <json-c/json_object.h>

enum { DIFF_FIELDS_MAX = 1000 };

/* Appends the changes as JSON items with commas between them: {"pointer": "/a/0", "change": "added" |
   "removed" | "changed", "from": .., "to": ..}, in the order of the keys of `from`, then those that are new.
   Objects are compared by key, arrays by place, numbers by value. Both values are lent; NULL is the JSON
   value null. With more than DIFF_FIELDS_MAX changes there is one item instead, for the whole, without the
   values. *same says whether nothing changed. NO_MEMORY or TOO_LARGE. */
enum status diff_json_write(struct json_object *from, struct json_object *to, bool *same,
                            struct text *out) MUST_CHECK;
