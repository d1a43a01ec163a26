/* serin lint: advice on policies and plans, without a server. */
#include "spec/lint.h"
#include "cli/manifest.h"
#include "cli/output.h"
#include "cli/pick.h"
#include "spec/plan.h"

#include <string.h>

enum { FINDINGS_MAX = 128 };

struct linting {
    struct cli *cli;
    const struct manifests *manifests;
    double rps;
    struct json_object *all; /* with --json: the array of findings; owned */
    size_t errors, warnings;
    bool no_memory;
};

static void add_json(struct linting *linting, const char *service, int line,
                     const struct spec_finding *finding)
{
    struct json_object *object = json_object_new_object();
    cli_add_text(&object, "service", service);
    cli_add_text(&object, "level", spec_level_name(finding->level));
    cli_add_text(&object, "pointer", finding->pointer);
    cli_add(&object, "line", json_object_new_int(line));
    cli_add_text(&object, "text", finding->text);
    cli_add_text(&object, "mend", finding->mend);
    if (object == NULL || linting->all == NULL || json_object_array_add(linting->all, object) != 0) {
        json_object_put(object);
        linting->no_memory = true;
    }
}

static void show(struct linting *linting, int line, const struct spec_finding *finding)
{
    static const enum paint paints[LEVEL_COUNT] = {PAINT_RED, PAINT_YELLOW, PAINT_BLUE};
    struct cli *cli = linting->cli;
    struct text out;
    text_init(&out, 8192);
    text_printf(&out, "%s:%d: ", linting->manifests->path, line);
    output_paint(&out, cli->out_colors, paints[finding->level], spec_level_name(finding->level));
    text_puts(&out, ": ");
    output_clean(&out, finding->text, false);
    text_putc(&out, '\n');
    if (finding->mend[0] != '\0') {
        output_wrap(&out, finding->mend, 4, 100);
    }
    cli_print(cli, &out);
}

/* Without a rate nothing can be said about times, and what is missing is said instead. */
static size_t add_rate(const struct linting *linting, const struct spec_policy *policy,
                       struct spec_finding *found, size_t count)
{
    if (linting->rps > 0 || policy->policy.rps_milli > 0 || count == FINDINGS_MAX) {
        return count;
    }
    found[count] = (struct spec_finding){.level = LEVEL_NOTE, .pointer = "/plan"};
    snprintf(found[count].text, sizeof found[count].text, "how long each step takes depends on the traffic");
    snprintf(found[count].mend, sizeof found[count].mend,
             "give --rps N, the requests a second of the service, or set expected_rps in the policy");
    return count + 1;
}

/* A bare number is in 1/10,000, and up to 100 it reads like one in percent. Only the document knows whether a
   sign stood there. */
static size_t add_unit(struct json_object *value, const char *pointer, const char *name,
                       struct spec_finding *found, size_t count)
{
    int64_t weight = json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : 0;
    if (weight <= 0 || weight > 100 || count == FINDINGS_MAX) {
        return count;
    }
    found[count] = (struct spec_finding){.level = LEVEL_WARNING};
    snprintf(found[count].pointer, sizeof found[count].pointer, "%s", pointer);
    snprintf(found[count].text, sizeof found[count].text, "%s %.4g %%: did you mean %lld%%?", name,
             (double)weight / 100, (long long)weight);
    snprintf(found[count].mend, sizeof found[count].mend,
             "write %lld%%; or, if it was meant, %.4g%%: a bare number is in 1/10,000", (long long)weight,
             (double)weight / 100);
    return count + 1;
}

/* Of what stands in the documents as it was written. */
static size_t add_units(struct json_object *policy, struct json_object *plan, struct spec_finding *found,
                        size_t count)
{
    char pointer[sizeof found->pointer];
    count = add_unit(pick(policy, "holdback"), "/holdback", "holdback", found, count);
    for (size_t i = 0; i < pick_length(plan, "steps"); i++) {
        snprintf(pointer, sizeof pointer, "/plan/steps/%zu/weight", i);
        count = add_unit(pick(pick_nth(plan, "steps", i), "weight"), pointer, "weight", found, count);
    }
    return count;
}

/* What the documents say in their own words; lent, NULL = they do not. */
struct written {
    struct json_object *policy, *plan;
};

/* Lints one plan. Findings about it belong to `plan_document` if it stands in another document than the
 * policy. */
static void lint(struct linting *linting, const char *service, const struct slos *slos,
                 const struct spec_policy *policy, const struct plan *plan, const struct written *written,
                 const struct yamldoc *document, const struct yamldoc *plan_document)
{
    static struct spec_finding found[FINDINGS_MAX];
    size_t count = add_units(written->policy, written->plan, found, 0);
    count += spec_lint(slos, policy, plan, linting->rps, found + count, FINDINGS_MAX - count);
    count = add_rate(linting, policy, found, count);
    if (!linting->cli->json) {
        fprintf(linting->cli->out, "%s\n", service);
    }
    for (size_t i = 0; i < count; i++) {
        bool of_plan = strncmp(found[i].pointer, "/plan", 5) == 0;
        int line = yamldoc_line(of_plan ? plan_document : document, found[i].pointer);
        linting->errors += found[i].level == LEVEL_ERROR ? 1 : 0;
        linting->warnings += found[i].level == LEVEL_WARNING ? 1 : 0;
        if (linting->cli->json) {
            add_json(linting, service, line, &found[i]);
        } else {
            show(linting, line, &found[i]);
        }
    }
}

/* The policy of a service with its own plan, or with that of a rollout. The documents were checked when they
 * were read. */
static int lint_service(struct linting *linting, const struct manifest *slos_manifest)
{
    const struct manifests *manifests = linting->manifests;
    const char *service = slos_manifest->service;
    const struct manifest *policy_manifest = manifest_find(manifests, MANIFEST_POLICY, service);
    const struct yamldoc *document =
        policy_manifest != NULL ? policy_manifest->document : slos_manifest->document;
    struct json_object *policy_body = policy_manifest != NULL ? policy_manifest->body : NULL;
    struct json_object *empty = json_object_new_object();
    struct spec_policy policy;
    struct slos slos;
    struct plan plan;
    bool own = false;
    manifest_slos(manifests, service, NULL, &slos);
    enum status status = empty == NULL
                             ? STATUS_NO_MEMORY
                             : spec_read_policy(policy_manifest != NULL ? policy_manifest->body : empty, "",
                                                &slos, &policy, NULL);
    json_object_put(empty);
    if (status != STATUS_OK) {
        return cli_refuse(linting->cli, NULL, "the policy of %s cannot be read", service);
    }
    for (size_t i = 0; i < manifests->count; i++) {
        const struct manifest *rollout = &manifests->item[i];
        if (rollout->kind == MANIFEST_ROLLOUT && strcmp(rollout->service, service) == 0 &&
            pick_has(rollout->body, "plan") &&
            spec_read_plan(pick(rollout->body, "plan"), "/plan", &plan, NULL) == STATUS_OK) {
            struct written written = {policy_body, pick(rollout->body, "plan")};
            lint(linting, service, &slos, &policy, &plan, &written, document, rollout->document);
            own = true;
        }
    }
    if (!own) {
        struct written written = {policy_body, pick(policy_body, "plan")};
        lint(linting, service, &slos, &policy, &policy.plan, &written, document, document);
    }
    return CLI_OK;
}

static int finish(struct linting *linting, size_t services)
{
    struct cli *cli = linting->cli;
    if (cli->json) {
        struct json_object *whole = json_object_new_object();
        cli_add(&whole, "findings", linting->all);
        linting->all = NULL;
        if (whole == NULL || linting->no_memory) {
            json_object_put(whole);
            return cli_refuse(cli, NULL, "out of memory");
        }
        fprintf(cli->out, "%s\n", json_object_to_json_string_ext(whole, JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(whole);
    } else {
        fprintf(cli->out, "%zu service%s: %zu error%s, %zu warning%s\n", services, services == 1 ? "" : "s",
                linting->errors, linting->errors == 1 ? "" : "s", linting->warnings,
                linting->warnings == 1 ? "" : "s");
    }
    return linting->errors > 0 ? CLI_REFUSED : CLI_OK;
}

static int run_lint(struct cli *cli, struct args *args)
{
    struct manifests manifests;
    struct linting linting = {.cli = cli, .manifests = &manifests};
    const char *path = args_get(args, "file");
    size_t services = 0;
    if (path == NULL) {
        return cli_usage(cli, "give the file with -f; - is standard input");
    }
    if (!args_positive(args, "rps", &linting.rps)) {
        return CLI_USAGE;
    }
    int code = manifest_read(cli, path, &manifests);
    if (code != CLI_OK) {
        return code;
    }
    linting.all = cli->json ? json_object_new_array() : NULL;
    for (size_t i = 0; code == CLI_OK && i < manifests.count; i++) {
        if (manifests.item[i].kind == MANIFEST_SLOS) {
            code = lint_service(&linting, &manifests.item[i]);
            services++;
        }
    }
    if (code == CLI_OK && services == 0) {
        code = cli_refuse(cli, "Add a document kind: Slos for the service",
                          "%s holds no objectives to judge by", path);
    }
    code = code == CLI_OK ? finish(&linting, services) : code;
    json_object_put(linting.all);
    manifest_free(&manifests);
    return code;
}

static const struct args_option lint_options[] = {
    {"file", 'f', ARGS_VALUE, "FILE", "documents as for apply: Slos, Policy, Rollout; - is standard input"},
    {"rps", 0, ARGS_VALUE, "N",
     "requests a second of the service, for the times; else the policy's expected_rps"},
    {0}};

const struct command lint_commands[] = {
    {"lint", "-f FILE", "what is unwise or cannot work in a policy and plan, and how long each step takes",
     "Needs no server. Exit code 1 if something cannot work; warnings and notes do not fail.", lint_options,
     0, 0, run_lint},
    {0}};
