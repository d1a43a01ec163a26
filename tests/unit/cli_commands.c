/* Whole commands against canned answers: what is asked, what is shown, and the exit codes. */
#include "cli_canned.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(cli_commands, .timeout = 60);

#define HAS(text, part) cr_assert_not_null(strstr(text, part), "\"%s\" is not in:\n%s", part, text)

#define ID "ro_01JD4YAAAAAAAAAAAAAAAAAAAA"

#define PROBLEM                                                                                              \
    "{\"type\":\"https://serin.dev/problems/conflict\",\"title\":\"The present state does not allow "        \
    "this\",\"status\":409,\"detail\":\"Another rollout is live.\",\"instance\":\"req_1\","                  \
    "\"next_step\":\"Wait, or --supersede\",\"errors\":[{\"pointer\":\"/release\",\"detail\":\"is bad\"}]}"

#define ROLLOUT(phase, rule, version)                                                                        \
    "{\"id\":\"" ID "\",\"service\":\"chat\",\"release\":\"r7\",\"stable\":\"r6\",\"phase\":\"" phase        \
    "\",\"step\":2,\"steps\":5,\"weight\":500,\"rule\":\"" rule                                              \
    "\",\"reason\":\"Because.\",\"route\":{\"epoch\":3,\"weight\":500,\"written_at\":"                       \
    "\"2026-01-01T00:00:00Z\",\"applied_at\":\"2026-01-01T00:00:01Z\"},\"version\":" version "}"

static const char explanation[] =
    "{\"rollout\":\"" ID
    "\",\"service\":\"chat\",\"release\":\"r7\",\"stable\":\"r6\",\"phase\":\"progressing\","
    "\"step\":2,\"steps\":5,\"weight\":500,\"rule\":\"step.proof\",\"reason\":\"Not yet proven.\","
    "\"since\":\"2026-01-01T00:00:00Z\",\"data\":{\"quality\":\"cohort\",\"counted_until\":null,\"rps\":53.2,"
    "\"blind_s\":0,\"says\":\"Requests count when they "
    "began.\"},\"watch\":{\"compares\":true,\"says\":\"Stable "
    "keeps 2 %.\"},\"next_step\":\"Nothing yet, or "
    "promote.\",\"judgement\":{\"action\":\"continue\",\"reason\":\"none\",\"says\":\"No harm is "
    "seen.\"},"
    "\"guardrails\":[{\"sli\":\"refusal\",\"action\":\"rollback\",\"verdict\":\"inconclusive\",\"muted\":"
    "false,"
    "\"total\":{\"canary\":{\"n\":1000,\"k\":12},\"stable\":{\"n\":19000,\"k\":152}},"
    "\"step\":{\"canary\":{\"n\":400,\"k\":3},\"stable\":{\"n\":7600,\"k\":60}},\"ceiling\":1.5,"
    "\"says\":\"Nothing yet.\",\"needs\":\"900 more requests\",\"eta_s\":190,\"evidence\":{}}],"
    "\"needs\":[\"proof for "
    "refusal\"],\"eta_s\":190,\"frozen\":null,\"gateways\":{\"live\":3,\"behind\":[\"gw-2\"]}}";

Test(cli_commands, problem_is_shown_with_its_next_step)
{
    struct canned rows[] = {{"POST /v1/services/chat/rollouts", 409, PROBLEM, NULL, 0}, {0}};
    canned_start(rows);
    struct canned_run run = canned_serin("rollout", "start", "chat", "r7", "--supersede", "-r", "why", NULL);
    cr_assert_eq(run.code, 1);
    HAS(run.err, "The present state does not allow this (409)");
    HAS(run.err, "Another rollout is live.");
    HAS(run.err, "/release: is bad");
    HAS(run.err, "Wait, or --supersede");
    HAS(run.err, "req_1");
    cr_assert_str_empty(run.out);
    HAS(canned_log(), "\t{\"reason\":\"why\",\"release\":\"r7\",\"supersede\":true}");
    run = canned_serin("--json", "rollout", "start", "chat", "r7", NULL);
    cr_assert_eq(run.code, 1);
    cr_assert_str_eq(run.out, PROBLEM "\n");
}

Test(cli_commands, a_start_says_how_long_it_takes)
{
    static const char plan[] =
        "{\"id\":\"" ID
        "\",\"service\":\"chat\",\"release\":\"r7\",\"stable\":\"r6\",\"phase\":"
        "\"pending\",\"step\":0,\"steps\":5,\"weight\":0,\"reason\":\"Created.\",\"forecast\":";
    char with[1024], slow[1024];
    snprintf(
        with, sizeof with,
        "%s{\"rps\":12,\"measured\":true,\"total_s\":10800,\"steps\":[{\"seconds\":2400,\"in_time\":true},"
        "{\"seconds\":8400,\"in_time\":true}]}}",
        plan);
    snprintf(
        slow, sizeof slow,
        "%s{\"rps\":0.01,\"measured\":false,\"total_s\":null,\"steps\":[{\"seconds\":60,\"in_time\":true},"
        "{\"seconds\":999999,\"in_time\":false}]}}",
        plan);
    struct canned rows[] = {{"POST /v1/services/chat/rollouts", 201, with, NULL, 1},
                            {"POST /v1/services/chat/rollouts", 201, slow, NULL, 0},
                            {0}};
    canned_start(rows);
    struct canned_run run = canned_serin("rollout", "start", "chat", "r7", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    HAS(run.out,
        "At 12 requests a second (measured over the last 10 min) this plan needs about 3 h; step 1 about 40 "
        "min.");
    run = canned_serin("rollout", "start", "chat", "r7", NULL);
    HAS(run.out, "does not finish by itself: step 2 is not proven before its deadline");
}

Test(cli_commands, json_is_unchanged)
{
    static const char page[] = "{\"items\":[{\"name\":\"chat\",  \"x\":1.50}],\"next_cursor\":null}";
    struct canned rows[] = {{"GET /v1/services?limit=50", 200, page, NULL, 0}, {0}};
    canned_start(rows);
    struct canned_run run = canned_serin("service", "list", "--json", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    cr_assert_str_eq(run.out, "{\"items\":[{\"name\":\"chat\",  \"x\":1.50}],\"next_cursor\":null}\n");
}

Test(cli_commands, lists_follow_the_cursor)
{
    struct canned rows[] = {{"GET /v1/services?limit=3", 200,
                             "{\"items\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"next_cursor\":\"x y\"}", NULL,
                             0},
                            {"GET /v1/services?limit=1&cursor=x%20y", 200,
                             "{\"items\":[{\"name\":\"c\"}],\"next_cursor\":\"z\"}", NULL, 0},
                            {0}};
    canned_start(rows);
    struct canned_run run = canned_serin("service", "list", "-n", "3", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    HAS(run.out, "\na");
    HAS(run.out, "\nc");
    HAS(run.out, "There are more");
}

Test(cli_commands, unreachable_and_not_serin)
{
    struct canned rows[] = {{"GET /v1/freeze", 200, "<html>", NULL, 0}, {0}};
    canned_start(rows);
    struct canned_run run = canned_serin("freeze", "--show", NULL);
    cr_assert_eq(run.code, 1);
    HAS(run.err, "not one of Serin's");
    run = canned_serin("--url", "http://127.0.0.1:1", "freeze", "--show", NULL);
    cr_assert_eq(run.code, 3);
    HAS(run.err, "Is serind running there?");
    run = canned_serin("--url", "ftp://x", "freeze", "--show", NULL);
    cr_assert_eq(run.code, 1);
    HAS(run.err, "must begin with http://");
}

Test(cli_commands, get_is_tried_again_and_post_is_not)
{
    static const char busy[] = "{\"title\":\"Not ready\",\"detail\":\"Later.\",\"status\":503}";
    struct canned rows[] = {{"GET /v1/freeze", 503, busy, NULL, 2},
                            {"GET /v1/freeze", 200, "{\"frozen\":false}", NULL, 0},
                            {"POST /v1/freeze", 503, busy, NULL, 1},
                            {"POST /v1/freeze", 200, "{\"frozen\":true}", NULL, 0},
                            {0}};
    canned_start(rows);
    struct canned_run run = canned_serin("freeze", "--show", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    cr_assert_str_eq(run.out, "Not frozen\n");
    run = canned_serin("freeze", "--reason", "x", NULL);
    cr_assert_eq(run.code, 1);
    HAS(run.err, "Not ready (503)");
}

Test(cli_commands, explain)
{
    struct canned rows[] = {{"GET /v1/services/chat", 200,
                             "{\"name\":\"chat\",\"live_rollout\":\"" ID "\",\"stable\":\"r6\"}", NULL, 0},
                            {"GET /v1/rollouts/" ID "/explain", 200, explanation, NULL, 0},
                            {0}};
    canned_start(rows);
    struct canned_run run = canned_serin("explain", "chat", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    HAS(run.out, "chat: r6 -> r7");
    HAS(run.out, "progressing, step 2 of 5, canary at 5 %");
    HAS(run.out, "Rule step.proof");
    HAS(run.out, "1.20 %  12 of 1,000");
    HAS(run.out, "0.80 %  152 of 19,000");
    HAS(run.out, "Needs 900 more requests.");
    HAS(run.out, "About 3 min 10 s to the next step");
    HAS(run.out, "What to do: Nothing yet, or promote.");
    HAS(run.out, "Requests count when they began.");
    HAS(run.out, "Stable keeps 2 %.");
    HAS(run.out, "The evidence says: continue");
    HAS(run.out, "- proof for refusal");
    HAS(run.out, "behind: gw-2");
    HAS(run.out, "53.2 requests a second");
}

Test(cli_commands, a_mute_that_has_ended_is_told_as_such)
{
    struct canned rows[] = {
        {"POST /v1/rollouts/" ID "/mute", 200,
         "{\"id\":\"" ID
         "\",\"service\":\"chat\",\"release\":\"r7\",\"phase\":\"progressing\",\"step\":2,\"steps\":5,"
         "\"weight\":500,\"muted\":["
         "{\"sli\":\"error\",\"until\":\"2026-01-01T00:00:00Z\",\"by\":\"ann\",\"reason\":\"old\"},"
         "{\"sli\":\"refusal\",\"until\":\"2126-01-01T00:00:00Z\",\"by\":\"ann\",\"reason\":\"judge\"}]}",
         NULL, 0},
        {0}};
    canned_start(rows);
    struct canned_run run =
        canned_serin("rollout", "mute", ID, "refusal", "--until", "1h", "--reason", "judge", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    HAS(run.out, "No longer muted: error, ended ");
    HAS(run.out, "Muted: refusal, ends in ");
}

Test(cli_commands, following_ends_as_the_rollout_does)
{
    struct canned rows[] = {
        {"GET /v1/rollouts/" ID, 200, ROLLOUT("progressing", "start", "1"), NULL, 1},
        {"GET /v1/rollouts/" ID, 502, "bad gateway", NULL, 3},
        {"GET /v1/rollouts/" ID, 200, ROLLOUT("rolled_back", "evidence.worse", "2"), NULL, 0},
        {"GET /v1/rollouts/" ID "/explain", 200, explanation, NULL, 0},
        {0}};
    canned_start(rows);
    struct canned_run run = canned_serin("rollout", "status", ID, "-w", NULL);
    cr_assert_eq(run.code, 5, "%s", run.err);
    HAS(run.out,
        "progressing, step 2 of 5, canary at 5 % [start] Because. | refusal inconclusive | applied\n");
    HAS(run.out, "rolled back in step 2 of 5 [evidence.worse]");
    int lines = 0;
    for (const char *at = run.out; *at != '\0'; at++) {
        lines += *at == '\n' ? 1 : 0;
    }
    cr_assert_eq(lines, 2, "one line a change:\n%s", run.out);
}

static int follow(const char *rollout, const char *option, const char *value)
{
    struct canned rows[] = {{"GET /v1/rollouts/" ID, 200, rollout, NULL, 0},
                            {"GET /v1/rollouts/" ID "/explain", 200, explanation, NULL, 0},
                            {0}};
    canned_start(rows);
    return canned_serin("rollout", "status", ID, "-w", option, value, NULL).code;
}

Test(cli_commands, exit_codes_of_following)
{
    cr_assert_eq(follow(ROLLOUT("completed", "bake.done", "1"), "--json", NULL), 0);
    cr_assert_eq(follow(ROLLOUT("aborted", "abort", "1"), NULL, NULL), 4);
    cr_assert_eq(follow(ROLLOUT("paused", "pause", "1"), "--until-paused", NULL), 7);
    cr_assert_eq(follow(ROLLOUT("paused", "pause", "1"), "--timeout", "1s"), 6);
}

Test(cli_commands, verbs)
{
    struct canned rows[] = {
        {"GET /v1/services/chat", 200, "{\"live_rollout\":\"" ID "\"}", NULL, 0},
        {"GET /v1/services/idle", 200, "{\"live_rollout\":null}", NULL, 0},
        {"POST /v1/rollouts/" ID "/set-weight", 200, ROLLOUT("progressing", "set-weight", "2"), NULL, 0},
        {"POST /v1/rollouts/" ID "/promote", 200, ROLLOUT("progressing", "promote", "2"), NULL, 0},
        {"POST /v1/rollouts/" ID "/mute", 200, ROLLOUT("progressing", "mute", "2"), NULL, 0},
        {0}};
    canned_start(rows);
    cr_assert_eq(canned_serin("rollout", "set-weight", "chat", "2.5", NULL).code, 0);
    cr_assert_eq(canned_serin("rollout", "set-weight", ID, "0.5%", NULL).code, 0);
    cr_assert_eq(canned_serin("rollout", "promote", ID, "--full", NULL).code, 0);
    cr_assert_eq(canned_serin("rollout", "mute", ID, "refusal", "--until", "1h", "-r", "known", NULL).code,
                 0);
    HAS(canned_log(), "set-weight\n\t{\"weight\":250}");
    HAS(canned_log(), "set-weight\n\t{\"weight\":50}");
    HAS(canned_log(), "promote\n\t{\"full\":true}");
    HAS(canned_log(), "mute\n\t{\"reason\":\"known\",\"sli\":\"refusal\",\"until\":\"1h\"}");
    cr_assert_eq(canned_serin("rollout", "set-weight", "chat", "500", NULL).code, 2);
    cr_assert_eq(canned_serin("rollout", "set-weight", "chat", "1.234%", NULL).code, 2);
    cr_assert_eq(canned_serin("rollout", "mute", ID, "refusals", "--until", "1h", "-r", "x", NULL).code, 2);
    struct canned_run run = canned_serin("rollout", "pause", "idle", NULL);
    cr_assert_eq(run.code, 1);
    HAS(run.err, "the service idle has no live rollout");
    HAS(run.err, "serin rollout list idle");
}

Test(cli_commands, usage)
{
    struct canned rows[] = {{0}};
    canned_start(rows);
    cr_assert_eq(canned_serin(NULL, NULL).code, 2);
    cr_assert_eq(canned_serin("help", NULL).code, 0);
    cr_assert_eq(canned_serin("--help", NULL).code, 0);
    cr_assert_eq(canned_serin("rollout", "start", "--help", NULL).code, 0);
    struct canned_run run = canned_serin("rollout", "puase", "chat", NULL);
    cr_assert_eq(run.code, 2);
    HAS(run.err, "did you mean \"serin rollout pause\"?");
    run = canned_serin("abort", "chat", NULL);
    HAS(run.err, "did you mean \"serin rollout abort\"?");
    run = canned_serin("rollout", "frobnicate", NULL);
    cr_assert_eq(run.code, 2);
    HAS(run.err,
        "no command \"rollout frobnicate\"; after rollout comes one of: start, status, list, pause,");
    run = canned_serin("rollout", NULL);
    cr_assert_eq(run.code, 2);
    HAS(run.err, "\"rollout\" needs one more word, one of: start, status, list, pause,");
    run = canned_serin("rollback", "chat", "--too", "r1", NULL);
    cr_assert_eq(run.code, 2);
    HAS(run.err, "did you mean --to?");
    cr_assert_eq(canned_serin("rollback", "-x", NULL).code, 2);
    cr_assert_eq(canned_serin("rollback", "../../v1/tokens", NULL).code, 2);
    cr_assert_eq(canned_serin("freeze", NULL).code, 2);
    run = canned_serin("--version", NULL);
    cr_assert_eq(strncmp(run.out, "serin ", 6), 0);
    cr_assert_str_empty(canned_log(), "nothing was sent");
}

Test(cli_commands, overdispersion_says_what_is_missing)
{
    static const char answer[] =
        "{\"service\":\"chat\",\"slis\":["
        "{\"sli\":\"refusal\",\"gateways\":2,\"gateways_needed\":2,\"block_s\":1,\"blocks\":1234,"
        "\"blocks_needed\":200,\"phi\":2.5,\"eta\":0.4,\"needs\":null},"
        "{\"sli\":\"error\",\"gateways\":2,\"gateways_needed\":2,\"block_s\":5,\"blocks\":12,"
        "\"blocks_needed\":200,\"phi\":null,\"eta\":null,\"needs\":\"200 blocks: there were 12\"}]}";
    struct canned rows[] = {{"GET /v1/services/chat/overdispersion", 200, answer, NULL, 0}, {0}};
    canned_start(rows);
    struct canned_run run = canned_serin("service", "overdispersion", "chat", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    HAS(run.out, "refusal  2.50  0.40   1,234     200");
    HAS(run.out, "error is not measured. It needs 200 blocks: there were 12.");
    HAS(run.out, "Until then 'eta: auto' is 1 there.");
    cr_expect_null(strstr(run.out, "refusal is not measured"));
}

Test(cli_commands, help_names_what_a_command_has_a_use_for)
{
    static const struct {
        const char *command;
        bool url, key;
    } rows[] = {{"lint", false, false},   {"backtest", false, false}, {"help", false, false},
                {"replay", true, false},  {"diff", true, false},      {"explain", true, false},
                {"rollback", true, true}, {"apply", true, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct canned_run run = canned_serin("help", rows[i].command, NULL);
        cr_assert_eq(run.code, 0);
        cr_expect_eq(strstr(run.out, "--url") != NULL, rows[i].url, "%s", run.out);
        cr_expect_eq(strstr(run.out, "--key") != NULL, rows[i].key, "%s", run.out);
        HAS(run.out, "--json");
    }
}

/* --- apply
 * -------------------------------------------------------------------------------------------------------- */

static char path[64];

static const char *file(const char *text)
{
    snprintf(path, sizeof path, "/tmp/serin_cli_XXXXXX");
    int fd = mkstemp(path);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    cr_assert_not_null(out);
    fputs(text, out);
    fclose(out);
    return path;
}

static const char chat[] =
    "kind: Rollout\nservice: chat\nrelease: r1\n---\n"
    "kind: Release\nservice: chat\nname: r1\nartifacts: [prompt/system, model/main@4]\n---\n"
    "kind: Artifact\nname: prompt/system\ncontent: Be kind.\n---\n"
    "kind: Slos\nservice: chat\nslos: {error: {objective: 99}}\n---\n"
    "kind: Policy\nservice: chat\nguardrails: {error: {ceiling: 2}}\n---\n"
    "kind: Service\nname: chat\nsticky: user\n";

Test(cli_commands, apply_in_the_order_of_kinds)
{
    struct canned rows[] = {
        {"GET /v1/services/chat", 404, "{\"title\":\"no\"}", NULL, 1},
        {"PUT /v1/services/chat", 201, "{\"name\":\"chat\"}", NULL, 0},
        {"GET /v1/services/chat/slos", 200,
         "{\"version\":1,\"slos\":{\"error\":{\"objective\":99,\"window\":\"30d\"}}}", "\"s1\"", 0},
        {"GET /v1/services/chat/policy", 200, "{\"version\":0,\"policy\":{}}", "\"p0\"", 0},
        {"PUT /v1/services/chat/policy", 200, "{\"version\":1}", NULL, 0},
        {"POST /v1/artifacts/prompt/system/versions", 200, "{\"version\":7}", NULL, 0},
        {"POST /v1/services/chat/releases", 201, "{\"name\":\"r1\"}", NULL, 0},
        {"GET /v1/services/chat", 200, "{\"name\":\"chat\",\"stable\":null,\"live_rollout\":null}", NULL, 0},
        {"POST /v1/services/chat/rollouts", 201, ROLLOUT("pending", "", "1"), NULL, 0},
        {0}};
    canned_start(rows);
    struct canned_run run = canned_serin("apply", "-f", file(chat), NULL);
    unlink(path);
    cr_assert_eq(run.code, 0, "%s", run.err);
    HAS(run.out, "service chat                             created\n");
    HAS(run.out, "slos chat                                unchanged\n");
    HAS(run.out, "policy chat                              created\n");
    HAS(run.out, "prompt/system@7                          unchanged\n");
    HAS(run.out, "release chat r1                          created\n");
    HAS(run.out, "rollout chat r1                          started " ID "\n");
    HAS(canned_log(),
        "{\"artifacts\":[{\"kind\":\"prompt\",\"name\":\"system\",\"version\":7},{\"kind\":\"model\","
        "\"name\":"
        "\"main\",\"version\":4}],\"name\":\"r1\"}");
}

Test(cli_commands, apply_dry_run_sends_nothing_and_tells_lines)
{
    struct canned rows[] = {{0}};
    canned_start(rows);
    struct canned_run run = canned_serin("apply", "-f", file(chat), "--dry-run", NULL);
    unlink(path);
    cr_assert_eq(run.code, 0, "%s", run.err);
    run = canned_serin("apply", "-f",
                       file("kind: Slos\nservice: chat\nslos:\n  error: {objective: 99}\n---\nkind: Policy\n"
                            "service: chat\nguardrails:\n  refusal: {}\n"),
                       NULL);
    unlink(path);
    cr_assert_eq(run.code, 1);
    HAS(run.err, ":9: /guardrails/refusal: needs an SLO");
    run = canned_serin("apply", "-f", file("kind: Release\nservice: chat\nname: r\nartifacts:\n- promt/x\n"),
                       NULL);
    unlink(path);
    cr_assert_eq(run.code, 1);
    HAS(run.err, ":5: /artifacts/0: \"promt\" is no kind of artifact; did you mean prompt?");
    run = canned_serin("apply", "-f", file("kind: Service\nname: a\n---\nkind: Service\nname: a\n"), NULL);
    unlink(path);
    cr_assert_eq(run.code, 1);
    HAS(run.err, "stands in the file before, at line 1");
    run = canned_serin("apply", "-f", "/nonexistent/x.yaml", NULL);
    cr_assert_eq(run.code, 1);
    cr_assert_str_empty(canned_log());
}

Test(cli_commands, lint_offline)
{
    struct canned rows[] = {{0}};
    canned_start(rows);
    struct canned_run run = canned_serin(
        "lint", "-f",
        file("kind: Slos\nservice: chat\nslos: {error: {objective: 99}}\n---\nkind: Policy\nservice: chat\n"
             "guardrails:\n  error: {ceiling: 0.5}\n"),
        "--rps", "10", NULL);
    unlink(path);
    cr_assert_eq(run.code, 1, "an error finding fails");
    HAS(run.out, ":8: error: the ceiling of 0.5 % is below what the SLO allows, 1 %");
    HAS(run.out, "a healthy rollout takes about");
    run = canned_serin("lint", "-f", file("kind: Slos\nservice: chat\nslos: {error: {objective: 99}}\n"),
                       "--json", NULL);
    unlink(path);
    cr_assert_eq(run.code, 0, "%s", run.err);
    HAS(run.out, "{\"findings\":[");
    HAS(run.out, "give --rps N, the requests a second of the service, or set expected_rps");
    run = canned_serin("lint", "-f", file("kind: Slos\nservice: chat\nslos: {error: {objective: 99}}\n"),
                       "--rps", "1000", NULL);
    unlink(path);
    HAS(run.out, "at 1,000 requests a second a healthy rollout takes about");
    cr_expect_null(strstr(run.out, "give --rps"));
    cr_assert_str_empty(canned_log());
}
