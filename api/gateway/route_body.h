/* The body of a route's answer (schema Route), as canonical JSON. */
#pragma once

#include "base/fault.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Appends what a route says of a release, but for its role and weight: an open object that lacks only these.
   It never changes, so it is made once a release. `content` is the release's document, `model` the content of
   its model artifact or "". MALFORMED if one of them is not the JSON it should be. */
enum status route_body_release(struct text *out, const char *release, const char *digest, const char *content,
                               const char *model, struct fault *fault) MUST_CHECK;

struct route_body_arm {
    const char *release; /* from route_body_release() */
    bool canary;
    int32_t weight;
};

struct route_body {
    const char *service;
    int64_t incarnation, epoch;
    const char *rollout;     /* "" = none */
    const char *valid_until; /* RFC 3339; NULL = no lease */
    const char *sticky, *salt;
    size_t arms;
    struct route_body_arm arm[2];
};

/* Appends the whole body. */
enum status route_body_write(struct text *out, const struct route_body *route) MUST_CHECK;
