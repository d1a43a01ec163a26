/* Last known good: the newest snapshot, kept in a file, so that a restart without Postgres still has routes
   and tokens. Versioned and checksummed; a file that is cut, damaged or of another version is not used. */
#pragma once

#include "base/fault.h"
#include "base/text.h"
#include "gateway/snapshot.h"

/* Appends the snapshot's coded form. */
enum status lkg_encode(const struct snapshot *snapshot, struct text *out) MUST_CHECK;
/* The snapshot of a coded form, sealed, owned by the caller. Leases end when they would have ended: `wall`
   and `mono` are the present. MALFORMED if it is not one; *out is then NULL. */
enum status lkg_decode(const void *data, size_t length, struct wall_time wall, struct mono_time mono,
                       struct snapshot **out, struct fault *fault) MUST_CHECK;

/* Replaces the file in `directory` in one step (written beside it, synced, renamed). INTERNAL with the
 * reason. */
enum status lkg_save(const char *directory, const struct snapshot *snapshot, struct fault *fault) MUST_CHECK;
/* NOT_FOUND if there is none, MALFORMED if it cannot be used, INTERNAL if it cannot be read. */
enum status lkg_load(const char *directory, struct snapshot **out, struct fault *fault) MUST_CHECK;
