/* simulations [--quick] [--seed N] [--scale X] [--threads N] [TABLE...]: prints the tables (all without a
   name), then the targets. Whether a target is met is for the reader; it ends with 1 only for what a few
   rollouts can show: wrong random numbers, or far more false rollbacks than 1 %. */
#include "tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const uint64_t usual_seed = 20261124;

static const struct table {
    const char *name;
    void (*print)(const struct settings *settings);
    bool aside; /* only when named */
} tables[] = {
    {"draws", table_draws, false},         {"speed", table_speed, false},
    {"null", table_null, false},           {"null-rivals", table_null_rivals, false},
    {"power", table_power, false},         {"proof", table_proof, false},
    {"promotion", table_promotion, false}, {"harm", table_harm, false},
    {"drift", table_drift, false},         {"bursts", table_bursts, false},
    {"delay", table_delay, false},         {"shared", table_shared, false},
    {"alone", table_alone, false},         {"holdback", table_holdback, false},
    {"gaps", table_gaps, false},           {"split", table_split, false},
    {"variants", table_variants, true},
};
enum { TABLES = sizeof tables / sizeof tables[0] };

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static const struct table *find(const char *name)
{
    for (int i = 0; i < TABLES; i++)
        if (strcmp(tables[i].name, name) == 0)
            return &tables[i];
    return NULL;
}

static int usage(const char *wrong)
{
    fprintf(stderr, "simulations: %s is no option and no table. Tables:", wrong);
    for (int i = 0; i < TABLES; i++)
        fprintf(stderr, " %s", tables[i].name);
    fprintf(stderr, "\noptions: --quick, --seed N, --scale X, --threads N\n");
    return 2;
}

static void print(const struct table *table, const struct settings *settings)
{
    double began_s = now_s();
    table->print(settings);
    printf("\n_%s: %.0f s_\n", table->name, now_s() - began_s);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct settings settings = {.seed = usual_seed, .scale = 1};
    const struct table *chosen[TABLES];
    int count = 0;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    settings.threads = processors > 0 ? (int)processors : 1;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--quick") == 0) {
            settings.quick = true;
            settings.scale = 0.001;
        } else if (strcmp(argv[i], "--seed") == 0 && *value != '\0') {
            settings.seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--scale") == 0 && strtod(value, NULL) > 0) {
            settings.scale = strtod(argv[++i], NULL);
        } else if (strcmp(argv[i], "--threads") == 0 && atoi(value) > 0) {
            settings.threads = atoi(argv[++i]);
        } else if (find(argv[i]) != NULL && count < TABLES) {
            chosen[count++] = find(argv[i]);
        } else {
            return usage(argv[i]);
        }
    }
    printf("Seed %llu, %g times the full number of rollouts%s, %d threads.\n",
           (unsigned long long)settings.seed, settings.scale,
           settings.quick ? " (quick: a few cells only, says nothing about the targets)" : "",
           settings.threads);
    for (int i = 0; i < count; i++)
        print(chosen[i], &settings);
    for (int i = 0; i < TABLES && count == 0; i++)
        if (!tables[i].aside)
            print(&tables[i], &settings);
    report_targets();
    return report_any_broken();
}
