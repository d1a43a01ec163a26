/* Which rollout is meant: by its id, or by its service. */
#pragma once

#include "base/id.h"
#include "cli/cli.h"

enum target {
    TARGET_LIVE,  /* of a service the live rollout; it is a fault if there is none */
    TARGET_NEWEST /* of a service the live rollout, else the newest */
};

/* Finds the rollout that `word` names. CLI_OK with its id, or an exit code (shown). */
int target_find(struct cli *cli, const char *word, enum target target, char id[ID_MAX]);
/* Appends /v1/rollouts/ID and `part` ("" or "/explain"). */
void target_path(struct text *path, const char *id, const char *part);
