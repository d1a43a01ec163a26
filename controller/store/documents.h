/* The two documents of a service that are replaced as a whole and kept in all versions: objectives and
 * policy. */
#pragma once

#include "store/services.h"

enum document_kind { DOCUMENT_SLOS, DOCUMENT_POLICY };

/* Appends a version, with its event; a document that says the same as the newest version is not stored again.
   `document` is JSON that was checked: the object under "slos", or a PolicyWrite. `if_version` as in
   services_put(), 0 before the first. NOT_FOUND (service), STALE_VERSION. The caller's transaction; the
   service stays locked in it. */
enum status documents_put(struct db *db, enum document_kind kind, const char *service, const char *document,
                          int64_t if_version, const char *actor, struct fault *fault) MUST_CHECK;
/* Appends the newest version (schema Slos or Policy) to `whole` and the document alone to `document`; either
   may be NULL. *version is 0, and nothing is appended, if there is none yet. */
enum status documents_get(struct db *db, enum document_kind kind, const char *service, struct text *whole,
                          struct text *document, int64_t *version, struct fault *fault) MUST_CHECK;
