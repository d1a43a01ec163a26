/* The reader of recorded outcomes: what it takes, what it refuses, and where. */
#include "cli/outcomes.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

TestSuite(cli_outcomes, .timeout = 60);

static struct outcomes accepted(const char *text)
{
    struct outcomes outcomes;
    struct fault fault = {0};
    cr_assert_eq(outcomes_read(text, strlen(text), "f", NULL, &outcomes, &fault), STATUS_OK, "%s",
                 fault.detail);
    return outcomes;
}

static void refused(const char *text, const char *because)
{
    struct outcomes outcomes;
    struct fault fault = {0};
    cr_assert_neq(outcomes_read(text, strlen(text), "f", NULL, &outcomes, &fault), STATUS_OK, "%s", text);
    cr_expect_not_null(strstr(fault.detail, because), "\"%s\" does not say \"%s\"", fault.detail, because);
    cr_expect_null(outcomes.item);
}

static uint32_t bit(enum sli sli)
{
    return 1u << sli;
}

Test(cli_outcomes, csv_and_json_lines_say_the_same)
{
    static const char *const texts[] = {
        "release,arrival,refusal,error,ttft_ms,key,stratum\n"
        "v1,10,1,,250.4,u1,de\n"
        "v2,11.5,false,true,,,fr\n",
        "{\"release\":\"v1\",\"arrival\":10,\"refusal\":true,\"error\":null,\"ttft_ms\":250.4,\"key\":\"u1\","
        "\"stratum\":\"de\"}\n\n"
        "{\"stratum\":\"fr\",\"arrival\":11.5,\"release\":\"v2\",\"refusal\":0,\"error\":1}\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct outcomes outcomes = accepted(texts[i]);
        cr_assert_eq(outcomes.count, 2);
        const struct outcome *one = &outcomes.item[0], *two = &outcomes.item[1];
        cr_expect_eq(one->known, bit(SLI_REFUSAL));
        cr_expect_eq(one->bad, bit(SLI_REFUSAL));
        cr_expect_eq(two->known, bit(SLI_REFUSAL) | bit(SLI_ERROR));
        cr_expect_eq(two->bad, bit(SLI_ERROR));
        cr_expect_eq(one->ttft_ms, 250);
        cr_expect_eq(two->ttft_ms, -1);
        cr_expect_float_eq(one->arrival_s, 0, 0, "times count from the first row's");
        cr_expect_float_eq(two->arrival_s, 1.5, 0);
        cr_expect_eq(one->key, 0);
        cr_expect_eq(two->key, -1);
        cr_expect_eq(two->stratum, 1);
        cr_expect_eq(outcomes_release(&outcomes, "v2"), 1);
        cr_expect_eq(outcomes_release(&outcomes, "v3"), -1);
        cr_expect_eq(two->line, i == 0 ? 3 : 3);
        outcomes_free(&outcomes);
    }
}

Test(cli_outcomes, times_may_be_rfc_3339_with_any_offset)
{
    struct outcomes outcomes =
        accepted("release,arrival\nv1,2026-01-20T10:00:00Z\nv1,2026-01-20T11:00:01.5+01:00\n");
    cr_expect_float_eq(outcomes.item[1].arrival_s, 1.5, 1e-6);
    outcomes_free(&outcomes);
}

Test(cli_outcomes, measured_times_are_held_against_thresholds_as_the_gateway_port_does)
{
    struct outcomes outcomes = accepted(
        "release,ttft_ms,latency_ms,ttft\n"
        "v1,1000,1000,\nv1,1001,60000,\nv1,1001,,0\n");
    struct slos slos;
    memset(&slos, 0, sizeof slos);
    slos.of[SLI_TTFT] = (struct slo){.used = true, .threshold_ms = 1000};
    slos.of[SLI_TIMEOUT] = (struct slo){.used = true, .threshold_ms = 60000};
    outcomes_judge(&outcomes, &slos);
    cr_expect_eq(outcomes.item[0].known, bit(SLI_TTFT) | bit(SLI_TIMEOUT));
    cr_expect_eq(outcomes.item[0].bad, 0u, "at the threshold is not over it");
    cr_expect_eq(outcomes.item[1].bad, bit(SLI_TTFT) | bit(SLI_TIMEOUT), "but a timeout is reached there");
    cr_expect_eq(outcomes.item[2].known, bit(SLI_TTFT), "no latency, no timeout");
    cr_expect_eq(outcomes.item[2].bad, 0u, "what the column says stands");
    outcomes_free(&outcomes);
}

Test(cli_outcomes, a_rescued_request_is_an_error_whatever_else_is_said)
{
    struct outcomes outcomes = accepted("release,error,rescued\nv1,0,1\nv1,0,0\nv1,,\n");
    cr_expect_eq(outcomes.item[0].bad, bit(SLI_ERROR));
    cr_expect_eq(outcomes.item[1].bad, 0u);
    cr_expect_eq(outcomes.item[2].known, 0u);
    outcomes_free(&outcomes);
}

Test(cli_outcomes, says_what_is_wrong_and_in_which_line)
{
    refused("", "f:1: there is no header");
    refused("release,refusal\n", "f: there are no rows");
    refused("release,refusal\nv1,0\nv1,maybe\n", "f:3: refusal: \"maybe\" is not true, false, 1, 0 or empty");
    refused("release,refusal\n,0\n", "f:2: release: is empty");
    refused("release,refused\nv1,0\n", "f:1: the column \"refused\" is not known; did you mean refusal?");
    refused("release,ttft_ms\nv1,-3\n", "f:2: ttft_ms: \"-3\" is no time in ms");
    refused("release,arrival\nv1,yesterday\n", "f:2: arrival: \"yesterday\" is neither");
    refused("release,arrival\nv1,3\nv1,2026-01-20T10:00:00Z\n", "f:3: arrival");
    refused("release,error,error\nv1,1,0\n", "f:1: error: stands twice");
    refused("release,refusal\nv1\n", "f:2: 1 cell, but");
    refused("{\"release\":\"v1\"}\n{\"release\":}\n", "f:2: ");
    refused("{\"release\":\"v1\",\"refusal\":[1]}\n", "f:1: refusal: must be a string");
    refused("[1]\n", "f:1: this is no JSON object");
}

Test(cli_outcomes, columns_may_be_left_out_by_name)
{
    static const char *const ignored[] = {"prompt", NULL};
    static const char text[] = "release,prompt,refusal\nv1,\"a, b\",1\n";
    struct outcomes outcomes;
    struct fault fault = {0};
    cr_assert_eq(outcomes_read(text, sizeof text - 1, "f", ignored, &outcomes, &fault), STATUS_OK, "%s",
                 fault.detail);
    cr_expect_eq(outcomes.item[0].bad, bit(SLI_REFUSAL));
    outcomes_free(&outcomes);
    refused(text, "the column \"prompt\" is not known");
}

Test(cli_outcomes, any_column_can_be_left_out_and_all_are_named)
{
    static const char *const ignored[] = {"refusal", "prompt", "absent", NULL};
    static const char *const texts[] = {"release,prompt,refusal,error\nv1,a,1,1\n",
                                        "{\"release\":\"v1\",\"prompt\":[],\"refusal\":1,\"error\":1}\n"};
    for (int i = 0; i < 2; i++) {
        struct outcomes outcomes;
        struct fault fault = {0};
        cr_assert_eq(outcomes_read(texts[i], strlen(texts[i]), "f", ignored, &outcomes, &fault), STATUS_OK,
                     "%s", fault.detail);
        cr_expect_eq(outcomes.item[0].known, bit(SLI_ERROR));
        cr_expect_eq(outcomes.columns, bit(SLI_ERROR));
        cr_expect(outcomes_has_column(&outcomes, "refusal") && outcomes_has_column(&outcomes, "prompt"));
        cr_expect(outcomes_has_column(&outcomes, "error"));
        cr_expect_not(outcomes_has_column(&outcomes, "absent"));
        outcomes_free(&outcomes);
    }
}

Test(cli_outcomes, many_keys_are_kept_apart)
{
    static char text[400000];
    size_t used = (size_t)snprintf(text, sizeof text, "release,key\n");
    for (int i = 0; i < 20000; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "v1,user_%d\n", i % 9973);
    }
    struct outcomes outcomes = accepted(text);
    cr_expect_eq(outcomes.keys.count, 9973);
    for (size_t i = 0; i < outcomes.count; i++) {
        cr_assert_eq(outcomes.item[i].key, (int32_t)(i % 9973));
    }
    outcomes_free(&outcomes);
}
