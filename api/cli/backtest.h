/* `serin backtest`: what a policy would have done with recorded outcomes. The parts:
     outcomes.c            the file of outcomes
     backtest_traffic.c    who comes when, which release answers, and what comes of it
     backtest_run.c        one rollout, decided by decision/offline
     backtest_summary.c    many rollouts together
     backtest_open.c       what lets those that did not end go on
     backtest_report.c     for people; backtest_json.c for programs; backtest.c the command */
#pragma once

#include "base/random.h"
#include "base/text.h"
#include "cli/outcomes.h"
#include "decision/offline.h"
#include "spec/policy.h"

/* --- traffic --------------------------------------------------------------------------------------- */

/* The recorded outcomes of one release. */
struct backtest_arm {
    const char *name;    /* lent by the outcomes */
    struct outcome *row; /* owned; in the order of the file */
    size_t count;
    size_t *by_key,
        *key_at; /* rows of key k: by_key[key_at[k]] .. by_key[key_at[k + 1] - 1]; owned or NULL */
    int64_t n[SLI_COUNT], k[SLI_COUNT], any_bad; /* any_bad: rows bad in some watched SLI */
};

struct backtest_traffic {
    struct backtest_arm stable, canary;
    uint32_t watched; /* set of SLIs */
    bool as_recorded, in_order;
    const struct outcome_words *keys; /* lent; NULL or empty = requests have no key */
    /* times of arrival from 0 on, sorted; owned. NULL: at random, `rps` a second. */
    double *arrival;
    size_t arrivals;
    double span_s; /* after which they begin anew */
    double rps;    /* their mean */
    /* as_recorded: the row that belongs to each arrival, and whose it is; owned */
    const struct outcome **recorded;
    bool *of_canary;
    bool sorted;    /* rows of a release were in another order than they arrived */
    size_t skipped; /* as_recorded: rows before the canary's first */
    int32_t strata; /* >= 1 */
};

/* Copies the rows of two releases (places in `outcomes`, which may be the same) out of `outcomes`, which must
   outlive the traffic. `watched`: the SLIs that are judged; strata have the numbers that `policy` declares.
   Then one of the arrivals below. */
enum status traffic_init(struct backtest_traffic *traffic, const struct outcomes *outcomes, int32_t stable,
                         int32_t canary, uint32_t watched, const struct spec_policy *policy,
                         struct fault *fault) MUST_CHECK;
/* Requests come at random, rps a second (> 0). */
void traffic_at_random(struct backtest_traffic *traffic, double rps);
/* They come at the arrivals of `outcomes`: of one release, or of all (-1). INVALID with fewer than two. */
enum status traffic_like(struct backtest_traffic *traffic, const struct outcomes *outcomes, int32_t release,
                         int32_t other, const char *name, struct fault *fault) MUST_CHECK;
/* Nothing is drawn: both arms as they are in the file, from the canary's first second on. */
enum status traffic_as_recorded(struct backtest_traffic *traffic, const char *name,
                                struct fault *fault) MUST_CHECK;
void traffic_free(struct backtest_traffic *traffic);

/* What is admitted in one second. */
struct backtest_second {
    struct sli_counts sli[SLI_COUNT]; /* of the watched */
    int64_t canary, stable;           /* requests */
    int64_t canary_bad, stable_bad;   /* of them, bad in some watched SLI */
};

/* One rollout's requests. */
struct traffic_stream {
    const struct backtest_traffic *traffic;
    struct random random;
    size_t next;                 /* arrival */
    double next_s;               /* its time */
    double rounds_s;             /* how often arrivals began anew, in s */
    size_t in_stable, in_canary; /* in_order: the next row */
    int16_t *bucket;             /* of each key, -1 = not yet known; owned */
    char salt[32];
};
enum status traffic_start(struct traffic_stream *stream, const struct backtest_traffic *traffic,
                          uint64_t seed, struct fault *fault) MUST_CHECK;
/* Admits what comes within [second, second + 1), at the weights that the gateways of `offline` give. */
void traffic_second(struct traffic_stream *stream, int64_t second, const struct offline *offline,
                    struct backtest_second *out);
/* as_recorded: nothing comes any more. */
bool traffic_over(const struct traffic_stream *stream);
void traffic_stop(struct traffic_stream *stream);

/* --- one rollout ----------------------------------------------------------------------------------- */

struct backtest_setup {
    struct slos slos;
    struct spec_policy spec; /* the policy, with the rate and allowances filled in */
    struct plan plan;
    struct backtest_traffic traffic;
    int64_t until_s;  /* it is looked at no longer than this */
    int64_t settle_s; /* from the maturity of a second to its counting, as in the daemon (3) */
    double apply_s;   /* from a decision to the gateways */
    bool fix;
};

struct backtest_decision {
    double at_s; /* since the rollout began */
    struct offline_decision decision;
};

enum { BACKTEST_RULES_MAX = 128 };

struct backtest_result {
    uint64_t seed;
    enum phase phase;
    const struct rule *rule; /* of the newest decision with something to say */
    enum sli lead;           /* the guardrail that decided, or for which it is held; SLI_COUNT = none */
    int32_t step, weight;
    bool unproven;
    double at_s;   /* when it ended, or was paused; else when looking ended */
    double seen_s; /* how long it was looked at */
    int64_t canary, stable, canary_bad, stable_bad; /* requests, until gateways had applied the end */
    int64_t counted; /* canary requests that the evidence rests on: the most that any SLI has counted */
    double harm;     /* canary_bad beyond what stable's share would have been */
    double rule_s[BACKTEST_RULES_MAX]; /* how long each row of the table spoke */
    struct {
        struct counts total;
        enum verdict verdict;
        double relative, absolute; /* ln of what alone would roll back at ln(1/alpha): share x lane */
        double proof;              /* ln E of non-inferiority in the last step; needs proof_needed */
    } sli[SLI_COUNT];
    double proof_needed, log_g_rel, log_g_all;
    struct backtest_decision *decision; /* owned; NULL unless kept */
    size_t decisions, capacity;
};

/* Runs one rollout. `keep`: its decisions are kept too. The result is the caller's to free, also on failure.
 */
enum status backtest_run(const struct backtest_setup *setup, uint64_t seed, bool keep,
                         struct backtest_result *out, struct fault *fault) MUST_CHECK;
void backtest_result_free(struct backtest_result *result);

/* --- many rollouts --------------------------------------------------------------------------------- */

/* 5 %, 50 % and 95 % of some values. */
struct backtest_spread {
    double low, median, high;
};

/* Rollouts that ended alike. */
struct backtest_group {
    enum phase phase;
    bool blame;              /* rolled back and quarantined */
    const struct rule *rule; /* NULL in a kind: several */
    enum sli lead;           /* SLI_COUNT = none, or in a kind: several */
    size_t seeds, unproven;
    struct backtest_spread at_s, canary, counted, harm;
};

/* A row of the table that held or paused some of them on the way. */
struct backtest_wait {
    const struct rule *rule;
    size_t seeds;
    struct backtest_spread seconds; /* where it spoke */
};

enum { BACKTEST_GROUPS_MAX = 32, BACKTEST_KINDS_MAX = 8, BACKTEST_WAITS_MAX = 16 };

struct backtest_summary {
    size_t seeds, completed, rolled_back, blamed, paused, open; /* blamed: rolled back and quarantined */
    struct backtest_group group[BACKTEST_GROUPS_MAX];           /* the largest first */
    size_t groups;
    struct backtest_group kind[BACKTEST_KINDS_MAX]; /* by phase and blame alone; the largest first */
    size_t kinds;
    struct backtest_wait wait[BACKTEST_WAITS_MAX];
    size_t waits;
    struct backtest_spread at_s, canary, counted, harm;
    size_t typical; /* the result that is the median of the largest group */
};

enum status backtest_sum_up(const struct backtest_result *result, size_t count, struct backtest_summary *out,
                            struct fault *fault) MUST_CHECK;

/* How the recordings compare in one SLI. Where outcomes are drawn, this is the truth of the simulation. */
enum backtest_truth {
    TRUTH_NONE,    /* one arm has no rows with this SLI */
    TRUTH_WITHIN,  /* within the tolerance and under the ceiling */
    TRUTH_BETWEEN, /* beyond the tolerance, within a margin of the proof: either end is right */
    TRUTH_HARMFUL, /* beyond both margins */
    TRUTH_CEILING, /* above its ceiling, and stable is not */
    TRUTH_SHARED,  /* both are above the ceiling */
    TRUTH_COUNT
};
const char *backtest_truth_name(enum backtest_truth truth); /* "within" ...; static */
enum backtest_truth backtest_compare(const struct backtest_setup *setup, enum sli sli);
/* Odds ratio canary to stable; INFINITY if stable has no bad row, NAN if neither has. */
double backtest_odds(const struct backtest_setup *setup, enum sli sli);
/* The largest probability of an event that was seen k times in n that is not refuted at 5 %. */
double backtest_at_most(size_t k, size_t n);

/* --- what is said of them -------------------------------------------------------------------------- */

struct cli;

struct backtest {
    struct backtest_setup setup;
    const char *outcomes_path, *policy_path; /* lent */
    const char *service;                     /* lent; "" = not said */
    size_t strata;                           /* different ones in the outcomes */
    bool ignores;                            /* columns were left out by name */
    uint32_t left_out;                       /* SLIs with an objective that the outcomes do not have */
    const char *arrivals;                    /* where they come from, for people; lent */
    struct backtest_result *result;          /* owned */
    size_t results;
    struct backtest_summary summary;
    struct backtest_result shown; /* one of them, with its decisions */
};

/* What of the policy cannot work at all, as lint says it; nothing is appended if all can. */
void backtest_errors(const struct backtest *backtest, bool colors, struct text *out);
/* What the outcome means, and hints of what to try next: paragraphs appended to `out`. */
void backtest_meaning(const struct backtest *backtest, struct text *out);
void backtest_advice(const struct backtest *backtest, struct text *out);
/* One hint as a point of a list, wrapped. */
void backtest_advise(struct text *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The hints for rollouts that did not end, by the rule in which they stand (backtest_open.c). Returns how
 * many.
 */
size_t backtest_advise_open(const struct backtest *backtest, struct text *out);

int backtest_report(struct cli *cli, const struct backtest *backtest);
/* With --json; every result has its decisions. */
int backtest_json(struct cli *cli, const struct backtest *backtest);

/* The sentence of the decision's rule for people, with its places filled in. Returns `out`. */
enum { BACKTEST_SENTENCE_MAX = 512 };
char *backtest_sentence(const struct backtest_setup *setup, const struct offline_decision *decision,
                        char out[BACKTEST_SENTENCE_MAX]);
