/* serin apply: makes the server hold what a file says, document by document. */
#include "base/json.h"
#include "cli/manifest.h"
#include "cli/pick.h"
#include "spec/slos.h"

#include <string.h>

struct applying {
    struct cli *cli;
    struct {
        struct ref ref;
        int64_t version;
    } known[YAMLDOC_MAX]; /* artifacts that this run has registered, or found registered */
    size_t known_count;
};

static void service_path(struct text *path, const char *service, const char *part)
{
    text_init(path, 1024);
    text_puts(path, "/v1/services");
    client_path(path, service);
    text_puts(path, part);
}

/* Says how a document fared, and frees the answer. With --json its JSON, one line a document. */
static int told(struct cli *cli, struct client_answer *answer, const char *what, const char *result)
{
    if (cli->json) {
        return cli_print_json(cli, answer);
    }
    fprintf(cli->out, "%-40s %s\n", what, result);
    client_answer_free(answer);
    return CLI_OK;
}

/* A PUT based on what a GET (taken over and freed) has shown. */
static int put(struct cli *cli, const char *path, struct json_object *body, struct client_answer *seen,
               struct client_answer *answer)
{
    const char *etag = seen->http == 200 && seen->etag[0] != '\0' ? seen->etag : NULL;
    int code = cli_send(
        cli, &(struct client_call){.method = "PUT", .path = path, .body = body, .if_match = etag}, answer);
    client_answer_free(seen);
    return code;
}

/* Is each field of `body` the same in `seen`? */
static bool same_text(struct json_object *body, struct json_object *seen, const char *name)
{
    return !pick_has(body, name) || strcmp(pick_text(body, name), pick_text(seen, name)) == 0;
}

static int apply_service(struct cli *cli, const struct manifest *manifest)
{
    struct client_answer seen, answer;
    struct text path;
    char what[128];
    snprintf(what, sizeof what, "service %s", manifest->service);
    service_path(&path, manifest->service, "");
    int code = cli_look(cli, text_get(&path), &seen);
    if (code == CLI_OK && seen.http == 200 && same_text(manifest->body, seen.json, "description") &&
        same_text(manifest->body, seen.json, "sticky")) {
        text_free(&path);
        return told(cli, &seen, what, "unchanged");
    }
    if (code == CLI_OK) {
        code = put(cli, text_get(&path), manifest->body, &seen, &answer);
    }
    text_free(&path);
    return code == CLI_OK ? told(cli, &answer, what, answer.http == 201 ? "created" : "changed") : code;
}

/* Two documents of the same meaning have the same canonical form once they are read and written. NULL values
   never match. Takes both. */
static bool same_json(struct json_object *a, struct json_object *b)
{
    struct text one, two;
    text_init(&one, 1 << 20);
    text_init(&two, 1 << 20);
    bool same = a != NULL && b != NULL && json_canonical(a, &one) == STATUS_OK &&
                json_canonical(b, &two) == STATUS_OK && strcmp(text_get(&one), text_get(&two)) == 0;
    text_free(&one);
    text_free(&two);
    json_object_put(a);
    json_object_put(b);
    return same;
}

static bool same_slos(struct json_object *body, struct json_object *seen)
{
    struct slos one, two;
    return spec_read_slos(pick(body, "slos"), "", &one, NULL) == STATUS_OK &&
           spec_read_slos(pick(seen, "slos"), "", &two, NULL) == STATUS_OK &&
           same_json(spec_write_slos(&one), spec_write_slos(&two));
}

static int apply_slos(struct cli *cli, const struct manifest *manifest)
{
    struct client_answer seen, answer;
    struct text path;
    char what[128];
    snprintf(what, sizeof what, "slos %s", manifest->service);
    service_path(&path, manifest->service, "/slos");
    int code = cli_look(cli, text_get(&path), &seen);
    if (code == CLI_OK && seen.http == 200 && same_slos(manifest->body, seen.json)) {
        text_free(&path);
        return told(cli, &seen, what, "unchanged");
    }
    bool first = code == CLI_OK && seen.http == 404;
    if (code == CLI_OK) {
        code = put(cli, text_get(&path), manifest->body, &seen, &answer);
    }
    text_free(&path);
    return code == CLI_OK ? told(cli, &answer, what, first ? "created" : "changed") : code;
}

/* The same under the SLOs that the server has. */
static bool same_policy(struct cli *cli, const char *service, struct json_object *body,
                        struct json_object *seen)
{
    struct client_answer answer;
    struct text path;
    struct slos slos;
    struct spec_policy one, two;
    bool same = false;
    service_path(&path, service, "/slos");
    if (pick_integer(seen, "version") > 0 && cli_look(cli, text_get(&path), &answer) == CLI_OK) {
        same = answer.http == 200 &&
               spec_read_slos(pick(answer.json, "slos"), "", &slos, NULL) == STATUS_OK &&
               spec_read_policy(body, "", &slos, &one, NULL) == STATUS_OK &&
               spec_read_policy(pick(seen, "policy"), "", &slos, &two, NULL) == STATUS_OK &&
               same_json(spec_write_policy(&one), spec_write_policy(&two));
        client_answer_free(&answer);
    }
    text_free(&path);
    return same;
}

static int apply_policy(struct cli *cli, const struct manifest *manifest)
{
    struct client_answer seen, answer;
    struct text path;
    char what[128];
    snprintf(what, sizeof what, "policy %s", manifest->service);
    service_path(&path, manifest->service, "/policy");
    int code = cli_look(cli, text_get(&path), &seen);
    if (code == CLI_OK && seen.http == 200 &&
        same_policy(cli, manifest->service, manifest->body, seen.json)) {
        text_free(&path);
        return told(cli, &seen, what, "unchanged");
    }
    bool first = code == CLI_OK && pick_integer(seen.json, "version") == 0;
    if (code == CLI_OK) {
        code = put(cli, text_get(&path), manifest->body, &seen, &answer);
    }
    text_free(&path);
    return code == CLI_OK ? told(cli, &answer, what, first ? "created" : "changed") : code;
}

static int apply_artifact(struct applying *applying, const struct manifest *manifest)
{
    struct client_answer answer;
    struct text path;
    char what[160];
    text_init(&path, 1024);
    ref_path(&path, &manifest->artifact, NULL);
    int code = cli_post(applying->cli, text_get(&path), json_object_get(manifest->body), &answer);
    text_free(&path);
    if (code != CLI_OK) {
        return code;
    }
    int64_t version = pick_integer(answer.json, "version");
    applying->known[applying->known_count].ref = manifest->artifact;
    applying->known[applying->known_count++].version = version;
    snprintf(what, sizeof what, "%s/%s@%lld", spec_kind_name(manifest->artifact.kind),
             manifest->artifact.name, (long long)version);
    return told(applying->cli, &answer, what, answer.http == 201 ? "created" : "unchanged");
}

/* The version that a release's word means: as written; else the one this file registers; else the newest. */
static int resolve(void *argument, const struct ref *ref, int64_t *out)
{
    struct applying *applying = argument;
    for (size_t i = 0; ref->version[0] == '\0' && i < applying->known_count; i++) {
        if (applying->known[i].ref.kind == ref->kind && strcmp(applying->known[i].ref.name, ref->name) == 0) {
            *out = applying->known[i].version;
            return CLI_OK;
        }
    }
    return ref_resolve(applying->cli, ref, out);
}

static int apply_release(struct applying *applying, const struct manifest *manifest)
{
    struct client_answer answer;
    struct text path;
    struct fault fault = {0};
    char what[160];
    struct json_object *body = manifest_pins(manifest->body, resolve, applying, &fault);
    if (body == NULL) {
        return cli_fault(applying->cli, &fault);
    }
    service_path(&path, manifest->service, "/releases");
    int code = cli_post(applying->cli, text_get(&path), body, &answer);
    text_free(&path);
    snprintf(what, sizeof what, "release %s %s", manifest->service, manifest->release);
    return code == CLI_OK ? told(applying->cli, &answer, what, answer.http == 201 ? "created" : "unchanged")
                          : code;
}

/* Is the service at this release already, or on its way there? CLI_OK with *there and, if so, what was seen.
 */
static int look_for_release(struct cli *cli, const struct manifest *manifest, bool *there,
                            struct client_answer *seen)
{
    struct text path;
    service_path(&path, manifest->service, "");
    int code = cli_get(cli, text_get(&path), seen);
    text_free(&path);
    *there = false;
    if (code != CLI_OK) {
        return code;
    }
    if (!pick_has(seen->json, "live_rollout")) {
        *there = strcmp(pick_text(seen->json, "stable"), manifest->release) == 0;
    } else {
        text_init(&path, 1024);
        text_puts(&path, "/v1/rollouts");
        client_path(&path, pick_text(seen->json, "live_rollout"));
        client_answer_free(seen);
        code = cli_get(cli, text_get(&path), seen);
        text_free(&path);
        *there = code == CLI_OK && strcmp(pick_text(seen->json, "release"), manifest->release) == 0;
    }
    if (code == CLI_OK && !*there) {
        client_answer_free(seen);
    }
    return code;
}

static int apply_rollout(struct cli *cli, const struct manifest *manifest)
{
    struct client_answer answer;
    struct text path;
    char what[160];
    bool there;
    snprintf(what, sizeof what, "rollout %s %s", manifest->service, manifest->release);
    int code = look_for_release(cli, manifest, &there, &answer);
    if (code != CLI_OK || there) {
        return code == CLI_OK ? told(cli, &answer, what, "unchanged") : code;
    }
    service_path(&path, manifest->service, "/rollouts");
    code = cli_post(cli, text_get(&path), json_object_get(manifest->body), &answer);
    text_free(&path);
    if (code == CLI_OK) {
        char result[64];
        snprintf(result, sizeof result, "started %.40s", pick_text(answer.json, "id"));
        code = told(cli, &answer, what, result);
    }
    return code;
}

static int apply_one(struct applying *applying, const struct manifest *manifest)
{
    switch (manifest->kind) {
    case MANIFEST_SERVICE:
        return apply_service(applying->cli, manifest);
    case MANIFEST_SLOS:
        return apply_slos(applying->cli, manifest);
    case MANIFEST_POLICY:
        return apply_policy(applying->cli, manifest);
    case MANIFEST_ARTIFACT:
        return apply_artifact(applying, manifest);
    case MANIFEST_RELEASE:
        return apply_release(applying, manifest);
    case MANIFEST_ROLLOUT:
    case MANIFEST_COUNT:
        break;
    }
    return apply_rollout(applying->cli, manifest);
}

static int dry_run(struct cli *cli, const struct manifests *manifests)
{
    for (size_t i = 0; i < manifests->count; i++) {
        const struct manifest *manifest = &manifests->item[i];
        if (manifest->kind == MANIFEST_POLICY &&
            manifest_find(manifests, MANIFEST_SLOS, manifest->service) == NULL) {
            fprintf(cli->err,
                    "serin: the SLOs of %s are not in this file: its guardrails were not held against them\n",
                    manifest->service);
        }
    }
    if (!cli->json) {
        fprintf(cli->out, "%zu document%s, all valid; nothing was sent\n", manifests->count,
                manifests->count == 1 ? "" : "s");
    }
    return CLI_OK;
}

static int run_apply(struct cli *cli, struct args *args)
{
    struct manifests manifests;
    const char *path = args_get(args, "file");
    if (path == NULL) {
        return cli_usage(cli, "give the file with -f; - is standard input");
    }
    if (cli->key != NULL) {
        return cli_usage(cli, "--key is for one request; what is applied may simply be applied again");
    }
    int code = manifest_read(cli, path, &manifests);
    if (code != CLI_OK) {
        return code;
    }
    if (args_has(args, "dry-run")) {
        code = dry_run(cli, &manifests);
    } else {
        struct applying applying = {.cli = cli};
        for (size_t i = 0; code == CLI_OK && i < manifests.count; i++) {
            code = apply_one(&applying, &manifests.item[i]);
            fflush(cli->out);
        }
    }
    manifest_free(&manifests);
    return code;
}

static const struct args_option apply_options[] = {
    {"file", 'f', ARGS_VALUE, "FILE", "YAML or JSON, one or several documents; - is standard input"},
    {"dry-run", 0, ARGS_FLAG, NULL, "check everything, without a server, and send nothing"},
    {0}};

const struct command apply_commands[] = {
    {"apply", "-f FILE", "make the server hold what a file says",
     "Each document has a kind, says whose it is, and else has the fields of the API:\n"
     "  kind: Service    name, description, sticky\n"
     "  kind: Slos       service, slos\n"
     "  kind: Policy     service, guardrails, source, plan, alpha, ...\n"
     "  kind: Artifact   name: prompt/system, content or file (relative to this file), changelog\n"
     "  kind: Release    service, name, artifacts: [prompt/system, model/main@3], changelog, ...\n"
     "  kind: Rollout    service, release, plan, reason, supersede, fix, allow_no_gateway\n"
     "They are checked first, all of them, then applied in this order of kinds, whatever their order in the "
     "file. An "
     "artifact without a version means the one in this file, else the newest. What is there already stays "
     "unchanged; a "
     "Rollout starts unless the service has the release or is on its way to it.",
     apply_options, 0, 0, run_apply},
    {0}};
