/* Releases: immutable bundles of artifact versions. */
#pragma once

#include "spec/release.h"
#include "store/page.h"

/* Makes a release of `service` from what was read, with its event. The content that is stored is the
   canonical JSON of {artifacts: [{kind, name, version, digest} in the order of release->pin], changelog,
   compatibility, fallback, history_compatible, parameters, worksheets}. The behaviour, which a quarantine
   goes by, is the digest of {artifacts: [{kind, name, digest}], parameters}. The same content under this name
   is no error (*created false). INVALID (a pinned version that does not exist, at its pointer; U+0000),
   CONFLICT (other content under this name), NOT_FOUND (service). The caller's transaction; it locks the
   service. */
enum status releases_create(struct db *db, const char *service, const struct spec_release *release,
                            const char *actor, bool *created, struct fault *fault) MUST_CHECK;

/* Appends a release (schema Release) to `out`. NOT_FOUND. */
enum status releases_get(struct db *db, const char *service, const char *name, struct text *out,
                         struct fault *fault) MUST_CHECK;
/* Releases of a service, newest first. */
enum status releases_list(struct db *db, const char *service, struct page *page,
                          struct fault *fault) MUST_CHECK;
/* Appends the stored content to `out`. NOT_FOUND. */
enum status releases_content(struct db *db, const char *service, const char *name, struct text *out,
                             struct fault *fault) MUST_CHECK;
