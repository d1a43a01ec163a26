/* One run of `serin`: where it writes, whom it talks to, and how a command ends. */
#pragma once

#include "base/fault.h"
#include "base/text.h"
#include "cli/args.h"
#include "cli/client.h"
#include "cli/yamldoc.h"

#include <stdbool.h>
#include <stdio.h>

/* Exit codes. */
enum {
    CLI_OK = 0,
    CLI_REFUSED = 1, /* by the server, or by a check before it */
    CLI_USAGE = 2,
    CLI_UNREACHABLE = 3,
    CLI_ABORTED = 4,     /* the rollout that was waited for ended so */
    CLI_ROLLED_BACK = 5, /* likewise */
    CLI_TIMED_OUT = 6,
    CLI_PAUSED = 7 /* with --until-paused */
};

struct command;

struct cli {
    FILE *out, *err;
    bool json; /* print the API's JSON, unchanged */
    bool out_colors, err_colors;
    bool terminal;                 /* `out` is one: pages may be redrawn */
    const char *url;               /* of --url; NULL = by the settings */
    const char *key;               /* of --key; NULL = a new one for each POST */
    const struct command *command; /* the one that runs */
    struct client *client;         /* made by the first call; owned */
};

struct command {
    const char *name;  /* "rollout start"; NULL ends a table */
    const char *usage; /* its words: "SERVICE RELEASE" */
    const char *summary;
    const char *text; /* more, for the help; NULL = none */
    const struct args_option *options;
    size_t least, most; /* words */
    int (*run)(struct cli *cli, struct args *args);
};

/* The families of commands, each ended by a row without a name. */
extern const struct command apply_commands[], version_commands[], release_commands[], service_commands[],
    rollout_commands[], verb_commands[], explain_commands[], operation_commands[], admin_commands[],
    lint_commands[], diff_commands[], backtest_commands[], replay_commands[];

/* Runs one command line (argv without the program's name) and returns its exit code. */
int cli_run(int count, const char *const *argv, FILE *out, FILE *err);

/* --- how commands end badly: each writes to cli->err and returns an exit code
 * --------------------------------------- */
/* CLI_USAGE, with a pointer to the help. */
int cli_usage(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* CLI_REFUSED. `next` is what to do now; NULL = nothing to say. */
int cli_refuse(struct cli *cli, const char *next, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A fault of ours: CLI_UNREACHABLE for PEER, else CLI_REFUSED. With `document` (else NULL) of the file `name`
   each error is shown with its line; `skip` bytes of its pointer are not the document's. */
int cli_fault(struct cli *cli, const struct fault *fault);
int cli_fault_in(struct cli *cli, const struct fault *fault, const struct yamldoc *document,
                 const char *name);

/* --- talking to the server
 * ------------------------------------------------------------------------------------------ */
/* Sends; CLI_OK with *answer for a 2xx with JSON, to be freed by the caller. Else the problem is shown (with
   --json also as JSON, on cli->out), *answer is empty and the exit code returned. */
int cli_send(struct cli *cli, const struct client_call *call, struct client_answer *answer);
/* The same for a GET. */
int cli_get(struct cli *cli, const char *path, struct client_answer *answer);
/* A GET whose 404 is no problem: CLI_OK with answer->http 404 then. */
int cli_look(struct cli *cli, const char *path, struct client_answer *answer);
/* A POST of `body`, which changes hands also on failure; NULL is refused as no memory. */
int cli_post(struct cli *cli, const char *path, struct json_object *body, struct client_answer *answer);
/* Any call, without showing anything: for those who wait and try again. PEER if there was no answer. */
enum status cli_try(struct cli *cli, const struct client_call *call, struct client_answer *answer,
                    struct fault *fault) MUST_CHECK;
/* Shows what the server refused. */
int cli_problem(struct cli *cli, const struct client_answer *answer);

/* Writes `text` to cli->out and frees it. CLI_OK, or CLI_REFUSED if there was too much of it. */
int cli_print(struct cli *cli, struct text *text);
/* The answer's bytes, unchanged, with a line end; frees the answer. CLI_OK. */
int cli_print_json(struct cli *cli, struct client_answer *answer);

/* --- small things commands share
 * ------------------------------------------------------------------------------------ */
/* True if `word` is a name; else says that WHAT is not. */
bool cli_name(struct cli *cli, const char *what, const char *word);
/* Reads a file ("-" = standard input) of at most `max` bytes. */
enum status cli_read_file(const char *path, size_t max, struct text *out, struct fault *fault) MUST_CHECK;
/* Reads a YAML or JSON file that holds one document. *out is the caller's to free. Shows what is wrong. */
int cli_read_yaml(struct cli *cli, const char *path, struct yamldoc_stream *out);
/* New JSON for request bodies: adds a string, unless `value` is NULL; marks memory trouble by freeing and
 *nulling object. */
void cli_add_text(struct json_object **object, const char *name, const char *value);
void cli_add(struct json_object **object, const char *name, struct json_object *value);
