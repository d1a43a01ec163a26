/* Who calls: bearer tokens, looked up in the snapshot. */
#pragma once

#include "gateway/parts.h"

/* Checks that the request carries a token with role gateway or above, and sets request->caller.
   UNAUTHENTICATED, FORBIDDEN, or UNAVAILABLE while no snapshot is known. What was verified is remembered for
   the connection. */
enum status auth_check(struct request *request, struct fault *fault) MUST_CHECK;

/* MHD_OPTION_NOTIFY_CONNECTION: makes and frees what is remembered. */
void auth_notify_connection(void *argument, struct MHD_Connection *connection, void **socket_context,
                            enum MHD_ConnectionNotificationCode code);
