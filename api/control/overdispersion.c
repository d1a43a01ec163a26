/* How much noisier a service is than chance, by SLI. */
#include "store/overdispersion.h"

#include "control/call.h"
#include "control/handlers.h"
#include "control/slos_policy.h"

#include <stdio.h>
#include <stdlib.h>

static void put(struct json_object *object, const char *name, struct json_object *value)
{
    if (json_object_object_add(object, name, value) != 0)
        json_object_put(value);
}

/* The condition that is not met; NULL = it could be measured. */
static struct json_object *needs(const struct overdispersion_found *found, bool measured)
{
    char text[200];
    if (measured)
        return NULL;
    if (found->gateways < OVERDISPERSION_GATEWAYS_MIN)
        snprintf(text, sizeof text, "reports of %d gateways: in the last hour there were those of %lld",
                 OVERDISPERSION_GATEWAYS_MIN, (long long)found->gateways);
    else
        snprintf(text, sizeof text,
                 "%d blocks with bad outcomes of stable: in the last four hours there were %lld",
                 OVERDISPERSION_BLOCKS_MIN, (long long)found->sum.blocks);
    return json_object_new_string(text);
}

static void put_found(struct json_object *list, enum sli sli, const struct overdispersion_found *found)
{
    struct json_object *one = json_object_new_object();
    double phi = 0;
    bool measured = overdispersion_phi(&found->sum, &phi);
    if (one == NULL)
        return;
    put(one, "sli", json_object_new_string(sli_name(sli)));
    put(one, "gateways", json_object_new_int64(found->gateways));
    put(one, "gateways_needed", json_object_new_int64(OVERDISPERSION_GATEWAYS_MIN));
    put(one, "block_s", json_object_new_int64(found->block_s));
    put(one, "blocks", json_object_new_int64(found->sum.blocks));
    put(one, "blocks_needed", json_object_new_int64(OVERDISPERSION_BLOCKS_MIN));
    put(one, "phi", measured ? json_object_new_double(phi) : NULL);
    put(one, "eta", measured ? json_object_new_double(1 / phi) : NULL);
    put(one, "needs", needs(found, measured));
    json_object_array_add(list, one);
}

/* As `eta: auto` does it when a rollout starts: with the block of each guardrail. */
static enum status measure(struct call *call, const char *service, struct json_object *list)
{
    struct spec_policy *policy = malloc(sizeof *policy);
    if (policy == NULL)
        return fault_set(call->fault, STATUS_NO_MEMORY, "Out of memory");
    enum status status = slos_policy_load(call, service, policy);
    for (int i = 0; i < SLI_COUNT && status == STATUS_OK; i++) {
        const struct guardrail *guardrail = &policy->policy.guardrail[i];
        struct overdispersion_found found;
        if (!guardrail->used)
            continue;
        status =
            overdispersion_measure(call->db, service, (enum sli)i, guardrail->block_s, &found, call->fault);
        if (status == STATUS_OK)
            put_found(list, (enum sli)i, &found);
    }
    free(policy);
    return status;
}

static enum status get(struct call *call)
{
    const char *service;
    struct json_object *object = json_object_new_object(), *list = json_object_new_array();
    enum status status = object != NULL && list != NULL
                             ? STATUS_OK
                             : fault_set(call->fault, STATUS_NO_MEMORY, "Out of memory");
    if (status == STATUS_OK)
        status = call_name(call, 0, "service", &service);
    if (status == STATUS_OK)
        status = services_exists(call->db, service, call->fault);
    if (status == STATUS_OK)
        status = measure(call, service, list);
    if (status == STATUS_OK) {
        put(object, "service", json_object_new_string(service));
        put(object, "slis", list);
        list = NULL;
        status = json_put(object, &call->response->body);
    }
    json_object_put(list);
    json_object_put(object);
    return status;
}
CALL_READ(control_get_overdispersion, get, )
