/* The verbs of a rollout: pause, resume, promote, abort, retry, set-weight, mute. */
#include "cli/cli.h"
#include "cli/explain.h"
#include "cli/output.h"
#include "cli/pick.h"
#include "cli/target.h"
#include "decision/evidence.h"
#include "decision/policy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sends the verb to the rollout that the first word names, with `body` (changes hands). */
static int command(struct cli *cli, struct args *args, const char *verb, struct json_object *body)
{
    struct client_answer answer;
    struct text path, out;
    char id[ID_MAX];
    bool ended_too = strcmp(verb, "retry") == 0; /* of a service, retry means the rollout that ended last */
    int code = target_find(cli, args->word[0], ended_too ? TARGET_NEWEST : TARGET_LIVE, id);
    if (code != CLI_OK) {
        json_object_put(body);
        return code;
    }
    cli_add_text(&body, "reason", args_get(args, "reason"));
    target_path(&path, id, "");
    client_path(&path, verb);
    code = cli_post(cli, text_get(&path), body, &answer);
    text_free(&path);
    if (code != CLI_OK || cli->json) {
        return code == CLI_OK ? cli_print_json(cli, &answer) : code;
    }
    text_init(&out, 16 << 10);
    output_paint(&out, cli->out_colors, PAINT_BOLD, pick_text(answer.json, "id"));
    text_puts(&out, "  ");
    output_clean(&out, pick_text(answer.json, "service"), false);
    text_putc(&out, ' ');
    output_clean(&out, pick_text(answer.json, "release"), false);
    text_puts(&out, ": ");
    explain_where(answer.json, &out);
    text_putc(&out, '\n');
    if (strcmp(verb, "mute") == 0) { /* the rollout's reason is why it is where it is, and not this */
        explain_muted(answer.json, &out);
    } else if (pick_text(answer.json, "reason")[0] != '\0') {
        output_wrap(&out, pick_text(answer.json, "reason"), 2, 100);
    }
    explain_forecast(answer.json, &out);
    explain_warnings(answer.json, &out);
    client_answer_free(&answer);
    return cli_print(cli, &out);
}

static int run_pause(struct cli *cli, struct args *args)
{
    return command(cli, args, "pause", json_object_new_object());
}

static int run_resume(struct cli *cli, struct args *args)
{
    return command(cli, args, "resume", json_object_new_object());
}

static int run_abort(struct cli *cli, struct args *args)
{
    return command(cli, args, "abort", json_object_new_object());
}

static int run_retry(struct cli *cli, struct args *args)
{
    struct json_object *body = json_object_new_object();
    if (args_has(args, "allow-no-gateway")) {
        cli_add(&body, "allow_no_gateway", json_object_new_boolean(true));
    }
    return command(cli, args, "retry", body);
}

static int run_promote(struct cli *cli, struct args *args)
{
    struct json_object *body = json_object_new_object();
    if (args_has(args, "full")) {
        cli_add(&body, "full", json_object_new_boolean(true));
    }
    return command(cli, args, "promote", body);
}

/* "5%", "5", "12.5 %" and "0.5" are percentages, so that nobody sets 0.05 % by forgetting the sign. False if
   it is none from 0 to 100 with at most two decimals. */
static bool read_weight(const char *text, int64_t *out)
{
    char *end;
    size_t digits = strspn(text, "0123456789.");
    double percent = digits > 0 && digits < 16 ? strtod(text, &end) : -1;
    if (percent < 0 || percent > 100 || end != text + digits) {
        return false;
    }
    end += strspn(end, " ");
    end += *end == '%' ? 1 : 0;
    double weight = round(percent * 100);
    *out = (int64_t)weight;
    return *end == '\0' && fabs(weight - percent * 100) < 1e-6;
}

static int run_set_weight(struct cli *cli, struct args *args)
{
    int64_t weight;
    if (!read_weight(args->word[1], &weight)) {
        return cli_usage(
            cli, "the weight \"%.20s\" must be a percentage from 0 to 100 with at most two decimals: 2.5%%",
            args->word[1]);
    }
    struct json_object *body = json_object_new_object();
    cli_add(&body, "weight", json_object_new_int64(weight));
    return command(cli, args, "set-weight", body);
}

static int run_mute(struct cli *cli, struct args *args)
{
    int muted;
    if (!watch_parse(args->word[1], &muted)) {
        return cli_usage(cli,
                         "\"%.40s\" is nothing that can be muted: an SLI, split, coverage, late or alert",
                         args->word[1]);
    }
    if (args_get(args, "until") == NULL || args_get(args, "reason") == NULL) {
        return cli_usage(cli, "give --until (a time, or a duration such as 1h) and --reason");
    }
    struct json_object *body = json_object_new_object();
    cli_add_text(&body, "sli", watch_name(muted));
    cli_add_text(&body, "until", args_get(args, "until"));
    return command(cli, args, "mute", body);
}

#define REASON                                                                                               \
    {                                                                                                        \
        "reason", 'r', ARGS_VALUE, "TEXT", "why; it is kept"                                                 \
    }

static const struct args_option reason_options[] = {REASON, {0}};
static const struct args_option retry_options[] = {
    {"allow-no-gateway", 0, ARGS_FLAG, NULL, "also when no gateway is polling"}, REASON, {0}};
static const struct args_option promote_options[] = {
    {"full", 0, ARGS_FLAG, NULL, "skip all steps that are left, not only this one"}, REASON, {0}};
static const struct args_option mute_options[] = {
    {"until", 'u', ARGS_VALUE, "WHEN", "a time, or a duration from now (1h); at most 7 days"}, REASON, {0}};

const struct command verb_commands[] = {
    {"rollout pause", "ID|SERVICE", "stop advancing; the weight stays, and rollback goes on watching", NULL,
     reason_options, 1, 1, run_pause},
    {"rollout resume", "ID|SERVICE", "go on where it was paused", NULL, reason_options, 1, 1, run_resume},
    {"rollout promote", "ID|SERVICE", "skip the rest of this step, unproven", NULL, promote_options, 1, 1,
     run_promote},
    {"rollout abort", "ID|SERVICE", "all traffic back to stable, now",
     "Works in every phase. Does not quarantine. The first release of a service has no stable to go back to: "
     "the "
     "service has no route then, and gateways get 404. To replace it while it serves: serin rollout start "
     "SERVICE "
     "RELEASE --supersede.",
     reason_options, 1, 1, run_abort},
    {"rollout retry", "ID|SERVICE", "start the same release and plan anew",
     "Of a service: its live rollout, else the newest.", retry_options, 1, 1, run_retry},
    {"rollout set-weight", "ID|SERVICE WEIGHT", "lower the canary's weight",
     "WEIGHT is a percentage: 2.5% or 2.5. It can only go down.", reason_options, 2, 2, run_set_weight},
    {"rollout mute", "ID|SERVICE SLI|split|coverage|late|alert --until WHEN --reason TEXT",
     "keep one guardrail or check from acting for a while", NULL, mute_options, 2, 2, run_mute},
    {0}};
