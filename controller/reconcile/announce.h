/* Saying when a route is not only written but applied (law 11), and when gateways do not keep to it. */
#pragma once

#include "store/db.h"

/* For each newest route that is not known to be applied: if no gateway is behind any more, marks it and
   appends the event route.applied, which names the silent ones whose lease has run out. Own transactions. */
enum status announce_applied(struct db *db, struct fault *fault) MUST_CHECK;

/* For each applied route without a canary of which requests still go to another release: appends the event
   route.strayed, which pages, once a route. Own transactions. */
enum status announce_strays(struct db *db, struct fault *fault) MUST_CHECK;
