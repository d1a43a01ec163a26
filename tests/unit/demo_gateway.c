/* The rest of the demo gateway that needs no network: the route document, the simulated model, what waits to
   be reported, and the batch as it is written. */
#include "base/json.h"
#include "demo/batch.h"
#include "demo/heap.h"
#include "demo/service.h"

#include <criterion/criterion.h>
#include <json-c/json_object.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define RELEASE(name, role, weight, parameters)                                                              \
    "{\"release\":\"" name "\",\"role\":\"" role "\",\"weight\":" weight ",\"digest\":\"" DIGEST             \
    "\",\"model\":"                                                                                          \
    "{\"provider\":\"p\",\"model\":\"m\",\"parameters\":{\"simulate\":{\"refusal\":0.25,\"ttft_ms\":100}}}," \
    "\"artifacts\":[{\"kind\":\"model\",\"name\":\"m\",\"version\":1,\"digest\":\"" DIGEST                   \
    "\"}],"                                                                                                  \
    "\"parameters\":" parameters ",\"history_compatible\":true,\"fallback\":{}}"
#define ROUTE(lease, releases)                                                                               \
    "{\"service\":\"s\",\"incarnation\":1,\"epoch\":7,\"scale\":10000,\"rollout\":\"ro_1\",\"valid_"         \
    "until\":" lease                                                                                         \
    ",\"sticky\":{\"key\":\"user\",\"salt\":\"x\",\"rule\":\"sha256-mod-10000\"},\"later\":1,\"releases\":"  \
    "[" releases "]}"

static struct route *read_route(const char *text, enum status expected, struct fault *fault)
{
    struct route *route = malloc(sizeof *route);
    *fault = (struct fault){0};
    cr_assert_eq(route_read(text, strlen(text), route, fault), expected, "%s", fault->detail);
    return route;
}

Test(demo_gateway, reads_a_route)
{
    struct fault fault;
    struct route *route = read_route(
        ROUTE("\"2026-11-23T20:00:00.000Z\"", RELEASE("v1", "stable", "9500", "{}") "," RELEASE(
                                                  "v2", "canary", "500", "{\"simulate\":{\"refusal\":0.5}}")),
        STATUS_OK, &fault);
    cr_assert_str_empty(fault.detail);
    cr_assert(route->sticky && route->leased && route->has_stable && route->has_canary);
    cr_assert_eq(route->epoch, 7);
    cr_assert_eq(route->canary.weight, 500);
    cr_assert_str_eq(route->canary.digest[0], DIGEST);
    /* the release's own parameters lie over the model's */
    cr_assert_float_eq(route->stable.behaviour.rate[OUTCOME_REFUSAL], 0.25, 0);
    cr_assert_float_eq(route->canary.behaviour.rate[OUTCOME_REFUSAL], 0.5, 0);
    cr_assert_float_eq(route->canary.behaviour.ttft_ms, 100, 0);
    free(route);
}

Test(demo_gateway, refuses_a_route_that_is_not_whole)
{
    static const char *const wrong[] = {
        ROUTE("null", RELEASE("v1", "stable", "9500", "{}")),
        ROUTE("null", RELEASE("v1", "stable", "9500", "{}") "," RELEASE("v2", "stable", "500", "{}")),
        ROUTE("null", RELEASE("v1", "stable", "-1", "{}") "," RELEASE("v2", "canary", "10001", "{}")),
        ROUTE("\"soon\"", RELEASE("v1", "stable", "10000", "{}")),
        ROUTE("null", ""),
        "{}",
        "[]",
        "{\"service\":",
    };
    struct fault fault;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct route route;
        cr_assert_neq(route_read(wrong[i], strlen(wrong[i]), &route, &fault), STATUS_OK, "%zu", i);
    }
}

Test(demo_gateway, a_wrong_behaviour_is_named_and_does_no_harm)
{
    struct fault fault;
    struct route *route = read_route(
        ROUTE("null", RELEASE("v1", "stable", "10000", "{\"simulate\":{\"refusal\":2}}")), STATUS_OK, &fault);
    cr_assert_not_null(strstr(fault.detail, "simulate"), "%s", fault.detail);
    cr_assert_float_eq(route->stable.behaviour.rate[OUTCOME_REFUSAL], 0.25, 0);
    free(route);
}

Test(demo_gateway, never_goes_back_to_an_older_route)
{
    struct fault fault;
    struct service service;
    struct assignment assignment;
    struct behaviour behaviour;
    service_init(&service, "s", NULL, 0);
    cr_assert_not(service_assign(&service, (struct wall_time){1}, "u", 1, 0, &assignment, &behaviour));
    cr_assert_eq(service.unrouted, 1);
    struct route *route =
        read_route(ROUTE("null", RELEASE("v1", "stable", "10000", "{}")), STATUS_OK, &fault);
    cr_assert(service_apply(&service, route));
    cr_assert(service_apply(&service, route)); /* a renewed lease */
    cr_assert_eq(service.epochs, 1);
    route->epoch = 6;
    cr_assert_not(service_apply(&service, route));
    route->incarnation = 2;
    cr_assert(service_apply(&service, route));
    cr_assert_eq(service.epochs, 2);
    cr_assert_eq(service.releases, 1);
    cr_assert(service_assign(&service, (struct wall_time){1}, "u", 1, 0, &assignment, &behaviour));
    cr_assert_eq(service.release[0]->requests, 1);
    free(route);
    service_free(&service);
}

Test(demo_gateway, the_model_keeps_its_rates, .timeout = 20)
{
    enum { REQUESTS = 40000 };
    struct random random;
    struct behaviour behaviour = behaviour_default();
    int refused = 0, failed = 0, late = 0;
    behaviour.rate[OUTCOME_REFUSAL] = 0.12;
    behaviour.rate[OUTCOME_ERROR] = 0.02;
    random_seed(&random, 3);
    for (int i = 0; i < REQUESTS; i++) {
        struct answer answer = model_answer(&behaviour, &random);
        bool error = answer.outcome.bad >> OUTCOME_ERROR & 1;
        cr_assert_eq(answer.outcome.bad & ~answer.outcome.measured, 0);
        /* without an answer nothing of the answer is measured */
        cr_assert_eq(error, !(answer.outcome.measured >> OUTCOME_REFUSAL & 1));
        cr_assert_eq(error, answer.outcome.ttft_ms < 0);
        cr_assert(error || answer.outcome.latency_ms >= answer.outcome.ttft_ms);
        refused += answer.outcome.bad >> OUTCOME_REFUSAL & 1;
        failed += error;
        late += answer.outcome.ttft_ms > 300;
    }
    cr_assert_float_eq(refused / (REQUESTS * 0.98), 0.12, 0.01);
    cr_assert_float_eq(failed / (double)REQUESTS, 0.02, 0.004);
    cr_assert_float_eq(late / (REQUESTS * 0.98), 0.5, 0.02); /* the median */
}

Test(demo_gateway, one_seed_gives_one_stream)
{
    struct random a, b, c;
    random_seed(&a, 5);
    random_seed(&b, 5);
    random_seed(&c, 6);
    bool differs = false;
    for (int i = 0; i < 100; i++) {
        uint64_t x = random_next(&a);
        cr_assert_eq(x, random_next(&b));
        differs |= x != random_next(&c);
        cr_assert(random_below(&a, 7) < 7);
        random_next(&b);
    }
    cr_assert(differs);
}

Test(demo_gateway, events_come_in_order)
{
    struct heap heap = {0};
    struct random random;
    int64_t last = -1;
    random_seed(&random, 4);
    for (int i = 0; i < 5000; i++) {
        struct event event = {.at_us = (int64_t)random_below(&random, 1000)};
        cr_assert(heap_add(&heap, &event));
    }
    for (const struct event *first; (first = heap_first(&heap)) != NULL; heap_drop_first(&heap)) {
        cr_assert(first->at_us >= last);
        last = first->at_us;
    }
    heap_free(&heap);
}

Test(demo_gateway, a_full_buffer_drops_the_oldest_and_counts_them)
{
    struct ring ring;
    struct report out[10];
    ring_init(&ring, 1000);
    for (int i = 0; i < 1500; i++) {
        struct report report = {.admitted_us = i, .count = 1};
        ring_add(&ring, &report, 0);
    }
    cr_assert_eq(ring.dropped, 500);
    cr_assert_eq(ring_take(&ring, out, 10), 10);
    cr_assert_eq(out[0].admitted_us, 500);
    cr_assert_eq(out[9].admitted_us, 509);
    cr_assert_eq(ring.count, 990);
    ring_free(&ring);
}

Test(demo_gateway, admissions_close_together_are_one)
{
    struct ring ring;
    struct report out[10];
    ring_init(&ring, 1000);
    for (int i = 0; i < 6; i++) {
        struct report report = {
            .admitted_us = i * 1000, .release = (uint16_t)(i % 2), .admission = true, .count = 1};
        ring_add(&ring, &report, 3000);
    }
    cr_assert_eq(ring_take(&ring, out, 10), 4); /* 0+2, 1+3, 4, 5 */
    cr_assert_eq(out[0].count, 2);
    cr_assert_eq(out[2].count, 1);
    ring_free(&ring);
}

Test(demo_gateway, a_batch_is_what_the_contract_says)
{
    static const char *const names[] = {"v1", "v2"};
    struct report reports[] = {
        {.admitted_us = 1000000, .release = 1, .admission = true, .count = 3},
        {.admitted_us = 1500000, .release = 0, .count = 1, .outcome = outcome_none()},
        {.admitted_us = 2000000, .release = 1, .count = 1, .outcome = outcome_none()},
        {.admitted_us = -86400000000, .release = 1, .count = 1, .outcome = outcome_none()},
    };
    struct text text;
    struct json_object *canonical = NULL;
    struct text again;
    outcome_set(&reports[1].outcome, OUTCOME_REFUSAL, true);
    outcome_set(&reports[1].outcome, OUTCOME_ERROR, false);
    reports[1].outcome.ttft_ms = 310;
    reports[1].outcome.score = 0.5;
    text_init(&text, BATCH_BYTES_MAX);
    text_init(&again, BATCH_BYTES_MAX);
    cr_assert_eq(batch_write(&text, "s", reports, 4, names, 2345000), 1);
    cr_assert_eq(json_parse(text_get(&text), text.length, &canonical, NULL), STATUS_OK, "%s",
                 text_get(&text));
    cr_assert_eq(json_canonical(canonical, &again), STATUS_OK);
    cr_assert_str_eq(
        text_get(&again),
        "{\"admissions\":[{\"age_ms\":1345,\"count\":3,\"release\":\"v2\"}],\"clock_ms\":2345,\"outcomes\":[{"
        "\"age_ms\":845,"
        "\"release\":\"v1\",\"score\":0.5,\"sli\":{\"error\":false,\"refusal\":true},\"ttft_ms\":310},"
        "{\"age_ms\":345,\"release\":\"v2\"}],\"service\":\"s\"}");
    json_object_put(canonical);
    text_free(&text);
    text_free(&again);
}
