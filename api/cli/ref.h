/* How people name artifact versions: "prompt/system@3", "prompt/system@latest", "prompt/system". */
#pragma once

#include "base/id.h"
#include "cli/cli.h"
#include "spec/artifact.h"

#include <stdint.h>

struct ref {
    enum spec_kind kind;
    char name[NAME_MAX_LENGTH + 1];
    char version[16]; /* "" = none given, "latest", or a number from 1 */
};

/* Reads such a name. On false `problem` (size bytes) says what is wrong. */
bool ref_parse(const char *text, struct ref *out, char *problem, size_t size);
/* The same of two or three words: KIND NAME [VERSION], or one: KIND/NAME[@VERSION]. Says what is wrong. */
bool ref_of_words(struct cli *cli, const char *const *words, size_t count, struct ref *out);
/* Appends /v1/artifacts/KIND/NAME/versions[/VERSION]. */
void ref_path(struct text *path, const struct ref *ref, const char *version);
/* The number of the version: asks the server for the newest unless it is given. CLI_OK or an exit code
 * (shown). */
int ref_resolve(struct cli *cli, const struct ref *ref, int64_t *version);
/* New ArtifactPin; NULL on no memory. */
struct json_object *ref_pin(const struct ref *ref, int64_t version);
