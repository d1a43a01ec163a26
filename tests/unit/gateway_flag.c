/* Flags: read from the body of a route, chosen by key, written as OFREP wants them. No server. */
#include "base/digest.h"
#include "base/json.h"
#include "gateway/flag.h"
#include "gateway/ofrep_request.h"
#include "gateway/route_body.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(gateway_flag, .timeout = 60);

/* A release whose texts hold what could be taken for the end of something. */
static const char content[] =
    "{\"artifacts\":[{\"digest\":\"d\",\"kind\":\"prompt\",\"name\":\"p\",\"version\":1}],"
    "\"fallback\":{\"refusal\":{\"message\":\"}],\\\"role\\\":\\\"canary\\\",\\\"weight\\\":1} \\\\\"}},"
    "\"history_compatible\":true,\"parameters\":{\"deep\":[[[[[[[[{\"role\":\"stable\",\"weight\":7}]]]]]]]]}"
    "}";

static char *body_of(bool stable, bool canary, int weight, const char *salt)
{
    struct text first, second, out;
    struct fault fault = {.status = STATUS_OK};
    struct route_body body = {.service = "chat",
                              .incarnation = 3,
                              .epoch = 8,
                              .rollout = "ro_1",
                              .valid_until = "2026-01-02T03:04:05.000Z",
                              .sticky = "user",
                              .salt = salt};
    text_init(&first, 1 << 16);
    text_init(&second, 1 << 16);
    text_init(&out, 1 << 16);
    cr_assert_eq(route_body_release(&first, "v1", "d1", content, "", &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(route_body_release(&second, "v2", "d2", content, "", &fault), STATUS_OK, "%s", fault.detail);
    if (stable)
        body.arm[body.arms++] = (struct route_body_arm){text_get(&first), false, 10000 - weight};
    if (canary)
        body.arm[body.arms++] = (struct route_body_arm){text_get(&second), true, weight};
    cr_assert_eq(route_body_write(&out, &body), STATUS_OK);
    text_free(&first);
    text_free(&second);
    return text_take(&out);
}

static struct flag read(const char *body)
{
    struct flag flag;
    flag_read(body, strlen(body), &flag);
    return flag;
}

Test(gateway_flag, both_arms_are_read)
{
    char *body = body_of(true, true, 500, "salt_1");
    struct flag flag = read(body);
    cr_assert_eq(flag.arms, 2);
    cr_assert_str_eq(flag.arm[0].release, "v1");
    cr_assert_not(flag.arm[0].canary);
    cr_assert_eq(flag.arm[0].weight, 9500);
    cr_assert_str_eq(flag.arm[1].release, "v2");
    cr_assert(flag.arm[1].canary);
    cr_assert_eq(flag.arm[1].weight, 500);
    cr_assert_str_eq(flag.salt, "salt_1");
    cr_assert_str_eq(flag.rollout, "ro_1");
    cr_assert_str_eq(flag.valid_until, "2026-01-02T03:04:05.000Z");
    free(body);
}

Test(gateway_flag, the_value_is_the_release_without_role_and_weight)
{
    char *body = body_of(true, true, 500, "s");
    struct flag flag = read(body);
    struct text out;
    struct json_object *parsed, *value, *member;
    struct fault fault = {.status = STATUS_OK};
    text_init(&out, 1 << 16);
    flag_put(&out, &flag, &flag.arm[1], &(struct flag_answer){"chat", 3, 8, false, true});
    cr_assert_eq(json_parse(text_get(&out), out.length, &parsed, &fault), STATUS_OK, "%s: %s", fault.detail,
                 text_get(&out));
    cr_assert(json_object_object_get_ex(parsed, "value", &value));
    static const char *const members[] = {"artifacts", "digest",     "fallback", "history_compatible",
                                          "model",     "parameters", "release"};
    cr_assert_eq(json_object_object_length(value), 7, "%s", text_get(&out));
    for (int i = 0; i < 7; i++)
        cr_assert(json_object_object_get_ex(value, members[i], &member), "%s", members[i]);
    json_object_put(parsed);
    cr_assert_not_null(
        strstr(text_get(&out),
               "\"metadata\":{\"epoch\":8,\"incarnation\":3,\"role\":\"canary\",\"rollout\":\"ro_1\","
               "\"stale\":true,\"valid_until\":\"2026-01-02T03:04:05.000Z\",\"weight\":500},"
               "\"reason\":\"SPLIT\""),
        "%s", text_get(&out));
    text_free(&out);
    free(body);
}

/* The same keys as in the documentation of the rule, by the same function as everywhere. */
Test(gateway_flag, the_split_is_the_weight)
{
    static const int weights[] = {0, 1, 500, 1000, 5000, 9999, 10000};
    enum { KEYS = 100000 };
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
        char *body = body_of(true, true, weights[i], "salt_split");
        struct flag flag = read(body);
        double share = weights[i] / 10000.0, sigma = sqrt(KEYS * share * (1 - share));
        int canary = 0;
        for (int n = 0; n < KEYS; n++) {
            char key[32];
            int length = snprintf(key, sizeof key, "user-%d", n);
            const struct flag_arm *arm = flag_choose(&flag, false, key, (size_t)length);
            cr_assert_eq(arm->canary, digest_bucket("salt_split", key, (size_t)length) < weights[i]);
            canary += arm->canary;
        }
        cr_assert_leq(fabs(canary - KEYS * share), 4 * sigma, "%d of %d at %d", canary, KEYS, weights[i]);
        free(body);
    }
}

Test(gateway_flag, more_weight_takes_nobody_off_the_canary)
{
    char *less = body_of(true, true, 500, "s"), *more = body_of(true, true, 1000, "s");
    struct flag five = read(less), ten = read(more);
    int joined = 0;
    for (int n = 0; n < 20000; n++) {
        char key[32];
        size_t length = (size_t)snprintf(key, sizeof key, "user-%d", n);
        bool before = flag_choose(&five, false, key, length)->canary;
        bool after = flag_choose(&ten, false, key, length)->canary;
        cr_assert(after || !before, "%s left the canary", key);
        joined += after && !before;
    }
    cr_assert_gt(joined, 500);
    free(less);
    free(more);
}

Test(gateway_flag, past_the_lease_stable_alone)
{
    char *body = body_of(true, true, 9999, "s");
    struct flag flag = read(body);
    struct text out;
    for (int n = 0; n < 1000; n++) {
        char key[32];
        size_t length = (size_t)snprintf(key, sizeof key, "user-%d", n);
        cr_assert_not(flag_choose(&flag, true, key, length)->canary);
    }
    text_init(&out, 1 << 16);
    flag_put(&out, &flag, &flag.arm[0], &(struct flag_answer){"chat", 1, 1, true, false});
    cr_assert_not_null(strstr(text_get(&out), "\"stale\":false,\"weight\":10000},\"reason\":\"STATIC\""),
                       "%s", text_get(&out));
    text_free(&out);
    free(body);
}

Test(gateway_flag, one_arm_has_all)
{
    char *stable = body_of(true, false, 0, "s"), *first = body_of(false, true, 10000, "s");
    struct flag one = read(stable), two = read(first);
    cr_assert_not(flag_choose(&one, false, "k", 1)->canary);
    /* a first release has nothing to lapse to */
    cr_assert(flag_choose(&two, true, "k", 1)->canary);
    free(stable);
    free(first);
}

Test(gateway_flag, a_damaged_body_gives_no_flag)
{
    char *body = body_of(true, true, 500, "s");
    size_t length = strlen(body);
    struct flag flag;
    for (size_t cut = 0; cut < length; cut++) {
        char *part = malloc(cut + 1); /* exactly as long, for the sanitizers */
        memcpy(part, body, cut);
        flag_read(part, cut, &flag);
        cr_assert_eq(flag.arms, 0, "cut at %zu", cut);
        free(part);
    }
    free(body);
    static const char *const wrong[] = {
        "{}",
        "{\"releases\":[]}",
        "{\"releases\":[{\"release\":\"v1\",\"role\":\"stable\",\"weight\":9999}]}",
        "{\"releases\":[{\"release\":\"v1\",\"role\":\"stable\",\"weight\":10001}]}",
        "{\"releases\":[{\"role\":\"stable\",\"weight\":10000,\"release\":\"v1\"}]}",
        "{\"releases\":[{\"role\":\"stable\",\"weight\":10000}]}",
        "{\"releases\":[{\"release\":\"v 1\",\"role\":\"stable\",\"weight\":10000}]}",
        "{\"releases\":[{\"release\":\"v1\",\"role\":\"boss\",\"weight\":10000}]}",
        ("{\"releases\":[{\"release\":\"v1\",\"role\":\"canary\",\"weight\":5000},"
         "{\"release\":\"v2\",\"role\":\"canary\",\"weight\":5000}]}"),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_eq(read(wrong[i]).arms, 0, "%s", wrong[i]);
    cr_assert_eq(read("{\"releases\":[{\"release\":\"v1\",\"role\":\"stable\",\"weight\":10000}]}").arms, 1);
}

Test(gateway_flag, a_key_may_hold_anything)
{
    struct ofrep_request request;
    const char *code;
    static const char body[] = "{\"context\":{\"targetingKey\":\"a\\u0000\\u00e9\",\"n\":1.5},\"more\":[]}";
    cr_assert_eq(ofrep_request_read(body, sizeof body - 1, &request, &code, NULL), STATUS_OK);
    cr_assert_eq(request.key_length, 4);
    cr_assert_eq(memcmp(request.key, "a\0\xc3\xa9", 4), 0);
    ofrep_request_free(&request);
}

Test(gateway_flag, a_context_that_is_too_large_is_refused)
{
    struct ofrep_request request;
    const char *code;
    struct fault fault;
    char *body = malloc(OFREP_BODY_MAX + 1);
    memset(body, ' ', OFREP_BODY_MAX + 1);
    cr_assert_eq(ofrep_request_read(body, OFREP_BODY_MAX + 1, &request, &code, &fault), STATUS_TOO_LARGE);
    cr_assert_eq(ofrep_request_read(body, OFREP_BODY_MAX, &request, &code, &fault), STATUS_MALFORMED);
    cr_assert_str_eq(code, "PARSE_ERROR");
    free(body);
}
