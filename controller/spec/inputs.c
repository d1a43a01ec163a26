/* What a decision looked at, as JSON. The fields are those of SNAPSHOT_TABLE, by its own names. */
#include "spec/inputs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct json_object *write_int(int64_t value)
{
    return json_object_new_int64(value);
}

static struct json_object *write_num(double value)
{
    return spec_write_real(value);
}

struct json_object *spec_write_real(double value)
{
    char text[32];
    if (isfinite(value)) {
        snprintf(text, sizeof text, "%.17g", value);
        return json_object_new_double_s(value, text);
    }
    return json_object_new_string(value > 0 ? "inf" : "-inf");
}

static struct json_object *write_bool(bool value)
{
    return json_object_new_boolean(value);
}

struct json_object *spec_write_inputs(const struct snapshot *snapshot)
{
    struct json_object *object = json_object_new_object();
    bool good = object != NULL;
    struct json_object *value;
#define X(type, name)                                                                                        \
    value = good ? write_##type(snapshot->name) : NULL;                                                      \
    good = value != NULL && json_object_object_add(object, #name, value) == 0;
    SNAPSHOT_TABLE(X)
#undef X
    if (good)
        return object;
    json_object_put(object);
    return NULL;
}

static bool read_int(struct json_object *value, int64_t *out)
{
    static const int64_t exact = INT64_C(1) << 53;
    *out = json_object_get_int64(value);
    return json_object_is_type(value, json_type_int) && *out >= -exact && *out <= exact;
}

static bool read_num(struct json_object *value, double *out)
{
    return spec_read_real(value, out);
}

bool spec_read_real(struct json_object *value, double *out)
{
    if (json_object_is_type(value, json_type_string)) {
        bool negative = strcmp(json_object_get_string(value), "-inf") == 0;
        *out = negative ? -INFINITY : INFINITY;
        return negative || strcmp(json_object_get_string(value), "inf") == 0;
    }
    *out = json_object_get_double(value);
    return (json_object_is_type(value, json_type_double) || json_object_is_type(value, json_type_int)) &&
           isfinite(*out);
}

static bool read_bool(struct json_object *value, bool *out)
{
    *out = json_object_get_boolean(value);
    return json_object_is_type(value, json_type_boolean);
}

/* A time that is not there was never reached. */
static int64_t absent_int(const char *name)
{
    size_t length = strlen(name);
    return length > 3 && strcmp(name + length - 3, "_ms") == 0 ? -1 : 0;
}

static double absent_num(const char *name)
{
    size_t length = strlen(name);
    return length > 2 && strcmp(name + length - 2, "_s") == 0 ? -1 : 0;
}

static bool absent_bool(const char *name)
{
    (void)name;
    return false;
}

static bool in(int64_t value, int64_t least, int64_t most)
{
    return value >= least && value <= most;
}

bool spec_read_inputs(struct json_object *value, struct snapshot *out, size_t *missing)
{
    struct json_object *field = NULL;
    memset(out, 0, sizeof *out);
    *missing = 0;
    if (!json_object_is_type(value, json_type_object))
        return false;
#define X(type, name)                                                                                        \
    if (!json_object_object_get_ex(value, #name, &field)) {                                                  \
        out->name = absent_##type(#name);                                                                    \
        ++*missing;                                                                                          \
    } else if (!read_##type(field, &out->name)) {                                                            \
        return false;                                                                                        \
    }
    SNAPSHOT_TABLE(X)
#undef X
    return json_object_object_get_ex(value, "now_ms", &field) &&
           json_object_object_get_ex(value, "phase", &field) && in(out->phase, 0, PHASE_COUNT - 1) &&
           in(out->resume_phase, 0, PHASE_COUNT - 1) && in(out->step, 0, PLAN_STEPS_MAX) &&
           in(out->steps, 0, PLAN_STEPS_MAX) && in(out->judgement, JUDGE_CONTINUE, JUDGE_ROLLBACK) &&
           in(out->judgement_reason, 0, 63) && in(out->lead, 0, SLI_COUNT - 1) &&
           in(out->muted, 0, (INT64_C(1) << WATCH_END) - 1);
}
