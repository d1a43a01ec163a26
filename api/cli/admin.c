/* Administration: tokens and webhooks. */
#include "cli/list.h"
#include "cli/pick.h"

#include <string.h>

static void begin_tokens(struct table *table)
{
    table_begin(table, "ID", "NAME", "ROLE", "MADE", "REVOKED", NULL);
}

static void token_row(struct table *table, struct json_object *item)
{
    char text[OUTPUT_MAX];
    table_cell(table, pick_text(item, "id"));
    table_cell(table, pick_text(item, "name"));
    table_cell(table, pick_text(item, "role"));
    table_cell(table, output_since(pick_text(item, "created_at"), text));
    table_cell(table, output_since(pick_text(item, "revoked_at"), text));
}

static int run_token_list(struct cli *cli, struct args *args)
{
    static const struct list list = {
        .path = "/v1/tokens", .begin = begin_tokens, .row = token_row, .empty = "There are no tokens."};
    return list_run(cli, args, &list);
}

static int run_token_create(struct cli *cli, struct args *args)
{
    struct client_answer answer;
    if (!cli_name(cli, "the name", args->word[0])) {
        return CLI_USAGE;
    }
    struct json_object *body = json_object_new_object();
    cli_add_text(&body, "name", args->word[0]);
    cli_add_text(&body, "role", args->word[1]);
    if (body == NULL) {
        return cli_refuse(cli, NULL, "out of memory");
    }
    /* Without an Idempotency-Key, so that the secret is stored nowhere. */
    int code = cli_send(
        cli, &(struct client_call){.method = "POST", .path = "/v1/tokens", .body = body, .no_key = true},
        &answer);
    json_object_put(body);
    if (code != CLI_OK || cli->json) {
        return code == CLI_OK ? cli_print_json(cli, &answer) : code;
    }
    struct text out;
    text_init(&out, 4096);
    output_clean(&out, pick_text(answer.json, "token"), false);
    text_putc(&out, '\n');
    client_answer_free(&answer);
    fputs("The token is shown once: keep it. The gateway port knows it within about a second.\n", cli->err);
    return cli_print(cli, &out);
}

/* DELETE /v1/WHAT/ID */
static int delete_one(struct cli *cli, struct args *args, const char *what, const char *done)
{
    struct client_answer answer;
    struct text path;
    text_init(&path, 1024);
    text_puts(&path, what);
    client_path(&path, args->word[0]);
    int code =
        text_status(&path) == STATUS_OK
            ? cli_send(cli, &(struct client_call){.method = "DELETE", .path = text_get(&path)}, &answer)
            : cli_usage(cli, "the id is too long");
    text_free(&path);
    if (code != CLI_OK || cli->json) {
        return code == CLI_OK ? cli_print_json(cli, &answer) : code;
    }
    fprintf(cli->out, "%s %s\n", args->word[0], done);
    client_answer_free(&answer);
    return CLI_OK;
}

static int run_token_revoke(struct cli *cli, struct args *args)
{
    return delete_one(cli, args, "/v1/tokens", "revoked");
}

static void begin_webhooks(struct table *table)
{
    table_begin(table, "ID", "URL", "SERVICE", "MADE", "DELIVERED", "OWED", "LAST ERROR", NULL);
    table->right[5] = true;
}

static void webhook_row(struct table *table, struct json_object *item)
{
    char text[OUTPUT_MAX], error[OUTPUT_SHORT_MAX];
    table_cell(table, pick_text(item, "id"));
    table_cell(table, pick_text(item, "url"));
    table_cell(table, pick_has(item, "service") ? pick_text(item, "service") : "all");
    table_cell(table, output_since(pick_text(item, "created_at"), text));
    table_cell(table, output_since(pick_text(item, "last_delivered_at"), text));
    table_cell(table, output_count(pick_integer(item, "pending"), text));
    if (pick_has(item, "disabled_at")) {
        table_cell_painted(table, PAINT_RED, "disabled");
    } else {
        table_cell(table, output_short(pick_text(item, "last_error"), 60, error));
    }
}

static int run_webhook_list(struct cli *cli, struct args *args)
{
    static const struct list list = {.path = "/v1/webhooks",
                                     .begin = begin_webhooks,
                                     .row = webhook_row,
                                     .empty = "There are no webhooks."};
    return list_run(cli, args, &list);
}

static int run_webhook_create(struct cli *cli, struct args *args)
{
    struct client_answer answer;
    const char *service = args_get(args, "service");
    if (service != NULL && !cli_name(cli, "the service", service)) {
        return CLI_USAGE;
    }
    struct json_object *body = json_object_new_object();
    cli_add_text(&body, "url", args->word[0]);
    cli_add_text(&body, "service", service);
    if (body == NULL) {
        return cli_refuse(cli, NULL, "out of memory");
    }
    int code = cli_send(
        cli, &(struct client_call){.method = "POST", .path = "/v1/webhooks", .body = body, .no_key = true},
        &answer);
    json_object_put(body);
    if (code != CLI_OK || cli->json) {
        return code == CLI_OK ? cli_print_json(cli, &answer) : code;
    }
    struct text out;
    text_init(&out, 4096);
    output_clean(&out, pick_text(answer.json, "id"), false);
    text_puts(&out, "  ");
    output_clean(&out, pick_text(answer.json, "secret"), false);
    text_putc(&out, '\n');
    client_answer_free(&answer);
    fputs("The signing secret is shown once: keep it.\n", cli->err);
    return cli_print(cli, &out);
}

static int run_webhook_delete(struct cli *cli, struct args *args)
{
    return delete_one(cli, args, "/v1/webhooks", "removed");
}

static const struct args_option list_options[] = {LIST_OPTIONS, {0}};
static const struct args_option webhook_options[] = {
    {"service", 0, ARGS_VALUE, "SERVICE", "only of this service"}, {0}};

const struct command admin_commands[] = {
    {"token create", "NAME ROLE", "make a token; it is shown once",
     "Roles: viewer, gateway, engineer, oncall, admin; each may do what those before it may.", NULL, 2, 2,
     run_token_create},
    {"token list", "", "tokens, without their secrets", NULL, list_options, 0, 0, run_token_list},
    {"token revoke", "ID", "revoke a token", NULL, NULL, 1, 1, run_token_revoke},
    {"webhook create", "URL", "send every transition to a URL, signed (Standard Webhooks)", NULL,
     webhook_options, 1, 1, run_webhook_create},
    {"webhook list", "", "webhooks and how their deliveries go", NULL, list_options, 0, 0, run_webhook_list},
    {"webhook delete", "ID", "stop sending", NULL, NULL, 1, 1, run_webhook_delete},
    {0}};
