/* Who calls: bearer tokens, looked up in the snapshot. */
#pragma once

#include "gateway/parts.h"

/* Checks that the request carries a token with role gateway or above, and sets request->caller.
   UNAUTHENTICATED, FORBIDDEN, or UNAVAILABLE while no snapshot is known. What was verified is remembered for
   the connection. */
enum status auth_check(struct request *request, struct fault *fault) MUST_CHECK;

/* Frees what is remembered for a connection. */
void auth_forget(struct connection *connection);
