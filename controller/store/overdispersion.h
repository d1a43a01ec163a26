/* Overdispersion of a service's stable release, from what its gateways reported. */
#pragma once

#include "decision/overdispersion.h"
#include "decision/sli.h"
#include "store/db.h"

enum { OVERDISPERSION_GATEWAYS_MIN = 2 }; /* the halves are made of them */

struct overdispersion_found {
    struct overdispersion sum;
    int64_t gateways; /* that reported in the last hour */
    int64_t block_s;  /* as it was used */
};

/* Splits the gateways of the last four hours in two halves and sums over blocks of at least block_s seconds
   and 16 requests. A service without a stable release, or without reports of two gateways, has no blocks. */
enum status overdispersion_measure(struct db *db, const char *service, enum sli sli, int64_t block_s,
                                   struct overdispersion_found *out, struct fault *fault) MUST_CHECK;
