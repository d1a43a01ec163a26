/* Reading a route. */
#include "demo/route.h"

#include "base/json.h"

#include <json-c/json_object.h>
#include <stdio.h>
#include <string.h>

/* The parameters under "simulate", of the model and then of the release. */
static enum status read_behaviour(struct json_object *release, struct route_release *out, struct fault *fault)
{
    enum status status = STATUS_OK;
    struct json_object *model, *parameters, *simulate;
    out->behaviour = behaviour_default();
    if (json_object_object_get_ex(release, "model", &model) &&
        json_object_object_get_ex(model, "parameters", &parameters) &&
        json_object_object_get_ex(parameters, "simulate", &simulate)) {
        status = behaviour_overlay(&out->behaviour, simulate, "/model/parameters/simulate", fault);
    }
    if (status == STATUS_OK && json_object_object_get_ex(release, "parameters", &parameters) &&
        json_object_object_get_ex(parameters, "simulate", &simulate)) {
        status = behaviour_overlay(&out->behaviour, simulate, "/parameters/simulate", fault);
    }
    return status;
}

static void read_artifacts(struct json_fields *release, struct route_release *out)
{
    struct json_object *artifacts;
    if (!json_fields_array(release, "artifacts", JSON_REQUIRED, 0, ROUTE_ARTIFACTS_MAX, &artifacts)) {
        return;
    }
    for (size_t i = 0; i < json_object_array_length(artifacts); i++) {
        const char *digest;
        struct json_fields fields;
        json_fields_open(&fields, json_object_array_get_idx(artifacts, i), "/releases/artifacts",
                         release->fault);
        if (json_fields_text(&fields, "digest", JSON_REQUIRED, DIGEST_HEX - 1, DIGEST_HEX - 1, &digest)) {
            memcpy(out->digest[out->artifacts++], digest, DIGEST_HEX);
        }
        release->failed |= fields.failed;
    }
}

static bool read_release(struct json_object *value, size_t index, struct route *out, struct fault *fault)
{
    static const char *const roles[] = {"stable", "canary", NULL};
    char pointer[32];
    const char *name;
    int role = 0;
    int64_t weight;
    struct json_fields fields;
    struct fault behaviour_fault = {0};
    snprintf(pointer, sizeof pointer, "/releases/%zu", index);
    json_fields_open(&fields, value, pointer, fault);
    if (!json_fields_word(&fields, "role", JSON_REQUIRED, roles, &role) ||
        !json_fields_name(&fields, "release", JSON_REQUIRED, &name) ||
        !json_fields_integer(&fields, "weight", JSON_REQUIRED, 0, ROUTE_FULL, &weight)) {
        return false;
    }
    struct route_release *release = role == 0 ? &out->stable : &out->canary;
    bool *has = role == 0 ? &out->has_stable : &out->has_canary;
    if (*has) {
        fault_at(fault, pointer, "a second release in the role %s", roles[role]);
        return false;
    }
    *has = true;
    snprintf(release->name, sizeof release->name, "%s", name);
    release->weight = (int32_t)weight;
    read_artifacts(&fields, release);
    if (!fields.failed && read_behaviour(value, release, &behaviour_fault) != STATUS_OK && fault != NULL) {
        fault_set(fault, STATUS_OK, "release %s: its \"simulate\" is not understood: %s %s", name,
                  behaviour_fault.errors > 0 ? behaviour_fault.error[0].pointer : "",
                  behaviour_fault.errors > 0 ? behaviour_fault.error[0].detail : behaviour_fault.detail);
    }
    return !fields.failed;
}

static bool read_sticky(struct json_fields *route, struct route *out)
{
    static const char *const keys[] = {"none", "user", "conversation", NULL};
    const char *salt, *rule;
    int key = 0;
    struct json_object *sticky;
    if (!json_fields_object(route, "sticky", JSON_REQUIRED, &sticky)) {
        return false;
    }
    struct json_fields fields;
    json_fields_open(&fields, sticky, "/sticky", route->fault);
    if (!json_fields_word(&fields, "key", JSON_REQUIRED, keys, &key) ||
        !json_fields_text(&fields, "salt", JSON_REQUIRED, 0, sizeof out->salt - 1, &salt) ||
        !json_fields_text(&fields, "rule", JSON_REQUIRED, 1, 64, &rule)) {
        return false;
    }
    if (strcmp(rule, "sha256-mod-10000") != 0) {
        fault_at(route->fault, "/sticky/rule", "\"%s\" is not a rule that this gateway knows", rule);
        return false;
    }
    out->sticky = key != 0;
    snprintf(out->salt, sizeof out->salt, "%s", salt);
    return true;
}

static bool read_lease(struct json_fields *route, struct route *out)
{
    const char *text;
    if (!json_fields_text(route, "valid_until", JSON_OPTIONAL, 1, 64, &text)) {
        return !route->failed;
    }
    out->leased = true;
    if (!clock_parse(text, &out->valid_until)) {
        fault_at(route->fault, "/valid_until", "not a time");
        return false;
    }
    return true;
}

static bool read_document(struct json_object *document, struct route *out, struct fault *fault)
{
    const char *rollout;
    int64_t scale;
    struct json_object *releases;
    struct json_fields fields;
    json_fields_open(&fields, document, "", fault);
    if (!json_fields_integer(&fields, "incarnation", JSON_REQUIRED, 0, INT64_MAX, &out->incarnation) ||
        !json_fields_integer(&fields, "epoch", JSON_REQUIRED, 0, INT64_MAX, &out->epoch) ||
        !json_fields_integer(&fields, "scale", JSON_REQUIRED, ROUTE_FULL, ROUTE_FULL, &scale) ||
        !read_lease(&fields, out) || !read_sticky(&fields, out) ||
        !json_fields_array(&fields, "releases", JSON_REQUIRED, 1, 2, &releases)) {
        return false;
    }
    if (json_fields_text(&fields, "rollout", JSON_OPTIONAL, 1, ID_MAX - 1, &rollout)) {
        snprintf(out->rollout, sizeof out->rollout, "%s", rollout);
    }
    for (size_t i = 0; i < json_object_array_length(releases); i++) {
        if (!read_release(json_object_array_get_idx(releases, i), i, out, fault)) {
            return false;
        }
    }
    if (out->stable.weight + out->canary.weight != ROUTE_FULL) {
        fault_at(fault, "/releases", "the weights sum to %d, not to 10000",
                 out->stable.weight + out->canary.weight);
        return false;
    }
    return !fields.failed;
}

enum status route_read(const char *data, size_t length, struct route *out, struct fault *fault)
{
    struct json_object *document;
    *out = (struct route){0};
    enum status status = json_parse(data, length, &document, fault);
    if (status == STATUS_OK) {
        status = read_document(document, out, fault) ? STATUS_OK : STATUS_INVALID;
        json_object_put(document);
    }
    return status;
}

bool route_not_older(const struct route *route, const struct route *than)
{
    return route->incarnation != than->incarnation ? route->incarnation > than->incarnation
                                                   : route->epoch >= than->epoch;
}
