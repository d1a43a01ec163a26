/* Pages as tables. */
#include "cli/list.h"

#include "cli/pick.h"

#include <string.h>

enum { PAGE_MAX = 200, LIMIT_DEFAULT = 50, LIMIT_MAX = 5000, SHOWN_MAX = 32 << 20 };

static int get_page(struct cli *cli, const char *base, int64_t limit, const char *cursor,
                    struct client_answer *answer)
{
    struct text path;
    char number[24];
    text_init(&path, 4096);
    text_puts(&path, base);
    snprintf(number, sizeof number, "%lld", (long long)limit);
    client_query(&path, "limit", number);
    if (cursor[0] != '\0') {
        client_query(&path, "cursor", cursor);
    }
    int code = text_status(&path) == STATUS_OK ? cli_get(cli, text_get(&path), answer)
                                               : cli_refuse(cli, NULL, "the cursor is too long");
    text_free(&path);
    if (code == CLI_OK && !json_object_is_type(pick(answer->json, "items"), json_type_array)) {
        client_answer_free(answer); /* the gateway port knows some of the paths too, and answers otherwise */
        return cli_refuse(cli,
                          "Look at SERIN_URL: it should be Serin's control port (8080), not the gateway port",
                          "the answer is no list of Serin's control port");
    }
    return code;
}

int list_run(struct cli *cli, struct args *args, const struct list *list)
{
    struct client_answer answer;
    struct table table;
    struct text out;
    int64_t limit = LIMIT_DEFAULT, shown = 0;
    char cursor[1024];
    if (!args_integer(args, "limit", 1, LIMIT_MAX, &limit)) {
        return CLI_USAGE;
    }
    snprintf(cursor, sizeof cursor, "%s", args_get(args, "cursor") != NULL ? args_get(args, "cursor") : "");
    if (cli->json) {
        int code = get_page(cli, list->path, limit < PAGE_MAX ? limit : PAGE_MAX, cursor, &answer);
        return code == CLI_OK ? cli_print_json(cli, &answer) : code;
    }
    list->begin(&table);
    text_init(&out, SHOWN_MAX);
    do {
        int64_t wanted = limit - shown < PAGE_MAX ? limit - shown : PAGE_MAX;
        int code = get_page(cli, list->path, wanted, cursor, &answer);
        if (code != CLI_OK) {
            table_end(&table, false, &out);
            text_free(&out);
            return code;
        }
        size_t length = pick_length(answer.json, "items");
        for (size_t i = 0; i < length && shown < limit; i++, shown++) {
            list->row(&table, pick_nth(answer.json, "items", i));
        }
        snprintf(cursor, sizeof cursor, "%s", length > 0 ? pick_text(answer.json, "next_cursor") : "");
        client_answer_free(&answer);
    } while (cursor[0] != '\0' && shown < limit);
    table_end(&table, cli->out_colors, &out);
    if (shown == 0) {
        text_clear(&out);
        text_printf(&out, "%s\n", list->empty);
    } else if (cursor[0] != '\0') {
        text_printf(&out, "There are more: -n %lld\n", (long long)limit * 4);
    }
    return cli_print(cli, &out);
}
