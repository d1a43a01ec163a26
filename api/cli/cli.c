/* What all commands share: messages, requests, files. */
#include "cli/cli.h"

#include "base/id.h"
#include "cli/output.h"
#include "cli/pick.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 64 << 10, WRAP = 100 };

static void put(struct cli *cli, struct text *text)
{
    fputs(text_get(text), cli->err);
    text_free(text);
}

/* "serin: message", then "  What to do: next". */
static void message(struct cli *cli, const char *text, const char *next)
{
    struct text out;
    text_init(&out, MESSAGE_MAX);
    output_paint(&out, cli->err_colors, PAINT_RED, "serin:");
    text_putc(&out, ' ');
    output_clean(&out, text, false);
    text_putc(&out, '\n');
    if (next != NULL && next[0] != '\0') {
        output_wrap(&out, "What to do now:", 2, WRAP);
        output_wrap(&out, next, 4, WRAP);
    }
    put(cli, &out);
}

int cli_usage(struct cli *cli, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    message(cli, text, NULL);
    if (cli->command != NULL) {
        fprintf(cli->err, "usage: serin %s %s\nMore: serin help %s\n", cli->command->name,
                cli->command->usage, cli->command->name);
    } else {
        fputs("More: serin help\n", cli->err);
    }
    return CLI_USAGE;
}

int cli_refuse(struct cli *cli, const char *next, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    message(cli, text, next);
    return CLI_REFUSED;
}

int cli_fault_in(struct cli *cli, const struct fault *fault, const struct yamldoc *document, const char *name)
{
    message(cli, fault->detail[0] != '\0' ? fault->detail : status_title(fault->status), NULL);
    for (size_t i = 0; i < fault->errors; i++) {
        const struct fault_error *error = &fault->error[i];
        struct text line;
        text_init(&line, 4096);
        text_puts(&line, "  ");
        if (document != NULL) {
            output_clean(&line, name, false);
            text_printf(&line, ":%d: ", yamldoc_line(document, error->pointer));
        }
        output_paint(&line, cli->err_colors, PAINT_BOLD,
                     error->pointer[0] != '\0' ? error->pointer : "the whole");
        text_puts(&line, ": ");
        output_clean(&line, error->detail, false);
        text_putc(&line, '\n');
        put(cli, &line);
    }
    if (fault->next_step[0] != '\0') {
        struct text next;
        text_init(&next, 4096);
        output_wrap(&next, "What to do now:", 2, WRAP);
        output_wrap(&next, fault->next_step, 4, WRAP);
        put(cli, &next);
    }
    return fault->status == STATUS_PEER ? CLI_UNREACHABLE : CLI_REFUSED;
}

int cli_fault(struct cli *cli, const struct fault *fault)
{
    return cli_fault_in(cli, fault, NULL, NULL);
}

/* The client, made with the first call. */
static enum status connect_client(struct cli *cli, struct fault *fault)
{
    struct settings settings;
    if (cli->client != NULL) {
        return STATUS_OK;
    }
    enum status status = settings_read(cli->url, &settings, fault);
    if (status == STATUS_OK && settings.warning[0] != '\0') {
        fprintf(cli->err, "serin: %s\n", settings.warning);
    }
    return status == STATUS_OK ? client_new(&settings, &cli->client, fault) : status;
}

enum status cli_try(struct cli *cli, const struct client_call *call, struct client_answer *answer,
                    struct fault *fault)
{
    struct client_call with_key = *call;
    *answer = (struct client_answer){0};
    enum status status = connect_client(cli, fault);
    if (with_key.key == NULL) {
        with_key.key = cli->key;
    }
    return status == STATUS_OK ? client_send(cli->client, &with_key, answer, fault) : status;
}

static void problem_errors(struct text *out, bool colors, struct json_object *problem)
{
    for (size_t i = 0; i < pick_length(problem, "errors"); i++) {
        struct json_object *error = pick_nth(problem, "errors", i);
        const char *pointer = pick_text(error, "pointer");
        text_puts(out, "  ");
        output_paint(out, colors, PAINT_BOLD, pointer[0] != '\0' ? pointer : "the whole");
        text_puts(out, ": ");
        output_clean(out, pick_text(error, "detail"), false);
        text_putc(out, '\n');
    }
}

int cli_problem(struct cli *cli, const struct client_answer *answer)
{
    struct text out;
    struct json_object *problem = answer->json;
    const char *title = pick_text(problem, "title"), *detail = pick_text(problem, "detail");
    const char *next = pick_text(problem, "next_step"), *instance = pick_text(problem, "instance");
    if (title[0] == '\0' && detail[0] == '\0') {
        return cli_refuse(cli,
                          "Look at SERIN_URL: it should be Serin's control port (8080), not the gateway port",
                          "the answer was HTTP %ld, and not one of Serin's", answer->http);
    }
    text_init(&out, MESSAGE_MAX);
    output_paint(&out, cli->err_colors, PAINT_RED, "serin:");
    text_putc(&out, ' ');
    output_clean(&out, title, false);
    text_printf(&out, " (%ld)\n", answer->http);
    if (detail[0] != '\0' && strcmp(detail, title) != 0) {
        output_wrap(&out, detail, 2, WRAP);
    }
    problem_errors(&out, cli->err_colors, problem);
    if (next[0] != '\0') {
        output_wrap(&out, "What to do now:", 2, WRAP);
        output_wrap(&out, next, 4, WRAP);
    } else if (answer->http == 401) {
        output_wrap(&out, "What to do now:", 2, WRAP);
        output_wrap(&out, "Set SERIN_TOKEN or SERIN_TOKEN_FILE", 4, WRAP);
    }
    if (instance[0] != '\0') {
        text_puts(&out, "  ");
        output_paint(&out, cli->err_colors, PAINT_DIM, "request");
        text_putc(&out, ' ');
        output_clean(&out, instance, false);
        text_putc(&out, '\n');
    }
    put(cli, &out);
    if (cli->json) {
        fwrite(answer->body, 1, answer->length, cli->out);
        fputc('\n', cli->out);
    }
    return CLI_REFUSED;
}

static int send_call(struct cli *cli, const struct client_call *call, long also, struct client_answer *answer)
{
    struct fault fault = {0};
    int code;
    if (cli_try(cli, call, answer, &fault) != STATUS_OK) {
        return cli_fault(cli, &fault);
    }
    if (answer->http == also || (answer->http >= 200 && answer->http < 300 && answer->json != NULL)) {
        return CLI_OK;
    }
    code = cli_problem(cli, answer);
    client_answer_free(answer);
    return code;
}

int cli_send(struct cli *cli, const struct client_call *call, struct client_answer *answer)
{
    return send_call(cli, call, 0, answer);
}

int cli_get(struct cli *cli, const char *path, struct client_answer *answer)
{
    return send_call(cli, &(struct client_call){.method = "GET", .path = path}, 0, answer);
}

int cli_look(struct cli *cli, const char *path, struct client_answer *answer)
{
    return send_call(cli, &(struct client_call){.method = "GET", .path = path}, 404, answer);
}

int cli_post(struct cli *cli, const char *path, struct json_object *body, struct client_answer *answer)
{
    if (body == NULL) {
        return cli_refuse(cli, NULL, "out of memory");
    }
    int code = cli_send(cli, &(struct client_call){.method = "POST", .path = path, .body = body}, answer);
    json_object_put(body);
    return code;
}

int cli_print(struct cli *cli, struct text *text)
{
    enum status status = text_status(text);
    fputs(text_get(text), cli->out);
    text_free(text);
    return status == STATUS_OK ? CLI_OK : cli_refuse(cli, "Use --json", "too much to show");
}

int cli_print_json(struct cli *cli, struct client_answer *answer)
{
    fwrite(answer->body, 1, answer->length, cli->out);
    if (answer->length == 0 || answer->body[answer->length - 1] != '\n') {
        fputc('\n', cli->out);
    }
    client_answer_free(answer);
    return CLI_OK;
}

bool cli_name(struct cli *cli, const char *what, const char *word)
{
    if (name_valid(word)) {
        return true;
    }
    cli_usage(cli, "%s \"%.70s\" is no name: 1 to 63 of a-z A-Z 0-9 . _ -, first a letter or digit", what,
              word);
    return false;
}

static enum status cannot_read(const char *path, int error, struct fault *fault)
{
    fault_set(fault, STATUS_NOT_FOUND, "%s: %s", path, strerror(error));
    fault_next(fault, "Give the path of a file that can be read, or - for standard input.");
    return STATUS_NOT_FOUND;
}

enum status cli_read_file(const char *path, size_t max, struct text *out, struct fault *fault)
{
    char block[8192];
    size_t got;
    bool input = strcmp(path, "-") == 0;
    FILE *file = input ? stdin : fopen(path, "re");
    text_init(out, max);
    if (file == NULL) {
        return cannot_read(path, errno, fault);
    }
    while ((got = fread(block, 1, sizeof block, file)) > 0 && !out->broken) {
        text_add(out, block, got);
    }
    bool failed = ferror(file) != 0;
    int error = errno;
    if (!input) {
        fclose(file);
    }
    enum status status = text_status(out);
    if (failed) {
        status = cannot_read(path, error, fault);
    } else if (status != STATUS_OK) {
        fault_set(fault, status, "%s is larger than %zu bytes", path, max);
        fault_next(fault, "Give less at once: fewer rows, or a file for each service.");
    }
    if (status != STATUS_OK) {
        text_free(out);
    }
    return status;
}

int cli_read_yaml(struct cli *cli, const char *path, struct yamldoc_stream *out)
{
    struct fault fault = {0};
    struct text data;
    *out = (struct yamldoc_stream){0};
    enum status status = cli_read_file(path, YAMLDOC_BYTES_MAX, &data, &fault);
    if (status == STATUS_OK) {
        status = yamldoc_read(text_get(&data), data.length, strcmp(path, "-") == 0 ? "standard input" : path,
                              out, &fault);
        text_free(&data);
    }
    if (status != STATUS_OK) {
        return cli_fault(cli, &fault);
    }
    if (out->documents != 1) {
        size_t found = out->documents;
        yamldoc_free(out);
        return cli_refuse(cli, "Put each document into a file of its own; --- begins a new one.",
                          "%s must hold one document, it holds %zu", path, found);
    }
    return CLI_OK;
}

void cli_add(struct json_object **object, const char *name, struct json_object *value)
{
    if (*object == NULL || value == NULL || json_object_object_add(*object, name, value) != 0) {
        json_object_put(value);
        json_object_put(*object);
        *object = NULL;
    }
}

void cli_add_text(struct json_object **object, const char *name, const char *value)
{
    if (value != NULL) {
        cli_add(object, name, json_object_new_string(value));
    }
}
