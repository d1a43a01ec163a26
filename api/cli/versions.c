/* Artifact versions: register, list, show, corpus-ready. */
#include "cli/content.h"
#include "cli/list.h"
#include "cli/pick.h"
#include "cli/ref.h"

#include <string.h>

static void add_version_cells(struct table *table, struct json_object *version)
{
    char text[OUTPUT_MAX], changelog[OUTPUT_SHORT_MAX];
    snprintf(text, sizeof text, "%lld", (long long)pick_integer(version, "version"));
    table_cell(table, text);
    snprintf(text, sizeof text, "%.12s", pick_text(version, "digest"));
    table_cell(table, text);
    table_cell(table, output_count(pick_integer(version, "size_bytes"), text));
    table_cell(table, output_since(pick_text(version, "created_at"), text));
    table_cell(table, pick_text(version, "created_by"));
    table_cell(table, output_short(pick_text(version, "changelog"), 50, changelog));
}

static void begin_versions(struct table *table)
{
    table_begin(table, "VERSION", "DIGEST", "BYTES", "REGISTERED", "BY", "CHANGELOG", NULL);
    table->right[0] = true;
    table->right[2] = true;
}

static void begin_artifacts(struct table *table)
{
    table_begin(table, "ARTIFACT", "VERSIONS", "LATEST", "DIGEST", "BYTES", "REGISTERED", "BY", "CHANGELOG",
                NULL);
    table->right[1] = true;
    table->right[2] = true;
    table->right[4] = true;
}

static void artifact_row(struct table *table, struct json_object *item)
{
    char text[2 * OUTPUT_MAX];
    snprintf(text, sizeof text, "%.20s/%.70s", pick_text(item, "kind"), pick_text(item, "name"));
    table_cell(table, text);
    snprintf(text, sizeof text, "%lld", (long long)pick_integer(item, "versions"));
    table_cell(table, text);
    add_version_cells(table, pick(item, "latest"));
}

static int run_list(struct cli *cli, struct args *args)
{
    struct list list = {.begin = begin_artifacts, .row = artifact_row, .empty = "No artifact is registered."};
    struct text path;
    struct ref ref;
    enum spec_kind kind;
    text_init(&path, 1024);
    if (args->words == 1 && spec_kind_parse(args->word[0], &kind)) {
        text_puts(&path, "/v1/artifacts");
        client_query(&path, "kind", args->word[0]);
    } else if (args->words > 0) {
        if (!ref_of_words(cli, args->word, args->words, &ref)) {
            return CLI_USAGE;
        }
        ref_path(&path, &ref, NULL);
        list =
            (struct list){.begin = begin_versions, .row = add_version_cells, .empty = "It has no versions."};
    } else {
        text_puts(&path, "/v1/artifacts");
    }
    list.path = text_get(&path);
    int code = list_run(cli, args, &list);
    text_free(&path);
    return code;
}

static void show_lines(struct text *out, bool colors, struct json_object *version)
{
    char since[OUTPUT_MAX], count[OUTPUT_MAX], name[160];
    snprintf(name, sizeof name, "%s/%s@%lld", pick_text(version, "kind"), pick_text(version, "name"),
             (long long)pick_integer(version, "version"));
    output_paint(out, colors, PAINT_BOLD, name);
    text_puts(out, "  ");
    output_clean(out, pick_text(version, "media_type"), false);
    text_printf(out, ", %s bytes, %s by ", output_count(pick_integer(version, "size_bytes"), count),
                output_since(pick_text(version, "created_at"), since));
    output_clean(out, pick_text(version, "created_by"), false);
    text_puts(out, pick_bool(version, "ready") ? "\n" : "  index not reported ready\n");
    text_puts(out, "digest ");
    output_clean(out, pick_text(version, "digest"), false);
    text_putc(out, '\n');
    if (pick_text(version, "changelog")[0] != '\0') {
        output_wrap(out, pick_text(version, "changelog"), 0, 100);
    }
}

static void show_content(struct text *out, struct json_object *content)
{
    text_putc(out, '\n');
    if (json_object_is_type(content, json_type_string)) {
        output_clean(out, json_object_get_string(content), true);
    } else {
        output_clean(out,
                     json_object_to_json_string_ext(content, JSON_C_TO_STRING_PRETTY |
                                                                 JSON_C_TO_STRING_SPACED |
                                                                 JSON_C_TO_STRING_NOSLASHESCAPE),
                     true);
    }
    text_putc(out, '\n');
}

/* Shows the answer, with its content if it has one. */
static int show(struct cli *cli, struct client_answer *answer)
{
    struct text out;
    if (cli->json) {
        return cli_print_json(cli, answer);
    }
    text_init(&out, 64 << 20);
    show_lines(&out, cli->out_colors, answer->json);
    if (pick_has(answer->json, "content")) {
        show_content(&out, pick(answer->json, "content"));
    }
    client_answer_free(answer);
    return cli_print(cli, &out);
}

static int run_show(struct cli *cli, struct args *args)
{
    struct ref ref;
    struct text path;
    struct client_answer answer;
    if (!ref_of_words(cli, args->word, args->words, &ref)) {
        return CLI_USAGE;
    }
    text_init(&path, 1024);
    ref_path(&path, &ref, ref.version[0] != '\0' ? ref.version : "latest");
    int code = cli_get(cli, text_get(&path), &answer);
    text_free(&path);
    return code == CLI_OK ? show(cli, &answer) : code;
}

static int run_register(struct cli *cli, struct args *args)
{
    struct ref ref;
    struct text path;
    struct client_answer answer;
    struct fault fault = {0};
    const char *file = args_get(args, "file"), *string = args_get(args, "content");
    if (!ref_of_words(cli, args->word, args->words, &ref)) {
        return CLI_USAGE;
    }
    if (ref.version[0] != '\0') {
        return cli_usage(cli, "the server gives the version its number");
    }
    if ((file == NULL) == (string == NULL)) {
        return cli_usage(cli, "give either --file or --content");
    }
    struct json_object *content = file != NULL ? content_from_file(file, ref.kind, &fault)
                                               : content_from_string(string, ref.kind, &fault);
    if (content == NULL && fault.status == STATUS_OK) {
        fault_at(&fault, "/content", "must not be null");
    }
    if (content == NULL || spec_check_content(content, ref.kind, "/content", &fault) != STATUS_OK) {
        json_object_put(content);
        return cli_fault(cli, &fault);
    }
    struct json_object *body = json_object_new_object();
    cli_add(&body, "content", content);
    cli_add_text(&body, "changelog", args_get(args, "changelog"));
    text_init(&path, 1024);
    ref_path(&path, &ref, NULL);
    int code = cli_post(cli, text_get(&path), body, &answer);
    text_free(&path);
    if (code != CLI_OK || cli->json) {
        return code == CLI_OK ? cli_print_json(cli, &answer) : code;
    }
    fprintf(cli->out, "%s/%s@%lld %s\n", spec_kind_name(ref.kind), ref.name,
            (long long)pick_integer(answer.json, "version"),
            answer.http == 201 ? "registered" : "was registered before with this content");
    client_answer_free(&answer);
    return CLI_OK;
}

static int run_ready(struct cli *cli, struct args *args)
{
    struct client_answer answer;
    struct text path;
    struct ref ref;
    char problem[160], whole[160];
    bool ready = !args_has(args, "not");
    snprintf(whole, sizeof whole, "corpus/%.70s@%.20s", args->word[0], args->word[1]);
    if (!ref_parse(whole, &ref, problem, sizeof problem)) {
        return cli_usage(cli, "%s", problem);
    }
    struct json_object *body = json_object_new_object();
    cli_add(&body, "ready", json_object_new_boolean(ready));
    text_init(&path, 1024);
    ref_path(&path, &ref, ref.version);
    text_puts(&path, "/ready");
    int code = cli_post(cli, text_get(&path), body, &answer);
    text_free(&path);
    if (code != CLI_OK || cli->json) {
        return code == CLI_OK ? cli_print_json(cli, &answer) : code;
    }
    fprintf(cli->out, "corpus/%s@%lld is %sready\n", ref.name,
            (long long)pick_integer(answer.json, "version"), pick_bool(answer.json, "ready") ? "" : "not ");
    client_answer_free(&answer);
    return CLI_OK;
}

static const struct args_option register_options[] = {
    {"file", 'f', ARGS_VALUE, "FILE",
     "the content; a prompt is text, unless the file is .json or .yaml; - reads standard input"},
    {"content", 'c', ARGS_VALUE, "TEXT", "the content itself"},
    {"changelog", 'm', ARGS_VALUE, "TEXT", "what is new in it"},
    {0}};

static const struct args_option list_options[] = {LIST_OPTIONS, {0}};

static const struct args_option ready_options[] = {{"not", 0, ARGS_FLAG, NULL, "it is not ready any more"},
                                                   {0}};

const struct command version_commands[] = {
    {"version register", "KIND NAME (--file FILE | --content TEXT)",
     "register a version of a prompt, tool, corpus or model",
     "The same content is the same version. KIND/NAME may be one word.\n\n"
     "  serin version register prompt system --file system.txt -m 'shorter'\n"
     "  serin version register model main -c '{provider: openai, model: gpt-4o}'",
     register_options, 1, 2, run_register},
    {"version list", "[KIND [NAME]]", "artifacts, or the versions of one", NULL, list_options, 0, 2,
     run_list},
    {"version show", "KIND NAME [VERSION]", "a version with its content (the newest)", NULL, NULL, 1, 3,
     run_show},
    {"corpus-ready", "NAME VERSION", "say that a corpus index is ready to serve",
     "A rollout stays pending until every corpus of its release is ready; a rollback never waits.",
     ready_options, 2, 2, run_ready},
    {0}};
