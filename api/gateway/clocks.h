/* The clocks of gateways. A batch says when it was made by its gateway's own clock; here that becomes the
   database's time, with an offset for each gateway that does not move with every packet. So an admission and
   its outcome fall into the same second whatever the network does, and a batch that is sent again keeps its
   times. */
#pragma once

#include "base/clock.h"

#include <stdint.h>

struct clocks;

struct clocks *clocks_new(void);         /* NULL on no memory */
void clocks_free(struct clocks *clocks); /* NULL is fine */

/* When the batch was made, in the database's time: `gateway` made it at clock_ms of its clock, and it began
   to arrive at `received`. Never later than `received`. Any thread. */
struct wall_time clocks_place(struct clocks *clocks, const char *gateway, int64_t clock_ms,
                              struct wall_time received);
