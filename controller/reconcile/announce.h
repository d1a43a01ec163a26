/* Saying when a route is not only written but applied (law 11). */
#pragma once

#include "store/db.h"

/* For each newest route that is not known to be applied: if no gateway is behind any more, marks it and
   appends the event route.applied, which names the silent ones whose lease has run out. Own transactions. */
enum status announce_applied(struct db *db, struct fault *fault) MUST_CHECK;
