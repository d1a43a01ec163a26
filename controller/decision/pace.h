/* How fast a healthy canary, whose bad share is stable's, gathers the proof that it is not worse: the
   expected growth of the non-inferiority evidence (ni.h) in nats a canary request. Pure. */
#pragma once

/* w: canary's share of the requests, 0..1; p: bad share of both; margin_ratio > 1, margin_add > 0 as in ni.h.
   The better of both margins:
       difference: min over x of ( w KL(p || x + d) + (1 - w) KL(p || x) ) / w           x in [p - d, p]
       ratio:      p ln r - (m/w) log1p( (mu/m) (r - 1) )          best of r = 1/W and 0.6/W
                   m = min(p, w),  mu = 2 W w p / (B + sqrt(B^2 - 4 (W - 1) W w p)),
                   B = 1 - w + W w + (W - 1) p
   These are the block e-values of large blocks at their expected counts. 0 where there is nothing to compare
   (w or p at an end). */
double pace_growth(double w, double p, double margin_ratio, double margin_add);
