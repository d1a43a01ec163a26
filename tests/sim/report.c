/* What the tables print alike, and the list of targets. */
#include "tables.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINES_MAX = 64, TEXT_MAX = 200, TARGETS = 9 };

static const char *const titles[TARGETS + 1] = {
    "",
    "false rollbacks <= 1 % in 24 h, healthy and at the boundary",
    "median canary requests <= 1.6x the two-sample bound at the start, <= 2.3x late; no cell above 2.1x, "
    "3.0x",
    "2 % -> 38 %, 100 rps, weight 5 %: <= 5 s at the start, <= 10 s late; 15 s ticks 45, 75 s; whole path <= "
    "15 s",
    "faster than the rivals by 12x, 50x, 80x, 400x at the start, 7x, 28x, 40x late, with fewer false "
    "rollbacks",
    "false non-inferiority proof <= 1 % a step at the margin",
    "healthy to 100 % with 8 SLIs: <= 5.5 min at 1,000 rps, 15 min at 100, 3 h at 10",
    "mean excess bad requests of a fault >= 3x from the start: <= 25",
    "robustness cases: each <= 1 % rolled back",
    "<= 1 us a block and lane",
};

static struct line {
    int target;
    bool met;
    char text[TEXT_MAX];
} lines[LINES_MAX];
static int line_count;

void report_target(int target, bool met, const char *format, ...)
{
    if (line_count == LINES_MAX)
        return;
    struct line *line = &lines[line_count++];
    va_list arguments;
    line->target = target;
    line->met = met;
    va_start(arguments, format);
    vsnprintf(line->text, sizeof line->text, format, arguments);
    va_end(arguments);
}

static bool broken;

void report_broken(const char *what)
{
    fprintf(stderr, "simulations: %s\n", what);
    broken = true;
}

bool report_any_broken(void)
{
    return broken;
}

int report_targets(void)
{
    int missed = 0;
    printf("\n## Targets\n\n| # | target | measured | |\n|---|---|---|---|\n");
    for (int target = 1; target <= TARGETS; target++) {
        bool any = false;
        for (int i = 0; i < line_count; i++) {
            if (lines[i].target != target)
                continue;
            printf("| T%d | %s | %s | %s |\n", target, any ? "" : titles[target], lines[i].text,
                   lines[i].met ? "met" : "**not met**");
            any = true;
            missed += !lines[i].met;
        }
        if (!any)
            printf("| T%d | %s | | not measured |\n", target, titles[target]);
    }
    return missed;
}

int settings_runs(const struct settings *settings, int full, int least)
{
    int runs = (int)lround(full * settings->scale);
    return runs > least ? runs : least;
}

uint64_t settings_stream(int table, int cell, int run)
{
    return (uint64_t)table << 48 | (uint64_t)cell << 24 | (uint64_t)run;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double quantile(double *x, size_t count, double q)
{
    if (count == 0)
        return NAN;
    qsort(x, count, sizeof *x, by_size);
    size_t at = (size_t)ceil(q * (double)(count - 1));
    return x[at < count ? at : count - 1];
}

static char *buffer(void)
{
    static _Thread_local char buffers[16][24];
    static _Thread_local int next;
    return buffers[next++ % 16];
}

const char *duration(double s)
{
    char *text = buffer();
    if (!isfinite(s))
        return "-";
    if (s < 300)
        snprintf(text, 24, "%.0f s", s);
    else if (s < 7200)
        snprintf(text, 24, "%.0f min", s / 60);
    else
        snprintf(text, 24, "%.1f h", s / 3600);
    return text;
}

const char *percent(double k, double of)
{
    char *text = buffer();
    if (!(of > 0))
        return "-";
    double share = 100 * k / of;
    snprintf(text, 24, share > 0 && share < 9.95 ? "%.2g %%" : "%.0f %%", share);
    return text;
}

/* P(X <= k) for X of n with share p. */
static double at_most(int k, int n, double p)
{
    double sum = 0;
    for (int i = 0; i <= k; i++)
        sum +=
            exp(lgamma(n + 1.0) - lgamma(i + 1.0) - lgamma(n - i + 1.0) + i * log(p) + (n - i) * log1p(-p));
    return sum;
}

double share_at_most(int k, int n)
{
    double low = 0, high = 1;
    if (n <= 0 || k >= n)
        return 1;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (at_most(k, n, middle) > 0.05)
            low = middle;
        else
            high = middle;
    }
    return high;
}
