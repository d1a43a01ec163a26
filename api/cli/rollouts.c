/* Rollouts: start, status, list. */
#include "base/clock.h"
#include "cli/explain.h"
#include "cli/follow.h"
#include "cli/list.h"
#include "cli/pick.h"
#include "cli/target.h"
#include "spec/plan.h"

#include <string.h>
#include <time.h>

enum { GATEWAY_MS = 5000 }; /* that a start waits for a gateway to be heard */

static void rollouts_path(struct text *path, const char *service)
{
    text_init(path, 1024);
    text_puts(path, "/v1/services");
    client_path(path, service);
    text_puts(path, "/rollouts");
}

/* Adds the plan in a file to the body: {steps: ...}, or a policy or document with a field plan. */
static int add_plan(struct cli *cli, const char *path, struct json_object **body)
{
    struct yamldoc_stream stream;
    struct fault fault = {0};
    struct plan plan;
    int code = cli_read_yaml(cli, path, &stream);
    if (code != CLI_OK) {
        return code;
    }
    struct json_object *value = stream.document[0].value;
    bool inside = !pick_has(value, "steps") && pick_has(value, "plan");
    value = inside ? pick(value, "plan") : value;
    if (spec_read_plan(value, inside ? "/plan" : "", &plan, &fault) != STATUS_OK) {
        code = cli_fault_in(cli, &fault, &stream.document[0], path);
    } else {
        cli_add(body, "plan", json_object_get(value));
    }
    yamldoc_free(&stream);
    return code;
}

static void add_flag(struct args *args, const char *option, struct json_object **body, const char *field)
{
    if (args_has(args, option)) {
        cli_add(body, field, json_object_new_boolean(true));
    }
}

static void show_started(struct cli *cli, struct json_object *rollout)
{
    struct text out;
    text_init(&out, 16 << 10);
    output_paint(&out, cli->out_colors, PAINT_BOLD, pick_text(rollout, "id"));
    text_puts(&out, "  ");
    output_clean(&out, pick_text(rollout, "service"), false);
    text_puts(&out, ": ");
    output_clean(&out, pick_has(rollout, "stable") ? pick_text(rollout, "stable") : "nothing", false);
    text_puts(&out, " -> ");
    output_clean(&out, pick_text(rollout, "release"), false);
    text_puts(&out, ", ");
    explain_where(rollout, &out);
    text_putc(&out, '\n');
    if (pick_text(rollout, "reason")[0] != '\0') {
        output_wrap(&out, pick_text(rollout, "reason"), 2, 100);
    }
    explain_forecast(rollout, &out);
    explain_warnings(rollout, &out);
    cli_print(cli, &out);
    fflush(cli->out);
}

/* Shows the rollout of an answer (which is freed), then follows it if asked to. */
static int show_and_follow(struct cli *cli, struct args *args, struct client_answer *answer)
{
    struct follow follow = {0};
    snprintf(follow.id, sizeof follow.id, "%s", pick_text(answer->json, "id"));
    bool wait = args_has(args, "wait");
    if (wait && cli->json) {
        client_answer_free(answer); /* following prints it */
    } else if (cli->json) {
        cli_print_json(cli, answer);
    } else {
        show_started(cli, answer->json);
        client_answer_free(answer);
    }
    if (!wait) {
        return CLI_OK;
    }
    return follow_options(args, &follow) ? follow_run(cli, &follow) : CLI_USAGE;
}

/* A gateway that polled a moment ago is written down within a second; so that what is started by a script
   right after the first poll of a new service starts. */
static int post_start(struct cli *cli, const char *service, const char *path, struct json_object *body,
                      struct client_answer *answer)
{
    struct mono_time start = clock_mono();
    struct fault fault = {0};
    bool said = false;
    for (;;) {
        if (cli_try(cli, &(struct client_call){.method = "POST", .path = path, .body = body}, answer,
                    &fault) != STATUS_OK) {
            return cli_fault(cli, &fault);
        }
        if (answer->http >= 200 && answer->http < 300 && answer->json != NULL) {
            return CLI_OK;
        }
        if (strstr(pick_text(answer->json, "type"), "no-gateway") == NULL ||
            clock_mono_since_ms(start) >= GATEWAY_MS) {
            int code = cli_problem(cli, answer);
            client_answer_free(answer);
            return code;
        }
        client_answer_free(answer);
        if (!said) {
            fprintf(cli->err, "No gateway of %s is heard yet; waiting up to %d s for one\n", service,
                    GATEWAY_MS / 1000);
            said = true;
        }
        nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
    }
}

static int run_start(struct cli *cli, struct args *args)
{
    struct client_answer answer;
    struct follow unused = {0};
    struct text path;
    if (!cli_name(cli, "the service", args->word[0]) || !cli_name(cli, "the release", args->word[1]) ||
        !follow_options(args, &unused)) {
        return CLI_USAGE;
    }
    struct json_object *body = json_object_new_object();
    cli_add_text(&body, "release", args->word[1]);
    cli_add_text(&body, "reason", args_get(args, "reason"));
    add_flag(args, "supersede", &body, "supersede");
    add_flag(args, "fix", &body, "fix");
    add_flag(args, "allow-no-gateway", &body, "allow_no_gateway");
    if (args_has(args, "plan")) {
        int code = add_plan(cli, args_get(args, "plan"), &body);
        if (code != CLI_OK) {
            json_object_put(body);
            return code;
        }
    }
    rollouts_path(&path, args->word[0]);
    int code = body == NULL ? cli_refuse(cli, NULL, "out of memory")
                            : post_start(cli, args->word[0], text_get(&path), body, &answer);
    json_object_put(body);
    text_free(&path);
    return code == CLI_OK ? show_and_follow(cli, args, &answer) : code;
}

static void put_route(struct text *out, struct json_object *rollout)
{
    struct json_object *route = pick(rollout, "route");
    char weight[OUTPUT_MAX], since[OUTPUT_MAX];
    if (route == NULL) {
        return;
    }
    text_printf(out, "Route: epoch %lld, canary %s, written %s, ", (long long)pick_integer(route, "epoch"),
                output_weight(pick_integer(route, "weight"), weight),
                output_since(pick_text(route, "written_at"), since));
    if (pick_has(route, "applied_at")) {
        text_printf(out, "applied %s\n", output_since(pick_text(route, "applied_at"), since));
    } else {
        text_puts(out, "not yet applied by every gateway\n");
    }
}

static int show_status(struct cli *cli, struct client_answer *answer, struct json_object *explanation)
{
    struct text out;
    char text[OUTPUT_MAX];
    text_init(&out, 1 << 20);
    explain_brief(explanation, cli->out_colors, &out);
    explain_muted(answer->json, &out);
    put_route(&out, answer->json);
    if (pick_bool(answer->json, "unproven")) {
        output_paint(&out, cli->out_colors, PAINT_YELLOW,
                     pick_has(answer->json, "stable")
                         ? "A step was passed without proof."
                         : "Unproven: a first release has no stable beside it to be compared with.");
        text_putc(&out, '\n');
    }
    if (pick_has(answer->json, "step_deadline_at")) {
        text_printf(&out, "The step's deadline is %s\n",
                    output_since(pick_text(answer->json, "step_deadline_at"), text));
    }
    text_printf(&out, "Started %s by ", output_since(pick_text(answer->json, "created_at"), text));
    output_clean(&out, pick_text(answer->json, "created_by"), false);
    text_putc(&out, '\n');
    return cli_print(cli, &out);
}

static int run_status(struct cli *cli, struct args *args)
{
    struct client_answer answer, explanation;
    struct follow follow = {0};
    struct text path;
    if (!follow_options(args, &follow)) {
        return CLI_USAGE;
    }
    int code = target_find(cli, args->word[0], TARGET_NEWEST, follow.id);
    if (code != CLI_OK || args_has(args, "wait")) {
        return code == CLI_OK ? follow_run(cli, &follow) : code;
    }
    target_path(&path, follow.id, "");
    code = cli_get(cli, text_get(&path), &answer);
    text_free(&path);
    if (code != CLI_OK || cli->json) {
        return code == CLI_OK ? cli_print_json(cli, &answer) : code;
    }
    target_path(&path, follow.id, "/explain");
    code = cli_get(cli, text_get(&path), &explanation);
    text_free(&path);
    if (code == CLI_OK) {
        code = show_status(cli, &answer, explanation.json);
        client_answer_free(&explanation);
    }
    client_answer_free(&answer);
    return code;
}

static void begin(struct table *table)
{
    table_begin(table, "ROLLOUT", "RELEASE", "FROM", "PHASE", "STEP", "WEIGHT", "STARTED", "BY",
                "WHY IT IS THERE", NULL);
    table->right[5] = true;
}

static void row(struct table *table, struct json_object *item)
{
    char text[OUTPUT_MAX], reason[OUTPUT_SHORT_MAX];
    const char *phase = pick_text(item, "phase");
    table_cell(table, pick_text(item, "id"));
    table_cell(table, pick_text(item, "release"));
    table_cell(table, pick_text(item, "stable"));
    table_cell_painted(table,
                       strcmp(phase, "completed") == 0                                      ? PAINT_GREEN
                       : strcmp(phase, "rolled_back") == 0 || strcmp(phase, "aborted") == 0 ? PAINT_RED
                                                                                            : PAINT_YELLOW,
                       phase);
    snprintf(text, sizeof text, "%lld/%lld", (long long)pick_integer(item, "step"),
             (long long)pick_integer(item, "steps"));
    table_cell(table, text);
    table_cell(table, output_weight(pick_integer(item, "weight"), text));
    table_cell(table, output_since(pick_text(item, "created_at"), text));
    table_cell(table, pick_text(item, "created_by"));
    table_cell(table, output_short(pick_text(item, "reason"), 60, reason));
}

static int run_list(struct cli *cli, struct args *args)
{
    struct list list = {.begin = begin, .row = row, .empty = "The service has had no rollout yet."};
    struct text path;
    if (!cli_name(cli, "the service", args->word[0])) {
        return CLI_USAGE;
    }
    rollouts_path(&path, args->word[0]);
    list.path = text_get(&path);
    int code = list_run(cli, args, &list);
    text_free(&path);
    return code;
}

static const struct args_option start_options[] = {
    {"plan", 'p', ARGS_VALUE, "FILE", "a plan (YAML: steps); else the policy's"},
    {"reason", 'r', ARGS_VALUE, "TEXT", "why; it is kept"},
    {"supersede", 0, ARGS_FLAG, NULL, "abort the live rollout in the same transaction"},
    {"fix", 0, ARGS_FLAG, NULL, "stable itself is broken: waives the budget check"},
    {"allow-no-gateway", 0, ARGS_FLAG, NULL, "also when no gateway is live"},
    FOLLOW_OPTIONS,
    {0}};

static const struct args_option status_options[] = {FOLLOW_OPTIONS, {0}};
static const struct args_option list_options[] = {LIST_OPTIONS, {0}};

const struct command rollout_commands[] = {
    {"rollout start", "SERVICE RELEASE", "start moving a service to a release",
     "Plan, policy and objectives are frozen into the rollout.\n\n  serin rollout start chat r7 --wait "
     "--timeout 2h",
     start_options, 2, 2, run_start},
    {"rollout status", "ID|SERVICE", "where a rollout is; with -w until it ends",
     "Exit codes of -w: 0 completed, 4 aborted, 5 rolled back, 6 timed out, 7 paused (with --until-paused), "
     "3 no answer "
     "for two minutes. Of a service: its live rollout, else the newest.",
     status_options, 1, 1, run_status},
    {"rollout list", "SERVICE", "rollouts of a service, newest first", NULL, list_options, 1, 1, run_list},
    {0}};
