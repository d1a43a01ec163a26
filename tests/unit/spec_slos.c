/* Objectives: what is read, what is refused and where, and that writing gives back what was read. */
#include "base/json.h"
#include "spec/slos.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(spec_slos, .timeout = 10);

static enum status read(const char *json, struct slos *out, struct fault *fault)
{
    struct json_object *value = NULL;
    memset(fault, 0, sizeof *fault);
    cr_assert_eq(json_parse(json, strlen(json), &value, fault), STATUS_OK, "%s", fault->detail);
    enum status status = spec_read_slos(value, "/slos", out, fault);
    json_object_put(value);
    return status;
}

Test(spec_slos, defaults)
{
    struct slos slos;
    struct fault fault;
    cr_assert_eq(read("{\"refusal\":{\"objective\":99.9},\"timeout\":{\"objective\":99.5},"
                      "\"ttft\":{\"objective\":95,\"threshold\":\"800ms\",\"window\":\"7d\"}}",
                      &slos, &fault),
                 STATUS_OK);
    cr_assert(slos.of[SLI_REFUSAL].used);
    cr_assert_eq(slos.of[SLI_REFUSAL].objective_ppm, 999000);
    cr_assert_eq(slos.of[SLI_REFUSAL].threshold_ms, 0);
    cr_assert_eq(slos.of[SLI_REFUSAL].window_s, 30 * 86400);
    cr_assert_eq(slos.of[SLI_TIMEOUT].threshold_ms, 60000);
    cr_assert_eq(slos.of[SLI_TTFT].threshold_ms, 800);
    cr_assert_eq(slos.of[SLI_TTFT].window_s, 7 * 86400);
    cr_assert_not(slos.of[SLI_ERROR].used);
}

static const struct {
    char json[160], pointer[48], detail[64];
} refused[] = {
    {"{}", "/slos", "at least one"},
    {"[]", "/slos", "must be an object"},
    {"{\"refusal\":null}", "/slos/refusal", "must be an object"},
    {"{\"refusal\":{}}", "/slos/refusal/objective", "is required"},
    {"{\"refusals\":{\"objective\":99}}", "/slos/refusals", "did you mean \"refusal\""},
    {"{\"refusal\":{\"objective\":100}}", "/slos/refusal/objective", "below 100"},
    {"{\"refusal\":{\"objective\":0}}", "/slos/refusal/objective", "above 0"},
    {"{\"refusal\":{\"objective\":99.00001}}", "/slos/refusal/objective", "at most 4 decimals"},
    {"{\"refusal\":{\"objective\":\"99\"}}", "/slos/refusal/objective", "must be a number"},
    {"{\"refusal\":{\"objective\":99,\"threshold\":\"1s\"}}", "/slos/refusal/threshold", "only ttft"},
    {"{\"ttft\":{\"objective\":99}}", "/slos/ttft/threshold", "is required"},
    {"{\"latency\":{\"objective\":99,\"threshold\":\"0s\"}}", "/slos/latency/threshold", "must be 1ms"},
    {"{\"error\":{\"objective\":99,\"window\":\"3600500ms\"}}", "/slos/error/window", "whole seconds"},
    {"{\"error\":{\"objective\":99,\"window\":\"91d\"}}", "/slos/error/window", "must be 1h to 90d"},
};

Test(spec_slos, refused)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct slos slos;
        struct fault fault;
        cr_assert_eq(read(refused[i].json, &slos, &fault), STATUS_INVALID, "%s", refused[i].json);
        cr_assert_eq(fault.errors, 1, "%s: %zu", refused[i].json, fault.errors);
        cr_assert_str_eq(fault.error[0].pointer, refused[i].pointer);
        cr_assert_not_null(strstr(fault.error[0].detail, refused[i].detail), "%s: %s", refused[i].json,
                           fault.error[0].detail);
    }
}

/* Every objective that can be said comes back as the same number. */
Test(spec_slos, every_objective_round_trips)
{
    struct slos slos = {0}, again;
    struct fault fault;
    slos.of[SLI_LATENCY] =
        (struct slo){.used = true, .objective_ppm = 950000, .threshold_ms = 1500, .window_s = 86400};
    for (int32_t ppm = 1; ppm < 1000000; ppm += ppm < 1000 || ppm > 998000 ? 1 : 997) {
        slos.of[SLI_ERROR] = (struct slo){.used = true, .objective_ppm = ppm, .window_s = 3600};
        struct json_object *value = spec_write_slos(&slos);
        cr_assert_not_null(value);
        cr_assert_eq(spec_read_slos(value, "", &again, &fault), STATUS_OK, "%d", ppm);
        json_object_put(value);
        cr_assert_eq(memcmp(&slos, &again, sizeof slos), 0, "%d", ppm);
    }
}
