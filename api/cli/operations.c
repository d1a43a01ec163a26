/* Operations: rollback, freeze, routes, gateways, events. */
#include "base/clock.h"
#include "base/trace.h"
#include "cli/list.h"
#include "cli/pick.h"

#include <string.h>
#include <time.h>

enum { POLL_MS = 1000, APPLIED_MS = 120000 };

/* Where all traffic goes now, and whether that is a change. */
static void put_where(struct text *out, bool colors, struct json_object *result)
{
    bool stays = !pick_has(result, "left") && pick_has(result, "rollout");
    if (!pick_has(result, "stable")) {
        text_puts(out, "no release serves it, it has no route");
        return;
    }
    text_puts(out, stays ? "all traffic stays at " : "all traffic goes to ");
    output_paint(out, colors, PAINT_BOLD, pick_text(result, "stable"));
    if (!pick_has(result, "left") && !stays) {
        text_puts(out, "; it did so before");
    }
}

static void put_rollback(struct text *out, bool colors, const char *service, struct json_object *result)
{
    struct json_object *route = pick(result, "route");
    bool serves = pick_has(result, "stable"), left = pick_has(result, "left");
    output_paint(out, colors, PAINT_BOLD, service);
    text_puts(out, ": ");
    put_where(out, colors, result);
    if (left) {
        text_puts(out, "; left ");
        output_clean(out, pick_text(result, "left"), false);
    }
    if (pick_has(result, "rollout")) {
        text_puts(out, left ? ", ended " : "; ended ");
        output_clean(out, pick_text(result, "rollout"), false);
    }
    text_putc(out, '\n');
    if (serves && !pick_bool(result, "baked")) {
        output_clean(out, pick_text(result, "stable"), false);
        text_puts(out, " was never proven: it has completed no rollout\n");
    }
    if (!serves) {
        text_printf(out, "Gateways get 404. Start a rollout: serin rollout start %s RELEASE\n", service);
    } else if (!left && pick_has(result, "rollout")) {
        text_printf(out, "What was ended had no traffic. To leave this release: serin rollback %s\n",
                    service);
    }
    if (route != NULL) {
        text_printf(out, "Written as epoch %lld; %s\n", (long long)pick_integer(route, "epoch"),
                    pick_has(route, "applied_at") ? "applied by every live gateway"
                                                  : "not yet applied by every gateway");
    }
}

/* The written route of a service, in the list of all. Lent by `routes`. */
static struct json_object *route_of(struct json_object *routes, const char *service)
{
    for (size_t i = 0; i < pick_length(routes, "items"); i++) {
        struct json_object *route = pick_nth(routes, "items", i);
        if (strcmp(pick_text(route, "service"), service) == 0) {
            return route;
        }
    }
    return NULL;
}

/* 1 applied, 0 not yet, -1 not known (not found, or no answer). */
static int applied(struct cli *cli, const char *service, int64_t epoch)
{
    char cursor[1024] = "";
    int found = -1;
    do {
        struct client_answer answer;
        struct text path;
        text_init(&path, 2048);
        text_puts(&path, "/v1/routes?limit=200");
        if (cursor[0] != '\0') {
            client_query(&path, "cursor", cursor);
        }
        enum status status =
            cli_try(cli, &(struct client_call){.method = "GET", .path = text_get(&path)}, &answer, NULL);
        text_free(&path);
        if (status != STATUS_OK) {
            return -1;
        }
        struct json_object *route = route_of(answer.json, service);
        if (route != NULL) {
            found = pick_integer(route, "epoch") > epoch || pick_has(route, "applied_at") ? 1 : 0;
        }
        snprintf(cursor, sizeof cursor, "%s", pick_text(answer.json, "next_cursor"));
        client_answer_free(&answer);
    } while (found < 0 && cursor[0] != '\0');
    return found;
}

static void put_waiting(struct text *out, struct json_object *gateway)
{
    char text[OUTPUT_MAX];
    text_puts(out, "Waiting for ");
    output_clean(out, pick_text(gateway, "instance"), false);
    if (pick_bool(gateway, "live")) {
        text_puts(out, ": it is heard, and has not applied it yet");
        if (pick_has(gateway, "problem")) {
            text_puts(out, ". ");
            output_clean(out, pick_text(gateway, "problem"), false);
        }
        text_putc(out, '\n');
        return;
    }
    text_printf(out, ": silent, last heard %s; ", output_since(pick_text(gateway, "heard_at"), text));
    text_printf(out, "unless it speaks, its lease on canary weight ends %s, and it counts as applied\n",
                output_since(pick_text(gateway, "applied_by"), text));
}

/* Says who is waited for, and until when; each only once. */
static void say_waiting(struct cli *cli, const char *service, struct text *said)
{
    struct client_answer answer;
    struct text path;
    text_init(&path, 2048);
    text_puts(&path, "/v1/gateways?limit=200");
    client_query(&path, "service", service);
    enum status status =
        cli_try(cli, &(struct client_call){.method = "GET", .path = text_get(&path)}, &answer, NULL);
    text_free(&path);
    if (status != STATUS_OK) {
        return;
    }
    for (size_t i = 0; i < pick_length(answer.json, "items"); i++) {
        struct json_object *gateway = pick_nth(answer.json, "items", i);
        char mark[80];
        snprintf(mark, sizeof mark, " %.63s%s ", pick_text(gateway, "instance"),
                 pick_bool(gateway, "live") ? "" : "/silent");
        if (!pick_bool(gateway, "awaited") || strstr(text_get(said), mark) != NULL) {
            continue;
        }
        struct text line;
        text_init(&line, 1024);
        text_puts(said, mark);
        put_waiting(&line, gateway);
        fputs(text_get(&line), cli->err);
        text_free(&line);
    }
    client_answer_free(&answer);
}

static int wait_applied(struct cli *cli, const char *service, int64_t epoch, int64_t timeout_ms)
{
    struct mono_time start = clock_mono();
    struct text said;
    text_init(&said, 64 << 10);
    for (;;) {
        if (applied(cli, service, epoch) == 1) {
            if (!cli->json) {
                fputs("Applied by every live gateway\n", cli->out);
            }
            text_free(&said);
            return CLI_OK;
        }
        say_waiting(cli, service, &said);
        if (clock_mono_since_ms(start) >= timeout_ms) {
            fprintf(cli->err,
                    "serin: written, but not known to be applied everywhere: see serin gateways %s\n",
                    service);
            text_free(&said);
            return CLI_TIMED_OUT;
        }
        nanosleep(&(struct timespec){.tv_sec = POLL_MS / 1000}, NULL);
    }
}

static int run_rollback(struct cli *cli, struct args *args)
{
    struct client_answer answer;
    struct text path, out;
    int64_t timeout_ms = APPLIED_MS;
    const char *service = args->word[0], *to = args_get(args, "to");
    if (!cli_name(cli, "the service", service) || (to != NULL && !cli_name(cli, "the release", to)) ||
        !args_duration(args, "timeout", &timeout_ms)) {
        return CLI_USAGE;
    }
    struct json_object *body = json_object_new_object();
    cli_add_text(&body, "to", to);
    cli_add_text(&body, "reason", args_get(args, "reason"));
    text_init(&path, 1024);
    text_puts(&path, "/v1/services");
    client_path(&path, service);
    text_puts(&path, "/rollback");
    int code = cli_post(cli, text_get(&path), body, &answer);
    text_free(&path);
    if (code != CLI_OK) {
        return code;
    }
    int64_t epoch = pick_integer(pick(answer.json, "route"), "epoch");
    bool done = !pick_has(answer.json, "route") || pick_has(pick(answer.json, "route"), "applied_at");
    if (cli->json) {
        cli_print_json(cli, &answer);
    } else {
        text_init(&out, 16 << 10);
        put_rollback(&out, cli->out_colors, service, answer.json);
        client_answer_free(&answer);
        cli_print(cli, &out);
    }
    fflush(cli->out);
    return args_has(args, "wait") && !done ? wait_applied(cli, service, epoch, timeout_ms) : CLI_OK;
}

static int show_freeze(struct cli *cli, struct client_answer *answer)
{
    struct text out;
    char since[OUTPUT_MAX];
    if (cli->json) {
        return cli_print_json(cli, answer);
    }
    text_init(&out, 16 << 10);
    if (pick_bool(answer->json, "frozen")) {
        output_paint(&out, cli->out_colors, PAINT_YELLOW, "Frozen");
        text_printf(&out, " %s by ", output_since(pick_text(answer->json, "since"), since));
        output_clean(&out, pick_text(answer->json, "by"), false);
        text_puts(&out, ": ");
        output_clean(&out, pick_text(answer->json, "reason"), false);
        text_puts(&out, "\nNo rollout starts or advances; rollbacks go on. Lift it: serin freeze --lift\n");
    } else {
        text_puts(&out, "Not frozen\n");
    }
    client_answer_free(answer);
    return cli_print(cli, &out);
}

static int run_freeze(struct cli *cli, struct args *args)
{
    struct client_answer answer;
    const char *reason = args_get(args, "reason");
    bool lift = args_has(args, "lift"), status = args_has(args, "show");
    int code;
    if (lift + status + (reason != NULL) != 1) {
        return cli_usage(cli, "give one of --reason TEXT, --lift and --show");
    }
    if (reason != NULL) {
        struct json_object *body = json_object_new_object();
        cli_add_text(&body, "reason", reason);
        code = cli_post(cli, "/v1/freeze", body, &answer);
        if (code == CLI_OK && strcmp(pick_text(answer.json, "reason"), reason) != 0) {
            fputs("serin: it was frozen already: the first reason stays, and yours is not kept\n", cli->err);
        }
    } else {
        code = cli_send(cli, &(struct client_call){.method = lift ? "DELETE" : "GET", .path = "/v1/freeze"},
                        &answer);
    }
    return code == CLI_OK ? show_freeze(cli, &answer) : code;
}

static void begin_routes(struct table *table)
{
    table_begin(table, "SERVICE", "EPOCH", "STABLE", "CANARY", "WEIGHT", "WRITTEN", "APPLIED", "LEASE ENDS",
                NULL);
    table->right[1] = true;
    table->right[4] = true;
}

static void route_row(struct table *table, struct json_object *item)
{
    char text[OUTPUT_MAX];
    bool is_applied = pick_has(item, "applied_at");
    table_cell(table, pick_text(item, "service"));
    snprintf(text, sizeof text, "%lld", (long long)pick_integer(item, "epoch"));
    table_cell(table, text);
    table_cell(table, pick_text(item, "stable"));
    table_cell(table, pick_text(item, "canary"));
    table_cell(table, output_weight(pick_integer(item, "weight"), text));
    table_cell(table, output_since(pick_text(item, "written_at"), text));
    table_cell_painted(table, is_applied ? PAINT_GREEN : PAINT_YELLOW,
                       is_applied ? output_since(pick_text(item, "applied_at"), text) : "not yet");
    table_cell(table, output_since(pick_text(item, "valid_until"), text));
}

static int run_routes(struct cli *cli, struct args *args)
{
    static const struct list list = {
        .path = "/v1/routes", .begin = begin_routes, .row = route_row, .empty = "There are no routes."};
    return list_run(cli, args, &list);
}

static void begin_gateways(struct table *table)
{
    table_begin(table, "GATEWAY", "SERVICE", "APPLIED", "CURRENT", "STATE", "HEARD", "PROBLEM", NULL);
    table->right[2] = true;
    table->right[3] = true;
}

static void epoch_cell(struct table *table, struct json_object *item, const char *field)
{
    char text[OUTPUT_MAX];
    snprintf(text, sizeof text, "%lld", (long long)pick_integer(item, field));
    table_cell(table, pick_has(item, field) ? text : "");
}

static void gateway_row(struct table *table, struct json_object *item)
{
    char text[OUTPUT_MAX];
    bool live = pick_bool(item, "live"), behind = pick_bool(item, "behind");
    bool reports_only = pick_bool(item, "reports_only");
    table_cell(table, pick_text(item, "instance"));
    table_cell(table, pick_text(item, "service"));
    epoch_cell(table, item, "applied_epoch");
    epoch_cell(table, item, "current_epoch");
    table_cell_painted(table,
                       reports_only ? PAINT_NONE
                       : !live      ? PAINT_RED
                       : behind     ? PAINT_YELLOW
                                    : PAINT_GREEN,
                       reports_only ? "reports only"
                       : !live      ? "silent"
                       : behind     ? "behind"
                                    : "current");
    table_cell(table, output_since(pick_text(item, "heard_at"), text));
    table_cell(table, pick_text(item, "problem"));
}

static int run_gateways(struct cli *cli, struct args *args)
{
    struct list list = {.begin = begin_gateways, .row = gateway_row, .empty = "No gateway has been heard."};
    struct text path;
    if (args->words > 0 && !cli_name(cli, "the service", args->word[0])) {
        return CLI_USAGE;
    }
    text_init(&path, 1024);
    text_puts(&path, "/v1/gateways");
    if (args->words > 0) {
        client_query(&path, "service", args->word[0]);
    }
    list.path = text_get(&path);
    int code = list_run(cli, args, &list);
    text_free(&path);
    return code;
}

static void begin_events(struct table *table)
{
    table_begin(table, "WHEN", "WHAT", "SERVICE", "RELEASE", "BY", "RULE", "REASON", NULL);
}

static void event_row(struct table *table, struct json_object *item)
{
    char text[OUTPUT_MAX], reason[OUTPUT_SHORT_MAX];
    table_cell(table, output_since(pick_text(item, "at"), text));
    table_cell(table, pick_text(item, "type"));
    table_cell(table, pick_text(item, "service"));
    table_cell(table, pick_text(item, "release"));
    table_cell(table, pick_text(item, "actor"));
    table_cell(table, pick_text(item, "rule"));
    table_cell(table, output_short(pick_text(item, "reason"), 100, reason));
}

/* The trace of the decision: the event's own, or of the one it belongs to. */
static void traced_row(struct table *table, struct json_object *item)
{
    char trace[TRACE_ID_MAX], when[OUTPUT_MAX];
    const char *event = pick_text(pick(item, "data"), "decision");
    if (event[0] == '\0' && pick_has(item, "rule"))
        event = pick_text(item, "id");
    trace_of_event(event, trace);
    table_cell(table, output_since(pick_text(item, "at"), when));
    table_cell(table, pick_text(item, "type"));
    table_cell(table, pick_text(item, "service"));
    table_cell(table, pick_text(item, "rule"));
    table_cell(table, trace);
}

static void begin_traced(struct table *table)
{
    table_begin(table, "WHEN", "WHAT", "SERVICE", "RULE", "TRACE", NULL);
}

static int run_events(struct cli *cli, struct args *args)
{
    struct list list = {.begin = begin_events, .row = event_row, .empty = "Nothing has happened yet."};
    struct text path;
    if (args->words > 0 && !cli_name(cli, "the service", args->word[0])) {
        return CLI_USAGE;
    }
    if (args_has(args, "traces")) {
        list.begin = begin_traced;
        list.row = traced_row;
    }
    text_init(&path, 2048);
    text_puts(&path, "/v1/events");
    if (args->words > 0) {
        client_query(&path, "service", args->word[0]);
    }
    if (args_has(args, "rollout")) {
        client_query(&path, "rollout", args_get(args, "rollout"));
    }
    list.path = text_get(&path);
    int code = list_run(cli, args, &list);
    text_free(&path);
    return code;
}

static const struct args_option rollback_options[] = {
    {"to", 0, ARGS_VALUE, "RELEASE",
     "to this release, whatever became of it; one that is quarantined or was never baked only with a reason"},
    {"reason", 'r', ARGS_VALUE, "TEXT", "why; it is kept"},
    {"wait", 'w', ARGS_FLAG, NULL, "until every live gateway has applied it"},
    {"timeout", 0, ARGS_VALUE, "DURATION", "of --wait (2m); then exit code 6"},
    {0}};

static const struct args_option freeze_options[] = {
    {"reason", 'r', ARGS_VALUE, "TEXT", "freeze, and why"},
    {"lift", 0, ARGS_FLAG, NULL, "lift the freeze"},
    {"show", 0, ARGS_FLAG, NULL, "say whether advances are frozen"},
    {0}};

static const struct args_option list_options[] = {LIST_OPTIONS, {0}};
static const struct args_option event_options[] = {
    {"rollout", 0, ARGS_VALUE, "ID", "only of this rollout"},
    {"traces", 0, ARGS_FLAG, NULL, "with the trace ids of decisions, as the collector has them"},
    LIST_OPTIONS,
    {0}};

const struct command operation_commands[] = {
    {"rollback", "SERVICE", "back to the rollback target, now",
     "Works in every phase and needs no metric, gate or lease. With a live rollout, ending it is the "
     "rollback: "
     "all traffic goes to, or stays at, the stable release. With none the service leaves its stable release "
     "for "
     "the rollback target, the newest baked (has completed a rollout), unquarantined release before it that "
     "was "
     "not left by a rollback. --to goes to a release by name; it counts as a target again after that. One "
     "that "
     "was never baked is no way back: it takes a reason, and is refused while advances are frozen.",
     rollback_options, 1, 1, run_rollback},
    {"freeze", "--reason TEXT | --lift | --show", "no rollout starts or advances anywhere; rollbacks go on",
     NULL, freeze_options, 0, 0, run_freeze},
    {"routes", "", "routes as written, and whether they are applied", NULL, list_options, 0, 0, run_routes},
    {"gateways", "[SERVICE]", "who has applied which epoch", NULL, list_options, 0, 1, run_gateways},
    {"events", "[SERVICE]", "what happened, newest first", NULL, event_options, 0, 1, run_events},
    {0}};
