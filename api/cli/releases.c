/* Releases: create, list, show, lift-quarantine. */
#include "cli/content.h"
#include "cli/list.h"
#include "cli/pick.h"
#include "cli/ref.h"
#include "spec/release.h"

#include <string.h>

static void release_path(struct text *path, const char *service, const char *release)
{
    text_init(path, 1024);
    text_puts(path, "/v1/services");
    client_path(path, service);
    text_puts(path, "/releases");
    if (release != NULL) {
        client_path(path, release);
    }
}

static void begin(struct table *table)
{
    table_begin(table, "RELEASE", "STATE", "ARTIFACTS", "CREATED", "BY", "CHANGELOG", NULL);
}

static void row(struct table *table, struct json_object *item)
{
    char text[OUTPUT_MAX], changelog[OUTPUT_SHORT_MAX];
    bool quarantined = pick_has(item, "quarantined"), baked = pick_has(item, "baked_at");
    const char *became = quarantined ? "quarantined" : baked ? "baked" : "new";
    if (pick_bool(item, "stable")) {
        became = quarantined ? "stable, quarantined" : baked ? "stable" : "stable, unproven";
    }
    table_cell(table, pick_text(item, "name"));
    table_cell_painted(table, quarantined ? PAINT_RED : baked ? PAINT_GREEN : PAINT_NONE, became);
    snprintf(text, sizeof text, "%zu", pick_length(item, "artifacts"));
    table_cell(table, text);
    table_cell(table, output_since(pick_text(item, "created_at"), text));
    table_cell(table, pick_text(item, "created_by"));
    table_cell(table, output_short(pick_text(item, "changelog"), 50, changelog));
}

static int run_list(struct cli *cli, struct args *args)
{
    struct list list = {.begin = begin, .row = row, .empty = "The service has no releases."};
    struct text path;
    if (!cli_name(cli, "the service", args->word[0])) {
        return CLI_USAGE;
    }
    release_path(&path, args->word[0], NULL);
    list.path = text_get(&path);
    int code = list_run(cli, args, &list);
    text_free(&path);
    return code;
}

static void show_part(struct text *out, const char *title, const char *string)
{
    if (string[0] != '\0') {
        text_printf(out, "\n%s\n", title);
        output_wrap(out, string, 2, 100);
    }
}

static void show_json(struct text *out, const char *title, struct json_object *value)
{
    if (json_object_is_type(value, json_type_object) && json_object_object_length(value) > 0) {
        text_printf(out, "\n%s\n", title);
        output_clean(out,
                     json_object_to_json_string_ext(value, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                               JSON_C_TO_STRING_NOSLASHESCAPE),
                     true);
        text_putc(out, '\n');
    }
}

static void show_state(struct text *out, bool colors, struct json_object *release)
{
    struct json_object *quarantined = pick(release, "quarantined");
    char since[OUTPUT_MAX];
    output_paint(out, colors, PAINT_BOLD, pick_text(release, "service"));
    text_putc(out, ' ');
    output_paint(out, colors, PAINT_BOLD, pick_text(release, "name"));
    text_printf(out, "  created %s by ", output_since(pick_text(release, "created_at"), since));
    output_clean(out, pick_text(release, "created_by"), false);
    if (pick_has(release, "baked_at")) {
        text_printf(out, ", proven %s", output_since(pick_text(release, "baked_at"), since));
    }
    if (pick_bool(release, "stable")) {
        text_puts(out, pick_has(release, "baked_at") ? ", stable now" : ", stable now, never proven");
    }
    text_putc(out, '\n');
    if (quarantined != NULL) {
        output_paint(out, colors, PAINT_RED, "Quarantined");
        text_printf(out, " %s (rollout ", output_since(pick_text(quarantined, "since"), since));
        output_clean(out, pick_text(quarantined, "rollout"), false);
        text_puts(out, "): ");
        output_clean(out, pick_text(quarantined, "reason"), false);
        text_putc(out, '\n');
    }
    if (!pick_bool(release, "history_compatible")) {
        text_puts(out, "A conversation begun on another release may not go on here.\n");
    }
}

static int show(struct cli *cli, struct client_answer *answer)
{
    struct text out;
    struct table table;
    struct json_object *release = answer->json;
    if (cli->json) {
        return cli_print_json(cli, answer);
    }
    text_init(&out, 32 << 20);
    show_state(&out, cli->out_colors, release);
    text_puts(&out, "digest ");
    output_clean(&out, pick_text(release, "digest"), false);
    text_puts(&out, "\n\n");
    table_begin(&table, "ARTIFACT", "VERSION", "DIGEST", NULL);
    table.right[1] = true;
    for (size_t i = 0; i < pick_length(release, "artifacts"); i++) {
        struct json_object *artifact = pick_nth(release, "artifacts", i);
        char text[160];
        snprintf(text, sizeof text, "%.20s/%.70s", pick_text(artifact, "kind"), pick_text(artifact, "name"));
        table_cell(&table, text);
        snprintf(text, sizeof text, "%lld", (long long)pick_integer(artifact, "version"));
        table_cell(&table, text);
        snprintf(text, sizeof text, "%.12s", pick_text(artifact, "digest"));
        table_cell(&table, text);
    }
    table_end(&table, cli->out_colors, &out);
    show_part(&out, "Changelog", pick_text(release, "changelog"));
    show_part(&out, "Compatibility", pick_text(release, "compatibility"));
    show_json(&out, "Parameters", pick(release, "parameters"));
    show_json(&out, "Fallback copy", pick(release, "fallback"));
    show_json(&out, "Worksheets", pick(release, "worksheets"));
    client_answer_free(answer);
    return cli_print(cli, &out);
}

static int run_show(struct cli *cli, struct args *args)
{
    struct client_answer answer;
    struct text path;
    if (!cli_name(cli, "the service", args->word[0]) || !cli_name(cli, "the release", args->word[1])) {
        return CLI_USAGE;
    }
    release_path(&path, args->word[0], args->word[1]);
    int code = cli_get(cli, text_get(&path), &answer);
    text_free(&path);
    return code == CLI_OK ? show(cli, &answer) : code;
}

static int run_lift(struct cli *cli, struct args *args)
{
    struct client_answer answer;
    struct text path;
    const char *reason = args_get(args, "reason");
    if (!cli_name(cli, "the service", args->word[0]) || !cli_name(cli, "the release", args->word[1])) {
        return CLI_USAGE;
    }
    if (reason == NULL || reason[0] == '\0') {
        return cli_usage(cli, "say why with --reason; it is kept");
    }
    struct json_object *body = json_object_new_object();
    cli_add_text(&body, "reason", reason);
    release_path(&path, args->word[0], args->word[1]);
    text_puts(&path, "/lift-quarantine");
    int code = cli_post(cli, text_get(&path), body, &answer);
    text_free(&path);
    if (code != CLI_OK || cli->json) {
        return code == CLI_OK ? cli_print_json(cli, &answer) : code;
    }
    fprintf(cli->out, "%s %s may be rolled out again\n", args->word[0], args->word[1]);
    client_answer_free(&answer);
    return CLI_OK;
}

/* Adds the artifacts of --artifact to the body, asking the server for the newest where no version is given.
 */
static int add_artifacts(struct cli *cli, struct args *args, struct json_object **body)
{
    struct json_object *artifacts = json_object_new_array();
    const char *word;
    int code = CLI_OK;
    for (size_t i = 0; code == CLI_OK && (word = args_nth(args, "artifact", i)) != NULL; i++) {
        struct ref ref;
        char problem[160];
        int64_t version;
        if (!ref_parse(word, &ref, problem, sizeof problem)) {
            code = cli_usage(cli, "--artifact: %s", problem);
        } else if ((code = ref_resolve(cli, &ref, &version)) == CLI_OK) {
            struct json_object *pin = ref_pin(&ref, version);
            if (pin == NULL || artifacts == NULL || json_object_array_add(artifacts, pin) != 0) {
                json_object_put(pin);
                code = cli_refuse(cli, NULL, "out of memory");
            }
        }
    }
    if (code == CLI_OK) {
        cli_add(body, "artifacts", artifacts);
    } else {
        json_object_put(artifacts);
    }
    return code;
}

/* Adds the object in the file that an option names. */
static int add_file(struct cli *cli, struct args *args, const char *option, struct json_object **body)
{
    struct yamldoc_stream stream;
    const char *path = args_get(args, option);
    if (path == NULL) {
        return CLI_OK;
    }
    int code = cli_read_yaml(cli, path, &stream);
    if (code == CLI_OK) {
        cli_add(body, option, json_object_get(stream.document[0].value));
        yamldoc_free(&stream);
    }
    return code;
}

/* Checks the body as the server will, so that all mistakes are told at once. */
static int check(struct cli *cli, struct json_object *body)
{
    struct spec_release release;
    struct fault fault = {0};
    if (body == NULL) {
        return cli_refuse(cli, NULL, "out of memory");
    }
    if (spec_read_release(body, "", &release, &fault) != STATUS_OK) {
        return cli_fault(cli, &fault);
    }
    spec_release_free(&release);
    return CLI_OK;
}

static int run_create(struct cli *cli, struct args *args)
{
    struct client_answer answer;
    struct text path;
    if (!cli_name(cli, "the service", args->word[0]) || !cli_name(cli, "the release", args->word[1])) {
        return CLI_USAGE;
    }
    struct json_object *body = json_object_new_object();
    cli_add_text(&body, "name", args->word[1]);
    cli_add_text(&body, "changelog", args_get(args, "changelog"));
    cli_add_text(&body, "compatibility", args_get(args, "compatibility"));
    if (args_has(args, "no-history")) {
        cli_add(&body, "history_compatible", json_object_new_boolean(false));
    }
    int code = add_artifacts(cli, args, &body);
    code = code == CLI_OK ? add_file(cli, args, "parameters", &body) : code;
    code = code == CLI_OK ? add_file(cli, args, "fallback", &body) : code;
    code = code == CLI_OK ? add_file(cli, args, "worksheets", &body) : code;
    code = code == CLI_OK ? check(cli, body) : code;
    if (code != CLI_OK) {
        json_object_put(body);
        return code;
    }
    release_path(&path, args->word[0], NULL);
    code = cli_post(cli, text_get(&path), body, &answer);
    text_free(&path);
    if (code != CLI_OK || cli->json) {
        return code == CLI_OK ? cli_print_json(cli, &answer) : code;
    }
    fprintf(cli->out, "%s %s %s\n", args->word[0], args->word[1],
            answer.http == 201 ? "created" : "exists already with this content");
    client_answer_free(&answer);
    return CLI_OK;
}

static const struct args_option create_options[] = {
    {"artifact", 'a', ARGS_MANY, "KIND/NAME@VERSION",
     "what it holds; without a version the newest. One is a model"},
    {"changelog", 'm', ARGS_VALUE, "TEXT", "what is new in it"},
    {"compatibility", 0, ARGS_VALUE, "TEXT", "notes for those who call the service"},
    {"parameters", 0, ARGS_VALUE, "FILE", "what the application needs beside the artifacts (YAML)"},
    {"fallback", 0, ARGS_VALUE, "FILE", "what users are told when it fails, by failure mode (YAML)"},
    {"worksheets", 0, ARGS_VALUE, "FILE", "cost and latency as expected (YAML)"},
    {"no-history", 0, ARGS_FLAG, NULL, "a conversation begun on another release may not go on here"},
    {0}};

static const struct args_option list_options[] = {LIST_OPTIONS, {0}};

static const struct args_option lift_options[] = {
    {"reason", 'r', ARGS_VALUE, "TEXT", "why it may be rolled out again; it is kept"}, {0}};

const struct command release_commands[] = {
    {"release create", "SERVICE NAME -a KIND/NAME@VERSION ...", "bundle versions into an immutable release",
     "  serin release create chat r7 -a model/main@3 -a prompt/system@12 -m 'shorter answers'",
     create_options, 2, 2, run_create},
    {"release list", "SERVICE", "releases of a service, newest first", NULL, list_options, 1, 1, run_list},
    {"release show", "SERVICE NAME", "one release with all it holds", NULL, NULL, 2, 2, run_show},
    {"release lift-quarantine", "SERVICE NAME --reason TEXT",
     "allow a release again that evidence has rolled back", NULL, lift_options, 2, 2, run_lift},
    {0}};
