/* The explanation of a rollout as a page. */
#include "cli/explain.h"

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/pick.h"
#include "cli/table.h"
#include "cli/target.h"

#include <string.h>

enum { WRAP = 100 };

static enum paint verdict_paint(const char *verdict)
{
    return strcmp(verdict, "pass") == 0           ? PAINT_GREEN
           : strcmp(verdict, "fail") == 0         ? PAINT_RED
           : strcmp(verdict, "inconclusive") == 0 ? PAINT_YELLOW
                                                  : PAINT_BLUE;
}

static enum paint phase_paint(const char *phase)
{
    return strcmp(phase, "completed") == 0                                      ? PAINT_GREEN
           : strcmp(phase, "aborted") == 0 || strcmp(phase, "rolled_back") == 0 ? PAINT_RED
           : strcmp(phase, "paused") == 0                                       ? PAINT_YELLOW
                                                                                : PAINT_BLUE;
}

void explain_where(struct json_object *rollout, struct text *out)
{
    char weight[OUTPUT_MAX];
    const char *phase = pick_text(rollout, "phase");
    int64_t step = pick_integer(rollout, "step"), steps = pick_integer(rollout, "steps");
    bool left = strcmp(phase, "aborted") == 0 || strcmp(phase, "rolled_back") == 0;
    output_clean(out, strcmp(phase, "rolled_back") == 0 ? "rolled back" : phase, false);
    if (strcmp(phase, "completed") == 0) {
        return;
    }
    if (step > 0) {
        text_printf(out, "%s step %lld of %lld", left ? " in" : ",", (long long)step, (long long)steps);
    }
    if (!left) {
        text_printf(out, ", canary at %s", output_weight(pick_integer(rollout, "weight"), weight));
    }
}

void explain_forecast(struct json_object *rollout, struct text *out)
{
    char total[OUTPUT_MAX], first[OUTPUT_MAX], rate[OUTPUT_MAX];
    struct json_object *forecast = pick(rollout, "forecast");
    if (forecast == NULL) {
        return;
    }
    struct json_object *step = pick_nth(forecast, "steps", 0);
    text_printf(out, "  At %s a second (%s) ", output_requests(pick_number(forecast, "rps"), "request", rate),
                pick_bool(forecast, "measured") ? "measured over the last 10 min"
                                                : "the policy's expected_rps");
    if (!pick_has(forecast, "total_s") && pick_length(rollout, "warnings") > 0) {
        text_puts(out, "this plan does not finish by itself, for what is warned of here.\n");
        return;
    }
    if (!pick_has(forecast, "total_s")) {
        text_puts(out, "this plan does not finish by itself:");
        for (size_t i = 0; i < pick_length(forecast, "steps"); i++) {
            if (!pick_bool(pick_nth(forecast, "steps", i), "in_time")) {
                text_printf(out, " step %zu is not proven before its deadline;", i + 1);
                break;
            }
        }
        text_puts(out, " 'serin lint' says what would help.\n");
        return;
    }
    text_printf(out, "this plan needs about %s", output_span(pick_integer(forecast, "total_s"), total));
    if (pick_length(forecast, "steps") > 1) {
        text_printf(out, "; step 1 about %s", output_span(pick_integer(step, "seconds"), first));
    }
    text_puts(out, ".\n");
}

void explain_warnings(struct json_object *rollout, struct text *out)
{
    for (size_t i = 0; i < pick_length(rollout, "warnings"); i++) {
        struct json_object *warning = pick_nth(rollout, "warnings", i);
        struct text line;
        text_init(&line, 2048);
        text_printf(&line, "Warning: %s %s", pick_text(warning, "detail"), pick_text(warning, "next_step"));
        output_wrap(out, text_get(&line), 2, 100);
        text_free(&line);
    }
}

void explain_muted(struct json_object *rollout, struct text *out)
{
    char until[OUTPUT_MAX];
    for (size_t i = 0; i < pick_length(rollout, "muted"); i++) {
        struct json_object *mute = pick_nth(rollout, "muted", i);
        struct wall_time end;
        bool ended = clock_parse(pick_text(mute, "until"), &end) && end.us <= clock_wall().us;
        text_puts(out, ended ? "No longer muted: " : "Muted: ");
        output_clean(out, pick_text(mute, "sli"), false);
        text_printf(out, ", %s %s, by ", ended ? "ended" : "ends",
                    output_since(pick_text(mute, "until"), until));
        output_clean(out, pick_text(mute, "by"), false);
        text_puts(out, ": ");
        output_clean(out, pick_text(mute, "reason"), false);
        text_putc(out, '\n');
    }
}

static void headline(struct json_object *explanation, bool colors, struct text *out)
{
    struct text line;
    char since[OUTPUT_MAX];
    text_init(&line, 4096);
    text_printf(&line, "%s: %s -> %s", pick_text(explanation, "service"),
                pick_has(explanation, "stable") ? pick_text(explanation, "stable") : "nothing",
                pick_text(explanation, "release"));
    output_paint(out, colors, PAINT_BOLD, text_get(&line));
    text_puts(out, "  ");
    output_paint(out, colors, PAINT_DIM, pick_text(explanation, "rollout"));
    text_putc(out, '\n');
    text_clear(&line);
    explain_where(explanation, &line);
    output_paint(out, colors, phase_paint(pick_text(explanation, "phase")), text_get(&line));
    text_printf(out, ", since %s\n", output_since(pick_text(explanation, "since"), since));
    text_free(&line);
}

static void why(struct json_object *explanation, bool colors, struct text *out)
{
    const char *reason = pick_text(explanation, "reason");
    const char *rule = pick_text(explanation, "rule");
    if (reason[0] != '\0') {
        output_wrap(out, reason, 0, WRAP);
    }
    if (pick_has(explanation, "since_then")) {
        output_wrap(out, pick_text(explanation, "since_then"), 0, WRAP);
    }
    if (rule[0] != '\0') {
        text_puts(out, "Rule ");
        output_paint(out, colors, PAINT_BOLD, rule);
        text_putc(out, '\n');
    }
    if (pick_has(explanation, "next_step")) {
        struct text line;
        text_init(&line, 4096);
        text_printf(&line, "What to do: %s", pick_text(explanation, "next_step"));
        output_wrap(out, text_get(&line), 0, WRAP);
        text_free(&line);
    }
}

/* "12 of 1,000" */
static char *counts(struct json_object *arm, char out[3 * OUTPUT_MAX])
{
    char k[OUTPUT_MAX], n[OUTPUT_MAX];
    snprintf(out, 3 * OUTPUT_MAX, "%s of %s", output_count(pick_integer(arm, "k"), k),
             output_count(pick_integer(arm, "n"), n));
    return out;
}

static void arm_cells(struct table *table, struct json_object *arm)
{
    char text[3 * OUTPUT_MAX], rate[OUTPUT_MAX];
    table_cell(table, output_rate(pick_integer(arm, "k"), pick_integer(arm, "n"), rate));
    table_cell(table, counts(arm, text));
}

/* Rows for `part` of every guardrail: "total" or "step". */
static void put_counts(struct json_object *explanation, const char *part, bool colors, struct text *out)
{
    struct table table;
    table_begin(&table, "GUARDRAIL", "VERDICT", "CANARY", "", "STABLE", "", "CEILING", "IF IT FAILS", NULL);
    table.indent = 2;
    for (int i = 2; i < 7; i++) {
        table.right[i] = true;
    }
    for (size_t i = 0; i < pick_length(explanation, "guardrails"); i++) {
        struct json_object *guardrail = pick_nth(explanation, "guardrails", i);
        struct json_object *arms = pick(guardrail, part);
        const char *verdict = pick_text(guardrail, "verdict");
        char text[OUTPUT_MAX];
        bool muted = pick_bool(guardrail, "muted");
        table_cell(&table, pick_text(guardrail, "sli"));
        snprintf(text, sizeof text, "%.20s%s", strcmp(verdict, "no_data") == 0 ? "no data" : verdict,
                 muted ? " (muted)" : "");
        table_cell_painted(&table, muted ? PAINT_DIM : verdict_paint(verdict), text);
        arm_cells(&table, pick(arms, "canary"));
        arm_cells(&table, pick(arms, "stable"));
        table_cell(&table, pick_has(guardrail, "ceiling")
                               ? output_percent(pick_number(guardrail, "ceiling"), text)
                               : "none");
        table_cell(&table, pick_text(guardrail, "action"));
    }
    table_end(&table, colors, out);
}

/* What the server says about each guardrail, in its words. */
static void put_says(struct json_object *explanation, bool colors, struct text *out)
{
    for (size_t i = 0; i < pick_length(explanation, "guardrails"); i++) {
        struct json_object *guardrail = pick_nth(explanation, "guardrails", i);
        text_puts(out, "  ");
        output_paint(out, colors, verdict_paint(pick_text(guardrail, "verdict")),
                     pick_text(guardrail, "sli"));
        text_putc(out, '\n');
        output_wrap(out, pick_text(guardrail, "says"), 4, WRAP);
        if (pick_has(guardrail, "needs")) {
            struct text line;
            text_init(&line, 1024);
            text_printf(&line, "Needs %s.", pick_text(guardrail, "needs"));
            output_wrap(out, text_get(&line), 4, WRAP);
            text_free(&line);
        }
    }
}

static void put_needs(struct json_object *explanation, struct text *out)
{
    char span[OUTPUT_MAX];
    if (pick_length(explanation, "needs") > 0) {
        text_puts(out, "For the next step it needs\n");
    }
    for (size_t i = 0; i < pick_length(explanation, "needs"); i++) {
        struct json_object *need = pick_nth(explanation, "needs", i);
        if (json_object_is_type(need, json_type_string)) {
            text_puts(out, "  - ");
            output_clean(out, json_object_get_string(need), false);
            text_putc(out, '\n');
        }
    }
    if (pick_has(explanation, "eta_s")) {
        text_printf(out, "About %s to the next step, if the canary is healthy\n",
                    output_span(pick_integer(explanation, "eta_s"), span));
    } else if (pick_has(explanation, "eta_unknown")) {
        text_puts(out, "How long that takes is not known: ");
        output_clean(out, pick_text(explanation, "eta_unknown"), false);
        text_putc(out, '\n');
    }
}

static void put_data(struct json_object *explanation, bool colors, struct text *out)
{
    struct json_object *data = pick(explanation, "data");
    const char *quality = pick_text(data, "quality");
    char text[OUTPUT_MAX];
    if (pick_integer(data, "blind_s") > 0) {
        struct text line;
        text_init(&line, 256);
        text_printf(&line, "No data for %s", output_span(pick_integer(data, "blind_s"), text));
        output_paint(out, colors, PAINT_RED, text_get(&line));
        text_putc(out, '\n');
        text_free(&line);
    }
    if (quality[0] != '\0') {
        text_puts(out, strcmp(quality, "cohort") == 0       ? "Data: admissions and outcomes"
                       : strcmp(quality, "aged") == 0       ? "Data: outcomes with their age"
                       : strcmp(quality, "completion") == 0 ? "Data: counters by completion time"
                                                            : "Data: none yet");
        if (pick_has(data, "counted_until")) {
            text_printf(out, ", counted until %s", output_since(pick_text(data, "counted_until"), text));
        }
        if (pick_has(data, "rps")) {
            text_printf(out, ", %s a second", output_requests(pick_number(data, "rps"), "request", text));
        }
        text_putc(out, '\n');
    }
}

/* What the data are good for, and what watches. */
static void put_meaning(struct json_object *explanation, struct text *out)
{
    struct json_object *data = pick(explanation, "data");
    if (pick_has(data, "says")) {
        output_wrap(out, pick_text(data, "says"), 2, WRAP);
    }
    for (size_t i = 0; i < pick_length(data, "unseen"); i++) {
        output_wrap(out, pick_text(pick_nth(data, "unseen", i), "says"), 2, WRAP);
    }
    if (pick_has(pick(explanation, "watch"), "says")) {
        output_wrap(out, pick_text(pick(explanation, "watch"), "says"), 0, WRAP);
    }
}

static void put_gateways(struct json_object *explanation, bool colors, struct text *out)
{
    struct json_object *gateways = pick(explanation, "gateways");
    if (gateways == NULL) {
        return;
    }
    text_printf(out, "Gateways: %lld live", (long long)pick_integer(gateways, "live"));
    for (size_t i = 0; i < pick_length(gateways, "behind"); i++) {
        struct json_object *name = pick_nth(gateways, "behind", i);
        text_puts(out, i == 0 ? ", behind: " : ", ");
        output_paint(out, colors, PAINT_YELLOW,
                     json_object_is_type(name, json_type_string) ? json_object_get_string(name) : "?");
    }
    text_putc(out, '\n');
    if (pick_has(gateways, "problem")) {
        output_wrap(out, pick_text(gateways, "problem"), 2, WRAP);
    }
}

static void put_frozen(struct json_object *explanation, bool colors, struct text *out)
{
    if (pick_has(explanation, "frozen")) {
        output_paint(out, colors, PAINT_YELLOW, "Advances are frozen everywhere:");
        text_putc(out, ' ');
        output_clean(out, pick_text(explanation, "frozen"), false);
        text_putc(out, '\n');
    }
}

/* A guardrail has failed and is not muted: nothing advances, whatever its action. */
static bool some_fail(struct json_object *explanation)
{
    for (size_t i = 0; i < pick_length(explanation, "guardrails"); i++) {
        struct json_object *guardrail = pick_nth(explanation, "guardrails", i);
        if (strcmp(pick_text(guardrail, "verdict"), "fail") == 0 && !pick_bool(guardrail, "muted")) {
            return true;
        }
    }
    return false;
}

static void put_judgement(struct json_object *explanation, bool colors, struct text *out)
{
    struct json_object *judgement = pick(explanation, "judgement");
    const char *action = pick_text(judgement, "action");
    bool goes_on = strcmp(action, "continue") == 0;
    if (judgement == NULL) {
        return;
    }
    text_puts(out, "\nThe evidence says: ");
    if (goes_on && pick_has(judgement, "unmuted")) {
        output_paint(out, colors, PAINT_RED, "only a mute holds back what it says");
    } else if (goes_on && some_fail(explanation)) {
        output_paint(out, colors, PAINT_RED, "a guardrail has failed");
    } else if (goes_on && pick_integer(pick(explanation, "data"), "blind_s") > 0) {
        output_paint(out, colors, PAINT_YELLOW, "nothing now");
    } else {
        output_paint(out, colors,
                     goes_on                       ? PAINT_GREEN
                     : strcmp(action, "hold") == 0 ? PAINT_YELLOW
                                                   : PAINT_RED,
                     strcmp(action, "return") == 0 ? "go back to stable" : action);
    }
    text_putc(out, '\n');
    if (pick_text(judgement, "says")[0] != '\0') {
        output_wrap(out, pick_text(judgement, "says"), 2, WRAP);
    }
}

void explain_page(struct json_object *explanation, bool colors, struct text *out)
{
    headline(explanation, colors, out);
    why(explanation, colors, out);
    put_frozen(explanation, colors, out);
    explain_muted(explanation, out);
    if (pick_length(explanation, "guardrails") > 0) {
        text_puts(out, "\nSince the start\n");
        put_counts(explanation, "total", colors, out);
        text_puts(out, "In this step\n");
        put_counts(explanation, "step", colors, out);
        text_puts(out, "\nWhat each guardrail says\n");
        put_says(explanation, colors, out);
    }
    put_judgement(explanation, colors, out);
    put_needs(explanation, out);
    text_putc(out, '\n');
    put_data(explanation, colors, out);
    put_meaning(explanation, out);
    put_gateways(explanation, colors, out);
}

void explain_brief(struct json_object *explanation, bool colors, struct text *out)
{
    headline(explanation, colors, out);
    why(explanation, colors, out);
    put_frozen(explanation, colors, out);
    if (pick_length(explanation, "guardrails") > 0) {
        put_counts(explanation, "step", colors, out);
    }
    put_needs(explanation, out);
    put_data(explanation, colors, out);
    put_gateways(explanation, colors, out);
}

static int run_explain(struct cli *cli, struct args *args)
{
    struct client_answer answer;
    struct text path, out;
    char id[ID_MAX];
    int code = target_find(cli, args->word[0], TARGET_NEWEST, id);
    if (code != CLI_OK) {
        return code;
    }
    target_path(&path, id, "/explain");
    code = cli_get(cli, text_get(&path), &answer);
    text_free(&path);
    if (code != CLI_OK || cli->json) {
        return code == CLI_OK ? cli_print_json(cli, &answer) : code;
    }
    text_init(&out, 4 << 20);
    explain_page(answer.json, cli->out_colors, &out);
    client_answer_free(&answer);
    return cli_print(cli, &out);
}

const struct command explain_commands[] = {{"explain", "ID|SERVICE",
                                            "why a rollout is where it is, and what it still needs",
                                            "Of a service: its live rollout, else the newest. Counts are bad "
                                            "requests of all that were measured; the rule is the "
                                            "row of the rollout table that fired last.",
                                            NULL, 1, 1, run_explain},
                                           {0}};
