/* The budget lane: an e-process against "the harm so far, sum n_c (p_c - p_b)^+, is at most B bad outcomes".
   Grid x_i = 10^(-4 + i/2), i = 0..7. Per block with n_b > 0, rho = n_c/n_b (component i skips blocks with
   rho x_i > 1/2):
       Y_i += eta (k_c log1p(x_i) + k_b log1p(-rho x_i));        X += k_c - rho k_b
       Z(B) = mean_i exp(Y_i - eta x_i B)
   E exp(k_c log1p(x) + k_b log1p(-rho x)) <= exp(x n_c (p_c - p_b)): the unknown rate of stable cancels, for
   every drift and weight. Derivation: "Budget lane". */
#pragma once

#include "decision/evidence.h"

void budget_init(struct sli_evidence *sli);
/* Strata add up: each is compared with itself. */
void budget_update(struct sli_evidence *sli, const struct sli_counts *counts, double eta);
double budget_log(const struct sli_evidence *sli, double harm, double eta); /* ln Z(harm), harm >= 0 */
