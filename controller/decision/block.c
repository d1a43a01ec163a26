/* Block planning; formula in the header. */
#include "decision/block.h"

#include <math.h>

static const double need_min = 16, stable_min = 3, longest_s = 300, rps_min = 1e-9, share_min = 1e-9;

/* Requests, both arms together, that a block is planned for. */
static double planned_requests(double w)
{
    if (w >= 1)
        return need_min;
    double stable = 1 - w > share_min ? 1 - w : share_min;
    return stable_min / stable > need_min ? stable_min / stable : need_min;
}

bool block_full(double requests, double w, double length_s, double block_s)
{
    return requests >= 2 * planned_requests(w) && length_s >= block_s;
}

double block_length_s(double rps, double w, double tick_s, double block_s)
{
    double wanted = 0;
    if (rps >= 0)
        wanted = planned_requests(w) / (rps > rps_min ? rps : rps_min);
    wanted = wanted < longest_s ? wanted : longest_s;
    wanted = wanted > block_s ? wanted : block_s;
    wanted = wanted > tick_s ? wanted : tick_s;
    return ceil(wanted / tick_s - 1e-9) * tick_s;
}
