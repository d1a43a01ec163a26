/* Digests of a page of a record: one of each member, and one that ties the page to the page before it, so
   that a change, a member that was taken out, and pages that are missing or in another order are seen and
   named. */
#pragma once

#include "base/digest.h"

#include <json-c/json_object.h>

/* sha256 of the canonical form of `value` (lent). TOO_LARGE, or NO_MEMORY. */
enum status spec_digest(struct json_object *value, struct digest *out) MUST_CHECK;

/* The digests of `page` (schema RecordDigests) as an object, the caller's: of every member but "digests" and
   "next_cursor". `before`: the chain of the page before, 32 zeros for the first; `more`: another page
   follows. *chain is that of this page. NULL on no memory, or where the page is too large. */
struct json_object *spec_page_digests(struct json_object *page, const struct digest *before, bool more,
                                      struct digest *chain) MUST_CHECK;
