/* How long the next block of an SLI is to be, decided before it begins and never by outcomes:
       L = max(tick, block_s, min(300 s, need/rps)), up to whole ticks;   need = max(16, 3/(1-w))
   A block of N requests loses about 1/N of its information, hence 16. */
#pragma once

#include <stdbool.h>

/* rps: requests a second of both arms, < 0 = unknown (then need does not count). w: canary's share, 0..1. */
double block_length_s(double rps, double w, double tick_s, double block_s);

/* The block has twice the requests it was planned for (traffic has risen since) and its shortest length: it
   may close now. Looks at requests only, never at what came of them, so the e-value stays valid. */
bool block_full(double requests, double w, double length_s, double block_s);
