/* Batches of outcomes, read and counted. */
#include "gateway/tally.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct snapshot *snapshot;

/* chat with release v1: ttft 500 ms, latency 1 s, timeout 2 s; all mature after 10 s, latency after 20 s. */
static void make(void)
{
    struct service_view *view = service_view_new("chat");
    struct fault fault = {.detail = ""};
    cr_assert_eq(
        rules_read(&view->rules,
                   "{\"error\":{\"objective\":99},\"ttft\":{\"objective\":95,\"threshold\":\"500ms\"},"
                   "\"latency\":{\"objective\":95,\"threshold\":\"1s\"},"
                   "\"timeout\":{\"objective\":99,\"threshold\":\"2s\"}}",
                   "{\"guardrails\":{\"latency\":{\"maturity\":\"20s\"}},\"strata\":[\"pro\"]}", &fault),
        STATUS_OK, "%s", fault.errors > 0 ? fault.error[0].detail : fault.detail);
    cr_assert(rules_add_release(&view->rules, "v1"));
    rules_seal(&view->rules);
    snapshot = snapshot_new(1, 1, 1, 0);
    snapshot->service[snapshot->services++] = view;
    snapshot_seal(snapshot);
}

static void drop(void)
{
    snapshot_unref(snapshot);
}

TestSuite(gateway_tally, .init = make, .fini = drop, .timeout = 20);

static const struct wall_time now = {1000 * 1000000LL + 500000};

static enum status read_text(const char *body, struct tally *tally, struct fault *fault)
{
    *fault = (struct fault){.detail = ""};
    return tally_read(body, strlen(body), snapshot, now, NULL, "gw", "key", tally, fault);
}

/* Reads one outcome with these fields; the caller frees. */
static struct counts_entry *one(const char *fields, struct tally *tally)
{
    char body[512];
    struct fault fault;
    snprintf(body, sizeof body, "{\"service\":\"chat\",\"outcomes\":[{\"release\":\"v1\",%s}]}", fields);
    cr_assert_eq(read_text(body, tally, &fault), STATUS_OK, "%s: %s", fields,
                 fault.errors > 0 ? fault.error[0].detail : fault.detail);
    cr_assert_eq(tally->delta->entries, 1);
    return &tally->delta->entry[0];
}

/* "n k late" of one SLI. */
static const char *counted(const char *fields, enum sli sli)
{
    static char out[64];
    struct tally tally;
    const struct counts_entry *entry = one(fields, &tally);
    snprintf(out, sizeof out, "%lld %lld %lld", (long long)entry->n[sli], (long long)entry->k[sli],
             (long long)entry->late[sli]);
    tally_free(&tally);
    return out;
}

Test(gateway_tally, an_sli_is_true_false_or_absent)
{
    cr_assert_str_eq(counted("\"age_ms\":0,\"sli\":{\"refusal\":true}", SLI_REFUSAL), "1 1 0");
    cr_assert_str_eq(counted("\"age_ms\":0,\"sli\":{\"refusal\":false}", SLI_REFUSAL), "1 0 0");
    cr_assert_str_eq(counted("\"age_ms\":0,\"sli\":{}", SLI_REFUSAL), "0 0 0");
    cr_assert_str_eq(counted("\"age_ms\":0", SLI_REFUSAL), "0 0 0");
}

Test(gateway_tally, measured_times_are_held_against_thresholds)
{
    cr_assert_str_eq(counted("\"age_ms\":0,\"ttft_ms\":500", SLI_TTFT), "1 0 0");
    cr_assert_str_eq(counted("\"age_ms\":0,\"ttft_ms\":501", SLI_TTFT), "1 1 0");
    cr_assert_str_eq(counted("\"age_ms\":0,\"latency_ms\":1000", SLI_LATENCY), "1 0 0");
    cr_assert_str_eq(counted("\"age_ms\":0,\"latency_ms\":1001", SLI_LATENCY), "1 1 0");
    cr_assert_str_eq(counted("\"age_ms\":0,\"latency_ms\":1999", SLI_TIMEOUT), "1 0 0");
    cr_assert_str_eq(counted("\"age_ms\":0,\"latency_ms\":2000", SLI_TIMEOUT), "1 1 0");
    cr_assert_str_eq(counted("\"age_ms\":0,\"ttft_ms\":900", SLI_LATENCY), "0 0 0");
    /* what the gateway says itself wins */
    cr_assert_str_eq(counted("\"age_ms\":0,\"latency_ms\":5000,\"sli\":{\"latency\":false}", SLI_LATENCY),
                     "1 0 0");
    cr_assert_str_eq(counted("\"age_ms\":0,\"latency_ms\":1,\"sli\":{\"timeout\":true}", SLI_TIMEOUT),
                     "1 1 0");
}

/* Law 12. */
Test(gateway_tally, rescued_is_an_error_whatever_else_is_said)
{
    cr_assert_str_eq(counted("\"age_ms\":0,\"rescued\":true", SLI_ERROR), "1 1 0");
    cr_assert_str_eq(counted("\"age_ms\":0,\"rescued\":true,\"sli\":{\"error\":false}", SLI_ERROR), "1 1 0");
    cr_assert_str_eq(counted("\"age_ms\":0,\"rescued\":false", SLI_ERROR), "0 0 0");
}

Test(gateway_tally, late_ones_are_kept_apart)
{
    cr_assert_str_eq(counted("\"age_ms\":10000,\"sli\":{\"error\":true}", SLI_ERROR), "1 1 0");
    cr_assert_str_eq(counted("\"age_ms\":10001,\"sli\":{\"error\":true}", SLI_ERROR), "1 0 1");
    cr_assert_str_eq(counted("\"age_ms\":10001,\"sli\":{\"error\":false}", SLI_ERROR), "1 0 0");
    cr_assert_str_eq(counted("\"age_ms\":20000,\"latency_ms\":9999", SLI_LATENCY), "1 1 0");
    cr_assert_str_eq(counted("\"age_ms\":20001,\"latency_ms\":9999", SLI_LATENCY), "0 0 1");
    struct tally tally;
    const struct counts_entry *entry = one("\"age_ms\":20000,\"cost_micros\":3", &tally);
    cr_assert_eq(entry->outcomes, 1);
    cr_assert_eq(entry->late_outcomes, 0);
    cr_assert_eq(entry->summed[SUM_COST_MICROS], 1);
    tally_free(&tally);
    entry = one("\"age_ms\":20001,\"cost_micros\":3", &tally);
    cr_assert_eq(entry->outcomes, 0);
    cr_assert_eq(entry->late_outcomes, 1);
    cr_assert_eq(entry->summed[SUM_COST_MICROS], 0);
    tally_free(&tally);
}

/* In time, but without the SLI: that is what the coverage check looks at. */
Test(gateway_tally, what_is_not_measured_is_counted_as_that)
{
    struct tally tally;
    const struct counts_entry *entry = one("\"age_ms\":10001,\"sli\":{\"error\":true}", &tally);
    cr_assert_eq(entry->absent[SLI_ERROR], 0);
    cr_assert_eq(entry->absent[SLI_REFUSAL], 1);
    tally_free(&tally);
    entry = one("\"age_ms\":20001", &tally);
    cr_assert_eq(entry->absent[SLI_REFUSAL], 0, "it came too late to say anything about coverage");
    tally_free(&tally);
}

Test(gateway_tally, strata_are_those_that_the_policy_declares)
{
    struct tally tally;
    const struct counts_entry *entry = one("\"age_ms\":0,\"stratum\":\"pro\"", &tally);
    cr_assert_str_eq(entry->stratum, "pro");
    tally_free(&tally);
    entry = one("\"age_ms\":0,\"stratum\":\"somebody-else\"", &tally);
    cr_assert_str_eq(entry->stratum, "", "any text a client sends must not become rows of its own");
    tally_free(&tally);
}

Test(gateway_tally, the_second_is_that_of_admission)
{
    static const struct {
        const char *fields;
        int64_t bucket;
    } rows[] = {{"\"age_ms\":0", 1000},         {"\"age_ms\":500", 1000},  {"\"age_ms\":501", 999},
                {"\"age_ms\":1500", 999},       {"\"age_ms\":1000500", 0}, {"\"age_ms\":1000501", -1},
                {"\"age_ms\":86400000", -85400}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tally tally;
        cr_assert_eq(one(rows[i].fields, &tally)->bucket_s, rows[i].bucket, "%s", rows[i].fields);
        tally_free(&tally);
    }
}

Test(gateway_tally, sums_go_with_how_many_went_in)
{
    struct tally tally;
    struct fault fault;
    cr_assert_eq(
        read_text("{\"service\":\"chat\",\"outcomes\":["
                  "{\"release\":\"v1\",\"age_ms\":0,\"latency_ms\":10,\"ttft_ms\":4,\"input_tokens\":100,"
                  "\"output_tokens\":7,\"cost_micros\":9007199254740991,\"score\":-0.5},"
                  "{\"release\":\"v1\",\"age_ms\":0,\"latency_ms\":20}]}",
                  &tally, &fault),
        STATUS_OK);
    const struct counts_entry *entry = &tally.delta->entry[0];
    cr_assert_eq(entry->sums[SUM_LATENCY_MS], 30);
    cr_assert_eq(entry->summed[SUM_LATENCY_MS], 2);
    cr_assert_eq(entry->sums[SUM_TTFT_MS], 4);
    cr_assert_eq(entry->sums[SUM_INPUT_TOKENS], 100);
    cr_assert_eq(entry->sums[SUM_OUTPUT_TOKENS], 7);
    cr_assert_eq(entry->sums[SUM_COST_MICROS], 9007199254740991.0);
    cr_assert_eq(entry->sums[SUM_SCORE], -0.5);
    cr_assert_eq(entry->summed[SUM_SCORE], 1);
    tally_free(&tally);
}

Test(gateway_tally, unknown_releases_are_rejected_one_by_one)
{
    enum { BAD = 150 };
    static char body[65536];
    struct tally tally;
    struct fault fault;
    struct text result;
    size_t at = (size_t)snprintf(
        body, sizeof body,
        "{\"service\":\"chat\",\"admissions\":[{\"release\":\"v1\",\"count\":3,\"age_ms\":0}],"
        "\"outcomes\":[{\"release\":\"v1\",\"age_ms\":0}");
    for (int i = 0; i < BAD; i++)
        at += (size_t)snprintf(body + at, sizeof body - at, ",{\"release\":\"x%d\",\"age_ms\":0}", i);
    snprintf(body + at, sizeof body - at, "]}");
    cr_assert_eq(read_text(body, &tally, &fault), STATUS_OK);
    cr_assert_eq(tally.accepted, 2);
    cr_assert_eq(tally.rejected, BAD);
    cr_assert_eq(tally.listed, TALLY_REJECTED_MAX);
    cr_assert_str_eq(tally.first[0].pointer, "/outcomes/1/release");
    text_init(&result, 1 << 16);
    tally_put_result(&tally, false, &result);
    cr_assert_eq(strstr(text_get(&result),
                        "{\"accepted\":2,\"duplicate\":false,\"rejected\":[{\"pointer\":\"/outcomes/1/"),
                 text_get(&result));
    text_clear(&result);
    tally_put_result(&tally, true, &result);
    cr_assert_eq(strstr(text_get(&result), "{\"accepted\":0,\"duplicate\":true,"), text_get(&result));
    cr_assert_eq(text_status(&result), STATUS_OK);
    text_free(&result);
    tally_free(&tally);
}

Test(gateway_tally, what_breaks_the_schema_is_named)
{
    static const struct {
        const char *body;
        enum status status;
        const char *pointer;
    } rows[] = {
        {"", STATUS_MALFORMED, NULL},
        {"[]", STATUS_INVALID, ""},
        {"null", STATUS_INVALID, ""},
        {"{}", STATUS_INVALID, "/service"},
        {"{\"service\":\"nobody\"}", STATUS_NOT_FOUND, NULL},
        {"{\"service\":\"a b\"}", STATUS_INVALID, "/service"},
        {"{\"service\":\"chat\",\"x\":1}", STATUS_INVALID, "/x"},
        {"{\"service\":\"chat\",\"outcomes\":{}}", STATUS_INVALID, "/outcomes"},
        {"{\"service\":\"chat\",\"outcomes\":[null]}", STATUS_INVALID, "/outcomes/0"},
        {"{\"service\":\"chat\",\"outcomes\":[{\"age_ms\":0}]}", STATUS_INVALID, "/outcomes/0/release"},
        {"{\"service\":\"chat\",\"outcomes\":[{\"release\":\"v1\"}]}", STATUS_INVALID, "/outcomes/0/age_ms"},
        {"{\"service\":\"chat\",\"outcomes\":[{\"release\":\"v1\",\"age_ms\":-1}]}", STATUS_INVALID,
         "/outcomes/0/age_ms"},
        {"{\"service\":\"chat\",\"outcomes\":[{\"release\":\"v1\",\"age_ms\":86400001}]}", STATUS_INVALID,
         "/outcomes/0/age_ms"},
        {"{\"service\":\"chat\",\"outcomes\":[{\"release\":\"v1\",\"age_ms\":0,\"sli\":{\"refusal\":1}}]}",
         STATUS_INVALID, "/outcomes/0/sli/refusal"},
        {"{\"service\":\"chat\",\"outcomes\":[{\"release\":\"v1\",\"age_ms\":0,\"sli\":{\"rudeness\":true}}]"
         "}",
         STATUS_INVALID, "/outcomes/0/sli/rudeness"},
        {"{\"service\":\"chat\",\"outcomes\":[{\"release\":\"v1\",\"age_ms\":0,\"score\":1e7}]}",
         STATUS_INVALID, "/outcomes/0/score"},
        {"{\"service\":\"chat\",\"admissions\":[{\"release\":\"v1\",\"count\":0,\"age_ms\":0}]}",
         STATUS_INVALID, "/admissions/0/count"},
        {"{\"service\":\"chat\",\"admissions\":[{\"release\":\"v1\",\"count\":1.5,\"age_ms\":0}]}",
         STATUS_INVALID, "/admissions/0/count"},
        {"{\"service\":\"chat\",\"service\":\"chat\"}", STATUS_MALFORMED, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tally tally;
        struct fault fault;
        cr_assert_eq(read_text(rows[i].body, &tally, &fault), rows[i].status, "%s", rows[i].body);
        cr_assert_null(tally.delta);
        if (rows[i].pointer != NULL)
            cr_assert_str_eq(fault.error[0].pointer, rows[i].pointer, "%s", rows[i].body);
    }
}

Test(gateway_tally, many_seconds_and_releases_find_their_entries)
{
    struct counts_delta *delta = counts_delta_new("gw", NULL, "chat");
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3000; i++) {
            char release[8];
            snprintf(release, sizeof release, "v%d", i % 3);
            counts_delta_entry(delta, release, i % 2 == 0 ? "" : "pro", i / 3)->admissions++;
        }
    }
    cr_assert_eq(delta->entries, 3000);
    for (size_t i = 0; i < delta->entries; i++)
        cr_assert_eq(delta->entry[i].admissions, 2);
    counts_delta_free(delta);
}
