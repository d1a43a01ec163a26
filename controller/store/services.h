/* Services: what releases are rolled out to. */
#pragma once

#include "store/page.h"

enum { STORE_ANY_VERSION = -1 /* where a caller may say which version it has seen */ };

/* Makes the service, or changes what is not NULL, with an event if anything changed. `if_version`: the row
   version that the caller has seen, else STALE_VERSION; STORE_ANY_VERSION = whatever it is. CONFLICT if
   `sticky` would change under a live rollout, because that would deal its users anew. The caller's
   transaction; the service stays locked in it. */
enum status services_put(struct db *db, const char *name, const char *description, const char *sticky,
                         int64_t if_version, const char *actor, bool *created,
                         struct fault *fault) MUST_CHECK;
/* Appends the service (schema Service) to `out`. NOT_FOUND. */
enum status services_get(struct db *db, const char *name, struct text *out, int64_t *row_version,
                         struct fault *fault) MUST_CHECK;
/* Services by name. */
enum status services_list(struct db *db, struct page *page, struct fault *fault) MUST_CHECK;
/* OK, or NOT_FOUND with a next step. */
enum status services_exists(struct db *db, const char *name, struct fault *fault) MUST_CHECK;
/* The same, and locks it. */
enum status services_lock(struct db *db, const char *name, struct fault *fault) MUST_CHECK;
