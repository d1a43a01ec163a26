/* Growth of the proof; formulas in the header. */
#include "decision/pace.h"

#include <math.h>

static double divergence(double p, double q)
{
    double d = 0;
    if (p > 0)
        d += p * (log(p) - log(q));
    if (p < 1)
        d += (1 - p) * (log1p(-p) - log1p(-q));
    return d;
}

/* Slope in x of w KL(p || x + d) + (1 - w) KL(p || x). */
static double slope(double w, double p, double d, double x)
{
    return w * ((1 - p) / (1 - x - d) - p / (x + d)) + (1 - w) * ((1 - p) / (1 - x) - p / x);
}

static double by_difference(double w, double p, double d)
{
    double low = p - d > 1e-12 ? p - d : 1e-12, high = p < 1 - d ? p : 1 - d - 1e-12;
    if (high <= low)
        return 0;
    for (int i = 0; i < 60; i++) {
        double x = (low + high) / 2;
        if (slope(w, p, d, x) < 0)
            low = x;
        else
            high = x;
    }
    double x = (low + high) / 2;
    return (w * divergence(p, x + d) + (1 - w) * divergence(p, x)) / w;
}

static double by_ratio(double w, double p, double odds)
{
    static const double alternatives[2] = {1.0, 0.6};
    double m = p < w ? p : w, b = 1 - w + odds * w + (odds - 1) * p, best = 0;
    double root = b * b - 4 * (odds - 1) * odds * w * p;
    double mu = 2 * odds * w * p / (b + sqrt(root > 0 ? root : 0));
    mu = mu < m ? mu : m;
    for (int i = 0; i < 2; i++) {
        double r = alternatives[i] / odds;
        double growth = p * log(r) - m / w * log1p(mu / m * (r - 1));
        best = growth > best ? growth : best;
    }
    return best;
}

double pace_growth(double w, double p, double margin_ratio, double margin_add)
{
    if (!(w > 0 && w < 1 && p > 0 && p < 1))
        return 0;
    double ratio = by_ratio(w, p, margin_ratio), difference = by_difference(w, p, margin_add);
    return ratio > difference ? ratio : difference;
}
