/* What changes from one release to another. */
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/pick.h"

#include <string.h>

static void put_value(struct text *out, struct json_object *field, const char *name)
{
    struct json_object *value = NULL;
    if (json_object_object_get_ex(field, name, &value)) {
        output_clean(out, json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE), false);
    } else {
        text_puts(out, "nothing");
    }
}

static void put_lines(struct text *out, bool colors, struct json_object *change)
{
    for (size_t i = 0; i < pick_length(change, "lines"); i++) {
        struct json_object *line = pick_nth(change, "lines", i);
        const char *op = pick_text(line, "op");
        struct text whole;
        text_init(&whole, 1 << 20);
        text_printf(&whole, "%.1s%s", op, pick_text(line, "text"));
        output_paint(out, colors,
                     op[0] == '+'   ? PAINT_GREEN
                     : op[0] == '-' ? PAINT_RED
                     : op[0] == '@' ? PAINT_BLUE
                                    : PAINT_NONE,
                     text_get(&whole));
        text_putc(out, '\n');
        text_free(&whole);
    }
}

static void put_fields(struct text *out, bool colors, struct json_object *change)
{
    for (size_t i = 0; i < pick_length(change, "fields"); i++) {
        struct json_object *field = pick_nth(change, "fields", i);
        const char *what = pick_text(field, "change"), *pointer = pick_text(field, "pointer");
        text_puts(out, "  ");
        output_paint(out, colors, PAINT_BOLD, pointer[0] != '\0' ? pointer : "the whole");
        text_puts(out, ": ");
        if (strcmp(what, "added") == 0) {
            text_puts(out, "added ");
            put_value(out, field, "to");
        } else if (strcmp(what, "removed") == 0) {
            text_puts(out, "removed, was ");
            put_value(out, field, "from");
        } else {
            put_value(out, field, "from");
            text_puts(out, " -> ");
            put_value(out, field, "to");
        }
        text_putc(out, '\n');
    }
}

static void put_change(struct text *out, bool colors, struct json_object *change)
{
    int64_t from = pick_integer(change, "from_version"), to = pick_integer(change, "to_version");
    output_paint(out, colors, PAINT_BOLD, pick_text(change, "what"));
    text_putc(out, ' ');
    output_clean(out, pick_text(change, "change"), false);
    if (from > 0 && to > 0) {
        text_printf(out, ", version %lld -> %lld", (long long)from, (long long)to);
    } else if (from > 0 || to > 0) {
        text_printf(out, ", version %lld", (long long)(from > 0 ? from : to));
    }
    text_putc(out, '\n');
    put_lines(out, colors, change);
    put_fields(out, colors, change);
    text_putc(out, '\n');
}

static int run_diff(struct cli *cli, struct args *args)
{
    struct client_answer answer;
    struct text path, out;
    if (!cli_name(cli, "the service", args->word[0]) || !cli_name(cli, "the release", args->word[1]) ||
        !cli_name(cli, "the release", args->word[2])) {
        return CLI_USAGE;
    }
    text_init(&path, 1024);
    text_puts(&path, "/v1/services");
    client_path(&path, args->word[0]);
    text_puts(&path, "/releases");
    client_path(&path, args->word[1]);
    text_puts(&path, "/diff");
    client_path(&path, args->word[2]);
    int code = cli_get(cli, text_get(&path), &answer);
    text_free(&path);
    if (code != CLI_OK || cli->json) {
        return code == CLI_OK ? cli_print_json(cli, &answer) : code;
    }
    text_init(&out, 64 << 20);
    if (pick_bool(answer.json, "same") || pick_length(answer.json, "changes") == 0) {
        text_printf(&out, "%s and %s hold the same\n", args->word[1], args->word[2]);
    }
    for (size_t i = 0; i < pick_length(answer.json, "changes"); i++) {
        put_change(&out, cli->out_colors, pick_nth(answer.json, "changes", i));
    }
    client_answer_free(&answer);
    return cli_print(cli, &out);
}

const struct command diff_commands[] = {{"diff", "SERVICE A B",
                                         "what changes from release A to release B, to the line", NULL, NULL,
                                         3, 3, run_diff},
                                        {0}};
