/* Overdispersion: how much more the bad outcomes of two halves of one release differ than chance would have
   it. From blocks of stable split in two by who served them (an A/A comparison), with K > 0 and K < N: phi =
   max(1, sum (k_1 - n_1 K/N)^2 / sum n_1 n_2 K (N-K) / (N^2 (N-1)))  times (1 + 2 sqrt(2/blocks)) eta = 1/phi
   is the power that keeps block e-values valid under such noise (simulated, not proved). Derivation:
   "Overdispersion". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { OVERDISPERSION_BLOCKS_MIN = 200 }; /* fewer say too little */

struct overdispersion {
    double squares, expected;
    int64_t blocks;
};

/* One block: n requests and k bad ones of each half. Blocks that cannot tell anything are left out. */
void overdispersion_add(struct overdispersion *sum, int64_t n_1, int64_t k_1, int64_t n_2, int64_t k_2);
/* phi, at least 1. False if there are too few blocks. */
bool overdispersion_phi(const struct overdispersion *sum, double *phi);
