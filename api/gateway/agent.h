/* The listener for HAProxy's agent-checks: each server of a backend asks for its weight every moment, in one
   line over a connection of its own, and is answered from memory. It stands on the main loop, and needs the
   gateway port for its snapshots and its acknowledgements. */
#pragma once

#include "base/fault.h"

#include <stdint.h>

struct agent;
struct gateway;
struct uv_loop_s;

/* Listens on `host`, a numeric address; port 0 = a free one. `gateway` is lent until the loop has run after
   agent_stop(). On success *out is the loop's. INVALID for what is no address, UNAVAILABLE if it is in use,
   NO_MEMORY; after a failure too the loop has to run once more, to let go of what was begun. */
enum status agent_start(struct uv_loop_s *loop, const char *host, uint16_t port, struct gateway *gateway,
                        struct agent **out, struct fault *fault) MUST_CHECK;
/* Where it listens: "127.0.0.1:8082". Lent. */
const char *agent_addr(const struct agent *agent);
/* Stops listening and closes the connections; the loop frees it all when it runs. The loop's thread. NULL is
 * fine. */
void agent_stop(struct agent *agent);
