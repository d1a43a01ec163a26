/* Objectives and policy of a service, for handlers that judge by them. */
#pragma once

#include "control/call.h"
#include "spec/policy.h"

/* The policy that a rollout of `service` would start with: the stored one, else the default, under the stored
   objectives. Without objectives no guardrail is used. */
enum status slos_policy_load(struct call *call, const char *service, struct spec_policy *out) MUST_CHECK;
