/* One answer of Prometheus: the series of every service and release that it asked for, and the few of them
   that one rollout looks at. Pure. */
#pragma once

#include "base/fault.h"
#include "base/text.h"
#include "sources/source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum prometheus_arm { ARM_STABLE, ARM_CANARY, ARM_COUNT };

enum {
    PROMETHEUS_SERIES_MAX = 10000, /* in one answer */
    PROMETHEUS_KEY = 33,
    PROMETHEUS_TARGET = 17,
    PROMETHEUS_WARNING = 200
};

/* A series of any release. */
struct prometheus_sample {
    char key[PROMETHEUS_KEY];       /* digest of the whole label set */
    char target[PROMETHEUS_TARGET]; /* digest of job, instance, service and release: the process it counts */
    size_t service, release;        /* where their names begin in the vector's */
    size_t odd;                     /* where it is said why its value is no count; 0 = it is one */
    int64_t value;                  /* 0 .. 2^53 */
};

struct prometheus_vector {
    struct prometheus_sample *sample; /* owned; sorted by service, release and key */
    size_t count;
    struct text names;                /* owned */
    bool by_service;                  /* a label tells the services apart; else all are one's */
    bool warned;                      /* the answer says of itself that it may be incomplete */
    char warning[PROMETHEUS_WARNING]; /* its first words about that; "" if they are none */
};

void prometheus_vector_free(struct prometheus_vector *vector);
/* Puts the samples into their order. False if one is there twice. */
bool prometheus_vector_sort(struct prometheus_vector *vector);

/* One series of the stable or the canary release. */
struct prometheus_series {
    char key[PROMETHEUS_KEY], target[PROMETHEUS_TARGET];
    enum prometheus_arm arm;
    int64_t value; /* 0 .. 2^53 */
};

struct prometheus_answer {
    struct prometheus_series *series; /* owned; sorted by key, no key twice */
    size_t count;
    bool warned;
};

/* The series of the two releases of `want`. PEER with a next step if the value of one of them is no count,
   NO_MEMORY; then *out is empty. On success the caller frees it (prometheus_answer_free). */
enum status prometheus_select(const struct prometheus_vector *vector, const struct source_want *want,
                              struct prometheus_answer *out, struct fault *fault) MUST_CHECK;
void prometheus_answer_free(struct prometheus_answer *answer);
