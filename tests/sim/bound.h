/* The least number of canary requests that a test needs on average. */
#pragma once

/* Wald: the best test of power 1 that knows both shares. ln(1/alpha)/KL(p1 || p0) */
double bound_wald(double p0, double p1, double alpha);
/* The same when stable's share is known only through its traffic beside canary's (w : 1 - w), and the null is
   odds(canary) <= tolerance x odds(stable): the divergence to the nearest pair of the null. */
double bound_two_sample(double p0, double p1, double w, double alpha, double tolerance);
