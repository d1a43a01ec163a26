/* Block e-values, as ln e: how much more likely one block is under an alternative than the null allows at
   most. E e <= 1 under the null. Those with a grid are given for all odds ratios r_j = 1.2 1.5 2 3 5 10 25 80
   (relative to the tolerance or ceiling). Counts are up to 2^53 and more; results are finite. */
#pragma once

#include "decision/counts.h"

enum { EVIDENCE_GRID = 8 }; /* odds ratios of the mixture */

/* H0: odds(canary) <= w odds(stable) in this block, w >= 1. Given K = k_c + k_b, k_c is non-central
   hypergeometric, a sum of independent Bernoulli variables (real roots: Vatutin, Mikhailov 1982); Hoeffding's
   bound (1956) by AM-GM:
       m = min(K, n_c);   mu = min(K w n_c/(w n_c + n_b), n_c w K/(w K + N - K))
       le_j = k_c ln r_j - m log1p((mu/m)(r_j - 1));   0 if n_c, n_b or K is 0
   Conditional on K: drift, outages and weight changes common to both arms cancel. */
void evalue_relative(const struct counts *counts, double w, double log_e[EVIDENCE_GRID]);

/* The same for `count` strata, each compared with itself: the e-values multiply, as given what came before
   they are independent ones of the same null. */
void evalue_relative_strata(const struct counts *strata, int32_t count, double w,
                            double log_e[EVIDENCE_GRID]);

/* H0: p <= c, 0 < c <= 1, n outcomes, k bad: the likelihood ratio of odds r_j c/(1-c) (Wald 1945).
       le_j = k ln r_j - n log1p(c (r_j - 1)) */
void evalue_absolute(int64_t n, int64_t k, double c, double log_e[EVIDENCE_GRID]);

/* Non-inferiority, H0: odds(canary) >= w odds(stable), w > 1; alternative odds ratio `alt` <= 1. r = alt/w.
       B = n_b + w n_c + (w-1) K;   mu = 2 w n_c K/(B + sqrt(B^2 - 4 (w-1) w n_c K))
       le = k_c ln r - m log1p((min(mu, m)/m)(r - 1));   0 if n_c, n_b or K is 0 */
double evalue_ni_ratio(const struct counts *counts, double alt, double w);

/* Non-inferiority, H0: p_c >= p_b + delta, 0 < delta < 1. theta: a guess of the common bad share made before
   the block, in (0, 1 - delta). x = evalue_ripr():
       le = k_c ln(theta/(x+d)) + (n_c-k_c) ln((1-theta)/(1-x-d))
          + k_b ln(theta/x) + (n_b-k_b) ln((1-theta)/(1-x));   0 if n_c or n_b is 0
   (Turner, Ly, Grunwald, arXiv 2106.02693). */
double evalue_ni_add(const struct counts *counts, double theta, double delta);

/* The point of the null nearest to theta (reverse information projection): the x that minimises
   n_c KL(theta || x + delta) + n_b KL(theta || x). */
double evalue_ripr(double n_c, double n_b, double theta, double delta);
