/* Rollouts by id or service. */
#include "cli/target.h"

#include "base/id.h"
#include "cli/pick.h"

#include <stdio.h>
#include <string.h>

void target_path(struct text *path, const char *id, const char *part)
{
    text_init(path, 1024);
    text_puts(path, "/v1/rollouts");
    client_path(path, id);
    text_puts(path, part);
}

static int newest(struct cli *cli, const char *service, char id[ID_MAX])
{
    struct client_answer answer;
    struct text path;
    text_init(&path, 1024);
    text_puts(&path, "/v1/services");
    client_path(&path, service);
    text_puts(&path, "/rollouts?limit=1");
    int code = cli_get(cli, text_get(&path), &answer);
    text_free(&path);
    if (code != CLI_OK) {
        return code;
    }
    snprintf(id, ID_MAX, "%s", pick_text(pick_nth(answer.json, "items", 0), "id"));
    client_answer_free(&answer);
    char next[NAME_MAX_LENGTH + 64];
    snprintf(next, sizeof next, "Start one: serin rollout start %s RELEASE", service);
    return id[0] != '\0' ? CLI_OK : cli_refuse(cli, next, "the service %s has had no rollout yet", service);
}

int target_find(struct cli *cli, const char *word, enum target target, char id[ID_MAX])
{
    struct client_answer answer;
    struct text path;
    char next[NAME_MAX_LENGTH + 64];
    if (id_valid("ro", word)) {
        snprintf(id, ID_MAX, "%s", word);
        return CLI_OK;
    }
    if (!cli_name(cli, "the rollout or service", word)) {
        return CLI_USAGE;
    }
    text_init(&path, 1024);
    text_puts(&path, "/v1/services");
    client_path(&path, word);
    int code = cli_get(cli, text_get(&path), &answer);
    text_free(&path);
    if (code != CLI_OK) {
        return code;
    }
    snprintf(id, ID_MAX, "%s", pick_text(answer.json, "live_rollout"));
    client_answer_free(&answer);
    if (id[0] != '\0') {
        return CLI_OK;
    }
    if (target == TARGET_LIVE) {
        snprintf(next, sizeof next, "See what there was: serin rollout list %s", word);
        return cli_refuse(cli, next, "the service %s has no live rollout", word);
    }
    return newest(cli, word, id);
}
