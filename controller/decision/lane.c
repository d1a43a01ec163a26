/* Lanes of evidence; formulas in the header. */
#include "decision/lane.h"

#include <math.h>

static const double mass_start = 0.50, mass_steps = 0.25, mass_background = 0.25;
static const double plan_scale_s = 3600;

double ln_add(double a, double b)
{
    double high = a > b ? a : b, low = a > b ? b : a;
    if (low == -INFINITY)
        return high;
    return high + log1p(exp(low - high));
}

double ln_sum(const double *x, size_t count)
{
    double high = -INFINITY, sum = 0;
    for (size_t i = 0; i < count; i++)
        high = x[i] > high ? x[i] : high;
    if (high == -INFINITY)
        return high;
    for (size_t i = 0; i < count; i++)
        sum += exp(x[i] - high);
    return high + log(sum);
}

/* Share of the background mass for faults after t. */
static double survival(double t)
{
    return 1 / (1 + t / plan_scale_s);
}

/* Mass that is invested in a fault at t_s. */
static double invest(struct lane_mass *mass, int32_t planned_weights, double t_s, bool new_step)
{
    double g = mass_start;
    if (mass->t_prev < 0) {
        mass->origin = t_s;
    } else {
        g = mass_background * (survival(mass->t_prev - mass->origin) - survival(t_s - mass->origin));
        if (new_step && mass->steps_left > 0) {
            g += mass_steps / (planned_weights - 1);
            mass->steps_left--;
        }
    }
    mass->t_prev = t_s;
    g = g > mass->u ? mass->u : g;
    g = g > 0 ? g : 0;
    mass->u -= g;
    return g;
}

void lane_components_init(struct lane_mass *mass, double *log_m, size_t count, int32_t planned_weights)
{
    *mass = (struct lane_mass){.u = 1, .origin = -1, .t_prev = -1, .steps_left = planned_weights - 1};
    for (size_t j = 0; j < count; j++)
        log_m[j] = -INFINITY;
}

void lane_components_update(struct lane_mass *mass, double *log_m, size_t count,
                            const struct lane_rules *rules, double t_s, bool new_step, const double *log_e)
{
    double g = invest(mass, rules->planned_weights, t_s, new_step);
    double log_g = g > 0 ? log(g) : -INFINITY;
    for (size_t j = 0; j < count; j++) {
        double gain = rules->eta * log_e[j];
        log_m[j] = ln_add(log_m[j], log_g) + (gain < rules->cap ? gain : rules->cap);
    }
}

double lane_components_log(const struct lane_mass *mass, const double *log_m, size_t count)
{
    double sum = ln_sum(log_m, count) - log((double)count);
    return mass->u > 0 ? ln_add(log(mass->u), sum) : sum;
}

void evidence_lane_init(struct evidence_lane *lane, int32_t planned_weights)
{
    lane_components_init(&lane->mass, lane->log_m, EVIDENCE_GRID, planned_weights);
}

void evidence_lane_update(struct evidence_lane *lane, const struct lane_rules *rules, double t_s,
                          bool new_step, const double log_e[EVIDENCE_GRID])
{
    lane_components_update(&lane->mass, lane->log_m, EVIDENCE_GRID, rules, t_s, new_step, log_e);
}

void evidence_lane_clip(struct evidence_lane *lane, double bound)
{
    for (int j = 0; j < EVIDENCE_GRID; j++)
        lane->log_m[j] = lane->log_m[j] < bound ? lane->log_m[j] : bound;
}

double evidence_lane_log(const struct evidence_lane *lane)
{
    return lane_components_log(&lane->mass, lane->log_m, EVIDENCE_GRID);
}
