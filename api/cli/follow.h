/* Following a rollout until it ends. */
#pragma once

#include "base/id.h"
#include "cli/cli.h"

struct follow {
    char id[ID_MAX];
    int64_t timeout_ms; /* 0 = none */
    bool until_paused;  /* end with CLI_PAUSED as soon as it is paused */
};

/* Options of the commands that can follow. */
#define FOLLOW_OPTIONS                                                                                       \
    {"wait", 'w', ARGS_FLAG, NULL, "follow it until it ends; the exit code says how"},                       \
        {"timeout", 0, ARGS_VALUE, "DURATION",                                                               \
         "wait at most this long; then exit code 6. The rollout goes on"},                                   \
    {                                                                                                        \
        "until-paused", 0, ARGS_FLAG, NULL, "also end when it is paused; exit code 7"                        \
    }

/* Reads those options. False with args->error. */
bool follow_options(struct args *args, struct follow *out);
/* Follows: in place on a terminal, else one line for each change (with --json one line of JSON, the Rollout).
   Ends when the rollout has ended and its last route is applied everywhere, or 60 s after its end. Exit code
   by how it ended; lost connections are tried again for two minutes. */
int follow_run(struct cli *cli, const struct follow *follow);
