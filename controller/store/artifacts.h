/* Artifact versions: immutable, content-addressed. */
#pragma once

#include "store/page.h"

struct artifact_new {
    const char *kind, *name; /* valid; lent, like all here */
    const char *content;     /* canonical JSON, or UTF-8 text without NUL; NUL-terminated */
    size_t length;
    const char *media_type; /* "application/json" or "text/plain" */
    const char *changelog, *actor;
};

/* Registers a version, with its event. INVALID if JSON holds U+0000. Content that this artifact has already
   is not stored again: *version is the old one and *created false. The caller's transaction; the artifact's
   row stays locked in it. */
enum status artifacts_register(struct db *db, const struct artifact_new *artifact, int64_t *version,
                               bool *created, struct fault *fault) MUST_CHECK;

/* Artifacts (schema Artifact), by kind and name. `kind` may be NULL. */
enum status artifacts_list(struct db *db, const char *kind, struct page *page,
                           struct fault *fault) MUST_CHECK;
/* Versions (schema Version), newest first. An artifact that does not exist is an empty page. */
enum status artifacts_versions(struct db *db, const char *kind, const char *name, struct page *page,
                               struct fault *fault) MUST_CHECK;
/* Appends one version (schema Version, or VersionWithContent) to `out`. `version` 0 = the newest. NOT_FOUND.
 */
enum status artifacts_get(struct db *db, const char *kind, const char *name, int64_t version, bool content,
                          struct text *out, struct fault *fault) MUST_CHECK;
/* Appends the content itself to `out`. *json tells whether it is JSON or text. NOT_FOUND. */
enum status artifacts_content(struct db *db, const char *kind, const char *name, int64_t version,
                              struct text *out, bool *json, struct fault *fault) MUST_CHECK;

/* Records whether the index of a corpus version may serve, with an event if that is news. `version` 0 = the
 *newest; reported is the one that was meant. NOT_FOUND. The caller's transaction. */
enum status artifacts_report_corpus(struct db *db, const char *name, int64_t version, bool ready,
                                    const char *actor, int64_t *reported, struct fault *fault) MUST_CHECK;
