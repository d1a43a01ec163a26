/* Information bounds. */
#include "bound.h"

#include <math.h>

static double divergence(double p, double q)
{
    return p * log(p / q) + (1 - p) * (log1p(-p) - log1p(-q));
}

double bound_wald(double p0, double p1, double alpha)
{
    return -log(alpha) / divergence(p1, p0);
}

static double distance(double p0, double p1, double w, double tolerance, double q)
{
    double canary = tolerance * q / (1 - q + tolerance * q);
    return divergence(p1, canary) + (1 - w) / w * divergence(p0, q);
}

double bound_two_sample(double p0, double p1, double w, double alpha, double tolerance)
{
    double low = p0, high = p1, golden = 0.5 * (sqrt(5) - 1);
    for (int i = 0; i < 80; i++) {
        double x = high - golden * (high - low), y = low + golden * (high - low);
        if (distance(p0, p1, w, tolerance, x) < distance(p0, p1, w, tolerance, y))
            high = y;
        else
            low = x;
    }
    return -log(alpha) / distance(p0, p1, w, tolerance, (low + high) / 2);
}
