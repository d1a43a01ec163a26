/* Freezes and quarantines: what stands in the way of a release. */
#pragma once

#include "store/db.h"

#include <stdbool.h>

/* *changed is false if advances were frozen already (the first reason stays). */
enum status controls_freeze(struct db *db, const char *reason, const char *by, bool *changed,
                            struct fault *fault) MUST_CHECK;
/* *changed is false if nothing was frozen. */
enum status controls_unfreeze(struct db *db, const char *by, bool *changed, struct fault *fault) MUST_CHECK;
/* *changed is false if the release (by content) is not quarantined. */
enum status controls_lift_quarantine(struct db *db, const char *service, const char *release, const char *by,
                                     const char *reason, bool *changed, struct fault *fault) MUST_CHECK;
struct controls_release {
    bool exists;      /* the service has it */
    bool quarantined; /* by its content */
    bool baked;       /* has completed a rollout */
};
enum status controls_release(struct db *db, const char *service, const char *release,
                             struct controls_release *out, struct fault *fault) MUST_CHECK;
