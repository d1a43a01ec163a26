/* Services: list, show, create. */
#include "base/clock.h"
#include "cli/list.h"
#include "cli/pick.h"
#include "spec/policy.h"
#include "spec/slos.h"

#include <string.h>

enum { WRAP = 100 };

static void service_path(struct text *path, const char *service, const char *part)
{
    text_init(path, 1024);
    text_puts(path, "/v1/services");
    client_path(path, service);
    text_puts(path, part);
}

static void begin(struct table *table)
{
    table_begin(table, "SERVICE", "STABLE", "LIVE ROLLOUT", "STICKY", "DESCRIPTION", NULL);
}

static void row(struct table *table, struct json_object *item)
{
    char description[OUTPUT_SHORT_MAX];
    table_cell(table, pick_text(item, "name"));
    table_cell(table, pick_text(item, "stable"));
    table_cell(table, pick_text(item, "live_rollout"));
    table_cell(table, pick_text(item, "sticky"));
    table_cell(table, output_short(pick_text(item, "description"), 60, description));
}

static int run_list(struct cli *cli, struct args *args)
{
    static const struct list list = {
        .path = "/v1/services", .begin = begin, .row = row, .empty = "There are no services."};
    return list_run(cli, args, &list);
}

static void show_service(struct text *out, bool colors, struct json_object *service)
{
    char since[OUTPUT_MAX];
    output_paint(out, colors, PAINT_BOLD, pick_text(service, "name"));
    text_printf(out, "  created %s, sticky by ", output_since(pick_text(service, "created_at"), since));
    output_clean(out, pick_text(service, "sticky"), false);
    text_puts(out, "\nstable: ");
    output_clean(out, pick_has(service, "stable") ? pick_text(service, "stable") : "none yet", false);
    text_puts(out, "\nlive rollout: ");
    output_clean(out, pick_has(service, "live_rollout") ? pick_text(service, "live_rollout") : "none", false);
    text_putc(out, '\n');
    if (pick_text(service, "description")[0] != '\0') {
        output_wrap(out, pick_text(service, "description"), 0, 100);
    }
}

/* SLOs and guardrails side by side, with the defaults that hold where nothing is written. */
static void show_rules(struct text *out, bool colors, const struct slos *slos, const struct policy *policy)
{
    struct table table;
    static const char *const actions[] = {"rollback", "pause", "notify"};
    char text[OUTPUT_MAX];
    text_putc(out, '\n');
    table_begin(&table, "SLI", "OBJECTIVE", "THRESHOLD", "WINDOW", "IF IT FAILS", "CEILING", "TOLERANCE",
                NULL);
    for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
        const struct slo *slo = &slos->of[sli];
        const struct guardrail *guardrail = &policy->guardrail[sli];
        if (!slo->used) {
            continue;
        }
        table_cell(&table, sli_name(sli));
        table_cell(&table, output_percent(slo->objective_ppm / 1e4, text));
        table_cell(&table, slo->threshold_ms > 0 ? clock_format_duration(slo->threshold_ms, text) : "");
        table_cell(&table, clock_format_duration(slo->window_s * 1000, text));
        table_cell(&table, actions[guardrail->action]);
        table_cell(&table, guardrail->ceiling > 0 ? output_percent(100 * guardrail->ceiling, text) : "none");
        snprintf(text, sizeof text, "x %.3g", guardrail->tolerance);
        table_cell(&table, text);
    }
    table_end(&table, colors, out);
}

static void show_plan(struct text *out, const struct spec_policy *policy)
{
    char text[OUTPUT_MAX];
    text_puts(out, policy->has_plan ? "\nplan: " : "\nplan (built in): ");
    for (size_t i = 0; i < policy->plan.steps; i++) {
        text_printf(out, "%s%s", i > 0 ? ", " : "", output_weight(policy->plan.step[i].weight, text));
    }
    text_printf(out, "; stable keeps %s in the bake\n", output_weight(policy->policy.holdback, text));
    text_printf(out, "counts from %s\n", spec_source_kind(policy->source.kind)->name);
}

/* The answers to GET slos and GET policy. What this program cannot read it says so, and shows nothing of it.
 */
static void show_documents(struct text *out, bool colors, const struct client_answer *slos_answer,
                           const struct client_answer *policy_answer)
{
    struct slos slos;
    struct spec_policy policy;
    if (slos_answer->http == 404) {
        text_puts(out,
                  "\nIt has no SLOs yet: nothing can be watched. Add them with serin apply (kind: Slos).\n");
    } else if (spec_read_slos(pick(slos_answer->json, "slos"), "", &slos, NULL) != STATUS_OK ||
               spec_read_policy(pick(policy_answer->json, "policy"), "", &slos, &policy, NULL) != STATUS_OK) {
        text_puts(
            out,
            "\nIts SLOs and policy do not go together: see serin service slos and serin service policy\n");
    } else {
        show_rules(out, colors, &slos, &policy.policy);
        show_plan(out, &policy);
    }
}

static int run_show(struct cli *cli, struct args *args)
{
    struct client_answer service, slos = {0}, policy = {0};
    struct text path, out;
    if (!cli_name(cli, "the service", args->word[0])) {
        return CLI_USAGE;
    }
    service_path(&path, args->word[0], "");
    int code = cli_get(cli, text_get(&path), &service);
    text_free(&path);
    if (code != CLI_OK || cli->json) {
        return code == CLI_OK ? cli_print_json(cli, &service) : code;
    }
    service_path(&path, args->word[0], "/slos");
    code = cli_look(cli, text_get(&path), &slos);
    text_free(&path);
    if (code == CLI_OK) {
        service_path(&path, args->word[0], "/policy");
        code = cli_look(cli, text_get(&path), &policy);
        text_free(&path);
    }
    if (code == CLI_OK) {
        text_init(&out, 1 << 20);
        show_service(&out, cli->out_colors, service.json);
        show_documents(&out, cli->out_colors, &slos, &policy);
        code = cli_print(cli, &out);
    }
    client_answer_free(&service);
    client_answer_free(&slos);
    client_answer_free(&policy);
    return code;
}

/* slos and policy: as JSON, which is what apply reads. */
static int run_document(struct cli *cli, struct args *args, const char *part, const char *field)
{
    struct client_answer answer;
    struct text path;
    if (!cli_name(cli, "the service", args->word[0])) {
        return CLI_USAGE;
    }
    service_path(&path, args->word[0], part);
    int code = cli_get(cli, text_get(&path), &answer);
    text_free(&path);
    if (code != CLI_OK || cli->json) {
        return code == CLI_OK ? cli_print_json(cli, &answer) : code;
    }
    fprintf(cli->out, "%s\n",
            json_object_to_json_string_ext(pick(answer.json, field), JSON_C_TO_STRING_PRETTY |
                                                                         JSON_C_TO_STRING_SPACED |
                                                                         JSON_C_TO_STRING_NOSLASHESCAPE));
    client_answer_free(&answer);
    return CLI_OK;
}

static int run_slos(struct cli *cli, struct args *args)
{
    return run_document(cli, args, "/slos", "slos");
}

static int run_policy(struct cli *cli, struct args *args)
{
    return run_document(cli, args, "/policy", "policy");
}

/* What is missing to measure it, and what to do meanwhile. */
static void show_missing(struct text *out, struct json_object *slis)
{
    bool missing = false;
    for (size_t i = 0; i < json_object_array_length(slis); i++) {
        struct json_object *one = json_object_array_get_idx(slis, i);
        struct text line;
        if (!pick_has(one, "needs")) {
            continue;
        }
        text_init(&line, 1024);
        text_printf(&line, "%s is not measured. It needs %s.", pick_text(one, "sli"),
                    pick_text(one, "needs"));
        output_wrap(out, text_get(&line), 0, WRAP);
        text_free(&line);
        missing = true;
    }
    if (missing) {
        output_wrap(
            out,
            "Until then 'eta: auto' is 1 there. Wait for more traffic or let a second gateway report, or "
            "set eta by hand where you know of bursts (handbook, policy.md).",
            0, WRAP);
    }
}

static void show_overdispersion(struct text *out, bool colors, struct json_object *slis)
{
    struct table table;
    table_begin(&table, "SLI", "PHI", "ETA", "BLOCKS", "NEEDED", "BLOCK", "GATEWAYS", NULL);
    for (size_t i = 1; i < table.columns; i++) {
        table.right[i] = true;
    }
    for (size_t i = 0; i < json_object_array_length(slis); i++) {
        static const char *const counts[] = {"blocks", "blocks_needed"};
        struct json_object *one = json_object_array_get_idx(slis, i);
        char text[OUTPUT_MAX];
        table_cell(&table, pick_text(one, "sli"));
        for (int column = 0; column < 2; column++) {
            snprintf(text, sizeof text, "%.2f", pick_number(one, column == 0 ? "phi" : "eta"));
            table_cell(&table, pick_has(one, "phi") ? text : "");
        }
        for (int column = 0; column < 2; column++) {
            table_cell(&table, output_count(pick_integer(one, counts[column]), text));
        }
        table_cell(&table, output_span(pick_integer(one, "block_s"), text));
        table_cell(&table, output_count(pick_integer(one, "gateways"), text));
    }
    table_end(&table, colors, out);
    output_wrap(
        out,
        "PHI is the variance between two halves of the gateways over what chance would give, from blocks "
        "with bad outcomes of stable in the last four hours. Where it is above 1, set eta to ETA in the "
        "policy, or to auto.",
        0, WRAP);
    show_missing(out, slis);
}

static int run_overdispersion(struct cli *cli, struct args *args)
{
    struct client_answer answer;
    struct text path, out;
    if (!cli_name(cli, "the service", args->word[0])) {
        return CLI_USAGE;
    }
    service_path(&path, args->word[0], "/overdispersion");
    int code = cli_get(cli, text_get(&path), &answer);
    text_free(&path);
    if (code != CLI_OK || cli->json) {
        return code == CLI_OK ? cli_print_json(cli, &answer) : code;
    }
    text_init(&out, 1 << 16);
    if (json_object_array_length(pick(answer.json, "slis")) == 0) {
        output_wrap(&out,
                    "Nothing to measure: the service has no objectives. Set them with 'serin apply' and kind "
                    "Slos.",
                    0, WRAP);
    } else {
        show_overdispersion(&out, cli->out_colors, pick(answer.json, "slis"));
    }
    code = cli_print(cli, &out);
    client_answer_free(&answer);
    return code;
}

static int run_create(struct cli *cli, struct args *args)
{
    struct client_answer answer;
    struct text path;
    if (!cli_name(cli, "the service", args->word[0])) {
        return CLI_USAGE;
    }
    struct json_object *body = json_object_new_object();
    cli_add_text(&body, "description", args_get(args, "description"));
    cli_add_text(&body, "sticky", args_get(args, "sticky"));
    if (body == NULL) {
        return cli_refuse(cli, NULL, "out of memory");
    }
    service_path(&path, args->word[0], "");
    int code =
        cli_send(cli, &(struct client_call){.method = "PUT", .path = text_get(&path), .body = body}, &answer);
    text_free(&path);
    json_object_put(body);
    if (code != CLI_OK || cli->json) {
        return code == CLI_OK ? cli_print_json(cli, &answer) : code;
    }
    fprintf(cli->out, "%s %s\n", args->word[0], answer.http == 201 ? "created" : "exists; changed");
    client_answer_free(&answer);
    return CLI_OK;
}

static const struct args_option create_options[] = {
    {"description", 'd', ARGS_VALUE, "TEXT", "what it is"},
    {"sticky", 0, ARGS_VALUE, "KEY", "what sticks to one arm: user, conversation, or none (a random draw)"},
    {0}};

static const struct args_option list_options[] = {LIST_OPTIONS, {0}};

const struct command service_commands[] = {
    {"service list", "", "services and where each of them is", NULL, list_options, 0, 0, run_list},
    {"service show", "SERVICE", "a service with its objectives and guardrails", NULL, NULL, 1, 1, run_show},
    {"service slos", "SERVICE", "its objectives, as apply reads them", NULL, NULL, 1, 1, run_slos},
    {"service policy", "SERVICE", "its policy, as apply reads it", NULL, NULL, 1, 1, run_policy},
    {"service overdispersion", "SERVICE", "how much noisier its bad outcomes are than chance", NULL, NULL, 1,
     1, run_overdispersion},
    {"service create", "SERVICE", "create a service, or change its description and stickiness", NULL,
     create_options, 1, 1, run_create},
    {0}};
