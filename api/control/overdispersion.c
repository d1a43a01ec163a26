/* How much noisier a service is than chance, by SLI. */
#include "store/overdispersion.h"

#include "control/call.h"
#include "control/handlers.h"
#include "decision/policy.h"

static void put(struct json_object *object, const char *name, struct json_object *value)
{
    if (json_object_object_add(object, name, value) != 0)
        json_object_put(value);
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
    put(one, "blocks", json_object_new_int64(found->sum.blocks));
    put(one, "blocks_needed", json_object_new_int64(OVERDISPERSION_BLOCKS_MIN));
    put(one, "phi", measured ? json_object_new_double(phi) : NULL);
    put(one, "eta", measured ? json_object_new_double(1 / phi) : NULL);
    json_object_array_add(list, one);
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
    for (int i = 0; i < SLI_COUNT && status == STATUS_OK; i++) {
        struct overdispersion_found found;
        status = overdispersion_measure(call->db, service, (enum sli)i, 1, &found, call->fault);
        if (status == STATUS_OK && found.sum.blocks > 0)
            put_found(list, (enum sli)i, &found);
    }
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
