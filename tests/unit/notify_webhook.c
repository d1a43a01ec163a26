/* Tests of webhook signatures, bodies and the schedule of attempts. */
#include "base/digest.h"
#include "base/json.h"
#include "notify/webhook.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct fault fault;

static void set_up(void)
{
    cr_assert_eq(digest_start(), STATUS_OK);
}

TestSuite(notify_webhook, .timeout = 10, .init = set_up);

/* Made with the npm package standardwebhooks 1.1.1. */
Test(notify_webhook, signs_as_the_reference_implementation_does)
{
    static const char body[] = "{\"test\": 2432232314}";
    char signature[WEBHOOK_SIGNATURE_MAX];
    cr_assert_eq(webhook_sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek",
                              1614265330, body, sizeof body - 1, signature, &fault),
                 STATUS_OK);
    cr_assert_str_eq(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

Test(notify_webhook, a_secret_that_is_none_is_refused)
{
    char signature[WEBHOOK_SIGNATURE_MAX], longest[100], too_long[120];
    uint8_t key[70] = {1};
    digest_base64(key, 64, longest + 6, sizeof longest - 6);
    memcpy(longest, "whsec_", 6);
    digest_base64(key, 65, too_long + 6, sizeof too_long - 6);
    memcpy(too_long, "whsec_", 6);
    const char *secrets[] = {"",
                             "whsec_",
                             "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                             "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
                             "whsec_c2hvcnQ=",
                             "whsec_!!!!",
                             too_long};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        cr_expect_eq(webhook_sign(secrets[i], "id", 1, "{}", 2, signature, &fault), STATUS_INVALID, "%s",
                     secrets[i]);
        cr_expect_neq(fault.next_step[0], '\0');
        if (secrets[i][0] != '\0' && strlen(secrets[i]) > 8)
            cr_expect_null(strstr(fault.detail, secrets[i]));
    }
    cr_expect_eq(webhook_sign(longest, "id", 1, "{}", 2, signature, &fault), STATUS_OK);
}

Test(notify_webhook, the_body_is_json_with_the_event_as_data)
{
    struct text body;
    struct json_object *root = NULL, *value = NULL;
    text_init(&body, 1000);
    webhook_body("rollout.rolled_back", "2026-11-23T20:00:00.000Z", "",
                 "{\"id\":\"ev_1\",\"data\":{\"a\":1}}", &body);
    cr_assert_str_eq(text_get(&body),
                     "{\"type\":\"rollout.rolled_back\",\"timestamp\":\"2026-11-23T20:00:00.000Z\","
                     "\"data\":{\"id\":\"ev_1\",\"data\":{\"a\":1}}}");
    cr_assert_eq(json_parse(text_get(&body), body.length, &root, &fault), STATUS_OK);
    cr_assert(json_object_object_get_ex(root, "data", &value));
    json_object_put(root);
    text_free(&body);
}

Test(notify_webhook, the_schedule)
{
    static const double hours = 3600;
    const double expected[] = {5,          300,        1800,       2 * hours, 5 * hours,
                               10 * hours, 14 * hours, 20 * hours, 24 * hours};
    double total = 0;
    for (int i = 0; i < 9; i++) {
        cr_expect_float_eq(webhook_delay_s(i + 1, 0), expected[i], 1e-9);
        cr_expect_float_eq(webhook_delay_s(i + 1, 1), expected[i] * 1.1, 1e-9);
        total += webhook_delay_s(i + 1, 1);
    }
    cr_expect_float_eq(webhook_delay_s(0, 0.5), 0, 1e-9);
    cr_expect(webhook_delay_s(WEBHOOK_ATTEMPTS, 0) < 0);
    cr_expect(webhook_delay_s(1000000, 0) < 0);
    cr_expect(webhook_delay_s(-1, 0) < 0);
    cr_expect(total < 5 * 24 * hours); /* before old deliveries are given up for their age */
}
