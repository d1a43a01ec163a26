/* The tables: each is one file, prints GitHub-flavoured Markdown, and says which targets it has measured. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct settings {
    uint64_t seed;
    double scale; /* of the number of rollouts: 1 = full */
    bool quick;   /* a few rollouts and cells only */
    int threads;
};

/* `full` rollouts at scale 1, but at least `least`. */
int settings_runs(const struct settings *settings, int full, int least);
/* The stream of rollout `run` of cell `cell` of a table; `table` is any number, different for each table. */
uint64_t settings_stream(int table, int cell, int run);

void table_draws(const struct settings *settings);       /* the random numbers against their distributions */
void table_null(const struct settings *settings);        /* T1 */
void table_null_rivals(const struct settings *settings); /* T4: false rollbacks, 48 cells */
void table_power(const struct settings *settings);       /* T2, T3, T4 */
void table_proof(const struct settings *settings);       /* T5 */
void table_promotion(const struct settings *settings);   /* T6 */
void table_harm(const struct settings *settings);        /* T7 */
void table_drift(const struct settings *settings);       /* T3, T8: cases R1, R2, R4; R8, R9 */
void table_bursts(const struct settings *settings);      /* T8: cases R3, R7 */
void table_delay(const struct settings *settings);       /* T3, T8: cases R5, R6 */
void table_shared(const struct settings *settings);      /* breaches of both arms */
void table_alone(const struct settings *settings);       /* canary alone, stable unseen, budget, nulls */
void table_holdback(const struct settings *settings);    /* the thin stable arm */
void table_gaps(const struct settings *settings);        /* several SLIs, bursts, absent outcomes */
void table_split(const struct settings *settings);       /* the split check, with weight changes */
void table_speed(const struct settings *settings);       /* T9 */
void table_variants(const struct settings *settings);    /* what else was tried */

/* --- what was measured ------------------------------------------------------------------------------- */

/* Says that target `target` (1..9) was measured: printf-style text, and whether it is met. Several for one
   target are all listed. */
void report_target(int target, bool met, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* What must not be, however few rollouts were run (the limit allows for chance): said on stderr, and the
   program ends with 1. */
void report_broken(const char *what);
bool report_any_broken(void);
/* Prints the list T1..T9. Returns how many were not met. */
int report_targets(void);

/* --- numbers on paper -------------------------------------------------------------------------------- */

/* q-quantile of x[0 .. count - 1] (sorted by the call); the higher of two neighbours. NaN when empty. */
double quantile(double *x, size_t count, double q);
/* "4 s", "12 min", "3.2 h", "-" if infinite; static buffers, a few of them, one set a thread. */
const char *duration(double s);
/* "0.3 %", of `of`; "-" if of is 0 */
const char *percent(double k, double of);
/* Upper 95 % confidence limit of a share of which k of n were seen (Clopper, Pearson), 0..1. */
double share_at_most(int k, int n);
