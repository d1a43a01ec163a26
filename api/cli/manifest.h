/* The documents of `serin apply`: what each file says there should be, read and checked before anything is
 * sent. */
#pragma once

#include "base/id.h"
#include "cli/cli.h"
#include "cli/ref.h"
#include "cli/yamldoc.h"
#include "decision/policy.h"
#include "spec/policy.h"

/* X(name, word): in the order in which they are applied. */
#define MANIFEST_TABLE(X)                                                                                    \
    X(SERVICE, "Service")                                                                                    \
    X(SLOS, "Slos")                                                                                          \
    X(POLICY, "Policy")                                                                                      \
    X(ARTIFACT, "Artifact")                                                                                  \
    X(RELEASE, "Release")                                                                                    \
    X(ROLLOUT, "Rollout")

enum manifest_kind {
#define X(name, word) MANIFEST_##name,
    MANIFEST_TABLE(X)
#undef X
        MANIFEST_COUNT
};

struct manifest {
    enum manifest_kind kind;
    const struct yamldoc *document;    /* lent by the stream */
    char service[NAME_MAX_LENGTH + 1]; /* "" for an Artifact */
    char release[NAME_MAX_LENGTH + 1]; /* of a Release or Rollout */
    struct ref artifact;               /* of an Artifact */
    struct json_object
        *body; /* the API's body; owned. Pins of a Release may still be words ("prompt/system") */
};

struct manifests {
    const char *path; /* lent */
    struct yamldoc_stream stream;
    struct manifest *item; /* owned, sorted by kind; in the order of the file within one */
    size_t count;
};

/* Reads the file ("-" = standard input) and checks every document. CLI_OK; or every problem is shown with its
   line, *out is empty and an exit code is returned. */
int manifest_read(struct cli *cli, const char *path, struct manifests *out);
void manifest_free(struct manifests *manifests);
/* Refuses a service of which the file says nothing, with those it has; NULL is always accepted. Returns an
   exit code. */
int manifest_check_service(struct cli *cli, const struct manifests *manifests, const char *service);
/* The document of a kind for a service; NULL if there is none. */
const struct manifest *manifest_find(const struct manifests *manifests, enum manifest_kind kind,
                                     const char *service);
/* The SLOs of a service as the file has them. False if it has none; then *out has an SLO for every guardrail
   that `policy` (may be NULL) names, so that the rest of it can be checked. */
bool manifest_slos(const struct manifests *manifests, const char *service, struct json_object *policy,
                   struct slos *out);
/* The artifacts of a Release's body as pins: words that name no version number become `version` if that is
   not NULL, for a check, or are left. A new object like `body` (owned by the caller); NULL on no memory or a
   word that cannot be read: then `fault` says where. */
struct json_object *manifest_pins(struct json_object *body,
                                  int (*version)(void *argument, const struct ref *ref, int64_t *out),
                                  void *argument, struct fault *fault);
